"""Stabilized auditory images, and pitchograms, of the response of any model: Lyon (2017), chapter 21."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval

from skaud.design import auditory_image as design
from skaud.design.limits import LONGEST_LAG, LONGEST_WINDOW, MOST_PITCHES, check_size
from skaud.engines.auditory_image import AuditoryImage
from skaud.estimator.naming import told_apart
from skaud.fitting.movable import Parameters
from skaud.pooling.temporal import Pooling
from skaud.stages.response import NamedStage, ResponseStage
from skaud.stages.stage import real_numbers

POSITIVE = [Interval(Real, 0, None, closed="neither")]
NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
HELD_AT_ONCE = 64  # images, to be pooled


class ImageStage(ResponseStage):
    """A stage that makes images of a response, one each `frame_length`."""

    trigger_window_s: float
    max_lag_s: float
    frame_length: float

    frames_held = HELD_AT_ONCE
    overflow_lasts = True
    engine_: AuditoryImage

    _parameter_constraints: dict = {
        "max_lag_s": POSITIVE,
        "trigger_window_s": POSITIVE,
        "frame_length": POSITIVE,
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        self.frame_samples()
        self._check_samples("trigger_window_s", self.trigger_window_s, LONGEST_WINDOW, "samples")
        self._check_samples("max_lag_s", self.max_lag_s, LONGEST_LAG, "lags")

    def _check_samples(self, name: str, seconds: float, most: float, of: str) -> None:
        remedy = f"choose one nearer to 0, or lower sample_rate={self.sample_rate:g}"
        check_size(name, seconds, abs(seconds) * self.sample_rate, most, of, remedy)

    def _triggers(self, min_lag_s: float) -> design.Triggers:
        return design.design_triggers(min_lag_s, self.max_lag_s, self.trigger_window_s, self.sample_rate)

    def _hop(self) -> int:
        samples = self.frame_samples()
        assert samples is not None
        return samples


class StabilizedAuditoryImage(NamedStage, ImageStage):
    r"""Stabilized auditory image: the recent past of every channel, round its strongest moments.

    What repeats stands still, at lags of whole periods; pitch is a column at its period, whatever the channel. It
    takes the response of any model at full rate, such as CARFAC's NAP: ``CARFAC(pooling=None, frame_length=None)``.

    Parameters
    ----------
    sample_rate : float, default=22050
        Rate of X in Hz, that of the model before.
    min_lag_s, max_lag_s : float, default=-0.005, 0.025
        Lags of the image in s, re the trigger: what lies before it is below 0.
    trigger_window_s : float, default=0.020
        Length of the windows in s, one trigger each; each begins half a window after the one before.
    frame_length : float, default=0.020
        Time from one image to the next in s.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the images of a signal, as `TemporalPooling` knows them; None returns the images.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals; the result is the same for any number.

    Attributes
    ----------
    lags_s_ : ndarray of shape (n_lags,)
        Lags of the image.
    frame_rate_hz_ : float
        Images a second.
    n_channels_in_ : int
        Channels of X in `fit`.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    As in Lyon [1]_ (chapter 21), and its program [2]_: strobed temporal integration, a sparse running autocorrelation.
    In a window of n samples (`trigger_window_s`, made odd), weighted by w, the strongest sample of a channel's response
    x is the trigger t; what surrounds it is blended into the image of the channel, the more the stronger it is, for all
    lags l from `min_lag_s` to `max_lag_s`:

    .. math::

        t = \mathrm{argmax}_i\, w_i\, x[i], \qquad w_i = \sin(\pi i / n), \quad i = 1 \ldots n, \qquad p = w_t\, x[t]

        \alpha = \frac{0.025 + p}{0.5 + p}, \qquad y[l] \leftarrow (1 - \alpha)\, y[l] + \alpha\, x[t + l]

    The constants are meant for CARFAC's NAP, which is 1 at saturation. Where no sample of a window is above 0, its
    middle triggers with p = 1: an image fades within three windows of silence. A window ends every (n - 1) / 2 samples,
    and `max_lag_s` before what was heard last, so that all it needs is known; an image is what stands there at its end,
    and is never ahead of its sound. `frame_length` of as many samples as two steps of the windows gives the frames of
    [2]_, which has two triggers a frame; here windows keep their rhythm whatever `frame_length` is. The smoothing over
    channels before the trigger of the Matlab program is left out, as it is in the later ones.

    Images are ``(n_signals, [n_ears,] n_channels, n_lags, n_images)``, time last as everywhere: pooling and streams
    take them as any frames. `simulate` has one a `frame_length`, too. A period beyond `max_lag_s` leaves no column, and
    one beyond `trigger_window_s` leaves windows without a pulse, whose triggers blur the image. An autocorrelation of
    every sample costs n_lags products a sample and channel, a hundred times as much as the triggers.

    `vjp` takes derivatives with the triggers where they are.

    References
    ----------
    .. [1] R. F. Lyon, "Human and Machine Hearing", Cambridge University Press, 2017, chapter 21.
    .. [2] google/carfac, SAI in C++, Matlab and Python, https://github.com/google/carfac.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaud import CARFAC, StabilizedAuditoryImage, datasets
    >>> X = datasets.make_tone([200], duration_s=0.2, sample_rate=22050)
    >>> image = StabilizedAuditoryImage(min_lag_s=0.001, max_lag_s=0.009)
    >>> images = make_pipeline(CARFAC(pooling=None, frame_length=None), image).fit_transform(X)[0]
    >>> images.shape  # (n_channels, n_lags, n_images)
    (71, 177, 10)
    >>> print(f"{1000 * image.lags_s_[images[..., -1].sum(axis=0).argmax()]:.1f} ms")  # the period
    5.0 ms
    """

    all_outputs = ("image",)
    output = "image"

    _parameter_constraints: dict = {"min_lag_s": [Interval(Real, None, None, closed="neither")]}

    def __init__(
        self,
        sample_rate: float = 22050,
        *,
        min_lag_s: float = -0.005,
        max_lag_s: float = 0.025,
        trigger_window_s: float = 0.020,
        frame_length: float = 0.020,
        pooling: Pooling = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.min_lag_s = min_lag_s
        self.max_lag_s = max_lag_s
        self.trigger_window_s = trigger_window_s
        self.frame_length = frame_length
        self.pooling = pooling
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        self._check_samples("min_lag_s", self.min_lag_s, LONGEST_LAG, "lags")
        if self.min_lag_s >= self.max_lag_s:
            raise ValueError(
                f"min_lag_s={self.min_lag_s} must lie below max_lag_s={self.max_lag_s}; lower it, or raise max_lag_s."
            )

    def make_engine(self, parameters: Parameters, dtype: str) -> AuditoryImage:
        return AuditoryImage("image", self._triggers(self.min_lag_s), self._hop(), self.n_channels_in_, dtype)

    def make_design(self) -> None:
        super().make_design()
        own = self.engine_.triggers
        self.lags_s_ = np.arange(own.first_lag, own.last_lag + 1) / self.sample_rate

    def names_after(self, names: list[str]) -> list[str]:
        lags = lag_names(self.lags_s_)
        return [f"{name}_{lag}" for name in names for lag in lags]


class Pitchogram(ImageStage):
    r"""Pitchogram: the mean over channels of a stabilized auditory image, over lags that are spaced as pitch is.

    A pitch is a ridge at its period, over time. It takes the response of any model at full rate, such as CARFAC's NAP:
    ``CARFAC(pooling=None, frame_length=None)``.

    Parameters
    ----------
    sample_rate : float, default=22050
        Rate of X in Hz, that of the model before.
    min_lag_s, max_lag_s : float, default=0.0005, 0.030
        Lags in s: periods of 2000 to 33 Hz.
    lags_per_octave : float, default=36
        Cells an octave of lag and `log_offset_s`.
    log_offset_s : float, default=0.0025
        Added to the lag before the logarithm, so that short lags are not spread out, in s.
    channel_frequencies_hz : array of shape (n_channels,) or None, default=None
        Frequencies of the channels, such as CARFAC's `pole_frequencies_hz_`: the lags of a channel up to half its
        period, where every sound is like itself, do not count. None counts all.
    trigger_window_s : float, default=0.020
        Length of the windows in s, one trigger each; each begins half a window after the one before.
    frame_length : float, default=0.010
        Time from one frame to the next in s.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals; the result is the same for any number.

    Attributes
    ----------
    lags_s_ : ndarray of shape (n_lags,)
        Middle of every cell.
    lag_edges_s_ : ndarray of shape (n_lags + 1,)
        Where the cells begin and end.
    frame_rate_hz_ : float
        Frames a second.
    n_channels_in_ : int
        Channels of X in `fit`.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    Of the image y[c, l] of `StabilizedAuditoryImage`, with lags from 0 to `max_lag_s` [1]_ (chapter 21), as in [2]_: N
    channels with frequencies f, and cells from e[k] to e[k + 1],

    .. math::

        z[l] = \frac{1}{N} \sum_c m[c, l]\, y[c, l], \qquad m[c, l] = 1 \text{ where } l > f_s / 2 f_c, \text{ else } 0

        e[k] = (\mathrm{min\_lag\_s} + \mathrm{log\_offset\_s})\, 2^{k / \mathrm{lags\_per\_octave}} -
        \mathrm{log\_offset\_s}

    The frame is the mean of z over every cell, where z[l] stands for all lags within half a sample of l, and a cell
    narrower than a sample is made one wide. The program [2]_ has its mask around a lag of one sample instead of 0.

    References
    ----------
    .. [1] R. F. Lyon, "Human and Machine Hearing", Cambridge University Press, 2017, chapter 21.
    .. [2] google/carfac, pitchogram in C++, https://github.com/google/carfac.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaud import CARFAC, Pitchogram, datasets
    >>> X = datasets.make_tone([150], duration_s=0.2, sample_rate=22050)
    >>> carfac = CARFAC(pooling=None, frame_length=None).fit(X)
    >>> pitches = Pitchogram(channel_frequencies_hz=carfac.pole_frequencies_hz_, max_lag_s=0.01)
    >>> frames = make_pipeline(carfac, pitches).fit_transform(X)[0]
    >>> frames.shape  # (n_lags, n_frames)
    (74, 20)
    >>> print(f"{1 / pitches.lags_s_[frames[:, -1].argmax()]:.0f} Hz")
    148 Hz
    """

    all_outputs = ("pitchogram",)
    output = "pitchogram"

    _parameter_constraints: dict = {
        "min_lag_s": NOT_NEGATIVE,
        "lags_per_octave": POSITIVE,
        "log_offset_s": NOT_NEGATIVE,
        "channel_frequencies_hz": ["array-like", None],
    }

    def __init__(
        self,
        sample_rate: float = 22050,
        *,
        min_lag_s: float = 0.0005,
        max_lag_s: float = 0.030,
        lags_per_octave: float = 36,
        log_offset_s: float = 0.0025,
        channel_frequencies_hz: ArrayLike | None = None,
        trigger_window_s: float = 0.020,
        frame_length: float = 0.010,
        pooling: Pooling = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.min_lag_s = min_lag_s
        self.max_lag_s = max_lag_s
        self.lags_per_octave = lags_per_octave
        self.log_offset_s = log_offset_s
        self.channel_frequencies_hz = channel_frequencies_hz
        self.trigger_window_s = trigger_window_s
        self.frame_length = frame_length
        self.pooling = pooling
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        n_cells = design.n_pitch_cells(*self._of_cells())
        check_size("lags_per_octave", self.lags_per_octave, n_cells, MOST_PITCHES, "lags", "lower it")
        if n_cells < 1:
            raise ValueError(
                f"min_lag_s={self.min_lag_s}, max_lag_s={self.max_lag_s}, log_offset_s={self.log_offset_s} and "
                f"lags_per_octave={self.lags_per_octave} leave no lag at sample_rate={self.sample_rate}; raise "
                "max_lag_s, lags_per_octave, or, where both others are 0, log_offset_s."
            )

    def _of_cells(self) -> tuple[float, float, float, int, float]:
        n_lags = round(self.max_lag_s * self.sample_rate) + 1
        return self.min_lag_s, self.log_offset_s, self.lags_per_octave, n_lags, self.sample_rate

    def make_engine(self, parameters: Parameters, dtype: str) -> AuditoryImage:
        triggers, apart = self._triggers(0.0), None
        if self.channel_frequencies_hz is not None:
            frequencies = real_numbers("channel_frequencies_hz", self.channel_frequencies_hz)
            if frequencies.shape != (self.n_channels_in_,) or not ((frequencies > 0) & np.isfinite(frequencies)).all():
                raise ValueError(
                    f"channel_frequencies_hz has shape {frequencies.shape}, and X {self.n_channels_in_} channels; give "
                    "one frequency above 0 a channel, such as pole_frequencies_hz_ of the CARFAC before, or None."
                )
            apart = design.lags_apart(frequencies, triggers.n_lags, self.sample_rate)
        cells = design.design_pitch_cells(*self._of_cells())
        own = (triggers, self._hop(), self.n_channels_in_, dtype)
        return AuditoryImage("pitchogram", *own, apart=apart, cells=cells)

    def make_design(self) -> None:
        super().make_design()
        assert self.engine_.cells is not None
        self.lag_edges_s_ = self.engine_.cells.edges / self.sample_rate
        self.lags_s_ = (self.lag_edges_s_[:-1] + self.lag_edges_s_[1:]) / 2

    def names_after(self, names: list[str]) -> list[str]:
        return lag_names(self.lags_s_)


def lag_names(lags_s: np.ndarray) -> list[str]:
    """Names such as lag9.07ms."""
    return told_apart(lambda n: [f"lag{1000 * lag:.{n}f}ms" for lag in lags_s], range(2, 10))
