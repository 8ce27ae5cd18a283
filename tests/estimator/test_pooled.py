"""Pooled features of clips that are long, against those of their frames at once."""

import tracemalloc
from unittest import mock

import numpy as np
import pytest

from skaud import CARFAC, CorticalSTRF, GammatoneFilterbank, Osses2021, TemporalPooling
from skaud.pooling.running_pool import RunningPool

RATE = 16000
STATISTICS = ("mean", "std", "min", "max", "delta_mean", "delta_std", "delta_min", "delta_max", "delta_delta_std")
BANK = {"sample_rate": RATE, "high_hz": 7000}


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


def test_a_long_clip_at_another_level_is_not_held_twice():
    clip = np.full(1200 * 8000, 0.01, np.float32)
    model = CARFAC(8000, erb_per_step=4, rms_one_db_spl=100).fit([clip])
    assert model.gain() != 1
    model.transform([clip[: 60 * 8000]])
    tracemalloc.start()
    try:
        model.transform([clip])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.3 * clip.nbytes


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


@pytest.mark.parametrize("statistics", [("mean", "delta_std"), ("median", "mean")], ids=str)
def test_a_stage_whose_filters_are_pooled_some_after_others_has_the_features_of_all_at_once(statistics, monkeypatch):
    X = np.abs(np.random.default_rng(0).standard_normal((2, 2, 64, 1500)))
    stage = CorticalSTRF(8, frame_rate_hz=200, channels_per_octave=12, dtype="float64", pooling=statistics).fit(X)
    wanted = stage.transform(X)
    monkeypatch.setattr(CorticalSTRF, "frames_held", 1000)
    np.testing.assert_allclose(stage.transform(X), wanted, rtol=1e-9, atol=1e-12)
