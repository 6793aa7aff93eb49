"""Gradient descent, SGD and Adam: the rules of their steps, where they start, where they end, and what they prove."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from zoo import CONTAINERS, HINGES, PUBLIC, SINGLE, SMOOTH, random_problem, reference

from skgradlinear import LinearSVMClassifier, Objective, SigmoidClassifier, SoftmaxClassifier
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss, WestonWatkinsHinge
from skgradlinear.losses._base import Loss
from skgradlinear.solvers import (
    LBFGS,
    SGD,
    Adam,
    FirstOrder,
    GradientDescent,
    NewtonCG,
    Recentred,
    Status,
    SubspaceNewton,
    solve,
)
from skgradlinear.solvers._first_order import largest_curvature
from skgradlinear.solvers._held_out import HeldOut

OBJECTS = [LBFGS(), NewtonCG(), SubspaceNewton(), Recentred(), GradientDescent(), SGD(), Adam()]
FIRST_ORDER = [GradientDescent(), SGD(), Adam()]
each_object = pytest.mark.parametrize("solver", OBJECTS, ids=repr)
each_first_order = pytest.mark.parametrize("solver", FIRST_ORDER, ids=repr)
X, y = load_iris(return_X_y=True)
ROUNDING = 64 * np.finfo(np.float64).eps


def assert_true(result: Any, objective: Objective, minimum: float) -> None:
    """The gap is a bound on what is missing, and the value that of the parameters."""
    assert result.value == pytest.approx(objective.value(result.params), rel=1e-10)
    assert -1e-8 * minimum <= result.value - minimum <= result.gap * (1 + 1e-9) + ROUNDING
    assert result.gap == pytest.approx(result.measure * result.value, rel=1e-12)


# Convergence to the certified solution

TO_THE_END = [
    (GradientDescent(max_epochs=5000), 1e-8),
    (GradientDescent(momentum=0.0, max_epochs=20_000), 1e-6),
    (GradientDescent(learning_rate=0.05, momentum=0.9, max_epochs=20_000), 1e-6),
    (SGD("auto", batch_size=8, max_epochs=4000), 1e-3),
    (SGD("auto", batch_size=8, averaging=True, max_epochs=4000), 1e-4),
    (SGD("auto", momentum=0.9, nesterov=True, batch_size=16, averaging=True, max_epochs=4000), 1e-3),
    (SGD("auto", batch_size=40, momentum=0.5, schedule="constant", max_epochs=20_000), 1e-6),
    (Adam(0.1, schedule="inverse_sqrt", batch_size=8, averaging=True, max_epochs=4000), 1e-3),
    (Adam(0.02, batch_size=40, max_epochs=8000), 1e-6),
]


@pytest.mark.parametrize(("solver", "tol"), TO_THE_END, ids=repr)
@pytest.mark.parametrize("name", ["softmax", "sigmoid", "ovr_squared", "ww_squared"])
def test_smooth_problems_are_solved(name: str, solver: FirstOrder, tol: float) -> None:
    objective = random_problem(PUBLIC[name])
    result = solver.solve(objective, tol=tol, max_iter=20_000)
    assert result.status is Status.CONVERGED
    assert_true(result, objective, reference(name))
    best = SubspaceNewton().solve(objective, tol=1e-10)
    # Strong convexity: a gap puts the weights within sqrt(2 gap / alpha) of the optimum.
    radius = np.sqrt(2 * result.gap / objective.alpha) + np.sqrt(2 * best.gap / objective.alpha)
    assert np.linalg.norm(result.params[:-1] - best.params[:-1]) <= radius
    assert [i.n_iter for i in result.history] == list(range(result.n_iter + 1))


@pytest.mark.parametrize(
    "solver",
    [
        GradientDescent(max_epochs=3000),
        SGD("auto", batch_size=8, averaging=True, max_epochs=3000),
        Adam(0.1, schedule="inverse_sqrt", batch_size=8, averaging=True, max_epochs=3000),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", HINGES)
def test_plain_hinges_are_solved_by_subgradients(name: str, solver: FirstOrder) -> None:
    objective = random_problem(PUBLIC[name])
    result = solver.solve(objective, tol=5e-2, max_iter=3000)
    assert_true(result, objective, reference(name))
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("name", SMOOTH)
def test_newton_cg(name: str) -> None:
    objective = random_problem(SMOOTH[name])
    result, best = NewtonCG().solve(objective, tol=1e-9), SubspaceNewton().solve(objective, tol=1e-9)
    assert result.status is Status.CONVERGED
    assert result.value == pytest.approx(best.value, rel=1e-8)


@pytest.mark.parametrize(
    ("solver", "name"),
    [(GradientDescent(), "softmax"), (SGD(batch_size=7), "softmax"), (Adam(batch_size=7), "ww"), (SGD(), "cs")],
)
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_takes_the_same_steps(name: str, solver: FirstOrder, container: str) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 60)
    rows = random.integers(0, 3, (60, 5)) + 2.0 * (np.arange(5) == labels[:, None])
    objectives = [
        Objective(form(rows), labels, PUBLIC[name], alpha=0.05, n_outputs=3, standardize=False)
        for form in (np.asarray, CONTAINERS[container])
    ]
    states = [solver.epoch(o, o.zeros(), None, np.random.default_rng(1)) for o in objectives]
    tolerance = 1e-5 if container in SINGLE else 1e-12
    assert_allclose(states[1][0], states[0][0], rtol=0, atol=tolerance)


# Steps


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_mini_batches_are_unbiased(kind: Any) -> None:
    """With weights relative to the total: batches weighed by their size add up to the gradient of all rows."""
    weight = np.random.default_rng(0).gamma(0.3, size=len(y))
    objective = Objective(kind(X), y, SoftmaxLoss(), alpha=0.1, sample_weight=weight)
    params = np.random.default_rng(1).standard_normal(objective.shape)
    batches = list(SGD(batch_size=64)._batches(objective, np.random.default_rng(2)))
    sizes = [len(batch.weight) for batch in batches]
    assert sizes == [64, 64, 22]
    mean = sum(s / len(y) * b.value_and_gradient(params)[1] for s, b in zip(sizes, batches, strict=True))
    assert_allclose(mean, objective.value_and_gradient(params)[1], rtol=1e-12, atol=1e-14)
    assert sorted(np.concatenate([b.y for b in batches])) == sorted(y)
    assert all(sp.issparse(batch.rows.X) == (kind is sp.csr_array) for batch in batches)


def test_steps_are_those_of_the_formulas() -> None:
    """Written out: a batch of all rows is the gradient itself."""
    objective = random_problem(SoftmaxLoss())
    n = len(objective.weight)
    rng = np.random.default_rng(0)

    def path(solver: FirstOrder, n_steps: int) -> np.ndarray:
        params, state = objective.zeros(), None
        for _ in range(n_steps):
            params, state = solver.epoch(objective, params, state, rng)
        return params

    def gradient(params: np.ndarray) -> np.ndarray:
        return objective.value_and_gradient(params)[1]

    first = -0.1 * gradient(objective.zeros())
    assert_allclose(path(SGD(0.1, batch_size=n, schedule="constant"), 1), first, atol=1e-15)
    rates = {"constant": 0.1, "inverse": 0.1 / (1 + 0.1 * objective.alpha), "inverse_sqrt": 0.1 / np.sqrt(2)}
    for schedule, rate in rates.items():
        found = path(SGD(0.1, batch_size=n, schedule=schedule), 2)
        assert_allclose(found, first - rate * gradient(first), atol=1e-15)
    heavy = path(SGD(0.1, momentum=0.5, batch_size=n, schedule="constant"), 2)
    assert_allclose(heavy, first + 0.5 * first - 0.1 * gradient(first), atol=1e-15)
    start = 1.5 * first
    nesterov = path(SGD(0.1, momentum=0.5, nesterov=True, batch_size=n, schedule="constant"), 2)
    velocity = 0.5 * gradient(objective.zeros()) + gradient(start)
    assert_allclose(nesterov, start - 0.1 * (gradient(start) + 0.5 * velocity), atol=1e-15)
    one = path(Adam(0.1, batch_size=n), 1)
    moved = np.abs(gradient(objective.zeros())) > 1e-6
    assert_allclose(one[moved], 0.1 * np.sign(first)[moved], rtol=1e-2)


def test_averages_weigh_late_iterates_like_a_cube() -> None:
    solver = SGD(0.3, batch_size=40, averaging=True)
    objective = random_problem(SoftmaxLoss())
    params, state, iterates = objective.zeros(), None, []
    for _ in range(6):
        params, state = solver.epoch(objective, params, state, np.random.default_rng(0))
        iterates.append(params)
    t = np.arange(6)
    weights = (t + 1.0) * (t + 2) * (t + 3)
    assert_allclose(solver.averaged(params, state), np.average(iterates, axis=0, weights=weights), rtol=1e-12)


@each_first_order
def test_epochs_are_pure_and_their_state_can_be_stored(solver: FirstOrder) -> None:
    objective = random_problem(SoftmaxLoss())
    start = np.random.default_rng(0).standard_normal(objective.shape)
    kept = start.copy()
    params, state = solver.epoch(objective, start, None, np.random.default_rng(0))
    again, same = solver.epoch(objective, start, None, np.random.default_rng(0))
    assert_array_equal(start, kept)
    assert_array_equal(params, again)
    assert state.n_steps == same.n_steps == 1
    stored = pickle.loads(pickle.dumps(replace(state)))
    for ahead in (state, stored):
        assert_array_equal(
            solver.epoch(objective, params, ahead, np.random.default_rng(1))[0],
            solver.epoch(objective, params, same, np.random.default_rng(1))[0],
        )


@pytest.mark.parametrize("name", PUBLIC)
def test_curvature_is_bounded(name: str) -> None:
    """By the eigenvalues of rows' Hessians at random logits; hinges by those of their smoothed versions."""
    loss: Loss = PUBLIC[name].smoothed(0.3) if name in HINGES else PUBLIC[name]
    random = np.random.default_rng(0)
    for K in (2, 3, 6):
        logits, labels = random.standard_normal((200, K)), random.integers(0, K, 200)
        hessian = np.stack([loss.hessp(logits, labels, np.broadcast_to(e, logits.shape)) for e in np.eye(K)], axis=2)
        assert np.linalg.eigvalsh(hessian).max() <= loss.curvature_bound(K) * (1 + 1e-12)


