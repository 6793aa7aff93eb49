"""Small symmetric systems, against a general solver."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skgradlinear._systems import cho_solve, cholesky, newton_step, scaled_solver


def gram(order, dtype=np.float64, units=1.0):
    rows = np.random.default_rng(order).standard_normal((3 * order, order)) * units
    return (rows.T @ rows).astype(dtype)


@pytest.mark.parametrize("order", [1, 2, 7])
def test_solutions_are_those_of_a_general_solver(order):
    units = 10.0 ** np.arange(order)
    matrix, right = gram(order, units=units), np.arange(1.0, order + 1)
    expected = np.linalg.solve(matrix, right)
    assert_allclose(cho_solve(cholesky(matrix.copy()), right), expected, rtol=1e-9)
    assert_allclose(scaled_solver(matrix.copy(), 0.0)(right), expected, rtol=1e-9)
    given = matrix.copy()
    assert_allclose(newton_step(given, right, 0.0), -expected, rtol=1e-9)
    assert np.array_equal(given, matrix)


def test_a_step_without_curvature_is_as_long_as_the_ridge_lets_it():
    matrix = np.diag([4.0, 0.0, -1e-20])
    assert_allclose(newton_step(matrix, np.array([2.0, 1.0, 0.0]), 1e-8), [-0.5, -1e8, 0.0], rtol=1e-7)


def test_what_rounding_made_indefinite_is_mended():
    matrix = np.ones((3, 3), np.float32)
    matrix[0, 0] -= 1e-6
    right = np.ones(3, np.float32)
    solution = cho_solve(cholesky(matrix.copy()), right)
    assert np.isfinite(solution).all()
    # Along the one direction that has curvature nothing is lost.
    assert solution.sum() == pytest.approx(1.0, abs=1e-3)


def test_numbers_that_are_none_come_back():
    assert np.isnan(cholesky(np.full((2, 2), np.nan))).any()
    assert np.isnan(newton_step(np.full((2, 2), np.nan), np.ones(2), 1e-8)).all()


def test_a_matrix_of_zeros_is_mended_too():
    assert np.isfinite(cholesky(np.zeros((2, 2)))).all()
