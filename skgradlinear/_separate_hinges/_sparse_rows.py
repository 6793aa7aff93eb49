"""Sparse rows that separate outputs share: products for all of them at once, and Newton systems by these.

A product of sparse rows with many columns takes a fraction of the time of as many products with one, and as little of
the interpreter's time as one. Where few rows are active these alone are taken, those of all outputs in one matrix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._conjugate_gradient import MAX_STEPS, conjugate_gradients, some
from ..losses._base import Array, Indices, Mask
from ._rows import INNER_SHARE, INNER_SHARE_ABREAST, KeptDenseRows, KeptRows, System

if TYPE_CHECKING:
    from .._objective import Objective

# Active rows are taken out of all rows where these are fewer, and products with them no dearer: an entry costs about so
# much in a product with one column for each, and so much in one with many for itself and for each of them.
ENTRY, COLUMN = 2.0, 0.1
# Float32 saves time where columns are at least this many.
MANY_OUTPUTS = 4


class KeptSparseRows(KeptRows):
    """Rows of a CSR matrix, standardized on the way, in the precision of the objective."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        super().__init__(objective, used)
        self.inner_share = INNER_SHARE_ABREAST if objective.shape[1] > 1 else INNER_SHARE
        everywhere = len(used) == len(objective.weight)
        self.rows = objective.rows.X if everywhere else objective.rows.X[used]
        self.columns = self.rows.T
        self.scale, self.mean = objective.standardization.inverse_scale, objective.standardization.mean
        self.plain = bool((self.scale == 1).all() and not self.mean.any())

    def push(self, params: Array) -> Array:
        logits: Array = self._pushed(params[None])[0]
        return logits

    def pull(self, weights: Array) -> Array:
        total: Array = self._pulled(weights[:, None])[0]
        return total

    def push_all(self, params: Array) -> Array:
        logits: Array = self._pushed(params.reshape(-1, self.order)).reshape(*params.shape[:-1], -1)
        return logits

    def pull_all(self, weights: Array) -> Array:
        columns = np.ascontiguousarray(weights.reshape(-1, weights.shape[-1]).T)
        total: Array = self._pulled(columns).reshape(*weights.shape[:-1], self.order)
        return total

    def _pushed(self, params: Array) -> Array:
        slopes, constants = self.to_entries(params)
        logits = self.rows @ np.ascontiguousarray(slopes.T, self.dtype)
        if self.free:
            logits += constants.astype(self.dtype)
        return np.ascontiguousarray(logits.T)

    def _pulled(self, weights: Array) -> Array:
        sums = (self.columns @ weights).T.astype(np.float64, order="C")
        return self.from_entries(sums, weights.sum(axis=0, dtype=np.float64))

    def to_entries(self, params: Array) -> tuple[Array, Array]:
        """What entries are multiplied by, and what is added, shapes (K, d) and (K,), given parameters (K, order)."""
        slopes = params[:, self.slopes]
        if not self.plain:
            slopes = slopes * self.scale.astype(params.dtype)
        constants = params[:, -1] if self.free else np.zeros(len(params), params.dtype)
        if self.free and not self.plain:
            constants = constants - slopes @ self.mean.astype(params.dtype)
        return slopes, constants

    def from_entries(self, sums: Array, totals: Array) -> Array:
        """The adjoint of `to_entries`, in the memory of the sums if it can."""
        if self.free and not self.plain:
            sums -= totals[:, None] * self.mean.astype(sums.dtype)
        if not self.plain:
            sums *= self.scale.astype(sums.dtype)
        if not self.free:
            return sums
        pulled: Array = np.empty((len(sums), self.order), sums.dtype, "C" if sums.flags.c_contiguous else "F")
        pulled[:, self.slopes] = sums
        pulled[:, -1] = totals
        return pulled

    def newton(self, system: System) -> Array:
        found: Array = self.newton_all([system], MAX_STEPS)[0]
        return found

    def newton_all(self, systems: Sequence[System], max_steps: int) -> Array:
        """`newton` for several outputs: by conjugate gradients, preconditioned by the diagonal, of so many steps."""
        n_rows, n_outputs = len(self.weight), len(systems)
        n_active = sum(int(np.count_nonzero(system.active)) for system in systems)
        few = n_active < n_rows * n_outputs and n_active <= (ENTRY + COLUMN * n_outputs) * n_rows
        products = (ActiveRows if few else AllRows)(self, systems)
        descents = np.array([system.descent for system in systems]).astype(self.dtype, products.memory)
        found: Array = conjugate_gradients(products, descents, max_steps).astype(np.float64, order="C")
        return found

    def newtons(self, descent: Array, active: Mask, kept: Mask, mu: float, stiffness: Array, mass: Array) -> Array:
        """All together."""
        n_folds, n_outputs, _ = descent.shape
        own = np.broadcast_to(active & kept[:, None], (n_folds, n_outputs, active.shape[-1]))
        systems = [
            System(descent[f, g], own[f, g], mu / float(mass[f]), None, stiffness[f])
            for f in range(n_folds)
            for g in range(n_outputs)
        ]
        found: Array = self.newton_all(systems, MAX_STEPS).reshape(descent.shape)
        return found


