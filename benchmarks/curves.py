"""Curves of true relative suboptimality against seconds and against iterations, for some problems, as one picture."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from benchopt.benchmark import Benchmark
from headline import HERE, OURS, SUITES, climb, data_sets, solvers
from threadpoolctl import threadpool_limits

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999"]
MARKERS = "osD^vPX"


def main():
    """Draw a row of two panels for each problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=SUITES, default="logistic")
    parser.add_argument("--npz", type=Path)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--loss", nargs="+")
    parser.add_argument("--C", type=float, default=1.0)
    parser.add_argument("--patience", type=float, default=10)
    parser.add_argument("--out", type=Path, default=Path("curves.png"))
    options = parser.parse_args()
    losses, intercept, _ = SUITES[options.suite]
    benchmark = Benchmark(HERE)
    problems = [(*found, loss) for found in data_sets(benchmark, options) for loss in options.loss or losses]
    figure, axes = plt.subplots(len(problems), 2, figsize=(11, 3.2 * len(problems)), squeeze=False, sharey="row")
    with threadpool_limits(1):
        for panels, (name, dataset, loss) in zip(axes, problems, strict=True):
            objective = benchmark.get_benchmark_objective().get_instance(loss=loss, C=options.C, intercept=intercept)
            objective.set_data(**dataset.get_data())
            draw(panels, f"{name}, {loss}, C = {options.C:g}", curves(benchmark, objective, options.patience))
    figure.tight_layout()
    figure.savefig(options.out, dpi=110)


def curves(benchmark, objective, patience):
    """Seconds, iterations and relative suboptimality of each solver at each tolerance."""
    found, limit = {}, np.inf
    for name, solver in sorted(solvers(benchmark, objective), key=lambda pair: not pair[0].startswith(OURS)):
        found[name] = []
        for run in climb(name, solver, objective, limit, 1e-6, -np.inf):
            found[name].append((run.seconds[0], run.n_iter, run.value))
        if name.startswith(OURS):
            limit = min(limit, patience * found[name][-1][0] + 1)
    best = min(value for runs in found.values() for *_, value in runs)
    return {
        name: np.array([(seconds, count, max(value / best - 1, 1e-9)) for seconds, count, value in runs])
        for name, runs in found.items()
    }


def draw(panels, title, found):
    """Our solvers and the best of each family of peers, so that the picture stays readable."""
    families = {}
    for name, runs in found.items():
        family = name.rsplit(" ", 1)[0]
        near = runs[runs[:, 2] <= 1e-3]
        score = near[0, 0] if len(near) else np.inf
        if family not in families or score < families[family][0]:
            families[family] = score, name, runs
    for colour, marker, (_, name, runs) in zip(COLOURS, MARKERS, families.values(), strict=False):
        for panel, column in zip(panels, (0, 1), strict=True):
            panel.loglog(runs[:, column], runs[:, 2], marker=marker, ms=4, color=colour, label=name)
    panels[0].set(title=title, xlabel="seconds of a whole fit", ylabel="relative suboptimality")
    panels[1].set(xlabel="iterations (one pass over X each, at least)")
    panels[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    for panel in panels:
        panel.grid(alpha=0.3)


if __name__ == "__main__":
    main()
