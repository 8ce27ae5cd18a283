"""Pooled features of clips: their frames held, or pooled as they come, of all channels or of some after others."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from skaud.engines.engine import Clip, Engine, respond_in_blocks, respond_side_by_side
from skaud.engines.pieces import join
from skaud.engines.series import series
from skaud.estimator.protocol import Model
from skaud.pooling.arrays import pool, pool_arrays
from skaud.pooling.running_pool import RunningPool, can_run
from skaud.pooling.statistics import columns
from skaud.sound import all_finite

POOLED_AT_ONCE = 512  # frames of some channels, which double precision makes larger
TAKEN_AT_ONCE = 1024  # frames that these come from
CHECKED_AT_ONCE = 2**16  # numbers, of short clips; of long ones the last tell

Check = Callable[[int, np.ndarray], None]  # refuses a response to clip i of a batch that is not finite


def pool_clips(
    model: Model, engine: Engine, clips: Sequence[Clip], frame_samples: int | None, check: Check
) -> list[np.ndarray]:
    """Pooled features of clips side by side; frames of a long one are not held, where its statistics allow it."""
    statistics, segments = model.how_pooled()
    n_frames = [max(1, clip.shape[-1] // (frame_samples or 1)) for clip in clips]
    is_long = max(n_frames) > model.frames_held
    parts = _parts_of(engine, model.output) if is_long else []
    with np.errstate(over="ignore", invalid="ignore"):  # named by the check of the rows
        if len(parts) > 1:
            return [_pool_in_parts(model, engine, parts, clip, partial(check, i)) for i, clip in enumerate(clips)]
        if not is_long:
            whole = respond_side_by_side(engine, clips, model.output, frame_samples)
            if not (isinstance(whole, np.ndarray) and whole.size <= CHECKED_AT_ONCE and all_finite(whole)):
                for i, frames in enumerate(whole):
                    check(i, frames)
            if isinstance(whole, np.ndarray):
                return list(pool_arrays(whole, statistics, segments))
            return [pool(frames, statistics, segments) for frames in whole]
        pools = [RunningPool(n, statistics, segments) for n in n_frames]
        for i, frames in respond_in_blocks(engine, clips, model.output, frame_samples):
            check(i, frames)
            pools[i].add(frames)
        return [own.result() for own in pools]


def _parts_of(engine: Engine, output: str) -> list[Engine]:
    """Engines of some channels of the output each, where the last engine has it; one where that holds no less."""
    last = engine.engines[-1]
    return last.apart() if output in last.outputs else [last]


def _pool_in_parts(
    model: Model, engine: Engine, parts: list[Engine], clip: Clip, check: Callable[[np.ndarray], None]
) -> np.ndarray:
    """Pooled features of a clip, whose last engine's response is pooled some channels after others, by parts of it."""
    taken, output, n_ears = _taken_by_last(engine, clip), (model.output,), len(clip)
    statistics, segments = model.how_pooled()
    n_frames = max(1, clip.shape[-1] // (model.frame_samples() or 1))
    pools = [RunningPool(n_frames, statistics, segments) for _ in parts]
    if can_run(statistics):
        states = [part.start(1, n_ears) for part in parts]
        for x in _rechunked(taken, TAKEN_AT_ONCE):
            for k, part in enumerate(parts):
                found, states[k] = part.run(x[np.newaxis], states[k], output, None)
                _add(pools[k], found[model.output][0], check)
        for part, state, own in zip(parts, states, pools):
            _add(own, part.finish(state, output, None)[model.output][0], check)
    else:
        x = join(list(taken))
        for part, own in zip(parts, pools):
            (whole,) = respond_side_by_side(part, [x], model.output, None)
            check(whole)
            own.add(whole)
    n_columns = len(columns(statistics, segments))
    return np.concatenate([own.result().reshape(n_columns, n_ears, -1) for own in pools], axis=-1).ravel()


def _taken_by_last(engine: Engine, clip: Clip) -> Iterator[np.ndarray]:
    """What the last of an engine's engines takes of a clip, in blocks."""
    if before := engine.engines[:-1]:
        front = series(before)
        yield from (frames for _, frames in respond_in_blocks(front, [clip], front.outputs[-1], None))
    else:
        yield clip[..., 0 : clip.shape[-1]]


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


def _add(running: RunningPool, frames: np.ndarray, check: Callable[[np.ndarray], None]) -> None:
    """Pool frames that are checked, few at a time."""
    check(frames)
    for begin in range(0, frames.shape[-1], POOLED_AT_ONCE):
        running.add(frames[..., begin : begin + POOLED_AT_ONCE])
