"""From the lanes of CARFAC's kernels to channels in order."""

from skaud.kernels._compile import loop
from skaud.kernels.carfac_layout import LANES


@loop
def deliver(scratch, source, row, out, output, begin, n_samples, n_groups, n_channels):
    """Samples of scratch[source, row] to their channels of out[row, output], from sample begin on."""
    for k in range(n_groups):
        for l in range(0, LANES, 4):  # four lanes at once, since they share the cache lines; written out for LLVM
            at, a = k * LANES + l, l * n_groups + k
            b, c, d = a + n_groups, a + 2 * n_groups, a + 3 * n_groups
            if d < n_channels:
                for t in range(n_samples):
                    out[row, output, a, begin + t] = scratch[source, row, t, at]
                    out[row, output, b, begin + t] = scratch[source, row, t, at + 1]
                    out[row, output, c, begin + t] = scratch[source, row, t, at + 2]
                    out[row, output, d, begin + t] = scratch[source, row, t, at + 3]
            else:
                for j in range(4):
                    if a + j * n_groups < n_channels:
                        for t in range(n_samples):
                            out[row, output, a + j * n_groups, begin + t] = scratch[source, row, t, at + j]
