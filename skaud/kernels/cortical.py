"""Spectrotemporal receptive fields applied to spectrograms in the Fourier domain, and the adjoint; array-API code.

Every filter passes half of the rates and half of the scales, so that its response is complex. A spectrogram longer than
the filters goes through in overlapping blocks.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.fft

from skaud.kernels.array_api import Array, array_namespace, constant, fft_namespace, is_foreign, zeros
from skaud.kernels.filtered_spectra import filtered_adjoint, filtered_frames

BYTES_AT_ONCE = 1 << 22  # of spectra of neighbouring filters: less than a call of NumPy and SciPy for each costs
NEGLIGIBLE = 0.01  # of the precision beside 1: what a filter passes of a scale where no sum notices it


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
    transfer: Array  # (n, 1, n_fft)
    scale: Array  # (n, n_scale_bins + 1, 1), 0 in the last bin; on the host without the last ones that do not count
    passed: slice  # bins of time that pass: all, or of a filter alone the half of its sign
    slopes: tuple[Array, Array] | None = None  # of transfer and scale by their parameters, without axes of length 1


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
    found = []

    def beside_x(own: Cortex) -> tuple[Array, Array]:
        transfer = over_both_halves(own) if alone else long_transfers(own)
        return constant(transfer, x), constant(np.pad(own.scales, ((0, 0), (0, 1))), x)

    transfer, scale = beside_x(cortex)
    if is_foreign(x):  # every new shape costs a plan of FFTs, or a compilation
        groups = [slice(k, min(k + at_once, n_strfs)) for k in range(0, n_strfs, at_once)]
        bins = len(groups) * [scale.shape[1]]
    else:
        groups, bins = _groups_on_host(scale, cortex.upwards if alone else np.ones(n_strfs), transfer[0].nbytes)
    for own, n_scale_bins in zip(groups, bins):
        passed = slice(0, transfer.shape[1])
        if alone and (cortex.upwards[own] == cortex.upwards[own.start]).all():
            passed = slice(0, n) if cortex.upwards[own.start] else slice(n, 2 * n)
        found.append(Filters(own, transfer[own, None, :], scale[own, :n_scale_bins, None], passed))
    if slopes is None:
        return found
    transfer, scale = beside_x(slopes)
    return [
        own._replace(slopes=(transfer[own.numbers, own.passed], scale[own.numbers, : own.scale.shape[1]]))
        for own in found
    ]


def _groups_on_host(scale: np.ndarray, upwards: np.ndarray, n_bytes: int) -> tuple[list[slice], list[int]]:
    """Neighbours of the same half, whose spectra have so many bytes a scale; and the bins of scales that count.

    These end with the last that one of them passes noticeably: far beyond its own scale it falls like a Gaussian.
    """
    magnitude = np.abs(scale)
    counts = ~(magnitude < NEGLIGIBLE * np.finfo(scale.dtype).eps * magnitude.max(axis=1, keepdims=True))  # NaN counts
    own_bins = (scale.shape[1] - counts[:, ::-1].argmax(axis=1)).tolist()
    groups, bins = [slice(0, 1)], own_bins[:1]
    for k in range(1, len(scale)):
        first, most = groups[-1].start, max(bins[-1], own_bins[k])
        if upwards[k] == upwards[first] and (k + 1 - first) * most * n_bytes <= BYTES_AT_ONCE:
            groups[-1], bins[-1] = slice(first, k + 1), most
        else:
            groups.append(slice(k, k + 1))
            bins.append(own_bins[k])
    return groups, bins


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
    """2-D spectrum of (n_rows, n_channels, n_heard), scales from 0 up: (n_rows, n_scale_bins + 1, n_fft)."""
    fft = fft_namespace(heard)
    return fft.fft(fft.rfft(heard, n=2 * n_scale_bins, axis=-2), n=block.n_fft, axis=-1)


def transform_adjoint(spectrum_bar: Array, n_channels: int, block: Block) -> Array:
    """Adjoint of `transform`, whose first and last scale nobody uses, for the frames that the block hears."""
    fft = fft_namespace(spectrum_bar)
    n_scale_bins, n_heard = spectrum_bar.shape[1] - 1, block.n_new if block.alone else block.n_fft
    # spectrum = fft(over_scales)
    over_scales_bar = block.n_fft * fft.ifft(spectrum_bar, axis=-1)[..., :n_heard]
    # over_scales = rfft(window)
    return n_scale_bins * fft.irfft(over_scales_bar, n=2 * n_scale_bins, axis=-2)[:, :n_channels, :]


def respond(spectrum: Array, strfs: Filters, block: Block, n_channels: int, *, real: bool) -> Array:
    """Response of filters to a block, (n_rows, n_filters, n_channels, n_new): complex, or its real part."""
    fft, n_scales = fft_namespace(spectrum), 2 * (spectrum.shape[-2] - 1)
    begin = 0 if block.alone else block.n_rate_bins
    scale = 0.5 * strfs.scale if real else strfs.scale
    frames, n_there = slice(begin, begin + block.n_new), spectrum.shape[-2] if real else n_scales
    over_time = filtered_frames(spectrum, strfs.transfer, scale, strfs.passed, frames, n_there)
    over_channels, in_place = fft.irfft if real else fft.ifft, {} if is_foreign(spectrum) else {"overwrite_x": True}
    return over_channels(over_time, n=n_scales, axis=-2, **in_place)[..., :n_channels, :]


def respond_adjoint(bar: Array, conjugate: Array, strfs: Filters, block: Block) -> tuple[Array, Array, Array]:
    """Adjoint of `respond`, of whose spectrum the conjugate is given: for the bins that pass, and for the parameters.

    Of the spectrum's scales come those that count, from 0 up.
    Bars of rates and scales, (n_rows, n_filters), come row by row.
    """
    xp, fft, n_scales = array_namespace(bar), fft_namespace(bar), 2 * (conjugate.shape[-2] - 1)
    # response = ifft(over_time), over scales; or half of the real part's
    over_scales = fft.fft if xp.isdtype(bar.dtype, "complex floating") else fft.rfft
    over_time_bar = over_scales(bar, n=n_scales, axis=-2)[..., : strfs.scale.shape[1], :]
    # over_time = ifft(filtered)[begin : begin + n_new] * scale
    if not block.alone:
        gap = zeros((*over_time_bar.shape[:-1], block.n_rate_bins), over_time_bar)
        over_time_bar = xp.concat([gap, over_time_bar], axis=-1)
    filtered_bar = fft.fft(over_time_bar, n=block.n_fft, axis=-1)
    # filtered = scale * transfer * spectrum; both inverse transforms divide by their lengths
    n = n_scales * block.n_fft
    transfer, scale = strfs.transfer[:, 0, :], strfs.scale[..., 0] / n
    passed_bar, transfer_bar, scale_bar = filtered_adjoint(filtered_bar, conjugate, transfer, scale, strfs.passed)
    assert strfs.slopes is not None
    of_transfer, of_scale = strfs.slopes
    rate_bars = xp.real(xp.vecdot(of_transfer, transfer_bar))
    scale_bars = xp.vecdot(of_scale, scale_bar) / n
    return passed_bar[:, 0, ...] if passed_bar.shape[1] == 1 else xp.sum(passed_bar, axis=1), rate_bars, scale_bars


def add_scales(total: Array | None, own: Array, n_scales: int) -> Array:
    """Sum of bars of the spectrum, of which that of a filter may end before the last scale; NumPy's total changes."""
    if is_foreign(own):
        return own if total is None else total + own
    if total is None:
        total = np.zeros((len(own), n_scales, own.shape[2]), own.dtype)
    total[:, : own.shape[1]] += own
    return total


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
