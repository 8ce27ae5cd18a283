"""Parameters that a fit finds again from the responses of a model that has them."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skaud import CARFAC, Osses2021
from skaud.fitting import fit_response
from skaud.testing.conformance.row import Row

BOUND = "a bound of this package"
PASCALS_AT_0_DB = 10 ** (-93.98 / 20)
# Health of the outer hair cells over the place, from 0 at the base to 1 at the apex.
PROFILES = {
    "ramp": lambda place: 0.2 + 0.7 * place,
    "notch": lambda place: 1 - 0.7 * np.exp(-(((place - 0.5) / 0.1) ** 2)),
    "step": lambda place: np.where(place < 0.5, 0.4, 0.9),
}
OUTPUTS = ("bm", "nap", "features")
# Other parameters of CARFAC -> what they were changed to.
OTHERS: dict[str, Any] = {
    "velocity_scale": 0.25,
    "v_offset": 0.1,
    "ohc_health": 0.4,
    "tau2_out": 0.0013,
    "agc_time_constants_s": (0.003, 0.006, 0.04, 0.1),
}
# What was changed in Osses2021, in words -> its parameters.
ADAPTATIONS: dict[str, dict[str, Any]] = {
    "limit": {"adaptation_limit": 8.0},
    "time constants": {"adaptation_time_constants_s": (0.006, 0.04, 0.15, 0.3, 0.45)},
    "limit and time constants": {
        "adaptation_limit": 8.0,
        "adaptation_time_constants_s": (0.006, 0.04, 0.15, 0.3, 0.45),
    },
    "limit and floor": {"adaptation_limit": 4.0, "minimum_level_db": 15.0},
}


def small_cochlea(**parameters: Any) -> CARFAC:
    """CARFAC with 26 channels, at 8 kHz, in frames."""
    return CARFAC(**{"sample_rate": 8000, "erb_per_step": 1.0, "pooling": None} | parameters)


def whole_cochlea(**parameters: Any) -> CARFAC:
    """CARFAC with 71 channels, in frames."""
    return CARFAC(pooling=None, **parameters)


def tones_and_a_click(rate: float, duration_s: float = 0.04) -> np.ndarray:
    """Five tones at 60 dB SPL, and a click of 107 dB peak equivalent, in pascals."""
    t = np.arange(round(duration_s * rate)) / rate
    amplitude = 10 ** (60 / 20) * PASCALS_AT_0_DB * np.sqrt(2)
    tones = [amplitude * np.sin(2 * np.pi * hz * t) for hz in (250, 500, 1000, 2000, 3000)]
    click = np.zeros(len(t))
    click[20] = 10 ** (107 / 20) * PASCALS_AT_0_DB * np.sqrt(2)
    return np.stack([*tones, click])


def modulated_tones(rate: float = 16000) -> np.ndarray:
    """Three tones of 0.3 s, two of them modulated, that begin after 50 ms of silence, in pascals."""
    t = np.arange(round(0.3 * rate)) / rate
    X = np.stack(
        [
            10 ** (db_spl / 20) * PASCALS_AT_0_DB * np.sin(2 * np.pi * hz * t) * (1 + np.sin(2 * np.pi * am_hz * t))
            for db_spl, hz, am_hz in ((70, 500, 4), (60, 1000, 10), (80, 1200, 0))
        ]
    )
    X[:, : round(0.05 * rate)] = 0
    return X


def few_channels(**parameters: Any) -> Osses2021:
    """Osses2021 from 400 to 1500 Hz, at 16 kHz, in frames."""
    return Osses2021(**{"sample_rate": 16000, "low_hz": 400, "high_hz": 1500, "pooling": None} | parameters)


def respond(model: Any, X: Any, output: str) -> np.ndarray:
    """Features of a model, or a response at full rate."""
    return model.fit(X).transform(X) if output == "features" else model.fit(X).simulate(X, output)[output]


def find(start: Any, X: Any, target: Any, **options: Any) -> Any:
    """The fitted model; that a fit ends at its last iteration is no matter where its error is told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit_response(start, X, target, **options)


def health_error(make: Any, profile: str, output: str, seed: int | None = None) -> float:
    """Largest error of a channel's health, from 0.7 everywhere; with a seed, in noise 20 dB below each channel."""
    start = make(ohc_health=0.7).fit()
    X = tones_and_a_click(start.sample_rate)
    health = PROFILES[profile](np.linspace(0, 1, start.n_channels_))
    target = respond(make(ohc_health=health), X, output)
    if seed is not None:
        level = np.sqrt((target**2).mean(axis=-1, keepdims=True))
        target = target + 0.1 * level * np.random.default_rng(seed).standard_normal(target.shape)
    start.set_params(ohc_health=np.full(start.n_channels_, 0.7))
    found = find(start, X, target, learn="ohc_health", output=output, max_iter=1000)
    return float(np.abs(found.ohc_health_ - health).max())


def relative_error(model: Any, wanted: dict[str, Any]) -> float:
    """Largest relative error of the parameters found."""
    return max(
        float(np.abs(np.asarray(getattr(model, f"{name}_")) / np.asarray(value) - 1).max())
        for name, value in wanted.items()
    )


def of_a_small_cochlea(references: Path | None = None) -> Iterator[Row]:
    """Health channel by channel, and other parameters, of 26 channels."""
    for output in OUTPUTS:
        for profile in PROFILES:
            what = f"health, {profile}, from {output}, 26 channels"
            yield Row("CARFAC", "fit", what, health_error(small_cochlea, profile, output), 0.02, source=BOUND)
    for profile in PROFILES:
        worst = max(health_error(small_cochlea, profile, "bm", seed) for seed in range(3))
        what = f"health, {profile}, from bm in noise, 26 channels"
        yield Row("CARFAC", "fit", what, worst, 0.1, source=f"{BOUND}; the worst of three noises")
    tones = tones_and_a_click(8000, 0.3)[1:4]
    X = np.stack([tones[0], tones[2], 4 * tones[1]])
    for name, value in OTHERS.items():
        target = respond(small_cochlea(**{name: value}), X, "nap")
        found = find(small_cochlea(), X, target, learn=name, output="nap")
        what = f"{name}, from nap, relative"
        yield Row("CARFAC", "fit", what, relative_error(found, {name: value}), 0.01, source=BOUND)


def of_a_whole_cochlea(references: Path | None = None) -> Iterator[Row]:
    """Health channel by channel, of 71 channels."""
    for output in OUTPUTS:
        for profile in PROFILES:
            what = f"health, {profile}, from {output}, 71 channels"
            yield Row("CARFAC", "fit", what, health_error(whole_cochlea, profile, output), 0.02, source=BOUND)


def of_the_adaptation(references: Path | None = None) -> Iterator[Row]:
    """Parameters of Osses2021's adaptation loops."""
    X = modulated_tones()
    for what, changed in ADAPTATIONS.items():
        for output in ("features", "adaptation"):
            target = respond(few_channels(**changed), X, output)
            found = find(few_channels(), X, target, learn=tuple(changed), output=output)
            error = relative_error(found, changed)
            yield Row("Osses2021", "fit", f"{what}, from {output}, relative", error, 0.01, source=BOUND)
