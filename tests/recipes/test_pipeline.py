"""FeaturePipeline: what it adds to scikit-learn's Pipeline."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import sklearn
from audio_checks import error
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import (
    CARFAC,
    AuditorySpectrogram,
    CepstralCoefficients,
    CorticalSTRF,
    Deltas,
    FeaturePipeline,
    GammatoneFilterbank,
    HairCellEnvelope,
    Learn,
    LogCompression,
    ModulationSpectrum,
    Pitchogram,
    Sound,
    TemporalPooling,
)

RATE = 8000
BANK = GammatoneFilterbank(RATE, low_hz=500, frame_length=0.005)
COURSE = TemporalPooling({"mean": 2, "std": 1})


def clips(n=5, seed=0, rate=RATE):
    rng = np.random.default_rng(seed)
    return [Sound(0.02 * rng.standard_normal(rate // 10 + 40 * i), rate) for i in range(n)]


def chain(**parameters):
    steps = [("bank", BANK), ("log", LogCompression(1e-3)), ("cepstra", CepstralCoefficients(3)), ("pooling", COURSE)]
    return FeaturePipeline([(name, clone(step)) for name, step in steps], **parameters)


def union(**parameters):
    log = Pipeline([("log", LogCompression(1e-3)), ("deltas", Deltas(1)), ("pooling", TemporalPooling("mean"))])
    linear = Pipeline([("cepstra", CepstralCoefficients(2)), ("pooling", clone(COURSE))])
    branches = FeatureUnion([("log", log), ("linear", linear)])
    return FeaturePipeline([("bank", clone(BANK)), ("both", branches)], **parameters)


BOTH = pytest.mark.parametrize("make", [chain, union])


@BOTH
@pytest.mark.parametrize("signals_at_once", [1, 2, 100])
def test_features_are_those_of_scikit_learns_pipeline_however_many_signals_are_held(make, signals_at_once):
    X, features = clips(), make(signals_at_once=signals_at_once)
    plain = Pipeline([(name, clone(step)) for name, step in features.steps])
    np.testing.assert_array_equal(features.fit_transform(X), plain.fit_transform(X))
    assert list(features.get_feature_names_out()) == list(plain.get_feature_names_out())


def test_the_frames_of_few_signals_are_held():
    X = [Sound(0.02 * np.random.default_rng(0).standard_normal(16000), 16000)] * 24
    steps = [
        ("spectrogram", AuditorySpectrogram(pooling=None)),
        ("strf", CorticalSTRF(40, response="magnitude")),
        ("log", LogCompression()),
        ("pooling", TemporalPooling()),
    ]
    features = FeaturePipeline(steps, signals_at_once=2).fit(X[:1])
    tracemalloc.start()
    features.transform(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 * 40 * 128 * 200 * 4 / 2  # bytes of all cortical frames, of which one step more would hold as much


@BOTH
def test_a_grid_search_goes_over_the_parameters_of_steps(make):
    X, y = clips(8), np.arange(8) % 2
    model = make_pipeline(make(), StandardScaler(), LogisticRegression())
    grid = {"featurepipeline__bank__bandwidth_factor": [1.0, 2.0]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["mean_test_score"]) == 2
    copied = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(copied.predict(X), search.predict(X))


@BOTH
def test_features_come_in_a_data_frame_under_their_names(make):
    X = pd.Series(clips(3), index=["a", "b", "c"])
    features = make().set_output(transform="pandas").fit(X)
    frame = features.transform(X)
    assert list(frame.columns) == list(features.get_feature_names_out())
    assert list(frame.index) == ["a", "b", "c"]
    assert "filterbank_fc500" in frame.columns[0]
    assert list(features.transform(list(X)).index) == [0, 1, 2]
    with sklearn.config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(make().fit(X).transform(X), frame)
    np.testing.assert_array_equal(clone(features).set_output(transform="default").fit_transform(X), frame)
    with error(ValueError, "transform='csv'"):
        features.set_output(transform="csv")


@BOTH
def test_gradients_go_back_through_all_steps(make):
    X = [clip.samples for clip in clips(2)]
    features = make().set_params(bank__dtype="float64").fit(X)
    value, pullback = features.vjp(X)
    np.testing.assert_allclose(value, features.transform(X))
    rng = np.random.default_rng(1)
    bar, directions = rng.standard_normal(value.shape), [1e-3 * rng.standard_normal(x.shape) for x in X]
    grads = pullback(bar)
    ahead, behind = (features.transform([x + h * d for x, d in zip(X, directions)]) for h in (1e-4, -1e-4))
    backward = sum(own @ d for own, d in zip(grads["X"], directions))
    assert np.vdot(bar, (ahead - behind) / 2e-4) == pytest.approx(backward, rel=1e-5)
    floor = next(name for name in grads if name.endswith("log__floor"))
    double = make().set_params(bank__dtype="float64")
    ahead, behind = (clone(double).set_params(**{floor: at}).fit_transform(X) for at in (1.001e-3, 9.99e-4))
    assert np.vdot(bar, (ahead - behind) / 2e-6) == pytest.approx(float(grads[floor]), rel=1e-4)
    assert list(features.vjp(X, wrt="bank__bandwidth_factor")[1](bar)) == ["bank__bandwidth_factor"]
    with error(ValueError, "wrt has 'bank__low_hz'", "bank__bandwidth_factor"):
        features.vjp(X, wrt="bank__low_hz")
    with error(ValueError, "value_bar has shapes", "one derivative for every entry"):
        pullback(bar[:1])


def test_a_stream_gives_the_frames_that_are_pooled():
    X = np.random.default_rng(0).standard_normal((2, 2000)).astype(np.float32) * 0.02
    features = chain().fit(X)
    state, chunks = features.initial_state(2), []
    for chunk in np.split(X, [100, 101, 900], axis=1):
        frames, state = features.transform_chunk(chunk, state)
        chunks.append(frames)
    wanted = features[:-1].transform(X)
    np.testing.assert_allclose(np.concatenate(chunks, axis=-1), wanted, rtol=1e-4, atol=1e-5)


def test_a_stream_through_a_union_gives_the_frames_of_its_branches():
    X = np.random.default_rng(0).standard_normal((1, 2, 1000)).astype(np.float32) * 0.02
    features = union().fit(X)
    state, chunks = features.initial_state(), []
    for chunk in np.split(X, [500], axis=-1):
        frames, state = features.transform_chunk(chunk, state)
        chunks.append(frames)
    log, linear = (np.concatenate(own, axis=-1) for own in zip(*chunks))
    assert linear.shape[1:3] == (2, 2)
    assert log.shape[-1] == linear.shape[-1] - 1  # the slopes wait for a frame


def test_a_stream_through_a_union_of_frames_gives_them_side_by_side_when_all_are_there():
    X = np.random.default_rng(0).standard_normal((2, 2000)).astype(np.float32) * 0.02
    log = Pipeline([("log", LogCompression(1e-3)), ("deltas", Deltas(1))])
    both = FeatureUnion([("log", log), ("frames", "passthrough")], transformer_weights={"frames": 50})
    steps = [("bank", clone(BANK)), ("both", both), ("cepstra", CepstralCoefficients(3)), ("pooling", clone(COURSE))]
    features = FeaturePipeline(steps).fit(X)
    state, chunks = features.initial_state(2), []
    for chunk in np.split(X, [100, 101, 900], axis=1):
        frames, state = features.transform_chunk(chunk, state)
        chunks.append(frames)
    found, wanted = np.concatenate(chunks, axis=-1), features[:-1].transform(X)
    assert found.shape[-1] == wanted.shape[-1] - 1  # the slopes wait for a frame
    np.testing.assert_allclose(found, wanted[..., :-1], rtol=1e-4, atol=1e-5)


def test_a_branch_that_pools_the_frames_themselves_streams_them():
    X = np.random.default_rng(0).standard_normal((1, 1000)).astype(np.float32) * 0.02
    features = FeaturePipeline([("bank", clone(BANK)), ("both", FeatureUnion([("mean", TemporalPooling("mean"))]))])
    (frames,), _ = features.fit(X).transform_chunk(X, features.initial_state())
    np.testing.assert_array_equal(frames, features[:-1].transform(X))


def test_rates_and_ears_reach_the_model():
    X = np.random.default_rng(0).standard_normal((3, 2, 1600)) * 0.02
    features = union(signals_at_once=2).fit(X, sample_rate=[2 * RATE] * 3)
    together = features.transform(X, sample_rate=[2 * RATE, 2 * RATE, RATE])
    np.testing.assert_array_equal(features.transform(X[2:], sample_rate=RATE)[0], together[2])
    assert features.get_feature_names_out()[0].startswith("log__log_ear0_")
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(union(), StandardScaler()).fit(X, sample_rate=2 * RATE)
        np.testing.assert_array_equal(model[0].transform(X, sample_rate=2 * RATE)[0], together[0])


def test_frames_without_a_pooling_step_come_as_the_sounds_do():
    features = FeaturePipeline([("bank", clone(BANK)), ("log", LogCompression())], signals_at_once=2)
    X = clips(3)
    frames = features.fit_transform(X)
    assert [own.shape[-1] for own in frames] == [20, 21, 22]
    assert features.fit_transform(np.zeros((3, 800))).shape == (3, *frames[0].shape)
    assert features.sample_rate == RATE


@pytest.mark.parametrize("where", ["chain", "branch"])
def test_what_learns_from_signals_stands_behind_the_pipeline(where):
    scaler = ("scale", StandardScaler())
    steps = [("bank", clone(BANK)), ("pooling", TemporalPooling()), scaler]
    if where == "branch":
        branch = Pipeline([("pooling", TemporalPooling()), scaler])
        steps = [("bank", clone(BANK)), ("union", FeatureUnion([("one", branch)]))]
    with error(ValueError, "StandardScaler()", "behind the pipeline"):
        FeaturePipeline(steps).fit(clips())


@pytest.mark.parametrize("where", ["chain", "branch"])
def test_what_takes_frames_stands_before_pooling(where):
    steps = [("pooling", TemporalPooling()), ("again", TemporalPooling())]  # which would take features for frames
    if where == "branch":
        steps = [("union", FeatureUnion([("one", Pipeline(steps))]))]
    with error(ValueError, "TemporalPooling()", "stands behind", "no frames"):
        FeaturePipeline([("bank", clone(BANK)), *steps]).fit(clips())


@pytest.mark.parametrize("signals_at_once", [0, 1.5, True])
def test_signals_are_held_in_whole_numbers(signals_at_once):
    with error(ValueError, f"signals_at_once={signals_at_once}"):
        chain(signals_at_once=signals_at_once).fit(clips())


def test_a_model_that_is_alone_is_a_pipeline():
    X = clips(3)
    alone = FeaturePipeline([("carfac", CARFAC(RATE))])
    np.testing.assert_array_equal(alone.fit_transform(X), CARFAC(RATE).fit_transform(X))


def vowels():
    """Two classes that differ in the course of their level, at two levels."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((12, RATE // 10)) * np.linspace(0.2, 1, RATE // 10)
    x[::2] = x[::2, ::-1]
    return [Sound(0.02 * (1 + i % 3) * own, RATE) for i, own in enumerate(x)], ["falls", "rises"] * 6


