"""Responses on their way to the caller."""

import re

import numpy as np
import pytest

from skaud import (
    CARFAC,
    AuditorySpectrogram,
    BiomimeticFrontend,
    CochlearFilterbank,
    Compression,
    Dau1997,
    GammatoneFilterbank,
    HeadphoneFilter,
    LateralInhibition,
    MiddleEarFilter,
    Osses2021,
    PowerLawCompression,
    TemporalPooling,
)
from skaud.estimator.results import stack


def test_arrays_that_lie_one_behind_the_other_are_stacked_without_a_copy():
    block = np.arange(60.0).reshape(5, 3, 4)
    stacked = stack([block[1], block[2], block[3]])
    np.testing.assert_array_equal(stacked, block[1:4])
    assert np.shares_memory(stacked, block)


@pytest.mark.parametrize(
    "arrays",
    [
        lambda block: [block[0], block[2]],
        lambda block: [block[2], block[1]],
        lambda block: [block[0], block[1].copy()],
        lambda block: [block[0].T, block[1].T],
        lambda block: [block[0, :2], block[1, :2]],
    ],
    ids=["apart", "in another order", "in another block", "transposed", "with gaps"],
)
def test_all_others_are_copied(arrays):
    arrays = arrays(np.arange(60.0).reshape(5, 3, 4))
    stacked = stack(arrays)
    np.testing.assert_array_equal(stacked, np.stack(arrays))
    assert not np.shares_memory(stacked, arrays[0])


MODELS = [
    CARFAC, Osses2021, Dau1997, BiomimeticFrontend, AuditorySpectrogram, HeadphoneFilter, MiddleEarFilter,
    GammatoneFilterbank, CochlearFilterbank,
]  # fmt: skip


def burst(peak, dtype="float32"):
    """Silence, one loud sample, silence: what FIR filters forget again."""
    clip = np.zeros(8000, dtype)
    clip[2000] = peak
    return clip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("pooling", [("mean", "std"), None])
@pytest.mark.filterwarnings("ignore")
def test_features_frames_and_full_responses_are_finite_or_an_error_names_clip_and_level(model, pooling):
    takes_pooling = "pooling" in model().get_params()
    estimator = model(pooling=pooling) if takes_pooling else model()
    estimator.fit([burst(0.01)])
    n_refused = 0
    for peak in (1e20, 1e30, 3.4e38):
        clips = [burst(0.01), burst(peak)]
        for run in (estimator.transform, getattr(estimator, "simulate", estimator.transform)):
            try:
                responses = run(clips)
            except ValueError as error:
                n_refused += 1
                wanted = rf"X\[1\].*reaches {re.escape(f'{peak:.3g}')}, a level of \d+ dB"
                assert re.match(wanted, str(error))  # noqa: PT017
            else:
                arrays = responses.values() if isinstance(responses, dict) else [responses]
                assert all(np.isfinite(part).all() for array in arrays for part in array)
    if model in (CARFAC, AuditorySpectrogram):
        assert n_refused


@pytest.mark.filterwarnings("ignore")
def test_a_spread_that_overflows_is_an_error_that_names_the_feature():
    clips = [burst(0.01), burst(1e20)]
    estimator = AuditorySpectrogram(pooling=("mean", "std")).fit(clips)
    with pytest.raises(ValueError, match=r"X\[1\] gives spectrogram_[0-9]+hz_std=inf, and \d+ more"):
        estimator.transform(clips)
    with pytest.raises(ValueError, match=r"X\[1\] gives spectrogram_[0-9]+hz_std=inf, and \d+ more"):
        estimator.vjp(clips)
    frames = [np.ones((2, 4), "float32"), np.array([[0, 1e30, 0, 1e30]] * 2, "float32")]
    with pytest.raises(ValueError, match=r"X\[1\] reaches 1e\+30, and its channel0_std is inf"):
        TemporalPooling("std").fit(frames).transform(frames)


@pytest.mark.parametrize("stage", [PowerLawCompression(3.0), LateralInhibition((1e30, 1e30))])
@pytest.mark.filterwarnings("ignore")
def test_stages_refuse_responses_that_overflow(stage):
    x = np.full((1, 2, 50), 1e30, "float32")
    with pytest.raises(ValueError, match=r"X\[0\] reaches 1e\+30"):
        stage.fit(x).transform(x)


@pytest.mark.parametrize("method", ["transform", "simulate", "transform_chunk", "vjp"])
def test_a_burst_beyond_the_range_is_refused_where_the_response_comes_back(method):
    burst = np.zeros((1, 1, 200), np.float32)
    burst[..., 20:30] = 0.3
    stage = Compression(compression_exponent=500.0, compression_knee_db=75.0).fit(burst)
    stream = (stage.initial_state(1),) if method == "transform_chunk" else ()
    with pytest.raises(ValueError, match=r"beyond what Compression can compute in float32.*compression_exponent=500"):
        getattr(stage, method)(burst, *stream)
