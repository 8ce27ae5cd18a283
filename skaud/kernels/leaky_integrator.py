"""Leaky integration, y[t] = decay y[t-1] + x[t], kept once a period; array-API code.

Within a period it is a weighted sum, from period to period a recursion.
"""

import numpy as np

from skaud.kernels.array_api import Array, array_namespace, constant


def weights(decay: complex, period: int) -> np.ndarray:
    """What is left at the end of a period of each of its samples."""
    return decay ** np.arange(period - 1.0, -1, -1)


def weights_slope(decay: float, period: int) -> np.ndarray:
    """Derivative of `weights` by decay."""
    lag = np.arange(period - 1.0, -1, -1)
    return lag * decay ** np.maximum(lag - 1, 0)


def weigh(x: Array, weights: np.ndarray) -> Array:
    """Weighted sum of every period: (..., n_periods) of x (..., n_periods * period).

    Each by itself, and not in a product of a matrix, whose bits depend on how many there are.
    """
    xp = array_namespace(x)
    periods = xp.reshape(x, (*x.shape[:-1], x.shape[-1] // len(weights), len(weights)))
    if xp.isdtype(x.dtype, "complex floating"):
        periods = xp.conj(periods)  # vecdot takes the conjugate
    return xp.vecdot(periods, constant(weights, x))


def weigh_adjoint(sums_bar: Array, weights: np.ndarray) -> Array:
    """Adjoint of `weigh` for x."""
    x_bar = sums_bar[..., None] * constant(weights, sums_bar)
    return array_namespace(sums_bar).reshape(x_bar, (*x_bar.shape[:-2], -1))


def leak(sums: Array, factor: complex, before: Array) -> Array:
    """Recursion y[k] = factor y[k-1] + sums[k], after `before`; over the last axis, of one period at least."""
    y, ys = before, []
    for k in range(sums.shape[-1]):
        y = factor * y + sums[..., k]
        ys.append(y)
    return array_namespace(sums).stack(ys, axis=-1)


def leak_adjoint(y_bar: Array, factor: complex) -> Array:
    """Adjoint of `leak` for sums."""
    xp = array_namespace(y_bar)
    # y[k] = factor * y[k-1] + sums[k]
    return xp.flip(leak(xp.flip(y_bar, axis=-1), factor, 0 * y_bar[..., 0]), axis=-1)


def factor_adjoint(sums_bar: Array, y: Array, before: Array) -> float:
    """Adjoint of `leak` for its factor; y is what it returned."""
    xp = array_namespace(y)
    # y[k] = factor * y[k-1] + sums[k]
    previous = xp.concat([before[..., None], y[..., :-1]], axis=-1)
    return float(xp.sum(sums_bar * previous))
