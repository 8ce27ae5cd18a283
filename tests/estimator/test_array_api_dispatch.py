"""scikit-learn's array_api_dispatch: a process of its own, since SciPy reads SCIPY_ARRAY_API when it is imported."""

import os
import subprocess
import sys

import pytest
import scipy
from sklearn.utils import get_tags

from skaud import CARFAC, CepstralCoefficients, Osses2021, TemporalPooling

pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")

dispatched = pytest.mark.skipif(
    tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 14), reason="scikit-learn dispatches from SciPy 1.14 on"
)

BEGIN = """
import warnings
import numpy as np, sklearn, array_api_strict as strict
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skaud import CARFAC, AuditorySpectrogram, TemporalPooling, ToNumpy
X = 0.05 * np.random.default_rng(0).standard_normal((8, 600)).astype(np.float32)
X[::2] *= 3
y = np.arange(8) % 2
there = strict.asarray(X, device=strict.Device("device1"))
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGIN + program],
        capture_output=True,
        text=True,
        env=os.environ | {"SCIPY_ARRAY_API": "1", "PYTHONWARNINGS": "ignore"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tags_say_that_arrays_of_the_array_api_are_taken():
    for step in (CARFAC(), Osses2021(), TemporalPooling(), CepstralCoefficients()):
        assert get_tags(step).array_api_support


@dispatched
@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
def test_a_pipeline_stays_in_the_library_of_X(library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    assert (
        run(f"""
import {library} as xp
wanted = make_pipeline(CARFAC(8000, erb_per_step=3.0), StandardScaler()).fit_transform(X)
with sklearn.config_context(array_api_dispatch=True):
    pipeline = make_pipeline(CARFAC(8000, erb_per_step=3.0), StandardScaler())
    found = pipeline.fit_transform(xp.asarray(X))
    assert type(found) is type(xp.asarray(X)), type(found)
    assert np.abs(np.asarray(found) - wanted).max() < 1e-4
found = CARFAC(8000, erb_per_step=3.0).fit_transform(xp.asarray(X))
assert type(found) is type(xp.asarray(X)), "without dispatch, too"
assert type(pipeline[:1].fit_transform(X)) is np.ndarray
print("well")
""")
        == "well\n"
    )


@dispatched
def test_a_pipeline_stays_on_the_device_of_X():
    assert (
        run("""
with sklearn.config_context(array_api_dispatch=True):
    front = make_pipeline(AuditorySpectrogram(pooling=None), TemporalPooling("mean"), StandardScaler())
    found = front.fit_transform(there)
    assert found.device == there.device
    host = make_pipeline(AuditorySpectrogram(), ToNumpy(), RidgeClassifier()).fit(there, y)
    assert host.score(there, y) == 1
print("well")
""")
        == "well\n"
    )


@dispatched
def test_a_transformer_of_frames_keeps_scikit_learns_rules_for_the_array_api():
    assert (
        run("""
from sklearn.utils.estimator_checks import check_array_api_input_and_values
for kind in ("array_api_strict", "torch"):
    try:
        check_array_api_input_and_values("TemporalPooling", TemporalPooling(("mean", "max")), kind)
    except BaseException as error:
        assert "is not installed" in str(error), error
print("well")
""")
        == "well\n"
    )


@dispatched
def test_a_search_in_one_process_runs_where_X_lies_and_one_in_several_says_what_to_do():
    told = run("""
from sklearn.base import BaseEstimator, ClassifierMixin

class Split(BaseEstimator):  # scikit-learn's own folds index by NumPy, which array-api-strict refuses
    def split(self, X, y=None, groups=None):
        yield strict.arange(8, device=there.device), strict.arange(8, device=there.device)
    def get_n_splits(self, *_, **__):
        return 1

model = make_pipeline(AuditorySpectrogram(), ToNumpy(), RidgeClassifier())
grid = {"auditoryspectrogram__compression": [1.0, 0.5]}
for n_jobs in (1, 2):
    with sklearn.config_context(array_api_dispatch=True):
        try:
            labels = strict.asarray(y, device=there.device)
            how = dict(cv=Split(), n_jobs=n_jobs, error_score="raise", scoring=lambda model, X, y: 1.0)
            GridSearchCV(model, grid, **how).fit(there, labels)
            print(n_jobs, "well")
        except RuntimeError as error:
            print(n_jobs, error)
""")
    assert "1 well" in told
    assert "2 X is of array_api_strict on device1 in a worker process" in told
    assert "set n_jobs=1" in told
