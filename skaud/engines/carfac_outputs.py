"""CARFAC's outputs: what they are made of, on the CPU and on a GPU, and backwards."""

from typing import NamedTuple

import numpy as np

from skaud.design.carfac import CARFACCoefficients
from skaud.kernels.array_api import Array, array_namespace, beside, to_numpy
from skaud.kernels.carfac import layout

# Rows of the kernel's lines that an output is made of; the NAP, which every run computes, needs none.
ROWS = {
    "nap": (),
    "bm": (layout.BM,),
    "receptor_potential": (layout.CAP1,),
    "agc": (layout.ZB,),
    "ohc": (layout.ZA,),
    "spikes_per_s": tuple(layout.RELEASE + layout.LANES * row for row in range(layout.N_CLASSES)),
}
LACKING = {
    "just_hwr": ("receptor_potential", "spikes_per_s"),
    "one_cap": ("receptor_potential", "spikes_per_s"),
    "two_cap": ("spikes_per_s",),
    "two_cap_with_syn": (),
}


class Outputs(NamedTuple):
    """How a design's outputs are made of what was tapped, arrays of any library.

    cap1_rest : charge at rest, spikes_per_release : spikes a second at a release of 1 a sample, (n_ears, n_channels,
    n_classes), which is empty without a synapse
    """

    cap1_rest: float
    spikes_per_release: np.ndarray

    @classmethod
    def of(cls, ears: tuple[CARFACCoefficients, ...], sample_rate: float, dtype: str) -> "Outputs":
        """Those of a design an ear."""
        releases = [ear.synapse.n_fibers * sample_rate for ear in ears if ear.synapse is not None]
        cap1_rest = np.dtype(dtype).type(getattr(ears[0].hair_cell, "cap1_rest", 0.0)).item()
        return cls(cap1_rest, np.array(releases, dtype))

    def finish(self, name: str, tapped: Array) -> Array:
        """Output (n_signals, n_ears, n_channels, ..., n) of tapped rows (n_signals, n_ears, n_taps, n_channels, n)."""
        if name == "spikes_per_s":
            return array_namespace(tapped).moveaxis(tapped, 2, 3) * self._per_release(tapped)
        only = tapped[:, :, 0, ...]
        return self.cap1_rest - only if name == "receptor_potential" else only

    def finish_adjoint(self, name: str, bar: Array) -> Array:
        """Bar of the tapped rows, (n_rows, n_taps, n_channels, n)."""
        xp = array_namespace(bar)
        if name == "spikes_per_s":
            # moveaxis(tapped, 2, 3) * spikes_per_release
            own = xp.moveaxis(bar * self._per_release(bar), 3, 2)
            return xp.reshape(own, (-1, *own.shape[2:]))
        # cap1_rest - only
        own = -bar if name == "receptor_potential" else bar
        return xp.reshape(own, (-1, 1, *own.shape[2:]))

    def own_bars(self, name: str, bar: Array, tapped: Array) -> tuple[float, np.ndarray]:
        """Bars of cap1_rest and spikes_per_release, by the rows (n_rows, n_taps, n_channels, n) that were tapped."""
        cap1_rest, spikes = 0.0, np.zeros(self.spikes_per_release.shape)
        if name == "receptor_potential":
            cap1_rest = to_numpy(bar).sum(dtype=float)
        if name == "spikes_per_s":
            released = np.moveaxis(to_numpy(tapped), 1, 2).reshape(bar.shape)
            of_ears = (to_numpy(bar) * released).sum(axis=-1, dtype=float)
            spikes = of_ears.reshape(-1, *spikes.shape).sum(axis=0)
        return cap1_rest, spikes

    def _per_release(self, like: Array) -> Array:
        return beside(self.spikes_per_release[..., np.newaxis], like)
