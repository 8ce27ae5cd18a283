"""Stages of King, Varnet & Lorenzi (2019) that others lack: compression, high-pass, band-pass modulation filters.

Each runs on x (n_rows, n_channels, n_samples) from where memory (n_rows, n_channels, n) stands, and backwards over a
whole clip; bars of coefficients are summed in double precision.
"""

import numpy as np

from skaud.kernels._compile import kernel, step
from skaud.kernels.one_pole import (
    ONE,
    TINY,
    ZERO,
    complex_one_pole_step,
    complex_one_pole_step_adjoint,
    low_pass_step,
    low_pass_step_adjoint,
)

# Columns of a channel's coefficients.
EXPONENT, KNEE, LINEAR_BELOW = range(3)
HIGH_PASS_B, HIGH_PASS_A = range(2)
HIGH_PASS_MEMORY = 2  # the last input and output
# Columns of a modulation filter: a low-pass before it, two poles, and what of their states and of the input comes out.
LOW_PASS_B, LOW_PASS_A = range(2)
STEP_RE1, STEP_IM1, MIX_RE1, MIX_IM1, STEP_RE2, STEP_IM2, MIX_RE2, MIX_IM2 = range(2, 10)
DIRECT_RE, DIRECT_IM, ENVELOPE = range(10, 13)
N_BAND = 13
BAND_MEMORY = 5  # of a filter: low-pass, and two poles


@step
def compress_step(x, exponent, knee, linear_below):
    """Broken stick, which is linear up to the knee, or a power law: sign(x) knee (|x| / knee)^exponent; 0 at 0."""
    size = x if x.real > ZERO else -x
    if size.real <= ZERO or (linear_below.real > ZERO and size.real <= knee.real):
        return x
    y = knee * np.exp(exponent * np.log(size / knee))
    return y if x.real > ZERO else -y


@step
def compress_step_adjoint(y_bar, x, y, exponent, knee, linear_below):
    """Adjoint of compress_step, whose output is y: bars of x, exponent, knee.

    At the knee the slope is that below it; at 0 that of a power law, which has none there, is taken as 0.
    """
    size = abs(x)
    if linear_below > ZERO and size <= knee:
        return y_bar, ZERO * y_bar, ZERO * y_bar
    if size <= ZERO:
        return ZERO * y_bar, ZERO * y_bar, ZERO * y_bar
    # y = knee * exp(exponent * log(size / knee)), with the sign of x
    return y_bar * exponent * (y / x), y_bar * y * np.log(size / knee), y_bar * (ONE - exponent) * (y / knee)


@kernel
def compress(x, coefficients, memory, out):
    """Compress every sample."""
    for row in range(x.shape[0]):
        for c in range(x.shape[1]):
            exponent, knee, below = coefficients[c, EXPONENT], coefficients[c, KNEE], coefficients[c, LINEAR_BELOW]
            for t in range(x.shape[2]):
                out[row, c, t] = compress_step(x[row, c, t], exponent, knee, below)


@kernel
def compress_adjoint(x, coefficients, out_bar, x_bar, coefficients_bar):
    """Adjoint of compress."""
    for row in range(x.shape[0]):
        for c in range(x.shape[1]):
            exponent, knee, below = coefficients[c, EXPONENT], coefficients[c, KNEE], coefficients[c, LINEAR_BELOW]
            for t in range(x.shape[2]):
                # out = compress_step(x, exponent, knee, below)
                y = compress_step(x[row, c, t], exponent, knee, below)
                x_bar[row, c, t], exponent_bar, knee_bar = compress_step_adjoint(
                    out_bar[row, c, t], x[row, c, t], y, exponent, knee, below
                )
                coefficients_bar[c, EXPONENT] += exponent_bar
                coefficients_bar[c, KNEE] += knee_bar


@step
def high_pass_step(x, x_before, y_before, b, a):
    """First-order Butterworth high-pass."""
    return b * (x - x_before) + a * y_before + TINY


@step
def high_pass_step_adjoint(y_bar, x, x_before, y_before, b, a):
    """Adjoint of high_pass_step: bars of x, x_before, y_before, b, a."""
    # y = b * (x - x_before) + a * y_before + TINY
    return b * y_bar, -b * y_bar, a * y_bar, (x - x_before) * y_bar, y_before * y_bar


