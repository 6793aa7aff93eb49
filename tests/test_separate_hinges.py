"""One-versus-rest hinges whose outputs take Newton steps of their own: what these are, what they prove, and when."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss

from skgradlinear import LinearSVMClassifier, Objective, _rows
from skgradlinear._central_path import CentralPath
from skgradlinear._separate_hinges import SeparateHinges, _folds, _hinges, _outputs, _sparse_rows, fold_logits
from skgradlinear._separate_hinges import _rows as _kept
from skgradlinear._separate_hinges._folds import Folds
from skgradlinear._separate_hinges._rows import ActiveGram, KeptDenseRows, System
from skgradlinear._separate_hinges._sparse_rows import ActiveRows, AllRows, KeptSparseRows
from skgradlinear.losses import OneVsRestHinge, OneVsRestSquaredHinge, WestonWatkinsHinge
from skgradlinear.solvers import Recentred, Status, SubspaceNewton, interior_point, recentred, solve, subspace_newton

LOSSES = [OneVsRestHinge(), OneVsRestSquaredHinge()]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=["plain", "squared"])


def blobs(n_classes, *, n_rows=120, n_columns=5, seed=0, spread=1.0):
    random = np.random.default_rng(seed)
    y = np.arange(n_rows) % n_classes
    X = spread * random.standard_normal((n_classes, n_columns))[y] + random.standard_normal((n_rows, n_columns))
    return X, y, random.integers(1, 4, n_rows).astype(float)


def solution(objective, *arguments, **options):
    return (recentred if objective.non_smooth else subspace_newton)(objective, *arguments, **options)


@given(
    loss=st.sampled_from(LOSSES),
    n_classes=st.sampled_from([2, 4]),
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([0.0, 1.0, 5.0]),
    log_alpha=st.floats(-4, 1),
    fit_intercept=st.booleans(),
    standardize=st.booleans(),
)
def test_the_bounds_of_two_methods_enclose_one_optimum(
    loss, n_classes, seed, spread, log_alpha, fit_intercept, standardize
):
    X, y, weight = blobs(n_classes, seed=seed, spread=spread)
    settings = {"fit_intercept": fit_intercept, "standardize": standardize, "sample_weight": weight}
    objective = Objective(X, y, loss, alpha=10**log_alpha, **settings)
    found, path = solution(objective, tol=1e-6), interior_point(objective, tol=1e-4)
    assert found.status is Status.CONVERGED
    assert found.value == pytest.approx(objective.value(found.params), rel=1e-12)
    rounding = 1e-13 * abs(path.value)
    assert path.value - path.gap <= found.value + rounding
    assert found.value - found.gap <= path.value + rounding


@each_loss
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_what_a_step_carries_along_stays_true(loss, fit_intercept):
    X, y, weight = blobs(3)
    weight[::7] = 0
    objective = Objective(X, y, loss, alpha=0.01, sample_weight=weight, fit_intercept=fit_intercept)
    hinges = SeparateHinges(objective)
    design = objective.standardization.apply(X)[weight > 0]
    if fit_intercept:
        design = np.column_stack([design, np.ones(len(design))])
    weights = weight[weight > 0] / weight.sum()
    bounds = [hinges.bound]
    for _ in range(12 if objective.non_smooth else 3):
        assert hinges.advance(1e-12)
        for k, output in enumerate(hinges.outputs):
            sign = np.where(y[weight > 0] == k, 1, -1)
            violations = 1 - sign * (design @ output.params)
            assert_allclose(output.mu * (output.heights - output.centre), violations, atol=1e-12)
            upper = 1 if objective.non_smooth else np.inf
            assert np.array_equal(output.dual, np.clip(output.heights, 0, upper))
            assert_allclose(output.pulled, (weights * sign * output.dual) @ design, atol=1e-14)
        bounds.append(hinges.bound)
    assert (np.diff(bounds) >= 0).all()
    assert bounds[-1] <= objective.value(hinges.params)
    assert hinges.value == pytest.approx(objective.value(hinges.params), rel=1e-12)


@each_loss
def test_a_search_ends_where_the_smoothed_loss_is_nearly_flat(loss):
    """And on the way down: the loss is convex."""
    X, y, _ = blobs(2)
    objective = Objective(X, y, loss, alpha=0.01)
    hinges = SeparateHinges(objective)
    for _ in range(6 if objective.non_smooth else 3):
        (output,) = hinges.outputs
        centre, mu, before = output.centre.copy(), output.mu, output.params
        hinges.advance(1e-12)
        if output.mu != mu or not np.array_equal(output.centre, centre):
            continue
        smooth = objective.smoothed(mu, centre[:, None]) if objective.non_smooth else objective
        values = [smooth.value(params[:, None]) for params in (before, output.params)]
        assert values[1] < values[0]


@pytest.mark.parametrize("n_active", [0, 10, 100, 120])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_hessian_is_that_of_the_active_rows(n_active, weighted):
    X, y, weight = blobs(2)
    weight = weight if weighted else None
    objective = Objective(X, y, OneVsRestHinge(), alpha=0.01, sample_weight=weight)
    rows = KeptDenseRows(objective, np.arange(len(y)))
    active = np.random.default_rng(0).permutation(len(y)) < n_active
    design = np.column_stack([objective.standardization.apply(X), np.ones(len(X))])
    expected = (design * (objective.weight * active)[:, None]).T @ design
    assert_allclose(rows.memory().at(active) * (rows.share or 1.0), expected, atol=1e-14)


@pytest.fixture
def summed(monkeypatch):
    """How many rows have gone into sums over active rows."""
    count = []
    take = ActiveGram._sum
    monkeypatch.setattr(ActiveGram, "_sum", lambda self, chosen: count.append(int(chosen.sum())) or take(self, chosen))
    return count


@pytest.mark.parametrize("weighted", [False, True])
def test_a_sum_over_active_rows_follows_what_has_changed(weighted, summed):
    X, y, weight = blobs(2, n_rows=1_000, n_columns=20)
    objective = Objective(X, y, OneVsRestHinge(), alpha=0.01, sample_weight=weight if weighted else None)
    rows = KeptDenseRows(objective, np.arange(len(y)))
    known, random = rows.memory(), np.random.default_rng(0)
    active = random.random(len(y)) < 0.4
    for _ in range(30):
        summed.clear()
        expected = (rows.rows * (objective.weight * active)[:, None]).T @ rows.rows
        assert_allclose(known.at(active) * (rows.share or 1.0), expected, atol=1e-14)
        n_summed = sum(summed)
        active = active ^ (random.random(len(y)) < 0.02)
    # Differences have few digits where weights differ.
    assert n_summed > 300 if weighted else n_summed < 40


def test_a_sum_over_active_rows_is_formed_anew_before_its_digits_are_lost():
    X, y, _ = blobs(2, n_rows=1_000, n_columns=20)
    X[0] *= 1e9
    settings = {"alpha": 0.01, "standardize": False, "fit_intercept": False}
    rows = KeptDenseRows(Objective(X, y, OneVsRestHinge(), **settings), np.arange(len(y)))
    known = rows.memory()
    active = np.arange(len(y)) < 400
    known.at(active)
    for leaving in range(3):
        active = active.copy()
        active[leaving] = False
        assert_allclose(known.at(active), rows.rows[active].T @ rows.rows[active], rtol=1e-9, atol=1e-9)


def test_sums_that_would_not_fit_are_not_remembered(monkeypatch, summed):
    X, y, _ = blobs(2, n_rows=1_000, n_columns=20)
    monkeypatch.setattr(_kept, "MAX_REMEMBERED", 20)
    known = KeptDenseRows(Objective(X, y, OneVsRestHinge(), alpha=0.01), np.arange(len(y))).memory()
    for _ in range(2):
        known.at(np.arange(len(y)) < 400)
    assert summed == [400, 400]


def test_columns_of_any_size_have_one_newton_system():
    X, y, _ = blobs(2)
    settings = {"alpha": 1e-3, "standardize": False, "fit_intercept": False}
    scale = 10.0 ** np.array([-8, 8, 0, 4, -4])
    active, random = np.arange(len(y)) % 3 > 0, np.random.default_rng(0)
    rows = KeptDenseRows(Objective(X * scale, y, OneVsRestHinge(), **settings), np.arange(len(y)))
    right = random.standard_normal(5) * scale
    hessian = (rows.rows[active].T @ rows.rows[active]) / len(y) / 0.5 + 1e-3 * np.eye(5)
    expected = np.linalg.solve(hessian / np.outer(scale, scale), right / scale) / scale
    assert_allclose(rows.newton(System(right, active, 0.5)), expected, rtol=1e-9)


def test_a_step_goes_on_beyond_newtons_while_the_slope_does(monkeypatch):
    """Rows cease to be active on the way, and curvature with them."""
    monkeypatch.setattr(_outputs, "SLOPE_SHARE", 0.01)
    X, y, _ = blobs(2, spread=3.0)
    objective = Objective(X, y, OneVsRestSquaredHinge(), alpha=1e-4)
    start = objective.zeros()
    hessian = np.column_stack([objective.hessp(start.ravel(), unit) for unit in np.eye(start.size)])
    newton = -np.linalg.solve(hessian, objective.value_and_gradient(start.ravel())[1])
    hinges = SeparateHinges(objective)
    hinges.advance(1e-12)
    moved = hinges.params.ravel()
    step = moved @ newton / (newton @ newton)
    assert_allclose(moved, step * newton, rtol=1e-9, atol=1e-12)
    first, newtons, last = (objective.value_and_gradient(at)[1] @ newton for at in (0 * newton, newton, moved))
    assert newtons < 0.01 * first < 0
    assert step > 1
    assert abs(last) <= 0.01 * abs(first)


@each_loss
def test_what_is_claimed_is_of_logits_formed_anew(loss, monkeypatch):
    X, y, weight = blobs(3)
    weight[::7] = 0
    objective = Objective(X, y, loss, alpha=0.01, sample_weight=weight)
    hinges = SeparateHinges(objective)
    for _ in range(3):
        hinges.advance(1e-12)
    expected = objective.value(hinges.params)
    for output in hinges.outputs:
        output.heights += 1.0
        output.best = np.nan
    assert hinges.claimed() == pytest.approx(expected, rel=1e-13)


@each_loss
def test_weights_are_repetitions_and_none_is_no_row(loss):
    X, y, weight = blobs(3)
    weight[::7] = 0
    weighted = solution(Objective(X, y, loss, alpha=0.01, sample_weight=weight), tol=1e-8)
    rows = np.repeat(np.arange(len(y)), weight.astype(int))
    repeated = solution(Objective(X[rows], y[rows], loss, alpha=0.01), tol=1e-8)
    assert weighted.n_iter == repeated.n_iter
    assert_allclose(weighted.params, repeated.params, atol=1e-9 * np.abs(weighted.params).max())
    if weighted.state is not None:
        assert not weighted.state.dual[weight == 0].any()


@each_loss
def test_outputs_are_separate_problems(loss):
    X, _, weight = blobs(2)
    y = (np.random.default_rng(3).random((len(X), 3)) < 0.4).astype(int)
    together = solution(Objective(X, y, loss, alpha=0.02, sample_weight=weight), tol=1e-10)
    for k in range(3):
        alone = Objective(X, y[:, k], loss, alpha=0.02, sample_weight=weight, n_outputs=1)
        found = solution(alone, tol=1e-10)
        assert_allclose(together.params[:, k], found.params[:, 0], atol=1e-4 * np.abs(found.params).max())


@each_loss
def test_outputs_that_are_at_their_end_rest(loss, monkeypatch):
    X, y, _ = blobs(4)
    # Three outputs of four are told apart by one column each, and soon.
    X = np.column_stack([X, 10 * np.eye(4)[y][:, :3] + 0.1 * X[:, :3]])
    taken = []
    output = _outputs.OUTPUTS[type(loss)]
    turn = output.turn
    monkeypatch.setattr(output, "turn", lambda self: taken.append(self) or turn(self))
    result = solution(Objective(X, y, loss, alpha=1e-3), tol=1e-8)
    assert result.status is Status.CONVERGED
    counts = [sum(output is other for other in taken) for output in dict.fromkeys(taken)]
    assert max(counts) == result.n_iter
    assert min(counts) < result.n_iter


@each_loss
@pytest.mark.parametrize("tol", [0.3, 0.1, 1e-2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_outputs_rest_no_longer_than_the_others_leave_room_for_it(loss, tol, seed):
    # The objective falls by orders of magnitude after the first outputs have come to rest.
    X, y, _ = blobs(8, n_rows=300, n_columns=12, seed=seed, spread=3.0)
    assert solution(Objective(X, y, loss, alpha=1e-6), tol=tol).status is Status.CONVERGED


@pytest.mark.parametrize(
    ("loss", "alpha", "limit"),
    [
        (OneVsRestHinge(), 100.0, 12),
        (OneVsRestHinge(), 1.0, 20),
        (OneVsRestHinge(), 0.01, 40),
        (OneVsRestSquaredHinge(), 100.0, 6),
        (OneVsRestSquaredHinge(), 1.0, 8),
        (OneVsRestSquaredHinge(), 0.01, 12),
    ],
    ids=str,
)
def test_a_certified_optimum_takes_few_steps(loss, alpha, limit):
    X, y, _ = blobs(8, n_rows=2_000, n_columns=12, spread=0.5)
    objective = Objective(X, y, loss, alpha=alpha / len(y))
    result = solve(objective, tol=1e-3)
    assert result.status is Status.CONVERGED
    assert result.n_iter <= limit


@each_loss
@pytest.mark.parametrize("case", ["no rows", "one side", "one class", "constant"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_outputs_with_nothing_to_learn(loss, case, fit_intercept):
    X, _, _ = blobs(2, n_rows=40)
    y, n_outputs = {
        "no rows": (np.arange(40) % 3, 5),
        "one side": (np.zeros(40, dtype=int), 1),
        "one class": (np.ones(40, dtype=int), 3),
        "constant": (np.arange(40) % 2, 1),
    }[case]
    X = np.ones_like(X) if case == "constant" else X
    objective = Objective(X, y, loss, alpha=0.01, fit_intercept=fit_intercept, n_outputs=n_outputs)
    result = solution(objective, tol=1e-7)
    assert result.status is Status.CONVERGED
    path = interior_point(objective, tol=1e-7)
    assert result.value == pytest.approx(path.value, rel=1e-6, abs=1e-15)


def test_a_centre_that_moves_is_somewhere_to_go():
    """A gradient of zero says nothing while the duals are not those of the centre."""
    y = np.arange(40) % 2
    objective = Objective(np.ones((40, 3)), y, OneVsRestHinge(), alpha=0.1, fit_intercept=False, standardize=False)
    result = recentred(objective, tol=1e-9)
    assert result.status is Status.CONVERGED
    assert result.value == pytest.approx(1.0, rel=1e-12)


def sparse_blobs(**options):
    X, y, weight = blobs(3, n_columns=8, **options)
    X[np.random.default_rng(0).random(X.shape) < 0.7] = 0.0
    weight[::7] = 0
    return X, y, weight


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("apart", [True, False], ids=["active rows", "all rows"])
@pytest.mark.parametrize("n_active", [0, 5, 50])
def test_sparse_rows_are_those_of_a_dense_matrix(fit_intercept, standardize, apart, n_active, monkeypatch):
    monkeypatch.setattr(_sparse_rows, "ENTRY", float(apart) * 3)
    monkeypatch.setattr(_sparse_rows, "COLUMN", 0.0)
    X, y, weight = sparse_blobs()
    settings = {"alpha": 0.02, "sample_weight": weight, "fit_intercept": fit_intercept, "standardize": standardize}
    sparse, dense = (Objective(rows, y, LOSSES[1], **settings) for rows in (sp.csr_array(X), X))
    used = np.flatnonzero(weight)
    kept, whole = KeptSparseRows(sparse, used), KeptDenseRows(dense, used)
    random = np.random.default_rng(1)
    params, weights = random.standard_normal((3, kept.order)), random.standard_normal((3, len(used)))
    for folds in (params, params[:, None]):
        assert_allclose(kept.push_all(folds), whole.push_all(folds), atol=1e-12)
    for folds in (weights, weights[:, None]):
        assert_allclose(kept.pull_all(folds), whole.pull_all(folds), atol=1e-12)
    assert_allclose(kept.push(params[0]), whole.push(params[0]), atol=1e-12)
    assert_allclose(kept.pull(weights[0]), whole.pull(weights[0]), atol=1e-12)
    # Outputs of different numbers of active rows and smoothings, of which one is done before the others.
    active = [random.permutation(len(used)) < n_active * scale for scale in (0.5, 1.0, 1.5)]
    mu = [0.5, 0.1, 2.0]
    params[1] = 0.0
    systems = [System(*system) for system in zip(params, active, mu, strict=True)]
    exact, found = [whole.newton(system) for system in systems], kept.newton_all(systems, 100)
    assert not np.any(found[1])
    for gradient, own, width, best, about in zip(params, active, mu, exact, found, strict=True):
        system = np.linalg.inv([whole.newton(System(column, own, width)) for column in np.eye(whole.order)])
        gain, most = (2 * gradient @ d - d @ system @ d for d in (about, best))
        # A direction of descent that is about as good as the exact one.
        assert most * 0.9 <= gain <= most * (1 + 1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("n_active", [5, 50], ids=["few", "many"])
def test_systems_that_go_on_alone_are_those_that_they_were(fit_intercept, standardize, n_active):
    X, y, weight = sparse_blobs()
    settings = {"alpha": 0.02, "sample_weight": weight, "fit_intercept": fit_intercept, "standardize": standardize}
    kept = KeptSparseRows(Objective(sp.csr_array(X), y, LOSSES[1], **settings), np.flatnonzero(weight))
    random = np.random.default_rng(1)
    active = [random.permutation(len(kept.weight)) < n_active * (k % 3) for k in range(6)]
    make = ActiveRows if n_active == 5 else AllRows
    system, chosen = (
        make(kept, [System(np.zeros(kept.order), one, 0.5) for one in active]),
        np.array([True, False, True, True, False, True]),
    )
    directions = np.asarray(random.standard_normal((6, kept.order)), order=system.memory)
    products = system(directions)
    ahead = system.precondition(directions, np.empty_like(directions))
    system.keep(chosen)
    some = np.asarray(directions[chosen], order=system.memory)
    assert_allclose(system(some), products[chosen], atol=1e-14)
    assert_allclose(system.precondition(some, np.empty_like(some)), ahead[chosen], atol=1e-14)


@each_loss
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bounds_of_sparse_and_dense_rows_enclose_one_optimum(loss, fit_intercept, standardize, dtype):
    X, y, weight = sparse_blobs(n_rows=8_000 if dtype == np.float32 else 120)
    X = X.astype(dtype)
    settings = {"alpha": 0.02, "sample_weight": weight, "fit_intercept": fit_intercept, "standardize": standardize}
    found = solve(Objective(sp.csr_array(X), y, loss, **settings), tol=1e-8)
    other = solve(Objective(X.astype(float), y, loss, **settings), tol=1e-8)
    assert found.status is Status.CONVERGED
    assert found.value == pytest.approx(other.value, rel=1e-7)
    assert found.value - found.gap <= other.value
    assert other.value - other.gap <= found.value


@each_loss
def test_sparse_rows_of_many_outputs_are_drafted_in_float32(loss, monkeypatch):
    """And checked once in float64, without a step."""
    X, y, _ = blobs(6, n_rows=8_000, n_columns=12)
    X[np.random.default_rng(0).random(X.shape) < 0.7] = 0.0
    seen = []
    make, advance = SeparateHinges.__init__, SeparateHinges.advance
    monkeypatch.setattr(
        SeparateHinges, "__init__", lambda self, objective, *rest: seen.append(0) or make(self, objective, *rest)
    )

    def counted(self, tol):
        seen[-1] += 1
        return advance(self, tol)

    monkeypatch.setattr(SeparateHinges, "advance", counted)
    for labels, n_drafts in ((y, 1), (y % 3, 0)):
        seen.clear()
        objective = Objective(sp.csr_array(X.astype(np.float32)), labels, loss, alpha=0.01)
        result = solve(objective, tol=1e-3)
        assert result.status is Status.CONVERGED
        assert len(seen) == n_drafts + 1
        assert sum(seen[n_drafts:]) == (0 if n_drafts else result.n_iter)
        assert result.value == pytest.approx(objective.in_float64().value(result.params), rel=1e-14)


@each_loss
def test_first_directions_take_few_steps(loss, monkeypatch):
    """Two more for each direction: the active rows are soon others."""
    X, y, _ = blobs(6, n_rows=8_000, n_columns=12)
    limits = []
    found = KeptSparseRows.newton_all
    monkeypatch.setattr(KeptSparseRows, "newton_all", lambda self, *rest: limits.append(rest[-1]) or found(self, *rest))
    solution(Objective(sp.csr_array(X), y, loss, alpha=0.01), tol=1e-6)
    assert limits == [min(2 + 2 * k, 60) for k in range(len(limits))]
    assert len(limits) > 2


def test_it_is_for_few_dense_columns_and_sparse_rows():
    X, y, _ = blobs(3)
    for loss in LOSSES:
        assert SeparateHinges.suits(Objective(X, y, loss, alpha=0.1))
        assert not SeparateHinges.suits(Objective(X, y, loss, alpha=0.1, standardize=False).with_alpha(0.0))
        assert SeparateHinges.suits(Objective(sp.csr_array(X), y, loss, alpha=0.1, standardize=False))
        assert not SeparateHinges.suits(Objective(np.ones((120, 400)), y, loss, alpha=0.1))
    assert not SeparateHinges.suits(Objective(X, y, WestonWatkinsHinge(), alpha=0.1))


@each_loss
def test_float32_rows_are_computed_in_float64_once(loss, monkeypatch):
    X, y, _ = blobs(3)
    X = X.astype(np.float32)
    made = []
    make = SeparateHinges.__init__
    monkeypatch.setattr(SeparateHinges, "__init__", lambda self, *rest: made.append(self) or make(self, *rest))
    narrow = solve(Objective(X, y, loss, alpha=0.01), tol=1e-10)
    assert len(made) == 1
    wide = solve(Objective(X.astype(float), y, loss, alpha=0.01), tol=1e-10)
    assert narrow.value == pytest.approx(wide.value, rel=1e-10)
    assert narrow.status is Status.CONVERGED


@pytest.mark.parametrize("loss", [OneVsRestHinge(), WestonWatkinsHinge()], ids=repr)
def test_rows_that_prove_something_are_not_rounded(loss):
    """Directions may come from rows of float32; bounds may not."""
    X, y, _ = blobs(3, n_rows=8_000, n_columns=10)
    objective = Objective(X, y, loss, alpha=0.1)
    design = np.column_stack([objective.standardization.apply(X), np.ones(len(X))])
    separate = isinstance(loss, OneVsRestHinge)
    rows = KeptDenseRows(objective, np.arange(len(y))).rows if separate else CentralPath(objective).columns.T
    assert np.array_equal(rows, design)


@each_loss
def test_what_takes_many_steps_goes_on_along_the_path(loss, monkeypatch):
    X, y, _ = blobs(3, spread=0.3)
    objective = Objective(X, y, loss, alpha=1e-4)
    seen = []

    def watched(**options):
        seen.clear()
        return solve(objective, tol=1e-8, callback=lambda i, _: seen.append(i.n_iter) and False, **options)

    alone = watched()
    assert alone.n_iter > 2
    monkeypatch.setattr("skgradlinear.solvers._solve.MANY_SEPARATE_STEPS", 2)
    result = watched()
    assert result.status is Status.CONVERGED
    assert result.value == pytest.approx(alone.value, rel=1e-7)
    assert [iteration.n_iter for iteration in result.history] == list(range(result.n_iter + 1))
    assert sorted(set(seen)) == list(range(result.n_iter + 1))
    # The limit of steps is that of both.
    assert watched(max_iter=1).n_iter == 1
    assert watched(max_iter=4).n_iter == 4


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_takes_many_steps_and_has_no_path_goes_on_with_all_outputs_together(loss, dtype, monkeypatch):
    X, y, _ = blobs(3, spread=0.3)
    objective = Objective(sp.csr_array(X.astype(dtype)), y, loss, alpha=1e-2, standardize=False)
    assert not CentralPath.suits(objective, separable=True)
    seen = []

    def watched(**options):
        seen.clear()
        return solve(objective, tol=1e-6, callback=lambda i, _: seen.append(i.n_iter) and False, **options)

    alone = watched()
    assert alone.n_iter > 2
    monkeypatch.setattr("skgradlinear.solvers._solve.MANY_SEPARATE_STEPS", 2)
    result = watched()
    assert result.status is Status.CONVERGED
    assert result.n_iter > 2
    assert result.value == pytest.approx(alone.value, rel=1e-5)
    assert [iteration.n_iter for iteration in result.history] == list(range(result.n_iter + 1))
    assert sorted(set(seen)) == list(range(result.n_iter + 1))


def test_a_start_that_proves_to_be_the_solution_is_taken():
    X, y, _ = blobs(3)
    objective = Objective(X, y, OneVsRestHinge(), alpha=0.01)
    first = recentred(objective, tol=1e-8)
    again = recentred(objective, first.params, tol=1e-8, state=first.state)
    assert again.n_iter == 0
    assert np.array_equal(again.params, first.params)


@each_loss
def test_a_callback_and_max_iter_end_it(loss):
    X, y, _ = blobs(3)
    objective = Objective(X, y, loss, alpha=0.01)
    stopped = solution(objective, tol=1e-9, callback=lambda iteration, _: iteration.n_iter == 2)
    assert (stopped.n_iter, stopped.status) == (2, Status.INTERRUPTED)
    for max_iter in (0, 2):
        result = solution(objective, tol=1e-9, max_iter=max_iter)
        assert (result.n_iter, result.status) == (max_iter, Status.MAX_ITER)
        assert result.value - result.gap <= interior_point(objective, tol=1e-8).value


@each_loss
def test_rounding_ends_it(loss):
    X, y, _ = blobs(3)
    result = solve(Objective(X, y, loss, alpha=0.01), tol=1e-18, max_iter=400)
    assert result.measure < 1e-12


def test_solver_objects_and_estimators_take_the_same_way():
    X, y, _ = blobs(3)
    for loss, solver in (("hinge", Recentred()), ("squared_hinge", SubspaceNewton())):
        settings = {"alpha": 0.1, "probability": False, "loss": loss, "multi_class": "ovr"}
        auto = LinearSVMClassifier(**settings).fit(X, y)
        chosen = LinearSVMClassifier(solver=solver, **settings).fit(X, y)
        assert np.array_equal(auto.coef_, chosen.coef_)


def test_rows_are_kept_once(monkeypatch):
    """In the order of the products with them, however many outputs there are."""
    X, y, _ = blobs(4)
    rows = {id(output.rows.rows) for output in SeparateHinges(Objective(X, y, LOSSES[0], alpha=0.1)).outputs}
    assert len(rows) == 1
    monkeypatch.setattr(_hinges, "MAX_ENTRIES", X.size)
    assert not SeparateHinges.suits(Objective(X, y, LOSSES[0], alpha=0.1))


# The folds behind a temperature


def weighted_otherwise(X, y, loss, weight, moment_weight, **settings):
    """An objective whose moments have weights of their own, as under class weights."""
    objective = Objective.from_checked(
        X,
        y,
        loss,
        weight=weight,
        moments=_rows.wrap(X).moments(moment_weight),
        n_outputs=1 if y.max() == 1 else int(y.max()) + 1,
        reweighted=True,
        **settings,
    )
    return objective.with_alpha(0.02)


def folds_of(objective, kept, *settings):
    found = solution(objective, tol=1e-9)
    duals = found.state.dual if objective.non_smooth else None
    return list(fold_logits(objective, found.params, duals, kept, *settings))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("together", [1, 1 << 20])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@each_loss
def test_folds_lead_to_their_solutions(loss, n_classes, fit_intercept, standardize, together, kind, monkeypatch):
    """A fold is the problem of the rows left, in their own units."""
    X, y, weight = blobs(n_classes)
    # Columns that are constant but for a fold, or for one row, or throughout, and a row without weight.
    X = X / np.abs(X).max(axis=0)
    odd = [np.arange(len(X)) % 5 == 0, np.arange(len(X)) == 3, np.full(len(X), 0.1)]
    X = np.column_stack([X, *odd])
    weight[7] = 0.0
    moment_weight = weight * np.where(np.arange(len(X)) % 2, 3.0, 1.0)
    moment_weight[7] = 1.0
    settings = {"fit_intercept": fit_intercept, "standardize": standardize}
    objective = weighted_otherwise(kind(X), y, loss, weight, moment_weight, **settings)
    # Five folds, one of few rows, and one of all.
    kept = [np.arange(len(X)) % 5 != k for k in range(5)]
    kept += [np.arange(len(X)) // 4 % 3 == 1, np.ones(len(X), dtype=bool)]
    monkeypatch.setattr(_folds, "MAX_TOGETHER", together)
    monkeypatch.setattr(_folds, "MAX_FOUND", 3 * objective.shape[0] * objective.shape[1] * together)
    # Plain ones by as many steps as they are told, which lead there the faster the narrower the smoothing is.
    monkeypatch.setattr(_folds, "MU", 0.3)
    found = folds_of(objective, kept, weight, moment_weight, 1e-7, (150, 1000))
    for logits, rows in zip(found, kept, strict=True):
        alone = objective.restricted(rows, weight, moment_weight)
        expected = alone.logits(solution(alone, tol=1e-9).params)
        assert alone.mean_loss.value(logits) == pytest.approx(alone.mean_loss.value(expected), rel=1e-4, abs=1e-6)
        centred = (logits - expected)[weight > 0]
        # The bias of a plain hinge may be free.
        centred -= centred.mean(axis=0) if objective.non_smooth and fit_intercept else 0.0
        assert_allclose(centred, 0, atol=2e-3 * np.abs(expected).max())


def test_a_step_is_exact_where_no_row_changes_sides():
    """A squared hinge of which all rows are active is a quadratic function; but for the stiffness that a bias gets."""
    X, y, weight = blobs(3)
    objective = Objective(X, y, OneVsRestSquaredHinge(), alpha=10.0, sample_weight=weight, fit_intercept=False)
    kept = [np.arange(len(X)) % 5 != k for k in range(5)]
    # A step, as many as are enough, and no more than one.
    found = folds_of(objective, kept, weight, weight, 1.0, (0, 1))
    for logits, rows in zip(found, kept, strict=True):
        alone = objective.restricted(rows, weight, weight)
        expected = alone.logits(solution(alone, tol=1e-13).params)
        assert (np.abs(expected) < 1).all()
        assert_allclose(logits, expected, atol=1e-9)


def test_folds_that_are_not_there_say_so():
    X, y, weight = blobs(3, n_rows=40)
    objective = Objective(X, y, OneVsRestSquaredHinge(), alpha=1e-4, sample_weight=weight)
    kept = [np.arange(len(X)) % 5 != k for k in range(5)]
    assert all(logits is None for logits in folds_of(objective, kept, weight, weight, 1e-10, (0, 1)))


@pytest.mark.parametrize("n_rows", [200, 8000])
@each_loss
def test_folds_take_three_steps(loss, n_rows, monkeypatch):
    """All of few rows together; of many rows outputs by outputs, and all folds of these."""
    X, y, weight = blobs(4, n_rows=n_rows)
    seen, step = [], Folds.step
    monkeypatch.setattr(Folds, "step", lambda folds: seen.append(folds) or step(folds))
    options = {"loss": "hinge" if loss is LOSSES[0] else "squared_hinge", "multi_class": "ovr"}
    LinearSVMClassifier(**options).fit(X, y, weight)
    groups = len({id(folds) for folds in seen})
    assert groups == (1 if n_rows == 200 else 4)
    assert groups <= len(seen) <= 3 * groups
    assert loss is not LOSSES[0] or len(seen) == 3 * groups


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_directions_of_folds_are_those_of_their_rows(kind, fit_intercept, shared):
    X, y, weight = blobs(2)
    objective = Objective(kind(X), y, OneVsRestHinge(), alpha=0.01, sample_weight=weight, fit_intercept=fit_intercept)
    rows = (KeptDenseRows if kind is np.asarray else KeptSparseRows)(objective, np.arange(len(y)))
    random = np.random.default_rng(0)
    kept = np.arange(len(y)) % 3 != np.arange(3)[:, None]
    active = random.random((1 if shared else 3, 2, len(y))) < 0.5
    gradient, mass = random.standard_normal((3, 2, rows.order)), 1 / (kept @ objective.weight)
    stiffness = rows.stiffness * random.uniform(1, 2, (3, rows.order))
    found = rows.newtons(gradient, active, kept, 0.7, stiffness, mass)
    everywhere = np.broadcast_to(active, (3, 2, len(y)))
    for f in range(3):
        for g in range(2):
            own = System(gradient[f, g], everywhere[f, g] & kept[f], 0.7 / mass[f], rows.memory(), stiffness[f])
            alone = rows.newton(own)
            assert_allclose(found[f, g], alone, rtol=1e-6)


def test_a_held_out_row_that_outweighs_all_others_leaves_a_fold():
    X, y, _ = blobs(2)
    weight = np.ones(len(y))
    weight[3] = 1e20
    for loss in ("hinge", "squared_hinge"):
        assert np.isfinite(LinearSVMClassifier(multi_class="ovr", loss=loss).fit(X, y, weight).temperature_)


def test_folds_of_few_rows_begin_anew():
    """The rows of a fold tell whether these can be separated, not those of the whole problem."""
    random = np.random.default_rng(4)
    X, y = random.standard_normal((250, 100)), random.integers(0, 2, 250)
    model = LinearSVMClassifier(alpha=1e-4).fit(X, y)
    fresh, labels = random.standard_normal((2_000, 100)), random.integers(0, 2, 2_000)
    assert log_loss(labels, model.predict_proba(fresh)) <= 1.02 * np.log(2)


def test_sparse_columns_out_of_range_of_float32_are_solved_in_float64():
    X, y, _ = blobs(5, n_rows=2_000, n_columns=40)
    X[np.random.default_rng(0).random(X.shape) < 0.7] = 0.0
    X[:, ::2] *= 1e20
    X = sp.csr_array(X.astype(np.float32))
    assert SeparateHinges.narrow(Objective(X / np.float32(1e3), y, LOSSES[0], alpha=0.1)) is False
    model = LinearSVMClassifier(multi_class="ovr", standardize=True, probability=False).fit(X, y)
    assert model.duality_gap_ <= 1e-4


def test_a_column_of_which_a_fold_keeps_next_to_nothing_is_not_constant():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((400, 3)), np.arange(400) % 2
    X[7, 0] = 1e9
    objective = Objective(X, y, LOSSES[1], alpha=0.1)
    mask = np.arange(400) != 7
    found = _folds._moments(objective, mask, np.ones(400))
    assert_allclose(found.variance, X[mask].var(axis=0), rtol=1e-9)
