"""The site's pages: what they run, what they import, and that none is lost."""

import ast
import csv
import doctest
import importlib
import inspect
import json
import re
import sys
import textwrap
from functools import partial
from pathlib import Path

import numpydoc.docscrape
import pytest
from arrays_table import MODELS

import skaud

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "gallery", "reference"} & set(path.parts))
BUILDERS = DOCS / "_ext"


def name_of(path):
    return path.relative_to(DOCS).as_posix()


def snippets(path):
    fences = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return [textwrap.dedent(code) for code in fences]


@pytest.mark.parametrize("path", [p for p in PAGES if any(">>>" in code for code in snippets(p))], ids=name_of)
def test_sessions_on_a_page_give_what_they_show(path):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testfile(str(path), module_relative=False, optionflags=flags)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("path", [p for p in PAGES if snippets(p)], ids=name_of)
def test_snippets_on_a_page_are_python_and_import_what_is_there(path):
    for code in snippets(path):
        if ">>>" in code:
            continue
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "skaud" and "torch" not in node.module:
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_the_ten_lines_of_the_front_page_run(monkeypatch):
    (code,) = snippets(DOCS / "index.md")
    assert len([line for line in code.splitlines() if line]) <= 10
    few = {"n_speakers": 3, "n_takes": 1, "duration_s": (0.1, 0.1)}
    monkeypatch.setattr(skaud.datasets, "make_vowels", partial(skaud.datasets.make_vowels, **few))
    names = {}
    exec(code, names)
    assert names["model"].score(names["unheard"].clips, names["unheard"].target) > 0.4  # chance is 0.1


