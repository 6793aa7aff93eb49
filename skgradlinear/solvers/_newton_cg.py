"""Truncated Newton: conjugate gradients on the Hessian, and a line search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._conjugate_gradient import conjugate_gradient
from ._result import Array, History, Result, Status, check_smooth, stalled
from ._solver import Options, Solver, check_integer

if TYPE_CHECKING:
    from .._objective import Objective


class NewtonCG(Solver):
    """Newton's method with directions from conjugate gradients, each step a product with the Hessian of all rows.

    Conjugate gradients stop when the residual is a tenth of the gradient. A line search follows, at whose end, most
    often the whole step, the gradient of the next iteration is known.

    Parameters
    ----------
    max_cg_steps : int, default=60
        Largest number of conjugate gradient steps for a direction; each is a pass over the rows.

    See Also
    --------
    SubspaceNewton : Cheaper directions, and a search in more than one of them.

    Notes
    -----
    Nocedal & Wright (2006), "Numerical optimization", section 7.1. It needs a loss without kinks.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import SoftmaxClassifier
    >>> from skgradlinear.solvers import NewtonCG
    >>> model = SoftmaxClassifier(solver=NewtonCG(), tol=1e-8).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-8
    True
    """

    def __init__(self, max_cg_steps: int = 60) -> None:
        self.max_cg_steps = max_cg_steps

    def check(self) -> None:
        check_integer("max_cg_steps of NewtonCG", self.max_cg_steps, 1)

    def _minimize(self, objective: Objective, params: Array | None, options: Options) -> Result:
        check_smooth("NewtonCG()", objective)
        point = objective.start(params)
        history = History(options.callback)
        while True:
            point, gradient, certificate = objective.assess(point, options.tol)
            history.note(point.value, certificate.measure, point.params)
            if certificate.measure <= options.tol:
                status = Status.CONVERGED
                break
            if history.stopped or history.n_iter >= options.max_iter:
                status = Status.INTERRUPTED if history.stopped else Status.MAX_ITER
                break
            gradient = objective.free_of_shift(gradient)
            newton = conjugate_gradient(
                objective.damped_hessp(point), gradient, lambda vector: vector, max_steps=self.max_cg_steps
            )
            moved = objective.line_search(point, gradient, -newton)
            if moved is None or stalled(history.iterations):
                status = Status.STALLED
                break
            point = moved
        return history.result(point, certificate, status)
