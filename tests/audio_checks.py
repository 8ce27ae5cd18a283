"""Facts that hold for every model. A check takes an unfitted model and raises AssertionError, with numbers."""

import itertools
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
from skaud.pooling.temporal import TemporalPooling

ROUNDING = {"float32": 1e-5, "float64": 1e-12}


# --- sounds and comparisons ---


def make_clips(seconds=(0.07, 0.031, 0.11, 0.0005, 0.05, 0.062), sample_rate=22050, n_ears=None, seed=0):
    """Noise of different lengths, 60 dB SPL."""
    random = np.random.default_rng(seed)
    ears = () if n_ears is None else (n_ears,)
    return [0.02 * random.standard_normal((*ears, max(1, round(s * sample_rate)))) for s in seconds]


def make_task(sample_rate=22050, n_signals=12, seed=0):
    """Clips of different lengths, tones in noise of two frequencies, their classes, and speakers."""
    random = np.random.default_rng(seed)
    clips, classes = [], np.arange(n_signals) % 2
    for c in classes:
        t = np.arange(round(sample_rate * random.uniform(0.03, 0.06))) / sample_rate
        clips.append(0.05 * np.sin(2 * np.pi * (500, 2000)[c] * t) + 0.005 * random.standard_normal(t.size))
    return clips, classes, np.arange(n_signals) // 2 % 3


def assert_same(a, b, what):
    """Equal to the bit."""
    assert_near(a, b, 0, what)


def assert_near(a, b, tolerance, what):
    """Equal to tolerance times the largest value."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}"
    largest = np.abs(b).max(initial=0)
    error = np.abs(a.astype(np.float64) - b).max(initial=0)
    assert error <= tolerance * largest, f"{what}: differs by {error:.3g}, largest value {largest:.3g}"


def error(kind, *words):
    """The message holds these words, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(re.escape(word) for word in words))


def with_parameters(estimator, **parameters):
    return clone(estimator).set_params(**parameters)


def frames_and_features(estimator):
    """The model as it is, and with frames that nothing pools."""
    return clone(estimator), with_parameters(estimator, pooling=None)


# --- what never changes a result ---


def check_padding_changes_nothing(estimator):
    short, long, longer = make_clips((0.03, 0.06, 0.11))
    for model in frames_and_features(estimator):
        beside_long, beside_longer = model.fit([short]).transform([short, long]), model.transform([short, longer])
        assert_same(beside_long[0], beside_longer[0], "a clip beside a long and a longer one")


def check_order_changes_nothing(estimator):
    clips = make_clips()
    for model in frames_and_features(estimator):
        forward, backward = model.fit(clips).transform(clips), model.transform(clips[::-1])
        for i, (a, b) in enumerate(zip(forward, backward[::-1])):
            assert_same(a, b, f"X[{i}] in reversed order")


def check_n_jobs_changes_nothing(estimator):
    clips = make_clips()
    one = with_parameters(estimator, n_jobs=1).fit(clips)
    two = with_parameters(estimator, n_jobs=2).fit(clips)
    assert_same(two.transform(clips), one.transform(clips), "features with n_jobs=2")
    for name, responses in one.simulate(clips).items():
        for i, response in enumerate(two.simulate(clips, name)[name]):
            assert_same(response, responses[i], f"{name} of X[{i}] with n_jobs=2")


def check_batch_changes_only_rounding(estimator):
    _compare_batch(estimator, ROUNDING[estimator.dtype])


def check_batch_changes_nothing(estimator):
    _compare_batch(estimator, 0)


def _compare_batch(estimator, tolerance):
    clips = make_clips()
    for model in frames_and_features(estimator):
        together = model.fit(clips).transform(clips)
        for i, clip in enumerate(clips):
            assert_near(model.transform([clip])[0], together[i], tolerance, f"X[{i}] alone")


