import pickle
import threading
import tracemalloc
import warnings
from typing import NamedTuple

import audio_checks
import cupy_stand_in
import numpy as np
import pandas as pd
import pytest
from audio_checks import error, make_clips
from scipy import signal, sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import CARFAC, Sound, TemporalPooling
from skaud.engines.engine import Engine, frame_means, frame_means_adjoint, respond
from skaud.estimator.base import AudioTransformer
from skaud.sound.resampling import resample_array

RATE = 22050


class Memory(NamedTuple):
    """Of the filters, (n_rows, 2, 1), and of frames that are not complete, (n_rows, 2, n)."""

    filters: np.ndarray
    waiting: np.ndarray

    def copy(self):
        return self  # a run makes a new one

    def of_rows(self, rows):
        return Memory(self.filters[rows], self.waiting[rows])


class OnePoles(Engine):
    """Two one-pole filters, and the energy in them."""

    outputs, parts = ("energy", "filtered"), ()
    poles = (0.5, 0.95)

    def __init__(self, dtype):
        self.dtype = dtype

    def filter(self, rows, memory=None):
        runs = []
        for k, pole in enumerate(self.poles):
            b, a = np.array([1 - pole], rows.dtype), np.array([1, -pole], rows.dtype)
            zi = np.zeros((len(rows), 1), rows.dtype) if memory is None else memory[:, k]
            # lfilter would lose its memory in no samples
            runs.append(signal.lfilter(b, a, rows, zi=zi) if rows.shape[1] else (rows, zi))
        return tuple(np.stack(own, axis=1) for own in zip(*runs))

    def start(self, n_signals, n_ears):
        n_rows = n_signals * n_ears
        return Memory(np.zeros((n_rows, 2, 1), self.dtype), np.zeros((n_rows, 2, 0), self.dtype))

    def run(self, x, state, outputs, frame_samples):
        filtered, memory = self.filter(x.reshape(len(state.filters), x.shape[-1]), state.filters)
        responses, waiting = {"energy": filtered**2, "filtered": filtered}, state.waiting
        for name in outputs:
            responses[name], waiting = frame_means(state.waiting, responses[name], frame_samples)
        shaped = {name: responses[name].reshape(*x.shape[:2], *responses[name].shape[1:]) for name in outputs}
        return shaped, Memory(memory, waiting)

    def record(self, x, output, frame_samples):
        return respond(self, x, (output,), frame_samples)[output], (x, output, frame_samples)

    def pull_back(self, tape, bar, wanted):
        x, output, frame_samples = tape
        bar = frame_means_adjoint(bar, frame_samples, x.shape[-1]).reshape(-1, 2, x.shape[-1])
        if output == "energy":
            bar = 2 * bar * self.filter(x.reshape(-1, x.shape[-1]))[0]
        backwards = [self.filter(np.ascontiguousarray(bar[:, k, ::-1]))[0][:, k] for k in range(2)]
        return sum(backwards)[:, ::-1].astype(self.dtype).reshape(x.shape), ()

    def coefficients(self):
        return ()


class LeakyEnergy(AudioTransformer):
    """The least that a model can be: it names its outputs and channels, and makes its engine."""

    all_outputs = OnePoles.outputs

    def __init__(
        self,
        sample_rate=RATE,
        *,
        output="energy",
        pooling=("mean", "std"),
        frame_length=0.010,
        rms_one_db_spl=93.98,
        dtype="float32",
        n_jobs=None,
    ):
        self.sample_rate = sample_rate
        self.output = output
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def make_engine(self, parameters, dtype):
        return OnePoles(dtype)

    def channel_names(self):
        return [f"pole{pole}" for pole in OnePoles.poles]


@pytest.fixture(scope="module")
def model():
    """A fitted CARFAC; it never changes."""
    return CARFAC().fit(make_clips())


# What every model promises, kept by the least of them


@pytest.mark.parametrize("check", audio_checks.CHECKS, ids=lambda check: check.__name__)
def test_a_minimal_model_passes(check):
    if check is audio_checks.check_grid_search_takes_lists:
        check(LeakyEnergy(), n_jobs=None)  # processes take seconds to start
    else:
        check(LeakyEnergy())


@parametrize_with_checks([LeakyEnergy(), LeakyEnergy(pooling=TemporalPooling("max"))])
def test_a_minimal_model_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


