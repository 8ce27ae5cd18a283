"""What `learn` does in a fit."""

import pickle
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sklearn
from audio_checks import error
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import skaud
from skaud import CARFAC, AuditorySpectrogram, BiomimeticFrontend, Learn, audio
from skaud.estimator.listening import hear
from skaud.estimator.movable_model import MovableModel
from skaud.fitting.classification import Labels, SoftmaxObjective
from skaud.fitting.parameters import BoundedParameters

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RATE = 8000


def make_bursts(n_signals=12, rate=RATE, seed=0):
    """Tones of 500 or 1500 Hz in noise, of different lengths, and their labels."""
    random = np.random.default_rng(seed)
    y = np.array(["low", "high"])[np.arange(n_signals) % 2]
    clips = []
    for label in y:
        t = np.arange(random.integers(500, 700)) / rate
        tone = np.sin(2 * np.pi * {"low": 500, "high": 1500}[label] * t)
        clips.append(0.01 * tone + 0.04 * random.standard_normal(len(t)))
    return clips, y


CLIPS, Y = make_bursts()
WIDE_CLIPS, _ = make_bursts(rate=16000)


def learner(kind, learn, parameters):
    """A model that learns, with the settings of `Learn` that stand among its parameters."""
    settings = {name: parameters.pop(name) for name in Learn().get_params() if name in parameters}
    return kind(learn=None if learn is None else Learn(learn, **settings), **parameters)


def cochlea(learn="velocity_scale", **parameters):
    """A small CARFAC that learns its nonlinearity."""
    small = {"sample_rate": RATE, "erb_per_step": 1.0, "rms_one_db_spl": None}  # the clips are at 66 dB SPL
    return learner(CARFAC, learn, small | {"max_iter": 8, "l2": 0.01, "tol": 0.0} | parameters)


def front_end(learn="full", *, init="log", drawn=0, **parameters):
    front = partial(BiomimeticFrontend, init=init, random_state=drawn)
    return learner(front, learn, {"n_strfs": 8, "max_iter": 3, "random_state": 0, "tol": 0.0} | parameters)


@parametrize_with_checks([cochlea(erb_per_step=2.0, max_iter=2, dtype="float64")])
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


# Weights


