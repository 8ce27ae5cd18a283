"""Samples of CARFAC on the CPU one after the other, with the AGC's updates between them, and perhaps a tape of them."""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels._compile import loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.agc import add_samples, update_agc_for
from skaud.kernels.carfac.layout import GROUP, LANES
from skaud.kernels.carfac.sample import respond_for
from skaud.kernels.carfac.steps import ramp_step
from skaud.kernels.carfac.taping import n_taped, tape_sample


@loop
def tap(lines, scratch, t, taps, elapsed, n_groups):
    """Copy the rows that are tapped to scratch[1:, :, t], the AGC's ramp where it stands."""
    for tap in range(len(taps)):
        for row in range(lines.shape[0]):
            for k in range(n_groups):
                for l in range(LANES):
                    value = lines[row, k * GROUP + l + GROUP + taps[tap]]
                    if taps[tap] == at.ZB:
                        value = ramp_step(value, lines[row, k * GROUP + l + GROUP + at.DZB], elapsed)
                    scratch[1 + tap, row, t, k * LANES + l] = value


@cache
def advance_for(style: int, delay: bool, taped: bool, constants: bool) -> Callable:
    """Loop for one hair cell, with delay or ripple.

    taped: it leaves a tape instead of what is tapped, constants: for the bars of what does not change, too.
    """
    respond, update_agc = respond_for(style, delay), update_agc_for(taped, constants)
    n_values = n_taped(style, constants)

    @loop
    def advance(x, start, stop, state, table, p, c, work, taps, tape, slot, update):
        """Run samples start to stop of x (n_rows, n_samples), a segment at most; their NAP goes to work.scratch.

        The first of them is sample `slot` of the tape, where one is left, and the AGC's next update number `update`;
        returns the number of the one after the last.
        """
        lines, phase, scratch = state.lines, state.phase, work.scratch
        n_groups, n_rows, summed = p.n_groups, x.shape[0], 0
        for t in range(stop - start):
            elapsed = np.float32(phase[0] + 1)  # samples since the AGC's last update, this one included
            respond(x, start + t, lines, elapsed, n_groups, c, scratch, t, work.entry)
            if taped:
                tape.elapsed[slot + t] = phase[0] + 1
                for row in range(n_rows):
                    tape_sample(lines, row, tape.samples, slot + t + 2, n_groups, n_values)
            else:
                tap(lines, scratch, t, taps, elapsed, n_groups)
            if p.closed:
                phase[0] += 1
                due = phase[0] == p.first_decimation
                if due or t + 1 == stop - start:
                    for row in range(n_rows):
                        add_samples(scratch, 0, row, summed, t + 1, state.pending, 0)
                    summed = t + 1
                if due:
                    phase[0] = 0
                    update_agc(state, table, p, work.smoothed, tape, update)
                    update += 1
        return update

    return advance
