"""Leaky integration, y[t] = decay y[t-1] + x[t], kept once a period; array-API code.

The sum within a period is a product with its weights, and the recursion from period to period one with a triangular
matrix.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.linalg import toeplitz

from skaud.kernels.array_api import array_namespace, constant, zeros

# Side of the triangular matrix: products that BLAS does not spread over threads, which would wait for each other here.
FRAMES_AT_ONCE = 64


def integrate(x: Any, decay: float, period: int, y_before: Any = None) -> Any:
    """Integrate x; y at the last sample of every period.

    x : (..., n_frames * period); y_before : (...), the last y of the block before; returns (..., n_frames)
    """
    xp = array_namespace(x)
    sums = _weigh(x, decay ** np.arange(period - 1.0, -1, -1))
    pieces = []
    for begin in range(0, sums.shape[-1], FRAMES_AT_ONCE):
        piece = sums[..., begin : min(begin + FRAMES_AT_ONCE, sums.shape[-1])]
        recursion, memory = _recursion(piece.shape[-1], decay**period)
        y = piece @ constant(recursion, x)
        if y_before is not None:
            y = y + y_before[..., None] * constant(memory, x)
        y_before = y[..., -1]
        pieces.append(y)
    return xp.concat(pieces, axis=-1) if len(pieces) > 1 else pieces[0]


def integrate_adjoint(y_bar: Any, decay: float, period: int, y_before_bar: Any = None) -> tuple[Any, Any, Any]:
    """Adjoint of `integrate` for x, and for y_before; last come the bars of the periods' sums.

    y_before_bar : (...), what the next block returned for its y_before
    """
    xp = array_namespace(y_bar)
    pieces = []
    for begin in reversed(range(0, y_bar.shape[-1], FRAMES_AT_ONCE)):
        piece = y_bar[..., begin : min(begin + FRAMES_AT_ONCE, y_bar.shape[-1])]
        recursion, memory = _recursion(piece.shape[-1], decay**period)
        if y_before_bar is None:
            y_before_bar = zeros(tuple(piece.shape[:-1]), piece)
        # y_before = y[..., -1]
        piece = xp.concat([piece[..., :-1], (piece[..., -1] + y_before_bar)[..., None]], axis=-1)
        # y = sums @ recursion + y_before * memory
        pieces.append(piece @ constant(recursion.T, y_bar))
        y_before_bar = piece @ constant(memory, y_bar)
    sums_bar = xp.concat(pieces[::-1], axis=-1) if len(pieces) > 1 else pieces[0]
    # sums = weigh(x, weights)
    x_bar = sums_bar[..., None] * constant(decay ** np.arange(period - 1.0, -1, -1), y_bar)
    return xp.reshape(x_bar, (*x_bar.shape[:-2], -1)), y_before_bar, sums_bar


def decay_adjoint(sums_bar: Any, x: Any, y: Any, decay: float, period: int, y_before: Any = None) -> float:
    """Adjoint of `integrate` for decay; y is what it returned."""
    xp = array_namespace(x)
    if y_before is None:
        y_before = zeros(tuple(y.shape[:-1]), y)
    previous = xp.concat([y_before[..., None], y[..., :-1]], axis=-1)
    # sums = weigh(x, decay ** lag)
    lag = np.arange(period - 1.0, -1, -1)
    slope = _weigh(x, lag * decay ** np.maximum(lag - 1, 0))
    # y = decay ** period * previous + sums
    slope = slope + period * decay ** (period - 1) * previous
    return float(xp.sum(sums_bar * slope))


def _weigh(x: Any, weights: np.ndarray) -> Any:
    """Weighted sum of every period."""
    periods = array_namespace(x).reshape(x, (*x.shape[:-1], x.shape[-1] // len(weights), len(weights)))
    return periods @ constant(weights, x)


@lru_cache(maxsize=16)
def _recursion(n_frames: int, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """decay ** (column - row) on and above the diagonal, and decay ** (1, 2, ...)."""
    powers = decay ** np.arange(n_frames + 1.0)
    return np.triu(toeplitz(powers[:-1])), powers[1:]
