"""Compiled kernels on disk: whatever happens to them, results come, and one warning says what to do."""

import errno
import logging
import os
import pickle
import re
import resource
import shutil
import subprocess
import sys
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from skaud.kernels import _cache
from skaud.kernels._cache import config
from skaud.kernels._compile import kernel

X = np.arange(4.0)


def double(x, out):
    for i in range(len(x)):
        out[i] = 2 * x[i]


def triple(x, out):
    for i in range(len(x)):
        out[i] = 3 * x[i]


def run(function=double):
    """What a new process would do: compiled function, or what the cache has of it; returns where it came from."""
    compiled, out = kernel(function), np.zeros(4)
    compiled(X, out)
    np.testing.assert_array_equal(out, (2 if function is double else 3) * X)
    return "cache" if sum(compiled.stats.cache_hits.values()) else "compiler"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Cache folder of its own, and a process that has not warned yet."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "_warned", False)
    return tmp_path / "cache"


@pytest.fixture
def kept(folder):
    """File of the compiled kernel."""
    run()
    (path,) = folder.rglob("*.nbc")
    return path


def with_checksum(path, payload):
    path.write_bytes(sha256(path.name.encode() + payload).digest() + payload)


def replace_by_other_kernel(path):
    run(triple)
    (other,) = path.parent.glob("*.triple-*.nbc")
    shutil.copy(other, path)


class Explosive:
    def __reduce__(self):
        return (int, ("not a number",))


