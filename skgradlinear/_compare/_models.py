"""The estimators that are compared, each in the pipeline that suits it best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier

from ._data import Dataset

# Times the default rule of the estimators. A search takes the first of equal accuracies: the closest to the rule.
MULTIPLES = (1.0, 10.0, 0.1, 100.0, 0.01)
LOGIT_VARIANCE = 20.0
MANY_ITERATIONS = 10_000
# Relative gap of the hinge in the search; the model that is judged is fitted to the default.
SEARCH_TOL = 1e-2


@dataclass(frozen=True)
class Contender:
    """One row of the tables.

    Parameters
    ----------
    name : str
        Name of the estimator.
    pipeline : Pipeline
        Unfitted: the columns' preprocessing, scaling where the estimator has none of its own, the estimator.
    parameter : {"alpha", "C"}
        The regularization searched over.
    ours : bool
        Whether it is an estimator of this package, with a certificate.
    """

    name: str
    pipeline: Any
    parameter: str
    ours: bool

    def grid(self, alphas: list[float], n: int) -> dict[str, list[float]]:
        """Same range for all: ``C = 1 / (alpha n)``."""
        values = alphas if self.parameter == "alpha" else [1 / (alpha * n) for alpha in alphas]
        return {f"model__{self.parameter}": values}

    def final(self, chosen: Any, cv: int, seed: int) -> Any:
        """Unfitted model that gives probabilities, from the pipeline that the search chose."""
        model = clone(chosen)
        if self.name == "LinearSVMClassifier":
            default = LinearSVMClassifier()
            return model.set_params(model__probability=default.probability, model__cv=cv, model__tol=default.tol)
        if self.name == "LinearSVC":
            return CalibratedClassifierCV(model, method=calibration(), cv=folds(cv, seed))
        return model


def folds(cv: int, seed: int) -> Any:
    """The same folds for every model."""
    return StratifiedKFold(cv, shuffle=True, random_state=seed)


def calibration() -> str:
    """Temperature scaling, better than one sigmoid per class on several classes, where scikit-learn has it (1.8)."""
    release = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
    return "temperature" if release >= (1, 8) else "sigmoid"


def contenders(dataset: Dataset, seed: int) -> list[Contender]:
    """Three estimators of this package and two yardsticks, in the order of the tables."""
    columns = preprocessing(dataset)

    def contender(estimator: Any, parameter: str, ours: bool) -> Contender:
        steps = [("columns", clone(columns, safe=False)), ("model", estimator)]
        if dataset.dense and not ours:
            steps.insert(1, ("scale", StandardScaler()))
        return Contender(type(estimator).__name__, Pipeline(steps), parameter, ours)

    return [
        contender(SoftmaxClassifier(random_state=seed), "alpha", True),
        contender(SigmoidClassifier(random_state=seed), "alpha", True),
        # Temperatures do not change a prediction, and the last digits of a hinge seldom do: the search goes without.
        contender(LinearSVMClassifier(probability=False, tol=SEARCH_TOL, random_state=seed), "alpha", True),
        contender(LogisticRegression(solver="newton-cg", max_iter=MANY_ITERATIONS), "C", False),
        contender(LinearSVC(max_iter=MANY_ITERATIONS, random_state=seed), "C", False),
    ]


def preprocessing(dataset: Dataset) -> Any:
    """Imputation and one-hot encoding of the columns; part of every pipeline, so that it sees training rows only."""
    if sp.issparse(dataset.X):
        return "passthrough"
    numbers: Any = SimpleImputer(strategy="median", keep_empty_features=True)
    if not dataset.dense:
        # Nothing downstream standardizes sparse columns.
        numbers = make_pipeline(numbers, StandardScaler())
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=not dataset.dense),
    )
    parts = [("numbers", numbers, list(dataset.numeric)), ("categories", categories, list(dataset.text))]
    return ColumnTransformer(
        [part for part in parts if part[2]],
        sparse_threshold=0.0 if dataset.dense else 1.0,
    )


def encoded(columns: Any, X: Any) -> Any:
    """Preprocessed training rows, dense float64 or CSR."""
    if columns == "passthrough":
        return X
    return clone(columns).fit_transform(X)


def alpha_grid(rows: Any) -> list[float]:
    """Multiples of the estimators' default rule ``tr(Cov X) / (20 S)``, with three digits to be read and typed."""
    n = rows.shape[0]
    if sp.issparse(rows):
        mean = np.asarray(rows.mean(axis=0)).ravel()
        trace = float((np.asarray(rows.multiply(rows).mean(axis=0)).ravel() - mean**2).sum())
    else:
        trace = float((rows.max(axis=0) != rows.min(axis=0)).sum())
    # Constant columns only: any penalty gives the same model.
    default = (trace or 1.0) / (LOGIT_VARIANCE * n)
    return [float(f"{multiple * default:.3g}") for multiple in MULTIPLES]