@pytest.mark.parametrize("pooling", [("mean", "std"), None])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_a_weight_counts_as_so_many_clips(solver, pooling):
    weights = np.array([1, 2, 0, 1, 3, 1, 0, 0, 1, 1, 2, 1])
    # Batches of Adam are drawn at random: with all clips in one, there is nothing to draw.
    model = cochlea(dtype="float64", solver=solver, pooling=pooling, batch_size=50, max_iter=4, l2=0.1)
    weighted = clone(model).fit(CLIPS, Y, sample_weight=weights)
    repeated = clone(model).fit([CLIPS[i] for i in np.repeat(np.arange(12), weights)], np.repeat(Y, weights))
    plain = clone(model).fit(CLIPS, Y)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)
    assert weighted.velocity_scale_ == pytest.approx(repeated.velocity_scale_, rel=1e-6)
    assert weighted.velocity_scale_ != pytest.approx(plain.velocity_scale_, rel=1e-4)
    ones = clone(model).fit(CLIPS, Y, sample_weight=np.full(12, 7.0))
    assert ones.velocity_scale_ == pytest.approx(plain.velocity_scale_, rel=1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_clips_of_weight_0_are_as_good_as_left_out(solver):
    model = cochlea(dtype="float64", solver=solver, early_stopping=True, random_state=0, max_iter=3)
    strange = [*CLIPS, 0.5 * np.ones(50), CLIPS[0]]
    weighted = clone(model).fit(strange, [*Y, "strange", "other"], sample_weight=[1] * 12 + [0, 0])
    plain = clone(model).fit(CLIPS, Y)
    assert weighted.velocity_scale_ == plain.velocity_scale_
    assert weighted.validation_scores_ == plain.validation_scores_


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_the_derivative_of_the_weighted_loss_follows_differences(solver):
    model = cochlea(dtype="float64", learn=None).fit(CLIPS)
    labels = Labels(Y, 12, a_frame=False, weights=np.linspace(0.1, 2, 12))
    movable, indices = MovableModel(model, hear(model, CLIPS)), np.arange(12)
    parameters = BoundedParameters(movable, ("max_zeta",))
    objective = SoftmaxObjective(movable, parameters, labels, l2=0.1, signals_at_once=5)
    x, evaluate = objective.begin(indices), objective.projected
    if solver == "adam":
        x = np.append(x, np.random.default_rng(1).standard_normal(objective.n_head))
        evaluate = objective.joint
    step = 1e-4 * np.random.default_rng(2).standard_normal(x.size)
    difference = evaluate(x + step, indices)[0] - evaluate(x - step, indices)[0]
    assert difference == pytest.approx(2 * evaluate(x, indices)[1] @ step, rel=1e-4)


def test_batches_of_weighted_clips_have_the_loss_of_all_on_average():
    model = cochlea(dtype="float64", learn=None).fit(CLIPS)
    labels = Labels(Y, 12, a_frame=False, weights=np.linspace(0.1, 2, 12))
    movable, indices = MovableModel(model, hear(model, CLIPS)), np.arange(12)
    objective = SoftmaxObjective(movable, BoundedParameters(movable, ("max_zeta",)), labels, l2=0.1, signals_at_once=5)
    x = objective.begin(indices)
    x = np.append(x, np.random.default_rng(1).standard_normal(objective.n_head))
    loss, gradient = objective.joint(x, indices)
    for size in (1, 4):  # of one clip, too, whose weight alone would be that of the batch
        batches = [objective.joint(x, batch) for batch in indices.reshape(-1, size)]
        assert np.mean([own for own, _ in batches]) == pytest.approx(loss)
        np.testing.assert_allclose(np.mean([own for _, own in batches], axis=0), gradient, rtol=1e-7, atol=1e-12)


def test_weights_pass_through_a_pipeline():
    weights = np.arange(12.0)
    pipeline = make_pipeline(cochlea(max_iter=2), StandardScaler(), LogisticRegression())
    pipeline.fit(CLIPS, Y, carfac__sample_weight=weights)
    alone = cochlea(max_iter=2).fit(CLIPS, Y, sample_weight=weights)
    assert pipeline[0].velocity_scale_ == alone.velocity_scale_
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(cochlea(max_iter=2).set_fit_request(sample_weight=True))
        assert routed.fit(CLIPS, Y, sample_weight=weights)[0].velocity_scale_ == alone.velocity_scale_


@pytest.mark.parametrize("learn", ["velocity_scale", None])
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(11), ("sample_weight has shape (11,)", "12 signals", "one weight for each")),
        (np.ones((12, 1)), ("sample_weight has shape (12, 1)", "one axis")),
        ([-1.0] * 12, ("sample_weight=[-1.0", "at least 0")),
        ([0.0] * 12, ("sample_weight is zero", "above 0")),
        ([np.nan] * 12, ("sample_weight=[nan", "finite")),
        (["heavy"] * 12, ("sample_weight=['heavy'", "numbers")),
    ],
)
def test_bad_weights_are_refused(weights, words, learn):
    with error(ValueError, *words):
        cochlea(learn=learn).fit(CLIPS, Y, sample_weight=weights)


def test_weights_without_learning_are_without_effect():
    weighted = cochlea(learn=None).fit_transform(CLIPS, sample_weight=np.arange(12))
    np.testing.assert_array_equal(weighted, cochlea(learn=None).fit_transform(CLIPS))


# What is learned


def test_the_loss_falls_monotonically_under_lbfgs():
    names = ("velocity_scale", "ohc_health", "agc_time_constants_s", "tau1_out")
    model = cochlea(learn=names, solver="lbfgs", max_iter=8).fit(CLIPS, Y)
    assert (np.diff(model.loss_curve_) <= 0).all()
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]
    assert len(model.loss_curve_) == model.n_iter_ + 1


