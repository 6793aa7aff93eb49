"""Solvers: every one reaches the optimum of every problem that it takes, proves it, and says why it stopped."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from zoo import (
    CONTAINERS,
    HINGES,
    PUBLIC,
    SINGLE,
    SMOOTH,
    SMOOTH_SOLVERS,
    SMOOTHED,
    SOLVERS,
    known,
    random_problem,
    reference,
    solvers_of,
)

from skgradlinear import Objective, _rows
from skgradlinear._central_path import CentralPath
from skgradlinear._evaluation import Direction
from skgradlinear._preconditioner import Blocks
from skgradlinear._separate_hinges import SeparateHinges
from skgradlinear.losses import CrammerSingerHinge, OneVsRestHinge, SigmoidLoss, SoftmaxLoss, WestonWatkinsHinge
from skgradlinear.solvers import (
    Centre,
    Iteration,
    Result,
    Status,
    interior_point,
    lbfgs,
    recentred,
    solve,
    subspace_newton,
)

EVERY = [(solver, name) for name, loss in PUBLIC.items() for solver in solvers_of(loss)]
every_solver_and_loss = pytest.mark.parametrize(("solver", "name"), EVERY)
# The references are good to this, from above.
REFERENCE_ERROR = 1e-8
# Below the square of any rounding: a gap is the square of a gradient.
NEVER = 1e-40
ROUNDING = 64 * np.finfo(np.float64).eps


def assert_optimal(result: Result, objective: Objective, minimum: float, tol: float) -> None:
    """Converged, certified, and the certificate is true."""
    assert result.status is Status.CONVERGED
    assert result.measure <= tol
    assert result.gap == pytest.approx(result.measure * result.value, rel=1e-12)
    assert result.value == pytest.approx(objective.value(result.params), rel=1e-12)
    missing = result.value - minimum
    # Losses and margins are differences of numbers of order one, however small the objective.
    assert -REFERENCE_ERROR * minimum - ROUNDING <= missing <= result.gap + ROUNDING


# The optimum


@every_solver_and_loss
@pytest.mark.parametrize("tol", [1e-3, 1e-9])
def test_problems_with_known_optimum(solver: str, name: str, tol: float) -> None:
    problem = known(name)
    result = SOLVERS[solver](problem.objective, tol=tol, max_iter=2000)
    assert_optimal(result, problem.objective, problem.minimum, tol)


@pytest.mark.parametrize(("n_classes", "alpha"), list(product([2, 3, 12], [1e-4, 1.0])))
@pytest.mark.parametrize("name", PUBLIC)
def test_known_optimum_for_any_number_of_classes_and_penalty(name: str, n_classes: int, alpha: float) -> None:
    problem = known(name, K=n_classes, alpha=alpha)
    assert_optimal(solve(problem.objective, tol=1e-7), problem.objective, problem.minimum, 1e-7)


@every_solver_and_loss
@pytest.mark.parametrize(("fit_intercept", "standardize"), list(product([True, False], repeat=2)))
def test_overlapping_classes(solver: str, name: str, fit_intercept: bool, standardize: bool) -> None:
    options = {"fit_intercept": fit_intercept, "standardize": standardize}
    objective = random_problem(PUBLIC[name], **options)
    # Columns of very different scales are what standardization is for; L-BFGS takes long without it.
    result = SOLVERS[solver](objective, tol=1e-7, max_iter=20_000)
    assert_optimal(result, objective, reference(name, **options), 1e-7)
    if not fit_intercept:
        assert not result.params[-1].any()
    elif objective.shift_invariant:
        assert result.params.mean(axis=1) == pytest.approx(np.zeros(4), abs=1e-9)


@pytest.mark.parametrize("name", SMOOTHED)
def test_smoothed_hinges_by_two_solvers(name: str) -> None:
    objective = random_problem(SMOOTHED[name])
    first, second = (run(objective, tol=1e-8, max_iter=20_000) for run in SMOOTH_SOLVERS.values())
    assert first.status is second.status is Status.CONVERGED
    assert first.value == pytest.approx(second.value, rel=1e-8)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ["softmax", "ovr_squared", "cs"])
def test_every_container_has_the_same_optimum(name: str, container: str) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 60)
    X = random.integers(0, 3, (60, 5)) + 2.0 * (np.arange(5) == y[:, None])
    expected = solve(Objective(X, y, PUBLIC[name], alpha=0.05, n_outputs=3, standardize=False), tol=1e-7)
    objective = Objective(CONTAINERS[container](X), y, PUBLIC[name], alpha=0.05, n_outputs=3, standardize=False)
    result = solve(objective, tol=1e-7)
    assert result.status is Status.CONVERGED
    assert abs(result.value - expected.value) <= max(result.gap, expected.gap) + 1e-13
    assert (objective.dtype == np.float32) == (container in SINGLE)


@pytest.mark.parametrize("solver", SMOOTH_SOLVERS)
@pytest.mark.parametrize("name", ["softmax", "sigmoid", "ovr_squared", "ww_squared"])
def test_weights_are_repetitions(solver: str, name: str) -> None:
    objective = random_problem(PUBLIC[name])
    X, y, counts = np.asarray(objective.rows.X), objective.y, np.arange(40) % 4
    weighted = Objective(X, y, PUBLIC[name], alpha=0.1, sample_weight=counts)
    repeated = Objective(np.repeat(X, counts, axis=0), np.repeat(y, counts), PUBLIC[name], alpha=0.1)
    first, second = (SOLVERS[solver](o, tol=1e-10, max_iter=5000) for o in (weighted, repeated))
    # Strong convexity: a gap puts the coefficients within sqrt(2 gap / alpha) of the optimum.
    radius = np.sqrt(2 * first.gap / 0.1) + np.sqrt(2 * second.gap / 0.1)
    assert np.linalg.norm(first.params[:-1] - second.params[:-1]) <= radius + 1e-12


@pytest.mark.parametrize("name", PUBLIC)
def test_many_rows_from_samples(name: str) -> None:
    """Large enough that preconditioners come from a sample of the rows."""
    random = np.random.default_rng(0)
    y = random.integers(0, 4, 4000)
    X = random.standard_normal((4000, 8)) + 1.5 * (np.arange(8) == y[:, None])
    objective = Objective(X, y, PUBLIC[name], alpha=1e-3)
    first, second = (solve(objective, tol=1e-5, random_state=seed) for seed in (0, 1))
    assert first.status is second.status is Status.CONVERGED
    assert abs(first.value - second.value) <= max(first.gap, second.gap)
    assert first.n_iter < 60


@pytest.mark.parametrize("name", ["softmax", "sigmoid", "ww_squared", "ww"])
def test_more_columns_than_rows_sparse(name: str) -> None:
    """Too many columns for blocks: the diagonal preconditioner."""
    random = np.random.default_rng(0)
    X = sp.random(60, 700, density=0.05, format="csr", random_state=random)
    y = random.integers(0, 3, 60)
    objective = Objective(X, y, PUBLIC[name], alpha=1e-3, standardize=False)
    expected = Objective(X.toarray(), y, PUBLIC[name], alpha=1e-3, standardize=False)
    result, dense = solve(objective, tol=1e-6), solve(expected, tol=1e-6)
    assert result.status is dense.status is Status.CONVERGED
    assert abs(result.value - dense.value) <= max(result.gap, dense.gap)


@pytest.mark.parametrize("solver", SMOOTH_SOLVERS)
def test_without_a_penalty(solver: str) -> None:
    """Overlapping classes have a finite optimum; the gradient per standard deviation stands in for the gap."""
    objective = random_problem(SoftmaxLoss(), alpha=0.0)
    result = SOLVERS[solver](objective, tol=1e-8, max_iter=5000)
    assert result.status is Status.CONVERGED
    assert np.isnan(result.gap)
    gradient = objective.value_and_gradient(result.params)[1]
    assert np.abs(gradient).max() == pytest.approx(result.measure, abs=1e-12)
    assert result.measure <= 1e-8
    slightly = solve(objective.with_alpha(1e-9), tol=1e-10)
    assert result.value == pytest.approx(slightly.value, rel=1e-6)


@pytest.mark.parametrize("name", PUBLIC)
def test_rows_without_weight_and_constant_columns(name: str) -> None:
    """Neither takes part, in the solution or in its certificate."""
    objective = random_problem(PUBLIC[name])
    X, y = np.asarray(objective.rows.X), objective.y
    padded = np.vstack([np.column_stack([X, np.full(40, 0.1)]), np.full((5, 4), 9.0)])
    weight = np.append(np.ones(40), np.zeros(5))
    wider = Objective(padded, np.append(y, [0] * 5), PUBLIC[name], alpha=0.05, sample_weight=weight, n_outputs=3)
    result = solve(wider, tol=1e-7)
    assert result.status is Status.CONVERGED
    assert abs(result.value - reference(name)) <= result.gap + REFERENCE_ERROR


# Ends other than convergence


@every_solver_and_loss
def test_max_iter(solver: str, name: str) -> None:
    result = SOLVERS[solver](random_problem(PUBLIC[name]), tol=NEVER, max_iter=2)
    assert result.status is Status.MAX_ITER
    assert result.n_iter == 2
    assert [i.n_iter for i in result.history] == [0, 1, 2]
    assert result.measure == result.history[-1].measure > NEVER
    assert result.value == result.history[-1].value


@pytest.mark.parametrize(("solver", "name"), [(s, n) for s, n in EVERY if s != "recentred"])
def test_stalled_in_float32(solver: str, name: str) -> None:
    """Single precision cannot prove everything; the solver notices and says so."""
    objective = random_problem(PUBLIC[name])
    single = Objective(np.float32(objective.rows.X), objective.y, PUBLIC[name], alpha=0.1, n_outputs=3)
    result = SOLVERS[solver](single, tol=NEVER, max_iter=2000)
    # Outputs with steps of their own are in float64, where value minus bound is rounding at the end, of either sign.
    assert result.status is Status.STALLED or (SeparateHinges.suits(single) and result.measure <= NEVER)
    assert result.n_iter < 2000
    exact = single.in_float64()
    assert exact.value(result.params) == pytest.approx(solve(exact, tol=1e-8).value, rel=1e-5)


@pytest.mark.parametrize("name", HINGES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hinges_end_when_rounding_has_the_last_word(name: str, dtype: type) -> None:
    """Value minus bound is rounding at the end, of either sign: stalled, or converged with nothing left to gain."""
    objective = random_problem(HINGES[name])
    rounded = Objective(objective.rows.X.astype(dtype), objective.y, HINGES[name], alpha=0.05, n_outputs=3)
    result = recentred(rounded, tol=NEVER, max_iter=2000)
    assert result.status is Status.STALLED or result.measure <= NEVER
    assert result.n_iter < 2000
    assert rounded.in_float64().value(result.params) == pytest.approx(reference(name), rel=1e-5)


@pytest.mark.parametrize("seed", range(330, 370))
def test_an_unfinished_hinge_is_worth_what_its_parameters_are(seed: int) -> None:
    """Heavy tails and hardly a penalty: logits that follow the steps drift far from those of the parameters.

    In the last step before they are formed anew, where the last digits do not yet decide which fit converges.
    """
    random = np.random.default_rng(seed)
    y = np.r_[np.arange(5), random.integers(0, 5, 6)]
    objective = Objective(np.exp(3 * random.standard_normal((11, 3))), y, CrammerSingerHinge(), alpha=2e-8)
    result = recentred(objective, tol=1e-6, max_iter=19)
    assert result.status is Status.MAX_ITER
    assert result.value == pytest.approx(objective.value(result.params), rel=1e-12)
    assert result.measure == pytest.approx(result.gap / result.value, rel=1e-12)


@every_solver_and_loss
def test_callback_sees_every_iteration_and_stops(solver: str, name: str) -> None:
    seen: list[Iteration] = []

    def watch(iteration: Iteration, params: np.ndarray) -> bool:
        seen.append(iteration)
        return iteration.n_iter == 3

    result = SOLVERS[solver](random_problem(PUBLIC[name]), tol=NEVER, callback=watch)
    assert [i.n_iter for i in seen] == [0, 1, 2, 3]
    assert seen == list(result.history)
    assert result.n_iter == 3
    assert result.status is Status.INTERRUPTED


@every_solver_and_loss
def test_callback_that_returns_nothing_changes_nothing(solver: str, name: str) -> None:
    seen: list[Iteration] = []
    objective = random_problem(PUBLIC[name])
    watched = SOLVERS[solver](objective, tol=1e-5, callback=lambda iteration, params: seen.append(iteration))
    alone = SOLVERS[solver](objective, tol=1e-5)
    assert np.array_equal(watched.params, alone.params)
    # The last line of the history may be a polished bias; all others are what the callback saw.
    assert seen[: len(alone.history) - 1] == list(alone.history[:-1])


# Options


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("memory", [0, 1, 5])
def test_memory_changes_the_way_not_the_goal(name: str, memory: int) -> None:
    run = recentred if name in HINGES else subspace_newton
    objective = random_problem(PUBLIC[name])
    result = run(objective, tol=1e-7, memory=memory, max_iter=2000)
    assert_optimal(result, objective, reference(name), 1e-7)


@every_solver_and_loss
def test_same_seed_same_result(solver: str, name: str) -> None:
    first, second = (SOLVERS[solver](random_problem(PUBLIC[name]), tol=1e-6, random_state=3) for _ in range(2))
    assert np.array_equal(first.params, second.params)
    assert first.history == second.history


@every_solver_and_loss
def test_start_at_the_solution_takes_no_step(solver: str, name: str) -> None:
    objective = random_problem(PUBLIC[name])
    first = SOLVERS[solver](objective, tol=1e-6)
    options: dict[str, Any] = {"state": first.state} if solver == "recentred" else {}
    again = SOLVERS[solver](objective, first.params, tol=1e-5, **options)
    assert again.status is Status.CONVERGED
    assert again.n_iter == 0
    assert again.value == pytest.approx(first.value, rel=1e-5)


@every_solver_and_loss
def test_any_start_will_do(solver: str, name: str) -> None:
    objective = random_problem(PUBLIC[name])
    start = 3 * np.random.default_rng(0).standard_normal(objective.shape)
    start.flags.writeable = False
    result = SOLVERS[solver](objective, start, tol=1e-6, max_iter=5000)
    assert_optimal(result, objective, reference(name), 1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_values_only_fall(name: str) -> None:
    history = subspace_newton(random_problem(SMOOTH[name]), tol=1e-10).history
    values = np.array([i.value for i in history])
    assert (np.diff(values) <= 1e-13 * values[:-1]).all()


def test_columns_that_are_rounding_are_no_directions() -> None:
    loud = np.array([[1.0, 1e-9, 0.0], [2.0, 3e-9, 0.0]])
    direction = Direction(np.ones((4, 3)), loud.copy())
    assert np.array_equal(direction.audible().params, np.repeat([[1.0, 0.0, 0.0]], 4, axis=0))
    assert np.array_equal(direction.audible().logits, loud * [1, 0, 0])
    assert not direction.audible(floor=10.0).params.any()
    even = Direction(np.ones((4, 1)), loud[:, 1:2].copy()).audible()
    assert np.array_equal(even.params, np.ones((4, 1)))
    assert np.array_equal(even.logits, loud[:, 1:2])


def test_lbfgs_ends_when_no_round_takes_a_step() -> None:
    """Values that fall by rounding alone, again and again."""
    objective = random_problem(PUBLIC["ww_squared"])
    single = Objective(np.float32(objective.rows.X), objective.y, PUBLIC["ww_squared"], alpha=0.1, n_outputs=3)
    assert lbfgs(single, tol=NEVER, max_iter=10_000).status is Status.STALLED


# Results and the choice of a solver


def test_results_are_immutable() -> None:
    result = solve(random_problem(SoftmaxLoss()))
    assert isinstance(result.history, tuple)
    for record, name in ((result, "params"), (result.history[0], "value")):
        with pytest.raises(FrozenInstanceError):
            setattr(record, name, 0)
    assert "history" not in repr(result)


@pytest.mark.parametrize("name", PUBLIC)
def test_auto_picks_a_solver_that_fits(name: str) -> None:
    objective = random_problem(PUBLIC[name])
    coupled, apart = name in ("ww", "cs", "ww_squared"), name in ("ovr", "ovr_squared")
    assert CentralPath.suits(objective) == coupled
    assert SeparateHinges.suits(objective) == apart
    chosen = "interior_point" if coupled else "recentred" if name == "ovr" else "subspace_newton"
    assert np.array_equal(solve(objective).params, solve(objective, solver=chosen).params)


@pytest.mark.parametrize("name", PUBLIC)
def test_float32_rows_are_solved_to_a_gap_of_float64(name: str) -> None:
    objective = random_problem(PUBLIC[name])
    single = Objective(np.float32(objective.rows.X), objective.y, PUBLIC[name], alpha=0.05, n_outputs=3)
    seen: list[Iteration] = []
    result = solve(single, tol=1e-7, callback=lambda iteration, params: seen.append(iteration))
    assert result.status is Status.CONVERGED
    exact = single.in_float64()
    assert result.value == pytest.approx(exact.value(result.params), rel=1e-13)
    truth = solve(Objective(np.float64(single.rows.X), objective.y, PUBLIC[name], alpha=0.05, n_outputs=3), tol=1e-9)
    assert result.value - truth.value >= -truth.gap
    assert result.value - truth.value <= result.gap + truth.gap
    numbers = [i.n_iter for i in result.history]
    assert numbers == list(range(numbers[-1] + 1))
    assert result.n_iter == numbers[-1]


@pytest.mark.parametrize("name", ["softmax", "cs"])
def test_few_rows_of_float32_are_those_of_float64(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no draft in float32, and no check of it."""
    monkeypatch.setattr("skgradlinear._objective.SMALL_ENTRIES", 1 << 16)
    objective = random_problem(PUBLIC[name])
    X = np.float32(objective.rows.X)
    single, double = (Objective(x, objective.y, PUBLIC[name], alpha=0.05, n_outputs=3) for x in (X, X.astype(float)))
    assert single.dtype == np.float32
    found, expected = (solve(one, tol=1e-10) for one in (single, double))
    assert found.history == expected.history
    np.testing.assert_array_equal(found.params, expected.params)


