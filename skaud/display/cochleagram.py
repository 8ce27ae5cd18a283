"""Cochleagrams: the response of every channel over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud._pyplot import pyplot
from skaud._types import Estimator, Plot
from skaud.design.limits import check_numbers
from skaud.display.frequency_axis import edges_hz, healthy_frequencies_hz, scale_frequencies
from skaud.display.given import above_0, fitted_model, one_clip
from skaud.sound import Sound


class CochleagramDisplay:
    """Cochleagram: the response of every channel over time.

    Make one with `from_estimator` or `from_response`.

    Parameters
    ----------
    response : array-like of shape (n_channels, n_frames)
        Response, one row a channel.
    frequencies_hz : array-like of shape (n_channels,)
        Frequency of every channel in Hz, all different, rising or falling.
    frame_rate_hz : float
        Frames a second.
    response_name : str, default="response"
        What the colour bar says.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the cochleagram.
    figure_ : matplotlib Figure
        Figure that contains it.
    mesh_ : matplotlib QuadMesh
        The coloured cells.
    colorbar_ : matplotlib Colorbar or None
        Scale of the colours.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud import CARFAC, datasets
    >>> from skaud.display import CochleagramDisplay
    >>> vowel = datasets.make_vowels(n_speakers=1, n_takes=1, random_state=0).clips[0]
    >>> model = CARFAC(sample_rate=22050, frame_length=0.002).fit([vowel])
    >>> display = CochleagramDisplay.from_estimator(model, vowel)
    >>> display.ax_.get_ylabel()
    'Frequency (kHz)'
    """

    def __init__(
        self,
        response: npt.ArrayLike,
        *,
        frequencies_hz: npt.ArrayLike,
        frame_rate_hz: float,
        response_name: str = "response",
    ) -> None:
        self.response = response
        self.frequencies_hz = frequencies_hz
        self.frame_rate_hz = frame_rate_hz
        self.response_name = response_name

    @classmethod
    def from_estimator(
        cls,
        model: Estimator,
        x: Sound | npt.ArrayLike,
        ax: Plot | None = None,
        *,
        ear: int | None = None,
        sample_rate: float | None = None,
        **kwargs: Any,
    ) -> CochleagramDisplay:
        """Run a model on one signal and plot its frames.

        Parameters
        ----------
        model : AudioTransformer
            Fitted model with one response a channel, such as `skaud.CARFAC`; its `frame_length` is the plot's
            resolution, its pooling is left out.
        x : Sound, or array-like of shape (n_samples,) or (n_ears, n_samples)
            Sound, with an axis of ears if the model was fitted on ears.
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        ear : int, default=None
            Which ear to plot, from 0, if the model was fitted on ears.
        sample_rate : float, default=None
            Rate of x in Hz, where it is not the model's; a Sound knows its own.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        CochleagramDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If x is not one signal, or `ear` none of its ears.
        """
        model = fitted_model(model)
        n_ears = getattr(model, "n_ears_in_", None)
        if n_ears is None:
            one_clip(x, "(n_samples,)")
        else:
            one_clip(x, f"({n_ears}, n_samples) of a model fitted on {n_ears} ears", 2)
        if ear not in ((None,) if n_ears is None else range(n_ears)):
            known = (
                "without an axis of ears; leave ear=None" if n_ears is None else f"on ears 0 to {n_ears - 1}; choose"
            )
            raise ValueError(f"ear={ear!r}, and model was fitted {known}.")
        unpooled = fitted_copy(model, pooling=None)
        response = unpooled.transform([x], sample_rate=sample_rate)[0]
        if ear is not None:
            response = response[ear]
        if len(response) != (n_channels := len(frequencies_hz(model))):
            raise ValueError(
                f"output={model.output!r} has {len(response)} responses of {n_channels} channels, and a "
                f"cochleagram shows one of each: set output, among {model.check_outputs(None)}, or see "
                "skaud.display.StagesDisplay."
            )
        return cls.from_response(
            response,
            frequencies_hz=frequencies_hz(model),
            frame_rate_hz=model.frame_rate_hz_,
            response_name=_RESPONSE_NAMES.get(model.output, model.output),
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_response(
        cls,
        response: npt.ArrayLike,
        *,
        frequencies_hz: npt.ArrayLike,
        frame_rate_hz: float,
        response_name: str = "response",
        ax: Plot | None = None,
        **kwargs: Any,
    ) -> CochleagramDisplay:
        """Plot a response that is at hand.

        Parameters
        ----------
        response : array-like of shape (n_channels, n_frames)
            Response, such as ``model.transform(X)[0]`` with ``pooling=None``.
        frequencies_hz : array-like of shape (n_channels,)
            Frequency of every channel in Hz.
        frame_rate_hz : float
            Frames a second.
        response_name : str, default="response"
            What the colour bar says.
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        CochleagramDisplay
            The plotted display.
        """
        display = cls(response, frequencies_hz=frequencies_hz, frame_rate_hz=frame_rate_hz, response_name=response_name)
        return display.plot(ax, **kwargs)

    def plot(self, ax: Plot | None = None, *, colorbar: bool = True, **kwargs: Any) -> CochleagramDisplay:
        """Plot the cochleagram, low frequencies at the bottom, channels about equally high.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        colorbar : bool, default=True
            Add a colour bar.
        **kwargs : dict
            Passed to matplotlib's ``pcolormesh``, such as `cmap`, `vmin` and `vmax`.

        Returns
        -------
        CochleagramDisplay
            The display itself.

        Raises
        ------
        ValueError
            If response and frequencies do not belong together, or are no real numbers; if frame_rate_hz is not above 0.
        """
        response, frequencies = self._check()
        frame_rate_hz = above_0("frame_rate_hz", self.frame_rate_hz, "frames a second")
        if ax is None:
            ax = pyplot(type(self).__name__).subplots(figsize=(7, 3.6), layout="constrained")[1]
        time = np.arange(response.shape[1] + 1) / frame_rate_hz
        low, high = float(np.min(response)), float(np.max(response))
        # A response that goes both ways, such as bm, gets a diverging map with 0 in its middle.
        both_ways = low < -0.5 * high
        reach = max(-low, high)
        style = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach} if both_ways else {"cmap": "magma", "vmin": 0.0}
        self.mesh_ = ax.pcolormesh(time, edges_hz(frequencies), response, rasterized=True, **{**style, **kwargs})
        scale_frequencies(ax, "y", frequencies[0], frequencies[-1])
        ax.set(xlabel="Time (s)", ylabel="Frequency (kHz)", xlim=(0, time[-1]))
        self.ax_, self.figure_ = ax, ax.figure
        self.colorbar_ = ax.figure.colorbar(self.mesh_, ax=ax, pad=0.02, label=self.response_name) if colorbar else None
        return self

    def _check(self) -> tuple[np.ndarray, np.ndarray]:
        """Response and frequencies, in the order of rising frequency."""
        response = check_numbers("response", self.response)
        frequencies = check_numbers("frequencies_hz", self.frequencies_hz)
        if response.ndim != 2 or 0 in response.shape or frequencies.shape != response.shape[:1]:
            raise ValueError(
                f"response has shape {response.shape} and frequencies_hz {frequencies.shape}; they must be "
                "(n_channels, n_frames) and (n_channels,), none of them 0: pick one signal and one ear."
            )
        if len(frequencies) < 2 or not (frequencies >= 0).all():
            raise ValueError(f"frequencies_hz={frequencies} must be at least 2, none of them negative.")
        if frequencies[0] > frequencies[-1]:
            response, frequencies = response[::-1], frequencies[::-1]
        if (np.diff(frequencies) <= 0).any():
            raise ValueError("frequencies_hz neither rises nor falls all along; sort the channels by frequency.")
        return response, frequencies


def frequencies_hz(model: Estimator) -> np.ndarray:
    """Frequency of every channel of a fitted model; in a healthy ear, so that pictures of impaired ones compare."""
    if hasattr(model, "ohc_health_"):
        return healthy_frequencies_hz(model)
    return model.channel_frequencies_hz_


_RESPONSE_NAMES = {
    "nap": "Neural activity",
    "bm": "Basilar membrane motion",
    "receptor_potential": "Receptor potential",
    "agc": "Gain control",
    "ohc": "Outer hair cells",
    "filterbank": "Filterbank",
    "hair_cell": "Inner hair cells",
    "adaptation": "Adaptation (model units)",
    "spectrogram": "Auditory spectrogram",
}
