"""What a loss is: a function of ``(logits, y)``, row by row, and its derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Labels = NDArray[Any]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]

# A dual vector is computed in floating point: a coordinate may leave its domain by a few roundings.
DOMAIN_ROUNDING = 64


@dataclass(frozen=True)
class Curvature:
    """Second derivative of every row's loss in its logits, a diagonal minus a few dyads.

    Row ``i`` has the Hessian ``diag(q_i) - sum_f sign_f r_fi r_fi'``. Softmax has one dyad, losses
    that treat the outputs separately have none.

    Parameters
    ----------
    diagonal : ndarray of shape (n, K)
        The rows ``q_i``.
    dyads : tuple of (float, ndarray of shape (n, K))
        Pairs ``(sign_f, r_f)``.
    """

    diagonal: Array
    dyads: tuple[tuple[float, Array], ...] = ()

    @property
    def of_probabilities(self) -> bool:
        """Whether it is that of softmax, ``diag(p) - p p'`` with one array for both."""
        return len(self.dyads) == 1 and self.dyads[0][0] == 1 and self.dyads[0][1] is self.diagonal

    def matvec(self, direction: Array) -> Array:
        """Hessian of each row times the same row of `direction`, shape (n, K)."""
        if self.of_probabilities:
            # p * (z - p . z), in half the passes.
            mean = np.einsum("ki,ki->i", self.diagonal.T, direction.T)
            centred: Array = np.subtract(direction, mean[:, None], out=np.empty_like(self.diagonal))
            centred *= self.diagonal
            return centred
        product = self.diagonal * direction
        for sign, vector in self.dyads:
            heights = np.einsum("ki,ki->i", vector.T, direction.T)
            product -= vector * (sign * heights)[:, None]
        return product

    def take(self, rows: Indices | slice) -> Curvature:
        """Curvature of some of the rows."""
        diagonal = _rows_of(self.diagonal, rows)
        if self.of_probabilities:
            return Curvature(diagonal, ((1.0, diagonal),))
        return Curvature(diagonal, tuple((sign, _rows_of(vector, rows)) for sign, vector in self.dyads))

    def by_rows(self) -> Curvature:
        """The same, stored by rows."""
        diagonal = np.ascontiguousarray(self.diagonal)
        if self.of_probabilities:
            return Curvature(diagonal, ((1.0, diagonal),))
        return Curvature(diagonal, tuple((sign, np.ascontiguousarray(vector)) for sign, vector in self.dyads))

    def total(self, weight: Array) -> Array:
        """Sum of the rows' Hessians with weights of shape (n, 1), shape (K, K)."""
        total = np.diag((self.diagonal * weight).sum(axis=0))
        for sign, vector in self.dyads:
            heavy = vector * np.sqrt(weight)
            total -= sign * (heavy.T @ heavy)
        return total

    def main_diagonal(self) -> Array:
        """Diagonal of each row's Hessian, dyads included, shape (n, K)."""
        if self.of_probabilities:
            complement = 1 - self.diagonal
            complement *= self.diagonal
            return complement
        diagonal = self.diagonal.copy(order="K")
        for sign, vector in self.dyads:
            diagonal -= sign * vector * vector
        return diagonal


