"""Spectrotemporal receptive fields applied to spectrograms in the Fourier domain, and the adjoint; array-API code.

Every filter passes half of the rates and half of the scales, so that its response is complex. A spectrogram longer than
the filters goes through in overlapping blocks.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.fft

from skaud.kernels.array_api import Array, array_namespace, constant, fft_namespace, zeros


class Cortex(NamedTuple):
    """Filters for spectrograms of up to n_scale_bins channels, and of up to n_rate_bins frames or blocks of them."""

    rates: np.ndarray  # (n_strfs, n_rate_bins) complex, transfer over the half that the sign chooses
    upwards: np.ndarray  # (n_strfs,), whether that is the lower half: rates above 0
    scales: np.ndarray  # (n_strfs, n_scale_bins), 0 in the first bin


class Block(NamedTuple):
    """Frames that are filtered together: n_new from begin on, which are heard with n_rate_bins before and after."""

    begin: int
    n_new: int
    n_rate_bins: int
    alone: bool  # the whole spectrogram

    @property
    def n_fft(self) -> int:
        """Frames of the FFT: twice those heard before the response, or the new ones with both neighbourhoods."""
        return (2 if self.alone else 4) * self.n_rate_bins


class Filters(NamedTuple):
    """Some of the filters beside the arrays that they are applied to."""

    numbers: slice  # among all
    transfer: Array  # (n, 1, n_bins), over the bins that pass
    scale: Array  # (n, n_scale_bins, 1)
    passed: slice  # bins of the spectrum; all, or of a filter alone the half of its sign
    slopes: tuple[Array, Array] | None = None  # of transfer (n, n_bins) and scale (n, n_scale_bins) by their parameters

    @property
    def upper(self) -> bool:
        """Whether it passes the upper half alone."""
        return self.passed.start > 0


def cut(n_frames: int, n_rate_bins: int) -> list[Block]:
    """One block for as many frames as the filters are long, and several for more."""
    if n_frames <= n_rate_bins:
        return [Block(0, n_frames, n_rate_bins, alone=True)]
    hop = 2 * n_rate_bins
    return [Block(begin, min(hop, n_frames - begin), n_rate_bins, alone=False) for begin in range(0, n_frames, hop)]


def filters_beside(
    x: Array, cortex: Cortex, *, alone: bool, at_once: int = 1, slopes: Cortex | None = None
) -> list[Filters]:
    """The filters for blocks of x, one by one or some at once; with their slopes for the adjoint."""
    n_strfs, n = cortex.rates.shape
    by_halves, n_bins, found = alone and at_once == 1, 2 * n if alone else 4 * n, []

    def transfers(own: Cortex) -> Array:
        return constant(own.rates if by_halves else over_both_halves(own) if alone else long_transfers(own), x)

    transfer, scale = transfers(cortex)[:, None, :], constant(cortex.scales, x)[:, :, None]
    for k in range(0, n_strfs, at_once):
        passed = slice(0, n_bins) if not by_halves else slice(0, n) if cortex.upwards[k] else slice(n, 2 * n)
        own = slice(k, min(k + at_once, n_strfs))
        found.append(Filters(own, transfer[own, ...], scale[own, ...], passed))
    if slopes is None:
        return found
    transfer, scale = transfers(slopes), constant(slopes.scales, x)
    return [own._replace(slopes=(transfer[own.numbers, ...], scale[own.numbers, ...])) for own in found]


def window(spectrogram: Array, begin: int, block: Block) -> Array:
    """Frames that a block hears, of a spectrogram that begins at that frame; beyond its ends there is silence."""
    if block.alone:
        return spectrogram
    first = block.begin - block.n_rate_bins - begin
    heard = spectrogram[..., max(0, first) : first + block.n_fft]
    n_before = max(0, -first)
    silence = [zeros((*heard.shape[:-1], n), heard) for n in (n_before, block.n_fft - n_before - heard.shape[-1])]
    return array_namespace(spectrogram).concat([silence[0], heard, silence[1]], axis=-1)


def windows_adjoint(window_bars: list[Array], n_frames: int, n_rate_bins: int) -> Array:
    """Adjoint of `window` for all blocks, each of which shares half its window with the next."""
    if n_frames <= n_rate_bins:
        return window_bars[0]
    hop = 2 * n_rate_bins
    pieces = [window_bars[0][..., n_rate_bins:hop]]
    pieces += [before[..., hop:] + own[..., :hop] for before, own in pairwise(window_bars)]
    pieces.append(window_bars[-1][..., hop:])
    return array_namespace(pieces[0]).concat(pieces, axis=-1)[..., :n_frames]


def transform(heard: Array, n_scale_bins: int, block: Block) -> Array:
    """2-D spectrum of (n_rows, n_channels, n_heard), scales from 0 up: (n_rows, n_scale_bins, n_fft)."""
    fft = fft_namespace(heard)
    over_scales = fft.rfft(heard, n=2 * n_scale_bins, axis=-2)[:, :n_scale_bins, :]
    return fft.fft(over_scales, n=block.n_fft, axis=-1)


def transform_adjoint(spectrum_bar: Array, n_channels: int, block: Block) -> Array:
    """Adjoint of `transform`, whose first scale nobody uses, for the frames that the block hears."""
    fft = fft_namespace(spectrum_bar)
    n_scale_bins, n_heard = spectrum_bar.shape[1], block.n_new if block.alone else block.n_fft
    # spectrum = fft(over_scales)
    over_scales_bar = block.n_fft * fft.ifft(spectrum_bar, axis=-1)[..., :n_heard]
    # over_scales = rfft(window)
    return n_scale_bins * fft.irfft(over_scales_bar, n=2 * n_scale_bins, axis=-2)[:, :n_channels, :]


def respond(spectrum: Array, strfs: Filters, block: Block, n_channels: int, *, real: bool) -> Array:
    """Response of filters to a block, (n_rows, n_filters, n_channels, n_new): complex, or its real part."""
    fft, n_scale_bins = fft_namespace(spectrum), spectrum.shape[-2]
    begin = 0 if block.alone else block.n_rate_bins
    passed = spectrum[:, None, :, strfs.passed] * strfs.transfer
    over_time = fft.ifft(passed, n=block.n_fft, axis=-1)[..., begin : begin + block.n_new] * strfs.scale
    if real:
        response = fft.irfft(over_time, n=2 * n_scale_bins, axis=-2)[..., :n_channels, :] * 0.5
    else:
        response = fft.ifft(over_time, n=2 * n_scale_bins, axis=-2)[..., :n_channels, :]
    return response * _alternation(block.n_new, response) if strfs.upper else response


def respond_adjoint(bar: Array, conjugate: Array, strfs: Filters, block: Block) -> tuple[Array, Array, Array]:
    """Adjoint of `respond`, of whose spectrum the conjugate is given: for the bins that pass, and for the parameters.

    Bars of rates and scales, (n_rows, n_filters), come row by row. The inner product of complex numbers is
    Re(conj(a) b). No sum is a product with a matrix: BLAS would spread it over threads, which wait for each other
    longer than it takes.
    """
    xp, fft, n_scale_bins = array_namespace(bar), fft_namespace(bar), conjugate.shape[-2]
    # response = response * alternation
    if strfs.upper:
        bar = bar * _alternation(block.n_new, bar)
    # response = ifft(over_time), over scales; or half of the real part's
    over_scales = fft.fft if xp.isdtype(bar.dtype, "complex floating") else fft.rfft
    over_time_bar = over_scales(bar, n=2 * n_scale_bins, axis=-2)[..., :n_scale_bins, :]
    # over_time = ifft(filtered)[begin : begin + n_new] * scale
    if not block.alone:
        gap = zeros((*over_time_bar.shape[:-1], block.n_rate_bins), over_time_bar)
        over_time_bar = xp.concat([gap, over_time_bar], axis=-1)
    unscaled_bar = fft.fft(over_time_bar, n=block.n_fft, axis=-1)[..., : strfs.transfer.shape[-1]]
    # filtered = passed * transfer * scale; both inverse transforms divide by their lengths
    n, passed = 2 * n_scale_bins * block.n_fft, conjugate[:, None, :, strfs.passed]
    scaled_bar = unscaled_bar * (strfs.scale / n)
    assert strfs.slopes is not None
    of_transfer, of_scale = strfs.slopes
    transfer_bar = xp.sum(scaled_bar * passed, axis=2)
    scale_bar = xp.real(xp.vecdot(strfs.transfer, unscaled_bar * passed)) / n
    rate_bars, scale_bars = xp.real(xp.vecdot(of_transfer, transfer_bar)), xp.vecdot(of_scale, scale_bar)
    passed_bar = scaled_bar * xp.conj(strfs.transfer)
    return passed_bar[:, 0, ...] if passed_bar.shape[1] == 1 else xp.sum(passed_bar, axis=1), rate_bars, scale_bars


def over_both_halves(cortex: Cortex) -> np.ndarray:
    """Transfer functions over all bins of a spectrogram, 0 in the half that does not pass."""
    rates, n = cortex.rates, cortex.rates.shape[1]
    return np.where(cortex.upwards[:, np.newaxis], np.pad(rates, ((0, 0), (0, n))), np.pad(rates, ((0, 0), (n, 0))))


def long_transfers(cortex: Cortex) -> np.ndarray:
    """Transfer functions over all bins of blocks, of the same impulse response, n_rate_bins - 1 frames each side."""
    n = cortex.rates.shape[1]
    response = scipy.fft.ifft(over_both_halves(cortex))
    nothing = np.zeros((len(response), 2 * n + 1))
    return scipy.fft.fft(np.concatenate([response[:, :n], nothing, response[:, n + 1 :]], axis=1))


def _alternation(n_frames: int, x: Array) -> Array:
    """(-1) ** t: the upper half of the bins lies half the frame rate above the lower."""
    return constant(1.0 - 2.0 * (np.arange(n_frames) % 2), x)
