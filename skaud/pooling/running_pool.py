"""Pooling of frames that come block by block, where it can be in memory that does not grow with their number."""

from typing import Protocol

import numpy as np

from skaud.pooling.arrays import pool
from skaud.pooling.statistics import Statistics, columns, part_slice, several


class RunningPool:
    """`pool` of one signal whose n_frames frames (..., n) come in order, in blocks.

    A signal that comes in one block is pooled by `pool` as it comes. Of one in several blocks nothing is kept but sums,
    for statistics that `can_run` accepts; for others, all frames.
    """

    def __init__(self, n_frames: int, statistics: Statistics, segments: int = 1) -> None:
        self._n_frames, self._statistics, self._segments = n_frames, statistics, segments
        self._done = 0
        self._parts: list[tuple[slice, Running]] = []  # of every block of features
        self._held: np.ndarray | None = None  # frames
        self._row: np.ndarray | None = None
        self._dtype: np.dtype | None = None

    def add(self, frames: np.ndarray) -> None:
        """Take the next frames (..., n)."""
        begin, self._done = self._done, self._done + frames.shape[-1]
        if frames.shape[-1] == self._n_frames:
            self._row = pool(frames, self._statistics, self._segments)
            return
        if not can_run(self._statistics):
            if self._held is None:
                self._held = np.empty((*frames.shape[:-1], self._n_frames), frames.dtype)
            self._held[..., begin : self._done] = frames
            return
        if not self._parts:
            self._dtype = frames.dtype
            self._parts = [
                (part_slice(self._n_frames, part, n_parts), _make(name))
                for name, _, part, n_parts in columns(self._statistics, self._segments)
            ]
        for part, running in self._parts:
            own = frames[..., max(part.start - begin, 0) : max(part.stop - begin, 0)]
            if own.shape[-1]:
                running.add(own)

    def result(self) -> np.ndarray:
        """What `pool` makes of all frames, in the dtype of the frames."""
        if self._row is not None:
            return self._row
        if self._held is not None:
            return pool(self._held, self._statistics, self._segments)
        pooled = [np.ravel(running.result()) for _, running in self._parts]
        return np.concatenate(pooled).astype(self._dtype)


def can_run(statistics: Statistics) -> bool:
    """Whether all statistics can be computed without holding the frames: order statistics and callables cannot."""
    return all(
        isinstance(statistic, str) and statistic.split("delta_")[-1] in ("mean", "std", "min", "max")
        for statistic in several(statistics)
    )


class Running(Protocol):
    """A statistic of frames seen so far."""

    def add(self, frames: np.ndarray) -> None:
        """Take the next frames (..., n), at least one."""

    def result(self) -> np.ndarray:
        """Value (...) for all frames."""


class _Moments:
    """Mean or standard deviation, in float64; blocks are merged as in Chan, Golub & LeVeque 1983."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n, self.mean, self.squares = 0, np.zeros(()), np.zeros(())  # squares: sum of those of the deviations

    def add(self, frames: np.ndarray) -> None:
        n = frames.shape[-1]
        mean = np.asarray(np.mean(frames, axis=-1, dtype=np.float64))
        step = mean - self.mean
        if self.name == "std":
            own = np.square(frames - mean[..., np.newaxis]).sum(axis=-1)
            self.squares = self.squares + own + step**2 * (self.n * n / (self.n + n))
        self.n += n
        self.mean = self.mean + step * (n / self.n)

    def result(self) -> np.ndarray:
        return self.mean if self.name == "mean" else np.sqrt(self.squares / self.n)


class _Extreme:
    """Least or largest value."""

    def __init__(self, name: str) -> None:
        self.pick = np.minimum if name == "min" else np.maximum
        self.value: np.ndarray | None = None

    def add(self, frames: np.ndarray) -> None:
        own = self.pick.reduce(frames, axis=-1)
        self.value = own if self.value is None else self.pick(self.value, own)

    def result(self) -> np.ndarray:
        assert self.value is not None
        return self.value


class _Differences:
    """A statistic of the differences between neighbours; of a single frame, that of no difference, 0."""

    def __init__(self, statistic: Running) -> None:
        self.statistic = statistic
        self.last: np.ndarray | None = None
        self.n = 0

    def add(self, frames: np.ndarray) -> None:
        joined = frames if self.last is None else np.concatenate([self.last, frames], axis=-1)
        self.last, self.n = frames[..., -1:].copy(), self.n + frames.shape[-1]
        if joined.shape[-1] > 1:
            self.statistic.add(np.diff(joined, axis=-1))

    def result(self) -> np.ndarray:
        if self.n == 1:
            assert self.last is not None
            self.statistic.add(np.zeros_like(self.last))
        return self.statistic.result()


def _make(name: str) -> Running:
    if name.startswith("delta_"):
        return _Differences(_make(name.removeprefix("delta_")))
    return _Moments(name) if name in ("mean", "std") else _Extreme(name)
