"""Memory that kernels run in."""

from threading import Thread

import numpy as np

from skaud.kernels.lanes import CACHE_LINE, SCRATCH_KEPT, aligned_copies, aligned_empty, scratch


def address(array):
    return array.__array_interface__["data"][0]


def test_arrays_begin_at_cache_lines_and_share_nothing():
    arrays = [np.arange(5, dtype=np.float32), np.ones((3, 7)), np.array([4])]
    copies = aligned_copies(arrays)
    assert all(address(copy) % CACHE_LINE == 0 for copy in copies)
    for copy in copies:
        copy[...] = 0
    assert [array.sum() for array in arrays] == [10, 21, 4]
    assert [copy.dtype for copy in copies] == [array.dtype for array in arrays]
    first, second = aligned_empty((3, 5), (2,), dtype=np.float64)
    assert [first.shape, second.shape] == [(3, 5), (2,)]
    assert address(second) >= address(first) + first.nbytes


def test_scratch_is_a_threads_own_and_kept_where_it_is_small():
    single, others = np.dtype("float32"), []
    mine = scratch((2, 50), (7,), dtype=single)
    assert [own.shape for own in mine] == [(2, 50), (7,)]
    assert scratch((2, 50), (7,), dtype=single) is mine
    thread = Thread(target=lambda: others.extend(scratch((2, 50), (7,), dtype=single)))
    thread.start()
    thread.join()
    assert not any(np.shares_memory(own, other) for own in mine for other in others)
    assert scratch((200,), dtype=single)[0].shape == (200,)
    assert scratch((100,), dtype=np.dtype("float64"))[0].dtype == np.float64
    large = scratch((SCRATCH_KEPT, 1), (1,), dtype=single)
    assert scratch((SCRATCH_KEPT, 1), (1,), dtype=single) is not large
