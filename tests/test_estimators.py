"""The three estimators: invariances, agreement with independent implementations, and what a fit promises.

The penalty makes an objective strongly convex, so that a fit certified to a gap lies within ``sqrt(2 gap / alpha)`` of
the optimal weights. Two fits of one optimum are compared to the sum of these distances (`reach`), and no further.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, PredefinedSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from skgradlinear.solvers import LBFGS, NewtonCG, Recentred, solve

EPS = np.finfo(np.float64).eps
SMOOTH = {
    "softmax": SoftmaxClassifier(alpha=0.05, tol=1e-13),
    "sigmoid": SigmoidClassifier(alpha=0.05, tol=1e-13),
    "squared-ww": LinearSVMClassifier(alpha=0.05, tol=1e-13, loss="squared_hinge", probability=False),
    "squared-ovr": LinearSVMClassifier(
        alpha=0.05, tol=1e-13, loss="squared_hinge", multi_class="ovr", probability=False
    ),
}
HINGES = {
    form: LinearSVMClassifier(alpha=0.05, tol=1e-11, multi_class=form, probability=False)
    for form in ("weston_watkins", "crammer_singer", "ovr")
}
MODELS = SMOOTH | HINGES
each_model = pytest.mark.parametrize("model", MODELS)
each_smooth_model = pytest.mark.parametrize("model", SMOOTH)
# For two classes softmax is the sigmoid, and all hinges are one.
PROBLEMS = [(model, 3) for model in MODELS] + [(model, 2) for model in ("sigmoid", "squared-ovr", "ovr")]
each_problem = pytest.mark.parametrize(("model", "n_classes"), PROBLEMS)
each_solver = pytest.mark.parametrize(
    ("model", "n_classes", "solver"),
    [(*case, "auto") for case in PROBLEMS] + [(*case, "lbfgs") for case in PROBLEMS if case[0] in SMOOTH],
)
each_count = pytest.mark.parametrize("n_classes", [2, 3])


def make(model, **parameters):
    return clone(MODELS[model]).set_params(**parameters)


def draw(n_classes=3, n=60, d=5, seed=0):
    """Rows of overlapping classes, on columns of different scales and means, and weights."""
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(n) % n_classes)
    X = random.standard_normal((n, d)) @ random.standard_normal((d, d))
    X += 0.7 * random.standard_normal((n_classes, d))[y]
    return X + random.standard_normal(d), y, random.integers(1, 4, n).astype(np.float64)


def balancing(y, weight):
    """Factors that give every class the same weight."""
    mass = np.bincount(y, weight)
    return weight.sum() / (len(mass) * mass)


def reach(*fitted):
    return sum(np.sqrt(2 * model.duality_gap_ * model.objective_ / model.alpha_) for model in fitted)


def assert_same_optimum(first, second, X=None, second_X=None, *, coef=None, scale=None):
    """Equal objectives, weights (of columns divided by `scale`) and, with X, logits, to what the gaps leave open."""
    gaps = first.duality_gap_ + second.duality_gap_
    assert_allclose(second.objective_, first.objective_, rtol=gaps + 1e3 * EPS)
    expected = first.coef_ if coef is None else coef
    allowed = reach(first, second) + 1e-10 * (1 + np.abs(expected).max() * np.max(1 if scale is None else scale))
    assert np.linalg.norm((second.coef_ - expected) * (1 if scale is None else scale)) <= allowed
    if X is not None:
        logits, second_logits = (
            first.decision_function(X),
            second.decision_function(X if second_X is None else second_X),
        )
        # The best bias follows the weights at a rate of no more than a row's length.
        longest = np.linalg.norm((X - X.mean(axis=0)) / (1 if scale is None else scale), axis=1).max()
        assert_allclose(second_logits, logits, atol=2 * longest * allowed, rtol=0)


# Invariances


@each_problem
def test_columns_twice_at_half_the_size_and_half_alpha(model, n_classes):
    X, y, weight = draw(n_classes)
    once = make(model, standardize=False).fit(X, y, weight)
    twice = make(model, standardize=False, alpha=0.025).fit(np.hstack([X, X]) / 2, y, weight)
    assert_same_optimum(once, twice, coef=np.hstack([once.coef_, once.coef_]))
    assert_allclose(twice.coef_[:, :5], twice.coef_[:, 5:], atol=1e-12)


@each_problem
def test_rows_twice_change_nothing(model, n_classes):
    X, y, weight = draw(n_classes)
    once = make(model).fit(X, y, weight)
    twice = make(model).fit(np.vstack([X, X]), np.hstack([y, y]), np.hstack([weight, weight]))
    assert_same_optimum(once, twice, scale=X.std(axis=0))


@each_problem
def test_affine_change_of_columns_changes_the_coefficients_only(model, n_classes):
    X, y, weight = draw(n_classes)
    factor, shift = np.array([1e-3, -1.0, 20.0, 1e3, -0.3]), np.array([0.0, 5.0, -100.0, 1e3, 1.0])
    plain = make(model).fit(X, y, weight)
    changed = make(model).fit(X * factor + shift, y, weight)
    spread = X.std(axis=0)
    assert_same_optimum(plain, changed, coef=plain.coef_ / factor, scale=spread * np.abs(factor))
    bias = changed.intercept_ + changed.coef_ @ shift
    slack = 2 * np.linalg.norm(X / spread, axis=1).max() * reach(plain, changed)
    if model in SMOOTH:
        assert_allclose(bias, plain.intercept_, atol=slack + 1e-9)


@each_problem
def test_weights_are_repetitions(model, n_classes):
    X, y, weight = draw(n_classes)
    weighted = make(model).fit(X, y, weight)
    times = weight.astype(int)
    repeated = make(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_same_optimum(weighted, repeated, scale=X.std(axis=0))
    by_scale = [
        make(model, alpha="scale", tol=1e-3).fit(*data).alpha_
        for data in ((X, y, weight), (np.repeat(X, times, axis=0), np.repeat(y, times)))
    ]
    assert_allclose(by_scale[0], by_scale[1], rtol=1e-12)


@each_problem
@pytest.mark.parametrize("sparse", [False, True])
def test_rows_of_weight_zero_are_no_rows(model, n_classes, sparse):
    X, y, weight = draw(n_classes)
    junk = np.full((20, 5), 1e6) * np.random.default_rng(1).standard_normal((20, 5))
    everything = np.vstack([junk, X]), np.hstack([np.arange(20) % n_classes, y]), np.hstack([np.zeros(20), weight])
    convert = sp.csr_array if sparse else np.asarray
    dropped = make(model, standardize=True).fit(convert(X), y, weight)
    zeroed = make(model, standardize=True).fit(convert(everything[0]), *everything[1:])
    assert_same_optimum(dropped, zeroed, scale=X.std(axis=0))


@each_model
def test_scale_of_the_weights_does_not_matter(model):
    X, y, weight = draw()
    one, other = make(model).fit(X, y, weight), make(model).fit(X, y, 7.25 * weight)
    assert_same_optimum(one, other, scale=X.std(axis=0))


@each_model
def test_permuted_classes_permute_the_rows_of_the_coefficients(model):
    X, y, weight = draw()
    plain = make(model).fit(X, y, weight)
    order = np.array([2, 0, 1])
    permuted = make(model).fit(X, order[y], weight)
    assert_same_optimum(plain, permuted, coef=plain.coef_[np.argsort(order)], scale=X.std(axis=0))


@each_model
def test_swapped_classes_change_the_sign(model):
    X, y, weight = draw(2)
    plain, swapped = make(model).fit(X, y, weight), make(model).fit(X, 1 - y, weight)
    assert_same_optimum(plain, swapped, coef=-plain.coef_, scale=X.std(axis=0))


@each_problem
def test_names_of_labels_do_not_matter(model, n_classes):
    X, y, weight = draw(n_classes)
    plain = make(model).fit(X, y, weight)
    for names in (np.array(["ant", "bee", "cat"]), np.array([-3.0, 0.0, 12.0])):
        named = make(model).fit(X, names[y], weight)
        assert_array_equal(named.classes_, np.unique(names[y]))
        assert_array_equal(named.coef_, plain.coef_)
        assert_array_equal(named.predict(X), names[plain.predict(X)])


@each_model
def test_permuted_columns_permute_the_coefficients(model):
    X, y, weight = draw()
    order = np.array([3, 1, 4, 0, 2])
    plain, permuted = make(model).fit(X, y, weight), make(model).fit(X[:, order], y, weight)
    assert_same_optimum(plain, permuted, coef=plain.coef_[:, order], scale=X.std(axis=0)[order])


@each_model
@pytest.mark.parametrize("alpha", [0.05, "scale"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_standardize_is_a_scaler_in_front(model, alpha, fit_intercept):
    X, y, weight = draw()
    inside = make(model, alpha=alpha, tol=1e-10, fit_intercept=fit_intercept).fit(X, y, weight)
    scaler = StandardScaler(with_mean=fit_intercept).fit(X, sample_weight=weight)
    outside = make(model, alpha=alpha, tol=1e-10, fit_intercept=fit_intercept, standardize=False)
    outside.fit(scaler.transform(X), y, weight)
    assert_allclose(outside.alpha_, inside.alpha_, rtol=1e-12)
    assert_same_optimum(outside, inside, coef=outside.coef_ / scaler.scale_, scale=scaler.scale_)
    assert_array_equal(inside.predict(X), outside.predict(scaler.transform(X)))
    if not fit_intercept:
        assert not inside.intercept_.any()


@each_smooth_model
def test_sparse_standardization_is_a_scaler_in_front_and_is_the_dense_one(model):
    X, y, weight = draw()
    X = np.where(np.abs(X) > 1, X, 0)
    inside = make(model, standardize=True).fit(sp.csr_array(X), y, weight)
    scaler = StandardScaler(with_mean=False).fit(X, sample_weight=weight)
    outside = make(model).fit(scaler.transform(sp.csr_array(X)), y, weight)
    dense = make(model).fit(X, y, weight)
    assert_same_optimum(outside, inside, coef=outside.coef_ / scaler.scale_, scale=scaler.scale_)
    assert_same_optimum(dense, inside, X, scale=scaler.scale_)


@each_model
def test_auto_standardizes_dense_rows_and_not_sparse_ones(model):
    X, y, weight = draw()
    for rows, standardize in ((X, True), (sp.csr_array(X), False)):
        auto, said = make(model).fit(rows, y, weight), make(model, standardize=standardize).fit(rows, y, weight)
        assert_array_equal(auto.coef_, said.coef_)


@each_count
@pytest.mark.parametrize("solver", ["subspace_newton", "lbfgs"])
@pytest.mark.parametrize("model", ["softmax", "sigmoid"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_mean_probability_is_the_base_rate(model, n_classes, class_weight, solver):
    X, y, weight = draw(n_classes)
    fitted = make(model, class_weight=class_weight, solver=solver, tol=1e-12).fit(X, y, weight)
    total = weight if class_weight is None else weight * balancing(y, weight)[y]
    proba = fitted.predict_proba(X)
    if model == "sigmoid" and n_classes > 2:
        proba = expit(fitted.decision_function(X))
    # The bias gradient is the difference of the two; at least 1 / (a class's share) times it is part of the gap.
    allowed = fitted.duality_gap_ + 1e-13
    assert_allclose(total @ proba / total.sum(), np.bincount(y, total) / total.sum(), atol=allowed, rtol=0)


def test_softmax_and_sigmoid_are_one_model_for_two_classes():
    X, y, weight = draw(2)
    one, other = make("softmax").fit(X, y, weight), make("sigmoid").fit(X, y, weight)
    assert_array_equal(one.coef_, other.coef_)
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert_allclose(one.predict_proba(X)[:, 1], expit(one.decision_function(X)), rtol=4 * EPS)


def test_all_hinges_are_one_model_for_two_classes():
    X, y, weight = draw(2)
    fitted = [make(form).fit(X, y, weight) for form in HINGES]
    squared = [make(form).fit(X, y, weight) for form in ("squared-ww", "squared-ovr")]
    for group in (fitted, squared):
        for other in group[1:]:
            assert_array_equal(other.coef_, group[0].coef_)


@pytest.mark.parametrize("model", [*SMOOTH, *HINGES])
def test_weights_of_classes_sum_to_zero_where_a_common_shift_is_free(model):
    X, y, weight = draw(4)
    fitted = make(model).fit(X, y, weight)
    free = model in ("softmax", "squared-ww", "weston_watkins", "crammer_singer")
    size = np.abs(fitted.coef_).max()
    assert (np.abs(fitted.coef_.sum(axis=0)) <= 1e-12 * size).all() == free
    assert (np.abs(fitted.intercept_.sum()) <= 1e-10 * np.abs(fitted.intercept_).max()) == free


# Agreement with independent implementations


def logistic_regression(alpha, weight, fit_intercept=True):
    """The same model in scikit-learn's terms."""
    c = 1 / (alpha * weight.sum())
    return LogisticRegression(C=c, fit_intercept=fit_intercept, tol=1e-12, max_iter=10_000, solver="newton-cholesky")


