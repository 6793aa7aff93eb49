"""Hinges: plain, squared and smoothed, over the violations of a margin form, and Crammer-Singer's maximum.

All are ``h(u) = max_p p . u - (mu/2) ||p - c||^2`` over a set of duals ``p``: a box for the forms that add up their
violations, the simplex for Crammer-Singer. ``mu = 0`` is the plain hinge, ``mu = 1/2, c = 0`` without an upper bound
the squared one, ``mu > 0`` the plain hinge smoothed around the centre ``c``.
"""

from __future__ import annotations

import copy
from abc import abstractmethod

import numpy as np

from ._base import DOMAIN_ROUNDING, Array, Curvature, Indices, Labels, Loss, check_logits, class_indices
from ._margins import Margins, OneVsRestMargins, WestonWatkinsMargins

Centre = Array | float


class NonSmoothLoss(Loss):
    """A loss with kinks, which offers smooth versions of itself with the same set of duals."""

    sparse_curvature = True
    default_centre: float

    @abstractmethod
    def smoothed(self, mu: float, centre: Centre | None = None) -> SmoothedLoss:
        """``max_p p . u - (mu/2) ||p - centre||^2``: below the loss by at most mu/2 times the squared diameter."""


class SmoothedLoss(Loss):
    """A smooth version of a `NonSmoothLoss`, which also knows the maximizer ``p``."""

    sparse_curvature = True
    centre: Centre
    mu: float

    def shortfall(self, n_outputs: int) -> float:
        """The most that ``(mu/2) ||p - c||^2`` can be at duals of zero or of one violation."""
        return 0.5 * self.mu * n_outputs

    def part(self, rows: Indices | slice) -> SmoothedLoss:
        """The loss of some of the rows, with their centres."""
        if np.ndim(self.centre) == 0:
            return self
        part = copy.copy(self)
        part.centre = np.asarray(self.centre)[rows]
        return part

    @abstractmethod
    def maximizer(self, logits: Array, y: Labels) -> Array:
        """The dual ``p`` that attains the maximum, shape (n, K): the next centre."""