def statements(tree):
    """Assignments and functions, as text without annotations, decorators and docstrings, and the bases of classes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.add(f"{', '.join(map(ast.unparse, targets))} = {ast.unparse(node.value) if node.value else ''}")
        if isinstance(node, ast.ClassDef):
            found.add(f"class {node.name}({', '.join(map(ast.unparse, node.bases))})")
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            arguments = ", ".join(argument.arg for argument in node.args.args)
            found.add(f"def {node.name}({arguments}): " + "; ".join(map(ast.unparse, body)))
    return found


def test_what_the_page_on_adding_a_model_quotes_stands_in_the_source():
    shown, written = set(), set()
    for code in snippets(DOCS / "adding_a_model.md"):
        if ">>>" not in code:
            shown |= statements(ast.parse(code))
    for path in ("kernels/chain", "stages", "models"):
        source = Path(skaud.__file__).parent / path / "king2019.py"
        written |= statements(ast.parse(source.read_text(encoding="utf-8")))
    assert len(shown) > 10
    assert shown - written == set()


def test_files_and_names_that_pages_speak_of_are_there():
    root = DOCS.parent
    folders = ("skaud", "tests", "examples", "docs/_ext")
    sources = [path for folder in folders for path in (root / folder).rglob("*.py")]
    names = set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8") for path in sources)))
    files = {path.relative_to(root).as_posix() for path in [*sources, *(root / "docs").rglob("*.*")]}
    lost = []
    for path in (root / "README.md", root / "CONTRIBUTING.md", *(p for p in PAGES if p.name != "coming_from.md")):
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for word in re.findall(r"`([^`\n]+)`", text):
            for file in re.findall(r"[\w./-]+\.(?:py|md)\b", word):
                if not (root / file).exists() and not any(f"/{known}".endswith(f"/{file}") for known in files):
                    lost.append((path.name, file))
            elsewhere = re.search(r"^sklearn\.|\.(py|md|cfg|cff|toml|csv)$", word)
            if not elsewhere and re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(.*\))?", word):
                lost += [(path.name, name) for name in set(word.partition("(")[0].split(".")) - names]
    assert lost == []


@pytest.fixture
def builders(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BUILDERS), str(DOCS), *sys.path])


def test_every_public_name_is_in_the_reference(builders):
    import reference

    found = {name for names in reference.groups().values() for name in names}
    assert {f"skaud.{name}" for name in skaud._HOME} <= found
    assert {"skaud.audio.read", "skaud.testing.check_model", "skaud.display.STRFDisplay"} <= found


def test_underscores_of_names_are_kept_and_those_of_formulas_are_formulas(builders):
    import reference

    lines = ["ndarray of shape (n_channels_, 2)", r".. math:: m_{k+1} = \sum_{k} f_\mathrm{s} x_k", ">>> model.gain_"]
    reference.keep_underscores(None, "class", "skaud.CARFAC", None, None, lines)
    assert lines == [
        r"ndarray of shape (n_channels\_, 2)",
        r".. math:: m_{k+1} = \sum_{k} f_\mathrm{s} x_k",
        ">>> model.gain_",
    ]


def test_a_page_that_no_table_names_joins_the_guide(builders, tmp_path):
    import further_pages

    (tmp_path / "guide").mkdir()
    (tmp_path / "index.md").write_text("```{toctree}\nguide/index\nchangelog\n```\n")
    (tmp_path / "guide" / "index.md").write_text("```{toctree}\n../carfac\n% further pages\n```\n")
    for page in ("carfac", "changelog", "gpu"):
        (tmp_path / f"{page}.md").write_text(f"# {page}\n")
    source = [(tmp_path / "guide" / "index.md").read_text()]

    class App:
        srcdir = tmp_path

    further_pages.add(App, "guide/index", source)
    assert source[0] == "```{toctree}\n../carfac\n../gpu\n```\n"


def test_dead_links_are_found(builders, tmp_path):
    import check_links

    (tmp_path / "a.html").write_text('<a href="b.html#there">1</a><a href="b.html#gone">2</a><img src="c.png">')
    (tmp_path / "b.html").write_text('<p id="there"></p><a href="https://example.org">3</a>')
    assert check_links.dead_links(tmp_path) == ([("a.html", "b.html#gone"), ("a.html", "c.png")], 2)


def test_every_model_has_a_diagram(builders):
    import drawings

    assert set(drawings.DIAGRAMS) == {"carfac", "auditory_images", "osses2021", "king2019", "biomimetic"}
    for model, (boxes,) in drawings.DIAGRAMS.items():
        classes = {name for _, names, _ in boxes for name in names.split() if hasattr(skaud, name)}
        classes |= {"carfac": {"CARFAC"}, "auditory_images": {"StabilizedAuditoryImage"}}.get(model, set())
        known = {parameter for name in classes for parameter in inspect.signature(getattr(skaud, name)).parameters}
        for name in (name for _, names, _ in boxes for name in re.split(r"[\s,]+", names)):
            assert name in classes | known | {"X"}, (model, name)


def test_a_page_shows_what_was_measured_or_a_part_of_it(builders, monkeypatch):
    import conformance_page

    from skaud.testing.conformance import Row

    rows = (Row("CARFAC", "golden", "nap", 0.0, 1e-9), Row("CARFAC, one_cap", "adjoint", "by X", 0.0, 1e-12))
    monkeypatch.setattr(conformance_page, "measured", lambda: rows)
    whole, part = ["# All\n\n% conformance\n"], ["# Some\n\n% conformance CARFAC adjoint\n"]
    conformance_page.insert(None, "conformance", whole)
    conformance_page.insert(None, "gradients", part)
    assert whole[0].count("<tr") == 4
    assert "2 claims: 2 hold" in whole[0]
    assert part[0].count("<tr") == 2
    assert "by X" in part[0]


CLAIMS = re.compile(r"\{(found|allowed)\}`([^`]+)`")
OF_OTHERS = {"changelog.md", "robustness.md", "README.md"}  # what was tried and changed, and how the site is built
# Numbers that no claim of the table is about, and where they come from.
MEASURED_BY_HAND = {
    "learning.md": "python -m pytest tests/fitting",
    "arrays.md": "tests/test_arrays_table.py, and its own bounds",
    "gpu.md": "tests in the emulator, python -m skaud.testing gpu",
    "biomimetic.md": "1e-13, rounding of overlapping blocks: tests/stages/test_cortical.py",
}
GUIDES = [
    path for path in PAGES if path.parent.name != "development" and path.relative_to(DOCS).as_posix() not in OF_OTHERS
]


def prose(path):
    """Text of a page without its code and without what is taken from the table."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"`[^`]*`", "", CLAIMS.sub("", text))


def test_a_sentence_has_what_was_measured(builders, monkeypatch):
    import conformance_page

    from skaud.testing.conformance import Row

    rows = (
        Row("CARFAC", "golden", "nap, float64", 4.7e-9, 1e-6),
        Row("CARFAC", "golden", "bm, float64", 2e-9, 1e-6),
        Row("CARFAC", "published", "audiogram", 0.791, 1),
        Row("Osses2021", "published", "last channel in Hz", 7819.2, 0.5, 7819),
        Row("Osses2021", "published", "onset", 613.64, 0.1, 613.6),
        Row("Osses2021", "golden", "all", reason="no folder", skipped=True),
        Row("CARFAC", "published", "threshold", 13.96, 1, 14.0),
        Row("CARFAC", "fit", "health", 0.0072, 0.02),
    )
    monkeypatch.setattr(conformance_page, "measured", lambda: rows)
    monkeypatch.setenv("SKAUD_REFERENCES", "folder")
    assert conformance_page.value("CARFAC: *, float64") == "5e-9"
    assert conformance_page.value("CARFAC: *, float64", "allowed") == "1e-6"
    assert conformance_page.value("CARFAC: audiogram") == "0.79"
    assert conformance_page.value("Osses2021: last channel in Hz") == "7819"
    assert conformance_page.value("Osses2021: onset") == "613.6"
    assert conformance_page.value("CARFAC: threshold") == "14.0"
    assert conformance_page.value("CARFAC: threshold", "allowed") == "1"
    assert conformance_page.value("CARFAC: health") == "0.007"
    assert conformance_page.value("CARFAC: health", "allowed") == "0.02"
    assert conformance_page.value("Osses2021: all") == conformance_page.NOT_MEASURED
    with pytest.raises(LookupError, match="nowhere"):
        conformance_page.value("CARFAC: nowhere")
    with pytest.raises(LookupError, match="2 numbers"):
        conformance_page.value("Osses2021: [lo]*")
    monkeypatch.delenv("SKAUD_REFERENCES")
    assert conformance_page.value("CARFAC: nowhere") == conformance_page.NOT_MEASURED


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_errors_on_a_page_come_from_the_table_and_not_from_a_hand(path):
    typed = re.findall(r"(?<![\w.])\d(?:\.\d+)?e-\d+", prose(path))
    if name_of(path) == "equations/carfac.md":
        typed.remove("4.5e-5")  # of the published program in float32, which nothing here runs
    assert not typed or name_of(path) in MEASURED_BY_HAND


def test_published_numbers_on_a_page_come_from_the_table_and_not_from_a_hand():
    from skaud.testing.conformance import biomimetic, carfac, king2019, osses2021

    rows = [row for kind in (carfac, osses2021, king2019, biomimetic) for row in kind.published()]
    known = {f"{row.published:g}" for row in rows if row.published is not None}
    known = {number for number in known if len(number.replace(".", "").strip("0")) > 3 or number in ("212", "613.6")}
    assert {"613.6", "7819", "55.61", "212"} <= known
    typed = {name_of(path): known & set(re.findall(r"(?<![\d.])\d+(?:\.\d+)?", prose(path))) for path in GUIDES}
    assert {page: numbers for page, numbers in typed.items() if numbers} == {}


MEASURED = re.compile(r"\{(measured|score)\}`([^`]+)`")


@pytest.mark.parametrize("path", [p for p in PAGES if name_of(p) not in OF_OTHERS], ids=name_of)
def test_what_a_page_takes_from_files_of_measurements_is_there(builders, path):
    import measured

    text = path.read_text(encoding="utf-8")
    for mark in measured.MARK.finditer(text):
        assert measured.table(mark).count("\n| ") >= 2
    for what, own in MEASURED.findall(text):
        assert re.search(r"\d", {"measured": measured.cell, "score": measured.score}[what](own)), own


def test_files_of_measurements_say_how_they_were_made_by_scripts_that_are_there(builders):
    import compared
    import measured

    root = DOCS.parent
    pages = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    shown = {mark[2].split()[0] for mark in measured.MARK.finditer(pages) if mark[2]}
    shown |= {mark[1] for mark in compared.MARK.finditer(pages)}
    shown |= {own.split(": ")[0] for what, own in MEASURED.findall(pages) if what == "measured"}
    written = set()
    for path in (DOCS / "measured").iterdir():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        made = re.fullmatch(r"# python (\S+\.py).*; \d{4}-\d\d-\d\d, \S.*", first)
        assert made, (path.name, first)
        assert (root / made[1]).is_file(), path.name
        written.add(path.stem)
    assert written <= shown


def test_a_table_of_scores_has_their_means_and_intervals(builders, monkeypatch, tmp_path):
    import measured

    scores = {"a": (0.5, 0.7), "b": (0.4, 0.5)}
    runs = [
        {"task": "accuracy", "seed": seed, "scores": {arm: {"clean": own[seed]}, "shared": {"clean": 0.1}}}
        for arm, own in scores.items()
        for seed in (0, 1)
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, runs)))
    monkeypatch.setattr(measured, "FOLDERS", (tmp_path,))
    table = measured.scores_table("own", "accuracy", "2")
    lines = ["| a | 0.60 ± 1.27 |", "| shared | 0.10 ± 0.00 |", "| b | 0.45 ± 0.64 |"]
    assert table.splitlines() == ["|  | clean |", "| --- | --- |", *lines]
    assert measured.scores_table("own", "accuracy", "1", "each").splitlines()[2] == "| a | 0.5, 0.7 |"
    assert measured.score("own accuracy 2: a minus b: clean") == "0.15 ± 0.64"
    with pytest.raises(LookupError, match="no accuracy of 'c'"):
        measured.score("own accuracy 2: c: clean")


