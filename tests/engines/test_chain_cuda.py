"""Chains on a GPU, in the lockstep emulator, against the engine on the CPU."""

import numpy as np
import pytest
from lockstep import Lockstep

from skaud import Dau1997, King2019, Osses2021
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.engines.engine import respond
from skaud.kernels import device
from skaud.kernels.chain import adaptation, gammatone, hair_cell, king2019, modulation  # noqa: F401, that define kinds
from skaud.kernels.chain.kind import Kind, Part

LIMIT = {"float64": 1e-12, "float32": 1e-5}
# In the order of tests/kernels/chain/test_kinds.py, whose kernel this is, too.
FIRST = [adaptation.Rescale, adaptation.LimitedLoop, adaptation.Loop]
KINDS = FIRST + sorted(set(Kind.__subclasses__()) - set(FIRST), key=lambda kind: (kind.is_filter, kind.__name__))
N_CHANNELS = 5


@pytest.fixture(autouse=True)
def emulator(monkeypatch):
    """A device whose warps have 4 threads: a row has two."""
    own = Lockstep(warp=4)
    monkeypatch.setattr(device, "WARP", 4)
    monkeypatch.setattr(device, "launch", own.launch)
    return own


def chain_of_all(dtype="float64", *, takes_channels=True):
    """Every kind two times, or two filters, of which every other channel has one."""
    random, parts = np.random.default_rng(0), []
    for kind in KINDS:
        coefficients = random.uniform(0.1, 0.4, (2, N_CHANNELS, kind.n_coefficients))
        if kind is gammatone.Gammatone or kind.is_filter:  # whose poles are 1 + step
            coefficients = -coefficients
        if kind is adaptation.LimitedLoop:
            coefficients[..., 2:] = -2 / coefficients[..., 1:2]
        start = random.uniform(0.5, 1.0, (2, N_CHANNELS, kind.n_states))
        n_filters = tuple(1 + c % 2 for c in range(N_CHANNELS)) if kind.is_filter else ()
        parts.append(Part(kind.__name__, kind, coefficients, start, n_filters))
    return Chain(parts, N_CHANNELS, dtype, takes_channels=takes_channels)


def sound(host, n_signals, n_ears, n_samples):
    shape = (n_signals, n_ears, *((N_CHANNELS,) if host.takes_channels else ()), n_samples)
    return np.random.default_rng(1).uniform(2.0, 8.0, shape).astype(host.dtype)


def error(found, expected):
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("takes_channels", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_kind_responds_as_on_the_cpu(dtype, takes_channels):
    host = chain_of_all(dtype, takes_channels=takes_channels)
    x = sound(host, 2, 2, 12)
    expected, found = (respond(engine, x, host.outputs, None) for engine in (host, ChainOnDevice(host)))
    for name in host.outputs:
        assert found[name].dtype == dtype
        assert error(found[name], expected[name]) < LIMIT[dtype], name


@pytest.mark.parametrize("output", ["Gammatone", "Itself"])
def test_frames_are_those_of_the_cpu(output):
    host = chain_of_all()
    x = sound(host, 1, 1, 17)
    expected, found = (respond(engine, x, (output,), 5)[output] for engine in (host, ChainOnDevice(host)))
    assert error(found, expected) < 1e-12


@pytest.mark.parametrize("frame_samples", [None, 7])
def test_chunks_go_on_where_the_last_ended(frame_samples):
    host = chain_of_all()
    x, on_device, output = sound(host, 2, 1, 20), ChainOnDevice(host), host.outputs[-1]
    expected, pieces, state = host.whole(x, (output,), frame_samples)[output], [], on_device.start(2, 1)
    for begin, end in ((0, 3), (3, 15), (15, 20)):
        response, state = on_device.run(x[..., begin:end], state, (output,), frame_samples)
        pieces.append(response[output])
    assert error(np.concatenate(pieces, axis=-1), expected) < 1e-12


def bars_of(engine, x, output, frame_samples=None, wanted=True):
    response, tape = engine.record(x, output, frame_samples)
    bar = np.random.default_rng(2).standard_normal(response.shape).astype(response.dtype)
    return engine.pull_back(tape, bar, engine.parts if wanted else ())


def assert_same_bars(found, expected, limit, *, wanted=True):
    assert error(found[0], expected[0]) < limit
    for own, other in list(zip(found[1], expected[1], strict=True))[0 if wanted else 1 :]:
        assert error(own, other) < limit


@pytest.mark.parametrize("takes_channels", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_bars_of_every_kind_are_those_of_the_cpu(takes_channels, wanted):
    host = chain_of_all(takes_channels=takes_channels)
    x, output = sound(host, 2, 1, 40), host.outputs[-1]  # a segment, and some samples more
    expected, found = (bars_of(engine, x, output, 6, wanted) for engine in (host, ChainOnDevice(host)))
    assert_same_bars(found, expected, 1e-11, wanted=wanted)


def test_bars_of_a_stage_on_the_way_are_those_of_the_cpu():
    host = chain_of_all()
    x = sound(host, 1, 1, 33)
    expected, found = (bars_of(engine, x, "Gammatone") for engine in (host, ChainOnDevice(host)))
    assert_same_bars(found, expected, 1e-11)


def test_bars_are_the_same_bits_in_every_run():
    host = chain_of_all("float32", takes_channels=False)
    x, on_device = sound(host, 2, 1, 33), ChainOnDevice(host)
    first, again = (bars_of(on_device, x, host.outputs[-1]) for _ in range(2))  # threads take turns in another order
    assert (first[0] == again[0]).all()
    assert all((own == other).all() for own, other in zip(first[1], again[1]))


def test_every_shuffle_is_needed(emulator):
    host = chain_of_all(takes_channels=False)
    x, on_device = sound(host, 1, 1, 33), ChainOnDevice(host)
    expected = bars_of(on_device, x, host.outputs[-1])[0]
    assert len(emulator.places) == 1
    (emulator.left_out,) = emulator.places
    assert error(bars_of(on_device, x, host.outputs[-1])[0], expected) > 1e-3


@pytest.mark.parametrize("model", [Osses2021(), Dau1997(), King2019()], ids=lambda model: type(model).__name__)
def test_the_chain_of_a_published_model_is_that_of_the_cpu(model):
    engine = model.set_params(dtype="float64").fit().engine_
    host = next(own for own in getattr(engine, "engines", (engine,)) if isinstance(own, Chain))
    x = np.random.default_rng(0).standard_normal((1, 1, 12)) * 0.1
    expected, found = (respond(own, x, host.outputs[-1:], 4)[host.outputs[-1]] for own in (host, ChainOnDevice(host)))
    assert error(found, expected) < 1e-12
