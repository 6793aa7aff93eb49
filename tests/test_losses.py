"""Losses: derivatives, conjugates, invariances and limits, each against mathematics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import brentq
from zoo import HINGES, LOSSES, PLAIN, PUBLIC, SMOOTHED

from skgradlinear.gradient_check import check_gradient, check_hessp
from skgradlinear.losses import (
    CrammerSingerHinge,
    Loss,
    OneVsRestHinge,
    OneVsRestSquaredHinge,
    SigmoidLoss,
    SoftmaxLoss,
    WestonWatkinsHinge,
    WestonWatkinsSquaredHinge,
)

EPS = np.finfo(np.float64).eps
TINY = 1e-300  # numbers below it have fewer digits
SHIFT_INVARIANT = {name: loss for name, loss in LOSSES.items() if loss.shift_invariant}
SEPARATE = {name: loss for name, loss in LOSSES.items() if not loss.shift_invariant}
every_loss = pytest.mark.parametrize("name", LOSSES)

# Sixty-fourths, integers among them: exact ties and kinks are common, and no kink is nearer than rounding can tell.
grid = st.one_of(st.integers(-4, 4).map(float), st.integers(-640, 640).map(lambda k: k / 64))
anything = st.floats(-1e6, 1e6)


@st.composite
def problems(draw: Any, elements: Any = grid, n_logits: int = 1, min_classes: int = 2) -> tuple[np.ndarray, ...]:
    """Logits (as many arrays as asked for) and integer labels."""
    n, n_classes = draw(st.integers(1, 5)), draw(st.integers(min_classes, 6))
    logits = [draw(hnp.arrays(np.float64, (n, n_classes), elements=elements)) for _ in range(n_logits)]
    y = draw(hnp.arrays(np.int64, (n,), elements=st.integers(0, max(n_classes - 1, 1))))
    return (*logits, y)


def one_hot(y: np.ndarray, n_classes: int) -> np.ndarray:
    return np.eye(n_classes)[y]


def tolerance(loss: Loss, *logits: np.ndarray) -> float:
    """A few roundings of the largest term of a value."""
    largest = 1 + max(float(np.abs(z).max()) for z in logits) * 2
    power = 1 if loss in (*HINGES.values(), *PUBLIC.values()) and "Squared" not in type(loss).__name__ else 2
    return 64 * EPS * logits[0].shape[1] * largest**power / (0.25 if loss in SMOOTHED.values() else 1)


# Values


@pytest.mark.parametrize("name", PUBLIC)
@given(data=problems())
def test_value_is_the_formula(name: str, data: Any) -> None:
    logits, y = data
    expected = PLAIN[name](logits, y)
    assert np.allclose(PUBLIC[name].value(logits, y), expected, rtol=16 * EPS, atol=tolerance(PUBLIC[name], logits))


@every_loss
@given(data=problems(n_logits=2), share=st.floats(0, 1))
def test_convex_on_segments(name: str, data: Any, share: float) -> None:
    here, there, y = data
    loss = LOSSES[name]
    between = loss.value(share * here + (1 - share) * there, y)
    chord = share * loss.value(here, y) + (1 - share) * loss.value(there, y)
    assert (between <= chord + tolerance(loss, here, there)).all()


@every_loss
@given(data=problems(n_logits=2))
def test_subgradient_inequality(name: str, data: Any) -> None:
    """Also where `here` is a kink, as is common on the grid."""
    here, there, y = data
    loss = LOSSES[name]
    value, gradient = loss.value_and_gradient(here, y)
    tangent = value + (gradient * (there - here)).sum(axis=1)
    assert (tangent <= loss.value(there, y) + tolerance(loss, here, there)).all()


@pytest.mark.parametrize("name", SHIFT_INVARIANT)
@given(data=problems(), shift=st.integers(-1000, 1000).map(lambda k: k / 64))
def test_shift_invariance(name: str, data: Any, shift: float) -> None:
    """The grid makes the shifted logits exact."""
    logits, y = data
    loss = LOSSES[name]
    value, gradient = loss.value_and_gradient(logits, y)
    shifted_value, shifted_gradient = loss.value_and_gradient(logits + shift, y)
    assert np.allclose(shifted_value, value, rtol=16 * EPS, atol=16 * EPS)
    assert np.allclose(shifted_gradient, gradient, rtol=16 * EPS, atol=16 * EPS)
    assert np.abs(gradient.sum(axis=1)).max() <= tolerance(loss, logits)


@every_loss
@given(data=problems(), seed=st.integers(0, 1000))
def test_classes_have_no_order(name: str, data: Any, seed: int) -> None:
    logits, y = data
    loss = LOSSES[name]
    order = np.random.default_rng(seed).permutation(logits.shape[1])
    value, gradient = loss.value_and_gradient(logits, y)
    permuted_value, permuted_gradient = loss.value_and_gradient(logits[:, order], np.argsort(order)[y])
    slack = tolerance(loss, logits)
    assert np.allclose(permuted_value, value, rtol=16 * EPS, atol=slack)
    if name == "cs":  # in a tie of classes any of them may carry the subgradient
        violation = 1 + logits - np.take_along_axis(logits, y[:, None], axis=1)
        violation[np.arange(len(y)), y] = 0
        unique = np.sort(violation, axis=1)[:, -1] > np.sort(violation, axis=1)[:, -2]
        gradient, permuted_gradient = gradient[unique], permuted_gradient[unique]
    assert np.allclose(permuted_gradient, gradient[:, order], rtol=16 * EPS, atol=slack)


@given(data=problems())
def test_weston_watkins_bounds_crammer_singer(data: Any) -> None:
    logits, y = data
    worst, total = CrammerSingerHinge().value(logits, y), WestonWatkinsHinge().value(logits, y)
    assert (worst >= 0).all()
    assert (worst <= total).all()
    assert (total <= (logits.shape[1] - 1) * worst * (1 + 4 * EPS)).all()


@given(logits=hnp.arrays(np.float64, (4, 2), elements=grid), y=hnp.arrays(np.int64, 4, elements=st.integers(0, 1)))
def test_two_classes_are_one_difference(logits: np.ndarray, y: np.ndarray) -> None:
    difference = logits[:, 1:] - logits[:, :1]
    pairs = [
        (SoftmaxLoss(), SigmoidLoss()),
        (WestonWatkinsHinge(), OneVsRestHinge()),
        (CrammerSingerHinge(), OneVsRestHinge()),
        (WestonWatkinsSquaredHinge(), OneVsRestSquaredHinge()),
    ]
    for multiclass, binary in pairs:
        value, gradient = multiclass.value_and_gradient(logits, y)
        binary_value, slope = binary.value_and_gradient(difference, y)
        assert np.allclose(value, binary_value, rtol=8 * EPS, atol=8 * EPS)
        assert np.allclose(gradient, np.hstack([-slope, slope]), rtol=8 * EPS, atol=8 * EPS)


@given(data=problems(elements=st.floats(-1e3, 1e3)))
def test_softmax_proba(data: Any) -> None:
    logits, y = data
    loss = SoftmaxLoss()
    proba, log_proba = loss.proba(logits), loss.log_proba(logits)
    assert np.allclose(proba.sum(axis=1), 1, rtol=0, atol=8 * EPS)
    assert np.allclose(np.exp(log_proba), proba, rtol=1e-12, atol=TINY)
    assert np.allclose(np.take_along_axis(log_proba, y[:, None], axis=1)[:, 0], -loss.value(logits, y), rtol=1e-12)


@given(logits=hnp.arrays(np.float64, (4, 3), elements=st.floats(-700, 700)))
def test_sigmoid_proba(logits: np.ndarray) -> None:
    loss = SigmoidLoss()
    proba = loss.proba(logits)
    assert np.allclose(proba + loss.proba(-logits), 1, rtol=0, atol=4 * EPS)
    assert np.allclose(loss.log_proba(logits) - loss.log_proba(-logits), logits, rtol=8 * EPS, atol=8 * EPS)
    assert np.allclose(np.exp(loss.log_proba(logits)), proba, rtol=1e-12, atol=TINY)
    assert np.allclose(loss.normalized_proba(logits), proba / proba.sum(axis=1, keepdims=True), rtol=1e-12, atol=TINY)
    assert np.allclose(np.exp(loss.normalized_log_proba(logits)), loss.normalized_proba(logits), rtol=1e-12, atol=TINY)


@given(logits=hnp.arrays(np.float64, (3, 4), elements=grid), seed=st.integers(0, 1000))
def test_soft_targets_mix_labels(logits: np.ndarray, seed: int) -> None:
    """The cross-entropy is linear in the target."""
    targets = np.random.default_rng(seed).dirichlet(np.ones(4), 3)
    loss = SoftmaxLoss()
    labels = [np.full(3, k) for k in range(4)]
    mixed = sum(targets[:, k] * loss.value(logits, labels[k]) for k in range(4))
    slope = sum(targets[:, k, None] * loss.gradient(logits, labels[k]) for k in range(4))
    value, gradient = loss.value_and_gradient(logits, targets)
    assert np.allclose(value, mixed, rtol=32 * EPS, atol=32 * EPS)
    assert np.allclose(gradient, slope, rtol=32 * EPS, atol=8 * EPS)
    # At its own gradient the conjugate turns Fenchel-Young into an equality, soft targets included.
    assert np.allclose(value + loss.conjugate(gradient, targets), (gradient * logits).sum(axis=1), atol=1e-12)


# Derivatives


@every_loss
@given(data=problems(min_classes=2))
def test_gradient_matches_differences(name: str, data: Any) -> None:
    check = check_gradient(LOSSES[name], *data)
    # Differences of a loss of size L are good to about eps L / h: what is left of a gradient that cancels to nothing.
    size = 1 + float(np.abs(LOSSES[name].value(*data)).max())
    assert np.linalg.norm(check.analytic - check.numerical) <= 1e-8 * np.linalg.norm(2 * check.analytic) + 1e-10 * size
    assert check.subgradient_violation < 64 * EPS


@every_loss
@given(data=problems())
def test_hessp_matches_differences(name: str, data: Any) -> None:
    if name in HINGES:  # flat pieces
        assert not LOSSES[name].hessp(*data, np.ones_like(data[0])).any()
        return
    check = check_hessp(LOSSES[name], *data)
    difference = check.analytic - check.numerical
    if name in SMOOTHED:  # a row on an edge of its smoothing has no second derivative; the grid has such rows
        difference = difference[~_on_edge(name, *data)]
    size = 1 + float(np.abs(LOSSES[name].gradient(*data)).max())
    assert np.linalg.norm(difference) <= 1e-8 * np.linalg.norm(2 * check.analytic) + 1e-9 * size


def _on_edge(name: str, logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rows whose active set changes under a tiny change of the logits."""
    moves = np.random.default_rng(0).standard_normal((8, *logits.shape)) * 1e-4
    patterns = [np.sign(_curvature(name, logits + move, y)) for move in moves]
    return np.array([any((p[i] != patterns[0][i]).any() for p in patterns) for i in range(len(y))])