def test_tables_of_a_comparison_are_made_of_its_scores(builders, monkeypatch, tmp_path):
    import compared

    lines = [
        f"{trained},{tested},{group},{accuracy},0.9,9,{name},logistic,0.01"
        for name, gain in (("MFCC", 0.0), ("best", 0.25))
        for trained, tested in (("pink 10 dB", "pink 10 dB"), ("clean", "clean"))
        for group, accuracy in (("a", 0.5 + gain), ("b", 0.625 + gain))
    ]
    heads = "trained,tested,group,accuracy,auc,n_features,features,classifier,seconds"
    (tmp_path / "own.csv").write_text("\n".join(["# how", heads, *lines]))
    monkeypatch.setattr(compared, "file_of", lambda name: tmp_path / f"{name}.csv")
    found = {
        what: compared.table(compared.MARK.match(f"% compared own {what}")) for what in ("accuracy", "auc", "ahead")
    }
    assert found["accuracy"].splitlines() == [
        "| features | clean | 10 dB, matched | s a second of sound |",
        "| --- | --- | --- | --- |",
        "| `best` | .812 ± .794 | .812 ± .794 | .010 |",
        "| MFCC and two differences (librosa) | .562 ± .794 | .562 ± .794 | .010 |",
    ]
    assert found["auc"].splitlines()[2] == "| `best` | .900 | .900 |"
    assert found["ahead"].splitlines()[2] == "| MFCC and two differences (librosa) | +.250 ± .000 | +.250 ± .000 |"


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_intervals_on_a_page_come_from_a_file_and_not_from_a_hand(path):
    typed = re.findall(r"\d ± \.?\d", prose(path))
    assert not typed or name_of(path) == "comparison.md"  # differences that a sentence picks from its tables


