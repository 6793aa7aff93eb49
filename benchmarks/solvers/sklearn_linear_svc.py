from benchmark_utils import Peer
from sklearn.svm import LinearSVC

MAX_EPOCHS = 3_000


class Solver(Peer):
    """LinearSVC, whose intercept is a penalized column of ones: dual, primal, and Crammer-Singer."""

    name = "sklearn-linear-svc"
    losses = {"crammer_singer", "ovr", "ovr_squared", "weston_watkins", "weston_watkins_squared"}
    intercepts = {"penalized"}
    parameters = {"dual": [True, False]}
    dtype = "float64"
    requirements = ["pip::scikit-learn"]

    def skip(self, X, y, C, loss, intercept):
        if loss.startswith("weston_watkins") and y.max() > 1:
            return True, "no Weston-Watkins hinge"
        if not self.dual and not loss.endswith("squared"):
            return True, "no primal solver of the plain hinge"
        return super().skip(X, y, C, loss, intercept)

    def build(self, tol):
        squared = self.loss.endswith("squared")
        form = "crammer_singer" if self.loss == "crammer_singer" and self.y.max() > 1 else "ovr"
        return LinearSVC(
            C=self.C,
            loss="squared_hinge" if squared else "hinge",
            dual=self.dual,
            multi_class=form,
            fit_intercept=False,
            tol=tol,
            max_iter=MAX_EPOCHS,
            random_state=0,
        )
