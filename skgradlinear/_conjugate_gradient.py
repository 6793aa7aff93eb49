"""Preconditioned conjugate gradients for Newton directions, stopped early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from .losses._base import Array, Mask

# Relative residual of an inexact Newton direction (Nocedal & Wright, 2006, section 7.1), in the preconditioner's norm:
# the Euclidean one hears only the stiff columns, while the gap is in the soft ones.
FORCING = 0.1
MAX_STEPS = 60


def conjugate_gradient(
    hessp: Callable[[Array], Array],
    gradient: Array,
    precondition: Callable[[Array], Array],
    *,
    max_steps: int = MAX_STEPS,
    forcing: float = FORCING,
) -> Array:
    """About ``hessian^-1 gradient``: until the residual is `forcing` of the gradient in the norm of `precondition`."""
    solution = np.zeros_like(gradient)
    residual = gradient.copy()
    preconditioned = precondition(residual)
    conjugate, scratch = preconditioned.copy(), np.empty_like(gradient)
    energy = float(np.vdot(residual, preconditioned))
    target = forcing**2 * energy
    for _ in range(max_steps):
        product = hessp(conjugate)
        stiffness = float(np.vdot(conjugate, product))
        if not stiffness > 0:
            break
        solution += np.multiply(conjugate, energy / stiffness, out=scratch)
        residual -= np.multiply(product, energy / stiffness, out=scratch)
        preconditioned = precondition(residual)
        previous, energy = energy, float(np.vdot(residual, preconditioned))
        if not energy > target:
            break
        conjugate *= energy / previous
        conjugate += preconditioned
    return solution if solution.any() else precondition(gradient)


class Systems(Protocol):
    """Systems that are apart, of unknowns in arrays of shape (number of systems, number of unknowns)."""

    def __call__(self, directions: Array) -> Array:
        """The systems times a direction of each."""
        ...

    def precondition(self, residuals: Array, out: Array) -> Array:
        """About the inverse systems times residuals."""
        ...

    def keep(self, chosen: Mask) -> None:
        """Go on with some of the systems."""
        ...


def conjugate_gradients(systems: Systems, gradients: Array, max_steps: int) -> Array:
    """`conjugate_gradient` of several systems abreast, each of which ends on its own.

    Arrays lie in memory as the gradients do, by systems or by unknowns. Once half of the systems are done the others go
    on alone.
    """
    found = np.zeros_like(gradients)
    places = np.arange(len(gradients))
    solution, residual = found, gradients.copy(order="K")
    conjugate = systems.precondition(residual, np.empty_like(residual))
    preconditioned = np.empty_like(residual)
    energy = _dots(residual, conjugate)
    target, going = FORCING**2 * energy, energy > 0
    for _ in range(max_steps):
        if not going.any():
            break
        if 2 * np.count_nonzero(going) <= len(going):
            found[places] = solution
            systems.keep(going)
            places, energy, target = places[going], energy[going], target[going]
            solution, residual, conjugate = (some(array, going) for array in (solution, residual, conjugate))
            preconditioned, going = np.empty_like(residual), np.ones(len(places), bool)
        product = systems(conjugate)
        stiffness = _dots(conjugate, product)
        going &= stiffness > 0
        lengths = np.where(going, energy / np.where(going, stiffness, 1), 0)[:, None]
        product *= lengths
        residual -= product
        solution += np.multiply(conjugate, lengths, out=product)
        systems.precondition(residual, preconditioned)
        previous, energy = energy, _dots(residual, preconditioned)
        conjugate *= np.where(going, energy / np.where(going, previous, 1), 0)[:, None]
        conjugate += preconditioned
        going &= energy > target
    found[places] = solution
    return found


def some(array: Array, chosen: Mask) -> Array:
    """Some rows of an array, which lie in memory as all of them do."""
    by_rows: bool = array.flags.c_contiguous
    return array.compress(chosen, axis=0) if by_rows else array.T.compress(chosen, axis=1).T


def _dots(left: Array, right: Array) -> Array:
    dots: Array = np.einsum("ij,ij->i", left, right)
    return dots
