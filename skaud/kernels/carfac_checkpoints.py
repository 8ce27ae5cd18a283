"""CARFAC's runs on the CPU that will be reversed: they save their state at the begin of every segment."""

from skaud.kernels._compile import borrowed, copy_run, kernel, loop
from skaud.kernels.carfac import JUST_HWR, ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN
from skaud.kernels.carfac_agc import add_samples
from skaud.kernels.carfac_lanes import advance, close_frame, split, unfold
from skaud.kernels.carfac_layout import AC, GROUP, LANES, LPF, NAP, OUT, SEGMENT, SLOPE
from skaud.kernels.carfac_outputs import deliver


def n_changing(style: int) -> int:
    """Values of a group that a run changes, from AC on."""
    last = {JUST_HWR: OUT, ONE_CAP: LPF, TWO_CAP: NAP, TWO_CAP_WITH_SYN: SLOPE - LANES}[style]
    return last + LANES - AC


@loop
def save(checkpoints, k, lines, memory, pending, phase, n_groups):
    """Keep a state as checkpoint k."""
    n_changing = (checkpoints.lines.shape[2] - LANES) // n_groups
    for row in range(lines.shape[0]):
        copy_run(checkpoints.lines, (k, row, 0), lines, (row, OUT), LANES)
        for group in range(n_groups):
            at, begin = LANES + group * n_changing, (group + 1) * GROUP + AC
            copy_run(checkpoints.lines, (k, row, at), lines, (row, begin), n_changing)
        for s in range(memory.shape[1]):
            copy_run(checkpoints.memory, (k, row, s, 0), memory, (row, s, 0), memory.shape[2])
            copy_run(checkpoints.pending, (k, row, s, 0), pending, (row, s, 0), memory.shape[2])
    for s in range(memory.shape[1]):
        checkpoints.phase[k, s] = phase[s]


@loop
def restore(checkpoints, k, first, lines, memory, pending, phase, n_groups):
    """Go back to checkpoint k, with the rows from `first` on."""
    n_changing = (checkpoints.lines.shape[2] - LANES) // n_groups
    for row in range(lines.shape[0]):
        copy_run(lines, (row, OUT), checkpoints.lines, (k, first + row, 0), LANES)
        for group in range(n_groups):
            at, begin = (group + 1) * GROUP + AC, LANES + group * n_changing
            copy_run(lines, (row, at), checkpoints.lines, (k, first + row, begin), n_changing)
        for s in range(memory.shape[1]):
            copy_run(memory, (row, s, 0), checkpoints.memory, (k, first + row, s, 0), memory.shape[2])
            copy_run(pending, (row, s, 0), checkpoints.pending, (k, first + row, s, 0), memory.shape[2])
    for s in range(memory.shape[1]):
        phase[s] = checkpoints.phase[k, s]


@kernel
def record(x, segment, checkpoints, state, plan, taps, first, frame_length, work, out):
    """As run or, where frame_length is not 0, run_frames, over all of x; a checkpoint every `segment` samples.

    An out at full rate may be shorter than x: it takes the last samples.
    """
    p, c = unfold(plan)
    n_rows, width, n_sources, n_frames = x.shape[0], p.n_groups * LANES, 1 + len(taps), 0
    scratch, entry, smoothed = split(work, n_rows, n_sources, width)
    x, table, taps = borrowed(x), borrowed(plan.table), borrowed(taps)
    lines, memory, pending = borrowed(state.lines), borrowed(state.memory), borrowed(state.pending)
    phase, begin, kept = borrowed(state.phase), 0, 0 if frame_length else x.shape[1] - out.shape[3]
    while begin < x.shape[1]:
        if begin % segment == 0:
            save(checkpoints, begin // segment, lines, memory, pending, phase, p.n_groups)
        end = min(begin - begin % SEGMENT + SEGMENT, x.shape[1])
        if frame_length:
            end = min(end, begin + frame_length - state.frame_filled[0])
        elif begin < kept:
            end = min(end, kept)
        advance(x, begin, end, lines, memory, pending, phase, table, p, c, taps, scratch, entry, smoothed)
        for row in range(n_rows):
            for output in range(out.shape[1]):
                if frame_length:
                    add_samples(scratch, first + output, row, 0, end - begin, state.frame_sum, output)
                elif begin >= kept:
                    deliver(
                        scratch, first + output, row, out, output, begin - kept, end - begin, p.n_groups, p.n_channels
                    )
        if frame_length:
            state.frame_filled[0] += end - begin
            if state.frame_filled[0] == frame_length or (end == x.shape[1] and n_frames == 0):
                close_frame(state, plan, out, n_frames)
                n_frames += 1
        begin = end
