"""The objective of every solver here, computed from its coefficients in float64 with nothing but NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from benchmark_utils import n_outputs
from benchopt import BaseObjective
from scipy.special import log1p, logsumexp

ROWS = 4096


class Objective(BaseObjective):
    name = "Linear classification"
    parameters = {"loss": ["softmax"], "C": [1.0, 0.01], "intercept": ["free"]}
    min_benchopt_version = "1.10"
    requirements = ["pip::numpy", "pip::scipy", "pip::scikit-learn"]

    def set_data(self, X, y):
        """Dense columns are standardized by the solvers, in their time; sparse ones are taken as they are.

        With ``intercept="penalized"``, for peers that know no other, the objective is that of standardized columns and
        a column of ones, made beforehand for everybody.
        """
        self.y = y
        self.alpha = 1 / (self.C * len(y))
        self.n_outputs = n_outputs(y)
        if sp.issparse(X):
            self.scale = np.ones(X.shape[1])
        else:
            mean = X.mean(axis=0, dtype=np.float64)
            self.scale = np.sqrt(sum(((block - mean) ** 2).sum(axis=0) for _, block in _blocks(X)) / len(y))
            self.scale[self.scale <= 1e-10 * np.abs(mean)] = 1  # constant columns
        if self.intercept == "penalized":
            if sp.issparse(X):
                X = sp.csr_matrix(sp.hstack([X, np.ones((X.shape[0], 1))]))
            else:
                X = np.hstack([(X - mean) / self.scale, np.ones((len(X), 1))])
            self.scale = np.ones(X.shape[1])
        self.X = X

    def get_objective(self):
        return {"X": self.X, "y": self.y, "C": self.C, "loss": self.loss, "intercept": self.intercept}

    def evaluate_result(self, coef, intercept, **counts):
        total = 0.0
        for rows, block in _blocks(self.X):
            logits = np.asarray(block @ coef.T) + intercept
            total += float(_losses(self.loss, logits, self.y[rows]).sum())
        penalty = 0.5 * self.alpha * float(((coef * self.scale) ** 2).sum())
        return {"value": total / len(self.y) + penalty, **counts}

    def get_one_result(self):
        return {"coef": np.zeros((self.n_outputs, self.X.shape[1])), "intercept": np.zeros(self.n_outputs)}


def _blocks(X):
    for start in range(0, X.shape[0], ROWS):
        rows = slice(start, start + ROWS)
        yield rows, X[rows].astype(np.float64, copy=False)


def _losses(loss, logits, y):
    """Loss of each row; two classes have one column of logits, rows of several labels a column for each."""
    if y.ndim == 2:
        return (np.maximum(logits, 0) + log1p(np.exp(-np.abs(logits))) - y * logits).sum(axis=1)
    if logits.shape[1] == 1:
        margin = np.where(y == 1, 1.0, -1.0) * logits[:, 0]
        if loss in {"softmax", "sigmoid"}:
            return np.where(margin > 0, 0.0, -margin) + log1p(np.exp(-np.abs(margin)))
        hinge = np.maximum(0.0, 1 - margin)
        return hinge**2 if loss.endswith("squared") else hinge
    rows = np.arange(len(y))
    if loss == "softmax":
        return logsumexp(logits, axis=1) - logits[rows, y]
    if loss == "sigmoid" or loss.startswith("ovr"):
        sign = -np.ones_like(logits)
        sign[rows, y] = 1
        margins = sign * logits
        if loss == "sigmoid":
            return (np.where(margins > 0, 0.0, -margins) + log1p(np.exp(-np.abs(margins)))).sum(axis=1)
        hinge = np.maximum(0.0, 1 - margins)
    else:
        hinge = np.maximum(0.0, 1 + logits - logits[rows, y][:, None])
        hinge[rows, y] = 0
        if loss == "crammer_singer":
            return hinge.max(axis=1)
    return (hinge**2 if loss.endswith("squared") else hinge).sum(axis=1)
