"""The template observer against signal detection theory, and as a scikit-learn classifier."""

import pickle

import numpy as np
import pandas as pd
import pytest
from audio_checks import error
from listeners import N_SAMPLES, PATTERN, RATE, Samples, distance, trials
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import (
    CARFAC,
    AuditorySpectrogram,
    BiomimeticFrontend,
    Dau1997,
    FeaturePipeline,
    King2019,
    LogCompression,
    Osses2021,
    Sound,
    TemplateObserver,
    TemporalPooling,
    audio,
    datasets,
)
from skaud.psychoacoustics import proportion_correct

VARIANCE = 1e-3


def observer(**parameters):
    return TemplateObserver(Samples(), **{"internal_noise_variance": VARIANCE, "random_state": 0} | parameters)


def amplitude_for(d):
    return d / distance(1.0, VARIANCE)


# Against theory


@pytest.mark.parametrize("n_intervals", [2, 3, 5])
@pytest.mark.parametrize("d", [0.0, 1.0, 2.0])
def test_the_proportion_correct_is_that_of_its_d_prime(d, n_intervals):
    fitted = observer().fit(*trials(3, n_intervals=n_intervals))
    X, y = trials(3000, amplitude_for(d), n_intervals, seed=1)
    expected = proportion_correct(d, n_intervals)
    assert fitted.score(X, y) == pytest.approx(expected, abs=3.3 * np.sqrt(expected * (1 - expected) / len(y)))
    np.testing.assert_allclose(fitted.predict_proba(X)[np.arange(len(y)), y], expected, atol=1e-9)


def test_in_noise_from_outside_it_is_the_matched_filter():
    fitted = observer(internal_noise_variance=0.0).fit(*trials(2000, 5.0, masker_std=1.0))
    X, y = trials(4000, 0.5, masker_std=1.0, seed=1)
    expected = proportion_correct(0.5 * np.linalg.norm(PATTERN))
    assert fitted.score(X, y) == pytest.approx(expected, abs=3.3 * np.sqrt(expected * (1 - expected) / len(y)))


def test_the_internal_noise_has_its_variance_and_is_independent_from_interval_to_interval():
    fitted = observer(internal_noise_variance=0.25).fit(*trials(3))
    X, _ = trials(4000, seed=1)
    noise = fitted.decision_function(X) - fitted.correlate(X)
    assert abs(noise.mean()) < 4 * np.sqrt(0.25 / noise.size)
    assert noise.var() == pytest.approx(0.25, rel=4 * np.sqrt(2 / noise.size))
    between = np.corrcoef(noise.T)[np.triu_indices(3, 1)]
    assert np.abs(between).max() < 4 / np.sqrt(len(noise))


def test_the_template_is_the_normalised_difference():
    fitted = observer().fit(*trials(20, 0.7, masker_std=0.0))
    assert fitted.frame_s_ == 1 / RATE
    np.testing.assert_allclose(fitted.template_[0], PATTERN / np.sqrt(np.sum(PATTERN**2) / RATE), atol=1e-12)
    assert np.sum(fitted.template_**2) * fitted.frame_s_ == pytest.approx(1, abs=1e-12)


