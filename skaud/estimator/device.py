"""What a model computes on a device, by the engine for it: responses, features, derivatives, streams."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from skaud._types import Features, Signals
from skaud.engines.device import engine_for, memory_at
from skaud.engines.engine import BLOCK, Engine, Tape, frame_of, respond
from skaud.engines.portions import Portion, portions
from skaud.estimator.device_clips import as_clips, mean_squares, stand_in
from skaud.estimator.listening import shaped_as_x
from skaud.estimator.protocol import Model, Source
from skaud.estimator.results import check_gradients, check_rows, refuse_response, take_value_bar
from skaud.estimator.sounds import Sounds, warn_of_powers
from skaud.estimator.stream_state import StreamState
from skaud.fitting.movable import Gradients, Pullback
from skaud.kernels.array_api import Array, Place, array_namespace, as_dtype, to_numpy
from skaud.kernels.batches import all_finite, clip_of, gather, groups_of, in_order, rows_in_order
from skaud.kernels.on_device import on_device
from skaud.pooling.arrays import pool_arrays, pool_arrays_adjoint

KEPT_SHARE = 0.25  # of a device's free memory, for frames that features were pooled of
Groups = list[tuple[list[int], Array]]  # which clips of X, and what belongs to them, all of one shape


class Run(NamedTuple):
    """What a pullback must know of a portion of clips.

    shape, dtype : of the response, groups : frames that features were pooled of, where they are kept
    """

    portion: Portion
    engine: Engine
    tape: Tape
    shape: tuple[int, ...]
    dtype: str
    groups: Groups | None


def engine_at(model: Model, place: Place) -> Engine:
    """The model's engine for a device, with the memory that is free there."""
    return engine_for(model.engine_, place, type(model).__name__).with_memory(memory_at(place))


@contextmanager
def _named(
    model: Model, sounds: Sounds, names: Sequence[str], frame_samples: int | None, backwards: bool
) -> Iterator[None]:
    """What does not fit is named with the batch that does."""
    shapes = [clip.shape for clip in sounds.clips] if isinstance(sounds.clips, list) else [sounds.clips.shape[1:]]
    n_ears, n_samples = shapes[0][0], max(1, *(shape[-1] for shape in shapes))
    frame, engine = frame_of(n_samples, frame_samples), engine_at(model, sounds.place)
    n_bytes = engine.bytes_on_device(n_ears, n_samples, names, frame, backwards=backwards)
    with on_device(sounds.place, type(model).__name__, len(sounds.rates), n_bytes):
        yield


def transform_on_device(model: Model, sounds: Sounds, frame_samples: int | None) -> Features:
    """Pooled features, or frames, of every clip."""
    found: Groups = []
    with _named(model, sounds, (model.output,), frame_samples, backwards=False):
        for groups in _respond(model, sounds, (model.output,), frame_samples):
            own = groups[model.output]
            found += own if model.pooling is None else _pooled(model, own, sounds)
        return _without_ears(found, sounds) if model.pooling is None else rows_in_order(found)


def simulate_on_device(model: Model, sounds: Sounds, names: tuple[str, ...]) -> dict[str, Features]:
    """Responses at full rate, by name."""
    found: dict[str, Groups] = {name: [] for name in names}
    with _named(model, sounds, names, None, backwards=False):
        for groups in _respond(model, sounds, names, None):
            for name in names:
                found[name] += groups[name]
        return {name: _without_ears(own, sounds) for name, own in found.items()}


def vjp_on_device(model: Model, sounds: Sounds, names: tuple[str, ...], source: Source) -> tuple[Features, Pullback]:
    """Response, and its pullback."""
    with _named(model, sounds, (source.output,), source.frame_samples, backwards=True):
        return _vjp(model, sounds, names, source)


def _vjp(model: Model, sounds: Sounds, names: tuple[str, ...], source: Source) -> tuple[Features, Pullback]:
    place, (output, frame_samples, pooled) = sounds.place, source
    engine, memory, found = engine_at(model, place), memory_at(place), list[tuple[list[int], Array]]()
    wanted, runs, n_kept = model.wanted_parts(names), list[Run](), 0
    for portion in portions(engine, _checked_ears(model, sounds).clips, output, frame_samples, memory):
        own, frame = portion.engine_of(engine), frame_of(portion.x.shape[-1], frame_samples)
        response, tape = own.record(portion.x, output, frame)
        groups = _cut(own, portion, response, output, frame)
        _refuse_infinite(model, groups, sounds.clips)
        found += _pooled(model, groups, sounds) if pooled else groups
        # What features were pooled of is needed again: kept, or where there is much of it computed once more.
        n_kept += math.prod(response.shape) * pooled * np.dtype(_name(response)).itemsize
        kept = groups if pooled and n_kept < KEPT_SHARE * memory else None
        runs.append(Run(portion, own, tape, tuple(response.shape), _name(response), kept))
    value = rows_in_order(found) if pooled else _without_ears(found, sounds)

    def pullback(value_bar: Features) -> Gradients:
        bars = take_value_bar(value_bar, value, place)
        x_bars: Groups = []
        totals = []
        with _named(model, sounds, (output,), frame_samples, backwards=True):
            for run in runs:
                own_bars = _bars_of_pooled(model, run, bars, source) if pooled else _groups_of_bars(bars, run)
                joined = run.portion.join(own_bars, run.shape[-1])
                bar = array_namespace(joined).reshape(joined, run.shape)
                x_bar, of_coefficients = run.engine.pull_back(run.tape, bar, wanted)
                x_bars += run.portion.cut(x_bar, run.portion.lengths)
                totals.append(of_coefficients)
            total = tuple(sum(rest, first) for first, *rest in zip(*totals))
            grads = {name: model.parameter_bar(name, total) for name in names if name != "X"}
            if "X" in names:
                grads = {"X": shaped_as_x(model, in_order(x_bars, is_array=sounds.is_array), sounds)} | grads
            check_gradients(model, grads, bars)
            return grads

    return value, pullback


