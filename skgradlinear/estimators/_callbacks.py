"""What scikit-learn's callbacks are told of a fit. The one place that depends on its version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..losses._base import Array
from ..solvers import Iteration

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks to support."""

    def with_callbacks(method: Any) -> Any:
        """The method itself."""
        return method


Watcher = Callable[[Iteration, Array], Any]

__all__ = ["CallbackSupportMixin", "FitTasks", "Watcher", "each_of", "of_iteration", "with_callbacks"]


# The names of an earlier fit would stay on a copy of the estimator.
NO_NAMES = {"feature_names_in_": None}


class FitTasks:
    """The tasks of a fit: itself, and under it one for each iteration of the solver.

    A task begins when its iteration does, so that the last one may have begun when the solver ends; it is ended then,
    and has nothing to show.

    Parameters
    ----------
    estimator : LinearClassifier
        What is fitted.
    data : dict
        X, y and metadata as they were passed to `fit`.
    max_iter : int
        Largest number of iterations.
    """

    def __init__(self, estimator: Any, data: dict[str, Any], max_iter: int) -> None:
        self._told = {"estimator": estimator, **data}
        self._max_iter = max_iter
        self._fit = estimator._init_callback_context(max_subtasks=max_iter)
        self._fit.call_on_fit_task_begin(**self._told)
        self._task: Any = None
        self._stop = False

    @classmethod
    def of(cls, estimator: Any, X: Any, y: Any, sample_weight: Any, max_iter: int) -> FitTasks | None:
        """The tasks of a fit of an estimator with callbacks; None if it has none."""
        if not getattr(estimator, "_skl_callbacks", None):
            return None
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return cls(estimator, {"X": X, "y": y, "metadata": metadata}, max_iter)

    def iterated(self, iteration: Iteration, attributes: Callable[[], dict[str, Any]]) -> bool:
        """End the task of an iteration and begin the next; whether a callback asks to stop.

        `attributes` is called only if a callback wants a fitted estimator.
        """
        if self._stop:
            return True
        if self._task is not None:
            self._stop = self._end(self._task, attributes)
            self._task = None
        if not self._stop and iteration.n_iter < self._max_iter:
            self._task = self._fit.subcontext(task_name="iteration")
            self._task.call_on_fit_task_begin(**self._told, reconstruction_attributes=attributes)
        return self._stop

    def finish(self, attributes: dict[str, Any]) -> None:
        """End the fit."""
        if self._task is not None:
            self._task.call_on_fit_task_end(estimator=self._told["estimator"])
        self._end(self._fit, {**NO_NAMES, **attributes})

    def _end(self, task: Any, attributes: Any) -> bool:
        return bool(task.call_on_fit_task_end(**self._told, reconstruction_attributes=attributes))


def of_iteration(iteration: Iteration, model: dict[str, Any], alpha: float) -> dict[str, Any]:
    """Attributes of an estimator whose fit had stopped at an iteration."""
    gap = iteration.measure if alpha else float("nan")
    return {
        **NO_NAMES,
        **model,
        "objective_": iteration.value,
        "duality_gap_": gap,
        "n_iter_": max(iteration.n_iter, 1),
    }


def each_of(watchers: list[Watcher]) -> Watcher | None:
    """One solver callback that calls some once per iteration, and stops if one asks for it; None if there are none."""
    if not watchers:
        return None
    latest, stop = -1, False

    def watch(iteration: Iteration, params: Array) -> bool:
        nonlocal latest, stop
        # A second look at the same point, in another precision, is no iteration.
        if iteration.n_iter > latest:
            latest = iteration.n_iter
            requests = [watcher(iteration, params) for watcher in watchers]
            stop = any(requests)
        return stop

    return watch
