"""Adjoint of chains on a GPU: a thread a channel, a segment at a time, the last one first.

A segment is run forwards once more from its checkpoint and leaves a tape in device memory. Then it goes backwards
through a few slots after the other, no more than registers hold, and hands the bar of every sample to those before them
in memory. What a channel's bars add up to moves to double precision after every segment; bars of a sound are added over
the channels of a warp by shuffles: they are the same bits in every run.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels.chain.cuda import (
    STATES,
    Shape,
    Slot,
    in_turn,
    link_of,
    load_slot,
    load_states,
    store_slot,
)
from skaud.kernels.chain.kind import Rows
from skaud.kernels.device import ALL, cuda
from skaud.kernels.lanes import LANES

MOST_NUMBERS = 64  # that a thread holds of some slots: coefficients, states before and behind a sample, and their bars


class Tape(NamedTuple):
    """What a reverse run knows of a segment, warp by warp, and what it hands on.

    checkpoints : those of the run, samples : (n_rows, n_warps, segment + 1, n_states, n_lanes), inputs : (n_rows,
    n_warps, segment, n_links + 1, n_lanes), flow : (n_rows, n_warps, segment, n_lanes), bars of what goes from one
    stretch to the next
    """

    checkpoints: Any
    samples: Any
    inputs: Any
    flow: Any


class Bars(NamedTuple):
    """What a reverse run takes and leaves; zeros before, but for value and x.

    value : (n_rows, n_features, n_frames), of sums, coefficients : (n_rows, n_coefficients, n_channels), in double
    precision, states : (n_rows, n_states, n_channels), x : (n_rows, n_warps, n_samples), summed over the channels of a
    warp, or as x, where the chain takes channels
    """

    value: Any
    coefficients: Any
    states: Any
    x: Any


# Slots, each with the number of what enters it.
Stretch = tuple[tuple[int, Slot], ...]


def stretches_of(shape: Shape, wanted: bool) -> tuple[list[Stretch], list[Stretch]]:
    """Links, from the first to the last, and filters, in stretches of like size that fit in registers."""
    n_links = len(shape.links)
    links = tuple(enumerate(shape.slots[:n_links]))
    filters = tuple((n_links, slot) for slot in shape.slots[n_links:])
    return _in_parts(links, wanted), _in_parts(filters, wanted)


def _in_parts(slots: Stretch, wanted: bool) -> list[Stretch]:
    """Equal ones: loops around few slots would be unrolled, for which registers do not suffice."""
    sizes = [_n_numbers(slot, wanted) for _, slot in slots]
    n_parts = -(-sum(sizes) // MOST_NUMBERS)
    ends = np.cumsum(sizes) - np.array(sizes) / 2
    numbers = np.minimum(ends * n_parts // max(1, sum(sizes)), n_parts - 1) if n_parts else np.zeros(len(slots))
    found = (tuple(own for own, number in zip(slots, numbers) if number == part) for part in range(max(1, n_parts)))
    return [own for own in found if own]


def _n_numbers(slot: Slot, wanted: bool) -> int:
    return slot.kind.n_coefficients * (1 + wanted) + slot.kind.n_states * 3


def keep_of(slot: Slot, i: int, n_lanes: int) -> Callable:
    """Function that takes a sample through slot number i and leaves it, as it enters, on the tape."""

    def keep(x, f, z, taylor, inputs, place):
        inputs[place + i * n_lanes] = x
        return go_through(x, f, z, taylor, inputs, 0, 0, False)

    go_through = link_of(slot, -1)
    return keep


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


def link_adjoint_of(slot: Slot, i: int, n_lanes: int, wanted: bool) -> Callable:
    """Adjoint of a sample through slot number i: bar of what entered it."""
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, place, inputs, f, f_bar, z_bar, u, taylor, seeds):
        # y = sample(x, l, f, z, taylor)
        x, y = inputs[place + i * n_lanes], inputs[place + (i + 1) * n_lanes]
        return sample_adjoint(bar, x, y, at, Rows(f, f_bar, z_bar, u, taylor), wanted)

    return go_back


def filter_adjoint_of(slot: Slot, j: int, last: int, n_lanes: int, wanted: bool) -> Callable:
    """Adjoint of filter number j, added to the bar of what entered all filters."""
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, place, inputs, f, f_bar, z_bar, u, taylor, seeds):
        # total = total + sample(x, l, f, z, taylor)
        x = inputs[place + last * n_lanes]
        return bar + sample_adjoint(seeds[j], x, at, Rows(f, f_bar, z_bar, u, taylor), wanted)

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


def add_of(slot: Slot) -> Callable:
    """Function that moves a slot's bars of coefficients to double precision."""
    at, first, n_coefficients = slot.at, slot.coefficients, slot.kind.n_coefficients

    def add(f_bar, bars, begin, channel, n_channels):
        for i in range(n_coefficients):
            place = begin + (first + i) * n_channels + channel
            bars[place] = bars[place] + np.float64(f_bar[at + i * LANES])

    return add


