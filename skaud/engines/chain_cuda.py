"""Chains of stages as an engine on a GPU: the parts of the engine on the CPU, states and responses in its memory."""

from collections.abc import Sequence
from copy import copy
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from skaud.engines.chain import Chain
from skaud.engines.device import longest_segment, room_of_tape, segment_of
from skaud.engines.engine import Engine, Responses
from skaud.kernels import device
from skaud.kernels.array_api import Array, Place, array_namespace, as_dtype, beside, empty, rows_beside, to_numpy, zeros
from skaud.kernels.chain import cuda, layout
from skaud.kernels.chain.cuda_adjoint import Bars, Tape, reverse_kernel
from skaud.kernels.chain.cuda_stretches import block_of, entries_of
from skaud.kernels.chain.kind import Part
from skaud.kernels.device import contiguous, kernel
from skaud.kernels.pointwise import TAYLOR

SHORTEST_SEGMENT = 32  # samples: what is kept of one stays in a device's cache, and what goes around it takes little


class DeviceState(NamedTuple):
    """Everything that a run changes, a row an ear of a signal; NumPy's before the first run.

    values : (n_rows, n, n_channels), states of all parts, sums : (n_rows, n_cells, n_channels), of the frame that has
    `filled` samples
    """

    values: Array
    sums: Array
    filled: int

    def copy(self) -> "DeviceState":
        """The state itself: a run makes a new one."""
        return self

    def of_rows(self, rows: slice) -> "DeviceState":
        """State of some rows."""
        return DeviceState(self.values[rows, ...], self.sums[rows, ...], self.filled)


class DeviceTape(NamedTuple):
    """What a reverse run must know of a run; arrays on the device.

    segment : samples that go back stretch by stretch, states : where blocks begin, samples : what enters stretches;
    where that would take too much, None, and states are those where segments begin
    """

    output: str
    x: Array
    segment: int
    states: Array
    samples: Array | None
    frame_samples: int


class Stretch(NamedTuple):
    """A chain up to a response: what its kernels are made for, and what they read.

    block : samples that go back together, entries : row of what enters each link, and filters, as a tape has it
    """

    parts: tuple[Part, ...]
    shape: cuda.Shape
    coefficients: np.ndarray
    rest: np.ndarray
    firsts: np.ndarray
    counts: np.ndarray
    n_features: int
    block: int
    entries: tuple[int, ...]

    @property
    def n_entries(self) -> int:
        """Numbers that a tape has of a sample."""
        return max(self.entries) + 1

    @property
    def shortest_segment(self) -> int:
        """Samples that go back stretch by stretch at least: a number of blocks."""
        return ceil(SHORTEST_SEGMENT / self.block) * self.block


