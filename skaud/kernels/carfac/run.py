"""CARFAC's runs on the CPU: segment after segment, at full rate or in frames.

A signal's result does not depend on the signals beside it: every one has rows of its own.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop
from skaud.kernels.carfac.advance import advance_for
from skaud.kernels.carfac.agc import add_samples
from skaud.kernels.carfac.checkpoints import save
from skaud.kernels.carfac.layout import LANES, SEGMENT, constants_of, sizes_of
from skaud.kernels.carfac.outputs import deliver
from skaud.kernels.one_pole import ZERO


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
    advance = advance_for(style, delay, False, False)

    @kernel
    def run(x, state, plan, asked, checkpoints, work, out):
        """All samples of x (n_rows, n_samples), in frames or, not framed, at full rate.

        out (n_rows, n_outputs, n_channels, n_frames) takes what is asked for: means over frames, of which one that x
        leaves unfinished stays in state.frame_sum, or samples, the last ones if it is shorter than x.
        """
        p, c = sizes_of(plan), constants_of(plan)
        first, frame_samples, segment = asked.first, asked.frame_samples, checkpoints.segment
        n_rows, n_frames, work, state = x.shape[0], 0, borrowed(work), borrowed(state)
        x, table, taps = borrowed(x), borrowed(plan.table), borrowed(asked.taps)
        begin, kept = 0, 0 if framed else x.shape[1] - out.shape[3]
        while begin < x.shape[1]:
            if segment and begin % segment == 0:
                save(checkpoints, begin // segment, 0, state, p.n_groups)
            end = min(begin - begin % SEGMENT + SEGMENT, x.shape[1])
            if framed:
                end = min(end, begin + frame_samples - state.frame_filled[0])
            elif begin < kept:
                end = min(end, kept)
            advance(x, begin, end, state, table, p, c, work, taps, None, 0, 0)
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
