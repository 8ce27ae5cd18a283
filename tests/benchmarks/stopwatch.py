"""The clock of the benchmarks."""

import time
from collections.abc import Callable


def best_s(function: Callable[[], object], repeats: int = 9) -> float:
    """Shortest time of a call, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
