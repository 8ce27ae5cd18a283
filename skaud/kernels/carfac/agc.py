"""CARFAC's automatic gain control on the CPU, whenever its first decimation has passed."""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels._compile import copy_run, loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.layout import GROUP, LANES
from skaud.kernels.carfac.steps import aim_step, gather_step, spatial_step
from skaud.kernels.carfac.taping import keep_stages, tape_ramps
from skaud.kernels.one_pole import ZERO, smoothing_step


@loop
def add_samples(scratch, source, row, start, stop, total, target):
    """Add samples start to stop of scratch[source, row] to total[row, target], one after the other."""
    t = start
    while stop - t >= 8:
        for i in range(total.shape[2]):
            total[row, target, i] = (
                total[row, target, i]
                + scratch[source, row, t, i]
                + scratch[source, row, t + 1, i]
                + scratch[source, row, t + 2, i]
                + scratch[source, row, t + 3, i]
                + scratch[source, row, t + 4, i]
                + scratch[source, row, t + 5, i]
                + scratch[source, row, t + 6, i]
                + scratch[source, row, t + 7, i]
            )
        t += 8
    while t < stop:
        for i in range(total.shape[2]):
            total[row, target, i] += scratch[source, row, t, i]
        t += 1


@loop
def neighbours(smoothed, width, last, after):
    """Fill a lane of channels in front of the first group, and one behind the last."""
    if last + 1 < width:  # the edge repeats: the first empty channel takes the last real one's value
        smoothed[after + LANES] = smoothed[last + LANES]
    smoothed[0] = smoothed[LANES]
    smoothed[width + LANES + LANES - 1] = smoothed[width + LANES - 1]
    for l in range(LANES - 1):  # neighbours of a lane's ends lie in the lanes beside it
        smoothed[l + 1] = smoothed[width + l]
        smoothed[width + LANES + l] = smoothed[LANES + l + 1]


@loop
def smooth(memory, pending, row, s, smoothed, table, n_groups, last, after):
    """Stage s of one row: what it gathered and the deeper stage's memory, smoothed in time, then over channels."""
    width = n_groups * LANES
    epsilon, scale, feedback = table[s, at.EPSILON], table[s, at.INPUT_SCALE], table[s, at.FEEDBACK]
    basal, here, apical = table[s, at.BASAL], table[s, at.HERE], table[s, at.APICAL]
    deeper = min(s + 1, memory.shape[1] - 1)
    for i in range(width):
        smoothed[i + LANES] = gather_step(
            memory[row, s, i], pending[row, s, i], memory[row, deeper, i], epsilon, scale, feedback
        )
        pending[row, s, i] = ZERO
    neighbours(smoothed, width, last, after)
    for i in range(width):
        memory[row, s, i] = spatial_step(smoothed[i], smoothed[i + LANES], smoothed[i + 2 * LANES], basal, here, apical)


@loop
def mix_ears(memory, first, n_ears, s, mix):
    """Share stage s between the ears of the signal whose first row is given."""
    for i in range(memory.shape[2]):
        mean = memory[first, s, i]
        for ear in range(1, n_ears):
            mean += memory[first + ear, s, i]
        mean = mean / np.float32(n_ears)
        for ear in range(n_ears):
            memory[first + ear, s, i] = smoothing_step(memory[first + ear, s, i], mean, mix)


@loop
def aim(lines, row, memory, n_groups, decimation):
    """Let the cascade's damping and gain run towards what the AGC's fastest stage asks for."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l + GROUP
            g, dg, zb, dzb = aim_step(
                memory[row, 0, k * LANES + l],
                lines[row, i + at.HEALTH],
                lines[row, i + at.ZR],
                lines[row, i + at.GA],
                lines[row, i + at.GB],
                lines[row, i + at.GC],
                lines[row, i + at.G],
                lines[row, i + at.DG],
                lines[row, i + at.ZB],
                lines[row, i + at.DZB],
                decimation,
            )
            lines[row, i + at.G] = g
            lines[row, i + at.ZB] = zb
            lines[row, i + at.DG] = dg
            lines[row, i + at.DZB] = dzb


@loop
def hand_on(pending, phase, table, smoothed):
    """Hand what each stage gathered to the deeper one; returns the number of stages whose time has come."""
    n_rows, n_stages, width = pending.shape
    due = 1
    while due < n_stages:
        scale = table[due - 1, at.INPUT_SCALE]
        for row in range(n_rows):
            for i in range(width):  # by way of smoothed: LLVM cannot see that two rows of one array do not overlap
                smoothed[i] = pending[row, due - 1, i] * scale
            for i in range(width):
                pending[row, due, i] += smoothed[i]
        phase[due] += 1
        if phase[due] < table[due, at.DECIMATION].real:
            break
        phase[due] = 0
        due += 1
    return due


@loop
def smooth_due(memory, pending, due, table, p, smoothed):
    """The stages whose time has come, deeper ones first."""
    for s in range(due - 1, -1, -1):
        for row in range(memory.shape[0]):
            smooth(memory, pending, row, s, smoothed, table, p.n_groups, p.last, p.after)


@loop
def share_due(memory, due, table, p):
    """Share them between the ears."""
    if p.n_ears > 1:
        for s in range(due):
            for first in range(0, memory.shape[0], p.n_ears):
                mix_ears(memory, first, p.n_ears, s, table[s, at.MIX])


@cache
def update_agc_for(taped: bool, constants: bool) -> Callable:
    """Loop for the AGC's update; taped: it leaves what its adjoint must know, constants: and the bars of the table."""

    @loop
    def update_agc(state, table, p, smoothed, tape, update):
        """Hand the summed NAP to the stages whose time has come; close the loop."""
        memory, pending = state.memory, state.pending
        n_rows, n_stages, width = memory.shape
        due = hand_on(pending, state.phase, table, smoothed)
        if constants:
            keep_stages(tape.kept, update, 0, pending)
            keep_stages(tape.kept, update, n_stages, memory)
        smooth_due(memory, pending, due, table, p, smoothed)
        if constants:
            keep_stages(tape.kept, update, 2 * n_stages, memory)
        share_due(memory, due, table, p)
        for row in range(n_rows):
            aim(state.lines, row, memory, p.n_groups, table[0, at.DECIMATION])
            if taped:
                copy_run(tape.reached, (row, update, 0), memory, (row, 0, 0), width)
                tape_ramps(state.lines, row, tape.ramps, update + 1, p.n_groups)
        if taped:
            tape.due[update] = due

    return update_agc
