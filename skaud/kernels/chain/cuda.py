"""Chains on a GPU: a thread a channel, through all parts and filters of a chain, sample after sample.

What a kind does in a sample is what it does on the CPU. States, coefficients and sums stay in registers: every time
that a channel goes through a part, and every filter, is a slot, whose rows are written out, since a register has no
index.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels.chain.kind import Kind, Part
from skaud.kernels.device import cuda
from skaud.kernels.lanes import LANES


class Slot(NamedTuple):
    """A time that channels go through a part, or a filter.

    at : where its rows begin in a thread's arrays, coefficients, states : rows in memory, part, number : of the filters
    """

    kind: type[Kind]
    at: int
    coefficients: int
    states: int
    part: int
    number: int


class Shape(NamedTuple):
    """What a kernel is made for.

    links : kinds of the slots that channels go through, cells : (kind, number of its part, of the filter) of filters
    """

    links: tuple[type[Kind], ...]
    cells: tuple[tuple[type[Kind], int, int], ...]
    takes_channels: bool
    n_lanes: int
    dtype: str

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Links, then filters."""
        found, rows = [], [0, 0]
        for i, (kind, part, number) in enumerate(self._kinds):
            found.append(Slot(kind, i * self._most, rows[0], rows[1], part, number))
            rows = [rows[0] + kind.n_coefficients, rows[1] + kind.n_states]
        return tuple(found)

    @property
    def size(self) -> int:
        """Of a thread's arrays."""
        return len(self._kinds) * self._most

    @property
    def _kinds(self) -> list[tuple[type[Kind], int, int]]:
        return [*((kind, -1, 0) for kind in self.links), *self.cells]

    @property
    def _most(self) -> int:
        """From one slot to the next: room for coefficients, and for states before and behind a sample."""
        return LANES * max(max(kind.n_coefficients, 2 * kind.n_states, 1) for kind, _, _ in self._kinds)

    @property
    def n_coefficients(self) -> int:
        """Rows of coefficients."""
        return sum(slot.kind.n_coefficients for slot in self.slots)

    @property
    def n_states(self) -> int:
        """Rows of states."""
        return sum(slot.kind.n_states for slot in self.slots)


class Reads(NamedTuple):
    """What kernels read and never change.

    coefficients : (n_warps, n_coefficients, n_lanes), taylor : of the exponential, firsts, counts : (n_parts of
    filters, n_channels), features of a channel
    """

    coefficients: Any
    taylor: tuple
    firsts: Any
    counts: Any


class Sizes(NamedTuple):
    """Of a run; segment : samples from one time that states are left to the next, n_times : how often that is."""

    n_warps: Any
    n_rows: Any
    n_samples: Any
    n_channels: Any
    n_features: Any
    frame_samples: Any
    n_frames: Any
    segment: Any
    n_times: Any


class Left(NamedTuple):
    """What a run leaves, besides its state.

    states : (n_rows, n_warps, n_times, n_states, n_lanes), every segment, samples : (n_rows, n_warps, n_times, segment,
    n_entries, n_lanes), what enters stretches of the adjoint, responses : (n_taps, n_rows, n_channels, n_samples),
    frames : (n_rows, n_features, n_frames)
    """

    states: Any
    samples: Any
    responses: Any
    frames: Any


def shape_of(parts: Sequence[Part], takes_channels: bool, n_lanes: int, dtype: str) -> Shape:
    """Shape of a chain that ends in filters."""
    links = tuple(part.kind for part in parts if not part.kind.is_filter for _ in part.coefficients)
    filters = [part for part in parts if part.kind.is_filter]
    cells = tuple((part.kind, i, k) for i, part in enumerate(filters) for k in range(max(part.n_filters)))
    return Shape(links, cells, takes_channels, n_lanes, dtype)


def rows_of(parts: Sequence[Part], n_channels: int, what: str) -> np.ndarray:
    """Rows (n, n_channels) of "coefficients" or of the states at the "start", slot after slot."""
    pieces = [np.zeros((0, n_channels))]
    for part in parts:
        n_times = max(part.n_filters) if part.kind.is_filter else len(part.coefficients)
        values = part.coefficients if what == "coefficients" else part.start
        if values is None:
            values = np.zeros((n_times, 1, part.kind.n_states))
        own = np.broadcast_to(values[:n_times], (n_times, n_channels, values.shape[-1]))
        pieces.append(np.moveaxis(own, 2, 1).reshape(-1, n_channels))
    return np.concatenate(pieces)