def test_the_length_of_a_frame_is_no_part_of_the_answer():
    X = np.zeros((4, 2, N_SAMPLES))
    X[:, 0] = 0.1
    whole, framed = (TemplateObserver(Samples(frame), internal_noise_variance=1.0).fit(X, [0] * 4) for frame in (1, 8))
    assert framed.template_.shape == (1, N_SAMPLES // 8)
    np.testing.assert_allclose(framed.correlate(X), whole.correlate(X), rtol=1e-12)


@pytest.mark.parametrize("seconds", [0.019, 0.02, 0.0215])
@pytest.mark.parametrize("is_in_pipeline", [False, True])
def test_a_last_frame_that_is_not_whole_does_not_stretch_time(seconds, is_in_pipeline):
    model = Dau1997(22050, pooling=None, frame_length=0.01)
    if is_in_pipeline:
        model = make_pipeline(model, FunctionTransformer())
    n_samples = round(seconds * 22050)
    X = np.zeros((1, 2, n_samples))
    X[0, 0] = 0.1 * np.sin(np.arange(n_samples))
    fitted = TemplateObserver(model, internal_noise_variance=1.0).fit(X, [0])
    assert fitted.template_.shape[-1] == n_samples // 220
    assert fitted.frame_s_ == pytest.approx(220 / 22050, rel=1e-12)  # 10 ms in whole samples
    assert np.sum(fitted.template_**2) * fitted.frame_s_ == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("is_in_pipeline", [False, True])
def test_plain_samples_of_a_recipe_last_as_long_as_the_same_sounds(is_in_pipeline):
    model = FeaturePipeline([("dau1997", Dau1997(16000, pooling=None))], plain_sample_rate=8000)
    if is_in_pipeline:
        model = make_pipeline(model, FunctionTransformer())
    samples = np.zeros((1, 2, 1600))
    samples[0, 0] = 0.1 * np.sin(np.arange(1600))
    sounds = [[Sound(own, 8000) for own in trial] for trial in samples]
    observer = TemplateObserver(model, internal_noise_variance=1.0)
    of_samples, of_sounds = (clone(observer).fit(X, [0]) for X in (samples, sounds))
    assert of_samples.frame_s_ == of_sounds.frame_s_ == 0.01
    np.testing.assert_allclose(of_samples.correlate(samples), of_sounds.correlate(sounds), rtol=1e-6)


def test_complex_representations_are_refused():
    model = BiomimeticFrontend(n_strfs=8, response="complex", pooling=None)
    X = np.stack([np.zeros((1, 1600)), 0.1 * np.ones((1, 1600))], axis=1)
    with error(ValueError, "complex representations", "response='real'"):
        TemplateObserver(model, internal_noise_variance=1.0).fit(X, [1])


def test_frames_that_a_step_behind_the_model_takes_together_are_as_long_as_they_are():
    model = Dau1997(16000, pooling=None, frame_length=0.01)
    by_four = FunctionTransformer(lambda X: X.reshape(*X.shape[:-1], -1, 4).mean(axis=-1))
    X = np.zeros((1, 2, 16000 * 8 // 100))
    X[0, 0] = 0.1 * np.sin(np.arange(X.shape[-1]))
    fitted = TemplateObserver(make_pipeline(model, by_four), internal_noise_variance=1.0).fit(X, [0])
    assert fitted.template_.shape[-1] == 2
    assert fitted.frame_s_ == pytest.approx(0.04, rel=1e-12)


def test_predict_draws_from_predict_proba():
    fitted = observer().fit(*trials(3))
    X, _ = trials(1, amplitude_for(1.0), seed=5)
    drawn = np.bincount(fitted.predict(np.repeat(X, 5000, axis=0)), minlength=3) / 5000
    np.testing.assert_allclose(drawn, fitted.predict_proba(X)[0], atol=4 * np.sqrt(0.25 / 5000))


# Models


def modulated(n_trials=2, sample_rate=16000, n_ears=None, depth=1.0):
    X = [datasets.make_am_noise(10, [depth, 0, 0], 0.3, sample_rate, 65, random_state=i) for i in range(n_trials)]
    if n_ears:
        X = [[Sound(np.stack([c.samples] * n_ears), sample_rate) for c in trial] for trial in X]
    return X, [0] * n_trials


BAND = {"low_hz": 900, "high_hz": 1300, "pooling": None}


@pytest.mark.parametrize(
    "model",
    [
        Dau1997(16000, **BAND),
        Dau1997(16000, **BAND, frame_length=None),
        Osses2021(16000, **BAND),
        King2019(16000, **BAND),
        CARFAC(16000, pooling=None),
        AuditorySpectrogram(pooling=None),
        FeaturePipeline([("carfac", CARFAC(16000, pooling=None)), ("log", LogCompression())]),
        make_pipeline(CARFAC(16000, pooling=None), LogCompression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_model_hears_deep_modulation(model):
    X, y = modulated()
    fitted = TemplateObserver(model, random_state=0).fit(X, y)
    assert fitted.internal_noise_variance_ > 0
    assert fitted.score(*modulated(4)) == 1
    plain = np.array([[clip.samples for clip in trial] for trial in X])
    np.testing.assert_allclose(fitted.correlate(plain), fitted.correlate(X), rtol=1e-3)


def test_ears_are_rows_of_the_template():
    X, y = modulated(n_ears=2)
    fitted = TemplateObserver(Dau1997(16000, **BAND), internal_noise_variance=1.0).fit(X, y)
    one = TemplateObserver(Dau1997(16000, **BAND), internal_noise_variance=1.0).fit(*modulated())
    assert fitted.template_.shape[0] == 2 * one.template_.shape[0]
    # twice the same: the square root of 2 more in D
    np.testing.assert_allclose(fitted.correlate(X), np.sqrt(2) * one.correlate(modulated()[0]), rtol=1e-5)


def test_clips_of_another_rate_are_resampled():
    fitted = TemplateObserver(Dau1997(16000, **BAND), internal_noise_variance=1.0).fit(*modulated(sample_rate=32000))
    assert fitted.frame_s_ == pytest.approx(0.01)


def test_a_level_that_is_hardly_meant_is_warned_of():
    loud = [[audio.set_level(clip, 150) for clip in trial] for trial in modulated(1)[0]]
    with pytest.warns(UserWarning, match="150"):
        TemplateObserver(Dau1997(16000, **BAND), internal_noise_variance=1.0).fit(loud, [0])


def test_without_a_model_it_is_dau1997():
    fitted = TemplateObserver(internal_noise_variance=1.0).fit(*modulated(1, 44100))
    assert isinstance(fitted.model_, Dau1997)


# As a classifier of scikit-learn


class OfATable(TemplateObserver):
    """As if trials were rows of a table, so that scikit-learn yields its checks."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


NO_TABLE = "a trial is intervals of samples, (n_trials, n_intervals, n_samples): a table of numbers is refused"
REFUSES_TABLES = dict.fromkeys(
    (
        "check_classifier_data_not_an_array",
        "check_classifiers_classes",
        "check_classifiers_one_label",
        "check_classifiers_regression_target",
        "check_classifiers_train",
        "check_complex_data",
        "check_dict_unchanged",
        "check_dont_overwrite_attributes",
        "check_dont_overwrite_parameters",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_empty_data_messages",
        "check_estimators_fit_returns_self",
        "check_estimators_nan_inf",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_1feature",
        "check_fit2d_1sample",
        "check_fit2d_predict1d",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in",
        "check_n_features_in_after_fitting",
        "check_pipeline_consistency",
        "check_positive_only_tag_during_fit",
        "check_readonly_memmap_input",
        "check_supervised_y_2d",
    ),
    NO_TABLE,
) | {"check_decision_proba_consistency": "decisions hold internal noise, probabilities are over it; and " + NO_TABLE}


@parametrize_with_checks([OfATable()], expected_failed_checks=lambda _: REFUSES_TABLES)
def test_it_is_a_scikit_learn_classifier(estimator, check):
    check(estimator)


def test_tags_say_what_trials_are():
    tags = get_tags(TemplateObserver())
    assert is_classifier(TemplateObserver())
    assert tags.input_tags.audio
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required


def test_the_same_seed_gives_the_same_answers_of_a_prefix_too():
    fitted = observer().fit(*trials(3))
    X, _ = trials(50, amplitude_for(1.0), seed=1)
    decisions = fitted.decision_function(X)
    np.testing.assert_array_equal(fitted.decision_function(X), decisions)
    np.testing.assert_array_equal(fitted.decision_function(X[:7]), decisions[:7])
    np.testing.assert_array_equal(fitted.predict(X), decisions.argmax(axis=1))
    np.testing.assert_array_equal(fitted.correlate(X[::-1]), fitted.correlate(X)[::-1])
    again = clone(fitted).fit(*trials(3))
    np.testing.assert_array_equal(again.decision_function(X), decisions)
    assert (observer(random_state=1).fit(*trials(3)).decision_function(X) != decisions).all()


def test_an_instance_draws_on_from_trial_to_trial():
    fitted = observer(random_state=np.random.RandomState(0)).fit(*trials(3))
    X, _ = trials(1)
    assert len({fitted.decision_function(X)[0, 0] for _ in range(5)}) == 5


def test_it_fits_into_searches_pipelines_and_pickles():
    X, y = trials(60, amplitude_for(2.0), as_sounds=True)
    assert cross_val_score(observer(), X, y, cv=3).mean() > 0.7
    search = GridSearchCV(observer(), {"internal_noise_variance": [VARIANCE, 1e3], "model__frame": [1, 2]}, cv=3)
    assert search.fit(X, y).best_params_["internal_noise_variance"] == VARIANCE
    fitted = make_pipeline(observer()).fit(X, y)
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_what_is_set_after_fit_waits_for_the_next_one():
    fitted = observer().fit(*trials(3))
    X, _ = trials(5, seed=1)
    decisions = fitted.decision_function(X)
    fitted.set_params(internal_noise_variance=9.0, random_state=5)
    np.testing.assert_array_equal(fitted.decision_function(X), decisions)


def test_trials_come_in_every_form():
    X, y = trials(4)
    sounds, _ = trials(4, as_sounds=True)
    objects = np.empty((4, 3), object)
    for i, trial in enumerate(sounds):
        objects[i] = trial
    fitted = observer().fit(X, y)
    frame = pd.DataFrame(objects, columns=["first", "second", "third"])
    for other in (sounds, objects, frame, pd.Series(sounds), [list(trial) for trial in X], X.tolist()):
        np.testing.assert_allclose(fitted.correlate(other), fitted.correlate(X), rtol=1e-12)


# What cannot be meant


def test_what_are_no_trials_is_named():
    X, y = trials(3)
    sounds, _ = trials(3, as_sounds=True)
    with error(ValueError, "X has 2 axes, shape (3, 80)", "(n_trials, n_intervals, n_samples)"):
        observer().fit(X[:, 0], y)
    with error(TypeError, "X[0] is Sound, not a trial", "list of its intervals"):
        observer().fit([trial[0] for trial in sounds], y)
    with error(TypeError, "X is Sound, not trials"):
        observer().fit(sounds[0][0], y)
    with error(TypeError, "X[0] is str, not a trial"):
        observer().fit(["a.wav", "b.wav", "c.wav"], y)
    with error(ValueError, "X has 2 axes, shape (3, 80)"):
        observer().fit(pd.DataFrame(X[:, 0]), y)
    with error(ValueError, "X is empty", "at least one trial"):
        observer().fit([], [])
    with error(ValueError, "X has 1 interval", "at least 2"):
        observer().fit(X[:, :1], y)
    with error(ValueError, "X[1] has 2 intervals, and X[0] 3"):
        observer().fit([sounds[0], sounds[1][:2]], [0, 1])
    with error(ValueError, "X has 3 samples that are NaN"):
        observer().fit(np.where(np.arange(N_SAMPLES) == 3, np.nan, X[:1, :]), [0])


def test_samples_that_are_none_are_named_by_trial_and_interval():
    X, y = trials(3)
    broken = [[*trial] for trial in X]
    for samples, kind, words in (
        (np.full(N_SAMPLES, np.inf), ValueError, "80 samples that are NaN or infinite"),
        (np.zeros(N_SAMPLES, np.int16), TypeError, "int16"),
        (np.zeros((1, 1, N_SAMPLES)), ValueError, "(1, 1, 80)"),
        (np.zeros(0), ValueError, "shape (0,)"),
    ):
        broken[2][1] = samples
        with error(kind, "X[2][1]", words):
            observer().fit(broken, y)


def test_intervals_that_differ_in_length_or_ears_are_named():
    sounds, y = trials(2, as_sounds=True)
    longer = [sounds[0], [*sounds[1][:2], Sound(np.zeros(N_SAMPLES + 8), RATE)]]
    with error(ValueError, "X[1][2] is 0.011 s long", "X[0][0] 0.01 s long", "pad or cut"):
        observer().fit(longer, y)
    two_ears = [sounds[0], [*sounds[1][:2], Sound(np.zeros((2, N_SAMPLES)), RATE)]]
    with error(ValueError, "X[1][2] is 0.01 s long with 2 ears", "no axis of ears"):
        observer().fit(two_ears, y)
    fitted = observer().fit(sounds, y)
    short = [[Sound(clip.samples[:40], RATE) for clip in trial] for trial in sounds]
    with error(ValueError, "X has intervals of 0.005 s", "(1, 80)", "fit again"):
        fitted.predict(short)
    with error(ValueError, "X has trials of 2 intervals", "in fit they had 3"):
        fitted.predict([trial[:2] for trial in sounds])


def test_intervals_whose_rates_give_other_frames_are_named():
    class FramesOfSamples(Samples):
        def transform(self, X):
            return [clip.samples[np.newaxis] for clip in X]

    X, y = trials(2, as_sounds=True)
    X[1][0] = Sound(np.zeros(2 * N_SAMPLES), 2 * RATE)
    with error(ValueError, "shapes [(1, 80), (1, 160)]", "resample those of X to one rate"):
        TemplateObserver(FramesOfSamples(), internal_noise_variance=1.0).fit(X, y)


def test_answers_that_are_no_intervals_are_named():
    X, y = trials(3)
    with error(ValueError, "requires y", "interval with the signal"):
        observer().fit(X, None)
    with error(ValueError, "y has shape (2,)", "X has 3 trials"):
        observer().fit(X, y[:2])
    for wrong in ([1, 2, 3], [0, -1, 0], [0.5, 0, 0], ["a", "b", "c"]):
        with error(ValueError, "y=", "counted from 0 to 2"):
            observer().fit(X, wrong)


def test_a_signal_that_makes_no_difference_is_named():
    X, y = trials(3, amplitude=0.0)
    with error(ValueError, "X has no difference", "raise the level of the signal"):
        observer().fit(X, y)
    assert not hasattr(observer(), "template_")


def test_a_model_without_frames_is_named():
    for model in (Dau1997(16000), FeaturePipeline([("c", CARFAC(16000, pooling=None)), ("p", TemporalPooling())])):
        with error(ValueError, "features of shape", "no time axis", "pooling=None"):
            TemplateObserver(model, internal_noise_variance=1.0).fit(*modulated())


def test_plain_samples_need_a_model_that_knows_their_rate():
    class NoRate(Samples):
        def __init__(self, frame=1):
            self.frame = frame

    with error(ValueError, "plain samples", "no sample_rate", "skaud.Sound"):
        TemplateObserver(NoRate(), internal_noise_variance=1.0).fit(*trials(2))


def test_parameters_out_of_range_are_named():
    X, y = trials(2)
    with error(ValueError, "'internal_noise_variance' parameter of TemplateObserver", "Got -1.0"):
        observer(internal_noise_variance=-1.0).fit(X, y)
    with error(ValueError, "'model' parameter of TemplateObserver"):
        TemplateObserver("dau1997").fit(X, y)
    with pytest.raises(NotFittedError):
        observer().predict(X)


def test_a_model_whose_channels_miss_the_tone_of_calibration_is_named():
    model = Dau1997(16000, low_hz=5000, high_hz=5000, pooling=None)
    with error(
        ValueError, "frequency_hz=1000.0", "5000 to 5000 Hz", "internal_noise_variance=calibrated_noise_variance"
    ):
        TemplateObserver(model).fit(*modulated())
