"""Equivalent rectangular bandwidths: how wide the filters of hearing are.

Sources: B. Glasberg, B. Moore (1990), Hear. Res. 47:103; D. Greenwood (1990), J. Acoust. Soc. Am. 87:2592.
"""

from typing import TypeVar

import numpy as np

Hz = TypeVar("Hz", float, np.ndarray)


def erb_hz(frequency_hz: Hz, erb_break_hz: float = 24.7 * 9.265, erb_q: float = 9.265) -> Hz:
    """Equivalent rectangular bandwidth; the defaults are Glasberg & Moore's, a break of 165.3 Hz is Greenwood's."""
    return (erb_break_hz + frequency_hz) / erb_q


def erb_number(frequency_hz: np.ndarray | float) -> np.ndarray:
    """Number of equivalent rectangular bandwidths below a frequency (Glasberg & Moore 1990)."""
    return 9.2645 * np.log(1 + 0.00437 * np.asarray(frequency_hz))


def erb_number_to_hz(number: np.ndarray | float) -> np.ndarray:
    """Frequency that so many bandwidths lie below."""
    return (np.exp(np.asarray(number) / 9.2645) - 1) / 0.00437
