"""Stabilized auditory images: channels against lag; and pitchograms: lag, or pitch, over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skaud._pyplot import pyplot
from skaud._types import Plot
from skaud.design.limits import check_numbers
from skaud.display.frequency_axis import edges_hz, scale_frequencies
from skaud.display.given import above_0

PITCH_TICKS_HZ = (30, 40, 50, 70, 100, 150, 200, 300, 400, 600, 1000, 2000)


class AuditoryImageDisplay:
    """Stabilized auditory image: the channels against lag, and below it the mean over them.

    Make one with `from_image`.

    Parameters
    ----------
    image : array-like of shape (n_channels, n_lags)
        One image, such as ``images[0, ..., -1]``.
    lags_s : array-like of shape (n_lags,)
        Lags in s, rising, evenly spaced.
    frequencies_hz : array-like of shape (n_channels,)
        Frequency of every channel in Hz, all different, rising or falling.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the image.
    mean_ax_ : matplotlib Axes or None
        Axes with the mean over channels, below.
    figure_ : matplotlib Figure
        Figure that contains them.
    mesh_ : matplotlib QuadMesh
        The coloured cells.
    mean_line_ : matplotlib Line2D or None
        The mean over channels.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud import CARFAC, StabilizedAuditoryImage, datasets
    >>> from skaud.display import AuditoryImageDisplay
    >>> X = datasets.make_tone([200], duration_s=0.1, sample_rate=22050)
    >>> carfac, image = CARFAC(pooling=None, frame_length=None), StabilizedAuditoryImage()
    >>> images = image.fit_transform(carfac.fit_transform(X))
    >>> display = AuditoryImageDisplay.from_image(
    ...     images[0][..., -1], lags_s=image.lags_s_, frequencies_hz=carfac.channel_frequencies_hz_
    ... )
    >>> display.ax_.get_ylabel()
    'Frequency (kHz)'
    """

    def __init__(self, image: npt.ArrayLike, *, lags_s: npt.ArrayLike, frequencies_hz: npt.ArrayLike) -> None:
        self.image = image
        self.lags_s = lags_s
        self.frequencies_hz = frequencies_hz

    @classmethod
    def from_image(
        cls,
        image: npt.ArrayLike,
        *,
        lags_s: npt.ArrayLike,
        frequencies_hz: npt.ArrayLike,
        ax: Plot | None = None,
        **kwargs: object,
    ) -> AuditoryImageDisplay:
        """Plot an image that is at hand.

        Parameters
        ----------
        image : array-like of shape (n_channels, n_lags)
            One image.
        lags_s : array-like of shape (n_lags,)
            Lags in s, such as `StabilizedAuditoryImage.lags_s_`.
        frequencies_hz : array-like of shape (n_channels,)
            Frequency of every channel in Hz.
        ax : matplotlib Axes, default=None
            Axes to plot in, without the mean below; None makes a new figure.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        AuditoryImageDisplay
            The plotted display.
        """
        return cls(image, lags_s=lags_s, frequencies_hz=frequencies_hz).plot(ax, **kwargs)

    def plot(self, ax: Plot | None = None, **kwargs: object) -> AuditoryImageDisplay:
        """Plot the image, low frequencies at the bottom, lags in ms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot in, without the mean below; None makes a new figure.
        **kwargs : dict
            Passed to matplotlib's ``pcolormesh``, such as `cmap`, `vmin` and `vmax`.

        Returns
        -------
        AuditoryImageDisplay
            The display itself.

        Raises
        ------
        ValueError
            If image, lags and frequencies do not belong together, or are no real numbers.
        """
        image, lags, frequencies = self._check()
        self.mean_ax_ = self.mean_line_ = None
        if ax is None:
            figure = pyplot(type(self).__name__).figure(figsize=(7, 4.6), layout="constrained")
            ax, self.mean_ax_ = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        between = np.r_[lags - (lags[1] - lags[0]) / 2, lags[-1] + (lags[1] - lags[0]) / 2]
        style = {"cmap": "magma", "vmin": 0.0, "rasterized": True}
        self.mesh_ = ax.pcolormesh(1000 * between, edges_hz(frequencies), image, **style | kwargs)
        scale_frequencies(ax, "y", frequencies[0], frequencies[-1])
        ax.set(ylabel="Frequency (kHz)", xlim=(1000 * between[0], 1000 * between[-1]))
        if self.mean_ax_ is not None:
            (self.mean_line_,) = self.mean_ax_.plot(1000 * lags, image.mean(axis=0), color="0.2", lw=1)
            self.mean_ax_.set(ylabel="Mean", ylim=(0, None))
        (ax if self.mean_ax_ is None else self.mean_ax_).set_xlabel("Lag (ms)")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _check(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image, lags and frequencies, in the order of rising frequency."""
        image, lags = check_numbers("image", self.image), check_numbers("lags_s", self.lags_s)
        frequencies = check_numbers("frequencies_hz", self.frequencies_hz)
        if image.ndim != 2 or image.shape != (*frequencies.shape, *lags.shape) or min(image.shape) < 2:
            raise ValueError(
                f"image has shape {image.shape}, lags_s {lags.shape} and frequencies_hz {frequencies.shape}; they must "
                "be (n_channels, n_lags), (n_lags,) and (n_channels,), at least 2 of each: pick one signal, one ear, "
                "and one time, images[0, ..., -1]."
            )
        if frequencies[0] > frequencies[-1]:
            image, frequencies = image[::-1], frequencies[::-1]
        if (np.diff(frequencies) <= 0).any() or frequencies[0] < 0:
            raise ValueError(
                "frequencies_hz neither rises nor falls all along from 0 Hz; sort the channels by frequency."
            )
        if (np.diff(lags) <= 0).any():
            raise ValueError("lags_s does not rise all along; pass lags_s_ of the StabilizedAuditoryImage.")
        return image, lags, frequencies


