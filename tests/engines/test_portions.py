"""The biomimetic models on a device: few launches, batches that its memory holds, lists of several lengths."""

import tracemalloc

import cupy_stand_in
import numpy as np
import pytest

from skaud import AuditorySpectrogram, BiomimeticFrontend
from skaud.engines import device
from skaud.engines.device import memory_at
from skaud.engines.portions import portions
from skaud.kernels.array_api import place_of

RANDOM = np.random.default_rng(0)
VIEWS = ("reshape", "isdtype", "finfo")  # which launch nothing
MODELS = [
    AuditorySpectrogram(compression=0.8, dtype="float64"),
    BiomimeticFrontend(n_strfs=8, response="magnitude", dtype="float64"),
]
on_models = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


@pytest.fixture(autouse=True)
def cupy(monkeypatch):
    cupy_stand_in.install(monkeypatch, free=2**34)


def sound(*shape):
    return 0.05 * RANDOM.standard_normal(shape)


def there(x):
    return [there(own) for own in x] if isinstance(x, list) else cupy_stand_in.asarray(x)


def launches(function, *arguments):
    cupy_stand_in.calls.clear()
    result = function(*arguments)
    return result, sum(name not in VIEWS for name in cupy_stand_in.calls)


def assert_same(found, expected, limit=1e-12):
    if isinstance(expected, list):
        for own, other in zip(found, expected, strict=True):
            assert_same(own, other, limit)
        return
    found = found.get() if isinstance(found, cupy_stand_in.ndarray) else np.asarray(found)
    assert found.shape == np.shape(expected)
    assert np.abs(found - expected).max() <= limit * np.abs(expected).max()


def both(model, x):
    """Features and derivatives on the device and on the host."""
    value, pull_back = model.vjp(there(x))
    expected, pull_back_here = model.vjp(x)
    return (value, pull_back(value)), (expected, pull_back_here(expected))


def assert_all_same(found, expected):
    assert_same(found[0], expected[0])
    assert found[1].keys() == expected[1].keys()
    for name, own in expected[1].items():
        assert_same(found[1][name], own, 1e-10)


def test_a_batch_of_any_size_and_any_number_of_filters_takes_a_few_launches():
    counts = []
    for n_signals, n_strfs in ((1, 8), (5, 8), (1, 40)):
        model = BiomimeticFrontend(n_strfs=n_strfs).fit(sound(n_signals, 16000))
        x = there(sound(n_signals, 16000).astype(np.float32))
        model.transform(x)  # leaves the spectra of the filters
        (value, pull_back), forward = launches(model.vjp, x)
        counts.append((forward, launches(pull_back, value)[1]))
    forward, backward = zip(*counts, strict=True)
    assert max(forward) == min(forward) <= 70  # 715 when every filter and every frame had its own
    assert max(backward) <= 170  # 1694
    assert max(backward) - min(backward) <= 2  # what array-api-compat 1.10 asks the first time


@on_models
@pytest.mark.parametrize("pooling", [None, "mean"])
@pytest.mark.parametrize("shape", [(3, 1500), (2, 2, 1500)], ids=["array", "ears"])
def test_features_and_derivatives_are_those_of_the_host(model, shape, pooling):
    x = sound(*shape)
    model.set_params(pooling=pooling).fit(x)
    assert_all_same(*both(model, x))


@on_models
def test_clips_of_like_lengths_run_side_by_side_and_are_those_of_the_host(model):
    clips = [sound(n) for n in (1250, 1100, 1200, 1200, 700, 60)]
    model.set_params(pooling="mean").fit(clips)
    engine = model.engine_.with_memory(2**30)
    expected = [[0, 1, 2, 3], [4], [5]]
    of_ears = [clip[np.newaxis] for clip in clips]
    found = [own.indices for own in portions(engine, of_ears, model.output, model.frame_samples(), 2**30)]
    assert sorted(found) == expected
    assert_all_same(*both(model, clips))
    model.set_params(pooling=None).fit(clips)
    assert_all_same(*both(model, clips))


@on_models
def test_a_batch_is_split_by_what_is_free_and_gives_the_same(model, monkeypatch):
    x = sound(6, 3000)
    model.set_params(pooling="mean").fit(x)
    engine, sizes = model.engine_, {}
    needed = engine.bytes_of_signal(1, 3000, model.output)
    bars = []
    for n_signals in (1, 4):
        cupy_stand_in.install(monkeypatch, free=int((n_signals + 0.5) * needed / device.SHARE))
        memory = memory_at(place_of(there(x)))
        sizes[n_signals] = [own.x.shape[0] for own in portions(engine, x[:, np.newaxis], model.output, None, memory)]
        found, expected = both(model, x)
        assert_all_same(found, expected)
        bars.append(found[1])
    assert sizes == {1: [1] * 6, 4: [4, 2]}
    for name in bars[0].keys() - {"X"}:
        assert_same(bars[0][name], np.asarray(bars[1][name]), 1e-14)


@on_models
def test_a_batch_keeps_within_what_is_free(model, monkeypatch):
    model.set_params(pooling="mean").fit(sound(1, 4000))
    x = there(sound(10, 4000))
    free = 4 * model.engine_.bytes_of_signal(1, 4000, model.output)
    cupy_stand_in.install(monkeypatch, free=free)
    tracemalloc.start()
    try:
        model.transform(x)
        value, pull_back = model.vjp(x)
        pull_back(value)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < free
