"""
The biomimetic front end on real speech: what is learned against what is given
==============================================================================

Two tasks for the arms of Famularo et al. (2024), all parameters learned, those of the cortical filters, or none, from
both inits; beside them, ordinary 3 x 3 convolutions over the same spectrogram, learned in the same way (with torch).

1. Classes of clips, trained clean, tested clean and in pink noise, on groups (speakers) that were not trained on.
2. Speech out of music or noise at 0 dB: a mask on a short-time Fourier transform, regressed on the front end's frames.

    python examples/biomimetic_speech.py RECORDINGS --enhance MIXTURES --output results.csv

RECORDINGS and MIXTURES are folders with a manifest.csv as `skaud.datasets.load_folder` reads it; the labels of MIXTURES
are speech, music and noise. Every figure is appended to the output as soon as it is there.
"""

import argparse
import csv
import datetime
import platform
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from biomimetic_mixtures import HOP, RATE, labels, masked, mixtures, ratio_mask, si_sdr_db
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import AuditorySpectrogram, BiomimeticFrontend, Learn, TemporalPooling, audio, datasets

LEVEL_DB_SPL = 60.0
SNRS_DB = (np.inf, 3.0, 0.0, -3.0)
POOLING = TemporalPooling("std", segments=3)
N_STRFS = 40

ARMS = {
    f"{learn or 'frozen'}, {init}": (learn, init) for init in ("log", "random") for learn in ("full", "cortical", None)
}
OTHERS = ("convolution", "spectrogram")


L2 = 1e-3  # on the weights of the softmax head


def make_arm(name, arguments, seed, pooling=POOLING):
    """An arm's front end."""
    if name == "convolution":
        return Convolution(pooling, arguments, seed)
    if name == "spectrogram":
        return AuditorySpectrogram(pooling=pooling, n_jobs=arguments.jobs)
    names, init = ARMS[name]
    learn = Learn(
        names,
        max_iter=arguments.iterations,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        l2=L2,
        random_state=seed,
    )
    return BiomimeticFrontend(
        n_strfs=N_STRFS, pooling=pooling, init=init, learn=learn, random_state=seed, n_jobs=arguments.jobs
    )


