"""What fit_response finds again."""

import numpy as np
import pytest
from audio_checks import error
from sklearn.exceptions import ConvergenceWarning

from skaud import CARFAC, Audiogram, AuditorySpectrogram, BiomimeticFrontend, Sound, TemporalPooling
from skaud.fitting import fit_response, predicted_audiogram
from skaud.testing.conformance.fits import (
    PROFILES,
    health_error,
    respond,
    small_cochlea,
    tones_and_a_click,
    whole_cochlea,
)

RATE = 8000
N_CHANNELS = 26  # of a cochlea with steps of an ERB at this rate
PLACE = np.linspace(0, 1, N_CHANNELS)
SOUNDS = tones_and_a_click(RATE)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["bm", "nap"])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_health_of_71_channels_is_found_in_noise(profile, output):
    assert max(health_error(whole_cochlea, profile, output, seed) for seed in range(3)) < 0.1


def test_pooled_features_of_clips_of_any_length_tell_several_parameters():
    clips = [3 * sound[:n] for sound, n in zip(SOUNDS, (320, 300, 280, 320, 320, 200))]
    model = small_cochlea(velocity_scale=0.2, max_zeta=0.3, pooling=TemporalPooling(("mean", "std"), segments=2))
    start = model.get_params(deep=False) | {"velocity_scale": 0.1, "max_zeta": 0.35}
    found = fit_response(CARFAC(**start), clips, model.fit_transform(clips), learn=("velocity_scale", "max_zeta"))
    assert (found.velocity_scale_, found.max_zeta_) == pytest.approx((0.2, 0.3), rel=0.01)


def test_ears_are_fitted_together():
    X = np.stack([SOUNDS, 0.3 * SOUNDS[::-1]], axis=1)
    target = respond(small_cochlea(velocity_scale=0.3), X, "bm")
    found = fit_response(small_cochlea(), X, target, learn="velocity_scale", output="bm")
    assert found.velocity_scale_ == pytest.approx(0.3, rel=1e-3)


def test_sounds_are_fitted_at_their_own_level():
    target = respond(small_cochlea(velocity_scale=0.3), SOUNDS, "features")
    sounds = [Sound(sound / 10, RATE, 113.98) for sound in SOUNDS]
    wanted = fit_response(small_cochlea(), SOUNDS, target, learn="velocity_scale")
    found = fit_response(small_cochlea(), sounds, list(target), learn="velocity_scale")
    assert found.velocity_scale_ == pytest.approx(wanted.velocity_scale_, rel=1e-5)
    assert found.velocity_scale_ == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize("response", ["real", "complex"])
def test_the_front_end_finds_its_parameters(response):
    X = np.random.default_rng(0).standard_normal((2, 4000))
    scales, rates = np.array([0.7, 2.5]), np.array([6.0, -12.0])
    parameters = {"pooling": None, "response": response}
    model = BiomimeticFrontend(scales_cycles_per_octave=scales, rates_hz=rates, integration_s=0.012, **parameters)
    start = BiomimeticFrontend(scales_cycles_per_octave=[0.8, 2.2], rates_hz=[7, -11], **parameters)
    learn = ("cortical", "integration_s")
    found = fit_response(start, X, respond(model, X, "features"), learn=learn)
    np.testing.assert_allclose(found.scales_cycles_per_octave_, scales, rtol=0.01)
    np.testing.assert_allclose(found.rates_hz_, rates, rtol=0.01)
    assert found.integration_s_ == pytest.approx(0.012, rel=0.01)


def test_it_returns_a_fitted_clone():
    start = small_cochlea(learn="max_zeta")  # its own learning plays no part
    target = respond(small_cochlea(velocity_scale=0.3), SOUNDS, "features")
    found = fit_response(start, SOUNDS, target, learn="velocity_scale")
    assert not hasattr(start, "n_channels_")
    assert found.get_params() == start.get_params()
    np.testing.assert_allclose(found.transform(SOUNDS), target, atol=1e-3)
    assert found.loss_curve_[-1] < 1e-2 * found.loss_curve_[0]
    assert len(found.loss_curve_) == found.n_iter_ + 1
    assert (np.diff(found.loss_curve_) <= 0).all()
    assert not hasattr(found.set_params(learn=None).fit(SOUNDS), "velocity_scale_")


def test_it_begins_at_a_number_of_numpys_as_at_pythons():
    X = [0.02 * np.random.default_rng(0).standard_normal(800)]
    target = AuditorySpectrogram(integration_s=0.01, pooling=None).fit().transform(X)
    starts = (np.float32(0.009), float(np.float32(0.009)))
    models = [AuditorySpectrogram(16000.0, integration_s=own, pooling=None) for own in starts]
    fits = [fit_response(own, X, target, learn="integration_s", max_iter=2) for own in models]
    assert fits[0].integration_s_ == fits[1].integration_s_


def test_a_prior_holds_parameters_where_they_start():
    target = respond(small_cochlea(ohc_health=PROFILES["ramp"](PLACE)), SOUNDS[3:4], "bm")
    start = small_cochlea(ohc_health=np.full(N_CHANNELS, 0.5))
    distances = [
        np.linalg.norm(
            fit_response(start, SOUNDS[3:4], target, learn="ohc_health", output="bm", prior_weight=weight).ohc_health_
            - 0.5
        )
        for weight in (0.0, 0.1, 10.0)
    ]
    assert distances[0] > 1.2 * distances[1] > 3 * distances[2]


