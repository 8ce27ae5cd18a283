"""
Features of skaud against others, on recordings and speakers that nobody tuned on
=================================================================================

The protocol is in docs/comparison.md; ``pip install -e ".[compare]"`` in a clone installs the contenders.

    python examples/compare_features.py FOLDER --out comparison
    python examples/compare_features.py FOLDER --out comparison --classifiers lda svm --conditions clean

FOLDER has a manifest.csv with path, label and group (or speaker), and perhaps take or fold, which tell the development
part. Features and scores are kept in the folder of --out; a second run computes what is missing. The tables, in
Markdown, are made anew after every contender.
"""

import argparse
import platform
import shlex
import sys
import time
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from compared_features import CONTENDERS
from joblib import Parallel, delayed
from scipy import signal, stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaud import Sound, audio

LEVEL_DB_SPL = 60.0
SEED = 0


# --- conditions ---


def pink(snr_db):
    """Pink noise."""
    return lambda clips, rng: audio.add_noise(clips, snr_db, "pink", random_state=int(rng.integers(1 << 31)))


def babble(snr_db, n_talkers=6):
    """The sum of other clips, each as loud as the next."""

    def mix(clips, rng):
        mixed = []
        for i, clip in enumerate(clips):
            others = rng.choice([k for k in range(len(clips)) if k != i], n_talkers, replace=False)
            noise = sum(np.resize(clips[k].samples, len(clip.samples)) / _rms(clips[k].samples) for k in others)
            gain = _rms(clip.samples) * 10 ** (-snr_db / 20) / _rms(noise)
            mixed.append(_like(clip, clip.samples + gain * noise))
        return mixed

    return mix


def reverberation(seconds=0.5):
    """A room that decays by 60 dB in so many seconds."""

    def reverberate(clips, rng):
        n = round(seconds * clips[0].sample_rate)
        room = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
        return [_like(clip, signal.fftconvolve(clip.samples, room)) for clip in clips]

    return reverberate


def band(highest_hz=4000):
    """No more than a narrow band, at the rate that the clips have."""

    def narrow(clips, rng):
        low = signal.butter(8, highest_hz, fs=clips[0].sample_rate, output="sos")
        return [_like(clip, signal.sosfilt(low, clip.samples)) for clip in clips]

    return narrow


def as_they_are(clips, rng):
    """Nothing changed."""
    return clips


def _rms(x):
    return np.sqrt(np.mean(np.square(x, dtype=np.float64))) + 1e-12


def _like(clip, samples):
    return Sound(np.asarray(samples, np.float32), clip.sample_rate)


BAND = "band to 4 kHz"
CONDITIONS = {
    "clean": (as_they_are, LEVEL_DB_SPL),
    "pink 10 dB": (pink(10), LEVEL_DB_SPL),
    "pink 0 dB": (pink(0), LEVEL_DB_SPL),
    "babble 10 dB": (babble(10), LEVEL_DB_SPL),
    "reverberation": (reverberation(), LEVEL_DB_SPL),
    "10 dB more": (as_they_are, LEVEL_DB_SPL + 10),
    "10 dB less": (as_they_are, LEVEL_DB_SPL - 10),
    BAND: (band(), LEVEL_DB_SPL),
}

# --- classifiers: fitted, with their constants chosen inside the training clips ---


def logistic(x, y, groups):
    """Logistic regression, C chosen on the clips of some training groups by fits to the others."""
    split = next(GroupShuffleSplit(1, test_size=0.4, random_state=SEED).split(x, y, groups))
    search = LogisticRegressionCV(Cs=[0.001, 0.01, 0.1, 1.0], cv=[split], max_iter=300, tol=1e-3)
    return make_pipeline(StandardScaler(), search).fit(x, y)


def svm(x, y, groups):
    """Support vector machine with a Gaussian kernel, C chosen in the same way."""
    split = next(GroupShuffleSplit(1, test_size=0.4, random_state=SEED).split(x, y, groups))
    return GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [1, 10, 100]}, cv=[split]).fit(x, y)


