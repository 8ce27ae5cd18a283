"""How fast Osses 2021 is: python -m pytest tests/benchmarks. Y and its units are those of test_carfac.py."""

import subprocess
import sys

import numpy as np
import pytest

from skaud import Osses2021

RATE = 44100
SECOND = (np.random.default_rng(0).standard_normal((1, RATE)) * 0.05).astype(np.float32)


@pytest.fixture
def y_s(sosfilt_s):
    return sosfilt_s(31, RATE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("preset", ["osses2021", "amt"])
def test_features_of_one_signal(benchmark, y_s, record, preset, dtype):
    model = Osses2021.preset(preset, dtype=dtype).fit(SECOND)
    benchmark.pedantic(lambda: model.transform(SECOND), rounds=9, warmup_rounds=1)
    goal = "<= 3" if (preset, dtype) == ("osses2021", "float32") else "-"
    record(f"features of one signal, {preset}, {dtype}", benchmark.stats.stats.min / y_s, "Y", goal)


@pytest.mark.parametrize("output", ["headphone", "filterbank", "hair_cell", "adaptation"])
def test_features_of_a_stage(benchmark, y_s, record, output):
    model = Osses2021(output=output).fit(SECOND)
    benchmark.pedantic(lambda: model.transform(SECOND), rounds=9, warmup_rounds=1)
    record(f"features of one signal, as far as {output}", benchmark.stats.stats.min / y_s, "Y", "-")


def test_features_of_a_batch_of_32(benchmark, y_s, record):
    X = np.repeat(SECOND, 32, axis=0)
    model = Osses2021().fit(X)
    benchmark.pedantic(lambda: model.transform(X), rounds=3, warmup_rounds=1)
    record("features of a batch of 32, per signal", benchmark.stats.stats.min / 32 / y_s, "Y", "<= 1.5")


def test_modulation_at_full_rate(benchmark, y_s, record):
    model = Osses2021().fit(SECOND)
    benchmark.pedantic(lambda: model.simulate(SECOND, "modulation"), rounds=5, warmup_rounds=1)
    record("one signal, modulation at full rate", benchmark.stats.stats.min / y_s, "Y", "-")


@pytest.mark.parametrize("output", ["filterbank", "hair_cell", "adaptation", "modulation"])
def test_forward_and_adjoint(benchmark, y_s, record, output):
    model = Osses2021(output=output).fit(SECOND)
    value_bar = np.ones_like(model.vjp(SECOND)[0])
    benchmark.pedantic(lambda: model.vjp(SECOND)[1](value_bar), rounds=9, warmup_rounds=1)
    goal = "<= 12" if output == "modulation" else "-"
    record(f"forward and adjoint for X, as far as {output}", benchmark.stats.stats.min / y_s, "Y", goal)


def test_forward_and_adjoint_for_everything(benchmark, y_s, record):
    model = Osses2021().fit(SECOND)
    names = ("X", *model.differentiable())
    value_bar = np.ones_like(model.vjp(SECOND)[0])
    benchmark.pedantic(lambda: model.vjp(SECOND, wrt=names)[1](value_bar), rounds=9, warmup_rounds=1)
    record("forward and adjoint for X and all parameters", benchmark.stats.stats.min / y_s, "Y", "<= 12")


PEAK_OF_GRADIENT = """
import re, sys, numpy as np
from pathlib import Path
from skaud import Osses2021
def peak_mib():  # of this process alone: getrusage would tell that of the one it came from
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
def gradient(x):
    model = Osses2021().fit(x)
    value, pullback = model.vjp(x, wrt=("X", *model.differentiable()))
    pullback(np.ones_like(value))
gradient(np.zeros((1, 4410), "float32"))
x = (np.random.default_rng(0).standard_normal((1, int(sys.argv[1]) * 44100)) * 0.05).astype("float32")
before = peak_mib()
gradient(x)
print(peak_mib() - before)
"""


def test_memory_of_gradients(record):
    for seconds in (10, 60):
        done = subprocess.run(
            [sys.executable, "-c", PEAK_OF_GRADIENT, str(seconds)], capture_output=True, text=True, check=True
        )
        record(f"peak memory for all gradients of {seconds} s, beyond X", float(done.stdout), "MiB", "< 1000")


PEAK_MEMORY = """
import sys, tracemalloc, numpy as np
from skaud import Osses2021
x = np.zeros((1, 44100), "float32")
Osses2021().fit(x).transform(x)
x = np.zeros((1, int(sys.argv[1]) * 44100), "float32")
tracemalloc.start()
Osses2021().fit(x).transform(x)
print(tracemalloc.get_traced_memory()[1] / 2**20)
"""


def test_memory_of_features(record):
    for seconds in (6, 600):
        done = subprocess.run(
            [sys.executable, "-c", PEAK_MEMORY, str(seconds)], capture_output=True, text=True, check=True
        )
        record(f"peak memory for the features of {seconds} s, beyond X", float(done.stdout), "MiB", "-")
