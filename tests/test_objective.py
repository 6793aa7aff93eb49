"""The objective: its value by the definition, its derivatives by differences, its invariances."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from zoo import HINGES, LOSSES, PLAIN, PUBLIC, SEPARATE_LABELS, SMOOTH, plain_objective, random_problem

from skgradlinear import Objective
from skgradlinear.gradient_check import check_gradient, check_hessp
from skgradlinear.losses import CrammerSingerHinge, Loss, SigmoidLoss, SoftmaxLoss, WestonWatkinsHinge
from skgradlinear.solvers import solve

EPS = np.finfo(np.float64).eps
WEIGHT = np.random.default_rng(7).integers(0, 4, 40) * 0.7
every_loss = pytest.mark.parametrize("name", LOSSES)
every_setting = pytest.mark.parametrize(
    ("weighted", "fit_intercept", "standardize"), list(product([True, False], repeat=3))
)


def make(name: str, weighted: bool = False, **options: Any) -> Objective:
    return random_problem(LOSSES[name], sample_weight=WEIGHT if weighted else None, **options)


def some_params(objective: Objective, seed: int = 1, size: float = 0.3) -> np.ndarray:
    """Parameters with logits of order one in either units."""
    params = size * np.random.default_rng(seed).standard_normal(objective.shape)
    deviation = objective.standardization.deviation[:, None]
    params[:-1] /= np.where(deviation > 0, deviation, 1)
    return params


# Value and derivatives


@pytest.mark.parametrize("name", PUBLIC)
@every_setting
def test_value_is_the_definition(name: str, weighted: bool, fit_intercept: bool, standardize: bool) -> None:
    objective = make(name, weighted, fit_intercept=fit_intercept, standardize=standardize)
    params = some_params(objective)
    expected = plain_objective(name, objective, np.asarray(objective.rows.X), objective.y, params)
    assert objective.value(params) == pytest.approx(expected, rel=1e-12)
    assert objective.value_and_gradient(params)[0] == pytest.approx(expected, rel=1e-12)
    assert objective.at(params).value == pytest.approx(expected, rel=1e-12)


@every_loss
@every_setting
def test_derivatives_match_differences(name: str, weighted: bool, fit_intercept: bool, standardize: bool) -> None:
    objective = make(name, weighted, fit_intercept=fit_intercept, standardize=standardize)
    params = some_params(objective)
    check = check_gradient(objective, params)
    assert check.relative_difference < 1e-9
    assert check.subgradient_violation < 1e-14
    assert check_hessp(objective, params, direction=some_params(objective, 2)).relative_difference < 1e-8


@every_loss
def test_derivatives_in_float32(name: str) -> None:
    """Against float64 differences on the same float32 rows: a few hundred roundings."""
    exact = make(name)
    objective = random_problem(LOSSES[name])
    single = Objective(np.float32(objective.rows.X), exact.y, LOSSES[name], alpha=exact.alpha, n_outputs=3)
    params = some_params(single)
    assert single.dtype == np.float32
    assert single.at(params).params.dtype == single.value_and_gradient(params)[1].dtype == np.float64
    assert check_gradient(single, params).relative_difference < 1e-5
    found = single.hessp(params, params)
    expected = single.in_float64().hessp(params, params)
    if name not in ("ovr_smoothed", "ww_smoothed", "cs_smoothed"):  # active sets may differ in a rounding
        assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)
    assert single.in_float64().dtype == np.float64


@pytest.mark.parametrize("name", HINGES)
def test_subgradient_at_the_kinks_of_zero_and_one(name: str) -> None:
    """Integer rows and parameters put many margins exactly on the kink."""
    random = np.random.default_rng(0)
    X, y = random.integers(-2, 3, (30, 2)), random.integers(0, 3, 30)
    objective = Objective(X, y, LOSSES[name], alpha=0.5, standardize=False, fit_intercept=False)
    check = check_gradient(objective, random.integers(-1, 2, (3, 3)))
    assert check.n_kinks > 0
    assert check.subgradient_violation < 1e-14
    assert check.relative_difference < 1e-7


@every_loss
@every_setting
def test_hessian_is_symmetric_and_positive(name: str, weighted: bool, fit_intercept: bool, standardize: bool) -> None:
    objective = make(name, weighted, fit_intercept=fit_intercept, standardize=standardize)
    params = some_params(objective)
    columns = [objective.hessp(params, e.reshape(objective.shape)).ravel() for e in np.eye(params.size)]
    hessian = np.array(columns)
    size = np.abs(hessian).max()
    assert np.abs(hessian - hessian.T).max() < 64 * EPS * size
    assert np.linalg.eigvalsh(hessian).min() > -64 * EPS * size
    direction = some_params(objective, 3)
    product = (hessian @ direction.ravel()).reshape(objective.shape)
    assert np.allclose(objective.hessp(params, direction), product, rtol=0, atol=1e-11 * size)
    assert_damped_in_the_bias_only(objective, params, direction, product)


def assert_damped_in_the_bias_only(
    objective: Objective, params: np.ndarray, direction: np.ndarray, product: np.ndarray
) -> None:
    damped = objective.damped_hessp(objective.at(params))(direction)
    size = np.abs(product).max() + np.abs(damped).max()
    assert np.allclose(damped[:-1], product[:-1], rtol=0, atol=1e-11 * size)
    share = (damped - product)[-1] / direction[-1]
    assert np.allclose(share, objective.alpha if objective.loss.sparse_curvature else 0, rtol=1e-9, atol=1e-11 * size)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("name", ["ovr_squared", "ww_squared", "cs_smoothed"])
def test_hessian_product_on_the_few_active_rows(name: str, kind: Any) -> None:
    """Rows beyond their margin are left out, not changed."""
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 300)
    X = 4.0 * np.eye(3)[y] + random.standard_normal((300, 3))
    objective = Objective(kind(X), y, LOSSES[name], alpha=0.1)
    params = np.vstack([3 * np.eye(3) - 1, np.full(3, -1.0)])
    active = objective.at(params).curvature(slice(None)).diagonal.any(axis=1)
    assert 0 < active.sum() <= 60
    direction = some_params(objective, 3)
    assert_damped_in_the_bias_only(objective, params, direction, objective.hessp(params, direction))


# The penalty and the bias


@every_loss
def test_penalty_spares_the_bias(name: str) -> None:
    objective = make(name)
    params = some_params(objective)
    heavy = objective.with_alpha(7.0)
    more = 7.0 - objective.alpha
    assert heavy.value(params) - objective.value(params) == pytest.approx(
        more / 2 * (params[:-1] ** 2).sum(), rel=1e-12
    )
    difference = heavy.value_and_gradient(params)[1] - objective.value_and_gradient(params)[1]
    assert np.allclose(difference[:-1], more * params[:-1], rtol=1e-12, atol=1e-12)
    assert not difference[-1].any()
    curvature = heavy.hessp(params, params) - objective.hessp(params, params)
    assert np.allclose(curvature[:-1], more * params[:-1], rtol=1e-12, atol=1e-12)
    assert not curvature[-1].any()


@every_loss
def test_without_an_intercept_the_last_row_is_ignored(name: str) -> None:
    objective = make(name, fit_intercept=False)
    params = some_params(objective)
    other = params.copy()
    other[-1] = [1e6, -3.0, 2.0]
    assert objective.value(params) == objective.value(other)
    gradient = objective.value_and_gradient(other)[1]
    assert not gradient[-1].any()
    assert np.array_equal(gradient, objective.value_and_gradient(params)[1])
    assert not objective.hessp(params, other)[-1].any()


@pytest.mark.parametrize("name", SMOOTH)
def test_bias_gradient_is_the_balance_of_the_rows(name: str) -> None:
    objective = make(name, weighted=True)
    params = some_params(objective)
    expected = objective.weight @ objective.loss.gradient(objective.logits(params), objective.y)
    assert objective.value_and_gradient(params)[1][-1] == pytest.approx(expected, rel=1e-12, abs=1e-15)


# Lines


@every_loss
@every_setting
def test_line_is_the_objective_at_moved_parameters(
    name: str, weighted: bool, fit_intercept: bool, standardize: bool
) -> None:
    objective = make(name, weighted, fit_intercept=fit_intercept, standardize=standardize)
    params, direction = some_params(objective), some_params(objective, 2)
    line = objective.along(params, direction)
    for step in (-1.5, 0.0, 1e-8, 0.3, 10.0):
        expected, gradient = objective.value_and_gradient(params + step * direction)
        value, slope = line.value_and_slope(step)
        assert value == line(step) == pytest.approx(expected, rel=1e-11)
        expected_slope = np.vdot(gradient, direction) - (not fit_intercept) * gradient[-1] @ direction[-1]
        size = np.linalg.norm(gradient) * np.linalg.norm(direction)
        assert slope == pytest.approx(expected_slope, abs=1e-9 * size)


def test_line_takes_flat_parameters() -> None:
    objective = make("softmax")
    params, direction = some_params(objective), some_params(objective, 2)
    line = objective.along(params.ravel(), direction.ravel())
    assert line(0.5) == objective.along(params, direction)(0.5)


# Interfaces


@every_loss
def test_flat_parameters_give_flat_gradients(name: str) -> None:
    objective = make(name)
    params, direction = some_params(objective), some_params(objective, 2)
    value, gradient = objective.value_and_gradient(params)
    flat_value, flat_gradient = objective.value_and_gradient(params.ravel())
    assert value == flat_value
    assert flat_gradient.shape == (params.size,)
    assert np.array_equal(flat_gradient, gradient.ravel())
    flat_product = objective.hessp(params.ravel(), direction.ravel())
    assert np.array_equal(flat_product, objective.hessp(params, direction).ravel())
    assert objective.value(params.ravel()) == value
    assert objective.duality_gap(params.ravel()) == objective.duality_gap(params)


@every_loss
def test_parameters_are_left_alone(name: str) -> None:
    objective = make(name)
    params, direction = some_params(objective), some_params(objective, 2)
    params.flags.writeable = direction.flags.writeable = False
    objective.value_and_gradient(params)
    objective.hessp(params, direction)
    objective.along(params, direction)(1.0)
    objective.duality_gap(params)
    point = objective.at(params)
    objective.with_best_bias(point)


def test_changed_copies_share_rows_and_leave_the_original() -> None:
    objective = make("softmax")
    params = some_params(objective)
    before = objective.value(params)
    zero_model = objective.loss_at_zero
    for other in (objective.with_alpha(3.0), objective.with_loss(SigmoidLoss()), objective.in_float64()):
        assert np.shares_memory(other.rows.X, objective.rows.X)
        other.value_and_gradient(params)
    assert objective.with_loss(SigmoidLoss()).loss_at_zero == pytest.approx(3 * np.log(2), rel=1e-15)
    assert (objective.value(params), objective.loss_at_zero) == (before, zero_model)
    assert zero_model == pytest.approx(np.log(3), rel=1e-15)


@pytest.mark.parametrize("name", PUBLIC)
def test_original_units_describe_the_same_logits(name: str) -> None:
    objective = make(name)
    params = some_params(objective)
    coefficients, intercept = objective.to_original_units(params)
    logits = np.asarray(objective.rows.X) @ coefficients + intercept
    assert np.allclose(logits, objective.logits(params), rtol=1e-11, atol=1e-12)
    expected = PLAIN[name](logits, objective.y).mean() + objective.penalty(params)
    assert objective.value(params) == pytest.approx(expected, rel=1e-11)


def test_number_of_outputs_follows_labels_and_loss() -> None:
    X = np.arange(12.0).reshape(6, 2)

    def outputs(y: Any, loss: Loss, n_outputs: int | None = None) -> int:
        return Objective(X, np.asarray(y), loss, n_outputs=n_outputs).shape[1]

    binary, ternary = [0, 1, 0, 1, 0, 1], [0, 1, 2, 0, 1, 2]
    assert outputs(binary, SigmoidLoss()) == 1
    assert outputs(binary, SoftmaxLoss()) == 2
    assert outputs(ternary, SigmoidLoss()) == 3
    assert outputs(ternary, WestonWatkinsHinge()) == 3
    assert outputs(ternary, CrammerSingerHinge(), 5) == 5
    assert outputs(np.eye(4)[ternary], SoftmaxLoss()) == 4


# Invariances


@every_loss
@pytest.mark.parametrize("standardize", [True, False])
def test_integer_weights_are_repetitions(name: str, standardize: bool) -> None:
    objective = make(name)
    X, y = np.asarray(objective.rows.X), objective.y
    counts = np.random.default_rng(3).integers(0, 4, 40)
    options: dict[str, Any] = {"alpha": 0.1, "standardize": standardize, "n_outputs": 3}
    weighted = Objective(X, y, LOSSES[name], sample_weight=counts, **options)
    repeated = Objective(np.repeat(X, counts, axis=0), np.repeat(y, counts), LOSSES[name], **options)
    scaled = Objective(X, y, LOSSES[name], sample_weight=counts * 1e-30, **options)
    params = some_params(weighted)
    value, gradient = weighted.value_and_gradient(params)
    for other in (repeated, scaled):
        other_value, other_gradient = other.value_and_gradient(params)
        assert other_value == pytest.approx(value, rel=1e-12)
        assert np.allclose(other_gradient, gradient, rtol=1e-10, atol=1e-12 * np.abs(gradient).max())
    assert weighted.total_weight == counts.sum() == repeated.total_weight


@every_loss
def test_rows_without_weight_may_be_anything(name: str) -> None:
    objective = make(name, weighted=True)
    X, y = np.array(objective.rows.X), objective.y
    X[WEIGHT == 0] = 1e12
    other = Objective(X, y, LOSSES[name], alpha=objective.alpha, sample_weight=WEIGHT, n_outputs=3)
    params = some_params(objective)
    assert other.value(params) == pytest.approx(objective.value(params), rel=1e-9)
    gradient = objective.value_and_gradient(params)[1]
    assert np.allclose(other.value_and_gradient(params)[1], gradient, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", SEPARATE_LABELS)
def test_outputs_that_do_not_interact_are_separate_problems(name: str) -> None:
    objective = make(name)
    params = some_params(objective)
    X, y = np.asarray(objective.rows.X), objective.y
    gradient = objective.value_and_gradient(params)[1]
    for k in range(3):
        single = Objective(X, (y == k).astype(int), LOSSES[name], alpha=objective.alpha)
        assert np.allclose(single.value_and_gradient(params[:, [k]])[1], gradient[:, [k]], rtol=1e-12, atol=1e-14)


@every_loss
def test_labels_as_rows(name: str) -> None:
    objective = make(name)
    rows = Objective(objective.rows.X, np.eye(3)[objective.y], LOSSES[name], alpha=objective.alpha)
    params = some_params(objective)
    assert rows.shape == objective.shape
    assert np.allclose(rows.value_and_gradient(params)[1], objective.value_and_gradient(params)[1], rtol=0, atol=1e-13)


# Refusals

X0, Y0 = np.ones((3, 2)), np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones(3), Y0), {}, r"real matrix of shape \(n, d\); got shape \(3,\)"),
        ((np.ones((3, 2), complex), Y0), {}, "got shape .* of dtype complex128"),
        ((np.array([["a"], ["b"], ["c"]]), Y0), {}, "of dtype <U1"),
        ((X0, [0, 1]), {}, "as many rows, at least one; got 3 and 2"),
        ((np.ones((0, 2)), []), {}, "at least one; got 0 and 0"),
        ((X0, Y0), {"alpha": -1.0}, "alpha must be a finite number >= 0; got -1.0"),
        ((X0, Y0), {"alpha": np.nan}, "got nan"),
        ((X0, Y0), {"alpha": np.inf}, "got inf"),
        ((X0, Y0), {"sample_weight": [1, 2]}, r"3 finite numbers >= 0, not all zero; got shape \(2,\)"),
        ((X0, Y0), {"sample_weight": [1, -2, 1]}, "finite numbers >= 0"),
        ((X0, Y0), {"sample_weight": [0, 0, 0]}, "not all zero"),
        ((X0, Y0), {"sample_weight": [1, np.nan, 0]}, "finite numbers"),
        ((X0, Y0), {"sample_weight": [1, np.inf, 0]}, "from 0 to inf"),
        ((X0, Y0), {"alpha": "a"}, "alpha must be a finite number >= 0; got 'a'"),
        ((X0, Y0), {"n_outputs": 0}, "n_outputs must be an integer >= 1, or None; got 0"),
        ((X0, Y0), {"n_outputs": 1.5}, "n_outputs must be an integer >= 1, or None; got 1.5"),
        ((X0 * np.nan, Y0), {}, "X must be finite; it holds NaN"),
        ((X0, ["a", "b", "a"]), {}, "y must hold class numbers or indicator rows; got dtype <U1"),
    ],
)
def test_wrong_inputs(arguments: tuple[Any, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Objective(*arguments, SigmoidLoss(), **options)


@pytest.mark.parametrize("loss", ["softmax", SigmoidLoss])
def test_what_is_no_loss_is_refused(loss: Any) -> None:
    with pytest.raises(TypeError, match=r"loss must be a Loss, such as SoftmaxLoss\(\); got"):
        Objective(X0, Y0, loss)


@pytest.mark.parametrize("shape", [(2, 1), (4,), (3, 1, 1), (1, 3, 1)])
def test_wrong_parameters(shape: tuple[int, ...]) -> None:
    objective = Objective(X0, Y0, SigmoidLoss())
    with pytest.raises(ValueError, match=r"params must have shape \(3, 1\), or be that array flattened; got \("):
        objective.value(np.zeros(shape))


def test_transposed_parameters_are_refused() -> None:
    """They have the right number of entries, in the wrong order."""
    objective = make("softmax", d=3)
    with pytest.raises(ValueError, match="params must have shape"):
        objective.value(np.zeros((objective.shape[1], objective.shape[0])))


def test_only_plain_hinges_can_be_smoothed() -> None:
    with pytest.raises(ValueError, match="smooth already"):
        make("softmax").smoothed(1.0)
    with pytest.raises(ValueError, match="no dual centre"):
        make("softmax").maximizer(make("softmax").at(np.zeros((4, 3))))


def test_labels_may_be_floats_that_are_integers() -> None:
    X = np.random.default_rng(0).standard_normal((60, 3))
    y = np.arange(60) % 2
    results = [solve(Objective(X, labels, SigmoidLoss(), alpha=0.1)) for labels in (y, y.astype(float))]
    assert np.array_equal(results[0].params, results[1].params)
