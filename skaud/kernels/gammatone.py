"""Gammatone filterbank: four equal complex one-pole sections a channel, channels side by side."""

from skaud.kernels._compile import loop, step
from skaud.kernels.one_pole import TINY, TWO, ZERO, complex_one_pole_step
from skaud.kernels.osses_layout import GROUP, LANES, SECTION_B, SECTIONS, STEP_IM, STEP_RE


@step
def gammatone_step(x, re1, im1, re2, im2, re3, im3, re4, im4, step_re, step_im, b):
    """One sample of one channel; returns the states of the sections, the output is 2 Re of the last."""
    re1, im1 = complex_one_pole_step(re1, im1, b * x, ZERO, step_re, step_im)
    re2, im2 = complex_one_pole_step(re2, im2, b * re1, b * im1, step_re, step_im)
    re3, im3 = complex_one_pole_step(re3, im3, b * re2, b * im2, step_re, step_im)
    re4, im4 = complex_one_pole_step(re4, im4, b * re3, b * im3, step_re, step_im)
    return re1, im1, re2, im2, re3, im3, re4, im4


@loop
def filter_gammatone(x, row, begin, end, lines, block, n_groups):
    """Samples begin to end of x (n_rows, n_samples) through all channels, into block."""
    for t in range(end - begin):
        s = x[row, begin + t] + TINY
        for k in range(n_groups):
            for l in range(LANES):
                i = k * GROUP + l
                z = i + SECTIONS
                re1, im1, re2, im2, re3, im3, re4, im4 = gammatone_step(
                    s,
                    lines[row, z],
                    lines[row, z + LANES],
                    lines[row, z + 2 * LANES],
                    lines[row, z + 3 * LANES],
                    lines[row, z + 4 * LANES],
                    lines[row, z + 5 * LANES],
                    lines[row, z + 6 * LANES],
                    lines[row, z + 7 * LANES],
                    lines[row, i + STEP_RE],
                    lines[row, i + STEP_IM],
                    lines[row, i + SECTION_B],
                )
                lines[row, z] = re1
                lines[row, z + LANES] = im1
                lines[row, z + 2 * LANES] = re2
                lines[row, z + 3 * LANES] = im2
                lines[row, z + 4 * LANES] = re3
                lines[row, z + 5 * LANES] = im3
                lines[row, z + 6 * LANES] = re4
                lines[row, z + 7 * LANES] = im4
                block[(t * n_groups + k) * LANES + l] = TWO * re4
