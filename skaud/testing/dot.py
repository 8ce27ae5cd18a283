"""The dot test of an adjoint."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skaud._types import Estimator, Features, Signals
from skaud.estimator.vjp import check_wrt


def dot_test(
    estimator: Estimator,
    X: Signals,
    *,
    wrt: str | Sequence[str] | None = None,
    output: str | None = None,
    rtol: float = 1e-12,
    random_state: int = 0,
) -> dict[str, float]:
    """Test an adjoint: <value_bar, J d> must be <J^T value_bar, d>, for random d and value_bar.

    The left side takes the directional derivative J d of the estimator's own response, computed forwards; that of the
    models by a complex step, exact to rounding. The right side is what `vjp` returns. Both are computed in float64, on
    a clone of the estimator, without pooling.

    Parameters
    ----------
    estimator : estimator with `vjp`
        A model or stage, or one of your own; see Notes.
    X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
        Sound, or whatever the stage takes.
    wrt : str or sequence of str, default=None
        Names to test; None stands for "X" and every parameter that has a derivative.
    output : str, default=None
        A name that `simulate` knows, at full rate, or "features", the frames; None stands for ``estimator.output`` at
        full rate. Stages of your own have "features" alone.
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
    TypeError
        If the estimator lacks a method that the test needs.
    ValueError
        If it has no derivative with respect to a name in wrt, or no such output.

    Notes
    -----
    A class of your own needs, besides `get_params`, `set_params` and `fit` as any estimator of scikit-learn:

    - ``vjp(X)``, which returns ``value``, an array, or a list of arrays where X is one, and ``pullback``; as for the
      models, ``pullback(value_bar)`` returns a dict of derivatives, "X" shaped as X, and parameters by name;
    - ``jvp(X, directions)``, which returns J d, shaped as ``value``; `directions` has some of those names, each with an
      array shaped as its derivative. It shares no code with the adjoint: the formulas of the response suffice, in
      complex numbers, with an imaginary part so small that its square vanishes.

    Parameters named dtype and pooling are set to "float64" and None.

    Examples
    --------
    >>> from skaud import CARFAC, datasets
    >>> from skaud.testing import dot_test
    >>> X = datasets.make_tone([1000], duration_s=0.02, sample_rate=22050)
    >>> differences = dot_test(CARFAC(), X, wrt=["X", "v_offset"])
    >>> max(differences.values()) < 1e-12
    True

    A stage of one's own, the square of a signal with a gain:

    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator
    >>> class Square(BaseEstimator):
    ...     def __init__(self, gain=2.0):
    ...         self.gain = gain
    ...
    ...     def fit(self, X, y=None):
    ...         return self
    ...
    ...     def vjp(self, X):
    ...         def pullback(value_bar):
    ...             return {"X": 2 * self.gain * X * value_bar, "gain": (X**2 * value_bar).sum()}
    ...
    ...         return self.gain * X**2, pullback
    ...
    ...     def jvp(self, X, directions):
    ...         step = 1e-30
    ...         gain = self.gain + 1j * step * directions.get("gain", 0)
    ...         X = X + 1j * step * directions.get("X", 0)
    ...         return (gain * X**2).imag / step
    >>> sorted(dot_test(Square(), np.array([[0.5, -1.0, 2.0]])))
    ['X', 'gain']
    """
    is_model = hasattr(estimator, "movable")
    needed = ("get_params", "fit", "vjp") if is_model else ("get_params", "fit", "vjp", "jvp")
    lacking = [name for name in needed if not callable(getattr(estimator, name, None))]
    if lacking:
        raise TypeError(
            f"{type(estimator).__name__} has no {' and no '.join(lacking)}; dot_test compares vjp(X), the adjoint, "
            "with jvp(X, directions), the derivative computed forwards: add what is missing, as its notes say."
        )
    defined = estimator.get_params()
    wanted = {name: value for name, value in {"dtype": "float64", "pooling": None}.items() if name in defined}
    model = clone(estimator).set_params(**wanted)
    pair = _pair_of_model(model, X, wrt, output) if is_model else _pair_of_stage(model.fit(X), X, wrt, output)
    rng = np.random.default_rng(random_state)
    differences = {}
    for name in pair.names:
        directions = [rng.standard_normal(shape) for shape in pair.shapes(name)]
        derivatives = pair.forwards(name, directions)
        # With the signs of J d nothing cancels in the inner product: the difference is that of the derivatives.
        signs = [jd / np.where(jd == 0, 1, np.abs(jd)) for jd in derivatives]
        bars = [np.abs(rng.standard_normal(jd.shape)) * sign for jd, sign in zip(derivatives, signs)]
        gradients = [np.ravel(bar) for bar in pair.backwards(name, bars)]
        forward = float(sum(np.vdot(bar, jd).real for bar, jd in zip(bars, derivatives)))
        backward = float(sum(gradient @ np.ravel(d) for gradient, d in zip(gradients, directions)))
        differences[name] = abs(forward - backward) / max(abs(forward), abs(backward), np.finfo(float).tiny)
        if not differences[name] <= rtol:
            raise AssertionError(
                f"dot test of {type(model).__name__}, {pair.output} with respect to {name}: <value_bar, J d> = "
                f"{forward!r}, <J^T value_bar, d> = {backward!r}; they differ by {differences[name]:.2e} of the "
                f"larger, more than rtol={rtol}."
            )
    return differences


class _Pair(NamedTuple):
    """A response's derivative and its adjoint; of each name a list of arrays."""

    output: str
    names: tuple[str, ...]
    shapes: Callable[[str], list[tuple[int, ...]]]
    forwards: Callable[[str, list[np.ndarray]], list[np.ndarray]]
    backwards: Callable[[str, list[np.ndarray]], list[np.ndarray]]