def test_largest_curvature_is_that_of_the_standardized_rows() -> None:
    for options in ({}, {"fit_intercept": False}, {"standardize": False}):
        objective = Objective(X, y, SoftmaxLoss(), alpha=0.3, **options)
        rows = X - (X.mean(axis=0) if objective.fit_intercept else 0)
        rows = rows / (X.std(axis=0) if objective.standardize else 1)
        rows = np.column_stack([rows, np.full(len(X), float(objective.fit_intercept))])
        expected = np.linalg.eigvalsh(rows.T @ rows / len(X)).max()
        bound, found = largest_curvature(objective)
        assert bound == 0.5
        assert found == pytest.approx(expected, rel=0.02)


def test_unknown_curvature_asks_for_a_number() -> None:
    class Custom(SigmoidLoss):
        def curvature_bound(self, n_outputs: int) -> float:
            return Loss.curvature_bound(self, n_outputs)

    objective = random_problem(Custom())
    with pytest.raises(ValueError, match=r"needs a bound on the curvature.*pass a number"):
        GradientDescent().solve(objective)
    assert GradientDescent(0.5).solve(objective).status is Status.CONVERGED


# Starts


@pytest.mark.parametrize("init", ["zeros", "he", "xavier", "uniform", np.ones((4, 3))], ids=str)
@each_first_order
def test_starts(solver: FirstOrder, init: Any) -> None:
    """Seeded, of the size that their formulas say, and on the way to the same solution."""
    objective = random_problem(SoftmaxLoss())
    solver = clone(solver).set_params(init=init, max_epochs=3000)
    seen: list[np.ndarray] = []
    for seed in (0, 0, 1):
        solver.solve(objective, max_iter=0, random_state=seed, callback=lambda _, params: seen.append(params))
    assert_array_equal(seen[0], seen[1])
    drawn = isinstance(init, str) and init != "zeros"
    assert np.array_equal(seen[0], seen[2]) != drawn
    assert seen[0][:-1].any() == drawn
    given = np.full(objective.shape, 0.5)
    solver.solve(objective, given, max_iter=0, callback=lambda _, params: seen.append(params))
    assert_allclose(seen[-1][:-1], 0)  # a common shift of the classes
    assert GradientDescent(init=init).solve(objective, tol=1e-6).status is Status.CONVERGED


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / 400), ("xavier", 2 / 420), ("uniform", 1 / 1200)])
def test_sizes_of_drawn_weights(init: str, variance: float) -> None:
    rows = np.random.default_rng(0).standard_normal((50, 400))
    objective = Objective(rows, np.arange(50) % 20, SigmoidLoss(), alpha=0.1, fit_intercept=False)
    seen: list[np.ndarray] = []
    SGD(init=init).solve(objective, max_iter=0, callback=lambda _, params: seen.append(params))
    assert seen[0][:-1].var() == pytest.approx(variance, rel=0.05)
    assert not seen[0][-1].any()


