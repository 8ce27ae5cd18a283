import itertools

import numpy as np
import pytest
from plain_biomimetic import STEP, spectrogram_outputs
from scipy import signal

from skaud.engines import spectrogram
from skaud.engines.engine import respond, respond_in_blocks
from skaud.engines.spectrogram import Spectrogram
from skaud.engines.spectrogram_layout import OUTPUTS, Design, merge
from skaud.kernels import cochlear, fourier
from skaud.kernels.leaky_integrator import leak, weigh, weights

RANDOM = np.random.default_rng(5)
N_CHANNELS, N_TAPS, PERIOD = 35, 50, 8  # three groups of channels
ALPHA = RANDOM.uniform(0.7, 1.2, N_CHANNELS)  # lower ones amplify rounding near 0
KERNEL = np.array([1.1, -0.8])
DECAY = 0.93


@pytest.fixture
def response():
    return RANDOM.standard_normal((N_CHANNELS, N_TAPS)) * np.exp(-np.arange(N_TAPS) / 8)


def make(response, alpha=ALPHA, kernel=KERNEL, decay=DECAY, period=PERIOD, dtype="float64", n_threads=1):
    filters = fourier.FilterBank(response)
    design = Design(N_CHANNELS, filters, 1.0, alpha, kernel, decay, period)
    return Spectrogram(design, dtype).with_threads(n_threads)


def run(engine, x, names):
    """Responses without the axis of signals, x (n_ears, n_samples)."""
    return {name: response[0] for name, response in respond(engine, x[np.newaxis], names, None).items()}


def assert_near(a, b, tolerance=1e-12):
    assert a.shape == b.shape
    error = np.abs(a - b).max()
    assert error <= tolerance * np.abs(b).max(), f"differs by {error}, largest value {np.abs(b).max()}"


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_samples", [1, 7, 8, 49, 51, 400, 407, 9000])
def test_outputs_follow_the_plain_formulas(response, n_samples, n_threads):
    x = RANDOM.standard_normal((2, n_samples))
    wanted = spectrogram_outputs(x, response, ALPHA, KERNEL, DECAY, PERIOD)
    engine = make(response, n_threads=n_threads)
    found = run(engine, x, OUTPUTS)
    for name in OUTPUTS[: 4 if n_samples >= PERIOD else 3]:
        assert_near(found[name], wanted[name].real)
        np.testing.assert_array_equal(run(engine, x, (name,))[name], found[name])


def test_a_sound_shorter_than_a_frame_ends_in_silence(response):
    x = RANDOM.standard_normal((1, 3))
    padded = np.concatenate([x, np.zeros((1, 5))], axis=1)
    short, long = (run(make(response), sound, ("spectrogram",))["spectrogram"] for sound in (x, padded))
    assert_near(short, long)


@pytest.fixture
def short_blocks(monkeypatch):
    monkeypatch.setattr(fourier, "SHORTEST_FFT", 1)
    monkeypatch.setattr(fourier, "LONGEST_FFT", 600)


@pytest.mark.usefixtures("short_blocks")
def test_blocks_give_what_the_whole_gives(response):
    x = RANDOM.standard_normal((2, 1003))
    engine = make(response)
    assert engine.block.n_new < 300
    wanted = spectrogram_outputs(x, response, ALPHA, KERNEL, DECAY, PERIOD)
    found = run(engine, x, OUTPUTS)
    for name in OUTPUTS:
        assert_near(found[name], wanted[name].real)


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_chunks_give_the_bits_of_the_whole(response, dtype):
    x = RANDOM.standard_normal((2, 2, 1003)).astype(dtype)
    engine = make(response, dtype=dtype)
    whole = respond(engine, x, OUTPUTS, None)
    for cuts in ([0, 1, 2, 2, 300, 301, 800, 1003], [0, 1003], range(0, 1004, 17)):
        state, pieces = engine.start(2, 2), []
        for begin, end in itertools.pairwise(cuts):
            found, state = engine.run(x[..., begin:end], state.copy(), OUTPUTS, None)
            pieces.append(found)
        rest = engine.finish(state, OUTPUTS, None)
        for name in OUTPUTS:
            parts = np.concatenate([found[name] for found in pieces], axis=-1)
            np.testing.assert_array_equal(parts, whole[name][..., : parts.shape[-1]])
            n_behind = max(cuts) - parts.shape[-1] * (PERIOD if name == "spectrogram" else 1)
            assert n_behind <= engine.latency_samples
            np.testing.assert_array_equal(np.concatenate([parts, rest.get(name, parts[..., :0])], axis=-1), whole[name])


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("frame_samples", [None, PERIOD, 30])
def test_long_clips_in_blocks_give_the_whole(response, output, frame_samples):
    if frame_samples == 30 and output == "spectrogram":
        frame_samples = PERIOD
    design = make(response).design
    n_there = 1 + OUTPUTS.index(output)
    parts = (design.compression, design.inhibition, design.decay)
    engine = Spectrogram(
        Design(N_CHANNELS, design.filters, 1.0, *[*parts[: n_there - 1], None, None, None][:3], PERIOD), "float64"
    )
    clips = [RANDOM.standard_normal((1, n)) for n in (400, 1003, 1500)]
    found = {i: [] for i in range(3)}
    for i, frames in respond_in_blocks(engine, clips, output, frame_samples, 250):
        found[i].append(frames)
    for i, clip in enumerate(clips):
        wanted = respond(engine, clip[np.newaxis], (output,), frame_samples)[output][0]
        np.testing.assert_array_equal(np.concatenate(found[i], axis=-1), wanted)


