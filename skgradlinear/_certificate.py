"""The certificate: how far a point can be from the optimum, whatever found it.

For any dual rows ``u_i`` in the domain of the conjugate, with ``G = sum_i w_i z_i u_i'`` and ``g = sum_i w_i u_i``,

    D(u) = -sum_i w_i loss*(u_i) - ||G||^2 / (2 alpha) + b . g - R . |g|

bounds the objective from below on all W and all biases with |b'_k - b_k| <= R_k (Fenchel-Young, and the minimum of a
linear function over a box). At the gradient rows of a smooth loss, P - D = ||dP/dW||^2 / (2 alpha) + R . |g|. The best
bias is proved to be in the box: see `bias_radius`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ._bias import minimize_bias
from ._evaluation import Evaluation
from ._systems import SEARCH_RIDGE, newton_step
from .losses import NonSmoothLoss
from .losses._base import Array

if TYPE_CHECKING:
    from ._objective import Objective

# An output without a row on one side has no best bias: its loss falls for ever, and this many logits further out than
# where any row is charged for it, it has fallen below all rounding. Shares below rounding are none.
ENDLESS, LEAST_SHARE = 100.0, 1e-16
# Relative gaps are relative to the objective, but to no less than this share of the loss of the zero model: the
# objective of separable data tends to zero with alpha, and so must the digits asked of it.
VALUE_FLOOR = 1e-10
# Newton steps on the bias stop when its term is this share of what the rest of the gap leaves to it, or, at the start
# and where next to nothing is left, this share of the gap that is asked for.
POLISH_SHARE, LEAST_POLISH_SHARE = 0.5, 0.1


@dataclass(frozen=True)
class Certificate:
    """A lower bound on the objective, and how far above it a point is.

    Parameters
    ----------
    value : float
        Objective at the point that was certified (the bias may have been polished).
    gap : float
        `value` minus the lower bound; nan without a penalty, where no finite bound exists.
    measure : float
        What is compared with ``tol``: the relative gap, or without a penalty the largest entry of the gradient per
        standard deviation of its column.
    bias_cost : float
        The part of `gap` that a better bias would remove, of the point or of its dual rows.
    """

    value: float
    gap: float
    measure: float
    bias_cost: float


@dataclass(frozen=True)
class Proof:
    """A point, its objective and what it proves; its logits are not kept."""

    params: Array
    value: float
    certificate: Certificate


def relative(objective: Objective, value: float, gap: float) -> float:
    """Gap relative to the objective, with a floor for objectives near zero; infinite where the objective is."""
    if not math.isfinite(value):
        return np.inf
    return gap / max(abs(value), VALUE_FLOOR * objective.loss_at_zero)


def certify(objective: Objective, point: Evaluation, gradient: Array) -> Certificate:
    """Certificate of a point; the dual rows are the gradient rows there (of the smoothed loss, for a hinge)."""
    if not objective.alpha:
        deviation = np.append(objective.standardization.deviation, 1.0)[:, None]
        scaled = np.abs(gradient)[deviation[:, 0] > 0] / deviation[deviation > 0][:, None]
        return Certificate(point.value, np.nan, float(scaled.max(initial=0.0)), 0.0)
    if objective.non_smooth:
        return certify_smoothed(objective, point)
    return certify_dual(objective, point.value, point.params[-1], gradient)


def certify_dual(objective: Objective, value: float, bias: Array, gradient: Array, excess: float = 0.0) -> Certificate:
    """Certificate by the gradient that dual rows of a smooth loss make with the penalty's.

    `excess` is the mean of what they lack in the equality of Fenchel and Young, nothing for the gradient rows.
    """
    slope = gradient[:-1]
    bias_cost = excess + _bias_cost(objective, gradient[-1], value, bias)
    gap = float(np.vdot(slope, slope)) / (2 * objective.alpha) + bias_cost
    return Certificate(value, gap, relative(objective, value, gap), bias_cost)


def balancing(objective: Objective, balance: Array, stiffness: Array) -> Array:
    """A change of the bias that balances the gradient rows to first order, shape (K,).

    The rows ``u_i + H_i c`` have the mean ``g + H c``, zero for ``c = -H^-1 g``, and are dual rows while c is small.
    """
    if objective.fit_intercept:
        change = newton_step(stiffness, balance, SEARCH_RIDGE[objective.dtype])
        if np.abs(change).max() <= objective.loss.dual_reach:
            return change
    return np.zeros_like(balance)


def bias_radius(objective: Objective, value: float, bias: Array) -> Array:
    """How far from `bias` the best bias can be, shape (K,), if the objective is `value` somewhere.

    No loss is below zero or its largest violation, ``z_j - z_y`` or ``-t_k z_k``; one that is is raised by its
    `shortfall`. At the optimum its mean over the rows of class c, a share p of all, is at most ``value / p``: for all j

        b_j - b_c <= value / p + ||w_j - w_c|| ||m_c||,    ||m_c||^2 <= spread / p,    ||W||^2 <= 2 value / alpha

    with the mean ``m_c`` of these rows and the mean squared norm, `spread`, of all. A class k without rows has its bias
    where no row is charged for it: as ``z_iy - z_ik >= b_y - b_k - ||w_y - w_k|| ||z_i||``, well below all of these.
    """
    coupled = objective.shift_invariant
    value += objective.loss.shortfall(len(bias))
    # ||w_j - w_c|| of two classes, ||w_k|| of an output of its own.
    distance = float(np.sqrt((4.0 if coupled else 2.0) * value / objective.alpha))
    reach: Array = objective.bias_reach(value, distance)
    reach += bias.max() - bias if coupled else np.abs(bias)
    return reach


@dataclass(frozen=True)
class BiasReach:
    """What `bias_radius` needs of an objective whatever its penalty, the value and the bias are.

    Parameters
    ----------
    inverse_share : ndarray of shape (K,)
        ``1 / p``.
    mean_norm : ndarray of shape (K,)
        Bound on ``||m_c||``, ``sqrt(spread / p)``.
    unused : ndarray of shape (K,), or None
        Which outputs have no rows on one side; None if all have.
    longest_row : float, or None
        The largest ``||z_i||``, where a class has no rows; None elsewhere.
    """

    inverse_share: Array
    mean_norm: Array
    unused: NDArray[np.bool_] | None
    longest_row: float | None

    @classmethod
    def of(cls, objective: Objective) -> Self:
        """The reach of an objective."""
        own, others = objective.mean_loss.label_mass
        coupled = objective.shift_invariant
        # The smaller share says more of how far away a bias can be; classes have but the one side of their own rows.
        share = own if coupled else np.minimum(own, others)
        unused = share <= LEAST_SHARE
        some = bool(unused.any())
        inverse = 1 / np.where(unused, 1.0, share)
        endless = some and coupled
        if objective.reweighted or endless:
            squares = _squares(objective)
        # The weights of the moments are those of the loss mostly.
        spread = float(objective.weight @ squares) if objective.reweighted else objective.logit_variance
        longest = float(np.sqrt(squares[objective.weight > 0].max())) if endless else None
        return cls(inverse, np.sqrt(spread * inverse), unused if some else None, longest)

    def __call__(self, value: float, distance: float) -> Array:
        """How far the best bias can be from zero, or below the largest, shape (K,); weights are `distance` apart."""
        reach = value * self.inverse_share + distance * self.mean_norm
        if self.unused is not None:
            endless = ENDLESS
            if self.longest_row is not None:
                endless += float(reach[~self.unused].max()) + distance * self.longest_row
            reach[self.unused] = endless
        return reach


def _squares(objective: Objective) -> Array:
    """Upper bounds on ``||z_i||^2``, shape (n,)."""
    units = objective.standardization
    squares = objective.rows.squares(units.mean, units.inverse_scale)
    # Differences of sparse rows may have lost this much to rounding, which is given back.
    centre = units.residual * units.inverse_scale
    rounding: Array = 8 * np.finfo(objective.dtype).eps * (squares + float(centre @ centre))
    return squares + rounding


def dual_value(objective: Objective, dual: Callable[[slice], Array], value: float, bias: Array) -> float:
    """``D(u)`` for dual rows given group by group: half a pass over X. The explicit bound, for any loss.

    It holds for an objective that somewhere is `value` or less.
    """
    total = objective.pull(dual, objective.zeros())
    slope, balance = total[:-1], total[-1]
    linear = _mean_conjugate(objective, dual)
    quadratic = float(np.vdot(slope, slope)) / (2 * objective.alpha)
    return -linear - quadratic + float(bias @ balance) - _bias_cost(objective, balance, value, bias)


def _mean_conjugate(objective: Objective, dual: Callable[[slice], Array]) -> float:
    return sum(objective.mean_loss.over_groups(lambda rows: objective.mean_loss.conjugate(rows, dual(rows))))


def _bias_cost(objective: Objective, balance: Array, value: float, bias: Array) -> float:
    """``R . |g|``; in float32, where sums only forecast what float64 will prove, it is left out."""
    if objective.dtype != np.float64 or not math.isfinite(value):
        return 0.0
    return float(bias_radius(objective, value, bias) @ np.abs(balance))


def bound_from_smoothed(objective: Objective, point: Evaluation, gradient: Array, value: float) -> tuple[float, float]:
    """Lower bound on a hinge's objective from a point of its smoothed version, and the part its bias costs.

    `value` is the hinge's own objective there or anywhere.

    The gradient rows of the smoothed hinge are duals of the plain one, and so is any multiple theta in [0, 1] of them;
    the bound is a parabola in theta.
    """
    slope = gradient[:-1] - objective.alpha * point.params[:-1]
    balance = gradient[-1]
    bias_cost = _bias_cost(objective, balance, value, point.params[-1])
    linear = -_mean_conjugate(objective, point.dlogits)
    linear += float(point.params[-1] @ balance) - bias_cost
    curvature = float(np.vdot(slope, slope)) / objective.alpha
    theta = min(1.0, max(linear, 0.0) / curvature) if curvature else 1.0
    return theta * linear - 0.5 * theta**2 * curvature, bias_cost


def certify_smoothed(objective: Objective, point: Evaluation) -> Certificate:
    """Certificate of a hinge from the dual point of its smoothed version at the same weights."""
    loss = objective.loss
    assert isinstance(loss, NonSmoothLoss)
    best = -np.inf
    # A lightly smoothed loss has the better dual near the optimum, a heavily smoothed one far from it.
    for mu in (1e-3, 1e-1, 1e1):
        smoothed = objective.with_loss(loss.smoothed(mu))
        balanced = minimize_bias(smoothed, smoothed.evaluate(point.params, point.logits), target=0.0)
        best = max(best, dual_value(objective, balanced.dlogits, point.value, balanced.params[-1]))
    gap = point.value - best
    return Certificate(point.value, gap, relative(objective, point.value, gap), 0.0)
