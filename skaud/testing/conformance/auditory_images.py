"""Auditory images and pitchograms of sounds whose period is known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skaud import CARFAC, Pitchogram, StabilizedAuditoryImage, audio
from skaud.testing.conformance.row import Row, skip_all

RATE = 22050
MADE = "the sound is made with it; Lyon 2017, chapter 21: what repeats stands still, at its period"


def golden(references: Path | None) -> Iterator[Row]:
    """Nothing: google/carfac has programs for both, and the folder no numbers of them."""
    for image in ("StabilizedAuditoryImage", "Pitchogram"):
        yield from skip_all(image, ["features"], "no numbers of a published program are in the folder")


def published(references: Path | None = None) -> Iterator[Row]:
    """Periods."""
    carfac = CARFAC(RATE, pooling=None, frame_length=None).fit()
    clicks = np.zeros(RATE // 2)
    clicks[:: RATE // 100] = 0.5
    image = StabilizedAuditoryImage(RATE, min_lag_s=0.002, max_lag_s=0.015)
    mean = image.fit_transform(carfac.transform([clicks]))[0][..., -1].mean(axis=0)
    found_ms = 1000 * float(image.lags_s_[mean.argmax()])
    yield Row("StabilizedAuditoryImage", "published", "period of clicks, in ms", found_ms, 0.1, 10, MADE)
    for delay_ms in (4, 8, 16):
        pitches = Pitchogram(RATE, channel_frequencies_hz=carfac.pole_frequencies_hz_, min_lag_s=0.003)
        frames = pitches.fit_transform(carfac.transform([rippled_noise(delay_ms / 1000)]))[0]
        found_ms = 1000 * float(pitches.lags_s_[frames[:, 20:].mean(axis=1).argmax()])
        what = f"pitch of iterated rippled noise with a delay of {delay_ms} ms, in ms"
        yield Row("Pitchogram", "published", what, found_ms, 0.03 * delay_ms, delay_ms, MADE)


def rippled_noise(delay_s: float) -> np.ndarray:
    """A second of noise at 65 dB SPL, to which it was added after a delay, sixteen times."""
    delay = round(delay_s * RATE)
    x = np.random.default_rng(21).standard_normal(RATE + 16 * delay)
    for _ in range(16):
        x[delay:] = x[delay:] + x[:-delay]
    return np.asarray(audio.set_level(x[-RATE:], 65))
