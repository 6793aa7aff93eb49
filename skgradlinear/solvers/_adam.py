"""Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._first_order import Moments
from ._result import Array
from ._solver import check_real
from ._stochastic import Stochastic

if TYPE_CHECKING:
    from .._objective import Objective


class Adam(Stochastic):
    """Adam: steps of mini-batches, with a rate for every coefficient.

    A step is ``params -= rate * m / (sqrt(v) + epsilon)`` with the running means ``m`` of the gradients and ``v`` of
    their squares, both divided by the sum of their weights. The penalty is part of the gradient.

    Parameters
    ----------
    learning_rate : "auto" or float, default=1e-3
        Length of a step in every coefficient. "auto" moves a logit by about 1 at most.
    beta_1 : float, default=0.9
        What the mean of the gradients keeps of itself in a step.
    beta_2 : float, default=0.999
        What the mean of their squares keeps of itself in a step.
    epsilon : float, default=1e-8
        Added to the root of the mean square.
    batch_size : "auto" or int, default="auto"
        Rows of a mini-batch; "auto" is 64, or all rows if there are fewer.
    max_epochs : int, default=100
        Largest number of passes over the rows; the estimator's `max_iter` holds as well.
    schedule : {"constant", "inverse", "inverse_sqrt", "auto"}, default="constant"
        Decay of the rate over the steps t = 0, 1, ...: ``rate``, ``rate / (1 + rate * alpha * t)``, or
        ``rate / sqrt(1 + t)``. "auto" is "constant" where a batch has all rows and the loss no kinks, and else
        "inverse".
    averaging : bool, default=False
        Whether the average of the iterates is reported instead of the last, the t-th with a weight that grows like
        ``t**3``.
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
    SGD : One rate for all coefficients.
    GradientDescent : All rows for every step.

    Notes
    -----
    Kingma & Ba (2015), "Adam: a method for stochastic optimization", algorithm 1, and section 4 for "inverse_sqrt". The
    gap that is reported is that of the objective of all rows, those held out included.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import SoftmaxClassifier
    >>> from skgradlinear.solvers import Adam
    >>> solver = Adam(learning_rate=0.1, max_epochs=300)
    >>> model = SoftmaxClassifier(solver=solver, tol=1e-2).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-2
    True
    """

    def __init__(
        self,
        learning_rate: str | float = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        batch_size: str | int = "auto",
        max_epochs: int = 100,
        schedule: str = "constant",
        averaging: bool = False,
        init: Any = "zeros",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
    ) -> None:
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.schedule = schedule
        self.averaging = averaging
        self.init = init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience

    def _check_moments(self) -> None:
        check_real("beta_1 of Adam", self.beta_1, "a number in [0, 1)", 0.0, 1.0, closed=True)
        check_real("beta_2 of Adam", self.beta_2, "a number in [0, 1)", 0.0, 1.0, closed=True)
        check_real("epsilon of Adam", self.epsilon, "a finite number > 0", 0.0)

    def _no_moments(self, objective: Objective, params: Array) -> Moments:
        return np.zeros_like(params), np.zeros_like(params)

    def _step(self, gradient: Array, moments: Moments, n_steps: int) -> tuple[Array, Moments]:
        mean = self.beta_1 * moments[0] + (1 - self.beta_1) * gradient
        square = self.beta_2 * moments[1] + (1 - self.beta_2) * gradient**2
        unbiased = mean / (1 - self.beta_1 ** (n_steps + 1))
        return unbiased / (np.sqrt(square / (1 - self.beta_2 ** (n_steps + 1))) + self.epsilon), (mean, square)

    def _moved_moments(self, moments: Moments, change: Callable[[Array], Array]) -> Moments:
        # Steps are quotients of the two, in which the scale of a column cancels.
        return moments

    def _safe_rate(self, objective: Objective) -> float:
        return 1 / (float(objective.standardization.deviation.sum()) + objective.fit_intercept)
