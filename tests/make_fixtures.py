"""Write the pickles of the current version: ``python tests/make_fixtures.py``."""

import pickle
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

import skgradlinear
from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier

FOLDER = Path(__file__).parent / "fixtures"
CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
METHODS = ("decision_function", "predict", "predict_proba")


def unreleased(version):
    """Whether the changelog says that a version is not out yet."""
    return f"\n## {version} (unreleased)\n" in CHANGELOG.read_text(encoding="utf-8")


def fitted_models():
    """A few rows, and models of every kind of fitted state."""
    X, y = load_iris(return_X_y=True)
    X, y = X[::5], y[::5]
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    labels = np.column_stack([X[:, 0] > 5.8, X[:, 1] > 3, X[:, 2] > 4]).astype(int)
    yield "softmax", SoftmaxClassifier(alpha=0.01), X, names
    yield "softmax_float32_far_from_zero", SoftmaxClassifier(alpha=0.01), (X + 1e4).astype(np.float32), y
    yield "sigmoid_two_classes", SigmoidClassifier(alpha=0.01, class_weight="balanced"), X, names == "virginica"
    yield "sigmoid_multilabel", SigmoidClassifier(alpha=0.01), X, labels
    yield "svm", LinearSVMClassifier(alpha=0.01, cv=3, warm_start=True), X, names
    yield "svm_no_probability", LinearSVMClassifier(alpha=0.01, probability=False), X, y


def main():
    """Write a folder for the current version."""
    version = skgradlinear.__version__
    if not unreleased(version):
        sys.exit(f"{version} is released: its pickles stay as they are. Raise __version__ first.")
    folder = FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    for name, model, X, y in fitted_models():
        model.fit(X, y)
        # Times differ between runs; without them a file changes only when the model does.
        model.seconds_curve_ = np.zeros_like(model.seconds_curve_)
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(model, protocol=4))
        said = {method: getattr(model, method)(X) for method in METHODS if hasattr(model, method)}
        np.savez_compressed(folder / f"{name}.npz", X=X, y=y, **said)


if __name__ == "__main__":
    main()
