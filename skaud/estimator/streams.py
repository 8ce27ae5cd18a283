"""Streams: going on with a sound, chunk by chunk."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from skaud._fitted import as_designed
from skaud.engines.device import no_kernel
from skaud.estimator.results import check_responses, stack
from skaud.estimator.sounds import check_finite, check_real, is_bearable, warn_of_levels
from skaud.kernels.array_api import Place, take
from skaud.sound.refused import refuse_masked


@dataclass
class StreamState:
    """Where a stream stands: what `transform_chunk` takes and returns.

    Attributes
    ----------
    model : str
        Class and design that the state belongs to; another model refuses it.
    n_signals, n_ears : int
        Signals side by side, and their ears; n_ears is None where X has no axis of ears.
    arrays : list
        The model's own arrays, one entry a signal; on a device one for all.
    fit : object
        The fit of the model that made it, by which that model knows it without comparing texts; None in a copy.
    place : str
        Library and device of the arrays, "" before the first chunk, and "host" for all libraries of the host.
    """

    model: str
    n_signals: int
    n_ears: int | None
    arrays: list[Any]
    fit: Any = field(default=None, repr=False, compare=False)
    place: str = ""

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"fit": None}

    def check_model(self, model: str) -> None:
        """Refuse a state of another model."""
        if self.model != model:
            raise ValueError(
                f"state belongs to {self.model!r}, this model is {model!r}; begin a new stream with initial_state()."
            )

    def check_place(self, place: str) -> None:
        """Refuse a chunk that lies where the stream did not begin."""
        if self.place not in ("", place):
            raise TypeError(
                f"X is of {place} and the stream began on {self.place}; move the chunks there, or begin a new stream "
                "with initial_state()."
            )

    def check_chunk(self, X: Any, channels: tuple[int, ...] = ()) -> np.ndarray:
        """Samples (n_signals, n_ears, [n_channels,] n_samples) with which the stream may go on, if they are finite."""
        ears = () if self.n_ears is None else (self.n_ears,)
        shape = (self.n_signals, *ears, *channels)
        refuse_masked(X, "X")
        X = np.asarray(X)
        if X.shape[:-1] != shape:
            raise ValueError(
                f"X has shape {X.shape}; this stream takes chunks of shape {(*shape, 'n_samples')}, as initial_state "
                "was told."
            )
        return check_real(X, "X").reshape(self.n_signals, self.n_ears or 1, *channels, X.shape[-1])


class Streaming(ABC):
    """What makes an AudioTransformer go on with a sound, chunk by chunk."""

    sample_rate: float
    output: str
    dtype: str
    _fingerprint_: str
    _at_fit_: dict[str, Any]
    frame_samples: Any
    _to_level: Any
    level_of_one: Any
    takes_channels: bool

    @as_designed
    def initial_state(self, n_signals: int = 1, n_ears: int | None = None) -> StreamState:
        """State of a stream before its first sample.

        Parameters
        ----------
        n_signals : int, default=1
            Signals that the stream carries side by side.
        n_ears : int, default=None
            Ears of each, where the chunks have an axis for them.

        Returns
        -------
        StreamState
            For `transform_chunk`.
        """
        for name, value in (("n_signals", n_signals), ("n_ears", 1 if n_ears is None else n_ears)):
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name}={value!r} must be an integer of at least 1.")
        if reason := self.why_no_chunks():
            raise ValueError(reason)
        arrays = [self._initial_arrays(1 if n_ears is None else int(n_ears)) for _ in range(n_signals)]
        return StreamState(self._stream_key(), int(n_signals), n_ears, arrays, self._at_fit_)

    @as_designed
    def transform_chunk(self, X: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
        """Go on with a stream.

        Chunk by chunk gives what the whole gives: to the bit at full rate (``frame_length=None``); frames come with the
        chunk that completes them. Nothing is pooled. A model that is not fitted designs itself anew for every chunk.

        Parameters
        ----------
        X : ndarray of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples)
            Next samples, at the model's sample rate.
        state : StreamState
            From `initial_state` or the chunk before; it is not changed.

        Returns
        -------
        Y : ndarray of shape (n_signals, [n_ears,] n_channels, n_frames)
            Response to the chunk.
        state : StreamState
            For the next chunk.

        Raises
        ------
        ValueError
            If X has another shape than the stream, or samples that are not finite, or state is another model's.
        """
        if not isinstance(state, StreamState):
            raise TypeError(
                f"state is {type(state).__name__}; it must be what initial_state or transform_chunk returned."
            )
        if state.fit is not self._at_fit_:
            state.check_model(self._stream_key())
        X, place = take(X)
        if not place.on_host:
            return self._transform_chunk_on_device(X, place, state)
        state.check_place("host")
        chunk = state.check_chunk(X, self._channels_in())
        if self.takes_channels or not is_bearable(chunk, self.level_of_one()):
            check_finite(chunk, "X")
            if not self.takes_channels:
                warn_of_levels(list(chunk), [self.level_of_one()] * len(chunk), is_part=True)
        clips = self._to_level(chunk)
        frame_samples = self.frame_samples()
        results = [self._run_chunk(clip, arrays, frame_samples) for clip, arrays in zip(clips, state.arrays)]
        responses = [response if state.n_ears is not None else response[0] for response, _ in results]
        check_responses(self, responses, chunk, range(len(chunk)))
        arrays = [arrays for _, arrays in results]
        after = StreamState(state.model, state.n_signals, state.n_ears, arrays, self._at_fit_, "host")
        return place.give(stack(responses)), after

    def _stream_key(self) -> str:
        return (
            f"{type(self).__name__}({self.sample_rate:g} Hz, 1.0 is {self.level_of_one():g} dB SPL, {self.output}, "
            f"{self.dtype}, frames of {self.frame_samples() or 1}, {self._fingerprint_})"
        )

    def why_no_chunks(self) -> str | None:
        """Why the parameters do not allow it to go on with a sound chunk by chunk, and what does; None if they do."""
        return None

    def _channels_in(self) -> tuple[int, ...]:
        """Length of the axis of channels between ears and samples, of X that has one."""
        return ()

    def _transform_chunk_on_device(self, X: Any, place: Place, state: StreamState) -> tuple[Any, StreamState]:
        """`transform_chunk` of a chunk where it lies."""
        raise no_kernel(self, place)

    # --- what a model implements ---

    @abstractmethod
    def _initial_arrays(self, n_ears: int) -> Any:
        """Arrays of one signal's state."""

    @abstractmethod
    def _run_chunk(self, clip: np.ndarray, arrays: Any, frame_samples: int | None) -> tuple[np.ndarray, Any]:
        """Response to a chunk (n_ears, n_samples), and the state after it; arrays stay as they are."""
