"""What pictures are given, checked: a model, one clip, numbers a second or of seconds."""

from collections.abc import Mapping

import numpy as np

from skaud._fitted import fitted_copy
from skaud._types import Estimator
from skaud.design.limits import check_number
from skaud.sound import Sound
from skaud.sound.clips import Clip, take_apart


def fitted_model(model: object) -> Estimator:
    """The model with the parameters of its fit; an error where it is none that a picture can run."""
    if not hasattr(model, "simulate"):
        raise TypeError(
            f"model is a {type(model).__name__}, which has no responses to draw; pass a fitted model, such as CARFAC, "
            "of a pipeline its first step, model[0]."
        )
    return fitted_copy(model)


def above_0(name: str, value: object, of: str) -> float:
    """A finite number above 0."""
    return check_number(name, value, f"a number of {of} above 0", np.finfo(float).tiny)


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
