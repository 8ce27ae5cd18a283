"""CARFAC against its NumPy and JAX programs in float64, and against the numbers of its papers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skaud import CARFAC, datasets
from skaud.testing.conformance import hair_cells
from skaud.testing.conformance.row import Row, error, load, skip_all

PAPER = "Lyon et al. 2024"
CASES: dict[str, dict] = {  # golden case -> parameters
    "two_cap_22050": {},
    "one_cap_22050": {"ihc_style": "one_cap"},
    "just_hwr_22050": {"ihc_style": "just_hwr"},
    "syn_22050": {"ihc_style": "two_cap_with_syn"},
    "delay_22050": {"use_delay_buffer": True},
    "linear_open_22050": {"linear_car": True, "open_loop": True},
    "basal0_22050": {},
    "half_22050": {},
    "binaural_22050": {},
    "two_cap_48000": {},
    "loud_22050": {},
}
KEYS = {"nap": "nap", "bm": "bm", "agc": "agc_zb"}  # output -> golden key
LIMITS = {"float64": 1e-9, "float32": 2e-3}
# Channel -> frequency in Hz, gain in dB and 3 dB bandwidth in Hz of its peak, and Q; and how far each may be off, as in
# the frequency-response test of google/carfac, where frequency and Q are rounded.
TUNING: dict[int, tuple[float, float, float, float]] = {
    10: (5604, 39.34, 705.6, 7.9),
    20: (3245, 55.61, 429.8, 7.6),
    30: (1809, 60.46, 248.1, 7.3),
    40: (965, 59.18, 138.7, 7.0),
    50: (477, 52.81, 74.8, 6.4),
    60: (195, 38.98, 37.5, 5.2),
    70: (32, 7.95, 14.6, 2.2),
}
TUNING_LIMITS = (0.5, 0.01, 0.1, 0.05)
# Style -> channel -> fall of its peak in dB after 2 s of a tone of 1 kHz with an amplitude of 0.1.
ADAPTATION = {
    "two_cap": {64: 0.258, 58: 0.963, 49: 7.224, 38: 31.373, 28: 26.244, 16: 12.726},
    "one_cap": {64: 0.264, 58: 0.986, 49: 7.309, 38: 31.644, 28: 27.214, 16: 13.823},
}
# There an impulse after the tone measures the gain, amid the ramps of the AGC; here it follows from the undamping.
ADAPTATION_SOURCE = "google/carfac, test of the adaptation, which names Lyon 2017, figure 19.9"
# Stage of the AGC -> peak in channels, its value, and width at half of it, of 0.74 s of an input of 100 in channel 40.
SPREAD = {
    1: (39.033166, 8.359763, 9.598703),
    2: (39.201534, 4.083376, 9.019020),
    3: (39.374404, 1.878256, 8.219043),
    4: (39.565957, 0.712351, 6.994498),
}
SPREAD_SOURCE = "google/carfac, test of the gain control, which names Lyon 2017, figure 19.7"
TUNING_SOURCE = "google/carfac, frequency-response test, which names Lyon 2017, figure 16.6"


def golden(references: Path | None) -> Iterator[Row]:
    """Responses, coefficients and gradients of the published programs."""
    file = load(references, "carfac_v2.npz")
    if isinstance(file, str):
        yield from skip_all("CARFAC", [f"{case}: {', '.join(KEYS)}" for case in CASES], file)
    else:
        for case, parameters in CASES.items():
            yield from _responses(case, parameters, file)
    nowhere = "the published program gives it no name of its own; dot tests and invariances hold it"
    yield from skip_all("CARFAC", ["ohc", "receptor_potential", "spikes_per_s"], nowhere)
    yield from _gradients(references)


def _responses(case: str, parameters: dict, file: dict[str, np.ndarray]) -> Iterator[Row]:
    numbers = {key.removeprefix(f"{case}/"): value for key, value in file.items() if key.startswith(f"{case}/")}
    if "ohc_health" in numbers:
        parameters = parameters | {"ohc_health": numbers["ohc_health"]}
    X = numbers["x"].T[np.newaxis]  # (1, n_ears, n_samples)
    for dtype, limit in LIMITS.items():
        model = CARFAC(int(numbers["fs"]), rms_one_db_spl=None, dtype=dtype, **parameters).fit(X)
        responses = model.simulate(X, tuple(KEYS))
        for output, key in KEYS.items():
            found = responses[output][0, :, :, :: numbers["stride"]].transpose(2, 1, 0)
            yield Row("CARFAC", "golden", f"{case}, {output}, {dtype}", error(found, numbers[key]), limit)
    car, _, _, agc = model.coefficients_
    pairs = {"pole_freqs": model.pole_frequencies_hz_, "car_r1_coeffs": car.r1, "car_zr_coeffs": car.zr}
    pairs |= {"car_h_coeffs": car.h, "car_g0_coeffs": car.stage_gain(1.0), "agc_spatial_fir": agc.spatial_fir}
    pairs |= {"agc_epsilon": agc.epsilon}
    errors = [error(value, numbers[key if key in numbers else f"coeff/{key}"]) for key, value in pairs.items()]
    yield Row("CARFAC", "golden", f"{case}, coefficients", max(errors), 1e-12)


def _gradients(references: Path | None) -> Iterator[Row]:
    file = load(references, "carfac_gradient.npz")
    wrt = ("X", "ohc_health", "velocity_scale", "v_offset")
    if isinstance(file, str):
        yield from skip_all("CARFAC", [f"gradient by {name}" for name in wrt], file)
        return
    for style in ("two_cap", "one_cap"):
        numbers = {key.split("/")[1]: value for key, value in file.items() if style in key}
        x = numbers["x"].T
        options: dict[str, Any] = {"ihc_style": style, "ohc_health": numbers["ohc_health"], "rms_one_db_spl": None}
        for dtype, limit in {"float64": 1e-8, "float32": 1e-3}.items():
            nap, pullback = CARFAC(22050, dtype=dtype, **options).fit(x).vjp(x, wrt=wrt, output="nap")
            bars = pullback(numbers["weights"].T[np.newaxis])
            bars = bars | {"X": bars["X"][0]}
            yield Row("CARFAC", "golden", f"{style}, NAP of JAX, {dtype}", error(nap[0].T, numbers["nap"]), limit)
            for name in wrt:
                found = error(bars[name], numbers[f"grad_{name.lower()}"])
                yield Row("CARFAC", "golden", f"{style}, gradient by {name}, {dtype}", found, limit)


def published(references: Path | None = None) -> Iterator[Row]:
    """Numbers of the papers."""
    linear = CARFAC(linear_car=True, open_loop=True, dtype="float64").fit()
    for channel, numbers in TUNING.items():
        names = ("peak in Hz", "gain in dB", "3 dB bandwidth in Hz", "Q")
        for name, own, wanted, limit in zip(names, tuning(linear, channel), numbers, TUNING_LIMITS, strict=True):
            yield Row("CARFAC", "published", f"{name} of channel {channel}", own, limit, wanted, TUNING_SOURCE)
    for style, wanted_db in ADAPTATION.items():
        adapted = adapted_to_a_tone(style)
        for channel, wanted in wanted_db.items():
            fall_db = tuning(linear, channel)[1] - tuning(adapted, channel)[1]
            what = f"fall of the peak of channel {channel} beside a tone, {style}, in dB"
            yield Row("CARFAC", "published", what, fall_db, 0.1, wanted, ADAPTATION_SOURCE)
    for stage, (spread, memory) in enumerate(zip(SPREAD.values(), gain_control_spread(), strict=True), 1):
        for name, own, wanted in zip(
            ("peak, in channels", "its value", "its width"), peak_of(memory), spread, strict=True
        ):
            yield Row("CARFAC", "published", f"AGC, stage {stage}: {name}", own, 2e-6 * wanted, wanted, SPREAD_SOURCE)
    yield from hair_cells.published()
    for rate, n_channels in {22050: 71, 44100: 83, 48000: 84}.items():
        own = CARFAC(rate).fit().n_channels_
        source = "follows from the published defaults"
        yield Row("CARFAC", "published", f"channels at {rate} Hz", own, 0, n_channels, source)
    yield from _facts()


def tuning(linear: CARFAC, channel: int) -> tuple[float, float, float, float]:
    """Frequency in Hz, gain in dB and bandwidth in Hz of a channel's peak, and Q, 3 dB below it as the published test.

    The model's `bandwidths_hz_` lie at half the power, 3.01 dB below, and are 0.2 % wider.
    """
    near_hz = linear.channel_frequencies_hz_[channel] * np.linspace(0.5, 1.5, 10001)
    gains_db = 20 * np.log10(np.abs(linear.transfer_function(near_hz)[channel]))
    top = int(gains_db.argmax())
    peak_hz, peak_db = float(near_hz[top]), float(gains_db[top])
    low_hz = np.interp(peak_db - 3, gains_db[: top + 1], near_hz[: top + 1])
    high_hz = np.interp(peak_db - 3, gains_db[top:][::-1], near_hz[top:][::-1])
    width_hz = float(high_hz - low_hz)
    return peak_hz, peak_db, width_hz, peak_hz / width_hz


def gain_control_spread() -> np.ndarray:
    """Memory of each stage of the AGC over channels, after 2^14 samples of an input of 100 to channel 40 alone."""
    agc = CARFAC(dtype="float64").fit().coefficients_.agc
    impulse = np.zeros(71)
    impulse[40] = 100 * agc.detect_scale
    memory = np.zeros((4, 71))
    every = np.cumprod(agc.decimation)
    for sample in range(every[0], 2**14 + 1, every[0]):
        for j in np.flatnonzero(sample % every == 0)[::-1]:  # slow stages first
            into = impulse + (agc.stage_gain * memory[j + 1] if j < 3 else 0)
            here = np.pad(memory[j] + agc.epsilon[j] * (into - memory[j]), 1, mode="edge")
            memory[j] = np.convolve(here, agc.spatial_fir[j][::-1], mode="valid")
    return memory


def peak_of(memory: np.ndarray) -> tuple[float, float, float]:
    """Place of the peak, its value, both of a parabola through three channels, and the width at half of it."""
    k = int(memory.argmax())
    before, here, after = memory[k - 1 : k + 2]
    off = (before - after) / (before - 2 * here + after) / 2
    top = here - off * (before - after) / 4
    first, last = np.flatnonzero(memory > top / 2)[[0, -1]]
    low = np.interp(top / 2, memory[[first - 1, first]], [first - 1, first])
    high = np.interp(top / 2, memory[[last + 1, last]], [last + 1, last])
    return float(k + off), float(top), float(high - low)


def adapted_to_a_tone(style: str = "two_cap") -> CARFAC:
    """The linear model with the undamping that 2 s of a tone of 1 kHz, 84 dB SPL, leave."""
    x = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(2 * 22050) / 22050)
    model = CARFAC(ihc_style=style, rms_one_db_spl=None, dtype="float64").fit()
    left = model.simulate(x[np.newaxis], "agc").agc[0, :, -1] / model.coefficients_.car.zr
    return CARFAC(ohc_health=left, linear_car=True, open_loop=True, dtype="float64").fit()


def _facts() -> Iterator[Row]:
    car = CARFAC(dtype="float64").fit().coefficients_.car
    u = np.linspace(0, 1, 101)[:, np.newaxis]
    radius = car.r1 + car.zr * u
    common = 1 - 2 * radius * car.a0 + radius**2
    exact = common / (common + car.h * radius * car.c0)
    worst_db = np.abs(20 * np.log10((car.ga * u**2 + car.gb * u + car.gc) / exact)).max()
    what = "parabola of the stage gain against the exact one, in dB"
    source = f"a bound of this package; the parabola is that of {PAPER}, section 2.7"
    yield Row("CARFAC", "published", what, float(worst_db), 0.01, source=source)
    healthy, passive = (CARFAC(ohc_health=health, dtype="float64").fit() for health in (1.0, 0.0))
    lost = (healthy.characteristic_gains_db_ - passive.characteristic_gains_db_).max()
    what = "largest loss of gain without outer hair cells, in dB"
    yield Row("CARFAC", "published", what, float(lost), 5, 50, f"{PAPER}, section 2.9: near 50")
    X = datasets.make_tone_complex([1000, 1200], duration_s=0.5, db_spl=70, sample_rate=22050)
    bm = CARFAC(dtype="float64").simulate(X, "bm").bm[0][:, 5512:]
    offset = np.abs(bm.mean(axis=1)).max() / bm.std(axis=1).max()
    source = f"a bound of this package; that there is no DC is in {PAPER}, section 2.1"
    yield Row("CARFAC", "published", "DC of the basilar membrane over its RMS", float(offset), 1e-3, source=source)
