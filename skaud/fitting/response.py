"""System identification: parameters of a model from its response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from skaud._parameters import check_given
from skaud._types import Estimator, Features, Signals
from skaud.fitting.movable import Bounds, Movable
from skaud.fitting.parameters import BoundedParameters, names_to_learn
from skaud.fitting.solvers import minimize_lbfgs, warn_unless_converged
from skaud.kernels.array_api import of_host

CONSTRAINTS: dict = {
    "output": [str],
    "bounds": [Mapping, None],
    "prior_weight": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
}
FLOOR = 0.03  # of the strongest channel: a weaker one counts no more than if it had this level


def fit_response(
    estimator: Estimator,
    X: Signals,
    target: Features,
    *,
    learn: str | Sequence[str],
    output: str = "features",
    sample_rate: float | Sequence[float] | None = None,
    bounds: Mapping[str, Bounds] | None = None,
    prior_weight: float = 0.0,
    max_iter: int = 500,
    tol: float = 1e-12,
    verbose: int = 0,
) -> Estimator:
    """Find the parameters with which a model responds to sound as was measured.

    The mean squared error, every channel of every clip relative to its own level in the target, is minimised by
    L-BFGS-B with the model's adjoint, in float64, from the parameters that the estimator has.

    Parameters
    ----------
    estimator : AudioTransformer
        Model to start from: `CARFAC`, `BiomimeticFrontend`, any that has `vjp`. It is left as it is.
    X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
        Sound. To tell the channels apart it must excite them all, as tones of several frequencies and a click do.
    target : array or list of arrays
        Response to X, shaped as `transform`, or `simulate`, returns it.
    learn : str or sequence of str
        Parameters to find. A number stays one number; to find `ohc_health` channel by channel, let the estimator have
        an array, or a callable.
    output : str, default="features"
        What target is: "features" as `transform` returns them, or a name that `simulate` knows, at full rate.
    sample_rate : float or sequence of float, default=None
        Rate of the clips in Hz, as for `fit`.
    bounds : dict of str to (low, high), default=None
        Lowest and highest values by parameter, numbers or arrays, instead of the model's own.
    prior_weight : float, default=0.0
        Weight of the mean squared distance of the parameters from where they start, in parts of the range between their
        bounds: it keeps at its start what the response does not tell.
    max_iter : int, default=500
        Iterations of L-BFGS-B.
    tol : float, default=1e-12
        The fit ends where an iteration lowers the loss by less than ``tol * max(1, loss)``.
    verbose : int, default=0
        Print the loss of every iteration.

    Returns
    -------
    estimator
        A fitted clone that has found the parameters: ``ohc_health_`` and so on, besides `n_iter_` and `loss_curve_`;
        with an audiogram, `predicted_audiogram_` and `residual_loss_db_` are those of the clone.

    Raises
    ------
    TypeError
        If the estimator has no `vjp`, or learn is no name.
    ValueError
        If target is not shaped as the response, learn names what the model has no derivative for or what the fit to its
        audiogram finds, bounds name what is not learned, or another argument is out of its range.

    Warns
    -----
    ConvergenceWarning
        If the fit reached `max_iter`.

    Examples
    --------
    >>> from skaud import CARFAC, datasets
    >>> from skaud.fitting import fit_response
    >>> X = datasets.make_tone([500, 1000], duration_s=0.05, sample_rate=8000)
    >>> measured = CARFAC(8000, velocity_scale=0.3).fit_transform(X)
    >>> model = fit_response(CARFAC(8000), X, measured, learn="velocity_scale")
    >>> round(model.velocity_scale_, 3)
    0.3
    """
    given = {
        "output": output,
        "bounds": bounds,
        "prior_weight": prior_weight,
        "max_iter": max_iter,
        "tol": tol,
        "verbose": verbose,
    }
    check_given(CONSTRAINTS, given, "fit_response")
    if not hasattr(estimator, "movable"):
        raise TypeError(f"estimator is {type(estimator).__name__}, which has no vjp; pass a model that has, CARFAC().")
    model = clone(estimator).set_params(dtype="float64").movable(X, sample_rate)
    names = names_to_learn(model, learn, model.known())
    parameters = BoundedParameters(model, names, bounds)
    objective = _ResponseObjective(model, parameters, target, output, prior_weight)

    def watch(u: np.ndarray, loss: float) -> bool:
        if verbose:
            print(f"{model.name}: loss {loss:.6g}")
        return False

    solution = minimize_lbfgs(
        objective, parameters.start(), (parameters.low, parameters.high), max_iter=max_iter, tol=tol, watch=watch
    )
    fitted = estimator.movable(X, sample_rate, fixed=model.fixed)
    fitted.settle(parameters.unpack(solution.x))
    fitted.measure()
    fitted.model.n_iter_, fitted.model.loss_curve_ = solution.n_iter, solution.loss_curve
    warn_unless_converged(model.name, solution)
    return fitted.model


class _ResponseObjective:
    """Mean squared error of a response, relative to the target's levels, as a function of the parameters' vector."""

    def __init__(
        self, model: Movable, parameters: BoundedParameters, target: Features, output: str, prior_weight: float
    ) -> None:
        self.model, self.parameters, self.output = model, parameters, output
        self.prior_weight, self.start = prior_weight, parameters.start()
        value, _ = model.vjp((), output)
        self.target = _check_target(target, value)
        self.scales = _scales(self.target)
        self.size = sum(response.size for response in self.target)

    def __call__(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        self.model.move(self.parameters.unpack(u))
        value, pullback = self.model.vjp(self.parameters.names, self.output)
        errors = [(v - t) / scale for v, t, scale in zip(value, self.target, self.scales)]
        loss = sum(float((np.abs(error) ** 2).sum()) for error in errors) / self.size
        # loss = sum(|(value - target) / scale|^2) / size
        grads = pullback([error / scale * (2 / self.size) for error, scale in zip(errors, self.scales)])
        moved = u - self.start
        gradient = self.parameters.pull_back(u, grads) + 2 * self.prior_weight / u.size * moved
        return loss + self.prior_weight * float(moved @ moved) / u.size, gradient


def _check_target(target: Features, value: Features) -> list[np.ndarray]:
    """Target, clip by clip, shaped as the response."""
    responses, wanted = [np.asarray(t) for t in of_host(target, "target")], [v.shape for v in value]
    if len(responses) != len(wanted):
        raise ValueError(f"target has {len(responses)} responses, and X {len(wanted)} signals; pass one for each.")
    for i, (response, own) in enumerate(zip(responses, wanted)):
        if response.ndim and (*response.shape[:-1], 1, response.shape[-1]) == own:
            responses[i] = response[..., np.newaxis, :]  # ear filters return sound, without an axis of channels
    shapes = [r.shape for r in responses]
    for i, (shape, own) in enumerate(zip(shapes, wanted)):
        if shape != own:
            raise ValueError(
                f"target[{i}] has shape {shape}, and the model's response has {own}; measure the same output of the "
                "same channels, over the same time."
            )
    if not all(np.isfinite(r).all() for r in responses):
        raise ValueError("target has values that are NaN or infinite; leave these clips out.")
    return responses


def _scales(target: list[np.ndarray]) -> list[np.ndarray]:
    """Level of every channel of every response, over time; that of every pooled feature, over clips."""
    if target[0].ndim == 1:
        powers = [np.mean(np.abs(target) ** 2, axis=0)] * len(target)
    else:
        powers = [np.mean(np.abs(response) ** 2, axis=-1, keepdims=True) for response in target]
    scales = [np.sqrt(power + FLOOR**2 * power.max()) for power in powers]
    return [np.where(scale > 0, scale, 1.0) for scale in scales]
