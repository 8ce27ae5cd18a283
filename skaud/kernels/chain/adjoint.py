"""Reverse runs of a chain, a segment at a time, the last one first.

A segment is run forwards once more, from the checkpoint that it began with, and leaves on a tape what the adjoints must
know; then block after block goes backwards through the parts. A loop here loads, calls the adjoint of what a kind does
in a sample, and stores.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop, stretch
from skaud.kernels.chain.kind import Kind, Rows
from skaud.kernels.chain.layout import COEFFICIENTS, FIRST, KEPT, STATES, TIMES
from skaud.kernels.chain.run import Span, Work, copy_lanes, filters, in_turn, link, load
from skaud.kernels.lanes import LANES, SEGMENT
from skaud.kernels.one_pole import ZERO


class Back(NamedTuple):
    """What the loops of a reverse run have besides a row's `Work`, whose block holds bars by then."""

    coefficients: np.ndarray
    states: np.ndarray
    seeds: np.ndarray
    frames: np.ndarray
    history: np.ndarray
    cells: np.ndarray
    first_cell: int  # where their states begin
    wanted: int  # a bit a part


@loop
def nothing(i, span, work, back):
    """What precedes the first part."""


def backwards(loops: Iterable[Callable]) -> Any:
    """One loop that runs others, the last first, each with the number of its part."""
    then = nothing
    for first in reversed(list(loops)):
        then = _after(then, first)
    return then


def _after(then: Callable, first: Callable) -> Any:
    @loop
    def both(i, span, work, back):
        then(i + 1, span, work, back)
        first(i, span, work, back)

    return both


@cache
def link_adjoint(kind: type[Kind]) -> Any:
    """Adjoint of `link`: a block of bars, in place."""
    sample_adjoint, n_coefficients, n_states = kind.sample_adjoint, kind.n_coefficients * LANES, kind.n_states * LANES
    n_kept = n_states if kind.keeps_states else 0

    @loop
    def go_back(i, span, work, back):
        n_groups, own = work.n_groups, work.table[i]
        f_begin, z_begin, u_begin = own[COEFFICIENTS], own[STATES], own[KEPT] * LANES * (work.n_taped + 1)
        wanted = (back.wanted >> i) & 1 == 1
        plane_size = work.n_taped * n_groups * LANES
        for m in range(own[TIMES]):
            n = own[TIMES] - 1 - m
            x_begin = (own[FIRST] + n) * plane_size + span.slot * n_groups * LANES
            for s in range(span.end):
                t = span.end - 1 - s
                for k in range(n_groups):
                    part = n * n_groups + k
                    at = (t * n_groups + k) * LANES
                    u = u_begin + (part * (work.n_taped + 1) + span.slot + t) * n_kept
                    rows = Rows(
                        stretch(work.coefficients, f_begin + part * n_coefficients, n_coefficients),
                        stretch(back.coefficients, f_begin + part * n_coefficients, n_coefficients),
                        stretch(back.states, z_begin + part * n_states, n_states),
                        stretch(work.kept, u, 2 * n_kept),
                        work.taylor,
                    )
                    bar = stretch(work.block, at, LANES)
                    x = stretch(work.inputs, x_begin + at, LANES)
                    y = stretch(work.inputs, x_begin + at + plane_size, LANES)
                    # y = sample(x, l, f, z, taylor)
                    if wanted:  # here, not within the loops, which LLVM would then not vectorise well
                        for l in range(LANES):
                            bar[l] = sample_adjoint(bar[l], x[l], y[l], l, rows, 1)
                    else:
                        for l in range(LANES):
                            bar[l] = sample_adjoint(bar[l], x[l], y[l], l, rows, 0)

    return go_back


@cache
def filters_adjoint(kind: type[Kind]) -> Any:
    """Adjoint of `filters`, cell by cell, whose states of a block are computed once more; added to a block of bars."""
    sample, sample_adjoint = kind.sample, kind.sample_adjoint
    n_coefficients, n_states = kind.n_coefficients * LANES, kind.n_states * LANES

    @loop
    def go_back(i, span, work, back):
        width, own, n_cells = work.n_groups * LANES, work.table[i], len(work.groups)
        wanted = (back.wanted >> i) & 1 == 1
        last_plane = len(work.inputs) - (work.n_taped - span.slot) * width
        taped = span.slot // SEGMENT * (len(work.states) - back.first_cell) - back.first_cell + own[STATES]
        for cell in range(own[TIMES]):
            x_begin = last_plane + work.groups[own[FIRST] + cell] * LANES
            f = stretch(work.coefficients, own[COEFFICIENTS] + cell * n_coefficients, n_coefficients)
            f_bar = stretch(back.coefficients, own[COEFFICIENTS] + cell * n_coefficients, n_coefficients)
            z_bar = stretch(back.states, own[STATES] + cell * n_states, n_states)
            copy_lanes(stretch(back.cells, taped + cell * n_states, n_states), stretch(back.history, 0, n_states))
            for t in range(span.end):
                states, z = (
                    stretch(back.history, t * n_states, 2 * n_states),
                    stretch(back.history, (t + 1) * n_states, n_states),
                )
                x = stretch(work.inputs, x_begin + t * width, LANES)
                for j in range(n_states):
                    states[j + n_states] = states[j]
                for l in range(LANES):
                    sample(x[l], l, f, z, work.taylor)
            for s in range(span.end):
                t = span.end - 1 - s
                x = stretch(work.inputs, x_begin + t * width, LANES)
                bar = stretch(work.block, x_begin - last_plane + t * width, LANES)
                seed = stretch(back.seeds, (back.frames[t] * n_cells + own[FIRST] + cell) * LANES, LANES)
                rows = Rows(f, f_bar, z_bar, stretch(back.history, t * n_states, 2 * n_states), work.taylor)
                # total = total + sample(x, l, f, z, taylor)
                if wanted:
                    for l in range(LANES):
                        bar[l] += sample_adjoint(seed[l], x[l], l, rows, 1)
                else:
                    for l in range(LANES):
                        bar[l] += sample_adjoint(seed[l], x[l], l, rows, 0)

    return go_back


