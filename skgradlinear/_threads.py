"""Threads of the linear algebra libraries: one for small problems, where handing work over costs more than the work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController

# Multiplications of a pass over X below which a second thread is no gain, and often a loss: between the products lie
# many small steps, and the libraries' threads wait actively. Measured: a fit with passes of 6 to 26 million takes twice
# as long on two threads as on one, a fit with passes of 470 million as long.
SMALL_PASS = 200_000_000


def for_pass(n_multiplications: int) -> AbstractContextManager[Any]:
    """A context in which products of this size run with a sensible number of threads."""
    if n_multiplications > SMALL_PASS:
        # Wheels of NumPy and SciPy bring a library each, and the threads of one wait actively while the other works.
        # Large products are NumPy's.
        others = [
            library["filepath"]
            for library in _controller().info()
            if library["user_api"] == "blas" and "numpy" not in Path(library["filepath"]).parent.name
        ]
        if not others or len(others) == len(_controller().select(user_api="blas").info()):
            return nullcontext()
        narrowed: AbstractContextManager[Any] = _controller().select(filepath=others).limit(limits=1)
        return narrowed
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits


@cache
def _controller() -> ThreadpoolController:
    """The loaded libraries; looking them up takes milliseconds, once."""
    return ThreadpoolController()
