import sys

import numpy as np
import pytest

from skaud import AuditorySpectrogram
from skaud.interop.torch import _module_class, as_module


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    model = AuditorySpectrogram().fit(np.zeros((1, 100)))
    _module_class.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'skaud\[torch\]'"):
        as_module(model)
