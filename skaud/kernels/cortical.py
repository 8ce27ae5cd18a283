"""Spectrotemporal receptive fields applied to spectrograms in the Fourier domain, and the adjoint; array-API code.

Every filter passes half of the rates and half of the scales, so that its response is complex. A spectrogram longer than
the filters goes through in overlapping blocks.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.fft

from skaud.kernels._memory import memory_used_again
from skaud.kernels.array_api import array_namespace, constant, fft_namespace, to_numpy, zeros
from skaud.kernels.fourier import threads


class Cortex(NamedTuple):
    """Filters for spectrograms of up to n_scale_bins channels, and of blocks of n_rate_bins frames."""

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


def cut(n_frames: int, n_rate_bins: int) -> list[Block]:
    """One block for as many frames as the filters are long, and several for more."""
    if n_frames <= n_rate_bins:
        return [Block(0, n_frames, n_rate_bins, alone=True)]
    hop = 2 * n_rate_bins
    return [Block(begin, min(hop, n_frames - begin), n_rate_bins, alone=False) for begin in range(0, n_frames, hop)]


def transform(spectrogram: Any, n_scale_bins: int, block: Block) -> Any:
    """2-D spectrum of (n_signals, n_channels, n_frames), scales from 0 up: (n_signals, n_scale_bins, n_fft)."""
    fft = fft_namespace(spectrogram)
    over_scales = fft.rfft(_window(spectrogram, block), n=2 * n_scale_bins, axis=-2)[:, :n_scale_bins, :]
    return fft.fft(over_scales, n=block.n_fft, axis=-1)


def transform_adjoint(spectrum_bar: Any, n_channels: int, block: Block) -> Any:
    """Adjoint of `transform`, whose first scale nobody uses, for the frames that the block hears."""
    fft = fft_namespace(spectrum_bar)
    n_scale_bins, n_heard = spectrum_bar.shape[1], block.n_new if block.alone else block.n_fft
    # spectrum = fft(over_scales)
    over_scales_bar = block.n_fft * fft.ifft(spectrum_bar, axis=-1)[..., :n_heard]
    # over_scales = rfft(window)
    return n_scale_bins * fft.irfft(over_scales_bar, n=2 * n_scale_bins, axis=-2)[:, :n_channels, :]


def run(spectrogram: Any, cortex: Cortex, *, real: bool, n_threads: int = 1) -> Any:
    """Response of every filter, (n_signals, n_strfs, n_channels, n_frames): complex, or its real part."""
    xp, pieces = array_namespace(spectrogram), []
    run_blocks(spectrogram, cortex, lambda block, responses: pieces.append(responses), real=real, n_threads=n_threads)
    wholes = [xp.concat(parts, axis=-1) if len(parts) > 1 else parts[0] for parts in zip(*pieces)]
    return xp.stack(wholes, axis=1)


@memory_used_again()
def run_blocks(
    spectrogram: Any,
    cortex: Cortex,
    receive: Callable[[Block, list[Any]], Any],
    finish: Callable[[int, Any], Any] | None = None,
    *,
    real: bool,
    strfs: Sequence[int] | None = None,
    n_threads: int = 1,
) -> None:
    """Pass the response of every filter, block by block, to receive: (n_signals, n_channels, n_new) each.

    With finish, receive gets finish(k, response) instead, which the threads compute one filter at a time.
    """
    _, n_channels, n_frames = spectrogram.shape
    strfs = range(len(cortex.scales)) if strfs is None else strfs
    transfers = constant(_transfers(cortex, n_frames), spectrogram)
    scales = constant(cortex.scales + 0j, spectrogram)[:, :, None]
    with threads(n_threads) as map_in_order:
        for block in cut(n_frames, cortex.rates.shape[1]):
            spectrum = transform(spectrogram, cortex.scales.shape[1], block)

            def respond(k: int, block: Block = block, spectrum: Any = spectrum) -> Any:
                half = _half(spectrum, cortex, k, block)
                response = _respond(half, transfers[k, :], scales[k, ...], cortex.upwards[k], block, n_channels, real)
                return response if finish is None else finish(k, response)

            receive(block, list(map_in_order(respond, strfs)))


def _respond(half: Any, transfer: Any, scale: Any, upwards: bool, block: Block, n_channels: int, real: bool) -> Any:
    """Response of a filter with this transfer over rates, and (n_scale_bins, 1) over scales."""
    fft, n_scale_bins = fft_namespace(half), half.shape[-2]
    begin = 0 if block.alone else block.n_rate_bins
    over_time = fft.ifft(half * transfer, n=block.n_fft, axis=-1)[..., begin : begin + block.n_new] * scale
    if real:
        response = fft.irfft(over_time, n=2 * n_scale_bins, axis=-2)[..., :n_channels, :] * 0.5
    else:
        response = fft.ifft(over_time, n=2 * n_scale_bins, axis=-2)[..., :n_channels, :]
    return response * _alternation(block.n_new, response) if block.alone and not upwards else response


class Gradients(NamedTuple):
    """Adjoints of a spectrogram and of the transfer functions of a `Cortex`."""

    spectrogram: Any
    rates: np.ndarray
    scales: np.ndarray


def run_adjoint(response_bar: Any, spectrogram: Any, cortex: Cortex, *, n_threads: int = 1) -> Gradients:
    """Adjoint of `run`, for a real or a complex bar; the inner product of complex numbers is Re(conj(a) b)."""

    def bar_of(block: Block, k: int) -> Any:
        return response_bar[:, k, :, block.begin : block.begin + block.n_new]

    return run_blocks_adjoint(bar_of, spectrogram, cortex, n_threads=n_threads)


@memory_used_again()
def run_blocks_adjoint(
    bar_of: Callable[[Block, int], Any],
    spectrogram: Any,
    cortex: Cortex,
    *,
    strfs: Sequence[int] | None = None,
    n_threads: int = 1,
) -> Gradients:
    """Adjoint of `run_blocks`: bar_of(block, k) is the bar of a response, (n_signals, n_channels, n_new)."""
    _, n_channels, n_frames = spectrogram.shape
    n_scale_bins = cortex.scales.shape[1]
    strfs = range(len(cortex.scales)) if strfs is None else strfs
    transfers = constant(_transfers(cortex, n_frames), spectrogram)
    scales = constant(cortex.scales + 0j, spectrogram)[:, :, None]
    transfers_bar, scales_bar = np.zeros(tuple(transfers.shape), complex), np.zeros(cortex.scales.shape)
    window_bars, xp = [], array_namespace(spectrogram)
    with threads(n_threads) as map_in_order:
        for block in cut(n_frames, cortex.rates.shape[1]):
            spectrum = transform(spectrogram, n_scale_bins, block)
            conjugate = xp.conj(spectrum)

            def reverse(k: int, block: Block = block, conjugate: Any = conjugate) -> tuple[Any, Any, Any]:
                half_conjugate = _half(conjugate, cortex, k, block)
                filter_ = transfers[k, :], scales[k, ...], cortex.upwards[k]
                return _respond_adjoint(bar_of(block, k), half_conjugate, *filter_, block)

            sums = [zeros((*spectrum.shape[:-1], transfers.shape[1]), spectrum) for _ in range(2 if block.alone else 1)]
            # A few at a time: their spectra are summed.
            for begin in range(0, len(strfs), 8):
                some = strfs[begin : begin + 8]
                for k, (half_bar, rate_bar, scale_bar) in zip(some, map_in_order(reverse, some)):
                    sums[0 if cortex.upwards[k] else -1] += half_bar
                    transfers_bar[k] += to_numpy(rate_bar)
                    scales_bar[k] += to_numpy(scale_bar)
            spectrum_bar = xp.concat(sums, axis=-1)
            window_bars.append(transform_adjoint(spectrum_bar, n_channels, block))
    spectrogram_bar = _windows_adjoint(window_bars, n_frames, cortex.rates.shape[1])
    return Gradients(spectrogram_bar, _transfers_adjoint(transfers_bar, cortex), scales_bar)


def _respond_adjoint(
    bar: Any, half_conjugate: Any, transfer: Any, scale: Any, upwards: bool, block: Block
) -> tuple[Any, Any, Any]:
    """Adjoint of `_respond` for half the spectrum, whose conjugate is given, for the transfer, and for the scale."""
    xp, fft, n_scale_bins = array_namespace(bar), fft_namespace(bar), half_conjugate.shape[-2]
    # response = response * alternation
    if block.alone and not upwards:
        bar = bar * _alternation(block.n_new, bar)
    # response = ifft(over_time), over scales; or half of the real part's
    over_scales = fft.fft if xp.isdtype(bar.dtype, "complex floating") else fft.rfft
    over_time_bar = over_scales(bar, n=2 * n_scale_bins, axis=-2)[:, :n_scale_bins, :]
    # over_time = ifft(filtered)[begin : begin + n_new] * scale
    if not block.alone:
        gap = zeros((*over_time_bar.shape[:-1], block.n_rate_bins), over_time_bar)
        over_time_bar = xp.concat([gap, over_time_bar], axis=-1)
    unscaled_bar = fft.fft(over_time_bar, n=block.n_fft, axis=-1)[..., : transfer.shape[0]]
    # filtered = half * transfer * scale; both inverse transforms divide by their lengths
    scale, conjugate = scale / (2 * n_scale_bins * block.n_fft), xp.conj(transfer)
    half_bar = unscaled_bar * conjugate * scale
    product = unscaled_bar * half_conjugate
    transfer_bar = xp.sum(xp.matrix_transpose(scale) @ product, axis=(0, 1))
    scale_bar = xp.real(xp.sum(product @ conjugate, axis=0)) / (2 * n_scale_bins * block.n_fft)
    return half_bar, transfer_bar, scale_bar


def _window(spectrogram: Any, block: Block) -> Any:
    """Frames that a block hears, with silence before the first and after the last."""
    if block.alone:
        return spectrogram
    begin = block.begin - block.n_rate_bins
    heard = spectrogram[..., max(0, begin) : begin + block.n_fft]
    before = max(0, -begin)
    silence = [zeros((*heard.shape[:-1], n), heard) for n in (before, block.n_fft - before - heard.shape[-1])]
    return array_namespace(spectrogram).concat([silence[0], heard, silence[1]], axis=-1)


def _windows_adjoint(window_bars: list[Any], n_frames: int, n_rate_bins: int) -> Any:
    """Adjoint of `_window` for all blocks, each of which shares half its window with the next."""
    if n_frames <= n_rate_bins:
        return window_bars[0]
    hop = 2 * n_rate_bins
    pieces = [window_bars[0][..., n_rate_bins:hop]]
    pieces += [before[..., hop:] + own[..., :hop] for before, own in pairwise(window_bars)]
    pieces.append(window_bars[-1][..., hop:])
    return array_namespace(pieces[0]).concat(pieces, axis=-1)[..., :n_frames]


def _transfers(cortex: Cortex, n_frames: int) -> np.ndarray:
    """Transfer functions over rates: over half the bins of one block, over all of those of several.

    For several, of the same impulse response, n_rate_bins - 1 frames before and after.
    """
    rates, n = cortex.rates, cortex.rates.shape[1]
    if n_frames <= n:
        return rates
    spectrum = np.where(cortex.upwards[:, np.newaxis], np.pad(rates, ((0, 0), (0, n))), np.pad(rates, ((0, 0), (n, 0))))
    response = scipy.fft.ifft(spectrum)
    return scipy.fft.fft(np.concatenate([response[:, :n], np.zeros((len(rates), 2 * n + 1)), response[:, n + 1 :]], 1))


def _transfers_adjoint(transfers_bar: np.ndarray, cortex: Cortex) -> np.ndarray:
    n = cortex.rates.shape[1]
    if transfers_bar.shape[1] == n:
        return transfers_bar
    # transfers = fft([response[:n], 0, response[n + 1:]])
    response_bar = 4 * n * scipy.fft.ifft(transfers_bar)
    nothing = np.zeros((len(transfers_bar), 1))
    response_bar = np.concatenate([response_bar[:, :n], nothing, response_bar[:, 3 * n + 1 :]], axis=1)
    # response = ifft(spectrum)
    spectrum_bar = scipy.fft.fft(response_bar) / (2 * n)
    # spectrum = [rates, 0], or [0, rates]
    return np.where(cortex.upwards[:, np.newaxis], spectrum_bar[:, :n], spectrum_bar[:, n:])


def _half(spectrum: Any, cortex: Cortex, k: int, block: Block) -> Any:
    """Bins that a filter passes; all of them where the spectrogram is cut."""
    n = block.n_rate_bins
    if not block.alone:
        return spectrum
    return spectrum[..., :n] if cortex.upwards[k] else spectrum[..., n:]


def _alternation(n_frames: int, x: Any) -> Any:
    """(-1) ** t: the upper half of the bins lies half the frame rate above the lower."""
    return constant(1.0 - 2.0 * (np.arange(n_frames) % 2), x)
