"""Learning from chunks: near the whole fit, the same function as moments move, constant memory, a good state kept."""

import copy
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_classification, make_multilabel_classification
from sklearn.linear_model import SGDClassifier
from zoo import each_frame

from skgradlinear import LinearSVMClassifier, Objective, SigmoidClassifier, SoftmaxClassifier
from skgradlinear._incremental_newton import flat_length
from skgradlinear._rows import wrap
from skgradlinear._standardization import Standardization
from skgradlinear._stored_hessian import BlockHessian, Change, DiagonalHessian, mean_hessian
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss
from skgradlinear.solvers import SGD, Adam, GradientDescent

FORMS = [(loss, form) for form in ("weston_watkins", "crammer_singer", "ovr") for loss in ("hinge", "squared_hinge")]
FORMS.remove(("squared_hinge", "crammer_singer"))
SVMS = [LinearSVMClassifier(loss=loss, multi_class=form, probability=False) for loss, form in FORMS]
ALL = [SoftmaxClassifier(), SigmoidClassifier(), *SVMS]
NAMES = ["softmax", "sigmoid", *(f"{form}-{loss}" for loss, form in FORMS)]
SHORT = [SoftmaxClassifier(), SigmoidClassifier(), LinearSVMClassifier()]
each = pytest.mark.parametrize("estimator", SHORT, ids=lambda estimator: type(estimator).__name__)


def stream(model, X, y, size, *, rounds=1, weight=None, **options):
    for _ in range(rounds):
        for start in range(0, X.shape[0], size):
            rows = slice(start, start + size)
            model.partial_fit(X[rows], y[rows], sample_weight=None if weight is None else weight[rows], **options)
    return model


def blobs(n=4000, d=12, n_classes=4, seed=0):
    X, y = make_classification(
        n, d, n_informative=8, n_classes=n_classes, n_clusters_per_class=1, class_sep=0.7, random_state=seed
    )
    return X * np.logspace(-2, 2, d) + np.arange(d), y


def same(one, other):
    assert vars(one).keys() == vars(other).keys()
    assert pickle.dumps(one) == pickle.dumps(other)


@pytest.mark.parametrize("size", [500, 2000])
@pytest.mark.parametrize("factor", [1, 100])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("estimator", ALL, ids=NAMES)
def test_three_rounds_come_within_a_percent_of_the_whole_fit(estimator, n_classes, factor, size):
    X, y = blobs(n_classes=n_classes)
    model = clone(estimator).set_params(alpha=factor / len(y))
    best = clone(model).set_params(tol=1e-3).fit(X, y)
    stream(model, X, y, size, rounds=3, classes=np.unique(y))
    objective, gap = model.certificate(X, y)
    assert best.objective_ * (1 - best.duality_gap_) <= objective <= 1.01 * best.objective_
    assert gap >= 1 - best.objective_ / objective - 1e-9


def test_multilabel_rounds_come_within_a_percent():
    X, y = make_multilabel_classification(3000, n_features=15, n_classes=4, random_state=0)
    model = stream(SigmoidClassifier(alpha=1e-3), X, y, 500, rounds=3)
    best = SigmoidClassifier(alpha=1e-3).fit(X, y)
    assert model.certificate(X, y)[0] <= 1.01 * best.objective_
    assert_array_equal(model.classes_, np.arange(4))
    assert model.predict(X).shape == y.shape
    assert_array_equal(stream(SigmoidClassifier(alpha=1e-3), X, sp.csr_array(y), 500, rounds=3).coef_, model.coef_)


@pytest.mark.parametrize("standardize", ["auto", True])
@each
def test_sparse_chunks_agree_with_dense_ones(estimator, standardize):
    X, y = blobs(1200)
    X[np.random.default_rng(0).random(X.shape) < 0.8] = 0.0
    options = {"classes": range(4)}
    sparse = clone(estimator).set_params(alpha=1e-2, standardize=standardize)
    dense = clone(sparse).set_params(standardize=standardize is True)
    stream(sparse, sp.csr_matrix(X), y, 300, rounds=2, **options)
    stream(dense, X, y, 300, rounds=2, **options)
    assert_allclose(sparse.decision_function(X), dense.decision_function(X), atol=2e-3)


