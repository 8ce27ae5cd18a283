"""The one place that sets numba options."""

from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any

import numba
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

# No "nnan", "ninf": a NaN must stay one. No "reassoc": a sum must not depend on how it was vectorised.
FASTMATH = {"contract", "arcp", "nsz"}

# numba finds a cached kernel by its name and by the date of its own file; a step in another file may have changed.
_SOURCES = sorted(Path(__file__).parent.glob("*.py"))
FINGERPRINT = sha1(b"".join(path.read_bytes() for path in _SOURCES), usedforsecurity=False).hexdigest()[:12]


def step(function: Callable) -> Any:
    """Compile a scalar step; it is inlined into every kernel, CPU or GPU, that calls it."""
    return numba.njit(inline="always", fastmath=FASTMATH, error_model="numpy")(function)


def loop(function: Callable) -> Any:
    """Compile a loop over steps; LLVM copies it into the kernels that call it, arguments and all."""
    return numba.njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")(function)


def kernel(function: Callable) -> Any:
    """Compile a whole run: without the GIL, cached on disk where a cache folder can be written."""
    function.__qualname__ += f"_{FINGERPRINT}"
    options: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder it may write to
        return numba.njit(**options)(function)


@intrinsic
def borrowed(typing_context, array):
    """View of an array whose references numba does not count: every call in a loop would pay for counting.

    The kernel that borrows must hold the array itself for as long.
    """

    def generate(context, builder, signature, arguments):
        view = make_array(array)(context, builder, value=arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        return view._getvalue()

    return types.Array(array.dtype, array.ndim, array.layout)(array), generate
