"""Facts that hold for every model of this package, besides those that `skaud.testing` ships."""

import pickle
import re
import tempfile
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.fixes import parse_version

from skaud import Sound
from skaud.audio import resample
from skaud.testing import checks
from skaud.testing.checks import assert_near, assert_same, frames_and_features, make_clips, with_parameters

# --- sounds and comparisons ---


def make_task(sample_rate=22050, n_signals=12, seed=0):
    """Clips of different lengths, tones in noise of two frequencies, their classes, and speakers."""
    random = np.random.default_rng(seed)
    clips, classes = [], np.arange(n_signals) % 2
    for c in classes:
        t = np.arange(round(sample_rate * random.uniform(0.03, 0.06))) / sample_rate
        clips.append(0.05 * np.sin(2 * np.pi * (500, 2000)[c] * t) + 0.005 * random.standard_normal(t.size))
    return clips, classes, np.arange(n_signals) // 2 % 3


def error(kind, *words):
    """The message holds these words, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(re.escape(word) for word in words))


# --- forms of X ---


def check_sounds_know_their_rate_and_level(estimator):
    rate = estimator.sample_rate
    samples = make_clips((0.03, 0.05), sample_rate=2 * rate)
    pascals = [Sound(clip, 2 * rate) for clip in samples]
    softer = [Sound(10 * clip, 2 * rate, 73.98) for clip in samples]
    mixed = [pascals[0], Sound(resample(samples[1], rate, sample_rate=2 * rate), rate)]
    for model in frames_and_features(estimator):
        for given in (None, 93.98):
            model = with_parameters(model, rms_one_db_spl=given).fit(pascals)
            plain = [10 ** ((93.98 - model.level_of_one()) / 20) * clip for clip in samples]
            wanted = model.transform(plain, sample_rate=2 * rate)
            for what, sounds in {"pascals": pascals, "another scale": softer, "two rates": mixed}.items():
                for a, b in zip(model.transform(sounds), wanted):
                    assert_near(a, b, 1e-4, f"Sounds in {what} and samples, rms_one_db_spl={given}")


def check_derivatives_are_by_the_samples_of_a_sound(estimator):
    rate = estimator.sample_rate
    if not hasattr(estimator, "vjp"):
        return
    (clip,) = make_clips((0.02,), sample_rate=rate)
    model = with_parameters(estimator, dtype="float64").fit([clip])
    value, pullback = model.vjp([Sound(clip, rate, model.level_of_one())], wrt="X")
    wanted = pullback(value)["X"][0]
    # The same pressure in samples a tenth as large: its derivative by them is ten times as large.
    softer, pullback = model.vjp([Sound(clip / 10, rate, model.level_of_one() + 20)], wrt="X")
    assert_near(np.asarray(softer), np.asarray(value), 1e-9, "value of a Sound of another scale")
    assert_near(pullback(softer)["X"][0], 10 * wanted, 1e-9, "derivative by the samples of a Sound of another scale")
    with error(ValueError, "X[0] is at", "resample"):
        model.vjp([Sound(clip, 2 * rate)])


def check_columns_and_dicts_of_clips_are_lists(estimator):
    import polars as pl
    import pyarrow as pa

    rate = estimator.sample_rate
    clips = make_clips((0.02, 0.03))
    sounds = [Sound(clip, rate) for clip in clips]
    lists = [clip.tolist() for clip in clips]
    dicts = [{"array": clip, "sampling_rate": rate, "path": None} for clip in clips]
    objects = np.empty(2, dtype=object)
    objects[:] = sounds
    columns = {
        "list of Sounds": sounds,
        "array of Sounds": objects,
        "array of one column": objects[:, np.newaxis],
        "Series of Sounds": pd.Series(sounds),
        "Series of arrays": pd.Series(clips, dtype=object),
        "Arrow lists": pd.Series(lists, dtype=pd.ArrowDtype(pa.list_(pa.float64()))),
        "Arrow array": pa.array(lists),
        "Arrow table of a column": pa.table({"audio": lists}),
        "polars objects": pl.Series(sounds, dtype=pl.Object),
        "polars lists": pl.Series(lists),
        "dicts": dicts,
        "Series of dicts": pd.Series(dicts),
        "polars structs": pl.Series([d | {"array": d["array"].tolist()} for d in dicts]),
        "decoders": [Decoder(clip, rate) for clip in clips],
    }
    model = clone(estimator).fit(clips)
    wanted = model.transform(clips)
    for what, column in columns.items():
        assert_same(model.transform(column), wanted, what)
    for what in ("Series of Sounds", "Arrow lists", "Series of dicts"):
        assert_same(model.transform(columns[what].to_frame()), wanted, f"data frame with a column: {what}")
    for what in ("polars objects", "polars lists", "polars structs"):
        assert_same(model.transform(columns[what].to_frame()), wanted, f"data frame with a column: {what}")
    for frame in (pd.DataFrame({"age": [1, 2], "clip": sounds}), pl.DataFrame({"age": [1, 2], "clip": lists})):
        with error(TypeError, "2 columns", "'clip' holds clips", "ColumnTransformer"):
            model.transform(frame)
    equal = pd.Series([lists[0], lists[0]])  # of one length, and still no table of numbers
    wanted = model.transform([clips[0], clips[0]])
    for what, column in {"Series": equal, "frame": equal.to_frame(), "Arrow array": pa.array(equal.tolist())}.items():
        assert_same(model.transform(column), wanted, f"{what} of lists of one length")


class Decoder:
    """Audio as Hugging Face's datasets decode it when asked."""

    def __init__(self, samples, sample_rate):
        self.entries = {"array": samples, "sampling_rate": sample_rate}

    def __getitem__(self, key):
        return self.entries[key]


