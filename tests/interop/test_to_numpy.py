"""The border of a pipeline between a device and the host."""

import cupy_stand_in
import numpy as np
import pytest
from audio_checks import error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import AuditorySpectrogram, Sound, ToNumpy

X = np.random.default_rng(0).standard_normal((4, 6))


@parametrize_with_checks([ToNumpy()])
def test_it_keeps_the_rules_of_scikit_learn(estimator, check):
    check(estimator)


def test_arrays_of_every_place_become_numpys():
    for form in (cupy_stand_in.ndarray(X), memoryview(X), X):
        found = ToNumpy().fit_transform(form)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, X)
    assert ToNumpy().fit_transform(X) is X
    found = ToNumpy().fit_transform([cupy_stand_in.ndarray(X[0], 0), cupy_stand_in.ndarray(X[1], 1), X[2]])
    for own, wanted in zip(found, X):
        np.testing.assert_array_equal(own, wanted)
    sounds = [Sound(X[0], 8000)]
    assert ToNumpy().transform(sounds) == sounds


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "array_api_strict"])
def test_arrays_of_libraries_of_the_host_become_numpys(library):
    xp = pytest.importorskip(library, reason=f"{library} is not installed")
    found = ToNumpy().fit_transform(xp.asarray(X.astype(np.float32)))
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, X.astype(np.float32))


def test_features_of_a_device_go_on_in_a_tree():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    sound, y = 0.1 * np.random.default_rng(1).standard_normal((6, 900)), [0, 1] * 3
    there = strict.asarray(sound, device=strict.Device("device1"))
    pipeline = make_pipeline(AuditorySpectrogram(dtype="float64"), ToNumpy(), DecisionTreeClassifier(random_state=0))
    np.testing.assert_array_equal(pipeline.fit(there, y).predict(there), y)
    with pytest.raises(RuntimeError, match="Can't convert array"):  # which nobody has asked for
        make_pipeline(AuditorySpectrogram(), StandardScaler()).fit(there)


def test_data_frames_have_the_names_of_the_step_before():
    found = ToNumpy().set_output(transform="pandas").fit_transform(cupy_stand_in.ndarray(X))
    assert list(found.columns) == [f"x{k}" for k in range(6)]
    assert list(ToNumpy().fit(X).get_feature_names_out(list("abcdef"))) == list("abcdef")
    with error(ValueError, "transform='xarray'", "'pandas'"):
        ToNumpy().set_output(transform="xarray")
