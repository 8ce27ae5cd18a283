"""CARFAC fitted to audiograms."""

from typing import Any, Self

import numpy as np
from sklearn.exceptions import NotFittedError

from skaud._warnings import warn_caller
from skaud.design.carfac import CARFACCoefficients, of_ears
from skaud.estimator.callbacks import FitProgress
from skaud.estimator.engine import EngineTransformer
from skaud.estimator.learning import LearningTransformer
from skaud.estimator.sounds import count_ears
from skaud.fitting.audiogram import (
    MISSED_DB,
    EarFit,
    check_within_channels,
    fit_ear,
    healthy_ear,
    heard,
    residual_of,
)
from skaud.fitting.solvers import warn_unless_converged
from skaud.hearing.audiogram import Audiogram
from skaud.models._carfac_limits import names_of_each_ear, reasons_for_no_effect
from skaud.models._carfac_quiet import QuietEar


class CARFACFit(EngineTransformer, LearningTransformer):
    """How CARFAC finds the health of its hair cells from an audiogram."""

    audiogram: Any
    ohc_share: float
    explain_residual: str | None
    n_fibers: Any
    ohc_health_: np.ndarray
    n_fibers_: np.ndarray | None
    healthy_n_fibers: Any
    ohc_health: Any
    ihcs_per_channel: float
    _ears_: tuple[CARFACCoefficients, ...]  # one for all ears, or one an ear

    def _n_ears_without_sound(self) -> int | None:
        several = isinstance(self.audiogram, (list, tuple)) and len(self.audiogram) > 1
        return len(self.audiogram) if several else None

    def _suits_any_ears(self) -> bool:
        labelled = isinstance(self.audiogram, Audiogram) and self.audiogram.ear is not None
        return super()._suits_any_ears() and not labelled

    def _designed_for(self, X: Any) -> Self:
        if self.audiogram is not None:
            raise NotFittedError(
                f"{type(self).__name__} has an audiogram and is not fitted: what explains it is not known yet. Call "
                "fit first, which needs no sound for it, or set audiogram=None."
            )
        return super()._designed_for(X)

    def _most_iterations(self) -> int | None:
        return super()._most_iterations() if self.audiogram is None else None

    def _find(self, progress: FitProgress | None = None) -> None:
        if self.audiogram is None:
            return
        audiograms = self._check_audiograms()
        explain = self.explain_residual == "synapse"

        def watch(x: np.ndarray, loss: float) -> bool:
            # Until the fit ends, the model is the healthy ear.
            return progress is not None and progress.iteration(loss, dict)

        how: dict[str, Any] = {"ohc_share": self.ohc_share, "explain": explain}
        solver = self._how_to_learn()
        how |= {"max_iter": solver.max_iter, "tol": solver.tol, "watch": watch}
        ears = [healthy_ear(self) if own is None else fit_ear(self, own, self.n_fibers_, **how) for own in audiograms]
        found: dict[str, Any] = {"ohc_health": of_ears([ear.ohc_health for ear in ears])}
        if explain:
            found["n_fibers"] = of_ears([ear.n_fibers for ear in ears])
        self._redesign(self._found_ | found)
        several = len(ears) > 1
        curves = [[loss for solution in ear.solutions for loss in solution.loss_curve] for ear in ears]
        self.predicted_audiogram_ = of_ears([ear.predicted for ear in ears])
        self.residual_loss_db_ = tuple(ear.residual_db for ear in ears) if several else ears[0].residual_db
        self.loss_curve_ = tuple(curves) if several else curves[0]
        self.n_iter_ = max(1, sum(solution.n_iter for ear in ears for solution in ear.solutions))
        for number, (audiogram, ear) in enumerate(zip(audiograms, ears)):
            if audiogram is None:
                continue
            for solution in ear.solutions:
                warn_unless_converged(type(self).__name__, solution)
            name = f"audiogram[{number}]" if several else "audiogram"
            name += f" ({audiogram.ear} ear)" if audiogram.ear else ""
            _warn_of_fit(name, audiogram, ear, explain=explain, fibers_given=self.n_fibers is not None)

    def _unlearnable(self) -> dict[str, str]:
        reasons = reasons_for_no_effect(self)
        if self.audiogram is None:
            return reasons
        if len(self._audiograms()) > 1:
            reasons |= dict.fromkeys(names_of_each_ear(self), "it has no derivative where each ear has its own health")
        taken = ("ohc_health", "n_fibers") if self.explain_residual else ("ohc_health",)
        return reasons | dict.fromkeys(taken, "the fit to the audiogram finds it")

    def _measure(self) -> None:
        # Other parameters were learned since the fit to the audiogram: they move the thresholds too.
        if self.audiogram is None:
            return
        predicted: list[Audiogram | None] = []
        residuals: list[np.ndarray | None] = []
        given = self._audiograms()
        for audiogram, own in zip(given, self._health_of_ears(), strict=True):
            if audiogram is None:
                predicted.append(None)
                residuals.append(None)
                continue
            measured, thresholds = audiogram.measured, np.full(len(audiogram), np.nan)
            ear = self._quiet_ear(audiogram.frequencies_hz[measured], steady=True)
            thresholds[measured] = ear.thresholds_db_hl(*own)
            predicted.append(heard(self, audiogram.frequencies_hz, thresholds, audiogram.ear, measured))
            residuals.append(residual_of(audiogram, thresholds))
        self.predicted_audiogram_ = of_ears(predicted)
        self.residual_loss_db_ = tuple(residuals) if len(given) > 1 else residuals[0]

    def _quiet_ear(self, frequencies_hz: np.ndarray, *, steady: bool) -> QuietEar:
        return QuietEar(self, frequencies_hz, steady=steady)

    def _health_of_ears(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Health and fibres of every ear, or of all; no fibres without the synapse."""
        cars, synapses = [ear.car for ear in self._ears_], [ear.synapse for ear in self._ears_]
        fibers = [None if own is None else own.n_fibers / self.ihcs_per_channel for own in synapses]
        return [(car.ohc_health, own) for car, own in zip(cars, fibers)]

    def _audiograms(self) -> list[Audiogram | None]:
        """Audiograms, one for all ears or one an ear, None of one that is healthy."""
        return [self.audiogram] if isinstance(self.audiogram, Audiogram) else list(self.audiogram)

    def _check_audiograms(self) -> list[Audiogram | None]:
        """Audiograms that suit the ears of X and the model."""
        given, n_ears = self._audiograms(), self.n_ears_in_ or 1
        if not isinstance(self.audiogram, Audiogram) and len(given) != n_ears:
            raise ValueError(
                f"audiogram is a list of {len(given)}, and X has {count_ears(n_ears)}; give one for each ear of X, "
                "(n_signals, n_ears, n_samples), None for one that is healthy, or a single Audiogram for all of them."
            )
        if isinstance(self.audiogram, Audiogram) and self.audiogram.ear and n_ears > 1:
            pair = "[audiogram, None]" if self.audiogram.ear == "left" else "[None, audiogram]"
            raise ValueError(
                f"audiogram is one of the {self.audiogram.ear} ear, and X has {n_ears} ears; give audiogram={pair} "
                "where the other is healthy, an Audiogram of each, first the left and then the right, or one without "
                "ear=, which holds for all of them."
            )
        if not np.all(self.ohc_health_ == 1):
            raise ValueError(
                f"ohc_health={self.ohc_health!r} and an audiogram are given, and the fit to the audiogram finds "
                "ohc_health; leave it at 1, or set audiogram=None."
            )
        for audiogram in given:
            if audiogram is not None:
                check_within_channels("audiogram", audiogram.frequencies_hz[audiogram.measured], self)
        return given


def _warn_of_fit(name: str, audiogram: Audiogram, ear: EarFit, *, explain: bool, fibers_given: bool) -> None:
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
