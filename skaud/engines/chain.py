"""A chain of stages on channels side by side as an engine; what the stages are its parts say."""

from collections.abc import Sequence
from functools import cached_property
from math import ceil, prod
from typing import NamedTuple

import numpy as np

from skaud.engines.engine import Engine, Responses
from skaud.kernels.chain import layout
from skaud.kernels.chain.adjoint import reverse_of
from skaud.kernels.chain.kind import Kind, Part
from skaud.kernels.chain.run import run_of


class Stretch(NamedTuple):
    """A chain up to a response: kinds that its kernels are made for, and how it lies in memory."""

    kinds: tuple[type[Kind], ...]
    plan: layout.Plan
    rest: np.ndarray  # states after a long silence


class ChainTape(NamedTuple):
    """What a reverse run must know of a run."""

    output: str
    x: np.ndarray
    shape: tuple[int, ...]  # of x as it was given
    segment: int
    checkpoints: np.ndarray  # (n_segments, n_rows, n)
    frame_samples: int


class Chain(Engine):
    """Parts one after the other, each with the response of its stage.

    Parameters
    ----------
    parts : sequence of Part
        The parts of all stages, in order.
    n_channels : int
        Channels.
    dtype : str
        "float32", "float64" or "complex128".
    takes_channels : bool
        Whether it takes channels, and not sound.
    """

    def __init__(self, parts: Sequence[Part], n_channels: int, dtype: str, *, takes_channels: bool) -> None:
        self.links, self.n_channels, self.dtype, self.takes_channels = tuple(parts), n_channels, dtype, takes_channels
        self.outputs = self.parts = tuple(dict.fromkeys(part.stage for part in parts))
        self._coefficients = layout.coefficients_of(self.links, n_channels)
        self._of_filters = {part.stage for part in self.links if part.kind.is_filter}
        self._stretches: dict[str, Stretch] = {}

    def stretch_to(self, output: str) -> Stretch:
        """The chain up to a response, made when first asked for."""
        if output not in self._stretches:
            parts = layout.as_chain(self.links[: self._end_of(output)], self.n_channels)
            plan = layout.make_plan(
                parts, self.n_channels, self._coefficients.astype(self.dtype), takes_channels=self.takes_channels
            )
            rest = layout.start_of(parts, self.n_channels)
            self._stretches[output] = Stretch(layout.kinds_of(parts), plan, rest.astype(self.dtype))
        return self._stretches[output]

    @cached_property
    def _rest(self) -> layout.State:
        """State of one row after a long silence."""
        whole = self.stretch_to(self.outputs[-1])
        n_sums = max(len(whole.plan.groups), whole.plan.n_groups) * layout.LANES
        return layout.State(whole.rest[np.newaxis], np.zeros((1, n_sums), self.dtype), np.zeros(1, np.int64))

    def start(self, n_signals: int, n_ears: int) -> layout.State:
        """State after a long silence."""
        return self._rest.repeat(n_signals * n_ears)

    def run(
        self, x: np.ndarray, state: layout.State, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, layout.State]:
        """Run the next samples through all stages up to the last that is asked for."""
        return self._run(x, state, outputs, frame_samples, np.empty((0, 0, 0), self.dtype), 1), state

    def _run(
        self,
        x: np.ndarray,
        state: layout.State,
        outputs: Sequence[str],
        frame_samples: int | None,
        checkpoints: np.ndarray,
        segment: int,
    ) -> Responses:
        """As run, and keep checkpoints, unless there is no room for any."""
        kinds, plan, _ = self.stretch_to(max(outputs, key=self.outputs.index))
        n_rows, shape, n_samples = len(state.states), x.shape[:2], x.shape[-1]
        # Filters respond in frames, of one sample if need be; channels at full rate come from between the parts.
        at_full_rate = [name for name in outputs if frame_samples is None and name not in self._of_filters]
        if at_full_rate:
            table = plan.table.copy()
            table[[self._end_of(name) - 1 for name in at_full_rate], layout.RESPONSE] = range(len(at_full_rate))
            plan = plan._replace(table=table)
        responses = np.empty((len(at_full_rate), n_rows, self.n_channels, n_samples), self.dtype)
        frame = frame_samples or 1
        n_frames = (int(state.filled[0]) + n_samples) // frame
        n_framed = n_rows if len(at_full_rate) < len(outputs) else 0
        frames = np.empty((n_framed, len(plan.positions), n_frames), self.dtype)
        work = layout.workspace(plan)
        run_of(kinds)(self._rows(x), state, plan, checkpoints, segment, work, responses, frames, frame)
        found = dict.fromkeys(outputs, frames) | dict(zip(at_full_rate, responses))
        return {name: response.reshape(*shape, *response.shape[1:]) for name, response in found.items()}

    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, ChainTape]:
        """Response to whole clips, and checkpoints on the way."""
        state, n_samples = self.start(*x.shape[:2]), x.shape[-1]
        segment = layout.segment_samples(n_samples)
        checkpoints = np.empty((ceil(n_samples / segment), *state.states.shape), self.dtype)
        response = self._run(x, state, (output,), frame_samples, checkpoints, segment)[output]
        return response, ChainTape(output, self._rows(x), x.shape, segment, checkpoints, frame_samples or 1)

    def pull_back(
        self, tape: ChainTape, bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients: segment by segment, the last one first."""
        (kinds, plan, rest), n_rows, dtype = self.stretch_to(tape.output), prod(tape.shape[:2]), np.dtype(self.dtype)
        bar = (bar / tape.frame_samples).reshape(n_rows, *bar.shape[2:])
        state = layout.State(rest[np.newaxis], np.zeros((1, len(plan.groups) * layout.LANES), dtype), np.zeros(1, int))
        bars = layout.Bars(
            np.empty_like(tape.x), np.zeros((n_rows, len(rest)), dtype), np.zeros(len(self._coefficients))
        )
        reverse_of(kinds, bool(wanted))(
            tape.x,
            tape.checkpoints,
            state.repeat(n_rows),
            plan,
            np.require(bar, dtype, ["C_CONTIGUOUS", "ALIGNED", "WRITEABLE"]),
            tape.frame_samples,
            bars,
            layout.empty_tape(plan, min(tape.segment, tape.x.shape[1]), len(rest)),
            layout.reverse_workspace(plan, max(kind.n_states for kind in kinds)),
        )
        start_bars = np.zeros(self._rest.states.shape[1])
        start_bars[: len(rest)] = bars.states.sum(axis=0, dtype=float)
        return bars.x.reshape(tape.shape), (bars.coefficients, start_bars)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Coefficients of all parts, and states that they begin with."""
        return self._coefficients, layout.start_of(self.links, self.n_channels)

    def switches(self) -> tuple[str, ...]:
        """Names of the kinds."""
        return tuple(part.kind.__name__ for part in self.links)

    def _rows(self, x: np.ndarray) -> np.ndarray:
        """Rows as the kernel takes them, each a sound or a channel."""
        return np.ascontiguousarray(x).reshape(prod(x.shape[:-1]), x.shape[-1])

    def _end_of(self, output: str) -> int:
        """Number of the part behind the last one of a stage."""
        return max(i for i, part in enumerate(self.links) if part.stage == output) + 1
