"""Reverse runs of a chain, a segment at a time, the last one first.

A segment is run forwards once more, from the checkpoint that it began with, and leaves on a tape what the adjoints must
know; then block after block goes backwards through the parts. A loop here loads, calls the adjoint of what a kind does
in a sample, and stores.
"""

from typing import Any, NamedTuple

import numpy as np

from skaud.kernels._compile import kernel, loop, pointer
from skaud.kernels.chain.kind import Kind, made_once
from skaud.kernels.chain.layout import COEFFICIENTS, FIRST, KEPT, N_COLUMNS, STATES, TIMES
from skaud.kernels.chain.run import Span, copy_lanes, filters, in_turn, link, load, work_of
from skaud.kernels.lanes import LANES, SEGMENT
from skaud.kernels.one_pole import ZERO


class Back(NamedTuple):
    """What the loops of a reverse run have besides a row's `Work`, whose block holds bars by then; flat.

    first_cell : where the states of cells begin, coefficients, states : bars, seeds : of frames,
    frames : of the block's samples, history : states of a cell, cells : of all, at the beginnings of blocks
    """

    n_planes: int
    n_cells: int
    first_cell: int
    n_cell_states: int
    coefficients: np.ndarray
    states: np.ndarray
    seeds: np.ndarray
    frames: np.ndarray
    history: np.ndarray
    cells: np.ndarray


@made_once
def link_adjoint(kind: type[Kind], wanted: bool) -> Any:
    """Adjoint of `link`: a block of bars, in place."""
    sample_adjoint, n_coefficients, n_states = kind.sample_adjoint, kind.n_coefficients * LANES, kind.n_states * LANES
    n_kept = n_states if kind.keeps_states else 0

    @loop
    def go_back(i, span, work, back):
        n_groups, own = work.n_groups, pointer(work.table, i * N_COLUMNS)
        plane_size = work.n_taped * n_groups * LANES
        for m in range(own[TIMES]):
            n = own[TIMES] - 1 - m
            inputs = pointer(work.inputs, (own[FIRST] + n) * plane_size + span.slot * n_groups * LANES)
            f_begin, z_begin = own[COEFFICIENTS] + n * n_groups * n_coefficients, own[STATES] + n * n_groups * n_states
            kept = pointer(work.kept, (own[KEPT] * LANES + n * n_groups * n_kept) * (work.n_taped + 1))
            for s in range(span.end):
                t = span.end - 1 - s
                for k in range(n_groups):
                    rows = (
                        pointer(work.coefficients, f_begin + k * n_coefficients),
                        pointer(back.coefficients, f_begin + k * n_coefficients),
                        pointer(back.states, z_begin + k * n_states),
                        pointer(kept, (k * (work.n_taped + 1) + span.slot + t) * n_kept),
                        work.taylor,
                    )
                    at = (t * n_groups + k) * LANES
                    bar, x, y = pointer(work.block, at), pointer(inputs, at), pointer(inputs, at + plane_size)
                    for l in range(LANES):
                        # y = sample(x, l, f, z, taylor)
                        bar[l] = sample_adjoint(bar[l], x[l], y[l], l, rows, wanted)

    return go_back


@made_once
def filters_adjoint(kind: type[Kind], wanted: bool) -> Any:
    """Adjoint of `filters`, cell by cell, whose states of a block are computed once more; added to a block of bars."""
    sample, sample_adjoint = kind.sample, kind.sample_adjoint
    n_coefficients, n_states = kind.n_coefficients * LANES, kind.n_states * LANES

    @loop
    def go_back(i, span, work, back):
        width, taylor, own = work.n_groups * LANES, work.taylor, pointer(work.table, i * N_COLUMNS)
        last_plane = pointer(work.inputs, ((back.n_planes - 1) * work.n_taped + span.slot) * width)
        taped = span.slot // SEGMENT * back.n_cell_states - back.first_cell + own[STATES]
        for cell in range(own[TIMES]):
            at, f_begin = work.groups[own[FIRST] + cell] * LANES, own[COEFFICIENTS] + cell * n_coefficients
            f, f_bar = pointer(work.coefficients, f_begin), pointer(back.coefficients, f_begin)
            z_bar = pointer(back.states, own[STATES] + cell * n_states)
            copy_lanes(pointer(back.cells, taped + cell * n_states), back.history, n_states)
            for t in range(span.end):
                z, x = pointer(back.history, t * n_states), pointer(last_plane, t * width + at)
                for j in range(n_states):
                    z[j + n_states] = z[j]
                after = pointer(z, n_states)
                for l in range(LANES):
                    sample(x[l], l, f, after, taylor)
            for s in range(span.end):
                t = span.end - 1 - s
                x, bar = pointer(last_plane, t * width + at), pointer(work.block, t * width + at)
                seed = pointer(back.seeds, (back.frames[t] * back.n_cells + own[FIRST] + cell) * LANES)
                rows = (f, f_bar, z_bar, pointer(back.history, t * n_states), taylor)
                for l in range(LANES):
                    # total = total + sample(x, l, f, z, taylor)
                    bar[l] = bar[l] + sample_adjoint(seed[l], x[l], l, rows, wanted)

    return go_back


