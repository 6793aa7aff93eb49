"""What a fit costs where it can be counted: passes over X, evaluations of the loss, copies."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skgradlinear import (
    LinearSVMClassifier,
    Objective,
    SigmoidClassifier,
    SoftmaxClassifier,
    _directions,
    _rows,
    _validation,
)
from skgradlinear._central_path import CentralPath
from skgradlinear._design import Design
from skgradlinear._mean_loss import MeanLoss
from skgradlinear._preconditioner import Diagonal
from skgradlinear.losses import CrammerSingerHinge, OneVsRestSquaredHinge, SigmoidLoss, SoftmaxLoss
from skgradlinear.solvers import Status, solve, subspace_newton


@pytest.fixture
def passes(monkeypatch):
    """Entries of X that products have read, in passes: half for logits, half for their adjoint."""
    count = {"logits": 0.0, "pull": 0.0, "entries": 0}

    def counted(cls, name, halves):
        method = getattr(cls, name)

        def wrapper(self, *arguments):
            for half in halves:
                count[half] += 0.5 * self.shape[0] * self.shape[1] / count["entries"]
            return method(self, *arguments)

        monkeypatch.setattr(cls, name, wrapper)

    for cls in (_rows.DenseRows, _rows.CSRRows):
        counted(cls, "logits", ["logits"])
        counted(cls, "pull", ["pull"])
        counted(cls, "through", ["logits", "pull"])
    return count


def total(count):
    return count["logits"] + count["pull"]


def draw(n, d, n_classes, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * 10 ** random.uniform(-2, 2, d) + random.uniform(-5, 5, d)
    standardized = (X - X.mean(axis=0)) / X.std(axis=0)
    logits = standardized @ random.standard_normal((d, n_classes)) / np.sqrt(d) * 3
    return X, (logits + random.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.mark.parametrize(
    ("shape", "loss", "limit"),
    [
        ((200, 5, 3), SoftmaxLoss(), 8),  # the whole Hessian of few rows
        ((5_000, 20, 2), SigmoidLoss(), 8),
        ((20_000, 10, 5), SoftmaxLoss(), 9),  # the whole Hessian, sampled
        ((3_000, 60, 10), SoftmaxLoss(), 7),  # conjugate gradients on all rows, kept
        ((12_000, 150, 10), SoftmaxLoss(), 15),  # conjugate gradients on a sample of the rows
    ],
    ids=str,
)
def test_passes_to_a_certified_optimum(passes, shape, loss, limit):
    """Newton's directions need a handful of passes whatever the shape; lbfgs needs dozens."""
    X, y = draw(*shape)
    passes["entries"] = X.size
    objective = Objective(X, y, loss, alpha=1 / len(y))
    result = solve(objective, tol=1e-4)
    assert result.measure <= 1e-4
    assert total(passes) <= limit


@pytest.fixture
def evaluations(monkeypatch):
    """How often the losses of all rows were formed, with or without derivatives."""
    count = {"all": 0}

    def counted(name):
        method = getattr(MeanLoss, name)

        def wrapper(self, *arguments):
            count["all"] += 1
            return method(self, *arguments)

        monkeypatch.setattr(MeanLoss, name, wrapper)

    for name in ("second_order", "value", "value_and_gradient"):
        counted(name)
    return count


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("loss", "n_classes", "n_outputs"), [(SoftmaxLoss(), 3, 3), (SigmoidLoss(), 2, 1), (SigmoidLoss(), 3, 3)], ids=str
)
def test_a_newton_step_of_few_rows_is_one_pass_and_one_evaluation(
    passes, evaluations, loss, n_classes, n_outputs, dtype, monkeypatch
):
    """Logits come from X and the slope from the gradient: nothing is looked at twice, in whatever precision X is."""
    monkeypatch.setattr("skgradlinear._objective.SMALL_ENTRIES", 1 << 16)
    X, y = draw(200, 5, n_classes)
    passes["entries"] = X.size
    objective = Objective(X.astype(dtype), y, loss, alpha=0.01, n_outputs=n_outputs)
    result = solve(objective, tol=1e-6)
    assert result.measure <= 1e-6
    assert result.n_iter >= 3
    # The gradient at the start and, where the bias is polished at the end, another one.
    assert total(passes) <= result.n_iter + 1
    # The start, and up to two steps of the bias.
    assert evaluations["all"] <= result.n_iter + 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8])
