"""What a solver object is: parameters that can be searched, and a `solve` whose gap is certified in float64."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from ._result import Array, Callback, Result, Status, check_limits

if TYPE_CHECKING:
    from .._objective import Objective


@dataclass(frozen=True)
class Options:
    """What every solver is told besides the problem and a start; see `Solver.solve`."""

    tol: float
    max_iter: int
    random_state: int
    callback: Callback | None
    state: Any
    certified: bool

    def after(self, earlier: Result) -> Options:
        """What a solver is told that goes on where an earlier one ended."""
        rest = max(self.max_iter - earlier.n_iter, 0)
        callback = self.callback
        counted = None if callback is None else lambda i, params: callback(i.after(earlier.history[-1]), params)
        return replace(self, callback=counted, max_iter=rest, state=earlier.state)


class Solver(BaseEstimator):
    """A minimizer of objectives, with its parameters: abstract.

    The parameters are those of scikit-learn's estimators (``get_params``, ``set_params``, ``clone``), so that a search
    reaches them as ``solver__name``. They are checked when the solver is used.

    See Also
    --------
    SubspaceNewton : The default of smooth losses.
    InteriorPoint : The default of coupled hinges of few columns, and of all of few rows.
    Recentred : The default of other plain hinges.
    LBFGS : SciPy's quasi-Newton method.
    NewtonCG : Newton's method with conjugate gradients.
    GradientDescent : All rows for every step.
    SGD : A mini-batch for every step.
    Adam : A mini-batch for every step, and a rate for every coefficient.
    """

    def solve(
        self,
        objective: Objective,
        params: Array | None = None,
        *,
        tol: float = 1e-4,
        max_iter: int = 1000,
        random_state: int = 0,
        callback: Callback | None = None,
        state: Any = None,
        certified: bool = True,
    ) -> Result:
        """Minimize an objective to a gap that is certified in float64.

        Rows computed in float32 are solved in float32 first, unless they are few; the result is checked, and if need
        be improved, with the same rows computed in float64.

        Parameters
        ----------
        objective : Objective
            What to minimize.
        params : ndarray of shape (d + 1, K), default=None
            Start, in standardized units; the solver's own if None.
        tol : float, default=1e-4
            Relative duality gap to stop at.
        max_iter : int, default=1000
            Largest number of steps, or of epochs.
        random_state : int, default=0
            Seed of whatever is drawn.
        callback : callable, default=None
            Called with an `Iteration` and the parameters there, at the start and after each step; a true return value
            stops the solver.
        state : object, default=None
            ``result.state`` of a similar problem on the same rows, for solvers that return one.
        certified : bool, default=True
            Whether what was found in float32 is checked and improved in float64.

        Returns
        -------
        Result
            The solution and its certificate.

        Raises
        ------
        ValueError, TypeError
            If a parameter of the solver or an option is out of range, or the solver does not fit the loss.
        """
        self.check()
        check_limits(objective, tol, max_iter)
        max_iter = self.limited(max_iter)
        if self.is_exact(objective) or objective.small:
            objective = objective.in_float64()
        options = Options(tol, max_iter, random_state, callback, state, certified)
        if objective.dtype == np.float64 or not certified:
            return self._minimize(objective, params, options)
        draft = self._minimize(objective, params, options)
        options = options.after(draft)
        # Only a solver that came to its own end goes on.
        ended = draft.status in (Status.CONVERGED, Status.STALLED)
        if not ended:
            options = replace(options, max_iter=0)
        final = self._minimize(objective.in_float64(), draft.params, options)
        status = final.status if ended or final.status is Status.CONVERGED else draft.status
        return replace(final.after(draft), status=status)

    def is_exact(self, objective: Objective) -> bool:
        """Whether all is computed in float64, whatever the rows are."""
        return False

    def limited(self, max_iter: int) -> int:
        """The largest number of iterations, given the caller's."""
        return max_iter

    @abstractmethod
    def check(self) -> None:
        """Raise for a parameter of the wrong type or out of range."""

    @abstractmethod
    def _minimize(self, objective: Objective, params: Array | None, options: Options) -> Result:
        """Minimize in the objective's own precision."""


def check_integer(name: str, value: Any, low: int) -> None:
    """Raise unless a parameter is an integer >= `low`."""
    if not isinstance(value, Integral) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer >= {low}; got {value!r} of type {type(value).__name__}.")
    if value < low:
        raise ValueError(f"{name} must be an integer >= {low}; got {value!r}.")


def check_real(name: str, value: Any, wanted: str, low: float, high: float = np.inf, *, closed: bool = False) -> None:
    """Raise unless a parameter is a number in (low, high), or in [low, high) if closed."""
    if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be {wanted}; got {value!r} of type {type(value).__name__}.")
    if not (low <= float(value) < high if closed else low < float(value) < high):
        raise ValueError(f"{name} must be {wanted}; got {value!r}.")


def check_flag(name: str, value: Any) -> None:
    """Raise unless a parameter is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}.")
