"""Ways through the steps of a pipeline: unions, of rows and of frames."""

import numpy as np
import pytest
from audio_checks import error
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, Pipeline

from skaud import (
    CepstralCoefficients,
    CorticalSTRF,
    Deltas,
    FeaturePipeline,
    GammatoneFilterbank,
    LogCompression,
    TemporalPooling,
)
from skaud.recipes.steps import fit_through, go_through

RANDOM = np.random.default_rng(0)
BANK = GammatoneFilterbank(8000, low_hz=500, frame_length=0.005, pooling=None, dtype="float64")
CLIPS = [0.02 * RANDOM.standard_normal(n) for n in (900, 1200)]
FRAMES = 1 + RANDOM.random((2, 6, 20))


def frames_side_by_side(**options):
    deltas = Pipeline([("cepstra", CepstralCoefficients(2)), ("deltas", Deltas(1))])
    return FeatureUnion([("log", LogCompression()), ("deltas", deltas), ("as they are", "passthrough")], **options)


def rows_side_by_side(**options):
    return FeatureUnion([("mean", TemporalPooling("mean")), ("course", TemporalPooling({"std": 3}))], **options)


UNIONS = pytest.mark.parametrize("make", [frames_side_by_side, rows_side_by_side], ids=["frames", "rows"])


@pytest.mark.parametrize("options", [{}, {"transformer_weights": {"mean": -1.5}}, {"n_jobs": 2}], ids=str)
def test_a_union_of_rows_is_what_scikit_learn_makes_of_it(options):
    union = rows_side_by_side(**options)
    found = fit_through(union, FRAMES)
    np.testing.assert_array_equal(found, union.transform(FRAMES))
    np.testing.assert_array_equal(found, go_through(union, FRAMES))
    assert len(union.get_feature_names_out()) == found.shape[1]


@pytest.mark.parametrize("options", [{}, {"transformer_weights": {"log": 2.5}}, {"n_jobs": 2}], ids=str)
def test_a_union_of_frames_has_the_channels_of_its_branches_of_an_array_and_of_each_clip(options):
    union = frames_side_by_side(**options)
    weight = 2.5 if "transformer_weights" in options else 1.0
    found = fit_through(union, FRAMES)
    deltas = clone(union.transformer_list[1][1])
    wanted = [weight * LogCompression().fit_transform(FRAMES), deltas.fit_transform(FRAMES), FRAMES]
    np.testing.assert_array_equal(found, np.concatenate(wanted, axis=1))
    np.testing.assert_array_equal(go_through(union, FRAMES), found)
    names = union.get_feature_names_out([f"hz{c}" for c in range(6)])
    assert len(names) == found.shape[1]
    assert names[-1] == "as they are__hz5"
    clips = [FRAMES[0], FRAMES[1, :, :13]]
    for own, clip in zip(go_through(union, clips), clips, strict=True):
        np.testing.assert_array_equal(own, go_through(union, clip[np.newaxis])[0])


def test_a_union_of_frames_may_stand_within_a_branch_and_be_fitted_again():
    inner = Pipeline(
        [("both", frames_side_by_side()), ("cepstra", CepstralCoefficients(2)), ("pool", TemporalPooling())]
    )
    features = FeaturePipeline([("bank", clone(BANK)), ("outer", FeatureUnion([("inner", inner)]))])
    found = features.fit_transform(CLIPS)
    assert found.shape == (2, 4)
    assert features.get_feature_names_out()[0] == "inner__channels_cepstrum0_mean"
    np.testing.assert_array_equal(clone(features).fit(CLIPS).fit_transform(CLIPS), found)


def test_weights_of_branches_that_are_not_there_are_refused():
    union = rows_side_by_side(transformer_weights={"median": 2})
    with error(ValueError, "median"):
        FeaturePipeline([("bank", clone(BANK)), ("both", union)]).fit(CLIPS)


@UNIONS
@pytest.mark.parametrize("sound", [CLIPS, np.stack([clip[:900] for clip in CLIPS])], ids=["list", "array"])
def test_gradients_go_through_unions_and_their_weights(make, sound):
    union = make(transformer_weights={make().transformer_list[0][0]: 2.5})
    features = FeaturePipeline([("bank", clone(BANK)), ("both", union)]).fit(sound)
    value, pullback = features.vjp(sound)
    wanted = features.transform(sound)
    bar = [RANDOM.standard_normal(own.shape) for own in value]
    direction = [1e-3 * RANDOM.standard_normal(x.shape) for x in sound]
    if not isinstance(value, list):
        bar = np.stack(bar)
    grads = pullback(bar)
    ahead, behind = (features.transform([x + h * d for x, d in zip(sound, direction)]) for h in (1e-4, -1e-4))
    forward = sum(np.vdot(b, (hi - lo) / 2e-4) for b, hi, lo in zip(bar, ahead, behind))
    assert forward == pytest.approx(sum(np.vdot(own, d) for own, d in zip(grads["X"], direction)), rel=1e-5)
    for own, other in zip(value, wanted, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12)


@pytest.mark.parametrize(
    "branches",
    [
        [("frames", LogCompression()), ("rows", TemporalPooling())],
        [("frames", LogCompression()), ("filters", CorticalSTRF(8, response="magnitude"))],
    ],
    ids=["rows beside frames", "filters beside channels"],
)
def test_what_cannot_stand_side_by_side_is_named(branches):
    features = FeaturePipeline([("bank", clone(BANK)), ("both", FeatureUnion(branches))])
    with error(ValueError, f"branches 'frames', '{branches[1][0]}'", "TemporalPooling"):
        features.fit(CLIPS)


def test_channels_of_several_ears_do_not_stand_side_by_side():
    ears = 0.02 * RANDOM.standard_normal((2, 2, 900))
    features = FeaturePipeline([("bank", clone(BANK)), ("both", frames_side_by_side())])
    with error(ValueError, "'log', 'deltas', 'as they are'", "without axes of ears or filters"):
        features.fit(ears)
