"""Threads of the linear algebra libraries: one for small problems, where handing work over costs more than the work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# Multiplications of a pass over X below which a second thread is no gain, and often a loss: between the products lie
# many small steps, and the libraries' threads wait actively. Measured: a fit with passes of 6 to 26 million takes twice
# as long on two threads as on one, a fit with passes of 470 million as long.
SMALL_PASS = 200_000_000


def for_pass(n_multiplications: int) -> AbstractContextManager[Any]:
    """A context in which products of this size run with a sensible number of threads."""
    if n_multiplications > SMALL_PASS:
        return nullcontext()
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits


@cache
def _controller() -> ThreadpoolController:
    """The loaded libraries; looking them up takes milliseconds, once."""
    return ThreadpoolController()
