"""What a command says on the terminal: nothing there may stop it, and no file's name may steer it."""

import contextlib
import os
import sys
import textwrap
import unicodedata
from collections import Counter
from typing import Any

# Controls, formats such as marks of writing direction, lone surrogates, and separators of lines.
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")


def open_closed_streams() -> None:
    """Open on nothing what was closed at the start: else the next file opened would get what is said."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def say(text: str) -> None:
    """Write a line, or several, to the standard error, above a progress bar."""
    from tqdm import tqdm

    try:
        tqdm.write(printable(text), file=sys.stderr)
    except (OSError, ValueError):  # a reader that has gone costs what is said, not what is done
        drop_stream(sys.stderr)


def drop_stream(stream: Any) -> None:
    """Send to nothing what a stream still holds and gets: else Python complains of it at the end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def printable(text: str) -> str:
    """Text whose characters that steer a terminal are escaped."""
    steering = {c for c in set(text) if c != "\n" and unicodedata.category(c) in _STEERING}
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in steering})


class Notes:
    """What is noticed of files: of every kind the first file is said, and at the end how many more.

    quiet : bool, whether what is in order is not said
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._counts: Counter[str] = Counter()
        self._firsts: dict[str, str] = {}

    def add(self, kind: str, name: str, text: str) -> None:
        """Note something of a file; of kind "" it is said of every file."""
        if kind == "mono" and self._quiet:
            return
        self._counts[kind] += 1
        if kind and self._counts[kind] > 1:
            return
        self._firsts[kind] = text
        say(f"{name}: {text}")

    def end(self) -> None:
        """Say how many files were like the first of their kind."""
        for kind, n in self._counts.items():
            if kind and n > 1:
                say(f"... and {n - 1} more: {textwrap.shorten(self._firsts[kind], 80, placeholder=' ...')}")
