"""Spectrotemporal receptive fields applied to spectrograms in the Fourier domain, and the adjoint; array-API code.

Every filter passes half of the rates and half of the scales, so that its response is complex.
"""

from typing import Any, NamedTuple

import numpy as np

from skaud._array_api import array_namespace, constant, fft_namespace, to_numpy
from skaud.kernels.fourier import in_threads


class Cortex(NamedTuple):
    """Filters for spectrograms of up to (n_scale_bins, n_rate_bins) channels and frames."""

    rates: np.ndarray  # (n_strfs, n_rate_bins) complex, transfer over the half that the sign chooses
    upwards: np.ndarray  # (n_strfs,), whether that is the lower half: rates above 0
    scales: np.ndarray  # (n_strfs, n_scale_bins), 0 in the first bin


def transform(spectrogram: Any, n_scale_bins: int, n_rate_bins: int) -> Any:
    """2-D spectrum of (n_signals, n_channels, n_frames), scales from 0 up: (n_signals, n_scale_bins, 2 n_rate_bins)."""
    fft = fft_namespace(spectrogram)
    over_scales = fft.rfft(spectrogram, n=2 * n_scale_bins, axis=-2)[:, :n_scale_bins, :]
    return fft.fft(over_scales, n=2 * n_rate_bins, axis=-1)


def transform_adjoint(spectrum_bar: Any, n_channels: int, n_frames: int) -> Any:
    """Adjoint of `transform`, whose first scale nobody uses."""
    fft = fft_namespace(spectrum_bar)
    n_scale_bins, n_rate_bins = spectrum_bar.shape[1], spectrum_bar.shape[2] // 2
    # spectrum = fft(over_scales)
    over_scales_bar = 2 * n_rate_bins * fft.ifft(spectrum_bar, axis=-1)[..., :n_frames]
    # over_scales = rfft(spectrogram)
    return n_scale_bins * fft.irfft(over_scales_bar, n=2 * n_scale_bins, axis=-2)[:, :n_channels, :]


def run(spectrogram: Any, cortex: Cortex, *, real: bool, n_threads: int = 1) -> Any:
    """Response of every filter, (n_signals, n_strfs, n_channels, n_frames): complex, or its real part."""
    xp, fft = array_namespace(spectrogram), fft_namespace(spectrogram)
    _, n_channels, n_frames = spectrogram.shape
    n_scale_bins, n_rate_bins = cortex.scales.shape[1], cortex.rates.shape[1]
    spectrum = transform(spectrogram, n_scale_bins, n_rate_bins)

    def respond(k: int) -> Any:
        filtered = _half(spectrum, cortex, k) * _transfer(cortex, k, spectrum)
        over_time = fft.ifft(filtered, n=2 * n_rate_bins, axis=-1)[..., :n_frames]
        if not cortex.upwards[k]:
            over_time = over_time * _alternation(n_frames, spectrogram)
        if real:
            return 0.5 * fft.irfft(over_time, n=2 * n_scale_bins, axis=-2)[:, :n_channels, :]
        return fft.ifft(over_time, n=2 * n_scale_bins, axis=-2)[:, :n_channels, :]

    return xp.stack(in_threads(respond, range(len(cortex.scales)), n_threads), axis=1)


class Gradients(NamedTuple):
    """Adjoints of a spectrogram and of the transfer functions of a `Cortex`."""

    spectrogram: Any
    rates: np.ndarray
    scales: np.ndarray


def run_adjoint(response_bar: Any, spectrogram: Any, cortex: Cortex, *, n_threads: int = 1) -> Gradients:
    """Adjoint of `run`, for a real or a complex bar; the inner product of complex numbers is Re(conj(a) b)."""
    xp, fft = array_namespace(spectrogram), fft_namespace(spectrogram)
    _, n_channels, n_frames = spectrogram.shape
    n_scale_bins, n_rate_bins = cortex.scales.shape[1], cortex.rates.shape[1]
    spectrum = transform(spectrogram, n_scale_bins, n_rate_bins)
    real = not xp.isdtype(response_bar.dtype, "complex floating")

    def reverse(k: int) -> tuple[Any, Any, Any]:
        # response = ifft(over_time), over scales; or its real part
        over_scales = fft.rfft if real else fft.fft
        over_time_bar = over_scales(response_bar[:, k, :, :], n=2 * n_scale_bins, axis=-2)[:, :n_scale_bins, :]
        if not cortex.upwards[k]:
            # over_time = over_time * alternation
            over_time_bar = over_time_bar * _alternation(n_frames, spectrogram)
        # over_time = ifft(filtered)
        filtered_bar = fft.fft(over_time_bar, n=2 * n_rate_bins, axis=-1)[..., :n_rate_bins]
        filtered_bar = filtered_bar * (1 / (4 * n_scale_bins * n_rate_bins))
        # filtered = half * scale * rate
        half_bar = filtered_bar * xp.conj(_transfer(cortex, k, spectrum))
        product = xp.sum(filtered_bar * xp.conj(_half(spectrum, cortex, k)), axis=0)
        rate_bar = xp.sum(product * constant(cortex.scales[k, :, np.newaxis], spectrum), axis=0)
        scale_bar = xp.real(xp.sum(product * constant(np.conj(cortex.rates[k]), spectrum), axis=-1))
        return half_bar, rate_bar, scale_bar

    upper, lower = 0, 0
    rates_bar, scales_bar = [], []
    # A few at a time: their spectra are summed.
    for begin in range(0, len(cortex.scales), 8):
        some = range(begin, min(begin + 8, len(cortex.scales)))
        for k, (half_bar, rate_bar, scale_bar) in zip(some, in_threads(reverse, some, n_threads)):
            if cortex.upwards[k]:
                lower = lower + half_bar
            else:
                upper = upper + half_bar
            rates_bar.append(to_numpy(rate_bar))
            scales_bar.append(to_numpy(scale_bar))
    nothing = 0 * spectrum[..., :n_rate_bins]
    spectrum_bar = xp.concat([lower + nothing, upper + nothing], axis=-1)
    return Gradients(
        transform_adjoint(spectrum_bar, n_channels, n_frames),
        np.stack(rates_bar).astype(complex),
        np.stack(scales_bar).astype(float),
    )


def _transfer(cortex: Cortex, k: int, spectrum: Any) -> Any:
    return constant(cortex.scales[k] + 0j, spectrum)[:, None] * constant(cortex.rates[k], spectrum)


def _half(spectrum: Any, cortex: Cortex, k: int) -> Any:
    n = spectrum.shape[-1] // 2
    return spectrum[..., :n] if cortex.upwards[k] else spectrum[..., n:]


def _alternation(n_frames: int, x: Any) -> Any:
    """(-1) ** t: the upper half of the bins lies half the frame rate above the lower."""
    return constant(1.0 - 2.0 * (np.arange(n_frames) % 2), x)
