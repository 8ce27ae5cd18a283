"""First-order recursions, real and complex, as scalar steps; the adjoint of each stands below it.

An adjoint takes the bars of what its step returns, then what the step takes; `x_bar` is the derivative of the objective
with respect to `x`. The line of the step that it reverses is quoted above each of its own.
"""

import numpy as np

from skaud.kernels._compile import step

# Literals in float32 that float32 holds exactly: they do not promote float32 arithmetic, and float64 stays exact.
ZERO = np.float32(0)
ONE = np.float32(1)
TWO = np.float32(2)
# Added to what enters a recursion: states that decay in silence stay clear of denormal numbers, which are slow.
TINY = np.float32(1e-20)


@step
def smoothing_step(state, x, share):
    """Let a state go a share of the way to x."""
    return state + share * (x - state)


@step
def smoothing_step_adjoint(next_bar, state, x, share):
    """Adjoint of smoothing_step: bars of state, x, share."""
    # next = state + share * (x - state)
    x_bar = next_bar * share
    return next_bar - x_bar, x_bar, next_bar * (x - state)


@step
def low_pass_step(x, z, b, a):
    """First-order Butterworth low-pass; returns its output and its state."""
    y = b * x + z
    return y, b * x + a * y


@step
def low_pass_step_adjoint(y_bar, z_next_bar, x, y, b, a):
    """Adjoint of low_pass_step, whose output is y: bars of x, z, b, a."""
    # z_next = b * x + a * y
    z_bar = y_bar + a * z_next_bar
    # y = b * x + z
    product_bar = z_bar + z_next_bar
    return b * product_bar, z_bar, x * product_bar, y * z_next_bar


@step
def complex_one_pole_step(re, im, x_re, x_im, step_re, step_im):
    """State p z + x for a pole p = 1 + step; by the step, since float32 holds poles close to 1 too coarsely."""
    return (
        re + (step_re * re - step_im * im + x_re),
        im + (step_re * im + step_im * re + x_im),
    )


@step
def complex_one_pole_step_adjoint(re_next_bar, im_next_bar, re, im, step_re, step_im):
    """Adjoint of complex_one_pole_step: bars of re, im, step_re, step_im; those of x are re_next_bar, im_next_bar."""
    # re_next = re + (step_re * re - step_im * im + x_re)
    # im_next = im + (step_re * im + step_im * re + x_im)
    return (
        re_next_bar + (step_re * re_next_bar + step_im * im_next_bar),
        im_next_bar + (step_re * im_next_bar - step_im * re_next_bar),
        re * re_next_bar + im * im_next_bar,
        re * im_next_bar - im * re_next_bar,
    )
