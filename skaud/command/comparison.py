"""The demo: a model's features against log-mel features and MFCC, with speakers kept apart, clean and in noise."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from skaud import audio, datasets
from skaud.command.contenders import BASELINES, Contender, fitted
from skaud.sound import Sound

LEVEL_DB_SPL = 60.0  # of conversation; every clip, noise included, is presented at it
SNRS_DB = (np.inf, 10.0, 0.0)
SEED = 0
# Trained on, tested on: indices into SNRS_DB.
COLUMNS = ((0, 0), (0, 1), (0, 2), (1, 1), (2, 2))
CLIPS_AT_ONCE = 16


Fold = tuple[np.ndarray, np.ndarray]  # indices of training and test clips


class Clips(NamedTuple):
    """What is classified: clips at one sample rate, their classes, and their speakers where these are known."""

    title: str
    clips: list[Sound]
    target: np.ndarray
    groups: np.ndarray | None
    sample_rate: float


class Score(NamedTuple):
    """Accuracy and area under the ROC curve of every group, or of every fold where there are no groups."""

    accuracy: np.ndarray
    auc: np.ndarray


def run(contender: Contender, clips: Clips, folds: list[Fold], how: str, folder: Path) -> None:
    """Compare a model's features with others, print a table, and write accuracy.csv and cochleagram.png."""
    n_classes = len(set(clips.target))
    print(f"{clips.title}: {len(clips.clips)} clips, {n_classes} classes (chance {1 / n_classes:.3f}), {how}.")
    print(f"Every clip at {LEVEL_DB_SPL:g} dB SPL, in pink noise where a signal-to-noise ratio is given.")
    waves = [present(clips.clips, snr_db) for snr_db in SNRS_DB]
    features = compute_features(contender, waves, clips.sample_rate)
    scores = compare(features, clips, folds)
    print(table(scores))
    write_csv(folder / "accuracy.csv", scores, clips)
    print(f"Mean accuracy over speakers or folds ± 95 % interval; also the AUC in {folder / 'accuracy.csv'}.")
    print(picture(folder / "cochleagram.png", contender, waves, clips))


# --- sounds ---


def load(data: str | None) -> Clips:
    """Synthetic vowels, or the recordings in a folder."""
    if data is None:
        vowels = datasets.make_vowels(random_state=SEED)
        return Clips("synthetic vowels", vowels.clips, vowels.target, vowels.groups, vowels.clips[0].sample_rate)
    bunch = datasets.load_folder(data)
    # At the lowest rate of all, so that no class or speaker is known by its bandwidth.
    rates = Counter(clip.sample_rate for clip in bunch.clips)
    rate = min(rates)
    if len(rates) > 1:
        found = ", ".join(f"{n} at {r:g} Hz" for r, n in sorted(rates.items()))
        print(f"Recordings of different rates, {found}: all are resampled to {rate:g} Hz, the lowest.")
    return Clips(str(data), audio.resample(bunch.clips, rate), bunch.target, bunch.groups, rate)


def present(clips: list[Sound], snr_db: float) -> list[Sound]:
    """Clips in pink noise, each at LEVEL_DB_SPL; silent clips stay silent."""
    loud = [i for i, clip in enumerate(clips) if clip.samples.any()]
    seed = SEED if np.isinf(snr_db) else SEED + round(snr_db)
    noisy = audio.add_noise([clips[i] for i in loud], snr_db, "pink", random_state=seed)
    presented = list(clips)
    for i, clip in zip(loud, noisy):
        presented[i] = audio.set_level(clip, LEVEL_DB_SPL)
    return presented


# --- features and classification ---


