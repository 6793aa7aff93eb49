"""Hinges of outputs that are apart: Newton steps of each on its own, from its active rows.

The smoothed hinge of an output is ``max_p p . u - (mu/2) ||p - c||^2`` with the violations ``u_i = 1 - t_i z_i``, over
the box for a plain hinge, and over all ``p >= 0`` for a squared one, with ``mu = 1/2`` and ``c = 0``. Its maximizing
duals are the heights ``v = c + u / mu`` as far as they are in that set. Rows are active where they are within it, and
only these have curvature, ``1 / mu``. Of dense rows of few columns the whole Newton system of an output is formed for
every step; of sparse rows it is solved by conjugate gradients on the active ones. The arrays of one output are so few
that they stay in a core's cache while it takes the step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ._certificate import bias_radius
from ._conjugate_gradient import conjugate_gradient
from ._design import Design, scaled_solver
from .losses import Loss, OneVsRestHinge, OneVsRestSquaredHinge
from .losses._base import Array, Indices, Mask, signed

if TYPE_CHECKING:
    from ._objective import Objective

# Dense rows are kept in float64 while they are no more entries than this (32 MB), and Newton systems are formed while
# their order is no larger than this.
MAX_ENTRIES, MAX_ORDER = 1 << 22, 400
# The smoothing adapts: narrower after centres that took few steps, wider after centres that took many.
FIRST_MU, MIN_MU, MAX_MU = 4.0, 1e-3, 1e6
NARROW, WIDEN = 0.35, 2.0
EASY_STEPS, HARD_STEPS, MAX_STEPS = 2, 6, 20
# A centre is used up when what its own problem still lacks is this share of what the smoothing costs.
INNER_SHARE = 0.5
# Outputs rest at this share of the gap that may be left to them: their own part of the objective, or an equal one.
REST_SHARE = 0.5
# A search ends where the slope has fallen to this share, or after so many trials.
SLOPE_SHARE, MAX_TRIALS = 0.2, 40
# The bias is searched until it takes no more from the bound than this share of what may be left.
BIAS_SHARE = 0.1
# Second derivative that a bias has at least, of the one that it has when all rows are active.
BIAS_STIFFNESS = 1e-3
# Ridge of the system scaled to a unit diagonal: for rounding only.
RIDGE = 1e-13


class SeparateHinges:
    """The outputs of a one-versus-rest hinge, which take their steps in turn; all in float64.

    Parameters
    ----------
    objective : Objective
        One for which `suits` holds.
    params : ndarray of shape (d + 1, K), default=None
        Start, zeros if None.
    duals : ndarray of shape (n, K), default=None
        First centre; one half if None.
    """

    def __init__(self, objective: Objective, params: Array | None = None, duals: Array | None = None) -> None:
        objective = objective.in_float64()
        self.objective = objective
        # Rows without weight have no part in anything.
        self._used = np.flatnonzero(objective.weight)
        rows = (KeptDenseRows if objective.rows.dense else KeptSparseRows)(objective, self._used)
        order, n_outputs = rows.order, objective.shape[1]
        sign = signed(np.ones((len(self._used), n_outputs)), objective.y[self._used]).T
        starts = np.zeros((n_outputs, order)) if params is None else params[:order].T.astype(np.float64)
        centres = [None] * n_outputs if duals is None else list(duals[self._used].T.astype(np.float64))
        output = OUTPUTS[type(objective.loss)]
        self.outputs = [
            output(rows, np.ascontiguousarray(t), start, centre)
            for t, start, centre in zip(sign, starts, centres, strict=True)
        ]
        self._prove(0.0)

    @staticmethod
    def suits(objective: Objective) -> bool:
        """Whether the problem is of this kind, and of a shape for which Newton steps of single outputs are cheap."""
        order = objective.shape[0]
        cheap = not objective.rows.dense or (len(objective.weight) * order <= MAX_ENTRIES and order <= MAX_ORDER)
        return bool(cheap and objective.alpha and type(objective.loss) in OUTPUTS)

    @property
    def value(self) -> float:
        """Objective at the best parameters of each output."""
        return sum(output.best for output in self.outputs)

    @property
    def bound(self) -> float:
        """Lower bound on the objective."""
        return sum(output.bound for output in self.outputs)

    @property
    def params(self) -> Array:
        """The best parameters of each output, shape (d + 1, K)."""
        params = self.objective.zeros()
        for column, output in zip(params.T, self.outputs, strict=True):
            column[: len(output.found)] = output.found
        return params

    def duals(self) -> Array:
        """Duals of all rows that prove the bound, shape (n, K); zero for those without weight."""
        duals = np.zeros((len(self.objective.weight), len(self.outputs)))
        for column, output in zip(duals.T, self.outputs, strict=True):
            column[self._used] = output.proof
        return duals

    @property
    def mu(self) -> float:
        """The widest smoothing of an output."""
        return max(output.mu for output in self.outputs)

    def advance(self, tol: float) -> bool:
        """A step of every output that needs one for a relative gap of `tol`; False if none can take one."""
        walking = [output for output in self.outputs if not output.rests]
        moved = [output.step() for output in walking]
        self._prove(tol)
        return any(moved)

    def _prove(self, tol: float) -> None:
        """What the duals of each output prove, and which of them may rest."""
        value = self.value
        allowed = tol / self.objective.relative_gap(value, 1.0)
        free = self.objective.fit_intercept
        biases = np.array([output.params[-1] for output in self.outputs])
        radii = bias_radius(self.objective, value, biases) if free else np.zeros(len(biases))
        for output, radius in zip(self.outputs, radii.tolist(), strict=True):
            own = allowed * output.best / value if value else 0.0
            share = REST_SHARE * max(own, allowed / len(self.outputs))
            # The whole may have fallen since an output came to rest, and what it may leave with it.
            if not output.rests or output.best - output.bound > share:
                output.prove(radius, share)


class KeptRows(ABC):
    """The rows with a weight, standardized and with a constant 1 if there is an intercept; all that outputs share."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        self.free = objective.fit_intercept
        self.weight = objective.weight[used]
        self.alpha = objective.alpha
        self.order = objective.shape[0] - 1 + self.free
        # Where the weights are in the parameters, and the second derivative of their penalty.
        self.slopes = slice(0, self.order - self.free)
        self.stiffness = np.full(self.order, objective.alpha)
        self.stiffness[self.slopes.stop :] = 0.0
        self.alike = not np.ptp(self.weight)

    @abstractmethod
    def push(self, params: Array) -> Array:
        """Logits of all rows, shape (n,)."""

    @abstractmethod
    def pull(self, weights: Array) -> Array:
        """Sum of the rows with weights, shape (order,)."""

    @abstractmethod
    def newton(self, gradient: Array, active: Mask, mu: float) -> Array:
        """About the inverse of ``sum_i w_i z_i z_i' / mu`` over the active rows plus the penalty's part, times this."""

    def _bias_stiffness(self, mu: float) -> float:
        """Of a bias, which without active rows has no curvature: no more than a weight's leaves joint moves free."""
        return min(self.alpha, BIAS_STIFFNESS / mu)


