"""Runs of `skaud features` that tests start, watch and look into."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from skaud.command import main

FORMATS = ("parquet", "csv", "npz")


def read(path):
    """Paths, names and features of an output, as a user would read it."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return file["paths"].tolist(), file["feature_names"].tolist(), file["features"]
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    assert frame.columns[0] == "path"
    return frame["path"].tolist(), frame.columns[1:].tolist(), frame.iloc[:, 1:].to_numpy(np.float32)


def skaud_features(*arguments):
    return main(["features", *map(str, arguments)])


def start(*arguments, **options):
    """The same in a process of its own."""
    command = [sys.executable, "-m", "skaud", "features", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def n_rows_kept(output):
    """Rows in the journal of a run that goes on: it is locked, but not against copying."""
    journal = output.with_name(output.name + ".journal")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            file = journal.with_name(journal.name + suffix)
            if file.exists():
                shutil.copy(file, folder)
        try:
            with closing(sqlite3.connect(Path(folder) / journal.name)) as copy:
                return copy.execute("SELECT count(*) FROM files WHERE features IS NOT NULL").fetchone()[0]
        except sqlite3.Error:  # not yet begun, or copied while it was written
            return 0


def make_sounds(folder, n, duration_s=0.3, seed=0, sample_rate=8000):
    """Write noises, n different ones."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for i in range(n):
        sound = 0.01 * random.standard_normal(round(duration_s * sample_rate))
        soundfile.write(folder / f"{i:03}.wav", sound, sample_rate)
    return folder


def processes_below(pid):
    """Numbers of the processes that a process, or one of those, has begun: on Linux alone."""
    found = []
    with contextlib.suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *processes_below(child)]
    return found


def workers_of(pid):
    """Numbers of those that compute: what a server of them has begun."""
    return [own for child in processes_below(pid) for own in processes_below(child)]


def is_running(pid):
    """Whether there is a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
