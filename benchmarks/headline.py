"""The headline table: our estimators and the fastest peer at equal objective value, run turn by turn.

The objective, the data sets and the solvers are those of the benchopt benchmark in this folder. benchopt itself runs
all repetitions of one solver before those of the next, so that a machine that slows down for a minute slows one of
them; here they alternate.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy
import sklearn
from benchmark_utils import n_outputs
from benchopt.benchmark import Benchmark
from scipy import sparse as sp
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
OURS = "skgradlinear"
LADDER = [10.0**-k for k in range(1, 11)]
# Rows rounded to float32 are rows of a slightly different problem.
DATA_ROUNDING = 1e-6
SUITES = {
    "logistic": (["softmax"], "free", (1e-2, 1e-3, 1e-4)),
    "sigmoid": (["sigmoid"], "free", (1e-2, 1e-3, 1e-4)),
    "svm": (["ovr_squared", "ovr", "crammer_singer", "weston_watkins", "weston_watkins_squared"], "penalized", (1e-3,)),
}
FIELDS = (
    *("suite", "loss", "data", "n", "d", "classes", "C", "eps"),
    *("ours", "tol", "certified", "seconds", "peer", "peer_tol", "peer_seconds", "ratio"),
    *("seconds_certified", "ratio_certified"),
)


@dataclass
class Run:
    """One solver at one tolerance: what it reached, and the seconds of every run."""

    name: str
    solver: object
    tol: float
    value: float
    gap: float
    n_iter: float
    seconds: list[float] = field(default_factory=list)

    def again(self):
        start = time.perf_counter()
        self.solver.run(self.tol)
        self.seconds.append(time.perf_counter() - start)

    @property
    def median(self):
        return statistics.median(self.seconds)


def main():
    """Print the table, and write it as CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=SUITES, default="logistic")
    parser.add_argument("--npz", type=Path, help="folder of npz files; see datasets/files.py")
    parser.add_argument("--data", nargs="+", help="only these data sets")
    parser.add_argument("--loss", nargs="+", help="only these losses of the suite")
    parser.add_argument("--C", type=float, nargs="+", help="1 and 0.01 by default, 1 and 10 for sparse rows")
    parser.add_argument("--solvers", nargs="+", default=[""], help="only those whose names hold one of these")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--patience", type=float, default=30, help="a peer may take this many times as long as we do")
    parser.add_argument("--out", type=Path, default=Path("headline.csv"))
    options = parser.parse_args()
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{platform.processor() or platform.machine()}, one thread; python {platform.python_version()}, {versions}")
    benchmark = Benchmark(HERE)
    losses, intercept, levels = SUITES[options.suite]
    rows = []
    with threadpool_limits(1), options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for (name, dataset), loss in itertools.product(data_sets(benchmark, options), options.loss or losses):
            data = dataset.get_data()
            for C in options.C or ((1.0, 10.0) if sp.issparse(data["X"]) else (1.0, 0.01)):
                objective = benchmark.get_benchmark_objective().get_instance(loss=loss, C=C, intercept=intercept)
                objective.set_data(**data)
                for row in compare(benchmark, objective, levels, options):
                    shape = {"n": len(data["y"]), "d": data["X"].shape[1], "classes": max(n_outputs(data["y"]), 2)}
                    row = {"suite": options.suite, "loss": loss, "data": name, **shape, "C": C, **row}
                    rows.append(row)
                    writer.writerow(row)
                    file.flush()
                    print(" ".join(f"{_short(value):>10}" for value in row.values()), flush=True)
    summarize(rows)


def data_sets(benchmark, options):
    """Names and data set objects: those shipped with scikit-learn, and the files of a folder."""
    classes = {cls.name: cls for cls in benchmark.get_datasets()}
    found = [(name, classes["shipped"].get_instance(data=name)) for name in classes["shipped"].parameters["data"]]
    if options.npz:
        files = sorted(options.npz.glob("*.npz"), key=lambda path: path.stat().st_size)
        found += [(path.stem, classes["files"].get_instance(path=str(path))) for path in files]
    if options.suite == "sigmoid":
        found.append(
            ("multilabel", classes["generated"].get_instance(kind="multilabel", n=10_000, d=100, n_classes=20))
        )
    return [(name, data) for name, data in found if not options.data or name in options.data]


def solvers(benchmark, objective):
    """All solvers of the benchmark that take this objective, in each of their settings."""
    setting = objective.get_objective()
    for cls in benchmark.get_solvers():
        if not cls.is_installed():
            print(f"{cls.name} is not installed", file=sys.stderr)
            continue
        for values in itertools.product(*cls.parameters.values()):
            solver = cls.get_instance(**dict(zip(cls.parameters, values, strict=True)))
            if not solver.skip(**setting)[0]:
                solver.set_objective(**setting)
                solver.warm_up()
                yield " ".join([cls.name, *map(str, values)]), solver