def check_sounds_survive_every_scorer_and_search(estimator):
    """Half of the clips at one rate, half at another: every way to score them hears the same."""
    rate = estimator.sample_rate
    X, y, _ = make_task(2 * rate)
    slow = [Sound(resample(clip, rate, sample_rate=2 * rate), rate) for clip in X]
    sounds = [Sound(clip, 2 * rate) if i % 2 else slow[i] for i, clip in enumerate(X)]
    pipeline = classifier(estimator)
    wanted = cross_val_score(pipeline, slow, y, cv=3, error_score="raise")
    for scoring in (None, "accuracy", make_scorer(accuracy_score)):
        assert_same(
            cross_val_score(pipeline, sounds, y, cv=3, scoring=scoring, error_score="raise"), wanted, f"{scoring}"
        )
    assert_same(
        cross_val_predict(pipeline, sounds, y, cv=3), cross_val_predict(pipeline, slow, y, cv=3), "cross_val_predict"
    )
    search = GridSearchCV(pipeline, {"logistic__C": [1]}, cv=3, error_score="raise").fit(sounds, y)
    assert_same(search.cv_results_["mean_test_score"], [wanted.mean()], "scores of a grid search")
    stack = StackingClassifier([("model", pipeline)], LogisticRegression(), cv=3)
    assert_same(stack.fit(sounds, y).predict(sounds), clone(stack).fit(slow, y).predict(slow), "stacking")
    copies = pickle.loads(pickle.dumps(sounds))
    assert_same(pickle.loads(pickle.dumps(search)).predict(copies), search.predict(sounds), "pickles")


def check_a_rate_lost_on_the_way_is_an_error(estimator):
    rate = estimator.sample_rate
    X, y, _ = make_task(2 * rate)
    model = clone(estimator).fit(X, sample_rate=2 * rate)
    with error(ValueError, "plain samples without a rate", "skaud.Sound"):
        model.transform(X)
    with error(ValueError, "plain samples without a rate", "skaud.Sound"):
        model.simulate(X)
    model.transform(X, sample_rate=2 * rate)
    model.transform([Sound(clip, 2 * rate) for clip in X])
    dicts = [{"array": clip, "sampling_rate": 2 * rate} for clip in X]
    assert_same(clone(estimator).fit(dicts).transform(dicts), model.transform(dicts), "clips that know a rate alone")
    told = clone(estimator).fit([Sound(clip, 2 * rate) for clip in X])
    with error(ValueError, "plain samples without a rate", "skaud.Sound"):
        told.transform(X)
    clone(estimator).fit([Sound(clip, rate) for clip in X]).transform(X)  # at the model's own rate nothing is lost
    with error(ValueError, "X[0] is at", "sample_rate=", "leave sample_rate out"):
        model.transform([Sound(clip, 2 * rate) for clip in X], sample_rate=rate)
    pipeline = classifier(estimator)
    name = pipeline.steps[0][0]
    pipeline.fit(X, y, **{f"{name}__sample_rate": 2 * rate})
    with error(ValueError, "plain samples without a rate", "skaud.Sound"):
        pipeline.score(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        # A scorer that is named does not pass the rates on.
        for scoring in ("accuracy", make_scorer(accuracy_score)):
            with error(ValueError, "plain samples without a rate", "skaud.Sound"):
                cross_val_score(
                    classifier(estimator),
                    X,
                    y,
                    cv=3,
                    scoring=scoring,
                    params={"sample_rate": [2 * rate] * len(X)},
                    error_score="raise",
                )
    with error(TypeError, "y=8000 is a number", "sample_rate=8000"):
        clone(estimator).fit(X, 8000)
    with error(TypeError, "y=array(8000) is a number", "sample_rate="):
        clone(estimator).fit(X, np.array(8000))


def check_levels_that_no_sound_has_warn_once(estimator):
    clips = make_clips((0.02, 0.03))
    model = clone(estimator).fit(clips)
    loud = [np.round(32768 * clip / np.abs(clip).max()) for clip in clips]
    with pytest.warns(UserWarning, match=r"X\[\d\] is at 1\d\d dB SPL, and 2 of 2.*PCM.*93.98.*rms_one_db") as caught:
        model.transform(loud)
    assert len(caught) == 1, f"{len(caught)} warnings"
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"X\[\d\] is at -\d+ dB SPL and no clip is louder"):
        model.transform([1e-6 * clip for clip in clips])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.transform(clips)
        model.transform([0 * clips[0], 1e-6 * clips[0], clips[1]])  # soft beside others, and silence
        model.transform([0 * clips[0]])


