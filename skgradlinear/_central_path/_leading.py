"""The couplings of many rows, from those that matter one by one and from class averages of the rest.

Near the end of a path few couplings are left, those of rows that are on a kink, and at its beginning all rows of a
class have the same. In between averages are not exact, and so are Newton's steps; what they prove is.
"""

from __future__ import annotations

import numpy as np

from ..losses._base import Array, Indices

# Couplings taken one by one, for each unknown, and how many times as many there have to be.
PER_UNKNOWN, LEAST_CHOICE = 4, 3


class Leading:
    """Sums ``sum_i a_ikl z_i z_i'`` for all pairs of classes, with the largest terms of all exact.

    Parameters
    ----------
    columns : ndarray of shape (d + 1, n)
        The rows z, one below another.
    own : ndarray of shape (n,)
        The class of each row.
    n_outputs : int
        The number K of classes.
    """

    def __init__(self, columns: Array, own: Indices, n_outputs: int) -> None:
        self.rows = np.ascontiguousarray(columns.T)
        self.first, self.second = np.triu_indices(n_outputs, 1)
        self.most = PER_UNKNOWN * n_outputs * len(columns)
        self.size = np.einsum("ij,ij->i", self.rows, self.rows)
        members = [self.rows[own == c] for c in range(n_outputs)]
        self.grams = np.stack([(part.T @ part).ravel() for part in members])
        # To sums over the rows of each class.
        self.sums = (own[:, None] == np.arange(n_outputs)) * self.size[:, None]
        self.own = own

    @staticmethod
    def suits(order: int, n_outputs: int, n_rows: int) -> bool:
        """Whether there are many more couplings than are taken one by one."""
        couplings = n_rows * n_outputs * (n_outputs - 1) // 2
        return bool(order > 1 and couplings > LEAST_CHOICE * PER_UNKNOWN * n_outputs * order)

    def couplings(self, values: Array) -> Array:
        """The sums of all pairs for coefficients (pairs, n), shape (K, d + 1, K, d + 1); zero on the diagonal."""
        n_outputs, order = len(self.grams), self.rows.shape[1]
        size = values * self.size
        bound = np.partition(size.ravel(), size.size - self.most)[size.size - self.most]
        large = size > bound
        rest = np.where(large, 0.0, values)
        share = np.where(large, 0.0, 1.0) @ self.sums
        level = np.divide(rest @ self.sums, share, out=np.zeros_like(share), where=share > 0)
        blocks = (level @ self.grams).reshape(-1, order, order)
        pairs, rows = np.nonzero(large)
        # The averages count these rows, too.
        above = np.maximum(values[pairs, rows] - level[pairs, self.own[rows]], 0.0)
        scaled = self.rows[rows] * np.sqrt(above)[:, None]
        ends = np.searchsorted(pairs, np.arange(len(blocks) + 1))
        for block, begin, end in zip(blocks, ends, ends[1:], strict=False):
            part = scaled[begin:end]
            block += part.T @ part
        couplings = np.zeros((n_outputs, order, n_outputs, order))
        couplings[self.first, :, self.second] = blocks
        couplings[self.second, :, self.first] = blocks
        return couplings
