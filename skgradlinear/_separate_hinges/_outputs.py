"""One output: Newton steps on its smoothed hinge, its centres, and the bound that its duals prove."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from ..losses import Loss, OneVsRestHinge, OneVsRestSquaredHinge
from ..losses._base import Array, Mask
from ._rows import KeptRows

# The smoothing adapts: narrower after centres that took few steps, wider after centres that took many.
FIRST_MU, MIN_MU, MAX_MU = 2.0, 1e-3, 1e6
NARROW, WIDEN = 0.5, 2.0
EASY_STEPS, HARD_STEPS, MAX_STEPS = 2, 6, 20
# A centre is used up when what its own problem still lacks is this share of what the smoothing costs.
INNER_SHARE = 2.0
# From this gap on, relative to its part of the objective, an output's active rows are expected to stay so.
NEAR = 0.4
# A search ends where the slope has fallen to this share, or after so many trials. A trial is at most this many times as
# far as the last one further.
SLOPE_SHARE, MAX_TRIALS, FURTHER = 0.2, 40, 2.0
# The bias is searched until it takes no more from the bound than this share of what may be left.
BIAS_SHARE = 0.1
ZERO, ONE = np.zeros(()), np.ones(())


class Output(ABC):
    """One output: its parameters, its duals, and the best that it has found and proved.

    Parameters
    ----------
    rows : KeptRows
        The rows with a weight.
    sign : ndarray of shape (n,)
        1 for the rows of the output, -1 for the others.
    params : ndarray of shape (order,) or None
        Start; zeros if None.
    centre : ndarray of shape (n,) or None
        First centre; zeros if None.
    """

    mu: float
    heights: Array
    dual: Array
    # Multiples of duals in the set that are in it as well, besides smaller ones.
    most: float

    def __init__(self, rows: KeptRows, sign: Array, params: Array | None, centre: Array | None) -> None:
        self.rows = rows
        self.sign = sign
        self.pulling = rows.weight * sign
        self.params = np.zeros(rows.order) if params is None else params
        self.centre: Array = np.zeros(len(sign))
        violations = np.ones(len(sign)) if params is None else self._violations(params)
        self._set_out(violations, centre)
        self.found, self.proof = self.params, self.dual
        self.best, self.bound = np.inf, 0.0
        self.rests = False
        self._n_steps, self._used_up, self._stuck = 0, True, False
        self._known = rows.memory()
        self._weigh(self.dual)
        self._price()

    @abstractmethod
    def _set_out(self, violations: Array, centre: Array | None) -> None:
        """Heights and duals to begin with."""

    @abstractmethod
    def _within(self, heights: Array, out: Array) -> Array:
        """The duals at some heights."""

    @abstractmethod
    def _charge(self, violations: Array) -> float:
        """The weighted sum of the hinges, of violations that are overwritten."""

    @abstractmethod
    def _charged(self) -> float:
        """The weighted sum of the hinges at the present heights and duals."""

    @abstractmethod
    def _bend(self) -> float:
        """Twice the weighted sum of the conjugate's quadratic part at the present duals."""

    @abstractmethod
    def _turn(self) -> Mask | None:
        """A new centre, if the last one is used up; the rows expected to be active at its solution, if there are any.

        Duals and their descent are then weighed as if these were active already.
        """

    @property
    @abstractmethod
    def _settled(self) -> bool:
        """Whether the present duals are those that further steps would start from again."""

    def step(self) -> bool:
        """A Newton step on the smoothed problem; False if there is nowhere to go, and no other centre."""
        expected = self._turn()
        self._n_steps += 1
        moved = self._go(self.heights == self.dual if expected is None else expected)
        if expected is not None and not moved:
            self._weigh(self.dual)
            moved = self._go(self.heights == self.dual)
        self._stuck = not moved
        return moved or not self._settled

    def prove(self, radius: float, allowed: float) -> None:
        """Bound this output's part of the objective by its duals, for biases within a radius of the present one.

        The bias is moved where that alone keeps the bound from what is allowed to be left.
        """
        sums = self._sums()
        bound, cost = self._bound(radius, *sums)
        if cost and bound < self.best - allowed <= self._bound(0.0, *sums)[0] - BIAS_SHARE * allowed:
            before = float(self.params[-1])
            self._balance(BIAS_SHARE * allowed / radius)
            sums = self._sums()
            bound, cost = self._bound(radius + abs(float(self.params[-1]) - before), *sums)
        if bound > self.bound:
            self.bound, self.proof = bound, self.dual
        self.rests = self.best - self.bound <= allowed
        rest = self._descent[self.rows.slopes]
        lacking = float(rest.dot(rest)) / (2 * self.rows.alpha)
        smoothing = self._value - (self._bound(0.0, *sums)[0] if cost else bound) - lacking
        self._used_up = self._stuck or self._n_steps >= MAX_STEPS or lacking <= INNER_SHARE * max(smoothing, 0.0)

    def claim(self) -> float:
        """The objective at the best parameters, of logits formed anew."""
        return self._charge(self._violations(self.found)) + self._penalty(self.found)

    def _go(self, active: Mask) -> bool:
        """Newton's step where some rows are active, if it leads down."""
        direction = self.rows.newton(self._descent, active, self.mu, self._known)
        rise = self.rows.push(direction * (-1 / self.mu))
        rise *= self.sign
        return self._search(direction, rise)

    def _search(self, direction: Array, rise: Array, target: float | None = None) -> bool:
        """Move along a direction, by which heights rise, to where the slope is no steeper than a target, or a share.

        The slope is an increasing, piecewise linear function of the step: a bracketed secant method, in which an end
        that stays counts half (Illinois). Before there is a bracket, secants go further, but not too far at once.
        """
        rows, before = self.rows, self.heights
        weighted, scale = (rise, self.mu * rows.share) if rows.share else (rise * rows.weight, self.mu)
        stiff = rows.stiffness * direction
        linear, quadratic = float(stiff.dot(self.params)), float(stiff.dot(direction))
        slope = linear + scale * float(self.dual.dot(weighted))
        if not slope < 0:
            return False
        target = -SLOPE_SHARE * slope if target is None else target
        heights, dual = np.empty_like(before), np.empty_like(before)
        low, slope_low, high, slope_high, trial, last = 0.0, slope, np.inf, np.inf, 1.0, 0
        for _ in range(MAX_TRIALS):
            step = trial
            np.multiply(rise, step, out=heights)
            heights += before
            self._within(heights, dual)
            now = linear + step * quadratic + scale * float(dual.dot(weighted))
            if abs(now) <= target:
                break
            if now < 0 and high == np.inf:
                further = now / (slope_low - now) if slope_low < now else np.inf
                trial = step + min((step - low) * further, FURTHER * step)
                low, slope_low = step, now
                continue
            if now < 0:
                slope_high = slope_high / 2 if last < 0 else slope_high
                low, slope_low, last = step, now, -1
            else:
                slope_low = slope_low / 2 if last > 0 else slope_low
                high, slope_high, last = step, now, 1
            trial = low - (high - low) * slope_low / (slope_high - slope_low)
            if trial in (low, high):
                break
        if not math.isfinite(now):
            return False
        direction *= step
        self.params, self.heights, self.dual = self.params + direction, heights, dual
        self._weigh(dual)
        self._price()
        return True

    def _balance(self, target: float) -> None:
        """Move the bias to where its gradient is no more than the target."""
        rows, balance = self.rows, float(self.pulled[-1])
        curvature = float(rows.weight.dot(self.heights == self.dual)) / self.mu
        distance = balance / curvature if curvature else np.sign(balance)
        direction = np.zeros(rows.order)
        direction[-1] = distance
        self._search(direction, self.sign * (-distance / self.mu), target * abs(distance))

    def _violations(self, params: Array) -> Array:
        """``1 - t_i z_i``."""
        violations = self.rows.push(params)
        violations *= self.sign
        return np.subtract(1.0, violations, out=violations)

    def _weigh(self, dual: Array) -> None:
        """The sum of the rows with some duals, ``sum_i w_i t_i p_i z_i``, and the descent that it leaves."""
        self.pulled = self.rows.pull(self.pulling * dual)
        # Minus the gradient of the smoothed problem.
        self._descent = self.pulled - self.rows.stiffness * self.params

    def _price(self) -> None:
        """Take notice of the objective at the present point."""
        self._value = self._charged() + self._penalty(self.params)
        if self._value < self.best:
            self.best, self.found = self._value, self.params

    def _penalty(self, params: Array) -> float:
        slopes = params[self.rows.slopes]
        return 0.5 * self.rows.alpha * float(slopes.dot(slopes))

    def _sums(self) -> tuple[float, float]:
        """``sum_i w_i p_i``, and what bends the bound, at the present duals."""
        slopes = self.pulled[self.rows.slopes]
        return float(self.rows.weight.dot(self.dual)), float(slopes.dot(slopes)) / self.rows.alpha + self._bend()

    def _bound(self, radius: float, linear: float, curvature: float) -> tuple[float, float]:
        """The bound by the best multiple of the present duals, and the largest cost of the bias in it."""
        cost = 0.0
        if self.rows.free:
            balance = float(self.pulled[-1])
            cost = radius * abs(balance)
            linear -= float(self.params[-1]) * balance + cost
        multiple = min(max(linear, 0.0) / curvature, self.most) if curvature else 1.0
        return multiple * linear - 0.5 * multiple**2 * curvature, cost


