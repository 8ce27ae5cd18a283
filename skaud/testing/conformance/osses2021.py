"""Osses2021 and its stages against the Auditory Modeling Toolbox 1.4, and against the numbers of the papers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

import skaud
from skaud import AdaptationLoops, GammatoneFilterbank, HairCellEnvelope, Osses2021, datasets
from skaud.design.ears import unit_peak
from skaud.testing.conformance.row import Row, error, load, skip_all

MIDDLE_EARS = ("jepsen2008", "lopezpoveda2001")
KEYS = {"filterbank": "filterbank", "hair_cell": "ihc", "adaptation": "adaptation"}  # output -> golden key
LIMITS = {"float64": 1e-6, "float32": 1e-4}
N_CHANNELS = 31
PAPER = "Osses & Kohlrausch 2021"
NOWHERE = "no numbers of its program are in the folder; dot tests and invariances hold it"
REPORTED = "AMT, a tone burst at 60 dB SPL"


def golden(references: Path | None) -> Iterator[Row]:
    """Responses end to end, and of each stage fed with the toolbox's stage before it."""
    yield from skip_all("Dau1997", ["all"], NOWHERE)
    file = load(references, "osses2021_amt.npz")
    if isinstance(file, str):
        outputs = ("middle_ear", *KEYS, "modulation")
        yield from skip_all("Osses2021", [f"{ear}, {name}" for ear in MIDDLE_EARS for name in outputs], file)
        for name in ("HeadphoneFilter", "MiddleEarFilter"):
            yield from skip_all(name, [f"{ear}, FIR" for ear in MIDDLE_EARS], file)
        for name in ("GammatoneFilterbank", "HairCellEnvelope", "AdaptationLoops", "ModulationFilterbank"):
            yield from skip_all(name, MIDDLE_EARS, file)
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
    firs = {"headphone": numbers["headphone_fir"], "middle_ear": unit_peak(numbers["middleear_fir"])}
    for name, fir in firs.items():
        own = getattr(stages, name)
        yield Row(type(own).__name__, "golden", f"{ear}, FIR", error(own.filter_.fir, fir), 1e-12)
    channels = stages.filterbank.fit_transform(numbers["middleear"][np.newaxis])
    filtered, envelopes = channels[0, :, ::stride], stages.hair_cell.fit_transform(channels)[0, :, ::stride]
    yield Row("GammatoneFilterbank", "golden", ear, error(filtered, numbers["filterbank"]), 1e-6)
    # The toolbox's filterbank is a polynomial of order 4, which is off by 5e-9 at low frequencies.
    yield Row("HairCellEnvelope", "golden", f"{ear}, our filterbank", error(envelopes, numbers["ihc"]), 1e-8)
    yield from _channel_by_channel(ear, numbers, filtered, envelopes)
    adapted = stages.adaptation.fit_transform(numbers["adaptation_in_ch15"][np.newaxis, np.newaxis])[0, 0]
    found = error(adapted, numbers["adaptation_out_ch15"])
    yield Row("AdaptationLoops", "golden", f"{ear}, channel 15", found, 1e-9)
    one = stages.modulation.set_params(low_hz=numbers["fc"][15], high_hz=numbers["fc"][15])
    modulated = one.fit_transform(numbers["adaptation_out_ch15"][np.newaxis, np.newaxis])[0, :, ::stride]
    found = error(modulated, numbers["modulation_15"])
    yield Row("ModulationFilterbank", "golden", f"{ear}, channel 15", found, 1e-9)


