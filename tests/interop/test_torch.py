import copy
import io
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone

from skaud import CARFAC, Audiogram, BiomimeticFrontend, TemporalPooling
from skaud.fitting import predicted_audiogram
from skaud.interop import torch as interop
from skaud.interop.torch import as_module
from skaud.kernels import array_api, on_device
from skaud.pooling import arrays as pooled

torch = pytest.importorskip("torch", reason="torch is not installed")

RANDOM = np.random.default_rng(13)
X = RANDOM.standard_normal((2, 400))


@pytest.fixture(scope="module")
def carfac():
    """A small CARFAC, in float64."""
    return CARFAC(8000, erb_per_step=1, pooling=("mean", "std"), dtype="float64", ohc_health=0.7).fit(X / 30)


@pytest.fixture(scope="module")
def biomimetic():
    """A front end with two STRFs, in float64."""
    model = BiomimeticFrontend(
        scales_cycles_per_octave=[0.7, 2.0], rates_hz=[20.0, -31.0], compression=0.9, dtype="float64", pooling="mean"
    )
    return model.fit(X)


def tensor(x, **kwargs):
    return torch.tensor(np.asarray(x), **kwargs)


@pytest.mark.parametrize("n_axes", [2, 3])
def test_gradcheck_of_carfac(carfac, n_axes):
    module = as_module(carfac, ["ohc_health", "velocity_scale", "agc_time_constants_s"])
    x = tensor(X[:, :24] / 30 if n_axes == 2 else X[:1, :24].reshape(1, 2, 12) / 30, requires_grad=True)
    inputs = (x, *module.parameters())
    assert len(inputs) == 4
    assert torch.autograd.gradcheck(lambda x, *_: module(x), inputs, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("output", ["features", "spectrogram"])
def test_gradcheck_of_the_biomimetic_front_end(biomimetic, output):
    # Few values stand for the many; small steps, because channels that are nearly equal cross the rectifier.
    learn = ["lateral_inhibition", "integration_s", "scales_cycles_per_octave", "rates_hz"]
    module = as_module(biomimetic, learn[: 4 if output == "features" else 2], output=output)
    weights = tensor(RANDOM.standard_normal((3, *module(tensor(X[:1, :240])).shape[1:])))
    x = tensor(X[:1, :240], requires_grad=True)

    def few(x, *_):
        return torch.tensordot(weights, module(x)[0], weights.ndim - 1)

    assert torch.autograd.gradcheck(few, (x, *module.parameters()), eps=1e-8, atol=1e-4, rtol=1e-3)


def test_gradcheck_of_the_exponents(biomimetic):
    module = as_module(biomimetic, "compression")
    (position,) = module.parameters()
    assert position.shape == (129,)
    x = tensor(X[:1, :160])
    assert torch.autograd.gradcheck(lambda _: (module(x) ** 2).sum(), (position,), eps=1e-8, atol=1e-5, rtol=1e-4)


def test_a_module_returns_what_the_model_does(carfac, biomimetic):
    for model in (carfac, biomimetic):
        x = tensor(X / 30)
        np.testing.assert_array_equal(as_module(model)(x).numpy(), model.transform(X / 30))
        learning = as_module(model, model.differentiable()[0])(x)
        np.testing.assert_allclose(learning.detach().numpy(), model.transform(X / 30), rtol=1e-9)
    np.testing.assert_array_equal(as_module(carfac, output="bm")(x).numpy(), carfac.simulate(X / 30, "bm").bm)
    frames = clone(biomimetic).set_params(pooling=None, dtype="float32").fit(X)
    value = as_module(frames, "rates_hz")(tensor(X, dtype=torch.float32))
    assert value.dtype == torch.float32
    assert value.shape == (2, 2, 128, 5)


def test_signals_may_have_another_length_and_ears(carfac):
    assert as_module(carfac)(tensor(X[:, :90])).shape == (2, carfac.transform(X).shape[1])
    assert as_module(clone(carfac).fit(X.reshape(2, 2, 200)))(tensor(X.reshape(2, 2, 200))).shape[0] == 2


def test_positions_run_from_bound_to_bound(biomimetic):
    module = as_module(biomimetic, ["integration_s", "rates_hz"], bounds={"integration_s": (0.004, 0.016)})
    assert module.values()["integration_s"] == pytest.approx(0.008)
    with torch.no_grad():
        module.positions["integration_s"].fill_(1.0)
        module.positions["rates_hz"].fill_(7.0)  # an optimiser's step too far
    values = module.values()
    assert values["integration_s"] == pytest.approx(0.016)
    np.testing.assert_allclose(values["rates_hz"], [100, -0.05])
    assert module.positions["rates_hz"].max() == 1
    assert torch.isfinite(module(tensor(X))).all()


def test_learned_values_go_back_to_an_estimator(biomimetic):
    module = as_module(biomimetic, ["integration_s", "rates_hz"])
    with torch.no_grad():
        for position in module.parameters():
            position += 0.05
    model = module.to_estimator()
    assert model.integration_s_ == module.values()["integration_s"] != biomimetic.integration_s_
    np.testing.assert_array_equal(model.rates_hz_, module.values()["rates_hz"])
    np.testing.assert_allclose(model.transform(X), module(tensor(X)).detach().numpy(), rtol=1e-12)
    assert model.get_params()["integration_s"] == biomimetic.integration_s  # what was given stays
    assert list(biomimetic.rates_hz_) == [20, -31]  # and so does the estimator that was passed


def test_a_module_is_saved_and_copied_like_others(biomimetic):
    module = as_module(biomimetic, ["integration_s", "rates_hz"])
    with torch.no_grad():
        module.positions["integration_s"] += 0.1
    wanted = module(tensor(X))
    other = as_module(biomimetic, ["integration_s", "rates_hz"])
    other.load_state_dict(module.state_dict())
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for same in (other, copy.deepcopy(module), torch.load(file, weights_only=False)):
        np.testing.assert_array_equal(same(tensor(X)).detach(), wanted.detach())
    assert "BiomimeticFrontend" in repr(module)


def test_two_runs_may_wait_for_their_gradients(biomimetic):
    module = as_module(biomimetic, "integration_s")
    (position,) = module.parameters()
    first = module(tensor(X)).sum()
    with torch.no_grad():
        position += 0.2
    module(tensor(X))
    first.backward()
    late, position.grad = position.grad.clone(), None
    with torch.no_grad():
        position -= 0.2
    module(tensor(X)).sum().backward()
    np.testing.assert_allclose(late, position.grad, rtol=1e-9)


def test_it_trains_jointly_with_a_network():
    torch.manual_seed(0)
    t = np.arange(1600) / 16000
    clips = np.stack([np.sin(2 * np.pi * (500 + 400 * (i % 2)) * t) for i in range(8)]).astype(np.float32)
    clips += 0.3 * RANDOM.standard_normal(clips.shape).astype(np.float32)
    model = BiomimeticFrontend(n_strfs=8, pooling=None, frame_rate_hz=100).fit(clips)
    front = as_module(model, ["compression", "integration_s", "scales_cycles_per_octave", "rates_hz"])
    network = torch.nn.Sequential(
        front,
        torch.nn.Conv2d(8, 4, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 2),
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    x, y = tensor(clips), torch.arange(8) % 2
    before, losses = {name: position.detach().clone() for name, position in front.positions.items()}, []
    for _ in range(6):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    for name, position in before.items():
        assert not torch.equal(position, front.positions[name]), name
    assert not np.array_equal(front.to_estimator().rates_hz_, model.rates_hz_)


def test_what_does_not_fit_is_said(carfac, biomimetic):
    with pytest.raises(ValueError, match=r"learn='rate' has 'rate'.*'rates_hz'"):
        as_module(biomimetic, "rate")
    with pytest.raises(ValueError, match=r"'nap'.*'cortical'"):
        as_module(biomimetic, output="nap")
    with pytest.raises(TypeError, match=r"TemporalPooling.*no vjp"):
        as_module(TemporalPooling().fit(X))
    with pytest.raises(ValueError, match=r"torch.int64, \(2, 3\)"):
        as_module(carfac)(torch.zeros((2, 3), dtype=torch.int64))
    with pytest.raises(ValueError, match=r"float64, \(3,\)"):
        as_module(carfac)(tensor(X[0, :3]))
    x = tensor(X[:, :20], requires_grad=True)
    (grad,) = torch.autograd.grad((as_module(carfac)(x) ** 2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_samples_that_numpy_cannot_read_are_refused_by_name(carfac):
    with pytest.raises(TypeError, match=r"x, a Tensor of torch\.bfloat16.*float32 or float64"):
        as_module(carfac)(tensor(X).bfloat16())


def test_modules_of_any_precision_compute_in_that_of_the_model(carfac):
    x = tensor(X / 30)
    module = as_module(carfac, "velocity_scale", bounds={"velocity_scale": (0.05, 0.15)})  # at 0.5, which bfloat16 has
    expected = module(x).detach()
    for cast in (torch.nn.Module.half, torch.nn.Module.bfloat16):
        own = cast(copy.deepcopy(module))
        y = own(x)
        y.sum().backward()
        assert torch.equal(y, expected)
        assert own.positions["velocity_scale"].grad.isfinite()
    assert torch.equal(module(torch._neg_view(-x)), expected)  # as the imaginary part of a conjugate is


def test_torch_is_loaded_only_when_asked_for():
    code = "import sys, skaud, skaud.interop.torch; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_what_is_no_parameter_of_its_own_to_learn_is_refused(carfac):
    with pytest.raises(ValueError, match=r"'agc_mix_coeff', but it couples the ears of a signal, and X has one ear"):
        as_module(carfac, ["agc_mix_coeff"])
    fitted = clone(carfac).set_params(ohc_health=1.0, audiogram=Audiogram([500, 2000], [5, 10])).fit(X)
    with pytest.raises(ValueError, match="'ohc_health', but the fit to the audiogram finds it"):
        as_module(fitted, ["ohc_health"])


def test_the_audiogram_is_measured_again_with_the_values_of_the_module(carfac):
    fitted = clone(carfac).set_params(ohc_health=1.0, audiogram=Audiogram([500, 2000], [5, 10])).fit(X)
    module = as_module(fitted, "velocity_scale")
    with torch.no_grad():
        module.positions["velocity_scale"] += 0.1
    model = module.to_estimator()
    expected = predicted_audiogram(model, [500, 2000])
    np.testing.assert_array_equal(model.predicted_audiogram_.thresholds_db_hl, expected.thresholds_db_hl)
    np.testing.assert_array_equal(model.residual_loss_db_, [5, 10] - expected.thresholds_db_hl)
    assert model.predicted_audiogram_ != fitted.predicted_audiogram_


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bounds": {"max_zeta": (0.2, 0.3)}}, "bounds has 'max_zeta', and learn has \\('velocity_scale',\\)"),
        ({"bounds": [0, 1]}, "'bounds' parameter of as_module"),
        ({"output": 3}, "'output' parameter of as_module"),
    ],
)
def test_arguments_of_a_module_are_checked(carfac, arguments, words):
    with pytest.raises(ValueError, match=words):
        as_module(carfac, "velocity_scale", **arguments)


def test_on_a_bound_the_gradient_is_that_of_the_way_inwards(carfac):
    healthy = clone(carfac).set_params(ohc_health=1.0).fit(X)
    x = tensor(X[:, :100] / 30)
    module = as_module(healthy, "ohc_health")
    (position,) = module.parameters()
    (gradient,) = torch.autograd.grad((module(x) ** 2).sum(), position)
    values = []
    for step in (0.0, 1e-5, 2e-5):
        with torch.no_grad():
            position.fill_(1 - step)
            values.append(float((module(x) ** 2).sum()))
    inwards = (3 * values[0] - 4 * values[1] + values[2]) / 2e-5  # of second order
    assert float(gradient) == pytest.approx(inwards, rel=1e-4)
    assert float(gradient) != 0


# Devices


def take_tensors_for_those_of_a_gpu(monkeypatch):
    """From now on nothing may read them as NumPy does."""

    def place_of(x, name="X"):
        there = isinstance(x, torch.Tensor) and not hasattr(x, "copied")
        return array_api.Place("torch", "cuda:0", False, x) if there else array_api.HOST

    def cpu(x):
        x = x.clone()
        x.copied = True
        return x

    for module in (array_api, on_device, pooled, interop):
        monkeypatch.setattr(module, "place_of", place_of)
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    to_numpy = torch.Tensor.numpy
    monkeypatch.setattr(torch.Tensor, "__array__", None)
    monkeypatch.setattr(torch.Tensor, "numpy", lambda x: to_numpy(x) if x.numel() < 500 else pytest.fail("a copy"))


@pytest.mark.parametrize("pooling", ["mean", ("std", "p75"), None], ids=str)
def test_a_module_computes_on_the_device_of_its_input(biomimetic, monkeypatch, pooling):
    model, found = clone(biomimetic).set_params(pooling=pooling).fit(X), []
    for _ in range(2):
        module, x = as_module(model, "integration_s"), torch.tensor(np.tile(X, (1, 8)), requires_grad=True)
        value = module(x)
        (value**2).sum().backward()
        found.append([value.detach(), x.grad, module.positions["integration_s"].grad])
        take_tensors_for_those_of_a_gpu(monkeypatch)
    for host, there in zip(*found):
        torch.testing.assert_close(there, host, rtol=1e-9, atol=1e-12 * float(host.abs().max()))


def test_a_module_says_where_it_copies(carfac, monkeypatch):
    x = torch.tensor(X / 30)
    monkeypatch.setattr(interop, "place_of", lambda x: array_api.Place("torch", "mps:0", False, x))
    module = as_module(carfac, ())
    with pytest.warns(UserWarning, match=r"copied from mps:0 to the CPU.*CARFAC has no kernel for X"):
        value = module(x)
    np.testing.assert_array_equal(value.numpy(), carfac.transform(X / 30))