def test_wide_chunks_keep_a_diagonal(monkeypatch):
    monkeypatch.setattr("skgradlinear._stored_hessian.MAX_BLOCK_ENTRIES", 10)
    X, y = blobs()
    for rows in (X, sp.csr_array(X)):
        model = stream(SoftmaxClassifier(alpha=1e-2, standardize=True), rows, y, 500, rounds=4, classes=range(4))
        assert isinstance(model._stream.memory.hessian, DiagonalHessian)
        best = SoftmaxClassifier(alpha=1e-2, standardize=True).fit(rows, y)
        assert model.certificate(rows, y)[0] <= 1.01 * best.objective_


def test_moments_are_those_of_all_rows_by_weight():
    X, y = blobs(1000)
    weight = np.random.default_rng(0).uniform(0, 3, len(y))
    model = stream(SoftmaxClassifier(), X, y, 130, weight=weight, classes=range(4))
    assert_allclose(model._stream.moments.mean, np.average(X, axis=0, weights=weight), rtol=1e-12)
    variance = np.average((X - np.average(X, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    assert_allclose(model._stream.moments.variance, variance, rtol=1e-10)
    assert_allclose(model.alpha_, 12 / (20 * weight.sum()), rtol=1e-12)
    assert_allclose(model.t_, weight.sum(), rtol=1e-12)


def test_scale_times_rows_is_the_alpha_of_fit():
    X, y = blobs(1000)
    assert_allclose(
        stream(SoftmaxClassifier(), X, y, 100, classes=range(4)).alpha_, SoftmaxClassifier().fit(X, y).alpha_
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_change_of_moments_leaves_the_function_and_its_derivatives(fit_intercept, monkeypatch):
    monkeypatch.setattr("skgradlinear._stored_hessian.FAINT", 0.0)
    monkeypatch.setattr("skgradlinear._stored_hessian.GRAM_SHARE", 0.0)
    rng = np.random.default_rng(0)
    X, y = rng.normal(3, 2, (50, 4)), rng.integers(0, 2, 50)
    options = {"standardize": True, "fit_intercept": fit_intercept, "dtype": X.dtype, "may_pivot": True}
    old = Standardization.from_moments(wrap(X).moments(np.ones(50)), **options)
    new = Standardization.from_moments(wrap(X * [1, 5, 0.1, 1] + [0, 1, 7, -2]).moments(np.ones(50)), **options)
    change = Change.between(old, new)
    now, before = (Objective(X, y, SigmoidLoss(), fit_intercept=fit_intercept) for _ in range(2))
    now.standardization, before.standardization = new, old
    params = rng.normal(size=(5, 1))
    earlier = old.from_original_units(*new.to_original_units(params))
    assert_allclose(now.logits(params), before.logits(earlier), rtol=1e-10)
    gradient = before.value_and_gradient(earlier)[1]
    assert_allclose(change.gradient(gradient), now.value_and_gradient(params)[1], atol=1e-12)
    direction = rng.normal(size=(5, 1))
    moved = mean_hessian(before, before.at(earlier)).moved(change)
    assert_allclose(moved.times(direction), now.hessp(params, direction), atol=1e-12)
    diagonal = DiagonalHessian(np.einsum("kii->ik", mean_hessian(before, before.at(earlier)).blocks).copy())
    diagonal_as_block = BlockHessian(np.diag(diagonal.entries[:, 0])[None])
    assert_allclose(diagonal.moved(change).entries[:, 0], np.diag(diagonal_as_block.moved(change).blocks[0]))


def test_the_mean_hessian_is_that_of_the_objective(monkeypatch):
    monkeypatch.setattr("skgradlinear._stored_hessian.GRAM_SHARE", 0.0)
    X, y = blobs(300, n_classes=2)
    X = X.astype(np.float64)
    for rows in (X, sp.csr_matrix(X)):
        objective = Objective(rows, y, SigmoidLoss(), sample_weight=np.random.default_rng(0).random(300))
        point = objective.at(np.random.default_rng(1).normal(size=objective.shape))
        hessian = np.hstack([objective.hessp_at(point, unit[:, None]) for unit in np.eye(objective.shape[0])])
        assert_allclose(mean_hessian(objective, point).blocks[0], hessian, atol=2e-4 * np.abs(hessian).max())


def test_flat_length_finds_the_minimum_of_parabolas_far_and_near():
    for length in (1e-4, 0.3, 1.0, 50.0, 1e5):
        found = flat_length(lambda step, length=length: step / length - 1, -1.0)
        assert abs(found / length - 1) <= 0.1


def test_a_column_that_was_constant_comes_alive():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = (X[:, 2] + 0.3 * rng.normal(size=2000) > 0).astype(int)
    X[:500, 2] = 7.0
    X[500:, 2] += 7.0
    model = SoftmaxClassifier(alpha=1e-3).partial_fit(X[:500], rng.integers(0, 2, 500), classes=[0, 1])
    assert model.coef_[0, 2] == 0
    before = model.decision_function(X[:500])
    stream(model, X[500:], y[500:], 500)
    assert abs(model.coef_[0, 2]) > 1
    assert np.isfinite(before).all()
    assert model.score(X[500:], y[500:]) > 0.85


@pytest.mark.parametrize("estimator", [SoftmaxClassifier(), *SVMS[:2]], ids=["softmax", *NAMES[2:4]])
def test_rare_columns_that_come_late_are_learnt(estimator):
    rng = np.random.default_rng(0)
    X, y = blobs(4000)
    rare = np.zeros((4000, 4))
    rare[rng.integers(1000, 4000, 12), np.arange(12) % 4] = 1.0
    X = np.hstack([X, rare])
    model = clone(estimator).set_params(alpha=1 / 4000)
    best = clone(model).set_params(tol=1e-3).fit(X, y)
    assert stream(model, X, y, 500, rounds=3, classes=range(4)).certificate(X, y)[0] <= 1.01 * best.objective_


def test_columns_of_very_different_units_without_standardization():
    X, y = blobs(4000)
    model = SoftmaxClassifier(alpha=1e-3, standardize=False)
    best = clone(model).fit(X, y)
    assert stream(model, X, y, 500, rounds=3, classes=range(4)).certificate(X, y)[0] <= 1.01 * best.objective_


@each
def test_float32_columns_with_large_means(estimator):
    X, y = blobs(1500)
    X = (X / X.std(axis=0)).astype(np.float32)
    far = (X + np.float32(2**10)).astype(np.float32)
    exact = far.astype(np.float64)
    model = clone(estimator).set_params(alpha=1e-2)
    narrow = stream(clone(model), far, y, 500, rounds=2, classes=range(4))
    wide = stream(clone(model), exact, y, 500, rounds=2, classes=range(4))
    assert narrow.decision_function(far).dtype == np.float32
    assert narrow._stream.memory.hessian.blocks.dtype == np.float32
    assert_allclose(narrow.decision_function(far), wide.decision_function(exact), atol=2e-2)


@each
def test_a_weight_of_zero_is_no_row(estimator):
    X, y = blobs(600)
    weight = np.random.default_rng(0).integers(0, 3, 600).astype(float)
    kept = weight > 0
    spoiled = X.copy()
    spoiled[~kept] *= -1e3
    model = clone(estimator).set_params(alpha=0.01)
    one, other = clone(model), clone(model)
    for rows in np.array_split(np.arange(600), 3):
        used = rows[kept[rows]]
        one.partial_fit(spoiled[rows], y[rows], classes=range(4), sample_weight=weight[rows])
        other.partial_fit(X[used], y[used], classes=range(4), sample_weight=weight[used])
    same(one, other)


@each
def test_weights_count_as_repeated_rows_and_have_no_unit(estimator):
    X, y = blobs(600)
    weight = np.random.default_rng(0).integers(1, 4, 600)
    model = clone(estimator).set_params(alpha=0.01)
    weighted, repeated, scaled = clone(model), clone(model), clone(model)
    for rows in np.array_split(np.arange(600), 3):
        weighted.partial_fit(X[rows], y[rows], classes=range(4), sample_weight=weight[rows])
        scaled.partial_fit(X[rows], y[rows], classes=range(4), sample_weight=1024.0 * weight[rows])
        again = np.repeat(rows, weight[rows])
        repeated.partial_fit(X[again], y[again], classes=range(4))
    assert_allclose(scaled.coef_, weighted.coef_, rtol=1e-6)
    assert_allclose(repeated.decision_function(X), weighted.decision_function(X), atol=1e-6)


def test_class_weight_is_a_factor_of_the_weights():
    X, y = blobs(900)
    factors = {0: 2.0, 2: 0.5}
    weight = np.array([factors.get(label, 1.0) for label in y])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    options = {"alpha": 0.01, "standardize": False}
    one = stream(SoftmaxClassifier(class_weight=factors, **options), X, y, 300, rounds=3, classes=range(4))
    other = stream(SoftmaxClassifier(**options), X, y, 300, rounds=3, weight=weight, classes=range(4))
    # The centre, which no loss depends on, is by sample weight alone; only what held the first chunk tells them apart.
    assert_allclose(one.decision_function(X), other.decision_function(X), atol=2e-2)
    assert one.t_ == 3 * weight.sum()


@pytest.mark.parametrize("solver", ["auto", SGD(averaging=True), SGD(momentum=0.9), Adam()], ids=str)
@each
def test_a_pickled_half_goes_on_exactly(estimator, solver):
    X, y = blobs(1200)
    model = clone(estimator).set_params(alpha=0.01, solver=solver)
    through = stream(clone(model), X, y, 300, classes=range(4))
    half = stream(clone(model), X[:600], y[:600], 300, classes=range(4))
    stored = pickle.dumps(half)
    stream(half, X[600:], y[600:], 300)
    later = stream(pickle.loads(stored), X[600:], y[600:], 300)
    for twin in (half, later, stream(copy.deepcopy(pickle.loads(stored)), X[600:], y[600:], 300)):
        assert_array_equal(twin.coef_, through.coef_)
        assert_array_equal(twin.intercept_, through.intercept_)
        assert_array_equal(twin.predict_proba(X), through.predict_proba(X))


@pytest.mark.parametrize("solver", [SGD(), Adam(), GradientDescent()], ids=str)
def test_solver_objects_make_a_pass_over_each_chunk(solver):
    X, y = blobs(3000)
    model = SoftmaxClassifier(alpha=0.01, solver=solver)
    stream(model, X, y, 500, rounds=5, classes=range(4))
    assert model.certificate(X, y)[0] <= 1.3 * SoftmaxClassifier(alpha=0.01).fit(X, y).objective_
    with pytest.raises(ValueError, match="early_stopping"):
        clone(model).set_params(solver=clone(solver).set_params(early_stopping=True)).partial_fit(
            X, y, classes=range(4)
        )


BAD = {
    "no classes": (lambda X, y: (X, y, {}), "needs classes="),
    "one class": (lambda X, y: (X, y, {"classes": [0]}), "at least 2"),
    "unseen": (lambda X, y: (X, y + 1, {"classes": range(4)}), r"labels \[4\]"),
    "bytes": (lambda X, y: (X, y.astype("S1"), {"classes": [b"0", b"1", b"2", b"3"]}), "holds bytes"),
    "nan label": (lambda X, y: (X, np.where(y, y, np.nan), {"classes": range(4)}), "NaN"),
    "empty": (lambda X, y: (X[:0], y[:0], {"classes": range(4)}), "0 sample"),
    "nan": (lambda X, y: (np.where(np.abs(X) > 1, np.nan, X), y, {"classes": range(4)}), "NaN"),
    "lengths": (lambda X, y: (X, y[1:], {"classes": range(4)}), "inconsistent"),
    "weightless": (lambda X, y: (X, y, {"classes": range(4), "sample_weight": np.zeros(len(y))}), "every weight"),
    "no labels": (lambda X, y: (X, None, {"classes": range(4)}), "requires y"),
}
LATER = {
    **{name: case for name, case in BAD.items() if name != "no classes"},
    "one class": (lambda X, y: (X, y, {"classes": [0]}), "not what the model was told"),
    "bytes": (lambda X, y: (X, y.astype("S1"), {}), "y holds bytes"),
    "other classes": (lambda X, y: (X, y, {"classes": range(5)}), "not what the model was told"),
    "columns": (lambda X, y: (X[:, 1:], y, {}), "11 features"),
    "names": (lambda X, y: (pd.DataFrame(X, columns=list("abcdefghijkl")[::-1]), y, {}), "feature names"),
}


@pytest.mark.parametrize("case", BAD)
@each
def test_a_refused_first_chunk_leaves_nothing(estimator, case):
    change, message = BAD[case]
    X, y, options = change(*blobs(200))
    model = clone(estimator)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y, **options)
    same(model, clone(estimator))


@pytest.mark.parametrize("solver", ["auto", SGD()], ids=str)
@pytest.mark.parametrize("case", LATER)
@each
def test_a_refused_chunk_leaves_the_last_good_state(estimator, case, solver):
    frame, y = blobs(200)
    names = list("abcdefghijkl")
    model = clone(estimator).set_params(solver=solver)
    model.partial_fit(pd.DataFrame(frame, columns=names), y, classes=range(4))
    before = copy.deepcopy(model)
    change, message = LATER[case]
    X, labels, options = change(frame, y)
    if not isinstance(X, pd.DataFrame):
        X = pd.DataFrame(X, columns=names[: X.shape[1]])
    with pytest.raises(ValueError, match="feature names" if case == "columns" else message):
        model.partial_fit(X, labels, **options)
    same(model, before)
    model.partial_fit(pd.DataFrame(frame, columns=names), y)


def test_a_changed_number_of_columns_is_named():
    X, y = blobs(200)
    model = SoftmaxClassifier().partial_fit(X, y, classes=range(4))
    with pytest.raises(ValueError, match="11 features"):
        model.partial_fit(X[:, 1:], y)


@each_frame
@pytest.mark.parametrize("after_fit", [False, True])
@each
def test_chunks_are_held_to_the_names_of_the_first(estimator, after_fit, frame_of):
    """As scikit-learn's own estimators hold them."""
    X, y = load_iris(return_X_y=True)
    names = ["a", "b", "c", "d"]

    def frame(rows, names):
        return frame_of(dict(zip(names, rows.T, strict=False)))

    model, theirs = clone(estimator), SGDClassifier()
    for one in (model, theirs):
        first = frame(X, names), y
        one.fit(*first) if after_fit else one.partial_fit(*first, classes=[0, 1, 2])
        one.partial_fit(frame(X[::2], names), y[::2])
    before = copy.deepcopy(model)
    for other in (names[::-1], ["a", "b", "c", "e"], names[:3]):
        with pytest.raises(ValueError, match="feature names should match") as expected:
            theirs.partial_fit(frame(X, other), y)
        with pytest.raises(ValueError, match="feature names should match") as found:
            model.partial_fit(frame(X, other), y)
        assert str(found.value) == str(expected.value)
        with pytest.raises(ValueError, match="feature names should match"):
            model.certificate(frame(X, other), y)
    same(model, before)
    with pytest.warns(UserWarning, match=f"X does not have valid feature names, but {type(model).__name__} was"):
        model.partial_fit(X, y)
    assert model.feature_names_in_.tolist() == names
    nameless = clone(estimator).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        nameless.partial_fit(frame(X, names), y)
    assert not hasattr(nameless, "feature_names_in_")


@each_frame
def test_chunks_of_frames_are_those_of_arrays(frame_of):
    X, y = blobs(900)
    model = SoftmaxClassifier(alpha=1e-2)
    from_frames, from_arrays = clone(model), clone(model)
    for rows in np.array_split(np.arange(900), 3):
        named = {f"column {j}": column for j, column in enumerate(X[rows].T)}
        from_frames.partial_fit(frame_of(named), y[rows], classes=range(4))
        from_arrays.partial_fit(X[rows], y[rows], classes=range(4))
    assert_allclose(from_frames.coef_, from_arrays.coef_, rtol=1e-7, atol=1e-10)
    assert_allclose(from_frames.intercept_, from_arrays.intercept_, rtol=1e-7, atol=1e-10)


def test_multilabel_chunks_that_do_not_fit():
    X, y = make_multilabel_classification(100, n_features=5, n_classes=3, random_state=0)
    model = SigmoidClassifier().partial_fit(X, y)
    before = copy.deepcopy(model)
    for labels, message in ((y[:, :2], "2 columns"), (y[:, 0], "indicator"), (2 * y, "zeros and ones")):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, labels)
    with pytest.raises(ValueError, match="not what"):
        model.partial_fit(X, y, classes=range(4))
    same(model, before)
    with pytest.raises(ValueError, match="1d array"):
        SoftmaxClassifier().partial_fit(X, y, classes=range(3))


def test_balanced_class_weight_names_the_way_out():
    X, y = blobs(100)
    with pytest.raises(ValueError, match="compute_class_weight"):
        SoftmaxClassifier(class_weight="balanced").partial_fit(X, y, classes=range(4))


@each
def test_string_labels_and_classes_that_come_late(estimator):
    X, y = blobs(1500)
    order = np.argsort(y, kind="stable")
    names = np.array(["wren", "crow", "jay", "finch"])[y]
    model = stream(
        clone(estimator).set_params(alpha=1e-2), X[order], names[order], 250, rounds=4, classes=np.unique(names)
    )
    assert_array_equal(model.classes_, np.unique(names))
    assert np.isfinite(model.coef_).all()
    assert model.score(X, names) > 0.9 * clone(model).fit(X, names).score(X, names)


@each
def test_fit_begins_anew_and_partial_fit_goes_on_from_it(estimator):
    X, y = blobs(3000)
    model = clone(estimator).set_params(alpha=1e-2)
    whole = clone(model).fit(X, y)
    assert_array_equal(stream(clone(model), X, y, 1000, classes=range(4)).fit(X, y).coef_, whole.coef_)
    on = copy.deepcopy(whole).partial_fit(X[:300], y[:300])
    assert on.t_ == 3300
    assert on.certificate(X, y)[0] <= 1.01 * whole.objective_
    for name in ("objective_", "duality_gap_", "n_iter_", "loss_curve_"):
        assert not hasattr(on, name)
    assert not hasattr(on.fit(X, y), "t_")
    warm = stream(clone(model).set_params(warm_start=True), X, y, 1000, rounds=2, classes=range(4))
    assert warm.fit(X, y).loss_curve_[0] < 1.05 * whole.objective_


def test_coefficients_set_by_hand_are_where_the_next_chunk_begins():
    X, y = blobs(400)
    model = SoftmaxClassifier(alpha=1e-2).partial_fit(X, y, classes=range(4))
    moved = copy.deepcopy(model)
    moved.coef_ = moved.coef_ + 1.0
    assert not np.allclose(moved.partial_fit(X[:20], y[:20]).coef_, model.partial_fit(X[:20], y[:20]).coef_)


def test_the_running_temperature_calibrates_scores_of_rows_to_come():
    X, y = blobs(8000)
    new = X[6000:], y[6000:]
    model = stream(LinearSVMClassifier(alpha=1e-3), X[:6000], y[:6000], 500, classes=range(4))
    rows = np.arange(2000)

    def log_loss(temperature):
        twin = copy.deepcopy(model)
        twin.temperature_ = temperature
        return -twin.predict_log_proba(new[0])[rows, new[1]].mean()

    best = min(log_loss(t) for t in np.logspace(-2, 2, 81))
    assert log_loss(model.temperature_) < 1.02 * best
    fitted = LinearSVMClassifier(alpha=1e-3).fit(X[:6000], y[:6000])
    assert 0.5 < copy.deepcopy(fitted).partial_fit(*new).temperature_ / fitted.temperature_ < 2
    plain = LinearSVMClassifier(probability=False).partial_fit(X, y, classes=range(4))
    assert not hasattr(plain, "predict_proba")


def test_certificate_is_that_of_fit():
    X, y = blobs(800)
    weight = np.random.default_rng(0).uniform(0, 2, 800)
    model = SoftmaxClassifier(alpha=1e-2, tol=1e-3).fit(X, y, weight)
    objective, gap = model.certificate(X, y, weight)
    assert_allclose(objective, model.objective_, rtol=1e-9)
    assert 0 <= gap <= 1.5 * model.duality_gap_ + 1e-12
    assert np.isnan(model.set_params(alpha=0.0).fit(X, y).certificate(X, y)[1])


def test_memory_does_not_grow_with_the_stream(tmp_path):
    rng = np.random.default_rng(0)
    shape = (60_000, 30)
    path = tmp_path / "rows.npy"
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    slope = rng.normal(size=30)
    for start in range(0, len(rows), 10_000):
        rows[start : start + 10_000] = rng.normal(size=(10_000, 30))
    rows.flush()
    peaks, sizes = [], []
    for length in (20_000, 60_000):
        X = np.load(path, mmap_mode="r")
        model = LinearSVMClassifier(alpha=1e-4)
        tracemalloc.start()
        for start in range(0, length, 2_000):
            chunk = X[start : start + 2_000]
            model.partial_fit(chunk, chunk @ slope > 0, classes=[False, True])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append(len(pickle.dumps(model)))
    assert sizes[0] == sizes[1]
    assert peaks[1] <= 1.1 * peaks[0] < X.nbytes / 2


def test_chunks_of_a_csv_file(tmp_path):
    X, y = load_digits(return_X_y=True)
    X = X[:, X.std(axis=0) > 0]
    frame = pd.DataFrame(X, columns=[f"pixel{j}" for j in range(X.shape[1])]).assign(digit=y)
    frame.to_csv(tmp_path / "digits.csv", index=False)
    model = SoftmaxClassifier(alpha=1e-2)
    for _ in range(3):
        for chunk in pd.read_csv(tmp_path / "digits.csv", chunksize=300):
            model.partial_fit(chunk.drop(columns="digit"), chunk["digit"], classes=range(10))
    assert model.feature_names_in_[0] == "pixel0"
    assert model.score(frame.drop(columns="digit"), y) > 0.97


DIVERGING = [
    SGD(learning_rate=1e6, schedule="constant"),
    Adam(learning_rate=1e6, schedule="constant"),
    GradientDescent(learning_rate=1e9),
]


@pytest.mark.parametrize("solver", DIVERGING, ids=lambda solver: type(solver).__name__)
def test_a_rate_that_diverges_is_named_and_the_last_good_state_stays(solver):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier(alpha=0.01).fit(X, y)
    model.set_params(solver=solver)
    before = []

    def learn():
        for _ in range(10):
            before.append((model.coef_.copy(), model.t_ if hasattr(model, "t_") else None))
            model.partial_fit(X, y)

    with pytest.raises(ValueError, match=rf"{type(solver).__name__} has diverged with learning_rate=.*Try learning_ra"):
        learn()
    assert_array_equal(model.coef_, before[-1][0])
    assert getattr(model, "t_", None) == before[-1][1]
    assert model.certificate(X, y)[0] < 10


@pytest.mark.parametrize(
    "solver",
    [
        SGD(momentum=5.0),
        SGD(batch_size=1.7),
        SGD(batch_size=0),
        SGD(averaging="no"),
        Adam(beta_1=2.0),
        GradientDescent(momentum="foo"),
    ],
    ids=repr,
)
def test_parameters_of_solvers_are_checked(solver):
    X, y = load_iris(return_X_y=True)
    with pytest.raises((TypeError, ValueError), match=type(solver).__name__):
        SoftmaxClassifier(solver=solver).partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.parametrize("averaging", [False, True])
def test_a_solver_that_is_changed_begins_anew_where_the_coefficients_are(averaging):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier(alpha=0.01, solver=SGD(averaging=averaging)).partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(solver=Adam(averaging=averaging)).partial_fit(X, y)
    # A rate of nearly nothing leaves the coefficients where they are, whatever the rate was before.
    still = model.coef_.copy()
    model.set_params(solver=SGD(learning_rate=1e-12, averaging=averaging)).partial_fit(X, y)
    assert_allclose(model.coef_, still, rtol=1e-9)


@pytest.mark.parametrize("solver", ["auto", SGD(), SGD(averaging=True)], ids=repr)
def test_coefficients_that_are_set_by_hand_are_where_it_goes_on(solver):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier(alpha=0.01, solver=solver, random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    as_it_was = pickle.loads(pickle.dumps(model)).partial_fit(X, y)
    model.coef_ = model.coef_ + np.array([[1.0], [-1.0], [0.0]])
    assert np.abs(model.partial_fit(X, y).coef_ - as_it_was.coef_).max() > 1e-3


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(
    ("solver", "stretch", "share"),
    [
        # params -= rate * velocity, velocity = m * velocity + gradient: the first motion once more, m times as long.
        (SGD(batch_size=10_000, momentum=0.75), 1.0, 0.75),
        # params -= rate * (gradient + m * velocity): a first motion of 1 + m gradients, and m^2 velocities in the next.
        (SGD(batch_size=10_000, momentum=0.75, nesterov=True), 1.75, 0.75**2 / 1.75),
        (GradientDescent(momentum=0.75), 1.75, 0.75**2 / 1.75),
    ],
    ids=repr,
)
def test_momentum_goes_on_in_the_units_of_the_columns(solver, stretch, share, standardize, fit_intercept):
    """A motion of coefficients in original units, whatever becomes of the moments between two steps."""
    X, y = blobs(400)
    X, new = X[:200], 7 * X[200:] - 3
    length = 1e-3 if standardize else 1e-7
    shown = []
    for momentum, rate in ((solver.momentum, length), (0.0, stretch * length)):
        steps = clone(solver).set_params(momentum=momentum, learning_rate=rate, schedule="constant")
        model = SoftmaxClassifier(alpha=0.1, solver=steps, standardize=standardize, fit_intercept=fit_intercept)
        model.partial_fit(X, y[:200], classes=range(4))
        first = np.column_stack([model.coef_, model.intercept_])
        model.partial_fit(new, y[200:])
        shown.append((first, np.column_stack([model.coef_, model.intercept_])))
    (first, second), (first_without, second_without) = shown
    rounding = 1e-12 * np.abs(second).max()
    assert_allclose(first, first_without, rtol=1e-12, atol=rounding)
    assert_allclose(second - second_without, share * first, rtol=1e-9, atol=rounding)


@pytest.mark.parametrize("solver", [SGD(momentum=0.9), GradientDescent(), Adam(0.1)], ids=repr)
def test_a_stream_of_columns_in_other_units_is_the_same_model(solver):
    X, y = blobs(2000)
    X = X[np.argsort(X[:, 0])]  # moments move
    model = SoftmaxClassifier(alpha=1e-2, solver=solver)
    one = stream(clone(model), X, y, 250, classes=range(4))
    other_X = X * np.logspace(3, -2, X.shape[1]) + 5.0
    other = stream(clone(model), other_X, y, 250, classes=range(4))
    assert_allclose(other.decision_function(other_X), one.decision_function(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("averaging", [False, True])
def test_chunks_are_epochs_of_a_solver(averaging):
    X, y = load_iris(return_X_y=True)
    solver = SGD(momentum=0.5, averaging=averaging)
    model = SoftmaxClassifier(alpha=0.01, solver=solver, random_state=0)
    objective = Objective(X, y, SoftmaxLoss(), alpha=0.01)
    params, state, rng = objective.zeros(), None, np.random.default_rng(0)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
        params, state = solver.epoch(objective, params, state, rng)
    coefficients, intercept = objective.to_original_units(solver.averaged(params, state))
    assert_allclose(model.coef_, coefficients.T, rtol=1e-8)
    assert_allclose(model.intercept_, intercept, rtol=1e-8)
