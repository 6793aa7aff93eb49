"""Solvers: functions of an objective and a start that return an immutable result."""

from ._lbfgs import lbfgs
from ._recentred import Centre, recentred
from ._result import Iteration, Result, Status
from ._solve import solve
from ._subspace_newton import subspace_newton

__all__ = ["Centre", "Iteration", "Result", "Status", "lbfgs", "recentred", "solve", "subspace_newton"]
