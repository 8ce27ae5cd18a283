"""
CARFAC that learns from labels
==============================

Vowels in pink noise, and a linear classifier that has not heard the speakers: on the features of CARFAC as published,
and on those of a CARFAC that learned its compression and its gain control from the speakers of the training set.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import CARFAC, Learn, datasets

warnings.simplefilter("ignore", ConvergenceWarning)  # 8 iterations are enough to see what learning gains
L2 = 0.02
LEARN = ("velocity_scale", "v_offset", "min_zeta", "max_zeta", "agc_time_constants_s", "agc_stage_gain")

# %%
# Ten vowels of nine speakers, twice each, 0.12 s long, at an SNR of 0 dB.
vowels = datasets.make_vowels(
    n_speakers=9, n_takes=2, noise_snr_db=0, random_state=0, sample_rate=8000, duration_s=(0.12, 0.12)
)
X, y = np.array(vowels.clips, dtype=object), vowels.target
models = {
    "fixed": CARFAC(8000, n_jobs=-1),
    "learned": CARFAC(8000, learn=Learn(LEARN, l2=L2, max_iter=8, batch_size=120), n_jobs=-1),
}

# %%
# Three folds, each with three speakers that were heard neither by the model nor by the classifier, which is the same
# for both: scaled features and a logistic regression with the penalty of the softmax head that learning uses.
print("CARFAC   accuracy by fold       mean   cross-entropy  training loss   seconds")
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, model in models.items():
    start, accuracies, losses = time.perf_counter(), [], []
    for train, test in GroupKFold(3).split(X, y, vowels.groups):
        head = LogisticRegression(C=1 / (L2 * len(train)), max_iter=2000)
        classifier = make_pipeline(model, StandardScaler(), head).fit(X[train], y[train])
        accuracies.append(classifier.score(X[test], y[test]))
        losses.append(log_loss(y[test], classifier.predict_proba(X[test])))
        if name == "learned":
            axes[0].plot(model.loss_curve_, label=f"fold {len(losses)}")
    seconds = time.perf_counter() - start
    training = f"{model.loss_curve_[0]:.2f} -> {model.loss_curve_[-1]:.2f}" if name == "learned" else ""
    folds = " ".join(f"{accuracy:.3f}" for accuracy in accuracies)
    print(f"{name:8} {folds:21} {np.mean(accuracies):.3f}   {np.mean(losses):10.2f}     {training:15} {seconds:7.1f}")
    axes[1].plot(np.arange(1, 4), accuracies, "o-", label=name)
axes[0].set(xlabel="iteration", ylabel="training loss", title="What the model learns", ylim=(0, None))
axes[1].set(
    xlabel="fold", ylabel="accuracy on unheard speakers", title="What it is worth", xticks=[1, 2, 3], ylim=(0, 1)
)
for ax in axes:
    ax.legend()

# %%
# The parameters of the last fold.
for name in LEARN:
    print(f"{name}: {np.round(getattr(model, f'{name}_'), 4)}, from {getattr(model, name)}")
plt.show()
