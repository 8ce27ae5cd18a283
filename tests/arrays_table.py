"""What runs where: every model, stage and step, every operation, every kind of array. It writes docs/arrays.md.

Run it as ``python tests/arrays_table.py``, in an environment with torch, JAX, array-api-strict and dask. A cell is what
happened: the result was compared with NumPy's, its library and device with those of X, and an error is one of this
package's own. Kernels of CUDA are stood in for by the CPU's; that they compute the same is for the emulator to show.
"""

import importlib
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import cupy_stand_in
import numpy as np
from cupy_stand_in import NumbaArray, OnStandIn
from numba import cuda
from sklearn.pipeline import FeatureUnion, Pipeline

import skaud
from skaud.engines import device
from skaud.fitting import fit_response
from skaud.kernels import array_api
from skaud.kernels.array_api import place_of, to_numpy

ROOT = Path(__file__).parent.parent
RANDOM = np.random.default_rng(0)
SOUND = (0.05 * RANDOM.standard_normal((2, 700))).astype(np.float32)
CHANNELS = (0.05 * np.abs(RANDOM.standard_normal((2, 3, 300)))).astype(np.float32)
SPECTRA = np.abs(RANDOM.standard_normal((2, 129, 60))).astype(np.float32)
LIMIT = 2e-5  # of the largest number of a result: devices sum in another order

# --- rows ---

BANK = {"low_hz": 1000, "high_hz": 1300}  # 3 channels
STRFS = {"scales_cycles_per_octave": [0.5, 1.0], "rates_hz": [4.0, -8.0]}


def frames():
    return skaud.CARFAC(8000, erb_per_step=3.0, pooling=None)


def union():
    pooled = [("log", skaud.LogCompression()), ("pooling", skaud.TemporalPooling("mean"))]
    return FeatureUnion([("log", Pipeline(pooled)), ("linear", skaud.TemporalPooling({"std": 2}))])


MODELS = {
    "CARFAC": (lambda: skaud.CARFAC(8000, erb_per_step=3.0), SOUND, "velocity_scale"),
    "Osses2021": (lambda: skaud.Osses2021(16000, **BANK), SOUND, "hair_cell_corner_hz"),
    "Dau1997": (lambda: skaud.Dau1997(16000, **BANK), SOUND, "hair_cell_corner_hz"),
    "King2019": (lambda: skaud.King2019(16000, **BANK), SOUND, "compression_exponent"),
    "AuditorySpectrogram": (lambda: skaud.AuditorySpectrogram(), SOUND, "integration_s"),
    "BiomimeticFrontend": (lambda: skaud.BiomimeticFrontend(**STRFS), SOUND, "integration_s"),
    "HeadphoneFilter": (lambda: skaud.HeadphoneFilter(16000), SOUND, None),
    "MiddleEarFilter": (lambda: skaud.MiddleEarFilter(16000), SOUND, None),
    "GammatoneFilterbank": (lambda: skaud.GammatoneFilterbank(16000, **BANK), SOUND, None),
    "HairCellEnvelope": (lambda: skaud.HairCellEnvelope(16000), CHANNELS, None),
    "AdaptationLoops": (lambda: skaud.AdaptationLoops(16000), CHANNELS, None),
    "ModulationFilterbank": (lambda: skaud.ModulationFilterbank(16000, **BANK), CHANNELS, None),
    "Compression": (lambda: skaud.Compression(16000), CHANNELS, None),
    "AdaptationHighPass": (lambda: skaud.AdaptationHighPass(16000), CHANNELS, None),
    "ModulationBandpass": (lambda: skaud.ModulationBandpass(16000), CHANNELS, None),
    "CochlearFilterbank": (lambda: skaud.CochlearFilterbank(), SOUND, None),
    "PowerLawCompression": (lambda: skaud.PowerLawCompression(), SPECTRA, None),
    "LateralInhibition": (lambda: skaud.LateralInhibition(), SPECTRA, None),
    "LeakyIntegrator": (lambda: skaud.LeakyIntegrator(), SPECTRA, None),
    "CorticalSTRF": (lambda: skaud.CorticalSTRF(**STRFS), SPECTRA, None),
    "StabilizedAuditoryImage": (lambda: skaud.StabilizedAuditoryImage(8000, max_lag_s=0.004), CHANNELS, None),
    "Pitchogram": (lambda: skaud.Pitchogram(8000, max_lag_s=0.004), CHANNELS, None),
    "LogCompression": (lambda: skaud.LogCompression(), CHANNELS, None),
    "PowerCompression": (lambda: skaud.PowerCompression(), CHANNELS, None),
    "CepstralCoefficients": (lambda: skaud.CepstralCoefficients(2), CHANNELS, None),
    "Deltas": (lambda: skaud.Deltas(), CHANNELS, None),
    "ModulationSpectrum": (lambda: skaud.ModulationSpectrum([4, 8]), CHANNELS[..., :40], None),
    "FeaturePipeline": (lambda: skaud.FeaturePipeline([("model", frames()), ("both", union())]), SOUND, None),
    "TemporalPooling": (lambda: skaud.TemporalPooling(("mean", "std", "p90")), CHANNELS, None),
}


