"""Features of a clip that comes block by block through a pipeline: every step goes on where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Protocol

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from skaud._fitted import fitted_copy
from skaud.estimator.incoming import Incoming, frames_of_blocks, pool_blocks
from skaud.estimator.listening import to_level
from skaud.estimator.results import check_responses, check_rows
from skaud.frames.base import FrameTransformer
from skaud.pooling.running_pool import RunningPool
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.gradients import branches_of
from skaud.recipes.pipeline import FeaturePipeline

_AT_ONCE = 512  # frames of all filters that go on together


def row_of_blocks(features: Any, blocks: Iterator[np.ndarray], n_ears: int | None, n_samples: int) -> np.ndarray:
    """Pooled features of a clip ([n_ears,] n_samples) at the model's rate, of a model or a `FeaturePipeline`.

    A model's are those of `transform`, to the bit; sums over the frames of a pipeline are made block by block, in
    double precision, which changes the last digits.
    """
    model, *steps = [features]
    if isinstance(features, FeaturePipeline):
        model, *steps = [step for _, step in features.steps if step not in (None, "passthrough")]
    clip = Incoming(model, blocks, n_ears, n_samples)
    if not steps:
        return pool_blocks(clip)
    frame_samples = clip.model.frame_samples()
    end = _chain(steps, max(1, n_samples // (frame_samples or 1)), clip.has_ears)
    with np.errstate(over="ignore", invalid="ignore"):  # named below
        waiting = None
        for frames in frames_of_blocks(clip):
            if frames.shape[-1]:
                if waiting is not None:
                    end.take(waiting, False)
                waiting = frames
        assert waiting is not None
        end.take(waiting, True)
        row = end.row()
    check_rows(features, [row], [clip.last], [0])
    return row


class _End(Protocol):
    """What is behind a step."""

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        """Take the next frames ([n_ears,] ..., n_frames)."""

    def row(self) -> np.ndarray:
        """What came of all."""


def _chain(steps: list[Any], n_frames: int, has_ears: bool) -> _End:
    first, *rest = steps
    if isinstance(first, TemporalPooling):
        return _Pool(fitted_copy(first), n_frames)
    if isinstance(first, Pipeline):
        return _chain([*_there(first), *rest], n_frames, has_ears)
    if isinstance(first, FeatureUnion):
        return _Union([_chain([branch, *rest], n_frames, has_ears) for _, branch in branches_of(first)])
    behind = _chain(rest, n_frames, has_ears)
    if isinstance(first, FrameTransformer):
        return _Step(fitted_copy(first), behind)
    return _Filters(fitted_copy(first), behind, has_ears)


def _there(pipeline: Pipeline) -> list[Any]:
    return [step for _, step in pipeline.steps if step not in (None, "passthrough")]


class _Pool:
    """Frames pooled as they come."""

    def __init__(self, step: TemporalPooling, n_frames: int) -> None:
        self._running = RunningPool(n_frames, step.statistics, step.segments)

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        if frames.shape[-1]:
            self._running.add(frames)

    def row(self) -> np.ndarray:
        return self._running.result()


class _Union:
    """Branches side by side."""

    def __init__(self, ends: list[_End]) -> None:
        self._ends = ends

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        for end in self._ends:
            end.take(frames, is_last)

    def row(self) -> np.ndarray:
        return np.concatenate([end.row() for end in self._ends])


class _Step:
    """A step on frames."""

    def __init__(self, step: FrameTransformer, behind: _End) -> None:
        self._step, self._behind, self._state = step, behind, None

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        found, self._state = self._step.go_on(frames, self._state, is_last=is_last, i=0)
        if found.shape[-1] or is_last:
            self._behind.take(found, is_last)

    def row(self) -> np.ndarray:
        return self._behind.row()


class _Filters:
    """A model's stage on frames, such as STRFs."""

    def __init__(self, step: Any, behind: _End, has_ears: bool) -> None:
        self._step, self._behind, self._has_ears, self._state = step, behind, has_ears, None

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        engine, output = self._step.engine_, self._step.output
        clip = to_level(self._step, frames if self._has_ears else frames[np.newaxis])
        (x,) = self._step.as_engine_takes([clip])
        state = engine.start(1, len(x)) if self._state is None else self._state
        frame_samples = self._step.frame_samples()
        responses, self._state = engine.run(x[np.newaxis], state, (output,), frame_samples)
        pieces = [responses[output]]
        if is_last:
            pieces += engine.finish(self._state, (output,), frame_samples).values()
        found = [piece[0] for piece in pieces if piece.shape[-1]]
        check_responses(self._step, found, [clip] * len(found), [0] * len(found))
        some = list(chain.from_iterable(map(_in_pieces, found)))
        for k, piece in enumerate(some):
            self._behind.take(piece if self._has_ears else piece[0], is_last and k == len(some) - 1)

    def row(self) -> np.ndarray:
        return self._behind.row()


def _in_pieces(frames: np.ndarray) -> Iterator[np.ndarray]:
    for begin in range(0, frames.shape[-1], _AT_ONCE):
        yield frames[..., begin : begin + _AT_ONCE]
