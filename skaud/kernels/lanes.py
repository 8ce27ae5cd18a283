"""What the CPU's kernels share: SIMD lanes, and arrays that begin at cache lines."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

LANES = 16  # channels side by side in a SIMD operation: one or two vectors of float32, four of float64
SEGMENT = 64  # samples between two visits to the output arrays
CACHE_LINE = 64  # bytes


def aligned_empty(*shapes: tuple[int, ...], dtype: Any) -> list[np.ndarray]:
    """Uninitialised arrays that begin at cache lines, so that no SIMD access straddles two; in one allocation."""
    item = np.dtype(dtype).itemsize
    sizes = [-(-prod(shape) * item // CACHE_LINE) * CACHE_LINE for shape in shapes]
    raw = np.empty(sum(sizes) + CACHE_LINE, np.uint8)
    begin = -raw.__array_interface__["data"][0] % CACHE_LINE
    arrays = []
    for shape, size in zip(shapes, sizes):
        arrays.append(np.ndarray(shape, dtype, raw, begin))
        begin += size
    return arrays


def aligned_copies(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Copies that begin at cache lines, of arrays of one dtype."""
    copies = aligned_empty(*(array.shape for array in arrays), dtype=arrays[0].dtype)
    for copy, array in zip(copies, arrays):
        copy[...] = array
    return copies
