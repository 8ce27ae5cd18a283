"""Engines for a GPU in the lockstep emulator, beside those of the CPU, to which they are held."""

from itertools import product

import numpy as np
import pytest
from lockstep import Lockstep, undefined

from skaud import CARFAC
from skaud.design.carfac import IHC_STYLES as STYLES
from skaud.engines import carfac, carfac_cuda, chain, chain_cuda, fir_cuda
from skaud.engines.carfac_outputs import LACKING, ROWS
from skaud.kernels import _compile, device
from skaud.kernels.carfac import adjoint, cuda_layout
from skaud.kernels.chain import cuda_stretches

LIMIT = {"float64": 1e-12, "float32": 1e-5}  # of the largest number
# Of sums over all samples and channels, which cancel: the CPU's own are up to 1e-4 of the largest off those that it
# computes in double precision, 1.6e-5 off those of a device.
OF_SUMS = {"float64": 1e-12, "float32": 2e-5}
# Of the largest of a channel, or of a single coefficient's bars; in single precision 3e-4 were seen.
OWN = {"float64": 1e-12, "float32": 1e-3}
# Instead, of the CPU's compiled kernels, which multiply and add in one step: so far are they off their own source. What
# reaches the last of many channels within a few samples is a difference of numbers up to 1e11 times as large.
OF_COMPILED = (
    (LIMIT, {"float32": 2e-5}),
    (OF_SUMS, {"float32": 4e-4}),
    (OWN, {"float64": 0.1, "float32": 1e6}),  # which holds nothing in single precision
)
DTYPES = tuple(LIMIT)
BLOCK, SEGMENT = 3, 6  # of samples: several segments in few, of blocks which end between the AGC's updates
RESPONSES = [(style, output) for style in STYLES for output in ROWS if output not in LACKING[style]]
# Every stage of the AGC has its turn within 16 samples.
SMALL = {"erb_per_step": 4.0, "agc_decimation": (2, 2, 2, 2), "ohc_health": 0.7}


def stages(*decimation):
    """Settings of an AGC of so many stages."""
    n = len(decimation)
    return {
        "agc_decimation": decimation,
        "agc_time_constants_s": tuple(np.geomspace(0.002, 0.05, n)),
        "agc1_scales": tuple(np.geomspace(1.0, 2.0, n)),
        "agc2_scales": tuple(np.geomspace(1.65, 3.0, n)),
    }


LOOPS = {
    "closed": {},
    "delay": {"use_delay_buffer": True},
    "open": {"open_loop": True},
    "linear": {"linear_car": True},
    "one stage": stages(3),
    "uneven": stages(3, 1, 2),
    "most stages": stages(1, 2, 1, 2, *[1] * (cuda_layout.MOST_STAGES - 4)),
}
# Channels for 4 threads: fewer, as many, one for some of them and two for others, two each, and the most, 8 each.
ERB_PER_STEP = {2: 9.0, 4: 6.0, 5: 5.5, 8: 3.75, 32: 1.08}
MAKERS = ((carfac, "run_for"), (adjoint, "reverse_for"), (chain, "run_of"), (chain, "reverse_of"))
# What is generated for a processor, and what does the same in Python.
IN_PYTHON = (
    (_compile.borrowed, lambda value: value),
    (_compile.pointer, lambda source, begin: source.reshape(-1)[begin:]),
    (_compile.fixed_tuple, lambda array, count: tuple(array[:count])),
    (_compile.copy_run, _compile._copy_run),
    (_compile.transpose_square, _compile._transpose_square),
    (_compile.compose_down, _compile._compose_down),
)


def as_python(make):
    """Maker of a kernel for the CPU, as it stands in its source: that runs few samples before it is compiled."""
    copies = {}

    def made(*switches):
        function = device.copy_for(IN_PYTHON, make(*switches).py_func, lambda own: own, copies)

        def run(*arguments):
            with np.errstate(all="ignore"):  # lanes that have no channel compute anything
                return function(*arguments)

        return run

    return made


