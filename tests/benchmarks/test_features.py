"""What `skaud features` costs: python -m pytest tests/benchmarks/test_features.py.

Seconds are of the processor, of processes of their own with kernels compiled; on the digits of ../shared/data.
"""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

AUDIO = Path(__file__).parents[3] / "shared" / "data" / "digits" / "audio"
THREADS = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
# What cannot be saved: every file read, and the kernel run over it.
FLOOR = """
import sys, time
from pathlib import Path
from skaud import CARFAC, audio
from skaud.engines.engine import respond
model = CARFAC(8000).fit()
model.transform([audio.read(next(Path(sys.argv[1]).rglob("*.flac"))).samples])
begin = time.process_time()
for path in Path(sys.argv[1]).rglob("*.flac"):
    respond(model.engine_, audio.read(path).samples[None, None], ("nap",), model.frame_samples())
print(time.process_time() - begin)
"""


def cpu_s(*words):
    """Seconds of the processor that a process takes, and its largest memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, capture_output=True, env=os.environ | THREADS)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory_mb(words, every_s=0.2):
    """Memory of a process while it runs, in MB, and the seconds of the processor that it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(words, env=os.environ | THREADS, stderr=subprocess.DEVNULL)
    found = []
    while process.poll() is None:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")]
        time.sleep(every_s)
    assert process.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def features(source, output, *words):
    return (sys.executable, "-m", "skaud", "features", str(source), "-o", str(output), "--overwrite", *words)


@pytest.mark.skipif(not AUDIO.is_dir(), reason=f"needs {AUDIO}")
def test_short_files(record, tmp_path):
    run = ("--jobs", "1", "--sample-rate", "8000")
    one = next(AUDIO.rglob("*.flac"))
    start, floor, imports = [], [], []
    for _ in range(3):
        start.append(cpu_s(*features(one, tmp_path / "x.npz", *run)))
        imports.append(cpu_s(sys.executable, "-c", "import sklearn.base, numba"))
        said = subprocess.run([sys.executable, "-c", FLOOR, str(AUDIO)], check=True, capture_output=True, text=True,
                              env=os.environ | THREADS)  # fmt: skip
        floor.append(float(said.stdout))
    for suffix in ("npz", "csv", "parquet"):
        whole = min(cpu_s(*features(AUDIO, tmp_path / f"x.{suffix}", *run)) for _ in range(3)) - min(start)
        record(f"3000 files to {suffix}, over reading them and the kernel", whole / min(floor), "", "<= 1.3")
    record("start-up, with one file", min(start), "s", "< 0.8")
    record("start-up, over importing scikit-learn and numba", min(start) / min(imports), "", "< 1")


def wall_s(*words):
    """Seconds by the clock that a process takes."""
    begin_s = time.monotonic()
    subprocess.run(words, check=True, capture_output=True, env=os.environ | THREADS)
    return time.monotonic() - begin_s


@pytest.mark.skipif(not AUDIO.is_dir(), reason=f"needs {AUDIO}")
@pytest.mark.parametrize("words", [("--model", "carfac"), ("--recipe", "best")], ids=" ".join)
def test_two_workers(record, tmp_path, words):
    """By the clock, behind the start: on a machine that does nothing else."""
    one = next(AUDIO.rglob("*.flac"))
    times = {"start": [], "1": [], "2": []}
    for _ in range(3):
        times["start"].append(wall_s(*features(one, tmp_path / "x.parquet", *words)))
        for jobs in "12":
            times[jobs].append(wall_s(*features(AUDIO, tmp_path / "x.parquet", "--jobs", jobs, *words)))
    start, alone, together = (min(own) for own in times.values())
    own = " ".join(words)
    record(f"{own}: how much faster two processes are than one", (alone - start) / (together - start), "", ">= 1.9")
    record(f"{own}: 3000 files by two processes", together, "s", "-")


@pytest.mark.skipif(not AUDIO.is_dir(), reason=f"needs {AUDIO}")
@pytest.mark.parametrize("words", [("--model", "carfac"), ("--recipe", "best")], ids=" ".join)
def test_ten_thousand_files(record, tmp_path, words):
    digits = sorted(AUDIO.rglob("*.flac"))
    for i in range(10_000):  # copies, so that every file is read from a place of its own
        folder = tmp_path / "in" / f"{i % 100:02}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(digits[i % len(digits)], folder / f"{i:05}.flac")
    run = ("--jobs", "1", "--quiet", *words)
    _, start_s = memory_mb(features(digits[0], tmp_path / "x.parquet", *run))
    begin_s = time.monotonic()
    found, seconds = memory_mb(features(tmp_path / "in", tmp_path / "x.parquet", *run))
    wall_s = time.monotonic() - begin_s
    own = " ".join(words)
    record(f"{own}: clips a second of a core", 10_000 / (seconds - start_s), "", "-")
    record(f"{own}: the same by the clock", 10_000 / wall_s, "", "-")
    for share in (0.25, 0.5, 0.75, 1.0):
        most = max(found[: round(share * len(found))])
        record(f"{own}: memory until {share:.0%} of the time", most, "MB", "flat")