@each_count
@pytest.mark.parametrize("solver", ["subspace_newton", "lbfgs"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", ["none", "sample", "balanced"])
@pytest.mark.parametrize("sparse", [False, True])
def test_softmax_is_logistic_regression(n_classes, solver, fit_intercept, weights, sparse):
    X, y, weight = draw(n_classes)
    X = sp.csr_matrix(X) if sparse else X
    weight = np.ones(len(y)) if weights == "none" else weight
    class_weight = "balanced" if weights == "balanced" else None
    ours = make("softmax", fit_intercept=fit_intercept, standardize=False, class_weight=class_weight, solver=solver)
    ours.fit(X, y, weight)
    total = weight if class_weight is None else weight * balancing(y, weight)[y]
    theirs = logistic_regression(0.05, total, fit_intercept).fit(X, y, total)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6, rtol=0)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6, rtol=0)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6, rtol=0)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("multilabel", [False, True])
def test_sigmoid_outputs_are_separate_logistic_regressions(fit_intercept, sparse, multilabel):
    X, y, weight = draw(3)
    X = sp.csr_array(X) if sparse else X
    indicator = np.eye(3, dtype=int)[y]
    if multilabel:
        indicator[::4] = [1, 1, 0]
    ours = make("sigmoid", fit_intercept=fit_intercept, standardize=False).fit(
        X, indicator if multilabel else y, weight
    )
    theirs = [logistic_regression(0.05, weight, fit_intercept).fit(X, column, weight) for column in indicator.T]
    assert_allclose(ours.coef_, np.vstack([model.coef_ for model in theirs]), atol=1e-6, rtol=0)
    assert_allclose(ours.intercept_, np.hstack([model.intercept_ for model in theirs]), atol=1e-6, rtol=0)
    proba = np.column_stack([model.predict_proba(X)[:, 1] for model in theirs])
    if not multilabel:
        proba /= proba.sum(axis=1, keepdims=True)
    assert_allclose(ours.predict_proba(X), proba, atol=1e-6, rtol=0)


