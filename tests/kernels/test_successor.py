"""Kernels as numba-cuda's successor takes them, where it is installed; it is slow."""

import re
from importlib.util import find_spec

import numpy as np
import pytest
from machine_code import cases, launch_of

from skaud.kernels import device
from skaud.kernels.pointwise import exponential, quotient, real_part

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("numba_cuda_mlir") is None, reason="pip install numba-cuda-mlir, which brings CUDA 13"
    ),
]
CASES = {case.name: case for case in cases()}
# Every function that makes kernels, hair cell and kind of a part, forwards and backwards.
NAMES = [
    name
    for name in CASES
    if "float64" not in name and "backwards by X" not in name and "Osses" not in name and "Dau" not in name
]


def numba_type(types, of):
    """As `skaud.kernels.device._numba_type`, of another library's types."""
    if isinstance(of, str):
        name = of.removesuffix("*")
        return types.CPointer(getattr(types, name)) if of != name else getattr(types, name)
    kind, own = of
    inner = [numba_type(types, entry) for entry in own]
    if hasattr(kind, "_fields"):
        return types.NamedTuple(inner, kind) if len(set(inner)) > 1 else types.NamedUniTuple(inner[0], len(inner), kind)
    return types.UniTuple(inner[0], len(inner)) if len(set(inner)) == 1 else types.Tuple(inner)


@pytest.mark.parametrize("name", NAMES)
def test_the_successor_compiles_a_kernel(name, monkeypatch):
    from numba_cuda_mlir import cuda, tools
    from numba_cuda_mlir.numba_cuda import types

    monkeypatch.setattr(tools, "_cached_cc", (9, 0))  # it asks a driver, where there is none

    def wrap(function):
        return cuda.jit(device=True)(function)

    launch, copies = launch_of(CASES[name]), {}
    others = [(device.cuda, cuda), (np, device._real_numpy), (real_part, wrap(device.itself))]
    others += [(exponential, wrap(device.quick_exponential))]
    others += [(quotient, wrap(device.copy_for(others, device.quick_quotient, wrap, copies)))]
    function = device.copy_for(others, launch.own.function, wrap, copies)
    signature = types.void(*(numba_type(types, of) for of in device.types_of(launch.arguments)))
    text = cuda.compile_ptx(function, signature, cc=(9, 0))[0]
    assert len(re.findall(r"\.entry\b", text)) == 1
