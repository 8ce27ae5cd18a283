"""FIR filters on a GPU: a thread a sample, or, backwards, a thread a tap of a row."""

import numpy as np

from skaud.kernels.device import cuda

THREADS = 128  # of a block


def convolve_kernel(dtype: str):
    """Kernel of `skaud.kernels.fir.convolve`."""
    real = np.dtype(dtype).type

    def convolve(x, taps, out, n_blocks, n_taps, n_samples):
        """Filter x (n_rows, n_taps - 1 + n_samples) into out (n_rows, n_samples), n_blocks blocks a row."""
        row, t = cuda.blockIdx.x // n_blocks, cuda.blockIdx.x % n_blocks * cuda.blockDim.x + cuda.threadIdx.x
        if t < n_samples:
            total, begin = real(0), row * (n_taps - 1 + n_samples) + t
            for k in range(n_taps):
                total = total + taps[k] * x[begin + k]
            out[row * n_samples + t] = total

    return convolve


def convolve_adjoint_kernel(dtype: str):
    """Kernel of `skaud.kernels.fir.convolve_adjoint`, with a bar of the taps for every row."""

    def convolve_adjoint(x, out_bar, taps_bar, n_blocks, n_taps, n_samples):
        """Fill taps_bar (n_rows, n_taps), in double precision, from x (n_rows, n_taps - 1 + n_samples) and out_bar."""
        row, k = cuda.blockIdx.x // n_blocks, cuda.blockIdx.x % n_blocks * cuda.blockDim.x + cuda.threadIdx.x
        if k < n_taps:
            total, begin = np.float64(0), row * (n_taps - 1 + n_samples) + k
            for t in range(n_samples):
                # out[t] = sum(taps[k] * x[t + k])
                total = total + np.float64(out_bar[row * n_samples + t] * x[begin + t])
            taps_bar[row * n_taps + k] = total

    return convolve_adjoint
