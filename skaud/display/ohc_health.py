"""Health of the outer hair cells along the cochlea."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud._pyplot import pyplot
from skaud._types import Estimator, Plot
from skaud.design.limits import check_numbers
from skaud.display.frequency_axis import healthy_frequencies_hz, scale_frequencies
from skaud.fitting.audiogram import labels_of_ears
from skaud.hearing.form import ear_style


class OHCHealthDisplay:
    """Health of the outer hair cells over the frequency of their place, a line an ear.

    Parameters
    ----------
    ohc_health : array-like of shape (n_channels,) or (n_ears, n_channels)
        Health, 1 healthy to 0 passive.
    frequencies_hz : array-like of shape (n_channels,)
        Characteristic frequency of every channel in a healthy ear, in Hz, rising or falling.
    ears : sequence of {"left", "right", None}, default=None
        The ears; None where they are not stated.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the lines.
    figure_ : matplotlib Figure
        Figure that contains them.
    lines_ : list of matplotlib Line2D
        Line of every ear.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud import CARFAC, datasets
    >>> from skaud.display import OHCHealthDisplay
    >>> model = CARFAC(ohc_health=lambda hz: 1 / (1 + hz / 1000)).fit(datasets.make_tone(500, duration_s=0.1))
    >>> display = OHCHealthDisplay.from_estimator(model)
    >>> display.ax_.get_ylabel()
    'Health of the outer hair cells'
    """

    def __init__(
        self,
        ohc_health: npt.ArrayLike,
        *,
        frequencies_hz: npt.ArrayLike,
        ears: Sequence[str | None] | None = None,
    ) -> None:
        self.ohc_health = ohc_health
        self.frequencies_hz = frequencies_hz
        self.ears = ears

    @classmethod
    def from_estimator(cls, model: Estimator, ax: Plot | None = None, **kwargs: object) -> OHCHealthDisplay:
        """Plot the health of a model, given or found by a fit.

        Parameters
        ----------
        model : CARFAC
            Fitted model.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        OHCHealthDisplay
            The plotted display.

        Raises
        ------
        TypeError
            If the model has no outer hair cells.
        """
        model = fitted_copy(model)
        if not hasattr(model, "ohc_health_"):
            raise TypeError(f"model is {type(model).__name__}, which has no outer hair cells; pass a fitted CARFAC.")
        frequencies, ears = healthy_frequencies_hz(model), labels_of_ears(model)
        return cls(model.ohc_health_, frequencies_hz=frequencies, ears=ears).plot(ax, **kwargs)

    def plot(self, ax: Plot | None = None, **kwargs: object) -> OHCHealthDisplay:
        """Plot health from 0 to 1, low frequencies on the left, channels about equally far apart.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        OHCHealthDisplay
            The display itself.

        Raises
        ------
        ValueError
            If health and frequencies do not belong together.
        """
        frequencies = check_numbers("frequencies_hz", self.frequencies_hz)
        health = np.atleast_2d(check_numbers("ohc_health", self.ohc_health))
        if frequencies.ndim != 1 or health.shape[1:] != frequencies.shape:
            raise ValueError(
                f"ohc_health has shape {np.shape(self.ohc_health)} and frequencies_hz {frequencies.shape}; they must "
                "be (n_channels,) or (n_ears, n_channels), and (n_channels,)."
            )
        ears = [None] * len(health) if self.ears is None else list(self.ears)
        if len(ears) != len(health):
            raise ValueError(f"ears={self.ears!r} must have an entry for each of {len(health)} ears in ohc_health.")
        if ax is None:
            ax = pyplot(type(self).__name__).subplots(figsize=(7, 3.2), layout="constrained")[1]
        self.lines_ = []
        for number, (ear, own) in enumerate(zip(ears, health)):
            colour, _, label = ear_style(ear, number, len(health))
            style = {"color": colour, "label": label, "marker": ".", "markersize": 4, "linewidth": 1.3}
            self.lines_ += ax.plot(frequencies, own, **{**style, **kwargs})
        scale_frequencies(ax, "x", frequencies.min(), frequencies.max())
        ax.set(
            xlabel="Characteristic frequency of the healthy ear (kHz)",
            ylabel="Health of the outer hair cells",
            ylim=(min(-0.05, health.min() - 0.05), 1.05),
        )
        ax.grid(True, color="0.9")
        if len(health) > 1 or ears[0] is not None:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
