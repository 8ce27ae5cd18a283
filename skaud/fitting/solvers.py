"""Minimisers: L-BFGS-B over all signals, and Adam over batches of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning

from skaud._warnings import warn_caller

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
Watch = Callable[[np.ndarray, float], bool]  # is told of every iteration; True stops

FIRST_STEP = 0.02  # of L-BFGS-B, where the range of a parameter is 1
TINY = 1e-100
ROUNDING = 0.01  # of the gradient at the start

# Of Adam (Kingma & Ba 2015).
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Solution(NamedTuple):
    """Where a solver ended."""

    x: np.ndarray
    n_iter: int
    loss_curve: list[float]
    gradient_norm: float
    converged: bool
    reason: str


def minimize_lbfgs(
    objective: Objective,
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    *,
    max_iter: int,
    tol: float,
    watch: Watch | None = None,
) -> Solution:
    """L-BFGS-B; the loss never rises from one iteration to the next.

    It ends where an iteration lowers the loss by no more than tol max(1, loss), or where no entry of the projected
    gradient exceeds tol.
    """
    first_loss, first_gradient = objective(start)
    first_norm = _projected_norm(start, first_gradient, bounds)
    # SciPy's first step is as long as the gradient, or 1; scaled, it is FIRST_STEP long in any case.
    scale = 1 / (FIRST_STEP * max(float(np.linalg.norm(_projected(start, first_gradient, bounds))), TINY))
    curve, last = [float(first_loss)], (float(first_loss), first_gradient)
    z_start = start / FIRST_STEP
    reason = "" if first_norm > tol else "the gradient is 0"

    def scaled(z: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal last
        # SciPy asks first for what is known already.
        known = np.array_equal(z, z_start)
        last = (first_loss, first_gradient) if known else objective(np.clip(z * FIRST_STEP, *bounds))
        return last[0] * scale, last[1] * (scale * FIRST_STEP)

    def after(intermediate_result: optimize.OptimizeResult) -> None:
        nonlocal reason
        x = np.clip(intermediate_result.x * FIRST_STEP, *bounds)
        curve.append(float(intermediate_result.fun / scale))
        if watch is not None and watch(x, curve[-1]):
            reason = "it was asked to stop"
        elif curve[-2] - curve[-1] <= tol * max(1.0, curve[-1]):
            reason = "the loss no longer falls"
        elif _projected_norm(x, last[1], bounds) <= tol:
            reason = "the gradient is 0"
        if reason:
            raise StopIteration

    if reason:
        return Solution(start, 0, curve, first_norm, True, reason)
    result = optimize.minimize(
        scaled,
        z_start,
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(bounds[0] / FIRST_STEP, bounds[1] / FIRST_STEP),
        callback=after,
        options={"maxiter": max_iter, "maxfun": 20 * max_iter + 20, "ftol": 0.0, "gtol": 0.0, "maxcor": 20},
    )
    x = np.clip(result.x * FIRST_STEP, *bounds)
    norm = _projected_norm(x, result.jac / (scale * FIRST_STEP), bounds)
    # Where no step lowers the loss any more, it has come down to its rounding.
    converged = bool(reason) or result.status == 0 or (result.status == 2 and norm <= ROUNDING * first_norm)
    return Solution(x, len(curve) - 1, curve, norm, converged, reason or str(result.message))


def minimize_adam(
    objective: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    *,
    n_samples: int,
    batch_size: int,
    learning_rate: float,
    max_iter: int,
    tol: float,
    n_iter_no_change: int,
    random_state: np.random.RandomState,
    watch: Watch | None = None,
) -> Solution:
    """Adam, kept within the bounds; an iteration passes over all samples once, in random batches.

    objective(x, indices) : loss of a batch and its gradient
    It ends after n_iter_no_change iterations whose loss is not tol below the best.
    """
    x, mean, square = start.copy(), np.zeros(start.size), np.zeros(start.size)
    curve: list[float] = []
    gradient = np.zeros(start.size)
    best, n_without, n_steps = np.inf, 0, 0
    for _ in range(max_iter):
        order, total = random_state.permutation(n_samples), 0.0
        summed = np.zeros(start.size)
        for begin in range(0, n_samples, batch_size):
            batch = np.sort(order[begin : begin + batch_size])
            loss, gradient = objective(x, batch)
            total += loss * len(batch)
            summed += gradient * len(batch)
            n_steps += 1
            mean = BETA1 * mean + (1 - BETA1) * gradient
            square = BETA2 * square + (1 - BETA2) * gradient**2
            rate = learning_rate * np.sqrt(1 - BETA2**n_steps) / (1 - BETA1**n_steps)
            with np.errstate(over="ignore", invalid="ignore"):
                x = np.clip(x - rate * mean / (np.sqrt(square) + EPSILON), *bounds)
            if not np.isfinite(x).all():
                raise ValueError(f"learning_rate={learning_rate} leads beyond all numbers; lower it, such as to 0.01.")
        curve.append(float(total / n_samples))
        gradient = summed / n_samples
        n_without = 0 if curve[-1] < best - tol else n_without + 1
        best = min(best, curve[-1])
        stopped = watch is not None and watch(x, curve[-1])
        if stopped or n_without >= n_iter_no_change:
            break
    norm = _projected_norm(x, gradient, bounds)
    converged = stopped or n_without >= n_iter_no_change
    return Solution(x, len(curve), curve, norm, converged, "the number of iterations reached max_iter")


def warn_unless_converged(name: str, solution: Solution) -> None:
    """ConvergenceWarning with a model's name, its iterations and the norm of its gradient."""
    if not solution.converged:
        warn_caller(
            f"{name} did not converge: after {solution.n_iter} iterations the largest entry of the "
            f"gradient is {solution.gradient_norm:.3g} ({solution.reason}). Raise max_iter, or tol.",
            ConvergenceWarning,
        )


def _projected(x: np.ndarray, gradient: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Gradient without what points out of the bounds."""
    return x - np.clip(x - gradient, *bounds)


def _projected_norm(x: np.ndarray, gradient: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.abs(_projected(x, gradient, bounds)).max(initial=0))
