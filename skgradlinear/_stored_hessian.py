"""Sums of Hessians that outlive their rows: a block for each output, or the diagonal where blocks are too large."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from ._standardization import Standardization
from ._systems import RIDGE, cho_solve, cholesky
from .losses._base import Array

if TYPE_CHECKING:
    from ._evaluation import Evaluation
    from ._objective import Objective

# Blocks are kept while their entries are no more than this: 64 MB in float64.
MAX_BLOCK_ENTRIES = 1 << 23
# Rows whose share of a block's trace is below this share of the mean row's are left out: most rows are sure of most of
# their outputs. Measured by the trace, since a rare column makes the curvature of few rows large.
FAINT = 1e-4
# Share of the curvature that is spread evenly over the rows. Rows that are sure have next to none at the moment, most
# rows of a hinge none at all; nothing would then hold the coefficient of a rare column where its few rows have put it.
GRAM_SHARE, HINGE_GRAM_SHARE = 0.01, 0.03


@dataclass(frozen=True)
class Change:
    """The map from parameters of one standardization to those of an earlier one, for the same logits.

    With ``r_j`` the ratio of the new inverse scale to the old and ``shift_j = (mean'_j - mean_j) inverse_scale'_j``,

        W_old = r W,    b_old = b - shift @ W .

    A column that was constant has ``r_j = 0``: it was no more than a part of the bias.

    Parameters
    ----------
    ratio : ndarray of shape (d,)
        The ratios r.
    shift : ndarray of shape (d,)
        What a coefficient does to the earlier bias.
    """

    ratio: Array
    shift: Array

    @classmethod
    def between(cls, old: Standardization, new: Standardization) -> Self:
        """The map from parameters under `new` to those under `old`."""
        used = old.inverse_scale > 0
        ratio = np.divide(new.inverse_scale, old.inverse_scale, out=np.zeros_like(new.inverse_scale), where=used)
        return cls(ratio, (new.mean - old.mean) * new.inverse_scale)

    def gradient(self, gradient: Array) -> Array:
        """A gradient (d + 1, K) in the old parameters as one in the new: the adjoint map."""
        moved = gradient.copy()
        moved[:-1] = self.ratio[:, None] * gradient[:-1] - np.outer(self.shift, gradient[-1])
        return moved


class StoredHessian(ABC):
    """A positive semidefinite form of the parameters that keeps outputs apart."""

    @abstractmethod
    def times(self, direction: Array) -> Array:
        """Product with a direction of shape (d + 1, K)."""

    @abstractmethod
    def plus(self, other: Self) -> Self:
        """The sum of two."""

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """A multiple."""

    @abstractmethod
    def moved(self, change: Change) -> Self:
        """The same form of the logits in the parameters of another standardization."""

    @abstractmethod
    def solver(self, alpha: float) -> Callable[[Array], Array]:
        """The map from a gradient to about the inverse of this plus the penalty times it."""


@dataclass(frozen=True)
class BlockHessian(StoredHessian):
    """One dense block for each output, shape (K, d + 1, d + 1)."""

    blocks: Array

    def times(self, direction: Array) -> Array:
        """Product with a direction of shape (d + 1, K)."""
        narrow = np.ascontiguousarray(direction.T, self.blocks.dtype)[:, :, None]
        product: Array = np.matmul(self.blocks, narrow)[:, :, 0].T.astype(np.float64)
        return product

    def plus(self, other: Self) -> Self:
        """The sum of two."""
        return type(self)(self.blocks + other.blocks)

    def scaled(self, factor: float) -> Self:
        """A multiple."""
        return type(self)(self.blocks * self.blocks.dtype.type(factor))

    def moved(self, change: Change) -> Self:
        """The same form of the logits in the parameters of another standardization."""
        ratio, shift = change.ratio.astype(self.blocks.dtype), change.shift.astype(self.blocks.dtype)
        moved = self.blocks.copy()
        moved[:, :-1] *= ratio[:, None]
        moved[:, :-1] -= shift[:, None] * self.blocks[:, -1:]
        border = moved[:, :, -1:].copy()
        moved[:, :, :-1] *= ratio
        moved[:, :, :-1] -= border * shift
        return type(self)(moved)

    def solver(self, alpha: float) -> Callable[[Array], Array]:
        """The map from a gradient to the inverse of this plus the penalty times it."""
        factors = []
        for block in self.blocks:
            matrix = block.copy()
            diagonal = np.einsum("ii->i", matrix)
            ridge = 10 * RIDGE[matrix.dtype] * float(diagonal.mean()) + float(np.finfo(matrix.dtype).tiny)
            diagonal += ridge
            diagonal[:-1] += alpha
            factors.append(cholesky(matrix))

        def solve(gradient: Array) -> Array:
            right = gradient.T.astype(self.blocks.dtype)
            columns = [cho_solve(f, g) for f, g in zip(factors, right, strict=True)]
            return np.stack(columns, axis=1).astype(np.float64)

        return solve


@dataclass(frozen=True)
class DiagonalHessian(StoredHessian):
    """The diagonal of each output's block, shape (d + 1, K)."""

    entries: Array

    def times(self, direction: Array) -> Array:
        """Product with a direction of shape (d + 1, K)."""
        return self.entries * direction

    def plus(self, other: Self) -> Self:
        """The sum of two."""
        return type(self)(self.entries + other.entries)

    def scaled(self, factor: float) -> Self:
        """A multiple."""
        return type(self)(self.entries * factor)

    def moved(self, change: Change) -> Self:
        """The diagonal of the moved form."""
        moved = self.entries.copy()
        moved[:-1] *= change.ratio[:, None] ** 2
        moved[:-1] += np.outer(change.shift**2, self.entries[-1])
        return type(self)(moved)

    def solver(self, alpha: float) -> Callable[[Array], Array]:
        """Division by this plus the penalty."""
        total = self.entries.copy()
        total[:-1] += alpha
        total += RIDGE[np.dtype(np.float32)] * float(total.mean()) + np.finfo(np.float64).tiny
        return lambda gradient: gradient / total


def diagonal(objective: Objective, entries: Array) -> StoredHessian:
    """A diagonal form, the same entries (d + 1,) for each output; in blocks if these may be kept."""
    order, n_outputs = objective.shape
    if n_outputs * order**2 > MAX_BLOCK_ENTRIES:
        return DiagonalHessian(np.repeat(entries[:, None], n_outputs, axis=1))
    blocks = np.zeros((n_outputs, order, order), objective.dtype)
    np.einsum("kii->ki", blocks)[:] = entries
    return BlockHessian(blocks)


def mean_hessian(objective: Objective, point: Evaluation) -> StoredHessian:
    """The Hessian of the mean loss at a point, without the penalty and without what couples outputs.

    A small share of each output's curvature is spread evenly over the rows.
    """
    order, n_outputs = objective.shape
    weight = point.diagonal() * objective.row_weight
    level = weight.sum(axis=0, dtype=np.float64)
    share = HINGE_GRAM_SHARE if objective.loss.sparse_curvature else GRAM_SHARE
    weight = (1 - share) * weight + share * level.astype(weight.dtype) * objective.row_weight
    if n_outputs * order**2 <= MAX_BLOCK_ENTRIES:
        return BlockHessian(_blocks(objective, weight))
    scale = objective.standardization.inverse_scale[:, None]
    mean = (objective.standardization.mean - objective.standardization.pivot)[:, None]
    squares = objective.rows.pull_squares(weight)
    if objective.fit_intercept:
        # About the mean of all rows. A difference of sums: never below what rounding leaves of the first.
        centred = squares - 2 * mean * objective.rows.pull(weight) + mean**2 * level
        squares = np.maximum(centred, np.finfo(objective.dtype).eps * squares)
    return DiagonalHessian(np.vstack([squares * scale**2, level]))


def _blocks(objective: Objective, weight: Array) -> Array:
    """``sum_i weight_ik z_i z_i'`` of the standardized rows with a constant, for each column k of the weights."""
    order = objective.shape[0]
    blocks = np.zeros((weight.shape[1], order, order), objective.dtype)
    for where, stored in objective.rows.dense_blocks():
        rows = np.empty((len(stored), order), objective.dtype)
        rows[:, :-1] = objective.standardization.apply(stored)
        rows[:, -1] = 1.0 if objective.fit_intercept else 0.0
        share = np.einsum("ij,ij->i", rows, rows)[:, None] * weight[where]
        loud = share > FAINT * share.mean(axis=0)
        for block, chosen, heights in zip(blocks, loud.T, weight[where].T, strict=True):
            heavy = rows[chosen] * np.sqrt(heights[chosen])[:, None]
            block += heavy.T @ heavy
    return blocks
