"""Margin violations: the affine maps ``u = off + M z`` that the separable hinges share.

A form knows which violations a row of logits has, how a vector ``p`` over the violations becomes a gradient in the
logits (``M' p``), and the Hessian ``M' diag(a) M``. What is charged for a violation is the hinge's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ._base import DOMAIN_ROUNDING, Array, Curvature, Labels, Mask, class_indices, signed


class Margins(ABC):
    """Violations of one form and the adjoint of their map; all arrays of shape (n, K)."""

    shift_invariant: bool

    @abstractmethod
    def violations(self, logits: Array, y: Labels) -> Array:
        """``u = off + M z``, a new array; entries that are no violation of the row hold -inf."""

    @abstractmethod
    def pull(self, dual: Array, y: Labels) -> Array:
        """``M' dual``: the gradient in the logits that weighs violation j with ``dual_j``."""

    @abstractmethod
    def curvature(self, stiffness: Array, y: Labels) -> Curvature:
        """``M' diag(stiffness) M`` of each row."""

    @abstractmethod
    def squared_norm(self, n_outputs: int) -> float:
        """``||M||^2`` for a row of so many outputs."""

    @abstractmethod
    def duals(self, gradient: Array, y: Labels) -> tuple[Array, Mask]:
        """The ``dual`` with ``M' dual = gradient`` and, shape (n,), whether a row has none."""


class OneVsRestMargins(Margins):
    """``u_k = 1 - t_k z_k``: output k on its own, with ``t_k`` = +1 for its rows and -1 for the others."""

    shift_invariant = False

    def violations(self, logits: Array, y: Labels) -> Array:
        """``1 - t_k z_k``."""
        violation = signed(-logits, y)
        violation += 1
        return violation

    def pull(self, dual: Array, y: Labels) -> Array:
        """``-t_k dual_k``."""
        return signed(-dual, y)

    def curvature(self, stiffness: Array, y: Labels) -> Curvature:
        """The diagonal `stiffness` itself, since ``t_k**2 = 1``."""
        return Curvature(stiffness)

    def squared_norm(self, n_outputs: int) -> float:
        """1: ``M`` is a diagonal of signs."""
        return 1.0

    def duals(self, gradient: Array, y: Labels) -> tuple[Array, Mask]:
        """``-t_k gradient_k``; every row has one."""
        return signed(-gradient, y), np.zeros(len(gradient), dtype=bool)


class WestonWatkinsMargins(Margins):
    """``u_j = 1 + z_j - z_y`` for every wrong class j (Weston & Watkins, 1999)."""

    shift_invariant = True

    def violations(self, logits: Array, y: Labels) -> Array:
        """``1 + z_j - z_y``, and -inf at the row's own class."""
        own = (np.arange(len(logits)), class_indices(logits, y))
        with np.errstate(invalid="ignore"):  # an infinite logit minus itself, overwritten below
            violation: Array = logits - logits[own][:, None]
        violation += 1
        violation[own] = -np.inf
        return violation

    def pull(self, dual: Array, y: Labels) -> Array:
        """``dual_j`` for the wrong classes, minus their sum at the row's own."""
        own = (np.arange(len(dual)), class_indices(dual, y))
        gradient = dual.copy(order="K")
        gradient[own] = 0
        gradient[own] = -gradient.sum(axis=1)
        return gradient

    def curvature(self, stiffness: Array, y: Labels) -> Curvature:
        """``sum_j a_j (e_j - e_y)(e_j - e_y)'`` as a diagonal and the two dyads of ``-a e_y' - e_y a'``."""
        own = (np.arange(len(stiffness)), class_indices(stiffness, y))
        total = stiffness.sum(axis=1)
        # -a e' - e a' = (a/s - s e)(a/s - s e)'/2 - (a/s + s e)(a/s + s e)'/2 for any s > 0; this s balances the two.
        balance = np.sqrt(np.where(total > 0, np.sqrt((stiffness**2).sum(axis=1)), 1))
        half = np.sqrt(0.5)
        shared = stiffness * (half / balance)[:, None]
        plus, minus = shared.copy(order="K"), shared
        plus[own] += half * balance
        minus[own] -= half * balance
        diagonal = stiffness.copy(order="K")
        diagonal[own] += total
        idle = total == 0
        plus[idle] = minus[idle] = 0
        return Curvature(diagonal, ((1.0, plus), (-1.0, minus)))

    def squared_norm(self, n_outputs: int) -> float:
        """K: ``M'M`` is the Laplacian of a star with K - 1 leaves."""
        return float(n_outputs)

    def duals(self, gradient: Array, y: Labels) -> tuple[Array, Mask]:
        """The gradient without its own-class entry, which must balance the others."""
        own = (np.arange(len(gradient)), class_indices(gradient, y))
        dual = gradient.copy(order="K")
        dual[own] = 0
        slack = DOMAIN_ROUNDING * np.finfo(gradient.dtype).eps * (1 + np.abs(dual).sum(axis=1))
        return dual, np.abs(gradient.sum(axis=1)) > slack
