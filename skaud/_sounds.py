"""What callers pass as X, turned into clips: arrays, lists of different lengths, several ears."""

import warnings
from collections.abc import Sequence
from numbers import Number, Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data


class Sounds(NamedTuple):
    """Clips as the models take them.

    clips : list of (n_ears, n_samples) arrays; has_ears : whether X had an axis of ears; is_array : whether all clips
    have one length because X was an array; index : the pandas index of X, or None.
    """

    clips: list[np.ndarray]
    has_ears: bool
    is_array: bool
    index: Any


def check_sounds(estimator: Any, X: Any, *, reset: bool = False, fixed_length: bool = False) -> Sounds:
    """Validate X, whatever form it has.

    With reset, a 2-D X sets n_features_in_; with fixed_length, a 2-D X must have the length that fit saw.
    """
    if sparse.issparse(X):
        raise TypeError(
            f"Sparse X ({type(X).__name__}) was passed to {type(estimator).__name__}, but samples of sound are dense: "
            "pass X.toarray()."
        )
    index = getattr(X, "index", None) if hasattr(X, "iloc") else None
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2 and X.shape[1] == 1 and X.dtypes.iloc[0] == object:
        X = X.iloc[:, 0]  # a data frame with one column of clips
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 1:
        X = list(X)
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = list(X)
    if isinstance(X, (str, bytes)):
        raise TypeError(
            f"X is {type(X).__name__}, not sound: read the file with skaud.audio.read and pass a list of clips."
        )
    if isinstance(X, (list, tuple)):
        if len(X) == 0:
            raise ValueError(
                "X is an empty list, Found array with 0 sample(s) while a minimum of 1 is required: pass at least one clip."
            )
        if any(isinstance(clip, Number) for clip in X):
            raise ValueError(_one_axis(len(X)))
        if not _is_table(X):
            _forget_length(estimator, reset)
            return _check_list(X, index)
    array = X if hasattr(X, "iloc") else np.asarray(X)
    ndim = getattr(array, "ndim", 0)
    if ndim == 1:
        raise ValueError(_one_axis(array.shape[0]))
    if ndim not in (2, 3):
        raise ValueError(
            f"X has {ndim} axes, shape {np.shape(array)}; it must be (n_signals, n_samples), (n_signals, n_ears, n_samples) "
            "or a list of clips. Reshape your data, X.reshape(1, -1) for a single clip."
        )
    if ndim == 3:
        _forget_length(estimator, reset)
        if 0 in array.shape:
            raise ValueError(
                f"X has shape {array.shape}, with an axis of length 0: pass at least one sample of one ear of one signal."
            )
        sounds = _check_list(list(array), index)
        return sounds._replace(is_array=True)
    _warn_integers(getattr(array, "dtype", None))
    options = {"dtype": (np.float64, np.float32), "ensure_all_finite": False}
    if reset or (fixed_length and hasattr(estimator, "n_features_in_")):
        values = validate_data(estimator, array, reset=reset, **options)
    else:
        values = check_array(array, estimator=estimator, **options)
    for i, clip in enumerate(values):
        _check_finite(clip, i)
    return Sounds([clip[np.newaxis] for clip in values], has_ears=False, is_array=True, index=index)


def check_rates(sample_rate: Any, n_signals: int, default: float) -> list[float]:
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
    for i, rate in enumerate(rates):
        if not isinstance(rate, Real) or not np.isfinite(rate) or rate <= 0:
            raise ValueError(
                f"sample_rate={rate!r} of X[{i}] must be a finite number above 0 Hz; pass the rate that the clip was "
                "recorded at, as skaud.audio.read returns it."
            )
    return [float(rate) for rate in rates]


def _one_axis(n: int) -> str:
    return (
        f"Expected 2D array, got 1D array instead: X has one axis, shape ({n},), and could be one clip or {n} clips of one "
        "sample. Reshape your data, X.reshape(1, -1) for a single clip, or pass a list of clips, [x]."
    )


def _is_table(X: Sequence[Any]) -> bool:
    """Whether X is nested lists of one length: numbers in rows, as scikit-learn takes them."""
    return all(isinstance(row, (list, tuple)) and row and isinstance(row[0], Number) for row in X) and (
        len({len(row) for row in X}) == 1
    )


def _forget_length(estimator: Any, reset: bool) -> None:
    if reset and hasattr(estimator, "n_features_in_"):
        del estimator.n_features_in_


def _check_list(X: Sequence[Any], index: Any) -> Sounds:
    clips = []
    for i, item in enumerate(X):
        clip = np.asarray(item)
        if clip.dtype.kind in "USOV":
            raise TypeError(
                f"X[{i}] holds {clip.dtype.name} data, not samples of sound; read files with skaud.audio.read and pass "
                "arrays of numbers."
            )
        if clip.dtype.kind == "c":
            raise ValueError(
                f"Complex data not supported: X[{i}] is {clip.dtype}; pass its real part or its magnitude."
            )
        if clip.ndim not in (1, 2):
            raise ValueError(
                f"X[{i}] has shape {clip.shape}; a clip is (n_samples,), or (n_ears, n_samples) with several ears. "
                "Reshape it."
            )
        if clip.size == 0:
            raise ValueError(f"X[{i}] has shape {clip.shape}, no samples; a clip needs at least 1: leave it out.")
        if clip.ndim != np.ndim(X[0]) or (clip.ndim == 2 and clip.shape[0] != np.shape(X[0])[0]):
            raise ValueError(
                f"X[{i}] has shape {clip.shape} and X[0] {np.shape(X[0])}: all clips of one call must have the same ears; "
                "average the ears, or call once for each kind."
            )
        _warn_integers(clip.dtype)
        if clip.dtype not in (np.float32, np.float64):
            clip = clip.astype(np.float64)
        _check_finite(clip, i)
        clips.append(clip[np.newaxis] if clip.ndim == 1 else clip)
    return Sounds(clips, has_ears=np.ndim(X[0]) == 2, is_array=False, index=index)


def _check_finite(clip: np.ndarray, i: int) -> None:
    # The sum is finite only if all samples are, or if they overflow it: cheap enough to try first.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(clip.sum()):
            return
    bad = np.flatnonzero(~np.isfinite(clip))
    if len(bad):
        raise ValueError(
            f"X[{i}] has {len(bad)} samples that are NaN or infinity (inf), the first at sample {bad[0] % clip.shape[-1]}: "
            f"{clip.ravel()[bad[0]]}; every sample must be finite. Cut them out, or numpy.nan_to_num them."
        )


def _warn_integers(dtype: Any) -> None:
    if dtype is not None and getattr(dtype, "kind", "f") in "iu":
        warnings.warn(
            f"X holds {dtype} samples, which are taken as they are; if they are PCM, scale them to -1..1 with "
            "skaud.audio.from_pcm first.",
            UserWarning,
            stacklevel=4,
        )