@loop
def sow(value_bar, row, first, n_frames, positions, back):
    """Bars of frames from first on, cell by cell; 0 behind the last frame."""
    _, n_features, n_all = value_bar.shape
    for f in range(n_features):
        bars = pointer(value_bar, (row * n_features + f) * n_all + first)
        for frame in range(n_frames):
            seed = bars[frame] if first + frame < n_all else ZERO
            back.seeds[frame * back.n_cells * LANES + positions[f]] = seed


@loop
def harvest(x_bar, takes_channels, work, n_samples, in_x):
    """Adjoint of load: bars of the samples of a row, from those of the block, which are overwritten."""
    width = work.n_groups * LANES
    if takes_channels:
        for c in range(work.n_channels):
            channel = pointer(x_bar, (work.row * work.n_channels + c) * work.n_samples + in_x)
            for t in range(n_samples):
                channel[t] = work.block[t * width + c]
    else:
        sound = pointer(x_bar, work.row * work.n_samples + in_x)
        for t in range(n_samples):
            sound[t] = sum_lanes(pointer(work.block, t * width), work.n_groups)


@loop
def sum_lanes(sample, n_groups):
    """Sum of all lanes of a sample, by halves; it is overwritten."""
    for k in range(1, n_groups):
        for l in range(LANES):
            sample[l] = sample[l] + sample[k * LANES + l]
    for l in range(8):
        sample[l] = sample[l] + sample[8 + l]
    for l in range(4):
        sample[l] = sample[l] + sample[4 + l]
    return (sample[0] + sample[2]) + (sample[1] + sample[3])


@loop
def sum_up(gathered, summed):
    """Move what gathers over all samples from single precision to double."""
    for i in range(len(gathered)):
        summed[i] += gathered[i]
        gathered[i] = ZERO


@made_once
def reverse_of(kinds: tuple[type[Kind], ...], wanted: bool) -> Any:
    """Kernel of the adjoint of a chain of these kinds, with or without bars of coefficients."""
    links, cells = [kind for kind in kinds if not kind.is_filter], [kind for kind in kinds if kind.is_filter]
    go_through = in_turn([link(kind) for kind in links])
    go_through_filters = in_turn([filters(kind) for kind in cells])
    go_back = in_turn([link_adjoint(kind, wanted) for kind in links], last_first=True)
    go_back_through_filters = in_turn([filters_adjoint(kind, wanted) for kind in cells], last_first=True)

    @kernel
    def reverse(x, checkpoints, state, plan, value_bar, frame_samples, bars, tape, work):
        """Adjoint of run, over all of x, from checkpoints as far apart as the tape is long; it changes state.

        value_bar (n_rows, n_features, n_frames) are the bars of frames of frame_samples samples, of sums, not means.
        bars come in as zeros, those of x as anything; if not wanted, those of the coefficients mean nothing.
        """
        (n_rows, n_states), n_samples, width = state.states.shape, x.shape[1], plan.n_groups * LANES
        first_cell, frames, cells = plan.table[plan.n_links, STATES], pointer(work.frames, 0), pointer(tape.cells, 0)
        n_cell_states, n_all = n_states - first_cell, checkpoints.shape[2]
        for row in range(n_rows):
            own = work_of(row, n_samples, plan, state, work.block, tape, value_bar)
            back = Back(
                n_planes=plan.n_planes,
                n_cells=len(plan.groups),
                first_cell=first_cell,
                n_cell_states=n_cell_states,
                coefficients=pointer(work.gathered, 0),
                states=pointer(bars.states, row * n_states),
                seeds=pointer(work.seeds, 0),
                frames=frames,
                history=pointer(work.history, 0),
                cells=cells,
            )
            for j in range(len(checkpoints)):
                k = len(checkpoints) - 1 - j
                start, stop = k * tape.n_samples, min((k + 1) * tape.n_samples, n_samples)
                copy_lanes(pointer(checkpoints, (k * n_rows + row) * n_all), own.states, n_states)
                for begin in range(start, stop, SEGMENT):
                    n, slot = min(SEGMENT, stop - begin), begin - start
                    load(x, plan.takes_channels, own, n, begin)
                    go_through(0, Span(0, n, begin, slot), own, None)
                    entering = pointer(own.inputs, ((plan.n_planes - 1) * tape.n_samples + slot) * width)
                    copy_lanes(own.block, entering, n * width)
                    at_begin = pointer(cells, slot // SEGMENT * n_cell_states)
                    copy_lanes(pointer(own.states, first_cell), at_begin, n_cell_states)
                    go_through_filters(plan.n_links, Span(0, n, begin, slot), own, None)
                for begin in range(start + (stop - 1 - start) // SEGMENT * SEGMENT, start - 1, -SEGMENT):
                    span, first = Span(0, min(SEGMENT, stop - begin), begin, begin - start), begin // frame_samples
                    for t in range(span.end):
                        frames[t] = (begin + t) // frame_samples - first
                    sow(value_bar, row, first, frames[span.end - 1] + 1, plan.positions, back)
                    for i in range(span.end * width):
                        own.block[i] = ZERO
                    go_back_through_filters(plan.n_links, span, own, back)
                    go_back(0, span, own, back)
                    harvest(bars.x, plan.takes_channels, own, span.end, begin)
                sum_up(work.gathered, bars.coefficients)

    return reverse
