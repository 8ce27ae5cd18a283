"""Functions of one value as scalar steps; what their adjoints need stands below each."""

from math import factorial, log

import numpy as np

from skaud.kernels._compile import binary_parts, step
from skaud.kernels.one_pole import ONE, TWO, ZERO

LOWEST = np.float32(-40)  # exp(-40) is below the rounding of float64
THIRTY_SECOND = np.float32(1 / 32)
HALF = np.float32(0.5)
TAYLOR = tuple(1 / factorial(n) for n in range(10, -1, -1))  # of exp, the highest power first
ABOVE_1 = np.float32(1.4142135)  # of mantissas from there on half is as near to 1
ATANH = (*(1 / (2 * n + 1) for n in range(10, -1, -1)), log(2.0))  # of atanh(s) / s by s^2, the highest power first


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
def logarithm(x, atanh):
    """Natural logarithm of a positive real number, to 1e-15 of it or of 1; infinity and NaN give NaN.

    atanh is `ATANH` in its dtype: log m = 2 atanh((m - 1) / (m + 1)).
    """
    mantissa, exponent = binary_parts(x)
    is_above = mantissa > ABOVE_1
    mantissa = mantissa * HALF if is_above else mantissa
    exponent = exponent + ONE if is_above else exponent
    s = (mantissa - ONE) / (mantissa + ONE)
    z = s * s
    # Written out, as the exponential is.
    series = ((z * atanh[0] + atanh[1]) * z + atanh[2]) * z + atanh[3]
    series = ((series * z + atanh[4]) * z + atanh[5]) * z + atanh[6]
    series = (((series * z + atanh[7]) * z + atanh[8]) * z + atanh[9]) * z + atanh[10]
    return exponent * atanh[11] + TWO * s * series + ZERO * x
