"""What the CPU's kernels share: SIMD lanes, and arrays that begin at cache lines."""

from collections.abc import Sequence
from ctypes import addressof, c_char
from math import prod
from threading import local
from typing import Any

import numpy as np

from skaud.kernels._compile import loop
from skaud.kernels.one_pole import ZERO

LANES = 16  # channels side by side in a SIMD operation: one or two vectors of float32, four of float64
SEGMENT = 64  # samples between two visits to the output arrays
CACHE_LINE = 64  # bytes
SCRATCH_KEPT = 2**16  # values of scratch that a thread keeps

_of_thread = local()


def aligned_empty(*shapes: tuple[int, ...], dtype: Any) -> list[np.ndarray]:
    """Uninitialised arrays that begin at cache lines, so that no SIMD access straddles two; in one allocation."""
    item = np.dtype(dtype).itemsize
    return _laid_out(shapes, [dtype] * len(shapes), [prod(shape) * item for shape in shapes])


def aligned_copies(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Copies that begin at cache lines."""
    copies = _laid_out([own.shape for own in arrays], [own.dtype for own in arrays], [own.nbytes for own in arrays])
    for copy, own in zip(copies, arrays):
        copy[...] = own
    return copies


def _laid_out(shapes: Sequence[tuple[int, ...]], dtypes: Sequence[Any], n_bytes: Sequence[int]) -> list[np.ndarray]:
    """Arrays one behind the other, each from a cache line on."""
    raw = np.empty(sum(n_bytes) + CACHE_LINE * len(n_bytes), np.uint8)
    begin = -addressof(c_char.from_buffer(raw)) % CACHE_LINE  # __array_interface__ takes ten times as long
    arrays = []
    for shape, dtype, size in zip(shapes, dtypes, n_bytes):
        arrays.append(np.ndarray(shape, dtype, raw, begin))
        begin += -(-size // CACHE_LINE) * CACHE_LINE
    return arrays


def scratch(*shapes: tuple[int, ...], dtype: Any) -> list[np.ndarray]:
    """Memory for one run, with anything in it; a thread gets the same again, since streams ask with every chunk."""
    kept = getattr(_of_thread, "kept", None)
    if kept and kept[0] == shapes and kept[1] == dtype:
        return kept[2]
    arrays = aligned_empty(*shapes, dtype=dtype)
    if sum(map(prod, shapes)) <= SCRATCH_KEPT:
        _of_thread.kept = (shapes, dtype, arrays)
    return arrays


@loop
def total_of(values, n):
    """Sum of n values, lane by lane; they are not the same afterwards."""
    whole = n - n % LANES
    for t in range(LANES, whole, LANES):
        for l in range(LANES):
            values[l] += values[t + l]
    total = ZERO
    for l in range(min(n, LANES)):
        total += values[l]
    for t in range(max(whole, LANES), n):
        total += values[t]
    return total