def test_constant_columns_and_a_missing_intercept_stay_at_zero() -> None:
    rows = np.column_stack([X, np.ones(len(X))])
    for fit_intercept in (True, False):
        model = SoftmaxClassifier(solver=SGD(init="he"), fit_intercept=fit_intercept, tol=10.0).fit(rows, y)
        assert model.intercept_.any() == fit_intercept
        assert model.coef_[:, -1].any() != fit_intercept


def test_a_warm_start_takes_precedence() -> None:
    model = SoftmaxClassifier(solver=GradientDescent(init="he"), warm_start=True).fit(X, y)
    assert model.n_iter_ > 10
    assert model.fit(X, y).n_iter_ == 1


# Early stopping


@pytest.mark.parametrize("estimator", [SoftmaxClassifier(), SigmoidClassifier(), LinearSVMClassifier(cv=2)], ids=repr)
@each_first_order
def test_early_stopping_returns_the_best_on_the_rows_held_out(solver: FirstOrder, estimator: Any) -> None:
    """Without a warning, with the true gap on all rows."""
    random = np.random.default_rng(0)
    rows, labels = random.standard_normal((80, 30)), random.integers(0, 3, 80)
    rate = "auto" if isinstance(solver, GradientDescent) else 0.1
    stopping = clone(solver).set_params(early_stopping=True, patience=3, learning_rate=rate, max_epochs=200)
    model = clone(estimator).set_params(solver=stopping, alpha=1e-4).fit(rows, labels)
    assert model.n_iter_ < 100
    best = clone(estimator).set_params(alpha=1e-4, tol=1e-6).fit(rows, labels)
    assert 0 <= model.objective_ - best.objective_ <= model.duality_gap_ * model.objective_
    assert model.objective_ in model.loss_curve_[[-4, -1]]


