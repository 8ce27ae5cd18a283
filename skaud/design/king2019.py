"""King, Varnet & Lorenzi (2019): compression, adaptation, modulation filters.

A. King, L. Varnet, C. Lorenzi (2019), J. Acoust. Soc. Am. 145:2277, as in the Auditory Modeling Toolbox 1.4. Parameters
may take a complex step; that is why complex numbers stand as pairs of real ones.
"""

import numpy as np

FULL_SCALE_DB = 93.98  # of samples in pascals: RMS 1.0
SIGNED_UP_TO_HZ = 10.0  # modulation filters above have an envelope where the phase is not wanted

Pair = tuple[np.ndarray, np.ndarray]


def knee(knee_db: float) -> float:
    """Pressure in Pa whose level, as the toolbox counts it, is that of the knee."""
    return 10 ** ((knee_db - FULL_SCALE_DB) / 20)


def high_pass(corner_hz: float, sample_rate: float) -> tuple[float, float]:
    """Coefficients b, a of y = b (x - x1) + a y1, a Butterworth high-pass of first order by the bilinear transform."""
    warped = np.tan(np.pi * corner_hz / sample_rate)
    return 1 / (1 + warped), (1 - warped) / (1 + warped)


def count_filters(low_hz: float, high_hz: float, q: float, n_filters: int | None) -> int:
    """Number of modulation filters, as given or as many as find room."""
    if n_filters is not None:
        return n_filters
    return int(np.floor(np.log(high_hz / low_hz) / np.log(_spacing(q)) + 1e-9)) + 1


def modulation_frequencies(low_hz: float, high_hz: float, q: float, n_filters: int, *, spread: bool) -> np.ndarray:
    """Centre frequencies from low_hz on, where neighbours meet at their edges; or spread evenly up to high_hz."""
    if not spread:
        return low_hz * _spacing(q) ** np.arange(n_filters)
    return low_hz * (high_hz / low_hz) ** (np.arange(n_filters) / max(1, n_filters - 1))


def _spacing(q: float) -> float:
    """Ratio of neighbouring centre frequencies."""
    root = np.sqrt(4 * q**2 + 1)
    return (root + 1) / (root - 1)


def upper_edge(center_hz: float, q: float) -> float:
    """Upper edge of a modulation filter."""
    return center_hz * (np.sqrt(4 + 1 / q**2) + 1 / q) / 2


def design_bands(center_hz: np.ndarray, sample_rate: float, q: float) -> np.ndarray:
    """Coefficients (n_filters, 10) of a modulation filter's kernel: Butterworth band-passes with 4 poles.

    In partial fractions: 2 Re of two complex poles. By their distance from 1 float32 holds them as float64 does, which
    it does not hold polynomials.
    """
    middle, half = center_hz * np.sqrt(4 + 1 / q**2) / 2, center_hz / (2 * q)
    low, high = (np.tan(np.pi * edge / sample_rate) for edge in (middle - half, middle + half))
    width, squared = high - low, low * high
    # s^4 + sqrt(2) B s^3 + (2 w^2 + B^2) s^2 + ... in two quadratics: A. Williams, F. Taylor, Electronic Filter Design
    relative = width / np.sqrt(squared)
    e = relative**2 + 4
    section_q = np.sqrt((e + np.sqrt(e**2 - 8 * relative**2)) / (4 * relative**2))
    m = np.sqrt(0.5) * section_q * relative
    ratio = m + np.sqrt(m**2 - 1)
    poles = []
    for corner in (np.sqrt(squared) / ratio, np.sqrt(squared) * ratio):
        poles.append((-corner / (2 * section_q), corner * np.sqrt(1 - 1 / (4 * section_q**2))))
    columns: list[np.ndarray] = []
    direct = 0 * middle, 0 * middle
    for pole, other in (poles, poles[::-1]):
        conjugate, other_conjugate = (pole[0], -pole[1]), (other[0], -other[1])
        # residue of B^2 s^2 / ((s - p)(s - p*)(s - r)(s - r*)), twice for the conjugate
        residue = _times(pole, pole)
        for far in (conjugate, other, other_conjugate):
            residue = _over(residue, (pole[0] - far[0], pole[1] - far[1]))
        residue = 2 * width**2 * residue[0], 2 * width**2 * residue[1]
        # For s = (z - 1) / (z + 1), 1 / (s - p) is 2 / (1 - p^2) / (1 - q / z) - 1 / (1 + p); q - 1 is 2 p / (1 - p).
        step = _over((2 * pole[0], 2 * pole[1]), (1 - pole[0], -pole[1]))
        square = _times(pole, pole)
        mix = _over((2 * residue[0], 2 * residue[1]), (1 - square[0], -square[1]))
        through = _over(residue, (1 + pole[0], pole[1]))
        direct = direct[0] - through[0], direct[1] - through[1]
        columns += [*step, *mix]
    return np.stack([*columns, *direct], axis=1)


def _times(x: Pair, y: Pair) -> Pair:
    return x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]


def _over(x: Pair, y: Pair) -> Pair:
    size = y[0] ** 2 + y[1] ** 2
    return (x[0] * y[0] + x[1] * y[1]) / size, (x[1] * y[0] - x[0] * y[1]) / size
