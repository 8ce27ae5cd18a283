"""Adjoint of CARFAC's automatic gain control on the CPU: the loops of agc.py, backwards."""

import numpy as np

from skaud.kernels._compile import loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.agc import neighbours
from skaud.kernels.carfac.layout import BARS_GROUP, GROUP, LANES
from skaud.kernels.carfac.steps import aim_step_adjoint, gather_step, gather_step_adjoint, spatial_step_adjoint
from skaud.kernels.one_pole import ZERO, smoothing_step_adjoint


@loop
def aim_adjoint(all_bars, lines, row, reached, update, n_groups, decimation):
    """Adjoint of aim; reached[row, update] is the memory of the AGC's fastest stage."""
    bars, memory_bar = all_bars.lines, all_bars.memory
    for k in range(n_groups):
        for l in range(LANES):
            i, j, position = k * GROUP + l + GROUP, k * BARS_GROUP + l + BARS_GROUP, k * LANES + l
            stage_bar, health_bar, zr_bar, ga_bar, gb_bar, gc_bar, g_bar, dg_bar, zb_bar, dzb_bar = aim_step_adjoint(
                bars[row, j + at.G],
                bars[row, j + at.DG],
                bars[row, j + at.ZB],
                bars[row, j + at.DZB],
                reached[row, update, position],
                lines[row, i + at.HEALTH],
                lines[row, i + at.ZR],
                lines[row, i + at.GA],
                lines[row, i + at.GB],
                lines[row, i + at.GC],
                decimation,
            )
            bars[row, j + at.G] = g_bar
            bars[row, j + at.DG] = dg_bar
            bars[row, j + at.ZB] = zb_bar
            bars[row, j + at.DZB] = dzb_bar
            bars[row, j + at.ZR] += zr_bar
            bars[row, j + at.GA] += ga_bar
            bars[row, j + at.GB] += gb_bar
            bars[row, j + at.GC] += gc_bar
            bars[row, j + at.HEALTH] += health_bar
            memory_bar[row, 0, position] += stage_bar


@loop
def mix_ears_adjoint(bars, first, n_ears, s, table, kept, constants, update):
    """Adjoint of mix_ears; constants: also the bar of the mix, from the smoothed stage that was kept."""
    memory_bar, mix, smoothed_stage = bars.memory, table[s, at.MIX], 2 * table.shape[0] + s
    for i in range(memory_bar.shape[2]):
        mean = ZERO * memory_bar[first, s, i]
        if constants:
            for ear in range(n_ears):
                mean += kept[first + ear, update, smoothed_stage, i] / np.float32(n_ears)
        mean_bar = ZERO * memory_bar[first, s, i]
        # memory[ear] = smoothing_step(memory[ear], mean, mix)
        for ear in range(n_ears):
            memory = kept[first + ear, update, smoothed_stage, i] if constants else mean
            ear_bar, ear_mean_bar, mix_bar = smoothing_step_adjoint(memory_bar[first + ear, s, i], memory, mean, mix)
            memory_bar[first + ear, s, i] = ear_bar
            mean_bar += ear_mean_bar
            if constants:
                bars.table[s, at.MIX] += mix_bar
        # mean = sum of memory[ear] / n_ears
        for ear in range(n_ears):
            memory_bar[first + ear, s, i] += mean_bar / np.float32(n_ears)


@loop
def neighbours_adjoint(smoothed_bar, width, last, after):
    """Adjoint of neighbours."""
    for l in range(LANES - 1):
        # smoothed[width + LANES + l] = smoothed[LANES + l + 1]
        smoothed_bar[LANES + l + 1] += smoothed_bar[width + LANES + l]
        # smoothed[l + 1] = smoothed[width + l]
        smoothed_bar[width + l] += smoothed_bar[l + 1]
    # smoothed[width + LANES + LANES - 1] = smoothed[width + LANES - 1]
    smoothed_bar[width + LANES - 1] += smoothed_bar[width + LANES + LANES - 1]
    # smoothed[0] = smoothed[LANES]
    smoothed_bar[LANES] += smoothed_bar[0]
    if last + 1 < width:
        # smoothed[after + LANES] = smoothed[last + LANES]
        smoothed_bar[last + LANES] += smoothed_bar[after + LANES]
        smoothed_bar[after + LANES] = ZERO