def test_held_out_rows_are_stratified_and_not_learned_from() -> None:
    labels = np.repeat([0, 1, 2], [100, 40, 10])
    rows = np.random.default_rng(0).standard_normal((150, 3))
    objective = Objective(rows, labels, SoftmaxLoss(), alpha=0.1)
    held = HeldOut(objective, 0.2, 5, np.random.default_rng(0)).rows
    assert np.bincount(labels[held]).tolist() == [20, 8, 2]
    params = np.random.default_rng(1).standard_normal(objective.shape)
    others = np.setdiff1d(np.arange(150), held)
    alone = objective.on_rows(others).value_and_gradient(params)
    value, gradient = objective.without_rows(held).value_and_gradient(params)
    assert value == pytest.approx(alone[0], rel=1e-12)
    assert_allclose(gradient, alone[1], rtol=1e-10, atol=1e-14)


# Two precisions, weights and chance


@each_first_order
def test_float32_is_certified_in_float64(solver: FirstOrder) -> None:
    objective = random_problem(SoftmaxLoss())
    single = Objective(np.float32(objective.rows.X), objective.y, SoftmaxLoss(), alpha=0.05, n_outputs=3)
    result = clone(solver).set_params(max_epochs=300).solve(single, tol=1e-5)
    assert single.dtype == np.float32
    assert_true(result, single.in_float64(), solve(single.in_float64(), tol=1e-10).value)
    assert result.n_iter <= 300


