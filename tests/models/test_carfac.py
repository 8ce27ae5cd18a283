import pickle

import numpy as np
import pytest
from audio_checks import CHECKS, error, make_clips, make_task
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import CARFAC, Audiogram, TemporalPooling
from skaud.design import carfac_response
from skaud.testing import checks
from skaud.testing.conformance.carfac import CASES

RATE = 22050
SILENCE = np.zeros((1, RATE // 10))
STYLES = ("just_hwr", "one_cap", "two_cap", "two_cap_with_syn")

VARIANTS = {
    "float64": CARFAC(dtype="float64"),
    "one_cap": CARFAC(ihc_style="one_cap"),
    "just_hwr": CARFAC(ihc_style="just_hwr"),
    "synapse": CARFAC(ihc_style="two_cap_with_syn"),
    "delay buffer": CARFAC(use_delay_buffer=True),
    "linear, open loop": CARFAC(linear_car=True, open_loop=True),
    "bm": CARFAC(output="bm", sample_rate=16000),
    "receptor potential": CARFAC(output="receptor_potential", ohc_health=0.5, pooling=("mean", "std")),
}
NUMERIC_CHECKS = (
    checks.check_padding_changes_nothing,
    checks.check_n_jobs_changes_nothing,
    checks.check_batch_changes_nothing,
    checks.check_ears_in_arrays_and_lists_agree,
    checks.check_chunks_equal_the_whole,
    checks.check_chunks_leave_the_state_they_take,
    checks.check_float32_follows_float64,
    checks.check_clones_and_pickles_give_the_same,
    checks.check_pooling_step_equals_pooling_inside,
)


def tone(frequency_hz, amplitude, seconds=0.25, sample_rate=RATE):
    """One signal, (1, n_samples)."""
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * sample_rate)) / sample_rate)[None]


def double(sample_rate=RATE, **parameters):
    """A model in float64, designed, at the scale of its program: RMS 1.0 is 107 dB SPL."""
    return CARFAC(sample_rate, rms_one_db_spl=None, dtype="float64", **parameters).fit(SILENCE)


def channel_at(model, frequency_hz):
    return np.abs(model.channel_frequencies_hz_ - frequency_hz).argmin()


def amplitude_at(responses, frequency_hz, sample_rate=RATE):
    """Amplitude of one frequency in every channel, with a Hann window."""
    n = responses.shape[-1]
    window = np.hanning(n) / np.hanning(n).sum()
    return 2 * np.abs((responses * window) @ np.exp(-2j * np.pi * frequency_hz * np.arange(n) / sample_rate))


def db(ratio):
    return 20 * np.log10(ratio)


# What every model promises


@parametrize_with_checks(
    [
        CARFAC(),
        CARFAC(dtype="float64", ihc_style="two_cap_with_syn", n_fibers=(25, 20, 20)),
        CARFAC(ihc_style="one_cap", output="bm", pooling=TemporalPooling("max", segments=2), frame_length=None),
    ]
)
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_passes(check):
    check(CARFAC())