@loop
def sow(value_bar, row, first, n_frames, seeds, positions, n_cells):
    """Bars of frames from first on, cell by cell; 0 behind the last frame."""
    for f in range(len(positions)):
        for frame in range(n_frames):
            seed = value_bar[row, f, first + frame] if first + frame < value_bar.shape[2] else ZERO
            seeds[frame * n_cells * LANES + positions[f]] = seed


@loop
def harvest(x_bar, plan, work, block, n_samples, in_x):
    """Adjoint of load: bars of the samples of a row, from those of the block, which are overwritten."""
    width = plan.n_groups * LANES
    if plan.takes_channels:
        for c in range(plan.n_channels):
            for t in range(n_samples):
                x_bar[work.row * plan.n_channels + c, in_x + t] = block[t * width + c]
    else:
        for t in range(n_samples):
            x_bar[work.row, in_x + t] = sum_lanes(stretch(block, t * width, width), plan.n_groups)


@loop
def sum_lanes(sample, n_groups):
    """Sum of all lanes of a sample, by halves; it is overwritten."""
    for k in range(1, n_groups):
        for l in range(LANES):
            sample[l] += sample[k * LANES + l]
    for l in range(8):
        sample[l] += sample[8 + l]
    for l in range(4):
        sample[l] += sample[4 + l]
    return (sample[0] + sample[2]) + (sample[1] + sample[3])


@cache
def reverse_of(kinds: tuple[type[Kind], ...]) -> Any:
    """Kernel of the adjoint of a chain of these kinds."""
    links, cells = [kind for kind in kinds if not kind.is_filter], [kind for kind in kinds if kind.is_filter]
    go_through = in_turn(link(kind) for kind in links)
    go_through_filters = in_turn(filters(kind) for kind in cells)
    go_back = backwards(link_adjoint(kind) for kind in links)
    go_back_through_filters = backwards(filters_adjoint(kind) for kind in cells)

    @kernel
    def reverse(x, segment, checkpoints, state, plan, value_bar, frame_samples, bars, tape, work, wanted, x_bar):
        """Adjoint of run, over all of x, from checkpoints every `segment` samples; it changes state.

        value_bar (n_rows, n_features, n_frames) are the bars of frames of frame_samples samples, of sums, not means.
        bars come in as zeros and leave as those of the first state and, as far as wanted, of the coefficients. x_bar
        is shaped as x.
        """
        block, seeds, history = borrowed(work[0]), borrowed(work[1]), borrowed(work[2])
        gathered, frames = borrowed(work[3]), borrowed(work[4])
        table, coefficients = borrowed(plan.table), borrowed(plan.coefficients)
        groups, positions = borrowed(plan.groups), borrowed(plan.positions)
        states, sums, states_bar = borrowed(state.states), borrowed(state.sums), borrowed(bars.states)
        inputs, kept, cells = borrowed(tape.inputs), borrowed(tape.kept), borrowed(tape.cells)
        first_cell, width = table[plan.n_links, STATES], plan.n_groups * LANES
        n_cell_states = states.shape[1] - first_cell
        for row in range(len(states)):
            own = Work(
                row, plan.n_groups, tape.n_samples, block, states[row], sums[row], table, coefficients, groups,
                plan.taylor, inputs, kept, work[5],
            )  # fmt: skip
            back = Back(gathered, states_bar[row], seeds, frames, history, cells, first_cell, wanted)
            for j in range(len(checkpoints)):
                k = len(checkpoints) - 1 - j
                start, stop = k * segment, min((k + 1) * segment, x.shape[1])
                copy_lanes(checkpoints[k, row], own.states)
                for begin in range(start, stop, SEGMENT):
                    n_samples, slot = min(SEGMENT, stop - begin), begin - start
                    load(x, plan, own, n_samples, begin)
                    go_through(0, Span(0, n_samples, begin, slot), own)
                    entering = len(inputs) - (tape.n_samples - slot) * width
                    copy_lanes(block, stretch(inputs, entering, n_samples * width))
                    at_begin = stretch(cells, slot // SEGMENT * n_cell_states, n_cell_states)
                    copy_lanes(stretch(own.states, first_cell, n_cell_states), at_begin)
                    go_through_filters(plan.n_links, Span(0, n_samples, begin, slot), own)
                for begin in range(start + (stop - 1 - start) // SEGMENT * SEGMENT, start - 1, -SEGMENT):
                    span = Span(0, min(SEGMENT, stop - begin), begin, begin - start)
                    first = begin // frame_samples
                    for t in range(span.end):
                        frames[t] = (begin + t) // frame_samples - first
                    sow(value_bar, row, first, frames[span.end - 1] + 1, seeds, positions, len(groups))
                    for i in range(span.end * width):
                        block[i] = ZERO
                    go_back_through_filters(plan.n_links, span, own, back)
                    go_back(0, span, own, back)
                    harvest(x_bar, plan, own, block, span.end, begin)
                for i in range(len(gathered)):  # what gathers over all samples, from single precision to double
                    bars.coefficients[i] += gathered[i]
                    gathered[i] = ZERO

    return reverse
