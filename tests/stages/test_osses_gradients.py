"""Derivatives of the stages of Osses et al. (2021), each alone."""

import numpy as np
import pytest
from audio_checks import error
from sklearn.base import clone

from skaud import (
    AdaptationLoops,
    GammatoneFilterbank,
    HairCellEnvelope,
    HeadphoneFilter,
    MiddleEarFilter,
    ModulationFilterbank,
)
from skaud.estimator.movable_model import MovableModel
from skaud.fitting.parameters import BoundedParameters
from skaud.kernels import one_pole
from skaud.kernels.chain import adaptation, modulation
from skaud.kernels.pointwise import TAYLOR
from skaud.testing import dot_test

RATE = 16000
RANGE = {"low_hz": 500, "high_hz": 6000}  # 20 channels, more than the lanes of one group
N_CHANNELS = 20
PHASES = ("minimum", "zero", "amt")
EARS = [
    ear
    for phase in PHASES
    for ear in (
        HeadphoneFilter(RATE, phase=phase),
        MiddleEarFilter(RATE, phase=phase),
        MiddleEarFilter(RATE, phase=phase, middle_ear="lopezpoveda2001"),
    )
]
CHANNELS = [
    HairCellEnvelope(RATE),
    HairCellEnvelope(RATE, hair_cell="dau1996"),
    AdaptationLoops(RATE),
    AdaptationLoops(RATE, adaptation_limit=20, minimum_level_db=10, adaptation_time_constants_s=(0.003, 0.2)),
    AdaptationLoops(RATE, adaptation_limit=None),
    ModulationFilterbank(RATE, **RANGE),
    ModulationFilterbank(RATE, **RANGE, modulation="dau1997", max_modulation_hz=None),
]
BANK = GammatoneFilterbank(RATE, **RANGE)
# No sound of these lengths is a whole number of the kernels' blocks, or of frames.
N_SAMPLES = 700


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape) * 0.05


def sound_for(stage, n_samples=N_SAMPLES):
    """X that the stage takes: positive envelopes for the adaptation, model units for the modulation filters."""
    if isinstance(stage, HairCellEnvelope):
        return noise(1, N_CHANNELS, n_samples)
    if isinstance(stage, AdaptationLoops):
        return np.abs(noise(1, N_CHANNELS, n_samples))
    if isinstance(stage, ModulationFilterbank):
        return 50 + 1000 * noise(1, N_CHANNELS, n_samples)
    return noise(1, n_samples)


def loudly(stage, name, X):
    """Value and derivative of an objective, the sum of the response's squares, with respect to a parameter."""
    value, pullback = clone(stage).set_params(dtype="float64").fit(X).vjp(X, wrt=name)
    return (value**2).sum() / 2, pullback(value)[name]


# The adjoint


@pytest.mark.parametrize("stage", [*EARS, BANK, *CHANNELS], ids=repr)
def test_the_adjoint_is_that_of_the_response_at_full_rate(stage):
    dot_test(stage, sound_for(stage))


@pytest.mark.parametrize("stage", [BANK, *CHANNELS], ids=repr)
def test_the_adjoint_is_that_of_the_frames(stage):
    framed = clone(stage).set_params(frame_length=0.01)
    dot_test(framed, sound_for(stage), output="features")
    dot_test(framed, sound_for(stage, 100), output="features")  # shorter than a frame


@pytest.mark.parametrize("stage", [EARS[0], EARS[3], BANK], ids=repr)
def test_ears_lists_and_levels_pass_the_adjoint(stage):
    dot_test(stage, noise(2, 2, 200))
    dot_test(stage, [noise(150), noise(300)])
    if stage is BANK:
        dot_test(clone(stage).set_params(rms_one_db_spl=94.0), noise(1, 200))


def test_channels_and_lists_pass_the_adjoint():
    dot_test(HairCellEnvelope(RATE), [noise(3, 100), noise(3, 250)])
    dot_test(AdaptationLoops(RATE), [np.abs(noise(3, 100)), np.abs(noise(3, 250))])
    X = np.abs(noise(2, 120))  # a channel without an axis of its own
    grads = AdaptationLoops(RATE).fit(X).vjp(X)[1](np.ones((2, 1, 120)))
    assert grads["X"].shape == X.shape
    dot_test(AdaptationLoops(RATE), X)


