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
    COEFFICIENTS,
    STATES,
    Shape,
    Slot,
    in_turn,
    link_of,
    load_coefficients,
    load_states,
    store_slot,
)
from skaud.kernels.device import ALL, add_at, cuda
from skaud.kernels.lanes import LANES

MOST_NUMBERS = 64  # that a thread holds of some slots: coefficients, states before and behind a sample, and their bars


class Tape(NamedTuple):
    """What a reverse run knows of a segment, warp by warp, and what it hands on.

    checkpoints : those of the run, samples : (n_rows, n_warps, segment + 1, n_on_tape, n_lanes), states before a
    sample that the adjoint must know, what enters every link and the filters, and the bar that goes from one stretch
    to the next
    """

    checkpoints: Any
    samples: Any


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


def taped_of(shape: Shape, wanted: bool) -> tuple[dict[Slot, Slot], int]:
    """Slots whose states are on the tape, each with the one that knows its rows there, and the number of these."""
    found: dict[Slot, Slot] = {}
    n = 0
    for slot in shape.slots:
        if slot.kind.keeps_states and (wanted or not slot.kind.only_for_bars):
            found[slot] = slot._replace(states=n)
            n += slot.kind.n_states
    return found, n


def n_on_tape(shape: Shape, wanted: bool) -> int:
    """Numbers that a channel leaves on the tape in a sample."""
    return taped_of(shape, wanted)[1] + len(shape.links) + 2


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


def keep_of(slot: Slot, row: int, n_lanes: int) -> Callable:
    """Function that takes a sample through a slot and leaves it, as it enters, in a row of the tape."""

    def keep(x, f, z, taylor, samples, place):
        samples[place + row * n_lanes] = x
        return go_through(x, f, z, taylor, samples, 0, 0, False)

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


def link_adjoint_of(slot: Slot, row: int, n_lanes: int, wanted: bool) -> Callable:
    """Adjoint of a sample through a slot, which lies in a row of the tape: bar of what entered it."""
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, place, samples, f, f_bar, z_bar, u, taylor, seeds):
        # y = sample(x, l, f, z, taylor)
        x, y = samples[place + row * n_lanes], samples[place + (row + 1) * n_lanes]
        return sample_adjoint(bar, x, y, at, (f, f_bar, z_bar, u, taylor), wanted)

    return go_back


def filter_adjoint_of(slot: Slot, j: int, row: int, n_lanes: int, wanted: bool) -> Callable:
    """Adjoint of filter number j, added to the bar of what entered all filters, which lies in a row of the tape."""
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, place, samples, f, f_bar, z_bar, u, taylor, seeds):
        # total = total + sample(x, l, f, z, taylor)
        x = samples[place + row * n_lanes]
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


def replay_of(shape: Shape, wanted: bool) -> Callable:
    """Function that runs a segment from its checkpoint, and leaves its tape."""
    n_links, size, real = len(shape.links), shape.size, np.dtype(shape.dtype).type
    n_lanes, n_states, n_coefficients = shape.n_lanes, shape.n_states, shape.n_coefficients
    (taped, n_taped), n_rows = taped_of(shape, wanted), n_on_tape(shape, wanted)
    links, cells = shape.slots[:n_links], shape.slots[n_links:]
    load = in_turn([load_coefficients(slot, n_lanes) for slot in shape.slots], COEFFICIENTS)
    load_state = in_turn([load_states(slot, 0) for slot in shape.slots], STATES)
    store = in_turn([store_slot(slot) for slot in taped.values()], STATES)
    go_through = in_turn(
        [keep_of(slot, n_taped + i, n_lanes) for i, slot in enumerate(links)], "x, f, z, taylor, samples, place", "x"
    )
    filter_all = in_turn([advance_of(slot) for slot in cells], "x, f, z, taylor")

    def replay(n, x, begin, own, warp, lane, checkpoint, reads, sizes, tape):
        segment = sizes.segment
        f, z = cuda.local.array(size, real), cuda.local.array(size, real)
        load(f, reads.coefficients, warp * n_coefficients * n_lanes, lane)
        load_state(z, tape.checkpoints, checkpoint * n_states * n_lanes, lane, n_lanes)
        place = own * (segment + 1) * n_rows * n_lanes
        for v in range(n):
            store(z, tape.samples, place, lane, n_lanes)
            y = go_through(x[begin + v], f, z, reads.taylor, tape.samples, place + lane)
            tape.samples[place + (n_taped + n_links) * n_lanes + lane] = y
            filter_all(y, f, z, reads.taylor)
            place += n_rows * n_lanes
        store(z, tape.samples, place, lane, n_lanes)

    return replay


