"""Read, resample, set the level of and add noise to sounds held in NumPy arrays.

A sound is an array whose last axis is time: ``(n_samples,)``, or ``(n_ears, n_samples)``. Its samples are pressure,
in units in which an RMS of 1.0 stands for `rms_one_db_spl` dB SPL.
"""

import os
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

__all__ = ["add_noise", "from_pcm", "make_noise", "read", "resample", "rms_db_spl", "set_level"]

RandomState = int | np.random.RandomState | None
Axis = int | tuple[int, ...] | None

_NOISE_EXPONENT = {"white": 0.0, "pink": -0.5, "brown": -1.0}  # amplitude goes with frequency to this power


def read(
    path: str | os.PathLike[str], sample_rate: float | None = None, mono: bool = False, dtype: npt.DTypeLike = "float32"
) -> tuple[np.ndarray, int]:
    """Read a sound file, full scale being 1.0.

    Parameters
    ----------
    path : str or path-like
        A file in a format that libsndfile reads: wav, flac, ogg, mp3, aiff and others.
    sample_rate : int, optional
        Sample rate in Hz to resample to; by default the file's own.
    mono : bool, default=False
        Average the channels.
    dtype : {"float32", "float64"}, default="float32"
        Type of the samples. Integer files are scaled by their type's range, as `from_pcm` does.

    Returns
    -------
    x : ndarray of shape (n_samples,) or (n_ears, n_samples)
        One axis where the file has one channel or with ``mono=True``, otherwise one row a channel.
    sample_rate : int
        Sample rate of `x` in Hz.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no samples or libsndfile cannot read it; the message has the path and libsndfile's words.

    Examples
    --------
    >>> import os, tempfile, numpy as np, soundfile
    >>> from skaud import audio
    >>> path = os.path.join(tempfile.mkdtemp(), "two_ears.wav")
    >>> soundfile.write(path, np.zeros((1600, 2)), 16000)
    >>> x, sample_rate = audio.read(path, sample_rate=8000)
    >>> x.shape, sample_rate
    ((2, 800), 8000)
    """
    import soundfile

    name = os.fspath(path)
    dtype = _float_type(dtype)
    if sample_rate is not None and _sample_rate("sample_rate", sample_rate) % 1:
        raise ValueError(f"sample_rate={sample_rate} must be a whole number of Hz; round it, or resample later.")
    if not os.path.exists(name):
        raise FileNotFoundError(f"path={name!r}: there is no such file; check the path (now in {os.getcwd()!r}).")
    try:
        frames, file_rate = soundfile.read(name, dtype=dtype.name, always_2d=True)
    except soundfile.SoundFileError as error:
        said = getattr(error, "error_string", str(error))
        raise ValueError(f"path={name!r} cannot be read, libsndfile says: {said} Convert it to wav or flac.") from error
    if not frames.shape[0]:
        raise ValueError(f"path={name!r} holds no samples; leave it out or record it anew.")
    x = frames.mean(axis=1) if mono or frames.shape[1] == 1 else np.ascontiguousarray(frames.T)
    if sample_rate is None:
        return x, file_rate
    return resample(x, file_rate, sample_rate), int(sample_rate)


def resample(x: npt.ArrayLike, sample_rate: float, new_sample_rate: float) -> np.ndarray:
    """Change the sample rate along the last axis, without delay.

    Parameters
    ----------
    x : array-like of shape (..., n_samples)
        Sound, float32 or float64.
    sample_rate, new_sample_rate : float
        Sample rates in Hz of `x` and of what is returned.

    Returns
    -------
    ndarray of shape (..., n_new_samples)
        Of the type of `x`; ``n_new_samples = floor(n_samples * new_sample_rate / sample_rate + 0.5)``. Where the rates
        are equal, `x` itself.

    Raises
    ------
    TypeError
        If `x` holds anything but float32 or float64.
    ValueError
        If `x` is empty, not finite, or too short to give one sample, or a rate is not positive.

    Notes
    -----
    By soxr, linear-phase, quality "VHQ". Up to 0.91 of the lower Nyquist frequency a tone's level changes by less than
    0.01 dB; in the lower half of that band the error is below -100 dB. What lies above the new one is removed.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> audio.resample(np.ones((3, 2, 441), "float32"), 44100, 16000).shape
    (3, 2, 160)
    """
    import soxr

    old_rate, new_rate = _sample_rate("sample_rate", sample_rate), _sample_rate("new_sample_rate", new_sample_rate)
    x = _sound(x)
    if old_rate == new_rate:
        return x
    n_samples = x.shape[-1]
    n_new = int(np.floor(n_samples * new_rate / old_rate + 0.5))
    if not n_new:
        raise ValueError(
            f"x has {n_samples} samples at {sample_rate} Hz, less than one at new_sample_rate={new_sample_rate}; "
            "give a longer sound or a higher rate."
        )
    rows = np.ascontiguousarray(x).reshape(-1, n_samples)
    out = np.empty((rows.shape[0], n_new), x.dtype)
    for row, new_row in zip(rows, out):
        new_row[:] = soxr.resample(row, old_rate, new_rate, quality="VHQ")
    return out.reshape(*x.shape[:-1], n_new)


