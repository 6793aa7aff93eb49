"""Fit times of SoftmaxClassifier and LogisticRegression at equal objective value; see README.md beside this file."""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skgradlinear import Objective, SoftmaxClassifier
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss

SHIPPED = {"iris": load_iris, "wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}
SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8)
MAX_CHOLESKY = 1_500  # beyond this many parameters newton-cholesky is never the fastest


def main() -> None:
    """Print one line per data set, penalty and solver."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="npz files with arrays X and y")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--C", type=float, nargs="+", default=[1.0, 0.01])
    options = parser.parse_args()
    print(f"{'data':<16}{'C':>6} {'model':<18}{'tol':>7}{'above best':>12}{'seconds':>9}{'ratio':>7}")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, X, y in data_sets(options.files):
            for C in options.C:
                compare(name, X, y, C, options.runs)


def data_sets(files):
    """Names and arrays, labels as integers."""
    if not files:
        yield from ((name, *load(return_X_y=True)) for name, load in SHIPPED.items())
    for path in files:
        with np.load(path) as arrays:
            yield path.stem, arrays["X"], np.unique(arrays["y"], return_inverse=True)[1]


def compare(name, X, y, C, runs):
    """Time everything that reaches our value, turn by turn."""
    n_classes = int(y.max()) + 1
    objective = Objective(X, y, SoftmaxLoss() if n_classes > 2 else SigmoidLoss(), alpha=1 / (C * len(y)))
    ours = SoftmaxClassifier(alpha=objective.alpha)
    value = value_of(objective, ours.fit(X, y).coef_, ours.intercept_)
    tight = SoftmaxClassifier(alpha=objective.alpha, tol=1e-10, max_iter=200).fit(X, y)
    best = min(value_of(objective, tight.coef_, tight.intercept_), value)
    rivals = {}
    for solver in SOLVERS:
        if solver == "newton-cholesky" and X.shape[1] * n_classes > MAX_CHOLESKY:
            continue
        for tol in TOLERANCES:
            pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=C, solver=solver, tol=tol, max_iter=10_000))
            reached = rival_value(objective, pipeline.fit(X, y))
            best = min(best, reached)
            if reached <= value * (1 + 1e-9):
                rivals[solver, tol] = pipeline, reached
                break
    models = {("ours", ours.tol): (ours, value), **rivals}
    seconds = {key: [] for key in models}
    for _ in range(runs):
        for key, (model, _) in models.items():
            start = time.perf_counter()
            model.fit(X, y)
            seconds[key].append(time.perf_counter() - start)
    base = statistics.median(seconds["ours", ours.tol])
    for (solver, tol), (_, reached) in models.items():
        median = statistics.median(seconds[solver, tol])
        above = reached / best - 1
        print(f"{name:<16}{C:>6g} {solver:<18}{tol:>7.0e}{above:>12.1e}{median:>9.4f}{median / base:>7.2f}", flush=True)


def rival_value(objective, pipeline):
    """Objective of the pipeline's coefficients, which are those of standardized columns."""
    scaler, model = pipeline[0], pipeline[1]
    slope = model.coef_ / scaler.scale_
    return value_of(objective, slope, model.intercept_ - slope @ scaler.mean_)


def value_of(objective, coef, intercept):
    """Objective of coefficients in original units, in float64."""
    return objective.in_float64().value(objective.standardization.from_original_units(coef.T, intercept))


if __name__ == "__main__":
    main()
