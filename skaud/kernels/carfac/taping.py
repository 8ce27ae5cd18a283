"""What a forward run of CARFAC on the CPU leaves on a tape for its adjoint."""

from skaud.kernels._compile import copy_run, loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.checkpoints import mover, n_changing
from skaud.kernels.carfac.hair_cells import TWO_CAP
from skaud.kernels.carfac.layout import GROUP, LANES, OUT, RAMPS, Z1


def n_taped(style: int, constants: bool) -> int:
    """Values of a group that the tape holds for a sample, from Z1 on."""
    if style == TWO_CAP and not constants:
        return at.CAP2 + LANES - Z1
    return max(n_changing(style) + at.AC, at.BM + LANES) - Z1


@loop
def tape_sample(lines, row, samples, slot, n_groups, taped):
    """Copy what the reverse run needs of a sample: `taped` values of every group, and what flows into each lane."""
    copy_run(samples, (row, slot, OUT - Z1), lines, (row, OUT), LANES)
    for k in range(1, n_groups + 1):
        copy_run(samples, (row, slot, k * taped), lines, (row, k * GROUP + Z1), taped)


def ramps_mover(back):
    """Loop that copies the ramps that lead to the AGC's next update to the tape, or puts them back."""
    move = mover(back)

    @loop
    def move_ramps(lines, row, ramps, block, n_groups):
        for k in range(n_groups):
            move(ramps, (row, block, k * RAMPS), lines, (row, (k + 1) * GROUP + at.G), RAMPS)

    return move_ramps


tape_ramps, restore_ramps = ramps_mover(False), ramps_mover(True)


@loop
def begin_tape(lines, tape, n_groups, taped):
    """Tape what a segment begins with: z2 before the sample before, the state, and the ramps."""
    for row in range(lines.shape[0]):
        for k in range(1, n_groups + 1):
            copy_run(tape.samples, (row, 0, k * taped + at.Z2 - Z1), lines, (row, k * GROUP + at.ZA), LANES)
        tape_sample(lines, row, tape.samples, 1, n_groups, taped)
        tape_ramps(lines, row, tape.ramps, 0, n_groups)


@loop
def keep_stages(kept, update, first, stages):
    """Copy stages (n_rows, n_stages, width) to kept, from entry `first` on."""
    for row in range(stages.shape[0]):
        for s in range(stages.shape[1]):
            copy_run(kept, (row, update, first + s, 0), stages, (row, s, 0), stages.shape[2])
