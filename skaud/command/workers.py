"""Who computes: this process, others of this machine, or those of a Dask or a Ray cluster; all are executors."""

import argparse
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from skaud.command.errors import UsageError
from skaud.command.terminal import say

MOST_WORKERS = 1024  # of this machine
# From which on other processes compute: what these take to begin, a second or two of one, is then the smaller part.
MANY_FILES, MANY_BYTES = 128, 1 << 23
_REACHED_S = 30.0  # how long a cluster is waited for
_COUNTED_S = 1.0  # between two looks at how many workers a cluster has


@dataclass(frozen=True)
class Workers:
    """Workers, behind an executor as the standard library has it.

    name : what they were called by
    executor : that runs a function elsewhere; a cluster's does so once more where who ran it died
    is_here : whether this process computes, while the executor is given the work
    count : of workers now
    why_lost : in words, why no worker will ever answer, or ""
    renew : puts others in the place of workers of which one died, and took all work with it
    """

    name: str
    executor: Executor
    is_here: bool
    count: Callable[[], int]
    why_lost: Callable[[], str] = lambda: ""
    renew: Callable[[], None] = lambda: None


@contextlib.contextmanager
def open_workers(options: argparse.Namespace, paths: Sequence[bytes]) -> Iterator[Workers]:
    """Workers that the options ask for, for files at these paths."""
    opened: contextlib.AbstractContextManager[Workers]
    if options.dask is not None:
        opened = _open_dask(options.dask)
    elif options.ray is not None:
        opened = _open_ray(options.ray)
    elif (n := n_processes(options, paths)) > 1:
        opened = _open_processes(n, options.quiet)
    else:
        opened = contextlib.nullcontext(_here())
    with opened as workers:
        yield workers


def n_processes(options: argparse.Namespace, paths: Sequence[bytes]) -> int:
    """How many processes of this machine compute: this one alone where others would take longer to begin."""
    if options.dask is not None or options.ray is not None or options.jobs == 1:
        return 1
    if len(paths) < MANY_FILES and sum(map(_size, paths)) < MANY_BYTES:
        return 1
    n = options.jobs
    if n is None:
        from joblib import cpu_count  # as affinity and container have it

        n = cpu_count()
    return max(1, min(n, len(paths)))


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # it will be named when its turn comes
        return 0


class _Here(Executor):
    """This process, which computes while it is given the work."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run a function now."""
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


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
def _open_processes(n: int, quiet: bool) -> Iterator[Workers]:
    from skaud.command.processes import Processes

    with contextlib.ExitStack() as stack:
        try:
            executor = stack.enter_context(Processes(n, quiet=quiet))
            executor.submit(os.getpid)  # which begins the first
            workers = Workers(f"--jobs {n}", executor, False, lambda: n, renew=executor.renew)
        except (OSError, NotImplementedError, ImportError) as error:  # no semaphores, no sockets, no more processes
            say(f"skaud features: --jobs {n}: this system begins no processes ({error}); one computes.")
            workers = _here()
        yield workers


def _here() -> Workers:
    return Workers("--jobs 1", _Here(), True, lambda: 1)


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