@pytest.mark.parametrize("batch_size", [5, 32])
def test_learning_begins_at_the_loss_of_the_best_head_on_the_given_model(batch_size):
    y = np.arange(12) % 3
    learned = cochlea(dtype="float64", max_iter=1, batch_size=batch_size).fit(CLIPS, y)
    z = StandardScaler().fit_transform(cochlea(dtype="float64", learn=None).fit_transform(CLIPS))
    head = LogisticRegression(C=1 / (learned.learn.l2 * len(z)), tol=1e-9, max_iter=5000).fit(z, y)
    cross_entropy = -np.log(head.predict_proba(z)[np.arange(12), y]).mean()
    penalty = learned.learn.l2 / 2 * (head.coef_**2).sum()
    assert learned.loss_curve_[0] == pytest.approx(cross_entropy + penalty, rel=1e-5)


def test_adam_begins_with_a_head_that_knows_nothing():
    model = cochlea(solver="adam", max_iter=3).fit(CLIPS, Y)
    assert model.loss_curve_[0] == pytest.approx(np.log(2))
    assert len(model.loss_curve_) == model.n_iter_ == 3


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_the_derivative_of_the_loss_follows_differences(solver):
    model = cochlea(dtype="float64", pooling=("mean", "max"), learn=None).fit(CLIPS)
    movable = MovableModel(model, hear(model, CLIPS))
    parameters = BoundedParameters(movable, ("max_zeta", "agc_time_constants_s"))
    labels, indices = Labels(Y, 12, a_frame=False), np.arange(12)
    objective = SoftmaxObjective(movable, parameters, labels, l2=0.1, signals_at_once=5)
    x = objective.begin(indices)
    random = np.random.default_rng(1)
    evaluate = objective.projected
    if solver == "adam":
        x, evaluate = np.append(x, random.standard_normal(objective.n_head)), objective.joint
    step = 1e-4 * random.standard_normal(x.size)
    difference = evaluate(x + step, indices)[0] - evaluate(x - step, indices)[0]
    assert difference == pytest.approx(2 * evaluate(x, indices)[1] @ step, rel=1e-4)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize(
    "model", [cochlea(), front_end(), front_end(learn="cortical"), front_end(learn=["compression"])]
)
def test_what_is_learned_is_fitted_and_within_its_bounds(model, solver):
    clips = CLIPS if isinstance(model, CARFAC) else WIDE_CLIPS
    model = clone(model).set_params(learn__solver=solver, learn__max_iter=3, learn__learning_rate=0.1).fit(clips, Y)
    before = clone(model).set_params(learn=None).fit(clips)
    for name in model.learned_names():
        low, high = model.bounds()[name]
        value = getattr(model, f"{name}_")
        assert np.shape(value) == before.value_of(name).shape
        assert np.any(value != before.value_of(name))
        assert (np.less_equal(low, value) & np.less_equal(value, high)).all()
    assert model.n_iter_ == 3
    assert model.transform(clips).shape == before.transform(clips).shape
    assert (model.transform(clips) != before.transform(clips)).any()


def test_full_is_all_212_parameters_and_cortical_80():
    sizes = {}
    for learn in ("full", "cortical"):
        model = BiomimeticFrontend(learn=Learn(learn, max_iter=1)).fit(WIDE_CLIPS[:2], Y[:2])
        sizes[learn] = sum(np.size(getattr(model, f"{name}_")) for name in model.learned_names())
    assert sizes == {"full": 212, "cortical": 80}


@pytest.mark.parametrize("given", [0.9, np.full(26, 0.9), lambda hz: 0.9 + 0 * hz], ids=["scalar", "array", "callable"])
def test_the_shape_that_was_given_is_learned(given):
    model = cochlea(learn="ohc_health", ohc_health=given, max_iter=2).fit(CLIPS, Y)
    found = model.found_["ohc_health"]
    assert np.shape(found) == (() if np.isscalar(given) else (model.n_channels_,))
    assert model.ohc_health is given
    np.testing.assert_array_equal(model.ohc_health_, found)
    np.testing.assert_array_equal(model.coefficients_.car.ohc_health, found * np.ones(model.n_channels_))


def test_rates_keep_their_sign():
    model = front_end(learn="rates_hz", solver="adam", learning_rate=0.3, max_iter=6).fit(WIDE_CLIPS, Y)
    np.testing.assert_array_equal(np.sign(model.rates_hz_), np.repeat([1, -1], 4))


