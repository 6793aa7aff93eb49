"""Products with rows: the same numbers whatever holds them, however they are cut, and X left alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from zoo import CONTAINERS, LOSSES, SINGLE

from skgradlinear import Objective, _rows
from skgradlinear.losses import SoftmaxLoss
from skgradlinear.solvers import subspace_newton

EPS = np.finfo(np.float64).eps
N, D, K = 50, 7, 3
RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 4, (N, D)).astype(float)
SLOPE, OFFSET = RANDOM.standard_normal((D, K)), RANDOM.standard_normal(K)
WEIGHTS, ROW_WEIGHT = RANDOM.standard_normal((N, K)), RANDOM.random(N)
PIVOT = X.mean(axis=0)
every_container = pytest.mark.parametrize("name", CONTAINERS)


def near(name: str) -> dict[str, float]:
    """Sums of fifty products of numbers up to 10, in the precision of the rows."""
    eps = float(np.finfo(np.float32).eps) if name in SINGLE else EPS
    return {"rtol": 0, "atol": 50 * 40 * eps}


def content(container: Any) -> np.ndarray:
    return np.array(container.toarray() if sp.issparse(container) else container)


@pytest.fixture(params=[1 << 18, 16 * D, 1])
def block_entries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """One block, blocks of 16 rows (the last one shorter), and the least."""
    monkeypatch.setattr(_rows, "BLOCK_ENTRIES", request.param)
    return request.param


@every_container
def test_products_are_those_of_the_definition(name: str, block_entries: int) -> None:
    container = CONTAINERS[name](X)
    rows = _rows.wrap(container)
    assert (rows.shape, rows.dense) == ((N, D), not sp.issparse(container))
    assert rows.dtype == (np.float32 if name in SINGLE else np.float64)
    assert np.allclose(rows.logits(SLOPE, OFFSET), X @ SLOPE + OFFSET, **near(name))
    assert rows.logits(SLOPE, OFFSET).dtype == rows.dtype
    weights = WEIGHTS.astype(rows.dtype)
    for found, expected in ((rows.pull(weights), X.T @ WEIGHTS), (rows.pull_squares(weights), (X**2).T @ WEIGHTS)):
        assert np.allclose(found, expected, **near(name))
        assert found.dtype == np.float64
    assert np.array_equal(content(container), X)


@every_container
@pytest.mark.parametrize("cut", [False, True])
def test_changed_logits_go_through_both_products(name: str, cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row once, in whatever parts and groups."""
    if cut:
        for limit in ("PART_ENTRIES", "SPARSE_PART_ENTRIES", "LOGIT_ENTRIES", "BLOCK_ENTRIES"):
            monkeypatch.setattr(_rows, limit, 16 * D)
    container = CONTAINERS[name](X)
    rows = _rows.wrap(container)
    seen = np.zeros(N, int)

    def change(where: slice, logits: np.ndarray) -> float:
        assert np.allclose(logits, X[where] @ SLOPE + OFFSET, **near(name))
        seen[where] += 1
        logits[:] = WEIGHTS[where]
        return float(ROW_WEIGHT[where].sum())

    number, sums = rows.through(SLOPE, OFFSET, change)
    assert (seen == 1).all()
    assert number == pytest.approx(ROW_WEIGHT.sum())
    assert np.allclose(sums.pulled, X.T @ WEIGHTS, **near(name))
    assert np.allclose(sums.alone, WEIGHTS.sum(axis=0), **near(name))
    assert sums.alone.dtype == np.float64
    assert np.array_equal(content(container), X)


@every_container
@pytest.mark.parametrize("pivot", [np.zeros(D), PIVOT])
def test_squares_of_rows_about_a_centre(name: str, pivot: np.ndarray, block_entries: int) -> None:
    rows = _rows.wrap(CONTAINERS[name](X))
    rows = rows.with_pivot(pivot) if rows.dense else rows
    centre, scale = OFFSET.repeat(3)[:D], ROW_WEIGHT[:D]
    found = rows.squares(centre, scale)
    assert np.allclose(found, ((X - centre) * scale) ** 2 @ np.ones(D), **near(name))
    assert found.dtype == np.float64