@pytest.mark.parametrize(("name", "solver"), [("softmax", "auto"), ("cs", "recentred")])
def test_a_stop_in_single_precision_is_a_stop(name: str, solver: str) -> None:
    objective = random_problem(PUBLIC[name])
    single = Objective(np.float32(objective.rows.X), objective.y, PUBLIC[name], alpha=0.05, n_outputs=3)
    seen: list[Iteration] = []

    def watch(iteration: Iteration, params: np.ndarray) -> bool:
        seen.append(iteration)
        return iteration.n_iter == 1

    result = solve(single, solver=solver, tol=1e-12, callback=watch)
    assert result.status is Status.INTERRUPTED
    assert result.n_iter == 1
    # The last point is looked at once more, in double precision.
    assert [i.n_iter for i in seen] == [0, 1, 1]
    assert seen[-1].value == pytest.approx(single.in_float64().value(result.params), rel=1e-14)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_common_shift_of_the_start_does_not_matter(name: str) -> None:
    """The penalty of a shift that the loss does not see must not be climbed."""
    objective = random_problem(PUBLIC[name])
    start = np.random.default_rng(0).standard_normal(objective.shape)
    shift = 30.0 * np.arange(1.0, 5.0)[:, None] if objective.shift_invariant else 0.0
    for solver in solvers_of(PUBLIC[name]):
        plain, shifted = (SOLVERS[solver](objective, s, tol=1e-8, max_iter=5000) for s in (start, start + shift))
        assert np.allclose(plain.params, shifted.params, rtol=0, atol=1e-5)


