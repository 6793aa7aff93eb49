"""The choice of a solver, and the two precisions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._lbfgs import lbfgs
from ._recentred import recentred
from ._result import Array, Callback, Iteration, Result
from ._subspace_newton import subspace_newton

if TYPE_CHECKING:
    from .._objective import Objective

SOLVERS = {"subspace_newton": subspace_newton, "lbfgs": lbfgs, "recentred": recentred}


def solve(
    objective: Objective,
    params: Array | None = None,
    *,
    solver: str = "auto",
    tol: float = 1e-4,
    max_iter: int = 1000,
    random_state: int = 0,
    callback: Callback | None = None,
    state: Any = None,
    certified: bool = True,
) -> Result:
    """Minimize an objective to a gap that is certified in float64.

    Rows computed in float32 are solved in float32 first; the result is checked, and if need be improved, with the same
    rows computed in float64.

    Parameters
    ----------
    objective : Objective
        What to minimize.
    params : ndarray of shape (d + 1, K), default=None
        Start, zeros if None.
    solver : {"auto", "subspace_newton", "recentred", "lbfgs"}, default="auto"
        "auto" is "recentred" for losses with kinks and "subspace_newton" for the others.
    tol : float, default=1e-4
        Relative duality gap to stop at.
    max_iter : int, default=1000
        Largest number of steps.
    random_state : int, default=0
        Seed of the row samples behind preconditioners.
    callback : callable, default=None
        Called with an `Iteration` at the start and after each step; a true return value stops the solver.
    state : object, default=None
        ``result.state`` of a similar problem on the same rows.
    certified : bool, default=True
        Whether what was found in float32 is checked and improved in float64.

    Returns
    -------
    Result
        The solution and its certificate.

    Raises
    ------
    ValueError
        If the solver is unknown or does not fit the loss, or an option is out of range.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import Objective
    >>> from skgradlinear.losses import CrammerSingerHinge
    >>> from skgradlinear.solvers import solve
    >>> result = solve(Objective(*load_iris(return_X_y=True), CrammerSingerHinge(), alpha=0.01))
    >>> print(result.status.value)
    converged: the certificate holds
    """
    if solver == "auto":
        solver = "recentred" if objective.non_smooth else "subspace_newton"
    if solver not in SOLVERS:
        raise ValueError(f"solver must be 'auto' or one of {sorted(SOLVERS)}; got {solver!r}.")
    options: dict[str, Any] = {"tol": tol, "random_state": random_state, "callback": callback}
    if solver == "recentred":
        options["state"] = state
    run = SOLVERS[solver]
    if objective.dtype == np.float64 or not certified:
        return run(objective, params, max_iter=max_iter, **options)
    watched = _Watched(callback)
    options["callback"] = watched
    draft = run(objective, params, max_iter=max_iter, **options)
    if solver == "recentred":
        options["state"] = draft.state
    watched.n_earlier = draft.n_iter
    rest = 0 if watched.stopped else max(max_iter - draft.n_iter, 0)
    final = run(objective.in_float64(), draft.params, max_iter=rest, **options)
    later = tuple(_after(draft.n_iter, iteration) for iteration in final.history)
    return replace(final, n_iter=draft.n_iter + final.n_iter, history=draft.history[:-1] + later)


def _after(n_earlier: int, iteration: Iteration) -> Iteration:
    return replace(iteration, n_iter=n_earlier + iteration.n_iter)


class _Watched:
    """A callback that goes on counting in the second precision, and whose stop ends both."""

    def __init__(self, callback: Callback | None) -> None:
        self.callback = callback
        self.n_earlier = 0
        self.stopped = False

    def __call__(self, iteration: Iteration) -> bool:
        """Pass the iteration on."""
        if self.callback is not None and self.callback(_after(self.n_earlier, iteration)):
            self.stopped = True
        return self.stopped