def transform(model, X, _):
    return model.fit(X).transform(X)


def simulate(model, X, _):
    return list(model.fit(X).simulate(X).values())


def vjp(model, X, _):
    value, pullback = model.fit(X).vjp(X)
    grads = pullback(value)
    return [value, grads.pop("X"), *(to_numpy(own) if hasattr(own, "shape") else own for own in grads.values())]


def stream(model, X, _):
    model = model.fit(X)
    state = model.initial_state(2)
    first, state = model.transform_chunk(X, state)
    second, _ = model.transform_chunk(X, state)
    return [first, second]


def learn(model, X, parameter):
    model.set_params(learn=skaud.Learn(parameter, max_iter=2)).fit(X, [0, 1])
    return [np.asarray(getattr(model, f"{parameter}_")), np.asarray(model.loss_curve_)]


def respond(model, X, parameter):
    target = model.fit(SOUND).transform(SOUND) * np.float32(1.1)
    return [np.asarray(fit_response(model, X, target, learn=parameter, max_iter=2).loss_curve_)]


OPERATIONS = {
    "transform": transform,
    "simulate": simulate,
    "vjp": vjp,
    "transform_chunk": stream,
    "learn": learn,
    "fit_response": respond,
}


def rows():
    """(model, operation) for all that a model has."""
    for name, (make, _, parameter) in MODELS.items():
        for operation in OPERATIONS:
            fits = operation in ("learn", "fit_response")
            if parameter is not None if fits else hasattr(make(), operation):
                yield name, operation


# --- columns ---


class OnlyInterface:
    def __init__(self, values):
        self.values, self.__array_interface__ = values, values.__array_interface__


class OnlyDLPack:
    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return (1, 0)


def _of(module: str, options: Callable = lambda module: {}) -> Callable:
    def move(values):
        library = importlib.import_module(module)
        return library.asarray(values.copy(), **options(library))

    return move


def as_sounds(values, rate=16000):
    return [skaud.Sound(own, rate) for own in values]


KINDS = {
    "NumPy": lambda values: values,
    "list": list,
    "`Sound`": as_sounds,
    "torch": _of("torch"),
    "list of torch": lambda values: [_of("torch")(own) for own in values],
    "JAX": _of("jax.numpy"),
    "strict": _of("array_api_strict"),
    "`__array_interface__`": OnlyInterface,
    "memoryview": memoryview,
    "DLPack": OnlyDLPack,
    "strict, device1": _of("array_api_strict", lambda module: {"device": module.Device("device1")}),
    "cupy": cupy_stand_in.ndarray,
    "list of cupy": lambda values: [cupy_stand_in.ndarray(own) for own in values],
    "numba": NumbaArray,
    "dask": lambda values: importlib.import_module("dask.array").from_array(values),
}
NEEDS = {
    "torch": "torch",
    "list of torch": "torch",
    "JAX": "jax",
    "dask": "dask",
    "strict": "array_api_strict",
    "strict, device1": "array_api_strict",
}


class ManyNumbersCopied(AssertionError):
    """A device's array was read from the host, where nobody asked for it."""


@contextmanager
def stand_ins(operation):
    """cupy, engines of CUDA for the families that have one, and a watch over what is copied from the device."""
    import_module, get = device.import_module, cupy_stand_in.ndarray.get
    fits = operation in ("learn", "fit_response")  # whose optimiser is on the host

    def find(name):
        module = import_module(name)
        return mock.Mock(make=lambda engine, place: module.make(engine, place) and OnStandIn(engine))

    def watched(x):
        if x.size > 512 and not fits:  # bars of parameters row by row, mean squares of clips
            raise ManyNumbersCopied(f"{x.size} numbers")
        return get(x)

    cupy = mock.Mock(asarray=cupy_stand_in.asarray, ndarray=type("other", (), {}))
    cupy.cuda.Device = cupy_stand_in.Device
    with (
        mock.patch.dict(sys.modules, {"cupy": cupy}),
        mock.patch.object(device, "import_module", find),
        mock.patch.object(cupy_stand_in.ndarray, "get", watched),
        mock.patch.object(cuda, "as_cuda_array", NumbaArray),
    ):
        yield


# --- cells ---

REASONS = {  # what a refusal says, in the words of its message, by the letter in its cell
    "k": "has no kernel for X where it lies",
    "d": "is a dask array",
    "r": "takes responses, which are no Sounds",
}


