"""What a designed CARFAC cascade does to sinusoids (Lyon 2017, figure 16.6)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skaud.design.carfac_cascade import CARCoefficients


def transfer_function(car: CARCoefficients, sample_rate: float, frequencies_hz: ArrayLike) -> np.ndarray:
    """Complex response of every channel's BM output, linear, at the undamping that ohc_health leaves.

    Returns (n_channels, n_frequencies): the product of the stages down to each channel times the output's high-pass.
    """
    z = np.exp(2j * np.pi * np.asarray(frequencies_hz, dtype=float) / sample_rate)[None, :]
    r = (car.r1 + car.zr * car.ohc_health)[:, None]
    a0, c0, h = car.a0[:, None], car.c0[:, None], car.h[:, None]
    g = car.stage_gain(car.ohc_health)[:, None]
    stages = g * (1 + h * r * c0 * z / (z**2 - 2 * r * a0 * z + r**2))
    high_pass = (z - 1) / (z - (1 - car.ac_coeff))
    return np.cumprod(stages, axis=0) * high_pass


class Characteristics(NamedTuple):
    """Peak of every channel's transfer function; arrays are (n_channels,)."""

    frequency_hz: np.ndarray
    gain_db: np.ndarray
    bandwidth_hz: np.ndarray  # 3 dB bandwidth
    q: np.ndarray


def characteristics(car: CARCoefficients, sample_rate: float, n_grid: int = 4096) -> Characteristics:
    """Characteristic frequency, gain, 3 dB bandwidth and Q of every channel, from the transfer function.

    On a logarithmic grid: the peak from a parabola through its three highest points, the 3 dB points by interpolation.
    """
    low, high = max(1.0, 0.2 * car.pole_hz[-1]), 0.4999 * sample_rate
    grid = np.geomspace(low, high, n_grid)
    level_db = 20 * np.log10(np.abs(transfer_function(car, sample_rate, grid)))
    peak = np.clip(np.argmax(level_db, axis=1), 1, n_grid - 2)
    channel = np.arange(len(peak))
    # Parabola through three points of a fine logarithmic grid: exact to a few parts in a million here.
    before, at, after = (level_db[channel, peak + k] for k in (-1, 0, 1))
    shift = 0.5 * (before - after) / (before - 2 * at + after)
    log_step = np.log(grid[1] / grid[0])
    frequency_hz = grid[peak] * np.exp(shift * log_step)
    gain_db = at - 0.25 * (before - after) * shift

    def crossing(direction: int) -> np.ndarray:
        edge_hz = np.full(len(peak), np.nan)
        for c, k in enumerate(peak):
            side = level_db[c, k::direction] - (gain_db[c] - 10 * np.log10(2))  # half the power: 3.01 dB
            below = np.flatnonzero(side < 0)
            if len(below):
                j = below[0]
                part = side[j - 1] / (side[j - 1] - side[j]) if j else 0.0
                edge_hz[c] = np.exp(np.log(grid[k]) + direction * log_step * (j - 1 + part))
        return edge_hz

    bandwidth_hz = crossing(1) - crossing(-1)
    return Characteristics(frequency_hz, gain_db, bandwidth_hz, frequency_hz / bandwidth_hz)
