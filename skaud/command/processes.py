"""Processes of this machine that compute for a command, as the standard library runs them."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from typing import Any

from skaud.command.compiling import compilation_said
from skaud.command.interruption import postponed, uninterrupted

_PRELOADED = "skaud.command.preloaded"
# What a terminal sends to all that it has begun: they are ended by the one that the user began.
_TO_ALL = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
_said = contextlib.ExitStack()  # held for as long as a process lasts


def context() -> Any:
    """How processes are begun: by a server that has loaded the package once, or anew where there is none.

    Never by a fork of this process, whose threads and their locks a copy does not have.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    own: Any = multiprocessing.get_context("forkserver")
    own.set_forkserver_preload([_PRELOADED])
    return own


def begin_server() -> None:
    """Let the server load the package while this process does; it ends with this process."""
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        with uninterrupted(_TO_ALL):
            forkserver.ensure_running()


@contextlib.contextmanager
def process_pool(n: int, *, quiet: bool = False) -> Iterator[ProcessPoolExecutor]:
    """Pool of n processes, that do not outlive this one, and end at once where what is within is interrupted."""
    others = multiprocessing.active_children()
    with postponed():
        begin_server()
        pool = ProcessPoolExecutor(n, context(), _begin, (n, quiet))
    with pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                if process not in others:
                    process.terminate()
            raise


class Processes(Executor):
    """Pool of n processes that can be renewed: where one of them dies, all that was begun or waited is lost with it."""

    def __init__(self, n: int, *, quiet: bool = False) -> None:
        self._n, self._quiet = n, quiet
        self._opened = contextlib.ExitStack()
        self.renew()

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    def renew(self) -> None:
        """Begin others in their place."""
        self._opened.close()
        self._pool = self._opened.enter_context(process_pool(self._n, quiet=self._quiet))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run a function in one of them; where that cannot be, as one of them has died, the result tells."""
        try:
            with postponed():  # it may begin a process
                return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor as error:
            lost: Future = Future()
            lost.set_exception(error)
            return lost


def _begin(n: int, quiet: bool) -> None:
    """Make a process ready: it leaves it to its parent to end it, and takes its share of the processors."""
    importlib.import_module(_PRELOADED)  # where no server has
    from joblib import cpu_count
    from threadpoolctl import threadpool_limits

    for number in _TO_ALL:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(max(1, cpu_count() // n))
    _said.enter_context(compilation_said(quiet=quiet))


def _end_with_parent() -> None:
    """End when the parent has, killed or not: it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
