"""Threads of a fit: its own, over parts of the rows, while each linear algebra library keeps to one.

Loops over rows spend their time in products and in arithmetic that both leave the interpreter free. A part of the rows
goes through both on one core, where the libraries' own threads would share each product and leave the arithmetic to one
of them. How rows are parted does not depend on the number of threads, and sums over parts are formed in their order: so
do results not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

# Multiplications of a pass over X below which more threads gain nothing: handing a part over takes 50 microseconds.
SMALL_PASS = 50_000_000
# Parts come in ones, twos, and multiples of so many.
PARTS = 4

T = TypeVar("T")
# The threads of the fit under way; others, and its own threads, see none.
_pool: ContextVar[ThreadPoolExecutor | None] = ContextVar("_pool", default=None)


class _OneThread:
    """Keeps the libraries of linear algebra to one thread while any fit is under way; the last gives theirs back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_fits = 0
        self._limited: list[tuple[Any, int]] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._n_fits:
                # One after the other: a limit on all of them takes ten times as long.
                counts = [(library, library.num_threads) for library in _libraries().lib_controllers]
                self._limited = [(library, count) for library, count in counts if count not in (None, 1)]
                for library, _ in self._limited:
                    library.set_num_threads(1)
            self._n_fits += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._n_fits -= 1
            if not self._n_fits:
                for library, count in self._limited:
                    library.set_num_threads(count)


# The libraries' threads are the whole process's, so that fits have to know of each other.
_one_thread = _OneThread()


@contextmanager
def for_pass(n_multiplications: int) -> Iterator[None]:
    """A context in which loops over rows have a sensible number of threads for passes of this size.

    At most as many as the libraries of linear algebra are allowed at its beginning: one beside another fit.
    """
    n_threads = 1
    if n_multiplications > SMALL_PASS:
        n_threads = max((library["num_threads"] for library in _libraries().info()), default=1)
    with _one_thread:
        if n_threads == 1:
            yield
            return
        with ThreadPoolExecutor(n_threads) as pool:
            token = _pool.set(pool)
            try:
                yield
            finally:
                _pool.reset(token)


def parts(n_rows: int, largest: int) -> list[slice]:
    """Equal parts of some rows, in order, of about `largest` rows or fewer."""
    if n_rows <= largest:
        return [slice(0, n_rows)]
    count = -(-n_rows // largest)
    if count > 2:
        count = PARTS * -(-count // PARTS)
    edges = [n_rows * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def mapped(function: Callable[[slice], T], some: list[slice]) -> Iterator[T]:
    """The function's results for parts of the rows, in order, as they are asked for or, with threads, ahead of that."""
    pool = _pool.get()
    if pool is None or len(some) == 1:
        return map(function, some)
    # Every thread has settings of its own of what NumPy warns of.
    errors = np.geterr()

    def warned(part: slice) -> T:
        with np.errstate(**errors):
            return function(part)

    return pool.map(warned, some)


def totals(results: Iterator[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Sums of pairs, each formed for a part of the rows."""
    first, second = next(results)
    for one, other in results:
        first, second = first + one, second + other
    return first, second


@cache
def _libraries() -> ThreadpoolController:
    """The loaded libraries of linear algebra; looking them up takes milliseconds, once."""
    controller: ThreadpoolController = ThreadpoolController().select(user_api="blas")
    return controller