def _curvature(name: str, logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    return LOSSES[name].curvature(logits, y).diagonal


@every_loss
@given(data=problems(), seed=st.integers(0, 1000))
def test_curvature_is_one_symmetric_positive_matrix(name: str, data: Any, seed: int) -> None:
    """`matvec`, `main_diagonal`, `take`, `hessp` and `second_order` describe the same matrices."""
    logits, y = data
    loss = LOSSES[name]
    n, n_classes = logits.shape
    curvature = loss.curvature(logits, y)
    columns = [curvature.matvec(np.tile(e, (n, 1))) for e in np.eye(n_classes)]
    hessian = np.stack(columns, axis=2)
    size = 1 + np.abs(hessian).max()
    assert np.abs(hessian - hessian.transpose(0, 2, 1)).max() < 8 * EPS * size
    assert np.linalg.eigvalsh(hessian).min() > -32 * EPS * size
    assert np.allclose(np.einsum("nkk->nk", hessian), curvature.main_diagonal(), rtol=0, atol=8 * EPS * size)
    direction = np.random.default_rng(seed).standard_normal(logits.shape)
    product = np.einsum("nkl,nl->nk", hessian, direction)
    rows = np.arange(n)[::-1]
    value, gradient, shared = loss.second_order(logits, y)
    for other in (curvature, shared):
        assert np.allclose(other.matvec(direction), product, rtol=0, atol=64 * EPS * size)
        assert np.allclose(other.take(rows).matvec(direction[rows]), product[rows], rtol=0, atol=64 * EPS * size)
        by_rows = other.by_rows()
        assert by_rows.diagonal.flags.c_contiguous
        assert np.allclose(by_rows.matvec(direction), product, rtol=0, atol=64 * EPS * size)
    assert np.allclose(loss.hessp(logits, y, direction), product, rtol=0, atol=64 * EPS * size)
    expected_value, expected_gradient = loss.value_and_gradient(logits, y)
    assert np.allclose(value, expected_value, rtol=8 * EPS, atol=8 * EPS)
    assert np.allclose(gradient, expected_gradient, rtol=8 * EPS, atol=8 * EPS)
    if loss.shift_invariant:
        assert np.abs(hessian.sum(axis=2)).max() < 32 * EPS * size
    assert np.array_equal(loss.value(logits, y), expected_value)
    assert np.array_equal(loss.gradient(logits, y), expected_gradient)


# Conjugates


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.dual_reach])
@given(data=problems(elements=st.floats(-30, 30), n_logits=2))
def test_gradients_move_to_first_order_within_the_domain_of_the_conjugate(name: str, data: Any) -> None:
    """``u + H c`` lacks between nothing and ``c' H c`` in the equality of Fenchel and Young."""
    logits, direction, y = data
    loss = LOSSES[name]
    value, gradient = loss.value_and_gradient(logits, y)
    change = loss.dual_reach * np.clip(direction / 15, -1, 1)
    curvature = loss.dual_curvature(gradient, y)
    moved = gradient + curvature.matvec(change)
    assert np.allclose(curvature.matvec(change), loss.curvature(logits, y).matvec(change), rtol=0, atol=32 * EPS)
    lacking = value + loss.conjugate(moved, y) - (moved * logits).sum(axis=1)
    slack = 4 * tolerance(loss, logits)
    assert (lacking >= -slack).all()
    assert (lacking <= (change * curvature.matvec(change)).sum(axis=1) + slack).all()


