"""Adjoint of CARFAC's automatic gain control on the CPU: the loops of carfac_agc.py, backwards."""

import numpy as np

from skaud.kernels._compile import loop
from skaud.kernels.carfac import (
    ZERO,
    agc_filter_step,
    agc_filter_step_adjoint,
    ear_mix_step_adjoint,
    ramp_step_adjoint,
    relative_undamping,
    relative_undamping_adjoint,
    slope_step_adjoint,
    spatial_step_adjoint,
    stage_gain_adjoint,
)
from skaud.kernels.carfac_agc import neighbours
from skaud.kernels.carfac_layout import (
    APICAL,
    BARS_GROUP,
    BASAL,
    DECIMATION,
    DG,
    DZB,
    EPSILON,
    FEEDBACK,
    GA,
    GB,
    GC,
    GROUP,
    HEALTH,
    HERE,
    INPUT_SCALE,
    LANES,
    MIX,
    ZB,
    ZR,
    G,
)


@loop
def aim_adjoint(bars, lines, row, reached, update, memory_bar, n_groups, decimation):
    """Adjoint of aim; reached[row, update] is the memory of the AGC's fastest stage."""
    for k in range(n_groups):
        for l in range(LANES):
            i, j, position = k * GROUP + l, k * BARS_GROUP + l, k * LANES + l
            memory, health = reached[row, update, position], lines[row, i + (GROUP + HEALTH)]
            zr, ga, gb = lines[row, i + (GROUP + ZR)], lines[row, i + (GROUP + GA)], lines[row, i + (GROUP + GB)]
            u = relative_undamping(memory, health)
            # lines[DZB] = slope_step(zb, lines[ZR] * u, decimation)
            zb_bar, zb_goal_bar = slope_step_adjoint(bars[row, j + (BARS_GROUP + DZB)], decimation)
            # lines[DG] = slope_step(g, g_goal, decimation)
            g_bar, g_goal_bar = slope_step_adjoint(bars[row, j + (BARS_GROUP + DG)], decimation)
            # lines[ZB] = zb = ramp_step(lines[ZB], lines[DZB], decimation)
            zb_bar, dzb_bar = ramp_step_adjoint(zb_bar + bars[row, j + (BARS_GROUP + ZB)], decimation)
            # lines[G] = g = ramp_step(lines[G], lines[DG], decimation)
            g_bar, dg_bar = ramp_step_adjoint(g_bar + bars[row, j + (BARS_GROUP + G)], decimation)
            bars[row, j + (BARS_GROUP + ZB)] = zb_bar
            bars[row, j + (BARS_GROUP + DZB)] = dzb_bar
            bars[row, j + (BARS_GROUP + G)] = g_bar
            bars[row, j + (BARS_GROUP + DG)] = dg_bar
            # g_goal = stage_gain(u, lines[GA], lines[GB], lines[GC])
            u_bar, ga_bar, gb_bar, gc_bar = stage_gain_adjoint(g_goal_bar, u, ga, gb, lines[row, i + (GROUP + GC)])
            bars[row, j + (BARS_GROUP + ZR)] += zb_goal_bar * u
            bars[row, j + (BARS_GROUP + GA)] += ga_bar
            bars[row, j + (BARS_GROUP + GB)] += gb_bar
            bars[row, j + (BARS_GROUP + GC)] += gc_bar
            # u = relative_undamping(memory, lines[HEALTH])
            stage_bar, health_bar = relative_undamping_adjoint(u_bar + zb_goal_bar * zr, memory, health)
            memory_bar[row, 0, position] += stage_bar
            bars[row, j + (BARS_GROUP + HEALTH)] += health_bar


@loop
def mix_ears_adjoint(memory_bar, first, n_ears, s, mix, kept, constants, update, smoothed_stage, table_bar):
    """Adjoint of mix_ears; constants: also the bar of the mix, from kept[:, update, smoothed_stage]."""
    for i in range(memory_bar.shape[2]):
        mean = ZERO * memory_bar[first, s, i]
        if constants:
            for ear in range(n_ears):
                mean += kept[first + ear, update, smoothed_stage, i] / np.float32(n_ears)
        mean_bar = ZERO * memory_bar[first, s, i]
        # memory[ear] = ear_mix_step(memory[ear], mean, mix)
        for ear in range(n_ears):
            memory = kept[first + ear, update, smoothed_stage, i] if constants else mean
            ear_bar, ear_mean_bar, mix_bar = ear_mix_step_adjoint(memory_bar[first + ear, s, i], memory, mean, mix)
            memory_bar[first + ear, s, i] = ear_bar
            mean_bar += ear_mean_bar
            if constants:
                table_bar[s, MIX] += mix_bar
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
    basal, here, apical = table[s, BASAL], table[s, HERE], table[s, APICAL]
    for i in range(width):
        padded[i + 2 * LANES] = memory_bar[row, s, i]
    # memory[s, i] = spatial_step(smoothed[i], smoothed[i + LANES], smoothed[i + 2 * LANES], basal, here, apical)
    for i in range(width + 2 * LANES):
        smoothed_bar[i] = spatial_step_adjoint(padded[i + 2 * LANES], padded[i + LANES], padded[i], basal, here, apical)
    neighbours_adjoint(smoothed_bar, width, p.last, p.after)
    epsilon, scale, feedback = table[s, EPSILON], table[s, INPUT_SCALE], table[s, FEEDBACK]
    # smoothed[i] = agc_filter_step(memory[s, i], epsilon, pending[s, i] * scale + feedback * memory[deeper, i])
    for i in range(width):
        stage_bar, _, x_bar = agc_filter_step_adjoint(smoothed_bar[i + LANES], ZERO, epsilon, ZERO)
        memory_bar[row, s, i] = stage_bar
        pending_bar[row, s, i] = x_bar * scale
    if s + 1 < memory_bar.shape[1]:
        for i in range(width):
            memory_bar[row, s + 1, i] += smoothed_bar[i + LANES] * epsilon * feedback