def test_standardized_softmax_is_logistic_regression_behind_a_scaler():
    X, y = load_wine(return_X_y=True)
    ours = SoftmaxClassifier(alpha=0.01, tol=1e-12).fit(X, y)
    theirs = make_pipeline(StandardScaler(), logistic_regression(0.01, np.ones(len(y)))).fit(X, y)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6, rtol=0)


def hinge_terms(logits, y, form):
    """Violations of every row, one column each; what is charged is their positive parts (or the largest of these)."""
    rows = np.arange(len(y))
    if logits.shape[1] == 1:
        return 1 - (2 * y - 1)[:, None] * logits
    if form == "ovr":
        return 1 - (2 * np.eye(logits.shape[1])[y] - 1) * logits
    terms = 1 + logits - logits[rows, y][:, None]
    terms[rows, y] = 0
    return terms


def svm_objective(coef, intercept, X, y, weight, alpha, form, squared=False):
    terms = np.maximum(hinge_terms(X @ coef.T + intercept, y, form), 0) ** (2 if squared else 1)
    charge = terms.max(axis=1) if form == "crammer_singer" else terms.sum(axis=1)
    return weight @ charge / weight.sum() + alpha / 2 * (coef**2).sum()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("model", ["squared-ovr", "ovr", "crammer_singer"])
@each_count
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.filterwarnings("ignore:Liblinear failed to converge:sklearn.exceptions.ConvergenceWarning")
def test_svm_is_no_worse_than_liblinear_and_certified_against_it(model, n_classes, fit_intercept, sparse):
    X, y, weight = draw(n_classes)
    squared, form = model.startswith("squared"), HINGES.get(model, SMOOTH.get(model)).multi_class
    rows = sp.csr_matrix(X) if sparse else X
    ours = make(model, standardize=False, fit_intercept=fit_intercept).fit(rows, y, weight)
    theirs = LinearSVC(
        C=1 / (0.05 * weight.sum()),
        loss="squared_hinge" if squared else "hinge",
        multi_class="crammer_singer" if form == "crammer_singer" and n_classes > 2 else "ovr",
        dual=not squared,
        fit_intercept=fit_intercept,
        tol=1e-10,
        max_iter=20_000,
        random_state=0,
    ).fit(rows, y, weight)
    value, reference = (
        svm_objective(fitted.coef_, fitted.intercept_, X, y, weight, 0.05, form, squared) for fitted in (ours, theirs)
    )
    assert_allclose(ours.objective_, value, rtol=1e3 * EPS)
    assert reference >= value * (1 - ours.duality_gap_) - 1e3 * EPS
    # An intercept is penalized in liblinear, which is then another problem.
    if not fit_intercept:
        assert_allclose(reference, value, rtol=1e-4)
        gap = max(reference - value, 0) + ours.duality_gap_ * value
        assert np.linalg.norm(theirs.coef_ - ours.coef_) <= np.sqrt(2 * gap / 0.05) + 1e-7


def svm_reference(X, y, weight, alpha, form, n_outputs):
    """Minimum of the SVM's quadratic program over weights, biases and slacks, by sequential quadratic programming."""
    n, d = X.shape
    n_params, per_row = (d + 1) * n_outputs, 1 if form == "crammer_singer" else n_outputs
    charge = np.repeat(weight / weight.sum(), per_row).reshape(n, per_row)
    if form == "weston_watkins" and n_outputs > 1:
        charge[np.arange(n), y] = 0
    cost, curvature = np.zeros(n_params + n * per_row), np.zeros(n_params + n * per_row)
    cost[n_params:], curvature[: d * n_outputs] = charge.ravel(), alpha

    def surplus(point):
        params, slack = point[:n_params].reshape(d + 1, n_outputs), point[n_params:].reshape(n, per_row)
        return (slack - hinge_terms(X @ params[:-1] + params[-1], y, form)).ravel()

    constant = surplus(np.zeros(len(cost)))
    slopes = np.column_stack([surplus(unit) - constant for unit in np.eye(len(cost))])
    return minimize(
        lambda point: (cost @ point + curvature @ point**2 / 2, cost + curvature * point),
        np.zeros(len(cost)),
        jac=True,
        method="SLSQP",
        bounds=[(None, None)] * n_params + [(0, None)] * (n * per_row),
        constraints={"type": "ineq", "fun": lambda point: constant + slopes @ point, "jac": lambda point: slopes},
        options={"maxiter": 1000, "ftol": 1e-15},
    )


@pytest.mark.parametrize("form", HINGES)
@pytest.mark.parametrize("seed", range(3))
@each_count
def test_hinges_reach_the_minimum_of_their_quadratic_program(form, n_classes, seed):
    X, y, weight = draw(n_classes, n=12, d=2, seed=seed)
    X /= X.std(axis=0)
    ours = make(form, standardize=False).fit(X, y, weight)
    found = svm_reference(X, y, weight, 0.05, form, 1 if n_classes == 2 else n_classes)
    assert found.success, found.message
    assert_allclose(ours.objective_, found.fun, rtol=1e-9)
    assert_allclose(svm_objective(ours.coef_, ours.intercept_, X, y, weight, 0.05, form), ours.objective_, rtol=1e-12)
    expected = found.x[: 3 * ours.coef_.shape[0]].reshape(3, -1).T
    assert np.linalg.norm(ours.coef_ - expected[:, :-1]) <= np.sqrt(2 * 1e-9 * found.fun / 0.05) + reach(ours)


@pytest.mark.parametrize("form", HINGES)
@pytest.mark.parametrize("n", [8, 20])
def test_few_rows_of_two_columns_are_solved_and_certified_honestly(form, n):
    # More directions than columns: steps are combinations that nearly cancel.
    for seed in range(6):
        X, y, weight = draw(n=n, d=2, seed=seed)
        X /= X.std(axis=0)
        fitted = make(form, standardize=False, tol=1e-9).fit(X, y, weight)
        value = svm_objective(fitted.coef_, fitted.intercept_, X, y, weight, 0.05, form)
        assert_allclose(fitted.objective_, value, rtol=1e-12)
        assert 0 <= fitted.duality_gap_ <= 1e-9


@pytest.mark.parametrize("squared", [False, True])
def test_weston_watkins_matches_a_generic_optimizer(squared):
    # The squared form is smooth, so a derivative-free check of it needs no constraints.
    X, y, weight = draw(3, n=20, d=2, seed=4)
    X /= X.std(axis=0)
    model = "squared-ww" if squared else "weston_watkins"
    ours = make(model, standardize=False).fit(X, y, weight)

    def objective(point):
        params = point.reshape(3, 3)
        return svm_objective(params[:, :2], params[:, 2], X, y, weight, 0.05, "weston_watkins", squared)

    best = np.hstack([ours.coef_, ours.intercept_[:, None]]).ravel()
    assert_allclose(objective(best), ours.objective_, rtol=1e3 * EPS)
    random = np.random.default_rng(0)
    around = [objective(best + 10.0 ** -random.integers(0, 6) * random.standard_normal(9)) for _ in range(300)]
    assert min(around) >= ours.objective_ * (1 - ours.duality_gap_)
    if squared:
        found = minimize(objective, np.zeros(9), method="BFGS", options={"gtol": 1e-7})
        assert_allclose(found.fun, ours.objective_, rtol=1e-9)


