"""Adjoint of chains on a GPU: a thread a channel, a segment at a time, the last one first.

A segment is run forwards once more from its checkpoint and leaves a tape in device memory. What a channel's bars add up
to stays in its thread, and moves to double precision after every segment; bars of a sound are added over the channels
of a warp by shuffles: they are the same bits in every run.
"""

from collections.abc import Callable

import numpy as np

from skaud.kernels.chain.cuda import (
    STATES,
    Shape,
    Slot,
    filter_of,
    in_turn,
    link_of,
    load_slot,
    load_states,
    store_slot,
)
from skaud.kernels.chain.kind import Rows
from skaud.kernels.device import ALL, cuda
from skaud.kernels.lanes import LANES


def keep_of(slot: Slot, i: int) -> Callable:
    """Function that keeps what enters slot number i."""

    def keep(x, f, z, taylor, entering):
        entering[i] = x
        return go_through(x, f, z, taylor, entering, 0, 0, False)

    go_through = link_of(slot, -1)
    return keep


def link_adjoint_of(slot: Slot, i: int, wanted: bool) -> Callable:
    """Adjoint of a sample through slot number i: bar of what entered it."""
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, entering, f, f_bar, z_bar, u, taylor):
        # y = sample(x, l, f, z, taylor)
        return sample_adjoint(bar, entering[i], entering[i + 1], at, Rows(f, f_bar, z_bar, u, taylor), wanted)

    return go_back


def filter_adjoint_of(slot: Slot, j: int, last: int, wanted: bool) -> Callable:
    """Adjoint of filter number j, added to the bar of what entered all filters."""
    sample_adjoint, at = slot.kind.sample_adjoint, slot.at

    def go_back(bar, seeds, entering, f, f_bar, z_bar, u, taylor):
        # total = total + sample(x, l, f, z, taylor)
        return bar + sample_adjoint(seeds[j], entering[last], at, Rows(f, f_bar, z_bar, u, taylor), wanted)

    return go_back


def seed_of(slot: Slot, j: int, dtype: str) -> Callable:
    """Function that loads the bar of what filter number j gives."""
    part, number, real = slot.part, slot.number, np.dtype(dtype).type

    def seed(seeds, value_bar, firsts, counts, row, frame, channel, n_channels, n_features, n_frames):
        seeds[j] = real(0)
        if frame < n_frames and number < counts[part * n_channels + channel]:
            feature = firsts[part * n_channels + channel] + number
            seeds[j] = value_bar[(row * n_features + feature) * n_frames + frame]

    return seed


def clear_of(slot: Slot, dtype: str) -> Callable:
    """Function that sets a slot's bars to 0."""
    at, n_coefficients, n_states, real = slot.at, slot.kind.n_coefficients, slot.kind.n_states, np.dtype(dtype).type

    def clear(f_bar, z_bar):
        for i in range(n_coefficients):
            f_bar[at + i * LANES] = real(0)
        for i in range(n_states):
            z_bar[at + i * LANES] = real(0)

    return clear


def add_of(slot: Slot, dtype: str) -> Callable:
    """Function that moves a slot's bars of coefficients to double precision."""
    at, first, n_coefficients, real = slot.at, slot.coefficients, slot.kind.n_coefficients, np.dtype(dtype).type

    def add(f_bar, bars, begin, channel, n_channels):
        for i in range(n_coefficients):
            place = begin + (first + i) * n_channels + channel
            bars[place] = bars[place] + np.float64(f_bar[at + i * LANES])
            f_bar[at + i * LANES] = real(0)

    return add


