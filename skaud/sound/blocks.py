"""What is done with a sound that comes block by block, as with the whole: another rate, another level."""

import numpy as np

from skaud.sound import all_finite, resampled_length


class BlockResampler:
    """Changes the rate of a sound ([n_ears,] n_samples) that comes in blocks; together they are `resample_array`'s."""

    def __init__(
        self, sample_rate: float, new_sample_rate: float, n_samples: int, n_ears: int | None, dtype: str
    ) -> None:
        import soxr

        self._shape, self._dtype, self._done = () if n_ears is None else (n_ears,), np.dtype(dtype), 0
        self._n_new = resampled_length(n_samples, sample_rate, new_sample_rate)
        self._streams = []
        if sample_rate != new_sample_rate:
            self._streams = [
                soxr.ResampleStream(sample_rate, new_sample_rate, 1, dtype=dtype, quality="VHQ")
                for _ in range(n_ears or 1)
            ]

    def block(self, samples: np.ndarray) -> np.ndarray:
        """Samples at the new rate that the next ones complete."""
        return self._block(samples, last=False) if self._streams else samples

    def end(self) -> np.ndarray:
        """Samples that are still to come."""
        if not self._streams:
            return np.empty((*self._shape, 0), self._dtype)
        rest = self._block(np.empty((*self._shape, 0), self._dtype), last=True)
        silence = np.zeros((*self._shape, self._n_new - self._done), self._dtype)
        return np.concatenate([rest, silence], axis=-1)

    def _block(self, samples: np.ndarray, *, last: bool) -> np.ndarray:
        rows = np.ascontiguousarray(samples).reshape(len(self._streams), -1)
        new = [stream.resample_chunk(row, last=last) for stream, row in zip(self._streams, rows)]
        block = np.stack(new)[:, : self._n_new - self._done]
        if block.size and not all_finite(block):  # sums of samples near the largest number
            raise ValueError(f"it goes beyond what {self._dtype} holds when resampled; lower it, or pass float64.")
        self._done += block.shape[-1]
        return block.reshape(*self._shape, -1)


def at_gain(samples: np.ndarray, gain: float, cause: str) -> np.ndarray:
    """Samples times a number, in their own type; an error where it cannot hold them."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (samples * np.full((1,) * samples.ndim, gain)).astype(samples.dtype)
    if not all_finite(scaled):
        raise ValueError(f"its sound with {cause} goes beyond what {samples.dtype} holds; lower it, or pass float64.")
    return scaled
