"""Inner hair cell: half-wave rectification, then low-passes in a row."""

from skaud.kernels._compile import loop
from skaud.kernels.one_pole import TINY, low_pass_step
from skaud.kernels.osses_layout import GROUP, LANES, SMOOTHING, TAPED_PASSES
from skaud.kernels.pointwise import rectify_step


@loop
def smooth_hair_cells(row, n_samples, lines, block, n_groups, n_passes, b, a, tape, slot):
    """Rectify and smooth block, in place; the tape (or None) gets what comes in, and the states before."""
    for t in range(n_samples):
        for k in range(n_groups):
            x, z = block[(t * n_groups + k) * LANES :][:LANES], lines[row, k * GROUP + SMOOTHING :][: 5 * LANES]
            u = x
            if tape is not None:
                u = tape.passes[((slot + t) * n_groups + k) * TAPED_PASSES :][:TAPED_PASSES]
            if n_passes == 5:  # breebaart2001; written out, so that the samples stay in registers
                for l in range(LANES):
                    if tape is not None:
                        u[l], u[l + LANES], u[l + 2 * LANES] = x[l], z[l], z[l + LANES]
                        u[l + 3 * LANES], u[l + 4 * LANES] = z[l + 2 * LANES], z[l + 3 * LANES]
                        u[l + 5 * LANES] = z[l + 4 * LANES]
                    y = rectify_step(x[l]) + TINY
                    y, z[l] = low_pass_step(y, z[l], b, a)
                    y, z[l + LANES] = low_pass_step(y, z[l + LANES], b, a)
                    y, z[l + 2 * LANES] = low_pass_step(y, z[l + 2 * LANES], b, a)
                    y, z[l + 3 * LANES] = low_pass_step(y, z[l + 3 * LANES], b, a)
                    y, z[l + 4 * LANES] = low_pass_step(y, z[l + 4 * LANES], b, a)
                    x[l] = y
            else:  # dau1996, a single one
                for l in range(LANES):
                    if tape is not None:
                        u[l], u[l + LANES] = x[l], z[l]
                    y = rectify_step(x[l]) + TINY
                    x[l], z[l] = low_pass_step(y, z[l], b, a)