class Products(ABC):
    """The Newton systems of some outputs, each with its active rows; arrays of shape (K, order)."""

    # How these arrays lie in memory: by outputs, or by columns.
    memory: Literal["C", "F"]

    def __init__(self, kept: KeptSparseRows, systems: Sequence[System]) -> None:
        self.kept = kept
        # A penalty of their own have the outputs of folds, all of them or none.
        own = [system.stiffness for system in systems if system.stiffness is not None]
        self.stiffness = np.array(own or [kept.stiffness], kept.dtype, order=self.memory)
        self.biases = np.array([kept.bias_stiffness(system.mu) for system in systems], kept.dtype)
        narrowness = 1 / np.array([system.mu for system in systems], kept.dtype)
        self._begin([system.active for system in systems], narrowness)

    def _set_up(self, squares: Array, sums: Array, totals: Array) -> None:
        """The preconditioner, from the weighted sums of squared entries, of entries and of ones."""
        kept, tiny = self.kept, float(np.finfo(np.float64).tiny)
        if not kept.plain:
            mean, scale = kept.mean.astype(kept.dtype), kept.scale.astype(kept.dtype)
            squares = np.maximum(squares - 2 * mean * sums + mean**2 * totals[:, None], 0) * scale**2
        diagonal = squares + self.stiffness[:, kept.slopes]
        diagonal += tiny
        if kept.free:
            diagonal = np.append(diagonal, (totals + self.biases + tiny)[:, None], axis=1)
        self.inverse = np.asarray(1 / diagonal, kept.dtype, self.memory)

    def __call__(self, directions: Array) -> Array:
        """The systems times a direction of each output."""
        kept = self.kept
        product: Array = kept.from_entries(*self._curved(*kept.to_entries(directions)))
        product[:, kept.slopes] += self.stiffness[:, kept.slopes] * directions[:, kept.slopes]
        if kept.free:
            product[:, -1] += self.biases * directions[:, -1]
        return product

    def precondition(self, residuals: Array, out: Array) -> Array:
        """About the inverse systems times residuals."""
        product: Array = np.multiply(self.inverse, residuals, out=out)
        return product

    def keep(self, chosen: Mask) -> None:
        """Go on with some of the outputs."""
        if len(self.stiffness) == len(chosen):
            self.stiffness = some(self.stiffness, chosen)
        self.biases, self.inverse = self.biases[chosen], some(self.inverse, chosen)
        self._keep(chosen)

    @abstractmethod
    def _begin(self, active: Sequence[Mask], narrowness: Array) -> None:
        """Take the active rows of each output, whose weights are multiplied by its narrowness, and `_set_up`."""

    @abstractmethod
    def _curved(self, slopes: Array, constants: Array) -> tuple[Array, Array]:
        """Sums of the active rows' weighted logits times the entries, and of these alone."""

    @abstractmethod
    def _keep(self, chosen: Mask) -> None:
        """Forget the other outputs' rows."""