def compare(benchmark, objective, levels, options):
    """Rows of the table for one objective: at each level of true relative suboptimality, ours and the best peer."""
    runs = []
    everybody = [pair for pair in solvers(benchmark, objective) if any(part in pair[0] for part in options.solvers)]
    everybody.sort(key=lambda pair: not pair[0].startswith(OURS))
    limit = np.inf
    for name, solver in everybody:
        goal = min((run.value for run in runs if run.gap <= 1e-2 * min(levels)), default=-np.inf)
        runs += climb(name, solver, objective, limit, min(levels), goal)
        if name.startswith(OURS):
            reached = [run.seconds[0] for run in runs if run.gap <= min(levels)]
            limit = options.patience * min(reached, default=1.0) + 1.0
    best = min(run.value for run in runs)
    for run in runs:
        # The certificate is checked against everything that anybody found.
        claimed = max(run.gap, DATA_ROUNDING) * abs(run.value)
        if run.name.startswith(OURS) and run.value - best > claimed:
            raise AssertionError(f"{run.name} claims a gap of {run.gap}, but lies {run.value - best} above {best}")
    for eps in levels:
        near = [run for run in runs if run.value <= best + eps * abs(best)]
        ours = [run for run in near if run.name.startswith(OURS)]
        proven = [run for run in ours if run.gap <= eps]
        peers = [run for run in near if not run.name.startswith(OURS)]
        chosen = [fastest(group) for group in (ours, proven, peers)]
        close = {id(run): run for group in (ours, peers) for run in contenders(group)}
        close |= {id(run): run for run in chosen if run is not None}
        for run in close.values():
            run.seconds.clear()
        for _ in range(options.runs):
            for run in close.values():
                run.again()
        ours, proven, peer = (fastest([run for run in group if id(run) in close]) for group in (ours, proven, peers))
        row = {"eps": eps, "ours": np.nan, "tol": np.nan, "certified": np.nan, "seconds": np.nan}
        if ours is not None:
            row |= {"ours": ours.name, "tol": ours.tol, "certified": ours.gap, "seconds": ours.median}
        row |= {"peer": "none", "peer_tol": np.nan, "peer_seconds": np.nan}
        if any(not name.startswith(OURS) for name, _ in everybody):
            row |= {"peer": "none in time", "peer_seconds": limit}
        if peer is not None:
            row |= {"peer": peer.name, "peer_tol": peer.tol, "peer_seconds": peer.median}
        certified = proven.median if proven is not None else np.nan
        row |= {"ratio": row["peer_seconds"] / row["seconds"], "seconds_certified": certified}
        yield row | {"ratio_certified": row["peer_seconds"] / certified}


def climb(name, solver, objective, limit, eps, goal):
    """One run at each tolerance, until nothing is left to gain or a run takes longer than `limit`.

    Nothing is left to gain for us at a thousandth of the smallest level, certified, and for a peer at a hundredth of it
    above `goal`, which is our certified value.
    """
    runs = []
    for tol in LADDER:
        start = time.perf_counter()
        solver.run(tol)
        seconds = time.perf_counter() - start
        if not runs and seconds < 1:
            # The first call of all pays for imports and for finding the libraries' threads.
            start = time.perf_counter()
            solver.run(tol)
            seconds = time.perf_counter() - start
        found = objective.evaluate_result(**solver.get_result())
        value = found["value"]
        gap = solver.model.duality_gap_ if name.startswith(OURS) else np.nan
        runs.append(Run(name, solver, tol, value, gap, found["n_iter"], [seconds]))
        if seconds > limit or gap <= 1e-3 * eps or value <= goal + 1e-2 * eps * abs(goal):
            break
        if not name.startswith(OURS) and len(runs) > 3 and abs(runs[-3].value - value) <= 1e-3 * eps * abs(value):
            break
    return runs


def fastest(runs):
    return min(runs, key=lambda run: run.median, default=None)


def contenders(runs):
    """Runs that may be the fastest of their group once measured well."""
    if not runs:
        return []
    bar = 1.3 * fastest(runs).median + 1e-3
    return sorted((run for run in runs if run.median <= bar), key=lambda run: run.median)[:3]


def summarize(rows):
    """Geometric means, and what is lost."""
    for eps in sorted({row["eps"] for row in rows}, reverse=True):
        for loss in dict.fromkeys(row["loss"] for row in rows):
            ratios = [row["ratio"] for row in rows if row["eps"] == eps and row["loss"] == loss]
            ratios = [ratio for ratio in ratios if ratio == ratio]
            if ratios:
                lost = sum(ratio < 1 for ratio in ratios)
                mean = statistics.geometric_mean(ratios)
                print(f"{loss} at {eps:g}: geometric mean {mean:.2f} over {len(ratios)} problems, {lost} below 1")


def _short(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
