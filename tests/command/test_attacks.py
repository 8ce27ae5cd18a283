"""Attacks on `skaud features` with fixed seeds; docs/robustness.md has the counts. Each is to lose and mix nothing."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter

import numpy as np
import pytest
from runs import FORMATS, make_sounds, read, skaud_features
from sound_attack import attack

from skaud.command import journal
from skaud.command.errors import UsageError
from skaud.command.journal import journal_path
from skaud.command.models import MODELS, fit, make_model

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")]

GOOD = {"whole", "clear error"}
N_FILES, N_KILLS, N_PAIRS, N_DAMAGES = 1000, 20, 15, 500  # the last three of every format


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return make_sounds(tmp_path_factory.mktemp("sounds") / "in", 60, duration_s=1.0)


@pytest.fixture(scope="module")
def references(sounds, tmp_path_factory):
    """What an undisturbed run writes, of every format, and how long it takes."""
    folder = tmp_path_factory.mktemp("reference")
    found = {}
    assert skaud_features(sounds, "-o", folder / "first.csv") == 0  # loads what the others find loaded
    for suffix in FORMATS:
        begin = time.monotonic()
        assert skaud_features(sounds, "-o", folder / f"x.{suffix}", "--jobs", 2) == 0
        found[suffix] = folder / f"x.{suffix}", time.monotonic() - begin
    return found


def fork(folder, *arguments):
    """Run the command in a process that has all loaded already; what it says goes to a file."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        said = os.open(folder / f"said-{os.getpid()}", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        status = 99
        try:
            status = skaud_features(*arguments)
        finally:
            sys.stderr.flush()
            os._exit(status)
    return process


def said_by(folder, process):
    said = folder / f"said-{process}"
    return said.read_text() if said.exists() else ""  # it may be killed before it can say anything


def test_damaged_sound_files_are_read_whole_or_named(tmp_path, capsys):
    counts, told = attack(tmp_path, N_FILES, seed=0)
    with capsys.disabled():
        print("\nsound files", dict(counts))
    assert {result for _, result in counts} <= GOOD, told
    run = [sys.executable, "-m", "skaud", "features", ".", "-o", "x.csv", "--quiet"]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    paths, _, features = read(tmp_path / "x.csv")
    assert np.isfinite(features).all()
    named = {line.split(" left out: ")[0] for line in done.stderr.splitlines() if " left out: " in line}
    assert named.isdisjoint(paths)
    assert named | set(paths) == {p.name for p in tmp_path.iterdir()} - {"x.csv", "x.csv.journal"}


@pytest.mark.parametrize("suffix", FORMATS)
def test_kills_at_random_times_lose_and_mix_nothing(sounds, tmp_path, references, suffix):
    random = np.random.default_rng(FORMATS.index(suffix))
    whole, duration_s = references[suffix]
    output, n_kills = tmp_path / f"x.{suffix}", 0
    rows = dict(zip(read(whole)[0], read(whole)[2]))
    while n_kills < N_KILLS:
        process = fork(tmp_path, sounds, "-o", output, "--jobs", 2, "--resume")
        time.sleep(random.uniform(0, 1.1 * duration_s))
        os.kill(process, signal.SIGKILL)
        status = os.waitpid(process, 0)[1]
        n_kills += os.WIFSIGNALED(status)
        assert "Traceback" not in said_by(tmp_path, process)
        if output.exists():
            for path, features in zip(*read(output)[::2]):
                np.testing.assert_array_equal(features, rows[path])
        if not os.WIFSIGNALED(status):  # it was the faster
            assert os.WEXITSTATUS(status) == 0
            assert output.read_bytes() == whole.read_bytes()
            output.unlink()
            journal_path(output).unlink()
    assert skaud_features(sounds, "-o", output, "--resume") == 0
    assert output.read_bytes() == whole.read_bytes()
    assert {p.name for p in tmp_path.iterdir() if not p.name.startswith("said")} == {
        output.name,
        journal_path(output).name,
    }


@pytest.mark.parametrize("suffix", FORMATS)
def test_of_two_writers_one_is_told_so_and_the_table_is_whole(sounds, tmp_path, references, suffix, monkeypatch):
    monkeypatch.setattr(journal, "_LOCK_S", 0.05)  # else the second waits until the first is done
    random = np.random.default_rng(FORMATS.index(suffix))
    whole, duration_s = references[suffix]
    counts = Counter()
    for i in range(N_PAIRS):
        output = tmp_path / f"{i}.{suffix}"
        options = [[], ["--resume"], ["--overwrite"]][i % 3]
        first = fork(tmp_path, sounds, "-o", output, "--jobs", 1, *options)
        time.sleep(random.uniform(0, 0.5 * duration_s) * (i % 2))
        second = fork(tmp_path, sounds, "-o", output, "--jobs", 1, *options)
        statuses = {p: os.WEXITSTATUS(os.waitpid(p, 0)[1]) for p in (first, second)}
        said = {process: said_by(tmp_path, process) for process in statuses}
        assert sorted(statuses.values()) in ([0, 2], [0, 0] if options else None), said
        for process, status in statuses.items():
            if status == 2:
                assert "is being written by another run" in said[process] or "go on with --resume" in said[process]
        assert output.read_bytes() == whole.read_bytes()
        counts[tuple(sorted(statuses.values()))] += 1
    assert counts[0, 2] >= N_PAIRS // 2


