"""What --resume and --overwrite keep, compute anew and refuse."""

import csv
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
from runs import FORMATS, make_sounds, read, skaud_features, start

import skaud
from skaud.command import computing, fingerprint
from skaud.command.journal import journal_path


@pytest.fixture
def sounds(tmp_path):
    return make_sounds(tmp_path / "in", 4)


@pytest.fixture
def computed(monkeypatch):
    """Names of the files that are read."""
    names = []
    read_clip = computing.read_clip
    monkeypatch.setattr(
        computing,
        "read_clip",
        lambda path, *more: names.append(os.path.basename(os.fsdecode(path))) or read_clip(path, *more),
    )
    return names


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_recording_that_changed_is_computed_anew_even_where_size_and_time_are_as_before(
    sounds, tmp_path, suffix, computed, capfd
):
    output = tmp_path / f"x.{suffix}"
    assert skaud_features(sounds, "-o", output) == 0
    before = (sounds / "001.wav").stat()
    shutil.copy(sounds / "002.wav", sounds / "001.wav")
    os.utime(sounds / "001.wav", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (sounds / "001.wav").stat().st_size == before.st_size
    computed.clear()
    assert skaud_features(sounds / "000.wav", "-o", output, "--resume") == 0  # it need not be named
    assert computed == ["001.wav"]
    assert "001.wav has changed" in capfd.readouterr().err
    paths, _, features = read(output)
    rows = dict(zip(map(os.path.basename, paths), features))
    np.testing.assert_array_equal(rows["001.wav"], rows["002.wav"])


def test_a_recording_that_was_only_touched_or_is_gone_keeps_its_row(sounds, tmp_path, computed):
    output = tmp_path / "x.npz"
    assert skaud_features(sounds, "-o", output) == 0
    os.utime(sounds / "001.wav", (1, 1))
    (sounds / "003.wav").unlink()
    computed.clear()
    assert skaud_features(sounds, "-o", output, "--resume") == 0
    assert computed == []
    assert len(read(output)[0]) == 4


def test_a_recording_that_changed_to_none_loses_its_row_and_is_named(sounds, tmp_path, capfd):
    output = tmp_path / "x.npz"
    assert skaud_features(sounds, "-o", output) == 0
    (sounds / "001.wav").write_text("no sound any more")
    assert skaud_features(sounds / "000.wav", "-o", output, "--resume") == 1
    said = capfd.readouterr().err
    assert "001.wav has changed" in said
    assert "001.wav left out" in said
    assert [os.path.basename(path) for path in read(output)[0]] == ["002.wav", "003.wav", "000.wav"]


@pytest.mark.parametrize("change", ["version", "source", "constants"])
def test_another_version_or_other_constants_compute_all_rows_anew(
    sounds, tmp_path, monkeypatch, computed, capfd, change
):
    output = tmp_path / "x.csv"
    assert skaud_features(sounds, "-o", output) == 0
    if change == "version":
        monkeypatch.setattr(skaud, "__version__", "99")
    elif change == "source":
        monkeypatch.setattr(fingerprint, "_NO_PART", ("command", "kernels"))
    else:
        fit = skaud.CARFAC.fit

        def fit_otherwise(model, X):
            fit(model, X)
            model.pole_frequencies_hz_ = model.pole_frequencies_hz_ * 1.001
            return model

        monkeypatch.setattr(skaud.CARFAC, "fit", fit_otherwise)
    computed.clear()
    assert skaud_features(sounds / "000.wav", "-o", output, "--resume") == 0
    assert sorted(computed) == ["000.wav", "001.wav", "002.wav", "003.wav"]
    assert "computed anew" in capfd.readouterr().err
    assert len(read(output)[0]) == 4
    computed.clear()
    assert skaud_features(sounds, "-o", output, "--resume") == 0
    assert computed == []


def test_columns_of_a_table_that_is_not_named_again_are_no_features_of_another_version(
    sounds, tmp_path, monkeypatch, capfd
):
    output, table = tmp_path / "x.csv", sounds / "table.csv"
    table.write_text("path,speaker\n000.wav,a\n")
    assert skaud_features(table, "-o", output) == 0
    names_before = skaud.CARFAC.get_feature_names_out

    def names(model, input_features=None):
        return np.append(names_before(model, input_features)[:-1], "speaker").astype(object)

    monkeypatch.setattr(skaud.CARFAC, "get_feature_names_out", names)
    before = output.read_bytes(), journal_path(output).read_bytes()
    capfd.readouterr()
    assert skaud_features(sounds / "001.wav", "-o", output, "--resume") == 2
    said = capfd.readouterr().err
    assert "x.csv.journal (from a table to be named again) has columns named as features are, speaker" in said
    assert (output.read_bytes(), journal_path(output).read_bytes()) == before
    table.write_text("path,who\n000.wav,a\n")
    assert skaud_features(table, sounds / "001.wav", "-o", output, "--resume") == 0
    with output.open(newline="") as file:
        header = next(csv.reader(file))
    assert ("who" in header, header.count("speaker")) == (True, 1)


def test_the_fingerprint_is_of_the_files_that_decide_what_features_are():
    sources = fingerprint.sources()
    assert {"audio.py", "command/recording.py", "kernels/carfac/run.py", "sound/files.py"} <= set(sources)
    assert not {"command/demo.py", "testing/__init__.py", "display/__init__.py"} & set(sources)
    for name in (*fingerprint._NO_PART, *fingerprint._PART):
        assert (fingerprint._ROOT / name).exists()


def test_the_fingerprint_is_that_of_another_process():
    code = (
        "import numpy as np, skaud; from skaud.command.fingerprint import fingerprint; "
        "print(fingerprint(skaud.CARFAC().fit([np.zeros(1)])))"
    )
    run = [sys.executable, "-c", code]
    hashes = {
        subprocess.run(
            run, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1
    models = [skaud.CARFAC(ohc_health=h).fit([np.zeros(1)]) for h in (1.0, 1.0, 0.999)]
    one, same, other = map(fingerprint.fingerprint, models)
    assert one == same != other


def test_resume_from_another_folder_finds_the_same_files(sounds, tmp_path, monkeypatch, computed):
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "x.csv"
    assert skaud_features("in/000.wav", "in/001.wav", "-o", "x.csv") == 0
    (tmp_path / "in" / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "in" / "deeper")
    computed.clear()
    assert skaud_features("../000.wav", "../002.wav", "-o", output, "--resume") == 0
    assert computed == ["002.wav"]
    paths = read(output)[0]
    assert paths == [str(sounds / "001.wav"), "../000.wav", "../002.wav"]
    assert all(map(os.path.exists, paths))


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_output_without_its_journal_is_not_resumed(sounds, tmp_path, suffix, capfd):
    output = tmp_path / f"x.{suffix}"
    assert skaud_features(sounds / "000.wav", "-o", output) == 0
    journal_path(output).unlink()
    before = output.read_bytes()
    assert skaud_features(sounds, "-o", output, "--resume") == 2
    assert f"no x.{suffix}.journal beside it" in capfd.readouterr().err
    assert output.read_bytes() == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_output_that_was_changed_is_not_resumed_but_its_journal_still_has_all(
    sounds, tmp_path, suffix, capfd, computed
):
    output = tmp_path / f"x.{suffix}"
    assert skaud_features(sounds, "-o", output) == 0
    whole = output.read_bytes()
    output.write_bytes(whole[:-1])
    assert skaud_features(sounds, "-o", output, "--resume") == 2
    assert "was changed or is damaged" in capfd.readouterr().err
    output.unlink()
    computed.clear()
    assert skaud_features(sounds, "-o", output, "--resume") == 0
    assert (output.read_bytes(), computed) == (whole, [])


def test_overwrite_that_was_killed_is_resumed_with_its_own_rows_alone(sounds, tmp_path, monkeypatch):
    output = tmp_path / "x.csv"
    assert skaud_features(sounds, "-o", output) == 0
    before = output.read_bytes()

    def killed(*arguments):
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr("skaud.command.features._export", killed)
        with pytest.raises(SystemExit):
            skaud_features(sounds / "000.wav", "-o", output, "--overwrite", "--param", "ohc_health=0.5")
    assert output.read_bytes() == before
    assert skaud_features(sounds, "-o", output, "--resume") == 2  # of the parameters before
    assert skaud_features(sounds, "-o", output, "--resume", "--param", "ohc_health=0.5") == 0
    assert skaud_features(sounds, "-o", tmp_path / "y.csv", "--param", "ohc_health=0.5") == 0
    assert output.read_bytes() == (tmp_path / "y.csv").read_bytes()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_the_old_output_and_loses_no_row(sounds, tmp_path, suffix, computed):
    output = tmp_path / f"x.{suffix}"
    assert skaud_features(sounds / "000.wav", "-o", output) == 0
    before = output.read_bytes()
    skaud_features(sounds, "-o", tmp_path / f"y.{suffix}")
    most = journal_path(output).stat().st_size
    run = start(
        sounds, "-o", output, "--overwrite",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip
    said = run.communicate(timeout=120)[1]
    assert run.returncode == 1, said
    assert "Traceback" not in said
    assert output.read_bytes() == before
    assert skaud_features(sounds, "-o", output, "--resume") == 0
    assert output.read_bytes() == (tmp_path / f"y.{suffix}").read_bytes()
    assert {p.name for p in tmp_path.glob(f"*x.{suffix}*")} == {output.name, journal_path(output).name}


def test_a_journal_that_cannot_be_written_is_named(sounds, tmp_path):
    run = start(
        sounds, "-o", tmp_path / "x.csv",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )  # fmt: skip
    said = run.communicate(timeout=120)[1]
    assert run.returncode == 1, said
    assert f"{journal_path(tmp_path / 'x.csv')}: " in said
    assert "--resume" in said
    assert "Traceback" not in said


def test_nothing_of_the_users_is_overwritten(sounds, tmp_path, capfd):
    for name in ("x.csv.json", ".x.csv.1234", "x.csv.journal"):
        (tmp_path / name).write_text("mine")
    assert skaud_features(sounds, "-o", tmp_path / "x.csv") == 2
    assert "x.csv.journal is no journal" in capfd.readouterr().err
    (tmp_path / "x.csv.journal").unlink()
    assert skaud_features(sounds, "-o", tmp_path / "x.csv") == 0
    for name in ("x.csv.json", ".x.csv.1234"):
        assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("option", ["--resume", "--overwrite", "--quiet"])
def test_an_output_that_is_a_link_is_not_followed(sounds, tmp_path, capfd, option):
    (tmp_path / "theirs").write_text("theirs")
    os.symlink(tmp_path / "theirs", tmp_path / "x.csv")
    os.symlink(tmp_path / "nowhere", tmp_path / "y.csv")
    for name in ("x.csv", "y.csv"):
        assert skaud_features(sounds, "-o", tmp_path / name, option) == 2
        assert "is a link" in capfd.readouterr().err
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "nowhere").exists()


def test_the_parts_of_a_killed_run_are_removed_and_look_alikes_are_not(sounds, tmp_path):
    part, other = tmp_path / f".x.csv.{'0af3' * 8}.part", tmp_path / ".x.csv.0af3.part"
    part.touch()
    other.touch()
    assert skaud_features(sounds, "-o", tmp_path / "x.csv") == 0
    assert (part.exists(), other.exists()) == (False, True)
