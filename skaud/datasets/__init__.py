"""Sounds to try models on: tones, noises and synthetic vowels, made on the spot, and folders of recordings.

The `make_*` functions need no files and give the same sound for the same `random_state`. All sounds are lists of
`skaud.Sound`, which know their rate and level: a model of any rate hears the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch

from skaud import audio
from skaud.audio import RandomState, draw_seed, generator
from skaud.datasets.vowels import VOWEL_TABLE, make_vowels
from skaud.sound import PASCALS_DB_SPL, Sound, check_rate
from skaud.sound.files import leaves_folder, sound_suffixes

__all__ = ["VOWEL_TABLE", "load_folder", "make_am_noise", "make_tone", "make_tone_complex", "make_vowels"]


def make_tone(
    frequency_hz: npt.ArrayLike,
    duration_s: float = 0.5,
    sample_rate: float = 44100,
    db_spl: float = 60.0,
    rms_one_db_spl: float = PASCALS_DB_SPL,
    ramp_s: float = 0.01,
) -> list[Sound]:
    """Make tones, one signal per frequency.

    Parameters
    ----------
    frequency_hz : float or array-like of shape (n_signals,)
        Frequencies in Hz, below half the sample rate.
    duration_s : float, default=0.5
        Length in seconds, ramps included.
    sample_rate : float, default=44100
        Sample rate in Hz.
    db_spl : float, default=60.0
        Level in dB SPL of the steady part between the ramps.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in the samples; 93.98 for pascals.
    ramp_s : float, default=0.01
        Length in seconds of the raised-cosine ramps at both ends.

    Returns
    -------
    list of Sound
        A tone in sine phase for each frequency, float64.

    Raises
    ------
    ValueError
        If a frequency does not lie between 0 and half the sample rate, or the ramps are longer than the tone.

    Examples
    --------
    >>> from skaud.datasets import make_tone
    >>> make_tone([500, 1000], duration_s=0.1, ramp_s=0)
    [Sound(0.1 s, 44100 Hz, 60.0 dB SPL), Sound(0.1 s, 44100 Hz, 60.0 dB SPL)]
    """
    frequency = _frequencies("frequency_hz", frequency_hz, sample_rate)
    time = _time(duration_s, sample_rate)
    peak = np.sqrt(2) * 10.0 ** ((db_spl - rms_one_db_spl) / 20)
    tones = peak * np.sin(2 * np.pi * frequency[:, None] * time) * _ramps(time.size, ramp_s, sample_rate)
    return [Sound(tone, sample_rate, rms_one_db_spl) for tone in tones]


def make_tone_complex(
    frequencies_hz: npt.ArrayLike,
    levels_db: npt.ArrayLike = 0.0,
    phases_rad: npt.ArrayLike = 0.0,
    duration_s: float = 0.5,
    sample_rate: float = 44100,
    db_spl: float = 60.0,
    rms_one_db_spl: float = PASCALS_DB_SPL,
    ramp_s: float = 0.01,
) -> list[Sound]:
    """Make a sum of tones.

    Parameters
    ----------
    frequencies_hz : float or array-like of shape (n_tones,)
        Frequencies in Hz, all different and below half the sample rate.
    levels_db : float or array-like of shape (n_tones,), default=0.0
        Levels in dB relative to each other.
    phases_rad : float or array-like of shape (n_tones,), default=0.0
        Phases in radians at the beginning, 0 for sine phase.
    duration_s : float, default=0.5
        Length in seconds, ramps included.
    sample_rate : float, default=44100
        Sample rate in Hz.
    db_spl : float, default=60.0
        Level in dB SPL of the whole between the ramps: the powers of the tones add up to it.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in the samples; 93.98 for pascals.
    ramp_s : float, default=0.01
        Length in seconds of the raised-cosine ramps at both ends.

    Returns
    -------
    list of one Sound
        The sum, float64.

    Raises
    ------
    ValueError
        If a frequency comes twice or does not lie between 0 and half the sample rate, if levels or phases are neither
        one nor as many as the frequencies, or the ramps are longer than the sound.

    Examples
    --------
    Harmonics of 200 Hz falling by 6 dB an octave:

    >>> import numpy as np
    >>> from skaud.datasets import make_tone_complex
    >>> harmonic = np.arange(1, 11)
    >>> make_tone_complex(200 * harmonic, levels_db=-20 * np.log10(harmonic), ramp_s=0)
    [Sound(0.5 s, 44100 Hz, 60.0 dB SPL)]
    """
    frequency = _frequencies("frequencies_hz", frequencies_hz, sample_rate)
    if np.unique(frequency).size < frequency.size:
        raise ValueError(
            f"frequencies_hz={frequencies_hz!r} has a frequency twice; give one tone with the sum's level."
        )
    for name, value in (("levels_db", levels_db), ("phases_rad", phases_rad)):
        if np.ndim(value) and np.shape(value) != frequency.shape:
            raise ValueError(
                f"{name} has shape {np.shape(value)}, frequencies_hz has {frequency.shape}; give one or one a tone."
            )
    time = _time(duration_s, sample_rate)
    amplitude = np.broadcast_to(10.0 ** (np.asarray(levels_db, dtype=float) / 20), frequency.shape)
    amplitude = amplitude * np.sqrt(2 / np.sum(amplitude**2)) * 10.0 ** ((db_spl - rms_one_db_spl) / 20)
    phase = 2 * np.pi * frequency[:, None] * time + np.reshape(phases_rad, (-1, 1))
    samples = amplitude @ np.sin(phase) * _ramps(time.size, ramp_s, sample_rate)
    return [Sound(samples, sample_rate, rms_one_db_spl)]


def make_am_noise(
    modulation_hz: npt.ArrayLike,
    depth: float = 1.0,
    duration_s: float = 0.5,
    sample_rate: float = 44100,
    db_spl: float = 60.0,
    rms_one_db_spl: float = PASCALS_DB_SPL,
    random_state: RandomState = None,
) -> list[Sound]:
    """Make white noise whose amplitude is modulated by a sine, one signal per modulation frequency.

    Parameters
    ----------
    modulation_hz : float or array-like of shape (n_signals,)
        Modulation frequencies in Hz, below half the sample rate; 0 for no modulation.
    depth : float, default=1.0
        Modulation depth m from 0 to 1: the noise is multiplied by ``1 + m * sin(2 * pi * modulation_hz * t)``.
    duration_s : float, default=0.5
        Length in seconds.
    sample_rate : float, default=44100
        Sample rate in Hz.
    db_spl : float, default=60.0
        Level in dB SPL of each whole signal, after modulation.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in the samples; 93.98 for pascals.
    random_state : int, RandomState instance or None, default=None
        Seed; each signal has its own noise.

    Returns
    -------
    list of Sound
        A noise for each modulation frequency, float64.

    Raises
    ------
    ValueError
        If a modulation frequency does not lie between 0 and half the sample rate, or the depth between 0 and 1.

    Examples
    --------
    >>> from skaud.datasets import make_am_noise
    >>> make_am_noise([4, 16], duration_s=1.0, random_state=0)
    [Sound(1 s, 44100 Hz, 60.0 dB SPL), Sound(1 s, 44100 Hz, 60.0 dB SPL)]
    """
    modulation = _frequencies("modulation_hz", modulation_hz, sample_rate, zero=True)
    if not 0 <= depth <= 1:
        raise ValueError(f"depth={depth} must lie between 0 and 1; for deeper modulation multiply the noise yourself.")
    time, seed = _time(duration_s, sample_rate), draw_seed(random_state)
    noise = np.stack([generator(seed, "am noise", i).standard_normal(time.size) for i in range(modulation.size)])
    noise *= 1 + depth * np.sin(2 * np.pi * modulation[:, None] * time)
    return audio.set_level([Sound(own, sample_rate, rms_one_db_spl) for own in noise], db_spl)


def load_folder(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    mono: bool = True,
    rms_one_db_spl: float = PASCALS_DB_SPL,
    outside: bool = False,
) -> Bunch:
    """Read a folder of labelled recordings.

    Parameters
    ----------
    path : str or path-like
        A folder with a ``manifest.csv``, or else with a sub-folder for each class. The manifest has a row for each
        recording; its column ``path`` has the file, relative to the folder, ``label`` the class, and ``group``
        (``speaker`` where there is no ``group``) who or what must not be in training and test at once. Without a
        manifest, the sound files at any depth below a sub-folder belong to the class of its name; hidden files and
        folders are left out.
    sample_rate : int, optional
        Sample rate in Hz to resample all recordings to; by default each keeps its own, and knows it.
    mono : bool, default=True
        Average the channels; otherwise files of several channels give Sounds with ears.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that a recording with an RMS of 1.0 had, as for `skaud.audio.read`.
    outside : bool, default=False
        Let the manifest name files outside the folder, by absolute paths or ``..``: only of manifests that you trust.

    Returns
    -------
    Bunch
        In the order of the manifest, or else sorted by path:

        clips : list of Sound
            Recordings, float32, full scale being 1.0.
        target : ndarray of shape (n_clips,)
            Labels, as strings.
        groups : ndarray of shape (n_clips,) or None
            Groups, as strings.
        paths : list of str
            Files.
        frame : pandas.DataFrame
            The manifest, or a table of path and label.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder holds neither a manifest nor sub-folders with sound files, the manifest lacks a column or a cell,
        or files cannot be read; the message lists all of these.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np, soundfile
    >>> from skaud.datasets import load_folder
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for label in ("cat", "dog"):
    ...     (folder / label).mkdir()
    ...     soundfile.write(folder / label / "1.wav", np.zeros(800), 8000)
    >>> recordings = load_folder(folder)
    >>> recordings.target
    array(['cat', 'dog'], dtype='<U3')
    >>> recordings.clips[0]
    Sound(0.1 s, 8000 Hz, -inf dB SPL)
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"path={str(folder)!r}: there is no such folder; check the path (now in {os.getcwd()!r})."
        )
    manifest = folder / "manifest.csv"
    frame = _read_manifest(manifest) if manifest.is_file() else _list_classes(folder)
    group = _group_column(frame)
    leaving = [name for name in frame["path"] if leaves_folder(name)]
    if leaving and not outside:
        raise ValueError(
            f"{str(manifest)!r} names {leaving[0]!r}, which leaves its folder, and {len(leaving) - 1} more; move the "
            "files there, or pass outside=True if you trust the manifest."
        )
    clips, troubles = [], []
    paths = [str(folder / name) for name in frame["path"]]
    for name in paths:
        try:
            clips.append(audio.read(name, sample_rate, mono, rms_one_db_spl=rms_one_db_spl))
        except (ValueError, OSError) as error:
            troubles.append(str(error))
    if troubles:
        raise ValueError(
            f"{len(troubles)} of the {len(paths)} files in {str(folder)!r} cannot be read; "
            "repair them or leave them out:\n" + "\n".join(troubles)
        )
    return Bunch(
        clips=clips,
        target=np.array(frame["label"].tolist()),
        groups=np.array(frame[group].tolist()) if group else None,
        paths=paths,
        frame=frame,
    )


