"""Adjoint of pooling in NumPy: in double precision, so many numbers at a time as stay in a cache."""

import numpy as np

from skaud.pooling.arrays import statistic_adjoint
from skaud.pooling.statistics import Statistics, columns, part_slice, refuse_callables

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
            rows_bar[own, part] += statistic_adjoint(bar[own], name, numbers[:, part])
    return rows_bar.reshape(frames.shape)
