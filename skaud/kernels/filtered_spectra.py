"""Filtering of spectra, scale * transfer * spectrum, for many filters at once, and the adjoint.

On a CPU in one pass each way between the Fourier transforms, with complex numbers as pairs, which LLVM vectorises.
"""

import numpy as np
import scipy.fft

from skaud.kernels._compile import kernel, pointer, step
from skaud.kernels.array_api import Array, array_namespace, fft_namespace, is_foreign
from skaud.kernels.lanes import total_of
from skaud.kernels.one_pole import ZERO


def filtered_frames(
    spectrum: Array, transfer: Array, scale: Array, passed: slice, frames: slice, n_scales: int
) -> Array:
    """Some frames of the inverse transform over time, (n_rows, n_filters, n_scales, n_frames).

    spectrum : (n_rows, n_bins of scales, n_bins); transfer : (n_filters, 1, n_bins), complex, 0 but where it passes;
    scale : (n_filters, n, 1), real, of the first scales; n_scales : of the result, beyond these there is nothing; array
    API code leaves it to the next transform
    """
    if is_foreign(spectrum):
        filtered = spectrum[:, None, : scale.shape[1], :] * transfer
        return fft_namespace(spectrum).ifft(filtered, axis=-1)[..., frames] * scale
    (n_rows, _, n_bins), (n_filters, n_passed) = spectrum.shape, scale.shape[:2]
    dtype, real = spectrum.dtype, spectrum.real.dtype
    pairs = [np.ascontiguousarray(own, dtype).view(real) for own in (spectrum, transfer[:, 0, passed])]
    filtered = np.empty((n_rows, n_filters, n_passed, n_bins), dtype)
    weigh_spectra(*pairs, passed.start, filtered.view(real))
    over_time = scipy.fft.ifft(filtered, axis=-1, overwrite_x=True)
    scaled = np.empty((n_rows, n_filters, n_scales, frames.stop - frames.start), dtype)
    scale_frames(over_time.view(real), np.ascontiguousarray(scale[..., 0], real), frames.start, scaled.view(real))
    return scaled


def filtered_adjoint(
    filtered_bar: Array, conjugate: Array, transfer: Array, scale: Array, passed: slice
) -> tuple[Array, Array, Array]:
    """Bars of the spectrum, by every filter, and of transfer and scale, over the bins of time that pass.

    filtered_bar : (n_rows, n_filters, n_scales, n_bins); conjugate : (n_rows, n_scales or more, n_bins), of the
    spectrum; transfer : (n_filters, n_bins), complex; scale : (n_filters, n_scales), real. The inner product of
    complex numbers is Re(conj(a) b). No sum is a product with a matrix: BLAS would spread it over threads, which wait
    for each other longer than it takes.
    """
    xp, transfer = array_namespace(filtered_bar), transfer[:, passed]
    if not is_foreign(filtered_bar):
        return _in_one_pass(filtered_bar, conjugate, np.ascontiguousarray(transfer), scale, passed.start)
    bar, transfer, scale = filtered_bar[..., passed], transfer[:, None, :], scale[:, :, None]
    product = bar * conjugate[:, None, : bar.shape[2], passed]
    scale_bar = xp.real(xp.vecdot(transfer, product))
    return bar * scale * xp.conj(transfer), xp.sum(product * scale, axis=2), scale_bar


