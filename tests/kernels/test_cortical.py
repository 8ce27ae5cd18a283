import numpy as np
import pytest

from skaud.design import cortical as design
from skaud.kernels import cortical
from skaud.kernels.cortical import Cortex

RANDOM = np.random.default_rng(7)
RATES = np.array([4.0, -8.0, 16.0, -2.0, 9.0])
SCALES = np.array([1.0, 2.0, 0.5, 4.0, 8.0])
N_CHANNELS, N_FRAMES = 24, 37


@pytest.fixture
def cortex():
    return Cortex(design.rate_filters(RATES, 64, 200.0).transfer, RATES > 0, design.scale_filters(SCALES, 32, 24.0))


def complex_normal(shape):
    return RANDOM.standard_normal(shape) + 1j * RANDOM.standard_normal(shape)


def plain(spectrogram, cortex):
    """Both FFTs at full size, all bins."""
    n, m = cortex.rates.shape[1], cortex.scales.shape[1]
    spectrum = np.fft.fft2(spectrogram, (2 * m, 2 * n))
    out = []
    for rate, upwards, scale in zip(*cortex):
        transfer = np.zeros((2 * m, 2 * n), complex)
        transfer[:m, :n] = scale[:, np.newaxis] * rate
        transfer = transfer if upwards else np.roll(transfer, n, axis=1)
        out.append(np.fft.ifft2(spectrum * transfer)[:, :N_CHANNELS, :N_FRAMES])
    return np.stack(out, axis=1)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_responses_are_those_of_the_full_2_d_ffts(cortex, n_threads):
    spectrogram = RANDOM.standard_normal((2, N_CHANNELS, N_FRAMES))
    wanted = plain(spectrogram, cortex)
    np.testing.assert_allclose(cortical.run(spectrogram, cortex, real=False, n_threads=n_threads), wanted, atol=1e-13)
    np.testing.assert_allclose(
        cortical.run(spectrogram, cortex, real=True, n_threads=n_threads), wanted.real, atol=1e-13
    )


@pytest.mark.parametrize("real", [True, False])
def test_dot_test(cortex, real):
    # The response is linear in each of the three: its derivative is a sum of responses.
    spectrogram, spectrogram_dot = RANDOM.standard_normal((2, 2, N_CHANNELS, N_FRAMES))
    rates_dot = complex_normal(cortex.rates.shape)
    scales_dot = RANDOM.standard_normal(cortex.scales.shape)
    scales_dot[:, 0] = 0
    tangent = (
        cortical.run(spectrogram_dot, cortex, real=real)
        + cortical.run(spectrogram, cortex._replace(rates=rates_dot), real=real)
        + cortical.run(spectrogram, cortex._replace(scales=scales_dot), real=real)
    )
    bar = RANDOM.standard_normal(tangent.shape) if real else complex_normal(tangent.shape)
    forward = np.real(np.conj(bar) * tangent).sum()
    for n_threads in (1, 2):
        grads = cortical.run_adjoint(bar, spectrogram, cortex, n_threads=n_threads)
        reverse = (grads.spectrogram * spectrogram_dot).sum() + (grads.scales * scales_dot).sum()
        reverse += np.real(np.conj(grads.rates) * rates_dot).sum()
        assert abs(forward - reverse) < 1e-12 * abs(forward), (forward, reverse)


def test_threads_change_nothing(cortex):
    spectrogram = RANDOM.standard_normal((1, N_CHANNELS, N_FRAMES))
    bar = RANDOM.standard_normal((1, 5, N_CHANNELS, N_FRAMES))
    one, two = (cortical.run_adjoint(bar, spectrogram, cortex, n_threads=n) for n in (1, 2))
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)


def test_float32_stays_float32(cortex):
    spectrogram = RANDOM.standard_normal((1, N_CHANNELS, N_FRAMES)).astype(np.float32)
    assert cortical.run(spectrogram, cortex, real=True).dtype == np.float32
    assert cortical.run(spectrogram, cortex, real=False).dtype == np.complex64
    bar = np.ones((1, 5, N_CHANNELS, N_FRAMES), np.float32)
    assert cortical.run_adjoint(bar, spectrogram, cortex).spectrogram.dtype == np.float32
