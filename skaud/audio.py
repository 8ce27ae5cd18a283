"""Read, resample, set the level of, and add noise to sounds.

A sound is a `skaud.Sound`, which knows its rate and its level, or an array whose last axis is time: ``(n_samples,)``,
or ``(n_ears, n_samples)``. Functions take one or a list of them, also a column of a data frame, or audio of Hugging
Face's datasets, and return Sounds where they were given rates, or arrays. The samples of an array are pressure, in
units in which an RMS of 1.0 stands for `rms_one_db_spl` dB SPL: in pascals, unless said otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._warnings import warn_caller
from skaud.design.limits import real
from skaud.sound import (
    MOST_EARS,
    PASCALS_DB_SPL,
    Sound,
    check_ears,
    check_rate,
    check_samples,
    check_scale,
    level_db,
    rms,
    sound_of_own,
)
from skaud.sound.clips import Clip, as_list, take_apart
from skaud.sound.noise import RandomState, check_color, colored_noise, draw_seed, generator
from skaud.sound.refused import refuse_masked
from skaud.sound.resampling import resample_array

__all__ = [
    "add_noise",
    "ear",
    "from_pcm",
    "make_noise",
    "read",
    "resample",
    "rms_db_spl",
    "set_level",
    "to_mono",
]

Axis = int | tuple[int, ...] | None
Clips = Any  # samples or a Sound, or several of them in a list or a column: what comes back has the same form
Files = Any  # a path or an open file, or several of them in a list

_LONGEST_NOISE = 1 << 40  # samples, more than a memory holds
_CANCELLED_DB = 20.0  # by how much a mean of ears lies below them where they cancel


def read(
    path: Files,
    sample_rate: float | None = None,
    mono: bool = False,
    dtype: npt.DTypeLike = "float32",
    rms_one_db_spl: float = PASCALS_DB_SPL,
) -> Clips:
    """Read sound files, full scale being 1.0.

    Parameters
    ----------
    path : str, path-like or file object, or list of these
        Files in a format that libsndfile reads: wav, flac, ogg, mp3, aiff and others.
    sample_rate : int, optional
        Sample rate in Hz to resample to; by default the file's own.
    mono : bool, default=False
        Average the channels, as `to_mono` does, also those of a file that has fewer samples than channels.
    dtype : {"float32", "float64"}, default="float32"
        Type of the samples. Integer files are scaled by their type's range, as `from_pcm` does.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that a recording with an RMS of 1.0 had; no file says it. `set_level` is for recordings of
        which it is not known.

    Returns
    -------
    Sound or list of Sound
        With one axis where the file has one channel or with ``mono=True``, otherwise with one row a channel.
        ``samples, sample_rate = read(path)`` takes it apart.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError
        If `path` is neither a path nor a file object.
    ValueError
        If it holds no samples, or samples that are not finite, or is no file, or libsndfile cannot read it; the message
        has the path and libsndfile's words.

    Warns
    -----
    UserWarning
        If the file was cut and its container tells: it announces more samples than it has.

    Examples
    --------
    >>> import os, tempfile, numpy as np, soundfile
    >>> from skaud import audio
    >>> path = os.path.join(tempfile.mkdtemp(), "two_ears.wav")
    >>> soundfile.write(path, np.full((1600, 2), 0.02), 16000)
    >>> audio.read(path, sample_rate=8000)
    Sound(0.1 s, 2 ears, 8000 Hz, 60.0/60.0 dB SPL)
    """
    dtype = _float_type(dtype)
    scale = check_scale("rms_one_db_spl", rms_one_db_spl)
    if sample_rate is not None and check_rate("sample_rate", sample_rate) % 1:
        raise ValueError(f"sample_rate={sample_rate} must be a whole number of Hz; round it, or resample later.")
    if not isinstance(mono, (bool, np.bool_)):
        raise ValueError(f"mono={mono!r} must be True or False.")
    paths = _several(path, "path")
    if paths is not None:
        return [_read(each, f"path[{i}]", sample_rate, bool(mono), dtype, scale) for i, each in enumerate(paths)]
    return _read(path, "path", sample_rate, bool(mono), dtype, scale)


def _read(path: Files, parameter: str, sample_rate: float | None, mono: bool, dtype: np.dtype, scale: float) -> Sound:
    from skaud.sound.files import read_frames

    if not (isinstance(path, (str, bytes, os.PathLike)) or hasattr(path, "read")):
        raise TypeError(f"{parameter}={path!r} is no path; pass a path, an open binary file, or a list of these.")
    name = str(getattr(path, "name", path)) if hasattr(path, "read") else os.fsdecode(path)
    frames, file_rate, missing = read_frames(path, dtype.name)
    if missing:
        warn_caller(f"path={name!r}: {missing}. Copy it anew, or leave it out.")
    n_samples, n_channels = frames.shape
    if n_channels > MOST_EARS:
        raise ValueError(
            f"path={name!r} has {n_channels} channels, more than {MOST_EARS} ears; write those that are meant to "
            "a file of their own."
        )
    if n_channels > n_samples and not mono:
        raise ValueError(
            f"path={name!r} has {n_channels} channels of {n_samples} samples, which no ears hear; average them with "
            "mono=True, or leave it out."
        )
    samples = frames[:, 0] if n_channels == 1 else frames.T
    if mono and n_channels > 1:
        samples = _mean_of_ears(samples, f"path={name!r}")
    try:
        sound = Sound(samples, file_rate, scale)
        return sound if sample_rate is None else resample(sound, sample_rate)
    except ValueError as error:
        raise ValueError(f"path={name!r}: {error}") from error


def resample(x: Clips, new_sample_rate: float, *, sample_rate: float | None = None) -> Clips:
    """Change the sample rate along the last axis, without delay.

    Parameters
    ----------
    x : Sound, or array of shape (n_samples,) or (n_ears, n_samples), or list of these
        Sound, float32 or float64.
    new_sample_rate : float
        Sample rate in Hz of what is returned.
    sample_rate : float, optional
        Sample rate in Hz of arrays; a Sound knows its own.

    Returns
    -------
    Sound or ndarray, or list of these
        As `x`; ``n_new_samples = floor(n_samples * new_sample_rate / sample_rate + 0.5)``. Where the rates are equal,
        the same samples.

    Raises
    ------
    TypeError
        If `x` holds anything but float32 or float64.
    ValueError
        If `x` is empty, not finite, or too short to give one sample; if a rate cannot be meant, or that of an array is
        not given.

    Notes
    -----
    By soxr, linear-phase, quality "VHQ". Up to 0.91 of the lower Nyquist frequency a tone's level changes by less than
    0.01 dB; in the lower half of that band the error is below -100 dB. What lies above the new one is removed.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import Sound, audio
    >>> audio.resample(Sound(np.full((2, 441), 0.02), 44100), 16000)
    Sound(0.01 s, 2 ears, 16000 Hz, 60.0/60.0 dB SPL)
    >>> audio.resample(np.ones(441), 16000, sample_rate=44100).shape
    (160,)
    """
    new_rate = check_rate("new_sample_rate", new_sample_rate)
    told = None if sample_rate is None else check_rate("sample_rate", sample_rate)

    def resampled(clip: Clip, samples: np.ndarray, name: str) -> tuple[np.ndarray, float]:
        if clip.sample_rate is not None and told not in (None, clip.sample_rate):
            raise ValueError(f"{name} is at {clip.sample_rate:g} Hz and sample_rate={sample_rate}; leave it out.")
        rate = told if clip.sample_rate is None else clip.sample_rate
        if rate is None:
            raise ValueError(f"{name} is an array, whose rate is not known; pass sample_rate, or a skaud.Sound.")
        return resample_array(samples, rate, new_rate, name), new_rate

    return _apply(x, resampled)


def to_mono(x: Clips) -> Clips:
    """Average the ears.

    Parameters
    ----------
    x : Sound, or array of shape (n_samples,) or (n_ears, n_samples), or list of these
        Sound, float32 or float64.

    Returns
    -------
    Sound or ndarray, or list of these
        As `x`, of shape (n_samples,).

    Warns
    -----
    UserWarning
        If the mean lies more than 20 dB below the ears, which cancel each other.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> audio.to_mono(np.array([[1.0, 0.0, 0.5], [0.0, 0.0, 0.5]]))
    array([0.5, 0. , 0.5])
    """

    def averaged(clip: Clip, samples: np.ndarray, name: str) -> tuple[np.ndarray, float | None]:
        return (samples if samples.ndim == 1 else _mean_of_ears(samples, name)), clip.sample_rate

    return _apply(x, averaged)


def _mean_of_ears(samples: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        mean = _representable(samples.mean(axis=-2), samples.dtype, name, "its ears averaged")
    loss_db = level_db(samples, 0.0, axis=None) - level_db(mean, 0.0, axis=None)
    if np.isfinite(level_db(samples, 0.0, axis=None)) and loss_db > _CANCELLED_DB:
        warn_caller(
            f"{name}: the mean of its ears lies {loss_db:.0f} dB below them, which cancel each other; take one "
            "with skaud.audio.ear, or turn the sign of one."
        )
    return mean


def ear(x: Clips, which: int | str) -> Clips:
    """One ear.

    Parameters
    ----------
    x : Sound, or array of shape (n_ears, n_samples), or list of these
        Sound, float32 or float64.
    which : int, or {"left", "right"}
        Its number from 0; left is 0 and right is 1, of two.

    Returns
    -------
    Sound or ndarray, or list of these
        As `x`, of shape (n_samples,).

    Raises
    ------
    ValueError
        If there is no such ear.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> audio.ear(np.array([[1.0, 2.0], [3.0, 4.0]]), "right")
    array([3., 4.])
    """
    is_side = isinstance(which, str) and which in ("left", "right")
    if not is_side and not (0 <= real(which) < MOST_EARS and real(which) % 1 == 0):
        raise ValueError(f"which={which!r} must be a number from 0, or 'left' or 'right'.")

    def chosen(clip: Clip, samples: np.ndarray, name: str) -> tuple[np.ndarray, float | None]:
        n_ears = samples.shape[-2] if samples.ndim > 1 else 0
        number = ("left", "right").index(str(which)) if is_side else int(real(which))
        if number >= n_ears or (is_side and n_ears != 2):
            raise ValueError(f"{name} has shape {samples.shape}, {n_ears} ears: which={which!r} is not among them.")
        return np.ascontiguousarray(samples[..., number, :]), clip.sample_rate

    return _apply(x, chosen)


def from_pcm(x: npt.ArrayLike, dtype: npt.DTypeLike = "float32") -> np.ndarray:
    """Scale integer samples by their type's range, so that full scale is 1.0.

    Parameters
    ----------
    x : array-like of integers
        Samples as a sound card or `scipy.io.wavfile.read` gives them. Signed types have silence at 0, unsigned ones
        (8-bit wav files) in the middle of their range. 24-bit samples must lie in the upper bytes of int32. Of lists
        and columns of data frames, whose integers are of 64 bits, say the type, ``numpy.asarray(x, "int16")``.
    dtype : {"float32", "float64"}, default="float32"
        Type of the result.

    Returns
    -------
    ndarray of the shape of `x`
        Samples from -1.0 to just below 1.0.

    Raises
    ------
    TypeError
        If `x` holds floating-point numbers or booleans, which have no range to scale by.
    ValueError
        If `x` holds integers of 64 bits of which 32 would do, also where all are 0: no recording has them.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> audio.from_pcm(np.array([-32768, 0, 16384], dtype="int16"))
    array([-1. ,  0. ,  0.5], dtype=float32)
    >>> audio.from_pcm(np.array([0, 128, 192], dtype="uint8"))
    array([-1. ,  0. ,  0.5], dtype=float32)
    """
    dtype = _float_type(dtype)
    refuse_masked(x, "x")
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"x holds arrays of different lengths ({error}); scale them one by one.") from error
    if x.dtype.kind not in "iu":
        raise TypeError(
            f"x holds {x.dtype}, from_pcm takes integers; use floating-point samples as they are, or set_level on them."
        )
    if x.dtype.itemsize == 8 and (not x.size or (x.min() >= -(2**31) and x.max() < 2**32)):
        raise ValueError(
            f"x holds {x.dtype} that 32 bits would hold, as Python's integers become: the range of its samples is not "
            "known. Say what they were recorded in, such as numpy.asarray(x, 'int16'); 24-bit ones are shifted, "
            "numpy.asarray(x, 'int32') << 8."
        )
    half_range = 2.0 ** (8 * x.dtype.itemsize - 1)
    silence = half_range if x.dtype.kind == "u" else 0.0
    return ((x.astype(np.float64) - silence) / half_range).astype(dtype)


def rms_db_spl(x: Clips, rms_one_db_spl: float = PASCALS_DB_SPL, axis: Axis = -1) -> Clips:
    """Level of a sound in dB SPL, from its RMS.

    Parameters
    ----------
    x : Sound, or array of shape (n_samples,) or (n_ears, n_samples), or list of these
        Sound, float32 or float64.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in arrays, 93.98 for pascals; a Sound knows its own. The program
        of CARFAC takes 107 [1]_, that of Osses 2021 takes 100 [2]_.
    axis : int, tuple of int or None, default=-1
        Axes that the mean is taken over; None for all of them.

    Returns
    -------
    float or ndarray, or list of these
        Level in dB SPL, float64, a number an ear; -inf for silence.

    Raises
    ------
    TypeError
        If `x` holds anything but float32 or float64.
    ValueError
        If `x` is empty or not finite.

    References
    ----------
    .. [1] R. F. Lyon et al., "The CARFAC v2 cochlear model in MATLAB, NumPy, and JAX", arXiv:2404.17490, 2024.
    .. [2] A. Osses Vecchi, A. Kohlrausch, "Perceptual similarity between piano notes: Simulations with a
       template-based perception model", J. Acoust. Soc. Am. 149, 3534-3552, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> round(audio.rms_db_spl(np.full(100, 0.02)), 1)
    60.0
    """
    scale = check_scale("rms_one_db_spl", rms_one_db_spl)

    def level(clip: Clip, samples: np.ndarray, name: str) -> Any:
        return level_db(samples, _scale(clip, scale, name), axis)

    return _each(x, level)


def set_level(x: Clips, db_spl: float, rms_one_db_spl: float = PASCALS_DB_SPL, axis: Axis = None) -> Clips:
    """Scale a sound to a level in dB SPL, its ears together.

    Parameters
    ----------
    x : Sound, or array of shape (n_samples,) or (n_ears, n_samples), or list of these
        Sound, float32 or float64. A two-dimensional array is one clip with a row an ear; for one clip a row give
        ``list(x)``.
    db_spl : float
        Level in dB SPL.
    rms_one_db_spl : float, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in arrays, 93.98 for pascals; a Sound knows its own.
    axis : int, tuple of int or None, default=None
        Axes that the level is taken over. By default one gain brings the RMS over all samples and ears of a clip to
        the level, and level differences between ears stay; -1 gives each ear the level by itself.

    Returns
    -------
    Sound or ndarray, or list of these
        A scaled copy, of the shape and type of `x`.

    Raises
    ------
    TypeError
        If `x` holds anything but float32 or float64.
    ValueError
        If `x` is empty, not finite or silent, or of more than two axes without `axis`; if `db_spl` is not one finite
        number.

    Warns
    -----
    UserWarning
        If an array has more than two rows, and `axis` does not say what these are.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import Sound, audio
    >>> left = np.sin(np.arange(16000.0))
    >>> audio.set_level(Sound(left, 16000), 60)
    Sound(1 s, 16000 Hz, 60.0 dB SPL)
    >>> audio.set_level(Sound(np.stack([left, left / 2]), 16000), 60)
    Sound(1 s, 2 ears, 16000 Hz, 62.0/56.0 dB SPL)
    """
    scale = check_scale("rms_one_db_spl", rms_one_db_spl)
    level = real(db_spl)
    if not np.isfinite(level):
        raise ValueError(f"db_spl={db_spl!r} must be one finite number; for silence use numpy.zeros_like.")

    def at_level(clip: Clip, samples: np.ndarray, name: str) -> tuple[np.ndarray, float | None]:
        if axis is None:
            _check_rows(clip, samples, name)
        rms_now = rms(samples, axis, keepdims=True)
        if not rms_now.all():
            raise ValueError(f"{name} is silent, no gain brings it to db_spl={level:g}; leave silent sounds out.")
        with np.errstate(over="ignore", invalid="ignore"):  # found below
            scaled = samples * (_ratio(level - _scale(clip, scale, name)) / rms_now)
        return _representable(scaled, samples.dtype, name, f"db_spl={level:g}"), clip.sample_rate

    return _apply(x, at_level, scale)


def _check_rows(clip: Clip, samples: np.ndarray, name: str) -> None:
    """Rows of an array are ears, and scaled together; where they may well be clips, it is said."""
    _check_one_clip(samples, name)
    if samples.ndim == 2 and clip.sample_rate is None and len(samples) > 2:
        warn_caller(
            f"{name} has {len(samples)} rows, taken for the ears of one clip, which one gain scales; for a clip a row "
            f"pass list({name}), for ears axis=(-2, -1)."
        )


def make_noise(
    n_samples: int, color: str = "pink", random_state: RandomState = None, dtype: npt.DTypeLike = "float64"
) -> np.ndarray:
    """Make Gaussian noise with an RMS of 1.

    Parameters
    ----------
    n_samples : int
        Length, at least 2.
    color : {"white", "pink", "brown"}, default="pink"
        Power density equal at all frequencies, or falling by 3 or 6 dB an octave up to half the sample rate.
    random_state : int, RandomState instance or None, default=None
        Seed; the same int gives the same noise.
    dtype : {"float32", "float64"}, default="float64"
        Type of the result.

    Returns
    -------
    ndarray of shape (n_samples,)
        Noise, without an offset where it is coloured.

    Raises
    ------
    ValueError
        If `n_samples` is below 2 or `color` unknown.

    Examples
    --------
    >>> from skaud import audio
    >>> audio.make_noise(16000, "pink", random_state=0).shape
    (16000,)
    """
    dtype = _float_type(dtype)
    n = real(n_samples)
    if not 2 <= n < _LONGEST_NOISE or n % 1:
        raise ValueError(f"n_samples={n_samples!r} must be a whole number of at least 2; ask for a longer noise.")
    color = check_color(color)
    return colored_noise(generator(draw_seed(random_state), "noise"), int(n), color).astype(dtype)


def add_noise(x: Clips, snr_db: float, color: str = "pink", random_state: RandomState = None) -> Clips:
    """Add noise at a signal-to-noise ratio.

    Parameters
    ----------
    x : Sound, or array of shape (n_samples,) or (n_ears, n_samples), or list of these
        One clip, or several of any lengths, float32 or float64. A two-dimensional array is one clip with a row an ear;
        for one clip a row give ``list(x)``.
    snr_db : float
        RMS of the clip over RMS of the noise in dB, over all of the clip's samples and ears; inf for no noise.
    color : {"white", "pink", "brown"}, default="pink"
        As for `make_noise`. Each ear hears its own noise, all at the same level.
    random_state : int, RandomState instance or None, default=None
        Seed. The noise of clip i of a list depends on the seed and on i, not on the other clips.

    Returns
    -------
    Sound or ndarray, or list of these
        Copies with noise, each of the shape and type of its clip.

    Raises
    ------
    TypeError
        If a clip holds anything but float32 or float64.
    ValueError
        If a clip is empty, silent, not finite, of more than two axes, or of one sample where the noise is coloured; if
        `snr_db` is no number, NaN or -inf, or `color` unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> [len(noisy) for noisy in audio.add_noise([np.ones(300), np.ones(500)], snr_db=10, random_state=0)]
    [300, 500]
    """
    seed, color, ratio_db = draw_seed(random_state), check_color(color), real(snr_db)
    if not ratio_db > -np.inf:
        raise ValueError(f"snr_db={snr_db!r} must be a number of dB or inf; for noise alone use make_noise.")
    numbers = iter(range(2**31))

    def noisy(clip: Clip, samples: np.ndarray, name: str) -> tuple[np.ndarray, float | None]:
        random = generator(seed, "added noise", next(numbers))
        _check_one_clip(samples, name)
        if ratio_db == np.inf:
            return samples.copy(), clip.sample_rate
        n_samples, rms_now = samples.shape[-1], rms(samples, None)
        if not rms_now:
            raise ValueError(f"{name} is silent, no noise lies snr_db={ratio_db:g} below it; leave silent clips out.")
        if n_samples < 2 and color != "white":
            raise ValueError(f"{name} has 1 sample, {color} noise has at least 2; leave it out, or take color='white'.")
        noise = np.stack([colored_noise(random, n_samples, color) for _ in range(samples.size // n_samples)])
        with np.errstate(over="ignore", invalid="ignore"):  # found below
            sum_ = samples + noise.reshape(samples.shape) * (rms_now * _ratio(-ratio_db))
        return _representable(sum_, samples.dtype, name, f"snr_db={ratio_db:g}"), clip.sample_rate

    return _apply(x, noisy)


def _check_one_clip(samples: np.ndarray, name: str) -> None:
    if samples.ndim > 2:
        raise ValueError(
            f"{name} has shape {samples.shape}, not (n_samples,) or (n_ears, n_samples); give list({name})."
        )


# --- one sound or several ---


def _each(x: Clips, function: Callable[[Clip, np.ndarray, str], Any]) -> Clips:
    """The function's result for a clip, its checked samples and its name in errors; a list of them for several."""
    clips = _several(x, "x")
    if clips is None:
        return _one(x, "x", function)
    return [_one(clip, f"x[{i}]", function) for i, clip in enumerate(clips)]


