"""
Slow and fast fluctuations through the model of Osses et al. (2021)
===================================================================

What becomes of a sound from stage to stage; which modulation filters answer to a slow and to a fast fluctuation; and
how much the limit of the adaptation's overshoot matters to a linear classifier of shallow fluctuations.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import Osses2021, Sound, datasets
from skaud.display import ModulationDisplay, StagesDisplay

RATE = 22050

# %%
# All stages of two syllables, /i/ and /ɑ/ at 65 dB SPL, one above the other. The adaptation answers to the onsets most.
vowels = datasets.make_vowels(n_speakers=1, n_takes=1, db_spl=65, random_state=0, sample_rate=RATE)
pause = np.zeros(RATE // 10, "float32")
syllables = [vowels.clips[list(vowels.target).index(name)].samples for name in ("iy", "aa")]
word = Sound(np.concatenate([pause, syllables[0], pause, syllables[1], pause]), RATE)
model = Osses2021(RATE).fit([word])
StagesDisplay.from_estimator(model, word).figure_.suptitle("/i/ and /ɑ/ at 65 dB SPL")

# %%
# Noise that fluctuates 4 times a second, and 70 times: the one is in the filters up to 10 Hz, the other in those that
# channels above 300 Hz have about 77 Hz. Grey: no such filter.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for ax, modulation_hz in zip(axes, (4, 70)):
    noise = datasets.make_am_noise(modulation_hz, duration_s=1.0, db_spl=70, random_state=0, sample_rate=RATE)[0]
    ModulationDisplay.from_estimator(model, noise, ax=ax, vmax=140)
    ax.set_title(f"Noise, amplitude modulated at {modulation_hz} Hz")
    ax.label_outer()

# %%
# Five speeds of fluctuation, shallow, at levels that say nothing. The limit of the adaptation matters little to them.
random = np.random.default_rng(0)
speeds_hz = np.repeat([4, 8, 16, 32, 64], 16)
sounds = [
    datasets.make_am_noise(hz, depth, 0.6, db_spl=random.uniform(50, 70), random_state=i, sample_rate=RATE)[0]
    for i, (hz, depth) in enumerate(zip(speeds_hz, random.uniform(0.1, 0.3, speeds_hz.size)))
]
classifier = make_pipeline(Osses2021(RATE, n_jobs=-1), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
limits = [2, 5, 10, None]
folds = StratifiedKFold(4, shuffle=True, random_state=0)
search = GridSearchCV(classifier, {"osses2021__adaptation_limit": limits}, cv=folds).fit(sounds, speeds_hz)
for limit, mean, std in zip(limits, *(search.cv_results_[f"{name}_test_score"] for name in ("mean", "std"))):
    print(f"adaptation_limit={limit}: accuracy {mean:.2f} ± {std:.2f} over folds (chance 0.20)")
plt.show()
