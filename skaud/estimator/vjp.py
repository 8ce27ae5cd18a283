"""Vector-Jacobian products of models: the adjoint of transform and simulate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
from joblib import effective_n_jobs

from skaud._types import Features, Signals
from skaud.engines.engine import Engine, frame_of
from skaud.estimator.device import vjp_on_device
from skaud.estimator.listening import hear, shaped_as_x
from skaud.estimator.protocol import Model, Source, as_names
from skaud.estimator.responses import engine_for_batches, threads_for
from skaud.estimator.results import check_gradients, check_responses, check_rows, stack, take_value_bar
from skaud.estimator.sounds import Sounds
from skaud.fitting.movable import Gradients, Pullback
from skaud.kernels.threads import threads
from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.arrays import pool

# From the bars of the responses of a batch to those of its clips, and of the coefficients for every group of them.
Batch = Callable[[list[np.ndarray]], tuple[list[np.ndarray], list[tuple[np.ndarray, ...]]]]


def check_wrt(estimator: object, wrt: str | Sequence[str] | None, differentiable: tuple[str, ...]) -> tuple[str, ...]:
    """Names of what to differentiate with respect to, "X" and parameters that have a derivative."""
    names = ("X", *differentiable) if wrt is None else as_names("wrt", wrt, ("X", *differentiable))
    for name in names:
        if name != "X" and name not in differentiable:
            raise ValueError(
                f"wrt has {name!r}; with these parameters {type(estimator).__name__} has derivatives with respect to "
                f"'X' and {differentiable}, choose among them."
            )
    return names


def vjp(model: Model, X: Signals, wrt: str | Sequence[str] | None, output: str) -> tuple[Features, Pullback]:
    """Response to X, in its library, and the function that takes derivatives back through it."""
    names = check_wrt(model, wrt, model.differentiable())
    source = model.source_of(output)
    sounds = hear(model, X, at_model_rate=True)
    value, pullback = vjp_of_sounds(model, sounds, names, source)
    place = sounds.place
    if place.like is None:
        return value, pullback

    def pullback_of_library(value_bar: Features) -> Gradients:
        grads = pullback(value_bar)
        return grads | {name: place.give(grads[name]) for name in ("X",) if name in grads}

    return place.give(value), pullback_of_library


def vjp_of_sounds(model: Model, sounds: Sounds, names: tuple[str, ...], source: Source) -> tuple[Features, Pullback]:
    """`vjp` of sounds that are checked: at the model's rate and level, in its dtype."""
    if not sounds.place.on_host:
        return vjp_on_device(model, sounds, names, source)
    batches = _equal_batches(model, sounds.clips)
    engine = engine_for_batches(model, len(batches))

    def record(batch: list[int]) -> tuple[list[np.ndarray], Batch]:
        return _record(model, engine, [sounds.clips[i] for i in batch], source, names)

    n_threads = threads_for(model, len(batches))
    with threads(n_threads) as map_in_order:
        runs = list(map_in_order(record, batches))
    responses: list[np.ndarray] = [np.empty(0)] * len(sounds.clips)
    for batch, (batch_responses, _) in zip(batches, runs):
        for i, response in zip(batch, batch_responses):
            responses[i] = response
    (check_rows if source.pooled else check_responses)(model, responses, sounds.clips, range(len(responses)))
    own_shapes = [response.shape for response in responses]
    whole = responses if source.pooled or sounds.has_ears else [response[0] for response in responses]
    value: Features = stack(whole) if source.pooled or sounds.is_array else whole

    def pullback(value_bar: Features) -> Gradients:
        bars = [np.asarray(bar) for bar in take_value_bar(value_bar, value, sounds.place)]
        bars = [bar.reshape(shape) for bar, shape in zip(bars, own_shapes)]

        def reverse(batch: list[int], back: Batch) -> tuple[list[np.ndarray], list[tuple[np.ndarray, ...]]]:
            return back([bars[i] for i in batch])

        with threads(n_threads) as map_in_order:
            found = list(map_in_order(reverse, batches, [back for _, back in runs]))
        x_bars: list[np.ndarray] = [np.empty(0)] * len(bars)
        # In the order of the signals, however they were divided among threads: the sums are the same to the bit.
        groups = []
        for batch, (clip_bars, of_coefficients) in zip(batches, found):
            for i, clip_bar in zip(batch, clip_bars):
                x_bars[i] = clip_bar
            groups += of_coefficients
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            try:
                total = tuple(np.sum(arrays, axis=0) for arrays in zip(*groups))
                grads = {name: model.parameter_bar(name, total) for name in names if name != "X"}
            except ArithmeticError:  # of a number of Python's
                grads = {name: np.array(np.nan) for name in names}
            if "X" in names:
                shaped = shaped_as_x(model, x_bars, sounds)
                grads = {"X": stack(shaped) if sounds.is_array else shaped} | grads
        check_gradients(model, grads, bars)
        return grads

    return value, pullback


def _record(
    model: Model, engine: Engine, clips: list[np.ndarray], source: Source, names: tuple[str, ...]
) -> tuple[list[np.ndarray], Batch]:
    """Responses to clips of one shape, or rows of their features, and their pullback.

    It takes the bars of the responses, and returns those of the clips, and, for every group of them, those of the
    coefficients.
    """
    wanted, x = model.wanted_parts(names), np.stack(model.as_engine_takes(clips))
    response, tapes = engine.record_in_groups(x, source.output, frame_of(x.shape[-1], source.frame_samples))

    def pullback(bars: list[np.ndarray]) -> tuple[list[np.ndarray], list[tuple[np.ndarray, ...]]]:
        if source.pooled:
            bars = [pool_adjoint(bar, own, *model.how_pooled()) for bar, own in zip(bars, response)]
        together = stack(bars)
        groups = [engine.pull_back(tape, together[own], wanted) for own, tape in tapes]
        x_bars = [own for x_bar, _ in groups for own in x_bar]
        return [own.reshape(clip.shape) for own, clip in zip(x_bars, clips)], [bars for _, bars in groups]

    return [pool(own, *model.how_pooled()) for own in response] if source.pooled else list(response), pullback


def _equal_batches(model: Model, clips: list[np.ndarray]) -> list[list[int]]:
    """Indices of clips that run side by side: of one shape."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, clip in enumerate(clips):
        by_shape.setdefault(clip.shape, []).append(i)
    batches, side_by_side = [], model.engine_.signals_at_once
    for group in by_shape.values():
        size = at_once = max(1, side_by_side // clips[0].shape[0])
        if side_by_side > 1:  # as many as a job can have: their responses then lie together
            size = at_once * ceil(len(group) / (at_once * effective_n_jobs(model.n_jobs)))
        batches += [group[i : i + size] for i in range(0, len(group), size)]
    return batches
