"""FIR filters on a GPU, in the lockstep emulator, against the engine on the CPU."""

import numpy as np
import pytest
from on_emulator import DTYPES, LIMIT, assert_same, bars_of, error, thinned

from skaud.engines import fir_cuda
from skaud.engines.engine import respond
from skaud.engines.fir import Fir
from skaud.kernels.cuda_fir import SAMPLES, TAPS

pytestmark = pytest.mark.usefixtures("emulator", "small_blocks")
THREADS = 8  # of a block
FILTERS = {
    "behind": (11, 0),
    "ahead": (11, 4),
    "long": (THREADS * TAPS + 7, THREADS // 2),
}  # taps, samples it comes ahead


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(fir_cuda, "THREADS", THREADS)


def engines(name, dtype):
    n_taps, advance = FILTERS[name]
    host = Fir("filtered", np.random.default_rng(0).standard_normal(n_taps), advance, dtype)
    return host, fir_cuda.FirOnDevice(host)


def sound(n_samples, dtype):
    return np.random.default_rng(1).standard_normal((2, 2, n_samples)).astype(dtype)


@pytest.mark.parametrize(("dtype", "name", "frame_samples"), thinned(DTYPES, FILTERS, (None, 6), keep=1))
def test_a_filter_is_that_of_the_cpu(dtype, name, frame_samples):
    host, on_device = engines(name, dtype)
    x = sound(THREADS * SAMPLES + 12, dtype)  # two blocks of threads
    assert_same(respond(on_device, x, ("filtered",), frame_samples), respond(host, x, ("filtered",), frame_samples))


@pytest.mark.parametrize(("dtype", "name", "frame_samples"), thinned(DTYPES, FILTERS, (None, 7), keep=1))
def test_chunks_go_on_where_the_last_ended(dtype, name, frame_samples):
    host, on_device = engines(name, dtype)
    x = sound(100, dtype)
    pieces, state = [], on_device.start(2, 2)
    for begin, end in ((0, 3), (3, 3), (3, 80), (80, 100)):
        responses, state = on_device.run(x[..., begin:end], state, ("filtered",), frame_samples)
        pieces.append(responses["filtered"])
    pieces += on_device.finish(state, ("filtered",), frame_samples).values()
    found = {"filtered": np.concatenate(pieces, axis=-1)}
    assert_same(found, host.whole(x, ("filtered",), frame_samples))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_a_state_go_on_alone(dtype):
    host, on_device = engines("ahead", dtype)
    x = sound(30, dtype)
    _, state = on_device.run(x[..., :17], on_device.start(2, 2), ("filtered",), 7)
    found, _ = on_device.run(x[1:, :, 17:], state.of_rows(slice(2, 4)), ("filtered",), 7)
    assert_same(found, {"filtered": host.run(x, host.start(2, 2), ("filtered",), 7)[0]["filtered"][1:, ..., 1:]})


@pytest.mark.parametrize(("dtype", "name", "frame_samples"), thinned(DTYPES, FILTERS, (None, 6), keep=1))
def test_bars_are_those_of_the_cpu(dtype, name, frame_samples):
    x = sound(30, dtype)
    (expected, (of_taps,)), (x_bar, (own_taps,)) = (
        bars_of(own, x, "filtered", frame_samples) for own in engines(name, dtype)
    )
    assert x_bar.dtype == dtype
    assert error(x_bar, expected) < LIMIT[dtype]
    assert error(own_taps, of_taps) < LIMIT[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bars_of_x_alone_are_those_of_the_cpu(dtype):
    x = sound(30, dtype)
    expected, found = (bars_of(own, x, "filtered", None, ()) for own in engines("ahead", dtype))
    assert error(found[0], expected[0]) < LIMIT[dtype]