class ChainOnDevice(Engine):
    """What `skaud.engines.chain.Chain` computes, where x lies.

    Parameters
    ----------
    host : Chain
        The engine on the CPU, which has the parts.
    """

    lengths: tuple[int, ...] | None = None  # of clips of several lengths

    def __init__(self, host: Chain) -> None:
        self.host, self.dtype, self.outputs, self.parts = host, host.dtype, host.outputs, host.parts
        self.n_channels, self.takes_channels = host.n_channels, host.takes_channels
        self._of_filters = {part.stage for part in host.links if part.kind.is_filter}
        self._taylor = tuple(np.dtype(host.dtype).type(term) for term in TAYLOR)
        self._stretches: dict[str, Stretch] = {}

    def stretch_to(self, output: str) -> Stretch:
        """The chain up to a response, made when first asked for."""
        if output not in self._stretches:
            end = max(i for i, part in enumerate(self.host.links) if part.stage == output) + 1
            parts = layout.as_chain(self.host.links[:end], self.n_channels)
            shape = cuda.shape_of(parts, self.takes_channels, device.WARP, self.dtype)
            coefficients, start = (cuda.rows_of(parts, self.n_channels, what) for what in ("coefficients", "start"))
            by_warp, (firsts, counts) = cuda.by_warp(coefficients, shape.n_lanes), cuda.features_of(parts)
            self._stretches[output] = Stretch(
                parts,
                shape,
                by_warp.astype(self.dtype),
                start.astype(self.dtype),
                firsts,
                counts,
                int(counts.sum()),
                block_of(shape),
                entries_of(shape),
            )
        return self._stretches[output]

    def start(self, n_signals: int, n_ears: int) -> DeviceState:
        """State after a long silence."""
        whole, n_rows = self.stretch_to(self.outputs[-1]), n_signals * n_ears
        n_cells = max(len(self.stretch_to(output).shape.cells) for output in self.outputs)
        silence = np.zeros((n_cells, self.n_channels), self.dtype)
        rest, sums = (np.broadcast_to(own, (n_rows, *own.shape[-2:])) for own in (whole.rest, silence))
        return DeviceState(rest, sums, 0)

    def run(
        self, x: Array, state: DeviceState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, DeviceState]:
        """Run the next samples through all stages up to the last that is asked for."""
        responses, after, _ = self._run(x, state, outputs, frame_samples)
        return responses, after

    def record(self, x: Array, output: str, frame_samples: int | None) -> tuple[Array, DeviceTape]:
        """Response to whole clips, and a tape: all that the adjoint must know where there is room, else checkpoints."""
        own, n_samples = self.stretch_to(output), x.shape[-1]
        block, n_states, shortest = own.block, own.shape.n_states, own.shortest_segment
        width = x.shape[0] * x.shape[1] * self._n_warps(own) * own.shape.n_lanes
        bytes_of_row = width * np.dtype(self.dtype).itemsize  # of a number that every thread leaves
        n_bytes = bytes_of_row * ceil(n_samples / block) * (n_states + block * own.n_entries)
        before, is_whole = self.start(*x.shape[:2]), n_bytes <= room_of_tape(x)
        segment = shortest if is_whole else segment_of(x, bytes_of_row * n_states, shortest)
        every = block if is_whole else segment
        responses, _, left = self._run(x, before, (output,), frame_samples, every, is_whole=is_whole)
        samples = left.samples if is_whole else None
        return responses[output], DeviceTape(output, x, segment, left.states, samples, frame_samples or 1)

    def pull_back(self, tape: DeviceTape, bar: Array, wanted: Sequence[str]) -> tuple[Array, tuple[np.ndarray, ...]]:
        """Bars of x, where it lies, and of the coefficients, as NumPy's: segment by segment, the last one first."""
        x, own, segment = tape.x, self.stretch_to(tape.output), tape.segment
        n_rows, n_samples = x.shape[0] * x.shape[1], x.shape[-1]
        n_warps, n_lanes = self._n_warps(own), own.shape.n_lanes
        by_warp, block, is_whole = (n_rows, n_warps), own.block, tape.samples is not None
        by_block = *by_warp, segment // block
        value_bar, xp = as_dtype(bar, self.dtype) / tape.frame_samples, array_namespace(x)
        kept = Tape(
            checkpoints=tape.states,
            states=tape.states if is_whole else empty((*by_block, own.shape.n_states, n_lanes), x),
            samples=tape.samples if is_whole else empty((*by_block, block, own.n_entries, n_lanes), x),
            n_blocks=np.int32(tape.states.shape[2] if is_whole else segment // block),
            step=np.int32(segment // block if is_whole else 0),
            handed=empty((*by_warp, segment, n_lanes), x),
        )
        bars = Bars(
            value=contiguous(value_bar, self.dtype),
            coefficients=xp.astype(zeros((*by_warp, own.shape.n_coefficients, n_lanes), x), xp.float64, copy=False),
            states=zeros((*by_warp, own.shape.n_states, n_lanes), x),
            x=self._empty(x.shape if self.takes_channels else (n_rows, n_warps, n_samples), x),
        )
        kernel(reverse_kernel, own.shape, bool(wanted), block)(
            n_rows * n_warps,
            (n_lanes, 1),
            contiguous(x, self.dtype),
            self._lengths(x),
            self._reads(own, x),
            self._sizes(own, x, tape.frame_samples, value_bar.shape[-1], segment, tape.states.shape[2]),
            kept,
            bars,
        )
        x_bar = bars.x
        if not self.takes_channels:
            total = x_bar[:, 0, ...]
            for warp in range(1, n_warps):
                total = total + x_bar[:, warp, ...]
            x_bar = xp.reshape(total, x.shape)
        sums = (
            xp.sum(xp.astype(of_rows, xp.float64, copy=False), axis=0) for of_rows in (bars.coefficients, bars.states)
        )
        return x_bar, self._coefficient_bars(own, *map(to_numpy, sums))

    def bytes_on_device(
        self, n_ears: int, n_samples: int, outputs: Sequence[str], frame_samples: int | None, *, backwards: bool
    ) -> int:
        """States, sound and responses; backwards bars, too, checkpoints and a tape."""
        own, item = self.stretch_to(max(outputs, key=self.outputs.index)), np.dtype(self.dtype).itemsize
        width, n_in = self._n_warps(own) * own.shape.n_lanes, self.n_channels if self.takes_channels else 1
        n_features = sum(own.n_features if name in self._of_filters else self.n_channels for name in outputs)
        response = n_features * self.n_frames(n_samples, outputs[0], frame_samples)
        numbers = (
            3 * (own.shape.n_states + len(own.shape.cells)) * self.n_channels + 2 * n_in * n_samples + 2 * response
        )
        if backwards:
            block, segment = own.block, longest_segment(n_samples, own.shortest_segment)
            of_tape = segment // block * (block * (own.n_entries + 1) + own.shape.n_states)
            of_bars = own.shape.n_coefficients * 2 + own.shape.n_states
            numbers += (-(-n_samples // segment) * own.shape.n_states + of_tape + of_bars) * width
            numbers += n_samples * (n_in if self.takes_channels else self._n_warps(own) + 1) + 2 * response
        return n_ears * numbers * item

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Those of the engine on the CPU."""
        return self.host.coefficients()

    def switches(self) -> tuple[str, ...]:
        """Those of the engine on the CPU."""
        return self.host.switches()

    def _run(
        self,
        x: Array,
        state: DeviceState,
        outputs: Sequence[str],
        frame_samples: int | None,
        every: int = 0,
        *,
        is_whole: bool = False,
    ) -> tuple[Responses, DeviceState, cuda.Left]:
        """As run, leaving states `every` so many samples, unless 0, and what enters stretches, if it is whole."""
        last = max(outputs, key=self.outputs.index)
        own, n_rows, n_samples, xp = self.stretch_to(last), x.shape[0] * x.shape[1], x.shape[-1], array_namespace(x)
        n_states, n_cells = own.shape.n_states, len(own.shape.cells)
        at_full_rate = [name for name in outputs if frame_samples is None and name not in self._of_filters]
        framed, frame = len(at_full_rate) < len(outputs), frame_samples or 1
        n_frames = (state.filled + n_samples) // frame if framed else 0
        values, sums = rows_beside(state.values, x), rows_beside(state.sums, x)
        joined = xp.concat([values[:, :n_states, ...], sums[:, :n_cells, ...]], axis=1)
        responses = self._empty((len(at_full_rate), n_rows, self.n_channels, n_samples), x)
        frames = self._empty((n_rows, own.n_features, n_frames), x)
        n_times, n_lanes = ceil(n_samples / every) if every else 0, own.shape.n_lanes
        entries = own.entries if is_whole else (-1,) * (len(own.shape.links) + 1)
        by_time, of_sample = (n_rows, self._n_warps(own), n_times), own.n_entries if is_whole else 0
        states, samples = (empty((*by_time, *shape, n_lanes), x) for shape in ((n_states,), (every, of_sample)))
        left = cuda.Left(states, samples, responses, frames)
        kernel(cuda.run_kernel, own.shape, self._taps(own, at_full_rate), framed, every > 0, entries)(
            n_rows * self._n_warps(own),
            (n_lanes, 1),
            contiguous(x, self.dtype),
            self._lengths(x),
            joined,
            np.int32(state.filled),
            self._reads(own, x),
            self._sizes(own, x, frame, n_frames, every or 1, n_times),
            left,
        )
        found: Responses = {}
        for name in outputs:
            response = responses[at_full_rate.index(name), ...] if name in at_full_rate else frames
            found[name] = xp.reshape(response, (*x.shape[:2], *response.shape[1:]))
        after = DeviceState(
            xp.concat([joined[:, :n_states, ...], values[:, n_states:, ...]], axis=1),
            xp.concat([joined[:, n_states:, ...], sums[:, n_cells:, ...]], axis=1),
            (state.filled + n_samples) % frame if framed else state.filled,
        )
        return found, after, left

    def _taps(self, own: Stretch, at_full_rate: Sequence[str]) -> tuple[int, ...]:
        """Number of the response that every link leaves, or -1."""
        links = [part for part in own.parts if not part.kind.is_filter]
        stages = [part.stage for part in links]
        taps: list[int] = []
        for i, part in enumerate(links):
            is_last = part.stage in at_full_rate and part.stage not in stages[i + 1 :]
            taps += [-1] * (len(part.coefficients) - 1) + [at_full_rate.index(part.stage) if is_last else -1]
        return tuple(taps)

    def of_lengths(self, lengths: Sequence[int]) -> "ChainOnDevice":
        """The engine for clips of which silence follows after so many samples, where it stops."""
        engine = copy(self)
        engine.lengths = tuple(lengths)
        return engine

    def _lengths(self, x: Array) -> Array:
        """Samples of every row."""
        lengths = [x.shape[-1]] * x.shape[0] if self.lengths is None else self.lengths
        return beside(np.repeat(np.array(lengths, np.int32), x.shape[1]), x)

    def _empty(self, shape: tuple[int, ...], x: Array) -> Array:
        """What a launch writes all of; zeros behind clips that end before the longest."""
        return empty(shape, x) if self.lengths is None else zeros(shape, x)

    def _n_warps(self, own: Stretch) -> int:
        return -(-self.n_channels // own.shape.n_lanes)

    def _reads(self, own: Stretch, x: Any) -> cuda.Reads:
        coefficients, firsts, counts = (beside(array, x) for array in (own.coefficients, own.firsts, own.counts))
        return cuda.Reads(coefficients, self._taylor, firsts, counts)

    def _sizes(
        self, own: Stretch, x: Array, frame_samples: int, n_frames: int, segment: int, n_times: int
    ) -> cuda.Sizes:
        sizes = (self._n_warps(own), x.shape[0] * x.shape[1], x.shape[-1], self.n_channels, own.n_features)
        return cuda.Sizes(*map(np.int32, (*sizes, frame_samples, n_frames, segment, n_times)))

    def _coefficient_bars(
        self, own: Stretch, bars: np.ndarray, state_bars: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bars shaped as the coefficients, of their sums over signals (n_warps, n, n_lanes)."""
        whole, start = self.coefficients()
        found = np.zeros(whole.shape), np.zeros(start.shape)
        of_warps = (np.moveaxis(own_bars, 0, 1) for own_bars in (bars, state_bars))
        totals = [rows.reshape(len(rows), bars.shape[0] * bars.shape[2])[:, : self.n_channels] for rows in of_warps]
        for flat, total, of_kind in zip(found, totals, ("n_coefficients", "n_states")):
            row, at = 0, 0
            for part in own.parts:
                n, n_times = getattr(part.kind, of_kind), len(part.coefficients)
                n_used = max(part.n_filters) if part.kind.is_filter else n_times
                values = np.zeros((n_times, -(-self.n_channels // layout.LANES) * layout.LANES, n))
                rows = total[row : row + n_used * n].reshape(n_used, n, self.n_channels)
                values[:n_used, : self.n_channels] = np.moveaxis(rows, 1, 2)
                laid = layout.lay_out(part, values, self.n_channels).ravel()
                flat[at : at + laid.size] = laid
                row, at = row + n_used * n, at + laid.size
        return found


def make(engine: Chain, place: Place) -> ChainOnDevice:
    """The engine that computes on a device what one on the CPU does."""
    return ChainOnDevice(engine)
