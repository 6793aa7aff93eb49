"""What the three estimators share: one `fit`, one decision function."""

from __future__ import annotations

import sys
import warnings
from abc import abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .. import _rows
from .._objective import Objective
from .._standardization import Moments
from .._threads import for_pass
from .._validation import Problem, check_parameters, check_problem, check_rows
from ..losses import Loss
from ..losses._base import Array
from ..solvers import Centre, Iteration, Result, Solver, Status, solve
from ._callbacks import CallbackSupportMixin, FitTasks, Watcher, each_of, of_iteration, with_callbacks

# Prior variance of a logit under alpha="scale". Measured: over 28 data sets 20 comes closest on average to the best of
# all strengths tried, in accuracy and in log-loss.
LOGIT_VARIANCE = 20.0
# A hinge without a penalty has no certificate and many solutions; this share of the default penalty picks one.
LEAST_HINGE_SHARE = 1e-6


class LinearClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Abstract linear classifier: validation, the objective, a solver, and coefficients in original units."""

    _multilabel = False
    _solvers = frozenset({"subspace_newton", "lbfgs"})

    @abstractmethod
    def _make_loss(self, problem: Problem) -> tuple[Loss, int]:
        """The loss of a problem and its number of logit columns."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model to data.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows; any real dtype. Not copied, not modified, not made dense. float32 is computed in float32 and checked
            in float64.
        y : array of shape (n,)
            Class labels of any type (for `SigmoidClassifier` also an indicator of shape (n, K)).
        sample_weight : array of shape (n,), default=None
            Weights of the rows, ones if None. To the coefficients a weight of 2 is the same as the row twice, and 0 the
            same as no row.

        Returns
        -------
        object
            The fitted estimator itself.

        Raises
        ------
        ValueError, TypeError
            If an input or a parameter is refused; the estimator is then left as it was.
        """
        result, fitted = self._learn(X, y, sample_weight)
        if result.status not in (Status.CONVERGED, Status.EARLY, Status.INTERRUPTED):
            proof = "relative duality gap" if fitted["alpha_"] else "largest scaled gradient entry"
            warnings.warn(
                f"{type(self).__name__} has {result.status.value}. Its {proof} is {result.measure:.2e}, above "
                f"tol={self.tol:g} (after {result.n_iter} iterations).",
                ConvergenceWarning,
                stacklevel=2,
            )
        # Nothing of an earlier fit stays: it may have had names, or a temperature, that this one has not.
        for name in ("n_features_in_", "feature_names_in_", "temperature_", "_temperature", "t_"):
            self.__dict__.pop(name, None)
        self.__dict__.update(fitted)
        return self

    @with_callbacks
    def _learn(self, X: Any, y: Any, sample_weight: Any) -> tuple[Result, dict[str, Any]]:
        """The solver's result, and all that `fit` sets; the estimator itself is left as it is."""
        self._check_parameters()
        problem = check_problem(self, X, y, sample_weight, multilabel=self._multilabel)
        tasks = FitTasks.of(self, X, y, sample_weight, self._max_steps())
        n_entries = problem.X.nnz if sp.issparse(problem.X) else problem.X.size
        with for_pass(n_entries * len(problem.classes)):
            objective = self._make_objective(problem)
            result = self._solve(objective, self._start(problem, objective), self._watcher(tasks, problem, objective))
            fitted = self._describe(problem, objective, result)
        if tasks is not None:
            tasks.finish(fitted)
        return result, fitted

    def decision_function(self, X: Any) -> Array:
        """Logits of rows: ``X @ coef_.T + intercept_``, computed without the cancellation of large means.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows in original units.

        Returns
        -------
        ndarray of shape (n,) or (n, K)
            One logit per row for two classes (positive means ``classes_[1]``), otherwise one per class or output;
            float32 if X is, else float64.
        """
        logits = self._logits(X)
        return logits[:, 0] if logits.shape[1] == 1 and not self._is_multilabel() else np.ascontiguousarray(logits)

    def predict(self, X: Any) -> Array:
        """Labels of rows.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows in original units.

        Returns
        -------
        ndarray of shape (n,)
            The class of the largest logit (an indicator of shape (n, K) if fitted on one).
        """
        scores = self.decision_function(X)
        if self._is_multilabel():
            return (scores > 0).astype(np.int64)
        labels: Array = self.classes_[(scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)]
        return labels

    def as_sklearn(self) -> Any:
        """A fitted estimator of scikit-learn with the same predictions, for tools that know only scikit-learn's.

        ======================================  ==================================================
        this model                              becomes
        ======================================  ==================================================
        `SoftmaxClassifier`                     ``LogisticRegression``
        `SigmoidClassifier`, two classes        ``LogisticRegression``
        `SigmoidClassifier`, more, or labels    ``OneVsRestClassifier`` of ``LogisticRegression``
        `LinearSVMClassifier`                   ``LogisticRegression`` of the scores over `temperature_`
        `LinearSVMClassifier`, no probability   ``LinearSVC``
        ======================================  ==================================================

        ``C`` is ``1 / (alpha_ S)`` with the sum ``S`` of the weights, apart from the temperature's logistic regression,
        which no ``C`` would lead to. That the columns were standardized has no place among scikit-learn's parameters: a
        refit of the result would penalize the coefficients of the columns as they are.

        Returns
        -------
        object
            The fitted estimator. It shares no arrays with this one.

        Raises
        ------
        NotFittedError
            If this model is not fitted.

        Notes
        -----
        Predictions, probabilities and decision functions are the same up to rounding; the decision function of a
        support vector machine with a temperature is divided by it, which changes no order. float32 rows are
        answered in float64. One-versus-rest probabilities of a row where those of all classes underflow are zero there
        (not a number before scikit-learn 1.7), while they sum to one here.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skgradlinear import SoftmaxClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> theirs = SoftmaxClassifier(alpha=0.01).fit(X, y).as_sklearn()
        >>> print(type(theirs).__name__, theirs.score(X, y))
        LogisticRegression 0.96
        """
        check_is_fitted(self)
        return self._exported()

    @abstractmethod
    def _exported(self) -> Any:
        """The estimator of scikit-learn that the fitted model amounts to."""

    def _check_parameters(self) -> None:
        check_parameters(self, set(self._solvers), Solver)
        if isinstance(self.solver, Solver):
            self.solver.check()

    def _make_objective(self, problem: Problem) -> Objective:
        moments = _rows.wrap(problem.X).moments(problem.sample_weight)
        objective = self._objective_of(problem, moments, self._standardizes(problem))
        return objective.with_alpha(self._resolve_alpha(objective, objective.total_weight))

    def _objective_of(self, problem: Problem, moments: Moments, standardize: bool) -> Objective:
        loss, n_outputs = self._make_loss(problem)
        return Objective.from_checked(
            problem.X,
            problem.y,
            loss,
            weight=problem.weight,
            moments=moments,
            fit_intercept=bool(self.fit_intercept),
            standardize=standardize,
            n_outputs=n_outputs,
            reweighted=problem.weight is not problem.sample_weight
            and not np.array_equal(problem.weight, problem.sample_weight),
        )

    def _standardizes(self, problem: Problem) -> bool:
        return not sp.issparse(problem.X) if isinstance(self.standardize, str) else bool(self.standardize)

    def _resolve_alpha(self, objective: Objective, total_weight: float) -> float:
        """The number behind alpha="scale", and the least penalty of a hinge."""
        default = (objective.logit_variance or 1.0) / (LOGIT_VARIANCE * total_weight)
        alpha = default if isinstance(self.alpha, str) else float(self.alpha)
        return LEAST_HINGE_SHARE * default if objective.non_smooth and not alpha else alpha

    def _start(self, problem: Problem, objective: Objective) -> Array | None:
        """Parameters of the last fit for a warm start that fits, else None."""
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        d, n_outputs = objective.shape[0] - 1, objective.shape[1]
        if self.coef_.shape != (n_outputs, d) or not np.array_equal(self.classes_, problem.classes):
            return None
        return objective.standardization.from_original_units(self.coef_.T, self.intercept_)

    def _solve(self, objective: Objective, start: Array | None, watcher: Watcher | None) -> Result:
        return solve(
            objective,
            start,
            solver=self._chosen_solver(objective),
            tol=self.tol,
            max_iter=self.max_iter,
            random_state=self._seed(),
            callback=watcher,
            state=None if start is None else self._last_state(objective),
        )

    def _chosen_solver(self, objective: Objective) -> str | Solver:
        """The solver's object; names other than "auto" are for smooth losses."""
        return "auto" if objective.non_smooth and isinstance(self.solver, str) else self.solver

    def _last_state(self, objective: Objective) -> Any:
        """Duals of the last fit of a hinge, if they are of as many rows and outputs."""
        state = getattr(self, "_state", None)
        shape = (len(objective.weight), objective.shape[1])
        return Centre(*state) if state is not None and np.shape(state[1]) == shape else None

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _max_steps(self) -> int:
        """The largest number of iterations of the solver."""
        return self.solver.limited(self.max_iter) if isinstance(self.solver, Solver) else int(self.max_iter)

    def _watcher(self, tasks: FitTasks | None, problem: Problem, objective: Objective) -> Watcher | None:
        """What the solver calls at each iteration: scikit-learn's callbacks, and a line of text if `verbose`."""
        watchers: list[Watcher] = [self._report] if self.verbose else []

        def attributes(iteration: Iteration, params: Array) -> dict[str, Any]:
            return of_iteration(iteration, self._model(problem, objective, params), objective.alpha)

        if tasks is not None:
            watchers.append(lambda iteration, params: tasks.iterated(iteration, lambda: attributes(iteration, params)))
        return each_of(watchers)

    def _iterates(self, X: Any, y: Any, sample_weight: Any = None) -> list[tuple[Iteration, Self]]:
        """Models as if a fit from the beginning had stopped at each iteration; this one is left as it is."""
        self._check_parameters()
        problem = check_problem(self, X, y, sample_weight, multilabel=self._multilabel)
        objective = self._make_objective(problem)
        found: dict[int, tuple[Iteration, Self]] = {}

        def keep(iteration: Iteration, params: Array) -> None:
            model = clone(self)
            model.__dict__.update(self._model(problem, objective, params))
            # A second look at the same point, in another precision, takes the place of the first.
            found[iteration.n_iter] = iteration, model

        result = self._solve(objective, None, keep)
        # What a fit returns may have a better bias than the last step, or be the best of all steps.
        keep(replace(list(found.values())[-1][0], value=result.value, measure=result.measure), result.params)
        return list(found.values())

    def _report(self, iteration: Iteration, params: Array) -> None:
        sys.stdout.write(
            f"[{type(self).__name__}] {iteration.n_iter:4d}  objective {iteration.value:.8g}  "
            f"gap {iteration.measure:.1e}  {iteration.seconds:.2f} s\n"
        )

    def _model(self, problem: Problem, objective: Objective, params: Array) -> dict[str, Any]:
        """The attributes that predictions are made of."""
        coefficients, intercept = objective.to_original_units(params)
        return {
            **problem.features,
            "classes_": problem.classes,
            "coef_": np.ascontiguousarray(coefficients.T),
            "intercept_": intercept,
            "alpha_": objective.alpha,
            "column_std_": objective.standardization.column_std,
            "_total_weight": objective.total_weight,
            "_pivot": objective.standardization.mean if objective.far_from_zero else None,
            "_fitted_multilabel": problem.multilabel,
        }

    def _describe(self, problem: Problem, objective: Objective, result: Result) -> dict[str, Any]:
        """Everything `fit` sets, complete before any of it is set."""
        return {
            **self._model(problem, objective, result.params),
            "n_iter_": max(result.n_iter, 1),
            "objective_": result.value,
            "duality_gap_": result.measure if objective.alpha else np.nan,
            "loss_curve_": np.array([iteration.value for iteration in result.history]),
            "gap_curve_": np.array([iteration.measure if objective.alpha else np.nan for iteration in result.history]),
            "seconds_curve_": np.array([iteration.seconds for iteration in result.history]),
            # Plain values, so that a stored model is made of nothing but arrays and numbers.
            "_state": (result.state.mu, result.state.dual) if self.warm_start and result.state else None,
        }

    def _logits(self, X: Any) -> Array:
        """Logits of rows, shape (n, K), from the same products with X that `fit` uses."""
        check_is_fitted(self)
        return self._logits_of(check_rows(self, X, reset=False))

    def _logits_of(self, X: Any) -> Array:
        """Logits of rows that passed the door."""
        rows = _rows.wrap(X)
        slope, offset = self.coef_.T, self.intercept_
        dtype = rows.dtype
        if self._pivot is not None and rows.dense:
            pivot = self._pivot.astype(dtype).astype(np.float64)
            rows, offset = rows.with_pivot(pivot), offset + pivot @ slope
        elif self._pivot is not None:
            rows = rows.astype(np.dtype(np.float64))  # sparse rows take no pivot
        return rows.logits(slope, offset).astype(dtype, copy=False)

    def _is_multilabel(self) -> bool:
        return bool(getattr(self, "_fitted_multilabel", False))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = self._multilabel
        return tags
