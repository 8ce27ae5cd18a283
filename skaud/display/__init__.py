"""Plots, as display objects in scikit-learn's manner."""

from skaud.display.audiogram import AudiogramDisplay
from skaud.display.cochleagram import CochleagramDisplay
from skaud.display.ohc_health import OHCHealthDisplay

__all__ = ["AudiogramDisplay", "CochleagramDisplay", "OHCHealthDisplay"]
