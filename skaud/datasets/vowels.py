"""Vowels, synthesised from a glottal source and a cascade of formants; `skaud.datasets` gives them to users."""

from typing import Any

import numpy as np
from scipy.signal import sosfilt
from sklearn.utils import Bunch

from skaud import audio
from skaud.design.limits import check_count, check_number, check_numbers
from skaud.sound import (
    PASCALS_DB_SPL,
    Sound,
    check_level,
    check_rate,
    check_scale,
)
from skaud.sound.noise import RandomState, draw_seed, generator

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
_RAMP_S = 0.02  # raised cosine at both ends


def make_vowels(
    n_speakers: int = 12,
    noise_snr_db: float | None = None,
    random_state: RandomState = None,
    *,
    n_takes: int = 3,
    sample_rate: float = 22050,
    duration_s: tuple[float, float] = (0.25, 0.4),
    db_spl: float = 60.0,
    rms_one_db_spl: float = PASCALS_DB_SPL,
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
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in the samples; 93.98 for pascals.
    return_X_y : bool, default=False
        Return ``(clips, target)`` instead of a Bunch.

    Returns
    -------
    Bunch or (list of Sound, ndarray)
        The Bunch holds, speaker by speaker, vowel by vowel, take by take:

        clips : list of Sound
            Vowels of different lengths, float32.
        target : ndarray of shape (n_clips,)
            Vowels: iy, ih, eh, ae, aa, ao, uh, uw, ah and er as in heed, hid, head, had, hod, hawed, hood, who'd, hud
            and heard.
        groups : ndarray of shape (n_clips,)
            Speakers, such as man01, for `sklearn.model_selection.LeaveOneGroupOut`.
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
        check_count(name, count, 1)
    if check_rate("sample_rate", sample_rate) % 1 or sample_rate < 8000:
        raise ValueError(f"sample_rate={sample_rate} must be a whole number of at least 8000 Hz; resample afterwards.")
    if (
        check_numbers("duration_s", duration_s).shape != (2,)
        or not 2 * _RAMP_S < duration_s[0] <= duration_s[1] < np.inf
    ):
        raise ValueError(
            f"duration_s={duration_s!r:.80} must be the shortest and the longest duration, above {2 * _RAMP_S} s; "
            "give two numbers."
        )
    check_level("db_spl", db_spl)
    check_scale("rms_one_db_spl", rms_one_db_spl)
    if noise_snr_db is not None:
        check_number("noise_snr_db", noise_snr_db, "a number of dB, or None or inf for no noise", highest=np.inf)
    seed = draw_seed(random_state)
    clips, target, groups, f0_hz, formants_hz = [], [], [], [], []
    for i in range(int(n_speakers)):
        person = ("man", "woman", "child")[i % 3]
        speaker = _Speaker(person, generator(seed, "speaker", i))
        for j, vowel in enumerate(VOWELS):
            for take in range(int(n_takes)):
                clip, f0, formants = speaker.say(vowel, duration_s, generator(seed, "take", i, j, take))
                clip = audio.resample(clip, sample_rate, sample_rate=_SYNTHESIS_RATE).astype(np.float32)
                clips.append(audio.set_level(Sound(clip, sample_rate, rms_one_db_spl), db_spl))
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
        f0_hz=np.array(f0_hz),
        formants_hz=np.array(formants_hz),
        target_names=list(VOWELS),
        DESCR=f"{len(clips)} synthetic vowels of {int(n_speakers)} speakers, formants after Peterson & Barney (1952).",
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
        n_ramp, sample = int(_RAMP_S * _SYNTHESIS_RATE), np.arange(n_samples)
        gain = np.sin(0.5 * np.pi * np.minimum(np.minimum(sample, sample[::-1]), n_ramp) / n_ramp) ** 2
        return clip * gain, f0_hz, formants_hz


def _spread(random: np.random.Generator, deviation: float, shape: int | tuple[int, ...] = ()) -> Any:
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
