"""Audiograms of models."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud._types import Estimator
from skaud.fitting.carfac import DesignedCARFAC
from skaud.fitting.quiet_ear import HIGHEST_DB_HL, Cochlea, QuietEar, ears_of
from skaud.hearing.audiogram import Audiogram


def predicted_audiogram(model: Estimator, frequencies_hz: npt.ArrayLike) -> Audiogram | tuple[Audiogram, ...]:
    """Audiogram of a model: how much more sound it needs than the same model with a healthy ear.

    A tone at the threshold of hearing in quiet, ISO 389-7's, gives a response in the healthy ear: the logarithm of the
    NAP's mean square, summed over channels, in steady state. The threshold of the model's own ear, in dB HL, is the
    level above it that gives the same response. It is computed in float64, whatever the model's dtype.

    Parameters
    ----------
    model : CARFAC
        Fitted model.
    frequencies_hz : array-like of shape (n_frequencies,)
        Frequencies in Hz, rising, at least two, within the model's channels.

    Returns
    -------
    Audiogram, or tuple of Audiogram
        Thresholds in dB HL; 120 dB HL with `no_response` where not even that is enough. A tuple, one an ear, where the
        model was fitted to an audiogram of each ear. It is of the ear that the model was fitted to.

    Raises
    ------
    TypeError
        If the model has no NAP.
    ValueError
        If a frequency lies outside the model's channels, for what `skaud.Audiogram` refuses, or if the model hears
        fewer than two of the frequencies at 120 dB HL: there is no audiogram of so deaf an ear, as one without fibres.

    Examples
    --------
    >>> from skaud import CARFAC, datasets
    >>> from skaud.fitting import predicted_audiogram
    >>> X = datasets.make_tone(1000, duration_s=0.1)
    >>> model = CARFAC(ohc_health=0.5).fit(X)
    >>> predicted_audiogram(model, [500, 1000, 2000, 4000]).thresholds_db_hl.round()
    array([23., 27., 30., 29.])
    """
    if not hears_in_quiet(model):
        raise TypeError(f"model is {type(model).__name__}, which has no NAP to listen to; pass a fitted skaud.CARFAC.")
    model = fitted_copy(model)
    frequencies = Audiogram(frequencies_hz, np.zeros(np.shape(frequencies_hz))).frequencies_hz
    check_within_channels("frequencies_hz", frequencies, model)
    ear = QuietEar(Cochlea.of(model), frequencies, steady=True)
    audiograms = [
        heard(frequencies, ear.thresholds_db_hl(*own), label, has_fibers=own[1] is not None)
        for own, label in zip(health_of_ears(model), labels_of_ears(model), strict=True)
    ]
    return audiograms[0] if len(audiograms) == 1 else tuple(audiograms)


def hears_in_quiet(model: object) -> bool:
    """Whether a model has a NAP, whose thresholds can be found."""
    return hasattr(type(model), "nap_rest_")


def health_of_ears(model: DesignedCARFAC) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Health and fibres of every ear of a designed model, or of all; no fibres without the synapse."""
    cars, synapses = [ear.car for ear in ears_of(model)], [ear.synapse for ear in ears_of(model)]
    fibers = [None if own is None else own.n_fibers / model.ihcs_per_channel for own in synapses]
    return [(car.ohc_health, own) for car, own in zip(cars, fibers)]


def labels_of_ears(model: DesignedCARFAC) -> list[str | None]:
    """Which ear is which in a fitted model, one for each of its designs; beside one that is known, the other is too."""
    predicted = getattr(model, "predicted_audiogram_", None)
    labels = [one and one.ear for one in (predicted if isinstance(predicted, tuple) else [predicted])]
    return ["left", "right"] if len(labels) == 2 and any(labels) else labels


def check_within_channels(name: str, frequencies_hz: np.ndarray, model: DesignedCARFAC) -> None:
    """Refuse frequencies that no channel of the model stands for."""
    highest_hz, lowest_hz = model.pole_frequencies_hz_[[0, -1]]
    for hz in frequencies_hz:
        if not lowest_hz <= hz <= highest_hz:
            remedy = "leave it out, or raise sample_rate" if hz > highest_hz else "leave it out, or lower min_pole_hz"
            raise ValueError(
                f"{name} has {hz:g} Hz, and at sample_rate={model.sample_rate:g} the model's channels lie between "
                f"{lowest_hz:.0f} and {highest_hz:.0f} Hz; {remedy}."
            )


def heard(
    frequencies_hz: np.ndarray,
    thresholds_db_hl: np.ndarray,
    ear: str | None = None,
    tried: np.ndarray | None = None,
    *,
    has_fibers: bool,
) -> Audiogram:
    """Audiogram of what a model hears; an error where that is too little for one.

    tried : mask of the frequencies at which it was tried, by default all; has_fibers : whether it may lack fibres
    """
    n_heard = np.count_nonzero(np.isfinite(thresholds_db_hl))
    if n_heard < 2:
        name = "n_fibers" if has_fibers else "ohc_health"
        raise ValueError(
            f"{name} leaves the model an ear too deaf for an audiogram: up to {HIGHEST_DB_HL:g} dB HL it hears "
            f"{n_heard} of the frequencies, and an audiogram needs 2; raise {name}, or choose other frequencies."
        )
    unheard = np.isnan(thresholds_db_hl) & (tried is None or tried)
    return Audiogram(frequencies_hz, np.where(unheard, HIGHEST_DB_HL, thresholds_db_hl), ear, unheard)


def residual_of(audiogram: Audiogram, predicted_db: np.ndarray) -> np.ndarray:
    """What of an audiogram a prediction leaves unexplained, in dB; of what was not heard, never less than 0."""
    residual_db = audiogram.thresholds_db_hl - predicted_db
    # What the model does not hear either has a threshold beyond the highest that was tried with it.
    reached_db = np.where(np.isnan(predicted_db), HIGHEST_DB_HL, predicted_db)
    beyond_db = np.maximum(audiogram.thresholds_db_hl - reached_db, 0)
    return np.where(audiogram.no_response, beyond_db, residual_db)
