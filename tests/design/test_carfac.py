from inspect import signature

import numpy as np
import pytest
from audio_checks import error

from skaud import CARFAC
from skaud.design import carfac_agc, carfac_cascade, carfac_hair_cell, carfac_response
from skaud.design.erb import erb_hz

POLES = {
    "first_pole_theta": 0.85 * np.pi,
    "min_pole_hz": 30.0,
    "erb_per_step": 0.5,
    "erb_break_hz": 165.3,
    "erb_q": 1000 / (24.7 * 4.37),
}


def parameters_of(design):
    """Those of CARFAC that a part of its design takes."""
    given = CARFAC().get_params()
    return {name: given[name] for name in signature(design).parameters if name in given and name != "sample_rate"}


AGC = parameters_of(carfac_agc.design_agc)


def cascade(sample_rate=22050, **parameters):
    return carfac_cascade.design_car(sample_rate, carfac_cascade.pole_frequencies(sample_rate, **POLES), **parameters)


# Channels


@pytest.mark.parametrize(("sample_rate", "n_channels"), [(22050, 71), (44100, 83), (48000, 84)])
def test_number_of_channels_is_the_published_one(sample_rate, n_channels):
    assert len(carfac_cascade.pole_frequencies(sample_rate, **POLES)) == n_channels


def test_channels_are_half_an_erb_apart_from_085_pi_down_to_30_hz():
    pole_hz = carfac_cascade.pole_frequencies(22050, **POLES)
    assert pole_hz[0] == pytest.approx(0.85 * 11025)
    assert pole_hz[-1] > 30
    step_hz = 0.5 * erb_hz(pole_hz, 165.3, POLES["erb_q"])
    np.testing.assert_allclose(-np.diff(pole_hz), step_hz[:-1], rtol=1e-12)
    assert pole_hz[-1] - step_hz[-1] <= 30


def test_erb_is_that_of_glasberg_and_moore_with_greenwoods_break():
    # 24.7 (4.37 f / 1000 + 1) with a break at 1000 / 4.37 Hz: Glasberg & Moore 1990
    assert erb_hz(1000.0, 1000 / 4.37, POLES["erb_q"]) == pytest.approx(24.7 * 5.37)
    assert erb_hz(1000.0, 165.3, POLES["erb_q"]) == pytest.approx(125.78, abs=0.01)


def test_a_cascade_needs_two_channels():
    with error(ValueError, "min_pole_hz=9000 leaves 1 channels", "9371.2 Hz", "lower min_pole_hz", "sample_rate=22050"):
        carfac_cascade.pole_frequencies(22050, **POLES | {"min_pole_hz": 9000})


# Cascade


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 48000, 192000])
def test_the_parabola_is_within_a_hundredth_of_a_db_of_the_exact_stage_gain(sample_rate):
    car = cascade(sample_rate)
    for undamping in np.linspace(0, 1, 41):
        exact = carfac_cascade.exact_stage_gain(undamping, car.a0, car.c0, car.h, car.r1, car.zr)
        assert np.abs(20 * np.log10(car.stage_gain(undamping) / exact)).max() < 0.01


@pytest.mark.parametrize("undamping", [0.0, 0.5, 1.0])
def test_the_parabola_is_exact_at_none_half_and_full_undamping(undamping):
    car = cascade()
    exact = carfac_cascade.exact_stage_gain(undamping, car.a0, car.c0, car.h, car.r1, car.zr)
    np.testing.assert_allclose(car.stage_gain(undamping), exact, rtol=1e-13)


@pytest.mark.parametrize("health", [0.0, 0.5, 1.0])
def test_every_stage_passes_dc_unchanged(health):
    car = cascade(ohc_health=health, ac_corner_hz=1e-9)  # without the high-pass at the output
    response = carfac_response.transfer_function(car, 22050, [1e-3])
    np.testing.assert_allclose(np.abs(response), 1, atol=1e-5)


