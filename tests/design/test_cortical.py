import numpy as np
import pytest
from plain_biomimetic import rate_tangent, scale_tangent

from skaud.design import cortical as design

RATES = np.array([2.0, -8.0, 31.0, -0.7])
SCALES = np.array([0.25, 2.0, 8.0, 0.01])


def test_the_log_init_is_a_grid_of_5_scales_and_8_rates():
    scales, rates = design.log_init(40)
    assert len({*zip(scales, rates)}) == 40
    np.testing.assert_allclose(np.unique(scales), 2 ** np.array([-2, -0.75, 0.5, 1.75, 3]))
    np.testing.assert_allclose(np.unique(np.abs(rates)), 2 ** np.linspace(1, 5, 4))
    assert (rates > 0).sum() == 20


def test_the_random_init_is_reproducible_and_within_9():
    scales, rates = design.random_init(1000, np.random.RandomState(3))
    np.testing.assert_array_equal(scales, design.random_init(1000, np.random.RandomState(3))[0])
    assert scales.min() > 0
    assert scales.max() < 9
    assert rates.min() < -8 < 8 < rates.max()


@pytest.mark.parametrize(("n", "padded"), [(1, 1), (2, 2), (3, 4), (128, 128), (129, 256), (200, 256)])
def test_the_length_of_half_the_fft_is_the_next_power_of_2(n, padded):
    assert design.padded_length(n) == padded


def test_a_rate_filter_peaks_with_1_near_its_rate():
    transfer = design.rate_filters(RATES[:3], 1024, 200.0).transfer
    np.testing.assert_allclose(np.abs(transfer).max(axis=1), 1)
    for filtered, rate in zip(np.abs(transfer), RATES):
        bin_hz = np.arange(1024) * 200 / 2048 - (100 if rate < 0 else 0)
        assert abs(bin_hz[filtered.argmax()] / rate - 1) < 0.15


def test_a_scale_filter_peaks_with_1_at_its_scale():
    transfer = design.scale_filters(np.array([0.75, 3.0]), 128, 24.0)
    np.testing.assert_allclose(transfer.max(axis=1), 1)
    np.testing.assert_array_equal(transfer.argmax(axis=1) / 128 * 12, [0.75, 3])
    np.testing.assert_array_equal(transfer[:, 0], 0)


def test_rates_and_scales_next_to_0_stay_finite():
    assert np.isfinite(design.rate_filters(np.array([1e-9, -1e-300]), 256, 200.0).transfer).all()
    tiny = np.array([1e-9, 1e-300])
    assert np.isfinite(design.scale_filters(tiny, 128, 24.0)).all()
    assert np.isfinite(design.scale_filters_slope(tiny, 128, 24.0)).all()
    assert np.isfinite(design.rate_filters_slope(np.array([1e-9, -1e-300]) + 1j * design.STEP, 256, 200.0)).all()


def test_a_single_frame_has_no_rate():
    filters = design.rate_filters(RATES, 1, 200.0)
    np.testing.assert_array_equal(filters.transfer, 0)
    np.testing.assert_array_equal(design.rate_filters_slope(RATES + 1j * design.STEP, 1, 200.0), 0)


def test_the_slope_of_the_rate_filters_includes_the_mean_and_the_maximum():
    rates_dot = np.random.default_rng(1).standard_normal(4)
    wanted = rate_tangent(RATES, rates_dot, 256, 200.0)
    found = design.rate_filters_slope(RATES + 1j * design.STEP, 256, 200.0) * rates_dot[:, np.newaxis]
    assert np.abs(found - wanted).max() < 1e-12 * np.abs(wanted).max()


def test_the_slope_of_the_scale_filters():
    scales_dot = np.random.default_rng(2).standard_normal(4)
    wanted = scale_tangent(SCALES, scales_dot, 128, 24.0)
    found = design.scale_filters_slope(SCALES, 128, 24.0) * scales_dot[:, np.newaxis]
    assert np.abs(found - wanted).max() < 1e-12 * np.abs(wanted).max()
