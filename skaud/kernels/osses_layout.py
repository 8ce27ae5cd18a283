"""How the channels of Osses et al. (2021) lie in memory on the CPU.

Channel c lies in group c // 16, lane c % 16. Everything of one group up to the modulation filters lies in rows of one
flat array, the lines; a cell, one modulation filter of one group, has rows of its own in another, the cells. Between
stages a block of at most SEGMENT samples stays in the cache: (sample, group, lane), flat.
"""

from typing import Any, NamedTuple

import numpy as np

from skaud.kernels.lanes import LANES, SEGMENT, aligned_copies, aligned_empty
from skaud.kernels.pointwise import TAYLOR

MAX_LOOPS = 8
MAX_PASSES = 5
# Stages of a run, in their order.
GAMMATONE, HAIR_CELL, ADAPTATION, MODULATION = range(4)

# Rows of a group.
STEP_RE, STEP_IM, SECTION_B = (row * LANES for row in range(3))
RE1, IM1, RE2, IM2, RE3, IM3, RE4, IM4 = ((3 + row) * LANES for row in range(8))  # states of four sections
SECTIONS = RE1
SMOOTHING = 11 * LANES  # a state a pass
DIVISORS = (11 + MAX_PASSES) * LANES  # a state a loop
ENVELOPE = (11 + MAX_PASSES + MAX_LOOPS) * LANES
GROUP = (12 + MAX_PASSES + MAX_LOOPS) * LANES
# Rows of a cell.
CELL_STEP_RE, CELL_STEP_IM, CELL_B, DIRECT, MIX_RE, MIX_IM, CELL_RE, CELL_IM, CELL_SUM = (r * LANES for r in range(9))
CELL = 9 * LANES
# Rows of a group on the tape.
TAPED_SECTIONS = 8 * LANES
TAPED_PASSES = (1 + MAX_PASSES) * LANES
TAPED_LOOP = 3 * LANES


class Constants(NamedTuple):
    """Scalars of the recursions, in the dtype of the computation."""

    hair_b: float
    hair_a: float
    envelope_b: float
    envelope_a: float
    offset: float
    scale: float
    taylor: tuple  # `TAYLOR` of the exponential


class Sizes(NamedTuple):
    """Integers that fix a run."""

    n_channels: int
    n_groups: int
    n_passes: int
    n_loops: int
    limited: int
    envelope_low_pass: int
    n_linear: int  # cells
    first: int  # stage that the run begins with
    last: int  # stage that it ends with


class Plan(NamedTuple):
    """What a run reads and never changes.

    loops : (n_loops, 5), groups : (n_cells,), group of a cell, positions : (n_features,), where in the cells a
    feature's first row is.
    """

    sizes: Sizes
    constants: Constants
    loops: np.ndarray
    groups: np.ndarray
    positions: np.ndarray


class State(NamedTuple):
    """Everything a run changes, a row a signal's ear.

    lines : (n_rows, n_groups * GROUP), cells : (n_rows, n_cells * CELL), sums : (n_rows, n_groups * LANES), the frame's
    sum of a block, filled : (1,), samples in the sums.
    """

    lines: np.ndarray
    cells: np.ndarray
    sums: np.ndarray
    filled: np.ndarray

    def copy(self) -> "State":
        """Copy that shares nothing."""
        lines, cells, sums = aligned_copies(self[:3])
        return State(lines, cells, sums, self.filled.copy())

    def of_rows(self, rows: slice) -> "State":
        """View of some rows."""
        return State(self.lines[rows], self.cells[rows], self.sums[rows], self.filled)


