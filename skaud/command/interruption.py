"""Signals that ask a command to end: Ctrl-C, SIGTERM and SIGHUP all end it in the same orderly way."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

ASKING_TO_END = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_asked: list[int] = []  # numbers of signals that have asked to end


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end.

    number : int, of the signal; remedy : str, what the user may do next
    """

    def __init__(self, number: int, remedy: str = "") -> None:
        super().__init__(remedy)
        self.number, self.remedy = number, remedy


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Raise Interrupted where a signal asks to end; one that the process was started to ignore stays ignored."""

    def interrupt(number: int, frame: Any) -> None:
        _asked.append(number)
        raise Interrupted(number)

    _asked.clear()
    with _handlers(interrupt, ASKING_TO_END):
        yield


def raise_if_asked() -> None:
    """Raise Interrupted where a signal has asked to end, in vain, as callbacks and finalizers let no error through."""
    if _asked:
        raise Interrupted(_asked[-1])


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Let signals wait for the end of what must not be torn, such as the start of a process."""
    came: list[int] = []
    with _handlers(lambda number, frame: came.append(number), ASKING_TO_END):
        yield
    if came:
        signal.raise_signal(came[-1])


@contextlib.contextmanager
def uninterrupted(numbers: Sequence[int] = tuple(ASKING_TO_END)) -> Iterator[None]:
    """Let signals go by while something is written that must be whole; processes begun within ignore them for good."""
    with _handlers(signal.SIG_IGN, numbers):
        yield


@contextlib.contextmanager
def _handlers(handler: Any, numbers: Sequence[int]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may say so
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    # None: set by who embeds Python, not from Python.
    taken = [number for number, old in before.items() if old not in (signal.SIG_IGN, None)]
    try:
        for number in taken:
            signal.signal(number, handler)
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])
