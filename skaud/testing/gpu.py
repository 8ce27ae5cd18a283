"""What a GPU computes, beside the CPU: `python -m skaud.testing gpu` on a machine that has one."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from math import ceil
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from skaud import CARFAC, AuditorySpectrogram, BiomimeticFrontend, Dau1997, King2019, Osses2021, recipes
from skaud.kernels import device
from skaud.kernels.array_api import place_of, to_numpy
from skaud.kernels.on_device import free_bytes

LIMITS = {"float32": 1e-4, "float64": 1e-10}  # of the largest number; single precision rounds in another order
N_SAMPLES = 2000
BATCHES = (1, 64, 1024, 4096)
# Models by name; those of CARFAC differ in their kernels.
MODELS: dict[str, Callable[..., Any]] = {
    "CARFAC just_hwr": lambda **own: CARFAC(ihc_style="just_hwr", **own),
    "CARFAC one_cap": lambda **own: CARFAC(ihc_style="one_cap", **own),
    "CARFAC two_cap": CARFAC,
    "CARFAC two_cap_with_syn": lambda **own: CARFAC(ihc_style="two_cap_with_syn", **own),
    "CARFAC, delay": lambda **own: CARFAC(use_delay_buffer=True, **own),
    "CARFAC, open loop": lambda **own: CARFAC(open_loop=True, **own),
    "Osses2021": Osses2021,
    "Dau1997": Dau1997,
    "King2019": King2019,
    "AuditorySpectrogram": AuditorySpectrogram,
    "BiomimeticFrontend": lambda **own: BiomimeticFrontend(n_strfs=8, response="magnitude", **own),
}
TIMED = ("CARFAC two_cap", "Osses2021")


class Check(NamedTuple):
    """A claim and how near it came; passed where the error is at most the limit."""

    claim: str
    error: float
    limit: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it holds; NaN does not."""
        return bool(self.error <= self.limit)


class Timing(NamedTuple):
    """Milliseconds for a batch of signals of a second, and how many times faster than real time that is."""

    model: str
    n_signals: int
    gpu_ms: float
    times_real_time: float
    cpu_ms: float


def largest(values: np.ndarray) -> float:
    """Size of the largest number."""
    return float(np.abs(values).max())


def difference(found: Any, expected: Any, size: Callable[[np.ndarray], Any] = largest) -> float:
    """Size of the difference, as a part of that of what was expected."""
    own, other = to_numpy(found) if not isinstance(found, np.ndarray) else found, np.asarray(expected)
    if own.shape != other.shape:
        return float("nan")
    return float(size(own - other) / (size(other) or 1.0))


# Of derivatives, which jump where a number is rounded past a kink.
distance = partial(difference, size=np.linalg.norm)


def sounds(n_signals: int, n_samples: int, dtype: str, n_ears: int = 1) -> np.ndarray:
    """Noise at about 60 dB SPL, whose level changes."""
    random = np.random.default_rng(0)
    x = random.standard_normal((n_signals, n_ears, n_samples)) * np.linspace(0.01, 0.03, n_samples)
    return (x if n_ears > 1 else x[:, 0]).astype(dtype)


def check_models(names: Sequence[str] = tuple(MODELS), n_samples: int = N_SAMPLES, **settings: Any) -> Iterator[Check]:
    """Responses and derivatives of every model, in both precisions, with one ear and with two."""
    for name in names:
        for dtype, limit in LIMITS.items():
            for n_ears in (1, 2):
                x = sounds(2, n_samples, dtype, n_ears)
                model = MODELS[name](dtype=dtype, pooling=None, **settings).fit(x)
                what = f"{name}, {dtype}, {n_ears} {'ears' if n_ears > 1 else 'ear'}"
                value, pull_back = model.vjp(x)
                found, pull_back_there = model.vjp(device.to_device(x))
                yield Check(f"{what}: frames", difference(found, value), limit)
                bar = np.random.default_rng(1).standard_normal(value.shape).astype(dtype)
                bars, there = pull_back(bar), pull_back_there(device.to_device(bar))
                yield Check(f"{what}: derivatives by X", distance(there["X"], bars["X"]), 10 * limit)
                own = [(np.ravel(there[key]), np.ravel(bars[key])) for key in bars if key != "X"]
                errors = [distance(found, expected) for found, expected in own if np.abs(expected).max() > 0]
                yield Check(f"{what}: derivatives by parameters", max(errors, default=0.0), 100 * limit)
                again = pull_back_there(device.to_device(bar))
                same = all(np.array_equal(np.asarray(again[key]), np.asarray(there[key])) for key in bars if key != "X")
                yield Check(f"{what}: the same bits again", 0.0 if same else 1.0, 0.0)


