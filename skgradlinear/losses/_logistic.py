"""Softmax and sigmoid cross-entropy."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax, xlogy

from ._base import DOMAIN_ROUNDING, Array, Curvature, Indices, Labels, Loss, check_logits, checked_integers, signed


class SoftmaxLoss(Loss):
    """Multinomial log-loss, ``log(sum_k exp(z_k)) - z_y``.

    With ``p = softmax(z)`` the gradient in the logits is ``p - e_y`` and the Hessian ``diag(p) - p p'``.
    The conjugate is the negative entropy ``sum_k q_k log q_k`` of ``q = dual + e_y`` on the simplex. Rows of ``y``
    may also hold class probabilities (soft targets ``t``): ``e_y`` is then ``t``.

    See Also
    --------
    SigmoidLoss : One independent logit per output; the loss of two-class problems.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Softmax"; Böhning (1992), "Multinomial logistic regression
    algorithm", section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear.losses import SoftmaxLoss
    >>> logits = np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]])
    >>> value, gradient = SoftmaxLoss().value_and_gradient(logits, np.array([2, 0]))
    >>> print(value.mean().round(6), abs(gradient.sum(axis=1)).round(12))
    0.896559 [0. 0.]
    """

    shift_invariant = True
    dual_reach = 0.5

    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Loss of each row, shape (n,), and ``p - e_y``, shape (n, K)."""
        logits, y = check_logits(logits, y)
        if y.ndim == 2:
            value, gradient, _ = self._expand_soft(_shifted(logits), y)
            return value, gradient
        odds = _Odds(logits, y)
        return odds.value(), odds.gradient()

    def value(self, logits: Array, y: Labels) -> Array:
        """Loss of each row, shape (n,)."""
        logits, y = check_logits(logits, y)
        return self._expand_soft(_shifted(logits), y)[0] if y.ndim == 2 else _Odds(logits, y).value()

    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """The Hessian ``diag(p) - p p'`` of each row."""
        proba = self.proba(check_logits(logits, y)[0])
        return Curvature(proba, ((1.0, proba),))

    def dual_curvature(self, dual: Array, y: Labels) -> Curvature:
        """The Hessian of each row from ``p - e_y``."""
        dual, y = check_logits(dual, y)
        proba = dual.copy(order="K")
        if y.ndim == 2:
            proba += y
        else:
            proba[np.arange(len(y)), y] += 1
        return Curvature(proba, ((1.0, proba),))

    def second_order(self, logits: Array, y: Labels) -> tuple[Array, Array, Curvature]:
        """Value, gradient and curvature from one exponential."""
        logits, y = check_logits(logits, y)
        if y.ndim == 2:
            value, gradient, proba = self._expand_soft(_shifted(logits), y)
        else:
            odds = _Odds(logits, y)
            value, gradient = odds.value(), odds.gradient()
            proba = odds.proba(gradient)
        return value, gradient, Curvature(proba, ((1.0, proba),))

    def conjugate(self, dual: Array, y: Labels) -> Array:
        """``sum_k q_k log q_k`` of ``q = dual + e_y``, shape (n,); inf where q leaves the simplex."""
        dual, y = check_logits(dual, y)
        mass = dual + (y if y.ndim == 2 else _one_hot(dual, y))
        slack = DOMAIN_ROUNDING * np.finfo(dual.dtype).eps * mass.shape[1]
        outside = (mass < -slack).any(axis=1) | (np.abs(mass.sum(axis=1) - 1) > slack)
        mass = np.maximum(mass, 0)
        entropy: Array = xlogy(mass, mass).sum(axis=1)
        return np.where(outside, np.inf, entropy)

    def curvature_bound(self, n_outputs: int) -> float:
        """``diag(p) - p p' <= 1/2`` (Böhning, 1992, "Multinomial logistic regression algorithm")."""
        return 0.5

    def best_constant(self, own: Array, others: Array) -> Array:
        """``log(own)``, with mean zero."""
        logits: Array = np.log(own)
        logits -= logits.mean()
        return logits

    def proba(self, logits: Array) -> Array:
        """``softmax(logits)``, shape (n, K)."""
        shifted = _shifted(np.asarray(logits))
        np.exp(shifted, out=shifted)
        shifted /= shifted.sum(axis=1, keepdims=True)
        return shifted

    def log_proba(self, logits: Array) -> Array:
        """``log(softmax(logits))`` without forming the probabilities, shape (n, K)."""
        shifted = _shifted(np.asarray(logits))
        shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return shifted

    def _expand_soft(self, shifted: Array, targets: Labels) -> tuple[Array, Array, Array]:
        targets = targets.astype(shifted.dtype, copy=False)
        slack = np.sqrt(np.finfo(shifted.dtype).eps)
        if (targets < 0).any() or (np.abs(targets.sum(axis=1) - 1) > slack).any():
            raise ValueError("rows of y must be non-negative and sum to 1 (one-hot, or class probabilities).")
        exponentials = np.exp(shifted)
        total = exponentials.sum(axis=1)
        # A target of exactly 0 takes no part, even against a logit of -inf.
        value = np.log(total) - np.multiply(targets, shifted, out=np.zeros_like(shifted), where=targets > 0).sum(axis=1)
        proba = exponentials / total[:, None]
        return value, proba - targets, proba


