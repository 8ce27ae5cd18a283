"""Adjoint of CARFAC's runs on the CPU, a segment at a time, the last one first.

A segment is run forwards once more, from the state that it began with, and leaves on a tape what the reverse loops must
know.
"""

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop
from skaud.kernels.carfac import ONE, ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN, ZERO
from skaud.kernels.carfac_agc import add_samples, aim, hand_on, share_due, smooth_due
from skaud.kernels.carfac_agc_adjoint import update_agc_adjoint
from skaud.kernels.carfac_lanes import respond, split, unfold
from skaud.kernels.carfac_lanes_adjoint import (
    enter_adjoint,
    enter_delayed_adjoint,
    leave_just_hwr_adjoint,
    leave_one_cap_adjoint,
    leave_two_cap_adjoint,
    release_transmitter_adjoint,
    resonate_adjoint,
)
from skaud.kernels.carfac_layout import (
    BARS_GROUP,
    CHANGING,
    DECIMATION,
    DZB,
    GROUP,
    LANES,
    LPF,
    N_FIBERS,
    NAP,
    OUT,
    R1,
    SEGMENT,
    SLOPE,
    TAPE_GROUP,
    Z1,
    ZB,
    G,
    Plan,
    Tape,
    aligned_empty,
)

RAMPS = 4 * LANES  # G, DG, ZB, DZB
OF_CAR, OF_CELL = 1, 2  # coefficients whose bars may be wanted: R1 and the nonlinearity; the hair cell's constants

# --- forwards, with a tape -------------------------------------------------------------------------------------------


@loop
def tape_sample(lines, row, samples, slot, n_groups, n_values):
    """Copy what the reverse run needs of a sample: n_values of every group, and what flows into each lane."""
    for l in range(LANES):
        samples[row, slot, l + (OUT - Z1)] = lines[row, l + OUT]
    for k in range(1, n_groups + 1):
        for i in range(n_values):
            samples[row, slot, k * TAPE_GROUP + i] = lines[row, k * GROUP + i + Z1]


@loop
def tape_ramps(lines, row, ramps, block, n_groups):
    """Copy the ramps that lead to the AGC's next update."""
    for k in range(n_groups):
        for i in range(RAMPS):
            ramps[row, block, k * RAMPS + i] = lines[row, k * GROUP + i + (GROUP + G)]


@loop
def restore_ramps(lines, row, ramps, block, n_groups):
    """Put them back."""
    for k in range(n_groups):
        for i in range(RAMPS):
            lines[row, k * GROUP + i + (GROUP + G)] = ramps[row, block, k * RAMPS + i]


@loop
def keep_stages(kept, update, first, stages):
    """Copy stages (n_rows, n_stages, width) to kept, from entry `first` on, if they are to be kept."""
    if kept.shape[2]:
        for row in range(stages.shape[0]):
            for s in range(stages.shape[1]):
                for i in range(stages.shape[2]):
                    kept[row, update, first + s, i] = stages[row, s, i]


@loop
def advance_taping(
    x, start, stop, lines, memory, pending, phase, table, p, c, n_values, tape, scratch, entry, smoothed
):
    """As advance, leaving a tape; returns the number of updates of the AGC."""
    n_rows, n_stages = memory.shape[0], memory.shape[1]
    update, summed = 0, 0
    for row in range(n_rows):
        tape_sample(lines, row, tape.samples, 0, p.n_groups, n_values)
        tape_ramps(lines, row, tape.ramps, 0, p.n_groups)
    for t in range(stop - start):
        tape.elapsed[t] = phase[0] + 1
        respond(x, start + t, lines, np.float32(phase[0] + 1), p, c, scratch, t % SEGMENT, entry)
        for row in range(n_rows):
            tape_sample(lines, row, tape.samples, t + 1, p.n_groups, n_values)
        if p.closed:
            phase[0] += 1
            due = phase[0] == p.first_decimation
            if due or t + 1 == stop - start or (t + 1) % SEGMENT == 0:
                for row in range(n_rows):
                    add_samples(scratch, 0, row, summed, t % SEGMENT + 1, pending, 0)
                summed = (t + 1) % SEGMENT
            if due:
                phase[0] = 0
                n_due = hand_on(pending, phase, table, smoothed)
                keep_stages(tape.kept, update, 0, pending)
                keep_stages(tape.kept, update, n_stages, memory)
                smooth_due(memory, pending, n_due, table, p, smoothed)
                keep_stages(tape.kept, update, 2 * n_stages, memory)
                share_due(memory, n_due, table, p)
                tape.due[update] = n_due
                update += 1
                for row in range(n_rows):
                    for i in range(memory.shape[2]):
                        tape.reached[row, update - 1, i] = memory[row, 0, i]
                    aim(lines, row, memory, p.n_groups, table[0, DECIMATION])
                    tape_ramps(lines, row, tape.ramps, update, p.n_groups)
    return update


