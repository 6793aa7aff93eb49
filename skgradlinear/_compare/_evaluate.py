"""Search, fit and measure every contender on one data set."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from threadpoolctl import threadpool_limits

from . import _measures as measures
from ._data import Dataset
from ._errors import CompareError, quoted
from ._models import Contender, alpha_grid, contenders, encoded, folds
from ._race import Race, race

# A model's own report and the value worked out here may differ by rounding, in float64.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Settings:
    """How the comparison is run."""

    test_size: float = 0.25
    cv: int = 5
    repeats: int = 5
    seed: int = 0
    threads: int = 1
    quiet: bool = False

    def tell(self, text: str) -> None:
        """Progress, on standard error."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def timed(self, text: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        if not self.quiet:
            print(text, end=" ... ", file=sys.stderr, flush=True)
        start = perf_counter()
        yield
        self.tell(f"{perf_counter() - start:.1f} s")


@dataclass(frozen=True)
class Split:
    """Training and test rows with labels 0 .. K - 1."""

    X: Any
    y: measures.Integers
    X_test: Any
    y_test: measures.Integers
    classes: list[Any]


@dataclass(frozen=True)
class Objective:
    """Objective value of a fitted model on its training rows, from its coefficients."""

    name: str
    alpha: float
    value: float
    reported: float | None = None
    gap: float | None = None


@dataclass
class Outcome:
    """One row of the tables."""

    contender: Contender
    chosen: Any
    parameter: float
    at_the_edge: bool
    cv_accuracy: float
    cv_deviation: float
    model: Any = None
    proba: Any = None
    test_accuracy: float = np.nan
    objective: Objective | None = None
    seconds: list[float] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """Name of the estimator."""
        return self.contender.name


@dataclass(frozen=True)
class Comparison:
    """Everything the tables, the JSON and the picture show."""

    dataset: Dataset
    settings: Settings
    split: Split
    outcomes: list[Outcome]
    race: Race
    n_features: int


