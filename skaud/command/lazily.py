"""Modules that are loaded when something of them is first asked for, not where an import statement names them."""

import contextlib
import importlib.machinery
import importlib.metadata
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

# scikit-learn imports them, to look whether data are theirs and for what a command does not ask for: half of the time
# that a command takes to start, and 100 MB.
SELDOM_USED = ("pandas", "scipy.stats", "scipy.optimize")


@contextlib.contextmanager
def imported_lazily(names: Sequence[str] = SELDOM_USED) -> Iterator[None]:
    """Leave modules that are imported within unloaded until they are used, then or later."""
    finder = _Finder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Later(spec.loader)
        return spec


class _Later(Loader):
    """Loader that leaves a module without content but a `__getattr__` which loads it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        content, lock, is_loading = vars(module), threading.RLock(), False
        # Whoever imports a module below it asks for its path first, which has to load it, too.
        path = content.pop("__path__", None)

        def load(name: str) -> Any:
            nonlocal is_loading
            if name == "__version__" and not is_loading:  # scikit-learn 1.6 looks at that of pandas as it is imported
                with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                    return importlib.metadata.version(module.__name__)
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
