"""What the displays share: matplotlib, and an axis of frequency."""

from typing import Any

import numpy as np

TICKS_HZ = (100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)


def hz_to_cams(hz: np.ndarray) -> np.ndarray:
    return 21.4 * np.log10(1 + 0.00437 * np.maximum(hz, 0))  # ERB number: Glasberg & Moore 1990, eq. 4


def cams_to_hz(cams: np.ndarray) -> np.ndarray:
    return (10 ** (np.asarray(cams) / 21.4) - 1) / 0.00437


def edges_hz(frequencies: np.ndarray) -> np.ndarray:
    """Borders between the channels, midway on the scale of the axis."""
    cams = hz_to_cams(frequencies)
    middle = (cams[1:] + cams[:-1]) / 2
    return cams_to_hz(np.r_[max(0.0, 2 * cams[0] - middle[0]), middle, 2 * cams[-1] - middle[-1]])


def tick_frequencies(low_hz: float, high_hz: float) -> list[int]:
    """Round frequencies in the range."""
    return [hz for hz in TICKS_HZ if low_hz <= hz <= high_hz]


def pyplot(display: str) -> Any:
    """Module matplotlib.pyplot, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{display} needs matplotlib; install it with: pip install 'skaud[plot]'") from error
    return plt
