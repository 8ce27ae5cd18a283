"""How clips go through a model's engine: in batches, on threads, pooled as they come."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TypeVar

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from skaud.engines.engine import Engine, respond, respond_in_blocks, respond_side_by_side
from skaud.estimator.listening import to_level
from skaud.estimator.protocol import Model
from skaud.estimator.results import check_responses, check_rows, stack
from skaud.estimator.sounds import Sounds
from skaud.pooling.arrays import pool, pool_arrays
from skaud.pooling.running import RunningPool, can_run
from skaud.pooling.statistics import columns

POOLED_AT_ONCE = 512  # frames of some channels, which double precision makes larger
TAKEN_AT_ONCE = 1024  # frames that these come from
SAMPLES_AT_ONCE = 2**15  # of clips of one length in a batch

Result = TypeVar("Result")
Check = Callable[[int, np.ndarray], None]  # refuses a response to clip i of a batch that is not finite
Run = Callable[[Engine, list[np.ndarray], Check], list[Result]]  # of the clips of a batch, as the engine takes them


def full_responses(model: Model, sounds: Sounds, names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
    """Full-rate responses (n_ears, n_channels, n_samples) by name, a tuple a clip."""

    def run(engine: Engine, clips: list[np.ndarray], check: Check) -> list[tuple[np.ndarray, ...]]:
        found = respond(engine, clips[0][np.newaxis], names, None)
        for name in names:
            check(0, found[name][0])
        return [tuple(found[name][0] for name in names)]

    return _map(model, run, sounds, [[i] for i in range(len(sounds.clips))])


def frames_of(model: Model, sounds: Sounds, frame_samples: int | None) -> list[np.ndarray]:
    """Frames (n_ears, n_channels, n_frames) of the output, of every clip; None: every sample."""

    def run(engine: Engine, clips: list[np.ndarray], check: Check) -> list[np.ndarray]:
        found = respond_side_by_side(engine, clips, model.output, frame_samples)
        for i, frames in enumerate(found):
            check(i, frames)
        return found

    return _map(model, run, sounds, _batches(model, sounds.clips))


def pooled_rows(model: Model, sounds: Sounds, frame_samples: int | None) -> list[np.ndarray]:
    """Pooled features of every clip, (n_features,)."""

    def run(engine: Engine, clips: list[np.ndarray], check: Check) -> list[np.ndarray]:
        return _pool_batch(model, engine, clips, frame_samples, check)

    rows = _map(model, run, sounds, _batches(model, sounds.clips))
    check_rows(model, rows, sounds.clips, range(len(rows)))
    return rows


def _pool_batch(
    model: Model, engine: Engine, clips: list[np.ndarray], frame_samples: int | None, check: Check
) -> list[np.ndarray]:
    """Pooled features of clips side by side; frames of a long one are not held, where its statistics allow it."""
    statistics, segments = model.how_pooled()
    n_frames = [max(1, clip.shape[-1] // (frame_samples or 1)) for clip in clips]
    is_long = max(n_frames) > model.frames_held
    if is_long and len(parts := parts_of(engine, model.output)) > 1:
        last = len(engine.engines) - 1
        taken = [engine.taken_by(last, clip[np.newaxis])[0] for clip in clips]
        return [_pool_in_parts(model, parts, x, partial(check, i)) for i, x in enumerate(taken)]
    with np.errstate(over="ignore", invalid="ignore"):  # named by the check of the rows
        if not is_long or not can_run(statistics):
            whole = respond_side_by_side(engine, clips, model.output, frame_samples)
            for i, frames in enumerate(whole):
                check(i, frames)
            if clips[0].shape == clips[-1].shape:
                return list(pool_arrays(stack(whole), statistics, segments))
            return [pool(frames, statistics, segments) for frames in whole]
        pools = [RunningPool(n, statistics, segments) for n in n_frames]
        for i, frames in respond_in_blocks(engine, clips, model.output, frame_samples):
            check(i, frames)
            pools[i].add(frames)
        return [own.result() for own in pools]


def parts_of(engine: Engine, output: str) -> list[Engine]:
    """Engines of some channels of the output each, where the last engine has it; one where that holds no less."""
    last = engine.engines[-1]
    return last.apart() if output in last.outputs else [last]


def _pool_in_parts(model: Model, parts: list[Engine], x: np.ndarray, check: Callable[[np.ndarray], None]) -> np.ndarray:
    """Pooled features of what the last engine takes of a clip, some channels after others: parts of that engine."""
    n_columns = len(columns(*model.how_pooled()))
    pooled = [pool_part(model, part, x, check).reshape(n_columns, len(x), -1) for part in parts]
    return np.concatenate(pooled, axis=-1).ravel()


def pool_part(model: Model, part: Engine, x: np.ndarray, check: Callable[[np.ndarray], None]) -> np.ndarray:
    """Pooled features of some channels of a clip."""
    statistics, segments = model.how_pooled()
    running = RunningPool(x.shape[-1], statistics, segments)
    if not can_run(statistics):
        (whole,) = respond_side_by_side(part, [x], model.output, None)
        check(whole)
        running.add(whole)
        return running.result()
    for _, frames in respond_in_blocks(part, [x], model.output, None, TAKEN_AT_ONCE):
        add_frames(running, frames, check)
    return running.result()


def add_frames(running: RunningPool, frames: np.ndarray, check: Callable[[np.ndarray], None]) -> None:
    """Pool frames that are checked, few at a time."""
    check(frames)
    for begin in range(0, frames.shape[-1], POOLED_AT_ONCE):
        running.add(frames[..., begin : begin + POOLED_AT_ONCE])


# --- batches and threads ---


def _batches(model: Model, clips: list[np.ndarray]) -> list[list[int]]:
    """Indices of clips that run side by side: neighbours in length, with the shortest first.

    Short clips of one length come in larger batches, where engines take several: what is done once a batch then costs
    each of them little.
    """
    order = sorted(range(len(clips)), key=lambda i: clips[i].shape[-1])
    side_by_side = max(1, model.engine_.signals_at_once // clips[0].shape[0])
    batches = [order[i : i + side_by_side] for i in range(0, len(order), side_by_side)]
    if side_by_side == 1:
        return batches
    most, joined = ceil(len(clips) / effective_n_jobs(model.n_jobs)), batches[:1]
    for batch in batches[1:]:
        first, together = clips[joined[-1][0]], len(joined[-1]) + len(batch)
        if clips[batch[-1]].shape == first.shape and together <= most and together * first.size <= SAMPLES_AT_ONCE:
            joined[-1] = joined[-1] + batch
        else:
            joined.append(batch)
    return joined


def _map(model: Model, run: Run[Result], sounds: Sounds, batches: list[list[int]]) -> list[Result]:
    """What run has for every clip."""
    engine = engine_for_batches(model, len(batches))

    def job(indices: list[int]) -> list[Result]:  # no more than its own clips, at their level, are held
        heard = [to_level(model, sounds.clips[i], sounds.scales[i]) for i in indices]

        def check(k: int, response: np.ndarray) -> None:
            check_responses(model, [response], [sounds.clips[indices[k]]], [indices[k]])

        return run(engine, model.as_engine_takes(heard), check)

    n_jobs = min(effective_n_jobs(model.n_jobs), len(batches))  # not a thread more than there is work for
    if n_jobs == 1:
        done = map(job, batches)
    else:
        done = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(job)(batch) for batch in batches)
    by_index = {i: own for batch, results in zip(batches, done) for i, own in zip(batch, results)}
    return [by_index[i] for i in range(len(sounds.clips))]


def engine_for_batches(model: Model, n_batches: int) -> Engine:
    """The model's engine, with the threads that so many batches do not need."""
    engine = model.engine_
    return engine.with_threads(max(1, effective_n_jobs(model.n_jobs) // n_batches)) if engine.spreads else engine
