"""Spectrotemporal receptive fields: transfer functions over rate and scale, and their slopes, in float64.

Source: Famularo et al. (2024), after Chi et al. (2005); see skaud.design.cochlear.
"""

from typing import NamedTuple

import numpy as np
from scipy import fft

N_LOG_RATES = 8
RATE_DECAY = 3.5  # of the envelope, in cycles: exp(-3.5 t |rate|)
STEP = 1e-30  # of the complex step
LONGEST_RATE_FILTER = 2048  # frames, 10 s at 200 Hz: what is left of a filter of 2 Hz falls like 1 / t^2 by then


def log_init(n_strfs: int, finest: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Scales of 0.25 cycles/octave to the finest, each with rates of +-2 to +-32 Hz."""
    scales = 2 ** np.linspace(-2, np.log2(finest), n_strfs // N_LOG_RATES)
    rates = 2 ** np.linspace(1, 5, N_LOG_RATES // 2)
    rates = np.concatenate([rates, -rates])
    return np.repeat(scales, len(rates)), np.tile(rates, len(scales))


def random_init(n_strfs: int, random_state: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Scales U(0, 9) cycles/octave, rates U(-9, 9) Hz."""
    return random_state.uniform(0, 9, n_strfs), random_state.uniform(-9, 9, n_strfs)


def padded_length(n: int) -> int:
    """Half the length of the FFT: the power of 2 from n on."""
    return 1 << (n - 1).bit_length()


def rate_bins(n_frames: int) -> int:
    """Frames of the rate filters, at most LONGEST_RATE_FILTER."""
    return min(padded_length(n_frames), LONGEST_RATE_FILTER)


class RateFilters(NamedTuple):
    """Transfer functions over the half of the bins that the sign of the rate chooses.

    transfer : (n_strfs, n_padded) complex; peak_bin : (n_strfs,), where it is 1 in magnitude; peak : (n_strfs,), its
    magnitude before
    """

    transfer: np.ndarray
    peak_bin: np.ndarray
    peak: np.ndarray


def rate_filters(rates_hz: np.ndarray, n_padded: int, frame_rate_hz: float) -> RateFilters:
    """Impulse response |w| sin(2 pi u) u^2 exp(-3.5 u), u = t |w|, without its mean; bins of its FFT, peak 1."""
    half = _choose_half(fft.fft(_rate_responses(rates_hz, n_padded, frame_rate_hz), 2 * n_padded), rates_hz)
    peak_bin = np.abs(half).argmax(axis=1)
    peak = np.abs(half)[np.arange(len(half)), peak_bin]
    peak = np.where(peak > 0, peak, 1)  # a single frame has no rate: 0
    return RateFilters(half / peak[:, np.newaxis], peak_bin, peak)


def rate_filters_slope(rates_hz: np.ndarray, n_padded: int, frame_rate_hz: float) -> np.ndarray:
    """Derivative of the transfer functions in the direction of the complex step that the rates have."""
    filters = rate_filters(rates_hz.real, n_padded, frame_rate_hz)
    slope = _rate_responses(rates_hz, n_padded, frame_rate_hz).imag / STEP
    half_slope = _choose_half(fft.fft(slope, 2 * n_padded), rates_hz.real)
    rows = np.arange(len(rates_hz))
    at_peak = filters.transfer[rows, filters.peak_bin]
    peak_slope = np.real(np.conj(at_peak) * half_slope[rows, filters.peak_bin])
    # transfer = half / peak, peak = |half[peak_bin]|
    return (half_slope - filters.transfer * peak_slope[:, np.newaxis]) / filters.peak[:, np.newaxis]


def _rate_responses(rates_hz: np.ndarray, n_padded: int, frame_rate_hz: float) -> np.ndarray:
    w = (np.sign(rates_hz.real) * rates_hz)[:, np.newaxis]
    response = w * _gammatone(w * np.arange(n_padded) / frame_rate_hz)
    return response - response.mean(axis=1, keepdims=True)


def scale_filters(scales_cycles_per_octave: np.ndarray, n_padded: int, channels_per_octave: float) -> np.ndarray:
    """Transfer functions R exp(1 - R), (n_strfs, n_padded), R = (bin's scale / scale)^2."""
    R = _relative_scale(scales_cycles_per_octave, n_padded, channels_per_octave) ** 2
    return R * np.exp(1 - R)


def scale_filters_slope(scales_cycles_per_octave: np.ndarray, n_padded: int, channels_per_octave: float) -> np.ndarray:
    """Derivatives of the transfer functions by their scales."""
    R = _relative_scale(scales_cycles_per_octave, n_padded, channels_per_octave) ** 2
    # transfer = R * exp(1 - R), R = (bin's scale / scale)^2
    return (1 - R) * np.exp(1 - R) * -2 * R / scales_cycles_per_octave[:, np.newaxis]


def _relative_scale(scales: np.ndarray, n_padded: int, channels_per_octave: float) -> np.ndarray:
    bins = np.arange(n_padded) / n_padded * channels_per_octave / 2  # cycles/octave
    return np.minimum(bins / scales[:, np.newaxis], 1e3)  # exp(-1e6) is 0, as beyond


def _gammatone(u: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * u) * u**2 * np.exp(-RATE_DECAY * u)


def _choose_half(spectrum: np.ndarray, rates_hz: np.ndarray) -> np.ndarray:
    """Bins 0 to n - 1 for rates above 0, n to 2 n - 1 for those below."""
    n = spectrum.shape[1] // 2
    return np.where(rates_hz[:, np.newaxis] > 0, spectrum[:, :n], spectrum[:, n:])
