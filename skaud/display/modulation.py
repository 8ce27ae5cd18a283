"""Modulation spectra: how strongly every channel fluctuates, and how fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud._pyplot import pyplot
from skaud._types import Estimator, Plot
from skaud.design.limits import check_numbers
from skaud.display.frequency_axis import edges_hz, scale_frequencies
from skaud.display.given import fitted_model, one_clip
from skaud.sound import Sound


class ModulationDisplay:
    """Modulation spectrum: the response of every modulation filter of every channel.

    Make one with `from_estimator` or `from_response`. Where a channel has no filter of a modulation frequency, the
    background shows.

    Parameters
    ----------
    response : array-like of shape (n_features,)
        Response, a number for every modulation filter of every channel.
    modulation_index : pandas.MultiIndex or array-like of shape (n_features, 2)
        Centre frequency and modulation frequency of every feature in Hz, such as `Osses2021.modulation_index_`.
    response_name : str, default="response"
        What the colour bar says.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the modulation spectrum.
    figure_ : matplotlib Figure
        Figure that contains it.
    mesh_ : matplotlib QuadMesh
        The coloured cells.
    colorbar_ : matplotlib Colorbar or None
        Scale of the colours.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skaud import Osses2021, datasets
    >>> from skaud.display import ModulationDisplay
    >>> noise = datasets.make_am_noise(4, duration_s=0.5, sample_rate=44100, random_state=0)[0]
    >>> model = Osses2021(sample_rate=44100).fit([noise])
    >>> display = ModulationDisplay.from_estimator(model, noise)
    >>> display.ax_.get_xlabel()
    'Modulation frequency (Hz)'
    """

    def __init__(
        self, response: npt.ArrayLike, *, modulation_index: npt.ArrayLike, response_name: str = "response"
    ) -> None:
        self.response = response
        self.modulation_index = modulation_index
        self.response_name = response_name

    @classmethod
    def from_estimator(
        cls,
        model: Estimator,
        x: Sound | npt.ArrayLike,
        ax: Plot | None = None,
        *,
        sample_rate: float | None = None,
        **kwargs: Any,
    ) -> ModulationDisplay:
        """Run a model on one signal and plot the RMS over its frames.

        Parameters
        ----------
        model : AudioTransformer
            Fitted model with ``output="modulation"``, such as `skaud.Osses2021`; its pooling is left out.
        x : Sound, or array-like of shape (n_samples,)
            Sound.
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        sample_rate : float, default=None
            Rate of x in Hz, where it is not the model's; a Sound knows its own.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        ModulationDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If the model has no modulation filters, or x is not one signal of one ear.
        """
        model = fitted_model(model)
        if model.output != "modulation":
            raise ValueError(f"model has output={model.output!r}; it must be 'modulation': set it and fit again.")
        one_clip(x, "(n_samples,)")
        if getattr(model, "n_ears_in_", None) is not None:
            raise ValueError(f"model was fitted on {model.n_ears_in_} ears; fit it on signals without an axis of ears.")
        pooled = fitted_copy(model, pooling=("mean", "std"))
        mean, std = np.asarray(pooled.set_output(transform="default").transform([x], sample_rate)).reshape(2, -1)
        return cls.from_response(
            np.hypot(mean, std),
            modulation_index=model.modulation_index_,
            response_name="Modulation, RMS (model units)",
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_response(
        cls,
        response: npt.ArrayLike,
        *,
        modulation_index: npt.ArrayLike,
        response_name: str = "response",
        ax: Plot | None = None,
        **kwargs: Any,
    ) -> ModulationDisplay:
        """Plot a response that is at hand.

        Parameters
        ----------
        response : array-like of shape (n_features,)
            Response, such as ``model.transform(X)[0]`` with ``pooling="mean"``.
        modulation_index : pandas.MultiIndex or array-like of shape (n_features, 2)
            Centre frequency and modulation frequency of every feature in Hz.
        response_name : str, default="response"
            What the colour bar says.
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        ModulationDisplay
            The plotted display.
        """
        return cls(response, modulation_index=modulation_index, response_name=response_name).plot(ax, **kwargs)

    def plot(self, ax: Plot | None = None, *, colorbar: bool = True, **kwargs: Any) -> ModulationDisplay:
        """Plot the modulation spectrum: a column a modulation frequency, low channels at the bottom.

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
        ModulationDisplay
            The display itself.

        Raises
        ------
        ValueError
            If response and modulation_index do not belong together.
        """
        cells, center_hz, modulation_hz = self._cells()
        if ax is None:
            ax = pyplot(type(self).__name__).subplots(figsize=(5, 4), layout="constrained")[1]
        columns = np.arange(len(modulation_hz))
        borders = np.arange(len(columns) + 1) - 0.5
        style = {"cmap": "magma", "vmin": min(0.0, float(cells.min()))}
        self.mesh_ = ax.pcolormesh(borders, edges_hz(center_hz), cells, rasterized=True, **{**style, **kwargs})
        ax.set_facecolor("0.8")  # not a colour of the map: no such filter
        scale_frequencies(ax, "y", center_hz[0], center_hz[-1])
        ax.set_xticks(columns, [f"{hz:.0f}" for hz in modulation_hz])
        ax.set(xlabel="Modulation frequency (Hz)", ylabel="Centre frequency (kHz)")
        self.ax_, self.figure_ = ax, ax.figure
        self.colorbar_ = ax.figure.colorbar(self.mesh_, ax=ax, pad=0.02, label=self.response_name) if colorbar else None
        return self

    def _cells(self) -> tuple[np.ma.MaskedArray, np.ndarray, np.ndarray]:
        """Response (n_channels, n_modulation_frequencies), masked where there is no filter, and both frequencies."""
        response = check_numbers("response", self.response)
        pairs = np.array([tuple(pair) for pair in np.asarray(self.modulation_index)], dtype=float)
        if response.ndim != 1 or not response.size or pairs.shape != (response.size, 2):
            raise ValueError(
                f"response has shape {response.shape} and modulation_index {pairs.shape}; they must be (n_features,) "
                "and (n_features, 2), at least 1: pool over time, and pick one signal and one ear."
            )
        (center_hz, row), (modulation_hz, column) = (np.unique(hz, return_inverse=True) for hz in pairs.T)
        if len(center_hz) < 2:
            raise ValueError(f"modulation_index has one centre frequency, {center_hz[0]:g} Hz; pass at least 2.")
        cells = np.ma.masked_all((len(center_hz), len(modulation_hz)))
        cells[row, column] = response
        return cells, center_hz, modulation_hz
