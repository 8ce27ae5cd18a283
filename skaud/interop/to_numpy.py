"""ToNumpy: the border between steps on a device and steps on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in

from skaud._types import Features, Targets
from skaud.estimator.results import as_container, choose_container
from skaud.kernels.array_api import of_host


class ToNumpy(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Bring arrays of any library, from any device, to NumPy.

    Nothing in this package copies from a device to the host by itself. Where a pipeline goes on with steps that run on
    the CPU, such as trees, or a model that has no kernels for a device, this step says so.

    Attributes
    ----------
    n_features_in_ : int
        Columns of X, where it is an array of two axes.

    See Also
    --------
    TemporalPooling : Pools where the frames lie, before the copy.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import AuditorySpectrogram, ToNumpy
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> pipeline = make_pipeline(AuditorySpectrogram(), ToNumpy(), DecisionTreeClassifier())  # for X of any library
    >>> ToNumpy().fit_transform([np.ones(3), memoryview(np.zeros(2))])
    [array([1., 1., 1.]), array([0., 0.])]
    """

    n_features_in_: int

    def __init__(self) -> None:
        """Nothing to set: type checkers refuse whatever is passed."""

    def fit(self, X: Features, y: Targets = None) -> Self:
        """Remember how many columns X has.

        Parameters
        ----------
        X : array, or list of arrays
            Of any library, wherever it lies.
        y : None
            Ignored.

        Returns
        -------
        ToNumpy
            The step itself.

        Raises
        ------
        TypeError
            If X is sparse.
        """
        if sparse.issparse(X):
            raise TypeError(f"Sparse X ({type(X).__name__}) was passed to ToNumpy, which takes arrays; X.toarray().")
        if hasattr(self, "n_features_in_"):
            del self.n_features_in_
        shape: Sequence[int] = getattr(X, "shape", ())
        if len(shape) == 2:
            self.n_features_in_ = int(shape[1])
        return self

    def transform(self, X: Features) -> Features:
        """Copy X to the host, unless it is there.

        Parameters
        ----------
        X : array, or list of arrays
            Of any library, wherever it lies.

        Returns
        -------
        ndarray, list of ndarray, or data frame
            NumPy's, without a copy where X is of the host; a data frame of an array of two axes, where `set_output`
            asks for one. What is no array, such as a list of Sounds, is returned as it is.
        """
        found = [of_host(own, f"X[{i}]") for i, own in enumerate(X)] if isinstance(X, list) else of_host(X, "X")
        return as_container(self, found, None) if isinstance(found, np.ndarray) and found.ndim == 2 else found

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Names of the features: those of X.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the columns of X, as the step before returns them.

        Returns
        -------
        ndarray of str
            The same, or x0, x1 and so on.
        """
        return np.asarray(_check_feature_names_in(self, input_features), dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what features come in.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container of arrays of two axes; None leaves it as it is.

        Returns
        -------
        ToNumpy
            The step itself.
        """
        choose_container(self, transform)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit, tags.no_validation = False, True
        tags.input_tags.three_d_array = True
        return tags
