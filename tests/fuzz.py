"""What fuzzing tries, and how it tells the outcomes apart; `python tests/fuzz.py` prints the counts for the docs."""

import math
import resource
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

import skaud

OUTCOMES = ("computed", "clear error", "wrong kind", "crash", "hang", "silently wrong")
LIMIT_S, LONGEST_WAIT_S = 20, 200  # of one case
MEMORY = 6 << 30  # bytes of address space

MODELS = ("CARFAC", "Osses2021", "Dau1997", "King2019", "AuditorySpectrogram", "BiomimeticFrontend")
SOUND_STAGES = ("HeadphoneFilter", "MiddleEarFilter", "GammatoneFilterbank", "CochlearFilterbank")
CHANNEL_STAGES = ("HairCellEnvelope", "AdaptationLoops", "ModulationFilterbank")
CHANNEL_STAGES += ("Compression", "AdaptationHighPass", "ModulationBandpass")
RESPONSE_STAGES = ("PowerLawCompression", "LateralInhibition", "LeakyIntegrator", "CorticalSTRF")
RESPONSE_STAGES += ("StabilizedAuditoryImage", "Pitchogram")
IHC_STYLES = ("two_cap", "one_cap", "just_hwr", "two_cap_with_syn")
FRAME_STEPS = ("LogCompression", "PowerCompression", "CepstralCoefficients", "Deltas", "ModulationSpectrum")
FRAME_STEPS += ("TemporalPooling",)
ALL = (*MODELS, *SOUND_STAGES, *CHANNEL_STAGES, *RESPONSE_STAGES, *FRAME_STEPS)

NUMBERS = (0, -1, 1, 1e-300, 1e-30, 1e-12, 1e-6, 1e-3, 0.5, 2, 10, 1e3, 1e6, 1e9, 1e12, 1e30, 1e300, 10**40)
NUMBERS += (np.inf, -np.inf, np.nan, -1e-300, 5e-324, 1.7e308, -1e30)
SETTINGS = ("Learn",)  # of an estimator, and no estimator of sound
OBSERVERS = ("TemplateObserver",)  # of trials
TRIED = (*ALL, *SETTINGS, *OBSERVERS)
METHODS = ("fit_transform", "transform", "simulate", "vjp")
# These change nothing that is computed here, or only for how long.
LEFT_OUT = {"n_jobs", "random_state", "learn", "audiogram", "explain_residual", "names", "max_iter", "verbose"}
# What is None by default, and numbers where it is given.
NONE_STANDS_FOR: dict[str, Any] = {
    "frame_length": 0.01,
    "rms_one_db_spl": 100.0,
    "high_hz": 8000.0,
    "hair_cell_corner_hz": 1000.0,
    "envelope_low_pass_hz": 150.0,
    "envelope_attenuation": 1.0,
    "max_modulation_hz": 150.0,
    "modulation_low_pass_hz": 150.0,
    "modulation_n_filters": 3,
    "n_fibers": [50, 35, 25],
    "frequencies_hz": [100.0, 1000.0, 8000.0],
    "gains_db": [0.0, 3.0, -3.0],
    "headphone_gains_db": [0.0] * len(skaud.HeadphoneFilter().fit().frequencies_hz_),
    "middle_ear_gains_db": [0.0] * len(skaud.MiddleEarFilter().fit().frequencies_hz_),
    "scales_cycles_per_octave": [0.5] * 40,
    "rates_hz": [4.0] * 40,
    "internal_noise_variance": 1.0,
    "channel_frequencies_hz": [50.0 * 1.2**k for k in range(20)],
}
PAIRS = ({"frequencies_hz", "gains_db"}, {"scales_cycles_per_octave", "rates_hz"})
NO_NUMBERS = ("", "1", b"1", True, None, [], [[]], [[1.0], [2.0, 3.0]], {}, {1, 2}, 1j, "nan", (None,), object())
NO_NUMBERS += (np.array("1"), np.datetime64(1, "s"), ["1"], ["0.5"] * 3, ["a"] * 4, ["0.5"] * 5, [1j] * 4, [True] * 4)
NO_NUMBERS += (np.ma.array([0.5] * 4, mask=[0, 0, 0, 1]), np.zeros((2, 2)), range(3), {"a": 1})


