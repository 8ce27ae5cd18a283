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

SCALED = "scaled"  # of the responses to blocks: what is compressed
Cochlea = Callable[[slice, float], Array]  # response of the filters to blocks, of some channels, times a gain


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
        """What gives some channels of the filters' response to blocks, or of x, where there are no filters.

        The sound gets the gain, which is less than all channels.
        """
        filters = self.design.filters
        if filters is None:
            return lambda channels, gain: _scaled(new[:, channels, None, :], gain)
        if is_complex(new):  # a step is too small to be mixed with what it belongs to
            real, step = (self.cochlea_of(*pair, block) for pair in ((new.real, past.real), (new.imag, past.imag)))
            return lambda channels, gain: real(channels, gain) + 1j * step(channels, gain)
        x_hat, spectra = fourier.block_spectra(new, past, block), filters.spectra(block, new)
        return lambda channels, gain: fourier.filter_blocks(_scaled(x_hat, gain), spectra[channels, :], block)

    def respond(
        self, cochlea: Cochlea, outputs: Sequence[str], begin: int, kept: Kept | None, group: slice
    ) -> dict[str, Array]:
        """Responses (n_rows, n_channels, n_blocks, n_new) of some channels; of the spectrogram, sums of its periods."""
        channels = self.channels_of(group)
        found = self.compressed(cochlea, channels)
        if kept is not None:
            kept[begin, group.start] = found.copy()
        if COCHLEA in outputs and COCHLEA not in found:
            found[COCHLEA] = cochlea(channels, 1.0)
        y = found[COMPRESSED]
        if INHIBITED in outputs:
            assert self.design.inhibition is not None
            found[INHIBITED] = inhibit(y, self.design.inhibition)
        if SPECTROGRAM in outputs:
            own, inhibition = self.weights(), self.design.inhibition
            found[SPECTROGRAM] = weigh(y, own) if inhibition is None else inhibited_sums(y, inhibition, own)
        if self.overlap and channels.stop < self.design.n_channels:  # the next group has it, too
            found |= {name: found[name][:, :-1, ...] for name in (COCHLEA, COMPRESSED) if name in found}
        return {name: found[name] for name in outputs}

    def compressed(self, cochlea: Cochlea, channels: slice) -> dict[str, Array]:
        """What compression takes and makes of some channels; without it, response of the filters under both names."""
        if COMPRESSED not in self.names:
            y = cochlea(channels, 1.0)
            return {COCHLEA: y, COMPRESSED: y}
        assert self.design.compression is not None
        scaled = cochlea(channels, self.design.gain)
        return {SCALED: scaled, COMPRESSED: compress(scaled, self.design.compression[channels])}

    def reverse(
        self,
        bar: Array,
        cochlea: Cochlea,
        block: fourier.Block,
        begin: int,
        kept: Kept,
        wanted: Sequence[str],
        group: slice,
    ) -> tuple[slice, dict[str, Array], Array]:
        """Adjoint for some channels: these, bars of coefficients, and that of x or of its spectra."""
        channels = self.channels_of(group)
        forward = kept.get((begin, group.start)) or self.compressed(cochlea, channels)
        bars, for_x, gain = dict[str, Array](), "X" in wanted, 1.0
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
        if COMPRESSED in self.names and (for_x or COMPRESSED in wanted):
            assert self.design.compression is not None
            exponents, gain = self.design.compression[channels], self.design.gain if for_x else 1.0
            bar, bars[COMPRESSED] = compress_adjoint(bar, forward[SCALED], forward[COMPRESSED], exponents, for_x=for_x)
        # cochlea = filter_blocks(x_hat)
        if self.design.filters is not None and for_x:
            bar = fourier.filter_blocks_adjoint(bar, self.design.filters.spectra(block, bar)[channels, :], block)
        return channels, bars, _scaled(bar, gain)

    def weights(self) -> np.ndarray:
        assert self.design.decay is not None
        return weights(self.design.decay, self.design.period)


def _scaled(x: Array, gain: float) -> Array:
    return x if gain == 1 else x * gain
