"""Designs that cannot be computed: the parameter at fault is named."""

import copy
from collections.abc import Iterable
from inspect import signature

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator


def design_within_limits(estimator: BaseEstimator) -> None:
    """Let an estimator design itself; an error that names the parameter where a number overflows or is no number."""
    problem = _problem(estimator)
    if problem is None:
        return
    names = [name for name in changed(estimator) if _problem(_with_default(estimator, name)) is None]
    values = ", ".join(f"{name}={short(getattr(estimator, name))}" for name in names or changed(estimator))
    raise ValueError(
        f"{values or 'the parameters'} cannot be computed with ({problem}); choose "
        f"{'a value' if len(names) == 1 else 'values'} nearer to the default: "
        + ", ".join(f"{name}={short(_defaults(estimator)[name])}" for name in names or changed(estimator))
        + "."
    )


def _problem(estimator: BaseEstimator) -> str | None:
    """What is wrong with the design that an estimator makes."""
    before, state = dict(vars(estimator)), None
    try:
        with np.errstate(all="ignore"):
            estimator.redesign(estimator.found_)
            state = estimator.engine_.start(1, estimator.n_ears_in_ or 1)  # in its dtype, which may overflow
    except (ArithmeticError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    if any(not np.isfinite(n).all() for value in _parameters(estimator).values() for n in _numbers(value)):
        return None  # such as a limit of infinity, which stands for none
    new = (state, *(value for name, value in vars(estimator).items() if value is not before.get(name)))
    if any(not np.isfinite(n).all() for value in new for n in _numbers(value)):
        return "coefficients overflow or are no numbers"
    return None


def _numbers(value: object, depth: int = 0) -> Iterable[ArrayLike]:
    """All numbers in a value: those of arrays, of sequences, and of objects of this package."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fc":
            yield value
    elif isinstance(value, (float, complex, np.floating)):
        yield value
    elif depth < 6:
        own = type(value).__module__.startswith("skaud.") and hasattr(value, "__dict__")
        parts = value if isinstance(value, (list, tuple)) else vars(value).values() if own else ()
        parts = value.values() if isinstance(value, dict) else parts
        for part in parts:
            yield from _numbers(part, depth + 1)


def _parameters(estimator: BaseEstimator) -> dict[str, object]:
    return {name: getattr(estimator, name) for name in _defaults(estimator)}


def _defaults(estimator: BaseEstimator) -> dict[str, object]:
    parameters = signature(type(estimator).__init__).parameters.values()
    own = estimator.get_params(deep=False)
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.name in own}


def changed(estimator: BaseEstimator) -> list[str]:
    """Names of the parameters that are numbers and differ from their defaults."""
    defaults, changed = _defaults(estimator), []
    for name, value in _parameters(estimator).items():
        if callable(value) or isinstance(value, (str, bool)) or value is None:
            continue
        default = defaults[name]
        if value is not default and not np.array_equal(np.asarray(value, object), np.asarray(default, object)):
            changed.append(name)
    return changed


def _with_default(estimator: BaseEstimator, name: str) -> BaseEstimator:
    other = copy.copy(estimator)
    default = _defaults(estimator)[name]
    setattr(other, name, default)
    if hasattr(other, "at_fit_"):
        other.at_fit_ = other.at_fit_ | {name: default}
    return other


def short(value: object) -> str:
    """Text of a value, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