@pytest.mark.parametrize("name", ["softmax", "sigmoid", "ww", "cs"])
def test_full_batches_see_weights_as_repetitions(name: str) -> None:
    objective = random_problem(PUBLIC[name])
    rows, labels, counts = np.asarray(objective.rows.X), objective.y, np.arange(40) % 4
    weighted = Objective(rows, labels, PUBLIC[name], alpha=0.1, sample_weight=counts)
    repeated = Objective(np.repeat(rows, counts, axis=0), np.repeat(labels, counts), PUBLIC[name], alpha=0.1)
    first, second = (GradientDescent(max_epochs=50).solve(o, tol=1e-30) for o in (weighted, repeated))
    assert_allclose(first.params, second.params, rtol=0, atol=1e-7)


@each_object
def test_same_seed_same_result(solver: Any) -> None:
    objective = random_problem(WestonWatkinsHinge() if isinstance(solver, Recentred) else SoftmaxLoss())
    first, second = (solver.solve(objective, max_iter=5, random_state=3) for _ in range(2))
    assert_array_equal(first.params, second.params)
    assert first.history == second.history
    seconds = [i.seconds for i in first.history]
    assert seconds == sorted(seconds)
    assert seconds[-1] > 0


# As parameters


@each_object
def test_objects_are_cloned_searched_and_named(solver: Any) -> None:
    assert repr(solver) == f"{type(solver).__name__}()"
    copied = clone(SoftmaxClassifier(solver=solver)).solver
    assert copied is not solver
    assert copied.get_params() == solver.get_params()
    assert set(vars(solver)) == set(solver.get_params())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # the lower rate gets nowhere
