"""Features by the workers of a cluster: those of one process, whoever dies."""

import argparse
import importlib.util
import json
import os
import pickle
import signal
import sys
import time
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pandas as pd
import pytest
import soundfile
from runs import make_sounds, n_rows_kept, read, skaud_features, start

from skaud import CARFAC
from skaud.command import running, workers
from skaud.command.computing import OtherVersionError, Work, compute_packed
from skaud.command.errors import UsageError
from skaud.command.export import output_hash
from skaud.command.files import File
from skaud.command.fingerprint import fingerprint
from skaud.command.journal import Journal, journal_path
from skaud.command.recording import Take

CLUSTERS = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(library) is None, reason=f"needs {library}"))
    for name, library in (("dask", "distributed"), ("ray", "ray"))
]


# Real ones


@pytest.mark.slow
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_gives_the_rows_of_one_process_and_goes_on_by_file(tmp_path, cluster, capfd):
    folder = make_sounds(tmp_path / "in", 50, duration_s=0.1)
    (folder / "050.wav").write_text("no sound")
    output, words = tmp_path / "x.parquet", (f"--{cluster}", "local:2", "--part", 20)
    assert skaud_features(folder, "-o", tmp_path / "y.npz", "--jobs", 1) == 1
    assert skaud_features(folder, "-o", output, *words) == 1
    assert "050.wav left out: it cannot be read" in capfd.readouterr().err
    assert sorted(os.listdir(output)) == [f"part-0000{k}.parquet" for k in range(3)]
    for found, wanted in zip(read(output), read(tmp_path / "y.npz")):
        np.testing.assert_array_equal(found, wanted)
    (folder / "050.wav").unlink()
    make_sounds(folder, 52, duration_s=0.1)  # two more; the others are written again as they are
    soundfile.write(folder / "007.wav", 0.01 * np.ones(800), 8000)
    assert skaud_features(folder, "-o", output, *words, "--resume") == 0
    said = capfd.readouterr().err
    assert said.count("has changed") == 1
    assert "007.wav has changed" in said
    assert skaud_features(folder, "-o", tmp_path / "z.npz", "--jobs", 1) == 0
    for found, wanted in zip(read(output), read(tmp_path / "z.npz")):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_files_of_a_worker_that_dies_are_done_again(tmp_path, cluster):
    psutil = pytest.importorskip("psutil")
    folder = make_sounds(tmp_path / "in", 300, duration_s=2.0)
    assert skaud_features(folder, "-o", tmp_path / "y.npz", "--jobs", 1) == 0
    output = tmp_path / "x.parquet"
    process = start(folder, "-o", output, f"--{cluster}", "local:2", "--recipe", "carfac_cepstra")
    mark = "ray::_call" if cluster == "ray" else "spawn_main"
    killed, deadline = [], time.monotonic() + 240
    while not killed and process.poll() is None and time.monotonic() < deadline:
        if n_rows_kept(output) >= 20:
            for child in psutil.Process(process.pid).children(recursive=True):
                if mark in " ".join(child.cmdline()) and child.num_threads() > 3:
                    child.send_signal(signal.SIGKILL)
                    killed.append(child.pid)
                    break
        time.sleep(0.02)
    n_kept = n_rows_kept(output)
    said = process.communicate(timeout=240)[1]
    assert killed
    assert n_kept < 300
    assert process.returncode == 0, said
    assert "left out" not in said
    assert skaud_features(folder, "-o", tmp_path / "z.npz", "--jobs", 1, "--recipe", "carfac_cepstra") == 0
    for found, wanted in zip(read(output), read(tmp_path / "z.npz")):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_run_on_a_cluster_that_is_interrupted_goes_on_in_one_process(tmp_path, cluster):
    folder = make_sounds(tmp_path / "in", 400, duration_s=1.0)
    output = tmp_path / "x.parquet"
    process = start(folder, "-o", output, f"--{cluster}", "local:2")
    while process.poll() is None and n_rows_kept(output) < 20:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    n_done = len(read(output)[0])
    assert 20 <= n_done < 400
    assert skaud_features(folder, "-o", output, "--part", 1000, "--resume") == 0
    assert skaud_features(folder, "-o", tmp_path / "y.npz") == 0
    for found, wanted in zip(read(output), read(tmp_path / "y.npz")):
        np.testing.assert_array_equal(found, wanted)


# What is done with what they say


