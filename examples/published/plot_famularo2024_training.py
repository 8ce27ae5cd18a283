"""
Famularo et al. 2024: the front end trained with a network
==========================================================

What `examples/biomimetic_cnn.py` found at a small size, kept beside this page: accuracy of phonemes over the
signal-to-noise ratio (Figure 2), the quality of speech under a mask (Table 1), and where scales and rates went
(Figure 3). Of results of your own::

    python examples/published/plot_famularo2024_training.py results.jsonl

The corpora, their sizes and the length of the training are not those of the paper, so its numbers do not stand here,
and the results are no repetition of it.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skaud.display import STRFDisplay

HERE = Path(__file__).parent if "__file__" in globals() else Path()  # the gallery runs it in its folder
path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "famularo2024_training.jsonl"
rows = [json.loads(line) for line in path.read_text().splitlines()]
COLOURS = {"mixture": "k", "full": "tab:red", "cortical": "tab:blue", "frozen": "tab:grey", "convolution": "tab:green"}


def scores_of(task):
    """Scores by arm, an array (n_seeds, n_conditions) each, and the names of the conditions."""
    found, conditions = {}, []
    for row in rows:
        for arm, scores in row["scores"].items() if row["task"] == task else ():
            found.setdefault(arm, {})[row["seed"]] = list(scores.values())
            conditions = list(scores)
    arms = sorted(found, key=lambda arm: ("random" in arm, list(COLOURS).index(arm.split(",")[0])))
    return {arm: np.array(list(found[arm].values())) for arm in arms}, conditions


# %%
# Accuracy of the frames, of voices unheard; trained clean. Every seed is a point, the line their mean; of the random
# init dashed.
accuracy, conditions = scores_of("phonemes")
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for arm, values in accuracy.items():
    style = {"color": COLOURS[arm.split(",")[0]], "ls": "--" if "random" in arm else "-"}
    ax.plot(range(len(conditions)), values.mean(axis=0), label=arm, **style)
    for own in values:
        ax.plot(range(len(conditions)), own, ".", color=style["color"], ms=5)
ax.set_xticks(range(len(conditions)), conditions)
ax.set(xlabel="Speech to pink noise", ylabel="Accuracy of frames", ylim=(0, None), title="Phonemes (Figure 2)")
ax.legend(fontsize="small")

# %%
# Scale-invariant signal-to-distortion ratio, in dB, of mixtures at 0 dB: talkers and maskers that were trained on
# (other stretches of them), new talkers, new maskers.
quality, conditions = scores_of("enhancement")
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
width = 0.8 / max(1, len(quality))
for k, (arm, values) in enumerate(quality.items()):
    places = np.arange(len(conditions)) + (k - (len(quality) - 1) / 2) * width
    hatch = "//" if "random" in arm else None
    ax.bar(places, values.mean(axis=0), width, color=COLOURS[arm.split(",")[0]], hatch=hatch, alpha=0.6, label=arm)
    for own in values:
        ax.plot(places, own, "k.", ms=4)
ax.axhline(0, color="k", lw=0.6)
ax.set_xticks(range(len(conditions)), conditions)
ax.set(ylabel="SI-SDR (dB)", title="Enhancement (Table 1)")
ax.legend(fontsize="small", ncols=2)

# %%
# Where the receptive fields went (Figure 3): those of the first seed of each arm that learns them.
shown = {}
for row in rows:
    if row["task"] == "phonemes" and "rates_hz" in row["learned"]:
        shown.setdefault(row["arm"], row["learned"])
figure, axes = plt.subplots(
    -(-len(shown) // 2), 2, figsize=(12, 4.4 * -(-len(shown) // 2)), layout="constrained", squeeze=False
)
for ax in axes.flat[len(shown) :]:
    ax.set_axis_off()
for ax, (arm, own) in zip(axes.flat, shown.items()):
    fields = {name: own[name] for name in own if name.endswith(("scales_cycles_per_octave", "rates_hz"))}
    STRFDisplay(**fields).plot(ax)
    ax.set_title(arm)

# %%
# The means over the seeds: accuracy of frames, and SI-SDR in dB.
for task in ("phonemes", "enhancement"):
    found, conditions = scores_of(task)
    print(f"{task:12s} seeds   published        found in  {'  '.join(f'{name:>10s}' for name in conditions)}")
    for arm, values in found.items():
        means = "  ".join(f"{mean:10.3f}" for mean in values.mean(axis=0))
        print(f"{arm:18s} {len(values):d}   not of this size           {means}")
plt.show()
