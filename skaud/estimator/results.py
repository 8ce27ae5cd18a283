"""What a model computes, turned into what callers get: one array or several, finite, in a data frame."""

from collections.abc import Iterable

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator

from skaud._types import Features, Signals
from skaud.estimator.faults import changed, short
from skaud.estimator.protocol import Model
from skaud.fitting.movable import Gradients
from skaud.kernels.array_api import HOST, Array, Place, is_complex, is_foreign, take, to_numpy
from skaud.kernels.batches import all_finite as finite_where_it_lies
from skaud.kernels.on_device import REMEDY
from skaud.sound import all_finite, energy
from skaud.sound.refused import refuse_masked

_LOUD = 1e4  # samples beyond which a response may leave the range of float32 and come back


def check_responses(
    estimator: Model,
    responses: Iterable[np.ndarray | tuple[np.ndarray, ...]],
    clips: Iterable[np.ndarray],
    indices: Iterable[int],
) -> None:
    """Refuse NaN and infinity: samples far beyond any sound take a recursion out of the range of its dtype.

    A response is an array or a tuple of arrays, time last; indices are those of the clips in X.
    """
    for response, clip, i in zip(responses, clips, indices):
        for array in response if isinstance(response, tuple) else (response,):
            # Of a model whose recursions do not find again what they lost, the last sample of a sound that can be one
            # tells; what is computed from the sample alone, or from some taps, does.
            last = estimator.overflow_lasts and 8 * array.shape[-1] > clip.shape[-1] and _is_below(clip, _LOUD)
            if not all_finite(array[..., -1:] if last else array):
                raise ValueError(f"X[{i}] {_too_much(estimator, clip)}")


def _is_below(clip: np.ndarray, limit: float) -> bool:
    """Whether no sample reaches a limit; told by the energy where that is small enough."""
    return bool(energy(clip) < limit**2 or max(clip.max(), -clip.min()) < limit)


def check_rows(
    estimator: BaseEstimator, rows: Iterable[np.ndarray], clips: Iterable[np.ndarray], indices: Iterable[int]
) -> None:
    """Refuse pooled features that are not finite: frames that are may have a spread that is not."""
    for row, clip, i in zip(rows, clips, indices):
        if not all_finite(row):
            bad = np.flatnonzero(~np.isfinite(row))
            raise ValueError(
                f"X[{i}] gives {estimator.get_feature_names_out()[bad[0]]}={row[bad[0]]}, and {len(bad) - 1} more "
                f"features that are not finite: it {_too_much(estimator, clip)}"
            )


def refuse_response(estimator: Model, clip: Array, i: int) -> None:
    """Say that the response to clip i, which may lie on a device, is not finite."""
    raise ValueError(f"X[{i}] {_too_much(estimator, to_numpy(clip))}")


def _too_much(estimator: BaseEstimator, clip: np.ndarray) -> str:
    """What is wrong with a clip whose response is not finite."""
    peak, dtype = float(np.abs(clip).max()), getattr(estimator, "dtype", clip.dtype)
    if 0 < peak < np.inf:
        level = 20 * np.log10(peak) + 10 * np.log10(np.mean(np.square(clip / peak, dtype=np.float64)))
    else:
        level = peak or -np.inf
    given = ", ".join(f"{name}={short(getattr(estimator, name))}" for name in changed(estimator))
    return (
        f"reaches {peak:.3g}, a level of {level:.0f} dB re an RMS of 1, beyond what {type(estimator).__name__} can "
        f"compute in {dtype}; scale it to its level in dB SPL, or check the parameters{': ' * bool(given)}{given}."
    )


def check_gradients(estimator: Model, grads: Gradients, bars: Features) -> None:
    """Refuse derivatives that are not finite, of derivatives by the response that are."""
    for name, own in grads.items():
        if not _finite_everywhere(own) and _finite_everywhere(bars):
            given = ", ".join(f"{of}={short(getattr(estimator, of))}" for of in changed(estimator))
            raise ValueError(
                f"the derivative with respect to {name!r} is not finite in {estimator.dtype}; give smaller derivatives "
                f"by the response, or parameters nearer to the defaults{': ' * bool(given)}{given}."
            )


