"""Fitting: parameters of a model from labels (`learn` in its `fit`), from responses, from audiograms."""

from skaud.fitting.audiogram import predicted_audiogram
from skaud.fitting.response import fit_response

__all__ = ["fit_response", "predicted_audiogram"]