def transform_chunk_on_device(model: Model, X: Signals, place: Place, state: StreamState) -> tuple[Array, StreamState]:
    """Response to the next samples of a stream, and its state after them."""
    state.check_place(str(place))
    shape = state.check_chunk(stand_in(X), model.channels_in()).shape
    x = as_clips(X, [shape[1:]] * shape[0], model.dtype) if shape[-1] else _empty_chunk(X, shape, model.dtype)
    if not model.takes_channels and shape[-1]:
        warn_of_powers(mean_squares(x), [model.level_of_one()] * shape[0], is_part=True)
    gain = float(model.gain())
    engine = engine_at(model, place)
    before = state.arrays.copy() if state.place else engine.start(*shape[:2])
    responses, after = engine.run(x if gain == 1 else x * gain, before, (model.output,), model.frame_samples())
    response = responses[model.output]
    _refuse_infinite(model, [(list(range(shape[0])), response)], x)
    went_on = state.followed_by(after, model, str(place))
    return place.give(response if state.n_ears is not None else response[:, 0, ...]), went_on


def _respond(
    model: Model, sounds: Sounds, names: tuple[str, ...], frame_samples: int | None
) -> Iterator[dict[str, Groups]]:
    """Responses of every portion of clips, groups (n_signals, n_ears, n_channels, n_frames), by name."""
    engine, memory = engine_at(model, sounds.place), memory_at(sounds.place)
    largest = max(names, key=lambda name: engine.bytes_of_signal(1, BLOCK, name))
    for portion in portions(engine, _checked_ears(model, sounds).clips, largest, frame_samples, memory):
        frame = frame_of(portion.x.shape[-1], frame_samples)
        responses = respond(portion.engine_of(engine), portion.x, names, frame)
        found = {name: _cut(engine, portion, own, name, frame) for name, own in responses.items()}
        for groups in found.values():
            _refuse_infinite(model, groups, sounds.clips)
        yield found


def _cut(engine: Engine, portion: Portion, response: Array, output: str, frame_samples: int | None) -> Groups:
    """Responses to the clips of a portion, by their numbers of frames."""
    lengths = portion.lengths
    return portion.cut(response, lengths and [engine.n_frames(n, output, frame_samples) for n in lengths])


def _pooled(model: Model, groups: Groups, sounds: Sounds) -> Groups:
    """Rows of features; refused where they are not finite, as those of finite frames may be."""
    rows = [(own, pool_arrays(frames, *model.how_pooled())) for own, frames in groups]
    for indices, some in rows:
        if not all_finite(some):
            check_rows(model, to_numpy(some), (to_numpy(clip_of(sounds.clips, i)) for i in indices), indices)
    return rows


def _bars_of_pooled(model: Model, run: Run, bars: Array, source: Source) -> Groups:
    """Bars of the frames that features were pooled of."""
    groups = run.groups
    if groups is None:
        frame = frame_of(run.portion.x.shape[-1], source.frame_samples)
        response = respond(run.engine, run.portion.x, (source.output,), frame)[source.output]
        groups = _cut(run.engine, run.portion, response, source.output, frame)
    how = model.how_pooled()
    return [(own, pool_arrays_adjoint(_of_group(bars, own, run), frames, *how)) for own, frames in groups]


def _groups_of_bars(bars: Features, run: Run) -> Groups:
    """Bars of the clips of a portion, (n_signals, ..., n_frames), by shape."""
    indices = run.portion.indices
    if not isinstance(bars, list):
        return [(indices, _of_group(bars, indices, run))]
    groups = groups_of([bars[i] for i in indices])
    return [([indices[k] for k in own], as_dtype(some, run.dtype)) for own, some in groups]


def _checked_ears(model: Model, sounds: Sounds) -> Sounds:
    """The sounds; an error where the model was fitted to other ears."""
    clips = sounds.clips
    model.check_ears((clips[0].shape if isinstance(clips, list) else clips.shape[1:])[0])
    return sounds


def _refuse_infinite(model: Model, groups: Groups, clips: Features) -> None:
    for indices, response in groups:
        if all_finite(response):
            continue
        for k, i in enumerate(indices):
            if not all_finite(response[k, ...]):
                refuse_response(model, clip_of(clips, i), i)


def _without_ears(groups: Groups, sounds: Sounds) -> Array:
    """Responses as X has its clips: with an axis of ears where that has one."""
    found = in_order(groups, is_array=sounds.is_array)
    if sounds.has_ears:
        return found
    return [own[0, ...] for own in found] if isinstance(found, list) else found[:, 0, ...]


def _empty_chunk(X: Signals, shape: tuple[int, ...], dtype: str) -> Array:
    """A chunk without samples, which a stream may have."""
    return array_namespace(X).reshape(as_dtype(X, dtype), shape)


def _of_group(bars: Array, indices: Sequence[int], run: Run) -> Array:
    """Bars of some of all clips, in the dtype of the response."""
    return as_dtype(gather(bars, indices), run.dtype)


def _name(x: Array) -> str:
    """Of its dtype."""
    return str(x.dtype).split(".")[-1]
