"""
Speech in music and noise, and masks that take it out
=====================================================

What `biomimetic_speech.py` learns enhancement from: mixtures at 0 dB, masks on a short-time Fourier transform, and the
scale-invariant signal-to-distortion ratio of what comes out.
"""

import numpy as np
from scipy import signal

RATE = 16000
WINDOW, HOP = 256, 80  # of the mask


def si_sdr_db(estimate, target):
    """Scale-invariant signal-to-distortion ratio."""
    target = target - target.mean()
    estimate = estimate - estimate.mean()
    projection = (estimate @ target) / (target @ target) * target
    return 10 * np.log10((projection**2).sum() / ((estimate - projection) ** 2).sum())


def transform(x):
    """Short-time Fourier transform (n_bins, n_frames), the frames centred on every 80th sample from the 80th on."""
    return signal.stft(x, RATE, "hann", WINDOW, WINDOW - HOP)[2][:, 1:]


def masked(mixture, mask):
    """Mixture under a mask."""
    whole = signal.stft(mixture, RATE, "hann", WINDOW, WINDOW - HOP)[2]
    n = min(mask.shape[1], whole.shape[1] - 1)
    product = np.zeros_like(whole)
    product[:, 1 : n + 1] = whole[:, 1 : n + 1] * mask[:, :n]
    return signal.istft(product, RATE, "hann", WINDOW, WINDOW - HOP)[1][: len(mixture)]


def mixtures(recordings, seed, per_talker, n_seconds=2.0):
    """Training and test mixtures at 0 dB, with talkers and maskers kept apart: (speech, mixture, kind of masker)."""
    random = np.random.default_rng(seed)
    parts = {}
    for label in ("speech", "music", "noise"):
        some = random.permutation(np.flatnonzero(recordings.target == label))
        parts[label] = np.split(some, [len(some) - max(1, len(some) // 3)])
    sets = []
    n = int(n_seconds * RATE)
    for part in (0, 1):
        items = []
        for talker in parts["speech"][part]:
            for k in range(per_talker):
                kind = ("music", "noise")[k % 2]
                masker = random.choice(parts[kind][part])
                speech, other = (cut(recordings.clips[i].samples, n, random) for i in (talker, masker))
                other = other * np.sqrt((speech**2).mean() / (other**2).mean())
                items.append((speech, speech + other, kind))
        sets.append(items)
    return sets


def cut(samples, n, random):
    """A loud enough stretch of a clip."""
    loudness = np.sqrt((samples**2).mean())
    while True:
        begin = random.integers(len(samples) - n)
        piece = samples[begin : begin + n].astype(np.float64)
        if np.sqrt((piece**2).mean()) > 0.5 * loudness:
            return piece


def ratio_mask(speech, mixture):
    """Ideal ratio mask."""
    own, rest = (np.abs(transform(x)) ** 2 for x in (speech, mixture - speech))
    return np.sqrt(own / np.maximum(own + rest, 1e-20))


def labels(speech, mixture):
    """Labels of the frames, to learn from: speech is weaker than the masker, about as strong, or stronger."""
    own, rest = ((np.abs(transform(x)) ** 2).sum(axis=0)[: len(mixture) // HOP] for x in (speech, mixture - speech))
    return np.digitize(10 * np.log10((own + 1e-20) / (rest + 1e-20)), [-5, 5])