class KeptDenseRows(KeptRows):
    """Rows of few columns, one below another."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        super().__init__(objective, used)
        everywhere = len(used) == len(objective.weight)
        rows = Design(objective, 0, exact=True).take(slice(None) if everywhere else used)
        self.rows = np.ascontiguousarray(rows if self.free else rows[:, :-1])

    def push(self, params: Array) -> Array:
        logits: Array = self.rows @ params
        return logits

    def pull(self, weights: Array) -> Array:
        total: Array = weights @ self.rows
        return total

    def newton(self, gradient: Array, active: Mask, mu: float) -> Array:
        """From the whole system."""
        hessian = self.hessian(active)
        hessian *= 1 / mu
        diagonal = np.einsum("ii->i", hessian)
        diagonal += self.stiffness
        diagonal += np.finfo(np.float64).tiny
        if self.free:
            diagonal[-1] += self._bias_stiffness(mu)
        return scaled_solver(hessian, RIDGE)(gradient)

    @cached_property
    def _gram(self) -> Array:
        return self._part(slice(None))

    def hessian(self, active: Mask) -> Array:
        """``sum_i w_i z_i z_i'`` over the active rows (a mask)."""
        (indices,) = active.nonzero()
        # A difference has few digits where weights differ.
        if 2 * len(indices) <= len(active) or not self.alike:
            return self._part(indices)
        rest: Array = self._gram - self._part((~active).nonzero()[0])
        return rest

    def _part(self, indices: Indices | slice) -> Array:
        rows = self.rows if isinstance(indices, slice) else self.rows.take(indices, axis=0)
        if self.alike:
            gram: Array = rows.T @ rows
            gram *= self.weight[0]
            return gram
        heavy = rows * np.sqrt(self.weight[indices])[:, None]
        product: Array = heavy.T @ heavy
        return product


