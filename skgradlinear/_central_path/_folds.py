"""The paths of a problem's folds, from the middle of its own.

At the waypoint the parameters are in balance with the duals of all rows. What the held-out rows have to do with that is
what a fold begins out of balance by. Each of Newton's steps takes a share of it away, and what is left is what the fold
still knows of the rows that it leaves out.

A fold is the problem with the weights of some rows set to zero and its columns standardized anew: in the units of the
whole problem, with another stiffness of each coefficient. So all folds have the same columns, and small ones walk
together, as outputs of one problem: calls of NumPy are most of what they take.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._standardization import IMMOVABLE
from ..losses._base import Array, Mask
from ._domains import Simplex
from ._forms import Form, Separate
from ._path import CentralPath, Waypoint

if TYPE_CHECKING:
    from .._objective import Objective

# Folds walk together up to so many violations: more leave the cache, and held-out rows take part in sums.
MAX_TOGETHER = 1 << 14
# Scores of a fold need no proof, but must not know the rows that it leaves out. These are what a fold begins out of
# balance by: a path ends where this share of that is left, and the gap is this share of the objective.
BALANCE, GAP = 0.05, 0.3
# A barrier below which nothing moves that probabilities would show.
NOTHING = 1e-5
# A path that is not there after so many steps leads nowhere in this precision.
LONGEST = 60


def fold_logits(
    objective: Objective,
    start: Waypoint,
    kept: Sequence[Mask],
    weight: Array,
    moment_weight: Array,
    strictness: float,
    steps: tuple[int, int],
) -> Iterator[Array | None]:
    """Logits (n, K) of all rows by each fold; None where its path does not get there.

    Parameters
    ----------
    objective : Objective
        The whole problem.
    start : Waypoint
        The middle of its path.
    kept : sequence of ndarray of shape (n,)
        The rows of each fold.
    weight, moment_weight : ndarray of shape (n,)
        Weights of the rows in the loss, and in the moments of the columns.
    strictness : float
        1 for scores that are good enough for a temperature; less for paths that end so much nearer to their ends.
    steps : tuple of int
        Smallest number of steps, unless the barrier is next to nothing before, and largest.
    """
    whole = CentralPath(objective, start)
    together = max(MAX_TOGETHER // whole.violations.size, 1)
    # The columns at hand are those of rows with a weight, which may not be all that have one in the moments.
    if isinstance(whole.domain, Simplex) or moment_weight[weight == 0].any():
        together = 1
    for first in range(0, len(kept), together):
        masks = kept[first : first + together]
        if len(masks) == 1:
            fold = objective.restricted(masks[0], weight, moment_weight)
            path = CentralPath(fold, start)
            there = _follow(path, 1, strictness, steps)
            yield fold.logits(path.params) if there.all() else None
            continue
        paths = _Together(whole, np.array(masks), weight, moment_weight)
        there = _follow(paths, len(masks), strictness, steps)
        logits = np.split(objective.logits(paths.params), len(masks), axis=1)
        for arrived, own in zip(there, logits, strict=True):
            yield own if arrived else None


def _follow(path: CentralPath, n_folds: int, strictness: float, steps: tuple[int, int]) -> Mask:
    """Step until all folds are there; whether each of them is."""

    def sums(values: Array) -> Array:
        total: Array = values.reshape(n_folds, -1).sum(axis=1)
        return total

    def imbalance() -> Array:
        return sums((path.stiffness * path.params.T + path._pull(path.domain.outputs(path.dual))) ** 2)

    def gap() -> Array:
        """By products and imbalance, in units of the objective."""
        value = sums(path.weight * path.domain.charge(path.violations)) + sums(path.stiffness * path.params.T**2) / 2
        products = path.gaps.reshape(n_folds, -1).max(axis=1)
        lacking = products + imbalance() / (2 * path.objective.alpha)
        share: Array = lacking / np.maximum(value, np.finfo(np.float64).tiny)
        return share

    first = imbalance()
    there = np.zeros(n_folds, dtype=bool)
    for step in range(min(steps[1], LONGEST)):
        if (there.all() and (step >= steps[0] or path.gap <= NOTHING)) or not path.step():
            break
        # What is out of range is not there.
        with np.errstate(over="ignore", invalid="ignore"):
            there = (imbalance() <= (strictness * BALANCE) ** 2 * first) & (gap() <= strictness * GAP)
    return there


class _Together(CentralPath):
    """The paths of some folds as those of outputs of one problem.

    Parameters
    ----------
    whole : CentralPath
        The path of the whole problem, at its waypoint.
    kept : ndarray of shape (F, n)
        The rows of each fold.
    weight, moment_weight : ndarray of shape (n,)
        Weights of the rows in the loss, and in the moments of the columns.
    """

    def __init__(self, whole: CentralPath, kept: Array, weight: Array, moment_weight: Array) -> None:
        self.objective, self.used, self.columns, self.domain = whole.objective, whole.used, whole.columns, whole.domain
        n_outputs = whole.params.shape[1]
        weights, moment_weights = (_shares(values * kept)[:, whole.used] for values in (weight, moment_weight))
        variance, moves = self._variances(moment_weights)
        stiffness = np.tile(whole.stiffness, (len(kept), 1))
        stiffness[:, :-1] *= np.where(moves, variance, IMMOVABLE)
        self.stiffness = np.repeat(stiffness, n_outputs, axis=0)
        self.form = _Copies(whole.form, stiffness)
        self.levels = None if whole.levels is None else _Copies(whole.levels, np.zeros((len(kept), 1)))
        self.weight = self.domain.groups(np.repeat(weights, n_outputs, axis=0), self.form.offsets)
        self.mass = self.weight.sum(axis=1, keepdims=True)
        self._active = self.weight > 0
        params = np.tile(whole.params.T, (len(kept), 1, 1))
        params[..., :-1] *= moves[:, None]
        self.params = params.reshape(len(self.weight), -1).T
        self.violations = self.form.offsets + self.form.push(self.params.T @ self.columns)
        self.dual = np.tile(whole.dual, (1, len(kept), 1))
        slack = np.tile((whole.room + self.domain.entries(whole.violations)).max(axis=0), (len(kept), 1))
        self.room = self._room(slack)
        self.gaps = self._gap(self.dual, self.room)
        # They have no waypoint of their own.
        self._kept, self._passed = None, np.ones(self.gaps.shape, dtype=bool)

    def _variances(self, shares: Array) -> tuple[Array, Mask]:
        """Variance of each column in each fold, (F, d), in units of the penalty; and where it has a coefficient."""
        objective, rows = self.objective, self.columns[:-1]
        scale = objective.standardization.inverse_scale
        mean = shares @ rows.T
        scatter = np.stack([(rows - centre[:, None]) ** 2 @ own for centre, own in zip(mean, shares, strict=True)])
        # The rounding of these rows is that of what they were before they were centred.
        size = np.abs(mean) + np.abs(objective.standardization.mean) * scale
        variance = replace(objective.moments, weight=1.0, mean=size, scatter=scatter).variance
        moves = variance > 0
        if not objective.standardize:
            variance = np.ones_like(variance)
        if not objective.fit_intercept:
            return np.where(moves, variance, scale**2 if objective.standardize else 1.0), np.ones_like(moves)
        return variance, moves

    def _move(self, *args: Any) -> tuple[Array, Array, Array, Array]:
        """Newton's step; rows that a fold leaves out stay where they are, and hold back no others."""
        dparams, dviolations, ddual, droom = super()._move(*args)
        return dparams, dviolations, ddual * self._active, droom * self._active


