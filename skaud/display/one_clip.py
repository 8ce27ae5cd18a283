"""One clip, as pictures of a model take it."""

from collections.abc import Mapping

import numpy as np

from skaud.sound import Sound
from skaud.sound.clips import Clip, take_apart


def one_clip(x: object, shape: str, n_axes: int = 1) -> Clip:
    """The clip that x is, of samples (n_samples,), or with ears (n_ears, n_samples) where n_axes is 2."""
    if isinstance(x, (list, tuple)) and len(x) and isinstance(x[0], (Sound, Mapping)):
        raise ValueError(
            f"x is a {type(x).__name__} of {len(x)} clips; the picture shows one, {shape}: pass x[0], say."
        )
    clip = take_apart(x, "x")
    if np.ndim(clip.samples) != n_axes:
        raise ValueError(
            f"x has shape {np.shape(clip.samples)}; the picture shows one signal, {shape}: pass x[0], say, or "
            "skaud.audio.ear(x, 0) of a Sound."
        )
    return clip
