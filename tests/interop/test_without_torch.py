import sys

import numpy as np
import pytest

from skaud import CARFAC, AuditorySpectrogram, Learn
from skaud.interop.torch import _module_class, _names, as_module


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    model = AuditorySpectrogram().fit(np.zeros((1, 100)))
    _module_class.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'skaud\[torch\]'"):
        as_module(model)


def test_a_module_shows_what_learn_of_the_estimator_names():
    clips, labels = np.random.default_rng(0).standard_normal((2, 200)) / 50, ["a", "b"]
    learned = CARFAC(8000, erb_per_step=2.0, learn=Learn(("v_offset", "max_zeta"), max_iter=1, tol=1.0))
    assert _names(learned.fit(clips, labels), None) == ("v_offset", "max_zeta")
    assert _names(CARFAC(8000, erb_per_step=2.0).fit(), None) == ()
    with pytest.raises(TypeError, match="is Learn; pass the name of a parameter"):
        _names(learned, learned.learn)
