"""What a point that was found by steps along gradients is worth: its objective and a certified gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._result import Array

if TYPE_CHECKING:
    from .._objective import Objective

# An objective this many times above the larger of its start and of the zero model's, at so many points in a row, will
# not come down again.
FAR, FAR_POINTS = 10.0, 5
# A lightly smoothed hinge has the better duals near the optimum, a heavily smoothed one far from it.
SMOOTHINGS = (0.1, 10.0)


def is_far(value: float, scale: float) -> bool:
    """Whether an objective is so far above a scale that it is lost, as one that is not a number is."""
    return not value <= FAR * scale


@dataclass(frozen=True)
class Report:
    """A point, free of common shifts and, for a smooth loss, with the best bias for its weights; and what it proves."""

    params: Array
    logits: Array
    value: float
    measure: float


class Judge:
    """Certifies one point after the other; the highest of their lower bounds holds for all of them."""

    def __init__(self, objective: Objective, tol: float, *, proving: bool = True) -> None:
        self.objective = objective
        self.tol = tol
        # The dual points of a hinge take several passes each. What needs no proof of every point looks for one after 1,
        # 2, 4, ... points: a few of them find an end without which all steps would be taken.
        self.proving = proving
        self._n_points = 0
        self.best: Report
        self._bound = -np.inf
        self._centres: dict[float, Array] = {}
        self._scale = 0.0
        self._n_far = 0

    def has_diverged(self, n_steps: int, *, at_end: bool) -> bool:
        """Whether the last points are all far above the first; at the end those few that there are will do."""
        return self._n_far >= FAR_POINTS or (at_end and 0 < n_steps <= self._n_far)

    def assess(self, params: Array) -> Report:
        """Objective and gap of the next point."""
        objective = self.objective
        # What overflows is far.
        with np.errstate(over="ignore", invalid="ignore"):
            point = objective.at(objective.free_of_shift(params))
            self._scale = self._scale or max(point.value, objective.loss_at_zero)
            far = is_far(point.value, self._scale)
            self._n_far = self._n_far + 1 if far else 0
            if far:
                report = Report(point.params, point.logits, point.value, np.inf)
            elif objective.non_smooth:
                report = Report(point.params, point.logits, point.value, np.inf)
                self._n_points += 1
                if self.proving or self._n_points.bit_count() == 1:
                    self._prove(report)
            else:
                point, _, certificate = objective.assess(objective.with_best_bias(point), self.tol)
                report = Report(point.params, point.logits, point.value, certificate.measure)
                self._bound = max(self._bound, point.value - certificate.gap)
        if not hasattr(self, "best") or report.value < self.best.value:
            self.best = report
        return Report(report.params, report.logits, report.value, self.proof(report)[1])

    def settled(self, report: Report) -> tuple[float, float]:
        """`proof` of the point that is returned."""
        if self.objective.non_smooth and not self.proving:
            self._prove(report)
        return self.proof(report)

    def _prove(self, report: Report) -> None:
        self._bound = max(self._bound, *(self._bound_of(mu, report) for mu in SMOOTHINGS))

    def _bound_of(self, mu: float, report: Report) -> float:
        """Lower bound on a plain hinge from its smoothed version, around the duals that the last point led to."""
        smooth = self.objective.smoothed(mu, self._centres.get(mu))
        point = smooth.with_best_bias(smooth.evaluate(report.params, report.logits))
        self._centres[mu] = smooth.maximizer(point)
        return self.objective.bound(point, smooth.gradient(point), report.value)[0]

    def proof(self, report: Report) -> tuple[float, float]:
        """Gap and measure of a point by what all points have proved; without a penalty by its own gradient."""
        if not self.objective.alpha:
            return np.nan, report.measure
        gap = max(report.value - self._bound, 0.0)
        return gap, self.objective.relative_gap(report.value, gap)
