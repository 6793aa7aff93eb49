"""Coefficients as images or as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .._matplotlib import BLUE, VERMILION, axes_for
from ..losses._base import Array
from ._models import check_integer, check_option, fitted_model, outputs_of

LABELS = {
    "standardized": "logit per standard deviation",
    "original": "logit per unit of the column",
}
MOST_COLUMNS = 5
MOST_COLUMNS_OF_BARS = 3


class CoefficientDisplay:
    """Coefficients of each class: an image each where the columns are pixels, the largest as bars where they are not.

    `from_estimator` makes one of a fitted model.

    Parameters
    ----------
    coefficients : ndarray of shape (K, d)
        A row for each output; one for two classes.
    outputs : list of str
        What each row speaks for: K titles.
    units : {"standardized", "original"}
        What the coefficients are multiplied by: columns divided by their standard deviations, or as they are.
    feature_names : sequence of str, default=None
        Names of the d columns; their numbers by default.
    image_shape : tuple of int, default=None
        Height and width of the image that the columns make up; bars by default.
    top : int, default=10
        How many bars are drawn for each output.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes
        One for each output.
    ax_ : matplotlib.axes.Axes
        The first of them.
    figure_ : matplotlib.figure.Figure
        Their figure.
    images_ : list of matplotlib.image.AxesImage
        One for each output; empty if bars were drawn.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        The bar that the images share.
    bars_ : list of matplotlib.container.BarContainer
        One for each output; empty if images were drawn.

    See Also
    --------
    LossCurveDisplay : How the coefficients were found.

    Notes
    -----
    Images share colour limits, which are symmetric: white is zero.

    Examples
    --------
    >>> from sklearn.datasets import load_digits, load_wine
    >>> from skgradlinear import CoefficientDisplay, SoftmaxClassifier
    >>> model = SoftmaxClassifier().fit(*load_digits(return_X_y=True))
    >>> display = CoefficientDisplay.from_estimator(model, image_shape=(8, 8))
    >>> len(display.images_)
    10
    >>> model = SoftmaxClassifier().fit(*load_wine(return_X_y=True, as_frame=True))
    >>> display = CoefficientDisplay.from_estimator(model, top=3)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['proline', 'alcalinity_of_ash', 'alcohol']
    """

    def __init__(
        self,
        coefficients: Array,
        *,
        outputs: Sequence[str],
        units: str,
        feature_names: Sequence[str] | None = None,
        image_shape: tuple[int, int] | None = None,
        top: int = 10,
    ) -> None:
        self.coefficients = coefficients
        self.outputs = outputs
        self.units = units
        self.feature_names = feature_names
        self.image_shape = image_shape
        self.top = top

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, int] | None = None,
        feature_names: Sequence[str] | None = None,
        top: int = 10,
        units: str = "standardized",
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the coefficients of a fitted model.

        Parameters
        ----------
        estimator : estimator
            A fitted model of this package, or a pipeline that ends in one.
        image_shape : tuple of int, default=None
            Height and width of the image that the columns make up, row by row.
        feature_names : sequence of str, default=None
            Names of the columns; those of the data frame of the fit by default, else their numbers.
        top : int, default=10
            How many bars are drawn for each output: the coefficients of the largest size.
        units : {"standardized", "original"}, default="standardized"
            ``coef_ * column_std_``, what a standard deviation of a column adds to the logit and therefore comparable
            between columns of different units; or ``coef_`` as it is.
        ax : matplotlib Axes or array of them, default=None
            Where to draw: as many as the model has outputs, or one that is divided among them.
        name : str, default=None
            A title above the titles of the outputs.
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.imshow`, or of :meth:`matplotlib.axes.Axes.barh`.

        Returns
        -------
        CoefficientDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If `image_shape`, `feature_names` or `ax` does not fit the coefficients, or an option is unknown.
        """
        check_option("units", units, ("standardized", "original"))
        model = fitted_model(estimator)
        coefficients = model.coef_ * model.column_std_ if units == "standardized" else model.coef_
        if feature_names is None and hasattr(model, "feature_names_in_"):
            feature_names = model.feature_names_in_.tolist()
        display = cls(
            coefficients,
            outputs=outputs_of(model),
            units=units,
            feature_names=feature_names,
            image_shape=image_shape,
            top=top,
        )
        return display.plot(ax, name=name, **kwargs)

    def plot(self, ax: Any = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Where to draw: as many as there are outputs, or one that is divided among them.
        name : str, default=None
            A title above the titles of the outputs.
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.imshow`, or of :meth:`matplotlib.axes.Axes.barh`.

        Returns
        -------
        CoefficientDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `image_shape`, `feature_names` or `ax` does not fit the coefficients.
        """
        n_outputs, n_columns = self.coefficients.shape
        if self.image_shape is not None:
            _check_image_shape(self.image_shape, n_columns)
        else:
            _check_bars(self.top, self.feature_names, n_columns)
        as_images = self.image_shape is not None
        most = MOST_COLUMNS if as_images else MOST_COLUMNS_OF_BARS
        size = (2.2, 2.4) if as_images else (4.8, 0.9 + 0.27 * min(self.top, n_columns))
        axes = axes_for("CoefficientDisplay.plot", ax, n_outputs, min(n_outputs, most), size)
        self.axes_ = np.array(axes, dtype=object)
        self.ax_, self.figure_ = axes[0], axes[0].figure
        self.images_: list[Any] = []
        self.bars_: list[Any] = []
        self.colorbar_: Any = None
        if as_images:
            self._draw_images(kwargs)
        else:
            self._draw_bars(kwargs)
        for one, title in zip(axes, self.outputs, strict=True):
            one.set_title(title, fontsize="medium")
        if name is not None:
            self.figure_.suptitle(name)
        return self

    def _draw_images(self, options: dict[str, Any]) -> None:
        largest = np.abs(self.coefficients).max() or 1.0
        style = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "interpolation": "nearest", **options}
        for one, row in zip(self.axes_, self.coefficients, strict=True):
            self.images_.append(one.imshow(row.reshape(self.image_shape), **style))
            one.set(xticks=[], yticks=[])
        self.colorbar_ = self.figure_.colorbar(self.images_[0], ax=list(self.axes_), label=LABELS[self.units])

    def _draw_bars(self, options: dict[str, Any]) -> None:
        n_columns = self.coefficients.shape[1]
        names = [f"column {j}" for j in range(n_columns)] if self.feature_names is None else list(self.feature_names)
        for one, row in zip(self.axes_, self.coefficients, strict=True):
            chosen = np.argsort(-np.abs(row), kind="stable")[: self.top]
            positions = np.arange(len(chosen))
            style = {"color": np.where(row[chosen] > 0, VERMILION, BLUE), **options}
            self.bars_.append(one.barh(positions, row[chosen], **style))
            one.set_yticks(positions, [str(names[j]) for j in chosen])
            one.invert_yaxis()
            one.axvline(0, color="0.3", linewidth=0.8)
            one.grid(axis="x", alpha=0.25)
            one.set_xlabel(LABELS[self.units], fontsize="small")


def _check_image_shape(image_shape: Any, n_columns: int) -> None:
    fits = (
        isinstance(image_shape, list | tuple)
        and len(image_shape) == 2
        and all(isinstance(side, (int, np.integer)) and side > 0 for side in image_shape)
        and image_shape[0] * image_shape[1] == n_columns
    )
    if not fits:
        raise ValueError(
            f"image_shape must be a height and a width whose product is the number of columns, {n_columns}; "
            f"got {image_shape!r}."
        )


def _check_bars(top: Any, feature_names: Sequence[str] | None, n_columns: int) -> None:
    check_integer("top", top, least=1)
    if feature_names is not None and len(feature_names) != n_columns:
        raise ValueError(
            f"feature_names must hold a name for each of the {n_columns} columns; got {len(feature_names)}."
        )
