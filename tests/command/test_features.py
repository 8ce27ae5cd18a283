import ast
import csv
import inspect
import io
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.utils.fixes
import soundfile
from runs import FORMATS, make_sounds, n_rows_kept, read, skaud_features

from skaud import CARFAC, audio, recipes
from skaud.command import computing, export
from skaud.command.models import MODELS, fit, make_model
from skaud.command.program import make_parser
from skaud.command.recipe import NAMES as RECIPES


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
    assert {path.name for path in tmp_path.iterdir()} == {output.name, output.name + ".journal"}
    assert "3 of 3 files, 284 features" in capfd.readouterr().err


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


def test_a_mistyped_path_is_a_wrong_call_and_leaves_nothing(tmp_path, capfd):
    assert skaud_features(tmp_path / "missing.wav", "-o", tmp_path / "new" / "features.parquet") == 2
    assert "missing.wav" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_where_no_file_can_be_read_no_output_is_left(sounds, tmp_path, capfd):
    assert skaud_features(sounds / "notes.txt", "-o", tmp_path / "features.parquet") == 1
    assert "features.parquet is not written" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


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
        (["--sample-rate", "100"], ["sample_rate=100", "between 1000 and"]),
        (["--sample-rate", "nan"], ["sample_rate"]),
        (["--sample-rate", "16000", "--param", "sample_rate=8000"], ["--sample-rate", "differ"]),
        (["--jobs", "0"], ["--jobs 0"]),
        (["--channel", "0"], ["--channel 0"]),
        (["--segments", "0"], ["--segments 0"]),
        (["--segments", "1000000000"], ["--segments", "1000"]),
        (["--max-duration", "nan"], ["--max-duration"]),
        (["--level-db-spl", "1e9"], ["--level-db-spl"]),
        (["--param", "ohc_health=" + "(" * 3000], ["ohc_health"]),
        (["--param", "ohc_health=" + "-" * 9000 + "1"], ["ohc_health", "nested too deeply"]),
        (["--param", "ohc_health=" + "[" * 150 + "]" * 150], ["ohc_health"]),
        (["--param", "ohc_health=" + "9" * 5000], ["ohc_health"]),
        (["--param", "ohc_health=" + "9" * 300], ["64 bits"]),
        (["--param", "ohc_health=" + "x" * 20000], ["20000 characters"]),
        (["--param", "ohc_health=nan"], ["ohc_health"]),
        (["--param", "ohc_health=1e999"], ["ohc_health"]),
        (["--param", "ohc_health={1: 2}"], ["ohc_health"]),
        (["--param", "ohc_health=0.5", "--param", "ohc_health=0.6"], ["given twice"]),
        (["--param", "rms_one_db_spl=1e6"], ["cannot be had"]),
        (["--jobs", "100000000"], ["--jobs 100000000", "at most 1024"]),
        (["--model", "biomimetic", "--segments", "1000"], ["5120000 features", "more than 1000000", "fewer parts"]),
        (["--param", "frame_length=1e300"], ["cannot be had"]),
    ],
)
def test_a_wrong_call_is_told_so_and_writes_nothing(sounds, tmp_path, capfd, arguments, words):
    assert skaud_features(sounds, "-o", tmp_path / "features.csv", *arguments) == 2
    said = capfd.readouterr().err
    for word in words:
        assert word in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_columns_named_as_features_are_a_wrong_call(sounds, tmp_path, suffix, capfd):
    assert skaud_features(sounds / "b.wav", "-o", sounds / "first.csv") == 0
    frame = pd.read_csv(sounds / "first.csv").assign(path="b.wav", speaker="a")
    first, second = frame.columns[1], frame.columns[2]
    frame.to_csv(sounds / "table.csv", index=False)
    output = tmp_path / f"x.{suffix}"
    try:
        capfd.readouterr()
        assert skaud_features(sounds / "table.csv", "-o", output, "--param", "ohc_health=0.5") == 2
        said = capfd.readouterr().err
        assert f"{sounds / 'table.csv'} has columns named as features are, {first}, {second}, " in said
        assert "and 281 more" in said
        assert "Rename them, or leave them out" in said
        assert not list(tmp_path.iterdir())
        frame[["path", "speaker"]].to_csv(sounds / "table.csv", index=False)
        assert skaud_features(sounds / "table.csv", "-o", output) == 0
    finally:
        for path in (sounds / "table.csv", sounds / "first.csv", sounds / "first.csv.journal"):
            path.unlink()


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_a_table_that_was_written_goes_in_again_whatever_its_paths_are(tmp_path, monkeypatch):
    monkeypatch.chdir(make_sounds(tmp_path / "in", 1))
    name = "=new\nline\\x41.wav"
    os.rename("000.wav", name)
    assert skaud_features(name, "-o", "first.csv") == 0
    pd.read_csv("first.csv")[["path"]].to_csv("table.csv", index=False)
    assert skaud_features("table.csv", "-o", "second.csv") == 0
    assert Path("second.csv").read_bytes() == Path("first.csv").read_bytes()


