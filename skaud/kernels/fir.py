"""FIR filters in the time domain: a sample's sum never depends on where a chunk begins."""

import numpy as np

from skaud.kernels._compile import borrowed, kernel
from skaud.kernels.one_pole import ZERO

WIDTH = 128  # samples side by side
TAPS_AT_ONCE = 8


def prepare_taps(fir: np.ndarray, dtype: str) -> np.ndarray:
    """Taps, the last first, as `convolve` takes them: a multiple of 8."""
    missing = -len(fir) % TAPS_AT_ONCE
    return np.concatenate([np.zeros(missing), fir[::-1]]).astype(dtype)


@kernel
def convolve(x, taps, out):
    """Filter x (n_rows, len(taps) - 1 + n_samples), what came before in front, into out (n_rows, n_samples)."""
    n_taps, n_samples = len(taps), out.shape[1]
    window_array, total_array = np.empty(WIDTH + n_taps, x.dtype), np.empty(WIDTH, x.dtype)
    window, total = borrowed(window_array), borrowed(total_array)
    for row in range(len(x)):
        for begin in range(0, n_samples, WIDTH):
            for i in range(WIDTH + n_taps):
                window[i] = x[row, begin + i] if begin + i < x.shape[1] else ZERO
            for l in range(WIDTH):
                total[l] = ZERO
            for k in range(0, n_taps, TAPS_AT_ONCE):
                w = window[k:]
                r0, r1, r2, r3 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
                r4, r5, r6, r7 = taps[k + 4], taps[k + 5], taps[k + 6], taps[k + 7]
                for l in range(WIDTH):
                    total[l] = (
                        total[l]
                        + r0 * w[l]
                        + r1 * w[l + 1]
                        + r2 * w[l + 2]
                        + r3 * w[l + 3]
                        + r4 * w[l + 4]
                        + r5 * w[l + 5]
                        + r6 * w[l + 6]
                        + r7 * w[l + 7]
                    )
            for l in range(min(WIDTH, n_samples - begin)):
                out[row, begin + l] = total[l]
    window_array[0] = total_array[0]  # holds both arrays to here