def test_damping_lies_between_its_limits():
    car = cascade()
    zeta_theta = (1 - car.r1) / 0.35
    zeta = (1 - car.r1 - car.zr) / zeta_theta  # at full undamping
    theta = 2 * np.pi * car.pole_hz / 22050
    np.testing.assert_allclose(zeta_theta, theta * (1 - 0.5 * (theta / np.pi) ** 2), rtol=1e-12)
    # Low channels, relatively wide, are damped more: a quarter of the way from min_zeta to ERB over pole frequency.
    np.testing.assert_allclose(zeta, 0.075 + 0.25 * erb_hz(car.pole_hz, 165.3, POLES["erb_q"]) / car.pole_hz)
    assert (np.diff(zeta) > 0).all()


def test_a_linear_cascade_has_a_nonlinearity_of_1():
    car = cascade(linear_car=True, velocity_scale=0.3)
    assert (car.velocity_scale, car.v_offset) == (0, 0)


def test_the_output_has_no_dc_and_3_db_less_at_the_corner():
    high, low = (
        carfac_response.transfer_function(cascade(48000, ac_corner_hz=corner), 48000, [0.0, 20.0])[-1]
        for corner in (20.0, 1e-9)
    )
    assert high[0] == 0
    assert 20 * np.log10(np.abs(high[1] / low[1])) == pytest.approx(-3.01, abs=0.02)


def test_characteristics_are_those_of_a_finer_search():
    car = cascade()
    coarse, fine = (
        carfac_response.characteristics(car, 22050),
        carfac_response.characteristics(car, 22050, n_grid=2**15),
    )
    np.testing.assert_allclose(coarse.frequency_hz, fine.frequency_hz, rtol=1e-4)
    np.testing.assert_allclose(coarse.gain_db, fine.gain_db, atol=1e-3)
    np.testing.assert_allclose(coarse.bandwidth_hz, fine.bandwidth_hz, rtol=2e-3)
    np.testing.assert_allclose(coarse.q, coarse.frequency_hz / coarse.bandwidth_hz, rtol=1e-12)


def test_edges_of_the_bandwidth_lie_3_db_below_the_peak():
    car = cascade()
    peaks = carfac_response.characteristics(car, 22050)
    fine_hz = np.linspace(500, 2000, 30001)
    for channel in (35, 40, 45):
        power = np.abs(carfac_response.transfer_function(car, 22050, fine_hz)[channel]) ** 2
        above = fine_hz[power > power.max() / 2]
        assert peaks.bandwidth_hz[channel] == pytest.approx(np.ptp(above), rel=2e-3)


# Hair cells


def test_conductance_rises_from_rest_and_saturates_below_1():
    v = [carfac_hair_cell.ihc_conductance(x) for x in (-1.0, -0.175, 0.0, 0.5, 10.0, 1e6)]
    assert v[0] == v[1] == 0
    assert v[2] == pytest.approx(0.175**3 / (0.175**3 + 0.175**2 + 0.1))
    assert (np.diff(v[1:]) > 0).all()
    assert v[-1] == pytest.approx(1, abs=1e-5)


def test_two_cap_at_rest_is_in_equilibrium():
    cell = carfac_hair_cell.design_two_cap(
        22050, tau_lpf=80e-6, tau1_out=5e-4, tau1_in=2e-4, tau2_out=1e-3, tau2_in=1e-2
    )
    cap1_change = -carfac_hair_cell.ihc_conductance(0.0) * cell.cap1_rest * cell.out1 + (1 - cell.cap1_rest) * cell.in1
    current = (1 - cell.cap1_rest) * cell.cap2_rest
    cap2_change = -current * cell.out2 + (1 - cell.cap2_rest) * cell.in2
    assert abs(cap1_change) < 1e-16
    assert abs(cap2_change) < 1e-16
    assert current * cell.gain == pytest.approx(cell.rest, rel=1e-12)


def test_one_cap_at_rest_is_in_equilibrium():
    cell = carfac_hair_cell.design_one_cap(22050, tau_lpf=80e-6, tau_out=5e-4, tau_in=1e-2)
    current = carfac_hair_cell.ihc_conductance(0.0) * cell.cap_rest
    assert abs(-current * cell.out + (1 - cell.cap_rest) * cell.into) < 1e-16
    assert current * cell.gain == pytest.approx(cell.rest, rel=1e-12)


