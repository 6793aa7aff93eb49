"""Losses of ``(logits, y)``: value, gradient, Hessian products, conjugates and smoothed versions."""

from ._base import Curvature, Loss
from ._hinge import (
    CrammerSingerHinge,
    NonSmoothLoss,
    OneVsRestHinge,
    OneVsRestSquaredHinge,
    SmoothedLoss,
    WestonWatkinsHinge,
    WestonWatkinsSquaredHinge,
)
from ._logistic import SigmoidLoss, SoftmaxLoss

__all__ = [
    "CrammerSingerHinge",
    "Curvature",
    "Loss",
    "NonSmoothLoss",
    "OneVsRestHinge",
    "OneVsRestSquaredHinge",
    "SigmoidLoss",
    "SmoothedLoss",
    "SoftmaxLoss",
    "WestonWatkinsHinge",
    "WestonWatkinsSquaredHinge",
]