class Fickle(Executor):
    """Runs at once, in this process; some batches raise."""

    def __init__(self, fails):
        self.fails, self.n = fails, 0

    def submit(self, fn, /, *args, **kwargs):
        self.n += 1
        future = Future()
        try:
            self.fails(self.n, args[-1])
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def fickle(monkeypatch):
    """Let workers fail, and be lost."""

    def use(fails, why_lost=lambda: "", renew=lambda: None):
        executor = Fickle(fails)
        known = workers.Workers("--dask x", executor, False, lambda: 2, why_lost, renew)
        monkeypatch.setattr(running, "open_workers", lambda options, paths: workers.contextlib.nullcontext(known))
        return executor

    return use


def test_a_batch_whose_workers_die_is_done_file_by_file_and_the_culprit_is_named(tmp_path, fickle, capfd):
    folder = make_sounds(tmp_path / "in", 40, duration_s=0.05)

    def fails(n, batch):
        if any(identity.endswith(b"013.wav") for identity, _ in batch):
            raise RuntimeError("killed")

    fickle(fails)
    assert skaud_features(folder, "-o", tmp_path / "x.npz") == 1
    assert "013.wav left out: its workers died (RuntimeError: killed)" in capfd.readouterr().err
    paths = read(tmp_path / "x.npz")[0]
    assert [os.path.basename(path) for path in paths] == [f"{i:03}.wav" for i in range(40) if i != 13]


def test_a_file_that_kills_its_process_is_named_and_those_that_were_lost_with_it_are_done(tmp_path, fickle, capfd):
    folder, broken, alone = make_sounds(tmp_path / "in", 60, duration_s=0.05), [], []

    def fails(n, batch):
        if len(batch) == 1:
            alone.append(os.path.basename(batch[0][0]).decode())
        if broken or any(identity.endswith(b"023.wav") for identity, _ in batch):
            broken.append(n)  # what is begun after it is lost as well
            raise BrokenProcessPool("a process died")

    fickle(fails, renew=broken.clear)
    assert skaud_features(folder, "-o", tmp_path / "x.npz") == 1
    said = capfd.readouterr().err
    assert said.count("a process of --dask x died; ") == 1
    assert said.count("left out") == 1
    assert "023.wav left out: its workers died (BrokenProcessPool: a process died)" in said
    paths = read(tmp_path / "x.npz")[0]
    assert [os.path.basename(path) for path in paths] == [f"{i:03}.wav" for i in range(60) if i != 23]
    assert len(alone) == len(set(alone)) <= running.MOST_FILES  # of its batch, each once


def test_a_cluster_that_is_gone_ends_the_run_and_what_is_done_is_kept(tmp_path, fickle, capfd):
    folder, lost = make_sounds(tmp_path / "in", 40, duration_s=0.05), []

    def fails(n, batch):
        if n > 3:
            lost.append("the scheduler does not answer any more")
            raise RuntimeError("lost")

    fickle(fails, lambda: lost[0] if lost else "")
    assert skaud_features(folder, "-o", tmp_path / "x.npz") == 1
    assert "--dask x: the scheduler does not answer any more; go on with --resume." in capfd.readouterr().err
    assert 0 < len(read(tmp_path / "x.npz")[0]) < 40


def test_a_worker_with_another_version_is_refused(tmp_path, fickle, capfd, monkeypatch):
    model = CARFAC(8000).fit([np.zeros(1)])
    take = Take(None, None, None, 107.0, 10.0, False, "float32")
    path = make_sounds(tmp_path / "in", 1) / "000.wav"
    batch = [(os.fsencode(path), File(str(path), {}))]
    assert compute_packed(pickle.dumps(Work(model, take, fingerprint(model))), batch).rows[0].features.size == 212
    with pytest.raises(OtherVersionError):
        compute_packed(pickle.dumps(Work(model, take, "of another")), batch)

    def fails(n, batch):
        raise OtherVersionError

    fickle(fails)
    assert skaud_features(path, "-o", tmp_path / "x.npz") == 2
    assert "a worker has another version of skaud" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--dask", "local:0"), "--dask local:0 must be local:N"),
        (("--ray", "local:x"), "--ray local:x must be local:N"),
        (("--part", "0"), "--part 0 must be at least 1"),
    ],
)
def test_addresses_and_parts_that_are_none_are_wrong_calls(tmp_path, capfd, words, said):
    folder = make_sounds(tmp_path / "in", 1)
    assert skaud_features(folder, "-o", tmp_path / "x.parquet", *words) == 2
    assert said in capfd.readouterr().err


