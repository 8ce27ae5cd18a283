"""King, Varnet & Lorenzi (2019): compression, high-pass, band-pass modulation filters of two complex poles."""

import numpy as np

from skaud.kernels._compile import loop
from skaud.kernels.chain.kind import Kind, rows
from skaud.kernels.chain.modulation import magnitude_step, magnitude_step_adjoint
from skaud.kernels.lanes import LANES
from skaud.kernels.one_pole import ONE, TINY, ZERO, complex_one_pole_step, complex_one_pole_step_adjoint
from skaud.kernels.pointwise import quotient, real_part

EXPONENT, KNEE, LINEAR_BELOW = rows(3)
B, A = rows(2)
X_BEFORE, Y_BEFORE = rows(2)
# Of a modulation filter by what the states of its two poles change and how much of them comes out; then, of the input.
STEP_RE1, STEP_IM1, MIX_RE1, MIX_IM1, STEP_RE2, STEP_IM2, MIX_RE2, MIX_IM2, DIRECT_RE, DIRECT_IM = rows(10)
AFTER = 4 * LANES  # of the states before a sample, those behind it


@loop
def compress_sample(x, l, f, z, taylor):
    """Broken stick, which is linear up to the knee, or a power law: sign(x) knee (|x| / knee)^exponent; 0 at 0."""
    size, knee = x if real_part(x) > ZERO else -x, f[l + KNEE]
    if real_part(size) <= ZERO or (real_part(f[l + LINEAR_BELOW]) > ZERO and real_part(size) <= real_part(knee)):
        return x
    y = knee * np.exp(f[l + EXPONENT] * np.log(quotient(size, knee)))
    return y if real_part(x) > ZERO else -y


@loop
def compress_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of compress_sample: bar of x.

    At the knee the slope is that below it; at 0 that of a power law, which has none there, is taken as 0.
    """
    f, f_bar, _, _, _ = r
    size, exponent, knee = abs(x), f[l + EXPONENT], f[l + KNEE]
    if f[l + LINEAR_BELOW] > ZERO and size <= knee:
        return y_bar
    if size <= ZERO:
        return ZERO * y_bar
    # y = knee * exp(exponent * log(quotient(size, knee))), with the sign of x
    if wanted:
        f_bar[l + EXPONENT] += y_bar * y * np.log(quotient(size, knee))
        f_bar[l + KNEE] += y_bar * (ONE - exponent) * quotient(y, knee)
    return y_bar * exponent * (y / x)


@loop
def high_pass_sample(x, l, f, z, taylor):
    """One sample of a Butterworth high-pass of first order."""
    z[l + Y_BEFORE] = f[l + B] * (x - z[l + X_BEFORE]) + f[l + A] * z[l + Y_BEFORE] + TINY
    z[l + X_BEFORE] = x
    return z[l + Y_BEFORE]


@loop
def high_pass_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of high_pass_sample: bar of x."""
    f, f_bar, z_bar, u, _ = r
    y_bar = z_bar[l + Y_BEFORE] + y_bar
    # y = b * (x - x_before) + a * y_before + TINY
    x_bar = z_bar[l + X_BEFORE] + f[l + B] * y_bar
    z_bar[l + X_BEFORE], z_bar[l + Y_BEFORE] = -f[l + B] * y_bar, f[l + A] * y_bar
    if wanted:
        f_bar[l + B] += (x - u[l + X_BEFORE]) * y_bar
        f_bar[l + A] += u[l + Y_BEFORE] * y_bar
    return x_bar


@loop
def band_output(x, l, f, z, at):
    """Both parts of what a filter gives, whose states lie in the rows of z from `at` on."""
    re1, im1, re2, im2 = z[l + at], z[l + at + LANES], z[l + at + 2 * LANES], z[l + at + 3 * LANES]
    re = f[l + DIRECT_RE] * x + (f[l + MIX_RE1] * re1 - f[l + MIX_IM1] * im1)
    im = f[l + DIRECT_IM] * x + (f[l + MIX_RE1] * im1 + f[l + MIX_IM1] * re1)
    re += f[l + MIX_RE2] * re2 - f[l + MIX_IM2] * im2
    im += f[l + MIX_RE2] * im2 + f[l + MIX_IM2] * re2
    return re, im


