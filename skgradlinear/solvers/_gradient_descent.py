"""Gradient descent on all rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._first_order import FirstOrder, Moments, largest_curvature, moved_velocity
from ._result import Array
from ._solver import check_real

if TYPE_CHECKING:
    from .._objective import Objective


class GradientDescent(FirstOrder):
    """Gradient descent: every step takes the gradient of all rows.

    A step is ``params -= rate * (gradient + m * velocity)`` with ``velocity = m * velocity + gradient``, Nesterov's
    method with the momentum ``m``; ``momentum=0`` is plain gradient descent. A plain hinge has subgradients, for which
    "auto" is the method without momentum and with a rate that decays.

    Parameters
    ----------
    learning_rate : "auto" or float, default="auto"
        Length of a step. "auto" is 1 over the largest curvature of the objective: the loss's bound times the largest
        eigenvalue of the Gram matrix of the (standardized) rows, by the power iteration, plus alpha.
    momentum : "auto" or float, default="auto"
        "auto" is ``k / (k + 3)`` for the k-th step since the last restart; a restart comes whenever the gradient says
        that the last move was uphill.
    schedule : {"auto", "constant", "inverse", "inverse_sqrt"}, default="auto"
        Decay of the rate over the steps t = 0, 1, ...: ``rate``, ``rate / (1 + rate * alpha * t)``, or
        ``rate / sqrt(1 + t)``. "auto" is "constant" for smooth losses and "inverse" for plain hinges.
    max_epochs : int, default=1000
        Largest number of steps; the estimator's `max_iter` holds as well.
    init : {"zeros", "he", "xavier", "uniform"} or ndarray of shape (d + 1, K), default="zeros"
        Weights to start from, in standardized units, with the bias in the last row; named starts have a bias of zero. A
        warm start takes precedence.
    early_stopping : bool, default=False
        Whether to hold rows out and to stop when their loss no longer improves.
    validation_fraction : float, default=0.1
        Fraction of the rows that early stopping holds out.
    patience : int, default=5
        Epochs without improvement before early stopping ends the fit; the best parameters are returned.

    See Also
    --------
    SGD : Mini-batches.
    SubspaceNewton : Far fewer steps.

    Notes
    -----
    Nesterov (1983), "A method for solving the convex programming problem with convergence rate O(1/k^2)"; O'Donoghue &
    Candès (2015), "Adaptive restart for accelerated gradient schemes". The gap that is reported is that of the
    objective of all rows, those held out included.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import SoftmaxClassifier
    >>> from skgradlinear.solvers import GradientDescent
    >>> model = SoftmaxClassifier(solver=GradientDescent()).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-4
    True
    """

    def __init__(
        self,
        learning_rate: str | float = "auto",
        momentum: str | float = "auto",
        schedule: str = "auto",
        max_epochs: int = 1000,
        init: Any = "zeros",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
    ) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.schedule = schedule
        self.max_epochs = max_epochs
        self.init = init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience

    def _check_rule(self) -> None:
        if isinstance(self.momentum, str):
            if self.momentum != "auto":
                raise ValueError(f"momentum of GradientDescent must be 'auto' or in [0, 1); got {self.momentum!r}.")
            return
        check_real("momentum of GradientDescent", self.momentum, "'auto' or a number in [0, 1)", 0.0, 1.0, closed=True)

    def _no_moments(self, objective: Objective, params: Array) -> Moments:
        if self.momentum == "auto":
            return () if objective.non_smooth else (np.zeros_like(params), np.zeros(()))
        return (np.zeros_like(params),) if self.momentum else ()

    def _step(self, gradient: Array, moments: Moments, n_steps: int) -> tuple[Array, Moments]:
        if not moments:
            return gradient, ()
        if len(moments) == 1:
            momentum = float(self.momentum)
            velocity = momentum * moments[0] + gradient
            return gradient + momentum * velocity, (velocity,)
        return _accelerated(gradient, *moments)

    def _moved_moments(self, moments: Moments, change: Callable[[Array], Array]) -> Moments:
        return moved_velocity(moments, change)

    def _size_of_batches(self, n_rows: int) -> int:
        return n_rows

    def _is_averaging(self) -> bool:
        return False

    def _safe_rate(self, objective: Objective) -> float:
        curvature, eigenvalue = largest_curvature(objective)
        return 1 / (curvature * eigenvalue + objective.alpha)


def _accelerated(gradient: Array, velocity: Array, age: Array) -> tuple[Array, Moments]:
    """A step with the momentum ``age / (age + 3)``; a move against the gradient is forgotten, and the age with it."""
    velocity = velocity * (age / (age + 3)) + gradient
    if np.vdot(gradient, velocity) < 0:
        velocity, age = gradient, np.zeros(())
    age = np.add(age, 1)
    return gradient + (age / (age + 3)) * velocity, (velocity, age)
