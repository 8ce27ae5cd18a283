"""What the biomimetic front end learns, and how it goes about it."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import BiomimeticFrontend, Learn
from skaud.engines.spectrogram import Spectrogram
from skaud.stages import cochlear_filterbank, staged

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RATE = 16000
STRFS = ("scales_cycles_per_octave", "rates_hz")


def make_trills(n_signals=12, seed=0):
    """Noise that swells 4 or 12 times a second, of different lengths, and the number."""
    random = np.random.default_rng(seed)
    y = np.array([4, 12])[np.arange(n_signals) % 2]
    clips = []
    for hz in y:
        t = np.arange(random.integers(5000, 7000)) / RATE
        swell = 1 - np.cos(2 * np.pi * hz * t + random.uniform(0, 2 * np.pi))
        clips.append((0.05 * swell * random.standard_normal(len(t))).astype(np.float32))
    return clips, y


CLIPS, Y = make_trills()


def front_end(learn="full", *, drawn=0, **parameters):
    settings = {"max_iter": 3, "random_state": 0, "tol": 0, "batch_size": 6}
    settings |= {name: parameters.pop(name) for name in Learn().get_params() if name in parameters}
    return BiomimeticFrontend(**{"n_strfs": 8, "random_state": drawn, "learn": Learn(learn, **settings)} | parameters)


@pytest.mark.parametrize("init", ["log", "random"])
@pytest.mark.parametrize("learn", ["full", "cortical"])
def test_the_loss_falls_from_either_init(learn, init):
    model = front_end(learn=learn, init=init, pooling="std", max_iter=4).fit(CLIPS, Y)
    assert model.loss_curve_[-1] < 0.75 * model.loss_curve_[0]
    assert (model.compression_ != 1).any() == (learn == "full")
    assert (model.lateral_inhibition_ != (1, -1)).all() == (learn == "full")
    assert (model.integration_s_ != 0.008) == (learn == "full")
    assert (model.rates_hz_ != model.initial_rates_hz_).all()
    assert (model.scales_cycles_per_octave_ != model.initial_scales_cycles_per_octave_).all()


def test_frames_are_learned_from():
    model = front_end(pooling=None, frame_rate_hz=50, max_iter=2)
    n_frames = [len(clip) * 50 // RATE for clip in CLIPS]
    labels = [(np.arange(n) // 3) % 3 for n in n_frames]
    assert len(model.fit(CLIPS, labels).loss_curve_) == 2
    assert model.loss_curve_[1] < model.loss_curve_[0]
    assert [frames.shape for frames in model.transform(CLIPS)] == [(8, 128, n) for n in n_frames]


def test_validation_scores_are_accuracies_of_clips_held_out():
    model = front_end(early_stopping=True, validation_fraction=0.5, max_iter=3).fit(CLIPS, Y)
    assert len(model.validation_scores_) == 3
    assert {round(6 * score, 9) for score in model.validation_scores_} <= set(range(7))


def test_spectrograms_are_computed_once_where_only_strfs_are_learned(monkeypatch):
    n_samples = []
    whole = Spectrogram.whole

    def count(self, x, *arguments):
        n_samples.append(x.shape[-1])
        return whole(self, x, *arguments)

    monkeypatch.setattr(Spectrogram, "whole", count)
    model = front_end(learn="cortical").fit(CLIPS, Y)
    assert sorted(n_samples) == sorted(len(clip) for clip in CLIPS)
    assert [frames.shape[0] for frames in model.set_params(pooling=None, learn=None).fit().transform(CLIPS)] == [8] * 12


@pytest.mark.parametrize("pooling", ["std", None])
def test_keeping_spectrograms_changes_nothing(monkeypatch, pooling):
    model = front_end(learn="cortical", pooling=pooling, max_iter=2, frame_rate_hz=100).fit(CLIPS, Y)
    monkeypatch.setattr(staged, "MOST_KEPT", 0)
    forgetful = clone(model).fit(CLIPS, Y)
    assert forgetful.loss_curve_ == model.loss_curve_
    for name in STRFS:
        np.testing.assert_array_equal(getattr(forgetful, f"{name}_"), getattr(model, f"{name}_"))
    for one, other in zip(model.transform(CLIPS), forgetful.transform(CLIPS)):
        np.testing.assert_array_equal(one, other)


def test_what_learning_began_with_is_kept():
    given = {"scales_cycles_per_octave": [0.5, 2.0], "rates_hz": [4.0, -8.0]}
    model = front_end(learn="cortical", max_iter=2, **given).fit(CLIPS, Y)
    np.testing.assert_array_equal(model.initial_rates_hz_, given["rates_hz"])
    np.testing.assert_array_equal(model.initial_scales_cycles_per_octave_, given["scales_cycles_per_octave"])
    drawn = front_end(learn="cortical", init="random", drawn=5, max_iter=2).fit(CLIPS, Y)
    frozen = clone(drawn).set_params(learn=None).fit(CLIPS)
    np.testing.assert_array_equal(drawn.initial_rates_hz_, frozen.rates_hz_)
    np.testing.assert_array_equal(frozen.initial_rates_hz_, frozen.rates_hz_)
    again = drawn.set_params(learn=None, init="log").fit(CLIPS)
    np.testing.assert_array_equal(again.initial_rates_hz_, again.rates_hz_)


@pytest.mark.parametrize("pooling", ["std", None])
@pytest.mark.parametrize("scale", [1e-3, 1.01e-2, 0.02])
def test_a_filter_that_passes_next_to_nothing_does_no_harm(scale, pooling):
    strfs = {"scales_cycles_per_octave": [scale, 2.0], "rates_hz": [4.0, -0.01]}
    for learn in ("full", "rates_hz"):
        model = front_end(learn=learn, pooling=pooling, max_iter=2, frame_rate_hz=100, **strfs).fit(CLIPS, Y)
        assert np.isfinite(model.loss_curve_).all()
        assert np.isfinite(model.rates_hz_).all()
        assert np.isfinite(model.transform(CLIPS)[0]).all()


def test_filters_that_are_given_are_not_designed_at_every_step(golden, monkeypatch):
    file = golden("biomimetic_nsl.npz")
    calls = []
    design_filters = cochlear_filterbank.design_filters

    def design(*args):
        calls.append(args)
        return design_filters(*args)

    monkeypatch.setattr(cochlear_filterbank, "design_filters", design)
    front_end(filters=(file["B"], file["A"]), max_iter=1, batch_size=3).fit(CLIPS[:6], Y[:6])
    assert len(calls) <= 2  # before and after learning


def test_what_was_learned_is_pickled_cloned_and_searched():
    model = front_end(init="random", max_iter=2).fit(CLIPS[:6], Y[:6])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(CLIPS), model.transform(CLIPS))
    np.testing.assert_array_equal(again.initial_rates_hz_, model.initial_rates_hz_)
    twin = clone(model)
    assert not hasattr(twin, "rates_hz_")
    np.testing.assert_array_equal(twin.fit(CLIPS[:6], Y[:6]).rates_hz_, model.rates_hz_)
    pipeline = make_pipeline(front_end(max_iter=1, pooling="std"), StandardScaler(), LogisticRegression())
    grid = {"biomimeticfrontend__learn__names": [None, "cortical"], "biomimeticfrontend__init": ["log", "random"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(CLIPS, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > 0.75  # chance is 0.5


def test_what_stops_learning_is_told_and_not_what_comes_of_it():
    model = front_end("compression", solver="adam", early_stopping=False, learning_rate=1.7e308)
    with pytest.raises(ValueError, match=r"learning_rate=1.7e\+308 leads beyond all numbers"):
        model.fit(CLIPS, Y)
    assert not hasattr(model, "engine_")
