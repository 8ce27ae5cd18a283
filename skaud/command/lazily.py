"""Modules that are loaded when something of them is first asked for, not where an import statement names them."""

import contextlib
import gc
import importlib.machinery
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

# scikit-learn imports them, to look whether data are theirs and for what a command does not ask for: more than half of
# the time that a command takes to start, and 100 MB.
SELDOM_USED = (
    "pandas",
    "narwhals",
    "narwhals.stable",
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
    "asyncio",  # by joblib
    "yaml",  # by numba, where it is installed
)
# What is taken out of them, for what is fitted or to ask for its kind.
STOOD_IN_FOR = (
    "numpy.ma.MaskedArray",
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


_waiting: dict[str, Callable[[], None]] = {}  # what loads a module that is not loaded yet, by its name


class _Finder(MetaPathFinder):
    def __init__(self, names: Sequence[str], stood_in_for: Sequence[str]) -> None:
        self._names, self._stood_in_for = names, stood_in_for

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            classes = [own.removeprefix(f"{name}.") for own in self._stood_in_for if own.startswith(f"{name}.")]
            is_above = any(own.startswith(f"{name}.") for own in self._names)
            spec.loader = _Later(spec.loader, classes, bool(classes) or is_above)
        return spec


class _Later(Loader):
    """Loader that leaves a module without content but a `__getattr__` which loads it."""

    def __init__(self, loader: Any, stood_in_for: Sequence[str], keeps_path: bool) -> None:
        self._loader, self._stood_in_for, self._keeps_path = loader, stood_in_for, keeps_path

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        content, lock, is_loading = vars(module), threading.RLock(), False
        # Whoever imports a module below it asks for its path first, which has to load it, too; so does whoever imports
        # a class out of it.
        path = None if self._keeps_path else content.pop("__path__", None)

        def load() -> None:
            nonlocal is_loading
            with lock:
                if module.__name__ not in _waiting or is_loading:
                    return
                is_loading = True
                try:
                    _load(module.__name__.rpartition(".")[0])  # what it lies in may not be loaded either
                    assert module.__spec__ is not None
                    module.__spec__.loader = module.__loader__ = self._loader
                    if path is not None:
                        module.__path__ = path
                    self._loader.exec_module(module)
                finally:
                    is_loading = False
                if content["__getattr__"] is loaded:
                    del content["__getattr__"]
                del _waiting[module.__name__]

        def loaded(name: str) -> Any:
            if name == "__version__" and not is_loading:  # scikit-learn 1.6 looks at that of pandas as it is imported
                with contextlib.suppress(ImportError):
                    return _version_of(module.__name__)
            if name in self._stood_in_for and not is_loading:
                return _StandIn(module, name)
            load()
            with lock:
                if name in content:
                    return content[name]
                if content.get("__getattr__") is loaded:  # asked for while it loads
                    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return getattr(module, name)

        _waiting[module.__name__] = load
        content["__getattr__"] = loaded


def _load(name: str) -> None:
    """Load a module that has been left unloaded."""
    if name in _waiting:
        _waiting[name]()


def _version_of(name: str) -> str:
    from importlib.metadata import version  # only here: it takes a fiftieth of a second to import

    return version(name)


class _StandIn:
    """What is taken for a class or a function of a module that is not loaded."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self._module, self._name = module, name

    def _load(self) -> Any:
        _load(self._module.__name__)
        return getattr(self._module, self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._load()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

    def __mro_entries__(self, bases: Any) -> tuple[Any, ...]:
        return (self._load(),)

    def __instancecheck__(self, instance: Any) -> bool:
        name = self._module.__name__
        if name in _waiting and not any(f"{own.__module__}.".startswith(f"{name}.") for own in type(instance).__mro__):
            return False  # of no class that lies in the module, or in one below it
        return isinstance(instance, self._load())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._load())