def test_strfs_that_are_drawn_are_drawn_once():
    model = front_end(init="random", drawn=None, learn="integration_s").fit(WIDE_CLIPS, Y)
    drawn = model.rates_hz_.copy()
    model.make_design()
    np.testing.assert_array_equal(model.rates_hz_, drawn)


def test_values_outside_the_bounds_begin_at_the_next_bound():
    model = cochlea(learn="v_offset", v_offset=-0.2, max_iter=1, solver="adam", learning_rate=1e-12).fit(CLIPS, Y)
    assert model.v_offset_ == pytest.approx(0, abs=1e-9)


# Labels


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_settings_of_any_kind_are_the_same_numbers(solver):
    settings = {"max_iter": 3, "tol": 0.0, "l2": 0.01, "batch_size": 8, "learning_rate": 0.01}
    given = {name: (np.int16 if type(own) is int else np.float32)(own) for name, own in settings.items()}
    plain = {name: own.item() for name, own in given.items()}
    fits = [cochlea(solver=solver, random_state=0, **own).fit(CLIPS, Y) for own in (given, plain)]
    assert fits[0].velocity_scale_ == fits[1].velocity_scale_
    assert fits[0].learn.learning_rate is given["learning_rate"]
    with error(ValueError, "max_iter=True must be a number"):
        cochlea(max_iter=True).fit(CLIPS, Y)


def test_labels_may_be_anything_that_classifiers_take():
    found = [
        cochlea(max_iter=3).fit(CLIPS, labels).velocity_scale_
        for labels in (Y, list(Y), (Y == "low").astype(int), [label == "low" for label in Y], Y.astype(object))
    ]
    np.testing.assert_allclose(found, found[0], rtol=1e-4)


def test_frames_have_labels_of_their_own():
    model = cochlea(pooling=None, max_iter=4).fit(CLIPS, Y)  # the clip's label, for all of its frames
    frames = [np.full(response.shape[-1], label) for response, label in zip(model.transform(CLIPS), Y)]
    again = cochlea(pooling=None, max_iter=4).fit(CLIPS, frames)
    assert again.velocity_scale_ == model.velocity_scale_
    onset = [np.arange(len(labels)) < 2 for labels in frames]  # of the noise
    other = cochlea(pooling=None, max_iter=4).fit(CLIPS, onset)
    assert other.velocity_scale_ != model.velocity_scale_
    X = np.stack([clip[:500] for clip in CLIPS])
    assert cochlea(pooling=None, max_iter=2).fit(X, np.tile([0, 1, 1, 0, 1, 0], (12, 1))).n_iter_ == 2


@pytest.mark.parametrize(
    ("labels", "parameters", "words"),
    [
        (None, {}, ("y is None", "label")),
        (Y[:-1], {}, ("11", "12 signals")),
        (np.zeros(12, int), {}, ("one class", "at least 2")),
        (np.linspace(0, 1, 12), {}, ("continuous",)),
        (np.tile([0, 1], (12, 1)), {}, ("pooling=None",)),
        ([np.zeros(3, int)] + [np.ones(3, int)] * 11, {"pooling": None}, ("y[0]", "3 labels", "8 frames")),
        (Y, {"learn": "tau"}, ("learn='tau'", "'velocity_scale'")),
        (Y, {"learn": ("first_pole_theta",)}, ("'first_pole_theta'", "'velocity_scale'")),
        (Y, {"learn": ()}, ("nothing",)),
        (Y, {"learn": "n_fibers"}, ("n_fibers",)),
        (Y, {"learn": "agc_stage_gain", "open_loop": True}, ("agc_stage_gain",)),
        (Y, {"learn": "tau2_out", "ihc_style": "two_cap_with_syn"}, ("tau2_out", "'tau1_out'")),
        (Y, {"solver": "sgd"}, ("solver", "'adam'", "'sgd'")),
        (Y, {"max_iter": 0}, ("max_iter",)),
        (Y, {"early_stopping": True, "validation_fraction": 0.01}, ("validation_fraction=0.01", "12 signals")),
        (["a", *"bbbbbbbbbbb"], {"early_stopping": True, "validation_fraction": 0.3}, ("one clip of class", "'a'")),
    ],
)
def test_what_cannot_be_learned_is_named(labels, parameters, words):
    with error(ValueError, *words):
        cochlea(**parameters).fit(CLIPS, labels)


