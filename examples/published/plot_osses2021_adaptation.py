"""
Osses2021, Dau1997, King2019: adaptation and modulation
=======================================================

Adaptation to a burst with limits of 5 and 10; the modulation filters of three models; and the internal
representations of noise with amplitude modulation and of a note like a piano's (Dau et al. 1997; King et al. 2019;
Osses & Kohlrausch 2021).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skaud import (
    AdaptationLoops,
    GammatoneFilterbank,
    HairCellEnvelope,
    ModulationBandpass,
    ModulationFilterbank,
    Osses2021,
    Sound,
    audio,
    datasets,
)
from skaud.display import StagesDisplay

RATE = 44100

# %%
# **A burst of 2 kHz at 60 dB SPL**, in one channel, without the ears: the limit bounds the onset alone.
burst = datasets.make_tone(2000, duration_s=1.0, db_spl=60, ramp_s=0.005)
channel = {"low_hz": 2000, "high_hz": 2000, "dtype": "float64"}
figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
onset, steady = {}, {}
for limit in (10, 5):
    stages = GammatoneFilterbank(**channel), HairCellEnvelope(dtype="float64")
    response = make_pipeline(*stages, AdaptationLoops(adaptation_limit=limit, dtype="float64")).fit_transform(burst)[0][
        0
    ]
    onset[limit], steady[limit] = response.max(), response[-RATE // 4 : -RATE // 100].mean()
    peaks = response[: response.size // 44 * 44].reshape(-1, 44).max(axis=1)  # in each millisecond
    ax.plot(np.arange(peaks.size) * 44 / RATE, peaks, label=f"limit {limit}")
ax.set(xlabel="Time (s)", ylabel="Model units", xlim=(0, 0.4), title="Adaptation loops")
ax.legend()

# %%
# **Modulation transfer**: what a sinusoid becomes in every filter of a channel at 1.9 kHz, in
# steady state.
rates_hz = np.geomspace(1, 400, 25)
t = np.arange(2 * 8000) / 8000
X = np.sin(2 * np.pi * rates_hz[:, np.newaxis] * t)
banks = {
    "Osses2021": ModulationFilterbank(8000, low_hz=1900, high_hz=1900, dtype="float64"),
    "Dau1997": ModulationFilterbank(
        8000, low_hz=1900, high_hz=1900, modulation="dau1997", max_modulation_hz=None, dtype="float64"
    ),
    "King2019": ModulationBandpass(8000, phase="signed", dtype="float64"),
}
figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), sharey=True, layout="constrained")
for ax, (name, bank) in zip(axes, banks.items()):
    response = bank.fit_transform(X[:, np.newaxis])[:, :, 8000:]
    level_db = 10 * np.log10(np.mean(response**2, axis=-1) + 1e-9)
    ax.semilogx(rates_hz, level_db)
    ax.set(xlabel="Modulation rate (Hz)", title=name, ylim=(-40, 8))
    ax.set_xticks([1, 3, 10, 30, 100, 300], [1, 3, 10, 30, 100, 300])
    ax.minorticks_off()
axes[0].set(ylabel="RMS of the output (dB)")

# %%
# **Internal representations**: noise with modulation of 8 Hz, and a note of decaying harmonics of 220 Hz, each stage
# of one channel.
noise = datasets.make_am_noise(8, duration_s=0.8, db_spl=65, random_state=0)[0]
seconds = np.arange(round(0.8 * RATE)) / RATE
note = sum(np.sin(2 * np.pi * 220 * k * seconds) * np.exp(-seconds * (2 + k)) / k for k in range(1, 15))
note = audio.set_level(Sound(note, RATE), 70)
for name, clip in {"noise, modulated at 8 Hz": noise, "a note of 220 Hz": note}.items():
    model = Osses2021(RATE).fit([clip])
    display = StagesDisplay.from_estimator(model, clip)
    display.figure_.suptitle(f"Osses2021: {name}")

# %%
# The two numbers of the burst are those of the AMT for the same burst; the modulation filters of Osses2021
# follow from 5 and 10 Hz and a Q of 2, those of King2019 stand in their paper.
print("                                        published       found")
print(f"onset at 60 dB, limit 5                 613.6           {onset[5]:.1f} model units")
print(f"steady at 60 dB, limit 5                49.0            {steady[5]:.1f} model units")
print(f"onset, limit 10 over limit 5            no number       {onset[10] / onset[5]:.2f}")
centres = banks["Osses2021"].modulation_index_.get_level_values(1)
print(f"filters of Osses2021 at 1.9 kHz         no number       {', '.join(f'{hz:.3g}' for hz in centres)} Hz")
own = banks["King2019"].modulation_frequencies_hz_
print(f"filters of King2019                     2 to 94.0 Hz    {', '.join(f'{hz:.3g}' for hz in own)} Hz")
plt.show()
