"""Gradients and Hessian products against differences, for a loss, an objective or a function of your own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._differences import STEP, Indices, RowFunction, central_slopes, complex_slopes, derivative, subgradient_violation
from ._objective import Objective
from .losses import Loss
from .losses._base import Array

Target = Loss | Objective | Callable[[Array], tuple[Any, Any]]


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """What `check_gradient` or `check_hessp` found.

    Parameters
    ----------
    analytic : ndarray
        Derivative as the target computes it, in the shape of the point (of the chosen coordinates, if not all).
    numerical : ndarray
        The same by differences; at a kink the number between the one-sided slopes that is nearest to `analytic`.
    relative_difference : float
        ``||analytic - numerical|| / ||analytic + numerical||``, 0 if both are zero.
    n_kinks : int
        Number of entries with different slopes on the two sides.
    subgradient_violation : float
        Largest excess of ``f(w) + g . (v - w)`` over ``f(v)`` at random ``v``, relative to these terms: rounding, if f
        is convex and g a subgradient. Of a Hessian product: the negative part of ``d . H d``, relative to its terms.
    coordinates : ndarray of int
        Flat indices of the coordinates that were compared; for a loss, logit columns.
    """

    analytic: Array
    numerical: Array
    relative_difference: float
    n_kinks: int
    subgradient_violation: float
    coordinates: Indices

    def __str__(self) -> str:
        return (
            f"relative difference {self.relative_difference:.1e} over {self.analytic.size} entries, "
            f"{self.n_kinks} at kinks, subgradient violation {self.subgradient_violation:.1e}"
        )


def check_gradient(
    target: Target,
    point: ArrayLike,
    y: ArrayLike | None = None,
    *,
    method: str = "central",
    max_coordinates: int | None = None,
    random_state: int = 0,
) -> GradientCheck:
    """Compare a gradient with differences of values, also where the function has kinks.

    The differences ``(8 (f(w+h) - f(w-h)) - (f(w+2h) - f(w-2h))) / 12h`` along each coordinate are taken in float64.
    Where they disagree with the gradient, smaller steps tell a kink near the point (which they avoid) from one at the
    point, where a convex function has slopes ``f'(w-) <= f'(w+)`` and any number between them is right.

    Parameters
    ----------
    target : Loss, Objective or callable
        What to check. A callable returns the pair (value, gradient) at an array.
    point : array
        Where: logits (n, K) of a loss, parameters of an objective (in either shape), an array of the callable's choice.
    y : ndarray of shape (n,) or (n, K), default=None
        Labels, for a loss only.
    method : {"central", "complex"}, default="central"
        "complex" is ``Im f(w + ih) / h``, exact to rounding, of a callable that computes with complex numbers.
    max_coordinates : int, default=None
        Compare so many coordinates, chosen at random, instead of all (for a loss: logit columns).
    random_state : int, default=0
        Seed of that choice and of the random points of the subgradient inequality.

    Returns
    -------
    GradientCheck
        Both derivatives and how far they are apart.

    Raises
    ------
    ValueError
        If shapes do not fit, the point is not finite, or the method does not suit the target.
    TypeError
        If the target is neither a loss, an objective nor a function of the form described.

    See Also
    --------
    check_hessp : The same for second derivatives.

    Notes
    -----
    Fornberg (1988), "Generation of finite difference formulas on arbitrarily spaced grids", table 1; Squire & Trapp
    (1998), "Using complex variables to estimate derivatives of real functions".

    Examples
    --------
    >>> import numpy as np
    >>> from skgradlinear import check_gradient
    >>> from skgradlinear.losses import SoftmaxLoss
    >>> check = check_gradient(SoftmaxLoss(), [[0.4, 0.0, -4.0], [0.4, 0.0, -4.0]], y=[1, 2])
    >>> check.relative_difference < 1e-9
    True
    >>> check_gradient(lambda w: (np.abs(w).sum(), np.sign(w)), [-1.0, 0.0, 2.0]).n_kinks
    1
    """
    if method not in ("central", "complex"):
        raise ValueError(f"method must be 'central' or 'complex'; got {method!r}.")
    function, random = _describe(target, point, y), np.random.default_rng(random_state)
    coordinates = _choose(function.point.shape[1], max_coordinates, random)
    if method == "central":
        numerical, kinks = central_slopes(function, coordinates)
    elif isinstance(target, (Loss, Objective)):
        raise ValueError(f"method='complex' needs a callable; {type(target).__name__} is real: use method='central'.")
    else:
        numerical, kinks = complex_slopes(target, np.array(point, np.complex128), coordinates), np.zeros(1, bool)
    analytic = function.analytic[:, coordinates]
    shape = np.shape(point) if max_coordinates is None else analytic.shape if isinstance(target, Loss) else (-1,)
    violation = subgradient_violation(function, random)
    return _report(analytic.reshape(shape), numerical.reshape(shape), kinks, violation, coordinates)


def check_hessp(
    target: Loss | Objective, point: ArrayLike, y: ArrayLike | None = None, direction: ArrayLike | None = None
) -> GradientCheck:
    """Compare the product of the Hessian and a direction with differences of the gradient along it.

    Parameters
    ----------
    target : Loss or Objective
        What to check.
    point : array
        Logits (n, K) of a loss, or parameters of an objective.
    y : ndarray of shape (n,) or (n, K), default=None
        Labels, for a loss only.
    direction : array, default=None
        In the shape of the point; random (and always the same) if None.

    Returns
    -------
    GradientCheck
        The products and how far they are apart; ``subgradient_violation`` says whether ``d . H d`` is negative.

    Raises
    ------
    ValueError
        If shapes do not fit or the point is not finite.
    TypeError
        If the target is neither a loss nor an objective.

    See Also
    --------
    check_gradient : The same for first derivatives, with the formula and its source.

    Examples
    --------
    >>> from skgradlinear import check_hessp
    >>> from skgradlinear.losses import SoftmaxLoss
    >>> check_hessp(SoftmaxLoss(), [[0.4, 0.0, -4.0]], y=[1]).relative_difference < 1e-9
    True
    """
    if not isinstance(target, (Loss, Objective)):
        raise TypeError(f"check_hessp needs a Loss or an Objective; got {type(target).__name__}.")
    function, shape = _describe(target, point, y), np.shape(point)
    moved = np.random.default_rng(0).standard_normal(shape) if direction is None else np.asarray(direction, np.float64)
    if moved.shape != shape:
        raise ValueError(f"direction must have the shape of the point, {shape}; got {moved.shape}.")
    given, labels = _floating(point), np.asarray(y)
    product = target.hessp(given, labels, moved) if isinstance(target, Loss) else target.hessp(given, moved)
    rows = moved.reshape(function.point.shape)
    analytic = np.asarray(product, np.float64).reshape(rows.shape)
    step = np.full(rows.shape, STEP / max(1.0, float(np.abs(rows).max(initial=0.0))))
    centre = function.gradient(function.point)
    numerical, kinks = derivative(lambda t: function.gradient(function.point + t * rows), centre, analytic, step)
    energy = rows * analytic
    negative = max(0.0, -float(energy.sum())) / (float(np.abs(energy).sum()) or 1.0)
    every = np.arange(function.point.shape[1])
    return _report(analytic.reshape(shape), numerical.reshape(shape), kinks, negative, every)


def _describe(target: Target, point: ArrayLike, y: ArrayLike | None) -> RowFunction:
    """The target as a `RowFunction`; the gradient that is checked is taken in the point's own precision."""
    given = _floating(point)
    if isinstance(target, Loss):
        if y is None:
            raise ValueError("a loss needs labels: pass y, integers of shape (n,) or rows of the shape of the logits.")
        labels, loss = np.asarray(y), target
        own = loss.gradient(given, labels).astype(np.float64)
        precise = given.astype(np.float64)
        return RowFunction(precise, own, lambda z: loss.value(z, labels), lambda z: loss.gradient(z, labels))
    if y is not None:
        raise ValueError(f"y belongs to a Loss; {type(target).__name__} takes the point alone: leave y out.")
    if not isinstance(target, Objective) and not callable(target):
        raise TypeError(f"target must be a Loss, an Objective or a callable; got {type(target).__name__}.")
    pair = target.value_and_gradient if isinstance(target, Objective) else target
    exact = target.in_float64().value_and_gradient if isinstance(target, Objective) else target
    value_of = target.in_float64().value if isinstance(target, Objective) else lambda w: exact(w)[0]
    return RowFunction(
        given.astype(np.float64).reshape(1, -1),
        _checked_gradient(pair(given), given.size),
        lambda row: np.array(value_of(row.reshape(given.shape)), np.float64).reshape(1),
        lambda row: np.array(exact(row.reshape(given.shape))[1], np.float64).reshape(1, -1),
    )


