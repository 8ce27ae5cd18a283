"""Modulation filterbank: complex one-pole filters, 16 channels' filters of one centre frequency side by side.

A cell is one filter of one group of channels. The cells of the linear filters come first.
"""

import numpy as np

from skaud.kernels._compile import loop, step
from skaud.kernels.one_pole import ZERO, complex_one_pole_step, low_pass_step
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
def envelope_output_step(re, im, mix_re):
    """Output of a filter that gives its envelope; 0 at 0, where it has no derivative."""
    return mix_re * np.sqrt(re * re + im * im)


@loop
def smooth_envelopes(row, n_samples, lines, block, n_groups, b, a):
    """Low-pass block, in place."""
    for t in range(n_samples):
        for k in range(n_groups):
            j = (t * n_groups + k) * LANES
            for l in range(LANES):
                i = k * GROUP + ENVELOPE + l
                block[j + l], lines[row, i] = low_pass_step(block[j + l], lines[row, i], b, a)


@loop
def filter_modulation(row, begin, end, cells, block, n_groups, groups, n_linear):
    """Samples begin to end of block through all cells, added to the cells' sums."""
    for t in range(begin, end):
        for cell in range(n_linear):
            x = block[(t * n_groups + groups[cell]) * LANES :][:LANES]
            f = cells[row, cell * CELL :][:CELL]
            for l in range(LANES):
                re, im = complex_one_pole_step(
                    f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_B] * x[l], ZERO, f[l + CELL_STEP_RE], f[l + CELL_STEP_IM]
                )
                y = linear_output_step(x[l], re, im, f[l + DIRECT], f[l + MIX_RE], f[l + MIX_IM])
                f[l + CELL_RE] = re
                f[l + CELL_IM] = im
                f[l + CELL_SUM] += y
        for cell in range(n_linear, len(groups)):
            x = block[(t * n_groups + groups[cell]) * LANES :][:LANES]
            f = cells[row, cell * CELL :][:CELL]
            for l in range(LANES):
                re, im = complex_one_pole_step(
                    f[l + CELL_RE], f[l + CELL_IM], f[l + CELL_B] * x[l], ZERO, f[l + CELL_STEP_RE], f[l + CELL_STEP_IM]
                )
                f[l + CELL_RE] = re
                f[l + CELL_IM] = im
                f[l + CELL_SUM] += envelope_output_step(re, im, f[l + MIX_RE])
