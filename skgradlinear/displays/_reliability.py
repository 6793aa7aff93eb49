"""Reliability of the probabilities of several classes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, column_or_1d

from .._matplotlib import MARKERS, axes_for, legend, line_style
from .._reliability import binned, calibration_error
from .._validation import check_weight
from ..losses._base import Array
from ._models import check_integer, check_option

# Curves whose names leave room for the curves.
MOST_INSIDE = 4


class ReliabilityDisplay:
    """Predicted probabilities of several classes against what happened, with the expected calibration error.

    scikit-learn's :class:`~sklearn.calibration.CalibrationDisplay` draws the same for two classes. With more there are
    two questions: whether the predicted class is right as often as its probability says ("top_label"), and whether each
    class occurs as often as its probability says ("classwise").

    Parameters
    ----------
    prob_pred : dict of str to ndarray
        Mean probability in each bin that holds any, under the name of each curve.
    prob_true : dict of str to ndarray
        Observed frequency in the same bins.
    calibration_error : dict of str to float
        Expected calibration error of each curve: the mean, over rows, of the distance between the two in a row's bin.
    kind : {"top_label", "classwise"}
        Which question the curves answer.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the curves are.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    lines_ : list of matplotlib.lines.Line2D
        One for each curve.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : Two classes.

    Notes
    -----
    Guo et al. (2017), "On calibration of modern neural networks", section 2; classwise: Kull et al. (2019), "Beyond
    temperature scaling", section 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skgradlinear import LinearSVMClassifier, ReliabilityDisplay
    >>> X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    >>> model = LinearSVMClassifier(loss="squared_hinge").fit(X, y)
    >>> display = ReliabilityDisplay.from_estimator(model, X_test, y_test)
    >>> display.calibration_error["LinearSVMClassifier"] < 0.03
    True
    """

    def __init__(
        self,
        prob_pred: dict[str, Array],
        prob_true: dict[str, Array],
        calibration_error: dict[str, float],
        *,
        kind: str,
    ) -> None:
        self.prob_pred = prob_pred
        self.prob_true = prob_true
        self.calibration_error = calibration_error
        self.kind = kind

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        kind: str = "top_label",
        n_bins: int = 10,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the reliability of a fitted classifier on rows, best of all rows it has not seen.

        Parameters
        ----------
        estimator : estimator
            Any fitted classifier with ``predict_proba``.
        X : {array, sparse matrix, data frame} of shape (n, d)
            Rows.
        y : array of shape (n,)
            Their labels.
        sample_weight : array of shape (n,), default=None
            Weights of the rows, ones if None: a weight of 2 is the same as the row twice, and 0 the same as no row.
        kind : {"top_label", "classwise"}, default="top_label"
            One curve, for the predicted class, or one for each class.
        n_bins : int, default=10
            Number of equal bins between 0 and 1.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        name : str, default=None
            Name of the curve of "top_label"; by default the class of the estimator.
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        ReliabilityDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If labels, probabilities and weights do not fit each other, or an option is unknown.
        """
        check_is_fitted(estimator)
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            sample_weight=sample_weight,
            classes=estimator.classes_,
            kind=kind,
            n_bins=n_bins,
            ax=ax,
            name=type(estimator).__name__ if name is None else name,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_proba: Any,
        *,
        sample_weight: Any = None,
        classes: Any = None,
        kind: str = "top_label",
        n_bins: int = 10,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the reliability of probabilities.

        Parameters
        ----------
        y_true : array of shape (n,)
            Labels.
        y_proba : array of shape (n, K)
            Probabilities of the classes.
        sample_weight : array of shape (n,), default=None
            Weights of the rows, ones if None: a weight of 2 is the same as the row twice, and 0 the same as no row.
        classes : array of shape (K,), default=None
            Classes of the columns of `y_proba`; the sorted labels of `y_true` by default.
        kind : {"top_label", "classwise"}, default="top_label"
            One curve, for the predicted class, or one for each class.
        n_bins : int, default=10
            Number of equal bins between 0 and 1.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        name : str, default=None
            Name of the curve of "top_label".
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        ReliabilityDisplay
            The display.

        Raises
        ------
        ValueError
            If labels, probabilities and weights do not fit each other, or an option is unknown.
        """
        check_option("kind", kind, ("top_label", "classwise"))
        check_integer("n_bins", n_bins, least=1)
        labels, proba = column_or_1d(y_true), np.asarray(y_proba, dtype=np.float64)
        known = np.unique(labels) if classes is None else np.asarray(classes)
        _check_predictions(labels, proba, known)
        weight = check_weight(sample_weight, len(labels))
        used = weight > 0
        labels, proba, weight = labels[used], proba[used], weight[used]
        if kind == "top_label":
            hits = known[proba.argmax(axis=1)] == labels
            events = {"predicted class" if name is None else name: (proba.max(axis=1), hits)}
        else:
            events = {str(label): (proba[:, k], labels == label) for k, label in enumerate(known.tolist())}
        bins = {curve: binned(*event, n_bins, weight=weight) for curve, event in events.items()}
        return cls(
            {curve: mean for curve, (mean, _, _) in bins.items()},
            {curve: frequency for curve, (_, frequency, _) in bins.items()},
            {curve: calibration_error(*event, n_bins, weight) for curve, event in events.items()},
            kind=kind,
        ).plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curves and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        name : str, default=None
            Name of the curve, if there is one only.
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        ReliabilityDisplay
            The display itself.
        """
        (self.ax_,) = axes_for("ReliabilityDisplay.plot", ax)
        self.figure_ = self.ax_.figure
        perfect = "perfectly calibrated"
        # Several displays may share axes.
        if perfect not in self.ax_.get_legend_handles_labels()[1]:
            self.ax_.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":", label=perfect)
        n_earlier = len(self.ax_.lines) - 1
        self.lines_: list[Any] = []
        for i, (curve, predicted) in enumerate(self.prob_pred.items(), start=n_earlier):
            label = name if name is not None and len(self.prob_pred) == 1 else curve
            style = {
                **line_style(i),
                "marker": MARKERS[i % len(MARKERS)],
                "label": f"{label} (ECE {self.calibration_error[curve]:.3f})",
                **kwargs,
            }
            self.lines_ += self.ax_.plot(predicted, self.prob_true[curve], **style)
        whose = "the predicted class" if self.kind == "top_label" else "each class"
        self.ax_.set(
            xlabel=f"mean predicted probability of {whose}",
            ylabel=f"observed frequency of {whose}",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        self.ax_.grid(alpha=0.25)
        legend(self.ax_, outside=ax is None and len(self.lines_) > MOST_INSIDE)
        return self


def _check_predictions(labels: Array, proba: Array, classes: Array) -> None:
    if proba.shape != (len(labels), len(classes)):
        raise ValueError(
            f"y_proba must have a row for each of the {len(labels)} labels and a column for each of the {len(classes)} "
            f"classes; got shape {proba.shape}."
        )
    if not (np.isfinite(proba).all() and (proba >= 0).all() and (proba <= 1).all()):
        raise ValueError(f"y_proba must hold numbers between 0 and 1; got {proba.min():g} to {proba.max():g}.")
    unknown = sorted(set(labels.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(f"y_true holds {unknown[:5]}, which is none of the classes {classes.tolist()[:10]}.")
