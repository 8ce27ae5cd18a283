"""FrameTransformer: what every step on frames inherits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import prod
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in

from skaud._fitted import as_fitted, forget, remember_parameters, unfitted_on_failure
from skaud._parameters import check_constraints, with_plain_numbers
from skaud._types import Features, Targets
from skaud.design.limits import check_count
from skaud.estimator.faults import short
from skaud.estimator.results import check_container, take_value_bar
from skaud.estimator.stream_state import StreamState
from skaud.estimator.vjp import check_wrt
from skaud.fitting.movable import Bounds, Gradients, Pullback
from skaud.kernels.array_api import (
    Array,
    Place,
    array_namespace,
    as_dtype,
    floating,
    in_native_order,
    is_foreign,
    take,
    to_numpy,
    zeros,
)
from skaud.kernels.batches import all_finite, clip_of, gather, groups_of, in_order, zeros_of_no_size
from skaud.kernels.on_device import on_device, where_it_lies
from skaud.sound.refused import refuse_masked

Heard = Array | tuple[Array, int] | None  # what a step keeps from chunk to chunk: the frames that it still hears


class FrameTransformer(TransformerMixin, BaseEstimator, ABC, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Base of the steps on frames: arrays (n_signals, [n_ears,] [n_filters,] n_channels, n_frames), or lists.

    A step implements the methods at the end, on frames (n_rows, n_channels, n_frames), in array-API code; the axes
    before that of channels are rows to it.
    """

    frame_shape_in_: tuple[int, ...]
    latency_frames_ = 0

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # frames are no data frames

    @where_it_lies
    @with_plain_numbers
    def fit(self, X: Features, y: Targets = None) -> Self:
        """Check the parameters and remember the channels of X.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] [n_filters,] n_channels, n_frames), or list of arrays
            Frames, as the models return them with ``pooling=None``; the signals of a list may differ in n_frames.
        y : None
            Ignored.

        Returns
        -------
        FrameTransformer
            The fitted step.

        Raises
        ------
        ValueError
            If a parameter is out of its bounds, or X is empty or not finite.
        """
        with unfitted_on_failure(self):
            check_constraints(self)
            forget(self)
            remember_parameters(self)
            signals, _ = self._signals(take(X)[0])
            self.frame_shape_in_ = tuple(clip_of(signals, 0).shape[:-1])
            self.check_parameters(self.frame_shape_in_[-1])
        return self

    @where_it_lies
    @as_fitted
    def transform(self, X: Features) -> Features:
        """Take every signal through the step.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] [n_filters,] n_channels, n_frames), or list of arrays
            Frames; arrays of other libraries come back in them, and those of a device stay there.

        Returns
        -------
        array of shape (n_signals, ..., n_frames), or list of arrays
            As X is given, in its precision.

        Raises
        ------
        ValueError
            If the channels of X are not those of fit.
        """
        X, place = take(X)
        X, is_array = self._signals(X, self.frame_shape_in_)
        outputs = [(own, self._through(own, frames)) for own, frames in _groups(X, place)]
        return place.give(in_order(outputs, is_array=is_array))

    @where_it_lies
    @as_fitted
    def vjp(self, X: Features, wrt: str | Sequence[str] | None = None) -> tuple[Features, Pullback]:
        """Frames, and the function that takes derivatives back through the step.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] [n_filters,] n_channels, n_frames), or list of arrays
            Frames.
        wrt : str or sequence of str, default=None
            "X" and names of parameters; None stands for "X" and every parameter that has a derivative.

        Returns
        -------
        value : array or list of arrays
            As `transform` returns it.
        pullback : callable
            Takes ``value_bar``, shaped as value, and returns a dict: "X", shaped as X, and the parameters in wrt.
        """
        names = check_wrt(self, wrt, self.differentiable())
        X, place = take(X)
        X, is_array = self._signals(X, self.frame_shape_in_)
        groups = _groups(X, place)
        outputs = [(own, self._through(own, frames)) for own, frames in groups]
        value = in_order(outputs, is_array=is_array)

        def pullback(value_bar: Features) -> Gradients:
            bars = take_value_bar(value_bar, value, place)
            with on_device(place, type(self).__name__, sum(len(own) for own, _ in groups)):
                return back(bars)

        def back(bars: Features) -> Gradients:
            if place.on_host:
                bars = [np.asarray(bar) for bar in bars]
            x_bars = []
            totals: Gradients = dict.fromkeys((name for name in names if name != "X"), 0.0)
            for (own, frames), (_, y) in zip(groups, outputs):
                xp, bar = array_namespace(y), as_dtype(gather(bars, own), floating(y))
                y_bar = xp.reshape(bar, (-1, *y.shape[len(self.frame_shape_in_) :]))  # of rows, as run returns them
                with np.errstate(over="ignore", invalid="ignore"):  # named below
                    x_bar, of_parameters = self.pull_back(y_bar, self._rows(frames))
                x_bars.append((own, xp.reshape(x_bar, tuple(frames.shape))))
                for name in totals:
                    totals[name] = totals[name] + to_numpy(of_parameters[name])
            if not all(all_finite(own) for own in (*(bar for _, bar in x_bars), *map(np.asarray, totals.values()))):
                raise ValueError(
                    f"derivatives through {self._given()} are not finite; give smaller ones by the frames, or choose "
                    "parameters nearer to the defaults."
                )
            return totals | ({"X": place.give(in_order(x_bars, is_array=is_array))} if "X" in names else {})

        return place.give(value), pullback

    @as_fitted
    def initial_state(self, n_signals: int = 1) -> StreamState:
        """State of a stream before its first frame.

        Parameters
        ----------
        n_signals : int, default=1
            Signals that the stream carries side by side; their ears are those of fit.

        Returns
        -------
        StreamState
            For `transform_chunk`.
        """
        n_signals = check_count("n_signals", n_signals, 1)
        return StreamState(self._stream_key(), n_signals, None, [None] * n_signals, self)

    @where_it_lies
    @as_fitted
    def transform_chunk(self, X: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
        """Go on with a stream: the next frames, which together are those of the whole, to the bit.

        A step that hears frames ahead gives them `latency_frames_` later, and the last of a stream never.

        Parameters
        ----------
        X : ndarray of shape (n_signals, [n_ears,] [n_filters,] n_channels, n_frames)
            Next frames; there may be none.
        state : StreamState
            From `initial_state` or the chunk before; it is not changed.

        Returns
        -------
        Y : ndarray of shape (n_signals, ..., n_frames)
            Frames.
        state : StreamState
            For the next chunk.
        """
        if not state.is_of(self):
            state.check_model(self._stream_key())
        X, place = take(X)
        name = "host" if place.on_host else str(place)
        state.check_place(name)
        if place.on_host:
            chunk = state.check_chunk(X, self.frame_shape_in_)[:, 0]
        else:
            state.check_chunk(zeros_of_no_size(X), self.frame_shape_in_)
            chunk = as_dtype(X, floating(X))
        results = [self.go_on(clip_of(chunk, i), own, is_last=False, i=i) for i, own in enumerate(state.arrays)]
        arrays = [own for _, own in results]
        frames = array_namespace(chunk).stack([own for own, _ in results])
        return place.give(frames), state.followed_by(arrays, self, name)

    @as_fitted
    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Names of the channels that the step returns.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the channels of X, as the step before returns them.

        Returns
        -------
        ndarray of str
            One a channel, ears and filters outside channels.
        """
        names = _check_feature_names_in(self, input_features, generate_names=False)
        *outer, n_channels = self.frame_shape_in_
        if names is None:
            names = [f"channel{c}" for c in range(prod(self.frame_shape_in_))]
        if len(names) != prod(self.frame_shape_in_):
            raise ValueError(
                f"input_features has {len(names)} names for frames of {self.frame_shape_in_}; pass the names that the "
                "step before returns."
            )
        own = [list(names[i : i + n_channels]) for i in range(0, prod(outer) * n_channels, n_channels)]
        return np.asarray([name for channels in own for name in self.names_after(channels)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Leave frames what they are; features behind a pooling step come in the container asked for.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container of the pooled features of a pipeline.

        Returns
        -------
        FrameTransformer
            The step itself.
        """
        check_container(transform)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.array_api_support = True
        return tags

    # --- shared machinery ---

    def _signals(self, X: Features, frame_shape: tuple[int, ...] | None = None) -> tuple[Features, bool]:
        """Frames of every signal in floats, of a device in one array where X is one, and whether it is.

        Refused where they are not of one shape and finite.
        """
        if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1:
            X = list(X)
        is_array = not isinstance(X, (list, tuple))
        if not is_foreign(X):
            refuse_masked(X, "X")
            X = np.asarray(X) if is_array else X
        if is_array and X.ndim not in (3, 4, 5):
            raise ValueError(
                f"X has shape {tuple(X.shape)}; frames are (n_signals, [n_ears,] [n_filters,] n_channels, n_frames): "
                "set pooling=None in the model before, or pass a single signal as X[numpy.newaxis]."
            )
        if not (n_signals := X.shape[0] if is_array else len(X)):
            raise ValueError(f"X has shape {np.shape(X)}, no signals; pass at least 1.")
        if is_array and is_foreign(X):
            _as_frames(X[0, ...], 0)
            X = as_dtype(X, floating(X))
            if all_finite(X) and frame_shape in (None, tuple(X.shape[1:-1])):
                return X, is_array
        signals = [_as_frames(X[i, ...] if is_array else X[i], i) for i in range(n_signals)]
        wanted = tuple(signals[0].shape[:-1]) if frame_shape is None else frame_shape
        for i, frames in enumerate(signals):
            if tuple(frames.shape[:-1]) != wanted:
                raise ValueError(
                    f"X[{i}] has frames of shape {tuple(frames.shape[:-1])}, {'X[0]' if frame_shape is None else 'fit'}"
                    f" had {wanted}; pass the output of the same model, or fit again."
                )
        return signals, is_array

    def go_on(self, frames: Array, state: Heard, *, is_last: bool, i: int | None = None) -> tuple[Array, Heard]:
        """Output for the next frames of signal i, the first where state is None, and the state after them."""
        if not frames.shape[-1]:
            return self._shaped(self._no_frames(frames)), state
        y, after = self._compute(self._rows(frames), state, is_last)
        if not all_finite(y):
            self._refuse(frames, i)
        return self._shaped(y), after

    def _through(self, indices: Sequence[int], frames: Array) -> Array:
        """Output for all frames (n_signals, ...) of the signals with these indices."""
        y, _ = self._compute(self._rows(frames), None, True)
        y = self._shaped(y, frames.shape[0])
        if not all_finite(y):
            k = next(k for k in range(frames.shape[0]) if not all_finite(y[k, ...]))
            self._refuse(frames[k, ...], indices[k])
        return y

    def _compute(self, x: Array, state: Heard, is_last: bool) -> tuple[Array, Heard]:
        """As run, which may overflow."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.run(x, state, is_last)

    def _refuse(self, frames: Array, i: int | None) -> None:
        """Say that the output for frames of signal i is not finite."""
        xp = array_namespace(frames)
        raise ValueError(
            f"X{'' if i is None else f'[{i}]'} has frames up to {float(xp.max(xp.abs(frames))):.3g}, beyond what "
            f"{self._given()} can compute in {str(frames.dtype).split('.')[-1]}; scale the frames, or choose "
            "parameters nearer to the defaults."
        )

    def _given(self) -> str:
        parameters = self.get_params(deep=False).items()
        return f"{type(self).__name__}({', '.join(f'{name}={short(value)}' for name, value in parameters)})"

    def _rows(self, frames: Array) -> Array:
        """Frames (n_rows, n_channels, n_frames)."""
        return array_namespace(frames).reshape(frames, (-1, *frames.shape[-2:]))

    def _shaped(self, y: Array, *n_signals: int) -> Array:
        """Frames with the axes of ears and filters again, and that of signals where there are several."""
        return array_namespace(y).reshape(y, (*n_signals, *self.frame_shape_in_[:-1], *y.shape[1:]))

    def _no_frames(self, frames: Array) -> Array:
        silence = zeros((*frames.shape[:-1], 1), frames)
        rows = self._rows(array_namespace(frames).concat([frames, silence], axis=-1))
        return self.run(rows, None, True)[0][..., :0]

    def _stream_key(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in sorted(self.get_params(deep=False).items()))
        return f"{type(self).__name__}({given}; frames of {self.frame_shape_in_})"

    # --- what a step implements ---

    def check_parameters(self, n_channels: int) -> None:
        """Refuse parameters that `_parameter_constraints` cannot judge, and set what else is fitted."""

    def bounds(self) -> Mapping[str, Bounds]:
        """Parameters that have a derivative, and the lowest and highest value that learning may give each."""
        return {}

    def differentiable(self) -> tuple[str, ...]:
        """Parameters that have a derivative."""
        return tuple(self.bounds())

    @abstractmethod
    def run(self, x: Array, state: Heard, is_last: bool) -> tuple[Array, Heard]:
        """Output for frames x, the first of a signal where state is None; and the state after them."""

    @abstractmethod
    def pull_back(self, y_bar: Array, x: Array) -> tuple[Array, Gradients]:
        """Derivatives with respect to the frames x of a whole signal, and to the parameters by name."""

    @abstractmethod
    def names_after(self, names: list[str]) -> list[str]:
        """Names of the output, from those of the channels of one row."""


def _groups(X: Features, place: Place) -> list[tuple[list[int], Array]]:
    """Signals that go together, (which, frames of all): on the host one at a time, which stays in its cache."""
    if place.on_host:
        return [([i], frames[np.newaxis]) for i, frames in enumerate(X)]
    return groups_of(X)


def _as_frames(frames: Array, i: int) -> Array:
    """Frames of one signal, in floats; an error where they are not real and finite."""
    foreign = is_foreign(frames)
    if not foreign:
        refuse_masked(frames, f"X[{i}]")
        frames = in_native_order(np.asarray(frames))
        if frames.dtype.kind in "iub":
            frames = frames.astype(np.float64)
    elif array_namespace(frames).isdtype(frames.dtype, ("bool", "integral")):
        frames = as_dtype(frames, "float64")
    xp = array_namespace(frames) if foreign or frames.dtype.kind == "f" else None
    is_real = xp is not None and xp.isdtype(frames.dtype, "real floating")
    if not is_real or frames.ndim not in (2, 3, 4) or 0 in frames.shape:
        raise ValueError(
            f"X[{i}] is {frames.dtype} of shape {tuple(frames.shape)}; it must be real, ([n_ears,] [n_filters,] "
            "n_channels, n_frames), with at least 1 frame."
        )
    assert xp is not None
    if not foreign and frames.dtype not in (np.float32, np.float64):
        frames = frames.astype(np.float64)
    if not bool(xp.all(xp.isfinite(frames))):
        raise ValueError(f"X[{i}] has frames that are NaN or infinite; every frame must be finite.")
    return frames
