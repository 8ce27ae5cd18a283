"""
Standard audiograms, and a word as impaired ears hear it
========================================================

The ten standard audiograms of Bisgaard et al. (2010), fitted by the health of outer hair cells; how far that reaches;
and a word as listeners N1 to N5 hear it.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skaud import CARFAC, Audiogram, Sound, audio, datasets
from skaud.display import CochleagramDisplay
from skaud.fitting import predicted_audiogram

RATE = 22050
NAMES = ["N1", "N2", "N3", "N4", "N5", "N6", "N7", "S1", "S2", "S3"]
standard = {name: Audiogram.standard(name) for name in NAMES}
frequencies_hz = np.array([250, 500, 1000, 2000, 4000, 6000])
reach_db = predicted_audiogram(CARFAC(RATE, ohc_health=0.0).fit(), frequencies_hz).thresholds_db_hl

# %%
# Given thresholds (solid) and those of the fitted model (dashed); grey is beyond the reach of outer hair cells.
fitted, worst_db = {}, {}
figure, axes = plt.subplots(2, 5, figsize=(14, 6), sharex=True, sharey=True, layout="constrained")
for ax, (name, audiogram) in zip(axes.flat, standard.items()):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is beyond the reach, which is drawn
        fitted[name] = CARFAC(RATE, audiogram=audiogram, pooling=None, frame_length=0.004).fit()
    given, found = audiogram, fitted[name].predicted_audiogram_
    ax.semilogx(given.frequencies_hz, given.thresholds_db_hl, "o-", label="given")
    ax.semilogx(found.frequencies_hz, found.thresholds_db_hl, "x--", label="model")
    ax.fill_between(frequencies_hz, reach_db, 120, color="grey", alpha=0.25)
    ax.set(title=name, ylim=(120, -10), xticks=[250, 1000, 4000], xticklabels=["0.25", "1", "4"])
    ax.minorticks_off()
    limit = np.interp(np.log(given.frequencies_hz), np.log(frequencies_hz), reach_db)
    inside = (given.thresholds_db_hl < limit - 3) & (given.frequencies_hz >= 250) & (given.frequencies_hz <= 6000)
    error = np.abs(found.thresholds_db_hl - given.thresholds_db_hl)[inside]
    worst_db[name] = error.max() if inside.any() else np.nan
axes[0, 0].legend()
axes[1, 2].set_xlabel("Frequency (kHz)")
axes[0, 0].set_ylabel("dB HL")

# %%
# A word of two vowels, /ɔ/ to /i/, at 75 dB SPL; the colours end at a third of the healthy ear's largest response. From
# N3 on the losses lie beyond the reach of outer hair cells nearly everywhere, and the three ears hear the same.
vowels = datasets.make_vowels(n_speakers=1, n_takes=1, sample_rate=RATE, random_state=0, duration_s=(0.2, 0.2))
parts = [vowels.clips[list(vowels.target).index(name)].samples for name in ("ao", "iy")]
word = audio.set_level(Sound(np.concatenate(parts), RATE), 75)
healthy = CARFAC(RATE, pooling=None, frame_length=0.004).fit()
figure, axes = plt.subplots(2, 3, figsize=(14, 6), layout="constrained")
ears = {"healthy": healthy} | {name: fitted[name] for name in NAMES[:5]}
top = healthy.transform([word])[0].max() / 3
for ax, (name, model) in zip(axes.flat, ears.items()):
    CochleagramDisplay.from_estimator(model, word, ax=ax, cmap="magma", vmin=0, vmax=top)
    ax.set_title(name)

# %%
print(
    "reach of outer hair cells, dB HL: " + ", ".join(f"{db:.0f} at {hz} Hz" for hz, db in zip(frequencies_hz, reach_db))
)
print("thresholds in dB HL, published and found, at " + ", ".join(f"{hz:g}" for hz in given.frequencies_hz) + " Hz")
for name, audiogram in standard.items():
    found = fitted[name].predicted_audiogram_
    np.testing.assert_array_equal(found.frequencies_hz, audiogram.frequencies_hz)
    print(f"  {name}   published " + " ".join(f"{db:6.1f}" for db in audiogram.thresholds_db_hl))
    print("       found     " + " ".join(f"{db:6.1f}" for db in found.thresholds_db_hl))
print("largest error where the loss is at least 3 dB within the reach:")
for name, error in worst_db.items():
    print(f"  {name}   {'all is beyond' if np.isnan(error) else f'{error:.2f} dB'}")
plt.show()
