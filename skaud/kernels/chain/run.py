"""Runs of a chain: a kernel made of the kinds of its parts, block after block through one part after the other.

A loop here loads, calls what a kind does in a sample, and stores.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop, stretch
from skaud.kernels.chain.kind import Kind
from skaud.kernels.chain.layout import COEFFICIENTS, FIRST, KEPT, RESPONSE, STATES, TIMES
from skaud.kernels.lanes import LANES, SEGMENT
from skaud.kernels.one_pole import ZERO


class Span(NamedTuple):
    """Samples of a block: from begin to end; in_x, where the block begins in the sound; slot, on a tape, or -1."""

    begin: int
    end: int
    in_x: int
    slot: int


class Work(NamedTuple):
    """What the loops of a row work on: of a plan, of a state, and of a tape, which may be empty."""

    row: int
    n_groups: int
    n_taped: int
    block: np.ndarray
    states: np.ndarray
    sums: np.ndarray
    table: np.ndarray
    coefficients: np.ndarray
    groups: np.ndarray
    taylor: tuple
    inputs: np.ndarray
    kept: np.ndarray
    responses: np.ndarray


@loop
def nothing(i, span, work):
    """What follows the last part."""


def in_turn(loops: Iterable[Callable]) -> Any:
    """One loop that runs others one after the other, each with the number of its part."""
    then = nothing
    for first in reversed(list(loops)):
        then = _one_then(first, then)
    return then


def _one_then(first: Callable, then: Callable) -> Any:
    @loop
    def both(i, span, work):
        first(i, span, work)
        then(i + 1, span, work)

    return both


@loop
def copy_lanes(source, target):
    """All numbers of a target, from the beginning of an array."""
    for i in range(len(target)):
        target[i] = source[i]


@loop
def load(x, plan, work, n_samples, in_x):
    """Samples of a row into the block: a sound into all lanes, or channels (n_rows * n_channels, n_samples) into theirs."""
    width = plan.n_groups * LANES
    if plan.takes_channels:
        for i in range(n_samples * width):
            work.block[i] = ZERO
        for c in range(plan.n_channels):
            for t in range(n_samples):
                work.block[t * width + c] = x[work.row * plan.n_channels + c, in_x + t]
    else:
        for t in range(n_samples):
            sample, lanes = x[work.row, in_x + t], stretch(work.block, t * width, width)
            for i in range(width):
                lanes[i] = sample


@loop
def store(response, span, work):
    """Block into the next samples of a response."""
    out = work.responses[response]
    for c in range(out.shape[1]):
        for t in range(span.end):
            out[work.row, c, span.in_x + t] = work.block[t * work.n_groups * LANES + c]


@cache
def link(kind: type[Kind]) -> Any:
    """Loop of a part that channels go through: a block, in place."""
    sample, n_coefficients, n_states = kind.sample, kind.n_coefficients * LANES, kind.n_states * LANES
    n_kept = n_states if kind.keeps_states else 0

    @loop
    def go_through(i, span, work):
        n_groups, width, own = work.n_groups, work.n_groups * LANES, work.table[i]
        f_begin, z_begin, u_begin = own[COEFFICIENTS], own[STATES], own[KEPT] * LANES * (work.n_taped + 1)
        for n in range(own[TIMES]):
            if span.slot >= 0:
                at = ((own[FIRST] + n) * work.n_taped + span.slot) * width
                copy_lanes(work.block, stretch(work.inputs, at, span.end * width))
            for t in range(span.end):
                for k in range(n_groups):
                    part = n * n_groups + k
                    f = stretch(work.coefficients, f_begin + part * n_coefficients, n_coefficients)
                    z = stretch(work.states, z_begin + part * n_states, n_states)
                    x = stretch(work.block, (t * n_groups + k) * LANES, LANES)
                    u = u_begin + (part * (work.n_taped + 1) + span.slot + t) * n_kept
                    if n_kept and span.slot == 0 and t == 0:
                        copy_lanes(z, stretch(work.kept, u, n_kept))
                    for l in range(LANES):
                        x[l] = sample(x[l], l, f, z, work.taylor)
                    if n_kept and span.slot >= 0:
                        copy_lanes(z, stretch(work.kept, u + n_kept, n_kept))
        if own[RESPONSE] >= 0:
            store(own[RESPONSE], span, work)

    return go_through


@cache
def filters(kind: type[Kind]) -> Any:
    """Loop of filters: samples of the block, added to the cells' sums.

    Four samples at a time, whose states stay in registers; what is left over one by one.
    """
    sample, n_coefficients, n_states = kind.sample, kind.n_coefficients * LANES, kind.n_states * LANES

    @loop
    def go_through(i, span, work):
        width, own, t = work.n_groups * LANES, work.table[i], span.begin
        f_begin, z_begin, first = own[COEFFICIENTS], own[STATES], own[FIRST]
        while t < span.end:
            at_once = 4 if span.end - t >= 4 else 1
            for cell in range(own[TIMES]):
                x = stretch(work.block, t * width + work.groups[first + cell] * LANES, at_once * width)
                f = stretch(work.coefficients, f_begin + cell * n_coefficients, n_coefficients)
                z = stretch(work.states, z_begin + cell * n_states, n_states)
                total = stretch(work.sums, (first + cell) * LANES, LANES)
                if at_once == 4:
                    x1, x2, x3 = stretch(x, width, LANES), stretch(x, 2 * width, LANES), stretch(x, 3 * width, LANES)
                    for l in range(LANES):
                        sum1 = total[l] + sample(x[l], l, f, z, work.taylor)
                        sum2 = sum1 + sample(x1[l], l, f, z, work.taylor)
                        sum3 = sum2 + sample(x2[l], l, f, z, work.taylor)
                        total[l] = sum3 + sample(x3[l], l, f, z, work.taylor)
                else:
                    for l in range(LANES):
                        total[l] += sample(x[l], l, f, z, work.taylor)
            t += at_once

    return go_through


@loop
def close_frame(plan, work, n_samples, mean):
    """Mean of every feature over a frame, whose sums begin anew."""
    for f in range(len(plan.positions)):
        mean[f] = work.sums[plan.positions[f]] / np.float32(n_samples)
    for i in range(len(work.sums)):
        work.sums[i] = ZERO


@cache
def run_of(kinds: tuple[type[Kind], ...]) -> Any:
    """Kernel of a chain of these kinds."""
    go_through = in_turn(link(kind) for kind in kinds if not kind.is_filter)
    go_through_filters = in_turn(filters(kind) for kind in kinds if kind.is_filter)

    @kernel
    def run(x, state, plan, checkpoints, segment, work, responses, frames, frame_samples):
        """All samples of x through all parts.

        x is (n_rows, n_samples), or (n_rows * n_channels, n_samples) where the chain takes channels. responses holds
        an array (n_rows, n_channels, n_samples) for every part whose RESPONSE is not -1; frames
        (n_rows, n_features, n_frames) gets what frames that end in x give on average, unless it has no rows.
        checkpoints (n_checkpoints, n_rows, n) gets the states before every `segment` samples, unless it is empty.
        """
        block, means = borrowed(work[0]), borrowed(work[1])
        table, coefficients = borrowed(plan.table), borrowed(plan.coefficients)
        groups, states, sums = borrowed(plan.groups), borrowed(state.states), borrowed(state.sums)
        filled = state.filled[0]
        for row in range(len(states)):
            own = Work(
                row, plan.n_groups, 0, block, states[row], sums[row], table, coefficients, groups, plan.taylor,
                block, block, responses,
            )  # fmt: skip
            filled, n_frames = state.filled[0], 0
            for begin in range(0, x.shape[1], SEGMENT):
                n_samples = min(SEGMENT, x.shape[1] - begin)
                if len(checkpoints) and begin % segment == 0:
                    copy_lanes(own.states, checkpoints[begin // segment, row])
                load(x, plan, own, n_samples, begin)
                go_through(0, Span(0, n_samples, begin, -1), own)
                if len(frames):
                    t, n_ended = 0, 0
                    while t < n_samples:
                        end = min(n_samples, t + frame_samples - filled)
                        go_through_filters(plan.n_links, Span(t, end, begin, -1), own)
                        filled, t = filled + end - t, end
                        if filled == frame_samples:
                            close_frame(plan, own, frame_samples, means[n_ended])
                            filled, n_ended = 0, n_ended + 1
                    for f in range(len(plan.positions)):
                        for j in range(n_ended):
                            frames[row, f, n_frames + j] = means[j, f]
                    n_frames += n_ended
        state.filled[0] = filled

    return run
