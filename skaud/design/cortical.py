"""Spectrotemporal receptive fields: transfer functions over rate and scale, and their adjoints, in float64.

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


def rate_filters_adjoint(
    transfer_bar: np.ndarray, filters: RateFilters, rates_hz: np.ndarray, frame_rate_hz: float
) -> np.ndarray:
    """Adjoint of `rate_filters` for rates_hz; the inner product of complex numbers is Re(conj(a) b)."""
    n_padded = transfer_bar.shape[1]
    rows = np.arange(len(rates_hz))
    # transfer = half / peak
    half_bar = transfer_bar / filters.peak[:, np.newaxis]
    peak_bar = -np.real(np.conj(half_bar) * filters.transfer).sum(axis=1)
    # peak = |half[peak_bin]|
    half_bar[rows, filters.peak_bin] += peak_bar * filters.transfer[rows, filters.peak_bin]
    # half = fft(response)[half of the bins]
    spectrum_bar = np.zeros((len(rows), 2 * n_padded), complex)
    spectrum_bar[rates_hz > 0, :n_padded] = half_bar[rates_hz > 0]
    spectrum_bar[rates_hz < 0, n_padded:] = half_bar[rates_hz < 0]
    response_bar = 2 * n_padded * fft.ifft(spectrum_bar).real[:, :n_padded]
    # response = response - mean(response)
    response_bar -= response_bar.mean(axis=1, keepdims=True)
    # response = w * gammatone(w * t)
    t = np.arange(n_padded) / frame_rate_hz
    u = np.abs(rates_hz)[:, np.newaxis] * t
    w_bar = (response_bar * (_gammatone(u) + u * _gammatone_slope(u))).sum(axis=1)
    # w = |rate|
    return np.sign(rates_hz) * w_bar


def scale_filters(scales_cycles_per_octave: np.ndarray, n_padded: int, channels_per_octave: float) -> np.ndarray:
    """Transfer functions R exp(1 - R), (n_strfs, n_padded), R = (bin's scale / scale)^2."""
    R = _relative_scale(scales_cycles_per_octave, n_padded, channels_per_octave) ** 2
    return R * np.exp(1 - R)


def scale_filters_adjoint(
    transfer_bar: np.ndarray, scales_cycles_per_octave: np.ndarray, channels_per_octave: float
) -> np.ndarray:
    """Adjoint of `scale_filters` for scales_cycles_per_octave."""
    R = _relative_scale(scales_cycles_per_octave, transfer_bar.shape[1], channels_per_octave) ** 2
    # transfer = R * exp(1 - R)
    R_bar = transfer_bar * (1 - R) * np.exp(1 - R)
    # R = (bin's scale / scale)^2
    return (R_bar * -2 * R).sum(axis=1) / scales_cycles_per_octave


def _relative_scale(scales: np.ndarray, n_padded: int, channels_per_octave: float) -> np.ndarray:
    bins = np.arange(n_padded) / n_padded * channels_per_octave / 2  # cycles/octave
    return np.minimum(bins / scales[:, np.newaxis], 1e3)  # exp(-1e6) is 0, as beyond


def _gammatone(u: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * u) * u**2 * np.exp(-RATE_DECAY * u)


def _gammatone_slope(u: np.ndarray) -> np.ndarray:
    sine, cosine = np.sin(2 * np.pi * u), np.cos(2 * np.pi * u)
    return (2 * np.pi * cosine * u**2 + sine * (2 * u - RATE_DECAY * u**2)) * np.exp(-RATE_DECAY * u)


def _choose_half(spectrum: np.ndarray, rates_hz: np.ndarray) -> np.ndarray:
    """Bins 0 to n - 1 for rates above 0, n to 2 n - 1 for those below."""
    n = spectrum.shape[1] // 2
    return np.where(rates_hz[:, np.newaxis] > 0, spectrum[:, :n], spectrum[:, n:])
