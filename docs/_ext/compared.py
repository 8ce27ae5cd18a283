"""Tables of docs/comparison.md, made of the scores that examples/compare_features.py keeps, a line a fold.

`% compared NAME accuracy` is the mean over the folds and its 95 % interval, of the contenders by condition; `auc` the
mean alone; `ahead` by how much the first contender is ahead of the others, fold by fold; `classifiers` the mean
accuracy with each classifier. `accuracy: best; MFCC` takes these contenders alone. NAME.csv lies in docs/measured.
"""

import re
from functools import cache

import numpy as np
import pandas as pd
from measured import file_of, markdown, unbroken
from scipy import stats

MARK = re.compile(r"^% compared (\w+) (accuracy|auc|ahead|classifiers)(?:: (.+))?$", re.MULTILINE)
LONG = {
    "demo MFCC": "MFCC, 16, no differences",
    "MFCC": "MFCC and two differences (librosa)",
    "log-mel": "log-mel (librosa)",
    "eGeMAPS": "eGeMAPS (openSMILE)",
    "scattering": "scattering (kymatio)",
}
OWN = (
    "best",
    "best and modulation_cepstra",
    "modulation_cepstra",
    "carfac_cepstra",
    "CARFAC()",
    "Osses2021()",
)  # in this order, before others
CLASSIFIERS = {"logistic": "logistic regression", "lda": "LDA", "svm": "SVM"}


@cache
def scores_of(name):
    """Scores, a line a fold, with the column of a table that each is of."""
    rows = pd.read_csv(file_of(name), comment="#", dtype={"group": str})
    matched = np.where(rows["trained"] == "clean", "", ", matched")
    return rows.assign(column=rows["tested"].str.replace("pink ", "") + matched)


def columns_of(rows):
    """Conditions trained clean, then those trained in them."""
    return sorted(dict.fromkeys(rows["column"]), key=lambda column: "matched" in column)


def contenders_of(rows):
    """Those of this package first."""
    return sorted(dict.fromkeys(rows["features"]), key=lambda name: OWN.index(name) if name in OWN else len(OWN))


def bare(number, sign=""):
    """Three digits behind the point, and no nought before it."""
    return f"{number:{sign}.3f}".replace("0.", ".", 1)


def with_interval(values, sign=""):
    """Mean and the half width of its 95 % interval, by Student's t."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return f"{bare(values.mean(), sign)} ± {bare(half)}"


def label(name):
    """A contender as the page calls it."""
    return f"`{name}`".replace(" and ", "` and `") if name in OWN else LONG.get(name, name)


def table(match):
    """What a mark becomes."""
    rows, what = scores_of(match[1]), match[2]
    columns, names = columns_of(rows), match[3].split("; ") if match[3] else contenders_of(rows)
    if what == "classifiers":
        kinds = [kind for kind in CLASSIFIERS if kind in set(rows["classifier"])]
        means = rows.groupby(["features", "classifier", "column"])["accuracy"].mean()
        lines = [
            [label(name), CLASSIFIERS[kind], *(bare(means[name, kind, column]) for column in columns)]
            for name in names
            for kind in kinds
        ]
        return markdown([["features", "classifier", *columns], *lines])
    rows = rows[rows["classifier"] == "logistic"]
    measure = "auc" if what == "auc" else "accuracy"
    folds = rows.pivot_table(index=["column", "group"], columns="features", values=measure)
    if what == "ahead":
        ahead = {name: folds[names[0]] - folds[name] for name in names[1:]}
        lines = [[label(name), *(with_interval(own[c], "+") for c in columns)] for name, own in ahead.items()]
        return markdown([[f"{label(names[0])} is ahead of", *columns], *lines])
    if what == "auc":
        lines = [[label(name), *(bare(folds[name][c].mean()) for c in columns)] for name in names]
        return markdown([["AUC", *columns], *lines])
    seconds = rows.groupby("features")["seconds"].mean()
    lines = [[label(n), *(with_interval(folds[n][c]) for c in columns), bare(seconds[n])] for n in names]
    return markdown([["features", *columns, "s a second of sound"], *lines])


def insert(app, docname, source):
    source[0] = MARK.sub(lambda match: unbroken(table(match)), source[0])


def setup(app):
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
