"""The biomimetic front end's formulas written out, and their derivatives by complex steps."""

import numpy as np
from scipy import signal

from skaud.kernels.cochlear import OUTPUTS

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
