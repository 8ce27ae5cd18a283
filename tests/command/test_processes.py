"""Features by several processes of this machine: those of one, whoever dies."""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import soundfile
from runs import is_running, make_sounds, n_rows_kept, processes_below, read, skaud_features, start, workers_of

from skaud.command import processes, workers

ON_LINUX = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux to find processes")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Folder of more files than one process is left alone with; of some, something is to be said."""
    folder = make_sounds(tmp_path_factory.mktemp("in") / "sounds", workers.MANY_FILES, duration_s=0.1)
    soundfile.write(folder / "050.wav", np.full((800, 2), 0.01), 8000)
    soundfile.write(folder / "060.wav", np.full(400, 1e30), 8000, subtype="FLOAT")  # that no model takes
    (folder / "070.wav").write_text("no sound")
    return folder


@pytest.mark.parametrize("words", [(), ("--recipe", "best")], ids=str)
def test_two_processes_give_the_rows_of_one_and_say_the_same(sounds, tmp_path, capfd, words):
    said = []
    for jobs in (1, 2):
        assert skaud_features(sounds, "-o", tmp_path / f"{jobs}.npz", "--jobs", jobs, *words) == 1
        lines = capfd.readouterr().err.replace(f"{jobs}.npz", "x.npz").splitlines()
        said.append([line for line in lines if "compiling" not in line])
    one, two = (read(tmp_path / f"{jobs}.npz") for jobs in (1, 2))
    assert one[:2] == two[:2]
    assert len(one[0]) == workers.MANY_FILES - 2
    np.testing.assert_array_equal(one[2], two[2])
    assert said[0] == said[1]
    assert any("050.wav: its 2 channels are averaged" in line for line in said[0])
    assert any("070.wav left out: " in line for line in said[0])


def test_what_two_processes_began_one_goes_on_with(sounds, tmp_path, capfd):
    some = [sounds / f"{i:03}.wav" for i in range(100)]
    assert skaud_features(*some, "-o", tmp_path / "x.npz", "--jobs", 1) == 1
    assert skaud_features(sounds, "-o", tmp_path / "x.npz", "--jobs", 2, "--resume") == 1
    assert skaud_features(sounds, "-o", tmp_path / "y.npz", "--jobs", 1) == 1
    np.testing.assert_array_equal(read(tmp_path / "x.npz")[2], read(tmp_path / "y.npz")[2])


@pytest.mark.parametrize(("jobs", "n_files"), [(1, 300), (2, 1), (8, workers.MANY_FILES - 1), (None, 10)])
def test_one_job_or_few_files_begin_no_process(tmp_path, monkeypatch, jobs, n_files):
    paths = [os.fsencode(tmp_path / f"{i}.wav") for i in range(n_files)]
    options = argparse.Namespace(dask=None, ray=None, jobs=jobs, quiet=True)
    monkeypatch.setattr(processes, "process_pool", None)
    with workers.open_workers(options, paths) as opened:
        assert opened.is_here
        assert opened.executor.submit(os.getpid).result() == os.getpid()


def test_there_are_no_more_processes_than_files_or_were_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "MANY_BYTES", 1000)
    paths = [os.fsencode(path) for path in sorted(make_sounds(tmp_path, 3).iterdir())]  # large ones
    for jobs, n in ((1, 1), (2, 2), (3, 3), (8, 3)):
        options = argparse.Namespace(dask=None, ray=None, jobs=jobs)
        assert workers.n_processes(options, paths) == n
        assert workers.n_processes(argparse.Namespace(dask="local:2", ray=None, jobs=None), paths) == 1


def test_where_no_process_can_be_begun_this_one_computes_and_it_is_said(sounds, tmp_path, monkeypatch, capfd):
    def refuse(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(processes, "begin_server", refuse)
    assert skaud_features(sounds, "-o", tmp_path / "x.npz", "--jobs", 2) == 1
    said = capfd.readouterr().err
    assert "--jobs 2: this system begins no processes ([Errno 38] Function not implemented); one computes." in said
    assert len(read(tmp_path / "x.npz")[0]) == workers.MANY_FILES - 2


def test_a_pool_of_which_one_died_says_so_and_can_be_renewed():
    with processes.Processes(2) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        with pytest.raises(BrokenProcessPool):
            pool.submit(os._exit, 1).result()
        with pytest.raises(BrokenProcessPool):
            pool.submit(os.getpid).result()
        pool.renew()
        assert pool.submit(os.getpid).result() != os.getpid()


def test_a_process_that_is_begun_anew_computes_as_well(monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])  # as on Windows
    with processes.Processes(1) as pool:
        assert pool.submit(_is_light).result(timeout=60)


def _is_light():
    return "skaud.command.computing" in sys.modules and "pandas.core" not in sys.modules


def test_threads_of_libraries_share_the_processors():
    with processes.Processes(64) as pool:
        info = pool.submit(_threads_of_libraries).result()
    assert set(info) <= {1}


def _threads_of_libraries():
    from threadpoolctl import threadpool_info

    return [own["num_threads"] for own in threadpool_info()]


@pytest.mark.slow
@ON_LINUX
def test_files_of_a_process_that_is_killed_are_done_again_and_it_is_said(tmp_path):
    folder = make_sounds(tmp_path / "in", 300, duration_s=2.0)
    output, killed = tmp_path / "x.npz", []
    process = start(folder, "-o", output, "--jobs", 2)
    while not killed and process.poll() is None:
        if n_rows_kept(output) >= 20:
            killed = workers_of(process.pid)[:1]
            os.kill(killed[0], signal.SIGKILL)
        time.sleep(0.02)
    said = process.communicate(timeout=120)[1]
    assert killed
    assert process.returncode == 0, said
    assert "skaud features: a process of --jobs 2 died" in said
    assert "files are done again" in said
    assert "left out" not in said
    assert skaud_features(folder, "-o", tmp_path / "y.npz", "--jobs", 1) == 0
    for found, wanted in zip(read(output), read(tmp_path / "y.npz")):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
@ON_LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=str)
def test_no_process_outlives_a_run_that_is_ended(tmp_path, number):
    folder = make_sounds(tmp_path / "in", 150, duration_s=4.0, sample_rate=16000)
    output = tmp_path / "x.csv"
    process = start(folder, "-o", output, "--jobs", 2, start_new_session=True)
    while process.poll() is None and n_rows_kept(output) < 8:
        time.sleep(0.02)
    below = processes_below(process.pid)
    assert len(workers_of(process.pid)) == 2
    begin_s = time.monotonic()
    if number == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)  # as a terminal does: to all of them
    said = process.communicate(timeout=60)[1]
    assert time.monotonic() - begin_s < 10
    assert "Traceback" not in said
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "go on with --resume" in said
        assert 8 <= len(read(output)[0]) < 150
    while any(map(is_running, below)) and time.monotonic() - begin_s < 20:
        time.sleep(0.05)
    assert not [pid for pid in below if is_running(pid)]


@pytest.mark.slow
@ON_LINUX
@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_a_run_that_is_ended_while_it_begins_processes_ends_in_order(tmp_path, sounds, delay_s):
    output = tmp_path / "x.csv"
    process = start(sounds, "-o", output, "--jobs", 2, start_new_session=True)
    while process.poll() is None and not output.with_name("x.csv.journal").exists():
        time.sleep(0.002)
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert "Traceback" not in said
    assert process.returncode == 130 or f" of {workers.MANY_FILES} files, 284 features" in said  # it was done
