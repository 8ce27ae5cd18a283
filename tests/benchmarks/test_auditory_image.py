"""How fast auditory images are: python -m pytest tests/benchmarks.

C is the time of CARFAC's NAP at full rate of the same second of sound, float32, one thread, in the same run.
"""

import numpy as np
import pytest
from stopwatch import best_s

from skaud import CARFAC, Pitchogram, StabilizedAuditoryImage

SECOND = 0.02 * np.random.default_rng(0).standard_normal((1, 22050)).astype(np.float32)


@pytest.mark.parametrize("stage", [StabilizedAuditoryImage(), Pitchogram()], ids=lambda stage: type(stage).__name__)
def test_images_of_a_second(benchmark, record, stage):
    carfac = CARFAC(pooling=None, frame_length=None).fit(SECOND)
    nap = carfac.transform(SECOND)
    stage.fit(nap)
    c_s = best_s(lambda: carfac.transform(SECOND))
    benchmark.pedantic(lambda: stage.transform(nap), rounds=15, warmup_rounds=2)
    record(type(stage).__name__, benchmark.stats.stats.min / c_s, "C", "<= 1.5")