def test_max_iter_is_shared_by_the_two_precisions() -> None:
    objective = random_problem(SoftmaxLoss())
    single = Objective(np.float32(objective.rows.X), objective.y, SoftmaxLoss(), alpha=0.05)
    result = solve(single, tol=NEVER, max_iter=2)
    assert (result.status, result.n_iter) == (Status.MAX_ITER, 2)


@pytest.mark.parametrize(
    ("loss", "solver", "message"),
    [
        (SoftmaxLoss(), "newton", "solver must be 'auto', one of .* or a solver object; got 'newton'"),
        (
            SoftmaxLoss(),
            "recentred",
            r"solver 'recentred' does not fit SoftmaxLoss\(\); use 'subspace_newton', 'lbfgs' or",
        ),
        (
            WestonWatkinsHinge(),
            "lbfgs",
            r"solver 'lbfgs' does not fit WestonWatkinsHinge\(\), which has kinks; use 'recentred'",
        ),
        (WestonWatkinsHinge(), "subspace_newton", "does not fit"),
    ],
)
def test_solvers_that_do_not_fit(loss: Any, solver: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solve(random_problem(loss), solver=solver)


@pytest.mark.parametrize("options", [{"tol": 0.0}, {"tol": -1.0}, {"tol": np.nan}, {"max_iter": -1}])
@pytest.mark.parametrize("solver", SOLVERS)
def test_options_out_of_range(solver: str, options: dict[str, Any]) -> None:
    name = "ww" if solver == "recentred" else "softmax"
    ((option, value),) = options.items()
    with pytest.raises(ValueError, match=f"{option} must be .*; got {value!r}"):
        SOLVERS[solver](random_problem(PUBLIC[name]), **options)


def test_hinges_without_a_penalty_are_refused() -> None:
    with pytest.raises(ValueError, match="alpha=0 has no certificate; use a positive alpha"):
        recentred(random_problem(WestonWatkinsHinge()).with_alpha(0.0))


@pytest.mark.parametrize("loss", [OneVsRestHinge(), WestonWatkinsHinge()])
@pytest.mark.parametrize("solver", [recentred, interior_point])
def test_states_of_other_rows_are_refused(solver: Any, loss: Any) -> None:
    objective = random_problem(loss)
    state = Centre(1.0, np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"state holds duals of shape \(3, 3\), but the problem has \d+ rows"):
        solver(objective, objective.zeros(), state=state)


def test_lbfgs_refuses_kinks() -> None:
    with pytest.raises(ValueError, match="solver 'lbfgs' does not fit"):
        lbfgs(random_problem(WestonWatkinsHinge()))


def test_separable_rows_with_hardly_a_penalty() -> None:
    """The minimum tends to zero; the relative gap is still reached."""
    X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    for solver in SMOOTH_SOLVERS:
        result = SOLVERS[solver](Objective(X, y, SigmoidLoss(), alpha=1e-8), tol=1e-6, max_iter=2000)
        assert result.status is Status.CONVERGED
        assert 0 < result.value < 1e-5


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("alpha", [1e-4, 1e-8])
def test_separable_classes_leave_hardly_any_curvature(name: str, dtype: type, alpha: float) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 60)
    X = (random.standard_normal((60, 4)) + 6 * np.eye(3, 4)[y]).astype(dtype)
    result = solve(Objective(X, y, PUBLIC[name], alpha=alpha), tol=1e-4)
    assert result.status is Status.CONVERGED
    assert 0 < result.value < 1000 * alpha * 3


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize(
    ("X", "labels"),
    [
        (np.ones((12, 3)), np.arange(12) % 2),
        (np.array([[0.0], [1.0]] * 20), np.repeat([0, 0, 1, 1] * 5, 2)),
        (np.ones((9, 1)), np.arange(9) % 3),
    ],
)
def test_columns_that_say_nothing(name: str, X: np.ndarray, labels: np.ndarray) -> None:
    """The optimum is at zero weights, where rows of hinges sit on kinks."""
    result = solve(Objective(X, labels, PUBLIC[name], alpha=0.01, n_outputs=3), tol=1e-8)
    assert result.status is Status.CONVERGED
    assert np.abs(result.params[:-1]).max() < 1e-4


