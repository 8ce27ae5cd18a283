import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import skaud
from skaud import CARFAC, _demo, audio, cli, datasets
from skaud._demo_features import BASELINES, CONTENDERS
from skaud._feature_file import FeatureFile, journal_path

DIGITS = Path(__file__).parents[2] / "shared" / "data" / "digits"
FORMATS = ["parquet", "csv", "npz"]


def read(path):
    """Paths, names and features of an output, as a user would read it."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return file["paths"].tolist(), file["feature_names"].tolist(), file["features"]
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    assert frame.columns[0] == "path"
    return frame["path"].tolist(), frame.columns[1:].tolist(), frame.iloc[:, 1:].to_numpy(np.float32)


def skaud_features(*arguments):
    return cli.main(["features", *map(str, arguments)])


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Folder with sounds of different rates, lengths and numbers of ears, and with other things."""
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "deeper").mkdir()
    (folder / ".hidden").mkdir()
    random = np.random.default_rng(0)
    soundfile.write(folder / "b.wav", 0.05 * random.standard_normal(8000), 16000)
    soundfile.write(folder / "a.flac", 0.05 * random.standard_normal(4000), 8000)
    soundfile.write(folder / "deeper" / "C.WAV", 0.05 * random.standard_normal((9000, 2)), 22050)
    soundfile.write(folder / ".hidden" / "d.wav", np.zeros(100), 8000)
    (folder / "notes.txt").write_text("not a sound")
    return folder


def expected(paths, **parameters):
    """Features as the library gives them."""
    model = CARFAC(**parameters).fit([np.zeros(1, "float32")])
    clips, rates = zip(*(audio.read(path, mono=True) for path in paths))
    return np.stack([model.transform([clip], sample_rate=rate)[0] for clip, rate in zip(clips, rates)]), model


# skaud features: what it writes


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_folder_gives_a_row_a_file_with_the_features_of_the_model(sounds, tmp_path, suffix, capfd):
    output = tmp_path / f"features.{suffix}"
    assert skaud_features(sounds, "-o", output) == 0
    paths, names, features = read(output)
    assert paths == [str(sounds / name) for name in ("a.flac", "b.wav", "deeper/C.WAV")]
    wanted, model = expected(paths)
    assert names == list(model.get_feature_names_out())
    np.testing.assert_array_equal(features, wanted)
    assert {path.name for path in tmp_path.iterdir()} <= {output.name, output.name + ".json"}
    assert "3 of 3 files, 142 features" in capfd.readouterr().err


def test_rows_are_in_the_order_of_the_input_for_any_number_of_jobs_and_named_once(sounds, tmp_path):
    named = [sounds / "deeper" / "C.WAV", sounds / "*.[fw]*", sounds / "deeper", f"{sounds}/./b.wav"]
    results = []
    for jobs in (1, 5):
        output = tmp_path / f"{jobs}.npz"
        assert skaud_features(*named, "-o", output, "--jobs", jobs) == 0
        results.append(read(output))
    assert results[0][0] == results[1][0] == [str(sounds / name) for name in ("deeper/C.WAV", "a.flac", "b.wav")]
    np.testing.assert_array_equal(results[0][2], results[1][2])


def test_parameters_and_sample_rate_reach_the_model(sounds, tmp_path):
    output = tmp_path / "features.csv"
    parameters = ["--param", "output=agc", "--param", "pooling=('max', 'p10')", "--param", "ohc_health=0.5"]
    assert skaud_features(sounds / "b.wav", "-o", output, *parameters, "--sample-rate", 16000) == 0
    _, names, features = read(output)
    wanted, model = expected(
        [sounds / "b.wav"], sample_rate=16000, output="agc", pooling=("max", "p10"), ohc_health=0.5
    )
    assert names == list(model.get_feature_names_out())
    np.testing.assert_array_equal(features, wanted)


def test_float64_features_are_written_as_such(sounds, tmp_path):
    output = tmp_path / "features.npz"
    assert skaud_features(sounds / "b.wav", "-o", output, "--param", "dtype=float64") == 0
    features = read(output)[2]
    assert features.dtype == np.float64
    assert (features != features.astype("float32")).any()