def test_a_cluster_without_its_library_is_told_before_the_work(tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    folder = make_sounds(tmp_path / "in", 1)
    assert skaud_features(folder, "-o", tmp_path / "x.parquet", "--ray", "local:2") == 2
    assert "--ray takes ray: pip install 'skaud[ray]'" in capfd.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs distributed")
def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(workers, "_REACHED_S", 0.2)
    options = argparse.Namespace(dask="tcp://127.0.0.1:9", ray=None, jobs=None)
    with (
        pytest.raises(UsageError, match=r"--dask tcp://127\.0\.0\.1:9: no scheduler answers"),
        workers.open_workers(options, []),
    ):
        pass


# A folder of parts


@pytest.fixture
def parts(tmp_path):
    """Table of five rows in parts of two."""
    folder = make_sounds(tmp_path / "in", 5, duration_s=0.05)
    assert skaud_features(folder, "-o", tmp_path / "x.parquet", "--part", 2) == 0
    return tmp_path / "x.parquet"


def test_every_part_says_what_it_was_made_with(parts):
    pq = pytest.importorskip("pyarrow.parquet")
    assert [len(pd.read_parquet(path)) for path in sorted(parts.iterdir())] == [2, 2, 1]
    for path in parts.iterdir():
        about = json.loads(pq.read_schema(path).metadata[b"PANDAS_ATTRS"])["skaud"]
        assert about["model"] == "carfac"
        assert "fingerprint" in about
        assert pd.read_parquet(path).attrs["skaud"] == about
    assert {path.name for path in parts.parent.iterdir()} == {"in", "x.parquet", "x.parquet.journal"}


@pytest.mark.parametrize("damage", ["changed", "gone", "more"])
def test_a_folder_of_parts_that_was_changed_is_not_resumed(parts, capfd, damage):
    part = parts / "part-00001.parquet"
    if damage == "changed":
        part.write_bytes(part.read_bytes()[:-1])
    elif damage == "gone":
        part.unlink()
    else:
        (parts / "part-00003.parquet").write_bytes(part.read_bytes())
    assert skaud_features(parts.parent / "in", "-o", parts, "--part", 2, "--resume") == 2
    assert "was changed or is damaged" in capfd.readouterr().err


def test_nothing_but_parts_is_ever_replaced(parts, tmp_path, capfd):
    before = output_hash(parts)
    (parts / "mine.txt").write_text("mine")
    for words in (("--overwrite", "--part", 2), ("--resume", "--part", 2), ("--overwrite",)):
        assert skaud_features(tmp_path / "in", "-o", parts, *words) == 2
        assert "is a folder, and not one of parts" in capfd.readouterr().err
    (parts / "mine.txt").unlink()
    assert skaud_features(tmp_path / "in", "-o", parts, "--resume") == 2
    assert "a folder of parts: give --part" in capfd.readouterr().err
    assert output_hash(parts) == before
    assert skaud_features(tmp_path / "in", "-o", tmp_path / "y.parquet") == 0
    assert skaud_features(tmp_path / "in", "-o", tmp_path / "y.parquet", "--overwrite", "--part", 2) == 2
    assert "a file, not a folder of parts" in capfd.readouterr().err
    assert skaud_features(tmp_path / "in", "-o", tmp_path / "y.csv", "--part", 2) == 2
    assert "--part 2 is for parquet" in capfd.readouterr().err


@pytest.mark.parametrize("at", ["written", "announced", "moved"])
def test_an_export_that_is_killed_leaves_parts_that_are_resumed(parts, tmp_path, monkeypatch, at):
    folder = tmp_path / "in"
    before = output_hash(parts)
    make_sounds(folder, 7, duration_s=0.05)

    class KilledError(BaseException):
        pass

    def killed(*arguments, **options):
        raise KilledError

    replace = os.replace
    with monkeypatch.context() as patch:
        patch.setattr("skaud.command.export._remove", lambda path: None)  # who is killed cleans nothing
        if at == "written":
            patch.setattr("skaud.command.export._sync_folder", killed)
        elif at == "announced":
            patch.setattr(Journal, "exported", property(Journal.exported.fget, killed))
        else:
            patch.setattr(os, "replace", lambda a, b: killed() if str(b) == str(parts) else replace(a, b))
        with pytest.raises(KilledError):
            skaud_features(folder, "-o", parts, "--part", 2, "--resume")
    assert not parts.exists() if at == "moved" else output_hash(parts) == before
    assert skaud_features(folder, "-o", parts, "--part", 2, "--resume") == 0
    assert len(read(parts)[0]) == 7
    assert {path.name for path in tmp_path.iterdir()} == {"in", parts.name, journal_path(parts).name}
