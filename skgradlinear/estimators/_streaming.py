"""Learning from data in pieces: `partial_fit`, and what it keeps between two calls."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from .. import _rows
from .._incremental_newton import Memory, learn
from .._objective import Objective
from .._standardization import Moments, Standardization
from .._threads import for_pass
from .._validation import Problem, check_chunk
from ..losses._base import Array
from ..solvers import FirstOrder, FirstOrderState, Result
from ..solvers._starts import first_params
from ._base import LinearClassifier

# Coefficients that agree with those that were reported to this share have not been changed by hand: the way through
# original units rounds.
UNTOUCHED = 1e-10


@dataclass(frozen=True)
class Stream:
    """What is kept of the rows seen so far, besides the coefficients: nothing of the size of the rows.

    Parameters
    ----------
    moments : Moments
        Moments of the columns, by sample weight.
    seen : float
        Total weight, class weights included.
    standardize : bool
        Whether columns are standardized, as the first rows decided.
    rng : numpy.random.Generator
        Source of the order of mini-batches.
    standardization : Standardization or None
        The units of `params` and of the averages and memories below; None while there are none.
    memory : Memory or None
        What Newton's method remembers.
    params : ndarray of shape (d + 1, K) or None
        Where a first-order solver stands: its average is what it reports.
    state : FirstOrderState or None
        What a first-order solver remembers.
    rule : tuple or None
        The class and the parameters of that solver: another one begins anew.
    """

    moments: Moments
    seen: float
    standardize: bool
    rng: np.random.Generator
    standardization: Standardization | None = None
    memory: Memory | None = None
    params: Array | None = None
    state: FirstOrderState | None = None
    rule: tuple[str, dict[str, Any]] | None = None

    def learn(self, objective: Objective, start: tuple[Array, Array] | None, solver: Any) -> tuple[Array, Stream]:
        """Parameters to report, and the stream after the rows of an objective whose moments are of all rows.

        `start` are coefficients (d, K) and intercept in original units, None at first.
        """
        now = replace(
            self,
            moments=objective.moments,
            seen=self.seen + objective.total_weight,
            standardization=objective.standardization,
        )
        params = None if start is None else objective.standardization.from_original_units(*start)
        if isinstance(solver, FirstOrder):
            return self._epoch(objective, params, solver, now)
        if params is None:
            params = objective.zeros()
        memory = self.memory
        if memory is None:
            memory = Memory.of_solution(objective, params, self.seen) if self.seen else Memory.empty(objective)
        params, memory = learn(objective, params, memory)
        return params, replace(now, memory=memory, params=None, state=None, rule=None)

    def _epoch(
        self, objective: Objective, params: Array | None, solver: FirstOrder, now: Stream
    ) -> tuple[Array, Stream]:
        """A pass of a first-order solver."""
        if solver.early_stopping:
            raise ValueError(
                f"early_stopping of {type(solver).__name__} holds rows out of a whole fit; set it to False for "
                "partial_fit, and score chunks before learning from them instead."
            )
        rng = copy.deepcopy(self.rng)
        rule = type(solver).__name__, {name: value for name, value in solver.get_params().items() if name != "init"}
        state = self.state if rule == self.rule else None
        if state is not None:
            state = solver.moved(state, lambda old: self._moved(old, objective))
        if state is not None and state.average is not None and params is not None and self.params is not None:
            # The average is what the coefficients show; unless these were changed by hand, it goes on beside its steps.
            size = float(np.abs(state.average).max())
            untouched = np.allclose(state.average, params, rtol=UNTOUCHED, atol=UNTOUCHED * size)
            state = replace(state, average=params)
            params = self._moved(self.params, objective) if untouched else params
        if params is None:
            params = first_params(solver.init, objective, rng)
        start = params
        params, state = solver.epoch(objective, start, state, rng)
        reported = solver.averaged(params, state)
        solver.ensure_near(objective, start, reported, state)
        return reported, replace(now, rng=rng, memory=None, params=params, state=state, rule=rule)

    def _moved(self, params: Array, objective: Objective) -> Array:
        """Parameters in the units of another standardization."""
        assert self.standardization is not None
        return objective.standardization.from_units_of(self.standardization, params)


class StreamingClassifier(LinearClassifier):
    """Abstract linear classifier that also learns from one chunk of rows after the other."""

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn from one chunk of rows, on top of what was learnt before.

        Nothing of the size of the rows is kept. After one call for each chunk of some data, and better after two to
        five rounds of them, the coefficients are near those of `fit` on all of it, for the same number `alpha`.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows of the chunk.
        y : array of shape (n,)
            Their labels, each one of `classes` (for `SigmoidClassifier` also an indicator of shape (n, K)).
        classes : array of shape (K,), default=None
            All labels of all chunks. Needed at the first call, unless y is an indicator, and not after `fit`.
        sample_weight : array of shape (n,), default=None
            Weights of the rows, ones if None.

        Returns
        -------
        object
            The estimator itself. `t_` is the total weight of the rows so far; what only `fit` can know (`objective_`,
            `duality_gap_`, `n_iter_`, `loss_curve_`) is removed, see `certificate`.

        Raises
        ------
        ValueError, TypeError
            If an input or a parameter is refused; the estimator is then left as it was.

        See Also
        --------
        certificate : Objective and duality gap of the coefficients on given rows.

        Notes
        -----
        Moments of the columns are merged, earlier coefficients re-expressed, and Newton's method with a quadratic
        memory of earlier chunks learns from the new one; see :doc:`/mathematics`, section "Data in pieces". A solver
        object with an ``epoch``, such as ``SGD()``, makes one pass over the chunk instead. ``alpha="scale"`` is that of
        the rows so far: it falls as they come, and goes on falling when rows come again.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from skgradlinear import SoftmaxClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> model = SoftmaxClassifier(alpha=0.01)
        >>> for rows in np.array_split(np.random.default_rng(0).permutation(len(X)), 5):
        ...     model = model.partial_fit(X[rows], y[rows], classes=range(10))
        >>> bool(model.t_ == len(X)), bool(model.score(X, y) > 0.97)
        (True, True)
        """
        self._check_parameters()
        first = not hasattr(self, "coef_")
        chunk = check_chunk(self, X, y, sample_weight, classes, first=first, multilabel=self._multilabel)
        n_entries = chunk.X.nnz if sp.issparse(chunk.X) else chunk.X.size
        with for_pass(n_entries * len(chunk.classes)):
            scored = self._prequential(chunk)
            fitted = {**self._continue(chunk, None if first else self._so_far()), **scored}
        of_fit = ("objective_", "duality_gap_", "n_iter_", "loss_curve_", "gap_curve_", "seconds_curve_")
        for name in (*of_fit, "temperature_", "_temperature", "_moments", "_moment_facts"):
            self.__dict__.pop(name, None)
        self.__dict__.update(fitted)
        return self

    def certificate(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[float, float]:
        """Objective of the coefficients on given rows, and how far at most it is above the minimum.

        Parameters
        ----------
        X : {array, CSR matrix or array, data frame} of shape (n, d)
            Rows: the training data, or as much of it as fits in memory.
        y : array of shape (n,)
            Their labels.
        sample_weight : array of shape (n,), default=None
            Weights of the rows, ones if None.

        Returns
        -------
        objective : float
            Mean loss plus penalty, with `alpha_` and the moments of these rows.
        duality_gap : float
            Certified bound on ``(objective - minimum) / objective``; nan if `alpha_` is 0. For plain hinges the bound
            is loose far from the minimum.

        Raises
        ------
        NotFittedError
            If there are no coefficients yet.
        ValueError, TypeError
            If an input is refused.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skgradlinear import SoftmaxClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = SoftmaxClassifier(alpha=0.01).partial_fit(X, y, classes=[0, 1, 2])
        >>> objective, gap = model.certificate(X, y)
        >>> print(gap < 0.05)
        True
        """
        check_is_fitted(self)
        problem = check_chunk(self, X, y, sample_weight, None, first=False, multilabel=self._multilabel)
        moments = _rows.wrap(problem.X).moments(problem.sample_weight)
        objective = self._objective_of(problem, moments, self._so_far().standardize).with_alpha(self.alpha_)
        params = objective.standardization.from_original_units(self.coef_.T, self.intercept_)
        value = objective.in_float64().value(params)
        gap = objective.relative_gap(value, objective.duality_gap(params)) if self.alpha_ else np.nan
        return value, gap

    def _continue(self, chunk: Problem, stream: Stream | None) -> dict[str, Any]:
        """What `partial_fit` sets, temperature aside."""
        moments = _rows.wrap(chunk.X).moments(chunk.sample_weight)
        standardize = self._standardizes(chunk) if stream is None else stream.standardize
        seen = float(chunk.weight.sum())
        if stream is not None:
            moments, seen = stream.moments.merge(moments), stream.seen + seen
        objective = self._objective_of(chunk, moments, standardize)
        objective = objective.with_alpha(self._resolve_alpha(objective, seen))
        if stream is None:
            stream = Stream(moments, 0.0, standardize, np.random.default_rng(self._seed()))
        start = None if stream.seen == 0 else (self.coef_.T, self.intercept_)
        params, stream = stream.learn(objective, start, self.solver)
        kept = {"t_": seen, "_total_weight": seen, "_stream": stream, "_state": None}
        return {**self._model(chunk, objective, params), **kept}

    def _so_far(self) -> Stream:
        """What is kept of the rows that the coefficients were learnt from, by whichever method."""
        if self._stream is not None:
            stream: Stream = self._stream
            return stream
        weight, count, standardize = self._moment_facts
        mean, scatter = self._moments
        moments = Moments(weight, mean, scatter, count)
        return Stream(moments, self._total_weight, standardize, np.random.default_rng(self._seed()))

    def _prequential(self, chunk: Problem) -> dict[str, Any]:
        """What `partial_fit` sets because of the scores of rows that are not learnt yet."""
        return {}

    def _describe(self, problem: Problem, objective: Objective, result: Result) -> dict[str, Any]:
        described = super()._describe(problem, objective, result)
        moments = objective.moments
        # Plain arrays and numbers: a fitted model is to be kept by whatever knows these.
        plain = {
            "_moments": np.stack([moments.mean, moments.scatter]),
            "_moment_facts": (moments.weight, moments.count, objective.standardize),
        }
        return {**described, **plain, "_stream": None}
