"""The comparison as text of 80 columns and as JSON."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from statistics import median
from textwrap import wrap
from typing import Any

import numpy as np
import scipy
import sklearn

import skgradlinear

from . import _measures as measures
from ._evaluate import ROUNDING, Comparison, Outcome
from ._models import SEARCH_TOL, calibration

WIDTH = 80
MOST_BETWEEN = 3
EQUAL_ALPHA = 1e-9


def to_text(comparison: Comparison) -> str:
    """Three tables and the notes that belong to them."""
    parts = [_heading(comparison), _models(comparison), _objectives(comparison), _race(comparison)]
    notes = [line for note in notes_of(comparison) for line in _wrapped(f"- {note}", "  ")]
    if notes:
        parts.append("Notes\n" + "\n".join(notes))
    return "\n\n".join(parts)


def to_json(comparison: Comparison) -> str:
    """Every number of the tables, unrounded, as one JSON object."""
    settings = comparison.settings
    document = {
        "data": _data_record(comparison),
        "settings": {name: getattr(settings, name) for name in ("test_size", "cv", "repeats", "seed", "threads")},
        "versions": {
            "python": platform.python_version(),
            "skgradlinear": skgradlinear.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "models": [_model_record(outcome, comparison) for outcome in comparison.outcomes],
        "same_objective": _race_record(comparison),
        "notes": notes_of(comparison),
    }
    return json.dumps(_finite(document), indent=2, allow_nan=False)


def notes_of(comparison: Comparison) -> list[str]:
    """What a reader has to know beside the numbers."""
    notes = list(comparison.dataset.notes)
    for outcome in comparison.outcomes:
        name, own = outcome.name, outcome.objective
        if outcome.at_the_edge:
            notes.append(f"{name}: the best setting is at the end of the range searched.")
        notes.extend(f"{name}: {count} x {text}." for text, count in outcome.warnings.items())
        if own and own.reported is not None and not math.isclose(own.reported, own.value, rel_tol=ROUNDING):
            notes.append(f"{name} reports the objective {own.reported:.9g}; its coefficients give {own.value:.9g}.")
    for runner in comparison.race.missed:
        notes.append(
            f"LogisticRegression({runner.solver}) stayed {runner.suboptimality:.1e} above the optimum "
            f"at its best tolerance, {runner.tol:.0e}."
        )
    return notes


def _heading(comparison: Comparison) -> str:
    dataset, rows = comparison.dataset, comparison.split
    counts = np.bincount(rows.y) + np.bincount(rows.y_test, minlength=len(rows.classes))
    sparse = "" if dataset.dense else " (sparse)"
    encoded = f" encoded as {comparison.n_features}" if dataset.text else ""
    text = (
        f"{dataset.name}: {len(rows.y)} training and {len(rows.y_test)} test rows, {dataset.X.shape[1]} columns"
        f"{encoded}{sparse}, {len(rows.classes)} classes of {counts.min()} to {counts.max()} rows"
    )
    return "\n".join(_wrapped(text))


def _models(comparison: Comparison) -> str:
    header = ("model", "chosen", "CV acc", "test acc", "log-loss", "Brier", "ECE", "fit s")
    body = []
    for outcome in comparison.outcomes:
        body.append(
            (
                outcome.name,
                f"{outcome.contender.parameter}={outcome.parameter:.3g}",
                f"{outcome.cv_accuracy:.3f}",
                f"{outcome.test_accuracy:.3f}",
                f"{measures.log_loss(outcome.proba, comparison.split.y_test):.4f}",
                f"{measures.brier_score(outcome.proba, comparison.split.y_test):.3f}",
                f"{measures.calibration_error(outcome.proba, comparison.split.y_test):.3f}",
                _seconds(median(outcome.seconds)),
            )
        )
    return _section("Chosen by cross-validation, judged on the test rows", header, body, _models_legend(comparison))


def _models_legend(comparison: Comparison) -> str:
    settings = comparison.settings
    if comparison.dataset.dense:
        scaled = "standardized columns"
    elif comparison.dataset.text:
        scaled = "standardized numbers and one-hot categories (sparse)"
    else:
        scaled = "the columns as they are (sparse)"
    return (
        f"Regularization chosen by accuracy in {settings.cv}-fold cross-validation (CV acc) on the training rows; test "
        "accuracy, log-loss, Brier score and expected calibration error (ECE) on the test rows; fit s: median of "
        f"{_count(settings.repeats, 'fit')} of the whole pipeline on {_count(settings.threads, 'thread')}, calibration "
        f"included. All models see {scaled}. The hinge is searched with tol={SEARCH_TOL:g}. "
        f"LinearSVC gets its probabilities from CalibratedClassifierCV ({calibration()}); LogisticRegression uses the "
        "fastest solver of the last table."
    )


def _objectives(comparison: Comparison) -> str:
    header = ("model", "objective", "alpha", "value", "gap")
    body = []
    for outcome in comparison.outcomes:
        own = outcome.objective
        assert own is not None
        gap = "-" if own.gap is None else f"{own.gap:.1e}"
        body.append((outcome.name, own.name, f"{own.alpha:.3g}", f"{own.value:.6g}", gap))
    pairs = comparable(comparison.outcomes)
    same = ", ".join(pairs) if pairs else "no two rows here"
    star = " *LinearSVC penalizes the intercept too; its value is of the uncalibrated fit." if _starred(body) else ""
    text = (
        "mean loss + alpha / 2 ||W||^2 over the training rows, worked out from the coefficients in float64; "
        f"alpha = 1 / (C n). Values compare only for the same objective and alpha: {same}. The gap is certified: it "
        f"bounds the relative distance to the optimum; scikit-learn's estimators report none.{star}"
    )
    return _section("Objective on the training rows", header, body, text)


def _starred(body: Sequence[Sequence[str]]) -> bool:
    return any("*" in row[1] for row in body)


def comparable(outcomes: Sequence[Outcome]) -> list[str]:
    """Names of the models that minimize the same objective as another one with the same alpha."""
    names = []
    for outcome in outcomes:
        for other in outcomes:
            mine, theirs = outcome.objective, other.objective
            if other is outcome or mine is None or theirs is None or mine.name != theirs.name:
                continue
            if math.isclose(mine.alpha, theirs.alpha, rel_tol=EQUAL_ALPHA) and outcome.name not in names:
                names.append(outcome.name)
    return names


def _race(comparison: Comparison) -> str:
    heat = comparison.race
    header = ("model", "solver", "tol", "value", "above best", "fit s", "ratio")
    body = []
    for runner in [heat.ours, *heat.rivals]:
        body.append(
            (
                runner.name,
                runner.solver,
                f"{runner.tol:.0e}",
                f"{runner.objective:.7g}",
                f"{runner.suboptimality:.1e}",
                _seconds(runner.median),
                f"{heat.ratio(runner):.2f}",
            )
        )
    if not heat.rivals:
        body.append(("LogisticRegression", "-", "-", "-", "-", "-", "-"))
    scaled = "behind a StandardScaler" if comparison.dataset.dense else "on the same sparse columns"
    text = (
        f"SoftmaxClassifier(alpha={heat.alpha:g}) and LogisticRegression(C=1/(alpha n)) {scaled} minimize the same "
        f"objective. LogisticRegression runs with each solver at the loosest tol that comes within {heat.target:.1e} "
        f"(relative) of the best value known. fit s: median of {_count(comparison.settings.repeats, 'fit')}, turn by "
        "turn; ratio: to the time of SoftmaxClassifier."
    )
    return _section("Time to the same value of the same objective", header, body, text)


def _section(title: str, header: Sequence[str], body: Sequence[Sequence[str]], text: str) -> str:
    """A title, a table whose first two columns are flush left, and its legend."""
    widths = [max(len(row[column]) for row in [header, *body]) for column in range(len(header))]
    spare = max(WIDTH - sum(widths), len(widths) - 1)
    # What room there is goes between the columns, first to those on the left.
    least, wider = divmod(spare, len(widths) - 1)
    gaps = [min(MOST_BETWEEN, least + (column < wider)) for column in range(len(widths) - 1)] + [0]
    lines = []
    for row in [header, *body]:
        cells = [
            (cell.ljust(width) if column < 2 else cell.rjust(width)) + " " * gap
            for column, (cell, width, gap) in enumerate(zip(row, widths, gaps, strict=True))
        ]
        lines.append("".join(cells).rstrip())
    lines.insert(1, "-" * (sum(widths) + sum(gaps)))
    return "\n".join([title, "", *lines, "", *_wrapped(text)])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _seconds(seconds: float) -> str:
    return f"{seconds:.4f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"


def _data_record(comparison: Comparison) -> dict[str, Any]:
    dataset, rows = comparison.dataset, comparison.split
    return {
        "name": dataset.name,
        "train_rows": len(rows.y),
        "test_rows": len(rows.y_test),
        "columns": dataset.X.shape[1],
        "text_columns": len(dataset.text),
        "features": comparison.n_features,
        "sparse": not dataset.dense,
        "classes": rows.classes,
    }


def _race_record(comparison: Comparison) -> dict[str, Any]:
    heat = comparison.race
    runs = [(runner, True) for runner in [heat.ours, *heat.rivals]] + [(runner, False) for runner in heat.missed]
    return {
        "alpha": heat.alpha,
        "target_suboptimality": heat.target,
        "runs": [
            {
                "model": runner.name,
                "solver": runner.solver,
                "tol": runner.tol,
                "objective": runner.objective,
                "suboptimality": runner.suboptimality,
                "certified_gap": runner.gap,
                "reached_target": reached,
                "seconds": list(runner.seconds) if reached else None,
                "time_ratio": heat.ratio(runner) if reached else None,
            }
            for runner, reached in runs
        ],
    }


def _model_record(outcome: Outcome, comparison: Comparison) -> dict[str, Any]:
    own, y_test = outcome.objective, comparison.split.y_test
    assert own is not None
    return {
        "model": outcome.name,
        "parameter": {outcome.contender.parameter: outcome.parameter},
        "cv_accuracy": outcome.cv_accuracy,
        "cv_accuracy_std": outcome.cv_deviation,
        "test_accuracy": outcome.test_accuracy,
        "log_loss": measures.log_loss(outcome.proba, y_test),
        "brier_score": measures.brier_score(outcome.proba, y_test),
        "ece": measures.calibration_error(outcome.proba, y_test),
        "fit_seconds": median(outcome.seconds),
        "fit_seconds_each": outcome.seconds,
        "objective": {
            "name": own.name.rstrip("*"),
            "alpha": own.alpha,
            "value": own.value,
            "reported_by_model": own.reported,
            "comparable": outcome.name in comparable(comparison.outcomes),
        },
        "certified_gap": own.gap,
        "warnings": dict(outcome.warnings),
    }


def _finite(value: Any) -> Any:
    """The same document with null for what JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
