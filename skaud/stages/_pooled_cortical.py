"""Pooled frames of cortical filters, and their adjoint, without holding all of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skaud.kernels import cortical as kernel
from skaud.kernels._memory import memory_used_again
from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.running import RunningPool, can_run
from skaud.pooling.statistics import pool
from skaud.stages.cortical import STRFs, through_design

STRFS_AT_ONCE = 4  # whose frames are held where they cannot be pooled block by block


@memory_used_again()
def respond_pooled(
    spectrogram: np.ndarray, strfs: STRFs, response: str, pooling: tuple[Any, int], n_threads: int
) -> np.ndarray:
    """`pool` of the frames of `respond`, without holding them: (n_features,)."""
    (n_rows, n_channels, n_frames), n_strfs = spectrogram.shape, len(strfs.rates_hz)
    cortex, _ = strfs.cortex(n_channels, n_frames)
    in_one_block = len(kernel.cut(n_frames, cortex.rates.shape[1])) == 1
    pools = [RunningPool(n_frames, *pooling) for _ in range(n_strfs)]
    rows: list[Any] = [None] * n_strfs
    kept: dict[int, list[np.ndarray]] = {}

    def finish(k: int, frames: np.ndarray) -> None:
        frames = np.abs(frames) if response == "magnitude" else frames
        if in_one_block:
            rows[k] = pool(frames, *pooling)
        elif k in kept:
            kept[k].append(frames)
        else:
            pools[k].add(frames)

    # Order statistics need all frames of a filter: those of a few filters at a time.
    keeps = not in_one_block and not can_run(pooling[0])
    at_once = STRFS_AT_ONCE if keeps else n_strfs
    for begin in range(0, n_strfs, at_once):
        some = range(begin, min(begin + at_once, n_strfs))
        kept = {k: [] for k in some} if keeps else {}
        kernel.run_blocks(
            spectrogram, cortex, lambda *_: None, finish, real=response == "real", strfs=some, n_threads=n_threads
        )
        for k in some:
            if not in_one_block:
                rows[k] = pool(np.concatenate(kept[k], axis=-1), *pooling) if keeps else pools[k].result()
    return _in_order(np.stack(rows), n_rows, n_channels)


def _in_order(rows: np.ndarray, n_rows: int, n_channels: int) -> np.ndarray:
    """Pooled (n_strfs, part, statistic, row, channel), in the order of `pool`: filters stand before channels."""
    return np.moveaxis(rows.reshape(len(rows), -1, n_rows, n_channels), 0, 2).ravel()


@memory_used_again()
def pooled_vjp(
    spectrogram: np.ndarray, strfs: STRFs, response: str, pooling: tuple[Any, int], n_threads: int
) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, dict[str, np.ndarray]]]]:
    """`respond_pooled`, and its pullback, which returns what `pull_back` does.

    The frames of a short sound are kept for the pullback; those of a long one are computed again, of a few filters at a
    time.
    """
    (n_rows, n_channels, n_frames), n_strfs = spectrogram.shape, len(strfs.rates_hz)
    cortex, rates = strfs.cortex(n_channels, n_frames)
    in_one_block = len(kernel.cut(n_frames, cortex.rates.shape[1])) == 1
    kept: dict[int, np.ndarray] = {}
    rows: list[Any] = [None] * n_strfs

    def finish(k: int, out: np.ndarray) -> None:
        kept[k] = out
        rows[k] = pool(np.abs(out) if response == "magnitude" else out, *pooling)

    if in_one_block:
        kernel.run_blocks(spectrogram, cortex, lambda *_: None, finish, real=response == "real", n_threads=n_threads)
        value = _in_order(np.stack(rows), n_rows, n_channels)
    else:
        value = respond_pooled(spectrogram, strfs, response, pooling, n_threads)

    def frames_of(some: Sequence[int]) -> dict[int, np.ndarray]:
        if in_one_block:
            return kept
        pieces: list[list[np.ndarray]] = []
        kernel.run_blocks(
            spectrogram,
            cortex,
            lambda _, outs: pieces.append(outs),
            real=response == "real",
            strfs=some,
            n_threads=n_threads,
        )
        return {k: np.concatenate(parts, axis=-1) for k, parts in zip(some, zip(*pieces))}

    @memory_used_again()
    def pullback(value_bar: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        parts = np.asarray(value_bar).reshape(-1, n_rows, n_strfs, n_channels)
        at_once = n_strfs if in_one_block else STRFS_AT_ONCE
        total: kernel.Gradients | None = None
        for begin in range(0, n_strfs, at_once):
            some = range(begin, min(begin + at_once, n_strfs))
            frames = frames_of(some)

            def whole_bar(k: int, frames: dict[int, np.ndarray] = frames) -> np.ndarray:
                part, out = parts[:, :, k], frames[k]
                if response == "real":
                    return pool_adjoint(part, out, *pooling).astype(out.dtype)
                magnitude = np.abs(out)
                # value = |out|, with slope 0 at 0
                bar = pool_adjoint(part, magnitude, *pooling).astype(magnitude.dtype)
                return np.divide(bar, magnitude, out=np.zeros_like(bar), where=magnitude > 0) * out

            bars = {} if in_one_block else {k: whole_bar(k) for k in some}

            def bar_of(
                block: kernel.Block, k: int, bars: dict[int, np.ndarray] = bars, whole_bar: Callable = whole_bar
            ) -> np.ndarray:
                return bars[k][..., block.begin : block.begin + block.n_new] if k in bars else whole_bar(k)

            grads = kernel.run_blocks_adjoint(bar_of, spectrogram, cortex, strfs=some, n_threads=n_threads)
            total = grads if total is None else kernel.Gradients(*(a + b for a, b in zip(total, grads)))
        assert total is not None
        return total.spectrogram, through_design(total, strfs, rates)

    return value, pullback
