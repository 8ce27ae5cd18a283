"""Lags, trigger windows and pitch cells of stabilized auditory images; Lyon (2017), chapter 21, and google/carfac."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

WEIGHT_FLOOR, WEIGHT_HALF = 0.025, 0.5  # of a trigger's strength p: it blends by (floor + p) / (half + p)


class Triggers(NamedTuple):
    """In samples: a window of triggers ends every `step` samples, `last_lag` before what is heard last.

    first_lag, last_lag : of an image, re the trigger; window : (n,), sin(pi k / n) for k = 1 to n
    """

    first_lag: int
    last_lag: int
    step: int
    window: np.ndarray

    @property
    def n_lags(self) -> int:
        """Lags of an image."""
        return self.last_lag - self.first_lag + 1

    @property
    def n_heard(self) -> int:
        """Samples that a window's end depends on."""
        return self.last_lag + len(self.window) + max(0, -self.first_lag)


def design_triggers(min_lag_s: float, max_lag_s: float, window_s: float, sample_rate: float) -> Triggers:
    """Lags from min_lag_s to max_lag_s, and windows of window_s, each half over the one before."""
    step = max(1, round(window_s * sample_rate / 2))
    n = 2 * step + 1
    window = np.sin(np.pi * np.arange(1, n + 1) / n)
    return Triggers(round(min_lag_s * sample_rate), round(max_lag_s * sample_rate), step, window)


class PitchCells(NamedTuple):
    """Averages over lags: of cell k those from first[k] on, with weights[begin[k] : begin[k + 1]].

    edges : (n_cells + 1,), in samples of lag
    """

    first: np.ndarray
    begin: np.ndarray
    weights: np.ndarray
    edges: np.ndarray


def n_pitch_cells(
    min_lag_s: float, log_offset_s: float, lags_per_octave: float, n_lags: int, sample_rate: float
) -> float:
    """How many cells fit below the longest lag, not rounded; minus infinity where none begins."""
    begin, end = min_lag_s + log_offset_s, (n_lags - 0.5) / sample_rate + log_offset_s
    with np.errstate(over="ignore"):
        return float(lags_per_octave * np.log2(np.float64(end) / begin)) if 0 < begin < end else -np.inf


def design_pitch_cells(
    min_lag_s: float, log_offset_s: float, lags_per_octave: float, n_lags: int, sample_rate: float
) -> PitchCells:
    """Cells that are evenly spaced in log2(lag + log_offset_s), over the lags 0 to n_lags - 1, in samples.

    A lag stands for all within half a sample of it; no cell is narrower than a sample.
    """
    n_cells = int(n_pitch_cells(min_lag_s, log_offset_s, lags_per_octave, n_lags, sample_rate))
    octaves = np.arange(n_cells + 1) / lags_per_octave
    edges = ((min_lag_s + log_offset_s) * 2.0**octaves - log_offset_s) * sample_rate
    first, begin, weights = [], [0], []
    for left, right in pairwise(edges):
        grow = max(0.0, (1 - (right - left)) / 2)
        left, right = max(left - grow, -0.5), min(right + grow, n_lags - 0.5)
        lags = np.arange(int(np.floor(left + 0.5)), min(int(np.ceil(right + 0.5)), n_lags))
        share = np.clip(np.minimum(right, lags + 0.5) - np.maximum(left, lags - 0.5), 0, None)
        first.append(lags[0])
        begin.append(begin[-1] + len(lags))
        weights.append(share / share.sum())
    return PitchCells(np.array(first), np.array(begin), np.concatenate(weights), edges)


def lags_apart(frequencies_hz: np.ndarray, n_lags: int, sample_rate: float) -> np.ndarray:
    """1.0 at the lags, from 0 on, of every channel that lie more than half a period of it from 0; (n_channels, n)."""
    return (np.arange(n_lags) * frequencies_hz[:, np.newaxis] > sample_rate / 2).astype(float)
