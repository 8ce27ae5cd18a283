"""Adaptation loops: time constants, limit and floor.

Sources: T. Dau et al. (1996), JASA 99:3615 (loops); A. Osses, A. Kohlrausch (2021), JASA 149:3534 (limit 5).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skaud.design.limits import as_numbers

FULL_SCALE_DB_SPL = 100.0  # of an input of 1 to the loops, which leaves them at 100 model units
TIME_CONSTANTS_S = (0.005, 0.050, 0.129, 0.253, 0.500)


class AdaptationCoefficients(NamedTuple):
    """Coefficients of the loops; arrays are (n_loops,)."""

    smoothing: np.ndarray  # 1 - exp(-1 / (tau fs)): share of its input that a loop's divisor takes up in a sample
    start: np.ndarray  # divisors after a long silence at the floor
    range: np.ndarray  # M: by how much a loop's output may exceed 1; 0 without a limit
    floor: float  # smallest input
    gain: float  # from samples of X to inputs of which 1 stands for 100 dB SPL
    offset: float  # model units: (out - offset) * scale is 0 at the floor and 100 at an input of 1
    scale: float


def design_adaptation(
    sample_rate: float,
    time_constants_s: ArrayLike,
    limit: float | None,
    minimum_level_db: float,
    rms_one_db_spl: float = FULL_SCALE_DB_SPL,
) -> AdaptationCoefficients:
    """Loops for a floor of minimum_level_db, and samples of which an RMS of 1.0 stands for rms_one_db_spl.

    The parameters may take a complex step.
    """
    time_constants = as_numbers(time_constants_s)
    floor = 10 ** ((minimum_level_db - FULL_SCALE_DB_SPL) / 20)
    start = floor**0.5 ** np.arange(1, len(time_constants) + 1)  # each divisor the root of the one before
    excess = (1 - start**2) * limit - 1 if limit is not None and is_limited(limit) else np.zeros(len(start))
    if limit is not None and is_limited(limit) and (np.real(excess) <= 0).any():
        raise ValueError(
            f"adaptation_limit={limit} must exceed {lowest_limit(len(start), floor):.3g} with {len(start)} loops and "
            f"minimum_level_db={minimum_level_db}; raise it, or pass None for no limit."
        )
    return AdaptationCoefficients(
        smoothing=-np.expm1(-1 / (time_constants * sample_rate)),
        start=start,
        range=excess,
        floor=floor,
        gain=10 ** ((rms_one_db_spl - FULL_SCALE_DB_SPL) / 20),
        offset=start[-1],
        scale=100 / (1 - start[-1]),
    )


def is_limited(limit: float | None) -> bool:
    """Whether this limit is one: None, infinity, 0 and 1 stand for none."""
    return limit is not None and 1 < np.real(limit) < np.inf


def lowest_limit(n_loops: int, floor: float) -> float:
    """Limit below which a loop's output could not exceed 1."""
    return float(1 / (1 - floor ** (2 * 0.5**n_loops)))
