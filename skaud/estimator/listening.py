"""How a model hears clips: at its rate, at its level, with the axes that it takes."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from skaud._types import Features, Rates, Signals, Targets
from skaud._warnings import warn_caller
from skaud.estimator.device_clips import as_clips, mean_squares, stand_in
from skaud.estimator.protocol import Model
from skaud.estimator.sounds import Sounds, warn_of_levels, warn_of_powers
from skaud.kernels.array_api import Array, array_namespace, of_host, take
from skaud.kernels.on_device import REMEDY
from skaud.sound.resampling import resample_array

_LONG_FRAME_S = 1.0


def refuse_unmeant(model: Model, y: Targets) -> None:
    """Refuse, or warn of, what is a number but hardly one that is meant."""
    if isinstance(y, Real) or (isinstance(y, np.ndarray) and y.ndim == 0):
        raise TypeError(f"y={y!r} is a number, not labels; if it is the rate of the clips, pass sample_rate={y!r}.")
    seconds = getattr(model, "frame_length", None)  # some models have a frame rate
    if seconds is not None and seconds > _LONG_FRAME_S:
        warn_caller(
            f"frame_length={seconds!r} is a frame of {seconds:g} s; it is in seconds, not in "
            "samples or milliseconds: 10 ms are 0.010."
        )


def take_sounds(model: Model, X: Signals, sample_rate: Rates, **options: bool) -> Sounds:
    """Clips of X, of any library, validated; those of a device stay there, in the model's dtype."""
    (X, place), sample_rate = take(X), of_host(sample_rate, "sample_rate")
    if place.on_host:
        return model.check_sounds(X, sample_rate, **options)._replace(place=place)
    sounds = model.check_sounds(stand_in(X), sample_rate, **options)
    for i, rate in enumerate(sounds.rates):
        if rate != model.sample_rate:
            raise TypeError(
                f"X[{i}] is at {rate:g} Hz and the model at {model.sample_rate:g} Hz, and soxr, which resamples, "
                f"runs on the CPU, while X is of {place}; resample it there, set sample_rate={rate:g} in the "
                f"model, or {REMEDY}."
            )
    return sounds._replace(clips=as_clips(X, [clip.shape for clip in sounds.clips], model.dtype), place=place)


def listen(
    model: Model, X: Signals, sample_rate: Rates, *, fixed_length: bool = False, at_model_rate: bool = False
) -> Sounds:
    """Clips at the model's rate, as they were given otherwise."""
    sounds = take_sounds(model, X, sample_rate, fixed_length=fixed_length)
    rates = sounds.rates
    if at_model_rate:
        for i, rate in enumerate(rates):
            if rate != model.sample_rate:
                raise ValueError(
                    f"X[{i}] is at {rate:g} Hz, and derivatives are those by samples at the model's rate, "
                    f"{model.sample_rate:g} Hz; resample it first: skaud.audio.resample(x, {model.sample_rate:g})."
                )
    elif model.rates_told_ and not sounds.rates_known:
        raise ValueError(
            f"X are plain samples without a rate, and in fit {type(model).__name__} was told one; taken at the "
            f"model's rate, {model.sample_rate:g} Hz, they could be at the wrong pitch. Pass clips as "
            "skaud.Sound(samples, sample_rate), which every scorer and search passes on, or sample_rate."
        )
    if any(rate != model.sample_rate for rate in rates):
        jobs = (
            delayed(resample_array)(c, r, model.sample_rate, f"X[{i}]")
            for i, (c, r) in enumerate(zip(sounds.clips, rates))
        )
        clips = Parallel(n_jobs=min(effective_n_jobs(model.n_jobs), len(rates)), prefer="threads")(jobs)
        sounds = sounds._replace(clips=clips, is_array=sounds.is_array and len({c.shape for c in clips}) == 1)
    if not model.takes_channels:
        scales = [model.level_of_one(scale) for scale in sounds.scales]
        if sounds.place.on_host:
            warn_of_levels(sounds.clips, scales)
        else:
            warn_of_powers(mean_squares(sounds.clips), scales)
    return sounds


def hear(model: Model, X: Signals, sample_rate: Rates = None, *, at_model_rate: bool = False) -> Sounds:
    """Clips as the kernel takes them, at its rate and level and in the model's dtype.

    With at_model_rate, clips at another rate are an error: derivatives are those by samples at the model's.
    """
    return at_level(model, listen(model, X, sample_rate, at_model_rate=at_model_rate))


def at_level(model: Model, sounds: Sounds) -> Sounds:
    """Clips at the level that the kernel takes, in the model's dtype."""
    if not sounds.place.on_host:  # plain samples, of one scale
        gain, clips = float(model.gain()), sounds.clips
        louder = [_times(clip, gain) for clip in clips] if isinstance(clips, list) else _times(clips, gain)
        return sounds._replace(clips=louder)
    return sounds._replace(clips=[to_level(model, *own) for own in zip(sounds.clips, sounds.scales)])


def to_level(model: Model, clip: np.ndarray, scale: float | None = None) -> np.ndarray:
    """In the model's dtype, and scaled to the level that the kernel expects."""
    # A kernel would compile anew for arrays that lie in memory in another way, or that it may not write to.
    if clip.dtype != model.dtype or not clip.flags.carray:
        with np.errstate(over="ignore"):  # found in the response
            clip = np.require(clip, model.dtype, ["C_CONTIGUOUS", "ALIGNED", "WRITEABLE", "ENSUREARRAY"])
    return _times(clip, model.gain(scale))


class BroughtToLevel:
    """A long clip, of which each block is brought to its level when it is asked for: no copy of the whole is held."""

    def __init__(self, model: Model, clip: np.ndarray, scale: float | None) -> None:
        self._model, self._clip, self._scale = model, clip, scale

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the clip."""
        return self._clip.shape

    def __len__(self) -> int:
        return len(self._clip)

    def __getitem__(self, key: Any) -> np.ndarray:
        return to_level(self._model, self._clip[key], self._scale)


def shaped_as_x(model: Model, bars: Features, sounds: Sounds) -> Features:
    """Bars of clips as the engine takes them, a list or one array, as bars of X: of its level, with its axes."""

    def shaped(bar: Array, n_signals: tuple[int, ...], scale: float | None) -> Array:
        shape = model.shape_in_x(tuple(bar.shape[len(n_signals) :]), has_ears=sounds.has_ears)
        return array_namespace(bar).reshape(_times(bar, float(model.gain(scale))), (*n_signals, *shape))

    if isinstance(bars, list):
        return [shaped(bar, (), scale) for bar, scale in zip(bars, sounds.scales)]
    return shaped(bars, (bars.shape[0],), None)  # plain samples, of one scale


def _times(x: Array, gain: float) -> Array:
    return x if gain == 1 else x * gain  # a number of Python's leaves the dtype as it is
