"""Modulation filterbank: complex one-pole filters on the envelope of every channel.

Sources: T. Dau et al. (1997), JASA 102:2892; M. Jepsen et al. (2008), JASA 124:422.
"""

from typing import NamedTuple

import numpy as np

KINDS = ("jepsen2008", "dau1997")
LOW_PASS_HZ = 150.0  # before the filters: Jepsen et al. 2008, after Kohlrausch et al. (2000)
LOWEST_HZ = 2.5  # low-pass at 0 Hz
CONSTANT_WIDTH_HZ = 5.0  # bandwidth below 10 Hz; half of it separates the first filter of constant Q
N_LINEAR = 3  # the filters at 0, 5 and 10 Hz keep their phase, the others give their envelope


class ModulationCoefficients(NamedTuple):
    """One filter an entry: s = (1 + step) s + b x, then direct x + Re(mix conj(s)), or mix |s| for envelopes.

    Arrays are (n_filters,); real filters have a complex state and a real input too.
    """

    center_hz: np.ndarray
    step: np.ndarray  # pole - 1, so that float32 keeps poles close to 1
    b: np.ndarray
    direct: np.ndarray
    mix: np.ndarray


def modulation_frequencies(limit_hz: float, q: float) -> np.ndarray:
    """Centre frequencies below a limit: 0, 5 and 10 Hz always, then filters of constant Q side by side."""
    frequencies = [0.0, 5.0, 10.0]
    edge = 1 / (2 * q)
    frequency = (frequencies[-1] + CONSTANT_WIDTH_HZ / 2) / (1 - edge)
    while frequency < limit_hz:
        frequencies.append(frequency)
        frequency *= (1 + edge) / (1 - edge)
    return np.array(frequencies)


def channel_limits(center_hz: np.ndarray, max_modulation_hz: float | None) -> np.ndarray:
    """Highest modulation frequency of every channel: a quarter of its centre frequency (Verhey et al. 1999)."""
    return np.minimum(center_hz / 4, np.inf if max_modulation_hz is None else max_modulation_hz)


def design_modulation(frequencies_hz: np.ndarray, sample_rate: float, q: float, kind: str) -> ModulationCoefficients:
    """Filters at the given frequencies, as `modulation_frequencies` returns them."""
    center = np.asarray(frequencies_hz, dtype=float)
    w0 = 2 * np.pi * center / sample_rate
    width = np.where(center < 10, 2 * np.pi * CONSTANT_WIDTH_HZ / sample_rate, w0 / q)
    decay = width / 2
    step = np.expm1(-decay + 1j * w0)
    b = -np.expm1(-decay)
    direct = np.zeros(len(center))
    envelope = 2 / np.sqrt(2) if kind == "jepsen2008" else 2.0
    mix = np.where(np.arange(len(center)) < N_LINEAR, 2.0, envelope).astype(complex)
    step[0], b[0], direct[0], mix[0] = _lowest(sample_rate)
    return ModulationCoefficients(center, step, b, direct, mix)


def _lowest(sample_rate: float) -> tuple[complex, float, float, complex]:
    """Second-order Butterworth low-pass b0 (1 + w)^2 / ((1 - p w)(1 - p* w)) in partial fractions: one complex pole."""
    warped = np.tan(np.pi * LOWEST_HZ / sample_rate)
    analog = warped * np.exp(0.75j * np.pi)  # Butterworth pole in the upper half plane
    step = 2 * analog / (1 - analog)  # pole - 1 of the bilinear transform (1 + s) / (1 - s)
    pole = 1 + step
    b0 = abs(step) ** 2 / 4  # gain 1 at 0 Hz
    residue = b0 * (1 + 1 / pole) ** 2 / (1 - pole.conjugate() / pole)
    b = abs(step)  # keeps the state near its input in size
    return step, b, b0 / abs(pole) ** 2, 2 * residue.conjugate() / b
