"""Kinds of arrays: the one place that decides where an array is computed, and what comes back.

An array of the host, whoever's it is, is taken as NumPy's, and the CPU's kernels compute it. One on a device stays
there: an engine for the device computes it, in arrays of its library. cupy and numba.cuda are imported once an array of
a device has come, and by nothing else.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

Array = Any  # NumPy's, or that of another library, which has the array API
DEVICE_LIBRARIES = ("cupy", "numba", "numba_cuda", "cuda")  # what kernels of a device stand on
_TABLES = ("pandas", "polars", "pyarrow", "skaud", "scipy")  # whose columns may be arrays, but hold clips
_NOT_COMPUTED = ("torch.bfloat16", "torch.complex32")
_PLAIN = (np.ndarray, np.generic, list, tuple, dict, str, bytes, int, float, complex, type(None))


class Place(NamedTuple):
    """Where an array lies, and whose it is.

    library : such as "torch"; device : such as "cuda:0", as the library writes it; on_host : whether the CPU's kernels
    can read it; like : an array of the library, or None
    """

    library: str
    device: str
    on_host: bool
    like: Array = None

    @property
    def on_cuda(self) -> bool:
        """Whether kernels for CUDA can read it."""
        return self.device.startswith("cuda")

    def __str__(self) -> str:
        return f"{self.library} on {self.device}"

    @property
    def computed_by(self) -> str:
        """Library that computes the arrays: of numba's, cupy has views."""
        return "cupy" if self.library == "numba" else self.library

    def is_same(self, other: "Place") -> bool:
        """Whether arrays of both can be computed together."""
        return (self.computed_by, *self[1:3]) == (other.computed_by, *other[1:3])

    def bring(self, values: np.ndarray) -> Array:
        """NumPy values as engines take them, where the place is; on the host as they are."""
        return values if self.on_host else beside(values, take(self.like)[0])

    def give(self, result: Array) -> Any:
        """What was computed, in the library of the array: a list entry by entry, NumPy's without a copy if it can."""
        if isinstance(result, list):
            return [self.give(entry) for entry in result]
        if self.library == "numba" and _is_of(result, "cupy"):
            from numba import cuda

            return cuda.as_cuda_array(result)
        if not self.on_host or self.like is None or not isinstance(result, np.ndarray):
            return result
        if self.library == "torch":
            return sys.modules["torch"].from_numpy(np.ascontiguousarray(result))
        given = array_namespace(self.like).asarray(result, device=_device(self.like))
        if str(given.dtype).split(".")[-1] != result.dtype.name:
            raise ValueError(
                f"the result is {result.dtype}, which {self.library} holds as {given.dtype} as it is set up; set "
                f"dtype='float32' in the model, or let {self.library} hold 64 bits (jax_enable_x64)."
            )
        return given


HOST = Place("numpy", "cpu", True)


def device_context(place: Place) -> AbstractContextManager[Any]:
    """Context in which a device is the current one of cupy, where its new arrays come to lie."""
    if place.computed_by != "cupy" or "cupy" not in sys.modules:
        return nullcontext()
    context: AbstractContextManager[Any] = sys.modules["cupy"].cuda.Device(int(place.device.rpartition(":")[2]))
    return context


# --- what callers pass ---


def take(X: Any, name: str = "X") -> tuple[Any, Place]:
    """X as engines take it, and where it lies: of the host as NumPy's, without a copy; of a device where it is.

    A list is taken clip by clip; one whose clips lie in different places is refused. What is no array comes back as it
    is, as of the host.
    """
    if type(X) is np.ndarray:
        return X, HOST
    if isinstance(X, (list, tuple)):
        if all(kind in _PLAIN or not is_array(item) for kind, item in {type(item): item for item in X}.items()):
            return X, HOST
        places = [place_of(item, f"{name}[{i}]") if is_array(item) else HOST for i, item in enumerate(X)]
        for i, place in enumerate(places):
            if not place.is_same(places[0]):
                raise TypeError(
                    f"{name}[0] is of {places[0]} and {name}[{i}] of {place}; all clips of one call must be of one "
                    "library on one device: convert or move them, ToNumpy() takes all to the host."
                )
        return [_taken(item, place, f"{name}[{i}]") for i, (item, place) in enumerate(zip(X, places))], places[0]
    if not is_array(X):
        return X, HOST
    place = place_of(X, name)
    return _taken(X, place, name), place


