"""CARFAC's runs on the CPU: segment after segment, at full rate or in frames.

A signal's result does not depend on the signals beside it: every one has rows of its own.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop, step
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.agc import add_samples, update_agc
from skaud.kernels.carfac.checkpoints import save
from skaud.kernels.carfac.layout import GROUP, LANES, SEGMENT, borrowed_state, constants_of, sizes_of
from skaud.kernels.carfac.outputs import deliver
from skaud.kernels.carfac.sample import respond_for
from skaud.kernels.carfac.steps import ramp_step
from skaud.kernels.one_pole import ZERO


class Work(NamedTuple):
    """Parts of the workspace.

    scratch : (n_sources, n_rows, SEGMENT, width), the NAP and what is tapped, entry : (n_rows, LANES), what flows into
    each lane, smoothed : (width + 2 * LANES,), a stage of the AGC with the neighbours of its ends.
    """

    scratch: np.ndarray
    entry: np.ndarray
    smoothed: np.ndarray


@step
def split(work, n_rows, n_sources, width):
    """The workspace's parts, borrowed."""
    work = borrowed(work)
    a = n_sources * n_rows * SEGMENT * width
    b = a + n_rows * LANES
    scratch = work[:a].reshape(n_sources, n_rows, SEGMENT, width)
    return Work(scratch, work[a:b].reshape(n_rows, LANES), work[b : b + width + 2 * LANES])


@loop
def close_frame(state, p, out, frame):
    """Write the mean of what the frame holds, and start a new one."""
    count = np.float32(state.frame_filled[0])
    n_rows, _, width = state.frame_sum.shape
    for row in range(n_rows):
        for output in range(out.shape[1]):
            for channel in range(p.n_channels):
                position = channel % p.n_groups * LANES + channel // p.n_groups
                out[row, output, channel, frame] = state.frame_sum[row, output, position] / count
            for i in range(width):
                state.frame_sum[row, output, i] = ZERO
    state.frame_filled[0] = 0


@cache
def run_for(style: int, delay: bool, framed: bool) -> Callable:
    """Kernel for one hair cell, with delay or ripple, for means over frames or for samples."""
    respond = respond_for(style, delay)

    @loop
    def advance(x, start, stop, state, table, p, c, taps, work):
        """Run samples start to stop of x (n_rows, n_samples); their NAP goes to work.scratch, then the tapped rows."""
        lines, phase, scratch = state.lines, state.phase, work.scratch
        n_groups, n_rows = p.n_groups, x.shape[0]
        summed = 0
        for t in range(stop - start):
            elapsed = np.float32(phase[0] + 1)  # samples since the AGC's last update, this one included
            respond(x, start + t, lines, elapsed, n_groups, c, scratch, t, work.entry)
            for tap in range(len(taps)):
                for row in range(n_rows):
                    for k in range(n_groups):
                        for l in range(LANES):
                            value = lines[row, k * GROUP + l + GROUP + taps[tap]]
                            if taps[tap] == at.ZB:
                                value = ramp_step(value, lines[row, k * GROUP + l + GROUP + at.DZB], elapsed)
                            scratch[1 + tap, row, t, k * LANES + l] = value
            if p.closed:
                phase[0] += 1
                due = phase[0] == p.first_decimation
                if due or t + 1 == stop - start:
                    for row in range(n_rows):
                        add_samples(scratch, 0, row, summed, t + 1, state.pending, 0)
                    summed = t + 1
                if due:
                    phase[0] = 0
                    update_agc(state, table, p, work.smoothed)

    @kernel
    def run(x, state, plan, asked, checkpoints, work, out):
        """All samples of x (n_rows, n_samples), in frames or, not framed, at full rate.

        out (n_rows, n_outputs, n_channels, n_frames) takes what is asked for: means over frames, of which one that x
        leaves unfinished stays in state.frame_sum, or samples, the last ones if it is shorter than x.
        """
        p, c = sizes_of(plan), constants_of(plan)
        first, frame_samples, segment = asked.first, asked.frame_samples, checkpoints.segment
        n_rows, width, n_sources, n_frames = x.shape[0], p.n_groups * LANES, 1 + len(asked.taps), 0
        work, state = split(work, n_rows, n_sources, width), borrowed_state(state)
        x, table, taps = borrowed(x), borrowed(plan.table), borrowed(asked.taps)
        begin, kept = 0, 0 if framed else x.shape[1] - out.shape[3]
        while begin < x.shape[1]:
            if segment and begin % segment == 0:
                save(checkpoints, begin // segment, state, p.n_groups)
            end = min(begin - begin % SEGMENT + SEGMENT, x.shape[1])
            if framed:
                end = min(end, begin + frame_samples - state.frame_filled[0])
            elif begin < kept:
                end = min(end, kept)
            advance(x, begin, end, state, table, p, c, taps, work)
            for row in range(n_rows):
                for output in range(out.shape[1]):
                    source = first + output
                    if framed:
                        add_samples(work.scratch, source, row, 0, end - begin, state.frame_sum, output)
                    elif begin >= kept:
                        deliver(work.scratch, source, row, out, output, begin - kept, end - begin)
            if framed:
                state.frame_filled[0] += end - begin
                if state.frame_filled[0] == frame_samples:
                    close_frame(state, p, out, n_frames)
                    n_frames += 1
            begin = end

    return run