def back_of(shape: Shape, stretch: Stretch, wanted: bool, *, is_first: bool, is_last: bool) -> Callable:
    """Function that takes a segment back through some slots; the last of these functions leaves the bar of x."""
    n_links, dtype, size = len(shape.links), shape.dtype, shape.size
    real, n_lanes, n_states, n_coefficients = np.dtype(dtype).type, shape.n_lanes, shape.n_states, shape.n_coefficients
    takes_channels, doublings, n_rows = shape.takes_channels, n_lanes.bit_length() - 1, n_on_tape(shape, wanted)
    (taped, n_taped), flow = taped_of(shape, wanted), (n_rows - 1) * n_lanes
    slots, kept = [slot for _, slot in stretch], [taped[slot] for _, slot in stretch if slot in taped]
    cells, n_cells = list(shape.slots[n_links:]), len(shape.cells)
    numbers = [cells.index(slot) if i == n_links else -1 for i, slot in stretch]
    load = in_turn([load_coefficients(slot, n_lanes) for slot in slots], COEFFICIENTS)
    load_bars = in_turn([load_states(slot, 0) for slot in slots], STATES)
    store = in_turn([store_slot(slot) for slot in slots], STATES)
    load_before = in_turn([load_states(slot, 0) for slot in kept], STATES)
    load_after = in_turn([load_states(slot, slot.kind.n_states) for slot in kept], STATES)
    shift = in_turn([shift_of(slot) for slot in kept], "u")
    go_back = in_turn(
        [
            link_adjoint_of(slot, n_taped + i, n_lanes, wanted)
            if j < 0
            else filter_adjoint_of(slot, j, n_taped + n_links, n_lanes, wanted)
            for (i, slot), j in zip(stretch, numbers)
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
        own, frame = row * sizes.n_warps + warp, (start + n) // frame_samples
        load(f, reads.coefficients, warp * n_coefficients * n_lanes, lane)
        load_bars(z_bar, bars.states, own * n_states * n_lanes, lane, n_lanes)
        clear(f_bar)
        within = start + n - frame * frame_samples
        place = (own * (segment + 1) + n) * n_rows * n_lanes + lane
        load_after(u, tape.samples, place, 0, n_lanes)
        seed(seeds, bars.value, reads, sizes, row, frame, channel)
        for w in range(n):
            v = n - 1 - w
            within -= 1
            if within < 0:
                frame, within = frame - 1, frame_samples - 1
                seed(seeds, bars.value, reads, sizes, row, frame, channel)
            place -= n_rows * n_lanes
            load_before(u, tape.samples, place, 0, n_lanes)
            bar = real(0) if is_first else tape.samples[place + flow]
            bar = go_back(bar, place, tape.samples, f, f_bar, z_bar, u, reads.taylor, seeds)
            shift(u)
            if not is_last:
                tape.samples[place + flow] = bar
            elif takes_channels:
                if is_there:
                    bars.x[(row * n_channels + channel) * n_samples + start + v] = bar
            else:
                bar = bar if is_there else real(0)
                for e in range(doublings):
                    bar = bar + cuda.shfl_down_sync(ALL, bar, n_lanes >> (e + 1))
                if lane == 0:
                    bars.x[own * n_samples + start + v] = bar
        store(z_bar, bars.states, own * n_states * n_lanes, lane, n_lanes)
        if wanted:
            add_up(f_bar, bars.coefficients, own * n_coefficients * n_lanes, lane)

    return back


def reverse_kernel(shape: Shape, wanted: bool) -> Callable:
    """Kernel of the adjoint of a run from rest, with or without bars of coefficients."""
    links, filters = stretches_of(shape, wanted)
    n_lanes, takes_channels = shape.n_lanes, shape.takes_channels
    replay = replay_of(shape, wanted)
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
            own = row * n_warps + warp
            replay(n, x, begin, own, warp, lane, k * sizes.n_rows * n_warps + own, reads, sizes, tape)
            go_back(start, n, row, lane, warp, channel, is_there, reads, sizes, tape, bars)

    return reverse