@every_loss
@given(data=problems(elements=st.floats(-50, 50), n_logits=2))
def test_fenchel_young(name: str, data: Any) -> None:
    """``loss(z) + loss*(u) >= z . u``, with equality where u is the gradient at z."""
    here, there, y = data
    loss = LOSSES[name]
    value, gradient = loss.value_and_gradient(here, y)
    conjugate = loss.conjugate(gradient, y)
    slack = 4 * tolerance(loss, here, there)
    assert np.allclose(value + conjugate, (here * gradient).sum(axis=1), rtol=0, atol=slack)
    assert (loss.value(there, y) + conjugate >= (there * gradient).sum(axis=1) - slack).all()


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 1000), exponent=st.integers(-3, 9), n_classes=st.integers(2, 100))
def test_gradients_lie_in_the_domain_of_the_conjugate(
    name: str, dtype: type, seed: int, exponent: int, n_classes: int
) -> None:
    """However they are rounded."""
    random = np.random.default_rng(seed)
    logits = (10.0**exponent * random.standard_normal((20, n_classes))).astype(dtype)
    y = random.integers(0, n_classes, 20)
    loss = LOSSES[name]
    assert np.isfinite(loss.conjugate(loss.gradient(logits, y), y)).all()


# Duals of a row of class 0: just outside the domain, for two outputs (one for the binary losses).
OUTSIDE = {
    "softmax": [[-0.5, 0.4], [-1.5, 1.5], [0.5, -0.5]],
    "ww": [[-0.5, 0.4], [0.5, -0.5], [-1.5, 1.5]],
    "ww_squared": [[-0.5, 0.4], [0.5, -0.5]],
    "ww_smoothed": [[-0.5, 0.4], [0.5, -0.5], [-1.5, 1.5]],
    "cs": [[-0.5, 0.4], [0.5, -0.5], [-1.5, 1.5]],
    "cs_smoothed": [[-0.5, 0.4], [0.5, -0.5], [-1.5, 1.5]],
    "sigmoid": [[-0.5, -0.5], [-1.5, 0.5], [0.5, 0.5]],
    "ovr": [[-0.5, -0.5], [-1.5, 0.5], [0.5, 0.5]],
    "ovr_squared": [[-0.5, -0.5], [0.5, 0.5]],
    "ovr_smoothed": [[-0.5, -0.5], [-1.5, 0.5], [0.5, 0.5]],
}


