"""States that a run of CARFAC on the CPU has passed, from which the reverse run begins its segments."""

from skaud.kernels._compile import copy_run, loop
from skaud.kernels.carfac.hair_cells import JUST_HWR, ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN
from skaud.kernels.carfac.layout import AC, GROUP, LANES, LPF, NAP, OUT, SLOPE


def n_changing(style: int) -> int:
    """Values of a group that a run changes, from AC on."""
    last = {JUST_HWR: OUT, ONE_CAP: LPF, TWO_CAP: NAP, TWO_CAP_WITH_SYN: SLOPE - LANES}[style]
    return last + LANES - AC


@loop
def save(checkpoints, k, state, n_groups):
    """Keep a state as checkpoint k."""
    lines, memory, pending = state.lines, state.memory, state.pending
    n_changing = (checkpoints.lines.shape[2] - LANES) // n_groups
    for row in range(lines.shape[0]):
        copy_run(checkpoints.lines, (k, row, 0), lines, (row, OUT), LANES)
        for group in range(n_groups):
            at, begin = LANES + group * n_changing, (group + 1) * GROUP + AC
            copy_run(checkpoints.lines, (k, row, at), lines, (row, begin), n_changing)
        for s in range(memory.shape[1]):
            copy_run(checkpoints.memory, (k, row, s, 0), memory, (row, s, 0), memory.shape[2])
            copy_run(checkpoints.pending, (k, row, s, 0), pending, (row, s, 0), memory.shape[2])
    for s in range(memory.shape[1]):
        checkpoints.phase[k, s] = state.phase[s]


@loop
def restore(checkpoints, k, first, state, n_groups):
    """Go back to checkpoint k, with the rows from `first` on."""
    lines, memory, pending = state.lines, state.memory, state.pending
    n_changing = (checkpoints.lines.shape[2] - LANES) // n_groups
    for row in range(lines.shape[0]):
        copy_run(lines, (row, OUT), checkpoints.lines, (k, first + row, 0), LANES)
        for group in range(n_groups):
            at, begin = (group + 1) * GROUP + AC, LANES + group * n_changing
            copy_run(lines, (row, at), checkpoints.lines, (k, first + row, begin), n_changing)
        for s in range(memory.shape[1]):
            copy_run(memory, (row, s, 0), checkpoints.memory, (k, first + row, s, 0), memory.shape[2])
            copy_run(pending, (row, s, 0), checkpoints.pending, (k, first + row, s, 0), memory.shape[2])
    for s in range(memory.shape[1]):
        state.phase[s] = checkpoints.phase[k, s]