def test_bounds_hold():
    target = respond(small_cochlea(velocity_scale=0.3), SOUNDS, "bm")
    found = fit_response(
        small_cochlea(), SOUNDS, target, learn="velocity_scale", output="bm", bounds={"velocity_scale": (0.05, 0.2)}
    )
    assert found.velocity_scale_ == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": np.zeros((5, N_CHANNELS, 4))}, ("5 responses", "6 signals")),
        ({"target": np.zeros((6, N_CHANNELS, 3))}, ("target[0]", "(26, 3)", "(26, 4)")),
        ({"target": np.full((6, N_CHANNELS, 4), np.nan)}, ("target", "NaN")),
        ({"learn": "tau"}, ("learn='tau'", "'velocity_scale'")),
        ({"learn": ()}, ("nothing",)),
        ({"learn": ("velocity_scale", "audiogram")}, ("'audiogram'", "'velocity_scale'")),
        ({"learn": "tau_out"}, ("'tau_out'", "'tau1_out'")),
        ({"output": "cochlea"}, ("'cochlea'", "'bm'")),
        ({"bounds": {"velocity_scale": (1, 0.1)}}, ("velocity_scale", "below")),
        ({"bounds": {"velocity_scale": (0, np.inf)}}, ("velocity_scale", "finite")),
        ({"bounds": {"velocity_scale": (np.zeros(3), 1)}}, ("velocity_scale", "(3,)")),
        ({"bounds": {"velocity_scale": 1}}, ("velocity_scale are 1", "pair")),
        ({"bounds": {"max_zeta": (0.2, 0.3)}}, ("bounds has 'max_zeta'", "('velocity_scale',)", "leave it out")),
        ({"bounds": [0, 1]}, ("'bounds'", "Mapping", "[0, 1]")),
        ({"prior_weight": -1}, ("'prior_weight'", "[0.0, inf)", "-1")),
        ({"tol": -1}, ("'tol'", "[0.0, inf)", "-1")),
        ({"max_iter": 0}, ("'max_iter'", "[1, inf)", "0")),
        ({"max_iter": True}, ("max_iter=True must be a number",)),
        ({"max_iter": "a"}, ("'max_iter'", "int", "'a'")),
        ({"output": 3}, ("'output'", "str", "3")),
    ],
)
def test_what_cannot_be_fitted_is_named(changes, words):
    arguments = {"target": np.zeros((6, N_CHANNELS, 4)), "learn": "velocity_scale"} | changes
    with error(ValueError, *words):
        fit_response(small_cochlea(), SOUNDS, **arguments)


def test_what_has_no_derivative_is_named():
    with error(TypeError, "TemporalPooling", "vjp"):
        fit_response(TemporalPooling(), SOUNDS, SOUNDS, learn="statistics")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("agc_stage_gain", {"open_loop": True}),
        ("agc_mix_coeff", {}),
        ("tau2_in", {"ihc_style": "two_cap_with_syn"}),
    ],
)
def test_what_changes_no_response_cannot_be_found(name, parameters):
    with error(ValueError, name, "'velocity_scale'"):
        fit_response(small_cochlea(**parameters), SOUNDS, np.zeros((6, N_CHANNELS, 4)), learn=name)
    default, changed = (small_cochlea(**parameters | more).fit(SOUNDS) for more in ({}, {name: 0.3}))
    outputs = default.available_outputs()
    for before, after in zip(default.simulate(SOUNDS, outputs).values(), changed.simulate(SOUNDS, outputs).values()):
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))


def test_names_must_be_names():
    with error(TypeError, "learn=3 is int", "name"):
        fit_response(small_cochlea(), SOUNDS, SOUNDS, learn=3)


def test_a_fit_that_ends_early_says_so(capsys):
    target = respond(small_cochlea(ohc_health=0.3), SOUNDS, "features")
    with pytest.warns(ConvergenceWarning, match="CARFAC did not converge: after 2 iterations"):
        fit_response(small_cochlea(), SOUNDS, target, learn="ohc_health", max_iter=2, verbose=1)
    assert capsys.readouterr().out.count("loss") == 2


def test_compression_is_found_channel_by_channel():
    X = np.random.default_rng(0).standard_normal((2, 2000))
    exponents = np.linspace(0.5, 1, 129)
    target = respond(AuditorySpectrogram(compression=exponents), X, "compressed")
    found = fit_response(AuditorySpectrogram(), X, target, learn="compression", output="compressed")
    np.testing.assert_allclose(found.compression_, exponents, rtol=1e-3)


# Beside an audiogram

LOSS = Audiogram([500, 1000, 2000], [5, 10, 12])


def test_a_response_does_not_teach_what_the_audiogram_tells():
    with error(ValueError, "learn='ohc_health'", "the fit to the audiogram finds it", "'velocity_scale'"):
        fit_response(small_cochlea(audiogram=LOSS), SOUNDS, np.zeros((6, N_CHANNELS, 4)), learn="ohc_health")


def test_the_audiogram_is_measured_again_with_what_was_found():
    start = small_cochlea(audiogram=LOSS)
    target = respond(small_cochlea(audiogram=LOSS, velocity_scale=0.3), SOUNDS, "features")
    found = fit_response(start, SOUNDS, target, learn="velocity_scale", max_iter=50)
    measured = predicted_audiogram(found, LOSS.frequencies_hz)
    np.testing.assert_array_equal(found.predicted_audiogram_.thresholds_db_hl, measured.thresholds_db_hl)
    np.testing.assert_array_equal(found.residual_loss_db_, LOSS.thresholds_db_hl - measured.thresholds_db_hl)
    assert found.predicted_audiogram_ != start.fit(SOUNDS).predicted_audiogram_
