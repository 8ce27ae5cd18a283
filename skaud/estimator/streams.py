"""Streams: going on with a sound, chunk by chunk."""

from __future__ import annotations

import numpy as np

from skaud._fitted import designed_copy
from skaud.design.limits import check_count
from skaud.engines.engine import State
from skaud.estimator.device import transform_chunk_on_device
from skaud.estimator.listening import to_level
from skaud.estimator.protocol import Model
from skaud.estimator.results import check_responses, stack
from skaud.estimator.sounds import check_finite, is_bearable, warn_of_levels
from skaud.estimator.stream_state import StreamState
from skaud.kernels.array_api import take


def start(model: Model, n_signals: int, n_ears: int | None) -> StreamState:
    """State of a stream before its first sample."""
    n_signals = check_count("n_signals", n_signals, 1)
    n_ears = None if n_ears is None else check_count("n_ears", n_ears, 1)
    if reason := model.why_no_chunks():
        raise ValueError(reason)
    model.check_ears(n_ears or 1)
    arrays = [model.engine_.start(1, n_ears or 1) for _ in range(n_signals)]
    return StreamState(_key(model), n_signals, n_ears, arrays, model)


def go_on(estimator: Model, X: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
    """Response to the next samples of a stream, and its state after them."""
    if not isinstance(state, StreamState):
        raise TypeError(f"state is {type(state).__name__}; it must be what initial_state or transform_chunk returned.")
    if state.is_of(estimator):
        model: Model = state.fitted
    else:
        model = designed_copy(estimator)
        state.check_model(_key(model))
    X, place = take(X)
    if not place.on_host:
        return transform_chunk_on_device(model, X, place, state)
    state.check_place("host")
    chunk = state.check_chunk(X, model.channels_in())
    if model.takes_channels or not is_bearable(chunk, model.level_of_one()):
        check_finite(chunk, "X")
        if not model.takes_channels:
            warn_of_levels(list(chunk), [model.level_of_one()] * len(chunk), is_part=True)
    clips = to_level(model, chunk)
    frame_samples = model.frame_samples()
    results = [_run_chunk(model, clip, before, frame_samples) for clip, before in zip(clips, state.arrays)]
    responses = [response if state.n_ears is not None else response[0] for response, _ in results]
    check_responses(model, responses, chunk, range(len(chunk)))
    return place.give(stack(responses)), state.followed_by([after for _, after in results], model, "host")


def _key(model: Model) -> str:
    """What a stream's state must be known to belong to."""
    return (
        f"{type(model).__name__}({model.sample_rate:g} Hz, 1.0 is {model.level_of_one():g} dB SPL, {model.output}, "
        f"{model.dtype}, frames of {model.frame_samples() or 1}, {model.engine_.fingerprint})"
    )


def _run_chunk(model: Model, clip: np.ndarray, before: State, frame_samples: int | None) -> tuple[np.ndarray, State]:
    """Response to a chunk (n_ears, n_samples), and the state after it; that before stays as it is."""
    (chunk,) = model.as_engine_takes([clip])
    responses, after = model.engine_.run(chunk[np.newaxis], before.copy(), (model.output,), frame_samples)
    return responses[model.output][0], after
