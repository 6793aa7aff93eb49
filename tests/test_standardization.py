"""The implicit change of variables and the moments behind it."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from zoo import random_problem

from skgradlinear import Objective, _rows
from skgradlinear._standardization import Moments, Standardization
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss

EPS = np.finfo(np.float64).eps
SINGLE_EPS = float(np.finfo(np.float32).eps)
flags = pytest.mark.parametrize(
    ("standardize", "fit_intercept", "may_pivot"),
    [(s, i, p) for s in (True, False) for i in (True, False) for p in (True, False)],
)


def moments_of(X: np.ndarray, weight: np.ndarray | None = None) -> Moments:
    return _rows.wrap(X).moments(np.ones(X.shape[0]) if weight is None else weight)


def exact_moments(X: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scatter by the definition, in long double."""
    X, weight = np.asarray(X, np.longdouble), np.asarray(weight, np.longdouble)
    mean = weight @ X / weight.sum()
    return mean, weight @ (X - mean) ** 2


def columns(seed: int, n: int = 30) -> np.ndarray:
    """Columns whose mean is up to a million deviations, a constant one, and a tiny one."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, 5)) * [1.0, 2.0, 1e-3, 0.0, 1e-150] + [0.0, 100.0, 1e3, 7.0, 0.0]
    return X


def make(X: np.ndarray, standardize: bool, fit_intercept: bool, may_pivot: bool) -> Standardization:
    return Standardization.from_moments(
        moments_of(X), standardize=standardize, fit_intercept=fit_intercept, dtype=X.dtype, may_pivot=may_pivot
    )


# The map and its adjoint


@flags
@given(seed=st.integers(0, 10**6))
def test_pull_back_is_the_adjoint(standardize: bool, fit_intercept: bool, may_pivot: bool, seed: int) -> None:
    """``<A p, g> == <p, A* g>``"""
    random = np.random.default_rng(seed)
    X = random.standard_normal((20, 4)) * [1, 10, 0.1, 0] + [3, 1e4, 0, 1]
    change = make(X, standardize, fit_intercept, may_pivot)
    params, slope_gradient, offset_gradient = (random.standard_normal(shape) for shape in ((5, 3), (4, 3), 3))
    slope, offset = change.to_data_units(params)
    left = np.vdot(slope, slope_gradient) + np.vdot(offset, offset_gradient)
    right = np.vdot(params, change.pull_back(slope_gradient, offset_gradient))
    size = (np.abs(slope).sum() + 1) * np.abs(slope_gradient).max() + np.abs(offset).sum()
    assert left == pytest.approx(right, abs=64 * EPS * size * (1 + np.abs(change.mean).max()))


@flags
@given(seed=st.integers(0, 10**6))
def test_original_units_give_the_same_logits(
    standardize: bool, fit_intercept: bool, may_pivot: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    X = random.standard_normal((20, 4)) * [1, 10, 0.1, 0] + [3, 50, 0, 1]
    change = make(X, standardize, fit_intercept, may_pivot)
    params = random.standard_normal((5, 2))
    if not fit_intercept:
        params[-1] = 0
    scale = X.std(axis=0) if standardize else np.ones(4)
    centred = X - X.mean(axis=0) if fit_intercept else X
    used = (X.std(axis=0) > 0) | (not fit_intercept)
    expected = np.where(used, centred / np.where(scale > 0, scale, 1), 0) @ params[:-1] + params[-1]
    coefficients, intercept = change.to_original_units(params)
    near = {"rtol": 0, "atol": 1e4 * EPS}
    assert np.allclose(X @ coefficients + intercept, expected, **near)
    slope, offset = change.to_data_units(params)
    assert np.allclose((X - change.pivot) @ slope + offset, expected, **near)
    assert np.allclose(change.apply(X - change.pivot) @ params[:-1] + params[-1], expected, **near)
    back = change.from_original_units(coefficients, intercept)
    assert np.allclose(back[:-1][used], params[:-1][used], rtol=1e-13, atol=0)
    assert np.allclose(back[-1], params[-1], **near)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_standardized_columns_have_mean_zero_and_deviation_one(fit_intercept: bool) -> None:
    X = columns(0)[:, [0, 1, 2, 4]]
    change = make(X, standardize=True, fit_intercept=fit_intercept, may_pivot=True)
    Z = change.apply(X - change.pivot)
    assert np.allclose(Z.std(axis=0), 1, rtol=1e-9)
    assert np.allclose(change.deviation, 1, rtol=1e-15)
    assert (np.abs(Z.mean(axis=0)) < 1e-9).all() == fit_intercept
    assert (change.mean == 0).all() == (not fit_intercept)


@pytest.mark.parametrize("standardize", [True, False])
def test_without_an_intercept_constant_columns_keep_their_coefficient(standardize: bool) -> None:
    """A column of ones is then the user's own intercept."""
    X = np.column_stack([np.ones(5), np.arange(5.0)])
    assert make(X, standardize, fit_intercept=False, may_pivot=True).inverse_scale[0] == 1
    assert make(X, standardize, fit_intercept=True, may_pivot=True).inverse_scale[0] == 0


