"""Plots, as display objects in scikit-learn's manner."""

from skaud.display.cochleagram import CochleagramDisplay
from skaud.display.modulation import ModulationDisplay
from skaud.display.stages import StagesDisplay
from skaud.display.strf import STRFDisplay

__all__ = ["CochleagramDisplay", "ModulationDisplay", "STRFDisplay", "StagesDisplay"]
