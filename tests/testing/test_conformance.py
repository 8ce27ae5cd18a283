"""Conformance: what holds, what fails and what is skipped is told apart, and the command says so."""

from functools import partial

import numpy as np
import pytest

from skaud import CARFAC, HairCellEnvelope, King2019, LogCompression, Pitchogram, PowerLawCompression, recipes
from skaud.testing import __main__ as command
from skaud.testing import conformance as folder
from skaud.testing.conformance import (
    KINDS,
    Row,
    auditory_images,
    carfac,
    conformance,
    fits,
    hair_cells,
    king2019,
    osses2021,
    promises,
    psychoacoustics,
)
from skaud.testing.conformance.report import HEADS, as_page, as_text
from skaud.testing.conformance.row import error


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("M", "golden", "o", 1e-10, 1e-9), "holds"),
        (Row("M", "golden", "o", 1e-8, 1e-9), "fails"),
        (Row("M", "golden", "o", float("nan"), 1e-9), "fails"),
        (Row("M", "published", "n", 5.25, 0.07, 5.2), "holds"),
        (Row("M", "published", "n", 5.35, 0.07, 5.2), "fails"),
        (Row("M", "golden", "o", reason="no file", skipped=True), "skipped"),
        (Row("M", "invariance", "order changes nothing"), "holds"),
        (Row("M", "invariance", "order changes nothing", failed=True, reason="it does"), "fails"),
    ],
)
def test_a_claim_holds_within_its_limit_alone(row, verdict):
    assert row.verdict == verdict
    assert verdict in row.text
    assert verdict in row.cells


def test_an_error_of_another_shape_is_infinite():
    assert error(np.ones(3), np.ones(4)) == np.inf
    assert error(np.array([1.0, 2.1]), np.array([1.0, 2.0])) == pytest.approx(0.05)


def test_without_references_every_golden_number_is_skipped_with_a_reason():
    rows = conformance(kinds="golden")
    assert {row.model for row in rows} >= {"CARFAC", "Osses2021", "Dau1997", "King2019", "BiomimeticFrontend"}
    assert all(row.verdict == "skipped" and row.reason for row in rows)


WITH_NUMBERS = [measure for measure in KINDS["golden"] if measure is not auditory_images.golden]


@pytest.mark.parametrize("measure", WITH_NUMBERS, ids=lambda measure: measure.__module__.split(".")[-1])
def test_golden_numbers_are_met(measure, references):
    rows = list(measure(references))
    assert [row.text for row in rows if row.verdict == "fails"] == []
    assert sum(row.verdict == "holds" for row in rows) > len(rows) / 2


LONG = {"hearing", "psychoacoustics"}  # fits, and tracks


@pytest.mark.parametrize(
    "measure",
    [
        pytest.param(measure, marks=[pytest.mark.slow] * (name in LONG), id=name)
        for measure in KINDS["published"]
        for name in [measure.__module__.split(".")[-1]]
    ],
)
def test_published_numbers_are_met(measure):
    rows = list(measure(None))
    assert [row.text for row in rows if row.verdict != "holds"] == []
    assert len(rows) > 2


@pytest.mark.parametrize(
    "measure",
    [
        pytest.param(measure, marks=[pytest.mark.slow] * (measure is fits.of_a_whole_cochlea), id=measure.__name__)
        for measure in KINDS["fit"]
    ],
)
def test_what_a_model_was_changed_to_is_found_again(measure):
    rows = list(measure(None))
    assert [row.text for row in rows if row.verdict != "holds"] == []
    assert len(rows) > 7


def test_health_that_is_not_found_fails(monkeypatch):
    whole = fits.find
    monkeypatch.setattr(fits, "find", lambda *args, **options: whole(*args, **{**options, "max_iter": 1}))
    rows = [row for row in fits.of_a_small_cochlea() if row.what.startswith("health")]
    assert {row.verdict for row in rows} == {"fails"}


@pytest.mark.slow
def test_observers_tracks_images_and_spikes_have_numbers_to_meet():
    rows = [row for row in conformance(kinds="published") if row.published is not None]
    found = {"TemplateObserver", "adaptive_track", "d_prime", "spikes", "StabilizedAuditoryImage", "Pitchogram"}
    assert found <= {row.model for row in rows}