def check_a_frame_of_seconds_warns(estimator):
    if "frame_length" not in estimator.get_params():
        return  # it has a frame rate
    with pytest.warns(UserWarning, match="frame_length=10 is a frame of 10 s; it is in seconds, not in samples"):
        with_parameters(estimator, frame_length=10).fit(make_clips((0.02,)))


def check_lengths_of_arrays_are_told_in_seconds(estimator):
    rate = estimator.sample_rate
    X = np.stack(make_clips((0.03, 0.03), sample_rate=rate))
    model = clone(estimator).fit(X)
    longer = np.concatenate([X, X], axis=1)
    with error(ValueError, "expecting", "0.06", "s of sound, fit had 0.03", "pass list(X)"):
        model.transform(longer)
    wanted = model.transform(X)
    assert model.transform(longer, sample_rate=2 * rate).shape == wanted.shape, "the same time at another rate"
    with error(ValueError, "0.015", "s of sound, fit had 0.03", "pass list(X)"):
        model.transform(X, sample_rate=2 * rate)


def check_many_rows_of_a_few_samples_warn(estimator):
    model = clone(estimator)
    with pytest.warns(UserWarning, match=r"X has 200 rows of 2 samples.*\[X.T\]"):
        model.fit(0.02 * np.random.default_rng(0).standard_normal((200, 2)))
    with pytest.warns(UserWarning, match=r"X has 200 rows of 2 samples.*features are no sound"):
        model.fit(pd.DataFrame({"age": np.linspace(0.1, 0.9, 200), "height": np.linspace(0.5, 0.6, 200)}))


def check_20_db_more_are_10_times_the_pressure(estimator):
    clips = make_clips((0.02, 0.03))
    own = with_parameters(estimator, dtype="float64", rms_one_db_spl=None).fit(clips)
    louder = with_parameters(own, rms_one_db_spl=own.full_scale_db_spl + 20).fit(clips)
    same = with_parameters(own, rms_one_db_spl=own.full_scale_db_spl).fit(clips)
    assert_same(same.transform(clips), own.transform(clips), "the model's own level, given")
    assert_near(
        louder.transform(clips), own.transform([10 * clip for clip in clips]), 1e-12, "20 dB and a factor of 10"
    )
    assert not np.allclose(louder.transform(clips), own.transform(clips), rtol=1e-3), "20 dB change nothing"


# --- scikit-learn ---


def check_polars_output(estimator):
    polars = pytest.importorskip("polars")
    clips = make_clips((0.02, 0.03))
    model = clone(estimator).fit(clips)
    frame = clone(model).set_output(transform="polars").fit_transform(clips)
    assert isinstance(frame, polars.DataFrame), f"features are {type(frame).__name__}"
    assert frame.columns == list(model.get_feature_names_out()), f"columns {frame.columns[:3]}"
    assert_same(frame.to_numpy(), model.transform(clips), "data frame and array")


def classifier(estimator):
    """The model in front of a scaler and a logistic regression; its step is called model."""
    return Pipeline([("model", clone(estimator)), ("scale", StandardScaler()), ("logistic", LogisticRegression())])


def check_cross_validation_takes_lists(estimator):
    X, y, speakers = make_task(estimator.sample_rate)
    for cv, groups in ((3, None), (GroupKFold(3), speakers), (LeaveOneGroupOut(), speakers)):
        scores = cross_val_score(classifier(estimator), X, y, groups=groups, cv=cv, error_score="raise")
        assert scores.mean() > 0.9, f"{cv}: accuracy {scores}"


