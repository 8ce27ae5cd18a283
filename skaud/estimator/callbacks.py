"""Callbacks of scikit-learn (from 1.9 on), which watch a fit; without them, the same calls do nothing."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from skaud._types import Estimator, Signals, Targets

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: estimators have no `set_callbacks`."""

    def _with_callbacks(method: Method) -> Method:
        return method


__all__ = ["CallbackSupportMixin", "FitProgress", "with_callbacks"]


def with_callbacks(method: Method) -> Method:
    """Run a method in scikit-learn's context of callbacks, where it has one; type checkers see the method itself."""
    return _with_callbacks(method)


class FitProgress:
    """What callbacks, and who reads what `verbose` prints, see of a fit: an iteration is a task."""

    def __init__(self, estimator: Estimator, X: Signals, y: Targets, *, max_iter: int | None, verbose: int = 0) -> None:
        self.estimator = estimator
        self.verbose = verbose
        self.n_iter = 0
        self._data = {"X": X, "y": y}
        start = getattr(estimator, "_init_callback_context", None)
        self._context = None if start is None else start(max_subtasks=max_iter)
        if self._context is not None:
            self._context.call_on_fit_task_begin(estimator=estimator, **self._data)

    def iteration(self, loss: float, attributes: Callable[[], Mapping[str, object]], more: str = "") -> bool:
        """Tell of an iteration that has ended; True if a callback asks to stop.

        attributes() : what makes a fitted estimator of what has been found so far
        """
        self.n_iter += 1
        if self.verbose:
            print(f"{type(self.estimator).__name__}: iteration {self.n_iter}, loss {loss:.6g}{more}")
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(estimator=self.estimator, **self._data)
        return bool(
            task.call_on_fit_task_end(estimator=self.estimator, reconstruction_attributes=attributes, **self._data)
        )

    def close(self) -> None:
        """Tell that the fit has ended."""
        if self._context is not None:
            self._context.call_on_fit_task_end(estimator=self.estimator, **self._data)
