"""What is published of thresholds, by the observer of Dau et al. (1997) in one channel."""

import numpy as np
import pytest

from skaud import Dau1997, TemplateObserver, datasets
from skaud.psychoacoustics import adaptive_track, calibrated_noise_variance, make_trials

pytestmark = pytest.mark.slow
RATE = 16000


def one_channel(hz):
    return Dau1997(RATE, low_hz=hz, high_hz=hz, pooling=None, frame_length=0.005)


def threshold(center_hz, make_trial, audible, start, n_trials=30, **limits):
    observer = TemplateObserver(
        one_channel(center_hz), internal_noise_variance=calibrated_noise_variance(one_channel(1000))
    )
    observer.fit(*make_trials(make_trial, audible, n_trials, random_state=1))
    return adaptive_track(observer, make_trial, start, random_state=2, **limits).threshold


def modulation_threshold(bandwidth_hz, rate_hz):
    band_hz = 5000 - bandwidth_hz / 2, 5000 + bandwidth_hz / 2

    def make_trial(depth_db, random_state):
        depths = [10 ** (depth_db / 20), 0, 0]
        return datasets.make_am_noise(
            rate_hz, depths, 1.0, RATE, 65, random_state=random_state, band_hz=band_hz, ramp_s=0.2
        )

    return threshold(5000, make_trial, 0, -2, highest=0)


def test_below_half_the_bandwidth_thresholds_rise_with_the_rate_and_above_it_they_fall():
    # Dau, Kollmeier & Kohlrausch 1997, JASA 102:2892, abstract: low-pass for rates below half the bandwidth of the
    # carrier, high-pass above
    assert modulation_threshold(314, 100) - modulation_threshold(314, 10) > 3
    assert modulation_threshold(31, 10) - modulation_threshold(31, 100) > 3
    assert modulation_threshold(3, 3) - modulation_threshold(3, 50) > 5


def test_with_a_tone_as_carrier_thresholds_are_flat_up_to_100_hz():
    # Kohlrausch, Fassel & Dau 2000, JASA 108:723, abstract: from 2 kHz on flat up to 100 to 130 Hz
    def modulated(rate_hz, depth_db):
        side = depth_db - 20 * np.log10(2)
        tones = [5000, 5000 - rate_hz, 5000 + rate_hz], [0, side, side], [0, np.pi / 2, -np.pi / 2]
        return datasets.make_tone_complex(*tones, 1.0, RATE, 65, ramp_s=0.2)[0]

    plain = datasets.make_tone(5000, 1.0, RATE, 65, ramp_s=0.2)[0]
    depths_db, found = np.arange(-34, -12, 2), []
    for rate_hz in (16, 32, 64, 100, 300):
        variance = calibrated_noise_variance(one_channel(1000))
        observer = TemplateObserver(one_channel(5000), internal_noise_variance=variance)
        observer.fit([[modulated(rate_hz, 0), plain, plain]], [0])
        proportions = observer.predict_proba([[modulated(rate_hz, db), plain, plain] for db in depths_db])[:, 0]
        found.append(np.interp(0.5**0.5, proportions, depths_db))
    assert np.ptp(found[:4]) < 3
    assert found[4] - found[0] > 5


def test_a_tone_of_2_khz_is_heard_about_20_db_over_the_noise_in_1_hz():
    # Hawkins & Stevens 1950, JASA 22:6: critical ratio
    def make_trial(level_db, random_state):
        levels = [level_db, -np.inf, -np.inf]
        return datasets.make_tone_in_noise(2000, levels, 65, (20, 5000), 0.5, 0.3, RATE, random_state=random_state)

    over = threshold(2000, make_trial, 75, 70) - (65 - 10 * np.log10(5000 - 20))
    assert over == pytest.approx(20, abs=3)
