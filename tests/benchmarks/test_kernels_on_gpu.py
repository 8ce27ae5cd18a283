"""How long kernels alone take on a GPU: python -m pytest tests/benchmarks/test_kernels_on_gpu.py, a few minutes.

Batches of noise of a second. The kernels of a run forwards and of the way back, each between two events of the stream;
the shortest of three, after one that compiles. A gradient is both.
"""

from collections import Counter

import numpy as np
import pytest

from skaud.kernels import device
from skaud.testing import gpu

try:
    import cupy

    cupy.cuda.runtime.getDeviceCount()
except Exception as error:  # whatever a library says that finds no driver
    pytest.skip(f"there is no GPU with cupy: {type(error).__name__}", allow_module_level=True)

BATCHES = 1, 1024, 4096
N_RUNS = 3


def milliseconds_of_kernels(run, monkeypatch):
    """Of the kernels that a run launches, by the name of what makes them."""
    launch, events = device.launch, []

    def timed(kernel, *arguments):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        launch(kernel, *arguments)
        end.record()
        events.append((kernel.name.rsplit(".", 1)[-1], begin, end))

    with monkeypatch.context() as patch:
        patch.setattr(device, "launch", timed)
        run()
    device.synchronize()
    taken = Counter()
    for name, begin, end in events:
        taken[name] += cupy.cuda.get_elapsed_time(begin, end)
    return taken


@pytest.mark.parametrize("n_signals", BATCHES)
@pytest.mark.parametrize("name", ["CARFAC two_cap", "Osses2021", "King2019", "Dau1997"])
def test_kernels_forwards_and_backwards(name, n_signals, record, monkeypatch):
    model = gpu.MODELS[name]()
    x = gpu.sounds(1, int(model.sample_rate), "float32")
    model.fit(x)
    many = device.to_device(np.repeat(x, n_signals, axis=0))

    def differentiate(wrt):
        value, pull_back = model.vjp(many, wrt=wrt)
        pull_back(value)

    for what, wrt in (("by X", "X"), ("by all", None)):
        differentiate(wrt)  # compiles
        taken = [milliseconds_of_kernels(lambda wrt=wrt: differentiate(wrt), monkeypatch) for _ in range(N_RUNS)]
        forwards, backwards = (min(own[kernel] for own in taken) for kernel in ("run_kernel", "reverse_kernel"))
        record(f"{name}, {n_signals} signals, forwards with checkpoints", forwards, "ms", "-")
        record(f"{name}, {n_signals} signals, backwards {what}", backwards, "ms", "-")
        record(f"{name}, {n_signals} signals, gradient {what}", 1 + backwards / forwards, "runs", "<= 4")
