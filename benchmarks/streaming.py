"""How near `partial_fit` comes to the whole fit's objective, by rounds over the chunks.

    python benchmarks/streaming.py
    python benchmarks/streaming.py --npz folder --data mnist --loss softmax --chunk 500 2000

The optimum is that of `fit` at a duality gap of 1e-4 (1e-3 for plain hinges). Numbers are (objective - optimum) /
optimum in percent, after each round, with the moments of all rows.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
from scipy import sparse as sp
from sklearn.datasets import make_classification
from threadpoolctl import threadpool_limits

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier

MODELS = {"softmax": SoftmaxClassifier(), "sigmoid": SigmoidClassifier()} | {
    name: LinearSVMClassifier(multi_class=form, loss=loss, probability=False)
    for name, form, loss in (
        ("ww", "weston_watkins", "hinge"),
        ("ww_squared", "weston_watkins", "squared_hinge"),
        ("cs", "crammer_singer", "hinge"),
        ("ovr", "ovr", "hinge"),
        ("ovr_squared", "ovr", "squared_hinge"),
    )
}


def main():
    """Print a line per data set, loss, penalty and size of chunks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--npz", type=Path, help="folder of npz files with X (or data, indices, indptr, shape) and y")
    parser.add_argument("--data", nargs="+", help="only these files of the folder")
    parser.add_argument("--loss", nargs="+", choices=MODELS, default=["softmax", "sigmoid", "ww"])
    parser.add_argument("--factor", type=float, nargs="+", default=[1, 100], help="alpha times the number of rows")
    parser.add_argument("--chunk", type=int, nargs="+", default=[2000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with threadpool_limits(1):
        for name, X, y in data_sets(options):
            for loss, factor in itertools.product(options.loss, options.factor):
                model = MODELS[loss].set_params(
                    alpha=factor / len(y), tol=1e-3 if loss in ("ww", "cs", "ovr") else 1e-4
                )
                start = time.perf_counter()
                optimum = model.fit(X, y).objective_
                seconds = time.perf_counter() - start
                for chunk in options.chunk:
                    report(model, X, y, chunk, options.rounds, optimum, f"{name:12} {loss:11} {factor:5g}", seconds)


def report(model, X, y, chunk, rounds, optimum, label, seconds):
    """Learn in pieces and print the distances."""
    streamed = type(model)(**model.get_params())
    excess, spent = [], 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        for first in range(0, len(y), chunk):
            rows = slice(first, first + chunk)
            streamed.partial_fit(X[rows], y[rows], classes=model.classes_)
        spent += time.perf_counter() - start
        excess.append(100 * (streamed.certificate(X, y)[0] / optimum - 1))
    columns = " ".join(f"{value:8.3f}" for value in excess)
    print(f"{label} {chunk:6d} {columns}   {spent / rounds:7.2f} s a round, fit {seconds:.2f} s", flush=True)


def data_sets(options):
    """Names, rows in random order and labels."""
    if options.npz is None:
        X, y = make_classification(50_000, 40, n_informative=20, n_classes=5, random_state=0)
        yield "generated", X.astype(np.float32), y
        return
    for path in sorted(options.npz.glob("*.npz"), key=lambda path: path.stat().st_size):
        if options.data and path.stem not in options.data:
            continue
        with np.load(path) as arrays:
            if "indptr" in arrays:
                X = sp.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(arrays["shape"]))
            else:
                X = arrays["X"]
            order = np.random.default_rng(0).permutation(X.shape[0])
            yield path.stem, X[order], arrays["y"][order]


if __name__ == "__main__":
    main()
