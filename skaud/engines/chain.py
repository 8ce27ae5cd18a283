"""A run of stages on channels side by side as an engine: filterbank, hair cells, adaptation, modulation filters."""

from collections.abc import Sequence
from math import ceil, prod
from typing import NamedTuple

import numpy as np

from skaud.design.osses2021 import Design
from skaud.engines.engine import Engine, Responses
from skaud.kernels import osses2021 as kernels
from skaud.kernels import osses_layout as layout
from skaud.kernels import osses_tape as tapes
from skaud.kernels.osses_adjoint import reverse

OUTPUTS = ("filterbank", "hair_cell", "adaptation", "modulation")  # in the order of the kernel's stages


class ChainTape(NamedTuple):
    """What a reverse run must know of a run."""

    plan: layout.Plan
    x: np.ndarray
    shape: tuple[int, ...]  # of x as it was given
    n_rows: int
    segment: int
    checkpoints: tapes.Checkpoints
    frame_samples: int


class Chain(Engine):
    """Stages of a design, from the first that it has to the one that is asked for.

    One that begins with the filterbank takes sound, any other takes channels.
    """

    def __init__(self, design: Design, dtype: str) -> None:
        self.design, self.dtype = design, dtype
        self.outputs = self.parts = tuple(OUTPUTS[stage] for stage in design.stages)
        self.first = design.stages[0]
        self.takes_channels = self.first != layout.GAMMATONE
        self._plans: dict[str, layout.Plan] = {}

    def plan_to(self, output: str) -> layout.Plan:
        """Plan of the run that ends with an output, made when first asked for."""
        if output not in self._plans:
            self._plans[output] = layout.make_plan(self.design, self.first, OUTPUTS.index(output), self.dtype)
        return self._plans[output]

    def start(self, n_signals: int, n_ears: int) -> layout.State:
        """State after a long silence."""
        return layout.initial_state(self.design, self.dtype, n_signals * n_ears)

    def run(
        self, x: np.ndarray, state: layout.State, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, layout.State]:
        """Run the next samples through all stages up to the last that is asked for."""
        rows, shape = self._rows(x), x.shape[:2]
        last = max(outputs, key=OUTPUTS.index)
        plan, n_rows = self.plan_to(last), len(state.lines)
        work = layout.workspace(plan)
        if frame_samples is None:
            arrays = {
                name: np.empty((n_rows if name in outputs else 0, self._width(name), x.shape[-1]), self.dtype)
                for name in OUTPUTS
            }
            kernels.run(rows, state, plan, work, *arrays.values())
            return {name: arrays[name].reshape(*shape, *arrays[name].shape[1:]) for name in outputs}, state
        n_frames = (int(state.filled[0]) + x.shape[-1]) // frame_samples
        out = np.empty((n_rows, self._width(last), n_frames), self.dtype)
        kernels.run_frames(rows, state, plan, work, frame_samples, out, 0)
        return {last: out.reshape(*shape, *out.shape[1:])}, state

    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, ChainTape]:
        """Response to whole clips, and checkpoints on the way."""
        state, n_samples = self.start(*x.shape[:2]), x.shape[-1]
        segment = tapes.segment_length(n_samples)
        checkpoints = tapes.empty_checkpoints(state, ceil(n_samples / segment))
        n_frames = n_samples if frame_samples is None else n_samples // frame_samples
        out = np.empty((*x.shape[:2], self._width(output), n_frames), self.dtype)
        done = 0
        for k, begin in enumerate(range(0, n_samples, segment)):
            checkpoints.save(k, state)
            responses, state = self.run(x[..., begin : begin + segment], state, (output,), frame_samples)
            piece = responses[output]
            out[..., done : done + piece.shape[-1]] = piece
            done += piece.shape[-1]
        own = self._rows(x), x.shape, len(state.lines)
        return out, ChainTape(self.plan_to(output), *own, segment, checkpoints, frame_samples or 1)

    def pull_back(
        self, tape: ChainTape, bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients: segment by segment, the last one first."""
        plan, dtype = tape.plan, np.dtype(self.dtype)
        bar = (bar / tape.frame_samples).reshape(tape.n_rows, *bar.shape[2:])
        bars, x_bar = tapes.zero_bars(plan, tape.n_rows), np.empty_like(tape.x)
        reverse(
            tape.x,
            tape.segment,
            tape.checkpoints,
            self.start(1, tape.n_rows),
            plan,
            np.require(bar, dtype, ["C_CONTIGUOUS", "ALIGNED", "WRITEABLE"]),
            tape.frame_samples,
            bars,
            tapes.empty_tape(plan, min(tape.segment, tape.x.shape[1])),
            tapes.reverse_workspace(plan),
            sum(1 << OUTPUTS.index(name) for name in wanted),
            x_bar,
        )
        return x_bar.reshape(tape.shape), tapes.coefficient_bars(bars, plan)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Scalars, loops, and rows of the channels and of the modulation filters."""
        plan, state = self.plan_to(self.outputs[-1]), self.start(1, 1)
        lines, cells = state.lines[0].reshape(-1, layout.GROUP), state.cells[0].reshape(-1, layout.CELL)
        constants = np.array(plan.constants[: tapes.N_CONSTANTS])
        return constants, plan.loops[:, :4], lines, cells  # no parameter moves the gain

    def _rows(self, x: np.ndarray) -> np.ndarray:
        """Rows as the kernel takes them, each a sound or a channel."""
        return np.ascontiguousarray(x).reshape(prod(x.shape[:-1]), x.shape[-1])

    def _width(self, output: str) -> int:
        """Channels of an output."""
        return sum(self.design.n_filters) if output == "modulation" else self.design.n_channels
