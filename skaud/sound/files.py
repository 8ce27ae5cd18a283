"""Sound files: which suffixes they have, what their containers tell, and their samples, however damaged they are."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

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
    with Reader(source, dtype, longest_s) as reader:
        return reader.frames()


class Reader:
    """A sound file that is open, at a path or in an open binary file; errors as `read_frames` has them.

    Attributes
    ----------
    sample_rate, n_channels : int
        As its header has them.
    n_claimed : int or None
        Frames that its header announces; None of a stream that does not say.
    missing : str or None
        In words, what is missing; known when all was read.
    """

    def __init__(self, source: Any, dtype: str = "float32", longest_s: float = np.inf) -> None:
        self._dtype, self._longest_s = dtype, longest_s
        self._name = str(getattr(source, "name", source)) if hasattr(source, "read") else os.fsdecode(source)
        self._open_files = contextlib.ExitStack()
        with self._naming_errors():
            try:
                self._sound = self._open(source)
            except BaseException:
                self._open_files.close()
                raise

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *error: Any) -> None:
        self._open_files.close()

    def _open(self, source: Any) -> Any:
        import soundfile

        if hasattr(source, "read"):
            file = source
        else:
            check_kind(source, os.stat(source).st_mode)
            file = self._open_files.enter_context(open(source, "rb"))  # noqa: SIM115
            # libsndfile reads by itself, which is faster, and takes names that are no UTF-8 as bytes alone.
            source = os.fsencode(source) if os.name == "posix" else self._name
        start = file.tell()
        self.missing, correction = missing_part(file), unclosed_samples(file)
        file.seek(start)
        sound = soundfile.SoundFile(Corrected(file, *correction) if correction else source)
        self._open_files.enter_context(sound)
        if sound.format in _TOLD and _CUT.search(sound.extra_info):
            self.missing = "less than its header announces"
        self.sample_rate, self.n_channels = sound.samplerate, sound.channels
        self.n_claimed = sound.frames if sound.frames < _UNKNOWN else None
        if self.n_claimed is not None:
            self._check_extent(self.n_claimed)
        return sound

    def frames(self) -> Frames:
        """All of it."""
        with self._naming_errors():
            claimed = _UNKNOWN if self.n_claimed is None else self.n_claimed
            samples = np.empty((min(claimed, _ROOM), self.n_channels), self._dtype)
            n_frames = 0
            while True:
                n_frames += len(self._sound.read(out=samples[n_frames:]))
                if n_frames < len(samples) or n_frames >= claimed:
                    break
                self._check_extent(n_frames)
                samples.resize((min(claimed, 2 * len(samples)), self.n_channels), refcheck=False)
            samples = samples[:n_frames]
            self._check_samples(samples)
            self._end(n_frames)
            return Frames(samples, self.sample_rate, self.missing)

    def blocks(self, n_frames: int) -> Iterator[np.ndarray]:
        """Samples (at most n_frames, n_channels) at a time."""
        n_read = 0
        while True:
            with self._naming_errors():
                block = self._sound.read(n_frames, self._dtype, always_2d=True)
                n_read += len(block)
                self._check_extent(n_read)
                self._check_samples(block)
                if len(block) < n_frames:
                    self._end(n_read)
            if len(block):
                yield block
            if len(block) < n_frames:
                return

    def _end(self, n_read: int) -> None:
        """Say what is missing after so many frames."""
        if self.n_claimed is not None and n_read < self.n_claimed and not self.missing:
            self.missing = f"{n_read} of the {self.n_claimed} samples that its header announces"
        if not n_read:
            raise ValueError(f"path={self._name!r} holds no samples; leave it out or record it anew.")
        self.missing = self.missing and f"it is cut: it holds {self.missing}"

    def _check_samples(self, samples: np.ndarray) -> None:
        if samples.size and not all_finite(samples):
            n_bad = np.count_nonzero(~np.isfinite(samples))
            raise ValueError(
                f"path={self._name!r} has {n_bad} samples that are NaN or infinite; repair it or leave it out."
            )

    def _check_extent(self, n_frames: int) -> None:
        """Refuse a file that is longer than is taken, by its own rate, or has too many samples in all its channels."""
        if n_frames > self._longest_s * self.sample_rate:
            raise ValueError(
                f"path={self._name!r} lasts {n_frames / self.sample_rate:.6g} s at its rate of {self.sample_rate} Hz, "
                f"more than {self._longest_s:g} s; cut it, correct its header, or allow longer files."
            )
        if self._longest_s < np.inf and n_frames * self.n_channels > _MOST_SAMPLES:
            raise ValueError(
                f"path={self._name!r} has {n_frames * self.n_channels:.3g} samples in {self.n_channels} channels, more "
                f"than {_MOST_SAMPLES:.3g}; cut it, or write fewer channels to a file."
            )

    @contextlib.contextmanager
    def _naming_errors(self) -> Iterator[None]:
        import soundfile

        try:
            yield
        except FileNotFoundError as error:
            said = f"path={self._name!r}: there is no such file; check the path (now in {os.getcwd()!r})."
            raise FileNotFoundError(error.errno, said) from error
        except soundfile.SoundFileError as error:
            said = getattr(error, "error_string", str(error)).strip()
            raise ValueError(
                f"path={self._name!r} cannot be read, libsndfile says: {said} Convert it to wav or flac."
            ) from error
        except MemoryError as error:
            raise ValueError(
                f"path={self._name!r} holds more than the memory does; cut it into shorter files."
            ) from error
        except OSError as error:
            if error.filename is None:
                error.filename = self._name  # "Input/output error" alone does not say of what
            raise
        except (RuntimeError, TypeError, AssertionError, OverflowError) as error:  # of headers that make no sense
            raise ValueError(f"path={self._name!r} cannot be read ({error}); convert it to wav or flac.") from error
