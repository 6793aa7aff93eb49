"""Learning from one chunk of rows after the other: Newton's method with a quadratic memory of the chunks before.

Derived in :doc:`/mathematics`, section "Data in pieces".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from ._conjugate_gradient import conjugate_gradient
from ._evaluation import Direction, Evaluation
from ._objective import Line
from ._stored_hessian import Change, StoredHessian, diagonal, mean_hessian
from .losses._base import Array

if TYPE_CHECKING:
    from ._objective import Objective
    from ._standardization import Standardization

# A row counts in proportion to the total weight seen up to it, to this power: what was remembered of a row at a worse
# point fades. Measured on seven data sets: 0 keeps the first mistakes, 2 loses more to chance than it forgets.
FADING = 1.0
# Smoothing of plain hinges: small beside the margin of 1, yet some rows of a chunk lie on each kink. It is come to in
# steps where the start knows nothing, at the first chunk and when a column comes alive: few rows off their kinks have
# no curvature, and would send its coefficient far away.
SMOOTHING, FIRST_SMOOTHINGS = 0.1, (8.0, 2.0, 0.5)
# What is remembered of their curvature is that of a wider smoothing: kinks of few rows would leave gaps. Measured on
# 20,000 images, the distance from the optimum halves.
REMEMBERED_SMOOTHING = 0.5
# What holds the parameters of the first chunk, which may be fewer rows than columns, near zero: this share of the
# chunk's weight times the variance of each column. It fades like everything else.
FIRST_SHARE = 1e-4
# Steps on a chunk end when the next one would gain this share of the chunk's loss, and are at most so many.
TOLERANCE, MAX_STEPS = 5e-4, 30
CONJUGATE_STEPS = 10
# A step is good when the slope at its end is this share of that at its start.
FLAT, MAX_TRIALS = 0.1, 30


@dataclass(frozen=True)
class Memory:
    """A quadratic model of the summed losses of the rows seen so far, around the parameters they left behind.

    Parameters
    ----------
    weight : float
        Total weight behind the model, faded.
    seen : float
        Total weight seen.
    gradient : ndarray of shape (d + 1, K)
        Gradient of the model at its centre; the penalty is no part of it.
    hessian : StoredHessian
        Second derivative of the model.
    standardization : Standardization
        The units of `gradient` and `hessian`.
    """

    weight: float
    seen: float
    gradient: Array
    hessian: StoredHessian
    standardization: Standardization

    @classmethod
    def empty(cls, objective: Objective) -> Self:
        """The memory of nothing: a little curvature around zero, so that the first rows do not run away."""
        entries = FIRST_SHARE * objective.total_weight * np.append(objective.standardization.deviation**2, 1.0)
        return cls(0.0, 0.0, objective.zeros(), diagonal(objective, entries), objective.standardization)

    @classmethod
    def of_solution(cls, objective: Objective, params: Array, seen: float) -> Self:
        """The memory of rows that `params` are optimal for, if they are curved as those at hand are.

        Their summed gradient is known without them: it balances the penalty.
        """
        weight = seen / (1 + FADING)
        gradient = -weight * objective.alpha * params
        gradient[-1] = 0.0
        wide = _smooth(objective, REMEMBERED_SMOOTHING)
        hessian = mean_hessian(wide, wide.at(params)).scaled(weight)
        start = cls.empty(objective)
        return cls(weight, seen, gradient, hessian.plus(start.hessian), objective.standardization)

    def moved(self, standardization: Standardization) -> Memory:
        """The same memory in the units of another standardization."""
        change = Change.between(self.standardization, standardization)
        return Memory(
            self.weight, self.seen, change.gradient(self.gradient), self.hessian.moved(change), standardization
        )

    def misses(self, standardization: Standardization) -> bool:
        """Whether a column has come alive since."""
        return bool(((self.standardization.deviation == 0) & (standardization.deviation > 0)).any())

    def faded(self, weight: float) -> Memory:
        """The memory when rows of this weight are to come on top."""
        factor = (self.seen / (self.seen + weight)) ** FADING if self.seen else 1.0
        return Memory(
            factor * self.weight,
            self.seen,
            factor * self.gradient,
            self.hessian.scaled(factor),
            self.standardization,
        )


def learn(objective: Objective, params: Array, memory: Memory) -> tuple[Array, Memory]:
    """Parameters and memory after the rows of an objective, from those before.

    Minimizes the memory's model plus the loss of the rows plus the penalty, roughly, and adds the quadratic expansion
    of the rows' loss at what it finds to the memory.
    """
    weight = objective.total_weight
    past = memory.moved(objective.standardization).faded(weight)
    fresh = not memory.seen or memory.misses(objective.standardization)
    for mu in (*FIRST_SMOOTHINGS, SMOOTHING) if objective.non_smooth and fresh else (SMOOTHING,):
        step = _Chunk(_smooth(objective, mu), past).descend(params)
        past = Memory(past.weight, past.seen, step.slope, past.hessian, past.standardization)
        params = step.point.params
    gradient = step.chunk.smooth.gradient(step.point)
    gradient[:-1] -= objective.alpha * params[:-1]
    wide = _smooth(objective, REMEMBERED_SMOOTHING)
    chunk = mean_hessian(wide, wide.evaluate(params, step.point.logits)).scaled(weight)
    return params, Memory(
        past.weight + weight,
        past.seen + weight,
        past.gradient + weight * gradient,
        past.hessian.plus(chunk),
        past.standardization,
    )


def _smooth(objective: Objective, mu: float) -> Objective:
    return objective.smoothed(mu) if objective.non_smooth else objective


@dataclass(frozen=True)
class _Step:
    """Where a descent stands: the point, and the gradient of the memory's model there."""

    chunk: _Chunk
    point: Evaluation
    slope: Array