def test_plain_arrays_pass_the_door_without_a_second_look(dtype, monkeypatch):
    X, y = draw(60, 4, 3)
    X = (10 * X).astype(dtype)
    looks = []
    look = _validation.validate_data
    monkeypatch.setattr(
        _validation, "validate_data", lambda *args, **options: looks.append(1) or look(*args, **options)
    )
    model = SoftmaxClassifier(tol=0.1).fit(X, y)
    labels = model.predict(X)
    assert not looks
    assert model.n_features_in_ == 4
    # Lists have to be converted, and the columns of a data frame have names.
    assert np.array_equal(SoftmaxClassifier(tol=0.1).fit(X.tolist(), y).predict(X.tolist()), labels)
    named = SoftmaxClassifier(tol=0.1).fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert len(looks) == 3
    with pytest.warns(UserWarning, match="valid feature names"):
        named.predict(X)
    assert not hasattr(named.fit(X, y), "feature_names_in_")


def test_a_finite_array_whose_sum_overflows_is_no_worse():
    X = np.full((4, 2), np.finfo(np.float32).max) * np.array([[1, -1], [1, 1], [-1, 1], [1, 1]], np.float32)
    assert _validation.check_rows(SoftmaxClassifier(), X, reset=True) is X
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        _validation.check_rows(SoftmaxClassifier(), X, reset=True)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_an_iteration_is_one_pass(passes, kind):
    """The search, the bias and the certificate cost none; the claim at the end is checked on fresh logits."""
    X, y = draw(3_000, 80, 6)
    passes["entries"] = X.size
    objective = Objective(kind(X), y, SoftmaxLoss(), alpha=1e-3)
    seen = []
    result = solve(objective, tol=1e-5, callback=lambda iteration, params: seen.append(total(passes)) and None)
    assert result.n_iter >= 3
    steps = np.diff(seen[:-1])
    # Leverages of a sample are one skinny product, once.
    assert np.all((steps >= 1) & (steps <= 1.5))
    assert np.median(steps) == 1


def test_float32_is_certified_in_float64_by_one_more_pass(passes):
    X, y = draw(5_000, 30, 4)
    passes["entries"] = X.size
    objective = Objective(X.astype(np.float32), y, SoftmaxLoss(), alpha=1e-2)
    draft = solve(objective, tol=1e-3, certified=False)
    once = total(passes)
    final = solve(objective, tol=1e-3)
    assert draft.measure <= 1e-3
    assert final.n_iter == draft.n_iter
    assert total(passes) - 2 * once <= 1.5


@pytest.mark.parametrize(("model", "n_classes"), [(SoftmaxClassifier, 5), (SigmoidClassifier, 2)])
@pytest.mark.parametrize("n", [2_000, 80_000])
def test_the_check_in_float64_takes_one_exponential(monkeypatch, model, n_classes, n):
    """Of one group of rows or of several."""
    X, y = draw(n, 6, n_classes)
    seen = []
    for cls in (SoftmaxLoss, SigmoidLoss):
        for name in ("value", "gradient", "value_and_gradient", "curvature", "second_order"):
            method = getattr(cls, name)

            def counted(self, logits, y, method=method):
                seen.append(len(logits) if logits.dtype == np.float64 else 0)
                return method(self, logits, y)

            monkeypatch.setattr(cls, name, counted)
    fitted = model(tol=1e-3).fit(X.astype(np.float32), y)
    assert fitted.duality_gap_ <= 1e-3
    # The loss at zero is formed from one row for each label.
    assert n <= sum(seen) <= n + 100


