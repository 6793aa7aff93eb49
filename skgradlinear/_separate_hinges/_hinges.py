"""Hinges of outputs that are apart: Newton steps of each on its own, from its active rows.

The smoothed hinge of an output is ``max_p p . u - (mu/2) ||p - c||^2`` with the violations ``u_i = 1 - t_i z_i``, over
the box for a plain hinge, and over all ``p >= 0`` for a squared one, with ``mu = 1/2`` and ``c = 0``. Its maximizing
duals are the heights ``v = c + u / mu`` as far as they are in that set. Rows are active where they are within it, and
only these have curvature, ``1 / mu``. Of dense rows of few columns the whole Newton system of an output is formed for
every step, while the few arrays of that output are in a core's cache; of sparse rows the systems of all outputs are
solved abreast, by conjugate gradients on the active ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._certificate import bias_radius
from .._conjugate_gradient import MAX_STEPS
from ..losses._base import Array, signed
from ._outputs import OUTPUTS, step_abreast, weigh
from ._sparse_rows import MANY_OUTPUTS, KeptSparseRows, kept_rows

if TYPE_CHECKING:
    from .._objective import Objective

# Dense rows are kept in float64 while they are no more entries than this (32 MB), and Newton systems are formed while
# their order is no larger than this.
MAX_ENTRIES, MAX_ORDER = 1 << 22, 400
# Squares of columns of this size, or of its inverse, and their sums are in the range of float32.
LARGEST = 1e12
# Outputs rest at this share of the gap that may be left to them: their own part of the objective, or an equal one.
REST_SHARE = 0.5
# Conjugate gradients take so many steps for the first direction, and so many more for each further one: far from the
# solution the active rows are soon others.
FIRST_STEPS, MORE_STEPS = 2, 2


class SeparateHinges:
    """The outputs of a one-versus-rest hinge, which take their steps in turn or, of sparse rows, abreast.

    What is not `narrow` is computed in float64.

    Parameters
    ----------
    objective : Objective
        One for which `suits` holds.
    params : ndarray of shape (d + 1, K), default=None
        Start, zeros if None.
    duals : ndarray of shape (n, K), default=None
        First centre; zeros if None.
    """

    def __init__(self, objective: Objective, params: Array | None = None, duals: Array | None = None) -> None:
        objective = objective if self.narrow(objective) else objective.in_float64()
        self.objective = objective
        # Rows without weight have no part in anything.
        rows = kept_rows(objective)
        self._used = rows.used
        n_outputs = objective.shape[1]
        sign = signed(np.ones((len(self._used), n_outputs), rows.dtype, order="F"), objective.y[self._used]).T
        nothing: list[Any] = [None] * n_outputs
        starts = nothing if params is None else list(np.ascontiguousarray(params[: rows.order].T, np.float64))
        logits = nothing if params is None else list(rows.push_all(np.array(starts)))
        centres = nothing if duals is None else list(duals[self._used].T.astype(rows.dtype))
        output = OUTPUTS[type(objective.loss)]
        self.outputs = [
            output(rows, np.ascontiguousarray(t), start, centre, own)
            for t, start, centre, own in zip(sign, starts, centres, logits, strict=True)
        ]
        self._rows = rows
        weigh(rows, self.outputs)
        self._n_steps = 0
        self.prove(0.0)

    @staticmethod
    def suits(objective: Objective) -> bool:
        """Whether the problem is of this kind, and of a shape for which Newton steps of single outputs are cheap."""
        order = objective.shape[0]
        cheap = not objective.rows.dense or (len(objective.weight) * order <= MAX_ENTRIES and order <= MAX_ORDER)
        return bool(cheap and objective.may_separate and objective.alpha and type(objective.loss) in OUTPUTS)

    @staticmethod
    def narrow(objective: Objective) -> bool:
        """Whether a draft is computed in the precision of the rows, in which the squares of all columns have digits."""
        if objective.rows.dense or objective.shape[1] < MANY_OUTPUTS:
            return False
        sizes = np.hypot(np.sqrt(objective.moments.variance), objective.moments.mean)
        sizes = sizes[sizes > 0]
        return bool((sizes > 1 / LARGEST).all() and (sizes < LARGEST).all())

    @staticmethod
    def exact(objective: Objective) -> bool:
        """Whether the problem is of this kind, and computed in float64 at once."""
        return SeparateHinges.suits(objective) and not SeparateHinges.narrow(objective)

    @property
    def value(self) -> float:
        """Objective at the best parameters of each output."""
        return sum(output.best for output in self.outputs)

    @property
    def bound(self) -> float:
        """Lower bound on the objective."""
        return sum(output.bound for output in self.outputs)

    def claimed(self) -> float:
        """The objective at the best parameters, of logits formed from the rows anew."""
        return sum(output.claim() for output in self.outputs)

    @property
    def params(self) -> Array:
        """The best parameters of each output, shape (d + 1, K)."""
        params = self.objective.zeros()
        for column, output in zip(params.T, self.outputs, strict=True):
            column[: len(output.found)] = output.found
        return params

    def duals(self) -> Array:
        """Duals of all rows that prove the bound, shape (n, K); zero for those without weight."""
        duals = np.zeros((len(self.objective.weight), len(self.outputs)))
        for column, output in zip(duals.T, self.outputs, strict=True):
            column[self._used] = output.proof
        return duals

    @property
    def mu(self) -> float:
        """The widest smoothing of an output."""
        return max(output.mu for output in self.outputs)

    def advance(self, tol: float) -> bool:
        """A step of every output that needs one for a relative gap of `tol`; False if none can take one."""
        walking = [output for output in self.outputs if not output.rests]
        if isinstance(self._rows, KeptSparseRows):
            moved = step_abreast(self._rows, walking, min(FIRST_STEPS + MORE_STEPS * self._n_steps, MAX_STEPS))
        else:
            # One by one, while the arrays of an output are in a core's cache.
            steps = [output.step() for output in walking]
            moved = any(steps)
        self._n_steps += 1
        self.prove(tol)
        return moved

    def prove(self, tol: float) -> None:
        """What the duals of each output prove, and which of them may rest."""
        value = self.value
        allowed = tol / self.objective.relative_gap(value, 1.0)
        for output, radius in zip(self.outputs, self._radii(value), strict=True):
            own = allowed * output.best / value if value else 0.0
            share = REST_SHARE * max(own, allowed / len(self.outputs))
            # The whole may have fallen since an output came to rest, and what it may leave with it.
            if not output.rests or output.best - output.bound > share:
                output.prove(radius, share)

    def _radii(self, value: float) -> list[float]:
        """How far the best bias of each output can be from its present one."""
        if not self.objective.fit_intercept:
            return [0.0] * len(self.outputs)
        biases = np.array([output.params[-1] for output in self.outputs])
        radii: list[float] = bias_radius(self.objective, value, biases).tolist()
        return radii
