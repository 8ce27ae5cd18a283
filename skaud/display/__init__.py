"""Plots, as display objects in scikit-learn's manner."""

from skaud.display.cochleagram import CochleagramDisplay

__all__ = ["CochleagramDisplay"]
