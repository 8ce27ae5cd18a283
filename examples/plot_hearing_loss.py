"""
Hearing loss from an audiogram
==============================

From the thresholds of a clinic to the outer hair cells of a cochlea: what a vowel becomes in two impaired ears, what of
their audiograms the outer hair cells explain, and what a classifier still recognises as hearing is lost.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import CARFAC, Audiogram, Sound, audio, datasets
from skaud.display import AudiogramDisplay, CochleagramDisplay, OHCHealthDisplay

# %%
# A listener with a steep loss on the left, and a sloping one on the right. The fit finds the health of each ear's outer
# hair cells; what exceeds their reach it reports. The first ear of the sound is the left one.
left, right = Audiogram.standard("S1", ear="left"), Audiogram.standard("N2", ear="right")
vowels = datasets.make_vowels(n_speakers=12, n_takes=1, random_state=0, db_spl=65)
vowel = vowels.clips[list(vowels.target).index("iy")]
both = Sound(np.stack([vowel.samples, vowel.samples]), vowel.sample_rate)
with warnings.catch_warnings(record=True) as beyond:
    warnings.simplefilter("always")
    listener = CARFAC(audiogram=[left, right], pooling=None, frame_length=0.002).fit([both])
for warning in beyond:
    print(warning.message)

# %%
# Target and prediction, and the health behind it. Where the dashed line stays above the solid one, outer hair cells are
# not enough.
figure, (form, along) = plt.subplots(1, 2, figsize=(12, 5.5), layout="constrained")
AudiogramDisplay.from_estimator(listener, ax=form)
OHCHealthDisplay.from_estimator(listener, ax=along)

# %%
# The vowel of "heed" at 65 dB SPL in a healthy ear, and in these two.
healthy = CARFAC(pooling=None, frame_length=0.002).fit([vowel])
responses = [*healthy.transform([vowel]), *listener.transform([both])[0]]
figure, axes = plt.subplots(1, 3, figsize=(15, 4), layout="constrained")
for ax, response, name in zip(axes, responses, ("healthy ear", "left ear, S1", "right ear, N2")):
    CochleagramDisplay.from_response(
        response,
        frequencies_hz=healthy.channel_frequencies_hz_,  # of the same places in all ears
        frame_rate_hz=healthy.frame_rate_hz_,
        response_name="Neural activity",
        ax=ax,
        cmap="magma",
        vmin=0,
        vmax=responses[0].max() / 2,
    )
    ax.set_title(f"/i/ at 65 dB SPL, {name}")


# %%
# Vowels of speakers that the classifier has not heard, at two levels. Neurons are noisy: some noise on the response
# makes what is barely heard hard to tell apart.
classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
neural_noise = np.random.default_rng(0)
warnings.simplefilter("ignore", UserWarning)  # of losses beyond the reach
hearing = {"healthy": None} | {name: Audiogram.standard(name) for name in ("N1", "N2", "N3", "S1", "S2")}
levels_db_spl = (65, 45)
accuracy = np.empty((len(levels_db_spl), len(hearing)))
for column, (name, audiogram) in enumerate(hearing.items()):
    ear = CARFAC(audiogram=audiogram).fit(vowels.clips)
    for row, level in enumerate(levels_db_spl):
        features = ear.transform(audio.set_level(vowels.clips, level))
        features += neural_noise.normal(0, 0.001, features.shape)
        scores = cross_val_score(classifier, features, vowels.target, groups=vowels.groups, cv=GroupKFold(4))
        accuracy[row, column] = scores.mean()
        print(f"{name}, {level} dB SPL: accuracy {scores.mean():.2f} (chance 0.10)")

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for level, row, offset in zip(levels_db_spl, accuracy, (-0.2, 0.2)):
    ax.bar(np.arange(len(hearing)) + offset, row, 0.38, label=f"{level} dB SPL")
ax.axhline(0.1, color="0.4", linestyle=":", label="chance")
ax.set_xticks(range(len(hearing)), list(hearing))
ax.set(xlabel="Audiogram that the ear was fitted to", ylabel="Accuracy, ten vowels", ylim=(0, 1))
ax.legend(ncols=3)
plt.show()
