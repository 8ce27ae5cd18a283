"""Vector-Jacobian products of models, clip by clip, from those of arrays of one kind."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.validation import check_is_fitted

from skaud._array_api import array_namespace, is_foreign
from skaud._responses import stack
from skaud.stages.pooling import pool, pool_adjoint


def differentiate(
    model: Any, X: Any, wrt: str | Iterable[str] | None, output: str
) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
    """`vjp` of a model with `_respond`, `_pull_back`, `_learnable` and `_gain`."""
    check_is_fitted(model)
    known = ("X", *model._learnable)
    names = known if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in names:
        if name not in known:
            raise ValueError(f"wrt has {name!r}; {type(model).__name__} has gradients for {known}, choose among them.")
    if output != "features":
        model._check_outputs(output)
    if is_foreign(X):
        return _differentiate_rows(model, X, names, output)
    pooled = output == "features" and model.pooling is not None
    if pooled:
        pooling = model._pooling()
    stage = model.output if output == "features" else output
    sounds = model._sounds(X, None)
    n_threads = effective_n_jobs(model.n_jobs)
    responses = [model._respond(clip, (stage,), n_threads) for clip in sounds.clips]
    frames = [response[stage] if sounds.has_ears else response[stage][0] for response in responses]
    # A caller may change the value before the pullback runs.
    values = [pool(response, *pooling) if pooled else response.copy() for response in frames]
    together = sounds.is_array or pooled

    def pullback(value_bar: Any) -> dict[str, Any]:
        shapes, wanted = [np.shape(bar) for bar in value_bar], [value.shape for value in values]
        if shapes != wanted:
            raise ValueError(
                f"value_bar has shapes {shapes}, signal by signal; they must be those of the value, {wanted}."
            )
        grads: list[dict[str, Any]] = []
        for i, bar in enumerate(value_bar):
            if pooled:
                bar = pool_adjoint(np.asarray(bar), frames[i], *pooling)
            bar = _in_precision(np.asarray(bar), frames[i])
            bar = bar if sounds.has_ears else bar[np.newaxis]
            grads.append(model._pull_back(bar, stage, sounds.clips[i], responses[i], set(names), n_threads))
        total = {name: sum(grad[name] for grad in grads) for name in names if name != "X"}
        if "X" in names:
            gain = model._gain()
            x_bars = [grad["X"] if gain == 1 else grad["X"] * np.asarray(gain, grad["X"].dtype) for grad in grads]
            x_bars = x_bars if sounds.has_ears else [x_bar[0] for x_bar in x_bars]
            total["X"] = stack(x_bars) if sounds.is_array else x_bars
        return {name: total[name] for name in names}

    return stack(values) if together else values, pullback


def _differentiate_rows(
    model: Any, X: Any, names: tuple[str, ...], output: str
) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
    """For an array of another library: all signals at once."""
    if output == "features" and model.pooling is not None:
        raise ValueError(
            f"pooling={model.pooling!r} has no gradient for a {type(X).__name__}; set pooling=None, or pass "
            "a NumPy array."
        )
    stage = model.output if output == "features" else output
    x = model._as_rows(X)
    responses = model._respond(x, (stage,), 1)
    value = responses[stage]

    def pullback(value_bar: Any) -> dict[str, Any]:
        if tuple(value_bar.shape) != tuple(value.shape):
            raise ValueError(
                f"value_bar has shape {tuple(value_bar.shape)}; it must be that of the value, {tuple(value.shape)}."
            )
        bar = array_namespace(value).astype(value_bar, value.dtype)
        grads = model._pull_back(bar, stage, x, responses, set(names), 1)
        if "X" in names:
            grads["X"] = grads["X"] * model._gain()
        return {name: grads[name] for name in names}

    return value, pullback


def _in_precision(bar: np.ndarray, response: np.ndarray) -> np.ndarray:
    """bar in the response's dtype; an error where it is complex and the response is not."""
    if np.iscomplexobj(bar) and not np.iscomplexobj(response):
        raise ValueError(f"value_bar is {bar.dtype} for a real value; pass its real part.")
    return np.ascontiguousarray(bar, response.dtype)
