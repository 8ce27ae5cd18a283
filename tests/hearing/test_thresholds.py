import re

import numpy as np
import pytest

from skaud.hearing import hl_to_spl, reference_threshold_db_spl, spl_to_hl


def error(kind, *words):
    """The message holds these words, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(re.escape(word) for word in words))


def test_the_reference_is_the_threshold_of_iso_226_2023_at_one_third_octaves():
    third_octaves_hz = [20, 25, 31.5, 40, 50, 63, 80, 100, 125, 160, 200, 250, 315, 400, 500]
    third_octaves_hz += [630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000, 10000, 12500]
    threshold_db_spl = [78.1, 68.7, 59.5, 51.1, 44.0, 37.5, 31.5, 26.5, 22.1, 17.9, 14.4, 11.4, 8.6, 6.2, 4.4]
    threshold_db_spl += [3.0, 2.2, 2.4, 3.5, 1.7, -1.3, -4.2, -6.0, -5.4, -1.5, 6.0, 12.6, 13.9, 12.3]
    np.testing.assert_allclose(reference_threshold_db_spl(third_octaves_hz), threshold_db_spl, atol=1e-12)


def test_the_reference_is_that_of_iso_389_7_2019_at_the_other_audiometric_frequencies():
    between_hz = [750, 1500, 3000, 6000, 9000, 11200, 14000, 16000, 18000]
    threshold_db_spl = [2.4, 2.4, -5.8, 4.3, 13.9, 13.0, 18.4, 40.2, 70.4]
    np.testing.assert_allclose(reference_threshold_db_spl(between_hz), threshold_db_spl, atol=1e-12)


def test_the_reference_follows_terhardts_threshold_in_quiet():
    khz = np.geomspace(0.1, 5, 200)
    terhardt_db_spl = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4  # Terhardt 1979
    assert np.abs(reference_threshold_db_spl(1000 * khz) - terhardt_db_spl).max() < 4


def test_hearing_is_keenest_at_the_resonance_of_the_ear_canal():
    frequency_hz = np.geomspace(20, 18000, 2000)
    keenest_hz = frequency_hz[np.argmin(reference_threshold_db_spl(frequency_hz))]
    assert 2500 < keenest_hz < 4000


def test_between_table_frequencies_the_threshold_is_linear_over_log_frequency():
    assert reference_threshold_db_spl(np.sqrt(1000 * 1250)) == pytest.approx((2.4 + 3.5) / 2)
    assert reference_threshold_db_spl(2000 * 1.25**0.25) == pytest.approx(-1.3 + 0.25 * (-4.2 + 1.3))


def test_shapes_are_kept():
    assert np.ndim(reference_threshold_db_spl(1000)) == 0
    assert reference_threshold_db_spl([[100, 200, 300], [400, 500, 600]]).shape == (2, 3)
    assert hl_to_spl([500, 1000, 2000], np.zeros((4, 3))).shape == (4, 3)
    assert np.ndim(hl_to_spl(1000, 20.0)) == 0


def test_0_db_hl_is_the_reference_and_10_db_more_are_10_db_more():
    frequency_hz = [125, 1000, 4000, 8000]
    np.testing.assert_array_equal(hl_to_spl(frequency_hz, 0), reference_threshold_db_spl(frequency_hz))
    np.testing.assert_allclose(hl_to_spl(frequency_hz, 60) - hl_to_spl(frequency_hz, 50), 10)
    assert hl_to_spl(4000, 60) == pytest.approx(54.6)
    assert spl_to_hl(4000, 54.6) == pytest.approx(60)


def test_the_two_conversions_undo_each_other_and_keep_missing_levels_missing():
    frequency_hz = np.geomspace(20, 18000, 31)
    level_db_hl = np.random.default_rng(0).uniform(-10, 120, 31)
    level_db_hl[7] = np.nan
    back = spl_to_hl(frequency_hz, hl_to_spl(frequency_hz, level_db_hl))
    np.testing.assert_allclose(back, level_db_hl, atol=1e-12)  # NaN equals NaN here


@pytest.mark.parametrize("frequency_hz", [19.9, 18001, 0, -500, np.nan, np.inf])
def test_frequencies_outside_the_table_are_refused(frequency_hz):
    for function in (reference_threshold_db_spl, lambda hz: hl_to_spl(hz, 0.0), lambda hz: spl_to_hl(hz, 0.0)):
        with error(ValueError, f"frequencies_hz={frequency_hz:g}", "between 20 and 18000 Hz", "ISO 389-7", "leave it"):
            function([1000, frequency_hz])


def test_levels_that_do_not_go_with_the_frequencies_are_refused():
    with error(ValueError, "level_db_hl has shape (2,), frequencies_hz has (3,)", "give one level, or one for each"):
        hl_to_spl([500, 1000, 2000], [10, 20])
    with error(ValueError, "level_db_spl=-inf", "finite", "NaN"):
        spl_to_hl([500, 1000], [10, -np.inf])
