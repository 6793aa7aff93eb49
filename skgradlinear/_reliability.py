"""Predicted probabilities against observed frequencies, in equal bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def binned(
    predicted: Floats, observed: NDArray[Any], n_bins: int, fewest: int = 1, weight: NDArray[Any] | None = None
) -> tuple[Floats, Floats, Integers]:
    """Mean probability, observed frequency and count of each bin that holds at least `fewest` predictions.

    Means are by weight, which is to be positive.
    """
    weight = np.ones(len(predicted)) if weight is None else weight
    position = _position(predicted, n_bins)
    count = np.bincount(position, minlength=n_bins)
    kept = count >= max(fewest, 1)
    total = np.bincount(position, weight, n_bins)[kept]
    mean = np.bincount(position, weight * predicted, n_bins)[kept] / total
    frequency = np.bincount(position, weight * observed, n_bins)[kept] / total
    return mean, frequency, count[kept]


def calibration_error(
    predicted: Floats, observed: NDArray[Any], n_bins: int, weight: NDArray[Any] | None = None
) -> float:
    """Expected calibration error: ``sum_b |sum of w (observed - predicted) in bin b| / sum of w``.

    Guo et al. (2017), with weights.
    """
    weight = np.ones(len(predicted)) if weight is None else weight
    distance = np.bincount(_position(predicted, n_bins), weight * (observed - predicted), n_bins)
    return float(np.abs(distance).sum() / weight.sum())


def _position(predicted: Floats, n_bins: int) -> Integers:
    return np.minimum((predicted * n_bins).astype(np.intp), n_bins - 1)
