"""Auditory models as scikit-learn transformers."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> module that defines it; imported when first asked for.
_HOME = {
    "Sound": "skaud.sound",
    "Learn": "skaud.fitting.learn",
    "AuditorySpectrogram": "skaud.models.auditory_spectrogram",
    "BiomimeticFrontend": "skaud.models.biomimetic",
    "CARFAC": "skaud.models.carfac",
    "Dau1997": "skaud.models.dau1997",
    "King2019": "skaud.models.king2019",
    "Osses2021": "skaud.models.osses2021",
    "HeadphoneFilter": "skaud.stages.ears",
    "MiddleEarFilter": "skaud.stages.ears",
    "GammatoneFilterbank": "skaud.stages.gammatone",
    "HairCellEnvelope": "skaud.stages.hair_cell",
    "AdaptationLoops": "skaud.stages.adaptation",
    "ModulationFilterbank": "skaud.stages.modulation",
    "AdaptationHighPass": "skaud.stages.king2019",
    "Compression": "skaud.stages.king2019",
    "ModulationBandpass": "skaud.stages.king2019",
    "Audiogram": "skaud.hearing.audiogram",
    "CochlearFilterbank": "skaud.stages.cochlear_filterbank",
    "CorticalSTRF": "skaud.stages.cortical",
    "LateralInhibition": "skaud.stages.spectrogram",
    "LeakyIntegrator": "skaud.stages.spectrogram",
    "PowerLawCompression": "skaud.stages.spectrogram",
    "Pitchogram": "skaud.stages.auditory_image",
    "StabilizedAuditoryImage": "skaud.stages.auditory_image",
    "LogCompression": "skaud.frames.compression",
    "PowerCompression": "skaud.frames.compression",
    "FeaturePipeline": "skaud.recipes.pipeline",
    "TemplateObserver": "skaud.psychoacoustics.observer",
    "CepstralCoefficients": "skaud.frames.cepstra",
    "Deltas": "skaud.frames.deltas",
    "ModulationSpectrum": "skaud.frames.modulation_spectrum",
    "TemporalPooling": "skaud.pooling.temporal",
    "ToNumpy": "skaud.interop.to_numpy",
}
_SUBMODULES = (
    "audio",
    "datasets",
    "design",
    "display",
    "fitting",
    "hearing",
    "interop",
    "models",
    "psychoacoustics",
    "recipes",
    "stages",
    "testing",
)

__all__ = ["__version__", *_HOME, *_SUBMODULES]

if TYPE_CHECKING:  # what type checkers see; at run time, each is imported when first asked for
    from skaud import audio as audio
    from skaud import datasets as datasets
    from skaud import design as design
    from skaud import display as display
    from skaud import fitting as fitting
    from skaud import hearing as hearing
    from skaud import interop as interop
    from skaud import models as models
    from skaud import psychoacoustics as psychoacoustics
    from skaud import recipes as recipes
    from skaud import stages as stages
    from skaud import testing as testing
    from skaud.fitting.learn import Learn as Learn
    from skaud.frames.cepstra import CepstralCoefficients as CepstralCoefficients
    from skaud.frames.compression import LogCompression as LogCompression
    from skaud.frames.compression import PowerCompression as PowerCompression
    from skaud.frames.deltas import Deltas as Deltas
    from skaud.frames.modulation_spectrum import ModulationSpectrum as ModulationSpectrum
    from skaud.hearing.audiogram import Audiogram as Audiogram
    from skaud.interop.to_numpy import ToNumpy as ToNumpy
    from skaud.models.auditory_spectrogram import AuditorySpectrogram as AuditorySpectrogram
    from skaud.models.biomimetic import BiomimeticFrontend as BiomimeticFrontend
    from skaud.models.carfac import CARFAC as CARFAC
    from skaud.models.dau1997 import Dau1997 as Dau1997
    from skaud.models.king2019 import King2019 as King2019
    from skaud.models.osses2021 import Osses2021 as Osses2021
    from skaud.pooling.temporal import TemporalPooling as TemporalPooling
    from skaud.psychoacoustics.observer import TemplateObserver as TemplateObserver
    from skaud.recipes.pipeline import FeaturePipeline as FeaturePipeline
    from skaud.sound import Sound as Sound
    from skaud.stages.adaptation import AdaptationLoops as AdaptationLoops
    from skaud.stages.auditory_image import Pitchogram as Pitchogram
    from skaud.stages.auditory_image import StabilizedAuditoryImage as StabilizedAuditoryImage
    from skaud.stages.cochlear_filterbank import CochlearFilterbank as CochlearFilterbank
    from skaud.stages.cortical import CorticalSTRF as CorticalSTRF
    from skaud.stages.ears import HeadphoneFilter as HeadphoneFilter
    from skaud.stages.ears import MiddleEarFilter as MiddleEarFilter
    from skaud.stages.gammatone import GammatoneFilterbank as GammatoneFilterbank
    from skaud.stages.hair_cell import HairCellEnvelope as HairCellEnvelope
    from skaud.stages.king2019 import AdaptationHighPass as AdaptationHighPass
    from skaud.stages.king2019 import Compression as Compression
    from skaud.stages.king2019 import ModulationBandpass as ModulationBandpass
    from skaud.stages.modulation import ModulationFilterbank as ModulationFilterbank
    from skaud.stages.spectrogram import LateralInhibition as LateralInhibition
    from skaud.stages.spectrogram import LeakyIntegrator as LeakyIntegrator
    from skaud.stages.spectrogram import PowerLawCompression as PowerLawCompression
else:

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            return getattr(importlib.import_module(_HOME[name]), name)
        if name in _SUBMODULES:
            return importlib.import_module(f"skaud.{name}")
        raise AttributeError(f"module 'skaud' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
