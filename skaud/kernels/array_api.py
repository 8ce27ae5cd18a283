"""Kinds of arrays: the one place that decides where an array is computed."""

from typing import Any

import numpy as np


def on_gpu(x: Any) -> bool:
    """Whether x lives on a CUDA device: an array of cupy, of numba, or of numba's simulator."""
    return hasattr(x, "__cuda_array_interface__") or getattr(x, "__cuda_ndarray__", False)


def array_namespace(x: Any) -> Any:
    """Array API namespace of x (array-api-compat)."""
    if type(x) is np.ndarray:  # kernels ask a few hundred times a run, and array_api_compat takes microseconds
        import array_api_compat.numpy

        return array_api_compat.numpy
    import array_api_compat

    return array_api_compat.array_namespace(x)


def is_foreign(x: Any) -> bool:
    """Whether x is an array, but not NumPy's: cupy's, torch's, JAX's, any with the array API."""
    import array_api_compat

    return not isinstance(x, (np.ndarray, np.generic)) and array_api_compat.is_array_api_obj(x)


def fft_namespace(x: Any) -> Any:
    """Module with the FFTs for x: SciPy's for NumPy, which keep float32 in every version, else its namespace's own."""
    if is_foreign(x):
        return array_namespace(x).fft
    import scipy.fft

    return scipy.fft


def constant(values: np.ndarray, x: Any) -> Any:
    """NumPy values as an array beside x: of its kind, on its device, in its precision."""
    import array_api_compat

    single = x.dtype.char in "fF" if isinstance(x, np.ndarray) else x.dtype in _single_precision(x)
    dtype = np.dtype(("F" if single else "D") if np.iscomplexobj(values) else ("f" if single else "d"))
    if not is_foreign(x):
        return np.asarray(values, dtype)
    writeable = np.array(values, dtype)  # torch warns of what it may not write
    return array_namespace(x).asarray(writeable, device=array_api_compat.device(x))


def _single_precision(x: Any) -> tuple[Any, Any]:
    xp = array_namespace(x)
    return xp.float32, xp.complex64


def zeros(shape: tuple[int, ...], x: Any) -> Any:
    """Zeros beside x: of its kind, on its device, of its dtype."""
    import array_api_compat

    return array_namespace(x).zeros(shape, dtype=x.dtype, device=array_api_compat.device(x))


def to_numpy(x: Any) -> np.ndarray:
    """Copy of x in the memory of the host."""
    if hasattr(x, "get"):  # cupy refuses an implicit copy
        return x.get()
    if hasattr(x, "detach"):  # torch
        return x.detach().cpu().numpy()
    return np.asarray(x)
