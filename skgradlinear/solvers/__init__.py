"""Solvers: minimizers of an objective from a start, with an immutable result.

A solver object holds the parameters of one, to be passed to an estimator or searched; the functions are the
algorithms behind some of them.
"""

from ._adam import Adam
from ._centre import Centre, Halfway
from ._first_order import FirstOrder, FirstOrderState
from ._gradient_descent import GradientDescent
from ._interior_point import interior_point
from ._lbfgs import LBFGS, lbfgs
from ._newton_cg import NewtonCG
from ._recentred import recentred
from ._result import Iteration, Result, Status
from ._sgd import SGD
from ._solve import InteriorPoint, Recentred, SubspaceNewton, solve
from ._solver import Solver
from ._subspace_newton import subspace_newton

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "Centre",
    "FirstOrder",
    "FirstOrderState",
    "GradientDescent",
    "Halfway",
    "InteriorPoint",
    "Iteration",
    "NewtonCG",
    "Recentred",
    "Result",
    "Solver",
    "Status",
    "SubspaceNewton",
    "interior_point",
    "lbfgs",
    "recentred",
    "solve",
    "subspace_newton",
]