# Moments


@given(seed=st.integers(0, 10**6), n=st.integers(1, 60))
def test_moments_are_those_of_the_definition(seed: int, n: int) -> None:
    X, random = columns(seed, n), np.random.default_rng(seed)
    weight = random.integers(0, 4, n) * random.random(n)
    weight[0] += 1.0
    mean, scatter = exact_moments(X, weight)
    for rows in (X, sp.csr_array(X)):
        found = _rows.wrap(rows).moments(weight)
        size = np.abs(X).max(axis=0)
        assert (np.abs(found.mean - mean) <= 4 * n * EPS * size).all()
        # The two-pass bound: relative to the scatter, plus the square of a mean's rounding.
        bound = 8 * n * EPS * scatter + 4 * weight.sum() * (4 * n * EPS * size) ** 2
        assert (np.abs(found.scatter - scatter) <= bound + np.finfo(float).tiny).all()
        assert found.weight == pytest.approx(weight.sum())
        assert found.count == n


@given(seed=st.integers(0, 10**6), n=st.integers(2, 60))
def test_moments_without_a_part_are_those_of_the_rest(seed: int, n: int) -> None:
    X, random = columns(seed, n), np.random.default_rng(seed)
    # A column that is constant but for the part, and a part of any size.
    part = np.arange(n) < random.integers(1, n)
    X = np.column_stack([X, np.where(part, random.standard_normal(n), 0.3)])
    weight = random.integers(0, 4, n) * random.random(n)
    weight[[0, -1]] += 1.0
    whole, taken = moments_of(X, weight), moments_of(X[part], weight[part])
    left, alone = whole.without(taken), moments_of(X[~part], weight[~part])
    assert left.count == alone.count
    assert left.weight == pytest.approx(alone.weight)
    size = np.abs(X).max(axis=0)
    assert (np.abs(left.mean - alone.mean) <= 64 * n * EPS * size * whole.weight / alone.weight).all()
    # The rounding of a mean moves all deviations from it.
    deviation, rounding = np.sqrt(np.maximum(whole.scatter / whole.weight, 0)), n * EPS * size
    bound = 64 * n * EPS * whole.scatter + 16 * whole.weight * rounding * (deviation + rounding)
    bound *= whole.weight / alone.weight
    assert (np.abs(left.scatter - alone.scatter) <= bound + np.finfo(float).tiny).all()
    assert left.variance[-1] == 0


@given(seed=st.integers(0, 10**6))
def test_weights_are_repetitions(seed: int) -> None:
    random = np.random.default_rng(seed)
    X, repetitions = random.standard_normal((15, 3)) + np.array([0, 10, 1e3]), random.integers(0, 4, 15)
    repetitions[0] += 1
    weighted, repeated = moments_of(X, repetitions.astype(float)), moments_of(np.repeat(X, repetitions, axis=0))
    assert weighted.weight == repeated.weight
    assert np.allclose(weighted.mean, repeated.mean, rtol=16 * EPS, atol=16 * EPS)
    assert np.allclose(weighted.variance, repeated.variance, rtol=1e-12, atol=0)


