"""Streams through the steps of a `FeaturePipeline`."""

from typing import Any, TypeGuard

from sklearn.pipeline import FeatureUnion, Pipeline

from skaud._types import Estimator, Features
from skaud.frames.base import FrameTransformer
from skaud.kernels.array_api import array_namespace
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.steps import Step, is_there, parts_of, pools, side_by_side, steps_of


def up_to_pooling(steps: list[Step]) -> list[Any]:
    """Steps before a pooling step; a union whose branches pool is the last."""
    found = []
    for step in steps:
        if isinstance(step, TemporalPooling):
            break
        found.append(step)
        if pools(step):
            break
    return found


def start(step: Step, n_signals: int, n_ears: int | None) -> Any:
    """State of a step before the first sample; a list or a tuple of those of steps that hold others."""
    if isinstance(step, Pipeline):
        return [start(own, n_signals, n_ears) for own in up_to_pooling(steps_of(step))]
    if isinstance(step, FeatureUnion):
        states = [start(branch, n_signals, n_ears) for branch in parts_of(step)]
        return states, [None] * len(states)
    if isinstance(step, FrameTransformer):
        return step.initial_state(n_signals)
    return step.initial_state(n_signals, n_ears=n_ears) if _goes_on(step) else None


def go_on(step: Step, X: Features, state: Any) -> tuple[Features, Any]:
    """What a step makes of the next samples or frames, and its state behind them."""
    if isinstance(step, Pipeline):
        states = []
        for own, before in zip(up_to_pooling(steps_of(step)), state):
            X, after = go_on(own, X, before)
            states.append(after)
        return X, states
    if isinstance(step, FeatureUnion):
        states, waiting = state
        done = [go_on(branch, X, own) for branch, own in zip(parts_of(step), states)]
        states, frames = [own for _, own in done], [own for own, _ in done]
        if pools(step):
            return frames, (states, waiting)
        # Branches that hear ahead are later: what the others gave waits for them.
        held = [
            new if old is None else array_namespace(new).concat([old, new], axis=-1)
            for old, new in zip(waiting, frames)
        ]
        n_frames = min(own.shape[-1] for own in held)
        joined = side_by_side(step, [own[..., :n_frames] for own in held])
        return joined, (states, [own[..., n_frames:] for own in held])
    return step.transform_chunk(X, state) if _goes_on(step) else (X, None)


def _goes_on(step: Step) -> TypeGuard[Estimator]:
    """Whether a step of a stream has a state; no step, or a branch that pools, hands frames on as they come."""
    return is_there(step) and not isinstance(step, TemporalPooling)
