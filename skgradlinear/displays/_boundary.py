"""The regions of the classes while a model is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._matplotlib import COLOURS, MARKERS, axes_for, legend, require_matplotlib
from ..estimators._base import LinearClassifier
from ..losses._base import Array, Labels
from ..solvers import Iteration
from ._models import check_integer, linear_model

# Of the range of the points, on each side.
MARGIN = 0.08
REGION_OPACITY = 0.35


class BoundaryAnimation:
    """The regions in which a model predicts each class, after every iteration of its fit.

    `from_estimator` fits a copy of a model and looks at it after each iteration of its solver, whichever that is. A
    picture of a fitted model's boundary is scikit-learn's :class:`~sklearn.inspection.DecisionBoundaryDisplay`.

    Parameters
    ----------
    grid_predictions : ndarray of shape (n_frames, resolution, resolution)
        Number of the predicted class at each point of a grid; the second axis goes up, the third to the right.
    extent : tuple of float
        Left, right, lower and upper end of the grid.
    X : ndarray of shape (n, 2)
        The points.
    y : ndarray of shape (n,)
        Numbers of their classes.
    classes : list of str
        Names of the classes.
    titles : list of str
        What is said of each frame.
    feature_names : sequence of str
        Names of the two columns.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the regions are.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    image_ : matplotlib.image.AxesImage
        The regions.
    points_ : list of matplotlib.lines.Line2D
        The points of each class.

    See Also
    --------
    sklearn.inspection.DecisionBoundaryDisplay : The boundary of a fitted model.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skgradlinear import BoundaryAnimation, SoftmaxClassifier
    >>> X, y = make_blobs(n_samples=60, centers=3, random_state=0)
    >>> animation = BoundaryAnimation.from_estimator(SoftmaxClassifier(solver="lbfgs"), X, y)
    >>> print(animation.titles[0], len(animation.titles) > 5)
    iteration 0, gap 1e+02 True

    ``animation.save("boundary.gif")`` writes a file, ``animation.animate()`` is for notebooks.
    """

    def __init__(
        self,
        grid_predictions: Array,
        *,
        extent: tuple[float, float, float, float],
        X: Array,
        y: Labels,
        classes: Sequence[str],
        titles: Sequence[str],
        feature_names: Sequence[str],
    ) -> None:
        self.grid_predictions = grid_predictions
        self.extent = extent
        self.X = X
        self.y = y
        self.classes = classes
        self.titles = titles
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        grid_resolution: int = 150,
        max_frames: int = 60,
        ax: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Fit a copy of a model and draw where its fit ended.

        Parameters
        ----------
        estimator : estimator
            A model of this package, or a pipeline that ends in one. It is not fitted itself.
        X : {array, data frame} of shape (n, 2)
            Rows of two columns; what comes before the model in a pipeline may make more of them, and select those of a
            data frame by name.
        y : array of shape (n,)
            Labels.
        sample_weight : array of shape (n,), default=None
            Weights of the rows.
        grid_resolution : int, default=150
            Number of points of the grid along each axis.
        max_frames : int, default=60
            Of more iterations than these so many are shown, evenly spread, the first and the last among them.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        name : str, default=None
            What the titles of the frames begin with.
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.plot` for the points.

        Returns
        -------
        BoundaryAnimation
            The display, at its last frame.

        Raises
        ------
        TypeError
            If the estimator is none of this package's.
        ValueError
            If X has not two columns of numbers, y is an indicator of several labels, or a number is out of range.
        """
        require_matplotlib("BoundaryAnimation")
        linear_model(estimator)
        check_integer("grid_resolution", grid_resolution, least=2)
        check_integer("max_frames", max_frames, least=2)
        rows, names = _two_columns(X)
        model, before = clone(estimator), None
        if isinstance(model, Pipeline):
            model, before = model[-1], model[:-1] if len(model.steps) > 1 else None
        found = model._iterates(X if before is None else before.fit_transform(X, y), y, sample_weight)
        if found[0][1]._is_multilabel():
            raise ValueError("y must hold one label per row to be drawn as regions; got an indicator of several.")
        shown = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, max_frames).astype(int))]
        low, high = rows.min(axis=0), rows.max(axis=0)
        margin = MARGIN * np.where(high > low, high - low, 1.0)
        across, up = np.linspace(low - margin, high + margin, grid_resolution).T
        grid = _named_as(X, np.column_stack([part.ravel() for part in np.meshgrid(across, up)]))
        grid = grid if before is None else before.transform(grid)
        classes = found[0][1].classes_
        shape = grid_resolution, grid_resolution
        predictions = [np.searchsorted(classes, one.predict(grid)).astype(np.int16).reshape(shape) for _, one in shown]
        return cls(
            np.array(predictions),
            extent=(across[0], across[-1], up[0], up[-1]),
            X=rows,
            y=np.searchsorted(classes, np.asarray(y)),
            classes=[str(label) for label in classes.tolist()],
            titles=[_title(*one) for one in shown],
            feature_names=names,
        ).plot(ax, name=name, **kwargs)

    def plot(self, ax: Any = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the last frame.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        name : str, default=None
            What the titles of the frames begin with.
        **kwargs : dict
            Options of :meth:`matplotlib.axes.Axes.plot` for the points.

        Returns
        -------
        BoundaryAnimation
            The display itself.
        """
        (self.ax_,) = axes_for("BoundaryAnimation.plot", ax)
        from matplotlib.colors import ListedColormap

        self.figure_ = self.ax_.figure
        self._name = name
        colours = [COLOURS[k % len(COLOURS)] for k in range(len(self.classes))]
        self.image_ = self.ax_.imshow(
            self.grid_predictions[-1],
            cmap=ListedColormap(colours),
            vmin=-0.5,
            vmax=len(colours) - 0.5,
            extent=self.extent,
            origin="lower",
            aspect="auto",
            alpha=REGION_OPACITY,
            interpolation="nearest",
        )
        self.points_ = []
        for k, label in enumerate(self.classes):
            style = {
                "color": colours[k],
                "marker": MARKERS[k % len(MARKERS)],
                "linestyle": "none",
                "markeredgecolor": "white",
                "label": label,
                **kwargs,
            }
            self.points_ += self.ax_.plot(*self.X[self.y == k].T, **style)
        self.ax_.set(xlabel=self.feature_names[0], ylabel=self.feature_names[1])
        legend(self.ax_, outside=ax is None)
        self.show_frame(len(self.titles) - 1)
        return self

    def show_frame(self, frame: int) -> list[Any]:
        """Draw one of the frames in the place of the one that is there.

        Parameters
        ----------
        frame : int
            Number of the frame.

        Returns
        -------
        list
            The artists that have changed.
        """
        self.image_.set_data(self.grid_predictions[frame])
        title = self.titles[frame]
        self.ax_.set_title(title if self._name is None else f"{self._name}: {title}")
        return [self.image_, self.ax_.title]

    def animate(self, interval: int = 200) -> Any:
        """The frames one after the other.

        Parameters
        ----------
        interval : int, default=200
            Milliseconds between frames.

        Returns
        -------
        matplotlib.animation.FuncAnimation
            To be shown, saved or turned into HTML (``.to_jshtml()``); Matplotlib warns if nothing is done with it.
        """
        from matplotlib.animation import FuncAnimation

        return FuncAnimation(self.figure_, self.show_frame, frames=len(self.titles), interval=interval, blit=False)

    def save(self, path: str | Path, *, fps: int = 5) -> Path:
        """Write the animation as a GIF, with Pillow, which Matplotlib brings.

        Parameters
        ----------
        path : str or Path
            Where to; ends in ".gif".
        fps : int, default=5
            Frames per second.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            If the name does not end in ".gif".
        """
        target = Path(path)
        if target.suffix.lower() != ".gif":
            raise ValueError(f"path must end in '.gif'; got {str(path)!r}. Other formats: animate() and its save().")
        from matplotlib.animation import PillowWriter

        self.animate().save(target, writer=PillowWriter(fps=fps))
        self.show_frame(len(self.titles) - 1)
        return target


def _two_columns(X: Any) -> tuple[Array, list[str]]:
    names = [str(name) for name in getattr(X, "columns", ("column 0", "column 1"))]
    rows = np.asarray(X)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise ValueError(
            f"X must have two columns to be drawn in a plane; got shape {rows.shape}. Choose two, or project the rows."
        )
    try:
        return rows.astype(np.float64), names
    except (TypeError, ValueError):
        raise ValueError(
            f"X must hold numbers to be drawn in a plane; got dtype {rows.dtype}. Choose other columns, or encode "
            "these before."
        ) from None


def _named_as(X: Any, rows: Array) -> Any:
    """Rows as a frame like X, under the names of its columns; as they are if X has none."""
    return type(X)(dict(zip(X.columns, rows.T, strict=True))) if hasattr(X, "columns") else rows


def _title(iteration: Iteration, model: LinearClassifier) -> str:
    proof = f"gap {iteration.measure:.0e}" if model.alpha_ else f"scaled gradient {iteration.measure:.0e}"
    return f"iteration {iteration.n_iter}, {proof}"
