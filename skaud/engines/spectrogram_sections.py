"""What an auditory spectrogram computes of blocks of sound, some channels at a time, and its adjoint."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from skaud.engines.spectrogram_layout import COCHLEA, COMPRESSED, INHIBITED, SPECTROGRAM, Design, Kept
from skaud.kernels import fourier
from skaud.kernels.array_api import Array, array_namespace, is_complex
from skaud.kernels.cochlear import compress, compress_adjoint, inhibit, inhibit_adjoint
from skaud.kernels.inhibited_sums import inhibited_sums, inhibited_sums_adjoint
from skaud.kernels.leaky_integrator import weigh, weigh_adjoint, weights, weights_slope

SLOPE = "slope"  # of the weights of the integrator, by its decay

Cochlea = Callable[[slice], Array]  # response of the filters to blocks, of some channels


class Sections(NamedTuple):
    """Stages of a design up to the last that is asked for, by name."""

    design: Design
    names: tuple[str, ...]

    @property
    def overlap(self) -> int:
        """Channels that a group shares with the next: inhibition needs one more than it returns."""
        return int(INHIBITED in self.names)

    def channels_of(self, group: slice) -> slice:
        """Channels that a group of those of the output needs."""
        return slice(group.start, group.stop + self.overlap)

    def cochlea_of(self, new: Array, past: Array, block: fourier.Block) -> Cochlea:
        """What gives some channels of the filters' response to blocks, or of x, where there are no filters."""
        filters = self.design.filters
        if filters is None:
            return lambda channels: new[:, channels, None, :]
        if is_complex(new):  # a step is too small to be mixed with what it belongs to
            real, step = (self.cochlea_of(*pair, block) for pair in ((new.real, past.real), (new.imag, past.imag)))
            return lambda channels: real(channels) + 1j * step(channels)
        x_hat, spectra = fourier.block_spectra(new, past, block), filters.spectra(block, new)
        return lambda channels: fourier.filter_blocks(x_hat, spectra[channels, :], block)

    def respond(
        self, cochlea: Cochlea, outputs: Sequence[str], begin: int, kept: Kept | None, group: slice
    ) -> dict[str, Array]:
        """Responses (n_rows, n_channels, n_blocks, n_new) of some channels; of the spectrogram, sums of its periods."""
        channels = self.channels_of(group)
        found = self.compressed(cochlea(channels), channels)
        if kept is not None:
            kept[begin, group.start] = found.copy()
        y = found[COMPRESSED]
        if INHIBITED in outputs:
            assert self.design.inhibition is not None
            found[INHIBITED] = inhibit(y, self.design.inhibition)
        if SPECTROGRAM in outputs:
            own, inhibition = self.weights(), self.design.inhibition
            found[SPECTROGRAM] = weigh(y, own) if inhibition is None else inhibited_sums(y, inhibition, own)
        if self.overlap and channels.stop < self.design.n_channels:  # the next group has it, too
            found |= {name: found[name][:, :-1, ...] for name in (COCHLEA, COMPRESSED)}
        return {name: found[name] for name in outputs}

    def compressed(self, y: Array, channels: slice) -> dict[str, Array]:
        """Response of the filters, and what compression makes of it, or of what comes before the first stage."""
        found = {COCHLEA: y}
        if COMPRESSED in self.names:
            assert self.design.compression is not None
            y = found["scaled"] = y if self.design.gain == 1 else y * self.design.gain
            y = compress(y, self.design.compression[channels])
        found[COMPRESSED] = y
        return found

    def reverse(
        self, bar: Array, cochlea: Cochlea, block: fourier.Block, begin: int, kept: Kept, for_x: bool, group: slice
    ) -> tuple[slice, dict[str, Array], Array]:
        """Adjoint for some channels: these, bars of coefficients, and that of x or of its spectra."""
        channels = self.channels_of(group)
        forward = kept.get((begin, group.start)) or self.compressed(cochlea(channels), channels)
        bars: dict[str, Array] = {}
        bar, y, inhibition = (
            bar[:, group if self.overlap else channels, ...],
            forward[COMPRESSED],
            self.design.inhibition,
        )
        if SPECTROGRAM in self.names:
            assert self.design.decay is not None
            own, slopes = self.weights(), weights_slope(self.design.decay.real, self.design.period)
            if inhibition is not None:
                # spectrogram = leak(inhibited_sums(compressed))
                bar, bars[INHIBITED], bars[SLOPE] = inhibited_sums_adjoint(bar, y, inhibition, own, slopes)
            else:
                # spectrogram = leak(weigh(compressed))
                bars[SLOPE] = array_namespace(bar).sum(bar * weigh(y, slopes), axis=(1, 2, 3))
                bar = weigh_adjoint(bar, own)
        elif inhibition is not None and INHIBITED in self.names:
            # inhibited = inhibit(compressed)
            bar, bars[INHIBITED] = inhibit_adjoint(bar, y, inhibit(y, inhibition), inhibition)
        # compressed = compress(gain * cochlea)
        if COMPRESSED in self.names:
            assert self.design.compression is not None
            exponents = self.design.compression[channels]
            bar, bars[COMPRESSED] = compress_adjoint(bar, forward["scaled"], forward[COMPRESSED], exponents)
            bar = bar if self.design.gain == 1 else bar * self.design.gain
        # cochlea = filter_blocks(x_hat)
        if self.design.filters is not None and for_x:
            bar = fourier.filter_blocks_adjoint(bar, self.design.filters.spectra(block, bar)[channels, :], block)
        return channels, bars, bar

    def weights(self) -> np.ndarray:
        assert self.design.decay is not None
        return weights(self.design.decay, self.design.period)
