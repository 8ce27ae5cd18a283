"""Rows of a thread's channels, from a GPU's memory and back.

Arrays that others read have channels along the last axis. What only kernels read, tapes and checkpoints, lies thread by
thread, (..., per_thread, n_lanes): a warp reaches 128 bytes side by side, at addresses that are a constant apart.
"""

from collections.abc import Callable

import numpy as np

from skaud.kernels.carfac import cuda_layout as on


def load_for(switches: on.Switches) -> Callable:
    """Function that loads n rows to those from `first` on; of channels behind the last, 0."""
    per_thread, real = switches.per_thread, np.dtype(switches.dtype).type

    def load(target, first, source, begin, n, lane, n_channels):
        for i in range(n):
            for k in range(per_thread):
                channel = lane * per_thread + k
                target[first + i, k] = source[begin + i * n_channels + channel] if channel < n_channels else real(0)

    return load


def store_for(switches: on.Switches) -> Callable:
    """Function that stores n rows from number `first` on."""
    per_thread = switches.per_thread

    def store(source, first, target, begin, n, lane, n_channels):
        for i in range(n):
            for k in range(per_thread):
                channel = lane * per_thread + k
                if channel < n_channels:
                    target[begin + i * n_channels + channel] = source[first + i, k]

    return store


def load_own_for(switches: on.Switches) -> Callable:
    """Function that loads n rows of what lies thread by thread to those from `first` on.

    A thread without channels reads what the last one with some left: numbers, so that its bars, which begin as 0, stay
    0.
    """
    per_thread, n_lanes = switches.per_thread, switches.n_lanes

    def load_own(target, first, source, begin, n, lane, n_channels):
        place = begin + min(lane, (n_channels - 1) // per_thread)
        for i in range(n):
            for k in range(per_thread):
                target[first + i, k] = source[place + (i * per_thread + k) * n_lanes]

    return load_own


def store_own_for(switches: on.Switches) -> Callable:
    """Function that stores n rows from number `first` on thread by thread, where a thread has channels."""
    per_thread, n_lanes = switches.per_thread, switches.n_lanes

    def store_own(source, first, target, begin, n, lane, n_channels):
        if lane * per_thread < n_channels:
            for i in range(n):
                for k in range(per_thread):
                    target[begin + lane + (i * per_thread + k) * n_lanes] = source[first + i, k]

    return store_own


def parking_for(switches: on.Switches) -> tuple[Callable, Callable]:
    """Functions that leave n rows thread by thread and take them back, of threads without channels, too: their own.

    They take what `store` and `load` do, of which they need no number of channels. An index without a sign is not asked
    whether it counts from the end of an array, as shared memory has it.
    """
    per_thread, n_lanes = switches.per_thread, switches.n_lanes

    def park(source, first, target, begin, n, lane, n_channels):
        for i in range(n):
            for k in range(per_thread):
                target[np.uint64(begin + lane + (i * per_thread + k) * n_lanes)] = source[first + i, k]

    def take_back(target, first, source, begin, n, lane, n_channels):
        for i in range(n):
            for k in range(per_thread):
                target[first + i, k] = source[np.uint64(begin + lane + (i * per_thread + k) * n_lanes)]

    return park, take_back


def state_mover(move: Callable, switches: on.Switches, *, own: bool = False) -> Callable:
    """Function that moves the states of channels, and what the stages of the AGC remember and gather.

    own : whether `move` is one of those that take what lies thread by thread
    """
    n_states, n_stages = on.rows_of(switches.style, switches.delay).n_states, switches.n_stages
    width = switches.per_thread * switches.n_lanes

    def move_state(z, memory, pending, values, begin, lane, n_channels):
        row = width if own else n_channels
        move(z, 0, values, begin, n_states, lane, n_channels)
        move(memory, 0, values, begin + n_states * row, n_stages, lane, n_channels)
        move(pending, 0, values, begin + (n_states + n_stages) * row, n_stages, lane, n_channels)

    return move_state


def either_memory(is_shared: bool) -> Callable:
    """Function that takes an array of the device's memory and a shared one, and gives the one that is used."""

    def in_memory(memory, shared):
        return memory

    def in_shared(memory, shared):
        return shared

    return in_shared if is_shared else in_memory
