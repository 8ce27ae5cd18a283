import os
import signal
import subprocess
import sys
import time

import pytest
from runs import make_sounds, n_rows_kept, read, skaud_features, start

import skaud
from skaud.command import main
from skaud.command.terminal import printable


def test_the_command_knows_its_version_and_wants_a_subcommand():
    done = subprocess.run([sys.executable, "-m", "skaud", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"skaud {skaud.__version__}"
    for wrong in ([], ["features"], ["dance"]):
        with pytest.raises(SystemExit) as error:
            main(wrong)
        assert error.value.code == 2


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_keep_the_rows_that_are_done(tmp_path, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("ignored here, and so by the processes that these tests start, as under nohup")
    sounds, output = make_sounds(tmp_path / "in", 40, duration_s=20), tmp_path / "x.csv"
    run = start(sounds, "-o", output, "--jobs", 1)
    end = time.monotonic() + 120
    while run.poll() is None and time.monotonic() < end and not n_rows_kept(output):
        time.sleep(0.01)
    run.send_signal(number)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 128 + number, said
    assert "go on with --resume" in said
    assert "Traceback" not in said
    assert 1 <= len(read(output)[0]) < 40
    assert {p.name for p in tmp_path.iterdir()} == {"in", "x.csv", "x.csv.journal"}


def run_shell(code, folder):
    return subprocess.run(["bash", "-c", code], capture_output=True, text=True, cwd=folder, timeout=120)


@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-", "2>/dev/full", "2> >(true)"])
def test_closed_streams_cost_nothing_but_what_is_said(tmp_path, closed):
    make_sounds(tmp_path / "in", 3)
    (tmp_path / "in" / "bad.wav").write_text("no sound")
    done = run_shell(f"{sys.executable} -m skaud features in -o x.csv {closed}", tmp_path)
    assert done.returncode == 1
    assert skaud_features(tmp_path / "in", "-o", tmp_path / "y.csv") == 1
    wanted = (tmp_path / "y.csv").read_text().replace(str(tmp_path / "in"), "in")
    assert (tmp_path / "x.csv").read_text() == wanted


@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
def test_a_reader_that_goes_ends_the_command_without_a_word(tmp_path):
    done = run_shell(f"{sys.executable} -m skaud completion bash | true; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert done.stdout.strip() in ("0", "141")  # it may be the faster
    assert done.stderr == ""


def test_nothing_that_is_said_steers_the_terminal():
    assert printable("a\x1b[2Jb\rc\x9b\u202ed\udcff") == r"a\x1b[2Jb\rc\x9b\u202ed\udcff"
    assert printable("ü\n☃") == "ü\n☃"
