"""What kernels for a GPU are made of."""

from types import SimpleNamespace

import numpy as np
import pytest

from skaud import CARFAC, King2019, Osses2021
from skaud.engines.carfac import Cascade
from skaud.engines.carfac_cuda import CascadeOnDevice
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.kernels import device
from skaud.kernels.cuda_fir import correlate_kernel
from skaud.kernels.pointwise import real_part

MODELS = {
    "CARFAC just_hwr": CARFAC(22050, ihc_style="just_hwr"),
    "CARFAC two_cap_with_syn": CARFAC(22050, ihc_style="two_cap_with_syn"),
    "Osses2021": Osses2021(),
    "King2019": King2019(),
}


def on_device(model):
    engine = model.fit().engine_
    if isinstance(engine, Cascade):
        return CascadeOnDevice(engine)
    return ChainOnDevice(next(own for own in engine.engines if isinstance(own, Chain)))


@pytest.mark.parametrize("name", MODELS)
def test_no_function_of_a_device_asks_a_real_number_for_its_real_part(name, monkeypatch):
    launched = []
    monkeypatch.setattr(device, "launch", lambda own, *_: launched.append(own))
    engine = on_device(MODELS[name])
    output = "nap" if "nap" in engine.outputs else engine.outputs[-1]
    response, tape = engine.record(np.zeros((1, 1, 200), engine.dtype), output, 100)
    engine.pull_back(tape, np.zeros_like(response), engine.parts)
    assert len(launched) == 2
    for own in launched:
        functions = {own.function: None}
        device.copy_for([(device.cuda, None), (real_part, device.itself)], own.function, lambda copy: copy, functions)
        assert len(functions) > 10
        assert [function.__qualname__ for function in functions if "real" in function.__code__.co_names] == []


@pytest.mark.parametrize(
    ("said", "kind"), [("module 'numpy' has no attribute 'row_stack'", ImportError), ("no", AttributeError)]
)
def test_a_compiler_that_does_not_know_this_numpy_is_named(said, kind, monkeypatch):
    def compile(*_, **__):
        raise AttributeError(said)

    compiler = SimpleNamespace(compile=compile, jit=lambda **_: lambda function: function)
    monkeypatch.setattr(device, "_compiler", lambda: compiler)
    monkeypatch.setattr(device, "_memory_adds", lambda: None)
    monkeypatch.setattr(device, "_compiler_version", lambda: "0.30.4")
    with pytest.raises(kind, match=r"does not know NumPy .*: pip install 'numpy<2.5'" if kind is ImportError else "no"):
        device.ptx(device.Kernel(correlate_kernel, "float64", "float64", 1, 8), (), (9, 0))