def of_host(values: Any, name: str) -> Any:
    """Values that a fit reads on the host, such as labels, wherever they lie; what is no array as it is."""
    taken, place = take(values, name)
    if place.on_host:
        return taken
    return [to_numpy(entry) for entry in taken] if isinstance(taken, (list, tuple)) else to_numpy(taken)


def is_array(x: Array) -> bool:
    """Whether x is an array of another library than NumPy, of the host or of a device."""
    if isinstance(x, _PLAIN) or type(x).__module__.split(".")[0] in _TABLES:
        return False
    marks = ("__cuda_array_interface__", "__array_interface__", "__dlpack__", "__array_namespace__")
    return isinstance(x, memoryview) or _is_of(x, "dask") or any(hasattr(x, mark) for mark in marks)


def place_of(x: Array, name: str = "X") -> Place:
    """Where an array lies; an error where its samples are not there yet."""
    if isinstance(x, (np.ndarray, np.generic)):
        return HOST
    if _is_of(x, "dask"):
        raise TypeError(
            f"{name} is a dask array, whose samples are not there yet; pass {name}.compute(), or let dask call the "
            f"model block by block: {name}.rechunk((-1, None)) is one clip's, and {name}.map_blocks(model.transform, "
            "dtype=model.dtype, chunks=(n_signals, n_features)) a block of clips at a time."
        )
    library = _library(x)
    if library == "jax" and _is_traced(x):
        raise TypeError(
            f"{name} is traced by jax, and has no samples yet; call the model outside of jax.jit and jax.grad, or "
            "through jax.pure_callback, with its vjp for the derivative."
        )
    if library == "jax":
        devices = sorted(x.devices(), key=str)
        if len(devices) > 1:
            raise TypeError(f"{name} is spread over {len(devices)} devices of jax; gather it on one: jax.device_put.")
        kind = devices[0].platform
        return Place(library, "cpu" if kind == "cpu" else f"{_cuda(kind)}:{devices[0].id}", kind == "cpu", x)
    if library == "torch":
        return Place(library, str(x.device), x.device.type == "cpu", x)
    if library == "array_api_strict":
        on_host = str(x.device) == str(type(x.device)("CPU_DEVICE"))
        return Place(library, "cpu" if on_host else str(x.device).split("'")[1], on_host, x)
    if hasattr(x, "__cuda_array_interface__"):
        own = x if hasattr(x, "device") else _as_cupy(x, name)  # numba's arrays do not say where they lie
        return Place(library, f"cuda:{own.device.id}", False, x)
    if not hasattr(x, "__array_interface__") and hasattr(x, "__dlpack_device__"):
        kind, number = x.__dlpack_device__()
        if int(kind) != 1:  # DLPack's kDLCPU
            return Place(library, f"{'cuda' if int(kind) == 2 else f'DLPack device {int(kind)}'}:{number}", False, x)
    return Place(library, "cpu", True, x if hasattr(x, "__array_namespace__") else None)


def to_numpy(x: Array) -> np.ndarray:
    """An array in the memory of the host, wherever it lies: the one way from a device."""
    if type(x) is np.ndarray:  # kernels ask a few hundred times a run
        return x
    if hasattr(x, "get"):  # cupy refuses an implicit copy
        return x.get()
    if hasattr(x, "copy_to_host"):  # numba
        return x.copy_to_host()
    if _is_of(x, "array_api_strict"):
        return np.asarray(sys.modules["array_api_strict"].asarray(x, device=type(x.device)("CPU_DEVICE"), copy=True))
    return host_view(x.detach().cpu() if hasattr(x, "detach") else x)  # torch


