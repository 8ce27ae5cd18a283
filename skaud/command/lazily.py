"""Modules that are loaded when something of them is first asked for, not where an import statement names them."""

import contextlib
import gc
import importlib.machinery
import importlib.metadata
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

# scikit-learn imports them, to look whether data are theirs and for what a command does not ask for: more than half of
# the time that a command takes to start, and 100 MB.
SELDOM_USED = (
    "pandas",
    "narwhals.stable.v2",
    "scipy.stats",
    "scipy.optimize",
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.special",
    "scipy.sparse.linalg",
    "scipy.sparse.csgraph",
    "numpy.f2py",
    "numpy.ma",
)
# What it takes out of them, for what is fitted.
STOOD_IN_FOR = (
    "scipy.interpolate.BSpline",
    "scipy.special.boxcox",
    "scipy.special.inv_boxcox",
    "scipy.special.comb",
    "scipy.special.loggamma",
    "scipy.special.poch",
    "scipy.sparse.linalg.cg",
    "scipy.sparse.linalg.LinearOperator",
    "scipy.sparse.csgraph.laplacian",
)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Search for no garbage while modules are imported, which last: to do so again and again is a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def imported_lazily(names: Sequence[str] = SELDOM_USED, stood_in_for: Sequence[str] = STOOD_IN_FOR) -> Iterator[None]:
    """Leave modules that are imported within unloaded until they are used, then or later.

    stood_in_for : classes and functions of theirs, that something else is taken for which loads the module when it is
    called or asked
    """
    finder = _Finder(names, stood_in_for)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def __init__(self, names: Sequence[str], stood_in_for: Sequence[str]) -> None:
        self._names, self._stood_in_for = names, stood_in_for

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            classes = [own.removeprefix(f"{name}.") for own in self._stood_in_for if own.startswith(f"{name}.")]
            spec.loader = _Later(spec.loader, classes)
        return spec


class _Later(Loader):
    """Loader that leaves a module without content but a `__getattr__` which loads it."""

    def __init__(self, loader: Any, stood_in_for: Sequence[str]) -> None:
        self._loader, self._stood_in_for = loader, stood_in_for

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        content, lock, is_loading = vars(module), threading.RLock(), False
        # Whoever imports a module below it asks for its path first, which has to load it, too; so does whoever imports
        # a class out of it.
        path = None if self._stood_in_for else content.pop("__path__", None)

        def load(name: str) -> Any:
            nonlocal is_loading
            if name == "__version__" and not is_loading:  # scikit-learn 1.6 looks at that of pandas as it is imported
                with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                    return importlib.metadata.version(module.__name__)
            if name in self._stood_in_for and not is_loading:
                return _StandIn(module, name)
            with lock:
                if content.get("__getattr__") is load and not is_loading:
                    is_loading = True
                    assert module.__spec__ is not None
                    module.__spec__.loader = module.__loader__ = self._loader
                    if path is not None:
                        module.__path__ = path
                    self._loader.exec_module(module)
                    if content["__getattr__"] is load:
                        del content["__getattr__"]
                if name in content:
                    return content[name]
                if content.get("__getattr__") is load:  # asked for while it loads
                    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return getattr(module, name)

        content["__getattr__"] = load


class _StandIn:
    """What is taken for a class or a function of a module that is not loaded."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self._module, self._name = module, name

    def _load(self) -> Any:
        if "__getattr__" in vars(self._module):
            vars(self._module)["__getattr__"]("__name__")
        return getattr(self._module, self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._load()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

    def __mro_entries__(self, bases: Any) -> tuple[Any, ...]:
        return (self._load(),)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self._load())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._load())
