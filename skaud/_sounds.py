"""What callers pass as X, turned into clips: arrays, lists of different lengths, several ears."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Number, Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import InputTags
from sklearn.utils.validation import check_array, validate_data

from skaud._warnings import warn_caller


@dataclass
class AudioInputTags(InputTags):
    """Input tags of the models: audio, whose signals may differ in length."""

    audio: bool = True
    ragged: bool = True


class Sounds(NamedTuple):
    """Clips as the models take them.

    clips : list of (n_ears, n_samples) arrays; has_ears : whether X had an axis of ears; is_array : whether all clips
    have one length because X was an array; index : the pandas index of X, or None.
    """

    clips: list[np.ndarray]
    has_ears: bool
    is_array: bool
    index: Any

    @property
    def n_ears(self) -> int | None:
        """Ears of every clip, None where X has no axis for them."""
        return self.clips[0].shape[0] if self.has_ears else None


def check_sounds(estimator: Any, X: Any, *, reset: bool = False, fixed_length: bool = False) -> Sounds:
    """Validate X, whatever form it has.

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
    is_pandas = hasattr(X, "iloc")
    index = X.index if is_pandas else None
    if is_pandas and X.ndim == 2 and X.shape[1] == 1 and X.dtypes.iloc[0].kind == "O":
        X = X.iloc[:, 0]  # a data frame with one column of clips
    if (is_pandas or (isinstance(X, np.ndarray) and X.dtype.kind == "O")) and X.ndim == 1:
        X = list(X)
    if isinstance(X, (list, tuple)):
        if len(X) == 0:
            raise ValueError(
                "X is an empty list, Found array with 0 sample(s) while a minimum of 1 is required: pass at least one "
                "clip."
            )
        if any(isinstance(clip, Number) for clip in X):
            raise ValueError(_one_axis(len(X)))
        if not _is_table(X):
            _forget_length(estimator, reset)
            return _check_clips(X, index)
    array = X if is_pandas else np.asarray(X)
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
        return _check_clips(list(array), index)._replace(is_array=True)
    dtypes = list(X.dtypes) if is_pandas else [array.dtype]
    for dtype in dtypes:
        if dtype.kind != "O":  # scikit-learn tries to make numbers of objects
            _check_kind(dtype, "X")
    _warn_integers(dtypes)
    options = {"dtype": (np.float64, np.float32), "ensure_all_finite": False}
    if reset or (fixed_length and hasattr(estimator, "n_features_in_")):
        values = validate_data(estimator, array, reset=reset, **options)
    else:
        values = check_array(array, estimator=estimator, **options)
    clips = [_as_float(clip, f"X[{i}]")[np.newaxis] for i, clip in enumerate(values)]
    return Sounds(clips, has_ears=False, is_array=True, index=index)


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
        if not isinstance(rate, Real) or not 0 < float(rate) < np.inf:
            raise ValueError(
                f"sample_rate={rate!r} of X[{i}] must be a finite number above 0 Hz; pass the rate that the clip was "
                "recorded at, as skaud.audio.read returns it."
            )
    return [float(rate) for rate in rates]


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


def _forget_length(estimator: Any, reset: bool) -> None:
    if reset and hasattr(estimator, "n_features_in_"):
        del estimator.n_features_in_


def _check_clips(X: Sequence[Any], index: Any) -> Sounds:
    """Sounds of a list of clips, whose lengths may differ."""
    clips: list[np.ndarray] = []
    for i, item in enumerate(X):
        try:
            clip = np.asarray(item)
        except ValueError as error:  # such as the pair that skaud.audio.read returns
            raise ValueError(
                f"X[{i}], a {type(item).__name__}, is not an array of samples ({error}); pass (n_samples,) or (n_ears, "
                "n_samples), and the rate as sample_rate."
            ) from error
        _check_kind(clip.dtype, f"X[{i}]")
        if clip.ndim not in (1, 2):
            raise ValueError(
                f"X[{i}] has shape {clip.shape}; a clip is (n_samples,), or (n_ears, n_samples) with several ears. "
                "Reshape it."
            )
        if clip.size == 0:
            raise ValueError(f"X[{i}] has shape {clip.shape}, no samples; a clip needs at least 1: leave it out.")
        if clip.shape[:-1] != np.shape(X[0])[:-1]:
            raise ValueError(
                f"X[{i}] has shape {clip.shape} and X[0] {np.shape(X[0])}: all clips of one call must have the same "
                "ears; average the ears, or call once for each kind."
            )
        clips.append(clip)
    _warn_integers([clip.dtype for clip in clips])
    has_ears = clips[0].ndim == 2
    clips = [np.atleast_2d(_as_float(clip, f"X[{i}]")) for i, clip in enumerate(clips)]
    return Sounds(clips, has_ears=has_ears, is_array=False, index=index)


def all_finite(x: np.ndarray) -> bool:
    """Whether no element is NaN or infinite."""
    if x.size < 4096:
        return bool(np.isfinite(x).all())
    # The sum is finite only if all elements are, or if they overflow it: cheap enough to try first.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()) or np.isfinite(x).all())


def count_ears(n_ears: int | None) -> str:
    """Such as "2 ears", for an error; None stands for X without an axis of ears."""
    return "no axis of ears" if n_ears is None else f"{n_ears} ear{'s' * (n_ears != 1)}"


def check_samples(X: np.ndarray, name: str) -> np.ndarray:
    """Samples of any shape as floats; an error where they are not real and finite."""
    _check_kind(X.dtype, name)
    _warn_integers([X.dtype])
    return _as_float(X, name)


def _check_kind(dtype: Any, name: str) -> None:
    """Refuse what is not real numbers."""
    kind = getattr(dtype, "kind", "O")
    if kind == "c":
        raise ValueError(f"Complex data not supported: {name} is {dtype}; pass its real part or its magnitude.")
    if kind not in "fiub":
        raise TypeError(
            f"{name} holds {dtype} data, not samples of sound; read files with skaud.audio.read and pass arrays of "
            "numbers."
        )


def _as_float(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples in float64, or float32 where they were; an error where one is not finite."""
    if samples.dtype not in (np.float32, np.float64):
        samples = samples.astype(np.float64)
    if not all_finite(samples):
        bad = np.argwhere(~np.isfinite(samples))
        raise ValueError(
            f"{name} has {len(bad)} samples that are NaN or infinity (inf), the first at sample {bad[0][-1]}: "
            f"{samples[tuple(bad[0])]}; every sample must be finite. Cut them out, or numpy.nan_to_num them."
        )
    return samples


def _warn_integers(dtypes: Iterable[Any]) -> None:
    integers = next((dtype for dtype in dtypes if getattr(dtype, "kind", "f") in "iu"), None)
    if integers is not None:
        warn_caller(
            f"X holds {integers} samples, which are taken as they are; if they are PCM, scale them to -1..1 with "
            "skaud.audio.from_pcm first.",
        )