@pytest.mark.parametrize("name", ["ww", "cs"])
def test_true_hinges_may_rise_for_long(name: str) -> None:
    """More unknowns than rows and hardly a penalty: the smoothed problems go on falling, and so does the solver."""
    random = np.random.default_rng(0)
    X, y = random.standard_normal((60, 60)), random.integers(0, 3, 60)
    result = recentred(Objective(X, y, PUBLIC[name], alpha=1e-4))
    assert result.status is Status.CONVERGED
    assert result.n_iter > 100


def test_one_class_only() -> None:
    """The optimum is at an infinite bias and zero weights; a value of zero within rounding is as near as it gets."""
    X, y = np.random.default_rng(0).standard_normal((20, 2)), np.zeros(20, int)
    result = solve(Objective(X, y, SoftmaxLoss(), alpha=0.1, n_outputs=2), tol=1e-6, max_iter=200)
    assert result.value < 1e-8
    assert np.abs(result.params[:-1]).max() < 1e-4


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("reweighted", [True, False])
@pytest.mark.parametrize("n_classes", [3, 7])
def test_the_first_direction_of_few_unknowns_is_newtons(fit_intercept: bool, reweighted: bool, n_classes: int) -> None:
    """Solved from the Hessian's products with unit vectors; also of columns that are not centred for the loss."""
    random = np.random.default_rng(0)
    X = random.standard_normal((20_000, 4)) @ random.standard_normal((4, 4)) + 1
    y, weight = random.integers(0, n_classes, len(X)), random.random(len(X)) + 0.5
    objective = Objective.from_checked(
        X,
        y,
        SoftmaxLoss(),
        weight=weight * (1 + y) if reweighted else weight,
        moments=_rows.wrap(X).moments(weight),
        fit_intercept=fit_intercept,
        standardize=True,
        n_outputs=n_classes,
        reweighted=reweighted,
    ).with_alpha(0.02)
    point = objective.start(None)
    gradient = objective.free_of_shift(objective.gradient(point))
    units = np.eye(gradient.size).reshape(-1, *gradient.shape)
    hessian = np.stack([objective.hessp_at(point, unit).ravel() for unit in units])
    expected = np.linalg.lstsq(hessian, gradient.ravel(), rcond=1e-10)[0].reshape(gradient.shape)
    rule = objective.directions(0)
    assert isinstance(rule, Blocks)
    assert rule.full
    direction = objective.free_of_shift(rule.at(point)(gradient))
    np.testing.assert_allclose(direction, objective.free_of_shift(expected), rtol=0, atol=5e-5 * abs(expected).max())


