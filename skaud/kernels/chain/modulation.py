"""Modulation filters: complex one-poles, of which a filter gives a mixture of the parts, or the magnitude."""

import numpy as np

from skaud.kernels._compile import loop, step
from skaud.kernels.chain.kind import Kind, rows
from skaud.kernels.lanes import LANES
from skaud.kernels.one_pole import ONE, ZERO, complex_one_pole_step, complex_one_pole_step_adjoint
from skaud.kernels.pointwise import quotient

STEP_RE, STEP_IM, B, MIX_RE, MIX_IM, DIRECT = rows(6)
RE, IM = rows(2)
AFTER = 2 * LANES  # of the states before a sample, those behind it


@step
def magnitude_step(re, im):
    """Magnitude of a complex number in two parts, each of which may take a complex step."""
    return np.sqrt(re * re + im * im)


@step
def magnitude_step_adjoint(y_bar, re, im):
    """Adjoint of magnitude_step: bars of re, im; the derivative at 0, which has none, is taken as 0."""
    # y = sqrt(re * re + im * im)
    magnitude = magnitude_step(re, im)
    share = quotient(y_bar, magnitude if magnitude > ZERO else ONE)
    return share * re, share * im


@loop
def state_sample(x, l, f, z):
    """One sample of a filter's state."""
    z[l + RE], z[l + IM] = complex_one_pole_step(
        z[l + RE], z[l + IM], f[l + B] * x, ZERO, f[l + STEP_RE], f[l + STEP_IM]
    )
    return z[l + RE], z[l + IM]


@loop
def state_sample_adjoint(re_bar, im_bar, x, l, r, wanted):
    """Adjoint of state_sample: bar of x."""
    f, f_bar, z_bar, u, _ = r
    re_bar, im_bar = z_bar[l + RE] + re_bar, z_bar[l + IM] + im_bar
    # re, im = complex_one_pole_step(re, im, b * x, ZERO, step_re, step_im)
    z_bar[l + RE], z_bar[l + IM], step_re_bar, step_im_bar = complex_one_pole_step_adjoint(
        re_bar, im_bar, u[l + RE], u[l + IM], f[l + STEP_RE], f[l + STEP_IM]
    )
    if wanted:
        f_bar[l + STEP_RE] += step_re_bar
        f_bar[l + STEP_IM] += step_im_bar
        f_bar[l + B] += x * re_bar
    return f[l + B] * re_bar


@loop
def linear_sample(x, l, f, z, taylor):
    """One sample of a filter that keeps its phase."""
    re, im = state_sample(x, l, f, z)
    return f[l + DIRECT] * x + (f[l + MIX_RE] * re + f[l + MIX_IM] * im)


@loop
def linear_sample_adjoint(y_bar, x, l, r, wanted):
    """Adjoint of linear_sample: bar of x."""
    f, f_bar, _, u, _ = r
    # y = direct * x + (mix_re * re + mix_im * im)
    if wanted:
        f_bar[l + DIRECT] += y_bar * x
        f_bar[l + MIX_RE] += y_bar * u[l + (AFTER + RE)]
        f_bar[l + MIX_IM] += y_bar * u[l + (AFTER + IM)]
    # re, im = state_sample(x, ...)
    entering_bar = state_sample_adjoint(y_bar * f[l + MIX_RE], y_bar * f[l + MIX_IM], x, l, r, wanted)
    return y_bar * f[l + DIRECT] + entering_bar


@loop
def envelope_sample(x, l, f, z, taylor):
    """One sample of a filter that gives its envelope."""
    re, im = state_sample(x, l, f, z)
    return f[l + MIX_RE] * magnitude_step(re, im)


@loop
def envelope_sample_adjoint(y_bar, x, l, r, wanted):
    """Adjoint of envelope_sample: bar of x."""
    f, f_bar, _, u, _ = r
    re, im = u[l + (AFTER + RE)], u[l + (AFTER + IM)]
    # y = mix_re * magnitude_step(re, im)
    re_bar, im_bar = magnitude_step_adjoint(y_bar * f[l + MIX_RE], re, im)
    if wanted:
        f_bar[l + MIX_RE] += y_bar * magnitude_step(re, im)
    # re, im = state_sample(x, ...)
    return state_sample_adjoint(re_bar, im_bar, x, l, r, wanted)


@loop
def itself_sample(x, l, f, z, taylor):
    """What comes in."""
    return x


@loop
def itself_sample_adjoint(y_bar, x, l, r, wanted):
    """Adjoint of itself_sample."""
    return y_bar


class LinearFilter(Kind):
    """A filter that keeps the phase of the modulation."""

    n_coefficients, n_states, keeps_states, is_filter = 6, 2, True, True
    only_for_bars = True
    sample, sample_adjoint = staticmethod(linear_sample), staticmethod(linear_sample_adjoint)


class EnvelopeFilter(Kind):
    """A filter that gives the magnitude of the modulation."""

    n_coefficients, n_states, keeps_states, is_filter = 4, 2, True, True
    sample, sample_adjoint = staticmethod(envelope_sample), staticmethod(envelope_sample_adjoint)


class Itself(Kind):
    """The end of a chain that has no modulation filters: frames are averages of its channels."""

    is_filter = True
    sample, sample_adjoint = staticmethod(itself_sample), staticmethod(itself_sample_adjoint)
