"""The examples run, on fewer and shorter sounds than they are written for."""

import csv
import importlib.util
import json
import re
import runpy
import sys
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import soundfile

from skaud import datasets

EXAMPLES = Path(__file__).parents[1] / "examples"
PLOTS = {
    "plot_biomimetic_training.py": ["--per-class", "1", "--iterations", "1"],
    "plot_carfac_vowels.py": [],
    "plot_classify.py": [],
    "plot_hearing_loss.py": [],
    "plot_learned_carfac.py": [],
    "plot_osses2021.py": [],
}
PUBLISHED = sorted(path.name for path in (EXAMPLES / "published").glob("*.py"))
TABLE = r"\b(published|expected)\b.*\bfound\b"  # heads of two columns; expected, where a sound is made with the number
RATE = 16000
make_vowels, make_am_noise = datasets.make_vowels, datasets.make_am_noise


def few_vowels(n_speakers=4, n_takes=1, **options):
    """At most 4 speakers who say each vowel once, for 50 ms."""
    return make_vowels(n_speakers=min(n_speakers, 4), n_takes=1, **{**options, "duration_s": (0.05, 0.05)})


def short_noise(modulation_hz, depth=1.0, duration_s=1.0, **options):
    """At most 0.1 s."""
    return make_am_noise(modulation_hz, depth, min(duration_s, 0.1), **options)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run an example in an empty folder, without a screen."""
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))  # where a script looks for what lies beside it
    monkeypatch.setattr(datasets, "make_vowels", few_vowels)
    monkeypatch.setattr(datasets, "make_am_noise", short_noise)

    def run_script(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    yield run_script
    matplotlib.pyplot.close("all")
    matplotlib.use(backend)


def write_folder(path, rows):
    """Recordings and their manifest, from rows of clip, label and group."""
    path.mkdir()
    with (path / "manifest.csv").open("w", newline="") as file:
        manifest = csv.writer(file)
        manifest.writerow(("path", "label", "group"))
        for i, (clip, label, group) in enumerate(rows):
            soundfile.write(path / f"{i}.wav", getattr(clip, "samples", clip), RATE)
            manifest.writerow((f"{i}.wav", label, group))
    return path


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        *PLOTS,
        "biomimetic_cnn.py",
        "biomimetic_networks.py",  # of biomimetic_cnn.py
        "biomimetic_mixtures.py",  # of biomimetic_speech.py
        "biomimetic_speech.py",
        "compare_features.py",
        "compared_features.py",  # of compare_features.py
        "learn_recipe.py",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", PLOTS)
def test_the_plots_are_drawn(run, name, tmp_path, capsys):
    run(name, *PLOTS[name])
    assert len(matplotlib.pyplot.get_fignums()) >= 1
    assert capsys.readouterr().out.strip()
    assert list(tmp_path.iterdir()) == []  # they leave nothing behind


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures_are_drawn_with_the_published_numbers_beside(run, name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(datasets, "make_am_noise", make_am_noise)  # as long as was published
    begin = time.process_time()
    run(f"published/{name}")
    assert time.process_time() - begin < 4 * 30  # s; a machine may be slow, and compiles first
    assert len(matplotlib.pyplot.get_fignums()) >= 1
    assert re.search(TABLE + r"[\s\S]*\d", capsys.readouterr().out, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures_print_what_was_published_beside_what_is_found(name):
    text = (EXAMPLES / "published" / name).read_text(encoding="utf-8")
    assert re.search(r"print\(.*" + TABLE, text)


@pytest.mark.slow
@pytest.mark.parametrize("arms", [["full, log", "spectrogram"], ["convolution"]], ids=" and ".join)
def test_the_speech_example_writes_its_figures(run, arms, tmp_path, capsys):
    if "convolution" in arms and importlib.util.find_spec("torch") is None:
        pytest.skip("the convolutions are learned with torch, which is not installed")
    vowels = make_vowels(n_speakers=3, n_takes=1, sample_rate=RATE, duration_s=(0.1, 0.1), random_state=0)
    rows = [row for row in zip(vowels.clips, vowels.target, vowels.groups) if row[1] in ("iy", "aa", "uw")]
    recordings = write_folder(tmp_path / "recordings", rows)
    noise = 0.1 * np.random.default_rng(0).standard_normal((6, 33000))
    noise[:2] *= 0.02 + np.sin(2 * np.pi * 3 * np.arange(33000) / RATE) ** 2  # at times weaker than the masker
    rows = list(zip(noise, ["speech"] * 2 + ["music"] * 2 + ["noise"] * 2, range(6)))
    mixtures = write_folder(tmp_path / "mixtures", rows)
    output = tmp_path / "figures.csv"
    few = ["--seeds", 0, "--per-class", 2, "--per-talker", 2, "--iterations", 1]
    words = [*few, "--arms", *arms, "--output", output, "--tables", tmp_path]
    run("biomimetic_speech.py", recordings, "--enhance", mixtures, *words)
    with output.open(newline="") as file:
        figures = list(csv.DictReader(file))
    found = {(figure["task"], figure["arm"]) for figure in figures}
    assert found >= {(task, arm) for task in ("accuracy", "AUC", "enhancement") for arm in arms}
    assert np.isfinite([float(figure["value"]) for figure in figures]).all()
    for name in ("accuracy", "area", "enhancement"):
        how, *lines = (tmp_path / f"biomimetic_{name}.csv").read_text().splitlines()
        assert how.startswith("# python examples/biomimetic_speech.py recordings --enhance mixtures --seeds 0")
        assert {row[0] for row in csv.reader(lines[1:])} - {"mixture", "ideal ratio mask"} == set(arms)
    assert "SI-SDR in dB" in capsys.readouterr().out
    assert not (tmp_path / "biomimetic_speech.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learn", "n_learned"),
    [("full", 129 + 2 + 1 + 40 + 40), ("cortical", 40 + 40), ("frozen", 0), ("convolution", 400)],
)
def test_arms_learn_what_their_names_say(run, learn, n_learned):
    torch = pytest.importorskip("torch", reason="the networks are torch's, which is not installed")
    networks = run("biomimetic_networks.py")
    x = torch.as_tensor(0.01 * np.random.default_rng(0).standard_normal((1, 1600)), dtype=torch.float32)
    arms = [learn] if learn == "convolution" else [f"{learn}, {init}" for init in ("log", "random")]
    assert set(arms) < {*networks["ARMS"], "convolution"}
    found = []
    for arm in arms:
        front = networks["front_of"](arm, 0)
        assert sum(parameter.numel() for parameter in front.parameters()) == n_learned
        found.append(networks["responses"](front, x))
        assert found[-1].shape == (1, 40, 128, 20)
    assert len(found) == 1 or not torch.allclose(*found)  # two inits


@pytest.mark.slow
def test_the_front_end_learns_with_a_network_and_finished_runs_are_not_made_again(run, tmp_path, capsys):
    pytest.importorskip("torch", reason="the networks are torch's, which is not installed")
    random = np.random.default_rng(0)
    phonemes, output = tmp_path / "phonemes", tmp_path / "results.jsonl"
    phonemes.mkdir()
    events = ["path,speaker,start_s,end_s,phoneme,class"]
    for speaker in ("m6", "other"):
        soundfile.write(phonemes / f"{speaker}.wav", 0.1 * random.standard_normal(20000), RATE)
        events += [f"{speaker}.wav,{speaker},0.1,0.6,a,a", f"{speaker}.wav,{speaker},0.6,1.2,i:,i"]
    (phonemes / "phonemes.csv").write_text("\n".join(events))
    kinds = ["speech"] * 2 + ["music", "noise"]
    noise = 0.1 * random.standard_normal((len(kinds), 6 * RATE))
    mixtures = write_folder(tmp_path / "mixtures", list(zip(noise, kinds, range(len(kinds)))))
    words = ["--phonemes", phonemes, "--enhance", mixtures, "--size", "smoke", "--seeds", 0, "--output", output]
    for _ in range(2):
        run("biomimetic_cnn.py", *words, "--arms", "full, log")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["task"] for row in rows] == ["phonemes", "enhancement"]
    accuracy, quality = (row["scores"]["full, log"] for row in rows)
    assert list(accuracy) == ["clean", "3 dB", "0 dB", "-3 dB"]
    assert all(0 <= value <= 1 for value in accuracy.values())
    assert list(quality) == ["original", "new talker", "new noise"]
    for learned in (row["learned"] for row in rows):
        assert learned["rates_hz"] != learned["initial_rates_hz"]
        assert np.ptp(learned["compression"]) > 0  # began at 1, all of it
    assert re.search(r"\| mixture \| 1 \|", capsys.readouterr().out)


@pytest.mark.slow
def test_the_comparison_tables_every_condition_for_groups_unheard(run, tmp_path, capsys):
    vowels = make_vowels(n_speakers=4, n_takes=1, sample_rate=RATE, duration_s=(0.1, 0.1), random_state=0)
    rows = [row for row in zip(vowels.clips, vowels.target, vowels.groups) if row[1] in ("iy", "aa", "uw")]
    recordings = write_folder(tmp_path / "recordings", rows)
    conditions = ["clean", "pink 10 dB", "babble 10 dB", "reverberation", "10 dB less", "band to 4 kHz"]
    contenders = ["carfac_cepstra", "CARFAC()"]
    words = [recordings, "--out", tmp_path / "out", "--contenders", *contenders, "--classifiers", "logistic", "lda"]
    for _ in range(2):  # the second time nothing is missing
        run("compare_features.py", *words, "--conditions", *conditions, "--scores", tmp_path / "kept.csv")
    how, heads, *kept = (tmp_path / "kept.csv").read_text().splitlines()
    assert how.startswith(
        "# python examples/compare_features.py recordings --out out --contenders carfac_cepstra 'CARFAC()'"
    )
    assert heads.startswith("trained,tested,group,accuracy,auc")
    assert len(kept) == len((tmp_path / "out" / "scores_all.csv").read_text().splitlines()) - 1
    with (tmp_path / "out" / "scores_all.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 2 * 2 * 4 * (6 + 4)  # features, classifiers, speakers; trained clean, and in what was changed
    assert {row["tested"] for row in found if row["trained"] == "clean"} == set(conditions)
    clean = [
        float(row["accuracy"]) for row in found if row["features"] == "carfac_cepstra" and row["tested"] == "clean"
    ]
    assert np.mean(clean) > 0.6  # of three vowels
    printed = capsys.readouterr().out
    assert printed.count("s a second of sound") == 2 * len(conditions)
    assert re.search(r"[+-]0\.\d{3} ± ", printed)  # paired differences


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clips", "frames"])
def test_a_recipe_that_learns_stands_beside_the_fixed_one(run, kind, tmp_path, capsys):
    vowels = make_vowels(n_speakers=2, n_takes=1, sample_rate=RATE, duration_s=(0.1, 0.1), random_state=0)
    rows = [row for row in zip(vowels.clips, vowels.target, vowels.groups) if row[1] in ("iy", "aa")]
    folder = write_folder(tmp_path / "recordings", rows)
    if kind == "frames":
        events = [f"{i}.wav,{group},0.01,0.1,{label},{label}" for i, (_, label, group) in enumerate(rows)]
        (folder / "phonemes.csv").write_text("\n".join(["path,speaker,start_s,end_s,phoneme,class", *events]))
    run("learn_recipe.py", folder, "--every", 1, "--iterations", 1)
    printed = capsys.readouterr().out
    assert printed.count("'features': 'learned'") == printed.count("'features': 'fixed'") == 2  # folds
    assert "velocity_scale" in printed
    assert re.search(r"^learned +\d\.\d+ +\d\.\d+ +\d\.\d+$", printed, re.MULTILINE)


@pytest.mark.parametrize("arguments", [["missing"], ["--enhance", "missing"]], ids=" ".join)
def test_a_wrong_folder_leaves_earlier_figures_as_they_are(run, arguments, tmp_path):
    output = tmp_path / "figures.csv"
    output.write_text("earlier figures\n")
    with pytest.raises(FileNotFoundError, match="missing"):
        run("biomimetic_speech.py", *arguments, "--output", output)
    assert output.read_text() == "earlier figures\n"
