"""Adaptation loops: each divides its input by its own smoothed output.

Symbols are those of T. Dau et al. (1996), JASA 99:3615.
"""

import numpy as np

from skaud.kernels._compile import loop, step
from skaud.kernels.one_pole import ONE, TINY, ZERO
from skaud.kernels.osses_layout import DIVISORS, GROUP, LANES, TAPED_LOOP

LOWEST = np.float32(-40)  # exp(-40) is below the rounding of float64
THIRTY_SECOND = np.float32(1 / 32)
HALF = np.float32(0.5)


@step
def decay(x, c):
    """Exponential, exp(x / 32)^32, of x up to 2, to 1e-12 of 1, real or complex; c.taylor is 1/n!, highest n first."""
    x = x if x.real > LOWEST else LOWEST + ZERO * x
    y = x * THIRTY_SECOND
    e = ((y * c.taylor[0] + c.taylor[1]) * y + c.taylor[2]) * y + c.taylor[3]
    e = (((e * y + c.taylor[4]) * y + c.taylor[5]) * y + c.taylor[6]) * y + c.taylor[7]
    e = e * y + c.taylor[8]
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@step
def floor_step(x, floor):
    """The larger of floor and x; NaN stays NaN."""
    return x if x.real > floor.real else floor + (x - x)


@step
def floor_step_adjoint(y_bar, x, floor):
    """Adjoint of floor_step: bars of x, floor; at the floor the derivative is the floor's."""
    # y = x if x > floor else floor
    above = y_bar if x > floor else ZERO * y_bar
    return above, y_bar - above


@step
def limit_step(x, excess, slope, c):
    """Above 1, 1 + M tanh((x - 1) / M): a loop's output exceeds 1 by at most M (Muenkner 1993); slope is -2 / M."""
    e = decay(slope * (x - ONE), c)
    return ONE + excess * (ONE - e) / (ONE + e) if x.real > ONE else x


@step
def decay_slope(x, c):
    """Derivative of decay over decay itself: 1, but for what the last term of a Taylor sum lacks."""
    y = x * THIRTY_SECOND
    squared = y * y
    fourth = squared * squared
    return ONE - fourth * fourth * c.taylor[0] * (ONE - y + HALF * squared)


@step
def limit_step_adjoint(y_bar, x, y, excess, slope, c):
    """Adjoint of limit_step, whose output is y: bars of x, excess, slope. Its derivative has no jump: it is 1 at 1."""
    # y = ONE + excess * (ONE - e) / (ONE + e) if x > ONE else x
    ratio = (ONE - y) * (HALF * slope)  # (ONE - e) / (ONE + e), as 1 / M is - slope / 2
    # e = decay(slope * (x - ONE))
    exponent_bar = -HALF * y_bar * excess * (ONE - ratio * ratio) * decay_slope(slope * (x - ONE), c)
    limited = x > ONE
    return (
        exponent_bar * slope if limited else y_bar,
        y_bar * ratio if limited else ZERO * y_bar,
        exponent_bar * (x - ONE) if limited else ZERO * y_bar,
    )


@step
def adaptation_step(x, divisor, smoothing):
    """Low-pass of a loop: its new divisor, from its output x."""
    return divisor + smoothing * (x - divisor)


@step
def adaptation_step_adjoint(divisor_next_bar, x, divisor, smoothing):
    """Adjoint of adaptation_step: bars of x, divisor, smoothing."""
    # divisor_next = divisor + smoothing * (x - divisor)
    x_bar = divisor_next_bar * smoothing
    return x_bar, divisor_next_bar - x_bar, divisor_next_bar * (x - divisor)


@loop
def adapt(row, n_samples, lines, block, n_groups, n_loops, limited, loops, c, tape, slot):
    """Adapt block, in place; loops (n_loops, 5) holds smoothing, M, -2 / M, floor and gain.

    The tape (or None) gets of every loop what comes in, times its gain, the divisor before, and what comes out.
    """
    taped = n_loops * TAPED_LOOP
    # A wavefront: loop n works on the sample n behind that of loop 0, so that the loops need not wait for each other.
    for wave in range(n_samples + n_loops - 1):
        for n in range(max(0, wave - n_samples + 1), min(n_loops, wave + 1)):
            smoothing, excess, slope, floor, gain = loops[n, 0], loops[n, 1], loops[n, 2], loops[n, 3], loops[n, 4]
            for k in range(n_groups):
                x = block[((wave - n) * n_groups + k) * LANES :][:LANES]
                divisor = lines[row, k * GROUP + n * LANES + DIVISORS :][:LANES]
                u = x
                if tape is not None:
                    u = tape.loops[((slot + wave - n) * n_groups + k) * taped + n * TAPED_LOOP :][:TAPED_LOOP]
                if limited:
                    for l in range(LANES):
                        scaled = gain * x[l]
                        y = limit_step(floor_step(scaled, floor) / divisor[l], excess, slope, c)
                        if tape is not None:
                            u[l], u[l + LANES], u[l + 2 * LANES] = scaled, divisor[l], y
                        divisor[l] = adaptation_step(y, divisor[l], smoothing)
                        x[l] = y
                else:
                    for l in range(LANES):
                        scaled = gain * x[l]
                        y = floor_step(scaled, floor) / divisor[l]
                        if tape is not None:
                            u[l], u[l + LANES], u[l + 2 * LANES] = scaled, divisor[l], y
                        divisor[l] = adaptation_step(y, divisor[l], smoothing)
                        x[l] = y
    for t in range(n_samples):
        for k in range(n_groups):
            x = block[(t * n_groups + k) * LANES :][:LANES]
            for l in range(LANES):
                x[l] = (x[l] - c.offset) * c.scale + TINY
