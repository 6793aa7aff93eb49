"""The search along one direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skgradlinear import Objective
from skgradlinear._line import FLAT, MAX_SEARCH, search
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss

kinks = st.lists(st.tuples(st.floats(0.001, 3.0), st.floats(0.01, 10.0)), min_size=1, max_size=6)


@given(kinks=kinks, bend=st.floats(0.0, 10.0), share=st.floats(0.01, 0.99))
def test_what_is_found_is_flat_or_a_whole_step_downwards(
    kinks: list[tuple[float, float]], bend: float, share: float
) -> None:
    """Convex functions with kinks: the slope at zero is a share of what the kinks take from it."""
    first = -share * sum(height for _, height in kinks) - 1e-3
    sizes = []

    def trial(size: float) -> tuple[float, float, float]:
        sizes.append(size)
        value = first * size + bend * size**2 / 2 + sum(height * max(size - where, 0) for where, height in kinks)
        slope = first + bend * size + sum(height for where, height in kinks if where < size)
        return size, value, slope

    found = search(trial, first, 0.0)
    assert sizes[0] == 1
    assert len(sizes) <= MAX_SEARCH
    if found is not None:
        _, value, slope = trial(found)
        assert value <= 0
        assert abs(slope) <= FLAT * abs(first) or (found == 1 and slope <= 0)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_step_too_far_to_be_computed_is_shortened(bad: float) -> None:
    def trial(size: float) -> tuple[float, float, float]:
        return (size, bad, bad) if size > 0.05 else (size, (size - 0.01) ** 2, 2 * (size - 0.01))

    # A search ends where the slope has fallen to 0.3 of the first: within 0.3 of the way to the minimum.
    assert search(trial, -0.02, 1e-4) == pytest.approx(0.01, abs=0.003)


@pytest.mark.parametrize("first", [0.0, 1.0, -np.inf, np.nan])
def test_no_descent_is_no_search(first: float) -> None:
    assert search(lambda size: (size, 0.0, 0.0), first, 1.0) is None


@pytest.mark.parametrize("loss", [SoftmaxLoss(), SigmoidLoss()])
@pytest.mark.parametrize("length", [0.5, 20.0])
def test_a_point_found_carries_its_own_gradient(loss: SoftmaxLoss | SigmoidLoss, length: float) -> None:
    random = np.random.default_rng(0)
    objective = Objective(random.standard_normal((40, 3)), random.integers(0, 3, 40), loss, alpha=0.1, n_outputs=3)
    point = objective.at(objective.free_of_shift(random.standard_normal(objective.shape)))
    gradient = objective.gradient(point)
    found = objective.line_search(point, gradient, -length * gradient)
    assert found is not None
    assert found.formed
    assert found.value < point.value
    value, expected = objective.value_and_gradient(found.params)
    assert found.value == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(objective.gradient(found), expected, atol=1e-14)
