"""The rows that separate outputs share, with Newton systems: whole ones of dense rows, products of sparse ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg.lapack import dposv

from .._design import Design
from .._systems import UNIT_RIDGE, scaled_solver
from ..losses._base import Array, Indices, Mask

if TYPE_CHECKING:
    from .._objective import Objective

# Second derivative that a bias has at least, of the one that it has when all rows are active.
BIAS_STIFFNESS = 1e-3
# A centre is used up when what its own problem still lacks is this share of what the smoothing costs. Where outputs
# take their steps abreast, new centres cost the others steps.
INNER_SHARE, INNER_SHARE_ABREAST = 2.0, 0.5
# The sums over their active rows that outputs remember take no more entries than this together (16 MB), and are formed
# anew where a column has lost all but this share of its own.
MAX_REMEMBERED, LEAST_LEFT = 1 << 21, 1e-6
# What has changed is not looked for where a sum is of so few entries of the rows.
FEW_ENTRIES = 1 << 11


class System(NamedTuple):
    """``(sum_i w_i z_i z_i' / mu + diag(stiffness)) step = descent`` over the active rows.

    `known` is the output's `memory`, and the stiffness that of the rows if None.
    """

    descent: Array
    active: Mask
    mu: float
    known: ActiveGram | None = None
    stiffness: Array | None = None


class KeptRows(ABC):
    """The rows with a weight, standardized and with a constant 1 if there is an intercept; all that outputs share."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        self.free = objective.fit_intercept
        self.used = used
        self.dtype = objective.dtype
        self.inner_share = INNER_SHARE
        self.weight = objective.weight[used].astype(self.dtype, copy=False)
        self.alpha = objective.alpha
        self.order = objective.shape[0] - 1 + self.free
        # Where the weights are in the parameters, and the second derivative of their penalty.
        self.slopes = slice(0, self.order - self.free)
        self.stiffness = np.full(self.order, objective.alpha)
        self.stiffness[self.slopes.stop :] = 0.0
        # The weight of every row, where these are alike; 0 elsewhere.
        self.share = float(self.weight[0]) if (self.weight == self.weight[0]).all() else 0.0

    @abstractmethod
    def push(self, params: Array) -> Array:
        """Logits of all rows, shape (n,)."""

    @abstractmethod
    def pull(self, weights: Array) -> Array:
        """Sum of the rows with weights, shape (order,)."""

    @abstractmethod
    def newton(self, system: System) -> Array:
        """About the solution of a Newton system."""

    @abstractmethod
    def push_all(self, params: Array) -> Array:
        """`push` for several outputs: logits (..., n) of parameters (..., order)."""

    @abstractmethod
    def pull_all(self, weights: Array) -> Array:
        """`pull` for several outputs: sums (..., order) of the rows with weights (..., n)."""

    @abstractmethod
    def newtons(self, descent: Array, active: Mask, kept: Mask, mu: float, stiffness: Array, mass: Array) -> Array:
        """`newton` for outputs of folds: descents (F, G, order).

        Active rows are (F, G, n), or (1, G, n) where all folds have the same; a fold has those that it keeps, (F, n).
        These have a mass (F,) in units of the weights; its stiffness is (F, order).
        """

    def memory(self) -> ActiveGram | None:
        """What an output may keep of its last system."""
        return None

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
        self.remembered = objective.shape[1] * self.order**2 <= MAX_REMEMBERED

    @cached_property
    def gram(self) -> Array:
        """``sum_i z_i z_i'`` over all rows."""
        total: Array = self.rows.T.dot(self.rows)
        return total

    def push(self, params: Array) -> Array:
        logits: Array = self.rows.dot(params)
        return logits

    def pull(self, weights: Array) -> Array:
        total: Array = weights.dot(self.rows)
        return total

    def newton(self, system: System) -> Array:
        """From the whole system."""
        descent, active, mu, known, stiffness = system
        hessian = (known or self.memory()).at(active) * ((self.share or 1.0) / mu)
        diagonal = hessian.ravel()[:: self.order + 1]
        diagonal += self.stiffness if stiffness is None else stiffness
        if self.free:
            diagonal[-1] += self.bias_stiffness(mu)
        diagonal *= 1 + UNIT_RIDGE
        # LAPACK itself: see `cholesky`. Its factor is as good as that of a matrix scaled to a unit diagonal.
        _, solution, refused = dposv(hessian.T, descent, lower=True)
        return scaled_solver(hessian, UNIT_RIDGE)(descent) if refused else solution

    def push_all(self, params: Array) -> Array:
        logits: Array = params @ self.rows.T
        return logits

    def pull_all(self, weights: Array) -> Array:
        total: Array = weights @ self.rows
        return total

    def newtons(self, descent: Array, active: Mask, kept: Mask, mu: float, stiffness: Array, mass: Array) -> Array:
        """From the whole systems, all together."""
        known = self.memory()
        if len(active) < len(kept):
            # What the folds leave out is mostly less than what they keep.
            shared = np.array([known.at(own) for own in active[0]])
            hessian = shared - np.array([[known.at(own & ~mask) for own in active[0]] for mask in kept])
            # Where next to nothing is left of a column, what is left is rounding.
            left, whole = (np.einsum("...ii->...i", total) for total in (hessian, shared))
            for fold, output in np.argwhere((left < LEAST_LEFT * whole).any(axis=-1)):
                hessian[fold, output] = known.at(active[0, output] & kept[fold])
        else:
            hessian = np.array([[known.at(o & mask) for o in own] for own, mask in zip(active, kept, strict=True)])
        narrowness = mass / mu
        hessian *= (self.share or 1.0) * narrowness[:, None, None, None]
        diagonal = np.einsum("...ii->...i", hessian)
        diagonal += stiffness[:, None]
        diagonal += np.finfo(np.float64).tiny
        if self.free:
            diagonal[..., -1] += np.minimum(self.alpha, BIAS_STIFFNESS * narrowness)[:, None]
        scale = 1 / np.sqrt(diagonal)
        hessian *= scale[..., None]
        hessian *= scale[..., None, :]
        diagonal += UNIT_RIDGE
        solution: Array = scale * np.linalg.solve(hessian, (scale * descent)[..., None])[..., 0]
        return solution

    def memory(self) -> ActiveGram:
        return ActiveGram(self)


class ActiveGram:
    """``sum_i z_i z_i'`` over the active rows of an output; weighted, unless all rows have the same weight.

    Few rows become active or cease to be from one step to the next, and the sum over these changes the last one's. A
    difference has few digits where weights differ, or where large rows leave small ones behind.
    """

    def __init__(self, kept: KeptDenseRows) -> None:
        self.kept = kept
        self._last: tuple[Mask, Array] | None = None
        self._largest = np.zeros(kept.order)

    def at(self, active: Mask) -> Array:
        """The sum over these rows, not to be written to."""
        if not self.kept.share:
            return self._sum(active)
        n_active = np.count_nonzero(active)
        n_summed = int(min(n_active, len(active) - n_active))
        total = self._changed(active, n_summed) if n_summed * self.kept.order > FEW_ENTRIES else None
        if total is None:
            total = self._sum(active) if n_summed == n_active else self.kept.gram - self._sum(~active)
            self._largest = total.diagonal()
        if self.kept.remembered:
            self._last = active, total
        return total

    def _changed(self, active: Mask, n_summed: int) -> Array | None:
        """The last sum and its changes, where these are fewer rows than so many, and leave digits enough."""
        if self._last is None:
            return None
        before, known = self._last
        changed = active != before
        if np.count_nonzero(changed) >= n_summed:
            return None
        total = known + self._sum(changed & active)
        total -= self._sum(changed & before)
        return total if (total.diagonal() >= LEAST_LEFT * self._largest).all() else None

    def _sum(self, chosen: Mask) -> Array:
        (indices,) = chosen.nonzero()
        rows = self.kept.rows.take(indices, axis=0)
        if not self.kept.share:
            rows *= np.sqrt(self.kept.weight.take(indices))[:, None]
        total: Array = rows.T.dot(rows)
        return total
