"""The rows that separate outputs share, with Newton systems: whole ones of dense rows, products of sparse ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .._conjugate_gradient import conjugate_gradient
from .._design import Design
from .._systems import scaled_solver
from ..losses._base import Array, Indices, Mask

if TYPE_CHECKING:
    from .._objective import Objective

# Second derivative that a bias has at least, of the one that it has when all rows are active.
BIAS_STIFFNESS = 1e-3
# Ridge of the system scaled to a unit diagonal: for rounding only.
RIDGE = 1e-13


class KeptRows(ABC):
    """The rows with a weight, standardized and with a constant 1 if there is an intercept; all that outputs share."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        self.free = objective.fit_intercept
        self.weight = objective.weight[used]
        self.alpha = objective.alpha
        self.order = objective.shape[0] - 1 + self.free
        # Where the weights are in the parameters, and the second derivative of their penalty.
        self.slopes = slice(0, self.order - self.free)
        self.stiffness = np.full(self.order, objective.alpha)
        self.stiffness[self.slopes.stop :] = 0.0
        self.alike = not np.ptp(self.weight)

    @abstractmethod
    def push(self, params: Array) -> Array:
        """Logits of all rows, shape (n,)."""

    @abstractmethod
    def pull(self, weights: Array) -> Array:
        """Sum of the rows with weights, shape (order,)."""

    @abstractmethod
    def newton(self, gradient: Array, active: Mask, mu: float) -> Array:
        """About the inverse of ``sum_i w_i z_i z_i' / mu`` over the active rows plus the penalty's part, times this."""

    def _bias_stiffness(self, mu: float) -> float:
        """Of a bias, which without active rows has no curvature: no more than a weight's leaves joint moves free."""
        return min(self.alpha, BIAS_STIFFNESS / mu)


class KeptDenseRows(KeptRows):
    """Rows of few columns, one below another."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        super().__init__(objective, used)
        everywhere = len(used) == len(objective.weight)
        rows = Design(objective, 0, exact=True).take(slice(None) if everywhere else used)
        self.rows = np.ascontiguousarray(rows if self.free else rows[:, :-1])

    def push(self, params: Array) -> Array:
        logits: Array = self.rows @ params
        return logits

    def pull(self, weights: Array) -> Array:
        total: Array = weights @ self.rows
        return total

    def newton(self, gradient: Array, active: Mask, mu: float) -> Array:
        """From the whole system."""
        hessian = self.hessian(active)
        hessian *= 1 / mu
        diagonal = np.einsum("ii->i", hessian)
        diagonal += self.stiffness
        diagonal += np.finfo(np.float64).tiny
        if self.free:
            diagonal[-1] += self._bias_stiffness(mu)
        return scaled_solver(hessian, RIDGE)(gradient)

    @cached_property
    def _gram(self) -> Array:
        return self._part(slice(None))

    def hessian(self, active: Mask) -> Array:
        """``sum_i w_i z_i z_i'`` over the active rows (a mask)."""
        (indices,) = active.nonzero()
        # A difference has few digits where weights differ.
        if 2 * len(indices) <= len(active) or not self.alike:
            return self._part(indices)
        rest: Array = self._gram - self._part((~active).nonzero()[0])
        return rest

    def _part(self, indices: Indices | slice) -> Array:
        rows = self.rows if isinstance(indices, slice) else self.rows.take(indices, axis=0)
        if self.alike:
            gram: Array = rows.T @ rows
            gram *= self.weight[0]
            return gram
        heavy = rows * np.sqrt(self.weight[indices])[:, None]
        product: Array = heavy.T @ heavy
        return product


class KeptSparseRows(KeptRows):
    """Rows of a CSR matrix, standardized on the way."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        super().__init__(objective, used)
        everywhere = len(used) == len(objective.weight)
        self.rows = objective.rows.X if everywhere else objective.rows.X[used]
        self.columns = self.rows.T
        self.scale, self.mean = objective.standardization.inverse_scale, objective.standardization.mean
        self.plain = bool((self.scale == 1).all() and not self.mean.any())

    def _pushed(self, rows: Any, params: Array) -> Array:
        slopes = params[self.slopes]
        slopes = slopes if self.plain else slopes * self.scale
        logits: Array = rows @ slopes
        if self.free:
            logits += params[-1] if self.plain else params[-1] - self.mean @ slopes
        return logits

    def _pulled(self, columns: Any, weights: Array) -> Array:
        total = np.empty(self.order)
        total[self.slopes] = columns @ weights
        if self.free:
            total[-1] = weights.sum()
            if not self.plain:
                total[:-1] -= self.mean * total[-1]
        if not self.plain:
            total[self.slopes] *= self.scale
        return total

    def push(self, params: Array) -> Array:
        return self._pushed(self.rows, params)

    def pull(self, weights: Array) -> Array:
        return self._pulled(self.columns, weights)

    def newton(self, gradient: Array, active: Mask, mu: float) -> Array:
        """By conjugate gradients, preconditioned by the diagonal."""
        (indices,) = active.nonzero()
        rows = self.rows if len(indices) == len(active) else self.rows[indices]
        columns = rows.T
        weight = self.weight[indices] / mu
        stiffness = self.stiffness + np.finfo(np.float64).tiny
        squares = np.bincount(rows.indices, rows.data**2 * np.repeat(weight, np.diff(rows.indptr)), rows.shape[1])
        total = float(weight.sum())
        if not self.plain:
            sums = columns @ weight
            squares = np.maximum(squares - 2 * self.mean * sums + self.mean**2 * total, 0) * self.scale**2
        if self.free:
            stiffness[-1] += self._bias_stiffness(mu)
            squares = np.append(squares, total)
        diagonal = 1 / (squares + stiffness)

        def product(direction: Array) -> Array:
            pulled = self._pulled(columns, weight * self._pushed(rows, direction))
            pulled += stiffness * direction
            return pulled

        return conjugate_gradient(product, gradient, lambda residual: diagonal * residual)
