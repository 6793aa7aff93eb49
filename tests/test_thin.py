"""Products of a few rows with a large matrix."""

import numpy as np
import pytest

from skgradlinear._thin import GROUP, MAX_ROWS, MIN_WIDTH, thin_product


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 4, 5, 10, 23, 24, 30])
@pytest.mark.parametrize("shape", [(MIN_WIDTH, 200), (300, MIN_WIDTH), (20, 300)])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_thin_product_is_the_product(dtype, n_rows, shape, transposed):
    random = np.random.default_rng(0)
    few = random.integers(-8, 8, (n_rows, shape[0])).astype(dtype)
    large = random.integers(-8, 8, shape).astype(dtype)
    product = thin_product(few, np.asfortranarray(large) if transposed else large)
    assert product.dtype == dtype
    # Sums of small integers have no rounding.
    assert np.array_equal(product, few @ large)


class Right:
    """A matrix that only tells the shape of what it is multiplied by."""

    shape = (60, 70)
    __array_ufunc__ = None

    def __rmatmul__(self, left):
        return np.full((len(left), 70), len(left))


@pytest.mark.parametrize("n_rows", range(1, MAX_ROWS + 3))
def test_few_rows_are_filled_up_to_groups(n_rows):
    product = thin_product(np.ones((n_rows, 60), np.float32), Right())
    filled = n_rows if not 1 < n_rows < MAX_ROWS else GROUP * -(-n_rows // GROUP)
    assert product.shape == (n_rows, 70)
    assert (product == filled).all()
