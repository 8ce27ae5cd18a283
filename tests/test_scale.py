"""What docs/scale.md says runs as it stands, on a cluster of two processes."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaud import CARFAC, Osses2021, audio, datasets, recipes

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


@pytest.mark.parametrize(
    "estimator", [CARFAC(), Osses2021(), recipes.best(), recipes.strf_cepstra(), recipes.modulation_cepstra()], ids=str
)
def test_a_fitted_estimator_is_sent_in_less_than_100_kb(estimator):
    assert len(pickle.dumps(estimator.fit(datasets.make_tone([500], duration_s=0.1, sample_rate=16000)))) < 1e5


@pytest.mark.slow
def test_the_page_runs_on_a_cluster_and_gives_what_one_process_gives(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    vowels = datasets.make_vowels(n_speakers=3, n_takes=1, sample_rate=16000, duration_s=(0.1, 0.15), random_state=0)
    for i, (clip, label) in enumerate(zip(vowels.clips, vowels.target)):
        if label in ("iy", "aa"):
            (tmp_path / "recordings" / str(label)).mkdir(parents=True, exist_ok=True)
            soundfile.write(tmp_path / "recordings" / str(label) / f"{i}.wav", clip.samples, 16000, subtype="FLOAT")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").replace("partition_size=100", "partition_size=2")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        names = {"address": cluster.scheduler_address, "__name__": "__main__"}
        for snippet in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(compile(snippet, "scale.md", "exec"), names)
        assert len(names["parts"]) == 3
        first = Path(names["parts"][0]).stat().st_mtime_ns
        exec(compile(snippet, "scale.md", "exec"), names)  # goes on, and finds all done
        assert Path(names["parts"][0]).stat().st_mtime_ns == first
        names["client"].close()
    table = names["table"]
    clips = audio.set_level([audio.read(path) for path in table["path"]], 60)
    wanted = recipes.carfac_cepstra().fit(clips[:1]).transform(clips)
    np.testing.assert_array_equal(table.iloc[:, 1:].to_numpy(), wanted)
    assert names["search"].best_score_ > 0.5
