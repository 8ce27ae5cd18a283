"""Spectrotemporal receptive fields: where they lie in rate and scale, and what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud._pyplot import pyplot
from skaud._types import Estimator, Plot
from skaud.design.cochlear import CHANNELS_PER_OCTAVE
from skaud.design.limits import check_numbers
from skaud.engines.cortical import Cortical, STRFs
from skaud.engines.engine import respond
from skaud.stages.cortical import strf_names

FALLING, RISING = "tab:red", "tab:blue"  # of sweeps: rates above 0, below 0
SCALE_TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)
RATE_TICKS_HZ = (1, 2, 4, 8, 16, 32, 64, 128)
LINEAR_BELOW_HZ = 1.0  # of the axis of rates


class STRFDisplay:
    """Spectrotemporal receptive fields (STRFs): scales against rates, and single fields as pictures.

    Make one with `from_estimator`.

    Parameters
    ----------
    scales_cycles_per_octave, rates_hz : array-like of shape (n_strfs,)
        The fields.
    initial_scales_cycles_per_octave, initial_rates_hz : array-like of shape (n_strfs,), default=None
        Where they were before they were learned.
    frame_rate_hz : float, default=200
        Frames a second of the spectrogram.
    channels_per_octave : float, default=24
        Channels an octave of the spectrogram.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of them
        Axes with the plot, or one a field.
    figure_ : matplotlib Figure
        Figure that contains them.
    points_ : matplotlib PathCollection
        The fields, after `plot`: red where sweeps fall, rates above 0, and blue where they rise.
    initial_points_ : matplotlib PathCollection or None
        Where they were before, after `plot`.
    arrows_ : list of matplotlib Annotation
        From there to where they are, after `plot`.
    meshes_ : list of matplotlib QuadMesh
        The pictures, after `plot_fields`.

    References
    ----------
    .. [1] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024, figure 3.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> import numpy as np
    >>> from skaud import BiomimeticFrontend
    >>> from skaud.display import STRFDisplay
    >>> display = STRFDisplay.from_estimator(BiomimeticFrontend().fit(np.zeros((1, 1600))))
    >>> len(display.points_.get_offsets())
    40
    """

    def __init__(
        self,
        scales_cycles_per_octave: npt.ArrayLike,
        rates_hz: npt.ArrayLike,
        *,
        initial_scales_cycles_per_octave: npt.ArrayLike | None = None,
        initial_rates_hz: npt.ArrayLike | None = None,
        frame_rate_hz: float = 200,
        channels_per_octave: float = CHANNELS_PER_OCTAVE,
    ) -> None:
        self.scales_cycles_per_octave = scales_cycles_per_octave
        self.rates_hz = rates_hz
        self.initial_scales_cycles_per_octave = initial_scales_cycles_per_octave
        self.initial_rates_hz = initial_rates_hz
        self.frame_rate_hz = frame_rate_hz
        self.channels_per_octave = channels_per_octave

    @classmethod
    def from_estimator(
        cls, model: Estimator, ax: Plot | None = None, *, strfs: Sequence[int] | None = None, **kwargs: Any
    ) -> STRFDisplay:
        """Plot the fields of a fitted model.

        Parameters
        ----------
        model : BiomimeticFrontend or CorticalSTRF
            Fitted model. Where it has learned its fields, those that it began with are drawn too.
        ax : matplotlib Axes, or sequence of them, default=None
            Axes to plot in; None makes a new figure.
        strfs : sequence of int, default=None
            Plot these fields as pictures, one in an axes; None plots scales against rates.
        **kwargs : dict
            Passed to `plot`, or to `plot_fields`.

        Returns
        -------
        STRFDisplay
            The plotted display.

        Raises
        ------
        TypeError
            If the model has no such fields.
        """
        model = fitted_copy(model)
        if not hasattr(model, "scales_cycles_per_octave_"):
            raise TypeError(
                f"model is a {type(model).__name__}, which has no receptive fields; pass a BiomimeticFrontend, or a "
                "CorticalSTRF."
            )
        scales, rates = model.scales_cycles_per_octave_, model.rates_hz_
        initial = (getattr(model, f"initial_{name}_", None) for name in ("scales_cycles_per_octave", "rates_hz"))
        initial_scales, initial_rates = initial
        if initial_scales is not None and np.array_equal([initial_scales, initial_rates], [scales, rates]):
            initial_scales = initial_rates = None
        display = cls(
            scales,
            rates,
            initial_scales_cycles_per_octave=initial_scales,
            initial_rates_hz=initial_rates,
            frame_rate_hz=getattr(model, "frame_rate_hz_", model.frame_rate_hz),
            channels_per_octave=getattr(model, "channels_per_octave", CHANNELS_PER_OCTAVE),
        )
        return display.plot(ax, **kwargs) if strfs is None else display.plot_fields(strfs, ax, **kwargs)

    def plot(self, ax: Plot | None = None, *, arrows: bool = True, **kwargs: Any) -> STRFDisplay:
        """Plot scales against rates, as in figure 3 of Famularo et al. (2024).

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.
        arrows : bool, default=True
            Draw arrows from where the fields were before they were learned.
        **kwargs : dict
            Passed to matplotlib's ``scatter``, such as `s` and `marker`.

        Returns
        -------
        STRFDisplay
            The display itself.
        """
        scales, rates, initial = self._check()
        if ax is None:
            ax = pyplot(type(self).__name__).subplots(figsize=(6.4, 4.2), layout="constrained")[1]
        ax.axvline(0, color="0.85", zorder=0)
        self.initial_points_, self.arrows_ = None, []
        if initial is not None:
            self.initial_points_ = ax.scatter(
                initial[1], initial[0], s=26, facecolors="none", edgecolors="0.7", zorder=1, label="before learning"
            )
            if arrows:
                style = {
                    "arrowstyle": "-|>",
                    "color": "0.7",
                    "lw": 0.8,
                    "shrinkA": 3,
                    "shrinkB": 2,
                    "mutation_scale": 8,
                }
                ends = zip(zip(rates, scales), zip(initial[1], initial[0]))
                self.arrows_ = [ax.annotate("", end, start, arrowprops=style, zorder=1) for end, start in ends]
        colours = np.where(rates > 0, FALLING, RISING)
        self.points_ = ax.scatter(rates, scales, **{"s": 26, "c": colours, "zorder": 2, **kwargs})
        values = np.concatenate([scales, [] if initial is None else initial[0]])
        reach = np.abs(np.concatenate([rates, [] if initial is None else initial[1]])).max() * 1.3
        ax.set_xscale("symlog", linthresh=LINEAR_BELOW_HZ, linscale=0.5)
        ax.set_yscale("log")
        ticks = [hz for hz in RATE_TICKS_HZ if hz <= reach]
        ticks = [-hz for hz in reversed(ticks)] + [0, *ticks]
        ax.set_xticks(ticks, [f"{hz:+g}" if hz else "0" for hz in ticks])
        ax.set_yticks(SCALE_TICKS, [f"{scale:g}" for scale in SCALE_TICKS])
        ax.set_xticks([], minor=True)
        ax.set_yticks([], minor=True)
        ax.set(xlabel="Rate (Hz)", ylabel="Scale (cycles/octave)")
        ax.set(xlim=(-reach, reach), ylim=(values.min() / 1.4, values.max() * 1.4))
        for x, words in ((0.02, "rising"), (0.98, "falling")):
            ax.text(x, 1.01, words, transform=ax.transAxes, ha="left" if x < 0.5 else "right", va="bottom", color="0.4")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def plot_fields(
        self,
        strfs: Sequence[int] | None = None,
        axes: Plot | None = None,
        *,
        duration_s: float = 0.4,
        octaves: float = 1.5,
        **kwargs: Any,
    ) -> STRFDisplay:
        """Plot single fields: the real response to one frame of one channel, all on the same axes.

        Parameters
        ----------
        strfs : sequence of int, default=None
            Which; None stands for eight of them, or all where there are fewer.
        axes : sequence of matplotlib Axes, default=None
            One a field; None makes a new figure.
        duration_s : float, default=0.4
            How long after the frame the pictures end; they begin a quarter of that before it.
        octaves : float, default=1.5
            How far above and below the channel they reach.
        **kwargs : dict
            Passed to matplotlib's ``pcolormesh``.

        Returns
        -------
        STRFDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no such field, or not as many axes.
        """
        scales, rates, _ = self._check()
        if strfs is None:
            strfs = np.unique(np.linspace(0, len(rates) - 1, min(8, len(rates))).round().astype(int)).tolist()
        strfs = [int(k) for k in np.ravel(strfs)]
        if not strfs or not all(-len(rates) <= k < len(rates) for k in strfs):
            raise ValueError(f"strfs={strfs} must be numbers of fields, 0 to {len(rates) - 1}, at least one.")
        if axes is None:
            n_columns = min(4, len(strfs))
            n_rows = -(-len(strfs) // n_columns)
            size = (2.4 * n_columns + 0.6, 2.1 * n_rows + 0.3)
            figure = pyplot(type(self).__name__).figure(figsize=size, layout="constrained")
            axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
            for ax in axes[len(strfs) :]:
                ax.set_axis_off()
        axes = np.ravel(axes)
        if len(axes) < len(strfs):
            raise ValueError(f"axes has {len(axes)} axes for {len(strfs)} fields; pass one a field.")
        before, after = round(duration_s / 4 * self.frame_rate_hz), round(duration_s * self.frame_rate_hz)
        above = round(octaves * self.channels_per_octave)
        # Long and high enough that what lies beyond the picture does not matter.
        impulse = np.zeros((1, 1, 2 * above + 1, 4 * (before + after)))
        impulse[..., above, before] = 1
        chosen = STRFs(scales[strfs], rates[strfs], self.frame_rate_hz, self.channels_per_octave)
        engine = Cortical(chosen, 2 * above + 1, "real", "float64")
        fields = respond(engine, impulse, engine.outputs, None)["cortical"][0, 0, :, :, : before + after]
        seconds = (np.arange(before + after + 1) - before - 0.5) / self.frame_rate_hz
        height = (np.arange(2 * above + 2) - above - 0.5) / self.channels_per_octave
        self.meshes_ = []
        for ax, field, name in zip(axes, fields, strf_names(chosen.scales_cycles_per_octave, chosen.rates_hz)):
            peak = np.abs(field).max()
            style = {"cmap": "RdBu_r", "vmin": -peak, "vmax": peak, "rasterized": True}
            self.meshes_.append(ax.pcolormesh(seconds, height, field, **style | kwargs))
            rate, scale = name.removeprefix("rate").split("_scale")
            ax.set_title(f"{rate} Hz, {scale} c/oct", fontsize="medium")
            ax.label_outer()
        grid = axes[: len(strfs)]
        self.ax_, self.figure_ = grid, grid[0].figure
        self.figure_.supxlabel("Time (s)", fontsize="medium")
        self.figure_.supylabel("Octaves", fontsize="medium")
        return self

    def _check(self) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
        """Scales and rates, and those before."""
        given = (self.scales_cycles_per_octave, self.rates_hz)
        before = (self.initial_scales_cycles_per_octave, self.initial_rates_hz)
        scales, rates = map(check_numbers, ("scales_cycles_per_octave", "rates_hz"), given)
        shapes = {np.shape(values) for values in (*given, *(values for values in before if values is not None))}
        if len(shapes) > 1 or scales.ndim != 1 or not len(scales) or (before[0] is None) != (before[1] is None):
            raise ValueError(
                f"scales_cycles_per_octave, rates_hz and those before have shapes {sorted(shapes)}; give one number a "
                "field in each, and both of those before, or none."
            )
        if (scales <= 0).any():
            raise ValueError(f"scales_cycles_per_octave has {scales[scales <= 0]}; every scale must lie above 0.")
        if before[0] is None:
            return scales, rates, None
        initial_scales, initial_rates = (np.asarray(values, dtype=float) for values in before)
        return scales, rates, (initial_scales, initial_rates)
