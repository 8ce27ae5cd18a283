"""How much internal noise: what an intensity that can just be discriminated says."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from skaud._types import Estimator
from skaud.datasets import make_tone
from skaud.design.limits import check_number
from skaud.models.dau1997 import Dau1997
from skaud.psychoacoustics.forced_choice import d_prime
from skaud.psychoacoustics.representation import check_trials, correlate, make_template, rate_of
from skaud.sound import check_level, check_rate

_BESIDE = 1.1  # ratio of frequencies, about half a channel: a tone farther off is outside
_DEFAULT_RATE_HZ = 44100.0


def calibrated_noise_variance(
    model: Estimator | None = None,
    *,
    frequency_hz: float = 1000.0,
    db_spl: float = 60.0,
    increment_db: float = 1.0,
    template_increment_db: float = 10.0,
    proportion: float = 0.5**0.5,
    n_intervals: int = 3,
    duration_s: float = 0.5,
    ramp_s: float = 0.05,
) -> float:
    r"""Variance of the internal noise with which an increment in level is just discriminated.

    Parameters
    ----------
    model : estimator or None, default=None
        As for `TemplateObserver`; it is cloned.
    frequency_hz : float, default=1000.0
        Frequency of the tone in Hz, within the channels of the model.
    db_spl : float, default=60.0
        Level of the tone in dB SPL.
    increment_db : float, default=1.0
        Increment in dB that is at threshold.
    template_increment_db : float, default=10.0
        Increment in dB that the template is made with.
    proportion : float, default=0.7071
        Proportion of correct answers at threshold; the default is where 1-up 2-down converges.
    n_intervals : int, default=3
        Intervals of a trial.
    duration_s, ramp_s : float, default=0.5, 0.05
        Length of the tone, and of the ramps at both its ends, in s.

    Returns
    -------
    float
        Variance, for `TemplateObserver` with this model, or with one that differs in its channels.

    Raises
    ------
    ValueError
        If the tone lies outside of the model's channels, or a number is out of its range.

    Notes
    -----
    Tones are the same in every trial, so that the internal noise alone limits, and the variance follows without
    iteration, with d' as `d_prime` has it:

    .. math:: \sigma = \frac{1}{d'} \sum_{c,t} T_c(t) \left(R^{61}_c(t) - R^{60}_c(t)\right) \Delta t

    Dau et al. (1997) chose the variance by the same criterion of 1 dB. A model of one channel, as they use for
    narrow-band carriers, is calibrated with one channel at 1 kHz; a model of many channels has several that
    discriminate, and so needs more noise for the same threshold.

    Examples
    --------
    >>> from skaud import Dau1997, TemplateObserver
    >>> from skaud.psychoacoustics import calibrated_noise_variance
    >>> one_channel = {"sample_rate": 16000, "pooling": None}
    >>> variance = calibrated_noise_variance(Dau1997(low_hz=1000, high_hz=1000, **one_channel))
    >>> observer = TemplateObserver(
    ...     Dau1997(low_hz=5000, high_hz=5000, **one_channel), internal_noise_variance=variance
    ... )
    """
    model = Dau1997(pooling=None) if model is None else model
    frequency_hz = check_number("frequency_hz", frequency_hz, "one number of Hz; call once a frequency")
    check_level("db_spl", db_spl)
    proportion = check_number("proportion", proportion, "one number, above chance and below 1")
    for name, value in {"increment_db": increment_db, "template_increment_db": template_increment_db}.items():
        if check_number(name, value, "one number of dB above 0") <= 0:
            raise ValueError(f"{name}={value} must be above 0 dB; threshold is where a tone is heard to be louder.")
    distance = d_prime(proportion, n_intervals)
    rate = rate_of(model)
    rate = _DEFAULT_RATE_HZ if rate is None else check_rate("sample_rate", rate)
    levels_db = db_spl + np.array([0.0, increment_db, template_increment_db])
    tone, louder, clear = (make_tone(frequency_hz, duration_s, rate, level, ramp_s=ramp_s)[0] for level in levels_db)
    fitted = clone(model).fit([tone])
    _check_reach(fitted, frequency_hz)
    template, frame_s = make_template(fitted, check_trials([[clear, tone]], rate), np.zeros(1, int))
    heard, reference = correlate(fitted, check_trials([[louder, tone]], rate), template, frame_s)[0]
    if not heard > reference:
        raise ValueError(
            f"increment_db={increment_db} is no difference in the model at {frequency_hz} Hz and db_spl={db_spl}; "
            "choose a level at which the model responds."
        )
    return float(((heard - reference) / distance) ** 2)


def _check_reach(model: Estimator, frequency_hz: float) -> None:
    """Refuse a tone beside all channels: the noise would be that of a threshold which no channel decides."""
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    found = next((step.channel_frequencies_hz_ for step in steps if hasattr(step, "channel_frequencies_hz_")), None)
    if found is None:
        return
    lowest, highest = float(np.min(found)), float(np.max(found))
    if not lowest / _BESIDE <= frequency_hz <= highest * _BESIDE:
        raise ValueError(
            f"frequency_hz={frequency_hz} lies outside of the model's channels, {lowest:.0f} to {highest:.0f} Hz; pass "
            "internal_noise_variance=calibrated_noise_variance(...) of the same model with a channel there."
        )
