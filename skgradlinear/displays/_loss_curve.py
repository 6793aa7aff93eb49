"""The objective and the gap while a model is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from .._matplotlib import axes_for, count_by_whole_numbers, legend, line_style
from ..estimators._base import LinearClassifier
from ..losses._base import Array
from ._models import check_option, fitted_model

LABELS = {
    "objective": "objective (mean loss + penalty)",
    "suboptimality": "(objective - lower bound) / final objective",
    "gap": "relative duality gap",
    "iteration": "iteration",
    "seconds": "time (seconds)",
}


class LossCurveDisplay:
    """Curves of the objective, of what it may still lose, or of the gap, for one or several fits.

    `from_estimator` makes one of fitted models.

    Parameters
    ----------
    curves : dict of str to tuple of ndarray
        Positions and values of each curve, under the name of its fit.
    quantity : {"objective", "suboptimality", "gap"}
        What the values are; the last two are drawn on a logarithmic axis, where values that are not positive and finite
        are left out.
    x : {"iteration", "seconds"}
        What the positions are.

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
    CoefficientDisplay : What was learned.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgradlinear import LossCurveDisplay, SoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> fits = {solver: SoftmaxClassifier(solver=solver).fit(X, y) for solver in ("subspace_newton", "lbfgs")}
    >>> display = LossCurveDisplay.from_estimator(fits, quantity="gap")
    >>> [line.get_label() for line in display.lines_]
    ['subspace_newton', 'lbfgs']
    """

    def __init__(self, curves: Mapping[str, tuple[Array, Array]], *, quantity: str, x: str) -> None:
        self.curves = curves
        self.quantity = quantity
        self.x = x

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        quantity: str = "objective",
        x: str = "iteration",
        lower_bound: float | None = None,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the curves of fitted models.

        Parameters
        ----------
        estimator : estimator, list of them, or dict of str to estimator
            Fitted models of this package, or pipelines that end in one.
        quantity : {"objective", "suboptimality", "gap"}, default="objective"
            ``loss_curve_``; or what lies above a lower bound of the minimum, as a share of the final objective; or
            ``gap_curve_``. The lower bound stands for the minimum, which nobody knows, so that the second is never less
            than the true distance.
        x : {"iteration", "seconds"}, default="iteration"
            Positions of the values: the numbers of the iterations (epochs for solvers that count these), or
            ``seconds_curve_``.
        lower_bound : float, default=None
            For "suboptimality": a bound that all fits share, such as the best that fits of the same problem have
            proved. By default each is held against its own, ``(1 - duality_gap_) * objective_``.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        name : str, default=None
            Name of the curve of a single model; by default the class.
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        LossCurveDisplay
            The display.

        Raises
        ------
        NotFittedError
            If a model is not fitted.
        ValueError
            If an option is unknown, there is no model, or one fitted without a penalty is asked for its gap.
        """
        check_option("quantity", quantity, ("objective", "suboptimality", "gap"))
        check_option("x", x, ("iteration", "seconds"))
        curves: dict[str, tuple[Any, Array]] = {}
        for label, one in _named(estimator, name).items():
            model = fitted_model(one)
            values = _values(label, model, quantity, lower_bound)
            curves[label] = (np.arange(len(values)) if x == "iteration" else model.seconds_curve_, values)
        return cls(curves, quantity=quantity, x=x).plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curves.

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
        LossCurveDisplay
            The display itself.
        """
        (self.ax_,) = axes_for("LossCurveDisplay.plot", ax)
        self.figure_ = self.ax_.figure
        logarithmic = self.quantity != "objective"
        self.lines_: list[Any] = []
        for label, (positions, values) in self.curves.items():
            shown = np.isfinite(values) & (values > 0) if logarithmic else np.isfinite(values)
            label = name if name is not None and len(self.curves) == 1 else label
            style = {**line_style(len(self.lines_)), "linewidth": 2, "label": label, **kwargs}
            self.lines_ += self.ax_.plot(positions[shown], values[shown], **style)
        if logarithmic:
            self.ax_.set_yscale("log")
        if self.x == "iteration":
            count_by_whole_numbers(self.ax_)
        self.ax_.set(xlabel=LABELS[self.x], ylabel=LABELS[self.quantity])
        self.ax_.grid(alpha=0.25)
        legend(self.ax_, outside=False)
        return self


def _named(estimator: Any, name: str | None) -> dict[str, Any]:
    """Estimators under different names."""
    if isinstance(estimator, Mapping):
        named = dict(estimator)
    elif isinstance(estimator, list | tuple):
        kinds = [type(one).__name__ for one in estimator]
        named = {
            f"{kind} {i + 1}" if kinds.count(kind) > 1 else kind: one
            for i, (kind, one) in enumerate(zip(kinds, estimator, strict=True))
        }
    else:
        return {type(estimator).__name__ if name is None else name: estimator}
    if not named:
        raise ValueError(f"estimator holds no models; got {estimator!r}. Pass at least one fitted model.")
    return named


def _values(name: str, model: LinearClassifier, quantity: str, lower_bound: float | None) -> Array:
    if not hasattr(model, "loss_curve_"):
        raise ValueError(f"{name} has learnt by partial_fit, which keeps no curves; draw a model that was fitted.")
    if quantity == "objective":
        curve: Array = model.loss_curve_
        return curve
    if not model.alpha_:
        raise ValueError(
            f"{name} was fitted with alpha=0 and has no duality gap; draw quantity='objective', or fit with a penalty."
        )
    if quantity == "gap":
        gaps: Array = model.gap_curve_
        return gaps
    bound = (1 - model.duality_gap_) * model.objective_ if lower_bound is None else lower_bound
    above: Array = (model.loss_curve_ - bound) / model.objective_
    return above