def sound_for(name: str, n_samples: int = 700) -> np.ndarray:
    """Some noise that an estimator takes."""
    rng = np.random.default_rng(1)
    if name in RESPONSE_STAGES + FRAME_STEPS:
        return rng.standard_normal((1, 20, n_samples)).astype(np.float32)
    if name == "ModulationFilterbank":  # it wants the channels of a filterbank
        return np.abs(rng.standard_normal((1, 31, n_samples))).astype(np.float32)
    return (0.05 * rng.standard_normal((1, n_samples))).astype(np.float32)


class Hang(Exception):
    """A case took too long."""


def outcome(run: Callable[[], Any], names: tuple[str, ...]) -> tuple[str, str]:
    """What became of a case, and its error; a clear one names one of these."""

    def interrupt(*_: Any) -> None:
        raise Hang

    before = [signal.signal(number, interrupt) for number in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)  # of the processor, which others may share
    signal.alarm(LONGEST_WAIT_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = run()
    except Hang:
        return "hang", f"more than {LIMIT_S} s of the processor, or {LONGEST_WAIT_S} s"
    except (ValueError, TypeError) as error:
        is_clear = any(name in str(error) for name in names) and not isinstance(error, NotFittedError)
        return ("clear error" if is_clear else "wrong kind"), f"{type(error).__name__}: {error}"
    except Exception as error:
        return "wrong kind", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in zip((signal.SIGPROF, signal.SIGALRM), before):
            signal.signal(number, handler)
    return ("computed" if finite(result) else "silently wrong"), ""


def finite(result: Any) -> bool:
    """Whether all numbers of a result are finite."""
    arrays = result if isinstance(result, (list, tuple)) else [result]
    return all(np.isfinite(np.asarray(array)).all() for array in arrays)


def parameter_sets(n: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Estimators by name with one or two parameters at their limits, or beyond."""
    rng = np.random.default_rng(seed)
    names = TRIED
    every = {name: getattr(skaud, name)().get_params(deep=False) for name in names}
    numeric = {name: list(_numeric(every[name])) for name in names}
    for i in range(n):
        name = names[i % len(names)] if rng.random() < 0.7 else "CARFAC"
        own = numeric[name] or [("dtype", "float32")]
        chosen = rng.choice(len(own), size=min(len(own), 1 + (rng.random() < 0.3)), replace=False)
        changed = {}
        for which in chosen:
            parameter, default = own[which]
            changed[parameter] = _extreme(default, rng)
        if rng.random() < 0.1:
            others = [parameter for parameter in every[name] if parameter not in LEFT_OUT]
            changed[others[rng.integers(len(others))]] = NO_NUMBERS[rng.integers(len(NO_NUMBERS))]
        for pair in PAIRS:
            if pair & set(changed) and pair <= set(every[name]):
                changed = {parameter: NONE_STANDS_FOR[parameter] for parameter in pair} | changed
        if name == "CARFAC" and rng.random() < 0.5:
            changed["ihc_style"] = IHC_STYLES[rng.integers(4)]
        if name == "Learn":
            changed = {"solver": ("lbfgs", "adam")[rng.integers(2)], "early_stopping": rng.random() < 0.5} | changed
        yield name, changed


def _numeric(parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, default in parameters.items():
        is_numbers = (
            np.ndim(default) == 1 and not isinstance(default, str) and all(isinstance(v, Real) for v in default)
        )
        if name not in LEFT_OUT and ((isinstance(default, Real) and not isinstance(default, bool)) or is_numbers):
            yield name, default
        elif default is None and name in NONE_STANDS_FOR:
            yield name, NONE_STANDS_FOR[name]


def _extreme(default: Any, rng: np.random.Generator) -> Any:
    value = NUMBERS[rng.integers(len(NUMBERS))]
    if rng.random() < 0.3:  # near the default
        value = float(np.max(default)) * 10.0 ** rng.uniform(-4, 4)
    if isinstance(np.ravel(default)[0].item(), Integral) and math.isfinite(value) and rng.random() < 0.7:
        value = int(value)
    if not isinstance(default, Real):
        if isinstance(default, str):  # of an estimator without numbers
            return NO_NUMBERS[rng.integers(len(NO_NUMBERS))]
        values = list(default)
        if rng.random() < 0.5:
            return [value] * len(values)
        values[rng.integers(len(values))] = value
        return values
    return value


def run_parameters(name: str, changed: dict[str, Any]) -> Any:
    """Fit and transform."""
    if name == "Learn":
        x, learn = sound_for("AuditorySpectrogram", 6 * 2000).reshape(6, -1), skaud.Learn("compression", max_iter=2)
        model = skaud.AuditorySpectrogram(learn=learn.set_params(**changed))
        return model.fit(x, [0, 1] * 3).transform(x)
    if name in OBSERVERS:
        trials = sound_for(name, 3 * 2 * 2000).reshape(3, 2, -1)
        trials[:, 0] *= 2
        return (
            getattr(skaud, name)(**{"model": skaud.Dau1997(8000, pooling=None)} | changed)
            .fit(trials, [0] * 3)
            .decision_function(trials)
        )
    x = sound_for(name)
    return getattr(skaud, name)(**changed).fit(x).transform(x)


def no_number_sets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Estimators by name, and every parameter in turn as something that is no number."""
    for name in TRIED:
        every = getattr(skaud, name)().get_params(deep=False)
        for parameter in every:
            for value in NO_NUMBERS:
                pair = next((pair for pair in PAIRS if parameter in pair and pair <= set(every)), ())
                yield name, {other: NONE_STANDS_FOR[other] for other in pair} | {parameter: value}


def try_parameters(sets: Iterator[tuple[str, dict[str, Any]]], report: Callable[[str], Any] | None = None) -> Counter:
    """Counts of outcomes, over parameter sets."""
    counts: Counter = Counter()
    for name, changed in sets:
        named = (*changed, "learn") if name == "Learn" else tuple(changed)
        found, error = outcome(lambda: run_parameters(name, changed), named)  # noqa: B023
        counts["tried"] += 1
        counts[found] += 1
        if found in OUTCOMES[2:] and report:
            report(f"{found}: {name}(**{changed}): {error[:300]}")
    return counts


def kinds_of_x() -> Iterator[tuple[str, Any, bool]]:
    """What might be passed for X: what it is, X, and whether it is sound."""
    rng = np.random.default_rng(2)
    x = 0.05 * rng.standard_normal((2, 700))
    for dtype in (
        "f2",
        "f4",
        "f8",
        "g",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        ">f4",
        "<f8",
        ">f8",
        ">i2",
        ">u4",
    ):
        yield f"dtype {dtype}", _in_dtype(x, dtype), True
        yield f"3-D {dtype}", _in_dtype(x, dtype).reshape(1, 2, 700), True
        yield f"list of {dtype}", list(_in_dtype(x, dtype)), True
    for dtype in ("?", "c8", "c16", "S3", "U3", "M8[s]", "m8[s]", "V4", "O"):
        for shape in ((2, 700), (1, 2, 700)):
            yield f"dtype {dtype} of {shape}", np.zeros(shape, dtype), dtype == "O" and len(shape) == 2
        yield f"list of dtype {dtype}", [np.zeros(700, dtype)], False
    yield "structured", np.zeros((2, 700), [("a", "f4"), ("b", "f4")]), False
    for value in (np.nan, np.inf, -np.inf):
        for at in (0, 350, 699):
            for dtype in ("f4", "f8"):
                bad = x.astype(dtype)
                bad[1, at] = value
                yield f"{value} at {at}, {dtype}", bad, False
                yield f"list, {value} at {at}, {dtype}", list(bad), False
        yield f"all {value}", np.full((2, 700), value), False
    for scale in (0, 5e-324, 1e-310, 1e-45, 1e-30, 1e-10, 1, 1e3, 1e6, 1e10, 1e20, 1e30, 1e38, 1e100, 1e200, 1e300):
        for dtype in ("f4", "f8"):
            with np.errstate(over="ignore", under="ignore"):
                scaled = (x * scale).astype(dtype)
            yield f"scaled by {scale}, {dtype}", scaled, bool(np.isfinite(scaled).all() and scale <= 1e3)
    yield "constant", np.ones((2, 700)), True
    yield "negative zeros", -np.zeros((2, 700)), True
    for shape in (
        (),
        (0,),
        (1,),
        (700,),
        (0, 0),
        (0, 700),
        (2, 0),
        (1, 1),
        (1, 2),
        (700, 1),
        (1, 0, 700),
        (1, 2, 0),
        (0, 2, 700),
    ):
        yield f"shape {shape}", np.zeros(shape), shape in ((1, 1), (1, 2), (700, 1))
    for shape in ((1, 1, 1), (1, 1, 700), (1, 2, 3, 700), (1, 1, 1, 1, 4)):
        yield f"shape {shape}", np.zeros(shape), len(shape) == 3
    for name, view in {
        "Fortran order": np.asfortranarray(x),
        "columns reversed": x[:, ::-1],
        "rows reversed": x[::-1],
        "every other sample": x[:, ::2],
        "transposed": np.ascontiguousarray(x.T).T,
        "broadcast": np.broadcast_to(x[0], (3, 700)),
        "diagonal": np.lib.stride_tricks.as_strided(x, (2, 300), (8, 8)),
        "a row of a table": np.stack([x, x])[0],
        "a field": np.zeros((2, 700), [("a", "f8"), ("b", "i1")])["a"],
        "unaligned": np.frombuffer(b"\0" + x.tobytes(), "u1")[1:].view("f8").reshape(2, 700),
        "a matrix": np.asmatrix(x),
        "a recarray": np.rec.array(x),
        "a memoryview": memoryview(np.ascontiguousarray(x)),
        "a memoryview of floats": memoryview(x.astype("f4")),
        "lists of lists": x.tolist(),
        "tuples": tuple(map(tuple, x)),
        "tuple of arrays": tuple(x),
        "list of lists of one length": [list(row) for row in x],
        "list of memoryviews": [memoryview(row) for row in x],
        "array of arrays": _objects(list(x)),
        "array of arrays of different lengths": _objects([x[0], x[1, :300]]),
        "list of different lengths": [x[0], x[1, :300], x[0, :1]],
        "list of clips with ears": [x, x[:, :300]],
        "lists of different lengths": [[0.1, 0.2], [0.1]],
    }.items():
        yield name, view, True
        if isinstance(view, np.ndarray) and view.dtype.kind == "f":
            frozen = view.view()
            frozen.flags.writeable = False
            yield f"{name}, read-only", frozen, True
    for mask in (False, True, x > 0):
        masked = np.ma.array(x, mask=mask)
        yield "masked", masked, False
        yield "list of masked", list(masked), False
        yield "masked, with ears", masked.reshape(1, 2, 700), False
        yield "masked in float32", masked.astype("f4"), False
    yield from _of_other_libraries(x)
    yield from _that_know_their_rate(x)
    for name, other in {
        "None": [None],
        "number": 3,
        "float": 3.5,
        "string": "a.wav",
        "bytes": b"a.wav",
        "list of strings": ["a.wav"],
        "list of bytes": [b"a"],
        "list of None": [None, None],
        "list of numbers": [0.1, 0.2],
        "empty list": [],
        "empty tuple": (),
        "list of empty": [np.zeros(0)],
        "list of empty lists": [[]],
        "list of 0-d": [np.zeros(())],
        "list of 3-D": [np.zeros((1, 2, 3))],
        "list with a complex": [x[0], x[0] + 0j],
        "list of different ears": [x, x[0]],
        "list with a string": [x[0], "a.wav"],
        "dict": {"a": x},
        "dict of lists": {0: [0.1]},
        "set": {0.1, 0.2},
        "generator": (row for row in x),
        "iterator": iter(x),
        "function": len,
        "object": object(),
        "class": int,
        "module": np,
        "nested objects": _objects([_objects([1, "a"])]),
        "array of strings": np.array([["a", "b"]], dtype=object),
        "pair of read": (x[0], 16000),
        "list of pairs": [(x[0], 16000)],
        "range": range(10),
        "slice": slice(3),
        "ellipsis": ...,
        "bool": True,
        "numpy float": np.float64(0.1),
        "estimator": skaud.CARFAC(),
    }.items():
        yield name, other, False


def _in_dtype(x: np.ndarray, dtype: str) -> np.ndarray:
    kind = np.dtype(dtype).kind
    return (x if kind == "f" else np.abs(30 * x) if kind in "ub" else 30 * x).astype(dtype)


def _objects(items: list) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _of_other_libraries(x: np.ndarray) -> Iterator[tuple[str, Any, bool]]:
    import pandas as pd
    from scipy import sparse

    for kind in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia"):
        yield f"sparse {kind}", getattr(sparse, f"{kind}_matrix")(x), False
        yield f"sparse array {kind}", getattr(sparse, f"{kind}_array")(x), False
    yield "list of sparse", [sparse.csr_matrix(x)], False
    frame = pd.DataFrame(x)
    yield "data frame", frame, True
    yield "data frame of strings", frame.astype(str), False
    yield "data frame with a missing value", frame.mask(frame > 0.1), False
    yield "data frame of clips", pd.DataFrame({"x": list(x)}), True
    yield "series of clips", pd.Series(list(x)), True
    yield "series of numbers", pd.Series(x[0]), False
    yield "series of strings", pd.Series(["a", "b"]), False
    yield "empty data frame", pd.DataFrame(), False
    yield "empty series", pd.Series([], dtype=object), False
    yield "data frame of integers", pd.DataFrame((30 * x).astype(int)), True
    yield "data frame of nullable numbers", frame.astype("Float64"), True
    yield "data frame of nullable numbers, one missing", frame.astype("Float64").mask(frame > 0.1), False
    yield "data frame of categories", frame.astype("category"), True
    yield "data frame of times", frame.apply(pd.to_datetime), False
    yield "index", pd.Index(x[0]), False


def _that_know_their_rate(x: np.ndarray) -> Iterator[tuple[str, Any, bool]]:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    sound = skaud.Sound(x[0], 16000)
    decoded = {"array": x[0], "sampling_rate": 16000}
    arrow = pa.array([{"array": row.tolist(), "sampling_rate": 16000} for row in x])
    for name, X in {
        "Sounds": [sound, skaud.Sound(x[1, :300], 44100)],
        "Sounds with ears": [skaud.Sound(x, 16000, 100.0)],
        "array of Sounds": _objects([sound, sound]),
        "column of Sounds": pd.Series([sound, sound]),
        "data frame of Sounds": pd.DataFrame({"sound": [sound, sound]}),
        "polars column of Sounds": pl.Series([sound, sound], dtype=pl.Object),
        "decoded": [decoded, decoded],
        "column of decoded": pd.Series([decoded, decoded]),
        "polars lists": pl.Series(x.tolist()),
        "polars frame of numbers": pl.DataFrame(x),
        "arrow structs": arrow,
        "arrow table": pa.table({"audio": arrow}),
    }.items():
        yield name, X, True
    for name, X in {
        "one Sound": sound,
        "one decoded": decoded,
        "Sounds and arrays": [sound, x[0]],
        "Sounds of other ears": [sound, skaud.Sound(x, 16000)],
        "decoded without a rate": [decoded | {"sampling_rate": None}],
        "decoded in kHz": [decoded | {"sampling_rate": 16}],
        "decoded without samples": [{"path": "a.wav", "bytes": None}],
        "decoded with a path alone": [decoded | {"array": None}],
        "decoded, one not finite": [decoded, decoded | {"array": [np.nan]}],
        "arrow nulls": pa.array([None, None], pa.list_(pa.float32())),
        "arrow text": pa.array(["a.wav"]),
        "polars text": pl.Series(["a.wav"]),
        "polars lazy frame": pl.DataFrame(x).lazy(),
        "Sounds beside labels": pd.DataFrame({"sound": [sound, sound], "label": [0, 1]}),
        "a Sound missing": [sound, None],
        "a Sound in a list": [[sound], [sound]],
    }.items():
        yield name, X, False


def run_x(X: Any, model: Any, method: str) -> Any:
    """Fit and transform; or call a method of a model that was fitted without sound, and takes any."""
    if method == "fit_transform":
        return model.fit_transform(X)
    if method == "vjp":
        value, pullback = model.vjp(X, wrt="X")
        return [*(value if isinstance(value, list) else [value]), *pullback(value)["X"]]
    result = getattr(model.fit(), method)(X)
    return [array for arrays in result.values() for array in arrays] if method == "simulate" else result


def try_kinds_of_x(make: Callable[[], Any], report: Callable[[str], Any] | None = None) -> Counter:
    """Counts of outcomes, over kinds of X and methods; what is no sound must not be computed, and what is must be."""
    counts: Counter = Counter()
    for method in METHODS:
        for kind, X, is_sound in kinds_of_x():
            found, error = outcome(lambda: run_x(X, make(), method), ("X", "array", "Input", "input"))  # noqa: B023
            may_be = kind.startswith("scaled") or kind == "empty series"  # a partition without rows gives none
            if found == "computed" and not is_sound and not may_be:
                found, error = "silently wrong", "computed, although it is no sound"
            is_meant = kind.startswith("shape") or (method == "vjp" and "derivatives are those by" in error)
            if found == "clear error" and is_sound and not is_meant:
                found = "wrong kind"
            counts["tried"] += 1
            counts[found] += 1
            if found in OUTCOMES[2:] and report:
                report(f"{found}: {type(make()).__name__}.{method}, X = {kind}: {error[:300]}")
    return counts


def compile_first() -> None:
    """Compile what the cases run, so that none takes long for that."""
    for style in IHC_STYLES:
        run_parameters("CARFAC", {"ihc_style": style})
    for name in ALL:
        run_parameters(name, {})
        if "dtype" in getattr(skaud, name)().get_params():
            run_parameters(name, {"dtype": "float64"})


def main() -> None:
    """Print counts and what is wrong."""
    compile_first()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))
    say = lambda text: print(text, flush=True)  # noqa: E731
    if "x" in sys.argv[2:] or len(sys.argv) < 3:
        filterbank = lambda: skaud.Osses2021(output="filterbank")  # noqa: E731
        for make in (skaud.CARFAC, filterbank, skaud.King2019, skaud.AuditorySpectrogram):
            say(dict(try_kinds_of_x(make, say)))
    if "parameters" in sys.argv[2:] or len(sys.argv) < 3:
        n, seed = (int(word) for word in (*sys.argv[1:2], "1000")[:1] + (*sys.argv[3:4], "0")[:1])
        say(dict(try_parameters(parameter_sets(n, seed), say)))
    if "kinds" in sys.argv[2:] or len(sys.argv) < 3:
        say(dict(try_parameters(no_number_sets(), say)))


if __name__ == "__main__":
    main()
