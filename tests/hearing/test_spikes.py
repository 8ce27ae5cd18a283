"""Spikes: counts have the rate, intervals the refractoriness, trains nothing to do with each other."""

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


@pytest.mark.parametrize(
    ("rates", "options", "named"),
    [
        ([900.0], {}, r"900 spikes/s.*at most 800.*rate of one fibre"),
        ([-1.0], {}, "rates_per_s holds negative"),
        ([np.nan], {}, "rates_per_s holds"),
        ([1.0], {"absolute_s": -1}, "absolute_s=-1"),
        ([1.0], {"n_trains": 0}, "n_trains=0"),
        (1.0, {}, "last axis"),
    ],
)
def test_errors_name_what_is_wrong(rates, options, named):
    with pytest.raises(ValueError, match=named):
        spikes(rates, RATE, **options)
