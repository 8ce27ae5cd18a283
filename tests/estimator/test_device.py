"""Models on devices: an engine of array-API code, and a stand-in for a kernel of CUDA over arrays like cupy's."""

import pickle
import sys
import warnings
from types import ModuleType

import cupy_stand_in
import numpy as np
import pandas as pd
import pytest
from audio_checks import error
from cupy_stand_in import OnStandIn, calls
from sklearn.base import clone

from skaud import (
    CARFAC,
    Audiogram,
    AuditorySpectrogram,
    BiomimeticFrontend,
    Deltas,
    FeaturePipeline,
    LateralInhibition,
    Learn,
    LogCompression,
    Sound,
    TemporalPooling,
)
from skaud.engines import device
from skaud.fitting import fit_response
from skaud.kernels.array_api import to_numpy

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
DEVICE = strict.Device("device1")
RANDOM = np.random.default_rng(0)
X = 0.05 * RANDOM.standard_normal((3, 1500)).astype(np.float32)
EARS = 0.05 * RANDOM.standard_normal((2, 2, 1500)).astype(np.float32)
CLIPS = [X[0], X[1, :900], X[2]]
LIMIT = {"float32": 2e-5, "float64": 1e-11}


def there(values):
    if isinstance(values, list):
        return [there(own) for own in values]
    return strict.asarray(values, device=DEVICE)


def cupy(values):
    return [cupy(own) for own in values] if isinstance(values, list) else cupy_stand_in.ndarray(values)


def assert_close(found, wanted, limit):
    if isinstance(wanted, list):
        for own, other in zip(found, wanted, strict=True):
            assert_close(own, other, limit)
        return
    found = to_numpy(found)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= limit * np.abs(wanted).max()


@pytest.fixture(autouse=True)
def kernels(monkeypatch):
    """Let CARFAC have a kernel for CUDA, and cupy be there."""
    cupy_stand_in.install(monkeypatch)
    module = ModuleType("carfac_cuda")
    module.make = OnStandIn
    monkeypatch.setitem(sys.modules, "skaud.engines.carfac_cuda", module)
    monkeypatch.setattr(device, "find_spec", lambda name: name == "skaud.engines.carfac_cuda")


def cochlea(**options):
    return CARFAC(8000, erb_per_step=3.0, **options)


