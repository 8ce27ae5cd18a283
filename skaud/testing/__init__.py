"""Tests for those who write models and stages."""

from skaud.testing.dot import dot_test
from skaud.testing.model import check_model

__all__ = ["check_model", "dot_test"]
