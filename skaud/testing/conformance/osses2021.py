"""Osses2021 and its stages against the Auditory Modeling Toolbox 1.4, and against the numbers of the papers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from skaud import AdaptationLoops, GammatoneFilterbank, HairCellEnvelope, Osses2021, datasets
from skaud.testing.conformance.row import Row, error, load, skip_all

MIDDLE_EARS = ("jepsen2008", "lopezpoveda2001")
KEYS = {"filterbank": "filterbank", "hair_cell": "ihc", "adaptation": "adaptation"}  # output -> golden key
LIMITS = {"float64": 1e-6, "float32": 1e-4}
N_CHANNELS = 31
PAPER = "Osses & Kohlrausch 2021"


def golden(references: Path | None) -> Iterator[Row]:
    """Responses end to end, and of each stage fed with the toolbox's stage before it."""
    file = load(references, "osses2021_amt.npz")
    if isinstance(file, str):
        outputs = ("middle_ear", *KEYS, "modulation")
        yield from skip_all("Osses2021", [f"{ear}, {name}" for ear in MIDDLE_EARS for name in outputs], file)
        return
    for ear in MIDDLE_EARS:
        prefix = f"{ear}_44100/"
        numbers = {key.removeprefix(prefix): value for key, value in file.items() if key.startswith(prefix)}
        for dtype, limit in LIMITS.items():
            yield from _end_to_end(ear, dtype, limit, numbers)
        yield from _stage_by_stage(ear, numbers)


def _end_to_end(ear: str, dtype: str, limit: float, numbers: dict[str, np.ndarray]) -> Iterator[Row]:
    X = numbers["x"][np.newaxis]
    model = Osses2021.preset("amt", middle_ear=ear, rms_one_db_spl=None, dtype=dtype).fit(X)
    responses = model.simulate(X)
    sound = error(responses.middle_ear[0, 0], numbers["middleear"])
    yield Row("Osses2021", "golden", f"{ear}, middle_ear, {dtype}", sound, 1e-12 if dtype == "float64" else 1e-5)
    stride = numbers["stride"]
    for output, key in KEYS.items():
        found = error(responses[output][0, :, ::stride], numbers[key])
        yield Row("Osses2021", "golden", f"{ear}, {output}, {dtype}", found, limit)
    wanted = np.concatenate([numbers[f"modulation_{channel:02d}"] for channel in range(N_CHANNELS)])
    found = error(responses.modulation[0, :, ::stride], wanted)
    yield Row("Osses2021", "golden", f"{ear}, modulation, {dtype}", found, limit)


def _stage_by_stage(ear: str, numbers: dict[str, np.ndarray]) -> Iterator[Row]:
    X, stride = numbers["x"][np.newaxis], numbers["stride"]
    stages = Osses2021.preset("amt", middle_ear=ear, rms_one_db_spl=None, dtype="float64").fit(X).stages_
    channels = stages.filterbank.fit_transform(numbers["middleear"][np.newaxis])
    yield Row("GammatoneFilterbank", "golden", ear, error(channels[0, :, ::stride], numbers["filterbank"]), 1e-6)
    envelopes = stages.hair_cell.fit_transform(channels)[0, :, ::stride]
    # The toolbox's filterbank is a polynomial of order 4, which is off by 5e-9 at low frequencies.
    yield Row("HairCellEnvelope", "golden", f"{ear}, our filterbank", error(envelopes, numbers["ihc"]), 1e-8)
    adapted = stages.adaptation.fit_transform(numbers["adaptation_in_ch15"][np.newaxis, np.newaxis])[0, 0]
    found = error(adapted, numbers["adaptation_out_ch15"])
    yield Row("AdaptationLoops", "golden", f"{ear}, channel 15", found, 1e-9)
    one = stages.modulation.set_params(low_hz=numbers["fc"][15], high_hz=numbers["fc"][15])
    filtered = one.fit_transform(numbers["adaptation_out_ch15"][np.newaxis, np.newaxis])[0, :, ::stride]
    found = error(filtered, numbers["modulation_15"])
    yield Row("ModulationFilterbank", "golden", f"{ear}, channel 15", found, 1e-9)


def published(references: Path | None = None) -> Iterator[Row]:
    """Numbers of the papers."""
    channels = Osses2021.preset("amt").fit().channel_frequencies_hz_
    yield Row("Osses2021", "published", "channels", len(channels), 0, N_CHANNELS, PAPER)
    yield Row("Osses2021", "published", "first channel in Hz", float(channels[0]), 0.5, 87, "AMT 1.4")
    yield Row("Osses2021", "published", "last channel in Hz", float(channels[-1]), 0.5, 7819, "AMT 1.4")
    hz = np.geomspace(100, 5000, 20001)
    gain_db = -10 * np.log10(1 + (np.tan(np.pi * hz / 44100) / np.tan(np.pi * 2000 / 44100)) ** 2) * 5
    corner = float(hz[np.abs(gain_db + 10 * np.log10(2)).argmin()])
    what = "3 dB corner of five low-passes at 2 kHz, in Hz"
    yield Row("HairCellEnvelope", "published", what, corner, 10, 770, "Breebaart et al. 2001, rounded")
    onset, steady = adaptation_to_a_burst(5)
    yield Row("AdaptationLoops", "published", "onset of a burst at 60 dB, in model units", onset, 1, 613.6, PAPER)
    yield Row("AdaptationLoops", "published", "the same, steady", steady, 0.5, 49.0, PAPER)


def adaptation_to_a_burst(limit: float) -> tuple[float, float]:
    """Onset and steady state in model units, of 1 s of 2 kHz at 60 dB SPL with ramps of 5 ms, without the ears."""
    X = datasets.make_tone(2000, duration_s=1.0, db_spl=60, ramp_s=0.005)
    channel: dict[str, Any] = {"low_hz": 2000, "high_hz": 2000, "dtype": "float64"}
    stages = GammatoneFilterbank(**channel), HairCellEnvelope(dtype="float64")
    response = make_pipeline(*stages, AdaptationLoops(adaptation_limit=limit, dtype="float64")).fit_transform(X)[0][0]
    return float(response.max()), float(response[-11025:-441].mean())
