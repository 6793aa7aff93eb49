"""SciPy's L-BFGS on the certified objective: an independent check of the other solvers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from ._result import Array, Callback, Iteration, Result, Status, check_options

if TYPE_CHECKING:
    from .._objective import Objective

MEMORY = 10


def lbfgs(
    objective: Objective,
    params: Array | None = None,
    *,
    tol: float = 1e-4,
    max_iter: int = 1000,
    random_state: int = 0,
    callback: Callback | None = None,
) -> Result:
    """Minimize a smooth objective by limited-memory BFGS, restarted until the certificate holds.

    Parameters
    ----------
    objective : Objective
        With a smooth loss.
    params : ndarray of shape (d + 1, K), default=None
        Start, zeros if None.
    tol : float, default=1e-4
        Relative duality gap to stop at.
    max_iter : int, default=1000
        Largest number of iterations.
    random_state : int, default=0
        Not used; every solver takes it.
    callback : callable, default=None
        Called with an `Iteration` at the start and after each iteration; a true return value stops the solver.

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
    Liu & Nocedal (1989), in the implementation of :func:`scipy.optimize.minimize`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import Objective
    >>> from skgradlinear.losses import SoftmaxLoss
    >>> from skgradlinear.solvers import lbfgs
    >>> result = lbfgs(Objective(*load_iris(return_X_y=True), SoftmaxLoss(), alpha=0.01), tol=1e-6)
    >>> print(result.status.name, round(result.value, 4))
    CONVERGED 0.2437
    """
    check_options("lbfgs", objective, tol, max_iter)
    run = _Run(objective, tol, max_iter, callback)
    point = objective.start(params)
    while True:
        point, _, certificate = objective.assess(point, tol)
        if not run.history:
            run.note(point.value, certificate.measure)
        if certificate.measure <= tol or run.stopped or len(run.history) > max_iter:
            break
        before, n_noted = point.value, len(run.history)
        found = minimize(
            objective.value_and_gradient,
            point.params.ravel(),
            jac=True,
            method="L-BFGS-B",
            callback=run,
            options={
                "maxcor": MEMORY,
                "maxiter": max_iter + 1 - len(run.history),
                "maxfun": 20 * max_iter,
                "ftol": 0,
                "gtol": 0,
            },
        )
        point = objective.at(found.x)
        # In float32 the value can fall by rounding alone, for ever: a round must have taken a step.
        if len(run.history) == n_noted or not (run.reached or found.fun < before):
            break
        run.reached = False
    if certificate.measure <= tol:
        status = Status.CONVERGED
    else:
        status = Status.MAX_ITER if run.stopped or len(run.history) > max_iter else Status.STALLED
    n_iter = len(run.history) - 1
    return Result(point.params, point.value, certificate.gap, certificate.measure, n_iter, status, tuple(run.history))


class _Run:
    """Watches the iterations of SciPy's optimizer and ends it when the gradient says that the gap may hold."""

    def __init__(self, objective: Objective, tol: float, max_iter: int, callback: Callback | None) -> None:
        self.objective = objective
        self.tol = tol
        self.max_iter = max_iter
        self.callback = callback
        self.history: list[Iteration] = []
        self.reached = False
        self.stopped = False

    def note(self, value: float, measure: float) -> None:
        """Record an iteration and ask the callback whether to go on."""
        self.history.append(Iteration(len(self.history), value, measure))
        self.stopped = self.callback is not None and bool(self.callback(self.history[-1]))

    def __call__(self, intermediate_result: object) -> None:
        """Called by SciPy after each iteration."""
        # SciPy finds the name of the argument by inspection, and has no type for it.
        point = self.objective.at(np.asarray(intermediate_result.x))  # type: ignore[attr-defined]
        certificate = self.objective.certificate(point)
        self.note(point.value, certificate.measure)
        rest = certificate.gap - certificate.bias_cost
        self.reached = certificate.measure <= self.tol or self.objective.relative_gap(point.value, rest) <= self.tol / 2
        if self.stopped or self.reached:
            raise StopIteration
