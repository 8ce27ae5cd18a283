"""Sounds to try models on: tones, noises and synthetic vowels, made on the spot, and folders of recordings.

The `make_*` functions need no files and give the same sound for the same `random_state`. All sounds are lists of
`skaud.Sound`, which know their rate and level: a model of any rate hears the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skaud import audio
from skaud.datasets.stimuli import make_am_noise, make_tone, make_tone_complex, make_tone_in_noise
from skaud.datasets.vowels import VOWEL_TABLE, make_vowels
from skaud.sound import PASCALS_DB_SPL, check_rate, check_scale
from skaud.sound.files import leaves_folder, sound_suffixes

__all__ = [
    "VOWEL_TABLE",
    "load_folder",
    "make_am_noise",
    "make_tone",
    "make_tone_complex",
    "make_tone_in_noise",
    "make_vowels",
]


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
    TypeError
        If `path` is no path.
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
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path={path!r:.80} must be text or a path; give that of a folder.")
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"path={str(folder)!r}: there is no such folder; check the path (now in {os.getcwd()!r})."
        )
    if sample_rate is not None:
        check_rate("sample_rate", sample_rate)
    check_scale("rms_one_db_spl", rms_one_db_spl)
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
