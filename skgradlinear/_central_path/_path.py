"""The central path of a hinge, plain or squared: Newton steps from all rows at once.

A plain hinge charges the largest violation of each of its groups of entries, ``min xi`` with the slacks
``r = xi - u >= 0`` of the violations ``u = off + M z``. With duals ``p > 0`` that add up to 1 in each group, the points
of the path solve, for a barrier ``m`` that falls to zero,

    p r = m    for every entry,    alpha W + sum_i w_i z_i (M' p_i)' = 0,    sum_i w_i M' p_i = 0

Newton's step on them eliminates the slacks: ``dp = H (du + m / p - r)`` with ``H = diag(t) - t t' / sum(t)``,
``t = p / r``, over each group, which leaves a system with the Hessian of a smooth loss in the parameters.

A squared hinge has ``min xi^2`` for each entry on its own, and ``p = 2 xi`` in the place of the sum: ``H`` is
``1 / (r / p + 1/2)``. Where steps of different lengths have kept the duals from that, ``p / 2 - xi`` is taken from
``m / p - r``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._certificate import bias_radius
from .._design import Design
from ..losses import (
    CrammerSingerHinge,
    Loss,
    OneVsRestHinge,
    OneVsRestSquaredHinge,
    WestonWatkinsHinge,
    WestonWatkinsSquaredHinge,
)
from ..losses._base import Array
from ._domains import Box, Domain, Ray, Simplex
from ._forms import CrammerSinger, Form, Separate, WestonWatkins

if TYPE_CHECKING:
    from .._objective import Objective
    from .._standardization import Standardization

Limits = tuple[float, int, int]
# Up to these costs (see `Form.costs`) the path is the faster way; beyond any of them smoothing around centres is as
# fast or faster. Measured, with the folds of a calibration and without.
BOX: Limits = 3e8, 700, 1 << 18
SIMPLEX: Limits = 1e9, 700, 1 << 17
# Where rows can be separated, those at the margin change sides a few at a time, whatever else is tried. Fewer rows than
# twice the unknowns of an output mostly can (Cover, 1965).
SEPARABLE_ROWS = 2
# Dense rows are kept in float64, more than once, while they are no more entries than this (32 MB).
MAX_ENTRIES = 1 << 22
SEPARABLE: Limits = 3e8, 1000, 1 << 18
# Elsewhere Newton's steps on a squared hinge are as cheap, and few.
SQUARED: Limits = 4e6, 1000, 1 << 18
# Outputs that are apart take Newton steps of their own (see `skgradlinear._separate_hinges`).
NEVER: Limits = 0, 0, 0
# The form and the domain of a hinge, and its limits for rows that can always be separated and for others.
HINGES: dict[type[Loss], tuple[type[Form], Domain, Limits, Limits]] = {
    OneVsRestHinge: (Separate, Box(), SEPARABLE, NEVER),
    WestonWatkinsHinge: (WestonWatkins, Box(), SEPARABLE, BOX),
    CrammerSingerHinge: (CrammerSinger, Simplex(), SEPARABLE, SIMPLEX),
    OneVsRestSquaredHinge: (Separate, Ray(), SEPARABLE, NEVER),
    WestonWatkinsSquaredHinge: (WestonWatkins, Ray(), SEPARABLE, SQUARED),
}
# Share of the step to the boundary that is taken (Nocedal & Wright, 2006, section 14.2): by all groups together, and by
# each group's own duals.
TO_BOUNDARY, DUALS_TO_BOUNDARY = 0.99, 0.95
# Share of its slacks that a group keeps, whatever the step.
LEAST_ROOM = 0.2
# Outputs that are ahead of another one wait at this share of its barrier, well within.
WAIT = 1e-4
# Below this gap the systems are so ill-conditioned that their solutions are refined once.
ROUNDING = 1e-6
# The waypoint has a mean product of about this. Measured on folds of 26 problems: a third to four fifths of the steps
# are left from there, and more from further on, where the duals of single rows are all but settled.
HALFWAY = 0.05
# Slacks of a waypoint are at least this: a column that has become constant takes its part of the violations with it.
LEAST_SLACK = 1e-3


@dataclass(frozen=True)
class Waypoint:
    """A point in the middle of a path, from which that of a similar problem on the same rows is short.

    Parameters
    ----------
    params : ndarray of shape (d + 1, K)
        Parameters, in the units of `standardization`.
    standardization : Standardization
        Those units.
    dual : ndarray of shape (E, G, n)
        Duals of the entries of all rows; nan for rows without weight.
    slack : ndarray of shape (G, n)
        Slack of each group.
    """

    params: Array
    standardization: Standardization
    dual: Array
    slack: Array


class CentralPath:
    """Iterates of Mehrotra's predictor-corrector method for a hinge, in float64.

    Mehrotra (1992), "On the implementation of a primal-dual interior point method"; Ferris & Munson (2002),
    "Interior-point methods for massive support vector machines".

    Parameters
    ----------
    objective : Objective
        With a penalty, dense rows that are few enough to be kept, and a loss for which `suits` holds.
    start : Waypoint, default=None
        Where to begin, if it is of these rows; the middle of the sets of slacks and duals otherwise.
    """

    # Whether all groups take all steps with one length for the slacks and one for the duals.
    cautious = False

    def __init__(self, objective: Objective, start: Waypoint | None = None) -> None:
        if not self.follows(objective):
            raise ValueError(
                f"solver interior_point does not fit {objective.loss!r} with alpha={objective.alpha:g} on "
                f"{'dense' if objective.rows.dense else 'sparse'} rows; it needs a one-versus-rest, Weston-Watkins or "
                "Crammer-Singer hinge (the first two may be squared), a positive alpha and dense rows. Use 'auto'."
            )
        objective = objective.in_float64()
        self.objective = objective
        # Rows without weight would hold back the steps of the others.
        used = np.flatnonzero(objective.weight)
        everywhere = len(used) == len(objective.weight)
        self.used: Any = slice(None) if everywhere else used
        design = Design(objective, 0, exact=True).take(self.used)
        self.columns = np.ascontiguousarray(design.T)
        order, n_outputs = objective.shape
        self.params = objective.zeros()
        self.stiffness = np.full(order, objective.alpha)
        self.stiffness[-1] *= 0.0 if objective.fit_intercept else 1.0
        form, self.domain, *_ = HINGES[type(objective.loss)]
        y = objective.y[self.used]
        self.form = form(self.columns, y, self.stiffness, n_outputs)
        # The biases alone.
        self.levels = form(np.ones((1, len(y))), y, np.zeros(1), n_outputs) if objective.fit_intercept else None
        weight = objective.weight[self.used]
        self.weight = self.domain.groups(weight, self.form.offsets)
        self.mass = self.weight.sum(axis=1, keepdims=True)
        self.cost = weight * self.form.offsets
        self.violations = self.form.offsets.copy()
        entries = self.domain.entries(self.violations)
        self.dual = self.domain.start(self.form.offsets)
        self.room = entries.max(axis=0) + 1 - entries
        self._kept: tuple[Array, ...] | None = None
        if start is not None:
            self._begin(start)
        # Of each output that walks on its own.
        self.gaps = self._gap(self.dual, self.room)
        self._passed = np.zeros(self.gaps.shape, dtype=bool)
        # No hinge is below zero.
        self.bound = 0.0

    @staticmethod
    def suits(objective: Objective, *, separable: bool = False) -> bool:
        """Whether the path is the faster way to a solution: few columns, and a form that has one.

        For a squared hinge also few rows, unless rows are known to be separable, or nearly.
        """
        if not CentralPath.follows(objective) or len(objective.weight) * objective.shape[0] > MAX_ENTRIES:
            return False
        form, _, wide, narrow = HINGES[type(objective.loss)]
        n_rows, order = len(objective.weight), objective.shape[0]
        limits = wide if separable or n_rows < SEPARABLE_ROWS * order else narrow
        return all(cost <= limit for cost, limit in zip(form.costs(n_rows, *objective.shape), limits, strict=True))

    @staticmethod
    def follows(objective: Objective) -> bool:
        """Whether the problem is of the kind that has a path here."""
        return bool(objective.rows.dense and objective.alpha and type(objective.loss) in HINGES)

    def _begin(self, start: Waypoint) -> None:
        """Begin at a waypoint, unless it is of other rows, or rows are used that had no weight there."""
        dual = start.dual[..., self.used]
        if dual.shape != self.dual.shape or np.isnan(dual).any():
            return
        self.params = self.objective.standardization.from_units_of(start.standardization, start.params)
        self.violations = self.form.offsets + self.form.push(self.params.T @ self.columns)
        self.dual = dual
        self.room = self._room(start.slack[:, self.used])

    def _room(self, slack: Array) -> Array:
        """The slacks of the entries, from those of their groups at a waypoint."""
        entries = self.domain.entries(self.violations)
        room: Array = np.maximum(slack, entries.max(axis=0) + LEAST_SLACK) - entries
        return room

    @property
    def waypoint(self) -> Waypoint | None:
        """The point in the middle of the path; None while it has not been reached."""
        if self._kept is None or not self._passed.all():
            return None
        params, violations, dual, room = self._kept
        slack = (room + self.domain.entries(violations)).max(axis=0)
        n_rows = len(self.objective.weight)
        duals, slacks = np.full((*dual.shape[:2], n_rows), np.nan), np.zeros((len(slack), n_rows))
        duals[..., self.used], slacks[:, self.used] = dual, slack
        return Waypoint(params.T, self.objective.standardization, duals, slacks)

    @property
    def _point(self) -> tuple[Array, Array, Array, Array]:
        return self.params.T, self.violations, self.dual, self.room

    def _mark(self, before: tuple[Array, Array, Array, Array], gaps: Array) -> None:
        """Keep this point, or the one before, for those outputs that have just come halfway."""
        now = (self.gaps < HALFWAY) & ~self._passed
        if not now.any():
            return
        far = gaps * self.gaps < HALFWAY**2
        nearer = tuple(np.where(far, old, new) for old, new in zip(before, self._point, strict=True))
        held = nearer if self._kept is None else self._kept
        self._kept = tuple(np.where(now, new, old) for old, new in zip(held, nearer, strict=True))
        self._passed |= now

    def assess(self) -> float:
        """Objective at the present parameters; the lower bound of the present duals is kept if it is the best yet."""
        hinge = float((self.weight * self.domain.charge(self.violations)).sum())
        value = hinge + self.objective.penalty(self.params)
        self._raise_bound(self.domain.outputs(self.dual), value, self.params[-1])
        return value

    def compare(self, params: Array, duals: Array | None) -> float:
        """Objective at other parameters; the bound of other duals (n, K) of all rows is kept if it is the best yet."""
        value = self.objective.value(params)
        if duals is not None:
            self._raise_bound(duals[self.used].T, value, params[-1])
        return value

    def _raise_bound(self, dual: Array, value: float, bias: Array) -> None:
        dual = self.domain.feasible(dual)
        pulled = self._pull(dual)
        slope, balance = pulled[:, :-1], pulled[:, -1]
        linear = (self.cost * dual).sum(axis=1)
        linear += bias * balance - bias_radius(self.objective, value, bias) * np.abs(balance)
        curvature = (slope**2).sum(axis=1) / self.objective.alpha + (self.weight * self.domain.bend(dual)).sum(axis=1)
        linear, curvature = self.form.together(linear), self.form.together(curvature)
        # Multiples of the duals bound as well: a parabola.
        bent = curvature > 0
        theta = np.where(bent, np.clip(linear / np.where(bent, curvature, 1), 0, self.domain.most), 1.0)
        self.bound = max(self.bound, float((theta * linear - 0.5 * theta**2 * curvature).sum()))

    def step(self) -> bool:
        """Move along the path; False where rounding leaves nowhere to go."""
        # What is not finite at the end of the path is refused below.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            curvature = self.domain.curvature(self.dual, self.room)
            if not np.isfinite(curvature).all():
                return False
            solve = self.form.factor(self.weight * curvature)
            # Predictor: straight to the end of the path. What it would gain says how far to go this time.
            gap = self.gaps
            dparams, _, ddual, droom = self._move(solve, curvature, 0.0)
            ddual, droom = ddual * _lengths(self.dual, ddual, 1.0), droom * _lengths(self.room, droom, 1.0)
            ahead = self._gap(self.dual + ddual, self.room + droom)
            left = np.maximum((ahead / gap) ** 3, self._lag(dparams, ddual))
            barrier = np.maximum(left * gap, WAIT * gap.max())
            # The products of the changes, too, are those of steps that can be taken.
            dparams, dviolations, ddual, droom = self._move(solve, curvature, barrier - ddual * droom)
            dual, room = self._apart(ddual, droom)
            # All groups with one length for the slacks and one for the duals, where products would grow otherwise.
            primal = np.ones_like(gap)
            grown = (self._gap(dual, room) > gap) | self.cautious
            if grown.any():
                lengths = self._length(self.room, droom), self._length(self.dual, ddual)
                primal = np.where(grown, lengths[0], primal)
                room = np.where(grown, self.room + lengths[0] * droom, room)
                dual = np.where(grown, self.dual + lengths[1] * ddual, dual)
        if not (np.isfinite(dparams).all() and np.isfinite(dual).all()):
            return False
        before = self._point
        self.params = self.params + (primal * dparams).T
        self.violations = self.violations + primal * dviolations
        self.dual, self.room = dual, room
        self.gaps = self._gap(self.dual, self.room)
        self._mark(before, gap)
        return bool(primal.max() > np.finfo(np.float64).eps)

    def anew(self) -> CentralPath:
        """A cautious path from the beginning, with what this one has proved: slower, and seldom lost."""
        path = CentralPath(self.objective)
        path.cautious, path.bound = True, self.bound
        return path

    def _lag(self, dparams: Array, ddual: Array) -> Array:
        """Share of its barrier that an output keeps for its balance, which must not fall behind the products.

        The square of the share of the imbalance that a step leaves, where the gap owes more to that than to a product.
        """
        now = self._imbalance(self.params.T, self.dual)
        owed = now > 2 * self.objective.alpha * self.gaps
        if not owed.any():
            return np.zeros_like(now)
        then = self._imbalance(self.params.T + dparams, self.dual + ddual)
        return np.where(owed, np.minimum(then / np.where(owed, now, 1.0), 1.0), 0.0)

    def _imbalance(self, params: Array, dual: Array) -> Array:
        """Square of by how much parameters and duals are out of balance."""
        lacking = self.stiffness * params + self._pull(self.domain.outputs(dual))
        return self.form.together((lacking**2).sum(axis=1, keepdims=True))

    def _apart(self, ddual: Array, droom: Array) -> tuple[Array, Array]:
        """Duals and slacks after a step in which no group holds back another, nor the parameters.

        The whole step of the parameters is feasible with slacks as large as need be. Duals that stop before their
        boundary are out of balance by what they lack, which the next step makes up for; with a bias at once, as what
        lacks there costs the bound most.
        """
        room = self.room + droom
        room += np.maximum(LEAST_ROOM * self.room - room, 0).max(axis=0)
        dual = self.dual + _lengths(self.dual, ddual, DUALS_TO_BOUNDARY) * ddual
        if self.levels is None:
            return dual, room
        curvature = self.domain.curvature(dual, room)
        balance = self.form.pull(self.weight * self.domain.outputs(dual)).sum(axis=1, keepdims=True)
        shift = -self.levels.factor(self.weight * curvature)(balance)
        rise = self.form.push(np.broadcast_to(shift, curvature.shape))
        change = self.domain.changes(self.domain.response(curvature, rise, np.zeros_like(dual)))
        return dual + _lengths(dual, change, DUALS_TO_BOUNDARY) * change, room

    def duals(self) -> Array:
        """The duals of all rows, shape (n, K); zero for those without weight."""
        everywhere = np.zeros((len(self.objective.weight), self.params.shape[1]))
        everywhere[self.used] = np.where(self.weight > 0, self.domain.outputs(self.dual), 0.0).T
        return everywhere

    def _move(
        self, solve: Callable[[Array], Array], curvature: Array, target: Array | float
    ) -> tuple[Array, Array, Array, Array]:
        """Newton's step of parameters, violations, duals and slacks to products ``p r = target``."""
        # Slacks, and not violations: where duals may change a lot slacks are tiny, and so is their rounding.
        dual, reach = self.domain.outputs(self.dual), target / self.dual - self.room
        lag = self.domain.lag(self.dual, (self.room + self.domain.entries(self.violations))[0])
        params, dparams, dviolations = self.params.T, np.zeros_like(self.params.T), np.zeros_like(self.violations)
        response = self.domain.response(curvature, dviolations, reach - lag)
        for _ in range(2 if self.gap < ROUNDING else 1):
            dparams -= solve(self.stiffness * (params + dparams) + self._pull(dual + response))
            dviolations = self.form.push(dparams @ self.columns)
            response = self.domain.response(curvature, dviolations, reach - lag)
        ddual = self.domain.changes(response)
        # One slack of a group by its product, the others by their violations: what rounds these then ends the path.
        first = (reach - self.room * ddual / self.dual)[0]
        rise = self.domain.entries(dviolations)
        droom = first + rise[0] - rise
        return dparams, dviolations, ddual, droom

    @property
    def gap(self) -> float:
        """Largest mean product of duals and slacks: how far the end of the path is."""
        return float(self.gaps.max())

    def _gap(self, dual: Array, room: Array) -> Array:
        """Mean product of duals and slacks."""
        products = self.weight * (dual * room).sum(axis=0)
        total = self.form.together(products.sum(axis=1, keepdims=True))
        return total / (len(dual) * self.form.together(self.mass))

    def _length(self, values: Array, change: Array) -> Array:
        """The step of all groups that goes nearly to where the first value is zero."""
        return self.form.shortest(_lengths(values, change, TO_BOUNDARY).min(axis=1, keepdims=True))

    def _pull(self, dual: Array) -> Array:
        """``sum_i w_i (M' p_i) z_i'``, shape (K, d + 1)."""
        pulled: Array = self.form.pull(self.weight * dual) @ self.columns.T
        return pulled


def _lengths(values: Array, change: Array, share: float) -> Array:
    """The step of each group, at most 1, that goes this share of the way to where one of its values is zero."""
    lengths: Array = share / np.maximum((-change / values).max(axis=0), share)
    return lengths