@loop
def smooth_adjoint(memory_bar, pending_bar, row, s, padded, smoothed_bar, table, p):
    """Adjoint of smooth. padded holds two lanes of zeros at either end, around the bars of the smoothed memory."""
    width = p.n_groups * LANES
    basal, here, apical = table[s, at.BASAL], table[s, at.HERE], table[s, at.APICAL]
    for i in range(width):
        padded[i + 2 * LANES] = memory_bar[row, s, i]
    # memory[s, i] = spatial_step(smoothed[i], smoothed[i + LANES], smoothed[i + 2 * LANES], basal, here, apical)
    for i in range(width + 2 * LANES):
        smoothed_bar[i] = spatial_step_adjoint(padded[i + 2 * LANES], padded[i + LANES], padded[i], basal, here, apical)
    neighbours_adjoint(smoothed_bar, width, p.last, p.after)
    epsilon, scale, feedback = table[s, at.EPSILON], table[s, at.INPUT_SCALE], table[s, at.FEEDBACK]
    # smoothed[i] = gather_step(memory[s, i], pending[s, i], memory[deeper, i], epsilon, scale, feedback)
    for i in range(width):
        stage_bar, gathered_bar, _, _, _, _ = gather_step_adjoint(
            smoothed_bar[i + LANES], ZERO, ZERO, ZERO, epsilon, scale, feedback
        )
        memory_bar[row, s, i] = stage_bar
        pending_bar[row, s, i] = gathered_bar
    if s + 1 < memory_bar.shape[1]:
        for i in range(width):
            _, _, deeper_bar, _, _, _ = gather_step_adjoint(
                smoothed_bar[i + LANES], ZERO, ZERO, ZERO, epsilon, scale, feedback
            )
            memory_bar[row, s + 1, i] += deeper_bar


@loop
def smooth_table_adjoint(table_bar, row, update, s, table, p, room):
    """Bars of the coefficients of stage s, after smooth_adjoint has filled the padded bars and those of smoothed."""
    kept, padded, smoothed, smoothed_bar = room.tape.kept, room.padded, room.work.smoothed, room.smoothed_bar
    width, n_stages = p.n_groups * LANES, table.shape[0]
    epsilon, scale, feedback = table[s, at.EPSILON], table[s, at.INPUT_SCALE], table[s, at.FEEDBACK]
    deeper_at = 2 * n_stages + min(s + 1, n_stages - 1)
    for i in range(width):
        memory, gathered = kept[row, update, n_stages + s, i], kept[row, update, s, i]
        deeper = kept[row, update, deeper_at, i]
        smoothed[i + LANES] = gather_step(memory, gathered, deeper, epsilon, scale, feedback)
        # smoothed[i] = gather_step(memory[s, i], pending[s, i], memory[deeper, i], epsilon, scale, feedback)
        _, _, _, epsilon_bar, scale_bar, feedback_bar = gather_step_adjoint(
            smoothed_bar[i + LANES], memory, gathered, deeper, epsilon, scale, feedback
        )
        table_bar[s, at.EPSILON] += epsilon_bar
        table_bar[s, at.INPUT_SCALE] += scale_bar
        table_bar[s, at.FEEDBACK] += feedback_bar
    neighbours(smoothed, width, p.last, p.after)
    # memory[s, i] = spatial_step(smoothed[i], smoothed[i + LANES], smoothed[i + 2 * LANES], basal, here, apical)
    for i in range(width):
        table_bar[s, at.BASAL] += padded[i + 2 * LANES] * smoothed[i]
        table_bar[s, at.HERE] += padded[i + 2 * LANES] * smoothed[i + LANES]
        table_bar[s, at.APICAL] += padded[i + 2 * LANES] * smoothed[i + 2 * LANES]


@loop
def hand_on_adjoint(pending_bar, due, kept, constants, update, table, table_bar):
    """Adjoint of hand_on, when due stages' time had come."""
    n_rows, n_stages, width = pending_bar.shape
    for s in range(min(due, n_stages - 1), 0, -1):
        for row in range(n_rows):
            # pending[s] += pending[s - 1] * table[s - 1, at.INPUT_SCALE]
            for i in range(width):
                pending_bar[row, s - 1, i] += pending_bar[row, s, i] * table[s - 1, at.INPUT_SCALE]
            if constants:
                for i in range(width):
                    table_bar[s - 1, at.INPUT_SCALE] += pending_bar[row, s, i] * kept[row, update, s - 1, i]


@loop
def update_agc_adjoint(bars, lines, constants, update, table, p, room):
    """Adjoint of a segment's update_agc number `update`; constants: also the bars of the table."""
    tape, n_rows, due = room.tape, lines.shape[0], room.tape.due[update]
    for row in range(n_rows):
        aim_adjoint(bars, lines, row, tape.reached, update, p.n_groups, table[0, at.DECIMATION])
    if p.n_ears > 1:
        for s in range(due):
            for first in range(0, n_rows, p.n_ears):
                mix_ears_adjoint(bars, first, p.n_ears, s, table, tape.kept, constants, update)
    for s in range(due):
        for row in range(n_rows):
            smooth_adjoint(bars.memory, bars.pending, row, s, room.padded, room.smoothed_bar, table, p)
            if constants:
                smooth_table_adjoint(bars.table, row, update, s, table, p, room)
    hand_on_adjoint(bars.pending, due, tape.kept, constants, update, table, bars.table)
