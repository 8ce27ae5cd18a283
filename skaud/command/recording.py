"""A recording: what its file is known by, and its sound as the model is to hear it."""

import os
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from skaud import audio
from skaud.command.journal import Stamp
from skaud.sound.blocks import BlockResampler, at_gain
from skaud.sound.files import Reader, check_kind

RATES_HZ = (1000, 1_000_000)  # what a recording's header may claim: below, nothing can be heard
MOST_HELD = 1 << 20  # samples of a file, in all channels, that are read at once
BLOCK = 1 << 16  # frames of a longer one
CHANGED = "it changed while it was read; go on with --resume when it is finished."
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


def content_hash(path: bytes, n_bytes: int) -> bytes:
    """Hash of a file's content, of so many bytes when it was looked at."""
    digest = blake2b(digest_size=32)
    with open(path, "rb", buffering=0) as file:
        while block := file.read(min(1 << 20, n_bytes + 1)):  # memory that is not written to costs, too
            digest.update(block)
    return digest.digest()


def is_same(path: bytes, known: Stamp, content: bytes) -> tuple[bool, Stamp]:
    """Whether a file is what it was, by its stamp or else by its content, and its stamp now."""
    now = stamp(path)
    if now == known and now.changed_ns:
        return True, now
    return now.size == known.size and content_hash(path, now.size) == content, now


def n_channels(path: bytes) -> int:
    """Channels of a file; ValueError, OSError or soundfile's own error where it cannot be opened."""
    import soundfile

    stamp(path)
    return soundfile.info(path if os.name == "posix" else os.fsdecode(path)).channels


def read_clip(path: bytes, take: Take, note: Note) -> tuple["np.ndarray | LongClip", int]:
    """Clip, (n_samples,) or (n_ears, n_samples), and its rate; of a long one, what its blocks can be had of."""
    with Reader(path, take.dtype, take.longest_s) as reader:
        if reader.n_claimed is None or reader.n_claimed * reader.n_channels > MOST_HELD:
            return _survey(path, reader, take, note), reader.sample_rate
        frames = reader.frames()
    _check_rate(frames.sample_rate)
    _check_cut(frames.missing, take, note)
    clip = _channels(frames.samples, take)
    if _is_mean(frames.samples.shape[1], take):
        _note_mean(frames.samples.shape[1], *_powers(frames.samples, clip), note)
    if take.level_db_spl is not None:
        clip = audio.set_level(clip, take.level_db_spl, take.rms_one_db_spl)
    return clip, frames.sample_rate


class LongClip(NamedTuple):
    """A clip that is too long to be held, as `read_clip` found it: its blocks are read when they are asked for.

    n_ears : None where it has no axis of ears; gain : that brings it to its level, or None
    """

    path: bytes
    take: Take
    stamp: Stamp
    sample_rate: int
    n_samples: int
    n_ears: int | None
    gain: float | None

    def blocks(self, sample_rate: float) -> Iterator[np.ndarray]:
        """Samples ([n_ears,] n) at a rate, one after the other."""
        resample = BlockResampler(self.sample_rate, sample_rate, self.n_samples, self.n_ears, self.take.dtype)
        with Reader(self.path, self.take.dtype, self.take.longest_s) as reader:
            for samples in reader.blocks(BLOCK):
                block = _channels(samples, self.take)
                if self.gain is not None:
                    block = at_gain(block, self.gain, f"db_spl={self.take.level_db_spl}")
                yield resample.block(block)
        if stamp(self.path)[:2] != self.stamp[:2]:
            raise ValueError(CHANGED)
        yield resample.end()


def _survey(path: bytes, reader: Reader, take: Take, note: Note) -> LongClip:
    """Go through all of a file for what must be known of the whole before its first sample is computed."""
    before = stamp(path)
    _check_rate(reader.sample_rate)
    n_samples, shape = 0, ()
    mean_energy, energy, squares = 0.0, 0.0, 0.0  # of the mean of channels, and of the channels; of the clip
    for samples in reader.blocks(BLOCK):
        clip = _channels(samples, take)
        powers = _powers(samples, clip) if _is_mean(samples.shape[1], take) else (0.0, 0.0)
        mean_energy, energy = mean_energy + powers[0], energy + powers[1]
        n_samples, shape = n_samples + len(samples), clip.shape[:-1]
        squares += float(np.square(clip, dtype=np.float64).sum())
    _check_cut(reader.missing, take, note)
    if _is_mean(reader.n_channels, take):
        _note_mean(reader.n_channels, mean_energy, energy, note)
    gain = None
    if take.level_db_spl is not None:
        rms = np.sqrt(squares / (n_samples * (shape[0] if shape else 1)))
        if not 0 < rms < np.inf:
            what = "is silent" if rms == 0 else f"goes beyond what {take.dtype} holds"
            raise ValueError(f"it {what}, no gain brings it to --level-db-spl {take.level_db_spl:g}; leave it out.")
        gain = float(10.0 ** ((take.level_db_spl - take.rms_one_db_spl) / 20) / rms)
    return LongClip(path, take, before, reader.sample_rate, n_samples, shape[0] if shape else None, gain)


def _check_rate(rate: float) -> None:
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise ValueError(
            f"its header claims a sample rate of {rate} Hz, sounds have {RATES_HZ[0]} to {RATES_HZ[1]} Hz; correct it."
        )


def _check_cut(missing: str | None, take: Take, note: Note) -> None:
    if missing and not take.cut:
        raise ValueError(f"{missing}; copy it anew, or allow it with --cut.")
    if missing:
        note("cut", f"{missing}; features are of what it holds")


def _channels(samples: np.ndarray, take: Take) -> np.ndarray:
    """Clip of frames (n_frames, n_channels)."""
    n = samples.shape[1]
    if take.ears is not None:
        if n != take.ears:
            raise ValueError(f"it has {n} channels, the first file had {take.ears}; --ears takes files with the same.")
        return np.ascontiguousarray(samples.T)
    if take.channel is not None:
        if n < take.channel:
            raise ValueError(f"it has {n} channels, no --channel {take.channel}.")
        return np.ascontiguousarray(samples[:, take.channel - 1])
    return samples[:, 0] if n == 1 else samples.mean(axis=1)


def _is_mean(n_channels: int, take: Take) -> bool:
    return n_channels > 1 and take.ears is None and take.channel is None


def _powers(samples: np.ndarray, mean: np.ndarray) -> tuple[float, float]:
    """Energy of the mean of channels, and mean of their energies."""
    return float(np.dot(mean, mean)), float(np.mean([np.dot(c, c) for c in samples.T]))


def _note_mean(n_channels: int, mean_energy: float, energy: float, note: Note) -> None:
    note("mono", f"its {n_channels} channels are averaged; --ears keeps them, --channel takes one")
    if mean_energy < _CANCELLED * energy:
        level = f"{10 * np.log10(mean_energy / energy):.0f} dB" if mean_energy else "nothing"
        note("", f"its channels cancel when averaged, {level} is left; take one with --channel, or both with --ears")


def describe(take: Take) -> dict[str, Any]:
    """What of it decides what a row is."""
    channels = "mean" if take.channel is None else f"channel {take.channel}"
    return {"channels": channels if take.ears is None else f"{take.ears} ears", "level_db_spl": take.level_db_spl}
