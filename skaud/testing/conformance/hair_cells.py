"""CARFAC's hair cells alone, against numbers of a test of google/carfac: six tones, each twice the one before."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skaud import CARFAC
from skaud.testing.conformance.row import Row

RATE = 40000
SOURCE = "google/carfac, test of the hair cell, printed with six digits behind the point"
# Style and frequency in Hz -> largest value above rest of each tone, and its component at its own frequency.
TONES: dict[tuple[str, int], tuple[tuple[float, ...], tuple[float, ...]]] = {
    ("one_cap", 300): (
        (2.752913, 4.815015, 7.062418, 9.138118, 10.969522, 12.516468),
        (721.001685, 969.505412, 1147.285676, 1239.521055, 1277.061337, 1285.880084),
    ),
    ("one_cap", 3000): (
        (1.417657, 2.804747, 4.802444, 7.030791, 9.063014, 10.634581),
        (234.098558, 316.717957, 376.787575, 408.011707, 420.602740, 423.674628),
    ),
    ("two_cap", 300): (
        (2.026682, 3.533259, 5.108579, 6.423783, 7.454677, 8.231247),
        (544.901381, 756.736631, 923.142282, 1017.472318, 1059.407644, 1071.902335),
    ),
    ("two_cap", 3000): (
        (0.698303, 1.520033, 2.660770, 3.872406, 4.909175, 5.666469),
        (93.388172, 131.832247, 163.287206, 182.022912, 191.225206, 194.912279),
    ),
    ("two_cap_with_syn", 300): (
        (1.055837, 3.409906, 6.167359, 7.096430, 7.103324, 7.123434),
        (184.180863, 483.204136, 837.629296, 956.279101, 927.060415, 895.574871),
    ),
    ("two_cap_with_syn", 3000): (
        (0.167683, 0.620939, 1.894064, 3.541070, 4.899921, 5.572545),
        (24.929044, 74.045598, 175.367201, 269.322147, 303.684269, 278.428744),
    ),
}


def tones(hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Tones of 20 ms, 20 ms apart: one of 0.09, and the six that count, each twice the one before; and which it is."""
    t = np.arange(round(0.28 * RATE)) / RATE
    present = np.sin(2 * np.pi * 25 * t + np.pi / 2 + 1e-6) < 0
    which = present * np.floor(t / 0.04)
    return np.where(present, np.sin(2 * np.pi * hz * t) * 0.09 * 2**which, 0.0), which


def hair_cell(style: str, x: np.ndarray) -> np.ndarray:
    """Answer of a hair cell to x as the motion of the basilar membrane: the cascade's zeros cancel its poles here."""
    options: dict[str, Any] = {"linear_car": True, "open_loop": True, "rms_one_db_spl": None, "dtype": "float64"}
    model = CARFAC(RATE, ihc_style=style, zero_ratio=1 + 1e-12, ac_corner_hz=1e-9, **options)
    return np.asarray(model.simulate(x[np.newaxis], "nap").nap[0, 0])


def peaks_and_components(style: str, hz: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest value of each of the six tones, and its component at its own frequency."""
    x, which = tones(hz)
    nap = hair_cell(style, x)
    turn = np.exp(-2j * np.pi * hz * np.arange(x.size) / RATE)
    each = [which == k for k in range(1, 7)]
    return np.array([nap[own].max() for own in each]), np.array([np.abs(nap[own] @ turn[own]) for own in each])


def published() -> Iterator[Row]:
    """The largest relative difference for each hair cell and frequency, of peaks and components."""
    for (style, hz), wanted in TONES.items():
        found = peaks_and_components(style, hz)
        for name, own, numbers in zip(("peaks", "components at its frequency"), found, wanted, strict=True):
            difference = float(np.abs(own / np.array(numbers) - 1).max())
            what = f"hair cell {style} alone, six tones of {hz} Hz: {name}, relative"
            yield Row("CARFAC", "published", what, difference, 1e-5, source=SOURCE)
