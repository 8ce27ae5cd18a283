"""Rows of a thread's channels, from a GPU's memory and back."""

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


def state_mover(move: Callable, switches: on.Switches) -> Callable:
    """Function that moves the states of channels, and what the stages of the AGC remember and gather."""
    n_states, n_stages = on.rows_of(switches.style, switches.delay).n_states, switches.n_stages

    def move_state(z, memory, pending, values, begin, lane, n_channels):
        move(z, 0, values, begin, n_states, lane, n_channels)
        move(memory, 0, values, begin + n_states * n_channels, n_stages, lane, n_channels)
        move(pending, 0, values, begin + (n_states + n_stages) * n_channels, n_stages, lane, n_channels)

    return move_state
