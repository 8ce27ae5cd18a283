"""Minimisers: L-BFGS-B over all signals, and Adam over batches of them."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
Watch = Callable[[np.ndarray, float], bool]  # is told of every iteration; True stops

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

    It ends where an iteration lowers the loss by less than tol max(1, loss), or where no entry of the projected
    gradient exceeds tol.
    """
    loss, gradient = objective(start)
    curve = [loss]
    evaluations = {"start": (start.copy(), loss, gradient)}

    def remembered(x: np.ndarray) -> tuple[float, np.ndarray]:
        # SciPy asks first for what is known already.
        at, loss, gradient = evaluations["start"]
        return (loss, gradient.copy()) if np.array_equal(x, at) else objective(x)

    stopped = False

    def after(intermediate_result: optimize.OptimizeResult) -> None:
        nonlocal stopped
        curve.append(float(intermediate_result.fun))
        if watch is not None and watch(intermediate_result.x, curve[-1]):
            stopped = True
            raise StopIteration

    result = optimize.minimize(
        remembered,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(*bounds),
        callback=after,
        options={"maxiter": max_iter, "maxfun": 20 * max_iter + 20, "ftol": tol, "gtol": tol, "maxcor": 20},
    )
    norm = float(np.abs(_projected(result.x, result.jac, bounds)).max(initial=0))
    return Solution(result.x, len(curve) - 1, curve, norm, stopped or result.status == 0, str(result.message))


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
            x = np.clip(x - rate * mean / (np.sqrt(square) + EPSILON), *bounds)
        curve.append(total / n_samples)
        gradient = summed / n_samples
        n_without = 0 if curve[-1] < best - tol else n_without + 1
        best = min(best, curve[-1])
        stopped = watch is not None and watch(x, curve[-1])
        if stopped or n_without >= n_iter_no_change:
            break
    norm = float(np.abs(_projected(x, gradient, bounds)).max(initial=0))
    converged = stopped or n_without >= n_iter_no_change
    return Solution(x, len(curve), curve, norm, converged, "the number of iterations reached max_iter")


def warn_unless_converged(model: Any, solution: Solution, stacklevel: int = 3) -> None:
    """ConvergenceWarning with the model's name, its iterations and the norm of its gradient."""
    if not solution.converged:
        warnings.warn(
            f"{type(model).__name__} did not converge: after {solution.n_iter} iterations the largest entry of the "
            f"gradient is {solution.gradient_norm:.3g} ({solution.reason}). Raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )


def _projected(x: np.ndarray, gradient: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Gradient without what points out of the bounds."""
    return x - np.clip(x - gradient, *bounds)
