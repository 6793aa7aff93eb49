"""Plain hinges: smoothed around a centre that moves to the current duals (an augmented Lagrangian on the dual)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._separate_hinges import SeparateHinges
from ._centre import FIRST_MU, HALFWAY, Centre, Halfway, check_state
from ._result import PATIENCE, Array, Callback, History, Result, Status, check_kinks, check_limits, stalled
from ._separate import separately
from ._subspace_newton import REFORM, descend

if TYPE_CHECKING:
    from .._objective import Objective

# The smoothing starts wide and adapts: narrower after centres that took one step and gained little, wider after centres
# that took many.
MIN_MU, MAX_MU = 1e-3, 1e6
NARROW, WIDEN = 0.35, 4.0
EASY_STEPS, HARD_STEPS, MAX_STEPS = 1, 4, 20
# A centre is used up when what its own problem still lacks is this share of what the smoothing costs.
INNER_SHARE = 0.5
SLOW_GAIN = 0.5
# Gains of the smoothed problems over the solvers' patience that are this share of the gap are none.
IDLE_SHARE = 1e-9


def recentred(
    objective: Objective,
    params: Array | None = None,
    *,
    tol: float = 1e-4,
    max_iter: int = 1000,
    memory: int = 2,
    random_state: int = 0,
    callback: Callback | None = None,
    state: Centre | Halfway | None = None,
) -> Result:
    """Minimize an objective with a plain hinge to a certified gap.

    The hinge ``max_p p . u`` is replaced by ``max_p p . u - (mu/2) ||p - c||^2``, which is smooth; Newton steps in the
    subspace of a preconditioned gradient and the last steps minimize it; then the maximizing duals become the new
    centre ``c``. The gap is that of the true hinge at every iteration: the smoothed problem's duals are feasible.
    Outputs of a one-versus-rest hinge of few dense columns or of sparse rows have each a centre and Newton steps of
    their own; dense and single ones in float64 whatever the rows are.

    Parameters
    ----------
    objective : Objective
        With a loss that is not smooth.
    params : ndarray of shape (d + 1, K), default=None
        Start, zeros if None.
    tol : float, default=1e-4
        Relative duality gap to stop at.
    max_iter : int, default=1000
        Largest number of steps, over all centres.
    memory : int, default=2
        How many earlier steps take part in the search; none where outputs take steps of their own.
    random_state : int, default=0
        Seed of the row samples behind the preconditioner of large problems.
    callback : callable, default=None
        Called with an `Iteration` and the parameters at the start and after each step; a true return value stops the
        solver.
    state : Centre or Halfway, default=None
        ``result.state`` of an earlier solution of a similar problem on the same rows. Or its `waypoint`, which knows
        less of single rows, and takes the place of `params`: for a problem of a part of them.

    Returns
    -------
    Result
        The best point and its certificate.

    Raises
    ------
    ValueError
        If the loss is smooth, alpha is 0, the state is that of other rows, or an option is out of range.

    Notes
    -----
    See :doc:`/mathematics`, section "Solvers". Relatives: Rockafellar (1976), "Augmented Lagrangians and applications
    of the proximal point algorithm in convex programming"; Beck & Teboulle (2012), "Smoothing and first order methods".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import Objective
    >>> from skgradlinear.losses import WestonWatkinsHinge
    >>> from skgradlinear.solvers import recentred
    >>> objective = Objective(*load_iris(return_X_y=True), WestonWatkinsHinge(), alpha=0.01)
    >>> result = recentred(objective, tol=1e-6)
    >>> print(result.status.name, result.measure <= 1e-6)
    CONVERGED True
    """
    check_kinks("'recentred'", objective)
    check_limits(objective, tol, max_iter)
    check_state(state, objective)
    if isinstance(state, Halfway):
        params, state = state.params_of(objective), state.centre
    if SeparateHinges.suits(objective):
        return separately(objective, params, tol, max_iter, callback, state)
    # What begins at a solution has no way to be in the middle of.
    anew = params is None
    centre = state or Centre(FIRST_MU, None)
    waypoint = centre.waypoint
    smooth = _smoothed(objective, centre)
    point = smooth.start(params)
    best = _Best(np.inf, -np.inf, point.params)
    history = History(callback)
    steps: list[Any] = []
    gains: list[float] = []
    directions = objective.directions(random_state)
    status, inner_steps, settled, last_gap = Status.MAX_ITER, 0, False, np.inf
    for n_iter in range(max_iter + 1):
        point, gradient, value, bound, bias_cost, lacking = _assess(objective, smooth, point, tol)
        best = best.improved(value, bound, point.params)
        measure = objective.relative_gap(best.value, best.value - best.bound)
        if measure <= tol or n_iter == max_iter:
            best, measure = _claimed(objective, best)
            if measure > tol and n_iter < max_iter:
                point, steps = smooth.at(point.params), []
                gradient = smooth.gradient(point)
        history.note(best.value, measure, best.params)
        if anew and waypoint is None and measure <= HALFWAY:
            reached = Centre(centre.mu, smooth.maximizer(point))
            waypoint = Halfway(best.params, objective.standardization, reached)
        if measure <= tol:
            status = Status.CONVERGED
            break
        if history.stopped or n_iter == max_iter:
            status = Status.INTERRUPTED if history.stopped else Status.MAX_ITER
            break
        if stalled(history.iterations) and _idle(objective, point, gains, best.value - best.bound):
            status = Status.STALLED
            break
        # The bias is polished at the end only: what it costs before says nothing of the centre.
        gap = value - bound - bias_cost
        smoothing = gap - lacking
        if settled or lacking <= INNER_SHARE * max(smoothing, 0.0) or inner_steps >= MAX_STEPS:
            mu = _adapted(centre.mu, EASY_STEPS if settled else inner_steps, gap > SLOW_GAIN * last_gap)
            centre, inner_steps, last_gap = Centre(mu, smooth.maximizer(point)), 0, gap
            smooth = _smoothed(objective, centre)
            point = smooth.with_best_bias(smooth.evaluate(point.params, point.logits))
            gradient = smooth.gradient(point)
        inner_steps += 1
        gradient = smooth.free_of_shift(gradient)
        moved, steps = descend(smooth, point, gradient, -directions.at(point)(gradient), steps, memory)
        settled = moved is None
        if not settled:
            gains.append(point.value - moved.value)
            point = moved
        if (n_iter + 1) % REFORM == 0:
            point = smooth.at(point.params)
    if status in (Status.INTERRUPTED, Status.STALLED):
        best, measure = _claimed(objective, best)
    return Result(
        best.params,
        best.value,
        max(best.value - best.bound, 0.0),
        measure,
        history.n_iter,
        status,
        tuple(history.iterations),
        Centre(centre.mu, smooth.maximizer(point), waypoint),
    )


@dataclass(frozen=True)
class _Best:
    """The lowest objective seen, where, and the highest lower bound: both hold, wherever they were found."""

    value: float
    bound: float
    params: Array

    def improved(self, value: float, bound: float, params: Array) -> _Best:
        better = replace(self, bound=max(bound, self.bound))
        return replace(better, value=value, params=params) if value < self.value else better


def _claimed(objective: Objective, best: _Best) -> tuple[_Best, float]:
    """The best point with its value from logits formed from X; its bound holds whatever logits its duals came from."""
    best = replace(best, value=objective.value(best.params))
    return best, objective.relative_gap(best.value, max(best.value - best.bound, 0.0))


def _smoothed(objective: Objective, centre: Centre) -> Objective:
    return objective.smoothed(centre.mu, centre.dual)


def _assess(
    objective: Objective, smooth: Objective, point: Any, tol: float
) -> tuple[Any, Array, float, float, float, float]:
    """The point, its bias polished where that alone keeps it from `tol`, its gradient, and what it proves.

    That is: the hinge's value and bound, what the bias takes from the bound, and what the smoothed problem still lacks.
    """
    gradient = smooth.gradient(point)
    value = objective.value_at(point)
    bound, bias_cost = objective.bound(point, gradient, value)
    allowed = 0.1 * tol * abs(value)
    if bias_cost > allowed and value - bound - bias_cost <= tol * abs(value):
        polished = smooth.polished(point, allowed, value)
        if polished is not point:
            point, gradient = polished, smooth.gradient(polished)
            value = objective.value_at(point)
            bound, bias_cost = objective.bound(point, gradient, value)
    slope = gradient[:-1]
    return point, gradient, value, bound, bias_cost, float(np.vdot(slope, slope)) / (2 * objective.alpha)


def _idle(objective: Objective, point: Any, gains: list[float], gap: float) -> bool:
    """Whether the smoothed problems have come to rest: the true hinge may rise for long while they still fall."""
    rounding = PATIENCE * float(np.finfo(objective.dtype).eps) * abs(float(point.value))
    return sum(gains[-PATIENCE:]) <= max(IDLE_SHARE * gap, rounding)


def _adapted(mu: float, inner_steps: int, slow: bool) -> float:
    if inner_steps <= EASY_STEPS and slow:
        return max(MIN_MU, mu * NARROW)
    return min(MAX_MU, mu * WIDEN) if inner_steps >= HARD_STEPS else mu
