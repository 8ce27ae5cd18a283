"""Recipes: pipelines from sound to features that suit a classifier, each a handful of public steps.

A recipe is a function that returns a `skaud.FeaturePipeline`, not yet fitted; its parameters are those of the steps,
``recipes.best().set_params(carfac__ohc_health=0.5)``, and a grid search goes over them. Constants were chosen on speech
at 60 dB SPL (docs/comparison.md): set the level of clips first.
"""

from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline

from skaud.frames.cepstra import CepstralCoefficients
from skaud.frames.compression import LogCompression
from skaud.frames.modulation import ModulationSpectrum
from skaud.models.biomimetic import BiomimeticFrontend
from skaud.models.carfac import CARFAC
from skaud.models.osses2021 import Osses2021
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.pipeline import FeaturePipeline
from skaud.stages.cortical import CorticalSTRF

__all__ = ["auditory_spectrogram_cepstra", "best", "carfac_cepstra", "modulation_cepstra", "strf_cepstra"]

CHANNELS_PER_OCTAVE = 10.6  # of CARFAC, at 1 kHz
FRAME_S = 0.01


def best(sample_rate: float = 16000) -> FeaturePipeline:
    """Give the features that did best of all on development data: CARFAC's cepstra and its modulation by STRFs.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz.

    Returns
    -------
    FeaturePipeline
        Steps "carfac" and "features", a union of "linear", "log" and "strf".

    Examples
    --------
    >>> from skaud import datasets, recipes
    >>> vowels = datasets.make_vowels(1, n_takes=1, random_state=0)
    >>> recipes.best(vowels.clips[0].sample_rate).fit_transform(vowels.clips).shape
    (10, 2112)
    """
    branches = [
        ("linear", _pipeline(("cepstra", CepstralCoefficients(16)))),
        ("log", _pipeline(("compression", LogCompression(0.01)), ("cepstra", CepstralCoefficients(16)))),
        ("strf", _pipeline(*_strf_steps())),
    ]
    return FeaturePipeline([("carfac", _carfac(sample_rate)), ("features", FeatureUnion(branches))])


def strf_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of the log magnitude of every STRF's response to CARFAC's receptor potential.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz.

    Returns
    -------
    FeaturePipeline
        Steps "carfac", "strf", "compression", "cepstra", "pooling".

    Examples
    --------
    >>> from skaud import recipes
    >>> recipes.strf_cepstra().set_params(carfac__ohc_health=0.5, strf__n_strfs=16).steps[1]
    ('strf', CorticalSTRF(channels_per_octave=10.6, frame_rate_hz=100.0, n_strfs=16,
                 response='magnitude'))
    """
    return FeaturePipeline([("carfac", _carfac(sample_rate)), *_strf_steps(), ("pooling", _course())])


def carfac_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of CARFAC's receptor potential and of its logarithm.

    The potential itself has the peaks that stand out of noise, its logarithm the weak sounds between them.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz.

    Returns
    -------
    FeaturePipeline
        Steps "carfac" and "features", a union of "linear" and "log".
    """
    branches = [
        ("linear", _pipeline(("cepstra", CepstralCoefficients(16)))),
        ("log", _pipeline(("compression", LogCompression(0.01)), ("cepstra", CepstralCoefficients(16)))),
    ]
    return FeaturePipeline([("carfac", _carfac(sample_rate)), ("features", FeatureUnion(branches))])


def modulation_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of the modulation spectrum of Osses et al. (2021), behind its adaptation loops.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz.

    Returns
    -------
    FeaturePipeline
        Steps "osses2021", "features".
    """
    raise NotImplementedError


def auditory_spectrogram_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of the log magnitude of every STRF of the biomimetic front end.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz.

    Returns
    -------
    FeaturePipeline
        Steps "biomimetic", "compression", "cepstra", "pooling".
    """
    return FeaturePipeline(
        [
            ("biomimetic", BiomimeticFrontend(model_rate(sample_rate), response="magnitude", pooling=None)),
            ("compression", LogCompression(2.2e-3)),
            ("cepstra", CepstralCoefficients(8)),
            ("pooling", _course()),
        ]
    )


def model_rate(sample_rate: float) -> int:
    """Rate to run a model at: not below 16 kHz, since at 8 kHz CARFAC's cascade would begin at 3.4 kHz."""
    return 16000 if sample_rate <= 16000 else 22050


def _carfac(sample_rate: float) -> CARFAC:
    return CARFAC(model_rate(sample_rate), output="receptor_potential", frame_length=FRAME_S, pooling=None)


def _strf_steps() -> list[tuple[str, Any]]:
    strf = CorticalSTRF(40, response="magnitude", frame_rate_hz=1 / FRAME_S, channels_per_octave=CHANNELS_PER_OCTAVE)
    return [("strf", strf), ("compression", LogCompression(3e-3)), ("cepstra", CepstralCoefficients(8))]


def _course() -> TemporalPooling:
    """The course of the mean in four parts, the variation over all."""
    return TemporalPooling({"mean": 4, "std": 1, "delta_std": 1})


def _pipeline(*steps: tuple[str, Any]) -> Pipeline:
    return Pipeline([*steps, ("pooling", _course())])
