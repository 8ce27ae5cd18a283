"""Psychoacoustics: observers in forced choice, and the thresholds that adaptive tracks find."""

from skaud.psychoacoustics.calibration import calibrated_noise_variance
from skaud.psychoacoustics.forced_choice import d_prime, proportion_correct
from skaud.psychoacoustics.observer import TemplateObserver
from skaud.psychoacoustics.track import AdaptiveThreshold, Track, adaptive_track, make_trials

__all__ = [
    "AdaptiveThreshold",
    "TemplateObserver",
    "Track",
    "adaptive_track",
    "calibrated_noise_variance",
    "d_prime",
    "make_trials",
    "proportion_correct",
]
