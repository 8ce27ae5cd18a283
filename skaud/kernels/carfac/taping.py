"""Forward runs of CARFAC on the CPU that leave on a tape what its adjoint must know: a segment at a time."""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels._compile import copy_run, loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.agc import add_samples, aim, hand_on, share_due, smooth_due
from skaud.kernels.carfac.checkpoints import n_changing
from skaud.kernels.carfac.hair_cells import TWO_CAP
from skaud.kernels.carfac.layout import GROUP, LANES, OUT, SEGMENT, Z1
from skaud.kernels.carfac.sample import respond_for

RAMPS = 4 * LANES  # G, DG, at.ZB, at.DZB


def n_taped(style: int, constants: bool) -> int:
    """Values of a group that the tape holds for a sample, from Z1 on."""
    if style == TWO_CAP and not constants:
        return at.CAP2 + LANES - Z1
    return max(n_changing(style) + at.AC, at.BM + LANES) - Z1


@loop
def tape_sample(lines, row, samples, slot, n_groups, taped):
    """Copy what the reverse run needs of a sample: `taped` values of every group, and what flows into each lane."""
    copy_run(samples, (row, slot, OUT - Z1), lines, (row, OUT), LANES)
    for k in range(1, n_groups + 1):
        copy_run(samples, (row, slot, k * taped), lines, (row, k * GROUP + Z1), taped)


@loop
def tape_delayed(lines, row, samples, n_groups, taped):
    """Begin the tape: with z2 before the sample before."""
    for k in range(1, n_groups + 1):
        copy_run(samples, (row, 0, k * taped + at.Z2 - Z1), lines, (row, k * GROUP + at.ZA), LANES)


@loop
def tape_ramps(lines, row, ramps, block, n_groups):
    """Copy the ramps that lead to the AGC's next update."""
    for k in range(n_groups):
        copy_run(ramps, (row, block, k * RAMPS), lines, (row, (k + 1) * GROUP + at.G), RAMPS)


@loop
def restore_ramps(lines, row, ramps, block, n_groups):
    """Put them back."""
    for k in range(n_groups):
        copy_run(lines, (row, (k + 1) * GROUP + at.G), ramps, (row, block, k * RAMPS), RAMPS)


@loop
def keep_stages(kept, update, first, stages):
    """Copy stages (n_rows, n_stages, width) to kept, from entry `first` on."""
    for row in range(stages.shape[0]):
        for s in range(stages.shape[1]):
            copy_run(kept, (row, update, first + s, 0), stages, (row, s, 0), stages.shape[2])


@cache
def advance_taping_for(style: int, delay: bool, constants: bool) -> Callable:
    """Loop for one hair cell, with delay or ripple; constants: for the bars of what does not change, too."""
    respond, taped = respond_for(style, delay), n_taped(style, constants)

    @loop
    def advance_taping(x, start, stop, state, table, p, c, tape, work):
        """As advance, leaving a tape; returns the number of updates of the AGC."""
        lines, memory, pending, phase = state.lines, state.memory, state.pending, state.phase
        n_rows, n_stages = memory.shape[0], memory.shape[1]
        update, summed = 0, 0
        for row in range(n_rows):
            tape_delayed(lines, row, tape.samples, p.n_groups, taped)
            tape_sample(lines, row, tape.samples, 1, p.n_groups, taped)
            tape_ramps(lines, row, tape.ramps, 0, p.n_groups)
        for t in range(stop - start):
            tape.elapsed[t] = phase[0] + 1
            elapsed = np.float32(phase[0] + 1)
            respond(x, start + t, lines, elapsed, p.n_groups, c, work.scratch, t % SEGMENT, work.entry)
            for row in range(n_rows):
                tape_sample(lines, row, tape.samples, t + 2, p.n_groups, taped)
            if p.closed:
                phase[0] += 1
                due = phase[0] == p.first_decimation
                if due or t + 1 == stop - start or (t + 1) % SEGMENT == 0:
                    for row in range(n_rows):
                        add_samples(work.scratch, 0, row, summed, t % SEGMENT + 1, pending, 0)
                    summed = (t + 1) % SEGMENT
                if due:
                    phase[0] = 0
                    n_due = hand_on(pending, phase, table, work.smoothed)
                    if constants:
                        keep_stages(tape.kept, update, 0, pending)
                        keep_stages(tape.kept, update, n_stages, memory)
                    smooth_due(memory, pending, n_due, table, p, work.smoothed)
                    if constants:
                        keep_stages(tape.kept, update, 2 * n_stages, memory)
                    share_due(memory, n_due, table, p)
                    tape.due[update] = n_due
                    update += 1
                    for row in range(n_rows):
                        copy_run(tape.reached, (row, update - 1, 0), memory, (row, 0, 0), memory.shape[2])
                        aim(lines, row, memory, p.n_groups, table[0, at.DECIMATION])
                        tape_ramps(lines, row, tape.ramps, update, p.n_groups)
        return update

    return advance_taping
