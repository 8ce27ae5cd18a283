"""Stimuli of psychoacoustics: tones, noises, modulated, and tones in them; `skaud.datasets` gives them to users."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len

from skaud import audio
from skaud.design.limits import check_number, check_numbers, check_size
from skaud.sound import (
    LOUDEST_DB,
    PASCALS_DB_SPL,
    Sound,
    check_level,
    check_rate,
    check_scale,
)
from skaud.sound.noise import RandomState, draw_seed, generator

_PERIODS = 16  # of its bandwidth, in the noise that a narrow-band noise is cut from
_LONGEST_CUT = 1 << 28  # samples of it, 2 GB
_LONGEST_SOUND = 1 << 32  # samples, a day at 44.1 kHz


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
    sample_rate = check_rate("sample_rate", sample_rate)
    frequency = _frequencies("frequency_hz", frequency_hz, sample_rate)
    time = _time("duration_s", duration_s, sample_rate)
    peak = _peak(check_level("db_spl", db_spl, -np.inf), rms_one_db_spl)
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
    sample_rate = check_rate("sample_rate", sample_rate)
    frequency = _frequencies("frequencies_hz", frequencies_hz, sample_rate)
    if np.unique(frequency).size < frequency.size:
        raise ValueError(
            f"frequencies_hz={frequencies_hz!r} has a frequency twice; give one tone with the sum's level."
        )
    levels, phases = check_numbers("levels_db", levels_db), check_numbers("phases_rad", phases_rad)
    for name, value in (("levels_db", levels), ("phases_rad", phases)):
        if value.ndim and value.shape != frequency.shape:
            raise ValueError(
                f"{name} has shape {value.shape}, frequencies_hz has {frequency.shape}; give one or one a tone."
            )
    if not (levels <= LOUDEST_DB).all() or not (levels > -LOUDEST_DB).any():
        raise ValueError(
            f"levels_db={levels_db!r:.80} must be numbers of dB up to {LOUDEST_DB:g}, of which one at least is above "
            f"-{LOUDEST_DB:g}; give levels relative to the strongest tone, and the level of the whole in db_spl."
        )
    if not np.isfinite(phases).all():
        raise ValueError(f"phases_rad={phases_rad!r:.80} must be finite numbers of radians; 0 is sine phase.")
    time = _time("duration_s", duration_s, sample_rate)
    amplitude = np.broadcast_to(10.0 ** (levels / 20), frequency.shape)
    amplitude = (
        amplitude / np.sqrt(np.sum(amplitude**2)) * _peak(check_level("db_spl", db_spl, -np.inf), rms_one_db_spl)
    )
    phase = 2 * np.pi * frequency[:, None] * time + phases.reshape(-1, 1)
    samples = amplitude @ np.sin(phase) * _ramps(time.size, ramp_s, sample_rate)
    return [Sound(samples, sample_rate, rms_one_db_spl)]


def make_am_noise(
    modulation_hz: npt.ArrayLike,
    depth: npt.ArrayLike = 1.0,
    duration_s: float = 0.5,
    sample_rate: float = 44100,
    db_spl: float = 60.0,
    rms_one_db_spl: float = PASCALS_DB_SPL,
    random_state: RandomState = None,
    *,
    band_hz: tuple[float, float] | None = None,
    ramp_s: float = 0.0,
) -> list[Sound]:
    """Make noise whose amplitude is modulated by a sine, one signal per modulation frequency.

    Parameters
    ----------
    modulation_hz : float or array-like of shape (n_signals,)
        Modulation frequencies in Hz, below half the sample rate; 0 for no modulation.
    depth : float or array-like of shape (n_signals,), default=1.0
        Modulation depth m from 0 to 1: the noise is multiplied by ``1 + m * sin(2 * pi * modulation_hz * t)``.
    duration_s : float, default=0.5
        Length in seconds, ramps included.
    sample_rate : float, default=44100
        Sample rate in Hz.
    db_spl : float, default=60.0
        Level in dB SPL of each whole signal, after modulation and before the ramps: modulation does not make it louder.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in the samples; 93.98 for pascals.
    random_state : int, RandomState instance or None, default=None
        Seed; each signal has its own noise.
    band_hz : (float, float), default=None
        Lowest and highest frequency in Hz of the noise before it is modulated; None is white noise.
    ramp_s : float, default=0.0
        Length in seconds of the raised-cosine ramps at both ends.

    Returns
    -------
    list of Sound
        A noise for each modulation frequency, or depth, float64.

    Raises
    ------
    ValueError
        If a modulation frequency does not lie between 0 and half the sample rate, a depth between 0 and 1, or the band
        between 0 and half the sample rate; or the ramps are longer than the sound.

    Examples
    --------
    >>> from skaud.datasets import make_am_noise
    >>> make_am_noise([4, 16], duration_s=1.0, random_state=0)
    [Sound(1 s, 44100 Hz, 60.0 dB SPL), Sound(1 s, 44100 Hz, 60.0 dB SPL)]

    Three intervals of a trial, the first modulated, of noise 31 Hz wide:

    >>> trial = make_am_noise(8, depth=[0.5, 0, 0], band_hz=(4984.5, 5015.5), ramp_s=0.05, random_state=0)
    """
    sample_rate = check_rate("sample_rate", sample_rate)
    modulation = _frequencies("modulation_hz", modulation_hz, sample_rate, zero=True)
    depths = np.atleast_1d(check_numbers("depth", depth))
    if not ((depths >= 0) & (depths <= 1)).all():
        raise ValueError(
            f"depth={depth!r} must lie between 0 and 1; for deeper modulation multiply the noise yourself."
        )
    modulation, depths = _one_each("modulation_hz", modulation, "depth", depths)
    time, seed = _time("duration_s", duration_s, sample_rate), draw_seed(random_state)
    level_db = check_level("db_spl", db_spl)
    randoms = [generator(seed, "am noise", i) for i in range(modulation.size)]
    if band_hz is None:
        noise = np.stack([random.standard_normal(time.size) for random in randoms])
    else:
        noise = np.stack([_band_noise(time.size, band_hz, sample_rate, random) for random in randoms])
    noise *= 1 + depths[:, None] * np.sin(2 * np.pi * modulation[:, None] * time)
    sounds = audio.set_level([Sound(own, sample_rate, rms_one_db_spl) for own in noise], level_db)
    gain = _ramps(time.size, ramp_s, sample_rate)
    return [Sound(sound.samples * gain, sample_rate, rms_one_db_spl) for sound in sounds]


def make_tone_in_noise(
    frequency_hz: npt.ArrayLike,
    tone_db_spl: npt.ArrayLike = 60.0,
    noise_db_spl: float = 60.0,
    band_hz: tuple[float, float] = (20.0, 5000.0),
    duration_s: float = 0.5,
    tone_s: float | None = None,
    sample_rate: float = 44100,
    rms_one_db_spl: float = PASCALS_DB_SPL,
    ramp_s: float = 0.01,
    random_state: RandomState = None,
) -> list[Sound]:
    """Make tones in noise, one signal per frequency or level.

    Parameters
    ----------
    frequency_hz : float or array-like of shape (n_signals,)
        Frequencies of the tones in Hz, below half the sample rate.
    tone_db_spl : float or array-like of shape (n_signals,), default=60.0
        Levels in dB SPL of the tones between their ramps; ``-numpy.inf`` is noise alone.
    noise_db_spl : float, default=60.0
        Level in dB SPL of the whole noise, between the ramps.
    band_hz : (float, float), default=(20.0, 5000.0)
        Lowest and highest frequency of the noise in Hz.
    duration_s : float, default=0.5
        Length of the noise in seconds, ramps included.
    tone_s : float, default=None
        Length of the tone, ramps included, in the middle of the noise; None is as long as the noise.
    sample_rate : float, default=44100
        Sample rate in Hz.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in the samples; 93.98 for pascals.
    ramp_s : float, default=0.01
        Length in seconds of the raised-cosine ramps at both ends of noise and tone.
    random_state : int, RandomState instance or None, default=None
        Seed; each signal has its own noise.

    Returns
    -------
    list of Sound
        Noise with a tone in sine phase for each frequency, or level, float64.

    Raises
    ------
    ValueError
        If a frequency, or the band, does not lie between 0 and half the sample rate, the tone is longer than the
        noise, or the ramps are longer than the tone.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud.datasets import make_tone_in_noise
    >>> make_tone_in_noise(2000, [75, -np.inf], noise_db_spl=65, random_state=0)
    [Sound(0.5 s, 44100 Hz, 75.3 dB SPL), Sound(0.5 s, 44100 Hz, 64.9 dB SPL)]
    """
    sample_rate = check_rate("sample_rate", sample_rate)
    frequency = _frequencies("frequency_hz", frequency_hz, sample_rate)
    levels_db = np.atleast_1d(check_numbers("tone_db_spl", tone_db_spl))
    if not (levels_db <= LOUDEST_DB).all():
        raise ValueError(
            f"tone_db_spl={tone_db_spl!r:.80} must be numbers of dB SPL up to {LOUDEST_DB:g}; -inf is noise without a "
            "tone."
        )
    frequency, levels_db = _one_each("frequency_hz", frequency, "tone_db_spl", levels_db)
    time, seed = _time("duration_s", duration_s, sample_rate), draw_seed(random_state)
    own = time if tone_s is None else _time("tone_s", tone_s, sample_rate)
    if own.size > time.size:
        raise ValueError(f"tone_s={tone_s} must not be longer than the noise, duration_s={duration_s}; shorten it.")
    masker_db = check_level("noise_db_spl", noise_db_spl)
    noise = [_band_noise(time.size, band_hz, sample_rate, generator(seed, "masker", i)) for i in range(frequency.size)]
    maskers = audio.set_level([Sound(one, sample_rate, rms_one_db_spl) for one in noise], masker_db)
    tones = (
        _peak(levels_db, rms_one_db_spl)[:, None]
        * np.sin(2 * np.pi * frequency[:, None] * own)
        * _ramps(own.size, ramp_s, sample_rate)
    )
    before = (time.size - own.size) // 2
    samples = np.stack([masker.samples for masker in maskers]) * _ramps(time.size, ramp_s, sample_rate)
    samples[:, before : before + own.size] += tones
    return [Sound(one, sample_rate, rms_one_db_spl) for one in samples]


def _frequencies(name: str, value: npt.ArrayLike, sample_rate: float, zero: bool = False) -> np.ndarray:
    frequency = np.atleast_1d(check_numbers(name, value))
    if frequency.ndim > 1 or not frequency.size:
        raise ValueError(f"{name} has shape {frequency.shape}; give one number or a list of them.")
    good = ((frequency >= 0) if zero else (frequency > 0)) & (frequency < sample_rate / 2)
    if not good.all():
        raise ValueError(
            f"{name}={frequency[~good][0]} must lie {'at or ' if zero else ''}above 0 and below half the sample rate, "
            f"{sample_rate / 2} Hz; lower it or raise sample_rate."
        )
    return frequency


def _time(name: str, seconds: float, sample_rate: float) -> np.ndarray:
    n_samples = check_number(name, seconds, "one number of s; call once a length") * sample_rate
    if n_samples < 1:
        raise ValueError(f"{name}={seconds} at sample_rate={sample_rate} Hz is not one sample; make it longer.")
    check_size(name, seconds, n_samples, _LONGEST_SOUND, "samples", "make it shorter: it is in s")
    return np.arange(round(n_samples)) / sample_rate


def _peak(level_db: Any, rms_one_db_spl: float) -> Any:
    """Of a sine of this level, in the units of the samples."""
    return np.sqrt(2) * 10.0 ** ((level_db - check_scale("rms_one_db_spl", rms_one_db_spl)) / 20)


def _ramps(n_samples: int, ramp_s: float, sample_rate: float) -> np.ndarray:
    ramp_s = check_number("ramp_s", ramp_s, "one number of s, 0 or more")
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


def _one_each(name: str, values: np.ndarray, other: str, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as long as the longer, where one of them is a single number."""
    if others.ndim > 1 or len({values.size, others.size} - {1}) > 1:
        raise ValueError(f"{other} has shape {others.shape}, {name} has {values.shape}; give one, or one a signal.")
    values, others = np.broadcast_arrays(values, others)
    return values, others


def _band_noise(
    n_samples: int, band_hz: tuple[float, float], sample_rate: float, random: np.random.Generator
) -> np.ndarray:
    """Gaussian noise with no component outside of the band, cut from a longer one, so that it is not periodic."""
    edges = check_numbers("band_hz", band_hz)
    if edges.shape != (2,) or not 0 <= edges[0] < edges[1] <= sample_rate / 2:
        raise ValueError(
            f"band_hz={band_hz!r} must be a lowest and a highest frequency, from 0 to half the sample rate, "
            f"{sample_rate / 2} Hz; give two numbers, or raise sample_rate."
        )
    to_cut = _PERIODS * sample_rate / float(edges[1] - edges[0])
    check_size("band_hz", band_hz, to_cut, _LONGEST_CUT, "samples of noise to cut from", "widen it")
    n_long = next_fast_len(max(n_samples, int(to_cut)), real=True)
    first, last = edges * n_long / sample_rate
    bins = np.arange(int(np.ceil(first)), int(np.floor(last)) + 1)
    spectrum = np.zeros(n_long // 2 + 1, dtype=complex)
    spectrum[bins] = random.standard_normal(bins.size) + 1j * random.standard_normal(bins.size)
    return irfft(spectrum, n_long)[:n_samples]