def _several(x: Any, name: str) -> list[object] | None:
    """What is in a list or a column; None where x is no such thing."""
    if isinstance(x, Iterator) and not hasattr(x, "read"):
        raise TypeError(f"{name} is a {type(x).__name__}, which gives its items only once; pass list({name}).")
    return as_list(x)[0]


def _one(x: Clips, name: str, function: Callable[[Clip, np.ndarray, str], Any]) -> Clips:
    clip = take_apart(x, name)
    samples = check_samples(clip.samples, name)
    check_ears(name, samples.shape if samples.ndim < 3 else samples.shape[-2:])
    return function(clip, samples, name)


def _apply(
    x: Clips,
    function: Callable[[Clip, np.ndarray, str], tuple[np.ndarray, float | None]],
    scale: float = PASCALS_DB_SPL,
) -> Clips:
    """Sounds, or arrays where no rate is known, from what the function returns: samples, and their rate.

    scale is the level in dB SPL of an RMS of 1.0 in clips that know their rate and not their level.
    """

    def sound(clip: Clip, samples: np.ndarray, name: str) -> Any:
        changed, rate = function(clip, samples, name)
        if clip.sample_rate is None or rate is None:  # whoever works in place on it does not change x
            return changed.copy() if np.may_share_memory(changed, samples) else changed
        make = Sound if np.may_share_memory(changed, samples) else sound_of_own
        return make(changed, rate, scale if clip.rms_one_db_spl is None else clip.rms_one_db_spl)

    return _each(x, sound)


