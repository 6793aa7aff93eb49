"""The sets of the duals of a hinge: groups of entries, whose duals are positive."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..losses._base import Array


class Domain(ABC):
    """One set of duals; arrays of entries have shape (E, G, n) for G groups of E entries for each of n rows.

    A group with the violations ``u`` of its entries charges ``max_p p . u - cost(p)``. Its slacks are ``r = xi - u``.
    """

    # Multiples of duals in the set that are in it as well, besides smaller ones.
    most: float

    @abstractmethod
    def entries(self, violations: Array) -> Array:
        """The violations (K, n) of the outputs as those of the entries."""

    @abstractmethod
    def outputs(self, entries: Array) -> Array:
        """The entries that are the outputs' own, shape (K, n); not to be written to."""

    @abstractmethod
    def changes(self, outputs: Array) -> Array:
        """Changes of the outputs' duals (K, n) as those of the entries."""

    @abstractmethod
    def start(self, offsets: Array) -> Array:
        """Duals to begin with, where ``xi`` is one more than the largest violation."""

    @abstractmethod
    def charge(self, violations: Array) -> Array:
        """What each group is charged, shape (G, n)."""

    @abstractmethod
    def bend(self, duals: Array) -> Array:
        """Twice the cost of the outputs' duals (K, n), which is quadratic."""

    @abstractmethod
    def lag(self, dual: Array, level: Array) -> Array:
        """How far the ``xi`` that suit the duals are from those at hand, the level, shape (G, n)."""

    @abstractmethod
    def groups(self, weight: Array, offsets: Array) -> Array:
        """Weight of each group, shape (G, n), from those of the rows and the outputs' violations of zero logits."""

    @abstractmethod
    def feasible(self, duals: Array) -> Array:
        """Duals of the outputs (K, n) that are in the set but for rounding, in the set."""

    @abstractmethod
    def curvature(self, dual: Array, room: Array) -> Array:
        """``H`` of Newton's change of duals, in a form of shape (K, n)."""

    @abstractmethod
    def response(self, curvature: Array, dviolations: Array, reach: Array) -> Array:
        """Newton's change of the outputs' duals, ``H (du + m / p - r)``, for the entries' reach ``m / p - r - lag``."""


class Bounded(Domain):
    """Duals that add up to 1 in each group and cost nothing: the largest violation of the group is charged."""

    most = 1.0

    def bend(self, duals: Array) -> Array:
        return np.zeros_like(duals)

    def lag(self, dual: Array, level: Array) -> Array:
        # Sums of duals stay 1 whatever the level.
        return np.zeros_like(level)


class Box(Bounded):
    """``0 <= p <= 1``: each violation is a group with an entry of no violation, whose dual is ``1 - p``."""

    def entries(self, violations: Array) -> Array:
        return np.array((violations, np.zeros_like(violations)))

    def outputs(self, entries: Array) -> Array:
        own: Array = entries[0]
        return own

    def changes(self, outputs: Array) -> Array:
        return np.array((outputs, -outputs))

    def start(self, offsets: Array) -> Array:
        return np.full((2, *offsets.shape), 0.5)

    def charge(self, violations: Array) -> Array:
        charged: Array = np.maximum(violations, 0)
        return charged

    def groups(self, weight: Array, offsets: Array) -> Array:
        # A row's own class is no violation of it: without weight it stays by itself in the middle of the path.
        return weight * offsets

    def feasible(self, duals: Array) -> Array:
        return np.clip(duals, 0, 1)

    def curvature(self, dual: Array, room: Array) -> Array:
        theta: Array = 1 / (room / dual).sum(axis=0)
        return theta

    def response(self, curvature: Array, dviolations: Array, reach: Array) -> Array:
        response: Array = curvature * (dviolations + reach[0] - reach[1])
        return response


class Simplex(Bounded):
    """``p >= 0, sum p = 1``: the outputs of a row are the entries of its one group."""

    def entries(self, violations: Array) -> Array:
        return violations[:, None]

    def outputs(self, entries: Array) -> Array:
        return entries[:, 0]

    def changes(self, outputs: Array) -> Array:
        return outputs[:, None]

    def start(self, offsets: Array) -> Array:
        dual = offsets * (0.5 / max(len(offsets) - 1, 1))
        dual += (1 - offsets) * (1 - dual.sum(axis=0))
        return dual[:, None]

    def charge(self, violations: Array) -> Array:
        charged: Array = violations.max(axis=0, keepdims=True)
        return charged

    def groups(self, weight: Array, offsets: Array) -> Array:
        return weight[None]

    def feasible(self, duals: Array) -> Array:
        duals = np.maximum(duals, 0)
        # What is left over is the dual of the row's own class, which costs nothing.
        duals /= np.maximum(duals.sum(axis=0), 1)
        return duals

    def curvature(self, dual: Array, room: Array) -> Array:
        return (dual / room)[:, 0]

    def response(self, curvature: Array, dviolations: Array, reach: Array) -> Array:
        heights = dviolations + reach[:, 0]
        total = curvature.sum(axis=0)
        # Twice: an entry of overwhelming curvature is all of the mean, and keeps its digits only once that is removed.
        for _ in range(2):
            heights = heights - (curvature * heights).sum(axis=0) / total
        return curvature * heights


class Ray(Domain):
    """``p >= 0`` at a cost of ``p^2 / 4``: each violation is a group of its own, whose ``xi = p / 2`` is squared."""

    most = np.inf

    def entries(self, violations: Array) -> Array:
        return violations[None]

    def outputs(self, entries: Array) -> Array:
        own: Array = entries[0]
        return own

    def changes(self, outputs: Array) -> Array:
        return outputs[None]

    def start(self, offsets: Array) -> Array:
        return 2 * (offsets[None] + 1)

    def charge(self, violations: Array) -> Array:
        charged: Array = np.maximum(violations, 0) ** 2
        return charged

    def bend(self, duals: Array) -> Array:
        bend: Array = duals**2 / 2
        return bend

    def lag(self, dual: Array, level: Array) -> Array:
        lag: Array = dual[0] / 2 - level
        return lag

    def groups(self, weight: Array, offsets: Array) -> Array:
        return weight * offsets

    def feasible(self, duals: Array) -> Array:
        return np.maximum(duals, 0)

    def curvature(self, dual: Array, room: Array) -> Array:
        curvature: Array = 1 / (room / dual + 0.5)[0]
        return curvature

    def response(self, curvature: Array, dviolations: Array, reach: Array) -> Array:
        response: Array = curvature * (dviolations + reach[0])
        return response
