"""Adjoint of filtering spectra, scale * transfer * spectrum, for many filters at once; on a CPU in one pass."""

import numpy as np

from skaud.kernels._compile import kernel, pointer, step
from skaud.kernels.array_api import Array, array_namespace, is_foreign
from skaud.kernels.lanes import total_of


def filtered_adjoint(
    filtered_bar: Array, conjugate: Array, transfer: Array, scale: Array, passed: slice
) -> tuple[Array, Array, Array]:
    """Bars of the spectrum, by every filter, and of transfer and scale, over the bins of time that pass.

    filtered_bar : (n_rows, n_filters, n_scales, n_bins); conjugate : (n_rows, n_scales, n_bins), of the spectrum;
    transfer : (n_filters, n_bins), complex; scale : (n_filters, n_scales), real. The inner product of complex numbers
    is Re(conj(a) b). No sum is a product with a matrix: BLAS would spread it over threads, which wait for each other
    longer than it takes.
    """
    xp, transfer = array_namespace(filtered_bar), transfer[:, passed]
    if not is_foreign(filtered_bar):
        return _in_one_pass(filtered_bar, conjugate, np.ascontiguousarray(transfer), scale, passed.start)
    bar, transfer, scale = filtered_bar[..., passed], transfer[:, None, :], scale[:, :, None]
    product = bar * conjugate[:, None, :, passed]
    scale_bar = xp.real(xp.vecdot(transfer, product))
    return bar * scale * xp.conj(transfer), xp.sum(product * scale, axis=2), scale_bar


def _in_one_pass(
    filtered_bar: np.ndarray, conjugate: np.ndarray, transfer: np.ndarray, scale: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As filtered_adjoint, by the kernel; complex numbers as pairs, which LLVM vectorises."""
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
                known = pointer(conjugate, (row * n_scales + s) * n_bins + 2 * first)
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
