"""Sound files whose headers tell something else than there is."""

import io
import os
import struct
import warnings

import numpy as np
import pytest
import soundfile

from skaud import audio

SOUND = (0.1 * np.random.default_rng(0).standard_normal(4000)).astype("float32")


def wav(**options):
    buffer = io.BytesIO()
    soundfile.write(buffer, SOUND, 8000, format="WAV", subtype="PCM_16", **options)
    return buffer.getvalue()


def with_sizes(content, riff, data):
    return content[:4] + struct.pack("<I", riff) + content[8:40] + struct.pack("<I", data) + content[44:]


@pytest.mark.parametrize("riff", [0, 36, 0xFFFFFFFF])
@pytest.mark.parametrize("data", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("as_file", [False, True])
def test_a_wav_whose_writer_could_not_go_back_is_read_whole(tmp_path, riff, data, as_file):
    (tmp_path / "x.wav").write_bytes(with_sizes(wav(), riff, data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if as_file:
            with open(tmp_path / "x.wav", "rb") as file:
                samples, rate = audio.read(file)
        else:
            samples, rate = audio.read(tmp_path / "x.wav")
    assert rate == 8000
    np.testing.assert_allclose(samples, SOUND, atol=2**-15)


@pytest.mark.parametrize("rest", [b"", b"LIST" + struct.pack("<I", 4) + b"abcd"])
def test_a_wav_of_0_bytes_that_has_none_holds_no_samples(tmp_path, rest):
    (tmp_path / "x.wav").write_bytes(with_sizes(wav(), 36 + len(rest), 0)[:44] + rest)
    with pytest.raises(ValueError, match=r"x\.wav.*holds no samples"):
        audio.read(tmp_path / "x.wav")


@pytest.mark.parametrize(
    "suffix", ["wav", "aiff", "au", "w64", "rf64", "sph", "mp3", "ogg", "caf", "flac", "voc", "svx"]
)
def test_a_cut_file_is_named_and_a_whole_one_is_not(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, SOUND, 8000, format={"sph": "NIST"}.get(suffix, suffix.upper()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole, _ = audio.read(path)
    assert len(whole) == len(SOUND)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            samples, _ = audio.read(path)
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017
            return
    assert len(samples) < len(whole)
    assert any(path.name in str(warning.message) and "it is cut" in str(warning.message) for warning in said)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("suffix", ["wav", "au", "caf"])
def test_a_file_of_another_byte_order_is_the_same_sound(tmp_path, suffix, subtype):
    read = []
    for endian in ("LITTLE", "BIG"):
        path = tmp_path / f"{endian}.{suffix}"
        soundfile.write(path, SOUND, 8000, format=suffix.upper(), subtype=subtype, endian=endian)
        read.append(audio.read(path).samples)
    assert (tmp_path / f"LITTLE.{suffix}").read_bytes() != (tmp_path / f"BIG.{suffix}").read_bytes()
    np.testing.assert_array_equal(*read, strict=True)


def test_samples_that_are_not_finite_are_refused_by_name(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.array([0.0, np.nan, np.inf]), 8000, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"x\.wav' has 2 samples that are NaN or infinite"):
        audio.read(tmp_path / "x.wav")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(ValueError, match=r"pipe\.wav' is a named pipe"):
        audio.read(tmp_path / "pipe.wav")
    with pytest.raises(ValueError, match="'/dev/zero' is a device"):
        audio.read("/dev/zero")


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_utf_8_are_read(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff.wav")
    with open(path, "wb") as file:
        file.write(wav())
    assert len(audio.read(path).samples) == len(audio.read(os.fsdecode(path)).samples) == len(SOUND)