def replay_of(shape: Shape) -> Callable:
    """Function that runs a segment from its checkpoint, and leaves its tape."""
    n_links, size, real = len(shape.links), shape.size, np.dtype(shape.dtype).type
    n_lanes, n_states, n_entering = shape.n_lanes, shape.n_states, n_links + 1
    links, cells = shape.slots[:n_links], shape.slots[n_links:]
    load = in_turn([load_slot(slot) for slot in shape.slots], "f, z, coefficients, states, begin, channel, n_channels")
    store = in_turn([store_slot(slot) for slot in shape.slots if slot.kind.keeps_states], STATES)
    go_through = in_turn(
        [keep_of(slot, i, n_lanes) for i, slot in enumerate(links)], "x, f, z, taylor, inputs, place", "x"
    )
    filter_all = in_turn([advance_of(slot) for slot in cells], "x, f, z, taylor")

    def replay(n, x, begin, own, lane, channel, at_checkpoint, reads, sizes, tape):
        segment = sizes.segment
        f, z = cuda.local.array(size, real), cuda.local.array(size, real)
        load(f, z, reads.coefficients, tape.checkpoints, at_checkpoint, channel, sizes.n_channels)
        for v in range(n):
            place = (own * segment + v) * n_entering * n_lanes + lane
            store(z, tape.samples, (own * (segment + 1) + v) * n_states * n_lanes, lane, n_lanes)
            y = go_through(x[begin + v], f, z, reads.taylor, tape.inputs, place)
            tape.inputs[place + n_links * n_lanes] = y
            filter_all(y, f, z, reads.taylor)
        store(z, tape.samples, (own * (segment + 1) + n) * n_states * n_lanes, lane, n_lanes)

    return replay


