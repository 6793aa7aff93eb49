"""Early stopping: rows that are not learned from, and how long their loss has not improved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._judge import Report

if TYPE_CHECKING:
    from .._objective import Objective


class HeldOut:
    """The loss of held-out rows at one point after the other.

    Rows of positive weight are drawn at random, of each class in proportion where labels are classes.
    """

    def __init__(self, objective: Objective, fraction: float, patience: int, rng: np.random.Generator) -> None:
        usable = np.flatnonzero(objective.weight > 0)
        shuffled = rng.permutation(usable)
        if objective.y.ndim == 1:
            shuffled = shuffled[np.argsort(objective.y[shuffled], kind="stable")]
        # Every 1 / fraction-th of the rows in the order of their classes.
        marks = np.floor(np.arange(len(shuffled) + 1) * fraction + 0.5)
        self.rows = np.sort(shuffled[np.diff(marks) > 0])
        if not len(self.rows) or len(self.rows) == len(usable):
            kind = "no row to stop early by" if not len(self.rows) else "no row to learn from"
            raise ValueError(
                f"validation_fraction={fraction:g} of {len(usable)} rows leaves {kind}; choose another fraction, or "
                "early_stopping=False."
            )
        self.best: Report
        self._mean_loss = objective.on_rows(self.rows).mean_loss
        self._patience = patience
        self._lowest = np.inf
        self._n_idle = 0

    @property
    def exhausted(self) -> bool:
        """Whether the loss has not improved for as long as patience lasts."""
        return self._n_idle >= self._patience

    def note(self, report: Report) -> None:
        """Take the next point into account."""
        loss = self._mean_loss.value(report.logits[self.rows])
        self._n_idle = 0 if loss < self._lowest else self._n_idle + 1
        if loss < self._lowest or not hasattr(self, "best"):
            self._lowest, self.best = loss, report
