"""The three public estimators: a docstring and a choice of loss each, over one `fit`."""

from ._sigmoid import SigmoidClassifier
from ._softmax import SoftmaxClassifier
from ._svm import LinearSVMClassifier

__all__ = ["LinearSVMClassifier", "SigmoidClassifier", "SoftmaxClassifier"]