def check_lists_and_chunks(
    names: Sequence[str] = tuple(MODELS), n_samples: int = N_SAMPLES, **settings: Any
) -> Iterator[Check]:
    """Features of clips of several lengths, and a sound that comes chunk by chunk."""
    for name in names:
        model = MODELS[name](dtype="float64", **settings)
        clips = list(sounds(3, n_samples, "float64"))
        clips[1] = clips[1][: n_samples // 3]
        model.fit(clips)
        found = model.transform([device.to_device(clip) for clip in clips])
        yield Check(f"{name}: a list of several lengths", difference(found, model.transform(clips)), LIMITS["float64"])
        x = sounds(2, n_samples, "float64")
        here, there = model.initial_state(2), model.initial_state(2)
        most = 0.0
        for chunk in np.array_split(x, 3, axis=1):
            expected, here = model.transform_chunk(chunk, here)
            found, there = model.transform_chunk(device.to_device(np.ascontiguousarray(chunk)), there)
            most = max(most, difference(found, expected)) if expected.size else most
        yield Check(f"{name}: chunk by chunk", most, LIMITS["float64"])


def check_recipe(n_samples: int = 8 * N_SAMPLES) -> Iterator[Check]:
    """Features of a recipe, and their derivatives."""
    x = sounds(2, n_samples, "float32")
    features = recipes.carfac_cepstra().fit(x)
    value, pull_back = features.vjp(x)
    found, pull_back_there = features.vjp(device.to_device(x))
    yield Check("a recipe: features", difference(found, value), LIMITS["float32"])
    there = pull_back_there(device.to_device(value))["X"]
    yield Check("a recipe: derivatives by X", distance(there, pull_back(value)["X"]), 10 * LIMITS["float32"])


def check_stream(n_samples: int = N_SAMPLES, **settings: Any) -> Iterator[Check]:
    """A run on a stream that does not wait for the default one."""
    x = sounds(2, n_samples, "float64")
    model = CARFAC(pooling=None, dtype="float64", **settings).fit(x)
    with device.another_stream():
        found = to_numpy(model.transform(device.to_device(x)))
    yield Check("another stream than the default one", difference(found, model.transform(x)), LIMITS["float64"])


def check_memory(n_samples: int = 20_000) -> Iterator[Check]:
    """A batch that the device does not hold is refused by name, and the batch that the error names fits."""
    x = sounds(1, n_samples, "float32")
    model = CARFAC().fit(x)
    free = free_bytes(place_of(device.to_device(x))) or 0
    n_signals = ceil(1.3 * free / (model.n_channels_ * n_samples * x.itemsize))  # at full rate
    many = device.to_device(np.broadcast_to(x, (n_signals, n_samples)))
    try:
        model.simulate(many, "bm")
        yield Check("out of memory is named", 1.0, 0.0, f"{n_signals} signals fitted")
    except MemoryError as error:
        named = re.search(r"about (\d+) a call", str(error))
        yield Check("out of memory is named", 0.0 if named else 1.0, 0.0, str(error))
        if named:
            model.simulate(many[: int(named[1])], "bm")
            yield Check("the batch that the error names fits", 0.0, 0.0, named[1])


def guarded(checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Checks; one that ends in an error fails, and the others go on."""
    try:
        yield from checks()
    except Exception as error:
        name = getattr(checks, "func", checks).__name__
        yield Check(f"{name} ends", float("nan"), 0.0, f"{type(error).__name__}: {error}")


def time_batches(names: Sequence[str] = TIMED, batches: Sequence[int] = BATCHES, **settings: Any) -> Iterator[Timing]:
    """Batches of signals of a second, up to what fits; the CPU's times are those of one signal, times their number."""
    for name in names:
        model = MODELS[name](**settings)
        x = sounds(1, int(model.sample_rate), "float32")
        model.fit(x)
        for what, run in (("features", model.transform), ("features and gradient", partial(differentiate, model))):
            cpu_ms = shortest_ms(partial(run, x))
            for n_signals in batches:
                many = device.to_device(np.repeat(x, n_signals, axis=0))
                try:
                    gpu_ms = shortest_ms(partial(run, many))
                except MemoryError:
                    break
                yield Timing(f"{name}, {what}", n_signals, gpu_ms, n_signals * 1e3 / gpu_ms, n_signals * cpu_ms)


def differentiate(model: Any, x: Any) -> Any:
    """Derivatives of the sum of squares of the features, by X and by every parameter."""
    value, pull_back = model.vjp(x)
    return pull_back(value)


def shortest_ms(run: Callable[[], Any], n_runs: int = 3) -> float:
    """Milliseconds of the shortest of some runs, after one that compiles."""
    run()
    taken = []
    for _ in range(n_runs):
        device.synchronize()
        begin = perf_counter()
        run()
        device.synchronize()
        taken.append(perf_counter() - begin)
    return min(taken) * 1e3


def measure_gpu(about: dict[str, str], tell: Callable[[str], None] = print) -> dict[str, Any]:
    """Everything; a dictionary that JSON can hold, whose "passed" is the verdict."""
    for key, value in about.items():
        tell(f"{key}: {value}")
    checks = []
    of_models: Iterator[Callable[[], Iterator[Check]]] = (
        partial(own, [name]) for name in MODELS for own in (check_models, check_lists_and_chunks)
    )
    for check in chain.from_iterable(map(guarded, (*of_models, check_recipe, check_stream, check_memory))):
        checks.append(check)
        verdict = "passed" if check.passed else "FAILED"
        tell(f"{verdict}  {check.error:8.1e} <= {check.limit:.0e}  {check.claim}{check.note and f' ({check.note})'}")
    timings = []
    for timing in time_batches():
        timings.append(timing)
        tell(
            f"{timing.model}, {timing.n_signals} signals of 1 s: {timing.gpu_ms:.1f} ms, {timing.times_real_time:.0f} "
            f"times real time; one core of the CPU {timing.cpu_ms:.1f} ms"
        )
    return {
        "about": about,
        "checks": [check._asdict() | {"passed": check.passed} for check in checks],
        "timings": [timing._asdict() for timing in timings],
        "passed": all(check.passed for check in checks),
    }
