"""What `skaud features` makes of a recording's channels, level, length, name and header."""

import os
import struct

import numpy as np
import pandas as pd
import pytest
import soundfile
from runs import FORMATS, make_sounds, read, skaud_features

from skaud import CARFAC, TemporalPooling, audio
from skaud.command.names import text_path


def noise(n=4000, seed=0):
    return (0.01 * np.random.default_rng(seed).standard_normal(n)).astype("float32")


def write(path, samples, rate=16000):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def features_of(clip, **parameters):
    clip = np.asarray(clip)
    return CARFAC(**parameters).fit([clip]).transform([clip], sample_rate=16000)[0]


def row(tmp_path, *options, name="x.wav"):
    """The row of a file, with options."""
    output = tmp_path / f"{len(list(tmp_path.iterdir()))}.npz"
    assert skaud_features(tmp_path / name, "-o", output, *options) == 0
    return read(output)[2][0]


def test_channels_are_averaged_and_it_is_said_once(tmp_path, capfd):
    a, b = noise(seed=1), noise(seed=2)
    for name in ("x.wav", "y.wav", "z.wav"):
        write(tmp_path / name, np.stack([a, b], 1))
    np.testing.assert_allclose(row(tmp_path), features_of((a + b) / 2), rtol=1e-5)
    capfd.readouterr()
    assert skaud_features(*(tmp_path / f"{name}.wav" for name in "xyz"), "-o", tmp_path / "out.csv") == 0
    said = capfd.readouterr().err
    assert said.count("2 channels are averaged") == 2  # of the first, and in the end
    assert "... and 2 more" in said


def test_ears_are_kept_and_a_channel_is_taken(tmp_path):
    a, b = noise(seed=1), noise(seed=2)
    write(tmp_path / "x.wav", np.stack([a, b], 1))
    np.testing.assert_array_equal(row(tmp_path, "--ears"), features_of(np.stack([a, b])))
    np.testing.assert_array_equal(row(tmp_path, "--channel", 2), features_of(b))


def test_files_with_other_ears_or_without_the_channel_are_left_out_by_name(tmp_path, capfd):
    write(tmp_path / "a.wav", np.stack([noise()] * 2, 1))
    write(tmp_path / "b.wav", noise())
    for option, words in (("--ears", "the first file had 2"), ("--channel=2", "no --channel 2")):
        assert skaud_features(tmp_path / "a.wav", tmp_path / "b.wav", "-o", tmp_path / f"x{option}.csv", option) == 1
        said = capfd.readouterr().err
        assert "b.wav left out: it has 1 channel" in said
        assert words in said


@pytest.mark.parametrize("difference", [0.0, 1e-4])
def test_channels_that_cancel_are_named(tmp_path, capfd, difference):
    a = noise()
    write(tmp_path / "x.wav", np.stack([a, difference * noise(seed=1) - a], 1))
    row(tmp_path)
    assert "x.wav: its channels cancel when averaged" in capfd.readouterr().err


def test_every_file_is_set_to_the_level(tmp_path):
    a = noise()
    write(tmp_path / "x.wav", 7 * a)
    wanted = features_of(audio.set_level(a, 70), pooling="max")
    np.testing.assert_allclose(row(tmp_path, "--level-db-spl", 70, "--param", "pooling=max"), wanted, rtol=1e-4)


def test_ears_are_set_to_the_level_as_the_library_sets_it(tmp_path):
    ears = np.stack([noise(), 0.1 * noise(seed=1)], 1)
    write(tmp_path / "x.wav", ears)
    clip = audio.set_level(audio.read(tmp_path / "x.wav"), 70).samples
    wanted = features_of(clip, pooling="max")
    assert np.ptp(audio.rms_db_spl(clip)) == pytest.approx(20, abs=0.5)
    np.testing.assert_allclose(
        row(tmp_path, "--ears", "--level-db-spl", 70, "--param", "pooling=max"), wanted, rtol=1e-4
    )


def test_segments_pool_the_models_statistics_in_parts(tmp_path):
    write(tmp_path / "x.wav", noise())
    wanted = features_of(noise(), pooling=TemporalPooling(("mean", "std"), segments=5))
    np.testing.assert_array_equal(row(tmp_path, "--segments", 5), wanted)


@pytest.mark.parametrize(
    ("rate", "words"), [(1, "more than 3600 s"), (500, "sample rate of 500 Hz"), (2_000_000, "rate of 2000000 Hz")]
)
def test_a_rate_that_no_sound_has_is_refused_by_name(tmp_path, capfd, rate, words):
    content = write(tmp_path / "x.wav", noise(8000)).read_bytes()
    (tmp_path / "x.wav").write_bytes(content[:24] + struct.pack("<I", rate) + content[28:])
    assert skaud_features(tmp_path / "x.wav", "-o", tmp_path / "x.csv") == 1
    said = capfd.readouterr().err
    assert "x.wav left out" in said
    assert words in said


