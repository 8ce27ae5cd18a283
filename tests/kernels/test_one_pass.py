"""What the CPU computes in one pass over its arrays is what arrays of other libraries go through step by step."""

import array_api_strict
import numpy as np
import pytest

from skaud.kernels.cochlear import compress, compress_adjoint
from skaud.kernels.filtered_spectra import filtered_adjoint, filtered_frames
from skaud.kernels.inhibited_sums import inhibited_sums, inhibited_sums_adjoint
from skaud.kernels.leaky_integrator import weights, weights_slope

LIMIT = {"float32": 1e-6, "float64": 1e-14}
PERIODS = (1, 7, 16, 80)  # of fewer samples than lanes, of some more, of whole lanes


def assert_same(found, expected, limit):
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < limit * np.abs(expected).max()


def channels(dtype, period):
    """Some rows, channels and blocks of 5 periods, as they lie in the results of longer FFTs."""
    random = np.random.default_rng(0)
    return random.standard_normal((2, 4, 3, 6 * period))[..., : 5 * period].astype(dtype)


@pytest.mark.parametrize("dtype", LIMIT)
@pytest.mark.parametrize("period", PERIODS)
def test_sums_of_what_inhibition_leaves_are_those_of_two_steps(period, dtype):
    x, inhibition, own = channels(dtype, period), np.array([1.1, -0.9]), weights(0.99, period)
    found = inhibited_sums(x, inhibition, own)
    assert found.dtype == dtype
    assert_same(found, inhibited_sums(array_api_strict.asarray(x), inhibition, own), LIMIT[dtype])


@pytest.mark.parametrize("dtype", LIMIT)
@pytest.mark.parametrize("period", PERIODS)
def test_bars_of_inhibited_sums_are_those_of_two_steps(period, dtype):
    x, inhibition = channels(dtype, period), np.array([1.1, -0.9])
    bar = np.random.default_rng(1).standard_normal((2, 3, 3, 5)).astype(dtype)
    own, slopes = weights(0.99, period), weights_slope(0.99, period)
    found = inhibited_sums_adjoint(bar, x, inhibition, own, slopes)
    strict = [array_api_strict.asarray(array) for array in (bar, x)]
    expected = inhibited_sums_adjoint(*strict, inhibition, own, slopes)
    for bars, others in zip(found[: 3 if period > 1 else 2], expected):  # of 1 sample there is no slope
        assert_same(bars, others, LIMIT[dtype])


@pytest.mark.parametrize("dtype", LIMIT)
def test_powers_beyond_the_range_and_of_nan_are_told(dtype):
    x = np.array([[[1.5, 0.5, -2.0, 0.0, np.nan]]], dtype)
    with np.errstate(over="ignore"):
        out = compress(x, np.array([1e6]))[0, 0]
    np.testing.assert_array_equal(out[[0, 2, 3, 4]], [np.inf, -np.inf, 0, np.nan])
    assert abs(out[1]) < 2e-38
    assert np.isnan(compress(x, np.array([np.nan]))).all()


def test_inhibition_has_no_slope_where_it_leaves_nothing():
    x = np.zeros((1, 2, 1, 4))
    bars = inhibited_sums_adjoint(np.ones((1, 1, 1, 2)), x, np.array([1.0, -1.0]), np.ones(2), np.ones(2))
    assert not any(own.any() for own in bars)


def test_nan_goes_through_inhibited_sums():
    x = np.zeros((1, 2, 1, 4))
    x[0, 0, 0, 1] = np.nan
    sums = inhibited_sums(x, np.array([1.0, -1.0]), np.ones(2))
    assert np.isnan(sums[0, 0, 0, 0])
    assert sums[0, 0, 0, 1] == 0


