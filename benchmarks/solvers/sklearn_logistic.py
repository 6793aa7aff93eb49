from benchmark_utils import MAX_ITER, Peer
from scipy import sparse as sp
from sklearn.linear_model import LogisticRegression

MAX_CHOLESKY = 4_000  # unknowns; beyond, the Hessian alone takes more memory and time than any rival's fit
# The stochastic solvers get this many epochs, and problems whose epochs take less than a second.
MAX_EPOCHS, MAX_EPOCH = 300, 10**8


class Solver(Peer):
    """StandardScaler and LogisticRegression with each of its solvers for this objective."""

    name = "sklearn-logistic"
    losses = {"softmax"}
    intercepts = {"free", "penalized"}
    parameters = {
        "solver": ["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"],
        "dtype": ["float64", "float32"],
    }
    requirements = ["pip::scikit-learn"]

    def skip(self, X, y, C, loss, intercept):
        if self.solver == "newton-cholesky" and X.shape[1] * (y.max() + 1) > MAX_CHOLESKY:
            return True, f"more than {MAX_CHOLESKY} unknowns"
        entries = X.nnz if sp.issparse(X) else X.size
        if self.solver in {"sag", "saga"} and entries * (y.max() + 1) > MAX_EPOCH:
            return True, "an epoch takes seconds"
        return super().skip(X, y, C, loss, intercept)

    def build(self, tol):
        free = self.intercept == "free"
        epochs = MAX_EPOCHS if self.solver in {"sag", "saga"} else MAX_ITER
        return LogisticRegression(
            C=self.C, solver=self.solver, tol=tol, max_iter=epochs, fit_intercept=free, random_state=0
        )