def test_memory_of_the_readme_is_that_of_the_page(builders):
    import measured

    text = " ".join((DOCS.parent / "README.md").read_text(encoding="utf-8").split())
    told = re.search(r"half an hour take (\d+ MiB) beyond the sound \(CARFAC\), or (\d+ MiB) \(Osses2021\)", text)
    assert told.groups() == tuple(measured.cell(f"memory: {model}: 30 min") for model in ("CARFAC", "Osses2021"))


def test_accuracies_of_the_readme_are_those_of_the_page(builders):
    import compared

    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (\D.*?) \| ((?:\.\d{3} \| ){4}\.\d{3}) \|$", text, re.MULTILINE)
    page = compared.table(compared.MARK.match("% compared comparison_noise accuracy"))
    shown = {row.split(" | ")[0][2:]: re.findall(r"(\.\d{3}) ±", row) for row in page.splitlines()[2:]}
    assert len(told) == 7
    assert all(numbers.split(" | ") == shown[name] for name, numbers in told)


@pytest.mark.slow
def test_what_pages_take_from_the_table_is_in_it(builders, references, monkeypatch):
    import conformance_page

    from skaud.testing.conformance import conformance

    claims = {claim for path in GUIDES for claim in CLAIMS.findall(path.read_text(encoding="utf-8"))}
    assert len(claims) > 15
    kinds = ("golden", "published", "fit", "adjoint")
    monkeypatch.setattr(conformance_page, "measured", partial(tuple, conformance(references, kinds=kinds)))
    monkeypatch.setenv("SKAUD_REFERENCES", str(references))
    assert [
        claim for what, claim in claims if conformance_page.value(claim, what) == conformance_page.NOT_MEASURED
    ] == []


def test_golden_numbers_of_the_site_lie_where_the_environment_says_and_nowhere_else(builders, monkeypatch, tmp_path):
    import conformance_page

    asked = []
    monkeypatch.setattr(conformance_page, "conformance", lambda folder: asked.append(folder) or ())
    monkeypatch.delenv("SKAUD_SKIP_CONFORMANCE", raising=False)
    monkeypatch.delenv("SKAUD_REFERENCES", raising=False)
    conformance_page.measured.__wrapped__()
    monkeypatch.setenv("SKAUD_REFERENCES", str(tmp_path))
    conformance_page.measured.__wrapped__()
    assert asked == [None, tmp_path]