@every_loss
def test_conjugate_is_infinite_outside_its_domain(name: str) -> None:
    dual = np.array(OUTSIDE[name])
    assert np.isposinf(LOSSES[name].conjugate(dual, np.zeros(len(dual), int))).all()
    inside = np.array([[-0.25, 0.25]])
    assert np.isfinite(LOSSES[name].conjugate(inside, np.zeros(1, int))).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("softmax", 0.75 * np.log(0.75) + 0.25 * np.log(0.25)),
        ("sigmoid", 2 * (0.75 * np.log(0.75) + 0.25 * np.log(0.25))),
        ("ovr", -0.5),
        ("ww", -0.25),
        ("cs", -0.25),
        ("ovr_squared", 2 * (0.25**2 / 4 - 0.25)),
        ("ww_squared", 0.25**2 / 4 - 0.25),
        ("ovr_smoothed", 2 * (0.125 * 0.25**2 - 0.25)),
        ("ww_smoothed", 0.125 * 0.25**2 - 0.25),
        ("cs_smoothed", 0.125 * (0.75**2 + 0.25**2) - 0.25),
    ],
)
def test_conjugate_is_the_formula(name: str, expected: float) -> None:
    """Of the dual (-1/4, 1/4) of class 0; smoothed with mu = 1/4 around 1/2 (boxes) and around 0 (the simplex)."""
    found = LOSSES[name].conjugate(np.array([[-0.25, 0.25]]), np.zeros(1, int))
    assert found == pytest.approx([expected], rel=4 * EPS)


