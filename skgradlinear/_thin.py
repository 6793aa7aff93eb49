"""Products of a few rows with a large matrix."""

from __future__ import annotations

import numpy as np

from .losses._base import Array

# The kernels of BLAS for float32 work on groups of four rows; what is left over goes through others, that take longer
# than a whole group does. Measured: 1.1 to 1.8 times as fast; no gain where rows are many or the matrix is narrow.
GROUP, MAX_ROWS, MIN_WIDTH = 4, 24, 48


def thin_product(few: Array, large: Array) -> Array:
    """``few @ large`` for a few rows, which zeros fill up to groups if that is faster."""
    n_rows = len(few)
    whole = n_rows % GROUP == 0 or not 1 < n_rows < MAX_ROWS
    if whole or few.dtype != np.float32 or min(large.shape) < MIN_WIDTH:
        return few @ large
    filled = np.zeros((n_rows + -n_rows % GROUP, few.shape[1]), few.dtype)
    filled[:n_rows] = few
    product: Array = (filled @ large)[:n_rows]
    return product
