"""The folds of separate hinges: a few Newton steps of all of them at once.

A fold is the problem with the weights of some rows set to zero and its columns standardized anew: in the units of the
whole problem, with another stiffness of each coefficient. So all folds share the rows, and walk together: what few rows
take are calls of NumPy.

They begin at the solution of the whole problem, a plain hinge smoothed around its duals and as wide as a margin, so
that rows may change sides; after every step the duals are the next centre: the proximal point method, with one step of
Newton's for each centre. A squared hinge is smooth as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._standardization import IMMOVABLE
from ..losses._base import Array, Mask, signed
from ._outputs import MAX_TRIALS, SLOPE_SHARE
from ._rows import KeptRows
from ._sparse_rows import kept_rows

if TYPE_CHECKING:
    from .._objective import Objective
    from .._standardization import Moments

# Folds take so many steps, twice as many where rows are few for their columns, or a share of the fit's. Around a plain
# hinge's solution the smoothing is about as wide as a margin: narrow ones hold each row where it was.
STEPS, MU = 3, 1.2
# A squared one is there sooner if this share is left of the gap it began with, the square of what is left of the
# held-out rows.
SHARE = 0.2
# Where rows are few for their columns, or a small tolerance asks for more, it has to come to this gap besides.
GAP = 0.3
# Steps around the first centres can go far where a column is all but constant in a fold and hardly penalized: no
# fold may have more than this many times the objective that it had at the solution of all rows.
MOST = 1.5
# What has not arrived after so many steps is solved anew.
LONGEST = 60
# Outputs walk together up to so many duals, or numbers of their Newton systems: more leave the cache.
MAX_TOGETHER = 1 << 16
# Folds are solved so many at once that their parameters are no more numbers.
MAX_FOUND = 1 << 22
# Moments are those of all rows without the ones left out unless a column keeps less of its scatter than this.
LEAST_LEFT = 1e-8


def fold_logits(
    objective: Objective,
    params: Array,
    duals: Array | None,
    kept: Sequence[Mask],
    weight: Array,
    moment_weight: Array,
    strictness: float,
    steps: tuple[int, int],
) -> Iterator[Array | None]:
    """Logits (n, K) of all rows by each fold; None where it does not get there.

    Parameters
    ----------
    objective : Objective
        The whole problem.
    params : ndarray of shape (d + 1, K)
        Its solution.
    duals : ndarray of shape (n, K) or None
        Its duals, of a plain hinge.
    kept : sequence of ndarray of shape (n,)
        The rows of each fold.
    weight, moment_weight : ndarray of shape (n,)
        Weights of the rows in the loss, and in the moments of the columns, of the whole problem.
    strictness : float
        1 for scores that are good enough for a temperature; less for a smaller gap of a squared hinge.
    steps : tuple of int
        Number of steps that are enough, if it is more than what is usual, and largest.
    """
    enough = max(STEPS if objective.determined else 2 * STEPS, steps[0])
    if duals is not None:
        share, gap, least, most = np.inf, np.inf, enough, enough
    elif strictness == 1 and objective.determined:
        share, gap, least, most = SHARE, np.inf, 1, enough
    else:
        share, gap, least, most = SHARE * strictness, GAP * strictness, 1, LONGEST
    steps = least, min(steps[1], most)
    rows = kept_rows(objective.in_float64())
    n_outputs = objective.shape[1]
    sign = np.ascontiguousarray(signed(np.ones((len(rows.used), n_outputs)), objective.y[rows.used]).T)
    starts = np.ascontiguousarray(params[: rows.order].T, dtype=np.float64)
    centres = None if duals is None else np.clip(duals[rows.used].T.astype(np.float64), 0, 1)
    at_once = max(MAX_FOUND // starts.size, 1)
    for begin in range(0, len(kept), at_once):
        masks = np.array(kept[begin : begin + at_once])
        chosen = masks[:, rows.used]
        weights = weight[rows.used] * chosen
        weights /= weights.sum(axis=1, keepdims=True)
        stiffness = np.full((len(masks), rows.order), objective.alpha)
        for own, mask in zip(stiffness, masks, strict=True):
            own[rows.slopes] *= _stiffness(objective, _moments(objective, mask, moment_weight))
        stiffness[:, rows.slopes.stop :] = 0.0
        found = np.zeros((len(masks), n_outputs, objective.shape[0]))
        arrived = np.ones(len(masks), dtype=bool)
        together = max(MAX_TOGETHER // (len(masks) * max(len(rows.used), rows.order**2)), 1)
        for first in range(0, n_outputs, together):
            part = slice(first, first + together)
            centre = None if centres is None else centres[part]
            folds = Folds(rows, chosen, weights, stiffness, sign[part], starts[part], centre)
            arrived &= folds.walk(gap, share, steps)
            found[:, part, : rows.order] = folds.params
        for own, there in zip(found, arrived, strict=True):
            yield objective.logits(own.T) if there else None


def _moments(objective: Objective, mask: Mask, weight: Array) -> Moments:
    """Moments of the columns in the rows of a fold; from those left out, where these are fewer and lighter."""
    (left,) = ((weight > 0) & ~mask).nonzero()
    if 2 * len(left) > len(mask) or 2 * weight[left].sum() > weight.sum():
        return objective.rows.moments(weight * mask)
    if not len(left):
        return objective.moments
    moments = objective.moments.without(objective.rows.take(left).moments(weight[left]))
    # A difference has lost its digits where next to nothing of a column is left.
    lost = (moments.scatter < LEAST_LEFT * objective.moments.scatter) & (objective.moments.variance > 0)
    return objective.rows.moments(weight * mask) if lost.any() else moments


def _stiffness(objective: Objective, moments: Moments) -> Array:
    """Penalty of each coefficient of a fold with these moments, in units of the whole problem's."""
    constant = moments.variance == 0
    variance = np.where(constant, 1.0, moments.variance) if objective.standardize else np.ones_like(moments.variance)
    # Products of deviations: the square of a scale may overflow.
    stiffness: Array = (np.sqrt(variance) * objective.standardization.inverse_scale) ** 2
    return np.where(constant, IMMOVABLE, stiffness) if objective.fit_intercept else stiffness


