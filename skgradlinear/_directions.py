"""Where to search next: Newton's direction, as nearly as it is worth.

A rule of directions turns the curvature at a point into a map from the gradient to (minus) a direction. Few unknowns
have the Hessian itself; many columns and classes conjugate gradients on a sample of the rows, which costs a fraction of
a pass, and after some of these on all rows; one output of many columns and sparse rows, whose passes are cheap,
conjugate gradients on all rows; a hinge conjugate gradients on its active rows; what remains a preconditioner alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ._conjugate_gradient import FORCING, conjugate_gradient
from ._conjugate_gradient import MAX_STEPS as MAX_CONJUGATE_STEPS
from ._design import MAX_KEPT_ENTRIES, MIN_COARSE_ENTRIES, Design
from ._evaluation import Evaluation
from ._preconditioner import Blocks, Diagonal, Preconditioner, Solve, alike
from ._systems import RIDGE, cho_solve, cholesky, scaled_solver
from ._thin import thin_product
from ._threads import mapped, parts
from .losses._base import Array, Curvature

if TYPE_CHECKING:
    from ._objective import Objective

# The whole Hessian is formed from all rows up to this order, and while its terms are no more entries than this.
MAX_EXACT_ORDER, MAX_EXACT_ENTRIES = 200, 1 << 18
# Outputs that do not interact have each a Hessian of their own, from rows that are kept, up to so many multiplications.
MAX_EXACT_PRODUCTS = 1 << 24
# Blocks are formed while their factors are no more entries than this (240 MB in float64 at the limit).
MAX_BLOCK_ENTRIES = 30_000_000
MAX_BLOCK_COLUMNS = 3_000
# Rows of a sparse matrix are made dense in small groups to form blocks, if they are no longer than this.
MAX_SPARSE_BLOCK_COLUMNS = 512
# A sample holds this many rows per column at first, more with every iteration and at last so many: the nearer the
# optimum, the more its error counts. It holds no more than a share of all rows but the least, or else all of them.
FIRST_ROWS, MORE_ROWS, MAX_ROWS = 5.0, 0.5, 16.0
MAX_SHARE, WHOLE_SHARE = 0.35, 0.7
# Share of the Gram matrix mixed into a sampled Hessian: a plain sample misses rare columns altogether.
GRAM_SHARE = 0.1
# Directions from samples, after which all rows are taken: more where what preconditions these is from a sample, too.
MAX_SAMPLES, MAX_SAMPLES_OF_MANY = 16, 24
# Entries of a part of a sample: 4 MB in float32.
SAMPLE_ENTRIES = 1 << 20
# Steps inside: far from the optimum the Hessian is soon another one, so few at first, and one more each iteration.
FIRST_STEPS, MAX_STEPS = 5, 20
# The residual of the first direction of one smooth output of sparse rows, and how much less each further one may have.
FIRST_FORCING, LESS_FORCING = 0.4, 0.1
# The rows are weighted by their mean curvature in the inner preconditioner where that costs less than a few steps.
WEIGHTED_COLUMNS_PER_CLASS = 40


class Rule(Protocol):
    """Maps gradients to directions, at one point after the other."""

    # Whether the Hessian is exact, so that a step along the direction is all there is to search.
    newton: bool
    # How many earlier steps are worth searching besides.
    memory: int

    def at(self, point: Evaluation) -> Solve:
        """Map from a gradient (d + 1, K) to about the inverse Hessian at `point` times it."""
        ...


def choose(objective: Objective, seed: int) -> Rule:
    """The rule of directions for this shape of problem."""
    order, n_outputs = objective.shape
    if ExactNewton.suits(objective):
        return ExactNewton(objective)
    hinge, dense = objective.loss.sparse_curvature, objective.rows.dense
    columns = MAX_BLOCK_COLUMNS if dense else MAX_SPARSE_BLOCK_COLUMNS
    if order > columns or n_outputs * order**2 > MAX_BLOCK_ENTRIES:
        diagonal = Diagonal(objective)
        return ActiveNewton(diagonal, few_steps=not hinge) if hinge or not dense else diagonal
    blocks = Blocks(objective, seed)
    if blocks.full and not hinge:
        return blocks
    if hinge or n_outputs == 1:
        return ActiveNewton(blocks, first_forcing=FORCING if hinge or dense else FIRST_FORCING)
    return Staged(objective, blocks) if dense else ActiveNewton(Diagonal(objective), few_steps=True)


class ExactNewton:
    """Newton's direction from the whole Hessian of few rows and unknowns, or of each of several separate outputs."""

    memory = 0

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        order, n_outputs = objective.shape
        # Each output of several that do not interact has a best step, which the search in the subspace finds: it takes
        # fewer steps, but as long as several where rows are few.
        few = len(objective.weight) * order < MIN_COARSE_ENTRIES
        self.newton = few or n_outputs == 1 or objective.mean_loss.coupled
        self.stiffness = np.full((n_outputs, order), objective.alpha)
        self.stiffness[:, -1] = objective.bias_stiffness if objective.fit_intercept else 1.0
        # A common shift of the classes is free; directions have none, so any curvature may be given to it.
        self.shift = 1.0 / n_outputs if objective.shift_invariant else 0.0

    @cached_property
    def design(self) -> Array:
        """The standardized rows, shape (n, d + 1)."""
        return Design(self.objective, 0).take()

    @cached_property
    def squares(self) -> Array:
        """The products of each row with itself, shape (n, (d + 1)**2)."""
        design = np.ascontiguousarray(self.design)
        squares: Array = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
        return squares

    @staticmethod
    def suits(objective: Objective) -> bool:
        """Whether the Hessian is formed in less time than it takes to think of something better."""
        order, n_outputs = objective.shape
        entries = len(objective.weight) * order
        if not objective.rows.dense or order > MAX_EXACT_ORDER:
            return False
        if not objective.mean_loss.coupled and not objective.loss.sparse_curvature:
            most = min(MAX_KEPT_ENTRIES, MAX_EXACT_PRODUCTS // order)
            return bool(entries <= max(MAX_EXACT_ENTRIES, most))
        largest = order if n_outputs == 1 else max(order, n_outputs) ** 2
        return bool(order * n_outputs <= MAX_EXACT_ORDER and len(objective.weight) * largest <= MAX_EXACT_ENTRIES)

    def at(self, point: Evaluation) -> Solve:
        """Map from a gradient to the inverse Hessian at `point` times it."""
        order, n_outputs = self.objective.shape
        curvature = point.curvature(slice(None))
        weighted = curvature.diagonal * self.objective.row_weight
        if not curvature.dyads:
            return self._separately(curvature.diagonal, weighted)
        rows = np.zeros((n_outputs, n_outputs, len(weighted)), weighted.dtype)
        np.einsum("kki->ki", rows)[:] = weighted.T
        for sign, vector in curvature.dyads:
            columns = vector.T
            rows -= (sign * self.objective.row_weight[:, 0] * columns)[:, None] * columns
        flat = rows.reshape(-1, len(weighted)).astype(self.squares.dtype, copy=False)
        pairs = (flat @ self.squares).reshape(n_outputs, n_outputs, order, order)
        hessian = pairs.transpose(0, 2, 1, 3).reshape(n_outputs * order, -1)
        diagonal = np.einsum("ii->i", hessian)
        if self.shift:
            # Each column's own level: columns may differ by many orders of magnitude.
            level = diagonal.reshape(n_outputs, order).sum(axis=0) * (self.shift / n_outputs)
            np.einsum("kjlj->klj", hessian.reshape(n_outputs, order, n_outputs, order))[:] += level
        diagonal += self.stiffness.ravel().astype(hessian.dtype) + np.finfo(hessian.dtype).tiny
        stacked = scaled_solver(hessian, RIDGE[hessian.dtype])

        def solve(gradient: Array) -> Array:
            direction: Array = stacked(gradient.T.ravel()).reshape(n_outputs, order).T.astype(np.float64)
            return direction

        return solve

    def _weighted_gram(self, weight: Array) -> Array:
        heavy = self.design.T * np.sqrt(weight).astype(self.design.dtype, copy=False)
        product: Array = heavy @ heavy.T
        return product

    def _separately(self, diagonals: Array, weighted: Array) -> Solve:
        """Outputs that do not interact: a Hessian for each, all of them multiples of one while rows have the same."""
        solvers = []
        same = len(weighted.T) > 1 and alike(diagonals)
        gram = self._weighted_gram(self.objective.row_weight[:, 0]) if same else None
        for weight, level, stiffness in zip(weighted.T, diagonals[0], self.stiffness, strict=True):
            hessian = self._weighted_gram(weight) if gram is None else level.astype(gram.dtype) * gram
            diagonal = np.einsum("ii->i", hessian)
            diagonal += stiffness.astype(hessian.dtype) + np.finfo(hessian.dtype).tiny
            solvers.append(scaled_solver(hessian, RIDGE[hessian.dtype]))

        def solve(gradient: Array) -> Array:
            columns = [stacked(column) for stacked, column in zip(solvers, gradient.T, strict=True)]
            return np.stack(columns, axis=1).astype(np.float64)

        return solve


class ActiveNewton:
    """Newton's direction by conjugate gradients on the rows with curvature, preconditioned by another rule.

    Where the preconditioner is coarse and a product as dear as a search, the first direction is what it says, the
    second has two steps, and each one step more. Far from the optimum the Hessian is soon another one, and the first
    directions may be solved for less accurately.
    """

    newton, memory = False, 2

    def __init__(
        self, preconditioner: Preconditioner, *, few_steps: bool = False, first_forcing: float = FORCING
    ) -> None:
        self.preconditioner = preconditioner
        self.few_steps = few_steps
        self.forcing = first_forcing
        self.n_directions = 0

    def at(self, point: Evaluation) -> Solve:
        """Map from a gradient to about the inverse Hessian at `point` times it."""
        objective, factored = self.preconditioner.objective, self.preconditioner.at(point)
        self.n_directions += 1
        if self.few_steps and self.n_directions == 1:
            return factored
        steps = self.n_directions if self.few_steps else MAX_CONJUGATE_STEPS
        forcing = self.forcing
        self.forcing = max(forcing - LESS_FORCING, FORCING)
        hessp = objective.damped_hessp(point)
        # Common shifts cost no more than their penalty: they are taken out of the direction, not of each step.
        return lambda gradient: conjugate_gradient(hessp, gradient, factored, max_steps=steps, forcing=forcing)


class Staged:
    """Directions from samples of the rows first, and from all of them where these have not come to an end.

    Near the optimum a sample's error is what is left, and steps gain a few percent each. Conjugate gradients on all
    rows, preconditioned by blocks for each class, are as dear as a dozen of such steps, and a few of theirs will do.
    """

    newton, memory = False, 2

    def __init__(self, objective: Objective, blocks: Blocks) -> None:
        self.first = SampledNewton(objective, blocks.design)
        self.second = ActiveNewton(blocks)
        self.n_samples = MAX_SAMPLES if blocks.exact else MAX_SAMPLES_OF_MANY

    def at(self, point: Evaluation) -> Solve:
        """Map from a gradient to about the inverse Hessian at `point` times it."""
        return (self.first if self.first.n_directions < self.n_samples else self.second).at(point)


class SampledNewton:
    """Newton's direction by conjugate gradients on a sample of the rows, drawn anew for every direction.

    Rows are drawn in proportion to leverage and curvature, and weighted by the inverse of their probability; a share of
    the Gram matrix stands for what the sample misses. Few rows are all taken. The conjugate gradients are
    preconditioned by one factor for all classes, scaled by their curvature. Relatives: Byrd, Chin, Neveitt & Nocedal
    (2011), "On the use of stochastic Hessian information in optimization methods for machine learning".
    """

    def __init__(self, objective: Objective, design: Design) -> None:
        self.objective = objective
        self.design = design
        self.n_directions = 0

    @cached_property
    def whole(self) -> bool:
        """Whether all rows are taken; kept ones are formed for a first direction, of which a good start needs none."""
        n_rows, order = self.design.shape
        return self.design.kept is not None or FIRST_ROWS * order >= WHOLE_SHARE * n_rows

    def at(self, point: Evaluation) -> Solve:
        """Map from a gradient to about the inverse Hessian at `point` times it."""
        diagonal = point.diagonal()
        steps = min(FIRST_STEPS + self.n_directions, MAX_STEPS)
        self.n_directions += 1
        if alike(diagonal):
            # Every row has the same Hessian: the factor is that of the Gram matrix, and conjugate gradients add little.
            return self._free(self._factor(diagonal, None))
        sample = self._sample(point, diagonal)
        hessp = self._free(self.objective.damped_hessp(point) if sample is None else self._hessp(sample, diagonal))
        precondition = self._free(self._factor(diagonal, sample))
        return lambda gradient: conjugate_gradient(hessp, gradient, precondition, max_steps=steps)

    def _sample(self, point: Evaluation, diagonal: Array) -> _Sample | None:
        """The rows that stand for all; None if these are not to be copied."""
        weight = self.objective.row_weight
        if self.whole:
            kept = self.design.kept
            return None if kept is None else _Sample(kept, weight, diagonal, point.curvature(slice(None)), 0.0)
        n_rows, order = self.design.shape
        per_column = min(FIRST_ROWS + MORE_ROWS * self.n_directions, MAX_ROWS, MAX_SHARE * n_rows / order)
        importance = diagonal.sum(axis=1, dtype=np.float64) * self.objective.weight + np.finfo(np.float64).tiny
        chosen, boost = self.design.pick(importance, int(max(per_column, FIRST_ROWS) * order))
        weight = (self.objective.weight[chosen] * boost).astype(self.objective.dtype)[:, None]
        rows = self.design.take(chosen)
        return _Sample(rows, weight, diagonal[chosen], point.curvature(chosen), GRAM_SHARE)

    def _hessp(self, sample: _Sample, diagonal: Array) -> Solve:
        """Product with the sampled Hessian."""
        objective, rows, dtype = self.objective, sample.rows, self.design.dtype
        stiffness = np.full((objective.shape[0], 1), objective.alpha)
        stiffness[-1] = objective.bias_stiffness
        gram_share = (sample.gram_share * self._level(diagonal)).astype(dtype)

        some = parts(len(rows), max(16, SAMPLE_ENTRIES // objective.shape[0]))

        def hessp(direction: Array) -> Array:
            narrow = np.ascontiguousarray(direction.T, dtype)

            def share(part: slice) -> Array:
                logits = thin_product(narrow, rows[part].T).T
                pushed = sample.curvature.take(part).matvec(logits) * sample.weight[part]
                return thin_product(pushed.T.astype(dtype, copy=False), rows[part])

            product = reduce(np.add, mapped(share, some))
            if sample.gram_share:
                product *= 1 - sample.gram_share
                product += thin_product(narrow, self.design.gram) * gram_share[:, None]
            total: Array = product.T + stiffness * direction
            return total

        return hessp

    def _factor(self, diagonal: Array, sample: _Sample | None) -> Solve:
        """Solution with one matrix for all classes, scaled by the curvature of each."""
        order, n_outputs = self.objective.shape
        level = self._level(diagonal)
        mean = float(level.mean())
        if sample is None or order > WEIGHTED_COLUMNS_PER_CLASS * n_outputs:
            matrix = mean * self.design.gram
        else:
            weight = sample.diagonal.mean(axis=1, keepdims=True) * sample.weight
            heavy = sample.rows * np.sqrt(weight).astype(self.design.dtype)
            matrix = (1 - sample.gram_share) * (heavy.T @ heavy) + (sample.gram_share * mean) * self.design.gram
        factor = cholesky(self.design.regularized(matrix, mean))
        scale = mean / level

        def solve(gradient: Array) -> Array:
            solution = cho_solve(factor, gradient.astype(factor.dtype))
            scaled: Array = solution.astype(np.float64) * scale
            return scaled

        return solve

    def _level(self, diagonal: Array) -> Array:
        """Mean curvature of each class, shape (K,); one that is sure of all rows counts as barely curved."""
        level: Array = (diagonal * self.objective.row_weight).sum(axis=0, dtype=np.float64)
        least: float = max(float(level.max()) * float(np.finfo(np.float32).eps), float(np.finfo(np.float32).tiny))
        level = np.maximum(level, least)
        return level

    def _free(self, product: Solve) -> Solve:
        """The map with directions free of common shifts."""
        return lambda direction: self.objective.free_of_shift(product(direction))


@dataclass(frozen=True)
class _Sample:
    """Standardized rows with a weight (m, 1), the curvature and its main diagonal (m, K), and the Gram's share."""

    rows: Array
    weight: Array
    diagonal: Array
    curvature: Curvature
    gram_share: float
