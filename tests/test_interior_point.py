"""The central path of plain hinges: where it leads, what it proves, and what it keeps on the way."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linprog

from skgradlinear import LinearSVMClassifier, Objective
from skgradlinear.losses import CrammerSingerHinge, OneVsRestHinge, SigmoidLoss, WestonWatkinsHinge
from skgradlinear.solvers import InteriorPoint, Status, interior_point, recentred, solve

HINGES = [(OneVsRestHinge(), 2), (OneVsRestHinge(), 4), (WestonWatkinsHinge(), 3)]
each_hinge = pytest.mark.parametrize(("loss", "n_classes"), HINGES, ids=["binary", "ovr", "weston_watkins"])


def blobs(n_classes, *, n_rows=60, n_columns=5, seed=0, spread=1.5):
    random = np.random.default_rng(seed)
    y = np.arange(n_rows) % n_classes
    X = spread * random.standard_normal((n_classes, n_columns))[y] + random.standard_normal((n_rows, n_columns))
    return X * 10.0 ** random.integers(-2, 3, n_columns), y, random.integers(1, 4, n_rows).astype(float)


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
    path, other = interior_point(objective, tol=1e-7), recentred(objective, tol=1e-3)
    assert path.status is Status.CONVERGED
    assert path.value == pytest.approx(objective.value(path.params), rel=1e-12)
    rounding = 1e-13 * abs(path.value)
    assert path.value - path.gap <= other.value + rounding
    assert other.value - other.gap <= path.value + rounding


@each_hinge
def test_a_vanishing_penalty_leaves_the_linear_program(loss, n_classes):
    X, y, _ = blobs(n_classes, spread=0.3)
    X /= X.std(axis=0)
    objective = Objective(X, y, loss, alpha=1e-9, standardize=False)
    n, d = X.shape
    n_outputs = objective.shape[1]
    rows, offsets = [], []
    # min mean xi  with  xi_ij >= u_ij = 1 + (M z)_ij, xi >= 0, over z = X W + b.
    for i in range(n):
        for j in range(n_outputs):
            if isinstance(loss, WestonWatkinsHinge) and j == y[i]:
                continue
            map_ = np.zeros(n_outputs)
            if isinstance(loss, WestonWatkinsHinge):
                map_[j], map_[y[i]] = 1, -1
            else:
                map_[j] = -1 if y[i] == (j if n_outputs > 1 else 1) else 1
            rows.append(np.kron(np.append(X[i], 1), map_))
            offsets.append(-1.0)
    m = len(rows)
    constraints = np.hstack([np.array(rows), -np.eye(m)])
    cost = np.append(np.zeros((d + 1) * n_outputs), np.full(m, 1 / n))
    limits = [(None, None)] * ((d + 1) * n_outputs) + [(0, None)] * m
    exact = linprog(cost, constraints, np.array(offsets), bounds=limits).fun
    assert interior_point(objective, tol=1e-6).value == pytest.approx(exact, rel=1e-4)


@each_hinge
def test_weights_are_repetitions_and_none_is_no_row(loss, n_classes):
    X, y, weight = blobs(n_classes)
    weight[::7] = 0
    options = {"alpha": 0.01, "n_outputs": 1 if n_classes == 2 else n_classes}
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
    path = objective.central_path()
    values, bounds = [], []
    for _ in range(12):
        values.append(path.assess())
        bounds.append(path.bound)
        assert path.step()
        real = path.weight > 0
        anew = loss.margins.violations(objective.logits(path.params), y)
        assert_allclose(path.violations[real], anew[real], atol=1e-9 * np.abs(anew[real]).max())
        assert_allclose(path.slack - path.room, path.violations, atol=1e-9 * path.slack.max())
        assert (path.slack > 0).all()
        assert (path.room > 0).all()
        assert (path.dual > 0).all()
        assert (path.dual < 1).all()
    assert (np.diff(bounds) >= 0).all()
    assert max(bounds) <= min(values)
    # The stationarity of the parameters is what is left of Newton's full steps.
    assert_allclose(path._pull(path.dual)[-1], 0, atol=1e-9)


@each_hinge
def test_separable_rows_with_hardly_a_penalty_take_few_steps(loss, n_classes):
    X, y, _ = blobs(n_classes, spread=30.0)
    # The objective is as small as alpha, and the rounding of a margin of 1 is not.
    result = interior_point(Objective(X, y, loss, alpha=1e-7), tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 50


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
    assert Objective(X, y, WestonWatkinsHinge(), alpha=0.1).suits_central_path
    assert not Objective(X, y, CrammerSingerHinge(), alpha=0.1).suits_central_path
    assert not Objective(sp.csr_array(X), y, WestonWatkinsHinge(), alpha=0.1, standardize=False).suits_central_path
    assert not Objective(np.ones((10, 2_000)), y[:10], OneVsRestHinge(), alpha=0.1).suits_central_path
    auto = LinearSVMClassifier(alpha=0.1, probability=False).fit(X, y)
    chosen = LinearSVMClassifier(alpha=0.1, probability=False, solver=InteriorPoint()).fit(X, y)
    assert np.array_equal(auto.coef_, chosen.coef_)


def test_float32_rows_are_computed_in_float64():
    X, y, _ = blobs(3)
    X = X.astype(np.float32)
    narrow = solve(Objective(X, y, WestonWatkinsHinge(), alpha=0.01), tol=1e-10)
    wide = solve(Objective(X.astype(float), y, WestonWatkinsHinge(), alpha=0.01), tol=1e-10)
    assert narrow.value == pytest.approx(wide.value, rel=1e-9)
    assert narrow.status is Status.CONVERGED


def test_where_rounding_ends_the_path_recentring_goes_on():
    X, y, _ = blobs(3)
    seen = []
    objective = Objective(X, y, WestonWatkinsHinge(), alpha=0.01)
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


@pytest.mark.parametrize(
    ("X", "loss", "alpha", "words"),
    [
        (np.eye(4), SigmoidLoss(), 0.1, "does not fit"),
        (np.eye(4), CrammerSingerHinge(), 0.1, "one-versus-rest or Weston-Watkins"),
        (sp.csr_array(np.eye(4)), OneVsRestHinge(), 0.1, "dense rows"),
        (np.eye(4), OneVsRestHinge(), 0.0, "alpha=0"),
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
    path = objective.central_path()
    for _ in range(12):
        path.assess()
        assert path.bound <= found.value
        if not path.step():
            break
