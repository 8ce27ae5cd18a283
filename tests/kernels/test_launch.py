"""Launches: on the device of the arrays, on their library's stream, of arguments that machine code can take."""

from typing import NamedTuple

import cupy_stand_in
import numpy as np
import pytest
from cupy_stand_in import launches

from skaud import CARFAC
from skaud.engines.carfac_cuda import CascadeOnDevice
from skaud.kernels import device


class Pair(NamedTuple):
    """Arguments that belong together."""

    first: object
    second: object


def make_nothing():
    def kernel(x, pair, n):
        pass

    return kernel


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A device whose kernels are compiled to their types."""
    cupy_stand_in.install(monkeypatch, stream=7)
    monkeypatch.setattr(device, "machine_code", lambda own, types, capability: (own.name, types, capability))
    device._loaded.cache_clear()
    launches.clear()
    yield
    device._loaded.cache_clear()


def on(values, number):
    return cupy_stand_in.ndarray(values, number)


@pytest.mark.parametrize("number", [0, 1])
def test_a_kernel_runs_on_the_device_and_the_stream_of_its_arrays(number):
    x, y = on(np.zeros((2, 3), np.float32), number), on(np.zeros(4, np.int32), number)
    device.kernel(make_nothing)(5, (32, 2), x, Pair(y, np.int32(3)), np.float32(0.5))
    ((own, stream, grid, block, arguments, (code, entry)),) = launches
    assert (own, stream, grid, block, entry) == (number, 7, (5, 1, 1), (32, 2, 1), device.ENTRY)
    assert [type(value) for value in arguments] == [type(x), type(y), np.int32, np.float32]  # flat
    assert [value.number for value in arguments[:2]] == [number, number]
    assert code[1] == ("float32*", (Pair, ("int32*", "int32")), "float32")
    assert code[2] == (9, 0)
    assert cupy_stand_in.current == [0]
    assert cupy_stand_in.Stream.now == 0


def test_a_kernel_is_loaded_once_a_device_and_its_types():
    for number, dtype in [(0, "float32"), (0, "float32"), (1, "float32"), (0, "float64")]:
        device.kernel(make_nothing)(1, (32, 1), on(np.zeros(2, dtype), number))
    assert device._loaded.cache_info().misses == 3


def test_nothing_is_launched_for_no_signals():
    device.kernel(make_nothing)(0, (32, 1), on(np.zeros(0, np.float32), 0))
    assert not launches


@pytest.mark.parametrize("style", ["two_cap", "two_cap_with_syn"])
def test_all_that_an_engine_launches_is_contiguous_and_of_types_of_a_device(style):
    model = CARFAC(8000, erb_per_step=2.0, ihc_style=style).fit()
    engine, x = CascadeOnDevice(model.engine_), on(np.zeros((3, 1, 100), np.float32), 1)
    with cupy_stand_in.Device(1):
        engine.run(x, engine.start(3, 1), ("nap",), 10)
        response, tape = engine.record(x, "nap", 10)
        engine.pull_back(tape, response, engine.parts)
    assert len(launches) == 3
    for own, stream, _, block, arguments, _ in launches:
        assert (own, stream) == (1, 7)
        assert block[0] * block[1] <= 1024
        for value in arguments:
            assert isinstance(value, (np.generic, cupy_stand_in.ndarray))
            if not isinstance(value, np.generic):
                assert value.number == 1
                assert value.flags.c_contiguous
