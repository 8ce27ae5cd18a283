"""The adjoint of CARFAC's engine on a GPU, in the lockstep emulator, against the engine on the CPU."""

import numpy as np
import pytest
from on_emulator import (
    BLOCK,
    DTYPES,
    ERB_PER_STEP,
    LIMIT,
    LOOPS,
    OF_SUMS,
    OWN,
    RESPONSES,
    SEGMENT,
    STYLES,
    assert_close,
    bars_of,
    cascades,
    cascades_of_two_designs,
    error,
    install,
    sound,
    thinned,
)

from skaud.engines import carfac_cuda
from skaud.engines.carfac import health_bar
from skaud.kernels.carfac import cuda_layout

pytestmark = pytest.mark.usefixtures("emulator", "cpu")
N_SAMPLES = 2 * SEGMENT + 3


def assert_same_bars(found, expected, host, *, constants=True):
    """Every coefficient within the limit of its own bars, or those of its row or column, too."""
    limit, of_sums, own_limit = (limits[host.dtype] for limits in (LIMIT, OF_SUMS, OWN))
    assert found[0].dtype == host.dtype
    assert_close(found[0], expected[0], limit)
    if not constants:
        assert_close(health_bar(found[1]), health_bar(expected[1]), limit)
        return
    # Bars of rows that no coefficient fills mean nothing: those that a run leaves its intermediate results in.
    filled = host.coefficients()[2] != 0
    kinds = ((of_sums, ()), (of_sums, 0), (limit, (0, 1)), (limit, (0, 1)))  # scalars, table, channels, spikes
    for (limit_of_kind, axis), own, other in zip(kinds, found[1], expected[1], strict=True):
        if other.size:
            own, other = (array * filled if array.shape == filled.shape else array for array in (own, other))
            assert_close(own, other, limit_of_kind)
            assert_close(own, other, own_limit, axis)


@pytest.mark.parametrize(("response", "dtype", "frame_samples"), thinned(RESPONSES, DTYPES, (None, 5), keep=2))
def test_bars_of_every_output_of_every_hair_cell_are_those_of_the_cpu(response, dtype, frame_samples):
    style, output = response
    host, on_device = cascades(2, dtype, ihc_style=style)
    x = sound(1, 2, N_SAMPLES, dtype)
    expected, found = (bars_of(engine, x, output, frame_samples) for engine in (host, on_device))
    assert_same_bars(found, expected, host)


@pytest.mark.parametrize(
    ("dtype", "style", "loop", "n_ears", "constants"), thinned(DTYPES, STYLES, LOOPS, (1, 2, 3), (True, False))
)
def test_bars_of_every_loop_are_those_of_the_cpu(dtype, style, loop, n_ears, constants):
    host, on_device = cascades(n_ears, dtype, ihc_style=style, **LOOPS[loop])
    x, wanted = sound(1, n_ears, N_SAMPLES, dtype), ("coefficients",) if constants else ()
    expected, found = (bars_of(engine, x, "nap", 5, wanted) for engine in (host, on_device))
    assert_same_bars(found, expected, host, constants=constants)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bars_of_as_many_ears_and_stages_as_there_may_be_are_those_of_the_cpu(dtype):
    host, on_device = cascades(cuda_layout.MOST_EARS, dtype, **LOOPS["most stages"])
    x = sound(1, cuda_layout.MOST_EARS, 10, dtype)
    expected, found = (bars_of(engine, x, "nap", 5) for engine in (host, on_device))
    assert_same_bars(found, expected, host)


@pytest.mark.parametrize(("n_channels", "dtype", "style"), thinned(tuple(ERB_PER_STEP), DTYPES, STYLES, keep=2))
def test_bars_of_every_number_of_channels_are_those_of_the_cpu(n_channels, dtype, style):
    host, on_device = cascades(2, dtype, erb_per_step=ERB_PER_STEP[n_channels], ihc_style=style)
    assert host.n_channels == n_channels
    x = sound(1, 2, SEGMENT + 3, dtype)
    expected, found = (bars_of(engine, x, "nap") for engine in (host, on_device))
    assert_same_bars(found, expected, host)


