"""Adaptation loops: each divides its input by its own smoothed output.

Symbols are those of T. Dau et al. (1996), JASA 99:3615.
"""

from skaud.kernels._compile import loop, step
from skaud.kernels.chain.kind import Kind, rows
from skaud.kernels.one_pole import ONE, TINY, ZERO, smoothing_step, smoothing_step_adjoint
from skaud.kernels.pointwise import HALF, exponential, quotient, real_part

SMOOTHING, EXCESS, SLOPE = rows(3)  # EXCESS is M by which the output may exceed 1, SLOPE -2 / M
OFFSET, SCALE, FLOOR = rows(3)


@step
def floor_step(x, floor):
    """The larger of floor and x; NaN stays NaN."""
    return floor if real_part(x) <= real_part(floor) else x


@step
def floor_step_adjoint(y_bar, x, floor):
    """Adjoint of floor_step: bars of x, floor; at the floor the derivative is the floor's."""
    # y = floor if x <= floor else x
    above = y_bar if x > floor else ZERO * y_bar
    return above, y_bar - above


@step
def limit_step(x, excess, slope, taylor):
    """Above 1, 1 + M tanh((x - 1) / M): a loop's output exceeds 1 by at most M (Muenkner 1993); slope is -2 / M."""
    e = exponential(slope * (x - ONE), taylor)
    return ONE + quotient(excess * (ONE - e), ONE + e) if real_part(x) > ONE else x


@step
def limit_step_adjoint(y_bar, x, y, excess, slope, taylor):
    """Adjoint of limit_step, whose output is y: bars of x, excess, slope. Its derivative has no jump: it is 1 at 1."""
    # y = ONE + quotient(excess * (ONE - e), ONE + e) if x > ONE else x
    ratio = (ONE - y) * (HALF * slope)  # (ONE - e) / (ONE + e), as 1 / M is - slope / 2
    # e = exponential(slope * (x - ONE))
    exponent_bar = -HALF * y_bar * excess * (ONE - ratio * ratio)
    limited = x > ONE
    return (
        exponent_bar * slope if limited else y_bar,
        y_bar * ratio if limited else ZERO * y_bar,
        exponent_bar * (x - ONE) if limited else ZERO * y_bar,
    )


@loop
def loop_sample(x, l, f, z, taylor):
    """One sample of a loop without a limit."""
    y = quotient(x, z[l])
    z[l] = smoothing_step(z[l], y, f[l + SMOOTHING])
    return y


@loop
def limited_loop_sample(x, l, f, z, taylor):
    """One sample of a loop with a limit."""
    y = limit_step(quotient(x, z[l]), f[l + EXCESS], f[l + SLOPE], taylor)
    z[l] = smoothing_step(z[l], y, f[l + SMOOTHING])
    return y


@loop
def divisor_adjoint(y_bar, y, l, r, wanted):
    """Bar of y behind a loop's smoothing, too; that of the divisor before it is left in the row of the states."""
    f, f_bar, z_bar, u, _ = r
    # divisor_next = smoothing_step(divisor, y, smoothing)
    z_bar[l], own_bar, smoothing_bar = smoothing_step_adjoint(z_bar[l], u[l], y, f[l + SMOOTHING])
    if wanted:
        f_bar[l + SMOOTHING] += smoothing_bar
    return own_bar + y_bar


@loop
def quotient_adjoint(y_bar, y, l, r):
    """Adjoint of the division of a loop: bar of x."""
    _, _, z_bar, u, _ = r
    # y = quotient(x, divisor)
    x_bar = quotient(y_bar, u[l])
    z_bar[l] -= x_bar * y
    return x_bar


@loop
def loop_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of loop_sample: bar of x."""
    return quotient_adjoint(divisor_adjoint(y_bar, y, l, r, wanted), y, l, r)


@loop
def limited_loop_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of limited_loop_sample: bar of x."""
    f, f_bar, _, u, taylor = r
    unlimited = quotient(x, u[l])
    # y = limit_step(unlimited, excess, slope)
    unlimited_bar, excess_bar, slope_bar = limit_step_adjoint(
        divisor_adjoint(y_bar, y, l, r, wanted), unlimited, y, f[l + EXCESS], f[l + SLOPE], taylor
    )
    if wanted:
        f_bar[l + EXCESS] += excess_bar
        f_bar[l + SLOPE] += slope_bar
    return quotient_adjoint(unlimited_bar, unlimited, l, r)


@loop
def rescale_sample(x, l, f, z, taylor):
    """From samples of X to what the first loop takes, and from what the last one leaves to model units."""
    return floor_step((x - f[l + OFFSET]) * f[l + SCALE] + TINY, f[l + FLOOR])


@loop
def rescale_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of rescale_sample: bar of x."""
    f, f_bar, _, _, _ = r
    difference = x - f[l + OFFSET]
    # y = floor_step(difference * scale, floor) + TINY
    scaled_bar, floor_bar = floor_step_adjoint(y_bar, difference * f[l + SCALE], f[l + FLOOR])
    x_bar = scaled_bar * f[l + SCALE]
    if wanted:
        f_bar[l + OFFSET] -= x_bar
        f_bar[l + SCALE] += scaled_bar * difference
        f_bar[l + FLOOR] += floor_bar
    return x_bar


class Loop(Kind):
    """An adaptation loop without a limit."""

    n_coefficients, n_states, keeps_states = 1, 1, True
    sample, sample_adjoint = staticmethod(loop_sample), staticmethod(loop_sample_adjoint)


class LimitedLoop(Kind):
    """An adaptation loop whose output is limited."""

    n_coefficients, n_states, keeps_states = 3, 1, True
    sample, sample_adjoint = staticmethod(limited_loop_sample), staticmethod(limited_loop_sample_adjoint)


class Rescale(Kind):
    """What precedes the loops, which need a floor, and what follows them."""

    n_coefficients = 3
    sample, sample_adjoint = staticmethod(rescale_sample), staticmethod(rescale_sample_adjoint)