def install(monkeypatch, warp=4):
    """An emulator on which kernels run, of few threads a warp, so that each has several channels."""
    own = Lockstep(warp=warp)
    monkeypatch.setattr(device, "WARP", warp)
    monkeypatch.setattr(cuda_layout, "WARP", warp)
    monkeypatch.setattr(device, "launch", own.launch)
    for module in (carfac_cuda, chain_cuda, fir_cuda):
        monkeypatch.setattr(module, "empty", unwritten(module.empty))
    for module, name in ((carfac_cuda, "segment_of"), (chain_cuda, "segment_of")):
        monkeypatch.setattr(module, name, lambda *_: SEGMENT)
    for name in ("LONGEST_BLOCK", "SHORTEST_BLOCK"):
        monkeypatch.setattr(cuda_layout, name, BLOCK)
    monkeypatch.setattr(cuda_stretches, "LONGEST_BLOCK", BLOCK)
    return own


def unwritten(empty):
    """Numbers that a run before left there would hide a missing barrier."""

    def made(shape, like, dtype=None):
        return undefined(shape, dtype or like.dtype) if isinstance(like, np.ndarray) else empty(shape, like, dtype)

    return made


def run_as_python(monkeypatch):
    """Let the CPU's kernels run as they stand in their source."""
    for module, name in MAKERS:
        monkeypatch.setattr(module, name, as_python(getattr(module, name)))


def thinned(*choices, keep=4):
    """All combinations, of which one in `keep` is an ordinary test: every two choices meet there, and most threes."""
    found = []
    for own in product(*(enumerate(values) for values in choices)):
        marks = () if sum(i for i, _ in own) % keep == 0 else pytest.mark.slow
        found.append(pytest.param(*(value for _, value in own), marks=marks))
    return found


def error(found, expected):
    """Largest error, by the largest number."""
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return np.abs(found - expected).max() / np.abs(expected).max()


def assert_same(found, expected):
    """Responses by name, in the dtype of the CPU's, and every channel of them within the limit of its own."""
    assert list(found) == list(expected)
    for name in expected:
        assert found[name].dtype == expected[name].dtype
        assert np.abs(expected[name]).max() > 0
        assert_close(found[name], expected[name], LIMIT[found[name].dtype.name])
        assert_close(found[name], expected[name], OWN[found[name].dtype.name], -1)


def assert_close(found, expected, limit, axis=None):
    """Within the limit, of the largest number along these axes; bars may all be 0."""
    assert found.shape == expected.shape
    most = np.abs(expected).max(axis=axis)
    assert (np.abs(found - expected).max(axis=axis) <= limit * most).all()


def in_chunks(engine, x, outputs, frame_samples, ends):
    """Responses to chunks of a sound that end there."""
    state, pieces, begin = engine.start(*x.shape[:2]), [], 0
    for end in (*ends, x.shape[-1]):
        responses, state = engine.run(np.ascontiguousarray(x[..., begin:end]), state, outputs, frame_samples)
        pieces.append(responses)
        begin = end
    return {name: np.concatenate([own[name] for own in pieces], axis=-1) for name in outputs}


def bars_of(engine, x, output, frame_samples=None, wanted=None, **options):
    """Bars of x and of the coefficients, from those of a response that are drawn."""
    response, tape = engine.record(x, output, frame_samples, **options)
    bar = np.random.default_rng(1).standard_normal(response.shape).astype(response.dtype)
    return engine.pull_back(tape, bar, engine.parts if wanted is None else wanted)


def sound(n_signals, n_ears, n_samples, dtype="float64"):
    return (np.random.default_rng(0).standard_normal((n_signals, n_ears, n_samples)) * 0.2).astype(dtype)


def cascades(n_ears=1, dtype="float64", **settings):
    """CARFAC's engines, of 7 channels."""
    x = sound(1, n_ears, 40, dtype)
    host = CARFAC(22050, dtype=dtype, **(SMALL | settings)).fit(x if n_ears > 1 else x[:, 0]).engine_
    return host, carfac_cuda.CascadeOnDevice(host)


def cascades_of_two_designs(dtype="float64", style="two_cap"):
    """Those of two ears, each with its own design."""
    models = [CARFAC(22050, ihc_style=style, **(SMALL | {"ohc_health": health})).fit() for health in (0.9, 0.3)]
    ears = [model.coefficients_ for model in models]
    host = carfac.Cascade(ears, style, 22050, dtype, delay=False, closed=True)
    return host, carfac_cuda.CascadeOnDevice(host)
