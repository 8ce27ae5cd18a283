"""Python's warnings, kept for the thread that they come from: a warning of a model is one of a file."""

import contextlib
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any

_thread = threading.local()
_lock = threading.Lock()  # filters of warnings are the whole process's
_n_threads = 0
_hooked = contextlib.ExitStack()


@contextlib.contextmanager
def warnings_noticed() -> Iterator[list[tuple[str, str]]]:
    """Give a list to which warnings that come within, in this thread, are added: their kind, and what they say."""
    found: list[tuple[str, str]] = []
    _thread.found = found
    _hook()
    try:
        yield found
    finally:
        _unhook()
        del _thread.found


def _hook() -> None:
    global _n_threads
    with _lock:
        _n_threads += 1
        if _n_threads > 1:
            return
        _hooked.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always", UserWarning)
        otherwise = warnings.showwarning

        def keep(message: Warning | str, category: type[Warning], *more: Any) -> None:
            found = getattr(_thread, "found", None)
            if found is None:
                otherwise(message, category, *more)
                return
            text = str(message).replace("X[0]", "its sound").replace("skaud.audio.set_level", "--level-db-spl")
            # Warnings of one kind differ in their numbers.
            found.append((f"{category.__name__} {re.sub(r'[-+0-9.e]+', '', text)}", text))

        warnings.showwarning = keep  # type: ignore[assignment]


def _unhook() -> None:
    global _n_threads
    with _lock:
        _n_threads -= 1
        if not _n_threads:
            _hooked.close()
