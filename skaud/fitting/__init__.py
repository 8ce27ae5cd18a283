"""Fitting: models to audiograms, and the audiograms of models."""

from skaud.fitting.audiogram import predicted_audiogram

__all__ = ["predicted_audiogram"]
