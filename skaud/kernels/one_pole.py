"""First-order recursions, real and complex, as scalar steps."""

import numpy as np

from skaud.kernels._compile import step

# Literals in float32 that float32 holds exactly: they do not promote float32 arithmetic, and float64 stays exact.
ZERO = np.float32(0)
ONE = np.float32(1)
TWO = np.float32(2)
# Added to what enters a recursion: states that decay in silence stay clear of denormal numbers, which are slow.
TINY = np.float32(1e-20)


@step
def low_pass_step(x, z, b, a):
    """First-order Butterworth low-pass; returns its output and its state."""
    y = b * x + z
    return y, b * x + a * y


@step
def complex_one_pole_step(re, im, x_re, x_im, step_re, step_im):
    """State p z + x for a pole p = 1 + step; by the step, since float32 holds poles close to 1 too coarsely."""
    return (
        re + (step_re * re - step_im * im + x_re),
        im + (step_re * im + step_im * re + x_im),
    )
