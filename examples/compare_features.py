"""
Features of skaud against others, on recordings and speakers that nobody tuned on
=================================================================================

The protocol is in docs/comparison.md; ``pip install "skaud[compare]"`` installs the contenders.

    python examples/compare_features.py FOLDER --out comparison
    python examples/compare_features.py FOLDER --out comparison --classifiers lda svm --conditions clean

FOLDER has a manifest.csv with path, label and group (or speaker), and perhaps take or fold, which tell the development
part. Features are kept in the folder of --out; a second run computes what is missing.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.special
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

from skaud import (
    CARFAC,
    CepstralCoefficients,
    FeaturePipeline,
    GammatoneFilterbank,
    HairCellEnvelope,
    LogCompression,
    Sound,
    TemporalPooling,
    audio,
    recipes,
)
from skaud.command.contenders import BASELINES

LEVEL_DB_SPL = 60.0
SEED = 0


# --- what is compared: functions from clips to rows of features ---


def of_pipeline(make):
    """Features of skaud."""

    def features(clips):
        return make(clips[0].sample_rate).fit(clips[:1]).transform(clips)

    return features


def gammatone_cepstra(sample_rate):
    """Gammatone filters, envelope, logarithm, cosine transform."""
    rate = recipes.model_rate(sample_rate)
    return FeaturePipeline(
        [
            ("bank", GammatoneFilterbank(rate, high_hz=recipes.highest_hz(sample_rate), rms_one_db_spl=None)),
            ("envelope", HairCellEnvelope(rate, frame_length=0.01)),
            ("log", LogCompression(1e-4)),
            ("cepstra", CepstralCoefficients(16)),
            ("pooling", TemporalPooling(recipes.COURSE)),
        ]
    )


def pooled(frames):
    """Frames of every clip, pooled as in skaud's recipes."""
    return TemporalPooling(recipes.COURSE).fit_transform([np.asarray(own, np.float64) for own in frames])


def mfcc(clips):
    """librosa's MFCC with their first and second differences."""
    import librosa

    def of(clip):
        own = librosa.feature.mfcc(**_framed(clip), n_mfcc=20)
        width = min(9, own.shape[1] - 1 + own.shape[1] % 2)
        if width < 3:
            return np.vstack([own, 0 * own, 0 * own])
        return np.vstack([own, *(librosa.feature.delta(own, width=width, order=k) for k in (1, 2))])

    return pooled(map(of, clips))


def log_mel(clips):
    """librosa's mel spectrogram in dB, 40 bands."""
    import librosa

    return pooled(librosa.power_to_db(librosa.feature.melspectrogram(**_framed(clip), n_mels=40)) for clip in clips)


