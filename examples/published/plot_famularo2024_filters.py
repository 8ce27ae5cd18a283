"""
Famularo et al. 2024: cochlear filters and receptive fields
===========================================================

The default filters of the front end, which follow eq. 1 of the paper with constants and a floor that were fitted here,
beside the filters of the authors' program where these lie in the folder ``$SKAUD_REFERENCES``; and the receptive
fields that it begins with. What becomes of scales and rates by learning, Figure 3, is
drawn by another example, "What the biomimetic front end learns".
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import signal

from skaud import BiomimeticFrontend, CochlearFilterbank
from skaud.design.cochlear import ROEX_ALPHA, ROEX_BETA, ROEX_CUTOFF_OCTAVES, ROEX_UNIT_OCTAVES
from skaud.display import STRFDisplay

RATE = 16000
bank = CochlearFilterbank(dtype="float64").fit()
impulse = np.zeros((1, 4096))
impulse[0, 0] = 1.0
responses = bank.simulate(impulse).cochlea[0]
hz = np.fft.rfftfreq(4096, 1 / RATE)
gains_db = 20 * np.log10(np.abs(np.fft.rfft(responses)) + 1e-9)
centre_hz = bank.channel_frequencies_hz_

# %%
# Every sixteenth filter. Dotted, the filters of the authors' program; without them, the formula without its floor.


def formula_db(centre):
    below = np.maximum(ROEX_CUTOFF_OCTAVES - np.log2(np.maximum(hz, 1) / centre), 1e-12) / ROEX_UNIT_OCTAVES
    peak = ROEX_ALPHA / ROEX_BETA
    return 20 * np.log10(np.maximum((below / peak) ** ROEX_ALPHA * np.exp(ROEX_ALPHA - ROEX_BETA * below), 1e-9))


path = Path(os.environ.get("SKAUD_REFERENCES", "")) / "biomimetic_nsl.npz"
if path.is_file():
    dotted = "the program's"
    with np.load(path) as file:
        published = [signal.freqz(b, a, hz, fs=RATE)[1] for b, a in zip(file["B"], file["A"])]
    other_db = 20 * np.log10(np.abs(published) / np.abs(published).max(axis=1, keepdims=True) + 1e-9)
else:
    dotted = "the formula fitted here"
    other_db = np.array([formula_db(centre) for centre in centre_hz])

figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
for k in range(8, 129, 16):
    (line,) = ax.semilogx(hz[1:], gains_db[k, 1:], lw=1.3)
    ax.semilogx(hz[1:], other_db[k, 1:], ":", color=line.get_color(), lw=1.6)
ax.set_xticks([100, 200, 500, 1000, 2000, 5000], ["0.1", "0.2", "0.5", "1", "2", "5"])
ax.minorticks_off()
ax.set(
    xlabel="Frequency (kHz)",
    ylabel="Gain (dB)",
    ylim=(-40, 3),
    xlim=(60, 8000),
    title=f"Cochlear filters, and {dotted} (dotted)",
)

# %%
# Where scales and rates begin.
model = BiomimeticFrontend().fit()
STRFDisplay.from_estimator(model)

# %%
# The centres follow from 24 filters an octave, the one of number 31 at 440 Hz (Chi et al. 2005).
near = other_db > -10
departure_db = np.sqrt(np.mean((gains_db - other_db)[near] ** 2))
n_learned = sum(
    np.size(getattr(model, f"{name}_"))
    for name in ("compression", "lateral_inhibition", "integration_s", "scales_cycles_per_octave", "rates_hz")
)


def quality(gains, k):
    """Centre over the width at 3 dB."""
    return centre_hz[k] / np.ptp(hz[gains[k] > gains[k].max() - 3])


own, other = (", ".join(f"{quality(gains, k):.1f}" for k in (64, 96, 120)) for gains in (gains_db, other_db))
places = ", ".join(f"{centre_hz[k]:.0f}" for k in (64, 96, 120))
print("                                               published           found")
print(f"filters                                        129                 {len(centre_hz)}")
print(f"lowest and highest centre                      180, 7246 (derived) {centre_hz[0]:.0f}, {centre_hz[-1]:.0f} Hz")
print(f"parameters that can be learned                 212                 {n_learned}")
print()
print(f"all filters against {dotted}, within 10 dB of the peak: {departure_db:.2f} dB RMS")
print(f"Q at 3 dB, at {places} Hz: {own}; {dotted}: {other}")
plt.show()