def test_weights_have_no_unit() -> None:
    X = columns(0)[:, :4]
    weight = np.random.default_rng(0).random(30)
    light, heavy = moments_of(X, 1e-200 * weight), moments_of(X, 1e200 * weight)
    assert np.allclose(light.variance, heavy.variance, rtol=1e-12, atol=0)
    assert np.allclose(light.mean, heavy.mean, rtol=1e-14, atol=0)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_merge_in_any_order(order: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    X = random.standard_normal((50, 3)) * [1, 1, 1e-3] + [0, 1e3, 5]
    weight = random.random(50)
    weight[30:40] = 0  # a part without weight, as a zero-weight block is
    parts = [slice(0, 7), slice(7, 30), slice(30, 40), slice(40, 50)]
    pieces = [
        moments_of(X[parts[k]], weight[parts[k]]) if k != 2 else Moments(0.0, X[30], np.zeros(3), 10) for k in order
    ]
    mean, scatter = exact_moments(X, weight)
    nested = [
        reduce(Moments.merge, pieces),
        pieces[0].merge(pieces[1]).merge(pieces[2].merge(pieces[3])),
        pieces[0].merge(pieces[1].merge(pieces[2].merge(pieces[3]))),
    ]
    for merged in nested:
        assert np.allclose(merged.mean, mean.astype(float), rtol=32 * EPS)
        assert np.allclose(merged.scatter, scatter.astype(float), rtol=1e-10)
        assert (merged.weight, merged.count) == (pytest.approx(weight.sum()), 50)


def test_merge_of_nothing() -> None:
    nothing = Moments(0.0, np.zeros(2), np.zeros(2), 0)
    assert nothing.merge(nothing).weight == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [0.1, 1 / 3, -7.3, 1e-150, 1e150, 1e6 + 0.1, 0.0])
@pytest.mark.parametrize("n", [3, 1000])
def test_a_repeated_number_is_constant(dtype: type, number: float, n: int) -> None:
    """Sums of 0.1 are not exact; the variance is zero all the same, weighted or not, dense or not."""
    with np.errstate(over="ignore", under="ignore"):
        X = np.full((n, 1), number).astype(dtype)
    if not np.isfinite(X).all():
        return
    for weight in (np.ones(n), np.random.default_rng(0).random(n)):
        assert moments_of(X, weight).variance == 0
        assert _rows.wrap(sp.csr_array(X)).moments(weight).variance == 0


@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e-8, 1.0, 1e100, 1e150])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_scale_of_a_column_does_not_matter(scale: float, kind: type) -> None:
    X = np.random.default_rng(0).standard_normal((40, 1))
    variance = _rows.wrap(kind(scale * X)).moments(np.ones(40)).variance
    assert np.sqrt(variance) / scale == pytest.approx(X.std(), rel=1e-14)


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e10])
def test_large_means_keep_the_digits_of_the_variance(ratio: float) -> None:
    X = ratio + np.random.default_rng(0).standard_normal((200, 1))
    _, scatter = exact_moments(X, np.ones(200))
    assert moments_of(X).variance == pytest.approx(
        (scatter / 200).astype(float), rel=200 * EPS + (ratio * EPS * 200) ** 2
    )


# What it is for


