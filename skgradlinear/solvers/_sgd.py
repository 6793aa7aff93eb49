"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._first_order import Moments, largest_curvature, moved_velocity
from ._result import Array
from ._solver import check_flag, check_real
from ._stochastic import Stochastic

if TYPE_CHECKING:
    from .._objective import Objective


class SGD(Stochastic):
    """Stochastic gradient descent: every step takes the gradient of a mini-batch.

    A step is ``params -= rate * velocity`` with ``velocity = momentum * velocity + gradient``, or, with `nesterov`,
    ``params -= rate * (gradient + momentum * velocity)``. The gradient is that of the mean over a mini-batch, weighted
    so that its expectation is that of all rows, plus that of the penalty. An epoch goes through the rows once, in a new
    random order; the last batch may be shorter.

    Parameters
    ----------
    learning_rate : "auto" or float, default=0.1
        Length of a step. "auto" is half of what is stable for quadratics of the largest curvature (see Notes).
    momentum : float, default=0.0
        Share of the velocity that is kept.
    nesterov : bool, default=False
        Whether the momentum is Nesterov's.
    batch_size : "auto" or int, default="auto"
        Rows of a mini-batch; "auto" is 64, or all rows if there are fewer.
    max_epochs : int, default=100
        Largest number of passes over the rows; the estimator's `max_iter` holds as well.
    schedule : {"inverse", "inverse_sqrt", "constant", "auto"}, default="inverse"
        Decay of the rate over the steps t = 0, 1, ...: ``rate / (1 + rate * alpha * t)`` (Bottou, 2012),
        ``rate / sqrt(1 + t)``, or ``rate``. "auto" is "constant" where a batch has all rows and the loss no kinks, and
        else "inverse".
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
    Adam : A rate for every coefficient.
    GradientDescent : All rows for every step.

    Notes
    -----
    Robbins & Monro (1951); Bottou (2012), "Stochastic gradient descent tricks", section 5.2, for the decay; Sutskever
    et al. (2013), "On the importance of initialization and momentum in deep learning", for the momenta; Shamir & Zhang
    (2013), "Stochastic gradient descent for non-smooth optimization", section 4, for the average. A batch of ``m`` rows
    of mean squared length ``R^2`` whose second moments have the largest eigenvalue ``h``, under a loss of curvature
    ``c``, is stable up to the rate ``2 m / (c (R^2 + (m - 1) h))`` (Jain et al., 2018, "Parallelizing stochastic
    gradient descent for least squares regression"). With a constant rate the iterates end up in a ball around the
    optimum, not in it. The gap that is reported is that of the objective of all rows, those held out included.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import SoftmaxClassifier
    >>> from skgradlinear.solvers import SGD
    >>> solver = SGD(learning_rate=0.5, momentum=0.9, averaging=True)
    >>> model = SoftmaxClassifier(solver=solver, tol=1e-2).fit(*load_iris(return_X_y=True))
    >>> model.duality_gap_ <= 1e-2
    True
    """

    def __init__(
        self,
        learning_rate: str | float = 0.1,
        momentum: float = 0.0,
        nesterov: bool = False,
        batch_size: str | int = "auto",
        max_epochs: int = 100,
        schedule: str = "inverse",
        averaging: bool = False,
        init: Any = "zeros",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
    ) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.schedule = schedule
        self.averaging = averaging
        self.init = init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience

    def _check_moments(self) -> None:
        check_real("momentum of SGD", self.momentum, "a number in [0, 1)", 0.0, 1.0, closed=True)
        check_flag("nesterov of SGD", self.nesterov)

    def _no_moments(self, objective: Objective, params: Array) -> Moments:
        return (np.zeros_like(params),) if self.momentum else ()

    def _step(self, gradient: Array, moments: Moments, n_steps: int) -> tuple[Array, Moments]:
        if not moments:
            return gradient, ()
        velocity = self.momentum * moments[0] + gradient
        return gradient + self.momentum * velocity if self.nesterov else velocity, (velocity,)

    def _moved_moments(self, moments: Moments, change: Callable[[Array], Array]) -> Moments:
        return moved_velocity(moments, change)

    def _safe_rate(self, objective: Objective) -> float:
        curvature, eigenvalue = largest_curvature(objective)
        size = self._size_of_batches(len(objective.weight))
        # The bias has a column of ones.
        squares = objective.logit_variance + objective.fit_intercept
        stable = size / (curvature * (squares + (size - 1) * eigenvalue) + size * objective.alpha)
        return (1 - self.momentum) * stable
