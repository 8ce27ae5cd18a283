"""
Vowels through a healthy and a passive cochlea
==============================================

Two cochleagrams of one vowel, with the outer hair cells at work and without, and what a linear classifier still
recognises of the vowels of speakers it has not heard.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import CARFAC, datasets
from skaud.display import CochleagramDisplay

# %%
# Ten vowels of men, women and children at 65 dB SPL.
vowels = datasets.make_vowels(n_speakers=12, random_state=0, db_spl=65)
vowel = vowels.clips[list(vowels.target).index("ae")]

# %%
# The passive cochlea loses sensitivity and sharpness.
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for ax, (name, health) in zip(axes, {"healthy": 1.0, "passive": 0.0}.items()):
    model = CARFAC(ohc_health=health, frame_length=0.002).fit([vowel])
    CochleagramDisplay.from_estimator(model, vowel, ax=ax, cmap="magma", vmin=0)
    ax.set_title(f"/æ/ at 65 dB SPL, outer hair cells {name}")

# %%
# Speakers that the classifier has not heard.
for health in (1.0, 0.5, 0.0):
    classifier = make_pipeline(CARFAC(ohc_health=health), StandardScaler(), LogisticRegression(max_iter=1000))
    accuracy = cross_val_score(classifier, vowels.clips, vowels.target, groups=vowels.groups, cv=GroupKFold(4))
    print(f"ohc_health={health}: accuracy {accuracy.mean():.2f} (chance 0.10)")
plt.show()
