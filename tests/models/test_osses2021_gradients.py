"""Derivatives of Osses et al. (2021), from the sound to the features."""

import tracemalloc

import numpy as np
import pytest
from audio_checks import error

from skaud import Osses2021
from skaud.testing import dot_test

RATE = 16000
SMALL = {"sample_rate": RATE, "low_hz": 400, "high_hz": 6000}
PRESETS = ("osses2021", "amt", "dau1997")
PARAMETERS = (
    "headphone_gains_db",
    "middle_ear_gains_db",
    "bandwidth_factor",
    "hair_cell_corner_hz",
    "adaptation_limit",
    "adaptation_time_constants_s",
    "minimum_level_db",
    "modulation_q",
    "modulation_low_pass_hz",
    "envelope_low_pass_hz",
    "envelope_attenuation",
)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape) * 0.05


def gradients(model, X):
    value, pullback = model.fit(X).vjp(X, wrt=("X", *model.differentiable()))
    return value, pullback(np.ones(value.shape))


@pytest.mark.parametrize("output", ["modulation", "features"])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_adjoint_is_that_of_the_response(preset, output):
    differences = dot_test(Osses2021.preset(preset, **SMALL), noise(1, 900), output=output)
    lacking = {"headphone_gains_db", "middle_ear_gains_db", "envelope_low_pass_hz"} if preset == "dau1997" else set()
    assert set(differences) == {"X", *PARAMETERS} - lacking


@pytest.mark.parametrize("output", ["headphone", "middle_ear", "filterbank", "hair_cell", "adaptation"])
def test_every_stage_has_its_adjoint_in_the_model(output):
    X = noise(1, 500)
    differences = dot_test(Osses2021(**SMALL), X, output=output)
    assert len(differences) == 1 + len(PARAMETERS)
    dot_test(Osses2021(**SMALL, output=output), X, output="features", wrt=["X", "middle_ear_gains_db"])


def test_zero_phase_and_no_limit_pass_the_adjoint():
    dot_test(Osses2021(**SMALL, phase="zero", adaptation_limit=None, middle_ear="lopezpoveda2001"), noise(1, 600))


def test_two_ears_and_clips_of_different_lengths_pass_the_adjoint():
    names = ["X", "headphone_gains_db", "minimum_level_db", "modulation_q"]
    dot_test(Osses2021(**SMALL), noise(2, 2, 300), wrt=names, output="features")
    dot_test(Osses2021(**SMALL, rms_one_db_spl=94.0), [noise(300), noise(700), noise(50)], wrt=names, output="features")


def test_the_adjoint_of_many_segments_is_that_of_the_response():
    dot_test(Osses2021(**SMALL), noise(1, 5000), wrt=["X", "adaptation_time_constants_s"], output="features")


@pytest.mark.parametrize("level", [1e-4, 1.0])
def test_faint_and_loud_sounds_pass_the_adjoint(level):
    dot_test(Osses2021(**SMALL, adaptation_limit=30.0), level * noise(1, 600), wrt=["X", "adaptation_limit"])


@pytest.mark.parametrize("preset", PRESETS)
def test_float32_follows_float64(preset):
    X = noise(1, 4000)
    single, double = (
        gradients(Osses2021.preset(preset, **SMALL, dtype=dtype), X)[1] for dtype in ("float32", "float64")
    )
    assert single["X"].dtype == np.float32
    for name, wanted in double.items():
        assert np.abs(single[name] - wanted).max() <= 1e-3 * np.abs(wanted).max(), name


@pytest.mark.parametrize("pooling", ["mean", ("mean", "std"), None])
def test_the_value_is_what_transform_returns(pooling):
    X = noise(2, 2000)
    model = Osses2021(**SMALL, pooling=pooling).fit(X)
    value, pullback = model.vjp(X)
    np.testing.assert_array_equal(value, model.transform(X))
    assert pullback(value)["X"].shape == X.shape
    full, _ = model.vjp(X, output="adaptation")
    np.testing.assert_array_equal(full, model.simulate(X, "adaptation").adaptation)


