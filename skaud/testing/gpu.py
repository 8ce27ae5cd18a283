"""What a GPU computes, beside the CPU: `python -m skaud.testing gpu` on a machine that has one."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from skaud import CARFAC, Dau1997, King2019, Osses2021
from skaud.kernels import device
from skaud.kernels.array_api import to_numpy

LIMITS = {"float32": 1e-4, "float64": 1e-10}  # of the largest number; single precision rounds in another order
N_SAMPLES = 2000
BATCHES = (1, 64, 1024, 4096)
# Models by name; those of CARFAC differ in their kernels.
MODELS: dict[str, Callable[..., Any]] = {
    "CARFAC just_hwr": lambda **own: CARFAC(ihc_style="just_hwr", **own),
    "CARFAC one_cap": lambda **own: CARFAC(ihc_style="one_cap", **own),
    "CARFAC two_cap": CARFAC,
    "CARFAC two_cap_with_syn": lambda **own: CARFAC(ihc_style="two_cap_with_syn", **own),
    "CARFAC, delay": lambda **own: CARFAC(use_delay_buffer=True, **own),
    "CARFAC, open loop": lambda **own: CARFAC(open_loop=True, **own),
    "Osses2021": Osses2021,
    "Dau1997": Dau1997,
    "King2019": King2019,
}
TIMED = ("CARFAC two_cap", "Osses2021")


class Check(NamedTuple):
    """A claim and how near it came; passed where the error is at most the limit."""

    claim: str
    error: float
    limit: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it holds; NaN does not."""
        return bool(self.error <= self.limit)


class Timing(NamedTuple):
    """Milliseconds for a batch of signals of a second, and how many times faster than real time that is."""

    model: str
    n_signals: int
    gpu_ms: float
    times_real_time: float
    cpu_ms: float


def difference(found: Any, expected: Any) -> float:
    """Largest difference, as a part of the largest number."""
    own, other = to_numpy(found) if not isinstance(found, np.ndarray) else found, np.asarray(expected)
    if own.shape != other.shape:
        return float("nan")
    return float(np.abs(own - other).max() / (np.abs(other).max() or 1.0))


def sounds(n_signals: int, n_samples: int, dtype: str, n_ears: int = 1) -> np.ndarray:
    """Noise at about 60 dB SPL, whose level changes."""
    random = np.random.default_rng(0)
    x = random.standard_normal((n_signals, n_ears, n_samples)) * np.linspace(0.01, 0.03, n_samples)
    return (x if n_ears > 1 else x[:, 0]).astype(dtype)


def check_models(names: Sequence[str] = tuple(MODELS), n_samples: int = N_SAMPLES, **settings: Any) -> Iterator[Check]:
    """Responses and derivatives of every model, in both precisions, with one ear and with two."""
    for name in names:
        for dtype, limit in LIMITS.items():
            for n_ears in (1, 2):
                x = sounds(2, n_samples, dtype, n_ears)
                model = MODELS[name](dtype=dtype, pooling=None, **settings).fit(x)
                what = f"{name}, {dtype}, {n_ears} {'ears' if n_ears > 1 else 'ear'}"
                value, pull_back = model.vjp(x)
                found, pull_back_there = model.vjp(device.to_device(x))
                yield Check(f"{what}: frames", difference(found, value), limit)
                bar = np.random.default_rng(1).standard_normal(value.shape).astype(dtype)
                bars, there = pull_back(bar), pull_back_there(device.to_device(bar))
                yield Check(f"{what}: derivatives by X", difference(there["X"], bars["X"]), 10 * limit)
                own = [(np.ravel(there[key]), np.ravel(bars[key])) for key in bars if key != "X"]
                errors = [difference(found, expected) for found, expected in own if np.abs(expected).max() > 0]
                yield Check(f"{what}: derivatives by parameters", max(errors, default=0.0), 100 * limit)
                again = pull_back_there(device.to_device(bar))
                same = all(np.array_equal(np.asarray(again[key]), np.asarray(there[key])) for key in bars if key != "X")
                yield Check(f"{what}: the same bits again", 0.0 if same else 1.0, 0.0)


def check_stream(n_samples: int = N_SAMPLES, **settings: Any) -> Check:
    """A run on a stream that does not wait for the default one."""
    x = sounds(2, n_samples, "float64")
    model = CARFAC(pooling=None, dtype="float64", **settings).fit(x)
    with device.another_stream():
        found = to_numpy(model.transform(device.to_device(x)))
    return Check("another stream than the default one", difference(found, model.transform(x)), LIMITS["float64"])


def check_memory() -> Check:
    """A batch that no device holds is refused by name, with how many fit."""
    x = sounds(1, 20_000, "float32")
    model = CARFAC().fit(x)
    many = np.broadcast_to(x, (400_000, x.shape[1]))
    try:
        model.simulate(device.to_device(many[:20_000]), "bm")
    except MemoryError as error:
        return Check("out of memory is named", 0.0 if "a call" in str(error) else 1.0, 0.0, str(error))
    return Check("out of memory is named", 0.0, 0.0, "20,000 signals fitted, nothing to name")


def time_batches(names: Sequence[str] = TIMED, batches: Sequence[int] = BATCHES, **settings: Any) -> Iterator[Timing]:
    """Features of batches of signals of a second; the CPU's times are those of one signal, times their number."""
    for name in names:
        model = MODELS[name](**settings)
        x = sounds(1, int(model.sample_rate), "float32")
        model.fit(x)
        model.transform(x)
        begin = perf_counter()
        model.transform(x)
        cpu_ms = (perf_counter() - begin) * 1e3
        for n_signals in batches:
            many = device.to_device(np.repeat(x, n_signals, axis=0))
            model.transform(many)  # compiles
            device.synchronize()
            begin = perf_counter()
            model.transform(many)
            device.synchronize()
            gpu_ms = (perf_counter() - begin) * 1e3
            yield Timing(name, n_signals, gpu_ms, n_signals * 1e3 / gpu_ms, n_signals * cpu_ms)


def measure_gpu(about: dict[str, str], tell: Callable[[str], None] = print) -> dict[str, Any]:
    """Everything; a dictionary that JSON can hold, whose "passed" is the verdict."""
    for key, value in about.items():
        tell(f"{key}: {value}")
    checks = []
    for check in [*check_models(), check_stream(), check_memory()]:
        checks.append(check)
        tell(f"{'passed' if check.passed else 'FAILED'}  {check.error:8.1e} <= {check.limit:.0e}  {check.claim}")
    timings = []
    for timing in time_batches():
        timings.append(timing)
        tell(
            f"{timing.model}, {timing.n_signals} signals of 1 s: {timing.gpu_ms:.1f} ms, {timing.times_real_time:.0f} "
            f"times real time; one core of the CPU {timing.cpu_ms:.1f} ms"
        )
    return {
        "about": about,
        "checks": [check._asdict() | {"passed": check.passed} for check in checks],
        "timings": [timing._asdict() for timing in timings],
        "passed": all(check.passed for check in checks),
    }
