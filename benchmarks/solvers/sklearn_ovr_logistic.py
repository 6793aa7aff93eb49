import numpy as np
from benchmark_utils import MAX_ITER, Peer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier


class Solver(Peer):
    """OneVsRestClassifier(LogisticRegression): one binary fit for each class."""

    name = "sklearn-ovr-logistic"
    losses = {"sigmoid"}
    parameters = {"solver": ["lbfgs", "newton-cg", "newton-cholesky"], "dtype": ["float64", "float32"]}
    multilabel = True
    requirements = ["pip::scikit-learn"]

    def skip(self, X, y, C, loss, intercept):
        if self.solver == "newton-cholesky" and X.shape[1] > 4_000:
            return True, "more than 4000 unknowns"
        return super().skip(X, y, C, loss, intercept)

    def build(self, tol):
        return OneVsRestClassifier(LogisticRegression(C=self.C, solver=self.solver, tol=tol, max_iter=MAX_ITER))

    def coefficients(self):
        models = self.model.estimators_
        return np.vstack([m.coef_ for m in models]).astype(float), np.hstack([m.intercept_ for m in models])

    def count(self):
        return float(sum(m.n_iter_[0] for m in self.model.estimators_))
