"""Sound: a clip that knows its rate and its level."""

import copy
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest

from skaud import Sound, audio

NOISE = 0.02 * np.random.default_rng(0).standard_normal(800)


def error(kind, *words):
    """The message holds these words, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(re.escape(word) for word in words))


def test_it_tells_its_rate_level_duration_and_ears():
    sound = Sound(np.full(8000, 0.2), 16000)
    assert (sound.sample_rate, sound.rms_one_db_spl, sound.duration_s, sound.n_samples) == (16000, 93.98, 0.5, 8000)
    assert sound.n_ears is None
    assert sound.db_spl == pytest.approx(93.98 - 20 * np.log10(5))
    assert repr(sound) == "Sound(0.5 s, 16000 Hz, 80.0 dB SPL)"
    ears = Sound(np.stack([np.full(800, 0.02), np.zeros(800)]), 16000.0, 107)
    assert ears.n_ears == 2
    np.testing.assert_allclose(ears.db_spl, [107 - 20 * np.log10(50), -np.inf])
    assert repr(ears) == "Sound(0.05 s, 2 ears, 16000 Hz, 73.0/-inf dB SPL)"


def test_it_comes_apart_into_samples_and_rate():
    samples, rate = Sound(NOISE, 22050)
    np.testing.assert_array_equal(samples, NOISE)
    assert rate == 22050
    assert isinstance(rate, int)
    assert Sound(NOISE, 11025.5).sample_rate == 11025.5


def test_it_cannot_be_changed():
    own = NOISE.copy()
    sound = Sound(own, 16000)
    own[0] = 1
    assert sound.samples[0] == NOISE[0]
    with pytest.raises(ValueError, match="read-only"):
        sound.samples[0] = 1
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        sound.samples.flags.writeable = True
    for name in ("samples", "sample_rate", "rms_one_db_spl", "db_spl", "label"):
        with pytest.raises(AttributeError):
            setattr(sound, name, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_in_another_byte_order_are_the_same_sound_in_that_of_the_machine(dtype):
    samples = NOISE.astype(dtype)
    swapped = samples.astype(samples.dtype.newbyteorder())
    sound = Sound(swapped, 16000)
    assert (sound.samples.dtype, sound.samples.dtype.isnative) == (dtype, True)
    assert (sound, hash(sound)) == (Sound(samples, 16000), hash(Sound(samples, 16000)))
    assert audio.rms_db_spl(swapped) == audio.rms_db_spl(samples)
    np.testing.assert_array_equal(audio.set_level(swapped, 60), audio.set_level(samples, 60))
    resampled = audio.resample(swapped, 16000, sample_rate=8000)
    np.testing.assert_array_equal(resampled, audio.resample(samples, 16000, sample_rate=8000))


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("kind", ["owner", "view", "view of owner", "bytearray", "map to write", "subclass"])
def test_samples_that_somebody_can_write_to_later_are_copied(kind, tmp_path):
    if kind == "bytearray":
        owner = np.frombuffer(memoryview(content := bytearray(NOISE.tobytes())).toreadonly())
        given, writable = owner, np.frombuffer(content)
    elif kind == "map to write":
        np.save(tmp_path / "x.npy", NOISE)
        writable = np.load(tmp_path / "x.npy", mmap_mode="r+")
        given = read_only(writable[:])
    else:
        writable = NOISE.copy()
        given = {
            "owner": lambda: read_only(writable),
            "view": lambda: read_only(writable[:]),
            "view of owner": lambda: read_only(writable)[:],
            "subclass": lambda: read_only(writable.view(np.recarray)),
        }[kind]()
    sound = Sound(given, 16000)
    before = hash(sound)
    if not writable.flags.writeable:
        writable.flags.writeable = True  # it owns its memory
    writable[0] = 5
    assert sound.samples[0] == NOISE[0]
    assert hash(sound) == before
    assert sound == Sound(NOISE, 16000)


def test_samples_that_nobody_can_write_to_are_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", NOISE)
    for samples in (np.load(tmp_path / "x.npy", mmap_mode="r"), np.frombuffer(NOISE.tobytes())):
        for own in (samples, samples[:400], samples.reshape(2, 400)):
            sound = Sound(own, 16000)
            assert np.shares_memory(sound.samples, samples)
            assert type(sound.samples) is np.ndarray
            with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
                sound.samples.flags.writeable = True
    unaligned = np.frombuffer(b" " + NOISE.tobytes(), offset=1)
    assert Sound(unaligned, 16000).samples.flags.aligned
    assert Sound(np.frombuffer(NOISE.tobytes()).reshape(400, 2).T, 16000).samples.flags.c_contiguous


@pytest.mark.parametrize(
    "change",
    [
        lambda x: audio.resample(x, 8000),
        lambda x: audio.set_level(x, 60),
        lambda x: audio.add_noise(x, 10),
        audio.to_mono,
        lambda x: audio.ear(x, 0),
        lambda x: audio.resample(x, 16000),
    ],
)
def test_a_sound_that_a_function_makes_cannot_be_changed(change):
    samples = np.stack([NOISE, NOISE])
    sound = change({"array": samples, "sampling_rate": 16000})
    before = sound.samples.copy()
    samples[:] = 7
    np.testing.assert_array_equal(sound.samples, before)
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        sound.samples.flags.writeable = True


def test_equal_sounds_are_equal_and_hash_alike():
    sound = Sound(NOISE, 16000)
    assert sound == Sound(NOISE.copy(), 16000.0)
    assert hash(sound) == hash(Sound(NOISE.copy(), 16000.0))
    assert sound != Sound(NOISE, 8000)
    assert sound != Sound(NOISE, 16000, 100)
    assert sound != Sound(NOISE[::-1], 16000)
    assert sound != Sound(NOISE[None], 16000)
    assert sound != NOISE.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pickles_and_copies_are_equal(dtype):
    sound = Sound(NOISE.astype(dtype), 16000, 100)
    for other in (pickle.loads(pickle.dumps(sound)), copy.copy(sound), copy.deepcopy(sound)):
        assert other == sound
        assert other.samples.dtype == dtype
        assert not other.samples.flags.writeable


def test_joblib_hashes_tell_sounds_apart():
    hashes = [joblib.hash(Sound(NOISE, *about)) for about in ((16000,), (16000.0,), (8000,), (16000, 100))]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_an_array_of_sounds_keeps_their_rates():
    sounds = [Sound(NOISE, 16000), Sound(NOISE, 8000)]
    array = np.asarray(sounds)
    assert (array.dtype, array.shape) == (object, (2,))
    assert array.tolist() == sounds


def test_it_is_small_in_a_data_frame():
    frame = pd.DataFrame({"sound": [Sound(NOISE, 16000), Sound(NOISE, 8000)], "label": ["a", "b"]})
    lines = repr(frame).splitlines()
    assert len(lines) == 3
    assert "Sound(0.05 s, 16000 Hz, 60." in lines[1]
    assert max(map(len, lines)) < 60


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((NOISE, True), ValueError, ("sample_rate=True", "a number of Hz")),
        ((NOISE, "16000"), ValueError, ("sample_rate='16000'", "a number of Hz")),
        ((NOISE, 44.1), ValueError, ("sample_rate=44.1", "44100 Hz, in kHz?")),
        ((NOISE, 999), ValueError, ("sample_rate=999", "between 1000 and 1e+06 Hz")),
        ((NOISE, 1e7), ValueError, ("sample_rate=10000000.0", "1e+06 Hz")),
        ((NOISE, np.nan), ValueError, ("sample_rate=nan",)),
        ((NOISE, 16000, np.inf), ValueError, ("rms_one_db_spl=inf", "-300 to 300", "93.98")),
        ((np.zeros((22050, 2)), 22050), ValueError, ("(22050, 2)", "22050 ears, more than 16", "transpose")),
        ((np.zeros((3, 2)), 22050), ValueError, ("(3, 2)", "3 ears, more than its 2 samples")),
        ((np.zeros((1, 1, 9)), 22050), ValueError, ("(1, 1, 9)", "(n_ears, n_samples)")),
        ((np.zeros(0), 22050), ValueError, ("shape (0,)", "at least one sample")),
        ((np.array([0.0, np.nan]), 22050), ValueError, ("1 samples that are NaN or infinite",)),
        ((np.ones(9, np.int16), 22050), TypeError, ("int16", "from_pcm")),
        ((np.ma.masked_less(NOISE, 0), 22050), TypeError, ("masked", "filled")),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, kind, words):
    with error(kind, *words):
        Sound(*arguments)


def test_half_precision_becomes_single():
    assert Sound(NOISE.astype(np.float16), 16000).samples.dtype == np.float32