# skaud features: what goes wrong


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_cannot_be_read_is_reported_and_costs_no_other_row(sounds, tmp_path, suffix, capfd):
    output = tmp_path / f"features.{suffix}"
    soundfile.write(tmp_path / "nan.wav", np.full(800, np.nan), 8000, subtype="FLOAT")
    bad = [sounds / "notes.txt", tmp_path / "missing.wav", tmp_path / "nan.wav"]
    assert skaud_features(bad[0], sounds / "a.flac", bad[1], bad[2], sounds / "b.wav", "-o", output) == 1
    paths, _, features = read(output)
    assert paths == [str(sounds / "a.flac"), str(sounds / "b.wav")]
    np.testing.assert_array_equal(features, expected(paths)[0])
    said = capfd.readouterr().err
    for path in bad:
        assert f"{path} left out: " in said
    assert "3 of 5 files could not be read" in said


def test_where_no_file_can_be_read_the_output_is_empty_but_whole(tmp_path):
    output = tmp_path / "features.parquet"
    assert skaud_features(tmp_path / "missing.wav", "-o", output) == 1
    paths, names, features = read(output)
    assert (paths, len(names), features.shape) == ([], 142, (0, 142))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "carfax"], ["carfax", "carfac"]),
        (["--param", "ohc_helth=0.5"], ["ohc_helth", "no such parameter", "ohc_health", "sample_rate"]),
        (["--param", "n_jobs=2"], ["n_jobs", "no such parameter"]),
        (["--param", "ohc_health"], ["name=value"]),
        (["--param", "ohc_health=2"], ["ohc_health"]),
        (["--param", "pooling=None"], ["pooling", "row a file"]),
        (["--param", "pooling=average"], ["average", "mean"]),
        (["--sample-rate", "100"], ["sample_rate=100", "8000"]),
        (["--sample-rate", "nan"], ["sample_rate"]),
        (["--sample-rate", "16000", "--param", "sample_rate=8000"], ["--sample-rate", "differ"]),
        (["--jobs", "0"], ["--jobs 0"]),
    ],
)
def test_a_wrong_call_is_told_so_and_writes_nothing(sounds, tmp_path, capfd, arguments, words):
    assert skaud_features(sounds, "-o", tmp_path / "features.csv", *arguments) == 2
    said = capfd.readouterr().err
    for word in words:
        assert word in said
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_and_a_folder_without_sounds_are_wrong_calls(sounds, tmp_path, capfd):
    assert skaud_features(sounds, "-o", tmp_path / "features.txt") == 2
    assert ".parquet, .csv, .npz" in capfd.readouterr().err
    (tmp_path / "empty").mkdir()
    assert skaud_features(tmp_path / "empty", "-o", tmp_path / "features.csv") == 2
    assert "no sound files" in capfd.readouterr().err


