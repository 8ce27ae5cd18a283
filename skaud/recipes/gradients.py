"""Derivatives through the steps of a pipeline on frames, and the unions and pipelines within it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from skaud._fitted import fitted_copy
from skaud._types import Features
from skaud.fitting.movable import Gradients
from skaud.kernels.array_api import as_dtype, floating, is_foreign
from skaud.kernels.batches import gather, groups_of, in_order
from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.arrays import pool_arrays_adjoint
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.steps import Step, branches_of, is_there, side_by_side, steps_within, weights_of

Pull = Callable[[Features], tuple[Features, Gradients]]


def differentiable(step: Step) -> tuple[str, ...]:
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


def vjp_of(step: Step, X: Features, wrt: Sequence[str]) -> tuple[Features, Pull]:
    """Response of a step, and what takes derivatives back to X and to the parameters in wrt."""
    if isinstance(step, Pipeline):
        return vjp_through(step.steps, X, wrt)
    if isinstance(step, FeatureUnion):
        return _vjp_side_by_side(step, X, wrt)
    if isinstance(step, TemporalPooling):
        return step.transform(X), lambda bar: (_unpool(fitted_copy(step), X, bar), {})
    if not is_there(step):
        return X, lambda bar: (bar, {})
    value, pullback = step.vjp(X, wrt=("X", *wrt))

    def pull(bar: Features) -> tuple[Features, Gradients]:
        grads = pullback(bar)
        return grads.pop("X"), grads

    return value, pull


def vjp_through(steps: list[tuple[str, Step]], X: Features, wrt: Sequence[str]) -> tuple[Features, Pull]:
    """`vjp_of` of steps one behind the other."""
    pulls = []
    for name, step in steps:
        X, pull = vjp_of(step, X, within(name, wrt))
        pulls.append((name, pull))

    def back(bar: Features) -> tuple[Features, Gradients]:
        grads: Gradients = {}
        for name, pull in reversed(pulls):
            bar, own = pull(bar)
            grads = {f"{name}__{parameter}": value for parameter, value in own.items()} | grads
        return bar, grads

    return X, back


def _unpool(step: TemporalPooling, X: Features, bar: Features) -> Features:
    how = step.statistics, step.segments
    if is_foreign(bar):  # of a device
        frames = [as_dtype(own, floating(own)) for own in X] if isinstance(X, list) else as_dtype(X, floating(X))
        bars = [(own, pool_arrays_adjoint(gather(bar, own), some, *how)) for own, some in groups_of(frames)]
        return in_order(bars, is_array=not isinstance(X, list))
    of_host = [pool_adjoint(own, frames, *how) for own, frames in zip(bar, X)]
    return of_host if isinstance(X, list) else np.stack(of_host)


def _vjp_side_by_side(union: FeatureUnion, X: Features, wrt: Sequence[str]) -> tuple[Features, Pull]:
    branches = [(name, *vjp_of(branch, X, within(name, wrt))) for name, branch in branches_of(union)]
    widths = [value[0].shape[0] if isinstance(value, list) else value.shape[1] for _, value, _ in branches]

    def back(bar: Features) -> tuple[Features, Gradients]:
        x_bars: list[Features] = []
        grads: Gradients = {}
        parts = pairwise(accumulate(widths, initial=0))
        for (name, _, pull), (begin, end), weight in zip(branches, parts, weights_of(union)):
            # value = side_by_side(weight * own for own in branches)
            if isinstance(bar, list):
                x_bar, own = pull([weight * of_one[begin:end, ...] for of_one in bar])
            else:
                x_bar, own = pull(weight * bar[:, begin:end, ...])
            x_bars.append(x_bar)
            grads |= {f"{name}__{parameter}": value for parameter, value in own.items()}
        if isinstance(X, list):
            return [sum(rest, first) for first, *rest in zip(*x_bars)], grads
        first, *rest = x_bars
        return sum(rest, first), grads

    return side_by_side(union, [value for _, value, _ in branches]), back
