import io
import re
import subprocess
import sys
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy import signal

from skaud import Sound, audio
from skaud.sound import resampling


def tone(frequency_hz=1000.3, sample_rate=22050, seconds=1.0, dtype="float64"):
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * sample_rate)) / sample_rate).astype(dtype)


def error(kind, *words):
    """The message holds these words, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(re.escape(word) for word in words))


# Files


@pytest.mark.parametrize(
    ("suffix", "subtype", "worst"),
    [("wav", "FLOAT", 0), ("wav", "PCM_16", 2**-15), ("wav", "PCM_U8", 2**-7), ("flac", "PCM_24", 2**-23)],
)
def test_what_is_written_is_read(tmp_path, suffix, subtype, worst):
    path = tmp_path / f"tone.{suffix}"
    x = 0.9 * tone(dtype="float32")
    soundfile.write(path, x, 22050, subtype=subtype)
    y, sample_rate = audio.read(path)
    assert (y.dtype, y.shape, sample_rate) == (np.float32, x.shape, 22050)
    assert np.abs(y - x).max() <= worst


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy_files_keep_the_tone_and_its_level(tmp_path, suffix):
    path = tmp_path / f"tone.{suffix}"
    x = 0.5 * tone(sample_rate=44100)
    soundfile.write(path, x, 44100)
    y, sample_rate = audio.read(path, dtype="float64")
    assert sample_rate == 44100
    middle = y[8820:35280]
    assert np.argmax(np.abs(np.fft.rfft(middle * np.hanning(middle.size)))) == round(1000.3 * 0.6)
    assert audio.rms_db_spl(middle) == pytest.approx(audio.rms_db_spl(x), abs=0.1)


def test_stereo_files_are_two_ears_and_mono_is_their_mean(tmp_path):
    path = tmp_path / "two.wav"
    ears = np.stack([tone(500), 0.25 * tone(800)])
    soundfile.write(path, ears.T, 22050, subtype="DOUBLE")
    x, _ = audio.read(path, dtype="float64")
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(x, ears)
    x, _ = audio.read(path, mono=True, dtype="float64")
    np.testing.assert_allclose(x, ears.mean(axis=0), atol=1e-15)


def test_a_file_is_read_at_another_rate(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.stack([tone(), tone()], axis=1), 22050, subtype="FLOAT")
    x, sample_rate = audio.read(path, sample_rate=16000)
    assert (x.shape, x.dtype, sample_rate) == ((2, 16000), np.float32, 16000)
    assert isinstance(sample_rate, int)
    np.testing.assert_allclose(x[0, 1000:-1000], tone(sample_rate=16000)[1000:-1000], atol=1e-5)


def test_a_list_of_files_gives_a_list_and_a_file_object_a_sound(tmp_path):
    paths = [tmp_path / "a.wav", tmp_path / "b.flac"]
    for path, n in zip(paths, (300, 500)):
        soundfile.write(path, 0.1 * np.ones(n), 8000)
    sounds = audio.read(paths)
    assert [sound.n_samples for sound in sounds] == [300, 500]
    assert audio.read([str(path) for path in paths]) == sounds
    with open(paths[0], "rb") as file:
        assert audio.read(file) == sounds[0]
    assert audio.read(io.BytesIO(paths[1].read_bytes())) == sounds[1]
    with error(FileNotFoundError, "gone.wav"):
        audio.read([paths[0], tmp_path / "gone.wav"])


@pytest.mark.parametrize("n_samples", [1, 2])
def test_a_file_of_fewer_samples_than_channels_is_read_as_their_mean_alone(tmp_path, n_samples):
    soundfile.write(tmp_path / "short.wav", np.full((n_samples, 3), [0.1, 0.2, 0.6]), 8000, subtype="FLOAT")
    assert audio.read(tmp_path / "short.wav", mono=True) == Sound(np.full(n_samples, 0.3, "float32"), 8000)
    with error(ValueError, "short.wav' has 3 channels", f"{n_samples} samples", "mono=True") as caught:
        audio.read(tmp_path / "short.wav")
    assert "transpose" not in str(caught.value)


def test_channels_that_cancel_are_named_with_their_file(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.stack([tone(), -tone()], axis=1), 22050)
    with pytest.warns(UserWarning, match=r"x\.wav': the mean of its ears lies"):
        audio.read(tmp_path / "x.wav", mono=True)


@pytest.mark.parametrize("path", [None, 3, 1.5, True, np.array(["a.wav"]), {"a.wav"}])
def test_what_is_no_path_is_named(path):
    with error(TypeError, f"path={path!r} is no path", "a list of these"):
        audio.read(path)
    with error(TypeError, "path[0]=[", "is no path"):
        audio.read([[path]])


def test_what_gives_its_items_once_is_to_be_made_a_list_of(tmp_path):
    with error(TypeError, "path is a", "pass list(path)"):
        audio.read(tmp_path.glob("*.wav"))
    for call in (audio.rms_db_spl, audio.to_mono, lambda x: audio.set_level(x, 60), lambda x: audio.add_noise(x, 60)):
        with error(TypeError, "x is a generator", "pass list(x)"):
            call(np.ones(9) for _ in range(2))


@pytest.mark.parametrize("mono", ["False", None, 1, [True]])
def test_mono_is_true_or_false(tmp_path, mono):
    with error(ValueError, f"mono={mono!r}", "True or False"):
        audio.read(tmp_path / "x.wav", mono=mono)


def test_the_level_of_a_recording_can_be_told(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(100, 0.5), 8000, subtype="FLOAT")
    assert audio.read(tmp_path / "a.wav").db_spl == pytest.approx(93.98 - 20 * np.log10(2))
    assert audio.read(tmp_path / "a.wav", rms_one_db_spl=120).db_spl == pytest.approx(120 - 20 * np.log10(2))


def test_a_file_of_too_many_channels_is_named(tmp_path):
    soundfile.write(tmp_path / "array.wav", np.zeros((100, 17)), 8000)
    with error(ValueError, "array.wav", "17 channels", "16 ears"):
        audio.read(tmp_path / "array.wav")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with error(FileNotFoundError, "absent.wav", "no such file"):
        audio.read(tmp_path / "absent.wav")
    (tmp_path / "notes.wav").write_text("not a sound at all")
    with error(ValueError, "notes.wav", "libsndfile says: Format not recognised."):
        audio.read(tmp_path / "notes.wav")
    (tmp_path / "nothing.wav").touch()
    with error(ValueError, "nothing.wav", "cannot be read"):
        audio.read(tmp_path / "nothing.wav")
    with error(ValueError, tmp_path.name, "is a folder"):
        audio.read(tmp_path)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    with error(ValueError, "empty.wav", "holds no samples"):
        audio.read(tmp_path / "empty.wav")
    soundfile.write(tmp_path / "good.wav", np.zeros(10), 8000)
    with error(ValueError, "sample_rate=0", "between 1000 and 1e+06 Hz"):
        audio.read(tmp_path / "good.wav", sample_rate=0)
    with error(ValueError, "sample_rate=8000.5", "whole number"):
        audio.read(tmp_path / "good.wav", sample_rate=8000.5)
    with error(ValueError, "dtype=int16", "float32 or float64"):
        audio.read(tmp_path / "good.wav", dtype="int16")


def test_importing_audio_loads_no_heavy_package():
    code = "import sys, skaud.audio; print([m for m in ('soundfile', 'soxr', 'sklearn', 'pandas') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# Sample rate


@pytest.mark.parametrize(("dtype", "worst_db"), [("float32", -120), ("float64", -170)])
@pytest.mark.parametrize(("old", "new"), [(22050, 16000), (8000, 22050), (44100, 48000), (16000, 12345.6)])
def test_resampling_keeps_frequency_phase_and_level_of_a_tone(old, new, dtype, worst_db):
    y = audio.resample(tone(sample_rate=old, dtype=dtype), new, sample_rate=old)
    wanted = np.sin(2 * np.pi * 1000.3 * np.arange(y.size) / new)
    middle = slice(y.size // 10, -y.size // 10)  # the ends differ: outside, the tone is silent
    assert y.dtype == dtype
    assert audio.rms_db_spl((y - wanted)[middle], 3) < worst_db


@pytest.mark.parametrize(("old", "new"), [(22050, 16000), (8000, 22050), (48000, 16000)])
def test_resampling_keeps_the_level_of_tones_up_to_nine_tenths_of_the_band(old, new):
    for part, worst_db in ((0.45, 1e-4), (0.91, 0.01)):
        x = tone(part * min(old, new) / 2, old, 3)
        y = audio.resample(x, new, sample_rate=old)
        assert audio.rms_db_spl(y[new:-new]) == pytest.approx(audio.rms_db_spl(x[old:-old]), abs=worst_db)


def test_resampling_removes_what_the_new_rate_cannot_carry():
    y = audio.resample(tone(9000), 16000, sample_rate=22050)
    assert audio.rms_db_spl(y[1600:-1600], 3) < -140


@pytest.mark.parametrize("shape", [(441,), (3, 441), (2, 2, 441)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_each_row_is_resampled_by_itself(shape, order):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), order=order)
    y = audio.resample(x, 16000, sample_rate=44100)
    assert y.shape == (*shape[:-1], 160)
    for index in np.ndindex(shape[:-1]):
        np.testing.assert_array_equal(y[index], audio.resample(x[index].copy(), 16000, sample_rate=44100))


def test_resampled_length_is_rounded():
    for n in (2, 3, 7, 100, 333, 22050):
        for old, new in ((22050, 16000), (8000, 22050), (16000, 24000)):
            assert audio.resample(np.ones(n), new, sample_rate=old).size == int(np.floor(n * new / old + 0.5))


def test_equal_rates_return_the_same_samples():
    x = tone()
    np.testing.assert_array_equal(audio.resample(x, 8000.0, sample_rate=8000), x)
    sound = Sound(x, 8000)
    assert audio.resample(sound, 8000) == sound


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (0, 8000, ("sample_rate=0", "between 1000 and 1e+06 Hz")),
        (8000, -1, ("new_sample_rate=-1", "between")),
        (8000, np.nan, ("new_sample_rate=nan", "a number of Hz")),
        (np.inf, 8000, ("sample_rate=inf", "a number of Hz")),
        (True, 8000, ("sample_rate=True", "a number of Hz")),
        ([8000, 8000], 8000, ("sample_rate=[8000, 8000]", "a number of Hz")),
        (8000, "16000", ("new_sample_rate='16000'", "a number of Hz")),
        (8000, None, ("new_sample_rate=None", "a number of Hz")),
        (8000, 10**400, ("new_sample_rate=1000", "a number of Hz")),
        (44.1, 8000, ("sample_rate=44.1", "44100 Hz, in kHz?")),
        (8000, 2e6, ("new_sample_rate=2000000.0", "1e+06 Hz")),
        (None, 8000, ("x is an array", "sample_rate", "skaud.Sound")),
    ],
)
def test_impossible_rates_are_named(old, new, words):
    with error(ValueError, *words):
        audio.resample(tone(), new, sample_rate=old)


# What is a sound


@pytest.mark.parametrize(
    "call",
    [
        lambda x: audio.resample(x, 16000, sample_rate=8000),
        audio.rms_db_spl,
        lambda x: audio.set_level(x, 60),
        lambda x: audio.add_noise(x, 10),
    ],
)
def test_every_function_refuses_what_is_no_sound(call):
    with error(TypeError, "x holds int16", "from_pcm"):
        call(np.ones(10, "int16"))
    with error(TypeError, "x holds complex128", "astype"):
        call(np.ones(10, complex))
    with error(ValueError, "x has shape (2, 0)", "at least one sample"):
        call(np.ones((2, 0)))
    with error(ValueError, "x has 2 samples that are NaN or infinite"):
        call(np.array([0.5, np.nan, np.inf]))


def test_too_short_a_sound_cannot_be_resampled():
    with error(ValueError, "x has 1 samples", "less than one at 8000 Hz"):
        audio.resample(np.ones(1), 8000, sample_rate=44100)


# Integer samples


@pytest.mark.parametrize(
    ("dtype", "lowest", "silence", "half"),
    [
        ("int8", -(2**7), 0, 2**6),
        ("int16", -(2**15), 0, 2**14),
        ("int32", -(2**31), 0, 2**30),
        ("int64", -(2**63), 0, 2**62),
        ("uint8", 0, 2**7, 2**7 + 2**6),
        ("uint16", 0, 2**15, 2**15 + 2**14),
    ],
)
def test_integers_are_scaled_by_their_range(dtype, lowest, silence, half):
    y = audio.from_pcm(np.array([lowest, silence, half], dtype))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [-1, 0, 0.5])


def test_integers_are_scaled_as_in_files(tmp_path):
    path = tmp_path / "tone.wav"
    x = np.round(30000 * tone()).astype("int16")
    soundfile.write(path, x, 22050)
    np.testing.assert_array_equal(audio.from_pcm(x), audio.read(path).samples)
    np.testing.assert_array_equal(audio.from_pcm(x, "float64"), audio.read(path, dtype="float64").samples)


@pytest.mark.parametrize(
    "x",
    [
        [0, 16384, -32768],
        pd.Series([0, 16384, -32768]),
        np.array([[0, -(2**31)], [2**31 - 1, 5]]),
        np.array([0, 2**32 - 1], np.uint64),
        np.zeros(3, np.int64),
        np.zeros(0, np.uint64),
    ],
)
def test_integers_whose_type_is_not_that_of_the_recording_are_refused(x):
    with error(
        ValueError, f"x holds {np.asarray(x).dtype} that 32 bits would hold", "numpy.asarray(x, 'int16')", "<< 8"
    ):
        audio.from_pcm(x)


def test_integers_whose_type_is_told_are_scaled_by_it():
    np.testing.assert_array_equal(audio.from_pcm(np.asarray([0, 16384, -32768], "int16")), [0, 0.5, -1])
    np.testing.assert_array_equal(audio.from_pcm(np.asarray([0, 2**22, -(2**23)], "int32") << 8), [0, 0.5, -1])
    np.testing.assert_array_equal(audio.from_pcm([np.int16([0, 16384]), np.int16([-32768, 0])]), [[0, 0.5], [-1, 0]])
    with error(ValueError, "x holds arrays of different lengths", "one by one"):
        audio.from_pcm([np.int16([0, 1]), np.int16([0])])


@pytest.mark.parametrize("x", [np.zeros(3), np.zeros(3, bool), np.zeros(3, complex)])
def test_only_integers_are_pcm(x):
    with error(TypeError, f"x holds {x.dtype}", "takes integers", "set_level"):
        audio.from_pcm(x)


# Level


def test_an_rms_of_one_has_the_level_it_stands_for():
    assert audio.rms_db_spl(np.ones(10)) == 93.98
    assert audio.rms_db_spl(np.ones(10), rms_one_db_spl=100) == 100
    assert audio.rms_db_spl(np.sqrt(2) * tone(1000)) == pytest.approx(93.98, abs=1e-9)
    assert audio.rms_db_spl(np.full(10, 0.1, "float32")) == pytest.approx(73.98, abs=1e-6)
    assert audio.rms_db_spl(Sound(np.ones(10), 8000, 107)) == 107


def test_a_microphone_in_pascals_reads_as_an_acoustician_expects():
    # A calibrator: 1 Pa RMS is 94 dB SPL, to the nearest tenth; 20 uPa are the threshold.
    assert round(audio.rms_db_spl(np.sqrt(2) * tone(1000)), 1) == 94.0
    assert abs(audio.rms_db_spl(np.full(10, 20e-6))) < 1e-3


def test_silence_is_infinitely_soft():
    np.testing.assert_array_equal(audio.rms_db_spl(np.zeros((2, 10))), [-np.inf, -np.inf])


@pytest.mark.parametrize(("dtype", "tolerance_db"), [("float32", 1e-5), ("float64", 1e-9)])
def test_set_level_gives_the_level(dtype, tolerance_db):
    x = np.random.default_rng(0).standard_normal((3, 5000)).astype(dtype) * [[1e-6], [1], [1e6]]
    x = x.astype(dtype)
    before = x.copy()
    y = audio.set_level(x, 63.21, rms_one_db_spl=100, axis=-1)
    assert y.dtype == dtype
    np.testing.assert_allclose(audio.rms_db_spl(y, 100), 63.21, atol=tolerance_db)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("form", [np.asarray, lambda ears: Sound(ears, 22050), lambda ears: Sound(ears, 22050, 107)])
def test_ears_keep_their_level_difference_unless_axis_says_otherwise(form):
    ears = form(np.stack([tone(), 0.5 * tone()]))
    together = audio.set_level(ears, 60)
    assert np.ptp(audio.rms_db_spl(together)) == pytest.approx(20 * np.log10(2), abs=1e-9)
    assert audio.rms_db_spl(together, axis=None) == pytest.approx(60, abs=1e-9)
    np.testing.assert_allclose(audio.rms_db_spl(audio.set_level(ears, 60, axis=-1)), [60, 60], atol=1e-9)


def test_a_silent_ear_stays_silent_beside_one_that_is_not():
    y = audio.set_level(np.stack([tone(), 0 * tone()]), 60)
    assert audio.rms_db_spl(y, axis=None) == pytest.approx(60)
    assert not y[1].any()


def test_rows_that_may_be_clips_are_named_where_the_level_is_set():
    clips = np.stack([tone(), 0.1 * tone(), 10 * tone()])
    with pytest.warns(UserWarning, match=r"x has 3 rows, .* pass list\(x\)") as caught:
        audio.set_level(clips, 60)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio.set_level(clips, 60, axis=(-2, -1))
        audio.set_level(Sound(clips, 22050), 60)
        audio.set_level(clips[:2], 60)
        assert audio.rms_db_spl(audio.set_level(list(clips), 60)) == pytest.approx([60, 60, 60])
    with error(ValueError, "x has shape (2, 2, 9)", "list(x)"):
        audio.set_level(np.ones((2, 2, 9)), 60)
    assert audio.set_level(np.ones((2, 2, 9)), 60, axis=-1).shape == (2, 2, 9)


def test_levels_that_cannot_be_set_are_named():
    with error(ValueError, "x is silent", "db_spl=60"):
        audio.set_level(np.stack([tone(), 0 * tone()]), 60, axis=-1)
    for db_spl in (
        np.inf,
        np.nan,
        np.array([60.0, 70.0]),
        "60",
        None,
        True,
        np.True_,
        [60],
        10**400,
        60j,
        np.array("6"),
    ):
        with error(ValueError, f"db_spl={db_spl!r}", "one finite number"):
            audio.set_level(tone(), db_spl)
    for db_spl in (60, np.float32(60), np.array(60), Fraction(120, 2)):
        assert audio.rms_db_spl(audio.set_level(tone(), db_spl)) == pytest.approx(60)


# Noise


@pytest.mark.parametrize(("color", "slope_db"), [("white", 0), ("pink", -3.01), ("brown", -6.02)])
def test_noise_falls_by_its_slope_per_octave(color, slope_db):
    x = audio.make_noise(2**18, color, random_state=0)
    frequency, density = signal.welch(x, 32000, nperseg=4096)
    bands_hz = 62.5 * 2.0 ** np.arange(8)
    level_db = [10 * np.log10(density[(frequency >= f) & (frequency < 2 * f)].mean()) for f in bands_hz]
    slope, _ = np.polyfit(np.arange(8), level_db, 1)
    assert slope == pytest.approx(slope_db, abs=0.1)


@pytest.mark.parametrize("color", ["white", "pink", "brown"])
@pytest.mark.parametrize("n_samples", [2, 3, 1000])
def test_noise_has_an_rms_of_one(color, n_samples):
    x = audio.make_noise(n_samples, color, random_state=1)
    assert x.shape == (n_samples,)
    assert audio.rms_db_spl(x, 0) == pytest.approx(0, abs=1e-9)


def test_noise_repeats_with_its_seed_only():
    np.testing.assert_array_equal(audio.make_noise(100, random_state=3), audio.make_noise(100, random_state=3))
    assert not np.array_equal(audio.make_noise(100, random_state=3), audio.make_noise(100, random_state=4))
    stream = np.random.RandomState(0)
    assert not np.array_equal(audio.make_noise(100, random_state=stream), audio.make_noise(100, random_state=stream))


@pytest.mark.parametrize("shape", [(5001,), (2, 5001)])
@pytest.mark.parametrize("snr_db", [-5, 0, 12.5])
def test_noise_is_added_at_the_snr(shape, snr_db):
    x = np.random.default_rng(1).standard_normal(shape) * 1e-3
    noise = audio.add_noise(x, snr_db, random_state=0) - x
    difference = audio.rms_db_spl(x, axis=None) - audio.rms_db_spl(noise, axis=None)
    assert difference == pytest.approx(snr_db, abs=1e-9)


def test_each_ear_has_its_own_noise_at_the_same_level():
    noise = audio.add_noise(np.ones((2, 20000)), 0, "white", random_state=0) - 1
    assert abs(np.corrcoef(noise)[0, 1]) < 0.03
    assert np.ptp(audio.rms_db_spl(noise)) == pytest.approx(0, abs=1e-9)


def test_the_noise_of_a_clip_does_not_depend_on_the_others():
    clips = [tone(seconds=0.1, dtype="float32"), tone(seconds=0.2, dtype="float32"), np.ones((2, 50))]
    noisy = audio.add_noise(clips, 6, random_state=5)
    assert [(y.shape, y.dtype) for y in noisy] == [(x.shape, x.dtype) for x in clips]
    alone = audio.add_noise([np.ones(7), clips[1]], 6, random_state=5)
    np.testing.assert_array_equal(noisy[1], alone[1])
    np.testing.assert_array_equal(noisy[0], audio.add_noise(clips[0], 6, random_state=5))
    assert not np.array_equal(*(y - 1 for y in audio.add_noise([np.ones(50)] * 2, 6, random_state=5)))


def test_added_noise_is_unrelated_to_a_noise_of_the_same_seed():
    x = audio.make_noise(20000, "white", random_state=0)
    noise = audio.add_noise(x, 0, "white", random_state=0) - x
    assert abs(np.corrcoef(x, noise)[0, 1]) < 0.03


UNCHANGED = {
    "ear": lambda x: audio.ear(x, "left"),
    "to_mono": lambda x: audio.to_mono(x[0]),
    "to_mono of ears": audio.to_mono,
    "resample": lambda x: audio.resample(x, 8000, sample_rate=8000),
    "set_level": lambda x: audio.set_level(x, audio.rms_db_spl(x[0])),
    "add_noise": lambda x: audio.add_noise(x, np.inf),
    "a list": lambda x: audio.resample([x], 8000, sample_rate=8000)[0],
}


@pytest.mark.parametrize("function", UNCHANGED)
def test_an_array_that_comes_out_is_apart_from_that_which_went_in(function):
    x = np.stack([tone()] * 2)
    y = UNCHANGED[function](x)
    np.testing.assert_allclose(y, x if y.ndim == 2 else x[0], rtol=1e-6)
    assert not np.shares_memory(x, y)
    y[...] = 0  # it is the caller's own


def test_noise_that_cannot_be_made_is_named():
    for snr_db in (np.nan, -np.inf, "10", None, True, [10, 20], np.array([10, 20]), {}):
        with error(ValueError, f"snr_db={snr_db!r}", "a number of dB", "make_noise"):
            audio.add_noise(tone(), snr_db)
    for color in (["pink"], None, 3, "red", {"pink"}):
        for call in (lambda: audio.add_noise(tone(), np.inf, color), lambda: audio.make_noise(100, color)):  # noqa: B023
            with error(ValueError, f"color={color!r}", "['brown', 'pink', 'white']"):
                call()
    for random_state in ("0", -1, [1.5], np.random.default_rng(0)):
        with error(ValueError, "random_state=", "is no seed", "an integer from 0"):
            audio.add_noise(tone(), 10, random_state=random_state)
    with error(ValueError, "x[1] is silent", "snr_db=3"):
        audio.add_noise([tone(), np.zeros(10)], 3)
    with error(ValueError, "x has shape (2, 2, 9)", "list(x)"):
        audio.add_noise(np.ones((2, 2, 9)), 3)
    with error(ValueError, "color='green'", "['brown', 'pink', 'white']"):
        audio.make_noise(100, "green")
    for n_samples in (1, 10.5, -3, np.inf, np.nan, 2**70, None, "3", True, [3]):
        with error(ValueError, f"n_samples={n_samples!r}", "at least 2"):
            audio.make_noise(n_samples)
    for dtype in (None, "int16", "float", "double precision", ["float32"]):
        if dtype != "float":  # which is float64
            with error(ValueError, f"dtype={dtype!r}" if dtype != "int16" else "dtype=int16", "float32 or float64"):
                audio.make_noise(10, dtype=dtype)


@pytest.mark.parametrize("color", ["pink", "brown"])
def test_a_sample_alone_has_no_coloured_noise(color):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with error(ValueError, "x has 1 sample", color, "color='white'"):
            audio.add_noise(np.ones(1), 10, color)
        with error(ValueError, "x[1] has 1 sample"):
            audio.add_noise([np.ones(2), np.ones((1, 1))], 10, color)
        assert abs(audio.add_noise(np.ones(1), 0, "white") - 1) == pytest.approx(1)


# Sounds and lists of them


CHANGES = {
    "resample": lambda x: audio.resample(x, 16000),
    "set_level": lambda x: audio.set_level(x, 60),
    "add_noise": lambda x: audio.add_noise(x, 10, random_state=0),
    "to_mono": audio.to_mono,
    "ear": lambda x: audio.ear(x, "left"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_sounds_come_out_as_sounds_of_the_same_scale_one_or_a_list(name):
    change = CHANGES[name]
    sounds = [Sound(np.stack([tone(500, 8000, 0.1), tone(700, 8000, 0.1)]), 8000, 107.0) for _ in range(2)]
    one, several = change(sounds[0]), change(sounds)
    assert isinstance(one, Sound)
    assert several[0] == one
    assert [type(sound) for sound in several] == [Sound, Sound]
    assert (one.sample_rate, one.rms_one_db_spl) == (16000 if name == "resample" else 8000, 107.0)


@pytest.mark.parametrize("name", [*CHANGES, "rms_db_spl"])
def test_an_error_in_a_list_names_which(name):
    change = CHANGES.get(name, audio.rms_db_spl)
    good = Sound(np.ones((2, 100)), 8000)
    with error(ValueError, "x[1]"):
        change([good, np.full((2, 100), np.nan)])


def test_levels_of_a_list_are_a_list_each_by_its_own_scale():
    levels = audio.rms_db_spl([Sound(np.ones(9), 8000, 107), Sound(np.ones(9), 8000), np.ones(9)])
    assert levels == [107, 93.98, 93.98]


def test_the_level_is_set_in_the_scale_that_is_told_of_audio_without_one():
    sound = audio.set_level({"array": tone(500, 8000, 0.1), "sampling_rate": 8000}, 60, rms_one_db_spl=120)
    assert (sound.rms_one_db_spl, round(sound.db_spl, 6)) == (120, 60)


def test_a_sound_keeps_its_scale_against_another_that_is_told():
    with error(ValueError, "x is a Sound", "107 dB SPL", "rms_one_db_spl=100"):
        audio.set_level(Sound(np.ones(9), 8000, 107), 60, rms_one_db_spl=100)
    with error(ValueError, "x is at 8000 Hz", "sample_rate=16000"):
        audio.resample(Sound(np.ones(9), 8000), 8000, sample_rate=16000)


def test_ears_that_cancel_are_named_and_others_are_not():
    x = tone()
    with pytest.warns(UserWarning, match="cancel each other") as caught:
        assert not audio.to_mono(np.stack([x, -x])).any()
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio.to_mono(np.stack([x, 0 * x]))
        audio.to_mono(np.zeros((2, 9)))


def test_an_ear_that_is_not_there_is_named():
    with error(ValueError, "x has shape (2, 9)", "which=2"):
        audio.ear(np.ones((2, 9)), 2)
    with error(ValueError, "x has shape (3, 9)", "which='left'"):
        audio.ear(np.ones((3, 9)), "left")
    with error(ValueError, "which='middle'", "'left' or 'right'"):
        audio.ear(np.ones((2, 9)), "middle")
    for which in (np.inf, np.nan, 2**70, 10**400, 0.5, -1, None, True, [0], ("left",)):
        with error(ValueError, f"which={which}", "'left' or 'right'"):
            audio.ear(np.ones((2, 9)), which)
    with error(ValueError, "x has shape (9,)", "0 ears"):
        audio.ear(np.ones(9), 0)


@pytest.mark.parametrize(
    "call", [lambda x: audio.resample(x, 8000, sample_rate=16000), audio.rms_db_spl, lambda x: audio.add_noise(x, 3)]
)
def test_samples_before_ears_are_refused(call):
    with error(ValueError, "(22050, 2)", "22050 ears, more than 16", "transpose", "skaud.audio.read"):
        call(np.ones((22050, 2)))
    with error(ValueError, "x[0]", "(3, 2)", "3 ears, more than its 2 samples"):
        call([np.ones((3, 2))])
    with error(ValueError, "x has shape (20, 100)", "20 ears, more than 16", "pass list(x)") as caught:
        call(np.ones((20, 100)))
    assert "transpose" not in str(caught.value)


def test_what_a_dtype_cannot_hold_is_an_error_and_not_infinity():
    with error(ValueError, "db_spl=900", "float32"):
        audio.set_level(np.ones(9, "float32"), 900)


# What is returned is finite, or there is an error


LARGE = {"float32": 3e38, "float64": 1.7e308}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: audio.set_level(x, 1e6),
        lambda x: audio.set_level(x, 7000),
        lambda x: audio.set_level(x, 60),
        lambda x: audio.add_noise(x, -1e6),
        lambda x: audio.add_noise(x, 0),
        lambda x: audio.resample(x, 44100, sample_rate=8000),
        lambda x: audio.to_mono(np.stack([x, x])),
        lambda x: audio.rms_db_spl(x),
    ],
    ids=["1e6 dB", "7000 dB", "60 dB", "noise at -1e6 dB", "noise", "resample", "to_mono", "rms_db_spl"],
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_functions_of_audio_return_finite_samples_or_a_value_error(dtype, function):
    random = np.random.default_rng(0)
    for scale in (1e-300, 1e-30, 1.0, 1e30, LARGE[dtype]):
        x = (np.sign(random.standard_normal(500)) * scale).astype(dtype)
        if not x.any():
            continue
        try:
            assert np.isfinite(function(x)).all()
        except ValueError as error:
            assert "beyond what" in str(error)  # noqa: PT017


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_levels_hold_for_the_smallest_and_the_largest_samples(scale):
    x = np.array([scale, -scale])
    assert audio.rms_db_spl(x, 0.0) == pytest.approx(20 * np.log10(scale))
    np.testing.assert_allclose(audio.set_level(x, 0.0, 0.0), [1.0, -1.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("old", "new"), [(8000, 22050), (44100, 16000), (22050, 44100.5)])
def test_resampling_in_blocks_gives_what_the_whole_gives(monkeypatch, dtype, old, new):
    import soxr

    x = np.random.default_rng(0).standard_normal(5000).astype(dtype)
    wanted = soxr.resample(x, old, new, quality="VHQ")
    for block in (1 << 20, 1000, 77):
        monkeypatch.setattr(resampling, "_BLOCK", block)
        np.testing.assert_array_equal(audio.resample(x, new, sample_rate=old), wanted)


@pytest.mark.slow
def test_resampling_an_hour_takes_little_beyond_it():
    code = """
import resource, numpy as np
from skaud import audio
audio.resample(np.zeros(1000, "float32"), 16000, sample_rate=22050)
x = np.zeros(3600 * 22050, "float32") + np.float32(0.01)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
y = audio.resample(x, 16000, sample_rate=22050)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before - y.nbytes // 1024)
"""
    kib = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert kib < 200 * 1024  # float32 sound of an hour is 303 MiB; its rows are not copied


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        (5, ValueError),
        ((0, 0), ValueError),
        (2**70, ValueError),
        (1.5, TypeError),
        ("time", TypeError),
        ([0], TypeError),
    ],
)
@pytest.mark.parametrize("function", [audio.rms_db_spl, lambda x, axis: audio.set_level(x, 60, axis=axis)])
def test_an_axis_that_is_none_is_named(function, axis, kind):
    with error(kind, f"axis={axis!r} is no axis of samples of shape (2, 100)"):
        function(np.ones((2, 100)), axis=axis)
