"""Cheap approximations of the inverse Hessian.

A preconditioner is factored at a point and maps a gradient to a direction. Blocks are the Hessian's K diagonal blocks
in the classes, each over all columns and the bias; the diagonal serves sparse rows and very many columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from ._design import Design
from ._evaluation import Evaluation
from ._rows import ALL
from ._systems import RIDGE, cho_solve, cholesky
from ._threads import mapped, parts
from .losses._base import Array, Indices, Mask

if TYPE_CHECKING:
    from ._objective import Objective

Solve = Callable[[Array], Array]

# The whole Hessian, classes coupled, is formed up to this order.
MAX_FULL_EXACT_ORDER, MAX_FULL_ORDER = 200, 1_500
# Its entries may be this share of those of X, or so many (1 MB in float32) in any case.
FULL_SHARE, MIN_FULL_ENTRIES = 0.05, 1 << 18
# Fewer rows than this for an unknown are too few to sample from.
LEAST_PER_UNKNOWN = 4
# A sample has so many for an unknown at least and at most. The first has as many as take so many multiplications for
# each logit, about those of a search; each further one has more: the nearer the optimum, the more its error counts.
FEWEST_SAMPLED, MOST_SAMPLED, SEARCH_PRODUCTS, MORE_SAMPLED = 2.0, 8.0, 400.0, 0.5
# A hinge's active rows are all taken up to so many per column: the blocks are then exact.
MAX_ACTIVE_PER_COLUMN = 20
# Sampling less than this share of the rows pays; all of them are taken otherwise.
EXACT_SHARE = 0.7
# Rows whose curvature is below this share of the typical one are represented by the Gram matrix, if most are.
FAINT, FEW_STRONG = 0.03, 0.5
# The classes' products of the whole Hessian are formed for at most this many entries at a time.
MAX_PRODUCT_ENTRIES = 1 << 20
# A block samples this many rows per column; more where columns are few and a block is cheap.
ROWS_PER_COLUMN, ROWS_PER_COLUMN_SMALL, SMALL_COLUMNS = 4, 12, 200
# Share of the Gram matrix mixed into a sampled block: a plain sample misses rare columns altogether.
GRAM_SHARE, GRAM_SHARE_SMALL = 0.2, 0.1
# A factor is renewed when the curvature it was made from has changed by this share since.
RENEWAL_SHARE = 0.35
# A factor from a sample of many columns, which is dear, is renewed at about this share of the iterations before it.
SAMPLE_AGE = 0.75
# For hinges the share counts rows that turned active, each of which adds a stiff direction.
ACTIVE_RENEWAL_SHARE = 0.02


def alike(diagonal: Array) -> bool:
    """Whether all rows have the same curvature but for rounding, as at zero weights."""
    return bool((np.ptp(diagonal, axis=0) <= 32 * np.finfo(diagonal.dtype).eps * diagonal.max(axis=0)).all())


class Preconditioner(ABC):
    """Turns the curvature at a point into an approximate inverse Hessian, and keeps it while it is good enough."""

    newton = False
    memory = 2

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._diagonal: Array | None = None
        self._solve: Solve | None = None
        # Iterations before the present factor, and since.
        self.born, self.age = 0, -1

    def at(self, point: Evaluation) -> Solve:
        """Map from a gradient (d + 1, K) to about the inverse Hessian at `point` times it."""
        diagonal = point.diagonal()
        self.age += 1
        if self._solve is None or self._diagonal is None or self._changed(diagonal, self._diagonal):
            self._diagonal, self._solve = diagonal, self.factor(point, diagonal)
            self.born, self.age = self.born + self.age, 0
        return self._solve

    @abstractmethod
    def factor(self, point: Evaluation, diagonal: Array) -> Solve:
        """A fresh approximation; `diagonal` is that of each row's Hessian in the logits, shape (n, K)."""

    def _changed(self, now: Array, then: Array) -> bool:
        weight = self.objective.row_weight
        share = ACTIVE_RENEWAL_SHARE if self.objective.loss.sparse_curvature else RENEWAL_SHARE
        return float((np.abs(now - then) * weight).sum()) > share * float((then * weight).sum())


