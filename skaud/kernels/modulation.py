"""Modulation filterbank: complex one-pole filters, 16 channels' filters of one centre frequency side by side.

A cell is one filter of one group of channels. The cells of the linear filters come first.
"""

import numpy as np

from skaud.kernels._compile import loop, step
from skaud.kernels.one_pole import ONE, ZERO, complex_one_pole_step, complex_one_pole_step_adjoint, low_pass_step
from skaud.kernels.osses_layout import (
    CELL,
    CELL_B,
    CELL_IM,
    CELL_RE,
    CELL_STEP_IM,
    CELL_STEP_RE,
    CELL_SUM,
    DIRECT,
    ENVELOPE,
    GROUP,
    LANES,
    MIX_IM,
    MIX_RE,
)


@step
def linear_output_step(x, re, im, direct, mix_re, mix_im):
    """Output of a filter that keeps its phase."""
    return direct * x + (mix_re * re + mix_im * im)


@step
def linear_output_step_adjoint(y_bar, x, re, im, direct, mix_re, mix_im):
    """Adjoint of linear_output_step: bars of x, re, im, direct, mix_re, mix_im."""
    # y = direct * x + (mix_re * re + mix_im * im)
    return y_bar * direct, y_bar * mix_re, y_bar * mix_im, y_bar * x, y_bar * re, y_bar * im


@step
def envelope_output_step(re, im, mix_re):
    """Output of a filter that gives its envelope."""
    return mix_re * np.sqrt(re * re + im * im)


@step
def envelope_output_step_adjoint(y_bar, re, im, mix_re):
    """Adjoint of envelope_output_step: bars of re, im, mix_re; the derivative at 0, which has none, is taken as 0."""
    magnitude = np.sqrt(re * re + im * im)
    # y = mix_re * magnitude
    # magnitude = sqrt(re * re + im * im)
    share = y_bar * mix_re / (magnitude if magnitude > ZERO else ONE)
    return share * re, share * im, y_bar * magnitude


@step
def cell_step(f, l, x, re, im):
    """State of lane l of a cell f after one sample."""
    return complex_one_pole_step(re, im, f[l + CELL_B] * x, ZERO, f[l + CELL_STEP_RE], f[l + CELL_STEP_IM])


@step
def cell_step_adjoint(re_next_bar, im_next_bar, f, l, x, re, im):
    """Adjoint of cell_step: bars of x, re, im, and of the cell's STEP_RE, STEP_IM, B."""
    # re_next, im_next = complex_one_pole_step(re, im, b * x, ZERO, step_re, step_im)
    re_bar, im_bar, step_re_bar, step_im_bar = complex_one_pole_step_adjoint(
        re_next_bar, im_next_bar, re, im, f[l + CELL_STEP_RE], f[l + CELL_STEP_IM]
    )
    return f[l + CELL_B] * re_next_bar, re_bar, im_bar, step_re_bar, step_im_bar, x * re_next_bar


@step
def linear_step(f, l, x, re, im, total):
    """One sample of lane l of a linear cell f; returns its state, and total plus its output."""
    re, im = cell_step(f, l, x, re, im)
    return re, im, total + linear_output_step(x, re, im, f[l + DIRECT], f[l + MIX_RE], f[l + MIX_IM])


@step
def envelope_step(f, l, x, re, im, total):
    """One sample of lane l of a cell f that gives its envelope, as linear_step."""
    re, im = cell_step(f, l, x, re, im)
    return re, im, total + envelope_output_step(re, im, f[l + MIX_RE])


@loop
def smooth_envelopes(row, n_samples, lines, block, n_groups, b, a, tape, slot):
    """Low-pass block, in place; the tape (or None) gets what comes in."""
    for t in range(n_samples):
        for k in range(n_groups):
            x, z = block[(t * n_groups + k) * LANES :][:LANES], lines[row, k * GROUP + ENVELOPE :][:LANES]
            u = x
            if tape is not None:
                u = tape.envelopes[((slot + t) * n_groups + k) * LANES :][:LANES]
            for l in range(LANES):
                if tape is not None:
                    u[l] = x[l]
                x[l], z[l] = low_pass_step(x[l], z[l], b, a)


@loop
def filter_modulation(row, begin, end, cells, block, n_groups, groups, n_linear):
    """Samples begin to end of block through all cells, added to the cells' sums.

    Four samples at a time, whose states stay in registers; what is left over one by one.
    """
    width = n_groups * LANES
    t = begin
    while t < end:
        at_once = 4 if end - t >= 4 else 1
        for cell in range(n_linear):
            x = block[t * width + groups[cell] * LANES :]
            f = cells[row, cell * CELL :][:CELL]
            if at_once == 4:
                x1, x2, x3 = x[width:][:LANES], x[2 * width :][:LANES], x[3 * width :][:LANES]
                for l in range(LANES):
                    re, im, total = linear_step(f, l, x[l], f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM])
                    re, im, total = linear_step(f, l, x1[l], re, im, total)
                    re, im, total = linear_step(f, l, x2[l], re, im, total)
                    re, im, total = linear_step(f, l, x3[l], re, im, total)
                    f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM] = re, im, total
            else:
                for l in range(LANES):
                    re, im, total = linear_step(f, l, x[l], f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM])
                    f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM] = re, im, total
        for cell in range(n_linear, len(groups)):
            x = block[t * width + groups[cell] * LANES :]
            f = cells[row, cell * CELL :][:CELL]
            if at_once == 4:
                x1, x2, x3 = x[width:][:LANES], x[2 * width :][:LANES], x[3 * width :][:LANES]
                for l in range(LANES):
                    re, im, total = envelope_step(f, l, x[l], f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM])
                    re, im, total = envelope_step(f, l, x1[l], re, im, total)
                    re, im, total = envelope_step(f, l, x2[l], re, im, total)
                    re, im, total = envelope_step(f, l, x3[l], re, im, total)
                    f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM] = re, im, total
            else:
                for l in range(LANES):
                    re, im, total = envelope_step(f, l, x[l], f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM])
                    f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_SUM] = re, im, total
        t += at_once
