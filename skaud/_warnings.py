"""Warnings that point at the line which called, however deep inside they arise."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Whose pipelines, searches and callbacks call as well, and what these call through.
_INSIDE = ("skaud", "sklearn", "joblib", "contextlib", "threadpoolctl", "numba", "importlib")

_said: ContextVar[set[str] | None] = ContextVar("_said", default=None)


@contextmanager
def each_once() -> Iterator[None]:
    """Within, give each warning once: fit, transform and every clip of a list look at the same sound."""
    token = _said.set(set()) if _said.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _said.reset(token)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest line outside of this package and of what it is called through."""
    said = _said.get()
    if said is not None:
        if message in said:
            return
        said.add(message)
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
