"""Audiograms of the ears of a model, and what of each explains it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skaud._warnings import warn_caller
from skaud.design.carfac import of_ears
from skaud.fitting.audiogram import check_within_channels, health_of_ears, heard, residual_of
from skaud.fitting.carfac import DesignedCARFAC
from skaud.fitting.ear import MISSED_DB, EarFit, fit_ear, healthy_ear
from skaud.fitting.movable import Value
from skaud.fitting.quiet_ear import Cochlea, QuietEar
from skaud.fitting.solvers import Watch, warn_unless_converged
from skaud.hearing.audiogram import Audiogram
from skaud.kernels.array_api import Place

EARS = ("left", "right")  # in the order of X's, as in stereo sound


def check_audiograms(given: Any) -> None:
    """Refuse what is no Audiogram, nor a list of them, and what its labels say of other ears."""
    if given is None or isinstance(given, Audiogram):
        return
    several = isinstance(given, (list, tuple))
    for audiogram in given if several else [given]:
        if not isinstance(audiogram, Audiogram) and not (several and audiogram is None):
            raise TypeError(
                f"audiogram{' has ' if several else '='}{audiogram!r}, {type(audiogram).__name__}; it must be a "
                "skaud.Audiogram, or a list of them, one an ear, None for a healthy one: make it with "
                "skaud.Audiogram(frequencies_hz, thresholds_db_hl), Audiogram.standard('N2') or "
                "Audiogram.from_dict({500: 10, 1000: 20})."
            )

    labels = [None if audiogram is None else audiogram.ear for audiogram in given]
    for number, label in enumerate(labels if len(labels) > 1 else []):
        if label is not None and label != dict(enumerate(EARS)).get(number):
            raise ValueError(
                f"audiogram[{number}] is of the {label} ear, and the list has the ears {labels}; the first ear of X is "
                "the left one and the second the right: give audiogram=[left, right], and X (n_signals, 2, n_samples) "
                "in the same order, correct the labels, or make audiograms of other ears without ear=."
            )


def audiograms_of(given: Audiogram | Sequence[Audiogram | None] | None) -> list[Audiogram | None]:
    """Audiograms, one for all ears or one an ear, None of one that is healthy."""
    if given is None:
        return []
    return [given] if isinstance(given, Audiogram) else list(given)


def n_ears_of(given: Audiogram | Sequence[Audiogram | None] | None) -> int | None:
    """Ears that audiograms ask for; None where they suit any number."""
    return len(given) if isinstance(given, (list, tuple)) and len(given) > 1 else None


def check_ears_of(model: DesignedCARFAC) -> list[Audiogram | None]:
    """Audiograms that suit the ears of X and the model."""
    given, n_ears = audiograms_of(model.audiogram), model.n_ears_in_ or 1
    if not isinstance(model.audiogram, Audiogram) and len(given) != n_ears:
        raise ValueError(
            f"audiogram is a list of {len(given)}, and X has {n_ears} ear{'s' * (n_ears != 1)}; give one for each ear "
            "of X, (n_signals, n_ears, n_samples), None for one that is healthy, or a single Audiogram for all of them."
        )
    if isinstance(model.audiogram, Audiogram) and model.audiogram.ear and n_ears > 1:
        pair = "[audiogram, None]" if model.audiogram.ear == "left" else "[None, audiogram]"
        raise ValueError(
            f"audiogram is one of the {model.audiogram.ear} ear, and X has {n_ears} ears; give audiogram={pair} "
            "where the other is healthy, an Audiogram of each, first the left and then the right, or one without "
            "ear=, which holds for all of them."
        )
    if not np.all(model.ohc_health_ == 1):
        raise ValueError(
            f"ohc_health={model.ohc_health!r} and an audiogram are given, and the fit to the audiogram finds "
            "ohc_health; leave it at 1, or set audiogram=None."
        )
    for audiogram in given:
        if audiogram is not None:
            check_within_channels("audiogram", audiogram.frequencies_hz[audiogram.measured], model)
    return given


def check_ears_heard(n_ears: int, n_fitted: int, label: str | None) -> None:
    """Refuse sound of other ears than were fitted: so many, or the one that a label says."""
    if n_fitted not in (1, n_ears):
        raise ValueError(
            f"X has {n_ears} ear{'s' * (n_ears != 1)}, and the model was fitted to the audiograms of {n_fitted}; pass "
            f"signals of shape (n_signals, {n_fitted}, n_samples), or fit to one audiogram, which holds for any."
        )
    if n_ears > 1 and label:
        raise ValueError(
            f"X has {n_ears} ears, and the model was fitted to the audiogram of the {label} ear; pass sound of that "
            "ear, or fit to audiograms of both, None for a healthy one, or to one without ear=, it holds for any."
        )


class AudiogramsFit(NamedTuple):
    """What explains the audiograms of a model: values of its parameters, and how they were found, an ear each."""

    audiograms: list[Audiogram | None]
    ears: list[EarFit]
    found: dict[str, Value]
    explain: bool

    @property
    def loss_curve(self) -> Any:
        """Losses of every iteration; a tuple, one an ear, for several."""
        return of_ears([[loss for solution in ear.solutions for loss in solution.loss_curve] for ear in self.ears])

    @property
    def n_iter(self) -> int:
        """Iterations, of all ears together."""
        return max(1, sum(solution.n_iter for ear in self.ears for solution in ear.solutions))

    def attributes(self) -> dict[str, Any]:
        """Fitted attributes that show it."""
        return shown([ear.predicted for ear in self.ears], [ear.residual_db for ear in self.ears])

    def warn(self, name: str, *, fibers_given: bool) -> None:
        """Say, of a model called so, what did not converge, and what its ears cannot explain."""
        for number, (audiogram, ear) in enumerate(zip(self.audiograms, self.ears)):
            if audiogram is None:
                continue
            for solution in ear.solutions:
                warn_unless_converged(name, solution)
            called = f"audiogram[{number}]" if len(self.ears) > 1 else "audiogram"
            called += f" ({audiogram.ear} ear)" if audiogram.ear else ""
            _warn_of_ear(called, audiogram, ear, explain=self.explain, fibers_given=fibers_given)


def fit_audiograms(model: DesignedCARFAC, place: Place, *, max_iter: int, tol: float, watch: Watch) -> AudiogramsFit:
    """Find the health of the ears of a designed CARFAC that explains its audiograms; the model stays as it is.

    place : where it listens to tones; the optimiser is on the host
    """
    audiograms, cochlea = check_ears_of(model), Cochlea.of(model, place)
    explain = model.explain_residual == "synapse"
    how: dict[str, Any] = {"ohc_share": model.ohc_share, "explain": explain}
    how |= {"max_iter": max_iter, "tol": tol, "watch": watch}
    ears = [
        healthy_ear(cochlea, model.n_fibers_) if own is None else fit_ear(cochlea, own, model.n_fibers_, **how)
        for own in audiograms
    ]
    found: dict[str, Value] = {"ohc_health": of_ears([ear.ohc_health for ear in ears])}
    if explain:
        found["n_fibers"] = of_ears([ear.n_fibers for ear in ears])
    return AudiogramsFit(audiograms, ears, found, explain)


def measure_audiograms(model: DesignedCARFAC) -> dict[str, Any]:
    """Fitted attributes that show what a model hears, whose other parameters have moved since the fit."""
    predicted: list[Audiogram | None] = []
    residuals: list[np.ndarray | None] = []
    for audiogram, own in zip(audiograms_of(model.audiogram), health_of_ears(model), strict=True):
        if audiogram is None:
            predicted.append(None)
            residuals.append(None)
            continue
        measured, thresholds = audiogram.measured, np.full(len(audiogram), np.nan)
        ear = QuietEar(Cochlea.of(model), audiogram.frequencies_hz[measured], steady=True)
        thresholds[measured] = ear.thresholds_db_hl(*own)
        has_fibers = own[1] is not None
        predicted.append(heard(audiogram.frequencies_hz, thresholds, audiogram.ear, measured, has_fibers=has_fibers))
        residuals.append(residual_of(audiogram, thresholds))
    return shown(predicted, residuals)


def shown(predicted: list[Audiogram | None], residuals: list[np.ndarray | None]) -> dict[str, Any]:
    """Fitted attributes: what is predicted, and what remains, of all ears or a tuple, one an ear."""
    residual = tuple(residuals) if len(residuals) > 1 else residuals[0]
    return {"predicted_audiogram_": of_ears(predicted), "residual_loss_db_": residual}


def _warn_of_ear(name: str, audiogram: Audiogram, ear: EarFit, *, explain: bool, fibers_given: bool) -> None:
    """Say what of an audiogram the model cannot explain, and what it could and does not."""
    assert ear.predicted is not None
    assert ear.residual_db is not None
    if ear.beyond.any():
        by_what = "outer hair cells and fibres" if explain else "outer hair cells"
        rest = ", ".join(
            f"{'at least ' if unheard else ''}{residual:.1f} dB at {hz:g} Hz"
            for hz, residual, unheard in zip(
                audiogram.frequencies_hz[ear.beyond], ear.residual_db[ear.beyond], audiogram.no_response[ear.beyond]
            )
        )
        remedy = (
            "" if explain else "; explain_residual='synapse', with ihc_style='two_cap_with_syn', lets fibres explain it"
        )
        warn_caller(f"{name} has more loss than {by_what} explain: there remain {rest}, see residual_loss_db_{remedy}.")
    if ear.missed.any():
        predicted = ear.predicted
        columns = (audiogram.frequencies_hz, audiogram.thresholds_db_hl, predicted.thresholds_db_hl)
        points = ", ".join(
            f"{'more than ' if unheard else ''}{db:.1f} dB HL at {hz:g} Hz in place of {given:g}"
            for hz, given, db, unheard, missed in zip(*columns, predicted.no_response, ear.missed)
            if missed
        )
        warn_caller(
            f"{name} is missed by more than {MISSED_DB:g} dB within the reach of the outer hair cells: the fitted ear "
            f"has {points}, see residual_loss_db_. Its channels do not follow thresholds that change so much from one "
            f"frequency to the next{', nor hear more than n_fibers leave' if fibers_given else ''}; check these "
            f"thresholds{', and n_fibers' if fibers_given else ''}."
        )