@pytest.mark.parametrize("n_samples", [100, 1000, 100_000])
def test_a_click_at_the_end_does_not_appear_at_the_beginning(response, n_samples):
    x = np.zeros((1, n_samples))
    x[0, -1] = 1
    linear = run(make(response, np.ones(N_CHANNELS), KERNEL), x, ("cochlea", "spectrogram"))
    assert np.abs(linear["cochlea"][..., :-1]).max() < 1e-14 * np.abs(response[:, 0]).max()
    assert np.abs(linear["cochlea"][0, :, -1] - response[:, 0]).max() < 1e-14


def test_stages_one_after_the_other_are_the_merged_ones(response):
    x = RANDOM.standard_normal((1, 1, 700))
    whole = make(response).design
    stages = [
        Design(N_CHANNELS, whole.filters),
        Design(N_CHANNELS, gain=0.7, compression=ALPHA),
        Design(N_CHANNELS, inhibition=KERNEL),
        Design(N_CHANNELS - 1, decay=DECAY, period=PERIOD),
    ]
    together = respond(Spectrogram(merge(stages), "float64"), x, OUTPUTS, None)
    y = x
    for stage, name in zip(stages, OUTPUTS):
        y = respond(Spectrogram(stage, "float64"), y, (name,), None)[name]
        assert_near(y, together[name])


# Adjoints


@pytest.mark.parametrize("n_samples", [1003, 60])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.usefixtures("short_blocks")
def test_dot_test_of_everything_at_once(response, output, n_samples):
    random = np.random.default_rng(6)
    x, x_dot = random.standard_normal((2, 2, n_samples))
    alpha_dot, kernel_dot, decay_dot = random.standard_normal(N_CHANNELS), random.standard_normal(2), 0.3
    stepped = [v + 1j * STEP * d for v, d in ((x, x_dot), (ALPHA, alpha_dot), (KERNEL, kernel_dot), (DECAY, decay_dot))]
    value = spectrogram_outputs(stepped[0], response, *stepped[1:], PERIOD)[output]
    moved = run(make(response, stepped[1], stepped[2], stepped[3], dtype="complex128"), stepped[0], (output,))
    assert_near(moved[output].real, value.real)
    assert_near(moved[output].imag, value.imag, 1e-9)  # near 0 a power turns rounding into a slope
    bar = np.abs(random.standard_normal(value.shape)) * np.sign(value.imag)  # a sum without cancellation
    forward = (bar * value.imag).sum() / STEP
    for n_threads in (1, 2):
        engine = make(response, n_threads=n_threads)
        _, tape = engine.record(x[np.newaxis], output, None)
        x_bar, (alpha_bar, kernel_bar, decay_bar) = engine.pull_back(tape, bar[np.newaxis], engine.parts)
        reverse = (x_bar[0] * x_dot).sum() + alpha_bar @ alpha_dot + kernel_bar @ kernel_dot
        reverse += decay_bar[0] * decay_dot
        assert abs(forward - reverse) < 1e-12 * abs(forward), (forward, reverse)


@pytest.mark.parametrize("alpha", [ALPHA, np.ones(N_CHANNELS)], ids=["compressed", "not compressed"])
@pytest.mark.parametrize("output", ["compressed", "spectrogram"])
def test_what_the_tape_keeps_changes_no_bit_and_long_sounds_keep_nothing(response, output, alpha, monkeypatch):
    x = RANDOM.standard_normal((2, 1, 9000))
    engine = make(response, alpha)
    value, tape = engine.record(x, output, None)
    monkeypatch.setattr(spectrogram, "KEPT_BYTES", 4 * x.size * N_CHANNELS * 8 - 1)
    again, short_tape = engine.record(x, output, None)
    assert len(tape.kept) > 3  # groups of channels
    assert not short_tape.kept
    np.testing.assert_array_equal(again, value)
    bar = RANDOM.standard_normal(value.shape)
    wanted = (*OUTPUTS, "X")
    (x_bar, bars), (plain_x_bar, plain_bars) = (engine.pull_back(own, bar, wanted) for own in (tape, short_tape))
    for own, plain in zip((x_bar, *bars), (plain_x_bar, *plain_bars)):
        np.testing.assert_array_equal(own, plain)


