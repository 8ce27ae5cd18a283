"""What a fitted estimator works with: its parameters as they were at the last fit, whatever was set since."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from inspect import signature
from typing import Any, TypeVar, cast

from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import _is_fitted, check_is_fitted

from skaud._types import Signals

AT_ONCE = ("n_jobs",)  # it changes no result, and need not wait for a fit

Method = TypeVar("Method", bound=Callable[..., Any])


@cache
def parameter_names(kind: type) -> tuple[str, ...]:
    """Names that get_params gives; it reads them from the constructor's signature, at every call."""
    return tuple(kind._get_param_names())  # type: ignore[attr-defined]


def remember_parameters(estimator: BaseEstimator) -> None:
    """Keep copies of the parameters, for all that follows this fit: what is set, or changed in place, waits."""
    given = estimator.get_params(deep=False)
    estimator.at_fit_ = {name: clone(value, safe=False) for name, value in given.items() if name not in AT_ONCE}


def forget(estimator: BaseEstimator) -> None:
    """Remove what an earlier fit found: a fit starts afresh."""
    for name in [name for name in vars(estimator) if name.endswith("_") and not name.startswith("__")]:
        delattr(estimator, name)


@contextmanager
def unfitted_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Leave no fitted attribute, of this fit or an earlier one, where what is done within fails."""
    try:
        yield
    except BaseException:  # whoever interrupts a fit gets no half of it either
        forget(estimator)
        raise


def is_fitted(estimator: BaseEstimator) -> bool:
    """Whether there was a fit; of an estimator of this package it is told fast, since streams ask with every chunk."""
    return "at_fit_" in vars(estimator) or _is_fitted(estimator)


def fitted_copy(estimator: BaseEstimator, **changed: object) -> Any:
    """A fitted estimator with the parameters of its last fit, some of them changed; an error if it is not fitted."""
    if not is_fitted(estimator):
        check_is_fitted(estimator)
    own = vars(estimator)
    at_fit = own.get("at_fit_", {})
    fitted = object.__new__(type(estimator))  # copy.copy takes ten times as long
    fitted.__dict__ = own | at_fit
    if changed:
        fitted.__dict__ |= changed
        fitted.at_fit_ = at_fit | changed
    return fitted


def designed_copy(estimator: BaseEstimator, X: Signals = None) -> Any:
    """The fitted estimator; one without a fit designs itself, for a call that takes X or, with None, nothing."""
    return fitted_copy(estimator if is_fitted(estimator) else estimator.designed_for(X))


def as_fitted(method: Method) -> Method:
    """Make a method see the parameters of the last fit; an error if there was none."""

    @wraps(method)
    def run(self: BaseEstimator, *arguments: object, **options: object) -> Any:
        return method(fitted_copy(self), *arguments, **options)

    return cast(Method, run)


def as_designed(method: Method) -> Method:
    """Make a method see the parameters of the last fit; a model without one designs itself, for this call alone."""
    takes_X = list(signature(method).parameters)[1:2] == ["X"]

    @wraps(method)
    def run(self: BaseEstimator, *arguments: object, **options: object) -> Any:
        X = (arguments[0] if arguments else options.get("X")) if takes_X else None
        return method(designed_copy(self, X), *arguments, **options)

    return cast(Method, run)
