"""Numbers and shapes of curves that teaching material on these losses prints, as independent oracles."""

from __future__ import annotations

import numpy as np
import pytest

from skgradlinear import Objective
from skgradlinear.gradient_check import check_gradient
from skgradlinear.losses import Loss, SigmoidLoss, SoftmaxLoss, WestonWatkinsHinge

LOGITS = np.array([[0.4, 0.0, -4.0, -1.0], [0.4, 0.0, -4.0, -10.0]])
LABELS = np.array([1, 3])
near = {"rel": 1e-8, "abs": 1e-8}


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        (
            LOGITS,
            [
                [5.18351093e-01, 3.47461129e-01, 6.36397256e-03, 1.27823806e-01],
                [5.94308491e-01, 3.98376895e-01, 7.29652735e-03, 1.80862831e-05],
            ],
        ),
        ([[0.2, -0.4], [0.3, -0.5]], [[0.64565631, 0.35434369], [0.68997448, 0.31002552]]),
        (
            [[0.2, -0.4, 0.4], [0.3, -0.5, 0.7]],
            [[0.36098289, 0.19811161, 0.4409055], [0.34000264, 0.15277303, 0.50722433]],
        ),
    ],
)
def test_softmax(logits: np.ndarray, expected: list[list[float]]) -> None:
    assert SoftmaxLoss().proba(np.array(logits)) == pytest.approx(np.array(expected), **near)
    assert np.exp(SoftmaxLoss().log_proba(np.array(logits))) == pytest.approx(np.array(expected), **near)


@pytest.mark.parametrize("labels", [LABELS, np.eye(4)[LABELS]])
def test_gradient_of_the_mean_cross_entropy(labels: np.ndarray) -> None:
    expected = [[0.25917555, -0.32626944, 0.00318199, 0.0639119], [0.29715425, 0.19918845, 0.00364826, -0.49999096]]
    gradient = SoftmaxLoss().gradient(LOGITS, labels) / 2
    assert gradient == pytest.approx(np.array(expected), **near)
    moved = LOGITS.copy()
    moved[1, 1] += 1e-4
    forward = (SoftmaxLoss().value(moved, labels).mean() - SoftmaxLoss().value(LOGITS, labels).mean()) / 1e-4
    # In fifty digits; the quotient of doubles is good to eps / 1e-4.
    assert forward == pytest.approx(0.199194439446025979353, abs=4e-12 * 5)
    assert check_gradient(SoftmaxLoss(), LOGITS, labels).relative_difference < 1e-11


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]], 0.8965588080868547),
        ([[0.2, 0.3, 5.0], [12.0, 0.1, 0.3]], 0.008595870610124774),
    ],
)
def test_mean_cross_entropy(logits: list[list[float]], expected: float) -> None:
    assert SoftmaxLoss().value(np.array(logits), np.array([2, 0])).mean() == pytest.approx(expected, rel=1e-14)


def test_gradient_of_confident_rows() -> None:
    expected = [[4.04479731e-03, 4.47019236e-03, -8.51498967e-03], [-7.54199822e-06, 3.39515119e-06, 4.14684703e-06]]
    gradient = SoftmaxLoss().gradient(np.array([[0.2, 0.3, 5.0], [12.0, 0.1, 0.3]]), np.array([2, 0])) / 2
    assert gradient == pytest.approx(np.array(expected), rel=1e-8, abs=1e-16)


def test_slope_of_minus_log_p() -> None:
    """``d(-log p)/dp = -1/p``: the chain rule through the logit divides the gradient by the curvature."""
    p = np.array([[0.86270721], [0.50924298]])
    logits, y = np.log(p / (1 - p)), np.array([1, 1])
    loss = SigmoidLoss()
    slope = (loss.gradient(logits, y) / loss.hessp(logits, y, np.ones((2, 1)))).ravel()
    # The probabilities are known to eight digits only.
    assert slope == pytest.approx([-1.1591418122503674, -1.9636992], rel=1e-7)


