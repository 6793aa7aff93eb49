"""Predicted probabilities against observed frequencies, in equal bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def binned(predicted: Floats, observed: NDArray[Any], n_bins: int, fewest: int = 1) -> tuple[Floats, Floats, Integers]:
    """Mean probability, observed frequency and count of each bin that holds at least `fewest` predictions."""
    position = _position(predicted, n_bins)
    count = np.bincount(position, minlength=n_bins)
    kept = count >= max(fewest, 1)
    mean = np.bincount(position, predicted, n_bins)[kept] / count[kept]
    frequency = np.bincount(position, observed, n_bins)[kept] / count[kept]
    return mean, frequency, count[kept]


def calibration_error(predicted: Floats, observed: NDArray[Any], n_bins: int) -> float:
    """Expected calibration error: ``sum_b |sum of (observed - predicted) in bin b| / n`` (Guo et al., 2017)."""
    distance = np.bincount(_position(predicted, n_bins), observed - predicted, n_bins)
    return float(np.abs(distance).sum() / len(predicted))


def _position(predicted: Floats, n_bins: int) -> Integers:
    return np.minimum((predicted * n_bins).astype(np.intp), n_bins - 1)
