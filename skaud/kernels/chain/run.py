"""Runs of a chain: a kernel made of the kinds of its parts, block after block through one part after the other.

A loop here loads, calls what a kind does in a sample, and stores.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels._compile import kernel, loop, pointer
from skaud.kernels.chain.kind import Kind, made_once
from skaud.kernels.chain.layout import COEFFICIENTS, FIRST, KEPT, N_COLUMNS, RESPONSE, STATES, TIMES, Tape
from skaud.kernels.lanes import LANES, SEGMENT
from skaud.kernels.one_pole import ZERO


class Span(NamedTuple):
    """Samples of a block: from begin to end; in_x, where the block begins in the sound; slot, on a tape, or -1."""

    begin: int
    end: int
    in_x: int
    slot: int


class Work(NamedTuple):
    """What the loops of a row work on, flat: of a plan, of a state, and of a tape, which may be empty.

    responses : (n_responses, n_rows, n_channels, n_samples)
    """

    row: int
    n_rows: int
    n_samples: int
    n_channels: int
    n_groups: int
    n_taped: int
    table: np.ndarray
    coefficients: np.ndarray
    groups: np.ndarray
    taylor: tuple
    block: np.ndarray
    states: np.ndarray
    sums: np.ndarray
    inputs: np.ndarray
    kept: np.ndarray
    responses: np.ndarray


@loop
def nothing(i, span, work, back):
    """What stands in the place of a part."""


def in_turn(loops: Sequence[Callable], *, last_first: bool = False) -> Any:
    """One loop that runs others one after the other, each with the number of its part; a few, since each loop costs."""
    then = in_turn(loops[3:], last_first=last_first) if loops[3:] else nothing
    calls = [*zip([*loops[:3], nothing, nothing, nothing][:3], range(3)), (then, 3)][:: -1 if last_first else 1]
    (first, i_first), (second, i_second), (third, i_third), (fourth, i_fourth) = calls

    @loop
    def one_after_the_other(i, span, work, back):
        first(i + i_first, span, work, back)
        second(i + i_second, span, work, back)
        third(i + i_third, span, work, back)
        fourth(i + i_fourth, span, work, back)

    return one_after_the_other


@loop
def work_of(row, n_samples, plan, state, block, tape, responses):
    """`Work` of a row."""
    n_rows, n_states = state.states.shape
    return Work(
        row=row,
        n_rows=n_rows,
        n_samples=n_samples,
        n_channels=plan.n_channels,
        n_groups=plan.n_groups,
        n_taped=tape.n_samples,
        table=pointer(plan.table, 0),
        coefficients=pointer(plan.coefficients, 0),
        groups=pointer(plan.groups, 0),
        taylor=plan.taylor,
        block=pointer(block, 0),
        states=pointer(state.states, row * n_states),
        sums=pointer(state.sums, row * state.sums.shape[1]),
        inputs=pointer(tape.inputs, 0),
        kept=pointer(tape.kept, 0),
        responses=pointer(responses, 0),
    )


@loop
def copy_lanes(source, target, n):
    """So many numbers."""
    for i in range(n):
        target[i] = source[i]


@loop
def load(x, takes_channels, work, n_samples, in_x):
    """Samples of a row into the block: a sound into all lanes, or channels, each a row of x, into theirs."""
    width = work.n_groups * LANES
    if takes_channels:
        for i in range(n_samples * width):
            work.block[i] = ZERO
        for c in range(work.n_channels):
            channel = pointer(x, (work.row * work.n_channels + c) * work.n_samples + in_x)
            for t in range(n_samples):
                work.block[t * width + c] = channel[t]
    else:
        sound = pointer(x, work.row * work.n_samples + in_x)
        for t in range(n_samples):
            lanes = pointer(work.block, t * width)
            for i in range(width):
                lanes[i] = sound[t]


@loop
def store(response, span, work):
    """Block into the next samples of a response."""
    for c in range(work.n_channels):
        row = (response * work.n_rows + work.row) * work.n_channels + c
        out = pointer(work.responses, row * work.n_samples + span.in_x)
        for t in range(span.end):
            out[t] = work.block[t * work.n_groups * LANES + c]


@made_once
def link(kind: type[Kind]) -> Any:
    """Loop of a part that channels go through: a block, in place."""
    sample, n_coefficients, n_states = kind.sample, kind.n_coefficients * LANES, kind.n_states * LANES
    n_kept = n_states if kind.keeps_states else 0

    @loop
    def go_through(i, span, work, back):
        n_groups, block, taylor, slot = work.n_groups, work.block, work.taylor, span.slot
        own = pointer(work.table, i * N_COLUMNS)
        for n in range(own[TIMES]):
            if slot >= 0:
                plane = pointer(work.inputs, ((own[FIRST] + n) * work.n_taped + slot) * n_groups * LANES)
                copy_lanes(block, plane, span.end * n_groups * LANES)
            coefficients = pointer(work.coefficients, own[COEFFICIENTS] + n * n_groups * n_coefficients)
            states = pointer(work.states, own[STATES] + n * n_groups * n_states)
            kept = pointer(work.kept, (own[KEPT] * LANES + n * n_groups * n_kept) * (work.n_taped + 1))
            for t in range(span.end):
                for k in range(n_groups):
                    f, z = pointer(coefficients, k * n_coefficients), pointer(states, k * n_states)
                    x = pointer(block, (t * n_groups + k) * LANES)
                    u = pointer(kept, (k * (work.n_taped + 1) + slot + t) * n_kept)
                    if n_kept and slot == 0 and t == 0:
                        copy_lanes(z, u, n_kept)
                    for l in range(LANES):
                        x[l] = sample(x[l], l, f, z, taylor)
                    if n_kept and slot >= 0:
                        copy_lanes(z, pointer(u, n_kept), n_kept)
        if own[RESPONSE] >= 0:
            store(own[RESPONSE], span, work)

    return go_through


@made_once
def filters(kind: type[Kind]) -> Any:
    """Loop of filters: samples of the block, added to the cells' sums.

    One at a time: several at once, with a second loop for those left over, would round as the compiler arranges each.
    """
    sample, n_coefficients, n_states = kind.sample, kind.n_coefficients * LANES, kind.n_states * LANES

    @loop
    def go_through(i, span, work, back):
        width, taylor = work.n_groups * LANES, work.taylor
        own = pointer(work.table, i * N_COLUMNS)
        coefficients, states = pointer(work.coefficients, own[COEFFICIENTS]), pointer(work.states, own[STATES])
        sums, groups = pointer(work.sums, own[FIRST] * LANES), pointer(work.groups, own[FIRST])
        for t in range(span.begin, span.end):
            for cell in range(own[TIMES]):
                x, total = pointer(work.block, t * width + groups[cell] * LANES), pointer(sums, cell * LANES)
                f, z = pointer(coefficients, cell * n_coefficients), pointer(states, cell * n_states)
                for l in range(LANES):
                    total[l] = total[l] + sample(x[l], l, f, z, taylor)

    return go_through


@loop
def close_frame(positions, n_features, n_cells, sums, n_samples, mean):
    """Mean of every feature over a frame, whose sums begin anew."""
    for f in range(n_features):
        mean[f] = sums[positions[f]] / np.float32(n_samples)
    for i in range(n_cells * LANES):
        sums[i] = ZERO


@made_once
def run_of(kinds: tuple[type[Kind], ...]) -> Any:
    """Kernel of a chain of these kinds."""
    go_through = in_turn([link(kind) for kind in kinds if not kind.is_filter])
    go_through_filters = in_turn([filters(kind) for kind in kinds if kind.is_filter])

    @kernel
    def run(x, state, plan, checkpoints, segment, work, responses, frames, frame_samples):
        """All samples of x through all parts.

        x is (n_rows, n_samples), or (n_rows * n_channels, n_samples) where the chain takes channels. responses holds
        an array (n_rows, n_channels, n_samples) for every part whose RESPONSE is not -1; frames
        (n_rows, n_features, n_frames) gets what frames that end in x give on average, unless it has no rows.
        checkpoints (n_checkpoints, n_rows, n) gets the states before every `segment` samples, unless it is empty.
        """
        (n_rows, n_states), n_samples, n_features = state.states.shape, x.shape[1], len(plan.positions)
        means, positions = pointer(work[1], 0), pointer(plan.positions, 0)
        no_tape = Tape(inputs=work[0], kept=work[0], cells=work[0], n_samples=0)
        filled, n_frames = state.filled[0], 0
        for row in range(n_rows):
            own = work_of(row, n_samples, plan, state, work[0], no_tape, responses)
            filled, n_frames = state.filled[0], 0
            for begin in range(0, n_samples, SEGMENT):
                n = min(SEGMENT, n_samples - begin)
                if len(checkpoints) and begin % segment == 0:
                    copy_lanes(own.states, pointer(checkpoints, (begin // segment * n_rows + row) * n_states), n_states)
                load(x, plan.takes_channels, own, n, begin)
                go_through(0, Span(0, n, begin, -1), own, None)
                if len(frames):
                    t, n_ended = 0, 0
                    while t < n:
                        end = min(n, t + frame_samples - filled)
                        go_through_filters(plan.n_links, Span(t, end, begin, -1), own, None)
                        filled, t = filled + end - t, end
                        if filled == frame_samples:
                            mean = pointer(means, n_ended * n_features)
                            close_frame(positions, n_features, len(plan.groups), own.sums, frame_samples, mean)
                            filled, n_ended = 0, n_ended + 1
                    for f in range(n_features):
                        for j in range(n_ended):
                            frames[row, f, n_frames + j] = means[j * n_features + f]
                    n_frames += n_ended
        state.filled[0] = filled

    return run