def test_tags_say_that_the_input_is_audio_of_any_length():
    tags = get_tags(LeakyEnergy())
    assert tags.input_tags.audio
    assert tags.input_tags.ragged
    assert tags.input_tags.three_d_array
    assert tags.input_tags.two_d_array
    assert not tags.input_tags.sparse


# Shapes


@pytest.mark.parametrize(
    ("n_ears", "shape"), [(None, (3, 71, 5)), (1, (3, 1, 71, 5)), (2, (3, 2, 71, 5))], ids=["none", "one", "two"]
)
def test_frames_have_an_axis_of_ears_only_where_X_has_one(n_ears, shape):
    X = np.stack(make_clips((0.05,) * 3, n_ears=n_ears))
    assert CARFAC(pooling=None).fit_transform(X).shape == shape
    assert CARFAC().fit(X).simulate(X, "nap").nap.shape == (*shape[:-1], X.shape[-1])


def test_frames_of_a_list_are_a_list(model):
    clips = make_clips((0.03, 0.05))
    frames = CARFAC(pooling=None).fit_transform(clips)
    assert [f.shape for f in frames] == [(71, 3), (71, 5)]
    assert [f.shape for f in model.simulate(clips, "bm").bm] == [(71, clip.size) for clip in clips]


def test_frames_of_an_array_whose_clips_had_different_rates_are_a_list():
    X = np.stack(make_clips((0.05, 0.05)))
    rates = [RATE, 2 * RATE]
    frames = CARFAC(pooling=None).fit(X, sample_rate=rates).transform(X, sample_rate=rates)
    assert [f.shape for f in frames] == [(71, 5), (71, 2)]


def test_a_frame_is_the_mean_of_its_samples(model):
    clip = make_clips((0.05,))[0]
    frames = CARFAC(pooling=None, dtype="float64").fit([clip]).transform([clip])[0]
    samples = CARFAC(pooling=None, frame_length=None, dtype="float64").fit([clip]).transform([clip])[0]
    length = round(0.010 * RATE)
    n = clip.size // length
    np.testing.assert_allclose(frames, samples[:, : n * length].reshape(71, n, length).mean(axis=2), rtol=1e-12)


def test_a_clip_shorter_than_a_frame_is_one_frame():
    clip = make_clips((0.004,))[0]
    frames = CARFAC(pooling=None, dtype="float64").fit([clip]).transform([clip])[0]
    samples = CARFAC(pooling=None, frame_length=None, dtype="float64").fit([clip]).transform([clip])[0]
    np.testing.assert_allclose(frames, samples.mean(axis=1, keepdims=True), rtol=1e-12)


def test_frame_rate_counts_whole_samples():
    X = make_clips((0.02,))
    assert CARFAC(frame_length=0.010).fit(X).frame_rate_hz_ == RATE / 220
    assert CARFAC(frame_length=None).fit(X).frame_rate_hz_ == RATE


def test_a_single_sample_is_enough(model):
    assert model.transform([np.zeros(1)]).shape == (1, 284)


def test_frames_of_one_batch_at_a_time_are_held():
    clips = [np.float32(clip) for clip in make_clips((0.1,) * 40)]
    model = LeakyEnergy(frame_length=1 / RATE).fit(clips)
    tracemalloc.start()
    model.transform(clips)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    frames_of_all = 40 * 2 * clips[0].nbytes
    assert peak < frames_of_all / 2


def test_clips_are_resampled_in_threads(monkeypatch):
    clips, both = make_clips((0.05, 0.03)), threading.Barrier(2, timeout=60)

    def resample(*arguments):
        both.wait()  # for another clip that is being resampled at the same time
        return resample_array(*arguments)

    model = LeakyEnergy().fit(clips)
    wanted = model.transform(clips, sample_rate=8000)
    monkeypatch.setattr("skaud.estimator.listening.resample_array", resample)
    np.testing.assert_array_equal(model.set_params(n_jobs=2).transform(clips, sample_rate=8000), wanted)


def test_pooling_parameters_can_be_searched():
    clips = make_clips((0.05, 0.06))
    model = CARFAC(pooling=TemporalPooling("mean")).set_params(pooling__segments=3, pooling__statistics="max")
    assert model.fit_transform(clips).shape == (2, 3 * 71)


# Fit and transform