@pytest.mark.parametrize("at_start", [True, False])
def test_directions_of_separate_outputs_are_those_of_their_hessians(at_start: bool) -> None:
    """Newton's direction, solved from the Hessian's products with unit vectors."""
    random = np.random.default_rng(0)
    X, y = random.standard_normal((300, 4)), random.integers(0, 3, 300)
    objective = Objective(X, y, SigmoidLoss(), alpha=0.02, sample_weight=random.random(300) + 0.5, n_outputs=3)
    params = objective.zeros() if at_start else random.standard_normal(objective.shape)
    point = objective.at(params)
    gradient = objective.gradient(point)
    units = np.eye(params.size).reshape(-1, *params.shape)
    hessian = np.stack([objective.hessp_at(point, unit).ravel() for unit in units])
    expected = np.linalg.solve(hessian, gradient.ravel()).reshape(params.shape)
    rule = objective.directions(0)
    assert rule.newton
    np.testing.assert_allclose(rule.at(point)(gradient), expected, rtol=1e-8)
    # Of many rows the search in the subspace takes fewer passes.
    many = Objective(np.tile(X, (50, 1)), np.tile(y, 50), SigmoidLoss(), alpha=0.02, n_outputs=3)
    assert not many.directions(0).newton


def test_recentred_keeps_a_point_half_way() -> None:
    """Whence that of the same rows is near, in whatever units; what begins at a solution has none."""
    problem = random_problem(WestonWatkinsHinge())
    result = recentred(problem, tol=1e-6)
    middle = result.state.waypoint
    assert result.measure <= 1e-6 < recentred(problem, max_iter=0, state=middle).measure <= 1
    again = recentred(problem, tol=1e-2, state=middle)
    assert again.status is Status.CONVERGED
    assert again.n_iter < recentred(problem, tol=1e-2).n_iter
    everything = np.ones(len(problem.weight), dtype=bool)
    other = problem.restricted(everything, problem.weight, np.arange(len(everything)) % 3)
    np.testing.assert_allclose(other.logits(middle.params_of(other)), problem.logits(middle.params), atol=1e-9)
    further = recentred(problem, result.params, tol=1e-8, state=result.state)
    assert further.state.waypoint is middle
    assert recentred(problem, result.params, tol=1e-3).state.waypoint is None


@pytest.mark.parametrize("seed", [2, 4, 5, 13, 14, 15])
def test_outputs_without_curvature_leave_the_others_their_steps(seed: int) -> None:
    """Rows that say nothing: the bias is all there is, and most classes of the smoothed hinge are at rest."""
    rng = np.random.default_rng(seed)
    share = np.exp(2 * rng.normal(size=20))
    y = np.append(np.arange(20), rng.choice(20, 1480, p=share / share.sum()))
    weight = rng.integers(0, 4, 1500)
    objective = Objective(np.zeros((1500, 1)), y, CrammerSingerHinge(), alpha=1e-4, sample_weight=weight)
    result = recentred(objective)
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 10