def test_derivatives_are_the_slopes_of_what_the_constructor_makes():
    X = noise(1, 2000)
    model = Osses2021(**SMALL, pooling="mean", dtype="float64").fit(X)
    names = ("headphone_gains_db", "middle_ear_gains_db", "hair_cell_corner_hz", "adaptation_limit", "modulation_q")
    value, pullback = model.vjp(X, wrt=names)
    grads = pullback(np.ones_like(value))
    for name in names:
        at = model.value_of(name)
        direction = np.random.default_rng(1).standard_normal(at.shape)
        step = 1e-5 * max(1, np.abs(at).max())
        up, down = (
            Osses2021(**SMALL, pooling="mean", dtype="float64", **{name: (at + sign * step * direction)[()]})
            .fit_transform(X)
            .sum()
            for sign in (1, -1)
        )
        assert (grads[name] * direction).sum() == pytest.approx((up - down) / (2 * step), rel=1e-4), name


def test_silence_has_finite_derivatives():
    _, grads = gradients(Osses2021(**SMALL, pooling="mean"), np.zeros((1, 2000)))
    assert set(grads) == {"X", *PARAMETERS}
    assert all(np.isfinite(grad).all() for grad in grads.values())


def test_what_a_fit_found_takes_the_place_of_a_parameter():
    X = noise(1, 2000)
    found = {"adaptation_limit": 7.0, "headphone_gains_db": np.linspace(-3, 3, 22), "modulation_q": 2.01}
    model = Osses2021(**SMALL).fit(X)
    for given in (found, {"adaptation_limit": 7.0}, {}):
        model.redesign(given)
        wanted = Osses2021(**SMALL, **given).fit(X)
        np.testing.assert_array_equal(model.transform(X), wanted.transform(X))
        value, pullback = model.vjp(X, wrt=list(found))
        grads = wanted.vjp(X, wrt=list(found))[1](value)
        for name, grad in pullback(value).items():
            np.testing.assert_array_equal(grad, grads[name], err_msg=name)
    assert model.get_params() == Osses2021(**SMALL).get_params()


def test_bounds_are_those_of_the_stages():
    model = Osses2021(**SMALL).fit(noise(1, 100))
    bounds = model.bounds()
    assert tuple(bounds) == PARAMETERS
    assert bounds["bandwidth_factor"] == (0.2, 5.0)
    assert bounds["hair_cell_corner_hz"] == (20.0, 0.45 * RATE)


def test_what_has_no_derivative_is_named():
    X = noise(1, 100)
    with error(ValueError, "wrt has 'low_hz'", "'bandwidth_factor'", "choose among them"):
        Osses2021(**SMALL).fit(X).vjp(X, wrt="low_hz")
    with error(ValueError, "wrt has 'headphone_gains_db'", "'middle_ear_gains_db'"):
        Osses2021(**SMALL, headphone=False).fit(X).vjp(X, wrt="headphone_gains_db")
    with error(ValueError, "gains_db has shape (3,)", "frequencies_hz (22,)"):
        Osses2021(**SMALL, headphone_gains_db=[0, 0, 0]).fit(X)


def test_memory_of_a_gradient_is_that_of_the_sound_and_its_frames():
    model = Osses2021(**SMALL, pooling="mean")
    peaks = []
    for n_samples in (20000, 20000, 180000):
        X = noise(1, n_samples).astype(np.float32)
        model.fit(X)
        tracemalloc.start()
        value, pullback = model.vjp(X)
        pullback(np.ones_like(value))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A single row of all channels at full rate would take 180000 * 22 * 4 bytes, 16 MB, and the stages have many.
    assert peaks[2] < 9 * peaks[1]
    assert peaks[2] < 15e6
