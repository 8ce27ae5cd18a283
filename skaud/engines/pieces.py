"""Pieces of arrays of any library: joined, cut to a length, as rows, kept for what comes later."""

from collections.abc import Iterable
from itertools import chain

import numpy as np

from skaud.kernels.array_api import Array, array_namespace, is_foreign, zeros


def join(pieces: list[Array], axis: int = -1) -> Array:
    """Pieces one after the other, in time where nothing else is said."""
    some = [piece for piece in pieces if piece.shape[axis]] or pieces[:1]
    return some[0] if len(some) == 1 else array_namespace(some[0]).concat(some, axis=axis)


def side_by_side(pieces: Iterable[Array], n: int) -> Array:
    """Pieces (n_rows, some of n, ...) as they come, one beside the other; NumPy's are not held twice."""
    pieces = iter(pieces)
    first = next(pieces)
    if not isinstance(first, np.ndarray) or first.shape[1] == n:
        return join([first, *pieces], 1)
    whole, begin = np.empty((first.shape[0], n, *first.shape[2:]), first.dtype), 0
    for own in chain([first], pieces):
        whole[:, begin : begin + own.shape[1]] = own
        begin += own.shape[1]
    return whole


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
