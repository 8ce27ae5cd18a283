"""Audiograms, the threshold of hearing in quiet, and spikes of nerve fibres."""

from skaud.hearing.audiogram import Audiogram
from skaud.hearing.spike_trains import spikes
from skaud.hearing.thresholds import hl_to_spl, reference_threshold_db_spl, spl_to_hl

__all__ = ["Audiogram", "hl_to_spl", "reference_threshold_db_spl", "spikes", "spl_to_hl"]
