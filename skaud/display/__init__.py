"""Plots, as display objects in scikit-learn's manner."""

from skaud.display.audiogram import AudiogramDisplay
from skaud.display.auditory_image import AuditoryImageDisplay, PitchogramDisplay
from skaud.display.cochleagram import CochleagramDisplay
from skaud.display.modulation import ModulationDisplay
from skaud.display.ohc_health import OHCHealthDisplay
from skaud.display.stages import StagesDisplay
from skaud.display.strf import STRFDisplay
from skaud.display.track import TrackDisplay

__all__ = [
    "AudiogramDisplay",
    "AuditoryImageDisplay",
    "CochleagramDisplay",
    "ModulationDisplay",
    "OHCHealthDisplay",
    "PitchogramDisplay",
    "STRFDisplay",
    "StagesDisplay",
    "TrackDisplay",
]
