"""Spikes: counts have the rate, intervals the refractoriness, trains nothing to do with each other."""

import re

import numpy as np
import pytest

from skaud import CARFAC, datasets
from skaud.hearing import spikes

RATE = 20000


@pytest.mark.parametrize("rate_per_s", [5.0, 60.0, 200.0, 500.0])
@pytest.mark.parametrize("refractory", [(0, 0), (0.75e-3, 0.5e-3), (1e-3, 0)], ids=str)
def test_counts_have_the_rate(rate_per_s, refractory):
    absolute_s, relative_s = refractory
    counts = spikes(
        np.full(RATE // 2, rate_per_s), RATE, n_trains=400, absolute_s=absolute_s, relative_s=relative_s, random_state=1
    ).sum(axis=1)
    expected = rate_per_s / 2
    assert abs(counts.mean() - expected) < 4 * np.sqrt(expected / 400) + 0.003 * expected


def test_no_interval_is_shorter_than_the_absolute_refractoriness():
    (train,) = spikes(np.full(4 * RATE, 400.0), RATE, absolute_s=1e-3, relative_s=0, random_state=0)
    intervals = np.diff(np.flatnonzero(train)) / RATE
    assert 1e-3 <= intervals.min() < 1.2e-3


def test_relative_refractoriness_makes_short_intervals_rare():
    def share_below_2_ms(relative_s):
        trains = spikes(np.full(RATE, 200.0), RATE, n_trains=60, absolute_s=0, relative_s=relative_s, random_state=0)
        intervals = np.concatenate([np.diff(np.flatnonzero(train)) for train in trains]) / RATE
        return (intervals < 2e-3).mean()

    assert share_below_2_ms(0) == pytest.approx(1 - np.exp(-0.4), abs=0.02)  # exponential intervals
    assert share_below_2_ms(2e-3) < 0.6 * share_below_2_ms(0)


def test_counts_of_a_poisson_process_vary_as_much_as_their_mean_and_refractoriness_makes_them_regular():
    rates = np.full(RATE // 2, 200.0)
    free = spikes(rates, RATE, n_trains=500, absolute_s=0, relative_s=0, random_state=0).sum(axis=1)
    held = spikes(rates, RATE, n_trains=500, random_state=0).sum(axis=1)
    assert free.var() / free.mean() == pytest.approx(1, abs=0.2)
    assert held.var() / held.mean() < 0.75


def test_spikes_follow_a_rate_that_changes_and_silence_has_none():
    t = np.arange(RATE // 2) / RATE
    rates = 100 * (1 + np.sin(2 * np.pi * 20 * t))
    trains = spikes(np.stack([rates, np.zeros_like(rates)]), RATE, n_trains=300, random_state=0)
    assert trains.shape == (300, 2, RATE // 2)
    assert not trains[:, 1].any()
    locked = np.abs((trains[:, 0].mean(axis=0) * np.exp(-2j * np.pi * 20 * t)).sum()) / trains[:, 0].mean(axis=0).sum()
    assert locked == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("refractory", [(0, 0), (0.75e-3, 0.5e-3), (0.8e-3, 0.3e-3)], ids=str)
@pytest.mark.parametrize("modulation_hz", [2, 50, 200, 500])
def test_rates_that_change_within_a_dead_time_are_kept_as_well(modulation_hz, refractory):
    absolute_s, relative_s = refractory
    phase = 2 * np.pi * modulation_hz * np.arange(RATE) / RATE
    rates = 350 * (1 + np.sin(phase))
    n_trains = 150
    trains = spikes(rates, RATE, n_trains=n_trains, absolute_s=absolute_s, relative_s=relative_s, random_state=2)
    counts = trains.sum(axis=1)
    assert abs(counts.mean() - 350) < 4 * counts.std() / np.sqrt(n_trains)
    parts = (16 * modulation_hz * np.arange(RATE) // RATE) % 16  # the period histogram
    of_trains = np.stack([np.bincount(parts, weights=train, minlength=16) for train in trains])
    expected = np.bincount(parts, weights=rates / RATE)
    error = of_trains.std(axis=0) / np.sqrt(n_trains)
    assert (np.abs(of_trains.mean(axis=0) - expected) < 4 * error + 1e-9).all()


def test_a_free_fibre_takes_the_rate_as_its_probability():
    rates = 400 * (1 + np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE))
    counts = spikes(rates, RATE, n_trains=200, absolute_s=0, relative_s=0, random_state=0).sum(axis=1)
    assert abs(counts.mean() - 400) < 4 * np.sqrt(400 / 200)


def test_constant_rates_make_a_renewal_process_of_dead_time_recovery_and_chance():
    absolute_s, relative_s, rate_per_s, rate = 1e-3, 2e-3, 150.0, 100_000
    trains = spikes(
        np.full(rate, rate_per_s), rate, n_trains=60, absolute_s=absolute_s, relative_s=relative_s, random_state=0
    )
    intervals = np.concatenate([np.diff(np.flatnonzero(train)) for train in trains]) / rate
    hazard = rate_per_s / (1 - rate_per_s * (absolute_s + relative_s))
    t = np.array([1.5e-3, 3e-3, 6e-3, 12e-3])
    beyond = t - absolute_s  # P(interval > t) of the sum of two exponential times
    longer = (np.exp(-hazard * beyond) / relative_s - hazard * np.exp(-beyond / relative_s)) / (1 / relative_s - hazard)
    found = (intervals[:, np.newaxis] > t).mean(axis=0)
    np.testing.assert_allclose(found, longer, atol=4 * np.sqrt(0.25 / intervals.size) + 0.003)


def test_fibres_have_fired_before_the_first_sample():
    """A record that begins later has no other spikes: its first samples have the rate, and the same first wait."""
    options = {"n_trains": 4000, "absolute_s": 2e-3, "relative_s": 1e-3, "random_state": 0}
    rates = np.full(400, 200.0)
    early, late = (spikes(np.full(n, 200.0), RATE, **options)[:, -400:] for n in (400, 2400))
    for trains in (early, late):
        assert abs(trains[:, :40].sum(axis=1).mean() - 0.4) < 4 * np.sqrt(0.25 / 4000)
    waits = [np.where(trains.any(axis=1), trains.argmax(axis=1), rates.size) for trains in (early, late)]
    for part in (0.25, 0.5, 0.75):
        at = np.quantile(waits[1], part)
        assert (waits[0] <= at).mean() == pytest.approx((waits[1] <= at).mean(), abs=6 * np.sqrt(0.25 / 4000))


def test_an_instant_may_be_beyond_the_dead_time(recwarn):
    rates = np.full(RATE // 10, 100.0)
    rates[1000:1010] = 1500.0  # half a millisecond of an onset
    trains = spikes(rates, RATE, n_trains=4000, random_state=0)
    assert abs(trains[:, 1000:1010].sum(axis=1).mean() - 0.75) < 4 * np.sqrt(0.25 / 4000)
    assert not recwarn


def test_what_more_than_all_ready_fibres_would_have_to_fire_is_named_as_lost():
    rates = np.full((2, RATE // 10), 100.0)
    rates[1, 1000:1010] = 3000.0
    with pytest.warns(UserWarning, match="are lost") as warned:
        trains = spikes(rates, RATE, n_trains=2000, random_state=0)
    (message,) = [str(warning.message) for warning in warned]
    lost = re.fullmatch(
        r"rates_per_s\[1\] asks, from 0\.050\d* to 0\.05045 s, for more spikes than fibres are ready, refractory for "
        r"0\.00125 s after each: (\S+) of 11\.45 spikes, (\S+) %, are lost; lower or smooth.*",
        message,
    )
    assert float(lost[2]) == pytest.approx(100 * float(lost[1]) / 11.45, abs=0.1)
    counts = trains.sum(axis=-1)
    assert abs(counts[:, 0].mean() - 10) < 4 * counts[:, 0].std() / np.sqrt(2000)
    assert abs(counts[:, 1].mean() - (11.45 - float(lost[1]))) < 4 * counts[:, 1].std() / np.sqrt(2000)


def test_a_seed_gives_the_same_spikes_and_trains_differ():
    rates = np.full(2000, 150.0)
    first = spikes(rates, RATE, n_trains=2, random_state=3)
    np.testing.assert_array_equal(first, spikes(rates, RATE, n_trains=2, random_state=3))
    assert (first[0] != first[1]).any()


def test_the_spontaneous_rate_of_carfac_is_that_of_its_spikes():
    model = CARFAC(ihc_style="two_cap_with_syn").fit()
    (silence,) = datasets.make_tone(1000, duration_s=0.5, db_spl=1, sample_rate=22050)
    of_all = model.simulate([silence], "spikes_per_s").spikes_per_s[0][40, 0]  # high spontaneous rate
    one = of_all / (model.ihcs_per_channel * model.n_fibers_[40, 0])
    counts = spikes(one, 22050, n_trains=200, random_state=0).sum(axis=1)
    assert counts.mean() / 0.5 == pytest.approx(50, rel=0.1)


def test_fibres_of_carfac_fire_at_its_rates_from_the_onset_of_a_tone(recwarn):
    model = CARFAC(22050, ihc_style="two_cap_with_syn").fit()
    (tone,) = datasets.make_tone(500, 0.1, 22050, db_spl=60)
    of_all = model.simulate([tone], "spikes_per_s").spikes_per_s[0]
    channels = np.argsort(np.abs(model.channel_frequencies_hz_ - 500))[:3]
    one = (of_all / (model.ihcs_per_channel * model.n_fibers_[:, :, np.newaxis]))[channels].astype(float)
    assert one.max() > 1000  # the dead time alone allows 800
    counts = spikes(one, 22050, n_trains=300, random_state=0).sum(axis=-1)
    error = np.maximum(counts.std(axis=0), 0.3) / np.sqrt(300)
    assert (np.abs(counts.mean(axis=0) - one.sum(axis=-1) / 22050) < 4 * error).all()
    assert not recwarn


@pytest.mark.parametrize(
    ("rates", "options", "named"),
    [
        (np.full(400, 900.0), {}, r"rates_per_s has a mean of 900 spikes/s.* at most 784.1 times.*rate of one fibre"),
        (np.full((2, 3, 400), 900.0), {}, r"rates_per_s\[0, 0\] has a mean"),
        ([-1.0], {}, "rates_per_s holds negative"),
        ([np.nan], {}, "rates_per_s holds"),
        ([np.inf], {}, "rates_per_s holds"),
        (["a"], {}, r"rates_per_s=\['a'\] must hold real numbers"),
        ([1j], {}, r"rates_per_s=\[1j\] must hold real numbers"),
        ([[1.0], [1.0, 2.0]], {}, r"rates_per_s=\[\[1.0\], \[1.0, 2.0\]\] is not an array"),
        (1.0, {}, "last axis"),
        ([], {}, r"rates_per_s has shape \(0,\)"),
        ([1.0], {"absolute_s": -1}, "absolute_s=-1 must be a time in s"),
        ([1.0], {"absolute_s": "a"}, "absolute_s='a' must be a time in s"),
        ([1.0], {"relative_s": np.nan}, "relative_s=nan must be a time in s"),
        ([1.0], {"relative_s": 2}, "relative_s=2 must be a time in s from 0 to 1"),
        ([1.0], {"n_trains": 0}, "n_trains=0 must be a whole number of at least 1"),
        ([1.0], {"n_trains": 2.5}, "n_trains=2.5 must be a whole number"),
        ([1.0], {"n_trains": True}, "n_trains=True must be a whole number"),
        ([1.0], {"sample_rate": "x"}, "sample_rate='x' must be a number of Hz"),
        ([1.0], {"sample_rate": np.inf}, "sample_rate=inf must be a number of Hz"),
        ([1.0], {"sample_rate": 0}, "sample_rate=0 must be a number of Hz from 1"),
    ],
)
def test_errors_name_what_is_wrong(rates, options, named):
    with pytest.raises(ValueError, match=named):
        spikes(rates, **{"sample_rate": RATE} | options)


def test_masked_rates_are_refused():
    with pytest.raises(TypeError, match="rates_per_s is a masked array"):
        spikes(np.ma.array([1.0, 2.0], mask=[True, False]), RATE)