def compute_features(contender: Contender, waves: list[list[Sound]], sample_rate: float) -> dict[str, list[np.ndarray]]:
    """Features of every kind, the model's first, an array (n_clips, n_features) a noise condition."""
    kinds = {contender.name: contender.features} | BASELINES
    makers = {name: fitted(make(sample_rate), sample_rate) for name, make in kinds.items()}
    batches = [
        (k, wave[start : start + CLIPS_AT_ONCE])
        for k, wave in enumerate(waves)
        for start in range(0, len(wave), CLIPS_AT_ONCE)
    ]
    results: dict[str, list[list[np.ndarray]]] = {name: [[] for _ in waves] for name in makers}
    jobs = (delayed(lambda clips: [make.transform(clips) for make in makers.values()])(clips) for _, clips in batches)
    with progress(sum(map(len, waves)), "features", "clip") as bar:
        for (k, clips), arrays in zip(batches, parallel(jobs)):
            for name, array in zip(makers, arrays):
                results[name][k].append(array)
            bar.update(len(clips))
    return {name: [np.concatenate(parts) for parts in conditions] for name, conditions in results.items()}


def splits(target: np.ndarray, groups: np.ndarray | None) -> tuple[list[Fold], str]:
    """Training and test indices of every fold, and words for how they are made; no group is on both sides."""
    n_classes = len(set(target))
    if n_classes < 2:
        raise ValueError(f"the clips have {n_classes} class; to classify them takes at least 2.")
    n_groups = 0 if groups is None else len(set(groups))
    if n_groups >= 2:
        one_out = n_groups <= 10
        cv: Any = LeaveOneGroupOut() if one_out else GroupKFold(5)
        how = f"{n_groups} speakers, " + ("leave one speaker out" if one_out else "5 folds, speakers disjoint")
    else:
        smallest = int(np.unique(target, return_counts=True)[1].min())
        if smallest < 2:
            raise ValueError("a class has a single clip; to train and test takes at least 2 of each.")
        cv = StratifiedKFold(min(5, smallest), shuffle=True, random_state=SEED)
        how = f"{cv.n_splits} folds, speakers unknown and perhaps on both sides"
    folds = list(cv.split(target, target, groups))
    for k, (train, _) in enumerate(folds):
        if len(set(target[train])) < 2:
            raise ValueError(f"the training clips of fold {k} have 1 class; a class needs clips of several speakers.")
    return folds, how


def compare(features: dict[str, list[np.ndarray]], clips: Clips, folds: list[Fold]) -> dict[str, list[Score]]:
    """Scores of every kind of features, one for each of COLUMNS."""
    if clips.groups is None or len(set(clips.groups)) < 2:
        groups = np.empty(len(clips.target), dtype=int)
        for k, (_, test) in enumerate(folds):
            groups[test] = k
    else:
        groups = clips.groups
    classes, target = np.unique(clips.target, return_inverse=True)
    tasks = [(name, trained, fold) for name in features for trained in range(len(SNRS_DB)) for fold in folds]
    probability = {(name, *column): np.zeros((len(target), len(classes))) for name in features for column in COLUMNS}

    def predict(name: str, trained: int, fold: Fold) -> dict[Any, np.ndarray]:
        """Probabilities of the fold's test clips, in every condition that goes with the training."""
        train, test = fold
        # Of 0.001 to 0.1, 0.01 served all three kinds of features best, or within a percent of it.
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        classifier.fit(features[name][trained][train], target[train])
        tested = [b for a, b in COLUMNS if a == trained]
        padded = {}
        for b in tested:
            padded[name, trained, b] = np.zeros((len(test), len(classes)))
            padded[name, trained, b][:, classifier.classes_] = classifier.predict_proba(features[name][b][test])
        return padded

    with progress(len(tasks), "classifiers", "fit") as bar:
        for (_, _, (_, test)), predictions in zip(tasks, parallel(delayed(predict)(*task) for task in tasks)):
            for column, values in predictions.items():
                probability[column][test] = values
            bar.update()
    return {name: [_score(probability[(name, *column)], target, groups) for column in COLUMNS] for name in features}


def _score(probability: np.ndarray, target: np.ndarray, groups: np.ndarray) -> Score:
    members = [groups == group for group in np.unique(groups)]
    accuracy = [np.mean(probability[own].argmax(axis=1) == target[own]) for own in members]
    return Score(np.array(accuracy), np.array([_auc(probability[own], target[own]) for own in members]))


