"""What callers pass as clips, taken apart: lists, columns of data frames, Sounds, audio of Hugging Face's datasets."""

from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Any, NamedTuple

import numpy as np

from skaud._types import Signals
from skaud.kernels.array_api import host_view, is_array
from skaud.sound import Sound


class Clip(NamedTuple):
    """Samples, not yet checked, and what is known of them: rate in Hz, level in dB SPL of an RMS of 1.0, or None."""

    samples: Any
    sample_rate: float | None = None
    rms_one_db_spl: float | None = None


def as_list(X: Signals) -> tuple[list[object] | None, Any]:
    """Clips of a list, tuple, array of objects, column of pandas, polars or pyarrow, and the pandas index if any.

    None in place of the clips where X is something else: an array of numbers, or one clip.
    """
    if isinstance(X, (Sound, str, bytes, Mapping)):
        return None, None
    module = type(X).__module__.split(".")[0]
    if module == "pandas":
        return _of_pandas(X)
    if module == "polars":
        return _of_polars(X), None
    if module == "pyarrow":
        if getattr(X, "num_columns", 0) == 1:  # a table
            X = X.column(0)
        return _of_arrow(X), None
    if isinstance(X, np.ndarray):
        if X.dtype.kind == "O" and X.ndim == 2 and X.shape[1] == 1 and len(X) and _is_clip(X[0, 0]):
            X = X[:, 0]  # a data frame of one column, as an array
        return (list(X), None) if X.dtype.kind == "O" and X.ndim == 1 else (None, None)
    if not isinstance(X, Sequence) or isinstance(X, (range, memoryview)) or hasattr(X, "__array__"):
        return None, None
    if len(X) and all(isinstance(item, Number) for item in X):
        return None, None  # samples
    return list(X), None


def is_empty_column(X: Signals) -> bool:
    """Whether X is a column without rows, such as an empty partition of a table; a list without clips is none."""
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and X.dtype.kind == "O" and not len(X)
    is_column = type(X).__module__.split(".")[0] in ("pandas", "polars", "pyarrow") and hasattr(X, "__len__")
    return is_column and not len(X) and np.ndim(X) == 1


def take_apart(item: Any, name: str) -> Clip:
    """A clip: a Sound, what has ["array"] and ["sampling_rate"], or samples."""
    if isinstance(item, Sound):
        return Clip(item.samples, item.sample_rate, item.rms_one_db_spl)
    if item is None or (isinstance(item, float) and np.isnan(item)):
        raise ValueError(f"{name} is {item!r}, a missing clip; leave it out, with its label.")
    if isinstance(item, tuple) and len(item) == 2 and np.ndim(item[1]) == 0 and np.ndim(item[0]) > 0:
        raise ValueError(
            f"{name} is a tuple of samples and a number, perhaps their rate; pass skaud.Sound(samples, sample_rate), "
            "or the samples alone."
        )
    if isinstance(item, Mapping) or _is_decoder(item):
        try:
            samples, rate = item["array"], item["sampling_rate"]
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            has = f", only {sorted(map(str, item))}" if isinstance(item, Mapping) else ""
            raise ValueError(
                f"{name}, a {type(item).__name__}, has no 'array' and 'sampling_rate'{has}; decode it first, or pass "
                "skaud.Sound(samples, sample_rate)."
            ) from error
        if rate is None:
            raise ValueError(f"{name} has 'sampling_rate' None; fill in its rate in Hz, or pass the samples alone.")
        return Clip(_nested(samples, name), rate)
    return Clip(_nested(item, name))


def _is_decoder(item: object) -> bool:
    """Whether item is an object that may give its samples by name, such as Hugging Face's decoders of audio."""
    plain = (np.ndarray, np.generic, Sequence, Number)
    return hasattr(item, "__getitem__") and not isinstance(item, plain) and not hasattr(item, "__array__")


def _of_arrow(X: Any) -> list[object]:
    """Clips of an Arrow column: lists of numbers as arrays that share its memory, everything else as Python has it."""
    import pyarrow as pa

    kind, is_kind = X.type, pa.types
    if not (is_kind.is_list(kind) or is_kind.is_large_list(kind) or is_kind.is_fixed_size_list(kind)):
        return X.to_pylist()
    if not (is_kind.is_floating(kind.value_type) or is_kind.is_integer(kind.value_type)):
        return X.to_pylist()
    return [None if clip.values is None else clip.values.to_numpy(zero_copy_only=False) for clip in X]


def _of_pandas(X: Signals) -> tuple[list[object] | None, Any]:
    if not hasattr(X, "iloc"):  # an array or an index
        return (list(X), None) if X.dtype.kind == "O" else (None, None)
    if X.ndim == 2:
        objects = [i for i, dtype in enumerate(X.dtypes) if dtype.kind == "O"]
        if X.shape[1] != 1:
            for i in objects if len(X) else ():
                if _is_clip(X.iat[0, i]):
                    raise _among_others(X.columns[i], X.shape[1])
        if X.shape[1] != 1 or not objects:
            return None, X.index
        X = X.iloc[:, 0]
    return (list(X) if X.dtype.kind == "O" else None), X.index


def _of_polars(X: Signals) -> list[object] | None:
    if hasattr(X, "collect"):
        raise TypeError("X is a polars LazyFrame, whose clips are not there yet; pass X.collect().")
    if len(X.shape) == 2:
        holds = [_holds_clips(dtype) for dtype in X.dtypes]
        if X.shape[1] != 1 and any(holds):
            raise _among_others(X.columns[holds.index(True)], X.shape[1])
        if holds != [True]:
            return None
        X = X.to_series(0)
    if not _holds_clips(X.dtype):
        return None
    if str(X.dtype).startswith("List(") and X.dtype.inner.is_numeric():
        return [None if row is None else row.to_numpy() for row in X]
    return X.to_list()


def _is_clip(item: object) -> bool:
    """Whether an item of a table is a clip, and no number or text."""
    return isinstance(item, (Sound, Mapping, np.ndarray, list))


def _among_others(column: object, n_columns: int) -> TypeError:
    return TypeError(
        f"X is a data frame of {n_columns} columns, and {column!r} holds clips; pass that column alone, or say in a "
        "ColumnTransformer what becomes of each."
    )


def _holds_clips(dtype: object) -> bool:
    return str(dtype).split("(")[0] in ("Object", "List", "Array", "Struct")


def _nested(item: Any, name: str) -> Any:
    """Samples, where those of the ears are arrays in a list, or in an array of objects as data frames hold them."""
    if is_array(item):
        return host_view(item, name)
    is_nested = isinstance(item, np.ndarray) and item.dtype.kind == "O" and item.ndim == 1 and len(item) > 0
    if is_nested or (isinstance(item, (list, tuple)) and any(map(is_array, item))):
        ears = [host_view(ear, f"{name}[{k}]") if is_array(ear) else ear for k, ear in enumerate(item)]
        if len({np.shape(ear) for ear in ears}) == 1 and np.ndim(ears[0]) == 1:
            return np.stack([np.asarray(ear) for ear in ears])
    return item
