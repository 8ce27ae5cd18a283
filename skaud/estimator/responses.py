"""How clips go through a model's engine: in batches, on threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import TypeVar

import numpy as np
from joblib import cpu_count, effective_n_jobs

from skaud.engines.engine import Engine, respond, respond_side_by_side
from skaud.estimator.listening import BroughtToLevel, to_level
from skaud.estimator.pooled import Check, pool_clips
from skaud.estimator.protocol import Model
from skaud.estimator.results import check_responses, check_rows, stack
from skaud.estimator.sounds import Sounds
from skaud.kernels.threads import threads
from skaud.sound import all_finite

SAMPLES_AT_ONCE = 2**15  # of clips of one length in a batch

Result = TypeVar("Result")
Run = Callable[[Engine, Sequence, Check], list[Result]]  # of the clips of a batch, as the engine takes them
Hear = Callable[[list[np.ndarray], list[float | None]], Sequence]  # clips at their level, of clips and scales of theirs


def full_responses(model: Model, sounds: Sounds, names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
    """Full-rate responses (n_ears, n_channels, n_samples) by name, a tuple a clip."""

    def run(engine: Engine, clips: Sequence[np.ndarray], check: Check) -> list[tuple[np.ndarray, ...]]:
        found = respond(engine, clips[0][np.newaxis], names, None)
        for name in names:
            check(0, found[name][0])
        return [tuple(found[name][0] for name in names)]

    return _map(model, run, sounds, [[i] for i in range(len(sounds.clips))])


def frames_of(model: Model, sounds: Sounds, frame_samples: int | None) -> list[np.ndarray]:
    """Frames (n_ears, n_channels, n_frames) of the output, of every clip; None: every sample."""

    def run(engine: Engine, clips: Sequence[np.ndarray], check: Check) -> list[np.ndarray]:
        found = list(respond_side_by_side(engine, clips, model.output, frame_samples))
        for i, frames in enumerate(found):
            check(i, frames)
        return found

    return _map(model, run, sounds, _batches(model, sounds.clips))


def pooled_rows(model: Model, sounds: Sounds, frame_samples: int | None) -> np.ndarray:
    """Pooled features of every clip, (n_clips, n_features)."""

    def run(engine: Engine, clips: Sequence[np.ndarray], check: Check) -> list[np.ndarray]:
        return pool_clips(model, engine, clips, frame_samples, check)

    def hear(clips: list[np.ndarray], scales: list[float | None]) -> Sequence:
        is_long = max(clip.shape[-1] for clip in clips) // (frame_samples or 1) > model.frames_held
        if is_long and not model.takes_channels:
            return [BroughtToLevel(model, *own) for own in zip(clips, scales)]
        return _heard(model, clips, scales)

    rows = stack(_map(model, run, sounds, _batches(model, sounds.clips), hear))
    if not all_finite(rows):
        check_rows(model, rows, sounds.clips, range(len(rows)))
    return rows


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


def _map(
    model: Model, run: Run[Result], sounds: Sounds, batches: list[list[int]], hear: Hear | None = None
) -> list[Result]:
    """What run has for every clip."""
    engine = engine_for_batches(model, len(batches))
    hear = hear or partial(_heard, model)

    def job(indices: list[int]) -> list[Result]:  # no more than its own clips, at their level, are held
        heard = hear([sounds.clips[i] for i in indices], [sounds.scales[i] for i in indices])

        def check(k: int, response: np.ndarray) -> None:
            check_responses(model, [response], [sounds.clips[indices[k]]], [indices[k]])

        return run(engine, model.as_engine_takes(heard), check)

    with threads(threads_for(model, len(batches))) as map_in_order:
        done = map_in_order(job, batches)
        by_index = {i: own for batch, results in zip(batches, done) for i, own in zip(batch, results)}
    return [by_index[i] for i in range(len(sounds.clips))]


def _heard(model: Model, clips: list[np.ndarray], scales: list[float | None]) -> Sequence[np.ndarray]:
    """Clips at their level; short ones of one length at one scale all at once, in one array."""
    alike = len(set(scales)) == 1 and len({clip.shape for clip in clips}) == 1
    if alike and 1 < len(clips) <= SAMPLES_AT_ONCE // clips[0].size:
        together = np.concatenate(clips).reshape(len(clips), *clips[0].shape)  # np.stack takes twice as long
        return to_level(model, together, scales[0])  # type: ignore[return-value]
    return [to_level(model, *own) for own in zip(clips, scales)]


def threads_for(model: Model, n_batches: int) -> int:
    """Threads of this machine for so many batches: not one more than there is work for."""
    return min(effective_n_jobs(model.n_jobs), n_batches, cpu_count())


def engine_for_batches(model: Model, n_batches: int) -> Engine:
    """The model's engine, with the threads that so many batches do not need."""
    engine = model.engine_
    return engine.with_threads(max(1, effective_n_jobs(model.n_jobs) // n_batches)) if engine.spreads else engine
