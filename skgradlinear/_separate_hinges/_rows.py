"""The rows that separate outputs share, with Newton systems: whole ones of dense rows, products of sparse ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .._conjugate_gradient import conjugate_gradient
from .._design import Design, scaled_solver
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
        self.used = used
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
        """Logits of all rows, shape (..., n), for parameters of shape (..., order)."""

    @abstractmethod
    def pull(self, weights: Array) -> Array:
        """Sums of the rows with weights, shape (..., order), for weights of shape (..., n)."""

    @abstractmethod
    def newton(self, gradient: Array, active: Mask, mu: float, stiffness: Array) -> Array:
        """About the inverse of ``sum_i w_i z_i z_i' / mu`` over the active rows plus a stiffness, times this."""

    @abstractmethod
    def newtons(self, gradient: Array, active: Mask, kept: Mask, mu: float, stiffness: Array, mass: Array) -> Array:
        """The same for outputs of folds: gradients (F, G, order).

        Active rows are (F, G, n), or (1, G, n) where all folds have the same; a fold has those that it keeps, (F, n).
        These have a mass (F,) in units of the weights; its stiffness is (F, order).
        """

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
        logits: Array = params @ self.rows.T
        return logits

    def pull(self, weights: Array) -> Array:
        total: Array = weights @ self.rows
        return total

    def newton(self, gradient: Array, active: Mask, mu: float, stiffness: Array) -> Array:
        """From the whole system."""
        hessian = self.hessian(active)
        hessian *= 1 / mu
        diagonal = np.einsum("ii->i", hessian)
        diagonal += stiffness
        diagonal += np.finfo(np.float64).tiny
        if self.free:
            diagonal[-1] += self._bias_stiffness(mu)
        return scaled_solver(hessian, RIDGE)(gradient)

    def newtons(self, gradient: Array, active: Mask, kept: Mask, mu: float, stiffness: Array, mass: Array) -> Array:
        """From the whole systems, all together."""
        if len(active) < len(kept):
            # What the folds leave out is mostly less than what they keep.
            shared = np.array([self.hessian(own) for own in active[0]])
            hessian = shared - np.array([[self.hessian(own & ~mask) for own in active[0]] for mask in kept])
        else:
            hessian = np.array([[self.hessian(o & mask) for o in own] for own, mask in zip(active, kept, strict=True)])
        narrowness = mass / mu
        hessian *= narrowness[:, None, None, None]
        diagonal = np.einsum("...ii->...i", hessian)
        diagonal += stiffness[:, None]
        diagonal += np.finfo(np.float64).tiny
        if self.free:
            diagonal[..., -1] += np.minimum(self.alpha, BIAS_STIFFNESS * narrowness)[:, None]
        scale = 1 / np.sqrt(diagonal)
        hessian *= scale[..., None]
        hessian *= scale[..., None, :]
        diagonal += RIDGE
        solution: Array = scale * np.linalg.solve(hessian, (scale * gradient)[..., None])[..., 0]
        return solution

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
        slopes = params[..., self.slopes]
        slopes = slopes if self.plain else slopes * self.scale
        logits: Array = rows @ slopes if slopes.ndim == 1 else _each(rows, slopes)
        if self.free:
            bias = params[..., -1] if self.plain else params[..., -1] - slopes @ self.mean
            logits += bias[..., None]
        return logits

    def _pulled(self, columns: Any, weights: Array) -> Array:
        total = np.empty((*weights.shape[:-1], self.order))
        slopes = total[..., self.slopes]
        slopes[:] = columns @ weights if weights.ndim == 1 else _each(columns, weights)
        if self.free:
            total[..., -1] = weights.sum(axis=-1)
            if not self.plain:
                slopes -= self.mean * total[..., -1:]
        if not self.plain:
            slopes *= self.scale
        return total

    def push(self, params: Array) -> Array:
        return self._pushed(self.rows, params)

    def pull(self, weights: Array) -> Array:
        return self._pulled(self.columns, weights)

    def newton(self, gradient: Array, active: Mask, mu: float, stiffness: Array) -> Array:
        """By conjugate gradients, preconditioned by the diagonal."""
        (indices,) = active.nonzero()
        rows = self.rows if len(indices) == len(active) else self.rows[indices]
        columns = rows.T
        weight = self.weight[indices] / mu
        stiffness = stiffness + np.finfo(np.float64).tiny
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

    def newtons(self, gradient: Array, active: Mask, kept: Mask, mu: float, stiffness: Array, mass: Array) -> Array:
        """One after the other."""
        own = np.broadcast_to(active & kept[:, None], (*gradient.shape[:2], active.shape[-1]))
        return np.array(
            [
                [self.newton(g, a, mu / share, stiff) for g, a in zip(*fold, strict=True)]
                for *fold, stiff, share in zip(gradient, own, stiffness, mass, strict=True)
            ]
        )


def _each(matrix: Any, vectors: Array) -> Array:
    """Products of a sparse matrix with vectors, of shape (..., n)."""
    products: Array = (matrix @ vectors.reshape(-1, vectors.shape[-1]).T).T
    return np.ascontiguousarray(products).reshape(*vectors.shape[:-1], -1)


def kept_rows(objective: Objective) -> KeptRows:
    """The rows with a weight of an objective, in float64."""
    objective = objective.in_float64()
    used = np.flatnonzero(objective.weight)
    return (KeptDenseRows if objective.rows.dense else KeptSparseRows)(objective, used)
