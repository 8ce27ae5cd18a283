"""Statistics over time: what they are called, and of which parts of the frames they are taken."""

import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from skaud.design.limits import MOST_SEGMENTS

Function = Callable[..., np.ndarray]
Statistic = str | Function
Parts = tuple[Statistic, int]  # a statistic, and in how many parts it is taken
Statistics = Statistic | Sequence[Statistic] | Mapping[Any, int] | Sequence[Parts]

# What models pool by: how the mean goes on, from the beginning to the end, and the variation over all.
THIRDS = (("mean", 3), ("std", 1))

NAMED: dict[str, Function] = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "median": np.median,
}
_PERCENT_OF = {"min": 0.0, "median": 50.0, "max": 100.0}
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


class Column(NamedTuple):
    """A block of features, one a channel: a statistic of a part of the frames, 0 the first of n_parts.

    function : the caller's, None where the name says which it is
    """

    name: str
    function: Function | None
    part: int
    n_parts: int


def columns(statistics: Statistics, segments: int = 1) -> list[Column]:
    """Blocks of features in order: part by part; with parts that each statistic has of its own, statistic by it."""
    resolved, parts = resolve_statistics(statistics)
    if parts is None:
        segments = int(segments)  # of NumPy, it would hold as many frames as its range has
        return [Column(name, function, part, segments) for part in range(segments) for name, function in resolved]
    return [
        Column(name, function, part, n_parts)
        for (name, function), n_parts in zip(resolved, map(int, parts))
        for part in range(n_parts)
    ]


def several(statistics: Statistics) -> list[Statistic]:
    """Statistics, without their parts; one may stand alone."""
    return _take_apart(statistics)[0]


def _take_apart(statistics: Any) -> tuple[list[Any], list[Any] | None]:
    """Statistics, and in how many parts each is taken: None where that is not told."""
    if isinstance(statistics, Mapping):
        return list(statistics), list(statistics.values())
    if isinstance(statistics, np.ndarray):
        statistics = statistics.tolist()  # of an array without axes, the name itself
    if isinstance(statistics, str) or callable(statistics):
        return [statistics], None
    statistics = list(statistics)
    if statistics and all(isinstance(own, (list, tuple)) and len(own) == 2 for own in statistics):
        return [own[0] for own in statistics], [own[1] for own in statistics]  # as dict.items() has them
    return statistics, None


def resolve_statistics(
    statistics: Statistics, parameter: str = "statistics"
) -> tuple[list[tuple[str, Function | None]], list[int] | None]:
    """Names of the statistics with the caller's functions ``f(frames, axis=-1)``, and in how many parts each is taken.

    Raises an error that names the parameter.
    """
    alone, parts = _take_apart(statistics)
    if not alone:
        raise ValueError(
            f"{parameter}={statistics!r} is empty; name at least one statistic, such as 'mean', or use pooling=None "
            "for frames."
        )
    resolved = [_resolve(statistic, parameter) for statistic in alone]
    names = [name for name, _ in resolved]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{parameter} has {name!r} {names.count(name)} times, and features need names of their own; leave one "
                "out, or give the functions different names, f.__name__."
            )
    return resolved, parts


def part_slice(n_frames: int, part: int, n_parts: int) -> slice:
    """Frames of a part, at least one."""
    start = min(part * n_frames // n_parts, n_frames - 1)
    return slice(start, max((part + 1) * n_frames // n_parts, start + 1))


def check_parts(statistics: Statistics, segments: int, parameter: str = "statistics") -> None:
    """Refuse parts of single statistics that are no numbers of them, or stand beside parts of all."""
    alone, parts = _take_apart(statistics)
    if parts is None:
        return
    for statistic, n_parts in zip(alone, parts):
        if isinstance(n_parts, bool) or not isinstance(n_parts, Integral) or not 1 <= int(n_parts) <= MOST_SEGMENTS:
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
    """Names in the order of the features."""
    names = [
        f"{channel}_{name}" + (f"_part{part + 1}of{n_parts}" if n_parts > 1 else "")
        for name, _, part, n_parts in columns(statistics, segments)
        for channel in channels
    ]
    return np.asarray(names, dtype=object)


def _resolve(statistic: Any, parameter: str) -> tuple[str, Function | None]:
    if callable(statistic):
        named = next((name for name, function in NAMED.items() if function is statistic), None)
        if named is not None:
            return named, None
        return getattr(statistic, "__name__", type(statistic).__name__.lower()), statistic
    if isinstance(statistic, str):
        base = statistic
        while base.startswith("delta_"):
            base = base.removeprefix("delta_")
        if base in NAMED or _PERCENTILE.fullmatch(base):
            return statistic, None
    raise ValueError(
        f"{parameter} has {statistic!r}; it must be one of {sorted(NAMED)}, a percentile such as 'p95', one of these "
        "after 'delta_', or a callable f(frames, axis=-1)."
    )