# --- runs ------------------------------------------------------------------------------------------------------------


@loop
def sow(value_bar, start, stop, first, seeds, p):
    """Write the bars of frames start to stop of (n_rows, n_outputs, n_channels, n_frames) to seeds, lane by lane."""
    n_rows, n_outputs, n_channels, n_frames = value_bar.shape
    for row in range(n_rows):
        for output in range(n_outputs):
            for begin in range(start, stop, SEGMENT):  # so many stay in the cache
                end = min(begin + SEGMENT, stop)
                for k in range(p.n_groups):
                    for l in range(LANES):
                        channel = l * p.n_groups + k
                        if channel < n_channels:
                            for frame in range(begin, min(end, n_frames)):
                                seeds[first + output, row, frame - start, k * LANES + l] = value_bar[
                                    row, output, channel, frame
                                ]
                            for frame in range(max(begin, n_frames), end):
                                seeds[first + output, row, frame - start, k * LANES + l] = ZERO


@loop
def tap_adjoint(bars, row, seeds, frame, taps, elapsed, n_groups):
    """Add the bars of what was tapped to those of the rows it was tapped from."""
    for tap in range(len(taps)):
        for k in range(n_groups):
            for l in range(LANES):
                j = k * BARS_GROUP + l
                seed = seeds[1 + tap, row, frame, k * LANES + l]
                bars[row, j + (BARS_GROUP + taps[tap])] += seed
                if taps[tap] == ZB:
                    bars[row, j + (BARS_GROUP + DZB)] += seed * elapsed


@loop
def restore(checkpoints, k, lines, memory, pending, phase, n_groups):
    """Go back to checkpoint k."""
    for row in range(lines.shape[0]):
        for group in range(n_groups + 1):
            for i in range(CHANGING):
                lines[row, group * GROUP + i + Z1] = checkpoints.lines[k, row, group, i]
        for s in range(memory.shape[1]):
            for i in range(memory.shape[2]):
                memory[row, s, i] = checkpoints.memory[k, row, s, i]
                pending[row, s, i] = checkpoints.pending[k, row, s, i]
    for s in range(memory.shape[1]):
        phase[s] = checkpoints.phase[k, s]


@loop
def sum_up(bars, summed, n_groups):
    """Move the bars of coefficients, which gather over all samples, from single precision to double."""
    for row in range(bars.shape[0]):
        for k in range(1, n_groups + 1):
            for l in range(LANES):
                summed[k * BARS_GROUP + R1 + l] += bars[row, k * BARS_GROUP + R1 + l]
                bars[row, k * BARS_GROUP + R1 + l] = ZERO
            for i in range(N_FIBERS, BARS_GROUP):
                summed[k * BARS_GROUP + i] += bars[row, k * BARS_GROUP + i]
                bars[row, k * BARS_GROUP + i] = ZERO


@loop
def reverse_sample(row, t, frame, lines, lines_bar, pending_bar, samples, seeds, taps, elapsed, p, c, entry, wanted):
    """Adjoint of respond for one row and sample t of the tape, in a frame of the seeds; returns the sample's bar."""
    of_car, of_cell, n_groups = wanted & OF_CAR, wanted & OF_CELL, p.n_groups
    tap_adjoint(lines_bar, row, seeds, frame, taps, elapsed, n_groups)
    if p.style == TWO_CAP:
        leave_two_cap_adjoint(
            lines_bar, lines, samples, seeds, frame, pending_bar, row, t, p, elapsed, c, False, of_cell
        )
    elif p.style == TWO_CAP_WITH_SYN:
        release_transmitter_adjoint(lines_bar, lines, samples, seeds, frame, pending_bar, row, t, n_groups, c)
        leave_two_cap_adjoint(
            lines_bar, lines, samples, seeds, frame, pending_bar, row, t, p, elapsed, c, True, of_cell
        )
    elif p.style == ONE_CAP:
        leave_one_cap_adjoint(lines_bar, lines, samples, seeds, frame, pending_bar, row, t, p, elapsed, c, of_cell)
    else:
        leave_just_hwr_adjoint(lines_bar, lines, samples, seeds, frame, pending_bar, row, t, p, elapsed, c)
    if p.delay:
        x_bar = enter_delayed_adjoint(lines_bar, row, entry, n_groups)
        resonate_adjoint(lines_bar, lines, samples, entry, row, t, n_groups, elapsed, c, True, of_car)
    else:
        x_bar = enter_adjoint(lines_bar, row, entry)
        resonate_adjoint(lines_bar, lines, samples, entry, row, t, n_groups, elapsed, c, False, of_car)
    return x_bar


