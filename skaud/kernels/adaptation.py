"""Adaptation loops: each divides its input by its own smoothed output.

Symbols are those of T. Dau et al. (1996), JASA 99:3615.
"""

from skaud.kernels._compile import loop, step
from skaud.kernels.one_pole import ONE, TINY, ZERO, smoothing_step
from skaud.kernels.osses_layout import DIVISORS, GROUP, LANES, TAPED_LOOP
from skaud.kernels.pointwise import HALF, exponential


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
    e = exponential(slope * (x - ONE), c.taylor)
    return ONE + excess * (ONE - e) / (ONE + e) if x.real > ONE else x


@step
def limit_step_adjoint(y_bar, x, y, excess, slope, c):
    """Adjoint of limit_step, whose output is y: bars of x, excess, slope. Its derivative has no jump: it is 1 at 1."""
    # y = ONE + excess * (ONE - e) / (ONE + e) if x > ONE else x
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
                        divisor[l] = smoothing_step(divisor[l], y, smoothing)
                        x[l] = y
                else:
                    for l in range(LANES):
                        scaled = gain * x[l]
                        y = floor_step(scaled, floor) / divisor[l]
                        if tape is not None:
                            u[l], u[l + LANES], u[l + 2 * LANES] = scaled, divisor[l], y
                        divisor[l] = smoothing_step(divisor[l], y, smoothing)
                        x[l] = y
    for t in range(n_samples):
        for k in range(n_groups):
            x = block[(t * n_groups + k) * LANES :][:LANES]
            for l in range(LANES):
                x[l] = (x[l] - c.offset) * c.scale + TINY
