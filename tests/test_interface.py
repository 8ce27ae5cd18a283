"""The public interface as it is written down: a change of a name, a default or an exception is seen.

`python tests/test_interface.py` writes it anew.
"""

import difflib
import importlib
import inspect
import sys
from pathlib import Path

import numpydoc.docscrape

import skaud

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_ext"))
import reference

WRITTEN = Path(__file__).with_name("interface.txt")


def raised(thing):
    """Names of the exceptions that a docstring has under Raises."""
    doc = inspect.getdoc(thing)
    found = numpydoc.docscrape.NumpyDocString(doc)["Raises"] if doc else []
    return f"  raises {', '.join(sorted({row.type for row in found}))}" if found else ""


def described(name, thing):
    """Lines for a public thing: its parameters with defaults, its methods', and what they raise."""
    if not callable(thing):
        return [name]
    if not inspect.isclass(thing):
        return [f"{name}{plain(thing)}{raised(thing)}"]
    lines = [f"{name}{plain(thing)}"]
    for method, own in sorted(vars_of(thing).items()):
        if isinstance(own, property):
            lines.append(f"{name}.{method}")
        else:
            lines.append(f"{name}.{method}{plain(own)}{raised(own)}")
    return lines


def vars_of(kind):
    """Public methods and properties that a class has from this package."""
    found = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("skaud"):
            for name, own in vars(base).items():
                bound = own if isinstance(own, property) else getattr(kind, name)
                is_member = isinstance(own, property | classmethod | staticmethod) or inspect.isfunction(own)
                if is_member and not name.startswith("_") and reference.is_for_users(name, bound):
                    found[name] = bound
    return found


def plain(function):
    """Parameters without annotations, numbers to six digits."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return "(...)"
    parameters = []
    for own in signature.parameters.values():
        own = own.replace(annotation=inspect.Parameter.empty)
        if isinstance(own.default, float):
            own = own.replace(default=float(f"{own.default:.6g}"))
        elif isinstance(own.default, tuple):
            rounded = tuple(float(f"{x:.6g}") if isinstance(x, float) else x for x in own.default)
            own = own.replace(default=rounded)
        parameters.append(own)
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def interface():
    """Lines of the public interface."""
    lines = []
    for name in sorted(skaud._HOME):
        lines += described(f"skaud.{name}", getattr(skaud, name))
    for module in sorted({f"skaud.{name}" for name in skaud._SUBMODULES} | set(reference.BESIDE)):
        loaded = importlib.import_module(module)
        for name in sorted(getattr(loaded, "__all__", ())):
            if name not in skaud._HOME:
                lines += described(f"{module}.{name}", getattr(loaded, name))
    return lines


def test_the_public_interface_is_the_one_written_down():
    written = WRITTEN.read_text(encoding="utf-8").splitlines()
    changed = [
        line
        for line in difflib.unified_diff(written, interface(), lineterm="", n=0)
        if line[:2] not in ("--", "++", "@@")
    ]
    assert not changed, "the interface changed; if it is meant, run `python tests/test_interface.py`:\n" + "\n".join(
        changed
    )


def test_what_lies_beside_has_names_in_the_reference():
    documented = {name for names in reference.groups().values() for name in names}
    assert {"skaud.interop.torch.as_module", "skaud.testing.conformance.conformance"} <= documented
    assert all(any(name.startswith(f"{module}.") for name in documented) for module in reference.BESIDE)


if __name__ == "__main__":
    WRITTEN.write_text("\n".join(interface()) + "\n", encoding="utf-8")