def _scale(clip: Clip, told: float, name: str) -> float:
    """Level of an RMS of 1.0 in a clip that may know its own."""
    if clip.rms_one_db_spl is None:
        return told
    if told not in (PASCALS_DB_SPL, clip.rms_one_db_spl):
        raise ValueError(
            f"{name} is a Sound whose RMS of 1.0 stands for {clip.rms_one_db_spl:g} dB SPL, and "
            f"rms_one_db_spl={told:g}; leave it out, or make the Sound anew."
        )
    return clip.rms_one_db_spl


def _representable(x: np.ndarray, dtype: np.dtype, name: str, cause: str) -> np.ndarray:
    """Samples in the type of the clip; an error where it cannot hold them."""
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    if not np.isfinite(x).all():
        raise ValueError(f"{name} with {cause} goes beyond what {dtype} holds; lower it, or pass float64.")
    return x


def _ratio(db: float) -> np.floating:
    """Ratio of amplitudes; infinity where it is beyond float64."""
    with np.errstate(over="ignore"):
        return np.power(10.0, np.float64(db) / 20)


def _float_type(dtype: npt.DTypeLike) -> np.dtype:
    try:
        of_name = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype={dtype!r} must be float32 or float64; choose one of them.") from error
    if dtype is None or of_name not in (np.float32, np.float64):
        raise ValueError(f"dtype={dtype} must be float32 or float64; choose one of them.")
    return of_name