@pytest.mark.parametrize("stage", EARS[:2], ids=repr)
def test_ear_filters_differentiate_what_transform_returns(stage):
    X = noise(2, 300)
    fitted = clone(stage).set_params(dtype="float64").fit(X)
    value, pullback = fitted.vjp(X, wrt=["X", "gains_db"])
    np.testing.assert_array_equal(value, fitted.transform(X))
    grads = pullback(value)
    assert grads["X"].shape == X.shape
    assert grads["gains_db"].shape == fitted.frequencies_hz_.shape


PARAMETERS = [
    (HeadphoneFilter(RATE, frequencies_hz=[200, 1000, 3000, 7000], gains_db=[0, 3, 9, -4]), "gains_db", 1e-3),
    (MiddleEarFilter(RATE, frequencies_hz=[200, 1000, 3000, 7000], gains_db=[0, 3, 1, -4]), "gains_db", 1e-3),
    (BANK, "bandwidth_factor", 1e-5),
    (HairCellEnvelope(RATE, hair_cell_corner_hz=1500.0), "hair_cell_corner_hz", 1e-2),
    (AdaptationLoops(RATE), "adaptation_limit", 1e-5),
    (AdaptationLoops(RATE), "adaptation_time_constants_s", 1e-6),
    (AdaptationLoops(RATE), "minimum_level_db", 1e-5),
    (ModulationFilterbank(RATE, **RANGE), "modulation_q", 1e-5),
    (ModulationFilterbank(RATE, **RANGE), "modulation_low_pass_hz", 1e-5),
    (ModulationFilterbank(RATE, **RANGE, envelope_low_pass_hz=200.0), "envelope_low_pass_hz", 1e-4),
    (ModulationFilterbank(RATE, **RANGE, envelope_attenuation=0.5), "envelope_attenuation", 1e-5),
]


@pytest.mark.parametrize(("stage", "name", "step"), PARAMETERS, ids=[name for _, name, _ in PARAMETERS])
def test_derivatives_are_the_slopes_of_what_the_constructor_makes(stage, name, step):
    X = sound_for(stage)
    value = np.asarray(getattr(stage, name), dtype=float)
    direction = np.random.default_rng(1).standard_normal(value.shape)
    objectives = [
        loudly(clone(stage).set_params(**{name: (value + sign * step * direction)[()]}), name, X)[0] for sign in (1, -1)
    ]
    slope = (objectives[0] - objectives[1]) / (2 * step)
    assert (loudly(stage, name, X)[1] * direction).sum() == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("stage", [EARS[0], BANK, *CHANNELS[:4], CHANNELS[5]], ids=repr)
def test_float32_follows_float64(stage):
    X = sound_for(stage)
    grads = []
    for dtype in ("float32", "float64"):
        fitted = clone(stage).set_params(dtype=dtype).fit(X)
        value, pullback = fitted.vjp(X, wrt=("X", *fitted.differentiable()))
        grads.append(pullback(np.ones(value.shape)))
    for name, wanted in grads[1].items():
        assert np.abs(grads[0][name] - wanted).max() <= 1e-3 * np.abs(wanted).max(), name


# Where there is no derivative


def test_derivatives_at_the_kinks_are_the_documented_ones():
    assert modulation.magnitude_step_adjoint(3.0, 0.0, 0.0) == (0, 0)
    assert adaptation.floor_step_adjoint(3.0, 1e-5, 1e-5) == (0, 3)
    assert adaptation.floor_step_adjoint(3.0, 2e-5, 1e-5) == (3, 0)
    # The limiter has none: its slope is 1 on both sides of where it begins.
    for x in (1.0, 1.0 + 1e-12):
        assert adaptation.limit_step_adjoint(3.0, x, x, 4.0, -0.5, TAYLOR)[0] == pytest.approx(3, rel=1e-9)


