"""A recording: what its file is known by, and its sound as the model is to hear it."""

import os
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from skaud import audio
from skaud.command.journal import Stamp
from skaud.sound.files import check_kind, read_frames

RATES_HZ = (1000, 1_000_000)  # what a recording's header may claim: below, nothing can be heard
_CANCELLED = 0.01  # power of the mean of channels over the mean of their powers, at which they are said to cancel
_SETTLED_S = 2.0  # after a change, for which another one might have the same time


class Take(NamedTuple):
    """How recordings are taken.

    ears : number of channels that are kept as ears, or None; channel : the one that is taken, 1 the first, or None;
    level_db_spl : to which every clip is set, or None; rms_one_db_spl : of the model; longest_s : that is read;
    cut : whether files are taken that were cut; dtype : of the samples
    """

    ears: int | None
    channel: int | None
    level_db_spl: float | None
    rms_one_db_spl: float
    longest_s: float
    cut: bool
    dtype: str


Note = Callable[[str, str], None]  # kind of what is noticed, and what to say of it


def stamp(path: bytes) -> Stamp:
    """Size and times of a file; ValueError of what is none."""
    status = os.stat(path)
    check_kind(path, status.st_mode)
    settled = time.time() - status.st_ctime > _SETTLED_S
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns if settled else 0)


def content_hash(path: bytes) -> bytes:
    """Hash of a file's content."""
    digest = blake2b(digest_size=32)
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def is_same(path: bytes, known: Stamp, content: bytes) -> tuple[bool, Stamp]:
    """Whether a file is what it was, by its stamp or else by its content, and its stamp now."""
    now = stamp(path)
    if now == known and now.changed_ns:
        return True, now
    return now.size == known.size and content_hash(path) == content, now


def n_channels(path: bytes) -> int:
    """Channels of a file; ValueError, OSError or soundfile's own error where it cannot be opened."""
    import soundfile

    stamp(path)
    return soundfile.info(path if os.name == "posix" else os.fsdecode(path)).channels


def read_clip(path: bytes, take: Take, note: Note) -> tuple[np.ndarray, int]:
    """Clip, (n_samples,) or (n_ears, n_samples), and its rate."""
    samples, rate, missing = read_frames(path, take.dtype, take.longest_s)
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise ValueError(
            f"its header claims a sample rate of {rate} Hz, sounds have {RATES_HZ[0]} to {RATES_HZ[1]} Hz; correct it."
        )
    if missing and not take.cut:
        raise ValueError(f"{missing}; copy it anew, or allow it with --cut.")
    if missing:
        note("cut", f"{missing}; features are of what it holds")
    clip = _channels(samples, take, note)
    if take.level_db_spl is not None:
        clip = audio.set_level(clip, take.level_db_spl, take.rms_one_db_spl, axis=None)
    return clip, rate


def _channels(samples: np.ndarray, take: Take, note: Note) -> np.ndarray:
    n = samples.shape[1]
    if take.ears is not None:
        if n != take.ears:
            raise ValueError(f"it has {n} channels, the first file had {take.ears}; --ears takes files with the same.")
        return np.ascontiguousarray(samples.T)
    if take.channel is not None:
        if n < take.channel:
            raise ValueError(f"it has {n} channels, no --channel {take.channel}.")
        return np.ascontiguousarray(samples[:, take.channel - 1])
    if n == 1:
        return samples[:, 0]
    note("mono", f"its {n} channels are averaged; --ears keeps them, --channel takes one")
    mean = samples.mean(axis=1)
    powers = [float(np.dot(mean, mean)), float(np.mean([np.dot(c, c) for c in samples.T]))]
    if powers[0] < _CANCELLED * powers[1]:
        level = f"{10 * np.log10(powers[0] / powers[1]):.0f} dB" if powers[0] else "nothing"
        note("", f"its channels cancel when averaged, {level} is left; take one with --channel, or both with --ears")
    return mean


def describe(take: Take) -> dict[str, Any]:
    """What of it decides what a row is."""
    channels = "mean" if take.channel is None else f"channel {take.channel}"
    return {"channels": channels if take.ears is None else f"{take.ears} ears", "level_db_spl": take.level_db_spl}
