"""Temperature: one number that turns scores into probabilities, fitted on scores of rows the model has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from .losses import SigmoidLoss, SoftmaxLoss
from .losses._base import Array, Labels, Mask

# Inverse temperatures searched; smoothed targets keep the optimum inside unless scores say nothing or the opposite.
LOWEST, HIGHEST = 1e-4, 1e4
# After a step of Newton's method this small the error is its square: rounding.
MAX_NEWTON, MAX_LOG_STEP, LAST_STEP = 200, 20.0, 1e-8

# First and second derivative.
Derivatives = Callable[[float], tuple[float, float]]


def proba(logits: Array) -> Array:
    """Probabilities of the classes from logits, shape (n, K) or (n, 1) for two classes."""
    if logits.shape[1] > 1:
        return SoftmaxLoss().proba(logits)
    sigmoid = SigmoidLoss()
    return np.hstack([sigmoid.proba(-logits), sigmoid.proba(logits)])


def log_proba(logits: Array) -> Array:
    """Logarithms of `proba`, formed without it."""
    if logits.shape[1] > 1:
        return SoftmaxLoss().log_proba(logits)
    sigmoid = SigmoidLoss()
    return np.hstack([sigmoid.log_proba(-logits), sigmoid.log_proba(logits)])


def fit_temperature(logits: Array, y: Labels, weight: Array) -> float:
    """Temperature T > 0 that minimizes the weighted log-loss of ``softmax(logits / T)``.

    Each row's target is smoothed by one pseudo-row per class, so that scores without a single error do not ask for
    certainty (Platt, 1999, section 2.2; Guo et al., 2017, section 4.2).
    """
    used = weight > 0
    if not used.any():
        return 1.0
    return 1 / _root(_derivatives(logits[used], y[used], weight[used], float(weight.sum())))


@dataclass(frozen=True)
class RunningTemperature:
    """The temperature of scores that come in pieces: its inverse, and a parabola for the loss of the pieces before.

    Parameters
    ----------
    beta : float
        Inverse of the temperature.
    stiffness : float or None
        Second derivative of the pieces' summed log-loss in `beta`, faded; None if not known.
    seen : float
        Total weight of the pieces.
    """

    beta: float
    stiffness: float | None
    seen: float

    def after(self, logits: Array, y: Labels, weight: Array) -> RunningTemperature:
        """The temperature after a piece: minimizes its log-loss plus the parabola of those before."""
        mass = float(weight.sum())
        total = self.seen + mass
        derivatives = _derivatives(logits, y, weight, total)
        if self.stiffness is None:
            # Scores to come are like those before.
            before = derivatives(self.beta)[1] * self.seen / (2 * mass)
        else:
            before = self.stiffness * self.seen / total

        def with_parabola(beta: float) -> tuple[float, float]:
            slope, curvature = derivatives(beta)
            return slope + before * (beta - self.beta), curvature + before

        beta = _root(with_parabola)
        return RunningTemperature(beta, with_parabola(beta)[1], total)


def _derivatives(logits: Array, y: Labels, weight: Array, total: float) -> Derivatives:
    """First and second derivative of the log-loss of ``softmax(beta logits)`` in beta: mean minus target, and variance.

    Targets are smoothed by one pseudo-row per class among rows of weight `total`.
    """
    logits = logits.astype(np.float64).T
    if len(logits) == 1:
        logits = np.vstack([-logits / 2, logits / 2])
    n_classes = len(logits)
    # Classes are rows: sums over them run along contiguous memory. Beside the largest logit of a row none overflows.
    heights = logits - logits.max(axis=0)
    own = heights[y, np.arange(len(y))]
    expected = (total * own + heights.sum(axis=0)) / (total + n_classes)

    def derivatives(beta: float) -> tuple[float, float]:
        proba = np.exp(beta * heights)
        proba /= proba.sum(axis=0)
        mean = (proba * heights).sum(axis=0)
        spread = (proba * (heights - mean) ** 2).sum(axis=0)
        return float(weight @ (mean - expected)), float(weight @ spread)

    return derivatives


def _root(derivatives: Derivatives) -> float:
    """Where an increasing function of the inverse temperature is zero, within the limits: Newton's method, bracketed.

    SciPy's root finders would do, but leave a reference cycle with the scores in it.
    """
    if derivatives(LOWEST)[0] >= 0:
        return LOWEST
    if derivatives(HIGHEST)[0] <= 0:
        return HIGHEST
    low, high, beta = LOWEST, HIGHEST, 1.0
    for _ in range(MAX_NEWTON):
        value, stiffness = derivatives(beta)
        low, high = (beta, high) if value < 0 else (low, beta)
        # The logarithm of beta is what is searched: its derivative is beta times as large.
        moved = beta * np.exp(-value / (beta * stiffness)) if stiffness * beta > abs(value) / MAX_LOG_STEP else 0.0
        # Before the bracket is asked: at the root rounding may point to the side that has been ruled out.
        if abs(moved - beta) <= LAST_STEP * beta:
            return float(moved)
        beta = moved if low < moved < high else float(np.sqrt(low * high))
    return float(beta)


def folds(cv: Any, X: Any, y: Labels, weight: Array) -> Iterator[tuple[Mask, Mask]]:
    """Pairs (rows to learn from, rows to score) from a number of folds, a splitter or an iterable of splits."""
    if isinstance(cv, (int, np.integer)):
        yield from _stratified(int(cv), y, weight > 0)
        return
    try:
        splits = list(check_cv(cv, y, classifier=True).split(X, y))
        pairs = [(_mask(train, len(y)), _mask(test, len(y))) for train, test in splits]
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"cv={cv!r} does not split the {len(y)} rows of X ({error}); pass a number of folds, a splitter or pairs "
            "(train, test) of row numbers."
        ) from error
    if not pairs:
        raise ValueError(f"cv yields no splits; got {cv!r}. An iterator can be used once: pass a list.")
    yield from pairs


def _mask(indices: Any, n_rows: int) -> Mask:
    chosen = np.asarray(indices)
    if chosen.ndim != 1:
        raise ValueError(f"row numbers must be one-dimensional, got shape {chosen.shape}")
    mask = np.zeros(n_rows, dtype=bool)
    mask[chosen] = True
    return mask


def _stratified(n_folds: int, y: Labels, used: Mask) -> Iterator[tuple[Mask, Mask]]:
    """Folds that deal out the used rows of each class in turn; scikit-learn's refuse classes smaller than a fold."""
    rows = np.flatnonzero(used)
    fold = np.full(len(y), -1)
    fold[rows[np.argsort(y[rows], kind="stable")]] = np.arange(len(rows)) % n_folds
    for k in range(min(n_folds, len(rows))):
        yield fold != k, fold == k


def learnable(y: Labels, kept: Mask, held: Mask, weight: Array, n_classes: int) -> Mask:
    """Of the held-out rows, those whose class has weight among the kept ones: only these can be scored."""
    known = np.bincount(y[kept], weight[kept], n_classes) > 0
    usable: Mask = held & known[y] & (known.sum() > 1)
    return usable
