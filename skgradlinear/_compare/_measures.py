"""What the tables measure, from scores, probabilities and coefficients alone, in float64.

Nothing here asks a model how good it is: objective values are worked out from the definition, so that a model's own
report can be held against them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _reliability
from .._reliability import Floats as Floats
from .._reliability import Integers as Integers

CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def log_loss(proba: Floats, y: Integers) -> float:
    """Mean negative logarithm of the probability given to the true class."""
    own = proba[np.arange(len(y)), y]
    return float(-np.log(np.maximum(own, SMALLEST_PROBABILITY)).mean())


def brier_score(proba: Floats, y: Integers) -> float:
    """Mean squared distance between the probabilities and the one-hot label, between 0 and 2."""
    error = proba.copy()
    error[np.arange(len(y)), y] -= 1
    return float((error**2).sum(axis=1).mean())


def calibration_error(proba: Floats, y: Integers) -> float:
    """Expected calibration error of the predicted class over 15 equal bins (Guo et al., 2017)."""
    correct = proba.argmax(axis=1) == y
    return _reliability.calibration_error(proba.max(axis=1), correct, CALIBRATION_BINS)


def reliability(proba: Floats, y: Integers, n_bins: int, fewest: int) -> tuple[Floats, Floats, Integers]:
    """Mean probability, observed frequency and count in equal bins.

    Two classes: probabilities of the second. More: those of every class together. Bins with fewer than `fewest`
    probabilities are left out.
    """
    if proba.shape[1] == 2:
        predicted, observed = proba[:, 1], (y == 1).astype(float)
    else:
        predicted, observed = proba.ravel(), np.eye(proba.shape[1])[y].ravel()
    return _reliability.binned(predicted, observed, n_bins, fewest)


def softmax_losses(logits: Floats, y: Integers) -> Floats:
    """Multinomial log-loss of each row; the binary one where there is a single logit."""
    if logits.shape[1] == 1:
        return sigmoid_losses(logits, y)
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses: Floats = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    return losses


def sigmoid_losses(logits: Floats, y: Integers) -> Floats:
    """Binary log-losses of each row, summed over the outputs, the own class against the others."""
    losses: Floats = np.logaddexp(0, -_signs(logits, y) * logits).sum(axis=1)
    return losses


def hinge_losses(logits: Floats, y: Integers, multi_class: str, squared: bool) -> Floats:
    """Hinge losses of each row: ``"weston_watkins"``, ``"crammer_singer"`` or ``"ovr"``."""
    if logits.shape[1] == 1 or multi_class == "ovr":
        violation = np.maximum(0, 1 - _signs(logits, y) * logits)
    else:
        own = (np.arange(len(y)), y)
        violation = np.maximum(0, 1 + logits - logits[own][:, None])
        violation[own] = 0
        if multi_class == "crammer_singer":
            violation = violation.max(axis=1, keepdims=True)
    losses: Floats = (violation**2 if squared else violation).sum(axis=1)
    return losses


def penalized(losses: Floats, alpha: float, coefficients: Any) -> float:
    """Objective ``mean loss + alpha / 2 ||W||^2``."""
    return float(losses.mean() + alpha / 2 * (np.asarray(coefficients) ** 2).sum())


def _signs(logits: Floats, y: Integers) -> Floats:
    if logits.shape[1] == 1:
        return np.where(y == 1, 1.0, -1.0)[:, None]
    signs = -np.ones(logits.shape)
    signs[np.arange(len(y)), y] = 1
    return signs
