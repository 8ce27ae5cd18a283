"""Recipes: what they give, and that all that holds for pipelines holds for them."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from skaud import Sound, datasets, recipes

NAMES = pytest.mark.parametrize("name", recipes.__all__)
VOWELS = datasets.make_vowels(2, n_takes=1, sample_rate=8000, random_state=0)
CLIPS, LABELS = VOWELS.clips[::3], VOWELS.target[::3]


@NAMES
def test_a_recipe_is_a_pipeline_whose_features_have_names_of_their_own_and_do_not_depend_on_company(name):
    features = getattr(recipes, name)(8000)
    assert isinstance(features, Pipeline)
    rows = features.fit_transform(CLIPS)
    names = features.get_feature_names_out()
    assert rows.shape == (len(CLIPS), len(names)) == (len(CLIPS), len(set(names)))
    assert np.isfinite(rows).all()
    assert (rows.std(axis=0) > 0).all()
    np.testing.assert_allclose(features.transform(CLIPS[2:3])[0], rows[2], rtol=1e-4, atol=1e-5)
    copied = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(copied.transform(CLIPS[:1]), features.transform(CLIPS[:1]))
    assert clone(features).get_params().keys() == features.get_params().keys()


@NAMES
def test_a_recipe_of_a_higher_rate_hears_higher_channels(name):
    sizes = [len(getattr(recipes, name)(rate).fit(CLIPS[:1]).get_feature_names_out()) for rate in (8000, 44100)]
    assert min(sizes) > 50


@pytest.mark.parametrize("name", ["strf_cepstra", "best"])
def test_a_grid_search_goes_over_the_model_and_the_filters(name):
    model = make_pipeline(getattr(recipes, name)(8000), LogisticRegression(max_iter=10))
    strf = next(p for p in model.get_params() if p.endswith("strf__n_strfs"))
    grid = {"featurepipeline__carfac__ohc_health": [0.5], strf: [8, 16]}
    X, y = [*CLIPS[:2], *CLIPS[:2]], [0, 1, 0, 1]
    assert len(GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y).cv_results_["params"]) == 2


def test_an_ear_of_a_recipe_is_that_ear_alone():
    x = np.stack([CLIPS[0].samples, CLIPS[0].samples[::-1]])
    together = recipes.modulation_cepstra(8000).fit([x], sample_rate=8000)
    alone = recipes.modulation_cepstra(8000).fit([x[1]], sample_rate=8000)
    names = list(together.get_feature_names_out())
    own = [i for i, name in enumerate(names) if "ear1_" in name]
    wanted = dict(zip(alone.get_feature_names_out(), alone.transform([x[1]], sample_rate=8000)[0]))
    found = together.transform([x], sample_rate=8000)[0, own]
    np.testing.assert_allclose(found, [wanted[names[i].replace("ear1_", "")] for i in own], rtol=1e-4, atol=1e-4)


def test_gradients_of_a_recipe_reach_the_sound_and_the_models_parameters():
    features = recipes.strf_cepstra(8000).fit(CLIPS[:1])
    x = [Sound(CLIPS[0].samples[:4000], features.sample_rate)]
    value, pullback = features.vjp(x)
    grads = pullback(np.ones_like(value))
    assert grads["X"][0].shape == x[0].samples.shape
    assert {"carfac__ohc_health", "strf__rates_hz", "compression__floor"} <= grads.keys()


def test_a_stream_of_a_recipe_gives_the_frames_before_pooling():
    x = np.asarray(CLIPS[0].samples[:4000], np.float32)[np.newaxis]
    features = recipes.carfac_cepstra(16000).fit(x)
    state, chunks = features.initial_state(), []
    for chunk in np.split(x, [1000, 1600], axis=1):
        frames, state = features.transform_chunk(chunk, state)
        chunks.append(frames)
    model, union = features.named_steps["carfac"], features.named_steps["features"]
    wanted = [branch[:-1].transform(model.transform(x)) for _, branch in union.transformer_list]
    for found, own in zip(zip(*chunks), wanted):
        np.testing.assert_allclose(np.concatenate(found, axis=-1), own, rtol=1e-4, atol=1e-5)
