"""Audiograms on the form of the clinic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud.display._axes import ear_style, pyplot
from skaud.hearing.audiogram import Audiogram

OCTAVES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
BETWEEN_HZ = (750, 1500, 3000, 6000, 12000)


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
        cls, model: Any, ax: Any = None, *, frequencies_hz: npt.ArrayLike | None = None
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
        from skaud.fitting import predicted_audiogram

        if hasattr(model, "_quiet_ear"):  # of another, predicted_audiogram says what is wrong
            model = fitted_copy(model)
        given, fitted = getattr(model, "audiogram", None), getattr(model, "predicted_audiogram_", None)
        predicted: Any
        if frequencies_hz is not None:
            predicted = predicted_audiogram(model, frequencies_hz)
        elif given is not None and any(one is not None for one in _several("predicted", fitted)):
            predicted = fitted
        else:
            hz = np.array([250, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 8000])
            highest_hz, lowest_hz = np.asarray(getattr(model, "pole_frequencies_hz_", hz[[-1, 0]]))[[0, -1]]
            predicted = predicted_audiogram(model, hz[(hz >= lowest_hz) & (hz <= highest_hz)])
        return cls(given, predicted).plot(ax)

    def plot(self, ax: Any = None) -> AudiogramDisplay:
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
        drawn = [(one, k, len(ears)) for ears in (measured, predicted) for k, one in enumerate(ears) if one is not None]
        if not drawn:
            raise ValueError("audiogram and predicted are both None or empty, there is nothing to plot; give one.")
        if ax is None:
            plt = pyplot(type(self).__name__)
            ax = plt.figure(figsize=(5.5, 5.5), layout="constrained").add_subplot()
        for audiogram, *_ in drawn:
            _draw_form(ax, audiogram)
        self.lines_ = [_draw(ax, one, k, len(measured)) for k, one in enumerate(measured) if one is not None]
        self.predicted_lines_ = [
            _draw_predicted(ax, one, k, len(predicted)) for k, one in enumerate(predicted) if one is not None
        ]
        self.arrows_ = [arrow for own in drawn for arrow in _draw_arrows(ax, *own)]
        ax.legend(loc="lower left", framealpha=1)
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


def _draw(ax: Any, audiogram: Audiogram, number: int, n_ears: int) -> Any:
    colour, marker, label = ear_style(audiogram.ear, number, n_ears)
    frequency, threshold, unheard = audiogram.frequencies_hz, audiogram.thresholds_db_hl, audiogram.no_response
    known = np.flatnonzero(audiogram.measured)
    for gap in np.stack([known[:-1], known[1:]], axis=1)[np.diff(known) > 1]:
        if not unheard[gap].any():
            ax.plot(frequency[gap], threshold[gap], ":", color=colour, linewidth=1.3)
    style: dict[str, Any] = {
        "color": colour,
        "marker": marker,
        "markersize": 9,
        "markerfacecolor": ax.get_facecolor() if marker == "o" else colour,
        "markeredgewidth": 1.8,
        "zorder": 2.5 if marker == "o" else 3,  # where the ears are equal, the cross is seen within the circle
    }
    if unheard.any():
        ax.plot(frequency[unheard], threshold[unheard], linestyle="none", **style)
    (line,) = ax.plot(
        frequency,
        np.where(unheard, np.nan, threshold),  # NaN breaks the line
        linewidth=1.3,
        label=label,
        **style,
    )
    return line


def _draw_predicted(ax: Any, audiogram: Audiogram, number: int, n_ears: int) -> Any:
    colour, _, label = ear_style(audiogram.ear, number, n_ears)
    known, threshold = audiogram.measured, audiogram.thresholds_db_hl
    style: dict[str, Any] = {"marker": ".", "color": colour, "alpha": 0.75, "zorder": 3.5}
    unheard = audiogram.no_response
    if unheard.any():
        ax.plot(audiogram.frequencies_hz[unheard], threshold[unheard], linestyle="none", **style)
    (line,) = ax.plot(
        audiogram.frequencies_hz[known],
        np.where(unheard, np.nan, threshold)[known],
        linestyle="--",
        linewidth=1.3,
        label=f"{label}, model" if audiogram.ear or n_ears > 1 else "model",
        **style,
    )
    return line


def _draw_arrows(ax: Any, audiogram: Audiogram, number: int, n_ears: int) -> list[Any]:
    """Arrows from the lower outer corner of the symbols: to the left for the right ear, as the clinic faces it."""
    colour = ear_style(audiogram.ear, number, n_ears)[0]
    outwards = {"right": -14, "left": 14, None: 0}[audiogram.ear]
    arrow = {"arrowstyle": "<|-", "color": colour, "shrinkA": 0, "shrinkB": 5, "linewidth": 1.3}
    unheard = audiogram.no_response
    return [
        # from the text's place, where the head is, to the symbol
        ax.annotate("", point, xytext=(outwards, -14), textcoords="offset points", arrowprops=arrow)
        for point in zip(audiogram.frequencies_hz[unheard], audiogram.thresholds_db_hl[unheard])
    ]


def _draw_form(ax: Any, audiogram: Audiogram) -> None:
    """Axes as ASHA 1990 and ISO 8253-1 have them, wide enough for this audiogram and what is there already."""
    drawn = ax.yaxis_inverted()
    level = audiogram.thresholds_db_hl[audiogram.measured]
    top_db, bottom_db = min(-10, 10 * np.floor(level.min() / 10)), max(120, 10 * np.ceil(level.max() / 10))
    low_hz, high_hz = min(125, audiogram.frequencies_hz[0]), max(8000, audiogram.frequencies_hz[-1])
    left_hz, right_hz = low_hz / 1.25, high_hz * 1.25
    if drawn:
        top_db, bottom_db = min(top_db, *ax.get_ylim()), max(bottom_db, *ax.get_ylim())
        left_hz, right_hz = min(left_hz, *ax.get_xlim()), max(right_hz, *ax.get_xlim())
    ax.set_xscale("log", base=2)
    ax.set_ylim(bottom_db, top_db)
    ax.set_box_aspect((bottom_db - top_db) / 20 / np.log2(right_hz / left_hz))  # 20 dB as high as an octave is wide
    ax.set_xticks(OCTAVES_HZ, [str(hz) for hz in OCTAVES_HZ])
    ax.set_xticks(BETWEEN_HZ, [str(hz) for hz in BETWEEN_HZ], minor=True, fontsize="x-small", color="0.4")
    ax.set_xlim(left_hz, right_hz)
    ax.set_yticks(np.arange(top_db, bottom_db + 1, 10))
    ax.tick_params("x", which="both", top=True, bottom=False, labeltop=True, labelbottom=False)
    ax.tick_params("x", which="major", length=14, pad=1)  # a row above the labels between the octaves
    ax.tick_params("x", which="minor", length=3, pad=1)
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("Frequency (Hz)")
    ax.set_ylabel("Hearing level (dB HL)")
    ax.set_axisbelow(True)
    ax.grid(True, color="0.8", linewidth=0.8)
    ax.grid(True, which="minor", axis="x", color="0.85", linewidth=0.8, linestyle="--")
