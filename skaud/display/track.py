"""Adaptive tracks: the level of every trial, and the threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._pyplot import pyplot
from skaud._types import Plot
from skaud.design.limits import check_numbers


class TrackDisplay:
    """Adaptive track: level of every trial, answers, reversals, and threshold.

    Make one with `from_track`. Filled symbols are right answers, open ones wrong; rings mark the reversals that give
    the threshold.

    Parameters
    ----------
    levels : array-like of shape (n_trials,)
        Level in every trial.
    correct : array-like of bool of shape (n_trials,)
        Whether the answer was right.
    reversals : array-like of int, default=()
        Trials that are marked.
    threshold : float or None, default=None
        Threshold; None is not drawn.
    level_name : str, default="Level (dB)"
        What the axis of levels says.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the track.
    figure_ : matplotlib Figure
        Figure that contains it.
    line_ : matplotlib Line2D
        Line through all trials.
    right_, wrong_, reversals_ : matplotlib Line2D
        Symbols of right answers, wrong answers, and reversals.
    threshold_ : matplotlib Line2D or None
        Line at the threshold.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud.display import TrackDisplay
    >>> display = TrackDisplay([8, 8, 4, 8, 4], [True, True, False, True, False], threshold=6).plot()
    >>> display.ax_.get_ylabel()
    'Level (dB)'
    """

    def __init__(
        self,
        levels: npt.ArrayLike,
        correct: npt.ArrayLike,
        *,
        reversals: npt.ArrayLike = (),
        threshold: float | None = None,
        level_name: str = "Level (dB)",
    ) -> None:
        self.levels = levels
        self.correct = correct
        self.reversals = reversals
        self.threshold = threshold
        self.level_name = level_name

    @classmethod
    def from_track(
        cls, track: Any, ax: Plot | None = None, *, level_name: str = "Level (dB)", **kwargs: object
    ) -> TrackDisplay:
        """Plot a track.

        Parameters
        ----------
        track : skaud.psychoacoustics.Track
            One of the tracks that `adaptive_track` returned.
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        level_name : str, default="Level (dB)"
            What the axis of levels says.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        TrackDisplay
            The plotted display.
        """
        display = cls(
            track.levels,
            track.correct,
            reversals=track.reversals[-track.n_averaged :],
            threshold=track.threshold,
            level_name=level_name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Plot | None = None, **kwargs: object) -> TrackDisplay:
        """Plot levels over trials.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        **kwargs : dict
            Passed to matplotlib's ``plot`` for the line and the symbols, such as `color`.

        Returns
        -------
        TrackDisplay
            The display itself.

        Raises
        ------
        ValueError
            If levels and answers are not as many, or a reversal is none of the trials.
        """
        levels, correct = check_numbers("levels", self.levels), np.asarray(self.correct, bool)
        marked = np.asarray(self.reversals, int)
        if levels.ndim != 1 or levels.shape != correct.shape or not levels.size:
            raise ValueError(
                f"levels has shape {levels.shape} and correct {correct.shape}; give one of each a trial, at least 1."
            )
        if marked.size and not (marked.min() >= 0 and marked.max() < levels.size):
            raise ValueError(f"reversals={marked} must be trials counted from 0 to {levels.size - 1}.")
        if ax is None:
            ax = pyplot(type(self).__name__).subplots(figsize=(6, 3.5), layout="constrained")[1]
        style = {"color": "C0", **kwargs}
        symbols = {"linestyle": "", "marker": "o", "markersize": 5, **style}
        trials = np.arange(1, levels.size + 1)
        (self.line_,) = ax.plot(trials, levels, **{"linewidth": 0.8, "alpha": 0.6, **style})
        (self.right_,) = ax.plot(trials[correct], levels[correct], **symbols, label="right")
        (self.wrong_,) = ax.plot(trials[~correct], levels[~correct], **symbols, markerfacecolor="white", label="wrong")
        ring = {**symbols, "color": "C1", "markersize": 10, "markerfacecolor": "none"}
        (self.reversals_,) = ax.plot(trials[marked], levels[marked], **ring, label="reversal that counts")
        self.threshold_ = None
        if self.threshold is not None:
            name = f"threshold {self.threshold:.1f}"
            self.threshold_ = ax.axhline(self.threshold, color="0.4", linestyle="--", linewidth=1, label=name)
        ax.set(xlabel="Trial", ylabel=self.level_name)
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
