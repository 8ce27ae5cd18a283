"""Every kernel, barrier and shuffle of the package, found in its source, has its turn in the lockstep emulator."""

import ast
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from lockstep import LockstepError
from on_emulator import DTYPES, LIMIT, LOOPS, STYLES, cascades, sound

import skaud
from skaud.engines import fir_cuda
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.engines.fir import Fir
from skaud.kernels import device
from skaud.kernels.chain.adaptation import Loop
from skaud.kernels.chain.kind import Part
from skaud.kernels.chain.modulation import LinearFilter

pytestmark = pytest.mark.usefixtures("emulator", "small_blocks")
PACKAGE = Path(skaud.__file__).parent
MODULES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
# What a thread asks of its device by itself; all else is asked of other threads.
ALONE = {"threadIdx", "blockIdx", "blockDim", "gridDim", "local", "shared"}
ORDERS = 10


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(fir_cuda, "THREADS", 8)


def places_in_source():
    """(file, line) of all barriers and shuffles."""
    found = []
    for name, tree in MODULES.items():
        imports = (own for own in ast.walk(tree) if isinstance(own, ast.ImportFrom) and own.module == device.__name__)
        known = {alias.asname or alias.name for own in imports for alias in own.names if alias.name == "cuda"}
        for own in ast.walk(tree):
            if isinstance(own, ast.Attribute) and isinstance(own.value, ast.Name) and own.value.id in known:
                found += [(name, own.lineno)] if own.attr not in ALONE else []
    assert max(Counter(found).values()) == 1, "one a line, since a line is what is left out"
    return set(found)


def makers_in_source():
    """Makers of all kernels that are launched."""
    found = set()
    for name in MODULES:
        if name != "kernels/device.py" and any(word in (PACKAGE / name).read_text() for word in ("kernel(", "Kernel(")):
            known = vars(import_module(f"skaud.{name.removesuffix('.py').replace('/', '.')}"))
            ours = {own for own, value in known.items() if value is device.kernel or value is device.Kernel}
            ours |= {f"{own}.{of}" for own, value in known.items() if value is device for of in ("kernel", "Kernel")}
            for own in ast.walk(MODULES[name]):
                if isinstance(own, ast.Call) and ast.unparse(own.func) in ours:
                    found.add(eval(ast.unparse(own.args[0]), dict(known)))
    return found


def chains(dtype, **settings):
    parts = [
        Part("loop", Loop, np.full((2, 5, 1), 0.2), np.full((2, 5, 1), 0.7)),
        Part("filter", LinearFilter, np.full((1, 5, 6), -0.2), None, (1,) * 5),
    ]
    host = Chain(parts, 5, dtype, takes_channels=False)
    return host, ChainOnDevice(host)


def firs(dtype, **settings):
    host = Fir("filter", np.arange(20.0), 2, dtype)
    return host, fir_cuda.FirOnDevice(host)


ENGINES = {
    "CARFAC": lambda dtype, **settings: cascades(2, dtype, **settings),
    "CARFAC with delay": lambda dtype, **settings: cascades(2, dtype, **settings, **LOOPS["delay"]),
    "chain": chains,
    "FIR": firs,
}
N_SAMPLES = 16  # some segments, one of which ends with an update of the AGC


def to_try(engine, *, backwards, by_all=True):
    """What launches a kernel, and returns the numbers that it gives."""
    x, output = sound(1, 2, N_SAMPLES, engine.dtype) ** 2 + 1, engine.outputs[-1]
    if not backwards:
        return lambda: list(engine.whole(x, (output,), None).values())
    response, tape = engine.record(x, output, None)
    bar = np.random.default_rng(1).standard_normal(response.shape).astype(response.dtype)

    def pull_back():
        x_bar, bars = engine.pull_back(tape, bar, engine.parts if by_all else ())
        if not by_all:
            return [x_bar]
        return [x_bar, *(own * (other != 0) for own, other in zip(bars, engine.coefficients(), strict=True))]

    return pull_back


def are_same(found, expected, limit=0.0):
    """Within a limit, of the largest, or to the bit; a NaN is not."""
    return all(
        np.abs(own - other).max(initial=0) <= limit * np.abs(other).max(initial=0)
        for own, other in zip(found, expected, strict=True)
    )


@pytest.mark.usefixtures("cpu")
def test_every_kernel_that_is_launched_gives_what_the_cpu_does_in_both_precisions(emulator):
    for dtype in DTYPES:
        for make in ENGINES.values():
            for backwards in (False, True):
                expected, found = (to_try(engine, backwards=backwards)() for engine in make(dtype))
                assert are_same(found, expected, LIMIT[dtype]), (make, dtype, backwards)
    assert emulator.ran == {(make, dtype) for make in makers_in_source() for dtype in DTYPES}


def shows(emulator, run, expected):
    """Whether what is left out changes a bit, or lets threads wait for ever, in some order in which they take turns."""
    for order in range(ORDERS):
        emulator.random.seed(order)
        try:
            if not are_same(run(), expected):
                return True
        except LockstepError:
            return True
    return False


DIRECTIONS = {
    "forwards": {"backwards": False},
    "by all": {"backwards": True},
    "by x": {"backwards": True, "by_all": False},
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_barrier_and_shuffle_in_the_source_is_missed_where_it_is_left_out(dtype, emulator):
    tried = set()
    for name, make in ENGINES.items():
        for i, options in enumerate(DIRECTIONS.values()):
            run = to_try(make(dtype, ihc_style=STYLES[i])[1], **options)
            emulator.places.clear()
            expected = run()
            places = sorted(emulator.places)
            for emulator.left_out in places:
                assert shows(emulator, run, expected), (name, options, emulator.left_out)
            emulator.left_out = None
            tried |= set(places)
    assert tried == places_in_source()