def test_a_warm_start_at_the_solution_costs_two_passes(passes):
    X, y = draw(2_000, 30, 3)
    passes["entries"] = X.size
    model = SoftmaxClassifier(warm_start=True, alpha=1e-3).fit(X, y)
    before = total(passes)
    model.fit(X, y)
    assert total(passes) - before <= 2


def test_one_fit_of_many_outputs_reads_X_no_more_often_than_the_hardest_of_them(passes):
    X, _ = draw(2_000, 30, 3)
    random = np.random.default_rng(1)
    Y = (
        (X - X.mean(axis=0)) / X.std(axis=0) @ random.standard_normal((30, 8)) + random.logistic(size=(2_000, 8)) > 0
    ).astype(int)
    passes["entries"] = X.size
    SigmoidClassifier(alpha=1e-3).fit(X, Y)
    together = total(passes)
    alone = []
    for y in Y.T:
        before = total(passes)
        SigmoidClassifier(alpha=1e-3).fit(X, y)
        alone.append(total(passes) - before)
    assert together <= max(alone) + 3
    assert together <= 0.25 * sum(alone)


def test_the_folds_of_the_temperature_stop_early(passes):
    # More columns than the central path is followed for, which begins anew in every fold.
    X, y = draw(1_500, 240, 3)
    assert not CentralPath.suits(Objective(X, y, CrammerSingerHinge(), alpha=1.0))
    passes["entries"] = X.size
    LinearSVMClassifier(probability=False, multi_class="crammer_singer").fit(X, y)
    plain = total(passes)
    LinearSVMClassifier(cv=5, multi_class="crammer_singer").fit(X, y)
    # The whole fit once more, and all five folds in less than twice its passes.
    assert total(passes) - plain <= 3 * plain


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_rows_are_neither_copied_nor_cast_as_a_whole(kind, monkeypatch):
    """Products work on the array that was passed."""
    # Sparse columns far from zero would be computed in float64.
    X = np.random.default_rng(0).standard_normal((3_000, 50))
    rows, y = kind(X.astype(np.float32)), X[:, :3].argmax(axis=1)
    seen = []
    make = SoftmaxClassifier._make_objective
    monkeypatch.setattr(SoftmaxClassifier, "_make_objective", lambda *args: seen.append(make(*args)) or seen[-1])
    SoftmaxClassifier(tol=1e-2).fit(rows, y)
    found = seen[0].rows.X
    assert np.shares_memory(found.data if sp.issparse(found) else found, rows.data if sp.issparse(rows) else rows)


