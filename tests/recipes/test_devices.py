"""Pipelines of arrays of a device: all steps compute where X lies."""

import sys
import warnings
from types import ModuleType
from unittest import mock

import cupy_stand_in
import numpy as np
import pytest
from audio_checks import error
from cupy_stand_in import OnStandIn, calls
from sklearn.pipeline import FeatureUnion, Pipeline

from skaud import (
    CARFAC,
    AuditorySpectrogram,
    CepstralCoefficients,
    CorticalSTRF,
    Deltas,
    FeaturePipeline,
    Learn,
    LogCompression,
    TemporalPooling,
)
from skaud.engines import device
from skaud.kernels.array_api import to_numpy
from skaud.recipes import pipeline

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
RANDOM = np.random.default_rng(0)
X = 0.05 * RANDOM.standard_normal((5, 1500))
EARS = 0.05 * RANDOM.standard_normal((2, 2, 1500))
CLIPS = [X[0], X[1, :900], X[2], X[3, :900]]


@pytest.fixture(autouse=True)
def kernels(monkeypatch):
    """Let CARFAC have a kernel for CUDA, and cupy be there."""
    cupy_stand_in.install(monkeypatch)
    module = ModuleType("carfac_cuda")
    module.make = OnStandIn
    monkeypatch.setitem(sys.modules, "skaud.engines.carfac_cuda", module)
    monkeypatch.setattr(device, "find_spec", lambda name: name == "skaud.engines.carfac_cuda")


def cupy(values):
    return [cupy(own) for own in values] if isinstance(values, list) else cupy_stand_in.ndarray(values)


def on_strict(values):
    if isinstance(values, list):
        return [on_strict(own) for own in values]
    return strict.asarray(values, device=strict.Device("device1"))


def cochlea(**options):
    log = [
        ("log", LogCompression(0.01)),
        ("cepstra", CepstralCoefficients(3)),
        ("pooling", TemporalPooling({"mean": 2})),
    ]
    linear = [("deltas", Deltas(1)), ("pooling", TemporalPooling(["std", "p90"]))]
    both = FeatureUnion([("log", Pipeline(log)), ("linear", Pipeline(linear))], transformer_weights={"linear": 3.0})
    carfac = CARFAC(8000, erb_per_step=3.0, pooling=None, dtype="float64")
    return FeaturePipeline([("model", carfac), ("both", both)], **options)


def cortex(**options):
    strf = CorticalSTRF(8, response="magnitude", dtype="float64")
    steps = [("strf", strf), ("log", LogCompression(0.01)), ("pooling", TemporalPooling())]
    return FeaturePipeline([("model", AuditorySpectrogram(pooling=None, dtype="float64")), *steps], **options)


BOTH = pytest.mark.parametrize(("make", "move"), [(cochlea, cupy), (cortex, on_strict)], ids=["cupy", "strict"])


def assert_close(found, wanted, limit=1e-10):
    if isinstance(wanted, list):
        for own, other in zip(found, wanted, strict=True):
            assert_close(own, other, limit)
        return
    assert not isinstance(found, np.ndarray)
    assert np.abs(to_numpy(found) - wanted).max() <= limit * np.abs(wanted).max()


@BOTH
@pytest.mark.parametrize("sound", [X, CLIPS, EARS], ids=["array", "list", "ears"])
@pytest.mark.parametrize("signals_at_once", [None, 2])
def test_features_and_gradients_are_those_of_the_host(make, move, sound, signals_at_once):
    on_host = make().fit(sound)
    features = make(signals_at_once=signals_at_once).fit(move(sound))
    assert list(features.get_feature_names_out()) == list(on_host.get_feature_names_out())
    assert_close(features.transform(move(sound)), on_host.transform(sound))
    wanted_value, wanted_pullback = on_host.vjp(sound)
    value, pullback = features.vjp(move(sound))
    assert_close(value, wanted_value)
    wanted, found = wanted_pullback(wanted_value), pullback(value)
    assert found.keys() == wanted.keys()
    assert_close(found.pop("X"), wanted.pop("X"), 1e-8)
    for name, own in wanted.items():
        np.testing.assert_allclose(to_numpy(found[name]), own, rtol=1e-7, atol=1e-9)
    with error(TypeError, "value_bar is of numpy on cpu", "value of"):
        pullback(wanted_value)


