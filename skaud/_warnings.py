"""Warnings that point at the line which called, however deep inside they arise."""

import sys
import warnings

# Whose pipelines, searches and callbacks call as well, and what these call through.
_INSIDE = ("skaud", "sklearn", "joblib", "contextlib", "threadpoolctl", "numba", "importlib")


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest line outside of this package and of what it is called through."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
