"""Adjoints of the stages of Osses et al. (2021) on a block: their loops backwards, with the steps' adjoints.

A block of bars holds the derivatives with respect to what a stage returns, then those with respect to what it takes.
`slot` is where the block's first sample lies on the tape.
"""

from skaud.kernels._compile import loop
from skaud.kernels.adaptation import floor_step, floor_step_adjoint, limit_step_adjoint
from skaud.kernels.gammatone import gammatone_step_adjoint
from skaud.kernels.modulation import (
    cell_step,
    cell_step_adjoint,
    envelope_output_step_adjoint,
    linear_output_step_adjoint,
)
from skaud.kernels.one_pole import (
    TINY,
    TWO,
    ZERO,
    low_pass_step,
    low_pass_step_adjoint,
    smoothing_step_adjoint,
)
from skaud.kernels.osses_layout import (
    CELL,
    CELL_B,
    CELL_IM,
    CELL_RE,
    CELL_STEP_IM,
    CELL_STEP_RE,
    DIRECT,
    ENVELOPE,
    GROUP,
    IM1,
    IM2,
    IM3,
    IM4,
    LANES,
    MIX_IM,
    MIX_RE,
    RE1,
    RE2,
    RE3,
    RE4,
    SECTION_B,
    SEGMENT,
    SMOOTHING,
    STEP_IM,
    STEP_RE,
    TAPED_LOOP,
    TAPED_PASSES,
    TAPED_SECTIONS,
)
from skaud.kernels.osses_tape import (
    BARS_GROUP,
    BARS_LOOP,
    ENVELOPE_A,
    ENVELOPE_B,
    HAIR_A,
    HAIR_B,
    LOOPS,
    OFFSET,
    SCALE,
)
from skaud.kernels.pointwise import rectify_step, rectify_step_adjoint


@loop
def restate(n_samples, f, x, width, states):
    """States of a cell f before each sample of a block, and after the last; x begins at its group's first sample."""
    for t in range(n_samples):
        sample, now = x[t * width :][:LANES], states[t * 2 * LANES :][: 4 * LANES]
        for l in range(LANES):
            now[l + 2 * LANES], now[l + 3 * LANES] = cell_step(f, l, sample[l], now[l], now[l + LANES])


