"""From the lanes of CARFAC's kernels to channels in order, and back."""

from skaud.kernels._compile import SQUARE, loop, transpose_square
from skaud.kernels.carfac.layout import LANES
from skaud.kernels.one_pole import ZERO


@loop
def n_filled(k, n_groups, n_channels):
    """Lanes of group k that hold a channel."""
    return (n_channels - k + n_groups - 1) // n_groups


@loop
def deliver(scratch, source, row, out, output, begin, n_samples):
    """Samples of scratch[source, row] to their channels of out[row, output], from sample begin on."""
    n_groups, n_channels = scratch.shape[3] // LANES, out.shape[2]
    whole = n_samples // SQUARE * SQUARE
    for k in range(n_groups):
        filled = n_filled(k, n_groups, n_channels)
        for t in range(0, whole, SQUARE):
            transpose_square(
                out,
                (row, output, k, begin + t),
                n_groups * out.shape[3],
                filled,
                scratch,
                (source, row, t, k * LANES),
                n_groups * LANES,
                SQUARE,
            )
        for l in range(filled):
            for t in range(whole, n_samples):
                out[row, output, l * n_groups + k, begin + t] = scratch[source, row, t, k * LANES + l]


@loop
def sow(value_bar, begin, first, seeds, n_groups):
    """Bars of the frames from begin on to the lanes of seeds, a source for each output from `first` on; 0 beyond.

    Where begin is negative, all are 0.
    """
    n_rows, n_outputs, n_channels, n_frames = value_bar.shape
    count = max(0, min(seeds.shape[2], n_frames - begin)) if begin >= 0 else 0
    whole = count // SQUARE * SQUARE
    for row in range(n_rows):
        for output in range(n_outputs):
            for k in range(n_groups):
                filled = n_filled(k, n_groups, n_channels)
                for t in range(0, whole, SQUARE):
                    transpose_square(
                        seeds,
                        (first + output, row, t, k * LANES),
                        n_groups * LANES,
                        SQUARE,
                        value_bar,
                        (row, output, k, begin + t),
                        n_groups * n_frames,
                        filled,
                    )
                for l in range(filled):
                    for t in range(whole, count):
                        seeds[first + output, row, t, k * LANES + l] = value_bar[
                            row, output, l * n_groups + k, begin + t
                        ]
            for t in range(count, seeds.shape[2]):
                for i in range(n_groups * LANES):
                    seeds[first + output, row, t, i] = ZERO
