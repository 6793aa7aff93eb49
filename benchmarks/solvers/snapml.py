import numpy as np
import snapml
from benchmark_utils import Peer


class Solver(Peer):
    """snapml's coordinate solvers for two classes, primal and dual."""

    name = "snapml"
    losses = {"sigmoid", "weston_watkins", "crammer_singer", "ovr"}
    intercepts = {"penalized"}
    max_classes = 2
    parameters = {"dual": [True, False]}
    dtype = "float32"
    requirements = ["pip::snapml"]

    def build(self, tol):
        options = {"regularizer": 1 / self.C, "tol": tol / 10, "max_iter": 10_000, "fit_intercept": False, "n_jobs": 1}
        if self.loss in {"sigmoid", "softmax"}:
            return snapml.LogisticRegression(dual=self.dual, **options)
        return snapml.SupportVectorMachine(**options)

    def coefficients(self):
        return np.atleast_2d(self.model.coef_).astype(np.float64), np.zeros(1)
