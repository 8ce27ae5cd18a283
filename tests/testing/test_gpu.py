"""The test of a GPU, as far as it runs without one."""

from contextlib import nullcontext

import cupy_stand_in
import numpy as np
import pytest
from lockstep import Lockstep

from skaud import CARFAC
from skaud.kernels import device
from skaud.kernels.carfac import cuda_layout
from skaud.testing import __main__ as command
from skaud.testing import gpu

SMALL = {"erb_per_step": 4.0, "agc_decimation": (2, 2, 2, 2)}


@pytest.fixture
def emulator(monkeypatch):
    own = Lockstep(warp=4)
    for module in (device, cuda_layout):
        monkeypatch.setattr(module, "WARP", 4)
    monkeypatch.setattr(device, "launch", own.launch)
    monkeypatch.setattr(device, "to_device", cupy_stand_in.asarray)
    monkeypatch.setattr(device, "another_stream", nullcontext)
    monkeypatch.setattr(device, "synchronize", lambda: None)
    cupy_stand_in.install(monkeypatch)
    return own


def test_kernels_pass_beside_the_cpu(emulator):
    name = ["CARFAC just_hwr"]
    checks = [*gpu.check_models(name, 30, **SMALL), *gpu.check_stream(20, **SMALL)]
    checks += gpu.check_lists_and_chunks(name, 30, **SMALL)
    assert len(checks) == 19
    assert [check for check in checks if not check.passed] == []


def test_models_without_kernels_pass_beside_the_cpu(emulator, monkeypatch):
    checks = [
        *gpu.check_models(["AuditorySpectrogram"], 400),
        *gpu.check_lists_and_chunks(["AuditorySpectrogram"], 400),
    ]
    assert len(checks) == 18
    assert [check for check in checks if not check.passed] == []


def test_memory_that_runs_out_is_tried_with_the_batch_that_is_named(emulator, monkeypatch):
    monkeypatch.setattr(gpu, "free_bytes", lambda place: 60 * 20 * 4 * 71)
    tried, holds = [], []

    def simulate(model, x, output):
        tried.append(x.shape[0])
        if x.shape[0] > holds[-1]:
            raise MemoryError(f"{x.shape[0]} signals do not fit; pass about {x.shape[0] // 2} a call")

    monkeypatch.setattr(CARFAC, "simulate", simulate)
    for limit, passed in ((60, [True, True]), (1000, [False])):
        holds.append(limit)
        assert [check.passed for check in gpu.check_memory(20)] == passed
    assert tried == [n := tried[0], n // 2, n]
    holds.append(1)  # the batch that is named does not fit either
    assert [check.passed for check in gpu.guarded(lambda: gpu.check_memory(20))] == [True, False]


def test_an_error_is_a_check_that_failed():
    def broken():
        yield gpu.Check("before", 0.0, 1.0)
        raise RuntimeError("an illegal address")

    before, failed = gpu.guarded(broken)
    assert before.passed
    assert not failed.passed
    assert "an illegal address" in failed.note


def test_a_kernel_that_is_wrong_fails(emulator, monkeypatch):
    right = emulator.launch

    def launch(kernel, grid, block, arguments):
        right(kernel, grid, block, arguments)
        last = device.flatten(arguments)[-1]
        last.values[...] *= 1.01

    monkeypatch.setattr(device, "launch", launch)
    failed = [check.claim for check in gpu.check_models(["CARFAC just_hwr"], 30, **SMALL) if not check.passed]
    assert "CARFAC just_hwr, float32, 1 ear: frames" in failed
    assert "CARFAC just_hwr, float64, 2 ears: derivatives by X" in failed


def test_nan_does_not_pass():
    assert not gpu.Check("a claim", float("nan"), 1.0).passed
    assert np.isnan(gpu.difference(np.zeros(3), np.zeros(2)))


def test_without_a_gpu_the_command_says_what_it_takes(monkeypatch, capsys):
    def describe():
        raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

    monkeypatch.setattr(device, "describe", describe)
    assert command.main(["gpu"]) == 2
    assert "no CUDA-capable device" in (told := capsys.readouterr().err)
    assert "skaud[gpu-cu13]" in told


def test_the_command_writes_what_it_found(monkeypatch, tmp_path):
    about = {"device": "one"}
    monkeypatch.setattr(device, "describe", lambda: about)
    for name in ("check_models", "check_lists_and_chunks", "check_recipe", "check_memory", "time_batches"):
        monkeypatch.setattr(gpu, name, lambda *_: iter(()))
    for passed in (True, False):
        check = gpu.Check("a claim", 0.0 if passed else 2.0, 1.0)
        monkeypatch.setattr(gpu, "check_stream", lambda check=check: iter([check]))
        assert command.main(["gpu", "--json", str(tmp_path / "found.json")]) == int(not passed)
        assert '"device": "one"' in (tmp_path / "found.json").read_text()
