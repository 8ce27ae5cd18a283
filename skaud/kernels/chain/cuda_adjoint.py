"""Adjoint of chains on a GPU: a thread a channel, a segment at a time, the last one first.

In device memory lie what enters each stretch of a few slots, no more than registers hold, and the states with which
blocks begin: the run has left them, or, where that would take too much, a segment is run forwards once more from its
checkpoint and leaves them. Then it goes backwards through one stretch after the other, block by block: a stretch is run
forwards through a block once more, which leaves a tape in shared memory, goes back, and hands the bar of every sample
to the stretch before it in device memory. What a channel's bars add up to moves to double precision after every
segment; bars of a sound are added over the channels of a warp by shuffles: they are the same bits in every run.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels.chain.cuda import (
    COEFFICIENTS,
    STATES,
    Shape,
    Slot,
    in_turn,
    keep_of,
    load_coefficients,
    load_states,
    store_slot,
)
from skaud.kernels.chain.cuda_stretches import Stretch, entries_of, n_entries, stretches_of
from skaud.kernels.device import ALL, add_at, cuda
from skaud.kernels.lanes import LANES


class Tape(NamedTuple):
    """What a reverse run knows of a run, or of a segment of it, warp by warp, and what it hands on.

    checkpoints : (n_rows, n_warps, n_segments, n_states, n_lanes), of the run, states : (n_rows, n_warps, n_blocks,
    n_states, n_lanes), where blocks begin, samples : (n_rows, n_warps, n_blocks, block, n_entries, n_lanes), what
    enters every stretch but the first, step : blocks from one segment to the next, where these are of the run, 0 where
    they are of a segment, which is run once more, handed : (n_rows, n_warps, segment, n_lanes), the bar that goes from
    stretch to stretch
    """

    checkpoints: Any
    states: Any
    samples: Any
    n_blocks: Any
    step: Any
    handed: Any


class Bars(NamedTuple):
    """What a reverse run takes and leaves; zeros before, but for value and x.

    value : (n_rows, n_features, n_frames), of sums, coefficients : (n_rows, n_warps, n_coefficients, n_lanes), in
    double precision, states : (n_rows, n_warps, n_states, n_lanes), x : (n_rows, n_warps, n_samples), summed over the
    channels of a warp, or as x, where the chain takes channels
    """

    value: Any
    coefficients: Any
    states: Any
    x: Any


def advance_of(slot: Slot) -> Callable:
    """Function that lets a filter hear a sample."""
    sample, at = slot.kind.sample, slot.at

    def advance(x, f, z, taylor):
        sample(x, at, f, z, taylor)

    return advance


def shift_of(slot: Slot) -> Callable:
    """Function that makes of the states before a sample those behind the one before it."""
    at, n_states = slot.at, slot.kind.n_states

    def shift(u):
        for i in range(n_states):
            u[at + (n_states + i) * LANES] = u[at + i * LANES]

    return shift


def link_adjoint_of(slot: Slot, row: int, n_lanes: int, wanted: bool) -> Callable:
    """Adjoint of a sample through a slot, which lies in a row of the tape: bar of what entered it."""
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, place, samples, f, f_bar, z_bar, u, taylor, seeds):
        # y = sample(x, l, f, z, taylor)
        x, y = samples[np.uint64(place + row * n_lanes)], samples[np.uint64(place + (row + 1) * n_lanes)]
        return sample_adjoint(bar, x, y, at, (f, f_bar, z_bar, u, taylor), wanted)

    return go_back


def filter_adjoint_of(slot: Slot, j: int, row: int, n_lanes: int, wanted: bool) -> Callable:
    """Adjoint of filter number j, added to the bar of what entered all filters, which lies in a row of the tape.

    row : -1 where no filter of the stretch must know what entered
    """
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, place, samples, f, f_bar, z_bar, u, taylor, seeds):
        # total = total + sample(x, l, f, z, taylor)
        x = samples[np.uint64(place + row * n_lanes)] if row >= 0 else bar
        return bar + sample_adjoint(seeds[j], x, at, (f, f_bar, z_bar, u, taylor), wanted)

    return go_back


def seed_of(slot: Slot, j: int, dtype: str) -> Callable:
    """Function that loads the bar of what filter number j gives."""
    part, number, real = slot.part, slot.number, np.dtype(dtype).type

    def seed(seeds, value_bar, reads, sizes, row, frame, channel):
        seeds[j] = real(0)
        if frame < sizes.n_frames and number < reads.counts[part * sizes.n_channels + channel]:
            feature = reads.firsts[part * sizes.n_channels + channel] + number
            seeds[j] = value_bar[(row * sizes.n_features + feature) * sizes.n_frames + frame]

    return seed


def clear_of(slot: Slot, dtype: str) -> Callable:
    """Function that sets the bars of a slot's coefficients to 0."""
    at, n_coefficients, real = slot.at, slot.kind.n_coefficients, np.dtype(dtype).type

    def clear(f_bar):
        for i in range(n_coefficients):
            f_bar[at + i * LANES] = real(0)

    return clear


