"""Derivatives of runs of stages of Osses et al. (2021): checkpoints, the reverse run, directions of a design."""

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skaud.design.osses2021 import Design
from skaud.kernels import osses2021 as kernels
from skaud.kernels import osses_layout as layout
from skaud.kernels import osses_tape as tapes
from skaud.kernels.osses_adjoint import reverse

if TYPE_CHECKING:
    from skaud.stages._stage import Chain

STEP = 1e-30  # of the complex step, which is exact: nothing is subtracted


class Record(NamedTuple):
    """What a reverse run must know of a run."""

    chain: "Chain"
    plan: layout.Plan
    x: np.ndarray
    n_rows: int
    segment: int
    checkpoints: tapes.Checkpoints
    frame_length: int


class CoefficientBars(NamedTuple):
    """Derivatives with respect to the coefficients of a design, as they lie in its plan and its first state."""

    constants: np.ndarray
    loops: np.ndarray
    lines: np.ndarray
    cells: np.ndarray

    def along(self, design: Design) -> float:
        """Derivative in the direction of a design's complex step."""
        plan = layout.make_plan(design, layout.GAMMATONE, layout.MODULATION, complex)
        state = layout.initial_state(design, complex, 1)
        pairs = (
            (self.constants, plan.constants[: tapes.N_CONSTANTS]),
            (self.loops, plan.loops),
            (self.lines, state.lines[0].reshape(-1, layout.GROUP)),
            (self.cells, state.cells[0].reshape(-1, layout.CELL)),
        )
        return sum(float((bars * stepped.imag).sum()) for bars, stepped in pairs) / STEP


def record(
    chain: "Chain", x: np.ndarray, n_rows: int, output: str, frame_length: int | None
) -> tuple[np.ndarray, Record]:
    """Response (n_rows, n_outputs, n_frames) to x, and a record of how it came about."""
    n_samples, state, plan = x.shape[1], chain.initial_state(n_rows), chain.plan_to(output)
    segment = tapes.segment_length(n_samples)
    checkpoints = tapes.empty_checkpoints(state, ceil(n_samples / segment))
    n_frames = n_samples if frame_length is None else max(1, n_samples // frame_length)
    out = np.empty((n_rows, chain.n_outputs(output), n_frames), chain.dtype)
    work, done = layout.workspace(plan), 0
    for k, start in enumerate(range(0, n_samples, segment)):
        checkpoints.save(k, state)
        part = np.ascontiguousarray(x[:, start : start + segment])
        if frame_length is None:
            out[..., start : start + segment] = chain.full(part, state, (output,))[0]
        else:
            done = kernels.run_frames(part, state, plan, work, frame_length, out, done)
    if frame_length is not None and done == 0:
        kernels.close_frame(state, plan, out, 0)
        frame_length = n_samples
    return out, Record(chain, plan, x, n_rows, segment, checkpoints, frame_length or 1)


def pull_back(run: Record, value_bar: np.ndarray, wanted: int) -> tuple[np.ndarray, CoefficientBars]:
    """Bars of x, and of the coefficients of the stages in `wanted`, from those of the response."""
    chain, plan, dtype = run.chain, run.plan, np.dtype(run.chain.dtype)
    value_bar = np.require(value_bar / run.frame_length, dtype, ["C_CONTIGUOUS", "ALIGNED", "WRITEABLE"])
    bars, x_bar = tapes.zero_bars(plan, run.n_rows), np.empty_like(run.x)
    tape = tapes.empty_tape(plan, min(run.segment, run.x.shape[1]))
    reverse(
        run.x,
        run.segment,
        run.checkpoints,
        chain.initial_state(run.n_rows),
        plan,
        value_bar,
        run.frame_length,
        bars,
        tape,
        tapes.reverse_workspace(plan),
        wanted,
        x_bar,
    )
    summed = bars.summed_lines.reshape(-1, tapes.BARS_GROUP)
    states = bars.lines.sum(axis=0, dtype=float).reshape(-1, tapes.BARS_GROUP)
    lines = np.zeros((len(summed), layout.GROUP))
    lines[:, : layout.SECTIONS] = summed[:, : layout.SECTIONS]
    for n in range(len(plan.loops)):  # of what a state begins with, only the divisors depend on parameters
        of_loop = states[:, tapes.LOOPS + n * tapes.BARS_LOOP :][:, : layout.LANES]
        lines[:, layout.DIVISORS + n * layout.LANES :][:, : layout.LANES] = of_loop
    shared = summed[:, layout.GROUP :].reshape(len(summed), -1, layout.LANES).sum(axis=(0, 2))
    loops = shared[tapes.N_CONSTANTS :].reshape(-1, 5)[: len(plan.loops), 1:]
    cells = bars.summed_cells.reshape(-1, layout.CELL)
    return x_bar, CoefficientBars(shared[: tapes.N_CONSTANTS], loops, lines, cells)
