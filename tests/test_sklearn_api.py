"""The scikit-learn contract: its own checks on many configurations, and the tools people put around an estimator."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from zoo import each_frame

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from skgradlinear.solvers import LBFGS, SGD, Adam, GradientDescent, NewtonCG

# Checks that a configuration cannot meet, with the reason; it takes all the others.
# Without an intercept: rows around the origin are to lie on one side of a hyperplane through it.
THROUGH_THE_ORIGIN = "check_class_weight_classifiers"
# L-BFGS on pieces of quadratics: logits are to agree to 1e-7, where a gap promises ||dW|| <= sqrt(2 tol P / alpha).
TWO_RUNS = "check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"
# Balanced weights need all labels, which a stream does not have; these checks call partial_fit.
IN_PIECES = (
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
)
CHECKED = [
    (SoftmaxClassifier(), ()),
    (SoftmaxClassifier(standardize=False, alpha=0.1, tol=1e-10), ()),
    (SoftmaxClassifier(standardize=True, warm_start=True, random_state=None), ()),
    (SigmoidClassifier(), ()),
    (SigmoidClassifier(solver="lbfgs", alpha=0.1, standardize=False, tol=1e-8), ()),
    (SigmoidClassifier(standardize=True, alpha=1e-3, tol=1e-10, warm_start=True), ()),
    (LinearSVMClassifier(), ()),
    (LinearSVMClassifier(probability=False, multi_class="crammer_singer", alpha=0.01, standardize=True), ()),
    (LinearSVMClassifier(probability=False, multi_class="crammer_singer", alpha=0.1, standardize=False, tol=1e-8), ()),
    (LinearSVMClassifier(probability=False, multi_class="ovr", alpha=0.1, standardize=False, warm_start=True), ()),
    (LinearSVMClassifier(loss="squared_hinge", cv=2), ()),
    (SoftmaxClassifier(solver=GradientDescent(), alpha=0.1), ()),
    (SigmoidClassifier(solver=GradientDescent(momentum=0.0), alpha=0.1, tol=1e-2), ()),
    (LinearSVMClassifier(solver=GradientDescent(), loss="squared_hinge", cv=2, alpha=1.0, tol=1e-3), ()),
    (SoftmaxClassifier(solver=NewtonCG(), alpha=0.1, tol=1e-10), ()),
    (SigmoidClassifier(solver=LBFGS(memory=5), alpha=0.1, tol=1e-10), ()),
    (SoftmaxClassifier(solver="lbfgs", alpha=0.01, class_weight="balanced", tol=1e-8), IN_PIECES),
    (LinearSVMClassifier(probability=False, alpha=0.1, class_weight="balanced", tol=1e-8), IN_PIECES),
    (
        LinearSVMClassifier(loss="squared_hinge", multi_class="ovr", cv=3, alpha=0.01, class_weight="balanced"),
        IN_PIECES,
    ),
    # Mini-batches: the order of as many rows as there are is drawn, so that a repeated row is another problem.
    (SoftmaxClassifier(solver=SGD("auto", momentum=0.9), alpha=0.1, tol=0.1), TWO_RUNS),
    (SigmoidClassifier(solver=Adam(0.1), alpha=0.1, tol=0.1), TWO_RUNS),
    (LinearSVMClassifier(solver=SGD("auto"), loss="squared_hinge", alpha=0.1, tol=0.3, cv=2), TWO_RUNS),
    (SoftmaxClassifier(fit_intercept=False), THROUGH_THE_ORIGIN),
    (SigmoidClassifier(fit_intercept=False, alpha=0.1, solver="lbfgs", standardize=False), THROUGH_THE_ORIGIN),
    (LinearSVMClassifier(fit_intercept=False, probability=False, alpha=0.1), THROUGH_THE_ORIGIN),
    (LinearSVMClassifier(fit_intercept=False, loss="squared_hinge", alpha=0.1, cv=2), THROUGH_THE_ORIGIN),
    (LinearSVMClassifier(loss="squared_hinge", solver="lbfgs", alpha=0.1, cv=2), TWO_RUNS),
]
ESTIMATORS = [SoftmaxClassifier(), SigmoidClassifier(), LinearSVMClassifier(loss="squared_hinge", cv=2)]
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(estimator, check, id=f"{configured!r}-{check.func.__name__}".replace("\n", ""))
        for configured, impossible in CHECKED
        for estimator, check in estimator_checks_generator(configured)
        if check.func.__name__ not in impossible
    ],
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


@each_estimator
def test_clone_copies_parameters_and_nothing_else(estimator, iris):
    fitted = clone(estimator).set_params(alpha=0.01, tol=1e-6).fit(*iris)
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert set(vars(copied)) == set(copied.get_params())
    assert type(estimator)(**fitted.get_params()).get_params() == fitted.get_params()


@each_estimator
def test_unknown_parameter_is_refused(estimator):
    with pytest.raises(ValueError, match="Invalid parameter 'C'"):
        clone(estimator).set_params(C=1.0)


@each_estimator
def test_string_labels_are_those_of_the_predictions(estimator, iris):
    X, y = iris
    fitted = clone(estimator).fit(X, y)
    assert_array_equal(fitted.classes_, np.unique(y))
    assert fitted.predict(X).dtype == fitted.classes_.dtype
    assert fitted.score(X, y) > 0.9
    assert_array_equal(clone(estimator).fit(X, y.astype(object)).predict(X), fitted.predict(X))
    assert_array_equal(clone(estimator).fit(X, list(y)).predict(X), fitted.predict(X))


@each_estimator
def test_pipeline_and_grid_search_find_the_best_alpha(estimator, iris):
    X, y = iris
    alphas = [1e-3, 1e2]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clone(estimator).set_params(standardize=False)),
        {f"{type(estimator).__name__.lower()}__alpha": alphas},
        cv=3,
        scoring="neg_log_loss",
    ).fit(X, y)
    scores = [
        cross_val_score(clone(search.estimator).set_params(**p), X, y, cv=3, scoring="neg_log_loss").mean()
        for p in search.cv_results_["params"]
    ]
    assert_allclose(search.cv_results_["mean_test_score"], scores, rtol=1e-12)
    assert search.best_params_ == search.cv_results_["params"][int(np.argmax(scores))]
    assert set(cross_validate(search.best_estimator_, X, y, cv=2, scoring=["accuracy", "roc_auc_ovr"])) > {
        "test_accuracy"
    }


@each_estimator
def test_cross_val_predict_and_calibration_take_the_estimator(estimator, iris):
    X, y = iris
    proba = cross_val_predict(estimator, X, y, cv=3, method="predict_proba")
    assert proba.shape == (len(X), 3)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    calibrated = CalibratedClassifierCV(clone(estimator), cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.9


@each_frame
@each_estimator
def test_data_frames_carry_feature_names(estimator, frame_of, iris):
    X, y = iris
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    frame = frame_of(dict(zip(names, X.T, strict=True)))
    series = pd.Series if frame_of is pd.DataFrame else pl.Series
    from_array = clone(estimator).fit(X, y, np.arange(1.0, 151))
    fitted = clone(estimator).fit(frame, series(y), series(np.arange(1.0, 151)))
    assert fitted.feature_names_in_.tolist() == names
    assert fitted.n_features_in_ == 4
    # Frames store columns one by one, so that sums are formed in another order.
    assert_allclose(fitted.coef_, from_array.coef_, rtol=1e-9, atol=1e-12)
    assert_array_equal(fitted.predict(frame), from_array.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[names[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)
    fitted.fit(X, y)
    assert not hasattr(fitted, "feature_names_in_")


def test_integer_and_boolean_frames(iris):
    X, y = iris
    frame = pd.DataFrame({"a": (X[:, 0] > 5.8), "b": X[:, 2].astype(int), "c": X[:, 3].astype(np.float32)})
    expected = SoftmaxClassifier().fit(frame.astype(float), y)
    assert_allclose(SoftmaxClassifier().fit(frame, y).coef_, expected.coef_, rtol=1e-9)


def test_metadata_routing_hands_weights_to_fit(iris):
    X, y = iris
    weight = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        for estimator in (SoftmaxClassifier(), LinearSVMClassifier(loss="squared_hinge", probability=False)):
            routed = estimator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
            # The score of a pipeline has no requests of its own before scikit-learn 1.7.
            accuracy = get_scorer("accuracy").set_score_request(sample_weight=True)
            name = f"{type(routed).__name__.lower()}__alpha"
            alone = GridSearchCV(routed, {"alpha": [0.01]}, cv=2)
            last = GridSearchCV(make_pipeline(routed), {name: [0.01]}, cv=2, scoring=accuracy)
            weighted = clone(routed).set_params(alpha=0.01).fit(X, y, weight)
            assert not np.allclose(weighted.coef_, clone(weighted).fit(X, y).coef_, rtol=1e-3)
            for search in (alone, last):
                best = search.fit(X, y, sample_weight=weight).best_estimator_
                found = best if search is alone else best[-1]
                assert_allclose(found.coef_, weighted.coef_, rtol=1e-12)
            assert_allclose(alone.best_score_, last.best_score_, rtol=1e-12)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            GridSearchCV(SoftmaxClassifier(), {"alpha": [0.01]}, cv=2).fit(X, y, sample_weight=weight)


def test_probability_false_hides_the_probabilities(iris):
    X, y = iris
    hidden = LinearSVMClassifier(probability=False)
    for name in ("predict_proba", "predict_log_proba"):
        assert not hasattr(hidden, name)
        assert hasattr(LinearSVMClassifier(), name)
        with pytest.raises(AttributeError, match=name):
            getattr(hidden, name)
    fitted = LinearSVMClassifier(loss="squared_hinge", cv=2).fit(X, y)
    assert fitted.temperature_ > 0
    assert not hasattr(fitted.set_params(probability=False).fit(X, y), "temperature_")
    assert not hasattr(fitted, "predict_proba")
    with pytest.raises(NotFittedError):
        LinearSVMClassifier().predict_proba(X)


@each_estimator
def test_html_representation_names_the_estimator_and_its_state(estimator, iris):
    fitted = clone(estimator).set_params(alpha=0.125)
    unfitted_html = fitted._repr_html_()
    html = fitted.fit(*iris)._repr_html_()
    for text in (html, unfitted_html):
        assert type(estimator).__name__ in text
        assert "0.125" in text
    assert "<span>Not fitted</span>" in unfitted_html
    assert "<span>Fitted</span>" in html
    assert repr(fitted).startswith(f"{type(estimator).__name__}(alpha=0.125")


@each_estimator
def test_tags(estimator):
    tags = estimator.__sklearn_tags__()
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.sparse
    assert tags.classifier_tags.multi_class
    assert tags.classifier_tags.multi_label == isinstance(estimator, SigmoidClassifier)
    assert tags.target_tags.required


@each_estimator
def test_sparse_containers_of_any_format_are_taken(estimator, iris):
    X, y = iris
    expected = clone(estimator).fit(sp.csr_matrix(X), y)
    for convert in (sp.csr_array, sp.coo_array, sp.csc_matrix, sp.lil_matrix):
        found = clone(estimator).fit(convert(X), y)
        assert_array_equal(found.coef_, expected.coef_)
        assert_array_equal(found.decision_function(convert(X)), expected.decision_function(sp.csr_matrix(X)))
