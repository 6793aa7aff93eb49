"""Implicit standardization: an affine change of variables and its adjoint, and the moments behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from .losses._base import Array

# A column whose mean is this many standard deviations costs its logits too many digits unless a pivot is subtracted
# from its entries: the rounding of x * slope is relative to the mean, the signal to the deviation. In float32 a ratio
# of 64 leaves logits good to 4e-6, and a pass without the subtraction is faster.
PIVOT_RATIO = {np.dtype(np.float32): 64.0, np.dtype(np.float64): 1e3}
# Penalty of a coefficient whose column is constant in a fold, in units of the others'.
IMMOVABLE = 1e30


@dataclass(frozen=True)
class Moments:
    """Weighted mean and scatter of the columns of some rows; two of them merge.

    Parameters
    ----------
    weight : float
        Sum of the weights of the rows.
    mean : ndarray of shape (d,)
        Weighted mean of each column.
    scatter : ndarray of shape (d,)
        Weighted sum of squared deviations from `mean`.
    count : int
        Number of rows behind the sums, for the rounding bound of `variance`.
    """

    weight: float
    mean: Array
    scatter: Array
    count: int

    def merge(self, other: Moments) -> Moments:
        """Moments of both sets of rows (Chan, Golub & LeVeque, 1983, equation 2.1)."""
        weight = self.weight + other.weight
        if not weight:
            return Moments(0.0, self.mean, self.scatter, self.count + other.count)
        shift = other.mean - self.mean
        share = other.weight / weight
        return Moments(
            weight,
            self.mean + share * shift,
            self.scatter + other.scatter + self.weight * share * shift**2,
            self.count + other.count,
        )

    def without(self, part: Moments) -> Moments:
        """Moments of the rows that are left without a part of them: `merge`, solved for one of the two.

        A column of which rounding alone is left is constant.
        """
        weight = self.weight - part.weight
        shift = part.mean - self.mean
        share = part.weight / weight
        scatter = self.scatter - part.scatter - self.weight * share * shift**2
        rounding = self.scatter + np.sqrt(np.maximum(self.scatter * self.weight, 0)) * np.abs(self.mean)
        rounding *= self.count * np.finfo(np.float64).eps
        return Moments(
            weight, self.mean - share * shift, np.where(scatter > rounding, scatter, 0.0), self.count - part.count
        )

    @cached_property
    def variance(self) -> Array:
        """Population variance of each column; exactly 0 where it is constant up to rounding."""
        variance = self.scatter / self.weight
        eps = np.finfo(np.float64).eps
        # The error bound of a two-pass variance: scale-free, so a column of tiny numbers is not called constant.
        with np.errstate(over="ignore"):  # a variance that overflows is for the caller to refuse
            bound = self.count * eps * variance + (self.count * self.mean * eps) ** 2
        return np.where((variance <= bound) & np.isfinite(variance), 0.0, variance)

    def far_from_zero(self, dtype: np.dtype) -> bool:
        """Whether products with the columns as they are, in `dtype`, would lose digits to the mean of one."""
        variance = self.variance
        return bool((np.abs(self.mean) > PIVOT_RATIO[dtype] * np.sqrt(np.where(variance == 0, 1.0, variance))).any())


@dataclass(frozen=True)
class Standardization:
    """The map ``z = (x - mean) * inverse_scale`` of rows, applied to parameters instead of data.

    With rows stored as ``x - pivot`` and ``residual = mean - pivot``,

        logits = (x - pivot) @ slope + offset,    slope = W * inverse_scale,    offset = b - residual @ slope

    and the gradient comes back through the adjoint of ``(W, b) -> (slope, offset)``.

    Parameters
    ----------
    mean : ndarray of shape (d,)
        Centre of each column; zeros without an intercept, where centring would change the problem.
    inverse_scale : ndarray of shape (d,)
        Reciprocal scale; 0 for a constant column with an intercept, whose coefficient is therefore 0.
    pivot : ndarray of shape (d,)
        What is subtracted from the entries of dense rows; zeros where nothing is.
    deviation : ndarray of shape (d,)
        Standard deviation of each column of z, for criteria that must not depend on the units of X.
    fit_intercept : bool
        Whether the last row of the parameters takes part.
    """

    mean: Array
    inverse_scale: Array
    pivot: Array
    deviation: Array
    fit_intercept: bool

    @classmethod
    def from_moments(
        cls, moments: Moments, *, standardize: bool, fit_intercept: bool, dtype: np.dtype, may_pivot: bool
    ) -> Self:
        """The change of variables for columns with these moments and rows computed in `dtype`."""
        variance = moments.variance
        constant = variance == 0
        scale = np.sqrt(np.where(constant, 1.0, variance))
        inverse_scale = 1 / scale if standardize else np.ones_like(scale)
        if fit_intercept:
            inverse_scale = np.where(constant, 0.0, inverse_scale)
        mean = moments.mean if fit_intercept else np.zeros_like(moments.mean)
        pivot = np.zeros_like(mean)
        if may_pivot and fit_intercept and moments.far_from_zero(dtype):
            pivot = mean.astype(dtype).astype(np.float64)
        with np.errstate(invalid="ignore"):  # a variance that overflows is for the caller to refuse
            deviation = np.sqrt(variance) * inverse_scale
        return cls(mean, inverse_scale, pivot, deviation, fit_intercept)

    @cached_property
    def residual(self) -> Array:
        """Centre of the stored rows, ``mean - pivot``."""
        return self.mean - self.pivot

    @property
    def column_std(self) -> Array:
        """Weighted standard deviation of each original column; 0 where it is constant."""
        return np.divide(
            self.deviation, self.inverse_scale, out=np.zeros_like(self.deviation), where=self.inverse_scale > 0
        )

    def to_data_units(self, params: Array, dtype: np.dtype | None = None) -> tuple[Array, Array]:
        """Slope (d, K), in `dtype` if not float64, and offset (K,) of the stored rows for `params` (d + 1, K)."""
        slope = np.empty((len(params) - 1, params.shape[1]), dtype or np.float64)
        np.multiply(params[:-1], self.inverse_scale[:, None], out=slope, casting="unsafe")
        if not self.fit_intercept:
            return slope, np.zeros(params.shape[1])
        return slope, params[-1] - (self.residual * self.inverse_scale) @ params[:-1]

    def pull_back(self, slope_gradient: Array, offset_gradient: Array) -> Array:
        """Gradient in the parameters, (d + 1, K), from that in the slope and the offset: the adjoint map."""
        gradient = np.empty((len(self.mean) + 1, len(offset_gradient)))
        weights = gradient[:-1]
        if self.fit_intercept:
            np.multiply(self.residual[:, None], offset_gradient, out=weights)
            np.subtract(slope_gradient, weights, out=weights)
            gradient[-1] = offset_gradient
        else:
            weights[:] = slope_gradient
            gradient[-1] = 0.0
        weights *= self.inverse_scale[:, None]
        return gradient

    def to_original_units(self, params: Array) -> tuple[Array, Array]:
        """Coefficients (d, K) and intercept (K,) with ``logits = x @ coefficients + intercept``."""
        slope, _ = self.to_data_units(params)
        intercept = params[-1] - self.mean @ slope if self.fit_intercept else np.zeros(params.shape[1])
        return slope, intercept

    def from_original_units(self, coefficients: Array, intercept: Array) -> Array:
        """Parameters (d + 1, K) of a model given in original units; constant columns fall to 0."""
        params = np.zeros((len(coefficients) + 1, len(intercept)))
        used = self.inverse_scale > 0
        params[:-1][used] = coefficients[used] / self.inverse_scale[used, None]
        if self.fit_intercept:
            params[-1] = intercept + self.mean @ coefficients
        return params

    def from_units_of(self, other: Standardization, params: Array) -> Array:
        """Parameters in these units from those in another's."""
        return self.from_original_units(*other.to_original_units(params))

    def apply(self, stored_rows: Array) -> Array:
        """Standardized copy of dense stored rows (which hold ``x - pivot``), in their dtype."""
        dtype = stored_rows.dtype
        standardized = stored_rows - self.residual.astype(dtype)
        standardized *= self.inverse_scale.astype(dtype)
        return standardized

    def apply_to_columns(self, stored: Array) -> None:
        """`apply` to stored columns, shape (d, n), in place: a number for each takes a third of the time of a row."""
        stored -= self.residual.astype(stored.dtype)[:, None]
        stored *= self.inverse_scale.astype(stored.dtype)[:, None]