def test_an_unknown_format_and_a_folder_without_sounds_are_wrong_calls(sounds, tmp_path, capfd):
    assert skaud_features(sounds, "-o", tmp_path / "features.txt") == 2
    assert ".parquet, .csv, .npz" in capfd.readouterr().err
    (tmp_path / "empty").mkdir()
    assert skaud_features(tmp_path / "empty", "-o", tmp_path / "features.csv") == 2
    assert "no sound files" in capfd.readouterr().err


def test_parquet_without_pyarrow_is_told_before_the_work(sounds, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
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
    read_clip = computing.read_clip
    monkeypatch.setattr(
        computing,
        "read_clip",
        lambda path, *more: opened.append(Path(os.fsdecode(path)).name) or read_clip(path, *more),
    )
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


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a process there")
@pytest.mark.parametrize("suffix", FORMATS)
def test_ctrl_c_leaves_a_valid_file_and_resume_completes_it(tmp_path, suffix):
    folder, output = tmp_path / "sounds", tmp_path / f"features.{suffix}"
    folder.mkdir()
    soundfile.write(folder / "000.wav", 0.05 * np.random.default_rng(0).standard_normal(4 * 22050), 22050)
    for i in range(1, 150):
        os.link(folder / "000.wav", folder / f"{i:03}.wav")
    process = subprocess.Popen(
        [sys.executable, "-m", "skaud", "features", str(folder), "-o", str(output), "--jobs", "1"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if n_rows_kept(output) >= 5:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "--resume" in said
    assert not output.with_name(output.name + ".journal-wal").exists()
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


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_quiet_says_only_what_went_wrong(sounds, tmp_path, capfd):
    assert skaud_features(sounds, "-o", tmp_path / "features.npz", "--quiet") == 0
    assert capfd.readouterr().err == ""
    assert skaud_features(sounds, sounds / "notes.txt", "-o", tmp_path / "other.npz", "--quiet") == 1
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 2
    assert "notes.txt left out" in said[0]


def test_a_warning_of_the_model_is_said_once_with_the_files_name(sounds, tmp_path, capfd, monkeypatch):
    transform = CARFAC.transform

    def warn(model, X):
        if len(X[0]) > 1000:  # not where the parameters are tried
            warnings.warn(f"X[0] has {len(X[0])} dB SPL", UserWarning, stacklevel=2)
        return transform(model, X)

    monkeypatch.setattr(CARFAC, "transform", warn)
    assert skaud_features(sounds, "-o", tmp_path / "features.npz", "--jobs", 1) == 0
    said = capfd.readouterr().err
    assert "a.flac: its sound has 11025 dB SPL" in said
    assert said.count("dB SPL") == 2
    assert "... and 2 more" in said


@pytest.mark.parametrize("terminal", [True, False])
def test_a_progress_bar_shows_on_a_terminal_only(sounds, tmp_path, monkeypatch, terminal):
    stderr = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert skaud_features(sounds, "-o", tmp_path / "features.npz") == 0
    assert ("0/3" in stderr.getvalue()) == terminal
    assert ("\r" in stderr.getvalue()) == terminal


def test_every_model_of_the_registry_can_be_made():
    for name in MODELS:
        model = make_model(make_parser().parse_args(["features", "x", "-o", "y.csv", "--model", name]))
        fit(model, None)
        assert len(model.get_feature_names_out())


# What it costs


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_loads_nothing_that_it_does_not_use(sounds, tmp_path, suffix):
    """Half of the time to start, and 100 MB, that scikit-learn's imports would take."""
    code = (
        "import sys; from skaud.command import main; "
        f"status = main(['features', {str(sounds)!r}, '-o', {str(tmp_path / f'x.{suffix}')!r}]); "
        "heavy = ['pandas.core', 'scipy.stats._stats_py', 'scipy.optimize._minimize', 'sklearn.metrics', "
        "'scipy.interpolate._bsplines', 'numpy.f2py.crackfortran', "
        "'scipy.linalg._decomp', 'scipy.special._orthogonal', 'scipy.sparse.linalg._isolve', "
        "'sklearn.linear_model', 'sklearn.model_selection', 'matplotlib', 'dask', 'ray']; "
        "print(status, [name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = run.stdout.split(maxsplit=1)
    assert loaded[0] == "0"
    numerical = {"scipy.optimize._minimize", "scipy.linalg._decomp", "scipy.special._orthogonal"}
    numerical |= {"scipy.sparse.linalg._isolve"}
    asked_for = "scipy.optimize." in inspect.getsource(sklearn.utils.fixes)  # by scikit-learn itself, in 1.6
    assert set(ast.literal_eval(loaded[1])) - (numerical if asked_for else set()) == set()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_csv_has_the_digits_that_pandas_would_write(dtype, tmp_path):
    if "0.1\n" not in pd.DataFrame({"x": np.float32([0.1])}).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC):
        pytest.skip("this pandas widens single precision where it quotes text")
    random = np.random.default_rng(0)
    features = (random.standard_normal((50, 20)) * 10.0 ** random.integers(-30, 30, (50, 20))).astype(dtype)
    features[0, :4] = [0, 1, -2, 1e-45]
    names = [f"x{k}" for k in range(20)]
    rows = export.Rows([f'a"{i},b' for i in range(50)], {"label": ["=1"] * 50}, list(features))
    table = export.Table(names, dtype, ["label"], {})
    export.export(tmp_path / "x.csv", table, iter([rows]), lambda fresh: None)
    frame = pd.DataFrame(features, columns=names)
    frame.insert(0, "path", rows.paths)
    frame.insert(1, "label", ["'=1"] * 50)
    wanted = frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    assert (tmp_path / "x.csv").read_text() == wanted


def test_files_of_a_batch_have_the_rows_that_each_has_alone(tmp_path, monkeypatch):
    folder = make_sounds(tmp_path / "in", 40, duration_s=0.05)
    soundfile.write(folder / "007.wav", np.full(400, 1e30), 8000, subtype="FLOAT")  # that no model takes
    (folder / "011.wav").write_text("no sound")
    assert skaud_features(folder, "-o", tmp_path / "x.npz", "--jobs", 1) == 1
    monkeypatch.setattr("skaud.command.running.MOST_FILES", 1)
    assert skaud_features(folder, "-o", tmp_path / "y.npz", "--jobs", 1) == 1
    paths, _, features = read(tmp_path / "x.npz")
    assert len(paths) == 38
    np.testing.assert_array_equal(features, read(tmp_path / "y.npz")[2])


# Recipes


def test_a_recipe_gives_the_rows_that_the_library_gives_and_resumes(sounds, tmp_path, capfd):
    output = tmp_path / "features.parquet"
    words = ("--recipe", "carfac_cepstra", "-o", output, "--param", "carfac__ohc_health=0.5")
    assert skaud_features(sounds / "a.flac", sounds / "b.wav", *words) == 0
    paths, names, features = read(output)
    pipeline = recipes.carfac_cepstra().set_params(carfac__ohc_health=0.5)
    clips, rates = zip(*(audio.read(path, mono=True) for path in paths))
    np.testing.assert_array_equal(features, pipeline.fit_transform(list(clips), sample_rate=list(rates)))
    assert names == list(pipeline.get_feature_names_out())
    assert skaud_features(sounds / "deeper", *words, "--resume") == 0
    assert len(read(output)[0]) == 3
    assert skaud_features(sounds, *words[:-1], "carfac__ohc_health=0.6", "--resume") == 2
    assert "carfac__ohc_health" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--recipe", "soup"), "--recipe soup must be one of: best, "),
        (("--recipe", "best", "--param", "ohc_health=0.5"), "--param ohc_health: best has no such parameter"),
        (("--recipe", "best", "--segments", "3"), "--segments is for --model"),
    ],
)
def test_recipes_that_are_none_are_wrong_calls(words, said, sounds, tmp_path, capfd):
    assert skaud_features(sounds, "-o", tmp_path / "x.csv", *words) == 2
    assert said in capfd.readouterr().err


def test_the_names_of_recipes_are_those_of_the_library():
    assert sorted(RECIPES) == sorted(recipes.__all__)
