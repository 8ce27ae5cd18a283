"""Which way imports point, and what they cost."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import skaud

ROOT = Path(skaud.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def imports(file):
    """Modules that a file imports, anywhere in it, as it names them: {"numpy", "skaud.design.carfac", ...}."""
    package = ("skaud", *Path(file).parent.parts)
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def names_package(file, package):
    return {name for name in imports(file) if name == package or name.startswith(f"{package}.")}


def in_folder(folder):
    return [file for file in FILES if file.startswith(f"{folder}/")]


def test_the_reader_of_imports_sees_them():
    assert "skaud.engines.carfac.Cascade" in imports("models/carfac.py")
    assert "sklearn.base.BaseEstimator" in imports("estimator/base.py")
    assert {"numpy", "re"} <= imports("pooling/statistics.py")
    assert names_package("estimator/results.py", "pandas") == {"pandas"}  # within a function


# Which way imports point: models -> stages -> design, kernels


@pytest.fixture(scope="module")
def below():
    """Folders, and modules beside them, that each imports from, wherever in a file it does so."""
    graph = {}
    for file in set(FILES) - {"__init__.py", "__main__.py"}:
        own = Path(file).with_suffix("").parts[0]
        others = {name.split(".")[1] for name in names_package(file, "skaud") if "." in name}
        graph.setdefault(own, set()).update(others - {own})
    return {own: others & graph.keys() for own, others in graph.items()}


def floors(graph):
    """Number of the floor of every node of a graph, 1 where it stands on nothing; an error where there is a circle."""
    found = {}

    def floor(node, path):
        assert node not in path, f"imports go round: {' -> '.join((*path[path.index(node) :], node))}"
        if node not in found:
            found[node] = 1 + max((floor(other, (*path, node)) for other in sorted(graph[node])), default=0)
        return found[node]

    return {node: floor(node, ()) for node in sorted(graph)}


def test_imports_between_folders_go_one_way(below):
    house = floors(below)
    assert max(house.values()) <= 9, house
    assert house["kernels"] < house["engines"] < house["estimator"] < house["stages"] < house["models"]
    assert house["models"] < house["recipes"]
    assert max(house, key=house.get) == "command"


def test_a_circle_of_imports_is_named():
    with pytest.raises(AssertionError, match="imports go round: b -> c -> b"):
        floors({"a": {"b"}, "b": {"c"}, "c": {"b"}})


@pytest.mark.parametrize("file", in_folder("kernels"))
def test_kernels_import_kernels_alone(file):
    assert {
        name for name in names_package(file, "skaud") if not name.startswith(("skaud.kernels", "skaud._warnings"))
    } == set()


@pytest.mark.parametrize("file", in_folder("design"))
def test_designs_import_designs_alone(file):
    allowed = ("skaud.design", "skaud._warnings")
    assert {name for name in names_package(file, "skaud") if not name.startswith(allowed)} == set()


@pytest.mark.parametrize("file", in_folder("kernels") + in_folder("design"))
def test_kernels_and_designs_know_no_scikit_learn(file):
    assert names_package(file, "sklearn") == set()


@pytest.mark.parametrize(
    "file",
    [
        file
        for file in FILES
        if file.split("/")[0] in ("stages", "hearing", "estimator", "pooling", "sound", "audio.py")
    ],
)
def test_what_models_stand_on_imports_no_model(file):
    assert names_package(file, "skaud.models") == set()


def names_device_library(file):
    """What a file imports of cupy and numba.cuda, or of the packages that have the latter, wherever in it."""
    found = {name for package in ("cupy", "numba.cuda", "numba_cuda", "cuda") for name in names_package(file, package)}
    text = ast.parse((ROOT / file).read_text())
    asked = {node.value for node in ast.walk(text) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return found | ({"cupy", "numba.cuda", "numba_cuda"} & asked)


@pytest.mark.parametrize("file", FILES)
def test_only_what_launches_kernels_and_the_array_api_name_cupy_and_the_compiler(file):
    if file not in ("kernels/array_api.py", "kernels/device.py"):
        assert names_device_library(file) == set()


def test_the_reader_of_device_libraries_sees_them():
    assert "cupy" in names_device_library("kernels/array_api.py")
    assert names_device_library("kernels/device.py")


@pytest.mark.parametrize("file", FILES)
def test_only_one_module_compiles_for_the_cpu(file):
    if file == "kernels/_compile.py":
        return
    calls = {"jit", "njit", "vectorize", "guvectorize", "stencil"}
    tree = ast.parse((ROOT / file).read_text())
    assert {name for name in names_package(file, "numba") if name.split(".")[-1] in calls} == set()
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in calls]
    assert [ast.unparse(node) for node in used if ast.unparse(node.value).startswith("numba")] == []


def n_lines_of_thought(source):
    """Lines of code, without docstrings, signatures, comments and blank lines."""
    beside = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(node, ast.FunctionDef):
                beside |= set(range(node.lineno, first.lineno))
            if ast.get_docstring(node) is not None:
                beside |= set(range(first.lineno, first.end_lineno + 1))
    lines = [line.strip() for number, line in enumerate(source.splitlines(), 1) if number not in beside]
    return sum(1 for line in lines if line and not line.startswith("#"))


def test_documentation_is_no_thought():
    assert (
        n_lines_of_thought('"""Module.\n\nMore.\n"""\n\n# why\ndef f(\n    a,\n):\n    """Doc."""\n    return a\n') == 1
    )


@pytest.mark.parametrize("file", FILES)
def test_a_file_holds_one_thought(file):
    n_lines = n_lines_of_thought((ROOT / file).read_text())
    assert n_lines <= 330, f"{file} has {n_lines} lines of code: is there a second room in it?"


# Public names


SKLEARNS = {"_parameter_constraints", "_validate_params", "_sklearn_auto_wrap_output_keys", "_abc_impl"}


def underscored(names):
    return {name for name in names if name.startswith("_") and not name.endswith("__")} - SKLEARNS


def members(tree):
    """Underscored names of what classes in a file have: methods, attributes of classes and of instances."""
    bodies = [node for kind in ast.walk(tree) if isinstance(kind, ast.ClassDef) for node in kind.body]
    names = {node.name for node in bodies if isinstance(node, ast.FunctionDef)}
    targets = [own for node in bodies for own in getattr(node, "targets", [getattr(node, "target", None)])]
    names |= {own.id for own in targets if isinstance(own, ast.Name)}
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    attributes = [node for node in attributes if not getattr(node.value, "id", "").startswith("_")]  # of modules
    names |= {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    return underscored(names), underscored(node.attr for node in attributes)


def test_an_underscored_member_is_named_in_its_own_file_alone():
    """What other files call or override has a public name."""
    found = {file: members(ast.parse((ROOT / file).read_text())) for file in FILES}
    owned = set().union(*(own for own, _ in found.values()))
    strayed = {file: (used - own) & owned for file, (own, used) in found.items()}
    assert {file: names for file, names in strayed.items() if names} == {}


@pytest.mark.parametrize("name", skaud.__all__)
def test_no_class_overrides_an_underscored_member_of_another_file(name):
    kinds = [kind for kind in getattr(getattr(skaud, name), "__mro__", ()) if kind.__module__.startswith("skaud.")]
    pairs = [(kind, base) for k, kind in enumerate(kinds) for base in kinds[k + 1 :]]
    others = [(kind, base) for kind, base in pairs if kind.__module__ != base.__module__]
    assert {own for kind, base in others for own in underscored(vars(kind)) & set(vars(base))} == set()


@pytest.mark.parametrize("name", skaud.__all__)
def test_every_public_name_is_there(name):
    assert getattr(skaud, name) is not None
    assert name in dir(skaud)


def test_public_names_are_those_of_their_modules():
    from skaud.models.carfac import CARFAC
    from skaud.pooling.temporal import TemporalPooling

    assert skaud.CARFAC is CARFAC
    assert skaud.TemporalPooling is TemporalPooling
    assert skaud.audio is importlib.import_module("skaud.audio")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'skaud' has no attribute 'Carfac'"):
        skaud.Carfac  # noqa: B018


# What importing costs, in a process of its own


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout


def test_importing_skaud_costs_little_and_loads_nothing_heavy():
    code = """
import sys, time, numpy, sklearn
start, before = time.process_time(), set(sys.modules)
import skaud
seconds = time.process_time() - start
heavy = {"numba", "pandas", "soxr", "soundfile", "matplotlib", "cupy", "torch", "joblib"} & (set(sys.modules) - before)
print(seconds, heavy or "nothing heavy")
"""
    seconds, heavy = run(code).split(maxsplit=1)
    assert heavy.strip() == "nothing heavy"
    assert float(seconds) < 0.3  # of the processor, whatever else it does


def test_importing_a_model_loads_no_reader_of_files_and_no_plots():
    code = """
import sys, skaud
skaud.CARFAC, skaud.TemporalPooling
print({"soundfile", "soxr", "matplotlib", "cupy", "torch", "polars"} & set(sys.modules) or "nothing heavy")
"""
    assert run(code).strip() == "nothing heavy"
