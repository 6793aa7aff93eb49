"""The weighted mean of the rows' losses, formed group of rows by group.

What a loss needs in between is then of the size of a group, which stays in a core's cache; only what is asked for is of
the size of the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeVar

import numpy as np

from ._threads import mapped, parts
from .losses import Loss, SmoothedLoss
from .losses._base import Array, Curvature, Indices, Labels, checked_integers

# Entries of a group: a megabyte in float32.
GROUP_ENTRIES = 1 << 18
MIN_GROUP = 256

T = TypeVar("T")


class MeanLoss:
    """``sum_i w_i loss(z_i, y_i)`` with weights that sum to one, and its derivatives in the logits.

    Logits have shape (n, K) and are stored by columns; sums are float64.
    """

    def __init__(self, loss: Loss, y: Labels, weight: Array, n_outputs: int) -> None:
        self.loss = loss
        self.y = y
        self.weight = weight
        self.n_outputs = n_outputs

    def with_loss(self, loss: Loss) -> MeanLoss:
        """The mean of another loss of the same logits."""
        return MeanLoss(loss, self.y, self.weight, self.n_outputs)

    def weighted(self, weight: Array) -> MeanLoss:
        """The mean with other weights of the rows, taken as they are."""
        return MeanLoss(self.loss, self.y, weight, self.n_outputs)

    def take(self, indices: Indices, factor: float = 1.0) -> MeanLoss:
        """The mean over some of the rows, whose weights are multiplied by a factor."""
        return MeanLoss(self._part(indices), self.y[indices], self.weight[indices] * factor, self.n_outputs)

    @cached_property
    def mass_of_labels(self) -> Array:
        """Weight of the rows of each class, of which there are two where one output tells them apart."""
        n_labels = max(self.n_outputs, 2)
        mass: Array = np.bincount(checked_integers(self.y, n_labels), self.weight, n_labels).astype(np.float64)
        return mass

    @cached_property
    def label_mass(self) -> tuple[Array, Array]:
        """Weight of each output's own rows, shape (K,), and of all other rows."""
        if self.y.ndim == 2:
            return self.weight @ self.y, self.weight @ (1 - self.y)
        mass = self.mass_of_labels
        # Sums without the output's own rows: a difference would lose the weight of rare ones.
        others = np.where(np.eye(len(mass), dtype=bool), 0.0, mass).sum(axis=1)
        first = len(mass) - self.n_outputs
        return mass[first:], others[first:]

    @property
    def row_per_label(self) -> MeanLoss:
        """The mean with all rows of a label as one, for equal logits of all; itself if the loss tells rows apart."""
        if self.y.ndim == 2 or (isinstance(self.loss, SmoothedLoss) and np.ndim(self.loss.centre) > 0):
            return self
        mass = self.mass_of_labels
        return MeanLoss(self.loss, np.arange(len(mass)), mass, self.n_outputs)

    @cached_property
    def at_zero(self) -> float:
        """The mean loss of zero logits."""
        alike = self.row_per_label
        return alike.value(np.zeros((len(alike.weight), self.n_outputs)))

    def over_groups(self, function: Callable[[slice], T], width: int = 1) -> Iterator[T]:
        """The function's results for groups of rows, in order; see `skgradlinear._threads.mapped`.

        `width` arrays of the shape of a group's logits are about `GROUP_ENTRIES` numbers.
        """
        return mapped(function, parts(len(self.weight), max(MIN_GROUP, GROUP_ENTRIES // (width * self.n_outputs))))

    @property
    def one_group(self) -> bool:
        """Whether all rows together are no more than a group."""
        return len(self.weight) * self.n_outputs <= GROUP_ENTRIES

    @cached_property
    def coupled(self) -> bool:
        """Whether a row's outputs interact: its second derivative is then no diagonal matrix."""
        first = slice(0, 1)
        return bool(self.curvature_of(first, np.zeros((1, self.n_outputs))).dyads)

    def value(self, logits: Array) -> float:
        """The mean loss."""
        return sum(self.over_groups(lambda rows: self.mean(rows, self._part(rows).value(logits[rows], self.y[rows]))))

    def conjugate(self, rows: slice, dual: Array) -> float:
        """A group's share of the mean of the conjugates at dual rows; rows without weight do not count."""
        values = self._part(rows).conjugate(dual, self.y[rows])
        return self.mean(rows, np.where(self.weight[rows] > 0, values, 0))

    def value_and_gradient(self, rows: slice, logits: Array) -> tuple[float, Array]:
        """A group's share of the mean loss, and the gradient of each row's loss in its logits."""
        values, dlogits = self._part(rows).value_and_gradient(logits, self.y[rows])
        return self.mean(rows, values), dlogits

    def gradient_of(self, rows: slice, logits: Array) -> Array:
        """Gradient of the loss of each row of a group in its logits."""
        return self._part(rows).gradient(logits, self.y[rows])

    def curvature_of(self, rows: slice | Indices, logits: Array) -> Curvature:
        """Second derivative of the loss of each row of a group in its logits."""
        return self._part(rows).curvature(logits, self.y[rows])

    def second_order(self, rows: slice, logits: Array) -> tuple[float, Array, Curvature]:
        """A group's share of the mean loss, and gradient and second derivative of each row's loss in its logits."""
        values, dlogits, curvature = self._part(rows).second_order(logits, self.y[rows])
        return self.mean(rows, values), dlogits, curvature

    def dual_curvature(self, rows: slice, dual: Array) -> Curvature:
        """`curvature_of` a group by the gradient of each row's loss."""
        return self._part(rows).dual_curvature(dual, self.y[rows])

    def maximizer(self, logits: Array) -> Array:
        """The duals of a smoothed hinge, shape (n, K)."""
        dual = np.empty_like(logits)

        def fill(rows: slice) -> None:
            part = self._part(rows)
            assert isinstance(part, SmoothedLoss)
            dual[rows] = part.maximizer(logits[rows], self.y[rows])

        list(self.over_groups(fill))
        return dual

    def mean(self, rows: slice, values: Array) -> float:
        """Weighted sum over a group."""
        return float(self.weight[rows] @ values.astype(np.float64, copy=False))

    def _part(self, rows: slice | Indices) -> Loss:
        return self.loss.part(rows)
