"""Refused input: what is wrong, the value seen, what to do; and the estimator is left as it was."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from skgradlinear.solvers import SGD

N = 12
X = np.random.default_rng(0).standard_normal((N, 3))
Y = np.arange(N) % 3
ONES = np.ones(N)
INDICATOR = np.eye(3, dtype=int)[Y]
ESTIMATORS = [SoftmaxClassifier(), SigmoidClassifier(), LinearSVMClassifier(loss="squared_hinge", cv=2)]
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)


def replaced(array, index, value):
    array = np.array(array, dtype=float if isinstance(value, float) else None)
    array[index] = value
    return array


def snapshot(estimator):
    return {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in vars(estimator).items()
        if name not in estimator.get_params()
    }


def assert_refused(estimator, data, error, *parts):
    """`fit` raises `error` with all `parts` in its message, and changes neither a new nor a fitted estimator."""
    unfitted = clone(estimator)
    with pytest.raises(error) as caught:
        unfitted.fit(*data)
    message = str(caught.value)
    for part in parts:
        assert re.search(part, message), message
    assert not snapshot(unfitted)
    fitted = clone(estimator)
    working = type(estimator)(probability=False) if isinstance(estimator, LinearSVMClassifier) else type(estimator)()
    fitted.__dict__.update(snapshot(working.fit(pd.DataFrame(X, columns=["a", "b", "c"]), Y)))
    before = snapshot(fitted)
    with pytest.raises(error):
        fitted.fit(*data)
    after = snapshot(fitted)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert_array_equal(after[name], value)


@pytest.mark.parametrize(
    ("rows", "error", "parts"),
    [
        (replaced(X, (3, 1), np.nan), ValueError, ["X contains NaN", "impute|missing values"]),
        (sp.csr_array(replaced(X, (3, 1), np.nan)), ValueError, ["X contains NaN"]),
        (replaced(X, (0, 0), np.inf), ValueError, ["X contains infinity"]),
        (replaced(replaced(X, (0, 0), np.inf), (1, 0), -np.inf), ValueError, ["X contains infinity"]),
        (X * np.longdouble("1e400"), ValueError, ["X contains infinity"]),
        (X[:, 0], ValueError, ["Expected 2D array, got 1D", "[Rr]eshape"]),
        (X[:, :, None], ValueError, ["dim 3"]),
        (3.0, ValueError, ["Expected 2D array, got scalar", "[Rr]eshape"]),
        (None, ValueError, ["Expected 2D array"]),
        (X[:0], ValueError, [r"0 sample\(s\)", r"\(0, 3\)"]),
        (X[:, :0], ValueError, [r"0 feature\(s\)", r"\(12, 0\)"]),
        (X[:7], ValueError, ["inconsistent", "7 rows in X", "12 in y", "one label per row"]),
        (sp.csr_array(X[:7]), ValueError, ["inconsistent", "7 rows in X"]),
        (X * 1j, ValueError, ["Complex data not supported"]),
        (np.array([["a", "b"]] * N), ValueError, ["numeric"]),
        (np.array([[1, "b"]] * N, dtype=object), ValueError, ["could not convert string to float: 'b'"]),
        (pd.DataFrame({"a": ["u", "v"] * 6}), ValueError, ["could not convert string to float: 'u'"]),
        (np.full((N, 1), np.datetime64("2020-01-01")), ValueError, ["must hold numbers", "datetime64", "Encode"]),
        (X * 1e300, ValueError, ["variance of a column", "divide the column"]),
        (sp.csr_array(X * 1e300), ValueError, ["variance of a column", "divide the column"]),
        (pd.DataFrame(X, columns=["a", "b", 3]), TypeError, ["string names", "convert them"]),
    ],
)
@each_estimator
def test_rows(estimator, rows, error, parts):
    assert_refused(estimator, (rows, Y), error, *parts)


def test_standardized_sparse_rows_that_overflow():
    rows = sp.csr_array(replaced(X, (0, 0), 1e200))
    assert_refused(SoftmaxClassifier(standardize=True), (rows, Y), ValueError, "variance of a column", "divide the")


@pytest.mark.parametrize(
    ("labels", "error", "parts"),
    [
        (None, ValueError, ["requires y to be passed", "target y is None", "pass the labels"]),
        (np.ones(N), ValueError, ["at least 2 classes", "only one class: 1.0", "another class"]),
        (["a"] * N, ValueError, ["at least 2 classes", "only one class: 'a'"]),
        (Y[:5], ValueError, ["inconsistent", "12 rows in X, 5 in y", "one label per row"]),
        (X[:, 0], ValueError, ["continuous", "discrete classes"]),
        (np.where(Y == 0, np.nan, Y), ValueError, ["y contains NaN"]),
        (np.where(Y == 0, np.inf, Y), ValueError, ["y contains infinity"]),
        (np.where(Y == 0, -np.inf, np.inf), ValueError, ["y contains infinity"]),
        (Y * 1j, ValueError, ["Complex data not supported"]),
        (["a", "b", None] * 4, ValueError, ["NoneType", "str", "drop rows"]),
        (np.array(["a", 2, 3] * 4, dtype=object), ValueError, ["int", "str", "one type"]),
        (np.array(["a", "b", np.nan] * 4, dtype=object), ValueError, ["float", "str"]),
        (np.array([b"a", b"b", b"c"])[Y], ValueError, ["y holds bytes", "b'[abc]'", "Convert"]),
        ([b"a", b"b", b"c"] * 4, ValueError, ["y holds bytes", "b'a'", "Convert"]),
        ([[1], [1, 2]] * 6, ValueError, ["multi-?label", "binary array"]),
        ({"a": 1}, ValueError, ["array-like", "{'a': 1}"]),
        (np.column_stack([Y, Y]), ValueError, ["multiclass-multioutput", "one label per row"]),
        (X, ValueError, ["continuous-multioutput"]),
        (np.ones((N, 2, 2)), ValueError, ["y|label"]),
    ],
)
@each_estimator
def test_labels(estimator, labels, error, parts):
    assert_refused(estimator, (X, labels), error, *parts)


@pytest.mark.parametrize("estimator", [ESTIMATORS[0], ESTIMATORS[2]])
def test_indicators_belong_to_the_sigmoid(estimator):
    for labels in (INDICATOR, sp.csr_matrix(INDICATOR)):
        assert_refused(
            estimator, (X, labels), ValueError, "multilabel-indicator", "one label per row", "SigmoidClassifier"
        )


def test_indicators_of_another_length_or_with_classes():
    assert_refused(SigmoidClassifier(), (X, INDICATOR[:5]), ValueError, "12 rows in X, 5 in y")
    for class_weight in ("balanced", {0: 2.0}):
        weighted = SigmoidClassifier(class_weight=class_weight)
        assert_refused(weighted, (X, INDICATOR), ValueError, "class_weight has no meaning", "sample_weight")


@pytest.mark.parametrize(
    ("weight", "error", "parts"),
    [
        (replaced(ONES, 2, -1.5), ValueError, ["Negative", "sample_weight", "-1.5", ">= 0"]),
        (-2, ValueError, ["Negative", "sample_weight", "-2"]),
        (0 * ONES, ValueError, ["every weight in sample_weight is zero", "pass"]),
        (replaced(ONES, 2, np.nan), ValueError, ["sample_weight contains NaN"]),
        (replaced(ONES, 2, np.inf), ValueError, ["sample_weight contains infinity"]),
        (ONES[:5], ValueError, ["sample_weight", r"\(12,\)", r"\(5,\)", "one number per row"]),
        (ONES[:, None], ValueError, ["sample_weight", r"\(12,\)", r"\(12, 1\)"]),
        (["a"] * N, ValueError, ["could not convert string to float: 'a'"]),
        (ONES * 1j, ValueError, ["Complex data not supported"]),
        ((Y == 0) * 1.0, ValueError, ["at least 2 classes", "positive weight", "only one class: 0"]),
        (np.full(N, 1e308), ValueError, ["sum of sample_weight is inf", "constant"]),
        (np.full(N, 1e-320), ValueError, ["sum of sample_weight is 1.2e-319|1.19", "constant"]),
    ],
)
@each_estimator
def test_weights(estimator, weight, error, parts):
    assert_refused(estimator, (X, Y, weight), error, *parts)


WRONG = {
    "alpha": [
        ("strong", ValueError, "'scale' or a number >= 0; got 'strong'"),
        (-1, ValueError, ">= 0; got -1"),
        (np.nan, ValueError, "finite number >= 0; got nan"),
        (np.inf, ValueError, "finite number >= 0; got inf"),
        (None, TypeError, "'scale' or a finite number >= 0; got None of type NoneType"),
        (True, TypeError, "got True of type bool"),
        ([1.0], TypeError, "of type list"),
    ],
    "tol": [
        (0, ValueError, "> 0; got 0"),
        (-1e-3, ValueError, "> 0; got -0.001"),
        (np.inf, ValueError, "finite number > 0; got inf"),
        ("tight", TypeError, "got 'tight' of type str"),
        (None, TypeError, "got None"),
    ],
    "max_iter": [
        (0, ValueError, "integer >= 1; got 0"),
        (-5, ValueError, "integer >= 1; got -5"),
        (1.5, TypeError, "integer >= 1; got 1.5 of type float"),
        (True, TypeError, "got True of type bool"),
        (None, TypeError, "got None"),
    ],
    "fit_intercept": [("yes", TypeError, "True or False; got 'yes'"), (1, TypeError, "True or False; got 1")],
    "warm_start": [("yes", TypeError, "True or False; got 'yes'"), (None, TypeError, "True or False; got None")],
    "standardize": [
        ("yes", ValueError, "'auto', True or False; got 'yes'"),
        (None, ValueError, "'auto', True or False; got None"),
        (1, ValueError, "'auto', True or False; got 1"),
    ],
    "solver": [
        ("newton", ValueError, "'auto', 'lbfgs', 'subspace_newton'.*got 'newton'"),
        ("recentred", ValueError, "'auto', 'lbfgs', 'subspace_newton'.*got 'recentred'"),
        (None, TypeError, "got None of type NoneType"),
        (SGD, TypeError, "a solver object such as SGD"),
    ],
    "verbose": [(-1, ValueError, "integer >= 0; got -1"), ("loud", TypeError, "got 'loud' of type str")],
    "random_state": [
        (-1, ValueError, "integer.*RandomState or None; got -1"),
        ("seed", TypeError, "integer.*RandomState or None; got 'seed'"),
        (1.5, TypeError, "got 1.5 of type float"),
        (np.random.default_rng(0), TypeError, "RandomState or None; got Generator"),
    ],
    "class_weight": [
        ("equal", ValueError, "dict, 'balanced' or None; got 'equal'"),
        (3, ValueError, "dict, 'balanced' or None; got 3"),
        ([1.0, 2.0, 3.0], ValueError, "dict, 'balanced' or None; got "),
        ({7: 1.0}, ValueError, r"names \[7\].*classes \[0, 1, 2\]; remove it"),
        ({0: -1.0}, ValueError, "of 0 must be a finite number >= 0; got -1.0"),
        ({1: np.nan}, ValueError, "of 1 must be a finite number >= 0; got nan"),
        ({2: "high"}, ValueError, "of 2 must be a finite number >= 0; got 'high'"),
        ({0: 0, 1: 0, 2: 0}, ValueError, "every weight in the products.*zero.*positive"),
        ({0: 0, 1: 0}, ValueError, "at least 2 classes.*class_weight.*only one class: 2"),
        ({0: 1e308, 1: 1e308}, ValueError, "sum of.*class_weight is inf"),
    ],
}
WRONG_SVM = {
    "loss": [("log", ValueError, "'hinge', 'squared_hinge'.*got 'log'"), (None, ValueError, "got None")],
    "multi_class": [
        ("ovo", ValueError, "'crammer_singer', 'ovr', 'weston_watkins'.*got 'ovo'"),
        ("crammer_singer", ValueError, "squared_hinge.*crammer_singer.*use loss='hinge'"),
    ],
    "probability": [
        ("platt", ValueError, "False, 'temperature'.*got 'platt'"),
        (True, ValueError, "False, 'temperature'.*got True"),
        (0, ValueError, "got 0"),
    ],
    "cv": [
        (1, ValueError, "an integer >= 2, a splitter or an iterable of splits; got 1"),
        (0, ValueError, "got 0"),
        (True, TypeError, "got True"),
        (None, TypeError, "got None of type NoneType"),
        ("five", TypeError, "an integer >= 2.*got 'five'"),
        (2.5, TypeError, "got 2.5"),
        ([(0,)], ValueError, r"cv=\[\(0,\)\] does not split the .* rows of X.*pairs \(train, test\)"),
        ([(None, None)], ValueError, "does not split"),
        ([], ValueError, r"no splits; got \[\].*pass a list"),
        ([([0, 1], [50])], ValueError, "50.*row numbers"),
    ],
}


@pytest.mark.parametrize(
    ("name", "value", "error", "part"), [(name, *case) for name, cases in WRONG.items() for case in cases]
)
@each_estimator
def test_parameters(estimator, name, value, error, part):
    assert_refused(clone(estimator).set_params(**{name: value}), (X, Y), error, f"{name}|class", f"(?s){part}")


@pytest.mark.parametrize(
    ("name", "value", "error", "part"), [(name, *case) for name, cases in WRONG_SVM.items() for case in cases]
)
def test_parameters_of_the_svm(name, value, error, part):
    svm = LinearSVMClassifier(loss="squared_hinge").set_params(**{name: value})
    assert_refused(svm, (X, Y), error, name, f"(?s){part}")


@each_estimator
def test_every_parameter_is_checked(estimator):
    assert {*WRONG, *(WRONG_SVM if isinstance(estimator, LinearSVMClassifier) else ())} == set(estimator.get_params())


@each_estimator
def test_use_before_fit(estimator):
    for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        with pytest.raises(NotFittedError, match=f"{type(estimator).__name__} instance is not fitted yet. Call 'fit'"):
            getattr(clone(estimator), method)(X)


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (X[:, :2], "X has 2 features, but .* is expecting 3 features"),
        (sp.csr_array(X[:, :2]), "X has 2 features, but .* is expecting 3 features"),
        (X[0], "Expected 2D array, got 1D"),
        (X[:0], "0 sample"),
        (replaced(X, (0, 0), np.nan), "X contains NaN"),
        (X * 1j, "Complex data not supported"),
        (pd.DataFrame(X, columns=["a", "b", "d"]), "(?s)feature names should match.*unseen at fit time:\n- d"),
        (pd.DataFrame(X, columns=["c", "b", "a"]), "(?s)feature names should match.*same order"),
    ],
)
@each_estimator
def test_rows_to_predict(estimator, rows, part):
    fitted = clone(estimator).fit(pd.DataFrame(X, columns=["a", "b", "c"]) if "names" in part else X, Y)
    for method in ("predict", "decision_function", "predict_proba"):
        with pytest.raises(ValueError, match=part):
            getattr(fitted, method)(rows)


@pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxClassifier(),
        SoftmaxClassifier(solver="lbfgs"),
        SigmoidClassifier(),
        LinearSVMClassifier(loss="squared_hinge", probability=False),
        LinearSVMClassifier(probability=False),
        SoftmaxClassifier(alpha=0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_too_few_iterations_are_reported_with_the_gap_reached(estimator, dtype):
    random = np.random.default_rng(0)
    rows = random.standard_normal((100, 5)).astype(dtype)
    labels = np.digitize(rows[:, 0] + random.standard_normal(100) / 3, [-0.5, 0.5])
    short = clone(estimator).set_params(max_iter=1, tol=1e-9)
    with pytest.warns(ConvergenceWarning) as caught:
        short.fit(rows, labels)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    proof = "relative duality gap" if estimator.alpha else "largest scaled gradient entry"
    assert f"{type(estimator).__name__} has stopped at max_iter" in message
    assert "raise max_iter, or accept more with a larger tol" in message
    reached = float(re.search(f"Its {proof} is ([^,]*), above tol=1e-09", message)[1])
    assert reached > 1e-9
    if estimator.alpha:
        assert f"{short.duality_gap_:.2e}" == f"{reached:.2e}"
    assert short.n_iter_ == 1
    assert np.isfinite(short.decision_function(rows)).all()