def test_a_track_that_converges_elsewhere_fails(monkeypatch):
    always = partial(psychoacoustics.adaptive_track)

    def other(*args, n_down, **options):
        return always(*args, n_down=3, **options)

    monkeypatch.setattr(psychoacoustics, "adaptive_track", other)
    assert psychoacoustics.proportion_of_tracks(2) == pytest.approx(0.794, abs=0.02)


def test_the_period_of_an_image_is_measured_on_the_stage(monkeypatch):
    later = partial(Pitchogram, min_lag_s=0.009)
    monkeypatch.setattr(auditory_images, "Pitchogram", lambda rate, min_lag_s, **options: later(rate, **options))
    rows = {row.what: row.verdict for row in auditory_images.published() if row.model == "Pitchogram"}
    assert [verdict for what, verdict in rows.items() if "delay of 4 ms" in what] == ["fails"]


@pytest.fixture
def own_numbers(tmp_path):
    """A folder with a file of golden numbers that are this package's own."""
    x = 0.02 * np.random.default_rng(0).standard_normal(3000)
    model = King2019(phase="signed", dtype="float64").fit(x[np.newaxis])
    found = {name: response[0] for name, response in model.simulate(x[np.newaxis]).items()}
    mfc = model.stages_.modulation.modulation_frequencies_hz_
    bands = found["modulation"].reshape(31, len(mfc), -1)
    numbers = {
        "x": x,
        "fc": model.channel_frequencies_hz_,
        "mfc": mfc,
        "filterbank": found["filterbank"][:, ::5],
        "compressed": found["compression"][:, ::5],
        "hair_cell": found["hair_cell"][:, ::5],
        "adapted": found["adaptation"][:, ::5],
        "modulation_sos": bands.transpose(1, 0, 2)[..., ::5],
    }

    def write(**changed):
        np.savez(tmp_path / "king2019_amt.npz", **{f"default/{k}": v for k, v in (numbers | changed).items()})
        return tmp_path

    return write, numbers


def test_golden_numbers_that_are_missed_fail_and_no_others(own_numbers):
    write, numbers = own_numbers
    assert {row.verdict for row in king2019.golden(write())} == {"holds", "skipped"}
    rows = list(king2019.golden(write(adapted=numbers["adapted"] + 1e-4 * np.abs(numbers["adapted"]).max())))
    assert [row.what for row in rows if row.verdict == "fails"] == ["adaptation", "our hair cells, adapted"]


def test_every_model_has_golden_numbers_and_invariances_to_hold():
    from skaud.testing.conformance.promises import MODELS, public

    assert set(MODELS) <= set(public("models"))
    golden = {row.model for row in conformance(kinds="golden")}
    assert set(public("models")) <= golden <= set(public("models")) | set(public("stages"))


def test_a_table_has_the_difference_from_what_was_published():
    row = Row("M", "published", "n", 5.25, 0.07, 5.2, "paper")
    assert dict(zip(HEADS, row.cells, strict=True))["difference"] == "+0.05"
    skipped = Row("M", "golden", "o", reason="no file", skipped=True)
    assert skipped.cells == ("M", "o", "", "", "", "skipped", "no file")
    bound = Row("M", "published", "n", 0.003, 0.01, source="a bound")
    assert dict(zip(HEADS, bound.cells, strict=True))["difference"] == ""


def test_the_corner_of_the_hair_cell_is_measured_on_the_stage(monkeypatch):
    monkeypatch.setattr(osses2021, "HairCellEnvelope", partial(HairCellEnvelope, hair_cell_corner_hz=1000))
    corner = next(row for row in osses2021.published() if row.model == "HairCellEnvelope")
    assert corner.verdict == "fails"


def test_a_stage_that_breaks_a_promise_fails(monkeypatch):
    monkeypatch.setattr(promises, "public", lambda folder: ["LateralInhibition", "PowerLawCompression"])
    assert {row.verdict for row in promises.of_stages()} == {"holds"}
    monkeypatch.setattr(PowerLawCompression, "transform_chunk", lambda stage, X, state: (X + 1, state))
    failed = [(row.model, row.what) for row in promises.of_stages() if row.verdict == "fails"]
    assert failed == [("PowerLawCompression", "chunks equal the whole")]