@kernel
def reverse(
    x,
    segment,
    checkpoints,
    state,
    plan,
    value_bar,
    frame_length,
    taps,
    first,
    bars,
    tape,
    seeds,
    wanted,
    work,
    x_bar,
):
    """Adjoint of run or run_frames, over all of x, from checkpoints every `segment` samples; it changes state.

    value_bar (n_rows, n_outputs, n_channels, n_frames) are the bars of frames of frame_length samples, of sums, not
    means. bars come in as zeros and leave as those of the first state and of the coefficients, where `wanted`
    has OF_CAR and OF_CELL. x_bar is (n_rows, n_samples).
    """
    p, c = unfold(plan)
    n_rows, width = x.shape[0], p.n_groups * LANES
    scratch, entry, smoothed = split(work, n_rows, 1, width)
    agc_work = borrowed(work)[work.shape[0] - 3 * width - 8 * LANES :]
    x, table, taps, seeds, x_bar = borrowed(x), borrowed(plan.table), borrowed(taps), borrowed(seeds), borrowed(x_bar)
    lines, memory, pending = borrowed(state.lines), borrowed(state.memory), borrowed(state.pending)
    phase = borrowed(state.phase)
    samples, ramps, reached = borrowed(tape.samples), borrowed(tape.ramps), borrowed(tape.reached)
    tape = Tape(samples, ramps, reached, borrowed(tape.kept), borrowed(tape.elapsed), borrowed(tape.due))
    lines_bar, memory_bar, pending_bar = borrowed(bars.lines), borrowed(bars.memory), borrowed(bars.pending)
    table_bar, summed = borrowed(bars.table), borrowed(bars.summed)
    if p.style == TWO_CAP_WITH_SYN:
        n_values = TAPE_GROUP
    elif p.style == TWO_CAP:
        n_values = NAP + LANES - Z1
    else:
        n_values = LPF + LANES - Z1
    for row in range(n_rows):  # nothing flows in behind the last channel
        for l in range(LANES):
            lines_bar[row, p.n_groups * BARS_GROUP + SLOPE + l] = ONE
    for k in range(checkpoints.phase.shape[0] - 1, -1, -1):
        start, stop = k * segment, min((k + 1) * segment, x.shape[1])
        restore(checkpoints, k, lines, memory, pending, phase, p.n_groups)
        block = advance_taping(
            x, start, stop, lines, memory, pending, phase, table, p, c, n_values, tape, scratch, entry, smoothed
        )
        first_frame = start // frame_length
        sow(value_bar, first_frame, (stop - 1) // frame_length + 1, first, seeds, p)
        t = stop - start - 1
        while t >= 0:
            since = tape.elapsed[t] if p.closed else t + 1
            if p.closed and since == p.first_decimation:
                block -= 1
                due = tape.due[block]
                update_agc_adjoint(
                    lines_bar,
                    lines,
                    memory_bar,
                    pending_bar,
                    table_bar,
                    reached,
                    tape.kept,
                    block,
                    due,
                    table,
                    p,
                    agc_work,
                )
                for row in range(n_rows):
                    restore_ramps(lines, row, ramps, block, p.n_groups)
            begin = max(t - since + 1, 0)
            for row in range(n_rows):  # one after the other back to the last update: each stays in the cache
                for u in range(t, begin - 1, -1):
                    x_bar[row, start + u] = reverse_sample(
                        row,
                        u,
                        (start + u) // frame_length - first_frame,
                        lines,
                        lines_bar,
                        pending_bar,
                        samples,
                        seeds,
                        taps,
                        np.float32(tape.elapsed[u]),
                        p,
                        c,
                        entry,
                        wanted,
                    )
            t = begin - 1
        sum_up(lines_bar, summed, p.n_groups)


def reverse_workspace(plan: Plan, n_rows: int) -> np.ndarray:
    """Memory that `reverse` needs besides its state, tape and seeds."""
    width = int(plan.sizes[0]) * LANES
    size = n_rows * SEGMENT * width + n_rows * LANES + width + 2 * LANES + 3 * width + 8 * LANES
    (work,) = aligned_empty((size,), dtype=plan.constants.dtype)
    work[...] = 0
    return work