def test_a_sample_is_a_small_part_of_many_rows():
    X, y = draw(30_000, 20, 3)
    design = Design(Objective(X, y, SoftmaxLoss(), alpha=1e-3), 0)
    chosen, boost = design.pick(np.full(len(y), 1 / len(y)), 600)
    assert 400 <= len(chosen) <= 900
    assert boost.shape == chosen.shape
    assert boost.min() >= 1
    # The sample stands for all rows: its weights sum to about their number.
    assert 0.8 <= boost.sum() / len(y) * 1.15 <= 1.3


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_gram_of_sparse_rows_is_that_of_dense_ones(fit_intercept, standardize):
    random = np.random.default_rng(0)
    X = sp.csr_array(sp.random(400, 12, density=0.2, random_state=random))
    weight = random.integers(0, 4, 400)
    grams = [
        Design(
            Objective(
                rows,
                np.arange(400) % 2,
                SigmoidLoss(),
                alpha=1e-3,
                sample_weight=weight,
                fit_intercept=fit_intercept,
                standardize=standardize,
            ),
            0,
        ).gram
        for rows in (X, X.toarray())
    ]
    np.testing.assert_allclose(grams[0], grams[1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_a_rough_design_knows_the_diagonal_of_the_gram_and_the_leverage_under_it(fit_intercept, standardize, kind):
    random = np.random.default_rng(0)
    X = random.integers(0, 3, (400, 12)) * random.random(12)
    options = {"sample_weight": random.integers(0, 4, 400), "fit_intercept": fit_intercept, "standardize": standardize}
    objective = Objective(kind(X), np.arange(400) % 2, SigmoidLoss(), alpha=1e-3, **options)
    design = Design(objective, 0, rough=True)
    diagonal = design.gram.diagonal()
    np.testing.assert_allclose(design.background, np.diag(diagonal), rtol=1e-10)
    used = diagonal > 0
    rows = Design(objective, 0).take()
    np.testing.assert_allclose(
        design.leverage, (rows[:, used] ** 2 / diagonal[used]).sum(axis=1), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("loss", [SoftmaxLoss(), SigmoidLoss()], ids=repr)
def test_directions_are_from_samples_first_and_from_all_rows_in_the_end(loss, monkeypatch):
    random = np.random.default_rng(0)
    X = random.standard_normal((9000, 130)).astype(np.float32) * np.geomspace(1, 1e-3, 130, dtype=np.float32)
    y = (X[:, :4] * 4 + random.gumbel(size=(9000, 4))).argmax(axis=1)
    objective = Objective(X, y, loss, alpha=1e-6, standardize=False)
    drawn, taken = [], []
    sample, damped = _directions.SampledNewton._sample, Objective.damped_hessp
    sampled = _directions.SampledNewton
    monkeypatch.setattr(sampled, "_sample", lambda *args: drawn.append(len(taken)) or sample(*args))
    monkeypatch.setattr(Objective, "damped_hessp", lambda *args: taken.append(len(drawn)) or damped(*args))
    monkeypatch.setattr(_directions, "MAX_SAMPLES_OF_MANY", 3)
    result = subspace_newton(objective, tol=1e-8)
    assert result.status is Status.CONVERGED
    # The first direction has the Gram matrix for its Hessian, as all rows are curved alike.
    assert drawn == [0, 0]
    assert len(taken) == result.n_iter - 3 > 0


def test_first_directions_of_one_output_are_solved_for_less_accurately(monkeypatch):
    """The Hessian is another one after each of these steps: products with it would be lost on their last digits."""
    random = np.random.default_rng(0)
    X = sp.random_array((3000, 60), density=0.1, rng=random, format="csr")
    y = (X @ random.standard_normal(60) + 0.3 * random.standard_normal(3000) > 0).astype(int)
    residuals = []
    found = _directions.conjugate_gradient
    monkeypatch.setattr(
        _directions,
        "conjugate_gradient",
        lambda *args, **rest: residuals.append(rest["forcing"]) or found(*args, **rest),
    )
    for loss, expected in ((SigmoidLoss(), [0.4, 0.3, 0.2, 0.1]), (OneVsRestSquaredHinge(), [0.1] * 4)):
        residuals.clear()
        subspace_newton(Objective(X, y, loss, alpha=1e-5).with_outputs_together(), tol=1e-10)
        assert residuals[:4] == pytest.approx(expected)
        assert set(residuals[4:]) <= {0.1}


def test_the_diagonal_of_uncentred_rows_is_exact():
    random = np.random.default_rng(0)
    X = sp.random_array((80, 6), density=0.4, rng=random, format="csr")
    objective = Objective(X, random.integers(0, 3, 80), SoftmaxLoss(), alpha=0.1, fit_intercept=False)
    point = objective.at(random.standard_normal((7, 3)))
    found = 1 / Diagonal(objective).at(point)(np.ones((7, 3)))
    for j, k in np.ndindex(6, 3):
        unit = objective.zeros()
        unit[j, k] = 1.0
        assert found[j, k] == pytest.approx(objective.hessp_at(point, unit)[j, k], rel=1e-9)
