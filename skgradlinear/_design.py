"""Standardized rows with a constant column, and sums over them: what approximate Hessians are made of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from ._rows import ALL, PART_ENTRIES, CSRRows
from ._systems import RIDGE, cholesky
from ._threads import mapped, parts
from .losses._base import Array, Indices

if TYPE_CHECKING:
    from ._objective import Objective

# Standardized rows are kept while there are no more entries than this (8 MB).
MAX_KEPT_ENTRIES = 1 << 20
# Penalty, relative to the mean variance of a column, above which sums and factors are formed in float32.
COARSE_ALPHA = 1e-5
MIN_COARSE_ENTRIES = 1 << 16
# Poisson sampling of probabilities clipped at 1 comes out below its target.
OVERSAMPLING = 1.15
SKETCH = 12
LEVERAGE_ROWS = 1 << 14


class Design:
    """The rows z of an objective, standardized and with the constant 1 as their last entry; samples and sums of them.

    Rows are formed when they are needed, in blocks; only small ones are kept. A rough design takes no more than the
    diagonal of the Gram matrix: products of many rows with themselves take as long as dozens of passes over them. An
    exact one has the objective's own precision.
    """

    def __init__(self, objective: Objective, seed: int, *, rough: bool = False, exact: bool = False) -> None:
        self.objective = objective
        self.rough = rough
        self.seed = seed
        self.shape = len(objective.weight), objective.shape[0]
        n_rows, order = self.shape
        # A factor only has to point the way: float32 will do while the penalty is above its rounding. Small problems
        # stay in float64, so that rows with weights and repeated rows agree to all digits there.
        coarse = not exact and n_rows * order >= MIN_COARSE_ENTRIES
        if coarse:
            least = COARSE_ALPHA * max(objective.logit_variance / order, np.finfo(np.float64).tiny)
            coarse = objective.alpha >= least
        self.dtype = np.dtype(np.float32) if coarse else objective.dtype

    @cached_property
    def random(self) -> np.random.Generator:
        """What samples are drawn by; few rows never are."""
        return np.random.default_rng(self.seed)

    @cached_property
    def kept(self) -> Array | None:
        """The rows themselves, shape (n, d + 1), while they are few enough to keep."""
        if self.shape[0] * self.shape[1] > MAX_KEPT_ENTRIES or not self.objective.rows.dense:
            return None
        # Stored by columns: the products over rows then run along contiguous memory.
        columns = np.empty((self.shape[1], self.shape[0]), self.dtype)
        for where, block in self.objective.rows.dense_blocks():
            columns[:-1, where] = block.T
        self.objective.standardization.apply_to_columns(columns[:-1])
        columns[-1] = 1.0 if self.objective.fit_intercept else 0.0
        return columns.T

    @cached_property
    def gram(self) -> Array:
        """``sum_i w_i z_i z_i'``, shape (d + 1, d + 1)."""
        rows, weight = self.objective.rows, self.objective.weight
        return self._sparse_gram(rows, weight) if isinstance(rows, CSRRows) else self.weighted_gram(weight)

    def _sparse_gram(self, rows: CSRRows, weight: Array) -> Array:
        """The same from the products of the entries that are stored: the standardization acts on their sums."""
        objective, standardization = self.objective, self.objective.standardization
        mean, scale = standardization.mean, standardization.inverse_scale
        sums = rows.pull(weight[:, None].astype(rows.dtype))[:, 0]
        total = np.empty((self.shape[1], self.shape[1]))
        total[:-1, :-1] = rows.gram(weight) - np.outer(mean, sums) - np.outer(sums, mean) + np.outer(mean, mean)
        total[:-1, :-1] *= np.outer(scale, scale)
        total[-1, :-1] = total[:-1, -1] = (sums - mean) * scale if objective.fit_intercept else 0.0
        total[-1, -1] = 1.0 if objective.fit_intercept else 0.0
        return total.astype(self.dtype)

    @cached_property
    def background(self) -> Array:
        """What stands for the rows that a sample misses: the Gram matrix, or its diagonal by the moments."""
        if not self.rough:
            return self.gram
        return np.diag(self.objective.mean_squares).astype(self.dtype)

    @cached_property
    def leverage(self) -> Array:
        """Leverage of each row under the background; for a Gram matrix from few random directions by its factor."""
        if self.rough:
            standardization, diagonal = self.objective.standardization, self.background.diagonal()[:-1]
            root = np.sqrt(diagonal.astype(np.float64))
            scale = np.divide(standardization.inverse_scale, root, out=np.zeros(len(root)), where=root > 0)
            return self.objective.rows.squares(standardization.mean, scale) + float(self.objective.fit_intercept)
        order = self.shape[1]
        factor = cholesky(self.regularized(self.gram.copy(), 1.0)).astype(np.float64)
        directions = self.random.standard_normal((order, SKETCH)) / np.sqrt(SKETCH)
        slope, offset = self.objective.standardization.to_data_units(
            solve_triangular(factor, directions, lower=True, trans="T")
        )
        leverage = np.empty(self.shape[0])
        for start in range(0, len(leverage), LEVERAGE_ROWS):
            some = slice(start, start + LEVERAGE_ROWS)
            heights = self.objective.rows.take(some).logits(slope, offset)
            np.einsum("ik,ik->i", heights, heights, out=leverage[some], casting="unsafe")
        return leverage

    def take(self, chosen: Indices | slice = ALL) -> Array:
        """All rows, or those at some indices, in one array; not to be written to."""
        if self.kept is not None:
            return self.kept if isinstance(chosen, slice) else self.kept[chosen]
        size = self._count(chosen)
        taken = np.empty((size, self.shape[1]), self.dtype)

        def fill(part: slice) -> None:
            start = part.start
            for block in self._form(_within(chosen, part)):
                taken[start : start + len(block)] = block
                start += len(block)

        list(mapped(fill, self._parts(size)))
        return taken

    def weighted_gram(self, weight: Array, chosen: Indices | slice = ALL) -> Array:
        """``sum_i weight_i z_i z_i'`` over all rows or some, one weight for each of them."""

        def share(part: slice) -> Array:
            total = np.zeros((self.shape[1], self.shape[1]), self.dtype)
            start = part.start
            for design in self._blocks(_within(chosen, part)):
                root = np.sqrt(weight[start : start + len(design)]).astype(design.dtype)
                scaled = design * root[:, None]
                total += scaled.T @ scaled
                start += len(design)
            return total

        return reduce(np.add, mapped(share, self._parts(self._count(chosen))))

    def _count(self, chosen: Indices | slice) -> int:
        return self.shape[0] if isinstance(chosen, slice) else len(chosen)

    def _parts(self, n_rows: int) -> list[slice]:
        return parts(n_rows, max(16, PART_ENTRIES // self.shape[1]))

    def _blocks(self, chosen: Indices | slice) -> Iterator[Array]:
        if self.kept is None:
            yield from self._form(chosen)
        else:
            yield self.kept[chosen]

    def _form(self, chosen: Indices | slice) -> Iterator[Array]:
        for _, block in self.objective.rows.dense_blocks(chosen):
            design = np.empty((len(block), block.shape[1] + 1), self.dtype)
            design[:, :-1] = self.objective.standardization.apply(block)
            design[:, -1] = 1.0 if self.objective.fit_intercept else 0.0
            yield design

    def pick(self, importance: Array, size: int) -> tuple[Indices, Array]:
        """About `size` rows drawn in proportion to importance and leverage, and 1 / probability of each of them."""
        probability = importance * self.leverage
        probability *= OVERSAMPLING * size / max(float(probability.sum()), np.finfo(probability.dtype).tiny)
        chosen = np.flatnonzero(self.random.random(len(probability)) < probability)
        return chosen, 1 / np.minimum(probability[chosen], 1.0)

    def regularized(self, matrix: Array, level: float) -> Array:
        """A weighted Gram matrix plus the penalty and a ridge for rounding, in place."""
        objective = self.objective
        diagonal = np.einsum("ii->i", matrix)
        ridge = RIDGE[self.dtype] * max(float(diagonal.sum()) / len(matrix), level)
        ridge += float(np.finfo(self.dtype).tiny)
        diagonal[:-1] += ridge + objective.alpha
        diagonal[-1] += ridge + (objective.bias_stiffness if objective.fit_intercept else 1.0)
        return matrix


def _within(chosen: Indices | slice, part: slice) -> Indices | slice:
    """A part of the rows that are chosen; a slice chooses all."""
    return part if isinstance(chosen, slice) else chosen[part]
