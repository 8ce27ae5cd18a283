"""Trials, and what a model makes of their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from skaud._types import Estimator, Signals
from skaud.kernels.array_api import of_host
from skaud.sound import Sound, check_samples
from skaud.sound.clips import take_apart

_HELD = 1 << 25  # numbers of internal representations that are held at a time


@dataclass(frozen=True)
class Trials:
    """Intervals of all trials in turn, as a model takes them; how many a trial has; their length in s."""

    intervals: Any
    n_intervals: int
    duration_s: float

    def __len__(self) -> int:
        return len(self.intervals) // self.n_intervals


def check_trials(X: Signals, sample_rate: float | None) -> Trials:
    """Validate X, whichever form it has; sample_rate is that of plain samples.

    All intervals must last equally long and have the same ears, and every trial must have as many of them, at least 2.
    """
    if sparse.issparse(X):
        raise TypeError(
            f"X is sparse ({type(X).__name__}), but samples of sound are dense; pass X.toarray(), in trials."
        )
    if isinstance(X, (str, bytes, Mapping, Sound)) or not hasattr(X, "__len__"):
        raise TypeError(f"X is {type(X).__name__}, not trials; pass a list of trials, each a list of its intervals.")
    X = X.to_numpy() if hasattr(X, "to_numpy") else of_host(X, "X")  # a data frame has a column an interval
    if isinstance(X, np.ndarray) and X.dtype != object:
        return _check_array(X, sample_rate)
    trials = [_as_trial(trial, f"X[{i}]") for i, trial in enumerate(X)]
    if not trials:
        raise ValueError("X is empty; pass at least one trial.")
    for i, trial in enumerate(trials):
        _check_count(len(trial), f"X[{i}]", len(trials[0]))
    clips = {f"X[{i}][{k}]": interval for i, trial in enumerate(trials) for k, interval in enumerate(trial)}
    first, *others = [_measured(interval, name, sample_rate) for name, interval in clips.items()]
    for name, other in zip(list(clips)[1:], others):
        if not np.isclose(other[0], first[0], rtol=0, atol=1e-9) or other[1] != first[1]:
            raise ValueError(
                f"{name} is {_said(*other)}, and X[0][0] {_said(*first)}; a template compares intervals of one length "
                "with the same ears: pad or cut them."
            )
    return Trials(list(clips.values()), len(trials[0]), first[0])


def _check_array(X: np.ndarray, sample_rate: float | None) -> Trials:
    if X.ndim not in (3, 4):
        raise ValueError(
            f"X has {X.ndim} axes, shape {X.shape}; trials are (n_trials, n_intervals, n_samples), with ears "
            "(n_trials, n_intervals, n_ears, n_samples), or a list of lists of Sounds. Reshape your data."
        )
    _check_count(X.shape[1], "X", X.shape[1])
    samples = check_samples(X, "X")
    return Trials(samples.reshape(-1, *X.shape[2:]), X.shape[1], X.shape[-1] / _known(sample_rate))


def _as_trial(trial: Any, name: str) -> list[Any]:
    if isinstance(trial, (Sound, Mapping, str)) or not hasattr(trial, "__len__"):
        raise TypeError(
            f"{name} is {type(trial).__name__}, not a trial; a trial is a list of its intervals: [a, b, c]."
        )
    return list(trial)


def _check_count(n_intervals: int, name: str, expected: int) -> None:
    if n_intervals < 2:
        raise ValueError(
            f"{name} has {n_intervals} interval, and a choice is between at least 2; add those without it."
        )
    if n_intervals != expected:
        raise ValueError(f"{name} has {n_intervals} intervals, and X[0] {expected}; give every trial the same number.")


def _measured(interval: Any, name: str, sample_rate: float | None) -> tuple[float, int | None]:
    """Length in s, and ears or None, of an interval."""
    clip = take_apart(interval, name)
    shape = check_samples(clip.samples, name).shape
    if len(shape) not in (1, 2):
        raise ValueError(f"{name} has shape {shape}; an interval is a Sound, (n_samples,) or (n_ears, n_samples).")
    return shape[-1] / _known(clip.sample_rate or sample_rate), None if len(shape) == 1 else shape[0]


def _said(duration_s: float, n_ears: int | None) -> str:
    return f"{duration_s:.6g} s long with {'no axis of ears' if n_ears is None else f'{n_ears} ears'}"


def _known(sample_rate: float | None) -> float:
    if sample_rate is None:
        raise ValueError(
            "X holds plain samples, and the model has no sample_rate; pass skaud.Sound, which knows its own."
        )
    return float(sample_rate)


# --- what a model makes of them ---


def rate_of(model: Estimator) -> float | None:
    """Rate of plain samples in Hz: what a `FeaturePipeline` takes them at, or the rate of a model, or of a pipeline's
    first step; None where there is none.
    """
    if getattr(model, "plain_sample_rate", None) is not None:
        return float(model.plain_sample_rate)
    return rate_of(model.steps[0][1]) if hasattr(model, "steps") else getattr(model, "sample_rate", None)


def represent(model: Estimator, trials: Trials) -> Iterator[tuple[slice, np.ndarray]]:
    """Internal representations, (n_trials, n_intervals, n_features, n_frames), of as many trials at a time as are held.

    Which trials they are comes with them.
    """
    n_at_once, begin = 1, 0
    while begin < len(trials):
        some = slice(begin, min(begin + n_at_once, len(trials)))
        own = slice(some.start * trials.n_intervals, some.stop * trials.n_intervals)
        frames = model.transform(trials.intervals[own])
        if len(shapes := {np.shape(own) for own in frames}) > 1:
            raise ValueError(
                f"model gives representations of shapes {sorted(shapes)} of intervals of one length; resample "
                "those of X to one rate: skaud.audio.resample(x, sample_rate)."
            )
        frames = np.stack(frames) if isinstance(frames, list) else np.asarray(frames)
        if np.iscomplexobj(frames):
            raise ValueError(
                "model gives complex representations, and an observer decides by real numbers; set response='real' or "
                "'magnitude' in it."
            )
        if frames.ndim < 3:
            raise ValueError(
                f"model gives features of shape {frames.shape}, which have no time axis; a template is of frames: set "
                "pooling=None in the model, and leave pooling out of a pipeline."
            )
        yield some, frames.reshape(-1, trials.n_intervals, int(np.prod(frames.shape[1:-1])), frames.shape[-1])
        n_at_once, begin = max(1, _HELD // (frames[0].size * trials.n_intervals)), some.stop


def make_template(model: Estimator, trials: Trials, places: np.ndarray) -> tuple[np.ndarray, float]:
    """Template, (n_features, n_frames), and length of a frame in s; places are the intervals with the signal."""
    has_signal = places[:, np.newaxis] == np.arange(trials.n_intervals)
    weights = has_signal / len(trials) - ~has_signal / (len(trials) * (trials.n_intervals - 1))
    difference = np.sum([np.tensordot(weights[some], R, 2) for some, R in represent(model, trials)], axis=0)
    frame_s = _frame_s(model, trials.duration_s, difference.shape[-1])
    norm = np.sqrt(np.sum(difference**2) * frame_s)
    if not norm > 0:
        raise ValueError(
            "X has no difference, in the model, between intervals with the signal and those without; raise the level "
            "of the signal, or look whether y counts from 0, and the model's channels reach the signal."
        )
    return difference / norm, frame_s


def _frame_s(model: Estimator, duration_s: float, n_frames: int) -> float:
    """Length of a frame in s: the model's, which leaves out a last one that is not whole."""
    rate_hz = _frame_rate_hz(model)
    if rate_hz is not None and abs(duration_s * rate_hz - n_frames) <= 1:  # no step behind it takes frames together
        return 1 / rate_hz
    return duration_s / n_frames


def _frame_rate_hz(model: Any) -> float | None:
    """Frames a second of a fitted model, or of the last step of a pipeline that says so."""
    for _, step in reversed(getattr(model, "steps", [])):
        if (found := _frame_rate_hz(step)) is not None:
            return found
    return getattr(model, "frame_rate_hz_", None)


def correlate(model: Estimator, trials: Trials, template: np.ndarray, frame_s: float) -> np.ndarray:
    """Correlation of every interval with a template, (n_trials, n_intervals)."""
    values = np.empty((len(trials), trials.n_intervals))
    for some, R in represent(model, trials):
        if R.shape[2:] != template.shape:
            raise ValueError(
                f"X has intervals of {trials.duration_s:.6g} s, a representation of shape {R.shape[2:]}, and those of "
                f"fit had {template.shape}; pass intervals of the same length and ears, or fit again."
            )
        values[some] = np.einsum("tifk,fk->ti", R, template) * frame_s  # of each interval, whatever stands beside it
    return values
