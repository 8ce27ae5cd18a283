"""Pooling block by block against pooling at once."""

import itertools
import weakref
from unittest import mock

import numpy as np
import pytest

from skaud import CARFAC, GammatoneFilterbank, Osses2021, TemporalPooling
from skaud.pooling.arrays import pool, pool_arrays
from skaud.pooling.running import RunningPool, can_run

RATE = 16000
STATISTICS = ("mean", "std", "min", "max", "delta_mean", "delta_std", "delta_min", "delta_max", "delta_delta_std")
BANK = {"sample_rate": RATE, "high_hz": 7000}


def run(frames, statistics, segments, *borders):
    running = RunningPool(frames.shape[-1], statistics, segments)
    for begin, end in itertools.pairwise((0, *borders, frames.shape[-1])):
        running.add(frames[..., begin:end])
    return running.result()


@pytest.mark.parametrize("borders", [(1,), (50,), (1, 2, 3, 40, 99), range(1, 100)], ids=str)
@pytest.mark.parametrize("segments", [1, 3, 7, 150])
def test_blocks_of_any_length_pool_as_the_whole(segments, borders):
    frames = np.random.default_rng(0).standard_normal((2, 3, 100))
    found, wanted = run(frames, STATISTICS, segments, *borders), pool(frames, STATISTICS, segments)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_blocks_pool_as_the_whole_where_statistics_have_parts_of_their_own():
    frames, parts = np.random.default_rng(0).standard_normal((3, 100)), {"mean": 4, "delta_std": 1, "max": 2}
    np.testing.assert_allclose(run(frames, parts, 1, 7, 60), pool(frames, parts), rtol=1e-12)
    assert can_run(parts)
    assert not can_run(parts | {"median": 1})


def test_a_small_deviation_from_a_large_mean_is_not_lost():
    frames = 1e8 + np.random.default_rng(0).standard_normal((1, 10000))
    (found,) = run(frames, "std", 1, *range(100, 10000, 100))
    assert found == pytest.approx(np.std(frames), rel=1e-8)


def test_features_have_the_dtype_of_the_frames_and_sums_do_not():
    frames = np.full((1, 2**16), 0.1, np.float32)
    found = run(frames, ("mean", "std"), 1, *range(1, 2**16, 64))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0.1, 0], atol=1e-8)  # a sum in float32 is off by 1e-4 here


def test_a_block_that_is_the_whole_is_pooled_by_any_statistic_and_to_the_bit():
    frames = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    for statistics in (STATISTICS, ("median", np.ptp)):
        np.testing.assert_array_equal(run(frames, statistics, 2), pool(frames, statistics, 2))


def test_a_block_that_is_the_whole_is_not_held():
    frames = np.random.default_rng(0).standard_normal((3, 50))
    held, running = weakref.ref(frames), RunningPool(50, "median")
    running.add(frames)
    del frames
    assert held() is None
    assert running.result().shape == (3,)


def test_frames_that_are_not_numbers_are_not_hidden():
    frames = np.ones((1, 9))
    frames[0, 4] = np.nan
    assert np.isnan(run(frames, STATISTICS, 1, 3, 6)).all()


def test_order_statistics_and_callables_need_all_frames():
    assert can_run("mean")
    assert can_run(STATISTICS)
    for needs_all in ("median", "p95", "delta_p5", np.mean, ("mean", "median")):
        assert not can_run(needs_all)


# In the models


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize(
    "model",
    [
        CARFAC(RATE, erb_per_step=1),
        CARFAC(RATE, erb_per_step=1, output="receptor_potential", frame_length=None),
        Osses2021(**BANK),
        Osses2021(**BANK, output="adaptation", frame_length=None),
        Osses2021(**BANK, output="middle_ear", phase="amt"),
        Osses2021(**BANK, output="headphone", frame_length=None),
        GammatoneFilterbank(**BANK, frame_length=0.01),
    ],
    ids=lambda model: f"{type(model).__name__} {model.output} {model.frame_length}",
)
def test_long_clips_have_the_features_of_their_frames(model, segments, monkeypatch):
    random = np.random.default_rng(0)
    mono = [0.05 * random.standard_normal(n) for n in (20000, 100, 9000, 20480, 3200)]
    binaural = [0.05 * random.standard_normal((2, n)) for n in (10000, 20000)]
    for clips in (mono, binaural):
        fitted = model.set_params(pooling=TemporalPooling(STATISTICS, segments)).fit(clips)
        wanted = fitted.transform(clips)  # as a whole: no clip has so many frames
        monkeypatch.setattr(type(model), "frames_held", 20 if model.frame_length else 3200)
        monkeypatch.setattr(type(fitted.engine_), "frames_at_once", 20)
        monkeypatch.setattr("skaud.engines.engine.BLOCK", 3200)
        counted = mock.patch.object(RunningPool, "add", autospec=True, side_effect=RunningPool.add)
        with counted as add:
            found = fitted.transform(clips)
        monkeypatch.undo()
        assert add.call_count > len(clips)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6 * scale)
        if clips is mono:  # short enough to be pooled at once, beside longer ones: the same to the bit
            np.testing.assert_array_equal(found[[1, 4]], wanted[[1, 4]])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_long_clip_has_the_same_features_alone_and_beside_others(n_jobs, monkeypatch):
    monkeypatch.setattr(CARFAC, "frames_held", 20)
    clips = [0.05 * np.random.default_rng(n).standard_normal(n) for n in (20000, 9000, 12345, 100, 15000)]
    model = CARFAC(RATE, erb_per_step=1, n_jobs=n_jobs).fit(clips)
    together = model.transform(clips)
    for clip, features in zip(clips, together):
        np.testing.assert_array_equal(model.transform([clip])[0], features)


def test_order_statistics_of_long_clips_are_those_of_all_frames(monkeypatch):
    clips = [0.05 * np.random.default_rng(0).standard_normal(20000)]
    model = CARFAC(RATE, erb_per_step=1, pooling=("median", "mean")).fit(clips)
    wanted = model.transform(clips)
    monkeypatch.setattr(CARFAC, "frames_held", 20)
    np.testing.assert_array_equal(model.transform(clips), wanted)


def test_a_long_clip_that_leaves_the_range_of_the_dtype_is_refused(monkeypatch):
    monkeypatch.setattr(Osses2021, "frames_held", 20)
    with pytest.raises(ValueError, match=r"X\[0\] reaches 1e\+39"):
        Osses2021(**BANK).fit(np.zeros((1, 20000))).transform(np.full((1, 20000), 1e39))


def of_numbers(frames, axis):
    return np.nanmean(frames, axis=axis)


def test_a_statistic_that_passes_over_what_is_no_number_hides_no_overflow():
    model = Osses2021(**BANK, pooling=of_numbers).fit(np.zeros((1, 20000)))
    with pytest.raises(ValueError, match=r"X\[0\] reaches 1e\+39"):
        model.transform(np.full((1, 20000), 1e39))


def test_the_callers_statistic_takes_one_signal_at_a_time_and_names_give_what_each_signal_alone_gives():
    signals, seen = np.random.default_rng(5).standard_normal((3, 2, 4, 9)), []

    def spread(frames, axis):
        seen.append(frames.shape)
        return frames.max(axis=axis) - frames.min(axis=axis)

    for statistics in (("mean", spread), STATISTICS):
        together = pool_arrays(signals, statistics, 2)
        np.testing.assert_array_equal(together, [pool(own, statistics, 2) for own in signals])
    assert {shape[:-1] for shape in seen} == {(2, 4)}
