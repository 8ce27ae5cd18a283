"""Recordings that are longer than what is held of them."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from runs import read, skaud_features

from skaud.command import recording


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, rate, n_channels in (("a.wav", 16000, 2), ("b.flac", 44100, 2), ("c.ogg", 8000, 2)):
        sound = 0.05 * random.standard_normal((round(1.3 * rate), n_channels))
        soundfile.write(folder / name, np.cumsum(sound, axis=0) * 0.05, rate)
    return folder


WORDS = [(), ("--ears",), ("--channel", 2), ("--level-db-spl", 60), ("--ears", "--level-db-spl", 60)]


@pytest.mark.parametrize("words", WORDS, ids=str)
def test_a_long_file_has_the_row_that_it_would_have_were_it_held(sounds, tmp_path, monkeypatch, words):
    assert skaud_features(sounds, "-o", tmp_path / "held.npz", *words) == 0
    monkeypatch.setattr(recording, "MOST_HELD", 1000)
    monkeypatch.setattr(recording, "BLOCK", 1111)
    assert skaud_features(sounds, "-o", tmp_path / "long.npz", *words) == 0
    found, held = (read(tmp_path / name) for name in ("long.npz", "held.npz"))
    assert found[:2] == held[:2]
    np.testing.assert_array_equal(found[2], held[2])


def test_a_recipe_hears_long_files(sounds, tmp_path, monkeypatch):
    words = (sounds / "a.wav", "--recipe", "carfac_cepstra")
    assert skaud_features(*words, "-o", tmp_path / "held.npz") == 0
    monkeypatch.setattr(recording, "MOST_HELD", 1000)
    assert skaud_features(*words, "-o", tmp_path / "long.npz") == 0
    held = read(tmp_path / "held.npz")[2]
    np.testing.assert_allclose(read(tmp_path / "long.npz")[2], held, rtol=0, atol=1e-5 * np.abs(held).max())


def test_what_is_wrong_with_a_long_file_is_named(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(recording, "MOST_HELD", 1000)
    monkeypatch.setattr(recording, "BLOCK", 1111)
    sound = 0.05 * np.random.default_rng(0).standard_normal((9000, 2))
    bad, silent, antiphase = sound.copy(), 0 * sound, sound * [1, -1] * np.ones((9000, 1))
    bad[7000, 1] = np.nan
    antiphase[:, 1] = -antiphase[:, 0]
    for name, samples in (("bad", bad), ("silent", silent), ("antiphase", antiphase), ("cut", sound), ("fine", sound)):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000, subtype="FLOAT")
    content = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) * 3 // 4])
    assert skaud_features(tmp_path, "-o", tmp_path / "x.npz", "--level-db-spl", 60, "--max-duration", 1) == 1
    said = capfd.readouterr().err
    assert "bad.wav left out: it has 1 samples that are NaN or infinite" in said
    assert "silent.wav left out: it is silent, no gain brings it to --level-db-spl 60" in said
    assert "cut.wav left out: it is cut" in said
    assert "antiphase.wav: its channels cancel when averaged" in said
    assert "its 2 channels are averaged" in said
    assert [os.path.basename(path) for path in read(tmp_path / "x.npz")[0]] == ["fine.wav"]
    soundfile.write(tmp_path / "fine.wav", np.zeros(16001) + 0.1, 16000)
    capfd.readouterr()
    assert skaud_features(tmp_path / "fine.wav", "-o", tmp_path / "y.npz", "--max-duration", 1) == 1
    assert "lasts 1.00006 s" in capfd.readouterr().err


def test_a_long_file_that_changes_while_it_is_read_gives_no_row(sounds, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(recording, "MOST_HELD", 1000)
    survey = recording._survey

    def then_change(path, *more):
        found = survey(path, *more)
        if path.endswith(b"a.wav"):
            soundfile.write(os.fsdecode(path), np.zeros((16000, 2)), 16000)
        return found

    monkeypatch.setattr(recording, "_survey", then_change)
    assert skaud_features(sounds, "-o", tmp_path / "x.npz") == 1
    assert "a.wav left out: it changed while it was read" in capfd.readouterr().err
    assert len(read(tmp_path / "x.npz")[0]) == 2


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux to say how much memory was taken")
@pytest.mark.parametrize(
    ("suffix", "recipe", "n_pieces", "most_mb"),
    [("csv", [], 60, 300), ("parquet", [], 60, 300), ("csv", ["best"], 12, 300)],
)
def test_minutes_of_stereo_take_little_memory(tmp_path, suffix, recipe, n_pieces, most_mb):
    random = np.random.default_rng(0)
    with soundfile.SoundFile(tmp_path / "x.flac", "w", 44100, 2) as file:
        for _ in range(n_pieces):  # 10 s each
            file.write(0.05 * random.standard_normal((441000, 2)))
    words = ["features", "x.flac", "-o", f"x.{suffix}", "--level-db-spl", "60", "--quiet"]
    words += ["--recipe", *recipe] if recipe else []
    code = (  # the largest memory of this process alone, whoever started it
        f"from skaud.command import main; assert main({words}) == 0; "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert int(run.stdout) / 1024 < most_mb


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux to say how much memory was taken")
def test_a_large_table_is_written_with_little_memory(tmp_path):
    pytest.importorskip("pyarrow")
    code = """
from pathlib import Path
import numpy as np
from skaud.command.export import Rows, Table, export

random, n_features = np.random.default_rng(0), 2112

def rows():
    for k in range(10):
        features = list(random.standard_normal((1000, n_features), "float32"))
        yield Rows([f"{k}/{i}.wav" for i in range(1000)], {}, features)

table = Table([f"feature{i}" for i in range(n_features)], "float32", [], {})
export(Path("x.parquet"), table, rows(), lambda fresh: None)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert int(run.stdout) / 1024 < 200  # of a table of 84 MB; NumPy and pyarrow take 66
    assert (tmp_path / "x.parquet").stat().st_size < 95e6  # numbers are not in dictionaries
