"""Where a hinge was last smoothed: what solvers of plain hinges hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._result import Array

if TYPE_CHECKING:
    from .._central_path import Waypoint
    from .._objective import Objective
    from .._standardization import Standardization

# The smoothing starts wide and adapts.
FIRST_MU = 8.0
# A solution is half found at this gap. Five folds of nine problems that began there, and ended at the same gap, took
# half as long as the fit to as long; from a gap of 0.5 on, 0.4 to 1.1 times as long.
HALFWAY = 0.3


@dataclass(frozen=True)
class Centre:
    """Where a hinge was last smoothed.

    Parameters
    ----------
    mu : float
        Weight of the smoothing.
    dual : ndarray of shape (n, K) or None
        Duals of every row's violations; None for the loss's own centre.
    waypoint : Waypoint or Halfway or None
        The middle of the way that led here, if it is known.
    """

    mu: float
    dual: Array | None
    waypoint: Waypoint | Halfway | None = None


@dataclass(frozen=True)
class Halfway:
    """A point half way to a solution, from which that of a similar problem on the same rows is near.

    Parameters
    ----------
    params : ndarray of shape (d + 1, K)
        Parameters, in the units of `standardization`.
    standardization : Standardization
        Those units.
    centre : Centre
        Where the hinge was smoothed there.
    """

    params: Array
    standardization: Standardization
    centre: Centre

    def params_of(self, objective: Objective) -> Array:
        """The parameters in the units of another objective."""
        return objective.standardization.from_units_of(self.standardization, self.params)


def check_state(state: object, objective: Objective) -> None:
    """Raise if a state holds duals of other rows or outputs."""
    shape = len(objective.weight), objective.shape[1]
    if isinstance(state, Centre) and state.dual is not None and np.shape(state.dual) != shape:
        raise ValueError(
            f"state holds duals of shape {np.shape(state.dual)}, but the problem has {shape[0]} rows and {shape[1]} "
            "outputs; pass the state of a solution on the same rows, or its waypoint."
        )
