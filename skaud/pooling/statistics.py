"""Statistics over time: what they are called, and frames of a signal to one row of features."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from skaud.design.limits import MOST_SEGMENTS

Statistic = str | Callable[..., np.ndarray]
Statistics = Statistic | Sequence[Statistic] | Mapping[Any, int]

NAMED: dict[str, Callable[..., np.ndarray]] = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "median": np.median,
}
_PERCENT_OF = {"min": 0.0, "median": 50.0, "max": 100.0}
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


class Column(NamedTuple):
    """A block of features, one a channel: a statistic of a part of the frames, 0 the first of n_parts."""

    name: str
    function: Callable[..., np.ndarray]
    part: int
    n_parts: int


def columns(statistics: Statistics, segments: int = 1) -> list[Column]:
    """Blocks of features in order: part by part; with parts that each statistic has of its own, statistic by it."""
    resolved = resolve_statistics(statistics)
    if isinstance(statistics, Mapping):
        return [
            Column(name, function, part, n_parts)
            for (name, function), n_parts in zip(resolved, statistics.values())
            for part in range(n_parts)
        ]
    return [Column(name, function, part, segments) for part in range(segments) for name, function in resolved]


def several(statistics: Statistics) -> Sequence[Statistic]:
    """Statistics, of which one may stand alone."""
    if isinstance(statistics, np.ndarray):
        statistics = statistics.tolist()  # of an array without axes, the name itself
    return (statistics,) if isinstance(statistics, str) or callable(statistics) else list(statistics)


def resolve_statistics(
    statistics: Statistics, parameter: str = "statistics"
) -> list[tuple[str, Callable[..., np.ndarray]]]:
    """Names and functions ``f(frames, axis=-1)`` of the statistics; an error that names the parameter for others."""
    if not len(several(statistics)):
        raise ValueError(
            f"{parameter}={statistics!r} is empty; name at least one statistic, such as 'mean', or use pooling=None "
            "for frames."
        )
    resolved = [_resolve(statistic, parameter) for statistic in several(statistics)]
    names = [name for name, _ in resolved]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{parameter} has {name!r} {names.count(name)} times, and features need names of their own; leave one "
                "out, or give the functions different names, f.__name__."
            )
    return resolved


def pool(frames: np.ndarray, statistics: Statistics, segments: int = 1) -> np.ndarray:
    """Pool one signal, (..., n_frames), into (n_columns * ...,)."""
    return np.concatenate([np.ravel(value) for value in _values(frames, statistics, segments)])


def pool_signals(frames: np.ndarray, statistics: Statistics, segments: int = 1) -> np.ndarray:
    """Pool signals of one length, (n_signals, ..., n_frames), into (n_signals, n_columns * ...)."""
    if any(callable(statistic) for statistic in several(statistics)):  # the caller's, which takes one signal
        return np.stack([pool(own, statistics, segments) for own in frames])
    rows = [np.reshape(value, (len(frames), -1)) for value in _values(frames, statistics, segments)]
    return np.concatenate(rows, axis=1)


def _values(frames: np.ndarray, statistics: Statistics, segments: int) -> Iterator[np.ndarray]:
    """What each statistic makes of frames, block of features after block."""
    for name, function, part, n_parts in columns(statistics, segments):
        own = frames[..., part_slice(frames.shape[-1], part, n_parts)]
        value = function(own, axis=-1)
        shape = np.shape(value)
        if shape != frames.shape[:-1]:
            raise ValueError(
                f"the statistic {name!r} made shape {shape} of frames {own.shape}; it must reduce the last axis, "
                "f(frames, axis=-1), and no other."
            )
        yield value


def part_slice(n_frames: int, part: int, n_parts: int) -> slice:
    """Frames of a part, at least one."""
    start = min(part * n_frames // n_parts, n_frames - 1)
    return slice(start, max((part + 1) * n_frames // n_parts, start + 1))


def check_parts(statistics: Statistics, segments: int, parameter: str = "statistics") -> None:
    """Refuse parts of single statistics that are no numbers of them, or stand beside parts of all."""
    if not isinstance(statistics, Mapping):
        return
    for statistic, n_parts in statistics.items():
        if isinstance(n_parts, bool) or not isinstance(n_parts, Integral) or not 1 <= n_parts <= MOST_SEGMENTS:
            raise ValueError(
                f"{parameter} has {n_parts!r} parts for {statistic!r}; it must be an integer from 1 to {MOST_SEGMENTS}."
            )
    if segments != 1:
        raise ValueError(
            f"segments={segments} and {parameter}={statistics!r} both say in how many parts to pool; leave segments at "
            "1, or name the statistics without parts."
        )


def refuse_callables(statistics: Statistics) -> None:
    """Refuse statistics whose derivative is not known."""
    for statistic in several(statistics):
        if callable(statistic) and statistic not in NAMED.values():
            raise ValueError(
                f"pooling has the callable {statistic!r}, whose derivative is not known; name a statistic instead, or "
                "set pooling=None and differentiate the frames."
            )


def percent_of(name: str) -> float:
    """Which of the percentiles an order statistic is."""
    return _PERCENT_OF[name] if name in _PERCENT_OF else float(name.removeprefix("p"))


def pooled_names(channels: Sequence[str], statistics: Statistics, segments: int = 1) -> np.ndarray:
    """Names in the order of `pool`."""
    names = [
        f"{channel}_{name}" + (f"_part{part + 1}of{n_parts}" if n_parts > 1 else "")
        for name, _, part, n_parts in columns(statistics, segments)
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