@BOTH
def test_frames_and_streams_are_those_of_the_host(make, move):
    frames = FeaturePipeline([("model", make().steps[0][1]), ("log", LogCompression())])
    assert_close(frames.fit(move(X)).transform(move(X)), frames.transform(X))
    assert_close(frames.transform(move(CLIPS)), frames.transform(CLIPS))
    features = make().fit(X)
    here, there = features.initial_state(5), features.initial_state(5)
    for chunk in np.split(np.tile(X, 4), [700], axis=-1):
        wanted, here = features.transform_chunk(chunk, here)
        found, there = features.transform_chunk(move(chunk), there)
        for own, other in zip(found, wanted) if isinstance(wanted, list) else [(found, wanted)]:
            assert own.shape == other.shape
            if other.size:
                assert_close(own, other)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@BOTH
def test_what_is_learned_from_arrays_of_a_device_is_what_is_learned_on_the_host(make, move):
    clips = [clip[:400] * (0.5 + i % 2) for i, clip in enumerate(np.tile(X, (2, 1)))]
    y, floor = np.arange(10) % 2, "both__log__log__floor" if make is cochlea else "log__floor"
    how = Learn(["model__velocity_scale" if make is cochlea else "model__integration_s", floor], max_iter=3, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        on_host = make(learn=how).fit(clips, y)
        found = make(learn=how).fit(move(clips), move(y))
    np.testing.assert_allclose(found.loss_curve_, on_host.loss_curve_, rtol=1e-4)
    assert_close(found.transform(move(clips)), on_host.transform(clips), 1e-2)


def test_no_frames_are_copied_to_the_host():
    features = cochlea().fit(cupy(X))
    sizes, get = [], cupy_stand_in.ndarray.get

    def watched(x):
        sizes.append(x.size)
        return get(x)

    with mock.patch.object(cupy_stand_in.ndarray, "get", watched):
        cochlea().fit(cupy(X))
        value, pullback = features.vjp(cupy(X))
        pullback(value)
        features.transform(cupy(X))
    assert max(sizes) <= len(X)  # mean squares, and whether all is finite


def test_a_device_takes_many_signals_at_once(monkeypatch):
    features, wanted = cochlea().fit(cupy(X)), cochlea().fit_transform(X)
    many = np.tile(X, (8, 1))

    def n_calls():
        calls.clear()
        assert_close(features.transform(cupy(many)), np.tile(wanted, (8, 1)))
        return len(calls)

    together = n_calls()
    monkeypatch.setattr(pipeline, "SIGNALS_AT_ONCE_ON_DEVICE", 10)
    assert 3.5 * together < n_calls() < 5 * together


def test_a_device_that_holds_fewer_signals_takes_them_in_smaller_parts(monkeypatch):
    features = cochlea().fit(cupy(X))
    wanted, sizes, run = features.transform(cupy(X)), [], OnStandIn.run

    def small(self, x, *others):
        sizes.append(x.shape[0])
        if x.shape[0] > 2:
            raise MemoryError("out of memory")
        return run(self, x, *others)

    monkeypatch.setattr(OnStandIn, "run", small)
    np.testing.assert_array_equal(to_numpy(features.transform(cupy(X))), to_numpy(wanted))
    assert sizes == [5, 2, 2, 1]
    with error(MemoryError, "signals at once do not fit"):
        features.set_params(signals_at_once=4).fit(X[:1]).transform(cupy(X))


def test_data_frames_are_of_the_host():
    features = cochlea().fit(cupy(X)).set_output(transform="pandas")
    with error(TypeError, "set_output asks for pandas", "ToNumpy()"):
        features.transform(cupy(X))
