"""Chains on a GPU, in the lockstep emulator, against the engine on the CPU."""

import numpy as np
import pytest
from on_emulator import (
    DTYPES,
    LIMIT,
    SEGMENT,
    assert_close,
    assert_same,
    bars_of,
    error,
    in_chunks,
    install,
    thinned,
)

from skaud import Dau1997, King2019, Osses2021
from skaud.engines import chain_cuda
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.engines.engine import respond
from skaud.kernels.chain import adaptation, gammatone, hair_cell, king2019, layout, modulation  # noqa: F401
from skaud.kernels.chain.kind import Kind, Part

# In the order of tests/kernels/chain/test_kinds.py, whose kernel this is, too.
FIRST = [adaptation.Rescale, adaptation.LimitedLoop, adaptation.Loop]
KINDS = FIRST + sorted(set(Kind.__subclasses__()) - set(FIRST), key=lambda kind: (kind.is_filter, kind.__name__))
# Each by itself, and all one after the other, of which the last hear little of the first.
CHAINS = {kind.__name__: [kind] for kind in KINDS} | {"all": KINDS}
N_CHANNELS = 5
N_SAMPLES = 2 * SEGMENT + 3
# Bytes that there are for all that the adjoint must know, or else for checkpoints, from which a segment is run again.
ROOMS = {"whole": 2**40, "segments": 0}

pytestmark = pytest.mark.usefixtures("emulator", "cpu")


def chains(name, dtype, *, takes_channels=True):
    """Engines of every kind two times, or two filters, of which every other channel has one."""
    random, parts = np.random.default_rng(0), []
    for kind in CHAINS[name]:
        coefficients = random.uniform(0.1, 0.4, (2, N_CHANNELS, kind.n_coefficients))
        if kind is gammatone.Gammatone or kind.is_filter:  # whose poles are 1 + step
            coefficients = -coefficients
        if kind is adaptation.LimitedLoop:
            coefficients[..., 2:] = -2 / coefficients[..., 1:2]
        start = random.uniform(0.5, 1.0, (2, N_CHANNELS, kind.n_states))
        n_filters = tuple(1 + c % 2 for c in range(N_CHANNELS)) if kind.is_filter else ()
        parts.append(Part(kind.__name__, kind, coefficients, start, n_filters))
    host = Chain(parts, N_CHANNELS, dtype, takes_channels=takes_channels)
    return host, ChainOnDevice(host)


def sound(host, n_signals, n_ears, n_samples):
    shape = (n_signals, n_ears, *((N_CHANNELS,) if host.takes_channels else ()), n_samples)
    return np.random.default_rng(1).uniform(2.0, 8.0, shape).astype(host.dtype)


@pytest.mark.parametrize(("dtype", "takes_channels", "name"), thinned(DTYPES, (True, False), CHAINS, keep=1))
def test_every_kind_responds_as_on_the_cpu(dtype, takes_channels, name):
    host, on_device = chains(name, dtype, takes_channels=takes_channels)
    x = sound(host, 2, 2, 12)
    expected = respond(host, x, host.outputs, None)
    assert_same(respond(on_device, x, host.outputs, None), expected)
    assert_same(in_chunks(on_device, x, host.outputs, None, (3, 3, 8)), expected)


