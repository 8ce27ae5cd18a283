"""Bounded parameters of a model as one vector for an optimiser."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skaud.fitting.movable import Bounds, Movable, Value

WIDE = 8.0  # high / low from which the logarithm of a parameter is what moves


def names_to_learn(
    model: Movable, learn: str | Sequence[str], known: Sequence[str], *, may_be_none: bool = False
) -> tuple[str, ...]:
    """Parameters that `learn` names, alone or as a set; an error where one is not among those that are known."""
    words = (learn,) if isinstance(learn, str) else tuple(learn) if np.iterable(learn) else (learn,)
    if not all(isinstance(word, str) for word in words):
        raise TypeError(
            f"learn={learn!r} is {type(learn).__name__}; pass the name of a parameter, or several in a tuple."
        )
    sets = model.sets
    names = tuple(dict.fromkeys(name for word in words for name in sets.get(word, (word,))))
    wrong = [name for name in names if name not in known]
    if wrong or not (names or may_be_none):
        all_sets = f" or {tuple(sets)}" if sets else ""
        reason = model.why_not(wrong[0]) if wrong else None
        fault = f"has {wrong[0]!r}{f', but {reason}' if reason else ''}" if wrong else "names nothing to learn"
        raise ValueError(
            f"learn={learn!r} {fault}; with these parameters {model.name} can learn "
            f"{tuple(known)}{all_sets}, choose among them."
        )
    return names


class Entry(NamedTuple):
    """A parameter between bounds; all arrays are flat.

    As an entry u of the vector runs from 0 to 1, the value runs from one bound to the other: origin + u span, or, where
    the bounds are of one sign and far apart, low ratio**u. Without bounds, the origin is the start.
    """

    start: np.ndarray
    shape: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    is_log: np.ndarray
    ratio: np.ndarray
    origin: np.ndarray
    span: np.ndarray


class BoundedParameters:
    """Named parameters of a fitted model, their bounds, and the way between them and a vector."""

    def __init__(self, model: Movable, names: Sequence[str], bounds: Mapping[str, Bounds] | None = None) -> None:
        stray = [name for name in bounds or {} if name not in names]
        if stray:
            raise ValueError(
                f"bounds has {stray[0]!r}, and learn has {tuple(names)}; leave it out, or add it to what is learned."
            )
        known = {**model.bounds(tuple(names)), **(bounds or {})}
        self.names = tuple(names)
        self.entries = {name: _entry(name, model.value(name), known.get(name)) for name in self.names}
        sizes = [entry.low.size for entry in self.entries.values()]
        ends = np.cumsum(sizes)
        self.slices = {name: slice(end - size, end) for name, size, end in zip(self.names, sizes, ends)}
        self.size = int(sum(sizes))
        self.low = np.concatenate([[], *(np.where(np.isfinite(e.low), 0.0, -np.inf) for e in self.entries.values())])
        self.high = np.concatenate([[], *(np.where(np.isfinite(e.high), 1.0, np.inf) for e in self.entries.values())])

    def start(self) -> np.ndarray:
        """Vector (size,) of the values that the model began with, moved into the bounds."""
        return np.clip(np.concatenate([[], *map(_positions, self.entries.values())]), self.low, self.high)

    def unpack(self, u: np.ndarray) -> dict[str, Value]:
        """Values by name, shaped as the model takes them."""
        values: dict[str, Value] = {}
        for name, entry in self.entries.items():
            value = np.clip(_values(u[self.slices[name]], entry), entry.low, entry.high)
            values[name] = value.reshape(entry.shape) if entry.shape else float(value[0])
        return values

    def pull_back(self, u: np.ndarray, grads: Mapping[str, Value]) -> np.ndarray:
        """Derivative with respect to the vector, from those with respect to the values."""
        bars = [np.ravel(grads[name]) * _slopes(u[self.slices[name]], e) for name, e in self.entries.items()]
        return np.concatenate([[], *bars])


def _values(u: np.ndarray, entry: Entry) -> np.ndarray:
    return np.where(entry.is_log, _least(entry) * entry.ratio**u, entry.origin + u * entry.span)


def _slopes(u: np.ndarray, entry: Entry) -> np.ndarray:
    # value = low * ratio ** u, or origin + u * span
    return np.where(entry.is_log, _least(entry) * entry.ratio**u * np.log(entry.ratio), entry.span)


def _least(entry: Entry) -> np.ndarray:
    """Lower bound of what moves by its logarithm; 1 elsewhere, where the bound may be infinite."""
    return np.where(entry.is_log, entry.low, 1.0)


def _positions(entry: Entry) -> np.ndarray:
    """Entries of the vector that give the start, or the bound next to it."""
    value = np.clip(entry.start, entry.low, entry.high)
    logarithmic = np.log(np.where(entry.is_log, value / _least(entry), 1)) / np.where(
        entry.is_log, np.log(entry.ratio), 1
    )
    return np.where(entry.is_log, logarithmic, (value - entry.origin) / entry.span)


def _entry(name: str, start: np.ndarray, bounds: Bounds | None) -> Entry:
    shape = start.shape
    try:
        low, high = (-np.inf, np.inf) if bounds is None else bounds
    except (TypeError, ValueError):
        raise ValueError(f"bounds of {name} are {bounds!r}; they must be a pair (lowest, highest).") from None
    try:
        low, high = (np.broadcast_to(np.asarray(b, dtype=float), shape).ravel() for b in (low, high))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"bounds of {name} have shapes {np.shape(low)} and {np.shape(high)}; they must be numbers, or arrays of "
            f"shape {shape}."
        ) from error
    if not (low < high).all():
        raise ValueError(f"bounds of {name} are {low} and {high}; every lower one must lie below its upper one.")
    if (np.isfinite(low) != np.isfinite(high)).any():
        raise ValueError(f"bounds of {name} are {low} and {high}; give both ends finite, or neither.")
    bounded = np.isfinite(low)
    start = start.ravel()
    magnitudes = np.sort(np.abs([low, high]), axis=0)
    is_log = bounded & (low * high > 0) & (magnitudes[1] >= WIDE * magnitudes[0])
    return Entry(
        start=start,
        shape=shape,
        low=low,
        high=high,
        is_log=is_log,
        ratio=np.divide(high, low, out=np.ones_like(low), where=is_log),
        origin=np.where(bounded, low, start),
        span=np.where(bounded, high - low, np.maximum(np.abs(start), 1)),
    )