class Loss(ABC):
    """A convex loss of each row's logits, given its label.

    Every method takes ``logits`` of shape (n, K), in any memory order and any real floating dtype, and
    ``y``: integers of shape (n,) (class indices; 0 or 1 where K = 1) or rows of shape (n, K) (one-hot, or
    an indicator of the positive outputs for the losses that treat outputs separately). Results have
    the dtype and the memory order of ``logits``.

    A loss with kinks derives from `NonSmoothLoss`. A new loss implements `value_and_gradient`, `curvature`, and
    `conjugate`, by which the bound of its certificate is checked independently. It has to grow at least as fast as the
    violations of its margins, see `shortfall`: by that the best bias is known not to be far.

    Attributes
    ----------
    shift_invariant : bool
        Whether adding one number to all logits of a row leaves the loss unchanged.
    sparse_curvature : bool
        Whether many rows have no curvature at all (hinges): solvers then work on the others.
    dual_reach : float
        Up to this size of the entries of a change ``c`` of the logits, the gradient plus the Hessian times ``c`` is in
        the domain of the conjugate, and lacks at most ``c' H c`` in the equality of Fenchel and Young. A loss for which
        that is known, and not 0, has a `dual_curvature`.
    """

    sparse_curvature: bool = False
    shift_invariant: bool = False
    dual_reach: float = 0.0

    @abstractmethod
    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Loss of each row, shape (n,), and its (sub)gradient in the logits, shape (n, K)."""

    @abstractmethod
    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """Second derivative in the logits, of each row, as a `Curvature`."""

    @abstractmethod
    def conjugate(self, dual: Array, y: Labels) -> Array:
        """Fenchel conjugate ``sup_z dual . z - loss(z, y)`` of each row, shape (n,); inf outside its domain."""

    def value(self, logits: Array, y: Labels) -> Array:
        """Loss of each row, shape (n,)."""
        return self.value_and_gradient(logits, y)[0]

    def gradient(self, logits: Array, y: Labels) -> Array:
        """(Sub)gradient of each row's loss in its logits, shape (n, K)."""
        return self.value_and_gradient(logits, y)[1]

    def dual_curvature(self, dual: Array, y: Labels) -> Curvature:
        """Second derivative of each row by its gradient, without the logits where that is."""
        raise NotImplementedError(f"the curvature of {self!r} is not known by its gradient.")

    def second_order(self, logits: Array, y: Labels) -> tuple[Array, Array, Curvature]:
        """Value, gradient and curvature together; a loss that can share work between them overrides this."""
        value, gradient = self.value_and_gradient(logits, y)
        return value, gradient, self.curvature(logits, y)

    def part(self, rows: Indices | slice) -> Loss:
        """The loss of some of the rows; another only where the loss holds something for each row."""
        return self

    def best_constant(self, own: Array, others: Array) -> Array | None:
        """Logits, shape (K,), of the best model without columns; None if there is no formula.

        `own` and `others`, shape (K,) and positive, are the weights of each output's rows and of all other rows.
        """
        return None

    def shortfall(self, n_outputs: int) -> float:
        """How far a row's loss may be below zero or its largest violation, ``z_j - z_y`` or, if separate, ``-t_k z_k``.

        A loss that grows with every violation bounds the best bias, without which there is no certificate.
        """
        return 0.0

    def curvature_bound(self, n_outputs: int) -> float:
        """Upper bound on the eigenvalues of a row's second derivative; infinite if there is none or none is known."""
        return np.inf

    def hessp(self, logits: Array, y: Labels, direction: Array) -> Array:
        """Hessian of each row's loss times the same row of `direction`, shape (n, K)."""
        return self.curvature(logits, y).matvec(direction)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _rows_of(array: Array, rows: Indices | slice) -> Array:
    """Some rows of an array, stored by columns as it is."""
    return array.T[:, rows].T


def check_logits(logits: Array, y: Labels) -> tuple[Array, Labels]:
    """Arrays whose shapes fit together, or a ValueError that names the shapes seen."""
    logits, y = np.asarray(logits), np.asarray(y)
    if logits.ndim != 2:
        raise ValueError(
            f"logits must have shape (n, K), one row per sample; got shape {logits.shape}. "
            "Use logits.reshape(-1, 1) for one output."
        )
    if not np.issubdtype(logits.dtype, np.floating):
        logits = logits.astype(np.float64)
    if y.shape != (len(logits),) and y.shape != logits.shape:
        raise ValueError(
            f"y must hold integers of shape ({len(logits)},) or rows of shape {logits.shape} to match the "
            f"logits; got shape {y.shape}."
        )
    return logits, y


def class_indices(logits: Array, y: Labels) -> NDArray[np.intp]:
    """Class index of each row, from integers or from one-hot rows."""
    n_classes = logits.shape[1]
    if y.ndim == 2:
        if not np.array_equal(np.sort(y, axis=1)[:, -1:], np.ones((len(y), 1))) or (y != 0).sum() != len(y):
            raise ValueError("rows of y must be one-hot (a single 1, zeros elsewhere) for this loss.")
        indices: NDArray[np.intp] = y.argmax(axis=1)
        return indices
    return checked_integers(y, n_classes)


def checked_integers(y: Labels, n_classes: int) -> NDArray[np.intp]:
    """Integers in [0, n_classes), or a ValueError that names what was seen."""
    # A negative number is a very large one without a sign.
    if y.dtype == np.intp and len(y) and y.view(np.uintp).max() < n_classes:
        return y
    if y.dtype.kind not in "iub":
        as_integers = y.astype(np.intp) if y.dtype.kind == "f" and np.isfinite(y).all() else None
        if as_integers is None or not np.array_equal(as_integers, y):
            raise ValueError(f"labels must be integers 0 .. {n_classes - 1}; got dtype {y.dtype}. Encode them first.")
        y = as_integers
    if len(y) and (y.min() < 0 or y.max() >= n_classes):
        raise ValueError(
            f"labels must lie in 0 .. {n_classes - 1} for {n_classes} classes; got values from {y.min()} to {y.max()}."
        )
    indices: NDArray[np.intp] = y.astype(np.intp, copy=False)
    return indices


def signed(logits: Array, y: Labels) -> Array:
    """``t * logits`` with t = +1 for the positive outputs of each row and -1 for the others (a new array)."""
    if y.ndim == 1 and logits.shape[1] > 1:
        product = -logits
        own = (np.arange(len(logits)), checked_integers(y, logits.shape[1]))
        product[own] = logits[own]
        return product
    if y.ndim == 2 and not ((y == 0) | (y == 1)).all():
        raise ValueError("an indicator y must hold zeros and ones only.")
    positive = y if y.ndim == 2 else checked_integers(y, 2)[:, None]
    # A product, where a choice by a mask takes ten times as long.
    sign = 2 * positive.astype(logits.dtype) - 1
    return np.multiply(sign, logits, out=np.empty_like(logits))
