"""What an audiogram is made of: numbers and labels of frequencies, read and checked."""

import re
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

LIMITS_HZ = 20, 20000
LIMITS_DB_HL = -20, 130  # clinical audiograms reach from -10 to 120 dB HL
_LABEL = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(k?)\s*(?:hz)?\s*", re.IGNORECASE)


def numbers(name: str, value: object) -> np.ndarray:
    """Copy to a read-only float64 array, NaN for None, for pandas' NA and for what a mask hides."""
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(float), np.nan)
    try:
        kind = np.asarray(value).dtype.kind
        if kind not in "iufO" or any(type(own) in (bool, np.bool_) for own in np.asarray(value, dtype=object).flat):
            raise TypeError
        if kind == "O" and hasattr(value, "isna"):  # pandas' NA is a float from pandas 3 on alone
            value = np.where(np.asarray(value.isna()), np.nan, np.asarray(value, dtype=object))
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name}={value!r} must be numbers; leave out units, use NaN where a number is missing, and say with "
            "no_response where the highest level tried was not heard."
        ) from None
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, an audiogram has one axis; make an audiogram of each row.")
    array += 0.0  # -0.0 prints and hashes as 0.0
    array.setflags(write=False)
    return array


def mask_of_no_response(value: object, frequency: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Copy to a read-only mask; all False for None."""
    given = np.zeros(frequency.shape, bool) if value is None else np.asarray(value)
    if given.dtype != bool and not all(isinstance(one, (bool, np.bool_)) for one in given.flat):
        raise TypeError(
            f"no_response={value!r} must be a mask, True or False for each of the frequencies; from_dict, from_series "
            "and from_row take a list of frequencies or columns instead."
        )
    if given.shape != frequency.shape:
        raise ValueError(
            f"no_response has shape {given.shape}, frequencies_hz has {frequency.shape}; give True or False for each "
            "frequency."
        )
    mask = given.astype(bool)
    untried = frequency[mask & np.isnan(threshold)]
    if untried.size:
        raise ValueError(
            f"no_response is True at {untried[0]:g} Hz, where thresholds_db_hl is NaN; give the highest level that was "
            "tried and not heard, or set no_response to False where none was tried."
        )
    mask.setflags(write=False)
    return mask


def check_frequencies(frequency: np.ndarray) -> None:
    if frequency.size < 2:
        raise ValueError(f"frequencies_hz={frequency.tolist()} must hold at least 2 frequencies; add one.")
    bad = frequency[~((frequency >= LIMITS_HZ[0]) & (frequency <= LIMITS_HZ[1]))]
    if bad.size:
        raise ValueError(
            f"frequencies_hz={bad[0]:g} must lie between {LIMITS_HZ[0]} and {LIMITS_HZ[1]} Hz; correct it, or give "
            "Hz instead of kHz."
        )
    step = np.flatnonzero(np.diff(frequency) <= 0)
    if step.size:
        before, after = frequency[step[0] : step[0] + 2]
        if before == after:
            raise ValueError(f"frequencies_hz has {after:g} Hz twice, it must increase; keep one of the thresholds.")
        raise ValueError(
            f"frequencies_hz has {after:g} after {before:g} Hz, it must increase; sort it together with the "
            "thresholds, or use Audiogram.from_dict."
        )


def check_thresholds(threshold: np.ndarray, frequency: np.ndarray) -> None:
    if threshold.size != frequency.size:
        raise ValueError(
            f"thresholds_db_hl has {threshold.size} values, frequencies_hz has {frequency.size}; give one threshold "
            "for each frequency, NaN where it is missing."
        )
    for hz, db in zip(frequency, threshold):
        if np.isinf(db):
            raise ValueError(
                f"thresholds_db_hl={db} at {hz:g} Hz must be finite; use NaN where a threshold is missing, or the "
                "highest level tried, with no_response, where it was not heard."
            )
        if not np.isnan(db) and not LIMITS_DB_HL[0] <= db <= LIMITS_DB_HL[1]:
            raise ValueError(
                f"thresholds_db_hl={db:g} at {hz:g} Hz must lie between {LIMITS_DB_HL[0]} and {LIMITS_DB_HL[1]} dB "
                "HL; use NaN where a threshold is missing, the highest level tried, with no_response, where it was not "
                "heard, or skaud.hearing.spl_to_hl if this is dB SPL."
            )
    if np.count_nonzero(~np.isnan(threshold)) < 2:
        raise ValueError(
            f"thresholds_db_hl={threshold.tolist()} must hold at least 2 thresholds besides NaN; leave this ear out."
        )


def items_of(thresholds: Any) -> Iterable[tuple[Any, Any]]:
    """Pairs of a dict; an error for what has none."""
    if not hasattr(thresholds, "items"):
        raise TypeError(
            f"thresholds_db_hl={thresholds!r} is {type(thresholds).__name__}; it must be a dict of threshold by "
            "frequency, {500: 10, 1000: 20}, or use Audiogram(frequencies_hz, thresholds_db_hl)."
        )
    return thresholds.items()


class Points(NamedTuple):
    """Points of an audiogram, sorted by frequency."""

    frequencies_hz: list[float]
    thresholds_db_hl: list[Any]
    no_response: list[bool]
    labels: list[Any]


def points(items: Iterable[tuple[Any, Any]], no_response: Any, names: Mapping[Any, Any] | None = None) -> Points:
    """Points from pairs of a label and a threshold; names: what the labels stand for, if not for themselves."""
    pairs = []
    for label, value in items:
        hz = _label_hz(names[label] if names else label)
        if hz is None:
            raise ValueError(
                f"{label!r} is no frequency; write 500, '500', '500 Hz' or '0.5 kHz', or name columns in from_row."
            )
        pairs.append((hz, label, None if type(value).__name__ == "NAType" else value))  # pandas' NA is no float
    pairs.sort(key=lambda pair: pair[0])
    unheard = _frequencies_without_response(no_response, [hz for hz, *_ in pairs], names)
    return Points(
        [hz for hz, *_ in pairs],
        [value for *_, value in pairs],
        [hz in unheard for hz, *_ in pairs],
        [label for _, label, _ in pairs],
    )


def _frequencies_without_response(no_response: Any, known_hz: list[float], names: Mapping[Any, Any] | None) -> set:
    single = isinstance(no_response, (str, Real)) and not isinstance(no_response, bool)
    if not single and not isinstance(no_response, Iterable):
        raise TypeError(f"no_response={no_response!r} must be a list of frequencies or columns, [8000].")
    unheard = set()
    for label in [no_response] if single else no_response:
        hz = _label_hz(names.get(label) if names else label)
        if hz is None or hz not in known_hz:
            known = list(names) if names else [float(one) for one in known_hz]
            raise ValueError(f"no_response has {label!r}, which is not among {known}; correct it, or leave it out.")
        unheard.add(hz)
    return unheard


def columns_of_row(row: Any, columns: Any) -> Mapping[Any, Any]:
    """What the columns of a row, a Series or dict, that are to be taken stand for, see `Audiogram.from_row`."""
    if not hasattr(row, "keys"):
        raise TypeError(f"row={row!r} is {type(row).__name__}; give a Series or a dict, such as frame.iloc[0].")
    if getattr(row, "ndim", 1) != 1:
        raise ValueError(f"row has shape {row.shape}; give one row of the table, such as frame.iloc[0].")
    labels = list(row.keys())
    if columns is None:
        columns = [name for name in labels if LIMITS_HZ[0] <= (_label_hz(name) or 0) <= LIMITS_HZ[1]]
        if not columns:
            raise ValueError(f"row has no column named after a frequency in Hz, it has {labels}; give columns.")
    absent = [name for name in columns if name not in labels]
    if absent:
        raise ValueError(f"columns={absent} must be columns of row, which has {labels}; correct or add them.")
    return columns if isinstance(columns, Mapping) else {name: name for name in columns}


def in_words(found: Points) -> str:
    """Which columns were taken, and for what."""
    return ", ".join(f"{label!r} ({hz:g} Hz)" for hz, label in zip(found.frequencies_hz, found.labels))


def _label_hz(label: Any) -> float | None:
    """Frequency in Hz that a key or a column's name stands for, None if it is no frequency."""
    if isinstance(label, Real) and not isinstance(label, bool):
        return float(label)
    match = _LABEL.fullmatch(label) if isinstance(label, str) else None
    return float(match[1]) * (1000 if match[2] else 1) if match else None
