"""Did a change make fits slower? Two checkouts on one machine, turn by turn.

    python benchmarks/regression.py path/to/base path/to/head

A problem counts as slower only if it is so both relatively and absolutely: by more than `--ratio`, and by more than
`--seconds`. The exit status is the number of such problems.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

CHILD = """
import json, sys, time
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from threadpoolctl import threadpool_limits
from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier

random = np.random.default_rng(0)
tall = random.standard_normal((40_000, 60), dtype=np.float32)
wide = random.standard_normal((60, 3_000))
image = random.standard_normal((6_000, 300), dtype=np.float32) ** 3
label = lambda X, k: (X[:, :k] * 2 + random.gumbel(size=(len(X), k))).argmax(axis=1)
problems = {
    "softmax iris": (SoftmaxClassifier(), *load_iris(return_X_y=True)),
    "softmax digits": (SoftmaxClassifier(), *load_digits(return_X_y=True)),
    "sigmoid breast_cancer": (SigmoidClassifier(), *load_breast_cancer(return_X_y=True)),
    "softmax tall": (SoftmaxClassifier(), tall, label(tall, 5)),
    "softmax image": (SoftmaxClassifier(), image, label(image, 10)),
    "sigmoid wide": (SigmoidClassifier(), wide, label(wide, 2)),
    "svm digits": (LinearSVMClassifier(), *load_digits(return_X_y=True)),
    "svm squared tall": (LinearSVMClassifier(loss="squared_hinge"), tall, label(tall, 3)),
}
seconds = {}
with threadpool_limits(1):
    for name, (model, X, y) in problems.items():
        model.fit(X, y)
        start = time.perf_counter()
        model.fit(X, y)
        seconds[name] = time.perf_counter() - start
json.dump(seconds, sys.stdout)
"""


def main():
    """Print base and head side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("head", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--ratio", type=float, default=1.3)
    parser.add_argument("--seconds", type=float, default=0.002)
    options = parser.parse_args()
    times = {"base": [], "head": []}
    for _ in range(options.runs):
        for side, path in (("base", options.base), ("head", options.head)):
            times[side].append(measure(path))
    slower = 0
    for name in times["head"][0]:
        base, head = (statistics.median(run[name] for run in times[side]) for side in ("base", "head"))
        worse = head > options.ratio * base and head - base > options.seconds
        slower += worse
        print(f"{name:<24} base {base:8.4f} s  head {head:8.4f} s  {head / base:5.2f}x{'  SLOWER' if worse else ''}")
    sys.exit(slower)


def measure(checkout):
    """Seconds of each problem in a fresh process that imports the package from `checkout`."""
    if not (checkout / "skgradlinear").is_dir():
        sys.exit(f"{checkout} holds no skgradlinear; pass the root of a checkout.")
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    found = subprocess.run(
        [sys.executable, "-c", CHILD],
        cwd=checkout,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(found.stdout)


if __name__ == "__main__":
    main()
