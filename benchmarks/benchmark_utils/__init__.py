"""What the solver files share: how a peer is fitted, and how its coefficients return to the units of the columns."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
from benchopt import BaseSolver
from benchopt.stopping_criterion import SufficientProgressCriterion
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

LOGISTIC = {"softmax", "sigmoid"}
MAX_ITER = 100_000


def n_outputs(y):
    """Columns of the logits: one for two classes, otherwise one for each class or column of labels."""
    if y.ndim == 2:
        return y.shape[1]
    return 1 if y.max() == 1 else int(y.max()) + 1


class Peer(BaseSolver):
    """A scikit-learn style classifier behind a `StandardScaler`, whole fits at ever smaller tolerances.

    A subclass says which objectives it solves (`losses`, `intercepts`, `max_classes`) and makes its model in `build`.
    """

    sampling_strategy = "tolerance"
    stopping_criterion = SufficientProgressCriterion(patience=2, strategy="tolerance")
    losses: set[str] = set()
    intercepts = {"free"}
    max_classes = np.inf
    dense_only = False
    multilabel = False
    parameters = {"dtype": ["float64"]}

    def skip(self, X, y, C, loss, intercept):
        n_classes = max(n_outputs(y), 2)
        if loss not in self.losses and not (loss == "softmax" and n_classes == 2 and "sigmoid" in self.losses):
            return True, f"does not solve {loss}"
        if y.ndim == 2 and not self.multilabel:
            return True, "takes one label a row"
        if intercept not in self.intercepts:
            return True, f"has no {intercept} intercept"
        if n_classes > self.max_classes:
            return True, f"{n_classes} classes"
        if self.dense_only and sp.issparse(X):
            return True, "dense rows only"
        return False, None

    def set_objective(self, X, y, C, loss, intercept):
        self.C, self.loss, self.intercept = C, loss, intercept
        self.X = X.astype(self.dtype, copy=False)
        self.y = y
        self.scaled = intercept == "free" and not sp.issparse(X)

    def get_next(self, tol):
        return min(0.1, tol / 10)

    def build(self, tol):
        """An unfitted model that stops at `tol`; `self.C`, `self.loss` and `self.intercept` say what it solves."""
        raise NotImplementedError

    def run(self, tol):
        with warnings.catch_warnings():
            # How far a fit has come is measured from its coefficients.
            warnings.simplefilter("ignore", ConvergenceWarning)
            X = self.X
            self.scaler = StandardScaler().fit(X) if self.scaled else None
            X = self.scaler.transform(X) if self.scaled else X
            self.model = self.build(tol)
            self.fit(X, self.y)

    def fit(self, X, y):
        self.model.fit(X, y)

    def coefficients(self):
        """Coefficients (K, d) and intercept (K,) of the columns that the model was given."""
        coef = np.atleast_2d(self.model.coef_).astype(np.float64)
        return coef, np.broadcast_to(self.model.intercept_, len(coef)).astype(np.float64)

    def get_result(self):
        coef, intercept = self.coefficients()
        if self.scaler is not None:
            coef = coef / self.scaler.scale_
            intercept = intercept - coef @ self.scaler.mean_
        return {"coef": coef, "intercept": intercept, "n_iter": self.count()}

    def count(self):
        """Iterations the model reports: for lbfgs each is at least one pass over X."""
        return float(np.max(getattr(self.model, "n_iter_", np.nan)))
