"""Reliability and loss curves in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .._matplotlib import BLACK, BLUE, GREEN, PURPLE, VERMILION, count_by_whole_numbers, require_matplotlib
from . import _measures as measures
from ._errors import CompareError, one_line, quoted, shortened
from ._evaluate import Comparison

# Markers and lines tell curves apart without colour.
# Broad below narrow, dashed and hollow on top: a curve shows under another one that coincides with it.
STYLES: tuple[dict[str, Any], ...] = tuple(
    {
        "color": colour,
        "marker": marker,
        "linestyle": line,
        "markerfacecolor": face,
        "markersize": size,
        "linewidth": width,
    }
    for colour, marker, line, face, size, width in (
        (BLUE, "o", "-", BLUE, 9, 3.5),
        (VERMILION, "s", "-", VERMILION, 5, 1.5),
        (GREEN, "^", "-", GREEN, 5, 1.5),
        (BLACK, "D", "--", "none", 9, 1.5),
        (PURPLE, "v", "--", "none", 9, 1.5),
    )
)
MARKERS_PER_CURVE = 15
BINS = 10
FEWEST_IN_BIN = 5


def check(path: Path) -> None:
    """Refuse at once what would only fail after the fits."""
    try:
        require_matplotlib("--plot")
    except ImportError as error:
        raise CompareError(str(error)) from None
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in known:
        raise CompareError(f"--plot {quoted(str(path))}: unknown extension; choose one of {', '.join(sorted(known))}.")
    if not path.parent.is_dir():
        raise CompareError(f"--plot {quoted(str(path))}: the folder {quoted(str(path.parent))} does not exist.")
    if path.is_dir():
        raise CompareError(f"--plot {quoted(str(path))} is a directory; name a file.")


def draw(comparison: Comparison, path: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _reliability(left, comparison)
    _losses(right, comparison)
    figure.suptitle(
        f"{comparison.dataset.name}: {len(comparison.split.y_test)} test rows, {len(comparison.split.y)} training rows"
    )
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise CompareError(f"--plot {quoted(str(path))} cannot be written: {one_line(error)}.") from None


def _reliability(axes: Any, comparison: Comparison) -> None:
    y, classes = comparison.split.y_test, comparison.split.classes
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":", label="perfectly calibrated")
    for outcome, style in zip(comparison.outcomes, STYLES, strict=True):
        mean, frequency, _ = measures.reliability(outcome.proba, y, BINS, FEWEST_IN_BIN)
        error = measures.calibration_error(outcome.proba, y)
        name = "LinearSVC, calibrated" if outcome.name == "LinearSVC" else outcome.name
        axes.plot(mean, frequency, **style, label=f"{name} (ECE {error:.3f})")
    which = f"class {shortened(str(classes[1]), 20)}" if len(classes) == 2 else "all classes together"
    axes.set(
        xlabel=f"predicted probability ({which})",
        ylabel="observed frequency",
        title="Reliability on the test rows",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
    )
    _finish(axes)


def _losses(axes: Any, comparison: Comparison) -> None:
    for outcome, style in zip(comparison.outcomes, STYLES, strict=True):
        own = outcome.objective
        if own is None or own.gap is None:
            continue
        curve = np.asarray(outcome.model[-1].loss_curve_, dtype=np.float64)
        # The certified lower bound stands for the optimum, which nobody knows.
        above = (curve - own.value * (1 - own.gap)) / abs(own.value)
        # Rounding may put the last value below the bound.
        shown = np.flatnonzero(above > 0)
        every = max(1, len(shown) // MARKERS_PER_CURVE)
        axes.semilogy(shown, above[shown], **style, markevery=every, label=f"{outcome.name} (gap {own.gap:.1e})")
    axes.set(
        xlabel="iteration",
        ylabel="(objective - certified lower bound) / final objective",
        title="Loss curves on the training rows",
    )
    count_by_whole_numbers(axes)
    _finish(axes)


def _finish(axes: Any) -> None:
    axes.grid(alpha=0.25, which="major")
    axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
