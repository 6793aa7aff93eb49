"""Linear support vector machines, with probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from .. import _calibration
from .._central_path import CentralPath, fold_logits
from .._objective import Objective
from .._rotation import Rotation
from .._separate_hinges import SeparateHinges
from .._separate_hinges import fold_logits as separate_fold_logits
from .._validation import Problem, check_folds, check_option
from ..losses import (
    CrammerSingerHinge,
    Loss,
    OneVsRestHinge,
    OneVsRestSquaredHinge,
    WestonWatkinsHinge,
    WestonWatkinsSquaredHinge,
)
from ..losses._base import Array, Mask
from ..solvers import (
    Centre,
    FirstOrder,
    Halfway,
    InteriorPoint,
    Iteration,
    Result,
    Solver,
    Status,
    SubspaceNewton,
    solve,
)
from . import _export
from ._streaming import StreamingClassifier

# From the whole fit's solution a smooth loss takes a Newton step at least, and to this share of the gap it began with:
# the gap is the square of what is left of the held-out rows.
SMOOTH_SHARE = 0.1
# From half way a plain hinge of coupled classes goes to this gap, or to this share of what the fit has learnt, if that
# is less than is left of the objective. It takes two steps at least, and a share of the fit's: after two or three,
# 20,000 rows of 54 columns, whose fit takes 86, had a temperature a quarter too small.
HINGE_GAP, HINGE_STEPS = 0.3, 0.1
# So many rows for each column, by weight, can mostly not be separated (Cover, 1965).
SEPARABLE = 2
# Share of the weight that a fold keeps at least: halves, which are not quite even.
LEAST_KEPT = 0.495
# What begins anew knows nothing, and ends here.
FOLD_GAP = 0.05
# Five folds with this share of the fit's steps take about as long. Where the fit takes many steps, folds need as many
# for scores of the right size, and where they would take more their scores are good enough.
STEPS_SHARE = 0.2
# A smaller tolerance asks more of folds in proportion.
USUAL_TOL = 1e-4
# Solvers of these go on to a gap that none gets to: a start may be a solution by its value, as the penalty is strong.
LEAST_GAP = 1e-6


class _Close:
    """Ends a fold that begins near its solution.

    Parameters
    ----------
    share : float
        Largest gap, in units of the one that the fold began with.
    gap : float
        Largest gap.
    min_steps : int
        Smallest number of steps.
    """

    def __init__(self, share: float, gap: float, min_steps: int) -> None:
        self.share, self.gap, self.min_steps = share, gap, min_steps

    def __call__(self, iteration: Iteration, _: Array) -> bool:
        if not iteration.n_iter:
            self.gap = min(self.gap, self.share * iteration.measure)
        return iteration.n_iter >= self.min_steps and iteration.measure <= self.gap


def _has_probability(estimator: Any) -> bool:
    fitted_without = hasattr(estimator, "coef_") and not hasattr(estimator, "temperature_")
    if estimator.probability is False or fitted_without:
        raise AttributeError(
            "predict_proba and predict_log_proba need a fit with probability='temperature'; "
            + ("this one had probability=False: fit again." if fitted_without else "this model has probability=False.")
        )
    return True


class LinearSVMClassifier(StreamingClassifier):
    """Linear support vector machine with a certified optimum and probabilities.

    Minimizes ``(1/S) sum_i s_i hinge(z_i, y_i) + (alpha/2) ||W||^2`` over ``z = x W + b``. The hinge adds up
    ``max(0, 1 + z_j - z_y)`` over the wrong classes j (Weston-Watkins), takes the largest of them (Crammer-Singer), or
    adds up ``max(0, 1 - t_k z_k)`` over one-versus-rest outputs; the squared forms square each term. Two classes use
    one logit, for which all three are ``max(0, 1 - t z)``.

    Parameters
    ----------
    alpha : "scale" or float, default="scale"
        Strength of the penalty on the mean loss: ``alpha = 1 / (C * sum of weights)`` in terms of scikit-learn's ``C``.
        "scale" is ``tr(Cov X) / (20 S)``, with the weighted covariance of the penalized (that is, standardized) columns
        and ``S`` the sum of weights: a prior variance of 20 for a logit. The plain hinge
        without a penalty has many solutions and no certificate: 0 then means a millionth of the default (see `alpha_`).
    loss : {"hinge", "squared_hinge"}, default="hinge"
        Whether violations are charged or their squares.
    multi_class : {"weston_watkins", "crammer_singer", "ovr"}, default="weston_watkins"
        How a row of more than two classes violates its margins. The square of "crammer_singer" is not differentiable
        and not offered.
    probability : {"temperature", False}, default="temperature"
        How scores become probabilities: ``softmax(scores / temperature_)``, with the temperature that minimizes the
        log-loss of out-of-fold scores; with False this cost is saved and there is no `predict_proba`. Folds are solved
        roughly, by steps that take back what is known of the rows that they leave out; a `tol` below 1e-4 makes them
        more accurate in proportion.
    cv : int, cross-validation splitter or iterable, default=5
        Folds of the out-of-fold scores. An integer deals out the rows of each class (those with a weight) in turn; rows
        whose class is then missing from the others are not scored.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalized.
    standardize : "auto" or bool, default="auto"
        Whether the penalty is on the coefficients of standardized columns (zero mean, unit weighted variance), as with
        a :class:`~sklearn.preprocessing.StandardScaler` in front; "auto" standardizes dense X and leaves sparse X as it
        is. X is not modified, and `coef_` is in original units either way. Without an intercept columns are scaled but
        not centred.
    class_weight : dict, "balanced" or None, default=None
        Factors of the sample weights by class; "balanced" gives every class the same total (sample) weight.
    tol : float, default=1e-4
        Relative duality gap to stop at: the objective is certified to be within ``tol`` times itself of the minimum.
    max_iter : int, default=1000
        Largest number of iterations; of epochs for solvers that count these.
    warm_start : bool, default=False
        Whether to start from the last solution.
    solver : {"auto", "subspace_newton", "lbfgs"} or Solver, default="auto"
        Solver of the squared hinges; "auto" is "subspace_newton", but the central path for few dense rows (of
        one-versus-rest fewer than twice the columns). The plain
        hinges have two of their own, of which one is chosen by the shape of the problem, whatever name is given here.
        Objects are taken at their word: of :mod:`skgradlinear.solvers`, ``GradientDescent``, ``SGD``, ``Adam``,
        ``Recentred`` and ``InteriorPoint`` solve plain hinges, and all but ``Recentred`` the squared ones.
    random_state : int, RandomState or None, default=0
        Seed of the row samples behind the preconditioner of large problems. The result depends on it only within
        `tol`.
    verbose : int, default=0
        Whether to print a line per iteration: its number, the objective, the gap and the seconds since the start.

    Attributes
    ----------
    coef_ : ndarray of shape (1, d) or (K, d)
        Coefficients in original units, float64; one row for two classes.
    intercept_ : ndarray of shape (1,) or (K,)
        Intercepts in original units.
    classes_ : ndarray of shape (K,)
        Class labels.
    alpha_ : float
        The strength that was used.
    objective_ : float
        Mean loss plus penalty at the solution, in the units that were penalized.
    duality_gap_ : float
        Certified bound on ``(objective_ - minimum) / objective_``, computed in float64; nan if `alpha_` is 0,
        which it is for the squared hinge with ``alpha=0``: the largest scaled gradient entry is then below `tol`.
    n_iter_ : int
        Number of iterations.
    loss_curve_ : ndarray
        Objective at the start and after each iteration.
    gap_curve_ : ndarray
        Relative duality gap at the same points; nan if `alpha_` is 0. Certified where the rows are computed in float64;
        of float32 rows the entries before the check in float64 are forecasts.
    seconds_curve_ : ndarray
        Seconds from the start of the solver to the same points.
    column_std_ : ndarray of shape (d,)
        Weighted standard deviation of each column, 0 where it is constant: ``coef_ * column_std_`` are the coefficients
        of standardized columns, whatever `standardize` says.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (d,)
        Names of the columns, if X had any.
    temperature_ : float
        What scores are divided by before the softmax, if `probability` is not False.

    See Also
    --------
    SoftmaxClassifier : Likelihoods instead of margins.

    Notes
    -----
    Conjugates, smoothing and the certificate are derived in :doc:`/mathematics`. Doğan, Glasmachers & Igel (2016), "A
    unified view on multi-class support vector classification"; Guo et al. (2017), "On calibration of modern neural
    networks", section 4.2.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skgradlinear import LinearSVMClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> classifier = LinearSVMClassifier().fit(X, y)
    >>> print(classifier.score(X, y), classifier.duality_gap_ <= 1e-4)
    1.0 True
    """

    def __init__(
        self,
        alpha: str | float = "scale",
        loss: str = "hinge",
        multi_class: str = "weston_watkins",
        probability: str | bool = "temperature",
        cv: Any = 5,
        fit_intercept: bool = True,
        standardize: str | bool = "auto",
        class_weight: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
        solver: str | Solver = "auto",
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.loss = loss
        self.multi_class = multi_class
        self.probability = probability
        self.cv = cv
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.solver = solver
        self.random_state = random_state
        self.verbose = verbose

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_option(self, "loss", {"hinge", "squared_hinge"})
        check_option(self, "multi_class", {"weston_watkins", "crammer_singer", "ovr"})
        check_option(self, "probability", {"temperature", False})
        check_folds(self.cv)
        if (self.loss, self.multi_class) == ("squared_hinge", "crammer_singer"):
            raise ValueError(
                "loss='squared_hinge' with multi_class='crammer_singer' is not differentiable where classes tie; "
                "use loss='hinge', or multi_class='weston_watkins'."
            )

    def _make_loss(self, problem: Problem) -> tuple[Loss, int]:
        n_classes = len(problem.classes)
        squared = self.loss == "squared_hinge"
        if n_classes == 2:
            return (OneVsRestSquaredHinge() if squared else OneVsRestHinge()), 1
        plain: dict[str, Loss] = {
            "weston_watkins": WestonWatkinsHinge(),
            "crammer_singer": CrammerSingerHinge(),
            "ovr": OneVsRestHinge(),
        }
        square: dict[str, Loss] = {"weston_watkins": WestonWatkinsSquaredHinge(), "ovr": OneVsRestSquaredHinge()}
        return (square if squared else plain)[self.multi_class], n_classes

    def _model(self, problem: Problem, objective: Objective, params: Array) -> dict[str, Any]:
        # Folds are solved after the fit; until then scores are probabilities' logits as they are.
        return {**super()._model(problem, objective, params), **({"temperature_": 1.0} if self.probability else {})}

    def _describe(self, problem: Problem, objective: Objective, result: Result) -> dict[str, Any]:
        fitted = super()._describe(problem, objective, result)
        if self.probability is not False:
            fitted["temperature_"] = self._fit_temperature(problem, objective, result)
        return fitted

    def _prequential(self, chunk: Problem) -> dict[str, Any]:
        """The temperature, from scores of rows that are not learnt yet."""
        if self.probability is False:
            return {}
        running = getattr(self, "_temperature", None)
        if running is None and hasattr(self, "temperature_"):
            running = _calibration.RunningTemperature(1 / self.temperature_, None, self._total_weight)
        elif running is None:
            running = _calibration.RunningTemperature(1.0, 0.0, 0.0)
        if hasattr(self, "coef_"):
            running = running.after(self._logits_of(chunk.X), chunk.y, chunk.sample_weight)
        return {"temperature_": 1 / running.beta, "_temperature": running}

    def _fit_temperature(self, problem: Problem, objective: Objective, result: Result) -> float:
        """Temperature of out-of-fold scores; a fold is the same rows with the held-out ones' weights set to zero."""
        n_classes = len(problem.classes)
        splits = []
        for kept, held in _calibration.folds(self.cv, problem.X, problem.y, problem.sample_weight):
            usable = _calibration.learnable(problem.y, kept, held, problem.weight, n_classes)
            if (usable & (problem.sample_weight > 0)).any():
                splits.append((kept, usable))
        if not splits:
            return 1.0
        logits = self._fold_logits(problem, objective, result, [kept for kept, _ in splits])
        scores = [rows[usable] for rows, (_, usable) in zip(logits, splits, strict=True)]
        seen = np.concatenate([np.flatnonzero(usable) for _, usable in splits])
        return _calibration.fit_temperature(np.vstack(scores), problem.y[seen], problem.sample_weight[seen])

    def _fold_logits(self, problem: Problem, objective: Objective, result: Result, kept: list[Mask]) -> Iterator[Array]:
        """Logits of all rows by each fold."""
        weights = problem.weight, problem.sample_weight
        middle = getattr(result.state, "waypoint", None)
        found: Iterable[Array | None] = [None] * len(kept)
        if middle is not None and not isinstance(middle, Halfway):
            steps = int(STEPS_SHARE * result.n_iter), self.max_iter
            found, middle = fold_logits(objective, middle, kept, *weights, self._strictness, steps), None
        elif self._separate(objective, result, min(float(problem.weight[rows].sum()) for rows in kept)):
            duals = result.state.dual if objective.non_smooth else None
            share = HINGE_STEPS if objective.determined else STEPS_SHARE
            steps = int(share * result.n_iter), self.max_iter
            found = separate_fold_logits(objective, result.params, duals, kept, *weights, self._strictness, steps)
            middle = None
        for rows, logits in zip(kept, found, strict=True):
            if logits is None:
                logits = self._logits_of_fold(objective, objective.restricted(rows, *weights), result, middle)
            yield logits

    def _logits_of_fold(self, objective: Objective, fold: Objective, result: Result, middle: Halfway | None) -> Array:
        """Logits of all rows by a fold that is solved on its own."""
        solver = self._chosen_solver(fold)
        start, close = None, None
        tol, max_iter = max(FOLD_GAP * self._strictness, self.tol), self.max_iter
        if middle is not None:
            learnt = (result.history[0].value - result.value) / max(result.value, np.finfo(np.float64).tiny)
            gap, min_steps = HINGE_GAP * min(1.0, max(learnt, LEAST_GAP)), max(2, int(HINGE_STEPS * result.n_iter))
            close = _Close(1.0, gap * self._strictness, min_steps)
        elif not objective.non_smooth and result.status is Status.CONVERGED and self._forgets(objective, solver):
            start = fold.standardization.from_units_of(objective.standardization, result.params)
            lenient = objective.determined and self._is_newton(solver)
            close = _Close(SMOOTH_SHARE * self._strictness, np.inf if lenient else tol, 1)
            if lenient:
                max_iter = min(max_iter, 1 + math.ceil(STEPS_SHARE / self._strictness * result.n_iter))
        found = solve(
            fold,
            start,
            solver=solver,
            tol=tol if close is None else LEAST_GAP * tol,
            max_iter=max_iter,
            random_state=self._seed(),
            callback=close,
            state=middle,
            certified=False,
        )
        return fold.logits(found.params)

    def _separate(self, objective: Objective, result: Result, kept: float) -> bool:
        """Whether the outputs of the folds, which keep at least so much weight, take steps of their own."""
        if not SeparateHinges.suits(objective) or Rotation.suits(objective):
            return False
        if objective.non_smooth:
            # Few steps take nothing back where rows can always be separated or most of them are left out, and many lead
            # to a solution slowly.
            enough = kept >= max(SEPARABLE * objective.shape[0], LEAST_KEPT * objective.total_weight)
            return enough and self._strictness == 1 and isinstance(result.state, Centre)
        return self._is_newton(self._chosen_solver(objective))

    def _forgets(self, objective: Objective, solver: str | Solver) -> bool:
        """Whether a solver takes back what the solution of all rows knows of those that a fold leaves out."""
        # A path does not begin at a point, and of a first-order method only the penalty takes anything back, slowly.
        if isinstance(solver, (InteriorPoint, FirstOrder)) or (solver == "auto" and CentralPath.suits(objective)):
            return False
        return not Rotation.suits(objective) and (self._is_newton(solver) or objective.determined)

    @staticmethod
    def _is_newton(solver: str | Solver) -> bool:
        return solver in ("auto", "subspace_newton") or isinstance(solver, SubspaceNewton)

    @property
    def _strictness(self) -> float:
        """What a small `tol` asks of folds, in units of the usual."""
        return min(1.0, float(self.tol) / USUAL_TOL)

    def _exported(self) -> Any:
        return _export.tempered(self) if hasattr(self, "temperature_") else _export.linear_svc(self)

    @available_if(_has_probability)
    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes; their order is that of the decision function.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows in original units.

        Returns
        -------
        ndarray of shape (n, K)
            ``softmax(scores / temperature_)``; for two classes the sigmoid of the one score over the temperature.
        """
        return np.ascontiguousarray(_calibration.proba(self._scaled(X)))

    @available_if(_has_probability)
    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities, finite where these underflow.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows in original units.

        Returns
        -------
        ndarray of shape (n, K)
            Logarithms of `predict_proba`, formed without it.
        """
        return np.ascontiguousarray(_calibration.log_proba(self._scaled(X)))

    def _scaled(self, X: Any) -> Array:
        logits = self._logits(X)
        return logits / logits.dtype.type(self.temperature_)