def _pair_of_model(model: Estimator, X: Signals, wrt: str | Sequence[str] | None, output: str | None) -> _Pair:
    movable = model.movable(X)
    names = check_wrt(movable.model, wrt, movable.differentiable())
    response = movable.model.output if output is None else output

    def shapes(name: str) -> list[tuple[int, ...]]:
        return movable.shapes_of_clips() if name == "X" else [movable.value(name).shape]

    def forwards(name: str, directions: list[np.ndarray]) -> list[np.ndarray]:
        return movable.derivatives(name, directions, response)

    def backwards(name: str, bars: list[np.ndarray]) -> list[np.ndarray]:
        value, pullback = movable.model.vjp(X, wrt=name, output=response)
        grads = pullback([bar.reshape(np.shape(v)) for bar, v in zip(bars, value)])[name]
        return list(grads) if name == "X" else [grads]

    return _Pair(response, names, shapes, forwards, backwards)


def _pair_of_stage(model: Estimator, X: Signals, wrt: str | Sequence[str] | None, output: str | None) -> _Pair:
    if output not in (None, "features"):
        raise ValueError(f"output={output!r} must be None or 'features': {type(model).__name__} has no other.")
    is_list = isinstance(X, (list, tuple))
    X = [np.asarray(item, dtype=float) for item in X] if is_list else np.asarray(X, dtype=float)
    value, pullback = model.vjp(X)
    shapes_of_value = list(map(np.shape, _as_list(value)))
    grads = pullback(value)
    if "X" not in grads or list(map(np.shape, _as_list(grads["X"]))) != list(map(np.shape, _as_list(X))):
        raise ValueError(f"the pullback of {type(model).__name__} must return 'X', shaped as X, and has {set(grads)}.")

    def shapes(name: str) -> list[tuple[int, ...]]:
        return list(map(np.shape, _as_list(grads[name])))

    def forwards(name: str, directions: list[np.ndarray]) -> list[np.ndarray]:
        in_list = name == "X" and is_list
        derivatives = _as_list(model.jvp(X, {name: directions if in_list else directions[0]}))
        if list(map(np.shape, derivatives)) != shapes_of_value:
            raise ValueError(
                f"jvp of {type(model).__name__} along {name} returns shapes {list(map(np.shape, derivatives))} where "
                f"vjp returns {shapes_of_value}; they must be the same."
            )
        return derivatives

    def backwards(name: str, bars: list[np.ndarray]) -> list[np.ndarray]:
        return _as_list(pullback(bars if isinstance(value, list) else bars[0])[name])

    names = check_wrt(model, wrt, tuple(name for name in grads if name != "X"))
    return _Pair("features", names, shapes, forwards, backwards)


def _as_list(value: Features) -> list[Features]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