def test_the_synapse_at_rest_is_in_equilibrium():
    parameters = parameters_of(carfac_hair_cell.design_synapse) | {"n_fibers": (50, 35, 25)}
    synapse = carfac_hair_cell.design_synapse(22050, 71, **parameters)
    open_at_rest = 1 / (1 + np.exp(synapse.v_half / synapse.v_width))
    released = (1 - synapse.q0) * open_at_rest
    np.testing.assert_allclose(synapse.a1 * released, synapse.q0, rtol=1e-12)
    np.testing.assert_allclose(synapse.a2 * released * 22050, [50, 6, 1], rtol=1e-12)
    assert synapse.n_fibers.shape == (71, 3)
    np.testing.assert_array_equal(synapse.n_fibers[0], [500, 350, 250])  # 10 hair cells a channel


# AGC


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 48000, 192000])
def test_spatial_filters_are_feasible_and_have_the_delay_and_spread_asked_for(sample_rate):
    agc = carfac_agc.design_agc(sample_rate, **AGC)
    basal, here, apical = agc.spatial_fir.T
    np.testing.assert_allclose(basal + here + apical, 1, rtol=1e-14)
    assert (here >= 0.25).all()
    assert (agc.spatial_fir >= 0).all()
    n_times = np.array(AGC["agc_time_constants_s"]) * sample_rate / np.cumprod(agc.decimation)
    scale1, scale2 = np.array(AGC["agc1_scales"]), np.array(AGC["agc2_scales"])
    np.testing.assert_allclose((apical - basal) * n_times, scale2 - scale1, rtol=1e-12)
    variance = apical + basal - (apical - basal) ** 2
    np.testing.assert_allclose(variance * n_times, scale1**2 + scale2**2, rtol=1e-12)


def test_the_first_decimation_is_lowered_no_further_than_it_must():
    agc = carfac_agc.design_agc(16000, **AGC)
    assert agc.decimation.tolist() == [6, 2, 2, 2]
    fixed = carfac_agc.design_agc(16000, **AGC | {"agc_decimation": (6, 2, 2, 2)})
    np.testing.assert_array_equal(agc.spatial_fir, fixed.spatial_fir)
    scale1, scale2 = AGC["agc1_scales"][0], AGC["agc2_scales"][0]
    n_times = 0.002 * 16000 / 7
    assert 1 - (scale1**2 + scale2**2) / n_times - ((scale2 - scale1) / n_times) ** 2 < 0.25  # middle tap at 7


def test_an_agc_without_any_feasible_filter_is_refused():
    parameters = AGC | {"agc_time_constants_s": (1e-4, 0.008, 0.032, 0.128)}
    with error(
        ValueError,
        "agc_time_constants_s[0]=0.0001",
        "agc1_scales[0]=1 ",
        "sample_rate=22050",
        "first decimation of 1",
        "at least 0.25",
        "raise the time constant",
    ):
        carfac_agc.design_agc(22050, **parameters)


def test_a_later_stage_that_is_not_feasible_is_named():
    with error(ValueError, "agc_time_constants_s[2]=0.0003", "agc1_scales[2]=2 "):
        carfac_agc.design_agc(22050, **AGC | {"agc_time_constants_s": (0.002, 0.008, 0.0003, 0.128)})


def test_a_constant_nap_of_1_brings_every_stage_to_its_share():
    agc = carfac_agc.design_agc(22050, **AGC)
    assert agc.detect_scale == pytest.approx(1 / (1 + 2 + 4 + 8))
    memory = 0.0  # of the stage below, from the slowest to the fastest: at rest, each is its input
    for _ in agc.decimation:
        memory = agc.detect_scale + agc.stage_gain * memory
    assert memory == pytest.approx(1)


def test_ears_share_all_stages_but_the_fastest():
    mix = carfac_agc.design_agc(22050, **AGC).mix
    net = np.array([8, 16, 32, 64])
    np.testing.assert_allclose(mix[1:], 0.5 * net[1:] / (np.array(AGC["agc_time_constants_s"])[1:] * 22050), rtol=1e-14)
    assert mix[0] == 0
