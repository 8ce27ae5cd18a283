"""What docs/scale.md says runs as it stands, on clusters of two processes; what goes to workers is small."""

import importlib.util
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile

from skaud import (
    CARFAC,
    AuditorySpectrogram,
    BiomimeticFrontend,
    CochlearFilterbank,
    Dau1997,
    King2019,
    Osses2021,
    audio,
    datasets,
    recipes,
)

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
ESTIMATORS = [
    *(kind() for kind in (CARFAC, Osses2021, Dau1997, King2019, AuditorySpectrogram, BiomimeticFrontend)),
    *(CochlearFilterbank(), BiomimeticFrontend(48000), CARFAC(96000), recipes.best(44100), recipes.best()),
    *(recipes.strf_cepstra(), recipes.modulation_cepstra(), recipes.auditory_spectrogram_cepstra()),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_a_fitted_estimator_is_sent_in_less_than_100_kb_and_computes_the_same_bits(estimator):
    X = list(datasets.make_tone([500, 700], duration_s=0.1, sample_rate=16000))
    assert len(pickle.dumps(estimator)) < 1e4
    wanted = estimator.fit(X).transform(X)  # which fills caches
    sent = pickle.dumps(estimator)
    assert len(sent) < 1e5
    there = pickle.loads(sent)
    for found, own in zip(there.transform(X), wanted):
        np.testing.assert_array_equal(found, own)
    if hasattr(estimator, "impulse_responses_"):
        np.testing.assert_array_equal(there.impulse_responses_, estimator.impulse_responses_)


def test_filters_that_would_not_be_the_same_are_told_of(monkeypatch):
    sent = pickle.dumps(AuditorySpectrogram().fit())
    monkeypatch.setattr("skaud.stages.cochlear_filterbank.design.roex_filters", lambda rate: np.ones((129, 2048)))
    from skaud.stages import cochlear_filterbank

    cochlear_filterbank._roex.cache_clear()
    with pytest.warns(UserWarning, match="differ from those that it had"):
        pickle.loads(sent)
    cochlear_filterbank._roex.cache_clear()


@pytest.mark.parametrize("estimator", [CARFAC(16000), recipes.carfac_cepstra()], ids=["model", "recipe"])
def test_columns_of_lists_are_clips_and_partitions_may_be_empty(estimator):
    pa = pytest.importorskip("pyarrow")
    clips = [0.02 * np.random.default_rng(i).standard_normal(1600 + i).astype("float32") for i in range(3)]
    wanted = estimator.fit(clips).transform(clips)
    column = pa.array(clips, pa.list_(pa.float32()))
    kinds = [
        *(column, pa.chunked_array([column[:1], column[1:]]), pa.array(clips, pa.large_list(pa.float32()))),
        *(column.slice(0), pd.Series(clips), pl.Series(clips), pd.Series(clips).to_numpy()),
    ]
    for own in kinds:
        np.testing.assert_array_equal(estimator.transform(own), wanted)
        nothing = estimator.transform(own[:0])
        assert (nothing.shape, nothing.dtype) == ((0, wanted.shape[1]), wanted.dtype)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate([clips[0], clips[0]])), 1600)
    np.testing.assert_array_equal(estimator.transform(fixed)[1], wanted[0])
    with pytest.raises(ValueError, match=r"X\[1\] is None, a missing clip"):
        estimator.transform(pa.array([clips[0], None], pa.list_(pa.float32())))
    frame = estimator.set_output(transform="pandas").transform(pd.Series(clips, index=[5, 6, 7])[:0])
    assert list(frame.columns) == list(estimator.get_feature_names_out())
    estimator.set_output(transform="default")
    with pytest.raises(ValueError, match=r"empty list|no signals|at least"):
        estimator.transform([])


@pytest.mark.slow
@pytest.mark.parametrize("with_ray", [False, True])
def test_the_page_runs_on_a_cluster_and_gives_what_one_process_gives(tmp_path, monkeypatch, with_ray):
    distributed = pytest.importorskip("distributed")
    if with_ray and importlib.util.find_spec("ray") is None:
        pytest.skip("needs ray")
    vowels = datasets.make_vowels(n_speakers=3, n_takes=1, sample_rate=16000, duration_s=(0.1, 0.15), random_state=0)
    for i, (clip, label) in enumerate(zip(vowels.clips, vowels.target)):
        if label in ("iy", "aa"):
            (tmp_path / "recordings" / str(label)).mkdir(parents=True, exist_ok=True)
            soundfile.write(tmp_path / "recordings" / str(label) / f"{i}.wav", clip.samples, 16000, subtype="FLOAT")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").replace("partition_size=100", "partition_size=2")
    text = text.replace('ray.init("auto")', "ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        names = {"address": cluster.scheduler_address, "__name__": "__main__"}
        try:
            for snippet in snippets:
                if with_ray or "ray." not in snippet:
                    exec(compile(snippet, "scale.md", "exec"), names)
                if "write_part" in snippet:
                    assert len(names["parts"]) == 3
                    first = Path(names["parts"][0]).stat().st_mtime_ns
                    exec(compile(snippet, "scale.md", "exec"), names)  # goes on, and finds all done
                    assert Path(names["parts"][0]).stat().st_mtime_ns == first
            names["client"].close()
        finally:
            if with_ray:
                names["ray"].shutdown()
    table = names["table"]
    clips = audio.set_level([audio.read(path) for path in table["path"]], 60)
    wanted = recipes.carfac_cepstra().fit(clips[:1]).transform(clips)
    np.testing.assert_array_equal(table.iloc[:, 1:].to_numpy(), wanted)
    assert names["search"].best_score_ > 0.5
    assert names["nothing"].shape == (0, wanted.shape[1])
    if with_ray:
        by_ray = pd.read_parquet("features_by_ray").set_index("path").loc[table["path"]]
        np.testing.assert_array_equal(by_ray.to_numpy(), wanted)
        assert list(by_ray.columns) == list(names["names"])
