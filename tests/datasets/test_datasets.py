import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy import linalg, signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

from skaud import audio
from skaud.datasets import (
    VOWEL_TABLE,
    load_folder,
    make_am_noise,
    make_tone,
    make_tone_complex,
    make_tone_in_noise,
    make_vowels,
)

DIGITS = Path(__file__).parents[3] / "shared" / "data" / "digits"


def error(kind, *words):
    """The message holds these words, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(re.escape(word) for word in words))


def samples(sounds):
    """Samples of sounds of one length, (n_signals, n_samples)."""
    return np.stack([sound.samples for sound in sounds])


def spectrum(x, sample_rate):
    window = signal.windows.blackmanharris(x.size)
    return np.fft.rfftfreq(x.size, 1 / sample_rate), np.abs(np.fft.rfft(x * window)) * 2 / window.sum()


# Tones and noises


def test_tones_have_their_frequency_and_level_between_the_ramps():
    x = samples(make_tone([250, 1002, 7000], 1.0, 16000, db_spl=70, rms_one_db_spl=100, ramp_s=0.05))
    assert x.shape == (3, 16000)
    steady = x[:, 1600:-2400]  # a whole number of half periods of each
    np.testing.assert_allclose(audio.rms_db_spl(list(steady), 100), 70, atol=1e-9)
    for row, frequency_hz in zip(x, [250, 1002, 7000]):
        frequency, amplitude = spectrum(row, 16000)
        assert frequency[np.argmax(amplitude)] == pytest.approx(frequency_hz, abs=0.5)


@pytest.mark.parametrize("kind", [np.float32, np.longdouble, np.uint16, Fraction, np.array])
def test_a_rate_or_a_band_of_any_kind_is_the_same_number(kind):
    def make(rate, low_hz, high_hz):
        band = {"sample_rate": rate, "band_hz": (low_hz, high_hz), "random_state": 0}
        return [
            *make_tone(500, 0.1, rate),
            *make_tone_complex([500, 700], 0.1, rate),
            *make_am_noise(20, 0.5, 0.1, **band),
            *make_tone_in_noise(500, 60, duration_s=0.1, **band),
        ]

    assert make(*map(kind, (16000, 300, 700))) == make(16000, 300, 700)


def test_a_tone_begins_and_ends_in_silence_and_rises_like_a_cosine():
    x = make_tone(1000, 0.1, 16000, db_spl=93.98, ramp_s=0.01)[0].samples
    steady = np.sqrt(2) * np.sin(2 * np.pi * 1000 * np.arange(1600) / 16000)
    gain = x[4:160:16] / steady[4:160:16]  # at the peaks of the tone
    np.testing.assert_allclose(gain, 0.5 - 0.5 * np.cos(np.pi * np.arange(4, 160, 16) / 160), atol=1e-9)
    assert x[0] == 0
    assert abs(x[-1]) < 1e-12
    np.testing.assert_allclose(x[160:-160], steady[160:-160], atol=1e-9)


def test_a_scalar_frequency_is_one_signal():
    for (sound,) in (make_tone(440), make_tone(440, ramp_s=0)):
        assert (sound.sample_rate, sound.duration_s, sound.n_ears) == (44100, 0.5, None)


def test_tones_that_cannot_be_made_are_named():
    with error(ValueError, "frequency_hz=8000.0", "below half the sample rate, 8000.0 Hz", "raise sample_rate"):
        make_tone([500, 8000], sample_rate=16000)
    for frequency_hz in (0, -5, np.nan):
        with error(ValueError, "frequency_hz=", "above 0"):
            make_tone(frequency_hz)
    with error(ValueError, "frequency_hz has shape (0,)"):
        make_tone([])
    with error(ValueError, "ramp_s=0.3", "half the duration, 0.25 s", "shorten"):
        make_tone(500, duration_s=0.5, ramp_s=0.3)
    with error(ValueError, "duration_s=0", "not one sample"):
        make_tone(500, duration_s=0)


NO_NUMBERS = ("500", "a", None, True, 1j, 10**400)
MAKERS = [
    (make_tone, ("frequency_hz",), ("duration_s", "sample_rate", "db_spl", "rms_one_db_spl", "ramp_s")),
    (
        make_tone_complex,
        ("frequencies_hz", "levels_db", "phases_rad"),
        ("duration_s", "sample_rate", "db_spl", "rms_one_db_spl", "ramp_s"),
    ),
    (
        make_am_noise,
        ("modulation_hz", "depth", "band_hz"),
        ("duration_s", "sample_rate", "db_spl", "rms_one_db_spl", "ramp_s"),
    ),
    (
        make_tone_in_noise,
        ("frequency_hz", "tone_db_spl", "band_hz"),
        ("noise_db_spl", "duration_s", "tone_s", "sample_rate", "rms_one_db_spl", "ramp_s"),
    ),
    (
        make_vowels,
        ("duration_s",),
        ("n_speakers", "n_takes", "sample_rate", "db_spl", "rms_one_db_spl", "noise_snr_db"),
    ),
]
MAY_BE_NONE = {"tone_s", "band_hz", "noise_snr_db"}


@pytest.mark.parametrize(("make", "several", "single"), MAKERS, ids=lambda of: getattr(of, "__name__", ""))
def test_what_is_no_number_is_named(make, several, single):
    first = {} if make is make_vowels else {several[0]: 500}
    for name in (*several, *single):
        wrong = [
            *NO_NUMBERS,
            np.nan,
            *([[60, 61], np.inf] if name in single else [["a"], [1, [2, 3]], np.inf, [np.nan]]),
        ]
        for value in wrong:
            if value is None and name in MAY_BE_NONE - ({"band_hz"} if make is make_tone_in_noise else set()):
                continue
            if value == np.inf and name == "noise_snr_db":
                continue
            with pytest.raises(ValueError, match=rf"^{name}(=| has shape)"):
                make(**first | {name: value})


def test_levels_and_lengths_beyond_all_sound_are_named():
    for db_spl in (301, 1e5):
        with error(ValueError, f"db_spl={db_spl} must be one number of dB SPL from -inf to 300"):
            make_tone(500, db_spl=db_spl)
    with error(ValueError, "levels_db=[-inf, -inf]", "one at least"):
        make_tone_complex([500, 600], [-np.inf, -np.inf])
    with error(ValueError, "duration_s=1000000.0 asks for 4.41e+10 samples"):
        make_tone(500, 1e6)
    with error(ValueError, "band_hz=(100, 100.0001) asks for", "widen it"):
        make_am_noise(4, band_hz=(100, 100.0001))
    assert make_tone(500, db_spl=-np.inf)[0].db_spl == -np.inf  # silence


def test_a_tone_complex_has_the_levels_of_its_tones_and_of_the_whole():
    x = samples(
        make_tone_complex([500, 1500, 2500], [0, -10, -20], duration_s=1, sample_rate=16000, db_spl=65, ramp_s=0.01)
    )
    assert x.shape == (1, 16000)
    steady = x[0, 1600:-1600]
    assert audio.rms_db_spl(steady) == pytest.approx(65, abs=1e-9)
    frequency, amplitude = spectrum(steady, 16000)
    peaks_db = 20 * np.log10([amplitude[frequency == f][0] for f in (500, 1500, 2500)])
    np.testing.assert_allclose(peaks_db - peaks_db[0], [0, -10, -20], atol=1e-6)


def test_a_tone_complex_has_the_phases_of_its_tones():
    x = make_tone_complex([200, 600], [-3, -3], [0.5, 2.0], 0.1, 16000, db_spl=93.98, ramp_s=0)
    time = np.arange(1600) / 16000
    np.testing.assert_allclose(
        x[0].samples, np.sin(2 * np.pi * 200 * time + 0.5) + np.sin(2 * np.pi * 600 * time + 2), atol=1e-12
    )
    np.testing.assert_allclose(samples(make_tone_complex(1000)), samples(make_tone(1000)), atol=1e-15)


def test_tone_complexes_that_cannot_be_made_are_named():
    with error(ValueError, "frequencies_hz=[500, 500]", "twice"):
        make_tone_complex([500, 500])
    with error(ValueError, "levels_db has shape (3,)", "frequencies_hz has (2,)"):
        make_tone_complex([500, 600], [0, 0, 0])
    with error(ValueError, "phases_rad has shape (1,)"):
        make_tone_complex([500, 600], phases_rad=[0])
    with error(ValueError, "frequencies_hz=23000.0", "22050.0 Hz"):
        make_tone_complex([500, 23000])
    with error(ValueError, "sample_rate=44.1", "in kHz?"):
        make_tone_complex(500, sample_rate=44.1)


def test_am_noise_has_its_modulation_frequency_and_depth():
    x = make_am_noise([4, 32], depth=0.6, duration_s=64, sample_rate=8000, random_state=0)
    for row, modulation_hz in zip(x, [4, 32]):
        power = np.fft.rfft(row.samples**2)
        bin_of = 64 * modulation_hz
        assert np.argmax(np.abs(power[1:])) + 1 == bin_of
        # (1 + m sin)^2 = 1 + m^2 / 2 + 2 m sin - m^2 / 2 cos(2 ...)
        assert 2 * np.abs(power[bin_of]) / power[0].real == pytest.approx(2 * 0.6 / (1 + 0.18), rel=0.02)


def test_am_noise_has_its_level_and_repeats_with_its_seed():
    x = make_am_noise([0, 8], db_spl=72, rms_one_db_spl=94, random_state=7)
    np.testing.assert_allclose([sound.db_spl for sound in x], 72, atol=1e-9)
    assert x == make_am_noise([0, 8], db_spl=72, rms_one_db_spl=94, random_state=7)
    x = samples(x)
    assert abs(np.corrcoef(x)[0, 1]) < 0.05
    noise = audio.add_noise(x[0], 0, "white", random_state=7) - x[0]
    assert abs(np.corrcoef(x[0], noise)[0, 1]) < 0.05


def test_noise_of_a_band_has_nothing_beside_it_before_it_is_modulated():
    x = samples(make_am_noise([0, 0], duration_s=4, sample_rate=8000, band_hz=(900, 1100), random_state=0))
    for row in x:
        frequency, amplitude = spectrum(row, 8000)
        power = amplitude**2
        inside = (frequency > 895) & (frequency < 1105)
        assert power[inside].sum() > 0.9999 * power.sum()
        halves = (
            power[(frequency > 900) & (frequency < 1000)].sum(),
            power[(frequency > 1000) & (frequency < 1100)].sum(),
        )
        assert 0.6 < halves[0] / halves[1] < 1.6


def test_narrow_noise_fluctuates_as_gaussian_noise_does():
    x = samples(make_am_noise(np.zeros(200), duration_s=1, sample_rate=8000, band_hz=(998.5, 1001.5), random_state=0))
    envelope = np.abs(signal.hilbert(x))[:, 3900:4100:100]
    # of levels that are each normalised, close to a Rayleigh distribution: mean square over squared mean is 4 / pi
    assert np.mean(envelope**2) / np.mean(envelope) ** 2 == pytest.approx(4 / np.pi, rel=0.12)


def test_depths_one_a_signal_make_the_intervals_of_a_trial():
    trial = make_am_noise(8, [1.0, 0, 0], 1.0, 8000, 65, random_state=3, band_hz=(950, 1050), ramp_s=0.1)
    assert len(trial) == 3
    assert trial == make_am_noise([8] * 3, [1.0, 0, 0], 1.0, 8000, 65, random_state=3, band_hz=(950, 1050), ramp_s=0.1)
    flat = make_am_noise([8] * 3, [1.0, 0, 0], 1.0, 8000, 65, random_state=3, band_hz=(950, 1050))
    np.testing.assert_allclose([sound.db_spl for sound in flat], 65, atol=1e-9)
    for one, other in zip(trial, flat):  # the ramps alone differ
        np.testing.assert_array_equal(one.samples[800:-800], other.samples[800:-800])
        assert abs(one.samples[0]) < 1e-12
    mean_envelope = [np.abs(signal.hilbert(sound.samples)).reshape(8, -1).mean(axis=0) for sound in flat]
    assert np.ptp(mean_envelope[0]) > 2 * np.ptp(mean_envelope[1])


def test_a_tone_in_noise_has_its_level_and_place():
    tone, noise = make_tone_in_noise(2000, [70, -np.inf], 65, (20, 5000), 0.5, 0.2, 16000, ramp_s=0.01, random_state=0)
    assert noise.db_spl == pytest.approx(65, abs=0.3)  # less the ramps
    again, _ = make_tone_in_noise(2000, [-np.inf, 70], 65, (20, 5000), 0.5, 0.2, 16000, ramp_s=0.01, random_state=0)
    alone = tone.samples - again.samples
    np.testing.assert_allclose(alone[2400:5600], make_tone(2000, 0.2, 16000, 70)[0].samples, atol=1e-12)
    assert np.abs(np.r_[alone[:2400], alone[5600:]]).max() < 1e-12
    frequency, amplitude = spectrum(noise.samples, 16000)
    assert (amplitude[frequency > 5100] ** 2).sum() < 1e-4 * (amplitude**2).sum()


def test_tones_in_noise_that_cannot_be_made_are_named():
    with error(ValueError, "band_hz=(5000, 100)", "from 0 to half the sample rate, 22050.0 Hz"):
        make_tone_in_noise(2000, band_hz=(5000, 100))
    with error(ValueError, "band_hz=(100, 9000)", "raise sample_rate"):
        make_am_noise(4, sample_rate=16000, band_hz=(100, 9000))
    with error(ValueError, "tone_s=0.6", "duration_s=0.5"):
        make_tone_in_noise(2000, tone_s=0.6)
    with error(ValueError, "tone_db_spl has shape (2,), frequency_hz has (3,)"):
        make_tone_in_noise([500, 1000, 2000], [60, 70])
    with error(ValueError, "depth has shape (3,), modulation_hz has (2,)"):
        make_am_noise([4, 8], [1, 0, 0])
    with error(ValueError, "tone_db_spl=nan"):
        make_tone_in_noise(500, np.nan)


def test_am_noise_that_cannot_be_made_is_named():
    with error(ValueError, "modulation_hz=-1.0", "at or above 0"):
        make_am_noise(-1)
    for depth in (-0.1, 1.1, np.nan):
        with error(ValueError, f"depth={depth}", "between 0 and 1"):
            make_am_noise(4, depth)


# Vowels


@pytest.fixture(scope="module")
def vowels():
    return make_vowels(n_speakers=30, random_state=0)


def formants_by_linear_prediction(x, sample_rate):
    """Frequencies of the resonances of an all-pole fit below 5 kHz."""
    x = audio.resample(x.astype(float), 10000, sample_rate=sample_rate)
    x = np.diff(x) * np.hanning(x.size - 1)
    correlation = np.correlate(x, x, "full")[x.size - 1 :]
    row = correlation[:13].copy()
    row[0] *= 1 + 1e-9
    poles = np.roots(np.append(1, -linalg.solve_toeplitz(row[:12], row[1:13])))
    poles = poles[(poles.imag > 0) & (np.abs(poles) > 0.85)]
    return np.sort(np.angle(poles)) * 10000 / (2 * np.pi)


def test_vowels_come_by_speaker_vowel_and_take(vowels):
    assert len(vowels.clips) == 30 * 10 * 3
    assert vowels.target[:9].tolist() == ["iy"] * 3 + ["ih"] * 3 + ["eh"] * 3
    assert vowels.groups[::30].tolist()[:4] == ["man01", "woman01", "child01", "man02"]
    assert set(vowels.target) == set(vowels.target_names)
    assert len(set(vowels.groups)) == 30
    assert {clip.sample_rate for clip in vowels.clips} == {22050}
    assert vowels.f0_hz.shape == (900,)
    lengths = np.array([clip.n_samples for clip in vowels.clips])
    assert lengths.min() >= 0.25 * 22050 - 1
    assert lengths.max() <= 0.4 * 22050 + 1
    assert len(set(lengths)) > 100
    for clip in vowels.clips:
        assert clip.samples.dtype == np.float32
        assert audio.rms_db_spl(clip) == pytest.approx(60, abs=1e-4)


@pytest.mark.parametrize("person", ["man", "woman", "child"])
def test_formants_and_pitch_are_those_of_peterson_and_barney_on_average(vowels, person):
    of_person = np.char.startswith(vowels.groups, person)
    spread = []
    for vowel, means in VOWEL_TABLE[person].items():
        chosen = of_person & (vowels.target == vowel)
        np.testing.assert_allclose(np.mean(vowels.formants_hz[chosen], axis=0), means[1:], rtol=0.06)
        np.testing.assert_allclose(np.mean(vowels.f0_hz[chosen]), means[0], rtol=0.1)
        spread.append(np.std(np.log(vowels.formants_hz[chosen]), axis=0))
    assert np.mean(spread) == pytest.approx(0.06, abs=0.02)


@pytest.mark.parametrize("vowel", ["iy", "ae", "aa", "uw", "er"])
def test_resonances_of_the_sound_lie_at_the_formants(vowels, vowel):
    chosen = np.flatnonzero(np.char.startswith(vowels.groups, "man") & (vowels.target == vowel))
    off = []
    for i in chosen:
        measured = formants_by_linear_prediction(*vowels.clips[i])
        off.append([np.abs(np.log(measured / formant)).min() for formant in vowels.formants_hz[i, :2]])
    assert np.median(off, axis=0) == pytest.approx([0, 0], abs=0.05)


def test_heed_of_a_man_has_its_two_formants_where_the_table_has_them(vowels):
    chosen = np.flatnonzero(np.char.startswith(vowels.groups, "man") & (vowels.target == "iy"))
    formants = np.array([formants_by_linear_prediction(*vowels.clips[i])[:2] for i in chosen])
    np.testing.assert_allclose(np.median(formants, axis=0), VOWEL_TABLE["man"]["iy"][1:3], rtol=0.1)


def test_voices_repeat_with_their_fundamental_frequency(vowels):
    for i in range(0, 900, 37):
        clip, sample_rate = vowels.clips[i]
        period = sample_rate / vowels.f0_hz[i]
        middle = clip[clip.size // 2 - 1000 : clip.size // 2 + 1000]
        correlation = np.correlate(middle, middle, "full")[middle.size - 1 :]
        lags = np.arange(int(0.85 * period), int(1.15 * period) + 1)
        best = lags[np.argmax(correlation[lags])]
        assert best == pytest.approx(period, rel=0.03)
        assert correlation[best] / (1 - best / middle.size) > 0.7 * correlation[0]


def test_vowels_are_told_apart_from_their_spectra_across_speakers(vowels):
    edges = np.geomspace(150, 8000, 26)
    features = []
    for clip in vowels.clips:
        frequency, density = signal.welch(*clip, nperseg=1024)
        features.append([np.log(density[(frequency >= a) & (frequency < b)].sum() + 1e-20) for a, b in pairwise(edges)])
    accuracy = cross_val_score(
        LinearDiscriminantAnalysis(), features, vowels.target, groups=vowels.groups, cv=LeaveOneGroupOut()
    ).mean()
    assert 0.7 < accuracy < 0.999  # chance is 0.1; not trivial either


def test_a_speaker_stays_as_more_are_made():
    few, many = (make_vowels(n, noise_snr_db=10, random_state=3, n_takes=1) for n in (2, 4))
    assert few.clips == many.clips[: len(few.clips)]
    np.testing.assert_array_equal(few.groups, many.groups[:20])


def test_the_same_seed_makes_the_same_vowels():
    clips, target = make_vowels(1, random_state=11, n_takes=1, return_X_y=True)
    again, _ = make_vowels(1, random_state=11, n_takes=1, return_X_y=True)
    other, _ = make_vowels(1, random_state=12, n_takes=1, return_X_y=True)
    assert target.shape == (10,)
    assert clips == again
    assert not np.array_equal(clips[0].samples[:5000], other[0].samples[:5000])


def test_a_speaker_is_the_same_at_another_rate():
    at_22 = make_vowels(2, random_state=0, n_takes=1)
    at_16 = make_vowels(2, random_state=0, n_takes=1, sample_rate=16000)
    assert at_16.clips[0].sample_rate == 16000
    np.testing.assert_array_equal(at_16.formants_hz, at_22.formants_hz)
    for x, y in zip(at_22.clips, at_16.clips):
        resampled = audio.set_level(audio.resample(x, 16000), 60)
        assert audio.rms_db_spl(y.samples - resampled.samples) < -20  # 80 dB below the vowel


def test_noisy_vowels_have_their_snr():
    clean = make_vowels(2, random_state=0, n_takes=1, db_spl=70)
    noisy = make_vowels(2, 6.0, random_state=0, n_takes=1, db_spl=70)
    for x, y in zip(clean.clips, noisy.clips):
        assert audio.rms_db_spl(x) == pytest.approx(70, abs=1e-4)
        assert audio.rms_db_spl(x) - audio.rms_db_spl(y.samples - x.samples) == pytest.approx(6, abs=1e-3)


def test_vowels_that_cannot_be_made_are_named():
    for name in ("n_speakers", "n_takes"):
        for count in (0, 1.5):
            with error(ValueError, f"{name}={count}", "at least 1"):
                make_vowels(**{name: count})
    with error(ValueError, "sample_rate=4000", "8000 Hz"):
        make_vowels(sample_rate=4000)
    for duration_s in ((0.4, 0.25), (0.01, 0.2), 0.3, (0.2, np.nan)):
        with error(ValueError, "duration_s=", "shortest and the longest", "0.04 s"):
            make_vowels(duration_s=duration_s)


# Folders


@pytest.fixture
def folder(tmp_path):
    for name, sample_rate in (("cat/b.wav", 8000), ("cat/deep/a.flac", 8000), ("dog/c.wav", 16000)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, np.full((100, 2), [0.25, 0.75]), sample_rate)
    (tmp_path / "cat" / "notes.txt").write_text("no sound")
    (tmp_path / "cat" / "._b.wav").write_text("a hidden file")
    (tmp_path / ".git").mkdir()
    return tmp_path


def write_manifest(folder, text):
    (folder / "manifest.csv").write_text(text, encoding="utf-8")


def test_sub_folders_are_classes(folder):
    data = load_folder(folder)
    assert data.target.tolist() == ["cat", "cat", "dog"]
    assert data.frame["path"].tolist() == ["cat/b.wav", "cat/deep/a.flac", "dog/c.wav"]
    assert data.paths == [str(folder / name) for name in data.frame["path"]]
    assert data.groups is None
    assert [clip.sample_rate for clip in data.clips] == [8000, 8000, 16000]
    np.testing.assert_allclose(data.clips[0].samples, np.full(100, 0.5), atol=1e-4)


def test_recordings_are_brought_to_one_rate_and_keep_their_ears(folder):
    data = load_folder(folder, sample_rate=8000, mono=False)
    assert {clip.sample_rate for clip in data.clips} == {8000}
    assert [clip.samples.shape for clip in data.clips] == [(2, 100), (2, 100), (2, 50)]


def test_a_manifest_gives_order_labels_and_groups(folder):
    write_manifest(folder, "\ufeffpath,label,group,gain\ndog/c.wav,01,NA,2\ncat/b.wav,miau,x,3\n")
    data = load_folder(folder)
    assert data.target.tolist() == ["01", "miau"]
    assert data.groups.tolist() == ["NA", "x"]
    assert [clip.sample_rate for clip in data.clips] == [16000, 8000]
    assert data.frame["gain"].tolist() == [2, 3]


def test_speakers_are_groups_where_there_is_no_group(folder):
    write_manifest(folder, "path,label,speaker\ncat/b.wav,a,s1\n")
    assert load_folder(folder).groups.tolist() == ["s1"]
    write_manifest(folder, "path,label,speaker,group\ncat/b.wav,a,s1,g1\ncat/b.wav,a,,g2\n")
    assert load_folder(folder).groups.tolist() == ["g1", "g2"]
    write_manifest(folder, "path,label\ncat/b.wav,a\n")
    assert load_folder(folder).groups is None


def test_faults_of_a_manifest_are_named(folder):
    write_manifest(folder, "file,label\ncat/b.wav,a\n")
    with error(ValueError, "manifest.csv", "no column 'path'", "['file', 'label']"):
        load_folder(folder)
    write_manifest(folder, "path,label\ncat/b.wav,a\ndog/c.wav,\n")
    with error(ValueError, "manifest.csv", "empty cell in column 'label', row [2]"):
        load_folder(folder)
    write_manifest(folder, "path,label\n")
    with error(ValueError, "manifest.csv", "no rows"):
        load_folder(folder)
    write_manifest(folder, "")
    with error(ValueError, "manifest.csv", "is no table"):
        load_folder(folder)
    (folder / "manifest.csv").write_bytes(b"path,label\n\xe9.wav,a\n")
    with error(ValueError, "manifest.csv", "is no table", "UTF-8"):
        load_folder(folder)


def test_all_unreadable_files_are_listed(folder):
    (folder / "dog" / "bad.wav").write_text("no sound")
    write_manifest(folder, "path,label\ncat/b.wav,a\ndog/bad.wav,a\ndog/gone.wav,a\n")
    with error(ValueError, "2 of the 3 files in", "bad.wav", "libsndfile says", "gone.wav", "no such file"):
        load_folder(folder)


def test_parameters_of_a_folder_are_named_before_its_files(folder):
    for options, name in (({"sample_rate": "x"}, "sample_rate='x'"), ({"rms_one_db_spl": None}, "rms_one_db_spl=None")):
        with pytest.raises(ValueError, match=f"^{name} must be a number"):
            load_folder(folder, **options)
    with error(TypeError, "path=None must be text or a path"):
        load_folder(None)


def test_folders_without_recordings_are_named(folder, tmp_path_factory):
    with error(FileNotFoundError, "nowhere", "no such folder"):
        load_folder(folder / "nowhere")
    with error(FileNotFoundError, "b.wav", "no such folder"):
        load_folder(folder / "cat" / "b.wav")
    with error(ValueError, "neither a manifest.csv nor a sub-folder"):
        load_folder(tmp_path_factory.mktemp("bare"))
    (folder / "bird").mkdir()
    with error(ValueError, "bird", "no sound files", ".flac"):
        load_folder(folder)


@pytest.mark.skipif(not DIGITS.is_dir(), reason="the recordings of ../shared are not here")
def test_spoken_digits_load_with_speakers_and_lengths():
    data = load_folder(DIGITS)
    table = pd.read_csv(DIGITS / "manifest.csv")
    assert len(data.clips) == 3000
    assert {clip.sample_rate for clip in data.clips} == {8000}
    assert data.target.tolist() == table["label"].astype(str).tolist()
    assert len(set(data.groups)) == 6
    seconds = [clip.duration_s for clip in data.clips]
    np.testing.assert_allclose(seconds, table["seconds"], atol=1e-3)


@pytest.mark.parametrize("leave", ["absolute", ".."])
def test_a_manifest_leaves_its_folder_only_when_allowed(tmp_path, leave):
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "x.wav", np.full(800, 0.1), 8000)
    name = tmp_path / "x.wav" if leave == "absolute" else "../x.wav"
    (tmp_path / "in" / "manifest.csv").write_text(f"path,label\n{name},a\n")
    with error(ValueError, "manifest.csv", "leaves its folder", "outside=True"):
        load_folder(tmp_path / "in")
    assert len(load_folder(tmp_path / "in", outside=True).clips) == 1


def test_every_sound_that_libsndfile_reads_is_taken(tmp_path):
    for label, (suffix, container) in {"a": ("sph", "NIST"), "b": ("snd", "AU"), "c": ("rf64", "RF64")}.items():
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / f"x.{suffix}", np.full(800, 0.1), 8000, format=container)
    assert load_folder(tmp_path).target.tolist() == ["a", "b", "c"]