def test_strfs_cannot_be_learned_where_the_output_is_the_spectrogram():
    with error(ValueError, "'scales_cycles_per_octave'", "'compression'", "'full'"):
        front_end(learn="cortical", output="spectrogram").fit(WIDE_CLIPS, Y)
    with error(ValueError, "complex", "response='real'"):
        front_end(response="complex", pooling=None).fit(WIDE_CLIPS, Y)


# How it is learned


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("model", [cochlea(batch_size=5), front_end(batch_size=5)])
def test_a_seed_gives_the_same_for_any_number_of_jobs(model, solver):
    clips = CLIPS if isinstance(model, CARFAC) else WIDE_CLIPS
    model = clone(model).set_params(learn__solver=solver, learn__random_state=3, learn__max_iter=2)
    fits = [clone(model).set_params(n_jobs=n_jobs).fit(clips, Y) for n_jobs in (None, 1, 3)]
    for other in fits[1:]:
        assert other.loss_curve_ == fits[0].loss_curve_
        for name in fits[0].learned_names():
            np.testing.assert_array_equal(getattr(other, f"{name}_"), getattr(fits[0], f"{name}_"))


def test_adam_follows_its_seed():
    losses = {
        seed: cochlea(solver="adam", batch_size=4, max_iter=3, random_state=seed).fit(CLIPS, Y).loss_curve_
        for seed in (0, 1)
    }
    assert losses[0] == cochlea(solver="adam", batch_size=4, max_iter=3, random_state=0).fit(CLIPS, Y).loss_curve_
    assert losses[0] != losses[1]


def test_the_batch_size_of_lbfgs_changes_only_rounding():
    curves = [cochlea(batch_size=size, dtype="float64", max_iter=3).fit(CLIPS, Y).loss_curve_ for size in (3, 100)]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-8)


def test_early_stopping_keeps_the_best():
    model = cochlea(
        solver="adam", early_stopping=True, validation_fraction=0.4, n_iter_no_change=3, max_iter=60, random_state=0
    ).fit(CLIPS, Y)
    scores = np.array(model.validation_scores_)
    assert len(scores) == model.n_iter_ == len(model.loss_curve_) < 60
    assert set(np.round(scores * 5, 9)) <= set(range(6))  # of 5 clips


def test_a_fit_that_does_not_converge_says_so():
    with pytest.warns(ConvergenceWarning, match=r"CARFAC did not converge: after 2 iterations .* gradient is \d"):
        cochlea(max_iter=2, tol=0).fit(CLIPS, Y)
    with pytest.warns(ConvergenceWarning, match="BiomimeticFrontend did not converge: after 1 iterations") as caught:
        make_pipeline(front_end(learn="cortical", max_iter=1)).fit(WIDE_CLIPS[:2], Y[:2])
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cochlea(max_iter=100, tol=1e-2).fit(CLIPS, Y)


