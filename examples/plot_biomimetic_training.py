"""
What the biomimetic front end learns
====================================

The front end learns its cochlear and its cortical parameters from labels, or the cortical ones alone, and is compared
with itself as it was given: scales against rates, single receptive fields, and the accuracy of a linear classifier on
speakers that it has not heard, clean and in pink noise.

Vowels that are made here, or the recordings of a folder as `skaud.datasets.load_folder` reads it, with groups::

    python examples/plot_biomimetic_training.py recordings --per-class 20 --iterations 10
"""

import argparse
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import BiomimeticFrontend, Learn, audio, datasets
from skaud.display import STRFDisplay

parser = argparse.ArgumentParser(description="What the biomimetic front end learns from labels.")
parser.add_argument("folder", nargs="?", help="recordings; vowels are made without")
parser.add_argument("--per-class", type=int, default=6, help="training clips a class")
parser.add_argument("--iterations", type=int, default=6, help="passes over the training clips")
parser.add_argument("--init", choices=["log", "random"], default="log")
parser.add_argument("--random-state", type=int, default=0)
arguments = parser.parse_args()

# %%
# A third of the speakers is kept for the test.
RATE = 16000
if arguments.folder is None:
    sounds = datasets.make_vowels(n_speakers=9, n_takes=1, sample_rate=RATE, random_state=0)
else:
    sounds = datasets.load_folder(arguments.folder, sample_rate=RATE)
random = np.random.default_rng(arguments.random_state)
speakers = random.permutation(np.unique(sounds.groups))
in_test = np.isin(sounds.groups, speakers[: max(1, len(speakers) // 3)])


def choose(candidates, n):
    """Indices of n clips of each class, of those that are candidates."""
    classes = [np.flatnonzero(candidates & (sounds.target == label)) for label in np.unique(sounds.target)]
    return np.concatenate([random.permutation(clips)[:n] for clips in classes])


def present(indices, snr_db):
    """Clips at 60 dB SPL, in pink noise."""
    noisy = audio.add_noise([sounds.clips[i] for i in indices], snr_db, "pink", random_state=0)
    return audio.set_level(noisy, 60)


train, test = choose(~in_test, arguments.per_class), choose(in_test, arguments.per_class)
clips, y = present(train, np.inf), sounds.target[train]
print(f"{len(train)} clips to learn from, {len(test)} to test on, {len(set(y))} classes.")

# %%
# Learning, through a softmax head on the spread of every response over time.
warnings.simplefilter("ignore", ConvergenceWarning)  # it takes the passes that it is given
models = {}
for names in (None, "cortical", "full"):
    seed = arguments.random_state
    learn = Learn(names, max_iter=arguments.iterations, batch_size=8, learning_rate=0.005, random_state=seed)
    model = BiomimeticFrontend(learn=learn, init=arguments.init, pooling="std", random_state=seed)
    models[names or "frozen"] = model.fit(clips, y)

# %%
# The same classifier on the features of each.
for name, model in models.items():
    features = model.transform(clips)
    floor = 0.01 * features.mean()  # below which the logarithm is flat
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    classifier.fit(np.log(features + floor), y)
    scores = {}
    for snr_db in (np.inf, 3, 0, -3):
        noisy = np.log(model.transform(present(test, snr_db)) + floor)
        scores["clean" if np.isinf(snr_db) else f"{snr_db} dB"] = classifier.score(noisy, sounds.target[test])
    print(f"{name:8s}", ", ".join(f"{condition} {score:.2f}" for condition, score in scores.items()))

# %%
# Where the receptive fields went, from where they were.
figure, axes = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
for ax, name in zip(axes, ("cortical", "full")):
    STRFDisplay.from_estimator(models[name], ax)
    ax.set_title(f"learn={name!r}")

# %%
# Loss and cochlear parameters.
full = models["full"]
figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), layout="constrained")
for name in ("cortical", "full"):
    axes[0].plot(np.arange(1, arguments.iterations + 1), models[name].loss_curve_, label=f"learn={name!r}")
axes[0].set(xlabel="Pass over the clips", ylabel="Cross-entropy", ylim=(0, None))
axes[0].legend()
axes[1].semilogx(full.channel_frequencies_hz_, full.compression_[:-1])
axes[1].axhline(1, color="0.7", lw=0.8)
axes[1].set(xlabel="Frequency (Hz)", ylabel="Exponent of the compression")
axes[1].set_xticks([200, 500, 1000, 2000, 5000], ["200", "500", "1000", "2000", "5000"])
axes[1].set_xticks([], minor=True)
weights = ", ".join(f"{weight:.2f}" for weight in full.lateral_inhibition_)
axes[1].set_title(f"inhibition ({weights}), integration {1000 * full.integration_s_:.1f} ms")

# %%
# The eight fields that have moved most, as they are now.
moved = np.abs(np.log(full.rates_hz_ / full.initial_rates_hz_))
moved += np.abs(np.log(full.scales_cycles_per_octave_ / full.initial_scales_cycles_per_octave_))
STRFDisplay.from_estimator(full, strfs=np.argsort(moved)[::-1][:8])
plt.show()
