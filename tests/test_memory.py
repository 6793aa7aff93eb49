"""A fit copies nothing of the size of X, and makes nothing sparse dense."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_info

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier

N, D = 40_000, 400


def allowance(n, d, n_outputs, itemsize):
    """Bytes that a fit of dense rows may take besides X, as the user guide states it."""
    logits = 8 * n * n_outputs * itemsize
    factors = (16 + n_outputs) * d**2 * 4
    n_threads = max((library["num_threads"] for library in threadpool_info()), default=1)
    return logits + factors + 60 * n + 8_000_000 * n_threads


def peak(call):
    """Bytes allocated at the peak of a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def draw(n_classes, dtype, order):
    random = np.random.default_rng(0)
    X = np.asarray(40 * random.random((N, D)) + 3, dtype=dtype, order=order)
    return X, np.arange(N) % n_classes


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("model", "n_classes"),
    [
        (SoftmaxClassifier(tol=1e-2), 2),
        (SigmoidClassifier(tol=1e-3), 2),
        (LinearSVMClassifier(loss="squared_hinge", probability=False, tol=1e-3), 2),
        (LinearSVMClassifier(probability=False, tol=0.5), 2),
    ],
    ids=str,
)
def test_a_dense_fit_takes_at_most_a_quarter_of_X(model, n_classes, dtype, order):
    X, y = draw(n_classes, dtype, order)
    assert peak(lambda: model.fit(X, y)) <= 0.25 * X.nbytes


def test_several_classes_in_float64():
    X, y = draw(3, np.float64, "C")
    assert peak(lambda: SoftmaxClassifier(tol=1e-2).fit(X, y)) <= 0.25 * X.nbytes


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(tol=1e-2),
        SigmoidClassifier(tol=1e-2),
        LinearSVMClassifier(loss="squared_hinge", multi_class="ovr", probability=False, tol=1e-2),
        LinearSVMClassifier(probability=False, tol=0.2),
    ],
    ids=str,
)
def test_the_formula_for_dense_rows(model, n_classes, dtype):
    random = np.random.default_rng(0)
    X = random.standard_normal((N, D), dtype=dtype)
    y = (X[:, :n_classes] + random.gumbel(size=(N, n_classes))).argmax(axis=1)
    n_outputs = n_classes if n_classes > 2 else 1
    # A certificate in float64 follows a fit in float32: its logits count twice.
    assert peak(lambda: model.fit(X, y)) <= allowance(N, D, n_outputs, 8)


@pytest.mark.parametrize(("d", "n_classes"), [(1, 40), (2, 20), (5, 3)])
def test_the_formula_for_few_columns(d, n_classes):
    n = 30_000
    random = np.random.default_rng(0)
    X, y = random.standard_normal((n, d)), random.integers(0, n_classes, n)
    assert peak(lambda: SoftmaxClassifier(tol=1e-2).fit(X, y)) <= allowance(n, d, n_classes, 8)


def test_a_tall_fit_takes_a_tenth_of_X():
    n, d = 120_000, 400
    X = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
    y = (X[:, 0] > X[:, 1]).astype(int)
    assert peak(lambda: SigmoidClassifier(tol=1e-2).fit(X, y)) <= 0.1 * X.nbytes


def test_integers_are_not_converted_as_a_whole():
    X, y = draw(2, np.uint8, "C")
    as_float = X.size * 8
    assert peak(lambda: SigmoidClassifier(tol=1e-3).fit(X, y)) <= 0.25 * as_float


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(
    "model", [SoftmaxClassifier(tol=1e-2), LinearSVMClassifier(probability=False, tol=1e-2)], ids=str
)
def test_sparse_rows_stay_sparse(model, standardize):
    n, d = 2_000, 200_000
    X = sp.csr_array(sp.random(n, d, density=5e-5, random_state=np.random.default_rng(0)))
    y = np.arange(n) % 2
    model.set_params(standardize=standardize)
    model_size = 8 * (d + 1)
    assert peak(lambda: model.fit(X, y)) <= 60 * model_size + 10 * X.data.nbytes < n * d * 8 / 30


def test_predictions_copy_blocks_only():
    X, y = draw(2, np.float32, "C")
    model = SigmoidClassifier(tol=1e-2).fit(X, y)
    assert peak(lambda: model.decision_function(X)) <= 0.1 * X.nbytes