@pytest.mark.parametrize("container", [np.array, sp.csr_matrix])
@pytest.mark.parametrize("unit", [1e-24, 1e24])
def test_squares_of_columns_whose_own_are_out_of_range(container: Any, unit: float) -> None:
    rows = _rows.wrap(container((X * unit).astype(np.float32)))
    found = rows.squares(X.mean(axis=0) * unit, np.full(D, 1 / unit))
    assert np.allclose(found, ((X - X.mean(axis=0)) ** 2).sum(axis=1), rtol=1e-4)


@every_container
def test_moments_in_float64_from_any_container(name: str, block_entries: int) -> None:
    moments = _rows.wrap(CONTAINERS[name](X)).moments(ROW_WEIGHT)
    mean = ROW_WEIGHT @ X / ROW_WEIGHT.sum()
    assert np.allclose(moments.mean, mean, rtol=1e-14, atol=0)
    assert np.allclose(moments.scatter, ROW_WEIGHT @ (X - mean) ** 2, rtol=1e-13, atol=0)
    assert moments.count == N


@pytest.mark.parametrize("name", [name for name in CONTAINERS if not name.startswith("CSR")])
def test_pivot_is_subtracted_in_the_block(name: str, block_entries: int) -> None:
    rows = _rows.wrap(CONTAINERS[name](X)).with_pivot(PIVOT)
    centred = X - PIVOT
    weights = WEIGHTS.astype(rows.dtype)
    assert np.allclose(rows.logits(SLOPE, OFFSET), centred @ SLOPE + OFFSET, **near(name))
    assert np.allclose(rows.pull(weights), centred.T @ WEIGHTS, **near(name))
    assert np.allclose(rows.pull_squares(weights), (centred**2).T @ WEIGHTS, **near(name))
    assert np.allclose(rows.moments(ROW_WEIGHT).mean, ROW_WEIGHT @ X / ROW_WEIGHT.sum(), rtol=1e-14)
    chosen = np.array([3, 0, 44])
    assert np.allclose(rows.take(chosen).logits(SLOPE, OFFSET), (centred @ SLOPE + OFFSET)[chosen], **near(name))
    exact = rows.astype(np.dtype(np.float64))
    assert exact.logits(SLOPE, OFFSET).dtype == np.float64
    assert np.allclose(exact.logits(SLOPE, OFFSET), centred @ SLOPE + OFFSET, rtol=0, atol=1e-5)


@every_container
@pytest.mark.parametrize(
    "chosen", [slice(None), slice(7, 31), np.array([4, 2, 49, 2]), np.array([], int), np.arange(N)[::-1].copy()]
)
def test_dense_blocks_cover_the_rows_once(name: str, chosen: np.ndarray | slice, block_entries: int) -> None:
    rows = _rows.wrap(CONTAINERS[name](X))
    found = list(rows.dense_blocks(chosen))
    blocks = [block for _, block in found]
    assert np.array_equal(np.vstack([np.zeros((0, D)), *blocks]), X[chosen])
    assert all(block.dtype == rows.dtype for block in blocks)
    assert all(np.array_equal(X[where], block) for where, block in found)
    for block in blocks:  # buffers of their own
        block[:] = np.nan
    assert np.array_equal(content(rows.X), X)


@every_container
def test_take(name: str) -> None:
    rows = _rows.wrap(CONTAINERS[name](X))
    chosen = np.array([9, 0, 9])
    assert np.array_equal(content(rows.take(chosen).X), X[chosen])
    assert rows.take(chosen).dtype == rows.dtype


def test_sparse_rows_take_no_pivot() -> None:
    rows = _rows.wrap(sp.csr_array(X))
    assert rows.with_pivot(np.zeros(D)) is rows
    with pytest.raises(ValueError, match="densify"):
        rows.with_pivot(PIVOT)