def test_parquet_without_pyarrow_is_told_before_the_work(sounds, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    assert skaud_features(sounds, "-o", tmp_path / "features.parquet") == 2
    assert "pip install 'skaud[parquet]'" in capfd.readouterr().err


def test_a_table_that_exists_is_not_lost_by_a_forgotten_resume(sounds, tmp_path, capfd):
    output = tmp_path / "features.csv"
    assert skaud_features(sounds / "b.wav", "-o", output) == 0
    before = output.read_bytes()
    assert skaud_features(sounds / "a.flac", "-o", output) == 2
    assert "--resume" in capfd.readouterr().err
    assert output.read_bytes() == before
    assert skaud_features(sounds / "a.flac", "-o", output, "--overwrite") == 0
    assert read(output)[0] == [str(sounds / "a.flac")]


# skaud features: interruption


@pytest.mark.parametrize("suffix", FORMATS)
def test_resume_computes_only_what_is_missing_and_gives_what_one_run_gives(sounds, tmp_path, suffix, monkeypatch):
    whole, halves = tmp_path / f"whole.{suffix}", tmp_path / f"halves.{suffix}"
    assert skaud_features(sounds, "-o", whole) == 0
    assert skaud_features(sounds / "b.wav", sounds / "missing.wav", "-o", halves) == 1

    opened = []
    read_sound = audio.read
    monkeypatch.setattr(audio, "read", lambda path, **more: opened.append(Path(path).name) or read_sound(path, **more))
    assert skaud_features(sounds, "-o", halves, "--resume") == 0
    assert sorted(opened) == ["C.WAV", "a.flac"]
    assert read(halves)[:2] == read(whole)[:2]
    np.testing.assert_array_equal(read(halves)[2], read(whole)[2])


def test_resume_keeps_rows_of_files_that_are_not_named_again(sounds, tmp_path):
    output = tmp_path / "features.npz"
    assert skaud_features(sounds / "b.wav", "-o", output, "--resume") == 0
    assert skaud_features(sounds / "a.flac", "-o", output, "--resume") == 0
    assert read(output)[0] == [str(sounds / "b.wav"), str(sounds / "a.flac")]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("change", ["ohc_health=0.5", "pooling=max"])
def test_resume_refuses_rows_made_with_other_parameters(sounds, tmp_path, suffix, change, capfd):
    output = tmp_path / f"features.{suffix}"
    assert skaud_features(sounds / "b.wav", "-o", output) == 0
    before = output.read_bytes()
    assert skaud_features(sounds, "-o", output, "--resume", "--param", change) == 2
    said = capfd.readouterr().err
    assert change.split("=")[0] in said
    assert change.split("=")[1] in said
    assert output.read_bytes() == before


def test_resume_refuses_a_csv_with_other_columns_even_without_the_file_beside_it(sounds, tmp_path, capfd):
    output = tmp_path / "features.csv"
    output.write_text("path,loudness\nx.wav,3.5\n")
    assert skaud_features(sounds, "-o", output, "--resume") == 2
    assert "1 features, loudness" in capfd.readouterr().err
    output.write_bytes(b"\xff\x00")
    assert skaud_features(sounds, "-o", output, "--resume") == 2
    assert "cannot be read" in capfd.readouterr().err


def test_a_killed_run_leaves_its_rows_in_the_journal(sounds, tmp_path, capfd):
    output = tmp_path / "features.npz"
    row, model = expected([sounds / "b.wav"])
    about = {"model": "carfac", **model.get_params()}
    del about["n_jobs"]
    file = FeatureFile(output, about, list(model.get_feature_names_out()))
    file.open()
    file.add(str(sounds / "b.wav"), row[0])
    file.add("lost.wav", row[0])
    file._journal.close()
    journal_path(output).write_bytes(journal_path(output).read_bytes()[:-100])  # killed while it wrote

    assert skaud_features(sounds, "-o", output) == 2
    assert "--resume" in capfd.readouterr().err
    assert skaud_features(sounds, "-o", output, "--resume") == 0
    paths, _, features = read(output)
    assert paths == [str(sounds / name) for name in ("a.flac", "b.wav", "deeper/C.WAV")]
    np.testing.assert_array_equal(features, expected(paths)[0])
    assert not journal_path(output).exists()


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a process there")
@pytest.mark.parametrize("suffix", FORMATS)
def test_ctrl_c_leaves_a_valid_file_and_resume_completes_it(tmp_path, suffix):
    folder, output = tmp_path / "sounds", tmp_path / f"features.{suffix}"
    folder.mkdir()
    soundfile.write(folder / "000.wav", 0.05 * np.random.default_rng(0).standard_normal(4 * 22050), 22050)
    for i in range(1, 150):
        os.link(folder / "000.wav", folder / f"{i:03}.wav")
    process = subprocess.Popen(
        [sys.executable, "-m", "skaud.cli", "features", str(folder), "-o", str(output), "--jobs", "1"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if journal_path(output).exists() and journal_path(output).read_bytes().count(b"\n") > 5:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "--resume" in said
    assert not journal_path(output).exists()
    paths, _, features = read(output)
    assert 5 <= len(paths) < 150
    assert paths == [str(folder / f"{i:03}.wav") for i in range(len(paths))]
    assert np.isfinite(features).all()

    for path in sorted(folder.iterdir())[len(paths) + 3 :]:
        path.unlink()
    assert skaud_features(folder, "-o", output, "--resume") == 0
    more, _, all_features = read(output)
    assert more == [str(folder / f"{i:03}.wav") for i in range(len(paths) + 3)]
    assert (all_features == features[0]).all()  # one sound under many names


# Both commands


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_a_progress_bar_shows_on_a_terminal_only(sounds, tmp_path, monkeypatch, terminal):
    stderr = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert skaud_features(sounds, "-o", tmp_path / "features.npz") == 0
    assert ("0/3" in stderr.getvalue()) == terminal
    assert ("\r" in stderr.getvalue()) == terminal


def test_the_command_knows_its_version_and_wants_a_subcommand():
    done = subprocess.run([sys.executable, "-m", "skaud.cli", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"skaud {skaud.__version__}"
    for wrong in ([], ["features"], ["dance"]):
        with pytest.raises(SystemExit) as error:
            cli.main(wrong)
        assert error.value.code == 2


def test_every_model_of_the_registry_can_be_made():
    for name in cli.MODELS:
        options = cli._parser().parse_args(["features", "x", "-o", "y.csv", "--model", name])
        assert len(cli._make_model(options).get_feature_names_out())


# skaud demo


@pytest.fixture(scope="module")
def vowel_folder(tmp_path_factory):
    """Ten vowels of four speakers, two takes, with a manifest; one clip is silent."""
    folder = tmp_path_factory.mktemp("vowels")
    vowels = datasets.make_vowels(4, n_takes=2, sample_rate=8000, random_state=0)
    rows = ["path,label,speaker"]
    for i, (clip, label, speaker) in enumerate(zip(vowels.clips, vowels.target, vowels.groups)):
        soundfile.write(folder / f"{i}.wav", clip if i != 7 else 0 * clip, 8000, subtype="FLOAT")
        rows.append(f"{i}.wav,{label},{speaker}")
    (folder / "manifest.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def demo(vowel_folder, tmp_path_factory):
    """Output folder and what was printed."""
    out = tmp_path_factory.mktemp("out") / "new"
    done = subprocess.run(
        [sys.executable, "-m", "skaud.cli", "demo", "--data", str(vowel_folder), "--out", str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""  # no bar where there is no terminal
    return out, done.stdout


@pytest.fixture(scope="module")
def three_vowels(tmp_path_factory):
    """Three vowels of four speakers, two takes."""
    folder = tmp_path_factory.mktemp("three")
    vowels = datasets.make_vowels(4, n_takes=2, sample_rate=16000, random_state=0)
    for i, (clip, label, speaker) in enumerate(zip(vowels.clips, vowels.target, vowels.groups)):
        if label in ("iy", "aa", "uw"):
            (folder / str(label)).mkdir(exist_ok=True)
            soundfile.write(folder / str(label) / f"{speaker}_{i}.wav", clip, 16000, subtype="FLOAT")
    return folder


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
    assert cli.main(["demo", "--model", model, "--data", str(three_vowels), "--out", str(tmp_path)]) == 0
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
    assert cli.main(["demo", "--model", "carfax"]) == 2
    assert "carfac, osses2021, biomimetic" in capfd.readouterr().err
    assert set(cli.DEMO_MODELS) == set(CONTENDERS) <= set(cli.MODELS)


def test_the_demo_takes_the_modulation_filters_that_every_channel_has():
    features = CONTENDERS["osses2021"].features(8000)([np.zeros(4000, np.float32)])
    assert features.shape == (1, 4 * 16 * 6)  # 0, 5, 10 and 17 Hz; coefficients; parts and variations


def test_without_matplotlib_the_demo_goes_on_and_says_what_the_picture_takes(tmp_path, monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == "matplotlib":
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    clips = _demo.Clips("tones", [np.ones(800, "float32")] * 2, np.array(["a", "b"]), None, 8000)
    said = _demo.picture(tmp_path / "x.png", CONTENDERS["carfac"], [clips.clips] * 3, clips)
    assert "pip install 'skaud[plot]'" in said
    assert not (tmp_path / "x.png").exists()


def test_the_demo_shows_progress_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    clips = datasets.make_vowels(1, n_takes=1, random_state=0).clips
    _demo.compute_features(CONTENDERS["carfac"], [clips] * 3, 22050)
    assert "/30" in sys.stderr.getvalue()


@pytest.mark.parametrize(("n_speakers", "n_folds"), [(3, 3), (10, 10), (11, 5)])
def test_no_speaker_is_in_training_and_test(n_speakers, n_folds):
    groups = np.repeat([f"speaker{i}" for i in range(n_speakers)], 4)
    folds, _ = _demo.splits(np.array(["a", "b", "a", "b"] * n_speakers), groups)
    assert len(folds) == n_folds
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(groups)))


def test_where_speakers_are_unknown_every_fold_has_every_class():
    target = np.array(["a"] * 6 + ["b"] * 4)
    folds, how = _demo.splits(target, None)
    assert len(folds) == 4
    assert "unknown" in how
    for _, test in folds:
        assert set(target[test]) == {"a", "b"}


MAKERS = [*(contender.features for contender in CONTENDERS.values()), *BASELINES.values()]


def test_features_do_not_depend_on_the_gain_of_the_recording():
    clips = datasets.make_vowels(1, n_takes=1, random_state=0).clips[:4]
    for make in MAKERS:
        features = [make(22050)(_demo.present([gain * clip for clip in clips], 10)) for gain in (1, 0.01)]
        np.testing.assert_allclose(features[0], features[1], rtol=1e-3, atol=1e-3)


def test_every_clip_is_presented_at_60_db_spl_in_noise_of_its_own_and_silence_stays():
    vowel = datasets.make_vowels(1, n_takes=1, random_state=0).clips[0]
    clips = [vowel, 0 * vowel, vowel]
    clean, noisy = _demo.present(clips, np.inf), _demo.present(clips, 0)
    for presented in (clean, noisy):
        assert audio.rms_db_spl(presented[0]) == pytest.approx(60, abs=1e-3)
        assert not presented[1].any()
    np.testing.assert_array_equal(clean[0], clean[2])
    assert abs(np.corrcoef(noisy[0], noisy[2])[0, 1] - 0.5) < 0.1  # at 0 dB half of the power is the vowel's
    for make in MAKERS:
        assert np.isfinite(make(22050)(clean)).all()


def test_the_interval_is_students():
    # t(0.975, 3 degrees of freedom) = 3.182, Student 1908
    assert _demo.interval(np.array([0.5, 0.6, 0.7, 0.8])) == pytest.approx(3.182 * np.sqrt(0.05 / 3) / 2, rel=1e-3)


def test_scores_know_perfect_and_random_classifiers_and_missing_classes():
    target, groups = np.tile([0, 1, 2], 40), np.repeat([0, 1], 60)
    perfect = np.eye(4)[target]  # a fourth class that no clip has
    score = _demo._score(perfect, target, groups)
    assert score.accuracy.tolist() == score.auc.tolist() == [1, 1]
    guess = _demo._score(np.random.default_rng(0).dirichlet(np.ones(4), 120), target, groups)
    assert np.abs(guess.auc - 0.5).max() < 0.15


@pytest.mark.parametrize(
    ("labels", "words"), [("aaaa", "1 class"), ("aaab", "a single clip")], ids=["one class", "one clip"]
)
def test_what_cannot_be_classified_is_a_wrong_call(tmp_path, capfd, labels, words):
    for i, label in enumerate(labels):
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "data" / label / f"{i}.wav", np.ones(800), 8000)
    assert cli.main(["demo", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 2
    assert words in capfd.readouterr().err
    assert cli.main(["demo", "--data", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capfd.readouterr().err


def test_recordings_of_several_rates_are_brought_to_the_lowest(tmp_path):
    for label, rate in (("a", 8000), ("b", 16000)):
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / "1.wav", np.ones(rate), rate)
    clips = _demo.load(str(tmp_path))
    assert clips.sample_rate == 8000
    assert [len(clip) for clip in clips.clips] == [8000, 8000]


@pytest.mark.slow
@pytest.mark.parametrize("model", cli.DEMO_MODELS)
def test_the_demo_needs_no_recordings_and_the_model_withstands_noise_best(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", "--model", model]) == 0
    assert "synthetic vowels: 360 clips, 10 classes (chance 0.100), 12 speakers, 5 folds" in capsys.readouterr().out
    table = pd.read_csv("skaud-demo/accuracy.csv").set_index(["features", "trained", "tested"])["accuracy"]
    for other in ("log-mel", "MFCC"):
        assert table[CONTENDERS[model].name, "clean", "10 dB"] > table[other, "clean", "10 dB"] + 0.2


@pytest.mark.slow
def test_carfac_features_are_at_least_as_good_as_log_mel_and_mfcc_on_spoken_digits(tmp_path):
    if not DIGITS.is_dir():
        pytest.skip(f"no recordings: {DIGITS} is missing")
    assert cli.main(["demo", "--data", str(DIGITS), "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "accuracy.csv").set_index(["features", "trained", "tested"])["accuracy"]
    for trained, tested in CONDITIONS:
        for other in ("log-mel", "MFCC"):
            assert table["CARFAC", trained, tested] >= table[other, trained, tested]
