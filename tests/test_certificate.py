"""The certificate: a bound that holds, that is what duality says, and that goes to zero."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import xlogy
from zoo import HINGES, LIKELIHOODS, PUBLIC, SMOOTH, SMOOTHED, SQUARED, known, plain_rows, random_problem, reference

from skgradlinear import Objective, SoftmaxClassifier
from skgradlinear._certificate import ENDLESS, VALUE_FLOOR, bias_radius, dual_value
from skgradlinear.losses import (
    CrammerSingerHinge,
    Loss,
    NonSmoothLoss,
    SigmoidLoss,
    SoftmaxLoss,
    WestonWatkinsHinge,
    WestonWatkinsSquaredHinge,
)
from skgradlinear.solvers import Status, solve

EPS = np.finfo(np.float64).eps
# What the references themselves may be off, from above.
REFERENCE_ERROR = 1e-8


def points(objective: Objective, sizes: tuple[float, ...] = (0.0, 1e-3, 0.1, 1.0, 30.0)) -> list[np.ndarray]:
    """Parameters at zero, near it, and far away; logits of about these sizes."""
    random = np.random.default_rng(1)
    deviation = np.append(objective.standardization.deviation, 1.0)[:, None]
    return [size * random.standard_normal(objective.shape) / deviation for size in sizes]


# The bound holds


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize(("fit_intercept", "standardize"), list(product([True, False], repeat=2)))
def test_gap_bounds_the_suboptimality(name: str, fit_intercept: bool, standardize: bool) -> None:
    options = {"fit_intercept": fit_intercept, "standardize": standardize}
    objective, minimum = random_problem(PUBLIC[name], **options), reference(name, **options)
    optimum = solve(objective, tol=1e-8).params
    near = [optimum + size * (params - optimum) for size in (1e-5, 1e-2) for params in points(objective)[2:3]]
    for params in [*points(objective), *near, optimum]:
        missing = objective.value(params) - minimum
        assert objective.duality_gap(params) >= missing - 1e-13 * objective.value(params) >= -REFERENCE_ERROR


@pytest.mark.parametrize("name", PUBLIC)
def test_gap_bounds_the_suboptimality_of_the_known_problems(name: str) -> None:
    problem = known(name)
    for params in points(problem.objective):
        missing = problem.objective.value(params) - problem.minimum
        assert problem.objective.duality_gap(params) >= missing * (1 - 1e-12) > 0


@pytest.mark.parametrize("name", PUBLIC)
def test_any_feasible_dual_is_a_lower_bound(name: str) -> None:
    """Gradient rows of the loss, or of its smoothed version, anywhere at all; also mixtures of these."""
    objective, minimum = random_problem(PUBLIC[name]), reference(name)
    smooth = objective.smoothed(0.3) if name in HINGES else objective
    duals = [smooth.at(params).dlogits(slice(None)) for params in points(objective)]
    mixed = [0.3 * duals[k] + 0.7 * duals[k + 1] for k in range(len(duals) - 1)]
    for dual in duals + mixed:
        for bias in (np.zeros(3), np.array([3.0, -1.0, 0.5])):
            assert dual_value(objective, dual.__getitem__, minimum, bias) <= minimum + REFERENCE_ERROR
    infeasible = duals[0] + 3.0
    assert dual_value(objective, infeasible.__getitem__, 1.0, np.zeros(3)) == -np.inf


@pytest.mark.parametrize("name", HINGES)
@pytest.mark.parametrize("mu", [1e-3, 0.1, 10.0])
def test_smoothed_points_bound_the_true_hinge(name: str, mu: float) -> None:
    objective, minimum = random_problem(HINGES[name]), reference(name)
    smooth = objective.smoothed(mu)
    for params in points(objective):
        point = smooth.with_best_bias(smooth.at(params))
        value = objective.value_at(point)
        bound, bias_cost = objective.bound(point, smooth.gradient(point), value)
        assert bound <= minimum + REFERENCE_ERROR
        assert bias_cost >= 0
        # A multiple theta of the duals with theta = 1 among the choices: no worse than the duals themselves.
        assert bound >= dual_value(objective, point.dlogits, value, point.params[-1]) - 1e-10 * (1 + abs(bound))


# The bound is what duality says


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("polish", [True, False])
def test_gap_is_the_difference_of_explicit_conjugates(name: str, fit_intercept: bool, polish: bool) -> None:
    """``||dP/dW||^2 / (2 alpha)`` plus what the bias costs is P - D: Fenchel-Young is an equality at a gradient."""
    objective = random_problem(SMOOTH[name], fit_intercept=fit_intercept, sample_weight=np.arange(40) % 3)
    for params in points(objective, (0.0, 0.1, 1.0)):
        point = objective.at(params)
        if polish:
            point = objective.with_best_bias(point)
        certificate = objective.certificate(point)
        bias = point.params[-1] if fit_intercept else np.zeros(3)
        explicit = point.value - dual_value(objective, point.dlogits, point.value, bias)
        assert certificate.gap == pytest.approx(explicit, rel=1e-10, abs=1e-12 * point.value)
        assert certificate.value == point.value
        assert certificate.measure == pytest.approx(certificate.gap / point.value, rel=1e-15)
        balance = objective.weight @ point.dlogits(slice(None))
        expected = bias_radius(objective, point.value, bias) @ np.abs(balance) if fit_intercept else 0.0
        assert certificate.bias_cost == pytest.approx(expected, rel=1e-6, abs=1e-13)


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_proof_by_balanced_rows(name: str, fit_intercept: bool) -> None:
    """It holds of the explicit conjugates, and is not much worse than that of the best bias."""
    weight = np.arange(40) % 3
    objective = random_problem(LIKELIHOODS[name], fit_intercept=fit_intercept, sample_weight=weight)
    optimum = solve(objective, tol=1e-12)
    for size in (1e-6, 1e-3, 0.1, 3.0):
        params = optimum.params + size * points(objective)[3]
        params[-1] += size * np.array([1.0, -0.5, 0.0])
        proof = objective.proved(params)
        params = objective.free_of_shift(params)
        assert np.array_equal(proof.params, params)
        assert proof.value == pytest.approx(objective.value(params), rel=1e-13)
        assert proof.certificate.gap >= proof.value - optimum.value - 1e-12
        if size < 1 or not fit_intercept:
            assert proof.certificate.gap <= 4 * objective.duality_gap(params) + 1e-12
        point = objective.at(params)
        dual = point.dlogits(slice(None))
        if fit_intercept and size < 1:
            shares = dual * objective.weight[:, None]
            hessian = point.curvature(slice(None)).total(objective.weight[:, None])
            change = np.linalg.lstsq(hessian, -shares.sum(axis=0), rcond=1e-12)[0]
            dual = dual + point.curvature(slice(None)).matvec(np.broadcast_to(change, dual.shape))
        explicit = point.value - dual_value(objective, dual.__getitem__, point.value, proof.params[-1])
        assert proof.certificate.gap >= explicit - 1e-11
        assert proof.certificate.gap <= 2 * explicit + 1e-11


def test_a_proof_of_a_bias_that_is_far_away_is_that_of_the_gradient_rows() -> None:
    """Moved to first order by as much as that, these would leave the domain of the conjugate."""
    objective = random_problem(SoftmaxLoss())
    params = solve(objective, tol=1e-12).params + np.array([5.0, -5.0, 0.0])
    expected = objective.certificate(objective.at(objective.free_of_shift(params)))
    assert objective.proved(params).certificate.gap == pytest.approx(expected.gap, rel=1e-10)


def test_dual_value_by_hand() -> None:
    """The formula with explicit standardized rows and the entropy (softmax), the sum of duals (Weston-Watkins)."""
    bias = np.array([0.5, -0.25, 1.0])
    for loss in (SoftmaxLoss(), WestonWatkinsHinge()):
        objective = random_problem(loss)
        Z, y, alpha = plain_rows(objective, np.asarray(objective.rows.X)), objective.y, objective.alpha
        mass = np.random.default_rng(0).dirichlet(np.ones(3), 40)
        dual = mass - np.eye(3)[y]
        conjugate = xlogy(mass, mass).sum(axis=1) if not isinstance(loss, NonSmoothLoss) else dual[np.arange(40), y]
        total, balance = Z.T @ dual / 40, dual.mean(axis=0)
        # Class shares, three columns of variance one, an objective of 2; the third class has the largest bias.
        share = np.bincount(y) / 40
        radius = 2 / share + np.sqrt(4 * 2 * 3 / alpha / share) + [0.5, 1.25, 0.0]
        expected = -conjugate.mean() - (total**2).sum() / (2 * alpha) + bias @ balance - radius @ np.abs(balance)
        assert dual_value(objective, dual.__getitem__, 2.0, bias) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("loss", {**SMOOTH, **HINGES}.values(), ids=repr)
def test_the_best_bias_is_within_the_radius(loss: Loss, seed: int) -> None:
    """Of any point, also on heavy-tailed columns with hardly a penalty, where it is hundreds of logits away."""
    random = np.random.default_rng(seed)
    y = np.r_[np.arange(4), random.integers(0, 4, 7)]
    X = np.exp(3 * random.standard_normal((11, 3)))
    weight = np.exp(4 * random.standard_normal(11))
    for alpha in (1e-1, 1e-4, 1e-7):
        objective = Objective(X, y, loss, alpha=alpha, sample_weight=weight)
        best = solve(objective, tol=1e-3, max_iter=100).params
        for params in (objective.zeros(), *points(objective, (0.1, 10.0))):
            value, bias = objective.value(params), params[-1]
            found = best[-1]
            if objective.shift_invariant:
                bias, found = bias - bias.max(), found - found.max()
            assert (np.abs(found - bias) <= bias_radius(objective, value, params[-1])).all()


@pytest.mark.parametrize(
    "loss", [WestonWatkinsHinge(), WestonWatkinsSquaredHinge(), CrammerSingerHinge(), SoftmaxLoss()]
)
def test_a_class_without_weight_is_charged_nowhere(loss: Loss) -> None:
    """Also not by a far outlier that hardly counts, whose own logit is hundreds below the largest bias."""
    random = np.random.default_rng(0)
    X = random.standard_normal((51, 1))
    y = (X[:, 0] > 0).astype(int)
    weight = np.ones(51)
    X[0], y[0], weight[0] = -4000, 1, 1e-7
    y[50], weight[50] = 2, 0
    objective = Objective(X, y, loss, alpha=1e-3, standardize=False, sample_weight=weight)
    found = solve(objective, tol=1e-4)
    further = found.params.copy()
    further[-1, 2] = -1e6
    assert found.status is Status.CONVERGED
    assert found.value - found.gap <= objective.value(further)


@pytest.mark.parametrize("name", PUBLIC)
def test_weights_below_rounding_are_none(name: str) -> None:
    random = np.random.default_rng(0)
    X, y = random.standard_normal((60, 3)), np.arange(60) % 3
    found = solve(Objective(X, y, PUBLIC[name], alpha=0.1, sample_weight=np.where(y == 2, 1e-320, 1.0)), tol=1e-4)
    assert found.measure <= 1e-4


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_spread_counts_rows_as_the_loss_does(far: float) -> None:
    """Class weights leave the centre and the scale of the columns alone; a rare class far out then counts."""
    random = np.random.default_rng(0)
    y = (np.arange(60) < 3).astype(int)
    X = random.standard_normal((60, 4)) + 5.0 * y[:, None] + far
    model = SoftmaxClassifier(class_weight={0: 1, 1: 50}, alpha=0.1).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    weight = np.where(y, 50, 1.0)
    problem = Objective.from_checked(
        X,
        y,
        SigmoidLoss(),
        weight=weight,
        moments=Objective(X, y, SigmoidLoss()).moments,
        fit_intercept=True,
        standardize=True,
        n_outputs=1,
        reweighted=True,
    )
    reach = problem.bias_reach
    spread = (reach.mean_norm**2 / reach.inverse_share)[0]
    assert spread == pytest.approx(weight / weight.sum() @ (Z**2).sum(axis=1), rel=1e-9)
    assert spread > 5 * problem.logit_variance
    params = problem.standardization.from_original_units(model.coef_.T, model.intercept_)
    assert problem.with_alpha(0.1).value(params) == pytest.approx(model.objective_, rel=1e-12)


def test_radius_of_an_output_without_rows_on_one_side() -> None:
    random = np.random.default_rng(0)
    sides = np.tile([1, 0, 1], (40, 1))
    objective = Objective(random.standard_normal((40, 2)), sides, SigmoidLoss(), alpha=0.1)
    assert (bias_radius(objective, 1.0, np.array([1.0, -2.0, 3.0])) == ENDLESS + np.array([1.0, 2.0, 3.0])).all()


# The gap goes to zero


@pytest.mark.parametrize("name", {**LIKELIHOODS, **SQUARED, **SMOOTHED})
def test_gap_vanishes_with_the_square_of_the_distance(name: str) -> None:
    objective = random_problem(SMOOTH[name])
    optimum = solve(objective, tol=1e-13).params
    assert objective.duality_gap(optimum) <= 1e-12
    direction = points(objective)[3]
    direction[-1] = 0
    far, near = (objective.duality_gap(optimum + size * direction) for size in (1e-3, 1e-4))
    assert near == pytest.approx(far / 100, rel=0.1)


@pytest.mark.parametrize("name", HINGES)
def test_gap_of_a_hinge_closes_at_the_solution(name: str) -> None:
    result = solve(random_problem(HINGES[name]), tol=1e-9)
    assert 0 <= result.gap <= 1e-9 * result.value
    assert result.value - reference(name) <= result.gap


def test_gap_is_computed_in_float64() -> None:
    """Float32 rows: the bound on the true objective of those rows, not on a rounded one."""
    objective = random_problem(SoftmaxLoss())
    single = Objective(np.float32(objective.rows.X), objective.y, SoftmaxLoss(), alpha=objective.alpha)
    params = points(objective)[3]
    assert single.duality_gap(params) == single.in_float64().duality_gap(params)
    assert single.duality_gap(solve(single, tol=1e-12).params) < 1e-11


def test_floor_of_the_relative_gap() -> None:
    """Objectives near zero are measured against a share of the zero model's loss."""
    objective = random_problem(SoftmaxLoss())
    assert objective.relative_gap(2.0, 1.0) == 0.5
    assert objective.relative_gap(0.0, 1e-12) == pytest.approx(1e-12 / (VALUE_FLOOR * np.log(3)), rel=1e-14)


