"""What Osses 2021 learns, and what is found again from its responses."""

import numpy as np
import pytest

from skaud import (
    AdaptationLoops,
    Dau1997,
    GammatoneFilterbank,
    HairCellEnvelope,
    HeadphoneFilter,
    Learn,
    ModulationFilterbank,
)
from skaud.fitting import fit_response
from skaud.testing.conformance.fits import few_channels, modulated_tones

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RATE = 16000
SOUNDS = modulated_tones(RATE)
NOISE = np.abs(np.random.default_rng(0).standard_normal((2, 3, 3000))) / 30
BAND = {"low_hz": 1000, "high_hz": 1300}  # 3 channels


@pytest.mark.parametrize(
    ("made", "given", "X", "names"),
    [
        (HeadphoneFilter(RATE, gains_db=np.linspace(-6, 6, 22)), HeadphoneFilter(RATE), SOUNDS, ("gains_db",)),
        (
            GammatoneFilterbank(RATE, **BAND, bandwidth_factor=1.5),
            GammatoneFilterbank(RATE, **BAND),
            SOUNDS,
            ("bandwidth_factor",),
        ),
        (HairCellEnvelope(RATE, hair_cell_corner_hz=1400.0), HairCellEnvelope(RATE), NOISE, ("hair_cell_corner_hz",)),
        (AdaptationLoops(RATE, adaptation_limit=8.0), AdaptationLoops(RATE), NOISE, ("adaptation_limit",)),
        (
            ModulationFilterbank(RATE, **BAND, modulation_q=2.1, envelope_attenuation=0.5),
            ModulationFilterbank(RATE, **BAND),
            NOISE,
            ("modulation_q", "envelope_attenuation"),
        ),
    ],
    ids=repr,
)
def test_stages_alone_are_found(made, given, X, names):
    target = made.fit(X).transform(X)
    found = fit_response(given, X, target, learn=names)
    np.testing.assert_allclose(found.transform(X), target, atol=0.01 * np.abs(target).max())
    if names != ("gains_db",):  # gains at frequencies that the sound lacks are not told
        for name in names:
            assert getattr(found, f"{name}_") == pytest.approx(getattr(made, name), rel=0.01)


def labelled_noise():
    X = np.random.default_rng(0).standard_normal((8, 3000)) / 50
    X[::2] *= 1 + np.sin(2 * np.pi * 20 * np.arange(3000) / RATE)
    return X, np.array(["modulated", "steady"] * 4)


def test_it_learns_from_labels():
    X, y = labelled_noise()
    model = few_channels(
        pooling=("mean", "std"), learn=Learn(("adaptation_limit", "modulation_q"), l2=0.1, max_iter=4)
    ).fit(X, y)
    assert (np.diff(model.loss_curve_) <= 0).all()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.adaptation_limit_ != 5.0
    assert model.adaptation_limit == 5.0


def test_all_that_the_model_does_is_done_with_what_was_learned():
    X, y = labelled_noise()
    names = ("middle_ear_gains_db", "bandwidth_factor", "adaptation_limit", "adaptation_time_constants_s")
    learned = few_channels(pooling="mean", learn=Learn(names, l2=0.1, max_iter=2)).fit(X, y)
    made = few_channels(pooling="mean", **{name: getattr(learned, f"{name}_") for name in names}).fit(X)
    given = few_channels(pooling="mean").fit(X)

    def all_of(model):
        value, pullback = model.vjp(X[:2], wrt="X")
        chunk, _ = model.transform_chunk(X[:1, :500], model.initial_state(1))
        return [value, pullback(np.ones_like(value))["X"], chunk, model.transform(X), *model.simulate(X[:1]).values()]

    for found, wanted in zip(all_of(learned), all_of(made), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    assert not np.allclose(learned.transform(X), given.transform(X), rtol=1e-3)
    stage = learned.stages_.adaptation
    responses = learned.simulate(X[:1])
    np.testing.assert_array_equal(stage.transform(responses.hair_cell), responses.adaptation)


@pytest.mark.parametrize(
    ("model", "first_unknown"),
    [
        (few_channels(output="hair_cell", learn=("bandwidth_factor", "adaptation_limit")), "adaptation_limit"),
        (few_channels(output="headphone", learn="middle_ear_gains_db"), "middle_ear_gains_db"),
        (few_channels(adaptation_limit=None, learn="adaptation_limit"), "adaptation_limit"),
        (few_channels(middle_ear=None, learn="middle_ear_gains_db"), "middle_ear_gains_db"),
        (Dau1997(RATE, low_hz=400, high_hz=1500, learn="headphone_gains_db"), "headphone_gains_db"),
        (few_channels(learn="limit"), "limit"),
    ],
)
def test_what_the_output_does_not_depend_on_is_not_learned(model, first_unknown):
    X, y = labelled_noise()
    with pytest.raises(ValueError, match=rf"^learn=.* has '{first_unknown}'; .* can learn \("):
        model.set_params(pooling="mean").fit(X, y)


@pytest.mark.parametrize("random_state", [0, 1])
def test_limit_and_floor_are_learned_together(random_state):
    X, y = labelled_noise()
    model = Dau1997(
        RATE,
        low_hz=400,
        high_hz=1500,
        adaptation_limit=3.0,
        minimum_level_db=30,
        learn=Learn(
            ("adaptation_limit", "minimum_level_db"),
            solver="adam",
            learning_rate=1.0,  # steps from bound to bound
            batch_size=2,
            max_iter=12,
            random_state=random_state,
        ),
    ).fit(X / 10, y)
    assert np.isfinite(model.loss_curve_).all()
    assert (model.adaptation_limit_, model.minimum_level_db_) != (3.0, 30)
