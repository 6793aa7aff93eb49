"""The central path of hinges: where it leads, what it proves, and what it keeps on the way."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import brentq, linprog, minimize

from skgradlinear import LinearSVMClassifier, Objective
from skgradlinear._central_path import CentralPath, Waypoint, fold_logits
from skgradlinear._central_path._leading import Leading
from skgradlinear._separate_hinges import SeparateHinges
from skgradlinear._separate_hinges._folds import Folds
from skgradlinear.losses import (
    CrammerSingerHinge,
    OneVsRestHinge,
    OneVsRestSquaredHinge,
    SigmoidLoss,
    WestonWatkinsHinge,
    WestonWatkinsSquaredHinge,
)
from skgradlinear.solvers import (
    Halfway,
    InteriorPoint,
    Recentred,
    Status,
    interior_point,
    recentred,
    solve,
    subspace_newton,
)

PLAIN = [
    (OneVsRestHinge(), 2),
    (OneVsRestHinge(), 4),
    (WestonWatkinsHinge(), 3),
    (CrammerSingerHinge(), 2),
    (CrammerSingerHinge(), 4),
]
SQUARED = [(OneVsRestSquaredHinge(), 2), (OneVsRestSquaredHinge(), 4), (WestonWatkinsSquaredHinge(), 3)]
HINGES = PLAIN + SQUARED
NAMES = ["binary", "ovr", "weston_watkins", "crammer_singer_of_two", "crammer_singer"]
each_plain_hinge = pytest.mark.parametrize(("loss", "n_classes"), PLAIN, ids=NAMES)
NAMES = [*NAMES, "binary_squared", "ovr_squared", "weston_watkins_squared"]
each_squared_hinge = pytest.mark.parametrize(("loss", "n_classes"), SQUARED, ids=NAMES[len(PLAIN) :])
each_hinge = pytest.mark.parametrize(("loss", "n_classes"), HINGES, ids=NAMES)


SEPARATE = OneVsRestHinge, OneVsRestSquaredHinge


def blobs(n_classes, *, n_rows=60, n_columns=5, seed=0, spread=1.5):
    random = np.random.default_rng(seed)
    y = np.arange(n_rows) % n_classes
    X = spread * random.standard_normal((n_classes, n_columns))[y] + random.standard_normal((n_rows, n_columns))
    return X * 10.0 ** random.integers(-2, 3, n_columns), y, random.integers(1, 4, n_rows).astype(float)


def outputs_of(loss, n_classes):
    return 1 if n_classes == 2 and isinstance(loss, SEPARATE) else n_classes


def violations_of(loss, logits, y):
    """``(M z)_ij`` plus 1, and which of them there are, by their definition."""
    if isinstance(loss, SEPARATE):
        own = y[:, None] == (np.arange(logits.shape[1]) if logits.shape[1] > 1 else [1])
        return 1 - np.where(own, 1, -1) * logits, np.ones(logits.shape, dtype=bool)
    own = y[:, None] == np.arange(logits.shape[1])
    return 1 + logits - logits[own][:, None], ~own


def otherwise(objective, **options):
    """The solution by a method that knows no path."""
    return (recentred if objective.non_smooth else subspace_newton)(objective, **options)


@given(
    case=st.sampled_from(HINGES),
    seed=st.integers(0, 10_000),
    log_alpha=st.floats(-6, 1),
    fit_intercept=st.booleans(),
    standardize=st.booleans(),
)
def test_the_bounds_of_two_methods_enclose_one_optimum(case, seed, log_alpha, fit_intercept, standardize):
    loss, n_classes = case
    X, y, weight = blobs(n_classes, seed=seed)
    settings = {"fit_intercept": fit_intercept, "standardize": standardize, "sample_weight": weight}
    objective = Objective(X / np.abs(X).max(axis=0), y, loss, alpha=10**log_alpha, **settings)
    path, other = interior_point(objective, tol=1e-7), otherwise(objective, tol=1e-3)
    assert path.status is Status.CONVERGED
    assert path.value == pytest.approx(objective.value(path.params), rel=1e-12)
    rounding = 1e-13 * abs(path.value)
    assert path.value - path.gap <= other.value + rounding
    assert other.value - other.gap <= path.value + rounding


@each_squared_hinge
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_squared_hinge_is_at_its_minimum(loss, n_classes, fit_intercept):
    X, y, weight = blobs(n_classes)
    X /= X.std(axis=0)
    weight[::7] = 0
    settings = {"fit_intercept": fit_intercept, "standardize": False, "sample_weight": weight}
    settings["n_outputs"] = outputs_of(loss, n_classes)
    objective = Objective(X, y, loss, alpha=0.01, **settings)
    rows = np.column_stack([X, np.full(len(X), float(fit_intercept))])

    def value(flat):
        params = flat.reshape(objective.shape)
        charged, real = violations_of(loss, rows @ params, y)
        hinge = (np.maximum(charged, 0) ** 2 * real).sum(axis=1)
        return weight @ hinge / weight.sum() + 0.005 * (params[:-1] ** 2).sum()

    least = minimize(value, np.zeros(objective.shape).ravel(), options={"gtol": 1e-7})
    found = interior_point(objective, tol=1e-9)
    assert found.status is Status.CONVERGED
    assert value(np.vstack(objective.to_original_units(found.params))) == pytest.approx(found.value, rel=1e-12)
    assert found.value - found.gap <= least.fun
    assert found.value == pytest.approx(least.fun, rel=1e-7)


@each_plain_hinge
def test_a_vanishing_penalty_leaves_the_linear_program(loss, n_classes):
    X, y, _ = blobs(n_classes, spread=0.3)
    X /= X.std(axis=0)
    objective = Objective(X, y, loss, alpha=1e-9, standardize=False)
    n, d = X.shape
    n_outputs = objective.shape[1]
    # min mean xi  with  xi >= u_ij = 1 + (M z)_ij, xi >= 0, over z = X W + b, a xi for each violation or for each row.
    offset, real = violations_of(loss, np.zeros((n, n_outputs)), y)
    maps = np.stack([violations_of(loss, np.tile(e, (n, 1)), y)[0] - offset for e in np.eye(n_outputs)], axis=2)
    rows, columns = np.nonzero(real)
    slopes = np.einsum("vj,vk->vjk", np.column_stack([X, np.ones(n)])[rows], maps[rows, columns])
    level = rows if isinstance(loss, CrammerSingerHinge) else np.arange(len(rows))
    constraints = np.hstack([slopes.reshape(len(rows), -1), -np.eye(level.max() + 1)[level]])
    free = (d + 1) * n_outputs
    cost = np.append(np.zeros(free), np.full(level.max() + 1, 1 / n))
    limits = [(None, None)] * free + [(0, None)] * (level.max() + 1)
    exact = linprog(cost, constraints, -np.ones(len(rows)), bounds=limits).fun
    assert interior_point(objective, tol=1e-6).value == pytest.approx(exact, rel=1e-4)


@each_hinge
def test_weights_are_repetitions_and_none_is_no_row(loss, n_classes):
    X, y, weight = blobs(n_classes)
    weight[::7] = 0
    options = {"alpha": 0.01, "n_outputs": outputs_of(loss, n_classes)}
    weighted = interior_point(Objective(X, y, loss, sample_weight=weight, **options), tol=1e-8)
    rows = np.repeat(np.arange(len(y)), weight.astype(int))
    repeated = interior_point(Objective(X[rows], y[rows], loss, **options), tol=1e-8)
    assert weighted.n_iter == repeated.n_iter
    assert_allclose(weighted.params, repeated.params, atol=1e-8 * np.abs(weighted.params).max())
    assert not weighted.state.dual[weight == 0].any()


@each_hinge
def test_what_a_step_carries_along_stays_true(loss, n_classes):
    X, y, weight = blobs(n_classes)
    objective = Objective(X, y, loss, alpha=0.01, sample_weight=weight)
    path = CentralPath(objective)
    values, bounds = [], []
    for _ in range(12):
        values.append(path.assess())
        bounds.append(path.bound)
        assert path.step()
        anew, real = violations_of(loss, objective.logits(path.params), y)
        assert np.array_equal(real.T, path.cost > 0)
        assert_allclose(path.violations.T[real], anew[real], atol=1e-9 * np.abs(anew[real]).max())
        # Of the slacks of one group, each plus its violation is the same.
        levels = path.room + path.domain.entries(path.violations)
        assert_allclose(levels, np.broadcast_to(levels[-1:], levels.shape), atol=1e-9 * path.room.max())
        assert (path.room > 0).all()
        assert (path.dual > 0).all()
        if objective.non_smooth:
            assert_allclose(path.dual.sum(axis=0), 1, rtol=1e-13)
    assert (np.diff(bounds) >= 0).all()
    assert max(bounds) <= min(values)
    # The stationarity of the parameters is what is left of Newton's full steps.
    assert_allclose(path._pull(path.domain.outputs(path.dual))[:, -1], 0, atol=1e-9)


def folds_of(objective, n_folds=5):
    """The objective with each fifth of the rows left out in turn, by zero weights."""
    fold = np.arange(len(objective.weight)) % n_folds
    for k in range(n_folds):
        kept = fold != k
        yield objective.restricted(kept, objective.weight, objective.weight)


@each_hinge
@pytest.mark.parametrize("log_alpha", [-5, -1])
def test_a_waypoint_shortens_the_paths_of_folds(loss, n_classes, log_alpha):
    X, y, weight = blobs(n_classes, n_rows=200)
    objective = Objective(X, y, loss, alpha=10.0**log_alpha, sample_weight=weight)
    waypoint = interior_point(objective, tol=1e-6).state.waypoint
    n_cold, n_warm = 0, 0
    for fold in folds_of(objective):
        cold, warm = interior_point(fold, tol=1e-2), interior_point(fold, tol=1e-2, state=waypoint)
        assert warm.status is Status.CONVERGED
        assert warm.value - warm.gap <= cold.value
        assert cold.value - cold.gap <= warm.value
        n_cold, n_warm = n_cold + cold.n_iter, n_warm + warm.n_iter
    # At a weak penalty most of a path is near its end, where rows change sides wherever it has begun.
    assert n_warm <= (1.0 if log_alpha == -5 else 0.6) * n_cold


@each_hinge
def test_a_waypoint_is_a_point_of_its_path(loss, n_classes):
    """The stored duals, slacks and parameters fit together, whatever the rows left and their units."""
    X, y, weight = blobs(n_classes)
    # A column that is constant but for the first fold, and a row without weight.
    X = np.column_stack([X, np.arange(len(X)) % 5 == 0])
    weight[7] = 0.0
    objective = Objective(X, y, loss, alpha=0.01, sample_weight=weight)
    waypoint = interior_point(objective, tol=1e-6).state.waypoint
    assert np.isnan(waypoint.dual).all(axis=(0, 1)).nonzero()[0].tolist() == [7]
    for fold in [objective, *folds_of(objective)]:
        path = CentralPath(fold, waypoint)
        anew, real = violations_of(loss, fold.logits(path.params), y)
        anew, real = anew[path.used], real[path.used]
        assert_allclose(path.violations.T[real], anew[real], atol=1e-9 * np.abs(anew[real]).max())
        levels = path.room + path.domain.entries(path.violations)
        assert_allclose(levels, np.broadcast_to(levels[-1:], levels.shape), atol=1e-9 * path.room.max())
        assert (path.room > 0).all()
        assert (path.dual > 0).all()
        # Between the middle of the sets, and the end.
        assert 1e-3 < path.gap < 0.25
    # A row that had no weight has no place on the path: it begins anew.
    path = CentralPath(Objective(X, y, loss, alpha=0.01), waypoint)
    assert not path.params.any()


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_folds_of_the_temperature_begin_at_the_waypoint(loss, monkeypatch):
    """And not at the solution, which has seen the rows that they leave out."""
    starts, seen = [], []

    def followed(objective, start, kept, *options):
        starts.append((start, len(kept)))
        return fold_logits(objective, start, kept, *options)

    def watched(objective, params=None, **options):
        seen.append((params, options["state"]))
        return solve(objective, params, **options)

    monkeypatch.setattr("skgradlinear.estimators._svm.fold_logits", followed)
    monkeypatch.setattr("skgradlinear.estimators._svm.solve", watched)
    X, y, _ = blobs(3, n_rows=900)
    LinearSVMClassifier(alpha=0.01, loss=loss).fit(X, y)
    assert [count for _, count in starts] == [5]
    assert isinstance(starts[0][0], Waypoint)
    assert not seen
    # Where the path is not taken, plain hinges begin half way to the solution, and smooth ones there.
    starts.clear()
    other = Recentred() if loss == "hinge" else "subspace_newton"
    LinearSVMClassifier(alpha=0.01, solver=other, loss=loss).fit(X, y)
    assert not starts
    assert len(seen) == 5
    for params, state in seen:
        assert (params is None) == isinstance(state, Halfway) == (loss == "hinge")


@pytest.mark.parametrize("together", [1, 2, 3, 4])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@each_hinge
def test_paths_of_folds_lead_to_their_solutions(loss, n_classes, fit_intercept, standardize, together, monkeypatch):
    """Whether they walk alone or together: a fold is the problem of the rows left, in their own units."""
    X, y, weight = blobs(n_classes)
    # Columns that are constant but for a fold, or for one row, or throughout, and a row without weight.
    X = X / np.abs(X).max(axis=0)
    odd = [np.arange(len(X)) % 5 == 0, np.arange(len(X)) == 3, np.full(len(X), 0.1)]
    X = np.column_stack([X, *odd])
    weight[7] = 0.0
    moment_weight = weight * np.where(np.arange(len(X)) % 2, 3.0, 1.0)
    moment_weight[7] = together % 2
    settings = {"sample_weight": weight, "fit_intercept": fit_intercept, "standardize": standardize}
    objective = Objective(X, y, loss, alpha=0.02, **settings)
    waypoint = interior_point(objective, tol=1e-6).state.waypoint
    kept = [np.arange(len(X)) % 5 != k for k in range(5)]
    monkeypatch.setattr("skgradlinear._central_path._folds.MAX_TOGETHER", together * len(X) * objective.shape[1])
    found = list(fold_logits(objective, waypoint, kept, weight, moment_weight, 1e-7, (0, 60)))
    used = weight > 0
    for logits, rows in zip(found, kept, strict=True):
        alone = objective.restricted(rows, weight, moment_weight)
        expected = alone.logits(interior_point(alone, tol=1e-10).params)
        # The bias of a plain hinge may be free, and squares bend little.
        assert alone.mean_loss.value(logits) == pytest.approx(alone.mean_loss.value(expected), rel=1e-4, abs=1e-6)
        centred = (logits - expected)[used]
        centred -= centred.mean(axis=0) if objective.non_smooth and fit_intercept else 0.0
        assert_allclose(centred, 0, atol=2e-3 * np.abs(expected).max())


def test_folds_that_do_not_arrive_are_solved_anew(monkeypatch):
    X, y, _ = blobs(3, n_rows=300)
    expected = LinearSVMClassifier(alpha=0.01, tol=1e-7).fit(X, y).temperature_
    monkeypatch.setattr("skgradlinear._central_path._folds.LONGEST", 1)
    assert LinearSVMClassifier(alpha=0.01, tol=1e-7).fit(X, y).temperature_ == pytest.approx(expected, rel=1e-2)


@each_hinge
def test_folds_of_small_data_take_few_steps(loss, n_classes, monkeypatch):
    """All of them together, but for the hinge of Crammer and Singer: what they take is calls of NumPy."""
    steps = []
    step, advance, walk = CentralPath.step, SeparateHinges.advance, Folds.step
    monkeypatch.setattr(CentralPath, "step", lambda path: steps.append(path) or step(path))
    monkeypatch.setattr(SeparateHinges, "advance", lambda hinges, tol: steps.append(hinges) or advance(hinges, tol))
    monkeypatch.setattr(Folds, "step", lambda folds: steps.append(folds) or walk(folds))
    X, y, weight = blobs(n_classes, n_rows=200)
    kinds = {CrammerSingerHinge: "crammer_singer", OneVsRestHinge: "ovr", OneVsRestSquaredHinge: "ovr"}
    squared = isinstance(loss, (OneVsRestSquaredHinge, WestonWatkinsSquaredHinge))
    options = {"loss": "squared_hinge"} if squared else {}
    options["multi_class"] = kinds.get(type(loss), "weston_watkins")
    LinearSVMClassifier(probability=False, **options).fit(X, y, weight)
    of_fit = len(steps)
    LinearSVMClassifier(**options).fit(X, y, weight)
    of_folds = len(steps) - 2 * of_fit
    together = not isinstance(loss, CrammerSingerHinge) or n_classes == 2
    assert 0 < of_folds <= (1 if together else 2.5) * of_fit


@each_hinge
def test_separable_rows_with_hardly_a_penalty_take_few_steps(loss, n_classes):
    X, y, _ = blobs(n_classes, spread=30.0)
    # The objective is as small as alpha, and the rounding of a margin of 1 is not.
    result = interior_point(Objective(X, y, loss, alpha=1e-7), tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 50


def test_a_path_is_not_given_up_while_its_certificate_improves():
    """Products of slacks and duals say nothing of how far parameters are from balance."""
    X, y, weight = blobs(4, n_rows=80)
    result = interior_point(Objective(X, y, OneVsRestHinge(), alpha=1e-7, sample_weight=weight), tol=1e-9)
    assert result.status is Status.CONVERGED
    for seed in (9, 19, 25, 28):
        random = np.random.default_rng(seed)
        y = np.arange(300) % 4
        X = random.choice([0.1, 0.3, 1.0]) * random.standard_normal((4, 40))[y] + random.standard_normal((300, 40))
        result = interior_point(Objective(X, y, WestonWatkinsSquaredHinge(), alpha=1e-6), tol=1e-6)
        assert result.status is Status.CONVERGED


@each_hinge
def test_one_row_does_not_hold_back_the_others(loss, n_classes):
    """Of all steps to a certificate most are whole ones."""
    X, y, weight = blobs(n_classes, n_rows=200)
    results = [interior_point(Objective(X, y, loss, alpha=alpha, sample_weight=weight)) for alpha in (1e-1, 1e-2, 1e-3)]
    assert all(result.status is Status.CONVERGED for result in results)
    assert sum(result.n_iter for result in results) <= 28


@pytest.mark.parametrize("rest", [0.0, 1.0])
@pytest.mark.parametrize("peaks", [0.0, 1e3])
def test_leading_couplings_are_exact_at_both_ends_of_a_path(rest, peaks):
    """Where those of a class are alike, or nothing, but for a few."""
    random = np.random.default_rng(0)
    order, n_outputs, n_rows = 3, 4, 400
    columns, own = random.standard_normal((order, n_rows)), np.arange(n_rows) % n_outputs
    assert Leading.suits(order, n_outputs, n_rows)
    leading = Leading(columns, own, n_outputs)
    pairs = len(leading.first)
    values = rest * random.random((pairs, n_outputs))[:, own]
    values[:, :3] += peaks * (1 + random.random((pairs, 3)))
    expected = np.zeros((n_outputs, order, n_outputs, order))
    for value, k, j in zip(values, leading.first, leading.second, strict=True):
        expected[k, :, j] = expected[j, :, k] = (columns * value) @ columns.T
    assert_allclose(leading.couplings(values), expected, atol=1e-12 * expected.max())


def test_a_path_that_comes_to_a_halt_begins_anew(monkeypatch):
    """Groups that go as far as they can may leave each other behind for good."""
    random = np.random.default_rng(107)
    n_rows, n_classes, n_columns = (int(random.integers(*limits)) for limits in ((10, 60), (3, 21), (5, 60)))
    X = random.standard_normal((n_rows, n_columns)) * np.exp(random.standard_normal(n_columns))
    y, alpha = random.integers(0, n_classes, n_rows), 10 ** random.uniform(-7, -1)
    objective = Objective(X, y, CrammerSingerHinge(), alpha=alpha, standardize=False, n_outputs=n_classes)
    begun, anew = [], CentralPath.anew
    monkeypatch.setattr(CentralPath, "anew", lambda path: begun.append(path) or anew(path))
    result = interior_point(objective, max_iter=100)
    assert result.status is Status.CONVERGED
    assert len(begun) == 1


def test_indicator_rows_are_separate_problems():
    X, _, weight = blobs(2)
    random = np.random.default_rng(3)
    y = (random.random((len(X), 3)) < 0.4).astype(int)
    together = interior_point(Objective(X, y, OneVsRestHinge(), alpha=0.02, sample_weight=weight), tol=1e-9)
    for k in range(3):
        alone = Objective(X, y[:, k], OneVsRestHinge(), alpha=0.02, sample_weight=weight, n_outputs=1)
        found = interior_point(alone, tol=1e-9)
        assert_allclose(together.params[:, k], found.params[:, 0], atol=1e-4 * np.abs(found.params).max())


def test_it_is_the_default_of_few_columns_only():
    X, y, _ = blobs(3)
    for loss in (WestonWatkinsHinge(), CrammerSingerHinge()):
        assert CentralPath.suits(Objective(X, y, loss, alpha=0.1))
        assert not CentralPath.suits(Objective(np.ones((300, 150)), np.arange(300) % 3, loss, alpha=0.1, n_outputs=60))
    # A row couples all of its classes: a Hessian costs more, and is worth it for fewer rows.
    many, labels = np.ones((20_000, 30)), np.arange(20_000) % 10
    assert CentralPath.suits(Objective(many, labels, WestonWatkinsHinge(), alpha=0.1))
    assert not CentralPath.suits(Objective(many, labels, CrammerSingerHinge(), alpha=0.1))
    assert not CentralPath.suits(Objective(sp.csr_array(X), y, WestonWatkinsHinge(), alpha=0.1, standardize=False))
    # Outputs that are apart have a path only where rows are so few that these can mostly be separated.
    for loss in (OneVsRestHinge(), OneVsRestSquaredHinge()):
        assert not CentralPath.suits(Objective(X, y, loss, alpha=0.1))
        assert CentralPath.suits(Objective(X[:10], y[:10], loss, alpha=0.1))
        assert not CentralPath.suits(Objective(np.ones((10, 2_000)), y[:10], loss, alpha=0.1))
    for loss, multi_class in (
        ("hinge", "weston_watkins"),
        ("hinge", "crammer_singer"),
        ("squared_hinge", "weston_watkins"),
    ):
        settings = {"alpha": 0.1, "probability": False, "loss": loss, "multi_class": multi_class}
        auto = LinearSVMClassifier(**settings).fit(X, y)
        chosen = LinearSVMClassifier(solver=InteriorPoint(), **settings).fit(X, y)
        assert np.array_equal(auto.coef_, chosen.coef_)


def test_it_is_the_default_of_squared_hinges_of_few_rows():
    for loss, few in ((OneVsRestSquaredHinge(), False), (WestonWatkinsSquaredHinge(), True)):

        def suits(n_rows, n_columns, loss=loss):
            objective = Objective(np.ones((n_rows, n_columns)), np.arange(n_rows) % 3, loss, alpha=0.1)
            return CentralPath.suits(objective)

        assert suits(150, 4) == few
        # Few Newton steps on the loss itself lead to the solution.
        assert not suits(5_000, 30)
        # Unless rows are fewer than twice the unknowns: these can mostly be separated.
        assert suits(300, 150)
        assert not suits(310, 150)
        # Without a penalty there is no path.
        free = Objective(np.eye(6), np.arange(6) % 3, loss, alpha=0.0)
        assert not CentralPath.suits(free)
        assert solve(free, max_iter=1).n_iter <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squared_hinges_that_take_many_steps_go_on_along_the_path(dtype):
    random = np.random.default_rng(0)
    y = np.arange(4_000) % 3
    X = (random.standard_normal((3, 35))[y] + random.standard_normal((4_000, 35))).astype(dtype)
    seen = []

    def solution(**options):
        seen.clear()
        return solve(objective, tol=1e-4, callback=lambda i, _: seen.append(i.n_iter) and False, **options)

    objective = Objective(X, y, WestonWatkinsSquaredHinge(), alpha=1e-6)
    assert not CentralPath.suits(objective)
    result = solution()
    alone = subspace_newton(objective.in_float64(), tol=1e-4)
    assert result.status is Status.CONVERGED
    assert result.value - result.gap <= alone.value
    assert alone.value - alone.gap <= result.value
    assert 40 < result.n_iter < alone.n_iter
    assert [iteration.n_iter for iteration in result.history] == list(range(result.n_iter + 1))
    assert sorted(set(seen)) == list(range(result.n_iter + 1))
    # The limit of steps is that of both.
    assert solution(max_iter=20).n_iter == 20
    assert solution(max_iter=42).n_iter == 42
    # Where few steps suffice there is no other way.
    objective = Objective(X, y, WestonWatkinsSquaredHinge(), alpha=1.0)
    assert np.array_equal(solution().params, solution(solver="subspace_newton").params)


coupled = pytest.mark.parametrize(
    "loss", [WestonWatkinsHinge(), CrammerSingerHinge(), WestonWatkinsSquaredHinge()], ids=repr
)


@coupled
def test_float32_rows_are_computed_in_float64(loss):
    X, y, _ = blobs(3)
    X = X.astype(np.float32)
    narrow = solve(Objective(X, y, loss, alpha=0.01), tol=1e-10)
    wide = solve(Objective(X.astype(float), y, loss, alpha=0.01), tol=1e-10)
    assert narrow.value == pytest.approx(wide.value, rel=1e-9)
    assert narrow.status is Status.CONVERGED


@coupled
def test_where_rounding_ends_the_path_another_method_goes_on(loss):
    X, y, _ = blobs(3)
    seen = []
    objective = Objective(X, y, loss, alpha=0.01)
    result = solve(objective, tol=1e-17, max_iter=400, callback=lambda iteration, _: seen.append(iteration))
    assert result.measure < 1e-12
    # The point where one method hands over to the other is seen twice, and counted once.
    assert sorted({iteration.n_iter for iteration in seen}) == [iteration.n_iter for iteration in result.history]
    assert [iteration.n_iter for iteration in result.history] == list(range(result.n_iter + 1))


def test_a_callback_and_max_iter_end_it():
    X, y, _ = blobs(2)
    objective = Objective(X, y, OneVsRestHinge(), alpha=0.01)
    stopped = interior_point(objective, callback=lambda iteration, _: iteration.n_iter == 3)
    assert (stopped.n_iter, stopped.status) == (3, Status.INTERRUPTED)
    for max_iter in (0, 2):
        result = interior_point(objective, max_iter=max_iter)
        assert (result.n_iter, result.status) == (max_iter, Status.MAX_ITER)
        assert result.value - result.gap <= interior_point(objective, tol=1e-8).value


class OtherHinge(CrammerSingerHinge):
    """A hinge that may be anything."""


@pytest.mark.parametrize(
    ("X", "loss", "alpha", "words"),
    [
        (np.eye(4), SigmoidLoss(), 0.1, "does not fit"),
        (np.eye(4), OtherHinge(), 0.1, "one-versus-rest, Weston-Watkins or Crammer-Singer"),
        (sp.csr_array(np.eye(4)), OneVsRestHinge(), 0.1, "dense rows"),
        (np.eye(4), OneVsRestHinge(), 0.0, "alpha=0"),
        (np.eye(4), OneVsRestSquaredHinge(), 0.0, "alpha=0 on dense rows; .* a positive alpha"),
    ],
)
def test_what_has_no_path_is_refused(X, loss, alpha, words):
    with pytest.raises(ValueError, match=words):
        interior_point(Objective(X, np.array([0, 1, 0, 1]), loss, alpha=alpha, standardize=False))


@each_hinge
def test_a_start_that_proves_to_be_the_solution_is_taken(loss, n_classes):
    X, y, _ = blobs(n_classes)
    objective = Objective(X, y, loss, alpha=0.01)
    first = interior_point(objective, tol=1e-8)
    again = interior_point(objective, first.params, tol=1e-8, state=first.state)
    assert again.n_iter == 0
    assert np.array_equal(again.params, first.params)
    # Without its duals it is the best point until the path has found a better one, or the proof.
    unproved = interior_point(objective, first.params, tol=1e-8)
    assert unproved.n_iter > 0
    assert max(i.value for i in unproved.history) <= first.value * (1 + 1e-12)


@pytest.mark.parametrize("seed", [4, 80, 113, 333, 389, 475])
def test_bounds_hold_where_the_best_bias_is_hundreds_away(seed):
    random = np.random.default_rng(seed)
    y = np.r_[np.arange(5), random.integers(0, 5, 6)]
    X = np.exp(3 * random.standard_normal((11, 3)))
    objective = Objective(X, y, OneVsRestHinge(), alpha=2e-8, n_outputs=5)
    found = recentred(objective, tol=1e-3, max_iter=60)
    assert np.abs(found.params[-1]).max() > 500
    path = CentralPath(objective)
    for _ in range(12):
        path.assess()
        assert path.bound <= found.value
        if not path.step():
            break


@each_plain_hinge
def test_duals_of_either_method_are_those_of_the_other(loss, n_classes):
    X, y, weight = blobs(n_classes)
    weight[::7] = 0
    objective = Objective(X, y, loss, alpha=0.01, sample_weight=weight)
    path, other = interior_point(objective, tol=1e-8), recentred(objective, tol=1e-7)
    assert interior_point(objective, other.params, tol=1e-6, state=other.state).n_iter == 0
    assert recentred(objective, path.params, tol=1e-6, state=path.state).n_iter <= 3


@each_hinge
def test_duals_of_no_problem_prove_no_more_than_others(loss, n_classes):
    X, y, weight = blobs(n_classes)
    objective = Objective(X, y, loss, alpha=0.01, sample_weight=weight)
    path = interior_point(objective, tol=1e-8)
    wild = CentralPath(objective)
    wild.compare(path.params, 3 * np.random.default_rng(0).standard_normal(path.state.dual.shape))
    assert wild.bound <= path.value


EACH = [OneVsRestHinge(), WestonWatkinsHinge(), CrammerSingerHinge()]
EACH += [OneVsRestSquaredHinge(), WestonWatkinsSquaredHinge()]


@pytest.mark.parametrize("loss", EACH, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("log_alpha", [-8, -4, 2])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold_for_extreme_rows(loss, log_alpha, seed):
    random = np.random.default_rng(seed)
    y = np.r_[np.arange(5), random.integers(0, 5, 15)]
    X = np.exp(3 * random.standard_normal((20, 3)))
    weight = 10.0 ** random.integers(-6, 7, 20)
    objective = Objective(X, y, loss, alpha=10.0**log_alpha, sample_weight=weight, n_outputs=5)
    lowest = min(solve(objective, tol=1e-6, max_iter=200).value, otherwise(objective, tol=1e-3, max_iter=60).value)
    path = CentralPath(objective)
    for _ in range(40):
        path.assess()
        assert path.bound <= lowest * (1 + 1e-12)
        if not path.step():
            break


@pytest.mark.parametrize("case", HINGES, ids=NAMES)
def test_curvature_is_the_slope_of_the_duals_on_the_path(case):
    """``min xi - m sum log(xi - u_e)``, or with ``xi^2``, has the gradient ``p = m / (xi - u)`` in ``u``, slope H."""
    X, y, _ = blobs(case[1], n_rows=6)
    path = CentralPath(Objective(X, y, case[0], alpha=0.1))
    random = np.random.default_rng(5)
    barrier = 0.3
    squared = case in SQUARED

    def duals(violations):
        entries = path.domain.entries(violations)
        level = np.empty(entries.shape[1:])
        for place in np.ndindex(level.shape):
            u = entries[:, *place]
            level[place] = brentq(
                lambda xi, u=u: (2 * xi if squared else 1) - (barrier / (xi - u)).sum(),
                u.max() + 1e-3,
                max(u.max(), 0) + 10,
                xtol=1e-14,
            )
        return barrier / (level - entries), level - entries

    violations = 3 * random.standard_normal(path.violations.shape)
    change = random.standard_normal(path.violations.shape)
    dual, room = duals(violations)
    step = 1e-6
    slope = (duals(violations + step * change)[0] - duals(violations - step * change)[0]) / (2 * step)
    response = path.domain.response(path.domain.curvature(dual, room), change, np.zeros_like(dual))
    assert_allclose(path.domain.changes(response), slope, atol=1e-7)
    # On the path a step to its barrier goes nowhere.
    reach = barrier / dual - (dual / 2 if squared else 0)
    still = path.domain.response(path.domain.curvature(dual, room), violations, reach)
    assert_allclose(still, 0, atol=1e-12)


def test_a_row_that_is_nearly_all_of_one_class_keeps_its_small_curvatures():
    X, y, _ = blobs(3, n_rows=6)
    domain = CentralPath(Objective(X, y, CrammerSingerHinge(), alpha=0.1)).domain
    curvature = np.array([[1e14], [2e-9], [3e-9]])
    response = domain.response(curvature, np.array([[0.7], [0.2], [1.1]]), np.zeros((3, 1, 1)))
    assert_allclose(response[:, 0], [1e-9 - 1.2e-9, -1e-9, 1.2e-9], rtol=1e-9)


@each_hinge
def test_a_system_is_that_of_every_row(loss, n_classes):
    X, y, weight = blobs(n_classes, n_rows=12, n_columns=3)
    path = CentralPath(Objective(X, y, loss, alpha=0.1, sample_weight=weight))
    random = np.random.default_rng(7)
    path.dual = path.domain.start(path.form.offsets)
    path.room = np.exp(random.standard_normal(path.dual.shape))
    curvature = path.domain.curvature(path.dual, path.room)
    direction = path.objective.free_of_shift(random.standard_normal(path.params.shape)).T
    push = path.form.push(direction @ path.columns)
    product = path.stiffness * direction + path._pull(path.domain.response(curvature, push, np.zeros_like(path.dual)))
    assert_allclose(path.form.factor(path.weight * curvature)(product), direction, rtol=1e-8, atol=1e-8)
