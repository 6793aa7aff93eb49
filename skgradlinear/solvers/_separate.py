"""One-versus-rest hinges of few dense columns or sparse rows: every output takes Newton steps of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._separate_hinges import SeparateHinges
from ._centre import Centre
from ._result import Array, Callback, History, Result, Status, stalled

if TYPE_CHECKING:
    from .._objective import Objective


def separately(
    objective: Objective,
    params: Array | None,
    tol: float,
    max_iter: int,
    callback: Callback | None,
    state: Centre | None,
) -> Result:
    """Minimize an objective with a one-versus-rest hinge, plain or squared, whose outputs are apart.

    A step is one of each output that is not at its end. See `skgradlinear._separate_hinges`.
    """
    start = None if params is None else objective.shaped(params)
    hinges = SeparateHinges(objective, start, None if state is None else state.dual)
    if start is not None:
        # A bias that is all that a start lacks is found without a step.
        hinges.prove(tol)
    history = History(callback)
    status = Status.MAX_ITER
    for n_iter in range(max_iter + 1):
        value, bound = hinges.value, hinges.bound
        measure = objective.relative_gap(value, max(value - bound, 0.0))
        if measure <= tol or n_iter == max_iter:
            # What is claimed is claimed of logits formed from X.
            value = hinges.claimed()
            measure = objective.relative_gap(value, max(value - bound, 0.0))
        stopped = history.note(value, measure, None if callback is None else hinges.params)
        if measure <= tol:
            status = Status.CONVERGED
            break
        if stopped or n_iter == max_iter:
            status = Status.INTERRUPTED if stopped else Status.MAX_ITER
            break
        if stalled(history.iterations) or not hinges.advance(tol):
            status = Status.STALLED
            break
    if status in (Status.INTERRUPTED, Status.STALLED):
        value = hinges.claimed()
        measure = objective.relative_gap(value, max(value - bound, 0.0))
    return Result(
        hinges.params,
        value,
        max(value - bound, 0.0),
        measure,
        history.n_iter,
        status,
        tuple(history.iterations),
        Centre(hinges.mu, hinges.duals()) if objective.non_smooth else None,
    )