def test_verbose_prints_every_iteration(capsys):
    cochlea(max_iter=2, verbose=1).fit(CLIPS, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("CARFAC: iteration 2, loss 0.")


# scikit-learn


def test_a_refit_starts_afresh():
    model = cochlea(max_iter=3).fit(CLIPS, Y)
    first = model.velocity_scale_
    assert model.fit(CLIPS, Y).velocity_scale_ == first
    model.set_params(learn=None).fit(CLIPS, Y)
    assert not hasattr(model, "velocity_scale_")
    assert not hasattr(model, "loss_curve_")
    np.testing.assert_array_equal(model.transform(CLIPS), cochlea(learn=None).fit_transform(CLIPS))


def test_what_was_learned_is_pickled_and_differentiated():
    model = cochlea(max_iter=3).fit(CLIPS, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(CLIPS), model.transform(CLIPS))
    np.testing.assert_array_equal(again.vjp(CLIPS, wrt="velocity_scale")[0], model.transform(CLIPS))
    assert not hasattr(clone(model), "velocity_scale_")
    np.testing.assert_allclose(
        cochlea(learn=None, velocity_scale=model.velocity_scale_).fit_transform(CLIPS),
        model.transform(CLIPS),
        rtol=1e-5,
    )


def test_it_is_searched_and_validated_in_a_pipeline():
    pipeline = make_pipeline(cochlea(max_iter=2), StandardScaler(), LogisticRegression())
    assert cross_val_score(pipeline, CLIPS, Y, cv=2).mean() > 0.5
    search = GridSearchCV(pipeline, {"carfac__learn": [None, "velocity_scale", ("v_offset", "max_zeta")]}, cv=2)
    assert len(search.fit(CLIPS, Y).cv_results_["mean_test_score"]) == 3


def test_a_search_reaches_what_learn_says():
    pipeline = make_pipeline(cochlea(), StandardScaler(), LogisticRegression())
    grid = {"carfac__learn__max_iter": [1, 3], "carfac__learn__names": ["velocity_scale", ("v_offset", "max_zeta")]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(CLIPS, Y)
    found = search.best_estimator_[0]
    assert found.n_iter_ <= found.learn.max_iter == search.best_params_["carfac__learn__max_iter"]
    assert found.learned_names() == tuple(np.atleast_1d(search.best_params_["carfac__learn__names"]))


def test_names_alone_learn_with_the_settings_that_learn_has_by_default():
    for names in ("velocity_scale", ["velocity_scale"], ("velocity_scale",)):
        plain = CARFAC(RATE, erb_per_step=2.0, learn=names).fit(CLIPS[:6], Y[:6])
        spelled = CARFAC(RATE, erb_per_step=2.0, learn=Learn(names)).fit(CLIPS[:6], Y[:6])
        assert plain.loss_curve_ == spelled.loss_curve_
        assert plain.velocity_scale_ == spelled.velocity_scale_


@pytest.mark.parametrize(("kind", "solver"), [(cochlea, "lbfgs"), (front_end, "adam")])
def test_every_model_has_a_solver_of_its_own(kind, solver):
    clips = CLIPS if kind is cochlea else WIDE_CLIPS
    own, given, other = (
        kind(max_iter=2, solver=name).fit(clips, Y).loss_curve_
        for name in (None, solver, "adam" if solver == "lbfgs" else "lbfgs")
    )
    assert own == given != other


def test_learn_without_names_learns_nothing():
    model = CARFAC(RATE, erb_per_step=1.0, learn=Learn(max_iter=3)).fit(CLIPS)
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(model.transform(CLIPS), CARFAC(RATE, erb_per_step=1.0).fit_transform(CLIPS))
    assert not get_tags(model).target_tags.required


def test_what_learn_holds_is_copied_compared_and_shown():
    model = cochlea(max_iter=1).fit(CLIPS, Y)
    copy = clone(model)
    assert copy.learn is not model.learn
    assert copy.get_params()["learn__max_iter"] == 1
    model.set_params(learn__names="v_offset")
    assert copy.learn.names == "velocity_scale"
    assert pickle.loads(pickle.dumps(model)).velocity_scale_ == model.velocity_scale_  # the fit knew the old name
    assert "Learn(" in repr(model)


def test_clips_at_another_rate_are_resampled():
    found = cochlea(max_iter=2).fit(CLIPS, Y, sample_rate=2 * RATE)
    resampled = [audio.resample(clip, RATE, sample_rate=2 * RATE) for clip in CLIPS]
    assert found.loss_curve_ == pytest.approx(cochlea(max_iter=2).fit(resampled, Y).loss_curve_, rel=1e-4)


def test_ears_are_learned_from_together():
    X = np.stack([np.stack([clip[:500], clip[:500] / 2]) for clip in CLIPS])
    model = cochlea(learn=("agc_mix_coeff", "ohc_health"), max_iter=3).fit(X, Y)
    assert model.agc_mix_coeff_ != 0.5


def test_the_spectrogram_alone_learns():
    model = AuditorySpectrogram(learn=Learn("full", max_iter=2)).fit(WIDE_CLIPS, Y)
    assert model.compression_.shape == (129,)
    assert model.found_.keys() == {"compression", "lateral_inhibition", "integration_s"}


def test_callbacks_watch_every_iteration():
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    seen = []

    class Watcher:
        def setup(self, estimator, context):
            seen.append("setup")

        def teardown(self, estimator, context):
            seen.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
            if fitted_estimator is None:
                return False
            seen.append(fitted_estimator.velocity_scale_)
            assert fitted_estimator.transform(X).shape == (12, 104)
            return len(seen) == 4

    model = cochlea(max_iter=8).set_callbacks(Watcher()).fit(CLIPS, Y)
    assert (seen[0], seen[-1]) == ("setup", "teardown")
    assert seen[1:-1][-1] == model.velocity_scale_
    assert model.n_iter_ == 3  # as the callback asked
    seen.clear()
    model.set_params(learn=None).fit(CLIPS)
    assert seen == ["setup", "teardown"]


def test_scikit_learn_without_callbacks_learns_as_well():
    code = """
import sys, sklearn.linear_model, sklearn.preprocessing, sklearn.model_selection
sys.modules["sklearn.callback"] = None  # as before 1.9
import numpy as np
from skaud import AuditorySpectrogram, Learn
X = np.random.default_rng(0).standard_normal((4, 800))
model = AuditorySpectrogram(learn=Learn("integration_s", max_iter=2)).fit(X, [0, 1, 0, 1])
print(model.n_iter_, hasattr(model, "set_callbacks"))
"""
    root = Path(skaud.__file__).parent.parent
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout.split() == ["2", "False"]


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "array_api_strict"])
def test_arrays_of_another_library_teach_what_those_of_numpy_do(library):
    xp = pytest.importorskip(library, reason=f"{library} is not installed")
    X = np.stack([clip[:500] for clip in WIDE_CLIPS]).astype(np.float32)
    wanted = front_end().fit(X, Y)
    found = front_end().fit(xp.asarray(X), xp.asarray(np.asarray(Y)) if np.asarray(Y).dtype.kind in "iu" else Y)
    for name in wanted.learned_names():
        np.testing.assert_array_equal(getattr(found, f"{name}_"), getattr(wanted, f"{name}_"))


