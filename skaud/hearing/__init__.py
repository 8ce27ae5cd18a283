"""Audiograms, and the threshold of hearing in quiet."""

from skaud.hearing.audiogram import Audiogram
from skaud.hearing.thresholds import hl_to_spl, reference_threshold_db_spl, spl_to_hl

__all__ = ["Audiogram", "hl_to_spl", "reference_threshold_db_spl", "spl_to_hl"]