def _frequencies(name: str, value: npt.ArrayLike, sample_rate: float, zero: bool = False) -> np.ndarray:
    check_rate("sample_rate", sample_rate)
    frequency = np.atleast_1d(np.asarray(value, dtype=float))
    if frequency.ndim > 1 or not frequency.size:
        raise ValueError(f"{name} has shape {frequency.shape}; give one number or a list of them.")
    good = ((frequency >= 0) if zero else (frequency > 0)) & (frequency < sample_rate / 2)
    if not good.all():
        raise ValueError(
            f"{name}={frequency[~good][0]} must lie {'at or ' if zero else ''}above 0 and below half the sample rate, "
            f"{sample_rate / 2} Hz; lower it or raise sample_rate."
        )
    return frequency


def _time(duration_s: float, sample_rate: float) -> np.ndarray:
    if not 1 <= duration_s * sample_rate < np.inf:
        raise ValueError(f"duration_s={duration_s} at sample_rate={sample_rate} Hz is not one sample; make it longer.")
    return np.arange(round(duration_s * sample_rate)) / sample_rate


def _ramps(n_samples: int, ramp_s: float, sample_rate: float) -> np.ndarray:
    if not 0 <= 2 * ramp_s * sample_rate <= n_samples:
        raise ValueError(
            f"ramp_s={ramp_s} must lie between 0 and half the duration, {n_samples / sample_rate / 2} s; shorten it."
        )
    gain = np.ones(n_samples)
    n_ramp = int(ramp_s * sample_rate)
    ramp = np.sin(0.5 * np.pi * np.arange(n_ramp) / max(n_ramp, 1)) ** 2
    gain[:n_ramp] = ramp
    gain[n_samples - n_ramp :] = ramp[::-1]
    return gain


