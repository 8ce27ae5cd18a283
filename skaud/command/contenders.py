"""What the demo compares: features of every model, of log-mel spectra and of mel cepstra, pooled in the same way."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skaud.command.baselines import cepstrum, log_mel
from skaud.models.auditory_spectrogram import AuditorySpectrogram
from skaud.models.biomimetic import BiomimeticFrontend
from skaud.models.carfac import CARFAC
from skaud.models.osses2021 import Osses2021
from skaud.pooling.statistics import pool
from skaud.sound import Sound

N_COEFFICIENTS = 16
# Receptor potential of CARFAC below which its logarithm is flat. Vowels at 60 dB SPL reach 0.08.
POTENTIAL_FLOOR = 0.01
# Of the adaptation loops: what is softer, such as noise between the harmonics, does not drive them.
MINIMUM_LEVEL_DB = 27.0
# Magnitude of a cortical response below which its logarithm is flat.
CORTICAL_FLOOR = 2.2e-3
N_CORTICAL_COEFFICIENTS = 6  # of each STRF

Features = Callable[[list[Sound]], np.ndarray]


class Contender(NamedTuple):
    """A model in the demo: its name, what makes its features, what makes the model that is drawn, and how.

    Both makers take the rate of the clips. Colours follow the response to the power of gamma.
    """

    name: str
    features: Callable[[float], Features]
    drawn: Callable[[float], Any]
    gamma: float = 1.0


def model_rate(sample_rate: float) -> int:
    """Rate to run a model at: not below 16 kHz, since at 8 kHz CARFAC's cascade would begin at 3.4 kHz."""
    return 16000 if sample_rate <= 16000 else 22050


def summarise(frames: np.ndarray) -> np.ndarray:
    """Pool (n_channels, n_frames), the same way for all features: the course in four parts, the variation over all."""
    return np.concatenate([pool(frames, "mean", 4), pool(frames, ("std", "delta_std"))])


def carfac_features(sample_rate: float) -> Features:
    """Function from clips to CARFAC features: cepstra of the receptor potential and of its logarithm.

    The potential itself has the peaks that stand out of noise, its logarithm the weak sounds between them.
    """
    model = _fit(CARFAC(model_rate(sample_rate), output="receptor_potential", pooling=None))

    def features(clips: list[Sound]) -> np.ndarray:
        potentials = [np.maximum(frames, 0) for frames in model.transform(clips)]
        linear = [summarise(cepstrum(frames, N_COEFFICIENTS)) for frames in potentials]
        log = [summarise(cepstrum(np.log(frames + POTENTIAL_FLOOR), N_COEFFICIENTS)) for frames in potentials]
        return np.hstack([linear, log])

    return features


def osses2021_features(sample_rate: float) -> Features:
    """Function from clips to features of Osses et al. (2021): a cepstrum of every modulation filter that all have.

    The adaptation loops have compressed already.
    """
    model = _fit(_osses2021(sample_rate, minimum_level_db=MINIMUM_LEVEL_DB, pooling=None))
    index = model.modulation_index_
    modulation_hz = index.get_level_values("modulation_hz")
    everywhere = index[index.get_level_values("center_hz") == index[0][0]].get_level_values("modulation_hz")
    banks = [np.flatnonzero(modulation_hz == hz) for hz in everywhere]  # the lowest channel has the fewest filters

    def features(clips: list[Sound]) -> np.ndarray:
        return np.stack(
            [
                np.concatenate([summarise(cepstrum(frames[bank], N_COEFFICIENTS)) for bank in banks])
                for frames in model.transform(clips)
            ]
        )

    return features


def biomimetic_features(sample_rate: float) -> Features:
    """Function from clips to features of the biomimetic front end: a cepstrum of every STRF's log magnitude."""
    model = _fit(BiomimeticFrontend(response="magnitude", pooling=None))

    def features(clips: list[Sound]) -> np.ndarray:
        rows = []
        for clip in clips:  # one by one: a second of frames takes 4 MB
            (frames,) = model.transform([clip])  # (n_strfs, n_channels, n_frames)
            log = np.moveaxis(np.log(frames + CORTICAL_FLOOR), 1, 0)
            rows.append(summarise(cepstrum(log, N_CORTICAL_COEFFICIENTS)))
        return np.stack(rows)

    return features


def log_mel_features(sample_rate: float) -> Features:
    """Function from clips to log-mel features."""
    return lambda clips: np.stack([summarise(log_mel(*clip)) for clip in clips])


def mfcc_features(sample_rate: float) -> Features:
    """Function from clips to mel cepstra."""
    return lambda clips: np.stack([summarise(cepstrum(log_mel(*clip), N_COEFFICIENTS)) for clip in clips])


def _osses2021(sample_rate: float, **parameters: Any) -> Osses2021:
    """Model with channels up to 8 kHz, or as far as the clips go."""
    return Osses2021(model_rate(sample_rate), high_hz=min(8000.0, 0.475 * sample_rate), **parameters)


def _fit(model: Any) -> Any:
    return model.fit([np.zeros(1, np.float32)])


CONTENDERS = {
    "carfac": Contender(
        "CARFAC", carfac_features, lambda rate: _fit(CARFAC(model_rate(rate), frame_length=0.002, pooling=None))
    ),
    "osses2021": Contender(
        "Osses2021",
        osses2021_features,
        lambda rate: _fit(_osses2021(rate, output="adaptation", modulation=None, frame_length=0.002)),
    ),
    "biomimetic": Contender("biomimetic", biomimetic_features, lambda rate: _fit(AuditorySpectrogram()), gamma=0.4),
}
BASELINES: dict[str, Callable[[float], Features]] = {"log-mel": log_mel_features, "MFCC": mfcc_features}
