"""Newton's method on the bias alone: a system of order K, on cached logits."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from ._evaluation import Evaluation
from ._line import rounding, search
from ._systems import SEARCH_RIDGE, newton_step
from .losses._base import Array

if TYPE_CHECKING:
    from ._objective import Objective

MAX_STEPS = 30
# On the flat pieces of a hinge the bias has no curvature; steps stay within a few logits.
MAX_STEP = 4.0


def minimize_bias(
    objective: Objective, point: Evaluation, target: float, balance: Array | None = None, price: Array | float = 1.0
) -> Evaluation:
    """The point with its bias moved until ``sum_k price_k |d loss / d bias_k| <= target``, or to rounding.

    `balance` is that derivative at the point, where it is known.
    """
    if not objective.fit_intercept:
        return point
    if balance is None:
        balance = objective.balance(point)
    for _ in range(MAX_STEPS):
        cost = (price * np.abs(balance)).sum()
        if cost <= target:
            break
        step = _newton_step(objective, point, balance)
        found = _moved(objective, point, balance, step)
        if found is None:
            break
        before = point.loss
        point, balance = found
        if point.loss >= before and (price * np.abs(balance)).sum() >= cost:
            break
    return point


def _newton_step(objective: Objective, point: Evaluation, balance: Array) -> Array:
    def stiffness(rows: slice) -> Array:
        return point.curvature(rows).total(objective.row_weight[rows]).astype(np.float64)

    hessian = reduce(np.add, objective.mean_loss.over_groups(stiffness))
    step = newton_step(hessian, balance, SEARCH_RIDGE[objective.dtype])
    step *= MAX_STEP / max(float(np.abs(step).max()), MAX_STEP)
    free: Array = objective.free_of_shift(step[None])[0]
    return free


def _moved(objective: Objective, point: Evaluation, balance: Array, step: Array) -> tuple[Evaluation, Array] | None:
    """The point with its bias moved along a step, and the derivative in the bias there."""

    def trial(size: float) -> tuple[tuple[Evaluation, Array], float, float]:
        shift = size * step
        params = point.params.copy()
        params[-1] += shift
        # Logits and one constant: as good as formed anew where the point's are.
        logits = point.logits + shift.astype(objective.dtype)
        moved, slopes = objective.evaluate_with_balance(params, logits, formed=point.formed)
        return (moved, slopes), moved.loss, float(slopes @ step)

    return search(trial, float(balance @ step), point.loss + rounding(objective) * abs(point.loss))
