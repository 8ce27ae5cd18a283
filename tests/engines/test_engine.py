"""What derives from any engine: clips of different lengths, frames, blocks, look-ahead, complex steps."""

import ast
from pathlib import Path

import numpy as np
import pytest

import skaud
from skaud import GammatoneFilterbank, HeadphoneFilter, Osses2021
from skaud.engines.engine import along, frame_means_adjoint, respond, respond_in_blocks, respond_side_by_side
from skaud.engines.fir import Fir

RATE = 8000
MODELS = {
    "chain": GammatoneFilterbank(RATE, high_hz=2000, dtype="float64"),
    "filter": HeadphoneFilter(RATE, dtype="float64"),
    "filter that looks ahead": HeadphoneFilter(RATE, phase="zero", dtype="float64"),
    "series": Osses2021(RATE, high_hz=2000, output="adaptation", dtype="float64"),
    "series that looks ahead": Osses2021(RATE, high_hz=2000, output="adaptation", phase="amt", dtype="float64"),
    "a filter of a series": Osses2021(RATE, high_hz=2000, output="middle_ear", phase="zero", dtype="float64"),
}


@pytest.fixture(params=MODELS, name="model")
def fitted(request):
    return MODELS[request.param].fit(np.zeros((1, 100)))


def _clips(*lengths, n_ears=2):
    random = np.random.default_rng(0)
    return [0.02 * random.standard_normal((n_ears, n)) for n in lengths]


@pytest.mark.parametrize("frame_samples", [None, 80])
@pytest.mark.parametrize("hop", [None, 240, 10**6])
def test_clips_side_by_side_and_in_blocks_are_what_each_is_alone(model, frame_samples, hop):
    clips, engine, output = _clips(30, 80, 500, 500, 713), model.engine_, model.output
    pieces = [[] for _ in clips]
    for i, response in respond_in_blocks(engine, clips, output, frame_samples, hop):
        pieces[i].append(response)
    together = respond_side_by_side(engine, clips, output, frame_samples)
    for clip, own, whole in zip(clips, pieces, together):
        alone = respond(engine, clip[np.newaxis], (output,), frame_samples)[output][0]
        np.testing.assert_array_equal(np.concatenate(own, axis=-1), alone)
        np.testing.assert_array_equal(whole, alone)


def test_a_clip_shorter_than_a_frame_is_one_frame_and_the_rest_of_a_longer_one_is_dropped(model):
    engine, output = model.engine_, model.output
    for n_samples, frame in ((30, 30), (199, 80)):
        (clip,) = _clips(n_samples)
        frames = respond(engine, clip[np.newaxis], (output,), 80)[output]
        full = respond(engine, clip[np.newaxis], (output,), None)[output]
        n_frames = n_samples // frame
        means = full[..., : n_frames * frame].reshape(*full.shape[:3], n_frames, frame).mean(-1)
        np.testing.assert_allclose(frames, means, rtol=1e-12, atol=1e-12 * np.abs(full).max())


@pytest.mark.parametrize("frame_samples", [None, 80])
def test_a_recorded_response_is_that_of_a_run(model, frame_samples):
    x, engine, output = np.stack(_clips(700, 700, n_ears=1)), model.engine_, model.output
    recorded, tape = engine.record(x, output, frame_samples)
    np.testing.assert_array_equal(recorded, respond(engine, x, (output,), frame_samples)[output])
    x_bar, bars = engine.pull_back(tape, np.ones_like(recorded), engine.parts)
    assert x_bar.shape == x.shape
    assert [bar.shape for bar in bars] == [array.shape for array in engine.coefficients()]


def test_bars_of_coefficients_are_derivatives_along_their_complex_steps():
    random, (x,) = np.random.default_rng(1), _clips(300)
    taps, step = random.standard_normal((2, 24))
    engine, moved = Fir("ear", taps, 5, "float64"), Fir("ear", taps + 1e-30j * step, 5, "complex128")
    response, tape = engine.record(x[np.newaxis], "ear", 7)
    bar = random.standard_normal(response.shape)
    forwards = (respond(moved, x[np.newaxis] + 0j, ("ear",), 7)["ear"].imag / 1e-30 * bar).sum()
    assert along(engine.pull_back(tape, bar, ("ear",))[1], moved) == pytest.approx(forwards, rel=1e-12)
    assert along(engine.pull_back(tape, bar, ())[1], moved) == 0  # nothing was wanted


def test_samples_behind_the_last_whole_frame_have_no_derivative():
    bar = frame_means_adjoint(np.ones((1, 1, 1, 2)), 3, 8)
    np.testing.assert_allclose(bar.ravel(), [1 / 3] * 6 + [0, 0])


def test_engines_know_no_estimator():
    allowed = {"design", "engines", "kernels"}
    for path in (Path(skaud.__file__).parent / "engines").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("skaud"):
                assert node.module.split(".")[1] in allowed, f"{path.name} imports {node.module}"
