"""check_gradient and check_hessp: right about right and wrong derivatives, also at kinks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from zoo import PUBLIC, SMOOTH, random_problem

from skgradlinear import Objective
from skgradlinear.gradient_check import GradientCheck, check_gradient, check_hessp
from skgradlinear.losses import Curvature, SoftmaxLoss

MATRIX = np.random.default_rng(0).standard_normal((4, 4))
POINT = np.array([0.3, -1.2, 2.0, 0.0])


def cubic(w: np.ndarray) -> tuple[Any, np.ndarray]:
    """``(A w)^3 . 1 / 3 + exp(w_0)``: works with complex numbers."""
    image = MATRIX @ w
    gradient = MATRIX.T @ image**2
    gradient[0] += np.exp(w[0])
    return (image**3).sum() / 3 + np.exp(w[0]), gradient


def wrong_cubic(w: np.ndarray) -> tuple[Any, np.ndarray]:
    value, gradient = cubic(w)
    gradient[2] *= 1 + 1e-6
    return value, gradient


def absolute(w: np.ndarray) -> tuple[float, np.ndarray]:
    return float(np.abs(w).sum()), np.sign(w)


@pytest.mark.parametrize(("method", "tolerance"), [("central", 1e-11), ("complex", 1e-15)])
def test_right_gradient(method: str, tolerance: float) -> None:
    check = check_gradient(cubic, POINT, method=method)
    assert check.relative_difference < tolerance
    assert check.n_kinks == 0
    assert check.coordinates.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("method", ["central", "complex"])
def test_error_of_one_millionth_in_one_entry_is_measured(method: str) -> None:
    check = check_gradient(wrong_cubic, POINT, method=method)
    truth = cubic(POINT)[1]
    assert check.relative_difference == pytest.approx(0.5e-6 * abs(truth[2]) / np.linalg.norm(truth), rel=1e-4)
    assert np.abs(check.numerical - truth).max() < 1e-10 * np.abs(truth).max()


@pytest.mark.parametrize("offset", [0.0, 1e-9, 1e-6, 1e-5, 1e-4, 1e-3])
def test_kinks_at_and_near_the_point_do_no_harm(offset: float) -> None:
    check = check_gradient(absolute, [offset, -3.0, 1.0])
    assert check.relative_difference < 1e-8
    assert check.n_kinks == (offset < 1e-7)
    assert check.subgradient_violation < 1e-15


def test_slope_outside_the_subdifferential_is_found() -> None:
    check = check_gradient(lambda w: (float(np.abs(w).sum()), np.array([1.5, 1.0])), [0.0, 2.0])
    assert check.n_kinks == 1
    # Slopes at a kink come from the smallest step, 2**-22, which leaves half of the digits.
    assert check.numerical == pytest.approx([1.0, 1.0], abs=1e-7)
    assert check.subgradient_violation > 0.05


def test_joint_violation_that_no_single_coordinate_shows() -> None:
    """|w_0 + w_1| at 0 has the subgradients (t, t): (1, -1) lies between the slopes of both coordinates."""
    check = check_gradient(lambda w: (abs(w.sum()), np.array([1.0, -1.0])), np.zeros(2))
    assert check.relative_difference < 1e-15
    assert check.subgradient_violation > 0.1


def test_smooth_corner_of_a_squared_hinge() -> None:
    check = check_gradient(lambda w: (float(np.maximum(w, 0) ** 2 @ [1, 1]), 2 * np.maximum(w, 0)), [0.0, 1.0])
    assert check.relative_difference < 1e-12
    assert check.n_kinks == 0


@pytest.mark.parametrize("name", SMOOTH)
def test_large_and_small_scales(name: str) -> None:
    """Columns a thousand times apart, without standardization."""
    objective = random_problem(SMOOTH[name], standardize=False)
    params = np.random.default_rng(1).standard_normal(objective.shape)
    assert check_gradient(objective, params).relative_difference < 1e-9
    assert check_hessp(objective, params).relative_difference < 1e-9


def test_float32_is_compared_with_float64() -> None:
    objective = random_problem(SoftmaxLoss())
    single = Objective(np.float32(objective.rows.X), objective.y, SoftmaxLoss(), alpha=0.1)
    check = check_gradient(single, np.ones((4, 3)))
    assert 1e-9 < check.relative_difference < 1e-5
    logits = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    assert 1e-9 < check_gradient(SoftmaxLoss(), logits, np.zeros(5, int)).relative_difference < 1e-6


def test_max_coordinates_is_a_seeded_choice() -> None:
    objective = random_problem(SoftmaxLoss(), d=5)
    params = np.random.default_rng(0).standard_normal(objective.shape)
    whole = check_gradient(objective, params.ravel())
    first, again = (check_gradient(objective, params, max_coordinates=7, random_state=3) for _ in range(2))
    other = check_gradient(objective, params, max_coordinates=7, random_state=4)
    assert len(set(first.coordinates)) == 7
    assert first.coordinates.tolist() == again.coordinates.tolist() != other.coordinates.tolist()
    assert np.array_equal(first.numerical, whole.numerical[first.coordinates])
    assert check_gradient(SoftmaxLoss(), np.ones((4, 3)), [0, 1, 2, 0], max_coordinates=2).analytic.shape == (4, 2)
    assert check_gradient(objective, params, max_coordinates=10**6).analytic.size == params.size


def test_report_is_one_line_and_frozen() -> None:
    check = check_gradient(absolute, np.zeros((2, 2)))
    assert str(check) == "relative difference 0.0e+00 over 4 entries, 4 at kinks, subgradient violation 0.0e+00"
    assert check.analytic.shape == check.numerical.shape == (2, 2)
    with pytest.raises(AttributeError):
        check.n_kinks = 3  # type: ignore[misc]  # that it is frozen is the test


def test_opposite_gradient_is_infinitely_wrong() -> None:
    check = check_gradient(lambda w: (float(w[0]), -np.ones(1)), [0.5])
    assert check.relative_difference > 1e12


class WrongCurvature(SoftmaxLoss):
    """Forgets the dyad."""

    def curvature(self, logits: np.ndarray, y: np.ndarray) -> Curvature:
        return Curvature(super().curvature(logits, y).diagonal)


def test_wrong_hessian_is_found() -> None:
    logits, labels = np.array([[0.4, 0.0, -4.0]]), np.array([1])
    assert check_hessp(SoftmaxLoss(), logits, labels).relative_difference < 1e-10
    assert check_hessp(WrongCurvature(), logits, labels).relative_difference > 1e-2


def test_hessp_takes_a_direction() -> None:
    logits, labels = np.array([[0.4, 0.0, -4.0]]), np.array([1])
    check = check_hessp(SoftmaxLoss(), logits, labels, np.ones((1, 3)))
    assert np.abs(check.analytic).max() < 1e-15
    assert isinstance(check, GradientCheck)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "needs labels", (SoftmaxLoss(), np.zeros((2, 3)))),
        (ValueError, "leave y out", (cubic, POINT, [1])),
        (ValueError, "finite real numbers", (cubic, [np.nan, 0.0, 0.0, 0.0])),
        (ValueError, "finite real numbers", (cubic, np.zeros(4, complex))),
        (TypeError, "Loss, an Objective or a callable; got int", (3, POINT)),
        (TypeError, "pair of a number and 4 numbers; got sizes", (lambda w: (w.sum(), w[:2]), POINT)),
        (TypeError, "pair of a number and 4 numbers; got float64", (lambda w: w.sum(), POINT)),
        (ValueError, "params must have shape", (random_problem(SoftmaxLoss()), np.zeros((3, 3)))),
        (ValueError, "y must hold integers", (SoftmaxLoss(), np.zeros((2, 3)), [0, 1, 2])),
    ],
)
def test_wrong_inputs(error: type[Exception], message: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(error, match=message):
        check_gradient(*arguments)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (cubic, {"method": "forward"}, "'central' or 'complex'; got 'forward'"),
        (cubic, {"max_coordinates": 0}, "max_coordinates must be an integer >= 1.*got 0"),
        (absolute, {"method": "complex"}, "needs a complex value"),
        (lambda w: (float(np.real(w).sum()), np.ones(4)), {"method": "complex"}, "needs a complex value"),
        (random_problem(SoftmaxLoss(), d=1), {"method": "complex"}, "needs a callable; Objective is real"),
    ],
)
def test_wrong_options(target: Any, options: dict[str, Any], message: str) -> None:
    point = np.zeros((2, 3)) if isinstance(target, Objective) else POINT
    with pytest.raises(ValueError, match=message):
        check_gradient(target, point, **options)


def test_wrong_hessp_inputs() -> None:
    with pytest.raises(TypeError, match="Loss or an Objective; got function"):
        check_hessp(cubic, POINT)  # type: ignore[arg-type]  # the wrong type is the test
    with pytest.raises(ValueError, match=r"shape of the point, \(1, 3\); got \(3,\)"):
        check_hessp(SoftmaxLoss(), np.zeros((1, 3)), [0], np.zeros(3))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_loss_on_random_logits(name: str) -> None:
    random = np.random.default_rng(5)
    logits, labels = 3 * random.standard_normal((30, 4)), random.integers(0, 4, 30)
    check = check_gradient(PUBLIC[name], logits, labels)
    assert check.relative_difference < 1e-9
    assert check.subgradient_violation < 1e-14
    assert check_hessp(PUBLIC[name], logits, labels).relative_difference < 1e-9