def _floating(point: ArrayLike) -> Array:
    array = np.asarray(point)
    if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise ValueError(f"point must hold finite real numbers; got dtype {array.dtype}, first {array.ravel()[:5]}.")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _checked_gradient(pair: Any, size: int) -> Array:
    sizes = [np.size(part) for part in pair] if isinstance(pair, tuple) else []
    if sizes != [1, size]:
        seen = f"sizes {sizes}" if sizes else type(pair).__name__
        raise TypeError(f"a callable target must return a pair of a number and {size} numbers; got {seen}.")
    return np.array(pair[1], np.float64).reshape(1, -1)


def _choose(n: int, limit: int | None, random: np.random.Generator) -> Indices:
    if limit is not None and (not isinstance(limit, (int, np.integer)) or limit < 1):
        raise ValueError(f"max_coordinates must be an integer >= 1, or None for all; got {limit!r}.")
    return np.arange(n) if limit is None or limit >= n else np.sort(random.choice(n, limit, replace=False))


def _report(
    analytic: Array, numerical: Array, kinks: NDArray[np.bool_], violation: float, coordinates: Indices
) -> GradientCheck:
    apart, together = np.linalg.norm(analytic - numerical), np.linalg.norm(analytic + numerical)
    relative = 0.0 if apart == 0 else np.inf if together == 0 else float(apart / together)
    return GradientCheck(analytic, numerical, relative, int(kinks.sum()), violation, coordinates)
