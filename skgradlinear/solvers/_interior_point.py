"""Hinges of few columns: Newton steps along the central path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._central_path import CentralPath, Waypoint
from ._centre import FIRST_MU, Centre, check_state
from ._result import Array, Callback, History, Result, Status, check_limits

if TYPE_CHECKING:
    from .._objective import Objective

# A path that has come no nearer to its end in so many steps, or is not there after so many, leads nowhere in this
# precision: nine in ten of 14,000 random problems, badly scaled and weighted ones among them, took at most 28 steps.
PATIENCE, PROGRESS, LONGEST = 6, 0.9, 60
# Slacks are differences of violations of the size of a margin, 1: a mean product below its rounding is nothing.
LEAST_GAP = float(np.finfo(np.float64).eps)


def interior_point(
    objective: Objective,
    params: Array | None = None,
    *,
    tol: float = 1e-4,
    max_iter: int = 1000,
    callback: Callback | None = None,
    state: Centre | Waypoint | None = None,
) -> Result:
    """Minimize an objective with a hinge along its central path, to a certified gap.

    Every violation ``u`` gets slacks ``xi >= 0``, ``xi - u >= 0`` and a dual ``p > 0``; the violations of a row share
    one ``xi``, and their duals a sum of at most 1, for Crammer-Singer. Squared hinges charge ``xi^2``, and their duals
    have no upper bound. A step of Mehrotra's predictor-corrector method solves two Newton systems with one factor of
    order d + 1 for each output (one-versus-rest), or of order (d + 1) K (Weston-Watkins, Crammer-Singer). Mostly
    10 to 30 steps suffice, whatever the penalty. All is computed in float64.

    Parameters
    ----------
    objective : Objective
        With dense rows, a penalty, and a hinge: one-versus-rest or Weston-Watkins, plain or squared, or Crammer-Singer.
    params : ndarray of shape (d + 1, K), default=None
        A point that is taken for the solution if it proves to be one, and for the best point until there is a better
        one; the path itself always begins in the middle.
    tol : float, default=1e-4
        Relative duality gap to stop at.
    max_iter : int, default=1000
        Largest number of steps.
    callback : callable, default=None
        Called with an `Iteration` and the parameters at the start and after each step; a true return value stops the
        solver.
    state : Centre or Waypoint, default=None
        ``result.state`` of an earlier solution on the same rows: its duals are those that prove `params`. Or its
        `waypoint`, for a problem that is only similar, such as one of a part of the rows: the path begins there.

    Returns
    -------
    Result
        The best point and its certificate; of a plain hinge its state lets `recentred` go on from there, which pays
        where the path is given up (status STALLED): after 60 steps, or where rounding leaves nowhere to go.

    Raises
    ------
    ValueError
        If the loss or the rows are of another kind, alpha is 0, the state is that of other rows, or an option is out of
        range.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Solvers"; Mehrotra (1992), "On the implementation of a primal-dual interior
    point method"; Ferris & Munson (2002), "Interior-point methods for massive support vector machines".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import Objective
    >>> from skgradlinear.losses import WestonWatkinsHinge
    >>> from skgradlinear.solvers import interior_point
    >>> objective = Objective(*load_iris(return_X_y=True), WestonWatkinsHinge(), alpha=0.01)
    >>> result = interior_point(objective, tol=1e-6)
    >>> print(result.status.name, result.measure <= 1e-6)
    CONVERGED True
    """
    check_limits(objective, tol, max_iter)
    check_state(state, objective)
    path = CentralPath(objective, None if isinstance(state, Centre) else state)
    history = History(callback)
    status = Status.MAX_ITER
    best, found = np.inf, path.params
    if params is not None:
        params = objective.shaped(params)
        best, found = path.compare(params, state.dual if isinstance(state, Centre) else None), params
    gaps: list[tuple[float, float]] = []
    for n_iter in range(max_iter + 1):
        value = path.assess()
        if value < best:
            best, found = value, path.params
        measure = objective.relative_gap(best, max(best - path.bound, 0.0))
        if measure <= tol:
            # What is claimed is claimed of logits formed from X.
            best = path.objective.value(found)
            measure = objective.relative_gap(best, max(best - path.bound, 0.0))
        stopped = history.note(best, measure, found)
        if measure <= tol:
            status = Status.CONVERGED
            break
        if stopped:
            status = Status.INTERRUPTED
            break
        # Products can be small long before parameters are anywhere near.
        gaps.append((path.gap, best - path.bound))
        stuck = len(gaps) > LONGEST or path.gap <= LEAST_GAP
        if len(gaps) > PATIENCE:
            stuck = stuck or all(now > PROGRESS * past for now, past in zip(gaps[-1], gaps[-1 - PATIENCE], strict=True))
        if n_iter < max_iter and (stuck or not path.step()):
            if path.cautious:
                status = Status.STALLED
                break
            # Where groups have left each other behind for good.
            path, gaps = path.anew(), []
    return Result(
        found,
        best,
        max(best - path.bound, 0.0),
        measure,
        history.n_iter,
        status,
        tuple(history.iterations),
        Centre(FIRST_MU, np.asarray(path.duals(), objective.dtype), path.waypoint),
    )
