"""A model whose parameters a solver moves."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.exceptions import NotFittedError

from skaud import CARFAC, Audiogram, Learn
from skaud.estimator.movable_model import MovableModel
from skaud.fitting.parameters import BoundedParameters

CLIPS = [0.02 * np.random.default_rng(n).standard_normal(n) for n in (300, 400, 350)]


def cochlea(**parameters):
    return CARFAC(8000, **{"erb_per_step": 1.0, "pooling": "mean", "dtype": "float64"} | parameters)


def test_the_estimator_stays_as_it_is_and_labels_are_not_asked_for():
    estimator = cochlea(learn=Learn("velocity_scale", max_iter=1))
    movable = estimator.movable(CLIPS)
    movable.move({"velocity_scale": 0.3})
    assert estimator.velocity_scale == 0.1
    with pytest.raises(NotFittedError):
        estimator.transform(CLIPS)
    np.testing.assert_array_equal(movable.vjp(())[0], cochlea(velocity_scale=0.3).fit_transform(CLIPS))


def test_what_may_be_moved_is_told_with_the_reason():
    movable = cochlea(open_loop=True).movable(CLIPS)
    assert "velocity_scale" in movable.known()
    assert "agc_stage_gain" not in movable.known()
    assert movable.why_not("agc_stage_gain") == "open_loop=True switches the AGC off"
    assert movable.why_not("velocity_scale") is None


def test_derivatives_are_those_where_the_parameters_are():
    movable = cochlea().movable(CLIPS)
    movable.move({"velocity_scale": 0.25, "v_offset": 0.1})
    value, pullback = movable.vjp(("velocity_scale",))
    gradient = pullback(value)["velocity_scale"]
    ends = []
    for step in (1e-5, -1e-5):
        movable.move({"velocity_scale": 0.25 + step, "v_offset": 0.1})
        ends.append(np.sum(movable.vjp(())[0] ** 2) / 2)
    assert gradient == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_some_clips_respond_as_among_all():
    movable = cochlea().movable(CLIPS)
    np.testing.assert_array_equal(movable.vjp((), some=[2, 0])[0], movable.vjp(())[0][[2, 0]])


def test_what_was_settled_is_shown_and_fitted():
    movable = cochlea().movable(CLIPS)
    movable.move({"v_offset": 0.2})
    assert movable.settle({"velocity_scale": 0.3}) == {"velocity_scale_": 0.3}
    assert movable.model.velocity_scale_ == 0.3
    np.testing.assert_array_equal(movable.model.transform(CLIPS), cochlea(velocity_scale=0.3).fit_transform(CLIPS))


def test_what_is_settled_again_is_shown_anew():
    movable = cochlea(ihc_style="just_hwr").movable(CLIPS)
    movable.settle({"velocity_scale": 0.3, "ohc_health": 0.5})
    again = MovableModel(movable.model)
    assert again.settle({"velocity_scale": 0.2, "ohc_health": 0.7})["velocity_scale_"] == 0.2
    assert movable.model.velocity_scale_ == 0.2
    np.testing.assert_array_equal(movable.model.ohc_health_, 0.7)  # an entry a channel, which the design shows


def test_what_an_audiogram_tells_stays():
    loss = Audiogram([500, 1000], [5, 8])
    movable = cochlea(audiogram=loss).movable(CLIPS)
    fitted = cochlea(audiogram=loss).fit(CLIPS)
    np.testing.assert_array_equal(movable.fixed["ohc_health"], fitted.ohc_health_)
    movable.settle({"velocity_scale": 0.2})
    np.testing.assert_array_equal(movable.model.ohc_health_, fitted.ohc_health_)
    again = cochlea(audiogram=loss).movable(CLIPS, fixed=movable.fixed)
    np.testing.assert_array_equal(again.model.ohc_health_, fitted.ohc_health_)


def test_a_solver_of_ones_own_finds_what_was_changed():
    target = cochlea(velocity_scale=0.3).fit_transform(CLIPS)
    movable, scale = cochlea().movable(CLIPS), np.abs(target).mean()
    parameters = BoundedParameters(movable, ("velocity_scale",))

    def loss(u):
        movable.move(parameters.unpack(u))
        value, pullback = movable.vjp(parameters.names)
        error = (value - target) / scale
        return np.sum(error**2) / 2, parameters.pull_back(u, pullback(error / scale))

    bounds = list(zip(parameters.low, parameters.high))
    found = minimize(loss, parameters.start(), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14})
    assert movable.settle(parameters.unpack(found.x))["velocity_scale_"] == pytest.approx(0.3, rel=1e-3)
