"""The package's own algorithms as solver objects, and the choice of a solver."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._central_path import CentralPath
from .._rotation import Rotation
from .._separate_hinges import SeparateHinges
from ._centre import Centre
from ._interior_point import interior_point
from ._lbfgs import LBFGS
from ._recentred import recentred
from ._result import Array, Callback, Result, Status, check_limits
from ._solver import Options, Solver, check_integer
from ._subspace_newton import subspace_newton

if TYPE_CHECKING:
    from .._objective import Objective


class SubspaceNewton(Solver):
    """Preconditioned subspace Newton as a solver object, for losses without kinks.

    Parameters
    ----------
    memory : int, default=None
        How many earlier steps take part in the search; up to 2 if None, by the quality of the directions. Squared
        one-versus-rest hinges of few dense columns or sparse rows take none.

    See Also
    --------
    subspace_newton : The same as a function, with the algorithm.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import SoftmaxClassifier
    >>> from skgradlinear.solvers import SubspaceNewton
    >>> model = SoftmaxClassifier(solver=SubspaceNewton(memory=5)).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-4
    True
    """

    def __init__(self, memory: int | None = None) -> None:
        self.memory = memory

    def check(self) -> None:
        if self.memory is not None:
            check_integer("memory of SubspaceNewton", self.memory, 0)

    def is_exact(self, objective: Objective) -> bool:
        return SeparateHinges.exact(objective)

    def _minimize(self, objective: Objective, params: Array | None, options: Options) -> Result:
        return subspace_newton(
            objective,
            params,
            tol=options.tol,
            max_iter=options.max_iter,
            memory=self.memory,
            random_state=options.random_state,
            callback=options.callback,
        )


class Recentred(Solver):
    """Smoothing around moving centres as a solver object, for plain hinges.

    Parameters
    ----------
    memory : int, default=2
        How many earlier steps take part in the search. One-versus-rest hinges of few dense columns or sparse
        rows take none.

    See Also
    --------
    recentred : The same as a function, with the algorithm.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import LinearSVMClassifier
    >>> from skgradlinear.solvers import Recentred
    >>> model = LinearSVMClassifier(solver=Recentred(memory=1)).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-4
    True
    """

    def __init__(self, memory: int = 2) -> None:
        self.memory = memory

    def check(self) -> None:
        check_integer("memory of Recentred", self.memory, 0)

    def is_exact(self, objective: Objective) -> bool:
        return SeparateHinges.exact(objective)

    def _minimize(self, objective: Objective, params: Array | None, options: Options) -> Result:
        return recentred(
            objective,
            params,
            tol=options.tol,
            max_iter=options.max_iter,
            memory=self.memory,
            random_state=options.random_state,
            callback=options.callback,
            state=options.state,
        )


class InteriorPoint(Solver):
    """Newton steps along the central path as a solver object, for hinges.

    It needs dense rows, and takes time in proportion to the square of the number of columns; for the hinge of Crammer
    and Singer, to the square of the number of classes as well. All is computed in float64. Where rounding ends the path
    before the gap is small enough, smoothing around centres goes on from its duals, or for squared hinges
    `subspace_newton` from its point.

    See Also
    --------
    interior_point : The same as a function, with the algorithm.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import LinearSVMClassifier
    >>> from skgradlinear.solvers import InteriorPoint
    >>> model = LinearSVMClassifier(solver=InteriorPoint(), tol=1e-8).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-8
    True
    """

    def is_exact(self, objective: Objective) -> bool:
        return True

    def check(self) -> None:
        """Nothing can be wrong: there are no parameters."""

    def _minimize(self, objective: Objective, params: Array | None, options: Options) -> Result:
        path = interior_point(
            objective,
            params,
            tol=options.tol,
            max_iter=options.max_iter,
            callback=options.callback,
            state=options.state,
        )
        if path.status is not Status.STALLED:
            return path
        rest = Recentred() if objective.non_smooth else SubspaceNewton()
        return rest._minimize(objective, path.params, options.after(path)).after(path)


# Newton steps on a hinge zigzag between kinks if they are not done after so many: they have taken about as long as the
# central path then, and are mostly far from done.
MANY_STEPS, MANY_SEPARATE_STEPS = 40, 120


SOLVERS: dict[str, Solver] = {
    "subspace_newton": SubspaceNewton(),
    "lbfgs": LBFGS(),
    "recentred": Recentred(),
    "interior_point": InteriorPoint(),
}


def solve(
    objective: Objective,
    params: Array | None = None,
    *,
    solver: str | Solver = "auto",
    tol: float = 1e-4,
    max_iter: int = 1000,
    random_state: int = 0,
    callback: Callback | None = None,
    state: Any = None,
    certified: bool = True,
) -> Result:
    """Minimize an objective to a gap that is certified in float64.

    Rows computed in float32 are solved in float32 first, unless they are few; the result is checked, and if need be
    improved, with the same rows computed in float64.

    Parameters
    ----------
    objective : Objective
        What to minimize.
    params : ndarray of shape (d + 1, K), default=None
        Start, zeros if None.
    solver : {"auto", "subspace_newton", "interior_point", "recentred", "lbfgs"} or Solver, default="auto"
        "auto" is "interior_point" for hinges of fewer dense rows than twice the columns, and for coupled ones also of
        more rows: of few columns if plain, of few rows if squared. It is "recentred" for other plain hinges, and
        "subspace_newton" for all else; where these take many steps on a dense one-versus-rest or a squared hinge,
        "interior_point" goes on. Where dense rows are fewer than half the columns, it solves the same problem in the
        span of the rows.
    tol : float, default=1e-4
        Relative duality gap to stop at.
    max_iter : int, default=1000
        Largest number of steps.
    random_state : int, default=0
        Seed of the row samples behind preconditioners.
    callback : callable, default=None
        Called with an `Iteration` and the parameters at the start and after each step; a true return value stops the
        solver.
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
    options = Options(tol, max_iter, random_state, callback, state, certified)
    if isinstance(solver, str) and solver == "auto":
        check_limits(objective, tol, max_iter)
        if Rotation.suits(objective):
            draft = _rotated(Rotation(objective), params, options)
            if draft.status in (Status.MAX_ITER, Status.INTERRUPTED) or draft.measure <= tol:
                return draft
            # Rounding, of the rotation or of the way back: the original problem has the last word.
            useful = draft.value <= objective.loss_at_zero
            last = options.after(draft if useful else replace(draft, state=state))
            return _solved(objective, draft.params if useful else params, last).after(draft)
        return _solved(objective, params, options)
    if not isinstance(solver, Solver):
        if solver not in SOLVERS:
            raise ValueError(f"solver must be 'auto', one of {sorted(SOLVERS)} or a solver object; got {solver!r}.")
        solver = SOLVERS[solver]
    return solver.solve(objective, params, **vars(options))