@pytest.mark.parametrize("check", NUMERIC_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_pass(variant, check):
    check(VARIANTS[variant])


# Coefficients of the published program; its responses are held by tests/testing/test_conformance.py


@pytest.fixture(scope="module")
def case(golden):
    """Function that returns the golden numbers of a case, and CARFAC with the parameters of it."""
    file = golden("carfac_v2.npz")

    def load(name):
        numbers = {key.removeprefix(f"{name}/"): value for key, value in file.items() if key.startswith(f"{name}/")}
        parameters = CASES[name] | ({"ohc_health": numbers["ohc_health"]} if "ohc_health" in numbers else {})
        X = numbers["x"].T[np.newaxis]  # (1, n_ears, n_samples)
        return numbers, X, CARFAC(int(numbers["fs"]), rms_one_db_spl=None, dtype="float64", **parameters).fit(X)

    return load


def test_every_golden_case_is_tested(golden):
    assert {key.split("/")[0] for key in golden("carfac_v2.npz")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_coefficients_are_those_of_the_published_program(name, case):
    numbers, _, model = case(name)
    car, hair_cell, _, agc = model.coefficients_
    found = {
        "pole_freqs": model.pole_frequencies_hz_,
        "car_r1_coeffs": car.r1,
        "car_a0_coeffs": car.a0,
        "car_c0_coeffs": car.c0,
        "car_h_coeffs": car.h,
        "car_g0_coeffs": car.stage_gain(1.0),
        "car_ga_coeffs": car.ga,
        "car_gb_coeffs": car.gb,
        "car_gc_coeffs": car.gc,
        "car_zr_coeffs": car.zr,
        "car_ac_coeff": car.ac_coeff,
        "agc_epsilon": agc.epsilon,
        "agc_spatial_fir": agc.spatial_fir,
        "agc_mix_coeffs": agc.mix,
        "agc_detect_scale": agc.detect_scale,
        "agc_decimation": agc.decimation,
    }
    if not model.linear_car:
        found |= {"car_velocity_scale": car.velocity_scale, "car_v_offset": car.v_offset}
    if hair_cell is not None:
        found |= {"ihc_lpf_coeff": hair_cell.lpf, "ihc_output_gain": hair_cell.gain, "ihc_rest_output": hair_cell.rest}
    if model.ihc_style == "one_cap":
        found |= {"ihc_out_rate": hair_cell.out, "ihc_in_rate": hair_cell.into, "ihc_rest_cap": hair_cell.cap_rest}
    elif hair_cell is not None:
        found |= {"ihc_out1_rate": hair_cell.out1, "ihc_in1_rate": hair_cell.in1, "ihc_rest_cap1": hair_cell.cap1_rest}
        found |= {"ihc_out2_rate": hair_cell.out2, "ihc_in2_rate": hair_cell.in2, "ihc_rest_cap2": hair_cell.cap2_rest}
    for key, value in found.items():
        wanted = numbers[key if key in numbers else f"coeff/{key}"]
        # The parabola's ga and gb are differences of gains near 1.
        largest = 1.0 if key in ("car_ga_coeffs", "car_gb_coeffs") else np.abs(wanted).max()
        assert np.abs(value - wanted).max() <= 1e-12 * largest, key


# The cascade: published checks, in open loop and linear


@pytest.fixture(scope="module")
def linear():
    return double(linear_car=True, open_loop=True)


def test_peaks_are_searched_for_when_asked_and_once_a_design(monkeypatch):
    calls, search = [], carfac_response.characteristics
    monkeypatch.setattr(carfac_response, "characteristics", lambda *args: calls.append(1) or search(*args))
    model = double()
    assert not calls
    healthy = model.characteristic_gains_db_
    assert model.q_.shape == model.bandwidths_hz_.shape == model.channel_frequencies_hz_.shape == healthy.shape
    assert calls == [1]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).characteristic_gains_db_, healthy)
    assert calls == [1]
    model.set_params(ohc_health=0.2).fit(SILENCE)
    assert (model.characteristic_gains_db_ < healthy - 3).any()
    with pytest.raises(NotFittedError):
        _ = clone(model).q_
    assert {"q_", "bandwidths_hz_", "channel_frequencies_hz_", "characteristic_gains_db_"} <= set(dir(model))


def test_a_channel_too_flat_for_a_bandwidth_has_none():
    model = double(ohc_health=0)
    assert np.isnan(model.bandwidths_hz_[0])
    assert np.isnan(model.q_[0])
    assert np.isfinite(model.bandwidths_hz_[1:]).all()


@pytest.mark.parametrize("parameters", [{}, {"ohc_health": 0.3}, {"sample_rate": 16000, "zero_ratio": 1.2}])
def test_transfer_function_is_the_spectrum_of_the_impulse_response(parameters):
    model = double(linear_car=True, open_loop=True, **parameters)
    impulse = np.zeros((1, 2**14))
    impulse[0, 0] = 1
    spectrum = np.fft.rfft(model.simulate(impulse, "bm").bm[0])
    transfer = model.transfer_function(np.fft.rfftfreq(2**14, 1 / model.sample_rate))
    assert np.abs(spectrum - transfer).max() < 1e-6 * np.abs(transfer).max()
    pascals = clone(model).set_params(rms_one_db_spl=93.98).fit()
    np.testing.assert_allclose(pascals.transfer_function([1000]), model.transfer_function([1000]))
    bm, of_pascals = (own.simulate(impulse, "bm").bm for own in (model, pascals))
    assert 20 * np.log10(np.abs(bm).max() / np.abs(of_pascals).max()) == pytest.approx(13.02)


