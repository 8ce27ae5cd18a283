"""What a model computes on a device, by the engine for it: responses, features, derivatives, streams."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from skaud._types import Features, Signals
from skaud.engines.device import device_errors, engine_for, refuse_worker
from skaud.engines.engine import Engine, frame_of
from skaud.estimator.device_clips import as_clips, mean_squares, stand_in
from skaud.estimator.protocol import Model, Source
from skaud.estimator.results import check_value_bar, refuse_response
from skaud.estimator.sounds import Sounds, warn_of_powers
from skaud.estimator.stream_state import StreamState
from skaud.fitting.movable import Gradients, Pullback
from skaud.kernels.array_api import Array, Place, array_namespace, as_dtype, take
from skaud.kernels.batches import all_finite, clip_of, groups_of, in_order, rows_in_order
from skaud.pooling.arrays import pool_arrays, pool_arrays_adjoint

Groups = list[tuple[list[int], Array]]  # which clips of X, and what belongs to them, all of one shape


def engine_at(model: Model, place: Place) -> Engine:
    """The model's engine for a device."""
    return engine_for(model.engine_, place, type(model).__name__)


def transform_on_device(model: Model, sounds: Sounds, frame_samples: int | None) -> Features:
    """Pooled features, or frames, of every clip."""
    with device_errors(sounds.place, type(model).__name__, len(sounds.rates)):
        groups = _respond(model, sounds, (model.output,), frame_samples)[model.output]
        if model.pooling is None:
            return _without_ears(model, groups, sounds)
        return rows_in_order([(own, pool_arrays(frames, *model.how_pooled())) for own, frames in groups])


def simulate_on_device(model: Model, sounds: Sounds, names: tuple[str, ...]) -> dict[str, Features]:
    """Responses at full rate, by name."""
    with device_errors(sounds.place, type(model).__name__, len(sounds.rates)):
        found = _respond(model, sounds, names, None)
        return {name: _without_ears(model, groups, sounds) for name, groups in found.items()}


def vjp_on_device(model: Model, sounds: Sounds, names: tuple[str, ...], source: Source) -> tuple[Features, Pullback]:
    """Response, and its pullback."""
    who, place, n_signals = type(model).__name__, sounds.place, len(sounds.rates)
    with device_errors(place, who, n_signals):
        engine, groups, tapes = engine_at(model, place), [], []
        wanted = model.wanted_parts(names)
        for indices, x in groups_of(_checked_ears(model, sounds).clips):
            response, tape = engine.record(x, source.output, frame_of(x.shape[-1], source.frame_samples))
            _refuse_infinite(model, response, indices, sounds)
            groups.append((indices, response))
            tapes.append(tape)
        if source.pooled:
            value = rows_in_order([(own, pool_arrays(frames, *model.how_pooled())) for own, frames in groups])
        else:
            value = _without_ears(model, groups, sounds)

    def pullback(value_bar: Features) -> Gradients:
        check_value_bar(value_bar, value)
        bars, given = take(value_bar, "value_bar")
        if not given.is_same(place):
            raise TypeError(
                f"value_bar is of {given} and value of {place}; pass derivatives where the value lies, in its library."
            )
        x_bars, totals = [], []
        with device_errors(place, who, n_signals):
            for (indices, response), tape in zip(groups, tapes):
                own = _of_group(bars, indices, response.dtype)
                if source.pooled:
                    own = pool_arrays_adjoint(own, response, *model.how_pooled())
                xp = array_namespace(response)
                x_bar, of_coefficients = engine.pull_back(tape, xp.reshape(own, response.shape), wanted)
                x_bars.append((indices, x_bar))
                totals.append(of_coefficients)
            total = tuple(sum(rest, first) for first, *rest in zip(*totals))
            grads = {name: model.parameter_bar(name, total) for name in names if name != "X"}
            return ({"X": _shaped_as_x(model, x_bars, sounds)} if "X" in names else {}) | grads

    return value, pullback


