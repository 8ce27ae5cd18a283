"""Reverse runs of Osses et al. (2021) on the CPU, a segment at a time, the last one first.

A segment is run forwards once more, from the checkpoint that it began with, and leaves on a tape what the adjoints must
know; then block after block goes backwards through the stages.
"""

from skaud.kernels._compile import borrowed, kernel, loop
from skaud.kernels.modulation import filter_modulation
from skaud.kernels.one_pole import ZERO
from skaud.kernels.osses2021 import advance
from skaud.kernels.osses_layout import (
    ADAPTATION,
    CELL,
    CELL_RE,
    GAMMATONE,
    GROUP,
    HAIR_CELL,
    LANES,
    MAX_LOOPS,
    MODULATION,
    SECTIONS,
    SEGMENT,
    TAPED_SECTIONS,
)
from skaud.kernels.osses_stages_adjoint import (
    adapt_adjoint,
    filter_gammatone_adjoint,
    filter_modulation_adjoint,
    smooth_envelopes_adjoint,
    smooth_hair_cells_adjoint,
)
from skaud.kernels.osses_tape import BARS_GROUP, BARS_LOOP, LOOPS, OF_ADAPTATION, OF_GAMMATONE, OF_MODULATION, Tape


@loop
def restore(checkpoints, k, row, lines, cells, n_cells):
    """Go back to checkpoint k."""
    for i in range(lines.shape[1]):
        lines[row, i] = checkpoints.lines[k, row, i]
    for cell in range(n_cells):
        for i in range(2 * LANES):
            cells[row, cell * CELL + CELL_RE + i] = checkpoints.cells[k, row, cell * 2 * LANES + i]


