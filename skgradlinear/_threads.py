"""Threads of the linear algebra libraries: one for small problems, where handing work over costs more than the work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# Multiplications of a pass over X below which a second thread is no gain, and on a busy machine a great loss: the
# libraries' threads wait for each other actively.
SMALL_PASS = 5_000_000


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
