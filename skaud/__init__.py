"""Auditory models as scikit-learn transformers."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it; imported when first asked for.
_HOME = {
    "CARFAC": "skaud.models.carfac",
    "Audiogram": "skaud.hearing.audiogram",
    "TemporalPooling": "skaud.stages.pooling",
}
_SUBMODULES = ("audio", "datasets", "design", "display", "hearing", "models", "stages", "testing")

__all__ = ["__version__", *_HOME, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"skaud.{name}")
    raise AttributeError(f"module 'skaud' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
