"""Records of what is known at a point, which is immutable, so that nothing can go stale, and of a direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._mean_loss import MeanLoss
from .losses._base import Array, Curvature, Indices


@dataclass(frozen=True)
class Evaluation:
    """What is known at one point, and enough to move on from it without touching X.

    Derivatives in the logits are formed for a group of rows at a time, when they are asked for: together they would
    take several times the memory of the logits.

    Parameters
    ----------
    params : ndarray of shape (d + 1, K)
        The point; the last row is the bias.
    logits : ndarray of shape (n, K)
        Logits of every row.
    loss : float
        Weighted mean loss.
    value : float
        Objective: `loss` plus the penalty.
    mean_loss : MeanLoss
        What the loss was computed by.
    derivatives : tuple of ndarray and Curvature, or None
        Gradient and second derivative of each row's loss in its logits, where all rows are one group.
    formed : bool
        Whether the logits are a product with X: sums of steps drift from it by rounding.
    gradient : ndarray of shape (d + 1, K), or None
        Gradient of the objective, where the way to the point led over it.
    """

    params: Array
    logits: Array
    loss: float
    value: float
    mean_loss: MeanLoss
    derivatives: tuple[Array, Curvature] | None
    formed: bool = False
    gradient: Array | None = None

    def dlogits(self, rows: slice) -> Array:
        """Derivative of each row's loss in its logits, without the weights."""
        if self.derivatives is not None:
            return self.derivatives[0][rows]
        return self.mean_loss.gradient_of(rows, self.logits[rows])

    def curvature(self, rows: slice | Indices) -> Curvature:
        """Second derivative of each row's loss in its logits, without the weights."""
        if self.derivatives is not None:
            return self.derivatives[1].take(rows)
        return self.mean_loss.curvature_of(rows, self.logits.T[:, rows].T)

    def diagonal(self) -> Array:
        """Diagonal of each row's second derivative, shape (n, K), not negative."""
        diagonal = np.empty_like(self.logits)

        def fill(rows: slice) -> None:
            diagonal[rows] = self.diagonal_of(rows)

        list(self.mean_loss.over_groups(fill))
        return diagonal

    def diagonal_of(self, rows: slice) -> Array:
        """`diagonal` of some of the rows."""
        return np.maximum(self.curvature(rows).main_diagonal(), 0)


@dataclass(frozen=True)
class Direction:
    """A direction in the parameters, shape (d + 1, K), and what it does to the logits, shape (n, K)."""

    params: Array
    logits: Array

    def audible(self, floor: Array | float = 0.0) -> Direction:
        """The direction itself, its columns that are rounding set to zero in place: a step would blow them up again.

        Those are the columns whose logits are small beside those of the loudest column, or below `floor`.
        """
        size = column_norms(self.logits)
        quiet = size <= np.maximum(np.sqrt(np.finfo(self.logits.dtype).eps) * size.max(initial=0.0), floor)
        self.params[:, quiet] = 0.0
        self.logits[:, quiet] = 0.0
        return self


def column_norms(array: Array) -> Array:
    """Euclidean norm of each column, without a copy of the array."""
    norms: Array = np.sqrt(np.einsum("ki,ki->k", array.T, array.T))
    return norms