@pytest.mark.parametrize(("dtype", "takes_channels", "name"), thinned(DTYPES, (True, False), CHAINS, keep=1))
def test_frames_of_every_kind_whole_and_in_chunks_are_those_of_the_cpu(dtype, takes_channels, name):
    host, on_device = chains(name, dtype, takes_channels=takes_channels)
    x, last = sound(host, 2, 1, 17), host.outputs[-1:]
    expected = respond(host, x, last, 5)
    assert_same(respond(on_device, x, last, 5), expected)
    assert_same(in_chunks(on_device, x, last, 5, (3, 3, 14)), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_frames_of_a_stage_on_the_way_are_those_of_the_cpu(dtype):
    host, on_device = chains("all", dtype)
    x = sound(host, 1, 1, 12)
    assert_same(respond(on_device, x, ("Gammatone",), 5), respond(host, x, ("Gammatone",), 5))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_a_state_go_on_alone(dtype):
    host, on_device = chains("all", dtype, takes_channels=False)
    x, last = sound(host, 3, 1, 14), host.outputs[-1:]
    _, state = on_device.run(x[..., :9], on_device.start(3, 1), last, 5)
    found, _ = on_device.run(x[1:, :, 9:], state.of_rows(slice(1, 3)), last, 5)
    assert_same(found, {last[0]: host.whole(x, last, 5)[last[0]][1:, ..., 1:]})


# --- backwards ---


def give_room(monkeypatch, kept):
    monkeypatch.setattr(chain_cuda, "room_of_tape", lambda x: ROOMS[kept])


def assert_same_bars(found, expected, host, *, wanted=True, n_parts=None):
    """Every part's own bars, of the first n_parts; of others there are none. The last part's are the largest by far."""
    limit = LIMIT[host.dtype]
    assert found[0].dtype == host.dtype
    assert_close(found[0], expected[0], limit)
    both = list(zip((layout.coefficients_of, layout.start_of), found[1], expected[1], strict=True))
    for flat_of, own, other in both if wanted else both[1:]:
        assert own.shape == other.shape
        begin = 0
        for part in host.links[:n_parts]:
            end = begin + flat_of((part,), host.n_channels).size
            if end > begin:
                assert_close(own[begin:end], other[begin:end], limit)
            begin = end
        assert not own[begin:].any()
        assert not other[begin:].any()


@pytest.mark.parametrize(
    ("dtype", "takes_channels", "name", "frame_samples", "wanted", "kept"),
    thinned(DTYPES, (True, False), CHAINS, (None, 4), (True, False), ROOMS, keep=4),
)
def test_bars_of_every_kind_are_those_of_the_cpu(dtype, takes_channels, name, frame_samples, wanted, kept, monkeypatch):
    give_room(monkeypatch, kept)
    host, on_device = chains(name, dtype, takes_channels=takes_channels)
    x, last = sound(host, 1, 2, N_SAMPLES), host.outputs[-1]
    parts = host.parts if wanted else ()
    expected, found = (bars_of(engine, x, last, frame_samples, parts) for engine in (host, on_device))
    assert_same_bars(found, expected, host, wanted=wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bars_of_a_stage_on_the_way_are_those_of_the_cpu(dtype):
    host, on_device = chains("all", dtype)
    x = sound(host, 1, 1, N_SAMPLES)
    expected, found = (bars_of(engine, x, "Gammatone") for engine in (host, on_device))
    assert_same_bars(found, expected, host, n_parts=KINDS.index(gammatone.Gammatone) + 1)


@pytest.mark.parametrize(
    ("dtype", "takes_channels", "frame_samples", "kept"), thinned(DTYPES, (True, False), (None, 4), ROOMS, keep=2)
)
def test_clips_of_several_lengths_and_their_bars_are_those_of_the_cpu(
    dtype, takes_channels, frame_samples, kept, monkeypatch
):
    give_room(monkeypatch, kept)
    host, on_device = chains("all", dtype, takes_channels=takes_channels)
    x, lengths, last = sound(host, 3, 1, N_SAMPLES), (N_SAMPLES, 6, 10), host.outputs[-1]
    response, tape = on_device.of_lengths(lengths).record(x, last, frame_samples)
    bar, of_all, summed = np.zeros_like(response), np.zeros_like(x), []
    for i, n in enumerate(lengths):
        own, own_tape = host.record(np.ascontiguousarray(x[i : i + 1, ..., :n]), last, frame_samples)
        assert error(response[i : i + 1, ..., : own.shape[-1]], own) < LIMIT[dtype]
        assert not response[i, ..., own.shape[-1] :].any()
        own_bar = np.random.default_rng(i).standard_normal(own.shape).astype(dtype)
        bar[i : i + 1, ..., : own.shape[-1]] = own_bar
        of_all[i : i + 1, ..., :n], bars = host.pull_back(own_tape, own_bar, host.parts)
        summed = [a + b for a, b in zip(summed, bars)] if summed else bars
    found = on_device.of_lengths(lengths).pull_back(tape, bar, host.parts)
    assert_same_bars(found, (of_all, summed), host)


@pytest.mark.parametrize(("dtype", "kept"), thinned(DTYPES, ROOMS, keep=1))
def test_bars_are_the_same_bits_in_every_run(dtype, kept, monkeypatch):
    give_room(monkeypatch, kept)
    host, on_device = chains("all", dtype, takes_channels=False)
    x = sound(host, 2, 1, N_SAMPLES)
    first, again = (bars_of(on_device, x, host.outputs[-1]) for _ in range(2))  # threads take turns in another order
    assert (first[0] == again[0]).all()
    assert all((own == other).all() for own, other in zip(first[1], again[1]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_leaves_all_that_its_adjoint_must_know_as_long_as_there_is_room_for_it(dtype, monkeypatch):
    host, on_device = chains("all", dtype, takes_channels=False)
    x, last = sound(host, 2, 2, N_SAMPLES), host.outputs[-1]
    give_room(monkeypatch, "whole")
    _, tape = on_device.record(x, last, 4)
    n_bytes = tape.states.nbytes + tape.samples.nbytes
    for room, is_whole in ((n_bytes, True), (n_bytes - 1, False)):
        monkeypatch.setitem(ROOMS, "whole", room)
        _, tape = on_device.record(x, last, 4)
        assert (tape.samples is not None) == is_whole
    assert tape.states.nbytes < n_bytes


@pytest.mark.parametrize("kept", ROOMS)
def test_a_tape_is_read_as_often_as_one_likes(kept, monkeypatch):
    give_room(monkeypatch, kept)
    host, on_device = chains("all", "float64", takes_channels=False)
    response, tape = on_device.record(sound(host, 2, 1, N_SAMPLES), host.outputs[-1], 4)
    bars = np.ones_like(response)
    first, _, again = (on_device.pull_back(tape, own, host.parts) for own in (bars, 2 * bars, bars))
    assert (first[0] == again[0]).all()
    assert all((own == other).all() for own, other in zip(first[1], again[1]))


@pytest.mark.parametrize(
    ("model", "dtype", "wanted", "kept"), thinned((Osses2021, Dau1997, King2019), DTYPES, (True, False), ROOMS, keep=2)
)
def test_the_chain_of_a_published_model_and_its_bars_are_those_of_the_cpu(model, dtype, wanted, kept, monkeypatch):
    install(monkeypatch, warp=32)
    give_room(monkeypatch, kept)
    engine = model(dtype=dtype).fit().engine_
    host = next(own for own in getattr(engine, "engines", (engine,)) if isinstance(own, Chain))
    x = (np.random.default_rng(0).standard_normal((1, 1, SEGMENT + 1)) * 0.1).astype(dtype)
    last, on_device = host.outputs[-1], ChainOnDevice(host)
    assert_same(respond(on_device, x, (last,), 4), respond(host, x, (last,), 4))
    parts = host.parts if wanted else ()
    expected, found = (bars_of(own, x, last, 4, parts) for own in (host, on_device))
    assert_same_bars(found, expected, host, wanted=wanted)
