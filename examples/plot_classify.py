"""
A classification from end to end
================================

Vowels of men, women and children: features from a recipe, a grid search over the parameters of the ear, which vowels
of speakers unheard are taken for which, and which places of the cochlea tell them apart.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import CARFAC, audio, datasets, recipes

# %%
# Sounds with their labels and speakers. With recordings of your own, ``datasets.load_folder("recordings")`` returns the
# same. Every clip is set to 60 dB SPL, in pink noise 10 dB below.
vowels = datasets.make_vowels(n_speakers=6, n_takes=2, duration_s=(0.15, 0.25), sample_rate=16000, random_state=0)
clips = audio.set_level(audio.add_noise(vowels.clips, 10, "pink", random_state=0), 60)
speakers = GroupKFold(3)  # no speaker is in training and test

# %%
# A recipe is a list of steps; with a scaler and a classifier behind them it is a classifier. Parameters of the cochlea,
# of the cortical filters and of the pooling are searched like any others.
classifier = Pipeline(
    [
        *recipes.strf_cepstra(16000).steps,
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(C=0.01, max_iter=500)),
    ]
)
grid = {
    "carfac__ohc_health": [1.0, 0.0],
    "strf__n_strfs": [8, 24],
    "pooling__statistics": [{"mean": 1}, {"mean": 4, "std": 1}],  # statistics, and in how many segments
}
search = GridSearchCV(classifier, grid, cv=speakers).fit(clips, vowels.target, groups=vowels.groups)
for parameters, accuracy in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
    print(f"{accuracy:.2f}  {parameters}")

# %%
# Which vowels are taken for which, of speakers that the classifier has not heard.
guesses = cross_val_predict(search.best_estimator_, clips, vowels.target, groups=vowels.groups, cv=speakers)
confusions = ConfusionMatrixDisplay.from_predictions(
    vowels.target, guesses, normalize="true", cmap="magma", values_format=".1f", im_kw={"vmin": 0, "vmax": 1}
)
confusions.ax_.set_title(f"{np.mean(guesses == vowels.target):.0%} of vowels in noise, speakers unheard")

# %%
# Which places of the cochlea matter: with one feature a channel, those of some neighbours are shuffled among clips of
# unheard speakers, and the accuracy falls.
ear = CARFAC(16000, pooling="mean")
features = ear.fit_transform(clips)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
width, rng = 5, np.random.default_rng(0)
loss = np.zeros((3, ear.n_channels_ - width + 1))
for fold, (train, test) in enumerate(speakers.split(features, groups=vowels.groups)):
    model.fit(features[train], vowels.target[train])
    whole = model.score(features[test], vowels.target[test])
    for first in range(loss.shape[1]):
        shuffled = np.tile(features[test], (10, 1, 1))
        for own in shuffled:
            own[:, first : first + width] = own[rng.permutation(len(test)), first : first + width]
        loss[fold, first] = whole - np.mean([model.score(own, vowels.target[test]) for own in shuffled])

# %%
# Over the cochlea, from apex to base: Greenwood's map gives the place of a frequency on a basilar membrane of 35 mm.
hz = ear.channel_frequencies_hz_[width // 2 : width // 2 + loss.shape[1]]
_, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
ax.fill_between(
    hz, *np.quantile(loss, [0, 1], axis=0), alpha=0.25, lw=0, color="tab:purple", label="range of the folds"
)
ax.plot(hz, loss.mean(axis=0), color="tab:purple", label="mean")
ax.axhline(0, color="0.6", lw=0.8)
ax.set(xscale="log", xlim=(hz.min(), hz.max()), xlabel="Characteristic frequency (Hz)", ylabel="Accuracy lost")
ticks_hz = [100, 200, 500, 1000, 2000, 5000]
ax.set_xticks(ticks_hz, [f"{tick}" for tick in ticks_hz])
ax.minorticks_off()
place = ax.secondary_xaxis("top", functions=(lambda f: f, lambda f: f))
place.set_xticks(ticks_hz, [f"{35 * np.log10(tick / 165.4 + 0.88) / 2.1:.0f}" for tick in ticks_hz])
place.minorticks_off()
place.set_xlabel("Place from the apex (mm; Greenwood 1990)")
ax.legend(frameon=False)
plt.show()
