"""TemporalPooling: frames of any model to one row of features a signal."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, validate_data

from skaud._fitted import as_fitted, remember_parameters
from skaud._parameters import check_constraints, with_plain_numbers
from skaud._types import Features, Targets
from skaud.design.limits import MOST_SEGMENTS
from skaud.kernels.array_api import Array, array_namespace, as_dtype, floating, in_native_order, take, to_numpy
from skaud.kernels.batches import all_finite, clip_of, groups_of, rows_in_order, zeros_of_no_size
from skaud.kernels.on_device import where_it_lies
from skaud.pooling.arrays import pool, pool_arrays
from skaud.pooling.statistics import Statistics, check_parts, pooled_names, resolve_statistics
from skaud.sound.refused import refuse_masked


class TemporalPooling(TransformerMixin, BaseEstimator):
    """Pool time-resolved features over time, in one or several consecutive parts.

    Parameters
    ----------
    statistics : str, callable, sequence of these, or dict, default=("mean", "std")
        "mean", "std", "min", "max", "median", a percentile such as "p95", any of these of the difference between
        neighbouring frames, such as "delta_std", or a callable ``f(frames, axis=-1)`` that reduces the last axis. A
        dict tells in how many parts each is pooled: ``{"mean": 4, "std": 1}`` keeps the course of the mean alone;
        ``(("mean", 4), ("std", 1))`` is the same.
    segments : int, default=1
        Number of equal parts, in order, that are pooled apart: 5 keep the course of a word. 1 where a dict tells it.

    Attributes
    ----------
    n_features_in_ : int
        Number of frames, where X is a 2-D array.
    channel_shape_ : tuple of int
        Shape of one frame of X, () or (n_channels,) or (n_ears, n_channels).

    Notes
    -----
    A 2-D X is frames of one channel, (n_signals, n_frames); rows of features, such as those of a model that pools,
    would be pooled over features. In a scikit-learn Pipeline columns of a data frame have the numbers of channels, as
    no step is told the names of what it takes; those of `skaud.FeaturePipeline` are its ``get_feature_names_out``.

    Inside a model, the mean, std, min and max, and those of differences, are accumulated, so that the memory does not
    grow with the length of a clip; any other statistic beside them needs all frames at once.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import TemporalPooling
    >>> frames = [np.arange(10.0).reshape(2, 5), np.ones((2, 3))]  # two signals, two channels, 5 and 3 frames
    >>> TemporalPooling(("mean", "max")).fit_transform(frames)
    array([[2., 7., 4., 9.],
           [1., 1., 1., 1.]])
    """

    _parameter_constraints: dict = {
        "statistics": [str, callable, "array-like", dict],
        "segments": [Interval(Integral, 1, MOST_SEGMENTS, closed="both")],
    }

    def __init__(self, statistics: Statistics = ("mean", "std"), segments: int = 1) -> None:
        self.statistics = statistics
        self.segments = segments

    @where_it_lies
    @with_plain_numbers
    def fit(self, X: Features, y: Targets = None) -> Self:
        """Check the parameters and remember the channels of X.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] [n_channels,] n_frames), or list of arrays that differ in n_frames
            Time-resolved features, as the models return them with ``pooling=None``.
        y : None
            Ignored.

        Returns
        -------
        TemporalPooling
            The fitted transformer.

        Raises
        ------
        ValueError
            If a statistic is unknown, or X is empty or not finite.
        """
        check_constraints(self)
        self._check_parameters()
        remember_parameters(self)
        X, place = take(X)
        if place.on_host:
            self._check(X, reset=True)
        else:
            self._check_where_it_is(X, reset=True)
        return self

    @where_it_lies
    @as_fitted
    def transform(self, X: Features) -> np.ndarray:
        """Pool every signal.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] [n_channels,] n_frames), or list of arrays that differ in n_frames
            Time-resolved features.

        Returns
        -------
        ndarray of shape (n_signals, segments * n_statistics * n_ears * n_channels)
            Ordered by part, statistic, ear, channel; with a dict by statistic, part, ear, channel.

        Raises
        ------
        ValueError
            If the channels of X are not those of fit.
        """
        X, place = take(X)
        container = getattr(self, "_sklearn_output_config", {}).get("transform", get_config()["transform_output"])
        if not place.on_host:
            if container != "default":
                raise TypeError(
                    f"set_output asks for {container}, whose data frames are of the host, and X is of {place}; pass "
                    "ToNumpy().transform(X), or set_output(transform='default')."
                )
            return place.give(self._pool_on_device(X))
        signals = self._check(X, reset=False)
        with np.errstate(over="ignore", invalid="ignore"):  # named below
            rows = np.stack([pool(frames, self.statistics, self.segments) for frames in signals])
        self._check_rows(rows, signals)
        return rows if container != "default" else place.give(rows)

    def _pool_on_device(self, X: Features) -> Array:
        """Rows of features where the frames lie."""
        shapes = [frames.shape for frames in self._check_where_it_is(X, reset=False)]
        if isinstance(X, list):
            groups = groups_of([as_dtype(frames, floating(frames)) for frames in X])
        else:
            groups = groups_of(array_namespace(X).reshape(as_dtype(X, floating(X)), (len(shapes), *shapes[0])))
        rows = rows_in_order([(own, pool_arrays(frames, self.statistics, self.segments)) for own, frames in groups])
        if not all_finite(rows):
            self._check_rows(to_numpy(rows), [to_numpy(clip_of(X, i)) for i in range(len(shapes))])
        return rows

    def _check_rows(self, rows: np.ndarray, signals: Sequence[np.ndarray]) -> None:
        if not np.isfinite(rows).all():
            i, k = np.argwhere(~np.isfinite(rows))[0]
            raise ValueError(
                f"X[{i}] reaches {np.abs(signals[i]).max():.3g}, and its {self.get_feature_names_out()[k]} is "
                f"{rows[i, k]}, beyond {rows.dtype}; scale the frames, or pass them in float64."
            )

    @as_fitted
    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Names of the features.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the channels, as a model's ``get_feature_names_out`` returns them with ``pooling=None``.

        Returns
        -------
        ndarray of str
            Such as ``nap_1055hz_mean``, or ``nap_1055hz_mean_part2of5`` with several segments.
        """
        names = _check_feature_names_in(self, input_features, generate_names=False)
        n_channels = prod(self.channel_shape_)
        if not self.channel_shape_:  # the columns of a 2-D X are frames, not channels
            names = ["x"]
        elif names is None:
            names = [f"channel{c}" for c in range(n_channels)]
        if len(names) != n_channels:
            raise ValueError(
                f"input_features has {len(names)} names for {n_channels} channels; pass the names that the model "
                "before returns."
            )
        return pooled_names(names, self.statistics, self.segments)

    def _check_parameters(self, parameter: str = "statistics") -> None:
        resolve_statistics(self.statistics, parameter)
        check_parts(self.statistics, self.segments, parameter)

    def _check_where_it_is(self, X: Features, *, reset: bool) -> list[np.ndarray]:
        """As `_check`, of arrays of a device: what has the shapes of their signals, and takes no memory."""
        is_list = isinstance(X, (list, tuple))
        shapes = self._check([zeros_of_no_size(x) for x in X] if is_list else zeros_of_no_size(X), reset=reset)
        for i in range(len(shapes)) if is_list else (None,):
            frames = X if i is None else X[i]
            if not all_finite(as_dtype(frames, floating(frames))):
                raise ValueError(
                    f"{'X' if i is None else f'X[{i}]'} has features that are NaN or infinite; every feature must be "
                    "finite."
                )
        return shapes

    def _check(self, X: Features, *, reset: bool) -> list[np.ndarray]:
        """Frames of every signal, in floats; with reset, their channels become those of fit."""
        if isinstance(X, np.ndarray):
            X = list(X) if X.dtype.kind == "O" and X.ndim == 1 else in_native_order(X)
        is_list = isinstance(X, (list, tuple)) and (not X or isinstance(X[0], np.ndarray) or np.ndim(X[0]) > 1)
        if is_list or getattr(X, "ndim", 0) in (3, 4, 5):
            if reset and hasattr(self, "n_features_in_"):
                del self.n_features_in_
            signals = [_as_frames(frames, i) for i, frames in enumerate(X)]
        else:
            signals = list(validate_data(self, X, reset=reset, dtype=(np.float64, np.float32)))
        if not signals:
            raise ValueError(f"X has shape {np.shape(X)}, no signals; pass at least 1.")
        if reset:
            self.channel_shape_ = signals[0].shape[:-1]
        for i, frames in enumerate(signals):
            if frames.shape[:-1] != self.channel_shape_:
                raise ValueError(
                    f"X[{i}] has frames of shape {frames.shape[:-1]}, {'X[0]' if reset else 'fit'} had "
                    f"{self.channel_shape_}; pool the output of the same model, or fit again."
                )
        return signals

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