def cell(name, operation, kind):
    """What happens: "=" for NumPy's bits in the library of X, "≈" for its numbers, or the letter of a refusal."""
    make, values, parameter = MODELS[name]
    if kind == "`Sound`" and values is not SOUND:
        return "r"
    if kind in ("list", "`Sound`", "list of torch", "list of cupy") and operation == "transform_chunk":
        return ""  # a chunk is an array
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wanted = OPERATIONS[operation](make(), list(values) if "list" in kind else values, parameter)
        except (ValueError, TypeError) as error:
            return _letter(error)
        if kind == "`Sound`":
            rate = make().sample_rate if operation == "vjp" else 11025  # of which vjp resamples none
            X = as_sounds(values, rate)
            read = [skaud.audio.resample(own, make().sample_rate) for own in X] if rate == 11025 else X
            wanted = OPERATIONS[operation](make(), read, parameter)
            if operation == "transform" and name in ("HeadphoneFilter", "MiddleEarFilter"):
                wanted = [own.samples for own in wanted]
        else:
            X = KINDS[kind](values)
        with stand_ins(operation):
            try:
                found = OPERATIONS[operation](make(), X, parameter)
            except (ValueError, TypeError) as error:
                return _letter(error)
            return compare(found, wanted, X, operation)


def _letter(error):
    """Letter of a refusal; the error itself where it is not one of this package's."""
    where = traceback.extract_tb(error.__traceback__)[-1].filename
    if Path(where).is_relative_to(ROOT / "skaud"):
        for letter, words in REASONS.items():
            if words in str(error):
                return letter
    raise error


def compare(found, wanted, X, operation):
    """Sign of the same bits, or of the same numbers; an error where they differ, or lie elsewhere."""
    place = _place(X)
    of_library = operation not in ("learn", "fit_response")
    if isinstance(wanted, np.ndarray):
        found, wanted = [found], [wanted]
    limit = 1e-3 if operation in ("learn", "fit_response") else 50 * LIMIT if operation == "vjp" else LIMIT
    largest = 0.0
    for k, (own, other) in enumerate(zip(_flat(found), _flat(wanted), strict=True)):
        own = own.samples if isinstance(own, skaud.Sound) else own
        other = other.samples if isinstance(other, skaud.Sound) else other
        is_parameter = operation == "vjp" and k >= len(_flat(wanted[:2]))
        if of_library and not is_parameter and hasattr(own, "shape"):
            assert place_of(own)[:3] == place[:3], f"{place_of(own)} in place of {place}"
        own, other = (_read(array) for array in (own, other))
        assert own.shape == other.shape, (own.shape, other.shape)
        assert own.dtype == other.dtype, (own.dtype, other.dtype)
        if other.size and not np.array_equal(own, other):
            # Derivatives jump where a number is rounded past a kink.
            size = np.linalg.norm if operation == "vjp" else lambda values: np.abs(values).max()
            off = float(size(own - other) / max(size(other), 1e-30))
            # Bars of parameters are sums that cancel: the CPU's are up to 5e-4 off double precision.
            own_limit = 250 * LIMIT if is_parameter else limit
            assert off < own_limit, f"number {k} is off by {off}"
            largest = max(largest, off)
    return "=" if largest == 0 else "≈"


def _read(x):
    return (
        x.values
        if isinstance(x, (cupy_stand_in.ndarray, NumbaArray))
        else np.asarray(to_numpy(x) if hasattr(x, "shape") else x)
    )


def _place(X):
    first = X[0] if isinstance(X, list) else X
    if not array_api.is_array(first):
        return array_api.HOST
    place = place_of(first)
    return place if place.like is not None else array_api.HOST  # no library to give arrays back in


def _flat(values):
    return [leaf for own in values for leaf in (_flat(own) if isinstance(own, list) else [own])]


# --- the page ---


def table(names=tuple(MODELS), kinds=tuple(KINDS)):
    """Cells by (model, operation), a dict by kind."""
    return {(name, op): {kind: cell(name, op, kind) for kind in kinds} for name, op in rows() if name in names}


def page(cells):
    """docs/arrays.md."""
    before = (ROOT / "tests" / "arrays_table.md").read_text()
    kinds = list(KINDS)
    lines = [f"| | {' | '.join(kinds)} |", f"| --- |{' :-: |' * len(kinds)}"]
    last = None
    for (name, operation), own in cells.items():
        label = f"`{name}` {operation}" if name != last else operation
        last = name
        lines.append(f"| {label} | {' | '.join(own[kind] for kind in kinds)} |")
    return before.replace("(the table)", "\n".join(lines))


if __name__ == "__main__":
    missing = [module for module in NEEDS.values() if find_spec(module) is None]
    if missing:
        sys.exit(f"the table needs {', '.join(missing)}; pip install them.")
    (ROOT / "docs" / "arrays.md").write_text(page(table()))
