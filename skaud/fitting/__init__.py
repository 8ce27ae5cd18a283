"""Fitting: parameters of a model from labels, from responses, from audiograms."""

from skaud.fitting.audiogram import predicted_audiogram

__all__ = ["predicted_audiogram"]
