"""Memory that is used again within a run, where the process gives back whatever it frees at once.

MALLOC_TRIM_THRESHOLD_, which Dask sets for its workers, makes glibc return every larger array to the system, which then
clears its pages anew: four times the time, for runs made of FFTs, whose results SciPy puts into new arrays. Without it
glibc does so too, with more than 128 KiB, until a program first frees a larger array: half as much time again.
"""

import ctypes
import os
import threading
from contextlib import ContextDecorator
from functools import cache
from typing import Any

import numpy as np

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_KEPT, _LARGEST = 1 << 30, 1 << 25  # bytes: free ones at the end of the heap, and the largest array there, at most
_MMAP_DEFAULT = 1 << 17

_given = os.environ.get("MALLOC_TRIM_THRESHOLD_", "")
_lock = threading.Lock()
_n_runs = 0


def _glibc() -> Any:
    """glibc, where it was told a threshold; None elsewhere."""
    if not _given.isdigit():
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


_library = _glibc()


@cache
def _free_a_large_array() -> None:
    """Have glibc keep more of what is freed, once a process: as much as the largest array that a program has freed."""
    np.empty(_LARGEST - 2**20, np.uint8)  # freed at once, its pages never touched


class memory_used_again(ContextDecorator):
    """Keep what is freed until the run ends, the last of those that run at once; then give it back as was asked."""

    def __enter__(self) -> None:
        global _n_runs
        if _library is None:
            _free_a_large_array()
        else:
            with _lock:
                _n_runs += 1
                if _n_runs == 1:
                    _library.mallopt(_MMAP_THRESHOLD, _LARGEST)
                    _library.mallopt(_TRIM_THRESHOLD, _KEPT)

    def __exit__(self, *_: Any) -> None:
        global _n_runs
        if _library is not None:
            with _lock:
                _n_runs -= 1
                if _n_runs == 0:
                    mmap_threshold = os.environ.get("MALLOC_MMAP_THRESHOLD_", "")
                    _library.mallopt(
                        _MMAP_THRESHOLD, int(mmap_threshold) if mmap_threshold.isdigit() else _MMAP_DEFAULT
                    )
                    _library.mallopt(_TRIM_THRESHOLD, int(_given))
                    _library.malloc_trim(0)