# Smoothed hinges


@pytest.mark.parametrize("hinge", HINGES)
@pytest.mark.parametrize("mu", [1e-3, 0.25, 8.0])
@given(data=problems(), centre=st.floats(0, 1))
def test_smoothing_costs_at_most_half_mu_times_the_squared_distance(
    hinge: str, mu: float, data: Any, centre: float
) -> None:
    logits, y = data
    loss = HINGES[hinge]
    n_duals = {"ovr": logits.shape[1], "ww": logits.shape[1] - 1, "cs": 1}[hinge]
    if hinge == "cs":  # the farthest corner of the simplex
        farthest = (1 - centre) ** 2 + (logits.shape[1] - 1) * centre**2
    else:
        farthest = n_duals * max(centre, 1 - centre) ** 2
    cost = loss.value(logits, y) - loss.smoothed(mu, centre).value(logits, y)
    slack = tolerance(loss, logits) * (1 + mu)
    assert (cost >= -slack).all()
    assert (cost <= mu / 2 * farthest + slack).all()


@pytest.mark.parametrize("hinge", HINGES)
@given(data=problems(n_logits=2), mu=st.sampled_from([1e-2, 0.25, 1.0, 8.0]))
def test_maximizer_is_optimal(hinge: str, data: Any, mu: float) -> None:
    """``p . u - (mu/2) ||p - c||^2`` is concave: p is its maximum iff no corner q has ``slope . (q - p) > 0``."""
    logits, other, y = data
    n_classes = logits.shape[1]
    loss = HINGES[hinge]
    # Centres as a solver chooses them: a maximizer of another point.
    centre = loss.smoothed(1.0).maximizer(other, y)
    smoothed = loss.smoothed(mu, centre)
    p = smoothed.maximizer(logits, y)
    own = one_hot(y, n_classes).astype(bool)
    difference = 1 + logits - logits[own][:, None]
    u = {"ovr": 1 - np.where(own, logits, -logits)}.get(hinge, np.where(own, 0.0, difference))
    slope = u - mu * (p - centre)
    slack = tolerance(loss, logits) * (1 + 1 / mu)
    if hinge == "cs":
        assert (p >= 0).all()
        assert np.allclose(p.sum(axis=1), 1, rtol=0, atol=slack)
        assert ((slope.max(axis=1) - (slope * p).sum(axis=1)) <= slack * (1 + np.abs(slope).max())).all()
    else:
        used = np.ones_like(own) if hinge == "ovr" else ~own
        assert ((p >= 0) & (p <= 1))[used].all()
        assert not p[~used].any()
        gain = np.maximum(slope, 0) * (1 - p) + np.maximum(-slope, 0) * p
        assert (gain[used] <= slack * (1 + np.abs(slope).max())).all()
    terms = np.where(p > 0, p * u, 0) - mu / 2 * (p - centre) ** 2
    if hinge == "ww":
        terms[own] = 0
    assert np.allclose(smoothed.value(logits, y), terms.sum(axis=1), rtol=0, atol=slack * (1 + mu))