def test_an_array_must_be_as_long_as_in_fit_and_a_list_need_not():
    X = np.stack(make_clips((0.02, 0.02)))
    model = CARFAC().fit(X)
    assert model.n_features_in_ == X.shape[1]
    with error(ValueError, "X has 100 features", f"expecting {X.shape[1]} features", "0.004535 s", "list(X)"):
        model.transform(X[:, :100])
    assert model.transform([X[0, :100]]).shape == (1, 284)


def test_fit_of_a_list_forgets_the_length_of_an_array():
    X = np.stack(make_clips((0.02, 0.02)))
    model = CARFAC().fit(X).fit(list(X))
    assert not hasattr(model, "n_features_in_")
    assert model.transform(X[:, :100]).shape == (2, 284)


@pytest.mark.parametrize(
    ("ears_in_fit", "ears", "words"),
    [
        (None, 2, ("X has 2 ears", "no axis of ears in fit", "fit again")),
        (2, None, ("X has no axis of ears", "2 ears in fit", "fit again")),
        (2, 3, ("X has 3 ears", "2 ears in fit", "fit again")),
    ],
)
def test_transform_takes_the_ears_of_fit(ears_in_fit, ears, words):
    model = CARFAC().fit(make_clips((0.01,), n_ears=ears_in_fit))
    with error(ValueError, *words):
        model.transform(make_clips((0.01,), n_ears=ears))


def test_names_tell_the_ears_apart():
    names = CARFAC(pooling="mean").fit(make_clips((0.01,), n_ears=2)).get_feature_names_out()
    assert names[0] == "ear0_nap_9371hz_mean"
    assert names[71] == "ear1_nap_9371hz_mean"


def test_what_needs_fit_says_so():
    model = CARFAC()
    for method, *arguments in (
        (model.transform, [[0.0]]),
        (model.get_feature_names_out,),
    ):
        with pytest.raises(NotFittedError):
            method(*arguments)
    assert not hasattr(model, "frame_rate_hz_")


def test_a_clone_keeps_what_set_output_chose():
    clips = make_clips((0.01,))
    assert isinstance(CARFAC().set_output(transform="pandas").set_output().fit_transform(clips), pd.DataFrame)
    with error(ValueError, "transform='arrow'", "'default', 'pandas' or 'polars'"):
        CARFAC().set_output(transform="arrow")


# Bad input: each message names what, its value, the limit and the remedy

