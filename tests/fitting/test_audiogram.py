import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skaud import CARFAC, Audiogram, Learn, Osses2021
from skaud.fitting import predicted_audiogram
from skaud.fitting.audiogram import residual_of
from skaud.fitting.ear import fit_health, remaining_fibers
from skaud.fitting.quiet_ear import Cochlea, QuietEar, matching_levels
from skaud.hearing import hl_to_spl
from skaud.testing import dot_test

RATE = 22050
CLINIC_HZ = (125, 250, 500, 1000, 2000, 3000, 4000, 6000)
SILENCE = np.zeros((1, 100))
# Coarse models, with which a fit takes a moment; outer hair cells reach 15, 22, 27, 29 and 23 dB from 250 to 4000 Hz
COARSE = {"sample_rate": 16000, "erb_per_step": 0.7}
MILD = Audiogram([250, 500, 1000, 2000, 4000], [5, 10, 15, 20, 15], ear="left")
SLOPING = Audiogram([500, 1000, 2000, 4000], [0, 5, 15, 18], ear="right")

pytestmark = pytest.mark.filterwarnings("ignore:audiogram.*has more loss:UserWarning")

# A synapse, and an AGC of two stages that settles soon
SYNAPSE = {
    "ihc_style": "two_cap_with_syn",
    "agc_time_constants_s": (0.002, 0.008),
    "agc_decimation": (8, 2),
    "agc1_scales": (1.0, 1.4),
    "agc2_scales": (1.65, 2.33),
}


def coarse(**parameters):
    return CARFAC(**COARSE | parameters)


