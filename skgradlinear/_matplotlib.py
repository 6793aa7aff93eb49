"""Matplotlib, imported when something is drawn, and the colours that pictures share."""

from __future__ import annotations

import importlib
from typing import Any

# Okabe & Ito (2008), "Color universal design": told apart with any colour vision.
BLUE, VERMILION, GREEN, BLACK, PURPLE, ORANGE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#000000",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
COLOURS = BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK
DASHES = "-", "--", "-.", ":"
MARKERS = "o", "s", "^", "D", "v", "P", "X"


def require_matplotlib(what: str) -> None:
    """Raise an ImportError that names the extra, for `what` needs it, if Matplotlib is not there."""
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        raise ImportError(
            f'{what} needs matplotlib: pip install "skgradlinear[plot]" (or pip install matplotlib).'
        ) from None


def axes_for(what: str, ax: Any, n_axes: int = 1, n_columns: int = 1, size: tuple[float, float] = (6.4, 4.8)) -> Any:
    """Axes to draw on, as many as asked for, in a list: the given ones, or parts of the given one, or new ones.

    New ones are made by pyplot, as those of scikit-learn's displays are, so that notebooks show them; `size` is that of
    one of them in inches.
    """
    require_matplotlib(what)
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    figure: Any
    grid: Any
    n_rows = -(-n_axes // n_columns)
    if ax is None:
        figure = plt.figure(figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained")
        grid = figure.add_gridspec(n_rows, n_columns)
    elif isinstance(ax, Axes):
        if n_axes == 1:
            return [ax]
        figure, grid = ax.figure, ax.get_subplotspec()
        if grid is None:
            raise ValueError(f"ax has no place in a grid that {n_axes} axes could take; pass one made by plt.subplots.")
        grid = grid.subgridspec(n_rows, n_columns)
        ax.set_axis_off()
    else:
        given = list(getattr(ax, "flat", ax))
        if len(given) != n_axes or not all(isinstance(one, Axes) for one in given):
            raise ValueError(f"ax must be None, one Axes or {n_axes} of them; got {len(given)} objects.")
        return given
    return [figure.add_subplot(grid[i // n_columns, i % n_columns]) for i in range(n_axes)]


def line_style(i: int) -> dict[str, Any]:
    """Colour and dashes of the i-th curve; no two of the first 28 are the same."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}


def legend(axes: Any, *, outside: bool) -> None:
    """A legend inside, or to the right of the axes, where a figure of our own makes room for it."""
    if outside:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    else:
        axes.legend(fontsize="small")


def count_by_whole_numbers(axes: Any) -> None:
    """Ticks at integers along x; those of a logarithmic axis are, as they are."""
    from matplotlib.ticker import MaxNLocator

    if axes.get_xscale() == "linear":
        # Of a single point one tick is enough: a second one would have to be a fraction.
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