@loop
def smooth_table_adjoint(table_bar, kept, row, update, s, padded, smoothed, smoothed_bar, table, p):
    """Bars of the coefficients of stage s, after smooth_adjoint has filled padded and smoothed_bar.

    kept (n_rows, n_updates, 3 * n_stages, width) has what the stages gathered, their memories before, and after.
    """
    width, n_stages = p.n_groups * LANES, table.shape[0]
    epsilon, scale, feedback = table[s, EPSILON], table[s, INPUT_SCALE], table[s, FEEDBACK]
    deeper = 2 * n_stages + min(s + 1, n_stages - 1)
    for i in range(width):
        x = kept[row, update, s, i] * scale + feedback * kept[row, update, deeper, i]
        memory = kept[row, update, n_stages + s, i]
        smoothed[i + LANES] = agc_filter_step(memory, epsilon, x)
        # smoothed[i] = agc_filter_step(memory[s, i], epsilon, pending[s, i] * scale + feedback * memory[deeper, i])
        _, epsilon_bar, x_bar = agc_filter_step_adjoint(smoothed_bar[i + LANES], memory, epsilon, x)
        table_bar[s, EPSILON] += epsilon_bar
        table_bar[s, INPUT_SCALE] += x_bar * kept[row, update, s, i]
        table_bar[s, FEEDBACK] += x_bar * kept[row, update, deeper, i]
    neighbours(smoothed, width, p.last, p.after)
    # memory[s, i] = spatial_step(smoothed[i], smoothed[i + LANES], smoothed[i + 2 * LANES], basal, here, apical)
    for i in range(width):
        table_bar[s, BASAL] += padded[i + 2 * LANES] * smoothed[i]
        table_bar[s, HERE] += padded[i + 2 * LANES] * smoothed[i + LANES]
        table_bar[s, APICAL] += padded[i + 2 * LANES] * smoothed[i + 2 * LANES]


@loop
def hand_on_adjoint(pending_bar, due, kept, constants, update, table, table_bar):
    """Adjoint of hand_on, when due stages' time had come."""
    n_rows, n_stages, width = pending_bar.shape
    for s in range(min(due, n_stages - 1), 0, -1):
        for row in range(n_rows):
            # pending[s] += pending[s - 1] * table[s - 1, INPUT_SCALE]
            for i in range(width):
                pending_bar[row, s - 1, i] += pending_bar[row, s, i] * table[s - 1, INPUT_SCALE]
            if constants:
                for i in range(width):
                    table_bar[s - 1, INPUT_SCALE] += pending_bar[row, s, i] * kept[row, update, s - 1, i]


@loop
def update_agc_adjoint(
    bars, lines, memory_bar, pending_bar, table_bar, reached, kept, constants, update, due, table, p, work
):
    """Adjoint of update_agc, when due stages' time had come; constants: also the bars of the table."""
    n_rows, width = memory_bar.shape[0], p.n_groups * LANES
    padded, smoothed_bar = work[: width + 4 * LANES], work[width + 4 * LANES : 2 * width + 6 * LANES]
    smoothed = work[2 * width + 6 * LANES : 3 * width + 8 * LANES]
    for row in range(n_rows):
        aim_adjoint(bars, lines, row, reached, update, memory_bar, p.n_groups, table[0, DECIMATION])
    if p.n_ears > 1:
        for s in range(due):
            for first in range(0, n_rows, p.n_ears):
                stage = 2 * table.shape[0] + s
                mix_ears_adjoint(
                    memory_bar, first, p.n_ears, s, table[s, MIX], kept, constants, update, stage, table_bar
                )
    for s in range(due):
        for row in range(n_rows):
            smooth_adjoint(memory_bar, pending_bar, row, s, padded, smoothed_bar, table, p)
            if constants:
                smooth_table_adjoint(table_bar, kept, row, update, s, padded, smoothed, smoothed_bar, table, p)
    hand_on_adjoint(pending_bar, due, kept, constants, update, table, table_bar)
