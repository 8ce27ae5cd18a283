"""Inner hair cell: half-wave rectification, then low-passes in a row."""

from skaud.kernels._compile import loop, step
from skaud.kernels.one_pole import TINY, ZERO, low_pass_step
from skaud.kernels.osses_layout import GROUP, LANES, SMOOTHING, TAPED_PASSES


@step
def rectify_step(x):
    """The larger of 0 and x, also for complex numbers with a small imaginary part; NaN stays NaN."""
    return x - x if x.real <= ZERO else x


@step
def rectify_step_adjoint(y_bar, x):
    """Adjoint of rectify_step; the derivative at 0 is 0."""
    # y = x - x if x <= ZERO else x
    return y_bar - y_bar if x <= ZERO else y_bar


@loop
def smooth_hair_cells(row, n_samples, lines, block, n_groups, n_passes, b, a, tape, slot):
    """Rectify and smooth block, in place; the tape (or None) gets what comes in, and the states before."""
    for t in range(n_samples):
        for k in range(n_groups):
            j = (t * n_groups + k) * LANES
            if tape is not None:
                taped = tape.passes[((slot + t) * n_groups + k) * TAPED_PASSES :][:TAPED_PASSES]
                entering, states = block[j:][:LANES], lines[row, k * GROUP + SMOOTHING :][: TAPED_PASSES - LANES]
                for l in range(LANES):
                    taped[l] = entering[l]
                for i in range(TAPED_PASSES - LANES):
                    taped[i + LANES] = states[i]
            if n_passes == 5:  # breebaart2001; written out, so that the samples stay in registers
                for l in range(LANES):
                    z = k * GROUP + SMOOTHING + l
                    y = rectify_step(block[j + l]) + TINY
                    y, lines[row, z] = low_pass_step(y, lines[row, z], b, a)
                    y, lines[row, z + LANES] = low_pass_step(y, lines[row, z + LANES], b, a)
                    y, lines[row, z + 2 * LANES] = low_pass_step(y, lines[row, z + 2 * LANES], b, a)
                    y, lines[row, z + 3 * LANES] = low_pass_step(y, lines[row, z + 3 * LANES], b, a)
                    y, lines[row, z + 4 * LANES] = low_pass_step(y, lines[row, z + 4 * LANES], b, a)
                    block[j + l] = y
            else:  # dau1996, a single one
                for l in range(LANES):
                    z = k * GROUP + SMOOTHING + l
                    y = rectify_step(block[j + l]) + TINY
                    block[j + l], lines[row, z] = low_pass_step(y, lines[row, z], b, a)
