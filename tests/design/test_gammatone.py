import numpy as np
import pytest

from skaud.design import gammatone as design

RATE = 44100


def response(coefficients, frequencies_hz, sample_rate=RATE):
    """Complex gain (n_channels, n_frequencies) of the four sections."""
    z = np.exp(2j * np.pi * np.asarray(frequencies_hz) / sample_rate)
    return (coefficients.b[:, None] / (1 - (1 + coefficients.step[:, None]) / z)) ** design.ORDER


def test_centre_frequencies_are_those_of_the_toolbox(golden):
    wanted = golden("osses2021_amt.npz")["jepsen2008_44100/fc"]
    np.testing.assert_allclose(design.center_frequencies(80, 8000, "centered"), wanted, rtol=1e-12)


def test_endpoints_are_included():
    center_hz = design.center_frequencies(80, 8000, "endpoints")
    assert len(center_hz) == 31
    assert center_hz[[0, -1]] == pytest.approx([80, 8000])


def test_erb_scale_is_its_own_inverse_and_steps_are_one_bandwidth():
    center_hz = design.center_frequencies(80, 8000, "centered")
    np.testing.assert_allclose(design.erb_number_to_hz(design.erb_number(center_hz)), center_hz)
    np.testing.assert_allclose(np.diff(design.erb_number(center_hz)), 1)
    np.testing.assert_allclose(np.gradient(center_hz) / design.erb_hz(center_hz), 1, atol=0.06)


@pytest.mark.parametrize("sample_rate", [16001, 44100, 192000])
def test_gain_is_1_at_the_centre_and_the_bandwidth_is_1_erb(sample_rate):
    center_hz = design.center_frequencies(80, 7000, "endpoints")
    coefficients = design.design_gammatone(center_hz, sample_rate)
    # The poles turn clockwise, so that it is the negative frequency that they pass.
    np.testing.assert_allclose(np.abs(np.diag(response(coefficients, -center_hz, sample_rate))), 1, rtol=1e-9)
    grid = np.linspace(-sample_rate / 2, sample_rate / 2, 200001)
    power = np.abs(response(coefficients, grid, sample_rate)) ** 2
    erb = power.sum(axis=1) * (grid[1] - grid[0])
    # Patterson et al. 1987: the width of the pole is such that the filter has the bandwidth of the ear's.
    low = center_hz < sample_rate / 10
    np.testing.assert_allclose(erb[low], design.erb_hz(center_hz)[low], rtol=0.02)


def test_bandwidth_factor_scales_the_bandwidth():
    center_hz = np.array([1000.0])
    grid = np.linspace(-3000, 1000, 40001)
    widths = [
        (np.abs(response(design.design_gammatone(center_hz, RATE, factor), grid)) ** 2).sum() for factor in (1, 2)
    ]
    assert widths[1] / widths[0] == pytest.approx(2, rel=0.01)
