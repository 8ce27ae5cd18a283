"""Headphone, outer ear and middle ear as FIR filters of order 512.

Sources: D. Pralong, S. Carlile (1996), J. Acoust. Soc. Am. 100:3785 (headphone and outer ear); M. Jepsen et al. (2008),
JASA 124:422, and E. Lopez-Poveda, R. Meddis (2001), JASA 110:3107, after R. Goode et al. (1994), Am. J. Otol. 15:145
(middle ear); as the Auditory Modeling Toolbox (P. Majdak et al., 2022) makes filters of them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skaud.design.minimum_phase import fold, minimum_phase_response, on_parts, spectrum

ORDER = 512
AMT_ADVANCE = 257  # ceil(513 / 2): samples by which the toolbox brings the output of its FIRs forward
PHASES = ("minimum", "zero", "amt")
_PEAK_GRID = 2 * 8192
_FLOOR = 1e-5  # of the largest magnitude: a zero has no logarithm
MIDDLE_EARS = ("jepsen2008", "lopezpoveda2001")

# fmt: off
# Hz, linear gain.
_HEADPHONE = np.array([
    (125, 1), (250, 1), (500, 1), (1000, 0.994850557), (1237.384651, 0.994850557), (1531.120775, 0.994850557),
    (1894.585346, 1.114513162), (2002.467159, 1.235743262), (2344.330828, 1.867671314), (2721.273584, 2.822751493),
    (3001.403462, 2.180544843), (3589.453635, 1.442755787), (4001.342781, 1.173563859), (4441.534834, 1.37016005),
    (5004.212211, 1.599690164), (5495.887031, 1.37016005), (5997.423738, 1.114513162), (6800.526258, 0.648125625),
    (6946.931144, 0.631609176), (7995.508928, 0.276505667), (8414.866811, 0.084335217), (9008.422743, 0.084335217),
])

# Hz, impedance; its inverse is the amplitude.
_JEPSEN2008 = np.array([
    (50, 48046.39731), (100, 24023.19865), (200, 12011.59933), (400, 6005.799663), (600, 3720.406871),
    (800, 2866.404385), (1000, 3363.247811), (1200, 4379.228921), (1400, 4804.639731), (1600, 5732.808769),
    (1800, 6228.236688), (2000, 7206.959596), (2200, 9172.494031), (2400, 9554.681282), (2600, 10779.64042),
    (2800, 12011.59933), (3000, 14013.53255), (3500, 16015.46577), (4000, 18017.39899), (4500, 23852.82136),
    (5000, 21020.29882), (5500, 22931.23508), (6000, 28027.06509), (6500, 28745.70779), (7000, 32098.9),
    (7500, 34504.4), (8000, 36909.9), (8500, 39315.4), (9000, 41720.9), (9500, 44126.4), (10000, 46531.9),
])

# Hz, displacement of the stapes in 1e-6 m at 104 dB SPL: Goode et al. 1994, fig. 1.
_GOODE1994 = np.array([
    (400, 0.19953), (600, 0.22909), (800, 0.21878), (1000, 0.15136), (1200, 0.1), (1400, 0.07943), (1600, 0.05754),
    (1800, 0.04365), (2000, 0.03311), (2200, 0.02754), (2400, 0.02188), (2600, 0.0182), (2800, 0.01445),
    (3000, 0.01259), (3500, 0.009), (4000, 0.007), (4500, 0.00457), (5000, 0.005), (5500, 0.004), (6000, 0.003),
    (6500, 0.00275),
])

# Hz, peak velocity of the stapes in m/s at 0 dB SPL, where Lopez-Poveda & Meddis 2001, fig. 2b, extrapolate Goode's.
_EXTRAPOLATED_LOW = np.array([[100, 1.181e-9], [200, 2.363e-9]])
_EXTRAPOLATED_HIGH = np.array([
    (7000, 8.705e-10), (7500, 8e-10), (8000, 7.577e-10), (8500, 7.168e-10), (9000, 6.781e-10), (9500, 6.24e-10),
    (10000, 6e-10),
])
# fmt: on


class EarFilter(NamedTuple):
    """FIR filter, and by how many samples its output comes forward; only an advance of 0 is causal."""

    fir: np.ndarray
    advance: int


class Table(NamedTuple):
    """Frequencies in Hz, increasing, and linear gains there."""

    frequencies_hz: np.ndarray
    gains: np.ndarray


def headphone_table() -> Table:
    """Headphone and outer ear as published."""
    return Table(*_HEADPHONE.T)


def middle_ear_table(kind: str, sample_rate: float) -> Table:
    """Middle ear as published; lopezpoveda2001 goes on to half the sample rate."""
    if kind == "jepsen2008":
        frequencies, impedance = _JEPSEN2008.T
        return Table(frequencies, 1 / impedance)
    frequencies, displacement = _GOODE1994.T
    velocity = 2 * np.pi * frequencies * displacement * 1e-6 * 10 ** (-104 / 20) * np.sqrt(2)
    measured = np.stack([frequencies, velocity], axis=1)
    frequencies, velocity = np.concatenate([_EXTRAPOLATED_LOW, measured, _EXTRAPOLATED_HIGH]).T
    nyquist = sample_rate / 2
    while frequencies[-1] + 1000 <= nyquist:  # falls by 1/1.1 every 1000 Hz
        frequencies = np.append(frequencies, frequencies[-1] + 1000)
        velocity = np.append(velocity, velocity[-1] / 1.1)
    if frequencies[-1] < nyquist:
        velocity = np.append(velocity, velocity[-1] / (1 + 0.0001 * (nyquist - frequencies[-1])))
        frequencies = np.append(frequencies, nyquist)
    return Table(frequencies, velocity)


def user_table(frequencies_hz: ArrayLike, gains_db: ArrayLike) -> Table:
    """Table of a user's own gains."""
    try:
        frequencies, gains = np.asarray(frequencies_hz, dtype=float), np.asarray(gains_db, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"frequencies_hz and gains_db must be numbers: {error}.") from error
    if frequencies.ndim != 1 or frequencies.shape != gains.shape or len(frequencies) < 2:
        raise ValueError(
            f"gains_db has shape {gains.shape} and frequencies_hz {frequencies.shape}; both must be one axis of at "
            "least 2 numbers, a gain a frequency."
        )
    if not np.isfinite(frequencies).all() or not np.isfinite(gains).all():
        raise ValueError("frequencies_hz and gains_db must be finite; replace what is NaN or infinite.")
    wrong = np.flatnonzero(np.diff(frequencies) <= 0)
    if len(wrong) or frequencies[0] <= 0:
        i = int(wrong[0]) if len(wrong) else -1
        raise ValueError(
            f"frequencies_hz={frequencies[i + 1]:g} at {i + 1} must lie above the one before, "
            f"{frequencies[i] if i >= 0 else 0:g} Hz; sort the table by frequency."
        )
    return Table(frequencies, 10 ** (gains / 20))


