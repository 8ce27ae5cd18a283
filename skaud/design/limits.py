"""How large a design may become: what asks for more is named before it takes memory or time; numbers of any size."""

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


def check_size(name: str, value: object, size: float, most: float, of: str, remedy: str) -> None:
    """Refuse a parameter that asks for more than `most` of something."""
    if not size <= most:  # also a NaN
        given = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:80]}..."
        raise ValueError(f"{name}={given} asks for {size:.4g} {of}, and {most:.4g} are the most; {remedy}.")


def as_numbers(values: ArrayLike) -> np.ndarray:
    """Float64 array, also of whole numbers beyond 64 bits; complex128 where a complex step asks for a derivative."""
    array = np.asarray(values)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