def by_warp(rows: np.ndarray, n_lanes: int) -> np.ndarray:
    """Rows (n, n_channels) as (n_warps, n, n_lanes), at addresses a constant apart; the last channel is repeated."""
    n_warps = -(-rows.shape[1] // n_lanes)
    padded = np.pad(rows, ((0, 0), (0, n_warps * n_lanes - rows.shape[1])), "edge" if len(rows) else "constant")
    return np.ascontiguousarray(padded.reshape(len(rows), n_warps, n_lanes).swapaxes(0, 1))


def features_of(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """First feature of every channel in every part of filters, and how many it has there; (n_parts, n_channels)."""
    counts = np.array([part.n_filters for part in parts if part.kind.is_filter], np.int32)
    after = np.cumsum(counts.T.ravel()).reshape(counts.shape[::-1]).T
    return (after - counts).astype(np.int32), counts


def in_turn(functions: Sequence[Callable], arguments: str, flows: str = "") -> Callable:
    """Function that calls others one after the other; what each returns for the argument `flows` the next is given."""
    calls = [f"    {flows and f'{flows} = '}call{i}({arguments})" for i in range(len(functions))]
    names: dict[str, Any] = {"__name__": __name__, **{f"call{i}": own for i, own in enumerate(functions)}}
    exec("\n".join([f"def all_of_them({arguments}):", *calls, f"    return {flows or None}"]), names)
    return names["all_of_them"]


# --- what a thread holds ---


def load_coefficients(slot: Slot, n_lanes: int) -> Callable:
    """Function that loads a slot's coefficients, from where those of a warp begin."""
    at, first, n_coefficients = slot.at, slot.coefficients, slot.kind.n_coefficients

    def load(f, coefficients, begin, lane):
        for i in range(n_coefficients):
            f[at + i * LANES] = coefficients[begin + (first + i) * n_lanes + lane]

    return load


def load_states(slot: Slot, row: int) -> Callable:
    """Function that loads a slot's states to its rows from number `row` on.

    An index without a sign is not asked whether it counts from the end of an array, as shared memory has it.
    """
    at, first, n_states = slot.at + row * LANES, slot.states, slot.kind.n_states

    def load(z, states, begin, channel, n_channels):
        for i in range(n_states):
            z[at + i * LANES] = states[np.uint64(begin + (first + i) * n_channels + channel)]

    return load


def store_slot(slot: Slot) -> Callable:
    """Function that stores a slot's states."""
    at, first, n_states = slot.at, slot.states, slot.kind.n_states

    def store(z, states, begin, channel, n_channels):
        for i in range(n_states):
            states[np.uint64(begin + (first + i) * n_channels + channel)] = z[at + i * LANES]

    return store


def keep_of(slot: Slot, row: int, n_lanes: int) -> Callable:
    """Function that takes a sample through a slot and leaves it, as it enters, in a row; -1 for none."""
    sample, at = slot.kind.sample, slot.at

    def go_through(x, f, z, taylor, samples, place):
        if row >= 0:
            samples[np.uint64(place + row * n_lanes)] = x
        return sample(x, at, f, z, taylor)

    return go_through


def link_of(slot: Slot, tap: int, row: int, n_lanes: int) -> Callable:
    """Function that does so, and leaves what comes out in response number `tap`, unless that is -1."""
    keep = keep_of(slot, row, n_lanes)

    def go_through(x, f, z, taylor, samples, kept_at, responses, stride, place, is_there):
        y = keep(x, f, z, taylor, samples, kept_at)
        if tap >= 0 and is_there:
            responses[tap * stride + place] = y
        return y

    return go_through


def filter_of(slot: Slot, j: int) -> Callable:
    """Function that adds what filter number j gives to its sum."""
    sample, at = slot.kind.sample, slot.at

    def go_through(x, f, z, total, taylor):
        total[j] = total[j] + sample(x, at, f, z, taylor)

    return go_through


def close_of(slot: Slot, j: int, dtype: str) -> Callable:
    """Function that writes the mean of a frame, and starts a new one."""
    part, number, real = slot.part, slot.number, np.dtype(dtype).type

    def close(total, reads, sizes, frames, row, frame, channel):
        if number < reads.counts[part * sizes.n_channels + channel]:
            feature = reads.firsts[part * sizes.n_channels + channel] + number
            place = (row * sizes.n_features + feature) * sizes.n_frames + frame
            frames[place] = total[j] / real(sizes.frame_samples)

    return close


COEFFICIENTS = "f, coefficients, begin, lane"
STATES = "z, states, begin, channel, n_channels"


def run_kernel(
    shape: Shape, taps: tuple[int, ...], framed: bool, leaves_states: bool, entries: tuple[int, ...]
) -> Callable:
    """Kernel of a run.

    taps : number of the response that each link leaves, or -1, framed : whether filters respond, entries : row of what
    enters each link, and of what enters filters, as it is left for the adjoint; -1 for none
    """
    slots, n_links, n_cells = shape.slots, len(shape.links), len(shape.cells)
    links, cells = slots[:n_links], slots[n_links:]
    real, n_lanes, size, n_states = np.dtype(shape.dtype).type, shape.n_lanes, shape.size, shape.n_states
    takes_channels, n_rows_of_state, n_coefficients = shape.takes_channels, n_states + n_cells, shape.n_coefficients
    of_filters, n_entries = entries[-1], max(entries) + 1
    load = in_turn([load_coefficients(slot, n_lanes) for slot in slots], COEFFICIENTS)
    load_state = in_turn([load_states(slot, 0) for slot in slots], STATES)
    store = in_turn([store_slot(slot) for slot in slots], STATES)
    go_through = in_turn(
        [link_of(slot, tap, row, n_lanes) for slot, tap, row in zip(links, taps, entries[:-1], strict=True)],
        "x, f, z, taylor, samples, kept_at, responses, stride, place, is_there",
        "x",
    )
    filter_all = in_turn([filter_of(slot, j) for j, slot in enumerate(cells)], "x, f, z, total, taylor")
    close = in_turn(
        [close_of(slot, j, shape.dtype) for j, slot in enumerate(cells)],
        "total, reads, sizes, frames, row, frame, channel",
    )

    def run(x, lengths, state, filled, reads, sizes, left):
        """Samples of x (n_rows, [n_channels,] n_samples), of which a row has lengths[row], through all parts.

        state (n_rows, n_states + n_cells, n_channels) has the states, and the sums of the frame that has `filled`
        samples.
        """
        n_warps, n_rows, n_samples, n_channels = sizes.n_warps, sizes.n_rows, sizes.n_samples, sizes.n_channels
        row, warp, lane = cuda.blockIdx.x // n_warps, cuda.blockIdx.x % n_warps, cuda.threadIdx.x
        channel = warp * n_lanes + lane
        is_there = channel < n_channels
        channel = min(channel, n_channels - 1)  # threads behind the last repeat it
        f, z = cuda.local.array(size, real), cuda.local.array(size, real)
        total, begin = cuda.local.array(n_cells, real), row * n_rows_of_state * n_channels
        load(f, reads.coefficients, warp * n_coefficients * n_lanes, lane)
        load_state(z, state, begin, channel, n_channels)
        for j in range(n_cells):
            total[j] = state[begin + (n_states + j) * n_channels + channel]
        frame, until, time = 0, 0, cuda.blockIdx.x * sizes.n_times
        kept_at = time * sizes.segment * n_entries * n_lanes + lane
        for t in range(lengths[row]):
            if leaves_states:  # counted: a division takes as long as a part of the chain
                if until == 0:
                    store(z, left.states, time * n_states * n_lanes, lane, n_lanes)
                    until, time = sizes.segment, time + 1
                until -= 1
            place = (row * n_channels + channel) * n_samples + t
            y = go_through(
                x[place if takes_channels else row * n_samples + t],
                f,
                z,
                reads.taylor,
                left.samples,
                kept_at,
                left.responses,
                n_rows * n_channels * n_samples,
                place,
                is_there,
            )
            if of_filters >= 0:
                left.samples[kept_at + of_filters * n_lanes] = y
            kept_at += n_entries * n_lanes
            if framed:
                filter_all(y, f, z, total, reads.taylor)
                filled += 1
                if filled == sizes.frame_samples:
                    if is_there:
                        close(total, reads, sizes, left.frames, row, frame, channel)
                    for j in range(n_cells):
                        total[j] = real(0)
                    filled = 0
                    frame += 1
        if is_there:
            store(z, state, begin, channel, n_channels)
            for j in range(n_cells):
                state[begin + (n_states + j) * n_channels + channel] = total[j]

    return run
