import numpy as np
from benchmark_utils import Peer
from skglm import GeneralizedLinearEstimator
from skglm.datafits import Logistic
from skglm.penalties import L2
from skglm.solvers import LBFGS


class Solver(Peer):
    """skglm's L-BFGS for two classes, without an intercept of its own."""

    name = "skglm"
    losses = {"sigmoid"}
    intercepts = {"penalized"}
    max_classes = 2
    parameters = {}
    dtype = "float64"
    requirements = ["pip::skglm"]

    def warm_up(self):
        self.run_once(0.1)

    def build(self, tol):
        alpha = 1 / (self.C * len(self.y))
        solver = LBFGS(max_iter=10_000, tol=tol / 100)
        solver.fit_intercept = False
        return GeneralizedLinearEstimator(Logistic(), L2(alpha), solver)

    def coefficients(self):
        return np.atleast_2d(self.model.coef_), np.zeros(1)