class Diagonal(Preconditioner):
    """The Hessian's diagonal, each column centred by the share that its mean has of the squares of all rows."""

    def factor(self, point: Evaluation, diagonal: Array) -> Solve:
        """Division by the diagonal of the Hessian."""
        objective = self.objective
        hessian = np.empty(objective.shape)
        if alike(diagonal):
            np.outer(objective.mean_squares, diagonal[0], out=hessian)
        else:
            weights = diagonal * objective.row_weight
            moments, pivot = objective.moments, objective.standardization.pivot
            raw = moments.variance + (moments.mean - pivot) ** 2
            share = np.divide(objective.mean_squares[:-1], raw, out=np.zeros(len(raw)), where=raw > 0)
            np.multiply(objective.rows.pull_squares(weights), share[:, None], out=hessian[:-1])
            hessian[-1] = weights.sum(axis=0, dtype=np.float64)
        hessian[:-1] += objective.alpha
        hessian[-1] += objective.bias_stiffness
        hessian += max(RIDGE[objective.dtype] * float(hessian.mean()), np.finfo(np.float64).tiny)
        return lambda gradient: gradient / hessian


class Blocks(Preconditioner):
    """Diagonal blocks of the Hessian in the classes, or the whole of it where that is small.

    Formed from all rows where these are few, and otherwise from a sample that favours rows of large leverage and
    curvature, each weighted by the inverse of its probability.
    """

    def __init__(self, objective: Objective, seed: int) -> None:
        super().__init__(objective)
        order, n_outputs = objective.shape
        smooth = not objective.loss.sparse_curvature
        # Conjugate gradients on all rows make up for what a rough background leaves out.
        self.design = Design(objective, seed, rough=not objective.rows.dense or (n_outputs == 1 and smooth))
        self.dtype = self.design.dtype
        n_rows = len(objective.weight)
        self.small = order <= SMALL_COLUMNS
        self.sample = order * (ROWS_PER_COLUMN_SMALL if self.small else ROWS_PER_COLUMN)
        self.exact = self.sample >= EXACT_SHARE * n_rows or order * self.sample * n_outputs >= n_rows * order
        full_order = order * n_outputs
        search = SEARCH_PRODUCTS * n_rows * n_outputs
        self.per_unknown = min(max(search / full_order**3, FEWEST_SAMPLED), MOST_SAMPLED)
        sampled = full_order <= MAX_FULL_ORDER and LEAST_PER_UNKNOWN * full_order <= n_rows
        affordable = full_order**2 <= max(FULL_SHARE * n_rows * order, MIN_FULL_ENTRIES)
        self.full = n_outputs > 1 and (full_order <= MAX_FULL_EXACT_ORDER or (sampled and affordable))
        # Steps of nearly Newton's length and direction have nothing to teach each other.
        self.memory = 0 if self.full and objective.loss.shift_invariant else 2

    def _changed(self, now: Array, then: Array) -> bool:
        if self.exact or (self.objective.loss.sparse_curvature and not self.small):
            return super()._changed(now, then)
        # Errors of independent samples average out over iterations; those of one sample kept do not.
        return self.small or self.age >= SAMPLE_AGE * self.born

    def factor(self, point: Evaluation, diagonal: Array) -> Solve:
        """Cholesky factors at `point`."""
        if self.full and point.mean_loss.coupled:
            return self._factor_full(point, diagonal)
        if alike(diagonal):
            levels = diagonal[0].astype(np.float64)
            blocks = [self.design.regularized(level * self.design.background, level) for level in levels]
        elif self.exact and self.design.kept is not None:
            blocks = self._kept_blocks(self.design.kept, diagonal)
        else:
            blocks = [self._block(diagonal[:, k]) for k in range(diagonal.shape[1])]
        return _solver(blocks, repeatedly=self.objective.loss.sparse_curvature)

    def _kept_blocks(self, design: Array, diagonal: Array) -> list[Array]:
        """All blocks in one product, which for few columns is faster than a symmetric product each.

        Where most rows are sure of their class, and have next to no curvature, the Gram matrix stands for these.
        """
        weight = np.ascontiguousarray((diagonal * self.objective.row_weight).T, self.dtype)
        total = weight.sum(axis=1)
        typical = (weight * diagonal.T).sum(axis=1) / np.maximum(total, np.finfo(total.dtype).tiny)
        strong = FAINT * typical[:, None] < diagonal.T
        if np.count_nonzero(strong) < FEW_STRONG * strong.size:
            return [self._strong_block(design, *rows) for rows in zip(weight, strong, total, strict=True)]
        columns = design.T
        scaled = columns[None] * weight[:, None, :]
        products = (scaled.reshape(-1, len(design)) @ design).reshape(len(scaled), len(columns), -1)
        return [self.design.regularized(block, float(block[-1, -1])) for block in products]

    def _strong_block(self, design: Array, weight: Array, strong: Mask, total: float) -> Array:
        rows = np.flatnonzero(strong)
        share = weight[rows]
        scaled = design[rows] * np.sqrt(share)[:, None]
        block = scaled.T @ scaled
        block += (total - share.sum()) * self.design.gram
        return self.design.regularized(block, float(total))

    def _block(self, diagonal: Array) -> Array:
        weight = diagonal * self.objective.weight
        level = float(weight.sum())
        used = np.flatnonzero(weight)
        if self.exact or len(used) <= MAX_ACTIVE_PER_COLUMN * self.objective.shape[0]:
            if 2 * len(used) < len(weight):
                return self.design.regularized(self.design.weighted_gram(weight[used], used), level)
            return self.design.regularized(self.design.weighted_gram(weight), level)
        chosen, boost = self.design.pick(weight, self.sample)
        share = GRAM_SHARE_SMALL if self.small else GRAM_SHARE
        sampled = self.design.weighted_gram(weight[chosen] * boost, chosen)
        return self.design.regularized((1 - share) * sampled + (share * level) * self.design.background, level)

    def _factor_full(self, point: Evaluation, diagonal: Array) -> Solve:
        """Cholesky factor of the whole Hessian, classes coupled."""
        order, n_outputs = self.objective.shape
        weight = self.objective.weight
        if alike(diagonal):
            return self._common_solution(point)
        chosen: Indices | slice = ALL
        size = int(self.per_unknown * n_outputs * order)
        self.per_unknown = min(self.per_unknown + MORE_SAMPLED, MOST_SAMPLED)
        if size < EXACT_SHARE * len(weight):
            importance = weight * diagonal.sum(axis=1, dtype=np.float64)
            chosen, boost = self.design.pick(importance + np.finfo(np.float64).tiny, size)
            weight = weight[chosen] * boost
        design = self.design.take(chosen)
        root = np.sqrt(weight).astype(self.dtype)[:, None]
        curvature = point.curvature(chosen)

        def share(part: slice) -> Array:
            rows, scale, curved = design[part], root[part], curvature.take(part)
            hessian = np.zeros((n_outputs, order, n_outputs, order), self.dtype)
            for k in range(n_outputs):
                scaled = rows * (np.sqrt(curved.diagonal[:, k : k + 1]).astype(self.dtype) * scale)
                hessian[k, :, k, :] = scaled.T @ scaled
            flat = hessian.reshape(n_outputs * order, -1)
            for sign, vector in curved.dyads:
                heavy = vector.astype(self.dtype) * scale
                product = (heavy[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
                flat -= sign * (product.T @ product)
            return hessian

        largest = max(16, MAX_PRODUCT_ENTRIES // (n_outputs * order))
        hessian = reduce(np.add, mapped(share, parts(len(design), largest)))
        return self._factored_full(hessian)

    def _common_solution(self, point: Evaluation) -> Solve:
        """The solution where all rows have the same Hessian M, as at zero weights.

        The whole is then ``G D M + B D`` with the Gram matrix G and the penalty B of the unknowns D. The eigenvectors U
        of M, with the largest eigenvalue m, and V of G in the metric of ``G + B / m`` make it a multiplication of each
        entry of ``V^-1 D U``; G alone, which may be singular, would be no metric.
        """
        curvature = point.curvature(slice(0, 1))
        rows = curvature.total(np.ones((1, 1), curvature.diagonal.dtype)).astype(np.float64)
        levels, classes = np.linalg.eigh(rows)
        # Any positive number would do; without curvature anywhere there is nothing but the penalty.
        largest = float(levels[-1]) if levels[-1] > 0 else 1.0
        penalty = np.full(self.objective.shape[0], self.objective.alpha)
        penalty[-1] = self.objective.bias_stiffness if self.objective.fit_intercept else 1.0
        gram = self.design.gram.astype(np.float64)
        metric = gram + np.diag(penalty / largest)
        np.einsum("ii->i", metric)[:] += RIDGE[self.dtype] * np.trace(gram) / len(gram) + np.finfo(np.float64).tiny
        # Sums of single precision may be indefinite, which this factor mends.
        inverse = solve_triangular(cholesky(metric), np.eye(len(metric)), lower=True)
        shares, rotation = np.linalg.eigh(inverse @ gram @ inverse.T)
        columns = inverse.T @ rotation
        total = levels * shares[:, None] + largest * (1 - shares)[:, None] + 10 * RIDGE[self.dtype] * largest
        return lambda gradient: columns @ ((columns.T @ gradient @ classes) / total) @ classes.T

    def _factored_full(self, hessian: Array) -> Solve:
        objective = self.objective
        order, n_outputs = objective.shape
        flat = hessian.reshape(n_outputs * order, -1)
        diagonals = np.diag_indices(len(flat))
        level = float(np.trace(flat)) / len(flat)
        penalty = np.full((n_outputs, order), objective.alpha)
        penalty[:, -1] = objective.bias_stiffness if objective.fit_intercept else 1.0
        flat[diagonals] += penalty.ravel().astype(flat.dtype)
        flat[diagonals] += 10 * RIDGE[self.dtype] * level + np.finfo(flat.dtype).tiny
        if objective.shift_invariant:
            # A common shift of the classes is free; directions have none, so any curvature may be given to it.
            columns = np.arange(order)
            hessian[:, columns, :, columns] += level / n_outputs
        factor = cholesky(flat)
        dtype = self.dtype

        def solve(gradient: Array) -> Array:
            stacked = cho_solve(factor, gradient.T.ravel().astype(dtype))
            direction: Array = stacked.reshape(n_outputs, order).T.astype(np.float64)
            return direction

        return solve


def _solver(blocks: list[Array], *, repeatedly: bool) -> Solve:
    """Solution with every block; for repeated use small ones are inverted together, as calls outweigh arithmetic."""
    if repeatedly and len(blocks) > 1 and len(blocks[0]) <= SMALL_COLUMNS:
        inverses = np.linalg.inv(np.stack(blocks))
        inverses = (inverses + inverses.transpose(0, 2, 1)) / 2

        def multiply(gradient: Array) -> Array:
            columns: Array = np.matmul(inverses, gradient.T[:, :, None].astype(inverses.dtype))
            return columns[:, :, 0].T.astype(np.float64)

        return multiply
    factors = [cholesky(block) for block in blocks]

    def solve(gradient: Array) -> Array:
        right = gradient.T.astype(factors[0].dtype)
        columns = [cho_solve(f, g) for f, g in zip(factors, right, strict=True)]
        return np.stack(columns, axis=1).astype(np.float64)

    return solve
