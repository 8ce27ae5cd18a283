"""Adjoint of CARFAC's runs on the CPU, a segment at a time, the last one first.

A segment is run forwards once more, from the state that it began with, and leaves on a tape what the reverse loops must
know.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.advance import advance_for
from skaud.kernels.carfac.agc_adjoint import update_agc_adjoint
from skaud.kernels.carfac.checkpoints import restore
from skaud.kernels.carfac.layout import BARS_GROUP, LANES, SEGMENT, SOWN, constants_of, sizes_of
from skaud.kernels.carfac.outputs import sow
from skaud.kernels.carfac.sample_adjoint import respond_adjoint_for
from skaud.kernels.carfac.steps import ramp_step_adjoint
from skaud.kernels.carfac.taping import begin_tape, n_taped, restore_ramps
from skaud.kernels.one_pole import ONE, ZERO


@loop
def tap_adjoint(bars, row, seeds, frame, taps, elapsed, n_groups):
    """Add the bars of what was tapped to those of the rows it was tapped from."""
    for tap in range(len(taps)):
        for k in range(n_groups):
            for l in range(LANES):
                j = k * BARS_GROUP + l
                value_bar = seeds[1 + tap, row, frame, k * LANES + l]
                if taps[tap] == at.ZB:
                    # value = ramp_step(value, lines[DZB], elapsed)
                    value_bar, slope_bar = ramp_step_adjoint(value_bar, elapsed)
                    bars[row, j + (BARS_GROUP + at.DZB)] += slope_bar
                bars[row, j + (BARS_GROUP + taps[tap])] += value_bar


@loop
def sum_up(bars, summed, n_groups, begin, end):
    """Move rows begin to end, which gather over all samples, to double precision, those of a design together."""
    for row in range(bars.shape[0]):
        for k in range(1, n_groups + 1):
            for i in range(begin, end):
                summed[row % summed.shape[0], k * BARS_GROUP + i] += bars[row, k * BARS_GROUP + i]
                bars[row, k * BARS_GROUP + i] = ZERO


@cache
def reverse_for(style: int, delay: bool, constants: bool) -> Callable:
    """Kernel for one hair cell, with delay or ripple; constants: with the bars of what a run does not change.

    One for each, since numba compiles every branch of a kernel, also those that nobody takes, for seconds.
    """
    advance, taped = advance_for(style, delay, True, constants), n_taped(style, constants)
    respond_adjoint = respond_adjoint_for(style, delay, constants)

    @kernel
    def reverse(x, row_before, state, plan, asked, checkpoints, value_bar, bars, room):
        """Adjoint of run, over all of x, from its checkpoints, whose rows are those of x from number row_before on.

        state is changed. value_bar (n_rows, n_outputs, n_channels, n_frames) are the bars of frames, of sums, not
        means; of frames of one sample perhaps only the last. bars come in as zeros, those of x as anything, and leave
        as those of x, of the first state, of the cascade's health and, with `constants`, of the coefficients.
        """
        p, c = sizes_of(plan), constants_of(plan)
        n_rows, frame_samples, segment = x.shape[0], asked.frame_samples, checkpoints.segment
        x, table, taps, room = borrowed(x), borrowed(plan.table), borrowed(asked.taps), borrowed(room)
        state, bars, tape, seeds = borrowed(state), borrowed(bars), room.tape, room.seeds
        for row in range(n_rows):  # nothing flows in behind the last channel
            for l in range(LANES):
                bars.lines[row, p.n_groups * BARS_GROUP + at.SLOPE + l] = ONE
        before = x.shape[1] - value_bar.shape[3] if frame_samples == 1 else 0  # samples that the response leaves out
        sown = x.shape[1]  # the first frame whose bars are in seeds
        for k in range(checkpoints.phase.shape[0] - 1, -1, -1):
            start, stop = k * segment, min((k + 1) * segment, x.shape[1])
            restore(checkpoints, k, row_before, state, p.n_groups)
            begin_tape(state.lines, tape, p.n_groups, taped)
            block = 0
            for begin in range(start, stop, SEGMENT):
                end = min(begin + SEGMENT, stop)
                block = advance(x, begin, end, state, table, p, c, room.work, None, tape, begin - start, block)
            t = stop - start - 1
            while t >= 0:
                frame = (start + t - before) // frame_samples
                if frame < sown:
                    sown = frame // SOWN * SOWN
                    sow(value_bar, sown, asked.first, seeds, p.n_groups)
                since = tape.elapsed[t] if p.closed else t + 1
                if p.closed and since == p.first_decimation:
                    block -= 1
                    update_agc_adjoint(bars, state.lines, constants, block, table, p, room)
                    for row in range(n_rows):
                        restore_ramps(state.lines, row, tape.ramps, block, p.n_groups)
                begin = max(t - since + 1, 0, sown * frame_samples + before - start)
                for u in range(t, begin - 1, -1):
                    frame, elapsed = (start + u - before) // frame_samples - sown, np.float32(tape.elapsed[u])
                    for row in range(n_rows):
                        tap_adjoint(bars.lines, row, seeds, frame, taps, elapsed, p.n_groups)
                    respond_adjoint(bars, state.lines, tape, seeds, frame, start, u, p.n_groups, c, room.work.entry)
                t = begin - 1
            sum_up(bars.lines, bars.summed, p.n_groups, at.ZR, at.GOALS_END)
            if constants:
                sum_up(bars.lines, bars.summed, p.n_groups, at.R1, at.R1 + LANES)
                sum_up(bars.lines, bars.summed, p.n_groups, at.N_FIBERS, at.ZR)
                sum_up(bars.lines, bars.summed, p.n_groups, at.GOALS_END, BARS_GROUP)

    return reverse
