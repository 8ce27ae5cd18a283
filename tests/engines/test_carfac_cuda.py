"""CARFAC's engine on a GPU, in the lockstep emulator, against the engine on the CPU."""

import cupy_stand_in
import numpy as np
import pytest
from lockstep import Lockstep, LockstepError, undefined

from skaud import CARFAC
from skaud.engines import carfac_cuda
from skaud.engines.carfac import Cascade, health_bar
from skaud.engines.carfac_cuda import CascadeOnDevice
from skaud.engines.engine import respond
from skaud.engines.portions import portions
from skaud.kernels import device
from skaud.kernels.carfac import cuda_layout

STYLES = ("just_hwr", "one_cap", "two_cap", "two_cap_with_syn")
# Every stage of the AGC has its turn within 16 samples.
SMALL = {"erb_per_step": 4.0, "agc_decimation": (2, 2, 2, 2), "ohc_health": 0.7}
LIMIT = {"float64": 1e-12, "float32": 1e-5}


@pytest.fixture(autouse=True)
def emulator(monkeypatch):
    """A device whose warps have 4 threads, so that each has several channels."""
    own = Lockstep(warp=4)
    monkeypatch.setattr(cuda_layout, "WARP", 4)
    monkeypatch.setattr(device, "launch", own.launch)
    empty = carfac_cuda.empty

    def unwritten(shape, like, dtype=None):  # numbers that a run before left there would hide a missing barrier
        return undefined(shape, dtype or like.dtype) if isinstance(like, np.ndarray) else empty(shape, like, dtype)

    monkeypatch.setattr(carfac_cuda, "empty", unwritten)
    return own


def engines(n_ears=1, dtype="float64", **settings):
    x = sound(1, n_ears, 40, dtype)
    host = CARFAC(22050, dtype=dtype, **(SMALL | settings)).fit(x if n_ears > 1 else x[:, 0]).engine_
    return host, CascadeOnDevice(host)


def sound(n_signals, n_ears, n_samples, dtype="float64", seed=0):
    return (np.random.default_rng(seed).standard_normal((n_signals, n_ears, n_samples)) * 0.2).astype(dtype)


def error(found, expected):
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("style", STYLES)
def test_every_output_of_every_hair_cell_is_that_of_the_cpu(style, dtype):
    host, on_device = engines(ihc_style=style, dtype=dtype)
    x = sound(2, 1, 20, dtype)
    expected = respond(host, x, host.outputs, None)
    found = respond(on_device, x, host.outputs, None)
    assert list(found) == list(host.outputs)
    for name in host.outputs:
        assert found[name].dtype == dtype
        assert error(found[name], expected[name]) < LIMIT[dtype], name