TONE = np.sin(np.arange(400) / 10)
BAD_SOUNDS = {
    "NaN": ([TONE, np.r_[TONE, np.nan]], ValueError, ("X[1] has 1 samples", "NaN", "at sample 400: nan", "finite")),
    "infinity": (np.stack([TONE, np.r_[TONE[:-2], np.inf, -np.inf]]), ValueError, ("X[1] has 2", "inf", "sample 398")),
    "NaN in an ear": ([np.stack([TONE, TONE * np.nan])], ValueError, ("X[0] has 400 samples", "at sample 0: nan")),
    "empty clip": ([TONE, TONE[:0]], ValueError, ("X[1] has shape (0,)", "at least 1", "leave it out")),
    "empty list": ([], ValueError, ("empty list", "at least one clip")),
    "no samples": (np.zeros((3, 0)), ValueError, ("0 feature(s)", "(shape=(3, 0))", "minimum of 1")),
    "no rows": (np.zeros((0, 700)), ValueError, ("0 sample(s)", "(shape=(0, 700))", "minimum of 1")),
    "a data frame of nothing": (pd.DataFrame(), ValueError, ("0 sample(s) (shape=(0, 0))", "minimum of 1")),
    "a data frame of no columns": (pd.DataFrame(index=[0, 1]), ValueError, ("0 feature(s) (shape=(2, 0))", "pass at")),
    "no signals": (np.zeros((0, 2, 9)), ValueError, ("shape (0, 2, 9)", "length 0", "at least one")),
    "bare 1-D array": (TONE, ValueError, ("shape (400,)", "X.reshape(1, -1)", "[x]")),
    "bare 1-D list": (TONE.tolist(), ValueError, ("shape (400,)", "X.reshape(1, -1)", "[x]")),
    "a number": (np.array(1.0), ValueError, ("0 axes", "(n_signals, n_samples)")),
    "a generator": ((TONE for _ in range(2)), TypeError, ("X is a generator", "list(X)")),
    "values of a dict": ({"a": TONE}.values(), TypeError, ("X is a dict_values", "list(X)")),
    "4 axes": (np.zeros((1, 1, 1, 9)), ValueError, ("4 axes", "(1, 1, 1, 9)", "(n_signals, n_ears, n_samples)")),
    "clip of 3 axes": ([np.zeros((1, 1, 9))], ValueError, ("X[0] has shape (1, 1, 9)", "(n_ears, n_samples)")),
    "mixed ears": ([TONE, np.stack([TONE, TONE])], ValueError, ("X[1]", "(2, 400)", "X[0] (400,)", "average")),
    "other ears": ([np.zeros((3, 9)), np.zeros((2, 9))], ValueError, ("X[1]", "(2, 9)", "X[0] (3, 9)", "same ears")),
    "complex clip": ([TONE * 1j], ValueError, ("Complex data not supported", "X[0] is complex128", "real part")),
    "complex array": (TONE[None] * 1j, ValueError, ("Complex data not supported", "X is complex128", "real part")),
    "strings": (["a.wav", "b.wav"], TypeError, ("X[0] holds", "skaud.audio.read")),
    "one string": ("a.wav", TypeError, ("X is str", "skaud.audio.read")),
    "array of strings": (np.array([["1", "2"]]), TypeError, ("X holds <U1 data", "skaud.audio.read")),
    "column of strings": (pd.Series(["a.wav"]), TypeError, ("X[0] holds", "skaud.audio.read")),
    "times": ([TONE.astype("timedelta64[s]")], TypeError, ("X[0] holds timedelta64[s]", "numbers")),
    "sound and rate": ([(TONE, 22050)], ValueError, ("X[0] is a tuple", "skaud.Sound(samples, sample_rate)")),
    "one Sound": (Sound(TONE, 22050), TypeError, ("X is one clip, a Sound", "[x]")),
    "one dict": ({"array": TONE, "sampling_rate": 8000}, TypeError, ("X is one clip, a dict", "[x]")),
    "rate missing": ([{"array": TONE, "sampling_rate": None}], ValueError, ("X[0] has", "None", "fill in its rate")),
    "missing clip": (pd.Series([TONE, None]), ValueError, ("X[1] is None", "missing", "leave it out")),
    "undecoded file": ([{"bytes": b"RIFF", "path": "a.wav"}], ValueError, ("X[0], a dict", "'array'", "decode")),
    "Sound and samples": ([TONE, Sound(TONE, 8000)], ValueError, ("X[1] knows its sample rate", "X[0] does not")),
    "samples before ears": ([np.zeros((400, 2))], ValueError, ("X[0]", "400 ears, more than 16", "transpose")),
    "samples before ears in an array": (np.zeros((1, 400, 2)), ValueError, ("(400, 2)", "400 ears", "transpose")),
    "more ears than samples": ([np.zeros((3, 2))], ValueError, ("X[0]", "3 ears", "its 2 samples", "audio.read")),
    "17 ears": (np.zeros((1, 17, 100)), ValueError, ("17 ears, more than 16", "list(X")),
    "masked clip": ([np.ma.masked_less(TONE, 0)], TypeError, ("X[0] is a masked array", "filled(0)")),
    "masked array": (np.ma.masked_less(TONE[None], 0), TypeError, ("X is a masked array", "filled(0)")),
    "sparse": (sparse.csr_array(TONE[None]), TypeError, ("Sparse X", "X.toarray()")),
    "far too loud": ([TONE, TONE * 1e30], ValueError, ("X[1] reaches 1e+30", "float32", "scale it")),
    "a click far too loud": ([np.r_[1e30, 0 * TONE]], ValueError, ("X[0] reaches 1e+30", "float32", "scale it")),
    "beyond float32": ([TONE * 1e300], ValueError, ("X[0] reaches 1e+300", "float32", "scale it")),
}