VALUES = (
    *(
        "",
        "1",
        "-1",
        "0",
        "1e400",
        "-1e400",
        "nan",
        "inf",
        "9" * 30,
        "1e30",
        "1e-30",
        "None",
        "True",
        "1j",
        "...",
        "abc",
    ),
    *("[]", "[1]", "[[1],[2,3]]", "[None]", "[1e400]", "(1,2,3)", "[1,2,3,4]*10", "{}", "{1:2}", "{}" * 100, "b'x'"),
    *("lambda: 0", "__import__('os')", "[" * 200 + "]" * 200, "-" * 5000 + "1", "'" + "a" * 5000 + "'", "\0", "é"),
    *("1" + "0" * 4999, "0x10", "1_000", "-3.5e-320", "mean", "('mean',)", "float32", "['velocity_scale']"),
)


@pytest.mark.parametrize("model", MODELS)
def test_whatever_a_parameter_is_given_computes_or_is_a_wrong_call(model, capsys):
    counts, told = Counter(), []
    options = {"model": model, "recipe": None, "sample_rate": None, "segments": None}
    for name in make_model(argparse.Namespace(**options, param=[])).get_params(deep=False):
        for value in VALUES:
            given = argparse.Namespace(**options, param=[f"{name}={value}"])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    fit(make_model(given), None)
                counts["whole"] += 1
            except UsageError as error:
                counts["clear error" if name in str(error) else "wrong kind"] += 1
                told += [] if name in str(error) else [(name, value, str(error))]
            except Exception as error:
                counts["wrong kind"] += 1
                told.append((name, value, repr(error)))
    with capsys.disabled():
        print("\nparameters", dict(counts))
    assert set(counts) <= GOOD, told


@pytest.mark.parametrize("suffix", FORMATS)
def test_damaged_outputs_and_journals_are_noticed(tmp_path, suffix, capsys):
    random = np.random.default_rng(FORMATS.index(suffix))
    sounds = make_sounds(tmp_path / "in", 6, duration_s=0.1)
    output = tmp_path / f"x.{suffix}"
    assert skaud_features(sounds, "-o", output) == 0
    whole = {path: path.read_bytes() for path in (output, journal_path(output))}
    counts, told = Counter(), []
    for _ in range(N_DAMAGES):
        for path, content in whole.items():
            path.write_bytes(content)
        victim = list(whole)[random.integers(2)]
        content = bytearray(whole[victim])
        place = int(random.integers(len(content)))
        match random.integers(3):
            case 0:
                del content[place:]
            case 1:
                content[place:place] = random.bytes(random.integers(1, 20))
            case 2:
                for at in random.integers(len(content), size=random.integers(1, 5)):
                    content[at] = random.integers(256)
        victim.write_bytes(content)
        capsys.readouterr()
        try:
            status = skaud_features(sounds, "-o", output, "--resume", "--quiet", "--jobs", 1)
        except Exception as error:
            result, said = "wrong kind", repr(error)
        else:
            said = capsys.readouterr().err
            if status == 0:
                result = "whole" if output.read_bytes() == whole[output] else "silently wrong"
            else:
                result = "clear error" if output.name in said else "wrong kind"
        counts[victim.name, result] += 1
        if result not in GOOD:
            told.append((result, said))
        for leftover in tmp_path.glob("x.*"):
            if leftover not in whole:
                leftover.unlink()
    with capsys.disabled():
        print("\ndamages", dict(counts))
    assert {result for _, result in counts} <= GOOD, told
    shutil.rmtree(sounds)


def test_damaged_kernels_cost_no_row(tmp_path):
    sounds, cache = make_sounds(tmp_path / "in", 3, duration_s=0.1), tmp_path / "cache"

    def run(name):
        words = [sys.executable, "-m", "skaud", "features", "in", "-o", name, "--model", "king2019", "--jobs", "2"]
        environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "left out" not in done.stderr
        return (tmp_path / name).read_bytes(), done.stderr

    assert sounds.is_dir()
    whole, said = run("whole.npz")
    assert "compiling" in said
    assert "cannot be" not in said
    for path in cache.rglob("*.nbc"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    features, said = run("halved.npz")
    assert features == whole
    assert said.count("cannot be used") == said.count("set the environment variable NUMBA_CACHE_DIR") == 1
    shutil.rmtree(cache)
    cache.touch()  # where no folder can be made
    features, said = run("unwritable.npz")
    assert features == whole
    assert said.count("cannot be written") == said.count("set the environment variable NUMBA_CACHE_DIR") == 1