@contextmanager
def counted(counts: Counter[str]) -> Iterator[None]:
    """Count warnings by class and first line in place of printing them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        convergence = issubclass(warning.category, ConvergenceWarning)
        text = "" if convergence else ": " + str(warning.message).strip().split("\n")[0]
        counts[warning.category.__name__ + text] += 1


# Labels with fewer rows than this each, on average, are rather numbers or names.
FEW_PER_LABEL = 5


def split(dataset: Dataset, settings: Settings) -> Split:
    """Stratified training and test rows, or one line where the classes are too small."""
    classes, y = np.unique(dataset.y, return_inverse=True)
    counts = np.bincount(y)
    if len(classes) < 2:
        raise CompareError(f"{dataset.name} has a single class {quoted(classes[0].item())}; give at least two.")
    if len(classes) > max(len(y) / min(settings.cv, FEW_PER_LABEL), 2):
        raise CompareError(
            f"{len(classes)} different labels in {len(y)} rows of {dataset.name} look like a quantity or like "
            "identifiers, not classes; choose another column with --target."
        )
    n_test = int(np.ceil(settings.test_size * len(y)))
    if min(n_test, len(y) - n_test) < len(classes):
        raise CompareError(
            f"--test-size {settings.test_size:g} leaves {len(y) - n_test} training and {n_test} test rows for "
            f"{len(classes)} classes; each part needs one row per class at least."
        )
    rarest = int(counts.argmin())
    too_few = CompareError(
        f"class {quoted(classes[rarest].item())} has {counts[rarest]} of the {len(y)} rows in {dataset.name}: "
        f"--cv {settings.cv} and --test-size {settings.test_size:g} need more; lower them, or leave the class out."
    )
    if counts[rarest] <= settings.cv:
        raise too_few
    train, test = train_test_split(
        np.arange(len(y)), test_size=settings.test_size, stratify=y, random_state=settings.seed
    )
    if np.bincount(y[train], minlength=len(classes)).min() < settings.cv:
        raise too_few
    return Split(dataset.X[train], y[train], dataset.X[test], y[test], classes.tolist())


def compare(dataset: Dataset, settings: Settings) -> Comparison:
    """Search, race at the same objective, then fit and measure."""
    rows = split(dataset, settings)
    with threadpool_limits(settings.threads):
        return _compared(dataset, rows, settings)


def _compared(dataset: Dataset, rows: Split, settings: Settings) -> Comparison:
    entries = contenders(dataset, settings.seed)
    columns = entries[0].pipeline.named_steps["columns"]
    Z = encoded(columns, rows.X)
    alphas = alpha_grid(Z)
    outcomes = []
    for number, entry in enumerate(entries, 1):
        what = f"[{number}/{len(entries)}] {entry.name}: {len(alphas)} settings x {settings.cv} folds"
        with settings.timed(what):
            outcomes.append(_search(entry, entry.grid(alphas, len(rows.y)), rows, settings))
    with settings.timed("Time to the same objective"):
        heat = race(Z, rows.y, outcomes[0].parameter, settings.repeats, settings.seed)
    with settings.timed(f"Final fits, {settings.repeats} of each"):
        _fit_and_measure(outcomes, heat, rows, settings)
    return Comparison(dataset, settings, rows, outcomes, heat, Z.shape[1])


def _search(entry: Contender, grid: dict[str, list[float]], rows: Split, settings: Settings) -> Outcome:
    search = GridSearchCV(
        entry.pipeline, grid, scoring="accuracy", cv=folds(settings.cv, settings.seed), error_score="raise"
    )
    counts: Counter[str] = Counter()
    with counted(counts):
        search.fit(rows.X, rows.y)
    best = search.best_index_
    (values,) = grid.values()
    return Outcome(
        entry,
        search.best_estimator_,
        values[best],
        values[best] in (min(values), max(values)),
        float(search.cv_results_["mean_test_score"][best]),
        float(search.cv_results_["std_test_score"][best]),
        warnings=counts,
    )


def _fit_and_measure(outcomes: list[Outcome], heat: Race, rows: Split, settings: Settings) -> None:
    unfitted = {}
    for outcome in outcomes:
        final = outcome.contender.final(outcome.chosen, settings.cv, settings.seed)
        if outcome.name == "LogisticRegression" and heat.winner is not None:
            final.set_params(model__solver=heat.winner.solver, model__tol=heat.winner.tol)
        unfitted[outcome.name] = final
    # Turn by turn: a slow moment of the machine then falls on every model.
    for _ in range(settings.repeats):
        for outcome in outcomes:
            model = clone(unfitted[outcome.name])
            with counted(outcome.warnings):
                start = perf_counter()
                model.fit(rows.X, rows.y)
                outcome.seconds.append(perf_counter() - start)
            outcome.model = model
    for outcome in outcomes:
        with counted(outcome.warnings):
            outcome.proba = np.asarray(outcome.model.predict_proba(rows.X_test), dtype=np.float64)
            outcome.test_accuracy = float((outcome.model.predict(rows.X_test) == rows.y_test).mean())
            # A calibrated model has no coefficients of its own; the search holds those fitted to all training rows.
            pipeline = outcome.chosen if outcome.name == "LinearSVC" else outcome.model
            outcome.objective = objective(pipeline, rows.X, rows.y)


def objective(pipeline: Any, X: Any, y: measures.Integers) -> Objective:
    """Objective of a fitted pipeline on its training rows, worked out from the coefficients."""
    model = pipeline[-1]
    rows = pipeline[:-1].transform(X)
    coefficients = np.asarray(model.coef_, dtype=np.float64)
    logits = np.asarray(rows @ coefficients.T + model.intercept_, dtype=np.float64)
    binary = logits.shape[1] == 1
    name = type(model).__name__
    if name in ("LogisticRegression", "LinearSVC"):
        alpha = 1 / (model.C * len(y))
        if name == "LogisticRegression":
            losses, label = measures.softmax_losses(logits, y), "binary log-loss" if binary else "softmax log-loss"
            return Objective(label, alpha, measures.penalized(losses, alpha, coefficients))
        losses = measures.hinge_losses(logits, y, "ovr", squared=True)
        with_intercept = np.column_stack([coefficients, np.atleast_1d(model.intercept_)])
        label = "squared hinge*" if binary else "one-vs-rest squared hinge*"
        return Objective(label, alpha, measures.penalized(losses, alpha, with_intercept))
    if name == "SoftmaxClassifier":
        losses, label = measures.softmax_losses(logits, y), "binary log-loss" if binary else "softmax log-loss"
    elif name == "SigmoidClassifier":
        losses, label = measures.sigmoid_losses(logits, y), "binary log-loss" if binary else "one-vs-rest log-loss"
    else:
        losses = measures.hinge_losses(logits, y, model.multi_class, model.loss == "squared_hinge")
        label = _hinge_label(model.multi_class, model.loss, binary)
    # The estimators penalize the coefficients of the standardized columns, which are dense ones.
    scale = 1.0 if sp.issparse(rows) else np.asarray(rows, dtype=np.float64).std(axis=0)
    value = measures.penalized(losses, model.alpha_, coefficients * scale)
    return Objective(label, float(model.alpha_), value, float(model.objective_), float(model.duality_gap_))


def _hinge_label(multi_class: str, loss: str, binary: bool) -> str:
    names = {"weston_watkins": "Weston-Watkins ", "crammer_singer": "Crammer-Singer ", "ovr": "one-vs-rest "}
    return ("" if binary else names[multi_class]) + loss.replace("_", " ")
