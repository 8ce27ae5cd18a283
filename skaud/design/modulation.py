"""Modulation filterbank: complex one-pole filters on the envelope of every channel.

Sources: T. Dau et al. (1997), JASA 102:2892; M. Jepsen et al. (2008), JASA 124:422.
"""

from collections.abc import Iterator
from itertools import islice, takewhile
from typing import NamedTuple

import numpy as np

KINDS = ("jepsen2008", "dau1997")
# Kind -> low-pass before the filters (Jepsen et al. 2008, after Kohlrausch et al. 2000) or None, factor of magnitudes.
LOW_PASS_HZ = {"jepsen2008": 150.0, "dau1997": None}
ATTENUATION = {"jepsen2008": np.sqrt(0.5), "dau1997": 1.0}
LOWEST_HZ = 2.5  # low-pass at 0 Hz
CONSTANT_WIDTH_HZ = 5.0  # bandwidth below 10 Hz; half of it separates the first filter of constant Q
LINEAR_HZ = (0.0, 5.0, 10.0)  # these filters keep their phase, the others give their envelope
N_LINEAR = len(LINEAR_HZ)


class ModulationCoefficients(NamedTuple):
    """One filter an entry: s = (1 + step) s + b x, then direct x + Re(mix conj(s)), or mix |s| for envelopes.

    Arrays are (n_filters,); real filters have a complex state and a real input too.
    """

    center_hz: np.ndarray
    # Pole - 1, so that float32 keeps poles close to 1; in parts, each of which may take a complex step.
    step_re: np.ndarray
    step_im: np.ndarray
    b: np.ndarray
    direct: np.ndarray
    mix_re: np.ndarray
    mix_im: np.ndarray

    @property
    def step(self) -> np.ndarray:
        """Pole - 1."""
        return self.step_re + 1j * self.step_im

    @property
    def mix(self) -> np.ndarray:
        """Weight of the state."""
        return self.mix_re + 1j * self.mix_im


def modulation_frequencies(limit_hz: float, q: float) -> np.ndarray:
    """Centre frequencies below a limit: 0, 5 and 10 Hz always, then filters of constant Q side by side."""
    return np.array([*LINEAR_HZ, *takewhile(lambda hz: hz < limit_hz, _side_by_side(q))])


def first_frequencies(n_filters: int, q: float) -> np.ndarray:
    """As many of these centre frequencies; q may take a complex step."""
    return np.array([*LINEAR_HZ, *islice(_side_by_side(q), n_filters - N_LINEAR)])


def _side_by_side(q: float) -> Iterator[float]:
    """Centre frequencies of the filters of constant Q."""
    edge = 1 / (2 * q)
    frequency = (LINEAR_HZ[-1] + CONSTANT_WIDTH_HZ / 2) / (1 - edge)
    while True:
        yield frequency
        frequency *= (1 + edge) / (1 - edge)


def channel_limits(center_hz: np.ndarray, max_modulation_hz: float | None) -> np.ndarray:
    """Highest modulation frequency of every channel: a quarter of its centre frequency (Verhey et al. 1999)."""
    return np.minimum(center_hz / 4, np.inf if max_modulation_hz is None else max_modulation_hz)


def design_modulation(
    frequencies_hz: np.ndarray,
    sample_rate: float,
    q: float,
    *,
    low_pass_hz: float = LOWEST_HZ,
    attenuation: float = 1.0,
) -> ModulationCoefficients:
    """Filters at the given frequencies, as `modulation_frequencies` returns them.

    attenuation : factor of the magnitudes; frequencies_hz, q, low_pass_hz and attenuation may take a complex step.
    """
    center = np.asarray(frequencies_hz)
    w0 = 2 * np.pi * center / sample_rate
    decay = np.where(np.real(center) < 10, 2 * np.pi * CONSTANT_WIDTH_HZ / sample_rate, w0 / q) / 2
    step_re = np.expm1(-decay) * np.cos(w0) - 2 * np.sin(w0 / 2) ** 2
    step_im = np.exp(-decay) * np.sin(w0)
    b = -np.expm1(-decay)
    mix_re = np.where(np.arange(len(center)) < N_LINEAR, 2.0, 2 * attenuation)
    lowest = _lowest(sample_rate, low_pass_hz)
    direct, mix_im = (np.zeros(len(center), np.result_type(*lowest)) for _ in range(2))
    step_re, step_im, b, mix_re = (np.asarray(a, np.result_type(a, *lowest)) for a in (step_re, step_im, b, mix_re))
    step_re[0], step_im[0], b[0], direct[0], mix_re[0], mix_im[0] = lowest
    return ModulationCoefficients(center, step_re, step_im, b, direct, mix_re, mix_im)


def _lowest(sample_rate: float, low_pass_hz: float) -> tuple:
    """Second-order Butterworth low-pass b0 (1 + w)^2 / ((1 - p w)(1 - p* w)) in partial fractions: one complex pole p.

    Real and imaginary parts apart: step_re, step_im, b, direct, mix_re, mix_im.
    """
    warped = np.tan(np.pi * low_pass_hz / sample_rate)
    norm = 1 / (1 + np.sqrt(2) * warped + warped**2)
    step_re, step_im = -(np.sqrt(2) * warped + 2 * warped**2) * norm, np.sqrt(2) * warped * norm
    squared = (1 - np.sqrt(2) * warped + warped**2) * norm  # |p|^2
    b0 = warped**2 * norm  # gain 1 at 0 Hz
    b = 2 * warped * np.sqrt(norm)  # |p - 1|, keeps the state near its input in size
    # The residue b0 (1 + 1 / p)^2 / (1 - p* / p), conjugated, times 2 / b.
    mix_re = -b0 * (2 * np.sqrt(2) * warped * norm) / (b * squared)  # (1 - squared), without cancellation
    mix_im = b0 * ((squared + 1) * (1 + step_re) + 2 * squared) / (b * step_im * squared)
    return step_re, step_im, b, b0 / squared, mix_re, mix_im
