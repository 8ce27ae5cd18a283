"""The run of `skaud features`: files go to workers in batches, rows come back to the journal, in order."""

import argparse
import json
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from tqdm import tqdm

from skaud.command.computing import Batch, Computed, OtherVersionError, Work, compute_packed
from skaud.command.errors import UsageError
from skaud.command.files import File, Search
from skaud.command.fingerprint import fingerprint
from skaud.command.interruption import raise_if_asked
from skaud.command.journal import Journal
from skaud.command.models import fit, front, level_of_one, parameters_of
from skaud.command.names import path_text
from skaud.command.recording import Take, describe, n_channels
from skaud.command.resuming import to_do
from skaud.command.terminal import Notes, say
from skaud.command.workers import Workers, open_workers

MOST_FILES, MOST_BYTES = 16, 1 << 22  # of a batch: what it costs to begin one is shared, and little is lost with one
LOOK_S = 5.0  # after which it is asked whether the workers are still there
BATCHES_AHEAD = 4  # a worker, so that none of them waits for a slow batch that is next in order


def prepare(options: argparse.Namespace, model: Any, search: Search) -> tuple[Work, dict[str, Any]]:
    """Fit the model; what is to be done with a file, and what all rows have in common."""
    n_ears = _count_ears(search) if options.ears else None
    fit(model, n_ears)
    take = Take(
        ears=n_ears,
        channel=options.channel,
        level_db_spl=options.level_db_spl,
        rms_one_db_spl=level_of_one(model),
        longest_s=options.max_duration,
        cut=options.cut,
        dtype=front(model).dtype,
    )
    work = Work(model, take, fingerprint(model))
    about = {
        "parameters": {**parameters_of(options, model), **describe(take)},
        "features": list(model.get_feature_names_out()),
        "dtype": take.dtype,
        "fingerprint": work.fingerprint,
    }
    return work, json.loads(json.dumps(about, default=repr))  # as it will be read back


def compute(options: argparse.Namespace, work: Work, search: Search, journal: Journal) -> int:
    """Add the rows that are missing, in order; return how many files have none."""
    notes = Notes(options.quiet)
    failures = [(name, "there is no such file") for name in search.missing]
    failures += [(name, str(error)) for name, error in search.unreadable]
    for name, text in failures:
        say(f"{path_text(name)} left out: {text}")
    n_failed = len(failures)
    todo = list(to_do(journal, search))
    n_done = len(search.files) - sum(identity in search.files for identity, _ in todo)
    total = n_done + len(todo)
    with (
        tqdm(total=total, initial=n_done, unit="file", disable=options.quiet or None, leave=False) as bar,
        open_workers(options, [identity for identity, _ in todo]) as workers,
    ):
        for batch, computed in _in_order(work, todo, workers):
            raise_if_asked()
            for kind, name, text in computed.noticed:
                notes.add(kind, name, text)
            for (identity, file), row in zip(batch, computed.rows):
                if isinstance(row, str):
                    n_failed += 1
                    say(f"{path_text(file.name)} left out: {row}")
                    journal.drop(identity)
                else:
                    journal.put(identity, row)
            bar.update(len(batch))
    notes.end()
    if n_failed:
        n_files = len(search.files) + len(search.missing)
        say(f"skaud features: {n_failed} of {n_files} files could not be read.")
    return n_failed


def _in_order(work: Work, todo: list[tuple[bytes, File]], workers: Workers) -> Iterator[tuple[Batch, Computed]]:
    """Batches, and what the workers make of them."""
    submit = _submitter(work, workers)
    batches, running = _batches(todo, workers.count()), deque[tuple[Batch, Future]]()
    alone = deque[Batch]()  # to be done again, nothing beside, so that who dies of one is known to
    while True:
        is_alone = bool(alone)
        if is_alone:
            batch = alone.popleft()
            future = submit(batch)
        else:
            ahead = 1 if workers.is_here else BATCHES_AHEAD * workers.count()
            while len(running) < ahead and (next_batch := next(batches, None)) is not None:
                running.append((next_batch, submit(next_batch)))
            if not running:
                return
            batch, future = running.popleft()
        try:
            yield batch, _result(future, workers)
        except OtherVersionError as error:
            raise UsageError(
                f"{workers.name}: a worker has another version of skaud than this process, and its rows would not be "
                "the same; install the same version everywhere."
            ) from error
        except Exception as error:  # not of a file: those are within the result
            if reason := workers.why_lost():
                raise OSError(f"{workers.name}: {reason}; go on with --resume.") from error
            if isinstance(error, BrokenExecutor):
                workers.renew()
                if not is_alone:  # of which file, if of one, is not known
                    alone.extend([batch, *(own for own, _ in running)])
                    running.clear()
                    n_files = sum(map(len, alone))
                    say(f"skaud features: a process of {workers.name} died; {n_files} files are done again.")
                    continue
            if len(batch) > 1:  # its workers died, of one of the files perhaps: alone it will be known
                alone.extendleft([one] for one in reversed(batch))
            else:
                yield batch, Computed([f"its workers died ({type(error).__name__}: {error})"], [])


def _result(future: Future, workers: Workers) -> Computed:
    while True:
        try:
            return future.result(timeout=LOOK_S)
        except TimeoutError:
            if future.done():
                return future.result()
            if reason := workers.why_lost():
                raise OSError(reason) from None


def _submitter(work: Work, workers: Workers) -> Callable[[Batch], Future]:
    executor: Executor = workers.executor
    if workers.is_here:
        return lambda batch: executor.submit(work.compute, batch)
    packed = pickle.dumps(work)
    return lambda batch: executor.submit(compute_packed, packed, batch)


def _batches(todo: list[tuple[bytes, File]], n_workers: int) -> Iterator[Batch]:
    """Files in order, a few at a time: of small files more than of large ones."""
    most = max(1, min(MOST_FILES, len(todo) // (BATCHES_AHEAD * n_workers)))
    batch: list[tuple[bytes, File]] = []
    n_bytes = 0
    for one in todo:
        try:
            own = os.stat(one[0]).st_size
        except OSError:  # it will be named when its turn comes
            own = 0
        if batch and (len(batch) == most or n_bytes + own > MOST_BYTES):
            yield batch
            batch, n_bytes = [], 0
        batch.append(one)
        n_bytes += own
    if batch:
        yield batch


def _count_ears(search: Search) -> int:
    """Channels of the first file that can be opened."""
    for identity in search.files:
        try:
            return n_channels(identity)
        except Exception:  # it will be named when its turn comes
            continue
    return 1
