"""Small symmetric systems, positive definite but for rounding: Cholesky factors from LAPACK itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, spotrf, spotrs

from .losses._base import Array

# Ridge relative to the mean diagonal: keeps factors of singular matrices finite in the precision at hand.
RIDGE = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-12}
# Ridge of a system that is scaled to a unit diagonal: for rounding only.
UNIT_RIDGE = 1e-13
# Of a scaled system of few directions, by precision: these become parallel near the optimum, and a common shift of all
# biases has no curvature.
SEARCH_RIDGE = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-10}
# A matrix that rounding made indefinite gets a ridge that grows by this factor; Nocedal & Wright (2006), algorithm 3.3.
RIDGE_GROWTH = 100.0
# SciPy's own wrappers take several times as long as a system of a dozen unknowns.
LAPACK = {np.dtype(np.float32): (spotrf, spotrs), np.dtype(np.float64): (dpotrf, dpotrs)}


def scaled_solver(matrix: Array, ridge: float) -> Callable[[Array], Array]:
    """Solution with a matrix of positive diagonal, scaled to a unit diagonal (in place) and with a ridge there."""
    diagonal = np.einsum("ii->i", matrix)
    scale = 1 / np.sqrt(diagonal)
    matrix *= scale
    matrix *= scale[:, None]
    diagonal += ridge
    factor = cholesky(matrix)

    def solve(right: Array) -> Array:
        scaled = scale * right.astype(factor.dtype, copy=False)
        solution: Array = scale * cho_solve(factor, scaled)
        return solution

    return solve


def cholesky(matrix: Array) -> Array:
    """Lower factor of a matrix that is positive definite but for rounding; what a ridge mends is mended, in place.

    LAPACK itself: SciPy's way to it takes longer than the factor of a small matrix.
    """
    ridge = 0.0
    potrf = LAPACK[matrix.dtype][0]
    while True:
        # The transpose is the same matrix, in the memory order that LAPACK wants.
        factor: Array
        factor, refused = potrf(matrix.T, lower=True, clean=False)
        if not (refused and ridge < np.inf):
            # Numbers that are none have no ridge, and come back as they are.
            return factor
        diagonal = np.einsum("ii->i", matrix)
        numbers = np.finfo(matrix.dtype)
        ridge = RIDGE_GROWTH * ridge or float(numbers.eps * np.abs(diagonal).mean()) or float(numbers.tiny)
        diagonal += ridge


def cho_solve(factor: Array, right: Array) -> Array:
    """Solution of a system with the matrix of a lower factor, for one right-hand side or the columns of several."""
    solution: Array = LAPACK[factor.dtype][1](factor, right, lower=True)[0]
    return solution


def newton_step(hessian: Array, gradient: Array, ridge: float) -> Array:
    """``-hessian^-1 gradient`` in float64, as `scaled_solver` finds it; where there is no curvature, but the ridge."""
    matrix = hessian.astype(np.float64)
    diagonal = np.einsum("ii->i", matrix)
    diagonal[diagonal <= 0] = ridge
    step: Array = -scaled_solver(matrix, ridge)(gradient)
    return step