@given(points=hnp.arrays(np.float64, (3, 5), elements=anything), mu=st.sampled_from([0.25, 1.0]))
def test_simplex_projection_by_bisection(points: np.ndarray, mu: float) -> None:
    """The threshold t of ``max(v - t, 0)`` solves ``sum max(v_j - t, 0) = 1``."""
    y = np.zeros(3, int)
    found = CrammerSingerHinge().smoothed(mu, points).maximizer(np.zeros((3, 5)), y)
    target = points + (np.arange(5) > 0) / mu
    for row, v in zip(found, target, strict=True):
        t = brentq(lambda t, v=v: np.maximum(v - t, 0).sum() - 1, v.min() - 1, v.max(), xtol=1e-14, rtol=4 * EPS)
        assert np.allclose(row, np.maximum(v - t, 0), rtol=0, atol=16 * EPS * (1 + np.abs(v).max()))


# Labels, dtypes, layouts


@every_loss
@given(data=problems())
def test_one_hot_rows_are_integers(name: str, data: Any) -> None:
    logits, y = data
    loss = LOSSES[name]
    rows = one_hot(y, logits.shape[1])
    direction = np.cos(logits)
    for kind in (np.int8, np.float64, bool):
        for found, expected in zip(
            loss.value_and_gradient(logits, rows.astype(kind)), loss.value_and_gradient(logits, y), strict=True
        ):
            assert np.allclose(found, expected, rtol=32 * EPS, atol=32 * EPS)
        hessp = loss.hessp(logits, rows.astype(kind), direction)
        assert np.allclose(hessp, loss.hessp(logits, y, direction), rtol=1e-14, atol=1e-14)
    dual = loss.gradient(logits, y)
    assert np.allclose(loss.conjugate(dual, rows), loss.conjugate(dual, y), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", SEPARATE)
@given(
    logits=hnp.arrays(np.float64, (4, 3), elements=grid),
    y=hnp.arrays(np.int8, (4, 3), elements=st.integers(0, 1)),
)
def test_indicator_rows_are_columns_of_binary_labels(name: str, logits: np.ndarray, y: np.ndarray) -> None:
    loss = SEPARATE[name]
    value, gradient = loss.value_and_gradient(logits, y)
    columns = [loss.value_and_gradient(logits[:, [k]], y[:, k]) for k in range(3)]
    assert np.allclose(value, sum(c[0] for c in columns), rtol=8 * EPS, atol=8 * EPS)
    assert np.array_equal(gradient, np.hstack([c[1] for c in columns]))


@every_loss
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, np.float64])
def test_labels_of_any_number_type(name: str, kind: type) -> None:
    logits, y = np.random.default_rng(0).standard_normal((6, 3)), np.arange(6) % 3
    found = LOSSES[name].value(logits, y.astype(kind))
    assert np.array_equal(found, LOSSES[name].value(logits, y))