@pytest.mark.parametrize("ratio", [0.0, 1.0, 1e3, 1e5, 1e6])
@pytest.mark.parametrize("standardize", [True, False])
def test_float32_columns_with_large_means(ratio: float, standardize: bool) -> None:
    """Logits and gradient of float32 rows against the definition in long double."""
    random = np.random.default_rng(0)
    n, d = 400, 6
    X = (random.standard_normal((n, d)) + ratio * np.linspace(-1, 1, d)).astype(np.float32)
    y = random.integers(0, 3, n)
    objective = Objective(X, y, SoftmaxLoss(), alpha=0.01, standardize=standardize)
    params = random.standard_normal((d + 1, 3))
    exact = X.astype(np.longdouble)
    Z = exact - exact.mean(axis=0)
    if standardize:
        Z /= np.sqrt((Z**2).mean(axis=0))
    logits = Z @ params[:-1].astype(np.longdouble) + params[-1]
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    error = (proba - np.eye(3)[y]) / n
    gradient = np.vstack([Z.T @ error + 0.01 * params[:-1], error.sum(axis=0)]).astype(np.float64)
    value, found = objective.value_and_gradient(params)
    assert objective.logits(params).dtype == np.float32
    assert np.abs(objective.logits(params) - logits).max() < 16 * SINGLE_EPS * np.abs(logits).max()
    assert np.linalg.norm(found - gradient) / np.linalg.norm(gradient) < 1e-5
    expected = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(n), y]).mean() + 0.005 * (params[:-1] ** 2).sum()
    assert value == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("ratio", [1.0, 1e3, 1e6, 1e9])
def test_float64_columns_with_large_means(ratio: float) -> None:
    random = np.random.default_rng(0)
    X = random.standard_normal((300, 4)) + ratio
    y = random.integers(0, 2, 300)
    objective = Objective(X, y, SigmoidLoss(), alpha=0.01)
    params = random.standard_normal(objective.shape)
    Z = X.astype(np.longdouble) - X.astype(np.longdouble).mean(axis=0)
    Z /= np.sqrt((Z**2).mean(axis=0))
    error = (1 / (1 + np.exp(-(Z @ params[:-1] + params[-1]))) - y[:, None]) / 300
    gradient = np.vstack([Z.T @ error + 0.01 * params[:-1], error.sum(axis=0)])
    # What is left is the rounding of the mean itself.
    assert np.linalg.norm(objective.value_and_gradient(params)[1] - gradient) < 300 * EPS * ratio + 1e-13


@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1e150])
def test_units_of_a_column_do_not_change_the_objective(scale: float) -> None:
    objective = random_problem(SoftmaxLoss())
    X = np.asarray(objective.rows.X)
    other = Objective(X * [scale, 1, 1], objective.y, SoftmaxLoss(), alpha=objective.alpha)
    params = np.random.default_rng(0).standard_normal(objective.shape)
    value, gradient = objective.value_and_gradient(params)
    other_value, other_gradient = other.value_and_gradient(params)
    assert other_value == pytest.approx(value, rel=1e-13)
    assert other_gradient == pytest.approx(gradient, rel=1e-11, abs=1e-14)


def test_constant_column_gets_no_coefficient_and_no_gradient() -> None:
    objective = random_problem(SoftmaxLoss())
    X = np.column_stack([objective.rows.X, np.full(40, 0.1)])
    wider = Objective(X, objective.y, SoftmaxLoss(), alpha=objective.alpha)
    params = np.random.default_rng(0).standard_normal(objective.shape)
    wide = np.insert(params, 3, 5.0, axis=0)
    assert wider.value(wide) == pytest.approx(objective.value(params) + objective.alpha / 2 * 75, rel=1e-14)
    assert wider.value_and_gradient(wide)[1][3] == pytest.approx(np.full(3, objective.alpha * 5))
    assert not wider.to_original_units(wide)[0][3].any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_are_standardized_in_place_as_rows_are(dtype: type) -> None:
    X = np.random.default_rng(0).standard_normal((30, 3)) * [1.0, 20.0, 0.0] + [5.0, -3.0, 2.0]
    standardization = make(X, True, True, False)
    stored = X.astype(dtype)
    columns = np.ascontiguousarray(stored.T)
    standardization.apply_to_columns(columns)
    np.testing.assert_array_equal(columns.T, standardization.apply(stored))
