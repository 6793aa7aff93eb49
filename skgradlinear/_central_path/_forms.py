"""The forms of hinges: their violations, and the Newton systems of their central paths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from .._systems import UNIT_RIDGE, scaled_solver
from ..losses._base import Array, Labels, class_indices, signed
from ._leading import Leading

# Up to so many multiplications for all couplings of all rows none is left out: with hardly a penalty every one matters.
MANY_PRODUCTS = 1e8
# A row has as many couplings of Weston-Watkins as wrong classes, each of the size of the squared number of columns, and
# to look through the pairs of classes for them costs this much for each class.
MANY_CLASSES = 40


class Form(ABC):
    """The violations ``u = off + M z`` of one form, its Hessian, and which outputs walk together.

    Arrays have rows last, parameters too: (K, n) and (K, d + 1).

    Parameters
    ----------
    columns : ndarray of shape (d + 1, n)
        The rows z, one below another.
    y : ndarray
        Their labels.
    stiffness : ndarray of shape (d + 1,)
        Second derivative of the penalty.
    n_outputs : int
        The number K.
    """

    offsets: Array

    def __init__(self, columns: Array, y: Labels, stiffness: Array, n_outputs: int) -> None:
        self.columns = columns
        self.stiffness = stiffness
        self.offsets = np.ones((n_outputs, columns.shape[1]))

    @staticmethod
    @abstractmethod
    def costs(n_rows: int, order: int, n_outputs: int) -> tuple[int, int, int]:
        """Multiplications for a Hessian, unknowns of a system, and violations."""

    @abstractmethod
    def factor(self, curvature: Array) -> Callable[[Array], Array]:
        """Solution of the Newton system for curvatures (K, n) of the outputs, with their weights."""

    @abstractmethod
    def push(self, logits: Array) -> Array:
        """``M z``, of (..., K, n) logits."""

    @abstractmethod
    def pull(self, duals: Array) -> Array:
        """``M' p``, of (..., K, n) duals."""

    @abstractmethod
    def together(self, values: Array) -> Array:
        """Sums over outputs that walk together."""

    @abstractmethod
    def shortest(self, lengths: Array) -> Array:
        """The shortest of the lengths of outputs that walk together."""


class Separate(Form):
    """One-versus-rest: each output is a problem of its own, with a barrier and a length of its own."""

    def __init__(self, columns: Array, y: Labels, stiffness: Array, n_outputs: int) -> None:
        super().__init__(columns, y, stiffness, n_outputs)
        self.sign = np.ascontiguousarray(signed(-self.offsets.T, y).T)

    @staticmethod
    def costs(n_rows: int, order: int, n_outputs: int) -> tuple[int, int, int]:
        return n_rows * n_outputs * order**2, order, n_rows * n_outputs

    def factor(self, curvature: Array) -> Callable[[Array], Array]:
        solves = [_factored((self.columns * share) @ self.columns.T, self.stiffness) for share in curvature]
        return lambda gradient: np.stack([f(g) for f, g in zip(solves, gradient, strict=True)])

    def push(self, logits: Array) -> Array:
        return self.sign * logits

    def pull(self, duals: Array) -> Array:
        return self.sign * duals

    def together(self, values: Array) -> Array:
        return values

    def shortest(self, lengths: Array) -> Array:
        return lengths