# What a fit promises


@each_solver
def test_the_gap_bounds_the_distance_to_the_minimum(model, n_classes, solver):
    X, y, weight = draw(n_classes)
    best = make(model).fit(X, y, weight)
    for tol in (0.5, 0.05, 1e-3):
        loose = make(model, tol=tol, solver=solver).fit(X, y, weight)
        assert loose.duality_gap_ <= tol
        assert loose.objective_ >= best.objective_ * (1 - best.duality_gap_)
        assert loose.objective_ * (1 - loose.duality_gap_) <= best.objective_ * (1 + 4 * EPS)
        assert np.linalg.norm((loose.coef_ - best.coef_) * X.std(axis=0)) <= reach(loose, best) + 1e-9


@each_model
def test_objective_is_that_of_the_coefficients(model):
    X, y, weight = draw()
    fitted = make(model, standardize=False, class_weight="balanced").fit(X, y, weight)
    total = weight * balancing(y, weight)[y]
    logits = X @ fitted.coef_.T + fitted.intercept_
    if model == "softmax":
        loss = -log_softmax(logits, axis=1)[np.arange(len(y)), y]
    elif model == "sigmoid":
        loss = np.log1p(np.exp(-(2 * np.eye(3)[y] - 1) * logits)).sum(axis=1)
    else:
        form = MODELS[model].multi_class
        loss = None
        value = svm_objective(fitted.coef_, fitted.intercept_, X, y, total, 0.05, form, model in SMOOTH)
    if loss is not None:
        value = total @ loss / total.sum() + 0.025 * (fitted.coef_**2).sum()
    assert_allclose(fitted.objective_, value, rtol=1e3 * EPS)
    assert_allclose(fitted.decision_function(X), logits, rtol=0, atol=1e2 * EPS * np.abs(logits).max())
    assert_array_equal(fitted.predict(X), logits.argmax(axis=1))


@each_model
@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 2: 0.5}])
def test_alpha_scale_is_a_logit_variance_of_twenty(model, class_weight):
    X, y, weight = draw()
    total = (weight * np.array([3.0, 1.0, 0.5])[y]).sum() if class_weight else weight.sum()
    spread = np.trace(np.cov(X.T, aweights=weight, ddof=0))
    for rows, trace in ((X, 5.0), (sp.csr_array(X), spread), (np.hstack([X, np.full((len(X), 2), 3.0)]), 5.0)):
        fitted = make(model, alpha="scale", tol=1e-2, class_weight=class_weight).fit(rows, y, weight)
        assert_allclose(fitted.alpha_, trace / (20 * total), rtol=1e-12)


@each_model
def test_balanced_classes_have_equal_weight(model):
    X, y, weight = draw()
    y[y == 1] *= np.arange((y == 1).sum()) % 3 > 0
    factors = balancing(y, weight)
    balanced = make(model, class_weight="balanced").fit(X, y, weight)
    by_hand = make(model, class_weight=dict(enumerate(factors))).fit(X, y, weight)
    assert_same_optimum(balanced, by_hand, scale=X.std(axis=0))
    assert_allclose(balanced.coef_, by_hand.coef_, rtol=1e-6, atol=1e-9)
    as_weights = make(model, standardize=False).fit(X, y, weight * factors[y])
    assert_same_optimum(make(model, class_weight="balanced", standardize=False).fit(X, y, weight), as_weights)
    repeated = np.repeat(np.arange(len(y)), weight.astype(int))
    assert_same_optimum(
        balanced, make(model, class_weight="balanced").fit(X[repeated], y[repeated]), scale=X.std(axis=0)
    )


@each_solver
def test_warm_start_takes_fewer_iterations_to_the_same_solution(model, n_classes, solver):
    X, y, weight = draw(n_classes)
    cold = make(model, tol=1e-9, solver=solver).fit(X, y, weight)
    warm = make(model, tol=1e-9, solver=solver, warm_start=True, alpha=0.06).fit(X, y, weight)
    warm.set_params(alpha=0.05).fit(X, y, weight)
    assert warm.n_iter_ <= cold.n_iter_
    assert warm.loss_curve_[0] < cold.loss_curve_[0]
    assert_same_optimum(cold, warm, scale=X.std(axis=0))
    again = warm.fit(X, y, weight)
    assert again.n_iter_ <= max(1, cold.n_iter_ // 2)
    assert_same_optimum(cold, again, scale=X.std(axis=0))


def test_warm_start_from_other_classes_or_columns_starts_anew():
    X, y, weight = draw(3)
    warm = make("softmax", warm_start=True).fit(X, y, weight)
    for other in ((X, y + 1, weight), (X[:, :3], y, weight), (X, y % 2, weight)):
        assert_array_equal(clone(warm).fit(*other).coef_, warm.fit(*other).coef_)


@each_model
def test_same_seed_same_fit_and_other_seeds_agree_to_the_gap(model):
    X, y, weight = draw(3, n=2000, d=10)
    once, again = (make(model, tol=1e-6, random_state=3).fit(X, y, weight) for _ in range(2))
    assert_array_equal(once.coef_, again.coef_)
    for seed in (np.random.RandomState(5), None):
        other = make(model, tol=1e-6, random_state=seed).fit(X, y, weight)
        assert_same_optimum(once, other, scale=X.std(axis=0))


@each_solver
def test_loss_curve_falls_to_the_objective(model, n_classes, solver):
    X, y, weight = draw(n_classes)
    fitted = make(model, tol=1e-8, solver=solver).fit(X, y, weight)
    assert len(fitted.loss_curve_) == fitted.n_iter_ + 1
    assert (np.diff(fitted.loss_curve_) <= 10 * EPS * fitted.loss_curve_[:-1]).all()
    assert_allclose(fitted.loss_curve_[-1], fitted.objective_, rtol=1e-8)


def test_verbose_prints_a_line_per_iteration(capsys):
    X, y, weight = draw()
    fitted = make("softmax", verbose=1).fit(X, y, weight)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == fitted.n_iter_ + 1
    assert all(line.startswith("[SoftmaxClassifier]") and "gap" in line for line in lines)
    make("softmax").fit(X, y, weight)
    assert not capsys.readouterr().out


# Containers and precision

DENSE = {
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": lambda X: X.astype(">f8"),
    "longdouble": lambda X: X.astype(np.longdouble),
    "list": lambda X: X.tolist(),
    "object": lambda X: X.astype(object),
}
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "bool", "float16"]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


each_kind_of_loss = pytest.mark.parametrize("model", ["softmax", "squared-ovr", "weston_watkins"])


@pytest.mark.parametrize("container", DENSE)
@each_kind_of_loss
def test_any_dense_container_gives_the_same_fit(model, container):
    X, y, weight = draw()
    plain, other = make(model).fit(X, y, weight), make(model).fit(DENSE[container](X), y, weight)
    assert_same_optimum(plain, other, scale=X.std(axis=0))
    logits = plain.decision_function(X)
    # Sums of products are formed in another order.
    assert_allclose(plain.decision_function(DENSE[container](X)), logits, rtol=0, atol=1e3 * EPS * np.abs(logits).max())


