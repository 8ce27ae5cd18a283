"""Derivatives through the steps of a pipeline on frames, and the unions and pipelines within it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from skaud._fitted import fitted_copy
from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.temporal import TemporalPooling

Pull = Callable[[Any], tuple[Any, dict[str, Any]]]


def branches_of(union: FeatureUnion) -> list[tuple[str, Any]]:
    """Branches that are there."""
    return [(name, branch) for name, branch in union.transformer_list if branch not in ("drop", None)]


def steps_within(step: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Steps that are no pipelines or unions, with the names that parameters have in front: "features__log__"."""
    if isinstance(step, (Pipeline, FeatureUnion)):
        for name, own in step.steps if isinstance(step, Pipeline) else branches_of(step):
            yield from steps_within(own, f"{prefix}{name}__")
    elif step not in (None, "passthrough"):
        yield prefix, step


def differentiable(step: Any) -> tuple[str, ...]:
    """Parameters of a step, and of those within it, that have a derivative."""
    return tuple(
        f"{prefix}{name}"
        for prefix, own in steps_within(step)
        if not isinstance(own, TemporalPooling)
        for name in fitted_copy(own).differentiable()
    )


def within(name: str, wrt: Sequence[str]) -> list[str]:
    """Those of the names that belong to a step, as the step calls them."""
    return [parameter.removeprefix(f"{name}__") for parameter in wrt if parameter.startswith(f"{name}__")]


def vjp_of(step: Any, X: Any, wrt: Sequence[str]) -> tuple[Any, Pull]:
    """Response of a step, and what takes derivatives back to X and to the parameters in wrt."""
    if isinstance(step, Pipeline):
        return vjp_through(step.steps, X, wrt)
    if isinstance(step, FeatureUnion):
        return _vjp_side_by_side(step, X, wrt)
    if isinstance(step, TemporalPooling):
        return step.transform(X), lambda bar: (_unpool(step, X, bar), {})
    if step in (None, "passthrough"):
        return X, lambda bar: (bar, {})
    value, pullback = step.vjp(X, wrt=("X", *wrt))

    def pull(bar: Any) -> tuple[Any, dict[str, Any]]:
        grads = pullback(bar)
        return grads.pop("X"), grads

    return value, pull


def _unpool(step: TemporalPooling, X: Any, bar: Any) -> Any:
    bars = [pool_adjoint(own, frames, step.statistics, step.segments) for own, frames in zip(bar, X)]
    return bars if isinstance(X, list) else np.stack(bars)


def vjp_through(steps: list[tuple[str, Any]], X: Any, wrt: Sequence[str]) -> tuple[Any, Pull]:
    pulls = []
    for name, step in steps:
        X, pull = vjp_of(step, X, within(name, wrt))
        pulls.append((name, pull))

    def back(bar: Any) -> tuple[Any, dict[str, Any]]:
        grads: dict[str, Any] = {}
        for name, pull in reversed(pulls):
            bar, own = pull(bar)
            grads = {f"{name}__{parameter}": value for parameter, value in own.items()} | grads
        return bar, grads

    return X, back


def _vjp_side_by_side(union: FeatureUnion, X: Any, wrt: Sequence[str]) -> tuple[Any, Pull]:
    branches = [(name, *vjp_of(branch, X, within(name, wrt))) for name, branch in branches_of(union)]
    ends = np.cumsum([value.shape[1] for _, value, _ in branches])

    def back(bar: Any) -> tuple[Any, dict[str, Any]]:
        x_bars: list[Any] = []
        grads: dict[str, Any] = {}
        for (name, _, pull), own_bar in zip(branches, np.split(bar, ends[:-1], axis=1)):
            x_bar, own = pull(own_bar)
            x_bars.append(x_bar)
            grads |= {f"{name}__{parameter}": value for parameter, value in own.items()}
        if isinstance(X, list):
            return [sum(bars) for bars in zip(*x_bars)], grads
        return sum(x_bars), grads

    return np.hstack([value for _, value, _ in branches]), back
