"""Audiograms on the form of the clinic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud._types import Estimator, Plot
from skaud.hearing.audiogram import Audiogram
from skaud.hearing.form import draw, new_axes


class AudiogramDisplay:
    """Audiograms on the form of the clinic, and what a model predicts of them.

    Loss points downwards, an octave is as long as 20 dB. The right ear has red circles, the left ear blue crosses;
    across a missing threshold the line is dotted. Where there was no response, an arrow leads from the symbol down and
    outwards, and no line to it. Predictions are dashed, with small dots.

    Parameters
    ----------
    audiogram : Audiogram, sequence of Audiogram or None, or None
        Measured audiograms, of an ear each; in a sequence, None is an ear that has none.
    predicted : Audiogram, sequence of Audiogram or None, or None, default=None
        Predicted audiograms, of the same ears.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the form.
    figure_ : matplotlib Figure
        Figure that contains it.
    lines_, predicted_lines_ : list of matplotlib Line2D
        Line of every audiogram, and of every prediction.
    arrows_ : list of matplotlib Annotation
        Arrows at the points without a response, of all audiograms in turn.

    References
    ----------
    .. [1] American Speech-Language-Hearing Association, "Guidelines for audiometric symbols", 1990.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud import Audiogram
    >>> from skaud.display import AudiogramDisplay
    >>> ears = [Audiogram.standard("N3", ear="right"), Audiogram.standard("S1", ear="left")]
    >>> display = AudiogramDisplay(ears).plot()
    >>> [line.get_label() for line in display.lines_]
    ['right ear', 'left ear']
    """

    def __init__(
        self,
        audiogram: Audiogram | Sequence[Audiogram | None] | None,
        predicted: Audiogram | Sequence[Audiogram | None] | None = None,
    ) -> None:
        self.audiogram = audiogram
        self.predicted = predicted

    @classmethod
    def from_estimator(
        cls, model: Estimator, ax: Plot | None = None, *, frequencies_hz: npt.ArrayLike | None = None
    ) -> AudiogramDisplay:
        """Plot what a model was fitted to and what came out, or the audiogram of a model that was not fitted to one.

        Parameters
        ----------
        model : CARFAC
            Fitted model.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        frequencies_hz : array-like of shape (n_frequencies,), default=None
            Where to predict; None means where the given audiogram was measured, or else from 250 to 8000 Hz, as far as
            the model's channels go.

        Returns
        -------
        AudiogramDisplay
            The plotted display.
        """
        from skaud.fitting.audiogram import hears_in_quiet, predicted_audiogram

        if hears_in_quiet(model):  # of another, predicted_audiogram says what is wrong
            model = fitted_copy(model)
        given, fitted = getattr(model, "audiogram", None), getattr(model, "predicted_audiogram_", None)
        predicted: Estimator
        if frequencies_hz is not None:
            predicted = predicted_audiogram(model, frequencies_hz)
        elif given is not None and any(one is not None for one in _several("predicted", fitted)):
            predicted = fitted
        else:
            hz = np.array([250, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 8000])
            highest_hz, lowest_hz = np.asarray(getattr(model, "pole_frequencies_hz_", hz[[-1, 0]]))[[0, -1]]
            predicted = predicted_audiogram(model, hz[(hz >= lowest_hz) & (hz <= highest_hz)])
        return cls(given, predicted).plot(ax)

    def plot(self, ax: Plot | None = None) -> AudiogramDisplay:
        """Plot on the form of the clinic.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on, with audiograms on them or without; None makes a new figure.

        Returns
        -------
        AudiogramDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no audiogram.
        TypeError
            If something else is given for one.
        """
        measured, predicted = _several("audiogram", self.audiogram), _several("predicted", self.predicted)
        if all(one is None for one in (*measured, *predicted)):
            raise ValueError("audiogram and predicted are both None or empty, there is nothing to plot; give one.")
        ax = new_axes(type(self).__name__) if ax is None else ax
        self.lines_, self.predicted_lines_, self.arrows_ = draw(ax, measured, predicted)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _several(name: str, audiograms: Audiogram | Sequence[Audiogram | None] | None) -> list[Audiogram | None]:
    if audiograms is None:
        return []
    several = [audiograms] if isinstance(audiograms, Audiogram) else audiograms
    if not isinstance(several, Iterable) or not all(one is None or isinstance(one, Audiogram) for one in several):
        raise TypeError(
            f"{name}={audiograms!r} must be a skaud.Audiogram, a list of them, or None; make one with "
            "skaud.Audiogram(frequencies_hz, thresholds_db_hl) or Audiogram.standard('N1')."
        )
    return list(several)