class PitchogramDisplay:
    """Pitchogram: lags over time, spaced as the pitchogram has them, with the pitch in Hz that each is the period of.

    Make one with `from_response`.

    Parameters
    ----------
    response : array-like of shape (n_lags, n_frames)
        Frames, one row a lag.
    lag_edges_s : array-like of shape (n_lags + 1,)
        Where the lags begin and end in s, rising.
    frame_rate_hz : float
        Frames a second.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the pitchogram.
    figure_ : matplotlib Figure
        Figure that contains it.
    mesh_ : matplotlib QuadMesh
        The coloured cells.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud import CARFAC, Pitchogram, datasets
    >>> from skaud.display import PitchogramDisplay
    >>> X = datasets.make_tone([200], duration_s=0.1, sample_rate=22050)
    >>> pitches = Pitchogram()
    >>> frames = pitches.fit_transform(CARFAC(pooling=None, frame_length=None).fit_transform(X))
    >>> display = PitchogramDisplay.from_response(
    ...     frames[0], lag_edges_s=pitches.lag_edges_s_, frame_rate_hz=pitches.frame_rate_hz_
    ... )
    >>> display.ax_.get_ylabel()
    'Pitch (Hz)'
    """

    def __init__(self, response: npt.ArrayLike, *, lag_edges_s: npt.ArrayLike, frame_rate_hz: float) -> None:
        self.response = response
        self.lag_edges_s = lag_edges_s
        self.frame_rate_hz = frame_rate_hz

    @classmethod
    def from_response(
        cls,
        response: npt.ArrayLike,
        *,
        lag_edges_s: npt.ArrayLike,
        frame_rate_hz: float,
        ax: Plot | None = None,
        **kwargs: object,
    ) -> PitchogramDisplay:
        """Plot frames that are at hand.

        Parameters
        ----------
        response : array-like of shape (n_lags, n_frames)
            Frames of one signal and ear, such as ``Pitchogram().fit_transform(nap)[0]``.
        lag_edges_s : array-like of shape (n_lags + 1,)
            Where the lags begin and end in s, such as `Pitchogram.lag_edges_s_`.
        frame_rate_hz : float
            Frames a second.
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        PitchogramDisplay
            The plotted display.
        """
        return cls(response, lag_edges_s=lag_edges_s, frame_rate_hz=frame_rate_hz).plot(ax, **kwargs)

    def plot(self, ax: Plot | None = None, **kwargs: object) -> PitchogramDisplay:
        """Plot the pitchogram, low pitches at the bottom.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        **kwargs : dict
            Passed to matplotlib's ``pcolormesh``, such as `cmap`, `vmin` and `vmax`.

        Returns
        -------
        PitchogramDisplay
            The display itself.

        Raises
        ------
        ValueError
            If response and lags do not belong together, or are no real numbers; if frame_rate_hz is not above 0.
        """
        response, edges = check_numbers("response", self.response), check_numbers("lag_edges_s", self.lag_edges_s)
        frame_rate_hz = above_0("frame_rate_hz", self.frame_rate_hz, "frames a second")
        if response.ndim != 2 or 0 in response.shape or edges.shape != (len(response) + 1,):
            raise ValueError(
                f"response has shape {response.shape} and lag_edges_s {edges.shape}; they must be (n_lags, n_frames) "
                "and (n_lags + 1,), none of them 0: pick one signal and one ear."
            )
        if edges[0] < 0 or (np.diff(edges) <= 0).any():
            raise ValueError("lag_edges_s does not rise all along from 0 s; pass lag_edges_s_ of the Pitchogram.")
        if ax is None:
            ax = pyplot(type(self).__name__).subplots(figsize=(7, 3.6), layout="constrained")[1]
        time, rows = np.arange(response.shape[1] + 1) / frame_rate_hz, np.arange(len(edges))
        style = {"cmap": "magma", "vmin": 0.0, "rasterized": True}
        self.mesh_ = ax.pcolormesh(time, rows, response, **style | kwargs)  # cells are equally high
        ticks = [hz for hz in PITCH_TICKS_HZ if edges[0] <= 1 / hz <= edges[-1]]
        ax.set_yticks(np.interp([1 / hz for hz in ticks], edges, rows), [f"{hz}" for hz in ticks])
        ax.set(xlabel="Time (s)", ylabel="Pitch (Hz)", xlim=(0, time[-1]), ylim=(rows[-1], 0))
        self.ax_, self.figure_ = ax, ax.figure
        return self