def check_transform_leaves_X_as_it_is(estimator):
    X = np.stack(make_clips((0.02, 0.02))).astype(estimator.dtype)
    before = X.copy()
    clone(estimator).fit(X).transform(X)
    assert_same(X, before, "X after transform")


# --- forms of X ---


def check_forms_of_X_agree(estimator):
    import pandas as pd

    clips = make_clips((0.02, 0.03, 0.025))
    objects = np.empty(len(clips), dtype=object)
    objects[:] = clips
    model = clone(estimator).fit(clips)
    wanted = model.transform(clips)
    forms = {
        "tuple": tuple(clips),
        "object array": objects,
        "pandas Series": pd.Series(clips),
        "pandas column": pd.DataFrame({"sound": clips}),
        "nested lists": [clip.tolist() for clip in clips],
        "clips that are strided": [np.repeat(clip, 2)[::2] for clip in clips],
    }
    for name, form in forms.items():
        assert_same(model.transform(form), wanted, name)
    X = np.stack([clip[: clips[0].size] for clip in clips])
    wanted = model.transform(list(X))
    read_only = X.copy()
    read_only.flags.writeable = False
    forms = {
        "array": X,
        "Fortran array": np.asfortranarray(X),
        "read-only array": read_only,
        "data frame": pd.DataFrame(X),
        "nested lists of one length": X.tolist(),
        "other byte order": X.astype(X.dtype.newbyteorder()),
    }
    for name, form in forms.items():
        assert_same(clone(estimator).fit(form).transform(form), wanted, name)


def check_ears_in_arrays_and_lists_agree(estimator):
    X = np.stack(make_clips((0.03,) * 3, n_ears=2))
    for model in frames_and_features(estimator):
        assert_same(
            model.fit(X).transform(X), np.stack(model.transform(list(X))), "array of 2 ears, and a list of them"
        )
        assert_same(model.transform(X)[1], model.transform([X[1]])[0], "2 ears alone")
    frames = model.transform(X)
    assert frames.shape[:2] == X.shape[:2], f"frames have shape {frames.shape} for X {X.shape}"


def check_sample_rate_resamples_first(estimator):
    rate = estimator.sample_rate
    clips = make_clips((0.03, 0.05), sample_rate=2 * rate)
    for model in frames_and_features(estimator):
        wanted = model.fit(clips).transform([resample(clip, rate, sample_rate=2 * rate) for clip in clips])
        for name, rates in {"one rate": 2 * rate, "a rate a clip": [2 * rate, 2 * rate]}.items():
            for a, b in zip(model.transform(clips, sample_rate=rates), wanted):
                assert_same(a, b, name)
        mixed = model.transform(
            [clips[0], resample(clips[1], rate, sample_rate=2 * rate)], sample_rate=[2 * rate, rate]
        )
        for a, b in zip(mixed, wanted):
            assert_same(a, b, "two rates")
    response = model.simulate(clips, sample_rate=2 * rate)
    assert_same(
        next(iter(response.values()))[1],
        next(iter(model.simulate([resample(clips[1], rate, sample_rate=2 * rate)]).values()))[0],
        "simulate",
    )


