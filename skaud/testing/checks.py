"""Facts that hold for every model. A check takes an unfitted one and raises AssertionError, with numbers."""

import inspect
import itertools
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skaud._types import Estimator, Signals
from skaud.audio import resample
from skaud.pooling.temporal import TemporalPooling
from skaud.testing.dot import dot_test

ROUNDING = {"float32": 1e-5, "float64": 1e-12}


class NotApplicable(Exception):
    """A check does not concern a model, which lacks what it is about."""


# --- sounds and comparisons ---


def make_clips(
    seconds: Sequence[float] = (0.07, 0.031, 0.11, 0.0005, 0.05, 0.062),
    sample_rate: float = 22050,
    n_ears: int | None = None,
    seed: int = 0,
) -> list[np.ndarray]:
    """Noise of different lengths, 60 dB SPL."""
    random = np.random.default_rng(seed)
    ears = () if n_ears is None else (n_ears,)
    return [0.02 * random.standard_normal((*ears, max(1, round(s * sample_rate)))) for s in seconds]


def assert_same(a: npt.ArrayLike, b: npt.ArrayLike, what: str) -> None:
    """Equal to the bit."""
    assert_near(a, b, 0, what)


def assert_near(a: npt.ArrayLike, b: npt.ArrayLike, tolerance: float, what: str) -> None:
    """Equal to tolerance times the largest value."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}"
    largest = np.abs(b).max(initial=0)
    error = np.abs(a.astype(np.float64) - b).max(initial=0)
    assert error <= tolerance * largest, f"{what}: differs by {error:.3g}, largest value {largest:.3g}"


def with_parameters(estimator: Estimator, **parameters: Any) -> Estimator:
    """Clone with other parameters."""
    return clone(estimator).set_params(**parameters)


def needs(estimator: Estimator, *, parameters: Sequence[str] = (), methods: Sequence[str] = ()) -> None:
    """Tell that a check does not concern an estimator that lacks one of these."""
    lacking = [name for name in parameters if name not in estimator.get_params()]
    lacking += [f"{name}()" for name in methods if not callable(getattr(estimator, name, None))]
    if lacking:
        raise NotApplicable(f"{type(estimator).__name__} has no {' and no '.join(lacking)}")


def frames_and_features(estimator: Estimator) -> list[Estimator]:
    """The model as it is, and with frames that nothing pools."""
    models = [clone(estimator)]
    return [*models, with_parameters(estimator, pooling=None)] if "pooling" in estimator.get_params() else models


# --- what never changes a result ---


def check_padding_changes_nothing(estimator: Estimator) -> None:
    """A clip has the same response beside a long and a longer one."""
    short, long, longer = make_clips((0.03, 0.06, 0.11))
    for model in frames_and_features(estimator):
        beside_long, beside_longer = model.fit([short]).transform([short, long]), model.transform([short, longer])
        assert_same(beside_long[0], beside_longer[0], "a clip beside a long and a longer one")


def check_order_changes_nothing(estimator: Estimator) -> None:
    """Clips in another order have the same responses."""
    clips = make_clips()
    for model in frames_and_features(estimator):
        forward, backward = model.fit(clips).transform(clips), model.transform(clips[::-1])
        for i, (a, b) in enumerate(zip(forward, backward[::-1])):
            assert_same(a, b, f"X[{i}] in reversed order")


def check_n_jobs_changes_nothing(estimator: Estimator) -> None:
    """Two threads give the same as one."""
    needs(estimator, parameters=["n_jobs"])
    clips = make_clips()
    one = with_parameters(estimator, n_jobs=1).fit(clips)
    two = with_parameters(estimator, n_jobs=2).fit(clips)
    for i, (a, b) in enumerate(zip(two.transform(clips), one.transform(clips), strict=True)):
        assert_same(a, b, f"X[{i}] with n_jobs=2")
    if not hasattr(estimator, "simulate"):
        return
    for name, responses in one.simulate(clips).items():
        for i, response in enumerate(two.simulate(clips, name)[name]):
            assert_same(response, responses[i], f"{name} of X[{i}] with n_jobs=2")


def check_batch_changes_only_rounding(estimator: Estimator) -> None:
    """A clip alone has the same response as beside others, but for rounding."""
    _compare_batch(estimator, ROUNDING[getattr(estimator, "dtype", "float64")])


def check_batch_changes_nothing(estimator: Estimator) -> None:
    """A clip alone has the same response as beside others."""
    _compare_batch(estimator, 0)


def _compare_batch(estimator: Estimator, tolerance: float) -> None:
    clips = make_clips()
    for model in frames_and_features(estimator):
        together = model.fit(clips).transform(clips)
        for i, clip in enumerate(clips):
            assert_near(model.transform([clip])[0], together[i], tolerance, f"X[{i}] alone")


def check_transform_leaves_X_as_it_is(estimator: Estimator) -> None:
    """What a caller passes is not written to."""
    X = np.stack(make_clips((0.02, 0.02))).astype(getattr(estimator, "dtype", "float64"))
    before = X.copy()
    clone(estimator).fit(X).transform(X)
    assert_same(X, before, "X after transform")


# --- forms of X ---


def check_forms_of_X_agree(estimator: Estimator) -> None:
    """Clips of different lengths come as lists, tuples, columns; those of one length as arrays of any layout."""
    clips = make_clips((0.02, 0.03, 0.025))
    objects = np.empty(len(clips), dtype=object)
    objects[:] = clips
    model = clone(estimator).fit(clips)
    wanted = model.transform(clips)
    ragged: dict[str, Signals] = {
        "tuple": tuple(clips),
        "object array": objects,
        "pandas Series": pd.Series(clips),
        "pandas column": pd.DataFrame({"sound": clips}),
        "nested lists": [clip.tolist() for clip in clips],
        "clips that are strided": [np.repeat(clip, 2)[::2] for clip in clips],
        "clips in another byte order": [clip.astype(clip.dtype.newbyteorder()) for clip in clips],
    }
    for name, form in ragged.items():
        for a, b in zip(model.transform(form), wanted, strict=True):
            assert_same(a, b, name)
    X = np.stack([clip[: clips[0].size] for clip in clips])
    wanted = model.transform(list(X))
    read_only = X.copy()
    read_only.flags.writeable = False
    equal: dict[str, Signals] = {
        "array": X,
        "Fortran array": np.asfortranarray(X),
        "read-only array": read_only,
        "data frame": pd.DataFrame(X),
        "nested lists of one length": X.tolist(),
        "other byte order": X.astype(X.dtype.newbyteorder()),
    }
    for name, form in equal.items():
        assert_same(clone(estimator).fit(form).transform(form), wanted, name)


def check_ears_in_arrays_and_lists_agree(estimator: Estimator) -> None:
    """Signals of several ears are the same in an array and in a list, and keep their axis of ears."""
    X = np.stack(make_clips((0.03,) * 3, n_ears=2))
    for model in frames_and_features(estimator):
        assert_same(
            model.fit(X).transform(X), np.stack(model.transform(list(X))), "array of 2 ears, and a list of them"
        )
        assert_same(model.transform(X)[1], model.transform([X[1]])[0], "2 ears alone")
    frames = model.transform(X)
    if "pooling" in estimator.get_params():
        assert frames.shape[:2] == X.shape[:2], f"frames have shape {frames.shape} for X {X.shape}"


def check_sample_rate_resamples_first(estimator: Estimator) -> None:
    """Clips at another rate give what they give once they are resampled."""
    needs(estimator, parameters=["sample_rate"])
    if "sample_rate" not in inspect.signature(estimator.transform).parameters:
        raise NotApplicable(f"transform of {type(estimator).__name__} has no argument sample_rate")
    rate = estimator.sample_rate
    clips = make_clips((0.03, 0.05), sample_rate=2 * rate)
    slow = [resample(clip, rate, sample_rate=2 * rate) for clip in clips]
    for model in frames_and_features(estimator):
        wanted = model.fit(clips).transform(slow)
        for name, rates in {"one rate": 2 * rate, "a rate a clip": [2 * rate, 2 * rate]}.items():
            for a, b in zip(model.transform(clips, sample_rate=rates), wanted):
                assert_same(a, b, name)
        mixed = model.transform([clips[0], slow[1]], sample_rate=[2 * rate, rate])
        for a, b in zip(mixed, wanted):
            assert_same(a, b, "two rates")
    if hasattr(estimator, "simulate"):
        response = next(iter(model.simulate(clips, sample_rate=2 * rate).values()))[1]
        assert_same(response, next(iter(model.simulate(slow).values()))[1], "simulate")


def check_float32_follows_float64(estimator: Estimator, tolerance: float = 2e-3) -> None:
    """Results have the dtype that was asked for, and those in float32 are near those in float64."""
    needs(estimator, parameters=["dtype"])
    clips = make_clips((0.02, 0.05))
    single = with_parameters(estimator, dtype="float32").fit(clips)
    double = with_parameters(estimator, dtype="float64").fit(clips)
    features = single.transform(clips)
    assert features[0].dtype == np.float32, f"features are {features[0].dtype}"
    assert double.transform(clips)[0].dtype == np.float64, f"features are {double.transform(clips)[0].dtype}"
    for a, b in zip(features, double.transform(clips)):
        assert_near(a, b, tolerance, "features in float32 and float64")
    if not hasattr(estimator, "simulate"):
        return
    for name, responses in double.simulate(clips).items():
        for a, b in zip(single.simulate(clips, name)[name], responses):
            assert (a.dtype, b.dtype) == (np.float32, np.float64), f"{name} is {a.dtype} and {b.dtype}"
            assert_near(a, b, tolerance, f"{name} in float32 and float64")


# --- streams ---


def _streaming(estimator: Estimator, X: Signals, **parameters: Any) -> Estimator:
    """Model that goes on with a sound, and leaves its frames unpooled."""
    needs(estimator, methods=["initial_state", "transform_chunk"])
    own = estimator.get_params()
    parameters = {name: value for name, value in {"pooling": None, **parameters}.items() if name in own}
    model = with_parameters(estimator, **parameters).fit(X)
    try:
        model.initial_state()
    except (TypeError, ValueError) as error:
        raise NotApplicable(f"it cannot go on with a sound: {error}") from error
    return model


def _chunks(n_samples: int, seed: int = 0) -> np.ndarray:
    """Bounds of chunks: some of one sample, one empty, the rest at random."""
    cuts = np.random.default_rng(seed).integers(0, n_samples, 9)
    return np.sort(np.concatenate([[0, 1, 2, n_samples // 2, n_samples // 2, n_samples], cuts]))


def check_chunks_equal_the_whole(estimator: Estimator) -> None:
    """Chunk by chunk a sound gives what it gives whole, at full rate and in frames, with ears and without."""
    lengths = (None, 0.004) if "frame_length" in estimator.get_params() else (None,)
    for n_ears, frame_length in itertools.product((None, 2), lengths):
        X = np.stack(make_clips((0.06, 0.06), n_ears=n_ears))
        model = _streaming(estimator, X, frame_length=frame_length)
        state, parts = model.initial_state(2, n_ears), []
        for begin, end in itertools.pairwise(_chunks(X.shape[-1])):
            part, state = model.transform_chunk(X[..., begin:end], state)
            parts.append(part)
        what = f"{len(parts)} chunks and the whole, n_ears={n_ears}, frame_length={frame_length}"
        assert_same(np.concatenate(parts, axis=-1), model.transform(X), what)


def check_chunks_leave_the_state_they_take(estimator: Estimator) -> None:
    """From a state, and from its pickle, a stream goes on in the same way as often as one likes."""
    (clip,) = make_clips((0.03,))
    model = _streaming(estimator, [clip], frame_length=None)
    _, state = model.transform_chunk(clip[np.newaxis, :200], model.initial_state())
    copy = pickle.loads(pickle.dumps(state))
    once, _ = model.transform_chunk(clip[np.newaxis, 200:], state)
    again, _ = model.transform_chunk(clip[np.newaxis, 200:], state)
    assert_same(again, once, "the same chunk again from the same state")
    unpickled, _ = model.transform_chunk(clip[np.newaxis, 200:], copy)
    assert_same(unpickled, once, "the same chunk from a pickled state")


def check_streams_are_independent(estimator: Estimator) -> None:
    """A signal beside another in a stream has the response that it has alone."""
    a, b = make_clips((0.02, 0.02))
    model = _streaming(estimator, [a], frame_length=None)
    both, _ = model.transform_chunk(np.stack([a, b]), model.initial_state(2))
    alone, _ = model.transform_chunk(b[np.newaxis], model.initial_state(1))
    assert_same(both[1], alone[0], "a signal beside another, and alone")


# --- derivatives ---


def check_the_adjoint_is_that_of_the_response(estimator: Estimator) -> None:
    """The dot test: derivatives backwards are those forwards."""
    needs(estimator, methods=["vjp"])
    if not hasattr(estimator, "movable"):  # whose derivatives forwards are known
        needs(estimator, methods=["jvp"])
    dot_test(estimator, np.stack(make_clips((0.02, 0.02))), output="features")


# --- scikit-learn ---


def check_clones_and_pickles_give_the_same(estimator: Estimator) -> None:
    """A pickle of a fitted model, and a clone that is fitted anew, give the same under the same names."""
    clips = make_clips((0.02, 0.03))
    model = clone(estimator).fit(clips)
    wanted = model.transform(clips)
    for name, other in {"pickle": pickle.loads(pickle.dumps(model)), "clone": clone(model).fit(clips)}.items():
        for a, b in zip(other.transform(clips), wanted, strict=True):
            assert_same(a, b, name)
        if hasattr(estimator, "get_feature_names_out"):
            names = [list(own.get_feature_names_out()) for own in (model, other)]
            assert names[0] == names[1], f"{name} has other names"


def check_names_belong_to_features(estimator: Estimator) -> None:
    """Every feature has a name of its own, whatever pools it, with ears and without."""
    needs(estimator, methods=["get_feature_names_out"])
    pools = "pooling" in estimator.get_params()
    for X in (make_clips((0.02, 0.03)), make_clips((0.02, 0.03), n_ears=2)):
        for pooling in ("mean", ("mean", "delta_std"), TemporalPooling("max", segments=3)):
            model = (with_parameters(estimator, pooling=pooling) if pools else clone(estimator)).fit(X)
            names, n_features = model.get_feature_names_out(), model.transform(X).shape[1]
            assert names.dtype == object, f"names are {names.dtype}"
            assert len(names) == n_features, f"{len(names)} names for {n_features} features"
            assert len(set(names)) == n_features, f"{n_features - len(set(names))} names occur twice"
        if pools:
            channels = with_parameters(estimator, pooling=None).fit(X).get_feature_names_out()
            assert len(names) == 3 * len(channels), f"{len(names)} names of 3 parts for {len(channels)} channels"


def check_pandas_output(estimator: Estimator) -> None:
    """Features come as a data frame, with the index of X, where set_output or the configuration asks for it."""
    needs(estimator, methods=["set_output", "get_feature_names_out"])
    sounds = pd.Series(make_clips((0.02, 0.03, 0.02)), index=["a", "b", "c"])
    model = clone(estimator).fit(sounds)
    wanted = model.transform(sounds)
    assert isinstance(wanted, np.ndarray), f"without set_output, features are {type(wanted).__name__}"
    frame = model.set_output(transform="pandas").transform(sounds)
    assert list(frame.index) == ["a", "b", "c"], f"index {list(frame.index)}"
    assert list(frame.columns) == list(model.get_feature_names_out()), f"columns {list(frame.columns)[:3]}"
    assert_same(frame, wanted, "data frame and array")
    for name, other in {"pickle": pickle.loads(pickle.dumps(model)), "clone": clone(model).fit(sounds)}.items():
        assert list(other.transform(sounds).columns) == list(frame.columns), f"{name} has other columns"
    with sklearn.config_context(transform_output="pandas"):
        frame = clone(estimator).fit(sounds).transform(sounds)
        assert isinstance(frame, pd.DataFrame), f"with transform_output='pandas', features are {type(frame).__name__}"
        if "pooling" in estimator.get_params():
            frames = with_parameters(estimator, pooling=None).fit(sounds).transform(sounds)
            assert isinstance(frames, list), f"frames are {type(frames).__name__}"


def check_pooling_step_equals_pooling_inside(estimator: Estimator) -> None:
    """`TemporalPooling` behind the model gives what it gives inside, under the same names."""
    needs(estimator, parameters=["pooling"])
    for n_ears in (None, 2):
        clips = make_clips((0.03, 0.05, 0.04), n_ears=n_ears)
        pooling = TemporalPooling(("mean", "p90", "delta_std"), segments=2)
        inside = with_parameters(estimator, pooling=pooling).fit(clips)
        steps = make_pipeline(with_parameters(estimator, pooling=None), clone(pooling)).fit(clips)
        assert_same(steps.transform(clips), inside.transform(clips), f"pooling step, n_ears={n_ears}")
        names, wanted = steps.get_feature_names_out(), inside.get_feature_names_out()
        assert list(names) == list(wanted), f"pooling step names {names[:2]}, the model {wanted[:2]}"


CHECKS = tuple(
    value
    for name, value in sorted(globals().items())
    if name.startswith("check_") and name != "check_batch_changes_nothing"
)
"""Every check but the one that holds only where a kernel runs each signal by itself."""
