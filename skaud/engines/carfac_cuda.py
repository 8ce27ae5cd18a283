"""CARFAC as an engine on a GPU: the designs of the engine on the CPU, states and responses in the device's memory."""

from collections.abc import Sequence
from copy import copy
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from skaud.engines.carfac import Cascade
from skaud.engines.carfac_outputs import ROWS
from skaud.engines.device import longest_segment, segment_of
from skaud.engines.engine import Engine, Responses
from skaud.kernels.array_api import Array, Place, array_namespace, as_dtype, beside, empty, rows_beside, to_numpy, zeros
from skaud.kernels.carfac import cuda_layout as on
from skaud.kernels.carfac import layout
from skaud.kernels.carfac.cuda import run_kernel
from skaud.kernels.carfac.cuda_reverse import reverse_kernel
from skaud.kernels.device import contiguous, kernel


class DeviceState(NamedTuple):
    """Everything a run changes, a row an ear of a signal; NumPy's before the first run.

    values : (n_rows, n, n_channels), states of channels, what the AGC's stages remember and gather, sums of the frame
    that is not full, counts : (n_rows, n_stages + 1), phases of the stages, and how many samples the frame has, which
    is `filled`
    """

    values: Array
    counts: Array
    filled: int

    def copy(self) -> "DeviceState":
        """Copy that shares nothing."""
        values, counts = (array_namespace(array).asarray(array, copy=True) for array in self[:2])
        return DeviceState(values, counts, self.filled)

    def of_rows(self, rows: slice) -> "DeviceState":
        """State of some rows."""
        return DeviceState(self.values[rows, ...], self.counts[rows, ...], self.filled)


class DeviceTape(NamedTuple):
    """What the reverse run must know of a run; arrays on the device."""

    x: Array
    lengths: Array
    output: str
    frame_samples: int | None
    begin: int
    segment: int  # a number of blocks
    checkpoints: on.Checkpoints
    response: Array  # as the kernel left it


