"""Front ends and listeners whose answers are known in closed form."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skaud import Sound

RATE = 8000
N_SAMPLES = 80
PATTERN = np.sin(2 * np.pi * np.arange(N_SAMPLES) / 16) * np.hanning(N_SAMPLES)


class Samples(TransformerMixin, BaseEstimator):
    """Front end that gives the samples, or means of frames of them: a linear one."""

    def __init__(self, frame=1, sample_rate=RATE):
        self.frame = frame
        self.sample_rate = sample_rate

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        x = np.stack([getattr(clip, "samples", clip) for clip in X])
        return x.reshape(*x.shape[:-1], -1, self.frame).mean(axis=-1)[:, np.newaxis]


class Listener:
    """Whoever adds noise of variance 1 to the level of the interval with the signal, and takes the largest."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def predict(self, X):
        return [int(np.argmax(np.array(trial) + self.random.standard_normal(len(trial)))) for trial in X]


def trials(n_trials, amplitude=1.0, n_intervals=3, masker_std=0.0, seed=0, as_sounds=False):
    """Trials of the pattern at an amplitude, in noise or in silence, and where it is."""
    random = np.random.default_rng(seed)
    X = masker_std * random.standard_normal((n_trials, n_intervals, N_SAMPLES))
    y = random.integers(n_intervals, size=n_trials)
    X[np.arange(n_trials), y] += amplitude * PATTERN
    return ([[Sound(clip, RATE) for clip in trial] for trial in X] if as_sounds else X), y


def distance(amplitude, variance):
    """d' of a linear detector of the pattern in internal noise."""
    return amplitude * np.sqrt(np.sum(PATTERN**2) / RATE / variance)
