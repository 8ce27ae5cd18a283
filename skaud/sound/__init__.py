"""Sound: a clip that knows its sample rate and its level."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from mmap import mmap
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from skaud.design.limits import check_number
from skaud.kernels.array_api import host_view, in_native_order, is_array
from skaud.sound.refused import refuse_masked

PASCALS_DB_SPL = 93.98  # level of an RMS of 1 Pa, 20 log10(1 / 20 µPa), to the two decimals of the AMT
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1e3, 1e6
MOST_EARS = 16
LOUDEST_DB = 300.0  # SPL, no sound comes near it; where numbers are no pressure they may
_NUMBERS_OF_A_THREAD = 8192


class Sound:
    """A clip that knows its sample rate and its level; it cannot be changed.

    Models, and the functions of `skaud.audio`, take a list of them; rate and level then survive cross-validation,
    scorers, pickles and data frames, with no metadata.

    Parameters
    ----------
    samples : array-like of shape (n_samples,) or (n_ears, n_samples)
        Samples, float32 or float64; they are copied, unless they lie where nobody can write: in bytes, or in a memory
        map of a file that was opened to be read.
    sample_rate : float
        Rate of the samples in Hz, 1000 to 1000000.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for; 93.98 where the samples are in pascals.

    Raises
    ------
    TypeError
        If the samples are no numbers, or integers, whose scale is not known.
    ValueError
        If there are no samples, or some are not finite; if there are more ears than samples, or than 16; if a number is
        out of its range.

    Notes
    -----
    ``samples, sample_rate = sound`` takes it apart. It is no array: ``numpy.asarray`` of a list of Sounds is an array
    of objects that keep their rates.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import Sound
    >>> sound = Sound(np.full(8000, 0.02), 16000)
    >>> sound
    Sound(0.5 s, 16000 Hz, 60.0 dB SPL)
    >>> samples, sample_rate = sound
    >>> Sound(np.stack([samples, samples]), sample_rate).n_ears
    2
    """

    __slots__ = ("_rms_one_db_spl", "_sample_rate", "_samples")

    def __init__(self, samples: npt.ArrayLike, sample_rate: float, rms_one_db_spl: float = PASCALS_DB_SPL) -> None:
        self._begin(samples, sample_rate, rms_one_db_spl, is_own=False)

    def _begin(self, samples: npt.ArrayLike, sample_rate: float, rms_one_db_spl: float, *, is_own: bool) -> None:
        checked = check_samples(samples, "samples")
        check_ears("samples", checked.shape)
        self._samples = _frozen(checked, is_own)
        rate = check_rate("sample_rate", sample_rate)
        self._sample_rate = int(rate) if rate.is_integer() else rate
        self._rms_one_db_spl = check_scale("rms_one_db_spl", rms_one_db_spl)

    @property
    def samples(self) -> np.ndarray:
        """Samples, (n_samples,) or (n_ears, n_samples); they cannot be written to."""
        return self._samples

    @property
    def sample_rate(self) -> float:
        """Rate of the samples in Hz."""
        return self._sample_rate

    @property
    def rms_one_db_spl(self) -> float:
        """Level in dB SPL that an RMS of 1.0 stands for."""
        return self._rms_one_db_spl

    @property
    def n_ears(self) -> int | None:
        """Number of ears; None where the samples have no axis for them."""
        return len(self._samples) if self._samples.ndim == 2 else None

    @property
    def n_samples(self) -> int:
        """Number of samples of an ear."""
        return self._samples.shape[-1]

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.n_samples / self._sample_rate

    @property
    def db_spl(self) -> Any:
        """Level in dB SPL, from the RMS over all samples: a number, or one an ear in an array; -inf for silence."""
        return level_db(self._samples, self._rms_one_db_spl)

    def __iter__(self) -> Iterator[Any]:
        yield self._samples
        yield self._sample_rate

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sound):
            return NotImplemented
        return (
            self._sample_rate == other._sample_rate
            and self._rms_one_db_spl == other._rms_one_db_spl
            and np.array_equal(self._samples, other._samples)
        )

    def __hash__(self) -> int:
        content = np.asarray(self._samples + 0.0, dtype=np.float64).tobytes()  # -0.0 equals 0.0
        return hash((self._sample_rate, self._rms_one_db_spl, self._samples.shape, content))

    def __reduce__(self) -> tuple[Any, ...]:
        return Sound, (self._samples, self._sample_rate, self._rms_one_db_spl)

    def __copy__(self) -> Sound:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Sound:
        return self

    def __repr__(self) -> str:
        ears = [] if self.n_ears is None else [f"{self.n_ears} ear{'s' * (self.n_ears != 1)}"]
        levels = "/".join(f"{level:.1f}" for level in np.atleast_1d(self.db_spl))
        return f"Sound({', '.join([f'{self.duration_s:.4g} s', *ears, f'{self._sample_rate:g} Hz', levels])} dB SPL)"


def sound_of_own(samples: np.ndarray, sample_rate: float, rms_one_db_spl: float) -> Sound:
    """A Sound of samples that nobody else has, which are not copied."""
    sound = Sound.__new__(Sound)
    sound._begin(np.ascontiguousarray(samples), sample_rate, rms_one_db_spl, is_own=True)
    return sound


def level_db(samples: np.ndarray, rms_one_db_spl: float, axis: int | tuple[int, ...] | None = -1) -> Any:
    """Level in dB SPL, from the RMS along axis; -inf for silence."""
    with np.errstate(divide="ignore"):
        level = 20 * np.log10(rms(samples, axis)) + rms_one_db_spl
    return level if np.ndim(level) else float(level)


def rms(samples: np.ndarray, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False) -> Any:
    """RMS along axis, in float64."""
    peak = 1.0
    if samples.dtype == np.float64:
        largest = float(np.abs(samples).max())
        if largest and not 1e-100 < largest < 1e100:  # their squares would leave the range of float64
            peak = largest
    scaled = samples if peak == 1.0 else samples / peak
    try:
        mean_square = np.mean(np.square(scaled, dtype=np.float64), axis=axis, keepdims=keepdims)
    except (OverflowError, ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"axis={axis!r} is no axis of samples of shape {samples.shape}; it must be an integer, several, or None."
        ) from error
    return peak * np.sqrt(mean_square)


def resampled_length(n_samples: int, sample_rate: float, new_sample_rate: float) -> int:
    """Samples that so many samples become."""
    return int(np.floor(n_samples * new_sample_rate / sample_rate + 0.5))


def energy(x: np.ndarray) -> float:
    """Sum of squares; in pieces that BLAS does not spread over threads, which would wait for each other."""
    if x.size <= _NUMBERS_OF_A_THREAD:
        return float(np.vdot(x, x))
    flat = x.reshape(-1)
    pieces = (flat[begin : begin + _NUMBERS_OF_A_THREAD] for begin in range(0, flat.size, _NUMBERS_OF_A_THREAD))
    return sum(float(np.vdot(piece, piece)) for piece in pieces)


def all_finite(x: np.ndarray) -> bool:
    """Whether no element is NaN or infinite."""
    if x.size and not any(x.strides):  # one element, seen as many: what stands for sound on a device
        x = x[(slice(1),) * x.ndim]
    # The sum of squares is finite only if all elements are, or if they overflow it: cheap enough to try first.
    if x.size < 4096 and x.dtype.kind == "f":
        return isfinite(np.vdot(x, x)) or bool(np.isfinite(x).all())
    if x.dtype.kind == "f" and x.flags.c_contiguous:
        return isfinite(x.max()) and isfinite(x.min())  # NaN is the largest where there is one
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()) or np.isfinite(x).all())


# --- checks, which all that takes sound shares ---


def check_samples(samples: ArrayLike, name: str) -> np.ndarray:
    """Array of finite float32 or float64 with at least one sample; an error that names it otherwise."""
    refuse_masked(samples, name)
    try:
        samples = host_view(samples, name) if is_array(samples) else np.asarray(samples)
    except ValueError:
        raise ValueError(f"{name} is a list of sounds of different lengths; give them one by one.") from None
    samples = in_native_order(samples)
    if samples.dtype == np.float16:
        samples = samples.astype(np.float32)
    if samples.dtype not in (np.float32, np.float64):
        integers = samples.dtype.kind in "iu"
        remedy = "scale it with skaud.audio.from_pcm" if integers else "convert it with x.astype('float64')"
        raise TypeError(f"{name} holds {samples.dtype}, a sound holds float32 or float64; {remedy}.")
    if not samples.ndim or not samples.size:
        raise ValueError(f"{name} has shape {samples.shape}, a sound has at least one sample; leave empty sounds out.")
    if not np.isfinite(samples).all():
        n_bad = samples.size - np.count_nonzero(np.isfinite(samples))
        raise ValueError(f"{name} has {n_bad} samples that are NaN or infinite; repair them or leave the sound out.")
    return samples


def check_ears(name: str, shape: tuple[int, ...]) -> None:
    """Refuse shapes of a clip, (n_samples,) or (n_ears, n_samples), that no ears have."""
    if len(shape) not in (1, 2):
        raise ValueError(f"{name} has shape {shape}; a clip is (n_samples,), or (n_ears, n_samples). Reshape it.")
    if len(shape) == 2 and (shape[0] > MOST_EARS or shape[0] > shape[1]):
        limit = f"{MOST_EARS}" if shape[0] > MOST_EARS else f"its {shape[1]} samples"
        remedy = f"rows that are clips of their own belong in a list: pass list({name})."
        if shape[0] > shape[1]:
            remedy = (
                "ears come before samples, (n_ears, n_samples): transpose it, or read the file with skaud.audio.read; "
                + remedy
            )
        raise ValueError(f"{name} has shape {shape}, {shape[0]} ears, more than {limit}; {remedy}")


def check_rate(name: str, value: object) -> float:
    """Sample rate in Hz; an error where it cannot be meant."""
    rate = check_number(name, value, "a number of Hz; give the rate of the recording")
    if not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
        guess = f" ({rate * 1000:g} Hz, in kHz?)" if LOWEST_RATE_HZ <= rate * 1000 <= HIGHEST_RATE_HZ else ""
        raise ValueError(
            f"{name}={value!r} must lie between {LOWEST_RATE_HZ:g} and {HIGHEST_RATE_HZ:g} Hz{guess}; give the rate of "
            "the recording in Hz."
        )
    return rate


def check_scale(name: str, value: object) -> float:
    """Level in dB SPL that an RMS of 1.0 stands for; an error where it cannot be meant."""
    meant = f"a number of dB SPL from -{LOUDEST_DB:g} to {LOUDEST_DB:g}; samples in pascals have {PASCALS_DB_SPL}"
    return check_number(name, value, meant, -LOUDEST_DB, LOUDEST_DB)


def check_level(name: str, value: object, lowest: float = -LOUDEST_DB) -> float:
    """Level of a sound in dB SPL."""
    meant = f"one number of dB SPL from {lowest:g} to {LOUDEST_DB:g}; call once a level"
    return check_number(name, value, meant, lowest, LOUDEST_DB)


def _frozen(samples: np.ndarray, is_own: bool) -> np.ndarray:
    """The samples, read-only: a copy, unless nobody can write to them as they are."""
    if not is_own and not _is_immutable(samples):
        samples, is_own = np.array(samples, order="C", subok=False), True
    if is_own:
        owner: object = samples
        while isinstance(owner, np.ndarray):  # while the owner of memory can be written to, so could a view of it be
            owner.flags.writeable = False
            owner = owner.base
    return samples.view(np.ndarray)


def _is_immutable(samples: np.ndarray) -> bool:
    """Whether nobody can write to an array; the owner of memory may write where a view of it is read-only."""
    if samples.flags.writeable or not (samples.flags.c_contiguous and samples.flags.aligned):
        return False
    owner: object = samples
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    return isinstance(owner, bytes) or (isinstance(owner, mmap) and memoryview(owner).readonly)
