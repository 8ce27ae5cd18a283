"""The reference's pages: every public name, grouped by where it is defined, found in the package itself."""

import importlib
import inspect
import re

import skaud

GROUPS = {  # folder in which a name of skaud is defined -> title; further folders are titled by their own name
    "models": "Models",
    "stages": "Stages",
    "pooling": "Pooling",
    "sound": "Sound",
    "hearing": "Hearing",
    "fitting": "Learning",
}
# Where methods may be for others.
INNER = ("skaud.estimator", "skaud.models", "skaud.stages", "skaud.engines", "skaud.frames")
BESIDE = ("skaud.interop.torch", "skaud.testing.conformance")  # public, though no name of skaud


def groups():
    """Title of a group -> the names in it, with dots."""
    found = {title: [] for title in GROUPS.values()}
    for name, home in skaud._HOME.items():
        folder = home.split(".")[1]
        found.setdefault(GROUPS.get(folder, folder.capitalize()), []).append(f"skaud.{name}")
    modules = [f"skaud.{name}" for name in skaud._SUBMODULES] + list(BESIDE)
    for module in modules:
        try:
            loaded = importlib.import_module(module)
        except ImportError:  # torch is not needed to build the site
            continue
        names = [f"{module}.{name}" for name in getattr(loaded, "__all__", ()) if not hasattr(skaud, name)]
        documented = [name for name in names if inspect.getdoc(_resolve(name)) and not isinstance(_resolve(name), dict)]
        if documented:
            found[f"{module}: {inspect.getdoc(loaded).splitlines()[0].rstrip('.')}"] = documented
    return {title: names for title, names in found.items() if names}


def _resolve(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def write(folder):
    """Write the index that autosummary makes pages from, where it changed."""
    lines = ["Reference", "=========", "", "Every public name; ``help(name)`` says the same.", ""]
    for title, names in groups().items():
        lines += [title, "-" * len(title), "", ".. autosummary::", "   :toctree: generated", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in names] + [""]
    folder.mkdir(exist_ok=True)
    page, text = folder / "index.rst", "\n".join(lines)
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def is_for_users(name, thing):
    """Whether a method or property is meant for users.

    What models, stages and fits ask of one another has no sections in its docstring; what estimators have from
    scikit-learn alone, its own site documents.
    """
    home = str(getattr(getattr(thing, "fget", thing), "__module__", ""))
    if not home.startswith(INNER):
        return home.startswith("skaud")
    if isinstance(thing, property):
        return name.endswith("_")
    return bool(re.search(r"^ *(Parameters|Returns|Raises)\n *---", inspect.getdoc(thing) or "", re.MULTILINE))


def leave_out(app, what, name, obj, skip, options):
    """Leave out members of a class that are not for users."""
    return True if what == "class" and not is_for_users(name.rpartition(".")[2], obj) else None


def keep_underscores(app, what, name, obj, options, lines):
    """Let fitted names such as n_channels_ in a shape be names: reStructuredText takes them for links."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("`")
            parts[::2] = [re.sub(r"(?<=[A-Za-z0-9])_(?![\w`{\\])", r"\\_", part) for part in parts[::2]]
            lines[i] = "`".join(parts)


def setup(app):
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-docstring", keep_underscores, priority=900)  # after numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
