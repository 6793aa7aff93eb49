"""One list each of losses, containers of rows, data frames, solvers, and problems whose optimum is known."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp
from sklearn.utils.fixes import parse_version

from skgradlinear import Objective
from skgradlinear.losses import (
    CrammerSingerHinge,
    Loss,
    NonSmoothLoss,
    OneVsRestHinge,
    OneVsRestSquaredHinge,
    SigmoidLoss,
    SoftmaxLoss,
    WestonWatkinsHinge,
    WestonWatkinsSquaredHinge,
)
from skgradlinear.solvers import lbfgs, recentred, subspace_newton

HINGES = {"ovr": OneVsRestHinge(), "ww": WestonWatkinsHinge(), "cs": CrammerSingerHinge()}
# Dyadic mu: kinks of the curvature then lie on dyadic numbers too.
SMOOTHED = {f"{name}_smoothed": hinge.smoothed(0.25) for name, hinge in HINGES.items()}
SQUARED = {"ovr_squared": OneVsRestSquaredHinge(), "ww_squared": WestonWatkinsSquaredHinge()}
LIKELIHOODS = {"softmax": SoftmaxLoss(), "sigmoid": SigmoidLoss()}
SMOOTH: dict[str, Loss] = {**LIKELIHOODS, **SQUARED, **SMOOTHED}
LOSSES: dict[str, Loss] = {**SMOOTH, **HINGES}
PUBLIC: dict[str, Loss] = {**LIKELIHOODS, **SQUARED, **HINGES}
SEPARATE_LABELS = [name for name, loss in LOSSES.items() if not loss.shift_invariant]


def _memmap(X: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, dtype=X.dtype, shape=X.shape, mode="w+")
        mapped[:] = X
    return mapped


def _read_only(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X.flags.writeable = False
    return X


def _strided(X: np.ndarray) -> np.ndarray:
    wide = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def _csr(X: np.ndarray, kind: Any = sp.csr_array, index: type = np.int32, dtype: type = np.float64) -> Any:
    rows = kind(X.astype(dtype))
    return kind((rows.data, rows.indices.astype(index), rows.indptr.astype(index)), shape=X.shape)


def _with_duplicates(X: np.ndarray) -> Any:
    """CSR whose entries are each stored twice, as halves, columns in descending order."""
    rows = sp.csr_array(X[:, ::-1])
    indices = np.repeat(X.shape[1] - 1 - rows.indices, 2)
    return sp.csr_array((np.repeat(rows.data, 2) / 2, indices, 2 * rows.indptr), shape=X.shape)


# Each holds the same numbers if these are small integers.
CONTAINERS: dict[str, Callable[[np.ndarray], Any]] = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": _strided,
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": _read_only,
    "memmap": _memmap,
    "big-endian": lambda X: X.astype(">f8"),
    "float32": lambda X: X.astype(np.float32),
    "float32 F": lambda X: np.asfortranarray(X, np.float32),
    "float16": lambda X: X.astype(np.float16),
    "int64": lambda X: X.astype(np.int64),
    "int8": lambda X: X.astype(np.int8),
    "uint8": lambda X: X.astype(np.uint8),
    "CSR": _csr,
    "CSR int64": partial(_csr, index=np.int64),
    "CSR matrix": partial(_csr, kind=sp.csr_matrix),
    "CSR float32": partial(_csr, dtype=np.float32),
    "CSR int8": partial(_csr, dtype=np.int8),
    "CSR duplicates": _with_duplicates,
}
SINGLE = ("float32", "float32 F", "float16", "CSR float32")

SMOOTH_SOLVERS = {"subspace_newton": subspace_newton, "lbfgs": lbfgs}
SOLVERS = {**SMOOTH_SOLVERS, "recentred": recentred}


def solvers_of(loss: Loss) -> list[str]:
    return list(SMOOTH_SOLVERS) if not isinstance(loss, NonSmoothLoss) else ["recentred"]


def random_problem(loss: Loss, *, n: int = 40, d: int = 3, seed: int = 0, **options: Any) -> Objective:
    """Three overlapping classes whose columns have different scales."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, n)
    X = (random.standard_normal((n, d)) + 0.7 * np.eye(3, d)[y]) * 10.0 ** np.arange(-1, d - 1) + 2.0
    return Objective(X, y, loss, **{"alpha": 0.05, "n_outputs": 3, **options})