def test_steps_and_recipes_that_keep_their_promises_hold_and_others_fail(monkeypatch):
    def unchanged(step, X, state):
        return X, state

    monkeypatch.setattr(LogCompression, "transform_chunk", unchanged)
    rows = list(promises.of_steps())
    assert {row.model for row in rows} == {*promises.public("frames"), *recipes.__all__}
    failed = [(row.model, row.what) for row in rows if row.verdict == "fails"]
    assert failed == [("LogCompression", "chunks equal the whole")]


def test_the_tuning_is_measured_on_the_model():
    wider = CARFAC(linear_car=True, open_loop=True, min_zeta=0.12, dtype="float64").fit()
    peak_hz, gain_db, width_hz, q = carfac.tuning(wider, 40)
    published = carfac.TUNING[40]
    assert width_hz > published[2] + 1
    assert gain_db < published[1] - 1
    assert q == pytest.approx(peak_hz / width_hz)


def test_the_hair_cell_is_measured_alone(monkeypatch):
    x, which = hair_cells.tones(300)
    assert [np.abs(x[which == k]).max() for k in range(7)] == pytest.approx(0.09 * 2.0 ** np.arange(7), rel=1e-3)
    own = hair_cells.hair_cell
    monkeypatch.setattr(hair_cells, "hair_cell", lambda style, x: own("two_cap", x))
    rows = {row.what: row.verdict for row in hair_cells.published()}
    assert {verdict for what, verdict in rows.items() if "two_cap alone" in what} == {"holds"}
    assert {verdict for what, verdict in rows.items() if "one_cap alone" in what} == {"fails"}


def test_the_spread_of_the_gain_control_follows_from_its_design(monkeypatch):
    place, value, width = carfac.peak_of(carfac.gain_control_spread()[0])
    assert (place, value, width) == pytest.approx(carfac.SPREAD[1], rel=1e-6)
    wider = partial(CARFAC, agc2_scales=(1.8, 2.3, 3.3, 4.7))
    monkeypatch.setattr(carfac, "CARFAC", wider)
    assert carfac.peak_of(carfac.gain_control_spread()[0])[2] > width


def test_a_tone_takes_gain_from_the_channels_around_it():
    adapted, quiet = carfac.adapted_to_a_tone(), CARFAC(linear_car=True, open_loop=True, dtype="float64").fit()
    fall_db = {channel: carfac.tuning(quiet, channel)[1] - carfac.tuning(adapted, channel)[1] for channel in (38, 64)}
    assert fall_db[38] > 30
    assert fall_db[64] < 1


@pytest.mark.parametrize(("kinds", "references"), [("speed", None), ("golden", "no/such/folder")])
def test_what_is_not_there_is_named(kinds, references):
    with pytest.raises(ValueError, match=r"speed|no/such/folder"):
        conformance(references, kinds=kinds)


@pytest.mark.parametrize(("found", "status"), [(1e-10, 0), (1e-3, 1)])
def test_the_command_prints_writes_a_page_and_fails_with_a_claim(found, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(KINDS, "golden", (lambda references: iter([Row("M", "golden", "a <b>", found, 1e-9)]),))
    page = tmp_path / "page.html"
    assert command.main(["conformance", "--kinds", "golden", "--html", str(page)]) == status
    assert "M: a <b>: error" in capsys.readouterr().out
    assert "a &lt;b&gt;" in page.read_text()


def test_the_command_names_a_folder_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        command.main(["conformance", "--references", "no/such/folder"])
    assert "no/such/folder" in capsys.readouterr().err


def test_a_report_counts_what_it_has():
    rows = [Row("M", "golden", "o", 0.0, 1e-9), Row("M", "golden", "p", reason="no file", skipped=True)]
    assert "2 claims: 1 hold, 0 fail, 1 skipped" in as_text(rows)
    assert as_page(rows).count("<tr") == 3
    assert folder.conformance is conformance
