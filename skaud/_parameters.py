"""Parameters of estimators: what they may be, and their numbers as Python's."""

from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any, TypeVar, cast

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skaud.design.limits import check_numbers, plain_number

Method = TypeVar("Method", bound=Callable[..., Any])


def check_constraints(estimator: BaseEstimator) -> None:
    """Refuse parameters that are not as `_parameter_constraints` says, True for a number, and lists of others."""
    estimator._validate_params()
    for name, value in estimator.get_params(deep=False).items():
        constraints = estimator._parameter_constraints.get(name)
        if not isinstance(constraints, list):
            continue
        if isinstance(value, bool) and any(own is Real or isinstance(own, Interval) for own in constraints):
            raise ValueError(f"{name}={value} must be a number; {value} is none, give the one that is meant.")
        if "array-like" in constraints and str not in constraints and value is not None and not callable(value):
            check_numbers(name, value)


def with_plain_numbers(fit: Method) -> Method:
    """Make a fit see the numbers among the parameters as Python's; the estimator keeps them as they were given."""

    @wraps(fit)
    def run(self: BaseEstimator, *arguments: object, **options: object) -> Any:
        given = self.get_params(deep=False)
        plain = {name: own for name, value in given.items() if (own := plain_number(value)) is not value}
        vars(self).update(plain)
        try:
            return fit(self, *arguments, **options)
        finally:
            vars(self).update({name: given[name] for name in plain})

    return cast(Method, run)