def add_of(slot: Slot, n_lanes: int) -> Callable:
    """Function that moves a slot's bars of coefficients to double precision, to where those of a warp begin."""
    at, first, n_coefficients = slot.at, slot.coefficients, slot.kind.n_coefficients

    def add(f_bar, bars, begin, lane):
        for i in range(n_coefficients):
            add_at(bars, begin + (first + i) * n_lanes + lane, np.float64(f_bar[at + i * LANES]))

    return add


def replay_of(shape: Shape, wanted: bool, block: int) -> Callable:
    """Function that runs a segment from its checkpoint, and leaves what enters stretches and the states of blocks."""
    n_links, size, real = len(shape.links), shape.size, np.dtype(shape.dtype).type
    n_lanes, n_states, n_coefficients = shape.n_lanes, shape.n_states, shape.n_coefficients
    entries, n_rows = entries_of(shape), n_entries(shape)
    links, filters = shape.slots[:n_links], [slot for own in stretches_of(shape, wanted)[1] for slot in own.taped]
    load = in_turn([load_coefficients(slot, n_lanes) for slot in (*links, *filters)], COEFFICIENTS)
    load_state = in_turn([load_states(slot, 0) for slot in (*links, *filters)], STATES)
    store = in_turn([store_slot(slot) for slot in (*links, *filters)], STATES)
    go_through = in_turn(
        [keep_of(slot, row, n_lanes) for slot, row in zip(links, entries)], "x, f, z, taylor, samples, place", "x"
    )
    filter_all = in_turn([advance_of(slot) for slot in filters], "x, f, z, taylor")

    def replay(n, x, begin, first_block, warp, lane, checkpoint, reads, tape):
        f, z = cuda.local.array(size, real), cuda.local.array(size, real)
        load(f, reads.coefficients, warp * n_coefficients * n_lanes, lane)
        load_state(z, tape.checkpoints, checkpoint * n_states * n_lanes, lane, n_lanes)
        place, of_block, until_block = (
            first_block * block * n_rows * n_lanes + lane,
            first_block * n_states * n_lanes,
            0,
        )
        for v in range(n):
            if until_block == 0:
                store(z, tape.states, of_block, lane, n_lanes)
                until_block, of_block = block, of_block + n_states * n_lanes
            until_block -= 1
            y = go_through(x[begin + v], f, z, reads.taylor, tape.samples, place)
            if entries[-1] >= 0:
                tape.samples[place + entries[-1] * n_lanes] = y
            filter_all(y, f, z, reads.taylor)
            place += n_rows * n_lanes

    return replay


def leave_of(stretch: Stretch, n_lanes: int) -> Callable:
    """Function that takes a sample, which its tape has, through a stretch, and leaves the rest of it."""
    first, n_slots = stretch.n_taped, len(stretch.slots)
    store = in_turn([store_slot(slot) for slot in stretch.taped.values()], STATES)
    rows = [-1, *range(first + 1, first + n_slots)]
    go_through = in_turn(
        [keep_of(slot, row, n_lanes) for slot, row in zip(stretch.slots, rows)], "x, f, z, taylor, samples, place", "x"
    )
    filter_all = in_turn([advance_of(slot) for slot in stretch.taped], "x, f, z, taylor")

    def leave_links(f, z, taylor, samples, at):
        store(z, samples, at, 0, n_lanes)
        y = go_through(samples[np.uint64(at + first * n_lanes)], f, z, taylor, samples, at)
        samples[np.uint64(at + (first + n_slots) * n_lanes)] = y

    def leave_filters(f, z, taylor, samples, at):
        store(z, samples, at, 0, n_lanes)
        filter_all(samples[np.uint64(at + first * n_lanes)], f, z, taylor)

    return leave_filters if stretch.is_of_filters else leave_links


