"""Computing where X lies: the device is made the current one, and what goes wrong there is named."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from multiprocessing import current_process
from typing import Any, TypeVar, cast

import numpy as np

from skaud.kernels.array_api import DEVICE_LIBRARIES, HOST, Place, device_context, is_array, place_of

REMEDY = "pass ToNumpy().transform(X), which the CPU computes"
# What drivers, libraries and compilers say, in lower case without blanks and underscores.
OLD_DRIVER = (
    "insufficientdriver",
    "driverversionisinsufficient",
    "nvidiadriveronyoursystemistooold",
    "unsupportedptxversion",
    "nobinaryforgpu",
    "systemdrivermismatch",
)
NO_DRIVER = (
    "nodevice",
    "cudasupporterror",
    "nocuda",
    "foundnonvidiadriver",
    "libcuda.so",
    "initializationerror",
    "cannotre-initializecuda",
)
SHARE = 0.6  # of the free memory, that estimates may be off and a device's memory in pieces
CHECKPOINTS_SHARE = 1 / 4  # of all memory, that checkpoints may take which need not be so many
INSTALL = "install it with: pip install 'skaud[gpu-cu13]', or 'skaud[gpu-cu12]'"


class Told:
    """Mark of errors that are named in the words of this package already."""


class DeviceMemoryError(Told, MemoryError):
    """What does not fit in a device's memory."""


class DriverError(Told, RuntimeError):
    """A driver that is not there, or too old."""


Method = TypeVar("Method", bound=Callable[..., Any])


def where_it_lies(method: Method) -> Method:
    """Let a method that takes X first compute on the device where X lies, and name what goes wrong there."""

    @wraps(method)
    def run(self: Any, X: Any = None, *arguments: Any, **options: Any) -> Any:
        if X is None or type(X) is np.ndarray:
            return method(self, X, *arguments, **options)
        is_list = isinstance(X, (list, tuple))
        first = X[0] if is_list and len(X) else X  # clips of several places are for the method to refuse
        try:
            place = place_of(first) if is_array(first) else HOST
        except (TypeError, ValueError, ImportError):  # which the method says, too, and what else there is to say
            place = HOST
        if place.on_host:
            return method(self, X, *arguments, **options)
        refuse_worker(place)
        with on_device(place, type(self).__name__, len(X) if is_list else (*X.shape, 1)[0]):
            return method(self, X, *arguments, **options)

    return cast(Method, run)


@contextmanager
def on_device(place: Place, who: str, n_signals: int, bytes_of_signal: int = 0) -> Iterator[None]:
    """Compute on a device: it is the current one, and what goes wrong is named in the words of this package.

    bytes_of_signal : of the device's memory, that a signal takes; 0 where nobody knows
    """
    told = memory_of(place) if bytes_of_signal else None  # before anything lies there
    try:
        with device_context(place):
            yield
    except ImportError as error:
        if place.on_host or (error.name or "").split(".")[0] not in DEVICE_LIBRARIES:
            raise
        raise ImportError(
            f"{who} runs on {place} by kernels of numba-cuda, which cannot be imported ({error}); {INSTALL}."
        ) from error
    except Exception as error:
        n_fit = n_signals // 2
        if told is not None and room_for_signals(*told) // bytes_of_signal < n_signals:
            n_fit = room_for_signals(*told) // bytes_of_signal
        named = _named(error, place, who, n_signals, n_fit)
        if named is None:
            raise
        raise named from error


def room_for_signals(free: int, total: int) -> int:
    """Bytes of a device for what signals must have, beside as many checkpoints as they may have."""
    return int(min(SHARE * free, max(free - CHECKPOINTS_SHARE * total, SHARE * free / 8)))


def _named(error: Exception, place: Place, who: str, n_signals: int, n_fit: int) -> Exception | None:
    """What an error of a device means; None where it is none, or is told already."""
    if place.on_host or isinstance(error, Told):
        return None
    text = f"{type(error).__name__} {error}".lower().replace("_", "").replace(" ", "")
    if "outofmemory" in text or "allocfailed" in text or isinstance(error, MemoryError):
        free = free_bytes(place)
        has = "" if free is None else f", of which {free / 2**20:.0f} MiB are free,"
        return DeviceMemoryError(
            f"{n_signals} signals at once do not fit in the memory of {place.device}{has} as {who} computes them "
            f"({error}); pass about {max(1, n_fit)} a call, or X in the host's memory."
        )
    if any(words in text for words in OLD_DRIVER):
        return DriverError(
            f"the driver of {place.device} is too old for the CUDA that is installed ({error}); update the driver, or "
            f"install kernels for an older CUDA: pip install 'skaud[gpu-cu12]'. Meanwhile {REMEDY}."
        )
    if any(words in text for words in NO_DRIVER):
        return DriverError(
            f"no driver of a GPU answers ({error}); install NVIDIA's, or see nvidia-smi whether it is there. "
            f"Meanwhile {REMEDY}."
        )
    return None


def free_bytes(place: Place) -> int | None:
    """Memory that is free on a device, and what its library keeps for new arrays; None where it does not tell."""
    told = memory_of(place)
    return told and told[0]


def memory_of(place: Place) -> tuple[int, int] | None:
    """Free memory of a device, and all that it has; None where its library does not tell."""
    try:
        library = sys.modules[place.computed_by]
        if place.library == "torch":
            free, total = library.cuda.mem_get_info(place.device)
            kept = library.cuda.memory_reserved(place.device) - library.cuda.memory_allocated(place.device)
        else:
            with library.cuda.Device(int(place.device.rpartition(":")[2])):
                free, total = library.cuda.runtime.memGetInfo()
                kept = library.get_default_memory_pool().free_bytes()
        return int(free) + int(kept), int(total)
    except Exception:  # whoever asks can do without
        return None


def refuse_worker(place: Place) -> None:
    """Refuse arrays of a device in a worker process of joblib, each of which would copy them and start the device.

    Workers that have a device of their own, such as Dask's, are none of these.
    """
    if not place.on_host and any(kind in current_process().name for kind in ("LokyProcess", "PoolWorker")):
        raise RuntimeError(
            f"X is of {place} in a worker process of joblib, where every worker would hold a copy of it and of the "
            "device's context; set n_jobs=1 in the search or the cross-validation, since the device computes clips "
            "side by side anyway, or use threads: with joblib.parallel_backend('threading')."
        )
