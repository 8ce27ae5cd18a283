import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaud import Sound, audio, datasets
from skaud.command import comparison, main
from skaud.command.contenders import BASELINES, CONTENDERS, fitted
from skaud.command.demo import MODELS
from skaud.command.models import MODELS as FEATURE_MODELS

DIGITS = Path(__file__).parents[3] / "shared" / "data" / "digits"


@pytest.fixture(scope="module")
def vowel_folder(tmp_path_factory):
    """Ten vowels of four speakers, two takes, with a manifest; one clip is silent."""
    folder = tmp_path_factory.mktemp("vowels")
    vowels = datasets.make_vowels(4, n_takes=2, sample_rate=8000, random_state=0)
    rows = ["path,label,speaker"]
    for i, (clip, label, speaker) in enumerate(zip(vowels.clips, vowels.target, vowels.groups)):
        soundfile.write(folder / f"{i}.wav", clip.samples if i != 7 else 0 * clip.samples, 8000, subtype="FLOAT")
        rows.append(f"{i}.wav,{label},{speaker}")
    (folder / "manifest.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def demo(vowel_folder, tmp_path_factory):
    """Output folder and what was printed."""
    out = tmp_path_factory.mktemp("out") / "new"
    done = subprocess.run(
        [sys.executable, "-m", "skaud", "demo", "--data", str(vowel_folder), "--out", str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("skaud: compiling ")]
    assert said == []  # no bar where there is no terminal
    return out, done.stdout


@pytest.fixture(scope="module")
def three_vowels(tmp_path_factory):
    """Three vowels of four speakers, two takes."""
    folder = tmp_path_factory.mktemp("three")
    vowels = datasets.make_vowels(4, n_takes=2, sample_rate=16000, random_state=0)
    for i, (clip, label, speaker) in enumerate(zip(vowels.clips, vowels.target, vowels.groups)):
        if label in ("iy", "aa", "uw"):
            (folder / str(label)).mkdir(exist_ok=True)
            soundfile.write(folder / str(label) / f"{speaker}_{i}.wav", clip.samples, 16000, subtype="FLOAT")
    return folder


class Terminal(io.StringIO):
    def isatty(self):
        return True


CONDITIONS = [("clean", "clean"), ("clean", "10 dB"), ("clean", "0 dB"), ("10 dB", "10 dB"), ("0 dB", "0 dB")]


def test_the_demo_writes_a_row_for_every_kind_of_features_and_condition(demo):
    with (demo[0] / "accuracy.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["features"] for row in rows[::5]] == ["CARFAC", "log-mel", "MFCC"]
    for k in range(0, 15, 5):
        assert [(row["trained"], row["tested"]) for row in rows[k : k + 5]] == CONDITIONS
    for row in rows:
        assert 0 <= float(row["accuracy"]) <= 1
        assert float(row["accuracy_ci95"]) >= 0
        assert 0 <= float(row["auc"]) <= 1
        assert (float(row["chance"]), row["n_groups"]) == (0.1, "4")
    clean = [float(row["accuracy"]) for row in rows[::5]]
    assert min(clean) > 0.3  # three times chance, on unknown speakers


def test_the_demo_prints_what_is_in_the_csv(demo):
    out, printed = demo
    with (out / "accuracy.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in ("CARFAC", "log-mel", "MFCC"):
        (line,) = [line for line in printed.splitlines() if line.startswith(name)]
        wanted = [round(float(row["accuracy"]), 2) for row in rows if row["features"] == name]
        assert [round(float(cell.split(" ± ")[0]), 2) for cell in line[8:].split("  ") if cell.strip()] == wanted
    assert "80 clips, 10 classes (chance 0.100), 4 speakers, leave one speaker out" in printed
    assert "60 dB SPL" in printed


def test_the_demo_draws_a_cochleagram(demo):
    image = pytest.importorskip("matplotlib.image")
    picture = image.imread(demo[0] / "cochleagram.png")
    assert picture.shape[0] > 500
    assert picture.shape[1] > 500
    assert picture[..., :3].std() > 0.1
    assert "cochleagram.png" in demo[1]


@pytest.mark.parametrize(("model", "name"), [("osses2021", "Osses2021"), ("biomimetic", "biomimetic")])
def test_the_demo_takes_any_model(model, name, three_vowels, tmp_path, capsys):
    image = pytest.importorskip("matplotlib.image")
    assert main(["demo", "--model", model, "--data", str(three_vowels), "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "accuracy.csv")
    assert list(table["features"][::5]) == [name, "log-mel", "MFCC"]
    assert table["accuracy"][0] > 0.6  # of three vowels, clean, where chance is 1/3
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith((name, "log-mel", "MFCC"))]
    assert len(rows) == 3
    assert len({re.search(r"[01]\.\d{3} ±", line).start() for line in rows}) == 1  # columns stand under each other
    picture = image.imread(tmp_path / "cochleagram.png")
    assert min(picture.shape[:2]) > 500
    assert picture[..., :3].std() > 0.1


def test_the_demo_of_an_unknown_model_is_a_wrong_call(capfd):
    assert main(["demo", "--model", "carfax"]) == 2
    assert "carfac, osses2021, biomimetic" in capfd.readouterr().err
    assert set(MODELS) == set(CONTENDERS) <= set(FEATURE_MODELS)


def test_without_matplotlib_the_demo_goes_on_and_says_what_the_picture_takes(tmp_path, monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == "matplotlib":
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    clips = comparison.Clips("tones", [Sound(np.ones(800, "float32"), 8000)] * 2, np.array(["a", "b"]), None, 8000)
    said = comparison.picture(tmp_path / "x.png", CONTENDERS["carfac"], [clips.clips] * 3, clips)
    assert "pip install 'skaud[plot]'" in said
    assert not (tmp_path / "x.png").exists()


def test_the_demo_shows_progress_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    clips = datasets.make_vowels(1, n_takes=1, random_state=0).clips
    comparison.compute_features(CONTENDERS["carfac"], [clips] * 3, 22050)
    assert "/30" in sys.stderr.getvalue()


@pytest.mark.parametrize(("n_speakers", "n_folds"), [(3, 3), (10, 10), (11, 5)])
def test_no_speaker_is_in_training_and_test(n_speakers, n_folds):
    groups = np.repeat([f"speaker{i}" for i in range(n_speakers)], 4)
    folds, _ = comparison.splits(np.array(["a", "b", "a", "b"] * n_speakers), groups)
    assert len(folds) == n_folds
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(groups)))


def test_where_speakers_are_unknown_every_fold_has_every_class():
    target = np.array(["a"] * 6 + ["b"] * 4)
    folds, how = comparison.splits(target, None)
    assert len(folds) == 4
    assert "unknown" in how
    for _, test in folds:
        assert set(target[test]) == {"a", "b"}


MAKERS = [*(contender.features for contender in CONTENDERS.values()), *BASELINES.values()]


def louder(sound, gain):
    return Sound(gain * sound.samples, sound.sample_rate)


def test_features_do_not_depend_on_the_gain_of_the_recording():
    clips = datasets.make_vowels(1, n_takes=1, random_state=0).clips[:4]
    for make in MAKERS:
        made = fitted(make(22050), 22050)
        features = [made.transform(comparison.present([louder(c, gain) for c in clips], 10)) for gain in (1, 0.01)]
        np.testing.assert_allclose(features[0], features[1], rtol=1e-3, atol=1e-3)


def test_every_clip_is_presented_at_60_db_spl_in_noise_of_its_own_and_silence_stays():
    vowel = datasets.make_vowels(1, n_takes=1, random_state=0).clips[0]
    clips = [vowel, louder(vowel, 0), vowel]
    clean, noisy = comparison.present(clips, np.inf), comparison.present(clips, 0)
    for presented in (clean, noisy):
        assert audio.rms_db_spl(presented[0]) == pytest.approx(60, abs=1e-3)
        assert not presented[1].samples.any()
    assert clean[0] == clean[2]
    correlation = np.corrcoef(noisy[0].samples, noisy[2].samples)[0, 1]
    assert abs(correlation - 0.5) < 0.1  # at 0 dB half of the power is the vowel's
    for make in MAKERS:
        assert np.isfinite(fitted(make(22050), 22050).transform(clean)).all()


def test_the_interval_is_students():
    # t(0.975, 3 degrees of freedom) = 3.182, Student 1908
    assert comparison.interval(np.array([0.5, 0.6, 0.7, 0.8])) == pytest.approx(3.182 * np.sqrt(0.05 / 3) / 2, rel=1e-3)


def test_scores_know_perfect_and_random_classifiers_and_missing_classes():
    target, groups = np.tile([0, 1, 2], 40), np.repeat([0, 1], 60)
    perfect = np.eye(4)[target]  # a fourth class that no clip has
    score = comparison._score(perfect, target, groups)
    assert score.accuracy.tolist() == score.auc.tolist() == [1, 1]
    guess = comparison._score(np.random.default_rng(0).dirichlet(np.ones(4), 120), target, groups)
    assert np.abs(guess.auc - 0.5).max() < 0.15


@pytest.mark.parametrize(
    ("labels", "words"), [("aaaa", "1 class"), ("aaab", "a single clip")], ids=["one class", "one clip"]
)
def test_what_cannot_be_classified_is_a_wrong_call(tmp_path, capfd, labels, words):
    for i, label in enumerate(labels):
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "data" / label / f"{i}.wav", np.ones(800), 8000)
    assert main(["demo", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 2
    assert words in capfd.readouterr().err
    assert main(["demo", "--data", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capfd.readouterr().err


def test_recordings_of_several_rates_are_brought_to_the_lowest_which_is_said(tmp_path, capsys):
    for label, rate in (("a", 8000), ("b", 16000)):
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / "1.wav", np.ones(rate), rate)
    clips = comparison.load(str(tmp_path))
    assert "1 at 8000 Hz, 1 at 16000 Hz: all are resampled to 8000 Hz" in capsys.readouterr().out
    assert clips.sample_rate == 8000
    assert [clip.n_samples for clip in clips.clips] == [8000, 8000]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_the_demo_needs_no_recordings_and_the_model_withstands_noise_best(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--model", model]) == 0
    assert "synthetic vowels: 360 clips, 10 classes (chance 0.100), 12 speakers, 5 folds" in capsys.readouterr().out
    table = pd.read_csv("skaud-demo/accuracy.csv").set_index(["features", "trained", "tested"])["accuracy"]
    for other in ("log-mel", "MFCC"):
        assert table[CONTENDERS[model].name, "clean", "10 dB"] > table[other, "clean", "10 dB"] + 0.2


@pytest.mark.slow
def test_carfac_features_are_at_least_as_good_as_log_mel_and_mfcc_on_spoken_digits(tmp_path):
    if not DIGITS.is_dir():
        pytest.skip(f"no recordings: {DIGITS} is missing")
    assert main(["demo", "--data", str(DIGITS), "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "accuracy.csv").set_index(["features", "trained", "tested"])["accuracy"]
    for trained, tested in CONDITIONS:
        for other in ("log-mel", "MFCC"):
            assert table["CARFAC", trained, tested] >= table[other, trained, tested]
