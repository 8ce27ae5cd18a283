"""Who computes: threads of this process, or processes of a Dask or a Ray cluster; all are executors."""

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Workers:
    """Workers as an executor of the standard library has them.

    name : what they were called by
    executor : that runs a function elsewhere
    share_memory : whether they are threads of this process
    count : of workers now, at least 1
    why_lost : in words, why no worker will ever answer, or ""
    """

    name: str
    executor: Executor
    share_memory: bool
    count: Callable[[], int]
    why_lost: Callable[[], str]


@contextlib.contextmanager
def open_workers(options: argparse.Namespace, n_files: int) -> Iterator[Workers]:
    """Workers that the options ask for."""
    n_jobs = _n_processors() if options.jobs is None else options.jobs
    executor = ThreadPoolExecutor(max(1, min(n_jobs, n_files)))
    try:
        yield Workers("--jobs", executor, True, lambda: n_jobs, lambda: "")
    finally:
        executor.shutdown(cancel_futures=True)


def _n_processors() -> int:
    """Processors that this process may use, as its affinity and its container have it."""
    from joblib import cpu_count

    return cpu_count() or os.cpu_count() or 1
