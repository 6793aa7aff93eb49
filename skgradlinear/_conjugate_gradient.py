"""Preconditioned conjugate gradients for a Newton direction, stopped early."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .losses._base import Array

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