def _rotated(rotation: Rotation, params: Array | None, options: Options) -> Result:
    """The solution of an objective by that of its rotation, with the value and the gap that it has by itself."""
    callback = options.callback
    if callback is not None:
        options = replace(options, callback=lambda i, rotated: callback(i, rotation.back(rotated)))
    start = None if params is None else rotation.there(params)
    found = _solved(rotation.objective, start, options)
    original = rotation.original.in_float64()
    back = rotation.back(found.params)
    value = original.value(back)
    gap = max(value - (found.value - found.gap), 0.0)
    state = found.state
    if isinstance(state, Centre) and state.dual is not None:
        # The duals are those of the same rows; the middle of the path is in other units.
        state = Centre(state.mu, state.dual.astype(rotation.original.dtype, copy=False))
    return replace(found, params=back, value=value, gap=gap, measure=original.relative_gap(value, gap), state=state)


def _solved(objective: Objective, params: Array | None, options: Options) -> Result:
    """The solution by the solver that suits the problem."""
    if CentralPath.suits(objective):
        return SOLVERS["interior_point"].solve(objective, params, **vars(options))
    solver = SOLVERS["recentred" if objective.non_smooth else "subspace_newton"]
    apart = SeparateHinges.suits(objective)
    way_out = (apart or not objective.non_smooth) and CentralPath.suits(objective, separable=True)
    many = MANY_SEPARATE_STEPS if apart else MANY_STEPS
    if not (way_out or apart) or options.max_iter <= many:
        return solver.solve(objective, params, **vars(options))
    draft = solver.solve(objective, params, **vars(replace(options, max_iter=many)))
    if draft.status in (Status.CONVERGED, Status.INTERRUPTED):
        return draft
    if not way_out:
        # Steps of all outputs together remember earlier ones.
        rest = objective.in_float64().with_outputs_together()
        return solver.solve(rest, draft.params, **vars(options.after(draft))).after(draft)
    return SOLVERS["interior_point"].solve(objective, draft.params, **vars(options.after(draft))).after(draft)