def _read_manifest(manifest: Path) -> pd.DataFrame:
    text = dict.fromkeys(("path", "label", "group", "speaker"), str)
    try:
        frame = pd.read_csv(manifest, dtype=text, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
    except ValueError as error:
        raise ValueError(f"{str(manifest)!r} is no table ({error}); save it as comma-separated UTF-8.") from error
    for name in ("path", "label"):
        if name not in frame:
            raise ValueError(f"{str(manifest)!r} has no column {name!r}, only {list(frame)}; add or rename one.")
    if frame.empty:
        raise ValueError(f"{str(manifest)!r} has no rows; add one for each recording.")
    for name in filter(None, ("path", "label", _group_column(frame))):
        if frame[name].isna().any():
            rows = (np.flatnonzero(frame[name].isna()) + 1).tolist()
            raise ValueError(
                f"{str(manifest)!r} has an empty cell in column {name!r}, row {rows} below the header; fill it, or "
                "remove the row."
            )
    return frame


def _group_column(frame: pd.DataFrame) -> str | None:
    return next((name for name in ("group", "speaker") if name in frame), None)


def _list_classes(folder: Path) -> pd.DataFrame:
    labels = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not labels:
        raise ValueError(
            f"{str(folder)!r} has neither a manifest.csv nor a sub-folder for each class; add one of them."
        )
    rows = []
    for label in labels:
        inside = (file.relative_to(folder) for file in (folder / label).rglob("*") if file.is_file())
        names = sorted(
            file.as_posix()
            for file in inside
            if file.suffix.lower() in sound_suffixes() and not any(part.startswith(".") for part in file.parts)
        )
        if not names:
            raise ValueError(
                f"{str(folder / label)!r} has no sound files ({', '.join(sound_suffixes())}); convert them, or move "
                "the sub-folder elsewhere."
            )
        rows += [(name, label) for name in names]
    return pd.DataFrame(rows, columns=["path", "label"])
