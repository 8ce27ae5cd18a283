"""CARFAC fitted to audiograms."""

from typing import Any

import numpy as np

from skaud._callbacks import FitProgress
from skaud._sounds import count_ears
from skaud._warnings import warn_caller
from skaud.fitting.audiogram import NEGLIGIBLE_DB, EarFit, check_within_channels, fit_ear, heard
from skaud.fitting.solvers import warn_unless_converged
from skaud.hearing.audiogram import Audiogram
from skaud.models._carfac_gradients import CARFACGradients
from skaud.models._carfac_quiet import QuietEar
from skaud.models._carfac_runs import of_ears

FITTED = ("predicted_audiogram_", "residual_loss_db_")


class CARFACFit(CARFACGradients):
    """How CARFAC finds the health of its hair cells from an audiogram."""

    audiogram: Any
    explain_residual: str | None
    ohc_health_: np.ndarray
    n_fibers_: np.ndarray | None
    healthy_n_fibers: Any
    ohc_health: Any
    ihcs_per_channel: float

    def _forget(self) -> None:
        super()._forget()
        for name in FITTED:
            self.__dict__.pop(name, None)

    def _most_iterations(self) -> int | None:
        return super()._most_iterations() if self.audiogram is None else None

    def _find(self, progress: FitProgress | None = None) -> None:
        if self.audiogram is None:
            return
        audiograms = self._check_audiograms()
        fibers = self.n_fibers_
        explain = self.explain_residual == "synapse"

        def watch(x: np.ndarray, loss: float) -> bool:
            # Until the fit ends, the model is the healthy ear.
            return progress is not None and progress.iteration(loss, dict)

        limits: dict[str, Any] = {"max_iter": self.max_iter, "tol": self.tol, "watch": watch}
        ears = [fit_ear(self, audiogram, fibers, explain=explain, **limits) for audiogram in audiograms]
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
            for solution in ear.solutions:
                warn_unless_converged(self, solution)
            _warn_of_residual(f"audiogram[{number}]" if several else "audiogram", audiogram, ear, explain)

    def _unlearnable(self) -> dict[str, str]:
        reasons = super()._unlearnable()
        if self.audiogram is None:
            return reasons
        if not isinstance(self.audiogram, Audiogram) and len(self.audiogram) > 1:
            reasons |= dict.fromkeys(
                self._names_of_each_ear(), "it has no derivative where each ear has its own health"
            )
        taken = ("ohc_health", "n_fibers") if self.explain_residual else ("ohc_health",)
        return reasons | dict.fromkeys(taken, "the fit to the audiogram finds it")

    def _measure(self) -> None:
        # Other parameters were learned since the fit to the audiogram: they move the thresholds too.
        if self.audiogram is None:
            return
        predicted, residuals = [], []
        given = [self.audiogram] if isinstance(self.audiogram, Audiogram) else list(self.audiogram)
        for audiogram, own in zip(given, self._health_of_ears(), strict=True):
            measured, thresholds = audiogram.measured, np.full(len(audiogram), np.nan)
            ear = self._quiet_ear(audiogram.frequencies_hz[measured], steady=True)
            thresholds[measured] = ear.thresholds_db_hl(*own)
            predicted.append(heard(self, audiogram.frequencies_hz, thresholds, audiogram.ear))
            residuals.append(audiogram.thresholds_db_hl - thresholds)
        self.predicted_audiogram_ = of_ears(predicted)
        self.residual_loss_db_ = tuple(residuals) if len(given) > 1 else residuals[0]

    def _quiet_ear(self, frequencies_hz: np.ndarray, *, steady: bool) -> QuietEar:
        return QuietEar(self, frequencies_hz, steady=steady)

    def _health_of_ears(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Health and fibres of every ear, or of all; no fibres without the synapse."""
        cars, synapses = [ear.car for ear in self._ears_], [ear.synapse for ear in self._ears_]
        fibers = [None if own is None else own.n_fibers / self.ihcs_per_channel for own in synapses]
        return [(car.ohc_health, own) for car, own in zip(cars, fibers)]

    def _check_audiograms(self) -> list[Audiogram]:
        """Audiograms, one for all ears or one an ear."""
        given = [self.audiogram] if isinstance(self.audiogram, Audiogram) else list(self.audiogram)
        n_ears = self.n_ears_in_ or 1
        if not isinstance(self.audiogram, Audiogram) and len(given) != n_ears:
            raise ValueError(
                f"audiogram is a list of {len(given)}, and X has {count_ears(n_ears)}; give one for each ear of X, "
                "(n_signals, n_ears, n_samples), or a single Audiogram for all of them."
            )
        if not np.all(self.ohc_health_ == 1):
            raise ValueError(
                f"ohc_health={self.ohc_health!r} and an audiogram are given, and the fit to the audiogram finds "
                "ohc_health; leave it at 1, or set audiogram=None."
            )
        for audiogram in given:
            check_within_channels("audiogram", audiogram.frequencies_hz[audiogram.measured], self)
        return given


def _warn_of_residual(name: str, audiogram: Audiogram, ear: EarFit, explain: bool) -> None:
    beyond = audiogram.thresholds_db_hl - np.fmax(ear.predicted.thresholds_db_hl, ear.reach_db) > NEGLIGIBLE_DB
    if not beyond.any():
        return
    rest = ", ".join(
        f"{residual:.1f} dB at {hz:g} Hz"
        for hz, residual in zip(audiogram.frequencies_hz[beyond], ear.residual_db[beyond])
    )
    by_what = "outer hair cells and fibres" if explain else "outer hair cells"
    remedy = (
        "" if explain else "; explain_residual='synapse', with ihc_style='two_cap_with_syn', lets fibres explain it"
    )
    warn_caller(
        f"{name} has more loss than {by_what} explain: there remain {rest}, see residual_loss_db_{remedy}.",
    )