class KeptSparseRows(KeptRows):
    """Rows of a CSR matrix, standardized on the way."""

    def __init__(self, objective: Objective, used: Indices) -> None:
        super().__init__(objective, used)
        everywhere = len(used) == len(objective.weight)
        self.rows = objective.rows.X if everywhere else objective.rows.X[used]
        self.columns = self.rows.T
        self.scale, self.mean = objective.standardization.inverse_scale, objective.standardization.mean
        self.plain = bool((self.scale == 1).all() and not self.mean.any())

    def _pushed(self, rows: Any, params: Array) -> Array:
        slopes = params[self.slopes]
        slopes = slopes if self.plain else slopes * self.scale
        logits: Array = rows @ slopes
        if self.free:
            logits += params[-1] if self.plain else params[-1] - self.mean @ slopes
        return logits

    def _pulled(self, columns: Any, weights: Array) -> Array:
        total = np.empty(self.order)
        total[self.slopes] = columns @ weights
        if self.free:
            total[-1] = weights.sum()
            if not self.plain:
                total[:-1] -= self.mean * total[-1]
        if not self.plain:
            total[self.slopes] *= self.scale
        return total

    def push(self, params: Array) -> Array:
        return self._pushed(self.rows, params)

    def pull(self, weights: Array) -> Array:
        return self._pulled(self.columns, weights)

    def newton(self, gradient: Array, active: Mask, mu: float) -> Array:
        """By conjugate gradients, preconditioned by the diagonal."""
        (indices,) = active.nonzero()
        rows = self.rows if len(indices) == len(active) else self.rows[indices]
        columns = rows.T
        weight = self.weight[indices] / mu
        stiffness = self.stiffness + np.finfo(np.float64).tiny
        squares = np.bincount(rows.indices, rows.data**2 * np.repeat(weight, np.diff(rows.indptr)), rows.shape[1])
        total = float(weight.sum())
        if not self.plain:
            sums = columns @ weight
            squares = np.maximum(squares - 2 * self.mean * sums + self.mean**2 * total, 0) * self.scale**2
        if self.free:
            stiffness[-1] += self._bias_stiffness(mu)
            squares = np.append(squares, total)
        diagonal = 1 / (squares + stiffness)

        def product(direction: Array) -> Array:
            pulled = self._pulled(columns, weight * self._pushed(rows, direction))
            pulled += stiffness * direction
            return pulled

        return conjugate_gradient(product, gradient, lambda residual: diagonal * residual)


