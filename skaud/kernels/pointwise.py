"""Functions of one value as scalar steps; what their adjoints need stands below each."""

from math import factorial, log
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from skaud.kernels._compile import binary_parts, polynomial, step, times_two_to
from skaud.kernels.one_pole import ONE, TWO, ZERO

LOWEST = np.float32(-40)  # exp(-40) is below the rounding of float64
THIRTY_SECOND = np.float32(1 / 32)
HALF = np.float32(0.5)
TAYLOR = tuple(1 / factorial(n) for n in range(10, -1, -1))  # of exp, the highest power first
ABOVE_1 = np.float32(1.4142135)  # of mantissas from there on half is as near to 1
LOG_2_REST = 2.3190468138462996e-17  # log(2) beyond float64


class Series(NamedTuple):
    """What logarithms and powers of real numbers in one dtype are summed up from, as `series` gives it."""

    two_high: np.floating  # log(2) in few digits, and the rest
    two_low: np.floating
    per_two: np.floating  # 1 / log(2)
    rounding: np.floating  # so large that only whole numbers can be added to it
    lowest: np.floating  # whose exponential is a normal number
    highest: np.floating  # whose exponential does not overflow as it is computed, within a factor of 1.42
    infinite: np.floating
    smallest: np.floating  # normal number
    atanh: tuple  # of atanh(s) / s by s^2, the highest power first
    exp: tuple  # the highest power first


def series(dtype: DTypeLike) -> Series:
    """As many terms as float32 or float64 have digits for."""
    info = np.finfo(np.dtype(dtype))
    of = info.dtype.type
    n_atanh, n_exp, n_high = (5, 8, 9) if info.bits == 32 else (11, 14, 32)
    high = round(log(2) * 2**n_high) / 2**n_high
    return Series(
        two_high=of(high),
        two_low=of(log(2) - high + LOG_2_REST),
        per_two=of(1 / log(2)),
        rounding=of(1.5 * 2.0**info.nmant),
        lowest=of(info.minexp * log(2)),
        highest=of((info.maxexp - 0.501) * log(2)),
        infinite=of(np.inf),
        smallest=info.smallest_normal,
        atanh=tuple(of(1 / (2 * n + 1)) for n in range(n_atanh - 1, -1, -1)),
        exp=tuple(of(1 / factorial(n)) for n in range(n_exp - 1, -1, -1)),
    )


@step
def real_part(x):
    """What comparisons look at, of a number that may take a complex step.

    On a GPU, where all numbers are real, the number itself: not every compiler knows the real part of one.
    """
    return x.real


@step
def quotient(x, divisor):
    """Quotient by a divisor that is far from 0 and from overflow, as most are.

    On a GPU single precision takes a quarter of the instructions for it that it takes for a division.
    """
    return x / divisor


@step
def rectify_step(x):
    """The larger of 0 and x, also for complex numbers with a small imaginary part; NaN stays NaN."""
    return x - x if real_part(x) <= ZERO else x


@step
def rectify_step_adjoint(y_bar, x):
    """Adjoint of rectify_step; the derivative at 0 is 0."""
    # y = x - x if x <= ZERO else x
    return y_bar - y_bar if real_part(x) <= ZERO else y_bar


@step
def exponential(x, taylor):
    """Exponential, exp(x / 32)^32, of x up to 2, to 1e-12 of 1, real or complex; taylor is `TAYLOR` in its dtype.

    Its derivative is itself, to the same exactness.
    """
    x = x if real_part(x) > LOWEST else LOWEST + ZERO * x
    y = x * THIRTY_SECOND
    # Written out: LLVM vectorises the loop around it only when it sees no loop and no table here.
    e = ((y * taylor[0] + taylor[1]) * y + taylor[2]) * y + taylor[3]
    e = (((e * y + taylor[4]) * y + taylor[5]) * y + taylor[6]) * y + taylor[7]
    e = ((e * y + taylor[8]) * y + taylor[9]) * y + taylor[10]
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@step
def logarithm(x, of):
    """Natural logarithm of a positive real number, to the last digits of it or of 1; infinity and NaN give NaN.

    of : `Series` in its dtype; log m = 2 atanh((m - 1) / (m + 1)).
    """
    mantissa, exponent = binary_parts(x)
    is_above = mantissa > ABOVE_1
    mantissa = mantissa * HALF if is_above else mantissa
    exponent = exponent + ONE if is_above else exponent
    s = (mantissa - ONE) / (mantissa + ONE)
    tail = TWO * s * polynomial(s * s, of.atanh) + exponent * of.two_low
    return exponent * of.two_high + tail + ZERO * x


@step
def exponential_of_any(x, of):
    """Exponential of a real number, to the last digits, but never below the smallest normal number; NaN stays NaN.

    of : `Series` in its dtype; exp(x) = 2^k exp(x - k log 2).
    """
    within = x if x > of.lowest else of.lowest
    within = within if within < of.highest else of.highest
    k = (within * of.per_two + of.rounding) - of.rounding
    rest = (within - k * of.two_high) - k * of.two_low
    y = times_two_to(polynomial(rest, of.exp), k) + ZERO * x
    return of.infinite if x > of.highest else y