def check_sounds_know_their_rate_and_level(estimator):
    rate = estimator.sample_rate
    samples = make_clips((0.03, 0.05), sample_rate=2 * rate)
    pascals = [Sound(clip, 2 * rate) for clip in samples]
    softer = [Sound(10 * clip, 2 * rate, 73.98) for clip in samples]
    mixed = [pascals[0], Sound(resample(samples[1], rate, sample_rate=2 * rate), rate)]
    for model in frames_and_features(estimator):
        for given in (None, 93.98):
            model = with_parameters(model, rms_one_db_spl=given).fit(pascals)
            plain = [10 ** ((93.98 - model._level_of_one()) / 20) * clip for clip in samples]
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
    value, pullback = model.vjp([Sound(clip, rate, model._level_of_one())], wrt="X")
    wanted = pullback(value)["X"][0]
    # The same pressure in samples a tenth as large: its derivative by them is ten times as large.
    softer, pullback = model.vjp([Sound(clip / 10, rate, model._level_of_one() + 20)], wrt="X")
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
    louder = with_parameters(own, rms_one_db_spl=own._rms_one_db_spl + 20).fit(clips)
    same = with_parameters(own, rms_one_db_spl=own._rms_one_db_spl).fit(clips)
    assert_same(same.transform(clips), own.transform(clips), "the model's own level, given")
    assert_near(
        louder.transform(clips), own.transform([10 * clip for clip in clips]), 1e-12, "20 dB and a factor of 10"
    )
    assert not np.allclose(louder.transform(clips), own.transform(clips), rtol=1e-3), "20 dB change nothing"


def check_float32_follows_float64(estimator, tolerance=2e-3):
    clips = make_clips((0.02, 0.05))
    single = with_parameters(estimator, dtype="float32").fit(clips)
    double = with_parameters(estimator, dtype="float64").fit(clips)
    features = single.transform(clips)
    assert features.dtype == np.float32, f"features are {features.dtype}"
    assert double.transform(clips).dtype == np.float64, f"features are {double.transform(clips).dtype}"
    assert_near(features, double.transform(clips), tolerance, "features in float32 and float64")
    for name, responses in double.simulate(clips).items():
        for a, b in zip(single.simulate(clips, name)[name], responses):
            assert (a.dtype, b.dtype) == (np.float32, np.float64), f"{name} is {a.dtype} and {b.dtype}"
            assert_near(a, b, tolerance, f"{name} in float32 and float64")


# --- streams ---


