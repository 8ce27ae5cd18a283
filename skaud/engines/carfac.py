"""CARFAC as an engine: cascade, hair cells and AGC of a design, or of one an ear, forwards and backwards."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np

from skaud.design.carfac import IHC_STYLES, CARFACCoefficients
from skaud.engines.carfac_outputs import LACKING, ROWS, Outputs
from skaud.engines.engine import STEP, Engine, Responses
from skaud.kernels.carfac import adjoint, checkpoints, layout, taping
from skaud.kernels.carfac.run import run_for

SIGNALS_REVERSED_AT_ONCE = 2  # few enough for their tape to stay in the second-level cache


@cache
def no_checkpoints(dtype: str) -> layout.Checkpoints:
    """For a run that keeps none."""
    lines, stages = np.empty((0, 0, 0), dtype), np.empty((0, 0, 0, 0), dtype)
    return layout.Checkpoints(0, lines, stages, stages, np.empty((0, 0), np.int64))


class CascadeTape(NamedTuple):
    """What the reverse run must know of a run of some rows."""

    x: np.ndarray  # (n_rows, n_samples)
    n_ears: int
    output: str
    frame_samples: int | None
    state: layout.State  # after the last sample
    checkpoints: layout.Checkpoints
    response: np.ndarray  # as the kernel left it


class Cascade(Engine):
    """CARFAC of one design for all ears, or of one an ear."""

    signals_at_once = 4
    frames_at_once = 4096
    parts = ("coefficients",)  # the bars of the lines' HEALTH are there without being asked for

    def __init__(
        self,
        ears: Sequence[CARFACCoefficients],
        ihc_style: str,
        sample_rate: float,
        dtype: str,
        *,
        delay: bool,
        closed: bool,
    ) -> None:
        self.ears, self.dtype, self.style = tuple(ears), dtype, IHC_STYLES.index(ihc_style)
        self.outputs = tuple(name for name in ROWS if name not in LACKING[ihc_style])
        self.n_channels = len(ears[0].car.pole_hz)
        self.plan = layout.make_plan(ears[0], dtype, closed=closed)
        self.delay, self.closed = delay, closed
        n_outputs = max(1, *(len(ROWS[name]) for name in self.outputs))
        own = [layout.initial_state(ear, dtype, 1, n_outputs=n_outputs, open_loop=not closed) for ear in ears]
        self.rest = layout.join_rows(own)  # of one signal
        self.made_of_taps = Outputs.of(self.ears, sample_rate, dtype)

    def start(self, n_signals: int, n_ears: int) -> layout.State:
        """State at rest; one an ear, where each has a design."""
        return self.rest.of_signals(n_signals * n_ears // len(self.ears))

    def run(
        self, x: np.ndarray, state: layout.State, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, layout.State]:
        """Run the next samples of all signals, side by side."""
        asked = asked_for(tuple(outputs), frame_samples or 1)
        n_frames = x.shape[-1] if frame_samples is None else (int(state.frame_filled[0]) + x.shape[-1]) // frame_samples
        out = np.empty((len(state.lines), asked.n_responses, self.n_channels, n_frames), self.dtype)
        self._run(x, state, asked, no_checkpoints(self.dtype), out)
        return self._responses(outputs, asked, out, len(x)), state

    def whole(self, x: np.ndarray, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """Responses to whole clips: as many go side by side as the cache holds, and one set of arrays takes all."""
        n_signals, n_ears, n_samples = x.shape
        asked, state = asked_for(tuple(outputs), frame_samples or 1), self.start(n_signals, n_ears)
        n_frames = n_samples // (frame_samples or 1)
        out = np.empty((n_signals * n_ears, asked.n_responses, self.n_channels, n_frames), self.dtype)
        for own, rows in self._groups(n_signals, n_ears):
            self._run(x[own], state.apart(rows), asked, no_checkpoints(self.dtype), out[rows])
        return self._responses(outputs, asked, out, n_signals)

    def _run(
        self, x: np.ndarray, state: layout.State, asked: layout.Asked, saved: layout.Checkpoints, out: np.ndarray
    ) -> np.ndarray:
        """Run the kernel over samples of whole signals; returns the rows of them that it takes."""
        n_signals, n_ears, n_samples = x.shape
        rows, plan = np.ascontiguousarray(x).reshape(n_signals * n_ears, n_samples), self._plan(n_ears)
        work = layout.workspace(plan, len(rows), len(asked.taps))
        run_for(self.style, self.delay, asked.frame_samples > 1)(rows, state, plan, asked, saved, work, out)
        return rows

    def _groups(self, n_signals: int, n_ears: int) -> Iterator[tuple[slice, slice]]:
        """Signals that run side by side, and their rows."""
        at_once = max(1, self.signals_at_once // n_ears)
        for begin in range(0, n_signals, at_once):
            yield slice(begin, begin + at_once), slice(begin * n_ears, (begin + at_once) * n_ears)

    def _responses(self, outputs: Sequence[str], asked: layout.Asked, out: np.ndarray, n_signals: int) -> Responses:
        """Responses by name, from the NAP and the taps."""
        responses, at = {}, 1 - asked.first
        for name in outputs:
            n_rows = len(ROWS[name])
            responses[name] = self._finish(name, out[:, at : at + n_rows] if n_rows else out[:, :1], n_signals)
            at += n_rows
        return responses

    def record(
        self,
        x: np.ndarray,
        output: str,
        frame_samples: int | None,
        *,
        begin: int = 0,
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, CascadeTape]:
        """Response to whole clips, with checkpoints; at full rate that from sample `begin` on. out takes it."""
        n_signals, n_ears, n_samples = x.shape
        if out is None:
            out = self._empty(n_signals * n_ears, output, frame_samples, n_samples - begin)
        # Checkpoints and the tape between two of them grow like sqrt(n_samples); the tape had better stay in the cache.
        segment = layout.SEGMENT * ceil(sqrt(n_samples) / (2 * layout.SEGMENT))
        state = self.start(n_signals, n_ears)
        saved = layout.Checkpoints.empty(state, segment, ceil(n_samples / segment), checkpoints.n_changing(self.style))
        rows = self._run(x, state, asked_for((output,), frame_samples or 1), saved, out)
        tape = CascadeTape(rows, n_ears, output, frame_samples, state, saved, out)
        return self._finish(output, out, n_signals), tape

    def record_in_groups(
        self, x: np.ndarray, output: str, frame_samples: int | None
    ) -> tuple[np.ndarray, list[tuple[slice, CascadeTape]]]:
        """As record: the signals in groups that run side by side, their responses in one array."""
        n_signals, n_ears, n_samples = x.shape
        out = self._empty(n_signals * n_ears, output, frame_samples, n_samples)
        tapes = [
            (own, self.record(x[own], output, frame_samples, out=out[rows])[1])
            for own, rows in self._groups(n_signals, n_ears)
        ]
        return self._finish(output, out, n_signals), tapes

    def pull_back(
        self, tape: CascadeTape, bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients: segment by segment, the last one first."""
        (n_rows, n_samples), n_ears = tape.x.shape, tape.n_ears
        plan, asked = self._plan(n_ears), asked_for((tape.output,), tape.frame_samples or 1)
        value_bar = self.made_of_taps.finish_adjoint(tape.output, np.asarray(bar, self.dtype))
        if tape.frame_samples is not None:
            value_bar = value_bar / np.dtype(self.dtype).type(tape.frame_samples)
        value_bar = np.require(value_bar, self.dtype, ["C_CONTIGUOUS", "WRITEABLE"])
        constants = "coefficients" in wanted
        reverse = adjoint.reverse_for(self.style, self.delay, constants)
        at_once = min(n_rows, n_ears * max(1, SIGNALS_REVERSED_AT_ONCE // n_ears))
        n_taped, longest = taping.n_taped(self.style, constants), min(tape.checkpoints.segment, n_samples)
        room = layout.empty_room(plan, at_once, longest, len(asked.taps), n_taped, keep=constants)
        state = tape.state.copy()  # a tape may be pulled back again
        bars = layout.zero_bars(plan, tape.x, len(self.ears))
        for begin in range(0, n_rows, at_once):
            own = slice(begin, min(begin + at_once, n_rows))
            before, of_rows = state.of_rows(own), bars.of_rows(own)
            reverse(tape.x[own], begin, before, plan, asked, tape.checkpoints, value_bar[own], of_rows, room)
        return bars.x.reshape(-1, n_ears, n_samples), self._coefficient_bars(tape, bar, bars)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Scalars, the AGC's table, rows of every ear's channels, and its spikes a second at a release of 1."""
        channels = layout.rows_of_channels(self.rest.lines, layout.GROUP, self.n_channels)
        return (
            self.plan.constants[: layout.N_CONSTANTS],
            self.plan.table,
            channels,
            self.made_of_taps.spikes_per_release,
        )

    def switches(self) -> tuple[Any, ...]:
        """Hair cell, delay buffer, and whether the AGC's loop is closed."""
        return self.style, self.delay, self.closed

    def _coefficient_bars(self, tape: CascadeTape, bar: np.ndarray, bars: layout.Bars) -> tuple[np.ndarray, ...]:
        """Bars shaped as the coefficients, from those of the rows."""
        n_ears = len(self.ears)
        lines = bars.lines.reshape(-1, n_ears, bars.lines.shape[1]).sum(axis=0, dtype=float) + bars.summed
        channels = layout.rows_of_channels(lines, layout.BARS_GROUP, self.n_channels)
        constants = channels[..., layout.N_ROWS :].sum(axis=(0, 1))
        cap1_rest_bar, spikes = self.made_of_taps.own_bars(tape.output, bar, tape.response)
        constants[layout.PLACES.cap1_rest] += cap1_rest_bar
        return constants, bars.table, channels[..., : layout.N_ROWS], spikes

    def _plan(self, n_ears: int) -> layout.Plan:
        return self.plan if n_ears == 1 else self.plan.with_ears(n_ears)

    def _empty(self, n_rows: int, output: str, frame_samples: int | None, n_samples: int) -> np.ndarray:
        """Room for a whole response."""
        n_frames = n_samples if frame_samples is None else n_samples // frame_samples
        return np.empty((n_rows, max(1, len(ROWS[output])), self.n_channels, n_frames), self.dtype)

    def _finish(self, name: str, response: np.ndarray, n_signals: int) -> np.ndarray:
        """Output (n_signals, n_ears, n_channels, ..., n) of tapped rows (n_rows, n_taps, n_channels, n)."""
        own = response.reshape(n_signals, len(response) // n_signals, *response.shape[1:])
        return self.made_of_taps.finish(name, own)


@cache
def asked_for(outputs: tuple[str, ...], frame_samples: int) -> layout.Asked:
    """What the kernel must tap for outputs, and how it delivers that."""
    taps = [row for name in outputs for row in ROWS[name]]
    return layout.Asked(np.array(taps, np.int64), 0 if "nap" in outputs else 1, frame_samples)


def health_bar(bars: tuple[np.ndarray, ...]) -> np.ndarray:
    """Bar of the health of every channel, from those of the coefficients, among which it stands, in closed loop."""
    return bars[2][0, :, layout.HEALTH // layout.LANES]


def channels_bar(
    bars: tuple[np.ndarray, ...], value: np.ndarray, engine: Callable[[np.ndarray], Cascade]
) -> np.ndarray:
    """Bar of what every channel has of its own, (n_channels,) or (n_channels, n): a step for all channels at once.

    engine : with another value, which is complex
    """
    if value.ndim == 1:
        return along_channels(bars, engine(value + STEP * 1j))
    units = np.eye(value.shape[1])
    return np.stack([along_channels(bars, engine(value + STEP * 1j * unit)) for unit in units], axis=1)


def along_channels(bars: tuple[np.ndarray, ...], engine: Cascade) -> np.ndarray:
    """As `skaud.engines.engine.along`, of what every channel has of its own."""
    pairs = list(zip(bars, engine.coefficients(), strict=True))[2:]  # rows of the channels, spikes
    products = [(bar * coefficients.imag).sum(axis=(0, 2)) for bar, coefficients in pairs if bar.size]
    return np.asarray(sum(products)) / STEP
