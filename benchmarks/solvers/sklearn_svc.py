from benchmark_utils import Peer
from sklearn.svm import SVC

MAX_ROWS = 10_000


class Solver(Peer):
    """SVC(kernel="linear") of two classes on small data: the plain hinge with a free intercept."""

    name = "sklearn-svc"
    losses = {"weston_watkins", "crammer_singer", "ovr"}
    max_classes = 2
    dense_only = True
    parameters = {}
    dtype = "float64"
    requirements = ["pip::scikit-learn"]

    def skip(self, X, y, C, loss, intercept):
        if len(y) > MAX_ROWS:
            return True, f"more than {MAX_ROWS} rows"
        return super().skip(X, y, C, loss, intercept)

    def build(self, tol):
        return SVC(kernel="linear", C=self.C, tol=tol, cache_size=1000)
