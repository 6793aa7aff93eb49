"""Linear classifiers with a proof of their optimality, in the manner of scikit-learn."""

from ._objective import Objective
from .displays import BoundaryAnimation, CoefficientDisplay, LossCurveDisplay, ReliabilityDisplay
from .estimators import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from .gradient_check import GradientCheck, check_gradient, check_hessp

__version__ = "0.1.0"

__all__ = [
    "BoundaryAnimation",
    "CoefficientDisplay",
    "GradientCheck",
    "LinearSVMClassifier",
    "LossCurveDisplay",
    "Objective",
    "ReliabilityDisplay",
    "SigmoidClassifier",
    "SoftmaxClassifier",
    "__version__",
    "check_gradient",
    "check_hessp",
]
