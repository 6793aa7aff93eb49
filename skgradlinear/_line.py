"""The objective on a line, priced without touching X."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._evaluation import Direction, Evaluation
from ._threads import totals

if TYPE_CHECKING:
    from ._objective import Objective


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