def learning(make, *names, **settings):
    """A pipeline that learns for a few iterations."""
    return make(learn=Learn(names, max_iter=3, tol=0, **settings))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_parameters_of_the_model_and_of_steps_are_learned_together_and_those_given_stay(solver):
    X, y = vowels()
    names = ("bank__bandwidth_factor", "both__log__log__floor")
    features = learning(union, *names, solver=solver, random_state=0).fit(X, y)
    fixed = union().fit(X)
    assert features.n_iter_ == 3
    assert features.loss_curve_[-1] < features.loss_curve_[0]
    assert not np.allclose(features.transform(X), fixed.transform(X), rtol=1e-3)
    step = features.named_steps.both.transformer_list[0][1].named_steps.log
    assert step.floor == 1e-3 != step.floor_
    given = fixed.set_params(bank__bandwidth_factor=features.named_steps.bank.bandwidth_factor_)
    given.set_params(both__log__log__floor=step.floor_)
    np.testing.assert_allclose(features.transform(X), given.fit(X).transform(X), rtol=1e-5)
    copy = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(copy.transform(X), features.transform(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_pipeline_that_is_fitted_again_learns_from_the_given_parameters_again():
    X, y = vowels()
    features = learning(chain, "log__floor").fit(X, y)
    first = features.named_steps.log.floor_
    assert features.fit(X, y).named_steps.log.floor_ == first
    features.set_params(learn=None).fit(X)
    assert not hasattr(features, "loss_curve_")
    assert not hasattr(features.named_steps.log, "floor_")
    np.testing.assert_array_equal(features.transform(X), chain().fit_transform(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_without_pooling_labels_are_those_of_frames():
    X, y = vowels()
    steps = chain().steps[:-1]
    features = FeaturePipeline(steps, learn=Learn("log__floor", max_iter=2, tol=0))
    n_frames = features.set_params(learn=None).fit(X).transform(X)[0].shape[-1]
    features.set_params(learn=Learn("log__floor", max_iter=2, tol=0))
    features.fit(X, [[label] * (n_frames - 3) + ["end"] * 3 for label in y])
    assert features.loss_curve_[-1] < features.loss_curve_[0]
    with pytest.raises(ValueError, match=r"y\[0\] has 4 labels, and X\[0\] has 20 frames"):
        features.fit(X, [[label] * 4 for label in y])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_grid_search_goes_over_how_a_pipeline_learns():
    X, y = vowels()
    whole = make_pipeline(learning(chain, "log__floor"), StandardScaler(), LogisticRegression())
    grid = {"featurepipeline__learn__max_iter": [1, 2]}
    search = GridSearchCV(whole, grid, cv=2).fit(X, y)
    assert search.best_estimator_[0].n_iter_ in (1, 2)


@pytest.mark.parametrize(
    ("learn", "y", "told"),
    [
        ("floor", "labels", ["learn='floor' has 'floor'", "'bank__bandwidth_factor', 'log__floor'"]),
        (("log__floor", "cepstra__n_coefficients"), "labels", ["has 'cepstra__n_coefficients'"]),
        ("log__floor", None, ["requires y to be passed"]),
        ("log__floor", ["same"] * 12, ["has one class, 'same'"]),
    ],
    ids=["a parameter without its step", "no number", "no labels", "one class"],
)
def test_what_a_pipeline_cannot_learn_is_refused(learn, y, told):
    X, labels = vowels()
    with error(ValueError, *told):
        chain(learn=learn).fit(X, labels if y == "labels" else y)


# --- rates ---


def test_plain_samples_are_at_the_rate_that_the_pipeline_was_told():
    model = CARFAC(16000, pooling=None)
    told = FeaturePipeline([("carfac", model), ("pooling", clone(COURSE))], plain_sample_rate=RATE)
    own = clips()
    wanted = told.fit(own).transform(own)
    plain = [clip.samples for clip in own]
    np.testing.assert_array_equal(told.transform(plain), wanted)
    np.testing.assert_array_equal(told.fit(plain).transform(plain), wanted)
    np.testing.assert_array_equal(told.fit(plain).transform(own), wanted)
    frames = told.fit(own)[:-1].transform(plain)
    assert all(map(np.array_equal, frames, told[:-1].transform(own)))
    at_16 = [clip.samples for clip in clips(rate=16000)]
    assert not np.array_equal(told.transform(at_16, sample_rate=16000), told.transform(at_16))
    with error(ValueError, "plain samples at 8000 Hz", "16000 Hz", "skaud.Sound"):
        told.vjp(plain)
    with error(ValueError, "plain_sample_rate=8000 is not the model's rate, 16000 Hz", "plain_sample_rate=None"):
        told.initial_state()
    own_rate = clone(told).set_params(plain_sample_rate=16000)
    at_own = own_rate.fit(own).transform([x.samples for x in own])
    own_rate.fit([Sound(x.samples, RATE) for x in own])  # at another rate, so that the model asks for those of others
    np.testing.assert_array_equal(own_rate.transform([x.samples for x in own]), at_own)
    with error(ValueError, "plain_sample_rate=-1"):
        clone(told).set_params(plain_sample_rate=-1).fit(own)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (
            [("model", GammatoneFilterbank(16000)), ("hair", HairCellEnvelope())],
            ("'hair' has sample_rate=44100", "16000"),
        ),
        ([("model", AuditorySpectrogram(pooling=None)), ("m", ModulationSpectrum())], ("m__frame_rate_hz=200",)),
        (
            [
                ("model", CARFAC(16000, pooling=None)),
                ("both", FeatureUnion([("s", make_pipeline(CorticalSTRF(), COURSE))])),
            ],
            ("step 'both__s__corticalstrf' has frame_rate_hz=200", "both__s__corticalstrf__frame_rate_hz=100"),
        ),
        (
            [("model", CARFAC(16000, pooling=None)), ("pitch", Pitchogram(16000))],
            ("'pitch' has sample_rate=16000", "100"),
        ),
    ],
    ids=["stage", "spectrum", "union", "image"],
)
def test_a_step_for_another_rate_than_what_it_takes_is_refused(steps, words):
    with error(ValueError, *words):
        FeaturePipeline(steps).fit(np.random.default_rng(0).standard_normal((1, 3200)) * 0.02)


def test_a_rate_that_whole_samples_a_frame_leave_a_little_off_is_taken():
    model = CARFAC(22050, pooling=None, frame_length=0.005)
    assert model.fit().frame_rate_hz_ != 200
    FeaturePipeline([("carfac", model), ("m", ModulationSpectrum(frame_rate_hz=200))]).fit(np.full((1, 4000), 0.01))


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], ("steps=[] must be a list",)),
        (CARFAC(), ("steps=CARFAC() must be a list",)),
        ([("log", LogCompression())], ("step 'log' is LogCompression()", "takes sound")),
        ([("carfac", CARFAC)], ("step 'carfac' is <class", "put a model there")),
        ([("free", "passthrough")], ("step 'free' is 'passthrough'",)),
        ([("all", FeaturePipeline([("carfac", CARFAC())]))], ("step 'all' is FeaturePipeline",)),
        ([("carfac", CARFAC(pooling=None)), ("none", FeatureUnion([("a", "drop")]))], ("drops all", "['a']")),
    ],
)
def test_what_is_no_model_and_steps_behind_it_is_named(steps, words):
    with error(ValueError, *words):
        FeaturePipeline(steps).fit(clips())


def test_a_model_that_pools_before_steps_that_take_frames_is_refused():
    with error(ValueError, "step 'carfac' pools its frames", "carfac__pooling=None"):
        FeaturePipeline([("carfac", CARFAC(RATE)), ("pooling", clone(COURSE))]).fit(clips())


def test_a_step_that_was_told_to_return_data_frames_gives_its_rows_all_the_same():
    features = chain().fit(clips())
    wanted = features.transform(clips())
    features.named_steps["pooling"].set_output(transform="pandas")
    np.testing.assert_array_equal(features.transform(clips()), wanted)
    np.testing.assert_array_equal(features.fit(clips()).transform(clips()), wanted)
    assert list(features.set_output(transform="pandas").transform(clips())) == list(features.get_feature_names_out())
