"""
A recipe that learns against the same recipe as it is given
===========================================================

Parameters of a recipe's model and steps are learned from the labels of the training clips, through the derivatives of
all of its steps; then the same classifier stands behind the learned recipe and the fixed one, on groups unheard, clean
and in pink noise.

    python examples/learn_recipe.py DIGITS --recipe carfac_cepstra --every 12
    python examples/learn_recipe.py PHONEMES --every 10

DIGITS has a manifest.csv with path, label and group; of its takes every so many are used, those of the development part
of docs/comparison.md. PHONEMES has a phonemes.csv with path, speaker, start_s, end_s and class, as
examples/biomimetic_cnn.py takes it: frames of 10 ms are classified from their cepstra and two before and behind.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import CARFAC, CepstralCoefficients, FeaturePipeline, Learn, LogCompression, audio, recipes

LEVEL_DB_SPL = 60.0
SNRS_DB = {"clean": np.inf, "10 dB": 10.0, "0 dB": 0.0}
FRAME_S = 0.01
LEARNED = ("velocity_scale", "v_offset", "min_zeta", "max_zeta", "agc_stage_gain", "floor")  # of CARFAC and steps


def frame_cepstra(sample_rate):
    """Cepstra of the logarithm of CARFAC's receptor potential, a column a frame."""
    model = CARFAC(sample_rate, output="receptor_potential", frame_length=FRAME_S, pooling=None)
    steps = [("carfac", model), ("compression", LogCompression()), ("cepstra", CepstralCoefficients(16))]
    return FeaturePipeline(steps)


def load_clips(folder, every):
    """Clips with a label each, and their groups."""
    manifest = pd.read_csv(folder / "manifest.csv")
    manifest = manifest[manifest["take"] % every == 0] if "take" in manifest else manifest[::every]
    groups = manifest["group" if "group" in manifest else "speaker"]
    return [audio.read(folder / path) for path in manifest["path"]], list(manifest["label"]), groups.to_numpy()


def load_sentences(folder, every):
    """Sentences with a label a frame, and their speakers; silence before and behind has a class of its own."""
    events = pd.read_csv(folder / "phonemes.csv", keep_default_na=False)
    clips, labels, groups = [], [], []
    for path in sorted(events["path"].unique())[::every]:
        own = events[events["path"] == path].sort_values("start_s")
        clip = audio.read(folder / path)
        middle_s = (np.arange(len(clip.samples) // round(FRAME_S * clip.sample_rate)) + 0.5) * FRAME_S
        at = np.searchsorted(own["start_s"], middle_s, side="right") - 1
        heard = (at >= 0) & (middle_s < own["end_s"].to_numpy()[np.maximum(at, 0)])
        clips.append(clip)
        labels.append(np.where(heard, own["class"].to_numpy(dtype=str)[at], "sil"))
        groups.append(own["speaker"].iloc[0])
    return clips, labels, np.array(groups)


def rows_of(features):
    """Rows to classify: features of clips as they are, frames with their neighbours."""
    if isinstance(features, np.ndarray):
        return features
    rows = []
    for frames in features:
        padded = np.pad(frames, ((0, 0), (2, 2)), mode="edge")
        rows.append(np.concatenate([padded[:, k : k + frames.shape[1]] for k in range(5)]).T)
    return np.concatenate(rows)


def main():
    """Learn and compare, fold by fold."""
    options = parse()
    of_frames = (options.folder / "phonemes.csv").exists()
    clips, y, groups = (load_sentences if of_frames else load_clips)(options.folder, options.every)
    rate = clips[0].sample_rate
    recipe = frame_cepstra(rate) if of_frames else getattr(recipes, options.recipe)(rate)
    names = tuple(options.learn or [name for name in recipe.get_params() if name.rpartition("__")[2] in LEARNED])
    print(f"{len(clips)} clips of {len(set(groups))} groups; to learn: {', '.join(names)}")
    how = Learn(
        names, max_iter=options.iterations, solver=options.solver, batch_size=options.batch_size, random_state=0
    )
    rows = []
    for train, test in GroupKFold(options.folds).split(groups, groups=groups):
        for learns in (False, True):
            begin = time.process_time()
            own = recipe.set_params(learn=how if learns else None)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as many iterations as were asked for
                own.fit(present(clips, train, np.inf), [y[i] for i in train])
                classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
                classifier.fit(rows_of(own.transform(present(clips, train, np.inf))), labels_of(y, train))
            row = {"features": "learned" if learns else "fixed"}
            for condition, snr_db in SNRS_DB.items():
                found = rows_of(own.transform(present(clips, test, snr_db)))
                row[condition] = classifier.score(found, labels_of(y, test))
            row["loss"] = f"{own.loss_curve_[0]:.3f} to {own.loss_curve_[-1]:.3f}" if learns else ""
            row["processor_s"] = round(time.process_time() - begin, 1)
            rows.append(row)
            print(row, flush=True)
        print({name: np.round(value_of(own, name), 4).tolist() for name in names}, flush=True)
    print(pd.DataFrame(rows).groupby("features")[list(SNRS_DB)].mean().round(3).to_string())


def present(clips, indices, snr_db):
    """Clips at one level, in pink noise."""
    chosen = [clips[i] for i in indices]
    return audio.set_level(audio.add_noise(chosen, snr_db, "pink", random_state=1), LEVEL_DB_SPL)


def labels_of(y, indices):
    """Labels of the rows."""
    return np.concatenate([np.atleast_1d(y[i]) for i in indices])


def value_of(pipeline, name):
    """What was found for a parameter."""
    step = pipeline
    *path, parameter = name.split("__")
    for own in path:
        steps = dict(step.steps if hasattr(step, "steps") else step.transformer_list)
        step = steps[own]
    return getattr(step, f"{parameter}_")


def parse():
    """Options of the command."""
    parser = argparse.ArgumentParser(description="A recipe that learns against the same recipe as it is given.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", default="carfac_cepstra", choices=recipes.__all__)
    parser.add_argument("--learn", nargs="+", help="parameters, such as carfac__velocity_scale")
    parser.add_argument("--every", type=int, default=3, help="of the takes or sentences, use every so many")
    parser.add_argument("--folds", type=int, default=2, help="groups are kept apart")
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--solver", choices=["lbfgs", "adam"], default="lbfgs")
    parser.add_argument("--batch-size", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
