"""Statistics over time of arrays of any library, all signals at once, and their adjoints: array-API code."""

from itertools import pairwise

import numpy as np

from skaud.kernels.array_api import Array, Place, array_namespace, place_of, zeros
from skaud.pooling.statistics import Function, Statistics, columns, part_slice, percent_of, refuse_callables


def pool_arrays(frames: Array, statistics: Statistics, segments: int = 1) -> Array:
    """Pool signals (n_signals, ..., n_frames) into (n_signals, n_columns * ...)."""
    xp, pooled = array_namespace(frames), []
    for name, function, part, n_parts in columns(statistics, segments):
        own = frames[..., part_slice(frames.shape[-1], part, n_parts)]
        value = _statistic(name, own) if function is None else _call(function, name, own)
        pooled.append(xp.reshape(value, (frames.shape[0], -1)))
    return pooled[0] if len(pooled) == 1 else xp.concat(pooled, axis=-1)


def pool(frames: np.ndarray, statistics: Statistics, segments: int = 1) -> np.ndarray:
    """Pool one signal, (..., n_frames), into (n_columns * ...,)."""
    row: np.ndarray = pool_arrays(frames[np.newaxis], statistics, segments)[0]
    return row


def pool_arrays_adjoint(pooled_bar: Array, frames: Array, statistics: Statistics, segments: int = 1) -> Array:
    """Derivative with respect to frames (n_signals, ..., n_frames), from that with respect to pool_arrays(frames)."""
    refuse_callables(statistics)
    xp, n_frames, blocks = array_namespace(frames), frames.shape[-1], columns(statistics, segments)
    bars = xp.reshape(pooled_bar, (frames.shape[0], len(blocks), *frames.shape[1:-1], 1))
    of_parts: dict[tuple[int, int], Array] = {}
    for k, (name, _, part, n_parts) in enumerate(blocks):
        own = part_slice(n_frames, part, n_parts)
        # pooled.append(statistic(frames[..., own]))
        bar = statistic_adjoint(bars[:, k, ...], name, frames[..., own])
        key = (own.start, own.stop)
        of_parts[key] = of_parts[key] + bar if key in of_parts else bar
    ends = sorted(of_parts)
    if ends[-1][1] == n_frames and all(a[1] == b[0] for a, b in pairwise(ends)):  # side by side
        return xp.concat([of_parts[key] for key in ends], axis=-1)
    return sum(_pad(bar, *key, n_frames) for key, bar in of_parts.items())


def _call(function: Function, name: str, frames: Array) -> Array:
    """The caller's function, of one signal of NumPy after the other, or of all that lie elsewhere, at once."""
    if isinstance(frames, np.ndarray):
        return np.stack([_call_of_one(function, name, own) for own in frames])
    place = place_of(frames)
    remedy = "name a statistic, write it with the array API, or pass ToNumpy().transform(X)"
    try:
        value = function(frames, axis=-1)
        given: Place | None = place_of(value) if hasattr(value, "shape") else None
    except Exception as error:
        raise TypeError(
            f"the statistic {name!r} cannot take frames that are {place} ({type(error).__name__}: {error}); {remedy}."
        ) from error
    made = "a number" if given is None else f"shape {tuple(value.shape)}, {given}"
    if given is None or not given.is_same(place) or tuple(value.shape) != tuple(frames.shape[:-1]):
        raise ValueError(
            f"the statistic {name!r} made {made}, of frames {tuple(frames.shape)}, "
            f"{place}; it must reduce the last axis, f(frames, axis=-1), and no other, and leave them there: {remedy}."
        )
    return value


def _call_of_one(function: Function, name: str, frames: np.ndarray) -> np.ndarray:
    value = function(frames, axis=-1)
    if np.shape(value) != frames.shape[:-1]:
        raise ValueError(
            f"the statistic {name!r} made shape {np.shape(value)} of frames {frames.shape}; it must reduce the last "
            "axis, f(frames, axis=-1), and no other."
        )
    return value


def _statistic(name: str, frames: Array) -> Array:
    """A named statistic over the last axis."""
    xp = array_namespace(frames)
    if name.startswith("delta_"):
        return _statistic(name.removeprefix("delta_"), _differences(frames))
    if name == "mean":
        return xp.mean(frames, axis=-1)
    if name == "std":
        return xp.std(frames, axis=-1)
    below, share = _rank(name, frames.shape[-1])
    if name in ("min", "max"):
        return (xp.min if name == "min" else xp.max)(frames, axis=-1)
    ordered = xp.sort(frames, axis=-1)
    if share == 0:
        return ordered[..., below]
    return ordered[..., below] * (1 - share) + ordered[..., below + 1] * share


def statistic_adjoint(bar: Array, name: str, frames: Array) -> Array:
    """Derivative with respect to frames (..., n_frames) of a statistic whose own is bar (..., 1)."""
    xp, n_frames = array_namespace(frames), frames.shape[-1]
    if name.startswith("delta_"):
        if n_frames == 1:
            return xp.zeros_like(frames)
        # differences = frames[1:] - frames[:-1]
        difference_bar = statistic_adjoint(bar, name.removeprefix("delta_"), _differences(frames))
        edge = xp.zeros_like(frames[..., :1])
        return xp.concat([edge, difference_bar], axis=-1) - xp.concat([difference_bar, edge], axis=-1)
    if name == "mean":
        return xp.zeros_like(frames) + bar / n_frames
    if name == "std":
        spread = xp.std(frames, axis=-1, keepdims=True)
        deviation = frames - xp.mean(frames, axis=-1, keepdims=True)
        safe = xp.where(spread > 0, spread, xp.ones_like(spread))
        return xp.where(spread > 0, bar * deviation / (n_frames * safe), xp.zeros_like(deviation))
    below, share = _rank(name, n_frames)
    ranks = xp.argsort(xp.argsort(frames, axis=-1, stable=True), axis=-1, stable=True)
    nothing = xp.zeros_like(frames)
    # ordered[below] * (1 - share) + ordered[below + 1] * share
    frames_bar = xp.where(ranks == below, bar * (1 - share) + nothing, nothing)
    return frames_bar if share == 0 else xp.where(ranks == below + 1, bar * share + nothing, frames_bar)


def _rank(name: str, n_frames: int) -> tuple[int, float]:
    """Of an order statistic: the lower of the two ranks that it lies between, and the share of the upper one."""
    rank = percent_of(name) / 100 * (n_frames - 1)
    below = min(int(rank), n_frames - 1)
    return below, rank - below


def _differences(frames: Array) -> Array:
    """Of neighbours; within a single frame nothing changes."""
    return frames[..., 1:] - frames[..., :-1] if frames.shape[-1] > 1 else array_namespace(frames).zeros_like(frames)


def _pad(piece: Array, start: int, stop: int, n_frames: int) -> Array:
    """Some frames among all, of which the others are 0."""
    xp = array_namespace(piece)

    def nothing(n: int) -> Array:
        return zeros((*piece.shape[:-1], n), piece)

    return xp.concat([nothing(start), piece, nothing(n_frames - stop)], axis=-1)