def _channel_by_channel(
    ear: str, numbers: dict[str, np.ndarray], filtered: np.ndarray, envelopes: np.ndarray
) -> Iterator[Row]:
    """Errors over the largest value of the channel itself: what the toolbox's polynomials lose falls with frequency."""
    of_filters = [error(own, wanted) for own, wanted in zip(filtered, numbers["filterbank"], strict=True)]
    of_cells = [error(own, wanted) for own, wanted in zip(envelopes, numbers["ihc"], strict=True)]
    high = numbers["fc"] >= 1200
    yield Row("GammatoneFilterbank", "golden", f"{ear}, lowest channel by itself", of_filters[0], 1e-6)
    yield Row("GammatoneFilterbank", "golden", f"{ear}, highest channel by itself", of_filters[-1], 1e-12)
    what = f"{ear}, our filterbank, each channel from 1.2 kHz on by itself"
    yield Row("HairCellEnvelope", "golden", what, float(np.max(np.array(of_cells)[high])), 1e-9)
    what = f"{ear}, our filterbank, highest channel by itself"
    yield Row("HairCellEnvelope", "golden", what, of_cells[-1], 1e-12)


def published(references: Path | None = None) -> Iterator[Row]:
    """Numbers of the papers."""
    channels = Osses2021.preset("amt").fit().channel_frequencies_hz_
    yield Row("Osses2021", "published", "channels", len(channels), 0, N_CHANNELS, PAPER)
    yield Row("Osses2021", "published", "first channel in Hz", float(channels[0]), 0.5, 87, "AMT 1.4")
    yield Row("Osses2021", "published", "last channel in Hz", float(channels[-1]), 0.5, 7819, "AMT 1.4")
    what = "3 dB corner of its low-pass, in Hz"
    yield Row("HairCellEnvelope", "published", what, hair_cell_corner_hz(), 10, 770, "Breebaart et al. 2001, rounded")
    onset, steady = adaptation_to_a_burst(5)
    yield Row("AdaptationLoops", "published", "onset of a burst at 60 dB, in model units", onset, 0.1, 613.6, REPORTED)
    yield Row("AdaptationLoops", "published", "the same, steady", steady, 0.1, 49.0, REPORTED)
    for name in ("HeadphoneFilter", "MiddleEarFilter"):
        what = "gains at 8 and 16 kHz against those at 44.1 kHz, 250 Hz to 3 kHz, in dB"
        yield Row(name, "published", what, ears_at_low_rates_db(name), 0.6, source="a bound of this package")


def hair_cell_corner_hz() -> float:
    """Where the stage's answer to an impulse, which the rectifier leaves as it is, has half the power of 0 Hz."""
    impulse = np.zeros((1, 1, 44100))
    impulse[..., 0] = 1.0
    gains = np.abs(np.fft.rfft(HairCellEnvelope(44100, dtype="float64").fit_transform(impulse)[0, 0]))
    return float(np.flatnonzero(gains >= gains[0] / np.sqrt(2))[-1])  # a bin is 1 Hz


def ears_at_low_rates_db(name: str) -> float:
    """Largest difference of the gains at low sample rates from those at 44.1 kHz."""
    hz = np.array([250, 500, 1000, 2000, 3000])

    def gains_db(rate: int) -> np.ndarray:
        fir = getattr(skaud, name)(rate).fit(np.zeros((1, 100))).filter_.fir
        return 20 * np.log10(np.abs(np.exp(-2j * np.pi * np.outer(hz, np.arange(len(fir))) / rate) @ fir))

    return max(float(np.abs(gains_db(rate) - gains_db(44100)).max()) for rate in (8000, 16000))


def adaptation_to_a_burst(limit: float) -> tuple[float, float]:
    """Onset and steady state in model units, of 1 s of 2 kHz at 60 dB SPL with ramps of 5 ms, without the ears."""
    X = datasets.make_tone(2000, duration_s=1.0, db_spl=60, ramp_s=0.005)
    channel: dict[str, Any] = {"low_hz": 2000, "high_hz": 2000, "dtype": "float64"}
    stages = GammatoneFilterbank(**channel), HairCellEnvelope(dtype="float64")
    response = make_pipeline(*stages, AdaptationLoops(adaptation_limit=limit, dtype="float64")).fit_transform(X)[0][0]
    return float(response.max()), float(response[-11025:-441].mean())
