"""How a chain lies in memory: coefficients that all signals share, states of every row, and what a reverse run keeps.

Channel c lies in group c // 16, lane c % 16; the lanes behind the last channel repeat it. A part that channels go
through lies time after time, group after group; of the filters that end a chain, each with one group of channels is a
cell. Between parts a block of at most SEGMENT samples stays in the cache: (sample, group, lane), flat.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np

from skaud.kernels.chain.kind import Kind, Part
from skaud.kernels.chain.modulation import Itself
from skaud.kernels.lanes import LANES, SEGMENT, aligned_copies, aligned_empty
from skaud.kernels.pointwise import TAYLOR

# Columns of the table, which has a row a part: where its coefficients and states begin, how often channels go through
# it, or how many cells it has; the first of the tape's planes, or of the cells; kept rows before its own; which
# response it leaves, or -1.
COEFFICIENTS, STATES, TIMES, FIRST, KEPT, RESPONSE = range(6)
N_COLUMNS = 6


class Plan(NamedTuple):
    """What a run reads and never changes.

    table : (n_parts, N_COLUMNS), coefficients : flat, groups : (n_cells,), group of a cell, positions : (n_features,),
    where in the sums of the cells a feature lies, taylor : `TAYLOR` of the exponential in the dtype, n_links : parts
    before the filters, n_planes : of the tape, n_kept : rows that it keeps of every sample
    """

    table: np.ndarray
    coefficients: np.ndarray
    groups: np.ndarray
    positions: np.ndarray
    taylor: tuple
    takes_channels: bool
    n_channels: int
    n_groups: int
    n_links: int
    n_planes: int
    n_kept: int


class State(NamedTuple):
    """Everything that a run changes, a row a signal's ear.

    states : (n_rows, n), sums : (n_rows, n_cells * LANES), of the frame that is not complete, filled : (1,), how many
    samples it has
    """

    states: np.ndarray
    sums: np.ndarray
    filled: np.ndarray

    def copy(self) -> "State":
        """Copy that shares nothing."""
        states, sums = aligned_copies(self[:2])
        return State(states, sums, self.filled.copy())

    def repeat(self, n_rows: int) -> "State":
        """State of so many rows, each as the one here."""
        states, sums = aligned_empty(
            (n_rows, self.states.shape[1]), (n_rows, self.sums.shape[1]), dtype=self.sums.dtype
        )
        states[...], sums[...] = self.states, self.sums
        return State(states, sums, self.filled.copy())

    def of_rows(self, rows: slice) -> "State":
        """View of some rows."""
        return State(self.states[rows], self.sums[rows], self.filled)


class Tape(NamedTuple):
    """What the reverse run needs of every sample of a segment, flat.

    inputs : a plane for every time that channels go through a part, and one for what enters the filters, each
    (n_samples, group, lane); kept : (rows, n_samples + 1, lane); cells : their states before every SEGMENT samples
    """

    inputs: np.ndarray
    kept: np.ndarray
    cells: np.ndarray
    n_samples: int


class Bars(NamedTuple):
    """Derivatives with respect to x, the first states, (n_rows, n), and the coefficients, in double precision."""

    x: np.ndarray
    states: np.ndarray
    coefficients: np.ndarray


def as_chain(parts: Sequence[Part], n_channels: int) -> tuple[Part, ...]:
    """Parts that end in filters, if only in one that gives what comes in."""
    if parts[-1].kind.is_filter:
        return tuple(parts)
    return *parts, Part("", Itself, np.zeros((1, 1, 0)), n_filters=(1,) * n_channels)


def cells_of(part: Part) -> list[tuple[int, int]]:
    """(filter, group) of every cell."""
    n_groups = -(-len(part.n_filters) // LANES)
    most = [max(part.n_filters[g * LANES : (g + 1) * LANES]) for g in range(n_groups)]
    return [(k, g) for k in range(max(most)) for g in range(n_groups) if k < most[g]]


def lay_out(part: Part, values: np.ndarray, n_channels: int) -> np.ndarray:
    """Numbers (n_times, n_channels or 1, n) of a part as its kernel takes them, (..., n, LANES)."""
    n_groups = -(-n_channels // LANES)
    channel = np.minimum(np.arange(n_groups * LANES), values.shape[1] - 1)
    rows = np.moveaxis(values[:, channel].reshape(len(values), n_groups, LANES, values.shape[-1]), 2, 3)
    if part.kind.is_filter:
        cells = cells_of(part)
        return rows[[k for k, _ in cells], [g for _, g in cells]]
    return rows.reshape(len(rows) * n_groups, *rows.shape[2:])


def coefficients_of(parts: Sequence[Part], n_channels: int) -> np.ndarray:
    """Coefficients of all parts, flat."""
    return np.concatenate([lay_out(part, part.coefficients, n_channels).ravel() for part in parts])


def start_of(parts: Sequence[Part], n_channels: int) -> np.ndarray:
    """States of all parts after a long silence, flat."""
    pieces = []
    for part in parts:
        start = np.zeros((len(part.coefficients), 1, part.kind.n_states)) if part.start is None else part.start
        pieces.append(lay_out(part, start, n_channels).ravel())
    return np.concatenate(pieces)


def make_plan(parts: Sequence[Part], n_channels: int, coefficients: np.ndarray, *, takes_channels: bool) -> Plan:
    """Plan of a chain, whose coefficients are given in the dtype of the computation."""
    n_groups = -(-n_channels // LANES)
    table = np.full((len(parts), N_COLUMNS), -1)
    at, n_links, n_planes, n_kept = [0, 0], 0, 0, 0
    cells: list[tuple[int, int]] = []
    where: dict[tuple[int, int, int], int] = {}  # cell of (part, filter, group)
    for i, part in enumerate(parts):
        table[i, [COEFFICIENTS, STATES]] = at
        if part.kind.is_filter:
            own = cells_of(part)
            table[i, TIMES], table[i, FIRST] = len(own), len(cells)
            where |= {(i, *cell): len(cells) + k for k, cell in enumerate(own)}
            cells += own
        else:
            table[i, TIMES], table[i, FIRST], table[i, KEPT] = len(part.coefficients), n_planes, n_kept
            n_links += 1
            n_planes += len(part.coefficients)
            n_kept += len(part.coefficients) * n_groups * part.kind.n_states * part.kind.keeps_states
        n_own = len(own) if part.kind.is_filter else len(part.coefficients) * n_groups
        at = [begin + n_own * n * LANES for begin, n in zip(at, (part.kind.n_coefficients, part.kind.n_states))]
    positions = [
        where[i, k, channel // LANES] * LANES + channel % LANES
        for channel in range(n_channels)
        for i, part in enumerate(parts[n_links:], n_links)
        for k in range(part.n_filters[channel])
    ]
    taylor = tuple(coefficients.dtype.type(term) for term in TAYLOR)
    groups = np.array([group for _, group in cells])
    sizes = takes_channels, n_channels, n_groups, n_links, n_planes + 1, n_kept
    return Plan(table, coefficients, groups, np.array(positions), taylor, *sizes)


def workspace(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """A block, and means of the frames that end in it."""
    width = plan.n_groups * LANES
    block, means = aligned_empty((SEGMENT * width,), (SEGMENT, len(plan.positions)), dtype=plan.coefficients.dtype)
    return block, means


# --- reverse runs ---


def segment_samples(n_samples: int) -> int:
    """Samples between two checkpoints, about the root of all: checkpoints and tape then grow like this root."""
    return SEGMENT * max(1, ceil(sqrt(n_samples) / SEGMENT))


def empty_tape(plan: Plan, n_samples: int, n_states: int) -> Tape:
    """Tape for a segment; of cells there are at most n_states states."""
    width = plan.n_groups * LANES
    shapes = (plan.n_planes * n_samples * width,), (plan.n_kept * (n_samples + 1) * LANES,)
    cells = (ceil(n_samples / SEGMENT) * n_states,)
    inputs, kept, states = aligned_empty(*shapes, cells, dtype=plan.coefficients.dtype)
    return Tape(inputs, kept, states, n_samples)


class Scratch(NamedTuple):
    """What a reverse run works with, flat.

    block : (SEGMENT, group, lane), seeds : (SEGMENT, cell, lane), of frames that a block has, history : states of a
    cell, one more than a block has samples, gathered : bars of the coefficients, frames : (SEGMENT,)
    """

    block: np.ndarray
    seeds: np.ndarray
    history: np.ndarray
    gathered: np.ndarray
    frames: np.ndarray


def reverse_workspace(plan: Plan, most_states: int) -> Scratch:
    """Scratch for cells of so many states at most."""
    block, seeds, history, gathered = aligned_empty(
        (SEGMENT * plan.n_groups * LANES,),
        (SEGMENT * len(plan.groups) * LANES,),
        ((SEGMENT + 1) * most_states * LANES,),
        plan.coefficients.shape,
        dtype=plan.coefficients.dtype,
    )
    seeds[...], gathered[...] = 0, 0
    return Scratch(block, seeds, history, gathered, np.zeros(SEGMENT, np.int64))


def kinds_of(parts: Sequence[Part]) -> tuple[type[Kind], ...]:
    """Kinds of all parts, which a kernel is made for."""
    return tuple(part.kind for part in parts)
