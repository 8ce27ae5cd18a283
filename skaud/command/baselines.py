"""Log-mel spectrum: what the demo sets against auditory features."""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.fft import next_fast_len, rfft

from skaud.sound import Sound

_FLOOR_DB = 80.0  # below a clip's maximum, as is customary
_TINY = 1e-20  # power; keeps the logarithm of silence finite


def log_mel(
    x: np.ndarray, sample_rate: float, n_bands: int = 40, window_s: float = 0.025, hop_s: float = 0.010
) -> np.ndarray:
    """Log-mel spectrogram in dB, (n_bands, n_frames), of a clip (n_samples,)."""
    n_window, hop = round(window_s * sample_rate), round(hop_s * sample_rate)
    if x.size < n_window:
        x = np.pad(x, (0, n_window - x.size))
    # Zero-padded fourfold, so that the lowest bands, narrower than a bin of the window, are not empty.
    n_fft = next_fast_len(4 * n_window, real=True)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_window) / n_window)  # Hann, periodic
    frames = np.lib.stride_tricks.sliding_window_view(x, n_window)[::hop] * window.astype(x.dtype)
    power = np.abs(rfft(frames, n_fft, axis=-1)) ** 2  # (n_frames, n_bins)
    level_db = 10 * np.log10(np.maximum(mel_weights(sample_rate, n_bands, n_fft) @ power.T, _TINY))
    return np.maximum(level_db, level_db.max() - _FLOOR_DB).astype(x.dtype)


def log_mels(clips: list[Sound]) -> list[np.ndarray]:
    """Log-mel spectrogram of every clip."""
    return [log_mel(*clip) for clip in clips]


def mel_centres_hz(sample_rate: float, n_bands: int) -> np.ndarray:
    """Centre frequency of every band."""
    return 700 * (10 ** (_mel_edges(sample_rate, n_bands)[1:-1] / 2595) - 1)


@lru_cache(maxsize=8)
def mel_weights(sample_rate: float, n_bands: int, n_fft: int) -> np.ndarray:
    """Triangular bands, (n_bands, n_fft // 2 + 1), of height 1, each from the centre before to the centre after."""
    edges = _mel_edges(sample_rate, n_bands)[:, np.newaxis]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    mel = _hz_to_mel(np.arange(n_fft // 2 + 1) * sample_rate / n_fft)
    return np.maximum(0, np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)))


def _mel_edges(sample_rate: float, n_bands: int) -> np.ndarray:
    return np.linspace(0, _hz_to_mel(sample_rate / 2), n_bands + 2)


def _hz_to_mel(hz: Any) -> Any:
    return 2595 * np.log10(1 + hz / 700)  # O'Shaughnessy 1987
