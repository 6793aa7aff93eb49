"""One output: Newton steps on its smoothed hinge, its centres, and the bound that its duals prove."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ..losses import Loss, OneVsRestHinge, OneVsRestSquaredHinge
from ..losses._base import Array, Mask
from ._rows import KeptRows, System
from ._sparse_rows import KeptSparseRows

# The smoothing adapts: narrower after centres that took few steps, wider after centres that took many.
FIRST_MU, MIN_MU, MAX_MU = 2.0, 1e-3, 1e6
NARROW, WIDEN = 0.5, 2.0
EASY_STEPS, HARD_STEPS, MAX_STEPS = 2, 6, 20
# From this gap on, relative to its part of the objective, an output's active rows are expected to stay so.
NEAR = 0.4
# A search ends where the slope has fallen to this share, or after so many trials. A trial is at most this many times as
# far as the last one further.
SLOPE_SHARE, MAX_TRIALS, FURTHER = 0.2, 40, 2.0
# The bias is searched until it takes no more from the bound than this share of what may be left.
BIAS_SHARE = 0.1


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
    logits : ndarray of shape (n,) or None
        Those of `params`; formed here if None.
    """

    mu: float
    heights: Array
    dual: Array
    # Whether a step led nowhere, from rows that were but expected to be active.
    again: bool
    # Multiples of duals in the set that are in it as well, besides smaller ones.
    most: float

    def __init__(
        self, rows: KeptRows, sign: Array, params: Array | None, centre: Array | None, logits: Array | None
    ) -> None:
        self.rows = rows
        self.sign = sign
        self.pulling = rows.weight * sign
        self.params = np.zeros(rows.order) if params is None else params
        # Arrays are quicker than numbers.
        self._zero, self._one = np.zeros((), rows.dtype), np.ones((), rows.dtype)
        self.centre: Array = np.zeros_like(sign)
        violations = np.ones_like(sign) if logits is None else self._violations(logits)
        self._set_out(violations, centre)
        self.found, self.proof = self.params, self.dual
        self.best, self.bound = np.inf, 0.0
        self.rests = False
        self._n_steps, self._used_up, self._stuck = 0, True, False
        self._known = rows.memory()
        self._expected: Mask | None = None
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
    def turn(self) -> bool:
        """A new centre, if the last one is used up; True if duals have changed, and are to be weighed.

        Where some rows are expected to be active at its solution, these count as if they were already.
        """

    @property
    @abstractmethod
    def _settled(self) -> bool:
        """Whether the present duals are those that further steps would start from again."""

    def step(self) -> bool:
        """A Newton step on the smoothed problem; False if there is nowhere to go, and no other centre."""
        rows = self.rows
        if self.turn():
            self.weigh(rows.pull(self.weights))
        self.again = True
        while self.again:
            direction = rows.newton(self.system)
            if self.move(direction, rows.push(direction * (-1 / self.mu))):
                self.weigh(rows.pull(self.weights))
        return not self.at_end

    @property
    def system(self) -> System:
        """Newton's system, of the rows that are active or are expected to be."""
        active: Mask = self.heights == self.dual if self._expected is None else self._expected
        return System(self.descent, active, self.mu, self._known)

    @property
    def weights(self) -> Array:
        """What the rows are to be pulled by, for `weigh`."""
        dual = self.dual if self._expected is None else np.where(self._expected, self.heights, self.dual)
        return self.pulling * dual

    def weigh(self, pulled: Array) -> None:
        """Take notice of the sum of the rows with the present duals, ``sum_i w_i t_i p_i z_i``."""
        self.pulled = pulled
        # Minus the gradient of the smoothed problem.
        self.descent = pulled - self.rows.stiffness * self.params

    def move(self, direction: Array, rise: Array) -> bool:
        """Search along a direction, whose logits over ``-mu`` are overwritten; True if duals are to be weighed."""
        rise *= self.sign
        self._stuck = not self._search(direction, rise)
        self.again, self._expected = self._stuck and self._expected is not None, None
        self._n_steps += not self.again
        return self.again or not self._stuck

    @property
    def at_end(self) -> bool:
        """Whether the last step led nowhere, and there is no other centre."""
        return self._stuck and self._settled

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
        rest = self.descent[self.rows.slopes]
        lacking = float(rest.dot(rest)) / (2 * self.rows.alpha)
        smoothing = self._value - (self._bound(0.0, *sums)[0] if cost else bound) - lacking
        self._used_up = (
            self._stuck or self._n_steps >= MAX_STEPS or lacking <= self.rows.inner_share * max(smoothing, 0.0)
        )

    def claim(self) -> float:
        """The objective at the best parameters, of logits formed anew."""
        return self._charge(self._violations(self.rows.push(self.found))) + self._penalty(self.found)

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
        self._price()
        return True

    def _balance(self, target: float) -> None:
        """Move the bias to where its gradient is no more than the target."""
        rows, balance = self.rows, float(self.pulled[-1])
        curvature = float(rows.weight.dot(self.heights == self.dual)) / self.mu
        distance = balance / curvature if curvature else float(np.sign(balance))
        direction = np.zeros(rows.order)
        direction[-1] = distance
        if self._search(direction, self.sign * (-distance / self.mu), target * abs(distance)):
            self.weigh(rows.pull(self.weights))

    def _violations(self, logits: Array) -> Array:
        """``1 - t_i z_i``."""
        violations = logits * self.sign
        return np.subtract(self._one, violations, out=violations)

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
        # Quicker than a clip.
        np.maximum(heights, self._zero, out=out)
        return np.minimum(out, self._one, out=out)

    def _charge(self, violations: Array) -> float:
        return float(self.rows.weight.dot(np.maximum(violations, self._zero, out=violations)))

    def _charged(self) -> float:
        return self.mu * self._charge(self.heights - self.centre)

    def _bend(self) -> float:
        return 0.0

    def turn(self) -> bool:
        """The present duals as the centre, of a smoothing as wide as the last centre was hard.

        Near the end the same rows are active at one centre's solution and the next, however far the heights of some, as
        they are multiplied, are outside of the set before the step to it.
        """
        if not self._used_up and self._n_steps:
            return False
        near = self._n_steps and self.best - self.bound <= NEAR * self.best
        self._expected = self.heights == self.dual if near else None
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
        self._n_steps = 0
        return True

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
        return np.maximum(heights, self._zero, out=out)

    def _charge(self, violations: Array) -> float:
        np.maximum(violations, self._zero, out=violations)
        return float((self.rows.weight * violations).dot(violations))

    def _charged(self) -> float:
        # The duals are twice the violations.
        return self._bend() / 2

    def _bend(self) -> float:
        return float((self.rows.weight * self.dual).dot(self.dual)) / 2

    def turn(self) -> bool:
        """Nowhere: there is no other centre."""
        return False

    @property
    def _settled(self) -> bool:
        return True


OUTPUTS: dict[type[Loss], type[Output]] = {OneVsRestHinge: PlainOutput, OneVsRestSquaredHinge: SquaredOutput}


def weigh(rows: KeptRows, outputs: Sequence[Output]) -> None:
    """Take notice of the present duals of some outputs on the same rows."""
    if outputs:
        sums = rows.pull_all(np.array([output.weights for output in outputs]))
        for output, pulled in zip(outputs, sums, strict=True):
            output.weigh(pulled)


def step_abreast(rows: KeptSparseRows, outputs: Sequence[Output], max_steps: int) -> bool:
    """`Output.step` of some outputs on the same sparse rows, each within so many steps of conjugate gradients."""
    going = outputs
    weigh(rows, [output for output in outputs if output.turn()])
    while going:
        directions = rows.newton_all([output.system for output in going], max_steps)
        rises = rows.push_all(directions * np.array([[-1 / output.mu] for output in going]))
        moves = zip(going, directions, rises, strict=True)
        weigh(rows, [output for output, *move in moves if output.move(*move)])
        going = [output for output in going if output.again]
    return not all(output.at_end for output in outputs)