def check_grid_search_takes_lists(estimator, n_jobs=2):
    X, y, _ = make_task(estimator.sample_rate)
    grid = {"model__pooling": ["mean", ("mean", "std")], "logistic__C": [1, 10]}
    search = GridSearchCV(classifier(estimator), grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9, f"accuracy {search.best_score_}"
    assert search.score(X, y) > 0.9, f"accuracy {search.score(X, y)}"


def check_halving_search_takes_lists(estimator):
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    X, y, _ = make_task(estimator.sample_rate, n_signals=24)
    grid = {"model__pooling": ["mean", "max"]}
    search = HalvingGridSearchCV(
        classifier(estimator), grid, cv=2, min_resources=12, random_state=0, error_score="raise"
    ).fit(X, y)
    assert search.best_score_ > 0.9, f"accuracy {search.best_score_}"


def check_pipeline_memory_takes_lists(estimator):
    X, y, _ = make_task(estimator.sample_rate)
    plain = classifier(estimator).fit(X, y).predict_proba(X)
    with tempfile.TemporaryDirectory() as folder:
        for run in ("first", "cached"):
            cached = classifier(estimator).set_params(memory=folder).fit(X, y).predict_proba(X)
            assert_same(cached, plain, f"{run} run of a pipeline with memory")


def check_ensembles_take_lists(estimator):
    X, y, _ = make_task(estimator.sample_rate)
    members = [(pooling, classifier(with_parameters(estimator, pooling=pooling))) for pooling in ("mean", "max")]
    for ensemble in (VotingClassifier(members, voting="soft"), StackingClassifier(members, cv=2)):
        score = ensemble.fit(X, y).score(X, y)
        assert score > 0.9, f"{type(ensemble).__name__}: accuracy {score}"


def check_column_transformer_takes_a_column_of_sounds(estimator):
    import pandas as pd

    clips = make_clips((0.02, 0.03, 0.02))
    table = pd.DataFrame({"age": [20.0, 40.0, 60.0], "sound": clips})
    columns = ColumnTransformer([("ear", clone(estimator), "sound"), ("rest", "passthrough", ["age"])])
    features = columns.fit_transform(table)
    assert_same(features[:, :-1], clone(estimator).fit_transform(clips), "column of sounds")
    names = columns.get_feature_names_out()
    assert names[-1] == "rest__age", f"names end in {names[-2:]}"
    assert names[0].startswith("ear__"), f"names begin with {names[:2]}"


def check_sample_rate_is_routed(estimator):
    rate = estimator.sample_rate
    X, y, _ = make_task(2 * rate)
    rates = [2 * rate] * len(X)
    resampled = [resample(clip, rate, sample_rate=2 * rate) for clip in X]
    wanted = classifier(estimator).fit(resampled, y)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = classifier(estimator).fit(X, y, sample_rate=rates)
        assert_same(
            routed.predict_proba(X, sample_rate=rates), wanted.predict_proba(resampled), "fit and predict_proba"
        )
        front = Pipeline([("model", clone(estimator)), ("scale", StandardScaler())])
        features = wanted[:-1].transform(resampled)
        assert_same(front.fit_transform(X, sample_rate=rates), features, "fit_transform of a pipeline")
        assert_same(front.transform(X, sample_rate=2 * rate), features, "transform of a pipeline")
    if parse_version(sklearn.__version__) < parse_version("1.8"):
        return  # the scorer of a search routes nothing to transform
    with sklearn.config_context(enable_metadata_routing=True):
        grid = {"logistic__C": [1e-3, 1]}
        search = GridSearchCV(classifier(estimator), grid, cv=3, error_score="raise").fit(X, y, sample_rate=rates)
    plain = GridSearchCV(classifier(estimator), grid, cv=3, error_score="raise").fit(resampled, y)
    assert_same(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], "scores of a grid search")
    sounds = [Sound(clip, 2 * rate) for clip in X]
    assert_same(search.predict(sounds), plain.predict(resampled), "predictions of a grid search")
    with error(ValueError, "plain samples without a rate", "skaud.Sound"):
        search.predict(X)


def check_html_shows_the_model(estimator):
    html = estimator_html_repr(make_pipeline(estimator, StandardScaler()))
    name = type(estimator).__name__
    assert name in html, f"no {name} in the HTML"
    assert name in estimator._repr_html_(), f"no {name} in the HTML"
    assert name in repr(estimator), f"repr {estimator!r}"


CHECKS = (*checks.CHECKS, *(value for name, value in sorted(globals().items()) if name.startswith("check_")))
