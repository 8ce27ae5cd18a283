"""The internal noise of an observer: the least intensity that it discriminates."""

import numpy as np
import pytest
from audio_checks import error
from listeners import Samples

from skaud import CARFAC, Dau1997, FeaturePipeline, King2019, LogCompression, Osses2021, TemplateObserver, datasets
from skaud.psychoacoustics import calibrated_noise_variance, d_prime, proportion_correct

ONE_CHANNEL = {"sample_rate": 16000, "low_hz": 1000, "high_hz": 1000, "pooling": None}


def observer_of_tones(model, variance, db_spl=60):
    X = [[datasets.make_tone(1000, 0.5, 16000, level, ramp_s=0.05)[0] for level in (db_spl + 10, db_spl, db_spl)]]
    return TemplateObserver(model, internal_noise_variance=variance).fit(X, [0])


def increment_at_threshold(observer, db_spl=60):
    """Increment of level, in dB, that is heard in 70.7 % of trials."""
    increments = np.arange(0.25, 4.01, 0.25)
    X = [
        [datasets.make_tone(1000, 0.5, 16000, level, ramp_s=0.05)[0] for level in (db_spl + step, db_spl, db_spl)]
        for step in increments
    ]
    return np.interp(0.5**0.5, observer.predict_proba(X)[:, 0], increments)


@pytest.mark.parametrize("kind", [Dau1997, Osses2021, King2019])
def test_an_increment_of_1_db_at_60_db_is_at_threshold(kind):
    model = kind(**ONE_CHANNEL)
    assert increment_at_threshold(observer_of_tones(model, calibrated_noise_variance(model))) == pytest.approx(
        1, abs=0.02
    )


def test_webers_law_holds_from_40_to_80_db():
    model = Dau1997(**ONE_CHANNEL)
    variance = calibrated_noise_variance(model)
    found = [increment_at_threshold(observer_of_tones(model, variance, db_spl), db_spl) for db_spl in (40, 50, 70, 80)]
    np.testing.assert_allclose(found, 1, atol=0.15)


def test_the_increment_at_threshold_is_the_one_that_is_asked_for():
    model = Dau1997(**ONE_CHANNEL)
    variance = calibrated_noise_variance(model, increment_db=2.0)
    assert increment_at_threshold(observer_of_tones(model, variance)) == pytest.approx(2, abs=0.04)


def test_of_a_linear_front_end_it_has_the_closed_form():
    louder = 10 ** (1 / 20) - 1  # of the tone itself, which has 60 dB SPL
    tone = datasets.make_tone(1000, 0.5, 8000, 60, ramp_s=0.05)[0].samples
    expected = (louder * np.sqrt(np.sum(tone**2) / 8000) / d_prime(0.75, 2)) ** 2
    assert calibrated_noise_variance(Samples(), proportion=0.75, n_intervals=2) == pytest.approx(expected)


def test_the_length_of_a_frame_changes_it_little():
    found = [calibrated_noise_variance(Dau1997(**ONE_CHANNEL, frame_length=s)) for s in (None, 0.001, 0.005, 0.010)]
    np.testing.assert_allclose(np.sqrt(found), np.sqrt(found[0]), rtol=0.1)


def test_more_channels_need_more_noise():
    one = calibrated_noise_variance(Dau1997(**ONE_CHANNEL))
    many = calibrated_noise_variance(Dau1997(16000, pooling=None))
    assert many > 2 * one


def test_an_observer_without_a_variance_takes_it():
    model = Dau1997(**ONE_CHANNEL)
    fitted = observer_of_tones(model, None)
    assert fitted.internal_noise_variance_ == calibrated_noise_variance(model)
    assert proportion_correct(d_prime(0.5**0.5)) == pytest.approx(0.5**0.5)


def test_what_cannot_be_calibrated_is_named():
    with error(ValueError, "increment_db=0", "above 0 dB"):
        calibrated_noise_variance(Samples(), increment_db=0)
    with error(ValueError, "template_increment_db=-3", "above 0 dB"):
        calibrated_noise_variance(Samples(), template_increment_db=-3)
    with error(ValueError, "frequency_hz=4000.0", "1000 to 1000 Hz"):
        calibrated_noise_variance(Dau1997(**ONE_CHANNEL), frequency_hz=4000.0)
    for name in (
        "frequency_hz",
        "db_spl",
        "increment_db",
        "template_increment_db",
        "proportion",
        "duration_s",
        "ramp_s",
    ):
        for value in ("60", None, True, np.nan, [1.0, 2.0]):
            with error(ValueError, f"{name}={value!r} must be one number"):
                calibrated_noise_variance(Samples(), **{name: value})
    pipeline = FeaturePipeline([("carfac", CARFAC(16000, pooling=None)), ("log", LogCompression())])
    with error(ValueError, "frequency_hz=20", "channels, "):
        calibrated_noise_variance(pipeline, frequency_hz=20)