@loop
def filter_modulation_adjoint(
    row, n_samples, slot, cells, cells_bar, tape, seeds, frames, states, bar, n_groups, groups, n_linear, wanted
):
    """Adjoint of filter_modulation, from the seeds of each sample's frame; bar is overwritten.

    Cell by cell, whose states of a block are computed once more, into states.
    """
    n_cells, width = len(groups), n_groups * LANES
    for i in range(n_samples * width):
        bar[i] = ZERO
    for cell in range(n_cells):
        f, f_bar = cells[row, cell * CELL :][:CELL], cells_bar[row, cell * CELL :][:CELL]
        first = tape.cells[(slot // SEGMENT * n_cells + cell) * 2 * LANES :][: 2 * LANES]
        for i in range(2 * LANES):
            states[i] = first[i]
        of_group = tape.inputs[slot * width + groups[cell] * LANES :]
        restate(n_samples, f, of_group, width, states)
        if cell < n_linear:
            for t in range(n_samples - 1, -1, -1):
                x, x_bar = of_group[t * width :][:LANES], bar[t * width + groups[cell] * LANES :][:LANES]
                now, seed = states[t * 2 * LANES :][: 4 * LANES], seeds[(frames[t] * n_cells + cell) * LANES :][:LANES]
                for l in range(LANES):
                    # total = total + linear_output_step(x, re, im, f[l + DIRECT], f[l + MIX_RE], f[l + MIX_IM])
                    through_bar, re_bar, im_bar, direct_bar, mix_re_bar, mix_im_bar = linear_output_step_adjoint(
                        seed[l], x[l], now[l + 2 * LANES], now[l + 3 * LANES],
                        f[l + DIRECT], f[l + MIX_RE], f[l + MIX_IM],
                    )  # fmt: skip
                    # re, im = cell_step(f, l, x, re, im)
                    entering_bar, re_bar, im_bar, step_re_bar, step_im_bar, b_bar = cell_step_adjoint(
                        re_bar + f_bar[l + CELL_RE], im_bar + f_bar[l + CELL_IM], f, l, x[l], now[l], now[l + LANES]
                    )
                    f_bar[l + CELL_RE], f_bar[l + CELL_IM] = re_bar, im_bar
                    x_bar[l] += through_bar + entering_bar
                    if wanted:
                        f_bar[l + CELL_STEP_RE] += step_re_bar
                        f_bar[l + CELL_STEP_IM] += step_im_bar
                        f_bar[l + CELL_B] += b_bar
                        f_bar[l + DIRECT] += direct_bar
                        f_bar[l + MIX_RE] += mix_re_bar
                        f_bar[l + MIX_IM] += mix_im_bar
        else:
            for t in range(n_samples - 1, -1, -1):
                x, x_bar = of_group[t * width :][:LANES], bar[t * width + groups[cell] * LANES :][:LANES]
                now, seed = states[t * 2 * LANES :][: 4 * LANES], seeds[(frames[t] * n_cells + cell) * LANES :][:LANES]
                for l in range(LANES):
                    # total = total + envelope_output_step(re, im, f[l + MIX_RE])
                    re_bar, im_bar, mix_re_bar = envelope_output_step_adjoint(
                        seed[l], now[l + 2 * LANES], now[l + 3 * LANES], f[l + MIX_RE]
                    )
                    # re, im = cell_step(f, l, x, re, im)
                    entering_bar, re_bar, im_bar, step_re_bar, step_im_bar, b_bar = cell_step_adjoint(
                        re_bar + f_bar[l + CELL_RE], im_bar + f_bar[l + CELL_IM], f, l, x[l], now[l], now[l + LANES]
                    )
                    f_bar[l + CELL_RE], f_bar[l + CELL_IM] = re_bar, im_bar
                    x_bar[l] += entering_bar
                    if wanted:
                        f_bar[l + CELL_STEP_RE] += step_re_bar
                        f_bar[l + CELL_STEP_IM] += step_im_bar
                        f_bar[l + CELL_B] += b_bar
                        f_bar[l + MIX_RE] += mix_re_bar


@loop
def smooth_envelopes_adjoint(row, n_samples, slot, lines_bar, tape, bar, n_groups, b, a):
    """Adjoint of smooth_envelopes."""
    for t in range(n_samples - 1, -1, -1):
        for k in range(n_groups):
            f_bar = lines_bar[row, k * BARS_GROUP :][:BARS_GROUP]
            x_bar = bar[(t * n_groups + k) * LANES :][:LANES]
            x = tape.envelopes[((slot + t) * n_groups + k) * LANES :][:LANES]
            y = tape.inputs[((slot + t) * n_groups + k) * LANES :][:LANES]
            for l in range(LANES):
                # y, z = low_pass_step(x, z, b, a)
                x_bar[l], f_bar[l + ENVELOPE], b_bar, a_bar = low_pass_step_adjoint(
                    x_bar[l], f_bar[l + ENVELOPE], x[l], y[l], b, a
                )
                f_bar[l + ENVELOPE_B] += b_bar
                f_bar[l + ENVELOPE_A] += a_bar


@loop
def adapt_adjoint(row, n_samples, slot, lines_bar, tape, bar, n_groups, n_loops, limited, loops, c, wanted):
    """Adjoint of adapt: its wavefront, with the last loop ahead and the last sample first."""
    taped = n_loops * TAPED_LOOP
    for t in range(n_samples):
        for k in range(n_groups):
            y = tape.loops[((slot + t) * n_groups + k + 1) * taped - LANES :][:LANES]
            f_bar = lines_bar[row, k * BARS_GROUP :][:BARS_GROUP]
            y_bar = bar[(t * n_groups + k) * LANES :][:LANES]
            for l in range(LANES):
                # out = (y - c.offset) * c.scale + TINY
                out_bar = y_bar[l]
                y_bar[l] = out_bar * c.scale
                f_bar[l + OFFSET] -= out_bar * c.scale
                f_bar[l + SCALE] += out_bar * (y[l] - c.offset)
    for wave in range(n_samples + n_loops - 1):
        for m in range(max(0, wave - n_samples + 1), min(n_loops, wave + 1)):
            n, t = n_loops - 1 - m, n_samples - 1 - (wave - m)
            smoothing, excess, slope, floor, gain = loops[n, 0], loops[n, 1], loops[n, 2], loops[n, 3], loops[n, 4]
            for k in range(n_groups):
                of_sample = tape.loops[((slot + t) * n_groups + k) * taped + n * TAPED_LOOP :][:TAPED_LOOP]
                # Here a loop's bars lie side by side.
                f_bar = lines_bar[row, k * BARS_GROUP + n * BARS_LOOP + LOOPS :][:BARS_LOOP]
                x_bar = bar[(t * n_groups + k) * LANES :][:LANES]
                for l in range(LANES):
                    x, divisor, y = of_sample[l], of_sample[l + LANES], of_sample[l + 2 * LANES]
                    quotient = floor_step(x, floor) / divisor
                    # divisor_next = smoothing_step(divisor, y, smoothing)
                    before_bar, y_bar, smoothing_bar = smoothing_step_adjoint(f_bar[l], divisor, y, smoothing)
                    y_bar = y_bar + x_bar[l]
                    # y = limit_step(quotient, excess, slope, c), or without a limit the quotient
                    quotient_bar, excess_bar, slope_bar = y_bar, ZERO * y_bar, ZERO * y_bar
                    if limited:
                        quotient_bar, excess_bar, slope_bar = limit_step_adjoint(y_bar, quotient, y, excess, slope, c)
                    # quotient = floor_step(x, floor) / divisor
                    floored_bar = quotient_bar / divisor
                    f_bar[l] = before_bar - floored_bar * quotient
                    scaled_bar, floor_bar = floor_step_adjoint(floored_bar, x, floor)
                    # scaled = gain * x
                    x_bar[l] = gain * scaled_bar
                    if wanted:
                        f_bar[l + LANES] += smoothing_bar
                        f_bar[l + 2 * LANES] += excess_bar
                        f_bar[l + 3 * LANES] += slope_bar
                        f_bar[l + 4 * LANES] += floor_bar


@loop
def smooth_hair_cells_adjoint(row, n_samples, slot, lines_bar, tape, bar, n_groups, n_passes, b, a):
    """Adjoint of smooth_hair_cells."""
    for t in range(n_samples - 1, -1, -1):
        for k in range(n_groups):
            taped = tape.passes[((slot + t) * n_groups + k) * TAPED_PASSES :][:TAPED_PASSES]
            f_bar = lines_bar[row, k * BARS_GROUP :][:BARS_GROUP]
            x_bar = bar[(t * n_groups + k) * LANES :][:LANES]
            if n_passes == 5:
                for l in range(LANES):
                    y0 = rectify_step(taped[l]) + TINY
                    y1, _ = low_pass_step(y0, taped[l + LANES], b, a)
                    y2, _ = low_pass_step(y1, taped[l + 2 * LANES], b, a)
                    y3, _ = low_pass_step(y2, taped[l + 3 * LANES], b, a)
                    y4, _ = low_pass_step(y3, taped[l + 4 * LANES], b, a)
                    y5, _ = low_pass_step(y4, taped[l + 5 * LANES], b, a)
                    # y5, z5 = low_pass_step(y4, z5, b, a), and so on down to y1
                    y_bar, f_bar[l + (SMOOTHING + 4 * LANES)], b5, a5 = low_pass_step_adjoint(
                        x_bar[l], f_bar[l + (SMOOTHING + 4 * LANES)], y4, y5, b, a
                    )
                    y_bar, f_bar[l + (SMOOTHING + 3 * LANES)], b4, a4 = low_pass_step_adjoint(
                        y_bar, f_bar[l + (SMOOTHING + 3 * LANES)], y3, y4, b, a
                    )
                    y_bar, f_bar[l + (SMOOTHING + 2 * LANES)], b3, a3 = low_pass_step_adjoint(
                        y_bar, f_bar[l + (SMOOTHING + 2 * LANES)], y2, y3, b, a
                    )
                    y_bar, f_bar[l + (SMOOTHING + LANES)], b2, a2 = low_pass_step_adjoint(
                        y_bar, f_bar[l + (SMOOTHING + LANES)], y1, y2, b, a
                    )
                    y_bar, f_bar[l + SMOOTHING], b1, a1 = low_pass_step_adjoint(
                        y_bar, f_bar[l + SMOOTHING], y0, y1, b, a
                    )
                    # y0 = rectify_step(x) + TINY
                    x_bar[l] = rectify_step_adjoint(y_bar, taped[l])
                    f_bar[l + HAIR_B] += b1 + b2 + b3 + b4 + b5
                    f_bar[l + HAIR_A] += a1 + a2 + a3 + a4 + a5
            else:
                for l in range(LANES):
                    y0 = rectify_step(taped[l]) + TINY
                    y1, _ = low_pass_step(y0, taped[l + LANES], b, a)
                    # y1, z1 = low_pass_step(y0, z1, b, a)
                    y_bar, f_bar[l + SMOOTHING], b1, a1 = low_pass_step_adjoint(
                        x_bar[l], f_bar[l + SMOOTHING], y0, y1, b, a
                    )
                    # y0 = rectify_step(x) + TINY
                    x_bar[l] = rectify_step_adjoint(y_bar, taped[l])
                    f_bar[l + HAIR_B] += b1
                    f_bar[l + HAIR_A] += a1


@loop
def filter_gammatone_adjoint(x, x_bar, row, begin, end, slot, lines, lines_bar, tape, bar, n_groups, wanted):
    """Adjoint of filter_gammatone, from bar to x_bar."""
    for t in range(end - begin - 1, -1, -1):
        s = x[row, begin + t] + TINY
        for k in range(n_groups):
            f, f_bar = lines[row, k * GROUP :][:GROUP], lines_bar[row, k * BARS_GROUP :][:BARS_GROUP]
            out_bar = bar[(t * n_groups + k) * LANES :][:LANES]
            now = tape.sections[((slot + t) * n_groups + k) * TAPED_SECTIONS :][:TAPED_SECTIONS]
            after = tape.sections[((slot + t + 1) * n_groups + k) * TAPED_SECTIONS :][:TAPED_SECTIONS]
            for l in range(LANES):
                # block = TWO * re4
                re4_bar = f_bar[l + RE4] + TWO * out_bar[l]
                # re1, im1, ... = gammatone_step(s, re1, im1, ...)
                re1, im1, re2, im2, re3, im3, re4, im4, s_bar, step_re, step_im, b = gammatone_step_adjoint(
                    f_bar[l + RE1], f_bar[l + IM1], f_bar[l + RE2], f_bar[l + IM2],
                    f_bar[l + RE3], f_bar[l + IM3], re4_bar, f_bar[l + IM4],
                    s, now[l], now[l + LANES], now[l + 2 * LANES], now[l + 3 * LANES],
                    now[l + 4 * LANES], now[l + 5 * LANES], now[l + 6 * LANES], now[l + 7 * LANES],
                    after[l], after[l + LANES], after[l + 2 * LANES], after[l + 3 * LANES],
                    after[l + 4 * LANES], after[l + 5 * LANES],
                    f[l + STEP_RE], f[l + STEP_IM], f[l + SECTION_B],
                )  # fmt: skip
                f_bar[l + RE1], f_bar[l + IM1], f_bar[l + RE2], f_bar[l + IM2] = re1, im1, re2, im2
                f_bar[l + RE3], f_bar[l + IM3], f_bar[l + RE4], f_bar[l + IM4] = re3, im3, re4, im4
                if wanted:
                    f_bar[l + STEP_RE] += step_re
                    f_bar[l + STEP_IM] += step_im
                    f_bar[l + SECTION_B] += b
                out_bar[l] = s_bar
        x_bar[row, begin + t] = sum_lanes(bar[t * n_groups * LANES :][: n_groups * LANES], n_groups)


@loop
def sum_lanes(sample, n_groups):
    """Sum of all lanes of a sample, by halves; it is overwritten."""
    for k in range(1, n_groups):
        for l in range(LANES):
            sample[l] += sample[k * LANES + l]
    for l in range(8):
        sample[l] += sample[8 + l]
    for l in range(4):
        sample[l] += sample[4 + l]
    return (sample[0] + sample[2]) + (sample[1] + sample[3])