def test_the_equations_of_every_stage_stand_on_a_page_and_in_help(builders):
    import equations

    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "equations").glob("*.md"))
    shown = set(equations.MARK.findall(pages))
    public = {name for name, home in skaud._HOME.items() if home.startswith(("skaud.stages.", "skaud.frames."))}
    assert {"CARFAC", *public} <= shown
    for name in shown:
        assert ".. math::" in getattr(skaud, name).__doc__, name
        assert "list-table" in equations.section(name) or name == "CochlearFilterbank", name


def test_times_of_the_page_are_of_jobs_that_the_script_measures(tmp_path):
    import speeds

    with (DOCS / "speeds.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == speeds.HEADS
    own = {row["job"] for row in rows if row["program"].startswith("skaud") and row["measured"] == speeds.SIDE_BY_SIDE}
    assert own == set(speeds.JOBS)
    assert {row["job"] for row in rows if row["program"] == speeds.ALONE} == own
    changed = speeds.replaced(rows, dict.fromkeys(speeds.JOBS, 1.234), "2030-01-01, a processor")
    assert [row for row in changed if row["measured"] == speeds.SIDE_BY_SIDE] == [
        row for row in rows if row["measured"] == speeds.SIDE_BY_SIDE
    ]
    assert {row["CPU ms"] for row in changed if row["program"] == speeds.ALONE} == {"1.2"}


def test_times_of_the_readme_are_those_of_the_page():
    with (DOCS / "speeds.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["measured"] == "side by side"]
    table = (DOCS.parent / "README.md").read_text(encoding="utf-8").partition("## How fast it is")[2]
    lines = [
        line.split("|")[1:4] for line in table.partition("\nTwo threads")[0].splitlines() if re.match(r"\| \w", line)
    ]
    times = [re.findall(r"\d+(?:\.\d+)?(?: to \d+(?:\.\d+)?)?", others) for _, _, others in lines]
    assert len(lines) == 7
    for (job, own_ms, _), others_ms in zip(lines, times, strict=True):
        assert own_ms.strip() in {row["CPU ms"] for row in rows if row["program"].startswith("skaud")}, job
        known = {row["CPU ms"] for row in rows if not row["program"].startswith("skaud")}
        assert set(others_ms) - {"2021"} <= known, job


@pytest.mark.parametrize("model", ["carfac", "auditory_images", "osses2021", "king2019", "biomimetic", "steps"])
def test_a_models_page_says_where_it_ends_and_where_it_comes_from(builders, model):
    import equations

    text = (DOCS / "equations" / f"{model}.md").read_text(encoding="utf-8")
    assert "## Limits" in text
    sources = "".join(equations.section(name) for name in equations.MARK.findall(text))
    assert re.search(r"J\. Acoust\. Soc\. Am\.|JASA|Cambridge University Press|et al\. \(?20", sources)


def test_the_gallery_begins_with_what_it_draws(builders):
    import gallery

    names = ["compare_features.py", "plot_b.py", "biomimetic_cnn.py", "plot_a.py"]
    ordered = sorted(names, key=gallery.PicturesFirst("examples"))
    assert ordered == ["plot_a.py", "plot_b.py", "biomimetic_cnn.py", "compare_features.py"]


# What a fit keeps for its own machinery, of no use to who calls it.
KEPT = {"at_fit_", "ears_", "engine_", "found_", "n_samples_in_", "peaks_", "rates_told_", "takes_any_ears_"}


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("FeaturePipeline", "TemporalPooling")])
def test_what_a_fit_leaves_stands_among_the_attributes(name):
    make, X, _ = MODELS[name]
    model = make().fit(X)
    made = (own for kind in type(model).__mro__ for own, value in vars(kind).items() if isinstance(value, property))
    found = {own for own in (*vars(model), *made) if own.endswith("_") and not own.startswith("_")}
    rows = numpydoc.docscrape.ClassDoc(getattr(skaud, name))["Attributes"]
    assert found - KEPT - {own.strip() for row in rows for own in row.name.split(",")} == set()


@pytest.mark.parametrize("name", ["Osses2021", "Dau1997", "King2019", "AuditorySpectrogram", "BiomimeticFrontend"])
def test_the_help_of_a_model_names_every_stage_that_has_its_equations(name):
    model = getattr(skaud, name)
    about = inspect.getdoc(model)[inspect.getdoc(model).index("Notes\n") :]
    stages = {own.__name__ for own in model.stage_classes.values()}
    if name == "Dau1997":
        stages -= {"HeadphoneFilter", "MiddleEarFilter"}
    assert {own for own in stages if f"`{own}`" not in about} == set()
