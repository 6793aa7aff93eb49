"""What gradient descent and its stochastic relatives share: one loop over epochs, around a pure rule for a step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._held_out import HeldOut
from ._judge import Judge, is_far
from ._result import Array, History, Result, Status
from ._solver import Options, Solver, check_flag, check_integer, check_real
from ._starts import check_init, first_params

if TYPE_CHECKING:
    from .._objective import Objective

Moments = tuple[Array, ...]

# The average gives the t-th iterate a weight that grows like t to this power (Shamir & Zhang, 2013, section 4).
AVERAGING_POWER = 3
# Passes of the power iteration behind a learning rate.
POWER_PASSES = 8
# The curvature of a plain hinge, which has none, is taken to be that of a version smoothed as widely as this: the first
# of those that `recentred` solves. Measured: rates of this size do best in a few hundred epochs.
HINGE_SMOOTHING = 8.0
# Of "auto" batches: as many rows as there are, up to this.
USUAL_BATCH = 64

SCHEDULES = ("auto", "constant", "inverse", "inverse_sqrt")


@dataclass(frozen=True)
class FirstOrderState:
    """Where a first-order solver stands between two epochs, besides the parameters.

    Parameters
    ----------
    n_steps : int
        Number of steps so far.
    rate : float
        Learning rate before its schedule.
    moments : tuple of ndarray
        What the rule of a step remembers: running means of gradients, or of their squares.
    average : ndarray of shape (d + 1, K) or None
        Running average of the parameters; None without averaging.
    """

    n_steps: int
    rate: float
    moments: Moments
    average: Array | None


class FirstOrder(Solver):
    """A solver that takes steps along gradients of all rows or of mini-batches: abstract.

    See Also
    --------
    GradientDescent : All rows for every step.
    SGD : A mini-batch for every step.
    Adam : A mini-batch for every step, and a rate for every coefficient.
    """

    learning_rate: Any
    schedule: str
    max_epochs: int
    init: Any
    early_stopping: bool
    validation_fraction: float
    patience: int

    def epoch(
        self, objective: Objective, params: Array, state: FirstOrderState | None, rng: np.random.Generator
    ) -> tuple[Array, FirstOrderState]:
        """One pass over the rows of an objective.

        Parameters
        ----------
        objective : Objective
            All rows, or a chunk of them.
        params : ndarray of shape (d + 1, K)
            Where to start, in standardized units; not modified.
        state : FirstOrderState or None
            What the last epoch returned; None at first.
        rng : numpy.random.Generator
            Source of the order of the rows.

        Returns
        -------
        tuple of ndarray and FirstOrderState
            Parameters and state after the pass.

        Raises
        ------
        ValueError
            If the parameters overflow, because the learning rate is too large. What was passed in is still good.
        """
        if state is None:
            state = self._first_state(objective, params)
        # Parameters that overflow are refused by name below.
        with np.errstate(over="ignore", invalid="ignore"):
            for batch in self._batches(objective, rng):
                gradient = batch.value_and_gradient(params)[1]
                direction, moments = self._step(gradient, state.moments, state.n_steps)
                params = params - self._scheduled(objective, state) * direction
                average = None if state.average is None else _averaged(state.average, params, state.n_steps)
                state = FirstOrderState(state.n_steps + 1, state.rate, moments, average)
        if not np.isfinite(params).all():
            raise self._diverged(objective, state.rate)
        return params, state

    def ensure_near(self, objective: Objective, start: Array, params: Array, state: FirstOrderState) -> None:
        """Raise if an epoch has left its start far behind.

        Parameters
        ----------
        objective : Objective
            The rows of the epoch.
        start : ndarray of shape (d + 1, K)
            Parameters before it.
        params : ndarray of shape (d + 1, K)
            Parameters after it.
        state : FirstOrderState
            State after it.

        Raises
        ------
        ValueError
            With the learning rate that was too large, and one to try.
        """
        # What overflows is far.
        with np.errstate(over="ignore", invalid="ignore"):
            if is_far(objective.value(params), max(objective.value(start), objective.loss_at_zero)):
                raise self._diverged(objective, state.rate)

    def moved(self, state: FirstOrderState, change: Callable[[Array], Array]) -> FirstOrderState:
        """The state in the units of another standardization.

        Parameters
        ----------
        state : FirstOrderState
            State after an epoch.
        change : callable
            The linear map of parameters in the old units to those in the new ones, for the same logits.

        Returns
        -------
        FirstOrderState
            The same state in the new units.
        """
        average = None if state.average is None else change(state.average)
        return replace(state, moments=self._moved_moments(state.moments, change), average=average)

    def averaged(self, params: Array, state: FirstOrderState | None) -> Array:
        """The parameters to report: the running average where there is one, else `params` themselves."""
        return params if state is None or state.average is None else state.average

    @abstractmethod
    def _no_moments(self, objective: Objective, params: Array) -> Moments:
        """What `_step` remembers before the first step."""

    @abstractmethod
    def _step(self, gradient: Array, moments: Moments, n_steps: int) -> tuple[Array, Moments]:
        """What is subtracted, before the learning rate, and what to remember; the arguments are not modified."""

    @abstractmethod
    def _moved_moments(self, moments: Moments, change: Callable[[Array], Array]) -> Moments:
        """What `_step` remembers, in the units of another standardization."""

    @abstractmethod
    def _size_of_batches(self, n_rows: int) -> int:
        """Number of rows for a step, given how many there are."""

    @abstractmethod
    def _safe_rate(self, objective: Objective) -> float:
        """The largest learning rate that is worth trying; zero where the curvature has no known bound."""

    @abstractmethod
    def _is_averaging(self) -> bool:
        """Whether the iterates are averaged."""

    @abstractmethod
    def _check_rule(self) -> None:
        """Raise for a parameter of the solver's own that is out of range."""

    def check(self) -> None:
        name = type(self).__name__
        if isinstance(self.learning_rate, str):
            if self.learning_rate != "auto":
                raise ValueError(f"learning_rate of {name} must be 'auto' or a number > 0; got {self.learning_rate!r}.")
        else:
            check_real(f"learning_rate of {name}", self.learning_rate, "'auto' or a finite number > 0", 0.0)
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule of {name} must be one of {list(SCHEDULES)}; got {self.schedule!r}.")
        check_integer(f"max_epochs of {name}", self.max_epochs, 1)
        check_flag(f"early_stopping of {name}", self.early_stopping)
        check_real(f"validation_fraction of {name}", self.validation_fraction, "a number in (0, 1)", 0.0, 1.0)
        check_integer(f"patience of {name}", self.patience, 1)
        check_init(name, self.init)
        self._check_rule()

    def limited(self, max_iter: int) -> int:
        return min(max_iter, self.max_epochs)

    def _minimize(self, objective: Objective, params: Array | None, options: Options) -> Result:
        size, n_rows = self._size_of_batches(len(objective.weight)), len(objective.weight)
        if size > n_rows:
            raise ValueError(
                f"batch_size={size} of {type(self).__name__} is more than the {n_rows} rows of X; choose a smaller "
                "one, or 'auto'."
            )
        rng = np.random.default_rng(options.random_state)
        held_out = HeldOut(objective, self.validation_fraction, self.patience, rng) if self.early_stopping else None
        learning = objective if held_out is None else objective.without_rows(held_out.rows)
        params = first_params(self.init, objective, rng) if params is None else objective.free_of_shift(params)
        state: FirstOrderState | None = None
        history, judge = History(options.callback), Judge(objective, options.tol, proving=options.certified)
        while True:
            report = judge.assess(self.averaged(params, state))
            if held_out is not None:
                held_out.note(report)
            history.note(report.value, report.measure, report.params)
            status = self._end(options, history, judge, held_out)
            if state is not None and judge.has_diverged(history.n_iter, at_end=status is not None):
                raise self._diverged(objective, state.rate)
            if status is not None:
                break
            params, state = self.epoch(learning, params, state, rng)
        if status is Status.INTERRUPTED:
            best = report
        else:
            best = judge.best if held_out is None or status is Status.CONVERGED else held_out.best
        gap, measure = judge.settled(best)
        return Result(best.params, best.value, gap, measure, history.n_iter, status, tuple(history.iterations))

    def _end(self, options: Options, history: History, judge: Judge, held_out: HeldOut | None) -> Status | None:
        """Why there is no further epoch, or None if there is one."""
        if judge.proof(judge.best)[1] <= options.tol:
            return Status.CONVERGED
        if history.stopped:
            return Status.INTERRUPTED
        if held_out is not None and held_out.exhausted:
            return Status.EARLY
        if history.n_iter < options.max_iter:
            return None
        return Status.MAX_EPOCHS if self.max_epochs <= options.max_iter else Status.MAX_ITER

    def _first_state(self, objective: Objective, params: Array) -> FirstOrderState:
        """The state before the first step."""
        rate = self._safe_rate(objective) if isinstance(self.learning_rate, str) else float(self.learning_rate)
        if not rate > 0:
            raise ValueError(
                f"learning_rate='auto' needs a bound on the curvature of {objective.loss!r}, which its curvature_bound "
                "does not give; pass a number."
            )
        return FirstOrderState(0, rate, self._no_moments(objective, params), params if self._is_averaging() else None)

    def _batches(self, objective: Objective, rng: np.random.Generator) -> Iterator[Objective]:
        """The objective as estimated by one mini-batch after the other, each row in one of them."""
        n_rows = len(objective.weight)
        size = min(self._size_of_batches(n_rows), n_rows)
        if size == n_rows:
            yield objective
            return
        order = rng.permutation(n_rows)
        for start in range(0, n_rows, size):
            yield objective.on_rows(order[start : start + size])

    def _scheduled(self, objective: Objective, state: FirstOrderState) -> float:
        """The learning rate of the next step."""
        schedule = self.schedule
        if schedule == "auto":
            exact = not objective.non_smooth and self._size_of_batches(len(objective.weight)) >= len(objective.weight)
            schedule = "constant" if exact else "inverse"
        if schedule == "inverse":
            return state.rate / (1 + state.rate * objective.alpha * state.n_steps)
        return state.rate / np.sqrt(1.0 + state.n_steps) if schedule == "inverse_sqrt" else state.rate

    def _diverged(self, objective: Objective, rate: float) -> ValueError:
        """What to raise, with the learning rate that was too large and one to try."""
        far = "the objective has left its start far behind"
        if isinstance(self.learning_rate, str):
            return ValueError(
                f"{type(self).__name__} has diverged with learning_rate='auto', {rate:g} here: {far}. Try "
                f"learning_rate={rate / 2:.2g}, or columns of one size without values far off: standardize=True, or "
                "divide each column by the largest of its values."
            )
        # Without a bound on the curvature nothing is known but that the rate was too large.
        worth_trying = min(self._safe_rate(objective) or rate / 10, rate / 2)
        return ValueError(
            f"{type(self).__name__} has diverged with learning_rate={rate:g}: {far}. Try "
            f"learning_rate={worth_trying:.2g}, the largest that is worth trying here, or 'auto'."
        )


