"""What a command says while kernels are compiled, which takes seconds, once on a machine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from skaud.command.terminal import say


class _Say(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"skaud: {record.getMessage()}")


@contextmanager
def compilation_said(*, quiet: bool = False) -> Iterator[None]:
    """Say on the terminal, above a progress bar, what the kernels log: which of them is compiled; unless quiet."""
    if quiet:
        yield
        return
    logger, handler = logging.getLogger("skaud"), _Say(logging.INFO)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
