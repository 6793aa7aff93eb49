"""One output: Newton steps on its smoothed hinge, its centres, and the bound that its duals prove."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..losses import Loss, OneVsRestHinge, OneVsRestSquaredHinge
from ..losses._base import Array
from ._rows import KeptRows

# The smoothing adapts: narrower after centres that took few steps, wider after centres that took many.
FIRST_MU, MIN_MU, MAX_MU = 4.0, 1e-3, 1e6
NARROW, WIDEN = 0.35, 2.0
EASY_STEPS, HARD_STEPS, MAX_STEPS = 2, 6, 20
# A centre is used up when what its own problem still lacks is this share of what the smoothing costs.
INNER_SHARE = 0.5
# A search ends where the slope has fallen to this share, or after so many trials.
SLOPE_SHARE, MAX_TRIALS = 0.2, 40
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
        direction = rows.newton(gradient, self.heights == self.dual, mu, rows.stiffness)
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
