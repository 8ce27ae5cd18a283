"""
CARFAC v2, Figures 3 and 4: the hair cell of two capacitors
===========================================================

The inner hair cell of version 2 has a receptor potential, whose capacitor smooths high frequencies: at 3 kHz about
half as much phase locking is left as in version 1 (Lyon et al. 2024, section 2.4).
"""

import matplotlib.pyplot as plt
import numpy as np

from skaud import CARFAC, datasets
from skaud.testing.conformance.hair_cells import TONES, peaks_and_components

RATE = 44100
X = datasets.make_tone(3000, duration_s=0.03, sample_rate=RATE, db_spl=60, ramp_s=0.002)
models = {style: CARFAC(RATE, ihc_style=style, dtype="float64").fit(X) for style in ("two_cap", "one_cap")}
channel = int(np.abs(models["two_cap"].channel_frequencies_hz_ - 3000).argmin())
new = models["two_cap"].simulate(X, ["bm", "receptor_potential", "nap"])
old = models["one_cap"].simulate(X, ["bm", "nap"])

# %%
# The first 10 ms of a burst of 3 kHz and 60 dB SPL in the channel of that frequency. Version 1, which has no receptor
# potential, is dotted; the two move the basilar membrane alike.
figure, axes = plt.subplots(3, 1, figsize=(9, 6.5), sharex=True, layout="constrained")
t_ms = 1000 * np.arange(new.bm[0].shape[-1]) / RATE
names = {"bm": "Basilar membrane", "receptor_potential": "Receptor potential", "nap": "NAP"}
for ax, (output, name) in zip(axes, names.items()):
    ax.plot(t_ms, new[output][0][channel], color="tab:blue", lw=1.2, label="v2")
    if output in old:
        ax.plot(t_ms, old[output][0][channel], ":", color="k", lw=1.6, label="v1")
    ax.set(ylabel=name)
axes[2].legend(loc="upper right")
axes[-1].set(xlabel="Time (ms)", xlim=(0, 10))


# %%
# Transfer functions of the hair cell: tones that move the basilar membrane by a small, constant amplitude (linear,
# open loop), and the component at their own frequency in the NAP.
FREQUENCIES_HZ = np.geomspace(150, 8000, 19).round()
AMPLITUDE, SECONDS = 0.02, 0.25


def own_component(style, hz):
    """Amplitude of the NAP at the tone's frequency over that of the basilar membrane, and vector strength."""
    model = CARFAC(RATE, ihc_style=style, linear_car=True, open_loop=True, rms_one_db_spl=None, dtype="float64").fit()
    k = int(np.abs(model.channel_frequencies_hz_ - hz).argmin())
    phase = 2 * np.pi * hz * np.arange(round(SECONDS * RATE)) / RATE
    amplitude = AMPLITUDE / np.abs(model.transfer_function([hz]))[k, 0]
    nap = model.simulate(amplitude * np.sin(phase)[np.newaxis], "nap").nap[0, k] + model.nap_rest_[k]
    steady = slice(round(0.15 * RATE), round(0.15 * RATE) + round(RATE / hz * int(0.1 * hz)))
    component = np.abs(nap[steady] @ np.exp(-1j * phase[steady]))
    return 2 * component / nap[steady].size / AMPLITUDE, component / nap[steady].sum()


found = {style: np.array([own_component(style, hz) for hz in FREQUENCIES_HZ]).T for style in models}
figure, (ax, below) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
for style, name in {"two_cap": "v2, two capacitors", "one_cap": "v1, one capacitor"}.items():
    ax.loglog(FREQUENCIES_HZ, found[style][0], label=name)
ratio = found["two_cap"][0] / found["one_cap"][0]
below.semilogx(FREQUENCIES_HZ, ratio, "k")
for each in (ax, below):
    for hz in (300, 3000):
        each.axvline(hz, color="grey", ls=":")
ax.set(ylabel="NAP over BM, at the tone's frequency", title="Inner hair cell, small signals")
ax.legend()
below.set_xticks([200, 300, 500, 1000, 2000, 3000, 5000], ["0.2", "0.3", "0.5", "1", "2", "3", "5"])
below.set_xticks([], minor=True)
below.set(xlabel="Frequency (kHz)", ylabel="v2 over v1", ylim=(0, 1.5))


# %%
# The numbers. The hair cells alone are held against a test of google/carfac, six tones of 300 Hz and of 3 kHz that move
# the basilar membrane by more and more; here is the component at the tone's own frequency of the faintest, which does
# not saturate the cell. The vector strength is that of the hair cell's output, rest included, at 3 kHz and 60 dB SPL in
# the last 10 ms.
def vector_strength(model, nap):
    steady = nap[0][channel, -RATE // 100 :] + model.nap_rest_[channel]
    phase = 2 * np.pi * 3000 * np.arange(steady.size) / RATE
    return np.abs(steady @ np.exp(1j * phase)) / steady.sum()


v1, v2 = vector_strength(models["one_cap"], old.nap), vector_strength(models["two_cap"], new.nap)
print("                                            published    found")
print(f"vector strength at 3 kHz, v2 over v1        about 0.5    {v2 / v1:.2f} ({v2:.2f} over {v1:.2f})")
quotient = {}
for hz in (300, 3000):
    published, own = {}, {}
    for style in ("one_cap", "two_cap"):
        published[style], own[style] = TONES[style, hz][1][0], peaks_and_components(style, hz)[1][0]
        print(f"component of a tone of {hz:4d} Hz, {style}      {published[style]:7.3f}      {own[style]:.3f}")
    quotient[hz] = [each["two_cap"] / each["one_cap"] for each in (published, own)]
    print(f"the same, v2 over v1                        {quotient[hz][0]:.3f}        {quotient[hz][1]:.3f}")
wanted, of_tones = (high / low for low, high in zip(quotient[300], quotient[3000]))
print(f"v2 over v1 at 3 kHz, relative to 300 Hz     {wanted:.3f}        {of_tones:.3f}")
low, high = np.interp([300, 3000], FREQUENCIES_HZ, ratio)
print(f"the same in the picture, smaller signals    no number    {high / low:.3f}")
plt.show()
