"""Gammatone filterbank: 4th order, complex, channels a step apart on the ERB scale.

Sources: R. Patterson et al. (1987), APU report 2341; B. Glasberg, B. Moore (1990), Hear. Res. 47:103; V. Hohmann
(2002), Acustica 88:433.
"""

from math import factorial
from typing import NamedTuple

import numpy as np

from skaud.design.erb import erb_hz, erb_number, erb_number_to_hz

ORDER = 4
HIGHEST_HZ = 8000.0  # of the published models' centre frequencies
SPACINGS = ("endpoints", "centered")
# Width of the filter's pole over its equivalent rectangular bandwidth (Patterson et al. 1987).
ERB_TO_POLE = factorial(ORDER - 1) ** 2 / (np.pi * factorial(2 * ORDER - 2) * 2.0 ** -(2 * ORDER - 2))


class GammatoneCoefficients(NamedTuple):
    """One of four equal sections z' = (1 + step) z + b x; arrays are (n_channels,). The output is 2 Re of the last."""

    center_hz: np.ndarray
    # Pole - 1, so that float32 keeps poles close to 1; in parts, each of which may take a complex step.
    step_re: np.ndarray
    step_im: np.ndarray
    b: np.ndarray

    @property
    def step(self) -> np.ndarray:
        """Pole - 1."""
        return self.step_re + 1j * self.step_im


def center_frequencies(low_hz: float, high_hz: float, spacing: str) -> np.ndarray:
    """Centre frequencies in Hz, low to high.

    endpoints: evenly from low_hz to high_hz, both included, about 1 ERB apart; a single one, at low_hz, where they are
    less than 1 ERB apart. centered: exactly 1 ERB apart, what is left over split between both ends.
    """
    if low_hz == high_hz:
        return np.array([float(low_hz)])
    low, high = erb_number(low_hz), erb_number(high_hz)
    # 1e-9: a distance of whole bandwidths must not lose a channel to rounding.
    n_steps = int(np.floor(high - low + 1e-9))
    if spacing == "endpoints":
        return erb_number_to_hz(np.linspace(low, high, n_steps + 1))
    return erb_number_to_hz(low + (high - low - n_steps) / 2 + np.arange(n_steps + 1))


def transfer_function(
    coefficients: "GammatoneCoefficients", sample_rate: float, frequencies_hz: np.ndarray
) -> np.ndarray:
    """Complex response of every channel, (n_channels, n_frequencies), from real sound to 2 Re of the last section."""

    def last_section(hz: np.ndarray) -> np.ndarray:
        z = np.exp(2j * np.pi * hz / sample_rate)[np.newaxis]
        step, b = coefficients.step[:, np.newaxis], coefficients.b[:, np.newaxis]
        return (b * z / (z - 1 - step)) ** ORDER

    # 2 Re(g) = g + conj(g), whose transform at f is G(f) + conj(G(-f)).
    return last_section(frequencies_hz) + np.conj(last_section(-frequencies_hz))


def design_gammatone(center_hz: np.ndarray, sample_rate: float, bandwidth_factor: float = 1.0) -> GammatoneCoefficients:
    """Filters at the given frequencies; bandwidth_factor, which may take a complex step, scales their width."""
    decay = 2 * np.pi * bandwidth_factor * ERB_TO_POLE * erb_hz(center_hz) / sample_rate
    turn = 2 * np.pi * center_hz / sample_rate
    step_re = np.expm1(-decay) * np.cos(turn) - 2 * np.sin(turn / 2) ** 2
    return GammatoneCoefficients(center_hz, step_re, -np.exp(-decay) * np.sin(turn), -np.expm1(-decay))