def reverse_kernel(shape: Shape, wanted: bool) -> Callable:
    """Kernel of the adjoint of a run from rest, with or without bars of coefficients."""
    slots, n_links, n_cells, dtype = shape.slots, len(shape.links), len(shape.cells), shape.dtype
    links, cells = slots[:n_links], slots[n_links:]
    real, n_lanes, size, n_states = np.dtype(dtype).type, shape.n_lanes, shape.size, shape.n_states
    takes_channels, doublings, n_coefficients = shape.takes_channels, n_lanes.bit_length() - 1, shape.n_coefficients
    n_entering = n_links + 1
    load = in_turn([load_slot(slot) for slot in slots], "f, z, coefficients, states, begin, channel, n_channels")
    store = in_turn([store_slot(slot) for slot in slots], STATES)
    load_before = in_turn([load_states(slot, 0) for slot in slots], STATES)
    load_after = in_turn([load_states(slot, slot.kind.n_states) for slot in slots], STATES)
    go_through = in_turn([keep_of(slot, i) for i, slot in enumerate(links)], "x, f, z, taylor, entering", "x")
    filter_all = in_turn([filter_of(slot, j) for j, slot in enumerate(cells)], "x, f, z, total, taylor")
    back = "f, f_bar, z_bar, u, taylor"
    go_back = in_turn(
        [link_adjoint_of(slot, i, wanted) for i, slot in enumerate(links)][::-1], f"bar, entering, {back}", "bar"
    )
    filters_back = in_turn(
        [filter_adjoint_of(slot, j, n_links, wanted) for j, slot in enumerate(cells)],
        f"bar, seeds, entering, {back}",
        "bar",
    )
    seed = in_turn(
        [seed_of(slot, j, dtype) for j, slot in enumerate(cells)],
        "seeds, value_bar, firsts, counts, row, frame, channel, n_channels, n_features, n_frames",
    )
    clear = in_turn([clear_of(slot, dtype) for slot in slots], "f_bar, z_bar")
    add_up = in_turn([add_of(slot, dtype) for slot in slots], "f_bar, bars, begin, channel, n_channels")

    def reverse(
        x, coefficients, taylor, firsts, counts, n_warps, n_rows, n_samples, n_channels, n_features, frame_samples,
        n_frames, segment, checkpoints, value_bar, samples, inputs, bars, state_bars, x_bar,
    ):  # fmt: skip
        """Adjoint of run, from its checkpoints; value_bar (n_rows, n_features, n_frames) is that of sums.

        The tape of a segment: samples (n_rows, segment + 1, n_states, n_channels), inputs
        (n_rows, segment, n_links + 1, n_channels). bars (n_rows, n_coefficients, n_channels) come in as zeros, in
        double precision. state_bars (n_rows, n_states, n_channels), x_bar (n_rows, n_warps, n_samples), summed over
        the channels of a warp, or as x, where the chain takes channels.
        """
        row, warp, lane = cuda.blockIdx.x // n_warps, cuda.blockIdx.x % n_warps, cuda.threadIdx.x
        channel = warp * n_lanes + lane
        is_there = channel < n_channels
        channel = min(channel, n_channels - 1)
        f, z, u = cuda.local.array(size, real), cuda.local.array(size, real), cuda.local.array(size, real)
        f_bar, z_bar = cuda.local.array(size, real), cuda.local.array(size, real)
        total, seeds = cuda.local.array(n_cells, real), cuda.local.array(n_cells, real)
        entering = cuda.local.array(n_entering, real)
        clear(f_bar, z_bar)
        for j in range(n_cells):
            total[j] = real(0)
        n_segments = (n_samples + segment - 1) // segment
        for turn in range(n_segments):
            k = n_segments - 1 - turn
            start, stop = k * segment, min((k + 1) * segment, n_samples)
            load(f, z, coefficients, checkpoints, (k * n_rows + row) * n_states * n_channels, channel, n_channels)
            for v in range(stop - start):
                t = start + v
                place = (row * n_channels + channel) * n_samples + t
                if is_there:
                    store(z, samples, (row * (segment + 1) + v) * n_states * n_channels, channel, n_channels)
                entering[n_links] = go_through(
                    x[place if takes_channels else row * n_samples + t], f, z, taylor, entering
                )
                filter_all(entering[n_links], f, z, total, taylor)
                if is_there:
                    for i in range(n_entering):
                        at = ((row * segment + v) * n_entering + i) * n_channels + channel
                        inputs[at] = entering[i]
            if is_there:
                store(z, samples, (row * (segment + 1) + stop - start) * n_states * n_channels, channel, n_channels)
            for w in range(stop - start):
                v = stop - start - 1 - w
                t = start + v
                at = (row * (segment + 1) + v) * n_states * n_channels
                load_before(u, samples, at, channel, n_channels)
                load_after(u, samples, at + n_states * n_channels, channel, n_channels)
                for i in range(n_entering):
                    entering[i] = inputs[((row * segment + v) * n_entering + i) * n_channels + channel]
                frame = t // frame_samples
                seed(seeds, value_bar, firsts, counts, row, frame, channel, n_channels, n_features, n_frames)
                bar = filters_back(real(0), seeds, entering, f, f_bar, z_bar, u, taylor)
                bar = go_back(bar, entering, f, f_bar, z_bar, u, taylor)
                if takes_channels:
                    if is_there:
                        x_bar[(row * n_channels + channel) * n_samples + t] = bar
                else:
                    bar = bar if is_there else real(0)
                    for e in range(doublings):
                        bar = bar + cuda.shfl_down_sync(ALL, bar, n_lanes >> (e + 1))
                    if lane == 0:
                        x_bar[(row * n_warps + warp) * n_samples + t] = bar
            if wanted and is_there:
                add_up(f_bar, bars, row * n_coefficients * n_channels, channel, n_channels)
        if is_there:
            store(z_bar, state_bars, row * n_states * n_channels, channel, n_channels)

    return reverse
