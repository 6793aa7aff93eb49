"""The rows that separate outputs share, with Newton systems: whole ones of dense rows, products of sparse ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

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
        self.dtype = objective.dtype
        self.weight = objective.weight[used].astype(self.dtype, copy=False)
        self.alpha = objective.alpha
        self.order = objective.shape[0] - 1 + self.free
        # Where the weights are in the parameters, and the second derivative of their penalty.
        self.slopes = slice(0, self.order - self.free)
        self.stiffness = np.full(self.order, objective.alpha)
        self.stiffness[self.slopes.stop :] = 0.0
        self.alike = not np.ptp(self.weight)

    @abstractmethod
    def push(self, params: Sequence[Array]) -> Sequence[Array]:
        """For the parameters of each output, shape (order,), the logits of all rows, shape (n,)."""

    @abstractmethod
    def pull(self, weights: Sequence[Array]) -> Sequence[Array]:
        """For the weights of each output, shape (n,), the sum of the rows with these, shape (order,)."""

    @abstractmethod
    def newton(
        self, gradients: Sequence[Array], active: Sequence[Mask], mu: Sequence[float], max_steps: int
    ) -> Sequence[Array]:
        """For each gradient about the inverse of an output's Hessian times it.

        That is ``sum_i w_i z_i z_i' / mu`` over the active rows, plus the penalty's part. At most so many steps are
        taken by what takes steps.
        """

    def bias_stiffness(self, mu: float) -> float:
        """Of a bias, which without active rows has no curvature: no more than a weight's leaves joint moves free."""
        return min(self.alpha, BIAS_STIFFNESS / mu)


class KeptDenseRows(KeptRows):
    """Rows of few columns, one below another."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        super().__init__(objective, used)
        everywhere = len(used) == len(objective.weight)
        rows = Design(objective, 0, exact=True).take(slice(None) if everywhere else used)
        self.rows = np.ascontiguousarray(rows if self.free else rows[:, :-1])

    def push(self, params: Sequence[Array]) -> Sequence[Array]:
        return [self.rows @ one for one in params]

    def pull(self, weights: Sequence[Array]) -> Sequence[Array]:
        return [one @ self.rows for one in weights]

    def newton(
        self, gradients: Sequence[Array], active: Sequence[Mask], mu: Sequence[float], max_steps: int
    ) -> Sequence[Array]:
        """From the whole system of each."""
        return [self._newton(*output) for output in zip(gradients, active, mu, strict=True)]

    def _newton(self, gradient: Array, active: Mask, mu: float) -> Array:
        hessian = self.hessian(active)
        hessian *= 1 / mu
        diagonal = np.einsum("ii->i", hessian)
        diagonal += self.stiffness
        diagonal += np.finfo(np.float64).tiny
        if self.free:
            diagonal[-1] += self.bias_stiffness(mu)
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
