"""Forward derivatives of the cortical filters: their formulas with a complex step in them, which test the adjoint."""

import numpy as np
from scipy import fft

from skaud.design import cortical as design
from skaud.engines.engine import STEP
from skaud.kernels import cortical
from skaud.stages.cortical import STRFs


def of_cortical(
    spectrogram: np.ndarray,
    spectrogram_step: np.ndarray,
    strfs: STRFs,
    parameter_steps: dict[str, np.ndarray],
    part: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Response and its derivative, which is linear in the spectrogram and in the filters over scale and rate."""
    cortex, _ = strfs.cortex(*spectrogram.shape[1:])
    response = cortical.run(spectrogram, cortex, real=False)
    derivative = cortical.run(spectrogram_step, cortex, real=False)
    if "scales_cycles_per_octave" in parameter_steps:
        scales = _scale_step(strfs, parameter_steps["scales_cycles_per_octave"], cortex.scales.shape[1])
        derivative = derivative + cortical.run(spectrogram, cortex._replace(scales=scales), real=False)
    if "rates_hz" in parameter_steps:
        rates = _rate_step(strfs, parameter_steps["rates_hz"], cortex.rates.shape[1])
        derivative = derivative + cortical.run(spectrogram, cortex._replace(rates=rates), real=False)
    if part == "real":
        return response.real, derivative.real
    if part == "magnitude":
        magnitude = np.abs(response)
        return magnitude, (np.conj(response) * derivative).real / np.where(magnitude > 0, magnitude, 1)
    return response, derivative


def _scale_step(strfs: STRFs, step: np.ndarray, n_padded: int) -> np.ndarray:
    bins = np.arange(n_padded) / n_padded * strfs.channels_per_octave / 2
    R = (bins / (strfs.scales_cycles_per_octave + 1j * STEP * step)[:, np.newaxis]) ** 2
    R = np.where(R.real > 1e6, 1e6, R)
    return (R * np.exp(1 - R)).imag / STEP


def _rate_step(strfs: STRFs, step: np.ndarray, n_padded: int) -> np.ndarray:
    rates = strfs.rates_hz
    w = (np.sign(rates) * (rates + 1j * STEP * step))[:, np.newaxis]
    u = w * np.arange(n_padded) / strfs.frame_rate_hz
    response = w * np.sin(2 * np.pi * u) * u**2 * np.exp(-design.RATE_DECAY * u)
    response = response - response.mean(axis=1, keepdims=True)
    upper = np.where(rates > 0, 0, n_padded)[:, np.newaxis] + np.arange(n_padded)
    half, half_step = (
        np.take_along_axis(fft.fft(part, 2 * n_padded), upper, axis=1) for part in (response.real, response.imag / STEP)
    )
    # transfer = half / peak, and peak = |half[peak_bin]|
    peak_bin = np.abs(half).argmax(axis=1)[:, np.newaxis]
    at_peak, at_peak_step = (np.take_along_axis(a, peak_bin, axis=1) for a in (half, half_step))
    peak = np.abs(at_peak)
    peak_step = (np.conj(at_peak) * at_peak_step).real / peak
    return half_step / peak - half * peak_step / peak**2