Pooling = Statistics | TemporalPooling | None  # what models take as `pooling`; None leaves frames


def check_pooling(pooling: Pooling) -> None:
    """Refuse a parameter `pooling` that names no statistics, or parts that there cannot be."""
    if isinstance(pooling, TemporalPooling):
        check_constraints(pooling)
        pooling._check_parameters("pooling")
    elif pooling is not None:
        resolve_statistics(pooling, "pooling")
        check_parts(pooling, 1, "pooling")


def _as_frames(frames: ArrayLike, i: int) -> np.ndarray:
    """Frames of one signal, in floats; an error where they are not real and finite."""
    refuse_masked(frames, f"X[{i}]")
    frames = in_native_order(np.asarray(frames))
    if frames.ndim not in (1, 2, 3, 4) or frames.size == 0 or frames.dtype.kind not in "fiub":
        raise ValueError(
            f"X[{i}] is {frames.dtype} of shape {frames.shape}; it must be real, (n_frames,), (n_channels, n_frames) "
            "or (n_ears, [n_strfs,] n_channels, n_frames), with at least 1 frame."
        )
    if not np.isfinite(frames).all():
        raise ValueError(f"X[{i}] has features that are NaN or infinite; every feature must be finite.")
    return frames if frames.dtype in (np.float32, np.float64) else frames.astype(np.float64)
