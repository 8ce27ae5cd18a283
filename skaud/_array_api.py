"""Kinds of arrays: the one place that decides where an array is computed."""

from typing import Any


def on_gpu(x: Any) -> bool:
    """Whether x lives on a CUDA device: an array of cupy, of numba, or of numba's simulator."""
    return hasattr(x, "__cuda_array_interface__") or getattr(x, "__cuda_ndarray__", False)