@loop
def advance_taping(x, row, start, stop, lines, cells, block, p, c, loops, groups, unwanted, tape):
    """Run a segment of a row forwards, and leave a tape."""
    if p.first == GAMMATONE:
        for k in range(p.n_groups):
            states = lines[row, k * GROUP + SECTIONS :][:TAPED_SECTIONS]
            taped = tape.sections[k * TAPED_SECTIONS :][:TAPED_SECTIONS]
            for i in range(TAPED_SECTIONS):
                taped[i] = states[i]
    for begin in range(start, stop, SEGMENT):
        end, slot = min(begin + SEGMENT, stop), begin - start
        advance(x, row, begin, end, lines, block, p, c, loops, unwanted, unwanted, unwanted, tape, slot)
        if p.last == MODULATION:
            inputs = tape.inputs[slot * p.n_groups * LANES :]
            for i in range((end - begin) * p.n_groups * LANES):
                inputs[i] = block[i]
            for cell in range(len(groups)):
                taped = tape.cells[(slot // SEGMENT * len(groups) + cell) * 2 * LANES :][: 2 * LANES]
                states = cells[row, cell * CELL + CELL_RE :][: 2 * LANES]
                for i in range(2 * LANES):
                    taped[i] = states[i]
            filter_modulation(row, 0, end - begin, cells, block, p.n_groups, groups, p.n_linear)


@loop
def sow_features(value_bar, row, first, n_frames, seeds, positions, n_cells):
    """Bars of frames from first on of the modulation filters, cell by cell; 0 behind the last frame."""
    for f in range(len(positions)):
        cell, lane = positions[f] // CELL, positions[f] % CELL
        for frame in range(n_frames):
            seed = value_bar[row, f, first + frame] if first + frame < value_bar.shape[2] else ZERO
            seeds[(frame * n_cells + cell) * LANES + lane] = seed


@loop
def sow_channels(value_bar, row, first, n_samples, frames, bar, n_groups):
    """Bars of every sample's frame, into a block; 0 behind the last frame, and in lanes without a channel."""
    for i in range(n_samples * n_groups * LANES):
        bar[i] = ZERO
    for channel in range(value_bar.shape[1]):
        for t in range(n_samples):
            if first + frames[t] < value_bar.shape[2]:
                bar[t * n_groups * LANES + channel] = value_bar[row, channel, first + frames[t]]


@loop
def sum_up(row, bars, n_groups):
    """Move the bars of coefficients, which gather over all samples, from single precision to double."""
    for k in range(n_groups):
        for i in range(SECTIONS):
            bars.summed_lines[k * BARS_GROUP + i] += bars.lines[row, k * BARS_GROUP + i]
            bars.lines[row, k * BARS_GROUP + i] = ZERO
        for i in range(GROUP, LOOPS):
            bars.summed_lines[k * BARS_GROUP + i] += bars.lines[row, k * BARS_GROUP + i]
            bars.lines[row, k * BARS_GROUP + i] = ZERO
        for n in range(MAX_LOOPS):
            for i in range(LANES, BARS_LOOP):  # the divisor is a state
                j = k * BARS_GROUP + LOOPS + n * BARS_LOOP + i
                bars.summed_lines[j] += bars.lines[row, j]
                bars.lines[row, j] = ZERO
    for cell in range(len(bars.summed_cells) // CELL):
        for i in range(CELL_RE):
            bars.summed_cells[cell * CELL + i] += bars.cells[row, cell * CELL + i]
            bars.cells[row, cell * CELL + i] = ZERO


@kernel
def reverse(x, segment, checkpoints, state, plan, value_bar, frame_length, bars, tape, work, wanted, x_bar):
    """Adjoint of run or run_frames, over all of x, from checkpoints every `segment` samples; it changes state.

    value_bar (n_rows, n_outputs, n_frames) are the bars of the last stage's frames of frame_length samples, of sums,
    not means. bars come in as zeros and leave as those of the first state and, as far as wanted, of the coefficients.
    x_bar is shaped as x.
    """
    p, c = plan.sizes, plan.constants
    n_rows, n_cells, n_samples = len(state.lines), len(plan.groups), x.shape[1]
    x, x_bar, frames = borrowed(x), borrowed(x_bar), work[3]
    block, seeds, states = borrowed(work[0]), borrowed(work[1]), borrowed(work[2])
    lines, cells, loops = borrowed(state.lines), borrowed(state.cells), borrowed(plan.loops)
    groups, positions = borrowed(plan.groups), borrowed(plan.positions)
    lines_bar, cells_bar = borrowed(bars.lines), borrowed(bars.cells)
    tape = Tape(
        borrowed(tape.sections),
        borrowed(tape.passes),
        borrowed(tape.loops),
        borrowed(tape.envelopes),
        borrowed(tape.inputs),
        borrowed(tape.cells),
    )
    unwanted = value_bar[:0]
    for k in range(len(checkpoints.lines) - 1, -1, -1):
        start, stop = k * segment, min((k + 1) * segment, n_samples)
        for row in range(n_rows):
            restore(checkpoints, k, row, lines, cells, n_cells)
            advance_taping(x, row, start, stop, lines, cells, block, p, c, loops, groups, unwanted, tape)
            for begin in range(start + (stop - 1 - start) // SEGMENT * SEGMENT, start - 1, -SEGMENT):
                end, slot = min(begin + SEGMENT, stop), begin - start
                first = begin // frame_length
                for t in range(end - begin):
                    frames[t] = (begin + t) // frame_length - first
                if p.last == MODULATION:
                    sow_features(value_bar, row, first, frames[end - begin - 1] + 1, seeds, positions, n_cells)
                    filter_modulation_adjoint(
                        row, end - begin, slot, cells, cells_bar, tape, seeds, frames, states, block, p.n_groups,
                        groups, p.n_linear, wanted & OF_MODULATION,
                    )  # fmt: skip
                    if p.envelope_low_pass:
                        smooth_envelopes_adjoint(
                            row, end - begin, slot, lines_bar, tape, block, p.n_groups, c.envelope_b, c.envelope_a
                        )
                else:
                    sow_channels(value_bar, row, first, end - begin, frames, block, p.n_groups)
                if p.first <= ADAPTATION <= p.last:
                    adapt_adjoint(
                        row, end - begin, slot, lines_bar, tape, block, p.n_groups, p.n_loops, p.limited, loops, c,
                        wanted & OF_ADAPTATION,
                    )  # fmt: skip
                if p.first <= HAIR_CELL <= p.last:
                    smooth_hair_cells_adjoint(
                        row, end - begin, slot, lines_bar, tape, block, p.n_groups, p.n_passes, c.hair_b, c.hair_a
                    )
                if p.first == GAMMATONE:
                    filter_gammatone_adjoint(
                        x, x_bar, row, begin, end, slot, lines, lines_bar, tape, block, p.n_groups,
                        wanted & OF_GAMMATONE,
                    )  # fmt: skip
                else:
                    for channel in range(p.n_channels):
                        for t in range(end - begin):
                            x_bar[row * p.n_channels + channel, begin + t] = block[t * p.n_groups * LANES + channel]
            sum_up(row, bars, p.n_groups)
