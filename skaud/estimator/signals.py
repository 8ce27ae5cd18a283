"""What callers pass as X, turned into clips: arrays, lists of different lengths, several ears."""

from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Any, Protocol

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from skaud._types import Rates, Signals
from skaud._warnings import warn_caller
from skaud.estimator.sounds import Sounds, as_float, check_kind, warn_integers
from skaud.kernels.array_api import host_view, in_native_order, is_array
from skaud.sound import Sound, all_finite, check_ears, check_rate, resampled_length
from skaud.sound.clips import Clip, as_list, take_apart
from skaud.sound.refused import refuse_masked, refuse_text

_MANY_ROWS, _SHORT_ROW_S = 200, 1e-3  # of what is perhaps a clip with its ears in columns


class Listener(Protocol):
    """What X is checked for, and what is kept of it."""

    sample_rate: float
    takes_channels: bool
    n_features_in_: int
    n_samples_in_: int | None


def check_sounds(
    estimator: Listener, X: Signals, sample_rate: Rates = None, *, reset: bool = False, fixed_length: bool = False
) -> Sounds:
    """Validate X, whatever form it has, and the rates of its clips.

    With reset, a 2-D X sets n_features_in_; with fixed_length, a 2-D X must have the length that fit saw.
    """
    if sparse.issparse(X):
        raise TypeError(
            f"Sparse X ({type(X).__name__}) was passed to {type(estimator).__name__}, but samples of sound are dense: "
            "pass X.toarray()."
        )
    if isinstance(X, (str, bytes)):
        raise TypeError(
            f"X is {type(X).__name__}, not sound: read the file with skaud.audio.read and pass a list of clips."
        )
    if isinstance(X, (Sound, Mapping)):
        raise TypeError(f"X is one clip, a {type(X).__name__}; models take several: pass a list, [x].")
    items, index = as_list(X)
    if items is not None and not (isinstance(X, (list, tuple)) and _is_table(items)):
        if len(items) == 0:
            raise ValueError(
                "X is an empty list, Found array with 0 sample(s) while a minimum of 1 is required: pass at least one "
                "clip."
            )
        _forget_length(estimator, reset)
        return _check_clips(
            estimator, [take_apart(item, f"X[{i}]") for i, item in enumerate(items)], sample_rate, index
        )
    refuse_masked(X, "X")
    array = X if hasattr(X, "iloc") else in_native_order(np.asarray(X))
    if array.ndim == 0 and np.iterable(X):  # a generator, a set, a dict's values
        raise TypeError(f"X is a {type(X).__name__}, whose clips have no numbers; pass them as a list, list(X).")
    if array.ndim == 1:
        raise ValueError(_one_axis(array.shape[0]))
    if array.ndim not in (2, 3):
        raise ValueError(
            f"X has {array.ndim} axes, shape {array.shape}; it must be (n_signals, n_samples), (n_signals, n_ears, "
            "n_samples) or a list of clips. Reshape your data, X.reshape(1, -1) for a single clip."
        )
    if array.ndim == 3:
        _forget_length(estimator, reset)
        if 0 in array.shape:
            raise ValueError(
                f"X has shape {array.shape}, with an axis of length 0: pass at least one sample of one ear of one "
                "signal."
            )
        return _check_clips(estimator, [Clip(clip) for clip in array], sample_rate, index)._replace(is_array=True)
    return _check_matrix(estimator, array, sample_rate, reset, fixed_length)._replace(index=index)


def _check_matrix(estimator: Listener, array: Signals, sample_rate: Rates, reset: bool, fixed_length: bool) -> Sounds:
    """Sounds of X (n_signals, n_samples): an array, nested lists or a data frame of numbers."""
    if 0 in array.shape:  # in the words of scikit-learn, which has other ones for data frames
        what = "sample(s)" if len(array) == 0 else "feature(s)"
        raise ValueError(
            f"Found array with 0 {what} (shape={array.shape}) while a minimum of 1 is required by "
            f"{type(estimator).__name__}; X is (n_signals, n_samples): pass at least one sample of one signal."
        )
    dtypes = list(array.dtypes) if hasattr(array, "iloc") else [array.dtype]
    for dtype in dtypes:
        if dtype.kind != "O":  # scikit-learn tries to make numbers of objects
            check_kind(dtype, "X")
    refuse_text(array, "X")
    warn_integers(dtypes)
    rates = _check_rates(sample_rate, len(array), estimator.sample_rate)
    _warn_short_rows(array.shape, min(rates))
    lengths = {resampled_length(array.shape[1], rate, estimator.sample_rate) for rate in set(rates)}
    options = {"dtype": (np.float64, np.float32), "ensure_all_finite": False}
    is_bound = fixed_length and hasattr(estimator, "n_features_in_")
    fitted = getattr(estimator, "n_samples_in_", None)
    if reset:
        values = validate_data(estimator, array, reset=True, **options)
        estimator.n_samples_in_ = lengths.pop() if len(lengths) == 1 else None
    elif is_bound and (lengths != {fitted} or array.shape[1] == estimator.n_features_in_):
        try:
            values = validate_data(estimator, array, reset=False, **options)
        except ValueError as error:
            raise ValueError(_another_length(estimator, array.shape[1], rates[0], str(error))) from error
        if sample_rate is not None and fitted is not None and lengths != {fitted}:
            raise ValueError(_another_length(estimator, array.shape[1], rates[0], "X has another length"))
    else:  # of any length, or as long as in fit at another rate
        values = check_array(array, estimator=estimator, **options)
    values = in_native_order(values)  # which those of a data frame may not be
    if not all_finite(values):
        for i, clip in enumerate(values):
            as_float(clip, f"X[{i}]")  # names it
    clips = list(values[:, np.newaxis])
    return Sounds(clips, False, True, None, rates, [None] * len(clips), sample_rate is not None)