class AllRows(Products):
    """Products with all rows, those that are not active without a weight."""

    memory = "F"

    def _begin(self, active: Sequence[Mask], narrowness: Array) -> None:
        kept = self.kept
        self.weight = np.stack(active).T.astype(kept.dtype, order="C")
        self.weight *= kept.weight[:, None]
        self.weight *= narrowness
        rows, columns = kept.rows, kept.columns
        squares = type(rows)((rows.data**2, rows.indices, rows.indptr), shape=rows.shape).T @ self.weight
        self._set_up(squares.T, squares.T if kept.plain else (columns @ self.weight).T, self.weight.sum(axis=0))

    def _curved(self, slopes: Array, constants: Array) -> tuple[Array, Array]:
        logits = self.kept.rows @ slopes.T
        logits += constants
        logits *= self.weight
        totals = logits.sum(axis=0) if self.kept.free else constants
        return (self.kept.columns @ logits).T, totals

    def _keep(self, chosen: Mask) -> None:
        self.weight = self.weight.compress(chosen, axis=1)


class ActiveRows(Products):
    """Active rows of all outputs, one below another, each output with columns of its own."""

    memory = "C"

    def _begin(self, active: Sequence[Mask], narrowness: Array) -> None:
        kept = self.kept
        where = [one.nonzero()[0] for one in active]
        chosen = np.concatenate(where)
        self.owner = np.repeat(np.arange(len(where)), [len(one) for one in where])
        self.weight = kept.weight[chosen] * narrowness[self.owner]
        self._lay_out(kept.rows[chosen], self.owner)
        rows, shape = self.rows, (len(where), -1)
        squares = type(rows)((rows.data**2, rows.indices, rows.indptr), shape=rows.shape).T @ self.weight
        sums = squares if kept.plain else self.columns @ self.weight
        self._set_up(squares.reshape(shape), sums.reshape(shape), self._totals(self.weight))

    def _lay_out(self, rows: Any, shift: Indices) -> None:
        """Take rows whose columns belong to outputs so much further on."""
        d, largest = self.kept.rows.shape[1], len(self.biases) * self.kept.rows.shape[1]
        index = np.promote_types(rows.indices.dtype, np.min_scalar_type(-largest))
        columns = np.repeat((shift * d).astype(index), np.diff(rows.indptr))
        columns += rows.indices
        self.rows = type(rows)((rows.data, columns, rows.indptr), shape=(len(self.owner), largest))
        self.columns = self.rows.T

    def _totals(self, values: Array) -> Array:
        """The sum of each output's."""
        totals: Array = np.bincount(self.owner, values, len(self.biases)).astype(values.dtype)
        return totals

    def _curved(self, slopes: Array, constants: Array) -> tuple[Array, Array]:
        logits = self.rows @ slopes.ravel()
        if self.kept.free:
            logits += constants[self.owner]
        logits *= self.weight
        totals = self._totals(logits) if self.kept.free else constants
        return (self.columns @ logits).reshape(slopes.shape), totals

    def _keep(self, chosen: Mask) -> None:
        mine = chosen[self.owner]
        before = self.owner[mine]
        self.owner, self.weight = (np.cumsum(chosen) - 1)[before], self.weight[mine]
        self._lay_out(self.rows[mine], self.owner - before)


def kept_rows(objective: Objective) -> KeptDenseRows | KeptSparseRows:
    """The rows of an objective that have a weight, in its precision."""
    used = np.flatnonzero(objective.weight)
    return (KeptDenseRows if objective.rows.dense else KeptSparseRows)(objective, used)