def _auc(probability: np.ndarray, target: np.ndarray) -> float:
    """Area under the ROC curve, each class against the rest, mean over the classes that can be judged."""
    areas = [
        roc_auc_score(target == c, probability[:, c])
        for c in range(probability.shape[1])
        if 0 < np.sum(target == c) < len(target)
    ]
    return float(np.mean(areas)) if areas else np.nan


def interval(values: np.ndarray) -> float:
    """Half the width of the 95 % interval of a mean over groups, by Student's t."""
    if len(values) < 2:
        return np.nan
    return float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


# --- what comes out ---


def table(scores: dict[str, list[Score]]) -> str:
    """Table of accuracies to print."""
    width, own = 15, max(8, *map(len, scores))
    heads = ["".ljust(own), "trained clean".ljust(3 * width), "trained in the same noise"]
    rows = ["  ".join(heads), "  ".join(["tested".ljust(own), *(_snr_name(b).ljust(width - 2) for _, b in COLUMNS)])]
    for name, row in scores.items():
        cells = [f"{s.accuracy.mean():.3f} ± {interval(s.accuracy):.3f}".ljust(width - 2) for s in row]
        rows.append("  ".join([name.ljust(own), *cells]))
    return "\n".join(row.rstrip() for row in rows)


def write_csv(path: Path, scores: dict[str, list[Score]], clips: Clips) -> None:
    """Write a row for every kind of features and column of the table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["features", "trained", "tested", "accuracy", "accuracy_ci95", "auc", "auc_ci95", "chance", "n_groups"]
        )
        for name, row in scores.items():
            for (trained, tested), score in zip(COLUMNS, row):
                numbers = [score.accuracy.mean(), interval(score.accuracy), score.auc.mean(), interval(score.auc)]
                numbers.append(1 / len(set(clips.target)))
                conditions = [_snr_name(trained), _snr_name(tested)]
                writer.writerow([name, *conditions, *(f"{number:.4f}" for number in numbers), len(score.accuracy)])


def picture(path: Path, contender: Contender, waves: list[list[Sound]], clips: Clips) -> str:
    """Draw a clip's cochleagram, clean and in the loudest noise; return what to tell."""
    try:
        from matplotlib.colors import PowerNorm
        from matplotlib.figure import Figure
    except ImportError:
        return "No picture: it takes matplotlib, pip install 'skaud[plot]'."
    from skaud.display import CochleagramDisplay

    model = contender.drawn(clips.sample_rate)
    shown = next((i for i, clip in enumerate(waves[0]) if clip.samples.any()), 0)
    figure = Figure(figsize=(7.5, 5.5), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    displays = []
    for ax, k in zip(axes, (0, len(waves) - 1)):
        wave = waves[k][shown]
        displays.append(CochleagramDisplay.from_estimator(model, wave, ax, colorbar=False))
        ax.set_title(f"“{clips.target[shown]}”, {_snr_name(k, long=True)}", loc="left")
        ax.label_outer()
    ceiling = np.percentile(np.asarray(displays[0].response), 99.8)  # the same colours for both
    for display in displays:
        display.mesh_.set_norm(PowerNorm(contender.gamma, 0, ceiling))
    figure.colorbar(displays[0].mesh_, ax=axes, pad=0.02, aspect=35, label=displays[0].response_name, extend="max")
    figure.savefig(path, dpi=200)
    return f"Cochleagram in {path}."


def _snr_name(k: int, long: bool = False) -> str:
    if np.isinf(SNRS_DB[k]):
        return "clean"
    return f"{SNRS_DB[k]:.0f} dB" + (" signal to pink noise" if long else "")


def progress(total: int, what: str, unit: str) -> tqdm:
    """Progress bar on a terminal, silent elsewhere."""
    return tqdm(total=total, desc=what, unit=unit, disable=None, file=sys.stderr, leave=False)


def parallel(jobs: Iterator[Any]) -> Iterator[Any]:
    """Results in order, from a thread a core: the models and BLAS release Python's lock."""
    with threadpool_limits(1):  # BLAS's own threads would be a second set for the same cores
        yield from Parallel(n_jobs=-1, prefer="threads", return_as="generator")(jobs)
