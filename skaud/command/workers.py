"""Who computes: threads of this process, or processes of a Dask or a Ray cluster; all are executors."""

import argparse
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from skaud.command.errors import UsageError

MOST_WORKERS = 1024  # of this machine
_REACHED_S = 30.0  # how long a cluster is waited for
_COUNTED_S = 1.0  # between two looks at how many workers a cluster has


@dataclass(frozen=True)
class Workers:
    """Workers, behind an executor as the standard library has it.

    name : what they were called by
    executor : that runs a function elsewhere, and once more where who ran it died
    share_memory : whether they are threads of this process
    count : of workers now
    why_lost : in words, why no worker will ever answer, or ""
    """

    name: str
    executor: Executor
    share_memory: bool
    count: Callable[[], int]
    why_lost: Callable[[], str]


@contextlib.contextmanager
def open_workers(options: argparse.Namespace) -> Iterator[Workers]:
    """Workers that the options ask for."""
    if options.dask is not None:
        opened = _open_dask(options.dask)
    elif options.ray is not None:
        opened = _open_ray(options.ray)
    else:
        opened = _open_threads(options.jobs)
    with opened as workers:
        yield workers


def check_address(option: str, address: str) -> None:
    """Refuse an address of a cluster that is none, and what takes a library that is not there."""
    _n_local(option, address)
    library, extra = ("distributed", "dask") if option == "dask" else ("ray", "ray")
    try:
        __import__(library)
    except ImportError as error:
        raise UsageError(f"--{option} takes {library}: pip install 'skaud[{extra}]'.") from error


def _n_local(option: str, address: str) -> int | None:
    """How many workers of this machine are asked for; None where the address is that of a cluster."""
    kind, _, number = address.partition(":")
    if kind != "local":
        return None
    if not number.isdecimal() or not 1 <= int(number) <= MOST_WORKERS:
        raise UsageError(f"--{option} {address} must be local:N, N from 1 to {MOST_WORKERS}, or an address.")
    return int(number)


@contextlib.contextmanager
def _open_threads(n_jobs: int | None) -> Iterator[Workers]:
    from joblib import cpu_count  # as affinity and container have it

    n = cpu_count() if n_jobs is None else n_jobs
    executor = ThreadPoolExecutor(n)
    try:
        yield Workers("--jobs", executor, True, lambda: n, lambda: "")
    finally:
        executor.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _open_dask(address: str) -> Iterator[Workers]:
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        stack.enter_context(_silenced("distributed"))
        scheduler, n = address, _n_local("dask", address)
        if n is not None:
            cluster = LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=None)
            scheduler = stack.enter_context(cluster).scheduler_address
        try:
            client = stack.enter_context(Client(scheduler, timeout=_REACHED_S, set_as_default=False))
            client.wait_for_workers(1, timeout=_REACHED_S)
        except (OSError, TimeoutError, ValueError) as error:
            raise UsageError(
                f"--dask {address}: no scheduler answers, or it has no workers ({error}); start them, or use local:N."
            ) from error
        yield Workers(
            f"--dask {address}",
            client.get_executor(pure=False),
            False,
            _seldom(lambda: sum(client.nthreads().values())),
            lambda: "" if client.status == "running" else "the scheduler does not answer any more",
        )


@contextlib.contextmanager
def _open_ray(address: str) -> Iterator[Workers]:
    import ray

    n = _n_local("ray", address)
    where: dict[str, Any] = {"address": address} if n is None else {"address": "local", "num_cpus": n}
    if n is not None:
        where["include_dashboard"] = False
    with _silenced("ray"):
        try:
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            raise UsageError(f"--ray {address}: no cluster answers ({error}); start it, or use local:N.") from error
        executor = _RayExecutor()
        try:
            yield Workers(
                f"--ray {address}",
                executor,
                False,
                _seldom(lambda: int(ray.cluster_resources().get("CPU", 0))),
                lambda: "" if ray.is_initialized() else "the cluster does not answer any more",
            )
        finally:
            executor.shutdown(cancel_futures=True)
            ray.shutdown()


class _RayExecutor(Executor):
    """Ray's tasks as an executor; what is large and the same for many of them is sent once."""

    def __init__(self) -> None:
        import ray

        self._ray, self._run = ray, ray.remote(_call)
        self._running: dict[Future, Any] = {}
        self._sent: dict[int, tuple[Any, Any]] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run a function on a worker."""
        given = [self._once(arg) if isinstance(arg, bytes) else arg for arg in args]
        reference = self._run.remote(fn, *given, **kwargs)
        future: Future = reference.future()
        self._running[future] = reference
        future.add_done_callback(lambda done: self._running.pop(done, None))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel what runs or waits."""
        for reference in list(self._running.values()) if cancel_futures else ():
            with contextlib.suppress(Exception):  # it is done, or nobody is there
                self._ray.cancel(reference, force=True)

    def _once(self, content: bytes) -> Any:
        if id(content) not in self._sent:
            self._sent[id(content)] = content, self._ray.put(content)  # held, so that the id stays its own
        return self._sent[id(content)][1]


def _call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return fn(*args, **kwargs)


def _seldom(count: Callable[[], int]) -> Callable[[], int]:
    """The last count, for a while; a cluster without workers may yet have some."""
    last, last_s = 1, -_COUNTED_S

    def counted() -> int:
        nonlocal last, last_s
        if time.monotonic() - last_s >= _COUNTED_S:
            with contextlib.suppress(Exception):  # it does not answer: whoever waits for results will see
                last = max(1, count())
            last_s = time.monotonic()
        return last

    return counted


@contextlib.contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Within, let a library log errors alone: workers that die are told of by their results."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