@pytest.mark.parametrize("stage", [EARS[0], BANK, *CHANNELS], ids=repr)
def test_silence_has_finite_derivatives(stage):
    X = np.zeros(sound_for(stage).shape)
    fitted = clone(stage).fit(X)
    value, pullback = fitted.vjp(X, wrt=("X", *fitted.differentiable()))
    for name, grad in pullback(np.ones_like(value)).items():
        assert np.isfinite(grad).all(), name


def low_pass_adjoint(y_bar, z_next_bar, x, z, b, a):
    y, _ = one_pole.low_pass_step(x, z, b, a)
    return one_pole.low_pass_step_adjoint(y_bar, z_next_bar, x, y, b, a)


def limit_adjoint(y_bar, x, excess, slope):
    return adaptation.limit_step_adjoint(
        y_bar, x, adaptation.limit_step(x, excess, slope, TAYLOR), excess, slope, TAYLOR
    )


@pytest.mark.parametrize(
    ("forward", "backward", "at"),
    [
        (one_pole.low_pass_step, low_pass_adjoint, (0.3, -0.2, 0.1, 0.8)),
        (modulation.magnitude_step, modulation.magnitude_step_adjoint, (0.3, -0.7)),
        (one_pole.smoothing_step, one_pole.smoothing_step_adjoint, (0.3, 0.7, 0.01)),
        (lambda *at: adaptation.limit_step(*at, TAYLOR), limit_adjoint, (1.3, 4.0, -0.5)),
        (lambda *at: adaptation.limit_step(*at, TAYLOR), limit_adjoint, (20.0, 4.0, -0.5)),
        (lambda *at: adaptation.limit_step(*at, TAYLOR), limit_adjoint, (0.8, 4.0, -0.5)),
    ],
)
def test_steps_have_their_adjoints(forward, backward, at):
    rng = np.random.default_rng(0)
    direction = rng.standard_normal(len(at))
    stepped = np.atleast_1d(forward(*(np.array(at) + 1e-30j * direction))).imag / 1e-30
    bars = rng.standard_normal(stepped.shape)
    assert np.dot(backward(*bars, *at), direction) == pytest.approx(bars @ stepped, rel=1e-12)


def test_what_has_no_derivative_is_named():
    X = np.abs(noise(1, 2, 50))
    for limit in (None, np.inf, 0, 1):
        with error(ValueError, "wrt has 'adaptation_limit'", "'adaptation_time_constants_s'", "choose among them"):
            AdaptationLoops(RATE, adaptation_limit=limit).fit(X).vjp(X, wrt="adaptation_limit")
    dau = ModulationFilterbank(RATE, low_hz=500, high_hz=550, modulation="dau1997").fit(X[:, 0])
    with error(ValueError, "wrt has 'envelope_low_pass_hz'", "'modulation_q'"):
        dau.vjp(X[:, 0], wrt="envelope_low_pass_hz")


# Parameters


def test_published_values_given_as_numbers_change_nothing():
    pairs = [
        (HairCellEnvelope(RATE), {"hair_cell_corner_hz": 2000.0}),
        (HairCellEnvelope(RATE, hair_cell="dau1996"), {"hair_cell_corner_hz": 1000.0}),
        (ModulationFilterbank(RATE, **RANGE), {"envelope_low_pass_hz": 150.0, "envelope_attenuation": np.sqrt(0.5)}),
        (AdaptationLoops(RATE, adaptation_limit=None), {"adaptation_limit": np.inf}),
    ]
    for stage, given in pairs:
        X = sound_for(stage, 200)
        np.testing.assert_array_equal(
            clone(stage).set_params(**given).fit_transform(X), clone(stage).fit_transform(X), err_msg=repr(stage)
        )
    for stage in EARS:
        X = noise(1, 200)
        fitted = clone(stage).set_params(dtype="float64").fit(X)
        found = clone(fitted).set_params(gains_db=fitted.gains_db_).fit_transform(X)
        np.testing.assert_allclose(found, fitted.transform(X), atol=1e-12, err_msg=repr(stage))


