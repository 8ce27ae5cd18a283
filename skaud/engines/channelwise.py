"""A stage that works on every channel by itself as an engine: two kernels, and an array of coefficients."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from skaud.engines.engine import Engine, Responses, frame_means, frame_means_adjoint, respond


class ChannelwiseState(NamedTuple):
    """Where a run stands.

    memory : (n_rows, n_channels, n), what the kernel keeps; waiting : (n_rows, n_outputs, n), samples of a frame that
    is not complete
    """

    memory: np.ndarray
    waiting: np.ndarray

    def copy(self) -> "ChannelwiseState":
        """Copy that shares nothing that a run changes."""
        return self._replace(memory=self.memory.copy())

    def of_rows(self, rows: slice) -> "ChannelwiseState":
        """State of some rows."""
        return ChannelwiseState(self.memory[rows], self.waiting[rows])


class ChannelwiseTape(NamedTuple):
    """What the adjoint must know of a run."""

    x: np.ndarray
    frame_samples: int | None


class Channelwise(Engine):
    """A stage with one or several outputs a channel; its two kernels belong to a class of its own.

    Parameters
    ----------
    name : str
        Of the response.
    values : ndarray
        Coefficients: all numbers that the kernel works with.
    n_channels : int
        Channels.
    dtype : str
        "float32", "float64" or "complex128".
    n_filters : int
        Outputs of each channel.

    Attributes
    ----------
    kernel : callable
        ``kernel(x, coefficients, memory, out)``: the next samples of x (n_rows, n_channels, n_samples) into out
        (n_rows, n_channels * n_filters, n_samples).
    reverse : callable
        ``reverse(x, coefficients, out_bar, x_bar, coefficients_bar)``: the adjoint, of a whole clip.
    n_memory : int
        Numbers that the kernel keeps of each output, 0 at first.
    """

    takes_channels = True
    kernel: Callable
    reverse: Callable
    n_memory = 0

    def __init__(self, name: str, values: np.ndarray, n_channels: int, dtype: str, *, n_filters: int = 1) -> None:
        self.outputs = self.parts = (name,)
        self.values, self.dtype = values, dtype
        self.prepared = np.ascontiguousarray(values, dtype)
        self.n_channels, self.n_filters = n_channels, n_filters

    @property
    def n_outputs(self) -> int:
        """Rows of the response."""
        return self.n_channels * self.n_filters

    def start(self, n_signals: int, n_ears: int) -> ChannelwiseState:
        """State after a long silence."""
        n_rows = n_signals * n_ears
        memory = np.zeros((n_rows, self.n_channels, self.n_filters * self.n_memory), self.dtype)
        return ChannelwiseState(memory, np.zeros((n_rows, self.n_outputs, 0), self.dtype))

    def run(
        self, x: np.ndarray, state: ChannelwiseState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, ChannelwiseState]:
        """Run the next samples through the stage."""
        rows = self._rows(x)
        out = np.empty((len(rows), self.n_outputs, x.shape[-1]), self.dtype)
        type(self).kernel(rows, self.prepared, state.memory, out)
        frames, waiting = frame_means(state.waiting, out, frame_samples)
        return {self.outputs[0]: frames.reshape(*x.shape[:2], *frames.shape[1:])}, state._replace(waiting=waiting)

    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, ChannelwiseTape]:
        """Response to whole clips, and their tape."""
        return respond(self, x, (output,), frame_samples)[output], ChannelwiseTape(x, frame_samples)

    def pull_back(
        self, tape: ChannelwiseTape, bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients."""
        rows = self._rows(tape.x)
        out_bar = frame_means_adjoint(bar, tape.frame_samples, rows.shape[-1]).reshape(len(rows), self.n_outputs, -1)
        x_bar, values_bar = np.empty_like(rows), np.zeros(self.values.shape)
        out_bar = np.require(out_bar, self.dtype, ["C_CONTIGUOUS", "ALIGNED", "WRITEABLE"])
        type(self).reverse(rows, self.prepared, out_bar, x_bar, values_bar)
        return x_bar.reshape(tape.x.shape), (values_bar,)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """The values."""
        return (self.values,)

    def _rows(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x, self.dtype).reshape(x.shape[0] * x.shape[1], *x.shape[2:])