def test_a_transfer_function_needs_no_fit_that_would_find_nothing():
    model = CARFAC(16000, ohc_health=0.5)
    before = vars(model).copy()
    found = model.transfer_function([500, 1000])
    assert vars(model) == before
    np.testing.assert_array_equal(found, CARFAC(16000, ohc_health=0.5).fit(SILENCE).transfer_function([500, 1000]))
    with error(ValueError, "ohc_health=[2."):
        CARFAC(ohc_health=2.0).transfer_function(1000)
    with error(ValueError, "'velocity_scale'"):
        CARFAC(velocity_scale=-1).transfer_function(1000)
    for finds in ({"audiogram": Audiogram.standard("N1")}, {"learn": "v_offset"}):
        with pytest.raises(NotFittedError):
            CARFAC(**finds).transfer_function(1000)


@pytest.mark.parametrize("frequencies_hz", [-1.0, [100, 11025.1], [np.nan], [[100.0]]])
def test_transfer_function_refuses_frequencies_out_of_range(frequencies_hz, linear):
    with error(ValueError, "frequencies_hz=", "0 to half the sample rate, 11025.0 Hz"):
        linear.transfer_function(frequencies_hz)


def test_linear_cascade_in_open_loop_is_homogeneous(linear):
    (x,) = make_clips((0.1,))
    one, thousand = (linear.simulate(factor * x[None], "bm").bm for factor in (1, 1000))
    np.testing.assert_allclose(thousand, 1000 * one, rtol=1e-9, atol=1e-12 * np.abs(thousand).max())


