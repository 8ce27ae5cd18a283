"""Auditory models as scikit-learn transformers."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it; imported when first asked for.
_HOME = {
    "AuditorySpectrogram": "skaud.models.auditory_spectrogram",
    "BiomimeticFrontend": "skaud.models.biomimetic",
    "CARFAC": "skaud.models.carfac",
    "Osses2021": "skaud.models.osses2021",
    "HeadphoneFilter": "skaud.stages.ears",
    "MiddleEarFilter": "skaud.stages.ears",
    "GammatoneFilterbank": "skaud.stages.gammatone",
    "HairCellEnvelope": "skaud.stages.hair_cell",
    "AdaptationLoops": "skaud.stages.adaptation",
    "ModulationFilterbank": "skaud.stages.modulation",
    "Audiogram": "skaud.hearing.audiogram",
    "CochlearFilterbank": "skaud.stages.cochlear",
    "CorticalSTRF": "skaud.stages.cortical",
    "LateralInhibition": "skaud.stages.cochlear",
    "LeakyIntegrator": "skaud.stages.cochlear",
    "PowerLawCompression": "skaud.stages.cochlear",
    "TemporalPooling": "skaud.stages.pooling",
}
_SUBMODULES = ("audio", "datasets", "design", "display", "fitting", "hearing", "models", "stages", "testing")

__all__ = ["__version__", *_HOME, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"skaud.{name}")
    raise AttributeError(f"module 'skaud' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
