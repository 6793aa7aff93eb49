"""Pictures of fitted models, in the manner of scikit-learn's displays; Matplotlib is imported when one is drawn."""

from ._boundary import BoundaryAnimation
from ._coefficients import CoefficientDisplay
from ._loss_curve import LossCurveDisplay
from ._reliability import ReliabilityDisplay

__all__ = ["BoundaryAnimation", "CoefficientDisplay", "LossCurveDisplay", "ReliabilityDisplay"]
