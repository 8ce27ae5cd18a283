"""Sounds to try models on: tones, noises and synthetic vowels, made on the spot, and folders of recordings.

The `make_*` functions need no files and give the same sound for the same `random_state`. Tones and noises come as
``(n_signals, n_samples)`` float64, vowels and recordings as lists of clips of different lengths.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.signal import sosfilt
from sklearn.utils import Bunch

from skaud import audio
from skaud.audio import RandomState, draw_seed, generator

__all__ = ["VOWEL_TABLE", "load_folder", "make_am_noise", "make_tone", "make_tone_complex", "make_vowels"]

# Mean F0, F1, F2, F3 in Hz in heed, hid, head, had, hod, hawed, hood, who'd, hud, heard, spoken by 33 men, 28 women and
# 15 children: Peterson & Barney 1952, Table II. Labels as in the ARPABET.
VOWELS = ("iy", "ih", "eh", "ae", "aa", "ao", "uh", "uw", "ah", "er")
# fmt: off
VOWEL_TABLE: dict[str, dict[str, tuple[int, int, int, int]]] = {
    "man": dict(zip(VOWELS, [
        (136, 270, 2290, 3010), (135, 390, 1990, 2550), (130, 530, 1840, 2480), (127, 660, 1720, 2410),
        (124, 730, 1090, 2440), (129, 570, 840, 2410), (137, 440, 1020, 2240), (141, 300, 870, 2240),
        (130, 640, 1190, 2390), (133, 490, 1350, 1690),
    ])),
    "woman": dict(zip(VOWELS, [
        (235, 310, 2790, 3310), (232, 430, 2480, 3070), (223, 610, 2330, 2990), (210, 860, 2050, 2850),
        (212, 850, 1220, 2810), (216, 590, 920, 2710), (232, 470, 1160, 2680), (231, 370, 950, 2670),
        (221, 760, 1400, 2780), (218, 500, 1640, 1960),
    ])),
    "child": dict(zip(VOWELS, [
        (272, 370, 3200, 3730), (269, 530, 2730, 3600), (260, 690, 2610, 3570), (251, 1010, 2320, 3320),
        (256, 1030, 1370, 3170), (263, 680, 1060, 3180), (276, 560, 1410, 3310), (274, 430, 1170, 3260),
        (261, 850, 1590, 3360), (261, 560, 1820, 2160),
    ])),
}
# fmt: on

_SYNTHESIS_RATE = 22050  # Hz; a vowel is made at this rate, then resampled: a speaker is the same at every rate
_VOWEL_RAMP_S = 0.02
_SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")


def make_tone(
    frequency_hz: npt.ArrayLike,
    duration_s: float = 0.5,
    sample_rate: float = 22050,
    db_spl: float = 60.0,
    rms_one_db_spl: float = 107.0,
    ramp_s: float = 0.01,
) -> np.ndarray:
    """Make tones, one signal per frequency.

    Parameters
    ----------
    frequency_hz : float or array-like of shape (n_signals,)
        Frequencies in Hz, below half the sample rate.
    duration_s : float, default=0.5
        Length in seconds, ramps included.
    sample_rate : float, default=22050
        Sample rate in Hz.
    db_spl : float, default=60.0
        Level in dB SPL of the steady part between the ramps.
    rms_one_db_spl : float, default=107.0
        Level in dB SPL that an RMS of 1.0 stands for.
    ramp_s : float, default=0.01
        Length in seconds of the raised-cosine ramps at both ends.

    Returns
    -------
    ndarray of shape (n_signals, n_samples)
        Tones in sine phase, float64.

    Raises
    ------
    ValueError
        If a frequency does not lie between 0 and half the sample rate, or the ramps are longer than the tone.

    Examples
    --------
    >>> from skaud.datasets import make_tone
    >>> make_tone([500, 1000], duration_s=0.1, sample_rate=16000).shape
    (2, 1600)
    """
    frequency = _frequencies("frequency_hz", frequency_hz, sample_rate)
    time = _time(duration_s, sample_rate)
    peak = np.sqrt(2) * 10.0 ** ((db_spl - rms_one_db_spl) / 20)
    return peak * np.sin(2 * np.pi * frequency[:, None] * time) * _ramps(time.size, ramp_s, sample_rate)


def make_tone_complex(
    frequencies_hz: npt.ArrayLike,
    levels_db: npt.ArrayLike = 0.0,
    phases_rad: npt.ArrayLike = 0.0,
    duration_s: float = 0.5,
    sample_rate: float = 22050,
    db_spl: float = 60.0,
    rms_one_db_spl: float = 107.0,
    ramp_s: float = 0.01,
) -> np.ndarray:
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
    sample_rate : float, default=22050
        Sample rate in Hz.
    db_spl : float, default=60.0
        Level in dB SPL of the whole between the ramps: the powers of the tones add up to it.
    rms_one_db_spl : float, default=107.0
        Level in dB SPL that an RMS of 1.0 stands for.
    ramp_s : float, default=0.01
        Length in seconds of the raised-cosine ramps at both ends.

    Returns
    -------
    ndarray of shape (1, n_samples)
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
    >>> make_tone_complex(200 * harmonic, levels_db=-20 * np.log10(harmonic)).shape
    (1, 11025)
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
    return (amplitude @ np.sin(phase) * _ramps(time.size, ramp_s, sample_rate))[None]


def make_am_noise(
    modulation_hz: npt.ArrayLike,
    depth: float = 1.0,
    duration_s: float = 0.5,
    sample_rate: float = 22050,
    db_spl: float = 60.0,
    rms_one_db_spl: float = 107.0,
    random_state: RandomState = None,
) -> np.ndarray:
    """Make white noise whose amplitude is modulated by a sine, one signal per modulation frequency.

    Parameters
    ----------
    modulation_hz : float or array-like of shape (n_signals,)
        Modulation frequencies in Hz, below half the sample rate; 0 for no modulation.
    depth : float, default=1.0
        Modulation depth m from 0 to 1: the noise is multiplied by ``1 + m * sin(2 * pi * modulation_hz * t)``.
    duration_s : float, default=0.5
        Length in seconds.
    sample_rate : float, default=22050
        Sample rate in Hz.
    db_spl : float, default=60.0
        Level in dB SPL of each whole signal, after modulation.
    rms_one_db_spl : float, default=107.0
        Level in dB SPL that an RMS of 1.0 stands for.
    random_state : int, RandomState instance or None, default=None
        Seed; each signal has its own noise.

    Returns
    -------
    ndarray of shape (n_signals, n_samples)
        Modulated noises, float64.

    Raises
    ------
    ValueError
        If a modulation frequency does not lie between 0 and half the sample rate, or the depth between 0 and 1.

    Examples
    --------
    >>> from skaud.datasets import make_am_noise
    >>> make_am_noise([4, 16, 64], duration_s=1.0, sample_rate=16000, random_state=0).shape
    (3, 16000)
    """
    modulation = _frequencies("modulation_hz", modulation_hz, sample_rate, zero=True)
    if not 0 <= depth <= 1:
        raise ValueError(f"depth={depth} must lie between 0 and 1; for deeper modulation multiply the noise yourself.")
    time, seed = _time(duration_s, sample_rate), draw_seed(random_state)
    noise = np.stack([generator(seed, "am noise", i).standard_normal(time.size) for i in range(modulation.size)])
    noise *= 1 + depth * np.sin(2 * np.pi * modulation[:, None] * time)
    return audio.set_level(noise, db_spl, rms_one_db_spl)


def make_vowels(
    n_speakers: int = 12,
    noise_snr_db: float | None = None,
    random_state: RandomState = None,
    *,
    n_takes: int = 3,
    sample_rate: float = 22050,
    duration_s: tuple[float, float] = (0.25, 0.4),
    db_spl: float = 60.0,
    rms_one_db_spl: float = 107.0,
    return_X_y: bool = False,
) -> Any:
    """Make ten vowels spoken by men, women and children, with a source-filter synthesiser.

    Parameters
    ----------
    n_speakers : int, default=12
        Number of speakers: a man, a woman, a child, the next man and so on. More speakers leave the first ones as they
        are.
    noise_snr_db : float, optional
        Signal-to-noise ratio in dB of pink noise to add, see `skaud.audio.add_noise`; by default none.
    random_state : int, RandomState instance or None, default=None
        Seed; the same int gives the same clips.
    n_takes : int, default=3
        How often each speaker says each vowel.
    sample_rate : int, default=22050
        Sample rate in Hz, at least 8000.
    duration_s : (float, float), default=(0.25, 0.4)
        Shortest and longest clip in seconds.
    db_spl : float, default=60.0
        Level in dB SPL of each vowel, before noise is added.
    rms_one_db_spl : float, default=107.0
        Level in dB SPL that an RMS of 1.0 stands for.
    return_X_y : bool, default=False
        Return ``(clips, target)`` instead of a Bunch.

    Returns
    -------
    Bunch or (list of ndarray, ndarray)
        The Bunch holds, speaker by speaker, vowel by vowel, take by take:

        clips : list of ndarray of shape (n_samples,)
            Vowels of different lengths, float32.
        target : ndarray of shape (n_clips,)
            Vowels: iy, ih, eh, ae, aa, ao, uh, uw, ah and er as in heed, hid, head, had, hod, hawed, hood, who'd, hud
            and heard.
        groups : ndarray of shape (n_clips,)
            Speakers, such as man01, for `sklearn.model_selection.LeaveOneGroupOut`.
        sample_rate : int
            Sample rate in Hz; `sample_rates`, of shape (n_clips,), has it for each clip.
        f0_hz : ndarray of shape (n_clips,)
            Mean fundamental frequency of each clip in Hz.
        formants_hz : ndarray of shape (n_clips, 3)
            First three formant frequencies of each clip in Hz.
        target_names : list of str
            The ten vowels.
        DESCR : str
            What this is.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    The glottal flow is that of KLGLOTT88 [2]_, with an open quotient and a breathiness of the speaker's own, falling
    pitch, jitter and shimmer. It passes a one-pole tilt filter, a cascade of resonators [3]_ and a first difference for
    the radiation from the lips. Fundamental frequency and F1 to F3 are the means of Peterson and Barney [1]_ for men,
    women and children, times random factors: one of the speaker's vocal tract, one for each of the speaker's vowels and
    formants, one for each take, so that a speaker's formants scatter by about 6 % around the mean of the class. The
    higher formants are those of a uniform tube.

    References
    ----------
    .. [1] G. E. Peterson, H. L. Barney, "Control methods used in a study of the vowels", J. Acoust. Soc. Am. 24,
       175-184, 1952, Table II.
    .. [2] D. H. Klatt, L. C. Klatt, "Analysis, synthesis, and perception of voice quality variations among female and
       male talkers", J. Acoust. Soc. Am. 87, 820-857, 1990.
    .. [3] D. H. Klatt, "Software for a cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67, 971-995, 1980.

    Examples
    --------
    >>> from skaud.datasets import make_vowels
    >>> vowels = make_vowels(n_speakers=3, n_takes=1, random_state=0)
    >>> len(vowels.clips), str(vowels.target[0]), str(vowels.groups[0])
    (30, 'iy', 'man01')
    """
    for name, count in (("n_speakers", n_speakers), ("n_takes", n_takes)):
        if count != int(count) or count < 1:
            raise ValueError(f"{name}={count} must be a whole number of at least 1; ask for one or more.")
    if sample_rate % 1 or sample_rate < 8000:
        raise ValueError(f"sample_rate={sample_rate} must be a whole number of at least 8000 Hz; resample afterwards.")
    if np.shape(duration_s) != (2,) or not 2 * _VOWEL_RAMP_S < duration_s[0] <= duration_s[1] < np.inf:
        raise ValueError(
            f"duration_s={duration_s} must be the shortest and the longest duration, above {2 * _VOWEL_RAMP_S} s; "
            "give two numbers."
        )
    seed = draw_seed(random_state)
    clips, target, groups, f0_hz, formants_hz = [], [], [], [], []
    for i in range(int(n_speakers)):
        person = ("man", "woman", "child")[i % 3]
        speaker = _Speaker(person, generator(seed, "speaker", i))
        for j, vowel in enumerate(VOWELS):
            for take in range(int(n_takes)):
                clip, f0, formants = speaker.say(vowel, duration_s, generator(seed, "take", i, j, take))
                clip = audio.resample(clip, _SYNTHESIS_RATE, sample_rate)
                clips.append(audio.set_level(clip.astype(np.float32), db_spl, rms_one_db_spl))
                target.append(vowel)
                groups.append(f"{person}{i // 3 + 1:02d}")
                f0_hz.append(f0)
                formants_hz.append(formants)
    if noise_snr_db is not None:
        clips = audio.add_noise(clips, noise_snr_db, "pink", random_state=seed)
    if return_X_y:
        return clips, np.array(target)
    return Bunch(
        clips=clips,
        target=np.array(target),
        groups=np.array(groups),
        sample_rate=int(sample_rate),
        sample_rates=np.full(len(clips), int(sample_rate)),
        f0_hz=np.array(f0_hz),
        formants_hz=np.array(formants_hz),
        target_names=list(VOWELS),
        DESCR=f"{len(clips)} synthetic vowels of {n_speakers} speakers, formants after Peterson & Barney (1952).",
    )


def load_folder(path: str | os.PathLike[str], sample_rate: int | None = None, mono: bool = True) -> Bunch:
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
        Sample rate in Hz to resample all recordings to; by default each keeps its own.
    mono : bool, default=True
        Average the channels; otherwise files of several channels give clips of shape ``(n_ears, n_samples)``.

    Returns
    -------
    Bunch
        In the order of the manifest, or else sorted by path:

        clips : list of ndarray of shape (n_samples,) or (n_ears, n_samples)
            Recordings, float32, full scale being 1.0.
        target : ndarray of shape (n_clips,)
            Labels, as strings.
        groups : ndarray of shape (n_clips,) or None
            Groups, as strings.
        sample_rates : ndarray of shape (n_clips,)
            Sample rate of each clip in Hz.
        sample_rate : int or None
            The sample rate, where all clips have the same.
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
    >>> recordings.sample_rate
    8000
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"path={str(folder)!r}: there is no such folder; check the path (now in {os.getcwd()!r})."
        )
    manifest = folder / "manifest.csv"
    frame = _read_manifest(manifest) if manifest.is_file() else _list_classes(folder)
    group = _group_column(frame)
    clips, rates, troubles = [], [], []
    paths = [str(folder / name) for name in frame["path"]]
    for name in paths:
        try:
            clip, rate = audio.read(name, sample_rate, mono)
        except (ValueError, OSError) as error:
            troubles.append(str(error))
        else:
            clips.append(clip)
            rates.append(rate)
    if troubles:
        raise ValueError(
            f"{len(troubles)} of the {len(paths)} files in {str(folder)!r} cannot be read; "
            "repair them or leave them out:\n" + "\n".join(troubles)
        )
    return Bunch(
        clips=clips,
        target=np.array(frame["label"].tolist()),
        groups=np.array(frame[group].tolist()) if group else None,
        sample_rates=np.array(rates),
        sample_rate=rates[0] if len(set(rates)) == 1 else None,
        paths=paths,
        frame=frame,
    )


class _Speaker:
    """A larynx and a vocal tract.

    The spreads are round numbers; together the formants' come to 6 %, as in hod of ten of Peterson & Barney's men.
    """

    def __init__(self, person: str, random: np.random.Generator):
        size = _spread(random, 0.05)
        self.means = VOWEL_TABLE[person]
        self.formant_factor = dict(zip(VOWELS, size * _spread(random, 0.04, (len(VOWELS), 3))))
        self.f0_factor = _spread(random, 0.12)
        # Formants of a uniform tube lie at 1, 3, 5, ... times the lowest, 500 Hz for a man; others by their mean F3.
        f3_mean = {name: np.mean([row[3] for row in table.values()]) for name, table in VOWEL_TABLE.items()}
        self.tube_hz = 500 * size * f3_mean[person] / f3_mean["man"]
        self.open_quotient = random.uniform(0.5, 0.7)  # Klatt & Klatt 1990, from pressed to breathy
        self.tilt_corner_hz = random.uniform(1500, 3000)  # 7 to 3 dB less at 3 kHz
        self.aspiration = 10 ** (random.uniform(-39, -33) / 20) * (1 if person == "man" else 2)  # re voicing

    def say(
        self, vowel: str, duration_s: tuple[float, float], random: np.random.Generator
    ) -> tuple[np.ndarray, float, np.ndarray]:
        n_samples = round(random.uniform(*duration_s) * _SYNTHESIS_RATE)
        f0_hz = self.means[vowel][0] * self.f0_factor * _spread(random, 0.03)
        formants_hz = np.array(self.means[vowel][1:]) * self.formant_factor[vowel]
        formants_hz = np.sort(formants_hz * _spread(random, 0.02, 3))
        formants_hz[0] = max(formants_hz[0], f0_hz)  # a high voice takes F1 up with it

        flow = _glottal_flow(n_samples, f0_hz, self.open_quotient, random)
        decay = np.exp(-2 * np.pi * self.tilt_corner_hz / _SYNTHESIS_RATE)
        voicing = sosfilt([[1 - decay, 0, 0, 1, -decay, 0]], np.diff(flow, prepend=0))  # diff: radiation at the lips
        noise = flow * random.standard_normal(n_samples)  # strongest while the glottis is open
        source = voicing + noise * self.aspiration * np.linalg.norm(voicing) / np.linalg.norm(noise)

        higher = self.tube_hz * np.arange(7, 0.95 * _SYNTHESIS_RATE / 2 / self.tube_hz, 2)
        higher[0] = max(higher[0], 1.1 * formants_hz[2])
        clip = sosfilt(_resonators(np.append(formants_hz, higher), f0_hz), source)
        return clip * _ramps(n_samples, _VOWEL_RAMP_S, _SYNTHESIS_RATE), f0_hz, formants_hz


def _spread(random: np.random.Generator, deviation: float, shape: Any = ()) -> Any:
    """Draw factors around 1, log-normal and no further out than two standard deviations."""
    return np.exp(deviation * np.clip(random.standard_normal(shape), -2, 2))


def _glottal_flow(n_samples: int, f0_hz: float, open_quotient: float, random: np.random.Generator) -> np.ndarray:
    """Flow through the glottis, its mean over each sample: averaging the exact pulse keeps aliasing low."""
    n_heard = f0_hz * n_samples / _SYNTHESIS_RATE
    n_cycles = int(1.2 * n_heard) + 2
    fall = 1.1 - 0.2 * np.minimum(np.arange(n_cycles) / n_heard, 1)  # the pitch falls by a fifth
    jitter, shimmer = random.standard_normal((2, n_cycles))
    period_s = (1 + 0.005 * jitter) / (f0_hz * fall)
    amplitude = 1 + 0.03 * shimmer
    start_s = np.append(0, np.cumsum(period_s)[:-1])
    # KLGLOTT88: flow 27/4 (u^2 - u^3) while the glottis is open, u from 0 to 1; its integral over a cycle is 27/48.
    volume_before = np.append(0, np.cumsum(27 / 48 * amplitude * open_quotient * period_s)[:-1])

    time = np.arange(n_samples + 1) / _SYNTHESIS_RATE
    cycle = np.searchsorted(start_s, time, side="right") - 1
    u = np.minimum((time - start_s[cycle]) / (open_quotient * period_s[cycle]), 1)
    opened = 27 / 4 * (u**3 / 3 - u**4 / 4) * amplitude[cycle] * open_quotient * period_s[cycle]
    return np.diff(volume_before[cycle] + opened) * _SYNTHESIS_RATE


def _resonators(formants_hz: np.ndarray, f0_hz: float) -> np.ndarray:
    """Second-order sections of a cascade of formants, each with unit gain at 0 Hz (Klatt 1980, eqs. 1 and 2)."""
    bandwidths_hz = np.full(formants_hz.size, 500.0)
    bandwidths_hz[:5] = 60, 90, 150, 200, 200  # with the 500: defaults of KLSYN88, Klatt & Klatt 1990
    bandwidths_hz *= 1 + 0.25 * (f0_hz - 132) / 88  # Hawks & Miller 1995: wider in higher voices
    radius = np.exp(-np.pi * bandwidths_hz / _SYNTHESIS_RATE)
    b = 2 * radius * np.cos(2 * np.pi * formants_hz / _SYNTHESIS_RATE)
    c = -(radius**2)
    zero, one = np.zeros_like(b), np.ones_like(b)
    return np.stack([1 - b - c, zero, zero, one, -b, -c], axis=1)


def _frequencies(name: str, value: npt.ArrayLike, sample_rate: float, zero: bool = False) -> np.ndarray:
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
            if file.suffix.lower() in _SOUND_SUFFIXES and not any(part.startswith(".") for part in file.parts)
        )
        if not names:
            raise ValueError(
                f"{str(folder / label)!r} has no sound files ({', '.join(_SOUND_SUFFIXES)}); convert them, or move the "
                "sub-folder elsewhere."
            )
        rows += [(name, label) for name in names]
    return pd.DataFrame(rows, columns=["path", "label"])