def test_files_that_last_too_long_are_refused_before_they_are_read(tmp_path, capfd):
    with soundfile.SoundFile(tmp_path / "bomb.flac", "w", 8000, 1) as file:
        for _ in range(30):
            file.write(np.zeros(1_000_000, "int16"))
    assert (tmp_path / "bomb.flac").stat().st_size < 1e6
    write(tmp_path / "x.wav", noise())
    assert skaud_features(tmp_path, "-o", tmp_path / "x.csv") == 1
    assert "bomb.flac left out: it lasts 3750 s" in capfd.readouterr().err
    assert skaud_features(tmp_path / "x.wav", "-o", tmp_path / "y.csv", "--max-duration", 0.1) == 1
    assert "more than 0.1 s" in capfd.readouterr().err


def test_files_of_very_many_channels_are_refused_before_they_are_read(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("skaud.sound.files._MOST_SAMPLES", 50_000)
    write(tmp_path / "x.wav", np.zeros((4000, 20), "float32"))
    assert skaud_features(tmp_path / "x.wav", "-o", tmp_path / "x.csv") == 1
    assert "x.wav left out: it has 8e+04 samples in 20 channels" in capfd.readouterr().err


def test_cut_files_are_left_out_or_taken_and_named(tmp_path, capfd):
    content = write(tmp_path / "x.wav", noise()).read_bytes()
    (tmp_path / "x.wav").write_bytes(content[:8000])
    assert skaud_features(tmp_path / "x.wav", "-o", tmp_path / "x.csv") == 1
    assert "x.wav left out: it is cut" in capfd.readouterr().err
    assert skaud_features(tmp_path / "x.wav", "-o", tmp_path / "x.csv", "--cut") == 0
    assert "x.wav: it is cut" in capfd.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_left_out_by_name_without_waiting(tmp_path, capfd):
    os.mkfifo(tmp_path / "pipe.wav")
    os.symlink("/dev/zero", tmp_path / "device.wav")
    write(tmp_path / "x.wav", noise())
    assert skaud_features(tmp_path, "-o", tmp_path / "x.csv") == 1
    said = capfd.readouterr().err
    assert "pipe.wav left out: it is a named pipe" in said
    assert "device.wav left out: " in said
    assert "is a device" in said
    assert len(read(tmp_path / "x.csv")[0]) == 1


def test_a_file_that_changes_while_it_is_read_gives_no_row(tmp_path, capfd, monkeypatch):
    from skaud.command import computing

    read_clip = computing.read_clip

    def slowly(path, *more):
        clip = read_clip(path, *more)
        write(tmp_path / "x.wav", noise(5000))
        return clip

    monkeypatch.setattr(computing, "read_clip", slowly)
    write(tmp_path / "x.wav", noise())
    assert skaud_features(tmp_path / "x.wav", "-o", tmp_path / "x.csv") == 1
    assert "changed while it was read" in capfd.readouterr().err


@pytest.mark.parametrize("suffix", FORMATS)
def test_names_of_any_bytes_are_in_the_table_once_and_lead_back(tmp_path, suffix, monkeypatch):
    names = [
        b"=cmd.wav",
        b"cr\rlf\n.wav",
        b"q\"u'o,te.wav",
        b"\xff\xfe.wav",
        b"\x1b[2J.wav",
        "ü.wav".encode(),
        rb"\xff.wav",
    ]
    monkeypatch.chdir(make_sounds(tmp_path / "in", 1))
    content = (tmp_path / "in" / "000.wav").read_bytes()
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path / "in"), name), "wb") as file:
            file.write(content)
    output = tmp_path / f"x.{suffix}"
    assert skaud_features(*map(os.fsdecode, names), "-o", output) == 0
    paths, _, features = read(output)
    assert [text_path(path).removeprefix(b"./") for path in paths] == names
    assert paths[0] == "./=cmd.wav"
    assert (features == features[0]).all()
    if suffix == "csv":
        assert len(output.read_bytes().splitlines()) == len(names) + 1


@pytest.mark.parametrize("suffix", FORMATS)
def test_columns_of_a_manifest_are_carried_over_and_survive_a_resume(tmp_path, suffix):
    make_sounds(tmp_path, 3)
    manifest = 'path,word,take\n000.wav,"zero, oh",1\n001.wav,=one,2\n'
    (tmp_path / "manifest.csv").write_text(manifest)
    output = tmp_path / f"x.{suffix}"
    assert skaud_features(tmp_path / "manifest.csv", "-o", output) == 0
    assert skaud_features(tmp_path / "002.wav", "-o", output, "--resume") == 0
    if suffix == "npz":
        with np.load(output) as file:
            assert file["column_names"].tolist() == ["word", "take"]
            columns = file["columns"].T.tolist()
    else:
        read_it = (
            pd.read_parquet if suffix == "parquet" else lambda path: pd.read_csv(path, dtype=str, keep_default_na=False)
        )
        frame = read_it(output)
        assert list(frame.columns[:3]) == ["path", "word", "take"]
        columns = [frame["word"].tolist(), frame["take"].tolist()]
    formula = "'=one" if suffix == "csv" else "=one"  # to a spreadsheet, text
    assert columns == [["zero, oh", formula, ""], ["1", "2", ""]]
