"""SciPy's L-BFGS on the certified objective: an independent check of the other solvers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from ._result import Array, Callback, History, Result, Status, check_limits, check_smooth
from ._solver import Options, Solver, check_integer

if TYPE_CHECKING:
    from .._objective import Objective


def lbfgs(
    objective: Objective,
    params: Array | None = None,
    *,
    tol: float = 1e-4,
    max_iter: int = 1000,
    memory: int = 10,
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
    memory : int, default=10
        Number of earlier steps that the approximate Hessian is made of.
    random_state : int, default=0
        Not used; every solver takes it.
    callback : callable, default=None
        Called with an `Iteration` and the parameters at the start and after each iteration; a true return value stops
        the solver.

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
    check_smooth("'lbfgs'", objective)
    check_limits(objective, tol, max_iter)
    history = History(callback)
    run = _Run(objective, tol, history)
    point = objective.start(params)
    while True:
        point, _, certificate = objective.assess(point, tol)
        if not history.iterations:
            history.note(point.value, certificate.measure, point.params)
        else:
            # The bias has been polished since the last step, without which the gap of a step is loose.
            history.amend(point.value, certificate.measure)
        if certificate.measure <= tol or history.stopped or history.n_iter >= max_iter:
            break
        before, n_before = point.value, history.n_iter
        found = minimize(
            objective.value_and_gradient,
            point.params.ravel(),
            jac=True,
            method="L-BFGS-B",
            callback=run,
            options={
                "maxcor": memory,
                "maxiter": max_iter - history.n_iter,
                "maxfun": 20 * max_iter,
                "ftol": 0,
                "gtol": 0,
            },
        )
        point = objective.at(found.x)
        # In float32 the value can fall by rounding alone, for ever: a round must have taken a step.
        if history.n_iter == n_before or not (run.reached or found.fun < before):
            break
        run.reached = False
    if certificate.measure <= tol:
        status = Status.CONVERGED
    elif history.stopped:
        status = Status.INTERRUPTED
    else:
        status = Status.MAX_ITER if history.n_iter >= max_iter else Status.STALLED
    return history.result(point, certificate, status)


class _Run:
    """Watches the iterations of SciPy's optimizer and ends it when the gradient says that the gap may hold."""

    def __init__(self, objective: Objective, tol: float, history: History) -> None:
        self.objective = objective
        self.tol = tol
        self.history = history
        self.reached = False

    def __call__(self, intermediate_result: object) -> None:
        """Called by SciPy after each iteration."""
        # SciPy finds the name of the argument by inspection, and has no type for it.
        point = self.objective.at(np.asarray(intermediate_result.x))  # type: ignore[attr-defined]
        certificate = self.objective.certificate(point)
        self.history.note(point.value, certificate.measure, point.params)
        rest = certificate.gap - certificate.bias_cost
        self.reached = certificate.measure <= self.tol or self.objective.relative_gap(point.value, rest) <= self.tol / 2
        if self.history.stopped or self.reached:
            raise StopIteration


class LBFGS(Solver):
    """Limited-memory BFGS as a solver object: SciPy's, restarted until the certificate holds.

    Parameters
    ----------
    memory : int, default=10
        Number of earlier steps that the approximate Hessian is made of.

    See Also
    --------
    lbfgs : The same as a function.
    SubspaceNewton : The default of smooth losses, and most often faster.

    Notes
    -----
    Liu & Nocedal (1989), "On the limited memory BFGS method for large scale optimization". It needs a loss without
    kinks.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import SoftmaxClassifier
    >>> from skgradlinear.solvers import LBFGS
    >>> model = SoftmaxClassifier(solver=LBFGS(memory=20), tol=1e-8).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-8
    True
    """

    def __init__(self, memory: int = 10) -> None:
        self.memory = memory

    def check(self) -> None:
        check_integer("memory of LBFGS", self.memory, 1)

    def _minimize(self, objective: Objective, params: Array | None, options: Options) -> Result:
        return lbfgs(
            objective,
            params,
            tol=options.tol,
            max_iter=options.max_iter,
            memory=self.memory,
            callback=options.callback,
        )