def back_of(shape: Shape, stretch: Stretch, wanted: bool, block: int, *, is_first: bool, is_last: bool) -> Callable:
    """Function that takes a segment back through a stretch; the last of these functions leaves the bar of x."""
    n_links, dtype, size = len(shape.links), shape.dtype, shape.size
    real, n_lanes, n_states, n_coefficients = np.dtype(dtype).type, shape.n_lanes, shape.n_states, shape.n_coefficients
    takes_channels, doublings, n_rows = shape.takes_channels, n_lanes.bit_length() - 1, n_entries(shape)
    entry, row_of_tape, first = stretch.entry, stretch.n_on_tape * n_lanes, stretch.n_taped
    slots, kept = list(stretch.slots), list(stretch.taped.values())
    cells, n_cells = list(shape.slots[n_links:]), len(shape.cells)
    numbers = [cells.index(slot) if slot.kind.is_filter else -1 for slot in slots]
    load = in_turn([load_coefficients(slot, n_lanes) for slot in slots], COEFFICIENTS)
    load_bars = in_turn([load_states(slot, 0) for slot in slots], STATES)
    store = in_turn([store_slot(slot) for slot in slots], STATES)
    leave, is_replayed, last = leave_of(stretch, n_lanes), stretch.is_replayed, stretch.n_on_tape - 1
    load_begin = in_turn([load_states(slot, 0) for slot in slots if slot in stretch.taped or numbers[0] < 0], STATES)
    load_before = in_turn([load_states(slot, 0) for slot in kept], STATES)
    shift = in_turn([shift_of(slot) for slot in kept], "u")
    go_back = in_turn(
        [
            link_adjoint_of(slot, first + i, n_lanes, wanted)
            if j < 0
            else filter_adjoint_of(slot, j, first if is_replayed else -1, n_lanes, wanted)
            for i, (slot, j) in reversed(list(enumerate(zip(slots, numbers))))
        ],
        "bar, place, samples, f, f_bar, z_bar, u, taylor, seeds",
        "bar",
    )
    seed = in_turn(
        [seed_of(slot, j, dtype) for slot, j in zip(slots, numbers) if j >= 0],
        "seeds, value_bar, reads, sizes, row, frame, channel",
    )
    clear = in_turn([clear_of(slot, dtype) for slot in slots], "f_bar")
    add_up = in_turn([add_of(slot, n_lanes) for slot in slots], "f_bar, bars, begin, lane")

    def back(start, n, x, begin, first_block, row, lane, warp, channel, is_there, reads, sizes, tape, samples, bars):
        """The n samples of the segment that begins at `start`, in x at `begin`."""
        n_samples, n_channels, frame_samples = sizes.n_samples, sizes.n_channels, sizes.frame_samples
        f, f_bar, z_bar = cuda.local.array(size, real), cuda.local.array(size, real), cuda.local.array(size, real)
        u, seeds = cuda.local.array(size, real), cuda.local.array(n_cells, real)
        own, frame = row * sizes.n_warps + warp, (start + n) // frame_samples
        load(f, reads.coefficients, warp * n_coefficients * n_lanes, lane)
        load_bars(z_bar, bars.states, own * n_states * n_lanes, lane, n_lanes)
        clear(f_bar)
        within, n_blocks = start + n - frame * frame_samples, (n + block - 1) // block
        # Counted from sample to sample, since a product of long numbers takes as long as half a filter.
        handed = own * sizes.segment * n_lanes + lane
        place, begin_of_states = first_block * block * n_rows * n_lanes + lane, first_block * n_states * n_lanes
        bar_at = (row * n_channels + channel if takes_channels else own) * n_samples + start + n
        seed(seeds, bars.value, reads, sizes, row, frame, channel)
        for turn in range(n_blocks):
            number = n_blocks - 1 - turn
            n_of_block = np.int32(min(block, n - number * block))
            kept_at, handed_at = place + number * block * n_rows * n_lanes, handed + number * block * n_lanes
            # All that a block takes from memory at once, since each waits as long as a sample takes.
            if is_replayed:
                load_begin(u, tape.states, begin_of_states + number * n_states * n_lanes, lane, n_lanes)
            for i in range(block):
                at = lane + i * row_of_tape
                if is_replayed and entry < 0:
                    entering = begin + number * block + min(np.int32(i), n_of_block - np.int32(1))
                    samples[np.uint64(at + first * n_lanes)] = x[entering]
                elif is_replayed:
                    samples[np.uint64(at + first * n_lanes)] = tape.samples[kept_at + (i * n_rows + entry) * n_lanes]
                if not is_first:
                    samples[np.uint64(at + last * n_lanes)] = tape.handed[handed_at + i * n_lanes]
            at = lane
            for _ in range(n_of_block):
                if is_replayed:
                    leave(f, u, reads.taylor, samples, at)
                at, handed_at = at + row_of_tape, handed_at + n_lanes
            shift(u)
            for _ in range(n_of_block):
                within -= 1
                if within < 0:
                    frame, within = frame - 1, frame_samples - 1
                    seed(seeds, bars.value, reads, sizes, row, frame, channel)
                at, handed_at, bar_at = at - row_of_tape, handed_at - n_lanes, bar_at - 1
                load_before(u, samples, at, 0, n_lanes)
                bar = real(0) if is_first else samples[np.uint64(at + last * n_lanes)]
                bar = go_back(bar, at, samples, f, f_bar, z_bar, u, reads.taylor, seeds)
                shift(u)
                if not is_last:
                    tape.handed[handed_at] = bar
                elif takes_channels:
                    if is_there:
                        bars.x[bar_at] = bar
                else:
                    bar = bar if is_there else real(0)
                    for e in range(doublings):
                        bar = bar + cuda.shfl_down_sync(ALL, bar, n_lanes >> (e + 1))
                    if lane == 0:
                        bars.x[bar_at] = bar
        store(z_bar, bars.states, own * n_states * n_lanes, lane, n_lanes)
        if wanted:
            add_up(f_bar, bars.coefficients, own * n_coefficients * n_lanes, lane)

    return back


