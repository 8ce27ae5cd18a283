"""Streams: going on with a sound, chunk by chunk."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from skaud._fitted import as_designed
from skaud.engines.engine import State
from skaud.estimator.device import OnDevice
from skaud.estimator.results import check_responses, stack
from skaud.estimator.sounds import check_finite, is_bearable, warn_of_levels
from skaud.estimator.stream_state import StreamState
from skaud.kernels.array_api import take


class Streaming(OnDevice):
    """What makes a model go on with a sound, chunk by chunk."""

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
        self._check_ears(n_ears or 1)
        arrays = [self.engine_.start(1, int(n_ears or 1)) for _ in range(n_signals)]
        return StreamState(self._stream_key(), int(n_signals), n_ears, arrays, self.at_fit_)

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
        if state.fit is not self.at_fit_:
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
        results = [self._run_chunk(clip, before, frame_samples) for clip, before in zip(clips, state.arrays)]
        responses = [response if state.n_ears is not None else response[0] for response, _ in results]
        check_responses(self, responses, chunk, range(len(chunk)))
        arrays = [arrays for _, arrays in results]
        after = StreamState(state.model, state.n_signals, state.n_ears, arrays, self.at_fit_, "host")
        return place.give(stack(responses)), after

    def _stream_key(self) -> str:
        return (
            f"{type(self).__name__}({self.sample_rate:g} Hz, 1.0 is {self.level_of_one():g} dB SPL, {self.output}, "
            f"{self.dtype}, frames of {self.frame_samples() or 1}, {self.engine_.fingerprint})"
        )

    def _run_chunk(self, clip: np.ndarray, before: State, frame_samples: int | None) -> tuple[np.ndarray, State]:
        """Response to a chunk (n_ears, n_samples), and the state after it; that before stays as it is."""
        (chunk,) = self.as_engine_takes([clip])
        responses, after = self.engine_.run(chunk[np.newaxis], before.copy(), (self.output,), frame_samples)
        return responses[self.output][0], after