def _framed(clip):
    """Arguments of librosa: frames of 25 ms every 10 ms."""
    rate = int(clip.sample_rate)
    samples = np.asarray(clip.samples, float)
    return {"y": samples, "sr": rate, "n_fft": 512, "win_length": rate // 40, "hop_length": rate // 100}


def smile(name):
    """Functionals of openSMILE."""

    def features(clips):
        import opensmile

        extractor = opensmile.Smile(getattr(opensmile.FeatureSet, name))
        rows = [extractor.process_signal(_at_least(clip, 0.3), int(clip.sample_rate)).to_numpy()[0] for clip in clips]
        return np.nan_to_num(np.stack(rows))

    return features


def scattering(clips):
    """Scattering of kymatio, first and second order, logarithm; frames of 32 ms, Q = 8."""
    if not hasattr(scipy.special, "sph_harm"):  # which kymatio 0.3 imports for three dimensions, and SciPy 1.17 lacks
        scipy.special.sph_harm = None
    from kymatio.scattering1d.frontend.numpy_frontend import ScatteringNumPy1D

    frames, by_length = [None] * len(clips), {}
    window = int(2 ** np.round(np.log2(0.032 * clips[0].sample_rate)))
    for i, clip in enumerate(clips):
        by_length.setdefault(-(-max(len(clip.samples), 8 * window) // window) * window, []).append(i)
    for length, members in by_length.items():
        transform = ScatteringNumPy1D(J=int(np.log2(window)), shape=length, Q=8)
        for i in members:
            x = np.asarray(clips[i].samples, float)
            whole = transform(np.pad(x, (0, length - len(x))))
            frames[i] = np.log(np.maximum(whole, 0)[..., : max(1, round(len(x) / window))] + 1e-6)
    return pooled(frames)


def _at_least(clip, seconds):
    x = np.asarray(clip.samples, float)
    return np.pad(x, (0, max(0, round(seconds * clip.sample_rate) - len(x))))


CONTENDERS = {
    "best": of_pipeline(recipes.best),
    "strf_cepstra": of_pipeline(recipes.strf_cepstra),
    "carfac_cepstra": of_pipeline(recipes.carfac_cepstra),
    "modulation_cepstra": of_pipeline(recipes.modulation_cepstra),
    "auditory_spectrogram_cepstra": of_pipeline(recipes.auditory_spectrogram_cepstra),
    "CARFAC()": of_pipeline(lambda rate: CARFAC(recipes.model_rate(rate))),
    "gammatone cepstra": of_pipeline(gammatone_cepstra),
    "demo MFCC": of_pipeline(BASELINES["MFCC"]),  # 16 coefficients, without differences
    "MFCC": mfcc,
    "log-mel": log_mel,
    "eGeMAPS": smile("eGeMAPSv02"),
    "ComParE": smile("ComParE_2016"),
    "scattering": scattering,
}

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


def _rms(x):
    return np.sqrt(np.mean(np.square(x, dtype=np.float64))) + 1e-12


def _like(clip, samples):
    return Sound(np.asarray(samples, np.float32), clip.sample_rate)


CONDITIONS = {
    "clean": (lambda clips, rng: clips, LEVEL_DB_SPL),
    "pink 10 dB": (pink(10), LEVEL_DB_SPL),
    "pink 0 dB": (pink(0), LEVEL_DB_SPL),
    "babble 10 dB": (babble(10), LEVEL_DB_SPL),
    "reverberation": (reverberation(), LEVEL_DB_SPL),
    "10 dB more": (lambda clips, rng: clips, LEVEL_DB_SPL + 10),
    "10 dB less": (lambda clips, rng: clips, LEVEL_DB_SPL - 10),
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
    """Compute, classify, and print the table."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    clips, target, groups = load(options.folder, options.development)
    print(f"{len(clips)} clips, {len(set(target))} classes, {len(set(groups))} groups", flush=True)
    rows = []
    for name in options.contenders:
        features = {c: compute(name, c, clips, options.out) for c in options.conditions}
        for classifier in options.classifiers:
            rows += scores(features, target, groups, CLASSIFIERS[classifier], options.jobs, name, classifier)
            pd.DataFrame(rows).to_csv(options.out / f"scores_{options.tag}.csv", index=False)
            print(table(pd.DataFrame(rows)).tail(1).to_string(header=False), flush=True)
    print(table(pd.DataFrame(rows)).to_string())
    print(differences(pd.DataFrame(rows), options.contenders[0]).to_string())


def parse():
    """Options of the command."""
    parser = argparse.ArgumentParser(description="Compare features, as docs/comparison.md says.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("comparison"))
    parser.add_argument("--tag", default="all")
    parser.add_argument("--development", action="store_true", help="take the development part, not the rest")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS), choices=list(CONDITIONS))
    parser.add_argument("--classifiers", nargs="+", default=["logistic"], choices=list(CLASSIFIERS))
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


def load(folder, development):
    """Clips of one part, their labels and their groups."""
    manifest = pd.read_csv(folder / "manifest.csv")
    if "take" in manifest or "fold" in manifest:
        in_development = manifest["take"] % 3 == 0 if "take" in manifest else manifest["fold"] == 0
        manifest = manifest[in_development == development]
    groups = manifest["group" if "group" in manifest else "speaker"]
    return [audio.read(folder / path) for path in manifest["path"]], manifest["label"].to_numpy(), groups.to_numpy()


def compute(name, condition, clips, out):
    """Features of a contender in a condition, from the cache or computed; seconds a second of sound are printed."""
    file = out / f"{name.strip('()')}_{condition}.npy".replace(" ", "_")
    if not file.exists():
        change, level_db_spl = CONDITIONS[condition]
        heard = audio.set_level(change(clips, np.random.default_rng(SEED)), level_db_spl)
        start = time.process_time()
        np.save(file, np.asarray(CONTENDERS[name](heard), np.float32))
        seconds = sum(len(clip.samples) / clip.sample_rate for clip in heard)
        print(f"{name}, {condition}: {(time.process_time() - start) / seconds:.4f} s a second of sound", flush=True)
    return np.load(file)


def scores(features, target, groups, make, jobs, name, classifier):
    """A row a group, training condition and test condition."""
    cv = LeaveOneGroupOut() if len(set(groups)) <= 10 else GroupKFold(5)
    folds = list(cv.split(target, target, groups))
    noisy = [c for c in features if c.startswith("pink")]
    tasks = [(trained, fold) for trained in ("clean", *noisy) for fold in folds]

    def run(trained, fold):
        train, test = fold
        x = features[trained][train]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of iterations that end at max_iter
            model = make(x, target[train], groups[train])
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
                    "features": name,
                    "classifier": classifier,
                    "trained": trained,
                    "tested": tested,
                    "group": str(groups[test][0]),
                    "accuracy": np.mean(guess == target[test]),
                    "auc": np.mean(areas),
                    "n_features": x.shape[1],
                }
            )
        return own

    done = Parallel(n_jobs=jobs)(delayed(run)(*task) for task in tasks)
    return [row for own in done for row in own]


def _probabilities(model, x):
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.decision_function(x)


def table(rows):
    """Mean accuracy over groups, and the 95 % interval."""
    grouped = rows.groupby(["features", "classifier", "trained", "tested"], sort=False)["accuracy"]
    cells = grouped.apply(lambda own: f"{own.mean():.3f} ± {_interval(own):.3f}")
    return cells.unstack(["trained", "tested"])


def differences(rows, first):
    """What the first is ahead of the others, paired over groups, with the 95 % interval."""
    wide = rows.pivot_table(index=["classifier", "trained", "tested", "group"], columns="features", values="accuracy")
    ahead = wide[[first]].to_numpy() - wide.drop(columns=first)
    cells = ahead.groupby(["classifier", "trained", "tested"]).agg(lambda d: f"{d.mean():+.3f} ± {_interval(d):.3f}")
    return cells.T


def _interval(values):
    n = len(values)
    return stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n) if n > 1 else np.nan


if __name__ == "__main__":
    main()