class Output(ABC):
    """One output: its parameters, its duals, and the best that it has found and proved.

    Parameters
    ----------
    rows : KeptRows
        The rows with a weight.
    sign : ndarray of shape (n,)
        1 for the rows of the output, -1 for the others.
    params : ndarray of shape (order,)
        Start.
    centre : ndarray of shape (n,) or None
        First centre; the loss's own if None.
    """

    mu: float
    heights: Array
    dual: Array
    own_centre: float
    # Multiples of duals in the set that are in it as well, besides smaller ones.
    most: float

    def __init__(self, rows: KeptRows, sign: Array, params: Array, centre: Array | None) -> None:
        self.rows = rows
        self.sign = sign
        self.pulling = rows.weight * sign
        self.params = params
        self.centre = np.full(len(sign), self.own_centre)
        violations = 1 - sign * rows.push(params) if params.any() else np.ones(len(sign))
        self._set_out(violations, centre)
        self.found, self.proof = params, self.dual
        self.best, self.bound = np.inf, 0.0
        self.rests = False
        self._n_steps, self._used_up, self._stuck = 0, True, False
        self._weigh()
        self._price(violations)

    @abstractmethod
    def _set_out(self, violations: Array, centre: Array | None) -> None:
        """Heights and duals to begin with."""

    @abstractmethod
    def _within(self, heights: Array, out: Array) -> Array:
        """The duals at some heights."""

    @abstractmethod
    def _charge(self, violations: Array) -> float:
        """The weighted sum of the hinges, of violations above zero."""

    @abstractmethod
    def _bend(self) -> float:
        """Twice the weighted sum of the conjugate's quadratic part at the present duals."""

    @abstractmethod
    def _turn(self) -> None:
        """A new centre, if the last one is used up."""

    @property
    @abstractmethod
    def _settled(self) -> bool:
        """Whether the present duals are those that further steps would start from again."""

    def step(self) -> bool:
        """A Newton step on the smoothed problem; False if there is nowhere to go, and no other centre."""
        self._turn()
        self._n_steps += 1
        rows, mu = self.rows, self.mu
        gradient = rows.stiffness * self.params
        gradient -= self.pulled
        direction = rows.newton(gradient, self.heights == self.dual, mu)
        np.negative(direction, out=direction)
        rise = rows.push(direction)
        rise *= self.sign
        rise *= -1 / mu
        slope = float(gradient @ direction)
        self._stuck = not slope < 0 or not self._search(direction, rise, slope, SLOPE_SHARE * slope)
        return not (self._stuck and self._settled)

    def prove(self, radius: float, allowed: float) -> None:
        """Bound this output's part of the objective by its duals, for biases within a radius of the present one.

        The bias is moved where that alone keeps the bound from what is allowed to be left.
        """
        bound, cost = self._bound(radius)
        if cost and bound < self.best - allowed <= self._bound(0.0)[0] - BIAS_SHARE * allowed:
            before = float(self.params[-1])
            self._balance(BIAS_SHARE * allowed / radius)
            bound, cost = self._bound(radius + abs(float(self.params[-1]) - before))
        if bound > self.bound:
            self.bound, self.proof = bound, self.dual
        self.rests = self.best - self.bound <= allowed
        weights = self.rows.slopes
        rest = self.pulled[weights] - self.rows.alpha * self.params[weights]
        lacking = float(rest @ rest) / (2 * self.rows.alpha)
        smoothing = self._value - (self._bound(0.0)[0] if cost else bound) - lacking
        self._used_up = self._stuck or self._n_steps >= MAX_STEPS or lacking <= INNER_SHARE * max(smoothing, 0.0)

    def _search(self, direction: Array, rise: Array, slope: float, target: float, *, beyond: bool = False) -> bool:
        """Move along a direction, by which heights rise, to where the slope is no steeper than the target.

        At most to its end, unless `beyond`. The slope is an increasing, piecewise linear function of the step: a
        bracketed secant method, in which an end that stays counts half (Illinois).
        """
        rows, before = self.rows, self.heights
        heights, dual = np.empty_like(before), np.empty_like(before)
        weighted = rise * (self.mu * rows.weight[0]) if rows.alike else rise * rows.weight * self.mu
        stiff = rows.stiffness * direction
        linear, quadratic = float(stiff @ self.params), float(stiff @ direction)
        low, slope_low, high, slope_high, trial, last = 0.0, slope, np.inf, np.inf, 1.0, 0
        for _ in range(MAX_TRIALS):
            step = trial
            np.multiply(rise, step, out=heights)
            heights += before
            self._within(heights, dual)
            now = linear + step * quadratic + float(dual @ weighted)
            if abs(now) <= abs(target) or (now < 0 and high == np.inf and not beyond):
                break
            if now < 0:
                slope_high = slope_high / 2 if last < 0 else slope_high
                low, slope_low, last = step, now, -1
            else:
                slope_low = slope_low / 2 if last > 0 else slope_low
                high, slope_high, last = step, now, 1
            trial = 2 * step if high == np.inf else low - (high - low) * slope_low / (slope_high - slope_low)
            if trial in (low, high):
                break
        if not np.isfinite(now):
            return False
        direction *= step
        self.params, self.heights, self.dual = self.params + direction, heights, dual
        self._weigh()
        np.subtract(heights, self.centre, out=rise)
        rise *= self.mu
        self._price(rise)
        return True

    def _balance(self, target: float) -> None:
        """Move the bias to where its gradient is no more than the target."""
        rows, balance = self.rows, float(self.pulled[-1])
        curvature = float(rows.weight @ (self.heights == self.dual)) / self.mu
        distance = balance / curvature if curvature else np.sign(balance)
        direction = np.zeros(rows.order)
        direction[-1] = distance
        self._search(direction, self.sign * (-distance / self.mu), -balance * distance, target * distance, beyond=True)

    def _weigh(self) -> None:
        """Sums of the present duals: ``sum_i w_i t_i p_i z_i``, ``sum_i w_i p_i``, and what bends the bound."""
        self.pulled = self.rows.pull(self.pulling * self.dual)
        self._sum = float(self.rows.weight @ self.dual)
        self._bent = self._bend()

    def _price(self, violations: Array) -> None:
        """Take notice of the objective at the present point, whose violations are overwritten."""
        slopes = self.params[self.rows.slopes]
        np.maximum(violations, 0, out=violations)
        self._value = self._charge(violations) + 0.5 * self.rows.alpha * float(slopes @ slopes)
        if self._value < self.best:
            self.best, self.found = self._value, self.params

    def _bound(self, radius: float) -> tuple[float, float]:
        """The bound by the best multiple of the present duals, and the largest cost of the bias in it."""
        slopes = self.pulled[self.rows.slopes]
        linear, curvature, cost = self._sum, float(slopes @ slopes) / self.rows.alpha + self._bent, 0.0
        if self.rows.free:
            balance = float(self.pulled[-1])
            cost = radius * abs(balance)
            linear -= float(self.params[-1]) * balance + cost
        multiple = min(max(linear, 0.0) / curvature, self.most) if curvature else 1.0
        return multiple * linear - 0.5 * multiple**2 * curvature, cost


