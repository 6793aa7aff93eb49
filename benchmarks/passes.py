"""One pass over X against the floor of memory, and whole fits on one and on two threads."""

from __future__ import annotations

import statistics
import time

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from skgradlinear import Objective, SoftmaxClassifier
from skgradlinear.losses import SoftmaxLoss

RUNS = 7


def main():
    """Print ratios; medians of runs that alternate."""
    random = np.random.default_rng(0)
    X = random.standard_normal((60_000, 784), dtype=np.float32)
    y = (X[:, :10] * 2 + random.gumbel(size=(60_000, 10))).argmax(axis=1)
    rows = sp.random_array((40_000, 20_000), density=0.005, format="csr", dtype=np.float32, rng=random)
    with threadpool_limits(1):
        dense = Objective(X, y, SoftmaxLoss(), alpha=1e-3)
        sparse = Objective(rows, y[:40_000], SoftmaxLoss(), alpha=1e-3, standardize=False)
        weights = random.standard_normal((20_000, 10), dtype=np.float32)
        vector = np.ones(784, np.float32)
        seconds = alternate(
            lambda: (X @ vector, X @ vector),
            lambda: one_pass(dense),
            lambda: rows.T @ (rows @ weights),
            lambda: one_pass(sparse),
        )
    print(f"dense pass / two readings of X: {seconds[1] / seconds[0]:.2f}  ({seconds[1] * 1e3:.0f} ms)")
    print(f"sparse pass / scipy's products: {seconds[3] / seconds[2]:.2f}  ({seconds[3] * 1e3:.0f} ms)")
    model = SoftmaxClassifier(alpha=1 / (0.01 * len(y)))

    def fit(threads):
        with threadpool_limits(threads):
            model.fit(X, y)

    one, two = alternate(lambda: fit(1), lambda: fit(2))
    print(f"fit on one thread / on two:     {one / two:.2f}  ({one:.2f} s)")


def one_pass(objective):
    """Logits and gradient at some parameters."""
    params = np.full(objective.shape, 1e-3)
    objective.value_and_gradient(params)


def alternate(*calls):
    """Median seconds of each call."""
    seconds = [[] for _ in calls]
    for _ in range(RUNS):
        for call, times in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


if __name__ == "__main__":
    main()
