"""The steps of Osses et al. (2021), and the vectorised loops against the plain stages."""

import math

import numpy as np
import plain_osses2021 as plain
import pytest

from skaud import AdaptationLoops, GammatoneFilterbank, HairCellEnvelope, ModulationFilterbank, Osses2021
from skaud.kernels import one_pole
from skaud.kernels.chain import adaptation, modulation
from skaud.kernels.fir import WIDTH, convolve, prepare_taps
from skaud.kernels.pointwise import TAYLOR, rectify_step

RATE = 16000


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape) * 0.05


def error(found, wanted):
    return np.abs(found - wanted).max() / np.abs(wanted).max()


# --- steps ---


@pytest.mark.parametrize("excess", [0.6, 1.57, 4.0, 9.0])
def test_limit_is_that_of_the_toolbox(excess):
    for x in (0.3, 1.0, 1.01, 2.0, 10.0, 1e4):
        toolbox = 2 * excess / (1 + math.exp(-2 / excess * (x - 1))) - (excess - 1) if x > 1 else x
        assert adaptation.limit_step(x, excess, -2 / excess, TAYLOR) == pytest.approx(toolbox, rel=1e-11)


def test_steps_keep_nan():
    for value in (
        adaptation.floor_step(math.nan, 1e-5),
        adaptation.limit_step(math.nan, 4.0, -0.5, TAYLOR),
        modulation.magnitude_step(math.nan, 0.0),
    ):
        assert math.isnan(value)


@pytest.mark.parametrize("x", [0.2, 1.3, 6.0])
def test_steps_take_a_complex_step(x):
    for step in (
        lambda x: adaptation.limit_step(adaptation.floor_step(x, 1e-5), 4.0, -0.5, TAYLOR),
        rectify_step,
        lambda x: modulation.magnitude_step(x, 0.5 * x),
        lambda x: one_pole.low_pass_step(x, 0.1, 0.2, 0.6)[1],
    ):
        slope = (step(x + 1e-6) - step(x - 1e-6)) / 2e-6
        assert step(x + 1e-30j).imag / 1e-30 == pytest.approx(slope, rel=1e-6)


def test_poles_close_to_1_survive_float32():
    # 5 Hz at 192 kHz: 1 - |p| is 8e-5, and float32 has steps of 6e-8 there.
    x = 50 + 10 * noise(1, 1, 192000 // 4)
    single, double = (
        ModulationFilterbank(192000, low_hz=1000, high_hz=1010, dtype=dtype).fit_transform(x)
        for dtype in ("float32", "float64")
    )
    assert error(single, double) < 2e-5


# --- loops ---


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("low_hz", "high_hz"), [(80, 7500), (80, 1500), (1000, 1010)])  # 31, 15 or 1 channels
def test_every_stage_equals_the_plain_one(low_hz, high_hz, dtype):
    x = noise(1, 3000)
    bank = GammatoneFilterbank(RATE, low_hz=low_hz, high_hz=high_hz, dtype=dtype)
    channels = bank.fit_transform(x)
    tolerance = {"float64": 1e-10, "float32": 1e-5}[dtype]
    center_hz = bank.channel_frequencies_hz_
    assert error(channels[0], plain.gammatone(x[0], center_hz, RATE)) < tolerance
    envelopes = HairCellEnvelope(RATE, dtype=dtype).fit_transform(channels)
    assert error(envelopes[0], plain.hair_cell(channels[0].astype(float), RATE)) < tolerance
    adapted = AdaptationLoops(RATE, rms_one_db_spl=None, dtype=dtype).fit_transform(envelopes)
    assert error(adapted[0], plain.adaptation(envelopes[0].astype(float), RATE)) < 10 * tolerance
    filters = ModulationFilterbank(RATE, low_hz=low_hz, high_hz=high_hz, dtype=dtype)
    features = filters.fit_transform(adapted)
    wanted = plain.modulation(adapted[0].astype(float), center_hz, RATE)
    assert features.shape[1:] == wanted.shape
    assert error(features[0], wanted) < 100 * tolerance


@pytest.mark.parametrize("limit", [10.0, None])
def test_other_limits_equal_the_plain_ones(limit):
    x = np.abs(noise(1, 3, 2000))
    level = {"minimum_level_db": -10, "rms_one_db_spl": None}
    loops = AdaptationLoops(RATE, adaptation_limit=limit, **level, dtype="float64")
    wanted = plain.adaptation(x[0], RATE, limit or 0, minimum_level_db=-10)
    assert error(loops.fit_transform(x)[0], wanted) < 1e-11


@pytest.mark.parametrize(("n_taps", "n_samples"), [(1, 1), (3, 500), (513, 128), (513, 1000), (1025, 129)])
def test_fir_is_a_convolution(n_taps, n_samples):
    x, fir = noise(2, n_samples), noise(n_taps, seed=1)
    taps = prepare_taps(fir, "float64")
    out = np.empty_like(x)
    convolve(np.concatenate([np.zeros((2, len(taps) - 1)), x], axis=1), taps, out, np.empty(2 * WIDTH + len(taps)))
    np.testing.assert_allclose(out, [np.convolve(row, fir)[:n_samples] for row in x], atol=1e-12)


def test_silence_after_sound_leaves_no_denormal_numbers():
    x = np.zeros((1, 4 * RATE), np.float32)
    x[0, :100] = 1
    model = Osses2021(RATE, high_hz=7000, headphone=False, middle_ear=None).fit(x)
    (state,) = model.transform_chunk(x, model.initial_state())[1].arrays
    assert np.abs(state.states[state.states != 0]).min() > np.finfo(np.float32).tiny
