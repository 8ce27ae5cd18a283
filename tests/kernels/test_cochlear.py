import numpy as np
import pytest
from plain_biomimetic import STEP, spectrogram_outputs
from scipy import signal

from skaud.kernels import cochlear, fourier
from skaud.kernels.cochlear import OUTPUTS, Cochlea
from skaud.kernels.leaky_integrator import integrate

RANDOM = np.random.default_rng(5)
N_CHANNELS, N_TAPS, PERIOD = 35, 50, 8  # three groups of channels
ALPHA = RANDOM.uniform(0.7, 1.2, N_CHANNELS)  # lower ones amplify rounding near 0
KERNEL = np.array([1.1, -0.8])
DECAY = 0.93


@pytest.fixture
def response():
    return RANDOM.standard_normal((N_CHANNELS, N_TAPS)) * np.exp(-np.arange(N_TAPS) / 8)


def make(response, alpha=ALPHA, kernel=KERNEL, decay=DECAY, period=PERIOD):
    return Cochlea(fourier.FilterBank(response), alpha, kernel, decay, period)


def assert_near(a, b, tolerance=1e-12):
    assert a.shape == b.shape
    error = np.abs(a - b).max()
    assert error <= tolerance * np.abs(b).max(), f"differs by {error}, largest value {np.abs(b).max()}"


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_samples", [1, 7, 8, 49, 51, 400, 407])
def test_outputs_follow_the_plain_formulas(response, n_samples, n_threads):
    x = RANDOM.standard_normal((2, n_samples))
    wanted = spectrogram_outputs(x, response, ALPHA, KERNEL, DECAY, PERIOD)
    found = cochlear.run(x, make(response), OUTPUTS, n_threads)
    for name in OUTPUTS[: 4 if n_samples >= PERIOD else 3]:
        assert_near(found[name], wanted[name].real)
        assert_near(cochlear.run(x, make(response), (name,))[name], found[name])


def test_a_sound_shorter_than_a_frame_ends_in_silence(response):
    x = RANDOM.standard_normal((1, 3))
    padded = np.concatenate([x, np.zeros((1, 5))], axis=1)
    short, long = (cochlear.run(signal, make(response), ("spectrogram",))["spectrogram"] for signal in (x, padded))
    assert_near(short, long)


@pytest.fixture
def short_blocks(monkeypatch):
    monkeypatch.setattr(fourier, "LONGEST_FFT", 128)


@pytest.mark.usefixtures("short_blocks")
def test_blocks_give_what_the_whole_gives(response):
    x = RANDOM.standard_normal((2, 1003))
    assert fourier.cut(1003, N_TAPS, PERIOD).hop < 300
    wanted = spectrogram_outputs(x, response, ALPHA, KERNEL, DECAY, PERIOD)
    found = cochlear.run(x, make(response), OUTPUTS)
    for name in OUTPUTS:
        assert_near(found[name], wanted[name].real)


@pytest.mark.parametrize("n_samples", [100, 1000, 100_000])
def test_a_click_at_the_end_does_not_appear_at_the_beginning(response, n_samples):
    x = np.zeros((1, n_samples))
    x[0, -1] = 1
    linear = cochlear.run(x, make(response, np.ones(N_CHANNELS), KERNEL), ("cochlea", "spectrogram"))
    assert np.abs(linear["cochlea"][..., :-1]).max() < 1e-14 * np.abs(response[:, 0]).max()
    assert np.abs(linear["cochlea"][0, :, -1] - response[:, 0]).max() < 1e-14


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
    bar = np.abs(random.standard_normal(value.shape)) * np.sign(value.imag)  # a sum without cancellation
    forward = (bar * value.imag).sum() / STEP
    for n_threads in (1, 2):
        grads = cochlear.run_adjoint(bar, output, x, make(response), value.real, n_threads)
        reverse = (grads.x * x_dot).sum() + grads.compression @ alpha_dot + grads.kernel @ kernel_dot
        reverse += grads.decay * decay_dot
        assert abs(forward - reverse) < 1e-12 * abs(forward), (forward, reverse)


def test_the_slope_at_0_is_1_without_compression_and_0_with_it():
    x = np.zeros((1, 3, 4))
    bar = np.ones_like(x)
    exponents = np.array([0.3, 1.0, 2.0])
    log = cochlear.log_magnitude(x)
    x_bar, exponents_bar = cochlear.compress_adjoint(bar, x, log, cochlear.compress(x, exponents), exponents)
    np.testing.assert_array_equal(x_bar[0, :, 0], [0, 1, 0])
    np.testing.assert_array_equal(exponents_bar, 0)
    np.testing.assert_array_equal(cochlear.compress_adjoint(bar, x, log, x, np.ones(3))[0], 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compression_and_its_adjoint_are_finite_for_the_smallest_numbers(dtype):
    smallest = np.finfo(dtype).smallest_subnormal
    x = np.array([[[0, smallest, -smallest, np.finfo(dtype).smallest_normal, 1e-30, -0.0]]], dtype)
    for exponent in (0.01, 0.3, 1.7):
        exponents = np.array([exponent])
        out = cochlear.compress(x, exponents)
        log = cochlear.log_magnitude(x)
        x_bar, exponents_bar = cochlear.compress_adjoint(np.ones_like(x), x, log, out, exponents)
        assert out.dtype == x_bar.dtype == dtype
        assert np.isfinite(out).all()
        assert np.isfinite(x_bar).all()
        assert np.isfinite(exponents_bar).all()


def test_an_exponent_of_a_half_is_the_signed_square_root():
    x = np.array([[[4.0, -9.0, 0.0, 1e-12]]])
    np.testing.assert_allclose(cochlear.compress(x, np.array([0.5])), [[[2, -3, 0, 1e-6]]])


def test_the_leaky_integrator_remembers_from_block_to_block():
    x = RANDOM.standard_normal((3, 4000))
    whole = integrate(x, DECAY, 10)
    first = integrate(x[:, :1500], DECAY, 10)
    np.testing.assert_allclose(integrate(x[:, 1500:], DECAY, 10, first[:, -1]), whole[:, 150:], rtol=1e-10)
    np.testing.assert_allclose(whole, signal.lfilter([1], [1, -DECAY], x)[:, 9::10], rtol=1e-10)


# Lengths


@pytest.mark.parametrize("n_samples", [1, 80, 1000, 16000, 30000])
@pytest.mark.parametrize("n_taps", [1, 2048, 12467])
def test_a_block_holds_its_samples_and_the_tail_of_the_filters(n_samples, n_taps):
    blocks = fourier.cut(n_samples, n_taps, 1)
    assert blocks.hop + blocks.n_taps - 1 <= blocks.n_fft
    assert blocks.n_taps >= min(n_taps, n_samples)
    assert blocks.n_taps <= n_taps


def test_sounds_of_similar_length_share_a_few_ffts():
    assert len({fourier.cut(n, 2048, 80)[1:] for n in range(8000, 30000, 80)}) < 12


def test_spectra_are_kept_for_a_few_lengths_and_not_pickled(response):
    bank = fourier.FilterBank(response)
    x = np.zeros((1, 1))
    for n_samples in range(100, 2000, 100):
        bank.spectra(fourier.cut(n_samples, N_TAPS, 1), x)
    assert len(bank._spectra) <= fourier.CACHED_SPECTRA
    assert bank.__getstate__()["_spectra"] == {}