def _shares(weights: Array) -> Array:
    shares: Array = weights / weights.sum(axis=1, keepdims=True)
    return shares


class _Copies(Form):
    """The outputs of several problems, one problem after the other, that differ in weights and stiffness only."""

    def __init__(self, form: Form, stiffness: Array) -> None:
        self.form = form
        self.columns = form.columns
        self.parts = [copy.copy(form) for _ in stiffness]
        for part, values in zip(self.parts, stiffness, strict=True):
            part.stiffness = values
        self.offsets = np.tile(form.offsets, (len(stiffness), 1))
        self.separate = isinstance(form, Separate)

    @staticmethod
    def costs(n_rows: int, order: int, n_outputs: int) -> tuple[int, int, int]:
        raise NotImplementedError("whether copies are worth their cost is decided one by one")

    def factor(self, curvature: Array) -> Callable[[Array], Array]:
        solves = [part.factor(own) for part, own in zip(self.parts, self._split(curvature), strict=True)]

        def solve(gradient: Array) -> Array:
            return np.concatenate([one(own) for one, own in zip(solves, self._split(gradient), strict=True)])

        return solve

    def push(self, logits: Array) -> Array:
        return self.form.push(self._split(logits)).reshape(logits.shape)

    def pull(self, duals: Array) -> Array:
        return self.form.pull(self._split(duals)).reshape(duals.shape)

    def together(self, values: Array) -> Array:
        return values if self.separate else self._shared(self._split(values).sum(axis=1))

    def shortest(self, lengths: Array) -> Array:
        return lengths if self.separate else self._shared(self._split(lengths).min(axis=1))

    def _split(self, values: Array) -> Array:
        """Arrays over all outputs by problems, shape (F, K, ...)."""
        return values.reshape(len(self.parts), -1, *values.shape[1:])

    def _shared(self, values: Array) -> Array:
        """Values of the problems as those of each of their outputs."""
        return np.repeat(values, len(self.offsets) // len(self.parts), axis=0)
