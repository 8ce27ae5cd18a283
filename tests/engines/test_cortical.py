import itertools

import numpy as np
import pytest
from plain_biomimetic import cortical_response, cortical_tangent, rate_tangent, scale_tangent

from skaud.design import cortical as design
from skaud.engines.cortical import Cortical, STRFs
from skaud.engines.engine import STEP, respond, respond_in_blocks
from skaud.kernels.cortical import Cortex, cut, filters_beside

RANDOM = np.random.default_rng(7)
RATES = np.array([4.0, -8.0, 16.0, -2.0, 9.0])
SCALES = np.array([1.0, 2.0, 0.5, 4.0, 8.0])
N_CHANNELS, N_FRAMES = 24, 37


def make(response="real", dtype="float64", scales=SCALES, rates=RATES, n_threads=1):
    return Cortical(STRFs(scales, rates, 200.0, 24.0), N_CHANNELS, response, dtype).with_threads(n_threads)


def run(engine, spectrogram):
    """Response (n_signals, n_strfs, n_channels, n_frames)."""
    return respond(engine, spectrogram[:, np.newaxis], engine.outputs, None)["cortical"][:, 0]


def pull_back(engine, spectrogram, bar):
    _, tape = engine.record(spectrogram[:, np.newaxis], "cortical", None)
    x_bar, bars = engine.pull_back(tape, bar[:, np.newaxis], engine.parts)
    return x_bar[:, 0], *bars


@pytest.fixture(params=[64, 32, 16, 8], ids="filters of {} frames".format)
def n_rate_bins(request, monkeypatch):
    """Filters as long as the spectrogram, and shorter ones, for which it is cut."""
    monkeypatch.setattr(design, "LONGEST_RATE_FILTER", request.param)
    return request.param


def filters(n):
    return design.rate_filters(RATES, n, 200.0).transfer, design.scale_filters(SCALES, 32, 24.0)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_responses_are_those_of_the_full_2_d_ffts(n_threads):
    spectrogram = RANDOM.standard_normal((2, N_CHANNELS, N_FRAMES))
    wanted = cortical_response(spectrogram, *filters(64), RATES > 0)
    for part, values in (("complex", wanted), ("real", wanted.real), ("magnitude", np.abs(wanted))):
        np.testing.assert_allclose(run(make(part, n_threads=n_threads), spectrogram), values, atol=1e-13)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n", [8, 16, 32, 36])
