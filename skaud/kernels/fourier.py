"""Filters applied in the Fourier domain, block by block, without wrapping round; array-API code."""

from typing import NamedTuple

import numpy as np

from skaud.kernels.array_api import Array, array_namespace, constant, fft_namespace, is_foreign, zeros

SHORTEST_FFT = 4096  # of whole blocks: of shorter ones there would be many
LONGEST_FFT = 10240  # of blocks side by side, all in all
CHANNELS_AT_ONCE = 16  # few enough to stay in a CPU's cache


class Block(NamedTuple):
    """A piece of a sound: n_new samples, which hear the n_taps - 1 before them, in an FFT of n_fft.

    The samples before stand at its end, which circularly is in front of its first. Blocks of a kind run side by side.
    """

    n_new: int
    n_taps: int
    n_fft: int

    @property
    def at_once(self) -> int:
        """How many had better run side by side."""
        return max(1, LONGEST_FFT // max(self.n_fft, 1))


def whole_block(n_taps: int, period: int) -> Block:
    """Block that sounds are cut into, of whole periods: the same wherever they end, so that the bits are, too."""
    n_fft = _fast_length(max(5 * n_taps, n_taps + period, SHORTEST_FFT))
    return Block((n_fft - n_taps + 1) // period * period, n_taps, n_fft)


def last_block(block: Block, n_new: int, *, is_first: bool) -> Block:
    """Block for n_new samples at the end: of a shorter FFT where one holds it; no filter is heard before the sound."""
    n_fft, n_taps = block.n_fft, block.n_taps
    while n_fft % 4 == 0 and (n_new <= n_fft // 4 if is_first else n_new + n_taps - 1 <= n_fft // 2):
        n_fft //= 2
    if n_fft == block.n_fft:
        return block
    return Block(n_new, min(n_taps, n_fft // 2) if is_first else n_taps, n_fft)


def batches(
    block: Block, n_samples: int, period: int, *, is_first: bool, at_once: int = 0
) -> list[tuple[int, Block, int]]:
    """Begin, block and end of blocks that run side by side, for so many samples, and silence up to the last end.

    at_once : how many, 0 for as many as a CPU likes
    """
    at_once = at_once or block.at_once
    hop, batches = block.n_new, []
    n_whole = n_samples // hop
    n_left = n_samples - n_whole * hop
    if n_left:
        n_left = -(-n_left // period) * period
        last = last_block(block, n_left, is_first=is_first and not n_whole)
        n_whole += last is block
    for k in range(0, n_whole, at_once):
        batches.append((k * hop, block, min(k + at_once, n_whole) * hop))
    if n_left and last is not block:
        batches.append((n_whole * hop, last, n_whole * hop + n_left))
    return batches


def _fast_length(n: int) -> int:
    """Next 4, 5, 6 or 7 times a power of 2."""
    unit = 1 << max(0, (n - 1).bit_length() - 3)
    return -(-n // unit) * unit


class FilterBank:
    """Impulse responses (n_channels, n_taps), and their spectra for the blocks in use."""

    def __init__(self, response: np.ndarray) -> None:
        self.response = response
        self._spectra: dict[tuple, Array] = {}

    def __getstate__(self) -> dict:
        return {"response": self.response, "_spectra": {}}

    def spectra(self, block: Block, x: Array) -> Array:
        """Spectra (n_channels, n_fft / 2 + 1) beside x, which is real."""
        key = (block.n_fft, block.n_taps, type(x), str(x.dtype), str(getattr(x, "device", "cpu")))
        if key not in self._spectra:
            response = constant(self.response[:, : block.n_taps], x)
            self._spectra[key] = fft_namespace(x).rfft(response, n=block.n_fft)
        return self._spectra[key]


def block_spectra(x: Array, past: Array, block: Block) -> Array:
    """Spectra (n_rows, n_blocks, n_fft / 2 + 1) of x (n_rows, n_blocks * n_new), after past (n_rows, n_taps - 1)."""
    xp, (n_rows, n_samples), n_past = array_namespace(x), x.shape, block.n_taps - 1
    n_blocks = n_samples // block.n_new
    parts = [xp.reshape(x, (n_rows, n_blocks, block.n_new))]
    parts.append(zeros((n_rows, n_blocks, block.n_fft - block.n_new - n_past), x))
    if n_past:
        pasts = [past[:, past.shape[1] - n_past :]]
        pasts += [x[:, k * block.n_new - n_past : k * block.n_new] for k in range(1, n_blocks)]
        parts.append(xp.stack(pasts, axis=1))
    return fft_namespace(x).rfft(xp.concat(parts, axis=-1), n=block.n_fft)


def block_spectra_adjoint(x_hat_bar: Array, block: Block) -> tuple[Array, Array]:
    """Adjoint of `filter_blocks` after `block_spectra`: for x, and for what came before."""
    xp, n_past = array_namespace(x_hat_bar), block.n_taps - 1
    # x_hat = rfft([new, gap, past]); the factor of irfft is part of filter_blocks'
    window_bar = fft_namespace(x_hat_bar).irfft(x_hat_bar, n=block.n_fft)
    new_bar, past_bar = window_bar[..., : block.n_new], window_bar[..., block.n_fft - n_past :]
    if new_bar.shape[1] > 1 and n_past:  # what came before a block is the end of the one before it
        own = new_bar[:, :-1, block.n_new - n_past :] + past_bar[:, 1:, :]
        ends = xp.concat([own, new_bar[:, -1:, block.n_new - n_past :]], axis=1)
        new_bar = xp.concat([new_bar[..., : block.n_new - n_past], ends], axis=-1)
    return xp.reshape(new_bar, (new_bar.shape[0], -1)), past_bar[:, 0, :]


def filter_blocks(x_hat: Array, spectra: Array, block: Block) -> Array:
    """Response (n_rows, n_channels, n_blocks, n_new) to blocks."""
    y_hat = x_hat[:, None, ...] * spectra[None, :, None, :]
    y = fft_namespace(x_hat).irfft(y_hat, n=block.n_fft)[..., : block.n_new]
    return y if is_foreign(y) else np.ascontiguousarray(y)  # a CPU's loops would copy it, one after the other


def filter_blocks_adjoint(y_bar: Array, spectra: Array, block: Block) -> Array:
    """Adjoint of `filter_blocks`, up to the irfft of `block_spectra_adjoint`: (n_rows, n_blocks, n_fft / 2 + 1)."""
    xp = array_namespace(y_bar)
    # y = irfft(x_hat * spectra)
    return xp.sum(fft_namespace(y_bar).rfft(y_bar, n=block.n_fft) * xp.conj(spectra)[None, :, None, :], axis=1)


def channel_groups(x: Array, n_channels: int) -> list[slice]:
    """Channels that are computed together: few at a time on a CPU, elsewhere all."""
    size = n_channels if is_foreign(x) else CHANNELS_AT_ONCE
    return [slice(k, min(k + size, n_channels)) for k in range(0, n_channels, size)]
