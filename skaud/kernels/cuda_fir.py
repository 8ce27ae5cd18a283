"""FIR filters on a GPU: a thread a few neighbouring samples, or, backwards, a few taps of a row."""

import numpy as np

from skaud.kernels.device import cuda

THREADS = 128  # of a block, which share the numbers of as many terms
# Neighbours of a thread, an odd number: then threads reach different banks of the memory that they share.
SAMPLES, TAPS = 15, 5
AT_ONCE = 8  # terms of their sums, for which as many numbers of x move through registers


def correlate_kernel(dtype: str, total_dtype: str, each: int, n_threads: int):
    """Kernel of sums y[row, j] = sum_i c[row, i] x[row, i + j], such as `convolve` and `convolve_adjoint` of fir.py.

    As many terms as threads are added up in dtype, then in total_dtype. each : neighbours of a thread
    """
    real, total_real, width = np.dtype(dtype).type, np.dtype(total_dtype).type, n_threads * each
    n_shared, n_window = width + n_threads, each + AT_ONCE

    def correlate(x, c, y, n_blocks, n_terms, n_sums, per_row):
        """Fill y (n_rows, n_sums) from x (n_rows, n_terms - 1 + n_sums), and c, n_terms for all or for each."""
        row, first, thread = cuda.blockIdx.x // n_blocks, cuda.blockIdx.x % n_blocks * width, cuda.threadIdx.x
        shared_x, shared_c = cuda.shared.array(n_shared, real), cuda.shared.array(n_threads, real)
        total, own = cuda.local.array(each, total_real), cuda.local.array(each, real)
        window, terms = cuda.local.array(n_window, real), cuda.local.array(AT_ONCE, real)
        length, of_row = n_terms - 1 + n_sums, row * n_terms if per_row else 0
        for r in range(each):
            total[r] = total_real(0)
        for piece in range((n_terms + n_threads - 1) // n_threads):
            begin = piece * n_threads
            for turn in range(each + 1):
                place = turn * n_threads + thread
                there = first + begin + place
                shared_x[place] = x[row * length + there] if there < length else real(0)
            shared_c[thread] = c[of_row + begin + thread] if begin + thread < n_terms else real(0)
            cuda.syncthreads()
            for r in range(each):
                own[r] = real(0)
                window[r] = shared_x[thread * each + r]
            for k in range(n_threads // AT_ONCE):
                for i in range(AT_ONCE):
                    terms[i] = shared_c[k * AT_ONCE + i]
                    window[each + i] = shared_x[thread * each + k * AT_ONCE + each + i]
                for i in range(AT_ONCE):
                    for r in range(each):
                        own[r] = own[r] + terms[i] * window[i + r]
                for r in range(each):
                    window[r] = window[AT_ONCE + r]
            cuda.syncthreads()
            for r in range(each):
                total[r] = total[r] + total_real(own[r])
        for r in range(each):
            if first + thread * each + r < n_sums:
                y[row * n_sums + first + thread * each + r] = total[r]

    correlate.threads = n_threads  # type: ignore[attr-defined]
    return correlate
