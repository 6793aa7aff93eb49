import numpy as np
from benchmark_utils import Peer
from liblinear.liblinearutil import train

TYPES = {
    ("sigmoid", False): 0,
    ("sigmoid", True): 7,
    ("softmax", False): 0,
    ("softmax", True): 7,
    ("ovr_squared", True): 1,
    ("ovr_squared", False): 2,
    ("ovr", True): 3,
    ("crammer_singer", True): 4,
}


class Solver(Peer):
    """liblinear itself, primal and dual, without an intercept of its own."""

    name = "liblinear"
    losses = {"sigmoid", "ovr", "ovr_squared", "crammer_singer"}
    intercepts = {"penalized"}
    parameters = {"dual": [True, False]}
    dtype = "float64"
    requirements = ["pip::liblinear-official"]

    def skip(self, X, y, C, loss, intercept):
        if (loss, self.dual) not in TYPES:
            return True, "no such solver"
        return super().skip(X, y, C, loss, intercept)

    def build(self, tol):
        return f"-s {TYPES[self.loss, self.dual]} -c {self.C} -e {tol} -B -1 -q"

    def fit(self, X, y):
        # Labels are put in the order of their first row otherwise.
        self.model = train(y.astype(float), X, self.model)

    def coefficients(self):
        model = self.model
        weights = np.array(
            [
                [model.get_decfun_coef(j + 1, k) for j in range(model.get_nr_feature())]
                for k in range(1 if model.get_nr_class() == 2 else model.get_nr_class())
            ]
        )
        order = np.argsort(model.get_labels())
        if len(weights) == 1:
            return (weights if model.get_labels()[0] == 1 else -weights), np.zeros(1)
        return weights[order], np.zeros(len(weights))

    def count(self):
        return float("nan")
