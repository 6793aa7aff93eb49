"""Fit time against rows, columns, classes and density: log-log slopes, and heavy-tailed rows against lbfgs."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skgradlinear import SoftmaxClassifier

sys.path.insert(0, str(Path(__file__).parent / "datasets"))
from generated import make

SERIES = {
    "rows": [("normal", n, 50, 5, 1.0) for n in (2_000, 6_000, 20_000, 60_000, 200_000)],
    "columns": [("normal", 20_000, d, 5, 1.0) for d in (8, 25, 80, 250, 800)],
    "classes": [("normal", 20_000, 30, k, 1.0) for k in (2, 6, 20, 60, 200)],
    "density": [("sparse", 20_000, 2_000, 5, density) for density in (0.002, 0.006, 0.02, 0.06, 0.2)],
}


def main():
    """Print a table for each series, its slope, and the heavy-tailed problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", nargs="+", choices=[*SERIES, "heavy"], default=[*SERIES, "heavy"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--heavy-rows", type=int, default=494_021)
    options = parser.parse_args()
    with threadpool_limits(1), warnings.catch_warnings():
        # What a fit has reached is printed: the certified gap of ours, the objective of lbfgs.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name in options.series:
            if name == "heavy":
                heavy(options.heavy_rows, options.runs)
            else:
                grow(name, options.runs)


def grow(name, runs):
    """Times along one series, to a certified relative gap of 1e-4."""
    sizes, seconds = [], []
    for kind, n, d, n_classes, density in SERIES[name]:
        X, y = make(kind, n, d, n_classes, density)
        model = SoftmaxClassifier(alpha=1 / n)
        times = [timed(model.fit, X, y) for _ in range(runs)]
        assert model.duality_gap_ <= model.tol
        sizes.append({"rows": n, "columns": d, "classes": n_classes, "density": density}[name])
        seconds.append(statistics.median(times))
        print(f"{name:>8} {sizes[-1]:>9g} {seconds[-1]:>9.4f} s  {model.n_iter_:>3} iterations", flush=True)
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    print(f"{name:>8} slope {slope:.2f}\n", flush=True)


def heavy(n, runs):
    """Badly scaled rows with rare columns and many repetitions, hardly penalized, against lbfgs at equal value."""
    X, y = make("heavy_tailed", n, 116)
    C = 10.0
    ours = SoftmaxClassifier(alpha=1 / (C * n), tol=1e-2)
    peers = [
        make_pipeline(StandardScaler(), LogisticRegression(C=C, tol=tol, max_iter=20_000)) for tol in (1e-3, 1e-4, 1e-5)
    ]
    for model in [ours, *peers]:
        seconds = statistics.median(timed(model.fit, X, y) for _ in range(runs))
        value = objective(model, X, y, C)
        print(f"{model.__class__.__name__:<18} {seconds:8.2f} s  objective {value:.8f}", flush=True)
    print(f"certified gap {ours.duality_gap_:.1e} after {ours.n_iter_} iterations")


def objective(model, X, y, C):
    """Value in float64, whatever the model."""
    logits = np.asarray(model.decision_function(X), dtype=np.float64)
    scale = X.std(axis=0, dtype=np.float64)
    coef = model.coef_ * scale if isinstance(model, SoftmaxClassifier) else model[-1].coef_
    loss = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
    return float(loss.mean() + (coef.astype(np.float64) ** 2).sum() / (2 * C * len(y)))


def timed(call, *arguments):
    """Seconds of one call."""
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
