"""What kernels for a GPU are made of."""

import numpy as np
import pytest

from skaud import CARFAC, King2019, Osses2021
from skaud.engines.carfac import Cascade
from skaud.engines.carfac_cuda import CascadeOnDevice
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.kernels import device
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