# Plain formulas, written independently of the package: loss of each row from logits Z (n, K) and labels y (n,).


def _signs(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 2.0 * (np.arange(Z.shape[1]) == y[:, None]) - 1.0


def _wrong(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Violations ``1 + z_j - z_y`` of the wrong classes only, shape (n, K - 1)."""
    own = np.take_along_axis(Z, y[:, None], axis=1)
    return (1 + Z - own)[np.arange(Z.shape[1]) != y[:, None]].reshape(len(Z), -1)


PLAIN: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "softmax": lambda Z, y: logsumexp(Z, axis=1) - np.take_along_axis(Z, y[:, None], axis=1)[:, 0],
    "sigmoid": lambda Z, y: np.logaddexp(0, -_signs(Z, y) * Z).sum(axis=1),
    "ovr_squared": lambda Z, y: (np.maximum(0, 1 - _signs(Z, y) * Z) ** 2).sum(axis=1),
    "ww_squared": lambda Z, y: (np.maximum(0, _wrong(Z, y)) ** 2).sum(axis=1),
    "ovr": lambda Z, y: np.maximum(0, 1 - _signs(Z, y) * Z).sum(axis=1),
    "ww": lambda Z, y: np.maximum(0, _wrong(Z, y)).sum(axis=1),
    "cs": lambda Z, y: np.maximum(0, _wrong(Z, y)).max(axis=1),
}


def plain_objective(name: str, objective: Objective, X: np.ndarray, y: np.ndarray, params: np.ndarray) -> float:
    """The objective from the definition: an explicit standardized copy of X, plain formulas."""
    Z = plain_rows(objective, X) @ params[:-1] + (params[-1] if objective.fit_intercept else 0)
    return float(objective.weight @ PLAIN[name](Z, y) + objective.alpha / 2 * (params[:-1] ** 2).sum())


def plain_rows(objective: Objective, X: np.ndarray) -> np.ndarray:
    """Columns of X minus their weighted mean, over their weighted deviation."""
    mean = objective.weight @ X
    scale = np.sqrt(objective.weight @ (X - mean) ** 2) if objective.standardize else np.ones(X.shape[1])
    return (X - mean if objective.fit_intercept else X) / np.where(scale > 0, scale, 1.0)


@dataclass(frozen=True)
class Known:
    """An objective and its minimum, from mathematics."""

    objective: Objective
    minimum: float


# Loss of a row of K classes as a function of the margin m: by symmetry one number describes the optimum.
MARGIN_LOSS: dict[str, Callable[[float, int], float]] = {
    "softmax": lambda m, K: float(np.log1p((K - 1) * np.exp(-m))),
    "sigmoid": lambda m, K: K * float(np.log1p(np.exp(-m))),
    "ovr_squared": lambda m, K: K * max(0.0, 1 - m) ** 2,
    "ww_squared": lambda m, K: (K - 1) * max(0.0, 1 - m) ** 2,
    "ovr": lambda m, K: K * max(0.0, 1 - m),
    "ww": lambda m, K: (K - 1) * max(0.0, 1 - m),
    "cs": lambda m, K: max(0.0, 1 - m),
}


@cache
def known(name: str, *, K: int = 4, alpha: float = 0.02, length: float = 3.0, seed: int = 0) -> Known:
    """K orthogonal rows of the same length, each a class of its own, in a random rotation.

    In the basis of the rows (the singular vectors of X) the problem is the same for every class. For losses of
    differences of logits ``W = c (I - 11'/K)`` has margins ``m = c length`` and ``||W||^2 = c^2 (K - 1)``; for the
    others ``W = c (2 I - 11')`` has ``m = c length`` and ``||W||^2 = c^2 K^2``.
    """
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((K, K)))[0]
    loss = PUBLIC[name]
    X = length * rotation
    objective = Objective(X, np.arange(K), loss, alpha=alpha, fit_intercept=False, standardize=False, n_outputs=K)
    size = K - 1 if loss.shift_invariant else K**2

    def value(c: float) -> float:
        return MARGIN_LOSS[name](c * length, K) + alpha / 2 * size * c**2

    # Where the minimum is smooth, an argument good to the square root of eps gives a value good to eps.
    smooth = minimize_scalar(value, bounds=(0, 20 / length), method="bounded", options={"xatol": 1e-12, "maxiter": 500})
    return Known(objective, min(float(smooth.fun), value(1 / length)))


@cache
def reference(name: str, *, fit_intercept: bool = True, standardize: bool = True) -> float:
    """Minimum of `random_problem`, by SciPy and the plain formulas."""
    objective = random_problem(PUBLIC[name], fit_intercept=fit_intercept, standardize=standardize)
    design = plain_rows(objective, np.asarray(objective.rows.X))
    if fit_intercept:
        design = np.column_stack([design, np.ones(len(design))])
    solve = _hinge_minimum if name in HINGES else _smooth_minimum
    return solve(name, design, objective.y, objective.alpha, objective.shape[0] - 1)


def _smooth_minimum(name: str, design: np.ndarray, y: np.ndarray, alpha: float, n_columns: int) -> float:
    """BFGS on differences: their error of 1e-10 in a gradient costs its square over 2 alpha in the minimum."""

    def value(flat: np.ndarray) -> float:
        W = flat.reshape(-1, 3)
        return float(PLAIN[name](design @ W, y).mean() + alpha / 2 * (W[:n_columns] ** 2).sum())

    found = minimize(value, np.zeros(design.shape[1] * 3), method="BFGS", jac="3-point", options={"gtol": 1e-8})
    assert np.abs(found.jac).max() < 1e-6
    return float(found.fun)


def _hinge_minimum(name: str, design: np.ndarray, y: np.ndarray, alpha: float, n_columns: int) -> float:
    """The quadratic program ``min mean of slacks + penalty`` over weights and slacks ``>= 0``, ``>= violation``."""
    n, d = design.shape
    violations = []  # rows of (slack number, linear map of the weights): slack + map . W >= 1
    for i, row in enumerate(design):
        for k in range(3):
            sign = np.eye(3)[y[i]] - np.eye(3)[k] if name != "ovr" else (2 * (k == y[i]) - 1) * np.eye(3)[k]
            if name == "ovr" or k != y[i]:
                violations.append((i if name == "cs" else len(violations), np.outer(row, sign).ravel()))
    slack, maps = np.array([v[0] for v in violations]), np.array([v[1] for v in violations])
    n_slacks, n_weights = slack.max() + 1, 3 * d
    penalized = np.repeat(np.arange(d) < n_columns, 3)
    matrix = np.hstack([maps, np.eye(n_slacks)[slack]])

    def value(v: np.ndarray) -> tuple[float, np.ndarray]:
        W = v[:n_weights] * penalized
        return v[n_weights:].sum() / n + alpha / 2 * W @ W, np.append(alpha * W, np.full(n_slacks, 1 / n))

    found = minimize(
        value,
        np.append(np.zeros(n_weights), np.ones(n_slacks)),
        jac=True,
        method="SLSQP",
        bounds=[(None, None)] * n_weights + [(0, None)] * n_slacks,
        constraints={"type": "ineq", "fun": lambda v: matrix @ v - 1, "jac": lambda v: matrix},
        options={"ftol": 1e-14, "maxiter": 200},
    )
    W = found.x[:n_weights].reshape(d, 3)
    # The value at the weights themselves: an upper bound on the minimum whatever the solver did.
    return float(PLAIN[name](design @ W, y).mean() + alpha / 2 * (W[:n_columns] ** 2).sum())


# scikit-learn before 1.9 reads the names of polars columns by a protocol that polars 1.40 deprecates and 2 drops.
READS_ALL_POLARS = parse_version(sklearn.__version__) >= parse_version("1.9")
NAMES_OF_POLARS = READS_ALL_POLARS or parse_version(pl.__version__) < parse_version("1.40")
each_frame = pytest.mark.parametrize(
    "frame_of",
    [
        pytest.param(pd.DataFrame, id="pandas"),
        pytest.param(
            pl.DataFrame,
            id="polars",
            marks=pytest.mark.skipif(
                not NAMES_OF_POLARS, reason="names of polars 1.40 and newer need scikit-learn 1.9"
            ),
        ),
    ],
)
