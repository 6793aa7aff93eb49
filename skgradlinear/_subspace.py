"""Newton's method on cached logits: the true objective over a few directions and the bias, without touching X.

The unknowns are one coefficient per direction (or per direction and output) and a free bias:

    phi(a, c) = mean loss(Z + sum_j a_j U_j + c) + (alpha/2) ||W + sum_j a_j D_j||^2

where ``U_j`` is what the direction ``D_j`` does to the logits ``Z``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._evaluation import Direction, Evaluation, column_norms
from ._line import FLAT, MAX_SEARCH, rounding
from ._systems import SEARCH_RIDGE, newton_step
from ._threads import totals
from .losses._base import Array, Curvature

if TYPE_CHECKING:
    from ._objective import Objective

# A full Newton step that leaves less than this share of the slope leaves nothing for the next one, where the loss is
# smooth throughout; the pieces of a hinge always look accurate from within.
ACCURATE = 0.05
# A full step that gains less than this share of what its predecessors gained ends the search.
SMALL_SHARE = 0.1
# One coefficient per output and direction gives a system of order K (m + 1); beyond this many outputs it costs more
# than it saves.
MAX_SPLIT_OUTPUTS = 40


@dataclass(frozen=True)
class _Place:
    """A point of the subspace: its coefficients, loss, value but for a constant, and gradient in the coefficients."""

    coefficients: Array
    loss: float
    value: float
    gradient: Array


class Subspace:
    """The objective over the span of some directions and the bias, around a point.

    The gradient at the point, where it is known, says all about the subspace's gradient there.
    """

    def __init__(
        self, objective: Objective, point: Evaluation, directions: list[Direction], gradient: Array | None = None
    ) -> None:
        self.objective = objective
        self.origin = point
        self.known_gradient = gradient
        self.directions = directions
        self.ridge = SEARCH_RIDGE[objective.dtype]
        n_outputs = objective.shape[1]
        self.coupled = objective.mean_loss.coupled
        self.split = n_outputs > 1 and (n_outputs <= MAX_SPLIT_OUTPUTS or not self.coupled)
        weights = [d.params[:-1] for d in directions]
        alpha = objective.alpha
        self._gram = np.array([[alpha * np.einsum("dk,dk->k", a, b) for b in weights] for a in weights])
        self._linear = np.array([alpha * np.einsum("dk,dk->k", point.params[:-1], a) for a in weights])
        self._gram = self._gram.reshape(len(weights), len(weights), n_outputs)
        self._linear = self._linear.reshape(len(weights), n_outputs)

    def minimize(self, max_steps: int) -> tuple[Evaluation, Direction | None]:
        """Damped Newton steps; the new point, and the step to it (None if nothing was gained).

        The steps go on until a full one has met the slope that its model foresaw, zero, or gained little of the total.
        """
        place = self._place(np.zeros((len(self.directions) + 1, self.objective.shape[1])))
        start = place.value
        moved = False
        for _ in range(max_steps):
            found, damped, flatness = self._search(place, self._newton_step(place))
            if found is None:
                break
            moved = True
            before, place = place, found
            gained = before.value - place.value
            accurate = flatness < ACCURATE and not self.objective.loss.sparse_curvature
            if not damped and (accurate or gained < SMALL_SHARE * (start - place.value)):
                break
        return self._finish(place) if moved else (self.origin, None)

    def _place(self, coefficients: Array) -> _Place:
        """Value, and derivative in every coefficient (a row each) and in the bias (the last row)."""
        objective, origin = self.objective, self.origin
        at_origin = not coefficients.any()
        if at_origin and self.known_gradient is not None:
            products = [np.einsum("dk,dk->k", self.known_gradient, direction.params) for direction in self.directions]
            gradient = np.stack([*products, self.known_gradient[-1]])
            return _Place(coefficients, origin.loss, origin.loss, self._shared(gradient))

        def shares(rows: slice) -> tuple[float, Array]:
            dlogits: Array
            if at_origin:
                loss, dlogits = 0.0, origin.dlogits(rows) * objective.row_weight[rows]
            else:
                loss, dlogits = objective.mean_loss.value_and_gradient(rows, self._logits(rows, coefficients))
                dlogits *= objective.row_weight[rows]
            gradient = np.zeros(coefficients.shape)
            for j, direction in enumerate(self.directions):
                gradient[j] = np.einsum("ki,ki->k", dlogits.T, direction.logits[rows].T)
            if objective.fit_intercept:
                gradient[-1] = dlogits.sum(axis=0, dtype=np.float64)
            return loss, gradient

        loss, gradient = totals(objective.mean_loss.over_groups(shares, len(coefficients)))
        loss = origin.loss if at_origin else loss
        a = coefficients[:-1]
        penalty = (self._linear * a).sum() + 0.5 * np.einsum("jk,jlk,lk->", a, self._gram, a)
        gradient[:-1] += self._linear + np.einsum("jlk,lk->jk", self._gram, a)
        return _Place(coefficients, loss, loss + float(penalty), self._shared(gradient))

    def _shared(self, gradient: Array) -> Array:
        """A gradient whose outputs have one coefficient together, spread evenly over them, if they do."""
        if not self.split:
            gradient[:-1] = gradient[:-1].mean(axis=1, keepdims=True)
        return gradient

    def _logits(self, rows: slice, coefficients: Array) -> Array:
        """Logits of a group of rows at some coefficients."""
        logits: Array = self.origin.logits[rows] + coefficients[-1].astype(self.objective.dtype)
        scratch = np.empty_like(logits)
        for a, direction in zip(coefficients[:-1].astype(self.objective.dtype), self.directions, strict=True):
            logits += np.multiply(direction.logits[rows], a, out=scratch)
        return logits

    def _curvature(self, rows: slice, place: _Place) -> Curvature:
        """Curvature of a group of rows at a place."""
        if not place.coefficients.any():
            return self.origin.curvature(rows)
        return self.objective.mean_loss.curvature_of(rows, self._logits(rows, place.coefficients))

    def _newton_step(self, place: _Place) -> Array:
        if not self.split:
            return self._shared_step(place)
        if not self.coupled:
            return self._separate_step(place)
        return self._split_step(place)

    def _shared_step(self, place: _Place) -> Array:
        """One coefficient per direction, of all outputs."""
        gradient = place.gradient
        m, n_outputs = len(self.directions), gradient.shape[1]

        def share(rows: slice) -> Array:
            hessian = np.zeros((m + n_outputs, m + n_outputs))
            curvature, weight = self._curvature(rows, place), self.objective.row_weight[rows].T
            basis = [direction.logits[rows].T for direction in self.directions]
            weighted = curvature.diagonal.T * weight
            scratch = np.empty_like(weighted)
            for j in range(m):
                np.multiply(weighted, basis[j], out=scratch)
                for i in range(j + 1):
                    hessian[i, j] = hessian[j, i] = np.einsum("ki,ki->", basis[i], scratch)
                hessian[j, m:] = scratch.sum(axis=1)
            hessian[m:, m:] = np.diag(weighted.sum(axis=1))
            for sign, vector in curvature.dyads:
                np.multiply(vector.T, np.sqrt(weight), out=scratch)
                heights = np.empty((m, scratch.shape[1]), scratch.dtype)
                for j in range(m):
                    np.einsum("ki,ki->i", scratch, basis[j], out=heights[j])
                hessian[:m, :m] -= sign * (heights @ heights.T)
                hessian[:m, m:] -= sign * (heights @ scratch.T)
                hessian[m:, m:] -= sign * (scratch @ scratch.T)
            return hessian

        hessian: Array = sum(
            self.objective.mean_loss.over_groups(share, m + 1), np.zeros((m + n_outputs, m + n_outputs))
        )
        hessian[m:, :m] = hessian[:m, m:].T
        hessian[:m, :m] += self._gram.sum(axis=2)
        step = np.zeros_like(gradient)
        # The gradient holds a shared coefficient's derivative spread evenly over the outputs.
        right = np.concatenate([gradient[:-1].sum(axis=1), gradient[-1]])
        if not self.objective.fit_intercept:
            hessian, right = hessian[:m, :m], right[:m]
        solution = newton_step(hessian, right, self.ridge)
        step[:-1] = solution[:m, None]
        step[-1, : len(solution) - m] = solution[m:]
        return step

    def _separate_step(self, place: _Place) -> Array:
        """Outputs that do not interact: a system of order m + 1 for each."""
        hessian, _ = self._hessians(place)
        return np.stack([newton_step(h, g, self.ridge) for h, g in zip(hessian, place.gradient.T, strict=True)], axis=1)

    def _split_step(self, place: _Place) -> Array:
        """One coefficient per direction and output, all coupled: a system of order K (m + 1)."""
        m, n_outputs = place.gradient.shape
        blocks, dyads = self._hessians(place)
        hessian = -dyads.reshape(m, n_outputs, m, n_outputs)
        outputs = np.arange(n_outputs)
        hessian[:, outputs, :, outputs] += blocks
        order = m * n_outputs
        step = newton_step(hessian.reshape(order, order), place.gradient.ravel(), self.ridge)
        return step.reshape(m, n_outputs)

    def _hessians(self, place: _Place) -> tuple[Array, Array]:
        """The part of each output alone, (K, m + 1, m + 1) with the penalty, and the dyads', of order K (m + 1)."""
        m, n_outputs = place.gradient.shape
        order = m * n_outputs

        def shares(rows: slice) -> tuple[Array, Array]:
            curvature, weight = self._curvature(rows, place), self.objective.row_weight[rows].T
            basis = [direction.logits[rows].T for direction in self.directions]
            scaled = np.empty((m, n_outputs, weight.shape[1]), self.objective.dtype)
            # The constant, which comes last, is 1: there is nothing to multiply by it.
            np.multiply(curvature.diagonal.T, weight, out=scaled[-1])
            blocks = np.empty((n_outputs, m, m))
            blocks[:, -1, -1] = scaled[-1].sum(axis=1)
            for j, logits in enumerate(basis):
                np.multiply(scaled[-1], logits, out=scaled[j])
                blocks[:, j, -1] = blocks[:, -1, j] = scaled[j].sum(axis=1)
                for i in range(j + 1):
                    blocks[:, i, j] = blocks[:, j, i] = np.einsum("ki,ki->k", scaled[i], logits)
            dyads = np.zeros((order, order)) if self.coupled else np.zeros((0, 0))
            for sign, vector in curvature.dyads:
                np.multiply(vector.T, np.sqrt(weight), out=scaled[-1])
                for j, logits in enumerate(basis):
                    np.multiply(scaled[-1], logits, out=scaled[j])
                flat = scaled.reshape(order, -1)
                dyads += sign * (flat @ flat.T)
            return blocks, dyads

        blocks, dyads = totals(self.objective.mean_loss.over_groups(shares, m))
        if not self.objective.fit_intercept:
            blocks[:, -1] = blocks[:, :, -1] = 0.0
            dyads[(m - 1) * n_outputs :] = dyads[:, (m - 1) * n_outputs :] = 0.0
        blocks[:, :-1, :-1] += self._gram.transpose(2, 0, 1)
        # The bias of a class without weight goes on for ever, by ever more logits where its curvature is but rounding.
        blocks[:, -1, -1] += np.finfo(self.objective.dtype).eps * blocks[:, -1, -1].max()
        return blocks, dyads

    def _search(self, place: _Place, step: Array) -> tuple[_Place | None, bool, float]:
        """Line search along a step by the sign of the slope, for every output on its own where they do not interact.

        The objective is convex: a slope that is still negative at the end of the step means descent all the way. An
        overshoot is undone by interpolating the slope to zero. Returns the new place, or None if rounding has the
        last word, whether any part of the step was shortened, and the share of the slope that is left.
        """
        separate = not self.coupled and not self.objective.shift_invariant and self.split
        first = _slopes(place.gradient, step, separate)
        step = np.where(first < 0, step, 0.0)
        if not step.any():
            return None, False, 1.0
        low, high = np.zeros_like(first), np.ones_like(first)
        low_slope, high_slope = np.minimum(first, 0), np.full_like(first, np.nan)
        size = np.ones_like(first)
        for _ in range(MAX_SEARCH):
            found = self._place(place.coefficients + size * step)
            slope = _slopes(found.gradient, step, separate)
            whole = (size == 1) & (slope <= 0)
            if (whole | (np.abs(slope) <= FLAT * np.abs(first))).all():
                break
            over = slope > 0
            high, high_slope = np.where(over, size, high), np.where(over, slope, high_slope)
            low, low_slope = np.where(over, low, size), np.where(over, low_slope, slope)
            share = low_slope / np.where(low_slope == high_slope, -1.0, low_slope - high_slope)
            inside = low + np.clip(np.nan_to_num(share, nan=1.0), 0.1, 0.9) * (high - low)
            size = np.where(whole, 1.0, inside)
        for _ in range(MAX_SEARCH):
            if found.value <= place.value + rounding(self.objective) * abs(place.value):
                left = np.abs(_slopes(found.gradient, step, separate)) / np.where(first, np.abs(first), 1)
                return found, bool((size < 1).any()), float(left.max())
            size = 0.25 * size
            found = self._place(place.coefficients + size * step)
        return None, False, 1.0

    def _finish(self, place: _Place) -> tuple[Evaluation, Direction]:
        """The point with its parameters, moved so that shift-invariant classes keep mean zero."""
        objective, coefficients = self.objective, place.coefficients
        params = np.zeros(objective.shape)
        for j, direction in enumerate(self.directions):
            params += coefficients[j] * direction.params
        params[-1] += coefficients[-1]
        # The change of the logits is combined from the directions: a difference of logits would cancel.
        dtype = objective.dtype
        change, logits = np.empty_like(self.origin.logits), np.empty_like(self.origin.logits)
        bias = coefficients[-1] - coefficients[-1].mean() if objective.shift_invariant else coefficients[-1]

        def fill(rows: slice) -> None:
            change[rows] = bias.astype(dtype)
            for a, direction in zip(coefficients[:-1].astype(dtype), self.directions, strict=True):
                change[rows] += a * direction.logits[rows]
            # Directions have mean zero, but not what becomes of them if each class has a coefficient of its own.
            if objective.shift_invariant and self.split:
                change[rows] -= change[rows].mean(axis=1, keepdims=True)
            np.add(self.origin.logits[rows], change[rows], out=logits[rows])

        list(objective.mean_loss.over_groups(fill, len(coefficients)))
        if objective.shift_invariant:
            params -= params.mean(axis=1, keepdims=True)
        noise = np.finfo(dtype).eps ** 0.25 * column_norms(logits)
        moved = objective.evaluate(self.origin.params + params, logits, place.loss)
        return moved, Direction(params, change).audible(noise)


def _slopes(gradient: Array, step: Array, separate: bool) -> Array:
    """Derivative along the step: of each output, shape (K,), where they are separate, of all, shape (1,), otherwise."""
    products: Array = (gradient * step).sum(axis=0)
    return products if separate else products.sum(keepdims=True)
