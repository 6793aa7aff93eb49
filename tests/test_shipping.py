"""Fitted models leave the process: pickle, joblib, skops, scikit-learn's own estimators and ONNX."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import scipy.sparse as sp
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from skl2onnx import to_onnx
from sklearn.base import clone
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC
from sklearn.utils.validation import check_is_fitted

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from skgradlinear.solvers import SGD

EPS = np.finfo(np.float64).eps
X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
TWO = NAMES == "virginica"
X_LABELS, LABELS = make_multilabel_classification(n_samples=120, n_features=6, n_classes=4, random_state=0)
# Model, rows, labels, and what it becomes in scikit-learn.
CASES = {
    "softmax": (SoftmaxClassifier(), X, NAMES, LogisticRegression),
    "softmax, two classes": (SoftmaxClassifier(), X, TWO, LogisticRegression),
    "sigmoid, two classes": (SigmoidClassifier(), X, TWO, LogisticRegression),
    "sigmoid, one-vs-rest": (SigmoidClassifier(), X, NAMES, OneVsRestClassifier),
    "sigmoid, multilabel": (SigmoidClassifier(), X_LABELS, LABELS, OneVsRestClassifier),
    "svm": (LinearSVMClassifier(loss="squared_hinge", cv=2), X, NAMES, LogisticRegression),
    "svm, two classes": (LinearSVMClassifier(cv=2), X, TWO, LogisticRegression),
    "svm, no probability": (LinearSVMClassifier(probability=False), X, NAMES, LinearSVC),
    "svm, two classes, no probability": (LinearSVMClassifier(probability=False), X, TWO, LinearSVC),
}


@pytest.fixture(params=CASES)
def case(request):
    model, rows, labels, theirs = CASES[request.param]
    return clone(model).fit(rows, labels), rows, theirs


def outputs(model, rows):
    """Everything that a model says of rows."""
    names = ("decision_function", "predict", "predict_proba", "predict_log_proba")
    return {name: getattr(model, name)(rows) for name in names if hasattr(model, name)}


def through_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib", compress=3)
    return joblib.load(folder / "model.joblib")


@pytest.mark.parametrize("far", [False, True], ids=["near zero", "far from zero"])
def test_copies_say_the_same_to_the_last_bit(case, far, tmp_path):
    model, rows, _ = case
    if far:
        rows = rows + 1e6
        model = clone(model).set_params(warm_start=True).fit(rows, model.predict(rows - 1e6))
    expected = outputs(model, rows)
    twins = (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), through_joblib(model, tmp_path))
    for twin in twins:
        assert vars(twin).keys() == vars(model).keys()
        for name, values in outputs(twin, rows).items():
            assert_array_equal(values, expected[name])


def test_a_loaded_model_goes_on_from_where_it_was():
    model = LinearSVMClassifier(probability=False, warm_start=True, tol=1e-8).fit(X, NAMES)
    again = pickle.loads(pickle.dumps(model)).fit(X, NAMES)
    assert again.n_iter_ == 1 < model.n_iter_
    assert again.duality_gap_ <= 1e-8


@pytest.mark.parametrize("warm_start", [False, True])
def test_skops_needs_to_be_told_of_our_class_and_of_nothing_else(case, warm_start):
    model, rows, _ = case
    model = clone(model).set_params(warm_start=warm_start).fit(rows, model.predict(rows))
    stored = skops.io.dumps(model)
    own = [f"{type(model).__module__}.{type(model).__name__}"]
    assert skops.io.get_untrusted_types(data=stored) == own
    loaded = skops.io.loads(stored, trusted=own)
    assert vars(loaded).keys() == vars(model).keys()
    expected = outputs(model, rows)
    for name, values in outputs(loaded, rows).items():
        assert_array_equal(values, expected[name])


def test_skops_trusts_what_becomes_of_a_model_in_scikit_learn(case):
    model, rows, _ = case
    theirs = model.as_sklearn()
    stored = skops.io.dumps(theirs)
    assert skops.io.get_untrusted_types(data=stored) == []
    assert_array_equal(skops.io.loads(stored).predict(rows), theirs.predict(rows))


def test_as_sklearn_says_the_same(case):
    model, rows, kind = case
    theirs = model.as_sklearn()
    assert type(theirs) is kind
    ours, others = outputs(model, rows), outputs(theirs, rows)
    logits = ours["decision_function"] / getattr(model, "temperature_", 1.0)
    # A logit of d terms is rounded about d times, relative to the largest of them.
    largest = np.abs(rows).max() * np.abs(model.coef_).max() / getattr(model, "temperature_", 1.0)
    assert_allclose(others["decision_function"], logits, rtol=0, atol=20 * EPS * largest)
    assert_array_equal(others["predict"], ours["predict"])
    assert others["predict"].dtype == ours["predict"].dtype
    assert ("predict_proba" in ours) == ("predict_proba" in others)
    if "predict_proba" in ours:
        assert_allclose(others["predict_proba"], ours["predict_proba"], rtol=0, atol=20 * EPS * largest)


def test_as_sklearn_is_fitted_and_names_its_columns_and_classes():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    for model, _, labels, _ in CASES.values():
        if len(labels) != len(frame):
            continue
        fitted = clone(model).fit(frame, labels)
        theirs = fitted.as_sklearn()
        check_is_fitted(theirs)
        assert theirs.n_features_in_ == 4
        assert theirs.feature_names_in_.tolist() == ["a", "b", "c", "d"]
        assert_array_equal(theirs.classes_, fitted.classes_)
        assert_array_equal(theirs.predict(frame), fitted.predict(frame))
        with pytest.raises(ValueError, match="feature names"):
            theirs.predict(frame[["d", "c", "b", "a"]])
        with pytest.raises(NotFittedError):
            clone(theirs).predict(frame)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"setosa": 3.0}], ids=str)
def test_as_sklearn_tells_the_same_problem(class_weight):
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    if class_weight == "balanced":
        weight[:] = 1.0  # whether balance counts weights or rows is another question
    options = {"alpha": 0.02, "standardize": False, "class_weight": class_weight, "tol": 1e-10}
    ours = SoftmaxClassifier(**options).fit(X, NAMES, weight)
    refitted = clone(ours.as_sklearn()).set_params(solver="newton-cg", tol=1e-8).fit(X, NAMES, weight)
    # ||dW|| <= sqrt(2 gap / alpha), and the peer stops at a gradient of 1e-8.
    assert_allclose(refitted.coef_, ours.coef_, atol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, {"setosa": 3.0}], ids=str)
@pytest.mark.parametrize(("loss", "multi_class"), [("squared_hinge", "ovr"), ("hinge", "crammer_singer")])
def test_as_sklearn_of_a_machine_tells_the_same_problem(loss, multi_class, class_weight, n_classes):
    rows, labels = X[: 50 * n_classes], NAMES[: 50 * n_classes]
    if multi_class == "ovr" and n_classes > 2:
        class_weight = None  # a weight of the row's own class in every output is nothing that LinearSVC knows
    machine = LinearSVMClassifier(
        alpha=0.02,
        loss=loss,
        multi_class=multi_class,
        class_weight=class_weight,
        probability=False,
        fit_intercept=False,  # LinearSVC penalizes it
        standardize=False,
        tol=1e-9,
    ).fit(rows, labels)
    refitted = clone(machine.as_sklearn()).set_params(tol=1e-8, max_iter=100_000, random_state=0)
    with warnings.catch_warnings():
        if multi_class == "crammer_singer":
            # scikit-learn 1.6 reads the number of these iterations from memory that nothing has set.
            warnings.simplefilter("ignore", ConvergenceWarning)
        refitted.fit(rows, labels)
    assert refitted.class_weight == class_weight
    assert_allclose(refitted.coef_, machine.coef_, atol=2e-3)


def test_as_sklearn_of_one_vs_rest_tells_the_same_problem():
    ours = SigmoidClassifier(alpha=0.02, standardize=False, tol=1e-10).fit(X, NAMES)
    theirs = clone(ours.as_sklearn()).set_params(estimator__solver="newton-cg", estimator__tol=1e-8).fit(X, NAMES)
    assert_allclose(np.vstack([binary.coef_ for binary in theirs.estimators_]), ours.coef_, atol=1e-4)
    assert theirs.get_params()["estimator__C"] == pytest.approx(1 / (0.02 * 150))


def test_as_sklearn_without_a_penalty_has_an_infinite_c():
    rng = np.random.default_rng(0)
    model = SoftmaxClassifier(alpha=0).fit(X, rng.integers(0, 3, len(X)))
    assert np.isposinf(model.as_sklearn().C)
    assert_allclose(model.as_sklearn().predict_proba(X), model.predict_proba(X), atol=1e-12)


def test_as_sklearn_shares_nothing_with_the_model():
    for model, rows, labels, _ in CASES.values():
        fitted = clone(model).fit(rows, labels)
        theirs = fitted.as_sklearn()
        before = theirs.decision_function(rows)
        fitted.coef_[:] = 0
        fitted.intercept_[:] = 0
        assert_array_equal(theirs.decision_function(rows), before)


@pytest.mark.parametrize("kind", [SoftmaxClassifier, SigmoidClassifier, LinearSVMClassifier])
def test_as_sklearn_of_an_unfitted_model_is_refused(kind):
    with pytest.raises(NotFittedError, match="not fitted"):
        kind().as_sklearn()


def test_one_vs_rest_probabilities_that_underflow_sum_to_one_here():
    model = SigmoidClassifier().fit(X, NAMES)
    model.coef_[:], model.intercept_[:] = 0, [-1000.0, -1001.0, -1002.0]
    assert_allclose(model.predict_proba(X[:1])[0], np.exp([0, -1, -2]) / np.exp([0, -1, -2]).sum(), rtol=1e-12)
    with np.errstate(invalid="ignore"):  # 0 / 0 before scikit-learn 1.7
        theirs = model.as_sklearn().predict_proba(X[:1])
    assert not np.nan_to_num(theirs).any()


def test_as_sklearn_takes_sparse_rows():
    model = SigmoidClassifier().fit(sp.csr_array(X), NAMES)
    assert_allclose(model.as_sklearn().predict_proba(sp.csr_array(X)), model.predict_proba(X), rtol=1e-12)


def test_as_sklearn_keeps_the_digits_of_columns_far_from_zero():
    rows = (X + 1e4).astype(np.float32)
    model = SoftmaxClassifier().fit(rows, NAMES)
    exact = rows.astype(np.float64) @ model.coef_.T + model.intercept_
    assert_allclose(model.as_sklearn().decision_function(rows), exact, atol=1e4 * np.abs(model.coef_).max() * 20 * EPS)
    assert_allclose(model.decision_function(rows), exact, atol=1e-4)


def run_onnx(theirs, rows):
    """Labels and scores or probabilities from the runtime."""
    has_proba = hasattr(theirs, "predict_proba")
    graph = to_onnx(theirs, rows[:1], options={"zipmap": False} if has_proba else None)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})


def test_onnx_says_the_same_in_float32(case):
    model, rows, _ = case
    single = rows.astype(np.float32)
    labels, scores = run_onnx(model.as_sklearn(), single)
    expected = outputs(model, single.astype(np.float64))
    logits = np.abs(single).max() * np.abs(model.coef_).sum(axis=1).max() / getattr(model, "temperature_", 1.0)
    rounding = 8 * np.finfo(np.float32).eps * max(logits, 1.0)
    answer = expected.get("predict_proba", expected["decision_function"])
    assert_allclose(scores, answer.reshape(scores.shape), rtol=0, atol=rounding)
    # Rows on which two classes tie up to rounding may go either way.
    decision = expected["decision_function"]
    margin = np.abs(decision) if decision.ndim == 1 else np.diff(np.sort(decision, axis=1)[:, -2:])[:, 0]
    clear = np.abs(decision).min(axis=1) > rounding if expected["predict"].ndim == 2 else margin > rounding
    assert clear.mean() > 0.95
    assert_array_equal(labels[clear], expected["predict"][clear])


def test_onnx_of_columns_far_from_zero_needs_float64():
    rows = X + 1e5
    model = SoftmaxClassifier().fit(rows, NAMES)
    theirs = model.as_sklearn()
    single = rows.astype(np.float32)
    assert np.abs(run_onnx(theirs, single)[1] - theirs.predict_proba(single)).max() > 1e-3
    logit = 1e5 * np.abs(model.coef_).sum(axis=1).max()
    assert_allclose(run_onnx(theirs, rows)[1], model.predict_proba(rows), rtol=0, atol=8 * EPS * logit)


@pytest.mark.parametrize("kind", [SoftmaxClassifier, SigmoidClassifier, LinearSVMClassifier])
@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["near zero", "far from zero"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_coefficients_set_by_hand_are_those_of_the_predictions(kind, offset, container):
    rows = X + offset
    model = kind().fit(container(rows), NAMES)
    coefficients = np.random.default_rng(0).normal(size=(3, 4))
    model.coef_, model.intercept_ = coefficients, np.array([0.5, -0.5, 0.0]) - offset * coefficients.sum(axis=1)
    expected = X @ coefficients.T + [0.5, -0.5, 0.0]
    assert_allclose(model.decision_function(container(rows)), expected, atol=200 * EPS * max(offset, 1.0))
    model.coef_ *= 2
    model.intercept_ *= 2
    assert_allclose(model.decision_function(container(rows)), 2 * expected, atol=400 * EPS * max(offset, 1.0))
    assert_allclose(model.as_sklearn().predict_proba(rows), model.predict_proba(rows), atol=1e-8)


def test_skops_names_the_objects_among_the_parameters():
    model = SoftmaxClassifier(alpha=0.1, solver=SGD(), tol=0.1).fit(X, NAMES)
    stored = skops.io.dumps(model)
    asked = skops.io.get_untrusted_types(data=stored)
    assert sorted(asked) == [f"{type(one).__module__}.{type(one).__name__}" for one in (model, model.solver)]
    assert_array_equal(skops.io.loads(stored, trusted=asked).predict(X), model.predict(X))


@pytest.mark.parametrize("model", [SoftmaxClassifier(), SigmoidClassifier(), LinearSVMClassifier()], ids=repr)
def test_a_stream_is_exported_too(model):
    X, y = load_iris(return_X_y=True)
    model = clone(model).set_params(alpha=0.01).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    exported = model.as_sklearn()
    assert_allclose(exported.predict_proba(X), model.predict_proba(X), atol=1e-12)
    parameters = exported.get_params()
    # A likelihood whose coefficients come from a hinge has no strength of its own.
    strength = None if isinstance(model, LinearSVMClassifier) else 100 / 300
    assert strength is None or parameters.get("C", parameters.get("estimator__C")) == pytest.approx(strength)