@pytest.mark.parametrize("n_samples", [1003, 60])
@pytest.mark.usefixtures("short_blocks")
def test_stages_alone_pass_the_dot_test(n_samples):
    random = np.random.default_rng(7)
    x, x_dot = random.standard_normal((2, 1, 2, N_CHANNELS, n_samples))
    for own, dot in (
        ({"gain": 0.7, "compression": ALPHA}, random.standard_normal(N_CHANNELS)),
        ({"inhibition": KERNEL}, random.standard_normal(2)),
        ({"decay": DECAY, "period": PERIOD}, 0.3),
    ):
        name = next(name for name in own if name in ("compression", "inhibition", "decay"))
        moved = own | {name: own[name] + 1j * STEP * dot}
        engine = Spectrogram(Design(N_CHANNELS, **own), "float64")
        step = Spectrogram(Design(N_CHANNELS, **moved), "complex128")
        value = respond(step, x + 1j * STEP * x_dot, step.outputs, None)[step.outputs[0]].imag / STEP
        bar = np.abs(random.standard_normal(value.shape)) * np.sign(value)
        x_bar, (own_bar,) = engine.pull_back(engine.record(x, engine.outputs[0], None)[1], bar, engine.parts)
        forward, reverse = (bar * value).sum(), (x_bar * x_dot).sum() + np.sum(own_bar * dot)
        assert abs(forward - reverse) < 1e-12 * abs(forward), (name, forward, reverse)


def test_the_slope_at_0_is_1_without_compression_and_0_with_it():
    x = np.zeros((1, 3, 4))
    bar = np.ones_like(x)
    exponents = np.array([0.3, 1.0, 2.0])
    x_bar, exponents_bar = cochlear.compress_adjoint(bar, x, cochlear.compress(x, exponents), exponents)
    np.testing.assert_array_equal(x_bar[0, :, 0], [0, 1, 0])
    np.testing.assert_array_equal(exponents_bar, 0)
    np.testing.assert_array_equal(cochlear.compress_adjoint(bar, x, x, np.ones(3))[0], 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compression_and_its_adjoint_are_finite_for_the_smallest_numbers(dtype):
    smallest = np.finfo(dtype).smallest_subnormal
    x = np.array([[[0, smallest, -smallest, np.finfo(dtype).smallest_normal, 1e-30, -0.0]]], dtype)
    for exponent in (0.01, 0.3, 1.7):
        exponents = np.array([exponent])
        out = cochlear.compress(x, exponents)
        x_bar, exponents_bar = cochlear.compress_adjoint(np.ones_like(x), x, out, exponents)
        assert out.dtype == x_bar.dtype == dtype
        assert np.isfinite(out).all()
        assert np.isfinite(x_bar).all()
        assert np.isfinite(exponents_bar).all()


def test_an_exponent_of_a_half_is_the_signed_square_root():
    x = np.array([[[4.0, -9.0, 0.0, 1e-12]]])
    np.testing.assert_allclose(cochlear.compress(x, np.array([0.5])), [[[2, -3, 0, 1e-6]]])


def test_the_leaky_integrator_remembers_from_block_to_block():
    x = RANDOM.standard_normal((3, 4000))

    def integrate(x, before):
        return leak(weigh(x, weights(DECAY, 10)), DECAY**10, before)

    whole = integrate(x, np.zeros(3))
    first = integrate(x[:, :1500], np.zeros(3))
    np.testing.assert_array_equal(integrate(x[:, 1500:], first[:, -1]), whole[:, 150:])
    np.testing.assert_allclose(whole, signal.lfilter([1], [1, -DECAY], x)[:, 9::10], rtol=1e-10)


# Lengths


@pytest.mark.parametrize("n_samples", [1, 80, 1000, 2500, 5000])
@pytest.mark.parametrize("n_taps", [1, 2048, 12467])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_block_holds_its_samples_and_the_tail_of_the_filters(n_samples, n_taps, is_first):
    whole = fourier.whole_block(n_taps, 1)
    blocks = [whole]
    if n_samples < whole.n_new:
        blocks.append(fourier.last_block(whole, n_samples, is_first=is_first))
    for block in blocks:
        assert block.n_new + block.n_taps - 1 <= block.n_fft
        assert block.n_taps <= n_taps
    assert blocks[-1].n_taps >= (min(n_taps, n_samples) if is_first else n_taps)


def test_sounds_of_all_lengths_share_a_few_ffts(response):
    engine = make(np.ones((1, 2048)))
    used = {block[1:] for n in range(8, 30000, 8) for _, block, _ in engine._batches(n, is_first=True)}
    assert len(used) < 25


def test_spectra_are_not_pickled(response):
    bank = fourier.FilterBank(response)
    bank.spectra(fourier.whole_block(N_TAPS, 1), np.zeros((1, 1)))
    assert bank.__getstate__()["_spectra"] == {}
