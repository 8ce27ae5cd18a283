"""What a stage brings to a chain: what happens to a channel in a sample, backwards too, and how many rows that needs.

A row is one number of 16 channels side by side, the lanes; lane l of the row that begins at ROW is entry l + ROW.
"""

from collections.abc import Callable
from functools import cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skaud.kernels.lanes import LANES


def made_once(function: Callable) -> Callable:
    """Cache; mypy takes the class that a function is given for one without a hash."""
    return cache(function)


def rows(n: int) -> range:
    """Where so many rows begin."""
    return range(0, n * LANES, LANES)


class Kind:
    """What happens to a channel in a sample; never instantiated, so that it is pickled by its name.

    Attributes
    ----------
    n_coefficients, n_states : int
        Rows of a group of channels.
    keeps_states : bool
        Whether the adjoint must know the states.
    only_for_bars : bool
        Whether it must know them only for the bars of coefficients, as of what is linear.
    is_filter : bool
        Whether it is one of several filters of a channel, which end a chain.
    sample : callable
        ``sample(x, l, f, z, taylor)`` returns the output of lane l, and changes its states z.
    sample_adjoint : callable
        ``sample_adjoint(y_bar, x, y, l, r, wanted)`` returns the bar of x, and adds to those of the coefficients where
        they are wanted; that of a filter has no y. r is (f, f_bar, z_bar, u, taylor), of one group of channels in one
        sample, a plain tuple, since not every compiler for a GPU makes named ones: coefficients, their bars, added to,
        bars of the states, from those behind the sample to those before it, states before the sample, then those
        behind it, of kinds that keep them, and `TAYLOR` of the exponential in the dtype of the computation.
    """

    n_coefficients: ClassVar[int] = 0
    n_states: ClassVar[int] = 0
    keeps_states: ClassVar[bool] = False
    only_for_bars: ClassVar[bool] = False
    is_filter: ClassVar[bool] = False
    sample: Callable
    sample_adjoint: Callable


class Part(NamedTuple):
    """A kind with its coefficients, in float64: a link of a chain.

    stage : name of the response, that of the last part of this name
    coefficients : (n_times, n_channels or 1, n_coefficients); the channel goes through n_times times, or n_times
    filters, one after the other
    start : (n_times, n_channels or 1, n_states) at rest, None for zeros
    n_filters : how many of the filters each channel has
    """

    stage: str
    kind: type[Kind]
    coefficients: np.ndarray
    start: np.ndarray | None = None
    n_filters: tuple[int, ...] = ()


def table_of(*columns: ArrayLike) -> np.ndarray:
    """Coefficients of a part that are the same in all channels, of columns that are each a number, or one a time."""
    return np.stack([np.atleast_1d(column) for column in np.broadcast_arrays(*columns)], axis=-1)[:, np.newaxis]