SETTINGS = {
    "closed loop": {},
    "delay": {"use_delay_buffer": True},
    "open loop": {"open_loop": True},
    "linear": {"linear_car": True},
    "one stage": {
        "agc_decimation": (3,),
        "agc_time_constants_s": (0.002,),
        "agc1_scales": (1.0,),
        "agc2_scales": (1.65,),
    },
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("n_ears", [1, 2, 3])
def test_every_loop_with_every_number_of_ears_is_that_of_the_cpu(settings, n_ears):
    host, on_device = engines(n_ears, **settings)
    x = sound(2, n_ears, 20)
    expected, found = (respond(engine, x, ("nap", "agc"), None) for engine in (host, on_device))
    for name in expected:
        assert error(found[name], expected[name]) < 1e-12, name


def two_designs(**settings):
    models = [CARFAC(22050, **(SMALL | settings | {"ohc_health": health})).fit() for health in (0.9, 0.3)]
    style = settings.get("ihc_style", "two_cap")
    ears = [model.coefficients_ for model in models]
    host = Cascade(ears, style, 22050, "float64", delay=False, closed=True)
    return host, CascadeOnDevice(host)


def test_ears_of_their_own_designs_are_those_of_the_cpu():
    host, on_device = two_designs()
    x = sound(2, 2, 20)
    assert error(on_device.whole(x, ("nap",), 7)["nap"], host.whole(x, ("nap",), 7)["nap"]) < 1e-12


@pytest.mark.parametrize("frame_samples", [None, 7])
def test_chunks_go_on_where_the_last_ended(frame_samples):
    host, on_device = engines(2)
    x = sound(2, 2, 33)
    expected, _ = host.run(x, host.start(2, 2), ("nap",), frame_samples)
    pieces, state = [], on_device.start(2, 2)
    for begin, end in ((0, 5), (5, 20), (20, 33)):
        response, state = on_device.run(np.ascontiguousarray(x[..., begin:end]), state.copy(), ("nap",), frame_samples)
        pieces.append(response["nap"])
    assert error(np.concatenate(pieces, axis=-1), expected["nap"]) < 1e-12


def test_rows_of_a_state_go_on_alone():
    host, on_device = engines()
    x = sound(3, 1, 20)
    _, state = on_device.run(np.ascontiguousarray(x[..., :9]), on_device.start(3, 1), ("nap",), None)
    found, _ = on_device.run(np.ascontiguousarray(x[1:, :, 9:]), state.of_rows(slice(1, 3)).copy(), ("nap",), None)
    expected = host.whole(x, ("nap",), None)["nap"]
    assert error(found["nap"], expected[1:, ..., 9:]) < 1e-12


@pytest.mark.parametrize("frame_samples", [None, 5, 10])  # one clip is shorter than 10
def test_clips_of_several_lengths_are_those_of_the_cpu(frame_samples):
    host, on_device = engines(2)
    x, seen, names = sound(4, 2, 23), [], ("bm", "nap") if frame_samples is None else ("nap",)
    clips = [np.ascontiguousarray(clip[:, :n]) for clip, n in zip(x, (23, 7, 16, 23))]
    for portion in portions(on_device, clips, names[0], frame_samples, 0):
        responses = respond(portion.engine_of(on_device), portion.x, names, frame_samples)
        for k, i in enumerate(portion.indices):
            expected = respond(host, clips[i][np.newaxis], names, frame_samples)
            for name in expected:
                n = expected[name].shape[-1]
                assert error(responses[name][k][..., :n], expected[name][0]) < 1e-12
                assert not responses[name][k][..., n:].any()
            seen.append(i)
    assert sorted(seen) == [0, 1, 2, 3]


# --- backwards ---


def bars_of(engine, x, output="nap", frame_samples=None, wanted=("coefficients",), **options):
    response, tape = engine.record(x, output, frame_samples, **options)
    bar = np.random.default_rng(1).standard_normal(response.shape).astype(response.dtype)
    return engine.pull_back(tape, bar, wanted)


def assert_same_bars(found, expected, host, limit, *, constants=True):
    assert error(found[0], expected[0]) < limit
    if not constants:
        assert error(health_bar(found[1]), health_bar(expected[1])) < limit
        return
    names = ("scalars", "table", "channels", "spikes")
    # Bars of rows that no coefficient fills mean nothing: those that a run leaves its intermediate results in.
    filled = host.coefficients()[2] != 0
    for name, own, other in zip(names, found[1], expected[1], strict=True):
        if name == "channels":
            own, other = own * filled, other * filled
        if other.size and np.abs(other).max():
            assert error(own, other) < limit, name


# By health alone simpler cells leave out nothing that two_cap does not leave out: they are slow to compile for the CPU.
BACKWARDS = [(style, True) for style in STYLES] + [("two_cap", False), ("two_cap_with_syn", False)]
BACKWARDS += [pytest.param(style, False, marks=pytest.mark.slow) for style in ("just_hwr", "one_cap")]


@pytest.mark.parametrize(("style", "constants"), BACKWARDS)
def test_bars_of_every_output_of_every_hair_cell_are_those_of_the_cpu(style, constants):
    host, on_device = engines(ihc_style=style)
    x, wanted = sound(2, 1, 40), ("coefficients",) if constants else ()
    for output in host.outputs if constants else ("nap",):
        expected, found = (bars_of(engine, x, output, None, wanted) for engine in (host, on_device))
        assert_same_bars(found, expected, host, 1e-12 if output != "agc" else 1e-11, constants=constants)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("n_ears", [1, 3])
def test_bars_of_every_loop_are_those_of_the_cpu(settings, n_ears):
    host, on_device = engines(n_ears, **settings)
    x = sound(2, n_ears, 37)
    expected, found = (bars_of(engine, x, frame_samples=5) for engine in (host, on_device))
    assert_same_bars(found, expected, host, 1e-12)


def test_bars_of_ears_of_their_own_designs_are_those_of_the_cpu():
    host, on_device = two_designs(ihc_style="two_cap_with_syn")
    x = sound(2, 2, 20)
    expected, found = (bars_of(engine, x, "spikes_per_s") for engine in (host, on_device))
    assert_same_bars(found, expected, host, 1e-12)


def test_bars_in_single_precision_are_those_of_the_cpu():
    host, on_device = engines(dtype="float32")
    x = sound(2, 1, 37, "float32")
    expected, found = (bars_of(engine, x, frame_samples=5) for engine in (host, on_device))
    assert found[0].dtype == np.float32
    assert_same_bars(found, expected, host, 1e-5)


def test_bars_of_the_end_of_a_response_are_those_of_the_cpu():
    host, on_device = engines()
    x = sound(1, 1, 37)
    expected, found = (bars_of(engine, x, begin=20) for engine in (host, on_device))
    assert_same_bars(found, expected, host, 1e-12)


def test_bars_are_the_same_bits_in_every_run(emulator):
    _, on_device = engines(2, dtype="float32")
    x = sound(3, 2, 37, "float32")
    first, again = bars_of(on_device, x), bars_of(on_device, x)  # threads take turns in another order
    assert (first[0] == again[0]).all()
    assert all((own == other).all() for own, other in zip(first[1], again[1]))


def test_every_barrier_and_shuffle_is_needed(emulator):
    host, on_device = engines(2, ihc_style="just_hwr")
    x = sound(1, 2, 40)  # a segment, and some samples more
    _, delayed = engines(2, ihc_style="just_hwr", use_delay_buffer=True)
    expected = [bars_of(engine, x) for engine in (on_device, delayed)]
    assert_same_bars(expected[0], bars_of(host, x), host, 1e-12)
    places, missed = sorted(emulator.places), []
    assert len(places) > 12
    for emulator.left_out in places:
        noticed = False
        for engine, own in zip((on_device, delayed), expected):
            try:
                found = bars_of(engine, x)
                same = [np.array_equal(a, b) for a, b in zip((found[0], *found[1]), (own[0], *own[1]))]
                noticed |= not all(same)
            except LockstepError:
                noticed = True
            if noticed:
                break
        if not noticed:
            missed.append(emulator.left_out)
    assert not missed, f"{missed}"


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"erb_per_step": 0.02}, "X on a GPU may have 32 channels, this is")],
    ids=["channels"],
)
def test_a_model_too_large_for_a_thread_is_refused(settings, words, monkeypatch):
    monkeypatch.setattr(cuda_layout, "MOST_CHANNELS", 32)
    _, on_device = engines(**SMALL | {"erb_per_step": 0.5})
    with pytest.raises(ValueError, match=words):
        on_device.whole(sound(1, 1, 8), ("nap",), None)


# --- through a model ---


@pytest.mark.parametrize("n_ears", [None, 2])
def test_a_model_computes_arrays_of_a_device_and_returns_such(monkeypatch, n_ears):
    cupy_stand_in.install(monkeypatch)
    x = sound(2, n_ears or 1, 25) if n_ears else sound(2, 1, 25)[:, 0]
    model = CARFAC(22050, **SMALL, dtype="float64", frame_length=6 / 22050, pooling=None).fit(x)
    found, expected = model.transform(cupy_stand_in.asarray(x)), model.transform(x)
    assert isinstance(found, cupy_stand_in.ndarray)
    assert error(found.get(), expected) < 1e-12
    responses = model.simulate(cupy_stand_in.asarray(x), "bm")
    assert error(responses.bm.get(), model.simulate(x, "bm").bm) < 1e-12
