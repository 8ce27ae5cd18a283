"""Kernels for a GPU as machine code: registers, no stack, no spills, no slow divisions. No GPU is needed."""

import re
from importlib.util import find_spec

import numpy as np
import pytest
import sass
from machine_code import VARIANTS, assemble, cases, classes, engines_of, launch_of, ptx_of, tool

from skaud.engines.chain_cuda import ChainOnDevice
from skaud.kernels import device
from skaud.kernels.chain.kind import Kind
from skaud.kernels.pointwise import TAYLOR, exponential, quotient

ASSEMBLER, DISASSEMBLER = tool("ptxas"), tool("nvdisasm")
needs_toolkit = pytest.mark.skipif(
    find_spec("numba_cuda") is None or ASSEMBLER is None,
    reason="no toolkit to compile for a GPU with: pip install 'numba-cuda[cu12]'",
)
CASES = {case.name: case for case in cases()}
# One of every function that makes kernels, the quickest to compile; the others with -m "".
ORDINARY = (
    "CARFAC two_cap",
    "CARFAC just_hwr, backwards by X",
    "HairCellEnvelope",
    "AdaptationLoops, backwards by all",
    "FIR filter",
    "FIR filter, backwards by all",
)
MOST = 255  # registers of a thread; a multiprocessor has 65536
# Bytes that do not fit, for either target. 512 threads of 16 ears have 128 registers each; a number in double precision
# takes two.
SPILLED = {
    "CARFAC two_cap, 16 ears": 192,
    "CARFAC two_cap, 16 ears, backwards by all": 1300,
    "CARFAC two_cap, float64": 56,
    "CARFAC two_cap, float64, backwards by all": 1800,
    "CARFAC two_cap_with_syn, float64": 330,
    "CARFAC two_cap_with_syn, float64, backwards by all": 2300,
    "Dau1997, float64": 300,
    "Dau1997, float64, backwards by all": 280,
    "Osses2021, float64": 50,
    "Osses2021, float64, backwards by all": 160,
}


def test_every_kind_of_part_and_every_model_with_kernels_has_its_row():
    kinds = {kind.__name__: kind for kind in classes()}
    assert {name for name in kinds if any(case.startswith(name) for case in CASES)} >= set(VARIANTS)
    chains = [own for name, more in VARIANTS.items() for s in more.values() for own in engines_of(kinds[name], s)]
    chains += [own for name in kinds if name not in VARIANTS for own in engines_of(kinds[name], {})]
    used = {part.kind for own in chains if isinstance(own, ChainOnDevice) for part in own.host.links}
    used |= {slot.kind for own in chains if isinstance(own, ChainOnDevice) for slot in slots_of(own)}
    assert used == set(Kind.__subclasses__())


def slots_of(engine):
    return engine.stretch_to(engine.outputs[-1]).shape.slots


@needs_toolkit
def test_an_ordinary_run_compiles_what_every_function_makes():
    made = {launch_of(case).own.make: name for name, case in CASES.items()}
    assert {launch_of(CASES[name]).own.make for name in ORDINARY} == set(made)


@needs_toolkit
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ORDINARY else pytest.mark.slow) for name in CASES]
)
def test_a_kernel_lives_in_registers(name, tmp_path):
    launch = launch_of(CASES[name])
    text = ptx_of(launch)
    assert len(re.findall(r"\.param \.\w+ kernel_param_\d+", text)) == len(device.flatten(launch.arguments))
    if "float64" not in name:
        # Powers of 2 and quotients may take what is below the smallest number for 0.
        slow = r"div\.rn\.f32|rcp\.rn\.f32|sqrt\.rn\.f32|(?<!ex2\.approx)(?<!rcp\.approx)\.ftz|\bcall\b|div\.rn\.f64"
        assert re.findall(slow, text) == []
    threads = launch.block[0] * launch.block[1]
    for code in assemble(text, tmp_path, ASSEMBLER):
        assert max(code.spilled) <= SPILLED.get(name, 0), code
        assert code.registers <= min(MOST, 65536 // threads), code.target


@needs_toolkit
@pytest.mark.skipif(DISASSEMBLER is None, reason="no nvdisasm: pip install nvidia-cuda-nvdisasm")
def test_instructions_of_a_sample_are_counted(tmp_path):
    """As the page of kernels has them: a thread three channels, each of them 60 to 80 instructions."""
    code = assemble(ptx_of(launch_of(CASES["CARFAC two_cap"])), tmp_path, ASSEMBLER)[-1]
    (loop,), of_block, of_segment = sass.Program(code.cubin, DISASSEMBLER).loops()
    operations = [own.operation for own in loop.instructions]
    assert of_block == of_segment == []
    assert operations.count("SHFL") == 12  # five doublings of two numbers, and one step
    assert operations.count("MUFU") == 6  # two quotients a channel
    assert 180 < loop.count < 240 < loop.count + len(loop.rare) < 700
    assert loop.bytes == 4  # the sound
    assert loop.count < loop.cycles(sass.FROM_L1) < 700


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


def test_a_quotient_of_a_device_is_a_reciprocal_and_a_product(monkeypatch):
    asked = []
    reciprocal = type("libdevice", (), {"frcp_rz": staticmethod(lambda x: asked.append(x) or np.float32(1) / x)})
    monkeypatch.setattr(device, "cuda", type("cuda", (), {"libdevice": reciprocal}))
    step = getattr(quotient, "py_func", quotient)
    for x, divisor in ((3.0, 7.0), (-1e-3, 4e5), (float("nan"), 2.0), (float("inf"), 3.0)):
        x, divisor = np.float32(x), np.float32(divisor)
        assert device.quick_quotient(x, divisor) == pytest.approx(step(x, divisor), rel=2**-22, nan_ok=True)
    assert len(asked) == 4


@needs_toolkit
def test_machine_code_is_kept_on_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(device._cache.config, "CACHE_DIR", str(tmp_path))
    from skaud.kernels.cuda_fir import correlate_kernel

    own = device.Kernel(correlate_kernel, "float32", "float32", 1, 8)
    x, size = np.zeros(3, np.float32), np.int32(1)
    types = device.types_of((x, x, x, size, size, size, size))
    first = device.machine_code(own, types, (9, 0))
    assert first[:4] == b"\x7fELF"
    monkeypatch.setattr(device, "ptx", None)  # from here on it must not compile
    assert device.machine_code(own, types, (9, 0)) == first
    with pytest.raises(TypeError):
        device.machine_code(own, types, (8, 0))
