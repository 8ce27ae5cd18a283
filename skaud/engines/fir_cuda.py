"""FIR filters as an engine on a GPU."""

from collections.abc import Sequence

import numpy as np

from skaud.engines.engine import Engine, Responses, frame_means, frame_means_adjoint, respond
from skaud.engines.fir import Fir, FirState, FirTape
from skaud.kernels.array_api import Array, Place, array_namespace, as_dtype, beside, empty, to_numpy, zeros
from skaud.kernels.cuda_fir import SAMPLES, TAPS, THREADS, correlate_kernel
from skaud.kernels.device import contiguous, kernel


class FirOnDevice(Engine):
    """What `skaud.engines.fir.Fir` computes, where x lies; its states and tapes, with arrays of the device.

    Parameters
    ----------
    host : Fir
        The engine on the CPU, which has the taps.
    """

    def __init__(self, host: Fir) -> None:
        self.host, self.dtype, self.advance = host, host.dtype, host.advance
        self.outputs, self.parts = host.outputs, host.parts
        self.backwards = host.taps[::-1].astype(host.dtype)  # as the kernel takes them

    def start(self, n_signals: int, n_ears: int) -> FirState:
        """State after a long silence; NumPy's before the first run."""
        history = np.zeros((n_signals * n_ears, len(self.backwards) - 1), self.dtype)
        return FirState(n_ears, history, self.advance, history[:, :0])

    def run(
        self, x: Array, state: FirState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, FirState]:
        """Filter the next samples."""
        xp, n_rows, n_samples = array_namespace(x), x.shape[0] * x.shape[1], x.shape[-1]
        rows = xp.concat([beside(state.history, x), xp.reshape(x, (n_rows, n_samples))], axis=1)
        out = self._correlate(rows, beside(self.backwards, x), self.dtype, n_samples, SAMPLES)
        skipped = min(state.early, n_samples)
        response, waiting = frame_means(beside(state.waiting, x), out[:, skipped:], frame_samples)
        after = FirState(state.n_ears, rows[:, n_samples:], state.early - skipped, waiting)
        return {self.outputs[0]: xp.reshape(response, (*x.shape[:2], 1, response.shape[1]))}, after

    def finish(self, state: FirState, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """The end of a response that comes ahead of its sound, after which there is silence."""
        if not self.advance:
            return {}
        shape = state.history.shape[0] // state.n_ears, state.n_ears, self.advance
        return self.run(zeros(shape, state.history), state, outputs, frame_samples)[0]

    def record(self, x: Array, output: str, frame_samples: int | None) -> tuple[Array, FirTape]:
        """Response to whole clips, and their tape."""
        return respond(self, x, (output,), frame_samples)[output], FirTape(x, frame_samples)

    def pull_back(self, tape: FirTape, bar: Array, wanted: Sequence[str]) -> tuple[Array, tuple[np.ndarray, ...]]:
        """Bars of x, by the filter backwards in time, and of the taps, as NumPy's."""
        x, n_samples, xp, n_taps = tape.x, tape.x.shape[-1], array_namespace(tape.x), len(self.backwards)
        n_rows = x.shape[0] * x.shape[1]
        out_bar = as_dtype(frame_means_adjoint(bar, tape.frame_samples, n_samples), self.dtype)[:, :, 0, ...]
        backwards = respond(self, xp.flip(out_bar, axis=-1), self.outputs, None)[self.outputs[0]]
        x_bar = contiguous(xp.flip(backwards[:, :, 0, ...], axis=-1), self.dtype)
        taps_bar = np.zeros(n_taps)
        if self.outputs[0] in wanted:
            # Around a clip there is silence: as much before as the filter looks back, after as it looks ahead.
            silence = (zeros((n_rows, n), x) for n in (n_taps - 1 - self.advance, self.advance))
            rows = xp.concat([next(silence), xp.reshape(x, (n_rows, n_samples)), next(silence)], axis=1)
            # out[t] = sum(taps[k] * x[t + k])
            of_rows = self._correlate(rows, xp.reshape(out_bar, (n_rows, n_samples)), "float64", n_taps, TAPS)
            taps_bar = to_numpy(of_rows).sum(axis=0)
        return x_bar, (taps_bar[::-1],)

    def _correlate(self, x: Array, c: Array, total_dtype: str, n_sums: int, each: int) -> Array:
        """Sums y[row, j] = sum_i c[row, i] x[row, i + j]; c may be one row for all."""
        n_rows, n_terms, n_blocks = x.shape[0], c.shape[-1], -(-n_sums // (THREADS * each))
        y = empty((n_rows, n_sums), x, total_dtype)
        kernel(correlate_kernel, self.dtype, total_dtype, each, THREADS)(
            n_rows * n_blocks,
            (THREADS, 1),
            contiguous(x, self.dtype),
            contiguous(c, self.dtype),
            y,
            *map(np.int32, (n_blocks, n_terms, n_sums, c.ndim == 2)),
        )
        return y

    def bytes_on_device(
        self, n_ears: int, n_samples: int, outputs: Sequence[str], frame_samples: int | None, *, backwards: bool
    ) -> int:
        """Sound, the same behind a history, and the response; backwards as much again, and bars of the taps."""
        n_taps, item = len(self.backwards), np.dtype(self.dtype).itemsize
        numbers = 3 * n_samples + 2 * n_taps + 2 * self.n_frames(n_samples, outputs[0], frame_samples)
        return n_ears * (numbers * (3 if backwards else 1) * item + (8 * n_taps if backwards else 0))

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """The taps."""
        return (self.host.taps,)


def make(engine: Fir, place: Place) -> FirOnDevice:
    """The engine that computes on a device what one on the CPU does."""
    return FirOnDevice(engine)