# Without a penalty


@pytest.mark.parametrize("standardize", [True, False])
def test_without_a_penalty_the_measure_is_the_scaled_gradient(standardize: bool) -> None:
    objective = random_problem(SoftmaxLoss(), alpha=0.0, standardize=standardize)
    X = np.column_stack([objective.rows.X, np.full(40, 7.0)])
    objective = Objective(X, objective.y, SoftmaxLoss(), standardize=standardize)
    params = 0.1 * np.ones(objective.shape) * np.arange(3)
    params[3] = 0.0
    assert objective.duality_gap(params) == np.inf
    point = objective.at(params)
    certificate = objective.certificate(point)
    assert np.isnan(certificate.gap)
    # In units that do not depend on those of X: the gradient for columns of deviation 1.
    scaled = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    expected = np.vstack([scaled.T @ point.dlogits(slice(None)) / 40, point.dlogits(slice(None)).mean(axis=0)])
    assert certificate.measure == pytest.approx(np.abs(expected).max(), rel=1e-12)


# The bias


def test_best_bias_of_one_logit_by_bisection() -> None:
    random = np.random.default_rng(0)
    X, y = random.standard_normal((50, 2)), random.integers(0, 2, 50)
    objective = Objective(X, y, SigmoidLoss(), alpha=0.1, sample_weight=random.random(50))
    params = np.array([[1.0], [-2.0], [5.0]])
    logits = objective.logits(params)[:, 0] - 5.0

    def balance(b: float) -> float:
        return float(objective.weight @ (1 / (1 + np.exp(-(logits + b))) - y))

    best = objective.with_best_bias(objective.at(params))
    assert best.params[-1, 0] == pytest.approx(brentq(balance, -20, 20, xtol=1e-14), abs=1e-7)
    assert np.array_equal(best.params[:-1], params[:-1])
    exact = objective.polished(best, 0.0, best.value)
    assert exact.params[-1, 0] == pytest.approx(brentq(balance, -20, 20, xtol=1e-14), abs=1e-13)
    assert exact.value == pytest.approx(objective.value(exact.params), rel=1e-14)