def transform_chunk_on_device(model: Model, X: Signals, place: Place, state: StreamState) -> tuple[Array, StreamState]:
    """Response to the next samples of a stream, and its state after them."""
    refuse_worker(place)
    state.check_place(str(place))
    shape = state.check_chunk(stand_in(X), model.channels_in()).shape
    x = as_clips(X, [shape[1:]] * shape[0], model.dtype) if shape[-1] else _empty_chunk(X, shape, model.dtype)
    if not model.takes_channels and shape[-1]:
        warn_of_powers(mean_squares(x), [model.level_of_one()] * shape[0], is_part=True)
    gain = float(model.gain())
    with device_errors(place, type(model).__name__, shape[0]):
        engine = engine_at(model, place)
        before = state.arrays.copy() if state.place else engine.start(*shape[:2])
        responses, after = engine.run(x if gain == 1 else x * gain, before, (model.output,), model.frame_samples())
        response = responses[model.output]
        if not all_finite(response):
            refuse_response(model, x[0, ...], 0)
    went_on = StreamState(state.model, state.n_signals, state.n_ears, after, model.at_fit_, str(place))
    return response if state.n_ears is not None else response[:, 0, ...], went_on


def _respond(model: Model, sounds: Sounds, names: tuple[str, ...], frame_samples: int | None) -> dict[str, Groups]:
    """Responses of every group of clips, (n_signals, n_ears, n_channels, n_frames), by name."""
    engine = engine_at(model, sounds.place)
    found: dict[str, Groups] = {name: [] for name in names}
    for indices, responses in engine.whole_clips(_checked_ears(model, sounds).clips, names, frame_samples):
        for name in names:
            _refuse_infinite(model, responses[name], indices, sounds)
            found[name].append((indices, responses[name]))
    return found


def _checked_ears(model: Model, sounds: Sounds) -> Sounds:
    """The sounds; an error where the model was fitted to other ears."""
    clips = sounds.clips
    model.check_ears((clips[0].shape if isinstance(clips, list) else clips.shape[1:])[0])
    return sounds


def _refuse_infinite(model: Model, response: Array, indices: Sequence[int], sounds: Sounds) -> None:
    if all_finite(response):
        return
    for k, i in enumerate(indices):
        if not all_finite(response[k, ...]):
            refuse_response(model, clip_of(sounds.clips, i), i)


def _without_ears(model: Model, groups: Groups, sounds: Sounds) -> Array:
    """Responses as X has its clips: with an axis of ears where that has one."""
    found = in_order(groups, is_array=sounds.is_array)
    if sounds.has_ears:
        return found
    return [own[0, ...] for own in found] if isinstance(found, list) else found[:, 0, ...]


def _shaped_as_x(model: Model, x_bars: Groups, sounds: Sounds) -> Array:
    """Bars of the samples as they were given: their level, their axes."""
    gain, found = float(model.gain()), in_order(x_bars, is_array=sounds.is_array)
    shape_of = partial(model.shape_in_x, has_ears=sounds.has_ears)
    if isinstance(found, list):
        xp = array_namespace(found[0])
        return [xp.reshape(own * gain, shape_of(tuple(own.shape))) for own in found]
    xp = array_namespace(found)
    return xp.reshape(found * gain, (found.shape[0], *shape_of(tuple(found.shape[1:]))))


def _empty_chunk(X: Signals, shape: tuple[int, ...], dtype: str) -> Array:
    """A chunk without samples, which a stream may have."""
    return array_namespace(X).reshape(as_dtype(X, dtype), shape)


def _of_group(bars: Features, indices: Sequence[int], dtype: Any) -> Array:
    """Bars of some clips as one array, in the dtype of the response."""
    name = str(dtype).split(".")[-1]
    if isinstance(bars, list):
        return array_namespace(bars[0]).stack([as_dtype(bars[i], name) for i in indices])
    if len(indices) == bars.shape[0] and list(indices) == list(range(len(indices))):
        return as_dtype(bars, name)
    return array_namespace(bars).stack([as_dtype(bars[i, ...], name) for i in indices])
