"""Memory of a device that a signal takes, by which an error names the batch that fits."""

import tracemalloc

import cupy_stand_in
import numpy as np
import pytest
from audio_checks import error

from skaud import CARFAC, Dau1997, GammatoneFilterbank, HeadphoneFilter, King2019, Osses2021
from skaud.engines.carfac_cuda import CascadeOnDevice
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.engines.fir_cuda import FirOnDevice
from skaud.kernels import device
from skaud.kernels.array_api import place_of
from skaud.kernels.on_device import on_device

CUPY = place_of(cupy_stand_in.ndarray(np.zeros(3)))
MADE = {
    "CARFAC": lambda: CascadeOnDevice(CARFAC(22050).fit().engine_),
    "CARFAC with a synapse": lambda: CascadeOnDevice(CARFAC(22050, ihc_style="two_cap_with_syn").fit().engine_),
    "Osses2021": lambda: chain(Osses2021()),
    "Dau1997": lambda: chain(Dau1997(dtype="float64")),
    "King2019": lambda: chain(King2019()),
    "GammatoneFilterbank": lambda: chain(GammatoneFilterbank(44100)),
    "HeadphoneFilter": lambda: FirOnDevice(HeadphoneFilter(44100).fit().engine_),
}


def chain(model):
    return ChainOnDevice(next(own for own in model.fit().engine_.engines if isinstance(own, Chain)))


def peak_of(call):
    """Bytes that a call took more than there were, at most."""
    call()  # what is made once
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("frame_samples", [None, 220])
@pytest.mark.parametrize("name", MADE)
def test_signals_take_what_is_said_of_them(name, frame_samples, monkeypatch):
    monkeypatch.setattr(device, "launch", lambda *_: None)  # what was not written is 0, or whatever was there
    engine = MADE[name]()
    n_signals, n_samples, output = 6, 8000, "nap" if "nap" in engine.outputs else engine.outputs[-1]
    x = np.zeros((n_signals, 2, n_samples), engine.dtype)

    def forwards():
        return engine.run(x * 1, engine.start(n_signals, 2), (output,), frame_samples)

    def backwards():
        with np.errstate(all="ignore"):
            response, tape = engine.record(x * 1, output, frame_samples)
            return response, engine.pull_back(tape, np.zeros_like(response), engine.parts)

    for call in (forwards, backwards):
        said = n_signals * engine.bytes_on_device(2, n_samples, (output,), frame_samples, backwards=call is backwards)
        assert 0.4 * said < peak_of(call) < 1.1 * said


def test_the_error_names_the_batch_that_fits(monkeypatch):
    cupy_stand_in.install(monkeypatch, free=100 * 2**20, total=100 * 2**20)
    named = error(MemoryError, "4096 signals", "100 MiB are free", "about 60 a call")
    with named, on_device(CUPY, "CARFAC", 4096, 2**20):
        raise MemoryError("out of memory")
    # More are said to fit than did not: what is said is off, and half as many are tried.
    with error(MemoryError, "50 signals", "about 25 a call"), on_device(CUPY, "CARFAC", 50, 2**20):
        raise MemoryError("out of memory")
    with error(MemoryError, "2 signals", "about 1 a call"), on_device(CUPY, "CARFAC", 2, 2**30):
        raise MemoryError("out of memory")
