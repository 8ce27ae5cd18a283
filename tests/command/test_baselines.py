import numpy as np
import pytest

from skaud.command.baselines import log_mel, mel_centres_hz, mel_weights


def tone(frequency_hz, sample_rate=16000, seconds=0.5):
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * sample_rate)) / sample_rate)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_a_tone_at_the_centre_of_a_band_is_loudest_there(sample_rate):
    for band, hz in list(enumerate(mel_centres_hz(sample_rate, 40)))[2::6]:
        assert (log_mel(tone(hz, sample_rate), sample_rate).argmax(axis=0) == band).all()


def test_a_thousand_mel_are_1000_hz():
    # The scale's definition; 2595 log10(1 + f / 700) keeps it to within a thousandth.
    centres = mel_centres_hz(8000, 2145)  # 4000 Hz are 2146 mel: one mel a band
    assert np.interp(1000, centres, np.arange(1, 2146)) == pytest.approx(1000, rel=1e-3)


@pytest.mark.parametrize("sample_rate", [8000, 22050])
def test_no_band_is_empty_and_the_bands_add_up_to_1_between_the_outer_centres(sample_rate):
    weights = mel_weights(sample_rate, 40, 2048)
    assert (weights.max(axis=1) > 0.3).all()
    hz = np.arange(1025) * sample_rate / 2048
    centres = mel_centres_hz(sample_rate, 40)
    inside = (hz > centres[0]) & (hz < centres[-1])
    np.testing.assert_allclose(weights.sum(axis=0)[inside], 1, atol=1e-12)


def test_ten_times_the_amplitude_is_20_db_more_down_to_a_floor_80_db_below_the_maximum():
    x = np.random.default_rng(0).standard_normal(8000)
    np.testing.assert_allclose(log_mel(10 * x, 16000), log_mel(x, 16000) + 20)
    quiet_end = np.r_[x, np.zeros(8000)]
    levels = log_mel(quiet_end, 16000)
    assert levels[:, -1] == pytest.approx(levels.max() - 80)


def test_frames_are_25_ms_long_and_10_ms_apart_and_a_shorter_clip_is_one_frame():
    assert log_mel(tone(500, 8000, 1.0), 8000).shape == (40, 1 + (8000 - 200) // 80)
    assert log_mel(tone(500, 8000, 0.01), 8000).shape == (40, 1)
    assert np.isfinite(log_mel(np.zeros(800), 8000)).all()