def flip(position):
    def damage(path):
        content = bytearray(path.read_bytes())
        content[int(position * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return damage


def replace_by(make):
    def damage(path):
        path.unlink()
        make(path)

    return damage


DAMAGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "halved": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "last byte lost": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "a byte more": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "only a checksum": lambda path: path.write_bytes(path.read_bytes()[:32]),
    "a bit flipped in the checksum": flip(0),
    "a bit flipped in the middle": flip(0.5),
    "a bit flipped at the end": flip(1),
    "garbage": lambda path: path.write_bytes(np.random.default_rng(0).bytes(1000)),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
    "a pickle of something else": lambda path: with_checksum(path, pickle.dumps({"a": 1})),
    "a pickle that raises": lambda path: with_checksum(path, pickle.dumps(Explosive())),
    "a pickle of unknown classes": lambda path: with_checksum(path, b"cnowhere\nNothing\n."),
    "a pickle with a checksum but no content": lambda path: with_checksum(path, b""),
    "another kernel": replace_by_other_kernel,
    "a folder": replace_by(Path.mkdir),
    "a pipe": replace_by(os.mkfifo),
    "a link to itself": replace_by(lambda path: path.symlink_to(path)),
    "a link to a device": replace_by(lambda path: path.symlink_to("/dev/zero")),
    "too large": lambda path: os.truncate(path, 1 << 40),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_cache_is_warned_of_once_and_compiled_without(kept, damage):
    DAMAGES[damage](kept)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR") as warned:
        origins = run(), run()
    assert origins[0] == "compiler"
    assert len(warned) == 1
    assert str(kept) in str(warned[0].message)
    assert warned[0].filename == __file__
    assert damage == "a folder" or run() == "cache"  # it was replaced


@pytest.mark.parametrize("damage", ["a dangling link", "missing", "no folder"])
def test_missing_cache_is_compiled_again_without_a_word(kept, damage):
    kept.unlink()
    if damage == "a dangling link":
        kept.symlink_to(kept.with_name("nowhere"))
    if damage == "no folder":
        shutil.rmtree(kept.parents[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run() == "compiler"
        assert run() == "cache"


def test_unwritable_folder_is_warned_of_once(folder):
    folder.write_text("a file, so that no folder of this name can be made")
    with pytest.warns(RuntimeWarning, match=f"cannot be written .*{re.escape(str(folder))}") as warned:
        assert [run(), run(triple)] == ["compiler", "compiler"]
    assert len(warned) == 1


def test_full_disk_is_warned_of_once_and_leaves_no_file(folder, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.warns(RuntimeWarning, match="No space left") as warned:
        assert [run(), run(triple)] == ["compiler", "compiler"]
    assert len(warned) == 1
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_file_cut_by_a_limit_is_warned_of_and_leaves_no_file(folder):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.warns(RuntimeWarning, match="cannot be written"):
            assert run() == "compiler"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_folder_that_may_only_be_read_serves(kept, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(_cache, "_write", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run() == "cache"


@pytest.mark.parametrize("is_given", [True, False])
def test_numbas_older_names_of_its_folders_serve(is_given, folder, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(folder) if is_given else "")
    wanted = _cache._folders(run)
    for name in ("UserProvidedCacheLocator", "InTreeCacheLocator", "UserWideCacheLocator"):
        if hasattr(_cache.caching, name):  # numba 0.60 calls them _UserProvidedCacheLocator
            monkeypatch.setattr(_cache.caching, f"_{name}", getattr(_cache.caching, name), raising=False)
            monkeypatch.delattr(_cache.caching, name)
    assert _cache._folders(run) == wanted
    assert len(wanted) == (1 if is_given else 2)


def test_kernels_that_close_over_different_values_are_kept_apart(folder):
    def times(factor):
        def scale(x, out):
            for i in range(len(x)):
                out[i] = factor * x[i]

        return scale

    for factor in (2, 5):
        out = np.zeros(4)
        kernel(times(factor))(X, out)
        np.testing.assert_array_equal(out, factor * X)
    assert len(list(folder.rglob("*.nbc"))) == 2


def test_compilation_is_said_and_loading_is_not(folder, caplog):
    with caplog.at_level(logging.INFO, "skaud"):
        run()
        run()
    said = [record.message for record in caplog.records]
    assert said == [f"compiling {double.__module__}.double, once for this machine"]


KERNEL = "def double(x, out):\n    for i in range(len(x)):\n        out[i] = 2 * x[i]\n"

PROCESS = """
import sys
import numpy as np
from skaud.kernels._compile import kernel
from kernels_of_a_test import double
out = np.zeros(4)
compiled = kernel(double)
compiled(np.arange(4.0), out)
assert (out == 2 * np.arange(4.0)).all()
print(sum(compiled.stats.cache_hits.values()))
"""


def start(tmp_path, code, **environment):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_kernel_that_is_there_is_loaded_without_what_compiles(tmp_path):
    (tmp_path / "kernels_of_a_test.py").write_text(KERNEL)
    code = PROCESS + "print('numba.np.npyimpl' in sys.modules)\n"
    for said in ("0\nTrue\n", "1\nFalse\n"):
        run = start(tmp_path, code, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
        out, problems = run.communicate()
        assert out == said, problems


@pytest.mark.slow
def test_processes_that_write_at_once_leave_a_cache_that_serves(tmp_path):
    (tmp_path / "kernels_of_a_test.py").write_text(KERNEL)
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for _ in range(3):
        processes = [start(tmp_path, PROCESS, **environment) for _ in range(4)]
        results = [process.communicate() for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, results
    assert results[0][0] == "1\n"
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 1


MODEL = """
import sys
import numpy as np
from skaud import CARFAC
x = np.ones((1, 100), "float32")
sys.stdout.write(CARFAC(min_pole_hz=3000.0).fit(x).transform(x).tobytes().hex())
"""


@pytest.mark.slow
def test_model_computes_the_same_with_a_damaged_cache(tmp_path):
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first, errors = start(tmp_path, MODEL, **environment).communicate()
    assert not errors
    files = list((tmp_path / "cache").rglob("*.nbc"))
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    process = start(
        tmp_path, MODEL.replace("import sys", "import sys, warnings; warnings.simplefilter('default')"), **environment
    )
    second, errors = process.communicate()
    assert second == first
    assert errors.count("RuntimeWarning") == 1
    assert "NUMBA_CACHE_DIR" in errors


WITHOUT_COMPILER = """
import sys
import numpy as np
from skaud import CARFAC, King2019, Osses2021
x = 0.05 * np.random.default_rng(0).standard_normal((2, 40))
results = []
for model in (
    CARFAC(ihc_style="two_cap_with_syn", min_pole_hz=5000.0, dtype="float64"),
    CARFAC(min_pole_hz=5000.0, dtype="float64"),
    Osses2021(dtype="float64"),
    King2019(low_hz=1000.0, high_hz=2000.0, dtype="float64"),
):
    value, pullback = model.fit(x).vjp(x)
    results += [value, *(np.asarray(bar) for _, bar in sorted(pullback(np.ones_like(value)).items()))]
np.savez(sys.argv[1], *results)
"""


def run_without_compiler(path, disabled):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER, path],
        env=os.environ | {"NUMBA_DISABLE_JIT": disabled},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("NUMBA_DISABLE_JIT" in done.stderr) == (disabled == "1")
    with np.load(path) as file:
        return dict(file)


def test_every_kernel_runs_as_python_and_says_that_it_is_slow(tmp_path):
    for result in run_without_compiler(tmp_path / "results.npz", "1").values():
        assert np.isfinite(result).all()


@pytest.mark.slow
def test_kernels_give_as_python_what_they_give_compiled(tmp_path):
    as_python, compiled = (run_without_compiler(tmp_path / f"{disabled}.npz", disabled) for disabled in "10")
    for name, wanted in compiled.items():
        np.testing.assert_allclose(as_python[name], wanted, rtol=1e-9, atol=1e-12 * np.abs(wanted).max())
