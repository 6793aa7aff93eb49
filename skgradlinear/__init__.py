"""Linear classifiers with a proof of their optimality, in the manner of scikit-learn."""

from ._objective import Objective
from .estimators import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from .gradient_check import GradientCheck, check_gradient, check_hessp

__version__ = "0.1.0"

__all__ = [
    "GradientCheck",
    "LinearSVMClassifier",
    "Objective",
    "SigmoidClassifier",
    "SoftmaxClassifier",
    "__version__",
    "check_gradient",
    "check_hessp",
]
