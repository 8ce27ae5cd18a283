import numpy as np
import pytest
from scipy import signal

from skaud.design import modulation as design

RATE = 44100


def gain(coefficients, k, frequencies_hz):
    """Gain of filter k to a complex modulation."""
    z = np.exp(2j * np.pi * np.asarray(frequencies_hz) / RATE)
    return np.abs(coefficients.b[k] / (1 - (1 + coefficients.step[k]) / z))


def test_frequencies_are_those_of_the_toolbox(golden):
    numbers = golden("osses2021_amt.npz")
    limits = design.channel_limits(numbers["jepsen2008_44100/fc"], 1000)
    np.testing.assert_allclose(design.modulation_frequencies(limits[-1], 2), numbers["jepsen2008_44100/mfc"])
    for channel, limit in enumerate(limits):
        n_filters = len(numbers[f"jepsen2008_44100/modulation_{channel:02d}"])
        assert len(design.modulation_frequencies(limit, 2)) == n_filters


def test_neighbours_of_constant_q_touch():
    frequencies = design.modulation_frequencies(1000, 2)[3:]
    np.testing.assert_allclose(frequencies[1:] / frequencies[:-1], 5 / 3)
    np.testing.assert_allclose(frequencies[1:] * (1 - 1 / 4), frequencies[:-1] * (1 + 1 / 4))


def test_transfer_peaks_at_the_centre_with_the_bandwidth_of_its_q():
    coefficients = design.design_modulation(design.modulation_frequencies(1000, 2), RATE, 2)
    for k in range(1, len(coefficients.center_hz)):
        center = coefficients.center_hz[k]
        grid = np.linspace(0, 3 * center, 30001)
        response = gain(coefficients, k, grid)
        assert grid[response.argmax()] == pytest.approx(center, rel=1e-3)
        assert response.max() == pytest.approx(1, rel=1e-6)
        passed = grid[response > np.sqrt(0.5)]
        assert np.ptp(passed) == pytest.approx(5 if center < 10 else center / 2, rel=2e-3)


def test_lowest_filter_is_a_butterworth_low_pass():
    coefficients = design.design_modulation(np.array([0.0, 5.0, 10.0]), RATE, 2)
    x = np.zeros(RATE)
    x[0] = 1
    state = signal.lfilter([coefficients.b[0]], [1, -(1 + coefficients.step[0])], x)
    y = coefficients.direct[0] * x + (coefficients.mix[0].conjugate() * state).real
    wanted = signal.sosfilt(signal.butter(2, 2.5, fs=RATE, output="sos"), x)
    np.testing.assert_allclose(y, wanted, atol=1e-8 * np.abs(wanted).max())


@pytest.mark.parametrize(("kind", "factor"), [("jepsen2008", np.sqrt(2)), ("dau1997", 2)])
def test_magnitudes_have_the_factor_of_the_publication(kind, factor):
    coefficients = design.design_modulation(
        design.modulation_frequencies(100, 2), RATE, 2, attenuation=design.ATTENUATION[kind]
    )
    np.testing.assert_allclose(coefficients.mix[1:], [2, 2] + [factor] * (len(coefficients.mix) - 3))
