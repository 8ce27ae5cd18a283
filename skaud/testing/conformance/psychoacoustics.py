"""Observers in forced choice, tracks and thresholds against the numbers of the papers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skaud import Dau1997, Sound, TemplateObserver, datasets
from skaud.psychoacoustics import adaptive_track, calibrated_noise_variance, d_prime, make_trials, proportion_correct
from skaud.testing.conformance.row import Row

RATE = 16000
FORCED_CHOICE = "Hacker & Ratcliff 1979, table 1"
LEVITT = "Levitt 1971"
CRITERION = "Dau et al. 1997: 1 dB at 60 dB SPL is just heard, the criterion of the internal noise"
FLAT = "Kohlrausch et al. 2000: flat up to 100 to 130 Hz"
CRITICAL_RATIO = "Hawkins & Stevens 1950: about 20 dB"


class Listener:
    """Answers as an observer does who hears a trial's levels with noise of variance 1."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def predict(self, X: Sequence[Any]) -> np.ndarray:
        """The interval that is loudest with the noise."""
        return np.argmax(np.asarray(X) + self.random.standard_normal(np.shape(X)), axis=1)


def one_channel(hz: float) -> Dau1997:
    """The model in one channel, in frames of 5 ms."""
    return Dau1997(RATE, low_hz=hz, high_hz=hz, pooling=None, frame_length=0.005)


def published(references: Path | None = None) -> Iterator[Row]:
    """Numbers of the papers."""
    for n_intervals, wanted in {2: 0.95, 3: 1.43, 4: 1.68}.items():
        what = f"d' of 75 % right among {n_intervals} intervals"
        yield Row("d_prime", "published", what, d_prime(0.75, n_intervals), 0.005, wanted, FORCED_CHOICE)
    for n_down, wanted in {1: 0.5, 2: 0.707, 3: 0.794}.items():
        what = f"proportion to which 1 up {n_down} down converges"
        yield Row("adaptive_track", "published", what, proportion_of_tracks(n_down), 0.02, wanted, LEVITT)
    variance = calibrated_noise_variance(one_channel(1000))
    found = increment_db(variance)
    yield Row("TemplateObserver", "published", "increment at threshold, 1 kHz, in dB", found, 0.3, 1, CRITERION)
    low_db, high_db = (tone_modulation_db(variance, hz) for hz in (16, 100))
    what = "modulation of a tone: threshold at 100 Hz less that at 16 Hz, in dB"
    yield Row("TemplateObserver", "published", what, high_db - low_db, 3, 0, FLAT)
    what = "tone of 2 kHz in noise: threshold over the noise in 1 Hz, in dB"
    yield Row("TemplateObserver", "published", what, tone_in_noise_db(variance), 3, 20, CRITICAL_RATIO)


def proportion_of_tracks(n_down: int) -> float:
    """Proportion of right answers at the threshold of a listener whose d' is the level."""

    def make_trial(level: float, random_state: Any) -> list[float]:
        return [level, 0, 0]

    found = adaptive_track(
        Listener(),
        make_trial,
        start=d_prime(0.5 ** (1 / n_down)),
        step=0.4,
        smallest_step=0.2,
        n_down=n_down,
        n_reversals=100,
        n_tracks=40,
        max_trials=1000,
        random_state=0,
    )
    return float(proportion_correct(found.threshold))


def increment_db(variance: float) -> float:
    """Increment of a tone of 1 kHz and 60 dB SPL at threshold, by tracks."""

    def make_trial(more_db: float, random_state: Any) -> list[Sound]:
        return [datasets.make_tone(1000, 0.5, RATE, 60 + db, ramp_s=0.05)[0] for db in (more_db, 0, 0)]

    observer = TemplateObserver(one_channel(1000), internal_noise_variance=variance)
    observer.fit(*make_trials(make_trial, 10, 1))
    found = adaptive_track(observer, make_trial, 4, n_tracks=6, step=1.0, smallest_step=0.25, random_state=0)
    return float(found.threshold)


def tone_modulation_db(variance: float, rate_hz: float) -> float:
    """20 log m of a tone of 5 kHz at which 70.7 % of answers are right; nothing but the internal noise varies."""

    def modulated(depth_db: float) -> Sound:
        side = depth_db - 20 * np.log10(2)
        tones = [5000, 5000 - rate_hz, 5000 + rate_hz], [0, side, side], [0, np.pi / 2, -np.pi / 2]
        return datasets.make_tone_complex(*tones, 1.0, RATE, 65, ramp_s=0.2)[0]

    plain = datasets.make_tone(5000, 1.0, RATE, 65, ramp_s=0.2)[0]
    depths_db = np.arange(-34, -12, 2)
    observer = TemplateObserver(one_channel(5000), internal_noise_variance=variance)
    observer.fit([[modulated(0), plain, plain]], [0])
    right = observer.predict_proba([[modulated(float(db)), plain, plain] for db in depths_db])[:, 0]
    return float(np.interp(0.5**0.5, right, depths_db))


def tone_in_noise_db(variance: float) -> float:
    """Level of a tone at threshold over that of the noise in 1 Hz."""

    def make_trial(db_spl: float, random_state: Any) -> list[Sound]:
        levels = [db_spl, -np.inf, -np.inf]
        return datasets.make_tone_in_noise(2000, levels, 65, (20, 5000), 0.5, 0.3, RATE, random_state=random_state)

    observer = TemplateObserver(one_channel(2000), internal_noise_variance=variance)
    observer.fit(*make_trials(make_trial, 75, 30, random_state=1))
    found = adaptive_track(observer, make_trial, 70, random_state=2)
    return float(found.threshold - (65 - 10 * np.log10(5000 - 20)))
