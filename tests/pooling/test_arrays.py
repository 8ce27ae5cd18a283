"""Pooling where the frames lie: what pooling in NumPy gives, of all signals at once."""

from functools import partial

import cupy_stand_in
import numpy as np
import pytest
from audio_checks import error
from sklearn.base import clone

from skaud import TemporalPooling
from skaud.kernels.array_api import to_numpy
from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.arrays import pool, pool_arrays, pool_arrays_adjoint

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
DEVICE = strict.Device("device1")
FRAMES = np.random.default_rng(0).standard_normal((3, 2, 5, 11))
STATISTICS = [
    ("mean", 1),
    (("mean", "std"), 1),
    (("min", "max", "median", "p25", "p90.5", "delta_std", "delta_max"), 3),
    ({"mean": 4, "std": 1, "p10": 3}, 1),
    (("mean", "std"), 20),  # more parts than frames
]


def there(values):
    return strict.asarray(values, device=DEVICE)


@pytest.mark.parametrize(("statistics", "segments"), STATISTICS)
@pytest.mark.parametrize("n_frames", [11, 2, 1])
def test_every_statistic_is_that_of_numpy(statistics, segments, n_frames):
    frames = FRAMES[..., :n_frames]
    wanted = np.stack([pool(own, statistics, segments) for own in frames])
    found = pool_arrays(there(frames), statistics, segments)
    assert found.device == DEVICE
    np.testing.assert_allclose(to_numpy(found), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("statistics", "segments"), STATISTICS)
@pytest.mark.parametrize("n_frames", [11, 2, 1])
def test_every_adjoint_is_that_of_numpy(statistics, segments, n_frames):
    frames = FRAMES[..., :n_frames]
    bars = np.random.default_rng(1).standard_normal((3, len(pool(frames[0], statistics, segments))))
    wanted = np.stack([pool_adjoint(bar, own, statistics, segments) for bar, own in zip(bars, frames)])
    found = pool_arrays_adjoint(there(bars), there(frames), statistics, segments)
    np.testing.assert_allclose(to_numpy(found), wanted, rtol=1e-12, atol=1e-14)


def test_of_equal_frames_the_same_one_counts_as_in_numpy():
    frames = np.array([[[1.0, 3, 3, 0, 0]]])
    for name in ("min", "max", "median", "std"):
        wanted = pool_adjoint(np.ones(1), frames[0], name)
        found = to_numpy(pool_arrays_adjoint(there(np.ones((1, 1))), there(frames), name))[0]
        assert found.sum() == pytest.approx(wanted.sum())
        np.testing.assert_array_equal(
            to_numpy(pool_arrays_adjoint(there(np.ones((1, 1))), there(0 * frames), "std")), 0
        )


def test_a_transformer_pools_where_the_frames_lie_and_gives_them_back_there():
    lists = [FRAMES[0], FRAMES[1, ..., :7], FRAMES[2]]
    pooling = TemporalPooling(("mean", "p90"), segments=2)
    for X, wanted in ((FRAMES, pooling.fit_transform(FRAMES)), (lists, pooling.fit_transform(lists))):
        found = clone(pooling).fit_transform([there(own) for own in X] if isinstance(X, list) else there(X))
        assert found.device == DEVICE
        np.testing.assert_allclose(to_numpy(found), wanted, rtol=1e-12)


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "array_api_strict"])
def test_frames_of_a_library_of_the_host_give_features_of_that_library(library):
    xp = pytest.importorskip(library, reason=f"{library} is not installed")
    X = FRAMES.astype(np.float32)
    found = TemporalPooling().fit_transform(xp.asarray(X))
    assert type(found) is type(xp.asarray(X))
    np.testing.assert_array_equal(np.asarray(found), TemporalPooling().fit_transform(X))


def test_a_function_of_the_callers_is_called_where_the_frames_lie():
    def spread(frames, axis):
        return strict.max(frames, axis=axis) - strict.min(frames, axis=axis)

    found = TemporalPooling(spread).fit_transform(there(FRAMES))
    np.testing.assert_allclose(to_numpy(found), np.ptp(FRAMES, axis=-1).reshape(3, -1))
    for function in (np.ptp, lambda frames, axis: np.zeros(frames.shape[:-1])):
        with error((TypeError, ValueError), "the statistic", "array_api_strict on device1", "ToNumpy()"):
            TemporalPooling(function).fit_transform(there(FRAMES))


def test_bad_frames_on_a_device_are_named_as_on_the_host():
    pooling = TemporalPooling().fit(there(FRAMES))
    with error(ValueError, "X[0]", "(4,)", "(2, 5)"):
        pooling.transform(there(FRAMES[:, 0, :4]))
    with error(ValueError, "NaN or infinite"):
        pooling.transform(there(FRAMES * np.nan))
    with error(ValueError, "(0, 2, 5, 11)", "at least 1"):
        pooling.transform(there(FRAMES[:0]))
    with error(TypeError, "set_output asks for pandas", "device1", "ToNumpy()"):
        pooling.set_output(transform="pandas").transform(there(FRAMES))
    wide = np.full((1, 1, 2), 3e38, np.float32) * np.array([1, -1], np.float32)
    with error(ValueError, "X[0] reaches 3e+38", "std", "float32"):
        TemporalPooling("std").fit_transform(there(wide))


def test_frames_of_cupy_are_pooled_by_cupy():
    found = TemporalPooling(("mean", "std", "delta_p75")).fit_transform(cupy_stand_in.ndarray(FRAMES))
    assert type(found) is cupy_stand_in.ndarray
    np.testing.assert_allclose(found.get(), TemporalPooling(("mean", "std", "delta_p75")).fit_transform(FRAMES))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_frames", [1, 2, 9, 40])
def test_every_name_is_the_function_of_numpy(n_frames, dtype):
    frames = np.random.default_rng(3).standard_normal((2, 5, n_frames)).astype(dtype)
    differences = np.diff(frames, axis=-1) if n_frames > 1 else np.zeros_like(frames)
    functions = {name: getattr(np, name) for name in ("mean", "std", "min", "max", "median")}
    functions |= {f"p{q}": partial(np.percentile, q=q) for q in (0, 12.5, 95, 100)}
    for name, function in functions.items():
        for prefix, own in (("", frames), ("delta_", differences)):
            found = pool(frames, prefix + name)
            np.testing.assert_allclose(
                found, function(own, axis=-1).ravel(), rtol=1e-5 if dtype == "float32" else 1e-13
            )
            assert found.dtype == dtype
