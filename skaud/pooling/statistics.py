"""Statistics over time: what they are called, and frames of a signal to one row of features."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Statistic = str | Callable[..., np.ndarray]
Statistics = Statistic | Sequence[Statistic]

NAMED: dict[str, Callable[..., np.ndarray]] = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "median": np.median,
}
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


def several(statistics: Statistics) -> Sequence[Statistic]:
    """Statistics, of which one may stand alone."""
    if isinstance(statistics, np.ndarray):
        statistics = statistics.tolist()  # of an array without axes, the name itself
    return (statistics,) if isinstance(statistics, str) or callable(statistics) else statistics


def resolve_statistics(
    statistics: Statistics, parameter: str = "statistics"
) -> list[tuple[str, Callable[..., np.ndarray]]]:
    """Names and functions ``f(frames, axis=-1)`` of the statistics; an error that names the parameter for others."""
    if not len(statistics := several(statistics)):
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


def pool(frames: np.ndarray, statistics: Statistics, segments: int = 1) -> np.ndarray:
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


def part_slices(n_frames: int, segments: int) -> list[slice]:
    """Frames of every part, at least one."""
    starts = [min(part * n_frames // segments, n_frames - 1) for part in range(segments)]
    return [slice(start, max((part + 1) * n_frames // segments, start + 1)) for part, start in enumerate(starts)]


def pooled_names(channels: Sequence[str], statistics: Statistics, segments: int = 1) -> np.ndarray:
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
        if statistic in NAMED:
            return statistic, NAMED[statistic]
        if match := _PERCENTILE.fullmatch(statistic):
            return statistic, _percentile(float(match[1]))
    raise ValueError(
        f"{parameter} has {statistic!r}; it must be one of {sorted(NAMED)}, a percentile such as 'p95', one of these "
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