@pytest.mark.parametrize("name", BAD_SOUNDS)
@pytest.mark.parametrize("method", ["transform", "simulate", "fit_transform"])
def test_bad_sound_is_refused(name, method, model):
    X, kind, words = BAD_SOUNDS[name]
    with warnings.catch_warnings(), error(kind, *words):
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".* dB SPL")  # what is far too loud is named so besides
        getattr(CARFAC() if method == "fit_transform" else model, method)(X)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0, ("sample_rate of X[0]=0", "between 1000 and 1e+06 Hz")),
        (-8000.0, ("sample_rate of X[0]=-8000.0", "between 1000 and 1e+06 Hz")),
        (np.nan, ("sample_rate of X[0]=nan", "a number of Hz")),
        ([8000, np.inf], ("sample_rate of X[1]=inf", "a number of Hz")),
        ("8000", ("sample_rate of X[0]='8000'", "a number of Hz")),
        (True, ("sample_rate of X[0]=True", "a number of Hz")),
        (16.0, ("sample_rate of X[0]=16.0", "16000 Hz, in kHz?")),
        (2e6, ("sample_rate of X[0]=2000000.0", "1e+06 Hz")),
        ([8000, 8000, 8000], ("sample_rate has 3 entries for 2 signals",)),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform", "simulate"])
def test_bad_rate_of_a_clip_is_refused(rate, words, method, model):
    with error(ValueError, *words):
        getattr(CARFAC() if method == "fit" else model, method)(make_clips((0.01, 0.01)), sample_rate=rate)


BAD_PARAMETERS = {
    "sample_rate in kHz": ({"sample_rate": 44.1}, ("sample_rate=44.1", "44100 Hz, in kHz?")),
    "sample_rate True": ({"sample_rate": True}, ("sample_rate=True", "must be a number")),
    "sample_rate 0": ({"sample_rate": 0}, ("'sample_rate'", "(0.0, inf)", "Got 0")),
    "output": ({"output": "spikes"}, ("output='spikes'", "('nap', 'bm'")),
    "frame_length 0": ({"frame_length": 0}, ("'frame_length'", "(0.0, inf)", "Got 0")),
    "frame_length negative": ({"frame_length": -0.01}, ("'frame_length'", "(0.0, inf)", "Got -0.01")),
    "statistic": ({"pooling": ("mean", "mode")}, ("pooling has 'mode'", "'p95'", "delta_")),
    "statistic of TemporalPooling": ({"pooling": TemporalPooling("mode")}, ("pooling has 'mode'", "'p95'")),
    "segments": ({"pooling": TemporalPooling(segments=0)}, ("'segments'", "[1, 100000]", "Got 0")),
    "no statistic": ({"pooling": ()}, ("pooling=() is empty", "pooling=None")),
    "level": ({"rms_one_db_spl": np.inf}, ("'rms_one_db_spl'", "inf")),
    "level beyond reason": ({"rms_one_db_spl": 1e6}, ("rms_one_db_spl=1000000.0", "-300 to 300", "93.98")),
    "dtype": ({"dtype": "float16"}, ("'dtype'", "float32", "Got 'float16'")),
    "n_jobs": ({"n_jobs": 1.5}, ("'n_jobs'", "Got 1.5")),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameter_is_refused(name):
    parameters, words = BAD_PARAMETERS[name]
    with error(ValueError, *words):
        CARFAC(**parameters).fit(make_clips((0.01,)))


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ("spikes_per_s", ("'spikes_per_s'", "('nap', 'bm'", "choose among")),
        (("nap", "spikes"), ("'spikes'", "choose among")),
        ((), ("nothing", "choose among")),
    ],
)
def test_simulate_refuses_unknown_outputs(outputs, words, model):
    with error(ValueError, *words):
        model.simulate(make_clips((0.01,)), outputs)


@pytest.mark.parametrize(
    "X",
    [
        np.ones((2, 50), np.int16),
        [np.ones(50, np.int16), np.ones(40, np.int16)],
        np.ones((1, 2, 50), np.uint8),
        pd.DataFrame(np.ones((2, 50), np.int16)),
    ],
    ids=["array", "list", "ears", "data frame"],
)
def test_integers_are_taken_as_they_are_with_one_warning(X):
    floats = [np.asarray(x, float) for x in (X.to_numpy() if hasattr(X, "iloc") else X)]
    wanted = CARFAC().fit_transform(floats)
    with pytest.warns(UserWarning, match=r"int\d+ samples.*taken as they are.*skaud\.audio\.from_pcm") as caught:
        model = CARFAC().fit(X)
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(UserWarning, match="from_pcm"):
        np.testing.assert_array_equal(model.transform(X), wanted)


