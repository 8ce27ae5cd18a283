"""Leaky integration, y[t] = decay y[t-1] + x[t], kept once a period; array-API code, on a CPU with a kernel.

Within a period it is a weighted sum, from period to period a recursion.
"""

import numpy as np

from skaud.kernels._compile import kernel
from skaud.kernels.array_api import Array, array_namespace, constant, is_foreign

SMALLEST = 1e-300  # what is left of a factor that no sum would notice


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
    """Recursion y[k] = factor y[k-1] + sums[k], after `before`; over the last axis, of one period at least.

    On a device, where every step would be a launch, the sums over 2, 4, 8 periods, and so on.
    """
    if is_foreign(sums):
        return _leak_by_doubling(sums, factor, before)
    rows = np.ascontiguousarray(sums).reshape(-1, sums.shape[-1])
    y = np.empty(rows.shape, rows.dtype)
    leak_rows(rows, rows.dtype.type(factor), np.ascontiguousarray(before, rows.dtype).reshape(-1), y)
    return y.reshape(sums.shape)


@kernel
def leak_rows(sums, factor, before, y):
    """Write what the recursion makes of rows (n, n_periods) of sums, after `before` (n,)."""
    for row in range(len(sums)):
        level = before[row]
        for k in range(sums.shape[1]):
            level = factor * level + sums[row, k]
            y[row, k] = level


def _leak_by_doubling(sums: Array, factor: complex, before: Array) -> Array:
    xp, reach = array_namespace(sums), 1
    y = xp.concat([sums[..., :1] + factor * before[..., None], sums[..., 1:]], axis=-1)
    while reach < sums.shape[-1] and abs(factor) ** reach > SMALLEST:
        y = xp.concat([y[..., :reach], y[..., reach:] + factor**reach * y[..., :-reach]], axis=-1)
        reach *= 2
    return y


def leak_adjoint(y_bar: Array, factor: complex) -> Array:
    """Adjoint of `leak` for sums."""
    xp = array_namespace(y_bar)
    # y[k] = factor * y[k-1] + sums[k]
    return xp.flip(leak(xp.flip(y_bar, axis=-1), factor, 0 * y_bar[..., 0]), axis=-1)


def factor_adjoint(sums_bar: Array, y: Array, before: Array) -> Array:
    """Adjoint of `leak` for its factor, row by row; y is what it returned."""
    xp = array_namespace(y)
    # y[k] = factor * y[k-1] + sums[k]
    previous = xp.concat([before[..., None], y[..., :-1]], axis=-1)
    return xp.sum(sums_bar * previous, axis=tuple(range(1, y.ndim)))
