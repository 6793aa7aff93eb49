from benchmark_utils import Peer
from glum import GeneralizedLinearRegressor


class Solver(Peer):
    """glum's binomial regression of two classes."""

    name = "glum"
    losses = {"sigmoid"}
    max_classes = 2
    parameters = {"solver": ["irls-ls", "lbfgs"]}
    dtype = "float64"
    requirements = ["pip::glum"]

    def build(self, tol):
        alpha = 1 / (self.C * len(self.y))
        return GeneralizedLinearRegressor(
            family="binomial", alpha=alpha, solver=self.solver, gradient_tol=tol / 100, max_iter=10_000
        )

    def fit(self, X, y):
        self.model.fit(X, y.astype(float))