@each_kind_of_loss
def test_read_only_memory_maps_and_their_predictions(model, tmp_path):
    X, y, weight = draw()
    plain = make(model).fit(X, y, weight)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for rows in (mapped, read_only(X)):
        fitted = make(model).fit(rows, read_only(y), read_only(weight))
        assert_array_equal(fitted.coef_, plain.coef_)
        assert_array_equal(fitted.predict(rows), plain.predict(X))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("model", ["softmax", "weston_watkins"])
def test_integers_and_flags_are_numbers(model, dtype, sparse):
    X, y, weight = draw()
    X = np.clip(np.round(2 * X), 0, 100).astype(dtype)
    convert = sp.csr_array if sparse else np.asarray
    if dtype == "float16" and sparse:
        return
    plain, typed = make(model).fit(convert(X.astype(np.float64)), y, weight), make(model).fit(convert(X), y, weight)
    assert_same_optimum(plain, typed, scale=X.astype(np.float64).std(axis=0) + 1)
    expected = np.float32 if dtype == "float16" else np.float64
    assert typed.decision_function(convert(X)).dtype == expected


@each_kind_of_loss
@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array])
def test_sparse_rows_with_wide_indices_repeats_and_stored_zeros(model, kind):
    X, y, weight = draw()
    X = np.where(np.abs(X) > 0.7, X, 0)
    plain = make(model).fit(sp.csr_array(X), y, weight)
    wide = kind(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    rows, columns = np.nonzero(np.ones_like(X))
    halves = np.hstack([X.ravel() / 2, X.ravel() / 2])
    repeated = kind(
        (halves, np.hstack([columns, columns]), np.arange(0, 2 * X.size + 1, 2 * X.shape[1])), shape=X.shape
    )
    # Row by row: each row's entries twice, zeros included, unsorted.
    order = np.argsort(np.hstack([rows, rows]), kind="stable")[::1]
    repeated = kind((halves[order], np.hstack([columns, columns])[order], repeated.indptr), shape=X.shape)
    assert not repeated.has_canonical_format
    before = repeated.copy()
    for matrix in (wide, repeated):
        fitted = make(model).fit(matrix, y, weight)
        assert_same_optimum(plain, fitted)
        assert_allclose(fitted.decision_function(matrix), fitted.decision_function(X), atol=1e-10)
    assert_array_equal(repeated.indices, before.indices)
    assert_array_equal(repeated.data, before.data)


@each_kind_of_loss
@pytest.mark.parametrize("sparse", [False, True])
def test_inputs_are_not_written_to(model, sparse):
    X, y, weight = draw()
    X = np.asarray(X + 100, dtype=np.float32)
    given = sp.csr_array(X) if sparse else X.copy()
    labels, weights = y.copy(), weight.copy()
    make(model, class_weight="balanced", tol=1e-4).fit(given, labels, weights).decision_function(given)
    assert_array_equal(given.toarray() if sparse else given, X)
    assert given.dtype == np.float32
    assert_array_equal(labels, y)
    assert_array_equal(weights, weight)


@each_problem
@pytest.mark.parametrize("sparse", [False, True])
def test_float32_rows_give_float32_logits_and_a_float64_certificate(model, n_classes, sparse):
    X, y, weight = draw(n_classes, n=200)
    X = X.astype(np.float32)
    convert = sp.csr_array if sparse else np.asarray
    single = make(model, tol=1e-8, standardize=True).fit(convert(X), y, weight)
    double = make(model, tol=1e-8, standardize=True).fit(convert(X.astype(np.float64)), y, weight)
    assert_same_optimum(double, single, scale=X.std(axis=0))
    assert single.coef_.dtype == single.intercept_.dtype == np.float64
    logits = single.decision_function(convert(X))
    assert logits.dtype == np.float32
    exact = X.astype(np.float64) @ single.coef_.T + single.intercept_
    # Rounding of one product of d terms, each at most |x| |w|.
    size = np.abs(X) @ np.abs(single.coef_.T) + np.abs(single.intercept_)
    error = np.abs(logits.reshape(len(X), -1) - exact)
    assert (error <= 2 * (X.shape[1] + 2) * np.finfo(np.float32).eps * size).all()
    if model in ("softmax", "sigmoid"):
        assert single.predict_proba(convert(X)).dtype == np.float32
        assert single.predict_log_proba(convert(X)).dtype == np.float32


@each_kind_of_loss
@pytest.mark.parametrize("offset", [1e3, 1e5, 1e6])
def test_float32_columns_far_from_zero(model, offset):
    X, y, weight = draw(n=200)
    X = (X / X.std(axis=0) + offset).astype(np.float32)
    single = make(model, tol=1e-8).fit(X, y, weight)
    double = make(model, tol=1e-8).fit(X.astype(np.float64), y, weight)
    assert_same_optimum(double, single, scale=X.astype(np.float64).std(axis=0))
    expected = double.decision_function(X.astype(np.float64))
    slack = 20 * reach(single, double) + 100 * np.finfo(np.float32).eps * np.abs(expected).max()
    assert_allclose(single.decision_function(X), expected, rtol=0, atol=slack)
    from_sparse = make(model, tol=1e-8).set_params(standardize=True).fit(sp.csr_array(X), y, weight)
    for container in (np.asarray, sp.csr_array):
        found = from_sparse.decision_function(container(X))
        assert found.dtype == np.float32
        assert_allclose(found, expected, rtol=0, atol=slack)


# Probabilities


@each_count
@pytest.mark.parametrize(
    "classifier", [SoftmaxClassifier(), SigmoidClassifier(), LinearSVMClassifier(loss="squared_hinge", cv=2)]
)
def test_logarithms_of_probabilities_stay_finite_where_these_underflow(classifier, n_classes):
    X, y, _ = draw(n_classes)
    fitted = clone(classifier).fit(X, y)
    proba, log_proba = fitted.predict_proba(X), fitted.predict_log_proba(X)
    assert_allclose(log_proba, np.log(proba), rtol=1e-12, atol=1e-14)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-14)
    assert_array_equal(fitted.classes_[proba.argmax(axis=1)], fitted.predict(X))
    far = 1e4 * X
    assert (fitted.predict_proba(far) == 0).any()
    assert np.isfinite(fitted.predict_log_proba(far)).all()
    assert_allclose(fitted.predict_proba(far).sum(axis=1), 1, rtol=1e-14)


def test_one_versus_rest_probabilities_where_every_output_says_no():
    X, y, _ = draw()
    fitted = SigmoidClassifier(alpha=1e-3).fit(X, y)
    fitted.intercept_ -= 2000.0
    logits = fitted.decision_function(X)
    assert_allclose(fitted.predict_proba(X), softmax(logits, axis=1), atol=1e-12)
    assert np.isfinite(fitted.predict_log_proba(X)).all()


def out_of_fold_scores(classifier, X, y, weight, splits):
    """Scores of held-out rows by models that are fitted to the other rows alone."""
    scores, rows = [], []
    for train, test in splits:
        other = clone(classifier).set_params(probability=False).fit(X[train], y[train], weight[train])
        scores.append(other.decision_function(X[test]))
        rows.append(test)
    return np.concatenate(scores), np.concatenate(rows)


