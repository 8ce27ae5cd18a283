"""
The features that are compared
==============================

Contenders of `compare_features.py`: functions from clips to rows of features. Those of other programs are as these give
them, frames pooled as skaud's recipes pool theirs.
"""

import numpy as np
import scipy.special
from sklearn.pipeline import FeatureUnion

from skaud import (
    CARFAC,
    CepstralCoefficients,
    FeaturePipeline,
    GammatoneFilterbank,
    HairCellEnvelope,
    LogCompression,
    Osses2021,
    TemporalPooling,
    recipes,
)
from skaud.command.contenders import BASELINES


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
    "best and modulation_cepstra": of_pipeline(
        lambda rate: FeatureUnion([("best", recipes.best(rate)), ("modulation", recipes.modulation_cepstra(rate))])
    ),
    "auditory_spectrogram_cepstra": of_pipeline(recipes.auditory_spectrogram_cepstra),
    "CARFAC()": of_pipeline(lambda rate: CARFAC(recipes.model_rate(rate))),
    "Osses2021()": of_pipeline(lambda rate: Osses2021(recipes.model_rate(rate), high_hz=recipes.highest_hz(rate))),
    "CARFAC, mean and std": of_pipeline(lambda rate: CARFAC(recipes.model_rate(rate), pooling=("mean", "std"))),
    "Osses2021, mean and std": of_pipeline(
        lambda rate: Osses2021(recipes.model_rate(rate), high_hz=recipes.highest_hz(rate), pooling=("mean", "std"))
    ),
    "gammatone cepstra": of_pipeline(gammatone_cepstra),
    "demo MFCC": of_pipeline(BASELINES["MFCC"]),  # 16 coefficients, without differences
    "MFCC": mfcc,
    "log-mel": log_mel,
    "eGeMAPS": smile("eGeMAPSv02"),
    "ComParE": smile("ComParE_2016"),
    "scattering": scattering,
}
