"""TemporalPooling: frames of any model to one row of features a signal."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, validate_data

from skaud._fitted import as_fitted, remember_parameters
from skaud.design.limits import MOST_SEGMENTS
from skaud.pooling.statistics import Statistics, pool, pooled_names, resolve_statistics
from skaud.sound.refused import refuse_masked


class TemporalPooling(TransformerMixin, BaseEstimator):
    """Pool time-resolved features over time, in one or several consecutive parts.

    Parameters
    ----------
    statistics : str, callable, or sequence of these, default=("mean", "std")
        "mean", "std", "min", "max", "median", a percentile such as "p95", any of these of the difference between
        neighbouring frames, such as "delta_std", or a callable ``f(frames, axis=-1)`` that reduces the last axis.
    segments : int, default=1
        Number of equal parts, in order, that are pooled apart: 5 keep the course of a word.

    Attributes
    ----------
    n_features_in_ : int
        Number of frames, where X is a 2-D array.
    channel_shape_ : tuple of int
        Shape of one frame of X, () or (n_channels,) or (n_ears, n_channels).

    Notes
    -----
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
        "statistics": [str, callable, "array-like"],
        "segments": [Interval(Integral, 1, MOST_SEGMENTS, closed="both")],
    }

    def __init__(self, statistics: Statistics = ("mean", "std"), segments: int = 1) -> None:
        self.statistics = statistics
        self.segments = segments

    def fit(self, X: Any, y: Any = None) -> Self:
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
        self._validate_params()
        resolve_statistics(self.statistics)
        remember_parameters(self)
        self._check(X, reset=True)
        return self

    @as_fitted
    def transform(self, X: Any) -> np.ndarray:
        """Pool every signal.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] [n_channels,] n_frames), or list of arrays that differ in n_frames
            Time-resolved features.

        Returns
        -------
        ndarray of shape (n_signals, segments * n_statistics * n_ears * n_channels)
            Ordered by part, statistic, ear, channel.

        Raises
        ------
        ValueError
            If the channels of X are not those of fit.
        """
        signals = self._check(X, reset=False)
        with np.errstate(over="ignore", invalid="ignore"):  # named below
            rows = np.stack([pool(frames, self.statistics, self.segments) for frames in signals])
        if not np.isfinite(rows).all():
            i, k = np.argwhere(~np.isfinite(rows))[0]
            raise ValueError(
                f"X[{i}] reaches {np.abs(signals[i]).max():.3g}, and its {self.get_feature_names_out()[k]} is "
                f"{rows[i, k]}, beyond {rows.dtype}; scale the frames, or pass them in float64."
            )
        return rows

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

    def _check(self, X: Any, *, reset: bool) -> list[np.ndarray]:
        """Frames of every signal, in floats; with reset, their channels become those of fit."""
        if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1:
            X = list(X)
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


def _as_frames(frames: Any, i: int) -> np.ndarray:
    """Frames of one signal, in floats; an error where they are not real and finite."""
    refuse_masked(frames, f"X[{i}]")
    frames = np.asarray(frames)
    if frames.ndim not in (1, 2, 3, 4) or frames.size == 0 or frames.dtype.kind not in "fiub":
        raise ValueError(
            f"X[{i}] is {frames.dtype} of shape {frames.shape}; it must be real, (n_frames,), (n_channels, n_frames) "
            "or (n_ears, [n_strfs,] n_channels, n_frames), with at least 1 frame."
        )
    if not np.isfinite(frames).all():
        raise ValueError(f"X[{i}] has features that are NaN or infinite; every feature must be finite.")
    return frames if frames.dtype in (np.float32, np.float64) else frames.astype(np.float64)
<<<<<<< HEAD
=======


def resolve_statistics(
    statistics: Statistic | Sequence[Statistic], parameter: str = "statistics"
) -> list[tuple[str, Callable[..., np.ndarray]]]:
    """Names and functions ``f(frames, axis=-1)`` of the statistics; an error that names the parameter for others."""
    if isinstance(statistics, np.ndarray):
        statistics = statistics.tolist()  # of an array without axes, the name itself
    if isinstance(statistics, str) or callable(statistics):
        statistics = (statistics,)
    if not len(statistics):
        raise ValueError(
            f"{parameter}={statistics!r} is empty; name at least one statistic, such as 'mean', or use pooling=None "
            "for frames."
        )
    resolved = [_resolve(statistic, parameter) for statistic in statistics]
    names = [name for name, _ in resolved]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{parameter} has {name!r} {names.count(name)} times, and features need names of their own; leave one "
                "out, or give the functions different names, f.__name__."
            )
    return resolved


def pool(frames: np.ndarray, statistics: Statistic | Sequence[Statistic], segments: int = 1) -> np.ndarray:
    """Pool one signal, (..., n_frames), into (segments * n_statistics * ...,)."""
    n_frames, resolved = frames.shape[-1], resolve_statistics(statistics)
    pooled = []
    for part in part_slices(n_frames, segments):
        for name, function in resolved:
            value = function(frames[..., part], axis=-1)
            shape = getattr(value, "shape", ())  # without NumPy: the frames may be cupy's
            if shape != frames.shape[:-1]:
                raise ValueError(
                    f"the statistic {name!r} made shape {shape} of frames {frames[..., part].shape}; it must "
                    "reduce the last axis, f(frames, axis=-1), and no other."
                )
            pooled.append(np.ravel(value))
    return np.concatenate(pooled)