def test_bm_has_no_dc():
    bm = double().simulate(tone(600, 0.05, 1.0) + 0.05, "bm").bm[0, :, RATE // 2 :]
    assert np.abs(bm.mean(axis=1)).max() < 1e-5 * np.abs(bm).max()


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
def test_at_every_rate_a_soft_tone_excites_the_channels_of_its_frequency(sample_rate):
    model = double(sample_rate)
    bm = model.simulate(tone(1000, 1e-5, 0.06, sample_rate), "bm").bm[0, :, sample_rate // 25 :]
    assert model.channel_frequencies_hz_[bm.std(axis=1).argmax()] == pytest.approx(1000, rel=0.08)


def test_delay_buffer_delays_every_stage_by_one_sample(linear):
    impulse = np.zeros((1, 2000))
    impulse[0, 0] = 1
    at_once = linear.simulate(impulse, "bm").bm[0]
    delayed = double(linear_car=True, open_loop=True, use_delay_buffer=True).simulate(impulse, "bm").bm[0]
    for channel, (a, b) in enumerate(zip(at_once, delayed)):
        assert not b[:channel].any()
        assert np.abs(b[channel:] - a[: len(a) - channel]).max() < 1e-10 * np.abs(a).max()


def test_delay_buffer_hardly_changes_means():
    clips = make_clips((0.5,))
    means, delayed = (double(pooling="mean", use_delay_buffer=delay).transform(clips) for delay in (False, True))
    assert np.abs(delayed - means).max() < 0.02 * means.max()


# The outer hair cells' nonlinearity, in open loop


def distortion_db(pair_hz, product_hz, **parameters):
    """A distortion product in its own channel, relative to the lower of two tones at its highest."""
    model = double(open_loop=True, **parameters)
    bm = model.simulate(sum(tone(f, 0.002, 0.5) for f in pair_hz), "bm").bm[0, :, RATE // 4 :]
    return db(amplitude_at(bm, product_hz)[channel_at(model, product_hz)] / amplitude_at(bm, pair_hz[0]).max())


def test_quadratic_distortion_remains_and_comes_from_the_offset():
    assert distortion_db((1000, 1200), 200) > -20
    assert distortion_db((1000, 1200), 200, v_offset=0.0) < -60


def test_cubic_distortion_remains_without_the_offset():
    assert distortion_db((1200, 1400), 1000) > -20
    assert distortion_db((1200, 1400), 1000, v_offset=0.0) > -20


def test_a_linear_cascade_has_no_distortion():
    assert distortion_db((1000, 1200), 200, linear_car=True) < -120
    assert distortion_db((1200, 1400), 1000, linear_car=True) < -120


# Health of the outer hair cells


def test_sensitivity_falls_by_about_50_db_without_outer_hair_cells(linear):
    passive = double(linear_car=True, open_loop=True, ohc_health=0)
    change_db = linear.characteristic_gains_db_ - passive.characteristic_gains_db_
    assert 45 < change_db.max() < 55


@pytest.mark.parametrize(("frequency_hz", "lowest_db", "highest_db"), [(3000, -56, -45), (250, -1, 0)])
def test_health_of_the_basal_half_matters_at_high_frequencies_alone(frequency_hz, lowest_db, highest_db):
    healthy, impaired = (double(ohc_health=health) for health in (1.0, np.r_[np.zeros(35), np.ones(36)]))
    channel = channel_at(healthy, frequency_hz)
    a, b = (
        model.simulate(tone(frequency_hz, 1e-4), "bm").bm[0, channel, -2000:].std() for model in (healthy, impaired)
    )
    assert lowest_db < db(b / a) < highest_db


def test_number_array_and_function_of_health_agree():
    clips = make_clips((0.03,))
    wanted = CARFAC(ohc_health=0.5).fit_transform(clips)
    for health in (np.full(71, 0.5), [0.5] * 71, lambda hz: np.full(hz.shape, 0.5), lambda hz: 0.5):
        np.testing.assert_array_equal(CARFAC(ohc_health=health).fit_transform(clips), wanted)


def test_a_function_of_health_takes_the_frequencies_in_hz():
    health = CARFAC(48000, ohc_health=lambda hz: np.where(hz > 2000, 0.25, 1)).fit(SILENCE).coefficients_.car.ohc_health
    assert health.shape == (84,)
    assert health[0] == 0.25
    assert health[-1] == 1


def test_the_array_of_health_is_not_shared():
    health = np.full(71, 0.5)
    model = CARFAC(ohc_health=health).fit(SILENCE)
    health[:] = 0
    assert model.coefficients_.car.ohc_health.min() == 0.5


def test_slightly_negative_health_warns():
    with pytest.warns(UserWarning, match=r"ohc_health has values below 0, the lowest -0\.05"):
        model = CARFAC(ohc_health=-0.05).fit(SILENCE)
    assert np.isfinite(model.transform(SILENCE)).all()


# Level and the AGC


def test_the_bm_is_compressed_at_moderate_levels_and_not_at_threshold():
    model = double()

    def level_db(db_spl):
        return db(
            model.simulate(tone(1000, np.sqrt(2) * 10 ** ((db_spl - 107) / 20)), "bm")
            .bm[0, :, -2000:]
            .std(axis=1)
            .max()
        )

    assert level_db(10) - level_db(0) > 9.8
    assert level_db(70) - level_db(50) < 10


def test_open_loop_keeps_the_damping_where_health_leaves_it():
    model = double(open_loop=True, ohc_health=0.7)
    agc = model.simulate(tone(1000, 0.1), "agc").agc[0]
    np.testing.assert_allclose(agc, np.broadcast_to(0.7 * model.coefficients_.car.zr[:, None], agc.shape), rtol=1e-12)


def test_the_agc_damps_more_the_louder_the_sound():
    model = double()
    soft, loud = (model.simulate(tone(1000, a), "agc").agc[0, :, -1] for a in (0.001, 0.1))
    assert loud[39] < soft[39] < model.coefficients_.car.zr[39]


@pytest.mark.parametrize(("agc_mix_coeff", "range_db"), [(0.5, (-7, -3)), (0.0, (0, 0))])
def test_a_loud_sound_in_one_ear_turns_the_other_down_by_way_of_the_mix(agc_mix_coeff, range_db):
    (noise,) = make_clips((0.4,))
    model = double(agc_mix_coeff=agc_mix_coeff)
    alone, beside = (
        model.simulate(np.stack([0.5 * noise, other])[None], "bm").bm[0, 0, :, -4000:].std(axis=1)
        for other in (0 * noise, 15 * noise)
    )
    change_db = db(beside / alone)[10:]
    assert (change_db >= range_db[0]).all()
    assert (change_db <= range_db[1]).all()


@pytest.mark.parametrize(("sample_rate", "first"), [(8000, 3), (16000, 6), (22050, 8), (48000, 8), (192000, 8)])
def test_low_rates_lower_the_first_decimation(sample_rate, first):
    assert CARFAC(sample_rate).fit(SILENCE).coefficients_.agc.decimation.tolist() == [first, 2, 2, 2]


def test_one_stage_of_agc_is_enough():
    model = double(agc_time_constants_s=[0.01], agc_decimation=[8], agc1_scales=[1.0], agc2_scales=[1.65])
    soft, loud = (model.simulate(tone(1000, a), "agc").agc[0, 39, -1] for a in (0.001, 0.1))
    assert loud < soft


# Inner hair cells


@pytest.mark.parametrize("style", STYLES)
def test_silence_gives_no_response(style):
    responses = double(ihc_style=style).simulate(SILENCE)
    limit = 1e-12 if style == "two_cap_with_syn" else 1e-14  # as exact as the synapse's exponential
    for name in ("nap", "bm", "receptor_potential"):
        assert np.abs(responses.get(name, 0)).max() < limit, name
    assert np.abs(CARFAC(ihc_style=style).fit(SILENCE).simulate(SILENCE, "nap").nap).max() < 1e-5


@pytest.mark.parametrize(
    ("style", "outputs"),
    [
        ("just_hwr", ["nap", "bm", "agc", "ohc"]),
        ("one_cap", ["nap", "bm", "agc", "ohc"]),
        ("two_cap", ["nap", "bm", "receptor_potential", "agc", "ohc"]),
        ("two_cap_with_syn", ["nap", "bm", "receptor_potential", "agc", "ohc", "spikes_per_s"]),
    ],
)
def test_outputs_are_those_that_the_hair_cell_has(style, outputs):
    responses = CARFAC(ihc_style=style).fit(SILENCE).simulate(SILENCE)
    assert list(responses) == outputs
    assert {response.shape for name, response in responses.items() if name != "spikes_per_s"} == {(1, 71, SILENCE.size)}


@pytest.mark.parametrize("output", ["nap", "bm", "receptor_potential", "agc", "ohc"])
def test_each_output_of_transform_is_that_of_simulate(output):
    clips = make_clips((0.02, 0.03))
    model = CARFAC(output=output, pooling=None, frame_length=None).fit(clips)
    for found, wanted in zip(model.transform(clips), model.simulate(clips, output)[output]):
        np.testing.assert_array_equal(found, wanted)
    together = model.simulate(clips)[output]
    np.testing.assert_array_equal(together[1], model.simulate(clips, [output])[output][1])


def test_one_cap_follows_3_khz_twice_as_strongly_as_two_cap():
    x = tone(3000, 0.001, 0.2, 44100)
    ac = []
    for style in ("one_cap", "two_cap"):
        model = double(44100, ihc_style=style)
        nap = model.simulate(x, "nap").nap[0, :, -4410:]
        ac.append(amplitude_at(nap, 3000, 44100)[channel_at(model, 3000)] / nap.mean(axis=1)[channel_at(model, 3000)])
    assert 1.7 < ac[0] / ac[1] < 2.8


def test_just_hwr_rectifies_and_saturates_at_2():
    responses = double(ihc_style="just_hwr", open_loop=True).simulate(tone(1000, 0.05), ("nap", "bm"))
    np.testing.assert_array_equal(responses.nap, np.clip(responses.bm, 0, 2))
    assert responses.nap.max() == 2


def test_receptor_potential_lies_between_rest_and_all_charge():
    model = double()
    v = model.simulate(tone(1000, 1.0), "receptor_potential").receptor_potential
    cap1_rest = model.coefficients_.hair_cell.cap1_rest
    assert cap1_rest - 1 <= v.min() < 0
    assert 0.2 < v.max() < cap1_rest


# The synapse


def test_spikes_have_an_axis_of_classes():
    X = np.stack(make_clips((0.02, 0.02), n_ears=2))
    spikes_per_s = CARFAC(ihc_style="two_cap_with_syn").fit(X).simulate(X, "spikes_per_s").spikes_per_s
    assert spikes_per_s.shape == (2, 2, 71, 3, X.shape[-1])
    assert spikes_per_s.dtype == np.float32


def test_fibres_fire_at_their_spontaneous_rates_in_silence():
    model = double(ihc_style="two_cap_with_syn", spont_rates=(60, 7, 2))
    rates = model.simulate(SILENCE, "spikes_per_s").spikes_per_s[0] / (10 * model.n_fibers_[:, :, None])  # of 10 cells
    # 1e-12 of the saturated rate: as exact as the synapse's exponential.
    np.testing.assert_allclose(rates, np.broadcast_to([[[60.0], [7.0], [2.0]]], rates.shape), rtol=1e-9)


def test_no_fibre_fires_for_long_above_its_saturated_rate():
    model = double(ihc_style="two_cap_with_syn")
    spikes_per_s = model.simulate(tone(1000, 1.0, 0.5), "spikes_per_s").spikes_per_s[0, :, :, -RATE // 5 :]
    rates = spikes_per_s.mean(axis=2) / (10 * model.n_fibers_)
    assert 190 < rates.max() < 200 / 0.9  # 200 / s with half of sat_reservoir, 0.1, left: never open, never empty
    assert rates[39].min() > 60


def test_spikes_per_s_are_the_same_at_any_rate_of_the_model():
    at_16000, at_48000 = (
        double(rate, ihc_style="two_cap_with_syn")
        .simulate(tone(1000, 0.01, 0.2, rate), "spikes_per_s")
        .spikes_per_s[0, ..., -rate // 20 :]
        .mean(axis=-1)
        .max(axis=0)
        for rate in (16000, 48000)
    )
    np.testing.assert_allclose(at_16000, at_48000, rtol=0.1)


def test_the_nap_weighs_the_spikes():
    model = double(ihc_style="two_cap_with_syn")
    responses = model.simulate(tone(1000, 0.01), ("nap", "spikes_per_s"))
    spikes = responses.spikes_per_s / RATE  # a sample
    weighed = np.einsum("shcn,c->shn", spikes, model.coefficients_.synapse.agc_weight)
    np.testing.assert_allclose(responses.nap, weighed - model.nap_rest_[:, np.newaxis], atol=1e-12)


def vector_strength(response, frequency_hz):
    """Textbook vector strength of a rate."""
    phase = np.exp(2j * np.pi * frequency_hz * np.arange(response.shape[-1]) / RATE)
    return np.abs(response @ phase) / response.sum(axis=-1)


@pytest.mark.parametrize("style", STYLES)
def test_the_nap_and_its_rest_are_never_negative_and_have_a_vector_strength(style):
    model = double(ihc_style=style)
    channel = channel_at(model, 441)
    strengths, raw = [], []
    for level_db_spl in (10, 30, 50, 70):
        x = tone(441, np.sqrt(2) * 10 ** ((level_db_spl - 107) / 20), 0.4)
        nap = model.simulate(x, "nap").nap[0, channel, -50 * 80 :]  # whole periods
        assert (nap + model.nap_rest_[channel]).min() > -1e-12
        strengths.append(vector_strength(nap + model.nap_rest_[channel], 441))
        raw.append(vector_strength(nap, 441))
    assert max(strengths) < 0.9
    if style == "just_hwr":  # has no rest
        assert (model.nap_rest_ == 0).all()
    else:
        assert strengths[0] < 0.1 < 0.5 < strengths[-1]  # rises with level, as in the nerve
        assert raw[0] > 1.5


@pytest.mark.parametrize("share", [1, 0.5, 0])
def test_in_silence_the_nap_lacks_the_rest_of_lost_fibres(share):
    model = double(ihc_style="two_cap_with_syn", n_fibers=share * np.array([50, 35, 25]))
    silent = model.simulate(np.zeros((1, RATE // 2)), "nap").nap[0]
    np.testing.assert_allclose(silent, np.full_like(silent, (share - 1) * model.nap_rest_[0]), atol=1e-12)


def test_fewer_fibres_raise_the_gain_of_the_cascade_by_way_of_the_agc():
    healthy, impaired = (double(ihc_style="two_cap_with_syn", n_fibers=n) for n in (None, (10, 7, 5)))
    channel = channel_at(healthy, 1000)
    bm = [model.simulate(tone(1000, 0.01), "bm").bm[0, channel, -2000:].std() for model in (healthy, impaired)]
    assert db(bm[1] / bm[0]) > 3


def test_without_a_fit_there_is_no_rest():
    with pytest.raises(NotFittedError):
        _ = CARFAC().nap_rest_


@pytest.mark.parametrize(
    "n_fibers", [(25, 35, 25), np.tile([50, 35, 5], (71, 1)), lambda hz: np.outer(hz < 1e4, [9, 9, 9])]
)
def test_fewer_fibres_reduce_the_nap_in_every_channel(n_fibers):
    clips = make_clips((0.1,))
    parameters = {"ihc_style": "two_cap_with_syn", "open_loop": True, "pooling": "mean"}  # the AGC makes up for it
    healthy = double(**parameters).transform(clips)
    impaired = double(**parameters, n_fibers=n_fibers).transform(clips)
    assert (impaired < healthy).all()


def test_as_many_fibres_as_healthy_are_the_default():
    clips = make_clips((0.03,))
    model = CARFAC(ihc_style="two_cap_with_syn")
    np.testing.assert_array_equal(
        model.fit_transform(clips), model.set_params(n_fibers=(50, 35, 25)).fit_transform(clips)
    )


# In scikit-learn


def test_a_grid_search_sets_parameters_of_the_ear():
    X, y, _ = make_task()
    pipeline = make_pipeline(CARFAC(), StandardScaler(), LogisticRegression())
    grid = {"carfac__velocity_scale": [0.05, 0.2], "carfac__ohc_health": [1.0, 0.2]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 0.9


def test_names_of_narrow_channels_stay_apart():
    names = (
        CARFAC(pooling="mean", erb_per_step=0.01, min_pole_hz=2000, sample_rate=8000)
        .fit(SILENCE)
        .get_feature_names_out()
    )
    assert len(set(names)) == len(names)


def test_names_hold_the_pole_frequency():
    model = CARFAC(pooling=("mean", "p95")).fit(SILENCE)
    assert model.pole_frequencies_hz_[40].round() == 871
    assert list(model.get_feature_names_out()[[40, 111]]) == ["nap_871hz_mean", "nap_871hz_p95"]


# Bad parameters: each message names the parameter, its value, the limit and the remedy

BAD_PARAMETERS = {
    "low rate": ({"sample_rate": 4000}, ("sample_rate=4000", "8000 and 192000 Hz", "choose")),
    "high rate": ({"sample_rate": 400e3}, ("sample_rate=400000.0", "8000 and 192000 Hz", "choose")),
    "style": ({"ihc_style": "three_cap"}, ("'ihc_style'", "two_cap_with_syn", "Got 'three_cap'")),
    "length of health": (
        {"ohc_health": np.ones(70)},
        ("ohc_health has shape (70,)", "sample_rate=22050", "(71,)", "function of frequency"),
    ),
    "length of a function of health": ({"ohc_health": lambda hz: hz[1:]}, ("ohc_health has shape (70,)", "(71,)")),
    "health above 1": ({"ohc_health": 1.01}, ("ohc_health=[1.01]", "between 0 (passive) and 1 (healthy)", "clip")),
    "health of one channel": ({"ohc_health": np.r_[np.ones(70), 3.0]}, ("ohc_health=[3.]", "clip")),
    "health far below 0": ({"ohc_health": -1.0}, ("ohc_health=[-1.]", "between 0 (passive) and 1", "clip")),
    "health NaN": ({"ohc_health": np.full(71, np.nan)}, ("ohc_health=[nan", "between 0 (passive) and 1")),
    "health, one of which is True": ({"ohc_health": [1.0, True]}, ("ohc_health=[1.0, True]", "has True, bool")),
    "health as text": ({"ohc_health": ["a"] * 71}, ("ohc_health=['a'", "must hold real numbers")),
    "spikes": (
        {"ihc_style": "two_cap_with_syn", "output": "spikes_per_s"},
        ("output='spikes_per_s'", "simulate(X, 'spikes_per_s')"),
    ),
    "output of another style": (
        {"ihc_style": "one_cap", "output": "receptor_potential"},
        ("'receptor_potential'", "nap"),
    ),
    "fibres without synapse": ({"n_fibers": (1, 1, 1)}, ("n_fibers", "ihc_style='two_cap'", "two_cap_with_syn")),
    "shape of fibres": (
        {"ihc_style": "two_cap_with_syn", "n_fibers": (1, 1)},
        ("n_fibers has shape (2,)", "(3,)", "(71, 3)", "sample_rate=22050"),
    ),
    "too many fibres": (
        {"ihc_style": "two_cap_with_syn", "n_fibers": (51, 35, 25)},
        ("n_fibers=[51.]", "between 0 and healthy_n_fibers=(50, 35, 25)", "clip"),
    ),
    "negative fibres": ({"ihc_style": "two_cap_with_syn", "n_fibers": (-1, 35, 25)}, ("n_fibers=[-1.]", "between 0")),
    "healthy fibres": ({"healthy_n_fibers": (50, 35)}, ("healthy_n_fibers=(50, 35)", "3 finite numbers above 0")),
    "spontaneous rates": ({"spont_rates": (150, 6, 1)}, ("spont_rates=(150, 6, 1)", "half of saturated_rate=200.0")),
    "weights": ({"agc_weights": ("a", "b", "c")}, ("agc_weights=('a', 'b', 'c')", "must hold real numbers")),
    "stages": ({"agc_decimation": (8, 2)}, ("agc_decimation=(8, 2)", "4 finite numbers above 0")),
    "no stage": ({"agc_time_constants_s": ()}, ("agc_time_constants_s=()", "1 finite numbers above 0")),
    "part of a sample": ({"agc_decimation": (8, 2, 2.5, 2)}, ("agc_decimation=(8, 2, 2.5, 2)", "integers", "round")),
    "time constant": ({"agc_time_constants_s": (0.002, 0.008, np.nan, 0.128)}, ("agc_time_constants_s=", "finite")),
    "too fast an AGC": (
        {"agc_time_constants_s": (1e-5, 0.008, 0.032, 0.128)},
        ("agc_time_constants_s[0]=1e-05", "sample_rate=22050", "first decimation of 1", "raise the time constant"),
    ),
    "damping": ({"min_zeta": 0.4}, ("min_zeta=0.4", "max_zeta=0.35", "lower it")),
    "unstable poles": (
        {"max_zeta": 0.95, "high_f_damping_compression": 0.0, "first_pole_theta": 3.1},
        ("max_zeta=0.95", "stable", "high_f_damping_compression"),
    ),
    "undamping below damping": (
        {"erb_break_hz": 2000.0},
        ("max_zeta=0.35", "stable", "lower min_zeta or erb_break_hz"),
    ),
    "no channels": ({"min_pole_hz": 9000.0}, ("min_pole_hz=9000.0 leaves 1 channels", "lower min_pole_hz")),
    "high-pass": ({"ac_corner_hz": 4000.0}, ("ac_corner_hz=4000.0", "3509 Hz", "lower it")),
    "too fast a capacitor": ({"tau1_in": 4e-5}, ("tau1_in=4e-05", "sample_rate=22050", "raise")),
    "offset": ({"v_offset": np.nan}, ("'v_offset'", "Got nan")),
    "velocity scale": ({"velocity_scale": -0.1}, ("'velocity_scale'", "[0.0, inf)", "Got -0.1")),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameter_is_refused(name):
    parameters, words = BAD_PARAMETERS[name]
    with error(ValueError, *words):
        CARFAC(**parameters).fit(SILENCE)
