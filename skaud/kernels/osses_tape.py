"""What a reverse run of Osses et al. (2021) holds: checkpoints, the tape between two of them, bars."""

from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels.lanes import aligned_empty
from skaud.kernels.osses_layout import (
    ADAPTATION,
    CELL,
    CELL_RE,
    DIVISORS,
    GAMMATONE,
    GROUP,
    HAIR_CELL,
    LANES,
    MAX_LOOPS,
    MODULATION,
    SECTIONS,
    SEGMENT,
    TAPED_LOOP,
    TAPED_PASSES,
    TAPED_SECTIONS,
    Plan,
    State,
)

# Coefficients whose bars may be wanted, by the stage that has them.
OF_GAMMATONE, OF_HAIR_CELL, OF_ADAPTATION, OF_MODULATION = (1 << stage for stage in range(4))

# Rows of a group of bars: those of the lines, then what all channels share, in the order of the plan.
HAIR_B, HAIR_A, ENVELOPE_B, ENVELOPE_A, OFFSET, SCALE = (GROUP + row * LANES for row in range(6))
N_CONSTANTS = 6
LOOPS = GROUP + N_CONSTANTS * LANES  # of every loop the divisor, smoothing, M, -2 / M and floor
BARS_LOOP = 5 * LANES
BARS_GROUP = LOOPS + MAX_LOOPS * BARS_LOOP


class Checkpoints(NamedTuple):
    """States at the beginnings of segments: (n_segments, n_rows, ...); of the cells only what changes."""

    lines: np.ndarray
    cells: np.ndarray

    def save(self, k: int, state: State) -> None:
        """Keep a state as checkpoint k."""
        self.lines[k] = state.lines
        cells = state.cells.reshape(len(state.cells), -1, CELL)
        self.cells[k] = cells[:, :, CELL_RE : CELL_RE + 2 * LANES].reshape(len(cells), -1)


class Tape(NamedTuple):
    """What the reverse run needs of every sample of a segment, each (sample, group or cell, rows), flat.

    sections : states of the gammatone filters, from before the first sample on; passes : input of the hair cells, and
    states before; loops : of every loop input, divisor before, and output; envelopes : input of the
    low-pass before the modulation filters; inputs : their own input; cells : their states before every SEGMENT samples.
    Empty where a run has no such stage.
    """

    sections: np.ndarray
    passes: np.ndarray
    loops: np.ndarray
    envelopes: np.ndarray
    inputs: np.ndarray
    cells: np.ndarray


class Bars(NamedTuple):
    """Derivatives with respect to the state and, as far as they are wanted, the coefficients.

    lines : (n_rows, n_groups * BARS_GROUP), cells : as those of a state; summed_lines, summed_cells : bars of
    coefficients over all rows and segments, in double precision.
    """

    lines: np.ndarray
    cells: np.ndarray
    summed_lines: np.ndarray
    summed_cells: np.ndarray


def segment_length(n_samples: int) -> int:
    """Samples between two checkpoints, about the root of all: checkpoints and tape then grow like this root."""
    return SEGMENT * max(1, ceil(sqrt(n_samples) / SEGMENT))


def empty_checkpoints(state: State, n_segments: int) -> Checkpoints:
    """Room for so many checkpoints."""
    n_cells = state.cells.shape[1] // CELL
    return Checkpoints(
        np.empty((n_segments, *state.lines.shape), state.lines.dtype),
        np.empty((n_segments, len(state.cells), n_cells * 2 * LANES), state.cells.dtype),
    )


def empty_tape(plan: Plan, n_samples: int) -> Tape:
    """Tape for a segment."""
    p, n_cells = plan.sizes, len(plan.groups)
    runs = [p.first <= stage <= p.last for stage in range(4)]
    return Tape(
        *aligned_empty(
            ((n_samples + 1) * p.n_groups * TAPED_SECTIONS * runs[GAMMATONE],),
            (n_samples * p.n_groups * TAPED_PASSES * runs[HAIR_CELL],),
            (n_samples * p.n_groups * p.n_loops * TAPED_LOOP * runs[ADAPTATION],),
            (n_samples * p.n_groups * LANES * (runs[MODULATION] and p.envelope_low_pass),),
            (n_samples * p.n_groups * LANES * runs[MODULATION],),
            (ceil(n_samples / SEGMENT) * n_cells * 2 * LANES * runs[MODULATION],),
            dtype=plan.loops.dtype,
        )
    )


def zero_bars(plan: Plan, n_rows: int) -> Bars:
    """Bars before a reverse run."""
    width, n_cells = plan.sizes.n_groups * BARS_GROUP, len(plan.groups)
    lines, cells = aligned_empty((n_rows, width), (n_rows, n_cells * CELL), dtype=plan.loops.dtype)
    lines[...], cells[...] = 0, 0
    return Bars(lines, cells, np.zeros(width), np.zeros(n_cells * CELL))


def reverse_workspace(plan: Plan) -> tuple[np.ndarray, ...]:
    """A block; for its samples seeds of the modulation filters, frame by frame, states of one of them, the frames."""
    width, n_cells = plan.sizes.n_groups * LANES, len(plan.groups)
    dtype: Any = plan.loops.dtype
    block, seeds, states = aligned_empty(
        (SEGMENT * width,), (SEGMENT * n_cells * LANES,), ((SEGMENT + 1) * 2 * LANES,), dtype=dtype
    )
    seeds[...] = 0
    return block, seeds, states, np.zeros(SEGMENT, np.int64)


def coefficient_bars(bars: Bars, plan: Plan) -> tuple[np.ndarray, ...]:
    """Bars of constants, loops, lines and cells, as the plan and the first state have them."""
    summed = bars.summed_lines.reshape(-1, BARS_GROUP)
    states = bars.lines.sum(axis=0, dtype=float).reshape(-1, BARS_GROUP)
    lines = np.zeros((len(summed), GROUP))
    lines[:, :SECTIONS] = summed[:, :SECTIONS]
    for n in range(len(plan.loops)):  # of what a state begins with, only the divisors depend on parameters
        of_loop = states[:, LOOPS + n * BARS_LOOP :][:, :LANES]
        lines[:, DIVISORS + n * LANES :][:, :LANES] = of_loop
    shared = summed[:, GROUP:].reshape(len(summed), -1, LANES).sum(axis=(0, 2))
    loops = shared[N_CONSTANTS:].reshape(-1, BARS_LOOP // LANES)[: len(plan.loops), 1:]
    return shared[:N_CONSTANTS], loops, lines, bars.summed_cells.reshape(-1, CELL)
