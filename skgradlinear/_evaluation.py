"""Records of what is known at a point, and of a direction: immutable, so that nothing can go stale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .losses._base import Array, Curvature


def column_norms(array: Array) -> Array:
    """Euclidean norm of each column, without a copy of the array."""
    norms: Array = np.sqrt(np.einsum("ki,ki->k", array.T, array.T))
    return norms


@dataclass(frozen=True)
class Evaluation:
    """What is known at one point, and enough to move on from it without touching X.

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
    dlogits : ndarray of shape (n, K)
        Derivative of each row's loss in its logits.
    curvature : Curvature
        Second derivative of each row's loss in its logits.
    """

    params: Array
    logits: Array
    loss: float
    value: float
    dlogits: Array
    curvature: Curvature


@dataclass(frozen=True)
class Direction:
    """A direction in the parameters, shape (d + 1, K), and what it does to the logits, shape (n, K)."""

    params: Array
    logits: Array

    def audible(self, floor: Array | float = 0.0) -> Direction:
        """The direction without columns that are rounding: a step along one would blow it up again.

        Those are the columns whose logits are small beside those of the loudest column, or below `floor`.
        """
        size = column_norms(self.logits)
        quiet = size <= np.maximum(np.sqrt(np.finfo(self.logits.dtype).eps) * size.max(initial=0.0), floor)
        if not quiet.any():
            return self
        return Direction(np.where(quiet, 0.0, self.params), np.where(quiet, self.logits.dtype.type(0), self.logits))
