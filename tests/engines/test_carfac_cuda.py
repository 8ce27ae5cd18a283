"""CARFAC's engine on a GPU, in the lockstep emulator, against the engine on the CPU."""

import cupy_stand_in
import numpy as np
import pytest
from on_emulator import (
    DTYPES,
    ERB_PER_STEP,
    LIMIT,
    LOOPS,
    RESPONSES,
    SMALL,
    STYLES,
    assert_same,
    cascades,
    cascades_of_two_designs,
    error,
    in_chunks,
    install,
    sound,
    thinned,
)

from skaud import CARFAC
from skaud.engines.engine import respond
from skaud.engines.portions import portions
from skaud.kernels.carfac import cuda_layout

pytestmark = pytest.mark.usefixtures("emulator", "cpu")


@pytest.mark.parametrize(("dtype", "style", "loop", "n_ears"), thinned(DTYPES, STYLES, LOOPS, (1, 2, 3)))
def test_every_output_of_every_loop_whole_and_in_chunks_is_that_of_the_cpu(dtype, style, loop, n_ears):
    host, on_device = cascades(n_ears, dtype, ihc_style=style, **LOOPS[loop])
    x = sound(1, n_ears, 20, dtype)
    expected = respond(host, x, host.outputs, None)
    assert list(expected) == list(host.outputs)
    assert_same(respond(on_device, x, host.outputs, None), expected)
    assert_same(in_chunks(on_device, x, host.outputs, None, (4, 4, 15)), expected)


@pytest.mark.parametrize(("dtype", "style", "loop", "n_ears"), thinned(DTYPES, STYLES, LOOPS, (1, 2, 3)))
def test_frames_of_every_loop_in_chunks_are_those_of_the_cpu(dtype, style, loop, n_ears):
    host, on_device = cascades(n_ears, dtype, ihc_style=style, **LOOPS[loop])
    x = sound(2, n_ears, 20, dtype)
    assert_same(in_chunks(on_device, x, ("nap",), 6, (4, 4, 15)), respond(host, x, ("nap",), 6))


@pytest.mark.parametrize(("style", "output"), RESPONSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_frames_of_every_output_are_those_of_the_cpu(dtype, style, output):
    host, on_device = cascades(2, dtype, ihc_style=style)
    x = sound(2, 2, 20, dtype)
    assert_same(respond(on_device, x, (output,), 6), respond(host, x, (output,), 6))


@pytest.mark.parametrize("dtype", DTYPES)
def test_as_many_ears_and_stages_as_there_may_be_are_those_of_the_cpu(dtype):
    host, on_device = cascades(cuda_layout.MOST_EARS, dtype, **LOOPS["most stages"])
    assert host.plan.table.shape[0] == cuda_layout.MOST_STAGES
    x = sound(1, cuda_layout.MOST_EARS, 12, dtype)
    assert_same(respond(on_device, x, host.outputs, None), respond(host, x, host.outputs, None))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_channels", ERB_PER_STEP)
def test_every_number_of_channels_is_that_of_the_cpu(dtype, n_channels):
    host, on_device = cascades(2, dtype, erb_per_step=ERB_PER_STEP[n_channels])
    assert host.n_channels == n_channels
    x = sound(1, 2, 12, dtype)
    assert_same(respond(on_device, x, host.outputs, None), respond(host, x, host.outputs, None))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_warp_as_devices_have_it_is_that_of_the_cpu(dtype, monkeypatch):
    install(monkeypatch, warp=32)
    host, on_device = cascades(1, dtype, erb_per_step=0.5)
    assert host.n_channels == 71
    x = sound(1, 1, 9, dtype)
    assert_same(respond(on_device, x, host.outputs, None), respond(host, x, host.outputs, None))


@pytest.mark.parametrize(("dtype", "style"), thinned(DTYPES, STYLES, keep=1))
def test_ears_of_their_own_designs_are_those_of_the_cpu(dtype, style):
    host, on_device = cascades_of_two_designs(dtype, style)
    x = sound(2, 2, 20, dtype)
    assert_same(on_device.whole(x, host.outputs, None), host.whole(x, host.outputs, None))
    assert_same(on_device.whole(x, ("nap",), 7), host.whole(x, ("nap",), 7))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_a_state_go_on_alone(dtype):
    host, on_device = cascades(dtype=dtype)
    x = sound(3, 1, 20, dtype)
    _, state = on_device.run(np.ascontiguousarray(x[..., :9]), on_device.start(3, 1), ("nap",), None)
    found, _ = on_device.run(np.ascontiguousarray(x[1:, :, 9:]), state.of_rows(slice(1, 3)).copy(), ("nap",), None)
    assert_same(found, {"nap": host.whole(x, ("nap",), None)["nap"][1:, ..., 9:]})


@pytest.mark.parametrize(
    ("dtype", "style", "frame_samples"),
    thinned(DTYPES, STYLES, (None, 5, 10), keep=2),  # one clip is shorter than 10
)
def test_clips_of_several_lengths_are_those_of_the_cpu(dtype, style, frame_samples):
    host, on_device = cascades(2, dtype, ihc_style=style)
    x, seen, names = sound(4, 2, 23, dtype), [], host.outputs if frame_samples is None else ("nap",)
    clips = [np.ascontiguousarray(clip[:, :n]) for clip, n in zip(x, (23, 7, 16, 23))]
    for portion in portions(on_device, clips, "nap", frame_samples, 0):
        responses = respond(portion.engine_of(on_device), portion.x, names, frame_samples)
        for k, i in enumerate(portion.indices):
            expected = respond(host, clips[i][np.newaxis], names, frame_samples)
            n = expected["nap"].shape[-1]
            assert_same({name: own[k : k + 1, ..., :n] for name, own in responses.items()}, expected)
            assert not responses["nap"][k][..., n:].any()
            seen.append(i)
    assert sorted(seen) == [0, 1, 2, 3]


TOO_LARGE = {
    "MOST_CHANNELS": ({"erb_per_step": 0.5}, 32, "X on a GPU may have 32 channels, this is 71; raise erb_per_step"),
    "MOST_STAGES": (LOOPS["uneven"], 2, "X on a GPU may have 2 stages of the AGC, this is 3; shorten agc_time"),
    "MOST_EARS": ({}, 1, "X on a GPU may have 1 ears, this is 2; pass fewer ears"),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_model_too_large_for_a_thread_or_a_block_is_refused(name, monkeypatch):
    settings, most, words = TOO_LARGE[name]
    monkeypatch.setattr(cuda_layout, name, most)
    _, on_device = cascades(2, **settings)
    with pytest.raises(ValueError, match=words):
        on_device.whole(sound(1, 2, 8), ("nap",), None)


# --- through a model ---


@pytest.mark.parametrize("n_ears", [None, 2])
def test_a_model_computes_arrays_of_a_device_and_returns_such(monkeypatch, n_ears):
    cupy_stand_in.install(monkeypatch)
    x = sound(2, n_ears or 1, 25) if n_ears else sound(2, 1, 25)[:, 0]
    model = CARFAC(22050, **SMALL, dtype="float64", frame_length=6 / 22050, pooling=None).fit(x)
    found, expected = model.transform(cupy_stand_in.asarray(x)), model.transform(x)
    assert isinstance(found, cupy_stand_in.ndarray)
    assert error(found.get(), expected) < LIMIT["float64"]
    responses = model.simulate(cupy_stand_in.asarray(x), "bm")
    assert error(responses.bm.get(), model.simulate(x, "bm").bm) < LIMIT["float64"]