class PlainOutput(Output):
    """``max(0, u)``, smoothed around a centre that moves to the present duals."""

    mu, most = FIRST_MU, 1.0

    def _set_out(self, violations: Array, centre: Array | None) -> None:
        if centre is not None:
            self.centre = np.clip(centre, 0, 1)
        self.heights = self.centre + violations / self.mu
        # Before the first step duals are the centre itself.
        self.dual = self.centre

    def _within(self, heights: Array, out: Array) -> Array:
        # Quicker than a clip, and arrays are quicker than numbers.
        np.maximum(heights, ZERO, out=out)
        return np.minimum(out, ONE, out=out)

    def _charge(self, violations: Array) -> float:
        return float(self.rows.weight.dot(np.maximum(violations, ZERO, out=violations)))

    def _charged(self) -> float:
        return self.mu * self._charge(self.heights - self.centre)

    def _bend(self) -> float:
        return 0.0

    def _turn(self) -> Mask | None:
        """The present duals as the centre, of a smoothing as wide as the last centre was hard.

        Near the end the same rows are active at one centre's solution and the next, however far the heights of some, as
        they are multiplied, are outside of the set before the step to it.
        """
        if not self._used_up and self._n_steps:
            return None
        near = self._n_steps and self.best - self.bound <= NEAR * self.best
        held = self.heights == self.dual if near else None
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
        self._weigh(self.dual if held is None else np.where(held, self.heights, self.dual))
        self._n_steps = 0
        return held

    @property
    def _settled(self) -> bool:
        return np.array_equal(self.dual, self.centre)


class SquaredOutput(Output):
    """``max(0, u)^2``, which is smooth as it is."""

    mu, most = 0.5, np.inf

    def _set_out(self, violations: Array, centre: Array | None) -> None:
        self.heights = violations / self.mu
        self.dual = self._within(self.heights, np.empty_like(violations))

    def _within(self, heights: Array, out: Array) -> Array:
        return np.maximum(heights, ZERO, out=out)

    def _charge(self, violations: Array) -> float:
        np.maximum(violations, ZERO, out=violations)
        return float((self.rows.weight * violations).dot(violations))

    def _charged(self) -> float:
        # The duals are twice the violations.
        return self._bend() / 2

    def _bend(self) -> float:
        return float((self.rows.weight * self.dual).dot(self.dual)) / 2

    def _turn(self) -> Mask | None:
        """Nowhere: there is no other centre."""
        return None

    @property
    def _settled(self) -> bool:
        return True


OUTPUTS: dict[type[Loss], type[Output]] = {OneVsRestHinge: PlainOutput, OneVsRestSquaredHinge: SquaredOutput}