@loop
def band_sample(x, l, f, z):
    """One sample of a filter's states; both parts of what it gives."""
    z[l], z[l + LANES] = complex_one_pole_step(z[l], z[l + LANES], x + TINY, ZERO, f[l + STEP_RE1], f[l + STEP_IM1])
    z[l + 2 * LANES], z[l + 3 * LANES] = complex_one_pole_step(
        z[l + 2 * LANES], z[l + 3 * LANES], x + TINY, ZERO, f[l + STEP_RE2], f[l + STEP_IM2]
    )
    return band_output(x, l, f, z, 0)


@loop
def pole_adjoint(re_bar, im_bar, pole, state, l, r, wanted):
    """Adjoint of what one pole adds to the output: bar of x."""
    f, f_bar, z_bar, u, _ = r
    re, im = u[l + AFTER + state], u[l + AFTER + state + LANES]
    mix_re, mix_im = f[l + pole + MIX_RE1], f[l + pole + MIX_IM1]
    # mix_re * re - mix_im * im, mix_re * im + mix_im * re
    own_re_bar = z_bar[l + state] + mix_re * re_bar + mix_im * im_bar
    own_im_bar = z_bar[l + state + LANES] + mix_re * im_bar - mix_im * re_bar
    # re, im = complex_one_pole_step(re, im, x + TINY, ZERO, step_re, step_im)
    step_re, step_im = f[l + pole + STEP_RE1], f[l + pole + STEP_IM1]
    z_bar[l + state], z_bar[l + state + LANES], step_re_bar, step_im_bar = complex_one_pole_step_adjoint(
        own_re_bar, own_im_bar, u[l + state], u[l + state + LANES], step_re, step_im
    )
    if wanted:
        f_bar[l + pole + MIX_RE1] += re * re_bar + im * im_bar
        f_bar[l + pole + MIX_IM1] += re * im_bar - im * re_bar
        f_bar[l + pole + STEP_RE1] += step_re_bar
        f_bar[l + pole + STEP_IM1] += step_im_bar
    return own_re_bar


@loop
def band_sample_adjoint(re_bar, im_bar, x, l, r, wanted):
    """Adjoint of band_sample: bar of x."""
    f, f_bar, _, _, _ = r
    # re, im = band_output(x, ...)
    x_bar = f[l + DIRECT_RE] * re_bar + f[l + DIRECT_IM] * im_bar
    if wanted:
        f_bar[l + DIRECT_RE] += x * re_bar
        f_bar[l + DIRECT_IM] += x * im_bar
    x_bar += pole_adjoint(re_bar, im_bar, STEP_RE1, 0, l, r, wanted)
    return x_bar + pole_adjoint(re_bar, im_bar, STEP_RE2, 2 * LANES, l, r, wanted)


@loop
def signed_band_sample(x, l, f, z, taylor):
    """The real part."""
    return band_sample(x, l, f, z)[0]


@loop
def signed_band_sample_adjoint(y_bar, x, l, r, wanted):
    """Adjoint of signed_band_sample: bar of x."""
    return band_sample_adjoint(y_bar, ZERO * y_bar, x, l, r, wanted)


@loop
def band_envelope_sample(x, l, f, z, taylor):
    """The magnitude."""
    re, im = band_sample(x, l, f, z)
    return magnitude_step(re, im)


@loop
def band_envelope_sample_adjoint(y_bar, x, l, r, wanted):
    """Adjoint of band_envelope_sample: bar of x."""
    f, _, _, u, _ = r
    re, im = band_output(x, l, f, u, AFTER)
    # y = magnitude_step(re, im)
    re_bar, im_bar = magnitude_step_adjoint(y_bar, re, im)
    return band_sample_adjoint(re_bar, im_bar, x, l, r, wanted)


class Compress(Kind):
    """Instantaneous compression."""

    n_coefficients = 3
    sample, sample_adjoint = staticmethod(compress_sample), staticmethod(compress_sample_adjoint)


class HighPass(Kind):
    """A high-pass of first order."""

    n_coefficients, n_states, keeps_states = 2, 2, True
    only_for_bars = True
    sample, sample_adjoint = staticmethod(high_pass_sample), staticmethod(high_pass_sample_adjoint)


class SignedBand(Kind):
    """A modulation filter that keeps its phase."""

    n_coefficients, n_states, keeps_states, is_filter = 10, 4, True, True
    only_for_bars = True
    sample, sample_adjoint = staticmethod(signed_band_sample), staticmethod(signed_band_sample_adjoint)


class BandEnvelope(Kind):
    """A modulation filter that gives its envelope."""

    n_coefficients, n_states, keeps_states, is_filter = 10, 4, True, True
    sample, sample_adjoint = staticmethod(band_envelope_sample), staticmethod(band_envelope_sample_adjoint)
