"""The picture of the README: distance from the minimum against the seconds of whole fits, and what each fit proves."""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path
from time import perf_counter

import matplotlib
import numpy as np
from datasets.files import read
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skgradlinear import SoftmaxClassifier

matplotlib.use("Agg")
from matplotlib import pyplot as plt

TOLERANCES = np.logspace(0, -8, 9)
FLOOR = 1e-8
# Okabe and Ito's colours, told apart by colour-blind readers too.
OURS = "#0072B2"
PEERS = {
    "lbfgs": ("#D55E00", "s"),
    "newton-cg": ("#009E73", "D"),
    "newton-cholesky": ("#CC79A7", "^"),
    "saga": ("#E69F00", "v"),
}


def main():
    """Fit at a ladder of tolerances and draw a panel for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--npz", type=Path, nargs="*", default=[], help="data sets besides the digits")
    parser.add_argument("--names", nargs="*", default=[], help="what to call them")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs/_static/first_minute.png")
    options = parser.parse_args()
    problems = {"handwritten digits": load_digits(return_X_y=True)}
    problems.update((name, read(path)) for name, path in zip(options.names, options.npz, strict=True))
    width = 5.2 * len(problems)
    figure, axes = plt.subplots(
        1, len(problems), figsize=(width, 4.3), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, (name, (X, y)) in zip(axes.flat, problems.items(), strict=True):
        draw(axis, X.astype(np.float64), y, options.repeat)
        axis.set_title(f"{name}: {X.shape[0]:,} rows, {X.shape[1]} columns, {len(np.unique(y))} classes", fontsize=10)
    axes[0, 0].set(ylabel="objective above its minimum, relative", ylim=(FLOOR, 2))
    figure.supxlabel("seconds of a whole fit on one thread, standardization and proof included", fontsize=10)
    figure.legend(*axes.flat[-1].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    figure.savefig(options.out, dpi=100)


def draw(axis, X, y, repeat):
    """Curves of all solvers for the default penalty."""
    with threadpool_limits(1):
        reference = SoftmaxClassifier(tol=1e-12).fit(X, y)
        above = partial(suboptimality, X, y, reference.alpha_, reference.objective_)
        ours = [timed(partial(SoftmaxClassifier(tol=tol).fit, X, y), repeat) for tol in TOLERANCES]
        patience = 8 * max(seconds for _, seconds in ours)
        peers = {}
        for solver in PEERS:
            peers[solver] = climb(partial(fit_peer, X, y, reference.alpha_, solver), above, repeat, patience)
    models, seconds = zip(*ours, strict=True)
    distances = [above(model.coef_, model.intercept_) for model in models]
    gaps = [model.duality_gap_ for model in models]
    axis.loglog(seconds, distances, "o-", color=OURS, lw=2, ms=5, label="SoftmaxClassifier")
    axis.loglog(seconds, gaps, "o--", color=OURS, mfc="white", ms=5, label="SoftmaxClassifier: what it proves")
    for solver, points in peers.items():
        colour, marker = PEERS[solver]
        name = f"LogisticRegression, {solver}"
        axis.loglog(*np.array(points).T, marker=marker, ms=4, lw=1.2, color=colour, label=name)
    axis.grid(alpha=0.3)


def timed(fit, repeat):
    """A fitted model and the least of its seconds: the machine may have other work."""
    taken = []
    for _ in range(repeat):
        start = perf_counter()
        model = fit()
        taken.append(perf_counter() - start)
    return model, min(taken)


def fit_peer(X, y, alpha, solver, tol):
    """A scaler and a peer behind it, with the same objective."""
    scaler = StandardScaler().fit(X)
    peer = LogisticRegression(C=1 / (alpha * len(y)), solver=solver, tol=tol, max_iter=3000, random_state=0)
    with warnings.catch_warnings():
        # A tolerance below what the solver can reach is the end of its curve.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return scaler, peer.fit(scaler.transform(X), y)


def climb(fit, above, repeat, patience):
    """Seconds and suboptimality of a peer at tighter and tighter tolerances, while a fit takes less than `patience`."""
    points = []
    for tol in TOLERANCES:
        (scaler, model), seconds = timed(partial(fit, tol), repeat if not points or points[-1][0] < 1 else 1)
        coefficients = model.coef_ / scaler.scale_
        points.append((seconds, above(coefficients, model.intercept_ - coefficients @ scaler.mean_)))
        if seconds > patience or points[-1][1] < FLOOR:
            break
    return points


def suboptimality(X, y, alpha, best, coef, intercept):
    """Relative distance from the minimum of coefficients in original units, by a formula of its own."""
    loss = -log_softmax(X @ coef.T + intercept, axis=1)[np.arange(len(y)), y].mean()
    return max((loss + alpha / 2 * np.sum((coef * X.std(axis=0)) ** 2)) / best - 1, FLOOR / 10)


if __name__ == "__main__":
    main()
