"""The weighted mean of the rows' losses, formed group of rows by group.

What a loss needs in between is then of the size of a group, which stays in a core's cache; only what is asked for is of
the size of the logits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .losses import Loss, SmoothedLoss
from .losses._base import Array, Curvature, Labels

# Entries of a group: half a megabyte in float32.
GROUP_ENTRIES = 1 << 17
MIN_GROUP = 256


class MeanLoss:
    """``sum_i w_i loss(z_i, y_i)`` with weights that sum to one, and its derivatives in the logits.

    Logits have shape (n, K) and are stored by columns; sums are float64.
    """

    def __init__(self, loss: Loss, y: Labels, weight: Array, row_weight: Array, n_outputs: int) -> None:
        self.loss = loss
        self.y = y
        self.weight = weight
        self.row_weight = row_weight
        self.n_outputs = n_outputs

    def groups(self, width: int = 1) -> Iterator[slice]:
        """Groups of rows; `width` arrays of the shape of a group's logits are about `GROUP_ENTRIES` numbers."""
        n_rows = len(self.weight)
        size = max(MIN_GROUP, GROUP_ENTRIES // (width * self.n_outputs))
        for start in range(0, n_rows, size):
            yield slice(start, min(start + size, n_rows))

    def value(self, logits: Array) -> float:
        """The mean loss."""
        return sum(self._mean(rows, self._part(rows).value(logits[rows], self.y[rows])) for rows in self.groups())

    def conjugate(self, dual: Array) -> float:
        """The mean of the conjugates of dual rows, shape (n, K); rows without weight do not count."""
        total = 0.0
        for rows in self.groups():
            values = self._part(rows).conjugate(dual[rows], self.y[rows])
            total += self._mean(rows, np.where(self.weight[rows] > 0, values, 0))
        return total

    def slope_of(self, rows: slice, logits: Array) -> tuple[float, Array]:
        """A group's share of the mean loss, and its gradient in the group's logits, weights included."""
        values, dlogits = self._part(rows).value_and_gradient(logits, self.y[rows])
        dlogits *= self.row_weight[rows]
        return self._mean(rows, values), dlogits

    def curvature_of(self, rows: slice, logits: Array) -> Curvature:
        """Second derivative of each row of a group in its logits, without the weights."""
        return self._part(rows).curvature(logits, self.y[rows])

    def second_order(self, logits: Array) -> tuple[float, Array, Curvature]:
        """The mean loss, and each row's gradient and curvature in its logits, without the weights."""
        groups = list(self.groups())
        if len(groups) == 1:
            values, dlogits, curvature = self.loss.second_order(logits, self.y)
            return self._mean(groups[0], values), dlogits, curvature
        curvature: Curvature | None = None
        total, dlogits = 0.0, np.empty_like(logits)
        for rows in groups:
            values, part, curved = self._part(rows).second_order(logits[rows], self.y[rows])
            total += self._mean(rows, values)
            dlogits[rows] = part
            curvature = curvature or curved.like(logits)
            curvature.put(rows, curved)
        assert curvature is not None
        return total, dlogits, curvature

    def maximizer(self, logits: Array) -> Array:
        """The duals of a smoothed hinge, shape (n, K)."""
        dual = np.empty_like(logits)
        for rows in self.groups():
            part = self._part(rows)
            assert isinstance(part, SmoothedLoss)
            dual[rows] = part.maximizer(logits[rows], self.y[rows])
        return dual

    def _part(self, rows: slice) -> Loss:
        return self.loss.part(rows)

    def _mean(self, rows: slice, values: Array) -> float:
        return float(self.weight[rows] @ values.astype(np.float64, copy=False))