def test_learning_rates_are_searched() -> None:
    classifier = SoftmaxClassifier(solver=SGD(max_epochs=20))
    grid = {"solver__learning_rate": [1e-6, 0.1], "solver__momentum": [0.9]}
    search = GridSearchCV(classifier, grid, cv=3, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_ == {"solver__learning_rate": 0.1, "solver__momentum": 0.9}
    assert search.best_estimator_.solver.learning_rate == 0.1
    assert classifier.solver.learning_rate == SGD().learning_rate


@pytest.mark.parametrize("solver", [LBFGS(), NewtonCG(), SubspaceNewton()], ids=repr)
def test_smooth_solvers_refuse_plain_hinges(solver: Any) -> None:
    with pytest.raises(ValueError, match=r"does not fit WestonWatkinsHinge\(\), which has kinks; use 'recentred'"):
        LinearSVMClassifier(solver=solver).fit(X, y)
    LinearSVMClassifier(solver=solver, loss="squared_hinge", cv=2).fit(X, y)


def test_recentred_refuses_smooth_losses() -> None:
    with pytest.raises(ValueError, match=r"'recentred' does not fit SoftmaxLoss\(\)"):
        SoftmaxClassifier(solver=Recentred()).fit(X, y)


@pytest.mark.parametrize("name", HINGES)
@each_first_order
def test_plain_hinges_without_a_penalty_are_refused(name: str, solver: FirstOrder) -> None:
    with pytest.raises(ValueError, match="alpha=0 has no certificate"):
        solver.solve(random_problem(PUBLIC[name], alpha=0.0))


BAD = [
    *[(s, "learning_rate", v, e) for s in FIRST_ORDER for v, e in
      [(-0.1, ValueError), (0.0, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("fast", ValueError),
       (None, TypeError), (True, TypeError)]],
    *[(s, "max_epochs", v, e) for s in FIRST_ORDER for v, e in [(0, ValueError), (-3, ValueError), (2.5, TypeError)]],
    *[(s, "schedule", "cosine", ValueError) for s in FIRST_ORDER],
    *[(s, "validation_fraction", v, ValueError) for s in FIRST_ORDER for v in (0.0, 1.0, -0.2)],
    *[(s, "patience", v, ValueError) for s in FIRST_ORDER for v in (0, -1)],
    *[(s, "early_stopping", "yes", TypeError) for s in FIRST_ORDER],
    *[(s, "init", "ones", ValueError) for s in FIRST_ORDER],
    *[(s, "init", np.full((5, 3), np.nan), ValueError) for s in FIRST_ORDER],
    *[(s, "init", np.zeros((4, 3)), ValueError) for s in FIRST_ORDER],
    *[(s, "batch_size", v, e) for s in (SGD(), Adam()) for v, e in
      [(0, ValueError), (-1, ValueError), (151, ValueError), (3.0, TypeError), ("all", ValueError)]],
    *[(s, "averaging", 1, TypeError) for s in (SGD(), Adam())],
    *[(SGD(), "momentum", v, ValueError) for v in (-0.1, 1.0)],
    (SGD(), "nesterov", "yes", TypeError),
    *[(GradientDescent(), "momentum", v, ValueError) for v in (-0.1, 1.0, "heavy")],
    *[(Adam(), n, 1.0, ValueError) for n in ("beta_1", "beta_2")],
    (Adam(), "epsilon", 0.0, ValueError),
    (LBFGS(), "memory", 0, ValueError),
    (SubspaceNewton(), "memory", -1, ValueError),
    (NewtonCG(), "max_cg_steps", 0, ValueError),
]  # fmt: skip


@pytest.mark.parametrize(("solver", "name", "value", "error"), BAD, ids=str)
def test_parameters_out_of_range(solver: Any, name: str, value: Any, error: type[Exception]) -> None:
    """Named, with the value seen; and what was fitted before is still there."""
    model = SoftmaxClassifier().fit(X, y)
    coef = model.coef_
    with pytest.raises(error, match=name) as caught:
        model.set_params(solver=clone(solver).set_params(**{name: value})).fit(X, y)
    seen = "(4, 3)" if np.shape(value) == (4, 3) else str(value).split()[0]
    assert seen in str(caught.value)
    assert model.coef_ is coef


def test_fractions_that_leave_no_rows() -> None:
    for fraction, message in ((0.001, "no row to stop early by"), (0.999, "no row to learn from")):
        with pytest.raises(ValueError, match=f"validation_fraction={fraction} of 150 rows leaves {message}"):
            SoftmaxClassifier(solver=SGD(early_stopping=True, validation_fraction=fraction)).fit(X, y)


@pytest.mark.parametrize("estimator", [SoftmaxClassifier(), LinearSVMClassifier(loss="squared_hinge")], ids=repr)
@pytest.mark.parametrize(
    "solver",
    [
        GradientDescent(1e3),
        GradientDescent(50.0, momentum=0.9),
        SGD(1e4, schedule="constant"),
        SGD(300.0, schedule="constant"),
    ],
)
def test_divergence_is_named_with_a_rate_that_works(solver: FirstOrder, estimator: Any) -> None:
    model = clone(estimator).fit(X, y)
    coef = model.coef_
    with pytest.raises(ValueError, match=f"diverged with learning_rate={solver.learning_rate:g}.*Try") as caught:
        model.set_params(solver=solver).fit(X, y)
    assert model.coef_ is coef
    rate = float(str(caught.value).split("Try learning_rate=")[1].split(",")[0])
    assert 0 < rate < solver.learning_rate
    curbed = clone(estimator).set_params(solver=clone(solver).set_params(learning_rate=rate), tol=1e9, max_iter=50)
    assert curbed.fit(X, y).objective_ <= curbed.loss_curve_[0]


@pytest.mark.parametrize("scale", [1e-100, 1e100])
@pytest.mark.parametrize("solver", [GradientDescent(), SGD("auto", batch_size=10**9)], ids=str)
def test_an_automatic_rate_has_the_unit_of_the_curvature(solver: FirstOrder, scale: float) -> None:
    """Whatever the unit of the columns, and though the squares of their second moments leave the range of floats."""
    rates = [
        solver._safe_rate(Objective(unit * X, y, SoftmaxLoss(), alpha=0.0, fit_intercept=False, standardize=False))
        for unit in (1.0, scale)
    ]
    assert rates[1] * scale**2 == pytest.approx(rates[0], rel=1e-9)


def test_gradient_descent_takes_columns_of_any_size() -> None:
    model = SoftmaxClassifier(solver=GradientDescent(), standardize=False, fit_intercept=False, max_iter=20)
    curves = []
    for scale in (1.0, 1e100):
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            curves.append(model.fit(scale * X, y).loss_curve_)
    assert_allclose(curves[1], curves[0], rtol=1e-9)


def test_an_automatic_rate_that_diverges_is_not_advised_again() -> None:
    """A row far off says little of the mean curvature that the rate is made for, and leaves a mini-batch of its own."""
    rng = np.random.default_rng(0)
    rows = rng.standard_t(1.1, size=(300, 5)) ** 3
    labels = (rows[:, 0] + rng.normal(size=300) > 0).astype(int)
    rows[7] *= 1e6
    model = LinearSVMClassifier(loss="squared_hinge", probability=False, solver=SGD("auto", batch_size=1))
    with pytest.raises(ValueError, match=r"SGD has diverged with learning_rate='auto', 0\.0833275 here") as caught:
        model.fit(rows, labels)
    message = str(caught.value)
    assert "or 'auto'" not in message
    assert "Try learning_rate=0.042," in message
    assert "standardize=True" in message
    assert "divide" in message


# The folds behind a temperature


@pytest.mark.parametrize("solver", [SGD("auto"), Adam(0.01), GradientDescent()], ids=repr)
def test_folds_of_plain_hinges_end_when_they_are_solved(solver: FirstOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def watched(*args: Any, **options: Any) -> Any:
        found.append((solve(*args, **options), options["tol"]))
        return found[-1][0]

    monkeypatch.setattr("skgradlinear.estimators._svm.solve", watched)
    LinearSVMClassifier(alpha=0.1, solver=solver, tol=0.1).fit(*load_breast_cancer(return_X_y=True))
    assert len(found) == 5
    for fold, tol in found:
        assert fold.status is Status.CONVERGED
        assert fold.measure <= tol
        # All epochs would prove it as well.
        assert fold.n_iter < solver.max_epochs / 2


@pytest.mark.parametrize("proving", [True, False])
@pytest.mark.parametrize("name", HINGES)
def test_what_is_proved_now_and_then_is_true(name: str, proving: bool) -> None:
    objective = random_problem(HINGES[name])
    result = GradientDescent(max_epochs=3000).solve(objective, tol=0.1, max_iter=3000, certified=proving)
    assert result.status is Status.CONVERGED
    assert_true(result, objective, reference(name))


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("solver", [SGD("auto"), GradientDescent()], ids=repr)
def test_folds_know_nothing_of_the_rows_they_leave_out(solver: FirstOrder, loss: str) -> None:
    """Columns of noise, more than rows: whoever has seen a row is far too sure of it."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(180, 600))
    labels = rows[:, :5].sum(axis=1) + 2 * rng.normal(size=180) > 0
    model = LinearSVMClassifier(alpha=1.0, loss=loss, tol=1e-9)
    exact = clone(model).fit(rows, labels).temperature_
    found = model.set_params(solver=solver, tol=0.2).fit(rows, labels).temperature_
    assert found == pytest.approx(exact, rel=0.2)


def test_an_unfinished_fit_says_what_to_raise() -> None:
    with pytest.warns(ConvergenceWarning, match="stopped at the solver's max_epochs; raise max_epochs"):
        SoftmaxClassifier(solver=SGD(max_epochs=2)).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="stopped at max_iter; raise max_iter"):
        SoftmaxClassifier(solver=SGD(), max_iter=2).fit(X, y)


@pytest.mark.parametrize(
    "solver", [SGD(learning_rate=1e6, early_stopping=True, patience=3), SGD(learning_rate=1e6, max_epochs=3)]
)
def test_divergence_shows_in_few_epochs_too(solver):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="SGD has diverged with learning_rate=1e"):
        SoftmaxClassifier(solver=solver).fit(X, y)