@every_loss
@given(seed=st.integers(0, 100), order=st.sampled_from("CF"), scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_float32_is_float64_rounded(name: str, seed: int, order: str, scale: float) -> None:
    """Results have the dtype and the memory order of the logits, and the digits of the dtype."""
    random = np.random.default_rng(seed)
    single = np.asarray(scale * random.standard_normal((7, 4)), np.float32, order=order)
    y = random.integers(0, 4, 7)
    loss = LOSSES[name]
    value, gradient, curvature = loss.second_order(single, y)
    exact_value, exact_gradient, exact_curvature = loss.second_order(single.astype(np.float64), y)
    size = 1 + float(np.abs(single).max())
    near = {"rtol": 0, "atol": 64 * float(np.finfo(np.float32).eps) * size**2}
    assert np.allclose(value, exact_value, **near)
    assert np.allclose(gradient, exact_gradient, **near)
    direction = np.ones_like(single) * np.arange(4, dtype=np.float32)
    assert curvature.matvec(direction).dtype == np.float32
    if name not in SMOOTHED:  # whose active sets may differ in a rounding
        assert np.allclose(curvature.matvec(direction), exact_curvature.matvec(direction), **near)
    for array in (value, gradient, curvature.diagonal, loss.value_and_gradient(single, y)[1], loss.value(single, y)):
        assert array.dtype == np.float32
    flag = f"{order}_CONTIGUOUS"
    for array in (gradient, curvature.diagonal, loss.gradient(single, y), *(v for _, v in curvature.dyads)):
        assert array.flags[flag]


@every_loss
def test_inputs_stay_as_they_are(name: str) -> None:
    logits, y = np.random.default_rng(0).standard_normal((6, 3)), np.arange(6) % 3
    logits.flags.writeable = y.flags.writeable = False
    loss = LOSSES[name]
    loss.second_order(logits, y)
    loss.conjugate(loss.gradient(logits, y), y)
    loss.hessp(logits, y, logits)
    assert loss.value(np.asarray(logits, int), y).dtype == np.float64


@every_loss
def test_no_rows(name: str) -> None:
    value, gradient, _ = LOSSES[name].second_order(np.zeros((0, 3)), np.zeros(0, int))
    assert value.shape == (0,)
    assert gradient.shape == (0, 3)


# Extremes (warnings are errors)


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e9, np.inf])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("huge", [0, 1])
def test_huge_logit_on_the_right_side_takes_no_part(
    name: str, dtype: type, size: float, n_classes: int, huge: int
) -> None:
    """A row of class 0: +size at its own class, or -size at another one."""
    loss = LOSSES[name]
    logits, y = np.array([[0.5, 0.25, -0.5][:n_classes]], dtype), np.eye(1, n_classes)
    rest = np.delete(logits, huge, axis=1), np.delete(y, huge, axis=1)
    logits[0, huge] = size if huge == 0 else -size
    with np.errstate(all="raise", under="ignore"):
        value, gradient, curvature = loss.second_order(logits, y)
    assert gradient[0, huge] == curvature.matvec(np.ones_like(logits))[0, huge] == 0
    if huge or not loss.shift_invariant:
        constant = {"ovr_smoothed": -0.125 * 0.5**2, "ww_smoothed": -0.125 * 0.5**2}.get(name, 0.0)
        assert value == pytest.approx(loss.value(*rest) + constant, rel=1e-6, abs=1e-7)
        assert np.delete(gradient, huge, axis=1) == pytest.approx(loss.gradient(*rest), rel=1e-6, abs=1e-7)
    else:
        constant = {"cs_smoothed": -0.125, "ww_smoothed": -0.125 * 0.5**2 * (n_classes - 1)}.get(name, 0.0)
        assert value == pytest.approx([constant], abs=1e-7)
        assert not gradient.any()


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e9, np.inf])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("huge", [0, 1])
def test_huge_logit_on_the_wrong_side_is_charged_in_full(
    name: str, dtype: type, size: float, n_classes: int, huge: int
) -> None:
    """A row of class 0: -size at its own class, or +size at another one. No clip hides an infinite loss."""
    logits = np.array([[0.5, 0.25, -0.5][:n_classes]], dtype)
    logits[0, huge] = -size if huge == 0 else size
    with np.errstate(all="raise", under="ignore"):
        value, gradient, curvature = LOSSES[name].second_order(logits, np.zeros(1, int))
    charged = n_classes - 1 if huge == 0 and name.startswith("ww") else 1
    power = 2 if "squared" in name else 1
    assert value == pytest.approx([charged * size**power], rel=1e-6)
    assert gradient[0, huge] == pytest.approx(
        (-charged if huge == 0 else charged) * power * size ** (power - 1), rel=1e-6
    )
    assert np.isfinite(curvature.diagonal).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_likelihoods_keep_the_digits_of_tiny_losses(dtype: type) -> None:
    """``log(1 + exp(-m)) = exp(-m)`` to the last digits once m is large."""
    margins = np.array([20.0, 40.0, 80.0], dtype)
    expected = np.exp(-margins.astype(np.float64))
    for loss, logits, y in [
        (SigmoidLoss(), margins[:, None], np.ones(3, int)),
        (SigmoidLoss(), -margins[:, None], np.zeros(3, int)),
        (SoftmaxLoss(), np.stack([margins, 0 * margins], axis=1), np.zeros(3, int)),
    ]:
        value, gradient, _ = loss.second_order(logits, y)
        assert value == pytest.approx(expected, rel=32 * float(np.finfo(dtype).eps) + 2e-9)
        assert np.abs(gradient[:, 0]) == pytest.approx(expected, rel=32 * float(np.finfo(dtype).eps) + 2e-9)


