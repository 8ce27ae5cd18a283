"""Times of the site's page on performance: `python tests/benchmarks/speeds.py` prints them, `--write` keeps them.

Milliseconds of the processor for a second of sound, one thread, float32, warm, the shortest of several calls in rounds
over all jobs, so that a burst of other work meets one round of each. It takes a minute or two. In
docs/speeds.csv the rows of "side by side" were measured once, on one machine, skaud and the other programs in turns;
they stay. `--write` replaces the rows of skaud alone, with the date, the processor, and the time of the yardstick.
"""

import argparse
import csv
import datetime
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from scipy import signal

from skaud import CARFAC, AuditorySpectrogram, BiomimeticFrontend, Osses2021

TABLE = Path(__file__).parents[2] / "docs" / "speeds.csv"
HEADS = ("job", "program", "CPU ms", "measured")
SIDE_BY_SIDE = "side by side"
ALONE = "skaud, alone"


def sound(rate: float, seconds: float = 1.0, n_signals: int = 1) -> np.ndarray:
    """Noise at 54 dB SPL."""
    x = 0.01 * np.random.default_rng(0).standard_normal((1, round(rate * seconds)))
    return np.repeat(x.astype(np.float32), n_signals, axis=0)


def cpu_ms(call: Callable[[], object], seconds: float, repeats: int = 3) -> float:
    """Shortest time of a call on the processor, for a second of sound, after one to warm up."""
    call()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return 1000 * min(times) / seconds


def with_gradient(model, X, **options) -> Callable[[], object]:
    """Response and adjoint."""
    bar = np.ones_like(model.vjp(X, **options)[0])
    return lambda: model.vjp(X, **options)[1](bar)


def stream(model, X, n_chunk: int) -> Callable[[], None]:
    """All of X, a chunk at a time."""

    def run() -> None:
        state = model.initial_state()
        for begin in range(0, X.shape[1], n_chunk):
            _, state = model.transform_chunk(X[:, begin : begin + n_chunk], state)

    return run


# Job of the table -> what makes its call, and seconds of sound in it.
JOBS: dict[str, tuple[Callable[[], Callable[[], object]], float]] = {
    "CARFAC, NAP at full rate": (lambda: partial(CARFAC(n_jobs=1).fit().simulate, sound(22050), "nap"), 1),
    "CARFAC, batch of 64, in frames": (
        lambda: partial(CARFAC(pooling=None, n_jobs=1).fit().transform, sound(22050, n_signals=64)),
        64,
    ),
    "CARFAC, stream in chunks of 10 ms": (lambda: stream(CARFAC(pooling=None, n_jobs=1).fit(), sound(22050), 220), 1),
    "CARFAC, gradient": (
        lambda: with_gradient(CARFAC(pooling="mean", n_jobs=1).fit(), sound(22050), wrt=("X", "ohc_health")),
        1,
    ),
    "Osses2021, pooled features": (lambda: partial(Osses2021(n_jobs=1).fit().transform, sound(44100)), 1),
    "Osses2021, all responses": (lambda: partial(Osses2021(n_jobs=1).fit().simulate, sound(44100)), 1),
    "Osses2021, gradient (of 0.1 s)": (lambda: with_gradient(Osses2021(n_jobs=1).fit(), sound(44100, 0.1)), 0.1),
    "Auditory spectrogram": (
        lambda: partial(AuditorySpectrogram(pooling=None, n_jobs=1).fit().transform, sound(16000)),
        1,
    ),
    "Spectrogram and 40 STRFs": (
        lambda: partial(BiomimeticFrontend(pooling=None, n_jobs=1).fit().transform, sound(16000)),
        1,
    ),
    "Spectrogram and STRFs, gradient": (
        lambda: with_gradient(BiomimeticFrontend(pooling=None, n_jobs=1).fit(), sound(16000)),
        1,
    ),
    "Features at 16 kHz": (lambda: partial(CARFAC(16000, n_jobs=1).fit().transform, sound(16000)), 1),
}


YARDSTICK = "yardstick"


def yardstick() -> Callable[[], object]:
    """`scipy.signal.sosfilt`, 2 sections, a second of 71 channels at 22.05 kHz."""
    sections = signal.butter(4, [0.1, 0.2], "band", output="sos")[:2]
    return partial(signal.sosfilt, sections, np.random.default_rng(1).standard_normal((71, 22050)), axis=-1)


def measure(n_rounds: int = 4) -> dict[str, float]:
    """Shortest times in ms of all jobs, and of the yardstick."""
    calls = {job: (make(), seconds) for job, (make, seconds) in JOBS.items()} | {YARDSTICK: (yardstick(), 1)}
    found_ms = dict.fromkeys(calls, float("inf"))
    for _ in range(n_rounds):
        for job, (call, seconds) in calls.items():
            found_ms[job] = min(found_ms[job], cpu_ms(call, seconds))
    return found_ms


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def replaced(rows: list[dict], found_ms: dict[str, float], measured: str) -> list[dict]:
    """The table with other times of skaud alone; a job's stand behind its rows of before."""
    kept = [row for row in rows if row["measured"] == SIDE_BY_SIDE]
    jobs = list(dict.fromkeys(row["job"] for row in kept))
    table = []
    for job in jobs:
        table += [row for row in kept if row["job"] == job]
        if job in found_ms:
            table.append(dict(zip(HEADS, (job, ALONE, f"{float(f'{found_ms[job]:.2g}'):g}", measured), strict=True)))
    return table


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"replace the rows of {ALONE!r} in docs/speeds.csv")
    write = parser.parse_args().write
    found_ms = measure()
    print(*(f"{ms:8.2f}  {job}" for job, ms in found_ms.items()), sep="\n")
    measured = f"{datetime.date.today()}, {processor()}, yardstick {found_ms[YARDSTICK]:.0f} ms"
    print(measured)
    if write:
        with TABLE.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        with TABLE.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HEADS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(replaced(rows, found_ms, measured))


if __name__ == "__main__":
    main()
