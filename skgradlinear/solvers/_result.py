"""What a solver returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from time import perf_counter
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
    MAX_EPOCHS = (
        "stopped at the solver's max_epochs; raise max_epochs, let the learning rate decay, or accept more with a "
        "larger tol or alpha"
    )
    EARLY = "stopped early: the loss of the held-out rows has not improved for `patience` epochs"
    INTERRUPTED = "stopped because a callback asked for it"
    STALLED = "found no further decrease in this precision; raise tol or alpha"


@dataclass(frozen=True)
class Iteration:
    """One line of a solver's history, and what its callback is given.

    Parameters
    ----------
    n_iter : int
        Number of steps taken so far; of epochs for first-order solvers.
    value : float
        Objective.
    measure : float
        Relative duality gap (without a penalty: the scaled gradient), what ``tol`` is compared with.
    seconds : float
        Time since the solver was started. Two iterations that differ in nothing else are equal.
    """

    n_iter: int
    value: float
    measure: float
    seconds: float = field(default=0.0, compare=False)

    def after(self, earlier: Iteration) -> Iteration:
        """The same iteration of a solver that went on where another one had ended."""
        return replace(self, n_iter=earlier.n_iter + self.n_iter, seconds=earlier.seconds + self.seconds)


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

    def after(self, earlier: Result) -> Result:
        """The same result of a solver that went on where an earlier one had ended."""
        later = tuple(iteration.after(earlier.history[-1]) for iteration in self.history)
        return replace(self, n_iter=earlier.n_iter + self.n_iter, history=earlier.history[:-1] + later)


# Called with an iteration and the parameters there, at the start and after each step; a true return value stops.
Callback = Callable[[Iteration, Array], Any]


class History:
    """The iterations of a solver that is running, and its callback."""

    def __init__(self, callback: Callback | None) -> None:
        self.iterations: list[Iteration] = []
        self.stopped = False
        self._callback = callback
        self._started = perf_counter()

    def note(self, value: float, measure: float, params: Array | None) -> bool:
        """Record a point and show it to the callback, without which there need be no parameters; whether that stops."""
        seconds = perf_counter() - self._started
        self.iterations.append(Iteration(len(self.iterations), value, measure, seconds))
        if self._callback is not None and params is not None:
            self.stopped = bool(self._callback(self.iterations[-1], params))
        return self.stopped

    def amend(self, value: float, measure: float) -> None:
        """Record what became of the last point."""
        self.iterations[-1] = replace(self.iterations[-1], value=value, measure=measure)

    @property
    def n_iter(self) -> int:
        """Number of steps so far."""
        return len(self.iterations) - 1

    def result(self, point: Any, certificate: Any, status: Status) -> Result:
        """The result of a solver that ends at a point with this certificate."""
        return Result(
            point.params,
            point.value,
            certificate.gap,
            certificate.measure,
            self.n_iter,
            status,
            tuple(self.iterations),
        )


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


def check_limits(objective: Objective, tol: float, max_iter: int) -> None:
    """Raise unless the options are in range, and there is something to prove a hinge's solution by."""
    if objective.non_smooth and not objective.alpha:
        raise ValueError(f"{objective.loss!r} with alpha=0 has no certificate; use a positive alpha, however small.")
    if not tol > 0:
        raise ValueError(f"tol must be a number > 0; got {tol!r}.")
    if not max_iter >= 0:
        raise ValueError(f"max_iter must be an integer >= 0; got {max_iter!r}.")


def check_smooth(solver: str, objective: Objective) -> None:
    """Raise if a solver that needs a smooth loss is given a plain hinge."""
    if objective.non_smooth:
        raise ValueError(
            f"solver {solver} does not fit {objective.loss!r}, which has kinks; use 'recentred', GradientDescent(), "
            "SGD(), Adam() or 'auto'."
        )


def check_kinks(solver: str, objective: Objective) -> None:
    """Raise if a solver of plain hinges is given a smooth loss."""
    if not objective.non_smooth:
        raise ValueError(f"solver {solver} does not fit {objective.loss!r}; use 'subspace_newton', 'lbfgs' or 'auto'.")
