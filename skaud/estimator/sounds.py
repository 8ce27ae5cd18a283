"""Sound as models take it, and what is asked of samples: clips at their rates, finite, at a level that sound has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import InputTags

from skaud._warnings import warn_caller
from skaud.kernels.array_api import HOST, Place, in_native_order
from skaud.kernels.batches import clip_of
from skaud.sound import all_finite, energy

HIGHEST_DB_SPL, LOWEST_DB_SPL = 130.0, 0.0  # of a clip: the threshold of pain is about 130, that of hearing about 0
SQUARED_AT_ONCE = 2**15  # samples of clips of one length


@dataclass
class AudioInputTags(InputTags):
    """Input tags of the models: audio, whose signals may differ in length."""

    audio: bool = True
    ragged: bool = True


class Sounds(NamedTuple):
    """Clips as the models take them.

    clips : list of (n_ears, n_samples) arrays; has_ears : whether X had an axis of ears; is_array : whether all clips
    have one length because X was an array; index : the pandas index of X, or None; rates : of every clip, in Hz; scales
    : level in dB SPL of an RMS of 1.0 in every clip, None where it does not know; rates_known : whether they came with
    the sound, and are not just supposed to be the model's; place : where X lies, and whose it is. Clips on a device are
    its arrays: one, (n_signals, n_ears, n_samples), where X was one.
    """

    clips: list[np.ndarray]
    has_ears: bool
    is_array: bool
    index: Any
    rates: list[float]
    scales: list[float | None]
    rates_known: bool
    place: Place = HOST

    @property
    def n_ears(self) -> int | None:
        """Ears of every clip, None where X has no axis for them."""
        return clip_of(self.clips, 0).shape[0] if self.has_ears else None


def is_bearable(clips: np.ndarray, scale: float) -> bool:
    """Whether all samples of clips (n, ..., n_samples) are finite, and no clip can be above what ears bear.

    Told by the energy of all, for streams, which ask often; what is not told to be so may yet be.
    """
    return energy(clips) <= clips.shape[-1] * 10 ** ((HIGHEST_DB_SPL - scale) / 10)


def warn_of_levels(clips: Sequence[np.ndarray], scales: Sequence[float], *, is_part: bool = False) -> None:
    """Warn once of clips at a level that no sound has, given what an RMS of 1.0 stands for; parts may be soft."""
    warn_of_powers(_mean_squares(clips), scales, is_part=is_part)


def _mean_squares(clips: Sequence[np.ndarray]) -> list[float]:
    """Mean square of every clip; short ones of one length side by side."""
    size, shape = max(1, clips[0].size), clips[0].shape
    if 2 * size > SQUARED_AT_ONCE or any(clip.shape != shape for clip in clips):
        return [energy(clip) / max(1, clip.size) for clip in clips]
    found: list[float] = []
    for begin in range(0, len(clips), at_once := SQUARED_AT_ONCE // size):
        some = clips[begin : begin + at_once]
        together = np.concatenate(some).reshape(len(some), -1)
        found += np.einsum("ij,ij->i", together, together).tolist()
    return [own / size for own in found]


def warn_of_powers(power: Sequence[float], scales: Sequence[float], *, is_part: bool = False) -> None:
    """As `warn_of_levels`, of clips whose mean squares are known."""
    with np.errstate(divide="ignore"):
        levels = 10 * np.log10(power) + np.asarray(scales)
    loudest, heard = int(np.argmax(levels)), np.isfinite(levels)
    remedy = (
        f"or an RMS of 1.0 does not stand for {scales[loudest]:g} dB SPL: set rms_one_db_spl, or the level with "
        "skaud.audio.set_level."
    )
    if levels[loudest] > HIGHEST_DB_SPL:
        warn_caller(
            f"X[{loudest}] is at {levels[loudest]:.0f} dB SPL, and {np.sum(levels > HIGHEST_DB_SPL)} of {len(power)} "
            f"clips are above {HIGHEST_DB_SPL:g}, which no ear bears. Either samples are integers of PCM in floats: "
            f"divide them, 16-bit ones by 32768; {remedy}"
        )
    elif not is_part and heard.any() and (levels[heard] < LOWEST_DB_SPL).all():
        warn_caller(
            f"X[{loudest}] is at {levels[loudest]:.0f} dB SPL and no clip is louder, so that no ear hears any. Either "
            f"they were scaled down; {remedy}"
        )


def count_ears(n_ears: int | None) -> str:
    """Such as "2 ears", for an error; None stands for X without an axis of ears."""
    return "no axis of ears" if n_ears is None else f"{n_ears} ear{'s' * (n_ears != 1)}"


def check_samples(X: np.ndarray, name: str) -> np.ndarray:
    """Samples of any shape as floats; an error where they are not real and finite."""
    return check_finite(check_real(X, name), name)


def check_real(X: np.ndarray, name: str) -> np.ndarray:
    """Samples of any shape in float64, or float32 where they were; an error where they are not real numbers."""
    X = in_native_order(X)
    if X.dtype.char in "fd":  # streams ask often
        return X
    check_kind(X.dtype, name)
    warn_integers([X.dtype])
    return X.astype(np.float64)


def check_kind(dtype: np.dtype, name: str) -> None:
    """Refuse what is not real numbers."""
    kind = getattr(dtype, "kind", "O")
    if kind == "c":
        raise ValueError(f"Complex data not supported: {name} is {dtype}; pass its real part or its magnitude.")
    if kind not in "fiu":
        raise TypeError(
            f"{name} holds {dtype} data, not samples of sound; read files with skaud.audio.read and pass arrays of "
            "numbers."
        )


def as_float(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples in float64, or float32 where they were; an error where one is not finite."""
    is_float = samples.dtype in (np.float32, np.float64)
    return check_finite(samples if is_float else samples.astype(np.float64), name)


def check_finite(samples: np.ndarray, name: str) -> np.ndarray:
    """The samples, of floats; an error where one is not finite."""
    if not all_finite(samples[..., :1] if samples.size and not any(samples.strides) else samples):
        bad = np.argwhere(~np.isfinite(samples))
        raise ValueError(
            f"{name} has {len(bad)} samples that are NaN or infinity (inf), the first at sample {bad[0][-1]}: "
            f"{samples[tuple(bad[0])]}; every sample must be finite. Cut them out, or numpy.nan_to_num them."
        )
    return samples


def warn_integers(dtypes: Iterable[np.dtype]) -> None:
    """Warn of samples that may be PCM."""
    integers = next((dtype for dtype in dtypes if getattr(dtype, "kind", "f") in "iu"), None)
    if integers is not None:
        warn_caller(
            f"X holds {integers} samples, which are taken as they are; if they are PCM, scale them to -1..1 with "
            "skaud.audio.from_pcm first.",
        )
