"""What a model computes on a device, by the engine for it: responses, features, derivatives, streams."""

from collections.abc import Sequence
from typing import Any

from skaud._types import Features, Signals
from skaud.engines.device import device_errors, engine_for, refuse_worker
from skaud.engines.engine import Engine, frame_of
from skaud.estimator.device_clips import as_clips, mean_squares, stand_in
from skaud.estimator.listening import Listening
from skaud.estimator.results import check_value_bar, refuse_response
from skaud.estimator.sounds import Sounds, warn_of_powers
from skaud.estimator.stream_state import StreamState
from skaud.fitting.movable import Gradients, Pullback
from skaud.kernels.array_api import Array, Place, array_namespace, as_dtype, take
from skaud.kernels.batches import all_finite, clip_of, groups_of, in_order, rows_in_order
from skaud.pooling.arrays import pool_arrays, pool_arrays_adjoint

Groups = list[tuple[list[int], Array]]  # which clips of X, and what belongs to them, all of one shape


class OnDevice(Listening):
    """What a model computes where X lies, unless that is the host; sounds come at their level, in its dtype."""

    def engine_at(self, place: Place) -> Engine:
        """The model's engine for a device."""
        return engine_for(self.engine_, place, type(self).__name__)

    def _transform_on_device(self, sounds: Sounds, frame_samples: int | None) -> Features:
        with device_errors(sounds.place, type(self).__name__, len(sounds.rates)):
            groups = self._respond_on_device(sounds, (self.output,), frame_samples)[self.output]
            if self.pooling is None:
                return self._without_ears(groups, sounds)
            return rows_in_order([(own, pool_arrays(frames, *self._pooling())) for own, frames in groups])

    def _simulate_on_device(self, sounds: Sounds, names: tuple[str, ...]) -> dict[str, Features]:
        with device_errors(sounds.place, type(self).__name__, len(sounds.rates)):
            found = self._respond_on_device(sounds, names, None)
            return {name: self._without_ears(groups, sounds) for name, groups in found.items()}

    def _vjp_on_device(self, sounds: Sounds, names: tuple[str, ...], output: str) -> tuple[Features, Pullback]:
        who, place, n_signals = type(self).__name__, sounds.place, len(sounds.rates)
        source, frame_samples = (self.output, self.frame_samples()) if output == "features" else (output, None)
        pooled = output == "features" and self.pooling is not None
        with device_errors(place, who, n_signals):
            engine, groups, tapes = self.engine_at(place), [], []
            wanted = self._wanted(names)
            for indices, x in groups_of(self._checked_ears(sounds).clips):
                response, tape = engine.record(x, source, frame_of(x.shape[-1], frame_samples))
                self._refuse_infinite(response, indices, sounds)
                groups.append((indices, response))
                tapes.append(tape)
            if pooled:
                value = rows_in_order([(own, pool_arrays(frames, *self._pooling())) for own, frames in groups])
            else:
                value = self._without_ears(groups, sounds)

        def pullback(value_bar: Features) -> Gradients:
            check_value_bar(value_bar, value)
            bars, given = take(value_bar, "value_bar")
            if not given.is_same(place):
                raise TypeError(
                    f"value_bar is of {given} and value of {place}; pass derivatives where the value lies, in its "
                    "library."
                )
            x_bars, totals = [], []
            with device_errors(place, who, n_signals):
                for (indices, response), tape in zip(groups, tapes):
                    own = _of_group(bars, indices, response.dtype)
                    if pooled:
                        own = pool_arrays_adjoint(own, response, *self._pooling())
                    xp = array_namespace(response)
                    x_bar, of_coefficients = engine.pull_back(tape, xp.reshape(own, response.shape), wanted)
                    x_bars.append((indices, x_bar))
                    totals.append(of_coefficients)
                total = tuple(sum(rest, first) for first, *rest in zip(*totals))
                grads = {name: self.parameter_bar(name, total) for name in names if name != "X"}
                return ({"X": self._shaped_as_x(x_bars, sounds)} if "X" in names else {}) | grads

        return value, pullback

    def _transform_chunk_on_device(self, X: Signals, place: Place, state: StreamState) -> tuple[Array, StreamState]:
        refuse_worker(place)
        state.check_place(str(place))
        shape = state.check_chunk(stand_in(X), self._channels_in()).shape
        x = as_clips(X, [shape[1:]] * shape[0], self.dtype) if shape[-1] else _empty_chunk(X, shape, self.dtype)
        if not self.takes_channels and shape[-1]:
            warn_of_powers(mean_squares(x), [self.level_of_one()] * shape[0], is_part=True)
        gain = float(self.gain())
        with device_errors(place, type(self).__name__, shape[0]):
            engine = self.engine_at(place)
            before = state.arrays.copy() if state.place else engine.start(*shape[:2])
            responses, after = engine.run(x if gain == 1 else x * gain, before, (self.output,), self.frame_samples())
            response = responses[self.output]
            if not all_finite(response):
                refuse_response(self, x[0, ...], 0)
        went_on = StreamState(state.model, state.n_signals, state.n_ears, after, self.at_fit_, str(place))
        return response if state.n_ears is not None else response[:, 0, ...], went_on

    def _respond_on_device(
        self, sounds: Sounds, names: tuple[str, ...], frame_samples: int | None
    ) -> dict[str, Groups]:
        """Responses of every group of clips, (n_signals, n_ears, n_channels, n_frames), by name."""
        engine = self.engine_at(sounds.place)
        found: dict[str, Groups] = {name: [] for name in names}
        for indices, responses in engine.whole_clips(self._checked_ears(sounds).clips, names, frame_samples):
            for name in names:
                self._refuse_infinite(responses[name], indices, sounds)
                found[name].append((indices, responses[name]))
        return found

    def _checked_ears(self, sounds: Sounds) -> Sounds:
        """The sounds; an error where the model was fitted to other ears."""
        clips = sounds.clips
        self._check_ears((clips[0].shape if isinstance(clips, list) else clips.shape[1:])[0])
        return sounds

    def _refuse_infinite(self, response: Array, indices: Sequence[int], sounds: Sounds) -> None:
        if all_finite(response):
            return
        for k, i in enumerate(indices):
            if not all_finite(response[k, ...]):
                refuse_response(self, clip_of(sounds.clips, i), i)

    def _without_ears(self, groups: Groups, sounds: Sounds) -> Array:
        """Responses as X has its clips: with an axis of ears where that has one."""
        found = in_order(groups, is_array=sounds.is_array)
        if sounds.has_ears:
            return found
        return [own[0, ...] for own in found] if isinstance(found, list) else found[:, 0, ...]

    def _shaped_as_x(self, x_bars: Groups, sounds: Sounds) -> Array:
        """Bars of the samples as they were given: their level, their axes."""
        gain, found = float(self.gain()), in_order(x_bars, is_array=sounds.is_array)
        shape_of = self._shape_in_x
        if isinstance(found, list):
            xp = array_namespace(found[0])
            return [xp.reshape(own * gain, shape_of(tuple(own.shape), sounds)) for own in found]
        xp = array_namespace(found)
        return xp.reshape(found * gain, (found.shape[0], *shape_of(tuple(found.shape[1:]), sounds)))

    def _shape_in_x(self, shape: tuple[int, ...], sounds: Sounds) -> tuple[int, ...]:
        """Shape that a clip (n_ears, ..., n_samples) has in X."""
        return shape if sounds.has_ears else shape[1:]


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
