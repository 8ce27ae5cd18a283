"""What the demo compares: a recipe of every model, log-mel spectra and mel cepstra, pooled in the same way."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaud import recipes
from skaud.command.baselines import log_mels
from skaud.frames.cepstra import CepstralCoefficients
from skaud.models.auditory_spectrogram import AuditorySpectrogram
from skaud.models.carfac import CARFAC
from skaud.models.osses2021 import Osses2021
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes import model_rate
from skaud.sound import Sound


class Contender(NamedTuple):
    """A model in the demo: its name, its features, and the model that is drawn, and how.

    Both makers take the rate of the clips. Colours follow the response to the power of gamma.
    """

    name: str
    features: Callable[[float], Any]
    drawn: Callable[[float], Any]
    gamma: float = 1.0


def log_mel_features(sample_rate: float) -> Any:
    """Log-mel frames, pooled as in the recipes."""
    return make_pipeline(FunctionTransformer(log_mels), TemporalPooling(recipes.COURSE))


def mfcc_features(sample_rate: float) -> Any:
    """Mel cepstra, pooled as in the recipes."""
    return make_pipeline(FunctionTransformer(log_mels), CepstralCoefficients(16), TemporalPooling(recipes.COURSE))


CONTENDERS = {
    "carfac": Contender(
        "CARFAC", recipes.best, lambda rate: CARFAC(model_rate(rate), frame_length=0.002, pooling=None).fit()
    ),
    "osses2021": Contender(
        "Osses2021",
        recipes.modulation_cepstra,
        lambda rate: Osses2021(
            model_rate(rate),
            high_hz=recipes.highest_hz(rate),
            output="adaptation",
            modulation=None,
            frame_length=0.002,
            pooling=None,
        ).fit(),
    ),
    "biomimetic": Contender(
        "biomimetic",
        recipes.auditory_spectrogram_cepstra,
        lambda rate: AuditorySpectrogram(pooling=None).fit(),
        gamma=0.4,
    ),
}
BASELINES: dict[str, Callable[[float], Any]] = {"log-mel": log_mel_features, "MFCC": mfcc_features}


def fitted(features: Any, sample_rate: float) -> Any:
    """Features that are fitted, for clips of any length."""
    return features.fit([Sound(np.zeros(round(sample_rate / 10), np.float32), sample_rate)])
