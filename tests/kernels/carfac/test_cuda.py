"""The GPU kernel, in numba's CUDA simulator: a process of its own, since numba chooses when it is imported."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import warnings
import numpy as np
from numba import cuda
from skaud import CARFAC
from skaud.kernels.carfac.cuda import run_two_cap

x = np.random.default_rng(0).standard_normal((2, 20)) * 0.2
# Every stage of the AGC has its turn within 16 samples.
settings = dict(erb_per_step=5.0, agc_decimation=(2, 2, 2, 2), frame_length={frame_length}, pooling=None)
settings |= dict(dtype="{dtype}", ohc_health=0.7)
model = CARFAC(22050, **settings).fit(x)
n_frame = min(model.frame_samples() or 1, 20)
on_device = run_two_cap(cuda.to_device(x.astype("{dtype}")), model._ears_[0], n_frame, model.dtype, model.gain())
assert type(on_device).__module__.startswith("numba.cuda"), type(on_device)
found, expected = on_device.copy_to_host(), model.transform(x)
assert found.dtype == expected.dtype and found.shape == expected.shape, (found.shape, expected.shape)
print(np.abs(found - expected).max() / np.abs(expected).max())
"""


def run_simulated(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("dtype", "limit"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("frame_length", ["None", "7 / 22050", "1.0"])  # every sample; frames; less than a frame
def test_gpu_equals_cpu(dtype, limit, frame_length):
    assert float(run_simulated(PROGRAM.format(dtype=dtype, frame_length=frame_length))) < limit


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_samples_on_the_gpu_that_are_not_finite_are_found(value):
    program = f"""
import numpy as np
from numba import cuda
from skaud.kernels.carfac.cuda import find_not_finite
x = np.zeros((3, 300))
x[1, 299] = float("{value}")
print(find_not_finite(cuda.to_device(x)))
"""
    assert run_simulated(program) == "[1]\n"


COMPILE = """
import numba
import numpy as np
from numba import cuda
from skaud.kernels.carfac.steps import Constants
from skaud.kernels.pointwise import TAYLOR
from skaud.kernels.carfac.cuda import search_kernel, two_cap_kernel

for real, scalar in ((numba.float32, np.float32), (numba.float64, np.float64)):
    constants = Constants(*[scalar(0)] * (len(Constants._fields) - 1), taylor=(scalar(0),) * len(TAYLOR))
    arrays = real[:, :], real[:, :], real[:, :], real[:]
    signature = numba.void(*arrays, numba.typeof(constants), numba.int64, real[:, :, :])
    print(cuda.compile(search_kernel, numba.void(real[:, :], numba.int32[:]), cc=(8, 0), output="ptx")[0])
    print(cuda.compile(two_cap_kernel(real), signature, cc=(8, 0), output="ptx")[0])
"""


def test_gpu_kernel_compiles_to_ptx():
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, check=False)
    if "NvvmSupportError" in done.stderr or "NVVM" in done.stderr:
        pytest.skip("no CUDA toolkit: install the extra gpu-cu12 or gpu-cu13")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".target sm_80") == 4
