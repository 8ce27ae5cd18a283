"""FIR filters on a GPU, in the lockstep emulator, against the engine on the CPU."""

import numpy as np
import pytest
from lockstep import Lockstep

from skaud.engines.engine import respond
from skaud.engines.fir import Fir
from skaud.engines.fir_cuda import FirOnDevice
from skaud.kernels import device

LIMIT = {"float64": 1e-12, "float32": 1e-5}


@pytest.fixture(autouse=True)
def emulator(monkeypatch):
    monkeypatch.setattr(device, "launch", Lockstep().launch)


def engines(advance, dtype="float64"):
    host = Fir("filtered", np.random.default_rng(0).standard_normal(11), advance, dtype)
    return host, FirOnDevice(host)


def sound(n_samples, dtype="float64"):
    return np.random.default_rng(1).standard_normal((2, 2, n_samples)).astype(dtype)


def error(found, expected):
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("frame_samples", [None, 6])
@pytest.mark.parametrize("advance", [0, 4])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_filter_is_that_of_the_cpu(advance, frame_samples, dtype):
    host, on_device = engines(advance, dtype)
    x = sound(140, dtype)  # two blocks of threads
    expected, found = (respond(own, x, own.outputs, frame_samples)["filtered"] for own in (host, on_device))
    assert found.dtype == dtype
    assert error(found, expected) < LIMIT[dtype]


def test_chunks_go_on_where_the_last_ended():
    host, on_device = engines(4)
    x, state, pieces = sound(30), on_device.start(2, 2), []
    for begin, end in ((0, 3), (3, 20), (20, 30)):
        response, state = on_device.run(x[..., begin:end], state, ("filtered",), 7)
        pieces.append(response["filtered"])
    pieces.append(on_device.finish(state, ("filtered",), 7)["filtered"])
    assert error(np.concatenate(pieces, axis=-1), host.whole(x, ("filtered",), 7)["filtered"]) < 1e-12


@pytest.mark.parametrize("frame_samples", [None, 6])
@pytest.mark.parametrize("advance", [0, 4])
def test_bars_are_those_of_the_cpu(advance, frame_samples):
    x, found = sound(30), []
    for own in engines(advance):
        response, tape = own.record(x, "filtered", frame_samples)
        bar = np.random.default_rng(2).standard_normal(response.shape)
        found.append(own.pull_back(tape, bar, ("filtered",)))
    (expected, (of_taps,)), (x_bar, (own_taps,)) = found
    assert error(x_bar, expected) < 1e-12
    assert error(own_taps, of_taps) < 1e-12
