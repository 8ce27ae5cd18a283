"""The emulator of a device: that it notices what a GPU might not."""

import numpy as np
import pytest
from lockstep import Lockstep, LockstepError

from skaud.kernels.device import ALL, WARP, cuda

N = 64


def reverse(x, out):
    shared = cuda.shared.array(N, np.float64)
    i = cuda.threadIdx.x
    shared[i] = x[i]
    cuda.syncthreads()
    out[i] = shared[N - 1 - i]


def sum_up(x, out):
    lane, warp = cuda.threadIdx.x, cuda.threadIdx.y
    total = x[warp * WARP + lane]
    for e in range(5):
        from_below = cuda.shfl_up_sync(ALL, total, 1 << e)
        if lane >= 1 << e:
            total = total + from_below
    out[warp * WARP + lane] = total


def part_ways(x, out):
    if cuda.threadIdx.x < 3:
        cuda.syncthreads()
    else:
        cuda.syncthreads()


def leave_early(x, out):
    if cuda.threadIdx.x < 3:
        return
    cuda.syncthreads()


def leave_warp_early(x, out):
    if cuda.threadIdx.x >= 3:
        out[0] = cuda.shfl_up_sync(ALL, x[0], 1)


def look_before(x, out):
    out[0] = x[cuda.threadIdx.x - 1]


def look_before_in_its_own(x, out):
    own = cuda.local.array((2, 2), np.float64)
    own[0, cuda.threadIdx.x - 1] = x[0]


def store_in_single_precision(x, out):
    cuda.local.array(2, np.float32)[0] = x[0]


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal(N)


def run(function, x, block, **options):
    out, device = np.zeros(N), Lockstep(**options)
    device.run(function, 1, block, (x, out))
    return out, device.places


def test_threads_wait_for_each_other(x):
    out, places = run(reverse, x, (N, 1))
    assert (out == x[::-1]).all()
    assert len(places) == 1


def test_a_barrier_left_out_shows(x):
    _, (place,) = run(reverse, x, (N, 1))
    assert np.isnan(run(reverse, x, (N, 1), left_out=place)[0]).any()


def test_shuffles_stay_in_a_warp(x):
    out, places = run(sum_up, x, (WARP, 2))
    assert np.allclose(out, np.cumsum(x.reshape(2, WARP), axis=1).ravel(), rtol=0, atol=1e-12)
    (place,) = places
    assert not np.allclose(run(sum_up, x, (WARP, 2), left_out=place)[0], out)


@pytest.mark.parametrize("function", [part_ways, leave_early, leave_warp_early])
def test_threads_that_never_meet_are_an_error(x, function):
    with pytest.raises(LockstepError, match="wait at"):
        run(function, x, (WARP, 1))


@pytest.mark.parametrize("function", [look_before, look_before_in_its_own])
def test_an_index_before_an_array_is_an_error(x, function):
    with pytest.raises(AssertionError, match="lies before"):
        run(function, x, (1, 1))


def test_a_number_of_double_precision_in_single_precision_is_an_error(x):
    with pytest.raises(AssertionError, match="float64'> is stored in single precision"):
        run(store_in_single_precision, x, (1, 1))


def test_memory_begins_as_nan():
    assert np.isnan(Lockstep().local.array(3, np.float32)[1])


def test_outside_a_kernel_there_is_no_device():
    with pytest.raises(RuntimeError, match="launch the kernel"):
        cuda.syncthreads()