def best_temperature(scores, y, weight):
    """Minimum of the weighted log-loss over one number, on targets with one more row of every class."""
    logits = np.column_stack([-scores / 2, scores / 2]) if scores.ndim == 1 else scores
    n_classes, total = logits.shape[1], weight.sum()
    targets = (total * np.eye(n_classes)[y] + 1) / (total + n_classes)

    def log_loss(log_temperature):
        return -weight @ (targets * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(axis=1)

    return np.exp(minimize_scalar(log_loss, bounds=(-9, 9), method="bounded", options={"xatol": 1e-10}).x)


@each_count
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("weighted", [False, True])
def test_temperature_minimizes_the_log_loss_of_out_of_fold_scores(n_classes, loss, weighted):
    X, y, weight = draw(n_classes)
    weight = weight if weighted else np.ones(len(y))
    splits = list(StratifiedKFold(3).split(X, y))
    classifier = LinearSVMClassifier(alpha=0.05, loss=loss, tol=1e-11, cv=StratifiedKFold(3))
    fitted = clone(classifier).fit(X, y, weight)
    scores, rows = out_of_fold_scores(classifier, X, y, weight, splits)
    assert_allclose(fitted.temperature_, best_temperature(scores, y[rows], weight[rows]), rtol=1e-4)
    logits = fitted.decision_function(X) / fitted.temperature_
    proba = softmax(logits, axis=1) if n_classes > 2 else np.column_stack([expit(-logits), expit(logits)])
    assert_allclose(fitted.predict_proba(X), proba, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "squared_hinge"},
        {"loss": "squared_hinge", "solver": LBFGS()},
        {"loss": "squared_hinge", "solver": NewtonCG()},
        {"loss": "hinge"},
        {"loss": "hinge", "solver": Recentred()},
    ],
    ids=str,
)
def test_probabilities_of_noise_promise_nothing(options, seed):
    """Folds must not know the rows they leave out: all that a strong penalty leaves of a score is the row's own."""
    random = np.random.default_rng(seed)
    X, y = random.standard_normal((120, 100)), np.arange(120) % 2
    fitted = LinearSVMClassifier(alpha=10, **options).fit(X, y)
    unseen, labels = random.standard_normal((2000, 100)), random.integers(0, 2, 2000)
    assert log_loss(labels, fitted.predict_proba(unseen)) < 1.05 * np.log(2)


@pytest.mark.parametrize("alpha", [1e-4, 0.04, 0.8, 100.0, 1e4])
@pytest.mark.parametrize("n_rows", [120, 600])
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "hinge"},
        {"loss": "hinge", "solver": Recentred()},
        {"loss": "squared_hinge"},
        {"loss": "squared_hinge", "solver": "subspace_newton"},
        {"loss": "squared_hinge", "solver": "lbfgs"},
    ],
    ids=str,
)
def test_probabilities_of_noise_promise_nothing_whatever_the_penalty(options, n_rows, alpha):
    """The gap of a fold says least of what it knows where penalties are weak, or so strong that all gaps are small."""
    random = np.random.default_rng(0)
    X, y = random.standard_normal((n_rows, 100)), np.arange(n_rows) % 2
    fitted = LinearSVMClassifier(alpha=alpha, **options).fit(X, y)
    unseen, labels = random.standard_normal((2000, 100)), random.integers(0, 2, 2000)
    assert log_loss(labels, fitted.predict_proba(unseen)) < 1.05 * np.log(2)


@pytest.mark.parametrize("multi_class", ["weston_watkins", "crammer_singer", "ovr"])
def test_probabilities_of_more_columns_than_rows_of_noise(multi_class):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((90, 300)), np.arange(90) % 3
    unseen, labels = random.standard_normal((2000, 300)), random.integers(0, 3, 2000)
    for loss in ["hinge", "squared_hinge"][: 1 if multi_class == "crammer_singer" else 2]:
        fitted = LinearSVMClassifier(loss=loss, multi_class=multi_class).fit(X, y)
        assert log_loss(labels, fitted.predict_proba(unseen)) < 1.1 * np.log(3)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "hinge"},
        {"loss": "hinge", "multi_class": "ovr"},
        {"loss": "hinge", "solver": Recentred()},
        {"loss": "squared_hinge", "solver": "subspace_newton"},
    ],
    ids=str,
)
@pytest.mark.parametrize("alpha", ["scale", 1e-4])
def test_rough_folds_say_what_accurate_ones_say(options, alpha):
    X, y = load_wine(return_X_y=True)
    rough, accurate = (LinearSVMClassifier(alpha=alpha, tol=tol, **options).fit(X, y) for tol in (1e-4, 1e-8))
    # Rough by design, for the price of about a fit; what they must not do is to know the rows that they leave out.
    assert rough.temperature_ == pytest.approx(accurate.temperature_, rel=0.15)


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris, load_wine, load_digits])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_three_steps_say_what_the_solutions_of_folds_say(loss, load):
    X, y = load(return_X_y=True)
    options = {"multi_class": "ovr", "loss": loss}
    rough, accurate = (LinearSVMClassifier(tol=tol, **options).fit(X[:600], y[:600]) for tol in (1e-4, 1e-8))
    assert rough.temperature_ == pytest.approx(accurate.temperature_, rel=0.05)


@pytest.mark.parametrize(
    "options", [{"solver": Recentred()}, {"loss": "squared_hinge", "solver": "subspace_newton"}], ids=str
)
def test_folds_take_about_as_many_steps_as_the_fit(options, monkeypatch):
    steps = []

    def counted(objective, params=None, **settings):
        result = solve(objective, params, **settings)
        steps.append(result.n_iter)
        return result

    monkeypatch.setattr("skgradlinear.estimators._svm.solve", counted)
    X, y = load_digits(return_X_y=True)
    fitted = LinearSVMClassifier(**options).fit(X[:800], y[:800])
    assert len(steps) == 5
    assert sum(steps) <= 1.5 * fitted.n_iter_


def test_cv_takes_a_splitter_an_iterable_and_a_number():
    X, y, _ = draw()
    classifier = LinearSVMClassifier(alpha=0.05, loss="squared_hinge", tol=1e-8)
    fold = (np.arange(len(y)) // 7) % 3
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    first = clone(classifier).set_params(cv=splits).fit(X, y)
    for cv in (PredefinedSplit(fold), tuple(splits)):
        assert clone(classifier).set_params(cv=cv).fit(X, y).temperature_ == first.temperature_
    # A number deals out the rows of every class in turn.
    fold = np.empty(len(y), dtype=int)
    fold[np.argsort(y, kind="stable")] = np.arange(len(y)) % 4
    dealt = clone(classifier).set_params(cv=PredefinedSplit(fold)).fit(X, y)
    assert clone(classifier).set_params(cv=4).fit(X, y).temperature_ == dealt.temperature_


@each_count
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_probabilities_keep_the_order_of_the_scores(n_classes, loss):
    X, y, _ = draw(n_classes)
    fitted = LinearSVMClassifier(loss=loss).fit(X, y)
    scores, proba = fitted.decision_function(X), fitted.predict_proba(X)
    assert fitted.temperature_ > 0
    assert_array_equal(fitted.classes_[proba.argmax(axis=1)], fitted.predict(X))
    if n_classes == 2:
        assert (np.diff(proba[np.argsort(scores), 1]) >= 0).all()
    else:
        assert_array_equal(np.argsort(proba, axis=1), np.argsort(scores, axis=1))


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_tiny_classes_get_probabilities(members, loss):
    X, y, _ = draw(2)
    y[y == 1] = 2
    y[:members] = 1
    fitted = LinearSVMClassifier(loss=loss).fit(X, y)
    proba = fitted.predict_proba(X)
    assert proba.shape == (len(X), 3)
    assert np.isfinite(proba).all()
    assert 0 < fitted.temperature_ < np.inf


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_fewest_rows_get_probabilities(rows):
    X, y, _ = draw(2, n=rows)
    y[:2] = [0, 1]
    fitted = LinearSVMClassifier().fit(X, y)
    assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)
    if rows == 2:
        assert fitted.temperature_ == 1


