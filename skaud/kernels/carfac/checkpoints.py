"""States that a run of CARFAC on the CPU has passed, from which the reverse run begins its segments."""

from collections.abc import Callable
from functools import cache

from skaud.kernels._compile import copy_run, loop
from skaud.kernels.carfac.hair_cells import JUST_HWR, ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN
from skaud.kernels.carfac.layout import AC, GROUP, LANES, LPF, NAP, OUT, SLOPE


def n_changing(style: int) -> int:
    """Values of a group that a run changes, from AC on."""
    last = {JUST_HWR: OUT, ONE_CAP: LPF, TWO_CAP: NAP, TWO_CAP_WITH_SYN: SLOPE - LANES}[style]
    return last + LANES - AC


@cache
def mover(back: bool) -> Callable:
    """Loop that copies so many values, from entry begin of an array to entry at of the one that keeps them, or back."""

    @loop
    def move(kept, at, own, begin, n):
        if back:
            copy_run(own, begin, kept, at, n)
        else:
            copy_run(kept, at, own, begin, n)

    return move


def state_mover(back: bool) -> Callable:
    """Loop that keeps a state as checkpoint k, whose rows are those from `first` on, or goes back to it."""
    move = mover(back)

    @loop
    def move_state(checkpoints, k, first, state, n_groups):
        n_changing = (checkpoints.lines.shape[2] - LANES) // n_groups
        n_rows, n_stages, width = state.memory.shape
        for row in range(n_rows):
            kept = first + row
            move(checkpoints.lines, (k, kept, 0), state.lines, (row, OUT), LANES)
            for group in range(n_groups):
                at, begin = LANES + group * n_changing, (group + 1) * GROUP + AC
                move(checkpoints.lines, (k, kept, at), state.lines, (row, begin), n_changing)
            for s in range(n_stages):
                move(checkpoints.memory, (k, kept, s, 0), state.memory, (row, s, 0), width)
                move(checkpoints.pending, (k, kept, s, 0), state.pending, (row, s, 0), width)
        move(checkpoints.phase, (k, 0), state.phase, (0,), n_stages)

    return move_state


save, restore = state_mover(False), state_mover(True)
