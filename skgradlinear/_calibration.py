"""Temperature: one number that turns scores into probabilities, fitted on scores of rows the model has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import brentq
from sklearn.model_selection import check_cv

from .losses import SigmoidLoss, SoftmaxLoss
from .losses._base import Array, Labels, Mask

# Inverse temperatures searched; smoothed targets keep the optimum inside unless scores say nothing or the opposite.
LOWEST, HIGHEST = 1e-4, 1e4


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
    logits, y, weight = logits[used].astype(np.float64), y[used], weight[used]
    if logits.shape[1] == 1:
        logits = np.hstack([-logits / 2, logits / 2])
    n_classes = logits.shape[1]
    total = weight.sum()
    targets = np.full(logits.shape, 1 / (total + n_classes))
    targets[np.arange(len(y)), y] = (total + 1) / (total + n_classes)
    loss = SoftmaxLoss()

    def slope(log_beta: float) -> float:
        dlogits = loss.gradient(np.exp(log_beta) * logits, targets)
        return float(weight @ np.einsum("ik,ik->i", dlogits, logits))

    low, high = np.log(LOWEST), np.log(HIGHEST)
    if slope(low) >= 0:
        return 1 / LOWEST
    if slope(high) <= 0:
        return 1 / HIGHEST
    return float(np.exp(-brentq(slope, low, high, xtol=1e-13, rtol=1e-13)))


def held_out(cv: Any, X: Any, y: Labels) -> Iterator[Mask]:
    """Masks of the rows that are held out together, from a number of folds, a splitter or an iterable of splits."""
    if isinstance(cv, (int, np.integer)):
        yield from _stratified(int(cv), y)
        return
    n_splits = 0
    for _, test in check_cv(cv, y, classifier=True).split(X, y):
        mask = np.zeros(len(y), dtype=bool)
        try:
            mask[test] = True
        except IndexError as error:
            raise ValueError(
                f"cv yields row numbers that X does not have ({error}); pass splits of its rows."
            ) from error
        n_splits += 1
        yield mask
    if not n_splits:
        raise ValueError(f"cv yields no splits; got {cv!r}. An iterator can be used once: pass a list.")


def _stratified(n_folds: int, y: Labels) -> Iterator[Mask]:
    """Folds that deal out each class in turn, whatever its size; scikit-learn's refuse classes smaller than a fold."""
    fold = np.empty(len(y), dtype=np.intp)
    order = np.argsort(y, kind="stable")
    fold[order] = np.arange(len(y)) % n_folds
    for k in range(min(n_folds, len(y))):
        yield fold == k


def learnable(y: Labels, held: Mask, weight: Array, n_classes: int) -> Mask:
    """Of the held-out rows, those whose class has weight among the others: only these can be scored."""
    known = np.bincount(y[~held], weight[~held], n_classes) > 0
    usable: Mask = held & known[y] & (known.sum() > 1)
    return usable
