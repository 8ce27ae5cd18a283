import numpy as np
import pytest
from audio_checks import error
from scipy import signal

from skaud.design import ears as design

RATE = 44100
BAND_HZ = np.linspace(100, 9000, 500)


def gain_db(fir, frequencies_hz=BAND_HZ, sample_rate=RATE):
    return 20 * np.log10(np.abs(signal.freqz(fir, worN=frequencies_hz, fs=sample_rate)[1]))


@pytest.mark.parametrize("kind", design.MIDDLE_EARS)
def test_firs_are_those_of_the_toolbox(golden, kind):
    numbers = golden("osses2021_amt.npz")
    headphone = design.design_ear(design.headphone_table(), RATE, "amt")
    np.testing.assert_allclose(headphone.fir, numbers[f"{kind}_44100/headphone_fir"], atol=1e-15)
    table = design.middle_ear_table(kind, RATE)
    ear = design.design_ear(table, RATE, "amt", normalise=True, amt_minimum=kind == "lopezpoveda2001")
    np.testing.assert_allclose(ear.fir, design.unit_peak(numbers[f"{kind}_44100/middleear_fir"]), atol=1e-14)
    assert headphone.advance == ear.advance == 257


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100, 96000, 192000])
@pytest.mark.parametrize("kind", design.MIDDLE_EARS)
def test_every_rate_has_a_middle_ear_that_gains_nothing(kind, sample_rate):
    table = design.middle_ear_table(kind, sample_rate)
    for phase in design.PHASES:
        ear = design.design_ear(table, sample_rate, phase, normalise=True)
        assert np.abs(np.fft.rfft(ear.fir, 16384)).max() == pytest.approx(1, rel=1e-6)


def test_headphone_gains_are_the_published_ones():
    ear = design.design_ear(design.headphone_table(), RATE, "minimum")
    frequencies, gains = design.headphone_table()
    broad = (frequencies > 200) & (frequencies < 2300)  # where the gains change slowly against the filter's 86 Hz
    np.testing.assert_allclose(gain_db(ear.fir, frequencies[broad]), 20 * np.log10(gains[broad]), atol=0.2)


def test_minimum_phase_keeps_the_magnitude_and_brings_energy_first():
    linear = design.linear_phase_fir(design.headphone_table(), RATE)
    minimum = design.minimum_phase(linear)
    np.testing.assert_allclose(gain_db(minimum), gain_db(linear), atol=1e-9)
    assert (minimum[:60] ** 2).sum() > 0.99 * (minimum**2).sum()
    assert (linear[:196] ** 2).sum() < 0.01 * (linear**2).sum()


@pytest.mark.parametrize("sample_rate", [8000, 44100, 192000])
def test_phases_share_their_gains(sample_rate):
    below = np.linspace(100, min(9000, 0.45 * sample_rate), 500)
    for table in (
        design.headphone_table(),
        *(design.middle_ear_table(kind, sample_rate) for kind in design.MIDDLE_EARS),
    ):
        minimum, zero, amt = (
            gain_db(design.design_ear(table, sample_rate, phase).fir, below, sample_rate) for phase in design.PHASES
        )
        np.testing.assert_allclose(minimum, amt, atol=1e-3)
        np.testing.assert_allclose(zero, amt, atol=1e-3)


def test_zero_phase_is_symmetric_about_its_advance():
    fir, advance = design.design_ear(design.headphone_table(), RATE, "zero")
    np.testing.assert_allclose(fir, fir[::-1], atol=1e-15)
    assert advance == len(fir) // 2
    assert np.fft.rfft(np.roll(fir, -advance)).real.min() > -1e-3


def test_a_table_of_ones_own_is_checked():
    with error(ValueError, "frequencies_hz=500", "must lie above", "1000 Hz", "sort"):
        design.user_table([250, 1000, 500], [0, 0, 0])
    with error(ValueError, "gains_db has shape (2,)", "frequencies_hz (3,)"):
        design.user_table([250, 1000, 5000], [0, 0])
    with error(ValueError, "must be finite"):
        design.user_table([250, 1000], [0, np.nan])
    with error(ValueError, "frequencies_hz=9000", "4000 Hz", "raise sample_rate"):
        design.linear_phase_fir(design.user_table([9000, 9500], [0, 0]), 8000)
