"""The stages of a model, one above the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._pyplot import pyplot
from skaud._types import Estimator, Plot
from skaud.design.limits import check_numbers
from skaud.display.cochleagram import CochleagramDisplay, frequencies_hz
from skaud.display.given import above_0, fitted_model, one_clip
from skaud.sound import Sound


class StagesDisplay:
    """The responses of a model's stages to one sound, above each other, from the sound on.

    Sound, and what is still sound behind the ear filters, is a line; a response with channels is a cochleagram, of the
    RMS where it swings about 0; the modulation filterbank is a cochleagram for every modulation frequency, the lowest
    at the bottom. Make one with `from_estimator`.

    Parameters
    ----------
    responses : mapping of str to array-like of shape (n_rows, n_samples)
        Responses by name, in order: one row for sound, or one a channel, or one a feature of the modulation filterbank.
    duration_s : float
        Duration that all of them have.
    frequencies_hz : array-like of shape (n_channels,)
        Frequency of every channel.
    modulation_index : pandas.MultiIndex, default=None
        Centre frequency and modulation frequency of every row of a modulation filterbank.
    frame_length : float, default=0.002
        Resolution of the pictures in s.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        The pictures by the name of the stage.
    figure_ : matplotlib Figure
        Figure that contains them.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud import Osses2021, datasets
    >>> from skaud.display import StagesDisplay
    >>> vowel = datasets.make_vowels(n_speakers=1, n_takes=1, sample_rate=44100, random_state=0).clips[0]
    >>> display = StagesDisplay.from_estimator(Osses2021().fit([vowel]), vowel)
    >>> list(display.axes_)
    ['sound', 'headphone', 'middle_ear', 'filterbank', 'hair_cell', 'adaptation', 'modulation']
    """

    def __init__(
        self,
        responses: Mapping[str, npt.ArrayLike],
        *,
        duration_s: float,
        frequencies_hz: npt.ArrayLike,
        modulation_index: Any = None,
        frame_length: float = 0.002,
    ) -> None:
        self.responses = responses
        self.duration_s = duration_s
        self.frequencies_hz = frequencies_hz
        self.modulation_index = modulation_index
        self.frame_length = frame_length

    @classmethod
    def from_estimator(
        cls,
        model: Estimator,
        x: Sound | npt.ArrayLike,
        outputs: Sequence[str] | None = None,
        *,
        axes: Sequence[Plot] | None = None,
        sample_rate: float | None = None,
        frame_length: float = 0.002,
    ) -> StagesDisplay:
        """Run a model on one signal and plot its stages.

        Parameters
        ----------
        model : AudioTransformer
            Fitted model, such as `skaud.Osses2021`.
        x : Sound, or array-like of shape (n_samples,)
            Sound, such as a word.
        outputs : sequence of str, default=None
            Names that `simulate` knows; None stands for all that have one axis of channels.
        axes : sequence of matplotlib Axes, default=None
            Axes to plot in, one for the sound and one an output; None makes a new figure.
        sample_rate : float, default=None
            Rate of x in Hz, where it is not the model's; a Sound knows its own.
        frame_length : float, default=0.002
            Resolution of the pictures in s.

        Returns
        -------
        StagesDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If x is not one signal of one ear, or a response has more axes than can be drawn.
        """
        model = fitted_model(model)
        clip = one_clip(x, "(n_samples,)")
        samples = np.asarray(clip.samples)
        if getattr(model, "n_ears_in_", None) is not None:
            raise ValueError(f"model was fitted on {model.n_ears_in_} ears; fit it on signals without an axis of ears.")
        responses = {name: clips[0] for name, clips in model.simulate([x], outputs, sample_rate).items()}
        if outputs is None:
            responses = {name: response for name, response in responses.items() if response.ndim == 2}
        display = cls(
            {"sound": samples[np.newaxis]} | responses,
            duration_s=len(samples) / (clip.sample_rate or sample_rate or model.sample_rate),
            frequencies_hz=frequencies_hz(model),
            modulation_index=getattr(model, "modulation_index_", None),
            frame_length=frame_length,
        )
        return display.plot(axes)

    def plot(self, axes: Sequence[Plot] | None = None) -> StagesDisplay:
        """Plot the stages.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            Axes to plot in, one a response; None makes a new figure.

        Returns
        -------
        StagesDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the axes are not as many as the responses, or a response has other rows than it must have; if it is of no
            real numbers, or a time not above 0.
        """
        responses = {name: self._check(name, response) for name, response in self.responses.items()}
        for name in ("duration_s", "frame_length"):
            above_0(name, getattr(self, name), "seconds")
        if axes is None:
            heights = [1 if len(response) == 1 else 2 for response in responses.values()]
            figure = pyplot(type(self).__name__).figure(figsize=(7, 0.75 * sum(heights)), layout="constrained")
            axes = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        if len(axes) != len(responses):
            raise ValueError(f"axes has {len(axes)} entries for {len(responses)} responses, {list(responses)}.")
        self.axes_ = dict(zip(responses, axes))
        self.figure_ = axes[0].figure
        for (name, response), ax in zip(responses.items(), axes):
            if len(response) == 1:
                ax.plot((np.arange(response.shape[1]) + 0.5) * self.duration_s / response.shape[1], response[0], lw=0.5)
            elif self._is_modulation(name, response):
                self._plot_modulation(ax, response)
            else:
                self._plot_channels(ax, response)
            ax.set(xlabel="Time (s)", xlim=(0, self.duration_s))
            ax.set_title(name.replace("_", " "), loc="left", fontsize="medium", pad=2)
            ax.label_outer()
        return self

    def _check(self, name: str, response: npt.ArrayLike) -> np.ndarray:
        response = check_numbers(f"the response {name!r}", response)
        n_rows = {1, len(np.asarray(self.frequencies_hz))}
        if self.modulation_index is not None:
            n_rows.add(len(self.modulation_index))
        if response.ndim != 2 or len(response) not in n_rows or not response.size:
            raise ValueError(
                f"the response {name!r} has shape {response.shape}; it must be (n_rows, n_samples) with n_rows among "
                f"{sorted(n_rows)}: choose other outputs."
            )
        return response

    def _is_modulation(self, name: str, response: np.ndarray) -> bool:
        """Whether rows are modulation filters; where every channel has one, they are as many as channels."""
        n_filters = 0 if self.modulation_index is None else len(self.modulation_index)
        n_channels = len(np.asarray(self.frequencies_hz))
        return len(response) == n_filters and (n_filters != n_channels or name == "modulation")

    def _frames(self, response: np.ndarray, *, rms: bool = False) -> tuple[np.ndarray, float]:
        """Means over frames, or the RMS, and how many frames there are in a second."""
        length = max(1, round(self.frame_length * response.shape[1] / self.duration_s))
        n_frames = max(1, response.shape[1] // length)
        samples = response[:, : n_frames * length].reshape(len(response), n_frames, -1)
        frames = np.sqrt(np.square(samples).mean(axis=-1)) if rms else samples.mean(axis=-1)
        return frames, response.shape[1] / self.duration_s / length

    def _plot_channels(self, ax: Plot, response: np.ndarray) -> None:
        offset = np.abs(response.mean(axis=1)) / np.maximum(response.std(axis=1), np.finfo(response.dtype).tiny)
        frames, frame_rate_hz = self._frames(response, rms=bool(np.median(offset) < 0.01))
        CochleagramDisplay.from_response(
            frames, frequencies_hz=self.frequencies_hz, frame_rate_hz=frame_rate_hz, ax=ax, colorbar=False
        )
        ax.set_yticks([hz for hz in (200, 1000, 5000) if hz in ax.get_yticks()], minor=False)
        ax.set_yticklabels([f"{hz / 1000:g}" for hz in ax.get_yticks()])
        ax.set_ylabel("kHz")

    def _plot_modulation(self, ax: Plot, response: np.ndarray) -> None:
        """Rows sorted by modulation frequency, then by centre frequency, with a line between the blocks."""
        frames, frame_rate_hz = self._frames(response)
        pairs = np.array([tuple(pair) for pair in self.modulation_index], dtype=float)
        order = np.lexsort((pairs[:, 0], pairs[:, 1]))
        modulation_hz, starts = np.unique(pairs[order, 1], return_index=True)
        borders = np.append(starts, len(order))
        reach = float(np.percentile(np.abs(frames), 99.5)) or 1.0
        time = np.arange(frames.shape[1] + 1) / frame_rate_hz
        style = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach}  # the slow filters go both ways
        ax.pcolormesh(time, np.arange(len(order) + 1), frames[order], rasterized=True, **style)
        ax.hlines(borders[1:-1], 0, time[-1], colors="0.5", linewidth=0.5)
        ax.set_yticks((borders[1:] + borders[:-1]) / 2, [f"{hz:.0f}" for hz in modulation_hz], fontsize="x-small")
        ax.set_ylabel("modulation, Hz")