def _chunks(n_samples, seed=0):
    """Bounds of chunks: some of one sample, one empty, the rest at random."""
    cuts = np.random.default_rng(seed).integers(0, n_samples, 9)
    return np.sort(np.concatenate([[0, 1, 2, n_samples // 2, n_samples // 2, n_samples], cuts]))


def check_chunks_equal_the_whole(estimator):
    for n_ears in (None, 2):
        X = np.stack(make_clips((0.06, 0.06), n_ears=n_ears))
        for frame_length in (None, 0.004):
            model = with_parameters(estimator, pooling=None, frame_length=frame_length).fit(X)
            state, parts = model.initial_state(2, n_ears), []
            cuts = _chunks(X.shape[-1])
            for begin, end in itertools.pairwise(cuts):
                part, state = model.transform_chunk(X[..., begin:end], state)
                parts.append(part)
            what = f"{len(parts)} chunks and the whole, n_ears={n_ears}, frame_length={frame_length}"
            assert_same(np.concatenate(parts, axis=-1), model.transform(X), what)


def check_chunks_leave_the_state_they_take(estimator):
    (clip,) = make_clips((0.03,))
    model = with_parameters(estimator, pooling=None, frame_length=None).fit([clip])
    _, state = model.transform_chunk(clip[np.newaxis, :200], model.initial_state())
    copy = pickle.loads(pickle.dumps(state))
    once, _ = model.transform_chunk(clip[np.newaxis, 200:], state)
    again, _ = model.transform_chunk(clip[np.newaxis, 200:], state)
    assert_same(again, once, "the same chunk again from the same state")
    unpickled, _ = model.transform_chunk(clip[np.newaxis, 200:], copy)
    assert_same(unpickled, once, "the same chunk from a pickled state")


def check_streams_are_independent(estimator):
    a, b = make_clips((0.02, 0.02))
    model = with_parameters(estimator, pooling=None, frame_length=None).fit([a])
    both, _ = model.transform_chunk(np.stack([a, b]), model.initial_state(2))
    alone, _ = model.transform_chunk(b[np.newaxis], model.initial_state(1))
    assert_same(both[1], alone[0], "a signal beside another, and alone")


# --- scikit-learn ---


def check_clones_and_pickles_give_the_same(estimator):
    clips = make_clips((0.02, 0.03))
    model = clone(estimator).set_output(transform="pandas").fit(clips)
    wanted = model.transform(clips)
    for name, other in {"pickle": pickle.loads(pickle.dumps(model)), "clone": clone(model).fit(clips)}.items():
        assert_same(other.transform(clips), wanted, name)
        assert list(other.transform(clips).columns) == list(wanted.columns), f"{name} has other columns"


def check_names_belong_to_features(estimator):
    for X in (make_clips((0.02, 0.03)), make_clips((0.02, 0.03), n_ears=2)):
        for pooling in ("mean", ("mean", "delta_std"), TemporalPooling("max", segments=3)):
            model = with_parameters(estimator, pooling=pooling).fit(X)
            names, n_features = model.get_feature_names_out(), model.transform(X).shape[1]
            assert names.dtype == object, f"names are {names.dtype}"
            assert len(names) == n_features, f"{len(names)} names for {n_features} features"
            assert len(set(names)) == n_features, f"{n_features - len(set(names))} names occur twice"
        channels = with_parameters(estimator, pooling=None).fit(X).get_feature_names_out()
        assert len(names) == 3 * len(channels), f"{len(names)} names of 3 parts for {len(channels)} channels"


def check_pandas_output(estimator):
    import pandas as pd

    sounds = pd.Series(make_clips((0.02, 0.03, 0.02)), index=["a", "b", "c"])
    model = clone(estimator).fit(sounds)
    wanted = model.transform(sounds)
    assert isinstance(wanted, np.ndarray), f"without set_output, features are {type(wanted).__name__}"
    frame = model.set_output(transform="pandas").transform(sounds)
    assert list(frame.index) == ["a", "b", "c"], f"index {list(frame.index)}"
    assert list(frame.columns) == list(model.get_feature_names_out()), f"columns {list(frame.columns)[:3]}"
    assert_same(frame, wanted, "data frame and array")
    with sklearn.config_context(transform_output="pandas"):
        frame = clone(estimator).fit(sounds).transform(sounds)
        assert isinstance(frame, pd.DataFrame), f"with transform_output='pandas', features are {type(frame).__name__}"
        frames = with_parameters(estimator, pooling=None).fit(sounds).transform(sounds)
        assert isinstance(frames, list), f"frames are {type(frames).__name__}"


def check_polars_output(estimator):
    polars = pytest.importorskip("polars")
    clips = make_clips((0.02, 0.03))
    model = clone(estimator).fit(clips)
    frame = clone(model).set_output(transform="polars").fit_transform(clips)
    assert isinstance(frame, polars.DataFrame), f"features are {type(frame).__name__}"
    assert frame.columns == list(model.get_feature_names_out()), f"columns {frame.columns[:3]}"
    assert_same(frame.to_numpy(), model.transform(clips), "data frame and array")


def check_pooling_step_equals_pooling_inside(estimator):
    for n_ears in (None, 2):
        clips = make_clips((0.03, 0.05, 0.04), n_ears=n_ears)
        pooling = TemporalPooling(("mean", "p90", "delta_std"), segments=2)
        inside = with_parameters(estimator, pooling=pooling).fit(clips)
        steps = make_pipeline(with_parameters(estimator, pooling=None), clone(pooling)).fit(clips)
        assert_same(steps.transform(clips), inside.transform(clips), f"pooling step, n_ears={n_ears}")
        names, wanted = steps.get_feature_names_out(), inside.get_feature_names_out()
        assert list(names) == list(wanted), f"pooling step names {names[:2]}, the model {wanted[:2]}"


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


CHECKS = tuple(
    value
    for name, value in sorted(globals().items())
    if name.startswith("check_") and name != "check_batch_changes_nothing"
)
"""Every check but the one that holds only where a kernel runs each signal by itself."""
