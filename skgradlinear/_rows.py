"""The rows of X: the only place that touches them.

A container of rows offers a handful of products. Dense rows are read block by block, so that nothing of the size of X
is ever copied: a block is the rows themselves where they can be used as they lie, and a scratch buffer (cast, pivot
subtracted) where not. CSR rows are used as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ._standardization import Moments
from ._thin import thin_product
from ._threads import mapped, parts, totals
from .losses._base import Array, Indices

# Entries of a scratch block: 1 MB in float64, well within a core's second-level cache.
BLOCK_ENTRIES = 1 << 17
# Entries of a part of the rows, which one thread has to itself: 8 MB in float32; a stored entry takes longer.
PART_ENTRIES, SPARSE_PART_ENTRIES = 1 << 21, 1 << 19


# Logits that are changed at a time.
LOGIT_ENTRIES = 1 << 18

ALL = slice(None)


@dataclass(frozen=True)
class Sums:
    """Sums over rows: of their products with changed logits, shape (d, K), and of these alone, shape (K,), float64.

    Products of one part of the rows may be in the precision of these: a copy would be as large as the parameters.
    """

    pulled: Array
    alone: Array

    def __add__(self, other: Sums) -> Sums:
        return Sums(np.add(self.pulled, other.pulled, dtype=np.float64), self.alone + other.alone)


def wrap(X: Any, dtype: np.dtype | None = None) -> Rows:
    """Rows of an array or a CSR matrix; computed in float32 if X is, in float64 otherwise."""
    if dtype is None:
        dtype = np.dtype(np.float32 if X.dtype in (np.float32, np.float16) else np.float64)
    return CSRRows(X, dtype) if sp.issparse(X) else DenseRows(X, dtype)


class Rows(ABC):
    """Products with rows ``x - pivot``, in `dtype`; n rows, d columns."""

    X: Any
    shape: tuple[int, int]
    dtype: np.dtype
    dense: bool

    @abstractmethod
    def logits(self, slope: Array, offset: Array) -> Array:
        """``(x - pivot) @ slope + offset`` for every row, shape (n, K), stored by columns."""

    @abstractmethod
    def pull(self, weights: Array) -> Array:
        """``sum_i (x_i - pivot) weights_i'``, shape (d, K), float64."""

    @abstractmethod
    def through(self, slope: Array, offset: Array, change: Callable[[slice, Array], float]) -> tuple[float, Sums]:
        """``sum_i (x_i - pivot) h_i'``, shape (d, K), and ``sum_i h_i``, shape (K,), of changed logits h.

        A part of the rows goes through both products while it is in a core's cache. `change` gets a slice of the rows
        and their logits, puts others in their place, and returns a number; these are summed.
        """

    @abstractmethod
    def pull_squares(self, weights: Array) -> Array:
        """``sum_i (x_i - pivot)**2 weights_i'``, shape (d, K), float64."""

    @abstractmethod
    def squares(self, centre: Array, scale: Array) -> Array:
        """``sum_j (scale_j (x_ij - centre_j))**2`` of each row, shape (n,), float64.

        Entries are scaled before they are squared: squares of 1e20 are not in the range of float32.
        """

    def moments(self, weight: Array) -> Moments:
        """Weighted moments of the columns of X itself, in float64; infinite where a square overflows."""
        # What overflows comes out infinite, and the objective refuses it by name.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._moments(weight)

    @abstractmethod
    def _moments(self, weight: Array) -> Moments:
        """`moments`, without regard to overflow."""

    @abstractmethod
    def dense_blocks(self, chosen: Indices | slice = ALL) -> Iterator[tuple[Any, Array]]:
        """Pairs (which rows, these as a dense block of their own): all rows, a slice, or those at some indices."""

    def _chosen_blocks(self, chosen: Indices | slice) -> Iterator[Any]:
        """Where the rows of each dense block are."""
        n, d = self.shape
        step = max(16, BLOCK_ENTRIES // max(d, 1))
        if isinstance(chosen, slice):
            start, stop, _ = chosen.indices(n)
            yield from (slice(first, min(first + step, stop)) for first in range(start, stop, step))
        else:
            yield from (chosen[first : first + step] for first in range(0, len(chosen), step))

    @abstractmethod
    def take(self, indices: Indices | slice) -> Rows:
        """Some of the rows, with the same pivot."""

    @abstractmethod
    def with_pivot(self, pivot: Array) -> Rows:
        """The same rows with another pivot."""

    @abstractmethod
    def astype(self, dtype: np.dtype) -> Rows:
        """The same rows computed in another dtype."""


class DenseRows(Rows):
    """Rows of an array in any memory order and real dtype, read in blocks."""

    dense = True

    def __init__(self, X: NDArray[Any], dtype: np.dtype, pivot: Array | None = None) -> None:
        self.X = X
        self.dtype = np.dtype(dtype)
        self.shape = X.shape
        self.pivot = None if pivot is None or not pivot.any() else pivot.astype(dtype)

    def take(self, indices: Indices | slice) -> DenseRows:
        """Some of the rows, with the same pivot."""
        return DenseRows(self.X[indices], self.dtype, self.pivot)

    def with_pivot(self, pivot: Array) -> DenseRows:
        """The same rows with another pivot."""
        return DenseRows(self.X, self.dtype, pivot)

    def astype(self, dtype: np.dtype) -> DenseRows:
        """The same rows, and the same pivot, computed in another dtype; few are cast once, not for each product."""
        X = self.X if self.X.size > BLOCK_ENTRIES else self.X.astype(dtype, copy=False)
        return DenseRows(X, dtype, self.pivot)

    def _parts(self) -> list[slice]:
        n, d = self.shape
        return parts(n, max(16, PART_ENTRIES // max(d, 1)))

    def _blocks(self, part: slice) -> Iterator[tuple[slice, Array]]:
        """A part of the rows block by block: the rows as they lie, or a buffer that the next block takes again."""
        if self.pivot is None and self.X.dtype == self.dtype and self.X.dtype.isnative:
            yield part, self.X[part]
            return
        scratch: Array | None = None
        for where in self._chosen_blocks(part):
            size = where.stop - where.start
            scratch = np.empty((size, self.shape[1]), self.dtype) if scratch is None else scratch[:size]
            self._store(self.X[where], scratch)
            yield where, scratch

    def _store(self, rows: NDArray[Any], block: Array) -> None:
        if self.pivot is None:
            np.copyto(block, rows, casting="unsafe")
        else:
            np.subtract(rows, self.pivot, out=block, casting="unsafe")

    def logits(self, slope: Array, offset: Array) -> Array:
        """``(x - pivot) @ slope + offset``, shape (n, K), stored by columns."""
        columns = np.empty((slope.shape[1], self.shape[0]), self.dtype)
        transposed, constant = np.ascontiguousarray(slope.T, self.dtype), offset.astype(self.dtype)[:, None]

        def fill(part: slice) -> None:
            for where, block in self._blocks(part):
                np.add(thin_product(transposed, block.T), constant, out=columns[:, where])

        list(mapped(fill, self._parts()))
        return columns.T

    def pull(self, weights: Array) -> Array:
        """``sum_i (x_i - pivot) weights_i'``, shape (d, K), float64."""
        columns = weights.T

        def share(part: slice) -> Array:
            total = np.zeros((len(columns), self.shape[1]))
            for where, block in self._blocks(part):
                total += thin_product(columns[:, where], block)
            return total

        return reduce(np.add, mapped(share, self._parts())).T

    def through(self, slope: Array, offset: Array, change: Callable[[slice, Array], float]) -> tuple[float, Sums]:
        """Sums over the rows of changed logits, and of their products with the rows."""
        transposed, constant = np.ascontiguousarray(slope.T, self.dtype), offset.astype(self.dtype)[:, None]

        def share(part: slice) -> tuple[float, Sums]:
            number, total, sums = 0.0, np.zeros((len(transposed), self.shape[1])), np.zeros(len(transposed))
            for where, block in self._blocks(part):
                columns = thin_product(transposed, block.T)
                columns += constant
                number += _changed(columns.T, where.start, change)
                total += thin_product(columns, block)
                sums += columns.sum(axis=1, dtype=np.float64)
            return number, Sums(total.T, sums)

        return totals(mapped(share, self._parts()))

    def pull_squares(self, weights: Array) -> Array:
        """``sum_i (x_i - pivot)**2 weights_i'``, shape (d, K), float64."""
        columns = weights.T

        def share(part: slice) -> Array:
            total = np.zeros((len(columns), self.shape[1]))
            for where, block in self.dense_blocks(part):
                total += thin_product(columns[:, where], np.square(block, out=block))
            return total

        return reduce(np.add, mapped(share, self._parts())).T

    def squares(self, centre: Array, scale: Array) -> Array:
        """``sum_j (scale_j (x_ij - centre_j))**2`` of each row, shape (n,), float64."""
        squares = np.empty(self.shape[0])
        shift = (centre if self.pivot is None else centre - self.pivot).astype(self.dtype)
        narrow, ones = scale.astype(self.dtype), np.ones(self.shape[1], self.dtype)

        def fill(part: slice) -> None:
            for where, block in self.dense_blocks(part):
                block -= shift
                block *= narrow
                squares[where] = np.square(block, out=block) @ ones

        list(mapped(fill, self._parts()))
        return squares

    def dense_blocks(self, chosen: Indices | slice = ALL) -> Iterator[tuple[Any, Array]]:
        """Blocks of rows of at most `BLOCK_ENTRIES` entries, each a buffer of its own."""
        for where in self._chosen_blocks(chosen):
            rows = self.X[where]
            block = np.empty(rows.shape, self.dtype)
            self._store(rows, block)
            yield where, block

    def _moments(self, weight: Array) -> Moments:
        """Two passes within each block, merged over the blocks."""
        rows = DenseRows(self.X, np.dtype(np.float64))

        def share(part: slice) -> Moments:
            return reduce(
                Moments.merge, (_moments_of(block, weight[where]) for where, block in rows.dense_blocks(part))
            )

        return reduce(Moments.merge, mapped(share, self._parts()))


def _changed(logits: Array, first: int, change: Callable[[slice, Array], float]) -> float:
    """The sum of what `change` returns for groups of some rows, whose logits it changes."""
    groups = parts(len(logits), max(16, LOGIT_ENTRIES // logits.shape[1]))
    return sum(change(slice(first + group.start, first + group.stop), logits[group]) for group in groups)


def _moments_of(block: Array, weight: Array) -> Moments:
    """Moments of the rows of a block, which is overwritten."""
    d = block.shape[1]
    mass = float(weight.sum())
    if not mass:
        return Moments(0.0, np.zeros(d), np.zeros(d), len(block))
    mean = weight @ block / mass
    block -= mean
    # The first-order correction of the mean takes out the rounding of the sum above.
    drift = weight @ block / mass
    np.square(block, out=block)
    return Moments(mass, mean + drift, weight @ block - mass * drift**2, len(block))


class CSRRows(Rows):
    """Rows of a CSR matrix or array, never densified as a whole; they have no pivot."""

    # No pivot: it would fill the zeros. A column with a fraction f of non-zeros has |mean| / std <= sqrt(f / (1 - f)),
    # so only columns that are not sparse at all would gain; the objective computes those in float64.
    dense = False

    def __init__(self, X: Any, dtype: np.dtype) -> None:
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        if X.dtype != dtype:
            X = type(X)((X.data.astype(dtype), X.indices, X.indptr), shape=X.shape)
        self.X = X
        self.dtype = np.dtype(dtype)
        self.shape = X.shape

    def take(self, indices: Indices | slice) -> CSRRows:
        """Some of the rows."""
        return CSRRows(self.X[indices], self.dtype)

    def with_pivot(self, pivot: Array) -> CSRRows:
        """The rows themselves: the pivot of sparse rows is always zero."""
        if pivot.any():
            raise ValueError("sparse rows take no pivot: subtracting it would densify them.")
        return self

    def astype(self, dtype: np.dtype) -> CSRRows:
        """The same rows computed in another dtype; indices are shared."""
        return CSRRows(self.X, dtype)

    def logits(self, slope: Array, offset: Array) -> Array:
        """``x @ slope + offset``, shape (n, K), stored by columns."""
        columns = np.empty((slope.shape[1], self.shape[0]), self.dtype)
        narrow, constant = np.ascontiguousarray(slope, self.dtype), offset.astype(self.dtype)[:, None]

        def fill(part: slice) -> None:
            np.add((self._part(part) @ narrow).T, constant, out=columns[:, part])

        list(mapped(fill, self._parts(len(columns))))
        return columns.T

    def pull(self, weights: Array) -> Array:
        """``sum_i x_i weights_i'``, shape (d, K), float64."""

        def share(part: slice) -> Array:
            product: Array = self._part(part).T @ np.ascontiguousarray(weights[part], self.dtype)
            return product.astype(np.float64)

        return reduce(np.add, mapped(share, self._parts()))

    def through(self, slope: Array, offset: Array, change: Callable[[slice, Array], float]) -> tuple[float, Sums]:
        """Sums over the rows of changed logits, which are stored by rows, and of their products with the rows."""
        narrow, constant = np.ascontiguousarray(slope, self.dtype), offset.astype(self.dtype)

        def share(part: slice) -> tuple[float, Sums]:
            X = self._part(part)
            logits: Array = X @ narrow
            logits += constant
            number = _changed(logits, part.start, change)
            return number, Sums(X.T @ logits, logits.sum(axis=0, dtype=np.float64))

        return totals(mapped(share, self._parts()))

    def _parts(self, n_outputs: int = 1) -> list[slice]:
        """Parts of so many stored entries, and of logits that stay in a core's cache until they are stored anew."""
        n = self.shape[0]
        return parts(n, max(16, min(n * SPARSE_PART_ENTRIES // max(self.X.nnz, 1), 2 * BLOCK_ENTRIES // n_outputs)))

    def _small_parts(self) -> list[slice]:
        """Parts whose entries, in arrays of their own, stay in a core's cache."""
        n, d = self.shape
        return parts(n, max(16, n * max(BLOCK_ENTRIES // 2, d) // max(self.X.nnz, 1)))

    def _part(self, part: slice) -> Any:
        """Some rows, which share their entries with all rows."""
        if part.stop - part.start == self.shape[0]:
            return self.X
        starts = self.X.indptr[part.start : part.stop + 1]
        entries = slice(starts[0], starts[-1])
        shape = len(starts) - 1, self.shape[1]
        return type(self.X)((self.X.data[entries], self.X.indices[entries], starts - starts[0]), shape=shape)

    def pull_squares(self, weights: Array) -> Array:
        """``sum_i x_i**2 weights_i'``, shape (d, K), float64."""
        squares = type(self.X)((self.X.data**2, self.X.indices, self.X.indptr), shape=self.X.shape)
        product: Array = squares.T @ np.ascontiguousarray(weights, self.dtype)
        return product.astype(np.float64)

    def squares(self, centre: Array, scale: Array) -> Array:
        """``sum_j (scale_j (x_ij - centre_j))**2`` of each row, shape (n,), float64."""
        squares = np.empty(self.shape[0])
        scaled_centre = scale * centre
        narrow, shift = scale.astype(self.dtype), (2 * scaled_centre).astype(self.dtype)
        ones, constant = np.ones(self.shape[1], self.dtype), float(scaled_centre @ scaled_centre)

        def fill(part: slice) -> None:
            X = self._part(part)
            columns = X.indices.astype(np.intp, copy=False)
            changes = narrow.take(columns)
            changes *= X.data
            changes *= changes - shift.take(columns)
            product = type(X)((changes, X.indices, X.indptr), shape=X.shape) @ ones
            # A difference: what rounding makes of rows at the centre is not negative.
            np.maximum(product + constant, 0.0, out=squares[part])

        list(mapped(fill, self._small_parts()))
        return squares

    def gram(self, weight: Array) -> Array:
        """``sum_i weight_i x_i x_i'``, shape (d, d), float64, without making rows dense."""
        heavy = type(self.X)(
            (self.X.data * np.repeat(weight, np.diff(self.X.indptr)), self.X.indices, self.X.indptr), shape=self.X.shape
        )
        product: Array = (self.X.T @ heavy).toarray().astype(np.float64)
        return product

    def dense_blocks(self, chosen: Indices | slice = ALL) -> Iterator[tuple[Any, Array]]:
        """Small groups of rows made dense."""
        for where in self._chosen_blocks(chosen):
            yield where, self.X[where].toarray()

    def _moments(self, weight: Array) -> Moments:
        """Those of small parts, merged."""

        def share(part: slice) -> Moments:
            return _sparse_moments(self._part(part), weight[part])

        return reduce(Moments.merge, mapped(share, self._small_parts()))


def _sparse_moments(X: Any, weight: Array) -> Moments:
    """Deviations of the stored entries, plus the zeros' share ``mean**2`` each."""
    n, d = X.shape
    mass = float(weight.sum())
    if not mass:
        return Moments(0.0, np.zeros(d), np.zeros(d), n)
    entry_weight = np.repeat(weight, np.diff(X.indptr))
    # NumPy counts and takes by indices of its own kind several times as fast.
    data, columns = X.data.astype(np.float64), X.indices.astype(np.intp, copy=False)
    mean = np.bincount(columns, entry_weight * data, d) / mass
    deviation = data - mean.take(columns)
    scatter = np.bincount(columns, entry_weight * deviation**2, d)
    # The weight of the zeros is a difference of sums; where there are none its rounding must not count.
    has_zeros = np.bincount(columns, entry_weight > 0, d) < np.count_nonzero(weight)
    zeros = np.where(has_zeros, np.maximum(mass - np.bincount(columns, entry_weight, d), 0), 0)
    return Moments(mass, mean, scatter + zeros * mean**2, n)