def reverse_kernel(shape: Shape, wanted: bool, block: int) -> Callable:
    """Kernel of the adjoint of a run from rest, with or without bars of coefficients; blocks of so many samples."""
    links, filters = stretches_of(shape, wanted)
    n_lanes, takes_channels, real = shape.n_lanes, shape.takes_channels, np.dtype(shape.dtype).type
    replay, backwards = replay_of(shape, wanted, block), [*filters, *links[::-1]]
    last, n_shared = len(backwards) - 1, max(1, max(own.n_on_tape for own in backwards) * block * n_lanes)
    go_back = in_turn(
        [back_of(shape, own, wanted, block, is_first=i == 0, is_last=i == last) for i, own in enumerate(backwards)],
        "start, n, x, begin, first_block, row, lane, warp, channel, is_there, reads, sizes, tape, samples, bars",
    )

    def reverse(x, lengths, reads, sizes, tape, bars):
        """Adjoint of run, from what it left."""
        n_warps, n_channels, segment = sizes.n_warps, sizes.n_channels, sizes.segment
        row, warp, lane = cuda.blockIdx.x // n_warps, cuda.blockIdx.x % n_warps, cuda.threadIdx.x
        channel = warp * n_lanes + lane
        is_there = channel < n_channels
        channel = min(channel, n_channels - 1)
        length, samples = lengths[row], cuda.shared.array(n_shared, real)
        n_segments = (length + segment - 1) // segment
        for turn in range(n_segments):
            k = n_segments - 1 - turn
            start, n = k * segment, min(segment, length - k * segment)
            begin = (row * n_channels + channel if takes_channels else row) * sizes.n_samples + start
            first_block = cuda.blockIdx.x * tape.n_blocks + k * tape.step
            if tape.step == 0:
                replay(n, x, begin, first_block, warp, lane, cuda.blockIdx.x * sizes.n_times + k, reads, tape)
            go_back(
                start, n, x, begin, first_block, row, lane, warp, channel, is_there, reads, sizes, tape, samples, bars
            )

    return reverse
