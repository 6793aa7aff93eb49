"""Fewer rows than columns: the problem in the span of the rows is the same problem."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from zoo import PUBLIC

from skgradlinear import LinearSVMClassifier, Objective, SigmoidClassifier, SoftmaxClassifier
from skgradlinear._central_path import CentralPath
from skgradlinear._rotation import Rotation
from skgradlinear.losses import OneVsRestHinge, SoftmaxLoss
from skgradlinear.solvers import Recentred, Status, SubspaceNewton, interior_point, recentred, solve

each_loss = pytest.mark.parametrize("loss", PUBLIC.values(), ids=repr)


def wide(loss, *, dtype=np.float64, n_rows=30, n_columns=500, seed=0, **options):
    """Three classes in columns of different units and means, one of them constant; every seventh row has no weight."""
    random = np.random.default_rng(seed)
    y = np.arange(n_rows) % 3
    X = random.standard_normal((n_rows, n_columns)) + 0.1 * random.standard_normal((3, n_columns))[y]
    X = X * 10.0 ** random.integers(-2, 3, n_columns) + random.integers(-5, 5, n_columns)
    X[:, 3] = 2.0
    weight = np.where(np.arange(n_rows) % 7, random.integers(1, 4, n_rows), 0.0)
    return Objective(X.astype(dtype), y, loss, **{"alpha": 0.1, "sample_weight": weight, "n_outputs": 3, **options})


@each_loss
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_it_is_the_same_objective(loss, fit_intercept, standardize):
    objective = wide(loss, fit_intercept=fit_intercept, standardize=standardize)
    rotation = Rotation(objective)
    random = np.random.default_rng(1)
    rotated = random.standard_normal(rotation.objective.shape)
    params = rotation.back(rotated)
    assert_allclose(objective.logits(params), rotation.objective.logits(rotated), rtol=1e-9, atol=1e-9)
    assert objective.value(params) == pytest.approx(rotation.objective.value(rotated), rel=1e-11)
    assert_allclose(rotation.there(params), rotated, rtol=1e-9, atol=1e-9)
    gradient = objective.value_and_gradient(params)[1]
    assert_allclose(rotation.objective.value_and_gradient(rotated)[1], rotation.there(gradient), rtol=1e-8, atol=1e-8)
    # What the rows cannot see costs a penalty and no more: there is nothing to lose.
    anything = params + random.standard_normal(params.shape)
    seen = rotation.back(rotation.there(anything))
    assert_allclose(objective.logits(seen), objective.logits(anything), rtol=1e-9, atol=1e-8)
    assert objective.value(seen) < objective.value(anything)


def test_rows_of_float32_are_rotated_in_float64():
    objective = wide(SoftmaxLoss(), dtype=np.float32)
    rotation = Rotation(objective)
    rotated = np.random.default_rng(1).standard_normal(rotation.objective.shape)
    logits = objective.in_float64().logits(rotation.back(rotated))
    assert_allclose(rotation.objective.logits(rotated), logits, rtol=0, atol=1e-13 * np.abs(logits).max())


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_the_solution_is_certified_for_the_columns(loss, dtype, monkeypatch):
    objective = wide(loss, dtype=dtype)
    result = solve(objective, tol=1e-7)
    assert result.status is Status.CONVERGED
    exact = objective.in_float64()
    assert result.value == pytest.approx(exact.value(result.params), rel=1e-13)
    assert result.measure == pytest.approx(result.gap / result.value, rel=1e-9)
    assert result.measure <= 1e-7
    monkeypatch.setattr(Rotation, "suits", lambda objective: False)
    plain = solve(objective, tol=1e-4)
    assert plain.value - plain.gap <= result.value * (1 + 1e-12)
    assert result.value - result.gap <= plain.value * (1 + 1e-12)


def test_few_rows_of_many_columns_are_rotated():
    assert Rotation.suits(wide(SoftmaxLoss()))
    assert not Rotation.suits(wide(SoftmaxLoss(), n_columns=59))
    assert not Rotation.suits(wide(SoftmaxLoss(), alpha=0.0))
    assert not Rotation.suits(Objective(sp.csr_array(np.eye(4, 9)), np.arange(4) % 2, SoftmaxLoss(), alpha=1.0))
    # The steps of a central path are short enough without a rotation, and shorter with one.
    narrow = wide(OneVsRestHinge(), n_columns=100)
    assert CentralPath.suits(narrow)
    assert Rotation.suits(narrow)


@pytest.mark.parametrize("model", [SoftmaxClassifier, SigmoidClassifier, LinearSVMClassifier])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1.0, 1: 20.0, 2: 0.1}])
def test_estimators_agree_with_and_without(model, class_weight, monkeypatch):
    objective = wide(SoftmaxLoss())
    X, y = objective.rows.X, objective.y
    weight = objective.weight * objective.total_weight
    classifier = model(alpha=0.5, tol=1e-10, class_weight=class_weight)
    rotated = classifier.fit(X, y, weight)
    assert rotated.duality_gap_ <= 1e-10
    coefficients, objective_ = rotated.coef_, rotated.objective_
    monkeypatch.setattr(Rotation, "suits", lambda objective: False)
    # Recentring comes as far as this in its time.
    plain = classifier.set_params(tol=1e-7).fit(X, y, weight)
    assert objective_ == pytest.approx(plain.objective_, rel=1e-6)
    assert_allclose(coefficients * plain.column_std_, plain.coef_ * plain.column_std_, atol=1e-4)


def test_a_start_and_its_duals_are_those_of_the_columns():
    objective = wide(OneVsRestHinge())
    first = solve(objective, tol=1e-6)
    assert first.params.shape == objective.shape
    assert first.state.dual.shape == (30, 3)
    again = solve(objective, first.params, tol=1e-6, state=first.state)
    assert again.n_iter == 0
    # The other methods take them for their own.
    for method in (recentred, interior_point):
        assert method(objective, first.params, tol=1e-4, state=first.state).n_iter <= 1
    assert first.state.waypoint is None


def test_a_callback_sees_parameters_of_the_columns():
    objective = wide(SoftmaxLoss())
    seen = []

    def stop_at_two(iteration, params):
        seen.append((iteration.value, objective.value(params)))
        return iteration.n_iter == 2

    result = solve(objective, tol=1e-12, callback=stop_at_two)
    assert result.status is Status.INTERRUPTED
    assert len(seen) == 3
    for said, is_ in seen:
        assert said == pytest.approx(is_, rel=1e-9)
    assert result.value == pytest.approx(objective.value(result.params), rel=1e-12)


def test_starts_are_checked_as_elsewhere():
    objective = wide(SoftmaxLoss())
    random = np.random.default_rng(0)
    params = random.standard_normal(objective.shape)
    expected = solve(objective, params, tol=1e-6).params
    assert_allclose(solve(objective, params.ravel(), tol=1e-6).params, expected, rtol=1e-12)
    for shape in ((3, 3), (502, 3), (501, 2), (1503, 1)):
        with pytest.raises(ValueError, match=r"params must have shape \(501, 3\)"):
            solve(objective, np.zeros(shape))


@each_loss
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e8])
def test_dependent_rows_leave_no_columns_of_rounding(loss, scale):
    """Centred rows always lose a rank, repeated rows more of it."""
    random = np.random.default_rng(0)
    X = scale * np.repeat(random.standard_normal((5, 60)), 2, axis=0)
    objective = Objective(X, np.repeat(np.arange(5) % 3, 2), loss, alpha=1e-3, standardize=False)
    result, plain = (
        solve(objective, tol=1e-4),
        solve(objective, tol=1e-4, solver=Recentred() if objective.non_smooth else SubspaceNewton()),
    )
    assert result.value <= objective.loss_at_zero
    assert result.value - result.gap <= plain.value * (1 + 1e-9)
    assert result.status is Status.CONVERGED
    rows = Rotation(objective).objective.rows.X
    size = np.linalg.norm(rows, axis=0)
    assert 4 <= np.count_nonzero(size) < 10
    assert size[size > 0].min() > 1e-3 * size.max()
