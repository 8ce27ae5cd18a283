"""Ratios to a yardstick measured in the same run, and a table of them at the end."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal
from stopwatch import best_s

ROWS: list[tuple[str, float, str, str]] = []


@pytest.fixture
def sosfilt_s() -> Callable[[int, int], float]:
    """Yardstick Y: seconds of scipy.signal.sosfilt, 2 sections, float64, (n_channels, n_samples)."""
    sections = signal.butter(4, [0.1, 0.2], "band", output="sos")[:2]

    def measure(n_channels: int, n_samples: int) -> float:
        x = np.random.default_rng(1).standard_normal((n_channels, n_samples))
        return best_s(lambda: signal.sosfilt(sections, x, axis=-1))

    return measure


@pytest.fixture
def record() -> Callable[[str, float, str, str], None]:
    """Keep a figure, its unit and its goal for the table."""

    def keep(name: str, value: float, unit: str, goal: str) -> None:
        ROWS.append((name, value, unit, goal))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ROWS:
        terminalreporter.section("figures")
        width = max(len(row[0]) for row in ROWS)
        for name, value, unit, goal in ROWS:
            terminalreporter.write_line(f"{name:<{width}}  {value:8.3f} {unit:<5} goal {goal}")
