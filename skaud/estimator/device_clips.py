"""Clips that lie on a device: what stands for them where shapes are checked, and what runs side by side."""

from collections.abc import Sequence

import numpy as np

from skaud._types import Features, Signals
from skaud.estimator.sounds import check_finite, warn_integers
from skaud.kernels.array_api import array_namespace, as_dtype, to_numpy
from skaud.kernels.batches import clip_of, dtype_of, zeros_of_no_size


def stand_in(X: Signals) -> Features:
    """NumPy arrays of the shapes of X, a list or an array, which take no memory: so that one code checks all shapes."""
    if isinstance(X, list):
        warn_integers([dtype_of(clip) for clip in X])
        return [zeros_of_no_size(clip) for clip in X]
    warn_integers([dtype_of(X)])
    return zeros_of_no_size(X)


def as_clips(X: Signals, shapes: Sequence[tuple[int, ...]], dtype: str) -> Features:
    """Clips of X in a dtype, each shaped so: a list, or one array where X is one; an error where one is not finite."""
    if isinstance(X, list):
        xp = array_namespace(X[0])
        clips: Features = [xp.reshape(as_dtype(clip, dtype), shape) for clip, shape in zip(X, shapes)]
    else:
        clips = array_namespace(X).reshape(as_dtype(X, dtype), (len(shapes), *shapes[0]))
    for i in np.flatnonzero(~np.isfinite(mean_squares(clips))):
        check_finite(to_numpy(clip_of(clips, int(i))), f"X[{i}]")  # it may just be large
    return clips


def mean_squares(clips: Features) -> list[float]:
    """Of every clip."""
    xp = array_namespace(clips[0] if isinstance(clips, list) else clips)
    if isinstance(clips, list):
        return to_numpy(xp.stack([xp.mean(clip * clip) for clip in clips])).astype(float).tolist()
    axes = tuple(range(1, len(clips.shape)))
    return to_numpy(xp.mean(clips * clips, axis=axes)).astype(float).tolist()
