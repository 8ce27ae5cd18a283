"""Stabilized auditory images, and pitchograms, as an engine: a response with channels in, an image a frame out."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from skaud.design.auditory_image import WEIGHT_FLOOR, WEIGHT_HALF, PitchCells, Triggers
from skaud.engines.engine import Engine, Responses
from skaud.engines.pieces import rows_of
from skaud.kernels import auditory_image as kernels
from skaud.kernels.lanes import LANES


class ImageState(NamedTuple):
    """Where a run stands.

    n_ears : of a signal; history : (n_rows, n_channels, n_heard), samples before; images : (n_rows, n_channels,
    n_lags), as they stand; n_done : samples heard
    """

    n_ears: int
    history: np.ndarray
    images: np.ndarray
    n_done: int

    def copy(self) -> "ImageState":
        """Copy whose images a run may change."""
        return self._replace(images=self.images.copy())

    def of_rows(self, rows: slice) -> "ImageState":
        """State of some rows."""
        return self._replace(history=self.history[rows], images=self.images[rows])


class ImageTape(NamedTuple):
    """What the adjoint must know of a run."""

    x: np.ndarray
    hop: int


class AuditoryImage(Engine):
    """Images of all channels, (n_channels, n_lags) each; or, with cells, their means over channels, (n_cells,).

    Time from one frame to the next is that of `hop` samples: there is no full rate.
    """

    takes_channels = True
    frames_at_once = 32
    parts = ()

    def __init__(
        self,
        name: str,
        triggers: Triggers,
        hop: int,
        n_channels: int,
        dtype: str,
        *,
        apart: np.ndarray | None = None,
        cells: PitchCells | None = None,
    ) -> None:
        self.outputs, self.triggers, self.hop, self.dtype = (name,), triggers, hop, dtype
        self.n_channels, self.cells = n_channels, cells
        self.real = np.empty(0, dtype).real.dtype.name
        self.plan = kernels.Plan(
            first_lag=triggers.first_lag,
            n_lags=triggers.n_lags,
            last_lag=triggers.last_lag,
            step=triggers.step,
            window=triggers.window.astype(self.real),
            middle=int(triggers.window.argmax()),
            weighting=np.array([WEIGHT_FLOOR, WEIGHT_HALF], self.real),
            apart=np.ones((n_channels, triggers.n_lags), self.real) if apart is None else apart.astype(self.real),
        )
        self.weights = None if cells is None else (cells.weights / n_channels).astype(self.real)

    def start(self, n_signals: int, n_ears: int) -> ImageState:
        """State after a long silence."""
        rows = (n_signals * n_ears, self.n_channels)
        history = np.zeros((*rows, self.triggers.n_heard), self.dtype)
        return ImageState(n_ears, history, np.zeros((*rows, self.triggers.n_lags), self.dtype), 0)

    def run(
        self, x: np.ndarray, state: ImageState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, ImageState]:
        """Hear the next samples: first with those before, then, where the windows lie within, by themselves."""
        rows, hop = rows_of(x, self.dtype), frame_samples or self.hop
        n, n_heard, n_done = rows.shape[-1], self.triggers.n_heard, state.n_done
        n_before, end = n_done // hop, n_done + n
        images, sums = self._empty(len(rows), end // hop - n_before)
        joined = np.concatenate([state.history, rows[..., :n_heard]], axis=-1)
        best = np.empty(LANES, self.real)
        middle = min(n_done + n_heard, end)
        for source, origin, begin, stop in ((joined, n_done - n_heard, n_done, middle), (rows, n_done, middle, end)):
            own = (source, origin, begin, stop, hop, n_before)
            kernels.run(*own, self.plan, state.images, images, sums, best)
        history = rows[..., n - n_heard :] if n >= n_heard else joined[..., joined.shape[-1] - n_heard :]
        frames = self._finish(images, sums)
        response = np.moveaxis(frames.reshape(*x.shape[:2], *frames.shape[1:]), 2, -1)
        return {self.outputs[0]: response}, ImageState(state.n_ears, history.copy(), state.images, end)

    def whole(self, x: np.ndarray, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """Images of whole clips; one that is shorter than the time to the first image has that of its end."""
        hop = min(frame_samples or self.hop, x.shape[-1])
        return self.run(x, self.start(*x.shape[:2]), outputs, hop)[0]

    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, ImageTape]:
        """Images of whole clips; these are the tape."""
        hop = min(frame_samples or self.hop, x.shape[-1])
        return self.whole(x, (output,), hop)[output], ImageTape(x, hop)

    def pull_back(
        self, tape: ImageTape, bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bar of the response, with the triggers where they were."""
        rows, (n_heard, n_lags) = rows_of(tape.x, self.dtype), (self.triggers.n_heard, self.triggers.n_lags)
        n_samples, n_blends = rows.shape[-1], rows.shape[-1] // self.triggers.step
        source = np.concatenate([np.zeros((*rows.shape[:2], n_heard), self.dtype), rows], axis=-1)
        own = np.moveaxis(np.asarray(bar, self.dtype), -1, 2)
        own = np.require(own.reshape(len(rows), *own.shape[2:]), self.dtype, ["C_CONTIGUOUS", "WRITEABLE"])
        images_bar, sums_bar = own, np.zeros((0, 0, 0), self.dtype)
        if self.cells is not None:
            images_bar = np.zeros((0, 0, 0, 0), self.dtype)
            sums_bar = np.zeros((*own.shape[:2], n_lags), self.dtype)
            kernels.average_cells_adjoint(own, self.cells.first, self.cells.begin, self.weights, sums_bar)
        source_bar, kept = np.zeros_like(source), np.empty((n_blends + 1, n_lags), self.dtype)
        chosen, image_bar = np.empty(n_blends, np.int64), np.empty(n_lags, self.dtype)
        best = np.empty(LANES, self.real)
        bars = (images_bar, sums_bar, source_bar)
        kernels.run_adjoint(source, n_samples, tape.hop, self.plan, *bars, kept, chosen, image_bar, best)
        return np.ascontiguousarray(source_bar[..., n_heard:]).reshape(tape.x.shape), ()

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """None that has a derivative."""
        return ()

    def switches(self) -> tuple[Hashable, ...]:
        """All that tells designs apart."""
        cells = () if self.cells is None else tuple(self.cells.edges.tolist())
        apart = self.plan.apart.tobytes()
        return self.triggers[:3], len(self.triggers.window), self.hop, self.n_channels, apart, cells

    def _empty(self, n_rows: int, n_images: int) -> tuple[np.ndarray, np.ndarray]:
        """Room for images, or for sums over channels."""
        n_lags = self.triggers.n_lags
        if self.cells is None:
            return np.empty((n_rows, n_images, self.n_channels, n_lags), self.dtype), np.empty((0, 0, 0), self.dtype)
        return np.empty((0, 0, 0, 0), self.dtype), np.zeros((n_rows, n_images, n_lags), self.dtype)

    def _finish(self, images: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """Frames (n_rows, n_frames, ...)."""
        if self.cells is None:
            return images
        out = np.empty((*sums.shape[:2], len(self.cells.first)), self.dtype)
        kernels.average_cells(sums, self.cells.first, self.cells.begin, self.weights, out)
        return out