class _Coupled(Form):
    """Violations ``1 + z_j - z_y`` of the wrong classes: one system for all classes."""

    def __init__(self, columns: Array, y: Labels, stiffness: Array, n_outputs: int) -> None:
        super().__init__(columns, y, stiffness, n_outputs)
        self.own = class_indices(self.offsets.T, y), np.arange(columns.shape[1])
        self.offsets[self.own] = 0.0
        self.leading = Leading(columns, self.own[0], n_outputs) if self.crowded() else None

    def crowded(self) -> bool:
        """Whether the largest couplings are found in less time than all of them take."""
        (n_outputs, n_rows), order = self.offsets.shape, len(self.columns)
        return n_rows * (n_outputs * order) ** 2 > MANY_PRODUCTS and Leading.suits(order, n_outputs, n_rows)

    @abstractmethod
    def couplings(self, curvature: Array) -> Array:
        """Minus the blocks of the Hessian off its diagonal, shape (K, d + 1, K, d + 1); those on it are zero."""

    def factor(self, curvature: Array) -> Callable[[Array], Array]:
        order, n_outputs = len(self.columns), len(curvature)
        couplings = self.couplings(curvature)
        # A common shift of the classes is free, so that blocks of a row add up to zero.
        diagonal = couplings.sum(axis=2)
        hessian = np.negative(couplings, out=couplings)
        np.einsum("kjkl->kjl", hessian)[:] += diagonal
        # Directions have none of that shift, so any curvature may be given to it.
        level = np.einsum("kjj->j", diagonal) / n_outputs**2
        np.einsum("kjlj->klj", hessian)[:] += level
        solve = _factored(hessian.reshape(n_outputs * order, -1), np.tile(self.stiffness, n_outputs))

        def without_shift(gradient: Array) -> Array:
            solution = solve(gradient.ravel()).reshape(gradient.shape)
            solution -= solution.mean(axis=0)
            return solution

        return without_shift

    def push(self, logits: Array) -> Array:
        pushed: Array = logits - logits[..., *self.own][..., None, :]
        return pushed

    def pull(self, duals: Array) -> Array:
        pulled = duals.copy()
        pulled[..., *self.own] -= duals.sum(axis=-2)
        return pulled

    def together(self, values: Array) -> Array:
        total: Array = values.sum(keepdims=True)
        return total

    def shortest(self, lengths: Array) -> Array:
        least: Array = lengths.min(keepdims=True)
        return least


class WestonWatkins(_Coupled):
    """Weston-Watkins: rows of class c couple it with every other class, through ``sum_i a_ik z_i z_i'`` over them."""

    def __init__(self, columns: Array, y: Labels, stiffness: Array, n_outputs: int) -> None:
        super().__init__(columns, y, stiffness, n_outputs)
        self.members = [np.flatnonzero(self.own[0] == c) for c in range(n_outputs)]
        self.parts = [np.ascontiguousarray(columns[:, members]) for members in self.members]

    @staticmethod
    def costs(n_rows: int, order: int, n_outputs: int) -> tuple[int, int, int]:
        return n_rows * n_outputs * order**2, n_outputs * order, n_rows * n_outputs

    def crowded(self) -> bool:
        # Every class has couplings with its own rows only.
        return super().crowded() and len(self.columns) ** 2 > MANY_CLASSES * len(self.offsets)

    def couplings(self, curvature: Array) -> Array:
        order, n_outputs = len(self.columns), len(curvature)
        if self.leading is not None:
            own, first, second = self.own[0], self.leading.first, self.leading.second
            of_first, of_second = own == first[:, None], own == second[:, None]
            return self.leading.couplings(curvature[second] * of_first + curvature[first] * of_second)
        couplings = np.zeros((n_outputs, order, n_outputs, order))
        for c, (members, part) in enumerate(zip(self.members, self.parts, strict=True)):
            scaled = curvature[:, None, members] * part
            grams = (scaled.reshape(n_outputs * order, -1) @ part.T).reshape(n_outputs, order, order)
            # The own class has no weight, and so no coupling with itself.
            couplings[:, :, c] += grams
            couplings[c] += grams.transpose(1, 0, 2)
        return couplings


class CrammerSinger(_Coupled):
    """Crammer-Singer: two classes of a row are coupled by ``t_k t_l / sum(t)``, whichever is its own."""

    @staticmethod
    def costs(n_rows: int, order: int, n_outputs: int) -> tuple[int, int, int]:
        return n_rows * (n_outputs * order) ** 2, n_outputs * order, n_rows * n_outputs

    def couplings(self, curvature: Array) -> Array:
        order, n_outputs = len(self.columns), len(curvature)
        shares = curvature / np.sqrt(curvature.sum(axis=0))
        if self.leading is not None:
            return self.leading.couplings(shares[self.leading.first] * shares[self.leading.second])
        scaled = (shares[:, None] * self.columns).reshape(n_outputs * order, -1)
        couplings: Array = (scaled @ scaled.T).reshape(n_outputs, order, n_outputs, order)
        np.einsum("kjkl->kjl", couplings)[:] = 0.0
        return couplings


def _factored(matrix: Array, stiffness: Array) -> Callable[[Array], Array]:
    """Solution with a matrix plus a stiffness."""
    np.einsum("ii->i", matrix)[:] += stiffness + np.finfo(np.float64).tiny
    return scaled_solver(matrix, UNIT_RIDGE)
