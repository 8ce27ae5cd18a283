"""Features of a clip that comes block by block through a pipeline: every step goes on where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from skaud._fitted import fitted_copy
from skaud._types import Estimator
from skaud.estimator.incoming import Incoming, frames_of_blocks, pool_blocks
from skaud.estimator.listening import to_level
from skaud.estimator.results import check_responses, check_rows
from skaud.frames.base import FrameTransformer, Heard
from skaud.pooling.running_pool import RunningPool
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.pipeline import FeaturePipeline
from skaud.recipes.steps import Step, branches_of, is_there, parts_of, pools, side_by_side, steps_of

_AT_ONCE = 512  # frames of all filters that go on together


def row_of_blocks(features: Estimator, blocks: Iterator[np.ndarray], n_ears: int | None, n_samples: int) -> np.ndarray:
    """Pooled features of a clip ([n_ears,] n_samples) at the model's rate, of a model or a `FeaturePipeline`.

    A model's are those of `transform`, to the bit; sums over the frames of a pipeline are made block by block, in
    double precision, which changes the last digits.
    """
    model, *steps = [features]
    if isinstance(features, FeaturePipeline):
        model, *steps = steps_of(features)
    clip = Incoming(model, blocks, n_ears, n_samples)
    if not steps:
        return pool_blocks(clip)
    frame_samples = clip.model.frame_samples()
    end = _Way(max(1, n_samples // (frame_samples or 1)), clip.has_ears).through(steps)
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


class _Way(NamedTuple):
    """What leads frames of a model through steps.

    n_frames : of the clip; has_ears : whether frames have an axis of them
    """

    n_frames: int
    has_ears: bool

    def through(self, steps: list[Step], end: _End | None = None) -> _End:
        """Steps, up to one that pools, or with frames to what is behind them all."""
        if not steps:
            assert end is not None, "frames are pooled"
            return end
        first, *rest = steps
        if isinstance(first, TemporalPooling):
            return _Pool(fitted_copy(first), self.n_frames)
        if isinstance(first, Pipeline):
            return self.through([*steps_of(first), *rest], end)
        if isinstance(first, FeatureUnion):
            branches = parts_of(first)
            if pools(first):
                return _Union(first, [self.through([branch]) for branch in branches])
            meeting = _Meeting(first, self.through(rest, end))
            return _Branches([self.through([branch], _Gate(meeting, k)) for k, branch in enumerate(branches)])
        behind = self.through(rest, end)
        if not is_there(first):
            return behind
        if isinstance(first, FrameTransformer):
            return _Step(fitted_copy(first), behind)
        return _Filters(fitted_copy(first), behind, self.has_ears)


class _Pool:
    """Frames pooled as they come."""

    def __init__(self, step: TemporalPooling, n_frames: int) -> None:
        self._running = RunningPool(n_frames, step.statistics, step.segments)

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        if frames.shape[-1]:
            self._running.add(frames)

    def row(self) -> np.ndarray:
        return self._running.result()


class _Branches:
    """Branches side by side, whose frames meet again."""

    def __init__(self, ends: list[_End]) -> None:
        self._ends = ends

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        for end in self._ends:
            end.take(frames, is_last)

    def row(self) -> np.ndarray:
        return self._ends[0].row()


class _Union(_Branches):
    """Branches side by side that pool."""

    def __init__(self, union: FeatureUnion, ends: list[_End]) -> None:
        super().__init__(ends)
        self._union = union

    def row(self) -> np.ndarray:
        row: np.ndarray = side_by_side(self._union, [end.row()[np.newaxis] for end in self._ends])[0]
        return row


class _Meeting:
    """Where frames of branches wait for each other, and go on as one."""

    def __init__(self, union: FeatureUnion, behind: _End) -> None:
        self._union, self.behind = union, behind
        self._held: dict[int, np.ndarray] = {}
        self._ended: set[int] = set()

    def take(self, k: int, frames: np.ndarray, is_last: bool) -> None:
        """Take the next frames of branch k."""
        self._held[k] = np.concatenate([self._held[k], frames], axis=-1) if k in self._held else frames
        if is_last:
            self._ended.add(k)
        n_branches = len(branches_of(self._union))
        if len(self._held) < n_branches:
            return
        has_ended = len(self._ended) == n_branches
        held = [self._held[k][np.newaxis] for k in range(n_branches)]
        n_frames = None if has_ended else min(own.shape[-1] for own in held)
        joined = side_by_side(self._union, [own[..., :n_frames] for own in held])[0]
        self._held = {k: own[..., joined.shape[-1] :] for k, own in self._held.items()}
        if joined.shape[-1] or has_ended:
            self.behind.take(joined, has_ended)


class _Gate:
    """The end of a branch whose frames meet those of others."""

    def __init__(self, meeting: _Meeting, k: int) -> None:
        self._meeting, self._k = meeting, k

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        self._meeting.take(self._k, frames, is_last)

    def row(self) -> np.ndarray:
        return self._meeting.behind.row()


class _Step:
    """A step on frames."""

    def __init__(self, step: FrameTransformer, behind: _End) -> None:
        self._step, self._behind = step, behind
        self._state: Heard = None

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        found, self._state = self._step.go_on(frames, self._state, is_last=is_last, i=0)
        if found.shape[-1] or is_last:
            self._behind.take(found, is_last)

    def row(self) -> np.ndarray:
        return self._behind.row()


class _Filters:
    """A model's stage on frames, such as STRFs."""

    def __init__(self, step: Estimator, behind: _End, has_ears: bool) -> None:
        self._step, self._behind, self._has_ears, self._state = step, behind, has_ears, None

    def take(self, frames: np.ndarray, is_last: bool) -> None:
        clip = to_level(self._step, frames if self._has_ears else frames[np.newaxis])
        waiting = None
        for piece in self._pieces(clip, is_last):
            if waiting is not None:
                self._behind.take(waiting, False)
            waiting = piece
        if waiting is not None:
            self._behind.take(waiting, is_last)

    def _pieces(self, clip: np.ndarray, is_last: bool) -> Iterator[np.ndarray]:
        """Responses, a few frames at a time: of all filters no more than a block is held."""
        for block in self._blocks(clip, is_last):
            if block.shape[-1]:
                check_responses(self._step, [block], [clip], [0])
            for begin in range(0, block.shape[-1], _AT_ONCE):
                piece = block[..., begin : begin + _AT_ONCE].copy()
                yield piece if self._has_ears else piece[0]
            del block

    def _blocks(self, clip: np.ndarray, is_last: bool) -> Iterator[np.ndarray]:
        engine, output, frame_samples = self._step.engine_, self._step.output, self._step.frame_samples()
        (x,) = self._step.as_engine_takes([clip])
        state = engine.start(1, len(x)) if self._state is None else self._state
        responses, self._state = engine.run(x[np.newaxis], state, (output,), frame_samples)
        yield responses.pop(output)[0]
        if is_last:
            for ended in engine.ends(self._state, (output,), frame_samples):
                yield ended.pop(output)[0]

    def row(self) -> np.ndarray:
        return self._behind.row()
