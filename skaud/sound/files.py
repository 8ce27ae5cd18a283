"""Sound files: which suffixes they have, what their containers tell, and their samples, however damaged they are."""

import os
import re
import stat
from functools import cache
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from skaud.sound import all_finite
from skaud.sound.containers import Corrected, missing_part, unclosed_samples

# Of libsndfile's formats, those whose files are seldom sound, or do not say themselves how they are to be read.
_NOT_SOUGHT = {"RAW", "MAT4", "MAT5", "SD2", "WAVEX", "MPC2K"}
_FURTHER_SUFFIXES = {
    "AIFF": ("aif", "aifc"),
    "AU": ("snd",),
    "IRCAM": ("sf",),
    "MP3": ("mp2", "mp1"),
    "NIST": ("sph",),
    "OGG": ("oga", "opus"),
    "PAF": ("fap",),
    "SVX": ("8svx", "iff"),
    "WAV": ("wave", "bwf"),
}
_ROOM = 1 << 22  # frames that are made room for before they are found to be there
_MOST_SAMPLES = 1 << 31  # in all channels, where the duration is limited: 8 GiB in float32
_UNKNOWN = 1 << 62  # frames: libsndfile's word for a stream that does not say how many it has
_TOLD = ("VOC", "MAT4", "WVE")  # formats that are not looked into here, and what libsndfile says where they are cut
_CUT = re.compile(r"truncated|Data length \d+ should be")
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


class Frames(NamedTuple):
    """Samples of a file, (n_frames, n_channels); its rate in Hz; and in words what is missing, or None."""

    samples: np.ndarray
    sample_rate: int
    missing: str | None


@cache
def sound_suffixes() -> tuple[str, ...]:
    """Suffixes of the formats that libsndfile, as it is here, reads."""
    import soundfile

    formats = set(soundfile.available_formats()) - _NOT_SOUGHT
    names = {name.lower() for name in formats} | {s for name in formats for s in _FURTHER_SUFFIXES.get(name, ())}
    return tuple(sorted(f".{name}" for name in names))


def leaves_folder(name: str) -> bool:
    """Whether a path in a manifest leads out of the manifest's folder: it is absolute, or has `..`."""
    return any(path.anchor != "" or ".." in path.parts for path in (PurePosixPath(name), PureWindowsPath(name)))


def check_kind(name: Any, mode: int) -> None:
    """Refuse what is no regular file: to read it may take for ever."""
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise ValueError(f"path={os.fsdecode(name)!r} is {kind}, not a sound file; write the sound to a file.")


def read_frames(source: Any, dtype: str = "float32", longest_s: float = np.inf) -> Frames:
    """Read a path or an open binary file; every error is a ValueError or OSError that names it.

    `longest_s` is the longest duration in seconds that is taken.
    """
    import soundfile

    is_file = hasattr(source, "read")
    name = str(getattr(source, "name", source)) if is_file else os.fsdecode(source)
    try:
        if is_file:
            return _read(source, source, name, dtype, longest_s)
        check_kind(source, os.stat(source).st_mode)
        with open(source, "rb") as file:
            # libsndfile reads by itself, which is faster, and takes names that are no UTF-8 as bytes alone.
            return _read(file, os.fsencode(source) if os.name == "posix" else name, name, dtype, longest_s)
    except FileNotFoundError as error:
        said = f"path={name!r}: there is no such file; check the path (now in {os.getcwd()!r})."
        raise FileNotFoundError(error.errno, said) from error
    except soundfile.SoundFileError as error:
        said = getattr(error, "error_string", str(error)).strip()
        raise ValueError(f"path={name!r} cannot be read, libsndfile says: {said} Convert it to wav or flac.") from error
    except MemoryError as error:
        raise ValueError(f"path={name!r} holds more than the memory does; cut it into shorter files.") from error
    except OSError as error:
        if error.filename is None:
            error.filename = name  # "Input/output error" alone does not say of what
        raise
    except (RuntimeError, TypeError, AssertionError, OverflowError) as error:  # of headers that make no sense
        raise ValueError(f"path={name!r} cannot be read ({error}); convert it to wav or flac.") from error


def _read(file: BinaryIO, source: Any, name: str, dtype: str, longest_s: float) -> Frames:
    import soundfile

    start = file.tell()
    missing, correction = missing_part(file), unclosed_samples(file)
    file.seek(start)
    with soundfile.SoundFile(Corrected(file, *correction) if correction else source) as sound:
        rate, claimed = sound.samplerate, sound.frames
        if sound.format in _TOLD and _CUT.search(sound.extra_info):
            missing = "less than its header announces"
        if claimed < _UNKNOWN:
            _check_extent(name, claimed, sound.channels, rate, longest_s)
        samples = np.empty((min(claimed, _ROOM), sound.channels), dtype)
        n_frames = 0
        while True:
            n_frames += len(sound.read(out=samples[n_frames:]))
            if n_frames < len(samples) or n_frames >= claimed:
                break
            _check_extent(name, n_frames, sound.channels, rate, longest_s)
            samples.resize((min(claimed, 2 * len(samples)), sound.channels), refcheck=False)
    if n_frames < claimed < _UNKNOWN and not missing:
        missing = f"{n_frames} of the {claimed} samples that its header announces"
    if not n_frames:
        raise ValueError(f"path={name!r} holds no samples; leave it out or record it anew.")
    samples = samples[:n_frames]
    if not all_finite(samples):
        n_bad = np.count_nonzero(~np.isfinite(samples))
        raise ValueError(f"path={name!r} has {n_bad} samples that are NaN or infinite; repair it or leave it out.")
    return Frames(samples, rate, missing and f"it is cut: it holds {missing}")


def _check_extent(name: str, n_frames: int, n_channels: int, sample_rate: int, longest_s: float) -> None:
    """Refuse a file that is longer than is taken, by its own rate, or has too many samples in all its channels."""
    if n_frames > longest_s * sample_rate:
        raise ValueError(
            f"path={name!r} lasts {n_frames / sample_rate:.6g} s at its rate of {sample_rate} Hz, more than "
            f"{longest_s:g} s; cut it, correct its header, or allow longer files."
        )
    if longest_s < np.inf and n_frames * n_channels > _MOST_SAMPLES:
        raise ValueError(
            f"path={name!r} has {n_frames * n_channels:.3g} samples in {n_channels} channels, more than "
            f"{_MOST_SAMPLES:.3g}; cut it, or write fewer channels to a file."
        )
