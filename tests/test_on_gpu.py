"""What a real GPU computes, beside the CPU: claims of `python -m skaud.testing gpu`, and arrays of every library."""

import pickle
from functools import partial

import arrays_table
import numpy as np
import pytest
from arrays_table import MODELS, OPERATIONS, rows
from test_arrays_table import cells_on_the_page

import skaud
from skaud import datasets, recipes
from skaud.interop.torch import as_module
from skaud.kernels.array_api import place_of, to_numpy
from skaud.testing import gpu

try:
    import cupy

    cupy.cuda.runtime.getDeviceCount()
except Exception as error:  # whatever a library says that finds no driver
    pytest.skip(f"there is no GPU with cupy: {type(error).__name__}", allow_module_level=True)


def to_numba(values):
    from numba import cuda

    return cuda.as_cuda_array(cupy.asarray(values))


def to_torch(values):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA")
    return torch.asarray(values.copy(), device="cuda")


KINDS = {
    "cupy": lambda values: cupy.asarray(values),
    "numba": to_numba,
    "torch": to_torch,
    "list of cupy": lambda values: list(cupy.asarray(values)),
    "list of torch": lambda values: list(to_torch(values)),
}
ROWS = list(rows())


@pytest.mark.parametrize("checks", [gpu.check_models, gpu.check_lists_and_chunks], ids=["models", "lists and chunks"])
@pytest.mark.parametrize("name", gpu.MODELS)
def test_a_model_computes_what_the_cpu_does(name, checks):
    assert [check for check in gpu.guarded(partial(checks, [name])) if not check.passed] == []


@pytest.mark.parametrize("name", gpu.MODELS)
def test_a_model_without_room_for_a_tape_computes_what_the_cpu_does(name, monkeypatch):
    monkeypatch.setattr("skaud.engines.device.CHECKPOINTS_SHARE", 0)  # checkpoints then are as rare as they may be
    assert [check for check in gpu.guarded(partial(gpu.check_models, [name])) if not check.passed] == []


@pytest.mark.parametrize("checks", [gpu.check_recipe, gpu.check_stream])
def test_recipes_and_streams_compute_what_the_cpu_does(checks):
    assert [check for check in gpu.guarded(checks) if not check.passed] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("model", "operation"), ROWS, ids=map(" ".join, ROWS))
def test_arrays_of_every_library_stay_on_the_device(model, operation, kind):
    make, values, parameter = MODELS[model]
    if "list" in kind and operation == "transform_chunk":
        pytest.skip("a chunk is no list")
    X = KINDS[kind](values)
    if cells_on_the_page()[model, operation]["cupy"] == "k":
        with pytest.raises(TypeError, match="has no kernel for X where it lies"):
            OPERATIONS[operation](make(), X, parameter)
        return
    wanted = OPERATIONS[operation](make(), list(values) if "list" in kind else values, parameter)
    found = OPERATIONS[operation](make(), X, parameter)
    arrays_table.compare(found, wanted, X, operation)


@pytest.mark.parametrize("model", ["CARFAC", "Osses2021", "King2019", "BiomimeticFrontend"])
def test_a_module_of_torch_stays_on_the_device_and_its_stream(model):
    torch = pytest.importorskip("torch")
    make, values, parameter = MODELS[model]
    module = as_module(make().fit(values), [parameter])
    gradients = []
    for device in ("cpu", "cuda"):
        x = torch.tensor(values, device=device, requires_grad=True)
        positions = module.to(device)
        with torch.cuda.stream(torch.cuda.Stream()):
            response = positions(x)
            (response**2).sum().backward()
        torch.cuda.synchronize()
        assert response.device.type == x.grad.device.type == device
        own = [response, x.grad, *(parameter.grad for parameter in module.parameters())]
        gradients.append([part.detach().cpu().numpy() for part in own])
        module.zero_grad()
    for own, other in zip(*gradients):
        np.testing.assert_allclose(own, other, rtol=0, atol=1e-3 * np.abs(own).max())


def test_a_pipeline_and_its_gradient_stay_on_the_device():
    x = gpu.sounds(3, 8000, "float32")
    for make in (recipes.carfac_cepstra, recipes.best):
        pipeline = make(16000).fit(x)
        found = pipeline.transform(cupy.asarray(x))
        assert isinstance(found, cupy.ndarray)
        expected = pipeline.transform(x)
        np.testing.assert_allclose(found.get(), expected, rtol=0, atol=2e-4 * np.abs(expected).max())


def test_an_audiogram_is_fitted_to_tones_on_the_device():
    tones = np.stack([own.samples for own in datasets.make_tone([500, 2000], duration_s=0.05, sample_rate=22050)])
    target = 0.9 * skaud.CARFAC().fit(tones).transform(tones)
    fits = [
        skaud.fitting.fit_response(skaud.CARFAC().fit(tones), move(tones), target, learn="ohc_health", max_iter=5)
        for move in (np.asarray, cupy.asarray)
    ]
    np.testing.assert_allclose(fits[1].loss_curve_, fits[0].loss_curve_, rtol=1e-3)


def test_a_model_that_worked_on_the_device_is_pickled_without_it():
    model = skaud.CARFAC().fit()
    x = gpu.sounds(1, 2000, "float32")
    model.transform(cupy.asarray(x))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(x), model.transform(x))


def test_the_same_bits_come_out_of_every_run():
    x = cupy.asarray(gpu.sounds(200, 4000, "float32"))
    for name in gpu.MODELS:
        model = gpu.MODELS[name](pooling=None).fit(gpu.sounds(1, 4000, "float32"))
        first, pull_back = model.vjp(x)
        bars = pull_back(first)
        for _ in range(3):
            again, pull_back_again = model.vjp(x)
            assert bool((first == again).all()), name
            for key, bar in pull_back_again(first).items():
                assert np.array_equal(to_numpy(bar), to_numpy(bars[key]), equal_nan=True), (name, key)


def test_results_do_not_depend_on_the_other_signals_of_a_batch():
    x = gpu.sounds(300, 3000, "float32")
    for name in gpu.MODELS:
        model = gpu.MODELS[name]().fit(x[:1])
        many, one = model.transform(cupy.asarray(x)), model.transform(cupy.asarray(x[277:278]))
        error = float(cupy.abs(many[277] - one[0]).max() / cupy.abs(one).max())
        assert error < 1e-6, name
        assert place_of(many).device == "cuda:0"