class SigmoidLoss(Loss):
    """Binary log-loss of each output, ``sum_k log(1 + exp(-t_k z_k))`` with ``t`` in {-1, +1}.

    With ``p = 1 / (1 + exp(-z))`` and labels ``y`` in {0, 1}, the gradient is ``p - y`` and the Hessian the diagonal
    ``p (1 - p)``. The conjugate is ``q log q + (1 - q) log(1 - q)`` of ``q = dual + y``. Integer labels with K > 1
    outputs mean one-versus-rest: output ``y_i`` is positive, the others negative.

    See Also
    --------
    SoftmaxLoss : One distribution over the classes.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Sigmoid"; Hastie, Tibshirani & Friedman (2009), section 4.4.

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear.losses import SigmoidLoss
    >>> value, gradient = SigmoidLoss().value_and_gradient(np.array([[0.0], [1e9]]), np.array([1, 0]))
    >>> print(value.round(6).tolist(), gradient.ravel().tolist())
    [0.693147, 1000000000.0] [-0.5, 1.0]
    """

    dual_reach = 0.5

    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Loss of each row, shape (n,), and ``p - y``, shape (n, K)."""
        logits, y = check_logits(logits, y)
        margins, small = self._expand(logits, y)
        value = self._value(margins, small)
        return value, self._gradient(margins, small, y)

    def value(self, logits: Array, y: Labels) -> Array:
        """Loss of each row, shape (n,)."""
        return self._value(*self._expand(*check_logits(logits, y)))

    def gradient(self, logits: Array, y: Labels) -> Array:
        """``p - y``, shape (n, K)."""
        logits, y = check_logits(logits, y)
        return self._gradient(*self._expand(logits, y), y)

    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """The diagonal ``p (1 - p)`` of each row."""
        return self._curvature(_unlikely(check_logits(logits, y)[0]))

    def dual_curvature(self, dual: Array, y: Labels) -> Curvature:
        """The diagonal ``|p - y| (1 - |p - y|)`` of each row."""
        miss = np.abs(dual)
        return Curvature(miss * (1 - miss))

    def second_order(self, logits: Array, y: Labels) -> tuple[Array, Array, Curvature]:
        """Value, gradient and curvature from one exponential."""
        logits, y = check_logits(logits, y)
        margins, small = self._expand(logits, y)
        value, curvature = self._value(margins, small), self._curvature(small)
        return value, self._gradient(margins, small, y), curvature

    def _expand(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """The margins ``t z`` and ``exp(-|z|)``."""
        margins = signed(logits, y)
        return margins, _unlikely(margins)

    def _value(self, margins: Array, small: Array) -> Array:
        values = np.log1p(small)
        values -= np.minimum(margins, 0)
        value: Array = values.sum(axis=1)
        return value

    def _gradient(self, margins: Array, small: Array, y: Labels) -> Array:
        """``-t sigma(-t z)``; takes the place of `small`."""
        # exp(-|z|) is at most 1, which is what stands in its place for negative margins.
        miss = np.maximum(small, margins <= 0)
        small += 1
        miss /= small
        return signed(np.negative(miss, out=miss), y)

    def _curvature(self, small: Array) -> Curvature:
        total = 1 + small
        return Curvature(small / np.square(total, out=total))

    def conjugate(self, dual: Array, y: Labels) -> Array:
        """``sum_k q_k log q_k + (1 - q_k) log(1 - q_k)`` of ``q = |dual|``, shape (n,); inf outside [0, 1]."""
        dual, y = check_logits(dual, y)
        miss = signed(-dual, y)
        slack = DOMAIN_ROUNDING * np.finfo(dual.dtype).eps
        outside = (miss < -slack) | (miss > 1 + slack)
        miss = np.clip(miss, 0, 1)
        entropy: Array = (xlogy(miss, miss) + xlogy(1 - miss, 1 - miss)).sum(axis=1)
        return np.where(outside.any(axis=1), np.inf, entropy)

    def curvature_bound(self, n_outputs: int) -> float:
        """``p (1 - p) <= 1/4``."""
        return 0.25

    def best_constant(self, own: Array, others: Array) -> Array:
        """``log(own / others)``."""
        constant: Array = np.log(own) - np.log(others)
        return constant

    def proba(self, logits: Array) -> Array:
        """``1 / (1 + exp(-logits))`` of each output, shape (n, K)."""
        proba: Array = expit(logits)
        return proba

    def log_proba(self, logits: Array) -> Array:
        """Logarithm of `proba` without forming it, shape (n, K)."""
        log_proba: Array = log_expit(logits)
        return log_proba

    def normalized_log_proba(self, logits: Array) -> Array:
        """Logarithm of the outputs' probabilities scaled to sum to one (one-versus-rest), shape (n, K)."""
        log_proba: Array = log_softmax(log_expit(logits), axis=1)
        return log_proba

    def normalized_proba(self, logits: Array) -> Array:
        """The outputs' probabilities scaled to sum to one (one-versus-rest), shape (n, K)."""
        proba: Array = softmax(log_expit(logits), axis=1)
        return proba