def test_blocks_give_the_convolution_with_the_whole(monkeypatch, n, n_threads):
    monkeypatch.setattr(design, "LONGEST_RATE_FILTER", n)
    assert len(cut(N_FRAMES, n)) == -(-N_FRAMES // (2 * n))
    spectrogram = RANDOM.standard_normal((2, N_CHANNELS, N_FRAMES))
    over_scales = np.fft.fft(spectrogram, 64, axis=1)
    wanted = np.zeros((2, 5, N_CHANNELS, N_FRAMES), complex)
    for k, (rate, hz, scale) in enumerate(zip(filters(n)[0], RATES, filters(n)[1])):
        taps = np.fft.ifft(np.r_[rate, 0 * rate] if hz > 0 else np.r_[0 * rate, rate])
        taps = np.r_[taps[n + 1 :], taps[:n]]  # n - 1 frames before and after
        filtered = np.fft.ifft(over_scales * np.r_[scale, 0 * scale][:, np.newaxis], axis=1)[:, :N_CHANNELS]
        for i in range(2):
            for c in range(N_CHANNELS):
                wanted[i, k, c] = np.convolve(filtered[i, c], taps)[n - 1 :][:N_FRAMES]
    for part, values in (("complex", wanted), ("real", wanted.real)):
        np.testing.assert_allclose(run(make(part, n_threads=n_threads), spectrogram), values, atol=1e-13)


def test_filters_as_long_as_the_spectrogram_are_not_cut():
    spectrogram = RANDOM.standard_normal((1, N_CHANNELS, 64))
    shorter = run(make(), spectrogram[..., :63])
    np.testing.assert_allclose(run(make(), spectrogram * (np.arange(64) < 63))[..., :63], shorter)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("part", ["real", "magnitude", "complex"])
def test_chunks_give_the_bits_of_the_whole(monkeypatch, part, dtype):
    monkeypatch.setattr(design, "LONGEST_RATE_FILTER", 8)
    x = RANDOM.standard_normal((2, 2, N_CHANNELS, 101)).astype(dtype)
    engine = make(part, dtype)
    whole = respond(engine, x, engine.outputs, None)["cortical"]
    for cuts in ([0, 1, 1, 2, 9, 60, 101], [0, 101], range(102)):
        state, pieces = engine.start(2, 2), []
        for begin, end in itertools.pairwise(cuts):
            found, state = engine.run(x[..., begin:end], state.copy(), engine.outputs, None)
            pieces.append(found["cortical"])
            assert end - sum(piece.shape[-1] for piece in pieces) <= engine.latency_frames
        pieces.append(engine.finish(state, engine.outputs, None)["cortical"])
        np.testing.assert_array_equal(np.concatenate(pieces, axis=-1), whole)


def test_long_clips_in_blocks_and_a_few_filters_at_a_time_give_the_whole(monkeypatch):
    monkeypatch.setattr(design, "LONGEST_RATE_FILTER", 8)
    monkeypatch.setattr("skaud.engines.cortical.POOLED_AT_ONCE", 2)
    clips, engine = [RANDOM.standard_normal((1, N_CHANNELS, n)) for n in (5, 60, 100)], make()
    wanted = [respond(engine, clip[np.newaxis], engine.outputs, None)["cortical"][0] for clip in clips]
    for part, strfs in zip(engine.apart(), ([0, 1], [2, 3], [4])):
        found = {i: [] for i in range(3)}
        for i, frames in respond_in_blocks(part, clips, "cortical", None, 17):
            found[i].append(frames)
        for i, whole in enumerate(wanted):
            np.testing.assert_allclose(np.concatenate(found[i], axis=-1), whole[:, strfs], atol=1e-14)


@pytest.mark.usefixtures("n_rate_bins")
def test_neighbours_go_through_together_as_they_do_alone(monkeypatch):
    spectrogram = RANDOM.standard_normal((2, N_CHANNELS, N_FRAMES))
    bar, rates = RANDOM.standard_normal((2, 5, N_CHANNELS, N_FRAMES)), np.abs(RATES)
    together = run(make(rates=rates), spectrogram), *pull_back(make(rates=rates), spectrogram, bar)
    monkeypatch.setattr("skaud.kernels.cortical.BYTES_AT_ONCE", 0)
    alone = run(make(rates=rates), spectrogram), *pull_back(make(rates=rates), spectrogram, bar)
    for own, other in zip(together, alone):
        np.testing.assert_allclose(own, other, atol=1e-13 * np.abs(other).max())


@pytest.mark.parametrize(("scale", "n_bins"), [(0.25, 5), (1.0, 18), (8.0, 32), (np.nan, 33)])
def test_only_scales_that_count_go_through(scale, n_bins):
    cortex = Cortex(np.ones((1, 8)), np.array([True]), design.scale_filters(np.array([scale]), 32, 24.0))
    (filters,) = filters_beside(np.zeros(1), cortex, alone=True)
    assert filters.scale.shape == (1, n_bins, 1)


@pytest.mark.usefixtures("n_rate_bins")
@pytest.mark.parametrize("part", ["real", "magnitude", "complex"])
def test_dot_test_of_everything_at_once(part):
    spectrogram, spectrogram_dot = RANDOM.standard_normal((2, 2, N_CHANNELS, N_FRAMES))
    scales_dot, rates_dot = RANDOM.standard_normal((2, 5))
    moved = make(part, "complex128", SCALES + 1j * STEP * scales_dot, RATES + 1j * STEP * rates_dot)
    stepped = run(moved, spectrogram + 1j * STEP * spectrogram_dot)
    tangent = moved.derivative(stepped[:, np.newaxis], "cortical")[:, 0]
    bar = RANDOM.standard_normal(tangent.shape) + (
        1j * RANDOM.standard_normal(tangent.shape) if part == "complex" else 0
    )
    forward = np.real(np.conj(bar) * tangent).sum()
    for n_threads in (1, 2):
        x_bar, scales_bar, rates_bar = pull_back(make(part, n_threads=n_threads), spectrogram, bar)
        reverse = (x_bar * spectrogram_dot).sum() + scales_bar @ scales_dot + rates_bar @ rates_dot
        assert abs(forward - reverse) < 1e-12 * np.abs(bar * tangent).sum(), (forward, reverse)


@pytest.mark.parametrize("part", ["real", "magnitude", "complex"])
def test_complex_steps_follow_the_plain_formulas(part):
    spectrogram, step = RANDOM.standard_normal((2, 2, N_CHANNELS, N_FRAMES))
    scales_dot, rates_dot = RANDOM.standard_normal((2, 5))
    rates, scales = filters(64)
    moved = rate_tangent(RATES, rates_dot, 64, 200.0), scales, scale_tangent(SCALES, scales_dot, 32, 24.0)
    tangent = cortical_tangent(spectrogram, step, RATES, rates, *moved)
    response = cortical_response(spectrogram, rates, scales, RATES > 0)
    wanted = {
        "real": tangent.real,
        "magnitude": np.real(np.conj(response) * tangent) / np.abs(response),
        "complex": tangent,
    }[part]
    engine = make(part, "complex128", SCALES + 1j * STEP * scales_dot, RATES + 1j * STEP * rates_dot)
    found = engine.derivative(run(engine, spectrogram + 1j * STEP * step)[:, np.newaxis], "cortical")[:, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-11 * np.abs(wanted).max())


@pytest.mark.usefixtures("n_rate_bins")
def test_threads_change_nothing():
    spectrogram = RANDOM.standard_normal((1, N_CHANNELS, N_FRAMES))
    bar = RANDOM.standard_normal((1, 5, N_CHANNELS, N_FRAMES))
    for one, two in zip(*(pull_back(make(n_threads=n), spectrogram, bar) for n in (1, 2))):
        np.testing.assert_array_equal(one, two)


def test_float32_stays_float32():
    spectrogram = RANDOM.standard_normal((1, N_CHANNELS, N_FRAMES)).astype(np.float32)
    assert run(make("real", "float32"), spectrogram).dtype == np.float32
    assert run(make("complex", "float32"), spectrogram).dtype == np.complex64
    bar = np.ones((1, 5, N_CHANNELS, N_FRAMES), np.float32)
    assert pull_back(make("real", "float32"), spectrogram, bar)[0].dtype == np.float32


@pytest.mark.parametrize("n_frames", [0, 1, N_FRAMES, 90])
def test_what_is_left_comes_block_by_block_as_it_comes_at_once(n_rate_bins, n_frames):
    engine, x = make(), RANDOM.standard_normal((2, 1, N_CHANNELS, n_frames))
    _, state = engine.run(x, engine.start(2, 1), engine.outputs, None)
    pieces = [own["cortical"] for own in engine.ends(state, engine.outputs, None)]
    assert all(0 < piece.shape[-1] <= 2 * n_rate_bins for piece in pieces)
    at_once = engine.finish(state, engine.outputs, None)["cortical"]
    np.testing.assert_array_equal(np.concatenate([at_once[..., :0], *pieces], axis=-1), at_once)
