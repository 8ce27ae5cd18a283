"""The biomimetic front end's formulas written out, and their derivatives by complex steps."""

import numpy as np
from scipy import signal

from skaud.engines.spectrogram_layout import OUTPUTS

STEP = 1e-30


def spectrogram_outputs(x, response, alpha, kernel, decay, period):
    """The formulas, for real numbers or with a complex step in them, a sample at a time."""

    def filtered(x):
        return signal.fftconvolve(x[:, np.newaxis], response[np.newaxis], axes=-1)[..., : x.shape[-1]]

    y = filtered(x.real) + 1j * filtered(x.imag)
    upright = np.where(y.real < 0, -y, y)
    compressed = np.where(y.real < 0, -1, 1) * upright ** np.asarray(alpha)[:, np.newaxis]
    difference = kernel[0] * compressed[:, :-1] + kernel[1] * compressed[:, 1:]
    inhibited = np.where(difference.real > 0, difference, 0)
    leaky = np.zeros_like(inhibited)
    state = 0
    for t in range(x.shape[-1]):
        state = decay * state + inhibited[..., t]
        leaky[..., t] = state
    return dict(zip(OUTPUTS, (y, compressed, inhibited, leaky[..., period - 1 :: period])))


def rate_tangent(rates, rates_dot, n_padded, frame_rate_hz):
    """Derivative of the rate filters by a complex step, from the formula written out with cosines and sines."""
    w = np.sign(rates)[:, np.newaxis] * (rates + 1j * STEP * rates_dot)[:, np.newaxis]
    t = np.arange(n_padded) / frame_rate_hz
    response = w * np.sin(2 * np.pi * t * w) * (t * w) ** 2 * np.exp(-3.5 * t * w)
    response = response - response.sum(axis=1, keepdims=True) / n_padded
    bins = np.where(rates[:, np.newaxis] > 0, 0, n_padded) + np.arange(n_padded)
    angle = np.pi * bins[:, :, np.newaxis] * np.arange(n_padded) / n_padded
    real = (np.cos(angle) * response[:, np.newaxis]).sum(axis=2)
    imag = -(np.sin(angle) * response[:, np.newaxis]).sum(axis=2)
    peak = (real.real**2 + imag.real**2).argmax(axis=1)[:, np.newaxis]
    magnitude = np.sqrt(np.take_along_axis(real**2 + imag**2, peak, axis=1))
    return (real / magnitude).imag / STEP + 1j * (imag / magnitude).imag / STEP


def scale_tangent(scales, scales_dot, n_padded, channels_per_octave):
    """Derivative of the scale filters by a complex step."""
    bins = np.arange(n_padded) / n_padded * channels_per_octave / 2
    R = (bins / (scales + 1j * STEP * scales_dot)[:, np.newaxis]) ** 2
    return (R * np.exp(1 - R)).imag / STEP


def cortical_response(spectrogram, rates, scales, upwards):
    """Both FFTs at full size: (n_signals, n_strfs, n_channels, n_frames) of transfer functions over half the bins."""
    n, m = rates.shape[1], scales.shape[1]
    spectrum, out = np.fft.fft2(spectrogram, (2 * m, 2 * n)), []
    for rate, scale, up in zip(rates, scales, upwards):
        transfer = np.zeros((2 * m, 2 * n), complex)
        transfer[:m, :n] = scale[:, np.newaxis] * rate
        transfer = transfer if up else np.roll(transfer, n, axis=1)
        out.append(np.fft.ifft2(spectrum * transfer)[:, : spectrogram.shape[1], : spectrogram.shape[2]])
    return np.stack(out, axis=1)


def cortical_tangent(spectrogram, step, rates_hz, rates, rates_dot, scales, scales_dot):
    """Derivative of the complex response, which is linear in the spectrogram and in both filters."""
    upwards = rates_hz > 0
    return (
        cortical_response(step, rates, scales, upwards)
        + cortical_response(spectrogram, rates_dot, scales, upwards)
        + cortical_response(spectrogram, rates, scales_dot, upwards)
    )
