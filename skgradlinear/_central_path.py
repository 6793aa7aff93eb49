"""The central path of a plain hinge whose violations are charged one by one: Newton steps from all rows at once.

With slacks ``xi >= 0`` and ``r = xi - u >= 0`` of the violations ``u = off + M z`` and duals ``0 < p < 1``, the points
of the path solve, for a barrier ``m`` that falls to zero,

    p r = m,    (1 - p) xi = m    for every violation,    alpha W + sum_i w_i z_i (M' p_i)' = 0,    sum_i w_i M' p_i = 0

Newton's step on them eliminates the slacks: ``dp = (du - e) / (xi / (1 - p) + r / p)`` with a right side ``e``, which
leaves a system with the Hessian of a smooth loss in the parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._certificate import bias_radius
from ._design import Design, scaled_solver
from .losses import OneVsRestHinge, WestonWatkinsHinge
from .losses._base import Array, Labels, class_indices, signed

if TYPE_CHECKING:
    from ._objective import Objective

# Share of the step to the boundary that is taken (Nocedal & Wright, 2006, section 14.2).
TO_BOUNDARY = 0.99
# Outputs that are ahead of another one wait at this share of its barrier, well within.
WAIT = 1e-4
# Below this gap the systems are so ill-conditioned that their solutions are refined once.
ROUNDING = 1e-6
# Ridge of the system scaled to a unit diagonal: for rounding only.
RIDGE = 1e-13
# The path is followed where a step costs little: up to so many multiplications for the Hessian, unknowns of a system
# and violations. Measured: beyond any of these limits smoothing around centres is as fast or faster.
MAX_MULTIPLICATIONS, MAX_ORDER, MAX_VIOLATIONS = 3e8, 400, 1 << 18


class CentralPath:
    """Iterates of Mehrotra's predictor-corrector method for a plain hinge, in float64.

    Mehrotra (1992), "On the implementation of a primal-dual interior point method"; Ferris & Munson (2002),
    "Interior-point methods for massive support vector machines".

    Parameters
    ----------
    objective : Objective
        With a penalty, dense rows that are few enough to be kept, and a loss for which `suits` holds.
    """

    def __init__(self, objective: Objective) -> None:
        if not self.follows(objective):
            raise ValueError(
                "the interior point method needs dense rows and a one-versus-rest or Weston-Watkins hinge; got "
                f"{'dense' if objective.rows.dense else 'sparse'} rows and {objective.loss!r}. Use 'recentred', or "
                "'auto'."
            )
        objective = objective.in_float64()
        self.objective = objective
        # Rows without weight would hold back the steps of the others.
        used = np.flatnonzero(objective.weight)
        everywhere = len(used) == len(objective.weight)
        self.used: Any = slice(None) if everywhere else used
        design = Design(objective, 0).take(None if everywhere else used).astype(np.float64, copy=False)
        y = objective.y[self.used]
        loss = objective.loss
        assert isinstance(loss, OneVsRestHinge | WestonWatkinsHinge)
        self.columns = np.ascontiguousarray(design.T)
        self.design = self.columns.T
        self.params = objective.zeros()
        violations = loss.margins.violations(np.zeros((len(design), objective.shape[1]), order="F"), y)
        # A row's own class is no violation of it: without weight it stays by itself in the middle of the path.
        real = np.isfinite(violations)
        self.violations = np.where(real, violations, 0.0)
        self.weight = np.where(real, objective.weight[self.used][:, None], 0.0)
        self.mass = self.weight.sum(axis=0)
        self.dual = np.full_like(self.violations, 0.5)
        self.slack = np.maximum(self.violations, 0) + 1.0
        self.room = self.slack - self.violations
        self.stiffness = np.full((objective.shape[0], 1), objective.alpha)
        self.stiffness[-1] *= 0.0 if objective.fit_intercept else 1.0
        self.system: _System = _Separate(self, y) if isinstance(loss, OneVsRestHinge) else _WestonWatkins(self, y)
        # No hinge is below zero.
        self.bound = 0.0

    @staticmethod
    def suits(objective: Objective) -> bool:
        """Whether the path is the faster way to a solution: few columns, and violations charged one by one."""
        order, n_outputs = objective.shape
        n_rows = len(objective.weight)
        small = order * (n_outputs if isinstance(objective.loss, WestonWatkinsHinge) else 1) <= MAX_ORDER
        cheap = n_rows * n_outputs * order**2 <= MAX_MULTIPLICATIONS and n_rows * n_outputs <= MAX_VIOLATIONS
        return small and cheap and CentralPath.follows(objective)

    @staticmethod
    def follows(objective: Objective) -> bool:
        """Whether the rows and the loss are of the kind that has a path here."""
        return objective.rows.dense and isinstance(objective.loss, OneVsRestHinge | WestonWatkinsHinge)

    def assess(self) -> float:
        """Objective at the present parameters; the lower bound of the present duals is kept if it is the best yet."""
        hinge = float((self.weight * np.maximum(self.violations, 0)).sum())
        value = hinge + self.objective.penalty(self.params)
        self._raise_bound(self.dual, value, self.params[-1])
        return value

    def compare(self, params: Array, duals: Array | None) -> float:
        """Objective at other parameters; the bound of other duals (n, K) of all rows is kept if it is the best yet."""
        value = self.objective.value(params)
        if duals is not None:
            self._raise_bound(np.clip(duals[self.used], 0, 1), value, params[-1])
        return value

    def _raise_bound(self, dual: Array, value: float, bias: Array) -> None:
        pulled = self._pull(dual)
        slope, balance = pulled[:-1], pulled[-1]
        linear = (self.weight * dual).sum(axis=0)
        linear += bias * balance - bias_radius(self.objective, value, bias) * np.abs(balance)
        curvature = (slope**2).sum(axis=0) / self.objective.alpha
        linear, curvature = self.system.together(linear), self.system.together(curvature)
        # Any multiple in [0, 1] of the duals bounds as well: a parabola.
        steep = (linear < curvature) & (curvature > 0)
        theta = np.where(steep, np.maximum(linear, 0) / np.where(steep, curvature, 1), 1.0)
        self.bound = max(self.bound, float((theta * linear - 0.5 * theta**2 * curvature).sum()))

    def step(self) -> bool:
        """Move along the path; False where rounding leaves nowhere to go."""
        rest = 1 - self.dual
        # What is not finite at the end of the path is refused below.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            stiffness = 1 / (self.slack / rest + self.room / self.dual)
            if not np.isfinite(stiffness).all():
                return False
            solve = self.system.factor(self.weight * stiffness)
            # Predictor: straight to the end of the path. What it would gain says how far to go this time.
            gap = self._gap(self.dual, self.room, rest, self.slack)
            *_, ddual, droom, dslack = self._move(solve, stiffness, 0.0, 0.0, 0.0)
            primal, dual = self._lengths(ddual, droom, dslack, 1.0)
            ahead = self._gap(
                self.dual + dual * ddual,
                self.room + primal * droom,
                rest - dual * ddual,
                self.slack + primal * dslack,
            )
            barrier = np.maximum((ahead / gap) ** 3 * gap, WAIT * gap.max())
            dparams, dviolations, ddual, droom, dslack = self._move(
                solve, stiffness, barrier, ddual * dslack, -ddual * droom
            )
            primal, dual = self._lengths(ddual, droom, dslack, TO_BOUNDARY)
        if not (np.isfinite(dparams).all() and np.isfinite(ddual).all()):
            return False
        self.params = self.params + primal * dparams
        self.violations += primal * dviolations
        self.dual += dual * ddual
        self.room += primal * droom
        self.slack += primal * dslack
        return bool(max(primal.max(), dual.max()) > np.finfo(np.float64).eps)

    def duals(self) -> Array:
        """The duals of all rows, shape (n, K); zero for those without weight."""
        everywhere = np.zeros((len(self.objective.weight), self.params.shape[1]))
        everywhere[self.used] = np.where(self.weight > 0, self.dual, 0.0)
        return everywhere

    def _move(
        self, solve: Callable[[Array], Array], stiffness: Array, barrier: Any, of_slack: Any, of_room: Any
    ) -> tuple[Array, Array, Array, Array, Array]:
        """Newton's step towards a barrier, with the second-order terms of an earlier step's products."""
        rest = 1 - self.dual
        shift = (barrier + of_slack) / rest - (barrier + of_room) / self.dual - self.violations
        gradient = self.stiffness * self.params + self._pull(self.dual - stiffness * shift)
        dparams = -solve(gradient)
        dviolations = self.system.push((dparams.T @ self.columns).T)
        if self.gap < ROUNDING:
            gradient = self.stiffness * (self.params + dparams) + self._pull(
                self.dual + stiffness * (dviolations - shift)
            )
            dparams -= solve(gradient)
            dviolations = self.system.push((dparams.T @ self.columns).T)
        ddual = stiffness * (dviolations - shift)
        droom = (barrier + of_room - self.room * ddual) / self.dual - self.room
        return dparams, dviolations, ddual, droom, droom + dviolations

    @property
    def gap(self) -> float:
        """Largest mean product of duals and slacks: how far the end of the path is."""
        return float(self._gap(self.dual, self.room, 1 - self.dual, self.slack).max())

    def _gap(self, dual: Array, room: Array, rest: Array, slack: Array) -> Array:
        """Mean product of duals and slacks."""
        products = self.weight * (dual * room + rest * slack)
        return self.system.together(products.sum(axis=0)) / (2 * self.system.together(self.mass))

    def _lengths(self, ddual: Array, droom: Array, dslack: Array, share: float) -> tuple[Array, Array]:
        """Steps of slacks and of duals, at most 1, that go this share of the way to where one of them is zero."""
        of_slacks = np.maximum(-droom / self.room, -dslack / self.slack).max(axis=0)
        of_duals = (np.abs(ddual) / np.where(ddual < 0, self.dual, 1 - self.dual)).max(axis=0)
        primal, dual = (self.system.shortest(share / np.maximum(shrink, share)) for shrink in (of_slacks, of_duals))
        return primal, dual

    def _pull(self, dual: Array) -> Array:
        """``sum_i w_i z_i (M' p_i)'``, shape (d + 1, K)."""
        pulled: Array = (self.system.pull(self.weight * dual).T @ self.design).T
        return pulled


class _System(ABC):
    """The linear algebra of one form: its Hessian, and which outputs walk together."""

    @abstractmethod
    def factor(self, weight: Array) -> Callable[[Array], Array]:
        """Solution of the Newton system for weights (n, K) of the violations."""

    @abstractmethod
    def push(self, logits: Array) -> Array:
        """``M z``."""

    @abstractmethod
    def pull(self, duals: Array) -> Array:
        """``M' p``."""

    @abstractmethod
    def together(self, values: Array) -> Array:
        """Sums over outputs that walk together."""

    @abstractmethod
    def shortest(self, lengths: Array) -> Array:
        """The shortest of the lengths of outputs that walk together."""


class _Separate(_System):
    """One-versus-rest: each output is a problem of its own, with a barrier and a length of its own."""

    def __init__(self, path: CentralPath, y: Labels) -> None:
        self.path = path
        self.sign = signed(np.full_like(path.violations, -1.0), y)

    def factor(self, weight: Array) -> Callable[[Array], Array]:
        path = self.path
        stiffness = path.stiffness[:, 0]
        solves = [_factored((path.columns * share) @ path.design, stiffness) for share in weight.T]
        return lambda gradient: np.stack([f(g) for f, g in zip(solves, gradient.T, strict=True)], axis=1)

    def push(self, logits: Array) -> Array:
        return self.sign * logits

    def pull(self, duals: Array) -> Array:
        return self.sign * duals

    def together(self, values: Array) -> Array:
        return values

    def shortest(self, lengths: Array) -> Array:
        return lengths


class _WestonWatkins(_System):
    """Weston-Watkins: rows of class c couple it with every other class, through ``sum_i a_ik z_i z_i'`` over them."""

    def __init__(self, path: CentralPath, y: Labels) -> None:
        self.path = path
        self.own = class_indices(path.violations, y)
        self.rows = np.arange(len(self.own))
        self.members = [np.flatnonzero(self.own == c) for c in range(path.params.shape[1])]
        self.parts = [np.ascontiguousarray(path.columns[:, members]) for members in self.members]

    def factor(self, weight: Array) -> Callable[[Array], Array]:
        path = self.path
        order, n_outputs = path.params.shape
        hessian = np.zeros((n_outputs, order, n_outputs, order))
        for c, (members, part) in enumerate(zip(self.members, self.parts, strict=True)):
            scaled = weight[members].T[:, None, :] * part
            grams = (scaled.reshape(n_outputs * order, -1) @ part.T).reshape(n_outputs, order, order)
            for k in range(n_outputs):
                if k != c:
                    hessian[k, :, k] += grams[k]
                    hessian[c, :, c] += grams[k]
                    hessian[c, :, k] -= grams[k]
                    hessian[k, :, c] -= grams[k]
        # A common shift of the classes is free; directions have none, so any curvature may be given to it.
        level = np.einsum("kjkj->j", hessian) / n_outputs**2
        np.einsum("kjlj->klj", hessian)[:] += level
        flat = hessian.reshape(n_outputs * order, -1)
        solve = _factored(flat, np.tile(path.stiffness[:, 0], n_outputs))
        return lambda gradient: path.objective.free_of_shift(solve(gradient.T.ravel()).reshape(n_outputs, order).T)

    def push(self, logits: Array) -> Array:
        pushed: Array = logits - logits[self.rows, self.own][:, None]
        return pushed

    def pull(self, duals: Array) -> Array:
        # The own class has no weight, so that there is nothing to leave out of the sum.
        pulled = duals.copy(order="K")
        pulled[self.rows, self.own] = -duals.sum(axis=1)
        return pulled

    def together(self, values: Array) -> Array:
        total: Array = values.sum(keepdims=True)
        return total

    def shortest(self, lengths: Array) -> Array:
        least: Array = lengths.min(keepdims=True)
        return least


def _factored(matrix: Array, stiffness: Array) -> Callable[[Array], Array]:
    """Solution with a matrix plus a stiffness."""
    np.einsum("ii->i", matrix)[:] += stiffness + np.finfo(np.float64).tiny
    return scaled_solver(matrix, RIDGE)