class _Odds:
    """What softmax's value and gradient are made of: exponentials of the logits minus the label's.

    The label's own, 1, is left out of their sum, which keeps the digits of tiny losses. Where the sum of a row
    overflows, logits are shifted by the largest instead.
    """

    def __init__(self, logits: Array, y: Labels) -> None:
        rows, y = np.arange(len(logits)), checked_integers(y, logits.shape[1])
        # The label's logit as it is shifted, and its exponential, minus 1 and as it is.
        self.own: tuple[Array | float, Array | float, Array | float] = 0.0, 0.0, 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            self._exponentiate(logits - logits[rows, y][:, None], rows, y)
            safe = self.others.max(initial=0) <= np.finfo(logits.dtype).max / 8
        if not safe:
            shifted = _shifted(logits)
            logit = shifted[rows, y]
            self.own = logit, np.expm1(logit), np.exp(logit)
            self._exponentiate(shifted, rows, y)

    def _exponentiate(self, shifted: Array, rows: Indices, y: Indices) -> None:
        """In place."""
        self.exponentials = np.exp(shifted, out=shifted)
        # One index, into memory, takes half the time of two.
        self.memory = shifted.ravel(order="K")
        strides = [stride // shifted.itemsize for stride in shifted.strides]
        self.labels = rows * strides[0] + y * strides[1]
        self.memory[self.labels] = 0
        self.others = shifted.sum(axis=1)

    def value(self) -> Array:
        """Loss of each row, shape (n,)."""
        logit, excess, _ = self.own
        # The logarithm of the sum of all: the label's exponential, or else the largest, is exactly 1.
        value: Array = np.log1p(self.others + excess) - logit
        return value

    def gradient(self) -> Array:
        """``p - e_y``, in the place of the exponentials."""
        self.memory[self.labels] = -self.others
        self.exponentials *= (1 / (self.others + self.own[2]))[:, None]
        return self.exponentials

    def proba(self, gradient: Array) -> Array:
        """The probabilities, by `gradient`."""
        proba = gradient.copy(order="K")
        proba.ravel(order="K")[self.labels] = self.own[2] / (self.others + self.own[2])
        return proba


def _unlikely(logits: Array) -> Array:
    """``exp(-|z|)``: how much less likely than the other the unlikelier label is."""
    small = np.abs(logits)
    np.negative(small, out=small)
    return np.exp(small, out=small)


def _shifted(logits: Array) -> Array:
    """Logits minus their row maximum (a new array); a row's single +inf counts as certain."""
    largest = logits.max(axis=1, keepdims=True)
    if len(largest) and largest.max() == np.inf:
        certain = np.where(np.isposinf(logits), 0, -np.inf).astype(logits.dtype)
        finite = np.where(np.isposinf(largest), 0, logits) - np.where(np.isposinf(largest), 0, largest)
        return np.where(np.isposinf(largest), certain, finite)
    shifted: Array = logits - largest
    return shifted


def _one_hot(logits: Array, y: Labels) -> Array:
    targets = np.zeros_like(logits)
    targets[np.arange(len(y)), checked_integers(y, logits.shape[1])] = 1
    return targets
