"""Tests for those who write models and stages."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone


def dot_test(
    estimator: Any,
    X: Any,
    *,
    wrt: Sequence[str] | None = None,
    output: str | None = None,
    rtol: float = 1e-12,
    random_state: int = 0,
) -> dict[str, float]:
    """Test an adjoint: <value_bar, J d> must be <J^T value_bar, d>, for random d and value_bar.

    The left side takes the directional derivative J d of the model's own response by a complex step, exact to
    rounding; the right side is what `vjp` returns. Both are computed in float64, on a clone of the estimator, without
    pooling.

    Parameters
    ----------
    estimator : estimator with `vjp` and `_derivatives`
        The model; see `skaud._gradients.DifferentiableTransformer`.
    X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
        Sound.
    wrt : sequence of str, default=None
        Names to test; None stands for "X" and every parameter that has a derivative.
    output : str, default=None
        A name that `simulate` knows, at full rate, or "features", the frames; None stands for ``estimator.output`` at
        full rate.
    rtol : float, default=1e-12
        Largest difference allowed, over the larger of both.
    random_state : int, default=0
        Seed of d and value_bar.

    Returns
    -------
    dict of str to float
        Relative difference by name.

    Raises
    ------
    AssertionError
        If they differ; the message has both inner products.

    Examples
    --------
    >>> from skaud import CARFAC, datasets
    >>> from skaud.testing import dot_test
    >>> X = datasets.make_tone([1000], duration_s=0.02)
    >>> differences = dot_test(CARFAC(), X, wrt=["X", "v_offset"])
    >>> max(differences.values()) < 1e-12
    True
    """
    unpooled = {"pooling": None} if "pooling" in estimator.get_params() else {}
    model = clone(estimator).set_params(dtype="float64", **unpooled).fit(X)
    output = model.output if output is None else output
    source, frame_length = (model.output, model._frame_samples()) if output == "features" else (output, None)
    names = ("X", *model._differentiable()) if wrt is None else tuple(wrt)
    rng = np.random.default_rng(random_state)
    sounds = model._sounds(X, None)
    level = model._to_level(np.ones(1))[0]
    differences = {}
    for name in names:
        steps = [np.zeros(clip.shape) for clip in sounds.clips]
        parameter_steps = {}
        if name == "X":
            directions = [rng.standard_normal(clip.shape) for clip in sounds.clips]
            steps = [level * direction for direction in directions]
        else:
            directions = [rng.standard_normal(model._differentiated(name).shape)]
            parameter_steps = {name: directions[0]}
        derivatives = model._derivatives(sounds.clips, steps, parameter_steps, source, frame_length)
        # With the signs of J d nothing cancels in the inner product: the difference is that of the derivatives.
        signs = [jd / np.where(jd == 0, 1, np.abs(jd)) for jd in derivatives]
        bars = [np.abs(rng.standard_normal(jd.shape)) * sign for jd, sign in zip(derivatives, signs)]
        value, pullback = model.vjp(X, wrt=name, output=output)
        grads = pullback([bar.reshape(np.shape(v)) for bar, v in zip(bars, value)])[name]
        gradients = [np.ravel(bar) for bar in (grads if name == "X" else [grads])]
        forward = float(sum(np.vdot(bar, jd).real for bar, jd in zip(bars, derivatives)))
        backward = float(sum(gradient @ np.ravel(d) for gradient, d in zip(gradients, directions)))
        differences[name] = abs(forward - backward) / max(abs(forward), abs(backward), np.finfo(float).tiny)
        if not differences[name] <= rtol:
            raise AssertionError(
                f"dot test of {type(model).__name__}, {output} with respect to {name}: <value_bar, J d> = {forward!r}, "
                f"<J^T value_bar, d> = {backward!r}; they differ by {differences[name]:.2e} of the larger, more than "
                f"rtol={rtol}."
            )
    return differences
