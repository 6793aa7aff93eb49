from benchmark_utils import Peer

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier

FORMS = {
    "weston_watkins": ("weston_watkins", "hinge"),
    "weston_watkins_squared": ("weston_watkins", "squared_hinge"),
    "crammer_singer": ("crammer_singer", "hinge"),
    "ovr": ("ovr", "hinge"),
    "ovr_squared": ("ovr", "squared_hinge"),
}


class Solver(Peer):
    """The estimators of this package, from raw columns; `tol` is the certified relative duality gap."""

    name = "skgradlinear"
    losses = {"softmax", "sigmoid", *FORMS}
    intercepts = {"free", "penalized"}
    multilabel = True
    parameters = {"dtype": ["float32", "float64"]}

    def build(self, tol):
        free = self.intercept == "free"
        options = {"alpha": 1 / (self.C * len(self.y)), "tol": tol, "max_iter": 2000, "fit_intercept": free}
        if not free:
            options["standardize"] = False
        if self.loss == "softmax":
            return SoftmaxClassifier(**options)
        if self.loss == "sigmoid":
            return SigmoidClassifier(**options)
        form, loss = FORMS[self.loss]
        return LinearSVMClassifier(multi_class=form, loss=loss, probability=False, **options)

    def set_objective(self, X, y, C, loss, intercept):
        super().set_objective(X, y, C, loss, intercept)
        self.scaled = False  # inside the fit

    def count(self):
        return float(self.model.n_iter_)
