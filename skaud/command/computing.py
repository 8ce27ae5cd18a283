"""The rows of `skaud features`, computed file by file in threads."""

import argparse
import json
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from joblib import cpu_count
from tqdm import tqdm

from skaud import audio
from skaud.command.files import File, Search
from skaud.command.fingerprint import fingerprint
from skaud.command.journal import Journal, Row
from skaud.command.models import fit, front, level_of_one, parameters_of
from skaud.command.names import path_text
from skaud.command.recording import Take, content_hash, describe, n_channels, read_clip, stamp
from skaud.command.resuming import to_do
from skaud.command.terminal import Notes, say


class Work:
    """What is to be done: the model, fitted, and which files are taken and how."""

    def __init__(self, options: argparse.Namespace, model: Any, search: Search) -> None:
        self.model, self.search, self.quiet = model, search, options.quiet
        self.n_jobs = cpu_count() if options.jobs is None else options.jobs
        n_ears = _count_ears(search) if options.ears else None
        fit(model, n_ears)
        self.take = Take(
            ears=n_ears,
            channel=options.channel,
            level_db_spl=options.level_db_spl,
            rms_one_db_spl=level_of_one(model),
            longest_s=options.max_duration,
            cut=options.cut,
            dtype=front(model).dtype,
        )
        parameters = {**parameters_of(options, model), **describe(self.take)}
        about = {
            "parameters": parameters,
            "features": list(model.get_feature_names_out()),
            "dtype": front(model).dtype,
            "fingerprint": fingerprint(model),
        }
        self.about: dict[str, Any] = json.loads(json.dumps(about, default=repr))  # as it will be read back
        self.notes = Notes(options.quiet)
        self._stored = np.dtype(front(model).dtype).newbyteorder("<")

    def row(self, identity: bytes, file: File) -> Row:
        """Row of a file; an error where there can be none."""
        name = path_text(file.name)
        self.notes.about(name)
        before = stamp(identity)
        content = content_hash(identity)
        clip, rate = read_clip(identity, self.take, lambda kind, text: self.notes.add(kind, name, text))
        # As transform would do, without threads for many clips and without checking once more what has been read.
        clip = audio.resample_array(clip, rate, self.model.sample_rate, "it")
        features = np.asarray(self.model.transform([clip])[0], self._stored)
        after = stamp(identity)
        if after[:2] != before[:2]:
            raise ValueError("it changed while it was read; go on with --resume when it is finished.")
        return Row(os.fsencode(file.name), min(before, after), content, file.columns, features)


def compute(work: Work, journal: Journal) -> int:
    """Add the rows that are missing, in order; return how many files have none."""
    search, notes = work.search, work.notes
    failures = [(name, "there is no such file") for name in search.missing]
    failures += [(name, str(error)) for name, error in search.unreadable]
    for name, text in failures:
        say(f"{path_text(name)} left out: {text}")
    n_failed = len(failures)
    todo = list(to_do(journal, search))
    n_done = len(search.files) - sum(identity in search.files for identity, _ in todo)
    waiting = iter(todo)
    running: deque[tuple[bytes, File, Future]] = deque()
    executor = ThreadPoolExecutor(work.n_jobs)
    with (
        tqdm(total=n_done + len(todo), initial=n_done, unit="file", disable=work.quiet or None, leave=False) as bar,
        notes.catching_warnings(),
    ):
        try:
            while True:
                # A few more than there are threads, so that none of them waits for a slow file that is next in order.
                while len(running) < 4 * work.n_jobs and (next_one := next(waiting, None)) is not None:
                    running.append((*next_one, executor.submit(work.row, *next_one)))
                if not running:
                    break
                identity, file, future = running.popleft()
                try:
                    row = future.result()
                except Exception as error:  # whatever is wrong with one file, the others go on
                    n_failed += 1
                    said = str(error).replace("X[0]", "its sound").replace(f"path={os.fsdecode(identity)!r}", "it")
                    say(f"{path_text(file.name)} left out: {said}")
                    journal.drop(identity)
                else:
                    journal.put(identity, row)
                bar.update()
        finally:
            executor.shutdown(cancel_futures=True)
    notes.end()
    if n_failed:
        n_files = len(search.files) + len(search.missing)
        say(f"skaud features: {n_failed} of {n_files} files could not be read.")
    return n_failed


def _count_ears(search: Search) -> int:
    """Channels of the first file that can be opened."""
    for identity in search.files:
        try:
            return n_channels(identity)
        except Exception:  # it will be named when its turn comes
            continue
    return 1