@pytest.mark.parametrize("name", {**LIKELIHOODS, **SQUARED})
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0])
def test_best_bias_is_the_minimum_over_biases(name: str, size: float) -> None:
    objective = random_problem(SMOOTH[name])
    params = points(objective, (size,))[0]
    params[-1] = [5.0, -3.0, 0.0]
    best = objective.with_best_bias(objective.at(params))
    assert np.abs(objective.weight @ best.dlogits(slice(None))).max() < 1e-7

    def value(bias: np.ndarray) -> float:
        return objective.value(np.vstack([params[:-1], bias]))

    found = minimize(value, best.params[-1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
    assert best.value <= found.fun + 1e-12 * (1 + found.fun)
    if objective.shift_invariant:
        moved = best.params[-1] - params[-1]
        assert moved.sum() == pytest.approx(0, abs=1e-10 * (1 + np.abs(moved).max()))


def test_bias_far_away_is_found() -> None:
    """A start where two classes have no curvature left, and a plain Newton step would overshoot."""
    objective = random_problem(SoftmaxLoss())
    params = np.zeros(objective.shape)
    params[-1] = [25.0, -25.0, 0.0]
    expected = np.log(np.bincount(objective.y) / 40)
    best = objective.with_best_bias(objective.at(params)).params[-1]
    assert best - best.mean() == pytest.approx(expected - expected.mean(), abs=1e-6)


def test_assess_polishes_the_bias_only_where_that_is_what_is_missing() -> None:
    objective = random_problem(SoftmaxLoss())
    optimum = solve(objective, tol=1e-13).params
    optimum[-1] += [1e-6, -1e-6, 0.0]
    point = objective.at(optimum)
    assert objective.certificate(point).measure > 1e-9
    polished, gradient, certificate = objective.assess(point, 1e-9)
    assert certificate.measure <= 1e-9
    assert np.abs(gradient - objective.value_and_gradient(polished.params)[1]).max() < 1e-14
    far = objective.at(points(objective)[3])
    assert objective.assess(far, 1e-9)[0] is far


def test_records_are_immutable() -> None:
    objective = random_problem(SoftmaxLoss())
    point = objective.at(objective.zeros())
    certificate = objective.certificate(point)
    for record, name in ((point, "value"), (certificate, "gap")):
        with pytest.raises(AttributeError):
            setattr(record, name, 0.0)
    assert replace(point, value=1.0).value == 1.0