# Refusals


@every_loss
@pytest.mark.parametrize(
    ("logits", "y", "message"),
    [
        (np.zeros(3), np.zeros(3, int), r"logits must have shape \(n, K\).*got shape \(3,\)"),
        (np.zeros((3, 2)), np.zeros(2, int), r"shape \(3,\) or rows of shape \(3, 2\).*got shape \(2,\)"),
        (np.zeros((3, 2)), np.zeros((3, 3), int), r"got shape \(3, 3\)"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "0 .. 1 for 2 classes; got values from 0 to 2"),
        (np.zeros((3, 2)), np.array([-1, 1, 0]), "0 .. 1 for 2 classes; got values from -1 to 1"),
        (np.zeros((3, 2)), np.array([0, 0.5, 1]), "integers 0 .. 1; got dtype float64"),
        (np.zeros((3, 2)), np.array([0, np.nan, 1]), "integers 0 .. 1; got dtype float64"),
        (np.zeros((3, 2)), np.array(["a", "b", "a"]), "integers 0 .. 1; got dtype <U1"),
    ],
)
def test_wrong_logits_and_labels(name: str, logits: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LOSSES[name].value_and_gradient(logits, y)


@every_loss
@pytest.mark.parametrize("row", [[2, 0, 0], [0.5, 0.25, 0], [-1, 1, 1]])
def test_wrong_rows_of_labels(name: str, row: list[float]) -> None:
    with pytest.raises(ValueError, match=r"one-hot|zeros and ones"):
        LOSSES[name].value_and_gradient(np.zeros((1, 3)), np.array([row]))


@pytest.mark.parametrize("name", sorted(set(SHIFT_INVARIANT) - {"softmax"}))
@pytest.mark.parametrize("row", [[0, 0, 0], [1, 1, 0], [0.5, 0.5, 0]])
def test_margin_losses_take_one_hot_rows_only(name: str, row: list[float]) -> None:
    with pytest.raises(ValueError, match="one-hot"):
        LOSSES[name].value_and_gradient(np.zeros((1, 3)), np.array([row]))


def test_repr_names_the_loss() -> None:
    assert [repr(loss) for loss in PUBLIC.values()] == [f"{type(loss).__name__}()" for loss in PUBLIC.values()]
    assert "0.25" in repr(LOSSES["ww_smoothed"])