def _another_length(estimator: Listener, n_samples: int, rate: float, said: str) -> str:
    """Error for a 2-D X of another length than in fit, which the words of scikit-learn say first."""
    if not said.startswith("X has"):
        return said
    fitted = estimator.n_samples_in_
    had = "" if fitted is None else f", fit had {fitted / estimator.sample_rate:.4g} s"
    return f"{said.rstrip('.')}: {n_samples / rate:.4g} s of sound{had}; pass list(X), whose clips may have any length."


def _warn_short_rows(shape: tuple[int, int], rate: float) -> None:
    if shape[0] >= _MANY_ROWS and shape[1] < _SHORT_ROW_S * rate:
        warn_caller(
            f"X has {shape[0]} rows of {shape[1]} samples, {1000 * shape[1] / rate:.3g} ms at {rate:g} Hz, and each "
            "row is a clip: if X is one clip, with its ears in columns, pass [X.T]; features are no sound."
        )


def _check_rates(sample_rate: Rates, n_signals: int, default: float) -> list[float]:
    """Sample rate of every clip, from None (the model's), a number, or one a clip."""
    if sample_rate is None:
        return [default] * n_signals
    rates = np.asarray(sample_rate, dtype=object).ravel().tolist()
    if np.ndim(sample_rate) == 0:
        rates = rates * n_signals
    if len(rates) != n_signals:
        raise ValueError(
            f"sample_rate has {len(rates)} entries for {n_signals} signals; pass one number, or one a signal."
        )
    return [check_rate(f"sample_rate of X[{i}]", rate) for i, rate in enumerate(rates)]


def _one_axis(n: int) -> str:
    return (
        f"Expected 2D array, got 1D array instead: X has one axis, shape ({n},), and could be one clip or {n} clips of "
        "one sample. Reshape your data, X.reshape(1, -1) for a single clip, or pass a list of clips, [x]."
    )


def _is_table(X: Sequence[Any]) -> bool:
    """Whether X is nested lists of one length: numbers in rows, as scikit-learn takes them."""
    return all(isinstance(row, (list, tuple)) and row and isinstance(row[0], Number) for row in X) and (
        len({len(row) for row in X}) == 1
    )


def _forget_length(estimator: Listener, reset: bool) -> None:
    if reset and hasattr(estimator, "n_features_in_"):
        del estimator.n_features_in_


def _check_clips(estimator: Listener, items: list[Clip], sample_rate: Rates, index: object) -> Sounds:
    """Sounds of a list of clips, whose lengths may differ."""
    clips: list[np.ndarray] = []
    for i, (item, _, _) in enumerate(items):
        refuse_masked(item, f"X[{i}]")
        try:
            clip = in_native_order(host_view(item, f"X[{i}]") if is_array(item) else np.asarray(item))
        except ValueError as error:
            raise ValueError(
                f"X[{i}], a {type(item).__name__}, is not an array of samples ({error}); pass (n_samples,) or (n_ears, "
                "n_samples)."
            ) from error
        check_kind(clip.dtype, f"X[{i}]")
        if clip.size == 0:
            raise ValueError(f"X[{i}] has shape {clip.shape}, no samples; a clip needs at least 1: leave it out.")
        if clip.ndim not in (1, 2) or not estimator.takes_channels:
            check_ears(f"X[{i}]", clip.shape)
        if clip.shape[:-1] != np.shape(items[0].samples)[:-1]:
            raise ValueError(
                f"X[{i}] has shape {clip.shape} and X[0] {np.shape(items[0].samples)}: all clips of one call must have "
                "the same ears; average the ears with skaud.audio.to_mono, or call once for each kind."
            )
        clips.append(clip)
    warn_integers([clip.dtype for clip in clips])
    has_ears = clips[0].ndim == 2
    clips = [np.atleast_2d(as_float(clip, f"X[{i}]")) for i, clip in enumerate(clips)]
    rates, known = _rates_of_clips(items, sample_rate, estimator.sample_rate)
    return Sounds(clips, has_ears, False, index, rates, [item.rms_one_db_spl for item in items], known)


def _rates_of_clips(items: list[Clip], sample_rate: Rates, model_rate: float) -> tuple[list[float], bool]:
    """Rate of every clip, which it knows or was told, or else is the model's; and whether they are known."""
    known = [item.sample_rate is not None for item in items]
    rates = _check_rates(sample_rate, len(items), model_rate)
    if not any(known):
        return rates, sample_rate is not None
    if not all(known):
        raise ValueError(
            f"X[{known.index(True)}] knows its sample rate and X[{known.index(False)}] does not; pass skaud.Sound for "
            "all clips of a call, or samples for all."
        )
    own = [check_rate(f"sample rate of X[{i}]", item.sample_rate) for i, item in enumerate(items)]
    for i, (rate, told) in enumerate(zip(own, rates)):
        if sample_rate is not None and rate != told:
            raise ValueError(
                f"X[{i}] is at {rate:g} Hz and sample_rate={told:g}; leave sample_rate out where clips know their own."
            )
    return own, True
