"""Time to the same value of the same objective: SoftmaxClassifier and LogisticRegression.

Both minimize ``mean log-loss + alpha / 2 ||W||^2`` over the coefficients of the standardized columns when
``C = 1 / (alpha n)``. The estimator of this package runs at its default tolerance. LogisticRegression runs with each of
its second-order and quasi-Newton solvers at the loosest tolerance that brings its objective as close to the optimum,
and its fastest solver counts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgradlinear import SoftmaxClassifier

from . import _measures as measures
from ._models import MANY_ITERATIONS

TOLERANCES = tuple(10.0**-digits for digits in range(1, 11))
REFERENCE_TOLERANCE = 1e-9
# Closer to the optimum than this nobody has to come, even where the package does.
SMALLEST_TARGET = 1e-6
# newton-cholesky forms the Hessian of all coefficients.
LARGEST_HESSIAN = 2_000
# A solver that needs this many times the time of the fastest is out, but every solver may take some seconds.
PATIENCE = 10.0
LEAST_SECONDS = 10.0
CLOSE_FINISH = 3.0


@dataclass(frozen=True)
class Runner:
    """One way to fit the objective.

    Parameters
    ----------
    name : str
        Estimator.
    solver : str
        Its solver.
    tol : float
        Its tolerance.
    objective : float
        Value reached, worked out from the coefficients.
    suboptimality : float
        Relative distance to the best value known.
    seconds : tuple of float
        Time of each fit.
    gap : float or None
        Certified relative gap, where there is one.
    """

    name: str
    solver: str
    tol: float
    objective: float
    suboptimality: float = np.nan
    seconds: tuple[float, ...] = ()
    gap: float | None = None

    @property
    def median(self) -> float:
        """Median time of a fit."""
        return median(self.seconds)


@dataclass(frozen=True)
class Race:
    """Outcome at one alpha.

    Parameters
    ----------
    alpha : float
        Penalty of both.
    target : float
        Relative suboptimality to reach.
    ours : Runner
        SoftmaxClassifier at its default tolerance.
    rivals : list of Runner
        The solvers of LogisticRegression that reached the target, fastest first.
    missed : list of Runner
        Those that did not, at the closest they came.
    """

    alpha: float
    target: float
    ours: Runner
    rivals: list[Runner]
    missed: list[Runner] = field(default_factory=list)

    @property
    def winner(self) -> Runner | None:
        """Fastest solver of LogisticRegression that reached the target."""
        return self.rivals[0] if self.rivals else None

    def ratio(self, runner: Runner) -> float:
        """Time of a runner over the time of SoftmaxClassifier."""
        return runner.median / self.ours.median


@dataclass(frozen=True)
class Fitted:
    """One fit: its time, and the objective worked out from its coefficients."""

    seconds: float
    value: float
    tol: float
    gap: float | None = None


Fit = Callable[[], Fitted]


def race(rows: Any, y: measures.Integers, alpha: float, repeats: int, seed: int) -> Race:
    """Fit the same objective both ways on preprocessed rows."""
    with warnings.catch_warnings():
        # Whether a fit converged is judged here by its objective.
        warnings.simplefilter("ignore")
        fit = _ours(rows, y, alpha, seed)
        first = fit()
        references = (
            _ours(rows, y, alpha, seed, REFERENCE_TOLERANCE),
            _rival(rows, y, alpha, "newton-cg", REFERENCE_TOLERANCE),
        )
        best = min(first.value, *(reference().value for reference in references))
        above = (first.value - best) / abs(best)
        target = max(above, SMALLEST_TARGET)
        reached: list[Runner] = []
        missed: list[Runner] = []
        for solver in _solvers(rows, y):
            runner = _loosest(rows, y, alpha, solver, best, target, PATIENCE * first.seconds + LEAST_SECONDS)
            (reached if runner.suboptimality <= target else missed).append(runner)
        quickest = min((runner.median for runner in reached), default=0.0)
        entered = [runner for runner in reached if runner.median <= CLOSE_FINISH * quickest]
        rivals = [_rival(rows, y, alpha, runner.solver, runner.tol) for runner in entered]
        times = _alternate([fit, *rivals], repeats)
    ours = Runner("SoftmaxClassifier", "auto", first.tol, first.value, above, times[0], first.gap)
    timed = [replace(runner, seconds=seconds) for runner, seconds in zip(entered, times[1:], strict=True)]
    return Race(alpha, target, ours, sorted(timed, key=lambda runner: runner.median), missed)


def _alternate(fits: list[Fit], repeats: int) -> list[tuple[float, ...]]:
    """Times of the fits, turn by turn: a slow moment of the machine then falls on each of them."""
    times: list[list[float]] = [[] for _ in fits]
    for _ in range(repeats):
        for fit, seconds in zip(fits, times, strict=True):
            seconds.append(fit().seconds)
    return [tuple(seconds) for seconds in times]


def _loosest(
    rows: Any, y: measures.Integers, alpha: float, solver: str, best: float, target: float, limit: float
) -> Runner:
    """The loosest tolerance that reaches the target, or the closest the solver came within the time."""
    runners: list[Runner] = []
    spent = 0.0
    for tol in TOLERANCES:
        fitted = _rival(rows, y, alpha, solver, tol)()
        above = (fitted.value - best) / abs(best)
        runners.append(Runner("LogisticRegression", solver, tol, fitted.value, above, (fitted.seconds,)))
        spent += fitted.seconds
        if above <= target or spent > limit:
            break
    return min(runners, key=lambda runner: runner.suboptimality)


def _solvers(rows: Any, y: measures.Integers) -> list[str]:
    n_classes = int(y.max()) + 1
    n_params = (rows.shape[1] + 1) * (1 if n_classes == 2 else n_classes)
    return (["newton-cholesky"] if n_params <= LARGEST_HESSIAN else []) + ["newton-cg", "lbfgs"]


def _ours(rows: Any, y: measures.Integers, alpha: float, seed: int, tol: float | None = None) -> Fit:
    def fit() -> Fitted:
        model = SoftmaxClassifier(alpha=alpha, random_state=seed)
        if tol is not None:
            model.set_params(tol=tol)
        start = perf_counter()
        model.fit(rows, y)
        seconds = perf_counter() - start
        scale = 1.0 if sp.issparse(rows) else rows.std(axis=0)
        logits = np.asarray(rows @ model.coef_.T + model.intercept_, dtype=np.float64)
        value = measures.penalized(measures.softmax_losses(logits, y), alpha, model.coef_ * scale)
        return Fitted(seconds, value, float(model.tol), float(model.duality_gap_))

    return fit


def _rival(rows: Any, y: measures.Integers, alpha: float, solver: str, tol: float) -> Fit:
    def fit() -> Fitted:
        model = LogisticRegression(C=1 / (alpha * len(y)), solver=solver, tol=tol, max_iter=MANY_ITERATIONS)
        # The package standardizes dense rows inside its fit, so the time of doing so belongs here too.
        pipeline = make_pipeline("passthrough" if sp.issparse(rows) else StandardScaler(), model)
        start = perf_counter()
        pipeline.fit(rows, y)
        seconds = perf_counter() - start
        logits = np.asarray(pipeline[:-1].transform(rows) @ model.coef_.T + model.intercept_, dtype=np.float64)
        return Fitted(seconds, measures.penalized(measures.softmax_losses(logits, y), alpha, model.coef_), tol)

    return fit
