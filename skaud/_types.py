"""What signatures take and return, where no class of this package says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

# X: an array (n_signals, [n_ears,] n_samples) of any library, or clips, in a list or in a column of a data frame.
Signals: TypeAlias = Any
# What comes back for X: an array of its library, a data frame where one was asked for, a list of arrays for clips.
Features: TypeAlias = Any
# Rate of the clips of X in Hz: one for all, or one a clip; None where they know it, or it is the model's.
Rates: TypeAlias = float | Sequence[float] | np.ndarray | None
# Labels of clips: an array of them, a list of arrays where they are of frames.
Targets: TypeAlias = Any
# A module of matplotlib, or an object of it: Axes, an image, a line.
Plot: TypeAlias = Any
if TYPE_CHECKING:  # sounds and audiograms need no scikit-learn
    from sklearn.base import BaseEstimator

    # Of this package or of anybody's: what it has beyond fit and transform is asked.
    Estimator: TypeAlias = BaseEstimator
else:
    Estimator = object
# Seed of what is drawn at random, as scikit-learn takes it.
Seed: TypeAlias = int | np.random.RandomState | None