def nap_db(model, frequency_hz, level_db_hl, seconds=1.0):
    """Ten times the logarithm of the NAP's mean square, summed over channels, at the end of a long tone."""
    amplitude = np.sqrt(2) * 10 ** ((hl_to_spl(frequency_hz, level_db_hl) - 93.98) / 20)
    time_s = np.arange(round(seconds * model.sample_rate)) / model.sample_rate
    tone = amplitude * np.sin(2 * np.pi * frequency_hz * time_s) * np.minimum(1, time_s / 0.01)
    nap = model.simulate(tone[np.newaxis], "nap").nap[0, :, -model.sample_rate // 10 :].astype(float)
    return 10 * np.log10(np.mean(nap**2, axis=1).sum())


# What a model's audiogram is


@pytest.mark.parametrize("sample_rate", [16000, 22050])
@pytest.mark.parametrize("ihc_style", ["two_cap", "just_hwr"])
def test_a_healthy_ear_has_no_loss(sample_rate, ihc_style):
    model = CARFAC(sample_rate, ihc_style=ihc_style).fit(SILENCE)
    assert np.abs(predicted_audiogram(model, CLINIC_HZ).thresholds_db_hl).max() < 0.05


def test_loss_grows_as_health_falls_up_to_the_published_reach():
    losses = [
        predicted_audiogram(CARFAC(ohc_health=health).fit(SILENCE), CLINIC_HZ).thresholds_db_hl
        for health in (1.0, 0.8, 0.5, 0.2, 0.0)
    ]
    assert (np.diff(losses, axis=0) > 1).all()
    # The linear cascade's gain at health 1 over that at 0, at 22.05 kHz
    np.testing.assert_allclose(losses[-1], [14, 25, 35, 42, 45, 45, 42, 31], atol=1)


@pytest.mark.parametrize("frequency_hz", [250, 1000, 4000])
def test_at_the_predicted_level_a_long_tone_gives_the_response_of_a_healthy_threshold(frequency_hz):
    healthy = CARFAC(16000, dtype="float64").fit(SILENCE)
    impaired = CARFAC(16000, dtype="float64", ohc_health=lambda hz: np.clip(hz / 4000, 0, 1)).fit(SILENCE)
    loss_db = predicted_audiogram(impaired, [frequency_hz, 5000]).thresholds_db_hl[0]
    assert nap_db(impaired, frequency_hz, loss_db) == pytest.approx(nap_db(healthy, frequency_hz, 0), abs=0.02)


@pytest.mark.parametrize(
    "parameters", [{}, {"rms_one_db_spl": 90.0}, {"output": "bm", "pooling": None}, {"dtype": "float64", "n_jobs": 2}]
)
def test_level_output_precision_and_threads_do_not_change_the_audiogram(parameters):
    model = coarse(ohc_health=0.4, **parameters).fit(SILENCE)
    expected = predicted_audiogram(coarse(ohc_health=0.4).fit(SILENCE), [500, 2000]).thresholds_db_hl
    np.testing.assert_array_equal(predicted_audiogram(model, [500, 2000]).thresholds_db_hl, expected)
    assert (expected > 5).all()


def test_fewer_fibers_raise_thresholds_and_the_resting_rate_is_no_response():
    losses = []
    for share in (1, 0.5, 0.1):
        model = coarse(ihc_style="two_cap_with_syn", n_fibers=np.array([50, 35, 25]) * share).fit(SILENCE)
        losses.append(predicted_audiogram(model, [500, 2000]).thresholds_db_hl)
    np.testing.assert_array_equal(losses[0], 0)
    assert (np.diff(losses, axis=0) > 0.2).all()
    # Ten times fewer fibres lower the response by 20 dB; the AGC, which misses their resting rate, gives some back.
    assert (losses[2] > 5).all()
    assert (losses[2] < 20).all()


def test_levels_are_found_on_a_curve_that_saturates():
    target = np.array([1.0, -30.0, 0.0])
    level = matching_levels(lambda level: 50 * np.tanh((level - 30) / 60), target)
    np.testing.assert_allclose(50 * np.tanh((level - 30) / 60), target, atol=1e-3)


def test_levels_out_of_range_are_nan():
    level = matching_levels(lambda level: 0.1 * level, np.array([1.0, 13.0, -3.0]))
    np.testing.assert_allclose(level, [10, np.nan, np.nan], atol=0.02)


# The fit


@pytest.mark.parametrize("sample_rate", [RATE, pytest.param(48000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["N1", "N2", "N3", "S1", "S2"])
def test_the_fit_predicts_the_standard_audiograms_within_2_db_inside_the_reach(name, sample_rate):
    audiogram = Audiogram.standard(name)
    model = CARFAC(sample_rate, audiogram=audiogram).fit(SILENCE)
    frequency, loss = audiogram.frequencies_hz, audiogram.thresholds_db_hl
    reach = predicted_audiogram(CARFAC(sample_rate, ohc_health=0.0).fit(SILENCE), frequency).thresholds_db_hl
    inside = loss <= reach - 3
    assert inside.any()
    predicted = model.predicted_audiogram_.thresholds_db_hl
    assert np.abs(predicted - loss)[inside].max() < 2
    np.testing.assert_allclose(predicted, np.minimum(loss, reach), atol=2)
    np.testing.assert_allclose(model.residual_loss_db_, loss - predicted)
    assert 0 <= model.ohc_health_.min() <= model.ohc_health_.max() <= 1
    assert np.abs(np.diff(model.ohc_health_)).max() < 0.2  # smooth along the cochlea
    assert np.all(np.diff(model.loss_curve_) <= 0)
    assert len(model.loss_curve_) == model.n_iter_ + 1


def test_everything_after_the_fit_has_the_fitted_health():
    X = np.random.default_rng(0).normal(0, 1e-3, (2, 800))
    fitted = coarse(audiogram=MILD, pooling=None).fit(X)
    given = coarse(ohc_health=fitted.ohc_health_, pooling=None).fit(X)
    assert fitted.audiogram == MILD
    assert fitted.ohc_health == 1.0
    np.testing.assert_array_equal(fitted.transform(X), given.transform(X))
    np.testing.assert_array_equal(fitted.simulate(X, "bm").bm, given.simulate(X, "bm").bm)
    np.testing.assert_array_equal(fitted.transfer_function([500, 1000]), given.transfer_function([500, 1000]))
    np.testing.assert_array_equal(fitted.channel_frequencies_hz_, given.channel_frequencies_hz_)
    chunk, _ = fitted.transform_chunk(X, fitted.initial_state(2))
    np.testing.assert_array_equal(chunk, given.transform_chunk(X, given.initial_state(2))[0])
    grads = [model.vjp(X, "ohc_health")[1](fitted.transform(X))["ohc_health"] for model in (fitted, given)]
    np.testing.assert_array_equal(*grads)
    assert predicted_audiogram(fitted, MILD.frequencies_hz) == fitted.predicted_audiogram_


def test_the_fit_is_the_same_in_both_precisions_for_any_sound_and_any_n_jobs():
    health = coarse(audiogram=MILD).fit(SILENCE).ohc_health_
    others = [
        coarse(audiogram=MILD, dtype="float64").fit(SILENCE),
        coarse(audiogram=MILD, n_jobs=2).fit(np.ones((3, 50))),
        coarse(audiogram=MILD, rms_one_db_spl=94).fit([np.zeros(5)]),
        pickle.loads(pickle.dumps(coarse(audiogram=MILD).fit(SILENCE))),
        clone(coarse(audiogram=MILD).fit(SILENCE)).fit(SILENCE),
    ]
    for other in others:
        np.testing.assert_array_equal(other.ohc_health_, health)


def test_missing_thresholds_are_left_out():
    thresholds = [5, np.nan, 10, 15, 20, np.nan]
    with_gaps = coarse(audiogram=Audiogram([250, 375, 500, 1000, 2000, 12000], thresholds)).fit(SILENCE)
    without = coarse(audiogram=Audiogram([250, 500, 1000, 2000], [5, 10, 15, 20])).fit(SILENCE)
    np.testing.assert_array_equal(with_gaps.ohc_health_, without.ohc_health_)
    measured = [True, False, True, True, True, False]
    np.testing.assert_array_equal(with_gaps.predicted_audiogram_.measured, measured)
    np.testing.assert_array_equal(np.isfinite(with_gaps.residual_loss_db_), measured)


def test_without_loss_the_ear_stays_healthy():
    model = coarse(audiogram=Audiogram([500, 1000, 4000], [0, -10, 0])).fit(SILENCE)
    np.testing.assert_array_equal(model.ohc_health_, 1)
    np.testing.assert_allclose(model.residual_loss_db_, [0, -10, 0], atol=0.01)


def test_without_an_audiogram_health_is_what_was_given():
    model = coarse(ohc_health=0.25).fit(SILENCE)
    assert model.ohc_health_.shape == (model.n_channels_,)
    assert (model.ohc_health_ == 0.25).all()
    model = coarse(audiogram=MILD).fit(SILENCE).set_params(audiogram=None).fit(SILENCE)
    assert (model.ohc_health_ == 1).all()
    assert not hasattr(model, "predicted_audiogram_")


@pytest.mark.parametrize("parameters", [{"open_loop": True}, {"ihc_style": "one_cap"}, {"use_delay_buffer": True}])
def test_other_models_are_fitted_as_well(parameters):
    model = coarse(audiogram=SLOPING, **parameters).fit(SILENCE)
    np.testing.assert_allclose(model.predicted_audiogram_.thresholds_db_hl, [0, 5, 15, 18], atol=1)


def test_the_gradient_of_the_fit_is_that_of_finite_differences():
    model = coarse(ihc_style="two_cap_with_syn").fit(SILENCE)
    ear = QuietEar(Cochlea.of(model), np.array([500.0, 1000, 2000, 3000, 4000]), steady=False)
    rng = np.random.default_rng(0)
    level, bar = rng.uniform(10, 30, 5), rng.standard_normal(5)
    point = {"ohc_health": rng.uniform(0.2, 0.8, model.n_channels_)}
    point["n_fibers"] = remaining_fibers(rng.uniform(0, 1, model.n_channels_), ear)
    for name, value in point.items():
        gradient = ear.vjp(level, wrt=(name,), **point)[1](bar)[name]
        direction = rng.standard_normal(value.shape)
        ahead, behind = (
            bar @ ear.response_db(level, **point | {name: value + step * direction}) for step in (1e-4, -1e-4)
        )
        assert np.vdot(gradient, direction) == pytest.approx((ahead - behind) / 2e-4, rel=1e-5)


# What outer hair cells do not explain


def test_loss_beyond_the_reach_is_reported_by_frequency():
    audiogram = Audiogram([500, 1000, 4000], [10, 20, 80])
    reach = predicted_audiogram(coarse(ohc_health=0.0).fit(SILENCE), [500, 1000, 4000]).thresholds_db_hl
    with pytest.warns(UserWarning, match=r"^audiogram has more loss.* remain [\d.]+ dB at 4000 Hz, see") as caught:
        model = coarse(audiogram=audiogram).fit(SILENCE)
    assert caught[0].filename == __file__
    assert model.residual_loss_db_[2] == pytest.approx(80 - reach[2], abs=1)
    assert f"{model.residual_loss_db_[2]:.1f} dB at 4000 Hz" in str(caught[0].message)
    assert np.abs(model.residual_loss_db_[:2]).max() < 1


def test_inside_the_reach_there_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coarse(audiogram=Audiogram([500, 1000, 2000], [10, 20, 20])).fit(SILENCE)


def test_what_could_be_explained_and_is_missed_by_3_db_is_named_with_its_ear():
    notched = Audiogram([500, 750, 1000, 1500, 2000], [0, 0, 20, 0, 0], ear="right")
    with pytest.warns(UserWarning, match=r"^audiogram\[1\] \(right ear\) is missed by more than 3 dB") as caught:
        model = coarse(audiogram=[None, notched]).fit(np.zeros((1, 2, 100)))
    assert caught[0].filename == __file__
    (message,) = [str(warning.message) for warning in caught]
    predicted = model.predicted_audiogram_[1].thresholds_db_hl
    missed = np.abs(predicted - notched.thresholds_db_hl) > 3
    assert missed.tolist() == [False, True, True, False, False]
    assert (
        f"{predicted[1]:.1f} dB HL at 750 Hz in place of 0, {predicted[2]:.1f} dB HL at 1000 Hz in place of 20"
        in message
    )
    assert message.endswith("check these thresholds.")
    assert " at 500 Hz" not in message
    assert " at 1500 Hz" not in message


def test_better_hearing_than_normal_is_no_miss():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coarse(audiogram=Audiogram([500, 1000, 2000], [-10, -5, 0])).fit(SILENCE)


# The share of the outer hair cells


def test_outer_hair_cells_explain_their_share_as_far_as_they_reach():
    audiogram = Audiogram([500, 1000, 2000, 4000], [5, 10, 20, 80])
    reach = predicted_audiogram(coarse(ohc_health=0.0).fit(SILENCE), audiogram.frequencies_hz).thresholds_db_hl
    with pytest.warns(UserWarning, match="has more loss than outer hair cells explain: there remain") as caught:
        model = coarse(audiogram=audiogram, ohc_share=0.6).fit(SILENCE)
    expected = np.minimum(0.6 * audiogram.thresholds_db_hl, reach)
    np.testing.assert_allclose(model.predicted_audiogram_.thresholds_db_hl, expected, atol=0.5)
    np.testing.assert_allclose(model.residual_loss_db_, audiogram.thresholds_db_hl - expected, atol=0.5)
    # What others are left to explain is no surprise; what is beyond the reach is.
    (message,) = [str(warning.message) for warning in caught]
    assert message.count(" Hz") == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inside = coarse(audiogram=MILD, ohc_share=0.6).fit(SILENCE)
    np.testing.assert_allclose(inside.residual_loss_db_, 0.4 * MILD.thresholds_db_hl, atol=0.5)


def test_without_a_share_hair_cells_stay_healthy_and_with_all_of_it_nothing_changes():
    none = coarse(audiogram=MILD, ohc_share=0).fit(SILENCE)
    np.testing.assert_array_equal(none.ohc_health_, 1)
    np.testing.assert_array_equal(none.residual_loss_db_, MILD.thresholds_db_hl)
    whole = coarse(audiogram=MILD, ohc_share=1).fit(SILENCE)
    np.testing.assert_array_equal(whole.ohc_health_, coarse(audiogram=MILD).fit(SILENCE).ohc_health_)


def test_fibers_explain_what_the_share_leaves():
    audiogram = Audiogram([500, 1000, 2000, 4000], [5, 10, 15, 15])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = coarse(audiogram=audiogram, ohc_share=0.7, explain_residual="synapse", **SYNAPSE).fit(SILENCE)
    assert np.abs(model.residual_loss_db_).max() < 1
    hair_cells_alone = coarse(ohc_health=model.ohc_health_, **SYNAPSE).fit(SILENCE)
    by_hair_cells = predicted_audiogram(hair_cells_alone, audiogram.frequencies_hz).thresholds_db_hl
    np.testing.assert_allclose(by_hair_cells, 0.7 * audiogram.thresholds_db_hl, atol=0.5)
    assert model.n_fibers_[:, 0].min() < 40


def test_a_share_of_what_lost_fibers_leave_unexplained():
    n_fibers = np.array([50, 35, 25]) * 0.3
    audiogram = Audiogram([500, 1000, 2000], [15, 20, 20])
    before = predicted_audiogram(coarse(n_fibers=n_fibers, **SYNAPSE).fit(SILENCE), audiogram.frequencies_hz)
    model = coarse(audiogram=audiogram, ohc_share=0.5, n_fibers=n_fibers, **SYNAPSE).fit(SILENCE)
    expected = (before.thresholds_db_hl + audiogram.thresholds_db_hl) / 2
    np.testing.assert_allclose(model.predicted_audiogram_.thresholds_db_hl, expected, atol=0.5)


@pytest.mark.parametrize("ohc_share", [-0.1, 1.1, np.nan, "0.9"])
def test_a_share_is_a_number_from_0_to_1(ohc_share):
    with pytest.raises(
        ValueError, match=r"'ohc_share' parameter of CARFAC must be a float in the range \[0\.0, 1\.0\]"
    ):
        coarse(ohc_share=ohc_share).fit(SILENCE)


# What was not heard


def test_what_was_not_heard_is_fitted_as_at_least_that():
    frequencies, thresholds = [500, 1000, 1500, 2000, 4000], [20, 25, 10, 25, 20]
    heard = coarse(audiogram=Audiogram(frequencies, thresholds)).fit(SILENCE)
    unheard = Audiogram(frequencies, thresholds, no_response=np.equal(frequencies, 1500))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = coarse(audiogram=unheard).fit(SILENCE)
    assert model.predicted_audiogram_.thresholds_db_hl[2] > 20 > heard.predicted_audiogram_.thresholds_db_hl[2] + 5
    assert model.residual_loss_db_[2] == 0  # the bound is met
    # With nothing to say against it, the others are met better.
    others = np.not_equal(frequencies, 1500)
    assert np.abs(model.residual_loss_db_[others]).max() < 0.1 < np.abs(heard.residual_loss_db_[others]).max()
    # Where the bound counts, it counts as a threshold does.
    raised = Audiogram([500, 1000, 1500, 2000, 4000], [5, 10, 20, 5, 0], no_response=np.equal(frequencies, 1500))
    bound = coarse(audiogram=raised).fit(SILENCE)
    same = coarse(audiogram=Audiogram(raised.frequencies_hz, raised.thresholds_db_hl)).fit(SILENCE)
    np.testing.assert_allclose(bound.ohc_health_, same.ohc_health_, atol=1e-3)


def test_what_was_not_heard_and_lies_beyond_the_reach_leaves_at_least_the_rest():
    audiogram = Audiogram([500, 1000, 2000, 4000], [5, 10, None, 100], no_response=[False, False, False, True])
    with pytest.warns(UserWarning, match=r"there remain at least (\d+\.\d) dB at 4000 Hz, see") as caught:
        model = coarse(audiogram=audiogram).fit(SILENCE)
    rest = 100 - model.predicted_audiogram_.thresholds_db_hl[3]
    assert model.residual_loss_db_[3] == rest
    assert f"at least {rest:.1f} dB" in str(caught[0].message)
    assert np.isnan(model.residual_loss_db_[2])
    assert not model.predicted_audiogram_.no_response.any()  # the model hears


def test_fibers_need_not_explain_more_than_what_was_not_heard():
    unheard = [False, False, True, False]
    audiogram = Audiogram([500, 1000, 2000, 4000], [10, 20, 15, 30], no_response=unheard)
    model = coarse(audiogram=audiogram, explain_residual="synapse", **SYNAPSE).fit(SILENCE)
    assert np.abs(model.residual_loss_db_).max() < 1
    assert model.residual_loss_db_[2] == 0
    assert model.predicted_audiogram_.thresholds_db_hl[2] > 16


def test_a_model_that_hears_nothing_either_leaves_nothing_of_what_was_not_heard():
    thresholds, predicted = [20, 30, 110, 125, None], np.array([15, np.nan, np.nan, np.nan, np.nan])
    audiogram = Audiogram([500, 1000, 2000, 4000, 8000], thresholds, no_response=[False, False, True, True, False])
    np.testing.assert_array_equal(residual_of(audiogram, predicted), [5, np.nan, 0, 5, np.nan])


def test_fewer_fibers_explain_the_rest():
    audiogram = Audiogram([500, 1000, 2000, 4000], [10, 20, 20, 30])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing remains
        model = coarse(audiogram=audiogram, **SYNAPSE, explain_residual="synapse").fit(SILENCE)
    assert np.abs(model.residual_loss_db_).max() < 1
    share = model.n_fibers_ / np.array([50, 35, 25])
    np.testing.assert_allclose(share, share[:, :1] * np.ones(3))  # of all classes alike
    at_4000, at_500 = (np.abs(model.pole_frequencies_hz_ - hz).argmin() for hz in (4000, 500))
    assert share[at_4000, 0] < 0.7
    assert share[at_500, 0] > 0.9
    assert share.max() <= 1
    # the same ear, given
    given = coarse(**SYNAPSE, ohc_health=model.ohc_health_, n_fibers=model.n_fibers_).fit(SILENCE)
    X = [np.random.default_rng(0).normal(0, 1e-2, 800)]
    np.testing.assert_array_equal(model.transform(X), given.transform(X))


def test_what_fibers_do_not_explain_is_reported_too():
    audiogram = Audiogram([500, 1000, 4000], [10, 20, 110])
    with pytest.warns(UserWarning, match=r"than outer hair cells and fibres explain: there remain .* at 4000 Hz"):
        model = coarse(audiogram=audiogram, **SYNAPSE, explain_residual="synapse").fit(SILENCE)
    without = coarse(audiogram=audiogram, **SYNAPSE).fit(SILENCE)
    assert 10 < model.residual_loss_db_[2] < without.residual_loss_db_[2] - 10


def test_health_explains_what_lost_fibers_leave():
    loss = Audiogram([500, 1000, 2000, 4000], [0, 10, 20, 15])
    synapse = SYNAPSE | {"audiogram": loss}
    with pytest.warns(
        UserWarning, match=r"has 6\.\d dB HL at 500 Hz in place of 0, .* n_fibers leave.*, and n_fibers\."
    ):
        fitted = coarse(n_fibers=np.array([50, 35, 25]) * 0.3, **synapse).fit(SILENCE)
    all_fibers = coarse(**synapse).fit(SILENCE)
    assert (fitted.n_fibers_ == np.array([50, 35, 25]) * 0.3).all()
    np.testing.assert_allclose(fitted.predicted_audiogram_.thresholds_db_hl[1:], [10, 20, 15], atol=1)
    assert fitted.predicted_audiogram_.thresholds_db_hl[0] > 3  # a healthy ear with so few fibres hears no better
    assert fitted.ohc_health_.mean() > all_fibers.ohc_health_.mean() + 0.05


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_fibers", [(0, 0, 0), (0.001, 0, 0)])
def test_an_ear_too_deaf_for_an_audiogram_is_named(n_fibers):
    deaf = SYNAPSE | {"n_fibers": n_fibers}
    message = r"^n_fibers leaves .* too deaf .* up to 120 dB HL it hears [01] of .* needs 2; raise n_fibers"
    with pytest.raises(ValueError, match=message):
        predicted_audiogram(coarse(**deaf).fit(SILENCE), [500, 2000])
    with pytest.raises(ValueError, match=message):
        coarse(audiogram=MILD, **deaf).fit(SILENCE)


@pytest.mark.filterwarnings("error")
def test_a_frequency_that_is_not_heard_gets_no_response():
    model = coarse(**SYNAPSE, n_fibers=(0.001, 0, 0)).fit(SILENCE)
    predicted = predicted_audiogram(model, [500, 4000, 6500])
    assert predicted.no_response.tolist() == [True, False, False]
    assert predicted.thresholds_db_hl[0] == 120
    assert (predicted.thresholds_db_hl[1:] < 120).all()


def test_a_loss_that_the_model_overdoes_until_it_hears_nothing_is_a_miss():
    deaf = SYNAPSE | {"n_fibers": (0.001, 0, 0)}
    audiogram = Audiogram([500, 1000, 4000, 6500], [80, None, 110, 110])
    with pytest.warns(UserWarning, match=r"more than 120\.0 dB HL at 500 Hz in place of 80.*, and n_fibers"):
        model = coarse(audiogram=audiogram, **deaf).fit(SILENCE)
    assert model.predicted_audiogram_.no_response.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(np.isnan(model.residual_loss_db_[:2]), True)  # more than is known
    np.testing.assert_array_equal(model.predicted_audiogram_.measured, audiogram.measured)


def test_a_fit_that_is_cut_short_says_so():
    with pytest.warns(ConvergenceWarning, match=r"^CARFAC did not converge: after 2 iterations .*gradient is [\d.]+"):
        model = coarse(audiogram=MILD, learn=Learn(max_iter=2)).fit(SILENCE)
    assert model.n_iter_ == 2


def test_verbose_prints_every_iteration(capsys):
    model = coarse(audiogram=SLOPING, learn=Learn(verbose=1)).fit(SILENCE)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert f"{model.loss_curve_[-1]:.6g}" in lines[-1]


# Two ears


def test_each_ear_has_the_health_that_its_audiogram_alone_gives():
    X = np.random.default_rng(0).normal(0, 1e-2, (2, 2, 800))
    uncoupled = {"agc_mix_coeff": 0.0, "pooling": None}
    both = coarse(audiogram=[MILD, SLOPING], **uncoupled).fit(X)
    assert both.ohc_health_.shape == (2, both.n_channels_)
    assert both.channel_frequencies_hz_.shape == (2, both.n_channels_)
    response, sensitivity = both.transform(X), both.transfer_function([1000, 2000])
    for ear, audiogram in enumerate((MILD, SLOPING)):
        alone = coarse(audiogram=audiogram, **uncoupled).fit(X[:, ear])
        np.testing.assert_array_equal(both.ohc_health_[ear], alone.ohc_health_)
        np.testing.assert_array_equal(response[:, ear], alone.transform(X[:, ear]))
        np.testing.assert_array_equal(sensitivity[ear], alone.transfer_function([1000, 2000]))
        assert both.predicted_audiogram_[ear] == alone.predicted_audiogram_
        assert predicted_audiogram(both, [500, 1000])[ear] == predicted_audiogram(alone, [500, 1000])
        assert predicted_audiogram(both, [500, 1000])[ear].ear == ("left", "right")[ear]
    state, chunks = both.initial_state(2, 2), []
    for part in np.split(X, [300], axis=-1):
        chunk, state = both.transform_chunk(part, state)
        chunks.append(chunk)
    np.testing.assert_array_equal(np.concatenate(chunks, axis=-1), response)


def test_one_audiogram_holds_for_both_ears():
    X = np.random.default_rng(0).normal(0, 1e-2, (2, 2, 800))
    of_both = Audiogram(MILD.frequencies_hz, MILD.thresholds_db_hl)
    model = coarse(audiogram=of_both, agc_mix_coeff=0.0, pooling=None).fit(X)
    alone = coarse(audiogram=of_both, pooling=None).fit(X[:, 0])
    np.testing.assert_array_equal(model.transform(X)[:, 0], alone.transform(X[:, 0]))
    np.testing.assert_array_equal(model.transform(X)[:, 1], alone.transform(X[:, 1]))


def test_none_of_two_ears_is_a_healthy_one():
    X = np.random.default_rng(0).normal(0, 1e-2, (2, 2, 800))
    uncoupled = {"agc_mix_coeff": 0.0, "pooling": None}
    for place in (0, 1):
        audiogram = [MILD, None] if place else [None, SLOPING]
        model = coarse(audiogram=audiogram, **uncoupled).fit(X)
        alone = coarse(audiogram=audiogram[1 - place], **uncoupled).fit(X[:, 0])
        np.testing.assert_array_equal(model.ohc_health_[place], 1)
        np.testing.assert_array_equal(model.ohc_health_[1 - place], alone.ohc_health_)
        assert model.predicted_audiogram_[place] is model.residual_loss_db_[place] is None
        assert model.predicted_audiogram_[1 - place] == alone.predicted_audiogram_
        np.testing.assert_array_equal(model.residual_loss_db_[1 - place], alone.residual_loss_db_)
        np.testing.assert_array_equal(predicted_audiogram(model, [500, 2000])[place].thresholds_db_hl, 0)
        assert [one.ear for one in predicted_audiogram(model, [500, 2000])] == ["left", "right"]
        np.testing.assert_array_equal(model.transform(X)[:, place], coarse(**uncoupled).fit_transform(X[:, place]))
        for copied in (pickle.loads(pickle.dumps(model)), clone(model).fit(X)):
            np.testing.assert_array_equal(copied.transform(X), model.transform(X))
            assert copied.predicted_audiogram_ == model.predicted_audiogram_
    assert "X" in model.vjp(X)[1](model.transform(X))
    with pytest.raises(ValueError, match="wrt has 'ohc_health'"):
        model.vjp(X, "ohc_health")


def test_two_healthy_ears_are_two_ears():
    X = np.random.default_rng(0).normal(0, 1e-2, (2, 2, 800))
    model = coarse(audiogram=[None, None]).fit(X)
    assert model.ohc_health_.shape == (2, model.n_channels_)
    np.testing.assert_array_equal(model.transform(X), coarse().fit_transform(X))
    assert model.predicted_audiogram_ == (None, None)
    assert model.n_iter_ == 1


def test_a_healthy_ear_keeps_its_fibers():
    loss = Audiogram([1000, 2000, 4000], [15, 20, 30])
    model = coarse(audiogram=[None, loss], explain_residual="synapse", **SYNAPSE).fit(np.zeros((1, 2, 100)))
    assert (model.n_fibers_[0] == [50, 35, 25]).all()
    assert model.n_fibers_[1].min() < 40


def test_labels_teach_a_healthy_ear_as_well():
    X, y = np.random.default_rng(0).normal(0, 1e-2, (4, 2, 200)), [0, 1, 0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        how = Learn("velocity_scale", max_iter=2)
        model = coarse(audiogram=[None, SLOPING], learn=how, pooling=("mean", "std")).fit(X, y)
    assert model.velocity_scale_ != 0.1
    assert model.predicted_audiogram_[0] is model.residual_loss_db_[0] is None
    measured = predicted_audiogram(model, SLOPING.frequencies_hz)[1].thresholds_db_hl
    np.testing.assert_array_equal(model.predicted_audiogram_[1].thresholds_db_hl, measured)
    with pytest.raises(ValueError, match="'ohc_health', but the fit to the audiogram finds it; with"):
        coarse(audiogram=[None, SLOPING], learn="ohc_health").fit(X, y)


UNLABELLED = Audiogram([500, 1000], [5, 10])


@pytest.mark.parametrize(
    "audiogram", [[MILD, SLOPING], [MILD, UNLABELLED], [UNLABELLED, SLOPING], [UNLABELLED, UNLABELLED], [MILD, None]]
)
def test_labels_of_ears_in_the_order_of_the_ears_are_taken(audiogram):
    coarse(audiogram=audiogram).check_parameters()


@pytest.mark.parametrize(
    ("audiogram", "number", "label"),
    [
        ([MILD, MILD], 1, "left"),
        ([SLOPING, SLOPING], 0, "right"),
        ([SLOPING, MILD], 0, "right"),
        ([SLOPING, None], 0, "right"),
        ([UNLABELLED, MILD], 1, "left"),
        ([MILD, SLOPING, MILD], 2, "left"),
    ],
)
def test_labels_against_the_order_of_the_ears_are_refused(audiogram, number, label):
    X = np.zeros((1, len(audiogram), 100))
    labels = [one and one.ear for one in audiogram]
    with pytest.raises(ValueError, match=rf"^audiogram\[{number}\] is of the {label} ear.*first ear of X is") as caught:
        coarse(audiogram=audiogram).fit(X)
    assert str(labels) in str(caught.value)
    assert "give audiogram=[left, right]" in str(caught.value)
    assert "correct the labels" in str(caught.value)


def test_an_audiogram_of_one_ear_does_not_hold_for_two():
    for audiogram, pair in ((MILD, "[audiogram, None]"), (SLOPING, "[None, audiogram]")):
        with pytest.raises(
            ValueError, match=f"audiogram is one of the {audiogram.ear} ear, and X has 2 ears"
        ) as caught:
            coarse(audiogram=audiogram).fit(np.zeros((1, 2, 100)))
        assert f"audiogram={pair} where the other is healthy" in str(caught.value)
    coarse(audiogram=[SLOPING]).fit(SILENCE)


def test_a_model_of_one_ear_does_not_hear_two():
    ears = np.zeros((1, 2, 100))
    alone, listed = coarse(audiogram=SLOPING).fit(SILENCE), coarse(audiogram=[SLOPING]).fit()
    heard = [alone.simulate, alone.vjp, lambda X: alone.transform_chunk(X, alone.initial_state(1, 2))]
    for refused in (*heard, listed.simulate, listed.transform):
        with pytest.raises(
            ValueError, match="X has 2 ears, and the model was fitted to the audiogram of the right ear"
        ):
            refused(ears)
    either = Audiogram(SLOPING.frequencies_hz, SLOPING.thresholds_db_hl)
    assert coarse(audiogram=either).fit(SILENCE).simulate(ears, "nap").nap.shape[1] == 2


def test_fibers_are_fitted_for_each_ear():
    loss = Audiogram([1000, 2000, 4000], [15, 20, 30])
    parameters = SYNAPSE | {"explain_residual": "synapse", "agc_mix_coeff": 0.0}
    X = np.random.default_rng(0).normal(0, 1e-2, (1, 2, 400))
    model = coarse(audiogram=[loss, SLOPING], **parameters).fit(X)
    assert model.n_fibers_.shape == (2, model.n_channels_, 3)
    spikes_per_s = model.simulate(X, "spikes_per_s").spikes_per_s
    for ear, audiogram in enumerate((loss, SLOPING)):
        alone = coarse(audiogram=audiogram, **parameters).fit(X[:, ear])
        np.testing.assert_array_equal(spikes_per_s[:, ear], alone.simulate(X[:, ear], "spikes_per_s").spikes_per_s)


@pytest.mark.parametrize("open_loop", [False, True])
def test_the_adjoint_holds_with_different_ears(open_loop):
    model = coarse(audiogram=[MILD, SLOPING], open_loop=open_loop)
    X = np.random.default_rng(0).normal(0, 1e-2, (1, 2, 200))
    tested = dot_test(model, X)
    assert {"X", "velocity_scale", "agc_stage_gain"} <= set(tested)
    assert "ohc_health" not in tested
    with pytest.raises(ValueError, match="wrt has 'ohc_health'"):
        model.fit(X).vjp(X, "ohc_health")


def test_sound_of_other_ears_is_refused():
    model = coarse(audiogram=[MILD, SLOPING]).fit(np.zeros((1, 2, 100)))
    for refused in (model.simulate, model.vjp, lambda X: model.transform_chunk(X, model.initial_state(1))):
        with pytest.raises(ValueError, match="X has 1 ear, and the model was fitted to the audiograms of 2"):
            refused(SILENCE)


# scikit-learn


def test_audiograms_are_chosen_by_a_grid_search():
    rng = np.random.default_rng(0)
    time_s = np.arange(800) / 16000
    y = np.arange(12) % 2
    X = np.array([1e-3 * np.sin(2 * np.pi * (1000, 3000)[c] * time_s) for c in y]) + rng.normal(0, 1e-5, (12, 800))
    pipeline = make_pipeline(coarse(audiogram=MILD), LogisticRegression())
    assert cross_val_score(pipeline, X, y, cv=2).shape == (2,)
    search = GridSearchCV(pipeline, {"carfac__audiogram": [None, MILD, SLOPING]}, cv=2).fit(X, y)
    assert list(search.cv_results_["param_carfac__audiogram"]) == [None, MILD, SLOPING]
    assert search.best_estimator_[0].audiogram in (None, MILD, SLOPING)
    assert pipeline.set_params(carfac__audiogram=SLOPING)[0].audiogram == SLOPING


# Bad input


def test_more_audiograms_than_ears_are_refused():
    with pytest.raises(ValueError, match="audiogram is a list of 2, and X has 1 ear;"):
        coarse(audiogram=[MILD, SLOPING]).fit(SILENCE)
    with pytest.raises(ValueError, match="audiogram is a list of 1, and X has 2 ears"):
        coarse(audiogram=[MILD]).fit(np.zeros((1, 2, 100)))
    with pytest.raises(ValueError, match="audiogram is a list of 0"):
        coarse(audiogram=[]).fit(SILENCE)


def test_frequencies_without_a_channel_are_refused():
    with pytest.raises(ValueError, match=r"audiogram has 8000 Hz, .*sample_rate=16000 .*6800 Hz.*raise sample_rate"):
        coarse(audiogram=Audiogram([1000, 8000], [0, 0])).fit(SILENCE)
    with pytest.raises(ValueError, match=r"audiogram has 60 Hz, .*lower min_pole_hz"):
        coarse(audiogram=Audiogram([60, 1000], [0, 0]), min_pole_hz=100).fit(SILENCE)
    with pytest.raises(ValueError, match=r"frequencies_hz has 9000 Hz, .*leave it out"):
        predicted_audiogram(coarse().fit(SILENCE), [1000, 9000])


@pytest.mark.parametrize("audiogram", ["N3", {500: 10}, np.array([10, 20]), 3])
def test_an_audiogram_of_another_type_is_refused_with_the_remedy(audiogram):
    message = r"audiogram=.* must be a skaud\.Audiogram.*Audiogram\.standard\('N2'\) or Audiogram\.from_dict\("
    with pytest.raises(TypeError, match=message):
        coarse(audiogram=audiogram).fit(SILENCE)
    with pytest.raises(TypeError, match=message.replace("audiogram=", "audiogram has ")):
        coarse(audiogram=[MILD, audiogram]).fit(SILENCE)


def test_a_list_of_something_else_is_refused():
    with pytest.raises(TypeError, match=r"audiogram has \(500, 10\), tuple; it must be a skaud.Audiogram"):
        coarse(audiogram=[(500, 10)]).fit(SILENCE)


def test_health_and_an_audiogram_are_not_given_together():
    with pytest.raises(ValueError, match=r"ohc_health=0\.5 and an audiogram are given"):
        coarse(audiogram=MILD, ohc_health=0.5).fit(SILENCE)
    coarse(audiogram=SLOPING, ohc_health=lambda hz: np.ones(len(hz))).fit(SILENCE)  # says the same as 1


def test_without_a_synapse_fibers_explain_nothing():
    with pytest.raises(ValueError, match="explain_residual='synapse', but ihc_style='two_cap' has no synapse"):
        coarse(audiogram=MILD, explain_residual="synapse").fit(SILENCE)
    with pytest.raises(ValueError, match="'explain_residual' parameter of CARFAC must be a str among"):
        coarse(audiogram=MILD, explain_residual="hair cells").fit(SILENCE)


def test_without_an_audiogram_no_loss_remains_to_be_explained():
    model = coarse(explain_residual="synapse", **SYNAPSE).fit(SILENCE)  # a grid search may try no audiogram as well
    assert (model.ohc_health_ == 1).all()
    assert not hasattr(model, "residual_loss_db_")


def test_models_without_an_audiogram_are_refused():
    with pytest.raises(TypeError, match="model is Osses2021, which has no NAP"):
        predicted_audiogram(Osses2021(), [500, 1000])
    with pytest.raises(NotFittedError):
        predicted_audiogram(CARFAC(), [500, 1000])
    with pytest.raises(ValueError, match="frequencies_hz has 500 after 1000 Hz"):
        predicted_audiogram(coarse().fit(SILENCE), [1000, 500])
    with pytest.raises(ValueError, match="at least 2 frequencies"):
        predicted_audiogram(coarse().fit(SILENCE), [1000])


def test_the_fit_takes_its_start_from_a_prior_near_the_audiogram():
    model = CARFAC().fit(SILENCE)
    audiogram = Audiogram.standard("N2")
    ear = QuietEar(Cochlea.of(model), audiogram.frequencies_hz[:8], steady=False)
    solution = fit_health(ear, audiogram.thresholds_db_hl[:8], None, max_iter=100, tol=1e-5)
    healthy = 0.5 * np.mean(audiogram.thresholds_db_hl[:8] ** 2)
    assert solution.loss_curve[0] < 0.1 * healthy
    assert solution.loss_curve[-1] < 0.1 < solution.loss_curve[0]


def test_labels_teach_other_parameters_to_the_fitted_ear():
    rng = np.random.default_rng(0)
    y = np.arange(8) % 2
    tones = np.sin(2 * np.pi * np.array([1000, 3000])[y, np.newaxis] * np.arange(400) / 16000)
    X = 0.01 * tones + rng.normal(0, 0.01, (8, 400))
    model = coarse(audiogram=SLOPING, learn=Learn("velocity_scale", max_iter=3, tol=1e-9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
        fitted = coarse(audiogram=SLOPING, learn=Learn(max_iter=3, tol=1e-9)).fit(X)
    np.testing.assert_array_equal(model.ohc_health_, fitted.ohc_health_)
    assert model.velocity_scale_ != 0.1
    predicted = model.predicted_audiogram_
    assert predicted != fitted.predicted_audiogram_
    assert predicted.ear == "right"
    measured = predicted_audiogram(model, SLOPING.frequencies_hz)
    np.testing.assert_array_equal(predicted.thresholds_db_hl, measured.thresholds_db_hl)
    np.testing.assert_array_equal(model.residual_loss_db_, SLOPING.thresholds_db_hl - predicted.thresholds_db_hl)


def test_labels_do_not_teach_what_the_audiogram_tells():
    X, ears = np.zeros((4, 100)), np.zeros((4, 2, 100))
    with pytest.raises(
        ValueError, match="learn='ohc_health' has 'ohc_health', but the fit to the audiogram finds it; with"
    ):
        coarse(audiogram=SLOPING, learn="ohc_health").fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="'n_fibers', but the fit to the audiogram finds it; with"):
        coarse(audiogram=SLOPING, learn="n_fibers", explain_residual="synapse", **SYNAPSE).fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="'min_zeta', but it has no derivative where each ear has its own health"):
        coarse(audiogram=[MILD, SLOPING], learn="min_zeta", open_loop=True).fit(ears, [0, 1, 0, 1])


def test_callbacks_see_the_iterations_of_a_fit_to_audiograms():
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    seen = []

    class Watcher:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            seen.append(context.task_name)
            return False

    model = coarse(audiogram=MILD).set_callbacks(Watcher()).fit(SILENCE)
    assert seen.count("iteration") == model.n_iter_ > 1


def test_an_ear_whose_audiogram_cannot_be_fitted_is_no_healthy_ear():
    beyond = Audiogram([500, 12000], [40, 20])
    for model in (coarse(), coarse().fit(SILENCE)):
        with pytest.raises(ValueError, match="audiogram has 12000 Hz"):
            model.set_params(audiogram=beyond).fit(SILENCE)
        with pytest.raises(NotFittedError):
            model.transform(SILENCE)


def test_labels_are_checked_before_the_audiogram_is_fitted(monkeypatch):
    monkeypatch.setattr(CARFAC, "find", lambda *_: pytest.fail("labels were not checked first"))
    with pytest.raises(ValueError, match="y has 3 entries for 1 signals"):
        coarse(audiogram=MILD, learn="velocity_scale").fit(SILENCE, [0, 1, 0])
