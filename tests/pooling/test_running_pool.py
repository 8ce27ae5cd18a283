"""Pooling block by block against pooling at once."""

import itertools
import weakref

import numpy as np
import pytest

from skaud.pooling.arrays import pool, pool_arrays
from skaud.pooling.running_pool import RunningPool, can_run

STATISTICS = ("mean", "std", "min", "max", "delta_mean", "delta_std", "delta_min", "delta_max", "delta_delta_std")


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


def test_statistics_that_need_all_frames_hold_those_of_several_blocks():
    frames = np.random.default_rng(0).standard_normal((2, 3, 50)).astype(np.float32)
    for statistics in ("median", ("mean", np.ptp)):
        np.testing.assert_array_equal(run(frames, statistics, 2, 1, 20), pool(frames, statistics, 2))


def test_frames_that_are_not_numbers_are_not_hidden():
    frames = np.ones((1, 9))
    frames[0, 4] = np.nan
    assert np.isnan(run(frames, STATISTICS, 1, 3, 6)).all()


def test_order_statistics_and_callables_need_all_frames():
    assert can_run("mean")
    assert can_run(STATISTICS)
    for needs_all in ("median", "p95", "delta_p5", np.mean, ("mean", "median")):
        assert not can_run(needs_all)


def test_the_callers_statistic_takes_one_signal_at_a_time_and_names_give_what_each_signal_alone_gives():
    signals, seen = np.random.default_rng(5).standard_normal((3, 2, 4, 9)), []

    def spread(frames, axis):
        seen.append(frames.shape)
        return frames.max(axis=axis) - frames.min(axis=axis)

    for statistics in (("mean", spread), STATISTICS):
        together = pool_arrays(signals, statistics, 2)
        np.testing.assert_array_equal(together, [pool(own, statistics, 2) for own in signals])
    assert {shape[:-1] for shape in seen} == {(2, 4)}
