"""FIR filters as an engine: sound in, sound out, or ahead of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skaud.engines.engine import Engine, Responses, frame_means, frame_means_adjoint, respond
from skaud.kernels.fir import WIDTH, convolve, convolve_adjoint, prepare_taps
from skaud.kernels.lanes import scratch


class FirState(NamedTuple):
    """Where a run stands.

    n_ears : of a signal; history : (n_rows, n_taps - 1), samples before; early : samples that are still to be dropped
    from the front; waiting : (n_rows, n), samples of a frame that is not complete
    """

    n_ears: int
    history: np.ndarray
    early: int
    waiting: np.ndarray

    def copy(self) -> "FirState":
        """The state itself: a run makes a new one."""
        return self

    def of_rows(self, rows: slice) -> "FirState":
        """State of some rows."""
        return self._replace(history=self.history[rows], waiting=self.waiting[rows])


class FirTape(NamedTuple):
    """What the adjoint must know of a run."""

    x: np.ndarray
    frame_samples: int | None


class Fir(Engine):
    """A filter whose response has one channel, as long as the sound, and comes forward by `advance` samples."""

    def __init__(self, name: str, taps: np.ndarray, advance: int, dtype: str) -> None:
        self.outputs = self.parts = (name,)
        self.taps, self.advance, self.dtype = taps, advance, dtype
        self.prepared = prepare_taps(taps, dtype)

    def start(self, n_signals: int, n_ears: int) -> FirState:
        """State after a long silence."""
        history = np.zeros((n_signals * n_ears, len(self.prepared) - 1), self.prepared.dtype)
        return FirState(n_ears, history, self.advance, history[:, :0])

    def run(
        self, x: np.ndarray, state: FirState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, FirState]:
        """Filter the next samples."""
        rows = np.concatenate([state.history, x.reshape(len(state.history), x.shape[-1])], axis=1)
        out = np.empty((len(rows), x.shape[-1]), self.prepared.dtype)
        convolve(rows, self.prepared, out, *scratch((2 * WIDTH + len(self.prepared),), dtype=self.prepared.dtype))
        skipped = min(state.early, out.shape[1])
        response, waiting = frame_means(state.waiting, out[:, skipped:], frame_samples)
        after = FirState(state.n_ears, rows[:, out.shape[1] :].copy(), state.early - skipped, waiting)
        return {self.outputs[0]: response.reshape(*x.shape[:2], 1, response.shape[1])}, after

    def finish(self, state: FirState, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """The end of a response that comes ahead of its sound, after which there is silence."""
        if not self.advance:
            return {}
        silence = np.zeros((len(state.history) // state.n_ears, state.n_ears, self.advance), self.prepared.dtype)
        return self.run(silence, state, outputs, frame_samples)[0]

    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, FirTape]:
        """Response to whole clips, and their tape."""
        return respond(self, x, (output,), frame_samples)[output], FirTape(x, frame_samples)

    def pull_back(
        self, tape: FirTape, bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x, by the filter backwards in time, and of the taps."""
        x, n_samples = tape.x, tape.x.shape[-1]
        out_bar = frame_means_adjoint(bar, tape.frame_samples, n_samples)[:, :, 0]
        out_bar = np.require(out_bar, self.dtype, ["C_CONTIGUOUS", "WRITEABLE"])
        backwards = np.ascontiguousarray(out_bar[..., ::-1])
        x_bar = np.ascontiguousarray(respond(self, backwards, self.outputs, None)[self.outputs[0]][:, :, 0, ::-1])
        taps_bar = np.zeros(len(self.taps))
        if self.outputs[0] in wanted:
            # Around a clip there is silence: as much before as the filter looks back, after as it looks ahead.
            before = len(self.taps) - 1 - self.advance
            rows = np.pad(x.reshape(-1, n_samples), ((0, 0), (before, self.advance)))
            total = np.zeros(len(self.taps), self.prepared.dtype)
            convolve_adjoint(rows, np.ascontiguousarray(out_bar).reshape(-1, n_samples), taps_bar, total)
        return x_bar, (taps_bar[::-1],)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """The taps."""
        return (self.taps,)