class Convolution:
    """3 x 3 convolutions over the auditory spectrogram: as many filters, 400 parameters, learned with torch."""

    def __init__(self, pooling, arguments, seed):
        self.pooling, self.arguments, self.seed = pooling, arguments, seed

    def fit(self, clips, y):
        """Learn the filters through a softmax head on their response; y holds a label a clip, or one a frame."""
        import torch

        torch.manual_seed(self.seed)
        self.front = AuditorySpectrogram(pooling=None).fit(clips)
        frames = self.front.transform(clips)
        self.scale = np.std(np.concatenate(frames, axis=1))
        self.filters = torch.nn.Conv2d(1, N_STRFS, 3, padding=1)
        spectrograms = [torch.as_tensor(s / self.scale) for s in frames]
        classes, codes = np.unique(np.concatenate([np.atleast_1d(label) for label in y]), return_inverse=True)
        codes = torch.as_tensor(codes).split([np.size(label) for label in y])
        with torch.no_grad():
            rows = torch.cat([self._rows(s) for s in spectrograms])
            mean, scale = rows.mean(0), (rows.std(0) + 1e-6) * rows.shape[1] ** 0.5
        head = torch.nn.Linear(rows.shape[1], len(classes))
        torch.nn.init.zeros_(head.weight)
        optimiser = torch.optim.Adam([*self.filters.parameters(), *head.parameters()], lr=self.arguments.learning_rate)
        for _ in range(self.arguments.iterations):
            for some in torch.randperm(len(codes)).split(self.arguments.batch_size):
                optimiser.zero_grad()
                logits = head((torch.cat([self._rows(spectrograms[i]) for i in some]) - mean) / scale)
                loss = torch.nn.functional.cross_entropy(logits, torch.cat([codes[i] for i in some]))
                (loss + L2 / 2 * (head.weight**2).sum() / rows.shape[1]).backward()
                optimiser.step()
        return self

    def transform(self, clips):
        """Pooled responses, or frames (40, 128, n_frames)."""
        import torch

        with torch.no_grad():
            spectrograms = [torch.as_tensor(s / self.scale) for s in self.front.transform(clips)]
            if self.pooling is None:
                return [self.filters(s[None]).numpy() for s in spectrograms]
            return np.concatenate([self._rows(s).numpy() for s in spectrograms])

    def _rows(self, spectrogram):
        """Features (n_rows, n_features): a row of statistics, or one a frame."""
        import torch

        response = self.filters(spectrogram[None])
        if self.pooling is None:
            return response.reshape(-1, response.shape[-1]).T
        n, segments = response.shape[-1], self.pooling.segments
        parts = [slice(k * n // segments, (k + 1) * n // segments) for k in range(segments)]
        spread = [(response[..., part].var(-1, correction=0) + 1e-12).sqrt() for part in parts]
        return torch.cat([values.ravel() for values in spread])[None]


# --- classification ---


def choose(recordings, per_class, seed):
    """Indices of training and of test clips: a third of the groups is for the test."""
    random = np.random.default_rng(seed)
    groups = random.permutation(np.unique(recordings.groups))
    in_test = np.isin(recordings.groups, groups[: max(1, len(groups) // 3)])
    parts = []
    for n, of_part in ((per_class, ~in_test), (per_class // 2, in_test)):
        of_classes = [np.flatnonzero(of_part & (recordings.target == c)) for c in np.unique(recordings.target)]
        parts.append(np.concatenate([random.permutation(clips)[:n] for clips in of_classes]))
    return parts


def present(clips, snr_db, seed):
    """Clips at one level, in pink noise."""
    noisy = audio.add_noise(clips, snr_db, "pink", random_state=seed)
    return audio.set_level(noisy, LEVEL_DB_SPL)


def classify(recordings, arguments, record):
    """Accuracy and area under the ROC curve of every arm, seed and signal-to-noise ratio."""
    for seed in arguments.seeds:
        train, test = choose(recordings, arguments.per_class, seed)
        clips = present([recordings.clips[i] for i in train], np.inf, seed)
        tests = {snr: present([recordings.clips[i] for i in test], snr, seed + 1000) for snr in SNRS_DB}
        for arm in arguments.arms:
            start = time.process_time()
            front = make_arm(arm, arguments, seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # as many passes as were asked for
                features = front.fit(clips, recordings.target[train]).transform(clips)
            seconds = time.process_time() - start
            floor = 0.01 * features.mean()  # below which the logarithm is flat
            classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
            classifier.fit(np.log(features + floor), recordings.target[train])
            for snr_db, noisy in tests.items():
                condition = "clean" if np.isinf(snr_db) else f"{snr_db:g} dB"
                probability = classifier.predict_proba(np.log(front.transform(noisy) + floor))
                found, wanted = classifier.classes_[probability.argmax(axis=1)], recordings.target[test]
                record("accuracy", arm, seed, condition, (found == wanted).mean(), seconds)
                record("AUC", arm, seed, condition, roc_auc_score(wanted, probability, multi_class="ovr"), seconds)


# --- enhancement ---


def rows_of(front, items):
    """Features of the frames, (n_frames, n_features) a mixture: compressed, of filters at every fourth channel."""
    responses = front.transform([to_level(mixture) for _, mixture, _ in items])
    responses = [r if r.ndim == 2 else r[:, ::4] for r in responses]
    return [np.cbrt(np.abs(r)).reshape(-1, r.shape[-1]).T for r in responses]


def to_level(x):
    """Samples as the front ends take them."""
    return audio.set_level(x, LEVEL_DB_SPL).astype(np.float32)


def enhance(recordings, arguments, record):
    """SI-SDR of every arm, seed and kind of masker."""
    for seed in arguments.seeds:
        train, test = mixtures(recordings, seed, arguments.per_talker)
        for kind in ("music", "noise"):
            own = [(speech, mixture) for speech, mixture, k in test if k == kind]
            record("enhancement", "mixture", seed, kind, np.mean([si_sdr_db(m, s) for s, m in own]), 0)
            ideal = [si_sdr_db(masked(m, ratio_mask(s, m)), s) for s, m in own]
            record("enhancement", "ideal ratio mask", seed, kind, np.mean(ideal), 0)
        masks = np.concatenate([ratio_mask(s, m)[:, : len(m) // HOP].T for s, m, _ in train])
        for arm in arguments.arms:
            start = time.process_time()
            front = make_arm(arm, arguments, seed, pooling=None)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                front.fit([to_level(m) for _, m, _ in train], [labels(s, m) for s, m, _ in train])
            seconds = time.process_time() - start
            regression = make_pipeline(StandardScaler(), Ridge(1e4))
            regression.fit(np.concatenate(rows_of(front, train)), masks.astype(np.float32))
            scores = defaultdict(list)
            for (speech, mixture, kind), rows in zip(test, rows_of(front, test)):
                mask = np.clip(regression.predict(rows).T, 0, 1)
                scores[kind].append(si_sdr_db(masked(mixture, mask), speech))
            for kind, values in scores.items():
                record("enhancement", arm, seed, kind, np.mean(values), seconds)


# --- results ---

TITLES = {"accuracy": "accuracy", "area": "area under the ROC curve", "enhancement": "SI-SDR in dB"}


class Record:
    """Figures, printed and appended to a file as they come, and tables of them."""

    def __init__(self, path):
        self.path, self.rows = Path(path), []
        self.path.write_text("task,arm,seed,condition,value,training_s\n")

    def __call__(self, task, arm, seed, condition, value, seconds):
        """Append a figure."""
        row = (task, arm, seed, condition, round(float(value), 4), round(seconds, 1))
        self.rows.append(row)
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        print(*row, sep=", ", flush=True)

    def table(self, task, digits):
        """Mean over seeds, and the half width of its 95 % interval: heads, then a row an arm."""
        values = defaultdict(list)
        for own_task, arm, _, condition, value, _ in self.rows:
            if own_task == task:
                values[arm, condition].append(value)
        conditions = list(dict.fromkeys(condition for _, condition in values))
        arms = dict.fromkeys(arm for arm, _ in values)
        return [["", *conditions], *([arm, *(interval(values[arm, c], digits) for c in conditions)] for arm in arms)]


def show(title, table):
    """Print a table in Markdown."""
    head, *rows = table
    lines = [head, ["---"] * len(head), *rows]
    print(f"\n{title}\n", *("| " + " | ".join(line) + " |" for line in lines), sep="\n")


def keep(path, table):
    """Write a table as the site takes it, below a line on how it was made."""
    with path.open("w", newline="") as file:
        words = " ".join(Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
        file.write(f"# python examples/biomimetic_speech.py {words}; {datetime.date.today()}, {platform.machine()}\n")
        csv.writer(file, lineterminator="\n").writerows(table)


def interval(values, digits):
    """Mean and the half width of its 95 % interval, by Student's t."""
    mean = f"{np.mean(values):.{digits}f}"
    if len(values) < 2:
        return mean
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{mean} ± {half:.{digits}f}"


def main():
    """Run both tasks, or one, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[1], formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("recordings", nargs="?", help="folder of labelled clips with groups; synthetic vowels without")
    parser.add_argument("--enhance", metavar="MIXTURES", help="folder of speech, music and noise")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the choice of clips, and of arms")
    parser.add_argument("--per-class", type=int, default=12, help="training clips a class; 0 leaves the task out")
    parser.add_argument("--per-talker", type=int, default=4, help="mixtures a talker")
    parser.add_argument("--iterations", type=int, default=6, help="passes over the training clips")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=0.005)
    parser.add_argument("--arms", nargs="+", default=[*ARMS, *OTHERS], choices=[*ARMS, *OTHERS])
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--output", default="biomimetic_speech.csv")
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="keep the tables too, such as in docs/measured")
    arguments = parser.parse_args()
    try:
        import torch

        torch.set_num_threads(1)
    except ImportError:
        arguments.arms = [arm for arm in arguments.arms if arm != "convolution"]
        print("torch is not installed: without the convolutions.")
    if arguments.recordings is not None:
        recordings = datasets.load_folder(arguments.recordings, sample_rate=RATE)
    else:
        recordings = datasets.make_vowels(sample_rate=RATE, random_state=0)
    mixtures_of = None if arguments.enhance is None else datasets.load_folder(arguments.enhance, sample_rate=RATE)
    tables = {}
    record = Record(arguments.output)  # only now: a folder that cannot be read leaves an earlier file as it is
    if arguments.per_class:
        classify(recordings, arguments, record)
        tables = {"accuracy": record.table("accuracy", 2), "area": record.table("AUC", 3)}
    if mixtures_of is not None:
        enhance(mixtures_of, arguments, record)
        tables["enhancement"] = record.table("enhancement", 1)
    for name, table in tables.items():
        show(TITLES[name], table)
        if arguments.tables is not None:
            keep(arguments.tables / f"biomimetic_{name}.csv", table)


if __name__ == "__main__":
    main()
