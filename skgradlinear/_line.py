"""The objective along one direction: priced without touching X, and searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ._evaluation import Direction, Evaluation
from ._threads import totals
from .losses._base import Array

if TYPE_CHECKING:
    from ._objective import Objective

Found = TypeVar("Found")

# The line search ends where the slope is this share of the first, or after so many trials.
FLAT = 0.3
MAX_SEARCH = 12
# Relative rounding of a value: means of float32 losses are rounded where each loss is.
ROUNDING = {np.dtype(np.float32): 4 * 2.0**-52 + 1e-2 * 2.0**-23, np.dtype(np.float64): 4 * 2.0**-52}


class Line:
    """The objective on a line through a point: every step costs n K operations and no pass over X."""

    def __init__(self, objective: Objective, origin: Evaluation, direction: Direction) -> None:
        self._objective = objective
        self._origin = origin
        self._direction = direction

    def __call__(self, step: float) -> float:
        """Objective at ``params + step * direction``."""
        return self.value_and_slope(step)[0]

    def value_and_slope(self, step: float) -> tuple[float, float]:
        """Objective at ``params + step * direction`` and its derivative in `step`."""
        objective, direction = self._objective, self._direction
        params = self._origin.params + step * direction.params
        logits = self._origin.logits + direction.logits.dtype.type(step) * direction.logits

        def shares(rows: slice) -> tuple[float, float]:
            loss, dlogits = objective.mean_loss.value_and_gradient(rows, logits[rows])
            slopes = np.einsum("ik,ik->i", dlogits, direction.logits[rows], dtype=np.float64)
            return loss, objective.mean_loss.mean(rows, slopes)

        loss, slope = totals(objective.mean_loss.over_groups(shares))
        slope += objective.alpha * float(np.vdot(params[:-1], direction.params[:-1]))
        return loss + objective.penalty(params), slope


def search(trial: Callable[[float], tuple[Found, float, float]], first: float, ceiling: float) -> Found | None:
    """What is found on a line where it has become flat, and no higher than `ceiling`; the whole step is tried first.

    A trial of a step is what is found there, its value and its slope; `first` is the slope at zero. The objective is
    convex: a slope that is still negative at the whole step means descent all the way. An overshoot is undone by
    interpolating the slope to zero. None if rounding has the last word.
    """
    low, high, low_slope, high_slope, size = 0.0, 1.0, first, np.inf, 1.0
    for _ in range(MAX_SEARCH if -np.inf < first < 0 else 0):
        found, value, slope = trial(size)
        flat = abs(slope) <= FLAT * abs(first) or (size == 1 and slope <= 0)
        if flat and value <= ceiling:
            return found
        if slope <= 0:
            if flat:
                return None
            low, low_slope = size, slope
        else:
            high, high_slope = size, slope
        # An infinite slope, or one that is not a number, says that the step is far too long.
        size = low + min(max(0.1, low_slope / (low_slope - high_slope)), 0.9) * (high - low)
    return None


def line_search(objective: Objective, point: Evaluation, gradient: Array, step: Array) -> Evaluation | None:
    """The point moved along Newton's own direction, with its gradient; None if nothing is gained.

    Logits are formed from X and the gradient is formed anew: both are needed at the next point in any case.
    """

    def trial(size: float) -> tuple[tuple[Evaluation, Array], float, float]:
        moved = objective.at(point.params + size * step)
        slopes = objective.gradient(moved)
        return (moved, slopes), moved.value, float(np.vdot(slopes, step))

    first = float(np.vdot(gradient, step))
    found = search(trial, first, point.value + rounding(objective) * abs(point.value))
    return None if found is None else replace(found[0], gradient=found[1])


def rounding(objective: Objective) -> float:
    """Relative rounding of a value."""
    return ROUNDING[objective.dtype]
