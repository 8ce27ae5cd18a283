"""A sound at another rate, by soxr."""

import numpy as np

from skaud.sound import resampled_length

_BLOCK = 1 << 20  # samples that are resampled at a time


def resample_array(x: np.ndarray, sample_rate: float, new_sample_rate: float, name: str = "x") -> np.ndarray:
    """Samples of any shape, time last, that are checked already, at another rate."""
    if sample_rate == new_sample_rate:
        return x
    n_samples = x.shape[-1]
    n_new = resampled_length(n_samples, sample_rate, new_sample_rate)
    if not n_new:
        raise ValueError(
            f"{name} has {n_samples} samples at {sample_rate:g} Hz, less than one at {new_sample_rate:g} Hz; give a "
            "longer sound or a higher rate."
        )
    rows = np.ascontiguousarray(x).reshape(-1, n_samples)
    out = np.empty((rows.shape[0], n_new), x.dtype)
    for row, new_row in zip(rows, out):
        _resample_row(row, new_row, sample_rate, new_sample_rate, name)
    return out.reshape(*x.shape[:-1], n_new)


def _resample_row(x: np.ndarray, out: np.ndarray, sample_rate: float, new_sample_rate: float, name: str) -> None:
    """Write the resampled sound to out, in blocks: soxr would hold it twice."""
    import soxr

    stream = soxr.ResampleStream(sample_rate, new_sample_rate, 1, dtype=x.dtype.name, quality="VHQ")
    done = 0
    for begin in range(0, len(x), _BLOCK):
        block = stream.resample_chunk(x[begin : begin + _BLOCK], last=begin + _BLOCK >= len(x))
        if not np.isfinite(block).all():  # sums of samples near the largest number
            raise ValueError(f"{name} goes beyond what {x.dtype} holds when resampled; lower it, or pass float64.")
        out[done : done + len(block)] = block[: len(out) - done]
        done += len(block)
    out[done:] = 0
