"""What holds of every model and stage: that its adjoint is its own, and what must change nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import skaud
from skaud import recipes
from skaud.testing.checks import CHECKS, ROUNDING, NotApplicable
from skaud.testing.conformance.row import Row, error
from skaud.testing.dot import dot_test

# Models, small enough for a table of them all.
FEW = {"low_hz": 500.0, "high_hz": 1500.0}
MODELS: dict[str, dict[str, Any]] = {
    "CARFAC": {},
    "Osses2021": FEW,
    "Dau1997": FEW,
    "King2019": FEW,
    "AuditorySpectrogram": {},
    "BiomimeticFrontend": {"scales_cycles_per_octave": [1.0, 2.0], "rates_hz": [4.0, -8.0]},
}
STYLES = ("just_hwr", "one_cap", "two_cap", "two_cap_with_syn")
LIMIT = 1e-12
# Of the largest value; what else is checked holds to the bit.
NEARLY = {"float32 follows float64": 2e-3, "batch changes only rounding": ROUNDING["float32"]}
SHORT = {"max_lag_s": 0.002, "trigger_window_s": 0.004, "frame_length": 0.003}
STAGES = {
    "GammatoneFilterbank": FEW,
    "ModulationFilterbank": {"low_hz": 500.0, "high_hz": 1000.0},  # 5 channels
    "StabilizedAuditoryImage": SHORT,
    "Pitchogram": SHORT,
}
HEAR = ("HeadphoneFilter", "MiddleEarFilter", "GammatoneFilterbank", "CochlearFilterbank")  # stages that take sound


def public(folder: str) -> list[str]:
    """Public names that are defined in a folder of the package."""
    return [name for name, home in skaud._HOME.items() if home.startswith(f"skaud.{folder}.")]


def adjoints(references: Path | None = None) -> Iterator[Row]:
    """Dot tests of every model and stage, by the sound and by each parameter that has a derivative."""
    random = np.random.default_rng(0)
    sound, channels = 0.1 * random.standard_normal((2, 300)), random.standard_normal((1, 5, 300)) ** 2
    for style in STYLES:
        yield from _dots(f"CARFAC, {style}", skaud.CARFAC(ihc_style=style, erb_per_step=2.0), sound)
    for name in public("models"):
        if name != "CARFAC":
            yield from _dots(name, getattr(skaud, name)(**MODELS.get(name, {})), 10 * np.tile(sound, 4))
    for name in public("stages"):
        stage = getattr(skaud, name)
        if not hasattr(stage, "vjp"):
            yield Row(name, "adjoint", "all", reason="it has no vjp", skipped=True)
        elif name in HEAR:
            yield from _dots(name, stage(**STAGES.get(name, {})), sound)
        else:
            yield from _dots(name, stage(**STAGES.get(name, {})), channels)


def _dots(name: str, estimator: Any, X: np.ndarray) -> Iterator[Row]:
    try:
        for parameter, difference in dot_test(estimator, X, rtol=np.inf).items():
            yield Row(name, "adjoint", f"by {parameter}", difference, LIMIT)
    except (ValueError, TypeError, AssertionError) as reason:
        yield Row(name, "adjoint", "all", failed=True, reason=f"{type(reason).__name__}: {reason}")


def invariances(references: Path | None = None) -> Iterator[Row]:
    """What padding, order, threads and chunks must not change, of every model, as `check_model` checks it."""
    for name in public("models"):
        model = getattr(skaud, name)(**MODELS.get(name, {}))
        later_s = getattr(model.fit(), "latency_s_", 0)
        for check in CHECKS:
            what = check.__name__.removeprefix("check_").replace("_", " ")
            if later_s and what == "chunks equal the whole":
                reason = (
                    f"a stream has its responses {later_s:.2g} s later; tests/models/test_biomimetic.py waits for them"
                )
                yield Row(name, "invariance", what, reason=reason, skipped=True)
                continue
            try:
                check(model)
            except NotApplicable as reason:
                yield Row(name, "invariance", what, reason=str(reason), skipped=True)
            except Exception as reason:  # whatever a model says to sounds that it should take
                yield Row(name, "invariance", what, failed=True, reason=f"{type(reason).__name__}: {reason}")
            else:
                yield Row(name, "invariance", what, limit=NEARLY.get(what, 0.0))


def of_stages(references: Path | None = None) -> Iterator[Row]:
    """What chunks, order and other signals must not change of the stages, each by itself."""
    random = np.random.default_rng(0)
    sound, channels = 0.1 * random.standard_normal((2, 12000)), random.standard_normal((2, 5, 3000)) ** 2
    for name in public("stages"):
        stage, X = getattr(skaud, name)(**STAGES.get(name, {})), sound if name in HEAR else channels
        whole = stage.fit(X).transform(X)
        yield _same(name, "a signal is the same alone and among others", stage.transform(X[1:])[0], whole[1])
        yield _same(name, "order changes nothing", stage.transform(X[::-1]), whole[::-1])
        later_s = getattr(stage, "latency_s_", 0)
        if later_s > 1:
            reason = f"a stream has its responses {later_s:.2g} s later; tests/models/test_biomimetic.py waits for them"
            yield Row(name, "invariance", "chunks equal the whole", reason=reason, skipped=True)
            continue
        state, chunks = stage.initial_state(2), []
        for chunk in np.split(X, [1, 50, 1777], axis=-1):
            chunk, state = stage.transform_chunk(chunk, state)
            chunks.append(chunk)
        streamed = np.concatenate(chunks, axis=-1)
        heard = X.shape[-1] - round(later_s * stage.sample_rate) if later_s else streamed.shape[-1]
        found, wanted = streamed[..., :heard], whole[..., :heard]
        yield _same(name, "chunks equal the whole", found, wanted)


def of_steps(references: Path | None = None) -> Iterator[Row]:
    """What chunks and other signals must not change of the steps on frames, and other signals of the recipes."""
    frames = 0.3 + np.abs(np.random.default_rng(0).standard_normal((2, 20, 40)))
    for name in public("frames"):
        step = getattr(skaud, name)().fit(frames)
        whole, state, chunks = step.transform(frames), step.initial_state(2), []
        for chunk in np.split(frames, [1, 2, 3, 20], axis=-1):
            chunk, state = step.transform_chunk(chunk, state)
            chunks.append(chunk)
        streamed = np.concatenate(chunks, axis=-1)
        yield _same(name, "chunks equal the whole", streamed, whole[..., : 40 - step.latency_frames_])
        yield _same(name, "a signal is the same alone and among others", step.transform(frames[1:])[0], whole[1])
    sounds = 0.02 * np.random.default_rng(0).standard_normal((3, 1600))
    for name in recipes.__all__:
        recipe = getattr(recipes, name)(16000).fit(sounds)
        whole = np.asarray(recipe.transform(sounds))
        yield _same(name, "a signal is the same alone and among others", recipe.transform(sounds[1:2])[0], whole[1])
        yield _same(name, "order changes nothing", recipe.transform(sounds[::-1]), whole[::-1])


def _same(name: str, what: str, found: Any, wanted: Any) -> Row:
    if np.array_equal(found, wanted):
        return Row(name, "invariance", what)
    reason = f"shapes {np.shape(found)} and {np.shape(wanted)}, or an error of {error(found, wanted):.1e}"
    return Row(name, "invariance", what, failed=True, reason=reason)
