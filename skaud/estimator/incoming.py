"""Features of a clip that comes block by block, as from a file that is longer than memory: those of `transform`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skaud._fitted import fitted_copy
from skaud.engines.engine import respond_in_blocks
from skaud.engines.pieces import join
from skaud.estimator.listening import to_level
from skaud.estimator.pooled import pool_clips
from skaud.estimator.protocol import Model
from skaud.estimator.results import check_responses, check_rows
from skaud.estimator.sounds import warn_of_powers
from skaud.sound import energy


class Incoming:
    """A clip ([n_ears,] n_samples) at the rate of a fitted model, in blocks; what was asked for is forgotten.

    What comes out is (n_ears, n), as the model's engine takes it.
    """

    def __init__(self, model: Model, blocks: Iterator[np.ndarray], n_ears: int | None, n_samples: int) -> None:
        self.model: Model = fitted_copy(model)
        self.shape, self.has_ears = (n_ears or 1, n_samples), n_ears is not None
        self._blocks, self._waiting, self._begin = blocks, np.empty((n_ears or 1, 0)), 0
        self.last, self._energy = self._waiting, 0.0  # the block that came last, as it came; energy of all

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
            self.last, self._energy = block, self._energy + energy(block)
            pieces.append(to_level(self.model, block))
        joined = join(pieces)
        self._waiting, self._begin = joined[:, n_wanted:], samples.stop
        return joined[:, :n_wanted]

    def check(self, frames: np.ndarray) -> None:
        """Refuse a response that is not finite."""
        check_responses(self.model, [frames], [self.last], [0])

    def warn_of_level(self) -> None:
        """As `transform` does, once all came."""
        n_ears, n_samples = self.shape
        warn_of_powers([self._energy / (n_ears * n_samples)], [self.model.level_of_one()])


def pool_blocks(clip: Incoming) -> np.ndarray:
    """Pooled features of a clip, as `transform` has them, to the bit.

    Memory grows with the clip only where a statistic needs all frames.
    """
    model = clip.model
    rows = pool_clips(model, model.engine_, [clip], model.frame_samples(), lambda _, frames: clip.check(frames))
    check_rows(model, rows, [clip.last], [0])
    clip.warn_of_level()
    return rows[0]


def frames_of_blocks(clip: Incoming) -> Iterator[np.ndarray]:
    """Frames ([n_ears,] n_channels, n) of the model's output, one block after the other."""
    model = clip.model
    for _, frames in respond_in_blocks(model.engine_, [clip], model.output, model.frame_samples()):
        clip.check(frames)
        yield frames if clip.has_ears else frames[0]
    clip.warn_of_level()
