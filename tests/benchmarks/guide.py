"""Times and memory that the guide tells: `python tests/benchmarks/guide.py` prints them, `--write` keeps them.

Tables go into docs/measured, where the site takes them from: observer (what an observer costs), audiograms (fits to
them), steps (of learning by the biomimetic front end), memory (of pooled features). Times are of the processor, one
thread, float32, warm, the shortest of several calls; memory is the peak that stays in a process of its own. All of it
takes a few minutes, some tables by name less.
"""

import argparse
import csv
import datetime
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from speeds import cpu_ms, processor, sound

from skaud import CARFAC, Audiogram, BiomimeticFrontend, Dau1997, TemplateObserver, datasets
from skaud.psychoacoustics import adaptive_track, calibrated_noise_variance, make_trials

FOLDER = Path(__file__).parents[2] / "docs" / "measured"
COMMAND = "python tests/benchmarks/guide.py --write"
Table = list[list[str]]  # heads, then rows


def shown(ms: float) -> str:
    """A time to two digits, in ms or s."""
    ms = float(f"{ms:.2g}")
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


# --- what an observer costs ---


def one_channel(hz: float, rate: float = 22050) -> Dau1997:
    """Model of one channel, in frames of 5 ms."""
    return Dau1997(rate, low_hz=hz, high_hz=hz, pooling=None, frame_length=0.005, n_jobs=1)


def make_trial(depth_db: float, random_state: object) -> np.ndarray:
    """Noise of 31 Hz at 5 kHz, the first of three intervals of 1 s modulated at 10 Hz."""
    depths, band_hz = [10 ** (depth_db / 20), 0, 0], (4984.5, 5015.5)
    return datasets.make_am_noise(10, depths, 1.0, 22050, 65, random_state=random_state, band_hz=band_hz, ramp_s=0.2)


def observer() -> Table:
    """Intervals of 1 s, a template, a threshold."""
    models = {
        "an interval of 1 s, one channel, 22.05 kHz": one_channel(5000),
        "an interval of 1 s, one channel, 44.1 kHz": one_channel(5000, 44100),
        "an interval of 1 s, 31 channels, 44.1 kHz": Dau1997(44100, pooling=None, frame_length=0.005, n_jobs=1),
    }
    rows = []
    for name, model in models.items():
        X = sound(model.sample_rate)
        fitted = model.fit(X)
        rows.append([name, shown(cpu_ms(lambda fitted=fitted, X=X: fitted.transform(X), 1, 7))])
    own = TemplateObserver(one_channel(5000), internal_noise_variance=calibrated_noise_variance(one_channel(1000)))

    def template() -> TemplateObserver:
        return own.fit(*make_trials(make_trial, 0, 50, random_state=1))

    rows.append(["a template of 50 trials, one channel, 22.05 kHz", shown(cpu_ms(template, 1, 2))])
    start = time.process_time()
    found = adaptive_track(own, make_trial, -2, highest=0, random_state=2)
    spent = time.process_time() - start
    n_trials = sum(len(track.levels) for track in found.tracks)
    rows.append(["a threshold of four tracks, one channel, 22.05 kHz", shown(1000 * spent)])
    rows.append(["trials of these four tracks", str(n_trials)])
    return [["", "takes"], *rows]


# --- fits to audiograms ---


def audiograms() -> Table:
    """Seconds and iterations of fits to five of Bisgaard's audiograms, at two rates."""
    silence = np.zeros((1, 100))
    rows = []
    for name in ("N1", "N2", "N3", "S1", "S2"):
        row = [name]
        for rate in (22050, 48000):
            model = CARFAC(rate, audiogram=Audiogram.standard(name), n_jobs=1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of losses beyond the reach
                seconds = cpu_ms(lambda model=model: model.fit(silence), 1) / 1000
            row += [f"{seconds:.1f}", str(model.n_iter_)]
        rows.append(row)
    heads = [f"{what} at {rate} kHz" for rate in ("22.05", "48") for what in ("seconds", "iterations")]
    return [["audiogram", *heads], *rows]


# --- a step of learning ---


def steps() -> Table:
    """Forwards, and back to the parameters, for a second of sound in a batch of 8."""
    model, X = BiomimeticFrontend(pooling=None, n_jobs=1).fit(), sound(16000, n_signals=8)
    cortical = ("scales_cycles_per_octave", "rates_hz")
    bar = np.ones_like(model.transform(X))
    jobs = {
        "all parameters": lambda: model.vjp(X, wrt=model.differentiable())[1](bar),
        "scales and rates": lambda: model.vjp(X, wrt=cortical)[1](bar),
        "nothing, forward alone": lambda: model.transform(X),
    }
    return [["learned", "takes"], *([name, shown(cpu_ms(job, 8, 5))] for name, job in jobs.items())]


# --- memory of pooled features ---

PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from skaud import CARFAC, BiomimeticFrontend, Osses2021

def peak_mib():  # of this process alone: getrusage would tell that of the one it came from
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

pooling = ("mean", "std")
models = {
    "CARFAC": CARFAC(pooling=pooling, n_jobs=1),
    "Osses2021": Osses2021(pooling=pooling, n_jobs=1),
    "BiomimeticFrontend": BiomimeticFrontend(pooling=pooling, n_jobs=1),
}
model = models[sys.argv[1]]
warm = np.zeros(round(2 * model.sample_rate), "float32")
model.fit_transform([warm])
before = peak_mib()
rng = np.random.default_rng(0)
X = np.empty((1, round(60 * int(sys.argv[2]) * model.sample_rate)), "float32")
for start in range(0, X.shape[1], 50000):
    X[0, start : start + 50000] = 0.01 * rng.standard_normal(X[0, start : start + 50000].size)
sound_mib = X.nbytes / 2**20
model.transform(list(X))
print(peak_mib() - before - sound_mib)
"""


def peak_mib(name: str, minutes: int) -> float:
    """Most memory that features of so long a sound take beyond the sound, the process warm."""
    done = subprocess.run([sys.executable, "-c", PEAK, name, str(minutes)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def memory() -> Table:
    """Mean and standard deviation of one signal in frames of 10 ms (5 ms)."""
    lengths = {"CARFAC": (1, 10, 30), "Osses2021": (1, 10, 30), "BiomimeticFrontend": (1, 10)}
    rows = [
        [name, *(f"{peak_mib(name, minutes):.0f} MiB" if minutes in own else "" for minutes in (1, 10, 30))]
        for name, own in lengths.items()
    ]
    return [["model", "1 min", "10 min", "30 min"], *rows]


TABLES = {make.__name__: make for make in (observer, audiograms, steps, memory)}


def write(path: Path, table: Table) -> None:
    """Keep a table, below a line on how it was measured."""
    when = f"{datetime.date.today()}, {re.sub(' +', ' ', processor())}"
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {COMMAND} {path.stem}; {when}\n")
        csv.writer(file, lineterminator="\n").writerows(table)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("tables", nargs="*", default=[*TABLES], help=f"some of {', '.join(TABLES)}; all without")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/measured")
    arguments = parser.parse_args()
    unknown = set(arguments.tables) - set(TABLES)
    if unknown:
        parser.error(f"{', '.join(unknown)} is none of {', '.join(TABLES)}")
    for name in arguments.tables:
        table = TABLES[name]()
        print(name, *(" | ".join(row) for row in table), "", sep="\n", flush=True)
        if arguments.write:
            write(FOLDER / f"{name}.csv", table)


if __name__ == "__main__":
    main()
