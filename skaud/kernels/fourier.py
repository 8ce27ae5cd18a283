"""Filters applied in the Fourier domain, block by block, without wrapping round; array-API code."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels.array_api import array_namespace, constant, fft_namespace, is_foreign, zeros

LONGEST_FFT = 32768
CACHED_SPECTRA = 4


class Blocks(NamedTuple):
    """How a sound is cut: `hop` new samples a block, `n_taps` of the filters heard, FFTs of `n_fft`.

    A block's last n_taps - 1 entries are the samples before it, which circularly stand in front of its first.
    """

    hop: int
    n_taps: int
    n_fft: int


def cut(n_samples: int, n_taps: int, period: int) -> Blocks:
    """One block for a short sound, and blocks of whole periods for a long one; n_samples is whole periods."""
    n_taps_heard = min(n_taps, n_samples)
    longest = max(LONGEST_FFT, _fast_length(4 * n_taps), _fast_length(n_taps + period))
    n_fft = _fast_length(n_samples + n_taps_heard - 1)
    if n_fft > longest:
        return Blocks((longest - n_taps + 1) // period * period, n_taps, longest)
    # Sounds of similar length share spectra: they hear as many taps as fit.
    return Blocks(n_samples, min(n_taps, n_fft - n_samples + 1) if n_taps <= n_samples else n_taps_heard, n_fft)


def _fast_length(n: int) -> int:
    """Next 4, 5, 6 or 7 times a power of 2: fast, and few, so that spectra are used again."""
    unit = 1 << max(0, (n - 1).bit_length() - 3)
    return -(-n // unit) * unit


class FilterBank:
    """Impulse responses (n_channels, n_taps), and their spectra for the lengths of FFT in use."""

    def __init__(self, response: np.ndarray) -> None:
        self.response = response
        self._spectra: dict[tuple, Any] = {}

    def __getstate__(self) -> dict:
        return {"response": self.response, "_spectra": {}}

    def spectra(self, blocks: Blocks, x: Any) -> Any:
        """Spectra (n_channels, n_fft / 2 + 1) beside x."""
        key = (blocks.n_fft, blocks.n_taps, type(x), str(x.dtype), str(getattr(x, "device", "cpu")))
        spectra = self._spectra.get(key)
        if spectra is None:
            response = constant(self.response[:, : blocks.n_taps], x)
            spectra = fft_namespace(x).rfft(response, n=blocks.n_fft)
            for old in list(self._spectra)[: max(0, len(self._spectra) - CACHED_SPECTRA + 1)]:
                self._spectra.pop(old, None)
            self._spectra[key] = spectra
        return spectra


def block_spectrum(x: Any, begin: int, blocks: Blocks) -> Any:
    """Spectrum of the block that begins there; x : (n_signals, n_samples)."""
    xp = array_namespace(x)
    new = x[:, begin : min(begin + blocks.hop, x.shape[1])]
    if begin > 0:
        past = x[:, begin - blocks.n_taps + 1 : begin]
        gap = zeros((x.shape[0], blocks.n_fft - new.shape[1] - past.shape[1]), x)
        new = xp.concat([new, gap, past], axis=-1)
    return fft_namespace(x).rfft(new, n=blocks.n_fft)


def block_spectrum_adjoint(x_hat_bar: Any, begin: int, n_new: int, blocks: Blocks) -> tuple[Any, Any]:
    """Adjoint of `filter_block` after `block_spectrum`: for the new samples, and for those before the block."""
    # x_hat = rfft([new, gap, past]); the factor of irfft is part of filter_block's
    x_bar = fft_namespace(x_hat_bar).irfft(x_hat_bar, n=blocks.n_fft)
    past_bar = x_bar[:, blocks.n_fft - blocks.n_taps + 1 :] if begin > 0 and blocks.n_taps > 1 else None
    return x_bar[:, :n_new], past_bar


def filter_block(x_hat: Any, spectra: Any, n_new: int, n_fft: int) -> Any:
    """Response (n_signals, n_channels, n_new) to a block."""
    return fft_namespace(x_hat).irfft(x_hat[:, None, :] * spectra[None, ...], n=n_fft)[..., :n_new]


def filter_block_adjoint(y_bar: Any, spectra: Any, n_fft: int) -> Any:
    """Adjoint of `filter_block`, up to the irfft of `block_spectrum_adjoint`: (n_signals, n_fft / 2 + 1)."""
    xp = array_namespace(y_bar)
    # y = irfft(x_hat * spectra)
    return xp.sum(fft_namespace(y_bar).rfft(y_bar, n=n_fft) * xp.conj(spectra), axis=1)


def channel_groups(x: Any, n_channels: int) -> list[slice]:
    """Channels that are computed together: few at a time stay in a CPU's cache; elsewhere all at once."""
    size = n_channels if is_foreign(x) else 16
    return [slice(k, min(k + size, n_channels)) for k in range(0, n_channels, size)]


def in_threads(function: Callable, items: Iterable, n_threads: int) -> list:
    """Results of function(item), in order."""
    with threads(n_threads) as map_in_order:
        return list(map_in_order(function, items))


@contextmanager
def threads(n_threads: int) -> Iterator[Callable]:
    """What maps a function over items, in order: `map` itself, or that of so many threads."""
    if n_threads == 1:
        yield map
        return
    with ThreadPoolExecutor(n_threads) as pool:
        yield pool.map
