"""Kernels for a GPU as machine code: registers, no stack, no spills, no slow divisions. No GPU is needed."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from skaud import CARFAC, King2019, Osses2021
from skaud.engines.carfac_cuda import CascadeOnDevice
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.kernels import device
from skaud.kernels.pointwise import TAYLOR, exponential


def find_assembler():
    """NVIDIA's ptxas, of a toolkit or of the package nvidia-cuda-nvcc."""
    folders = getattr(find_spec("nvidia"), "submodule_search_locations", None) or []
    found = (path for folder in folders for path in Path(folder).rglob("ptxas"))
    return shutil.which("ptxas") or next(found, None)


ASSEMBLER = find_assembler()
pytestmark = pytest.mark.skipif(
    find_spec("numba_cuda") is None or ASSEMBLER is None,
    reason="no toolkit to compile for a GPU with: pip install 'numba-cuda[cu12]'",
)


def cascade(**settings):
    return CascadeOnDevice(CARFAC(22050, **settings).fit().engine_), "nap"


def chain(model):
    engines = model.fit().engine_.engines
    host = next(own for own in engines if isinstance(own, Chain))
    return ChainOnDevice(host), host.outputs[-1]


def run(made, n_ears=1):
    engine, output = made
    engine.run(np.zeros((1, n_ears, 200), engine.dtype), engine.start(1, n_ears), (output,), 100)


def reverse(made, n_ears=1, *, by_all=True):
    engine, output = made
    response, tape = engine.record(np.zeros((1, n_ears, 200), engine.dtype), output, 100)
    engine.pull_back(tape, np.zeros_like(response), engine.parts if by_all else ())


# What launches the kernel last, and how many registers a thread may have; 255 are the most.
KERNELS = {
    "CARFAC just_hwr": (lambda: run(cascade(ihc_style="just_hwr")), 168),
    "CARFAC two_cap": (lambda: run(cascade()), 176),
    "CARFAC two_cap, 2 ears": (lambda: run(cascade(), 2), 192),
    "CARFAC two_cap_with_syn": (lambda: run(cascade(ihc_style="two_cap_with_syn")), 255),
    "Osses2021": (lambda: run(chain(Osses2021())), 176),
    "CARFAC two_cap, backwards": (lambda: reverse(cascade()), 255),
    "Osses2021, backwards": (lambda: reverse(chain(Osses2021())), 255),
    "King2019, backwards": (lambda: reverse(chain(King2019())), 255),
    "King2019, backwards by X": (lambda: reverse(chain(King2019()), by_all=False), 240),
}
# Bytes, that docs/development/gpu.md states.
SPILLED = {("King2019, backwards", "sm_80"): 8, ("Osses2021, backwards", "sm_80"): 8}
SLOW = ("CARFAC two_cap, 2 ears", *(name for name in KERNELS if "backwards" in name))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in KERNELS]
)
def test_a_kernel_lives_in_registers(name, monkeypatch, tmp_path):
    launched = []
    monkeypatch.setattr(device, "launch", lambda own, _grid, _block, arguments: launched.append((own, arguments)))
    launch, most = KERNELS[name]
    launch()
    own, arguments = launched[-1]
    text = device.ptx(own, device.types_of(arguments), (8, 0))
    # Powers of 2 may take what is below the smallest number for 0; exponents are -40 at least.
    slow = r"div\.rn\.f32|rcp\.rn\.f32|sqrt\.rn\.f32|(?<!ex2\.approx)\.ftz|\bcall\b|div\.rn\.f64"
    assert re.findall(slow, text) == []
    assert ("ex2.approx" in text) == (name.startswith(("Osses2021", "King2019")) or "syn" in name)
    assert len(re.findall(r"\.param \.\w+ kernel_param_\d+", text)) == len(device.flatten(arguments))
    (tmp_path / "kernel.ptx").write_text(text)
    for target in ("sm_80", "sm_90"):
        command = [ASSEMBLER, "-v", f"-arch={target}", tmp_path / "kernel.ptx", "-o", tmp_path / "kernel.cubin"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        n = SPILLED.get((name, target), 0)
        spilled = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", told)
        assert max(map(int, spilled.groups())) <= n, f"{target}: {told}"
        (registers,) = re.findall(r"Used (\d+) registers", told)
        assert int(registers) <= most, target


@pytest.mark.slow
def test_threads_of_many_ears_share_the_registers_of_a_multiprocessor(monkeypatch, tmp_path):
    launched = []
    monkeypatch.setattr(device, "launch", lambda own, _grid, block, arguments: launched.append((own, block, arguments)))
    run(cascade(), 16)
    own, block, arguments = launched[-1]
    (tmp_path / "kernel.ptx").write_text(device.ptx(own, device.types_of(arguments), (9, 0)))
    command = [ASSEMBLER, "-v", "-arch=sm_90", tmp_path / "kernel.ptx", "-o", tmp_path / "kernel.cubin"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    (registers,) = re.findall(r"Used (\d+) registers", told)
    assert int(registers) * block[0] * block[1] <= 65536


def test_the_exponential_of_a_device_is_that_of_the_cpu_in_single_precision():
    x = np.linspace(-50, 2, 501, dtype=np.float32)
    taylor = tuple(np.float32(term) for term in TAYLOR)
    step = getattr(exponential, "py_func", exponential)
    exact = np.exp(np.maximum(x, -40.0).astype(float))
    # 32 times the rounding of the sum, whose 32nd power is taken; a device's own exponential has none of it.
    for function, limit in ((step, 5e-5), (device.quick_exponential, 1e-6)):
        found = np.array([function(own, taylor) for own in x])
        assert (np.abs(found - exact) < limit * exact).all()
    assert np.isnan(device.quick_exponential(np.float32("nan"), taylor))


def test_machine_code_is_kept_on_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(device._cache.config, "CACHE_DIR", str(tmp_path))
    from skaud.kernels.cuda_fir import convolve_kernel

    own = device.Kernel(convolve_kernel, "float32")
    x, size = np.zeros(3, np.float32), np.int32(1)
    types = device.types_of((x, x, x, size, size, size))
    first = device.machine_code(own, types, (9, 0))
    assert first[:4] == b"\x7fELF"
    monkeypatch.setattr(device, "ptx", None)  # from here on it must not compile
    assert device.machine_code(own, types, (9, 0)) == first
    with pytest.raises(TypeError):
        device.machine_code(own, types, (8, 0))
