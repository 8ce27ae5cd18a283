import numpy as np
import plain_osses2021 as plain
import pytest
from audio_checks import CHECKS, assert_same, error, make_clips
from scipy import signal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import Dau1997, Osses2021
from skaud.testing import checks

RATE = 16000
MODEL = Dau1997(22050)  # the rate of the checks' clips


@parametrize_with_checks([Dau1997()])
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", [*CHECKS, checks.check_chunks_equal_the_whole], ids=lambda c: c.__name__)
def test_it_passes(check):
    check(MODEL)


def test_it_is_the_preset_of_osses2021():
    clips = make_clips((0.05, 0.03))
    preset = Osses2021.preset("dau1997", sample_rate=22050)
    assert_same(clone(MODEL).fit_transform(clips), preset.fit_transform(clips), "the preset")
    own = MODEL.get_params()
    ears = ("headphone", "middle_ear", "phase")
    assert own == {name: value for name, value in preset.get_params().items() if not name.startswith(ears)}
    assert own["adaptation_limit"] == 10


def test_it_has_no_ears():
    assert list(Dau1997().fit(np.zeros((1, 9))).stages_) == ["filterbank", "hair_cell", "adaptation", "modulation"]
    with pytest.raises(TypeError, match="middle_ear"):
        Dau1997(middle_ear="jepsen2008")
    with error(ValueError, "output='headphone'"):
        Dau1997(output="headphone").fit(np.zeros((1, 9)))
    with error(ValueError, "name='amt'", "only 'dau1997' is"):
        Dau1997.preset("amt")
    assert Dau1997.preset(dtype="float64").dtype == "float64"


def test_its_stages_are_the_published_ones():
    x = np.random.default_rng(0).standard_normal((1, 2000)) * 0.05
    model = Dau1997(RATE, high_hz=4000, rms_one_db_spl=None, dtype="float64").fit(x)
    found, center_hz = model.simulate(x), model.channel_frequencies_hz_
    channels = plain.gammatone(x[0], center_hz, RATE)
    # Half-wave rectifier and low-pass of first order at 1 kHz, then loops that are limited to 10.
    envelopes = signal.lfilter(*signal.butter(1, 1000, fs=RATE), np.maximum(channels, 0))
    adapted = plain.adaptation(envelopes, RATE, limit=10)
    for name, wanted in (("filterbank", channels), ("hair_cell", envelopes), ("adaptation", adapted)):
        np.testing.assert_allclose(found[name][0], wanted, atol=1e-8 * np.abs(wanted).max(), err_msg=name)
    # A modulation filter above 10 Hz, complex and of Q 2: its magnitude, without a low-pass of the envelope before.
    pairs = model.modulation_index_.to_frame(index=False)
    last = len(pairs) - 1
    w0 = 2 * np.pi * pairs.modulation_hz[last] / RATE
    pole = np.exp(-w0 / 4 + 1j * w0)
    wanted = np.abs(2 * signal.lfilter([1 - abs(pole)], [1, -pole], adapted[-1]))
    np.testing.assert_allclose(found.modulation[0, last], wanted, atol=1e-6 * wanted.max())


def test_modulation_frequencies_reach_a_quarter_of_the_centre_frequency():
    model = Dau1997().fit(np.zeros((1, 9)))
    pairs = model.modulation_index_.to_frame(index=False)
    highest = pairs.groupby("center_hz").modulation_hz.max()
    above = highest[highest > 10]
    assert (above < above.index / 4).all()
    assert (above * 5 / 3 >= above.index / 4).all()
    assert highest.max() > 600


@pytest.mark.parametrize("modulation_hz", [10, 46.3, 128.6])
def test_an_amplitude_modulated_tone_is_strongest_in_the_filter_of_its_rate(modulation_hz):
    t = np.arange(RATE) / RATE
    x = 0.02 * (1 + 0.3 * np.sin(2 * np.pi * modulation_hz * t)) * np.sin(2 * np.pi * 4000 * t)
    model = Dau1997(RATE, low_hz=4000, high_hz=4400, pooling=None).fit(x[np.newaxis])
    pairs = model.modulation_index_.to_frame(index=False)
    response = model.transform(x[np.newaxis])[0, :, 50:]
    rms = np.sqrt((response**2).mean(axis=1))
    # The filters up to 10 Hz give their real part, whose RMS is the amplitude over the root of 2.
    strength = rms * np.where(pairs.modulation_hz > 10, 1, np.sqrt(2)) * (pairs.modulation_hz > 0)
    assert pairs.modulation_hz[strength.argmax()] == pytest.approx(modulation_hz, rel=0.01)


def test_an_onset_exceeds_the_steady_state_by_more_than_that_of_osses2021():
    x = 0.1 * np.sin(2 * np.pi * 2000 * np.arange(RATE // 2) / RATE)[np.newaxis]
    settings = {"sample_rate": RATE, "high_hz": 4000, "output": "adaptation", "pooling": None}
    ratios = []
    for model in (Dau1997(**settings), Osses2021(**settings, headphone=False, middle_ear=None)):
        response = model.fit(x).transform(x)[0]
        channel = response[response.mean(axis=1).argmax()]
        ratios.append(channel.max() / channel[-5:].mean())
    assert ratios[0] > 1.5 * ratios[1] > 1.5