def _in_one_pass(
    filtered_bar: np.ndarray, conjugate: np.ndarray, transfer: np.ndarray, scale: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As filtered_adjoint, by the kernel."""
    (n_rows, n_filters, n_scales, _), n_passed = filtered_bar.shape, transfer.shape[1]
    dtype, real = filtered_bar.dtype, filtered_bar.real.dtype  # of all: NumPy 1 makes scales of another
    spectrum_bar = np.empty((n_rows, n_filters, n_scales, n_passed), dtype)
    transfer_bar = np.zeros((n_rows, n_filters, n_passed), dtype)
    scale_bar = np.empty((n_rows, n_filters, n_scales), real)
    complexes = (filtered_bar, conjugate, transfer, spectrum_bar, transfer_bar)
    pairs = [np.ascontiguousarray(own, dtype).view(real) for own in complexes]
    weigh_spectra_adjoint(*pairs, np.ascontiguousarray(scale, real), first, np.empty(n_passed, real), scale_bar)
    return spectrum_bar, transfer_bar, scale_bar


@step
def product_step(a_real, a_imaginary, b_real, b_imaginary):
    """Product of two complex numbers."""
    return a_real * b_real - a_imaginary * b_imaginary, a_real * b_imaginary + a_imaginary * b_real


@kernel
def weigh_spectra(spectrum, transfer, first, filtered):
    """Write products of spectra and transfer functions, 0 but in bins from the first on that pass."""
    (n_rows, n_filters, n_scales, n_bins), n_passed = filtered.shape, transfer.shape[1]
    for row in range(n_rows):
        for own in range(n_filters):
            of_filter = pointer(transfer, own * n_passed)
            for s in range(n_scales):
                known = pointer(spectrum, (row * spectrum.shape[1] + s) * n_bins + 2 * first)
                there = pointer(filtered, ((row * n_filters + own) * n_scales + s) * n_bins)
                for i in range(2 * first):
                    there[i] = ZERO
                for i in range(2 * first + n_passed, n_bins):
                    there[i] = ZERO
                passed = pointer(there, 2 * first)
                for f in range(n_passed // 2):
                    i, j = 2 * f, 2 * f + 1
                    passed[i], passed[j] = product_step(known[i], known[j], of_filter[i], of_filter[j])


@kernel
def scale_frames(over_time, scale, first, scaled):
    """Write frames from the first on times the filters' scales, and nothing in the scales beyond."""
    (n_rows, n_filters, n_scales, n_values), (n_there, n_bins) = scaled.shape, over_time.shape[2:]
    for row in range(n_rows):
        for own in range(n_filters):
            at = row * n_filters + own
            for s in range(n_there):
                factor, here = scale[own, s], pointer(over_time, (at * n_there + s) * n_bins + 2 * first)
                there = pointer(scaled, (at * n_scales + s) * n_values)
                for i in range(n_values):
                    there[i] = factor * here[i]
            beyond = pointer(scaled, (at * n_scales + n_there) * n_values)
            for i in range((n_scales - n_there) * n_values):
                beyond[i] = ZERO


@kernel
def weigh_spectra_adjoint(
    filtered_bar, conjugate, transfer, spectrum_bar, transfer_bar, scale, first, terms, scale_bar
):
    """Write bars of spectrum and scale, and add those of transfer; real and imaginary parts one after the other.

    first : number of the first bin that passes, terms : (n_passed,), to work in
    """
    (n_rows, n_filters, n_scales), n_passed, n_bins = scale_bar.shape, len(terms), conjugate.shape[2]
    term = pointer(terms, 0)
    for row in range(n_rows):
        for own in range(n_filters):
            of_filter = pointer(transfer, own * 2 * n_passed)
            of_transfer = pointer(transfer_bar, (row * n_filters + own) * 2 * n_passed)
            for s in range(n_scales):
                at = (row * n_filters + own) * n_scales + s
                bar, of_scale = pointer(filtered_bar, at * n_bins + 2 * first), scale[own, s]
                known = pointer(conjugate, (row * conjugate.shape[1] + s) * n_bins + 2 * first)
                of_spectrum = pointer(spectrum_bar, at * 2 * n_passed)
                for f in range(n_passed):
                    i, j = 2 * f, 2 * f + 1
                    # filtered = scale * transfer * spectrum
                    real, imaginary = product_step(bar[i], bar[j], known[i], known[j])
                    of_transfer[i] += of_scale * real
                    of_transfer[j] += of_scale * imaginary
                    term[f] = of_filter[i] * real + of_filter[j] * imaginary
                    real, imaginary = product_step(bar[i], bar[j], of_filter[i], -of_filter[j])
                    of_spectrum[i] = of_scale * real
                    of_spectrum[j] = of_scale * imaginary
                scale_bar[row, own, s] = total_of(term, n_passed)
