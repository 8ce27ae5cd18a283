"""The one place that sets numba options."""

from collections.abc import Callable
from typing import Any

import numba

# No "nnan", "ninf": a NaN must stay one. No "reassoc": a sum must not depend on how it was vectorised.
FASTMATH = {"contract", "arcp", "nsz"}


def step(function: Callable) -> Any:
    """Compile a scalar step; it is inlined into every kernel, CPU or GPU, that calls it."""
    return numba.njit(inline="always", fastmath=FASTMATH, error_model="numpy")(function)


def loop(function: Callable) -> Any:
    """Compile a loop over steps; LLVM copies it into the kernels that call it, arguments and all."""
    return numba.njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")(function)


def kernel(function: Callable) -> Any:
    """Compile a whole run: without the GIL, cached on disk where a cache folder can be written."""
    options: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder it may write to
        return numba.njit(**options)(function)