class PlainOutput(Output):
    """``max(0, u)``, smoothed around a centre that moves to the present duals."""

    mu, own_centre, most = FIRST_MU, 0.5, 1.0

    def _set_out(self, violations: Array, centre: Array | None) -> None:
        if centre is not None:
            self.centre = np.clip(centre, 0, 1)
        self.heights = self.centre + violations / self.mu
        # Before the first step duals are the centre itself.
        self.dual = self.centre

    def _within(self, heights: Array, out: Array) -> Array:
        # Quicker than a clip.
        np.maximum(heights, 0.0, out=out)
        return np.minimum(out, 1.0, out=out)

    def _charge(self, violations: Array) -> float:
        return float(self.rows.weight @ violations)

    def _bend(self) -> float:
        return 0.0

    def _turn(self) -> None:
        """The present duals as the centre, of a smoothing as wide as the last centre was hard."""
        if not self._used_up and self._n_steps:
            return
        mu = self.mu
        if 0 < self._n_steps <= EASY_STEPS:
            self.mu = max(MIN_MU, NARROW * mu)
        elif self._n_steps >= HARD_STEPS:
            self.mu = min(MAX_MU, WIDEN * mu)
        self.heights -= self.centre
        self.heights *= mu / self.mu
        self.heights += self.dual
        self.centre = self.dual
        self.dual = self._within(self.heights, np.empty_like(self.heights))
        self._weigh()
        self._n_steps = 0

    @property
    def _settled(self) -> bool:
        return np.array_equal(self.dual, self.centre)


class SquaredOutput(Output):
    """``max(0, u)^2``, which is smooth as it is."""

    mu, own_centre, most = 0.5, 0.0, np.inf

    def _set_out(self, violations: Array, centre: Array | None) -> None:
        self.heights = violations / self.mu
        self.dual = self._within(self.heights, np.empty_like(violations))

    def _within(self, heights: Array, out: Array) -> Array:
        return np.maximum(heights, 0.0, out=out)

    def _charge(self, violations: Array) -> float:
        return float((self.rows.weight * violations) @ violations)

    def _bend(self) -> float:
        return float((self.rows.weight * self.dual) @ self.dual) / 2

    def _turn(self) -> None:
        """Nowhere: there is no other centre."""

    @property
    def _settled(self) -> bool:
        return True


OUTPUTS: dict[type[Loss], type[Output]] = {OneVsRestHinge: PlainOutput, OneVsRestSquaredHinge: SquaredOutput}