def make_plan(design: Any, first: int, last: int, dtype: Any) -> Plan:
    """Plan of a run from stage first to last of a design (`skaud.design.osses2021.Design`)."""
    hair_b, hair_a, n_passes = design.hair_cell or (0.0, 0.0, 1)
    envelope_b, envelope_a = design.envelope_low_pass or (0.0, 0.0)
    adaptation = design.adaptation
    n_groups = -(-design.n_channels // LANES)
    groups, positions, n_linear = [], np.zeros(0, np.int64), 0
    if design.modulation is not None:
        cells = _cells(design)
        groups = [group for _, group in cells]
        n_linear = sum(k < design.n_linear for k, _ in cells)
        at = {cell: i for i, cell in enumerate(cells)}
        positions = np.array(
            [
                at[k, channel // LANES] * CELL + channel % LANES
                for channel, n_filters in enumerate(design.n_filters)
                for k in range(n_filters)
            ]
        )
    sizes = Sizes(
        n_channels=design.n_channels,
        n_groups=n_groups,
        n_passes=n_passes,
        n_loops=0 if adaptation is None else len(adaptation.start),
        limited=int(adaptation is not None and bool(adaptation.range.any())),
        envelope_low_pass=int(design.envelope_low_pass is not None),
        n_linear=n_linear,
        first=first,
        last=last,
    )
    scalar = np.dtype(dtype).type
    constants = Constants(
        scalar(hair_b),
        scalar(hair_a),
        scalar(envelope_b),
        scalar(envelope_a),
        scalar(0 if adaptation is None else adaptation.offset),
        scalar(1 if adaptation is None else adaptation.scale),
        tuple(scalar(coefficient) for coefficient in TAYLOR),
    )
    loops = np.zeros((0, 5))
    if adaptation is not None:
        slope = -2 / np.where(adaptation.range != 0, adaptation.range, 1)
        floors = np.where(np.arange(len(slope)) == 0, adaptation.floor, 0)  # what comes out of a loop is above 0
        gains = np.where(np.arange(len(slope)) == 0, adaptation.gain, 1)
        loops = np.stack([adaptation.smoothing, adaptation.range, slope, floors, gains], axis=1)
    return Plan(
        sizes,
        constants,
        np.ascontiguousarray(loops, dtype),
        np.array(groups, np.int64),
        positions,
    )


def initial_state(design: Any, dtype: Any, n_rows: int) -> State:
    """State after a long silence. Lines and cells carry a copy of the coefficients of their channels."""
    n_groups = -(-design.n_channels // LANES)
    channel = np.arange(design.n_channels)
    group, lane = np.divmod(channel, LANES)
    lines = np.zeros((n_groups, GROUP // LANES, LANES), np.result_type(dtype, float))
    if design.gammatone is not None:
        lines[group, STEP_RE // LANES, lane] = design.gammatone.step_re
        lines[group, STEP_IM // LANES, lane] = design.gammatone.step_im
        lines[group, SECTION_B // LANES, lane] = design.gammatone.b
    if design.adaptation is not None:
        for n, start in enumerate(design.adaptation.start):
            lines[:, DIVISORS // LANES + n] = start
    cells = np.zeros((0, CELL // LANES, LANES))
    if design.modulation is not None:
        keys = _cells(design)
        cells = np.zeros((len(keys), CELL // LANES, LANES), np.result_type(dtype, float))
        m = design.modulation
        for row, values in (
            (CELL_STEP_RE, m.step_re),
            (CELL_STEP_IM, m.step_im),
            (CELL_B, m.b),
            (DIRECT, m.direct),
            (MIX_RE, m.mix_re),
            (MIX_IM, m.mix_im),
        ):
            for i, (k, _) in enumerate(keys):
                cells[i, row // LANES] = values[k]
    return State(
        np.tile(lines.reshape(1, -1).astype(dtype), (n_rows, 1)),
        np.tile(cells.reshape(1, -1).astype(dtype), (n_rows, 1)),
        np.zeros((n_rows, n_groups * LANES), dtype),
        np.zeros(1, np.int64),
    ).copy()


def workspace(plan: Plan) -> np.ndarray:
    """Block that a run needs besides its state."""
    return aligned_empty((SEGMENT * plan.sizes.n_groups * LANES,), dtype=plan.loops.dtype)[0]


def _cells(design: Any) -> list[tuple[int, int]]:
    """(filter, group) of every cell, the linear filters first."""
    n_groups = -(-design.n_channels // LANES)
    most = [max(design.n_filters[g * LANES : (g + 1) * LANES]) for g in range(n_groups)]
    return [(k, g) for k in range(max(most)) for g in range(n_groups) if k < most[g]]