class CascadeOnDevice(Engine):
    """What `skaud.engines.carfac.Cascade` computes, where x lies.

    Parameters
    ----------
    host : Cascade
        The engine on the CPU, which has the designs.
    """

    frames_at_once = 4096
    lengths: tuple[int, ...] | None = None  # of clips of several lengths

    def __init__(self, host: Cascade) -> None:
        self.host, self.dtype, self.outputs, self.parts = host, host.dtype, host.outputs, host.parts
        self.n_channels, self.style, self.delay, self.closed = host.n_channels, host.style, host.delay, host.closed
        self.taps = {
            name: tuple(on.tap_of(row, host.style) for row in ROWS[name]) or (on.NAP_TAP,) for name in host.outputs
        }
        self.n_designs, self.n_stages = len(host.ears), len(host.plan.table)
        self.constants = layout.make_constants(host.ears[0], host.dtype)
        lines = layout.rows_of_channels(host.rest.lines, layout.GROUP, host.n_channels)
        states = on.channels_of(lines, on.cpu_rows(host.style, host.delay))
        self.n_saved, n_sums = states.shape[1] + 2 * self.n_stages, sum(len(taps) for taps in self.taps.values())
        beside_states = np.zeros((self.n_designs, 2 * self.n_stages + n_sums, self.n_channels), host.dtype)
        self._rest = np.concatenate([states, beside_states], axis=1)
        self._classes, self._fixed = on.classes_of(lines), (on.channels_of(lines, on.COEFFICIENTS), host.plan.table)

    def start(self, n_signals: int, n_ears: int) -> DeviceState:
        """State at rest; one an ear, where each has a design."""
        n_rows, shape = n_signals * n_ears, self._rest.shape[1:]
        rest = np.broadcast_to(self._rest, (n_rows // self.n_designs, self.n_designs, *shape))
        values = rest[:, 0] if self.n_designs == 1 else rest.reshape(n_rows, *shape)
        return DeviceState(values, np.zeros((n_rows, self.n_stages + 1), np.int32), 0)

    def run(
        self, x: Array, state: DeviceState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, DeviceState]:
        """Run the next samples of all signals."""
        state = DeviceState(rows_beside(state.values, x), beside(state.counts, x), state.filled)
        n_samples, frame = x.shape[-1], frame_samples or 1
        out = self._empty(self._shape(x, outputs, (state.filled + n_samples) // frame), x)
        self._launch(x, self._lengths(x, n_samples), state, outputs, frame, out)
        filled = (state.filled + n_samples) % frame
        return self._by_name(out, outputs, x.shape), state._replace(filled=filled)

    def of_lengths(self, lengths: Sequence[int]) -> "CascadeOnDevice":
        """The engine for clips of which silence follows after so many samples, where it stops."""
        engine = copy(self)
        engine.lengths = tuple(lengths)
        return engine

    def record(self, x: Array, output: str, frame_samples: int | None, *, begin: int = 0) -> tuple[Array, DeviceTape]:
        """Response to whole clips, with checkpoints; at full rate that from sample `begin` on."""
        n_signals, n_ears, n_samples = x.shape
        state, frame = self.start(n_signals, n_ears), frame_samples or 1
        switches = self._switches(n_ears)
        threads = switches.per_thread, switches.n_lanes
        one = n_signals * n_ears * self.n_saved * threads[0] * threads[1] * np.dtype(self.dtype).itemsize
        segment = segment_of(x, one, on.block_of(switches)[0])
        state = DeviceState(rows_beside(state.values, x), beside(state.counts, x), 0)
        first = ceil(n_samples / segment), n_signals * n_ears
        values, phases = empty((*first, self.n_saved, *threads), x), empty((*first, self.n_stages), x, "int32")
        checkpoints = on.Checkpoints(values, phases)
        out = self._empty(self._shape(x, (output,), (n_samples - begin) // frame), x)
        lengths = self._lengths(x, n_samples)
        self._launch(x, lengths, state, (output,), frame, out, begin, segment, checkpoints)
        tape = DeviceTape(x, lengths, output, frame_samples, begin, segment, checkpoints, out)
        return self._by_name(out, (output,), x.shape)[output], tape

    def pull_back(self, tape: DeviceTape, bar: Array, wanted: Sequence[str]) -> tuple[Array, tuple[np.ndarray, ...]]:
        """Bars of x, where it lies, and of the coefficients, as NumPy's: block by block, the last one first."""
        x, (n_signals, n_ears, n_samples), constants = tape.x, tape.x.shape, "coefficients" in wanted
        n_rows, n_stages, n_channels = n_signals * n_ears, self.n_stages, self.n_channels
        value_bar = self.host.made_of_taps.finish_adjoint(tape.output, as_dtype(bar, self.dtype))
        if tape.frame_samples is not None:
            value_bar = value_bar / tape.frame_samples
        switches, rows = self._switches(n_ears), on.rows_of(self.style, self.delay)
        threads, (block, is_shared) = (switches.per_thread, switches.n_lanes), on.block_of(switches)
        n_updates, n_blocks = self._n_updates(block), tape.segment // block
        kept, own_phases = (n_rows, n_blocks, self.n_saved, *threads), (n_rows, n_blocks, n_stages, switches.n_lanes)
        of_block = on.Tape(
            n_updates=np.int32(n_updates),
            n_blocks=np.int32(n_blocks),
            checkpoints=tape.checkpoints,
            blocks=on.Checkpoints(empty(kept, x), empty(own_phases, x, "int32")),
            samples=empty((1 if is_shared else n_rows, block, on.n_on_tape(switches), *threads), x),
            ramps=empty((n_rows, n_updates + 1, rows.n_ramps, *threads), x),
            reached=empty((n_rows, n_updates, *threads), x),
            kept=empty((n_rows, n_updates, 3 * n_stages if constants else 1, *threads), x),
            dues=empty((n_rows, n_updates), x, "int32"),
            parked=empty((n_rows, on.n_parked(switches), *threads), x),
        )
        bars = on.Bars(
            channels=self._zeros((n_rows, rows.n_states + on.n_own(constants), n_channels), x),
            scalars=self._zeros((n_rows, layout.N_CONSTANTS, switches.n_lanes), x),
            table=self._zeros((n_rows, n_stages, layout.N_COLUMNS, switches.n_lanes), x),
            x=self._empty(x.shape, x),
        )
        kernel(reverse_kernel, switches, self.taps[tape.output], constants, block, is_shared)(
            n_signals,
            (switches.n_lanes, n_ears),
            contiguous(x, self.dtype),
            tape.lengths,
            self._design(x),
            self._sizes(n_samples, tape.frame_samples or 1, value_bar.shape[-1], tape.begin, tape.segment),
            of_block,
            contiguous(value_bar, self.dtype),
            bars,
        )
        xp = array_namespace(x)
        by_design = xp.reshape(bars.channels, (-1, self.n_designs, *bars.channels.shape[1:]))
        sums = xp.sum(by_design, axis=0), *(xp.sum(own, axis=(0, -1)) for own in (bars.scalars, bars.table))
        return bars.x, self._coefficient_bars(tape, bar, *map(to_numpy, sums))

    def bytes_on_device(
        self, n_ears: int, n_samples: int, outputs: Sequence[str], frame_samples: int | None, *, backwards: bool
    ) -> int:
        """State, sound, what is tapped and the response of it; backwards bars, too, checkpoints and a tape."""
        item, n_taps = np.dtype(self.dtype).itemsize, sum(len(self.taps[name]) for name in outputs)
        response = n_taps * self.n_channels * self.n_frames(n_samples, outputs[0], frame_samples)
        numbers = self._rest[0].size + 2 * n_samples + 2 * response
        if backwards:
            switches, rows = self._switches(n_ears), on.rows_of(self.style, self.delay)
            width, (block, is_shared) = switches.per_thread * switches.n_lanes, on.block_of(switches)
            segment = longest_segment(n_samples, block)
            of_tape = (self._n_updates(block) + 1) * (rows.n_ramps + 1 + 3 * self.n_stages)
            of_tape += segment // block * self.n_saved + (0 if is_shared else block * on.n_on_tape(switches))
            of_bars = (rows.n_states + on.n_own(True)) * self.n_channels * 2
            of_bars += switches.n_lanes * 2 * (layout.N_CONSTANTS + self.n_stages * layout.N_COLUMNS)
            numbers += (-(-n_samples // segment) * self.n_saved + of_tape) * width + of_bars + n_samples + 2 * response
        return n_ears * numbers * item

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Those of the engine on the CPU."""
        return self.host.coefficients()

    def switches(self) -> tuple[Any, ...]:
        """Those of the engine on the CPU."""
        return self.host.switches()

    # --- launching ---

    def _switches(self, n_ears: int) -> on.Switches:
        return on.switches_for(
            self.style, self.n_channels, self.n_stages, n_ears, self.dtype, delay=self.delay, closed=self.closed
        )

    def _n_updates(self, block: int) -> int:
        """Updates of the AGC that may fall in a block."""
        return block // int(self.host.plan.table[0, layout.DECIMATION]) + 1

    def _launch(
        self,
        x: Array,
        lengths: Array,
        state: DeviceState,
        outputs: Sequence[str],
        frame_samples: int,
        out: Array,
        begin: int = 0,
        segment: int = 1,
        checkpoints: on.Checkpoints | None = None,
    ) -> None:
        """Fill out (n_rows, n_taps, n_channels, n_frames); it changes state."""
        n_signals, n_ears, n_samples = x.shape
        switches, taps = self._switches(n_ears), sum((self.taps[name] for name in outputs), ())
        kernel(run_kernel, switches, taps, checkpoints is not None)(
            n_signals,
            (switches.n_lanes, n_ears),
            contiguous(x, self.dtype),
            lengths,
            on.State(state.values, np.int32(state.values.shape[1]), state.counts),
            self._design(x),
            self._sizes(n_samples, frame_samples, out.shape[-1], begin, segment),
            on.Checkpoints(out, lengths) if checkpoints is None else checkpoints,
            out,
        )

    def _design(self, x: Any) -> on.Design:
        coefficients, table = (beside(array, x) for array in self._fixed)
        return on.Design(coefficients, np.int32(self.n_designs), table, self._classes, self.constants)

    def _sizes(self, n_samples: int, frame_samples: int, n_frames: int, first: int, segment: int) -> on.Sizes:
        return on.Sizes(*map(np.int32, (n_samples, self.n_channels, frame_samples, n_frames, first, segment)))

    def _shape(self, x: Array, outputs: Sequence[str], n_frames: int) -> tuple[int, ...]:
        return x.shape[0] * x.shape[1], sum(len(self.taps[name]) for name in outputs), self.n_channels, n_frames

    def _lengths(self, x: Array, n_samples: int) -> Array:
        lengths = [n_samples] * x.shape[0] if self.lengths is None else self.lengths
        return beside(np.array(lengths, np.int32), x)

    def _empty(self, shape: tuple[int, ...], x: Array) -> Array:
        """What a launch writes all of; zeros behind clips that end before the longest."""
        return empty(shape, x, self.dtype) if self.lengths is None else zeros(shape, x)

    def _zeros(self, shape: tuple[int, ...], x: Array) -> Array:
        xp = array_namespace(x)
        return xp.astype(zeros(shape, x), xp.float64, copy=False)

    # --- responses from what was tapped, and bars of the coefficients ---

    def _by_name(self, out: Array, outputs: Sequence[str], shape: tuple[int, ...]) -> Responses:
        """Outputs (n_signals, n_ears, n_channels, ..., n) by name."""
        responses, at, xp = {}, 0, array_namespace(out)
        for name in outputs:
            n_taps = len(self.taps[name])
            own = xp.reshape(out[:, at : at + n_taps, ...], (*shape[:2], n_taps, *out.shape[2:]))
            at += n_taps
            responses[name] = self.host.made_of_taps.finish(name, own)
        return responses

    def _coefficient_bars(
        self, tape: DeviceTape, bar: Array, of_designs: np.ndarray, scalars: Any, table: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Bars shaped as the coefficients, of their sums over signals."""
        rows = (*on.cpu_rows(self.style, self.delay), *on.OWN)[: of_designs.shape[1]]
        channels = np.zeros((self.n_designs, self.n_channels, layout.N_ROWS))
        channels[..., [row // layout.LANES for row in rows]] = of_designs.swapaxes(1, 2)
        cap1_rest_bar, spikes = self.host.made_of_taps.own_bars(tape.output, bar, tape.response)
        scalars[layout.PLACES.cap1_rest] += cap1_rest_bar
        return scalars, table, channels, spikes


def make(engine: Cascade, place: Place) -> CascadeOnDevice:
    """The engine that computes on a device what one on the CPU does."""
    return CascadeOnDevice(engine)
