"""Responses on their way to the caller."""

import numpy as np
import pytest

from skaud._responses import stack


def test_arrays_that_lie_one_behind_the_other_are_stacked_without_a_copy():
    block = np.arange(60.0).reshape(5, 3, 4)
    stacked = stack([block[1], block[2], block[3]])
    np.testing.assert_array_equal(stacked, block[1:4])
    assert np.shares_memory(stacked, block)


@pytest.mark.parametrize(
    "arrays",
    [
        lambda block: [block[0], block[2]],
        lambda block: [block[2], block[1]],
        lambda block: [block[0], block[1].copy()],
        lambda block: [block[0].T, block[1].T],
        lambda block: [block[0, :2], block[1, :2]],
    ],
    ids=["apart", "in another order", "in another block", "transposed", "with gaps"],
)
def test_all_others_are_copied(arrays):
    arrays = arrays(np.arange(60.0).reshape(5, 3, 4))
    stacked = stack(arrays)
    np.testing.assert_array_equal(stacked, np.stack(arrays))
    assert not np.shares_memory(stacked, arrays[0])
