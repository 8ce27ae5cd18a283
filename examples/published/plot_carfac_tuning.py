"""
CARFAC v2: tuning
=================

How sharply channels are tuned: peaks and bandwidths of the linear model, which its published program holds against
numbers, beside the bandwidths of human hearing; and tuning curves, the level that a tone needs to reach a criterion, as
physiology measures them.
"""

import matplotlib.pyplot as plt
import numpy as np

from skaud import CARFAC, datasets
from skaud.testing.conformance.carfac import TUNING, tuning

RATE = 22050
healthy = CARFAC(RATE, dtype="float64", pooling="mean").fit()
passive = CARFAC(RATE, dtype="float64", pooling="mean", ohc_health=0.0).fit()
f_hz = healthy.channel_frequencies_hz_


def label_hz(ax):
    """Mark round frequencies in kHz."""
    ticks = [hz for hz in (100, 200, 500, 1000, 2000, 5000) if ax.get_xlim()[0] < hz < ax.get_xlim()[1]]
    ax.set_xticks(ticks, [f"{hz / 1000:g}" for hz in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("Frequency (kHz)")


# %%
# **Quality factors** at 3 dB of the linear model in open loop, healthy and without outer hair cells, and frequency over
# equivalent rectangular bandwidth (Glasberg & Moore 1990), which is somewhat wider than a bandwidth at 3 dB.
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.semilogx(f_hz, healthy.q_, label="healthy")
ax.semilogx(passive.channel_frequencies_hz_, passive.q_, label="without outer hair cells")
ax.semilogx(f_hz, f_hz / (24.7 * (4.37 * f_hz / 1000 + 1)), "k:", label="f / ERB of human hearing")
ax.set(ylabel="Q", ylim=(0, 12), xlim=(60, 9000))
label_hz(ax)
ax.legend()

# %%
# **Tuning curves**: the level at which a tone lifts the mean NAP of a channel to a criterion, by tones of many
# frequencies and levels, the gain control at work. Tips are sharp, and rise and broaden without outer hair cells; tails
# towards low frequencies stay.
CRITERION = 0.05
levels_db = np.arange(0, 101, 5)
places = [int(np.abs(f_hz - hz).argmin()) for hz in (500, 1500, 4000)]
figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
tips_db = {}
for k, colour in zip(places, ("tab:blue", "tab:orange", "tab:green")):
    probes_hz = f_hz[k] * 2 ** np.array([-2, -1.5, -1, -0.6, -0.3, -0.15, 0, 0.1, 0.2, 0.3, 0.45])
    tones = [
        tone for db in levels_db for tone in datasets.make_tone(probes_hz, duration_s=0.15, sample_rate=RATE, db_spl=db)
    ]
    for model, style in ((healthy, "-"), (passive, "--")):
        rates = model.transform(tones)[:, k].reshape(len(levels_db), len(probes_hz))
        curve = [np.interp(CRITERION, rate, levels_db, left=np.nan, right=np.nan) for rate in rates.T]
        ax.semilogx(probes_hz, curve, style, color=colour, marker=".")
        tips_db[k, style] = np.nanmin(curve)
ax.set(ylabel="Level (dB SPL)", title="Healthy, and without outer hair cells (dashed)")
label_hz(ax)

# %%
# The published numbers are those of the frequency-response test of google/carfac, whose comment names figure 16.6 of
# Lyon's book: peak, gain, bandwidth 3 dB below it and Q of an impulse response at 22.05 kHz. That the tips rise without
# outer hair cells has no published number here; the paper's is of the gain, up to 50 dB (section 2.9).
print("                                 published                            found")
for k, (hz, gain_db, width_hz, q) in TUNING.items():
    own_hz, own_db, own_width_hz, own_q = tuning(healthy, k)
    print(
        f"channel {k}: peak, gain, width, Q   {hz:4d} Hz, {gain_db:5.2f} dB, {width_hz:5.1f} Hz, {q:.1f}"
        f"    {own_hz:4.0f} Hz, {own_db:5.2f} dB, {own_width_hz:5.1f} Hz, {own_q:.1f}"
    )
risen = ", ".join(f"{tips_db[k, '--'] - tips_db[k, '-']:.0f} dB at {f_hz[k]:.0f} Hz" for k in places)
print(f"tips without outer hair cells       no number                            {risen} higher")
plt.show()