# A fit that fails


@pytest.mark.parametrize(
    ("changes", "y"),
    [
        ({}, None),
        ({}, Y[:3]),
        ({"learn": "tau"}, Y),
        ({"sample_rate": 1}, Y),
        ({"ac_corner_hz": 5000}, Y),
        ({"learn__early_stopping": True, "learn__validation_fraction": 0.01}, Y),
        ({"learn__max_iter": 0}, Y),
    ],
)
def test_a_model_whose_fit_failed_is_not_fitted(changes, y):
    fresh, fitted = cochlea(max_iter=1), cochlea(max_iter=1, learn=None).fit(CLIPS)
    fitted.set_params(learn=Learn("velocity_scale", max_iter=1))
    for model in (fresh, fitted):
        with error(ValueError):
            model.set_params(**changes).fit(CLIPS, y)
        with pytest.raises(NotFittedError):
            model.transform(CLIPS)
        assert not [name for name in vars(model) if name.endswith("_")]


def test_an_interrupted_fit_leaves_no_half_of_it(monkeypatch):
    model = cochlea(max_iter=1, learn=None).fit(CLIPS)
    monkeypatch.setattr(CARFAC, "find", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(CLIPS)
    with pytest.raises(NotFittedError):
        model.transform(CLIPS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learn": "agc_mix_coeff"}, ("agc_mix_coeff", "couples the ears", "X has one ear", "'velocity_scale'")),
        ({"learn": "agc_stage_gain", "open_loop": True}, ("agc_stage_gain", "open_loop=True")),
        ({"learn": ()}, ("learn=()", "names nothing to learn", "choose among")),
    ],
)
def test_what_cannot_be_learned_is_said_with_the_reason(changes, words):
    with error(ValueError, *words):
        cochlea(**changes).fit(CLIPS, Y)


@pytest.mark.parametrize("make", [np.asarray, list], ids=["array", "list"])
def test_labels_in_a_column_are_taken_with_a_warning(make):
    with pytest.warns(DataConversionWarning, match=r"y is a column, \(12, 1\)"):
        column = cochlea(max_iter=1).fit(CLIPS, make(Y[:, np.newaxis]))
    assert column.velocity_scale_ == cochlea(max_iter=1).fit(CLIPS, Y).velocity_scale_
