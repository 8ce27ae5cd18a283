"""Minimisers on functions whose minimum is known."""

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from skaud.fitting.solvers import minimize_adam, minimize_lbfgs

FREE = (np.full(4, -np.inf), np.full(4, np.inf))


def test_lbfgs_finds_the_minimum_and_never_rises():
    solution = minimize_lbfgs(lambda x: (rosen(x), rosen_der(x)), np.zeros(4), FREE, max_iter=200, tol=1e-12)
    np.testing.assert_allclose(solution.x, 1, atol=1e-4)
    assert solution.converged
    assert (np.diff(solution.loss_curve) <= 0).all()
    assert solution.gradient_norm < 1e-3


def test_bounds_hold_and_the_projected_gradient_is_0_at_them():
    bounds = (np.full(4, -1.0), np.full(4, 0.5))
    solution = minimize_lbfgs(lambda x: (((x - 1) ** 2).sum(), 2 * (x - 1)), np.zeros(4), bounds, max_iter=50, tol=1e-9)
    np.testing.assert_array_equal(solution.x, 0.5)
    assert solution.gradient_norm == 0


@pytest.mark.parametrize("stop", [1, 3])
def test_a_watcher_stops_it(stop):
    seen = []

    def watch(x, loss):
        seen.append(loss)
        return len(seen) == stop

    solution = minimize_lbfgs(lambda x: (rosen(x), rosen_der(x)), np.zeros(4), FREE, max_iter=9, tol=0, watch=watch)
    assert solution.n_iter == len(seen) == stop
    assert solution.converged


def test_lbfgs_that_runs_out_of_iterations_has_not_converged():
    solution = minimize_lbfgs(lambda x: (rosen(x), rosen_der(x)), np.zeros(4), FREE, max_iter=2, tol=0)
    assert not solution.converged
    assert solution.n_iter == 2


def test_adam_finds_the_mean_within_its_bounds():
    samples = np.random.default_rng(0).normal([0, 1, 2, 3], size=(100, 4))

    def objective(x, batch):
        differences = x - samples[batch]
        return (differences**2).sum(axis=1).mean(), 2 * differences.mean(axis=0)

    solution = minimize_adam(
        objective,
        np.zeros(4),
        (np.full(4, -np.inf), np.array([np.inf, np.inf, np.inf, 2.5])),
        n_samples=100,
        batch_size=30,
        learning_rate=0.02,
        max_iter=300,
        tol=1e-4,
        n_iter_no_change=5,
        random_state=np.random.RandomState(0),
    )
    np.testing.assert_allclose(solution.x, np.minimum(samples.mean(axis=0), 2.5), atol=0.1)
    assert solution.converged
    assert solution.n_iter < 300


def test_adam_names_a_learning_rate_that_leads_beyond_all_numbers():
    options = {"n_samples": 4, "batch_size": 2, "max_iter": 3, "tol": 0.0, "n_iter_no_change": 3}
    with pytest.raises(ValueError, match=r"learning_rate=1.7e\+308 leads beyond all numbers; lower it"):
        minimize_adam(
            lambda x, batch: ((x**2).sum(), 2 * x),
            np.ones(4),
            FREE,
            learning_rate=1.7e308,
            random_state=np.random.RandomState(0),
            **options,
        )