class Folds:
    """Some outputs of all folds; arrays have shape (F, G, n) for F folds of G outputs.

    Parameters
    ----------
    rows : KeptRows
        The rows of the whole problem.
    kept : ndarray of shape (F, n)
        The rows of each fold.
    weight : ndarray of shape (F, n)
        Their weights; zero for others.
    stiffness : ndarray of shape (F, order)
        Second derivative of the penalty.
    sign : ndarray of shape (G, n)
        1 for the rows of each output, -1 for the others.
    params : ndarray of shape (G, order)
        Where the outputs begin.
    centre : ndarray of shape (G, n) or None
        The first centre of plain hinges; None for squared ones.
    """

    def __init__(
        self,
        rows: KeptRows,
        kept: Mask,
        weight: Array,
        stiffness: Array,
        sign: Array,
        params: Array,
        centre: Array | None,
    ) -> None:
        self.rows = rows
        self.squared = centre is None
        self.most = np.inf if self.squared else 1.0
        self.mu = 0.5 if self.squared else MU
        self.centre = np.zeros((1, 1)) if centre is None else centre
        self.kept = kept
        self.weight = weight[:, None]
        self.stiffness = stiffness[:, None]
        self.sign = sign
        self.pulling = self.weight * sign
        # Begun at one point, folds have one Hessian but for the rows that they leave out.
        moves = self.stiffness < IMMOVABLE * rows.alpha
        self.params: Array = params[None] if (moves | (params == 0)).all() else params * moves
        self.heights: Array = (1 - sign * rows.push_all(self.params)) / self.mu + self.centre
        self._known: tuple[Array, Array] | None = None
        # What a row that is kept weighs in a fold, in units of the whole problem's.
        self.mass = 1 / (kept @ rows.weight)

    def walk(self, gap: float, share: float, steps: tuple[int, int]) -> Mask:
        """Take steps, at least and at most so many; whether each fold has come to a gap, in units of its objective.

        All end where these gaps are no more than that, and no more than a share of what they were.
        """
        if share < np.inf:
            enough = share * self._gap()
        before = self._charged()
        for step in range(steps[1]):
            if step >= steps[0] and share < np.inf:
                now = self._gap()
                if (now <= enough).all() and (gap == np.inf or (now <= gap * self._value()).all()):
                    break
            self.step()
        if gap < np.inf:
            return self._gap() <= gap * self._value()
        there: Mask = self._charged() <= MOST * before
        return there

    def _charged(self) -> Array:
        """Objective of each fold at its parameters, without the plain hinge's smoothing."""
        violations = np.maximum(self.mu * (self.heights - self.centre), 0)
        charge = _dot(self.weight, violations**2 if self.squared else violations)
        penalty = _dot(self.stiffness * self.params, self.params) / 2
        value: Array = (charge + penalty).sum(axis=1)
        return value

    def step(self) -> None:
        """A Newton step of each on its smoothed problem; the duals at its end are a plain hinge's next centre."""
        dual, pulled = self._weighed()
        descent = pulled - self.stiffness * self.params
        active = self.heights == dual
        direction = self.rows.newtons(descent, active, self.kept, self.mu, self.stiffness[:, 0], self.mass)
        rise = self.rows.push_all(direction)
        rise *= self.sign
        rise *= -1 / self.mu
        dual = self._search(direction, rise, -_dot(descent, direction))
        if not self.squared:
            self.heights -= self.centre
            self.heights += dual
            self.centre = dual
        self._known = None

    def _weighed(self) -> tuple[Array, Array]:
        """The duals at the present heights, and ``sum_i w_i t_i p_i z_i``."""
        if self._known is None:
            dual = np.clip(self.heights, 0, self.most)
            self._known = dual, self.rows.pull_all(self.pulling * dual)
        return self._known

    def _gap(self) -> Array:
        """What each fold of a squared hinge lacks: its parameters are not those of its duals.

        A bias, which is free, lacks as much as it would if all rows were active: no less.
        """
        rest = self._weighed()[1] - self.stiffness * self.params
        stiffness = np.where(self.stiffness > 0, self.stiffness, 1 / self.mu)
        gap: Array = _dot(rest / stiffness, rest).sum(axis=1) / 2
        return gap

    def _value(self) -> Array:
        """Objective of each fold of a squared hinge, by whose duals its violations are charged."""
        penalty = _dot(self.stiffness * self.params, self.params)
        value: Array = (_dot(self.weight, self._weighed()[0] ** 2) / 4 + penalty / 2).sum(axis=1)
        return value

    def _search(self, direction: Array, rise: Array, slope: Array) -> Array:
        """Move along the directions, at most to their ends, to where slopes have fallen to a share; the duals there.

        As that of one output: a bracketed secant method, in which an end that stays counts half (Illinois).
        """
        weighted = rise * (self.weight * self.mu)
        stiff = self.stiffness * direction
        linear, quadratic = _dot(stiff, self.params), _dot(stiff, direction)
        low, high, slope_high, last = (np.full(slope.shape, value) for value in (0.0, np.inf, np.inf, 0.0))
        slope_low = slope
        trial = np.ones(slope.shape)
        done = ~(slope < 0)
        step = np.where(done, 0.0, 1.0)
        heights, dual = np.empty_like(rise), np.empty_like(rise)
        for _ in range(MAX_TRIALS):
            step = np.where(done, step, trial)
            np.multiply(rise, step[..., None], out=heights)
            heights += self.heights
            np.clip(heights, 0, self.most, out=dual)
            now = linear + step * quadratic + _dot(dual, weighted)
            below = now < 0
            done |= (np.abs(now) <= SLOPE_SHARE * np.abs(slope)) | (below & (high == np.inf))
            if done.all():
                break
            slope_low = np.where(below, now, np.where(last > 0, slope_low / 2, slope_low))
            slope_high = np.where(below, np.where(last < 0, slope_high / 2, slope_high), now)
            low = np.where(below, step, low)
            high = np.where(below, high, step)
            last = np.where(below, -1.0, 1.0)
            with np.errstate(invalid="ignore", divide="ignore"):  # of what is done
                trial = low - slope_low * (high - low) / (slope_high - slope_low)
            done |= ~((low < trial) & (trial < high))
        direction *= step[..., None]
        self.params, self.heights = self.params + direction, heights
        return dual


def _dot(one: Array, other: Array) -> Array:
    """Sums of the products along the last axis."""
    product: Array = np.einsum("...i,...i->...", one, other)
    return product