class _Chunk:
    """The problem that a chunk poses: its mean loss, the memory's model and the penalty, relative to all weight."""

    def __init__(self, smooth: Objective, past: Memory) -> None:
        self.smooth = smooth
        self.past = past
        self.total = past.weight + smooth.total_weight
        self.share = smooth.total_weight / self.total

    def descend(self, params: Array) -> _Step:
        """Newton's method from `params`, which is where the memory is centred."""
        smooth = self.smooth
        step = _Step(self, smooth.at(params), self.past.gradient)
        precondition = self._preconditioner(step.point)
        for n_steps in range(MAX_STEPS):
            point = step.point
            penalty = smooth.alpha * point.params
            penalty[-1] = 0.0
            gradient = self.share * (smooth.gradient(point) - penalty) + step.slope / self.total + penalty
            descent = conjugate_gradient(self._hessp(point), gradient, precondition, max_steps=CONJUGATE_STEPS)
            direction = Direction(-descent, smooth.logits(-descent))
            slope = float(np.vdot(gradient, direction.params))
            if not slope < 0 or (n_steps and -slope <= 2 * TOLERANCE * self.share * point.value):
                break
            step = self._moved(step, direction, slope)
        return step

    def _hessp(self, point: Evaluation) -> Callable[[Array], Array]:
        product = self.smooth.damped_hessp(point)
        rest = np.full((self.smooth.shape[0], 1), (1 - self.share) * self.smooth.alpha)
        rest[-1] = 0.0

        def hessp(direction: Array) -> Array:
            total: Array = self.share * product(direction) + rest * direction
            total += self._remembered(direction) / self.total
            return total

        return hessp

    def _remembered(self, direction: Array) -> Array:
        """Product with the memory's Hessian, which keeps outputs apart, in the space without common shifts."""
        return self.past.hessian.times(direction)

    def _preconditioner(self, point: Evaluation) -> Callable[[Array], Array]:
        """The memory in place of the whole where it holds most of the weight: rows to come are like those before."""
        past = self.past
        if self.share <= 0.5:
            hessian = past.hessian.scaled(1 / past.weight)
        else:
            mean = mean_hessian(self.smooth, point)
            hessian = past.hessian.scaled(1 / self.total).plus(mean.scaled(self.share))
        solve = hessian.solver(self.smooth.alpha)
        return solve

    def _moved(self, step: _Step, direction: Direction, slope: float) -> _Step:
        """The step along a direction, of the length that is best up to a share of the slope."""
        smooth, point = self.smooth, step.point
        line = Line(smooth, point, direction)
        pushed = self._remembered(direction.params)
        linear = float(np.vdot(step.slope, direction.params)) / self.total
        square = float(np.vdot(pushed, direction.params)) / self.total
        drawn = [float(np.vdot(p[:-1], direction.params[:-1])) for p in (point.params, direction.params)]

        def slope_at(length: float) -> float:
            penalty = (1 - self.share) * smooth.alpha * (drawn[0] + length * drawn[1])
            return self.share * line.value_and_slope(length)[1] + penalty + linear + length * square

        length = flat_length(slope_at, slope)
        params = point.params + length * direction.params
        logits = point.logits + direction.logits.dtype.type(length) * direction.logits
        return _Step(self, smooth.evaluate(params, logits), step.slope + length * pushed)


def flat_length(slope_at: Callable[[float], float], slope: float) -> float:
    """A length where a convex function with a negative slope at 0 has become flat, by its slope alone."""
    low, low_slope, high = 0.0, slope, 1.0
    high_slope = slope_at(high)
    for _ in range(MAX_TRIALS):
        if abs(high_slope) <= FLAT * -slope:
            return high
        if high_slope > 0:
            break
        low, low_slope, high = high, high_slope, 2 * high
        high_slope = slope_at(high)
    for _ in range(MAX_TRIALS):
        share = low_slope / (low_slope - high_slope)
        length = low + (high - low) * min(max(share, 0.1), 0.9)
        found = slope_at(length)
        if abs(found) <= FLAT * -slope:
            return length
        if found < 0:
            low, low_slope = length, found
        else:
            high, high_slope = length, found
    return low
