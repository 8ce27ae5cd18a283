"""
Famularo et al. 2024: cochlear filters and receptive fields
===========================================================

The filters of the front end: the formula of the paper (eq. 1), and what runs, which has its phase and a floor; the
power law; and the receptive fields that it begins with. What becomes of scales and rates by learning, Figure 3, is
drawn by another example, "What the biomimetic front end learns".
"""

import matplotlib.pyplot as plt
import numpy as np

from skaud import BiomimeticFrontend, CochlearFilterbank, datasets
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
# Every sixteenth filter, and the formula (dotted), whose unit is 2.2 octaves and whose cutoff is 0.075 octave above
# the centre.
ALPHA, BETA, UNIT_OCTAVES, CUTOFF_OCTAVES = 0.3, 8.0, 2.2, 0.075


def formula_db(centre):
    below = np.maximum(CUTOFF_OCTAVES - np.log2(np.maximum(hz, 1) / centre), 1e-12) / UNIT_OCTAVES
    peak = ALPHA / BETA
    return 20 * np.log10(np.maximum((below / peak) ** ALPHA * np.exp(ALPHA - BETA * below), 1e-9))


figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
for k in range(8, 129, 16):
    (line,) = ax.semilogx(hz[1:], gains_db[k, 1:], lw=1)
    ax.semilogx(hz[1:], formula_db(centre_hz[k])[1:], ":", color=line.get_color(), lw=1)
ax.set(
    xlabel="Frequency (Hz)",
    ylabel="Gain (dB)",
    ylim=(-40, 3),
    xlim=(60, 8000),
    title="Cochlear filters, and eq. 1 (dotted)",
)

# %%
# Where scales and rates begin.
model = BiomimeticFrontend().fit()
STRFDisplay.from_estimator(model)

# %%
near = gains_db[64] > -10
departure_db = np.sqrt(np.mean((gains_db[64] - formula_db(centre_hz[64]))[near] ** 2))
n_learned = sum(
    np.size(getattr(model, f"{name}_"))
    for name in ("compression", "lateral_inhibition", "integration_s", "scales_cycles_per_octave", "rates_hz")
)
X = datasets.make_tone(1000, duration_s=0.5, sample_rate=RATE)
quality = centre_hz[64] / np.ptp(hz[gains_db[64] > gains_db[64].max() - 3])
print("                                             published        found")
print(f"filters                                      129              {len(centre_hz)}")
print(f"lowest and highest centre                    180, 7246 Hz     {centre_hz[0]:.0f}, {centre_hz[-1]:.0f} Hz")
print(f"a filter against eq. 1, within 10 dB         the formula      {departure_db:.2f} dB RMS")
print(f"Q at 3 dB of the filter at {centre_hz[64]:.0f} Hz           constant         {quality:.1f}")
print(f"parameters that can be learned               212              {n_learned}")
plt.show()
