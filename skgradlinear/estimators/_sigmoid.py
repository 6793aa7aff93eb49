"""Logistic regression with independent outputs: binary, one-versus-rest and multilabel."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _calibration
from .._validation import Problem
from ..losses import Loss, SigmoidLoss
from ..losses._base import Array
from ..solvers import Solver
from . import _export
from ._streaming import StreamingClassifier


class SigmoidClassifier(StreamingClassifier):
    """Binary, one-versus-rest and multilabel logistic regression with a certified optimum, all outputs in one fit.

    Minimizes ``(1/S) sum_i s_i sum_k log(1 + exp(-t_ik z_ik)) + (alpha/2) ||W||^2`` over ``z = x W + b``,
    with ``t_ik`` = 1 where output k is positive and -1 elsewhere. Labels of more than two classes mean one-versus-rest,
    indicator rows mean multilabel; the outputs share rows, standardization and `alpha`, and do not interact.

    Parameters
    ----------
    alpha : "scale" or float, default="scale"
        Strength of the penalty on the mean loss: ``alpha = 1 / (C * sum of weights)`` in terms of scikit-learn's ``C``.
        "scale" is ``tr(Cov X) / (20 S)``, with the weighted covariance of the penalized (that is, standardized) columns
        and ``S`` the sum of weights: a prior variance of 20 for a logit. 0 leaves coefficients free: the fit then
        stops on the gradient instead of a gap.
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
        "subspace_newton" minimizes over a preconditioned gradient and the last steps, "lbfgs" is SciPy's; "auto" picks
        the former. Objects such as ``SGD(learning_rate=0.1)`` have parameters of their own; see
        :mod:`skgradlinear.solvers`.
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
        Class labels; the numbers of the outputs for multilabel y.
    alpha_ : float
        The strength that was used.
    objective_ : float
        Mean loss plus penalty at the solution, in the units that were penalized.
    duality_gap_ : float
        Certified bound on ``(objective_ - minimum) / objective_``, computed in float64; nan if alpha is 0.
    n_iter_ : int
        Number of iterations.
    loss_curve_ : ndarray
        Objective at the start and after each iteration.
    gap_curve_ : ndarray
        Relative duality gap at the same points; nan if alpha is 0. Certified where the rows are computed in float64;
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

    See Also
    --------
    SoftmaxClassifier : One distribution over the classes.

    Notes
    -----
    The gradient, Hessian and certificate are derived in :doc:`/mathematics`. Rifkin & Klautau (2004), "In defense of
    one-vs-all classification". One-versus-rest probabilities are the outputs' scaled to sum to one.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from skgradlinear import SigmoidClassifier
    >>> X, y = make_multilabel_classification(n_samples=200, n_classes=4, random_state=0)
    >>> classifier = SigmoidClassifier().fit(X, y)
    >>> print(classifier.coef_.shape, classifier.predict_proba(X).shape)
    (4, 20) (200, 4)
    """

    _multilabel = True

    def __init__(
        self,
        alpha: str | float = "scale",
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
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.solver = solver
        self.random_state = random_state
        self.verbose = verbose

    def _make_loss(self, problem: Problem) -> tuple[Loss, int]:
        n_classes = len(problem.classes)
        return SigmoidLoss(), 1 if n_classes == 2 and not problem.multilabel else n_classes

    def _exported(self) -> Any:
        if len(self.classes_) == 2 and not self._is_multilabel():
            return _export.logistic_regression(self)
        return _export.one_vs_rest(self, multilabel=self._is_multilabel())

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, or of each label.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows in original units.

        Returns
        -------
        ndarray of shape (n, K)
            Sigmoids of the logits: scaled to sum to one for one-versus-rest, as they are for multilabel y.
        """
        logits = self._logits(X)
        if self._is_multilabel():
            return np.ascontiguousarray(SigmoidLoss().proba(logits))
        if logits.shape[1] == 1:
            return _calibration.proba(logits)
        return np.ascontiguousarray(SigmoidLoss().normalized_proba(logits))

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
        logits = self._logits(X)
        if self._is_multilabel():
            return np.ascontiguousarray(SigmoidLoss().log_proba(logits))
        if logits.shape[1] == 1:
            return _calibration.log_proba(logits)
        return np.ascontiguousarray(SigmoidLoss().normalized_log_proba(logits))
