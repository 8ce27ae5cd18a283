"""Fitting: parameters of a model from labels (`learn` in its `fit`), and from responses."""

from skaud.fitting.response import fit_response

__all__ = ["fit_response"]