@pytest.mark.parametrize(("dtype", "style"), thinned(DTYPES, STYLES, keep=1))
def test_bars_of_a_warp_as_devices_have_it_some_threads_of_which_have_no_channels_are_those_of_the_cpu(
    dtype, style, monkeypatch
):
    install(monkeypatch, warp=32)
    host, on_device = cascades(1, dtype, erb_per_step=0.5, ihc_style=style)
    assert host.n_channels == 71
    x = sound(1, 1, SEGMENT + 2, dtype)
    expected, found = (bars_of(engine, x, "nap") for engine in (host, on_device))
    assert_same_bars(found, expected, host)


@pytest.mark.parametrize(
    ("dtype", "style", "n_blocks", "in_shared_memory"), thinned(DTYPES, STYLES, (1, 2, 4), (True, False))
)
def test_bars_are_those_of_the_cpu_where_checkpoints_are_any_number_of_blocks_apart_and_wherever_a_tape_lies(
    dtype, style, n_blocks, in_shared_memory, monkeypatch
):
    host, on_device = cascades(2, dtype, ihc_style=style)
    monkeypatch.setattr(carfac_cuda, "segment_of", lambda *_: n_blocks * BLOCK)
    if not in_shared_memory:
        monkeypatch.setattr(cuda_layout, "SHARED_BYTES", 0)
    assert cuda_layout.block_of(on_device._switches(2)) == (BLOCK, in_shared_memory)
    x = sound(2, 2, N_SAMPLES, dtype)
    expected, found = (bars_of(engine, x, "nap") for engine in (host, on_device))
    assert_same_bars(found, expected, host)


@pytest.mark.parametrize(("dtype", "style"), thinned(DTYPES, STYLES, keep=1))
def test_bars_of_ears_of_their_own_designs_are_those_of_the_cpu(dtype, style):
    host, on_device = cascades_of_two_designs(dtype, style)
    x = sound(2, 2, N_SAMPLES, dtype)
    expected, found = (bars_of(engine, x, host.outputs[-1]) for engine in (host, on_device))
    assert_same_bars(found, expected, host)


@pytest.mark.parametrize(("dtype", "style"), thinned(DTYPES, STYLES, keep=1))
def test_bars_of_the_end_of_a_response_are_those_of_the_cpu(dtype, style):
    host, on_device = cascades(2, dtype, ihc_style=style)
    x = sound(1, 2, N_SAMPLES, dtype)
    expected, found = (bars_of(engine, x, "nap", begin=11) for engine in (host, on_device))
    assert_same_bars(found, expected, host)


@pytest.mark.parametrize(("dtype", "style", "frame_samples"), thinned(DTYPES, STYLES, (None, 4), keep=2))
def test_bars_of_clips_of_several_lengths_are_those_of_the_cpu(dtype, style, frame_samples):
    host, on_device = cascades(2, dtype, ihc_style=style)
    x, lengths = sound(3, 2, N_SAMPLES, dtype), (N_SAMPLES, 6, 10)
    for clip, n in zip(x, lengths):
        clip[:, n:] = 0
    response, tape = on_device.of_lengths(lengths).record(x, "nap", frame_samples)
    bar, expected = np.zeros_like(response), []
    for i, n in enumerate(lengths):
        own, own_tape = host.record(np.ascontiguousarray(x[i : i + 1, :, :n]), "nap", frame_samples)
        assert error(response[i : i + 1, ..., : own.shape[-1]], own) < LIMIT[dtype]
        own_bar = np.random.default_rng(i).standard_normal(own.shape).astype(dtype)
        bar[i : i + 1, ..., : own.shape[-1]] = own_bar
        expected.append(host.pull_back(own_tape, own_bar, ("coefficients",)))
    x_bar, bars = on_device.of_lengths(lengths).pull_back(tape, bar, ("coefficients",))
    of_all = np.zeros_like(x)
    for i, (n, own) in enumerate(zip(lengths, expected)):
        of_all[i, :, :n] = own[0][0]
    summed = [sum(arrays) for arrays in zip(*(own[1] for own in expected))]
    assert_same_bars((x_bar, bars), (of_all, summed), host)


@pytest.mark.parametrize(("dtype", "style"), thinned(DTYPES, STYLES, keep=2))
def test_bars_are_the_same_bits_in_every_run(dtype, style):
    _, on_device = cascades(2, dtype, ihc_style=style)
    x = sound(2, 2, N_SAMPLES, dtype)
    first, again = bars_of(on_device, x, "nap"), bars_of(on_device, x, "nap")  # threads take turns in another order
    assert (first[0] == again[0]).all()
    assert all((own == other).all() for own, other in zip(first[1], again[1]))
