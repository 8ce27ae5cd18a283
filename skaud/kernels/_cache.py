"""Compiled kernels on disk: an optimisation, which neither stops nor changes a result, whatever happens to it.

numba's own cache raises where a file is damaged or cannot be written, runs what it reads unchecked, loses entries when
processes write at once, and reads no folder that it may not write to. Here a compiled kernel is one file with a
checksum in front, of a name that says all it depends on; what cannot be used or kept is warned of, once a process.
"""

import inspect
import logging
import os
import pickle
import stat
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import llvmlite
import llvmlite.binding
import numba
from numba.core import caching
from numba.core.compiler import CompileResult
from numba.core.runtime import _nrt_python  # type: ignore[attr-defined]
from numba.core.serialize import dumps

from skaud._warnings import warn_caller

config: Any = numba.core.config
logger = logging.getLogger("skaud")

N_CHECKSUM = sha256().digest_size
LARGEST = 1 << 28  # bytes: a hundred times the largest kernel
_warned = False


class KernelCache(caching._Cache):
    """Where numba looks for a compiled kernel, and leaves one.

    version : text that changes with every source that the kernel is made of
    """

    def __init__(self, function: Callable, version: str) -> None:
        self._function, self._version = function, version
        self._name = f"{function.__module__.removeprefix('skaud.kernels.')}.{function.__name__}"
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """Folder that compiled kernels are written to first."""
        return str(_folders(self._function)[0])

    def enable(self) -> None:
        """Read and write."""
        self._enabled = True

    def disable(self) -> None:
        """Neither read nor write."""
        self._enabled = False

    def flush(self) -> None:
        """Delete what is there of this kernel."""
        for folder in _folders(self._function):
            for path in folder.glob(f"{self._name}-*.nbc"):
                try:
                    path.unlink()
                except OSError as error:
                    _warn(path, f"cannot be deleted ({error})")

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """Find the kernel for these types; None where it is to be compiled."""
        _name_what_kernels_call()
        for folder in _folders(self._function) if self._enabled else ():
            path = folder / self._file_name(sig, target_context.codegen())
            try:
                payload = pickle.loads(_read(path))
                return CompileResult._rebuild(target_context, *payload)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except Exception as error:  # whatever unpickling may raise
                _warn(path, f"cannot be used ({type(error).__name__}: {error})")
        logger.info("compiling %s, once for this machine", self._name)
        return None

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """Keep a compiled kernel, in the first folder that takes it."""
        if not self._enabled:
            return
        name, problem = self._file_name(sig, data.codegen), ""
        try:
            payload = dumps(data._reduce())
            for folder in _folders(self._function):
                try:
                    _write(folder / name, _checksum(name, payload) + payload)
                    return
                except OSError as error:
                    problem = problem or f"cannot be written ({error})"
        except Exception as error:
            problem = f"cannot be made ({type(error).__name__}: {error})"
        _warn(Path(self.cache_path) / name, problem)

    def _file_name(self, sig: Any, codegen: Any) -> str:
        versions = (self._version, numba.__version__, llvmlite.__version__, sys.implementation.cache_tag)
        # Functions that compiled code is made for, such as closures, differ in what they close over.
        parts = (*versions, codegen.magic_tuple(), str(sig), _describe(self._function))
        return f"{self._name}-{sha256(repr(parts).encode()).hexdigest()[:32]}.nbc"


@cache
def _name_what_kernels_call() -> None:
    """Tell LLVM where functions of numba lie that compiled kernels call.

    numba does so as it makes ready to compile, which imports and lists all that it can compile, and compiles some of
    it: 0.25 s and 60 MB for who only loads. It still does where a kernel is not there.
    """
    for name, address in _nrt_python.c_helpers.items():
        llvmlite.binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _folders(function: Callable) -> list[Path]:
    """Folders that compiled kernels may lie in: the one that NUMBA_CACHE_DIR names, or numba's usual ones."""
    source = inspect.getfile(function)
    names = ("UserProvidedCacheLocator",) if config.CACHE_DIR else ("InTreeCacheLocator", "UserWideCacheLocator")
    locators = [getattr(caching, name, None) or getattr(caching, f"_{name}") for name in names]  # numba 0.60 has _
    return [Path(locator(function, source).get_cache_path()) for locator in locators]


def _describe(value: Any) -> str:
    """Text for what a function closes over, the same in every process."""
    function = getattr(value, "py_func", value)
    if not inspect.isfunction(function):
        return repr(value)
    enclosed = [_describe(cell.cell_contents) for cell in function.__closure__ or ()]
    return f"{function.__module__}.{function.__qualname__}:{function.__code__.co_firstlineno}{enclosed}"


def _read(path: Path) -> bytes:
    """Content of a file without its checksum; an error where that does not fit."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:  # to open a pipe would wait for ever
        raise ValueError(f"it is no file of at most {LARGEST} bytes")
    content = path.read_bytes()
    payload = content[N_CHECKSUM:]
    if _checksum(path.name, payload) != content[:N_CHECKSUM]:
        raise ValueError(f"of its {len(content)} bytes some are lost or changed")
    return payload


def _checksum(name: str, payload: bytes) -> bytes:
    return sha256(name.encode() + payload).digest()


def _write(path: Path, content: bytes) -> None:
    """Write a file at once, whoever else reads or writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid4().hex[:16]}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _warn(path: Path, problem: str) -> None:
    global _warned
    if _warned:
        return
    _warned = True
    given = f"NUMBA_CACHE_DIR={config.CACHE_DIR}" if config.CACHE_DIR else "no NUMBA_CACHE_DIR given"
    warn_caller(
        f"A compiled kernel in the cache, {path}, {problem}; kernels are compiled, which takes seconds, and results "
        "are the same. Make that folder writable and delete what is in it, or set the environment variable "
        f"NUMBA_CACHE_DIR to a folder that can be written ({given}); further problems are not reported.",
        RuntimeWarning,
    )