def host_view(x: Array, name: str = "X") -> np.ndarray:
    """An array of the host as NumPy's, without a copy where its library allows that."""
    if _library(x) == "torch" and x.requires_grad:
        raise TypeError(
            f"{name} is a tensor that requires grad, and autograd does not see into the model; make a module of it, "
            "skaud.interop.torch.as_module(model), call vjp, or pass a tensor without history: "
            f"{name}.detach()."
        )
    if not (place := place_of(x, name)).on_host:
        raise TypeError(
            f"{name} lies on {place}, and sounds, tables and what is nested hold samples of the host; pass arrays of a "
            "device as one array or a list of them, or copy it first: ToNumpy().transform([x])[0]."
        )
    try:
        if _library(x) == "torch":
            array = x.resolve_conj().resolve_neg().numpy()
        elif hasattr(x, "__array__") or hasattr(x, "__array_interface__") or isinstance(x, memoryview):
            array = np.asarray(x)
        else:
            array = np.from_dlpack(x)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise TypeError(
            f"{name}, a {type(x).__name__} of {getattr(x, 'dtype', 'unknown dtype')}, cannot be read as NumPy does "
            f"({error}); make it dense and of float32 or float64."
        ) from error
    if array.dtype.kind == "V":
        raise TypeError(f"{name} holds {array.dtype}, which NumPy cannot compute; cast it to float32 or float64.")
    return array


def in_native_order(x: np.ndarray) -> np.ndarray:
    """The same numbers in the byte order of this machine, as SciPy, numba and soxr take them alone."""
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _taken(x: Array, place: Place, name: str) -> Array:
    if place.on_host:
        return host_view(x, name)
    if place.library == "torch":
        if x.requires_grad:
            host_view(x, name)
        if x.device.type == "meta":
            raise TypeError(
                f"{name} is a tensor of {x.device}, which has no samples; materialise it on the CPU or a GPU."
            )
        if not str(x.layout).endswith("strided") or str(x.dtype) in _NOT_COMPUTED:
            raise TypeError(
                f"{name}, a tensor of {x.dtype} and {x.layout}, cannot be computed; make it dense and of float32 or "
                "float64."
            )
    if place.on_cuda and not hasattr(x, "__array_namespace__") and place.library not in ("torch", "jax"):
        return _as_cupy(x, name)
    return x


def _as_cupy(x: Array, name: str) -> Array:
    """View of an array of CUDA as cupy's."""
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            f"{name} lies on a GPU, where cupy computes arrays of {_library(x)}, and cupy cannot be imported "
            f"({error}); install it with: pip install 'skaud[gpu-cu13]', or 'skaud[gpu-cu12]'."
        ) from error
    return cupy.asarray(x) if hasattr(x, "__cuda_array_interface__") else cupy.from_dlpack(x)


def _library(x: Array) -> str:
    for name in ("torch", "jax"):  # also of classes derived from theirs
        if _is_of(x, name, "Tensor" if name == "torch" else "Array"):
            return name
    return type(x).__module__.split(".")[0]


def _is_of(x: Array, library: str, base: str = "") -> bool:
    """Whether x is of a library, which is then imported; by the class that its arrays derive from, if there is one."""
    if base and library in sys.modules and isinstance(kind := getattr(sys.modules[library], base, None), type):
        return isinstance(x, kind)
    return type(x).__module__.split(".")[0] == library


def _is_traced(x: Array) -> bool:
    return isinstance(x, sys.modules["jax"].core.Tracer)


def _cuda(kind: str) -> str:
    return "cuda" if kind in ("gpu", "cuda") else kind


# --- arrays as engines and kernels take them ---


def array_namespace(x: Array) -> Any:
    """Array API namespace of x (array-api-compat)."""
    if type(x) is np.ndarray:  # kernels ask a few hundred times a run, and array_api_compat takes microseconds
        import array_api_compat.numpy

        return array_api_compat.numpy
    import array_api_compat

    return array_api_compat.array_namespace(x)