def lda(x, y, groups):
    """Linear discriminant analysis with shrinkage."""
    return make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")).fit(x, y)


def boosting(x, y, groups):
    """Gradient boosting of trees."""
    return HistGradientBoostingClassifier(random_state=SEED).fit(x, y)


CLASSIFIERS = {"logistic": logistic, "lda": lda, "svm": svm, "boosting": boosting}


def main():
    """Compute, classify, and write the tables."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    clips, target, groups = load(options.folder, options.development, options.every)
    print(f"{len(clips)} clips, {len(set(target))} classes, {len(set(groups))} groups", flush=True)
    conditions = [c for c in options.conditions if c != BAND or clips[0].sample_rate > 8000]  # else it is all there is
    file = options.out / f"scores_{options.tag}.csv"
    rows = pd.read_csv(file, dtype={"group": str}) if file.exists() else pd.DataFrame()
    for name in options.contenders:
        missing = [own for own in options.classifiers if not is_done(rows, name, own, conditions)]
        features, costs = {}, []
        for condition in conditions if missing else []:
            features[condition], seconds = compute(name, condition, clips, options.out)
            costs.append(seconds)
        for classifier in missing:
            new = scores(features, target, groups, classifier, options)
            new = new.assign(features=name, classifier=classifier, seconds=np.mean(costs))
            rows = pd.concat([rows, new], ignore_index=True)
            rows = rows.drop_duplicates(["features", "classifier", "trained", "tested", "group"], keep="last")
            rows.to_csv(file, index=False)
            (options.out / f"tables_{options.tag}.md").write_text(tables(rows, options.contenders[0]))
            print(
                f"{name}, {classifier}: {new.groupby(['trained', 'tested'])['accuracy'].mean().round(3).to_dict()}",
                flush=True,
            )
    print(tables(rows, options.contenders[0]))
    if options.scores is not None:
        with options.scores.open("w", newline="") as kept:
            kept.write(f"# python examples/compare_features.py {words()}; {date.today()}, {platform.machine()}\n")
            rows.round({"accuracy": 5, "auc": 5, "seconds": 5}).to_csv(kept, index=False, lineterminator="\n")


def words():
    """What the program was called with, folders by their names alone."""
    return shlex.join(Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])


def is_done(rows, name, classifier, conditions):
    """Whether all scores are there already."""
    if rows.empty:
        return False
    own = rows[(rows["features"] == name) & (rows["classifier"] == classifier)]
    return set(conditions) <= set(own["tested"])


def parse():
    """Options of the command."""
    parser = argparse.ArgumentParser(description="Compare features, as docs/comparison.md says.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("comparison"))
    parser.add_argument("--tag", default="all")
    parser.add_argument("--development", action="store_true", help="take the development part, not the rest")
    parser.add_argument("--every", type=int, default=1, help="take every so many clips alone, in a folder of its own")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS), choices=list(CONDITIONS))
    parser.add_argument("--classifiers", nargs="+", default=["logistic"], choices=list(CLASSIFIERS))
    parser.add_argument("--clean-only", action="store_true", help="do not train in the conditions tested")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--scores", type=Path, metavar="FILE", help="keep all scores here too, as the site takes them")
    return parser.parse_args()


def load(folder, development, every):
    """Clips of one part, or every so many of them, their labels and their groups."""
    manifest = pd.read_csv(folder / "manifest.csv")
    if "take" in manifest or "fold" in manifest:
        in_development = manifest["take"] % 3 == 0 if "take" in manifest else manifest["fold"] == 0
        manifest = manifest[in_development == development]
    manifest = manifest[::every]
    groups = manifest["group" if "group" in manifest else "speaker"]
    return [audio.read(folder / path) for path in manifest["path"]], manifest["label"].to_numpy(), groups.to_numpy()


def compute(name, condition, clips, out):
    """Features of a contender in a condition, from the folder or computed, and seconds a second of sound."""
    file = out / f"{name.strip('()')}_{condition}.npz".replace(" ", "_")
    if not file.exists():
        change, level_db_spl = CONDITIONS[condition]
        heard = audio.set_level(change(clips, np.random.default_rng(SEED)), level_db_spl)
        start = time.process_time()
        features = np.asarray(CONTENDERS[name](heard), np.float32)
        seconds = (time.process_time() - start) / sum(len(clip.samples) / clip.sample_rate for clip in heard)
        np.savez(file, features=features, seconds=seconds)
        print(f"{name}, {condition}: {seconds:.4f} s a second of sound", flush=True)
    kept = np.load(file)
    return kept["features"], float(kept["seconds"])


def scores(features, target, groups, classifier, options):
    """A row a group, training condition and test condition: trained clean, and, where it differs, as tested."""
    cv = LeaveOneGroupOut() if len(set(groups)) <= 10 else GroupKFold(5)
    folds = list(cv.split(target, target, groups))
    others = [c for c in features if CONDITIONS[c][0] is not as_they_are and not options.clean_only]
    tasks = [(trained, fold) for trained in ("clean", *others) for fold in folds]

    def run(trained, fold):
        train, test = fold
        x = features[trained][train]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of iterations that end at max_iter
            model = CLASSIFIERS[classifier](x, target[train], groups[train])
        own = []
        for tested in features if trained == "clean" else [trained]:
            values = _probabilities(model, features[tested][test])
            guess = model.classes_[values.argmax(axis=1)]
            areas = [
                roc_auc_score(target[test] == c, values[:, k])
                for k, c in enumerate(model.classes_)
                if 0 < np.sum(target[test] == c) < len(test)
            ]
            own.append(
                {
                    "trained": trained,
                    "tested": tested,
                    "group": str(groups[test][0]),
                    "accuracy": np.mean(guess == target[test]),
                    "auc": np.mean(areas),
                    "n_features": x.shape[1],
                }
            )
        return own

    done = Parallel(n_jobs=options.jobs)(delayed(run)(*task) for task in tasks)
    return pd.DataFrame([row for own in done for row in own])


def _probabilities(model, x):
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.decision_function(x)


def tables(rows, first):
    """Accuracy, area under the ROC curve, and what the first is ahead of the others, in Markdown."""
    rows = rows.assign(column=np.where(rows["trained"] == "clean", rows["tested"], rows["tested"] + ", matched"))
    columns = list(dict.fromkeys(rows.sort_values("trained", key=lambda t: t != "clean", kind="stable")["column"]))
    parts = []
    for classifier, own in rows.groupby("classifier", sort=False):
        for measure in ("accuracy", "auc"):
            by_cell = own.groupby(["features", "column"], sort=False)[measure]
            cells = by_cell.apply(lambda v: f"{v.mean():.3f} ± {_interval(v):.3f}").unstack("column")
            own_columns = [c for c in columns if c in cells]
            cells = cells.reindex(list(dict.fromkeys(own["features"])))[own_columns]
            cells["s a second"] = own.groupby("features")["seconds"].mean().map("{:.3f}".format)
            parts.append(f"{classifier}, {measure}\n\n{markdown(cells)}")
            wide = own.pivot_table(index=["column", "group"], columns="features", values=measure)
            if first in wide and wide.shape[1] > 1:
                ahead = wide[[first]].to_numpy() - wide.drop(columns=first)
                cells = ahead.groupby("column").agg(lambda d: f"{d.mean():+.3f} ± {_interval(d.dropna()):.3f}").T
                parts.append(f"{classifier}, {measure}: {first} is ahead of\n\n{markdown(cells[own_columns])}")
    return "\n\n".join(parts) + "\n"


def markdown(cells):
    """A data frame as a table."""
    lines = [
        ["", *cells.columns],
        ["---"] * (cells.shape[1] + 1),
        *([name, *row] for name, row in zip(cells.index, cells.to_numpy())),
    ]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _interval(values):
    n = len(values)
    return stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n) if n > 1 else np.nan


if __name__ == "__main__":
    main()
