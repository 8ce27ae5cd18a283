"""What a command says on the terminal: nothing there may stop it, and no file's name may steer it."""

import contextlib
import os
import sys
import unicodedata

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

    # A reader that has gone costs what is said, not what is done.
    with contextlib.suppress(OSError, ValueError):
        tqdm.write(printable(text), file=sys.stderr)


def printable(text: str) -> str:
    """Text whose characters that steer a terminal are escaped."""
    steering = {c for c in set(text) if c != "\n" and unicodedata.category(c) in _STEERING}
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in steering})