def _finite_everywhere(arrays: Features) -> bool:
    """Whether an array of any library, or every one of a list, is finite."""
    entries = arrays if isinstance(arrays, list) else [arrays]
    return all(finite_where_it_lies(own if is_foreign(own) else np.asarray(own)) for own in entries)


def take_value_bar(value_bar: Features, value: object, place: Place) -> Features:
    """Derivatives by a value, an array or several, as engines take them; refused unless they lie and look like it."""
    found, wanted = _shapes(value_bar), _shapes(value)
    if found != wanted:
        has = f"no shape, it is {value_bar!r}," if found is None else f"shapes {found}"
        raise ValueError(f"value_bar has {has} where value has {wanted}; pass one derivative for every entry of value.")
    refuse_masked(value_bar, "value_bar")
    bars, given = take(value_bar, "value_bar")
    for bar, own in zip(bars, value) if isinstance(value, list) else [(bars, value)]:
        if is_complex(bar) and not is_complex(own):
            raise ValueError("value_bar is complex for a real value; pass its real part.")
    if not (given.on_host and place.on_host) and not given.is_same(place):
        raise TypeError(
            f"value_bar is of {given} and value of {place}; pass derivatives where the value lies, in its library."
        )
    return bars


def _shapes(value: object) -> list[tuple[int, ...]] | None:
    """Shapes of the entries of an array, of any library, or of a list; None of what has no entries."""
    if hasattr(value, "shape"):
        return [tuple(value.shape[1:])] * value.shape[0] if len(value.shape) else None
    return [tuple(np.shape(entry)) for entry in value] if np.iterable(value) else None


def stack(arrays: list[np.ndarray]) -> np.ndarray:
    """Stack arrays, without a copy where there is one only or they lie one behind the other in one block of memory."""
    first = arrays[0]
    if len(arrays) == 1:
        return first[np.newaxis]
    if arrays[-1].base is not first.base:  # known before each is asked where it lies
        return np.stack(arrays)
    begin = first.__array_interface__["data"][0]
    for i, array in enumerate(arrays):
        if (
            array.base is None
            or array.base is not first.base
            or (array.dtype, array.shape, array.strides) != (first.dtype, first.shape, first.strides)
            or not array.flags.c_contiguous
            or array.__array_interface__["data"][0] != begin + i * first.nbytes
        ):
            return np.stack(arrays)
    return np.lib.stride_tricks.as_strided(first, (len(arrays), *first.shape), (first.nbytes, *first.strides))


def no_rows(estimator: BaseEstimator, X: Signals, dtype: str) -> Features:
    """Features of a column without rows."""
    none = np.empty((0, len(estimator.get_feature_names_out())), dtype)
    return as_container(estimator, none, X.index if hasattr(X, "iloc") else None)


def check_container(container: str | None) -> None:
    """Refuse what set_output cannot be asked for."""
    if container not in (None, "default", "pandas", "polars"):
        raise ValueError(f"transform={container!r} must be 'default', 'pandas' or 'polars', or None to change nothing.")


def choose_container(estimator: BaseEstimator, container: str | None) -> None:
    """Let features come in a container, as set_output says it; None changes nothing."""
    check_container(container)
    if container is not None:
        estimator._sklearn_output_config = {"transform": container}  # the name that clone carries over


def as_container(estimator: BaseEstimator, features: Array, index: object, place: Place = HOST) -> Features:
    """Features as set_output, or scikit-learn's configuration, asks for them; else in the library of X."""
    container = getattr(estimator, "_sklearn_output_config", {}).get("transform", get_config()["transform_output"])
    if container != "default" and not place.on_host:
        raise TypeError(
            f"set_output asks for {container}, whose data frames are of the host, and X is of {place}; {REMEDY}, or "
            "set_output(transform='default')."
        )
    if container == "pandas":
        import pandas as pd

        return pd.DataFrame(features, columns=estimator.get_feature_names_out(), index=index)
    if container == "polars":
        import polars as pl

        return pl.DataFrame(features, schema=list(estimator.get_feature_names_out()), orient="row")
    return place.give(features)
