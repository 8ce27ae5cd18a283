"""Where arrays lie, whose they are, and what comes back."""

import subprocess
import sys
from pathlib import Path

import cupy_stand_in
import numpy as np
import pytest
from audio_checks import error

import skaud
from skaud.kernels.array_api import HOST, place_of, rows_beside, stream_of, take, to_numpy

VALUES = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)


class OnlyInterface:
    """An array that other libraries may read by its pointer."""

    def __init__(self, values):
        self.values = values
        self.__array_interface__ = values.__array_interface__


class OnlyDLPack:
    def __init__(self, values, device=(1, 0)):
        self.values, self.device = values, device

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


def address(array):
    return array.__array_interface__["data"][0]


# The host


def test_numpy_arrays_and_what_is_no_array_are_taken_as_they_are():
    for X in (VALUES, [VALUES[0], VALUES[1]], [[1.0, 2.0]], None, [skaud.Sound(np.ones(9), 8000)], "text"):
        taken, place = take(X)
        assert taken is X
        assert place == HOST


@pytest.mark.parametrize("form", ["interface", "dlpack", "memoryview", "torch", "jax"])
def test_an_array_of_the_host_is_taken_without_a_copy(form):
    if form in ("torch", "jax"):
        library = pytest.importorskip({"torch": "torch", "jax": "jax.numpy"}[form], reason=f"{form} is not installed")
        X = library.asarray(VALUES.copy())
        memory = X.data_ptr() if form == "torch" else X.unsafe_buffer_pointer()
    else:
        X = {"interface": OnlyInterface, "dlpack": OnlyDLPack, "memoryview": memoryview}[form](VALUES)
        memory = address(VALUES)
    taken, place = take(X)
    assert type(taken) is np.ndarray
    assert place.on_host
    assert address(taken) == memory
    np.testing.assert_array_equal(taken, VALUES)


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "array_api_strict"])
def test_what_is_computed_comes_back_in_the_library_of_the_array(library):
    xp = pytest.importorskip(library, reason=f"{library} is not installed")
    X = xp.asarray(VALUES)
    _, place = take(X)
    given = place.give([VALUES * 2, VALUES])
    assert all(type(own) is type(X) for own in given)
    np.testing.assert_array_equal(np.asarray(given[0]), VALUES * 2)


def test_torch_reads_what_was_computed_without_a_copy():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    result = VALUES.copy()
    assert take(torch.zeros(3))[1].give(result).data_ptr() == address(result)


def test_jax_that_would_halve_the_precision_of_a_result_is_told():
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    _, place = take(jnp.asarray(VALUES))
    with error(ValueError, "float64", "jax holds as float32", "dtype='float32'", "jax_enable_x64"):
        place.give(VALUES.astype(float))


def test_tensors_that_numpy_cannot_read_are_named():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with error(TypeError, "X is a tensor that requires grad", "as_module", "X.detach()"):
        take(torch.ones(2, 5, requires_grad=True))
    with error(TypeError, "X[1]", "requires grad"):
        take([torch.ones(5), torch.ones(5, requires_grad=True)])
    with error(TypeError, "X, a Tensor of torch.bfloat16", "float32"):
        take(torch.ones(2, 5, dtype=torch.bfloat16))
    with error(TypeError, "X, a Tensor", "dense"):
        take(torch.ones(2, 5).to_sparse())
    conjugate = torch.ones(2, dtype=torch.complex64).conj()
    np.testing.assert_array_equal(take(conjugate)[0], np.ones(2))


def test_jax_arrays_that_numpy_cannot_compute_or_that_have_no_samples_are_named():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    with error(TypeError, "X holds bfloat16", "float32"):
        take(jax.numpy.ones((2, 5), dtype=jax.numpy.bfloat16))
    with error(TypeError, "X is traced by jax", "jax.jit", "pure_callback"):
        jax.jit(lambda x: take(x)[0])(jax.numpy.ones(3))


def test_a_dask_array_is_refused_with_the_way_to_do_it():
    array = pytest.importorskip("dask.array", reason="dask is not installed")
    with error(TypeError, "dask", "X.compute()", "map_blocks(model.transform"):
        take(array.from_array(VALUES))


# Devices


def test_an_array_of_a_device_stays_there():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    X = strict.asarray(VALUES, device=strict.Device("device1"))
    taken, place = take(X)
    assert taken is X
    assert not place.on_host
    assert not place.on_cuda
    assert place.give(X) is X
    np.testing.assert_array_equal(to_numpy(X), VALUES)


def test_cupy_arrays_lie_on_cuda_and_their_stream_is_that_of_cupy(monkeypatch):
    cupy_stand_in.install(monkeypatch, stream=11)
    X = cupy_stand_in.ndarray(VALUES, 1)
    taken, place = take(X)
    assert taken is X
    assert place.on_cuda
    assert str(place) == "cupy on cuda:1"
    assert stream_of(X) == 11
    np.testing.assert_array_equal(to_numpy(X), VALUES)


def test_arrays_of_cuda_that_cannot_compute_are_seen_by_cupy(monkeypatch):
    X = OnlyDLPack(VALUES, (2, 0))
    monkeypatch.setitem(sys.modules, "cupy", None)
    with error(ImportError, "X lies on a GPU", "cupy", "skaud[gpu-cu13]"):
        take(X)
    cupy_stand_in.install(monkeypatch)
    taken, place = take(X)
    assert type(taken) is cupy_stand_in.ndarray
    assert place.on_cuda


def test_clips_of_different_places_are_refused():
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    clip, there, elsewhere = VALUES[0], cupy_stand_in.ndarray(VALUES[0], 0), cupy_stand_in.ndarray(VALUES[0], 1)
    with error(TypeError, "X[0] is of numpy on cpu and X[1] of array_api_strict on cpu", "one library"):
        take([clip, strict.asarray(clip)])
    with error(TypeError, "X[0] is of cupy on cuda:0 and X[1] of cupy on cuda:1", "move them"):
        take([there, elsewhere])
    taken, place = take([there, there])
    assert taken == [there, there]
    assert place.on_cuda


def test_nothing_of_a_device_is_imported_before_its_arrays_come():
    code = """
import sys, numpy as np
from skaud import CARFAC
CARFAC(erb_per_step=4.0).fit_transform(np.zeros((1, 300)))
print({"cupy", "numba.cuda", "numba_cuda", "torch", "jax", "dask"} & set(sys.modules) or "nothing")
"""
    root = Path(skaud.__file__).parent.parent
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout == "nothing\n"


def test_the_stand_in_refuses_the_host_as_cupy_does():
    X = cupy_stand_in.ndarray(VALUES)
    with pytest.raises(TypeError, match=r"\.get\(\)"):
        np.asarray(X)
    with pytest.raises(TypeError, match="Unsupported type"):
        X + VALUES
    np.testing.assert_array_equal((1 - X * 2).get(), 1 - VALUES * 2)
    assert place_of(X).library == "cupy"


@pytest.mark.parametrize("there", [np.asarray, cupy_stand_in.ndarray], ids=["host", "device"])
def test_rows_that_are_all_one_go_beside_an_array_once_and_lie_as_kernels_count_them(there, monkeypatch):
    cupy_stand_in.install(monkeypatch)
    rows, x = np.broadcast_to(np.arange(6.0).reshape(2, 3), (4, 2, 3)), there(np.zeros(1))
    for given in (rows, np.array(rows), rows.copy()):
        found = rows_beside(given, x)
        values = getattr(found, "values", found)
        assert values.flags.c_contiguous
        assert values.flags.writeable
        np.testing.assert_array_equal(values, rows)
