import numpy as np
import pytest

from skaud.design import cortical as design
from skaud.kernels import cortical
from skaud.kernels.cortical import Cortex

RANDOM = np.random.default_rng(7)
RATES = np.array([4.0, -8.0, 16.0, -2.0, 9.0])
SCALES = np.array([1.0, 2.0, 0.5, 4.0, 8.0])
N_CHANNELS, N_FRAMES = 24, 37


def make_cortex(n_rate_bins):
    rates = design.rate_filters(RATES, n_rate_bins, 200.0).transfer
    return Cortex(rates, RATES > 0, design.scale_filters(SCALES, 32, 24.0))


@pytest.fixture
def cortex():
    return make_cortex(64)


@pytest.fixture(params=[64, 32, 16, 8], ids="filters of {} frames".format)
def any_cortex(request):
    """Filters as long as the spectrogram, and shorter ones, for which it is cut."""
    return make_cortex(request.param)


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


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_rate_bins", [8, 16, 32, 36])
def test_blocks_give_the_convolution_with_the_whole(n_rate_bins, n_threads):
    cortex = make_cortex(n_rate_bins)
    assert len(cortical.cut(N_FRAMES, n_rate_bins)) == -(-N_FRAMES // (2 * n_rate_bins))
    spectrogram = RANDOM.standard_normal((2, N_CHANNELS, N_FRAMES))
    over_scales = np.fft.fft(spectrogram, 64, axis=1)
    wanted = np.zeros((2, 5, N_CHANNELS, N_FRAMES), complex)
    for k, (rate, upwards, scale) in enumerate(zip(*cortex)):
        taps = np.fft.ifft(np.r_[rate, 0 * rate] if upwards else np.r_[0 * rate, rate])
        taps = np.r_[taps[n_rate_bins + 1 :], taps[:n_rate_bins]]  # n - 1 frames before and after
        filtered = np.fft.ifft(over_scales * np.r_[scale, 0 * scale][:, np.newaxis], axis=1)[:, :N_CHANNELS]
        for i in range(2):
            for c in range(N_CHANNELS):
                wanted[i, k, c] = np.convolve(filtered[i, c], taps)[n_rate_bins - 1 :][:N_FRAMES]
    for real, part in ((False, wanted), (True, wanted.real)):
        found = cortical.run(spectrogram, cortex, real=real, n_threads=n_threads)
        np.testing.assert_allclose(found, part, atol=1e-13)


def test_filters_as_long_as_the_spectrogram_are_not_cut(cortex):
    spectrogram = RANDOM.standard_normal((1, N_CHANNELS, 64))
    shorter = cortical.run(spectrogram[..., :63], cortex, real=True)
    np.testing.assert_allclose(cortical.run(spectrogram * (np.arange(64) < 63), cortex, real=True)[..., :63], shorter)


@pytest.mark.parametrize("real", [True, False])
def test_dot_test(any_cortex, real):
    cortex = any_cortex
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


def test_threads_change_nothing(any_cortex):
    cortex = any_cortex
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
