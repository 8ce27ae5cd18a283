"""Steps of a pipeline on frames, and the unions and pipelines within it: which are there, and a way through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, TypeGuard

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.parallel import Parallel, delayed

from skaud._types import Estimator, Features
from skaud.kernels.array_api import Array, array_namespace, is_foreign
from skaud.pooling.temporal import TemporalPooling

RATES_ALIKE = 0.02

Step: TypeAlias = Estimator | str | None  # a place in a pipeline, which may be left free


def is_there(step: Step) -> TypeGuard[Estimator]:
    """Whether a place is not left free; a union that scikit-learn fitted has a function that does nothing there."""
    is_free = step is None or isinstance(step, str) or (isinstance(step, FunctionTransformer) and step.func is None)
    return not is_free


def steps_of(pipeline: Pipeline) -> list[Estimator]:
    """Steps that are there."""
    return [step for _, step in pipeline.steps if is_there(step)]


def parts_of(step: Step) -> list[Estimator]:
    """What stands directly within a pipeline or a union; nothing within other steps."""
    if isinstance(step, FeatureUnion):
        return [branch for _, branch in branches_of(step)]
    return steps_of(step) if isinstance(step, Pipeline) else []


def branches_of(union: FeatureUnion) -> list[tuple[str, Estimator]]:
    """Branches that are there."""
    return [(name, branch) for name, branch in union.transformer_list if branch not in ("drop", None)]


def weights_of(union: FeatureUnion) -> list[float]:
    """What the union multiplies the output of every branch by."""
    given = union.transformer_weights or {}
    return [float(given.get(name, 1)) for name, _ in branches_of(union)]


def steps_within(step: Step, prefix: str = "") -> Iterator[tuple[str, Estimator]]:
    """Steps that are no pipelines or unions, with the names that parameters have in front: "features__log__"."""
    if isinstance(step, (Pipeline, FeatureUnion)):
        for name, own in step.steps if isinstance(step, Pipeline) else branches_of(step):
            yield from steps_within(own, f"{prefix}{name}__")
    elif is_there(step):
        yield prefix, step


def pools(step: Step) -> bool:
    """Whether a step ends in rows of features, of a union in a branch."""
    return isinstance(step, TemporalPooling) or any(map(pools, parts_of(step)))


def fit_through(step: Step, frames: np.ndarray) -> np.ndarray:
    """Fit a step, and all that is within it, on frames; what comes out of it.

    A union of frames is none to scikit-learn, whose pipelines would refuse to fit one.
    """
    if isinstance(step, Pipeline):
        for own in steps_of(step):
            frames = fit_through(own, frames)
        return frames
    if isinstance(step, FeatureUnion):
        step._validate_transformers()
        step._validate_transformer_weights()
        if not branches_of(step):
            raise ValueError(
                f"a union drops all of its branches, {[name for name, _ in step.transformer_list]}; keep one."
            )
        return side_by_side(step, [fit_through(branch, frames) for branch in parts_of(step)])
    return _without_frame(step.fit(frames).transform(frames)) if is_there(step) else frames


def check_rates(step: Step, rate_hz: float, name: str = "") -> float:
    """Refuse a fitted step, or one within it, that is for another rate than that of what it takes; rate of its output.

    Frames have a whole number of samples, so that rates are equal to a fiftieth.
    """
    if isinstance(step, (Pipeline, FeatureUnion)):
        rates = [rate_hz]
        for part, own in step.steps if isinstance(step, Pipeline) else branches_of(step):
            before = rates[-1] if isinstance(step, Pipeline) else rate_hz
            rates.append(check_rates(own, before, f"{name}__{part}" if name else part))
        return rates[-1]
    if not is_there(step):
        return rate_hz
    parameters = step.get_params(deep=False)
    for parameter in [own for own in ("sample_rate", "frame_rate_hz") if own in parameters][:1]:
        own_hz = parameters[parameter]
        if abs(own_hz - rate_hz) > RATES_ALIKE * rate_hz:
            raise ValueError(
                f"step {name!r} has {parameter}={own_hz:g}, and what it takes comes {rate_hz:g} times a second; set "
                f"{name}__{parameter}={rate_hz:g}, or change what stands before it."
            )
    return float(getattr(step, "frame_rate_hz_", rate_hz))


def _without_frame(found: Features) -> Features:
    """Rows of features of a step that was told for itself to return a data frame, as an array."""
    return found.to_numpy() if hasattr(found, "to_numpy") else found


def go_through(step: Step, X: Features) -> Features:
    """Take frames, an array of any library or a list, through a fitted step."""
    if isinstance(step, Pipeline):
        for own in steps_of(step):
            X = go_through(own, X)
        return X
    if isinstance(step, FeatureUnion):
        # A library's current stream is that of the thread.
        n_jobs = 1 if is_foreign(X[0] if isinstance(X, list) else X) else step.n_jobs
        found = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(go_through)(own, X) for own in parts_of(step))
        return side_by_side(step, found)
    return _without_frame(step.transform(X)) if is_there(step) else X


def side_by_side(union: FeatureUnion, found: list[Features]) -> Features:
    """What the branches of a union made, weighted, as one: rows of features, or the channels of frames.

    found : arrays (n_signals, n_features) or (n_signals, n_channels, n_frames), or lists of (n_channels, n_frames)
    """
    if isinstance(found[0], list):
        return [_joined(union, list(own), axis=0) for own in zip(*found)]
    return _joined(union, found, axis=1)


def _joined(union: FeatureUnion, arrays: list[Array], axis: int) -> Array:
    shapes = [tuple(array.shape) for array in arrays]
    if any(len(own) > axis + 2 or own[axis + 1 :] != shapes[0][axis + 1 :] for own in shapes):
        names = [name for name, _ in branches_of(union)]
        raise ValueError(
            f"branches {', '.join(map(repr, names))} of a union give shapes {', '.join(map(str, shapes))}; side by "
            "side stand rows of features, or the channels of frames that are equally many, without axes of ears or "
            "filters: end every branch in a TemporalPooling."
        )
    weighted = [array if weight == 1 else array * weight for array, weight in zip(arrays, weights_of(union))]
    return weighted[0] if len(weighted) == 1 else array_namespace(weighted[0]).concat(weighted, axis=axis)
