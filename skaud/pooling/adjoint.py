"""Adjoints of the statistics over time."""

import numpy as np

from skaud.pooling.statistics import NAMED, Statistics, columns, part_slice, several

_PERCENT_OF = {"min": 0.0, "median": 50.0, "max": 100.0}

_NUMBERS_AT_ONCE = 1 << 14  # which stay in a CPU's cache


def pool_adjoint(pooled_bar: np.ndarray, frames: np.ndarray, statistics: Statistics, segments: int = 1) -> np.ndarray:
    """Derivative of an objective with respect to frames (..., n_frames), from that with respect to pool(frames)."""
    refuse_callables(statistics)
    n_frames = frames.shape[-1]
    rows = frames.reshape(-1, n_frames)
    rows_bar = np.zeros(rows.shape)
    blocks = columns(statistics, segments)
    bars = np.reshape(pooled_bar, (len(blocks), len(rows), 1))
    at_once = max(1, _NUMBERS_AT_ONCE // n_frames)
    for own in (slice(begin, begin + at_once) for begin in range(0, len(rows), at_once)):
        numbers = rows[own].astype(float)
        for (name, _, k, n_parts), bar in zip(blocks, bars):
            part = part_slice(n_frames, k, n_parts)
            # pooled.append(np.ravel(function(frames[..., part], axis=-1)))
            rows_bar[own, part] += _statistic_adjoint(bar[own], name, numbers[:, part])
    return rows_bar.reshape(frames.shape)


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
        rank = percent_of(name) / 100 * (n_frames - 1)
        below = min(int(rank), max(n_frames - 2, 0))
        order = np.argsort(frames, axis=-1)
        # frames[below] * (1 - (rank - below)) + frames[below + 1] * (rank - below), of the sorted frames
        np.put_along_axis(frames_bar, order[..., below : below + 1], bar * (1 - (rank - below)), axis=-1)
        if rank > below:
            np.put_along_axis(frames_bar, order[..., below + 1 : below + 2], bar * (rank - below), axis=-1)
    return frames_bar
