"""Kinds of arrays: the one place that decides where an array is computed."""

import sys
from typing import Any


def on_gpu(x: Any) -> bool:
    """Whether x lives on a CUDA device: cupy's arrays, numba's, those of numba's simulator, any that says so itself."""
    if hasattr(x, "__cuda_array_interface__"):
        return True
    cuda = sys.modules.get("numba.cuda")  # what nobody imported nobody can have made an array with
    return cuda is not None and cuda.is_cuda_array(x)


def array_namespace(x: Any) -> Any:
    """Array API namespace of x (array-api-compat)."""
    import array_api_compat

    return array_api_compat.array_namespace(x)
