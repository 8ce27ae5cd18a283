"""Pieces of arrays of any library: joined, cut to a length, as rows, kept for what comes later."""

import numpy as np

from skaud.kernels.array_api import Array, array_namespace, is_foreign, zeros


def join(pieces: list[Array], axis: int = -1) -> Array:
    """Pieces one after the other, in time where nothing else is said."""
    some = [piece for piece in pieces if piece.shape[axis]] or pieces[:1]
    return some[0] if len(some) == 1 else array_namespace(some[0]).concat(some, axis=axis)


def fit_length(x: Array, n: int) -> Array:
    """The first n samples of x, with zeros behind its own."""
    if x.shape[-1] >= n:
        return x[..., :n]
    return join([x, zeros((*x.shape[:-1], n - x.shape[-1]), x)])


def piece(x: Array, begin: int, end: int) -> Array:
    """Part of x, with silence where it ends before."""
    return fit_length(x[..., begin : min(end, x.shape[-1])], end - begin)


def rows_of(x: Array, dtype: str) -> Array:
    """Clips (n_signals, n_ears, ...) as rows (n_signals * n_ears, ...), NumPy's contiguous and in a dtype."""
    rows = x if is_foreign(x) else np.ascontiguousarray(x, dtype)
    return array_namespace(x).reshape(rows, (x.shape[0] * x.shape[1], *x.shape[2:]))


def own_copy(x: Array) -> Array:
    """Part of an array without the rest of it; only NumPy's are ever changed, or seen as views."""
    return x.copy() if isinstance(x, np.ndarray) else x
