"""Runs of Osses et al. (2021) on the CPU: the stages one after the other on blocks that stay in the cache.

A run begins and ends with any stage, so the stages alone and the model share it.
"""

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop
from skaud.kernels.adaptation import adapt
from skaud.kernels.gammatone import filter_gammatone
from skaud.kernels.hair_cell import smooth_hair_cells
from skaud.kernels.modulation import filter_modulation, smooth_envelopes
from skaud.kernels.one_pole import ZERO
from skaud.kernels.osses_layout import (
    ADAPTATION,
    CELL,
    CELL_SUM,
    GAMMATONE,
    HAIR_CELL,
    LANES,
    MODULATION,
    SEGMENT,
)


@loop
def load(x, row, begin, end, block, n_groups, n_channels):
    """Samples begin to end of x (n_rows * n_channels, n_samples) into block; lanes without a channel get 0."""
    for t in range(end - begin):
        for c in range(n_channels, n_groups * LANES):
            block[t * n_groups * LANES + c] = ZERO
    for c in range(n_channels):
        for t in range(end - begin):
            block[t * n_groups * LANES + c] = x[row * n_channels + c, begin + t]


@loop
def store(block, row, begin, end, out, n_groups):
    """Block into samples begin to end of out (n_rows, n_channels, n_samples)."""
    for c in range(out.shape[1]):
        for t in range(end - begin):
            out[row, c, begin + t] = block[t * n_groups * LANES + c]


@loop
def advance(x, row, begin, end, lines, block, p, c, loops, filterbank, hair_cell, adaptation, tape, slot):
    """The stages before the modulation filters; what each leaves goes to its array, unless that is empty.

    tape, or None, gets what the adjoints must know of every sample, from slot on.
    """
    if p.first == GAMMATONE:
        filter_gammatone(x, row, begin, end, lines, block, p.n_groups, tape, slot)
        if len(filterbank):
            store(block, row, begin, end, filterbank, p.n_groups)
    else:
        load(x, row, begin, end, block, p.n_groups, p.n_channels)
    if p.first <= HAIR_CELL <= p.last:
        smooth_hair_cells(row, end - begin, lines, block, p.n_groups, p.n_passes, c.hair_b, c.hair_a, tape, slot)
        if len(hair_cell):
            store(block, row, begin, end, hair_cell, p.n_groups)
    if p.first <= ADAPTATION <= p.last:
        adapt(row, end - begin, lines, block, p.n_groups, p.n_loops, p.limited, loops, c, tape, slot)
        if len(adaptation):
            store(block, row, begin, end, adaptation, p.n_groups)
    if p.last == MODULATION and p.envelope_low_pass:
        smooth_envelopes(row, end - begin, lines, block, p.n_groups, c.envelope_b, c.envelope_a, tape, slot)


@loop
def restart_sums(cells, row, n_cells):
    """Sums of all cells of a row to 0."""
    for cell in range(n_cells):
        for l in range(LANES):
            cells[row, cell * CELL + CELL_SUM + l] = ZERO


@kernel
def run(x, state, plan, block, filterbank, hair_cell, adaptation, modulation):
    """All samples of x at full rate, every output (n_rows, n_channels, n_samples), or of no rows where not wanted.

    x is (n_rows, n_samples) for a run that begins with the filterbank, else (n_rows * n_channels, n_samples).
    """
    p, c = plan.sizes, plan.constants
    lines, cells, block = borrowed(state.lines), borrowed(state.cells), borrowed(block)
    loops, groups, positions = borrowed(plan.loops), borrowed(plan.groups), borrowed(plan.positions)
    features_array = np.empty((SEGMENT, len(positions)), x.dtype)
    features = borrowed(features_array)
    for row in range(len(lines)):
        for begin in range(0, x.shape[1], SEGMENT):
            end = min(begin + SEGMENT, x.shape[1])
            advance(x, row, begin, end, lines, block, p, c, loops, filterbank, hair_cell, adaptation, None, 0)
            if len(modulation):
                for t in range(end - begin):  # the sum over one sample is the response
                    restart_sums(cells, row, len(groups))
                    filter_modulation(row, t, t + 1, cells, block, p.n_groups, groups, p.n_linear)
                    for f in range(len(positions)):
                        features[t, f] = cells[row, positions[f] + CELL_SUM]
                restart_sums(cells, row, len(groups))
                for f in range(len(positions)):
                    for t in range(end - begin):
                        modulation[row, f, begin + t] = features[t, f]
    features_array[0] = ZERO  # holds the array to here


@kernel
def close_frame(state, plan, out, frame):
    """Write the mean of what the frame holds, and start a new one."""
    p = plan.sizes
    count = np.float32(state.filled[0])
    for row in range(len(state.sums)):
        if p.last == MODULATION:
            for f in range(len(plan.positions)):
                out[row, f, frame] = state.cells[row, plan.positions[f] + CELL_SUM] / count
            restart_sums(state.cells, row, len(plan.groups))
        else:
            for channel in range(p.n_channels):
                out[row, channel, frame] = state.sums[row, channel] / count
            for i in range(state.sums.shape[1]):
                state.sums[row, i] = ZERO
    state.filled[0] = 0


@kernel
def run_frames(x, state, plan, block, frame_length, out, n_frames):
    """As run, the last stage averaged over frames; out has n_frames already, returns how many it has then.

    A frame that x leaves unfinished stays in the sums of state.
    """
    p, c = plan.sizes, plan.constants
    lines, cells, sums, block = borrowed(state.lines), borrowed(state.cells), borrowed(state.sums), borrowed(block)
    loops, groups = borrowed(plan.loops), borrowed(plan.groups)
    unwanted = out[:0]
    begin = 0
    while begin < x.shape[1]:
        end = min(begin + SEGMENT, x.shape[1], begin + frame_length - state.filled[0])
        for row in range(len(lines)):
            advance(x, row, begin, end, lines, block, p, c, loops, unwanted, unwanted, unwanted, None, 0)
            if p.last == MODULATION:
                filter_modulation(row, 0, end - begin, cells, block, p.n_groups, groups, p.n_linear)
            else:
                for t in range(end - begin):
                    for i in range(p.n_groups * LANES):
                        sums[row, i] += block[t * p.n_groups * LANES + i]
        state.filled[0] += end - begin
        if state.filled[0] == frame_length:
            close_frame(state, plan, out, n_frames)
            n_frames += 1
        begin = end
    return n_frames