def test_booleans_are_zeros_and_ones() -> None:
    flags = X > 1
    for kind in (np.asarray, sp.csr_array):
        rows = _rows.wrap(kind(flags))
        assert np.allclose(rows.logits(SLOPE, OFFSET), flags.astype(float) @ SLOPE + OFFSET, rtol=0, atol=1e-13)
        assert np.allclose(rows.moments(np.ones(N)).mean, flags.mean(axis=0), rtol=1e-15)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_integers_that_float32_cannot_hold(kind: Callable[[np.ndarray], Any]) -> None:
    large = (1 << 40) + np.arange(8).reshape(4, 2)
    assert np.array_equal(_rows.wrap(kind(large)).logits(np.eye(2), np.zeros(2)), large.astype(float))


# The whole objective, over all containers and losses


def objective_of(container: Any, loss: Any, **options: Any) -> Objective:
    return Objective(container, np.arange(N) % K, loss, alpha=0.1, sample_weight=ROW_WEIGHT, n_outputs=K, **options)


@every_container
@pytest.mark.parametrize("standardize", [True, False])
def test_objective_does_not_depend_on_the_container(name: str, standardize: bool, block_entries: int) -> None:
    params = np.random.default_rng(1).standard_normal((D + 1, K))
    direction = np.random.default_rng(2).standard_normal((D + 1, K))
    container = CONTAINERS[name](X)
    for loss in (LOSSES["softmax"], LOSSES["ww_squared"]):
        expected = objective_of(X, loss, standardize=standardize)
        found = objective_of(container, loss, standardize=standardize)
        assert found.value(params) == pytest.approx(expected.value(params), **_relative(name))
        gradient, expected_gradient = (o.value_and_gradient(params)[1] for o in (found, expected))
        assert np.allclose(gradient, expected_gradient, **near(name))
        assert np.allclose(found.hessp(params, direction), expected.hessp(params, direction), **near(name))
    assert np.array_equal(content(container), X)


def _relative(name: str) -> dict[str, float]:
    return {"rel": 1e-5 if name in SINGLE else 1e-13}


@pytest.mark.parametrize("name", ["read-only", "memmap", "F", "CSR", "float32"])
def test_solving_leaves_the_container_alone(name: str) -> None:
    container = CONTAINERS[name](X)
    before = content(container)
    subspace_newton(objective_of(container, SoftmaxLoss()), tol=1e-3)
    assert np.array_equal(content(container), before)
    assert container.dtype == before.dtype


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix])
def test_sparse_rows_are_never_made_dense(kind: Any, index: type) -> None:
    """500 x 20000 with 10000 entries: 80 MB dense. Objective, gradient, Hessian and a solution, in a few MB."""
    random = np.random.default_rng(0)
    n, d = 500, 20_000
    rows = sp.random(n, d, density=1e-3, format="csr", random_state=random)
    matrix = kind((rows.data, rows.indices.astype(index), rows.indptr.astype(index)), shape=(n, d))
    tracemalloc.start()
    objective = Objective(matrix, random.integers(0, 3, n), SoftmaxLoss(), alpha=0.01, standardize=False)
    result = subspace_newton(objective, tol=1e-3)
    objective.hessp(result.params, result.params)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parameters = (d + 1) * 3 * 8
    assert peak < 30 * parameters < n * d * 8 / 5
    assert result.measure <= 1e-3


def test_dense_rows_are_not_copied() -> None:
    """An evaluation of 16 MB of rows that need no conversion takes the memory of its logits only."""
    random = np.random.default_rng(0)
    big = random.standard_normal((20_000, 100))
    objective = Objective(big, random.integers(0, 3, len(big)), SoftmaxLoss(), standardize=True)
    params = random.standard_normal(objective.shape)
    tracemalloc.start()
    objective.value_and_gradient(params)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(big) * 3 * 8 < big.nbytes
    assert np.shares_memory(objective.rows.X, big)