def back_of(shape: Shape, stretch: Stretch, wanted: bool, *, is_first: bool, is_last: bool) -> Callable:
    """Function that takes a segment back through some slots; the last of these functions leaves the bar of x."""
    n_links, dtype, size = len(shape.links), shape.dtype, shape.size
    real, n_lanes, n_states, n_coefficients = np.dtype(dtype).type, shape.n_lanes, shape.n_states, shape.n_coefficients
    takes_channels, doublings, n_entering = shape.takes_channels, n_lanes.bit_length() - 1, n_links + 1
    slots, kept = [slot for _, slot in stretch], [slot for _, slot in stretch if slot.kind.keeps_states]
    cells, n_cells = list(shape.slots[n_links:]), len(shape.cells)
    numbers = [cells.index(slot) if i == n_links else -1 for i, slot in stretch]
    load = in_turn([load_slot(slot) for slot in slots], "f, z_bar, coefficients, states, begin, channel, n_channels")
    store = in_turn([store_slot(slot) for slot in slots], STATES)
    load_before = in_turn([load_states(slot, 0) for slot in kept], STATES)
    load_after = in_turn([load_states(slot, slot.kind.n_states) for slot in kept], STATES)
    shift = in_turn([shift_of(slot) for slot in kept], "u")
    go_back = in_turn(
        [
            link_adjoint_of(slot, i, n_lanes, wanted) if j < 0 else filter_adjoint_of(slot, j, n_links, n_lanes, wanted)
            for (i, slot), j in zip(stretch, numbers)
        ],
        "bar, place, inputs, f, f_bar, z_bar, u, taylor, seeds",
        "bar",
    )
    seed = in_turn(
        [seed_of(slot, j, dtype) for slot, j in zip(slots, numbers) if j >= 0],
        "seeds, value_bar, reads, sizes, row, frame, channel",
    )
    clear = in_turn([clear_of(slot, dtype) for slot in slots], "f_bar")
    add_up = in_turn([add_of(slot) for slot in slots], "f_bar, bars, begin, channel, n_channels")

    def back(start, n, row, lane, warp, channel, is_there, reads, sizes, tape, bars):
        """The n samples of the segment that begins at `start`."""
        n_samples, n_channels, frame_samples, segment = (
            sizes.n_samples,
            sizes.n_channels,
            sizes.frame_samples,
            sizes.segment,
        )
        f, f_bar, z_bar = cuda.local.array(size, real), cuda.local.array(size, real), cuda.local.array(size, real)
        u, seeds = cuda.local.array(size, real), cuda.local.array(n_cells, real)
        load(f, z_bar, reads.coefficients, bars.states, row * n_states * n_channels, channel, n_channels)
        clear(f_bar)
        own, frame = row * sizes.n_warps + warp, (start + n) // frame_samples
        within = start + n - frame * frame_samples
        load_after(u, tape.samples, (own * (segment + 1) + n) * n_states * n_lanes, lane, n_lanes)
        seed(seeds, bars.value, reads, sizes, row, frame, channel)
        for w in range(n):
            v = n - 1 - w
            within -= 1
            if within < 0:
                frame, within = frame - 1, frame_samples - 1
                seed(seeds, bars.value, reads, sizes, row, frame, channel)
            load_before(u, tape.samples, (own * (segment + 1) + v) * n_states * n_lanes, lane, n_lanes)
            between = (own * segment + v) * n_lanes + lane
            place = (own * segment + v) * n_entering * n_lanes + lane
            bar = real(0) if is_first else tape.flow[between]
            bar = go_back(bar, place, tape.inputs, f, f_bar, z_bar, u, reads.taylor, seeds)
            shift(u)
            if not is_last:
                tape.flow[between] = bar
            elif takes_channels:
                if is_there:
                    bars.x[(row * n_channels + channel) * n_samples + start + v] = bar
            else:
                bar = bar if is_there else real(0)
                for e in range(doublings):
                    bar = bar + cuda.shfl_down_sync(ALL, bar, n_lanes >> (e + 1))
                if lane == 0:
                    bars.x[own * n_samples + start + v] = bar
        if is_there:
            store(z_bar, bars.states, row * n_states * n_channels, channel, n_channels)
            if wanted:
                add_up(f_bar, bars.coefficients, row * n_coefficients * n_channels, channel, n_channels)

    return back


def reverse_kernel(shape: Shape, wanted: bool) -> Callable:
    """Kernel of the adjoint of a run from rest, with or without bars of coefficients."""
    links, filters = stretches_of(shape, wanted)
    n_lanes, n_states, takes_channels = shape.n_lanes, shape.n_states, shape.takes_channels
    replay = replay_of(shape)
    backwards = [*filters, *(own[::-1] for own in links[::-1])]
    last = len(backwards) - 1
    go_back = in_turn(
        [back_of(shape, own, wanted, is_first=i == 0, is_last=i == last) for i, own in enumerate(backwards)],
        "start, n, row, lane, warp, channel, is_there, reads, sizes, tape, bars",
    )

    def reverse(x, lengths, reads, sizes, tape, bars):
        """Adjoint of run, from its checkpoints."""
        n_warps, n_channels, segment = sizes.n_warps, sizes.n_channels, sizes.segment
        row, warp, lane = cuda.blockIdx.x // n_warps, cuda.blockIdx.x % n_warps, cuda.threadIdx.x
        channel = warp * n_lanes + lane
        is_there = channel < n_channels
        channel = min(channel, n_channels - 1)
        length = lengths[row]
        n_segments = (length + segment - 1) // segment
        for turn in range(n_segments):
            k = n_segments - 1 - turn
            start, n = k * segment, min(segment, length - k * segment)
            begin = (row * n_channels + channel if takes_channels else row) * sizes.n_samples + start
            at_checkpoint = (k * sizes.n_rows + row) * n_states * n_channels
            replay(n, x, begin, row * n_warps + warp, lane, channel, at_checkpoint, reads, sizes, tape)
            go_back(start, n, row, lane, warp, channel, is_there, reads, sizes, tape, bars)

    return reverse
