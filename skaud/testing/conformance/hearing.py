"""Spikes at a rate, thresholds by the health of outer hair cells, and audiograms fitted by it."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skaud import CARFAC, Audiogram
from skaud.fitting import predicted_audiogram
from skaud.hearing import spikes
from skaud.testing.conformance.row import Row

RATE = 22050
STANDARD = ("N1", "N2", "N3", "S1", "S2")
BISGAARD = "a bound of this package, at losses 3 dB and more inside the reach of outer hair cells; Bisgaard et al. 2010"
FIBRES = "published default of the synapse"
LINEAR = "gain of the linear cascade with healthy cells over that with these, summed over channels"
CLINIC_HZ = (125, 250, 500, 1000, 2000, 3000, 4000, 6000, 8000)
HEALTHS = ((22050, 0.8), (22050, 0.5), (22050, 0.0), (48000, 0.0))  # sample rate in Hz, health in all channels
REFRACTORY = "the rate and the dead time that they are drawn with"


def published(references: Path | None = None) -> Iterator[Row]:
    """Rates that were asked for, and audiograms that were given."""
    trains = spikes(np.full(RATE, 200.0), RATE, n_trains=200, random_state=0)
    yield Row("spikes", "published", "spikes a second", float(trains.sum(axis=1).mean()), 3, 200, REFRACTORY)
    (train,) = spikes(np.full(4 * RATE, 400.0), RATE, relative_s=0, random_state=0)
    shortest_ms = 1000 * float(np.diff(np.flatnonzero(train)).min()) / RATE
    yield Row("spikes", "published", "shortest interval, in ms", shortest_ms, 0.1, 0.75, REFRACTORY)
    model: Any = CARFAC(RATE, ihc_style="two_cap_with_syn", dtype="float64").fit()
    silent = model.simulate(np.zeros((1, RATE // 10)), "spikes_per_s").spikes_per_s[0, 40, :, -1]
    for name, rate, of_all, fibres in zip(
        ("high", "medium", "low"), (50, 6, 1), silent, model.n_fibers_[40], strict=True
    ):
        found = float(of_all / (model.ihcs_per_channel * fibres))
        yield Row("CARFAC", "published", f"spontaneous rate of the {name} class, spikes/s", found, 0.01, rate, FIBRES)
    yield from losses()
    yield from audiograms()


def losses() -> Iterator[Row]:
    """Thresholds in dB HL that a health in all channels leaves, and how far outer hair cells reach."""
    frequencies_hz = np.array(CLINIC_HZ, float)
    for sample_rate, health in HEALTHS:
        healthy = CARFAC(sample_rate, dtype="float64").fit()
        model: Any = CARFAC(sample_rate, ohc_health=health, dtype="float64").fit()
        powers = [(np.abs(ear.transfer_function(frequencies_hz)) ** 2).sum(axis=0) for ear in (healthy, model)]
        expected_db = 10 * np.log10(powers[0] / powers[1])
        found: Any = predicted_audiogram(model, frequencies_hz)
        for hz, own, expected in zip(CLINIC_HZ, found.thresholds_db_hl, expected_db.round(1), strict=True):
            what = f"threshold at {hz} Hz with health {health:g}, {sample_rate} Hz, in dB HL"
            yield Row("CARFAC", "published", what, float(own), 1, float(expected), LINEAR)


def audiograms() -> Iterator[Row]:
    """Largest error of fitted thresholds, in dB."""
    for sample_rate in (22050, 48000):
        passive = CARFAC(sample_rate, ohc_health=0.0).fit()
        for name in STANDARD:
            given: Any = Audiogram.standard(name)
            reach: Any = predicted_audiogram(passive, given.frequencies_hz)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of what is beyond the reach
                model = CARFAC(sample_rate, audiogram=given).fit()
            inside = given.thresholds_db_hl <= reach.thresholds_db_hl - 3
            found = float(np.abs(model.residual_loss_db_[inside]).max())
            what = f"audiogram {name} at {sample_rate} Hz, largest error in dB"
            yield Row("CARFAC", "published", what, found, 1, source=BISGAARD)