def test_a_low_pass_can_stand_before_the_filters_of_dau1997():
    X = sound_for(ModulationFilterbank())
    dau = ModulationFilterbank(RATE, **RANGE, modulation="dau1997", envelope_attenuation=np.sqrt(0.5))
    wanted = ModulationFilterbank(RATE, **RANGE).fit_transform(X)
    np.testing.assert_allclose(dau.set_params(envelope_low_pass_hz=150.0).fit_transform(X), wanted, rtol=1e-5)


@pytest.mark.parametrize("stage", [*EARS[:2], BANK, *CHANNELS], ids=repr)
def test_bounds_enclose_the_published_values(stage):
    fitted = clone(stage).fit(sound_for(stage, 50))
    assert tuple(fitted.bounds()) == fitted.differentiable()
    for name, (low, high) in fitted.bounds().items():
        assert (low < fitted.value_of(name)).all(), name
        assert (fitted.value_of(name) < high).all(), name


@pytest.mark.parametrize("limit", [2.5, 5.0])
def test_every_limit_within_the_bounds_can_be_designed(limit):
    X = np.abs(noise(1, 3, 50))
    fitted = AdaptationLoops(RATE, adaptation_limit=limit).fit(X)
    bounds = fitted.bounds()
    for end in (0, 1):
        fitted.redesign({"adaptation_limit": bounds["adaptation_limit"][end]})
        fitted.redesign({"minimum_level_db": bounds["minimum_level_db"][end]})
        assert fitted.transform(X).shape == X.shape


@pytest.mark.parametrize("floor_db", [-120.0, 0.0, 30.0, 50.0])
@pytest.mark.parametrize("limit", [3.5, 5.0])
def test_limit_and_floor_can_be_designed_wherever_they_move_together(limit, floor_db):
    X = np.abs(noise(1, 3, 50))
    fitted = AdaptationLoops(RATE, adaptation_limit=limit, minimum_level_db=floor_db).fit(X)
    names = "adaptation_limit", "minimum_level_db"
    parameters = BoundedParameters(MovableModel(fitted), names)
    for u in ((0, 0), (0, 1), (1, 0), (1, 1), parameters.start()):
        fitted.redesign(parameters.unpack(np.array(u, float)))
        assert np.isfinite(fitted.transform(X)).all()


def test_a_fitted_q_leaves_the_number_of_filters():
    X = sound_for(ModulationFilterbank(), 50)
    fitted = ModulationFilterbank(RATE, **RANGE).fit(X)
    before = fitted.modulation_index_
    for q in (fitted.bounds()["modulation_q"][0], 4.0):
        fitted.redesign({"modulation_q": q})
        assert len(fitted.modulation_index_) == len(before)
        moved = fitted.modulation_index_.get_level_values("modulation_hz")
        assert moved.max() < RATE / 2
        assert (moved[-1] > before[-1][1]) == (q < 2)


@pytest.mark.parametrize(
    ("stage", "parameters", "words"),
    [
        (HairCellEnvelope(RATE), {"hair_cell_corner_hz": 8000}, ("hair_cell_corner_hz=8000", "8000 Hz", "lower it")),
        (HairCellEnvelope(RATE), {"hair_cell_corner_hz": 0}, ("hair_cell_corner_hz=0", "above 0")),
        (CHANNELS[5], {"modulation_low_pass_hz": -1}, ("modulation_low_pass_hz=-1", "above 0")),
        (CHANNELS[5], {"envelope_low_pass_hz": 9000}, ("envelope_low_pass_hz=9000", "8000 Hz")),
        (CHANNELS[5], {"envelope_attenuation": 0}, ("envelope_attenuation", "Got 0")),
        (HeadphoneFilter(RATE), {"gains_db": [0, 0]}, ("gains_db has shape (2,)", "frequencies_hz (22,)")),
    ],
)
def test_bad_parameters_are_named(stage, parameters, words):
    with error(ValueError, *words):
        clone(stage).set_params(**parameters).fit(sound_for(stage, 50))
