"""Which engine computes where X lies, and what a device says when it cannot."""

import sys
from types import ModuleType, SimpleNamespace

import cupy_stand_in
import numpy as np
import pytest
from audio_checks import error

from skaud import CARFAC, BiomimeticFrontend, LogCompression, TemporalPooling
from skaud.engines import device
from skaud.engines.device import NotOnDevice, engine_for, memory_at, segment_of
from skaud.kernels import on_device as on_device_module
from skaud.kernels.array_api import HOST, Place, place_of
from skaud.kernels.on_device import free_bytes, on_device, refuse_worker, room_for_signals

CUPY = place_of(cupy_stand_in.ndarray(np.zeros(3)))
ENGINE = CARFAC(erb_per_step=4.0).fit().engine_
SAID = {  # by libraries and drivers
    "CUFFT_ALLOC_FAILED": (MemoryError, "do not fit"),
    "cufft error: alloc failed": (MemoryError, "do not fit"),
    "Found no NVIDIA driver on your system.": (RuntimeError, "no driver of a GPU answers"),
    "libcuda.so.1: cannot open shared object file": (RuntimeError, "no driver of a GPU answers"),
    "cudaErrorInitializationError: initialization error": (RuntimeError, "no driver of a GPU answers"),
    "Cannot re-initialize CUDA in forked subprocess": (RuntimeError, "no driver of a GPU answers"),
    "The NVIDIA driver on your system is too old": (RuntimeError, "is too old"),
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION": (RuntimeError, "is too old"),
    "CUDA_ERROR_NO_BINARY_FOR_GPU": (RuntimeError, "is too old"),
    "cudaErrorSystemDriverMismatch": (RuntimeError, "is too old"),
}


def test_array_api_code_serves_every_device():
    engine = BiomimeticFrontend(n_strfs=8).fit().engine_
    found = engine_for(engine, Place("array_api_strict", "device1", False), "BiomimeticFrontend")
    assert [type(own) for own in found.engines] == [type(own) for own in engine.engines]


@pytest.mark.parametrize("place", [Place("torch", "mps:0", False), Place("jax", "cuda:0", False)], ids=str)
def test_a_device_without_kernels_is_named_with_what_to_do(place):
    with error(NotOnDevice, "CARFAC", str(place), "ToNumpy()"):
        engine_for(ENGINE, place, "CARFAC")


def test_the_engine_of_a_device_is_made_once_and_left_behind_in_pickles(monkeypatch):
    made = []

    def make(engine, place):
        assert place.like is None
        made.append(engine)
        return SimpleNamespace(place=place)

    monkeypatch.setattr(device, "find_spec", lambda name: name == "skaud.engines.carfac_cuda")
    monkeypatch.setitem(sys.modules, "skaud.engines.carfac_cuda", module := ModuleType("carfac_cuda"))
    module.make = make
    engine = CARFAC(erb_per_step=4.0).fit().engine_
    assert engine_for(engine, CUPY, "CARFAC") is engine_for(engine, CUPY, "CARFAC")
    assert made == [engine]
    assert "on_devices" not in engine.__getstate__()


def test_checkpoints_are_a_block_apart_where_memory_allows_it_and_else_no_rarer_than_the_root_of_samples(monkeypatch):
    x = cupy_stand_in.ndarray(np.zeros((1, 1, 10_000)))
    assert segment_of(x, 1, 4) == 200  # nobody tells what there is
    cupy_stand_in.install(monkeypatch)  # of a terabyte a quarter is for checkpoints
    n_bytes = 2**40 // 4
    assert segment_of(x, n_bytes // 2500, 4) == 4
    assert segment_of(x, n_bytes // 500, 4) == 20
    assert segment_of(x, n_bytes // 500, 8) == 24
    assert segment_of(x, n_bytes, 4) == 200
    assert segment_of(x, 0, 4) == 4  # what has no states, or no signals


def test_what_is_free_is_told_by_the_library_with_what_it_keeps(monkeypatch):
    assert free_bytes(CUPY) is None
    assert memory_at(CUPY) == device.UNTOLD_BYTES
    cupy_stand_in.install(monkeypatch, free=1000)
    assert free_bytes(CUPY) == 1000
    assert memory_at(CUPY) == 600


class CUDARuntimeError(RuntimeError):
    pass


class OutOfMemoryError(MemoryError):
    pass


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (
            CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"),
            RuntimeError,
            ("no driver of a GPU answers", "nvidia-smi", "ToNumpy()"),
        ),
        (
            CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime"),
            RuntimeError,
            ("driver of cuda:0 is too old", "skaud[gpu-cu12]"),
        ),
        (
            OutOfMemoryError("Out of memory allocating 1 bytes"),
            MemoryError,
            ("4096 signals", "memory of cuda:0", "100 MiB are free", "CARFAC", "about 2048 a call"),
        ),
        (
            RuntimeError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"),
            MemoryError,
            ("4096 signals", "about 2048 a call"),
        ),
        (
            ModuleNotFoundError("No module named 'numba.cuda'", name="numba.cuda"),
            ImportError,
            ("CARFAC", "numba-cuda", "skaud[gpu-cu13]"),
        ),
        *((RuntimeError(text), kind, (words,)) for text, (kind, words) in SAID.items()),
    ],
    ids=["no driver", "old driver", "cupy's memory", "numba's memory", "cupy without numba-cuda", *SAID],
)
def test_what_goes_wrong_on_a_device_is_named(monkeypatch, raised, kind, words):
    cupy_stand_in.install(monkeypatch)
    with error(kind, *words), on_device(CUPY, "CARFAC", 4096):
        raise raised


def test_other_errors_and_those_of_the_host_are_left_as_they_are():
    with pytest.raises(KeyError, match="three"), on_device(CUPY, "CARFAC", 1):
        raise KeyError("three")
    with pytest.raises(MemoryError, match="host"), on_device(HOST, "CARFAC", 1):
        raise MemoryError("host")
    with pytest.raises(ImportError, match="soxr"), on_device(CUPY, "CARFAC", 1):
        raise ImportError("soxr", name="soxr")


def test_arrays_of_a_device_in_workers_of_joblib_are_refused_with_what_to_do(monkeypatch):
    refuse_worker(CUPY)
    name = ["Dask Worker process (from Nanny)"]  # which may have a device of its own
    monkeypatch.setattr(on_device_module, "current_process", lambda: SimpleNamespace(name=name[0]))
    refuse_worker(CUPY)
    for name[0] in ("SpawnPoolWorker-1", "ForkPoolWorker-2", "LokyProcess-3"):
        refuse_worker(HOST)
        with error(RuntimeError, "cupy on cuda:0", "worker process of joblib", "n_jobs=1", "threading"):
            refuse_worker(CUPY)
    frames = cupy_stand_in.ndarray(np.ones((2, 3, 4)))
    for step in (LogCompression(), TemporalPooling("mean")):
        with error(RuntimeError, "worker process", "n_jobs=1"):
            step.fit(np.ones((2, 3, 4))).transform(frames)


@pytest.mark.parametrize(("free", "room"), [(80, 48), (48, 28), (40, 20), (24, 4), (20, 1), (8, 0)])
def test_the_batch_that_an_error_names_leaves_room_for_the_checkpoints_that_it_may_have(free, room):
    assert room_for_signals(free, 80) == room