@kernel
def high_pass(x, coefficients, memory, out):
    """Filter every channel; of each, the last input and output are kept."""
    for row in range(x.shape[0]):
        for c in range(x.shape[1]):
            b, a = coefficients[c, HIGH_PASS_B], coefficients[c, HIGH_PASS_A]
            x_before, y = memory[row, c, 0], memory[row, c, 1]
            for t in range(x.shape[2]):
                y = high_pass_step(x[row, c, t], x_before, y, b, a)
                x_before = x[row, c, t]
                out[row, c, t] = y
            memory[row, c, 0], memory[row, c, 1] = x_before, y


@kernel
def high_pass_adjoint(x, coefficients, out_bar, x_bar, coefficients_bar):
    """Adjoint of high_pass."""
    y = np.empty(x.shape[2] + 1, x.dtype)
    for row in range(x.shape[0]):
        for c in range(x.shape[1]):
            b, a = coefficients[c, HIGH_PASS_B], coefficients[c, HIGH_PASS_A]
            y[0], x_before = ZERO, ZERO * b
            for t in range(x.shape[2]):
                y[t + 1] = high_pass_step(x[row, c, t], x_before, y[t], b, a)
                x_before = x[row, c, t]
            y_bar, x_next_bar = ZERO * b, ZERO * b
            for t in range(x.shape[2] - 1, -1, -1):
                x_before = x[row, c, t - 1] if t > 0 else ZERO * b
                # y = high_pass_step(x, x_before, y_before, b, a)
                own_bar, before_bar, y_bar, b_bar, a_bar = high_pass_step_adjoint(
                    out_bar[row, c, t] + y_bar, x[row, c, t], x_before, y[t], b, a
                )
                x_bar[row, c, t] = own_bar + x_next_bar
                x_next_bar = before_bar
                coefficients_bar[c, HIGH_PASS_B] += b_bar
                coefficients_bar[c, HIGH_PASS_A] += a_bar


@step
def band_states_step(x, re1, im1, re2, im2, f):
    """States of both poles of a filter with coefficients f after one sample."""
    re1, im1 = complex_one_pole_step(re1, im1, x + TINY, ZERO, f[STEP_RE1], f[STEP_IM1])
    re2, im2 = complex_one_pole_step(re2, im2, x + TINY, ZERO, f[STEP_RE2], f[STEP_IM2])
    return re1, im1, re2, im2


@step
def band_output_step(x, re1, im1, re2, im2, f):
    """Real and imaginary part of what comes out."""
    re = f[DIRECT_RE] * x + (f[MIX_RE1] * re1 - f[MIX_IM1] * im1) + (f[MIX_RE2] * re2 - f[MIX_IM2] * im2)
    im = f[DIRECT_IM] * x + (f[MIX_RE1] * im1 + f[MIX_IM1] * re1) + (f[MIX_RE2] * im2 + f[MIX_IM2] * re2)
    return re, im


@step
def part_step(re, im, f):
    """The real part, or for a filter that gives its envelope the magnitude."""
    return np.sqrt(re * re + im * im) if f[ENVELOPE].real > ZERO else re


@step
def part_step_adjoint(y_bar, re, im, f):
    """Adjoint of part_step: bars of re, im; at a magnitude of 0, which has no derivative, 0."""
    if f[ENVELOPE] > ZERO:
        # y = sqrt(re * re + im * im)
        magnitude = np.sqrt(re * re + im * im)
        share = y_bar / magnitude if magnitude > ZERO else ZERO * y_bar
        return share * re, share * im
    return y_bar, ZERO * y_bar


@kernel
def filter_bands(x, coefficients, memory, out):
    """All modulation filters, coefficients (n_filters, N_BAND), on every channel."""
    for row in range(x.shape[0]):
        for c in range(x.shape[1]):
            for k in range(len(coefficients)):
                f, z = coefficients[k], memory[row, c, k * BAND_MEMORY :]
                low, re1, im1, re2, im2 = z[0], z[1], z[2], z[3], z[4]
                for t in range(x.shape[2]):
                    u, low = low_pass_step(x[row, c, t], low, f[LOW_PASS_B], f[LOW_PASS_A])
                    re1, im1, re2, im2 = band_states_step(u, re1, im1, re2, im2, f)
                    re, im = band_output_step(u, re1, im1, re2, im2, f)
                    out[row, c * len(coefficients) + k, t] = part_step(re, im, f)
                z[0], z[1], z[2], z[3], z[4] = low, re1, im1, re2, im2