# --- design; gains may take a complex step, and the adjoint of each function stands below it ---


def _nodes(table: Table, sample_rate: float) -> tuple[np.ndarray, np.ndarray, bool]:
    """Frequencies that the response is drawn through, which entries of the table those are, and if one is last."""
    nyquist = sample_rate / 2
    below = table.frequencies_hz < nyquist
    if not below.any():
        raise ValueError(
            f"frequencies_hz={table.frequencies_hz[0]:g}, the lowest, must lie below half the sample rate, {nyquist:g} "
            "Hz; raise sample_rate."
        )
    return (
        np.concatenate([[0.0], table.frequencies_hz[below], [nyquist]]),
        below,
        bool(table.frequencies_hz[-1] == nyquist),
    )


def linear_phase_fir(table: Table, sample_rate: float) -> np.ndarray:
    """FIR of order 512 through the table, by frequency sampling with a Hamming window; 0 at 0 Hz."""
    frequencies, below, ends = _nodes(table, sample_rate)
    gains = np.concatenate([[0.0], table.gains[below], [table.gains[-1] if ends else 0.0]])
    sampled = np.interp(np.linspace(0, sample_rate / 2, ORDER + 1), frequencies, gains)
    response = on_parts(np.fft.irfft, sampled)
    return np.roll(response, ORDER // 2)[: ORDER + 1] * np.hamming(ORDER + 1)


def linear_phase_fir_adjoint(fir_bar: np.ndarray, table: Table, sample_rate: float) -> np.ndarray:
    """Bar of the table's gains, from that of linear_phase_fir."""
    frequencies, below, ends = _nodes(table, sample_rate)
    # fir = roll(response)[: ORDER + 1] * hamming
    response_bar = np.zeros(2 * ORDER)
    response_bar[: ORDER + 1] = fir_bar * np.hamming(ORDER + 1)
    # response = irfft(sampled)
    sampled_bar = np.fft.rfft(np.roll(response_bar, -(ORDER // 2))).real / ORDER
    sampled_bar[[0, -1]] /= 2
    # sampled = interp(grid, frequencies, gains)
    grid = np.linspace(0, sample_rate / 2, ORDER + 1)
    right = np.clip(np.searchsorted(frequencies, grid), 1, len(frequencies) - 1)
    share = (grid - frequencies[right - 1]) / (frequencies[right] - frequencies[right - 1])
    nodes_bar = np.bincount(right, sampled_bar * share, len(frequencies))
    nodes_bar += np.bincount(right - 1, sampled_bar * (1 - share), len(frequencies))
    gains_bar = np.zeros(len(table.gains))
    gains_bar[below] = nodes_bar[1:-1]
    gains_bar[-1] += nodes_bar[-1] if ends else 0
    return gains_bar


def minimum_phase(fir: np.ndarray, n_fft: int = 8192, power: float = 1.0) -> np.ndarray:
    """Causal filter with that power of fir's magnitude."""
    re, im = spectrum(fir, n_fft)
    magnitude = np.sqrt(re**2 + im**2)
    floor = _FLOOR * magnitude[np.argmax(magnitude.real)]
    logarithm = np.log(np.where(magnitude.real > floor.real, magnitude, floor))
    return minimum_phase_response(power * logarithm, n_fft)[: len(fir)]


def minimum_phase_adjoint(out_bar: np.ndarray, fir: np.ndarray, n_fft: int = 8192, power: float = 1.0) -> np.ndarray:
    """Bar of fir, from that of minimum_phase. The bar of a complex number z is that of z.real + i that of z.imag."""
    spectrum = np.fft.fft(fir, n_fft)
    magnitude = np.abs(spectrum)
    largest = int(np.argmax(magnitude))
    floored = magnitude <= _FLOOR * magnitude[largest]
    logarithm = np.log(np.where(floored, _FLOOR * magnitude[largest], magnitude))
    cepstrum = np.fft.ifft(logarithm).real
    exponential = np.exp(np.fft.fft(power * fold(n_fft) * cepstrum))
    # out = ifft(exponential).real[: len(fir)]
    exponential_bar = np.fft.fft(out_bar, n_fft) / n_fft
    # exponential = exp(fft(power * fold * cepstrum))
    cepstrum_bar = power * fold(n_fft) * n_fft * np.fft.ifft(exponential.conj() * exponential_bar).real
    # cepstrum = ifft(logarithm).real
    logarithm_bar = np.fft.fft(cepstrum_bar).real / n_fft
    # logarithm = log(maximum(magnitude, _FLOOR * magnitude[largest]))
    magnitude_bar = np.where(floored, 0, logarithm_bar / np.where(floored, 1, magnitude))
    magnitude_bar[largest] += logarithm_bar[floored].sum() / magnitude[largest]
    # magnitude = abs(fft(fir, n_fft))
    spectrum_bar = magnitude_bar * spectrum / np.where(floored, 1, magnitude)
    return n_fft * np.fft.ifft(spectrum_bar).real[: len(fir)]


def unit_peak(fir: np.ndarray) -> np.ndarray:
    """Scaled so that the largest gain is 0 dB, on the toolbox's grid of 8192 points."""
    re, im = spectrum(fir, _PEAK_GRID)
    magnitude = np.sqrt(re**2 + im**2)
    return fir / magnitude[np.argmax(magnitude.real[: _PEAK_GRID // 2])]


def unit_peak_adjoint(out_bar: np.ndarray, fir: np.ndarray) -> np.ndarray:
    """Bar of fir, from that of unit_peak."""
    spectrum = np.fft.fft(fir, _PEAK_GRID)[: _PEAK_GRID // 2]
    largest = int(np.argmax(np.abs(spectrum)))
    peak = np.abs(spectrum[largest])
    # out = fir / peak
    peak_bar = -(out_bar @ fir) / peak**2
    # peak = abs(sum(fir * exp(-2j * pi * largest * n / _PEAK_GRID)))
    turned = spectrum[largest].conj() / peak * np.exp(-2j * np.pi * largest * np.arange(len(fir)) / _PEAK_GRID)
    return out_bar / peak + peak_bar * turned.real


def design_ear(
    table: Table, sample_rate: float, phase: str, *, normalise: bool = False, amt_minimum: bool = False
) -> EarFilter:
    """Filter through a table of gains; normalise sets the largest to 0 dB.

    amt_minimum: phase="amt" means the toolbox's minimum-phase FIR, not its linear-phase one.
    """
    fir, advance = linear_phase_fir(table, sample_rate), 0
    if phase == "minimum":
        fir = minimum_phase(fir)
    elif phase == "zero":  # the root of the amplitude, forward and backward
        root = minimum_phase(fir, power=0.5)
        fir, advance = np.convolve(root, root[::-1]), ORDER
    else:
        fir, advance = minimum_phase(fir, ORDER + 1) if amt_minimum else fir, AMT_ADVANCE
    return EarFilter(unit_peak(fir) if normalise else fir, advance)


def design_ear_adjoint(
    fir_bar: np.ndarray,
    table: Table,
    sample_rate: float,
    phase: str,
    *,
    normalise: bool = False,
    amt_minimum: bool = False,
) -> np.ndarray:
    """Bar of the table's gains, from that of the taps of design_ear."""
    linear = linear_phase_fir(table, sample_rate)
    if normalise:
        # fir = unit_peak(fir)
        before = design_ear(table, sample_rate, phase, amt_minimum=amt_minimum).fir
        fir_bar = unit_peak_adjoint(fir_bar, before)
    if phase == "minimum":
        # fir = minimum_phase(linear)
        linear_bar = minimum_phase_adjoint(fir_bar, linear)
    elif phase == "zero":
        # fir = convolve(root, root[::-1])
        root = minimum_phase(linear, power=0.5)
        root_bar = np.correlate(fir_bar, root[::-1], "valid") + np.correlate(fir_bar, root, "valid")[::-1]
        # root = minimum_phase(linear, power=0.5)
        linear_bar = minimum_phase_adjoint(root_bar, linear, power=0.5)
    else:
        # fir = minimum_phase(linear, ORDER + 1), or linear
        linear_bar = minimum_phase_adjoint(fir_bar, linear, ORDER + 1) if amt_minimum else fir_bar
    # linear = linear_phase_fir(table, sample_rate)
    return linear_phase_fir_adjoint(linear_bar, table, sample_rate)
