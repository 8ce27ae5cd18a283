"""The stages of Osses et al. (2021) in NumPy and SciPy, one after the other, as the publications write them."""

import numpy as np
from scipy import signal


def gammatone(x, center_hz, sample_rate):
    """Channels (n_channels, n_samples) of x (n_samples,)."""
    width = (24.7 + center_hz / 9.265) * 36 / (np.pi * 720 / 64)
    channels = []
    for fc, w in zip(center_hz, width):
        y = x.astype(complex)
        for _ in range(4):
            y = signal.lfilter([1], [1, -np.exp(-2 * np.pi * (w + 1j * fc) / sample_rate)], y)
        channels.append(2 * (y * (1 - np.exp(-2 * np.pi * w / sample_rate)) ** 4).real)
    return np.array(channels)


def hair_cell(x, sample_rate):
    """Envelopes of breebaart2001."""
    y = np.maximum(x, 0)
    for _ in range(5):
        y = signal.lfilter(*signal.butter(1, 2000, fs=sample_rate), y)
    return y


def adaptation(x, sample_rate, limit=5.0, tau=(0.005, 0.05, 0.129, 0.253, 0.5), minimum_level_db=0.0):
    """Model units of x (n_channels, n_samples)."""
    floor = 10 ** ((minimum_level_db - 100) / 20)
    a = np.exp(-1 / (np.array(tau) * sample_rate))
    start = [floor**0.5]
    for _ in tau[1:]:
        start.append(start[-1] ** 0.5)
    divisors = [np.full(len(x), s) for s in start]
    out = np.empty(x.shape)
    for t in range(x.shape[1]):
        y = np.maximum(x[:, t], floor)
        for j, s in enumerate(start):
            y = y / divisors[j]
            if limit > 1:
                m = (1 - s**2) * limit - 1
                y = np.where(y > 1, 2 * m / (1 + np.exp(-2 / m * (y - 1))) - (m - 1), y)
            divisors[j] = a[j] * divisors[j] + (1 - a[j]) * y
        out[:, t] = y
    return (out - start[-1]) * 100 / (1 - start[-1])


def modulation(x, center_hz, sample_rate, limit_hz=150.0):
    """Features (n_features, n_samples) of jepsen2008."""
    x = signal.lfilter(*signal.butter(1, 150, fs=sample_rate), x)
    features = []
    for channel, fc in zip(x, center_hz):
        frequencies = [0.0, 5.0, 10.0]
        mf = 12.5 / 0.75
        while mf < min(fc / 4, limit_hz):
            frequencies.append(mf)
            mf *= 5 / 3
        for mf in frequencies:
            if mf == 0:
                features.append(signal.sosfilt(signal.butter(2, 2.5, fs=sample_rate, output="sos"), channel))
                continue
            w0 = 2 * np.pi * mf / sample_rate
            e0 = np.exp(-(2 * np.pi * 5 / sample_rate if mf < 10 else w0 / 2) / 2)
            y = 2 * signal.lfilter([1 - e0], [1, -e0 * np.exp(1j * w0)], channel)
            features.append(y.real if mf <= 10 else np.abs(y) / np.sqrt(2))
    return np.array(features)
