"""Parameters: what they may be, and those of estimators with their numbers as Python's."""

from collections.abc import Callable, Mapping
from functools import wraps
from numbers import Real
from typing import Any, TypeVar, cast

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skaud.design.limits import check_numbers, plain_number

Method = TypeVar("Method", bound=Callable[..., Any])


def check_constraints(estimator: BaseEstimator) -> None:
    """Refuse parameters that are not as `_parameter_constraints` says."""
    check_given(estimator._parameter_constraints, estimator.get_params(deep=False), type(estimator).__name__)


def check_given(constraints: Mapping[str, Any], given: Mapping[str, Any], caller: str) -> None:
    """Refuse what is not as scikit-learn's constraints of its name say, True for a number, and lists of others."""
    validate_parameter_constraints(constraints, given, caller_name=caller)
    for name, value in given.items():
        allowed = constraints.get(name)
        if not isinstance(allowed, list):
            continue
        if isinstance(value, bool) and any(own is Real or isinstance(own, Interval) for own in allowed):
            raise ValueError(f"{name}={value} must be a number; {value} is none, give the one that is meant.")
        if "array-like" in allowed and str not in allowed and value is not None and not callable(value):
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
