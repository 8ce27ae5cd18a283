"""Warnings name the line of the user, whatever lies between."""

import warnings

import numpy as np
import pandas as pd
import pytest
from audio_checks import make_clips
from fuzz import ALL, FRAME_STEPS, sound_for
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline

import skaud
from skaud import CARFAC

WORDS = "ohc_health has values below 0"
MODEL = CARFAC(8000, ohc_health=-0.1, pooling="mean")


def pipeline(**options):
    return make_pipeline(MODEL, LogisticRegression(), **options)


WAYS = {
    "alone": lambda X, y, folder: MODEL.fit(X),
    "fit_transform": lambda X, y, folder: MODEL.fit_transform(X),
    "Pipeline": lambda X, y, folder: pipeline().fit(X, y),
    "Pipeline with memory": lambda X, y, folder: pipeline(memory=str(folder)).fit(X, y),
    "FeatureUnion": lambda X, y, folder: FeatureUnion([("ear", MODEL)]).fit(X),
    "ColumnTransformer": lambda X, y, folder: ColumnTransformer([("ear", MODEL, "sound")]).fit(
        pd.DataFrame({"sound": X})
    ),
    "cross_val_score": lambda X, y, folder: cross_val_score(pipeline(), X, y, cv=2, error_score="raise"),
    "GridSearchCV": lambda X, y, folder: GridSearchCV(pipeline(), {"logisticregression__C": [1.0]}, cv=2).fit(X, y),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_warning_points_at_the_line_that_called(way, tmp_path):
    X, y = make_clips((0.01,) * 4, sample_rate=8000), np.array([0, 1, 0, 1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        WAYS[way](X, y, tmp_path)
    own = [warning for warning in caught if WORDS in str(warning.message)]
    assert own
    assert {warning.filename for warning in own} == {__file__}


def warnings_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("name", ALL)
def test_integers_are_warned_of_once_a_call_to_fit_transform(name):
    model, x = getattr(skaud, name)(), (100 * sound_for(name)).astype("int16")
    for X in (x, [x[0]] * 2 if name != "ModulationFilterbank" else x):
        said = warnings_of(lambda: model.fit_transform(X))  # noqa: B023
        assert sum("int16" in words for words in said) == (name not in FRAME_STEPS)  # whose frames are no samples
    assert warnings_of(lambda: model.fit_transform(x)) == warnings_of(lambda: model.fit_transform(x))


def test_fit_and_transform_that_are_called_apart_both_warn():
    x = (100 * sound_for("CARFAC")).astype("int16")
    said = warnings_of(lambda: CARFAC().fit(x).transform(x))
    assert sum("int16" in words for words in said) == 2


def test_learning_warns_of_integers_once():
    x = (100 * sound_for("CARFAC")).astype("int16")
    model = CARFAC(learn=skaud.Learn("velocity_scale", max_iter=1, tol=1e30))
    for method in (model.fit, model.fit_transform):
        said = warnings_of(lambda: method([x[0], x[0, ::-1]], [0, 1]))  # noqa: B023
        assert sum("int16" in words for words in said) == 1
