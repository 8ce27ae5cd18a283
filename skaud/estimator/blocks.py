"""Features of a clip that comes block by block, as from a file that is longer than memory: those of `transform`."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from skaud._fitted import fitted_copy
from skaud.engines.engine import Engine, join, respond_in_blocks
from skaud.engines.series import Series
from skaud.estimator.computing import TAKEN_AT_ONCE, add_frames, parts_of, pool_part
from skaud.estimator.listening import to_level
from skaud.estimator.protocol import Model
from skaud.estimator.results import check_responses, check_rows
from skaud.estimator.sounds import warn_of_powers
from skaud.pooling.arrays import pool
from skaud.pooling.running import RunningPool, can_run
from skaud.pooling.statistics import columns
from skaud.sound import energy


class Incoming:
    """A clip (n_ears, n_samples) whose samples come in blocks; those that were asked for are forgotten.

    heard : what makes of a block (n_ears, n) what the model's engine takes
    """

    def __init__(
        self, blocks: Iterator[np.ndarray], n_ears: int, n_samples: int, heard: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self._blocks, self._heard, self._waiting, self._begin = blocks, heard, np.empty((n_ears, 0)), 0
        self.shape = n_ears, n_samples
        self.last, self.energy = self._waiting, 0.0  # the block that came last, as it came; energy of all

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        if key is np.newaxis:
            return self[..., 0 : self.shape[-1]][np.newaxis]
        _, samples = key
        if samples.start != self._begin:
            raise IndexError(f"samples come in order, from {self._begin} on, and {samples.start} was asked for")
        pieces, n_wanted = [self._waiting], samples.stop - samples.start
        while sum(piece.shape[-1] for piece in pieces) < n_wanted:
            block = next(self._blocks).reshape(len(self), -1)
            self.last, self.energy = block, self.energy + energy(block)
            pieces.append(self._heard(block))
        joined = join(pieces)
        self._waiting, self._begin = joined[:, n_wanted:], samples.stop
        return joined[:, :n_wanted]


def pool_blocks(model: Model, blocks: Iterator[np.ndarray], n_ears: int | None, n_samples: int) -> np.ndarray:
    """Pooled features of a clip ([n_ears,] n_samples) at the model's rate, as `transform` has them, to the bit.

    Memory grows with the clip only where a statistic needs all frames.
    """
    model = fitted_copy(model)
    frames_of = _Frames(model, blocks, n_ears or 1, n_samples)
    (statistics, segments), parts = model.how_pooled(), parts_of(model.engine_, model.output)
    is_long = frames_of.n_frames > model.frames_held
    with np.errstate(over="ignore", invalid="ignore"):  # named by the check of the row
        if is_long and len(parts) > 1:
            row = _pool_in_parts(model, parts, frames_of)
        elif is_long and can_run(statistics):
            running = RunningPool(frames_of.n_frames, statistics, segments)
            for frames in frames_of:
                running.add(frames)
            row = running.result()
        else:
            row = pool(join(list(frames_of)), statistics, segments)
    check_rows(model, [row], [frames_of.clip.last], [0])
    frames_of.warn_of_level()
    return row


class _Frames:
    """Frames (n_ears, n_channels, n) of the output, in order, with those checked that are not finite."""

    def __init__(self, model: Model, blocks: Iterator[np.ndarray], n_ears: int, n_samples: int) -> None:
        self.model = model
        self.frame_samples = model.frame_samples()
        self.n_frames = max(1, n_samples // (self.frame_samples or 1))
        self.clip = Incoming(blocks, n_ears, n_samples, partial(to_level, model))

    def __iter__(self) -> Iterator[np.ndarray]:
        return self.of_engine(self.model.engine_, self.model.output, self.frame_samples)

    def of_engine(self, engine: Engine, output: str, frame_samples: int | None) -> Iterator[np.ndarray]:
        clips: Any = [self.clip]
        for _, frames in respond_in_blocks(engine, clips, output, frame_samples):
            self.check(frames)
            yield frames

    def check(self, frames: np.ndarray) -> None:
        check_responses(self.model, [frames], [self.clip.last], [0])

    def warn_of_level(self) -> None:
        """As `transform` does, of the whole clip."""
        n_ears, n_samples = self.clip.shape
        warn_of_powers([self.clip.energy / (n_ears * n_samples)], [self.model.level_of_one()])


def frames_of_blocks(
    model: Model, blocks: Iterator[np.ndarray], n_ears: int | None, n_samples: int
) -> Iterator[np.ndarray]:
    """Frames ([n_ears,] n_channels, n) of a clip that comes in blocks, one after the other."""
    frames_of = _Frames(fitted_copy(model), blocks, n_ears or 1, n_samples)
    for frames in frames_of:
        yield frames[0] if n_ears is None else frames
    frames_of.warn_of_level()


def _pool_in_parts(model: Model, parts: list[Engine], frames_of: _Frames) -> np.ndarray:
    """Row of a model whose last engine's response is pooled some channels after others; parts run side by side."""
    before = model.engine_.engines[:-1]
    front = before[0] if len(before) == 1 else Series(before)
    taken = frames_of.of_engine(front, front.outputs[-1], None)
    statistics, segments = model.how_pooled()
    n_ears, n_columns = len(frames_of.clip), len(columns(statistics, segments))
    if not can_run(statistics):
        x = join(list(taken))
        rows = [pool_part(model, part, x, frames_of.check) for part in parts]
    else:
        pools = [RunningPool(frames_of.n_frames, statistics, segments) for _ in parts]
        states = [part.start(1, n_ears) for part in parts]
        for x in _rechunked(taken, TAKEN_AT_ONCE):
            for k, part in enumerate(parts):
                found, states[k] = part.run(x[np.newaxis], states[k], (model.output,), None)
                add_frames(pools[k], found[model.output][0], frames_of.check)
        for part, state, own in zip(parts, states, pools):
            add_frames(own, part.finish(state, (model.output,), None)[model.output][0], frames_of.check)
        rows = [own.result() for own in pools]
    return np.concatenate([row.reshape(n_columns, n_ears, -1) for row in rows], axis=-1).ravel()


def _rechunked(pieces: Iterator[np.ndarray], n: int) -> Iterator[np.ndarray]:
    """The same frames, n at a time."""
    waiting: list[np.ndarray] = []
    for piece in pieces:
        joined = join([*waiting, piece])
        whole = joined.shape[-1] // n * n
        for begin in range(0, whole, n):
            yield joined[..., begin : begin + n]
        waiting = [joined[..., whole:]]
    if waiting and waiting[0].shape[-1]:
        yield waiting[0]