def moved_velocity(moments: Moments, change: Callable[[Array], Array]) -> Moments:
    """Moments whose first is a velocity, in other units: a motion of the parameters moves as they do."""
    return (change(moments[0]), *moments[1:]) if moments else ()


def _averaged(average: Array, params: Array, n_steps: int) -> Array:
    """The average of the iterates up to `params`, given that of all before (Shamir & Zhang, 2013)."""
    return average + (AVERAGING_POWER + 1) / (n_steps + 1 + AVERAGING_POWER) * (params - average)


def largest_curvature(objective: Objective) -> tuple[float, float]:
    """Bound on a row's second derivative in its logits, and the largest eigenvalue of the rows' second moments.

    The eigenvalue comes from the power iteration, from as many starts as there are outputs: an estimate from below.
    """
    loss = objective.smoothed(HINGE_SMOOTHING).loss if objective.non_smooth else objective.loss
    vectors: Array = np.random.default_rng(0).standard_normal(objective.shape)
    size: Array = np.ones(1)
    for _ in range(POWER_PASSES):
        vectors = vectors / _lengths(vectors)
        product = _second_moments(objective, vectors)
        size = _lengths(product)
        if not size.all():
            break
        vectors = product
    return loss.curvature_bound(objective.shape[1]), float(size.max())


def _lengths(columns: Array) -> Array:
    """Euclidean lengths of columns, whose squares may leave the range of floats: second moments are squares already."""
    largest = np.abs(columns).max(axis=0)
    lengths: Array = largest * np.linalg.norm(columns / np.where(largest > 0, largest, 1.0), axis=0)
    return lengths


def _second_moments(objective: Objective, vectors: Array) -> Array:
    """The weighted mean of the rows' products with themselves, a column of ones among them, times some vectors."""
    logits = objective.logits(vectors)
    product = objective.pull(lambda rows: logits[rows], vectors)
    product[:-1] -= objective.alpha * vectors[:-1]
    return product