@pytest.mark.parametrize("dtype", LIMIT)
@pytest.mark.parametrize("passed", [slice(0, 8), slice(8, 16), slice(0, 16), slice(3, 4)])
def test_frames_of_filtered_spectra_are_those_of_several_steps(passed, dtype):
    random, kind = np.random.default_rng(0), np.result_type(dtype, np.complex64)
    spectrum = (random.standard_normal((2, 5, 16)) + 1j * random.standard_normal((2, 5, 16))).astype(kind)
    transfer, scale = np.zeros((3, 1, 16), kind), random.uniform(size=(3, 4, 1)).astype(dtype)
    transfer[..., passed] = random.standard_normal((3, 1, 16))[..., passed] + 1j
    strict = [array_api_strict.asarray(own) for own in (spectrum, transfer, scale)]
    found = filtered_frames(spectrum, transfer, scale, passed, slice(2, 9), 6)
    expected = filtered_frames(*strict, passed, slice(2, 9), 6)
    assert found.dtype == kind
    assert found.shape == (2, 3, 6, 7)
    assert_same(found[:, :, :4], expected, LIMIT[dtype])
    assert not found[:, :, 4].any()  # of scales beyond those that the filters pass


@pytest.mark.parametrize("dtype", LIMIT)
@pytest.mark.parametrize("passed", [slice(0, 8), slice(8, 16), slice(0, 16), slice(3, 4)])
def test_bars_of_filtered_spectra_are_those_of_several_steps(passed, dtype):
    random, kind = np.random.default_rng(0), np.result_type(dtype, np.complex64)

    def complexes(*shape):
        return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(kind)

    arrays = complexes(2, 3, 5, 16), complexes(2, 5, 16), complexes(3, 16), random.uniform(size=(3, 5)).astype(dtype)
    strict = [array_api_strict.asarray(own) for own in arrays]
    found, expected = filtered_adjoint(*arrays, passed), filtered_adjoint(*strict, passed)
    for own, other, own_kind in zip(found, expected, (kind, kind, dtype)):
        assert own.dtype == own_kind
        assert_same(own, other, LIMIT[dtype])


@pytest.mark.parametrize("kind", ["complex64", "complex128"])
@pytest.mark.parametrize("of_scale", ["float32", "float64"])
def test_scales_of_another_precision_are_taken_in_that_of_the_spectra(of_scale, kind):  # as NumPy 1 makes them
    random = np.random.default_rng(0)
    spectra = [
        random.standard_normal((*shape, 2)).view(complex)[..., 0] for shape in ((2, 3, 5, 16), (2, 5, 16), (3, 16))
    ]
    scale = random.uniform(size=(3, 5)).astype("float32")
    arrays = [own.astype(kind) for own in spectra]
    found = filtered_adjoint(*arrays, scale.astype(of_scale), slice(0, 8))
    expected = filtered_adjoint(*arrays, scale.astype(arrays[0].real.dtype), slice(0, 8))
    for own, other in zip(found, expected):
        assert own.dtype == other.dtype
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("dtype", LIMIT)
@pytest.mark.parametrize("exponents", [(1.0, 1.0, 1.0), (0.3, 1.0, 2.5)], ids=["1", "several"])
def test_bars_of_compression_are_those_of_several_steps(exponents, dtype):
    x, exponents = np.random.default_rng(0).standard_normal((2, 3, 2, 700)).astype(dtype), np.array(exponents)
    x[0, :, 0, :3] = 0, 1e-39, 1e10  # silence, what is below the smallest normal number in float32, what is loud
    bar, out = np.random.default_rng(1).standard_normal(x.shape).astype(dtype), compress(x, exponents)
    found = compress_adjoint(bar, x, out, exponents)
    expected = compress_adjoint(*map(array_api_strict.asarray, (bar, x, out)), exponents)
    for own, other in zip(found, expected):
        assert_same(own, other, LIMIT[dtype])
    assert_same(found[0][1], expected[0][1, ...], LIMIT[dtype])  # without what is loud
    assert_same(found[1][1], expected[1][1, ...], LIMIT[dtype])