def test_jacobian_of_softmax() -> None:
    """``diag(p) - p p'`` and its product ``p g - p sum(p g)``; a constant gradient gives zero."""
    p = SoftmaxLoss().proba(LOGITS)
    direction = np.random.default_rng(0).standard_normal(LOGITS.shape)
    expected = p * direction - p * (p * direction).sum(axis=1, keepdims=True)
    explicit = np.stack([(np.diag(row) - np.outer(row, row)) @ d for row, d in zip(p, direction, strict=True)])
    found = SoftmaxLoss().hessp(LOGITS, LABELS, direction)
    assert found == pytest.approx(expected, rel=1e-13, abs=1e-16)
    assert found == pytest.approx(explicit, rel=1e-13, abs=1e-16)
    assert np.abs(SoftmaxLoss().hessp(LOGITS, LABELS, np.ones_like(LOGITS))).max() < 4e-16


@pytest.mark.parametrize(("loss", "entries"), [(SoftmaxLoss(), 3000), (WestonWatkinsHinge(), 1000)])
def test_gradient_of_ten_images(loss: Loss, entries: int) -> None:
    """Ten standardized rows of 784 pixels and a bias, ten classes: 785 x 10 parameters."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (10, 784)) * (random.random((10, 784)) < 0.2)
    rows = (images - images.mean(axis=1, keepdims=True)) / images.std(axis=1, keepdims=True)
    labels = random.permutation(10)
    objective = Objective(rows, labels, loss, alpha=0.1, standardize=False)
    check = check_gradient(objective, 1e-4 * random.standard_normal((785, 10)), max_coordinates=entries)
    assert check.analytic.shape == (entries,)
    assert check.relative_difference < 1e-9
    assert check.subgradient_violation < 1e-14


def test_weston_watkins_of_untrained_images() -> None:
    """Ten classes and zero weights: nine violated margins of 1, and log 10 for softmax."""
    logits, y = np.zeros((4, 10)), np.arange(4)
    assert WestonWatkinsHinge().value(logits, y) == pytest.approx(np.full(4, 9.0))
    assert SoftmaxLoss().value(logits, y) == pytest.approx(np.full(4, np.log(10)), rel=1e-15)


def descend(objective: Objective, params: np.ndarray, rate: float, n_steps: int) -> np.ndarray:
    """Values of full-batch gradient descent."""
    values = []
    for _ in range(n_steps):
        value, gradient = objective.value_and_gradient(params)
        values.append(value)
        params = params - rate * gradient
    return np.array(values)


@pytest.mark.parametrize("two_columns", [False, True])
def test_gradient_descent_on_separable_points(two_columns: bool) -> None:
    """500 points in the plane, rate 0.1: from about log 2 to less than half of it in 100 steps, and on."""
    random = np.random.default_rng(0)
    X = random.standard_normal((500, 2))
    y = (X @ [2.0, -1.0] > 0.3).astype(int)
    loss: Loss = SoftmaxLoss() if two_columns else SigmoidLoss()
    objective = Objective(X, y, loss, n_outputs=2 if two_columns else 1)
    values = descend(objective, 0.01 * random.standard_normal(objective.shape), 0.1, 275)
    assert values[0] == pytest.approx(np.log(2), abs=0.05)
    assert (np.diff(values) < 0).all()
    assert values[100] < 0.5 * values[0]
    assert values[-1] < 0.75 * values[100]


def test_sum_of_gradients_on_two_far_blobs() -> None:
    """200 points in 10 dimensions, 200 steps of 0.001 times the sum of the gradients, from random weights."""
    random = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = random.standard_normal((200, 10)) + np.where(y[:, None] == 0, 30.0, -20.0) / np.sqrt(10)
    objective = Objective(X, y, SigmoidLoss())
    start = random.standard_normal(objective.shape) * 0.1
    values = descend(objective, start, 0.001 * 200, 200)
    assert (np.diff(values) < 0).all()
    assert values[34] < 0.2 * values[0]
