"""What numbers may be: how large a design may become, before it takes memory or time; numbers of any size; none."""

from math import nan
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

MOST_CHANNELS = 10_000  # a hundred times those of the published models
MOST_STRFS = 10_000
MOST_FILTERS = 256  # of modulation, a channel
MOST_OCTAVES = 40  # of modulation filters: the published ones are 6
MOST_SEGMENTS = 100_000  # of a signal, over which frames are pooled
SLOWEST_UPDATE = 1_000_000  # samples from one update of a gain control to the next, half a minute
LONGEST_FRAME = 1 << 40  # samples, months
LONGEST_LAG = 20_000  # samples: 0.9 s at 22.05 kHz
LONGEST_WINDOW = 100_000  # samples of a window of triggers
MOST_PITCHES = 10_000
LONGEST_PERIOD = 1_000_000  # samples from one frame of a leaky integration to the next
_LARGEST = float(np.finfo(np.float64).max)
_MOST = 1 << 53  # what is counted: float64 knows whole numbers up to here


def check_size(name: str, value: object, size: float, most: float, of: str, remedy: str) -> None:
    """Refuse a parameter that asks for more than `most` of something."""
    if not size <= most:  # also a NaN
        given = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:80]}..."
        raise ValueError(f"{name}={given} asks for {size:.4g} {of}, and {most:.4g} are the most; {remedy}.")


def as_numbers(values: ArrayLike) -> np.ndarray:
    """Float64 array, also of whole numbers beyond 64 bits; complex128 where a complex step asks for a derivative."""
    array = np.asarray(values)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def real(value: object) -> float:
    """A real number, also an array's without axes, as a float; NaN where it is none: a text, a list, True."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if getattr(value, "ndim", None) == 0:  # of any library
        is_number = any(kind in str(getattr(value, "dtype", "")) for kind in ("int", "float"))
    try:
        return float(value) if is_number else nan  # type: ignore[arg-type]
    except OverflowError:
        return nan


def plain_number(value: Any) -> Any:
    """A number of NumPy, a fraction, or an array without axes as Python's own; all else as it is.

    A number of NumPy would bring its precision, or its range, into all that is computed with it.
    """
    if type(value) in (int, float, bool):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iuf":
        value = value[()]
    if isinstance(value, Integral):
        return int(value)
    return real(value) if isinstance(value, Real) else value


def check_number(name: str, value: object, meant: str, lowest: float = -_LARGEST, highest: float = _LARGEST) -> float:
    """Number from lowest to highest; an error that says what is meant otherwise."""
    number = real(value)
    if not lowest <= number <= highest:
        raise ValueError(f"{name}={value!r:.80} must be {meant}.")
    return number


def check_count(name: str, value: object, fewest: int, remedy: str = "ask for one or more") -> int:
    """Whole number of at least fewest."""
    number = check_number(name, value, f"a whole number of at least {fewest}; {remedy}", fewest, _MOST)
    if number % 1:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {fewest}; round it.")
    return int(number)


def check_numbers(name: str, values: object) -> np.ndarray:
    """Array of real numbers in float64, also of whole ones beyond 64 bits; an error where it holds anything else."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, and every number counts; pass one without a mask.")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":  # such as whole numbers beyond 64 bits
            others = [own for own in array.flat if not isinstance(own, Real) or isinstance(own, bool)]
        elif array.dtype.kind in "iuf":  # True among numbers would be 1
            entries = np.asarray(values, dtype=object).flat if isinstance(values, (list, tuple)) else ()
            others = [own for own in entries if isinstance(own, (bool, np.bool_))]
        else:
            others = array.ravel()[:1].tolist()
        numbers = array if others else array.astype(np.float64)
    except (ValueError, OverflowError) as error:  # rows of different lengths, or a number beyond float64
        raise ValueError(f"{name}={values!r:.80} is not an array of numbers ({error}); pass those alone.") from error
    if others:
        kind = type(others[0]).__name__
        raise ValueError(
            f"{name}={values!r:.80} must hold real numbers, and has {others[0]!r:.80}, {kind}; pass those."
        )
    return numbers
