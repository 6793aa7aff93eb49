"""Numerical derivatives that keep clear of kinks, or recognize them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .losses._base import Array

Indices = NDArray[np.intp]

# Five-point differences err by h^4 f^(5) / 30 + 3 eps |f| / (2 h), least near h = eps^(1/5) = 7e-4.
STEP = 2.0**-10
# Where the first step may have met a kink, smaller ones are tried; the last leaves half of the digits.
SHRINK = 8.0 ** -np.arange(5)
# Rounding of a difference quotient in units of eps |f| / h: the 1.5 of the stencil times that of a value.
ROUNDINGS = 16
# The slopes of the two sides differ half as much as with twice the step where a function is smooth, to this share.
BEND = 0.1
# Jumps of slope smaller than this share of the largest slope are taken for rounding.
JUMP_FLOOR = 1e-7
# An imaginary step takes no difference: nothing cancels, and the error h^2 vanishes.
COMPLEX_STEP = 1e-100
# Distances, relative to the point, of the random points at which the subgradient inequality is tried, four times each.
DISTANCES = np.repeat([1e-3, 1e-2, 0.1, 1.0, 10.0], 4)


@dataclass(frozen=True)
class RowFunction:
    """A target in float64, as a function of independent rows: from points (m, c) to values (m,), gradients (m, c)."""

    point: Array
    analytic: Array
    value: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


@dataclass(frozen=True)
class _Stencil:
    """Difference quotients with one step, entry by entry."""

    central: Array  # (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h: exact for polynomials of degree 4
    sided: Array  # (4 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 4h: exact for two parabolas that meet smoothly at 0
    lower: Array
    upper: Array
    bent: NDArray[np.bool_]
    noise: Array


def _stencil(value_at: Callable[[Array], Array], centre: Array, h: Array) -> _Stencil:
    low2, low, high, high2 = (value_at(k * h) for k in (-2, -1, 1, 2))
    noise = ROUNDINGS * np.finfo(np.float64).eps * np.max(np.abs([low2, centre, high2]), axis=0) / h
    opening, wider = np.abs(high - 2 * centre + low) / h, np.abs(high2 - 2 * centre + low2) / (2 * h)
    backward, forward = (centre - low) / h, (high - centre) / h
    floor = JUMP_FLOOR * np.max(np.abs([backward, forward]), initial=0.0)
    return _Stencil(
        central=(8 * (high - low) - (high2 - low2)) / (12 * h),
        sided=(4 * (high - low) - (high2 - low2)) / (4 * h),
        lower=np.minimum(backward, forward) - noise,
        upper=np.maximum(backward, forward) + noise,
        bent=np.abs(opening - wider / 2) > BEND * wider + noise + floor,
        noise=noise,
    )


def derivative(
    value_at: Callable[[Array], Array], centre: Array, analytic: Array, step: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Derivative at 0 of each entry of `value_at`, which is `centre` there, and which entries have a kink.

    At a kink it is the number between the slopes of the two sides that is nearest to `analytic`, which has no other
    influence on the result. Steps where a kink is near, but not at 0, shrink until they avoid it.
    """
    first = _stencil(value_at, centre, step)
    doubtful = first.bent | (np.abs(first.central - analytic) > first.noise)
    if not doubtful.any():
        return first.central, doubtful
    levels = [first] + [_stencil(value_at, centre, step * share) for share in SHRINK[1:]]
    last = levels[-1]
    central, sided = np.stack([s.central for s in levels]), np.stack([s.sided for s in levels])
    # Steps that agree with the next smaller one (the last step: both formulas with each other) have met no kink; among
    # those rounding decides.
    change = np.concatenate([np.diff(central, axis=0, append=sided[-1:]), np.diff(sided, axis=0, append=central[-1:])])
    error = np.abs(change) + np.concatenate(2 * [[s.noise for s in levels]])
    settled = np.take_along_axis(np.concatenate([central, sided]), error.argmin(axis=0)[None], axis=0)[0]
    kink = doubtful & last.bent
    return np.where(kink, np.clip(analytic, last.lower, last.upper), np.where(doubtful, settled, first.central)), kink


def central_slopes(function: RowFunction, coordinates: Indices) -> tuple[Array, NDArray[np.bool_]]:
    """Differences along each coordinate, of all rows together, and where they have kinks; shape (m, c)."""
    numerical = np.empty((len(function.point), len(coordinates)))
    kinks = np.zeros(numerical.shape, bool)
    moved = function.point.copy()
    centre = function.value(moved)
    for column, j in enumerate(coordinates):

        def value_at(step: Array, j: int = j) -> Array:
            moved[:, j] = function.point[:, j] + step
            return function.value(moved)

        size = STEP * np.maximum(1.0, np.abs(function.point[:, j]))
        numerical[:, column], kinks[:, column] = derivative(value_at, centre, function.analytic[:, j], size)
        moved[:, j] = function.point[:, j]
    return numerical, kinks


def complex_slopes(function: Callable[[Any], tuple[Any, Any]], point: Any, coordinates: Indices) -> Array:
    """``Im f(w + ih) / h`` along each coordinate, shape (1, c)."""
    slopes = []
    for j in coordinates:
        moved = point.copy()
        moved.flat[j] += 1j * COMPLEX_STEP
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            value = function(moved)[0]
        if not np.iscomplexobj(value):
            raise ValueError(
                f"method='complex' needs a complex value at a complex point; got {value!r}: let the callable compute "
                "with complex numbers throughout, or use method='central'."
            )
        slopes.append(float(np.imag(value)) / COMPLEX_STEP)
    return np.array([slopes])


def subgradient_violation(function: RowFunction, random: np.random.Generator) -> float:
    """Largest excess of ``f(w) + g . (v - w)`` over ``f(v)`` at random v, relative to these terms."""
    here, worst = function.value(function.point), 0.0
    for distance in DISTANCES:
        change = distance * np.maximum(1.0, np.abs(function.point)) * random.standard_normal(function.point.shape)
        there, terms = function.value(function.point + change), function.analytic * change
        size = np.abs(here) + np.abs(there) + np.abs(terms).sum(axis=1)
        excess = (here + terms.sum(axis=1) - there) / np.where(size > 0, size, 1.0)
        worst = max(worst, float(excess.max(initial=0.0)))
    return worst
