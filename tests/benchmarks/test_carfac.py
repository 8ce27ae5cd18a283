"""How fast CARFAC is: python -m pytest tests/benchmarks.

Y is the time of scipy.signal.sosfilt with 2 sections over a float64 array of as many channels and samples, on the same
machine in the same run. One thread and float32 unless said otherwise.
"""

import subprocess
import sys

import numpy as np
import pytest
from stopwatch import best_s

from skaud import CARFAC

RATE = 22050
SECOND = (np.random.default_rng(0).standard_normal((1, RATE)) * 0.01).astype(np.float32)


@pytest.fixture
def y_s(sosfilt_s):
    return sosfilt_s(71, RATE)


@pytest.mark.parametrize("ihc_style", ["two_cap", "one_cap", "just_hwr", "two_cap_with_syn"])
def test_one_signal_at_full_rate(benchmark, y_s, record, ihc_style):
    model = CARFAC(RATE, ihc_style=ihc_style).fit(SECOND)

    def simulate():  # and drop the response before the next one is asked for
        model.simulate(SECOND, "nap")

    benchmark.pedantic(simulate, rounds=25, warmup_rounds=2)
    goal = "<= 0.35" if ihc_style == "two_cap" else "-"
    record(f"one signal, NAP at full rate, {ihc_style}", benchmark.stats.stats.min / y_s, "Y", goal)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_signal_in_frames(benchmark, y_s, record, dtype):
    model = CARFAC(RATE, pooling=None, dtype=dtype).fit(SECOND)
    benchmark.pedantic(lambda: model.transform(SECOND), rounds=15, warmup_rounds=2)
    record(f"one signal, 10 ms frames, {dtype}", benchmark.stats.stats.min / y_s, "Y", "-")


def test_batch_of_64_in_frames(benchmark, y_s, record):
    X = np.repeat(SECOND, 64, axis=0)
    model = CARFAC(RATE, pooling=None).fit(X)
    benchmark.pedantic(lambda: model.transform(X), rounds=7, warmup_rounds=1)
    record("batch of 64, 10 ms frames, per signal", benchmark.stats.stats.min / 64 / y_s, "Y", "<= 0.20")


@pytest.mark.parametrize("output", ["nap", "features"])
@pytest.mark.parametrize(("n_signals", "goal"), [(1, "<= 1.5"), (16, "<= 0.8")])
def test_forward_and_adjoint(benchmark, y_s, record, n_signals, goal, output):
    X = np.repeat(SECOND, n_signals, axis=0)
    model = CARFAC(RATE, pooling="mean").fit(X)
    value_bar = np.ones_like(model.vjp(X, output=output)[0])

    def forward_and_adjoint():
        _, pullback = model.vjp(X, wrt=("X", "ohc_health"), output=output)
        pullback(value_bar)

    benchmark.pedantic(forward_and_adjoint, rounds=7, warmup_rounds=1)
    ratio = benchmark.stats.stats.min / n_signals / y_s
    record(f"forward and adjoint, {output}, {n_signals} signals, per signal", ratio, "Y", goal)


def test_two_threads_over_one(benchmark, record):
    X = np.repeat(SECOND, 64, axis=0)
    one, two = (CARFAC(RATE, pooling=None, n_jobs=n_jobs).fit(X) for n_jobs in (1, 2))
    benchmark.pedantic(lambda: two.transform(X), rounds=7, warmup_rounds=1)
    record(
        "two threads, speed over one", best_s(lambda: one.transform(X), 7) / benchmark.stats.stats.min, "x", ">= 1.8"
    )


def test_stream_in_chunks_of_10_ms(benchmark, y_s, record):
    model = CARFAC(RATE, pooling=None).fit(SECOND)
    chunks = [SECOND[:, start : start + 220] for start in range(0, RATE, 220)]

    def stream():
        state = model.initial_state()
        for chunk in chunks:
            _, state = model.transform_chunk(chunk, state)

    benchmark.pedantic(stream, rounds=15, warmup_rounds=2)
    record("stream in chunks of 10 ms, 1 s in all", benchmark.stats.stats.min / y_s, "Y", "<= 0.50")


@pytest.mark.parametrize("rate", [8000, 48000])
def test_other_rates(benchmark, sosfilt_s, record, rate):
    X = (np.random.default_rng(0).standard_normal((1, rate)) * 0.01).astype(np.float32)
    model = CARFAC(rate, pooling=None).fit(X)
    benchmark.pedantic(lambda: model.transform(X), rounds=15, warmup_rounds=2)
    ratio = benchmark.stats.stats.min / sosfilt_s(model.n_channels_, rate)
    record(f"one signal at {rate} Hz, 10 ms frames", ratio, "Y", "-")


def test_duration_counts_once(record):
    model = CARFAC(RATE, pooling=None).fit(SECOND)
    short, long = (np.tile(SECOND, (1, seconds)) for seconds in (10, 600))
    ratio = best_s(lambda: model.simulate(SECOND, "nap"), 1)  # warm
    ratio = best_s(lambda: CARFAC(RATE).fit(long).transform(long), 2) / best_s(
        lambda: CARFAC(RATE).fit(short).transform(short), 5
    )
    record("time of 10 min over 60 times that of 10 s", ratio / 60, "x", "~ 1")


FIRST_CALL = """
import time, numpy as np
from skaud import CARFAC
x = np.zeros((1, 22050), "float32")
start = time.perf_counter()
CARFAC(22050).fit(x).transform(x)
print(time.perf_counter() - start)
"""
PEAK_MEMORY = """
import tracemalloc, numpy as np
from skaud import CARFAC
x = np.zeros((1, 22050), "float32")
CARFAC(22050).fit(x).transform(x)
tracemalloc.start()
x = np.zeros((1, 600 * 22050), "float32")
CARFAC(22050).fit(x).transform(x)
print(tracemalloc.get_traced_memory()[1] / 2**20)
"""
IMPORT = """
import time, numpy, sklearn.base
start = time.perf_counter()
import skaud
print(time.perf_counter() - start)
"""


@pytest.mark.parametrize(
    ("name", "code", "unit", "goal"),
    [
        ("first call in a new process, warm cache", FIRST_CALL, "s", "<= 1"),
        ("peak memory for the features of 10 min, input included", PEAK_MEMORY, "MiB", "< 300"),
        ("import skaud, beyond numpy and scikit-learn", IMPORT, "s", "< 0.3"),
    ],
)
def test_in_a_new_process(record, name, code, unit, goal):
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    record(name, min(float(run) for run in runs), unit, goal)