MODELS = [
    (lambda **options: AuditorySpectrogram(compression=0.8, **options), there),
    (lambda **options: BiomimeticFrontend(n_strfs=8, response="magnitude", **options), there),
    (cochlea, cupy),
]
NAMES = ["spectrogram", "front end", "carfac"]


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
@pytest.mark.parametrize(
    ("dtype", "pooling", "sound"),
    [
        ("float32", ("mean", "std"), X),
        ("float64", TemporalPooling({"max": 2, "median": 1}), CLIPS),
        ("float64", "mean", EARS),
        ("float64", None, CLIPS),
        ("float32", None, EARS),
    ],
    ids=["array", "parts of a list", "ears", "frames of a list", "frames of ears"],
)
def test_features_and_gradients_are_those_of_the_host(make, move, dtype, pooling, sound):
    on_host = make(dtype=dtype, pooling=pooling).fit(sound)
    model = make(dtype=dtype, pooling=pooling).fit(move(sound))
    assert_close(model.transform(move(sound)), on_host.transform(sound), LIMIT[dtype])
    wanted_value, wanted_pullback = on_host.vjp(sound)
    value, pullback = model.vjp(move(sound))
    assert_close(value, wanted_value, LIMIT[dtype])
    wanted, found = wanted_pullback(wanted_value), pullback(value)
    assert found.keys() == wanted.keys()
    for name, own in wanted.items():
        assert_close(found[name], own, 50 * LIMIT[dtype])


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
def test_simulated_responses_and_streams_are_those_of_the_host(make, move):
    model = make(dtype="float64", pooling=None).fit(X)
    wanted = model.simulate(X)
    found = model.simulate(move(X))
    assert found.keys() == wanted.keys()
    for name, own in wanted.items():
        assert_close(found[name], own, 1e-11)
    if model.why_no_chunks():
        return
    long = np.tile(X, 5).astype(float)
    state, state_there = model.initial_state(3), model.initial_state(3)
    for begin in range(0, long.shape[1], 2500):
        chunk = long[:, begin : begin + 2500]
        own, state = model.transform_chunk(chunk, state)
        found, state_there = model.transform_chunk(move(chunk), state_there)
        assert found.shape == own.shape
        if own.size:
            assert_close(found, own, 1e-10)


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
def test_level_is_heard_on_a_device_as_on_the_host(make, move):
    for level in (None, 107.0, 60.0, 93.98):
        model = make(rms_one_db_spl=level, dtype="float64").fit(X)
        assert_close(model.transform(move(X)), model.transform(X), 1e-11)
    with pytest.warns(UserWarning, match="above 130"):
        make(dtype="float64", rms_one_db_spl=180).fit(X).transform(move(X))
    with pytest.warns(UserWarning, match="no ear hears any"):
        make(dtype="float64", rms_one_db_spl=0).fit(X).transform(move(X))


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
def test_rates_and_lengths_are_never_passed_over_on_a_device(make, move):
    model = make().fit(move(X))
    rate = model.sample_rate
    assert model.n_features_in_ == 1500
    with error(TypeError, "X[0] is at 48000 Hz", f"{rate:g} Hz", "soxr", "CPU", "sample_rate=48000", "ToNumpy()"):
        model.transform(move(CLIPS), sample_rate=48000)
    with error(TypeError, "X[0] is at 48000 Hz", "soxr"):
        make().fit(move(CLIPS), sample_rate=48000)
    with error(ValueError, "1000 features", "expecting 1500", "0.1875 s" if rate == 8000 else "0.09375 s", "list(X)"):
        model.transform(move(X[:, :1000]))
    with error(ValueError, "2 ears", "no axis of ears"):
        model.transform(move(EARS))
    told = make().fit(CLIPS, sample_rate=rate + 8000)
    with error(ValueError, "plain samples without a rate", f"{rate:g} Hz"):
        told.transform(move(CLIPS))
    np.testing.assert_array_equal(
        to_numpy(told.transform(move(CLIPS), sample_rate=rate)), to_numpy(model.transform(move(CLIPS)))
    )


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
def test_bad_sound_on_a_device_is_named_as_on_the_host(make, move):
    model = make().fit(X)
    wrong = X.copy()
    wrong[1, 7] = np.nan
    for bad in (wrong, X[:0], X[:, :0], X[0], X[None, None], X + 1j, list(wrong), [X[0], X[1, :0]], [X[0], EARS[0]]):
        messages = []
        for place in (lambda x: x, move):
            with pytest.raises((ValueError, TypeError)) as caught:
                model.transform(place(bad))
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
def test_every_dtype_and_layout_is_heard_on_a_device_as_on_the_host(make, move):
    model = make(dtype="float64").fit(X)
    for sound in (X.astype(float), np.asfortranarray(X), X[:, ::-1], (X * 1000).astype(np.int16)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_close(model.transform(move(sound)), model.transform(sound), 1e-11)
    with pytest.warns(UserWarning, match="int16 samples"):
        model.transform(move((X * 1000).astype(np.int16)))
    half = X.astype(np.float16)
    if move is cupy:
        assert_close(model.transform(move(half)), model.transform(half), 1e-11)


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
def test_set_output_is_never_passed_over_on_a_device(make, move):
    model = make().fit(X).set_output(transform="pandas")
    with error(TypeError, "set_output asks for pandas", "ToNumpy()", "set_output(transform='default')"):
        model.transform(move(X))
    assert model.set_params(pooling=None).fit(X).transform(move(X)).shape[0] == 3  # frames are no features


@pytest.mark.parametrize(("make", "move"), MODELS, ids=NAMES)
def test_a_pullback_refuses_derivatives_that_lie_elsewhere(make, move):
    value, pullback = make(pooling="mean").fit(X).vjp(move(X))
    with error(TypeError, "value_bar is of numpy on cpu", "value of", "library"):
        pullback(np.ones(value.shape))
    with error(ValueError, "value_bar has shapes"):
        pullback(value[:2, ...])


def test_streams_stay_where_they_began():
    model = cochlea(pooling=None).fit(X)
    _, state = model.transform_chunk(X, model.initial_state(3))
    with error(TypeError, "X is of cupy on cuda:0", "began on host", "initial_state()"):
        model.transform_chunk(cupy(X), state)
    _, state = model.transform_chunk(cupy(X), model.initial_state(3))
    with error(TypeError, "X is of host", "began on cupy on cuda:0"):
        model.transform_chunk(X, state)
    with error(ValueError, "(3, 'n_samples')"):
        model.transform_chunk(cupy(X[:2]), state)
    empty, after = model.transform_chunk(cupy(X[:, :0]), state)
    assert empty.shape[-1] == 0
    assert after.place == state.place


@pytest.mark.parametrize("make", [lambda **options: AuditorySpectrogram(**options), cochlea], ids=["strict", "cupy"])
def test_a_model_learns_from_arrays_of_a_device_what_it_learns_on_the_host(make):
    move, name = (cupy, "velocity_scale") if make is cochlea else (there, "integration_s")
    clips = [clip[:400] for clip in RANDOM.standard_normal((6, 400)).astype(np.float32)]
    clips = [clip * (0.02 + 0.08 * (i % 2)) for i, clip in enumerate(clips)]
    y = np.arange(6) % 2
    how = Learn(name, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        on_host = make(learn=how).fit(clips, y)
        found = make(learn=how).fit(move(clips), move(y))
    assert getattr(found, f"{name}_") == pytest.approx(getattr(on_host, f"{name}_"), rel=1e-3)
    np.testing.assert_allclose(found.loss_curve_, on_host.loss_curve_, rtol=1e-3)


@pytest.mark.parametrize("output", ["features", "nap"])
def test_a_response_is_fitted_to_sound_on_a_device(output):
    measured = cochlea(velocity_scale=0.15)
    target = measured.fit_transform(X) if output == "features" else measured.fit(X).simulate(X, "nap").nap
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = fit_response(cochlea(), X, target, learn="velocity_scale", output=output, max_iter=3)
        found = fit_response(cochlea(), cupy(X), cupy(target), learn="velocity_scale", output=output, max_iter=3)
    assert found.velocity_scale_ == pytest.approx(wanted.velocity_scale_, rel=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ihc_style": "two_cap_with_syn", "explain_residual": "synapse", "ohc_share": 0.5},
        {"open_loop": True},
    ],
    ids=["hair cells", "fibres", "open loop"],
)
def test_an_audiogram_is_fitted_where_x_lies(options):
    audiogram = Audiogram([500, 1000, 2000], [10, 25, 40])
    on_host = CARFAC(8000, erb_per_step=2.0, audiogram=audiogram, **options)
    on_device = clone(on_host)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = on_host.fit(X)
        calls.clear()
        found = on_device.fit(cupy(X))
    assert calls.count("to the device") > 10  # tones
    np.testing.assert_allclose(found.ohc_health_, wanted.ohc_health_, atol=1e-6)
    np.testing.assert_allclose(found.loss_curve_, wanted.loss_curve_, rtol=1e-6)
    if "explain_residual" in options:
        np.testing.assert_allclose(found.n_fibers_, wanted.n_fibers_, rtol=1e-6)
    target = found.transform(X) * 1.01
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = fit_response(clone(on_host), cupy(X), target, learn="velocity_scale", max_iter=1)
    np.testing.assert_allclose(fitted.ohc_health_, wanted.ohc_health_, atol=1e-6)


@pytest.mark.parametrize(("make", "move"), [*MODELS, (lambda **_: LogCompression(), None)], ids=[*NAMES, "step"])
@pytest.mark.parametrize("kind", [cupy_stand_in.ndarray, cupy_stand_in.NumbaArray], ids=["cupy", "numba"])
def test_all_is_computed_on_the_device_of_x_which_need_not_be_the_current_one(make, move, kind, monkeypatch):
    monkeypatch.setattr("numba.cuda.as_cuda_array", cupy_stand_in.NumbaArray)
    sounds = [RANDOM.random((2, 3, 9)), [RANDOM.random((3, 9)), RANDOM.random((3, 5))]] if move is None else [X, CLIPS]
    for sound in sounds:
        there = [cupy_stand_in.ndarray(own, 1) for own in sound]
        if not isinstance(sound, list):
            there = cupy_stand_in.ndarray(sound, 1)
        there = (
            there
            if kind is cupy_stand_in.ndarray
            else ([kind(own) for own in there] if isinstance(there, list) else kind(there))
        )
        model = make(dtype="float64").fit(there)
        value, pullback = model.vjp(there)
        grads = pullback(value)
        found = [model.transform(there), value, grads["X"]]
        wanted_value, wanted = model.vjp(sound)
        wanted = [model.transform(sound), wanted_value, wanted(wanted_value)["X"]]
        for own, other in zip(found, wanted, strict=True):
            for array in own if isinstance(own, list) else [own]:
                assert array.number == 1
                assert type(array) is kind
            assert_close(own, other, 1e-9)


@pytest.mark.parametrize("make", [lambda **options: AuditorySpectrogram(**options), cochlea], ids=["strict", "cupy"])
def test_what_is_not_finite_is_named_on_a_device_as_on_the_host(make):
    move = cupy if make is cochlea else there
    model = make(pooling=("mean", "std")).fit(X)
    loud = {"spectrogram": X * 1e20, "carfac": X}[NAMES[2 if make is cochlea else 0]]
    if make is not cochlea:  # frames are finite, and the squares of their differences are not
        for place in (lambda x: x, move):
            for method in (model.transform, model.vjp):
                with pytest.warns(UserWarning, match="above 130"), error(ValueError, "X[0]", "_std=inf"):
                    method(place(loud))
    value, pullback = model.vjp(X)
    _, pullback_there = model.vjp(move(X))
    bar = np.full(value.shape, 3e38, np.float32)
    for own, place in ((pullback, lambda x: x), (pullback_there, move)):
        with np.errstate(all="ignore"), error(ValueError, "the derivative with respect to", "is not finite"):
            own(place(bar))
        with error(ValueError, "value_bar is complex", "real part"):
            own(place(bar.astype(np.complex64)))


@pytest.mark.parametrize("move", [cupy, there], ids=["cupy", "strict"])
def test_arrays_of_a_device_within_other_things_are_refused_with_what_to_do(move):
    model, clip = AuditorySpectrogram(dtype="float64").fit(X), move(X[0])
    objects = np.empty(1, object)
    objects[0] = clip
    for within in ([[clip, clip]], pd.Series(objects), objects, [{"array": clip, "sampling_rate": 8000}]):
        with error(TypeError, "lies on", "hold samples of the host", "ToNumpy()"):
            model.transform(within)
    with error(TypeError, "samples lies on", "ToNumpy()"):
        Sound(clip, 8000)
    rates = move(np.full(3, float(model.sample_rate)))
    assert_close(model.transform(move(X), sample_rate=rates), model.transform(X), 2e-5)


def test_a_number_on_a_device_is_no_sound():
    with error(ValueError, "shape ()"):
        cochlea().fit(X).transform(cupy(np.float32(3)))


def test_rates_that_lie_on_a_device_reach_a_pipeline():
    features = FeaturePipeline([("carfac", cochlea(pooling=None)), ("pooling", TemporalPooling())], signals_at_once=2)
    found = features.fit(cupy(X)).transform(cupy(X), sample_rate=cupy(np.full(3, 8000.0)))
    assert_close(found, features.transform(X), 2e-5)


@pytest.mark.parametrize("move", [cupy, there], ids=["cupy", "strict"])
def test_frames_of_whole_numbers_and_truths_are_computed_on_a_device_as_on_the_host(move):
    for frames in (RANDOM.integers(0, 9, (2, 3, 8)).astype(np.int16), RANDOM.random((2, 3, 8)) > 0.5):
        for step in (LogCompression(), TemporalPooling(["mean", "std"])):
            assert_close(step.fit(move(frames)).transform(move(frames)), step.fit(frames).transform(frames), 1e-12)
    with error(ValueError, "a number", "reduce the last axis"):
        TemporalPooling(lambda frames, axis: 0.5).fit(move(X[:, None])).transform(move(X[:, None]))


def test_tensors_that_have_no_samples_or_no_numbers_of_ours_are_refused():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with error(TypeError, "no samples", "CPU or a GPU"):
        CARFAC(8000).fit(X).transform(torch.zeros((2, 1500), device="meta"))


def test_out_of_memory_is_named_wherever_it_strikes(monkeypatch):
    steps = [LogCompression(), Deltas(1), TemporalPooling("mean")]
    frames = cupy(RANDOM.random((4, 3, 9)))
    fitted = [step.fit(frames) for step in steps]
    model = cochlea().fit(cupy(X))

    def fail(*_, **__):
        raise MemoryError("Out of memory allocating 512 bytes")

    monkeypatch.setattr(cupy_stand_in.Namespace, "reshape", staticmethod(fail), raising=False)
    for step in fitted:
        with error(MemoryError, "4 signals", "cuda:0", "about 2 a call"):
            step.transform(frames)
    for call in (model.transform, model.simulate, model.vjp, model.fit):
        with error(MemoryError, "3 signals", "CARFAC", "about 1 a call"):
            call(cupy(X))


def test_a_model_that_worked_on_a_device_opens_where_there_is_none(monkeypatch):
    model = cochlea().fit(cupy(X))
    wanted = model.transform(cupy(X)).get()
    pickled = pickle.dumps(model)
    monkeypatch.delitem(sys.modules, "cupy")
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    np.testing.assert_array_equal(pickle.loads(pickled).transform(X), wanted)


def test_a_stage_of_responses_takes_those_of_a_device():
    responses = RANDOM.standard_normal((2, 3, 129, 40))
    stage = LateralInhibition(dtype="float64").fit(responses)
    found = LateralInhibition(dtype="float64").fit(there(responses)).transform(there(responses))
    assert_close(found, stage.transform(responses), 1e-12)
    value, pullback = stage.vjp(there(responses[:, 0]))
    assert pullback(value)["X"].shape == (2, 129, 40)
    with error(ValueError, "100 channels", "129"):
        stage.transform(there(responses[..., :100, :]))


def test_out_of_memory_names_how_many_clips_may_fit(monkeypatch):
    model = cochlea().fit(X)

    def fail(*_):
        raise MemoryError("Out of memory allocating 512 bytes")

    monkeypatch.setattr(OnStandIn, "run", fail)
    monkeypatch.setattr(OnStandIn, "record", fail)
    calls = [model.transform, model.simulate, model.vjp, lambda x: model.transform_chunk(x, model.initial_state(3))]
    for call in calls:
        with error(MemoryError, "3 signals", "cuda:0", "100 MiB are free", "CARFAC", "about 1 a call"):
            call(cupy(X))
