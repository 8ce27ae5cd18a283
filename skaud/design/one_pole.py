"""First-order Butterworth low-passes, and the cascades of them that the models name."""

import numpy as np

# Kind of inner hair cell -> corner in Hz of each low-pass, and how many there are.
# breebaart2001, 770 Hz over all: J. Breebaart et al. (2001), JASA 110:1074; dau1996: T. Dau et al., JASA 99:3615.
HAIR_CELLS = {"breebaart2001": (2000.0, 5), "dau1996": (1000.0, 1)}


def low_pass(corner_hz: float, sample_rate: float) -> tuple[float, float]:
    """Coefficients b, a of y = b (x + x1) + a y1, by the bilinear transform; corner_hz may take a complex step."""
    warped = np.tan(np.pi * corner_hz / sample_rate)
    return warped / (1 + warped), (1 - warped) / (1 + warped)
