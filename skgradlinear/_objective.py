"""The penalized objective of a linear classifier, on rows that are standardized without being copied."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, reduce
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse as sp

from . import _rows
from ._bias import minimize_bias
from ._certificate import (
    LEAST_POLISH_SHARE,
    POLISH_SHARE,
    BiasReach,
    Certificate,
    Proof,
    balancing,
    bias_radius,
    bound_from_smoothed,
    certify,
    certify_dual,
    relative,
)
from ._directions import Rule, choose
from ._evaluation import Direction, Evaluation
from ._line import Line, line_search
from ._mean_loss import GROUP_ENTRIES, MeanLoss
from ._standardization import Moments, Standardization
from ._subspace import Subspace
from ._threads import parts, totals
from .losses import Loss, NonSmoothLoss, SmoothedLoss
from .losses._base import Array, Indices, Labels, Mask

# A start's bias is good enough when the l1 norm of its gradient is this; float32 sums have no more digits.
START_BIAS = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-8}
# Rows of no more entries (with the constant) are solved in float64 whatever X is: arithmetic takes so little of their
# time that float32 saves none, and would have to be checked.
SMALL_ENTRIES = 1 << 16
# So many rows, by weight, for each column.
DETERMINED = 5
# Rows with curvature are copied out for a hinge's Hessian products while they are no more than this share.
MAX_TAKEN_SHARE = 0.2


class Objective:
    r"""``P(W, b) = (1/S) sum_i s_i loss(z_i, y_i) + (alpha/2) ||W||^2`` with ``z_i = x_i W + b``.

    ``x_i`` is the standardized row, ``S = sum_i s_i``, and the bias ``b`` is not penalized. Parameters have shape
    (d + 1, K), the bias in the last row; every method also takes them flattened (as optimizers pass them) and then
    returns flat gradients. They live in standardized units: `to_original_units` translates. X is neither modified
    nor made dense, nor, beyond a million entries (four million of few rows, or for a hinge), copied.

    Parameters
    ----------
    X : array or CSR matrix or array of shape (n, d)
        Rows of any real dtype; float32 is computed in float32, everything else in float64.
    y : ndarray of shape (n,) or (n, K)
        Integers, or one-hot or indicator rows, as `loss` takes them.
    loss : Loss
        A loss of logits and labels.
    alpha : float, default=0.0
        Strength of the penalty, ``1 / (C S)`` in terms of scikit-learn's ``C``.
    sample_weight : ndarray of shape (n,), default=None
        Weights ``s`` of the rows, ones if None.
    fit_intercept : bool, default=True
        Whether there is a bias. Without one the last row of the parameters is ignored, and its gradient is zero.
    standardize : bool, default=True
        Whether the columns are divided by their weighted standard deviations. With an intercept they are also
        centred, which changes nothing but the meaning of the bias.
    n_outputs : int, default=None
        Number K of logits of a row; by default the columns of `y`, one for labels 0 and 1 under a loss that treats
        outputs separately, and the largest label plus one otherwise.

    Attributes
    ----------
    shape : tuple of int
        Shape (d + 1, K) of the parameters.
    standardization : Standardization
        The implicit change of variables.

    Raises
    ------
    ValueError
        If shapes do not fit, alpha, n_outputs or a weight is out of range, or all weights are zero.

    See Also
    --------
    check_gradient : Compares the gradient with differences.

    Notes
    -----
    Derived in :doc:`/mathematics`, sections "The objective" and "Implicit standardization".

    Examples
    --------
    Bring your own optimizer:

    >>> from scipy.optimize import minimize
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import Objective
    >>> from skgradlinear.losses import SoftmaxLoss
    >>> X, y = load_iris(return_X_y=True)
    >>> objective = Objective(X, y, SoftmaxLoss(), alpha=0.01)
    >>> start = objective.zeros().ravel()
    >>> options = {"ftol": 0, "gtol": 1e-9}
    >>> found = minimize(objective.value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    >>> print(round(found.fun, 4), objective.duality_gap(found.x) < 1e-6)
    0.2437 True
    """

    alpha: float
    # Whether the weights of the rows are others than those behind the moments of the columns.
    reweighted = False
    # Whether outputs that could take steps of their own take them.
    may_separate = True

    def __init__(
        self,
        X: Any,
        y: ArrayLike,
        loss: Loss,
        *,
        alpha: float = 0.0,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        standardize: bool = True,
        n_outputs: int | None = None,
    ) -> None:
        X = X.tocsr() if sp.issparse(X) else np.asarray(X)
        if X.ndim != 2 or X.dtype.kind not in "fiub":
            raise ValueError(f"X must be a real matrix of shape (n, d); got shape {X.shape} of dtype {X.dtype}.")
        labels = np.asarray(y)
        if not len(labels) == X.shape[0] > 0:
            raise ValueError(f"X and y must have as many rows, at least one; got {X.shape[0]} and {len(labels)}.")
        if labels.dtype.kind not in "fiub":
            raise ValueError(f"y must hold class numbers or indicator rows; got dtype {labels.dtype}.")
        if not isinstance(loss, Loss):
            raise TypeError(f"loss must be a Loss, such as SoftmaxLoss(); got {loss!r}.")
        if not isinstance(alpha, Real) or not 0 <= alpha < np.inf:
            raise ValueError(f"alpha must be a finite number >= 0; got {alpha!r}.")
        if n_outputs is not None and not (isinstance(n_outputs, Integral) and n_outputs >= 1):
            raise ValueError(f"n_outputs must be an integer >= 1, or None; got {n_outputs!r}.")
        weight = np.ones(len(labels)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if weight.shape != (len(labels),) or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
            raise ValueError(
                f"sample_weight must be {len(labels)} finite numbers >= 0, not all zero; got shape {weight.shape}, "
                f"from {weight.min(initial=np.inf):g} to {weight.max(initial=-np.inf):g}."
            )
        moments = _rows.wrap(X).moments(weight)
        if not np.isfinite(moments.mean).all():
            raise ValueError("X must be finite; it holds NaN or infinity, or numbers whose sum overflows.")
        self._set_up(X, labels, loss, weight, moments, fit_intercept, standardize, n_outputs)
        self.alpha = float(alpha)

    @classmethod
    def from_checked(
        cls,
        X: Any,
        y: Labels,
        loss: Loss,
        *,
        weight: Array,
        moments: Moments,
        fit_intercept: bool,
        standardize: bool,
        n_outputs: int,
        reweighted: bool,
    ) -> Self:
        """Objective without a penalty of inputs that passed the door; moments may be those of more rows.

        ``reweighted`` is whether the weights are others than those behind the moments.
        """
        objective = cls.__new__(cls)
        objective.reweighted = reweighted
        objective._set_up(X, y, loss, weight, moments, fit_intercept, standardize, n_outputs)
        objective.alpha = 0.0
        return objective

    def _set_up(
        self,
        X: Any,
        y: Labels,
        loss: Loss,
        weight: Array,
        moments: Moments,
        fit_intercept: bool,
        standardize: bool,
        n_outputs: int | None,
    ) -> None:
        rows = _rows.wrap(X)
        self.far_from_zero = fit_intercept and moments.far_from_zero(rows.dtype)
        if self.far_from_zero and not rows.dense:
            rows = rows.astype(np.dtype(np.float64))  # sparse rows take no pivot
        self.standardization = Standardization.from_moments(
            moments,
            standardize=standardize,
            fit_intercept=fit_intercept,
            dtype=rows.dtype,
            may_pivot=rows.dense,
        )
        if not np.isfinite(self.standardization.deviation).all():
            raise ValueError("the variance of a column of X overflows; divide the column by a large constant first.")
        self.rows = rows.with_pivot(self.standardization.pivot)
        self.total_weight = float(weight.sum())
        self.moments = moments
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.shape = (X.shape[1] + 1, _count_outputs(y, loss) if n_outputs is None else n_outputs)
        self.mean_loss = MeanLoss(loss, y, weight / self.total_weight, self.shape[1])

    def _with(self, **changes: Any) -> Self:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        for name in ("row_weight", "bias_reach"):
            other.__dict__.pop(name, None)
        other.__dict__.update(changes)
        return other

    def with_alpha(self, alpha: float) -> Self:
        """The same objective with another penalty; rows are shared."""
        return self._with(alpha=float(alpha))

    def with_loss(self, loss: Loss) -> Self:
        """The same objective with another loss of the same logits; rows are shared."""
        return self._with(mean_loss=self.mean_loss.with_loss(loss))

    def with_outputs_together(self) -> Self:
        """The same objective, whose outputs take all steps together; rows are shared."""
        return self._with(may_separate=False)

    def restricted(self, kept: Mask, weight: Array, moment_weight: Array) -> Self:
        """The same rows with the weights of the others set to zero, standardized anew; same penalty."""
        other = type(self).from_checked(
            self.rows.X,
            self.y,
            self.loss,
            weight=weight * kept,
            moments=self.rows.moments(moment_weight * kept),
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            n_outputs=self.shape[1],
            reweighted=self.reweighted,
        )
        return other.with_alpha(self.alpha)

    def on_rows(self, indices: Indices) -> Self:
        """The objective as some of the rows estimate it, without bias if they are drawn at random.

        Weights stay relative to the total of all rows, whose share in number is all that they are scaled by.
        """
        mean_loss = self.mean_loss.take(indices, len(self.weight) / len(indices))
        return self._with(rows=self.rows.take(indices), mean_loss=mean_loss)

    def without_rows(self, indices: Indices) -> Self:
        """The objective as all rows but some estimate it; these stay, without a weight."""
        weight = self.weight * (len(self.weight) / (len(self.weight) - len(indices)))
        weight[indices] = 0.0
        return self._with(mean_loss=self.mean_loss.weighted(weight))

    def on_standardized(self, rows: Array) -> Self:
        """The same objective on other rows, taken for standardized ones as they are."""
        mean = np.zeros(rows.shape[1])
        scatter = self.moments.weight * (self.weight @ rows**2)
        other = type(self).from_checked(
            rows,
            self.y,
            self.loss,
            weight=self.weight * self.total_weight,
            moments=Moments(self.moments.weight, mean, scatter, self.moments.count),
            fit_intercept=self.fit_intercept,
            standardize=False,
            n_outputs=self.shape[1],
            reweighted=True,
        )
        return other.with_alpha(self.alpha)

    def in_float64(self) -> Self:
        """The same objective computed in float64, block by block; rows are shared."""
        if self.dtype == np.float64:
            return self
        return self._with(rows=self.rows.astype(np.dtype(np.float64)))

    @property
    def loss(self) -> Loss:
        """The loss of a row."""
        return self.mean_loss.loss

    @property
    def y(self) -> Labels:
        """Labels of the rows."""
        return self.mean_loss.y

    @property
    def weight(self) -> Array:
        """Weights of the rows, which sum to one."""
        return self.mean_loss.weight

    @cached_property
    def row_weight(self) -> Array:
        """`weight` as a column, in the precision of the rows."""
        return self.weight.astype(self.dtype, copy=False)[:, None]

    @property
    def dtype(self) -> np.dtype:
        """Precision of the logits and of the products with X."""
        return self.rows.dtype

    @property
    def small(self) -> bool:
        """Whether the rows are few enough to be solved in float64 whatever X is."""
        return bool(len(self.weight) * self.shape[0] <= SMALL_ENTRIES)

    @property
    def determined(self) -> bool:
        """Whether there are rows enough, by weight, to hold all directions: these can mostly not be separated."""
        return bool(self.total_weight >= DETERMINED * self.shape[0])

    @property
    def bias_stiffness(self) -> float:
        """What directions take for a penalty of the bias: a hinge without active rows has no curvature there.

        As much as a weight has: more would block the moves of weights and bias together that few active rows leave
        free.
        """
        return self.alpha if self.loss.sparse_curvature else 0.0

    @property
    def logit_variance(self) -> float:
        """Trace of the covariance of the penalized rows: a logit's variance is this over alpha S a priori."""
        return float((self.standardization.deviation**2).sum())

    @property
    def mean_squares(self) -> Array:
        """Mean square of each standardized column and of the constant, by the moments, shape (d + 1,)."""
        moments, standardization = self.moments, self.standardization
        about_centre = moments.variance + (moments.mean - standardization.mean) ** 2
        return np.append(about_centre * standardization.inverse_scale**2, float(self.fit_intercept))

    @property
    def loss_at_zero(self) -> float:
        """Weighted mean loss of zero logits: the scale of what can be gained."""
        return self.mean_loss.at_zero

    @cached_property
    def bias_reach(self) -> BiasReach:
        """How far the best bias can be, by the value that some model has and the length of its weights."""
        return BiasReach.of(self)

    def zeros(self) -> Array:
        """Parameters of the zero model, shape (d + 1, K)."""
        return np.zeros(self.shape)

    def value(self, params: Array) -> float:
        """Objective at `params`: half a pass over X."""
        params = self.shaped(params)
        return self.mean_loss.value(self.logits(params)) + self.penalty(params)

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Objective and its (sub)gradient, in the shape of `params`: one pass over X."""
        point = self.shaped(params)

        def differentiate(rows: slice, logits: Array) -> float:
            loss, dlogits = self.mean_loss.value_and_gradient(rows, logits)
            np.multiply(dlogits, self.row_weight[rows], out=logits)
            return loss

        loss, gradient = self._through(point, differentiate)
        return loss + self.penalty(point), gradient.reshape(np.shape(params))

    def hessp(self, params: Array, direction: Array) -> Array:
        """Hessian at `params` times `direction`, in its shape: one and a half passes over X."""
        return self.hessp_at(self.at(params), self.shaped(direction)).reshape(np.shape(direction))

    def along(self, params: Array, direction: Array) -> Line:
        """The objective on the line ``params + step * direction``; pricing a step does not touch X."""
        moved = self.shaped(direction)
        return Line(self, self.at(params), Direction(moved, self.logits(moved)))

    def duality_gap(self, params: Array) -> float:
        """Upper bound on ``P(params) - min P``, computed in float64; inf if alpha is 0.

        For a smooth loss the bound is ``||dP/dW||^2 / (2 alpha)`` after a Newton search over the bias, and what
        that search gains is added. For a hinge the dual point comes from its smoothed version, so the bound is loose
        far from the optimum; the solvers know better dual points.
        """
        if not self.alpha:
            return np.inf
        exact = self.in_float64()
        point = exact.at(params)
        best = minimize_bias(exact, point, target=0.0)
        return point.value - best.value + exact.certificate(best).gap

    def to_original_units(self, params: Array) -> tuple[Array, Array]:
        """Coefficients (d, K) and intercept (K,) of the columns of X as they are."""
        return self.standardization.to_original_units(self.shaped(params))

    # What solvers use: points carry their logits, so that only new directions and gradients touch X.

    def logits(self, params: Array) -> Array:
        """Logits of every row, shape (n, K), stored by columns: half a pass over X."""
        return self.rows.logits(*self.standardization.to_data_units(params, self.dtype))

    def at(self, params: Array) -> Evaluation:
        """Everything known at `params`: half a pass over X."""
        point = self.shaped(params).astype(np.float64)
        return self.evaluate(point, self.logits(point), formed=True)

    def evaluate(self, params: Array, logits: Array, loss: float | None = None, *, formed: bool = False) -> Evaluation:
        """Evaluation of a point whose logits are known, and perhaps its mean loss."""
        derivatives = None
        if self.mean_loss.one_group:
            loss, dlogits, curvature = self.mean_loss.second_order(slice(0, len(logits)), logits)
            derivatives = dlogits, curvature
        elif loss is None:
            loss = self.mean_loss.value(logits)
        return Evaluation(params, logits, loss, loss + self.penalty(params), self.mean_loss, derivatives, formed)

    def evaluate_with_balance(self, params: Array, logits: Array, *, formed: bool) -> tuple[Evaluation, Array]:
        """Evaluation of a point and its gradient in the bias, shape (K,), for one exponential."""
        if self.mean_loss.one_group:
            point = self.evaluate(params, logits, formed=formed)
            return point, self.balance(point)

        def shares(rows: slice) -> tuple[float, Array]:
            loss, dlogits = self.mean_loss.value_and_gradient(rows, logits[rows])
            return loss, self.weight[rows] @ dlogits

        loss, balance = totals(self.mean_loss.over_groups(shares))
        return self.evaluate(params, logits, loss, formed=formed), balance

    def balance(self, point: Evaluation) -> Array:
        """Gradient in the bias at a point, shape (K,), whether or not there is one."""
        return reduce(np.add, self.mean_loss.over_groups(lambda rows: self.weight[rows] @ point.dlogits(rows)))

    def gradient(self, point: Evaluation) -> Array:
        """Gradient at a point, shape (d + 1, K): half a pass over X, unless the point has it."""
        return self.pull(point.dlogits, point.params) if point.gradient is None else point.gradient

    def pull(self, dlogits: Callable[[slice], Array], params: Array) -> Array:
        """Gradient in the parameters of rows' gradients in the logits, given group by group, plus the penalty's."""
        if self.mean_loss.one_group:
            return self._pull(self.row_weight * dlogits(slice(None)), params)
        weighted = np.empty((self.shape[1], len(self.weight)), self.dtype).T

        def fill(rows: slice) -> None:
            np.multiply(dlogits(rows), self.row_weight[rows], out=weighted[rows])

        list(self.mean_loss.over_groups(fill))
        return self._pull(weighted, params)

    def hessp_at(self, point: Evaluation, direction: Array) -> Array:
        """Hessian at a point times `direction`, shape (d + 1, K): one pass over X."""
        logits = self.logits(direction)
        return self.pull(lambda rows: point.curvature(rows).matvec(logits[rows]), direction)

    def damped_hessp(self, point: Evaluation) -> Callable[[Array], Array]:
        """Product with the Hessian at a point, its bias stiffened; rows without curvature take no part if most."""

        def with_curvature(rows: slice) -> Indices:
            found: Indices = rows.start + np.flatnonzero(point.diagonal_of(rows).any(axis=1))
            return found

        part = self
        chosen: slice | Indices = slice(None)
        if self.loss.sparse_curvature:
            active: Indices = np.concatenate(list(self.mean_loss.over_groups(with_curvature)))
            if len(active) <= MAX_TAKEN_SHARE * len(self.weight):
                part = self._with(rows=self.rows.take(active), mean_loss=self.mean_loss.take(active))
                chosen = active
        curvature = point.curvature(chosen)
        if not self.rows.dense:
            curvature = curvature.by_rows()

        def push(rows: slice, logits: Array) -> float:
            np.multiply(curvature.take(rows).matvec(logits), part.row_weight[rows], out=logits)
            return 0.0

        def product(direction: Array) -> Array:
            _, result = part._through(direction, push)
            result[-1] += self.bias_stiffness * direction[-1]
            return result

        return product

    def penalty(self, params: Array) -> float:
        """``(alpha/2) ||W||^2``."""
        return 0.5 * self.alpha * float(np.vdot(params[:-1], params[:-1]))

    def certificate(self, point: Evaluation, gradient: Array | None = None) -> Certificate:
        """What the point proves; see `skgradlinear._certificate`."""
        return certify(self, point, self.gradient(point) if gradient is None else gradient)

    def assess(self, point: Evaluation, tol: float) -> tuple[Evaluation, Array, Certificate]:
        """Gradient and certificate of a point, its bias polished first where that alone keeps it from `tol`."""
        gradient = self.gradient(point)
        certificate = self.certificate(point, gradient)
        rest = certificate.gap - certificate.bias_cost
        if certificate.measure > tol >= relative(self, point.value, rest):
            asked = tol * certificate.gap / certificate.measure
            cost = max(POLISH_SHARE * (asked - rest), LEAST_POLISH_SHARE * asked)
            polished = self.polished(point, cost, point.value, gradient[-1])
            if polished is not point:
                gradient = self.gradient(polished)
                return polished, gradient, self.certificate(polished, gradient)
        return point, gradient, certificate

    @property
    def balances(self) -> bool:
        """Whether dual rows can be balanced without moving the point they come from."""
        return self.loss.dual_reach > 0 and self.alpha > 0 and self.dtype == np.float64

    def proved(self, params: Array) -> Proof:
        """What a point proves, free of common shifts, by gradient rows that are balanced to first order.

        One pass over X and one exponential, where a search for the best bias takes four more.
        """
        given = self.free_of_shift(self.shaped(params)).astype(np.float64)
        dual = self.logits(given)

        def shares(rows: slice) -> tuple[Array, Array]:
            weight = self.row_weight[rows]
            # The gradient takes the place of the logits it was made of.
            loss, dual[rows] = self.mean_loss.value_and_gradient(rows, dual[rows])
            stiffness = self.mean_loss.dual_curvature(rows, dual[rows]).total(weight)
            return np.append((dual[rows].T @ weight)[:, 0], loss), stiffness

        first, stiffness = totals(self.mean_loss.over_groups(shares, 2))
        change = balancing(self, first[:-1], stiffness)

        def balance(rows: slice) -> None:
            if change.any():
                everywhere = np.broadcast_to(change, dual[rows].shape)
                dual[rows] += self.mean_loss.dual_curvature(rows, dual[rows]).matvec(everywhere)
            dual[rows] *= self.row_weight[rows]

        list(self.mean_loss.over_groups(balance, 2))
        gradient = self._pull(dual, given)
        value = float(first[-1]) + self.penalty(given)
        # The mean of c' H c, as the mean of H c is what the balance has changed by.
        excess = float(change @ (gradient[-1] - first[:-1]))
        certificate = certify_dual(self, value, given[-1], gradient, excess)
        return Proof(given, value, certificate)

    def start(self, params: Array | None, tol: float = 0.0) -> Evaluation:
        """Where a solver starts: `params`, or zeros, free of common shifts and with the best bias for its weights.

        That bias is no better than a relative gap of `tol` asks for.
        """
        if params is not None:
            given = self.free_of_shift(self.shaped(params)).astype(np.float64)
            point, balance = self.evaluate_with_balance(given, self.logits(given), formed=True)
            enough = START_BIAS[self.dtype]
            if not (tol and self.alpha and point.value < np.inf):
                return minimize_bias(self, point, enough, balance)
            radius = bias_radius(self, point.value, point.params[-1])
            cost = max(LEAST_POLISH_SHARE * tol * point.value, enough * float(radius.max()))
            return minimize_bias(self, point, cost, balance, radius)
        constant = self.zeros()
        constant[-1] = self._best_constant()
        logits = np.empty((len(self.weight), self.shape[1]), self.dtype, order="F")
        logits[:] = constant[-1]
        return self.evaluate(constant, logits, formed=True)

    def _best_constant(self) -> Array:
        """The best bias of zero weights."""
        if self.y.ndim == 1 and self.fit_intercept:
            own, others = self.mean_loss.label_mass
            known = self.loss.best_constant(own, others) if own.all() and others.all() else None
            if known is not None:
                return known
        alike = self._with(mean_loss=self.mean_loss.row_per_label)
        logits = np.zeros((len(alike.weight), self.shape[1]), self.dtype, order="F")
        best: Array = alike.with_best_bias(alike.evaluate(self.zeros(), logits)).params[-1]
        return best

    def with_best_bias(self, point: Evaluation) -> Evaluation:
        """The point with the bias that is best for its weights, to a start's accuracy."""
        return minimize_bias(self, point, target=START_BIAS[self.dtype])

    def polished(self, point: Evaluation, bias_cost: float, value: float, balance: Array | None = None) -> Evaluation:
        """The point with its bias moved until that costs the certificate of `value` no more than `bias_cost`."""
        return minimize_bias(self, point, bias_cost, balance, bias_radius(self, value, point.params[-1]))

    def bound(self, point: Evaluation, gradient: Array, value: float) -> tuple[float, float]:
        """Lower bound on this objective, `value` somewhere, from a point of its smoothed version; the bias's cost."""
        return bound_from_smoothed(self, point, gradient, value)

    def relative_gap(self, value: float, gap: float) -> float:
        """Gap relative to the objective, with a floor for objectives near zero."""
        return relative(self, value, gap)

    def value_at(self, point: Evaluation) -> float:
        """Value of this objective at a point of its smoothed version."""
        return self.mean_loss.value(point.logits) + self.penalty(point.params)

    def smoothed(self, mu: float, centre: Array | None = None) -> Self:
        """The objective with its hinge smoothed around a centre; rows are shared."""
        if not isinstance(self.loss, NonSmoothLoss):
            raise ValueError(f"{self.loss!r} is smooth already; solve it as it is.")
        return self.with_loss(self.loss.smoothed(mu, centre))

    def maximizer(self, point: Evaluation) -> Array:
        """The duals of a smoothed hinge at a point, shape (n, K)."""
        if not isinstance(self.loss, SmoothedLoss):
            raise ValueError(f"{self.loss!r} has no dual centre; only smoothed hinges have.")
        return self.mean_loss.maximizer(point.logits)

    def direction(self, params: Array) -> Direction:
        """A direction of the parameters, free of common shifts, with its logits: half a pass over X."""
        own = np.array(self.free_of_shift(params))
        return Direction(own, self.logits(own)).audible()

    def subspace(self, point: Evaluation, directions: list[Direction], gradient: Array | None = None) -> Subspace:
        """The objective over the span of directions and the bias, around a point; its gradient there, if known."""
        return Subspace(self, point, directions, gradient)

    def line_search(self, point: Evaluation, gradient: Array, step: Array) -> Evaluation | None:
        """The point moved along Newton's own direction, with its gradient; None if nothing is gained."""
        return line_search(self, point, gradient, self.free_of_shift(step))

    def directions(self, seed: int) -> Rule:
        """The rule of directions that suits the shape of the problem."""
        return choose(self, seed)

    def free_of_shift(self, direction: Array) -> Array:
        """The direction minus its mean over the classes, where a common shift leaves the loss alone."""
        if not self.shift_invariant:
            return direction
        free: Array = direction - direction.sum(axis=1, keepdims=True) / self.shape[1]
        return free

    @property
    def shift_invariant(self) -> bool:
        """Whether one direction of the logits, a common shift of the classes, is free."""
        return self.loss.shift_invariant and self.shape[1] > 1

    @property
    def non_smooth(self) -> bool:
        """Whether the loss has kinks, so that it is solved through its smoothed versions."""
        return isinstance(self.loss, NonSmoothLoss)

    def _through(self, params: Array, change: Callable[[slice, Array], float]) -> tuple[float, Array]:
        """Gradient in `params` of weighted rows' gradients that take the place of their logits, plus the penalty's.

        One pass over X, with the sum of the numbers that `change` returns; see `Rows.through`.
        """
        number, sums = self.rows.through(*self.standardization.to_data_units(params, self.dtype), change)
        return number, self._with_penalty(self.standardization.pull_back(sums.pulled, sums.alone), params)

    def _with_penalty(self, gradient: Array, params: Array) -> Array:
        """The gradient plus the penalty's, in place, with no array of the size of the parameters."""
        for some in parts(len(params) - 1, max(16, GROUP_ENTRIES // params.shape[1])):
            gradient[some] += self.alpha * params[some]
        return gradient

    def _pull(self, weighted: Array, params: Array) -> Array:
        balance = weighted.sum(axis=0, dtype=np.float64)
        return self._with_penalty(self.standardization.pull_back(self.rows.pull(weighted), balance), params)

    def shaped(self, params: ArrayLike) -> Array:
        array = np.asarray(params)
        if array.shape not in (self.shape, (self.shape[0] * self.shape[1],)):
            raise ValueError(f"params must have shape {self.shape}, or be that array flattened; got {array.shape}.")
        return array.reshape(self.shape)


def _count_outputs(y: Labels, loss: Loss) -> int:
    if y.ndim == 2:
        return int(y.shape[1])
    largest = int(y.max())
    return 1 if largest <= 1 and not loss.shift_invariant else largest + 1
