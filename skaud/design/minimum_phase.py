"""Filters with minimum phase, of given magnitudes; every number may take a complex step."""

from collections.abc import Callable

import numpy as np


def minimum_phase_response(log_magnitude: np.ndarray, n_fft: int) -> np.ndarray:
    """Impulse responses (..., n_fft) with minimum phase; folds the cepstrum (Oppenheim & Schafer 2010, section 13.6).

    log_magnitude : (..., n_fft // 2 + 1), natural logarithms, from 0 Hz to half the sample rate
    """
    cepstrum = on_parts(lambda x: np.fft.irfft(x, n_fft), log_magnitude)
    log_re, log_im = spectrum(fold(n_fft) * cepstrum, n_fft)
    re, im = np.exp(log_re) * np.cos(log_im), np.exp(log_re) * np.sin(log_im)
    response = np.fft.irfft(re.real + 1j * im.real, n_fft)
    return response + 1j * np.fft.irfft(re.imag + 1j * im.imag, n_fft) if np.iscomplexobj(re) else response


def fold(n_fft: int) -> np.ndarray:
    """Weights that make a cepstrum causal."""
    weights = np.zeros(n_fft)
    weights[0] = 1
    weights[1 : (n_fft + 1) // 2] = 2
    if n_fft % 2 == 0:
        weights[n_fft // 2] = 1
    return weights


def spectrum(x: np.ndarray, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Real and imaginary part of the FFT, from 0 Hz to half the sample rate; each may take a complex step."""
    return on_parts(lambda x: np.fft.rfft(x, n_fft).real, x), on_parts(lambda x: np.fft.rfft(x, n_fft).imag, x)


def on_parts(linear: Callable, x: np.ndarray) -> np.ndarray:
    """A linear function with real results, also of numbers with a complex step."""
    return linear(x.real) + 1j * linear(x.imag) if np.iscomplexobj(x) else linear(x)
