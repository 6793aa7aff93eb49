from benchmark_utils import Peer
from sklearn.linear_model import SGDClassifier


class Solver(Peer):
    """SGDClassifier, averaged or not, with as many epochs as the tolerance has digits squared."""

    name = "sklearn-sgd"
    losses = {"sigmoid", "ovr", "ovr_squared"}
    intercepts = {"free", "penalized"}
    parameters = {"average": [False, True]}
    dtype = "float64"
    requirements = ["pip::scikit-learn"]

    def build(self, tol):
        losses = {"sigmoid": "log_loss", "ovr": "hinge", "ovr_squared": "squared_hinge"}
        return SGDClassifier(
            loss=losses.get(self.loss, "log_loss"),
            alpha=1 / (self.C * len(self.y)),
            tol=None,
            max_iter=max(1, min(1000, round(0.3 / tol))),
            average=self.average,
            fit_intercept=self.intercept == "free",
            random_state=0,
        )
