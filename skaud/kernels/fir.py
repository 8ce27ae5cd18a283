"""FIR filters in the time domain: a sample's sum never depends on where a chunk begins."""

import numpy as np

from skaud.kernels._compile import kernel, pointer
from skaud.kernels.one_pole import ZERO

WIDTH = 128  # samples side by side
TAPS_AT_ONCE = 8
SAMPLES_AT_ONCE = 4


def prepare_taps(fir: np.ndarray, dtype: str) -> np.ndarray:
    """Taps, the last first, as `convolve` takes them: a multiple of 8."""
    missing = -len(fir) % TAPS_AT_ONCE
    return np.concatenate([np.zeros(missing), fir[::-1]]).astype(dtype)


@kernel
def convolve(x, taps, out, work):
    """Filter x (n_rows, len(taps) - 1 + n_samples), what came before in front, into out (n_rows, n_samples).

    work is room for 2 * WIDTH + len(taps) numbers.
    """
    n_taps, n_samples, n_in = len(taps), out.shape[1], x.shape[1]
    total, window = pointer(work, 0), pointer(work, WIDTH)
    for row in range(len(x)):
        for begin in range(0, n_samples, WIDTH):
            sound = pointer(x, row * n_in + begin)
            for i in range(WIDTH + n_taps):
                window[i] = sound[i] if begin + i < n_in else ZERO
            for l in range(WIDTH):
                total[l] = ZERO
            for k in range(0, n_taps, TAPS_AT_ONCE):
                w, r = pointer(window, k), pointer(taps, k)
                r0, r1, r2, r3, r4, r5, r6, r7 = r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
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
            filtered = pointer(out, row * n_samples + begin)
            for l in range(WIDTH if begin + WIDTH < n_samples else n_samples - begin):
                filtered[l] = total[l]


@kernel
def convolve_adjoint(x, out_bar, taps_bar, total):
    """Adjoint of convolve with respect to the taps: adds to taps_bar, which is in double precision.

    total, of as many numbers, comes in as zeros. With respect to x the adjoint is the filter itself, backwards in time.
    """
    n_taps, n_samples = len(taps_bar), out_bar.shape[1]
    for row in range(len(x)):
        for begin in range(0, n_samples, WIDTH):
            t = begin
            while t < begin + WIDTH and t < n_samples:
                if t + SAMPLES_AT_ONCE <= n_samples:
                    w, r = pointer(x, row * x.shape[1] + t), pointer(out_bar, row * n_samples + t)
                    r0, r1, r2, r3 = r[0], r[1], r[2], r[3]
                    # out[t] = sum(taps[k] * x[t + k])
                    for k in range(n_taps):
                        total[k] = total[k] + r0 * w[k] + r1 * w[k + 1] + r2 * w[k + 2] + r3 * w[k + 3]
                    t += SAMPLES_AT_ONCE
                else:
                    for k in range(n_taps):
                        total[k] += out_bar[row, t] * x[row, t + k]
                    t += 1
            for k in range(n_taps):
                taps_bar[k] += total[k]
                total[k] = ZERO
