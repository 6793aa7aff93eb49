"""Preconditioned subspace Newton: one pass over X an iteration for a step that minimizes the true loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._separate_hinges import SeparateHinges
from ._result import Array, Callback, History, Result, Status, check_limits, check_smooth, stalled
from ._separate import separately

if TYPE_CHECKING:
    from .._objective import Objective

# Logits move by combination of directions; they are formed from X again this often so that rounding cannot pile up.
REFORM = 20
SEARCH_STEPS = 2
# A relative gain that is no gain: the search is repeated without the remembered steps.
NOTHING = {np.dtype(np.float32): 1e-7, np.dtype(np.float64): 1e-12}


def subspace_newton(
    objective: Objective,
    params: Array | None = None,
    *,
    tol: float = 1e-4,
    max_iter: int = 200,
    memory: int | None = None,
    random_state: int = 0,
    callback: Callback | None = None,
) -> Result:
    """Minimize a smooth objective over the span of a preconditioned gradient and the last steps.

    An iteration forms the gradient (half a pass over X), maps it through an approximate inverse Hessian, takes that
    direction to the logits (half a pass), and then minimizes the true objective over one coefficient per direction and
    output, and the bias, by Newton's method on cached logits. Where the Hessian itself is at hand, a search along
    Newton's direction takes the place of these two: the gradient at its end is that of the next iteration. Outputs of
    a squared one-versus-rest hinge of few dense columns or of sparse rows take each a Newton step of their own;
    dense and single ones in float64 whatever the rows are.

    Parameters
    ----------
    objective : Objective
        With a smooth loss.
    params : ndarray of shape (d + 1, K), default=None
        Start, zeros if None; the bias is searched first in any case.
    tol : float, default=1e-4
        Relative duality gap to stop at.
    max_iter : int, default=200
        Largest number of steps.
    memory : int, default=None
        How many earlier steps take part in the search; up to 2 if None, by the quality of the directions.
    random_state : int, default=0
        Seed of the row samples behind the preconditioner of large problems.
    callback : callable, default=None
        Called with an `Iteration` and the parameters at the start and after each step; a true return value stops the
        solver.

    Returns
    -------
    Result
        The solution and its certificate.

    Raises
    ------
    ValueError
        If the loss has kinks, or an option is out of range.

    Notes
    -----
    See :doc:`/mathematics`, section "Solvers". Relatives: Narkiss & Zibulevsky (2005), "Sequential subspace
    optimization method for large-scale unconstrained problems".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import Objective
    >>> from skgradlinear.losses import SoftmaxLoss
    >>> from skgradlinear.solvers import subspace_newton
    >>> objective = Objective(*load_iris(return_X_y=True), SoftmaxLoss(), alpha=0.01)
    >>> result = subspace_newton(objective, tol=1e-6)
    >>> print(result.status.name, round(result.value, 4), result.measure <= 1e-6)
    CONVERGED 0.2437 True
    """
    check_smooth("'subspace_newton'", objective)
    check_limits(objective, tol, max_iter)
    if SeparateHinges.suits(objective):
        return separately(objective, params, tol, max_iter, callback, None)
    directions = objective.directions(random_state)
    memory = directions.memory if memory is None else memory
    history = History(callback)
    if params is not None and objective.balances:
        proof = objective.proved(params)
        if proof.certificate.measure <= tol:
            history.note(proof.value, proof.certificate.measure, proof.params)
            return history.result(proof, proof.certificate, Status.CONVERGED)
    point = objective.start(params, tol)
    steps: list[Any] = []
    status = Status.MAX_ITER
    for n_iter in range(max_iter + 1):
        point, gradient, certificate = objective.assess(point, tol)
        if certificate.measure <= tol and not point.formed and objective.dtype == np.float64:
            # What is claimed is claimed of logits formed from X; steps whose logits have drifted are forgotten. In
            # float32 nothing is claimed.
            point, gradient, certificate = objective.assess(objective.at(point.params), tol)
            steps = steps if certificate.measure <= tol else []
        history.note(point.value, certificate.measure, point.params)
        if certificate.measure <= tol:
            status = Status.CONVERGED
            break
        if history.stopped or n_iter == max_iter:
            status = Status.INTERRUPTED if history.stopped else Status.MAX_ITER
            break
        if stalled(history.iterations):
            status = Status.STALLED
            break
        gradient = objective.free_of_shift(gradient)
        # What the direction is made from, a sample of the rows perhaps, is gone before the search needs room.
        heading = -directions.at(point)(gradient)
        moved = objective.line_search(point, gradient, heading) if directions.newton else None
        if moved is None:
            moved, steps = descend(objective, point, gradient, heading, steps, memory)
        if moved is None:
            status = Status.STALLED
            break
        point = moved if moved.formed or (n_iter + 1) % REFORM else objective.at(moved.params)
    return history.result(point, certificate, status)


def descend(
    objective: Objective, point: Any, gradient: Array, heading: Array, steps: list[Any], memory: int
) -> tuple[Any, list[Any]]:
    """Minimize over a heading, the last steps and the bias.

    Returns the new point, None if nothing is left to gain, and the steps to remember.
    """
    direction = objective.direction(heading)
    moved, step = objective.subspace(point, [direction, *steps], gradient).minimize(SEARCH_STEPS)
    if steps and point.value - moved.value <= NOTHING[objective.dtype] * abs(point.value):
        # Steps that have become all but parallel, or that hardly move the logits, can spoil the whole system.
        steps = []
        moved, step = objective.subspace(point, [direction], gradient).minimize(SEARCH_STEPS)
    return (None, []) if step is None else (moved, [step, *steps][:memory])