def test_rows_of_a_class_that_the_other_folds_lack_are_not_scored():
    X, y, _ = draw(3)
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    classifier = LinearSVMClassifier(loss="squared_hinge", cv=KFold(3))
    # Each fold is a whole class, so that there is nothing to learn a temperature from.
    assert clone(classifier).fit(X, y).temperature_ == 1
    assert clone(classifier).set_params(cv=KFold(4)).fit(X, y).temperature_ != 1


def test_probabilities_of_zero_weight_rows_are_those_of_the_rows_left():
    X, y, weight = draw()
    weight[::3] = 0
    fold = np.arange(len(y)) % 2
    kept = weight > 0
    classifier = LinearSVMClassifier(alpha=0.05, loss="squared_hinge", tol=1e-12)
    for splits in ((PredefinedSplit(fold), PredefinedSplit(fold[kept])), (3, 3)):
        zeroed = clone(classifier).set_params(cv=splits[0]).fit(X, y, weight)
        dropped = clone(classifier).set_params(cv=splits[1]).fit(X[kept], y[kept], weight[kept])
        assert_allclose(zeroed.temperature_, dropped.temperature_, rtol=1e-5)


def test_folds_learn_from_the_rows_that_the_splitter_names():
    X, y, _ = draw()
    n = len(y)
    classifier = LinearSVMClassifier(alpha=0.05, loss="squared_hinge", tol=1e-12)
    few = clone(classifier).set_params(cv=[(np.arange(n // 4), np.arange(n // 2, n))]).fit(X, y)
    alone = clone(classifier).set_params(cv=2, alpha=0.05).fit(X[: n // 4], y[: n // 4])
    codes = np.unique(y, return_inverse=True)[1]
    best = best_temperature(alone.decision_function(X[n // 2 :]), codes[n // 2 :], np.ones(n - n // 2))
    assert_allclose(few.temperature_, best, rtol=1e-4)


def test_probabilities_asked_for_after_a_fit_without():
    X, y, _ = draw()
    fitted = LinearSVMClassifier(loss="squared_hinge", probability=False).fit(X, y)
    with pytest.raises(AttributeError, match="predict_proba") as raised:
        fitted.set_params(probability="temperature").predict_proba(X)
    assert "fit again" in str(raised.value.__cause__)


# Multilabel


def indicators(n_labels=3):
    X, y, weight = draw(n_labels)
    Y = np.eye(n_labels, dtype=int)[y]
    Y[::4, 0] = 1
    Y[1::5] = 0
    return X, Y, weight


def test_multilabel_outputs_are_columns():
    X, Y, weight = indicators()
    fitted = SigmoidClassifier().fit(X, Y, weight)
    assert_array_equal(fitted.classes_, [0, 1, 2])
    assert fitted.coef_.shape == (3, 5)
    assert (
        fitted.decision_function(X).shape
        == fitted.predict_proba(X).shape
        == fitted.predict_log_proba(X).shape
        == Y.shape
    )
    assert_allclose(fitted.predict_proba(X), expit(fitted.decision_function(X)), rtol=1e-14)
    assert_array_equal(fitted.predict(X), fitted.predict_proba(X) > 0.5)
    for other in (sp.csr_matrix(Y), Y.astype(bool), Y.astype(float), Y.tolist()):
        assert_array_equal(SigmoidClassifier().fit(X, other, weight).coef_, fitted.coef_)


@pytest.mark.parametrize("constant", [0, 1])
@pytest.mark.parametrize("solver", ["subspace_newton", "lbfgs"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_label_that_never_or_always_holds_leaves_the_others_alone(constant, solver, fit_intercept):
    X, Y, weight = indicators()
    classifier = SigmoidClassifier(alpha=0.05, tol=1e-9, solver=solver, fit_intercept=fit_intercept)
    plain = clone(classifier).fit(X, Y, weight)
    fitted = clone(classifier).fit(X, np.column_stack([Y, np.full(len(Y), constant)]), weight)
    allowed = reach(plain, fitted) + 1e-9
    assert np.linalg.norm((fitted.coef_[:3] - plain.coef_) * X.std(axis=0)) <= allowed
    proba = fitted.predict_proba(X)[:, 3]
    assert np.isfinite(fitted.predict_log_proba(X)).all()
    if fit_intercept:
        # The gap bounds the sum over labels: the label itself costs no more than the gap.
        assert_allclose(proba, constant, atol=1e-6)
        assert_array_equal(fitted.predict(X)[:, 3], constant)


def test_one_label_is_a_column():
    X, Y, weight = indicators()
    fitted = SigmoidClassifier(tol=1e-10).fit(X, np.column_stack([Y[:, 0], Y[:, 0]]), weight)
    single = SigmoidClassifier(tol=1e-10, alpha=fitted.alpha_).fit(X, Y[:, 0], weight)
    for column in (0, 1):
        assert_allclose(fitted.coef_[column], single.coef_[0], atol=reach(fitted, single) / X.std(axis=0).min())


# Degenerate problems


@each_model
def test_more_columns_than_rows(model):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((20, 300)), np.arange(20) % 3
    for standardize in (True, False):
        # The objective is small here: the rounding of the bias gradient is a larger share of it.
        dense = make(model, standardize=standardize, tol=1e-9).fit(X, y)
        sparse = make(model, standardize=standardize, tol=1e-9).fit(sp.csr_array(X), y)
        assert_same_optimum(dense, sparse, scale=X.std(axis=0) if standardize else None)
        assert dense.score(X, y) == 1
    # The weights lie in the span of the rows (representer theorem).
    coef = dense.coef_.T
    outside = coef - X.T @ np.linalg.lstsq(X.T, coef, rcond=None)[0]
    assert np.linalg.norm(outside) <= reach(dense) + 1e-10


@each_problem
def test_one_column(model, n_classes):
    X, y, weight = draw(n_classes, d=1)
    fitted = make(model).fit(X, y, weight)
    assert fitted.coef_.shape == (1 if n_classes == 2 else 3, 1)
    with_junk = make(model).fit(np.hstack([X, np.zeros_like(X)]), y, weight)
    assert_same_optimum(fitted, with_junk, coef=np.hstack([fitted.coef_, np.zeros_like(fitted.coef_)]), scale=X.std())


@each_model
def test_two_rows(model):
    X, y = np.array([[0.0, 1.0], [2.0, 5.0]]), np.array(["no", "yes"])
    fitted = make(model, alpha="scale", tol=1e-10).fit(X, y)
    assert_array_equal(fitted.predict(X), y)
    # By symmetry the boundary lies half-way.
    assert_allclose(fitted.decision_function(X.mean(axis=0, keepdims=True)), 0, atol=1e-4)
    assert_allclose(fitted.coef_[0, 0], 2 * fitted.coef_[0, 1], rtol=1e-6)


@each_model
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("standardize", [True, False])
def test_constant_columns_have_no_coefficient(model, dtype, standardize):
    X, y, weight = draw()
    X = X.astype(dtype)
    constants = np.array([0.0, 1.0, 0.1, 1e8, 1e-30])
    both = np.hstack([X, np.tile(constants.astype(dtype), (len(X), 1))])
    plain = make(model, tol=1e-8, standardize=standardize).fit(X, y, weight)
    fitted = make(model, tol=1e-8, standardize=standardize).fit(both, y, weight)
    assert not fitted.coef_[:, 5:].any()
    scale = np.append(X.std(axis=0), np.ones(5)) if standardize else None
    assert_same_optimum(plain, fitted, coef=np.hstack([plain.coef_, np.zeros((3, 5))]), scale=scale)


# Not all hinges know the larger class by a bias alone: below one half, Crammer-Singer and one-versus-rest tie.
@pytest.mark.parametrize("model", [*SMOOTH, "weston_watkins"])
def test_nothing_but_constant_columns_leaves_the_base_rates(model):
    _, y, weight = draw()
    fitted = make(model, tol=1e-8).fit(np.full((len(y), 2), 7.0), y, weight)
    assert not fitted.coef_.any()
    assert_array_equal(fitted.predict(np.full((3, 2), 7.0)), np.full(3, np.bincount(y, weight).argmax()))
    if model == "softmax":
        assert_allclose(fitted.predict_proba([[7.0, 7.0]])[0], np.bincount(y, weight) / weight.sum(), atol=1e-6)


@each_model
def test_equal_columns_share_their_coefficient(model):
    X, y, weight = draw()
    fitted = make(model, alpha=0.1).fit(np.hstack([X, X]), y, weight)
    once = make(model, alpha=0.05).fit(X, y, weight)
    assert_same_optimum(once, fitted, coef=np.hstack([once.coef_, once.coef_]) / 2, scale=np.tile(X.std(axis=0), 2))


@each_count
@pytest.mark.parametrize("solver", ["subspace_newton", "lbfgs"])
def test_softmax_without_a_penalty_is_the_maximum_of_the_likelihood(n_classes, solver):
    X, y, weight = draw(n_classes)
    ours = SoftmaxClassifier(alpha=0, tol=1e-10, solver=solver).fit(X, y, weight)
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(X, y, weight)
    assert ours.alpha_ == 0
    assert np.isnan(ours.duality_gap_)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "classifier", [SoftmaxClassifier(alpha=0), LinearSVMClassifier(alpha=0, loss="squared_hinge", cv=2)]
)
def test_separable_rows_without_a_penalty_are_separated(classifier):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((20, 30)), np.arange(20) % 3
    fitted = clone(classifier).fit(X, y)
    assert fitted.score(X, y) == 1
    assert np.isfinite(fitted.coef_).all()
    assert fitted.objective_ < 1e-3


@pytest.mark.parametrize("form", HINGES)
def test_plain_hinges_without_a_penalty_get_the_least_one(form):
    X, y, weight = draw()
    fitted = make(form, alpha=0, tol=1e-6).fit(X, y, weight)
    assert_allclose(fitted.alpha_, 1e-6 * 5 / (20 * weight.sum()), rtol=1e-12)
    assert fitted.duality_gap_ <= 1e-6
    tiny = make(form, alpha=fitted.alpha_, tol=1e-6).fit(X, y, weight)
    assert_array_equal(tiny.coef_, fitted.coef_)


@each_model
@pytest.mark.parametrize("size", [1e30, 1e-30, 1e150, 1e-150])
def test_standardized_fits_do_not_know_the_unit_of_a_column(model, size):
    X, y, weight = draw()
    sizes = size ** np.array([1.0, 0.5, 0.0, -0.5, -1.0]) if 1e-100 < size < 1e100 else np.full(5, size)
    plain, scaled = make(model).fit(X, y, weight), make(model).fit(X * sizes, y, weight)
    assert_same_optimum(plain, scaled, coef=plain.coef_ / sizes, scale=sizes * X.std(axis=0))
    assert_array_equal(scaled.predict(X * sizes), plain.predict(X))


@each_model
@pytest.mark.parametrize("size", [1e30, 1e-5])
@pytest.mark.parametrize("sparse", [False, True])
def test_alpha_scale_does_not_know_the_unit_of_all_columns(model, size, sparse):
    X, y, weight = draw()
    convert = sp.csr_array if sparse else np.asarray
    plain, scaled = (
        make(model, alpha="scale", standardize=False, tol=1e-9).fit(convert(rows), y, weight) for rows in (X, X * size)
    )
    assert_allclose(scaled.alpha_, plain.alpha_ * size**2, rtol=1e-12)
    allowed = reach(plain) + reach(scaled) * size
    assert np.linalg.norm(scaled.coef_ * size - plain.coef_) <= allowed + 1e-9


@pytest.mark.parametrize(
    ("labels", "n_rows"),
    [
        (np.array([-100, 0, 100], np.int8), 500),
        (np.array([-20_000, 0, 20_000], np.int16), 50_000),
        (np.array([2**63, 2**63 + 1, 2**63 + 5], np.uint64), 60),
        (np.array([-(2**62), 0, 2**62]), 60),
    ],
    ids=str,
)
def test_integer_labels_of_any_width(labels, n_rows):
    random = np.random.default_rng(0)
    codes = np.arange(n_rows) % 3
    X = random.standard_normal((n_rows, 3)) + 2 * np.eye(3)[codes]
    model = SoftmaxClassifier(tol=1e-3).fit(X, labels[codes])
    assert_array_equal(model.classes_, labels)
    assert model.classes_.dtype == labels.dtype
    assert_allclose(model.coef_, SoftmaxClassifier(tol=1e-3).fit(X, codes).coef_)
    assert set(model.predict(X).tolist()) <= set(labels.tolist())


@pytest.mark.parametrize("model", [SigmoidClassifier(), SoftmaxClassifier()], ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("rare", [1e-15, 1e-17, 1e-30])
def test_a_class_of_next_to_no_weight_leaves_everything_finite(model, n_classes, rare):
    X = np.random.default_rng(0).standard_normal((90, 3))
    y = np.arange(90) % n_classes
    with warnings.catch_warnings():
        # Whether the objective of such weights can be certified is not the question here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = clone(model).fit(X, y, np.where(y == 0, rare, 1.0))
    assert np.isfinite(fitted.intercept_).all()
    assert np.isfinite(fitted.objective_)
    assert fitted.duality_gap_ > 0


@pytest.mark.parametrize("scale", [1e-8, 1e7, 1e9])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("alpha", [0, 1e-6])
def test_columns_of_any_scale_without_standardization(scale, n_classes, alpha):
    random = np.random.default_rng(0)
    X = random.standard_normal((300, 3))
    y = (2 * X @ random.standard_normal((3, n_classes)) + random.gumbel(size=(300, n_classes))).argmax(axis=1)
    fitted = SoftmaxClassifier(standardize=False, alpha=alpha).fit(X * [1, scale, 1], y)
    assert fitted.n_iter_ <= 25
