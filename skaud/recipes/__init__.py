"""Recipes: pipelines from sound to features that suit a classifier, each a handful of public steps.

A recipe is a function that returns a `skaud.FeaturePipeline`, not yet fitted; its parameters are those of the steps,
``recipes.best().set_params(carfac__ohc_health=0.5)``, and a grid search goes over them. Constants were chosen on speech
at 60 dB SPL (docs/comparison.md): set the level of clips first.
"""

from sklearn.pipeline import FeatureUnion, Pipeline

from skaud.frames.cepstra import CepstralCoefficients
from skaud.frames.compression import LogCompression
from skaud.frames.modulation_spectrum import ModulationSpectrum
from skaud.models.biomimetic import BiomimeticFrontend
from skaud.models.carfac import CARFAC
from skaud.models.osses2021 import Osses2021
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.pipeline import FeaturePipeline
from skaud.recipes.steps import Step
from skaud.sound import check_rate
from skaud.stages.cortical import CorticalSTRF

__all__ = ["auditory_spectrogram_cepstra", "best", "carfac_cepstra", "modulation_cepstra", "strf_cepstra"]

# Of CARFAC: frames of 5 ms, channels an octave at 1 kHz, and a hundredth of what speech at 60 dB SPL reaches.
_CARFAC_STRF = {"frame_rate_hz": 200, "channels_per_octave": 10.6, "floor": 3e-3}
COURSE = {"mean": 4, "std": 1, "delta_std": 1}  # the course of the mean in four parts, the variation over all


def best(sample_rate: float = 16000) -> FeaturePipeline:
    """Give the features that did best of all on development data: CARFAC's cepstra and its modulation by STRFs.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz; those that do not know theirs are taken to be at it.

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
        ("strf", _pipeline(*_strf_steps(**_CARFAC_STRF))),
    ]
    return _recipe(sample_rate, ("carfac", _carfac(sample_rate)), ("features", FeatureUnion(branches)))


def strf_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of the log magnitude of every STRF's response to CARFAC's receptor potential.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz; those that do not know theirs are taken to be at it.

    Returns
    -------
    FeaturePipeline
        Steps "carfac", "strf", "compression", "cepstra", "pooling".

    Examples
    --------
    >>> from skaud import recipes
    >>> recipes.strf_cepstra().set_params(carfac__ohc_health=0.5, strf__n_strfs=16).steps[1]
    ('strf', CorticalSTRF(channels_per_octave=10.6, n_strfs=16, response='magnitude'))
    """
    return _recipe(sample_rate, ("carfac", _carfac(sample_rate)), *_strf_steps(**_CARFAC_STRF), ("pooling", _course()))


def carfac_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of CARFAC's receptor potential and of its logarithm.

    The potential itself has the peaks that stand out of noise, its logarithm the weak sounds between them.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz; those that do not know theirs are taken to be at it.

    Returns
    -------
    FeaturePipeline
        Steps "carfac" and "features", a union of "linear" and "log".
    """
    branches = [
        ("linear", _pipeline(("cepstra", CepstralCoefficients(16)))),
        ("log", _pipeline(("compression", LogCompression(0.01)), ("cepstra", CepstralCoefficients(16)))),
    ]
    return _recipe(sample_rate, ("carfac", _carfac(sample_rate)), ("features", FeatureUnion(branches)))


def modulation_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of the modulation, over time and frequency, of the adapted response of Osses et al. (2021).

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz, as far as which channels go; those that do not know theirs are taken to be at it.

    Returns
    -------
    FeaturePipeline
        Steps "osses2021" and "features", a union of "spectrum", of every channel by itself, and "strf".
    """
    model = Osses2021(
        model_rate(sample_rate),
        high_hz=highest_hz(sample_rate),
        minimum_level_db=27,  # what is softer, such as noise between the harmonics, does not drive the loops
        output="adaptation",
        modulation=None,
        frame_length=0.01,
        pooling=None,
    )
    spectrum = ModulationSpectrum((2, 4, 8, 16, 32), frame_rate_hz=100)
    branches = [
        ("spectrum", _pipeline(("modulation", spectrum), ("cepstra", CepstralCoefficients(12)))),
        ("strf", _pipeline(*_strf_steps(frame_rate_hz=100, channels_per_octave=5, floor=10.0))),  # in model units
    ]
    return _recipe(sample_rate, ("osses2021", model), ("features", FeatureUnion(branches)))


def auditory_spectrogram_cepstra(sample_rate: float = 16000) -> FeaturePipeline:
    """Cepstra of the log magnitude of every STRF of the biomimetic front end.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the clips in Hz; those that do not know theirs are taken to be at it.

    Returns
    -------
    FeaturePipeline
        Steps "biomimetic", "compression", "cepstra", "pooling".
    """
    return _recipe(
        sample_rate,
        ("biomimetic", BiomimeticFrontend(model_rate(sample_rate), response="magnitude", pooling=None)),
        ("compression", LogCompression(2.2e-3)),
        ("cepstra", CepstralCoefficients(8)),
        ("pooling", _course()),
    )


def model_rate(sample_rate: float) -> int:
    """Rate to run a model at: not below 16 kHz, since at 8 kHz CARFAC's cascade would begin at 3.4 kHz."""
    return 16000 if check_rate("sample_rate", sample_rate) <= 16000 else 22050


def highest_hz(sample_rate: float) -> float:
    """Highest channel of Osses2021: up to 8 kHz, or as far as the clips go."""
    return min(8000.0, 0.475 * sample_rate)


def _recipe(sample_rate: float, *steps: tuple[str, Step]) -> FeaturePipeline:
    return FeaturePipeline([*steps], plain_sample_rate=sample_rate)


def _carfac(sample_rate: float) -> CARFAC:
    return CARFAC(model_rate(sample_rate), output="receptor_potential", frame_length=0.005, pooling=None)


def _strf_steps(frame_rate_hz: float, channels_per_octave: float, floor: float) -> list[tuple[str, Step]]:
    strf = CorticalSTRF(40, response="magnitude", frame_rate_hz=frame_rate_hz, channels_per_octave=channels_per_octave)
    return [("strf", strf), ("compression", LogCompression(floor)), ("cepstra", CepstralCoefficients(8))]


def _course() -> TemporalPooling:
    return TemporalPooling(COURSE)


def _pipeline(*steps: tuple[str, Step]) -> Pipeline:
    return Pipeline([*steps, ("pooling", _course())])