def test_an_array_on_a_gpu_is_refused_by_a_model_without_a_kernel_there():
    X = make_clips((0.01,))
    there = [cupy_stand_in.ndarray(clip) for clip in X]
    model = LeakyEnergy().fit(X)
    for method in (model.transform, model.simulate, lambda x: model.transform_chunk(x, model.initial_state())):
        with error(TypeError, "LeakyEnergy has no kernel", "cupy on cuda:0", "ToNumpy()"):
            method(cupy_stand_in.ndarray(np.stack(X)))
    with error(TypeError, "LeakyEnergy has no kernel", "cupy on cuda:0"):
        LeakyEnergy().fit(there).transform(there)


# Streams


def test_a_stream_refuses_the_state_of_another_model():
    X = make_clips((0.01,))
    model = CARFAC(pooling=None).fit(X)
    chunk = np.stack(X)
    for parameters in (
        {"sample_rate": 16000},
        {"dtype": "float64"},
        {"frame_length": 0.004},
        {"frame_length": None},
        {"output": "bm"},
        {"ohc_health": 0.99},
        {"agc_time_constants_s": (0.002, 0.008, 0.032, 0.129)},
        {"use_delay_buffer": True},
        {"open_loop": True},
        {"linear_car": True},
        {"ihc_style": "one_cap"},
        {"rms_one_db_spl": None},
    ):
        other = CARFAC(pooling=None).set_params(**parameters).fit(X)
        with error(ValueError, "state belongs to 'CARFAC(", "this model is 'CARFAC(", "initial_state()"):
            model.transform_chunk(chunk, other.initial_state())


def test_a_stream_takes_the_state_of_an_equal_model():
    X = make_clips((0.01,))
    a, b = (CARFAC(pooling=None).fit(X) for _ in range(2))
    np.testing.assert_array_equal(
        a.transform_chunk(np.stack(X), b.initial_state())[0], b.transform_chunk(np.stack(X), a.initial_state())[0]
    )


def test_a_stream_survives_a_pickled_model():
    X = np.stack(make_clips((0.02,)))
    model = CARFAC(pooling=None).fit(X)
    _, state = model.transform_chunk(X[:, :100], model.initial_state())
    other, state_there = pickle.loads(pickle.dumps((model, state)))
    np.testing.assert_array_equal(
        other.transform_chunk(X[:, 100:], state_there)[0], model.transform_chunk(X[:, 100:], state)[0]
    )


@pytest.mark.parametrize(
    ("X", "kind", "words"),
    [
        (np.zeros((1, 50)), ValueError, ("X has shape (1, 50)", "(2, 'n_samples')", "initial_state")),
        (np.zeros((2, 2, 50)), ValueError, ("X has shape (2, 2, 50)", "(2, 'n_samples')")),
        (np.zeros(50), ValueError, ("X has shape (50,)", "(2, 'n_samples')")),
        (np.full((2, 50), np.nan), ValueError, ("X has 100 samples", "NaN", "finite")),
        (np.zeros((2, 50), complex), ValueError, ("Complex data not supported", "X is complex128")),
        (np.full((2, 50), "a"), TypeError, ("X holds <U1 data",)),
        (np.full((2, 300), 1e30), ValueError, ("X[0] reaches 1e+30", "scale it")),
    ],
    ids=["signals", "ears", "1-D", "NaN", "complex", "strings", "far too loud"],
)
def test_a_stream_refuses_bad_chunks(X, kind, words, model):
    with error(kind, *words):
        model.transform_chunk(X, model.initial_state(2))


def test_a_stream_warns_of_integers(model):
    with pytest.warns(UserWarning, match="from_pcm"):
        model.transform_chunk(np.zeros((1, 50), np.int16), model.initial_state())


def test_a_stream_needs_a_state(model):
    with error(TypeError, "state is dict", "initial_state or transform_chunk"):
        model.transform_chunk(np.zeros((1, 50)), {})
    for arguments in ({"n_signals": 0}, {"n_signals": 1.5}, {"n_ears": 0}):
        with error(ValueError, f"{next(iter(arguments))}=", "a whole number of at least 1"):
            model.initial_state(**arguments)


@pytest.mark.parametrize("X", [np.ones((2, 100), bool), [np.ones(100, bool)]], ids=["array", "list"])
def test_sound_of_booleans_is_refused(X):
    with error(TypeError, "holds bool data, not samples of sound"):
        CARFAC(16000).fit(X)