class _BoxHinge(SmoothedLoss):
    """``sum_j max over 0 <= p_j <= upper of p_j u_j - (mu/2) (p_j - c_j)^2`` over the violations of a form."""

    def __init__(self, margins: Margins, mu: float, centre: Centre, upper: float) -> None:
        self.margins = margins
        self.mu = mu
        self.centre = centre
        self.upper = upper
        self.shift_invariant = margins.shift_invariant

    def __repr__(self) -> str:
        return f"{type(self.margins).__name__.removesuffix('Margins')} hinge smoothed with mu={self.mu:g}"

    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Hinge of each row, shape (n,), and its gradient ``M' p``, shape (n, K)."""
        logits, y = check_logits(logits, y)
        violation, dual = self._solve(logits, y)
        charge = dual * violation
        if self.mu:
            with np.errstate(invalid="ignore"):  # inf - inf, where the squared hinge is infinite
                charge -= self.mu / 2 * (dual - self._centre(logits, y)) ** 2
        value = charge.sum(axis=1)
        if not np.isfinite(value).all():
            value[np.isposinf(violation).any(axis=1)] = np.inf
        return value, self.margins.pull(dual, y)

    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """``M' diag(active) M / mu``: zero for the plain hinge, whose pieces are flat."""
        logits, y = check_logits(logits, y)
        if not self.mu:
            return Curvature(np.zeros_like(logits))
        _, dual = self._solve(logits, y)
        stiffness = ((dual > 0) & (dual < self.upper)).astype(logits.dtype)
        stiffness *= logits.dtype.type(1 / self.mu)
        return self.margins.curvature(stiffness, y)

    def curvature_bound(self, n_outputs: int) -> float:
        """``||M||^2 / mu``."""
        return self.margins.squared_norm(n_outputs) / self.mu if self.mu else np.inf

    def conjugate(self, dual: Array, y: Labels) -> Array:
        """``sum_j (mu/2) (p_j - c_j)^2 - p_j`` of the ``p`` behind `dual`, shape (n,); inf outside the box."""
        gradient, y = check_logits(dual, y)
        weights, outside = self.margins.duals(gradient, y)
        slack = DOMAIN_ROUNDING * np.finfo(gradient.dtype).eps
        outside = outside | ((weights < -slack) | (weights > self.upper * (1 + slack))).any(axis=1)
        weights = np.clip(weights, 0, self.upper)
        cost = -weights
        if self.mu:
            cost = cost + self.mu / 2 * (weights - self._centre(gradient, y)) ** 2
        return np.where(outside, np.inf, cost.sum(axis=1))

    def maximizer(self, logits: Array, y: Labels) -> Array:
        """The clipped ``p = c + u / mu`` of each violation, shape (n, K)."""
        return self._solve(*check_logits(logits, y))[1]

    def _solve(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Violations, raised to where ``p`` reaches zero, and ``p``."""
        dtype = logits.dtype.type
        violation = self.margins.violations(logits, y)
        if not self.mu:
            np.maximum(violation, 0, out=violation)
            return violation, (violation > 0).astype(logits.dtype)
        centre = self._centre(logits, y)
        np.maximum(violation, -dtype(self.mu) * centre, out=violation)
        dual = violation * dtype(1 / self.mu)
        dual += centre
        # The sum above is zero up to rounding where the violation was raised; the active set needs it exact.
        dual[violation <= -dtype(self.mu) * centre] = 0
        if np.isfinite(self.upper):
            np.minimum(dual, self.upper, out=dual)
        return violation, dual

    def _centre(self, logits: Array, y: Labels) -> Array:
        """The centre of each violation; zero where the row has none."""
        if not np.ndim(self.centre) and not self.centre:
            return np.zeros((1, 1), logits.dtype)
        if np.ndim(self.centre):
            return np.asarray(self.centre)
        centre = np.full_like(logits, self.centre)
        if isinstance(self.margins, WestonWatkinsMargins):
            centre[np.arange(len(logits)), class_indices(logits, y)] = 0
        return centre


class _PlainHinge(NonSmoothLoss):
    """``sum_j max(0, u_j)`` over the violations of a form."""

    margins: Margins
    # Half-way: the smoothing gap is then four times smaller than that of a one-sided Huber of equal curvature.
    default_centre = 0.5

    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Hinge of each row, shape (n,), and a subgradient (zero on the kink), shape (n, K)."""
        return _BoxHinge(self.margins, 0.0, 0.0, 1.0).value_and_gradient(logits, y)

    def value(self, logits: Array, y: Labels) -> Array:
        """Hinge of each row, shape (n,)."""
        violation = self.margins.violations(*check_logits(logits, y))
        charge: Array = np.maximum(violation, 0, out=violation).sum(axis=1)
        return charge

    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """Zero: the plain hinge is piecewise linear."""
        return _BoxHinge(self.margins, 0.0, 0.0, 1.0).curvature(logits, y)

    def conjugate(self, dual: Array, y: Labels) -> Array:
        """``-sum_j p_j`` of the ``p`` in [0, 1] behind `dual`, shape (n,); inf where there is none."""
        return _BoxHinge(self.margins, 0.0, 0.0, 1.0).conjugate(dual, y)

    def smoothed(self, mu: float, centre: Centre | None = None) -> SmoothedLoss:
        """The hinge with its duals drawn to `centre` (a number, or one per row and output) with weight `mu`."""
        return _BoxHinge(self.margins, mu, self.default_centre if centre is None else centre, 1.0)


class _SquaredHinge(Loss):
    """``sum_j max(0, u_j)^2`` over the violations of a form."""

    margins: Margins
    sparse_curvature = True

    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Squared hinge of each row, shape (n,), and its gradient, shape (n, K)."""
        return self._box().value_and_gradient(logits, y)

    def value(self, logits: Array, y: Labels) -> Array:
        """Squared hinge of each row, shape (n,)."""
        violation = self.margins.violations(*check_logits(logits, y))
        np.maximum(violation, 0, out=violation)
        charge: Array = np.square(violation, out=violation).sum(axis=1)
        return charge

    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """``2 M' diag(active) M`` of each row."""
        return self._box().curvature(logits, y)

    def curvature_bound(self, n_outputs: int) -> float:
        """``2 ||M||^2``."""
        return self._box().curvature_bound(n_outputs)

    def conjugate(self, dual: Array, y: Labels) -> Array:
        """``sum_j p_j^2 / 4 - p_j`` of the ``p >= 0`` behind `dual`, shape (n,); inf where there is none."""
        return self._box().conjugate(dual, y)

    def _box(self) -> _BoxHinge:
        return _BoxHinge(self.margins, 0.5, 0.0, np.inf)


class OneVsRestHinge(_PlainHinge):
    """Hinge of each output on its own, ``sum_k max(0, 1 - t_k z_k)`` with ``t`` in {-1, +1}.

    A subgradient is ``-t_k`` where the margin is violated. With one output this is the loss of the binary support
    vector machine.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Hinges"; Cortes & Vapnik (1995).

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear.losses import OneVsRestHinge
    >>> OneVsRestHinge().value(np.array([[0.5], [-2.0]]), np.array([1, 0])).tolist()
    [0.5, 0.0]
    """

    margins = OneVsRestMargins()


class OneVsRestSquaredHinge(_SquaredHinge):
    """Squared hinge of each output on its own, ``sum_k max(0, 1 - t_k z_k)^2``.

    Its gradient is ``-2 t_k max(0, 1 - t_k z_k)`` and its curvature 2 on the violated margins.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Hinges"; Fan et al. (2008), "LIBLINEAR", section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear.losses import OneVsRestSquaredHinge
    >>> OneVsRestSquaredHinge().value(np.array([[0.5], [-2.0]]), np.array([1, 0])).tolist()
    [0.25, 0.0]
    """

    margins = OneVsRestMargins()


class WestonWatkinsHinge(_PlainHinge):
    """``sum over j != y of max(0, 1 + z_j - z_y)``: every wrong class is charged.

    A subgradient has 1 at each class that violates its margin and minus their number at the label.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Hinges"; Weston & Watkins (1999), "Support vector machines for
    multi-class pattern recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear.losses import WestonWatkinsHinge
    >>> WestonWatkinsHinge().value_and_gradient(np.array([[3.2, 5.1, -1.7]]), np.array([0]))[0].round(6).tolist()
    [2.9]
    """

    margins = WestonWatkinsMargins()
    shift_invariant = True


class WestonWatkinsSquaredHinge(_SquaredHinge):
    """``sum over j != y of max(0, 1 + z_j - z_y)^2``.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Hinges"; Doğan, Glasmachers & Igel (2016), section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear.losses import WestonWatkinsSquaredHinge
    >>> WestonWatkinsSquaredHinge().value(np.array([[3.2, 5.1, -1.7]]), np.array([0])).round(6).tolist()
    [8.41]
    """

    margins = WestonWatkinsMargins()
    shift_invariant = True


class CrammerSingerHinge(NonSmoothLoss):
    """``max over j != y of max(0, 1 + z_j - z_y)``: only the worst wrong class is charged.

    A subgradient is ``e_j - e_y`` for a worst class j whose margin is violated. Its square is not differentiable where
    two classes tie, and is therefore not offered.

    Notes
    -----
    Derived in :doc:`/mathematics`, section "Hinges"; Crammer & Singer (2001), equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear.losses import CrammerSingerHinge
    >>> CrammerSingerHinge().value(np.array([[3.2, 5.1, 2.9]]), np.array([0])).round(6).tolist()
    [2.9]
    """

    shift_invariant = True
    default_centre = 0.0

    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Hinge of each row, shape (n,), and a subgradient (zero on the kink at 0), shape (n, K)."""
        logits, y = check_logits(logits, y)
        own = class_indices(logits, y)
        rows = np.arange(len(logits))
        violation = _simplex_violations(logits, own)
        # The own class comes first in a tie, so a row exactly on its margin gets the zero subgradient.
        worst = np.where(violation.max(axis=1) <= 0, own, violation.argmax(axis=1))
        gradient = np.zeros_like(logits)
        gradient[rows, worst] = 1
        gradient[rows, own] -= 1
        return violation[rows, worst], gradient

    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """Zero: the hinge is piecewise linear."""
        return Curvature(np.zeros_like(check_logits(logits, y)[0]))

    def conjugate(self, dual: Array, y: Labels) -> Array:
        """``-sum over j != y of p_j`` of ``p = dual + e_y`` on the simplex, shape (n,); inf elsewhere."""
        return SmoothedCrammerSingerHinge(0.0, 0.0).conjugate(dual, y)

    def smoothed(self, mu: float, centre: Centre | None = None) -> SmoothedLoss:
        """The hinge with its duals drawn to `centre` (a number, or one per row and class) with weight `mu`."""
        return SmoothedCrammerSingerHinge(mu, self.default_centre if centre is None else centre)


class SmoothedCrammerSingerHinge(SmoothedLoss):
    """``max over the simplex of p . u - (mu/2) ||p - c||^2`` with ``u_j = 1 + z_j - z_y`` and ``u_y = 0``."""

    shift_invariant = True

    def __init__(self, mu: float, centre: Centre) -> None:
        self.mu = mu
        self.centre = centre

    def value_and_gradient(self, logits: Array, y: Labels) -> tuple[Array, Array]:
        """Smoothed hinge of each row, shape (n,), and its gradient ``p - e_y``, shape (n, K)."""
        logits, y = check_logits(logits, y)
        own = class_indices(logits, y)
        violation = _simplex_violations(logits, own)
        dual = project_to_simplex(self.centre + violation / logits.dtype.type(self.mu))
        charge = np.multiply(dual, violation, out=np.zeros_like(violation), where=dual > 0)
        charge -= self.mu / 2 * (dual - self.centre) ** 2
        gradient = dual
        gradient[np.arange(len(own)), own] -= 1
        return charge.sum(axis=1), gradient

    def curvature(self, logits: Array, y: Labels) -> Curvature:
        """``(diag(a) - a a' / |a|) / mu`` over the classes with ``p > 0``: zero where there is just one."""
        logits, y = check_logits(logits, y)
        active = (self.maximizer(logits, y) > 0).astype(logits.dtype)
        count = active.sum(axis=1, keepdims=True)
        active[count[:, 0] <= 1] = 0
        return Curvature(active / self.mu, ((1.0, active / np.sqrt(self.mu * np.maximum(count, 1))),))

    def curvature_bound(self, n_outputs: int) -> float:
        """``1 / mu``: a projection does not expand."""
        return 1 / self.mu

    def conjugate(self, dual: Array, y: Labels) -> Array:
        """``(mu/2) ||p - c||^2 - sum over j != y of p_j`` of ``p = dual + e_y``, shape (n,); inf off the simplex."""
        gradient, y = check_logits(dual, y)
        own = (np.arange(len(gradient)), class_indices(gradient, y))
        mass = gradient.copy(order="K")
        mass[own] += 1
        slack = DOMAIN_ROUNDING * np.finfo(gradient.dtype).eps * mass.shape[1]
        outside = (mass < -slack).any(axis=1) | (np.abs(gradient.sum(axis=1)) > slack)
        charge = gradient[own] + (self.mu / 2 * ((mass - self.centre) ** 2).sum(axis=1) if self.mu else 0)
        return np.where(outside, np.inf, charge)

    def maximizer(self, logits: Array, y: Labels) -> Array:
        """Projection of ``c + u / mu`` on the simplex, shape (n, K)."""
        logits, y = check_logits(logits, y)
        violation = _simplex_violations(logits, class_indices(logits, y))
        return project_to_simplex(self.centre + violation / logits.dtype.type(self.mu))


def _simplex_violations(logits: Array, own: Labels) -> Array:
    """``1 + z_j - z_y`` and 0 at the own class, a new array."""
    rows = np.arange(len(logits))
    with np.errstate(invalid="ignore"):  # an infinite logit minus itself, overwritten below
        violation: Array = logits - logits[rows, own][:, None]
    violation += 1
    violation[rows, own] = 0
    return violation


def project_to_simplex(points: Array) -> Array:
    """Euclidean projection of each row on ``{p >= 0, sum p = 1}`` (a new array).

    The threshold comes from the sorted row (Duchi et al., 2008, figure 1); rows whose largest entry leads by 1 or more
    project on a corner and are not sorted.
    """
    largest = points.max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():
        limit = np.finfo(points.dtype).max / 4
        points, largest = np.clip(points, -limit, limit), np.clip(largest, -limit, limit)
    shifted = points - largest
    projected: Array = (shifted == 0).astype(points.dtype)
    rows = np.flatnonzero((shifted > -1).sum(axis=1) > 1)
    if len(rows):
        contested = shifted[rows]
        ordered = -np.sort(-contested, axis=1)
        excess = np.cumsum(np.maximum(ordered, -1), axis=1) - 1
        rank = np.arange(1, points.shape[1] + 1)
        support = (np.maximum(ordered, -1) * rank > excess).sum(axis=1)
        threshold = excess[np.arange(len(rows)), support - 1] / support
        projected[rows] = np.maximum(contested - threshold[:, None].astype(points.dtype), 0)
    return projected