def is_foreign(x: Array) -> bool:
    """Whether x is an array that an engine computes in its own library, and not NumPy's."""
    if isinstance(x, (np.ndarray, np.generic)):
        return False
    import array_api_compat

    return array_api_compat.is_array_api_obj(x)


def is_complex(x: Array) -> bool:
    """Whether an array of any library holds complex numbers; NumPy would ask for its samples to tell."""
    return array_namespace(x).isdtype(x.dtype, "complex floating") if is_foreign(x) else np.iscomplexobj(x)


def fft_namespace(x: Array) -> Any:
    """Module with the FFTs for x: SciPy's for NumPy, which keep float32 in every version, else its namespace's own."""
    if is_foreign(x):
        return array_namespace(x).fft
    import scipy.fft

    return scipy.fft


def constant(values: np.ndarray, x: Array) -> Array:
    """NumPy values as an array beside x: of its kind, on its device, in its precision; one that is there as it is."""
    if is_foreign(values):
        return values
    single = x.dtype.char in "fF" if isinstance(x, np.ndarray) else x.dtype in _single_precision(x)
    dtype = np.dtype(("F" if single else "D") if np.iscomplexobj(values) else ("f" if single else "d"))
    return beside(np.asarray(values, dtype), x)


def beside(values: np.ndarray, x: Array) -> Array:
    """NumPy values, of their own dtype, as an array of the kind of x, on its device; what lies there stays."""
    if not is_foreign(x) or is_foreign(values):
        return values
    # torch warns of what it may not write
    return array_namespace(x).asarray(np.array(values), device=_device(x))


def rows_beside(values: Array, x: Array) -> Array:
    """Rows beside x that may be written to; rows that are all one, as NumPy's broadcast_to has them, go there once."""
    if isinstance(values, np.ndarray) and values.size and values.strides[0] == 0:
        return array_namespace(x).tile(beside(values[:1], x), (len(values), *[1] * (values.ndim - 1)))
    # A copy of what was broadcast lies in another order, and kernels count entries flat.
    return beside(np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values, x)


def as_dtype(x: Array, dtype: str) -> Array:
    """An array in the dtype of that name, contiguous, without a copy where it is so; "float32" for torch, too."""
    xp = array_namespace(x)
    x = xp.astype(x, getattr(xp, dtype), copy=False)
    if hasattr(x, "is_contiguous"):  # torch
        return x.contiguous()
    return xp.ascontiguousarray(x) if _is_of(x, "cupy") and hasattr(xp, "ascontiguousarray") else x


def floating(x: Array) -> str:
    """Dtype that an array is computed in: its own where that is float32 or float64, else float64, as on the host."""
    name = str(x.dtype).split(".")[-1]
    return name if name in ("float32", "float64") else "float64"


def zeros(shape: tuple[int, ...], x: Array) -> Array:
    """Zeros beside x: of its kind, on its device, of its dtype."""
    return array_namespace(x).zeros(shape, dtype=x.dtype, device=_device(x))


def empty(shape: tuple[int, ...], x: Array, dtype: str | None = None) -> Array:
    """Array beside x whose numbers are yet to be written; of the dtype of x, or of that name."""
    xp = array_namespace(x)
    return xp.empty(shape, dtype=x.dtype if dtype is None else getattr(xp, dtype), device=_device(x))


def stream_of(x: Array) -> int:
    """Number of the CUDA stream that the library of x works on now: where kernels for x are to be launched."""
    if _library(x) == "torch":
        return sys.modules["torch"].cuda.current_stream(x.device).cuda_stream
    if "cupy" in sys.modules:
        return sys.modules["cupy"].cuda.get_current_stream().ptr
    return 0


def _device(x: Array) -> Any:
    import array_api_compat

    return array_api_compat.device(x)


def _single_precision(x: Array) -> tuple[Any, Any]:
    xp = array_namespace(x)
    return xp.float32, xp.complex64