@kernel
def filter_bands_adjoint(x, coefficients, out_bar, x_bar, coefficients_bar):
    """Adjoint of filter_bands."""
    n_samples = x.shape[2]
    u, s = np.empty(n_samples, x.dtype), np.zeros((n_samples + 1, 4), x.dtype)
    x_bar[...] = ZERO
    for row in range(x.shape[0]):
        for c in range(x.shape[1]):
            for k in range(len(coefficients)):
                f, bars = coefficients[k], coefficients_bar[k]
                low = ZERO * f[0]
                for t in range(n_samples):
                    u[t], low = low_pass_step(x[row, c, t], low, f[LOW_PASS_B], f[LOW_PASS_A])
                    s[t + 1, 0], s[t + 1, 1], s[t + 1, 2], s[t + 1, 3] = band_states_step(
                        u[t], s[t, 0], s[t, 1], s[t, 2], s[t, 3], f
                    )
                re1_bar, im1_bar, re2_bar, im2_bar, low_bar = ZERO * low, ZERO * low, ZERO * low, ZERO * low, ZERO * low
                for t in range(n_samples - 1, -1, -1):
                    re1, im1, re2, im2 = s[t + 1, 0], s[t + 1, 1], s[t + 1, 2], s[t + 1, 3]
                    # out = part_step(re, im, f)
                    re, im = band_output_step(u[t], re1, im1, re2, im2, f)
                    re_bar, im_bar = part_step_adjoint(out_bar[row, c * len(coefficients) + k, t], re, im, f)
                    # re = direct_re * u + (mix_re * re - mix_im * im) of both poles
                    # im = direct_im * u + (mix_re * im + mix_im * re) of both poles
                    u_bar = f[DIRECT_RE] * re_bar + f[DIRECT_IM] * im_bar
                    re1_bar += f[MIX_RE1] * re_bar + f[MIX_IM1] * im_bar
                    im1_bar += f[MIX_RE1] * im_bar - f[MIX_IM1] * re_bar
                    re2_bar += f[MIX_RE2] * re_bar + f[MIX_IM2] * im_bar
                    im2_bar += f[MIX_RE2] * im_bar - f[MIX_IM2] * re_bar
                    bars[DIRECT_RE] += u[t] * re_bar
                    bars[DIRECT_IM] += u[t] * im_bar
                    bars[MIX_RE1] += re1 * re_bar + im1 * im_bar
                    bars[MIX_IM1] += re1 * im_bar - im1 * re_bar
                    bars[MIX_RE2] += re2 * re_bar + im2 * im_bar
                    bars[MIX_IM2] += re2 * im_bar - im2 * re_bar
                    # re1, im1, re2, im2 = band_states_step(u, re1, im1, re2, im2, f)
                    u_bar += re1_bar + re2_bar
                    re1_bar, im1_bar, step_re_bar, step_im_bar = complex_one_pole_step_adjoint(
                        re1_bar, im1_bar, s[t, 0], s[t, 1], f[STEP_RE1], f[STEP_IM1]
                    )
                    bars[STEP_RE1] += step_re_bar
                    bars[STEP_IM1] += step_im_bar
                    re2_bar, im2_bar, step_re_bar, step_im_bar = complex_one_pole_step_adjoint(
                        re2_bar, im2_bar, s[t, 2], s[t, 3], f[STEP_RE2], f[STEP_IM2]
                    )
                    bars[STEP_RE2] += step_re_bar
                    bars[STEP_IM2] += step_im_bar
                    # u, low = low_pass_step(x, low, b, a)
                    own_bar, low_bar, b_bar, a_bar = low_pass_step_adjoint(
                        u_bar, low_bar, x[row, c, t], u[t], f[LOW_PASS_B], f[LOW_PASS_A]
                    )
                    x_bar[row, c, t] += own_bar
                    bars[LOW_PASS_B] += b_bar
                    bars[LOW_PASS_A] += a_bar