def from_pcm(x: npt.ArrayLike, dtype: npt.DTypeLike = "float32") -> np.ndarray:
    """Scale integer samples by their type's range, so that full scale is 1.0.

    Parameters
    ----------
    x : array-like of integers
        Samples as a sound card or `scipy.io.wavfile.read` gives them. Signed types have silence at 0, unsigned ones
        (8-bit wav files) in the middle of their range. 24-bit samples must lie in the upper bytes of int32.
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
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise TypeError(
            f"x holds {x.dtype}, from_pcm takes integers; use floating-point samples as they are, or set_level on them."
        )
    half_range = 2.0 ** (8 * x.dtype.itemsize - 1)
    silence = half_range if x.dtype.kind == "u" else 0.0
    return ((x.astype(np.float64) - silence) / half_range).astype(dtype)


def rms_db_spl(x: npt.ArrayLike, rms_one_db_spl: float = 107.0, axis: Axis = -1) -> np.floating | np.ndarray:
    """Level of a sound in dB SPL, from its RMS.

    Parameters
    ----------
    x : array-like of shape (..., n_samples)
        Sound, float32 or float64.
    rms_one_db_spl : float, default=107.0
        Level in dB SPL that an RMS of 1.0 stands for. 107 is CARFAC's own scale [1]_, 100 that of Osses 2021 [2]_.
    axis : int, tuple of int or None, default=-1
        Axes that the mean is taken over; None for all of them.

    Returns
    -------
    float or ndarray
        Level in dB SPL, float64; -inf for silence.

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
    >>> float(audio.rms_db_spl(np.full(100, 0.1)))
    87.0
    """
    rms = _rms(_sound(x), axis, keepdims=False)
    with np.errstate(divide="ignore"):
        return 20 * np.log10(rms) + rms_one_db_spl


def set_level(x: npt.ArrayLike, db_spl: float, rms_one_db_spl: float = 107.0, axis: Axis = -1) -> np.ndarray:
    """Scale a sound to a level in dB SPL.

    Parameters
    ----------
    x : array-like of shape (..., n_samples)
        Sound, float32 or float64.
    db_spl : float
        Level in dB SPL.
    rms_one_db_spl : float, default=107.0
        Level in dB SPL that an RMS of 1.0 stands for.
    axis : int, tuple of int or None, default=-1
        Axes that the level is taken over. By default each ear gets the level by itself; ``(-2, -1)`` scales the ears
        of a signal together and so keeps the level difference between them.

    Returns
    -------
    ndarray of the shape and type of `x`
        A scaled copy.

    Raises
    ------
    TypeError
        If `x` holds anything but float32 or float64.
    ValueError
        If `x` is empty, not finite or silent, or `db_spl` is not one finite number.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> x = audio.set_level(np.sin(np.arange(1000.0)), 60)
    >>> round(float(audio.rms_db_spl(x)), 9)
    60.0
    """
    x = _sound(x)
    rms = _rms(x, axis, keepdims=True)
    if not rms.all():
        raise ValueError(f"x is silent, no gain brings it to db_spl={db_spl}; leave silent sounds out.")
    if np.ndim(db_spl) or not np.isfinite(db_spl):
        raise ValueError(f"db_spl={db_spl} must be one finite number; for silence use numpy.zeros_like.")
    return (x * (10.0 ** ((db_spl - rms_one_db_spl) / 20) / rms)).astype(x.dtype)


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
    if n_samples != int(n_samples) or n_samples < 2:
        raise ValueError(f"n_samples={n_samples} must be a whole number of at least 2; ask for a longer noise.")
    return _noise(generator(draw_seed(random_state), "noise"), int(n_samples), color).astype(dtype)


@overload
def add_noise(x: np.ndarray, snr_db: float, color: str = ..., random_state: RandomState = ...) -> np.ndarray: ...
@overload
def add_noise(
    x: Sequence[np.ndarray], snr_db: float, color: str = ..., random_state: RandomState = ...
) -> list[np.ndarray]: ...
def add_noise(x: Any, snr_db: float, color: str = "pink", random_state: RandomState = None) -> Any:
    """Add noise at a signal-to-noise ratio.

    Parameters
    ----------
    x : ndarray of shape (n_samples,) or (n_ears, n_samples), or list of such arrays
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
    ndarray, or list of ndarray where `x` is a list
        Copies with noise, each of the shape and type of its clip.

    Raises
    ------
    TypeError
        If a clip holds anything but float32 or float64.
    ValueError
        If a clip is empty, silent, not finite or of more than two axes, or `snr_db` is NaN or -inf.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import audio
    >>> [len(noisy) for noisy in audio.add_noise([np.ones(300), np.ones(500)], snr_db=10, random_state=0)]
    [300, 500]
    """
    seed = draw_seed(random_state)
    if isinstance(x, np.ndarray) and x.dtype != object:
        return _noisy_clip(x, snr_db, color, generator(seed, "added noise", 0), "x")
    return [_noisy_clip(clip, snr_db, color, generator(seed, "added noise", i), f"x[{i}]") for i, clip in enumerate(x)]


def _noisy_clip(clip: npt.ArrayLike, snr_db: float, color: str, random: np.random.Generator, name: str) -> np.ndarray:
    clip = _sound(clip, name)
    if clip.ndim > 2:
        raise ValueError(f"{name} has shape {clip.shape}, not (n_samples,) or (n_ears, n_samples); give list({name}).")
    if not snr_db > -np.inf:
        raise ValueError(f"snr_db={snr_db} must be a number of dB or inf; for noise alone use make_noise.")
    if snr_db == np.inf:
        return clip.copy()
    rms = _rms(clip, None, keepdims=False)
    if not rms:
        raise ValueError(f"{name} is silent, no noise lies snr_db={snr_db} below it; leave silent clips out.")
    noise = np.stack([_noise(random, clip.shape[-1], color) for _ in range(clip.size // clip.shape[-1])])
    return (clip + noise.reshape(clip.shape) * (rms * 10.0 ** (-snr_db / 20))).astype(clip.dtype)


def _noise(random: np.random.Generator, n_samples: int, color: str) -> np.ndarray:
    if color not in _NOISE_EXPONENT:
        raise ValueError(f"color={color!r} must be one of {sorted(_NOISE_EXPONENT)}; choose one of them.")
    noise = random.standard_normal(n_samples)
    if color != "white":
        cycles = np.arange(n_samples // 2 + 1)  # a clip
        gain = np.zeros(cycles.size)
        gain[1:] = cycles[1:] ** _NOISE_EXPONENT[color]
        noise = np.fft.irfft(np.fft.rfft(noise) * gain, n_samples)
    return noise / np.sqrt(np.mean(noise**2))


def draw_seed(random_state: RandomState) -> int:
    """Draw a seed as scikit-learn's estimators do: an int gives the same one each time."""
    from sklearn.utils import check_random_state

    return int(check_random_state(random_state).randint(2**31 - 1))


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Make the generator of one purpose and item, so that random_state=0 in two functions gives unrelated numbers."""
    return np.random.default_rng([seed, *purpose.encode(), *numbers])


def _rms(x: np.ndarray, axis: Axis, keepdims: bool) -> Any:
    return np.sqrt(np.mean(np.square(x, dtype=np.float64), axis=axis, keepdims=keepdims))


def _sound(x: npt.ArrayLike, name: str = "x") -> np.ndarray:
    """Check that `x` is a sound: one array of finite float32 or float64."""
    try:
        x = np.asarray(x)
    except ValueError:
        raise ValueError(f"{name} is a list of sounds of different lengths; give them one by one.") from None
    if x.dtype not in (np.float32, np.float64):
        remedy = "scale it with skaud.audio.from_pcm" if x.dtype.kind in "iu" else "convert it with x.astype('float64')"
        raise TypeError(f"{name} holds {x.dtype}, a sound holds float32 or float64; {remedy}.")
    if not x.ndim or not x.size:
        raise ValueError(f"{name} has shape {x.shape}, a sound has at least one sample; leave empty sounds out.")
    if not np.isfinite(x).all():
        n_bad = x.size - np.count_nonzero(np.isfinite(x))
        raise ValueError(f"{name} has {n_bad} samples that are NaN or infinite; repair them or leave the sound out.")
    return x


def _sample_rate(name: str, value: float) -> float:
    if not 0 < value < np.inf:
        raise ValueError(f"{name}={value} must be positive and finite, in Hz; give the rate of the recording.")
    return float(value)


def _float_type(dtype: npt.DTypeLike) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype={dtype} must be float32 or float64; choose one of them.")
    return dtype
