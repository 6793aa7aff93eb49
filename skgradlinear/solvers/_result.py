"""What a solver returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .._objective import Objective

Array = NDArray[np.floating]


class Status(Enum):
    """Why a solver stopped; the value is the message for the user."""

    CONVERGED = "converged: the certificate holds"
    MAX_ITER = "stopped at max_iter; raise max_iter, or accept more with a larger tol or alpha"
    STALLED = "found no further decrease in this precision; raise tol or alpha"


@dataclass(frozen=True)
class Iteration:
    """One line of a solver's history, and what its callback is given.

    Parameters
    ----------
    n_iter : int
        Number of steps taken so far.
    value : float
        Objective.
    measure : float
        Relative duality gap (without a penalty: the scaled gradient), what ``tol`` is compared with.
    """

    n_iter: int
    value: float
    measure: float


@dataclass(frozen=True)
class Result:
    """Where a solver stopped and what it proved there.

    Parameters
    ----------
    params : ndarray of shape (d + 1, K)
        The solution in the objective's (standardized) units; the bias is the last row.
    value : float
        Objective there.
    gap : float
        Certified bound on `value` minus the minimum; nan if alpha is 0.
    measure : float
        The gap relative to the objective, or the scaled gradient if alpha is 0.
    n_iter : int
        Number of steps.
    status : Status
        Why it stopped.
    history : tuple of Iteration
        One entry for the start and each step.
    state : object
        What a warm start of the same solver can use besides `params`; None if nothing.
    """

    params: Array
    value: float
    gap: float
    measure: float
    n_iter: int
    status: Status
    history: tuple[Iteration, ...] = field(repr=False)
    state: Any = field(default=None, repr=False)


Callback = Callable[[Iteration], Any]

# Iterations without a better certificate, or a lower objective, before a solver gives up in this precision.
PATIENCE = 60


def stalled(history: list[Iteration]) -> bool:
    """Whether neither the certificate nor the objective has improved for `PATIENCE` iterations."""
    if len(history) <= PATIENCE:
        return False
    recent, past = history[-PATIENCE:], history[:-PATIENCE]
    better_proof = min(i.measure for i in recent) < 0.9 * min(i.measure for i in past)
    lowest = min(i.value for i in past)
    return not better_proof and min(i.value for i in recent) >= lowest - 1e-9 * abs(lowest)


def check_options(solver: str, objective: Objective, tol: float, max_iter: int) -> None:
    """Raise unless the options are in range and the solver, for smooth losses or for kinks, fits the objective."""
    if objective.non_smooth != (solver == "recentred"):
        fits = "'recentred'" if objective.non_smooth else "'subspace_newton' or 'lbfgs'"
        raise ValueError(f"solver {solver!r} does not fit {objective.loss!r}; use {fits}, or 'auto'.")
    if objective.non_smooth and not objective.alpha:
        raise ValueError(f"{objective.loss!r} with alpha=0 has no certificate; use a positive alpha, however small.")
    if not tol > 0:
        raise ValueError(f"tol must be a number > 0; got {tol!r}.")
    if not max_iter >= 0:
        raise ValueError(f"max_iter must be an integer >= 0; got {max_iter!r}.")