def pool_adjoint(
    pooled_bar: np.ndarray, frames: np.ndarray, statistics: Statistic | Sequence[Statistic], segments: int = 1
) -> np.ndarray:
    """Derivative of an objective with respect to frames (..., n_frames), from that with respect to pool(frames)."""
    resolved = resolve_statistics(statistics)
    for statistic in (statistics,) if isinstance(statistics, str) or callable(statistics) else statistics:
        if callable(statistic) and statistic not in _NAMED.values():
            raise ValueError(
                f"pooling has the callable {statistic!r}, whose derivative is not known; name a statistic instead, or "
                "set pooling=None and differentiate the frames."
            )
    frames_bar = np.zeros(frames.shape)
    bars = iter(np.reshape(pooled_bar, (segments * len(resolved), *frames.shape[:-1], 1)))
    for part in part_slices(frames.shape[-1], segments):
        for name, _ in resolved:
            # pooled.append(np.ravel(function(frames[..., part], axis=-1)))
            frames_bar[..., part] += _statistic_adjoint(next(bars), name, frames[..., part].astype(float))
    return frames_bar


def _statistic_adjoint(bar: np.ndarray, name: str, frames: np.ndarray) -> np.ndarray:
    """Derivative with respect to frames (..., n_frames) of a statistic whose own is bar (..., 1)."""
    frames_bar, n_frames = np.zeros(frames.shape), frames.shape[-1]
    if name.startswith("delta_"):
        if n_frames > 1:
            # np.diff(frames)
            difference_bar = _statistic_adjoint(bar, name.removeprefix("delta_"), np.diff(frames, axis=-1))
            frames_bar[..., 1:] += difference_bar
            frames_bar[..., :-1] -= difference_bar
    elif name == "mean":
        frames_bar += bar / n_frames
    elif name == "std":
        spread = np.std(frames, axis=-1, keepdims=True)
        deviation = frames - np.mean(frames, axis=-1, keepdims=True)
        np.divide(bar * deviation, n_frames * spread, out=frames_bar, where=spread > 0)
    else:
        percent = _PERCENT_OF[name] if name in _PERCENT_OF else float(name.removeprefix("p"))
        rank = percent / 100 * (n_frames - 1)
        below = min(int(rank), max(n_frames - 2, 0))
        order = np.argsort(frames, axis=-1)
        # frames[below] * (1 - (rank - below)) + frames[below + 1] * (rank - below), of the sorted frames
        np.put_along_axis(frames_bar, order[..., below : below + 1], bar * (1 - (rank - below)), axis=-1)
        if rank > below:
            np.put_along_axis(frames_bar, order[..., below + 1 : below + 2], bar * (rank - below), axis=-1)
    return frames_bar


def part_slices(n_frames: int, segments: int) -> list[slice]:
    """Frames of every part, at least one."""
    starts = [min(part * n_frames // segments, n_frames - 1) for part in range(segments)]
    return [slice(start, max((part + 1) * n_frames // segments, start + 1)) for part, start in enumerate(starts)]


def pooled_names(channels: Sequence[str], statistics: Statistic | Sequence[Statistic], segments: int = 1) -> np.ndarray:
    """Names in the order of `pool`."""
    names = [
        f"{channel}_{name}" + (f"_part{part + 1}of{segments}" if segments > 1 else "")
        for part in range(segments)
        for name, _ in resolve_statistics(statistics)
        for channel in channels
    ]
    return np.asarray(names, dtype=object)


def _resolve(statistic: Any, parameter: str) -> tuple[str, Callable[..., np.ndarray]]:
    if callable(statistic):
        return getattr(statistic, "__name__", type(statistic).__name__.lower()), statistic
    if isinstance(statistic, str):
        if statistic.startswith("delta_"):
            name, function = _resolve(statistic.removeprefix("delta_"), parameter)
            return f"delta_{name}", _of_differences(function)
        if statistic in _NAMED:
            return statistic, _NAMED[statistic]
        if match := _PERCENTILE.fullmatch(statistic):
            return statistic, _percentile(float(match[1]))
    raise ValueError(
        f"{parameter} has {statistic!r}; it must be one of {sorted(_NAMED)}, a percentile such as 'p95', one of these "
        "after 'delta_', or a callable f(frames, axis=-1)."
    )


def _percentile(percent: float) -> Callable[..., np.ndarray]:
    def percentile(frames: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.percentile(frames, percent, axis=axis).astype(frames.dtype)

    return percentile


def _of_differences(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def of_differences(frames: np.ndarray, axis: int = -1) -> np.ndarray:
        if frames.shape[axis] == 1:  # nothing changes within a single frame
            return function(np.zeros_like(frames), axis=axis)
        return function(np.diff(frames, axis=axis), axis=axis)

    return of_differences
>>>>>>> b32dc23 (Fuzz every public estimator; name parameters that were not, warn once in fit_transform, give arrays of audio apart from what went in)
